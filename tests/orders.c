/* tests/orders.c -- batches of real orders for tests. */
#include "tests/orders.h"

#include "base/clock.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int r, const struct error *err)
{
	if (r != 0) {
		fprintf(stderr, "fixture: %s\n", err->text);
		assert(r == 0);
	}
}

static void add_nonce(struct buf *text)
{
	uint8_t nonce[HASH_LEN];

	randombytes_buf(nonce, sizeof(nonce));
	statement_add_hash(text, "nonce", nonce);
}

static void make_order(struct buf *text, struct buf *seal, const struct fleet *fleet, struct fleet_device *const devices[], size_t count,
		       size_t i, const struct orders_plan *plan)
{
	const char *kind = plan->kind ? plan->kind : "apply";
	struct age_recipient to[2] = { devices[i]->box.pub, fleet->reader.pub };
	_cleanup_(buf_done) struct buf payload = { 0 };
	struct error err = { 0 };

	statement_begin(text, STATEMENT_ORDER);
	statement_add(text, "fleet", "%s", fleet->id);
	statement_add(text, "device", "%s", devices[i]->id);
	statement_add(text, "order", "%llu", (unsigned long long)(plan->number ? plan->number : 1));
	statement_add(text, "kind", "%s", kind);
	add_nonce(text);
	if (!strcmp(kind, "apply"))
		statement_add(text, "mode", "lines");
	if (!strcmp(kind, "hold"))
		statement_add_time(text, "until", clock_now_s() + 3600);
	for (size_t k = 0; plan->is_grouped && k < count; k++)
		statement_add(text, "member", "%s", devices[k]->id);
	if (!strcmp(kind, "factory-reset") || !strcmp(kind, "purge"))
		statement_add_hash(text, "challenge", (const uint8_t[HASH_LEN]){ 9 });
	if (strcmp(kind, "apply") != 0 && strcmp(kind, "policy") != 0 && strcmp(kind, "upgrade") != 0)
		return;
	buf_addf(&payload, "hostname n%zu\n", i);
	while (payload.len < plan->payload_len)
		buf_addf(&payload, "! %zu\n", payload.len);
	must(seal_secret(seal, to, 2, buf_bytes(&payload), &err), &err);
	statement_add_seal(text, "payload", 1, buf_bytes(seal));
}

static void make_batch(struct buf *out, const struct fleet *fleet, const struct merkle_hash *tree, size_t count,
		       const struct orders_plan *plan)
{
	int64_t now_s = clock_now_s();
	struct error err = { 0 };

	statement_begin(out, STATEMENT_BATCH);
	statement_add(out, "fleet", "%s", fleet->id);
	statement_add(out, "kind", "%s", plan->kind ? plan->kind : "apply");
	statement_add(out, "person", "%s", plan->person ? plan->person : "alice");
	statement_add_time(out, "time", now_s);
	statement_add_time(out, "not-before", plan->not_before_s ? plan->not_before_s : now_s - 60);
	statement_add_time(out, "expires", plan->expires_s ? plan->expires_s : now_s + 86400);
	statement_add(out, "root", "1");
	statement_add(out, "reason", "a test");
	statement_add(out, "count", "%zu", count);
	statement_add_hash(out, "tree", tree->b);
	for (size_t i = 0; i < plan->wave_count; i++)
		statement_add(out, "wave", "%u", plan->waves[i]);
	if (plan->soak_s)
		statement_add(out, "soak", "%u", plan->soak_s);
	if (plan->fail_limit)
		statement_add(out, "fail-limit", "%u", plan->fail_limit);
	if (plan->window)
		statement_add(out, "window", "%s", plan->window);
	must(statement_sign(out, plan->key ? plan->key : &fleet->operator, &err), &err);
}

/* ---- the tree: every level at once, since ten thousand proofs one by one take minutes ---- */

static struct merkle_hash join(struct merkle_hash left, struct merkle_hash right)
{
	uint8_t in[1 + 2 * HASH_LEN] = { 1 };
	struct merkle_hash out;

	memcpy(in + 1, left.b, HASH_LEN);
	memcpy(in + 1 + HASH_LEN, right.b, HASH_LEN);
	sha256(out.b, bytes_of(in, sizeof(in)));
	return out;
}

/* A node whose left neighbour is missing goes up as it is: that is the tree of RFC 6962. */
static size_t level_up(struct merkle_hash *level, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i += 2)
		level[n++] = i + 1 < count ? join(level[i], level[i + 1]) : level[i];
	return n;
}

static void prove_all(struct order_proof *proofs, struct merkle_hash *level, size_t count)
{
	for (size_t n = count, depth = 0; n > 1; n = level_up(level, n), depth++) {
		for (size_t i = 0; i < count; i++) {
			size_t sibling = (i >> depth) ^ 1;

			if (sibling < n)
				memcpy(proofs[i].path[proofs[i].len++], level[sibling].b, HASH_LEN);
		}
	}
}

void orders_batch_make(struct orders_batch *out, const struct fleet *fleet, struct fleet_device *const devices[], size_t count,
		       const struct orders_plan *plan)
{
	struct order_proof *proofs = mem_alloc(count * sizeof(*proofs));
	struct merkle_hash *level = mem_alloc(count * sizeof(*level));
	struct buf *seals = mem_alloc(count * sizeof(*seals));
	struct statement *st = NULL;
	struct error err = { 0 };

	*out = (struct orders_batch){ .count = count,
				      .texts = mem_alloc(count * sizeof(struct buf)),
				      .orders = mem_alloc(count * sizeof(struct buf)) };
	for (size_t i = 0; i < count; i++) {
		make_order(&out->texts[i], &seals[i], fleet, devices, count, i, plan);
		level[i] = merkle_leaf(buf_bytes(&out->texts[i]));
	}
	prove_all(proofs, level, count); /* leaves the root in level[0] */
	make_batch(&out->whole, fleet, &level[0], count, plan);
	must(statement_parse(&st, buf_bytes(&out->whole), false, NULL, &err), &err);
	memcpy(out->hash, statement_hash(st), HASH_LEN);
	batch_id(out->id, st);
	for (size_t i = 0; i < count; i++) {
		proofs[i].index = (uint32_t)i;
		proofs[i].count = (uint32_t)count;
		memcpy(proofs[i].batch, out->hash, HASH_LEN);
		buf_add_bytes(&out->orders[i], buf_bytes(&out->texts[i]));
		statement_add_proof(&out->orders[i], &proofs[i]);
		buf_add_bytes(&out->orders[i], buf_bytes(&seals[i]));
		buf_done(&seals[i]);
	}
	statement_free(st);
	free(seals);
	free(level);
	free(proofs);
}

void orders_batch_done(struct orders_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		buf_done(&batch->texts[i]);
		buf_done(&batch->orders[i]);
	}
	free(batch->texts);
	free(batch->orders);
	buf_done(&batch->whole);
	*batch = (struct orders_batch){ 0 };
}

/* ---- what people and devices say of it ---- */

void orders_control(struct buf *out, const struct fleet *fleet, const struct orders_batch *batch, const char *action, const char *person,
		    const struct sign_key *key, const char *reason)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	statement_begin(&text, STATEMENT_CONTROL);
	statement_add(&text, "fleet", "%s", fleet->id);
	statement_add_hash(&text, "batch", batch->hash);
	statement_add(&text, "action", "%s", action);
	statement_add(&text, "person", "%s", person);
	statement_add_time(&text, "time", clock_now_s());
	statement_add(&text, "root", "1");
	if (reason)
		statement_add(&text, "reason", "%s", reason);
	must(statement_sign(&text, key, &err), &err);
	buf_add_bytes(out, buf_bytes(&text));
}

void orders_receipt(struct buf *out, const struct fleet *fleet, struct fleet_device *device, const struct orders_batch *batch, size_t index,
		    const char *outcome, const char *check)
{
	_cleanup_(statement_freep) struct statement *order = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	must(statement_parse(&order, buf_bytes(&batch->texts[index]), true, NULL, &err), &err);
	statement_begin(&text, STATEMENT_RECEIPT);
	statement_add(&text, "fleet", "%s", fleet->id);
	statement_add(&text, "device", "%s", device->id);
	statement_add(&text, "number", "%llu", (unsigned long long)++device->number);
	statement_add_hash(&text, "prev", device->head);
	statement_add_time(&text, "time", clock_now_s());
	statement_add(&text, "root", "1");
	statement_add(&text, "order", "%s", statement_get(order, "order"));
	statement_add_hash(&text, "batch", batch->hash);
	statement_add_hash(&text, "leaf", statement_hash(order));
	statement_add(&text, "outcome", "%s", outcome);
	if (check)
		statement_add(&text, "check", "%s", check);
	sha256(device->head, buf_bytes(&text));
	must(statement_sign(&text, &device->key, &err), &err);
	buf_add_bytes(out, buf_bytes(&text));
}
