/* tests/unit/recipe.c -- roots by recipe. */
#include "tests/unit/recipe.h"

#include "tests/test.h"
#include "tests/token.h"

struct sign_key keys[KEYS];

__attribute__((constructor)) static void make_keys(void)
{
	for (uint8_t i = 0; i < KEYS; i++) {
		uint8_t seed[32];

		memset(seed, i + 1, sizeof(seed));
		sign_key_from_seed(&keys[i], seed);
	}
}

__attribute__((destructor)) static void drop_keys(void)
{
	for (size_t i = 0; i < KEYS; i++)
		sign_key_done(&keys[i]);
}

const struct recipe one_person = {
	.version = 1,
	.people = { "alice" },
	.keys = { { "alice", ALICE } },
	.roles = { "root alice", "admin alice", "reader alice" },
	.archive = { ARCHIVE },
	.signers = { ALICE },
};

const struct recipe two_people = {
	.version = 1,
	.people = { "alice", "bob", "carol" },
	.keys = { { "alice", ALICE }, { "alice", ALICE_2 }, { "bob", BOB }, { "carol", CAROL } },
	.roles = { "root alice bob", "admin alice carol", "reader alice", "auditor carol", "deployer bob", "retirer alice bob" },
	.archive = { ARCHIVE },
	.witnesses = { { "tower", WITNESS } },
	.signers = { ALICE, BOB },
};

static void add_key(struct buf *text, const char *line, const char *who, int key)
{
	char pub[SIGN_PUB_TEXT_MAX];

	sign_pub_text(pub, &keys[key - 1].pub);
	statement_add(text, line, "%s%s%s", who, *who ? " " : "", pub);
}

static void add_token(struct buf *text, const char *who, int key)
{
	struct sign_pub token = token_pub(&keys[key - 1]);
	char pub[SIGN_PUB_TEXT_MAX];

	sign_pub_text(pub, &token);
	statement_add(text, "key", "%s %s", who, pub);
}

static void add_reader(struct buf *text, const char *who)
{
	char to[AGE_RECIPIENT_LEN + 1];
	struct age_recipient pub;

	sha256(pub.pub, bytes_str(who));
	age_recipient_text(to, &pub);
	statement_add(text, "reading-key", "%s %s", who, to);
}

static void add_people(struct buf *text, const struct recipe *r)
{
	for (size_t i = 0; r->people[i]; i++)
		statement_add(text, "person", "%s", r->people[i]);
	for (size_t i = 0; r->keys[i].who; i++)
		add_key(text, "key", r->keys[i].who, r->keys[i].key);
	for (size_t i = 0; r->tokens[i].who; i++)
		add_token(text, r->tokens[i].who, r->tokens[i].key);
	for (size_t i = 0; r->readers[0] ? r->readers[i] : r->people[i]; i++)
		add_reader(text, r->readers[0] ? r->readers[i] : r->people[i]);
	for (size_t i = 0; r->roles[i]; i++)
		statement_add(text, "role", "%s", r->roles[i]);
	for (size_t i = 0; r->thresholds[i]; i++)
		statement_add(text, "threshold", "%s", r->thresholds[i]);
	for (size_t i = 0; r->delays[i]; i++)
		statement_add(text, "delay", "%s", r->delays[i]);
	for (size_t i = 0; r->pins[i]; i++)
		statement_add(text, "pin", "%s", r->pins[i]);
}

void write_root(struct buf *text, const struct recipe *r)
{
	statement_begin(text, STATEMENT_ROOT);
	if (r->fleet)
		statement_add(text, "fleet", "%s", r->fleet);
	statement_add(text, "version", "%llu", (unsigned long long)r->version);
	if (r->prev)
		statement_add(text, "prev", "%s", r->prev);
	statement_add(text, "time", "%s", r->time ? r->time : "2026-01-01T00:00:00Z");
	statement_add(text, "expires", "%s", r->expires ? r->expires : "2027-01-01T00:00:00Z");
	statement_add(text, "name", "plant-a");
	add_people(text, r);
	for (size_t i = 0; r->archive[i]; i++)
		add_key(text, "archive", "", r->archive[i]);
	for (size_t i = 0; r->witnesses[i].who; i++)
		add_key(text, "witness", r->witnesses[i].who, r->witnesses[i].key);
	statement_add(text, "tls-pin", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	statement_add(text, "server", "https://localhost:8443");
}

void sign_by(struct buf *whole, enum statement_type type, const int *signers)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	buf_add_bytes(&text, buf_bytes(whole));
	for (; *signers; signers++)
		sshsig_sign(whole, &keys[*signers - 1], statement_namespace(type), buf_bytes(&text));
}

int make_root(struct root **out, const struct recipe *r, struct error *err)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	struct statement *st = NULL;

	write_root(&whole, r);
	sign_by(&whole, STATEMENT_ROOT, r->signers);
	CHECK_EQ(statement_parse(&st, buf_bytes(&whole), !r->signers[0], NULL, err), 0);
	return root_new(out, st, err);
}

struct root *must_make(const struct recipe *r)
{
	struct root *root = NULL;
	struct error err = { 0 };

	CHECK_OK(make_root(&root, r, &err));
	return root;
}
