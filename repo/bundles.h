/* repo/bundles.h -- what arrived, parted into commits. Internal to repo/.
 *
 * A path takes one statement per commit, and a device's statements stay in their order. Within a commit they lie in the order of its log,
 * by path. */
#pragma once

#include "repo/item.h"

/* One commit: its items, their changes, sorted. */
struct bundle {
	struct item **items;
	size_t item_count;
	struct change *changes;
	size_t change_count;
	size_t bytes;          /* of its items */
	uint64_t root_version; /* 0: no root is among them */
	char commit[41];
	int64_t time_s;
};

/* Empties the list. *out: the caller frees it, and of each its items and changes. Returns how many there are. */
size_t bundles_make(struct bundle **out, struct list *list);
/* One more change, for which there is room once, behind the last one before it. */
void bundle_add(struct bundle *b, const char *path, struct bytes blob);
/* Its changes by path: those of one item are, those of several are not where one device has more than one in a commit. */
void bundle_sort(struct bundle *b);
