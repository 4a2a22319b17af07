/* repo/trees.c -- git's folders: what a commit changes in them, and the newest of them in memory. */
#include "repo/trees.h"

#include <stdlib.h>
#include <string.h>

enum { ID_BYTES = 20 };

/* ---- kept in memory ---- */

struct kept {
	struct kept *next;            /* of its slot */
	struct kept *older, *younger; /* by use */
	uint64_t key;                 /* of its path */
	git_oid id;
	uint32_t len;
	uint8_t raw[];
};

struct trees {
	struct kept **slots;
	size_t slot_count, count;
	size_t bytes, bytes_max;
	struct kept *oldest, *youngest;
};

struct trees *trees_new(size_t bytes_max)
{
	struct trees *trees = mem_alloc(sizeof(*trees));

	trees->bytes_max = bytes_max;
	trees->slot_count = 1024;
	trees->slots = mem_alloc(trees->slot_count * sizeof(*trees->slots));
	return trees;
}

struct trees *trees_free(struct trees *trees)
{
	if (!trees)
		return NULL;
	for (struct kept *k = trees->oldest, *younger; k; k = younger) {
		younger = k->younger;
		free(k);
	}
	free(trees->slots);
	free(trees);
	return NULL;
}

static uint64_t key_of(struct bytes path)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < path.len; i++)
		h = (h ^ path.ptr[i]) * 0x100000001b3ULL; /* FNV-1a: of two paths with one key, the one that was written last is kept */
	return h ^ h >> 29;
}

static struct kept **find(struct trees *trees, uint64_t key)
{
	struct kept **at = &trees->slots[key & (trees->slot_count - 1)];

	while (*at && (*at)->key != key)
		at = &(*at)->next;
	return at;
}

static void unlink_use(struct trees *trees, struct kept *k)
{
	*(k->older ? &k->older->younger : &trees->oldest) = k->younger;
	*(k->younger ? &k->younger->older : &trees->youngest) = k->older;
}

static void make_youngest(struct trees *trees, struct kept *k)
{
	k->older = trees->youngest;
	k->younger = NULL;
	*(trees->youngest ? &trees->youngest->younger : &trees->oldest) = k;
	trees->youngest = k;
}

static void drop(struct trees *trees, struct kept **at)
{
	struct kept *k = *at;

	*at = k->next;
	unlink_use(trees, k);
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

/* Appends the bytes of the folder at this path, if they are those of this id. */
static bool recall(struct buf *out, struct trees *trees, struct bytes path, const git_oid *id)
{
	struct kept *k = *find(trees, key_of(path));

	if (!k || !git_oid_equal(&k->id, id))
		return false;
	buf_add(out, k->raw, k->len);
	unlink_use(trees, k);
	make_youngest(trees, k);
	return true;
}

static struct kept *make_room(struct trees *trees, uint64_t key, size_t len)
{
	struct kept *k;

	while (trees->oldest && trees->bytes + sizeof(*k) + len > trees->bytes_max)
		drop(trees, find(trees, trees->oldest->key));
	grow(trees);
	k = mem_alloc(sizeof(*k) + len);
	k->key = key;
	k->len = (uint32_t)len;
	k->next = NULL;
	*find(trees, key) = k;
	make_youngest(trees, k);
	trees->bytes += sizeof(*k) + len;
	trees->count++;
	return k;
}

static void keep(struct trees *trees, struct bytes path, const git_oid *id, struct bytes raw)
{
	uint64_t key = key_of(path);
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

struct node {
	struct bytes name;
	git_oid id;
	bool is_tree, is_gone;
};

/* The bytes of a folder, and what is in it; names borrow from the bytes, or from a path. */
struct folder {
	struct buf raw;
	struct node *list;
	size_t count, cap;
	size_t live;       /* that are not gone */
	size_t sorted;     /* that many come from the old folder, in git's order */
	bool has_new_form; /* there are other names in it than before */
};

static void folder_done(struct folder *folder)
{
	buf_done(&folder->raw);
	free(folder->list);
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
		git_oid_fromraw(&node.id, nul + 1);
		add_node(folder, node);
		raw = bytes_from(raw, (size_t)(nul - raw.ptr) + 1 + ID_BYTES);
	}
	folder->sorted = folder->count;
	return 0;
}

/* Among those of the old folder. Where a name sorts depends on whether it is a folder itself. */
static struct node *find_node(struct folder *folder, struct bytes name)
{
	for (int is_tree = 0; is_tree < 2 && folder->sorted; is_tree++) {
		struct node probe = { .name = name, .is_tree = is_tree };
		struct node *found = bsearch(&probe, folder->list, folder->sorted, sizeof(probe), node_order);

		if (found && bytes_equal(found->name, name))
			return found;
	}
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
};

static int read_old(struct folder *folder, const struct update *u, struct bytes path, const git_oid *old, struct error *err)
{
	git_odb_object *object = NULL;
	struct bytes raw;

	if (recall(&folder->raw, u->trees, path, old))
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

static int write_folder(git_oid *out, const struct update *u, struct bytes path, struct folder *folder, struct error *err)
{
	_cleanup_(buf_done) struct buf fresh = { 0 };
	struct bytes raw;

	if (folder->has_new_form)
		make_raw(&fresh, folder);
	raw = buf_bytes(folder->has_new_form ? &fresh : &folder->raw);
	if (pack_add(out, u->pack, GIT_OBJECT_TREE, raw, err) < 0)
		return err->code;
	keep(u->trees, path, out, raw);
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

static int update_folder(git_oid *out, bool *empty, const struct update *u, const git_oid *old, const struct change *changes, size_t count,
			 size_t skip, struct error *err);

/* One name of a folder: the changes[0..count) all begin with it. */
static int update_name(struct folder *folder, const struct update *u, struct bytes name, const struct change *changes, size_t count,
		       size_t skip, struct error *err)
{
	bool is_file = !changes[0].path[skip + name.len], empty = false;
	struct node *old = find_node(folder, name), fresh = { .name = name, .is_tree = !is_file };
	int r = 0;

	if (is_file && changes[0].remove)
		empty = true;
	else if (is_file)
		r = add_blob(&fresh.id, u, &changes[0], err);
	else
		r = update_folder(&fresh.id, &empty, u, old ? &old->id : NULL, changes, count, skip + name.len + 1, err);
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

/* Those of one folder: their paths are the same up to skip. */
static int update_folder(git_oid *out, bool *empty, const struct update *u, const git_oid *old, const struct change *changes, size_t count,
			 size_t skip, struct error *err)
{
	_cleanup_(folder_done) struct folder folder = { .has_new_form = !old };
	struct bytes path = bytes_of(changes[0].path, skip);
	int r = old ? read_old(&folder, u, path, old, err) : 0;

	for (size_t from = 0, to; r == 0 && from < count; from = to) {
		struct bytes name = first_part(changes[from].path + skip);

		for (to = from + 1; to < count && !strncmp(changes[to].path + skip, changes[from].path + skip, name.len) &&
		     (changes[to].path[skip + name.len] == '/' || !changes[to].path[skip + name.len]);
		     to++)
			;
		r = update_name(&folder, u, name, changes + from, to - from, skip, err);
	}
	*empty = !folder.live;
	if (r == 0 && (folder.live || !skip))
		r = write_folder(out, u, path, &folder, err);
	return r;
}

int trees_update(git_oid *out, struct trees *trees, git_odb *odb, struct pack *pack, const git_oid *old, const struct change *changes,
		 size_t count, struct error *err)
{
	struct update u = { .trees = trees, .odb = odb, .pack = pack };
	bool empty;

	return update_folder(out, &empty, &u, old, changes, count, 0, err);
}
