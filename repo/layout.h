/* repo/layout.h -- where things lie in the tree (docs/reference/formats.md section 5). Internal to repo/. */
#pragma once

#include "crypto/statement.h"
#include "repo/git.h"

enum { PATH_MAX_LEN = 160, CHANGES_MAX = 6 };

/* "devices/ab/cd/<id>/<name>" */
void layout_device_path(char out[static PATH_MAX_LEN], const char *id, const char *name);
/* The path of a statement itself. */
void layout_path(char out[static PATH_MAX_LEN], const struct statement *st, bool is_fork);
/* All that one container changes; blobs borrow from c. Returns how many. */
size_t layout_changes(struct change out[static CHANGES_MAX], const struct container *c, bool is_fork);
/* Is it the path of a statement that belongs into the log? is_fork tells evidence from the rest. */
bool layout_is_statement(const char *path, bool *is_fork);
