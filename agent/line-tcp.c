/* agent/line-tcp.c -- console servers: a TCP port with the bytes of a serial line. */
#include "agent/line-parts.h"

#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

static int split(char host[static LINE_ADDRESS_MAX], const char **port, const char *address, struct error *err)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;
	uint64_t number;

	if (!len || len >= LINE_ADDRESS_MAX || !number_parse(&number, bytes_str(colon + 1)) || !number || number > 65535)
		return error_set(err, E_FORMAT, "'%.100s' is no host and port", address);
	if (address[0] == '[' && address[len - 1] == ']') {
		address++;
		len -= 2;
	}
	memcpy(host, address, len);
	host[len] = 0;
	*port = colon + 1;
	return 0;
}

/* A connected socket, or -1 with errno. */
static int try_one(const struct addrinfo *a, uint64_t until_ms)
{
	_cleanup_(fd_closep) int fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
	struct pollfd pfd = { fd, POLLOUT, 0 };
	uint64_t now = clock_mono_ms();
	int failed = 0, result;
	socklen_t len = sizeof(failed);

	if (fd < 0)
		return -1;
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0 && errno != EINPROGRESS)
		return -1;
	if (poll(&pfd, 1, until_ms > now ? (int)(until_ms - now) : 0) <= 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len) < 0 || failed) {
		errno = failed;
		return -1;
	}
	result = fd;
	fd = -1;
	return result;
}

int line_dial(const char *address, unsigned timeout_ms, struct error *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *found = NULL;
	uint64_t until_ms = clock_mono_ms() + timeout_ms;
	char host[LINE_ADDRESS_MAX];
	const char *port;
	int r, fd = -1, on = 1;

	if (split(host, &port, address, err) < 0)
		return err->code;
	r = getaddrinfo(host, port, &hints, &found);
	if (r)
		return error_set(err, E_PEER, "cannot find '%.100s': %s", address, gai_strerror(r));
	errno = EADDRNOTAVAIL;
	for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
		fd = try_one(a, until_ms);
	freeaddrinfo(found);
	if (fd < 0)
		return error_set(err, E_PEER, "cannot reach '%.100s': %s", address, strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	return fd;
}

static const struct line_kind tcp_kind = { "TCP port", fd_line_op_read, fd_line_op_write, fd_line_now_ms, fd_line_op_free, NULL };

int line_open_tcp(struct line **out, const char *address, unsigned timeout_ms, struct error *err)
{
	int fd = line_dial(address, timeout_ms, err);

	if (fd < 0)
		return fd;
	*out = fd_line_new(&tcp_kind, fd);
	return 0;
}
