/* base/loop.h -- one thread, one epoll: descriptors, timers and signals become callbacks.
 *
 * Sources are embedded in what they serve and live as long as their owner says; removing one inside a callback is
 * safe, also of another source: its pending event is dropped. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct loop;

struct loop_fd {
	int fd;
	void (*ready)(struct loop_fd *io, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR as in epoll_ctl(2) */
	struct loop *loop;                                  /* NULL while not added */
};

struct loop_timer {
	uint64_t due_ms; /* clock_mono_ms() at which it fires; once */
	void (*fire)(struct loop_timer *timer);
	struct loop *loop; /* NULL while not armed */
	struct loop_timer *next;
};

int loop_new(struct loop **out, struct error *err) _must_check_;
struct loop *loop_free(struct loop *loop);

int loop_add_fd(struct loop *loop, struct loop_fd *io, uint32_t events, struct error *err) _must_check_;
void loop_change_fd(struct loop_fd *io, uint32_t events);
void loop_remove_fd(struct loop_fd *io); /* does not close; fine when not added */

void loop_arm(struct loop *loop, struct loop_timer *timer, uint64_t due_ms); /* re-arms an armed one */
void loop_disarm(struct loop_timer *timer);

/* Blocks these signals for the process and delivers them to fn instead. At most one set per loop. */
int loop_signals(struct loop *loop, const int *signals, size_t count, void (*fn)(void *ctx, int signal), void *ctx,
		 struct error *err) _must_check_;

/* Runs until loop_stop(); returns 0, or E_SYS. */
int loop_run(struct loop *loop, struct error *err) _must_check_;
void loop_stop(struct loop *loop);
