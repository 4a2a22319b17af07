/* crypto/statement.c -- the one grammar and the one verifier. Everything follows from the table in statement-types.c. */
#include "crypto/statement-parts.h"

#include "base/clock.h"
#include "base/plural.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char first_line[] = "holdfast-statement/1 ";
static const char begin_signature[] = "-----BEGIN SSH SIGNATURE-----";
static const char begin_proof[] = "-----BEGIN HOLDFAST PROOF-----\n";
static const char end_proof[] = "-----END HOLDFAST PROOF-----\n";

enum { PROOF_HEAD = HASH_LEN + 8, PROOF_COLUMNS = 70 };

struct line {
	const struct field *field;
	const char *value;
};

struct statement {
	enum statement_type type;
	char *whole; /* text and signatures, as received */
	size_t text_len, whole_len;
	char *values; /* the text with its lines cut into C strings */
	struct line *lines;
	size_t count;
	struct sshsig *sigs;
	size_t sig_count;
	struct order_proof *proof;
	uint8_t hash[HASH_LEN];
};

/* ---- parsing ---- */

static bool begins(struct bytes in, const char *with)
{
	size_t len = strlen(with);

	return in.len >= len && !memcmp(in.ptr, with, len);
}

static bool is_printable(uint8_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

static uint8_t first_unprintable(struct bytes line)
{
	while (is_printable(*line.ptr))
		line = bytes_from(line, 1);
	return *line.ptr;
}

/* All of it is looked at, whatever is found: so the compiler takes many at a time. */
static bool are_printable(struct bytes line)
{
	bool all = true;

	for (size_t i = 0; i < line.len; i++)
		all &= is_printable(line.ptr[i]);
	return all;
}

/* How far the text goes: up to the first signature block, or the proof. Checks lines and characters. */
static int measure_text(size_t *text_len, struct bytes in, struct error *err)
{
	struct bytes rest = in, line;
	size_t lines = 0;

	while (bytes_next_line(&rest, &line)) {
		size_t at = (size_t)(line.ptr - in.ptr);

		if (begins(line, begin_signature) || begins(bytes_from(in, at), begin_proof)) {
			*text_len = at;
			return 0;
		}
		if (++lines > STATEMENT_LINES_MAX || at + line.len >= STATEMENT_TEXT_MAX)
			return error_set(err, E_FORMAT, "statement is over %d lines or %d bytes", STATEMENT_LINES_MAX, STATEMENT_TEXT_MAX);
		if (line.len > STATEMENT_LINE_MAX)
			return error_set(err, E_FORMAT, "statement line %zu is over %d bytes", lines, STATEMENT_LINE_MAX);
		if (!are_printable(line))
			return error_set(err, E_FORMAT, "statement line %zu holds byte 0x%02x; only printable ASCII is allowed", lines,
					 first_unprintable(line));
		if (at + line.len == in.len)
			return error_set(err, E_FORMAT, "statement line %zu has no newline", lines);
	}
	*text_len = in.len;
	return 0;
}

static int parse_line(struct line *out, const struct type *type, size_t *field, unsigned *times, char *text, size_t len, size_t number,
		      struct error *err)
{
	char *colon = memchr(text, ':', len), *value;
	size_t i = *field;

	if (!colon || colon == text || colon[1] != ' ' || !colon[2] || colon[2] == ' ' || text[len - 1] == ' ')
		return error_set(err, E_FORMAT, "statement line %zu is not 'key: value'", number);
	*colon = 0;
	value = colon + 2;
	/* the field in hand again, or a later one with only optional ones between */
	while (type->fields[i].key && strcmp(type->fields[i].key, text) != 0) {
		if (*times < type->fields[i].min)
			return error_set(err, E_FORMAT, "statement line %zu: '%.40s' where '%s' is needed", number, text,
					 type->fields[i].key);
		i++;
		*times = 0;
	}
	if (!type->fields[i].key)
		return error_set(err, E_FORMAT, "statement line %zu: '%.40s' is unknown, or misplaced, in type %s", number, text,
				 type->name);
	if (++*times > type->fields[i].max)
		return error_set(err, E_FORMAT, "statement line %zu: '%s' occurs more than %u time(s)", number, text, type->fields[i].max);
	if (!value_has_form(type->fields[i].kind, bytes_of(value, len - (size_t)(value - text))))
		return error_set(err, E_FORMAT, "statement line %zu: value of '%s' does not have the right form", number, text);
	*field = i;
	*out = (struct line){ &type->fields[i], value };
	return 0;
}

/* Cuts st->values into lines and checks them against the table. */
static int parse_text(struct statement *st, struct error *err)
{
	struct bytes rest = bytes_of(st->values, st->text_len), line;
	struct line lines[STATEMENT_LINES_MAX]; /* most statements have a few, and thousands of them are kept */
	const struct type *type;
	size_t field = 0, number = 1, prefix = sizeof(first_line) - 1;
	unsigned times = 0;

	if (!bytes_next_line(&rest, &line) || line.len <= prefix || memcmp(line.ptr, first_line, prefix) != 0)
		return error_set(err, E_FORMAT, "statement does not begin with '%s<type>'", first_line);
	if (!statement_type_parse(&st->type, bytes_from(line, prefix)))
		return error_set(err, E_FORMAT, "statement is of an unknown type '%.*s'",
				 line.len - prefix > 40 ? 40 : (int)(line.len - prefix), (const char *)line.ptr + prefix);
	type = type_table(st->type);
	while (bytes_next_line(&rest, &line)) {
		char *text = st->values + (line.ptr - (const uint8_t *)st->values);
		int r;

		text[line.len] = 0;
		r = parse_line(&lines[st->count], type, &field, &times, text, line.len, ++number, err);
		if (r < 0)
			return r;
		st->count++;
	}
	for (; type->fields[field].key; field++, times = 0)
		if (times < type->fields[field].min)
			return error_set(err, E_FORMAT, "statement of type %s ends without '%s'", type->name, type->fields[field].key);
	st->lines = mem_alloc((st->count ? st->count : 1) * sizeof(*st->lines));
	memcpy(st->lines, lines, st->count * sizeof(*st->lines));
	return 0;
}

static int parse_signatures(struct statement *st, struct bytes in, size_t *used, struct error *err)
{
	while (begins(in, begin_signature)) {
		size_t len;
		int r;

		if (st->sig_count == STATEMENT_SIGS_MAX)
			return error_set(err, E_FORMAT, "statement has more than %d signatures", STATEMENT_SIGS_MAX);
		st->sigs = mem_grow(st->sigs, (st->sig_count + 1) * sizeof(*st->sigs));
		r = sshsig_parse(&st->sigs[st->sig_count], in, &len, err);
		if (r < 0)
			return error_add(err, "signature %zu", st->sig_count + 1);
		st->sig_count++;
		*used += len;
		in = bytes_from(in, len);
	}
	return 0;
}

/* ---- the proof of an order ---- */

static void put_proof(struct buf *out, const struct order_proof *proof)
{
	buf_add(out, proof->batch, HASH_LEN);
	buf_add_u32be(out, proof->index);
	buf_add_u32be(out, proof->count);
	buf_add(out, proof->path, proof->len * HASH_LEN);
}

void statement_add_proof(struct buf *text, const struct order_proof *proof)
{
	_cleanup_(buf_done) struct buf raw = { 0 }, line = { 0 };
	struct bytes rest;

	put_proof(&raw, proof);
	base64_encode(&line, buf_bytes(&raw));
	rest = buf_bytes(&line);
	buf_add_str(text, begin_proof);
	while (rest.len) {
		size_t n = rest.len < PROOF_COLUMNS ? rest.len : PROOF_COLUMNS;

		buf_add(text, rest.ptr, n);
		buf_add_char(text, '\n');
		rest = bytes_from(rest, n);
	}
	buf_add_str(text, end_proof);
}

static int take_proof(struct order_proof *out, struct bytes raw, struct error *err)
{
	struct reader rd = reader_over(raw);
	size_t len = raw.len >= PROOF_HEAD ? (raw.len - PROOF_HEAD) / HASH_LEN : 0;
	struct bytes batch = read_bytes(&rd, HASH_LEN), path;

	out->index = read_u32(&rd);
	out->count = read_u32(&rd);
	if (len > STATEMENT_PROOF_MAX)
		return error_set(err, E_FORMAT, "proof has more than %d hashes", STATEMENT_PROOF_MAX);
	path = read_bytes(&rd, len * HASH_LEN);
	if (!reader_done(&rd) || out->index >= out->count)
		return error_set(err, E_FORMAT, "proof of %zu bytes does not have the right form", raw.len);
	memcpy(out->batch, batch.ptr, HASH_LEN);
	if (path.len)
		memcpy(out->path, path.ptr, path.len);
	out->len = len;
	return 0;
}

/* Strict: what is read is what would be written. */
static int parse_proof(struct statement *st, struct bytes in, size_t *used, struct error *err)
{
	_cleanup_(buf_done) struct buf joined = { 0 }, raw = { 0 }, again = { 0 };
	struct bytes rest = in, line;
	int r;

	if (!begins(in, begin_proof))
		return 0;
	(void)bytes_next_line(&rest, &line);
	while (bytes_next_line(&rest, &line) && line.len <= PROOF_COLUMNS && line.len && line.ptr[0] != '-')
		buf_add_bytes(&joined, line);
	if (!base64_decode(&raw, buf_bytes(&joined)))
		return error_set(err, E_FORMAT, "proof is not base64");
	st->proof = mem_alloc(sizeof(*st->proof));
	r = take_proof(st->proof, buf_bytes(&raw), err);
	if (r < 0)
		return r;
	statement_add_proof(&again, st->proof);
	if (!begins(in, buf_text(&again)))
		return error_set(err, E_FORMAT, "proof is not in its one form");
	*used = again.len;
	return 0;
}

const struct order_proof *statement_proof(const struct statement *st)
{
	return st->proof;
}

/* No more than this can belong to a statement: what is behind it is not looked at. */
static struct bytes window(struct bytes in)
{
	if (in.len > STATEMENT_MAX)
		in.len = STATEMENT_MAX;
	return in;
}

int statement_parse(struct statement **out, struct bytes in, bool unsigned_ok, size_t *used, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = mem_alloc(sizeof(*st));
	size_t text_len = 0, sig_len = 0;
	int r = measure_text(&text_len, window(in), err);

	if (r < 0)
		return r;
	st->text_len = text_len;
	st->values = mem_strndup((const char *)in.ptr, text_len);
	r = parse_text(st, err);
	if (r < 0)
		return r;
	r = st->type == STATEMENT_ORDER ? parse_proof(st, window(bytes_from(in, text_len)), &sig_len, err) :
					  parse_signatures(st, window(bytes_from(in, text_len)), &sig_len, err);
	if (r < 0)
		return r;
	if (!sig_len && !unsigned_ok)
		return error_set(err, E_FORMAT, "statement of type %s has no %s", statement_type_name(st->type),
				 st->type == STATEMENT_ORDER ? "proof" : "signature");
	st->whole_len = text_len + sig_len;
	st->whole = mem_strndup((const char *)in.ptr, st->whole_len);
	sha256(st->hash, bytes_of(st->whole, text_len));
	if (used)
		*used = st->whole_len;
	*out = steal(st);
	return 0;
}

struct statement *statement_free(struct statement *st)
{
	if (!st)
		return NULL;
	free(st->whole);
	free(st->values);
	free(st->lines);
	free(st->sigs);
	free(st->proof);
	free(st);
	return NULL;
}

void statement_freep(struct statement **st)
{
	*st = statement_free(*st);
}

/* ---- reading ---- */

enum statement_type statement_type(const struct statement *st)
{
	return st->type;
}

struct bytes statement_text(const struct statement *st)
{
	return bytes_of(st->whole, st->text_len);
}

struct bytes statement_whole(const struct statement *st)
{
	return bytes_of(st->whole, st->whole_len);
}

const uint8_t *statement_hash(const struct statement *st)
{
	return st->hash;
}

void statement_hash_hex(char out[static 2 * HASH_LEN + 1], const struct statement *st)
{
	hex_encode(out, st->hash, HASH_LEN);
}

size_t statement_count(const struct statement *st, const char *key)
{
	size_t n = 0;

	for (size_t i = 0; i < st->count; i++)
		n += !strcmp(st->lines[i].field->key, key);
	return n;
}

const char *statement_at(const struct statement *st, const char *key, size_t i)
{
	for (size_t at = 0; at < st->count; at++) {
		const char *has = st->lines[at].field->key;

		if (*has == *key && !strcmp(has, key) && !i--)
			return st->lines[at].value;
	}
	return NULL;
}

const char *statement_get(const struct statement *st, const char *key)
{
	return statement_at(st, key, 0);
}

uint64_t statement_number(const struct statement *st, const char *key)
{
	const char *value = statement_get(st, key);
	uint64_t n = 0;

	return value && number_parse(&n, bytes_str(value)) ? n : 0;
}

int64_t statement_time(const struct statement *st, const char *key)
{
	const char *value = statement_get(st, key);
	int64_t t = 0;

	return value && clock_parse(&t, bytes_str(value)) ? t : 0;
}

bool statement_get_hash(uint8_t out[static HASH_LEN], const struct statement *st, const char *key)
{
	const char *value = statement_get(st, key);

	return value && hex_decode(out, HASH_LEN, bytes_str(value));
}

bool statement_get_point(uint64_t *number, uint8_t hash[static HASH_LEN], const struct statement *st, const char *key)
{
	const char *value = statement_get(st, key);
	struct bytes rest, part;

	if (!value)
		return false;
	rest = bytes_str(value);
	return value_cut(&rest, &part) && number_parse(number, part) && hex_decode(hash, HASH_LEN, rest);
}

size_t statement_sig_count(const struct statement *st)
{
	return st->sig_count;
}

const struct sshsig *statement_sig(const struct statement *st, size_t i)
{
	return &st->sigs[i];
}

/* ---- verifying ---- */

static bool is_new(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return false;
	return true;
}

int statement_verify(const struct statement *st, const struct signers *by, unsigned need, struct error *err)
{
	const char *people[STATEMENT_SIGS_MAX];
	size_t count = 0;

	assert(need >= 1);
	for (size_t i = 0; i < st->sig_count; i++) {
		const struct sshsig *sig = &st->sigs[i];
		const char *who;
		char print[52];

		if (sshsig_verify(sig, statement_namespace(st->type), statement_text(st), err) < 0)
			return error_add(err, "signature %zu of a %s", i + 1, statement_type_name(st->type));
		who = by->who(by->ctx, &sig->key, st->type);
		if (!who) {
			sign_pub_fingerprint(print, &sig->key);
			return error_set(err, E_DENIED, "key '%s' may not sign a %s", print, statement_type_name(st->type));
		}
		if (is_new(people, count, who))
			people[count++] = who;
	}
	if (count < need)
		return error_set(err, E_DENIED, "%s is signed by %zu of the %u %s that it takes", statement_type_name(st->type), count,
				 need, plural(need, "person", "people"));
	return 0;
}

static const char *only_this(void *ctx, const struct sign_pub *key, enum statement_type type _unused_)
{
	return sign_pub_equal(ctx, key) ? "it" : NULL;
}

int statement_verify_by(const struct statement *st, const struct sign_pub *key, struct error *err)
{
	struct sign_pub copy = *key;
	struct signers by = { only_this, &copy };

	if (st->sig_count != 1)
		return error_set(err, E_DENIED, "%s has %zu signatures where one is needed", statement_type_name(st->type), st->sig_count);
	return statement_verify(st, &by, 1, err);
}

/* ---- building ---- */

void statement_begin(struct buf *text, enum statement_type type)
{
	buf_addf(text, "%s%s\n", first_line, statement_type_name(type));
}

void statement_add(struct buf *text, const char *key, const char *fmt, ...)
{
	va_list ap;

	buf_addf(text, "%s: ", key);
	va_start(ap, fmt);
	buf_vaddf(text, fmt, ap);
	va_end(ap);
	buf_add_char(text, '\n');
}

void statement_add_time(struct buf *text, const char *key, int64_t time_s)
{
	char value[CLOCK_TEXT_LEN];

	clock_text(value, time_s);
	statement_add(text, key, "%s", value);
}

void statement_add_hash(struct buf *text, const char *key, const uint8_t hash[static HASH_LEN])
{
	char value[2 * HASH_LEN + 1];

	hex_encode(value, hash, HASH_LEN);
	statement_add(text, key, "%s", value);
}

void statement_add_point(struct buf *text, const char *key, uint64_t number, const uint8_t hash[static HASH_LEN])
{
	char value[2 * HASH_LEN + 1];

	hex_encode(value, hash, HASH_LEN);
	statement_add(text, key, "%llu %s", (unsigned long long)number, value);
}

void statement_add_seal(struct buf *text, const char *key, uint64_t number, struct bytes seal)
{
	char value[2 * HASH_LEN + 1];

	sha256_hex(value, seal);
	statement_add(text, key, "%llu %zu %s", (unsigned long long)number, seal.len, value);
}

int statement_check(struct bytes text, struct error *err)
{
	struct statement *st = NULL;
	size_t used = 0;
	int r = statement_parse(&st, text, true, &used, err);

	if (r == 0 && (used != text.len || st->sig_count || st->proof))
		r = error_set(err, E_FORMAT, "statement is signed already");
	statement_free(st);
	return r;
}

int statement_sign(struct buf *text, const struct sign_key *key, struct error *err)
{
	struct statement *st = NULL;
	int r = statement_parse(&st, buf_bytes(text), true, NULL, err);

	if (r == 0 && st->type == STATEMENT_ORDER)
		r = error_set(err, E_DENIED, "an order is not signed: its batch is");
	if (r == 0)
		sshsig_sign(text, key, statement_namespace(st->type), statement_text(st));
	statement_free(st);
	return r;
}

/* ---- seals ---- */

static void parse_seal(struct seal_ref *out, const struct line *line)
{
	struct bytes rest = bytes_str(line->value), number = { 0 }, len = { 0 };
	uint64_t n = 0;

	/* the form was checked when the statement was parsed */
	value_cut(&rest, &number);
	value_cut(&rest, &len);
	out->name = line->field->key;
	number_parse(&out->number, number);
	number_parse(&n, len);
	out->len = (size_t)n;
	hex_decode(out->hash, HASH_LEN, rest);
}

size_t statement_seals(struct seal_ref out[static CONTAINER_SEALS_MAX], const struct statement *st)
{
	size_t n = 0;

	for (size_t i = 0; i < st->count && n < CONTAINER_SEALS_MAX; i++)
		if (st->lines[i].field->kind == SEAL)
			parse_seal(&out[n++], &st->lines[i]);
	return n;
}

bool statement_seal(struct seal_ref *out, const struct statement *st, const char *name)
{
	for (size_t i = 0; i < st->count; i++) {
		if (st->lines[i].field->kind == SEAL && !strcmp(st->lines[i].field->key, name)) {
			parse_seal(out, &st->lines[i]);
			return true;
		}
	}
	return false;
}

/* The number by which a statement's own seals are known: its chain number; types without one have number 1. */
static uint64_t own_number(const struct statement *st)
{
	return statement_get(st, "number") ? statement_number(st, "number") : 1;
}

int container_parse(struct container *out, struct bytes in, enum container_kind kind, size_t *used, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct container c = { 0 };
	size_t at = 0;
	int r = statement_parse(&st, in, false, &at, err);

	if (r < 0)
		return r;
	c.count = statement_seals(c.refs, st);
	for (size_t i = 0; i < c.count; i++) {
		const struct seal_ref *ref = &c.refs[i];
		uint8_t hash[HASH_LEN];

		if (kind == CONTAINER_ATTACHED && ref->number != own_number(st))
			continue;
		if (ref->len > CONTAINER_MAX - at || ref->len > in.len - at)
			return error_set(err, E_FORMAT, "seal '%s' of %zu bytes is cut short or too large", ref->name, ref->len);
		c.seals[i] = bytes_of(in.ptr + at, ref->len);
		sha256(hash, c.seals[i]);
		if (memcmp(hash, ref->hash, HASH_LEN) != 0)
			return error_set(err, E_SEAL, "seal '%s' is not the one that the statement names", ref->name);
		at += ref->len;
	}
	c.st = steal(st);
	*used = at;
	*out = c;
	return 0;
}

void container_borrow_from(struct container *c, const uint8_t *copy, const uint8_t *was)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->seals[i].ptr)
			c->seals[i].ptr = copy + (c->seals[i].ptr - was);
}

void container_done(struct container *c)
{
	c->st = statement_free(c->st);
}

struct bytes container_seal(const struct container *c, const char *name)
{
	for (size_t i = 0; i < c->count; i++)
		if (!strcmp(c->refs[i].name, name))
			return c->seals[i];
	return (struct bytes){ 0 };
}
