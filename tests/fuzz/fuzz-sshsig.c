/* tests/fuzz/fuzz-sshsig.c -- signature blocks, their blobs, and public keys: there is one way to write each. */
#include "tests/fuzz/fuzz.h"

#include "crypto/sshsig.h"

#include <string.h>

static const char space[] = "snapshot@holdfast", text[] = "text";
static const char begin_line[] = "-----BEGIN SSH SIGNATURE-----\n", end_line[] = "-----END SSH SIGNATURE-----\n";

static const struct sign_key *our_key(void)
{
	static const uint8_t seed[32] = { 1 };
	static struct sign_key key;

	if (!key.pair.ptr)
		sign_key_from_seed(&key, seed);
	return &key;
}

static void add_string(struct buf *out, struct bytes in)
{
	buf_add_u32be(out, (uint32_t)in.len);
	buf_add_bytes(out, in);
}

/* The blob of a signature, written from what was read. */
static void blob_of(struct buf *blob, const struct sshsig *sig)
{
	_cleanup_(buf_done) struct buf pub = { 0 }, inner = { 0 };
	bool sk = sig->key.kind == SIGN_SK_ED25519;

	sign_pub_blob(&pub, &sig->key);
	add_string(&inner, bytes_str(sk ? "sk-ssh-ed25519@openssh.com" : "ssh-ed25519"));
	add_string(&inner, bytes_of(sig->sig, sizeof(sig->sig)));
	if (sk) {
		buf_add(&inner, &sig->flags, 1);
		buf_add_u32be(&inner, sig->counter);
	}
	buf_add_str(blob, "SSHSIG");
	buf_add_u32be(blob, 1);
	add_string(blob, buf_bytes(&pub));
	add_string(blob, bytes_str(sig->space));
	add_string(blob, bytes_str(""));
	add_string(blob, bytes_str("sha512"));
	add_string(blob, buf_bytes(&inner));
}

static void armour(struct buf *out, struct bytes blob)
{
	_cleanup_(buf_done) struct buf base64 = { 0 };

	base64_encode(&base64, blob);
	buf_add_str(out, begin_line);
	for (size_t at = 0; at < base64.len; at += 70) {
		buf_add(out, base64.ptr + at, base64.len - at < 70 ? base64.len - at : 70);
		buf_add_char(out, '\n');
	}
	buf_add_str(out, end_line);
}

/* By our key there is one signature over one text; and a token is touched. */
static void check_verified(const struct sshsig *sig, struct bytes block)
{
	_cleanup_(buf_done) struct buf ours = { 0 };
	struct error err = { 0 };

	if (sshsig_verify(sig, space, bytes_str(text), &err) < 0)
		return;
	MUST(!strcmp(sig->space, space));
	if (sig->key.kind == SIGN_SK_ED25519) {
		MUST(sig->flags & 1);
	} else if (sign_pub_equal(&sig->key, &our_key()->pub)) {
		sshsig_sign(&ours, our_key(), space, bytes_str(text));
		MUST(bytes_equal(buf_bytes(&ours), block));
	}
}

static bool check_block(struct bytes in)
{
	_cleanup_(buf_done) struct buf blob = { 0 }, again = { 0 };
	struct error err = { 0 };
	struct sshsig sig;
	size_t used = 0;

	if (sshsig_parse(&sig, in, &used, &err) < 0)
		return false;
	blob_of(&blob, &sig);
	armour(&again, buf_bytes(&blob));
	MUST(used <= in.len && bytes_equal(buf_bytes(&again), bytes_of(in.ptr, used)));
	check_verified(&sig, bytes_of(in.ptr, used));
	return true;
}

static void check_blob(struct bytes in)
{
	_cleanup_(buf_done) struct buf block = { 0 };

	armour(&block, in);
	check_block(buf_bytes(&block));
}

static void check_public(struct bytes in)
{
	_cleanup_(buf_done) struct buf blob = { 0 };
	char line[SIGN_PUB_TEXT_MAX];
	struct error err = { 0 };
	struct sign_pub pub, again;

	if (sign_pub_from_blob(&pub, in, &err) == 0) {
		sign_pub_blob(&blob, &pub);
		MUST(bytes_equal(buf_bytes(&blob), in));
		sign_pub_text(line, &pub);
		MUST_OK(sign_pub_parse(&again, bytes_str(line), false, &err));
		MUST(sign_pub_equal(&pub, &again));
	}
	if (sign_pub_parse(&pub, in, false, &err) == 0) {
		sign_pub_text(line, &pub);
		MUST(bytes_is(in, line));
	}
	if (sign_pub_parse(&pub, in, true, &err) == 0) {
		sign_pub_text(line, &pub);
		MUST(in.len >= strlen(line) && !memcmp(in.ptr, line, strlen(line)) &&
		     (in.len == strlen(line) || in.ptr[strlen(line)] == ' '));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);

	check_block(in);
	check_blob(in);
	check_public(in);
	return 0;
}
