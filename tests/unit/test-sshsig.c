/* tests/unit/test-sshsig.c -- signatures: ssh-keygen judges ours, we judge its, and what it lets pass and we must not is refused. */
#include "tests/test.h"

#include "base/fs.h"
#include "base/proc.h"
#include "crypto/sshsig.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static const char space[] = "snapshot@holdfast";
static const char begin_line[] = "-----BEGIN SSH SIGNATURE-----\n", end_line[] = "-----END SSH SIGNATURE-----\n";

static void make_key(struct sign_key *key, uint8_t fill)
{
	uint8_t seed[32];

	memset(seed, fill, sizeof(seed));
	sign_key_from_seed(key, seed);
}

static void add_string(struct buf *out, struct bytes in)
{
	buf_add_u32be(out, (uint32_t)in.len);
	buf_add_bytes(out, in);
}

static void wrap(struct buf *out, const char *head, struct bytes in, size_t columns, const char *newline, const char *tail)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	base64_encode(&text, in);
	buf_add_str(out, head);
	for (size_t at = 0; at < text.len; at += columns) {
		buf_add(out, text.ptr + at, text.len - at < columns ? text.len - at : columns);
		buf_add_str(out, newline);
	}
	buf_add_str(out, tail);
}

/* ---- ssh-keygen ---- */

static int stock(struct proc_result *run, struct bytes in, const char *const argv[])
{
	struct error err = { 0 };

	CHECK_OK(proc_run(run, argv, in, 20000, 1 << 20, &err));
	return run->status;
}

static int stock_quiet(struct bytes in, const char *const argv[])
{
	struct proc_result run = { 0 };
	int status = stock(&run, in, argv);

	proc_result_done(&run);
	return status;
}

/* Does `ssh-keygen -Y verify` accept sig over msg by alice, whose only key is this? */
static bool stock_accepts(const struct sign_pub *pub, const char *for_space, struct bytes sig, struct bytes msg)
{
	const char *dir = test_folder();
	_cleanup_(mem_freep) char *allowed = mem_printf("%s/allowed", dir), *file = mem_printf("%s/sig", dir);
	const char *const argv[] = { "ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "alice", "-n", for_space, "-s", file, NULL };
	_cleanup_(buf_done) struct buf line = { 0 };
	char text[SIGN_PUB_TEXT_MAX];
	struct error err = { 0 };

	sign_pub_text(text, pub);
	buf_addf(&line, "alice %s\n", text);
	CHECK_OK(fs_write(allowed, buf_bytes(&line), 0600, &err));
	CHECK_OK(fs_write(file, sig, 0600, &err));
	return stock_quiet(msg, argv) == 0;
}

/* An OpenSSH private key file (PROTOCOL.key), not encrypted. */
static char *write_private_key(const struct sign_key *key)
{
	_cleanup_(buf_done) struct buf blob = { 0 }, pub = { 0 }, private = { 0 }, text = { 0 };
	char *path = mem_printf("%s/id", test_folder());
	struct error err = { 0 };

	sign_pub_blob(&pub, &key->pub);
	buf_add(&private, "12341234", 8); /* the same number twice */
	add_string(&private, bytes_str("ssh-ed25519"));
	add_string(&private, bytes_of(key->pub.key, 32));
	add_string(&private, bytes_of(key->pair.ptr, 64));
	add_string(&private, bytes_str("test"));
	for (char c = 1; private.len % 8; c++)
		buf_add_char(&private, c);
	buf_add(&blob, "openssh-key-v1", 15);
	add_string(&blob, bytes_str("none"));
	add_string(&blob, bytes_str("none"));
	add_string(&blob, bytes_str(""));
	buf_add_u32be(&blob, 1);
	add_string(&blob, buf_bytes(&pub));
	add_string(&blob, buf_bytes(&private));
	wrap(&text, "-----BEGIN OPENSSH PRIVATE KEY-----\n", buf_bytes(&blob), 70, "\n", "-----END OPENSSH PRIVATE KEY-----\n");
	CHECK_OK(fs_write(path, buf_bytes(&text), 0600, &err));
	return path;
}

static const size_t message_lens[] = { 0, 1, 63, 64, 1000, 100000 };

static void make_message(struct buf *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf_add_char(out, (char)(i * 7 + len));
}

TEST(ssh_keygen_accepts_our_signatures_and_no_changed_ones)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 }, other = { 0 };

	make_key(&key, 1);
	make_key(&other, 2);
	for (size_t i = 0; i < ARRAY_SIZE(message_lens); i++) {
		_cleanup_(buf_done) struct buf msg = { 0 }, sig = { 0 };

		make_message(&msg, message_lens[i]);
		sshsig_sign(&sig, &key, space, buf_bytes(&msg));
		CHECK(stock_accepts(&key.pub, space, buf_bytes(&sig), buf_bytes(&msg)));
		CHECK(!stock_accepts(&other.pub, space, buf_bytes(&sig), buf_bytes(&msg)));
		CHECK(!stock_accepts(&key.pub, "enrol@holdfast", buf_bytes(&sig), buf_bytes(&msg)));
		buf_add_char(&msg, 'x');
		CHECK(!stock_accepts(&key.pub, space, buf_bytes(&sig), buf_bytes(&msg)));
	}
}

/* Ed25519 is deterministic and there is one way to write a block, so the two must agree in every byte. */
TEST(ssh_keygen_signs_the_very_bytes_that_we_do)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };

	make_key(&key, 1);
	for (size_t i = 0; i < ARRAY_SIZE(message_lens); i++) {
		_cleanup_(mem_freep) char *path = write_private_key(&key);
		const char *const argv[] = { "ssh-keygen", "-Y", "sign", "-f", path, "-n", space, NULL };
		_cleanup_(buf_done) struct buf msg = { 0 }, sig = { 0 };
		struct proc_result run = { 0 };

		make_message(&msg, message_lens[i]);
		sshsig_sign(&sig, &key, space, buf_bytes(&msg));
		CHECK_EQ(stock(&run, buf_bytes(&msg), argv), 0);
		CHECK(bytes_equal(buf_bytes(&run.out), buf_bytes(&sig)));
		proc_result_done(&run);
	}
}

/* Makes a key by ssh-keygen; the path of its private half. */
static char *stock_key(const char *type, const char *bits)
{
	char *path = mem_printf("%s/id", test_folder());
	const char *const argv[] = { "ssh-keygen", "-q", "-t", type, "-b", bits, "-N", "", "-C", "a comment", "-f", path, NULL };

	CHECK_EQ(stock_quiet((struct bytes){ 0 }, argv), 0);
	return path;
}

static void stock_sign(struct buf *out, const char *key, const char *option, struct bytes msg)
{
	const char *const argv[] = { "ssh-keygen", "-Y", "sign", "-f", key, "-n", space, "-O", option, NULL };
	struct proc_result run = { 0 };

	CHECK_EQ(stock(&run, msg, argv), 0);
	buf_add_bytes(out, buf_bytes(&run.out));
	proc_result_done(&run);
}

static void read_public(struct buf *out, const char *key)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s.pub", key);
	struct error err = { 0 };

	CHECK_OK(fs_read(out, path, 8192, &err));
	buf_truncate(out, out->len - 1); /* its newline */
}

TEST(we_accept_what_ssh_keygen_signs)
{
	_cleanup_(mem_freep) char *path = stock_key("ed25519", "256");
	_cleanup_(buf_done) struct buf sig = { 0 }, text = { 0 };
	struct bytes msg = bytes_str("running configuration\n");
	struct error err = { 0 };
	struct sign_pub pub;
	struct sshsig parsed;
	size_t used = 0;

	read_public(&text, path);
	CHECK_OK(sign_pub_parse(&pub, buf_bytes(&text), true, &err));
	CHECK_EQ(sign_pub_parse(&pub, buf_bytes(&text), false, &err), E_FORMAT); /* it has a comment */
	stock_sign(&sig, path, "hashalg=sha512", msg);
	CHECK_OK(sshsig_parse(&parsed, buf_bytes(&sig), &used, &err));
	CHECK_EQ(used, sig.len);
	CHECK(sign_pub_equal(&parsed.key, &pub));
	CHECK_STR(parsed.space, space);
	CHECK_OK(sshsig_verify(&parsed, space, msg, &err));
	CHECK_EQ(sshsig_verify(&parsed, "enrol@holdfast", msg, &err), E_SEAL);
	CHECK_EQ(sshsig_verify(&parsed, space, bytes_str("running configuration"), &err), E_SEAL);
	parsed.sig[63] ^= 1;
	CHECK_EQ(sshsig_verify(&parsed, space, msg, &err), E_SEAL);
}

TEST(another_hash_is_refused_though_ssh_keygen_signs_with_it)
{
	_cleanup_(mem_freep) char *path = stock_key("ed25519", "256");
	_cleanup_(buf_done) struct buf sig = { 0 };
	struct error err = { 0 };
	struct sshsig parsed;
	size_t used;

	stock_sign(&sig, path, "hashalg=sha256", bytes_str("text"));
	CHECK_EQ(sshsig_parse(&parsed, buf_bytes(&sig), &used, &err), E_FORMAT);
	CHECK(strstr(err.text, "sha512"));
}

TEST(keys_of_other_types_are_refused)
{
	static const char *const types[][2] = { { "ecdsa", "256" }, { "ecdsa", "521" }, { "rsa", "2048" } };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		_cleanup_(mem_freep) char *path = stock_key(types[i][0], types[i][1]);
		_cleanup_(buf_done) struct buf sig = { 0 }, text = { 0 };
		struct error err = { 0 };
		struct sshsig parsed;
		struct sign_pub pub;
		size_t used;

		stock_sign(&sig, path, "hashalg=sha512", bytes_str("text"));
		CHECK_EQ(sshsig_parse(&parsed, buf_bytes(&sig), &used, &err), E_FORMAT);
		read_public(&text, path);
		CHECK_EQ(sign_pub_parse(&pub, buf_bytes(&text), true, &err), E_FORMAT);
	}
}

/* ---- what a blob may not hold ---- */

/* A signature that holds for what it says of itself, so that only its form can be the reason for a refusal. */
struct forged {
	const char *magic, *space, *reserved, *hash, *inner_name, *key_name;
	uint32_t version;
	size_t space_len, key_len, sig_len; /* other than usual */
	const char *behind, *inner_behind, *key_behind;
};

static const struct forged honest = {
	"SSHSIG", space, "", "sha512", "ssh-ed25519", "ssh-ed25519", 1, sizeof(space) - 1, 32, 64, "", "", ""
};

static void forged_data(struct buf *out, const struct forged *f, struct bytes msg)
{
	uint8_t hash[64];
	bool is_sha512 = !strcmp(f->hash, "sha512");

	if (is_sha512)
		crypto_hash_sha512(hash, msg.ptr, msg.len);
	else
		crypto_hash_sha256(hash, msg.ptr, msg.len);
	buf_add_str(out, f->magic);
	add_string(out, bytes_of(f->space, f->space_len));
	add_string(out, bytes_str(f->reserved));
	add_string(out, bytes_str(f->hash));
	add_string(out, bytes_of(hash, is_sha512 ? 64 : 32));
}

static void forge_blob(struct buf *blob, const struct forged *f, const struct sign_key *key, struct bytes msg)
{
	_cleanup_(buf_done) struct buf data = { 0 }, pub = { 0 }, inner = { 0 };
	uint8_t sig[128] = { 0 }, key_bytes[64] = { 0 };

	forged_data(&data, f, msg);
	crypto_sign_detached(sig, NULL, data.ptr, data.len, key->pair.ptr);
	memcpy(key_bytes, key->pub.key, 32);
	add_string(&pub, bytes_str(f->key_name));
	add_string(&pub, bytes_of(key_bytes, f->key_len));
	buf_add_str(&pub, f->key_behind);
	add_string(&inner, bytes_str(f->inner_name));
	add_string(&inner, bytes_of(sig, f->sig_len));
	buf_add_str(&inner, f->inner_behind);
	buf_add_str(blob, f->magic);
	buf_add_u32be(blob, f->version);
	add_string(blob, buf_bytes(&pub));
	add_string(blob, bytes_of(f->space, f->space_len));
	add_string(blob, bytes_str(f->reserved));
	add_string(blob, bytes_str(f->hash));
	add_string(blob, buf_bytes(&inner));
	buf_add_str(blob, f->behind);
}

static int parse_blob_of(const struct forged *f)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	_cleanup_(buf_done) struct buf blob = { 0 }, sig = { 0 };
	struct error err = { 0 };
	struct sshsig parsed;
	size_t used;
	int r;

	make_key(&key, 3);
	forge_blob(&blob, f, &key, bytes_str("text"));
	wrap(&sig, begin_line, buf_bytes(&blob), 70, "\n", end_line);
	r = sshsig_parse(&parsed, buf_bytes(&sig), &used, &err);
	return r < 0 ? r : sshsig_verify(&parsed, space, bytes_str("text"), &err);
}

#define FORGED(...) \
	({ \
		struct forged f_ = honest; \
		__VA_ARGS__; \
		parse_blob_of(&f_); \
	})

TEST(a_blob_has_one_form_only)
{
	static const char long_space[] = "0123456789012345678901234567890123456789012345678901234567890123@holdfast";

	CHECK_EQ(parse_blob_of(&honest), 0);
	CHECK_EQ(FORGED(f_.magic = "SSHSIH"), E_FORMAT);
	CHECK_EQ(FORGED(f_.version = 0), E_FORMAT);
	CHECK_EQ(FORGED(f_.version = 2), E_FORMAT);
	CHECK_EQ(FORGED(f_.reserved = "x"), E_FORMAT);
	CHECK_EQ(FORGED(f_.hash = "sha256"), E_FORMAT);
	CHECK_EQ(FORGED(f_.hash = "SHA512"), E_FORMAT);
	CHECK_EQ(FORGED(f_.hash = ""), E_FORMAT);
	CHECK_EQ(FORGED(f_.behind = "x"), E_FORMAT);
	CHECK_EQ(FORGED(f_.inner_behind = "x"), E_FORMAT);
	CHECK_EQ(FORGED(f_.key_behind = "x"), E_FORMAT);
	CHECK_EQ(FORGED(f_.inner_name = "ssh-ed448"), E_FORMAT);
	CHECK_EQ(FORGED(f_.inner_name = "sk-ssh-ed25519@openssh.com"), E_FORMAT);
	CHECK_EQ(FORGED(f_.key_name = "ssh-ed448"), E_FORMAT);
	CHECK_EQ(FORGED(f_.key_name = "ssh-ed25519-cert-v01@openssh.com"), E_FORMAT);
	CHECK_EQ(FORGED(f_.key_len = 31), E_FORMAT);
	CHECK_EQ(FORGED(f_.key_len = 33), E_FORMAT);
	CHECK_EQ(FORGED(f_.sig_len = 63), E_FORMAT);
	CHECK_EQ(FORGED(f_.sig_len = 65), E_FORMAT);
	CHECK_EQ(FORGED(f_.space_len = 0), E_FORMAT);
	CHECK_EQ(FORGED(f_.space = long_space, f_.space_len = 64), E_FORMAT);
	CHECK_EQ(FORGED(f_.space = long_space, f_.space_len = 63), E_SEAL);              /* whole, but for somebody else */
	CHECK_EQ(FORGED(f_.space = "snapshot@holdfast\0", f_.space_len = 18), E_FORMAT); /* as a C string it would be ours */
	CHECK_EQ(FORGED(f_.space = "snapshot@holdfast2", f_.space_len = 18), E_SEAL);
}

TEST(no_prefix_of_a_blob_and_no_longer_one_passes)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	_cleanup_(buf_done) struct buf blob = { 0 };
	struct error err = { 0 };
	struct sshsig parsed;
	size_t used;

	make_key(&key, 3);
	forge_blob(&blob, &honest, &key, bytes_str("text"));
	for (size_t len = 0; len < blob.len; len++) {
		_cleanup_(buf_done) struct buf sig = { 0 };

		wrap(&sig, begin_line, bytes_of(blob.ptr, len), 70, "\n", end_line);
		CHECK_EQ(sshsig_parse(&parsed, buf_bytes(&sig), &used, &err), E_FORMAT);
	}
	for (size_t more = 1; more < 2000; more += 37) {
		_cleanup_(buf_done) struct buf longer = { 0 }, sig = { 0 };

		buf_add_bytes(&longer, buf_bytes(&blob));
		buf_extend(&longer, more);
		wrap(&sig, begin_line, buf_bytes(&longer), 70, "\n", end_line);
		CHECK_EQ(sshsig_parse(&parsed, buf_bytes(&sig), &used, &err), E_FORMAT);
	}
}

TEST(no_bit_of_a_blob_may_change)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	_cleanup_(buf_done) struct buf blob = { 0 };

	make_key(&key, 3);
	forge_blob(&blob, &honest, &key, bytes_str("text"));
	for (size_t bit = 0; bit < blob.len * 8; bit++) {
		_cleanup_(buf_done) struct buf sig = { 0 };
		struct error err = { 0 };
		struct sshsig parsed;
		size_t used;

		blob.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
		wrap(&sig, begin_line, buf_bytes(&blob), 70, "\n", end_line);
		if (sshsig_parse(&parsed, buf_bytes(&sig), &used, &err) == 0 && sshsig_verify(&parsed, space, bytes_str("text"), &err) == 0)
			fail_msg("bit %zu may change", bit);
		blob.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* ---- what armour may not look like ---- */

static int parse_text(const char *text)
{
	struct error err = { 0 };
	struct sshsig parsed;
	size_t used;

	return sshsig_parse(&parsed, bytes_str(text), &used, &err);
}

/* text with the first `from` replaced by `to`. */
static char *replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	CHECK(at);
	return mem_printf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

TEST(armour_has_one_form_only)
{
	static const char *const changes[][2] = {
		{ "-----BEGIN", "\n-----BEGIN" },
		{ "-----BEGIN", " -----BEGIN" },
		{ "-----BEGIN", "text\n-----BEGIN" },
		{ "BEGIN SSH", "BEGIN  SSH" },
		{ "BEGIN SSH SIGNATURE", "BEGIN ssh signature" },
		{ "SIGNATURE-----\n", "SIGNATURE-----\r\n" },
		{ "SIGNATURE-----\n", "SIGNATURE----- \n" },
		{ "SIGNATURE-----\n", "SIGNATURE-----\n\n" },
		{ "SIGNATURE-----\n", "SIGNATURE-----\nComment: hello\n\n" },
		{ "-----END", "\n-----END" },
		{ "-----END", " -----END" },
		{ "-----END", "=\n-----END" },
		{ "-----END", "====\n-----END" },
		{ "-----END", "AAAA\n-----END" },
		{ "-----END SSH SIGNATURE-----\n", "-----END SSH SIGNATURE-----" },
		{ "-----END SSH SIGNATURE-----\n", "-----END SSH SIGNATURE-----\r\n" },
		{ "-----END SSH SIGNATURE-----\n", "-----END PGP SIGNATURE-----\n" },
		{ "-----END SSH SIGNATURE-----\n", "" },
		{ "U1NIU0lH", "U1NI U0lH" },
		{ "U1NIU0lH", "U1NI\nU0lH" },
		{ "U1NIU0lH", "U1NI\tU0lH" },
		{ "U1NIU0lH", "U1NIU0lH=" },
		{ "U1NIU0lH", "U1NIU0l-" },
	};
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	_cleanup_(buf_done) struct buf sig = { 0 };
	struct error err = { 0 };
	struct sshsig parsed;
	size_t used, whole;

	make_key(&key, 3);
	sshsig_sign(&sig, &key, space, bytes_str("text"));
	CHECK_EQ(parse_text(buf_text(&sig)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		_cleanup_(mem_freep) char *text = replaced(buf_text(&sig), changes[i][0], changes[i][1]);

		if (parse_text(text) != E_FORMAT)
			fail_msg("change %zu passes:\n%s", i, text);
	}
	whole = sig.len;
	for (size_t len = 0; len < whole; len++)
		CHECK_EQ(sshsig_parse(&parsed, bytes_of(sig.ptr, len), &used, &err), E_FORMAT);
	buf_add_str(&sig, "what follows is another's affair");
	CHECK_OK(sshsig_parse(&parsed, buf_bytes(&sig), &used, &err));
	CHECK_EQ(used, whole);
}

TEST(armour_is_seventy_columns_wide)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	_cleanup_(buf_done) struct buf blob = { 0 };

	make_key(&key, 3);
	forge_blob(&blob, &honest, &key, bytes_str("text"));
	for (size_t columns = 1; columns <= 600; columns++) {
		_cleanup_(buf_done) struct buf unix_text = { 0 }, dos_text = { 0 };

		wrap(&unix_text, begin_line, buf_bytes(&blob), columns, "\n", end_line);
		wrap(&dos_text, begin_line, buf_bytes(&blob), columns, "\r\n", end_line);
		CHECK_EQ(parse_text(buf_text(&unix_text)), columns == 70 ? 0 : E_FORMAT);
		CHECK_EQ(parse_text(buf_text(&dos_text)), E_FORMAT);
	}
}

/* A last line that is full, and one behind it that is empty: both lengths of blob exist. */
TEST(armour_whose_last_line_is_full_is_read)
{
	for (size_t len = 1; len < 40; len++) {
		_cleanup_(sign_key_done) struct sign_key key = { 0 };
		_cleanup_(buf_done) struct buf sig = { 0 };
		char name[64] = { 0 };

		memset(name, 'a', len);
		make_key(&key, 3);
		sshsig_sign(&sig, &key, name, bytes_str("text"));
		CHECK_EQ(parse_text(buf_text(&sig)), 0);
		CHECK(stock_accepts(&key.pub, name, buf_bytes(&sig), bytes_str("text")));
	}
}

/* ---- tokens ---- */

enum { TOUCHED = 0x01, VERIFIED = 0x04 };

static void token_pub(struct sign_pub *pub, const struct sign_key *key, const char *application)
{
	*pub = (struct sign_pub){ .kind = SIGN_SK_ED25519 };
	memcpy(pub->key, key->pub.key, sizeof(pub->key));
	snprintf(pub->application, sizeof(pub->application), "%s", application);
}

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

/* ---- Wycheproof ---- */

static size_t from_hex(uint8_t *out, size_t max, const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	CHECK(text && strlen(text) / 2 <= max);
	CHECK(hex_decode(out, strlen(text) / 2, bytes_str(text)));
	return strlen(text) / 2;
}

/* A signature of another length ends at the parser, before any point is looked at. */
static void check_length(const uint8_t *sig, size_t len)
{
	_cleanup_(buf_done) struct buf blob = { 0 }, inner = { 0 }, text = { 0 };
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	size_t tail = 4 + 11 + 4 + 64; /* the honest inner signature, taken off and replaced */

	make_key(&key, 3);
	forge_blob(&blob, &honest, &key, bytes_str("text"));
	buf_truncate(&blob, blob.len - tail - 4);
	add_string(&inner, bytes_str("ssh-ed25519"));
	add_string(&inner, bytes_of(sig, len));
	add_string(&blob, buf_bytes(&inner));
	wrap(&text, begin_line, buf_bytes(&blob), 70, "\n", end_line);
	CHECK_EQ(parse_text(buf_text(&text)), len == 64 ? 0 : E_FORMAT);
}

static void ed25519_check(const struct sign_pub *pub, const json_t *test)
{
	bool is_valid = !strcmp(json_string_value(json_object_get(test, "result")), "valid");
	uint8_t msg[2048], sig[256];
	size_t msg_len = from_hex(msg, sizeof(msg), test, "msg"), len = from_hex(sig, sizeof(sig), test, "sig");

	check_length(sig, len);
	if (len != 64)
		CHECK(!is_valid);
	else if (sign_pub_verify(pub, sig, bytes_of(msg, msg_len)) != is_valid)
		fail_msg("case %lld is not judged as expected", json_integer_value(json_object_get(test, "tcId")));
}

TEST(ed25519_agrees_with_wycheproof)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/tests/vectors/wycheproof/ed25519_test.json", getenv("HOLDFAST_SOURCE"));
	json_t *file = json_load_file(path, 0, NULL);
	const json_t *group, *test;
	size_t i, j;
	int n = 0;

	CHECK(file);
	json_array_foreach(json_object_get(file, "testGroups"), i, group)
	{
		struct sign_pub pub = { .kind = SIGN_ED25519 };

		CHECK_EQ(from_hex(pub.key, 32, json_object_get(group, "publicKey"), "pk"), 32);
		json_array_foreach(json_object_get(group, "tests"), j, test)
		{
			ed25519_check(&pub, test);
			n++;
		}
	}
	CHECK_EQ(n, json_integer_value(json_object_get(file, "numberOfTests")));
	CHECK(n >= 150);
	json_decref(file);
	printf("figure: %d Ed25519 vectors as expected\n", n);
}

/* S + L holds in the equation as well; RFC 8032 section 5.1.7 refuses it. */
static void add_order(uint8_t s[static 32])
{
	static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
					   0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };
	unsigned carry = 0;

	for (int i = 0; i < 32; i++) {
		carry += (unsigned)s[i] + order[i];
		s[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

TEST(a_signature_has_one_value_only)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	struct sshsig sig;
	size_t used;

	make_key(&key, 3);
	sshsig_sign(&text, &key, space, bytes_str("text"));
	CHECK_OK(sshsig_parse(&sig, buf_bytes(&text), &used, &err));
	CHECK_OK(sshsig_verify(&sig, space, bytes_str("text"), &err));
	for (int i = 0; i < 14; i++) {
		add_order(sig.sig + 32);
		CHECK_EQ(sshsig_verify(&sig, space, bytes_str("text"), &err), E_SEAL);
	}
}

/* With a key of small order somebody without any secret signs everything. */
TEST(keys_of_small_order_sign_nothing)
{
	static const uint8_t last[] = { 0x00, 0x80 };
	struct sshsig sig = { .key = { .kind = SIGN_ED25519 } };
	struct error err = { 0 };

	memcpy(sig.space, space, sizeof(space));
	sig.sig[0] = 1; /* R the neutral element, S = 0 */
	for (size_t i = 0; i < 4; i++) {
		sig.key.key[0] = (uint8_t)(i & 1);
		sig.key.key[31] = last[i / 2];
		for (int k = 0; k < 64; k++) {
			char msg[16];

			snprintf(msg, sizeof(msg), "text %d", k);
			CHECK_EQ(sshsig_verify(&sig, space, bytes_str(msg), &err), E_SEAL);
		}
	}
}

/* ---- keys ---- */

TEST(fingerprints_are_those_of_ssh_keygen)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/id.pub", test_folder());
	const char *const argv[] = { "ssh-keygen", "-l", "-f", path, NULL };
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	char print[52], text[SIGN_PUB_TEXT_MAX], id[ID_LEN + 1];
	struct proc_result run = { 0 };
	struct error err = { 0 };

	make_key(&key, 5);
	for (int sk = 0; sk < 2; sk++) {
		struct sign_pub pub = key.pub, back;

		if (sk)
			token_pub(&pub, &key, "ssh:holdfast");
		sign_pub_text(text, &pub);
		sign_pub_fingerprint(print, &pub);
		CHECK_OK(sign_pub_parse(&back, bytes_str(text), false, &err));
		CHECK(sign_pub_equal(&pub, &back));
		CHECK_OK(fs_write(path, bytes_str(text), 0600, &err));
		CHECK_EQ(stock(&run, (struct bytes){ 0 }, argv), 0);
		CHECK(strstr(buf_text(&run.out), print));
		proc_result_done(&run);
		sign_pub_id(id, &pub);
		CHECK(id_is_valid(bytes_str(id)));
	}
}

TEST(a_public_key_has_one_form_only)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	char text[SIGN_PUB_TEXT_MAX];
	const char *base64;
	struct error err = { 0 };
	struct sign_pub pub;

	make_key(&key, 5);
	sign_pub_text(text, &key.pub);
	base64 = strchr(text, ' ') + 1;
	CHECK_OK(sign_pub_parse(&pub, bytes_str(text), false, &err));
	for (size_t i = 0; i < strlen(text); i++)
		CHECK_EQ(sign_pub_parse(&pub, bytes_of(text, i), true, &err), E_FORMAT);

	const char *const bad[] = { "%s ", " %s", "%s\n", "%s=", "%s comment" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(mem_freep) char *changed = replaced(bad[i], "%s", text);

		CHECK_EQ(sign_pub_parse(&pub, bytes_str(changed), false, &err), E_FORMAT);
	}
	_cleanup_(mem_freep) char *renamed = mem_printf("sk-ssh-ed25519@openssh.com %s", base64),
				  *upper = mem_printf("SSH-ED25519 %s", base64), *tab = mem_printf("ssh-ed25519\t%s", base64),
				  *two = mem_printf("ssh-ed25519  %s", base64),
				  *option = mem_printf("cert-authority ssh-ed25519 %s", base64);
	CHECK_EQ(sign_pub_parse(&pub, bytes_str(renamed), false, &err), E_FORMAT);
	CHECK_EQ(sign_pub_parse(&pub, bytes_str(upper), false, &err), E_FORMAT);
	CHECK_EQ(sign_pub_parse(&pub, bytes_str(tab), false, &err), E_FORMAT);
	CHECK_EQ(sign_pub_parse(&pub, bytes_str(two), false, &err), E_FORMAT);
	CHECK_EQ(sign_pub_parse(&pub, bytes_str(option), true, &err), E_FORMAT);
}

TEST(a_key_comes_back_from_its_seed_and_only_its_owner_may_read_it)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/key", test_folder());
	_cleanup_(sign_key_done) struct sign_key key = { 0 }, back = { 0 }, none = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	CHECK_EQ(sign_key_load(&none, path, &err), 1); /* FS_ABSENT */
	sign_key_new(&key);
	CHECK_OK(sign_key_store(&key, path, &err));
	CHECK_OK(sign_key_load(&back, path, &err));
	CHECK(sign_pub_equal(&key.pub, &back.pub));
	assert_memory_equal(key.pair.ptr, back.pair.ptr, 64);
	CHECK_EQ(fs_read(&text, path, 100, &err), 0);
	CHECK_EQ(text.len, 45); /* the seed alone: 32 bytes in base64 and a newline */
	CHECK_OK(fs_write(path, buf_bytes(&text), 0640, &err));
	CHECK_EQ(sign_key_load(&none, path, &err), E_DENIED);
}

TEST(a_damaged_key_file_is_refused)
{
	static const char *const bad[] = {
		"",
		"\n",
		"AAAA\n",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",  /* not padded */
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n", /* not canonical */
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", /* 33 bytes */
		"AAAAAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAAAA=\n",
		"\200AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", /* libsodium 1.0.18 reads bytes from 0x80 on as 'A' */
	};
	_cleanup_(mem_freep) char *path = mem_printf("%s/key", test_folder());
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_OK(fs_write(path, bytes_str(bad[i]), 0600, &err));
		if (sign_key_load(&key, path, &err) != E_FORMAT)
			fail_msg("file %zu is taken for a key", i);
	}
}
