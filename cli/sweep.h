/* cli/sweep.h -- opens many revisions with all cores, and hands over in order what was made of them.
 *
 * Each worker has a connection and an opener of its own, on the one session; it fetches, verifies, opens, and makes something of the text.
 * Nothing else leaves it, and no worker is further ahead than SWEEP_AHEAD of what was handed over: what is in memory does not grow with the
 * fleet. */
#pragma once

#include "cli/fleet.h"

enum {
	SWEEP_WORKERS_PER_CORE = 4, /* most of the time they wait for the server */
	SWEEP_WORKERS_MAX = 32,
	SWEEP_AHEAD = 64,
};

struct sweep_item {
	const struct fleet_member *member;
	uint64_t number;     /* 0: the newest */
	bool is_none;        /* there is none to open */
	int64_t not_after_s; /* what the device says of its time must not be later; 0: any */
};

struct sweep {
	struct cli *cli; /* connected */
	const struct sweep_item *items;
	size_t count;
	void *ctx;
	/* In a worker: makes something of a revision. opened is NULL when there is none, or when it could not be opened: then why says it.
	 */
	void *(*make)(void *ctx, const struct sweep_item *item, const struct opened *opened, const struct error *why);
	/* In the caller's thread, in the order of the items: takes what was made. */
	int (*take)(void *ctx, size_t i, void *made, struct error *err);
	void (*drop)(void *made); /* what is never taken */
};

/* Shows its progress on a terminal. What says that somebody lies (E_SEAL), that the server is away or that the session ended, ends it; what
 * concerns one device is `why`. */
int sweep_run(const struct sweep *sweep, struct error *err) _must_check_;
