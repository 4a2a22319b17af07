/* cli/enrolment.c -- the checks between an invite and an admission. */
#include "cli/enrolment.h"

#include "crypto/seal.h"

#include <sodium.h>
#include <string.h>

/* "mac: " and a hash and "\n": the last line of an enrolment, and the only one that the MAC does not cover. */
enum { MAC_LINE_LEN = 5 + 2 * HASH_LEN + 1 };

/* Whatever is wrong with what the server hands out: it is not what it should be. */
static int as_seal(struct error *err)
{
	err->code = E_SEAL;
	return E_SEAL;
}

static int check_self(const struct statement *st, const char *fleet, const char *id, struct error *err)
{
	struct sign_pub key;
	char made[ID_LEN + 1];
	int r;

	if (statement_type(st) != STATEMENT_ENROL || statement_number(st, "number") != 1)
		return error_set(err, E_SEAL, "it is no enrolment");
	if (strcmp(statement_get(st, "fleet"), fleet) != 0 || strcmp(statement_get(st, "device"), id) != 0)
		return error_set(err, E_SEAL, "it is that of another device or fleet");
	r = sign_pub_parse(&key, bytes_str(statement_get(st, "key")), false, err);
	if (r < 0)
		return r;
	sign_pub_id(made, &key);
	if (strcmp(made, id) != 0)
		return error_set(err, E_SEAL, "the device's id is not made from its key");
	return statement_verify_by(st, &key, err);
}

int enrolment_open(struct statement **out, struct bytes whole, const char *fleet, const char *id, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	size_t used = 0;
	int r = statement_parse(&st, whole, false, &used, err);

	if (r == 0 && used != whole.len)
		r = error_set(err, E_SEAL, "something stands behind it");
	if (r == 0)
		r = check_self(st, fleet, id, err);
	if (r < 0) {
		as_seal(err);
		return error_add(err, "the enrolment that the server gives out does not hold");
	}
	*out = steal(st);
	return 0;
}

static int check_invite(const struct container *c, const struct root *root, const char *id, struct error *err)
{
	if (statement_type(c->st) != STATEMENT_INVITE || strcmp(statement_get(c->st, "invite"), id) != 0)
		return error_set(err, E_SEAL, "it is another one");
	return root_verify(root, c->st, err);
}

int enrolment_invite(struct container *out, struct bytes whole, const struct root *root, const char *id, struct error *err)
{
	struct container c = { 0 };
	size_t used = 0;
	int r = container_parse(&c, whole, CONTAINER_FULL, &used, err);

	if (r == 0 && used != whole.len)
		r = error_set(err, E_SEAL, "something stands behind it");
	if (r == 0)
		r = check_invite(&c, root, id, err);
	if (r < 0) {
		container_done(&c);
		as_seal(err);
		return error_add(err, "invite '%s' does not hold", id);
	}
	*out = c;
	return 0;
}

static bool is_secret_of(const char *id, struct bytes secret)
{
	uint8_t hash[HASH_LEN];
	char made[ID_LEN + 1];

	sha256(hash, secret);
	id_of_hash(made, hash);
	return !strcmp(made, id);
}

int enrolment_secret(struct secret *out, const struct container *invite, const struct age_identity *reader, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 }, raw = { 0 };
	const char *id = statement_get(invite->st, "invite");
	struct bytes line, rest;
	int r = seal_open_secret(&text, reader, container_seal(invite, "secret"), err);

	if (r < 0) {
		as_seal(err);
		return error_add(err, "the secret of invite '%s' does not open with your reading key", id);
	}
	rest = buf_bytes(&text);
	if (!bytes_next_line(&rest, &line) || rest.len || !base64_decode(&raw, line) || raw.len != INVITE_SECRET_LEN ||
	    !is_secret_of(id, buf_bytes(&raw)))
		return error_set(err, E_SEAL, "invite '%s' holds another secret than the one it is named after", id);
	secret_copy(out, buf_bytes(&raw));
	return 0;
}

bool enrolment_mac_holds(const struct statement *enrol, struct bytes secret)
{
	struct bytes text = statement_text(enrol);
	uint8_t mac[crypto_auth_hmacsha256_BYTES], said[HASH_LEN];

	if (secret.len != crypto_auth_hmacsha256_KEYBYTES || !statement_get_hash(said, enrol, "mac"))
		return false;
	crypto_auth_hmacsha256(mac, text.ptr, text.len - MAC_LINE_LEN, secret.ptr);
	return sodium_memcmp(mac, said, sizeof(mac)) == 0;
}

int enrolment_in_time(const struct statement *enrol, const struct statement *invite, int64_t now_s, struct error *err)
{
	int64_t until_s = statement_time(invite, "expires");

	if (statement_time(enrol, "time") > until_s)
		return error_set(err, E_DENIED, "it enrolled at %s by its own clock, after its invite expired at %s",
				 statement_get(enrol, "time"), statement_get(invite, "expires"));
	if (now_s > until_s)
		return error_set(err, E_DENIED, "its invite expired at %s; make another one, and let the device join with that",
				 statement_get(invite, "expires"));
	return 0;
}

static int check_admit(const struct statement *admit, const struct statement *enrol, struct root *const *roots, size_t root_count,
		       struct error *err)
{
	uint8_t hash[HASH_LEN];
	uint64_t version;

	if (statement_type(admit) != STATEMENT_ADMIT || strcmp(statement_get(admit, "device"), statement_get(enrol, "device")) != 0)
		return error_set(err, E_SEAL, "it is no admission of this device");
	if (!statement_get_hash(hash, admit, "enrol") || memcmp(hash, statement_hash(enrol), HASH_LEN) != 0)
		return error_set(err, E_SEAL, "it admits another enrolment than the one that is there");
	version = statement_number(admit, "root");
	if (!version || version > root_count)
		return error_set(err, E_SEAL, "it names root %llu, which is not known here", (unsigned long long)version);
	return root_verify(roots[version - 1], admit, err);
}

int enrolment_admitted(const struct statement *admit, const struct statement *enrol, struct root *const *roots, size_t root_count,
		       struct error *err)
{
	if (check_admit(admit, enrol, roots, root_count, err) == 0)
		return 0;
	as_seal(err);
	return error_add(err, "the admission that the server gives out does not hold");
}
