/* repo/git.h -- the git side: objects, a pack written by hand, trees, commits, the branch.
 *
 * A round (one pack) is built in memory and becomes durable at once: pack, its index, their folder, then the branch. Nothing loose is
 * ever written. Internal to repo/. */
#pragma once

#include "crypto/key.h"

#include <git2.h>

struct git_store;

int git_store_open(struct git_store **out, const char *path, bool create, struct error *err) _must_check_;
struct git_store *git_store_close(struct git_store *git);
git_repository *git_store_repository(struct git_store *git);

/* The branch's commit. Returns 1 while there is none; E_FORMAT when it is there and damaged. */
int git_store_tip(git_oid *out, struct git_store *git, struct error *err) _must_check_;
/* Are there any packs? A branch that is missing among them was lost. */
bool git_store_has_packs(const struct git_store *git);

/* Are the indexes of the packs as they were written? Their own checksums tell, and libgit2 does not look: it would follow a damaged one out
 * of bounds. E_FORMAT names the one that is not. */
int git_store_check(const struct git_store *git, struct error *err) _must_check_;

/* The folder of the packs, for merge.h. */
const char *git_store_packs(const struct git_store *git);
/* What is gone from the disk is let go, what is new is seen. */
int git_store_reopen(struct git_store *git, struct error *err) _must_check_;

/* ---- a round ---- */

struct round;

/* What becomes of one path; entries are given sorted by path, each path once. */
struct change {
	char path[160];
	bool remove;
	struct bytes blob; /* borrowed until git_round_commit() returns */
	const git_oid *id; /* its name, borrowed, too; NULL: not known yet */
};

/* len: about how many bytes of blobs will come. */
int git_round_begin(struct round **out, struct git_store *git, size_t len, struct error *err) _must_check_;
void git_round_free(struct round *round);
/* Adds a commit behind the last one of this round (or the branch's tip). */
int git_round_commit(git_oid *out, struct round *round, const struct change *changes, size_t count, const char *message, const char *email,
		     const struct sign_key *key, struct error *err) _must_check_;
/* When the last commit was made, as it says itself. */
int64_t git_round_time(const struct round *round);
/* How many bytes the pack has so far. */
size_t git_round_len(const struct round *round);
/* Makes the pack durable, then moves the branch. A failure after the pack was written may leave the branch moved
 * all the same: look at it before anything is written again. */
int git_round_finish(struct round *round, struct error *err) _must_check_;

/* ---- reading ---- */

/* Appends a file of a commit's tree. Positive (1) when it is not there. */
int git_read_file(struct buf *out, git_repository *repo, const git_oid *commit, const char *path, size_t max,
		  struct error *err) _must_check_;

/* The error of the last libgit2 call. */
int git_fail(struct error *err, const char *what);
