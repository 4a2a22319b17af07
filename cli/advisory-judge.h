/* cli/advisory-judge.h -- what people decided about advisories: signed statements (docs/reference/formats.md, judgement).
 *
 * A judgement counts while its signer may judge by the root in force, until its own end, and for the document that was judged and no other.
 * Of those that count the newest that names the device is taken, else the newest that names none. */
#pragma once

#include "cli/advisory-match.h"
#include "cli/advisory-store.h"
#include "crypto/judgement.h"

enum { JUDGEMENTS_MAX = 200000 };

struct judgement {
	struct statement *st;
	int64_t time_s;
	const char *why_not; /* static: why it does not count; NULL when it does */
};

struct judgements {
	size_t count;
	struct judgement *list; /* the oldest first */
};

/* root: NULL when there is no fleet; then none counts. */
int judgements_load(struct judgements *out, const struct advisory_store *s, const struct root *root, int64_t now_s,
		    struct error *err) _must_check_;
void judgements_done(struct judgements *j);

/* What counts for this device (id: "" for one without) and document; NULL: nothing. *stale: the newest one about another document of it. */
const struct judgement *judgements_for(const struct judgements *j, const struct advisory_entry *e, const char *device, bool *stale);
/* How many advisories were judged that are not in s. */
size_t judgements_elsewhere(const struct judgements *j, const struct advisory_store *s);
/* Adds the features that judgements say it takes: strings are borrowed from j. */
void judgements_refine(struct advisory *a, const struct judgements *j, const struct advisory_entry *e);

/* whole: with what it brings behind it, if that is at hand. Verifies and keeps one, and has it sent to the archive with the next sync
 * (cli/advisory-sync.h). E_DENIED without a root, or when its signer may not. */
int judgement_take(const struct advisory_store *s, const struct root *root, struct bytes whole, struct error *err) _must_check_;
/* Keeps one that is archived; also one whose signer may not judge any more, since they may again one day. Not durable before
 * advisory_store_sync(). 1: it was here. */
int judgement_keep(const struct advisory_store *s, const struct root *root, struct bytes whole, struct error *err) _must_check_;
