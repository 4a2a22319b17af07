/* agent/obey.h -- a device's orders: those that were brought wait in a queue, one at a time is carried out, each ends in a receipt.
 *
 * A poll brings them (agent/news.h); whatever has to be seen of the device first is seen by the duty's next look, and everything that it
 * shows is recorded before an order begins. While one is in hand, commit-to-startup does nothing. The judging is agent/orders.h's, the
 * sequence of steps agent/change.h's, or agent/erase.h's; here they meet the device, the disk and the network. */
#pragma once

#include "agent/change.h"
#include "agent/erase.h"
#include "agent/fetch.h"
#include "agent/health.h"
#include "agent/orders.h"
#include "agent/upgrade.h"

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

	struct erase erase;     /* open: the order in hand is one that erases, and change is not */
	struct upgrade upgrade; /* likewise: one that gives it other firmware */
	struct fetch fetch;
	bool is_seeing; /* what apply was asked for is what runs, and not a step */
	struct loop_timer tick; /* when its machine has to be asked again */
	uint64_t polled_ms;     /* a poll that began before says too little */

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

/* ... or decisions about a batch: they count for an order that erases and waits for its time, and for an upgrade of which the device was
 * given nothing yet. True when they were new. */
bool obey_controls(struct duty *d, const struct orders_batch *brought);
/* A poll that began then was answered, and what it brought was taken. */
void obey_polled(struct duty *d, uint64_t began_ms);
/* The archive has more of our statements. */
void obey_acknowledged(struct duty *d);

/* After a whole look, everything of it recorded or not. True: orders are the concern now, and not commit-to-startup. */
bool obey_act(struct duty *d, bool is_recorded, const char *why);
/* There was no whole look. */
void obey_unseen(struct duty *d, const char *why);
void obey_restarted(struct duty *d);
/* Does what comes next for the order in hand, until something has to be waited for. */
void obey_drive(struct duty *d);
/* Answers of apply, and its death. */
void obey_checked(struct duty *d, const struct error *failure);
void obey_applied(struct duty *d, const struct error *failure, const uint8_t running[static APPLY_DIGEST_LEN]);
void obey_showed(struct duty *d, const struct error *failure, struct bytes said);
void obey_erased(struct duty *d, const struct error *failure, const struct apply_erased *answer); /* answer: NULL by its death */
void obey_changed(struct duty *d, enum ipc_kind kind, const struct error *failure);
void obey_lost(struct duty *d, enum ipc_kind asked);
/* A round of agent/health.h is over. */
void obey_proved(struct duty *d, uint64_t began_ms, const char *why);

void obey_upgraded(struct duty *d, const struct error *failure, const struct device_images *seen); /* seen: NULL but for SEE */
/* The image is here: code 0; or is not what was signed. */
void obey_fetched(struct duty *d, const struct error *result);
/* The order in hand; NULL: there is none whose probes could be asked. */
const struct statement *obey_order(const struct duty *d);

/* Did an order begin to erase the device? Then nobody looks at it any more. */
bool obey_is_erasing(const struct duty *d);
/* Was the device's last receipt made? Then nothing may follow it, and no status is said. */
bool obey_is_over(const struct duty *d);
/* Does an order wait for the answer to a poll? Then the next one must not wait for news. */
bool obey_wants_poll(const struct duty *d);
bool obey_is_changing(const struct duty *d); /* then what is saved or returned to is its concern */
bool obey_is_busy(const struct duty *d);     /* one is in hand, of whatever kind */
bool obey_is_waiting(const struct duty *d); /* for its group */
/* Why a snapshot of what runs now is due: "order", or NULL for no reason of ours. */
const char *obey_reason(const struct duty *d, bool running_differs);
void obey_recorded(struct duty *d); /* a snapshot was made */
/* What must be said before the keys go could not be written: later. */
void obey_unretired(struct duty *d, const struct error *err);
/* One line for `holdfast-agent status` and for notes; "" when there is nothing to say. */
void obey_say(char *out, size_t size, const struct duty *d);
