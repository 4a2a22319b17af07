/* tests/line.h -- a console line without a device: a clock of its own, and somebody who hears what is sent and schedules what comes. */
#pragma once

#include "agent/line.h"

struct said {
	uint64_t at_ms;
	struct buf text;
};

struct fake_line {
	struct line base; /* first */
	uint64_t now_ms, ends_ms; /* ends_ms: the line ends then; 0: never */
	struct said *said;
	size_t said_count, said_done;
	struct buf sent; /* all that was sent */
	/* Called for everything that is sent. */
	void (*heard)(struct fake_line *line, struct bytes in);
	void *ctx;
};

/* Freed with its console, or by line_free(). */
struct fake_line *fake_line_new(void (*heard)(struct fake_line *line, struct bytes in), void *ctx);
/* So many milliseconds after now, or after what was scheduled before if that is later. */
void fake_line_say(struct fake_line *line, unsigned after_ms, struct bytes text);
void fake_line_text(struct fake_line *line, unsigned after_ms, const char *text);
/* Before everything that was scheduled and has not come yet: what a terminal driver echoes while a program still writes. */
void fake_line_echo(struct fake_line *line, const char *text);
