/* agent/dial.c -- a TCP connection to "host:port". */
#include "agent/dial.h"

#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PORT_DEFAULT "443"

static void note(struct dial *dial, const char *what, const char *why)
{
	snprintf(dial->why, sizeof(dial->why), "cannot %s '%s': %.100s", what, dial->host, why);
}

static void hang_up(struct dial *dial)
{
	loop_disarm(&dial->turn);
	if (dial->io.loop) {
		loop_remove_fd(&dial->io);
		fd_closep(&dial->io.fd);
	}
}

static void reached(struct dial *dial)
{
	int fd = dial->io.fd, on = 1;

	loop_remove_fd(&dial->io);
	hang_up(dial);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	dial->done(dial, fd, NULL);
}

static void try_next(struct dial *dial);

/* The one that is tried does not answer, or says no. */
static void give_up(struct dial *dial, const char *why)
{
	hang_up(dial);
	note(dial, "connect to", why);
	dial->at++;
	try_next(dial);
}

static void answered(struct loop_fd *io, uint32_t events _unused_)
{
	struct dial *dial = container_of(io, struct dial, io);
	socklen_t len = sizeof(int);
	int code = 0;

	if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
		code = errno;
	if (code)
		give_up(dial, strerror(code));
	else
		reached(dial);
}

static void is_late(struct loop_timer *turn)
{
	give_up(container_of(turn, struct dial, turn), "no answer in time");
}

/* False when it is refused at once, with why. */
static bool try_one(struct dial *dial, const struct address *a, uint64_t until_ms)
{
	struct error ignored;
	int fd = socket(a->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), off = 0;

	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off)); /* what we say first confirms that we are connected */
	if (fd < 0 || (connect(fd, (const struct sockaddr *)&a->to, a->len) < 0 && errno != EINPROGRESS)) {
		note(dial, "connect to", strerror(errno));
		fd_closep(&fd);
		return false;
	}
	dial->io.fd = fd;
	dial->io.ready = answered;
	if (loop_add_fd(dial->loop, &dial->io, EPOLLOUT, &ignored) < 0) {
		note(dial, "connect to", "too many descriptors");
		fd_closep(&dial->io.fd);
		return false;
	}
	dial->turn.fire = is_late;
	loop_arm(dial->loop, &dial->turn, until_ms);
	return true;
}

static void try_next(struct dial *dial)
{
	uint64_t now = clock_mono_ms();

	for (; dial->at < dial->count && now < dial->until_ms; dial->at++)
		if (try_one(dial, &dial->addresses[dial->at], now + (dial->until_ms - now) / (dial->count - dial->at)))
			return;
	names_drop(dial->names, dial->host, dial->port);
	if (!*dial->why)
		note(dial, "connect to", "no answer in time");
	dial->done(dial, -1, dial->why);
}

static void found(struct name_ask *ask, const struct address *addresses, size_t count, const char *why)
{
	struct dial *dial = container_of(ask, struct dial, ask);

	loop_disarm(&dial->turn);
	if (!count) {
		note(dial, "resolve", why);
		dial->done(dial, -1, dial->why);
		return;
	}
	memcpy(dial->addresses, addresses, count * sizeof(*addresses));
	dial->count = count;
	try_next(dial);
}

static void not_found(struct loop_timer *turn)
{
	struct dial *dial = container_of(turn, struct dial, turn);

	names_forget(dial->names, &dial->ask);
	note(dial, "resolve", "no answer in time");
	dial->done(dial, -1, dial->why);
}

void dial_begin(struct dial *dial, struct loop *loop, struct names *names, const char *address, uint64_t until_ms)
{
	void (*done)(struct dial *dial, int fd, const char *why) = dial->done;

	*dial = (struct dial){ .done = done, .names = names, .loop = loop, .until_ms = until_ms, .io.fd = -1 };
	if (!name_split(dial->host, dial->port, address, PORT_DEFAULT)) {
		done(dial, -1, "not an address: host:port is");
		return;
	}
	dial->ask.found = found;
	dial->turn.fire = not_found;
	loop_arm(loop, &dial->turn, until_ms);
	names_ask(names, &dial->ask, dial->host, dial->port);
}

void dial_stop(struct dial *dial)
{
	if (!dial->names)
		return;
	names_forget(dial->names, &dial->ask);
	hang_up(dial);
}
