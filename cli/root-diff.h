/* cli/root-diff.h -- what a next root changes against the one in force, in plain words, and who has signed it. Pure. */
#pragma once

#include "crypto/root.h"

struct root_diff {
	size_t count, note_count;
	char **lines;
	char **notes; /* what follows from them, and is easily overlooked */
};
/* Every line of the statement that differs is in one of the lines. */
void root_diff_of(struct root_diff *out, const struct root *now, const struct root *next);
void root_diff_done(struct root_diff *diff);

/* Has this person lost (or got, with the roots the other way round) a reading key with role reader or auditor? */
bool root_diff_loses_reading(const struct root *now, const struct root *next, const char *person);

/* Who stands behind a next root, by the people of each of the two. */
struct standing {
	size_t signed_count;
	const char *who[STATEMENT_SIGS_MAX]; /* whoever signed, once each; borrowed from the roots */
	unsigned have_now, need_now;         /* people of the root in force */
	unsigned have_next, need_next;       /* people of the next one */
};
/* E_SEAL: a signature that does not hold; E_DENIED: one of somebody who may not. */
int standing_of(struct standing *out, const struct root *now, const struct root *next, struct error *err) _must_check_;
bool standing_is_enough(const struct standing *standing);
bool standing_has(const struct standing *standing, const char *person);
/* "root 3 takes 2 people of root 2 (1 signed, 1 more of: bob, carol) and ..." */
void standing_text(struct buf *out, const struct standing *standing, const struct root *now, const struct root *next);
