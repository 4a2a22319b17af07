/* tests/fuzz/fuzz-age.c -- age files, binary and armoured; and stanzas of a header whose MAC is right.
 *
 * The published vectors are seeds: what stands above their first blank line is about them and is passed over. */
#include "tests/fuzz/fuzz.h"

#include "crypto/age-parts.h"
#include "crypto/age.h"

#include <sodium.h>
#include <string.h>

enum { PLAIN_MAX = 1 << 20, STANZAS_MAX = 256, LINE_MAX_ = 64 };

unsigned fuzz_cost = 2;

static const char version_line[] = "age-encryption.org/v1\n";

/* The identity that the published vectors are sealed to. */
static const struct age_identity *our_identity(void)
{
	static struct age_identity id;
	struct error err = { 0 };

	if (!id.key.ptr)
		MUST_OK(age_identity_parse(&id, bytes_str("AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0"),
					   &err));
	return &id;
}

/* Deriving a key may take seconds and gigabytes, as it should. Only files that ask for little are tried. */
static bool is_cheap(struct bytes in)
{
	static const char stanza[] = "-> scrypt ";
	const uint8_t *at;

	while (in.len && (at = memmem(in.ptr, in.len, stanza, sizeof(stanza) - 1))) {
		struct bytes line;

		in = bytes_from(in, (size_t)(at - in.ptr));
		if (!bytes_next_line(&in, &line) || line.len < 3 || line.ptr[line.len - 2] != ' ' || line.ptr[line.len - 1] > '6')
			return false;
	}
	return true;
}

static int open_by(struct buf *out, struct bytes in, bool by_passphrase, size_t max, struct error *err)
{
	return by_passphrase ? age_open_passphrase(out, in, bytes_str("password"), max, err) : age_open(out, in, our_identity(), max, err);
}

static bool check_open(struct bytes in, bool by_passphrase)
{
	_cleanup_(buf_done) struct buf out = { 0 }, again = { 0 }, sealed = { 0 };
	struct error err = { 0 };
	int r;

	buf_add_str(&out, "before");
	r = open_by(&out, in, by_passphrase, PLAIN_MAX, &err);
	MUST(out.len >= 6 && !memcmp(out.ptr, "before", 6));
	if (r < 0) {
		MUST(out.len == 6 && err.text[0]); /* nothing comes out of what does not hold */
		return false;
	}
	MUST(r == 0 && age_is_file(in) && age_is_passphrase_file(in) == by_passphrase);
	MUST(open_by(&again, in, by_passphrase, out.len - 6, &err) == 0 && bytes_equal(buf_bytes(&again), bytes_from(buf_bytes(&out), 6)));
	if (again.len)
		MUST(open_by(&sealed, in, by_passphrase, again.len - 1, &err) == E_LIMIT && !sealed.len);
	if (!age_is_armoured(in))
		MUST(open_by(&sealed, bytes_of(in.ptr, in.len - 1), by_passphrase, PLAIN_MAX, &err) < 0);
	MUST_OK(age_seal(&sealed, &our_identity()->pub, 1, buf_bytes(&again), &err));
	buf_truncate(&out, 0);
	MUST_OK(age_open(&out, buf_bytes(&sealed), our_identity(), PLAIN_MAX, &err));
	MUST(bytes_equal(buf_bytes(&out), buf_bytes(&again)));
	return true;
}

/* Armour that is read gives the same bytes when it is written in the usual way. */
static void check_armour(struct bytes in, struct buf *binary)
{
	_cleanup_(buf_done) struct buf base64 = { 0 }, text = { 0 }, again = { 0 };
	struct error err = { 0 };

	if (age_unarmour(binary, in, &err) < 0) {
		MUST(!binary->len);
		return;
	}
	MUST(age_is_armoured(in));
	base64_encode(&base64, buf_bytes(binary));
	buf_add_str(&text, "-----BEGIN AGE ENCRYPTED FILE-----\n");
	for (size_t at = 0; at < base64.len; at += 64) {
		buf_add(&text, base64.ptr + at, base64.len - at < 64 ? base64.len - at : 64);
		buf_add_char(&text, '\n');
	}
	buf_add_str(&text, "-----END AGE ENCRYPTED FILE-----\n");
	MUST_OK(age_unarmour(&again, buf_bytes(&text), &err));
	MUST(bytes_equal(buf_bytes(&again), buf_bytes(binary)));
}

static void check_file(struct bytes in)
{
	_cleanup_(buf_done) struct buf binary = { 0 };
	bool is_open;

	check_armour(in, &binary);
	is_open = check_open(in, false);
	if (is_cheap(binary.len ? buf_bytes(&binary) : in))
		MUST(!check_open(in, true) || !is_open);
}

/* ---- stanzas behind one that opens ---- */

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

static const uint8_t file_key[16] = "a file key of it";

/* The stanza that gives our identity the file key. */
static void add_our_stanza(struct buf *out)
{
	static const uint8_t scalar[32] = { 8 }, zero[12];
	const uint8_t *to = our_identity()->pub.pub;
	uint8_t share[32], shared[32], salt[64], wrap[32], body[32];

	crypto_scalarmult_base(share, scalar);
	MUST(crypto_scalarmult(shared, scalar, to) == 0);
	memcpy(salt, share, 32);
	memcpy(salt + 32, to, 32);
	hkdf(wrap, bytes_of(shared, 32), bytes_of(salt, 64), "age-encryption.org/v1/X25519");
	crypto_aead_chacha20poly1305_ietf_encrypt(body, NULL, file_key, 16, NULL, 0, NULL, zero, wrap);
	buf_add_str(out, "-> X25519 ");
	add_raw64(out, bytes_of(share, 32));
	buf_add_char(out, '\n');
	add_raw64(out, bytes_of(body, 32));
	buf_add_char(out, '\n');
}

static void seal_with(struct buf *out, struct bytes stanzas)
{
	static const uint8_t nonce[16] = { 7 }, last[12] = { [11] = 1 };
	uint8_t key[32], mac[32], payload[4 + 16];
	crypto_auth_hmacsha256_state st;

	buf_add_str(out, version_line);
	add_our_stanza(out);
	buf_add_bytes(out, stanzas);
	buf_add_str(out, "---");
	hkdf(key, bytes_of(file_key, 16), bytes_str(""), "header");
	crypto_auth_hmacsha256_init(&st, key, 32);
	crypto_auth_hmacsha256_update(&st, out->ptr, out->len);
	crypto_auth_hmacsha256_final(&st, mac);
	buf_add_char(out, ' ');
	add_raw64(out, bytes_of(mac, 32));
	buf_add_char(out, '\n');
	hkdf(key, bytes_of(file_key, 16), bytes_of(nonce, 16), "payload");
	crypto_aead_chacha20poly1305_ietf_encrypt(payload, NULL, (const uint8_t *)"text", 4, NULL, 0, NULL, last, key);
	buf_add(out, nonce, sizeof(nonce));
	buf_add(out, payload, sizeof(payload));
}

static bool is_line_of_args(struct bytes line, bool *is_scrypt)
{
	bool was_blank = true;

	if (line.len < 4 || memcmp(line.ptr, "-> ", 3) != 0)
		return false;
	for (size_t i = 3; i < line.len; i++) {
		if (line.ptr[i] < 0x20 || line.ptr[i] > 0x7e || (line.ptr[i] == ' ' && was_blank))
			return false;
		was_blank = line.ptr[i] == ' ';
	}
	*is_scrypt = line.len >= 9 && !memcmp(line.ptr + 3, "scrypt", 6) && (line.len == 9 || line.ptr[9] == ' ');
	return !was_blank;
}

/* Unpadded canonical base64, by the other decoder. */
static bool is_raw64(struct bytes line)
{
	_cleanup_(buf_done) struct buf padded = { 0 }, raw = { 0 };

	if (line.len && memchr(line.ptr, '=', line.len))
		return false;
	buf_add_bytes(&padded, line);
	while (padded.len % 4)
		buf_add_char(&padded, '=');
	return line.len % 4 != 1 && base64_decode(&raw, buf_bytes(&padded));
}

/* The grammar of the format's document, once more. */
static bool are_stanzas(struct bytes in)
{
	bool in_body = false, is_scrypt;
	struct bytes line = { 0 };
	size_t count = 1; /* ours */

	if (in.len && in.ptr[in.len - 1] != '\n')
		return false;
	while (bytes_next_line(&in, &line)) {
		if (!in_body) {
			if (!is_line_of_args(line, &is_scrypt) || is_scrypt || ++count > STANZAS_MAX)
				return false;
			in_body = true;
		} else {
			if (line.len > LINE_MAX_ || !is_raw64(line))
				return false;
			in_body = line.len == LINE_MAX_;
		}
	}
	return !in_body;
}

static void check_stanzas(struct bytes in)
{
	_cleanup_(buf_done) struct buf sealed = { 0 }, out = { 0 };
	struct error err = { 0 };
	int r;

	if (in.len > AGE_HEADER_MAX / 2)
		return;
	seal_with(&sealed, in);
	r = age_open(&out, buf_bytes(&sealed), our_identity(), PLAIN_MAX, &err);
	MUST((r == 0) == are_stanzas(in));
	MUST(r == 0 ? bytes_is(buf_bytes(&out), "text") : !out.len);
}

static struct bytes behind_vector_head(struct bytes in)
{
	struct bytes line;

	if (in.len < 8 || memcmp(in.ptr, "expect: ", 8) != 0)
		return in;
	while (bytes_next_line(&in, &line) && line.len)
		;
	return in;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = behind_vector_head(bytes_of(data, size));

	check_file(in);
	check_stanzas(in);
	return 0;
}
