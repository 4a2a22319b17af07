/* server/deliver.h -- what of its orders a device's poll gets, and how often the same is given again.
 *
 * An order is given out until the device's status says that it took note of it, and a group's receipts as long as a member waits. A device
 * that cannot take note yet would be answered at once, time and again; so what was given before is given again only after a while, which
 * grows. That it is given again at all mends a lost answer. */
#pragma once

#include "server/rollouts.h"
#include "server/wait.h"

enum {
	DELIVER_ORDERS_MAX = 8,
	DELIVER_BYTES_MAX = CONTAINER_MAX - STATEMENT_MAX, /* of a whole answer, but for the checkpoint: an agent takes 8 MiB */
};

struct deliveries;
/* Reads for which devices there are orders at all: of the others nobody need ask the archive. wait: where devices are woken. */
int deliveries_new(struct deliveries **out, struct repo *repo, struct wait *wait, struct error *err) _must_check_;
struct deliveries *deliveries_free(struct deliveries *d);
/* From the journal thread: an order for this device was taken, and the archive knows it. */
void deliveries_note(struct deliveries *d, const char *device);
/* The archive has something for this device now: a rollouts_wake_fn. */
void deliveries_wake(void *deliveries, const char *device);

/* What there is for one device now. */
struct delivery {
	size_t count;
	struct delivery_order {
		char batch[ID_LEN + 1];
		uint32_t wave;
	} orders[DELIVER_ORDERS_MAX]; /* by number */
	struct buf news; /* for a member that waits: receipts of its group; for one that is to be erased, or fetches an image: what people
			    decided since */
	bool is_asked;           /* a device asks, without waiting, what was decided, before it erases itself: it is told each time */
	uint8_t print[HASH_LEN]; /* the same for the same */
};
/* The open orders of one device or of all (NULL), for who only wants to know how many a device would be given. */
struct pending;
int pending_new(struct pending **out, struct repo *repo, struct rollouts *rollouts, const char *device, struct error *err) _must_check_;
struct pending *pending_free(struct pending *pending);
void pending_freep(struct pending **pending);
unsigned pending_count(const struct pending *pending, const struct repo_device *device);

/* noted: the order up to which the device's status takes note; is_waiting: it asked to wait. Afterwards delivery_done(). */
int deliver_look(struct delivery *out, struct deliveries *d, struct repo *repo, struct rollouts *rollouts, const char *device,
		 uint64_t noted, bool is_waiting, struct error *err) _must_check_;
void delivery_done(struct delivery *delivery);
bool delivery_is_empty(const struct delivery *delivery);

/* When is this to be given (again)? 0: now. For an empty one what was given before is forgotten. */
uint64_t deliver_when_ms(struct deliveries *d, const char *device, const struct delivery *delivery, uint64_t now_ms);
/* Appends it: each batch with its approvals, its orders with what they bring, the group's receipts; until out has DELIVER_BYTES_MAX, but at
 * least one order. */
int deliver(struct buf *out, struct deliveries *d, const struct delivery *delivery, struct repo *repo, struct rollouts *rollouts,
	    const char *device, uint64_t now_ms, struct error *err) _must_check_;
