/* agent/line.c -- the bytes to and from a console: what all lines share, and lines over one descriptor. */
#include "agent/line.h"

#include "agent/line-parts.h"
#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int line_read(struct line *line, struct buf *out, uint64_t until_ms, struct error *err)
{
	return line->kind->read(line, out, until_ms, err);
}

int line_write(struct line *line, struct bytes in, uint64_t until_ms, struct error *err)
{
	return line->kind->write(line, in, until_ms, err);
}

uint64_t line_now_ms(const struct line *line)
{
	return line->kind->now_ms(line);
}

bool line_hides(const struct line *line)
{
	return line->kind->hides && line->kind->hides(line);
}

struct line *line_free(struct line *line)
{
	return line ? line->kind->free(line) : NULL;
}

void line_freep(struct line **line)
{
	*line = line_free(*line);
}

/* ---- one descriptor ---- */

/* 1: ready; 0: not until then. */
static int wait_for(int fd, short events, uint64_t until_ms, struct error *err)
{
	for (;;) {
		uint64_t now = clock_mono_ms();
		struct pollfd pfd = { fd, events, 0 };
		int r = poll(&pfd, 1, until_ms > now ? (int)(until_ms - now) : 0);

		if (r >= 0)
			return r > 0;
		if (errno != EINTR)
			return error_sys(err, "cannot wait for the console");
	}
}

int fd_line_read(int fd, struct buf *out, uint64_t until_ms, struct error *err)
{
	uint8_t chunk[LINE_CHUNK];
	ssize_t n;
	int r = wait_for(fd, POLLIN, until_ms, err);

	if (r <= 0)
		return r < 0 ? r : LINE_QUIET;
	n = read(fd, chunk, sizeof(chunk));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return LINE_QUIET;
	if (n <= 0) /* EIO: the other side of a pseudo terminal is closed */
		return error_set(err, E_PEER, "the line has ended");
	buf_add(out, chunk, (size_t)n);
	explicit_bzero(chunk, (size_t)n);
	return 0;
}

int fd_line_write(int fd, struct bytes in, uint64_t until_ms, struct error *err)
{
	while (in.len) {
		ssize_t n;
		int r = wait_for(fd, POLLOUT, until_ms, err);

		if (r < 0)
			return r;
		if (!r)
			return error_set(err, E_PEER, "the line takes nothing");
		n = write(fd, in.ptr, in.len);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return error_set(err, E_PEER, "the line has ended");
		if (n > 0)
			in = bytes_from(in, (size_t)n);
	}
	return 0;
}

uint64_t fd_line_now_ms(const struct line *line _unused_)
{
	return clock_mono_ms();
}

int fd_line_op_read(struct line *line, struct buf *out, uint64_t until_ms, struct error *err)
{
	return fd_line_read(((struct fd_line *)line)->fd, out, until_ms, err);
}

int fd_line_op_write(struct line *line, struct bytes in, uint64_t until_ms, struct error *err)
{
	return fd_line_write(((struct fd_line *)line)->fd, in, until_ms, err);
}

struct line *fd_line_op_free(struct line *line)
{
	fd_closep(&((struct fd_line *)line)->fd);
	free(line);
	return NULL;
}

struct line *fd_line_new(const struct line_kind *kind, int fd)
{
	struct fd_line *line = mem_alloc(sizeof(*line));

	line->base.kind = kind;
	line->fd = fd;
	return &line->base;
}
