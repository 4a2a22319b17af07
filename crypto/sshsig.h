/* crypto/sshsig.h -- SSHSIG signatures (PROTOCOL.sshsig of OpenSSH), armoured.
 *
 * Stricter than stock: version 1, reserved empty, hash sha512 only, no trailing bytes, two key types, blob at most 1,024
 * bytes. For sk keys the user-presence flag must be set; stock ssh-keygen does not ask for it. */
#pragma once

#include "crypto/key.h"

struct sshsig {
	struct sign_pub key;
	char space[64]; /* the namespace */
	uint8_t sig[64];
	uint8_t flags;    /* sk only: 0x01 user present, 0x04 user verified */
	uint32_t counter; /* sk only */
};

/* Appends an armoured signature over msg, 70 columns, "\n" after the last line. */
void sshsig_sign(struct buf *out, const struct sign_key *key, const char *space, struct bytes msg);

/* Parses one armoured block at the very start of in; *used is how far it went ("\n" of the END line included).
 * E_FORMAT otherwise. */
int sshsig_parse(struct sshsig *out, struct bytes in, size_t *used, struct error *err) _must_check_;

/* 0 when sig is a valid signature by sig->key over msg in this namespace; E_SEAL otherwise (one code for all reasons). */
int sshsig_verify(const struct sshsig *sig, const char *space, struct bytes msg, struct error *err) _must_check_;
/* By a token that asked for its PIN, or a finger: the flag is under the signature. */
bool sshsig_is_user_verified(const struct sshsig *sig);
