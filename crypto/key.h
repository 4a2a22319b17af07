/* crypto/key.h -- signing keys and the ids made from them.
 *
 * A signing key is stored as its 32-byte seed (base64, one line, mode 0600) and the pair is rebuilt at load: one flipped
 * bit in a stored public half would give the secret away with the second signature. */
#pragma once

#include "crypto/secret.h"

enum { ID_LEN = 26, HASH_LEN = 32, SIGN_PUB_TEXT_MAX = 512 };

enum sign_kind { SIGN_ED25519, SIGN_SK_ED25519 };

/* A public key as OpenSSH writes it. */
struct sign_pub {
	enum sign_kind kind;
	uint8_t key[32];
	char application[64]; /* SIGN_SK_ED25519 only, "ssh:..." */
};

struct sign_key {
	struct secret pair; /* 64 bytes as crypto_sign(3) wants them, rebuilt from the seed */
	struct sign_pub pub;
};

void sign_key_new(struct sign_key *out); /* fresh random seed */
void sign_key_from_seed(struct sign_key *out, const uint8_t seed[static 32]);
int sign_key_load(struct sign_key *out, const char *path, struct error *err) _must_check_; /* FS_ABSENT when there is none */
int sign_key_store(const struct sign_key *key, const char *path, struct error *err) _must_check_;
void sign_key_done(struct sign_key *key);

/* "ssh-ed25519 AAAA..." or "sk-ssh-ed25519@openssh.com AAAA...", strict; a trailing comment only if comment_ok. */
int sign_pub_parse(struct sign_pub *out, struct bytes text, bool comment_ok, struct error *err) _must_check_;
/* From the SSH wire form ("blob"), the whole of it. */
int sign_pub_from_blob(struct sign_pub *out, struct bytes blob, struct error *err) _must_check_;
void sign_pub_blob(struct buf *out, const struct sign_pub *pub);
void sign_pub_text(char out[static SIGN_PUB_TEXT_MAX], const struct sign_pub *pub);
void sign_pub_fingerprint(char out[static 52], const struct sign_pub *pub); /* "SHA256:..." as ssh-keygen -l */
/* May one stand for the other where a signature is judged: kind, key bytes and application are the same, as in ssh-keygen. */
bool sign_pub_equal(const struct sign_pub *a, const struct sign_pub *b);
/* Is it one key, perhaps in two guises? The key bytes alone decide: for lists in which a key must not stand twice. */
bool sign_pub_same_key(const struct sign_pub *a, const struct sign_pub *b);
/* The one place that judges an Ed25519 signature: strict as RFC 8032 section 5.1.7, and without keys or R of small order. */
bool sign_pub_verify(const struct sign_pub *pub, const uint8_t sig[static 64], struct bytes data);
/* The id of a device with this key (docs/reference/formats.md section 1). */
void sign_pub_id(char out[static ID_LEN + 1], const struct sign_pub *pub);
/* The id form of any SHA-256. */
void id_of_hash(char out[static ID_LEN + 1], const uint8_t hash[static HASH_LEN]);
bool id_is_valid(struct bytes text);

void sha256(uint8_t out[static HASH_LEN], struct bytes in);
/* Of one behind the other. */
void sha256_of_two(uint8_t out[static HASH_LEN], struct bytes a, struct bytes b);
/* libsodium's is portable code, several times slower than a processor's own instructions: a program that hashes much, and has a library
 * that uses those, lends its function of two. The small programs do without. May be called again, from any thread. */
typedef void (*sha256_fn)(uint8_t out[static HASH_LEN], struct bytes a, struct bytes b);
void sha256_lend(sha256_fn fn);
void sha256_hex(char out[static 2 * HASH_LEN + 1], struct bytes in);
