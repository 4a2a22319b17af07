/* repo/merge.h -- many small packs become one, by copying their objects. Internal to repo/.
 *
 * A pack a second would be 86,400 a day, and every reader pays for each of them. Nothing is searched: what is sealed is copied byte by
 * byte, each object once, checked on the way by the CRC in its index; of a statement, a folder or a commit it is known which one it
 * follows, and only what is new in it is kept (delta.h).
 *
 * Three steps, so that a reader never misses an object. The merged pack is written and on the disk; then the old ones lose their indexes,
 * so that whoever looks from now on sees only the merged one; and when nobody has them open any more, they go. */
#pragma once

#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { MERGED_NAME = 64 };

/* What became one. */
struct merged {
	size_t count;
	char sources[][MERGED_NAME]; /* "pack-<id>" */
};

/* Merges the small packs of a folder when there are enough of them to be worth it, sizes being kept in a geometric row so that each byte is
 * copied a few times in its life; all: as many as one pack takes. Left alone: packs with a .keep file, half a gigabyte large, or as git
 * sends them. A damaged one is left as it is, too, and named in *damage (code 0: none). Takes its time, and gives up when *stop becomes
 * true. Returns how many became one (0: nothing to do); then *out is the caller's to free. */
int merge_packs(struct merged **out, const char *folder, bool all, const atomic_bool *stop, struct error *damage,
		struct error *err) _must_check_;
/* Takes their indexes away: every store that has them open should be reopened at once. */
int merged_retire(const struct merged *merged, const char *folder, struct error *err) _must_check_;
/* Removes what was retired a minute ago (at_once: whenever) and is open nowhere. */
void merged_sweep(const char *folder, bool at_once);
