/* repo/layout.h -- where things lie in the tree (docs/reference/formats.md section 5). Internal to repo/. */
#pragma once

#include "crypto/statement.h"
#include "repo/git.h"

enum { PATH_MAX_LEN = 160, CHANGES_MAX = 6 };

/* "devices/ab/cd/<id>/<name>" */
void layout_device_path(char out[static PATH_MAX_LEN], const char *id, const char *name);
void layout_receipt_path(char out[static PATH_MAX_LEN], const char *id, uint64_t number);
void layout_order_path(char out[static PATH_MAX_LEN], const char *batch, const char *device);
/* The path of a statement itself. */
void layout_path(char out[static PATH_MAX_LEN], const struct statement *st, bool is_fork);
/* Where the newest checkpoint that a witness cosigned lies. */
/* The document that a judgement brings. */
void layout_text_path(char out[static PATH_MAX_LEN], const struct statement *st);
void layout_witness_path(char out[static PATH_MAX_LEN], const char *name);
/* git's names of what a container brings; those of seals that it does not bring are not set. */
struct names {
	git_oid whole, seals[CONTAINER_SEALS_MAX];
};

/* All that one container changes, sorted by path; blobs borrow from c, names from names. path: of its statement. Returns how many. */
size_t layout_changes(struct change out[static CHANGES_MAX], const char *path, const struct container *c, const struct names *names,
		      bool is_fork);

/* What lies at a path. Statements, all of which belong into the log: those of which the newest lies there, those that are written once, and
 * evidence. And what is said of the log, which does not: its checkpoint, and what witnesses cosigned. */
enum layout_kind { LAYOUT_UNKNOWN, LAYOUT_NEWEST, LAYOUT_ONCE, LAYOUT_FORK, LAYOUT_SEAL, LAYOUT_TEXT, LAYOUT_CHECKPOINT, LAYOUT_WITNESS };
/* The witness whose path this is. */
const char *layout_witness_name(const char *path);
enum layout_kind layout_kind(const char *path);
