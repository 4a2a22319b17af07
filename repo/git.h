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

/* The branch's commit; false while there is none. */
bool git_store_tip(git_oid *out, struct git_store *git);

/* ---- a round ---- */

struct round;

/* What becomes of one path; entries are given sorted by path, each path once. */
struct change {
	char path[160];
	bool remove;
	struct bytes blob; /* borrowed until git_round_commit() returns */
};

int git_round_begin(struct round **out, struct git_store *git, struct error *err) _must_check_;
void git_round_free(struct round *round);
/* Adds a commit behind the last one of this round (or the branch's tip). */
int git_round_commit(git_oid *out, struct round *round, const struct change *changes, size_t count, const char *message, const char *email,
		     const struct sign_key *key, struct error *err) _must_check_;
/* Makes the pack durable, then moves the branch. On failure nothing has happened. */
int git_round_finish(struct round *round, struct error *err) _must_check_;

/* ---- reading ---- */

/* Appends a file of a commit's tree. Positive (1) when it is not there. */
int git_read_file(struct buf *out, git_repository *repo, const git_oid *commit, const char *path, size_t max, struct error *err) _must_check_;

/* The error of the last libgit2 call. */
int git_fail(struct error *err, const char *what);
