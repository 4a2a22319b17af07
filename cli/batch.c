/* cli/batch.c -- a batch in the making, and the PLAN file. */
#include "cli/batch.h"

#include "base/plural.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char file_head[] = "holdfast-plan/1 "; /* then how many bytes the batch has: unsigned, it has no end of its own */

/* ---- the tree, all of it at once: ten thousand proofs one by one would hash it ten thousand times ---- */

static struct merkle_hash node(const struct merkle_hash *pair)
{
	uint8_t in[1 + 2 * HASH_LEN] = { 1 };
	struct merkle_hash out;

	memcpy(in + 1, pair, 2 * HASH_LEN);
	sha256(out.b, bytes_of(in, sizeof(in)));
	return out;
}

/* Pairs from the left, an odd one goes up as it is: the same tree as RFC 6962's, which splits at the largest power of two. */
struct merkle_hash *batch_levels(const struct merkle_hash *leaves, uint32_t count)
{
	struct merkle_hash *levels = mem_alloc((2 * (size_t)count + 32) * sizeof(*levels)), *from = levels;

	memcpy(levels, leaves, count * sizeof(*leaves));
	for (uint32_t n = count; n > 1; n = (n + 1) / 2) {
		struct merkle_hash *to = from + n;

		for (uint32_t i = 0; i < n; i += 2)
			to[i / 2] = i + 1 < n ? node(&from[i]) : from[i];
		from = to;
	}
	return levels;
}

static struct merkle_hash top(const struct merkle_hash *levels, uint32_t count)
{
	for (uint32_t n = count; n > 1; n = (n + 1) / 2)
		levels += n;
	return *levels;
}

static void prove(struct order_proof *proof, const struct merkle_hash *levels, uint32_t count, uint32_t index)
{
	proof->index = index;
	proof->count = count;
	for (uint32_t n = count, at = index; n > 1; n = (n + 1) / 2, at /= 2) {
		if ((at ^ 1) < n)
			memcpy(proof->path[proof->len++], levels[at ^ 1].b, HASH_LEN);
		levels += n;
	}
}

/* ---- an order ---- */

int batch_seal(struct buf *out, const struct root *root, const struct age_recipient *box, struct bytes payload, struct error *err)
{
	struct age_recipient to[AGE_RECIPIENTS_MAX + 1];
	size_t count = root_recipients(to, NULL, root, ROLE_READER, ROLE_READER);

	to[count++] = *box; /* a root has at most 64 reading keys, so there is room */
	return seal_secret(out, to, count, payload, err);
}

/* Of what changes a device and has to prove that it is well afterwards. */
static void add_proofs(struct buf *text, const struct batch_terms *terms, const struct batch_order *order)
{
	if (terms->confirm_s >= 0)
		statement_add(text, "confirm", "%lld", (long long)terms->confirm_s);
	if (terms->settle_s >= 0)
		statement_add(text, "settle", "%lld", (long long)terms->settle_s);
	for (size_t i = 0; i < order->probe_count; i++)
		statement_add(text, "probe", "%s", order->probes[i]);
}

static void add_order(struct buf *text, const struct batch_terms *terms, const struct batch_order *order, struct bytes seal)
{
	uint8_t nonce[HASH_LEN];

	randombytes_buf(nonce, sizeof(nonce)); /* nobody who sees one leaf can guess its neighbours */
	statement_begin(text, STATEMENT_ORDER);
	statement_add(text, "fleet", "%s", terms->fleet);
	statement_add(text, "device", "%s", order->device);
	statement_add(text, "order", "%llu", (unsigned long long)order->number);
	statement_add(text, "kind", "%s", order_kind_name(terms->kind));
	statement_add_hash(text, "nonce", nonce);
	if (order->base)
		statement_add_point(text, "base", order->base, order->base_hash);
	if (terms->kind == ORDER_APPLY)
		statement_add(text, "mode", "%s", terms->is_whole ? "whole" : "lines");
	if (terms->kind == ORDER_APPLY || terms->kind == ORDER_UPGRADE)
		add_proofs(text, terms, order);
	if (terms->kind == ORDER_HOLD)
		statement_add_time(text, "until", terms->until_s);
	for (size_t i = 0; i < order->member_count; i++)
		statement_add(text, "member", "%s", order->members[i]);
	if (order->challenge)
		statement_add_hash(text, "challenge", order->challenge);
	if (order->after)
		statement_add_hash(text, "after", order->after);
	if (seal.len)
		statement_add_seal(text, "payload", 1, seal);
}

static int check_order(struct batch_leaf *leaf, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	int r = statement_check(buf_bytes(&leaf->text), err);

	if (r == 0)
		r = statement_parse(&st, buf_bytes(&leaf->text), true, NULL, err);
	if (r == 0)
		r = order_check(st, err);
	if (r == 0)
		leaf->leaf = order_leaf(st);
	return r;
}

int batch_add(struct batch_draft *draft, const struct batch_order *order, struct error *err)
{
	struct batch_leaf *leaf;

	if (draft->count == ORDER_COUNT_MAX)
		return error_set(err, E_LIMIT, "more than %d orders in a batch", ORDER_COUNT_MAX);
	if (!(draft->count & (draft->count - 1)))
		draft->leaves = mem_grow(draft->leaves, (draft->count ? 2 * draft->count : 1) * sizeof(*draft->leaves));
	leaf = &draft->leaves[draft->count++];
	*leaf = (struct batch_leaf){ 0 };
	if (order->seal) {
		leaf->seal = *order->seal;
		*order->seal = (struct buf){ 0 };
	}
	add_order(&leaf->text, &draft->terms, order, buf_bytes(&leaf->seal));
	return check_order(leaf, err) < 0 ? error_add(err, "order for '%s'", order->device) : 0;
}

/* ---- the batch ---- */

static struct merkle_hash *leaves_of(const struct batch_draft *draft)
{
	struct merkle_hash *leaves = mem_alloc((draft->count + 1) * sizeof(*leaves));

	for (size_t i = 0; i < draft->count; i++)
		leaves[i] = draft->leaves[i].leaf;
	return leaves;
}

static struct merkle_hash *levels_of(const struct batch_draft *draft)
{
	_cleanup_(mem_freep) struct merkle_hash *leaves = leaves_of(draft);

	return batch_levels(leaves, (uint32_t)draft->count);
}

static void add_batch(struct buf *text, const struct batch_draft *draft, struct merkle_hash tree)
{
	const struct batch_terms *t = &draft->terms;

	statement_begin(text, STATEMENT_BATCH);
	statement_add(text, "fleet", "%s", t->fleet);
	statement_add(text, "kind", "%s", order_kind_name(t->kind));
	statement_add(text, "person", "%s", t->person);
	statement_add_time(text, "time", t->time_s);
	statement_add_time(text, "not-before", t->not_before_s);
	statement_add_time(text, "expires", t->expires_s);
	statement_add(text, "root", "%llu", (unsigned long long)root_version(t->root));
	statement_add(text, "reason", "%s", t->reason);
	if (t->ticket)
		statement_add(text, "ticket", "%s", t->ticket);
	statement_add(text, "count", "%zu", draft->count);
	statement_add_hash(text, "tree", tree.b);
	for (size_t i = 0; t->wave_count > 1 && i < t->wave_count; i++)
		statement_add(text, "wave", "%u", t->waves[i]);
	if (t->soak_s)
		statement_add(text, "soak", "%lld", (long long)t->soak_s);
	if (t->fail_limit)
		statement_add(text, "fail-limit", "%u", t->fail_limit);
	for (size_t i = 0; i < t->window_count; i++)
		statement_add(text, "window", "%s", t->windows[i]);
}

int batch_finish(struct batch_draft *draft, struct error *err)
{
	_cleanup_(mem_freep) struct merkle_hash *levels = NULL;
	_cleanup_(statement_freep) struct statement *st = NULL;
	int r;

	if (!draft->count)
		return error_set(err, E_FORMAT, "there is no order in the batch");
	levels = levels_of(draft);
	add_batch(&draft->batch, draft, top(levels, (uint32_t)draft->count));
	r = statement_check(buf_bytes(&draft->batch), err);
	if (r == 0)
		r = statement_parse(&st, buf_bytes(&draft->batch), true, NULL, err);
	return r == 0 ? batch_check(st, err) : r;
}

void batch_put_order(struct buf *out, const struct batch_draft *draft, const uint8_t hash[static HASH_LEN],
		     const struct merkle_hash *levels, uint32_t index)
{
	struct order_proof proof = { 0 };

	memcpy(proof.batch, hash, HASH_LEN);
	prove(&proof, levels, (uint32_t)draft->count, index);
	buf_add_bytes(out, buf_bytes(&draft->leaves[index].text));
	statement_add_proof(out, &proof);
	buf_add_bytes(out, buf_bytes(&draft->leaves[index].seal));
}

void batch_put_file(struct buf *out, const struct batch_draft *draft)
{
	_cleanup_(mem_freep) struct merkle_hash *levels = levels_of(draft);
	uint8_t hash[HASH_LEN];

	sha256(hash, buf_bytes(&draft->batch));
	buf_addf(out, "%s%zu\n", file_head, draft->batch.len);
	buf_add_bytes(out, buf_bytes(&draft->batch));
	for (uint32_t i = 0; i < draft->count; i++)
		batch_put_order(out, draft, hash, levels, i);
}

void batch_draft_done(struct batch_draft *draft)
{
	for (size_t i = 0; i < draft->count; i++) {
		buf_done(&draft->leaves[i].text);
		buf_done(&draft->leaves[i].seal);
	}
	free(draft->leaves);
	buf_done(&draft->batch);
	*draft = (struct batch_draft){ 0 };
}

/* ---- the file ---- */

/* Whose order is no longer what it was, if that can still be read. */
static int refuse(const struct statement *order, size_t index, struct error *err)
{
	const char *device = order && statement_type(order) == STATEMENT_ORDER ? statement_get(order, "device") : "?";

	error_add(err, "the file was changed after it was made: order %zu, for device '%s'", index + 1, device);
	return err->code = E_SEAL;
}

static int take_order(struct batch_file *f, struct bytes rest, size_t *used, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(container_done) struct container c = { 0 };
	struct error why;
	int r = statement_parse(&st, rest, false, NULL, err);

	if (r < 0)
		return refuse(NULL, f->count, err);
	r = order_verify(st, f->batch, err);
	if (r == 0 && statement_proof(st)->index != f->count)
		r = error_set(err, E_SEAL, "it stands at another place than %u", statement_proof(st)->index + 1);
	if (r == 0 && container_parse(&c, rest, CONTAINER_ATTACHED, used, &why) < 0)
		r = error_set(err, E_SEAL, "%s", why.text);
	return r < 0 ? refuse(st, f->count, err) : 0;
}

static int take_batch(struct batch_file *f, struct bytes *rest, struct error *err)
{
	struct bytes head;
	uint64_t len;
	size_t used;
	int r;

	if (!bytes_next_line(rest, &head) || head.len < sizeof(file_head) || memcmp(head.ptr, file_head, sizeof(file_head) - 1) != 0 ||
	    !number_parse(&len, bytes_from(head, sizeof(file_head) - 1)) || len > rest->len)
		return error_set(err, E_FORMAT, "it does not begin with '%s<bytes>'", file_head);
	r = statement_parse(&f->batch, bytes_of(rest->ptr, len), true, &used, err);
	if (r == 0)
		r = used == len ? batch_check(f->batch, err) : error_set(err, E_FORMAT, "its batch has another length");
	*rest = bytes_from(*rest, len);
	return r;
}

int batch_file_parse(struct batch_file *out, struct buf *bytes, struct error *err)
{
	_cleanup_(batch_file_done) struct batch_file f = { .bytes = *bytes };
	struct bytes rest;
	size_t used, total;

	*bytes = (struct buf){ 0 };
	rest = buf_bytes(&f.bytes);
	if (take_batch(&f, &rest, err) < 0)
		return error_add(err, "it is no plan");
	total = statement_number(f.batch, "count");
	f.orders = mem_alloc(total * sizeof(*f.orders));
	for (; f.count < total; f.count++) {
		if (!rest.len)
			return error_set(err, E_SEAL, "the file was changed after it was made: it has %zu of %zu %s", f.count, total,
					 plural(total, "order", "orders"));
		if (take_order(&f, rest, &used, err) < 0)
			return err->code;
		f.orders[f.count] = bytes_of(rest.ptr, used);
		rest = bytes_from(rest, used);
	}
	if (rest.len)
		return error_set(err, E_SEAL, "the file was changed after it was made: something stands behind its last order");
	*out = f;
	f = (struct batch_file){ 0 };
	return 0;
}

void batch_file_sign(struct buf *out, const struct batch_file *f, struct bytes signed_batch)
{
	buf_addf(out, "%s%zu\n", file_head, signed_batch.len);
	buf_add_bytes(out, signed_batch);
	for (size_t i = 0; i < f->count; i++)
		buf_add_bytes(out, f->orders[i]);
}

void batch_file_done(struct batch_file *f)
{
	statement_free(f->batch);
	free(f->orders);
	buf_done(&f->bytes);
	*f = (struct batch_file){ 0 };
}
