/* tests/orders.h -- batches of real orders for the devices of tests/fleet.h: signed, proven, with payloads sealed to device and reader. */
#pragma once

#include "tests/fleet.h"

#include "crypto/order.h"

/* What is left out: kind apply, order number 1, one wave, in force from a minute ago for a day, by alice. */
struct orders_plan {
	const char *kind;
	uint64_t number;
	const uint32_t *waves;
	size_t wave_count;
	unsigned soak_s, fail_limit;
	const char *window;
	int64_t not_before_s, expires_s;
	bool is_grouped; /* all of them are one atomic group */
	size_t payload_len;
	const char *person;
	const struct sign_key *key;
};

struct orders_batch {
	struct buf whole; /* the batch's statement with its signature */
	char id[ID_LEN + 1];
	uint8_t hash[HASH_LEN];
	size_t count;
	struct buf *texts, *orders; /* by index: the order's text; its container */
};

void orders_batch_make(struct orders_batch *out, const struct fleet *fleet, struct fleet_device *const devices[], size_t count,
		       const struct orders_plan *plan);
void orders_batch_done(struct orders_batch *batch);

/* Appends a control; reason: NULL for none. Texts that were made in one second are the same, unless their reasons differ. */
void orders_control(struct buf *out, const struct fleet *fleet, const struct orders_batch *batch, const char *action, const char *person,
		    const struct sign_key *key, const char *reason);
/* Appends the device's next statement: its receipt for the order with this index. check: NULL for none. */
void orders_receipt(struct buf *out, const struct fleet *fleet, struct fleet_device *device, const struct orders_batch *batch, size_t index,
		    const char *outcome, const char *check);
