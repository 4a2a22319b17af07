/* cli/bundle.h -- the retirement of one device in one file that needs nobody: its statements, each with its place in the log, and the log's
 * head (docs/reference/formats.md section 9).
 *
 * Whoever knows the fleet's id can verify it offline, years later: people and thresholds count by the root that was in force where a
 * statement lies. What it cannot show is what is not in it: a root that came later, a rejection that was left out. Pure. */
#pragma once

#include "cli/retirement.h"
#include "crypto/checkpoint.h"

enum { BUNDLE_MAX = 8 << 20, BUNDLE_PARTS_MAX = 1024, BUNDLE_BATCHES_MAX = 4, BUNDLE_CONTROLS_MAX = 256, BUNDLE_SHREDDED_MAX = 128 };

struct bundle_part {
	struct statement *st;
	bool has_place, has_growth;
	struct merkle_place place;
	struct merkle_growth growth;
};

struct bundle {
	char fleet[ID_LEN + 1], device[ID_LEN + 1];
	size_t count;
	struct bundle_part *parts;
};
/* Adds a part at the end; takes st over. The answer is good until the next one. */
struct bundle_part *bundle_add(struct bundle *bundle, struct statement *st);
void bundle_text(struct buf *out, const struct bundle *bundle);
/* E_FORMAT for what is not of the form, E_LIMIT for what is too large, E_SEAL when it is not what its first lines say. Verifies nothing. */
int bundle_parse(struct bundle *out, struct bytes in, struct error *err) _must_check_;
void bundle_done(struct bundle *bundle);

/* What the reader knows already: the fleet's id, or its succession of roots, or both. */
struct bundle_trust {
	const char *fleet;         /* NULL: not known */
	struct root *const *roots; /* version N is roots[N - 1] */
	size_t root_count;
};

struct bundle_witness {
	const char *name;
	uint64_t size; /* of the log that it cosigned */
	bool has_certificate;
};

/* A bundle that holds. Borrows from the bundle, but for what it owns. */
struct bundle_proof {
	size_t root_count;
	struct root *roots[ROOT_CHAIN_MAX];
	uint64_t root_index[ROOT_CHAIN_MAX];
	const struct statement *head, *enrol, *admit, *snapshot, *certificate; /* snapshot: NULL for none */
	uint64_t certificate_index;
	size_t batch_count;
	struct retirement_batch batches[BUNDLE_BATCHES_MAX];
	const struct statement *controls[BUNDLE_BATCHES_MAX][BUNDLE_CONTROLS_MAX], *receipts[BUNDLE_BATCHES_MAX][8];
	size_t shredded_count;
	const struct statement *shredded[BUNDLE_SHREDDED_MAX];
	size_t witness_count;
	struct bundle_witness witnesses[ROOT_WITNESSES_MAX];
	struct retirement retirement;
};
/* E_SEAL, E_DENIED: what does not hold, in words. *out is large: not for the stack. */
int bundle_verify(struct bundle_proof *out, const struct bundle *bundle, const struct bundle_trust *trust, struct error *err) _must_check_;
void bundle_proof_done(struct bundle_proof *proof);
/* As retirement_compute() took it. */
void bundle_facts(struct retirement_facts *out, const struct bundle_proof *proof);
