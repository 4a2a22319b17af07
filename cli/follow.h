/* cli/follow.h -- follows a rollout until it is over and nothing of it can be in hand any more, or the operator has seen enough: it goes on
 * without anybody who looks.
 *
 * On a terminal a table of the waves, drawn anew in its place; elsewhere a line for each change. Both on standard error. */
#pragma once

#include "cli/fleet.h"
#include "cli/rollout.h"

enum { FOLLOW_INTERRUPTED = 1, FOLLOW_TIMEOUT = 2, FOLLOW_WAITS = 3 };

struct follow {
	struct cli *cli;
	struct rollout *rollout; /* kept up to date */
	int64_t timeout_s;       /* 0: none */
	bool ends_waiting;       /* not enough people agreed: FOLLOW_WAITS instead of waiting for them */
};

/* Returns 0 when it is over; then the receipts are verified. */
int follow(struct follow *f, struct error *err) _must_check_;

/* What became of it, device by device, on standard output. only_failed: of those that failed. */
int follow_print(const struct rollout *r, bool only_failed, struct error *err) _must_check_;
/* The same as JSON: {"kind": kind, ...}. */
int follow_print_json(const struct rollout *r, const struct root *root, const char *kind, struct error *err) _must_check_;
/* The exit status for it: 0 all done, 9 partial or stopped, 7 when one device alone refused because somebody was in the way, 3 when one
 * alone failed otherwise. */
int follow_status(const struct rollout *r);
