/* cli/advisory-store.h -- the advisories of an operator: a folder that can be copied.
 *
 *   advisories/<sha256>.json     documents, byte by byte as they came
 *   advisories/<sha256>.asc      their OpenPGP signatures, as far as they were verified when they came
 *   advisories/index             which of them count, when they came, and how they were checked
 *   advisories/judgements/<sha256 of the text>   what people decided, signed
 *
 * An advisory is known by its publisher and id; a newer version takes the place of an older one. A document whose bytes are not those of
 * the index any more is not read. Documents are made durable before the index that names them. */
#pragma once

#include "cli/advisory.h"
#include "crypto/key.h"

enum { ADVISORIES_MAX = 100000, ADVISORY_SIGNATURE_MAX = 65536 };

struct advisory_entry {
	char sha256[2 * HASH_LEN + 1];
	const char *publisher, *id, *version, *released, *imported;
	const char *checked; /* "nothing", "checksum", "signature FINGERPRINT" */
};

struct advisory_store {
	char *dir;
	int lock;
	size_t count;
	struct advisory_entry *entries;
	json_t *index;  /* the strings are its */
	json_t *places; /* publisher and id -> place in entries */
	bool is_changed;
	size_t gone_count;
	char (*gone)[2 * HASH_LEN + 1]; /* documents to be removed once the index is there */
};

/* home_dir need not be there yet. for_change: takes the lock, E_DENIED when another command has it. */
int advisory_store_open(struct advisory_store *out, const char *home_dir, bool for_change, struct error *err) _must_check_;
void advisory_store_done(struct advisory_store *s);

enum advisory_taken { TAKEN_NEW, TAKEN_NEWER, TAKEN_KNOWN, TAKEN_OLDER };
enum { TAKEN_COUNT = TAKEN_OLDER + 1 };
/* document: what a was read from. CLI_CONFLICT when the same version is there with another text. */
int advisory_store_take(enum advisory_taken *how, struct advisory_store *s, const struct advisory *a, struct bytes document,
			const char *checked, struct error *err) _must_check_;
/* Keeps the signature that document came with. */
int advisory_store_put_signature(const struct advisory_store *s, struct bytes document, struct bytes signature,
				 struct error *err) _must_check_;
/* A file of the store, by a rename. Not durable before advisory_store_sync(), since thousands come together. */
int advisory_store_write(const char *path, struct bytes text, struct error *err) _must_check_;
int advisory_store_sync(const struct advisory_store *s, struct error *err) _must_check_;
/* Makes it all durable. */
int advisory_store_save(struct advisory_store *s, struct error *err) _must_check_;

/* Appends the bytes. E_SEAL when they are not what was imported. */
int advisory_store_document(struct buf *out, const struct advisory_store *s, size_t i, struct error *err) _must_check_;
/* Appends its signature. 1: there is none. */
int advisory_store_signature(struct buf *out, const struct advisory_store *s, size_t i, struct error *err) _must_check_;
int advisory_store_read(struct advisory **out, const struct advisory_store *s, size_t i, struct error *err) _must_check_;
/* By id, in any case, or by eight first characters of the SHA-256. CLI_ABSENT; CLI_USAGE when two publishers use the id. */
int advisory_store_find(size_t *out, const struct advisory_store *s, const char *id, struct error *err) _must_check_;
