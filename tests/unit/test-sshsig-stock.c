/* tests/unit/test-sshsig-stock.c -- ssh-keygen judges our signatures, and we judge its. */
#include "tests/test.h"
#include "tests/unit/forging.h"

#include "base/fs.h"

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
