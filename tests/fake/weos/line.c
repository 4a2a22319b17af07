/* tests/fake/weos/line.c -- where the console's wires end: a pty, raw TCP or RFC 2217. */
#include "tests/fake/weos/line.h"

#include "base/clock.h"
#include "base/fs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum { READ_MAX = 4096, OUT_MAX = 256 << 10, PTY_RETRY_MS = 20, BAUD = 115200 };
/* RFC 854, RFC 2217 */
enum { SE = 240, SB = 250, WILL = 251, WONT = 252, DO = 253, DONT = 254, IAC = 255 };
enum { OPT_BINARY = 0, OPT_ECHO = 1, OPT_SGA = 3, OPT_COM = 44, COM_SET_BAUD = 1, COM_SERVER = 100 };
enum { TELNET_DATA, TELNET_IAC, TELNET_OPTION, TELNET_SUB, TELNET_SUB_IAC };

/* ---- output ---- */

static void flush(struct line *line)
{
	while (line->is_open && line->out.len) {
		ssize_t n = write(line->client.fd, line->out.ptr, line->out.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		memmove(line->out.ptr, line->out.ptr + n, line->out.len - (size_t)n);
		buf_truncate(&line->out, line->out.len - (size_t)n);
	}
	if (line->is_open)
		loop_change_fd(&line->client, line->out.len ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void queue(struct line *line, const void *ptr, size_t len)
{
	if (line->is_open && line->out.len + len <= OUT_MAX)
		buf_add(&line->out, ptr, len);
}

/* At a speed that is not the device's, what arrives is not what was sent. */
void line_write(struct line *line, struct bytes out)
{
	for (size_t i = 0; i < out.len; i++) {
		uint8_t c = line->baud == BAUD ? out.ptr[i] : (uint8_t)(out.ptr[i] * 7 + 129);

		queue(line, &c, 1);
		if (c == IAC && line->kind == LINE_RFC2217)
			queue(line, &c, 1);
	}
	flush(line);
}

/* ---- telnet ---- */

static void answer_option(struct line *line, uint8_t verb, uint8_t option)
{
	bool is_ours = option == OPT_BINARY || option == OPT_ECHO || option == OPT_SGA || option == OPT_COM;
	uint8_t reply[3] = { IAC, 0, option };

	if (verb == DO)
		reply[1] = is_ours ? WILL : WONT;
	else if (verb == WILL)
		reply[1] = is_ours && option != OPT_ECHO ? DO : DONT;
	else
		return;
	queue(line, reply, sizeof(reply));
}

/* Each setting is answered with its value, as RFC 2217 wants it; the speed counts. */
static void answer_com(struct line *line)
{
	uint8_t *body = line->telnet, head[4] = { IAC, SB, OPT_COM, 0 }, tail[2] = { IAC, SE };
	size_t len = line->telnet_len;

	if (len < 2 || body[0] != OPT_COM)
		return;
	if (body[1] == COM_SET_BAUD && len == 6) {
		uint32_t baud = (uint32_t)body[2] << 24 | (uint32_t)body[3] << 16 | (uint32_t)body[4] << 8 | body[5];

		line->baud = baud ? baud : line->baud;
		for (int i = 0; i < 4; i++)
			body[2 + i] = (uint8_t)(line->baud >> (24 - 8 * i));
	}
	head[3] = (uint8_t)(body[1] + COM_SERVER);
	queue(line, head, sizeof(head));
	for (size_t i = 2; i < len; i++) {
		queue(line, &body[i], 1);
		if (body[i] == IAC)
			queue(line, &body[i], 1);
	}
	queue(line, tail, sizeof(tail));
}

/* True: c is a byte for the device. */
static bool take_telnet(struct line *line, uint8_t c)
{
	bool is_data;

	switch (line->telnet_state) {
	case TELNET_DATA:
		is_data = c != IAC && (c != 0 || !line->was_cr); /* RFC 854: CR NUL is a bare CR */
		line->was_cr = c == '\r';
		line->telnet_state = c == IAC ? TELNET_IAC : TELNET_DATA;
		return is_data;
	case TELNET_IAC:
		line->telnet[0] = c;
		line->telnet_len = 0;
		line->telnet_state = c == SB ? TELNET_SUB : c >= WILL && c <= DONT ? TELNET_OPTION : TELNET_DATA;
		return c == IAC;
	case TELNET_OPTION:
		answer_option(line, line->telnet[0], c);
		line->telnet_state = TELNET_DATA;
		return false;
	case TELNET_SUB:
		if (c == IAC)
			line->telnet_state = TELNET_SUB_IAC;
		else if (line->telnet_len < sizeof(line->telnet))
			line->telnet[line->telnet_len++] = c;
		return false;
	default:
		line->telnet_state = c == SE ? TELNET_DATA : TELNET_SUB;
		if (c == SE)
			answer_com(line);
		else if (line->telnet_len < sizeof(line->telnet))
			line->telnet[line->telnet_len++] = c;
		return false;
	}
}

/* ---- input ---- */

static void take(struct line *line, const uint8_t *in, size_t len)
{
	_cleanup_(buf_done) struct buf data = { 0 };

	for (size_t i = 0; i < len; i++)
		if (line->kind != LINE_RFC2217 || take_telnet(line, in[i]))
			buf_add_char(&data, (char)(line->baud == BAUD ? in[i] : in[i] * 7 + 129));
	flush(line);
	if (data.len)
		device_console_input(line->dev, buf_bytes(&data));
}

void line_drop(struct line *line)
{
	if (!line->is_open)
		return;
	line->is_open = false;
	buf_truncate(&line->out, 0);
	loop_remove_fd(&line->client);
	if (line->kind == LINE_PTY)
		loop_arm(line->dev->loop, &line->retry, clock_mono_ms() + PTY_RETRY_MS);
	else
		fd_closep(&line->client.fd);
}

static void client_ready(struct loop_fd *io, uint32_t events)
{
	struct line *line = container_of(io, struct line, client);
	uint8_t in[READ_MAX];
	ssize_t n;

	if (events & EPOLLOUT)
		flush(line);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	n = read(io->fd, in, sizeof(in));
	if (n > 0)
		take(line, in, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		line_drop(line);
}

/* ---- TCP ---- */

static void greet(struct line *line)
{
	static const uint8_t offers[] = { IAC,        WILL, OPT_ECHO, IAC,        WILL, OPT_SGA, IAC,    WILL,
					  OPT_BINARY, IAC,  DO,       OPT_BINARY, IAC,  DO,      OPT_COM };

	line->telnet_state = TELNET_DATA;
	line->baud = BAUD;
	if (line->kind == LINE_RFC2217)
		queue(line, offers, sizeof(offers));
	flush(line);
}

static bool is_taken(const struct device *dev)
{
	for (const struct line *line = dev->lines; line; line = line->next)
		if (line->kind != LINE_PTY && line->is_open)
			return true;
	return false;
}

static void accept_client(struct loop_fd *io, uint32_t events _unused_)
{
	struct line *line = container_of(io, struct line, listener);
	static const char busy[] = "Port already in use\r\n";
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;
	struct error err = { 0 };

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (is_taken(line->dev)) {
		send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL);
		close(fd);
		return;
	}
	line->client.fd = fd;
	if (loop_add_fd(line->dev->loop, &line->client, EPOLLIN, &err) < 0) {
		fd_closep(&line->client.fd);
		return;
	}
	line->is_open = true;
	greet(line);
}

static int listen_at(struct line *line, const char *where, struct error *err)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	char host[64];
	unsigned port;
	int one = 1;

	if (sscanf(where, "%63[0-9.]:%u", host, &port) != 2 || port > 65535 || inet_pton(AF_INET, host, &addr.sin_addr) != 1)
		return error_set(err, E_FORMAT, "'%s' is not ADDR:PORT", where);
	addr.sin_port = htons((uint16_t)port);
	line->listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(line->listener.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (line->listener.fd < 0 || bind(line->listener.fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(line->listener.fd, 4) < 0)
		return error_sys(err, "cannot listen at '%s'", where);
	line->listener.ready = accept_client;
	return loop_add_fd(line->dev->loop, &line->listener, EPOLLIN, err);
}

/* ---- pty ---- */

/* Is somebody at the other end? Only then the line is watched, as a pty without one is always "ready". */
static void look_for_client(struct loop_timer *timer)
{
	struct line *line = container_of(timer, struct line, retry);
	struct pollfd pfd = { .fd = line->client.fd, .events = POLLIN };
	struct error err = { 0 };

	poll(&pfd, 1, 0);
	if (!(pfd.revents & POLLHUP) && loop_add_fd(line->dev->loop, &line->client, EPOLLIN, &err) == 0)
		line->is_open = true;
	else
		loop_arm(line->dev->loop, &line->retry, clock_mono_ms() + PTY_RETRY_MS);
}

static int open_pty(struct line *line, const char *link, struct error *err)
{
	struct termios raw;
	char name[64];
	int slave;

	line->client.fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (line->client.fd < 0 || grantpt(line->client.fd) < 0 || unlockpt(line->client.fd) < 0 ||
	    ptsname_r(line->client.fd, name, sizeof(name)) != 0)
		return error_sys(err, "cannot make a pty");
	slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0 || tcgetattr(slave, &raw) < 0)
		return error_sys(err, "cannot open '%s'", name);
	cfmakeraw(&raw);
	cfsetspeed(&raw, B115200);
	tcsetattr(slave, TCSANOW, &raw);
	close(slave);
	unlink(link);
	if (symlink(name, link) < 0)
		return error_sys(err, "cannot make the link '%s'", link);
	line->link = mem_strdup(link);
	line->retry.fire = look_for_client;
	loop_arm(line->dev->loop, &line->retry, 0);
	return 0;
}

/* ---- from beginning to end ---- */

int line_new(struct device *dev, enum line_kind kind, const char *where, struct error *err)
{
	struct line *line = mem_alloc(sizeof(*line));

	*line = (struct line){ .next = dev->lines, .dev = dev, .kind = kind, .baud = BAUD, .listener.fd = -1, .client.fd = -1 };
	line->client.ready = client_ready;
	dev->lines = line;
	return kind == LINE_PTY ? open_pty(line, where, err) : listen_at(line, where, err);
}

void line_free(struct device *dev)
{
	struct line *line = dev->lines;

	dev->lines = line->next;
	line_drop(line);
	loop_disarm(&line->retry);
	loop_remove_fd(&line->listener);
	fd_closep(&line->listener.fd);
	if (line->link)
		unlink(line->link); /* while the pty is still ours: then it is somebody else's */
	mem_freep(&line->link);
	fd_closep(&line->client.fd);
	buf_done(&line->out);
	free(line);
}

void device_drop_wire(void *ctx)
{
	struct device *dev = ctx;

	for (struct line *line = dev->lines; line; line = line->next)
		line_drop(line);
}
