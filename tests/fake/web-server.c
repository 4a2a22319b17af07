/* tests/fake/web-server.c -- what a provider of advisories is to its readers: files over HTTPS, and lies on demand.
 *
 * web-server PORT CERT KEY FOLDER serves what lies in the folder, and prints each path that is asked for. A file beside a name says what
 * else comes there: NAME.redirect (the address), NAME.status (a number), NAME.endless (never ends), NAME.cut (the bytes of NAME, and then
 * the connection breaks). */
#include "base/fs.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 64 << 20, SMALL_MAX = 4096, BLOCK = 65536 };

static const char *folder;

/* False: there is none. */
static bool load(struct buf *out, const char *path, const char *suffix, size_t max)
{
	_cleanup_(mem_freep) char *whole = mem_printf("%s%s%s", folder, path, suffix);
	struct error err = { 0 };

	return !strstr(path, "..") && access(whole, F_OK) == 0 && fs_read(out, whole, max, &err) == 0;
}

static ssize_t blanks(void *ctx, uint64_t position, char *out, size_t max)
{
	(void)ctx;
	(void)position;
	memset(out, ' ', max);
	return (ssize_t)max;
}

static ssize_t until_cut(void *ctx, uint64_t position, char *out, size_t max)
{
	const struct buf *body = ctx;
	size_t n = position < body->len ? body->len - position : 0;

	if (!n)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	n = n < max ? n : max;
	memcpy(out, body->ptr + position, n);
	return (ssize_t)n;
}

static void free_body(void *ctx)
{
	buf_done(ctx);
	free(ctx);
}

static enum MHD_Result reply(struct MHD_Connection *conn, unsigned status, struct MHD_Response *response, const char *location)
{
	enum MHD_Result r;

	if (location)
		MHD_add_response_header(response, "Location", location);
	r = MHD_queue_response(conn, status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result send_bytes(struct MHD_Connection *conn, unsigned status, const struct buf *body, const char *location)
{
	return reply(conn, status, MHD_create_response_from_buffer(body->len, (void *)body->ptr, MHD_RESPMEM_MUST_COPY), location);
}

static enum MHD_Result answer(void *ctx, struct MHD_Connection *conn, const char *path, const char *method, const char *version,
			      const char *data, size_t *data_len, void **state)
{
	_cleanup_(buf_done) struct buf body = { 0 }, more = { 0 };

	(void)ctx;
	(void)method;
	(void)version;
	(void)data;
	(void)data_len;
	if (!*state) { /* the headers are there; the body, if there is one, is not wanted */
		*state = (void *)(uintptr_t)folder;
		return MHD_YES;
	}
	printf("%s\n", path);
	fflush(stdout);
	if (load(&more, path, ".redirect", SMALL_MAX)) {
		more.ptr[strcspn((char *)more.ptr, "\n")] = 0;
		return send_bytes(conn, MHD_HTTP_FOUND, &body, (const char *)more.ptr);
	}
	if (load(&more, path, ".status", SMALL_MAX))
		return send_bytes(conn, (unsigned)strtoul(buf_text(&more), NULL, 10), &body, NULL);
	if (load(&more, path, ".endless", SMALL_MAX))
		return reply(conn, MHD_HTTP_OK, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, blanks, NULL, NULL), NULL);
	if (!load(&body, path, "", FILE_MAX))
		return send_bytes(conn, MHD_HTTP_NOT_FOUND, &body, NULL);
	if (load(&more, path, ".cut", SMALL_MAX)) {
		struct buf *copy = mem_alloc(sizeof(*copy));

		buf_add_bytes(copy, buf_bytes(&body));
		return reply(conn, MHD_HTTP_OK, MHD_create_response_from_callback(body.len + 100, BLOCK, until_cut, copy, free_body), NULL);
	}
	return send_bytes(conn, MHD_HTTP_OK, &body, NULL);
}

int main(int argc, char **argv)
{
	_cleanup_(buf_done) struct buf cert = { 0 }, key = { 0 };
	struct MHD_Daemon *daemon;
	struct error err = { 0 };

	if (argc != 5 || fs_read(&cert, argv[2], BLOCK, &err) != 0 || fs_read(&key, argv[3], BLOCK, &err) != 0) {
		fprintf(stderr, "usage: web-server PORT CERT KEY FOLDER %s\n", err.text);
		return 2;
	}
	folder = argv[4];
	daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS | MHD_USE_ERROR_LOG, (uint16_t)strtoul(argv[1], NULL, 10),
				  NULL, NULL, answer, NULL, MHD_OPTION_HTTPS_MEM_CERT, buf_text(&cert), MHD_OPTION_HTTPS_MEM_KEY,
				  buf_text(&key), MHD_OPTION_END);
	if (!daemon) {
		fprintf(stderr, "cannot listen: %s\n", strerror(errno));
		return 1;
	}
	pause();
	return 0;
}
