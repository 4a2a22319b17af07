/* agent/line-parts.h -- what the files of agent/line.h share: a line over one non-blocking descriptor. */
#pragma once

#include "agent/line.h"

struct fd_line {
	struct line base; /* first, so that a line is a pointer to it */
	int fd;
};

struct line *fd_line_new(const struct line_kind *kind, int fd); /* takes fd over */

int fd_line_op_read(struct line *line, struct buf *out, uint64_t until_ms, struct error *err);
int fd_line_op_write(struct line *line, struct bytes in, uint64_t until_ms, struct error *err);
uint64_t fd_line_now_ms(const struct line *line);
struct line *fd_line_op_free(struct line *line);

int fd_line_read(int fd, struct buf *out, uint64_t until_ms, struct error *err) _must_check_;
int fd_line_write(int fd, struct bytes in, uint64_t until_ms, struct error *err) _must_check_;

/* A connected, non-blocking socket. */
int line_dial(const char *address, unsigned timeout_ms, struct error *err) _must_check_;
