/* tests/fake/weos/scp.c -- the device's end of scp(1): the old protocol, one file, /cfg/ only. */
#include "tests/fake/weos/scp.h"

#include "base/fs.h"
#include "tests/fake/weos/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_MAX = 300, ANSWER_MAX = FLASH_FILE_MAX + 100 };

static void send_bytes(struct bytes out)
{
	struct error err = { 0 };

	if (fd_write_all(STDOUT_FILENO, out, &err) < 0)
		exit(1);
}

static void say_ok(void)
{
	send_bytes(bytes_of("", 1));
}

static int say_error(const char *text)
{
	_cleanup_(mem_freep) char *line = mem_printf("\002scp: %s\n", text);

	send_bytes(bytes_str(line));
	return 1;
}

/* Exactly len bytes; false at the end before. */
static bool take_bytes(uint8_t *out, size_t len)
{
	ssize_t n = 1;

	for (; len && n > 0; len -= (size_t)n, out += n)
		n = read(STDIN_FILENO, out, len);
	return n > 0;
}

static bool is_ok(void)
{
	uint8_t c;

	return take_bytes(&c, 1) && c == 0;
}

static int fetch(struct buf *out, const char *state, const char *request, struct bytes body)
{
	struct error err = { 0 };
	_cleanup_(fd_closep) int fd = control_connect(state, request, &err);

	if (fd < 0 || fd_write_all(fd, body, &err) < 0)
		return -1;
	return fd_read_all(out, fd, ANSWER_MAX, &err);
}

static int serve_source(const char *state, const char *path)
{
	_cleanup_(mem_freep) char *request = mem_printf("get %s", path), *head = NULL;
	_cleanup_(buf_done) struct buf answer = { 0 };
	struct bytes body;

	if (!is_ok() || fetch(&answer, state, request, bytes_of(NULL, 0)) < 0 || strncmp(buf_text(&answer), "ok\n", 3) != 0)
		return say_error("No such file");
	body = bytes_from(buf_bytes(&answer), 3);
	head = mem_printf("C0600 %zu %s\n", body.len, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	send_bytes(bytes_str(head));
	if (!is_ok())
		return 1;
	send_bytes(body);
	say_ok();
	return is_ok() ? 0 : 1;
}

/* One line of the protocol; times (T) are taken note of and forgotten. */
static bool take_head(char out[static HEAD_MAX])
{
	for (;;) {
		size_t len = 0;

		while (len < HEAD_MAX - 1 && take_bytes((uint8_t *)out + len, 1) && out[len] != '\n')
			len++;
		out[len] = 0;
		if (out[0] != 'T')
			return out[0] == 'C';
		say_ok();
	}
}

static int serve_sink(const char *state, const char *path)
{
	_cleanup_(mem_freep) char *request = NULL;
	_cleanup_(buf_done) struct buf body = { 0 }, answer = { 0 };
	char head[HEAD_MAX], name[HEAD_MAX];
	size_t size;

	say_ok();
	if (!take_head(head))
		return say_error("protocol error");
	if (sscanf(head, "C%*o %zu %299s", &size, name) != 2 || size > FLASH_FILE_MAX)
		return say_error("file too large");
	say_ok();
	if (size && !take_bytes(buf_extend(&body, size), size))
		return 1;
	if (!is_ok())
		return 1;
	request = mem_printf("put %s%s %zu", path, path[strlen(path) - 1] == '/' ? name : "", size);
	if (fetch(&answer, state, request, buf_bytes(&body)) < 0 || strcmp(buf_text(&answer), "ok\n") != 0)
		return say_error("not supported");
	say_ok();
	return 0;
}

int scp_serve(const char *state, const char *command)
{
	const char *path = strrchr(command, ' ');

	if (!path || !path[1])
		return 1;
	return strstr(command, " -t") ? serve_sink(state, path + 1) : serve_source(state, path + 1);
}
