/* repo/merge.c -- many small packs become one. */
#include "repo/merge.h"

#include "base/fs.h"
#include "repo/pack.h"

#include <dirent.h>
#include <fcntl.h>
#include <nettle/sha1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
	MERGE_MIN = 32,           /* fewer are not worth it */
	MERGED_MAX = 512 << 20,   /* bytes of a merged pack; offsets fit 31 bits */
	INDEX_MAX = 256 << 20,
	SHA1_LEN = 20,
	PACK_HEAD = 12,
	INDEX_HEAD = 8 + 256 * 4,
	TYPE_OFS_DELTA = 6,
	TYPE_REF_DELTA = 7,
	COPY_BYTES = 1 << 20,
};

struct object {
	struct pack_entry at;
	uint32_t len; /* in its pack, head included */
	unsigned source;
};

struct source {
	char name[64]; /* "pack-<id>" */
	size_t len;
	const uint8_t *map; /* NULL: not open */
	struct object *objects;
	size_t count;
};

struct merge {
	const char *folder;
	struct source *sources;
	size_t count, cap;
};

static void merge_done(struct merge *m)
{
	for (size_t i = 0; i < m->count; i++) {
		if (m->sources[i].map)
			munmap((void *)(uintptr_t)m->sources[i].map, m->sources[i].len);
		free(m->sources[i].objects);
	}
	free(m->sources);
}

static char *path_of(const struct merge *m, const struct source *s, const char *suffix)
{
	return mem_printf("%s/%s%s", m->folder, s->name, suffix);
}

/* ---- which ---- */

static void consider(struct merge *m, const char *file)
{
	const char *dot = strrchr(file, '.');
	struct source s = { 0 };
	struct stat st;

	if (!dot || strcmp(dot, ".idx") != 0 || strncmp(file, "pack-", 5) != 0 || (size_t)(dot - file) >= sizeof(s.name))
		return;
	memcpy(s.name, file, (size_t)(dot - file));
	{
		_cleanup_(mem_freep) char *pack = path_of(m, &s, ".pack"), *keep = path_of(m, &s, ".keep");

		if (stat(pack, &st) < 0 || st.st_size < PACK_HEAD + SHA1_LEN || st.st_size > MERGED_MAX || access(keep, F_OK) == 0)
			return;
	}
	s.len = (size_t)st.st_size;
	if (m->count == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 64;
		m->sources = mem_grow(m->sources, m->cap * sizeof(*m->sources));
	}
	m->sources[m->count++] = s;
}

static int by_len(const void *a, const void *b)
{
	const struct source *x = a, *y = b;

	return x->len < y->len ? -1 : x->len > y->len;
}

static int list_packs(struct merge *m, struct error *err)
{
	DIR *dir = opendir(m->folder);
	struct dirent *entry;

	if (!dir)
		return error_sys(err, "cannot read folder '%s'", m->folder);
	while ((entry = readdir(dir)))
		consider(m, entry->d_name);
	closedir(dir);
	if (m->count)
		qsort(m->sources, m->count, sizeof(*m->sources), by_len);
	return 0;
}

/* The smallest ones, as long as the next is not more than twice what they are together. */
static size_t choose(const struct merge *m)
{
	size_t sum = 0, n = 0;

	while (n < m->count && (n < 2 || m->sources[n].len <= 2 * sum) && sum + m->sources[n].len <= MERGED_MAX)
		sum += m->sources[n++].len;
	return n >= MERGE_MIN ? n : 0;
}

/* ---- reading ---- */

static int damaged(const struct source *s, const char *what, struct error *err)
{
	return error_set(err, E_FORMAT, "pack '%s' is damaged (%s): run git fsck, restore it from a mirror", s->name, what);
}

static int by_offset(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	return x->at.offset < y->at.offset ? -1 : x->at.offset > y->at.offset;
}

static int take_index(struct source *s, struct bytes in, unsigned number, struct error *err)
{
	struct reader ids, crcs, offsets;
	struct reader head = reader_over(in);
	size_t n;

	if (read_u32(&head) != 0xff744f63 || read_u32(&head) != 2 || in.len < INDEX_HEAD + 2 * SHA1_LEN)
		return damaged(s, "its index", err);
	head = reader_over(bytes_from(in, INDEX_HEAD - 4));
	n = read_u32(&head);
	if (n > s->len || in.len != INDEX_HEAD + n * (SHA1_LEN + 8) + 2 * SHA1_LEN)
		return damaged(s, "its index", err);
	s->objects = mem_alloc((n + 1) * sizeof(*s->objects));
	s->count = n;
	ids = reader_over(bytes_from(in, INDEX_HEAD));
	crcs = reader_over(bytes_from(in, INDEX_HEAD + n * SHA1_LEN));
	offsets = reader_over(bytes_from(in, INDEX_HEAD + n * (SHA1_LEN + 4)));
	for (size_t i = 0; i < n; i++) {
		struct object *o = &s->objects[i];

		git_oid_fromraw(&o->at.id, read_bytes(&ids, SHA1_LEN).ptr);
		o->at.crc = read_u32(&crcs);
		o->at.offset = read_u32(&offsets);
		o->source = number;
	}
	qsort(s->objects, n, sizeof(*s->objects), by_offset);
	return 0;
}

static int map_pack(struct merge *m, struct source *s, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_of(m, s, ".pack");
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, "cannot open '%s'", path);
	if ((size_t)st.st_size != s->len)
		return damaged(s, "its length changed", err);
	map = mmap(NULL, s->len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return error_sys(err, "cannot map '%s'", path);
	s->map = map;
	return 0;
}

/* Each object ends where the next begins. 1: there are deltas. */
static int measure(struct source *s, struct error *err)
{
	for (size_t i = 0; i < s->count; i++) {
		struct object *o = &s->objects[i];
		size_t end = i + 1 < s->count ? s->objects[i + 1].at.offset : s->len - SHA1_LEN;
		unsigned type;

		if (o->at.offset < PACK_HEAD || end > s->len - SHA1_LEN || o->at.offset >= end)
			return damaged(s, "its index", err);
		type = s->map[o->at.offset] >> 4 & 7;
		if (type == TYPE_OFS_DELTA || type == TYPE_REF_DELTA)
			return 1;
		o->len = (uint32_t)(end - o->at.offset);
		if (crc32(0, s->map + o->at.offset, o->len) != o->at.crc)
			return damaged(s, "the CRC of an object", err);
	}
	return 0;
}

static int read_source(struct merge *m, unsigned number, struct error *err)
{
	struct source *s = &m->sources[number];
	_cleanup_(mem_freep) char *path = path_of(m, s, ".idx");
	_cleanup_(buf_done) struct buf index = { 0 };
	int r = fs_read(&index, path, INDEX_MAX, err);

	if (r != 0)
		return r < 0 ? r : damaged(s, "its index is gone", err);
	if (take_index(s, buf_bytes(&index), number, err) < 0 || map_pack(m, s, err) < 0)
		return err->code;
	return measure(s, err);
}

static void drop_source(struct merge *m, size_t i)
{
	struct merge one = { .sources = mem_alloc(sizeof(struct source)), .count = 1 };

	one.sources[0] = m->sources[i];
	merge_done(&one);
	memmove(&m->sources[i], &m->sources[i + 1], (--m->count - i) * sizeof(*m->sources));
}

/* Reads the first n; those with deltas and damaged ones fall out. */
static int read_sources(struct merge *m, size_t n, struct error *damage, struct error *err)
{
	for (size_t i = 0; i < n;) {
		int r = read_source(m, (unsigned)i, err);

		if (r < 0 && r != E_FORMAT)
			return r;
		if (r < 0)
			*damage = *err;
		if (r) {
			drop_source(m, i);
			n--;
		} else {
			i++;
		}
	}
	return (int)n;
}

/* ---- writing ---- */

static int by_id(const void *a, const void *b)
{
	const struct object *x = a, *y = b;
	int r = git_oid_cmp(&x->at.id, &y->at.id);

	return r ? r : (int)x->source - (int)y->source;
}

static int by_place(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	return x->source != y->source ? (int)x->source - (int)y->source : by_offset(a, b);
}

/* Each object once, in the order of the packs. */
static size_t gather(struct object **out, const struct merge *m, size_t sources)
{
	struct object *all;
	size_t total = 0, n = 0;

	for (size_t i = 0; i < sources; i++)
		total += m->sources[i].count;
	all = mem_alloc((total + 1) * sizeof(*all));
	total = 0;
	for (size_t i = 0; i < sources; i++) {
		memcpy(all + total, m->sources[i].objects, m->sources[i].count * sizeof(*all));
		total += m->sources[i].count;
	}
	qsort(all, total, sizeof(*all), by_id);
	for (size_t i = 0; i < total; i++)
		if (!n || !git_oid_equal(&all[i].at.id, &all[n - 1].at.id))
			all[n++] = all[i];
	qsort(all, n, sizeof(*all), by_place);
	*out = all;
	return n;
}

struct output {
	int fd;
	struct buf waiting;
	struct sha1_ctx sha1;
	size_t len;
};

static int drain(struct output *o, struct error *err)
{
	if (fd_write_all(o->fd, buf_bytes(&o->waiting), err) < 0)
		return err->code;
	buf_truncate(&o->waiting, 0);
	return 0;
}

static int put(struct output *o, struct bytes in, struct error *err)
{
	sha1_update(&o->sha1, in.len, in.ptr);
	buf_add_bytes(&o->waiting, in);
	o->len += in.len;
	return o->waiting.len < COPY_BYTES ? 0 : drain(o, err);
}

static int write_pack(struct output *o, const struct merge *m, struct object *objects, size_t count, uint8_t trailer[static SHA1_LEN], struct error *err)
{
	_cleanup_(buf_done) struct buf head = { 0 };

	buf_add_str(&head, "PACK");
	buf_add_u32be(&head, 2);
	buf_add_u32be(&head, (uint32_t)count);
	sha1_init(&o->sha1);
	if (put(o, buf_bytes(&head), err) < 0)
		return err->code;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *from = m->sources[objects[i].source].map + objects[i].at.offset;

		objects[i].at.offset = (uint32_t)o->len;
		if (put(o, bytes_of(from, objects[i].len), err) < 0)
			return err->code;
	}
	sha1_digest(&o->sha1, SHA1_LEN, trailer);
	buf_add(&o->waiting, trailer, SHA1_LEN);
	if (drain(o, err) < 0)
		return err->code;
	if (fchmod(o->fd, 0444) < 0 || fsync(o->fd) < 0)
		return error_sys(err, "cannot sync the merged pack");
	return 0;
}

static int write_index(const char *path, const struct object *objects, size_t count, const uint8_t trailer[static SHA1_LEN], struct error *err)
{
	_cleanup_(mem_freep) struct pack_entry *entries = mem_alloc((count + 1) * sizeof(*entries));
	_cleanup_(buf_done) struct buf index = { 0 };

	for (size_t i = 0; i < count; i++)
		entries[i] = objects[i].at;
	pack_make_index(&index, entries, count, trailer);
	return fs_write(path, buf_bytes(&index), 0444, err);
}

/* The pack first: an index makes git look for its pack. */
static int write_merged(char name[static 64], const struct merge *m, struct object *objects, size_t count, struct error *err)
{
	_cleanup_(mem_freep) char *tmp = mem_printf("%s/merged.tmp-XXXXXX", m->folder), *pack = NULL, *index = NULL;
	_cleanup_(fd_closep) int fd = mkostemp(tmp, O_CLOEXEC);
	struct output out = { .fd = fd };
	uint8_t trailer[SHA1_LEN];
	int r;

	if (fd < 0)
		return error_sys(err, "cannot make a file in '%s'", m->folder);
	r = write_pack(&out, m, objects, count, trailer, err);
	buf_done(&out.waiting);
	memcpy(name, "pack-", 5);
	hex_encode(name + 5, trailer, SHA1_LEN);
	pack = mem_printf("%s/%s.pack", m->folder, name);
	index = mem_printf("%s/%s.idx", m->folder, name);
	if (r == 0 && rename(tmp, pack) < 0)
		r = error_sys(err, "cannot rename '%s'", tmp);
	if (r < 0) {
		unlink(tmp);
		return r;
	}
	r = write_index(index, objects, count, trailer, err); /* syncs the folder, too */
	if (r < 0)
		unlink(pack);
	return r;
}

/* The pack before its index: git passes over an index without a pack, and it is the smaller thing to be left by a stop in between. */
static void remove_sources(const struct merge *m, size_t n, const char *name)
{
	static const char *const suffixes[] = { ".pack", ".idx", ".rev", ".bitmap" };
	_cleanup_(mem_freep) char *multi = mem_printf("%s/multi-pack-index", m->folder);

	unlink(multi); /* it names packs that go now; git makes it anew */
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(m->sources[i].name, name))
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(suffixes); k++) {
			_cleanup_(mem_freep) char *path = path_of(m, &m->sources[i], suffixes[k]);

			unlink(path);
		}
	}
}

int merge_small_packs(const char *folder, struct error *damage, struct error *err)
{
	_cleanup_(merge_done) struct merge m = { .folder = folder };
	_cleanup_(mem_freep) struct object *objects = NULL;
	char name[64] = "";
	size_t count;
	int n;

	damage->code = 0;
	if (list_packs(&m, err) < 0)
		return err->code;
	n = (int)choose(&m);
	if (n)
		n = read_sources(&m, (size_t)n, damage, err);
	if (n < 2)
		return n < 0 ? n : 0;
	count = gather(&objects, &m, (size_t)n);
	if (write_merged(name, &m, objects, count, err) < 0)
		return err->code;
	remove_sources(&m, (size_t)n, name);
	return fs_sync_dir(folder, err) < 0 ? err->code : n;
}
