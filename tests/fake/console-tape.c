/* tests/fake/console-tape.c -- a console on tape: what a device said is recorded once and played for ever, for tests of a driver.
 *
 *   console-tape record TAPE LISTEN DEVICE    between a driver and a device: both are addr:port of raw TCP, or DEVICE is a terminal's path
 *   console-tape play TAPE LISTEN             in the device's place, for as many connections as are on the tape
 *
 * A tape is text, to be read and scrubbed before it is kept; a line is one piece of what was said, bytes that are not printable as \xNN:
 *
 *   = 1                       a connection begins
 *   > \x0d                    what the driver sent
 *   < \x0d\x0asw1 login:      what the device said to it
 *
 * Played, the device says its piece when all that was sent before has come again, byte by byte. Anything else ends the connection, and the
 * program with status 1: a driver that changes what it says needs a new tape. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/fs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum { CHUNK = 4096, TAPE_MAX = 16 << 20, PATIENCE_MS = 60000 };

static _Noreturn void die(const char *what, const char *subject)
{
	fprintf(stderr, "console-tape: %s '%s'%s%s\n", what, subject, errno ? ": " : "", errno ? strerror(errno) : "");
	exit(1);
}

/* ---- wires ---- */

static struct sockaddr_in address_of(const char *text)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	const char *colon = strrchr(text, ':');
	_cleanup_(mem_freep) char *host = colon ? mem_strndup(text, (size_t)(colon - text)) : NULL;

	if (!colon || inet_pton(AF_INET, host, &addr.sin_addr) != 1)
		die("no address:port of IPv4:", text);
	addr.sin_port = htons((uint16_t)atoi(colon + 1));
	return addr;
}

static int listen_at(const char *text)
{
	struct sockaddr_in addr = address_of(text);
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 1) < 0)
		die("cannot listen at", text);
	return fd;
}

static int open_device(const char *text)
{
	struct sockaddr_in addr;
	struct termios raw;
	int fd;

	if (text[0] != '/') {
		addr = address_of(text);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
			die("cannot connect to", text);
		return fd;
	}
	fd = open(text, O_RDWR | O_NOCTTY);
	if (fd < 0 || tcgetattr(fd, &raw) < 0)
		die("cannot open", text);
	cfmakeraw(&raw);
	if (cfsetspeed(&raw, B115200) < 0 || tcsetattr(fd, TCSANOW, &raw) < 0)
		die("cannot set", text);
	return fd;
}

static void send_all(int fd, struct bytes in)
{
	struct error err = { 0 };

	if (fd_write_all(fd, in, &err) < 0)
		die("cannot send", err.text);
}

/* ---- recording ---- */

static void put_piece(FILE *tape, char mark, struct bytes in)
{
	fprintf(tape, "%c ", mark);
	for (size_t i = 0; i < in.len; i++)
		if (in.ptr[i] > 0x20 && in.ptr[i] < 0x7f && in.ptr[i] != '\\')
			fputc(in.ptr[i], tape);
		else if (in.ptr[i] == ' ' && i + 1 < in.len)
			fputc(' ', tape);
		else
			fprintf(tape, "\\x%02x", in.ptr[i]);
	fputc('\n', tape);
	fflush(tape);
}

/* False: this side is gone. */
static bool pass_on(FILE *tape, char mark, int from, int to)
{
	uint8_t chunk[CHUNK];
	ssize_t n = read(from, chunk, sizeof(chunk));

	if (n <= 0)
		return false;
	put_piece(tape, mark, bytes_of(chunk, (size_t)n));
	send_all(to, bytes_of(chunk, (size_t)n));
	return true;
}

static void record_one(FILE *tape, int driver, const char *device_name, unsigned number)
{
	_cleanup_(fd_closep) int device = open_device(device_name);

	fprintf(tape, "= %u\n", number);
	for (;;) {
		struct pollfd pfd[2] = { { driver, POLLIN, 0 }, { device, POLLIN, 0 } };

		if (poll(pfd, 2, -1) < 0)
			die("cannot wait for", device_name);
		if ((pfd[0].revents && !pass_on(tape, '>', driver, device)) || (pfd[1].revents && !pass_on(tape, '<', device, driver)))
			return;
	}
}

static int record(const char *tape_name, const char *where, const char *device)
{
	int listener = listen_at(where);
	FILE *tape = fopen(tape_name, "we");

	if (!tape)
		die("cannot write", tape_name);
	for (unsigned number = 1;; number++) {
		_cleanup_(fd_closep) int driver = accept(listener, NULL, NULL);

		if (driver < 0)
			die("cannot accept at", where);
		record_one(tape, driver, device, number);
	}
}

/* ---- playing ---- */

static void take_piece(struct buf *out, struct bytes text, const char *tape_name)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.ptr[i];

		if (byte == '\\') {
			if (text.len - i < 4 || text.ptr[i + 1] != 'x' || !hex_decode(&byte, 1, bytes_of(text.ptr + i + 2, 2)))
				die("a byte of another form on", tape_name);
			i += 3;
		}
		buf_add(out, &byte, 1);
	}
}

/* What comes must be this. How many bytes were; less than all: something else, or silence. */
static size_t hear(int fd, struct bytes wanted)
{
	size_t heard = 0;

	while (heard < wanted.len) {
		struct pollfd pfd = { fd, POLLIN, 0 };
		uint8_t byte;

		if (poll(&pfd, 1, PATIENCE_MS) <= 0 || read(fd, &byte, 1) != 1 || byte != wanted.ptr[heard])
			break;
		heard++;
	}
	return heard;
}

static bool play_piece(int fd, struct bytes line, unsigned number, const char *tape_name)
{
	_cleanup_(buf_done) struct buf piece = { 0 };
	size_t heard;

	take_piece(&piece, bytes_from(line, 2), tape_name);
	if (line.ptr[0] == '<') {
		send_all(fd, buf_bytes(&piece));
		return true;
	}
	heard = hear(fd, buf_bytes(&piece));
	if (heard < piece.len)
		fprintf(stderr, "console-tape: line %u: byte %zu of what should have been sent did not come\n", number, heard + 1);
	return heard == piece.len;
}

static int play(const char *tape_name, const char *where)
{
	_cleanup_(buf_done) struct buf tape = { 0 };
	_cleanup_(fd_closep) int fd = -1;
	struct error err = { 0 };
	int listener = listen_at(where);
	struct bytes rest, line;
	unsigned number = 0;

	if (fs_read(&tape, tape_name, TAPE_MAX, &err) != 0)
		die("cannot read", tape_name);
	rest = buf_bytes(&tape);
	while (bytes_next_line(&rest, &line)) {
		number++;
		if (line.len < 2 || line.ptr[1] != ' ' || !strchr("=<>", line.ptr[0]))
			die("a line of another form on", tape_name);
		if (line.ptr[0] == '=') {
			fd_closep(&fd);
			fd = accept(listener, NULL, NULL);
		} else if (fd < 0 || !play_piece(fd, line, number, tape_name)) {
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	errno = 0;
	if (argc == 5 && !strcmp(argv[1], "record"))
		return record(argv[2], argv[3], argv[4]);
	if (argc == 4 && !strcmp(argv[1], "play"))
		return play(argv[2], argv[3]);
	fprintf(stderr, "usage: console-tape record TAPE LISTEN DEVICE | play TAPE LISTEN\n");
	return 2;
}
