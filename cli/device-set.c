/* cli/device-set.c -- the set of policies that a device was ordered to have. */
#include "cli/device-set.h"

#include "cli/rollout.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { ANSWER_MAX = 64 << 10 };

static bool names_device(const struct statement *waiver, const char *device)
{
	const char *named;

	for (size_t i = 0; (named = statement_at(waiver, "device", i)); i++)
		if (!strcmp(named, device))
			return true;
	return !statement_count(waiver, "device");
}

int64_t device_set_waived_until(const struct device_set *set, const struct root *root, const char *device, const char *pack,
				const char *rule, int64_t now_s)
{
	int64_t latest = 0;

	for (size_t i = 0; i < set->set.waiver_count; i++) {
		_cleanup_(statement_freep) struct statement *st = NULL;
		struct error ignored;
		size_t used;

		if (statement_parse(&st, set->set.waivers[i], true, &used, &ignored) < 0 || statement_type(st) != STATEMENT_WAIVER ||
		    strcmp(statement_get(st, "policy"), pack) != 0 || strcmp(statement_get(st, "rule"), rule) != 0 ||
		    !names_device(st, device) || root_verify(root, st, &ignored) < 0 || statement_time(st, "until") <= now_s)
			continue;
		if (statement_time(st, "until") > latest)
			latest = statement_time(st, "until");
	}
	return latest;
}

void device_set_done(struct device_set *set)
{
	policy_set_done(&set->set);
	buf_done(&set->text);
	*set = (struct device_set){ 0 };
}

/* What a device refused is not what it has: then the one before counts. but: a batch that does not; NULL: all do. */
static const json_t *choose(const json_t *newest, const char *but)
{
	const char *outcome = json_string_value(json_object_get(newest, "outcome")),
		   *batch = json_string_value(json_object_get(newest, "batch"));
	bool is_other = !but || !batch || strcmp(batch, but) != 0;

	return is_other && (!outcome || !order_outcome_is_failure(outcome)) ? newest : json_object_get(newest, "in-force");
}

/* Which batch brought it, by the server's word. 1: none did. */
static int find_batch(char id[static ID_LEN + 1], const struct open_source *source, const char *device, const char *but, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/policy", device);
	_cleanup_(buf_done) struct buf text = { 0 };
	const json_t *chosen;
	json_t *json;
	const char *batch;
	int r = source->get(source->ctx, &text, path, ANSWER_MAX, err);

	if (r == CLI_ABSENT)
		return 1;
	if (r < 0)
		return r;
	json = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
	chosen = choose(json, but);
	batch = json_string_value(json_object_get(chosen, "batch"));
	r = json && !chosen ? 1
	    : batch && id_is_valid(bytes_str(batch))
		    ? 0
		    : error_set(err, E_PEER, "the server's word about the policies of '%s' is malformed", device);
	if (r == 0)
		memcpy(id, batch, ID_LEN + 1);
	json_decref(json);
	return r;
}

static int open_payload(struct buf *out, const struct container *order, const struct open_source *source, struct error *err)
{
	const struct age_identity *key;
	int r = source->key(source->ctx, &key, err);

	if (r == 0)
		r = seal_open_secret(out, key, container_seal(order, "payload"), err);
	if (r == E_SEAL)
		return error_set(err, E_DENIED,
				 "it is not sealed to your reading key: you became a reader after it was published; "
				 "somebody who could read it publishes it again, or begin anew with --clear");
	return r;
}

static int take_order(struct device_set *out, const struct container *order, const struct open_source *source, struct error *err)
{
	struct merkle_hash leaf = order_leaf(order->st);

	if (strcmp(statement_get(order->st, "kind"), order_kind_name(ORDER_POLICY)) != 0)
		return error_set(err, E_SEAL, "it is an order of kind '%s'", statement_get(order->st, "kind"));
	out->order = statement_number(order->st, "order");
	memcpy(out->leaf, leaf.b, HASH_LEN);
	if (open_payload(&out->text, order, source, err) < 0)
		return err->code;
	return policy_set_read(&out->set, buf_bytes(&out->text), err);
}

static int get(struct device_set *out, const struct open_source *source, const struct fleet_member *m, struct error *err)
{
	_cleanup_(rollout_done) struct rollout rollout = { 0 };
	_cleanup_(container_done) struct container order = { 0 };
	_cleanup_(buf_done) struct buf bytes = { 0 };
	int r = rollout_get_signed(&rollout, source, out->batch, err);

	if (r == 0)
		r = rollout_order(&order, &bytes, &rollout, source, m->id, err);
	return r < 0 ? r : take_order(out, &order, source, err);
}

static int get_set(struct device_set *out, const struct open_source *source, const struct fleet_member *m, const char *but,
		   struct error *err)
{
	int r = find_batch(out->batch, source, m->id, but, err);

	if (r == 0)
		r = get(out, source, m, err);
	if (r < 0)
		return error_add(err, "the policies of '%s'", m->name);
	out->is_there = r == 0;
	return 0;
}

static void move_set(struct device_set *to, struct device_set *from)
{
	*to = *from;
	*from = (struct device_set){ 0 };
}

int device_set_get(struct device_set *out, const struct open_source *source, const struct fleet_member *m, struct error *err)
{
	_cleanup_(device_set_done) struct device_set made = { 0 };

	if (get_set(&made, source, m, NULL, err) < 0)
		return err->code;
	if (made.order < m->policy)
		return error_set(err, E_SEAL,
				 "the policies of '%s': it judged by those of order %llu, and the server shows those of order %llu",
				 m->name, (unsigned long long)m->policy, (unsigned long long)made.order);
	move_set(out, &made);
	return 0;
}

int device_set_before(struct device_set *out, const struct open_source *source, const struct fleet_member *m, const char *batch,
		      struct error *err)
{
	_cleanup_(device_set_done) struct device_set made = { 0 };

	if (get_set(&made, source, m, batch, err) < 0)
		return err->code;
	move_set(out, &made);
	return 0;
}
