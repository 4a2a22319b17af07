/* repo/bundles.c -- what arrived, parted into commits. */
#include "repo/bundles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where an item goes: which of the round's commits. */
struct slot {
	struct item *item;
	size_t commit;
	struct bytes who; /* the device, or for what has none, its key */
	size_t key_len;   /* of path: what a commit has once */
	bool is_root;
	char path[PATH_MAX_LEN];
};

/* Sorted in place of slots: how a name begins is mostly all of it that has to be looked at. */
struct pick {
	uint64_t begin; /* eight letters of who */
	struct slot *slot;
};

/* Those of one commit, in the order of its log: by path. */
static int path_order(const void *a, const void *b)
{
	return strcmp((*(const struct slot *const *)a)->path, (*(const struct slot *const *)b)->path);
}

static int pick_order(const void *a, const void *b)
{
	const struct pick *x = a, *y = b;
	struct bytes v = x->slot->who, w = y->slot->who;
	int r;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	r = memcmp(v.ptr, w.ptr, v.len < w.len ? v.len : w.len);
	if (r || v.len != w.len)
		return r ? r : v.len < w.len ? -1 : 1;
	return x->slot < y->slot ? -1 : 1; /* they lie there in the order of arrival */
}

static bool is_same_key(const struct slot *a, const struct slot *b)
{
	return a->key_len == b->key_len && !memcmp(a->path, b->path, a->key_len);
}

static bool is_same_who(const struct pick *a, const struct pick *b)
{
	return a->begin == b->begin && bytes_equal(a->slot->who, b->slot->who);
}

/* A path takes one statement per commit, and a device's statements stay in their order: so each goes into the first commit that is not
 * before the device's last one and does not have its path yet. Returns how many commits that takes, the first of which is `from`. */
static size_t assign_commits(struct pick *picks, size_t count, size_t from)
{
	size_t commits = 0;

	qsort(picks, count, sizeof(*picks), pick_order);
	for (size_t i = 0, first = 0; i < count; i++) {
		struct slot *slot = picks[i].slot;

		if (!is_same_who(&picks[i], &picks[first]))
			first = i;
		slot->commit = i > first ? picks[i - 1].slot->commit : from;
		for (size_t k = i; k-- > first && picks[k].slot->commit == slot->commit;) {
			if (is_same_key(picks[k].slot, slot)) {
				slot->commit++;
				break;
			}
		}
		if (slot->commit - from >= commits)
			commits = slot->commit - from + 1;
	}
	return commits;
}

/* What arrived before a root was judged by the one before it; in one commit with it, it would lie behind it, and be judged by that. So a
 * root begins a commit. */
static size_t assign_all(struct pick *picks, size_t count)
{
	size_t commits = 0;

	for (size_t begin = 0, end; begin < count; begin = end) {
		for (end = begin + 1; end < count && !picks[end].slot->is_root; end++)
			;
		commits += assign_commits(picks + begin, end - begin, commits);
	}
	return commits;
}

static void make_slot(struct slot *slot, struct item *item)
{
	enum statement_type type = statement_type(item->c.st);
	bool is_of_device = type != STATEMENT_JUDGEMENT; /* which names devices, and is about none */
	const char *device = is_of_device ? statement_get(item->c.st, "device") : NULL;

	slot->item = item;
	slot->is_root = type == STATEMENT_ROOT;
	layout_path(slot->path, item->c.st, item->kind == KIND_FORK);
	slot->key_len = strlen(slot->path);
	/* which of two decisions is the newer one, the log alone tells: each has a commit of its own, whatever its name */
	if (type == STATEMENT_CONTROL)
		slot->key_len = (size_t)(strrchr(slot->path, '/') - slot->path);
	slot->who = device ? bytes_str(device) : bytes_of(slot->path, slot->key_len);
}

static uint64_t begin_of(struct bytes name)
{
	uint64_t begin = 0;

	for (size_t i = 0; i < sizeof(begin); i++)
		begin = begin << 8 | (i < name.len ? name.ptr[i] : 0);
	return begin;
}

static void make_slots(struct slot *slots, struct pick *picks, struct list *list)
{
	struct item *item;

	for (size_t i = 0; (item = list_take(list)); i++) {
		item->arrived = i;
		make_slot(&slots[i], item);
		picks[i] = (struct pick){ begin_of(slots[i].who), &slots[i] };
	}
}

/* Gives bundles their items, and sorts them: who follows one another mostly has paths that do, too. */
static void fill_bundle(struct bundle *b, const struct slot **slots)
{
	bool is_sorted = true;

	for (size_t i = 1; i < b->item_count && is_sorted; i++)
		is_sorted = strcmp(slots[i - 1]->path, slots[i]->path) < 0;
	if (!is_sorted)
		qsort(slots, b->item_count, sizeof(*slots), path_order);
	b->items = mem_alloc(b->item_count * sizeof(*b->items));
	/* not zeroed: that would touch several times what is used of it */
	b->changes = mem_large((b->item_count * CHANGES_MAX + 1) * sizeof(*b->changes));
	for (size_t i = 0; i < b->item_count; i++) {
		struct item *item = slots[i]->item;

		b->items[i] = item;
		b->bytes += item->bytes.len;
		b->change_count +=
			layout_changes(b->changes + b->change_count, slots[i]->path, &item->c, &item->names, item->kind == KIND_FORK);
		if (slots[i]->is_root)
			b->root_version = statement_number(item->c.st, "version");
	}
}

static void fill_bundles(struct bundle *bundles, size_t commits, const struct pick *picks, size_t count)
{
	_cleanup_(mem_freep) const struct slot **slots = mem_alloc((count + 1) * sizeof(*slots));
	_cleanup_(mem_freep) size_t *ends = mem_alloc((commits + 1) * sizeof(*ends));

	for (size_t i = 0; i < count; i++)
		bundles[picks[i].slot->commit].item_count++;
	for (size_t i = 0; i < commits; i++)
		ends[i + 1] = ends[i] + bundles[i].item_count;
	for (size_t i = 0; i < count; i++)
		slots[ends[picks[i].slot->commit]++] = picks[i].slot;
	for (size_t i = 0; i < commits; i++)
		fill_bundle(&bundles[i], slots + ends[i] - bundles[i].item_count);
}

/* Empties the list into as many bundles as it takes. */
size_t bundles_make(struct bundle **out, struct list *list)
{
	size_t count = list->count, commits;
	_cleanup_(mem_freep) struct slot *slots = mem_large((count + 1) * sizeof(*slots));
	_cleanup_(mem_freep) struct pick *picks = mem_grow(NULL, (count + 1) * sizeof(*picks));

	make_slots(slots, picks, list);
	commits = assign_all(picks, count);
	*out = mem_alloc((commits + 1) * sizeof(**out));
	fill_bundles(*out, commits, picks, count);
	return commits;
}

static int change_order(const void *a, const void *b)
{
	return strcmp(((const struct change *)a)->path, ((const struct change *)b)->path);
}

void bundle_sort(struct bundle *b)
{
	for (size_t i = 1; i < b->change_count; i++) {
		if (change_order(&b->changes[i - 1], &b->changes[i]) < 0)
			continue;
		qsort(b->changes, b->change_count, sizeof(*b->changes), change_order);
		return;
	}
}

void bundle_add(struct bundle *b, const char *path, struct bytes blob)
{
	struct change *at = &b->changes[b->change_count++];

	for (; at > b->changes && strcmp(at[-1].path, path) > 0; at--)
		*at = at[-1];
	*at = (struct change){ .blob = blob };
	snprintf(at->path, sizeof(at->path), "%s", path);
}
