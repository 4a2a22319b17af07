/* crypto/age.h -- age v1 files (age-encryption.org/v1): X25519 recipients, scrypt for key files.
 *
 * Binary files are written; armour is read as well. Nothing of a payload is given out before all of it is verified. */
#pragma once

#include "crypto/secret.h"

enum {
	AGE_RECIPIENT_LEN = 62, /* "age1..." */
	AGE_RECIPIENTS_MAX = 128,
	AGE_HEADER_MAX = 64 << 10,
	AGE_SCRYPT_WORK_MAX = 22, /* log2 N that open accepts */
};

struct age_recipient {
	uint8_t pub[32];
};

struct age_identity {
	struct secret key; /* 32 bytes */
	struct age_recipient pub;
};

void age_identity_new(struct age_identity *out);
/* "AGE-SECRET-KEY-1...": exactly that. */
int age_identity_parse(struct age_identity *out, struct bytes text, struct error *err) _must_check_;
/* A file of identities as age-keygen writes it: '#' comments and blank lines allowed; the first identity counts. */
int age_identity_from_file(struct age_identity *out, struct bytes text, struct error *err) _must_check_;
void age_identity_text(struct buf *out, const struct age_identity *id); /* no newline */
void age_identity_done(struct age_identity *id);
int age_recipient_parse(struct age_recipient *out, struct bytes text, struct error *err) _must_check_;
void age_recipient_text(char out[static AGE_RECIPIENT_LEN + 1], const struct age_recipient *to);

/* Seals plain to n recipients (1 to AGE_RECIPIENTS_MAX), appended to out. E_SEAL for a low-order recipient. */
int age_seal(struct buf *out, const struct age_recipient *to, size_t n, struct bytes plain, struct error *err) _must_check_;

/* Opens with an identity; appends the whole plaintext, at most max bytes, only when everything verified.
 * E_FORMAT: not an age file; E_SEAL: none of the stanzas is for us, or MAC or payload do not hold; E_LIMIT: over max. */
int age_open(struct buf *out, struct bytes sealed, const struct age_identity *id, size_t max, struct error *err) _must_check_;

int age_seal_passphrase(struct buf *out, struct bytes passphrase, unsigned work, struct bytes plain, struct error *err) _must_check_;
int age_open_passphrase(struct buf *out, struct bytes sealed, struct bytes passphrase, size_t max, struct error *err) _must_check_;
/* Is it (armoured or binary) an age file at all, and one for a passphrase? */
bool age_is_file(struct bytes in);
bool age_is_passphrase_file(struct bytes in);
