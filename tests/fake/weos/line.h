/* tests/fake/weos/line.h -- where the console's wires end: a pty, raw TCP or RFC 2217, as a console server would offer them.
 *
 * What the device says while nobody listens is lost, as on a real line. One client at a time on TCP; the others are told so. */
#pragma once

#include "tests/fake/weos/device.h"

enum line_kind { LINE_PTY, LINE_TCP, LINE_RFC2217 };

struct line {
	struct line *next;
	struct device *dev;
	enum line_kind kind;
	struct loop_fd listener, client; /* a pty has the client only */
	struct loop_timer retry;
	struct buf out;
	bool is_open;
	char *link; /* to the pty */
	uint8_t telnet[32];
	size_t telnet_len, telnet_state;
	bool was_cr;
	uint32_t baud;
};

/* where: the link to make, or ADDR:PORT. */
int line_new(struct device *dev, enum line_kind kind, const char *where, struct error *err) _must_check_;
void line_free(struct device *dev); /* the first one */
void line_write(struct line *line, struct bytes out);
void line_drop(struct line *line);
