/* server/api-orders.c -- batches, orders and receipts: lists of orders that are posted, and what operators read. */
#include "server/http.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { BATCHES_DEFAULT = 100, BATCHES_MAX = 1000, ORDERS_MAX = 1000 };

/* ---- posting orders ---- */

static int busy(struct call *call)
{
	return call_refuse(call, REFUSE_BUSY, "the queue of the archive is full");
}

/* What was taken stays taken: the whole list may be posted again. */
static int answer_posted(struct call *call)
{
	const struct posted_list *list = call->posted;

	log_info("archived type=order stored=%zu seen=%zu failed=%zu", list->stored, list->seen, list->failed);
	if (!list->failed)
		return call_json(call, json_pack("{s:I, s:I}", "stored", (json_int_t)list->stored, "seen", (json_int_t)list->seen));
	if (list->result > 0)
		return busy(call);
	if (list->result == E_DENIED || list->result == E_SEAL || list->result == E_LIMIT)
		return call_refuse_with(call, REFUSE_DENIED,
					json_pack("{s:I, s:I, s:I}", "stored", (json_int_t)list->stored, "seen", (json_int_t)list->seen,
						  "failed", (json_int_t)list->failed),
					list->err.text);
	return call_refuse_error(call, &list->err);
}

static int post_orders(struct call *call, struct error *err)
{
	int r;

	if (call->is_resumed)
		return answer_posted(call);
	r = ingest_submit_orders(&call->posted, call->server, call->conn, buf_bytes(&call->body), err);
	if (r == REPO_BUSY)
		return busy(call);
	if (r < 0)
		return r;
	call_drop_body(call);
	return call->posted->is_parked ? CALL_SUSPENDED : answer_posted(call);
}

/* ---- batches ---- */

static void put(json_t *json, const char *key, const char *text)
{
	if (text && text[0])
		json_object_set_new(json, key, json_string(text));
}

static void put_statement(json_t *json, const struct statement *batch)
{
	static const char *const keys[] = { "kind", "person", "time", "not-before", "expires", "reason", "ticket" };
	char hash[2 * HASH_LEN + 1];

	statement_hash_hex(hash, batch);
	put(json, "hash", hash);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		put(json, keys[i], statement_get(batch, keys[i]));
	json_object_set_new(json, "count", json_integer((json_int_t)statement_number(batch, "count")));
}

static void put_counts(json_t *json, const struct repo_batch *counts, const struct release *now, const struct consent *consent)
{
	const struct {
		const char *key;
		json_int_t value;
	} numbers[] = {
		{ "orders", counts->orders },	{ "wave", (json_int_t)now->waves }, { "waves", (json_int_t)counts->wave_count },
		{ "released", now->released },	{ "settled", now->settled },	    { "done", now->done },
		{ "failed", now->failed },	{ "people", consent->people },	    { "need", consent->need },
	};

	put(json, "state", release_state_name(now->state));
	put(json, "waits-for", now->waits_for);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		json_object_set_new(json, numbers[i].key, json_integer(numbers[i].value));
}

/* What one reads of a batch: its texts, and what it has come to. */
struct reading {
	struct buf text, controls;
	struct statement *batch;
	struct release_controls decisions;
	struct repo_batch counts;
	struct release now;
	struct release_consent consent;
};

static void reading_done(struct reading *reading)
{
	buf_done(&reading->text);
	buf_done(&reading->controls);
	statement_free(reading->batch);
	release_controls_done(&reading->decisions);
}

/* REPO_ABSENT. */
static int read_batch(struct reading *out, struct server *server, const char *id, struct error *err)
{
	const struct root *root;
	int r = rollouts_look(&out->now, server->rollouts, id) ? 0 : REPO_ABSENT;

	if (r == 0)
		r = repo_batch(&out->counts, &out->text, &out->controls, server->repo, id, err);
	if (r == 0)
		r = statement_parse(&out->batch, buf_bytes(&out->text), false, NULL, err);
	if (r == 0)
		r = release_controls_parse(&out->decisions, buf_bytes(&out->controls), err);
	if (r == 0)
		r = repo_root_get(&root, server->repo, err);
	if (r != 0)
		return r;
	release_count(&out->consent, out->batch, &out->decisions, root);
	repo_root_put(server->repo, root);
	return 0;
}

static json_t *batch_json(const char *id, const struct reading *reading)
{
	json_t *json = json_pack("{s:s}", "id", id);

	put_statement(json, reading->batch);
	put_counts(json, &reading->counts, &reading->now, &reading->consent.consent);
	return json;
}

static int append_batch(json_t *list, struct server *server, const char *id, struct error *err)
{
	_cleanup_(reading_done) struct reading reading = { 0 };
	int r = read_batch(&reading, server, id, err);

	if (r == 0)
		json_array_append_new(list, batch_json(id, &reading));
	return r < 0 ? r : 0;
}

struct ids {
	char (*list)[ID_LEN + 1];
	size_t count;
};

static void ids_done(struct ids *ids)
{
	free(ids->list);
}

static int take_id(void *ctx, const char *id)
{
	struct ids *ids = ctx;

	if (!(ids->count & (ids->count - 1)))
		ids->list = mem_grow(ids->list, (ids->count ? 2 * ids->count : 1) * sizeof(*ids->list));
	memcpy(ids->list[ids->count++], id, ID_LEN + 1);
	return 0;
}

static bool is_in_state(struct server *server, const char *id, const enum release_state *wanted)
{
	struct release now;

	return !wanted || (rollouts_look(&now, server->rollouts, id) && now.state == *wanted);
}

static int get_batches(struct call *call, struct error *err)
{
	const char *limit_text = call_argument(call, "limit"), *state_text = call_argument(call, "state");
	const char *device = call_argument(call, "device");
	_cleanup_(ids_done) struct ids ids = { 0 };
	uint64_t limit = BATCHES_DEFAULT;
	enum release_state state;
	json_t *list;
	int r;

	if (limit_text && (!number_parse(&limit, bytes_str(limit_text)) || limit < 1 || limit > BATCHES_MAX))
		return call_refuse(call, REFUSE_MALFORMED, "'limit' must be 1 to %d", BATCHES_MAX);
	if (state_text && !release_state_parse(&state, state_text))
		return call_refuse(call, REFUSE_MALFORMED,
				   "'state' must be collecting, waiting, running, paused, stopped, aborted, expired or done");
	if (device && !id_is_valid(bytes_str(device)))
		return call_refuse(call, REFUSE_MALFORMED, "'device' must be a device's id");
	r = repo_batches(call->server->repo, device, take_id, &ids, err);
	list = json_array();
	for (size_t i = 0; r == 0 && i < ids.count && json_array_size(list) < limit; i++)
		if (is_in_state(call->server, ids.list[i], state_text ? &state : NULL))
			r = append_batch(list, call->server, ids.list[i], err);
	if (r < 0) {
		json_decref(list);
		return r;
	}
	return call_json(call, json_pack("{s:o}", "batches", list));
}

/* The id in the address: refuses what cannot be one, so that it never reaches a path or a query. */
static const char *id_of(const struct call *call, int n)
{
	return id_is_valid(bytes_str(call->args[n])) ? call->args[n] : NULL;
}

static int no_batch(struct call *call)
{
	return call_refuse(call, REFUSE_ABSENT, "there is no batch '%s' here, or not that of it", call->args[0]);
}

struct device_rows {
	json_t *list;
	const struct release *now;
};

static int append_order(void *ctx, const struct repo_order *o)
{
	struct device_rows *rows = ctx;
	char time[CLOCK_TEXT_LEN];
	json_t *json =
		json_pack("{s:s, s:s, s:I, s:I, s:I, s:b}", "device", o->device, "name", o->name, "index", (json_int_t)o->index, "order",
			  (json_int_t)o->number, "wave", (json_int_t)o->wave + 1, "released", (int)(o->wave < rows->now->waves));

	put(json, "outcome", o->outcome);
	put(json, "check", o->check);
	put(json, "note", o->note);
	clock_text(time, o->time_s);
	if (o->receipt) {
		json_object_set_new(json, "receipt", json_integer((json_int_t)o->receipt));
		put(json, "time", time);
	}
	json_array_append_new(rows->list, json);
	return 0;
}

static void put_controls(json_t *json, const struct release_controls *decisions)
{
	static const char *const keys[] = { "person", "action", "time", "reason" };
	json_t *list = json_array();

	for (size_t i = 0; i < decisions->count; i++) {
		json_t *one = json_object();

		for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
			put(one, keys[k], statement_get(decisions->list[i], keys[k]));
		json_array_append_new(list, one);
	}
	json_object_set_new(json, "controls", list);
}

static int get_batch(struct call *call, struct error *err)
{
	_cleanup_(reading_done) struct reading reading = { 0 };
	const char *id = id_of(call, 0);
	struct device_rows rows;
	json_t *json;
	int r = id ? read_batch(&reading, call->server, id, err) : REPO_ABSENT;

	if (r != 0)
		return r < 0 ? r : no_batch(call);
	rows = (struct device_rows){ json_array(), &reading.now };
	r = repo_orders(call->server->repo, id, 0, ORDER_COUNT_MAX, append_order, &rows, err);
	if (r < 0) {
		json_decref(rows.list);
		return r;
	}
	json = batch_json(id, &reading);
	json_object_set_new(json, "devices", rows.list);
	put_controls(json, &reading.decisions);
	return call_json(call, json);
}

static int give(struct call *call, int r, struct buf *found)
{
	if (r == REPO_ABSENT)
		return no_batch(call);
	return r < 0 ? r : call_containers(call, found);
}

static int get_statement(struct call *call, struct error *err)
{
	_cleanup_(buf_done) struct buf found = { 0 }, controls = { 0 };
	const char *id = id_of(call, 0);
	int r = id ? repo_batch(NULL, &found, &controls, call->server->repo, id, err) : REPO_ABSENT;

	buf_add_bytes(&found, buf_bytes(&controls));
	return give(call, r, &found);
}

static int get_order(struct call *call, struct error *err)
{
	_cleanup_(buf_done) struct buf found = { 0 };
	const char *id = id_of(call, 0), *device = id_of(call, 1);

	return give(call, id && device ? repo_order(&found, call->server->repo, id, device, true, err) : REPO_ABSENT, &found);
}

static int take_device(void *ctx, const struct repo_order *order)
{
	return take_id(ctx, order->device);
}

/* Without what they bring: so whoever may not open that can still see that none is missing, and ten thousand are a few answers. */
static int get_orders(struct call *call, struct error *err)
{
	const char *id = id_of(call, 0), *from_text = call_argument(call, "from");
	_cleanup_(ids_done) struct ids ids = { 0 };
	_cleanup_(buf_done) struct buf found = { 0 };
	uint64_t from = 0;
	int r;

	if (from_text && (!number_parse(&from, bytes_str(from_text)) || from >= ORDER_COUNT_MAX))
		return call_refuse(call, REFUSE_MALFORMED, "'from' must be 0 to %d", ORDER_COUNT_MAX - 1);
	if (!id)
		return no_batch(call);
	r = repo_batch(NULL, NULL, NULL, call->server->repo, id, err);
	if (r == 0)
		r = repo_orders(call->server->repo, id, (uint32_t)from, (uint32_t)from + ORDERS_MAX, take_device, &ids, err);
	for (size_t i = 0; i < ids.count && r == 0; i++)
		r = repo_order(&found, call->server->repo, id, ids.list[i], false, err);
	return give(call, r, &found);
}

static int get_batch_receipts(struct call *call, struct error *err)
{
	_cleanup_(buf_done) struct buf found = { 0 };
	const char *id = id_of(call, 0);

	return give(call, id ? repo_batch_receipts(&found, call->server->repo, id, err) : REPO_ABSENT, &found);
}

static int get_receipt(struct call *call, struct error *err)
{
	_cleanup_(buf_done) struct buf found = { 0 };
	const char *device = id_of(call, 0);
	uint64_t number;
	int r = REPO_ABSENT;

	if (device && number_parse(&number, bytes_str(call->args[1])))
		r = repo_receipt(&found, call->server->repo, device, number, err);
	if (r == REPO_ABSENT)
		return call_refuse(call, REFUSE_ABSENT, "device '%s' has no such receipt", call->args[0]);
	return r < 0 ? r : call_containers(call, &found);
}

const struct route order_routes[] = {
	{ "POST", "/v1/orders", CONTAINER_MAX, NEED_NOTHING, false, post_orders },
	{ "GET", "/v1/batches", 0, NEED_SESSION, false, get_batches },
	{ "GET", "/v1/batches/*", 0, NEED_SESSION, false, get_batch },
	{ "GET", "/v1/batches/*/statement", 0, NEED_SESSION, false, get_statement },
	{ "GET", "/v1/batches/*/receipts", 0, NEED_SESSION, false, get_batch_receipts },
	{ "GET", "/v1/batches/*/orders", 0, NEED_SESSION, false, get_orders },
	{ "GET", "/v1/batches/*/orders/*", 0, NEED_PAYLOADS, false, get_order },
	{ "GET", "/v1/devices/*/receipts/*", 0, NEED_SESSION, false, get_receipt },
	{ 0 },
};
