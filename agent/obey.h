/* agent/obey.h -- a device's orders: those that were brought wait in a queue, one at a time is carried out, each ends in a receipt.
 *
 * A poll brings them (agent/news.h); whatever has to be seen of the device first is seen by the duty's next look, and everything that it
 * shows is recorded before an order begins. While one is in hand, commit-to-startup does nothing. The judging is agent/orders.h's, the
 * sequence of steps agent/change.h's; here both meet the device, the disk and the network. */
#pragma once

#include "agent/change.h"
#include "agent/health.h"
#include "agent/orders.h"

enum {
	OBEY_QUEUE_MAX = 8,
	OBEY_PATIENCE_MS = 60000, /* for a device that does not answer, before an order that needs it is refused */
	OBEY_LOOK_MS = 1000,      /* between two looks while an order is in hand */
	OBEY_AGAIN_MS = 5000,     /* what the disk refused */
	OBEY_CHECKS = 3,          /* times that a check may end with the death of the process that makes it */
};

struct obey_member {
	uint64_t number; /* of its newest receipt about this batch; 0: none yet */
	bool is_healthy;
	char outcome[32];
};

struct obey {
	struct {
		struct orders_item item;
		uint64_t since_ms;
		unsigned checks;
	} queue[OBEY_QUEUE_MAX]; /* lowest number first */
	size_t count;
	bool is_checking; /* the one with this leaf is with apply, for its syntax */
	uint8_t checking[HASH_LEN];
	struct buf text;  /* the payload, opened, of what is checked or applied */

	struct change change;
	struct health health;
	struct obey_member members[ORDER_MEMBERS_MAX]; /* in the order of the statement */
	bool wants_snapshot;

	uint64_t answered_since_ms[2]; /* an hour of receipts: for forgeries; for what is signed and does not count */
	unsigned answered[2];
	char trouble[200]; /* why a good order waits; "" */
};

/* Goes on with what was in hand when the agent ended. */
int obey_start(struct duty *d, struct error *err) _must_check_;
void obey_stop(struct duty *d);

/* A poll brought an order; taken over. True when it was new. */
bool obey_brought(struct duty *d, struct orders_item *item);
/* ... or a receipt of another member of the group. True when it was new. */
bool obey_heard(struct duty *d, const struct statement *receipt);

/* After a whole look, everything of it recorded or not. True: orders are the concern now, and not commit-to-startup. */
bool obey_act(struct duty *d, bool is_recorded, const char *why);
/* There was no whole look. */
void obey_unseen(struct duty *d, const char *why);
void obey_restarted(struct duty *d);
/* Answers of apply, and its death. */
void obey_checked(struct duty *d, const struct error *failure);
void obey_applied(struct duty *d, const struct error *failure, const uint8_t running[static APPLY_DIGEST_LEN]);
void obey_showed(struct duty *d, const struct error *failure, struct bytes said);
void obey_changed(struct duty *d, enum ipc_kind kind, const struct error *failure);
void obey_lost(struct duty *d, enum ipc_kind asked);
/* A round of agent/health.h is over. */
void obey_proved(struct duty *d, uint64_t began_ms, const char *why);

bool obey_is_busy(const struct duty *d);
bool obey_is_waiting(const struct duty *d); /* for its group */
/* Why a snapshot of what runs now is due: "order", or NULL for no reason of ours. */
const char *obey_reason(const struct duty *d, bool running_differs);
void obey_recorded(struct duty *d); /* a snapshot was made */
/* One line for `holdfast-agent status` and for notes; "" when there is nothing to say. */
void obey_say(char *out, size_t size, const struct duty *d);
