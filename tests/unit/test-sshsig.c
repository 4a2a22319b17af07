/* tests/unit/test-sshsig.c -- a signature has one form, and no other passes, also where ssh-keygen lets it. */
#include "tests/test.h"
#include "tests/unit/forging.h"

#include <jansson.h>
#include <stdlib.h>

/* ---- what a blob may not hold ---- */

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
