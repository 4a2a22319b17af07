/* tests/unit/test-statement-values.c -- what a statement was built from comes out of it. */
#include "tests/test.h"
#include "tests/unit/formats.h"

#include "base/clock.h"

#include <stdio.h>

/* ---- round trip over random statements ---- */

static uint32_t random_state;

static uint32_t rnd(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % below;
}

static void rnd_chars(struct buf *out, const char *alphabet, size_t count)
{
	while (count--)
		buf_add_char(out, alphabet[rnd((uint32_t)strlen(alphabet))]);
}

static void rnd_name(struct buf *out)
{
	rnd_chars(out, "abcdefghijklmnopqrstuvwxyz0123456789", 1);
	rnd_chars(out, "abcdefghijklmnopqrstuvwxyz0123456789._-", rnd(63));
}

static void rnd_number(struct buf *out)
{
	uint64_t n = ((uint64_t)rnd(UINT32_MAX) << 32 | rnd(UINT32_MAX)) & ((1ULL << 53) - 1);

	buf_addf(out, "%llu", (unsigned long long)(n >> rnd(54)));
}

static void rnd_time(struct buf *out)
{
	char text[CLOCK_TEXT_LEN];

	/* from 2020 on, 181 years */
	clock_text(text, 1577836800 + (int64_t)(((uint64_t)rnd(UINT32_MAX) << 8) % 5711731200ULL));
	buf_add_str(out, text);
}

static void rnd_key(struct buf *out)
{
	struct sign_pub pub = { .kind = rnd(2) ? SIGN_ED25519 : SIGN_SK_ED25519 };
	char text[SIGN_PUB_TEXT_MAX];

	for (size_t i = 0; i < sizeof(pub.key); i++)
		pub.key[i] = (uint8_t)rnd(256);
	if (pub.kind == SIGN_SK_ED25519)
		snprintf(pub.application, sizeof(pub.application), "ssh:%u", rnd(100));
	sign_pub_text(text, &pub);
	buf_add_str(out, text);
}

static void rnd_recipient(struct buf *out)
{
	struct age_recipient to;
	char text[AGE_RECIPIENT_LEN + 1];

	for (size_t i = 0; i < sizeof(to.pub); i++)
		to.pub[i] = (uint8_t)rnd(256);
	age_recipient_text(text, &to);
	buf_add_str(out, text);
}

static void rnd_text(struct buf *out)
{
	size_t len = 1 + rnd(rnd(4) ? 40 : 900), begin = out->len;

	for (size_t i = 0; i < len; i++)
		buf_add_char(out, (char)(0x20 + rnd(0x5f)));
	for (size_t i = begin; i < out->len; i += len - 1 ? len - 1 : 1) /* no blank at either end */
		if (out->ptr[i] == ' ')
			out->ptr[i] = '.';
}

static void rnd_pin(struct buf *out)
{
	uint8_t raw[32];

	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)rnd(256);
	base64_encode(out, bytes_of(raw, sizeof(raw)));
}

static void rnd_value(struct buf *out, const char *kind)
{
	static const char hex[] = "0123456789abcdef", word[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	if (!strcmp(kind, "id"))
		rnd_chars(out, "abcdefghijklmnopqrstuvwxyz234567", ID_LEN);
	else if (!strcmp(kind, "hash"))
		rnd_chars(out, hex, 64);
	else if (!strcmp(kind, "number"))
		rnd_number(out);
	else if (!strcmp(kind, "time"))
		rnd_time(out);
	else if (!strcmp(kind, "name"))
		rnd_name(out);
	else if (!strcmp(kind, "word"))
		rnd_chars(out, word, 1 + rnd(63));
	else if (!strcmp(kind, "text"))
		rnd_text(out);
	else if (!strcmp(kind, "key"))
		rnd_key(out);
	else if (!strcmp(kind, "recipient"))
		rnd_recipient(out);
	else if (!strcmp(kind, "pin"))
		rnd_pin(out);
	else if (!strcmp(kind, "saved"))
		buf_add_str(out, (const char *const[]){ "yes", "no", "unknown" }[rnd(3)]);
	else
		fail_msg("no random value of kind '%s'", kind);
}

/* Kinds that are made of others. */
static void rnd_line_value(struct buf *out, const char *kind)
{
	static const char *const parts[][4] = { { "label", "name", ":", "name" },
						{ "point", "number", " ", "hash" },
						{ "pair", "number", " ", "number" },
						{ "name-key", "name", " ", "key" },
						{ "name-recipient", "name", " ", "recipient" },
						{ "word-number", "word", " ", "number" },
						{ "word-names", "word", " ", "name" } };

	if (!strcmp(kind, "seal")) {
		rnd_number(out);
		buf_addf(out, " %u ", 1 + rnd(4 << 20));
		rnd_chars(out, "0123456789abcdef", 64);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (strcmp(parts[i][0], kind) != 0)
			continue;
		rnd_value(out, parts[i][1]);
		buf_add_str(out, parts[i][2]);
		rnd_value(out, parts[i][3]);
		for (uint32_t more = !strcmp(kind, "word-names") ? rnd(10) : 0; more; more--) {
			buf_add_char(out, ' ');
			rnd_name(out);
		}
		return;
	}
	rnd_value(out, kind);
}

/* Builds a random statement; rows hold what it was built from. */
static void build_random(struct buf *text, struct rows *rows, enum statement_type type)
{
	statement_begin(text, type);
	for (const struct rule *rule = rules[type]; rule->key; rule++) {
		unsigned times = rule->min + (rule->max > rule->min ? rnd(rule->max - rule->min + 1) : 0);

		if (times > 4 && rnd(8))
			times = 4;
		for (unsigned n = 0; n < times; n++) {
			_cleanup_(buf_done) struct buf value = { 0 };

			rnd_line_value(&value, rule->kind);
			statement_add(text, rule->key, "%s", buf_text(&value));
			rows_put(rows, rows->count, mem_printf("%s: %s", rule->key, buf_text(&value)));
		}
	}
}

/* Every line is found by its key and place, and nothing else is there. */
static void compare(const struct statement *st, const struct rows *rows, enum statement_type type)
{
	size_t total = 0;

	for (size_t i = 0; i < rows->count; i++) {
		_cleanup_(mem_freep) char *key = mem_strndup(rows->line[i], strcspn(rows->line[i], ":"));
		size_t at = 0;

		while (at < i && !strncmp(rows->line[i - at - 1], rows->line[i], strlen(key) + 1))
			at++;
		CHECK_STR(statement_at(st, key, at), rows->line[i] + strlen(key) + 2);
		if (!at)
			CHECK_STR(statement_get(st, key), rows->line[i] + strlen(key) + 2);
	}
	for (const struct rule *rule = rules[type]; rule->key; rule++) {
		total += statement_count(st, rule->key);
		CHECK(!statement_at(st, rule->key, statement_count(st, rule->key)));
	}
	CHECK_EQ(total, rows->count);
}

static void round_trip(enum statement_type type, const struct sign_key *key)
{
	_cleanup_(statement_freep) struct statement *st = NULL, *again = NULL;
	_cleanup_(rows_done) struct rows rows = { 0 };
	_cleanup_(buf_done) struct buf whole = { 0 };
	uint8_t hash[HASH_LEN];
	struct error err = { 0 };
	size_t used = 0, text_len;

	build_random(&whole, &rows, type);
	CHECK_OK(statement_check(buf_bytes(&whole), &err));
	text_len = whole.len;
	sha256(hash, buf_bytes(&whole));
	CHECK_OK(statement_sign(&whole, key, &err));
	CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, &used, &err));
	CHECK_EQ(used, whole.len);
	CHECK_EQ(statement_type(st), type);
	CHECK(bytes_equal(statement_whole(st), buf_bytes(&whole)));
	CHECK(bytes_equal(statement_text(st), bytes_of(whole.ptr, text_len)));
	assert_memory_equal(statement_hash(st), hash, HASH_LEN);
	CHECK_OK(statement_verify_by(st, &key->pub, &err));
	compare(st, &rows, type);
	CHECK_OK(statement_parse(&again, statement_whole(st), false, &used, &err));
	CHECK(bytes_equal(statement_whole(again), statement_whole(st)));
}

TEST(a_random_statement_comes_back_as_it_was_built)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };

	sign_key_new(&key);
	for (uint32_t seed = 1; seed <= 150; seed++) {
		random_state = seed * 2654435761u;
		FOR_SIGNED_TYPES(type)
		round_trip(type, &key);
	}
}

/* ---- fields ---- */

TEST(fields_come_out_as_values)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(rows_done) struct rows rows = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	uint8_t hash[HASH_LEN], want[HASH_LEN];
	struct seal_ref refs[CONTAINER_SEALS_MAX], one;
	struct error err = { 0 };
	uint64_t number;

	example(&rows, STATEMENT_SNAPSHOT, false);
	rows_text(&text, &rows);
	CHECK_OK(statement_parse(&st, buf_bytes(&text), true, NULL, &err));
	CHECK(hex_decode(want, HASH_LEN, bytes_str(HASH_A)));
	CHECK_EQ(statement_number(st, "number"), 42);
	CHECK_EQ(statement_time(st, "time"), 1767323045);
	CHECK(statement_get_hash(hash, st, "prev") && !memcmp(hash, want, HASH_LEN));
	CHECK(statement_get_point(&number, hash, st, "checkpoint") && number == 7 && !memcmp(hash, want, HASH_LEN));
	CHECK(!statement_get(st, "absent") && !statement_number(st, "absent") && !statement_time(st, "absent"));
	CHECK(!statement_get_hash(hash, st, "absent") && !statement_get_point(&number, hash, st, "absent"));
	CHECK_EQ(statement_seals(refs, st), 4);
	CHECK_STR(refs[0].name, "base");
	CHECK_STR(refs[3].name, "secrets");
	CHECK(statement_seal(&one, st, "delta") && one.number == 3 && one.len == 1000 && !memcmp(one.hash, want, HASH_LEN));
	CHECK(!statement_seal(&one, st, "number"));
}
