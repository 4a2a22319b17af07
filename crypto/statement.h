/* crypto/statement.h -- the one grammar and the one verifier (docs/reference/formats.md sections 1 to 3).
 *
 * Build:   statement_begin(), statement_add() in the order of the type's table, then statement_sign() (or a signature made
 *          by ssh-keygen, appended). Read: container_parse(), then statement_verify(), then the fields. */
#pragma once

#include "crypto/age.h"
#include "crypto/sshsig.h"

enum statement_type {
	STATEMENT_ROOT,
	STATEMENT_INVITE,
	STATEMENT_ENROL,
	STATEMENT_ADMIT,
	STATEMENT_EPOCH,
	STATEMENT_SNAPSHOT,
	STATEMENT_STATUS,
	STATEMENT_CHECKPOINT,
	STATEMENT_LOGIN,
	STATEMENT_BATCH,
	STATEMENT_ORDER,
	STATEMENT_CONTROL,
	STATEMENT_RECEIPT,
	STATEMENT_SHREDDED,
	STATEMENT_CERTIFICATE,
	STATEMENT_JUDGEMENT,
	STATEMENT_VERDICT,
	STATEMENT_WAIVER,
	STATEMENT_FIRMWARE,
};

enum {
	STATEMENT_TYPES = STATEMENT_FIRMWARE + 1,
	STATEMENT_LINE_MAX = 1024,
	STATEMENT_LINES_MAX = 512,
	STATEMENT_TEXT_MAX = 64 << 10,
	STATEMENT_SIGS_MAX = 16,
	STATEMENT_MAX = STATEMENT_TEXT_MAX + STATEMENT_SIGS_MAX * 1536, /* text and signatures */
	STATEMENT_PROOF_MAX = 20, /* hashes: a batch holds at most 2^20 orders */
	CONTAINER_SEALS_MAX = 8,
	CONTAINER_MAX = 8 << 20,
};

const char *statement_type_name(enum statement_type type);
bool statement_type_parse(enum statement_type *out, struct bytes name);
/* "<type>@holdfast" */
const char *statement_namespace(enum statement_type type);

/* A statement read from outside: owns a copy of text and signatures. Opaque. */
struct statement;

/* Parses one statement with its signatures (an order: its proof; none is allowed only if unsigned_ok) at the start of in; *used
 * tells how far it went. Checks the whole grammar of section 1 and the type's table: E_FORMAT names the line. Verifies nothing. */
int statement_parse(struct statement **out, struct bytes in, bool unsigned_ok, size_t *used, struct error *err) _must_check_;
struct statement *statement_free(struct statement *st);
void statement_freep(struct statement **st);

enum statement_type statement_type(const struct statement *st);
struct bytes statement_text(const struct statement *st);  /* the signed bytes */
struct bytes statement_whole(const struct statement *st); /* text and signatures */
const uint8_t *statement_hash(const struct statement *st); /* HASH_LEN bytes: SHA-256 of the text */
void statement_hash_hex(char out[static 2 * HASH_LEN + 1], const struct statement *st);

/* Fields. The table has made sure that required keys are there and have their form, so these need no error:
 * statement_get() is NULL only for an absent optional key. Strings are NUL-terminated, borrowed from st. */
const char *statement_get(const struct statement *st, const char *key);
size_t statement_count(const struct statement *st, const char *key);
const char *statement_at(const struct statement *st, const char *key, size_t i);
uint64_t statement_number(const struct statement *st, const char *key);          /* 0 when absent */
int64_t statement_time(const struct statement *st, const char *key);             /* 0 when absent */
bool statement_get_hash(uint8_t out[static HASH_LEN], const struct statement *st, const char *key); /* false when absent */
/* For "number hash" fields (checkpoint, head). False when absent. */
bool statement_get_point(uint64_t *number, uint8_t hash[static HASH_LEN], const struct statement *st, const char *key);

/* What stands behind an order where others have signatures: its place in a batch (docs/reference/formats.md section 7). */
struct order_proof {
	uint8_t batch[HASH_LEN]; /* hash of the batch's text */
	uint32_t index, count;
	size_t len;
	uint8_t path[STATEMENT_PROOF_MAX][HASH_LEN]; /* RFC 6962 section 2.1.1, leaf to root */
};
const struct order_proof *statement_proof(const struct statement *st); /* NULL but for an order that has one */
void statement_add_proof(struct buf *text, const struct order_proof *proof);

size_t statement_sig_count(const struct statement *st);
const struct sshsig *statement_sig(const struct statement *st, size_t i);

/* Who may sign: answers with the name of the person (or thing) whose key this is, if it may sign this type; else NULL. */
struct signers {
	const char *(*who)(void *ctx, const struct sign_pub *key, enum statement_type type);
	void *ctx;
};

/* Every block must verify and belong to somebody allowed; people are counted, not signatures or keys.
 * need: how many distinct people, at least 1. Returns 0; E_SEAL for a bad block, E_DENIED for a key that may not or too few people. */
int statement_verify(const struct statement *st, const struct signers *by, unsigned need, struct error *err) _must_check_;
/* Exactly one signature, by this key. */
int statement_verify_by(const struct statement *st, const struct sign_pub *key, struct error *err) _must_check_;

/* Building. Values are checked when the text is finished. */
void statement_begin(struct buf *text, enum statement_type type);
void statement_add(struct buf *text, const char *key, const char *fmt, ...) _printf_(3, 4);
void statement_add_time(struct buf *text, const char *key, int64_t time_s);
void statement_add_hash(struct buf *text, const char *key, const uint8_t hash[static HASH_LEN]);
void statement_add_point(struct buf *text, const char *key, uint64_t number, const uint8_t hash[static HASH_LEN]);
void statement_add_seal(struct buf *text, const char *key, uint64_t number, struct bytes seal);
/* Checks the finished text against grammar and table: a programmer's mistake or an operator's value shows here, before it is
 * signed. */
int statement_check(struct bytes text, struct error *err) _must_check_;
/* Checks, then appends the signature. */
int statement_sign(struct buf *text, const struct sign_key *key, struct error *err) _must_check_;

/* Seals that a statement lists. */
struct seal_ref {
	const char *name; /* "base", "delta", ... static */
	uint64_t number;  /* which statement of the chain brought it */
	size_t len;
	uint8_t hash[HASH_LEN];
};
size_t statement_seals(struct seal_ref out[static CONTAINER_SEALS_MAX], const struct statement *st);
bool statement_seal(struct seal_ref *out, const struct statement *st, const char *name);

enum container_kind { CONTAINER_ATTACHED, CONTAINER_FULL };

/* A statement and the seals it brings (ATTACHED) or lists (FULL); seals[i] belongs to refs[i], ptr NULL when not carried.
 * Borrows from the bytes it was parsed from, but for st. */
struct container {
	struct statement *st;
	size_t count;
	struct seal_ref refs[CONTAINER_SEALS_MAX];
	struct bytes seals[CONTAINER_SEALS_MAX];
};

/* Parses one container at the start of in: every carried seal is there whole and has the length and SHA-256 that the
 * statement says. *used: how far it went; whether bytes behind it are an error is the caller's affair. */
int container_parse(struct container *out, struct bytes in, enum container_kind kind, size_t *used, struct error *err) _must_check_;
/* Its bytes were copied: from now on it borrows from the copy. */
void container_borrow_from(struct container *c, const uint8_t *copy, const uint8_t *was);
void container_done(struct container *c);
struct bytes container_seal(const struct container *c, const char *name); /* ptr NULL when not carried */
