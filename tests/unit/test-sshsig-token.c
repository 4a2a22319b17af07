/* tests/unit/test-sshsig-token.c -- signatures of security keys: touched, for this application, counted. */
#include "tests/test.h"
#include "tests/unit/forging.h"

#include <sodium.h>

enum { TOUCHED = 0x01, VERIFIED = 0x04 };

/* What a token signs (PROTOCOL.u2f): SHA-256 of the application, flags, counter, SHA-256 of the data. */
static void token_sign(uint8_t sig[static 64], const struct sign_key *key, const char *application, uint8_t flags, uint32_t counter,
		       struct bytes data)
{
	_cleanup_(buf_done) struct buf token = { 0 };
	uint8_t hash[HASH_LEN];

	sha256(hash, bytes_str(application));
	buf_add(&token, hash, sizeof(hash));
	buf_add(&token, &flags, 1);
	buf_add_u32be(&token, counter);
	sha256(hash, data);
	buf_add(&token, hash, sizeof(hash));
	crypto_sign_detached(sig, NULL, token.ptr, token.len, key->pair.ptr);
}

/* says: the application in the key that the signature carries; signs: the one that the token used. */
static void token_armour(struct buf *out, const struct sign_key *key, const char *says, const char *signs, uint8_t flags, uint32_t counter,
			 struct bytes msg)
{
	_cleanup_(buf_done) struct buf data = { 0 }, pub_blob = { 0 }, inner = { 0 }, blob = { 0 };
	struct sign_pub pub;
	uint8_t sig[64];

	token_pub(&pub, key, says);
	forged_data(&data, &honest, msg);
	token_sign(sig, key, signs, flags, counter, buf_bytes(&data));
	sign_pub_blob(&pub_blob, &pub);
	add_string(&inner, bytes_str("sk-ssh-ed25519@openssh.com"));
	add_string(&inner, bytes_of(sig, sizeof(sig)));
	buf_add(&inner, &flags, 1);
	buf_add_u32be(&inner, counter);
	buf_add_str(&blob, "SSHSIG");
	buf_add_u32be(&blob, 1);
	add_string(&blob, buf_bytes(&pub_blob));
	add_string(&blob, bytes_str(space));
	add_string(&blob, bytes_str(""));
	add_string(&blob, bytes_str("sha512"));
	add_string(&blob, buf_bytes(&inner));
	wrap(out, begin_line, buf_bytes(&blob), 70, "\n", end_line);
}

static int judge_token(const char *says, const char *signs, uint8_t flags, struct error *err)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	_cleanup_(buf_done) struct buf sig = { 0 };
	struct sshsig parsed;
	size_t used;
	int r;

	make_key(&key, 4);
	token_armour(&sig, &key, says, signs, flags, 77, bytes_str("text"));
	r = sshsig_parse(&parsed, buf_bytes(&sig), &used, err);
	if (r < 0)
		return r;
	CHECK_EQ(parsed.flags, flags);
	CHECK_EQ(parsed.counter, 77);
	return sshsig_verify(&parsed, space, bytes_str("text"), err);
}

TEST(a_token_must_have_been_touched)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	_cleanup_(buf_done) struct buf sig = { 0 };
	struct error err = { 0 };
	struct sign_pub pub;

	CHECK_OK(judge_token("ssh:", "ssh:", TOUCHED, &err));
	CHECK_OK(judge_token("ssh:", "ssh:", TOUCHED | VERIFIED, &err));
	CHECK_OK(judge_token("ssh:holdfast", "ssh:holdfast", TOUCHED, &err));
	for (int flags = 0; flags < 256; flags += 2) {
		CHECK_EQ(judge_token("ssh:", "ssh:", (uint8_t)flags, &err), E_SEAL);
		CHECK(strstr(err.text, "not touched"));
	}
	/* the forgery above is a real signature: ssh-keygen takes it for one */
	make_key(&key, 4);
	token_pub(&pub, &key, "ssh:");
	token_armour(&sig, &key, "ssh:", "ssh:", TOUCHED, 77, bytes_str("text"));
	CHECK(stock_accepts(&pub, space, buf_bytes(&sig), bytes_str("text")));
	CHECK(!stock_accepts(&pub, space, buf_bytes(&sig), bytes_str("texts")));
}

TEST(a_signature_for_another_application_is_refused)
{
	struct error err = { 0 };

	CHECK_EQ(judge_token("ssh:", "ssh:other", TOUCHED, &err), E_SEAL);
	CHECK_EQ(judge_token("ssh:other", "ssh:", TOUCHED, &err), E_SEAL);
	CHECK_EQ(judge_token("https://example.com", "https://example.com", TOUCHED, &err), E_FORMAT); /* a web site's */
	CHECK_EQ(judge_token("", "", TOUCHED, &err), E_FORMAT);
}

/* A token's key for one application is not its key for another, nor a key in a file, even where the bytes agree: ssh-keygen holds it so. */
TEST(a_key_is_only_itself_with_its_kind_and_application)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	_cleanup_(buf_done) struct buf sig = { 0 };
	struct sign_pub ours, other;

	make_key(&key, 4);
	token_pub(&ours, &key, "ssh:");
	token_pub(&other, &key, "ssh:other");
	CHECK(sign_pub_equal(&ours, &ours));
	CHECK(!sign_pub_equal(&ours, &other));
	CHECK(!sign_pub_equal(&ours, &key.pub));
	CHECK(sign_pub_same_key(&ours, &other) && sign_pub_same_key(&ours, &key.pub));
	token_armour(&sig, &key, "ssh:other", "ssh:other", TOUCHED, 1, bytes_str("text"));
	CHECK(stock_accepts(&other, space, buf_bytes(&sig), bytes_str("text")));
	CHECK(!stock_accepts(&ours, space, buf_bytes(&sig), bytes_str("text")));
	CHECK(!stock_accepts(&key.pub, space, buf_bytes(&sig), bytes_str("text")));
}

TEST(a_tokens_counter_and_flags_are_signed)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	_cleanup_(buf_done) struct buf sig = { 0 };
	struct error err = { 0 };
	struct sshsig parsed;
	size_t used;

	make_key(&key, 4);
	token_armour(&sig, &key, "ssh:", "ssh:", 0, 77, bytes_str("text"));
	CHECK_OK(sshsig_parse(&parsed, buf_bytes(&sig), &used, &err));
	parsed.flags = TOUCHED; /* a flag put on afterwards is worth nothing */
	CHECK_EQ(sshsig_verify(&parsed, space, bytes_str("text"), &err), E_SEAL);
	buf_truncate(&sig, 0);
	token_armour(&sig, &key, "ssh:", "ssh:", TOUCHED, 77, bytes_str("text"));
	CHECK_OK(sshsig_parse(&parsed, buf_bytes(&sig), &used, &err));
	parsed.counter++;
	CHECK_EQ(sshsig_verify(&parsed, space, bytes_str("text"), &err), E_SEAL);
	parsed.counter--;
	CHECK_OK(sshsig_verify(&parsed, space, bytes_str("text"), &err));
	parsed.key.kind = SIGN_ED25519; /* nor does it count as one of a key in a file */
	CHECK_EQ(sshsig_verify(&parsed, space, bytes_str("text"), &err), E_SEAL);
}
