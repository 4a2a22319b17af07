/* repo/textdiff.h -- line differences of two texts in memory, by libgit2's diff: no temporary file ever holds plaintext. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct textdiff {
	size_t added, removed; /* lines */
};

/* Appends a unified diff (3 lines of context; "--- old_name" / "+++ new_name" headers) to out when out is not NULL.
 * Equal texts append nothing. */
int textdiff(struct textdiff *counts, struct buf *out, struct bytes old_text, const char *old_name, struct bytes new_text,
	     const char *new_name, struct error *err) _must_check_;
