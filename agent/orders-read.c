/* agent/orders-read.c -- orders as a poll brings them, and what is remembered of those that came.
 *
 * An order that cannot be read is still to be answered with a receipt, so it is taken apart by its frame first: text, proof, payload. */
#include "agent/orders.h"

#include "agent/ipc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char first_line[] = "holdfast-statement/1 order\n";
static const char next_statement[] = "\nholdfast-statement/1 ";
static const char begin_proof[] = "\n-----BEGIN HOLDFAST PROOF-----\n";
static const char end_proof[] = "\n-----END HOLDFAST PROOF-----\n";
static const char age_file[] = "age-encryption.org/v1\n";

/* ---- what is remembered ---- */

static bool ring_has(const struct orders_leaf ring[static ORDERS_LEAVES], uint32_t count, const uint8_t leaf[static HASH_LEN])
{
	for (uint32_t i = 0; i < count && i < ORDERS_LEAVES; i++)
		if (!memcmp(ring[i].leaf, leaf, HASH_LEN))
			return true;
	return false;
}

static void ring_add(struct orders_leaf ring[static ORDERS_LEAVES], uint32_t *count, uint64_t number, const uint8_t leaf[static HASH_LEN])
{
	struct orders_leaf *at = &ring[*count % ORDERS_LEAVES];

	if (ring_has(ring, *count, leaf))
		return;
	at->number = number;
	memcpy(at->leaf, leaf, HASH_LEN);
	if (++*count == 2 * ORDERS_LEAVES)
		*count = ORDERS_LEAVES; /* where the next one goes stays the same */
}

bool orders_knows(const struct orders_seen *seen, const uint8_t leaf[static HASH_LEN])
{
	return ring_has(seen->taken, seen->taken_count, leaf) || ring_has(seen->forged, seen->forged_count, leaf);
}

void orders_note_taken(struct orders_seen *seen, uint64_t number, const uint8_t leaf[static HASH_LEN])
{
	ring_add(seen->taken, &seen->taken_count, number, leaf);
	if (number > seen->last)
		seen->last = number;
}

void orders_note_forged(struct orders_seen *seen, uint64_t number, const uint8_t leaf[static HASH_LEN])
{
	ring_add(seen->forged, &seen->forged_count, number, leaf);
}

static void put_u64(struct buf *out, uint64_t value)
{
	buf_add_u32be(out, (uint32_t)(value >> 32));
	buf_add_u32be(out, (uint32_t)value);
}

static void put_ring(struct buf *out, const struct orders_leaf ring[static ORDERS_LEAVES], uint32_t count)
{
	buf_add_u32be(out, count);
	for (uint32_t i = 0; i < count && i < ORDERS_LEAVES; i++) {
		put_u64(out, ring[i].number);
		buf_add(out, ring[i].leaf, HASH_LEN);
	}
}

static void get_ring(struct orders_leaf ring[static ORDERS_LEAVES], uint32_t *count, struct reader *rd)
{
	*count = read_u32(rd) % (2 * ORDERS_LEAVES);
	for (uint32_t i = 0; i < *count && i < ORDERS_LEAVES; i++) {
		struct bytes leaf;

		ring[i].number = read_u64(rd);
		leaf = read_bytes(rd, HASH_LEN);
		if (leaf.len)
			memcpy(ring[i].leaf, leaf.ptr, leaf.len);
	}
}

void orders_seen_write(struct buf *out, const struct orders_seen *seen)
{
	put_u64(out, seen->last);
	put_u64(out, seen->closed);
	put_u64(out, seen->said);
	put_ring(out, seen->taken, seen->taken_count);
	put_ring(out, seen->forged, seen->forged_count);
}

void orders_seen_read(struct orders_seen *out, struct reader *rd)
{
	*out = (struct orders_seen){ 0 };
	out->last = read_u64(rd);
	out->closed = read_u64(rd);
	out->said = read_u64(rd);
	get_ring(out->taken, &out->taken_count, rd);
	get_ring(out->forged, &out->forged_count, rd);
}

/* ---- a batch ---- */

struct orders_batch *orders_batch_new(struct statement *st)
{
	struct orders_batch *batch = mem_alloc(sizeof(*batch));

	batch->users = 1;
	batch->st = st;
	return batch;
}

bool orders_batch_control(struct orders_batch *batch, struct statement *control)
{
	if (batch->control_count == ORDERS_CONTROLS_MAX) {
		statement_free(control);
		return false;
	}
	batch->controls[batch->control_count++] = control;
	return true;
}

void orders_batch_drop(struct orders_batch *batch)
{
	if (!batch || --batch->users)
		return;
	statement_free(batch->st);
	for (size_t i = 0; i < batch->control_count; i++)
		statement_free(batch->controls[i]);
	free(batch);
}

/* ---- an order ---- */

static bool starts(struct bytes in, const char *with)
{
	size_t len = strlen(with);

	return in.len >= len && !memcmp(in.ptr, with, len);
}

bool orders_is_order(struct bytes list)
{
	return starts(list, first_line);
}

/* Where the pattern begins; in.len when it is not there. */
static size_t find(struct bytes in, const char *pattern)
{
	const uint8_t *at = in.ptr ? memmem(in.ptr, in.len, pattern, strlen(pattern)) : NULL;

	return at ? (size_t)(at - in.ptr) : in.len;
}

/* Takes the text, with its last newline, off the list. */
static struct bytes take_text(struct bytes *list)
{
	size_t proof = find(*list, begin_proof), next = find(*list, next_statement);
	size_t len = proof < next ? proof : next;
	struct bytes text = bytes_of(list->ptr, len < list->len ? len + 1 : len);

	*list = bytes_from(*list, text.len);
	return text;
}

/* Takes the proof off, if one begins here; one without an end goes on to the next statement. */
static struct bytes take_proof(struct bytes *list)
{
	struct bytes all = *list;
	size_t end, next;

	if (!starts(all, begin_proof + 1))
		return bytes_of(all.ptr, 0);
	end = find(all, end_proof);
	next = find(all, next_statement);
	*list = bytes_from(all, end < next ? end + sizeof(end_proof) - 1 : next < all.len ? next + 1 : all.len);
	return bytes_of(all.ptr, all.len - list->len);
}

/* The payload, as long as the order says: what it really is will be judged later. Behind an order that nobody can read there is no telling,
 * so everything up to the next statement goes with it. */
static void take_payload(struct orders_item *item, struct bytes *list)
{
	struct seal_ref ref = { .len = 0 };
	size_t next = find(*list, next_statement);

	if (!starts(*list, age_file))
		return;
	if (!item->st || !statement_seal(&ref, item->st, "payload"))
		ref.len = next < list->len ? next + 1 : list->len;
	if (ref.len > list->len)
		ref.len = list->len;
	item->has_payload = true;
	buf_add(&item->payload, list->ptr, ref.len);
	*list = bytes_from(*list, ref.len);
}

/* A number for the receipt of what cannot be read; 0 when there is none. */
static uint64_t guess_number(struct bytes text)
{
	struct bytes line;
	uint64_t n;

	while (bytes_next_line(&text, &line))
		if (starts(line, "order: "))
			return number_parse(&n, bytes_from(line, 7)) ? n : 0;
	return 0;
}

static void parse(struct orders_item *item, struct bytes text, struct bytes proof)
{
	struct bytes whole = bytes_of(text.ptr, text.len + proof.len);
	struct error err = { 0 }, of_text = { 0 };
	size_t used;

	item->number = guess_number(text);
	if (text.len > STATEMENT_TEXT_MAX) {
		item->broken = CHECK_SIZE;
		snprintf(item->why, sizeof(item->why), "its text of %zu bytes is over %d", text.len, STATEMENT_TEXT_MAX);
		return;
	}
	if (statement_parse(&item->st, whole, false, &used, &err) == 0 && used == whole.len)
		return;
	item->st = statement_free(item->st);
	item->broken = CHECK_PROOF;
	if (statement_parse(&item->st, text, true, &used, &of_text) < 0) {
		item->broken = CHECK_GRAMMAR;
		err = of_text;
	}
	snprintf(item->why, sizeof(item->why), "%s", *err.text ? err.text : "there is something behind its proof");
}

void orders_item_read(struct orders_item *out, struct bytes *list, struct orders_batch *batch)
{
	struct bytes text = take_text(list), proof = take_proof(list);

	*out = (struct orders_item){ .batch = batch };
	if (batch)
		batch->users++;
	sha256(out->leaf, text);
	parse(out, text, proof);
	take_payload(out, list);
}

void orders_item_done(struct orders_item *item)
{
	orders_batch_drop(item->batch);
	statement_free(item->st);
	buf_done(&item->payload);
	*item = (struct orders_item){ 0 };
}
