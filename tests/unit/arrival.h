/* tests/unit/arrival.h -- a device's whole way into an archive, as the containers that it takes: from invite to an order's receipt. */
#pragma once

#include "tests/orders.h"
#include "tests/unit/archive.h"

enum { ARRIVAL = 11 };

struct arrival {
	struct fleet_device device;
	struct buf posts[ARRIVAL];
	struct orders_batch batch; /* one order, for this device */
};

/* Of a new device that is called after n; while the fleet has few roots, with a new one. */
void arrival_init(struct arrival *a, struct world *w, long n);
void arrival_done(struct arrival *a);
/* The archive has all of it, and says so. */
void arrival_check(struct world *w, struct arrival *a);

/* Posts until something is refused: how many were taken. A refusal must say that it was the disk's. */
size_t post_until_refused(struct world *w, const struct buf *posts, size_t count, size_t from, int refusal);
size_t arrival_post(struct world *w, struct arrival *a, size_t from, int refusal);
