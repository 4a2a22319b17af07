/* server/door.c -- who comes in: takes connections, and passes on those whose client has said hello. */
#include "server/door.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fs.h"
#include "server/settings.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	BACKLOG = 4096,
	EVENTS_AT_ONCE = 256,
	TAKEN_AT_ONCE = 64,
	PAUSE_MS = 50,           /* how long until there may be room again */
	HANDSHAKE = 22,          /* RFC 8446, 5.1 */
	RECORD_HEAD = 5,
	RECORD_MAX = 16384 + 256,
	COUNTERS = 4096,
	PER_ADDRESS_MAX = 1024,  /* as of those that said hello: a NAT may hide many devices */
};

struct door {
	int listener, epoll, stop; /* stop: an eventfd(2) */
	size_t fds;
	unsigned seconds;
	struct sweeper *sweeper;
	struct door_calls calls;
	pthread_t thread;
	bool is_paused;
	uint8_t seed[crypto_shorthash_KEYBYTES];
	uint16_t from[COUNTERS]; /* how many of an address are held */
	size_t held_count;
	uint16_t held[]; /* by descriptor: came in, and has not said hello: one more than the counter of its address; 0: is not held */
};

bool door_has_hello(int fd)
{
	uint8_t head[RECORD_HEAD];
	ssize_t n = recv(fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);
	size_t len;
	int there = 0;

	if (n < 1)
		return false;
	if (head[0] != HANDSHAKE)
		return true;
	if (n < RECORD_HEAD)
		return false;
	len = (size_t)head[3] << 8 | head[4];
	return len > RECORD_MAX || ioctl(fd, FIONREAD, &there) < 0 || (size_t)there >= RECORD_HEAD + len;
}

/* Which counter an address has. Two may share one: then they share the bound. */
static uint16_t counter_of(const struct door *d, const struct sockaddr_storage *from)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	bool is_v6 = from->ss_family == AF_INET6;
	/* who has an IPv6 address has a whole /64; an IPv4 one is in the last bytes of a mapped one */
	bool is_mapped = is_v6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
	const uint8_t *bytes = is_mapped ? v6->sin6_addr.s6_addr + 12 : is_v6 ? v6->sin6_addr.s6_addr : (const uint8_t *)&v4->sin_addr;
	uint8_t hash[crypto_shorthash_BYTES];

	crypto_shorthash(hash, bytes, is_v6 && !is_mapped ? 8 : 4, d->seed);
	return (uint16_t)((hash[0] << 8 | hash[1]) % COUNTERS);
}

static void release(struct door *d, int fd)
{
	d->from[d->held[fd] - 1]--;
	d->held[fd] = 0;
	d->held_count--;
}

static void drop(struct door *d, int fd)
{
	sweeper_set(d->sweeper, fd, 0);
	close(fd);
}

static void hold(struct door *d, int fd, const struct sockaddr_storage *from)
{
	/* each time more comes, not as long as something is there */
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd };
	uint16_t counter = counter_of(d, from);

	if (d->from[counter] == PER_ADDRESS_MAX || epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		drop(d, fd);
		return;
	}
	d->from[counter]++;
	d->held[fd] = (uint16_t)(counter + 1);
	d->held_count++;
}

static void watch_listener(struct door *d, bool on)
{
	struct epoll_event event = { .events = on ? EPOLLIN : 0, .data.fd = d->listener };

	(void)!epoll_ctl(d->epoll, EPOLL_CTL_MOD, d->listener, &event);
	d->is_paused = !on;
}

/* False: no more for now. */
static bool take_one(struct door *d)
{
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof(from);
	int fd;

	if (!d->calls.has_room(d->calls.ctx, d->held_count)) {
		watch_listener(d, false);
		return false;
	}
	fd = accept4(d->listener, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			watch_listener(d, false);
		return errno == ECONNABORTED || errno == EINTR;
	}
	sweeper_set(d->sweeper, fd, clock_mono_ms() + (uint64_t)d->seconds * 1000);
	if (door_has_hello(fd))
		d->calls.enter(d->calls.ctx, fd, (const struct sockaddr *)&from, len);
	else
		hold(d, fd, &from);
	return true;
}

static void take(struct door *d)
{
	for (size_t i = 0; i < TAKEN_AT_ONCE; i++)
		if (!take_one(d))
			return;
}

static void look(struct door *d, int fd, uint32_t events)
{
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof(from);
	bool is_ready;

	if (!d->held[fd])
		return;
	is_ready = door_has_hello(fd);
	if (!is_ready && !(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
		return;
	epoll_ctl(d->epoll, EPOLL_CTL_DEL, fd, NULL);
	release(d, fd);
	if (is_ready && getpeername(fd, (struct sockaddr *)&from, &len) == 0)
		d->calls.enter(d->calls.ctx, fd, (const struct sockaddr *)&from, len);
	else
		drop(d, fd);
}

static void *serve_door(void *ctx)
{
	struct door *d = ctx;

	for (;;) {
		struct epoll_event events[EVENTS_AT_ONCE];
		int n = epoll_wait(d->epoll, events, EVENTS_AT_ONCE, d->is_paused ? PAUSE_MS : -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == d->stop)
				return NULL;
			if (events[i].data.fd == d->listener)
				take(d);
			else
				look(d, events[i].data.fd, events[i].events);
		}
		if (d->is_paused && d->calls.has_room(d->calls.ctx, d->held_count))
			watch_listener(d, true);
	}
}

int door_listen(const char *address, struct error *err)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *found = NULL;
	_cleanup_(fd_closep) int fd = -1;
	char host[SETTINGS_ADDRESS_MAX], port_text[8];
	int on = 1, off = 0, r;
	unsigned port;

	if (settings_split(host, &port, address, err) < 0)
		return err->code;
	snprintf(port_text, sizeof(port_text), "%u", port);
	r = getaddrinfo(host, port_text, &hints, &found);
	if (r != 0)
		return error_set(err, E_FORMAT, "cannot listen on '%s': %s", address, gai_strerror(r));
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &on, sizeof(on)); /* who says nothing at first is not even accepted */
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)); /* accepted ones inherit it: dead peers of waiting polls show */
		if (found->ai_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	}
	r = fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0;
	if (r)
		error_sys(err, "cannot listen on '%s'", address);
	else /* listen() would undo it. Accepted ones inherit it: what answers a client's hello confirms it too */
		setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
	freeaddrinfo(found);
	if (r)
		return err->code;
	r = fd;
	fd = -1;
	return r;
}

int door_open(struct door **out, int listener, size_t fds, unsigned seconds, struct sweeper *sweeper, const struct door_calls *calls,
	      struct error *err)
{
	struct door *d = mem_alloc(sizeof(*d) + fds * sizeof(d->held[0]));
	struct epoll_event event = { .events = EPOLLIN, .data.fd = listener }, end = { .events = EPOLLIN };
	int r = 0;

	d->listener = listener;
	d->fds = fds;
	d->seconds = seconds;
	d->sweeper = sweeper;
	d->calls = *calls;
	randombytes_buf(d->seed, sizeof(d->seed));
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	d->stop = end.data.fd = eventfd(0, EFD_CLOEXEC);
	if (d->epoll < 0 || d->stop < 0 || epoll_ctl(d->epoll, EPOLL_CTL_ADD, listener, &event) < 0 ||
	    epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->stop, &end) < 0)
		r = error_sys(err, "cannot watch for connections");
	if (r == 0 && (errno = pthread_create(&d->thread, NULL, serve_door, d)) != 0)
		r = error_sys(err, "cannot start a thread");
	if (r < 0) {
		fd_closep(&d->epoll);
		fd_closep(&d->stop);
		free(d);
		return r;
	}
	*out = d;
	return 0;
}

struct door *door_close(struct door *d)
{
	if (!d)
		return NULL;
	(void)!eventfd_write(d->stop, 1);
	pthread_join(d->thread, NULL);
	for (size_t fd = 0; fd < d->fds; fd++)
		if (d->held[fd])
			drop(d, (int)fd);
	close(d->epoll);
	close(d->stop);
	free(d);
	return NULL;
}
