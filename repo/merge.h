/* repo/merge.h -- many small packs become one, by copying their objects as they are. Internal to repo/.
 *
 * A pack a second would be 86,400 a day, and every reader pays for each of them. What is sealed does not delta, so nothing is searched:
 * bytes are copied, each object once, and checked on the way by the CRC in its index. The merged pack is on disk before the others go. */
#pragma once

#include "base/error.h"

/* Merges the small packs of a folder when there are enough of them to be worth it, sizes being kept in a geometric row so that each byte is
 * copied a few times in its life. Left alone: packs with a .keep file, with deltas (somebody ran git repack), or half a gigabyte large.
 * A damaged one is left as it is, too, and named in *damage (code 0: none). Returns how many became one. */
int merge_small_packs(const char *folder, struct error *damage, struct error *err) _must_check_;
