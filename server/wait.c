/* server/wait.c -- polls that wait: suspended connections, found again by device, descriptor and time. */
#include "server/wait.h"

#include "base/clock.h"
#include "base/fs.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	BUCKETS = 8192,
	EVENTS_AT_ONCE = 256,
	/* times lie on a wheel, so that a step looks at those that are due and not at ten thousand: who waits longer than a turn of the
	 * wheel, 17 minutes, is looked at once in each */
	TICK_MS = 256,
	TICKS = 4096,
};

struct wait {
	pthread_mutex_t lock; /* guards all below; taken before libmicrohttpd's own, never the other way round */
	int epoll;
	atomic_ullong mark; /* changed with the lock */
	uint32_t serial;
	bool stopping;
	atomic_size_t count; /* changed with the lock */
	atomic_size_t owed;  /* answers to those that news woke; 1 more while news wake them */
	atomic_ullong owed_until_ms;
	struct waiter *held, **held_end; /* those that wait for their turn, the first to come first */
	size_t turns; /* of those that did, and are in hand */
	size_t fds;
	uint64_t tick; /* of the step before: nothing that is due lies before it */
	struct waiter *wheel[TICKS];
	struct waiter *buckets[BUCKETS];
	struct waiter *by_fd[];
};

int wait_new(struct wait **out, size_t fds, struct error *err)
{
	struct wait *w;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0)
		return error_sys(err, "cannot make an epoll set");
	w = mem_alloc(sizeof(*w) + fds * sizeof(w->by_fd[0]));
	w->epoll = epoll;
	w->fds = fds;
	w->tick = clock_mono_ms() / TICK_MS;
	w->held_end = &w->held;
	pthread_mutex_init(&w->lock, NULL);
	*out = w;
	return 0;
}

struct wait *wait_free(struct wait *w)
{
	if (!w)
		return NULL;
	assert(!w->count && !w->held);
	close(w->epoll);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return NULL;
}

uint64_t wait_mark(struct wait *w)
{
	return w->mark;
}

/* An id is base32 of a hash: its first characters are evenly spread. */
static struct waiter **bucket_of(struct wait *w, const char *device)
{
	uint32_t n = 0;

	for (size_t i = 0; i < 4 && device[i]; i++)
		n = n * 32 + (uint32_t)(device[i] & 31);
	return &w->buckets[n % BUCKETS];
}

static struct waiter **tick_of(struct wait *w, uint64_t due_ms)
{
	uint64_t tick = due_ms / TICK_MS;

	return &w->wheel[(tick > w->tick ? tick : w->tick) % TICKS];
}

static void link_in(struct wait *w, struct waiter *p)
{
	struct waiter **bucket = bucket_of(w, p->device), **tick = tick_of(w, p->due_ms);

	p->next = *tick;
	p->at = tick;
	if (p->next)
		p->next->at = &p->next;
	*tick = p;
	p->chain_next = *bucket;
	p->chain_at = bucket;
	if (p->chain_next)
		p->chain_next->chain_at = &p->chain_next;
	*bucket = p;
	w->by_fd[p->fd] = p;
	w->count++;
}

static void unlink_from(struct wait *w, struct waiter *p)
{
	*p->at = p->next;
	if (p->next)
		p->next->at = p->at;
	*p->chain_at = p->chain_next;
	if (p->chain_next)
		p->chain_next->chain_at = p->chain_at;
	w->by_fd[p->fd] = NULL;
	w->count--;
}

/* With the lock held. The call may be gone as soon as its connection is resumed: nothing touches p afterwards. */
static void wake(struct wait *w, struct waiter *p, enum wait_why why)
{
	unlink_from(w, p);
	epoll_ctl(w->epoll, EPOLL_CTL_DEL, p->fd, NULL);
	p->is_parked = false;
	p->why = why;
	p->is_owed = why == WAIT_NEWS;
	w->owed += p->is_owed;
	MHD_resume_connection(p->conn);
}

static void wake_device(struct wait *w, const char *device, enum wait_why why)
{
	struct waiter *next;

	for (struct waiter *p = *bucket_of(w, device); p; p = next) {
		next = p->chain_next;
		if (!strcmp(p->device, device))
			wake(w, p, why);
	}
}

static void wake_all(struct wait *w, enum wait_why why)
{
	for (size_t i = 0; i < TICKS && w->count; i++)
		while (w->wheel[i])
			wake(w, w->wheel[i], why);
}

static int park(struct wait *w, struct waiter *p, struct error *err)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT };

	p->serial = ++w->serial;
	/* descriptors are used again, so an event names the stay as well, not the waiter's address */
	ev.data.u64 = (uint64_t)p->serial << 32 | (uint32_t)p->fd;
	if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, p->fd, &ev) < 0)
		return error_sys(err, "cannot watch a waiting connection");
	wake_device(w, p->device, WAIT_REPLACED);
	p->is_parked = true;
	link_in(w, p);
	MHD_suspend_connection(p->conn);
	return 0;
}

int wait_park(struct wait *w, struct waiter *p, uint64_t mark, struct error *err)
{
	int r;

	assert(p->fd >= 0 && (size_t)p->fd < w->fds && !p->is_parked);
	wait_answered(w, p); /* it goes on waiting: nothing was to be said */
	pthread_mutex_lock(&w->lock);
	r = w->stopping ? WAIT_STOPPING : w->mark != mark ? WAIT_CHANGED : park(w, p, err);
	pthread_mutex_unlock(&w->lock);
	return r;
}

/* ---- turns ---- */

/* With the lock held. The next few, when none of those before is in hand any more; whoever has waited too long, and when we stop, all. */
static void give_turns(struct wait *w, uint64_t now_ms)
{
	bool may = !w->turns && (!w->owed || now_ms >= w->owed_until_ms);
	struct waiter *p;

	for (size_t n = 0; (p = w->held) != NULL; n++) {
		if (!w->stopping && p->due_ms > now_ms && !(may && n < TURNS_AT_ONCE))
			return;
		w->held = p->next;
		if (!w->held)
			w->held_end = &w->held;
		p->why = w->stopping ? WAIT_STOP : WAIT_TURN;
		p->has_turn = true;
		w->turns++;
		MHD_resume_connection(p->conn);
	}
}

int wait_turn(struct wait *w, struct waiter *p)
{
	uint64_t now_ms = clock_mono_ms();
	bool now;

	if (!w->owed || now_ms >= w->owed_until_ms)
		return 1;
	pthread_mutex_lock(&w->lock);
	now = w->stopping || !w->owed; /* the last of them may have gone out since: then nobody would give us our turn */
	if (!now) {
		p->due_ms = now_ms + TURN_WAIT_MS;
		p->next = NULL;
		*w->held_end = p;
		w->held_end = &p->next;
		MHD_suspend_connection(p->conn);
	}
	pthread_mutex_unlock(&w->lock);
	return now;
}

void wait_answered(struct wait *w, struct waiter *p)
{
	bool was_owed = p->is_owed, had_turn = p->has_turn;
	bool was_last = was_owed && atomic_fetch_sub(&w->owed, 1) == 1;

	p->is_owed = p->has_turn = false;
	if (!was_last && !had_turn)
		return;
	pthread_mutex_lock(&w->lock);
	w->turns -= had_turn;
	give_turns(w, clock_mono_ms());
	pthread_mutex_unlock(&w->lock);
}

/* ---- news ---- */

void wait_news(struct wait *w, const char *device)
{
	struct waiter waking = { .is_owed = true };

	pthread_mutex_lock(&w->lock);
	w->owed++; /* or the first answers could be out before the last are owed */
	w->owed_until_ms = clock_mono_ms() + TURN_WAIT_MS;
	w->mark++;
	if (device)
		wake_device(w, device, WAIT_NEWS);
	else
		wake_all(w, WAIT_NEWS);
	pthread_mutex_unlock(&w->lock);
	wait_answered(w, &waking);
}

void wait_stop(struct wait *w)
{
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	wake_all(w, WAIT_STOP);
	give_turns(w, 0);
	pthread_mutex_unlock(&w->lock);
}

size_t wait_count(struct wait *w)
{
	return w->count;
}

/* With the lock held. */
static void wake_overdue(struct wait *w, uint64_t now_ms)
{
	uint64_t now = now_ms / TICK_MS, first = now - w->tick < TICKS ? w->tick : now - TICKS + 1;
	struct waiter *next;

	for (uint64_t tick = first; tick <= now; tick++) {
		for (struct waiter *p = w->wheel[tick % TICKS]; p; p = next) {
			next = p->next;
			if (p->due_ms <= now_ms)
				wake(w, p, WAIT_TIME);
		}
	}
	w->tick = now;
}

void wait_step(struct wait *w, int timeout_ms)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(w->epoll, events, EVENTS_AT_ONCE, timeout_ms);

	pthread_mutex_lock(&w->lock);
	for (int i = 0; i < n; i++) {
		struct waiter *p = w->by_fd[(uint32_t)events[i].data.u64];

		if (p && p->serial == events[i].data.u64 >> 32)
			wake(w, p, WAIT_PEER);
	}
	pthread_mutex_unlock(&w->lock);
	wait_time(w, clock_mono_ms());
}

void wait_time(struct wait *w, uint64_t now_ms)
{
	pthread_mutex_lock(&w->lock);
	wake_overdue(w, now_ms);
	give_turns(w, now_ms);
	pthread_mutex_unlock(&w->lock);
}
