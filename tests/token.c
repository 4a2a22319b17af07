/* tests/token.c -- a FIDO token in software. */
#include "tests/token.h"

#include <sodium.h>
#include <string.h>

static const char magic[] = "SSHSIG", kind[] = "sk-ssh-ed25519@openssh.com", application[] = "ssh:";
enum { COUNTER = 7, COLUMNS = 70 };

static void add_string(struct buf *out, struct bytes in)
{
	buf_add_u32be(out, (uint32_t)in.len);
	buf_add_bytes(out, in);
}

struct sign_pub token_pub(const struct sign_key *key)
{
	struct sign_pub pub = key->pub;

	pub.kind = SIGN_SK_ED25519;
	strcpy(pub.application, application);
	return pub;
}

/* SHA-256 of the application, flags, counter, SHA-256 of what ssh-keygen has signed. */
static void token_data(struct buf *out, uint8_t flags, const char *space, struct bytes msg)
{
	_cleanup_(buf_done) struct buf data = { 0 };
	uint8_t long_hash[crypto_hash_sha512_BYTES], hash[HASH_LEN];

	crypto_hash_sha512(long_hash, msg.ptr, msg.len);
	buf_add_str(&data, magic);
	add_string(&data, bytes_str(space));
	add_string(&data, bytes_str(""));
	add_string(&data, bytes_str("sha512"));
	add_string(&data, bytes_of(long_hash, sizeof(long_hash)));
	sha256(hash, bytes_str(application));
	buf_add(out, hash, sizeof(hash));
	buf_add_char(out, (char)flags);
	buf_add_u32be(out, COUNTER);
	sha256(hash, buf_bytes(&data));
	buf_add(out, hash, sizeof(hash));
}

static void armour(struct buf *out, struct bytes blob)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	base64_encode(&text, blob);
	buf_add_str(out, "-----BEGIN SSH SIGNATURE-----\n");
	for (size_t at = 0; at < text.len; at += COLUMNS) {
		buf_add(out, text.ptr + at, text.len - at < COLUMNS ? text.len - at : COLUMNS);
		buf_add_char(out, '\n');
	}
	buf_add_str(out, "-----END SSH SIGNATURE-----\n");
}

void token_sign(struct buf *out, const struct sign_key *key, uint8_t flags, const char *space, struct bytes msg)
{
	_cleanup_(buf_done) struct buf data = { 0 }, blob = { 0 }, inner = { 0 }, shown = { 0 };
	struct sign_pub pub = token_pub(key);
	uint8_t sig[crypto_sign_BYTES];

	token_data(&data, flags, space, msg);
	crypto_sign_detached(sig, NULL, data.ptr, data.len, key->pair.ptr);
	sign_pub_blob(&shown, &pub);
	add_string(&inner, bytes_str(kind));
	add_string(&inner, bytes_of(sig, sizeof(sig)));
	buf_add_char(&inner, (char)flags);
	buf_add_u32be(&inner, COUNTER);
	buf_add_str(&blob, magic);
	buf_add_u32be(&blob, 1);
	add_string(&blob, buf_bytes(&shown));
	add_string(&blob, bytes_str(space));
	add_string(&blob, bytes_str(""));
	add_string(&blob, bytes_str("sha512"));
	add_string(&blob, buf_bytes(&inner));
	armour(out, buf_bytes(&blob));
}
