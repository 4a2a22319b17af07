/* tests/unit/arrival.c -- makes, posts and checks a device's whole way in. */
#include "tests/unit/arrival.h"

#include "tests/test.h"

#include <sodium.h>
#include <stdio.h>

void arrival_init(struct arrival *a, struct world *w, long n)
{
	uint8_t secret[32];
	char name[32];

	*a = (struct arrival){ 0 };
	snprintf(name, sizeof(name), "n%ld", n);
	randombytes_buf(secret, sizeof(secret));
	fleet_device_init(&a->device, name);
	if (n < ROOT_CHAIN_MAX - 2)
		fleet_next_root(&w->fleet);
	buf_add_bytes(&a->posts[0], buf_bytes(&w->fleet.root));
	fleet_invite(&a->posts[1], &w->fleet, name, secret);
	fleet_enrol(&a->posts[2], &w->fleet, &a->device, secret);
	fleet_admit(&a->posts[3], &w->fleet, &a->device);
	fleet_epoch(&a->posts[4], &w->fleet, &a->device);
	fleet_snapshot(&a->posts[5], &w->fleet, &a->device, "hostname n\n", "x\n");
	fleet_snapshot(&a->posts[6], &w->fleet, &a->device, "hostname m\n", "x\n");
	orders_batch_make(&a->batch, &w->fleet, (struct fleet_device *[]){ &a->device }, 1, &(struct orders_plan){ 0 });
	buf_add_bytes(&a->posts[7], buf_bytes(&a->batch.whole));
	buf_add_bytes(&a->posts[8], buf_bytes(&a->batch.orders[0]));
	orders_control(&a->posts[9], &w->fleet, &a->batch, "approve", "alice", &w->fleet.operator, NULL);
	orders_receipt(&a->posts[10], &w->fleet, &a->device, &a->batch, 0, "healthy", NULL);
}

void arrival_done(struct arrival *a)
{
	for (size_t i = 0; i < ARRIVAL; i++)
		buf_done(&a->posts[i]);
	orders_batch_done(&a->batch);
	fleet_device_done(&a->device);
}

void arrival_check(struct world *w, struct arrival *a)
{
	_cleanup_(buf_done) struct buf controls = { 0 }, order = { 0 };
	struct repo_batch counts;
	struct repo_device device;
	struct error err = { 0 };

	CHECK_OK(repo_device_get(&device, w->repo, a->device.id, &err));
	CHECK_EQ(device.head_number, a->device.number);
	CHECK(device.admitted);
	CHECK_EQ(device.forks, 0);
	CHECK_OK(repo_batch(&counts, NULL, &controls, w->repo, a->batch.id, &err));
	CHECK_EQ(counts.orders, 1);
	CHECK_EQ(counts.waves[0].answered, 1);
	CHECK_STR(buf_text(&controls), buf_text(&a->posts[9]));
	CHECK_OK(repo_order(&order, w->repo, a->batch.id, a->device.id, true, &err)); /* with what it brings */
	CHECK(bytes_equal(buf_bytes(&order), buf_bytes(&a->posts[8])));
}

size_t post_until_refused(struct world *w, const struct buf *posts, size_t count, size_t from, int refusal)
{
	for (size_t i = from; i < count; i++) {
		struct error err = { 0 };
		int r = repo_submit_wait(w->repo, buf_bytes(&posts[i]), &err);

		if (r < 0) {
			if (err.sys != refusal)
				fail_msg("post %zu: %s", i, err.text);
			return i;
		}
		CHECK(r == 0 || r == REPO_SEEN);
	}
	return count;
}

size_t arrival_post(struct world *w, struct arrival *a, size_t from, int refusal)
{
	return post_until_refused(w, a->posts, ARRIVAL, from, refusal);
}
