/* cli/select.h -- which devices are meant: site:north !role:lab r* (docs/reference/selectors.md). */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include <stdint.h>

/* Every label term must hold and no '!' term may; if there are names, ids or globs, one of them must match.
 * labels: "site:north role:ring". No terms: all. */
bool select_matches(const char *const terms[], size_t count, const char *id, const char *name, const char *labels);

enum { SELECT_NEWEST = 0, SELECT_ID_PREFIX_MIN = 6 };

struct revision_ref {
	char device[64];
	uint64_t number; /* SELECT_NEWEST when not given */
	bool is_given;
};
/* "r1", "r1@3", "r1@newest". E_FORMAT. */
int select_revision(struct revision_ref *out, const char *text, struct error *err) _must_check_;
