/* crypto/sshsig.c -- SSHSIG signatures (PROTOCOL.sshsig of OpenSSH), armoured. */
#include "crypto/sshsig.h"

#include <sodium.h>
#include <string.h>

enum { BLOB_MAX = 1024, COLUMNS = 70, USUAL_TEXT = 320, SIGNED_MAX = 160, FLAG_TOUCH = 0x01, FLAG_USER_VERIFIED = 0x04 };

static const char magic[] = "SSHSIG";
static const char begin_line[] = "-----BEGIN SSH SIGNATURE-----\n";
static const char end_line[] = "-----END SSH SIGNATURE-----\n";

static void add_string(struct buf *out, struct bytes in)
{
	buf_add_u32be(out, (uint32_t)in.len);
	buf_add_bytes(out, in);
}

/* What is signed: the magic, namespace, nothing, the hash's name, and the hash of the message. */
static void signed_data(struct buf *out, const char *space, struct bytes msg)
{
	uint8_t hash[crypto_hash_sha512_BYTES];

	crypto_hash_sha512(hash, msg.ptr, msg.len);
	buf_reserve(out, SIGNED_MAX);
	buf_add_str(out, magic);
	add_string(out, bytes_str(space));
	add_string(out, bytes_str(""));
	add_string(out, bytes_str("sha512"));
	add_string(out, bytes_of(hash, sizeof(hash)));
}

static void armour(struct buf *out, struct bytes blob)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	base64_encode(&text, blob);
	buf_add_str(out, begin_line);
	for (size_t at = 0; at < text.len; at += COLUMNS) {
		buf_add(out, text.ptr + at, text.len - at < COLUMNS ? text.len - at : COLUMNS);
		buf_add_char(out, '\n');
	}
	buf_add_str(out, end_line);
}

void sshsig_sign(struct buf *out, const struct sign_key *key, const char *space, struct bytes msg)
{
	_cleanup_(buf_done) struct buf data = { 0 }, blob = { 0 }, pub = { 0 }, inner = { 0 };
	uint8_t sig[crypto_sign_BYTES];

	signed_data(&data, space, msg);
	crypto_sign_detached(sig, NULL, data.ptr, data.len, key->pair.ptr);
	sign_pub_blob(&pub, &key->pub);
	add_string(&inner, bytes_str("ssh-ed25519"));
	add_string(&inner, bytes_of(sig, sizeof(sig)));

	buf_add_str(&blob, magic);
	buf_add_u32be(&blob, 1);
	add_string(&blob, buf_bytes(&pub));
	add_string(&blob, bytes_str(space));
	add_string(&blob, bytes_str(""));
	add_string(&blob, bytes_str("sha512"));
	add_string(&blob, buf_bytes(&inner));
	armour(out, buf_bytes(&blob));
}

static int parse_inner(struct sshsig *sig, struct bytes in, struct error *err)
{
	struct reader rd = reader_over(in);
	struct bytes name = read_bytes(&rd, read_u32(&rd)), raw = read_bytes(&rd, read_u32(&rd));
	bool sk = sig->key.kind == SIGN_SK_ED25519;

	if (sk) {
		sig->flags = read_u8(&rd);
		sig->counter = read_u32(&rd);
	}
	if (!reader_done(&rd) || raw.len != sizeof(sig->sig) || !bytes_is(name, sk ? "sk-ssh-ed25519@openssh.com" : "ssh-ed25519"))
		return error_set(err, E_FORMAT, "signature is not one of its key's type");
	memcpy(sig->sig, raw.ptr, raw.len);
	return 0;
}

static int parse_blob(struct sshsig *sig, struct bytes blob, struct error *err)
{
	struct reader rd = reader_over(blob);
	struct bytes head = read_bytes(&rd, 6), key, space, reserved, hash, inner;
	uint32_t version = read_u32(&rd);
	int r;

	key = read_bytes(&rd, read_u32(&rd));
	space = read_bytes(&rd, read_u32(&rd));
	reserved = read_bytes(&rd, read_u32(&rd));
	hash = read_bytes(&rd, read_u32(&rd));
	inner = read_bytes(&rd, read_u32(&rd));
	if (!reader_done(&rd) || !bytes_is(head, magic) || version != 1)
		return error_set(err, E_FORMAT, "signature is not a whole SSHSIG of version 1");
	if (reserved.len || !bytes_is(hash, "sha512"))
		return error_set(err, E_FORMAT, "signature has a reserved field or a hash that is not sha512");
	if (!space.len || space.len >= sizeof(sig->space) || memchr(space.ptr, 0, space.len))
		return error_set(err, E_FORMAT, "signature has an unusable namespace");
	memcpy(sig->space, space.ptr, space.len);
	r = sign_pub_from_blob(&sig->key, key, err);
	if (r < 0)
		return r;
	return parse_inner(sig, inner, err);
}

int sshsig_parse(struct sshsig *out, struct bytes in, size_t *used, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 }, blob = { 0 };
	struct bytes rest = in, line;
	struct sshsig sig = { 0 };
	bool full = true;
	int r;

	if (!bytes_next_line(&rest, &line) || !bytes_is(line, "-----BEGIN SSH SIGNATURE-----"))
		return error_set(err, E_FORMAT, "signature does not begin with '-----BEGIN SSH SIGNATURE-----'");
	buf_reserve(&text, USUAL_TEXT);
	for (;;) {
		if (!bytes_next_line(&rest, &line))
			return error_set(err, E_FORMAT, "signature has no '-----END SSH SIGNATURE-----' line");
		if (bytes_is(line, "-----END SSH SIGNATURE-----"))
			break;
		/* one way to write it: 70 columns, only the last line shorter */
		if (!full || !line.len || line.len > COLUMNS || text.len > 2 * BLOB_MAX)
			return error_set(err, E_FORMAT, "signature is not wrapped at 70 columns, or too long");
		full = line.len == COLUMNS;
		buf_add_bytes(&text, line);
	}
	if (line.ptr[line.len - 1] != '-' || (size_t)(line.ptr - in.ptr) + line.len >= in.len)
		return error_set(err, E_FORMAT, "signature's last line has no newline");
	if (!base64_decode(&blob, buf_bytes(&text)) || blob.len > BLOB_MAX)
		return error_set(err, E_FORMAT, "signature is not base64 of at most %d bytes", BLOB_MAX);
	r = parse_blob(&sig, buf_bytes(&blob), err);
	if (r < 0)
		return r;
	*used = in.len - rest.len;
	*out = sig;
	return 0;
}

/* Tokens sign more: SHA-256 of the application, flags and counter, SHA-256 of the data (PROTOCOL.u2f). */
static void token_data(struct buf *out, const struct sshsig *sig, struct bytes data)
{
	uint8_t hash[HASH_LEN];

	sha256(hash, bytes_str(sig->key.application));
	buf_add(out, hash, sizeof(hash));
	buf_add_char(out, (char)sig->flags);
	buf_add_u32be(out, sig->counter);
	sha256(hash, data);
	buf_add(out, hash, sizeof(hash));
}

int sshsig_verify(const struct sshsig *sig, const char *space, struct bytes msg, struct error *err)
{
	_cleanup_(buf_done) struct buf data = { 0 }, token = { 0 };
	struct bytes what;

	if (strcmp(sig->space, space) != 0)
		return error_set(err, E_SEAL, "signature does not hold: it was made for '%s', not for '%s'", sig->space, space);
	if (sig->key.kind == SIGN_SK_ED25519 && !(sig->flags & FLAG_TOUCH))
		return error_set(err, E_SEAL, "signature does not hold: the token was not touched");
	signed_data(&data, space, msg);
	what = buf_bytes(&data);
	if (sig->key.kind == SIGN_SK_ED25519) {
		token_data(&token, sig, what);
		what = buf_bytes(&token);
	}
	if (!sign_pub_verify(&sig->key, sig->sig, what))
		return error_set(err, E_SEAL, "signature does not hold");
	return 0;
}

bool sshsig_is_user_verified(const struct sshsig *sig)
{
	return sig->key.kind == SIGN_SK_ED25519 && (sig->flags & FLAG_USER_VERIFIED);
}
