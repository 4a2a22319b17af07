/* repo/trees.c -- git's folders: what a commit changes in them, and the newest of them in memory. */
#include "repo/trees.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ID_BYTES = 20, FEW = 12 };

/* ---- kept in memory ---- */

struct kept {
	struct kept *next;            /* of its slot */
	struct kept *older, *younger; /* by when they came to the end of the line */
	uint64_t key;                 /* of its path */
	git_oid id;
	uint32_t len;
	bool is_used; /* since it came there */
	uint8_t raw[];
};

struct node {
	struct bytes name;
	git_oid id;
	bool is_tree, is_gone;
};

/* The bytes of a folder, and what is in it; names borrow from the bytes, or from a path. */
struct folder {
	struct buf raw, fresh;
	struct node *list;
	size_t count, cap;
	size_t live;       /* that are not gone */
	size_t sorted;     /* that many come from the old folder, in git's order */
	bool has_new_form; /* there are other names in it than before */
};

enum { DEPTH_MAX = sizeof(((struct change *)NULL)->path) / 2 + 1 }; /* a folder takes a letter and a slash */

struct trees {
	struct kept **slots;
	size_t slot_count, count;
	size_t bytes, bytes_max;
	struct kept *oldest, *youngest;
	struct folder folders[DEPTH_MAX]; /* in hand, one within another: their memory serves again and again */
};

struct trees *trees_new(size_t bytes_max)
{
	struct trees *trees = mem_alloc(sizeof(*trees));

	trees->bytes_max = bytes_max;
	trees->slot_count = 1024;
	trees->slots = mem_alloc(trees->slot_count * sizeof(*trees->slots));
	return trees;
}

static void folder_done(struct folder *folder)
{
	buf_done(&folder->raw);
	buf_done(&folder->fresh);
	free(folder->list);
}

struct trees *trees_free(struct trees *trees)
{
	if (!trees)
		return NULL;
	for (struct kept *k = trees->oldest, *younger; k; k = younger) {
		younger = k->younger;
		free(k);
	}
	for (size_t i = 0; i < DEPTH_MAX; i++)
		folder_done(&trees->folders[i]);
	free(trees->slots);
	free(trees);
	return NULL;
}

/* FNV-1a, eight letters at a time: of two paths with one key, the one that was written last is kept. */
static uint64_t key_of(struct bytes path)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < path.len; i += sizeof(h)) {
		size_t len = path.len - i < sizeof(h) ? path.len - i : sizeof(h);
		uint64_t letters = 0;

		memcpy(&letters, path.ptr + i, len);
		h = (h ^ letters) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 32;
	}
	return h;
}

static struct kept **find(struct trees *trees, uint64_t key)
{
	struct kept **at = &trees->slots[key & (trees->slot_count - 1)];

	while (*at && (*at)->key != key)
		at = &(*at)->next;
	return at;
}

static void leave_line(struct trees *trees, struct kept *k)
{
	*(k->older ? &k->older->younger : &trees->oldest) = k->younger;
	*(k->younger ? &k->younger->older : &trees->youngest) = k->older;
}

static void join_line(struct trees *trees, struct kept *k)
{
	k->is_used = false;
	k->older = trees->youngest;
	k->younger = NULL;
	*(trees->youngest ? &trees->youngest->younger : &trees->oldest) = k;
	trees->youngest = k;
}

static void drop(struct trees *trees, struct kept **at)
{
	struct kept *k = *at;

	*at = k->next;
	leave_line(trees, k);
	trees->bytes -= sizeof(*k) + k->len;
	trees->count--;
	free(k);
}

static void grow(struct trees *trees)
{
	if (trees->count < trees->slot_count)
		return;
	free(trees->slots);
	trees->slot_count *= 4;
	trees->slots = mem_alloc(trees->slot_count * sizeof(*trees->slots));
	for (struct kept *k = trees->oldest; k; k = k->younger) {
		struct kept **slot = &trees->slots[k->key & (trees->slot_count - 1)];

		k->next = *slot;
		*slot = k;
	}
}

static bool is_same_id(const git_oid *a, const git_oid *b)
{
	return !memcmp(a->id, b->id, ID_BYTES);
}

/* Appends the bytes of the folder at this path, if they are those of this id. */
static bool recall(struct buf *out, struct trees *trees, uint64_t key, const git_oid *id)
{
	struct kept *k = *find(trees, key);

	if (!k || !is_same_id(&k->id, id))
		return false;
	buf_add(out, k->raw, k->len);
	k->is_used = true;
	return true;
}

/* Whoever was used since it joined the line joins it once more: in place of a move at each use, which would touch its neighbours, too. */
static void drop_oldest(struct trees *trees)
{
	struct kept *k;

	while ((k = trees->oldest)->is_used) {
		leave_line(trees, k);
		join_line(trees, k);
	}
	drop(trees, find(trees, k->key));
}

static struct kept *make_room(struct trees *trees, uint64_t key, size_t len)
{
	struct kept *k;

	while (trees->oldest && trees->bytes + sizeof(*k) + len > trees->bytes_max)
		drop_oldest(trees);
	grow(trees);
	k = mem_alloc(sizeof(*k) + len);
	k->key = key;
	k->len = (uint32_t)len;
	k->next = NULL;
	*find(trees, key) = k;
	join_line(trees, k);
	trees->bytes += sizeof(*k) + len;
	trees->count++;
	return k;
}

static void keep(struct trees *trees, uint64_t key, const git_oid *id, struct bytes raw)
{
	struct kept **at = find(trees, key), *k = *at;

	if (k && k->len != raw.len) {
		drop(trees, at);
		k = NULL;
	}
	if (!k && raw.len > trees->bytes_max)
		return;
	if (!k)
		k = make_room(trees, key, raw.len);
	k->id = *id;
	memcpy(k->raw, raw.ptr, raw.len);
}

/* ---- one folder ---- */

/* The one at this depth, empty. */
static struct folder *begin_folder(struct trees *trees, size_t depth, bool is_new)
{
	struct folder *folder = &trees->folders[depth];

	assert(depth < DEPTH_MAX);
	folder->raw.len = folder->fresh.len = 0; /* there is nothing secret in it that had to be wiped */
	folder->count = folder->live = folder->sorted = 0;
	folder->has_new_form = is_new;
	return folder;
}

static void add_node(struct folder *folder, struct node node)
{
	if (folder->count == folder->cap) {
		folder->cap = folder->cap ? folder->cap * 2 : 16;
		folder->list = mem_grow(folder->list, folder->cap * sizeof(node));
	}
	folder->list[folder->count++] = node;
	folder->live++;
}

/* git sorts a folder as if its name ended in "/". */
static int node_cmp(const struct node *a, const struct node *b)
{
	size_t len = a->name.len < b->name.len ? a->name.len : b->name.len;
	int r = memcmp(a->name.ptr, b->name.ptr, len);
	uint8_t x, y;

	if (r)
		return r;
	x = a->name.len > len ? a->name.ptr[len] : a->is_tree ? '/' : 0;
	y = b->name.len > len ? b->name.ptr[len] : b->is_tree ? '/' : 0;
	return x - y;
}

static int node_order(const void *a, const void *b)
{
	return node_cmp(a, b);
}

static int parse_folder(struct folder *folder, struct error *err)
{
	struct bytes raw = buf_bytes(&folder->raw);

	while (raw.len) {
		const uint8_t *nul = memchr(raw.ptr, 0, raw.len), *space = nul ? memchr(raw.ptr, ' ', (size_t)(nul - raw.ptr)) : NULL;
		struct node node = { 0 };

		if (!space || (size_t)(nul - raw.ptr) + 1 + ID_BYTES > raw.len)
			return error_set(err, E_FORMAT, "a git tree is malformed");
		node.is_tree = raw.ptr[0] == '4';
		node.name = bytes_of(space + 1, (size_t)(nul - space) - 1);
		memcpy(node.id.id, nul + 1, ID_BYTES);
		add_node(folder, node);
		raw = bytes_from(raw, (size_t)(nul - raw.ptr) + 1 + ID_BYTES);
	}
	folder->sorted = folder->count;
	return 0;
}

/* Among those of the old folder. Where a name sorts depends on whether it is a folder itself. */
static struct node *find_among_many(struct folder *folder, struct bytes name)
{
	for (int is_tree = 0; is_tree < 2 && folder->sorted; is_tree++) {
		struct node probe = { .name = name, .is_tree = is_tree };
		struct node *found = bsearch(&probe, folder->list, folder->sorted, sizeof(probe), node_order);

		if (found && bytes_equal(found->name, name))
			return found;
	}
	return NULL;
}

/* A device's folder has a handful of names. */
static struct node *find_node(struct folder *folder, struct bytes name)
{
	if (folder->sorted > FEW)
		return find_among_many(folder, name);
	for (size_t i = 0; i < folder->sorted; i++)
		if (folder->list[i].name.len == name.len && !memcmp(folder->list[i].name.ptr, name.ptr, name.len))
			return &folder->list[i];
	return NULL;
}

/* Where the id of one of the old folder's lies in its bytes: behind its name. */
static void set_id(struct folder *folder, struct node *node, const git_oid *id)
{
	memcpy(folder->raw.ptr + (node->name.ptr - folder->raw.ptr) + node->name.len + 1, id->id, ID_BYTES);
	node->id = *id;
}

static void make_raw(struct buf *out, struct folder *folder)
{
	qsort(folder->list, folder->count, sizeof(*folder->list), node_order);
	for (size_t i = 0; i < folder->count; i++) {
		const struct node *node = &folder->list[i];

		if (node->is_gone)
			continue;
		buf_add_str(out, node->is_tree ? "40000 " : "100644 ");
		buf_add_bytes(out, node->name);
		buf_add_char(out, 0);
		buf_add(out, node->id.id, ID_BYTES);
	}
}

/* ---- what changes ---- */

struct update {
	struct trees *trees;
	git_odb *odb;
	struct pack *pack;
	const struct change *changes; /* all of them */
	const uint8_t *same;          /* for each: how far its path is that of the one before it */
};

/* Some that lie together in one folder: their paths are the same up to skip. */
struct span {
	size_t from, to, skip, depth;
};

static int read_old(struct folder *folder, const struct update *u, uint64_t key, const git_oid *old, struct error *err)
{
	git_odb_object *object = NULL;
	struct bytes raw;

	if (recall(&folder->raw, u->trees, key, old))
		return parse_folder(folder, err);
	if (pack_tree(&raw, u->pack, old)) {
		buf_add_bytes(&folder->raw, raw);
		return parse_folder(folder, err);
	}
	if (git_odb_read(&object, u->odb, old) < 0)
		return git_fail(err, "cannot read a tree: is a pack missing? run git fsck; restore it from a mirror");
	buf_add(&folder->raw, git_odb_object_data(object), git_odb_object_size(object));
	git_odb_object_free(object);
	return parse_folder(folder, err);
}

static int write_folder(git_oid *out, const struct update *u, uint64_t key, struct folder *folder, struct error *err)
{
	struct bytes raw;

	if (folder->has_new_form)
		make_raw(&folder->fresh, folder);
	raw = buf_bytes(folder->has_new_form ? &folder->fresh : &folder->raw);
	if (pack_add(out, u->pack, GIT_OBJECT_TREE, raw, err) < 0)
		return err->code;
	keep(u->trees, key, out, raw);
	return 0;
}

static struct bytes first_part(const char *path)
{
	const char *slash = strchr(path, '/');

	return slash ? bytes_of(path, (size_t)(slash - path)) : bytes_str(path);
}

static int add_blob(git_oid *out, const struct update *u, const struct change *change, struct error *err)
{
	if (!change->id)
		return pack_add(out, u->pack, GIT_OBJECT_BLOB, change->blob, err);
	*out = *change->id;
	return pack_add_named(u->pack, out, change->blob, err);
}

static int update_folder(git_oid *out, bool *empty, const struct update *u, const git_oid *old, struct span span, struct error *err);

/* One name of a folder: those of the span all begin with it. */
static int update_name(struct folder *folder, const struct update *u, struct bytes name, struct span span, struct error *err)
{
	const struct change *first = &u->changes[span.from];
	bool is_file = !first->path[span.skip + name.len], empty = false;
	struct node *old = find_node(folder, name), fresh = { .name = name, .is_tree = !is_file };
	int r = 0;

	span.skip += name.len + 1;
	span.depth++;
	if (is_file && first->remove)
		empty = true;
	else if (is_file)
		r = add_blob(&fresh.id, u, first, err);
	else
		r = update_folder(&fresh.id, &empty, u, old ? &old->id : NULL, span, err);
	if (r < 0)
		return r;
	if (old && !empty)
		set_id(folder, old, &fresh.id);
	else if (old)
		old->is_gone = true;
	else if (!empty)
		add_node(folder, fresh);
	folder->live -= old && empty;
	folder->has_new_form |= old ? empty : !empty;
	return 0;
}

static int update_folder(git_oid *out, bool *empty, const struct update *u, const git_oid *old, struct span span, struct error *err)
{
	struct folder *folder = begin_folder(u->trees, span.depth, !old);
	uint64_t key = key_of(bytes_of(u->changes[span.from].path, span.skip));
	int r = old ? read_old(folder, u, key, old, err) : 0;

	for (size_t from = span.from, to; r == 0 && from < span.to; from = to) {
		struct bytes name = first_part(u->changes[from].path + span.skip);

		for (to = from + 1; to < span.to && u->same[to] > span.skip + name.len; to++)
			;
		r = update_name(folder, u, name, (struct span){ from, to, span.skip, span.depth }, err);
	}
	*empty = !folder->live;
	if (r == 0 && (folder->live || !span.skip))
		r = write_folder(out, u, key, folder, err);
	return r;
}

static uint8_t same_part(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return (uint8_t)n;
}

int trees_update(git_oid *out, struct trees *trees, git_odb *odb, struct pack *pack, const git_oid *old, const struct change *changes,
		 size_t count, struct error *err)
{
	_cleanup_(mem_freep) uint8_t *same = mem_grow(NULL, count + 1);
	struct update u = { .trees = trees, .odb = odb, .pack = pack, .changes = changes, .same = same };
	bool empty;

	static_assert(sizeof(changes->path) <= UINT8_MAX, "how far paths are the same is a byte");
	for (size_t i = 1; i < count; i++)
		same[i] = same_part(changes[i - 1].path, changes[i].path);
	return update_folder(out, &empty, &u, old, (struct span){ 0, count, 0, 0 }, err);
}
