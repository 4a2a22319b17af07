/* server/wait.h -- polls that wait: suspended connections, found again by device, descriptor and time.
 *
 * A suspended connection is blind: libmicrohttpd watches neither its peer nor its age. So each has a sentinel here (its descriptor in
 * an epoll set of ours): a peer that left, or that sent its next request behind the waiting one, wakes it. One poll per device waits: a
 * newer one ends the older, so a stolen identity in use is noticed by its owner.
 *
 * No news is lost between looking and waiting: a call takes a mark, looks, and parks with that mark; when news came since, it looks again.
 *
 * Who was woken polls again at once, and to judge a poll takes several times as long as to answer one. So as long as answers to a wake are
 * still to go out, such polls wait for their turn unjudged, a second at most; then they are judged some at a time, so that others get
 * through in between. */
#pragma once

#include "crypto/key.h"

struct MHD_Connection;
struct wait;

enum wait_why { WAIT_NEWS, WAIT_TIME, WAIT_PEER, WAIT_REPLACED, WAIT_STOP, WAIT_TURN };

enum {
	TURN_WAIT_MS = 1000, /* how long a poll waits for its turn at most, and after a wake the next ones do at all */
	TURNS_AT_ONCE = 64,
};

/* Embedded in a call; all zero before the first park. */
struct waiter {
	char device[ID_LEN + 1];
	struct MHD_Connection *conn;
	int fd;
	uint64_t due_ms;   /* clock_mono_ms() */
	enum wait_why why; /* valid after it was woken */
	bool is_parked;
	uint32_t serial;
	struct waiter *next, **at;           /* those that are due in the same time */
	struct waiter *chain_next, **chain_at; /* those whose device falls into the same bucket */
	bool is_owed;  /* it was woken by news, and the answer has not gone out */
	bool has_turn; /* it waited for its turn, which is not over */
};

enum { WAIT_CHANGED = 1, WAIT_STOPPING = 2 };

int wait_new(struct wait **out, size_t fds, struct error *err) _must_check_;
struct wait *wait_free(struct wait *wait);

uint64_t wait_mark(struct wait *wait);

/* Suspends the connection until news, waiter->due_ms, or its peer; then the HTTP side calls the handler again. Returns 0 when parked;
 * WAIT_CHANGED when there was news since the mark, WAIT_STOPPING when the server stops (not parked in both cases). */
int wait_park(struct wait *wait, struct waiter *waiter, uint64_t mark, struct error *err) _must_check_;

/* May this poll, of which nothing is known yet but conn and fd, be judged now? Returns 1 when it may; 0 when it is suspended: then it is
 * called again, with WAIT_TURN (or WAIT_STOP). Nothing notices if its peer leaves meanwhile. */
int wait_turn(struct wait *wait, struct waiter *waiter);
/* The answer is out, or nobody is there any more to hear it. Does nothing for who was not woken. */
void wait_answered(struct wait *wait, struct waiter *waiter);

/* There is news for a device, or for all (NULL). */
void wait_news(struct wait *wait, const char *device);
/* Wakes all, and parks nobody any more. */
void wait_stop(struct wait *wait);
size_t wait_count(struct wait *wait);

/* It is this time now, clock_mono_ms() and never less than before: wakes those that are due. */
void wait_time(struct wait *wait, uint64_t now_ms);
/* One turn of the thread that minds the waiting: blocks at most timeout_ms. */
void wait_step(struct wait *wait, int timeout_ms);
