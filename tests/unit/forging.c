/* tests/unit/forging.c -- keys and signatures, right and wrong ones, made piece by piece; and ssh-keygen, which judges them. */
#include "tests/unit/forging.h"

#include "tests/test.h"

#include "base/fs.h"

#include <sodium.h>

void make_key(struct sign_key *key, uint8_t fill)
{
	uint8_t seed[32];

	memset(seed, fill, sizeof(seed));
	sign_key_from_seed(key, seed);
}

void add_string(struct buf *out, struct bytes in)
{
	buf_add_u32be(out, (uint32_t)in.len);
	buf_add_bytes(out, in);
}

void wrap(struct buf *out, const char *head, struct bytes in, size_t columns, const char *newline, const char *tail)
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

int stock(struct proc_result *run, struct bytes in, const char *const argv[])
{
	struct error err = { 0 };

	CHECK_OK(proc_run(run, argv, in, 20000, 1 << 20, &err));
	return run->status;
}

int stock_quiet(struct bytes in, const char *const argv[])
{
	struct proc_result run = { 0 };
	int status = stock(&run, in, argv);

	proc_result_done(&run);
	return status;
}

bool stock_accepts(const struct sign_pub *pub, const char *for_space, struct bytes sig, struct bytes msg)
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

const struct forged honest = {
	"SSHSIG", space, "", "sha512", "ssh-ed25519", "ssh-ed25519", 1, sizeof(space) - 1, 32, 64, "", "", ""
};

void forged_data(struct buf *out, const struct forged *f, struct bytes msg)
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

void forge_blob(struct buf *blob, const struct forged *f, const struct sign_key *key, struct bytes msg)
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

int parse_text(const char *text)
{
	struct error err = { 0 };
	struct sshsig parsed;
	size_t used;

	return sshsig_parse(&parsed, bytes_str(text), &used, &err);
}

char *replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	CHECK(at);
	return mem_printf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

void token_pub(struct sign_pub *pub, const struct sign_key *key, const char *application)
{
	*pub = (struct sign_pub){ .kind = SIGN_SK_ED25519 };
	memcpy(pub->key, key->pub.key, sizeof(pub->key));
	snprintf(pub->application, sizeof(pub->application), "%s", application);
}
