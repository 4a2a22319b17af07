/* tests/unit/test-age.c -- age files against the published vectors, the real age, and what must be refused. */
#include "tests/test.h"

#include "base/fs.h"
#include "base/proc.h"
#include "crypto/age-parts.h"
#include "crypto/age.h"
#include "crypto/key.h"

#include <dirent.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum { VECTOR_MAX = 32 << 20 };

struct vector {
	char expect[32], passphrase[128], payload[2 * HASH_LEN + 1];
	struct age_identity ids[4];
	size_t id_count;
	bool is_zlib, is_hybrid, has_passphrase, is_armoured;
};

static void vector_done(struct vector *v)
{
	for (size_t i = 0; i < v->id_count; i++)
		age_identity_done(&v->ids[i]);
}

static void inflate_all(struct buf *out, struct bytes in)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)in.ptr, .avail_in = (uInt)in.len };
	uint8_t chunk[65536];
	int r;

	CHECK_EQ(inflateInit(&z), Z_OK);
	do {
		z.next_out = chunk;
		z.avail_out = sizeof(chunk);
		r = inflate(&z, Z_NO_FLUSH);
		CHECK(r == Z_OK || r == Z_STREAM_END);
		buf_add(out, chunk, sizeof(chunk) - z.avail_out);
	} while (r != Z_STREAM_END);
	inflateEnd(&z);
}

static void take_header(struct vector *v, struct bytes line)
{
	_cleanup_(mem_freep) char *text = mem_strndup((const char *)line.ptr, line.len);
	struct error err = { 0 };

	if (!strncmp(text, "expect: ", 8)) {
		snprintf(v->expect, sizeof(v->expect), "%s", text + 8);
	} else if (!strncmp(text, "payload: ", 9)) {
		snprintf(v->payload, sizeof(v->payload), "%s", text + 9);
	} else if (!strncmp(text, "identity: AGE-SECRET-KEY-PQ-", 28)) {
		v->is_hybrid = true;
	} else if (!strncmp(text, "identity: ", 10)) {
		CHECK(v->id_count < ARRAY_SIZE(v->ids));
		CHECK_OK(age_identity_parse(&v->ids[v->id_count++], bytes_str(text + 10), &err));
	} else if (!strncmp(text, "passphrase: ", 12)) {
		CHECK(!v->has_passphrase || strlen(v->passphrase)); /* of several, the last one counts: see open_vector() */
		snprintf(v->passphrase, sizeof(v->passphrase), "%s", text + 12);
		v->has_passphrase = true;
	} else if (!strcmp(text, "compressed: zlib")) {
		v->is_zlib = true;
	} else if (!strcmp(text, "armored: yes")) {
		v->is_armoured = true;
	} else if (strncmp(text, "file key: ", 10) != 0 && strncmp(text, "comment: ", 9) != 0) {
		fail_msg("a line of a kind that this test does not know: %s", text);
	}
}

/* One code has several reasons; the texts tell them apart. */
static const char *category(int r, const struct error *err)
{
	if (r == 0)
		return "success";
	if (strstr(err->text, "armour"))
		return "armor failure";
	if (strstr(err->text, "MAC is wrong"))
		return "HMAC failure";
	if (strstr(err->text, "payload"))
		return "payload failure";
	if (strstr(err->text, "sealed to other") || strstr(err->text, "passphrase does not"))
		return "no match";
	if (strstr(err->text, "header") || strstr(err->text, "not an age file"))
		return "header failure";
	return err->text;
}

static int open_vector(struct buf *out, const struct vector *v, struct bytes in, struct error *err)
{
	int r = E_SEAL;

	if (v->has_passphrase)
		return age_open_passphrase(out, in, bytes_str(v->passphrase), VECTOR_MAX, err);
	for (size_t i = 0; i < v->id_count; i++) {
		r = age_open(out, in, &v->ids[i], VECTOR_MAX, err);
		if (strcmp(category(r, err), "no match") != 0)
			return r;
	}
	return r;
}

static void vector_load(struct vector *v, struct buf *body, const char *path)
{
	_cleanup_(buf_done) struct buf file = { 0 };
	struct error err = { 0 };
	struct bytes rest, line;

	CHECK_OK(fs_read(&file, path, VECTOR_MAX, &err));
	rest = buf_bytes(&file);
	while (bytes_next_line(&rest, &line) && line.len)
		take_header(v, line);
	CHECK(v->expect[0]);
	if (!v->id_count && !v->has_passphrase) /* broken before any key matters, or none of ours */
		age_identity_new(&v->ids[v->id_count++]);
	if (v->is_zlib)
		inflate_all(body, rest);
	else
		buf_add_bytes(body, rest);
}

/* A file to post-quantum keys that we do not support: nobody we know, or broken in a way that everybody must see. */
static bool hybrid_is_right(const struct vector *v, const char *got)
{
	if (!strcmp(v->expect, "header failure") && !strcmp(got, "header failure"))
		return true;
	return !strcmp(got, "no match");
}

/* Is the result what the vector expects? */
static bool judge(const char *path, bool *is_hybrid)
{
	_cleanup_(vector_done) struct vector v = { 0 };
	_cleanup_(buf_done) struct buf body = { 0 }, out = { 0 }, binary = { 0 };
	struct error err = { 0 }, armour_err = { 0 };
	const char *got;
	char hash[2 * HASH_LEN + 1];
	int r;

	vector_load(&v, &body, path);
	r = open_vector(&out, &v, buf_bytes(&body), &err);
	if (r < 0)
		CHECK_EQ(out.len, 0); /* nothing comes out before everything is verified */
	got = category(r, &err);
	/* where the vector says that it is armoured, whatever we take for armour or not, ask the reader of armour */
	if (v.is_armoured && age_unarmour(&binary, buf_bytes(&body), &armour_err) < 0) {
		CHECK(r < 0);
		got = "armor failure";
	}
	*is_hybrid = v.is_hybrid;
	if (v.is_hybrid ? !hybrid_is_right(&v, got) : strcmp(got, v.expect) != 0) {
		printf("%s: expected %s, got %s (%s)\n", path, v.expect, got, err.text);
		return false;
	}
	if (r == 0) {
		sha256_hex(hash, buf_bytes(&out));
		CHECK_STR(hash, v.payload);
	}
	return true;
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

TEST(every_published_vector_gives_its_expected_result)
{
	_cleanup_(mem_freep) char *dir = mem_printf("%s/tests/vectors/age", getenv("HOLDFAST_SOURCE"));
	struct dirent **entries = NULL;
	int n = scandir(dir, &entries, not_hidden, alphasort), supported = 0, hybrid = 0, kinds = 0, wrong = 0;
	char kind[32] = "";

	CHECK(n > 0);
	for (int i = 0; i < n; i++) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, entries[i]->d_name);
		bool is_hybrid;
		int len = (int)strcspn(entries[i]->d_name, "_");

		wrong += !judge(path, &is_hybrid);
		hybrid += is_hybrid;
		supported += !is_hybrid;
		if (!is_hybrid && ((size_t)len != strlen(kind) || strncmp(kind, entries[i]->d_name, (size_t)len) != 0)) {
			snprintf(kind, sizeof(kind), "%.*s", len, entries[i]->d_name);
			kinds++;
		}
		free(entries[i]);
	}
	free(entries);
	CHECK_EQ(wrong, 0);
	CHECK_EQ(supported + hybrid, 143); /* all that were published: a lost file is not a passed one */
	printf("figure: %d age vectors of %d kinds as expected\n", supported, kinds);
	printf("figure: %d age vectors of a kind not supported (ML-KEM) come out as no match\n", hybrid);
}

/* Wycheproof. */

static size_t from_hex(uint8_t *out, size_t max, const json_t *test, const char *key)
{
	const char *text = json_string_value(json_object_get(test, key));

	CHECK(text && strlen(text) / 2 <= max);
	CHECK(hex_decode(out, strlen(text) / 2, bytes_str(text)));
	return strlen(text) / 2;
}

static bool has_flag(const json_t *test, const char *flag)
{
	const json_t *value;
	size_t i;

	json_array_foreach(json_object_get(test, "flags"), i, value)
		if (!strcmp(json_string_value(value), flag))
			return true;
	return false;
}

static json_t *wycheproof_load(const char *name)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/tests/vectors/wycheproof/%s", getenv("HOLDFAST_SOURCE"), name);
	json_t *file = json_load_file(path, 0, NULL);

	CHECK(file);
	return file;
}

static void hkdf(uint8_t out[static 32], struct bytes key, struct bytes salt, const char *info)
{
	crypto_auth_hmacsha256_state st;
	uint8_t prk[32];

	crypto_auth_hmacsha256_init(&st, salt.ptr, salt.len);
	crypto_auth_hmacsha256_update(&st, key.ptr, key.len);
	crypto_auth_hmacsha256_final(&st, prk);
	crypto_auth_hmacsha256_init(&st, prk, sizeof(prk));
	crypto_auth_hmacsha256_update(&st, (const uint8_t *)info, strlen(info));
	crypto_auth_hmacsha256_update(&st, (const uint8_t *)"\1", 1);
	crypto_auth_hmacsha256_final(&st, out);
}

static void add_raw64(struct buf *out, struct bytes in)
{
	base64_encode(out, in);
	while (out->ptr[out->len - 1] == '=')
		buf_truncate(out, out->len - 1);
}

/* A file whose sender chose this share, with the secret that the vector says the two have in common. */
static void seal_by_vector(struct buf *out, const uint8_t share[static 32], const uint8_t to[static 32], const uint8_t shared[static 32])
{
	static const uint8_t file_key[16] = "a file key of it", zero[12], last[12] = { [11] = 1 }, nonce[16] = { 7 };
	uint8_t salt[64], wrap[32], body[32], mac_key[32], mac[32], payload_key[32], sealed[4 + 16];
	crypto_auth_hmacsha256_state st;

	memcpy(salt, share, 32);
	memcpy(salt + 32, to, 32);
	hkdf(wrap, bytes_of(shared, 32), bytes_of(salt, 64), "age-encryption.org/v1/X25519");
	crypto_aead_chacha20poly1305_ietf_encrypt(body, NULL, file_key, 16, NULL, 0, NULL, zero, wrap);
	buf_add_str(out, "age-encryption.org/v1\n-> X25519 ");
	add_raw64(out, bytes_of(share, 32));
	buf_add_char(out, '\n');
	add_raw64(out, bytes_of(body, 32));
	buf_add_str(out, "\n---");
	hkdf(mac_key, bytes_of(file_key, 16), bytes_str(""), "header");
	crypto_auth_hmacsha256_init(&st, mac_key, 32);
	crypto_auth_hmacsha256_update(&st, out->ptr, out->len);
	crypto_auth_hmacsha256_final(&st, mac);
	buf_add_char(out, ' ');
	add_raw64(out, bytes_of(mac, 32));
	buf_add_char(out, '\n');
	hkdf(payload_key, bytes_of(file_key, 16), bytes_of(nonce, 16), "payload");
	crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, (const uint8_t *)"text", 4, NULL, 0, NULL, last, payload_key);
	buf_add(out, nonce, sizeof(nonce));
	buf_add(out, sealed, sizeof(sealed));
}

/* What the standard calls acceptable, points on the twist and unreduced coordinates, is computed as RFC 7748 says; only an all-zero
 * secret is refused, as the age format asks: in a file that we open, and in one that we seal. */
static void x25519_check(const json_t *test)
{
	bool is_zero = has_flag(test, "ZeroSharedSecret");
	uint8_t private[32], want[32];
	_cleanup_(buf_done) struct buf sealed = { 0 }, file = { 0 }, plain = { 0 };
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	struct age_recipient to;
	struct error err = { 0 };
	char text[128];

	CHECK_EQ(from_hex(private, 32, test, "private"), 32);
	CHECK_EQ(from_hex(to.pub, 32, test, "public"), 32);
	CHECK_EQ(from_hex(want, 32, test, "shared"), 32);
	bech32_encode(text, "AGE-SECRET-KEY-", private);
	CHECK_OK(age_identity_parse(&id, bytes_str(text), &err));
	seal_by_vector(&file, to.pub, id.pub.pub, want);
	CHECK_EQ(age_open(&plain, buf_bytes(&file), &id, 100, &err), is_zero ? E_FORMAT : 0);
	if (is_zero)
		CHECK(strstr(err.text, "low-order"));
	else
		CHECK_BYTES(buf_bytes(&plain), "text");
	CHECK_EQ(age_seal(&sealed, &to, 1, bytes_str("text"), &err), is_zero ? E_SEAL : 0);
}

TEST(x25519_agrees_with_wycheproof)
{
	json_t *file = wycheproof_load("x25519_test.json");
	const json_t *group, *test;
	size_t i, j;
	int n = 0;

	json_array_foreach(json_object_get(file, "testGroups"), i, group) {
		json_array_foreach(json_object_get(group, "tests"), j, test) {
			x25519_check(test);
			n++;
		}
	}
	CHECK_EQ(n, json_integer_value(json_object_get(file, "numberOfTests")));
	json_decref(file);
	printf("figure: %d X25519 vectors as expected\n", n);
}

static void aead_check(const json_t *test)
{
	uint8_t key[32], nonce[12], aad[1024], text[1024], sealed[1024 + 16], plain[1024];
	size_t aad_len = from_hex(aad, sizeof(aad), test, "aad"), len = from_hex(text, sizeof(text), test, "msg");
	bool is_valid = !strcmp(json_string_value(json_object_get(test, "result")), "valid");
	int r;

	CHECK_EQ(from_hex(key, 32, test, "key"), 32);
	CHECK_EQ(from_hex(nonce, 12, test, "iv"), 12);
	CHECK_EQ(from_hex(sealed, sizeof(sealed), test, "ct"), len);
	CHECK_EQ(from_hex(sealed + len, 16, test, "tag"), 16);
	r = crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed, len + 16, aad, aad_len, nonce, key);
	CHECK_EQ(r, is_valid ? 0 : -1);
	if (is_valid && len)
		assert_memory_equal(plain, text, len);
}

TEST(chacha20_poly1305_agrees_with_wycheproof)
{
	json_t *file = wycheproof_load("chacha20_poly1305_test.json");
	const json_t *group, *test;
	size_t i, j;
	int n = 0;

	json_array_foreach(json_object_get(file, "testGroups"), i, group) {
		if (json_integer_value(json_object_get(group, "ivSize")) != 96)
			continue; /* the function takes no other nonce */
		json_array_foreach(json_object_get(group, "tests"), j, test) {
			aead_check(test);
			n++;
		}
	}
	json_decref(file);
	CHECK(n > 300);
	printf("figure: %d ChaCha20-Poly1305 vectors as expected\n", n);
}

/* The real age. */

static void round_trip(size_t len)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	_cleanup_(buf_done) struct buf plain = { 0 }, sealed = { 0 }, back = { 0 }, text = { 0 };
	_cleanup_(mem_freep) char *key = mem_printf("%s/key", test_folder());
	const char *const argv[] = { "age", "-d", "-i", key, NULL };
	struct proc_result run = { 0 };
	struct error err = { 0 };

	randombytes_buf(buf_extend(&plain, len), len);
	age_identity_new(&id);
	CHECK_OK(age_seal(&sealed, &id.pub, 1, buf_bytes(&plain), &err));
	CHECK_OK(age_open(&back, buf_bytes(&sealed), &id, len, &err));
	CHECK(bytes_equal(buf_bytes(&back), buf_bytes(&plain)));
	age_identity_text(&text, &id);
	buf_add_char(&text, '\n');
	CHECK_OK(fs_write(key, buf_bytes(&text), 0600, &err));
	CHECK_OK(proc_run(&run, argv, buf_bytes(&sealed), 10000, 4 << 20, &err));
	CHECK_EQ(run.status, 0);
	CHECK(bytes_equal(buf_bytes(&run.out), buf_bytes(&plain)));
	proc_result_done(&run);
}

TEST(the_real_age_opens_what_we_seal)
{
	static const size_t lens[] = { 0, 1, 65535, 65536, 65537, 131072, 300000 };

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++)
		round_trip(lens[i]);
}

TEST(we_open_what_the_real_age_seals)
{
	static const size_t lens[] = { 0, 5, 47, 48, 49, 65536, 65537, 200000 }; /* 48: armour of whole lines */
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	char to[AGE_RECIPIENT_LEN + 1];
	const char *const binary[] = { "age", "-r", to, NULL }, *const armoured[] = { "age", "-a", "-r", to, NULL };
	struct error err = { 0 };

	age_identity_new(&id);
	age_recipient_text(to, &id.pub);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(lens); i++) {
		_cleanup_(buf_done) struct buf plain = { 0 }, back = { 0 };
		struct proc_result run = { 0 };

		randombytes_buf(buf_extend(&plain, lens[i / 2]), lens[i / 2]);
		CHECK_OK(proc_run(&run, i % 2 ? armoured : binary, buf_bytes(&plain), 10000, 1 << 20, &err));
		CHECK_EQ(run.status, 0);
		CHECK(age_is_file(buf_bytes(&run.out)));
		CHECK_OK(age_open(&back, buf_bytes(&run.out), &id, lens[i / 2], &err));
		CHECK(bytes_equal(buf_bytes(&back), buf_bytes(&plain)));
		proc_result_done(&run);
	}
}

TEST(every_one_of_many_recipients_opens_the_file)
{
	enum { N = AGE_RECIPIENTS_MAX };
	struct age_identity *ids = mem_alloc(N * sizeof(*ids));
	struct age_recipient *to = mem_alloc(N * sizeof(*to));
	_cleanup_(buf_done) struct buf sealed = { 0 };
	struct error err = { 0 };

	for (size_t i = 0; i < N; i++) {
		age_identity_new(&ids[i]);
		to[i] = ids[i].pub;
	}
	CHECK_OK(age_seal(&sealed, to, N, bytes_str("text"), &err));
	CHECK_EQ(age_seal(&sealed, to, 0, bytes_str("text"), &err), E_LIMIT);
	for (size_t i = 0; i < N; i++) {
		_cleanup_(buf_done) struct buf back = { 0 };

		CHECK_OK(age_open(&back, buf_bytes(&sealed), &ids[i], 100, &err));
		CHECK_BYTES(buf_bytes(&back), "text");
		age_identity_done(&ids[i]);
	}
	free(ids);
	free(to);
}

/* What must be refused. */

TEST(a_file_for_somebody_else_or_too_large_gives_nothing)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 }, other = { 0 };
	_cleanup_(buf_done) struct buf sealed = { 0 }, back = { 0 };
	struct age_recipient zero = { { 0 } };
	struct error err = { 0 };

	age_identity_new(&id);
	age_identity_new(&other);
	CHECK_OK(age_seal(&sealed, &id.pub, 1, bytes_str("hello"), &err));
	CHECK_EQ(age_open(&back, buf_bytes(&sealed), &other, 100, &err), E_SEAL);
	CHECK_EQ(age_open(&back, buf_bytes(&sealed), &id, 4, &err), E_LIMIT);
	CHECK_EQ(back.len, 0);
	CHECK_EQ(age_seal(&sealed, &zero, 1, bytes_str("hello"), &err), E_SEAL);
	CHECK_OK(age_open(&back, buf_bytes(&sealed), &id, 5, &err)); /* the refused seal left nothing behind */
}

TEST(no_bit_of_a_file_may_change_nor_its_end_move)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	_cleanup_(buf_done) struct buf sealed = { 0 }, back = { 0 };
	struct error err = { 0 };

	age_identity_new(&id);
	CHECK_OK(age_seal(&sealed, &id.pub, 1, bytes_str("hello"), &err));
	for (size_t bit = 0; bit < sealed.len * 8; bit++) {
		sealed.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (age_open(&back, buf_bytes(&sealed), &id, 100, &err) >= 0)
			fail_msg("bit %zu may change, in '%.*s'", bit, (int)sealed.len, (const char *)sealed.ptr);
		sealed.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < sealed.len; len++)
		CHECK(age_open(&back, bytes_of(sealed.ptr, len), &id, 100, &err) < 0);
	buf_add_char(&sealed, 'x');
	CHECK_EQ(age_open(&back, buf_bytes(&sealed), &id, 100, &err), E_SEAL);
	CHECK_EQ(back.len, 0);
}

TEST(a_header_meets_its_bounds)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	_cleanup_(buf_done) struct buf many = { 0 }, large = { 0 }, back = { 0 };
	struct error err = { 0 };

	age_identity_new(&id);
	buf_add_str(&many, "age-encryption.org/v1\n");
	for (int i = 0; i < 1000; i++)
		buf_add_str(&many, "-> x\n\n");
	CHECK_EQ(age_open(&back, buf_bytes(&many), &id, 100, &err), E_FORMAT);
	buf_add_str(&large, "age-encryption.org/v1\n-> x\n");
	for (int i = 0; i < 2000; i++)
		buf_add_str(&large, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n");
	CHECK_EQ(age_open(&back, buf_bytes(&large), &id, 100, &err), E_FORMAT);
}

TEST(a_passphrase_opens_what_it_sealed)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	_cleanup_(buf_done) struct buf sealed = { 0 }, back = { 0 };
	struct error err = { 0 };

	age_identity_new(&id);
	CHECK_OK(age_seal_passphrase(&sealed, bytes_str("correct horse"), 10, bytes_str("key"), &err));
	CHECK(age_is_passphrase_file(buf_bytes(&sealed)));
	CHECK_OK(age_open_passphrase(&back, buf_bytes(&sealed), bytes_str("correct horse"), 100, &err));
	CHECK_BYTES(buf_bytes(&back), "key");
	CHECK_EQ(age_open_passphrase(&back, buf_bytes(&sealed), bytes_str("wrong horse"), 100, &err), E_SEAL);
	CHECK_EQ(age_open(&back, buf_bytes(&sealed), &id, 100, &err), E_SEAL);
	CHECK_EQ(age_seal_passphrase(&sealed, bytes_str("x"), AGE_SCRYPT_WORK_MAX + 1, bytes_str("key"), &err), E_LIMIT);
	CHECK_EQ(age_seal_passphrase(&sealed, bytes_str("x"), 0, bytes_str("key"), &err), E_LIMIT);
}

/* age asks for passphrases on a terminal only: script(1) is one. */
TEST(the_real_age_opens_what_a_passphrase_sealed)
{
	_cleanup_(buf_done) struct buf sealed = { 0 };
	_cleanup_(mem_freep) char *in = mem_printf("%s/in.age", test_folder()), *out = mem_printf("%s/out", test_folder()),
				  *command = mem_printf("age -d -o %s %s", out, in);
	const char *const argv[] = { "script", "-qec", command, "/dev/null", NULL };
	_cleanup_(buf_done) struct buf back = { 0 };
	struct proc_result run = { 0 };
	struct error err = { 0 };

	CHECK_OK(age_seal_passphrase(&sealed, bytes_str("correct horse"), 12, bytes_str("a key"), &err));
	CHECK_OK(fs_write(in, buf_bytes(&sealed), 0600, &err));
	CHECK_OK(proc_run(&run, argv, bytes_str("correct horse\n"), 20000, 1 << 20, &err));
	CHECK_EQ(run.status, 0);
	proc_result_done(&run);
	CHECK_EQ(fs_read(&back, out, 100, &err), 0);
	CHECK_BYTES(buf_bytes(&back), "a key");
}

/* Keys as text. */

TEST(keys_come_back_from_text_and_age_keygen_agrees)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 }, back = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *const argv[] = { "age-keygen", "-y", NULL };
	char to[AGE_RECIPIENT_LEN + 1];
	struct age_recipient parsed;
	struct proc_result run = { 0 };
	struct error err = { 0 };

	age_identity_new(&id);
	age_identity_text(&text, &id);
	age_recipient_text(to, &id.pub);
	CHECK_OK(age_recipient_parse(&parsed, bytes_str(to), &err));
	assert_memory_equal(parsed.pub, id.pub.pub, 32);
	CHECK_OK(age_identity_parse(&back, buf_bytes(&text), &err));
	assert_memory_equal(back.pub.pub, id.pub.pub, 32);
	buf_add_char(&text, '\n');
	CHECK_EQ(age_identity_parse(&back, buf_bytes(&text), &err), E_FORMAT);
	CHECK_OK(proc_run(&run, argv, buf_bytes(&text), 10000, 4096, &err));
	CHECK_EQ(run.status, 0);
	CHECK_EQ(run.out.len, AGE_RECIPIENT_LEN + 1);
	assert_memory_equal(run.out.ptr, to, AGE_RECIPIENT_LEN);
	proc_result_done(&run);
}

TEST(an_identity_file_is_read_as_age_keygen_writes_it)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	const char *const argv[] = { "age-keygen", NULL };
	struct proc_result run = { 0 };
	char to[AGE_RECIPIENT_LEN + 1];
	struct error err = { 0 };

	CHECK_OK(proc_run(&run, argv, (struct bytes){ 0 }, 10000, 4096, &err));
	CHECK_OK(age_identity_from_file(&id, buf_bytes(&run.out), &err));
	age_recipient_text(to, &id.pub);
	CHECK(strstr(buf_text(&run.out), to)); /* in its comment "# public key:" */
	proc_result_done(&run);
	CHECK_EQ(age_identity_from_file(&id, bytes_str("# nothing\n\n"), &err), E_FORMAT);
}

TEST(bech32_refuses_every_single_changed_character)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	char to[AGE_RECIPIENT_LEN + 1];
	struct age_recipient parsed;
	struct error err = { 0 };

	age_identity_new(&id);
	age_recipient_text(to, &id.pub);
	for (size_t i = 0; i < AGE_RECIPIENT_LEN; i++) {
		char was = to[i];

		for (int c = 0; c < 256; c++) {
			to[i] = (char)c;
			if (to[i] != was)
				CHECK_EQ(age_recipient_parse(&parsed, bytes_of(to, AGE_RECIPIENT_LEN), &err), E_FORMAT);
		}
		to[i] = was;
	}
	CHECK_EQ(age_recipient_parse(&parsed, bytes_of(to, AGE_RECIPIENT_LEN - 1), &err), E_FORMAT);
	for (size_t i = 0; i < AGE_RECIPIENT_LEN; i++)
		if (to[i] >= 'a')
			to[i] = (char)(to[i] - 32);
	CHECK_EQ(age_recipient_parse(&parsed, bytes_of(to, AGE_RECIPIENT_LEN), &err), E_FORMAT); /* upper case throughout */
}
