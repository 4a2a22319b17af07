/* cli/dossier.c -- all that is archived about one device's way out of the fleet. */
#include "cli/dossier.h"

#include "base/clock.h"
#include "cli/api.h"
#include "cli/receipts.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One device's dossier being gathered. */
struct gathering {
	struct dossier d;
	const struct open_source *source;
	const struct open_device *device;
};

static int refuse(struct error *err, const char *path)
{
	error_add(err, "what the server gives for '%s' does not hold", path);
	return err->code = E_SEAL;
}

static bool is_forgery(int r)
{
	return r == E_FORMAT || r == E_SEAL || r == E_DENIED;
}

static int get_json(json_t **out, const struct open_source *source, const char *path, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = source->get(source->ctx, &text, path, API_LIST_MAX, err);

	if (r < 0)
		return r;
	*out = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
	return json_is_object(*out) ? 0 : error_set(err, E_PEER, "the server's answer to '%s' is not of the documented form", path);
}

static const struct root *named_root(const struct open_source *source, const struct statement *st)
{
	uint64_t version = statement_number(st, "root");

	return version && version <= source->root_count ? source->roots[version - 1] : source->roots[source->root_count - 1];
}

/* Calls take() for each statement of a list, which takes it over, also on failure. An absent list is an empty one. */
typedef int (*take_fn)(struct gathering *m, struct statement *st, struct error *err);
static int each(struct gathering *m, const char *path, take_fn take, struct error *err)
{
	_cleanup_(buf_done) struct buf bytes = { 0 };
	int r = m->source->get(m->source->ctx, &bytes, path, API_LIST_MAX, err);
	struct bytes rest = buf_bytes(&bytes);
	size_t used = 0;

	if (r == CLI_ABSENT)
		return 0;
	for (; r == 0 && rest.len; rest = bytes_from(rest, used)) {
		struct statement *st;

		r = statement_parse(&st, rest, false, &used, err);
		if (r == 0)
			r = take(m, st, err);
	}
	return is_forgery(r) ? refuse(err, path) : r;
}

/* ---- batches ---- */

static int take_order(void *ctx, const struct rollout_device *device, const struct statement *order, struct error *err)
{
	struct gathering *m = ctx;

	if (strcmp(device->id, m->d.id) != 0)
		return 0;
	return statement_parse(&m->d.batches[m->d.batch_count].order, statement_whole(order), false, NULL, err);
}

/* Of this device, about the order that is in hand; those of others in the same batch are let be. */
static int check_receipt(const struct gathering *m, const struct dossier_batch *b, const struct statement *st, struct error *err)
{
	uint8_t said[HASH_LEN];
	int r = receipt_verify(st, m->source->fleet, m->d.id, &m->device->key, err);

	if (r == 0 && (!statement_get_hash(said, st, "leaf") || memcmp(said, statement_hash(b->order), HASH_LEN) != 0))
		r = error_set(err, E_SEAL, "the receipt answers another order");
	return r;
}

static int take_receipt(struct gathering *m, struct statement *st, struct error *err)
{
	struct dossier_batch *b = &m->d.batches[m->d.batch_count];
	uint8_t batch[HASH_LEN];
	int r = 0;

	if (statement_type(st) != STATEMENT_RECEIPT || !statement_get_hash(batch, st, "batch") ||
	    memcmp(batch, statement_hash(b->rollout.batch), HASH_LEN) != 0)
		r = error_set(err, E_SEAL, "there is something else than receipts of this batch in it");
	else if (!strcmp(statement_get(st, "device"), m->d.id))
		r = check_receipt(m, b, st, err);
	if (r == 0 && !strcmp(statement_get(st, "device"), m->d.id) && b->receipt_count < DOSSIER_RECEIPTS_MAX)
		b->receipts[b->receipt_count++] = st;
	else
		statement_free(st);
	return r;
}

static void batch_done(struct dossier_batch *b)
{
	rollout_done(&b->rollout);
	statement_free(b->order);
	for (size_t i = 0; i < b->receipt_count; i++)
		statement_free(b->receipts[i]);
	*b = (struct dossier_batch){ 0 };
}

static bool retires(const char *kind_name)
{
	enum order_kind kind;

	return kind_name && order_kind_parse(&kind, kind_name) && (order_kind_erases(kind) || kind == ORDER_SHRED);
}

static int take_batch(struct gathering *m, const char *id, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/batches/%s/receipts", id);
	struct dossier_batch *b = &m->d.batches[m->d.batch_count];
	int r = rollout_get(&b->rollout, m->source, id, err);

	if (r == 0 && !retires(statement_get(b->rollout.batch, "kind")))
		r = error_set(err, E_SEAL, "the server lists batch '%s' as another kind than it is", id);
	if (r == 0)
		r = rollout_orders(&b->rollout, m->source, take_order, m, err);
	if (r == 0 && !b->order)
		r = error_set(err, E_SEAL, "the server lists batch '%s' for this device, and it has no order for it", id);
	if (r == 0)
		r = each(m, path, take_receipt, err);
	if (r < 0)
		batch_done(b);
	else
		m->d.batch_count++;
	return r;
}

static int take_batches(struct gathering *m, const json_t *answer, struct error *err)
{
	const json_t *list = json_object_get(answer, "batches");
	size_t count = 0;
	int r = 0;

	if (!json_is_array(list))
		return error_set(err, E_PEER, "the server's list of batches is none");
	for (size_t i = 0; i < json_array_size(list); i++)
		count += retires(json_string_value(json_object_get(json_array_get(list, i), "kind")));
	if (count > DOSSIER_BATCHES_MAX)
		return error_set(err, E_LIMIT, "there are %zu batches to retire this device, and at most %d are looked at", count,
				 DOSSIER_BATCHES_MAX);
	m->d.batches = mem_alloc((count + 1) * sizeof(*m->d.batches));
	for (size_t i = 0; i < json_array_size(list) && r == 0; i++) {
		const json_t *one = json_array_get(list, i);
		const char *id = json_string_value(json_object_get(one, "id"));

		if (!retires(json_string_value(json_object_get(one, "kind"))))
			continue;
		if (!id || !id_is_valid(bytes_str(id)))
			return error_set(err, E_PEER, "the server's list of batches is malformed");
		r = take_batch(m, id, err);
	}
	return r;
}

static int get_batches(struct gathering *m, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/batches?limit=1000&device=%s", m->d.id);
	json_t *json = NULL;
	int r = get_json(&json, m->source, path, err);

	if (r == 0)
		r = take_batches(m, json, err);
	json_decref(json);
	return r;
}

/* ---- what was said behind them ---- */

static int keep(struct statement ***list, size_t *count, size_t max, struct statement *st, struct error *err)
{
	if (*count == max) {
		statement_free(st);
		return error_set(err, E_LIMIT, "there are more than %zu statements of one kind about it", max);
	}
	*list = mem_grow(*list, (*count + 1) * sizeof(**list));
	(*list)[(*count)++] = st;
	return 0;
}

static int verify_about(const struct gathering *m, const struct statement *st, enum statement_type type, struct error *err)
{
	if (statement_type(st) != type || strcmp(statement_get(st, "device"), m->d.id) != 0)
		return error_set(err, E_SEAL, "there is something else in it than %s statements about this device",
				 statement_type_name(type));
	return root_verify(named_root(m->source, st), st, err);
}

static int take_shredded(struct gathering *m, struct statement *st, struct error *err)
{
	int r = verify_about(m, st, STATEMENT_SHREDDED, err);

	if (r == 0)
		return keep(&m->d.shredded, &m->d.shredded_count, DOSSIER_SHREDDED_MAX, st, err);
	statement_free(st);
	return r;
}

static int take_certificate(struct gathering *m, struct statement *st, struct error *err)
{
	int r = verify_about(m, st, STATEMENT_CERTIFICATE, err);

	if (r == 0 && !root_is_archived(named_root(m->source, st), st))
		r = error_set(err, E_SEAL, "the certificate does not have the archive's signature");
	if (r == 0)
		return keep(&m->d.certificates, &m->d.certificate_count, 4, st, err);
	statement_free(st);
	return r;
}

static int get_words(struct gathering *m, struct error *err)
{
	_cleanup_(mem_freep) char *shredded = mem_printf("/v1/devices/%s/shredded", m->d.id);
	_cleanup_(mem_freep) char *certificate = mem_printf("/v1/devices/%s/certificate", m->d.id);
	int r = each(m, shredded, take_shredded, err);

	return r < 0 ? r : each(m, certificate, take_certificate, err);
}

static bool take_text(char *out, size_t size, const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	snprintf(out, size, "%s", text ? text : "");
	return !text || strlen(text) < size;
}

static int get_facts(char challenge[static 2 * HASH_LEN + 1], char retired[static 16], const struct open_source *source, const char *id,
		     struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s", id);
	json_t *json = NULL;
	int r = get_json(&json, source, path, err);

	if (r == 0 && (!take_text(challenge, 2 * HASH_LEN + 1, json, "challenge") || !take_text(retired, 16, json, "retired") ||
		       (*challenge && (strlen(challenge) != 2 * HASH_LEN || strspn(challenge, "0123456789abcdef") != 2 * HASH_LEN))))
		r = error_set(err, E_PEER, "the server's answer to '%s' is malformed", path);
	json_decref(json);
	return r;
}

int dossier_challenge(char out[static 2 * HASH_LEN + 1], const struct open_source *source, const char *id, struct error *err)
{
	char retired[16];

	return get_facts(out, retired, source, id, err);
}

/* ---- all of it ---- */

void dossier_facts(struct retirement_facts *out, const struct dossier *d, const struct open_source *source)
{
	*out = (struct retirement_facts){ .device = d->id,
					  .roots = source->roots,
					  .root_count = source->root_count,
					  .batch_count = d->batch_count,
					  .batches = d->steps,
					  .shredded_count = d->shredded_count,
					  .shredded = (const struct statement *const *)d->shredded,
					  .certificate_count = d->certificate_count,
					  .certificates = (const struct statement *const *)d->certificates,
					  .now_s = clock_now_s() };
}

static void compute(struct dossier *d, const struct open_source *source)
{
	struct retirement_facts f;

	d->steps = mem_alloc((d->batch_count + 1) * sizeof(*d->steps));
	for (size_t i = 0; i < d->batch_count; i++) {
		const struct dossier_batch *b = &d->batches[i];

		d->steps[i] = (struct retirement_batch){ b->rollout.batch,
							 b->order,
							 b->rollout.control_count,
							 (const struct statement *const *)b->rollout.controls,
							 b->receipt_count,
							 (const struct statement *const *)b->receipts };
	}
	dossier_facts(&f, d, source);
	retirement_compute(&d->now, &f);
}

int dossier_get(struct dossier *out, const struct open_source *source, struct opener *opener, const struct fleet_member *member,
		struct error *err)
{
	struct gathering m = { .source = source };
	int r = fleet_identify(&m.device, opener, member, err);

	memcpy(m.d.id, member->id, sizeof(m.d.id));
	snprintf(m.d.name, sizeof(m.d.name), "%s", member->name);
	if (r == 0)
		r = get_facts(m.d.challenge, m.d.retired, source, member->id, err);
	if (r == 0)
		r = get_batches(&m, err);
	if (r == 0)
		r = get_words(&m, err);
	if (r < 0) {
		dossier_done(&m.d);
		return error_add(err, "device '%s'", member->name);
	}
	compute(&m.d, source);
	*out = m.d;
	return 0;
}

void dossier_done(struct dossier *d)
{
	for (size_t i = 0; i < d->batch_count; i++)
		batch_done(&d->batches[i]);
	for (size_t i = 0; i < d->shredded_count; i++)
		statement_free(d->shredded[i]);
	for (size_t i = 0; i < d->certificate_count; i++)
		statement_free(d->certificates[i]);
	free(d->batches);
	free(d->steps);
	free(d->shredded);
	free(d->certificates);
	*d = (struct dossier){ 0 };
}

const struct dossier_batch *dossier_batch(const struct dossier *d, const struct retirement_step *step)
{
	return step->of ? &d->batches[step->of - d->steps] : NULL;
}
