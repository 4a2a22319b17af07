/* crypto/key.c -- signing keys and the ids made from them. */
#include "crypto/key.h"

#include "base/fs.h"

#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

enum { SEED_TEXT_LEN = 45 };

static const char name_ed25519[] = "ssh-ed25519";
static const char name_sk[] = "sk-ssh-ed25519@openssh.com";

static void add_string(struct buf *out, struct bytes in)
{
	buf_add_u32be(out, (uint32_t)in.len);
	buf_add_bytes(out, in);
}

void sign_key_from_seed(struct sign_key *out, const uint8_t seed[static 32])
{
	*out = (struct sign_key){ .pub = { .kind = SIGN_ED25519 } };
	secret_init(&out->pair, crypto_sign_SECRETKEYBYTES);
	crypto_sign_seed_keypair(out->pub.key, out->pair.ptr, seed);
}

void sign_key_new(struct sign_key *out)
{
	struct secret seed;

	secret_random(&seed, crypto_sign_SEEDBYTES);
	sign_key_from_seed(out, seed.ptr);
	secret_done(&seed);
}

/* 32 bytes in base64 and a newline. libsodium 1.0.18 takes every byte from 0x80 on for an 'A', so they are refused before. */
static bool decode_seed(struct secret *seed, struct bytes text)
{
	size_t len = 0;

	if (text.len != SEED_TEXT_LEN || text.ptr[text.len - 1] != '\n')
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] > 126)
			return false;
	return sodium_base642bin(seed->ptr, seed->len, (const char *)text.ptr, text.len - 1, NULL, &len, NULL,
				 sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       len == seed->len;
}

int sign_key_load(struct sign_key *out, const char *path, struct error *err)
{
	_cleanup_(secret_done) struct secret text = { 0 }, seed = { 0 };
	int r = secret_load(&text, path, 128, err);

	if (r != 0)
		return r;
	secret_init(&seed, crypto_sign_SEEDBYTES);
	if (!decode_seed(&seed, secret_bytes(&text)))
		return error_set(err, E_FORMAT, "'%s' does not hold a key seed (32 bytes in base64)", path);
	sign_key_from_seed(out, seed.ptr);
	return 0;
}

int sign_key_store(const struct sign_key *key, const char *path, struct error *err)
{
	_cleanup_(secret_done) struct secret text = { 0 };

	/* the first half of the pair is the seed */
	secret_init(&text, sodium_base64_ENCODED_LEN(crypto_sign_SEEDBYTES, sodium_base64_VARIANT_ORIGINAL));
	sodium_bin2base64((char *)text.ptr, text.len, key->pair.ptr, crypto_sign_SEEDBYTES, sodium_base64_VARIANT_ORIGINAL);
	text.ptr[text.len - 1] = '\n';
	return fs_write(path, secret_bytes(&text), 0600, err);
}

void sign_key_done(struct sign_key *key)
{
	secret_done(&key->pair);
}

void sign_pub_blob(struct buf *out, const struct sign_pub *pub)
{
	bool sk = pub->kind == SIGN_SK_ED25519;

	add_string(out, bytes_str(sk ? name_sk : name_ed25519));
	add_string(out, bytes_of(pub->key, sizeof(pub->key)));
	if (sk)
		add_string(out, bytes_str(pub->application));
}

int sign_pub_from_blob(struct sign_pub *out, struct bytes blob, struct error *err)
{
	struct reader rd = reader_over(blob);
	struct bytes name = read_bytes(&rd, read_u32(&rd)), key = read_bytes(&rd, read_u32(&rd)), application = { 0 };
	struct sign_pub pub = { .kind = SIGN_ED25519 };

	if (bytes_is(name, name_sk)) {
		pub.kind = SIGN_SK_ED25519;
		application = read_bytes(&rd, read_u32(&rd));
	} else if (!bytes_is(name, name_ed25519)) {
		return error_set(err, E_FORMAT, "public key is neither %s nor %s", name_ed25519, name_sk);
	}
	if (!reader_done(&rd) || key.len != sizeof(pub.key))
		return error_set(err, E_FORMAT, "public key blob of %zu bytes is cut short or too long", blob.len);
	if (pub.kind == SIGN_SK_ED25519 && (application.len < 4 || application.len >= sizeof(pub.application) ||
					    memcmp(application.ptr, "ssh:", 4) != 0 || memchr(application.ptr, 0, application.len)))
		return error_set(err, E_FORMAT, "public key of a token has no application of the form 'ssh:...'");
	memcpy(pub.key, key.ptr, sizeof(pub.key));
	if (application.len)
		memcpy(pub.application, application.ptr, application.len);
	*out = pub;
	return 0;
}

int sign_pub_parse(struct sign_pub *out, struct bytes text, bool comment_ok, struct error *err)
{
	_cleanup_(buf_done) struct buf blob = { 0 };
	const uint8_t *space = text.len ? memchr(text.ptr, ' ', text.len) : NULL;
	struct bytes name, base64;
	struct sign_pub pub;
	const uint8_t *end;
	int r;

	if (!space || text.len > SIGN_PUB_TEXT_MAX + 256)
		return error_set(err, E_FORMAT, "public key is not of the form 'ssh-ed25519 AAAA...'");
	name = bytes_of(text.ptr, (size_t)(space - text.ptr));
	base64 = bytes_from(text, name.len + 1);
	end = base64.len ? memchr(base64.ptr, ' ', base64.len) : NULL;
	if (end && comment_ok)
		base64.len = (size_t)(end - base64.ptr);
	if (!base64_decode(&blob, base64))
		return error_set(err, E_FORMAT, "public key is not in base64");
	r = sign_pub_from_blob(&pub, buf_bytes(&blob), err);
	if (r < 0)
		return r;
	if (!bytes_is(name, pub.kind == SIGN_SK_ED25519 ? name_sk : name_ed25519))
		return error_set(err, E_FORMAT, "public key calls itself another type than it is");
	*out = pub;
	return 0;
}

void sign_pub_text(char out[static SIGN_PUB_TEXT_MAX], const struct sign_pub *pub)
{
	_cleanup_(buf_done) struct buf blob = { 0 }, text = { 0 };

	sign_pub_blob(&blob, pub);
	buf_addf(&text, "%s ", pub->kind == SIGN_SK_ED25519 ? name_sk : name_ed25519);
	base64_encode(&text, buf_bytes(&blob));
	memcpy(out, text.ptr, text.len + 1); /* at most 26 + 1 + 4/3 * 140 */
}

static void blob_hash(uint8_t out[static HASH_LEN], const struct sign_pub *pub)
{
	_cleanup_(buf_done) struct buf blob = { 0 };

	sign_pub_blob(&blob, pub);
	sha256(out, buf_bytes(&blob));
}

void sign_pub_fingerprint(char out[static 52], const struct sign_pub *pub)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	uint8_t hash[HASH_LEN];

	blob_hash(hash, pub);
	buf_add_str(&text, "SHA256:");
	base64_encode(&text, bytes_of(hash, sizeof(hash)));
	buf_truncate(&text, text.len - 1); /* OpenSSH leaves the padding off */
	memcpy(out, text.ptr, text.len);
	out[text.len] = 0;
}

bool sign_pub_equal(const struct sign_pub *a, const struct sign_pub *b)
{
	return a->kind == b->kind && sign_pub_same_key(a, b) && !strcmp(a->application, b->application);
}

bool sign_pub_same_key(const struct sign_pub *a, const struct sign_pub *b)
{
	return memcmp(a->key, b->key, sizeof(a->key)) == 0;
}

bool sign_pub_verify(const struct sign_pub *pub, const uint8_t sig[static 64], struct bytes data)
{
	return crypto_sign_verify_detached(sig, data.ptr, data.len, pub->key) == 0;
}

void sign_pub_id(char out[static ID_LEN + 1], const struct sign_pub *pub)
{
	uint8_t hash[HASH_LEN];

	blob_hash(hash, pub);
	id_of_hash(out, hash);
}

void id_of_hash(char out[static ID_LEN + 1], const uint8_t hash[static HASH_LEN])
{
	base32_encode(out, ID_LEN, bytes_of(hash, HASH_LEN));
}

bool id_is_valid(struct bytes text)
{
	if (text.len != ID_LEN)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!(text.ptr[i] >= 'a' && text.ptr[i] <= 'z') && !(text.ptr[i] >= '2' && text.ptr[i] <= '7'))
			return false;
	return true;
}

static void sha256_portable(uint8_t out[static HASH_LEN], struct bytes a, struct bytes b)
{
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, a.ptr, a.len);
	crypto_hash_sha256_update(&st, b.ptr, b.len);
	crypto_hash_sha256_final(&st, out);
}

static sha256_fn _Atomic sha256_lent = sha256_portable;

void sha256_lend(sha256_fn fn)
{
	atomic_store_explicit(&sha256_lent, fn, memory_order_relaxed);
}

void sha256_of_two(uint8_t out[static HASH_LEN], struct bytes a, struct bytes b)
{
	atomic_load_explicit(&sha256_lent, memory_order_relaxed)(out, a, b);
}

void sha256(uint8_t out[static HASH_LEN], struct bytes in)
{
	sha256_of_two(out, in, (struct bytes){ 0 });
}

void sha256_hex(char out[static 2 * HASH_LEN + 1], struct bytes in)
{
	uint8_t hash[HASH_LEN];

	sha256(hash, in);
	hex_encode(out, hash, sizeof(hash));
}
