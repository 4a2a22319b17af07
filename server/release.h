/* server/release.h -- where a batch stands: computed from what was signed, what was answered, and the time; nothing else. So a restart or a
 * new index gives the same. The server can hold orders back; it cannot make one, nor agree to one (docs/explanation/orders.md). */
#pragma once

#include "repo/repo.h"

enum release_state {
	RELEASE_COLLECTING, /* orders are missing */
	RELEASE_WAITING,    /* for people to agree */
	RELEASE_RUNNING,
	RELEASE_PAUSED,
	RELEASE_STOPPED, /* more failures than its limit: what is not given out yet is not given out any more */
	RELEASE_ABORTED,
	RELEASE_EXPIRED,
	RELEASE_DONE, /* every order has its last receipt */
};
enum { RELEASE_STATES = RELEASE_DONE + 1 };
const char *release_state_name(enum release_state state);
bool release_state_parse(enum release_state *out, const char *name);
/* Nothing of it is given out any more. What was given out before may still be answered, so it may become done. */
bool release_state_is_over(enum release_state state);

/* Who agrees, by the root in force. Pauses and aborts hold whoever said them; an approval counts while the person's key does, since that is
 * how a device judges it. */
struct release_consent {
	struct consent consent;
	bool is_signed; /* the author may order this */
};
/* What was decided about a batch, in the order of the log: archived, so each was verified in its time. */
struct release_controls {
	struct statement **list;
	size_t count;
};
/* One behind the other, as the repository gives them. */
int release_controls_parse(struct release_controls *out, struct bytes rest, struct error *err) _must_check_;
void release_controls_done(struct release_controls *controls);
void release_count(struct release_consent *out, const struct statement *batch, const struct release_controls *controls,
		   const struct root *root);
/* Appends the controls that a device needs: of each person who is counted the newest approval. */
void release_approvals(struct buf *out, const struct statement *batch, const struct release_controls *controls, const struct root *root);

/* Appends what a device has to know that waits with an order to erase it: of each person the newest approve, reject or withdraw, and
 * aborts. False: they only approve, as when it was given out. */
bool release_decisions(struct buf *out, const struct release_controls *controls);

struct release {
	enum release_state state;
	size_t waves;          /* how many had their turn */
	bool is_open;          /* their orders are given out now */
	const char *waits_for; /* "not-before", "window", "soak", or "": people, devices, nothing */
	uint32_t released, settled, done, failed; /* orders */
	int64_t due_s; /* when time alone may change any of this; 0: never */
};
void release_judge(struct release *out, const struct statement *batch, const struct repo_batch *counts,
		   const struct release_consent *consent, int64_t now_s);
