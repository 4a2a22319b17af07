/* tests/unit/test-container.c -- a statement with its seals: all that its kind says, byte by byte. */
#include "tests/test.h"
#include "tests/unit/formats.h"

enum { SEALS = 3 };

static const char *const seal_texts[SEALS] = { "the base", "d", "the secrets of this device" };

/* A snapshot number 5 with base, delta and secrets; numbers[i] says which statement brought seal i. */
static void make_container(struct buf *out, const uint64_t numbers[static SEALS], bool carry_all)
{
	static const char *const names[SEALS] = { "base", "delta", "secrets" };
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	struct error err = { 0 };

	sign_key_new(&key);
	statement_begin(out, STATEMENT_SNAPSHOT);
	for (const struct rule *rule = rules[STATEMENT_SNAPSHOT]; rule->key; rule++)
		if (rule->min && strcmp(rule->kind, "seal") != 0)
			statement_add(out, rule->key, "%s", !strcmp(rule->key, "number") ? "5" : form_of(rule->kind)->good[0]);
	for (size_t i = 0; i < SEALS; i++)
		statement_add_seal(out, names[i], numbers[i], bytes_str(seal_texts[i]));
	CHECK_OK(statement_sign(out, &key, &err));
	for (size_t i = 0; i < SEALS; i++)
		if (carry_all || numbers[i] == 5)
			buf_add_str(out, seal_texts[i]);
}

static int parse_container(const struct buf *in, enum container_kind kind, size_t *used, unsigned *carried)
{
	struct container c = { 0 };
	struct error err = { 0 };
	int r = container_parse(&c, buf_bytes(in), kind, used, &err);

	if (r < 0) {
		CHECK(!c.st);
		return r;
	}
	*carried = 0;
	CHECK_EQ(c.count, SEALS);
	for (size_t i = 0; i < c.count; i++) {
		CHECK(bytes_equal(container_seal(&c, c.refs[i].name), c.seals[i]));
		if (c.seals[i].ptr) {
			CHECK_BYTES(c.seals[i], seal_texts[i]);
			*carried |= 1u << i;
		}
	}
	CHECK(!container_seal(&c, "startup").ptr);
	container_done(&c);
	return 0;
}

TEST(a_container_carries_what_its_kind_says)
{
	static const uint64_t all[SEALS] = { 5, 5, 5 }, some[SEALS] = { 2, 5, 2 };
	_cleanup_(buf_done) struct buf whole = { 0 }, attached = { 0 }, full = { 0 };
	unsigned carried;
	size_t used;

	make_container(&whole, all, false);
	make_container(&attached, some, false);
	make_container(&full, some, true);
	CHECK_EQ(parse_container(&whole, CONTAINER_ATTACHED, &used, &carried), 0);
	CHECK(used == whole.len && carried == 7);
	CHECK_EQ(parse_container(&whole, CONTAINER_FULL, &used, &carried), 0);
	CHECK(used == whole.len && carried == 7);
	CHECK_EQ(parse_container(&attached, CONTAINER_ATTACHED, &used, &carried), 0);
	CHECK(used == attached.len && carried == 2);
	CHECK_EQ(parse_container(&attached, CONTAINER_FULL, &used, &carried), E_FORMAT); /* one byte is no base */
	CHECK_EQ(parse_container(&full, CONTAINER_FULL, &used, &carried), 0);
	CHECK(used == full.len && carried == 7);
	CHECK_EQ(parse_container(&full, CONTAINER_ATTACHED, &used, &carried), E_SEAL);
	buf_add_str(&whole, "more");
	CHECK_EQ(parse_container(&whole, CONTAINER_ATTACHED, &used, &carried), 0);
	CHECK_EQ(used, whole.len - 4);
}

TEST(no_byte_of_a_seal_may_change_or_be_missing)
{
	static const uint64_t all[SEALS] = { 5, 5, 5 };
	_cleanup_(buf_done) struct buf whole = { 0 };
	size_t seals_len = 0, used;
	unsigned carried;

	for (size_t i = 0; i < SEALS; i++)
		seals_len += strlen(seal_texts[i]);
	make_container(&whole, all, false);
	for (size_t at = whole.len - seals_len; at < whole.len; at++) {
		struct buf cut = whole;

		whole.ptr[at] ^= 1;
		CHECK_EQ(parse_container(&whole, CONTAINER_ATTACHED, &used, &carried), E_SEAL);
		whole.ptr[at] ^= 1;
		cut.len = at;
		CHECK_EQ(parse_container(&cut, CONTAINER_ATTACHED, &used, &carried), E_FORMAT);
	}
}

/* A length is believed only as far as bytes are there. */
TEST(a_seal_that_is_announced_too_long_is_refused)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	struct error err = { 0 };
	struct container c = { 0 };
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	size_t used;

	sign_key_new(&key);
	statement_begin(&whole, STATEMENT_INVITE);
	for (const struct rule *rule = rules[STATEMENT_INVITE]; rule->key; rule++)
		if (rule->min)
			statement_add(&whole, rule->key, "%s",
				      !strcmp(rule->kind, "seal") ? "1 4194304 " HASH_A : form_of(rule->kind)->good[0]);
	CHECK_OK(statement_sign(&whole, &key, &err));
	buf_add_str(&whole, "short");
	CHECK_EQ(container_parse(&c, buf_bytes(&whole), CONTAINER_ATTACHED, &used, &err), E_FORMAT);
	CHECK(strstr(err.text, "cut short"));
}
