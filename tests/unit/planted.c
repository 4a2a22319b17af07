/* tests/unit/planted.c -- an archive of four devices, and a batch of orders for all of them. */
#include "tests/unit/planted.h"

#include "tests/test.h"

#include <stdio.h>

int post(struct plant *p, struct bytes container, struct error *err)
{
	*err = (struct error){ 0 };
	return repo_submit_wait(p->w.repo, container, err);
}

void posted(struct plant *p, struct bytes container)
{
	struct error err;

	CHECK_OK(post(p, container, &err));
}

void refused(struct plant *p, struct bytes container, const char *why)
{
	struct error err;
	int r = post(p, container, &err);

	if (r >= 0 || !strstr(err.text, why))
		fail_msg("answered %d '%s' where '%s' was expected", r, r < 0 ? err.text : "", why);
}

void join(struct plant *p, struct fleet_device *device, const char *name, bool admit)
{
	_cleanup_(buf_done) struct buf invite = { 0 }, enrol = { 0 }, admitted = { 0 };
	uint8_t secret[32];

	memset(secret, name[1], sizeof(secret));
	fleet_device_init(device, name);
	fleet_invite(&invite, &p->w.fleet, name, secret);
	fleet_enrol(&enrol, &p->w.fleet, device, secret);
	posted(p, buf_bytes(&invite));
	posted(p, buf_bytes(&enrol));
	if (!admit)
		return;
	fleet_admit(&admitted, &p->w.fleet, device);
	posted(p, buf_bytes(&admitted));
}

void plant_init(struct plant *p)
{
	*p = (struct plant){ 0 };
	world_init(&p->w);
	p->devices[0] = &p->w.device;
	for (int i = 1; i < DEVICES; i++) {
		char name[8];

		snprintf(name, sizeof(name), "r%d", i + 1);
		p->devices[i] = &p->more[i - 1];
		join(p, p->devices[i], name, true);
	}
}

void plant_done(struct plant *p)
{
	orders_batch_done(&p->batch);
	for (int i = 1; i < DEVICES; i++)
		fleet_device_done(p->devices[i]);
	world_done(&p->w);
}

void make_batch(struct plant *p, const struct orders_plan *plan)
{
	orders_batch_done(&p->batch);
	orders_batch_make(&p->batch, &p->w.fleet, p->devices, DEVICES, plan);
}

void post_batch(struct plant *p, const struct orders_plan *plan)
{
	make_batch(p, plan);
	posted(p, buf_bytes(&p->batch.whole));
	for (size_t i = 0; i < DEVICES; i++)
		posted(p, buf_bytes(&p->batch.orders[i]));
}

void post_receipt(struct plant *p, size_t i, const char *outcome, const char *check)
{
	_cleanup_(buf_done) struct buf receipt = { 0 };

	orders_receipt(&receipt, &p->w.fleet, p->devices[i], &p->batch, i, outcome, check);
	posted(p, buf_bytes(&receipt));
}

int post_control(struct plant *p, const char *action, const char *reason)
{
	_cleanup_(buf_done) struct buf control = { 0 };
	struct error err;

	orders_control(&control, &p->w.fleet, &p->batch, action, "alice", &p->w.fleet.operator, reason);
	return post(p, buf_bytes(&control), &err);
}

static int add_row(void *ctx, const struct repo_order *o)
{
	buf_addf(ctx, "%u %s %s %llu wave %u '%s' '%s' '%s' receipt %llu at %lld settled %d\n", o->index, o->device, o->name,
		 (unsigned long long)o->number, o->wave, o->outcome, o->check, o->note, (unsigned long long)o->receipt,
		 (long long)o->time_s, o->is_settled);
	return 0;
}

void describe(struct buf *out, struct plant *p, bool with_times)
{
	struct repo_batch counts;
	struct error err = { 0 };

	CHECK_OK(repo_batch(&counts, out, out, p->w.repo, p->batch.id, &err));
	buf_addf(out, "orders %u\n", counts.orders);
	for (size_t i = 0; i < counts.wave_count; i++) {
		const struct repo_wave *v = &counts.waves[i];

		buf_addf(out, "wave to %u: %u orders, %u answered, %u settled, %u done, %u failed, %u placed at %lld\n", v->end, v->orders,
			 v->answered, v->settled, v->done, v->failed, v->placed, with_times ? (long long)v->settled_s : 0);
	}
	CHECK_OK(repo_orders(p->w.repo, p->batch.id, 0, DEVICES, add_row, out, &err));
	for (size_t i = 0; i < DEVICES; i++) {
		struct repo_device device;

		CHECK_OK(repo_device_get(&device, p->w.repo, p->devices[i]->id, &err));
		buf_addf(out, "%s head %llu order %llu\n", device.id, (unsigned long long)device.head_number,
			 (unsigned long long)device.order);
	}
	CHECK_OK(repo_batch_receipts(out, p->w.repo, p->batch.id, &err));
}
