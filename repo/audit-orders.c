/* repo/audit-orders.c -- what an audit remembers of batches, orders and receipts. */
#include "repo/audit-orders.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct batch {
	uint8_t hash[HASH_LEN];
	struct statement *st;
	uint8_t *taken; /* a bit for each index */
};

/* An order, or receipts for one that has not come yet. */
struct book_entry {
	uint8_t key[HASH_LEN];
	bool is_order, has_last;
	char *path; /* of the first receipt, while there is no order */
};

struct order_book {
	void *batches, *entries; /* tsearch(3) trees */
};

static int by_hash(const void *a, const void *b)
{
	return memcmp(a, b, HASH_LEN); /* both structs begin with theirs */
}

struct order_book *order_book_new(void)
{
	return mem_alloc(sizeof(struct order_book));
}

static void batch_free(void *ptr)
{
	struct batch *batch = ptr;

	statement_free(batch->st);
	free(batch->taken);
	free(batch);
}

static void entry_free(void *ptr)
{
	struct book_entry *entry = ptr;

	free(entry->path);
	free(entry);
}

struct order_book *order_book_free(struct order_book *book)
{
	if (!book)
		return NULL;
	tdestroy(book->batches, batch_free);
	tdestroy(book->entries, entry_free);
	free(book);
	return NULL;
}

static void *insert(void *item, void **tree)
{
	if (!tsearch(item, tree, by_hash))
		abort(); /* out of memory */
	return item;
}

static struct batch *find_batch(struct order_book *book, const uint8_t hash[static HASH_LEN])
{
	struct batch **at = tfind(hash, &book->batches, by_hash);

	return at ? *at : NULL;
}

const struct statement *order_book_find(struct order_book *book, const uint8_t hash[static HASH_LEN])
{
	const struct batch *batch = find_batch(book, hash);

	return batch ? batch->st : NULL;
}

/* By all that a receipt says of the order that it answers. */
static struct book_entry *entry_of(struct order_book *book, const char *device, uint64_t number, const uint8_t batch[static HASH_LEN],
			      const uint8_t leaf[static HASH_LEN])
{
	_cleanup_(buf_done) struct buf text = { 0 };
	uint8_t key[HASH_LEN];
	struct book_entry **at, *entry;

	buf_addf(&text, "%s %llu ", device, (unsigned long long)number);
	buf_add(&text, batch, HASH_LEN);
	buf_add(&text, leaf, HASH_LEN);
	sha256(key, buf_bytes(&text));
	at = tfind(key, &book->entries, by_hash);
	if (at)
		return *at;
	entry = mem_alloc(sizeof(*entry));
	memcpy(entry->key, key, HASH_LEN);
	return insert(entry, &book->entries);
}

/* ---- statements ---- */

int order_book_batch(struct order_book *book, const struct statement *st, const struct root *root, struct error *err)
{
	struct batch *batch;

	if (find_batch(book, statement_hash(st)))
		return error_set(err, E_DENIED, "the batch is there a second time");
	batch = mem_alloc(sizeof(*batch));
	memcpy(batch->hash, statement_hash(st), HASH_LEN);
	if (statement_parse(&batch->st, statement_whole(st), false, NULL, err) < 0) {
		free(batch);
		return err->code;
	}
	insert(batch, &book->batches); /* also when it is not good: its orders are judged by it all the same */
	if (!root)
		return error_set(err, E_DENIED, "there is no root yet");
	return batch_verify(st, root, err);
}

int order_book_order(struct order_book *book, const struct statement *st, struct error *err)
{
	const struct order_proof *proof = statement_proof(st);
	struct batch *batch = find_batch(book, proof->batch);
	struct book_entry *entry;

	if (!batch)
		return error_set(err, E_DENIED, "the batch that its proof names is not there");
	if (order_verify(st, batch->st, err) < 0)
		return err->code;
	if (proof->count > ORDER_COUNT_MAX) /* of a batch that is not good itself */
		return error_set(err, E_DENIED, "its batch has more orders than a batch can have");
	if (!batch->taken)
		batch->taken = mem_alloc(proof->count / 8 + 1);
	if (batch->taken[proof->index / 8] >> proof->index % 8 & 1)
		return error_set(err, E_DENIED, "the batch has another order with index %u", proof->index);
	batch->taken[proof->index / 8] |= (uint8_t)(1U << proof->index % 8);
	entry = entry_of(book, statement_get(st, "device"), statement_number(st, "order"), proof->batch, statement_hash(st));
	entry->is_order = true;
	return 0;
}

int order_book_control(struct order_book *book, const struct statement *st, const struct root *root, struct error *err)
{
	uint8_t about[HASH_LEN];
	struct batch *batch;

	statement_get_hash(about, st, "batch");
	batch = find_batch(book, about);
	if (!batch)
		return error_set(err, E_DENIED, "the batch that it is about is not there");
	if (!root)
		return error_set(err, E_DENIED, "there is no root yet");
	return control_verify(st, batch->st, root, err);
}

int order_book_receipt(struct order_book *book, const struct statement *st, const char *path, struct error *err)
{
	uint8_t about[HASH_LEN], leaf[HASH_LEN];
	struct book_entry *entry;
	bool had_last;

	statement_get_hash(about, st, "batch");
	statement_get_hash(leaf, st, "leaf");
	entry = entry_of(book, statement_get(st, "device"), statement_number(st, "order"), about, leaf);
	if (!entry->is_order && !entry->path)
		entry->path = mem_strdup(path);
	had_last = entry->has_last;
	entry->has_last = had_last || order_outcome_is_last(statement_get(st, "outcome"));
	return had_last ? error_set(err, E_DENIED, "the device had its last word about this order already") : 0;
}

struct strays {
	void (*fn)(void *ctx, const char *path);
	void *ctx;
};

static void visit(const void *node, VISIT which, void *ctx)
{
	const struct book_entry *entry = *(struct book_entry *const *)node;
	const struct strays *s = ctx;

	if ((which == postorder || which == leaf) && !entry->is_order && entry->path)
		s->fn(s->ctx, entry->path);
}

void order_book_strays(struct order_book *book, void (*fn)(void *ctx, const char *path), void *ctx)
{
	struct strays s = { fn, ctx };

	twalk_r(book->entries, visit, &s);
}
