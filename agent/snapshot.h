/* agent/snapshot.h -- a device's chain of statements: epochs, snapshots and receipts, and what must be remembered between them.
 *
 * Base and one delta (docs/explanation/design.md section 4): the archive opens any snapshot from its own tree, so every delta is made
 * against the base, and the base's text is kept here. The texts kept are tokenised: secrets are not among them. Nothing
 * here touches a file: a maker works on a copy of the chain, and the caller puts the copy on disk before it counts. */
#pragma once

#include "agent/commit.h"
#include "agent/device.h"
#include "agent/orders.h"
#include "crypto/root.h"
#include "crypto/seal.h"
#include "policies/verdict.h"

enum {
	SNAPSHOT_DELTAS_MAX = 256, /* then a new base: of 64 kB it costs 7 kB in the archive, of which each change bears its part */
	SNAPSHOT_EPOCH_DAYS = 30,
	SNAPSHOT_NOTE_MAX = 600,
	SNAPSHOT_TOKEN_KEY_LEN = 32,
	CHAIN_FILE_MAX = 16 << 20,
};

/* A seal in the archive and what is in it. */
struct chain_seal {
	bool is_there;
	struct seal_ref ref;
	uint8_t digest[HASH_LEN]; /* keyed digest of the plaintext; zero for base */
};

/* The set of policies in force: of which order, and the SHA-256 of its payload as it came. order 0: none is. */
struct chain_policy {
	uint64_t order;
	uint8_t leaf[HASH_LEN], payload[HASH_LEN];
};

struct chain_verdict {
	uint64_t number; /* 0: none yet */
	uint8_t of[HASH_LEN]; /* what was judged (agent/judge.h) */
	uint64_t counts[STANDINGS];
};

/* Everything about a device's chain that outlives the process. The archive can be asked for none of it. */
struct chain {
	uint64_t number; /* of the newest statement */
	uint8_t hash[HASH_LEN];
	int64_t time_s; /* of the newest statement; no later one is dated before it */

	uint64_t epoch; /* 0: none yet */
	int64_t epoch_time_s;
	uint8_t readers[HASH_LEN]; /* digest of the recipients that the epoch was sealed to */
	struct age_recipient body, secrets_to;
	uint8_t token_key[SNAPSHOT_TOKEN_KEY_LEN];

	bool has_snapshot; /* in this or an earlier epoch */
	uint64_t deltas;   /* since base */
	struct chain_seal base, delta, startup, secrets;
	struct buf base_text, running_text, startup_text; /* tokenised */
	bool had_startup;
	uint64_t text_epoch; /* whose tokens stand in the texts */
	enum commit_saved saved;
	int64_t unsaved_since_s;
	bool is_blocked;       /* struct commit's, remembered */
	char incarnation[512]; /* of the device when it was last whole */

	struct buf newest; /* the newest statement's container, whole: lost from the spool, it is made again from here */

	/* Running is what it is since this snapshot, across epochs and their tokens. */
	uint64_t running_since; /* 0: none yet */
	uint8_t running_hash[HASH_LEN];
	uint8_t running_key[SNAPSHOT_TOKEN_KEY_LEN]; /* made with the first snapshot */
	uint8_t running_digest[HASH_LEN];            /* of the canonical text, keyed */

	struct orders_seen orders;

	struct chain_policy policy;
	struct chain_verdict verdict; /* the newest */
	int64_t drift_since_s;        /* 0: running is the baseline, or there is none, or nobody knows */
};

void chain_done(struct chain *c); /* wipes; accepts a zeroed one */
void chain_copy(struct chain *out, const struct chain *from);
/* The chain as bytes for its file, and back. E_FORMAT for anything else. */
void chain_write(struct buf *out, const struct chain *c);
int chain_read(struct chain *out, struct bytes in, struct error *err) _must_check_;

/* Who signs, and by what the statement is dated and anchored. */
struct snapshot_by {
	const struct sign_key *key;
	const char *id;                      /* the device's */
	const struct root *root;             /* in force */
	const struct statement *checkpoint;  /* the newest seen, or NULL */
	int64_t now_s;                       /* never before the newest signed time that was seen */
};

/* Is a new epoch due: none yet, other readers in the root, or 30 days? */
bool epoch_is_due(const struct chain *c, const struct root *root, int64_t now_s);
/* Makes an epoch: two identities, sealed to those whom the root names and then forgotten. The container is c->newest.
 * E_DENIED when the root names no reading key. */
int epoch_make(struct chain *c, const struct snapshot_by *by, struct error *err) _must_check_;

struct snapshot_input {
	const char *reason; /* a word of formats.md section 3 */
	const struct device_driver *driver;
	struct bytes running, startup; /* canonical */
	bool has_startup;
	enum commit_saved saved;
	int64_t unsaved_since_s;
	const char *mode;
	int64_t hold_s; /* 0: none */
	const char *hold_by; /* who keeps it from being saved, and why; NULL or "": nobody */
	const char *drift;   /* as `saved`; NULL: there is no baseline */
	int64_t drift_since_s; /* 0: it is none */
	const char *changed_by; /* by the device's own log; NULL or "": it does not say */
	const char *note; /* "" for none; what is not printable becomes '?' */
	const struct device_facts *facts;
	const uint8_t *challenge; /* status: the one in force, or NULL */
	uint64_t order; /* status: the highest order that was taken note of; 0: none */
};

/* Makes a snapshot. The container is c->newest. E_LIMIT when text or secrets are too long. */
int snapshot_make(struct chain *c, const struct snapshot_input *in, const struct snapshot_by *by, struct error *err) _must_check_;

/* What became of an order. batch and leaf: hashes; check, evidence: NULL for none; note as above. */
struct receipt_input {
	uint64_t order;
	const uint8_t *batch, *leaf;
	const char *outcome, *check, *evidence, *note;
	const struct device_erased *erased; /* NULL: it was not to be */
};
/* Makes a receipt. The container is c->newest. */
int receipt_make(struct chain *c, const struct receipt_input *in, const struct snapshot_by *by, struct error *err) _must_check_;

/* Would the snapshot show other texts than the newest one did? */
bool snapshot_running_differs(const struct chain *c, const struct snapshot_input *in);
bool snapshot_startup_differs(const struct chain *c, const struct snapshot_input *in);

/* A status for the poll, appended to out, signed. */
int status_make(struct buf *out, const struct chain *c, const struct snapshot_input *in, uint64_t wait_s, const struct snapshot_by *by,
		struct error *err) _must_check_;

/* One secret and its token; kept sorted. */
struct secret_table {
	struct secret_entry *entries;
	size_t count;
};
struct secret_entry {
	char token[17];
	struct bytes value; /* borrowed from the text */
};
/* Appends text with every secret replaced by its token, and notes them in the table. Text that looks like a token is a
 * secret too, so the way back is exact. */
void secrets_split(struct buf *out, struct secret_table *table, const struct device_driver *driver,
		   const uint8_t key[static SNAPSHOT_TOKEN_KEY_LEN], struct bytes text);
/* Appends text with the digits of its tokens blanked. */
void tokens_blank(struct buf *out, struct bytes text);
void secret_table_text(struct buf *out, const struct secret_table *table); /* as in the `secrets` seal */
void secret_table_done(struct secret_table *table);

/* Lines that are in one and not in the other, as a diff counts them. */
void lines_changed(uint64_t *added, uint64_t *removed, struct bytes before, struct bytes after);
