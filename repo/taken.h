/* repo/taken.h -- how many statements were ever taken: a number beside the index, so that a journal that is lost is missed. Internal to
 * repo/.
 *
 * A round that is judged by memory opens no transaction of the index; it writes its number into this file, "index.db-taken", in place. Like
 * a transaction of the index it is not synced: it outlives the process, and mostly the machine. A line of text:
 *
 *	<16 hex digits> <20 digits>\n
 *
 * The first part is drawn at each start, and the index has it, too: the file of another index counts for nothing. */
#pragma once

#include "repo/store.h"

struct taken;

/* The number that is known: of the index, or of the file where that is higher. 0: never said. */
int taken_read(uint64_t *out, const char *path, struct store *store, struct error *err) _must_check_;
/* Begins the file anew, and tells the index, in a transaction of its own. */
int taken_open(struct taken **out, const char *path, struct store *store, uint64_t count, struct error *err) _must_check_;
struct taken *taken_close(struct taken *taken);

/* From one thread at a time; what is on disk by then counts. */
int taken_note(struct taken *taken, uint64_t count, struct error *err) _must_check_;
/* What was noted last; from any thread. */
uint64_t taken_count(const struct taken *taken);
/* In a transaction of the index. */
int taken_enter(struct taken *taken, struct store *store, uint64_t count, struct error *err) _must_check_;
