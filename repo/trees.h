/* repo/trees.h -- git's folders: what a commit changes in them, and the newest of them in memory. Internal to repo/.
 *
 * A snapshot changes the folder of its device and four above it, and to read those back from packs cost more than everything else that a
 * commit does. So each is kept as it was written, by its path; a device takes about 400 bytes. Beyond the bound goes the oldest that was
 * not used since it came, or since it was spared last: the upper folders are used by every commit and stay, the others are read from packs
 * again. What is kept is never believed without its id, so a commit that failed, or another writer, leaves nothing wrong behind. */
#pragma once

#include "repo/git.h"
#include "repo/pack.h"

struct trees;

struct trees *trees_new(size_t bytes_max);
struct trees *trees_free(struct trees *trees);

/* What the root folder with the id `old` (NULL: there is none yet) becomes; what is new is added to pack.
 *
 * changes  sorted by path, each path once; a folder in which nothing is left goes, too, but not the root
 *
 * E_SYS when a folder is in neither memory, pack nor odb. */
int trees_update(git_oid *out, struct trees *trees, git_odb *odb, struct pack *pack, const git_oid *old, const struct change *changes,
		 size_t count, struct error *err) _must_check_;
