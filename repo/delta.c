/* repo/delta.c -- a git delta between two objects that are known to be alike.
 *
 * Every place of the base is entered in a table by the hash of the bytes that begin there; the target is read once, and where such bytes
 * come up again, as many as go on being the same are copied. */
#include "repo/delta.h"

#include <stdlib.h>
#include <string.h>

enum {
	SEED = 8,           /* shorter copies cost as much as they save */
	COPY_MAX = 0xffff,  /* so that two bytes of length are enough */
	INSERT_MAX = 127,
	BASE_MAX = 1 << 24, /* offsets of three bytes */
	TABLE_BITS_MAX = 20,
};

struct table {
	uint32_t *slots; /* place + 1 of the last one with this hash */
	unsigned bits;
};

static uint32_t hash_at(const struct table *t, const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return (uint32_t)(v * 0x9e3779b97f4a7c15ULL >> (64 - t->bits));
}

static void table_fill(struct table *t, struct bytes base)
{
	for (t->bits = 8; t->bits < TABLE_BITS_MAX && (size_t)1 << t->bits < base.len; t->bits++)
		;
	t->slots = mem_alloc(sizeof(*t->slots) << t->bits);
	for (size_t i = 0; i + SEED <= base.len; i++)
		t->slots[hash_at(t, base.ptr + i)] = (uint32_t)i + 1;
}

static void add_size(struct buf *out, size_t size)
{
	for (; size >= 0x80; size >>= 7)
		buf_add_char(out, (char)(size | 0x80));
	buf_add_char(out, (char)size);
}

static void add_insert(struct buf *out, struct bytes in)
{
	while (in.len) {
		size_t n = in.len < INSERT_MAX ? in.len : INSERT_MAX;

		buf_add_char(out, (char)n);
		buf_add(out, in.ptr, n);
		in = bytes_from(in, n);
	}
}

/* Bytes of offset and length that are zero are left out, as the bits of the first byte say. */
static void add_copy(struct buf *out, size_t offset, size_t len)
{
	uint8_t op[8] = { 0x80 };
	size_t n = 1;

	for (unsigned i = 0; i < 3; i++) {
		if (!(offset >> 8 * i & 0xff))
			continue;
		op[0] |= (uint8_t)(1 << i);
		op[n++] = (uint8_t)(offset >> 8 * i);
	}
	for (unsigned i = 0; i < 2; i++) {
		if (!(len >> 8 * i & 0xff))
			continue;
		op[0] |= (uint8_t)(0x10 << i);
		op[n++] = (uint8_t)(len >> 8 * i);
	}
	buf_add(out, op, n);
}

static size_t same_len(struct bytes a, struct bytes b)
{
	size_t max = a.len < b.len ? a.len : b.len, n = 0;

	if (max > COPY_MAX)
		max = COPY_MAX;
	while (n < max && a.ptr[n] == b.ptr[n])
		n++;
	return n;
}

/* The place that goes on from the last copy is tried first: most of what follows a difference follows it in the base, too. */
static size_t find(size_t *offset, const struct table *t, struct bytes base, struct bytes rest, size_t expected)
{
	size_t len = 0;

	if (rest.len < SEED)
		return 0;
	if (expected < base.len) {
		len = same_len(bytes_from(base, expected), rest);
		*offset = expected;
	}
	if (len < SEED && t->slots[hash_at(t, rest.ptr)]) {
		*offset = t->slots[hash_at(t, rest.ptr)] - 1;
		len = same_len(bytes_from(base, *offset), rest);
	}
	return len >= SEED ? len : 0;
}

void delta_make(struct buf *out, struct bytes base, struct bytes target)
{
	struct table t = { 0 };
	size_t literal = 0, shift = 0; /* where what is new begins; how far base is ahead of target */

	if (base.len > BASE_MAX)
		base.len = 0;
	table_fill(&t, base);
	add_size(out, base.len);
	add_size(out, target.len);
	for (size_t at = 0; at < target.len;) {
		size_t offset = 0, len = find(&offset, &t, base, bytes_from(target, at), at + shift);

		if (!len) {
			at++;
			continue;
		}
		add_insert(out, bytes_of(target.ptr + literal, at - literal));
		add_copy(out, offset, len);
		shift = offset - at; /* may wrap: it is only added again */
		at += len;
		literal = at;
	}
	add_insert(out, bytes_from(target, literal));
	free(t.slots);
}
