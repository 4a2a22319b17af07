/* repo/ahead.h -- snapshots that are journaled and have no rows in the index yet. Internal to repo/.
 *
 * Nearly all that arrives are snapshots that fit their device's chain. To write each one's rows as it comes would cost more than its
 * journal entry: so it is judged by what is kept here of its device, and its rows are written together with those of many others, when the
 * packer knows its place, or as soon as somebody asks something that they answer. What does not fit so plainly is judged by the index,
 * after the rows of all that came before it are in there.
 *
 * Two things go on at the same time, and meet only for moments, in a lock of its own. Whoever has judge_lock takes the snapshots of one
 * round, which are nobody else's until they are journaled: then ahead_publish(). And whoever has store_lock enters rows, in a transaction
 * that ends with ahead_committed() or ahead_rolled_back(). Memory: some 350 bytes for each device of whom a snapshot is here, which are
 * bounded by what may be pending, and for 131,072 others whose chains are still known. */
#pragma once

#include "repo/item.h"
#include "repo/store.h"

struct ahead;

struct ahead *ahead_new(void);
struct ahead *ahead_free(struct ahead *ahead); /* the items are not its own */

enum { AHEAD_ASK = 100 };

/* ---- with judge_lock ---- */

/* 0: it fits, and belongs to the round from now on. AHEAD_ASK: the index has to judge it, after the rows of all that is here. store: any
 * that shows what is committed; it is asked about devices of whom nothing is known. */
int ahead_take(struct ahead *ahead, struct store *store, struct item *item);
/* The round is journaled: it is here (item->is_ahead). */
void ahead_publish(struct ahead *ahead);
/* The round is not taken. */
void ahead_drop(struct ahead *ahead);
/* Between rounds, after the index judged something itself: forgets how the chains stand of which nothing is here. */
void ahead_forget(struct ahead *ahead);
/* Between rounds: the same, when they have become many. */
void ahead_tidy(struct ahead *ahead);

/* ---- with store_lock, in a transaction of the store ---- */

/* Enters the rows of all that is here by now. */
int ahead_settle(struct ahead *ahead, struct store *store, struct error *err) _must_check_;
/* What ahead_settle() entered is not here any more. */
void ahead_committed(struct ahead *ahead);
/* What was settled is here as before. */
void ahead_rolled_back(struct ahead *ahead);
/* Its rows are entered by somebody else, or it is about to be freed. */
void ahead_remove(struct ahead *ahead, struct item *item);
void ahead_remove_all(struct ahead *ahead, struct item *const *items, size_t count);

/* ---- from any thread ---- */

/* How many are here. */
size_t ahead_count(const struct ahead *ahead);
/* Does any of them belong to this device? */
bool ahead_has(struct ahead *ahead, const char *device);
