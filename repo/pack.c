/* repo/pack.c -- a git pack and its index, written by hand. */
#include "repo/pack.h"

#include "base/fs.h"

#include <nettle/sha1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { SHA1_LEN = 20, STORED_MAX = 65535, HEAD_LEN = 12, SUM_LEN = 4, BLOCK_HEAD = 5, OBJECT_HEAD_MAX = 10 + 2, ROOM_MIN = 64 << 10 };
enum { FEW = 16 }; /* ids that are sorted without a call */

/* Of a tree: where its bytes lie, in the file or, when they are of several blocks, in trees. Of another object: nothing. */
struct place {
	size_t at, len;
};

/* In plain memory: there is nothing secret in it, and a buf would wipe megabytes each time that it grows. */
struct pack {
	uint8_t *file; /* its head is made when it is written */
	size_t len, room;
	struct buf trees;
	struct pack_entry *entries;
	struct place *places; /* of entries */
	size_t count, cap;
	uint32_t *slots;   /* hash table: index + 1 */
	size_t slot_count; /* a power of two */
};

static size_t slot_of(const struct pack *pack, const git_oid *id)
{
	uint32_t hash;
	size_t at;

	memcpy(&hash, id->id, sizeof(hash)); /* an id is random enough as it is */
	for (at = hash & (pack->slot_count - 1); pack->slots[at]; at = (at + 1) & (pack->slot_count - 1))
		if (!memcmp(pack->entries[pack->slots[at] - 1].id.id, id->id, SHA1_LEN))
			break;
	return at;
}

/* Room for one more. */
static void grow(struct pack *pack)
{
	if (pack->count == pack->cap) {
		pack->cap = pack->cap ? pack->cap * 2 : 256;
		pack->entries = mem_grow(pack->entries, pack->cap * sizeof(*pack->entries));
		pack->places = mem_grow(pack->places, pack->cap * sizeof(*pack->places));
	}
	if (pack->count * 2 < pack->slot_count)
		return;
	free(pack->slots);
	pack->slot_count *= 4;
	pack->slots = mem_alloc(pack->slot_count * sizeof(*pack->slots));
	for (size_t i = 0; i < pack->count; i++)
		pack->slots[slot_of(pack, &pack->entries[i].id)] = (uint32_t)i + 1;
}

struct pack *pack_new(void)
{
	struct pack *pack = mem_alloc(sizeof(*pack));

	pack->slot_count = 1024;
	pack->slots = mem_alloc(pack->slot_count * sizeof(*pack->slots));
	grow(pack);
	pack->file = mem_grow(NULL, ROOM_MIN);
	pack->room = ROOM_MIN;
	pack->len = HEAD_LEN;
	return pack;
}

struct pack *pack_free(struct pack *pack)
{
	if (!pack)
		return NULL;
	free(pack->file);
	buf_done(&pack->trees);
	free(pack->entries);
	free(pack->places);
	free(pack->slots);
	free(pack);
	return NULL;
}

void pack_expect(struct pack *pack, size_t len)
{
	if (pack->count || len <= pack->room)
		return;
	free(pack->file);
	pack->file = mem_large(len);
	pack->room = len;
}

size_t pack_count(const struct pack *pack)
{
	return pack->count;
}

size_t pack_len(const struct pack *pack)
{
	return pack->len;
}

/* Room for an object of so many bytes, and for the trailer. */
static void reserve(struct pack *pack, size_t len)
{
	size_t needed = pack->len + OBJECT_HEAD_MAX + len + (len / STORED_MAX + 1) * BLOCK_HEAD + SUM_LEN + SHA1_LEN;

	if (needed <= pack->room)
		return;
	pack->room = needed + needed / 2;
	pack->file = mem_grow(pack->file, pack->room);
}

static void put(struct pack *pack, const void *data, size_t len)
{
	memcpy(pack->file + pack->len, data, len);
	pack->len += len;
}

/* Type and length in 7-bit groups, the first with 4 bits of length. */
static void put_head(struct pack *pack, git_object_t type, size_t len)
{
	uint8_t c = (uint8_t)((unsigned)type << 4 | (len & 15));

	for (len >>= 4; len; len >>= 7) {
		pack->file[pack->len++] = c | 0x80;
		c = len & 0x7f;
	}
	pack->file[pack->len++] = c;
}

/* A zlib stream of stored blocks (RFC 1950, RFC 1951 section 3.2.4). What is sealed does not deflate, hashes hardly do, and the text of
 * statements is made small when packs are merged: here it would only keep senders waiting. */
static void put_stored(struct pack *pack, struct bytes data)
{
	uint32_t sum = (uint32_t)adler32(adler32(0, NULL, 0), data.ptr, (uInt)data.len);
	uint8_t end[SUM_LEN] = { (uint8_t)(sum >> 24), (uint8_t)(sum >> 16), (uint8_t)(sum >> 8), (uint8_t)sum };

	put(pack, "\x78\x01", 2);
	do {
		size_t len = data.len < STORED_MAX ? data.len : STORED_MAX;
		uint8_t head[BLOCK_HEAD] = { len == data.len, (uint8_t)len, (uint8_t)(len >> 8), (uint8_t)~len, (uint8_t)(~len >> 8) };

		put(pack, head, sizeof(head));
		if (len)
			put(pack, data.ptr, len);
		data = bytes_from(data, len);
	} while (data.len);
	put(pack, end, sizeof(end));
}

/* What devices send is hashed by libgit2, which knows attacks on SHA-1. */
int pack_name_blob(git_oid *out, struct bytes data, struct error *err)
{
	if (git_odb_hash(out, data.ptr, data.len, GIT_OBJECT_BLOB) < 0)
		return error_set(err, E_FORMAT,
				 "an object of %zu bytes is made to collide with another one under SHA-1: git would refuse it", data.len);
	return 0;
}

/* "tree 123" and its NUL, as git hashes them in front of an object; returns how long they are. By hand: there are several for every
 * snapshot. */
static size_t make_head(char out[static 32], git_object_t type, size_t len)
{
	const char *name = git_object_type2string(type);
	size_t name_len = strlen(name), digits = 1;

	for (size_t rest = len; rest >= 10; rest /= 10)
		digits++;
	memcpy(out, name, name_len);
	out[name_len] = ' ';
	for (size_t i = digits; i; i--, len /= 10)
		out[name_len + i] = (char)('0' + len % 10);
	out[name_len + 1 + digits] = 0;
	return name_len + digits + 2;
}

/* git's name of an object. What we make ourselves is hashed by nettle, which is several times faster. */
static int hash_object(git_oid *out, git_object_t type, struct bytes data, struct error *err)
{
	struct sha1_ctx ctx;
	char head[32];

	if (type == GIT_OBJECT_BLOB)
		return pack_name_blob(out, data, err);
	sha1_init(&ctx);
	sha1_update(&ctx, make_head(head, type, data.len), (const uint8_t *)head);
	sha1_update(&ctx, data.len, data.ptr);
	sha1_digest(&ctx, SHA1_LEN, out->id);
	return 0;
}

/* What the next commit may ask for again. */
static struct place place_of_tree(struct pack *pack, struct bytes data)
{
	struct place place = { pack->len - SUM_LEN - data.len, data.len };

	if (data.len > STORED_MAX) {
		place.at = pack->trees.len;
		buf_add_bytes(&pack->trees, data);
	}
	return place;
}

static int add_object(struct pack *pack, const git_oid *id, git_object_t type, struct bytes data, struct error *err)
{
	struct pack_entry entry = { .offset = (uint32_t)pack->len, .id = *id };
	size_t begin = pack->len, slot = slot_of(pack, id);

	if (pack->slots[slot])
		return 0;
	if (begin > 1U << 30)
		return error_set(err, E_LIMIT, "a pack over 1 GiB");
	pack->slots[slot] = (uint32_t)pack->count + 1;
	reserve(pack, data.len);
	put_head(pack, type, data.len);
	put_stored(pack, data);
	entry.crc = (uint32_t)crc32(0, pack->file + begin, (uInt)(pack->len - begin));
	pack->places[pack->count] = type == GIT_OBJECT_TREE ? place_of_tree(pack, data) : (struct place){ 0 };
	pack->entries[pack->count++] = entry;
	grow(pack);
	return 0;
}

int pack_add_named(struct pack *pack, const git_oid *id, struct bytes blob, struct error *err)
{
	return add_object(pack, id, GIT_OBJECT_BLOB, blob, err);
}

int pack_add(git_oid *out, struct pack *pack, git_object_t type, struct bytes data, struct error *err)
{
	return hash_object(out, type, data, err) < 0 ? err->code : add_object(pack, out, type, data, err);
}

bool pack_tree(struct bytes *out, const struct pack *pack, const git_oid *id)
{
	uint32_t slot = pack->slots[slot_of(pack, id)];
	const struct place *place = slot ? &pack->places[slot - 1] : NULL;

	if (!place || !place->len)
		return false;
	*out = bytes_of((place->len <= STORED_MAX ? pack->file : pack->trees.ptr) + place->at, place->len);
	return true;
}

static void sha1_of(uint8_t out[static SHA1_LEN], struct bytes over)
{
	struct sha1_ctx ctx;

	sha1_init(&ctx);
	sha1_update(&ctx, over.len, over.ptr);
	sha1_digest(&ctx, SHA1_LEN, out);
}

static int by_id(const void *a, const void *b)
{
	return memcmp(((const struct pack_entry *)a)->id.id, ((const struct pack_entry *)b)->id.id, SHA1_LEN);
}

static void sort_few(struct pack_entry *entries, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct pack_entry entry = entries[i];
		size_t at = i;

		for (; at && by_id(&entries[at - 1], &entry) > 0; at--)
			entries[at] = entries[at - 1];
		entries[at] = entry;
	}
}

/* Ids are random, so their first two bytes part them into small heaps, and hardly anything is left to be sorted. */
static struct pack_entry *sort_entries(const struct pack_entry *entries, size_t count)
{
	struct pack_entry *sorted = mem_grow(NULL, (count + 1) * sizeof(*sorted));
	_cleanup_(mem_freep) uint32_t *ends = mem_alloc(((1 << 16) + 1) * sizeof(*ends));
	size_t first = 0;

	for (size_t i = 0; i < count; i++)
		ends[(entries[i].id.id[0] << 8 | entries[i].id.id[1]) + 1]++;
	for (size_t i = 0; i < 1 << 16; i++)
		ends[i + 1] += ends[i];
	for (size_t i = 0; i < count; i++)
		sorted[ends[entries[i].id.id[0] << 8 | entries[i].id.id[1]]++] = entries[i];
	for (size_t i = 0; i < 1 << 16; first = ends[i++]) {
		if (ends[i] - first > FEW) /* somebody has made them so */
			qsort(sorted + first, ends[i] - first, sizeof(*sorted), by_id);
		else
			sort_few(sorted + first, ends[i] - first);
	}
	return sorted;
}

static void put_u32be(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
}

/* Ids, CRCs, offsets. */
static void add_columns(struct buf *out, const struct pack_entry *entries, size_t count)
{
	uint8_t *ids = buf_extend(out, count * (SHA1_LEN + 4 + 4));
	uint8_t *crcs = ids + count * SHA1_LEN, *offsets = crcs + count * 4;

	for (size_t i = 0; i < count; i++) {
		memcpy(ids + i * SHA1_LEN, entries[i].id.id, SHA1_LEN);
		put_u32be(crcs + i * 4, entries[i].crc);
		put_u32be(offsets + i * 4, entries[i].offset);
	}
}

/* Fan-out, ids, CRCs, offsets, both trailers (gitformat-pack(5)). */
void pack_make_index(struct buf *out, const struct pack_entry *unsorted, size_t count, const uint8_t trailer[static 20])
{
	_cleanup_(mem_freep) struct pack_entry *entries = sort_entries(unsorted, count);
	size_t at = 0;

	buf_reserve(out, 8 + 256 * 4 + count * (SHA1_LEN + 4 + 4) + 2 * SHA1_LEN);
	buf_add(out, "\377tOc", 4);
	buf_add_u32be(out, 2);
	for (unsigned first = 0; first < 256; first++) {
		while (at < count && entries[at].id.id[0] <= first)
			at++;
		buf_add_u32be(out, (uint32_t)at);
	}
	add_columns(out, entries, count);
	buf_add(out, trailer, SHA1_LEN);
	buf_extend(out, SHA1_LEN);
	sha1_of(out->ptr + out->len - SHA1_LEN, bytes_of(out->ptr, out->len - SHA1_LEN));
}

static void finish_file(struct pack *pack)
{
	_cleanup_(buf_done) struct buf head = { 0 };

	buf_add_str(&head, "PACK");
	buf_add_u32be(&head, 2);
	buf_add_u32be(&head, (uint32_t)pack->count);
	memcpy(pack->file, head.ptr, HEAD_LEN);
	reserve(pack, 0);
	sha1_of(pack->file + pack->len, bytes_of(pack->file, pack->len));
	pack->len += SHA1_LEN;
}

int pack_write(struct pack *pack, const char *folder, struct error *err)
{
	_cleanup_(buf_done) struct buf index = { 0 };
	_cleanup_(mem_freep) char *pack_path = NULL, *index_path = NULL;
	const uint8_t *trailer;
	char name[2 * SHA1_LEN + 1];

	finish_file(pack);
	trailer = pack->file + pack->len - SHA1_LEN;
	pack_make_index(&index, pack->entries, pack->count, trailer);
	hex_encode(name, trailer, SHA1_LEN);
	pack_path = mem_printf("%s/pack-%s.pack", folder, name);
	index_path = mem_printf("%s/pack-%s.idx", folder, name);
	/* the pack first: an index makes git look for its pack */
	if (fs_write(pack_path, bytes_of(pack->file, pack->len), 0444, err) < 0)
		return err->code;
	if (fs_write(index_path, buf_bytes(&index), 0444, err) < 0) {
		struct error ignored;

		if (fs_remove(pack_path, &ignored) < 0)
			return err->code; /* an unused pack stays: harmless */
		return err->code;
	}
	return 0;
}
