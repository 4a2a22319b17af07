/* server/sweeper.h -- absolute deadlines of connections, and dozing ones.
 *
 * The timeouts of libmicrohttpd are idle timeouts: one byte a second holds a connection for ever. So every open connection has a place
 * here, by its descriptor, and one whose time is up is shut down from outside; the HTTP side then sees it end.
 *
 * One that trickles costs more than its bytes: for each, a thread looks at all connections that it has. So it dozes: what comes from it
 * is looked at every DOZE_MS, together with that of all others that do. */
#pragma once

#include "base/bytes.h"

enum { DOZE_MS = 3000 };

struct sweeper;

/* fds: one more than the highest descriptor there may be. */
struct sweeper *sweeper_new(size_t fds);
struct sweeper *sweeper_free(struct sweeper *sweeper);

/* Sets when (clock_mono_ms()) the connection with this descriptor ends; 0: not at all, also when it is closed. It does not doze any more.
 * From any thread, while the descriptor is open. */
void sweeper_set(struct sweeper *sweeper, int fd, uint64_t due_ms);

/* Until sweeper_run() has it looked at, it passes for silent, unless it ends or very much has come (SO_RCVLOWAT of socket(7)). */
void sweeper_doze(struct sweeper *sweeper, int fd);

/* Shuts down what is overdue; returns how many. Every DOZE_MS, wakes what dozes. */
size_t sweeper_run(struct sweeper *sweeper, uint64_t now_ms);
