/* crypto/age.c -- age v1 files: header, stanzas, payload (C2SP age.md).
 *
 * The header is parsed strictly and once, into borrowed pieces; the file key opens the header's MAC before any byte of the payload is
 * looked at, and the payload comes out whole or not at all. */
#include "crypto/age.h"

#include "crypto/age-parts.h"

#include <sodium.h>
#include <string.h>

enum {
	FILE_KEY_LEN = 16,
	TAG_LEN = crypto_aead_chacha20poly1305_ietf_ABYTES,
	NONCE_LEN = 16,
	CHUNK = 64 << 10,
	STANZAS_MAX = 256,
	ARGS_MAX = 8,
	BODY_LINE = 64,
};

static const char version_line[] = "age-encryption.org/v1";
static const char x25519_info[] = "age-encryption.org/v1/X25519";
static const char scrypt_info[] = "age-encryption.org/v1/scrypt";

struct stanza {
	struct bytes args[ARGS_MAX];
	size_t arg_count;
	uint8_t body[48]; /* what the kinds we know have at most; longer ones keep only their length */
	size_t body_len;
};

struct header {
	struct stanza stanzas[STANZAS_MAX];
	size_t count;
	struct bytes signed_part; /* up to and with "---" */
	uint8_t mac[32];
	size_t len;
};

/* HKDF (RFC 5869) with SHA-256, one block of output: libsodium 1.0.18 has none. */
static void hkdf(uint8_t out[static 32], struct bytes key, struct bytes salt, const char *info)
{
	_cleanup_(secret_done) struct secret prk = { 0 };
	crypto_auth_hmacsha256_state st;
	const uint8_t one = 1;

	secret_init(&prk, 32);
	crypto_auth_hmacsha256_init(&st, salt.ptr, salt.len);
	crypto_auth_hmacsha256_update(&st, key.ptr, key.len);
	crypto_auth_hmacsha256_final(&st, prk.ptr);
	crypto_auth_hmacsha256_init(&st, prk.ptr, prk.len);
	crypto_auth_hmacsha256_update(&st, (const uint8_t *)info, strlen(info));
	crypto_auth_hmacsha256_update(&st, &one, 1);
	crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof(st));
}

/* Header: reading. */

static bool base64_raw(uint8_t *out, size_t max, size_t *len, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] > 126)
			return false; /* libsodium 1.0.18 takes every byte from 0x80 on for an 'A' */
	/* unpadded and canonical; libsodium refuses bits left over */
	return sodium_base642bin(out, max, (const char *)text.ptr, text.len, NULL, len, NULL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING) ==
	       0;
}

static bool is_arg(struct bytes arg)
{
	for (size_t i = 0; i < arg.len; i++)
		if (arg.ptr[i] < 33 || arg.ptr[i] > 126)
			return false;
	return arg.len > 0;
}

static bool parse_args(struct stanza *st, struct bytes line)
{
	for (;;) {
		const uint8_t *space = line.len ? memchr(line.ptr, ' ', line.len) : NULL;
		struct bytes arg = bytes_of(line.ptr, space ? (size_t)(space - line.ptr) : line.len);

		if (!is_arg(arg))
			return false;
		if (st->arg_count < ARGS_MAX)
			st->args[st->arg_count] = arg;
		st->arg_count++;
		if (!space)
			return true;
		line = bytes_from(line, arg.len + 1);
		if (!line.len)
			return false;
	}
}

/* A line must end in "\n": the last line of a cut file does not count. */
static bool header_line(struct bytes *rest, struct bytes *line)
{
	const uint8_t *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;

	return end && bytes_next_line(rest, line);
}

static bool parse_body(struct stanza *st, struct bytes *rest)
{
	struct bytes line;

	do {
		uint8_t raw[48];
		size_t len = 0;

		if (!header_line(rest, &line) || line.len > BODY_LINE || !base64_raw(raw, sizeof(raw), &len, line))
			return false;
		if (st->body_len + len <= sizeof(st->body))
			memcpy(st->body + st->body_len, raw, len);
		st->body_len += len;
	} while (line.len == BODY_LINE);
	return true;
}

static int parse_header(struct header *h, struct bytes in, struct error *err)
{
	struct bytes rest = in.len > AGE_HEADER_MAX ? bytes_of(in.ptr, AGE_HEADER_MAX) : in, line;
	size_t len = 0;

	if (!header_line(&rest, &line) || !bytes_is(line, version_line))
		return error_set(err, E_FORMAT, "not an age file: it does not begin with '%s'", version_line);
	for (;;) {
		if (!header_line(&rest, &line))
			return error_set(err, E_FORMAT, "age header is cut short or over %d bytes", AGE_HEADER_MAX);
		if (line.len > 3 && !memcmp(line.ptr, "-> ", 3)) {
			struct stanza *st = &h->stanzas[h->count];

			if (h->count == STANZAS_MAX)
				return error_set(err, E_FORMAT, "age header has over %d stanzas", STANZAS_MAX);
			*st = (struct stanza){ 0 };
			if (!parse_args(st, bytes_from(line, 3)) || !parse_body(st, &rest))
				return error_set(err, E_FORMAT, "age header: stanza %zu is malformed", h->count + 1);
			h->count++;
			continue;
		}
		break;
	}
	if (!h->count || line.len != 4 + 43 || memcmp(line.ptr, "--- ", 4) != 0 ||
	    !base64_raw(h->mac, sizeof(h->mac), &len, bytes_from(line, 4)) || len != sizeof(h->mac))
		return error_set(err, E_FORMAT, "age header has no stanza, or its last line is malformed");
	h->signed_part = bytes_of(in.ptr, (size_t)(line.ptr - in.ptr) + 3);
	h->len = (size_t)(line.ptr - in.ptr) + line.len + 1;
	return 0;
}

static bool is_kind(const struct stanza *st, const char *kind)
{
	return st->arg_count && bytes_is(st->args[0], kind);
}

/* Stanzas. */

static void header_mac(uint8_t out[static 32], struct bytes file_key, struct bytes signed_part)
{
	_cleanup_(secret_done) struct secret key = { 0 };
	crypto_auth_hmacsha256_state st;

	secret_init(&key, 32);
	hkdf(key.ptr, file_key, bytes_str(""), "header");
	crypto_auth_hmacsha256_init(&st, key.ptr, key.len);
	crypto_auth_hmacsha256_update(&st, signed_part.ptr, signed_part.len);
	crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof(st));
}

static bool unwrap(uint8_t file_key[static FILE_KEY_LEN], const uint8_t wrap[static 32], const struct stanza *st)
{
	static const uint8_t zero_nonce[12];

	return crypto_aead_chacha20poly1305_ietf_decrypt(file_key, NULL, NULL, st->body, FILE_KEY_LEN + TAG_LEN, NULL, 0, zero_nonce,
							 wrap) == 0;
}

static void wrap_body(uint8_t out[static FILE_KEY_LEN + TAG_LEN], const uint8_t wrap[static 32],
		      const uint8_t file_key[static FILE_KEY_LEN])
{
	static const uint8_t zero_nonce[12];

	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, file_key, FILE_KEY_LEN, NULL, 0, NULL, zero_nonce, wrap);
}

/* The key that wraps for `to`, seen from either side; false for a low-order point. */
static bool x25519_wrap_key(uint8_t wrap[static 32], const uint8_t scalar[static 32], const uint8_t point[static 32],
			    const uint8_t share[static 32], const uint8_t to[static 32])
{
	uint8_t shared[32], salt[64];
	bool ok = crypto_scalarmult(shared, scalar, point) == 0; /* refuses the all-zero result */

	memcpy(salt, share, 32);
	memcpy(salt + 32, to, 32);
	if (ok)
		hkdf(wrap, bytes_of(shared, sizeof(shared)), bytes_of(salt, sizeof(salt)), x25519_info);
	sodium_memzero(shared, sizeof(shared));
	return ok;
}

/* 1: opened; 0: not for us; negative: malformed. */
static int x25519_open(uint8_t file_key[static FILE_KEY_LEN], const struct stanza *st, const struct age_identity *id, struct error *err)
{
	_cleanup_(secret_done) struct secret wrap = { 0 };
	uint8_t share[32];
	size_t len = 0;

	if (st->arg_count != 2 || st->args[1].len != 43 || !base64_raw(share, sizeof(share), &len, st->args[1]) || len != sizeof(share) ||
	    st->body_len != FILE_KEY_LEN + TAG_LEN)
		return error_set(err, E_FORMAT, "age header: an X25519 stanza is malformed");
	secret_init(&wrap, 32);
	if (!x25519_wrap_key(wrap.ptr, id->key.ptr, share, share, id->pub.pub))
		return error_set(err, E_FORMAT, "age header: an X25519 stanza has a low-order share");
	return unwrap(file_key, wrap.ptr, st);
}

static bool scrypt_wrap_key(uint8_t wrap[static 32], struct bytes passphrase, const uint8_t salt[static 16], unsigned work)
{
	uint8_t full[sizeof(scrypt_info) - 1 + 16];

	memcpy(full, scrypt_info, sizeof(scrypt_info) - 1);
	memcpy(full + sizeof(scrypt_info) - 1, salt, 16);
	return crypto_pwhash_scryptsalsa208sha256_ll(passphrase.ptr, passphrase.len, full, sizeof(full), 1ULL << work, 8, 1, wrap, 32) == 0;
}

static int scrypt_open(uint8_t file_key[static FILE_KEY_LEN], const struct stanza *st, struct bytes passphrase, struct error *err)
{
	_cleanup_(secret_done) struct secret wrap = { 0 };
	uint8_t salt[16];
	uint64_t work;
	size_t len = 0;

	if (st->arg_count != 3 || st->args[1].len != 22 || !base64_raw(salt, sizeof(salt), &len, st->args[1]) || len != sizeof(salt) ||
	    !number_parse(&work, st->args[2]) || !work || st->body_len != FILE_KEY_LEN + TAG_LEN)
		return error_set(err, E_FORMAT, "age header: the scrypt stanza is malformed");
	if (work > AGE_SCRYPT_WORK_MAX)
		return error_set(err, E_FORMAT, "age header: a scrypt work factor over %d is refused", AGE_SCRYPT_WORK_MAX);
	secret_init(&wrap, 32);
	if (!scrypt_wrap_key(wrap.ptr, passphrase, salt, (unsigned)work))
		return error_sys(err, "cannot derive a key by scrypt");
	return unwrap(file_key, wrap.ptr, st);
}

/* Payload. */

static void chunk_nonce(uint8_t nonce[static 12], uint64_t index, bool last)
{
	memset(nonce, 0, 12);
	for (int i = 0; i < 8; i++)
		nonce[10 - i] = (uint8_t)(index >> (8 * i));
	nonce[11] = last;
}

static int open_payload(struct buf *out, struct bytes in, struct bytes file_key, size_t max, struct error *err)
{
	_cleanup_(secret_done) struct secret key = { 0 };
	size_t begin = out->len;

	if (in.len < NONCE_LEN)
		return error_set(err, E_FORMAT, "age header is not followed by a whole nonce");
	if (in.len < NONCE_LEN + TAG_LEN)
		return error_set(err, E_SEAL, "age payload is cut short");
	secret_init(&key, 32);
	hkdf(key.ptr, file_key, bytes_of(in.ptr, NONCE_LEN), "payload");
	in = bytes_from(in, NONCE_LEN);
	if (in.len / (CHUNK + TAG_LEN) * CHUNK > max)
		return error_set(err, E_LIMIT, "age payload is over %zu bytes", max);
	for (uint64_t i = 0; i == 0 || in.len; i++) {
		size_t len = in.len > CHUNK + TAG_LEN ? CHUNK + TAG_LEN : in.len;
		bool last = len == in.len;
		uint8_t nonce[12], *to;

		if (len < TAG_LEN || (len == TAG_LEN && i)) {
			buf_truncate(out, begin);
			return error_set(err, E_SEAL, "age payload has an empty or short last chunk");
		}
		chunk_nonce(nonce, i, last);
		to = buf_extend(out, len - TAG_LEN);
		if (crypto_aead_chacha20poly1305_ietf_decrypt(to, NULL, NULL, in.ptr, len, NULL, 0, nonce, key.ptr) != 0) {
			buf_truncate(out, begin);
			return error_set(err, E_SEAL, "age payload does not hold: changed, cut short, or with bytes behind it");
		}
		in = bytes_from(in, len);
	}
	if (out->len - begin > max) {
		buf_truncate(out, begin);
		return error_set(err, E_LIMIT, "age payload is over %zu bytes", max);
	}
	return 0;
}

static void seal_payload(struct buf *out, struct bytes plain, struct bytes file_key)
{
	_cleanup_(secret_done) struct secret key = { 0 };
	uint8_t nonce[NONCE_LEN], counter[12];
	uint64_t i = 0;

	randombytes_buf(nonce, sizeof(nonce));
	secret_init(&key, 32);
	hkdf(key.ptr, file_key, bytes_of(nonce, sizeof(nonce)), "payload");
	buf_add(out, nonce, sizeof(nonce));
	do {
		size_t len = plain.len > CHUNK ? CHUNK : plain.len;
		uint8_t *to = buf_extend(out, len + TAG_LEN);

		chunk_nonce(counter, i++, len == plain.len);
		crypto_aead_chacha20poly1305_ietf_encrypt(to, NULL, plain.ptr, len, NULL, 0, NULL, counter, key.ptr);
		plain = bytes_from(plain, len);
	} while (plain.len);
}

/* Sealing. */

static void add_base64_raw(struct buf *out, struct bytes in)
{
	base64_encode(out, in);
	while (out->len && out->ptr[out->len - 1] == '=')
		buf_truncate(out, out->len - 1);
}

static int add_x25519(struct buf *out, const struct age_recipient *to, const struct secret *file_key, struct error *err)
{
	_cleanup_(secret_done) struct secret scalar = { 0 }, wrap = { 0 };
	uint8_t share[32], body[FILE_KEY_LEN + TAG_LEN];

	secret_random(&scalar, 32);
	secret_init(&wrap, 32);
	crypto_scalarmult_base(share, scalar.ptr);
	if (!x25519_wrap_key(wrap.ptr, scalar.ptr, to->pub, share, to->pub))
		return error_set(err, E_SEAL, "a recipient is a low-order point");
	wrap_body(body, wrap.ptr, file_key->ptr);
	buf_add_str(out, "-> X25519 ");
	add_base64_raw(out, bytes_of(share, sizeof(share)));
	buf_add_char(out, '\n');
	add_base64_raw(out, bytes_of(body, sizeof(body)));
	buf_add_char(out, '\n');
	return 0;
}

/* Ends the header that stands in out from `begin`, and seals the payload behind it. */
static void finish(struct buf *out, size_t begin, const struct secret *file_key, struct bytes plain)
{
	uint8_t mac[32];

	buf_add_str(out, "---");
	header_mac(mac, secret_bytes(file_key), bytes_of(out->ptr + begin, out->len - begin));
	buf_add_char(out, ' ');
	add_base64_raw(out, bytes_of(mac, sizeof(mac)));
	buf_add_char(out, '\n');
	seal_payload(out, plain, secret_bytes(file_key));
}

int age_seal(struct buf *out, const struct age_recipient *to, size_t n, struct bytes plain, struct error *err)
{
	_cleanup_(secret_done) struct secret file_key = { 0 };
	size_t begin = out->len;

	if (!n || n > AGE_RECIPIENTS_MAX)
		return error_set(err, E_LIMIT, "sealing takes 1 to %d recipients, not %zu", AGE_RECIPIENTS_MAX, n);
	secret_random(&file_key, FILE_KEY_LEN);
	buf_addf(out, "%s\n", version_line);
	for (size_t i = 0; i < n; i++) {
		if (add_x25519(out, &to[i], &file_key, err) < 0) {
			buf_truncate(out, begin);
			return err->code;
		}
	}
	finish(out, begin, &file_key, plain);
	return 0;
}

int age_seal_passphrase(struct buf *out, struct bytes passphrase, unsigned work, struct bytes plain, struct error *err)
{
	_cleanup_(secret_done) struct secret file_key = { 0 }, wrap = { 0 };
	uint8_t salt[16], body[FILE_KEY_LEN + TAG_LEN];
	size_t begin = out->len;

	if (!work || work > AGE_SCRYPT_WORK_MAX)
		return error_set(err, E_LIMIT, "scrypt work factor %u is not 1 to %d", work, AGE_SCRYPT_WORK_MAX);
	secret_random(&file_key, FILE_KEY_LEN);
	secret_init(&wrap, 32);
	randombytes_buf(salt, sizeof(salt));
	if (!scrypt_wrap_key(wrap.ptr, passphrase, salt, work))
		return error_sys(err, "cannot derive a key by scrypt");
	wrap_body(body, wrap.ptr, file_key.ptr);
	buf_addf(out, "%s\n-> scrypt ", version_line);
	add_base64_raw(out, bytes_of(salt, sizeof(salt)));
	buf_addf(out, " %u\n", work);
	add_base64_raw(out, bytes_of(body, sizeof(body)));
	buf_add_char(out, '\n');
	finish(out, begin, &file_key, plain);
	return 0;
}

/* Opening. */

static int open_with(struct buf *out, struct bytes sealed, const struct age_identity *id, struct bytes passphrase, size_t max,
		     struct error *err)
{
	_cleanup_(mem_freep) struct header *h = mem_alloc(sizeof(*h));
	_cleanup_(secret_done) struct secret file_key = { 0 };
	uint8_t mac[32];
	int opened = 0, r = parse_header(h, sealed, err);

	if (r < 0)
		return r;
	secret_init(&file_key, FILE_KEY_LEN);
	for (size_t i = 0; i < h->count; i++) {
		const struct stanza *st = &h->stanzas[i];

		if (is_kind(st, "scrypt") && h->count != 1)
			return error_set(err, E_FORMAT, "age header: scrypt must be the only stanza");
		if (opened)
			continue;
		if (id && is_kind(st, "X25519"))
			opened = x25519_open(file_key.ptr, st, id, err);
		else if (!id && is_kind(st, "scrypt"))
			opened = scrypt_open(file_key.ptr, st, passphrase, err);
		if (opened < 0)
			return opened;
	}
	if (!opened)
		return error_set(err, E_SEAL, id ? "sealed to other keys than this one" : "the passphrase does not open it");
	header_mac(mac, secret_bytes(&file_key), h->signed_part);
	if (sodium_memcmp(mac, h->mac, sizeof(mac)) != 0)
		return error_set(err, E_SEAL, "age header does not hold: its MAC is wrong");
	return open_payload(out, bytes_from(sealed, h->len), secret_bytes(&file_key), max, err);
}

static int open_any(struct buf *out, struct bytes sealed, const struct age_identity *id, struct bytes passphrase, size_t max,
		    struct error *err)
{
	_cleanup_(buf_done) struct buf binary = { 0 };
	int r;

	if (!age_is_armoured(sealed))
		return open_with(out, sealed, id, passphrase, max, err);
	r = age_unarmour(&binary, sealed, err);
	if (r < 0)
		return r;
	return open_with(out, buf_bytes(&binary), id, passphrase, max, err);
}

int age_open(struct buf *out, struct bytes sealed, const struct age_identity *id, size_t max, struct error *err)
{
	return open_any(out, sealed, id, (struct bytes){ 0 }, max, err);
}

int age_open_passphrase(struct buf *out, struct bytes sealed, struct bytes passphrase, size_t max, struct error *err)
{
	return open_any(out, sealed, NULL, passphrase, max, err);
}

static bool begins(struct bytes in, const char *with)
{
	return in.len >= strlen(with) && !memcmp(in.ptr, with, strlen(with));
}

bool age_is_file(struct bytes in)
{
	return begins(in, version_line) || age_is_armoured(in);
}

bool age_is_passphrase_file(struct bytes in)
{
	_cleanup_(buf_done) struct buf binary = { 0 };
	struct error ignored;

	if (age_is_armoured(in)) {
		if (age_unarmour(&binary, in, &ignored) < 0)
			return false;
		in = buf_bytes(&binary);
	}
	return begins(in, "age-encryption.org/v1\n-> scrypt ");
}

/* Keys as text. */

void age_identity_new(struct age_identity *out)
{
	*out = (struct age_identity){ 0 };
	secret_random(&out->key, 32);
	crypto_scalarmult_base(out->pub.pub, out->key.ptr);
}

int age_identity_parse(struct age_identity *out, struct bytes text, struct error *err)
{
	struct age_identity id = { 0 };

	secret_init(&id.key, 32);
	if (!bech32_decode(id.key.ptr, "AGE-SECRET-KEY-", text)) {
		age_identity_done(&id);
		return error_set(err, E_FORMAT, "not an age identity ('AGE-SECRET-KEY-1...')");
	}
	crypto_scalarmult_base(id.pub.pub, id.key.ptr);
	*out = id;
	return 0;
}

int age_identity_from_file(struct age_identity *out, struct bytes text, struct error *err)
{
	struct bytes line;

	while (bytes_next_line(&text, &line)) {
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (!line.len || line.ptr[0] == '#')
			continue;
		return age_identity_parse(out, line, err);
	}
	return error_set(err, E_FORMAT, "file holds no age identity ('AGE-SECRET-KEY-1...')");
}

void age_identity_text(struct buf *out, const struct age_identity *id)
{
	char text[128];

	bech32_encode(text, "AGE-SECRET-KEY-", id->key.ptr);
	buf_add_str(out, text);
	sodium_memzero(text, sizeof(text));
}

void age_identity_done(struct age_identity *id)
{
	secret_done(&id->key);
}

int age_recipient_parse(struct age_recipient *out, struct bytes text, struct error *err)
{
	struct age_recipient to;

	if (text.len != AGE_RECIPIENT_LEN || !bech32_decode(to.pub, "age", text))
		return error_set(err, E_FORMAT, "not an age X25519 recipient ('age1...')");
	*out = to;
	return 0;
}

void age_recipient_text(char out[static AGE_RECIPIENT_LEN + 1], const struct age_recipient *to)
{
	char text[128];

	bech32_encode(text, "age", to->pub);
	memcpy(out, text, AGE_RECIPIENT_LEN + 1);
}
