/* server/send-file.c -- a part of a file as an answer. */
#include "server/send-file.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_BYTES = 32 << 10 }; /* that are read at a time */

struct file_stream {
	struct sweeper *sweeper;
	int fd, conn;
	unsigned stall_seconds;
	uint64_t from;
};

/* Called whenever what was read before has gone out. */
static ssize_t read_file(void *ctx, uint64_t at, char *out, size_t max)
{
	struct file_stream *s = ctx;
	ssize_t n;

	do
		n = pread(s->fd, out, max, (off_t)(s->from + at));
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		log_warning("file-cut errno=%d: it became shorter, or the disk fails", n < 0 ? errno : 0);
		return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	sweeper_set(s->sweeper, s->conn, clock_mono_ms() + s->stall_seconds * 1000ULL);
	return n;
}

static void file_stream_free(void *ctx)
{
	struct file_stream *s = ctx;

	close(s->fd);
	free(s);
}

struct MHD_Response *send_file_response(int fd, uint64_t from, uint64_t len, struct sweeper *sweeper, int conn, unsigned stall_seconds)
{
	struct file_stream *s = mem_alloc(sizeof(*s));
	struct MHD_Response *response;

	*s = (struct file_stream){ .sweeper = sweeper, .fd = fd, .conn = conn, .stall_seconds = stall_seconds, .from = from };
	response = MHD_create_response_from_callback(len, FILE_BYTES, read_file, s, file_stream_free);
	if (!response)
		free(s);
	return response;
}
