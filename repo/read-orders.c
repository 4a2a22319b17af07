/* repo/read-orders.c -- reading batches, orders and receipts: from the index, from git what the index has left to it, and the payloads. */
#include "repo/parts.h"

#include "base/log.h"
#include "repo/layout.h"
#include "repo/payloads.h"

#include <string.h>

/* ---- batches ---- */

int repo_batches(struct repo *repo, const char *device, repo_batch_fn fn, void *ctx, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_batches(repo->reading, device, fn, ctx, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

int repo_batch(struct repo_batch *out, struct buf *statement, struct buf *controls, struct repo *repo, const char *id, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_batch(out, statement, controls, repo->reading, id, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

int repo_orders(struct repo *repo, const char *batch, uint32_t from, uint32_t to, repo_order_fn fn, void *ctx, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_orders(repo->reading, batch, from, to, fn, ctx, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

int repo_open_orders(struct repo *repo, const char *device, repo_order_fn fn, void *ctx, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_open_orders(repo->reading, device, fn, ctx, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

int repo_policy(struct repo_order *out, struct repo *repo, const char *device, bool is_done, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_policy(out, repo->reading, device, is_done, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

/* ---- texts ---- */

/* A file of the newest tree, which everything acknowledged so far is in. */
static int read_tip(struct buf *out, struct repo *repo, const char *path, struct error *err)
{
	git_oid tip;
	int r = repo_flush(repo, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&repo->reading_lock);
	r = git_store_tip(&tip, repo->reading_git, err);
	if (r == 0)
		r = git_read_file(out, git_store_repository(repo->reading_git), &tip, path, STATEMENT_MAX, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r > 0 ? error_set(err, E_SYS, "'%s' is not where the index says: run 'holdfastd reindex'", path) : r;
}

/* From the index while it has it. */
static int read_order(struct repo_order *order, struct buf *text, struct repo *repo, const char *batch, const char *device,
		      struct error *err)
{
	char path[PATH_MAX_LEN];
	size_t begin = text->len;
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_order(order, text, NULL, repo->reading, batch, device, err);
	pthread_mutex_unlock(&repo->reading_lock);
	if (r != 0 || text->len > begin)
		return r;
	layout_order_path(path, batch, device);
	return read_tip(text, repo, path, err);
}

/* The payload as the order names it: one that is not is as good as none. */
static int add_payload(struct buf *out, struct repo *repo, const struct statement *order, const char *batch, struct error *err)
{
	const char *device = statement_get(order, "device");
	_cleanup_(buf_done) struct buf payload = { 0 };
	struct seal_ref ref;
	uint8_t hash[HASH_LEN];
	int r;

	if (!statement_seal(&ref, order, "payload"))
		return 0;
	r = payloads_get(&payload, repo->payloads, batch, device, err);
	if (r != 0)
		return r < 0 ? r : REPO_ABSENT;
	sha256(hash, buf_bytes(&payload));
	if (payload.len != ref.len || memcmp(hash, ref.hash, HASH_LEN) != 0) {
		log_error("payload-damaged batch=%s device=%s: it is not the one that the order names; post the orders again, or restore "
			  "the file",
			  batch, device);
		return REPO_ABSENT;
	}
	buf_add_bytes(out, buf_bytes(&payload));
	return 0;
}

int repo_order(struct buf *out, struct repo *repo, const char *batch, const char *device, bool with_payload, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct repo_order order;
	size_t begin = out->len;
	int r = read_order(&order, out, repo, batch, device, err);

	if (r != 0 || !with_payload)
		return r;
	r = statement_parse(&st, bytes_from(buf_bytes(out), begin), false, NULL, err);
	if (r == 0)
		r = add_payload(out, repo, st, batch, err);
	if (r != 0)
		buf_truncate(out, begin);
	return r;
}

/* ---- receipts ---- */

int repo_receipt(struct buf *out, struct repo *repo, const char *device, uint64_t number, struct error *err)
{
	char path[PATH_MAX_LEN], commit[41];
	int r;

	if (!number)
		return REPO_ABSENT;
	pthread_mutex_lock(&repo->reading_lock);
	r = store_find(commit, repo->reading, device, STATEMENT_RECEIPT, number, err);
	pthread_mutex_unlock(&repo->reading_lock);
	if (r != 0)
		return r;
	layout_receipt_path(path, device, number);
	return read_tip(out, repo, path, err);
}

/* In the index, or its place for later. */
struct kept {
	char device[ID_LEN + 1];
	uint64_t number;
	struct buf whole;
};

struct kept_list {
	struct kept *list;
	size_t count, cap;
};

static void kept_list_done(struct kept_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		buf_done(&l->list[i].whole);
	mem_freep(&l->list);
}

static int keep(void *ctx, const char *device, uint64_t number, struct bytes whole)
{
	struct kept_list *l = ctx;
	struct kept *kept;

	if (l->count == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 64;
		l->list = mem_grow(l->list, l->cap * sizeof(*l->list));
	}
	kept = &l->list[l->count++];
	*kept = (struct kept){ .number = number };
	memcpy(kept->device, device, ID_LEN + 1);
	buf_add_bytes(&kept->whole, whole);
	return 0;
}

static int add_kept(struct buf *out, struct repo *repo, const struct kept *kept, struct error *err)
{
	if (!kept->whole.len)
		return repo_receipt(out, repo, kept->device, kept->number, err);
	buf_add_bytes(out, buf_bytes(&kept->whole));
	return 0;
}

int repo_batch_receipts(struct buf *out, struct repo *repo, const char *batch, struct error *err)
{
	_cleanup_(kept_list_done) struct kept_list l = { 0 };
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_batch(NULL, NULL, NULL, repo->reading, batch, err);
	if (r == 0)
		r = store_receipts(repo->reading, batch, keep, &l, err);
	pthread_mutex_unlock(&repo->reading_lock);
	for (size_t i = 0; r == 0 && i < l.count; i++)
		r = add_kept(out, repo, &l.list[i], err);
	return r;
}

/* ---- atomic groups ---- */

static int visit_member(struct buf *out, struct repo *repo, const char *batch, const char *member, repo_order_fn fn, void *ctx,
			struct error *err)
{
	_cleanup_(buf_done) struct buf receipt = { 0 };
	struct repo_order order;
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_order(&order, NULL, &receipt, repo->reading, batch, member, err);
	pthread_mutex_unlock(&repo->reading_lock);
	if (r != 0)
		return r < 0 ? r : 0;
	if (out && order.receipt && (order.is_settled || !strcmp(order.outcome, "healthy"))) {
		if (receipt.len)
			buf_add_bytes(out, buf_bytes(&receipt));
		else
			r = repo_receipt(out, repo, member, order.receipt, err);
	}
	if (r == 0 && fn)
		(void)fn(ctx, &order);
	return r;
}

int repo_group(struct buf *out, struct repo *repo, const char *batch, const char *device, repo_order_fn fn, void *ctx, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct repo_order order;
	const char *member;
	int r = read_order(&order, &text, repo, batch, device, err);

	if (r != 0 || !order.is_grouped)
		return r;
	r = statement_parse(&st, buf_bytes(&text), false, NULL, err);
	for (size_t i = 0; r == 0 && (member = statement_at(st, "member", i)); i++)
		if (strcmp(member, device) != 0)
			r = visit_member(out, repo, batch, member, fn, ctx, err);
	return r;
}

/* ---- advisories ---- */

int repo_judgements(struct repo *repo, uint64_t from, unsigned limit, repo_judgement_fn fn, void *ctx, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_judgements(repo->reading, from, limit, fn, ctx, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

static int read_text(struct buf *out, bool *is_placed, struct repo *repo, const uint8_t document[static HASH_LEN], struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(buf_done) struct buf whole = { 0 };
	char path[PATH_MAX_LEN];
	git_oid tip;
	int r = store_find_text(&whole, is_placed, repo->reading, document, err);

	if (r != 0 || !*is_placed)
		return r;
	r = statement_parse(&st, buf_bytes(&whole), false, NULL, err);
	if (r == 0)
		r = git_store_tip(&tip, repo->reading_git, err);
	if (r != 0)
		return r < 0 ? r : REPO_ABSENT;
	layout_text_path(path, st);
	r = git_read_file(out, git_store_repository(repo->reading_git), &tip, path, CONTAINER_MAX, err);
	return r <= 0 ? r : error_set(err, E_SYS, "'%s' is missing from the archive", path);
}

int repo_judged_text(struct buf *out, struct repo *repo, const uint8_t document[static HASH_LEN], struct error *err)
{
	for (int attempt = 0; attempt < 2; attempt++) {
		bool is_placed = false;
		int r;

		pthread_mutex_lock(&repo->reading_lock);
		r = read_text(out, &is_placed, repo, document, err);
		pthread_mutex_unlock(&repo->reading_lock);
		if (r != 0 || is_placed)
			return r;
		r = repo_flush(repo, err);
		if (r < 0)
			return r;
	}
	return error_set(err, E_SYS, "the judgement is not packed yet: try again");
}

/* ---- retirement ---- */

int repo_said(struct buf *out, struct repo *repo, const char *device, enum statement_type type, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_said(out, repo->reading, device, type, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

int repo_open_shreds(struct repo *repo, repo_order_fn fn, void *ctx, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_open_shreds(repo->reading, fn, ctx, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

int repo_order_look(struct repo_order *out, struct repo *repo, const char *batch, const char *device, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_order(out, NULL, NULL, repo->reading, batch, device, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

/* ---- destroying payloads ---- */

static int destroy(size_t *count, struct repo *repo, payloads_fn fn, void *ctx, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->destroy_lock);
	r = payloads_destroy(count, repo->payloads, fn, ctx, err);
	pthread_mutex_unlock(&repo->destroy_lock);
	return r;
}

struct doomed {
	const char *batch, *device; /* NULL: all */
};

static int is_doomed(void *ctx, const char *batch, const char *device, int64_t written_s _unused_, struct error *err _unused_)
{
	const struct doomed *d = ctx;

	return (!d->batch || !strcmp(d->batch, batch)) && (!d->device || !strcmp(d->device, device));
}

int repo_payloads_destroy(size_t *count, struct repo *repo, const char *batch, const char *device, struct error *err)
{
	struct doomed d = { batch, device };
	int r = flush_journal(repo, err);

	return r < 0 ? r : destroy(count, repo, is_doomed, &d, err);
}

struct expiry {
	struct repo *repo;
	int64_t before_s;
};

static int has_expired(void *ctx, const char *batch, const char *device, int64_t written_s, struct error *err)
{
	const struct expiry *e = ctx;
	bool is_kept = false;
	int64_t end_s = 0;
	int r;

	pthread_mutex_lock(&e->repo->reading_lock);
	r = store_order_end(&end_s, e->repo->reading, batch, device, err);
	if (r == 0)
		r = store_is_policy_kept(&is_kept, e->repo->reading, batch, device, err);
	pthread_mutex_unlock(&e->repo->reading_lock);
	if (r == REPO_ABSENT) /* its order was not taken in the end: a disk was full, for instance */
		return written_s < e->before_s;
	return r < 0 ? r : !is_kept && end_s && end_s < e->before_s;
}

int repo_payloads_expire(size_t *count, struct repo *repo, int64_t before_s, struct error *err)
{
	struct expiry e = { .repo = repo, .before_s = before_s };
	int r = repo_flush(repo, err);

	if (r == 0)
		r = destroy(count, repo, has_expired, &e, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&repo->store_lock);
	r = store_forget_texts(repo->store, before_s, err);
	pthread_mutex_unlock(&repo->store_lock);
	return r;
}
