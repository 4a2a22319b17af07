/* tests/unit/journaled.h -- one journal in a folder, for tests of repo/journal.h. */
#pragma once

#include "repo/journal.h"

/* What was replayed, one content behind the other. */
struct replay {
	struct buf all;
	size_t count;
};

extern const char *const first[], *const second[]; /* "one ", "two "; and "three " */

int take(void *ctx, uint8_t kind, struct bytes content, struct error *err); /* into a struct replay */
/* Closes the journal (NULL: there is none yet) and opens it again. */
struct journal *reopen(struct journal *journal, const char *dir, struct replay *replay, uint64_t *cut);
void append(struct journal *journal, const char *const *texts, bool mark);
/* The path of the newest file that is not empty; the caller frees. */
char *newest(const char *dir);
/* Of the bytes from one to another, how many there are without the zeros at their end: those nobody can tell from what was never written.
 */
size_t seen(struct bytes in, size_t from, size_t to);
void put_file(const char *path, struct bytes in);
/* Appends to a file of its own, which has a second name afterwards: what is in it is seen when the first is gone. The caller frees it. */
char *linked(struct journal *journal, const char *dir, bool holds_keys);
size_t count_not_zero(const char *path); /* bytes of a file */
