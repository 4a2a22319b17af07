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

struct entry {
	struct pack_entry at;
	size_t tree_at, tree_len; /* for trees: where its bytes lie, in the file or, when they are of several blocks, in trees */
};

/* In plain memory: there is nothing secret in it, and a buf would wipe megabytes each time that it grows. */
struct pack {
	uint8_t *file; /* its head is made when it is written */
	size_t len, room;
	struct buf trees;
	struct entry *entries;
	size_t count, cap;
	uint32_t *slots; /* hash table: index + 1 */
	size_t slot_count;
};

struct pack *pack_new(void)
{
	struct pack *pack = mem_alloc(sizeof(*pack));

	pack->slot_count = 1024;
	pack->slots = mem_alloc(pack->slot_count * sizeof(*pack->slots));
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
	free(pack->slots);
	free(pack);
	return NULL;
}

size_t pack_count(const struct pack *pack)
{
	return pack->count;
}

size_t pack_len(const struct pack *pack)
{
	return pack->len;
}

static size_t slot_of(const struct pack *pack, const git_oid *id)
{
	uint32_t hash;
	size_t at;

	memcpy(&hash, id->id, sizeof(hash)); /* an id is random enough as it is */
	for (at = hash % pack->slot_count; pack->slots[at]; at = (at + 1) % pack->slot_count)
		if (git_oid_equal(&pack->entries[pack->slots[at] - 1].at.id, id))
			break;
	return at;
}

static void grow(struct pack *pack)
{
	if (pack->count == pack->cap) {
		pack->cap = pack->cap ? pack->cap * 2 : 256;
		pack->entries = mem_grow(pack->entries, pack->cap * sizeof(*pack->entries));
	}
	if (pack->count * 2 < pack->slot_count)
		return;
	free(pack->slots);
	pack->slot_count *= 4;
	pack->slots = mem_alloc(pack->slot_count * sizeof(*pack->slots));
	for (size_t i = 0; i < pack->count; i++)
		pack->slots[slot_of(pack, &pack->entries[i].at.id)] = (uint32_t)i + 1;
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

/* git's name of an object. What we make ourselves is hashed by nettle, which is several times faster. */
static int hash_object(git_oid *out, git_object_t type, struct bytes data, struct error *err)
{
	struct sha1_ctx ctx;
	char head[32];
	int len;

	if (type == GIT_OBJECT_BLOB)
		return pack_name_blob(out, data, err);
	len = snprintf(head, sizeof(head), "%s %zu", git_object_type2string(type), data.len);
	sha1_init(&ctx);
	sha1_update(&ctx, (size_t)len + 1, (const uint8_t *)head);
	sha1_update(&ctx, data.len, data.ptr);
	sha1_digest(&ctx, SHA1_LEN, out->id);
	return 0;
}

/* What the next commit may ask for again. */
static void note_tree(struct pack *pack, struct entry *entry, struct bytes data)
{
	entry->tree_len = data.len;
	if (data.len <= STORED_MAX) {
		entry->tree_at = pack->len - SUM_LEN - data.len;
		return;
	}
	entry->tree_at = pack->trees.len;
	buf_add_bytes(&pack->trees, data);
}

static int add_object(struct pack *pack, const git_oid *id, git_object_t type, struct bytes data, struct error *err)
{
	size_t begin = pack->len, slot;
	struct entry entry = { .at.offset = (uint32_t)begin, .at.id = *id };

	if (pack->slots[slot_of(pack, id)])
		return 0;
	if (begin > 1U << 30)
		return error_set(err, E_LIMIT, "a pack over 1 GiB");
	grow(pack);
	slot = slot_of(pack, id);
	reserve(pack, data.len);
	put_head(pack, type, data.len);
	put_stored(pack, data);
	entry.at.crc = (uint32_t)crc32(0, pack->file + begin, (uInt)(pack->len - begin));
	if (type == GIT_OBJECT_TREE)
		note_tree(pack, &entry, data);
	pack->slots[slot] = (uint32_t)pack->count + 1;
	pack->entries[pack->count++] = entry;
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
	const struct entry *entry = slot ? &pack->entries[slot - 1] : NULL;

	if (!entry || !entry->tree_len)
		return false;
	*out = bytes_of((entry->tree_len <= STORED_MAX ? pack->file : pack->trees.ptr) + entry->tree_at, entry->tree_len);
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
	return git_oid_cmp(&((const struct pack_entry *)a)->id, &((const struct pack_entry *)b)->id);
}

/* Ids are random, so their first two bytes part them into small heaps, and hardly anything is left to be sorted. */
static struct pack_entry *sort_entries(const struct pack_entry *entries, size_t count)
{
	struct pack_entry *sorted = mem_alloc((count + 1) * sizeof(*sorted));
	_cleanup_(mem_freep) uint32_t *ends = mem_alloc(((1 << 16) + 1) * sizeof(*ends));
	size_t first = 0;

	for (size_t i = 0; i < count; i++)
		ends[(entries[i].id.id[0] << 8 | entries[i].id.id[1]) + 1]++;
	for (size_t i = 0; i < 1 << 16; i++)
		ends[i + 1] += ends[i];
	for (size_t i = 0; i < count; i++)
		sorted[ends[entries[i].id.id[0] << 8 | entries[i].id.id[1]]++] = entries[i];
	for (size_t i = 0; i < 1 << 16; first = ends[i++])
		if (ends[i] - first > 1)
			qsort(sorted + first, ends[i] - first, sizeof(*sorted), by_id);
	return sorted;
}

/* Fan-out, ids, CRCs, offsets, both trailers (gitformat-pack(5)). */
void pack_make_index(struct buf *out, const struct pack_entry *unsorted, size_t count, const uint8_t trailer[static 20])
{
	_cleanup_(mem_freep) struct pack_entry *entries = sort_entries(unsorted, count);
	size_t at = 0;

	buf_add(out, "\377tOc", 4);
	buf_add_u32be(out, 2);
	for (unsigned first = 0; first < 256; first++) {
		while (at < count && entries[at].id.id[0] <= first)
			at++;
		buf_add_u32be(out, (uint32_t)at);
	}
	for (size_t i = 0; i < count; i++)
		buf_add(out, entries[i].id.id, SHA1_LEN);
	for (size_t i = 0; i < count; i++)
		buf_add_u32be(out, entries[i].crc);
	for (size_t i = 0; i < count; i++)
		buf_add_u32be(out, entries[i].offset);
	buf_add(out, trailer, SHA1_LEN);
	buf_extend(out, SHA1_LEN);
	sha1_of(out->ptr + out->len - SHA1_LEN, bytes_of(out->ptr, out->len - SHA1_LEN));
}

static void make_index(struct buf *out, const struct pack *pack, const uint8_t *trailer)
{
	_cleanup_(mem_freep) struct pack_entry *entries = mem_alloc((pack->count + 1) * sizeof(*entries));

	for (size_t i = 0; i < pack->count; i++)
		entries[i] = pack->entries[i].at;
	pack_make_index(out, entries, pack->count, trailer);
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
	make_index(&index, pack, trailer);
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
