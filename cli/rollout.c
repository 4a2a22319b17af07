/* cli/rollout.c -- a batch as the server shows it. */
#include "cli/rollout.h"

#include "base/clock.h"
#include "base/plural.h"
#include "cli/api.h"
#include "cli/batch.h"
#include "cli/receipts.h"
#include "cli/select.h"
#include "cli/sign.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 1000 };

static int refuse(struct error *err, const char *path)
{
	error_add(err, "what the server gives for '%s' does not hold", path);
	return err->code = E_SEAL;
}

static int malformed(struct error *err, const char *path)
{
	return error_set(err, E_PEER, "the server's answer to '%s' is not of the documented form", path);
}

static int get_json(json_t **out, const struct open_source *source, const char *path, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = source->get(source->ctx, &text, path, API_LIST_MAX, err);

	if (r < 0)
		return r;
	*out = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
	return json_is_object(*out) ? 0 : malformed(err, path);
}

/* ---- finding one ---- */

static int pick(char id[static ID_LEN + 1], const json_t *list, const char *text, struct error *err)
{
	size_t len = strlen(text), found = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *one = json_string_value(json_object_get(json_array_get(list, i), "id"));

		if (!one || !id_is_valid(bytes_str(one)) || strncmp(one, text, len) != 0)
			continue;
		if (found++)
			return error_set(err, CLI_USAGE, "'%s' may be batch %s or %s; write more of it", text, id, one);
		memcpy(id, one, ID_LEN + 1);
	}
	return found ? 0 : error_set(err, CLI_ABSENT, "there is no batch '%.40s'; see: holdfast rollout list", text);
}

int rollout_find(char id[static ID_LEN + 1], const struct open_source *source, const char *text, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/batches?limit=%d", LIST_MAX);
	json_t *json = NULL;
	int r;

	if (id_is_valid(bytes_str(text))) {
		memcpy(id, text, ID_LEN + 1);
		return 0;
	}
	if (strlen(text) < SELECT_ID_PREFIX_MIN || strspn(text, "abcdefghijklmnopqrstuvwxyz234567") != strlen(text))
		return error_set(err, CLI_USAGE, "'%.40s' is no batch; write its id, or at least %d characters of it", text,
				 SELECT_ID_PREFIX_MIN);
	r = get_json(&json, source, path, err);
	if (r == 0)
		r = pick(id, json_object_get(json, "batches"), text, err);
	json_decref(json);
	return r;
}

/* ---- what people signed ---- */

static const struct root *newest_root(const struct open_source *source)
{
	return source->roots[source->root_count - 1];
}

/* The root that a statement of a person names; NULL: we do not know it. */
static const struct root *named_root(const struct open_source *source, const struct statement *st)
{
	uint64_t version = statement_number(st, "root");

	return version && version <= source->root_count ? source->roots[version - 1] : NULL;
}

/* By the root in force, else by the one it names: signed by whom it says, who had the role then. */
static int verify_batch(struct rollout *r, const struct open_source *source, struct error *err)
{
	const struct root *named = named_root(source, r->batch);
	char id[ID_LEN + 1];
	struct error ignored;

	batch_id(id, r->batch);
	if (strcmp(id, r->id) != 0)
		return error_set(err, E_SEAL, "it is batch '%s'", id);
	if (!named)
		return error_set(err, E_SEAL, "it names root %llu, which nobody showed us",
				 (unsigned long long)statement_number(r->batch, "root"));
	r->is_by_old_root = batch_verify(r->batch, newest_root(source), &ignored) < 0;
	return r->is_by_old_root ? batch_verify(r->batch, named, err) : 0;
}

/* The newest of a person's decisions counts, and only the server knows their order: their times must at least not contradict it. */
static int check_order(const struct rollout *r, const struct statement *control, struct error *err)
{
	const char *person = statement_get(control, "person");

	for (size_t i = 0; i < r->control_count; i++)
		if (!strcmp(statement_get(r->controls[i], "person"), person) &&
		    statement_time(r->controls[i], "time") > statement_time(control, "time"))
			return error_set(err, E_SEAL, "what '%s' decided stands in another order than it was signed", person);
	return 0;
}

static int take_control(struct rollout *r, const struct open_source *source, struct statement *st, struct error *err)
{
	const struct root *named = named_root(source, st);
	struct error ignored;
	int result = named ? 0 : error_set(err, E_SEAL, "a control names a root which nobody showed us");

	if (result == 0)
		result = control_verify(st, r->batch, named, err);
	if (result < 0 && control_verify(st, r->batch, newest_root(source), &ignored) == 0)
		result = 0;
	if (result == 0)
		result = check_order(r, st, err);
	if (result == 0 && r->control_count == ROLLOUT_CONTROLS_MAX)
		result = error_set(err, E_LIMIT, "it has more than %d decisions", ROLLOUT_CONTROLS_MAX);
	if (result < 0) {
		statement_free(st);
		return result;
	}
	if (!(r->control_count & (r->control_count - 1)))
		r->controls = mem_grow(r->controls, (r->control_count ? 2 * r->control_count : 1) * sizeof(struct statement *));
	r->controls[r->control_count++] = st;
	return 0;
}

static int take_signed(struct rollout *r, const struct open_source *source, struct bytes rest, struct error *err)
{
	size_t used = 0;
	int result = statement_parse(&r->batch, rest, false, &used, err);

	if (result == 0)
		result = verify_batch(r, source, err);
	for (rest = bytes_from(rest, used); result == 0 && rest.len; rest = bytes_from(rest, used)) {
		struct statement *st;

		result = statement_parse(&st, rest, false, &used, err);
		if (result == 0)
			result = take_control(r, source, st, err);
	}
	return result;
}

int rollout_get_signed(struct rollout *out, const struct open_source *source, const char *id, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/batches/%s/statement", id);
	_cleanup_(rollout_done) struct rollout r = { 0 };
	_cleanup_(buf_done) struct buf bytes = { 0 };
	int result = source->get(source->ctx, &bytes, path, API_LIST_MAX, err);

	if (result == CLI_ABSENT)
		return error_set(err, CLI_ABSENT, "there is no batch '%s'; see: holdfast rollout list", id);
	if (result < 0)
		return result;
	memcpy(r.id, id, ID_LEN + 1);
	if (take_signed(&r, source, buf_bytes(&bytes), err) < 0)
		return err->code == E_LIMIT ? E_LIMIT : refuse(err, path);
	consent_count(&r.consent, r.batch, (const struct statement *const *)r.controls, r.control_count, newest_root(source));
	*out = r;
	r = (struct rollout){ 0 };
	return 0;
}

void rollout_done(struct rollout *r)
{
	statement_free(r->batch);
	for (size_t i = 0; i < r->control_count; i++)
		statement_free(r->controls[i]);
	free(r->controls);
	free(r->devices);
	*r = (struct rollout){ 0 };
}

/* ---- the server's word ---- */

/* False: it is there, and not what it should be. Absent is "". */
static bool take_text(char *out, size_t size, const json_t *json, const char *key)
{
	const json_t *value = json_object_get(json, key);
	const char *text = json_string_value(value);

	*out = 0;
	if (!value || json_is_null(value))
		return true;
	if (!text || strlen(text) != json_string_length(value) || json_string_length(value) >= size)
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

static bool take_number(uint64_t *out, const json_t *json, const char *key)
{
	const json_t *value = json_object_get(json, key);

	*out = 0;
	if (!value || json_is_null(value))
		return true;
	*out = (uint64_t)json_integer_value(value);
	return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool take_device(struct rollout_device *d, const json_t *json)
{
	const json_t *time = json_object_get(json, "time");
	uint64_t index;

	*d = (struct rollout_device){ 0 };
	if (!take_text(d->id, sizeof(d->id), json, "device") || !id_is_valid(bytes_str(d->id)) ||
	    !take_text(d->name, sizeof(d->name), json, "name") || !json_is_integer(json_object_get(json, "index")) ||
	    !take_number(&index, json, "index") || index >= ORDER_COUNT_MAX || !take_number(&d->order, json, "order") ||
	    !take_text(d->outcome, sizeof(d->outcome), json, "outcome") || !take_text(d->check, sizeof(d->check), json, "check") ||
	    !take_text(d->note, sizeof(d->note), json, "note"))
		return false;
	d->index = (uint32_t)index;
	d->is_released = json_is_true(json_object_get(json, "released"));
	return !json_is_string(time) || clock_parse(&d->time_s, bytes_str(json_string_value(time)));
}

static int by_index(const void *a, const void *b)
{
	const struct rollout_device *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

/* At most one per index, none beyond the count, none twice. */
static bool devices_fit(const struct rollout *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->devices[i].index >= statement_number(r->batch, "count") || (i && r->devices[i - 1].index == r->devices[i].index))
			return false;
	return true;
}

static bool is_word(const char *text)
{
	return *text && strspn(text, "abcdefghijklmnopqrstuvwxyz-") == strlen(text);
}

static bool take_state(struct rollout *r, const json_t *json)
{
	const json_t *list = json_object_get(json, "devices");
	size_t count = json_array_size(list);

	if (!json_is_array(list) || !take_text(r->state, sizeof(r->state), json, "state") || !is_word(r->state) ||
	    !take_number(&r->orders, json, "orders"))
		return false;
	r->devices = mem_grow(r->devices, (count + 1) * sizeof(*r->devices));
	for (r->count = 0; r->count < count; r->count++) {
		struct rollout_device *d = &r->devices[r->count];

		if (!take_device(d, json_array_get(list, r->count)))
			return false;
		d->wave = batch_wave_of(r->batch, d->index);
	}
	if (count)
		qsort(r->devices, count, sizeof(*r->devices), by_index);
	return devices_fit(r);
}

int rollout_update(struct rollout *r, const struct open_source *source, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/batches/%s", r->id);
	json_t *json = NULL;
	int result = get_json(&json, source, path, err);

	if (result == 0 && !take_state(r, json))
		result = malformed(err, path);
	json_decref(json);
	return result;
}

int rollout_get(struct rollout *out, const struct open_source *source, const char *id, struct error *err)
{
	_cleanup_(rollout_done) struct rollout r = { 0 };
	int result = rollout_get_signed(&r, source, id, err);

	if (result == 0)
		result = rollout_update(&r, source, err);
	if (result < 0)
		return result;
	*out = r;
	r = (struct rollout){ 0 };
	return 0;
}

/* ---- what devices signed ---- */

static struct rollout_device *find_device(const struct rollout *r, const char *id)
{
	for (size_t i = 0; i < r->count; i++)
		if (!strcmp(r->devices[i].id, id))
			return &r->devices[i];
	return NULL;
}

static void put(char *out, size_t size, const struct statement *st, const char *key)
{
	const char *value = statement_get(st, key);

	snprintf(out, size, "%s", value ? value : "");
}

static int take_receipt(struct rollout *r, const struct open_source *source, struct opener *opener, const struct statement *st,
			struct error *err)
{
	const struct open_device *who;
	struct rollout_device *d;
	uint8_t batch[HASH_LEN];
	int result;

	if (statement_type(st) != STATEMENT_RECEIPT || !statement_get_hash(batch, st, "batch") ||
	    memcmp(batch, statement_hash(r->batch), HASH_LEN) != 0)
		return error_set(err, E_SEAL, "there is something else than receipts of this batch in it");
	d = find_device(r, statement_get(st, "device"));
	if (!d)
		return error_set(err, E_SEAL, "device '%s' has a receipt, and no order", statement_get(st, "device"));
	result = opener_device(&who, opener, d->id, err);
	if (result == 0)
		result = receipt_verify(st, source->fleet, d->id, &who->key, err);
	if (result < 0)
		return error_add(err, "the receipt of '%s'", d->id);
	if (d->is_proved && statement_number(st, "number") < d->receipt)
		return 0;
	put(d->outcome, sizeof(d->outcome), st, "outcome");
	put(d->check, sizeof(d->check), st, "check");
	put(d->evidence, sizeof(d->evidence), st, "evidence");
	put(d->note, sizeof(d->note), st, "note");
	d->time_s = statement_time(st, "time");
	d->receipt = statement_number(st, "number");
	d->is_proved = true;
	snprintf(d->name, sizeof(d->name), "%s", who->name);
	return 0;
}

int rollout_receipts(struct rollout *r, const struct open_source *source, struct opener *opener, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/batches/%s/receipts", r->id);
	_cleanup_(buf_done) struct buf bytes = { 0 };
	struct progress progress = { .what = "receipts verified" };
	size_t used = 0, seen = 0;
	struct bytes rest;
	int result = source->get(source->ctx, &bytes, path, API_LIST_MAX, err);

	if (result < 0)
		return result;
	for (rest = buf_bytes(&bytes); result == 0 && rest.len; rest = bytes_from(rest, used)) {
		_cleanup_(statement_freep) struct statement *st = NULL;

		result = statement_parse(&st, rest, false, &used, err);
		if (result == 0)
			result = take_receipt(r, source, opener, st, err);
		opener_forget(opener);
		progress_show(&progress, ++seen, r->count);
	}
	progress_end(&progress);
	for (size_t i = 0; i < r->count && result == 0; i++)
		if (*r->devices[i].outcome && !r->devices[i].is_proved)
			result = error_set(err, E_SEAL, "it says '%s' of device '%s', which signed no such thing", r->devices[i].outcome,
					   r->devices[i].id);
	return result == E_FORMAT || result == E_SEAL || result == E_DENIED ? refuse(err, path) : result;
}

/* ---- orders ---- */

int rollout_order(struct container *out, struct buf *bytes, const struct rollout *r, const struct open_source *source, const char *device,
		  struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/batches/%s/orders/%s", r->id, device);
	struct container c;
	size_t used = 0;
	int result = source->get(source->ctx, bytes, path, CONTAINER_MAX, err);

	if (result == CLI_ABSENT)
		return error_set(err, CLI_ABSENT,
				 "the order for '%s' is not on the server: it has not been posted, or what it brought was destroyed",
				 device);
	if (result < 0)
		return result;
	if (container_parse(&c, buf_bytes(bytes), CONTAINER_FULL, &used, err) < 0)
		return refuse(err, path);
	result = statement_type(c.st) == STATEMENT_ORDER && used == bytes->len
			 ? order_verify(c.st, r->batch, err)
			 : error_set(err, E_SEAL, "it is not one order and nothing else");
	if (result == 0 && strcmp(statement_get(c.st, "device"), device) != 0)
		result = error_set(err, E_SEAL, "it is for device '%s'", statement_get(c.st, "device"));
	if (result < 0) {
		container_done(&c);
		return refuse(err, path);
	}
	*out = c;
	return 0;
}

/* Going through all orders. */
struct walk {
	const struct rollout *r;
	const struct open_source *source;
	rollout_take take;
	void *ctx;
	struct merkle tree;
	size_t next; /* index */
	struct progress progress;
};

/* The one that belongs here: that the server lists no other device in its place, its proof says. */
static int walk_order(struct walk *w, const struct statement *order, struct error *err)
{
	const struct rollout_device *d = &w->r->devices[w->next];
	int result;

	if (w->next == w->r->count)
		return error_set(err, E_SEAL, "there are more orders than the batch has");
	result = order_verify(order, w->r->batch, err);
	if (result < 0)
		return result;
	if (statement_proof(order)->index != w->next || d->index != w->next || strcmp(statement_get(order, "device"), d->id) != 0)
		return error_set(err, E_SEAL, "order %u of the batch, for device '%s', is listed as order %zu, for '%s'",
				 statement_proof(order)->index + 1, statement_get(order, "device"), w->next + 1, d->id);
	merkle_add(&w->tree, order_leaf(order));
	w->next++;
	progress_show(&w->progress, w->next, w->r->count);
	return 0;
}

static int walk_page(struct walk *w, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/batches/%s/orders?from=%zu", w->r->id, w->next);
	_cleanup_(buf_done) struct buf bytes = { 0 };
	int result = w->source->get(w->source->ctx, &bytes, path, API_LIST_MAX, err);
	struct bytes rest = buf_bytes(&bytes);
	size_t used = 0;

	if (result == 0 && !rest.len)
		return error_set(err, E_SEAL, "the server gives %zu of the batch's %zu %s", w->next, w->r->count,
				 plural(w->r->count, "order", "orders"));
	for (; result == 0 && rest.len; rest = bytes_from(rest, used)) {
		_cleanup_(statement_freep) struct statement *order = NULL;
		const struct rollout_device *d = &w->r->devices[w->next];

		result = statement_parse(&order, rest, false, &used, err);
		if (result == 0)
			result = walk_order(w, order, err);
		if (result == E_FORMAT || result == E_SEAL || result == E_DENIED)
			return refuse(err, path);
		if (result == 0 && w->take)
			result = w->take(w->ctx, d, order, err);
	}
	return result;
}

int rollout_orders(const struct rollout *r, const struct open_source *source, rollout_take take, void *ctx, struct error *err)
{
	struct walk w = { .r = r, .source = source, .take = take, .ctx = ctx, .progress = { .what = "orders verified" } };
	struct merkle_hash tree, signed_tree;
	int result = 0;

	if (r->count != statement_number(r->batch, "count"))
		return error_set(err, r->orders < statement_number(r->batch, "count") ? CLI_ABSENT : E_SEAL,
				 "the server lists %zu of the batch's %llu %s", r->count,
				 (unsigned long long)statement_number(r->batch, "count"),
				 plural(statement_number(r->batch, "count"), "order", "orders"));
	while (w.next < r->count && result == 0)
		result = walk_page(&w, err);
	progress_end(&w.progress);
	if (result < 0)
		return result;
	tree = merkle_root(&w.tree);
	statement_get_hash(signed_tree.b, r->batch, "tree");
	return memcmp(tree.b, signed_tree.b, HASH_LEN)
		       ? error_set(err, E_SEAL, "the orders that the server has are not those that were signed")
		       : 0;
}

/* ---- where it stands ---- */

struct rollout_counts rollout_count(const struct rollout *r, size_t wave)
{
	struct rollout_counts c = { 0 };

	for (size_t i = 0; i < r->count; i++) {
		const struct rollout_device *d = &r->devices[i];

		if (wave < batch_waves(r->batch) && d->wave != wave)
			continue;
		c.released += d->is_released || *d->outcome;
		c.last += order_outcome_is_last(d->outcome);
		c.done += !strcmp(d->outcome, "done");
		c.failed += order_outcome_is_failure(d->outcome);
	}
	return c;
}

size_t rollout_wave(const struct rollout *r)
{
	size_t wave = 0;

	for (size_t i = 0; i < r->count; i++)
		if ((r->devices[i].is_released || *r->devices[i].outcome) && r->devices[i].wave > wave)
			wave = r->devices[i].wave;
	return wave;
}

bool rollout_is_over(const struct rollout *r)
{
	return !strcmp(r->state, "done") || !strcmp(r->state, "stopped") || !strcmp(r->state, "aborted") || !strcmp(r->state, "expired");
}

/* As consent_count() counts. */
static bool is_counted(const struct rollout *r, const struct root *root, const char *person)
{
	const char *kind = statement_get(r->batch, "kind");
	enum order_action newest = ORDER_WITHDRAW, action;

	if (!root_has_role(root, person, root_role_for(kind)))
		return false;
	for (size_t i = 0; i < r->control_count; i++)
		if (!strcmp(statement_get(r->controls[i], "person"), person) &&
		    order_action_parse(&action, statement_get(r->controls[i], "action")) && action <= ORDER_WITHDRAW)
			newest = action;
	if (!strcmp(person, statement_get(r->batch, "person")))
		return newest != ORDER_REJECT && !root_separates(root, kind);
	return newest == ORDER_APPROVE;
}

void rollout_people(struct buf *out, const struct rollout *r, const struct root *root)
{
	size_t n = 0;

	for (size_t i = 0; i < root_people(root); i++)
		if (is_counted(r, root, root_person(root, i)))
			buf_addf(out, "%s%s", n++ ? ", " : "", root_person(root, i));
	if (!n)
		buf_add_str(out, "nobody");
}

void rollout_consent(struct buf *out, const struct rollout *r, const struct root *root)
{
	buf_addf(out, "%u of %u %s (", r->consent.people, r->consent.need, plural(r->consent.need, "person", "people"));
	rollout_people(out, r, root);
	buf_add_char(out, ')');
	if (root_separates(root, statement_get(r->batch, "kind")))
		buf_addf(out, "; the author, %s, is not counted", statement_get(r->batch, "person"));
	if (r->consent.is_rejected)
		buf_addf(out, "; rejected by %s", r->consent.rejected_by);
	if (r->consent.is_aborted)
		buf_add_str(out, "; aborted");
}

/* ---- deciding ---- */

int rollout_control(struct buf *out, const struct cli *cli, const struct rollout *r, enum order_action action, const char *reason,
		    struct error *err)
{
	const char *kind = statement_get(r->batch, "kind");

	if (!root_has_role(cli->home->root, cli->home->person, root_role_for(kind)))
		return error_set(err, E_DENIED, "'%s' does not have the role '%s', which deciding about a batch of kind '%s' takes",
				 cli->home->person, role_name(root_role_for(kind)), kind);
	statement_begin(out, STATEMENT_CONTROL);
	statement_add(out, "fleet", "%s", cli->home->fleet);
	statement_add_hash(out, "batch", statement_hash(r->batch));
	statement_add(out, "action", "%s", order_action_name(action));
	statement_add(out, "person", "%s", cli->home->person);
	statement_add_time(out, "time", clock_now_s());
	statement_add(out, "root", "%llu", (unsigned long long)root_version(cli->home->root));
	if (reason)
		statement_add(out, "reason", "%s", reason);
	return statement_check(buf_bytes(out), err);
}

int rollout_decide(struct cli *cli, struct buf *text, struct error *err)
{
	_cleanup_(mem_freep) char *key = home_signing_key(cli->home);
	int result = sign_statement(text, key, err);

	if (result == 0)
		result = api_post_object(cli->api, buf_bytes(text), err);
	return result < 0 ? result : 0;
}
