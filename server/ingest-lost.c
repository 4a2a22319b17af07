/* server/ingest-lost.c -- devices that were given up: whose key counts no more. */
#include "server/ingest-parts.h"

#include "base/log.h"
#include "server/release.h"

#include <stdlib.h>
#include <string.h>

struct batches {
	char (*ids)[ID_LEN + 1];
	size_t count;
};

static void batches_done(struct batches *batches)
{
	free(batches->ids);
}

static int add_batch(void *ctx, const char *id)
{
	struct batches *batches = ctx;

	batches->ids = mem_grow(batches->ids, (batches->count + 1) * sizeof(*batches->ids));
	memcpy(batches->ids[batches->count++], id, ID_LEN + 1);
	return 0;
}

/* ---- did enough people agree, ever? ---- */

/* After each decision in turn: what was withdrawn later was agreed to before. */
static bool was_agreed_by(const struct statement *batch, const struct release_controls *controls, const struct root *root)
{
	for (size_t i = 0; i <= controls->count; i++) {
		struct release_controls begin = { controls->list, i };
		struct release_consent consent;

		release_count(&consent, batch, &begin, root);
		if (consent.is_signed && consent_is_enough(&consent.consent))
			return true;
	}
	return false;
}

/* By any root since it was signed: people who leave do not bring a key back. 1: it was. */
static int was_agreed(const struct statement *batch, const struct release_controls *controls, struct bytes roots, struct error *err)
{
	size_t used = 0;

	for (; roots.len; roots = bytes_from(roots, used)) {
		_cleanup_(root_freep) struct root *root = NULL;
		struct statement *st = NULL;

		if (statement_parse(&st, roots, false, &used, err) < 0 || root_new(&root, st, err) < 0)
			return err->code;
		if (was_agreed_by(batch, controls, root))
			return 1;
	}
	return 0;
}

/* 1: this batch gives the device up. */
static int gives_up(struct repo *repo, const char *id, const char *device, struct error *err)
{
	_cleanup_(release_controls_done) struct release_controls controls = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 }, decided = { 0 }, roots = { 0 };
	_cleanup_(statement_freep) struct statement *batch = NULL;
	struct repo_order order;
	int r = repo_order_look(&order, repo, id, device, err);

	if (r != 0 || strcmp(order.kind, order_kind_name(ORDER_SHRED)) != 0 || order.after[0])
		return r < 0 ? r : 0;
	r = repo_batch(NULL, &text, &decided, repo, id, err);
	if (r == 0)
		r = statement_parse(&batch, buf_bytes(&text), false, NULL, err);
	if (r == 0)
		r = release_controls_parse(&controls, buf_bytes(&decided), err);
	if (r == 0)
		r = repo_roots(&roots, repo, statement_number(batch, "root"), err);
	return r != 0 ? r < 0 ? r : 0 : was_agreed(batch, &controls, buf_bytes(&roots), err);
}

/* ---- what it says all the same ---- */

/* It may be erased after it was given up: a receipt of that is worth more than the rule. */
static int answers_erasure(struct repo *repo, const struct statement *st, struct error *err)
{
	uint8_t hash[HASH_LEN];
	char batch[ID_LEN + 1];
	struct repo_order order;
	enum order_kind kind;
	int r;

	if (statement_type(st) != STATEMENT_RECEIPT || !statement_get_hash(hash, st, "batch"))
		return 0;
	id_of_hash(batch, hash);
	r = repo_order_look(&order, repo, batch, statement_get(st, "device"), err);
	return r < 0 ? r : r == 0 && order_kind_parse(&kind, order.kind) && order_kind_erases(kind);
}

int ingest_check_revoked(struct repo *repo, const struct repo_device *device, const struct statement *st, struct error *err)
{
	_cleanup_(batches_done) struct batches batches = { 0 };
	int r;

	if (!device->shreds || device->retired[0] || statement_number(st, "number") <= device->head_number) /* the archive judges these */
		return 0;
	r = answers_erasure(repo, st, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = repo_batches(repo, device->id, add_batch, &batches, err);
	for (size_t i = 0; r == 0 && i < batches.count; i++)
		r = gives_up(repo, batches.ids[i], device->id, err);
	if (r <= 0)
		return r;
	log_error("retired-key-in-use device=%s name=%s type=%s: it was given up, and somebody uses its key", device->id,
		  device->name[0] ? device->name : "-", statement_type_name(statement_type(st)));
	return error_set(err, E_DENIED, "device '%s' was given up, and its key is revoked; if you have it back, erase it and join it again",
			 device->id);
}
