/* base/loop.c -- one thread, one epoll: descriptors, timers and signals become callbacks. */
#include "base/loop.h"

#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EVENTS_MAX = 32 };

struct loop {
	int epoll;
	bool stopped;
	struct loop_timer *timers; /* sorted by due_ms: a process has a handful */
	struct epoll_event events[EVENTS_MAX];
	int event_count; /* of the batch in hand, so that a removed source's event can be dropped */
	struct loop_fd signal_io;
	void (*signal_fn)(void *ctx, int signal);
	void *signal_ctx;
};

int loop_new(struct loop **out, struct error *err)
{
	struct loop *loop = mem_alloc(sizeof(*loop));

	loop->signal_io.fd = -1;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		free(loop);
		return error_sys(err, "cannot make an epoll");
	}
	*out = loop;
	return 0;
}

struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	fd_closep(&loop->signal_io.fd);
	fd_closep(&loop->epoll);
	free(loop);
	return NULL;
}

int loop_add_fd(struct loop *loop, struct loop_fd *io, uint32_t events, struct error *err)
{
	struct epoll_event ev = { .events = events, .data.ptr = io };

	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, io->fd, &ev) < 0)
		return error_sys(err, "cannot watch descriptor %d", io->fd);
	io->loop = loop;
	return 0;
}

void loop_change_fd(struct loop_fd *io, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = io };

	if (io->loop)
		epoll_ctl(io->loop->epoll, EPOLL_CTL_MOD, io->fd, &ev);
}

void loop_remove_fd(struct loop_fd *io)
{
	struct loop *loop = io->loop;

	if (!loop)
		return;
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, io->fd, NULL);
	for (int i = 0; i < loop->event_count; i++)
		if (loop->events[i].data.ptr == io)
			loop->events[i].data.ptr = NULL;
	io->loop = NULL;
}

void loop_disarm(struct loop_timer *timer)
{
	if (!timer->loop)
		return;
	for (struct loop_timer **at = &timer->loop->timers; *at; at = &(*at)->next) {
		if (*at == timer) {
			*at = timer->next;
			break;
		}
	}
	timer->loop = NULL;
	timer->next = NULL;
}

void loop_arm(struct loop *loop, struct loop_timer *timer, uint64_t due_ms)
{
	struct loop_timer **at = &loop->timers;

	loop_disarm(timer);
	timer->due_ms = due_ms;
	timer->loop = loop;
	while (*at && (*at)->due_ms <= due_ms)
		at = &(*at)->next;
	timer->next = *at;
	*at = timer;
}

static void signal_ready(struct loop_fd *io, uint32_t events _unused_)
{
	struct loop *loop = container_of(io, struct loop, signal_io);
	struct signalfd_siginfo info;

	while (read(io->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		loop->signal_fn(loop->signal_ctx, (int)info.ssi_signo);
}

int loop_signals(struct loop *loop, const int *signals, size_t count, void (*fn)(void *ctx, int signal), void *ctx,
		 struct error *err)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < count; i++)
		sigaddset(&set, signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return error_sys(err, "cannot block signals");
	loop->signal_io.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop->signal_io.fd < 0)
		return error_sys(err, "cannot make a signalfd");
	loop->signal_io.ready = signal_ready;
	loop->signal_fn = fn;
	loop->signal_ctx = ctx;
	return loop_add_fd(loop, &loop->signal_io, EPOLLIN, err);
}

static void fire_due(struct loop *loop)
{
	uint64_t now = clock_mono_ms();

	while (!loop->stopped && loop->timers && loop->timers->due_ms <= now) {
		struct loop_timer *timer = loop->timers;

		loop_disarm(timer);
		timer->fire(timer);
	}
}

static int wait_ms(const struct loop *loop)
{
	uint64_t now = clock_mono_ms();

	if (!loop->timers)
		return -1;
	if (loop->timers->due_ms <= now)
		return 0;
	if (loop->timers->due_ms - now > 3600000)
		return 3600000;
	return (int)(loop->timers->due_ms - now);
}

int loop_run(struct loop *loop, struct error *err)
{
	loop->stopped = false;
	while (!loop->stopped) {
		int n = epoll_wait(loop->epoll, loop->events, EVENTS_MAX, wait_ms(loop));

		if (n < 0 && errno != EINTR)
			return error_sys(err, "cannot wait for events");
		loop->event_count = n < 0 ? 0 : n;
		for (int i = 0; i < loop->event_count && !loop->stopped; i++) {
			struct loop_fd *io = loop->events[i].data.ptr;

			if (io)
				io->ready(io, loop->events[i].events);
		}
		loop->event_count = 0;
		fire_due(loop);
	}
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}
