/* repo/history.h -- walking commits, oldest first, with the statements that each one brings. Internal to repo/. */
#pragma once

#include "repo/git.h"

#include "crypto/statement.h"

struct history_item {
	struct statement *st;
	char path[160];
	bool is_fork;
};

/* What no writer of ours does to a tree. */
struct history_oddity {
	char path[160]; /* cut off when it is longer */
	const char *text;
};

enum { HISTORY_WITNESSES_MAX = 16 };

struct history_cosigned {
	struct statement *st;
	char name[64]; /* of the witness, by its path */
};

struct history_commit {
	git_oid id;
	char hex[41];
	int64_t time_s;
	struct history_item *items; /* in the order of the log: by path */
	size_t count;
	bool has_seals;
	struct statement *checkpoint; /* NULL when this commit brings none */
	struct history_cosigned cosigned[HISTORY_WITNESSES_MAX];
	size_t cosigned_count;
	struct history_oddity *oddities;
	size_t oddity_count;
};

typedef int (*history_fn)(void *ctx, const struct history_commit *commit, uint64_t index, uint64_t total, struct error *err);

/* All commits of `tip` that are not reached from `after` (NULL: all). A statement that does not parse is an error naming its path. */
int history_walk(git_repository *repo, const git_oid *tip, const git_oid *after, history_fn fn, void *ctx, struct error *err) _must_check_;
/* The items of a commit in the order in which they can be entered: roots, invites, enrolments, admissions, batches, their
 * orders and controls, then each device's by number, evidence last. */
void history_in_order(struct history_item **out, const struct history_commit *commit);
