/* cli/dossier.h -- all that is archived about one device's way out of the fleet, verified, and what it comes to (cli/retirement.h).
 *
 * The server's lists serve to find what there is; batches, decisions, orders, receipts and what was said behind them are believed by their
 * signatures, each by the root that it names. What the server hides is not seen here: an audit of a mirror finds that. */
#pragma once

#include "cli/fleet.h"
#include "cli/retirement.h"
#include "cli/rollout.h"

enum { DOSSIER_BATCHES_MAX = 64, DOSSIER_SHREDDED_MAX = 128, DOSSIER_RECEIPTS_MAX = 8 };

struct dossier_batch {
	struct rollout rollout; /* verified, but for the server's word in it */
	struct statement *order;
	size_t receipt_count;
	struct statement *receipts[DOSSIER_RECEIPTS_MAX];
};

struct dossier {
	char id[ID_LEN + 1], name[64];
	size_t batch_count;
	struct dossier_batch *batches;    /* newest first */
	struct retirement_batch *steps;   /* the same, as retirement's step.of points to them */
	size_t shredded_count;
	struct statement **shredded;
	size_t certificate_count;
	struct statement **certificates;
	struct retirement now;

	/* The server's word. */
	char challenge[2 * HASH_LEN + 1]; /* "" when the device says none */
	char retired[16];                 /* "", "wiped" or "lost" */
};

/* member: who was found in a list; it is verified that it is the one. E_SEAL for anything that does not hold. */
int dossier_get(struct dossier *out, const struct open_source *source, struct opener *opener, const struct fleet_member *member,
		struct error *err) _must_check_;
/* The server's word: the challenge that the device says now, "" when it says none. */
int dossier_challenge(char out[static 2 * HASH_LEN + 1], const struct open_source *source, const char *id, struct error *err) _must_check_;
/* What `now` was computed from; borrowed from both. */
void dossier_facts(struct retirement_facts *out, const struct dossier *d, const struct open_source *source);
void dossier_done(struct dossier *d);
/* The batch of a step; NULL when there is none. */
const struct dossier_batch *dossier_batch(const struct dossier *d, const struct retirement_step *step);
