/* repo/merge.c -- many small packs become one. */
#include "repo/merge.h"

#include "base/fs.h"
#include "repo/delta.h"
#include "repo/kin.h"
#include "repo/pack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum {
	MERGE_MIN = 32,           /* fewer are not worth it, */
	FULL_MIN = 4,             /* unless there is no room for another one */
	MERGED_MAX = 512 << 20,   /* bytes of a merged pack; offsets fit 31 bits */
	INDEX_MAX = 256 << 20,
	SHA1_LEN = 20,
	PACK_HEAD = 12,
	INDEX_HEAD = 8 + 256 * 4,
	TYPE_OFS_DELTA = 6,
	TYPE_REF_DELTA = 7,
	COPY_BYTES = 2 << 20,     /* written and synced at a time: the journal's syncs do not wait for a whole pack */
	DELTA_MAX = 1 << 20,      /* bytes of an object that is made a delta, or is the base of one */
};

struct object {
	struct pack_entry at; /* where it lies; once it is copied, where it lies in the merged pack */
	uint32_t old, len;    /* in its own pack, head included */
	uint32_t base;        /* place of its base there; 0: it is whole */
	unsigned source;
};

struct source {
	char name[MERGED_NAME]; /* "pack-<id>" */
	size_t len;
	const uint8_t *map; /* NULL: not open */
	struct object *objects;
	size_t count;
};

struct merge {
	const char *folder;
	const atomic_bool *stop;
	struct source *sources;
	size_t count, cap;
	struct object *objects; /* each once, in the order in which they are copied */
	uint32_t *by_id;        /* their indexes, sorted */
	size_t object_count;
};

static void merge_done(struct merge *m)
{
	for (size_t i = 0; i < m->count; i++) {
		if (m->sources[i].map)
			munmap((void *)(uintptr_t)m->sources[i].map, m->sources[i].len);
		free(m->sources[i].objects);
	}
	free(m->sources);
	free(m->objects);
	free(m->by_id);
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

/* From the smallest one on, up to where a row ends that is long enough: one in which none is more than twice what those before it are
 * together. What is smaller than the row goes along. Of large ones a merged pack takes no long row: then as many as make it full. Or all
 * that fit, when somebody asked for it. */
static size_t choose(const struct merge *m, bool all)
{
	size_t sum = 0, n = 0, row = 0, chosen = 0;

	while (n < m->count && sum + m->sources[n].len <= MERGED_MAX) {
		row = m->sources[n].len <= 2 * sum ? row + 1 : 1;
		sum += m->sources[n++].len;
		if (row >= MERGE_MIN)
			chosen = n;
	}
	if (all)
		return n >= 2 ? n : 0;
	return n < m->count && row >= FULL_MIN ? n : chosen;
}

/* ---- reading ---- */

static int damaged(const struct source *s, const char *what, struct error *err)
{
	return error_set(err, E_FORMAT, "pack '%s' is damaged (%s): run git fsck, restore it from a mirror", s->name, what);
}

static int by_offset(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	return x->old < y->old ? -1 : x->old > y->old;
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
		o->at.offset = o->old = read_u32(&offsets);
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

/* What stands before an object's bytes. */
struct head {
	unsigned type;
	size_t size;     /* of the object, or of the delta */
	size_t len;      /* of type and size */
	size_t distance; /* back to the base of a delta */
	size_t full_len; /* with the distance */
};

/* Type and size, then for a delta the distance to its base (gitformat-pack(5)). False: it is cut short. */
static bool read_head(struct head *out, struct bytes in)
{
	struct reader rd = reader_over(in);
	unsigned shift = 4;
	uint8_t c = read_u8(&rd);

	*out = (struct head){ .type = c >> 4 & 7, .size = c & 15 };
	while (c & 0x80 && shift < 40 && !rd.short_read) {
		c = read_u8(&rd);
		out->size |= (size_t)(c & 0x7f) << shift;
		shift += 7;
	}
	out->len = out->full_len = in.len - rd.rest.len;
	if (out->type != TYPE_OFS_DELTA)
		return !rd.short_read && !(c & 0x80);
	c = read_u8(&rd);
	out->distance = c & 0x7f;
	while (c & 0x80 && out->distance < 1U << 31 && !rd.short_read) {
		c = read_u8(&rd);
		out->distance = (out->distance + 1) << 7 | (c & 0x7f);
	}
	out->full_len = in.len - rd.rest.len;
	return !rd.short_read;
}

static const struct object *find_old(const struct source *s, size_t offset)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (s->objects[mid].old < offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low < s->count && s->objects[low].old == offset ? &s->objects[low] : NULL;
}

static int measure_one(const struct source *s, struct object *o, struct error *err)
{
	struct head head;

	if (!read_head(&head, bytes_of(s->map + o->old, o->len)))
		return damaged(s, "the head of an object", err);
	if (crc32(0, s->map + o->old, o->len) != o->at.crc)
		return damaged(s, "the CRC of an object", err);
	if (head.type == TYPE_REF_DELTA)
		return 1; /* ours are not, and git writes them only to send them */
	if (head.type != TYPE_OFS_DELTA)
		return 0;
	if (head.distance >= o->old || !find_old(s, o->old - head.distance))
		return damaged(s, "the base of a delta", err);
	o->base = o->old - (uint32_t)head.distance;
	return 0;
}

/* Each object ends where the next begins. 1: it is none of ours. */
static int measure(struct source *s, struct error *err)
{
	for (size_t i = 0; i < s->count; i++) {
		struct object *o = &s->objects[i];
		size_t end = i + 1 < s->count ? s->objects[i + 1].old : s->len - SHA1_LEN;
		int r;

		if (o->old < PACK_HEAD || end > s->len - SHA1_LEN || o->old >= end)
			return damaged(s, "its index", err);
		o->len = (uint32_t)(end - o->old);
		r = measure_one(s, o, err);
		if (r)
			return r;
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

static int id_of_index(const void *a, const void *b, void *ctx)
{
	const struct object *objects = ctx;

	return git_oid_cmp(&objects[*(const uint32_t *)a].at.id, &objects[*(const uint32_t *)b].at.id);
}

/* Each object once, in the order of the packs. Of one that is there twice the first stays, so a base is always before its deltas. */
static void gather(struct merge *m, size_t sources)
{
	size_t total = 0, n = 0;

	for (size_t i = 0; i < sources; i++)
		total += m->sources[i].count;
	m->objects = mem_alloc((total + 1) * sizeof(*m->objects));
	total = 0;
	for (size_t i = 0; i < sources; i++) {
		memcpy(m->objects + total, m->sources[i].objects, m->sources[i].count * sizeof(*m->objects));
		total += m->sources[i].count;
	}
	qsort(m->objects, total, sizeof(*m->objects), by_id);
	for (size_t i = 0; i < total; i++)
		if (!n || !git_oid_equal(&m->objects[i].at.id, &m->objects[n - 1].at.id))
			m->objects[n++] = m->objects[i];
	qsort(m->objects, n, sizeof(*m->objects), by_place);
	m->object_count = n;
	m->by_id = mem_alloc((n + 1) * sizeof(*m->by_id));
	for (size_t i = 0; i < n; i++)
		m->by_id[i] = (uint32_t)i;
	qsort_r(m->by_id, n, sizeof(*m->by_id), id_of_index, m->objects);
}

static const struct object *find_id(const struct merge *m, const git_oid *id)
{
	size_t low = 0, high = m->object_count;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int r = git_oid_cmp(&m->objects[m->by_id[mid]].at.id, id);

		if (!r)
			return &m->objects[m->by_id[mid]];
		if (r < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

struct output {
	int fd;
	struct buf waiting, data, base, delta, piece; /* used again for each object */
	z_stream deflate, inflate;
	struct kin kin;
	struct sha1_ctx sha1;
	size_t len;
};

static int output_init(struct output *o, int fd, size_t objects, struct error *err)
{
	o->fd = fd;
	kin_init(&o->kin, objects);
	sha1_init(&o->sha1);
	if (deflateInit(&o->deflate, 6) != Z_OK || inflateInit(&o->inflate) != Z_OK)
		return error_set(err, E_SYS, "zlib cannot begin");
	return 0;
}

static void output_done(struct output *o)
{
	buf_done(&o->waiting);
	buf_done(&o->data);
	buf_done(&o->base);
	buf_done(&o->delta);
	buf_done(&o->piece);
	deflateEnd(&o->deflate);
	inflateEnd(&o->inflate);
	kin_done(&o->kin);
}

static int drain(struct output *o, struct error *err)
{
	if (fd_write_all(o->fd, buf_bytes(&o->waiting), err) < 0)
		return err->code;
	if (fdatasync(o->fd) < 0)
		return error_sys(err, "cannot sync the merged pack");
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

/* The bytes of a whole object. False: they are not what their head says. */
static bool unpack(struct buf *out, struct output *o, struct bytes in, const struct head *head)
{
	struct bytes body = bytes_from(in, head->full_len);

	buf_truncate(out, 0);
	inflateReset(&o->inflate);
	o->inflate.next_in = (Bytef *)(uintptr_t)body.ptr;
	o->inflate.avail_in = (uInt)body.len;
	o->inflate.next_out = buf_extend(out, head->size + 1);
	o->inflate.avail_out = (uInt)head->size + 1;
	if (inflate(&o->inflate, Z_FINISH) != Z_STREAM_END || o->inflate.total_out != head->size)
		return false;
	buf_truncate(out, head->size);
	return true;
}

static int add_deflated(struct output *o, struct bytes data, struct error *err)
{
	size_t begin = o->piece.len, bound = deflateBound(&o->deflate, data.len);

	deflateReset(&o->deflate);
	o->deflate.next_in = (Bytef *)(uintptr_t)data.ptr;
	o->deflate.avail_in = (uInt)data.len;
	o->deflate.next_out = buf_extend(&o->piece, bound);
	o->deflate.avail_out = (uInt)bound;
	if (deflate(&o->deflate, Z_FINISH) != Z_STREAM_END)
		return error_set(err, E_SYS, "zlib cannot deflate %zu bytes", data.len);
	buf_truncate(&o->piece, begin + o->deflate.total_out);
	return 0;
}

/* Type and size, in 7-bit groups, the first with 4 bits of size. */
static void add_head(struct buf *out, unsigned type, size_t size)
{
	uint8_t c = (uint8_t)(type << 4 | (size & 15));

	for (size >>= 4; size; size >>= 7) {
		buf_add_char(out, (char)(c | 0x80));
		c = size & 0x7f;
	}
	buf_add_char(out, (char)c);
}

static void add_distance(struct buf *out, size_t distance)
{
	uint8_t rev[10];
	size_t n = 0;

	rev[n++] = distance & 0x7f;
	while (distance >>= 7)
		rev[n++] = (uint8_t)(0x80 | (--distance & 0x7f));
	while (n)
		buf_add_char(out, (char)rev[--n]);
}

/* One that was a delta already: only the distance to its base changes. */
static int copy_delta(struct output *o, const struct merge *m, const struct object *object, struct bytes in, const struct head *head,
		      struct error *err)
{
	const struct source *s = &m->sources[object->source];
	const struct object *old = find_old(s, object->base), *base = old ? find_id(m, &old->at.id) : NULL;

	if (!base || base >= object)
		return damaged(s, "the base of a delta", err);
	buf_add(&o->piece, in.ptr, head->len);
	add_distance(&o->piece, o->len - base->at.offset);
	buf_add_bytes(&o->piece, bytes_from(in, head->full_len));
	return 0;
}

/* The bytes of an object in its own pack. */
static struct bytes bytes_in(const struct merge *m, const struct object *o)
{
	return bytes_of(m->sources[o->source].map + o->old, o->len);
}

static int make_delta(struct output *o, const struct merge *m, const struct object *base, struct error *err)
{
	struct bytes in = bytes_in(m, base);
	struct head head;

	if (!read_head(&head, in) || !unpack(&o->base, o, in, &head))
		return damaged(&m->sources[base->source], "an object", err);
	buf_truncate(&o->delta, 0);
	delta_make(&o->delta, buf_bytes(&o->base), buf_bytes(&o->data));
	add_head(&o->piece, TYPE_OFS_DELTA, o->delta.len);
	add_distance(&o->piece, o->len - base->at.offset);
	return add_deflated(o, buf_bytes(&o->delta), err);
}

/* A whole one that is of a known kind becomes a delta, or at least small; what is sealed stays as it is. */
static int copy_whole(struct output *o, const struct merge *m, const struct object *object, struct bytes in, const struct head *head,
		      struct error *err)
{
	const struct object *base;
	uint64_t key;
	size_t first;

	if (head->size > DELTA_MAX)
		return 0;
	if (!unpack(&o->data, o, in, head))
		return damaged(&m->sources[object->source], "an object", err);
	if (!kin_key(&key, head->type, buf_bytes(&o->data)))
		return 0;
	first = kin_first(&o->kin, key, (size_t)(object - m->objects));
	base = first == KIN_NONE ? NULL : &m->objects[first];
	if (base && make_delta(o, m, base, err) < 0)
		return err->code;
	if (base && o->piece.len < in.len / 4 * 3)
		return 0;
	buf_truncate(&o->piece, 0);
	add_head(&o->piece, head->type, head->size);
	return add_deflated(o, buf_bytes(&o->data), err);
}

static int copy_object(struct output *o, const struct merge *m, struct object *object, struct error *err)
{
	struct bytes in = bytes_in(m, object);
	struct head head;
	int r;

	buf_truncate(&o->piece, 0);
	if (!read_head(&head, in))
		return damaged(&m->sources[object->source], "the head of an object", err);
	r = object->base ? copy_delta(o, m, object, in, &head, err) : copy_whole(o, m, object, in, &head, err);
	if (r < 0)
		return r;
	object->at.offset = (uint32_t)o->len;
	if (!o->piece.len || (o->piece.len >= in.len && !object->base))
		return put(o, in, err);
	object->at.crc = (uint32_t)crc32(0, o->piece.ptr, (uInt)o->piece.len);
	return put(o, buf_bytes(&o->piece), err);
}

static int write_pack(struct output *o, struct merge *m, uint8_t trailer[static SHA1_LEN], struct error *err)
{
	_cleanup_(buf_done) struct buf head = { 0 };

	buf_add_str(&head, "PACK");
	buf_add_u32be(&head, 2);
	buf_add_u32be(&head, (uint32_t)m->object_count);
	if (put(o, buf_bytes(&head), err) < 0)
		return err->code;
	for (size_t i = 0; i < m->object_count; i++) {
		if (*m->stop)
			return error_set(err, E_LIMIT, "stopped");
		if (copy_object(o, m, &m->objects[i], err) < 0)
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

static int write_index(const char *path, const struct object *objects, size_t count, const uint8_t trailer[static SHA1_LEN],
		       struct error *err)
{
	_cleanup_(mem_freep) struct pack_entry *entries = mem_alloc((count + 1) * sizeof(*entries));
	_cleanup_(buf_done) struct buf index = { 0 };

	for (size_t i = 0; i < count; i++)
		entries[i] = objects[i].at;
	pack_make_index(&index, entries, count, trailer);
	return fs_write(path, buf_bytes(&index), 0444, err);
}

/* The pack first: an index makes git look for its pack. */
static int write_merged(char name[static MERGED_NAME], struct merge *m, struct error *err)
{
	_cleanup_(mem_freep) char *tmp = mem_printf("%s/merged.tmp-XXXXXX", m->folder), *pack = NULL, *index = NULL;
	_cleanup_(fd_closep) int fd = mkostemp(tmp, O_CLOEXEC);
	struct output out = { 0 };
	uint8_t trailer[SHA1_LEN];
	int r;

	if (fd < 0)
		return error_sys(err, "cannot make a file in '%s'", m->folder);
	r = output_init(&out, fd, m->object_count, err);
	if (r == 0)
		r = write_pack(&out, m, trailer, err);
	output_done(&out);
	if (r < 0) {
		unlink(tmp);
		return r;
	}
	memcpy(name, "pack-", 5);
	hex_encode(name + 5, trailer, SHA1_LEN);
	pack = mem_printf("%s/%s.pack", m->folder, name);
	index = mem_printf("%s/%s.idx", m->folder, name);
	if (rename(tmp, pack) < 0) {
		unlink(tmp);
		return error_sys(err, "cannot rename '%s'", tmp);
	}
	r = write_index(index, m->objects, m->object_count, trailer, err); /* syncs the folder, too */
	if (r < 0)
		unlink(pack);
	return r;
}

int merge_packs(struct merged **out, const char *folder, bool all, const atomic_bool *stop, struct error *damage, struct error *err)
{
	_cleanup_(merge_done) struct merge m = { .folder = folder, .stop = stop };
	struct merged *merged;
	char name[MERGED_NAME] = "";
	int n;

	damage->code = 0;
	if (list_packs(&m, err) < 0)
		return err->code;
	n = (int)choose(&m, all);
	if (n)
		n = read_sources(&m, (size_t)n, damage, err);
	if (n < 2)
		return n < 0 ? n : 0;
	gather(&m, (size_t)n);
	if (write_merged(name, &m, err) < 0)
		return *stop ? 0 : err->code;
	merged = mem_alloc(sizeof(*merged) + (size_t)n * sizeof(merged->sources[0]));
	for (int i = 0; i < n; i++)
		if (strcmp(m.sources[i].name, name) != 0)
			memcpy(merged->sources[merged->count++], m.sources[i].name, sizeof(m.sources[i].name));
	*out = merged;
	return n;
}
