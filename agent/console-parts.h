/* agent/console-parts.h -- what the files of agent/console.h share: the conversation itself, its bytes, and what is on the screen.
 *
 * console.c reads and writes, and knows shapes; console-prove.c finds out whether a prompt is one; console-wait.c waits; console-say.c
 * types. */
#pragma once

#include "agent/console.h"
#include "agent/screen.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { CONSOLE_OTHER_MS = 1000 }; /* at rest this long, something that is not wanted is believed to stay */

struct console {
	struct line *line;
	const struct console_grammar *grammar;
	pcre2_code *patterns[CONSOLE_SHAPES_MAX];
	pcre2_match_data *match;
	pcre2_match_context *limits;
	struct screen screen;
	struct transcript transcript;
	size_t looked;         /* of screen.text: finished lines that were looked at */
	uint64_t last_ms;      /* when something came or was sent */
	unsigned sent_line_no; /* the line on which Enter was sent: what stands on it is no answer */
	bool has_sent, is_booting, is_collecting;
	bool is_stopping;        /* that it starts is known, and to be ended */
	bool takes_back;         /* DEL is known to work */
	unsigned not_taken_back; /* how often it did not, as long as it never has */
	unsigned nonce;
	struct buf echo; /* what was shown since something was typed */
};

/* ---- bytes ---- */

uint64_t console_now_ms(const struct console *c);
/* Reads what comes until then: 0 when there was something, LINE_QUIET otherwise. */
int console_pump(struct console *c, uint64_t until_ms, struct error *err) _must_check_;
/* Takes what is there already. */
int console_drain(struct console *c, struct error *err) _must_check_;
int console_put(struct console *c, struct bytes in, struct error *err) _must_check_;
int console_deny_booting(const struct console *c, struct error *err) _must_check_;
/* What is on this line is what was answered, not an answer. */
void console_enter_was_sent(struct console *c);

/* ---- what is shown ---- */

struct bytes console_trimmed(struct bytes line); /* without blanks at its end */
/* The first shape of these kinds (bits by enum console_shape_kind) that the whole line has. */
bool console_match(const struct console *c, struct console_seen *seen, struct bytes line, unsigned kinds);
const struct console_shape *console_shape_of(const struct console *c, const struct console_seen *seen);
void console_note_booting(struct console *c);
/* Looks at finished lines, each once, up to one that is wanted. */
bool console_next_finished(struct console *c, struct console_seen *seen, console_set want);
/* Nothing but blanks stands behind the cursor: they are what a character that was taken back leaves. */
bool console_at_end(const struct screen *s);
struct bytes console_up_to_cursor(const struct screen *s);
/* Does the last line have a shape, as far as it is there? */
bool console_last_fits(const struct console *c, struct console_seen *seen);
/* How long it must stay as it is before it is believed. */
unsigned console_rest_ms(const struct console *c, const struct console_seen *seen, console_set want);

/* ---- prompts ---- */

/* 1: proven, and the proof is gone from the text; 0: it is none, or not provable now. */
int console_prove(struct console *c, const struct console_seen *seen, uint64_t deadline_ms, struct error *err) _must_check_;

/* ---- failures ---- */

/* E_PEER: what did not come, and what the console shows. */
int console_too_late(struct console *c, const char *what, struct error *err);
/* Of a read that failed: adds what was said last. */
int console_line_ended(struct console *c, struct error *err);
