/* tests/unit/story.h -- a retirement, from the fleet's first root to the file that proves it. A test tells it with one thing changed. */
#pragma once

#include "cli/bundle.h"
#include "cli/certificate.h"
#include "tests/fleet.h"

enum { ALICE, BOB, CAROL, ARCHIVE, TOWER, MALLORY, KEYS };
enum { LEAVES_MAX = 64, PARTS_MAX = 64 };

/* A list of who signs. */
#define BY(...) ((const int[]){ __VA_ARGS__, -1 })

/* What is usual, but for this. */
struct story {
	const char *areas, *outcome;
	bool is_lost, hides_bob, is_dismissed, lowers_threshold, is_by_one, is_unarchived, is_early, has_no_witness;
	const char *from, *to; /* in the certificate's text, before it is signed */
};

struct world {
	struct story story;
	struct sign_key keys[KEYS];
	struct age_identity readers[2];
	struct fleet fleet; /* only its id and alice's key */
	struct fleet_device device;
	struct merkle_hash leaves[LEAVES_MAX];
	uint64_t leaf_count;
	struct bundle bundle;
	uint64_t index[PARTS_MAX]; /* of each part of the bundle in the log; UINT64_MAX: a head */
	struct statement *root, *erase, *erase_order, *receipt, *shred, *shred_order, *shredded[3];
	size_t shredded_count;
	uint64_t log_size; /* that the certificate names */
	int64_t now_s;
};

/* As far as before the certificate; then the certificate; then heads, places and growths: the whole. */
void world_init(struct world *w, const struct story *story);
void add_certificate(struct world *w);
void finish(struct world *w);
/* The three of them. */
void world_whole(struct world *w, const struct story *story);
void world_done(struct world *w);

/* The next root, with the first count of alice, bob and carol. more: lines, or "". */
void add_root(struct world *w, int count, const char *retirers, const char *more, const int *signers);
/* Signs the text and archives it: in the log, and in the bundle, which owns what comes back. */
struct statement *archive_signed(struct world *w, struct buf *text, enum statement_type type, const int *signers);
/* A checkpoint of the first statements of the log; the caller's. */
struct statement *head_of(const struct world *w, uint64_t size, const int *signers);
/* One thing in the text becomes another. from: NULL for none; else it must be there. */
void exchange(struct buf *text, const char *from, const char *to);

/* What a certificate is drafted from, as cli/dossier.h would bring it; borrows from the world. */
struct facts {
	struct root *roots[4];
	struct retirement_batch batches[2];
	const struct statement *controls[2][8];
	const struct statement *receipts[1];
	struct retirement_facts f;
	struct retirement r;
	struct certificate_source source;
};
void gather(struct facts *f, const struct world *w);
void facts_done(struct facts *f);

extern const struct certificate_words words;
/* Appends the certificate's text with these words. */
void draft(struct buf *out, const struct world *w, struct facts *f);

/* Verifies a file, or the world's, as a stranger would who knows the fleet's id. */
int judge_text(struct bytes text, const char *fleet, struct error *err);
int judge(const struct world *w, struct error *err);
