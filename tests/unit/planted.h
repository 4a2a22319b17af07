/* tests/unit/planted.h -- an archive of four devices, and a batch of orders for all of them. */
#pragma once

#include "tests/orders.h"
#include "tests/unit/archive.h"

enum { DEVICES = 4 };

/* The archive's first device, and three more. */
struct plant {
	struct world w;
	struct fleet_device more[DEVICES - 1], *devices[DEVICES];
	struct orders_batch batch;
};

void plant_init(struct plant *p);
void plant_done(struct plant *p);
void join(struct plant *p, struct fleet_device *device, const char *name, bool admit);

int post(struct plant *p, struct bytes container, struct error *err);
void posted(struct plant *p, struct bytes container);
/* Posts it: refused with these words in the reason. */
void refused(struct plant *p, struct bytes container, const char *why);
void make_batch(struct plant *p, const struct orders_plan *plan);
/* A batch with all its orders, posted. */
void post_batch(struct plant *p, const struct orders_plan *plan);
void post_receipt(struct plant *p, size_t i, const char *outcome, const char *check);
int post_control(struct plant *p, const char *action, const char *reason);
/* Everything that the index says of a batch, as text. */
void describe(struct buf *out, struct plant *p, bool with_times);
