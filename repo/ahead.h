/* repo/ahead.h -- snapshots that are journaled and have no rows in the index yet. Internal to repo/.
 *
 * Nearly all that arrives are snapshots that fit their device's chain. To write each one's rows as it comes would cost more than its
 * journal entry: so it is judged by what is kept here of its device, and its rows are written together with those of many others, when the
 * packer knows its place, or as soon as somebody asks something that they answer. What does not fit so plainly is judged by the index,
 * after the rows of all that came before it are in there.
 *
 * All with store_lock, in a transaction of the store that ends with ahead_committed() or ahead_rolled_back(). Memory: some 700 bytes for
 * each device of whom a snapshot is here, which are bounded by what may be pending, and for 65,536 others whose chains are still known. */
#pragma once

#include "repo/item.h"
#include "repo/store.h"

struct ahead;

struct ahead *ahead_new(void);
struct ahead *ahead_free(struct ahead *ahead); /* the items are not its own */

enum { AHEAD_ASK = 100 };

/* 0: it fits, and is here from now on (item->is_ahead). AHEAD_ASK: the index has to judge it; call ahead_settle() before. */
int ahead_take(struct ahead *ahead, struct store *store, struct item *item, struct error *err) _must_check_;
/* Enters the rows of all that is here. In the same transaction ahead_take() answers AHEAD_ASK from now on. */
int ahead_settle(struct ahead *ahead, struct store *store, struct error *err) _must_check_;

/* What ahead_settle() entered is not here any more. */
void ahead_committed(struct ahead *ahead);
/* What was taken in this transaction is not here any more, and what was settled is again. */
void ahead_rolled_back(struct ahead *ahead);

/* Its rows are entered by somebody else, or it is about to be freed. */
void ahead_remove(struct ahead *ahead, struct item *item);
/* Outside of a transaction. Forgets how the chains stand of which nothing is here, when they have become many. */
void ahead_tidy(struct ahead *ahead);
/* How many are here; from any thread. */
size_t ahead_count(const struct ahead *ahead);
/* Does any of them belong to this device? */
bool ahead_has(const struct ahead *ahead, const char *device);
