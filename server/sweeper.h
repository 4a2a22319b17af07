/* server/sweeper.h -- absolute deadlines of connections.
 *
 * The timeouts of libmicrohttpd are idle timeouts: one byte a second holds a connection for ever. So every open connection has a place
 * here, by its descriptor, and one whose time is up is shut down from outside; the HTTP side then sees it end. */
#pragma once

#include "base/bytes.h"

struct sweeper;

/* fds: one more than the highest descriptor there may be. */
struct sweeper *sweeper_new(size_t fds);
struct sweeper *sweeper_free(struct sweeper *sweeper);

/* Sets when (clock_mono_ms()) the connection with this descriptor ends; 0: not at all, also when it is closed. From any thread, while
 * the descriptor is open. */
void sweeper_set(struct sweeper *sweeper, int fd, uint64_t due_ms);

/* Shuts down what is overdue; returns how many. */
size_t sweeper_run(struct sweeper *sweeper, uint64_t now_ms);
