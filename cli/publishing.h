/* cli/publishing.h -- from what somebody wants of policies to an order of kind `policy` for each device: the set that it was given last,
 * changed, shown, sealed, signed once and carried out. The end of publish, waive, unwaive and baseline. */
#pragma once

#include "cli/carry.h"
#include "cli/device-set.h"

enum { PUBLISHING_NOT = 1 }; /* answer of a change: this device is left out, and was told of, or has it already */

struct publishing {
	struct making orders;
	struct open_source source;
	bool is_anew; /* what was published before is not looked at */
	/* Changes the set of one device; what it points to must live until the next call. PUBLISHING_NOT: leave it out. */
	int (*change)(void *ctx, struct policy_set *set, const struct fleet_member *member, struct error *err);
	void *ctx;
	size_t as_wanted; /* devices that have it already */
};

/* Connects; E_DENIED when the operator may not order this. */
int publishing_begin(struct publishing *p, struct cli *cli, struct error *err) _must_check_;
/* Shows, asks, signs, posts and follows, for the devices that the list still has. Returns the exit status. */
int publishing_run(struct publishing *p, const struct args *args, const char *reason, const char *question, struct error *err) _must_check_;
void publishing_done(struct publishing *p);

/* "weos (24 rules), frr (16); 2 waivers; mode=commit; baseline 12" */
void publishing_text(struct buf *out, const struct policy_set *set);
/* All of it, as people read it before they agree; of the baseline only which it is, since its text holds secrets. */
void publishing_whole(struct buf *out, const struct policy_set *set);
/* "2026-12-01", a time, or a duration from now on. CLI_USAGE. */
int publishing_until(int64_t *out_s, const char *text, int64_t now_s, struct error *err) _must_check_;
