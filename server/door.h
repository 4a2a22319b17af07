/* server/door.h -- who comes in: takes connections, and passes on those whose client has said hello.
 *
 * In poll mode every connection that does not wait in a suspended call is looked at in each turn of its thread. So those that never
 * finish the first record of their handshake are kept here, in an epoll set, where they cost nothing; and one thread is woken for a new
 * connection, not all. */
#pragma once

#include "server/sweeper.h"

#include "base/error.h"

#include <sys/socket.h>

struct door;

struct door_calls {
	/* May one more come in, beside those that were passed on and these? While not, none is taken: they wait in the kernel. */
	bool (*has_room)(void *ctx, size_t held);
	/* Takes the descriptor over, which does not block. */
	void (*enter)(void *ctx, int fd, const struct sockaddr *from, socklen_t len);
	void *ctx;
};

/* Listens on "host:port". Returns the descriptor, which is the caller's. */
int door_listen(const char *address, struct error *err) _must_check_;

/* Starts the thread. listener: stays the caller's. fds: descriptors are below. Each connection has `seconds` from here on for all that
 * comes before its first request, by the sweeper; whoever gets it goes on with that deadline. */
int door_open(struct door **out, int listener, size_t fds, unsigned seconds, struct sweeper *sweeper, const struct door_calls *calls,
	      struct error *err) _must_check_;
/* Stops the thread; those that have not said hello are closed. */
struct door *door_close(struct door *door);

/* Is the first record there, or something that is none, so that the library may judge it? */
bool door_has_hello(int fd);
