/* tests/unit/test-root.c -- the fleet root: what it may say, who carries it on, whom it lets sign what. */
#include "tests/test.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/proc.h"
#include "crypto/root.h"
#include "tests/token.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 24, LIST_MAX = 24 };

static struct sign_key keys[KEYS];

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

/* What a root is made of. Numbers are places in keys[], one more than it, so that 0 ends a list. */
struct owned {
	const char *who;
	int key;
};

struct recipe {
	uint64_t version;
	const char *fleet, *prev; /* NULL: none */
	const char *time, *expires;
	const char *people[LIST_MAX];
	struct owned keys[LIST_MAX];
	const char *readers[LIST_MAX]; /* NULL at once: everybody has a reading key */
	const char *roles[LIST_MAX], *thresholds[LIST_MAX], *delays[LIST_MAX], *pins[LIST_MAX];
	struct owned tokens[LIST_MAX]; /* keys that stand in the root as a token's */
	int archive[5];
	struct owned witnesses[5];
	int signers[LIST_MAX];
};

enum { ALICE = 1, ALICE_2, BOB, BOB_2, CAROL, DAVE, ARCHIVE = 11, ARCHIVE_2, WITNESS, STRANGER };

static const struct recipe one_person = {
	.version = 1,
	.people = { "alice" },
	.keys = { { "alice", ALICE } },
	.roles = { "root alice", "admin alice", "reader alice" },
	.archive = { ARCHIVE },
	.signers = { ALICE },
};

static const struct recipe two_people = {
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

static void write_root(struct buf *text, const struct recipe *r)
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

static void sign_by(struct buf *whole, enum statement_type type, const int *signers)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	buf_add_bytes(&text, buf_bytes(whole));
	for (; *signers; signers++)
		sshsig_sign(whole, &keys[*signers - 1], statement_namespace(type), buf_bytes(&text));
}

static int make_root(struct root **out, const struct recipe *r, struct error *err)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	struct statement *st = NULL;

	write_root(&whole, r);
	sign_by(&whole, STATEMENT_ROOT, r->signers);
	CHECK_EQ(statement_parse(&st, buf_bytes(&whole), !r->signers[0], NULL, err), 0);
	return root_new(out, st, err);
}

static struct root *must_make(const struct recipe *r)
{
	struct root *root = NULL;
	struct error err = { 0 };

	CHECK_OK(make_root(&root, r, &err));
	return root;
}

/* ---- what a root may say ---- */

static int say(const struct recipe *r, const char *why)
{
	_cleanup_(root_freep) struct root *root = NULL;
	struct error err = { 0 };
	int code = make_root(&root, r, &err);

	if (code < 0 && !strstr(err.text, why))
		fail_msg("refused because '%s', not because of '%s'", err.text, why);
	return code;
}

/* The base with some parts other than usual, and what the refusal must speak of. */
#define SAYS(base, why, ...) \
	({ \
		struct recipe r = base; \
		__VA_ARGS__; \
		say(&r, why); \
	})

TEST(sound_roots_pass)
{
	CHECK_EQ(SAYS(one_person, ""), 0);
	CHECK_EQ(SAYS(two_people, ""), 0);
	CHECK_EQ(SAYS(two_people, "", r.thresholds[0] = "root 2", r.thresholds[1] = "purge 2", r.thresholds[2] = "admit 1"), 0);
}

TEST(thresholds_are_one_to_the_number_of_people_who_may)
{
	CHECK_EQ(SAYS(one_person, "threshold 0", r.thresholds[0] = "root 0"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "threshold 0", r.thresholds[0] = "firmware 0"), E_FORMAT);
	CHECK_EQ(SAYS(one_person, "only 1 may", r.thresholds[0] = "root 2"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "only 2 may", r.thresholds[0] = "root 3"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "only 2 may", r.thresholds[0] = "admit 3"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "only 1 may", r.thresholds[0] = "firmware 2"), E_FORMAT); /* counted among deployers */
	CHECK_EQ(SAYS(two_people, "16 signatures", r.thresholds[0] = "purge 9007199254740991"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "two thresholds", r.thresholds[0] = "root 1", r.thresholds[1] = "root 2"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "", r.thresholds[0] = "root 1", r.thresholds[1] = "root-x 1"), 0); /* a prefix is another kind */
	CHECK_EQ(SAYS(two_people, "login", r.thresholds[0] = "login 2", r.roles[4] = "deployer alice bob"),
		 E_FORMAT); /* nobody could ever */
}

TEST(what_erases_a_device_waits_as_long_as_the_root_says)
{
	struct recipe r = two_people;
	_cleanup_(root_freep) struct root *root = must_make(&two_people), *other = NULL;

	CHECK_EQ(root_delay(root, "purge"), ROOT_DELAY_DEFAULT_S);
	CHECK_EQ(root_delay(root, "factory-reset"), ROOT_DELAY_DEFAULT_S);
	r.delays[0] = "factory-reset 0";
	r.delays[1] = "purge 604800";
	other = must_make(&r);
	CHECK_EQ(root_delay(other, "factory-reset"), 0);
	CHECK_EQ(root_delay(other, "purge"), 604800);
	CHECK_EQ(root_delay(other, "pur"), ROOT_DELAY_DEFAULT_S);
}

TEST(a_delay_is_bounded_said_once_and_of_a_kind_that_waits)
{
	CHECK_EQ(SAYS(two_people, "at most 604800", r.delays[0] = "purge 604801"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "at most 604800", r.delays[0] = "purge 9007199254740991"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "two delays for 'purge'", r.delays[0] = "purge 1", r.delays[1] = "purge 2"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "two delays", r.delays[0] = "purge 1", r.delays[1] = "factory-reset 1", r.delays[2] = "purge 1"),
		 E_FORMAT);
	CHECK_EQ(SAYS(two_people, "delay for 'apply'", r.delays[0] = "apply 60"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "delay for 'shred'", r.delays[0] = "shred 60"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "delay for 'purge-x'", r.delays[0] = "purge-x 60"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "", r.delays[0] = "purge 60", r.delays[1] = "factory-reset 60"), 0);
}

TEST(a_pin_is_asked_for_only_where_enough_people_have_a_token)
{
	struct recipe with = two_people;
	_cleanup_(root_freep) struct root *root = NULL;

	CHECK_EQ(SAYS(two_people, "takes 2 people, and 0 have one", r.pins[0] = "purge"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "takes 2 people, and 1 have one", r.pins[0] = "purge", r.tokens[0] = (struct owned){ "alice", DAVE }),
		 E_FORMAT);
	CHECK_EQ(SAYS(two_people, "and 1 have one", r.pins[0] = "purge", r.tokens[0] = (struct owned){ "alice", DAVE },
		      r.tokens[1] = (struct owned){ "alice", STRANGER }), E_FORMAT); /* people, not tokens */
	CHECK_EQ(SAYS(two_people, "and 1 have one", r.pins[0] = "purge", r.tokens[0] = (struct owned){ "alice", DAVE },
		      r.tokens[1] = (struct owned){ "carol", STRANGER }), E_FORMAT); /* she does not retire */
	CHECK_EQ(SAYS(two_people, "takes 1 people, and 0 have one", r.pins[0] = "apply"), E_FORMAT);
	with.tokens[0] = (struct owned){ "alice", DAVE };
	with.tokens[1] = (struct owned){ "bob", STRANGER };
	with.pins[0] = "purge";
	root = must_make(&with);
	CHECK(root_asks_pin(root, "purge"));
	CHECK(!root_asks_pin(root, "pur") && !root_asks_pin(root, "purge-x") && !root_asks_pin(root, "factory-reset"));
}

/* A statement has room for 16 signatures. */
TEST(a_threshold_that_no_statement_can_carry_is_refused)
{
	char names[17][4], role[128] = "root";
	struct recipe r = { .version = 1, .archive = { 20 }, .thresholds = { "root 16" } };

	for (int i = 0; i < 17; i++) {
		snprintf(names[i], sizeof(names[i]), "p%d", i);
		r.people[i] = names[i];
		r.keys[i] = (struct owned){ names[i], i + 1 };
		strcat(strcat(role, " "), names[i]);
	}
	r.roles[0] = role;
	CHECK_EQ(say(&r, ""), 0);
	r.thresholds[0] = "root 17";
	CHECK_EQ(say(&r, "16 signatures"), E_FORMAT);
}

TEST(a_key_stands_once_whoever_has_it)
{
	CHECK_EQ(SAYS(two_people, "one key twice", r.keys[3].key = ALICE), E_FORMAT); /* under two names */
	CHECK_EQ(SAYS(two_people, "one key twice", r.keys[1].key = ALICE), E_FORMAT); /* twice under one */
	CHECK_EQ(SAYS(two_people, "one key twice", r.archive[0] = BOB), E_FORMAT);    /* the server would be bob */
	CHECK_EQ(SAYS(two_people, "one key twice", r.archive[1] = ARCHIVE), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "one key twice", r.witnesses[0].key = ARCHIVE), E_FORMAT); /* the server would vouch for itself */
	CHECK_EQ(SAYS(two_people, "one key twice", r.witnesses[0].key = BOB), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "one key twice", r.witnesses[1] = (struct owned){ "mast", WITNESS }), E_FORMAT);
}

/* The same bytes in a file and in a token are one key. */
TEST(a_key_in_two_guises_stands_once)
{
	_cleanup_(buf_done) struct buf text = { 0 }, changed = { 0 };
	struct sign_pub token = { .kind = SIGN_SK_ED25519, .application = "ssh:" };
	char alice_2[SIGN_PUB_TEXT_MAX], guise[SIGN_PUB_TEXT_MAX];
	struct statement *st = NULL;
	struct root *root = NULL;
	struct error err = { 0 };
	const char *at;

	write_root(&text, &two_people);
	memcpy(token.key, keys[ALICE - 1].pub.key, sizeof(token.key));
	sign_pub_text(alice_2, &keys[ALICE_2 - 1].pub);
	sign_pub_text(guise, &token);
	at = strstr(buf_text(&text), alice_2);
	buf_addf(&changed, "%.*s%s%s", (int)(at - buf_text(&text)), buf_text(&text), guise, at + strlen(alice_2));
	CHECK_OK(statement_parse(&st, buf_bytes(&changed), true, NULL, &err));
	CHECK_EQ(root_new(&root, st, &err), E_FORMAT);
	CHECK(strstr(err.text, "one key twice"));
}

TEST(people_and_roles_name_people_of_the_root)
{
	CHECK_EQ(SAYS(two_people, "'alice' twice", r.people[1] = "alice", r.people[2] = "bob", r.people[3] = "carol"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "no person of it", r.keys[3].who = "dave"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "no person of it", r.readers[0] = "alice", r.readers[1] = "dave"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "no person of it", r.roles[1] = "admin alice dave"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "to 'alice' twice", r.roles[1] = "admin alice alice"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "unknown role", r.roles[1] = "owner alice"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "role 'root' twice", r.roles[1] = "root alice"), E_FORMAT);
	CHECK_EQ(SAYS(two_people, "nobody in role 'root'", r.roles[0] = "admin alice", r.roles[1] = "reader alice", r.roles[2] = NULL),
		 E_FORMAT);
	CHECK_EQ(SAYS(two_people, "no person of it", r.roles[1] = "admin ali"), E_FORMAT); /* a part of a name is none */
	CHECK_EQ(SAYS(two_people, "no person of it", r.roles[1] = "admin alicex"), E_FORMAT);
}

/* Counted for a threshold, they could lock the fleet out of its own succession. */
TEST(who_is_to_sign_has_a_key)
{
	static const char *const signing[] = { "root alice dave", "admin alice dave", "deployer alice dave", "retirer alice dave" };

	for (size_t i = 0; i < ARRAY_SIZE(signing); i++)
		CHECK_EQ(SAYS(one_person, "'dave', who has no key", r.people[1] = "dave", r.roles[0] = i ? "root alice" : signing[0],
			      r.roles[1] = i ? signing[i] : NULL, r.roles[2] = NULL),
			 E_FORMAT);
	CHECK_EQ(SAYS(one_person, "", r.people[1] = "dave", r.roles[2] = "reader alice dave"), 0); /* reading takes a reading key */
}

TEST(versions_and_times_make_sense)
{
	static const char id[] = "abcdefghijklmnopqrstuvwxyz", hash[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

	CHECK_EQ(SAYS(one_person, "version 0", r.version = 0), E_FORMAT);
	CHECK_EQ(SAYS(one_person, "must not name", r.fleet = id), E_FORMAT);
	CHECK_EQ(SAYS(one_person, "must not name", r.prev = hash), E_FORMAT);
	CHECK_EQ(SAYS(one_person, "must name", r.version = 2), E_FORMAT);
	CHECK_EQ(SAYS(one_person, "must name", r.version = 2, r.fleet = id), E_FORMAT);
	CHECK_EQ(SAYS(one_person, "must name", r.version = 2, r.prev = hash), E_FORMAT);
	CHECK_EQ(SAYS(one_person, "", r.version = 2, r.prev = hash, r.fleet = id), 0);
	CHECK_EQ(SAYS(one_person, "expires", r.expires = "2025-12-31T23:59:59Z"), E_FORMAT);
	CHECK_EQ(SAYS(one_person, "expires", r.expires = "2026-01-01T00:00:00Z"), E_FORMAT);
	CHECK_EQ(SAYS(one_person, "", r.expires = "2026-01-01T00:00:01Z"), 0);
}

TEST(only_a_root_is_a_root)
{
	struct statement *st = NULL;
	struct root *root = NULL;
	struct error err = { 0 };

	CHECK_OK(statement_parse(
		&st,
		bytes_str("holdfast-statement/1 checkpoint\nfleet: abcdefghijklmnopqrstuvwxyz\nsize: 1\ntree: "
			  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\nroot: 1\ntime: 2026-01-01T00:00:00Z\n"),
		true, NULL, &err));
	CHECK_EQ(root_new(&root, st, &err), E_FORMAT);
	CHECK(!root);
}

/* ---- thresholds and roles ---- */

TEST(thresholds_that_are_not_said_have_their_default)
{
	_cleanup_(root_freep) struct root *one = must_make(&one_person), *two = must_make(&two_people);

	CHECK_EQ(root_threshold(one, "root"), 1);
	CHECK_EQ(root_threshold(two, "root"), 2);
	CHECK_EQ(root_threshold(one, "purge"), 2);
	CHECK_EQ(root_threshold(one, "factory-reset"), 2);
	CHECK_EQ(root_threshold(two, "invite"), 1);
	CHECK_EQ(root_threshold(two, "anything"), 1);
}

TEST(thresholds_that_are_said_count)
{
	struct recipe r = two_people;
	_cleanup_(root_freep) struct root *root = NULL;

	r.thresholds[0] = "root 1";
	r.thresholds[1] = "admit 2";
	r.thresholds[2] = "purge 1";
	root = must_make(&r);
	CHECK_EQ(root_threshold(root, "root"), 1);
	CHECK_EQ(root_threshold(root, "roo"), 1);
	CHECK_EQ(root_threshold(root, "admit"), 2);
	CHECK_EQ(root_threshold(root, "invite"), 1);
	CHECK_EQ(root_threshold(root, "purge"), 1);
	CHECK_EQ(root_threshold(root, "factory-reset"), 2);
}

TEST(roles_are_those_of_the_lines)
{
	_cleanup_(root_freep) struct root *root = must_make(&two_people);
	static const struct {
		const char *who;
		bool has[ROLES];
	} want[] = {
		{ "alice", { [ROLE_ROOT] = true, [ROLE_ADMIN] = true, [ROLE_READER] = true, [ROLE_RETIRER] = true } },
		{ "bob", { [ROLE_ROOT] = true, [ROLE_DEPLOYER] = true, [ROLE_RETIRER] = true } },
		{ "carol", { [ROLE_ADMIN] = true, [ROLE_AUDITOR] = true } },
		{ "dave", { false } },
	};
	enum role back;

	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		for (enum role role = 0; role < (enum role)ROLES; role++)
			CHECK_EQ(root_has_role(root, want[i].who, role), want[i].has[role]);
	for (enum role role = 0; role < (enum role)ROLES; role++)
		CHECK(role_parse(&back, role_name(role)) && back == role);
	CHECK(!role_parse(&back, "owner"));
	CHECK_EQ(root_people(root), 3);
	CHECK_STR(root_person(root, 2), "carol");
	CHECK(!root_person(root, 3));
}

TEST(keys_lead_to_their_people)
{
	_cleanup_(root_freep) struct root *root = must_make(&two_people);
	struct sign_pub token = keys[ALICE - 1].pub, pub;
	const char *person;
	size_t n = 0;

	CHECK_STR(root_person_of(root, &keys[ALICE - 1].pub), "alice");
	CHECK_STR(root_person_of(root, &keys[ALICE_2 - 1].pub), "alice");
	CHECK_STR(root_person_of(root, &keys[CAROL - 1].pub), "carol");
	CHECK(!root_person_of(root, &keys[STRANGER - 1].pub));
	CHECK(!root_person_of(root, &keys[ARCHIVE - 1].pub));
	token.kind = SIGN_SK_ED25519;
	memcpy(token.application, "ssh:", 5);
	CHECK(!root_person_of(root, &token)); /* her bytes, in a guise that the root does not name */
	while (root_key(root, n, &person, &pub)) {
		CHECK_STR(person, two_people.keys[n].who);
		CHECK(sign_pub_equal(&pub, &keys[two_people.keys[n].key - 1].pub));
		n++;
	}
	CHECK_EQ(n, 4);
}

TEST(reading_keys_are_those_of_the_roles_asked_for)
{
	_cleanup_(root_freep) struct root *root = must_make(&two_people);
	struct age_recipient to[AGE_RECIPIENTS_MAX];
	const char *names[AGE_RECIPIENTS_MAX];
	uint8_t want[32], pins[4][32];
	struct sign_pub archive[4];

	CHECK_EQ(root_recipients(to, names, root, ROLE_READER, ROLE_READER), 1);
	CHECK_STR(names[0], "alice");
	sha256(want, bytes_str("alice"));
	assert_memory_equal(to[0].pub, want, 32);
	CHECK_EQ(root_recipients(to, names, root, ROLE_READER, ROLE_AUDITOR), 2);
	CHECK_STR(names[1], "carol");
	CHECK_EQ(root_recipients(to, NULL, root, ROLE_DEPLOYER, ROLE_ROOT), 2);
	CHECK_EQ(root_archive_keys(archive, 4, root), 1);
	CHECK(sign_pub_equal(&archive[0], &keys[ARCHIVE - 1].pub));
	CHECK_EQ(root_archive_keys(archive, 0, root), 0);
	CHECK_EQ(root_tls_pins(pins, 4, root), 1);
}

/* ---- the first root ---- */

static int accept_first(const struct recipe *base, const int *signers, const char *fleet, struct error *err)
{
	struct recipe r = *base;
	_cleanup_(root_freep) struct root *root = NULL;

	memset(r.signers, 0, sizeof(r.signers));
	for (size_t i = 0; signers[i]; i++)
		r.signers[i] = signers[i];
	root = must_make(&r);
	return root_accept_first(root, fleet, err);
}

#define FIRST(base, ...) \
	({ \
		struct error err_ = { 0 }; \
		accept_first(&base, (const int[]){ __VA_ARGS__, 0 }, NULL, &err_); \
	})

TEST(the_first_root_carries_its_own_threshold)
{
	CHECK_EQ(FIRST(one_person, ALICE), 0);
	CHECK_EQ(FIRST(one_person, STRANGER), E_DENIED);
	CHECK_EQ(FIRST(one_person, ALICE, STRANGER), E_DENIED);
	CHECK_EQ(FIRST(two_people, ALICE, BOB), 0);
	CHECK_EQ(FIRST(two_people, ALICE_2, BOB), 0);
	CHECK_EQ(FIRST(two_people, ALICE), E_DENIED);
	CHECK_EQ(FIRST(two_people, ALICE, ALICE), E_DENIED);
	CHECK_EQ(FIRST(two_people, ALICE, ALICE_2), E_DENIED); /* two keys of one person are one person */
	CHECK_EQ(FIRST(two_people, ALICE, CAROL), E_DENIED);   /* of the root, without the role */
	CHECK_EQ(FIRST(two_people, ALICE, BOB, CAROL), E_DENIED);
	CHECK_EQ(FIRST(two_people, ALICE, ARCHIVE), E_DENIED);
}

TEST(the_first_root_makes_the_fleets_id)
{
	_cleanup_(root_freep) struct root *root = must_make(&one_person), *other = must_make(&two_people);
	struct recipe r = one_person;
	_cleanup_(root_freep) struct root *second = NULL;
	char id[ID_LEN + 1];
	struct error err = { 0 };

	id_of_hash(id, statement_hash(root_statement(root)));
	CHECK_STR(root_fleet(root), id);
	CHECK_OK(root_accept_first(root, id, &err));
	CHECK_EQ(root_accept_first(root, root_fleet(other), &err), E_DENIED);
	r.version = 2;
	r.fleet = id;
	r.prev = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	second = must_make(&r);
	CHECK_EQ(root_accept_first(second, NULL, &err), E_DENIED);
}

TEST(a_changed_first_root_is_refused)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	_cleanup_(root_freep) struct root *root = NULL;
	struct statement *st = NULL;
	struct error err = { 0 };
	char *at;

	write_root(&whole, &one_person);
	sign_by(&whole, STATEMENT_ROOT, one_person.signers);
	at = strstr((char *)whole.ptr, "plant-a");
	at[6] = 'b';
	CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, NULL, &err));
	CHECK_OK(root_new(&root, st, &err));
	CHECK_EQ(root_accept_first(root, NULL, &err), E_SEAL);
}

/* ---- succession ---- */

/* The recipe as the successor of root: version, fleet and prev filled in unless they are set already. */
static struct root *successor(const struct root *root, const struct recipe *base, const int *signers)
{
	struct recipe r = *base;
	char hash[2 * HASH_LEN + 1];

	statement_hash_hex(hash, root_statement(root));
	r.fleet = r.fleet ? r.fleet : root_fleet(root);
	r.prev = r.prev ? r.prev : hash;
	r.version = r.version > 1 ? r.version : root_version(root) + 1;
	memset(r.signers, 0, sizeof(r.signers));
	for (size_t i = 0; signers[i]; i++)
		r.signers[i] = signers[i];
	return must_make(&r);
}

static int succeed(const struct recipe *first, const struct recipe *next, const int *signers, struct error *err)
{
	_cleanup_(root_freep) struct root *a = must_make(first), *b = successor(a, next, signers);

	return root_succeeds(a, b, err);
}

#define SUCCEED(first, next, ...) \
	({ \
		struct error err_ = { 0 }; \
		succeed(&first, &next, (const int[]){ __VA_ARGS__, 0 }, &err_); \
	})

TEST(a_root_carries_the_threshold_of_both)
{
	struct recipe by_bob = one_person;

	by_bob.people[0] = "bob";
	by_bob.keys[0] = (struct owned){ "bob", BOB };
	by_bob.roles[0] = "root bob";
	by_bob.roles[1] = "reader bob";
	by_bob.roles[2] = NULL;
	CHECK_EQ(SUCCEED(one_person, one_person, ALICE), 0);
	CHECK_EQ(SUCCEED(one_person, by_bob, ALICE, BOB), 0);
	CHECK_EQ(SUCCEED(one_person, by_bob, BOB, ALICE), 0);
	CHECK_EQ(SUCCEED(one_person, by_bob, BOB), E_DENIED);   /* by the new people only */
	CHECK_EQ(SUCCEED(one_person, by_bob, ALICE), E_DENIED); /* by the old people only */
	CHECK_EQ(SUCCEED(one_person, by_bob, ALICE, BOB, STRANGER), E_DENIED);
	CHECK_EQ(SUCCEED(one_person, two_people, ALICE, BOB), 0);
	CHECK_EQ(SUCCEED(one_person, two_people, ALICE), E_DENIED);
	CHECK_EQ(SUCCEED(two_people, one_person, ALICE, BOB), 0);
	CHECK_EQ(SUCCEED(two_people, one_person, ALICE), E_DENIED); /* one cannot throw the other out */
	CHECK_EQ(SUCCEED(two_people, two_people, ALICE, ALICE_2), E_DENIED);
	CHECK_EQ(SUCCEED(two_people, two_people, ALICE, ALICE), E_DENIED);
	CHECK_EQ(SUCCEED(two_people, two_people, ALICE, BOB, CAROL), E_DENIED); /* carol has another role */
	CHECK_EQ(SUCCEED(two_people, two_people, BOB, ALICE_2, ALICE), 0);
}

/* Signatures of the other side must not be counted on this one. */
TEST(people_of_one_root_do_not_count_for_the_other)
{
	struct recipe others = two_people;

	others.people[0] = "dave";
	others.people[1] = "erin";
	others.people[2] = NULL;
	others.keys[0] = (struct owned){ "dave", DAVE };
	others.keys[1] = (struct owned){ "erin", DAVE + 1 };
	others.keys[2] = (struct owned){ NULL, 0 };
	others.roles[0] = "root dave erin";
	others.roles[1] = NULL;
	CHECK_EQ(SUCCEED(two_people, others, ALICE, BOB, DAVE, DAVE + 1), 0);
	CHECK_EQ(SUCCEED(two_people, others, ALICE, BOB, DAVE), E_DENIED);
	CHECK_EQ(SUCCEED(two_people, others, ALICE, DAVE, DAVE + 1), E_DENIED);
	CHECK_EQ(SUCCEED(two_people, others, ALICE, DAVE), E_DENIED);
	CHECK_EQ(SUCCEED(two_people, others, DAVE, DAVE + 1), E_DENIED);
	CHECK_EQ(SUCCEED(two_people, others, ALICE, BOB), E_DENIED);
}

/* Alice lost her key: bob and her new key carry the new root, her old key need not. Whoever found it gains nothing. */
TEST(a_lost_key_is_replaced_by_the_others)
{
	struct recipe before = two_people, after = two_people;

	before.roles[0] = "root alice bob carol";
	before.keys[1].key = 0;
	before.keys[1] = (struct owned){ "bob", BOB };
	before.keys[2] = (struct owned){ "carol", CAROL };
	before.keys[3] = (struct owned){ NULL, 0 };
	after.roles[0] = "root alice bob carol";
	after.keys[0].key = 9;
	after.keys[1] = (struct owned){ "bob", BOB };
	after.keys[2] = (struct owned){ "carol", CAROL };
	after.keys[3] = (struct owned){ NULL, 0 };
	CHECK_EQ(SUCCEED(before, after, BOB, CAROL), 0);
	CHECK_EQ(SUCCEED(before, after, BOB, 9), E_DENIED); /* her new key says nothing for the old root */
	CHECK_EQ(SUCCEED(before, after, BOB, 9, ALICE), 0);
	CHECK_EQ(SUCCEED(before, after, ALICE, BOB), E_DENIED); /* nor her old one for the new root */
	CHECK_EQ(SUCCEED(after, after, ALICE, BOB), E_DENIED);  /* from then on it is nobody's */
	CHECK_EQ(SUCCEED(after, after, BOB, CAROL, ALICE), E_DENIED);
}

TEST(versions_follow_one_by_one_in_one_fleet)
{
	static const int alice[] = { ALICE, 0 };
	_cleanup_(root_freep) struct root *first = must_make(&one_person), *second = successor(first, &one_person, alice),
					  *third = successor(second, &one_person, alice);
	struct recipe other = one_person;
	_cleanup_(root_freep) struct root *other_first = NULL, *other_second = NULL, *wrong_prev = NULL, *skipping = NULL,
					  *wrong_fleet = NULL;
	struct error err = { 0 };

	CHECK_OK(root_succeeds(first, second, &err));
	CHECK_OK(root_succeeds(second, third, &err));
	CHECK_EQ(root_succeeds(first, third, &err), E_DENIED);   /* skipped */
	CHECK_EQ(root_succeeds(third, second, &err), E_DENIED);  /* rolled back */
	CHECK_EQ(root_succeeds(second, second, &err), E_DENIED); /* the same again */
	CHECK_EQ(root_succeeds(second, first, &err), E_DENIED);

	other.time = "2026-01-01T00:00:01Z"; /* signed by the same people */
	other_first = must_make(&other);
	other_second = successor(other_first, &other, alice);
	CHECK_OK(root_succeeds(other_first, other_second, &err));
	CHECK_EQ(root_succeeds(first, other_second, &err), E_DENIED);

	other.prev = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	wrong_prev = successor(first, &other, alice);
	CHECK_EQ(root_succeeds(first, wrong_prev, &err), E_DENIED);
	CHECK(strstr(err.text, "does not name the one before"));
	other.prev = NULL;
	other.version = 3; /* it names version 1 as the one before it */
	skipping = successor(first, &other, alice);
	CHECK_EQ(root_succeeds(first, skipping, &err), E_DENIED);
	CHECK(strstr(err.text, "cannot follow"));
	other.version = 1;
	other.fleet = root_fleet(other_first);
	wrong_fleet = successor(first, &other, alice);
	CHECK_EQ(root_succeeds(first, wrong_fleet, &err), E_DENIED);
	CHECK(strstr(err.text, "another fleet"));
}

/* Another second root under the same first one: whoever has taken one of them refuses what follows the other. */
TEST(a_forked_succession_does_not_join_again)
{
	static const int alice[] = { ALICE, 0 };
	struct recipe later = one_person;
	_cleanup_(root_freep) struct root *first = must_make(&one_person), *a = NULL, *b = NULL, *after_b = NULL;
	struct error err = { 0 };

	later.time = "2026-02-01T00:00:00Z";
	a = successor(first, &one_person, alice);
	b = successor(first, &later, alice);
	after_b = successor(b, &later, alice);
	CHECK_OK(root_succeeds(first, a, &err));
	CHECK_OK(root_succeeds(first, b, &err));
	CHECK_OK(root_succeeds(b, after_b, &err));
	CHECK_EQ(root_succeeds(a, after_b, &err), E_DENIED);
}

TEST(five_roots_rotate_every_key)
{
	_cleanup_(root_freep) struct root *first = NULL, *at = NULL;
	struct recipe r = one_person;
	struct error err = { 0 };

	first = must_make(&r);
	at = must_make(&r);
	for (int key = 2; key <= 5; key++) {
		const int both[] = { key - 1, key, 0 }, old[] = { key - 1, 0 }, new[] = { key, 0 };
		_cleanup_(root_freep) struct root *next = NULL, *by_old = NULL, *by_new = NULL;

		r.keys[0].key = key;
		r.archive[0] = ARCHIVE + key;
		next = successor(at, &r, both);
		by_old = successor(at, &r, old);
		by_new = successor(at, &r, new);
		CHECK_OK(root_succeeds(at, next, &err));
		CHECK_EQ(root_succeeds(at, by_old, &err), E_DENIED);
		CHECK_EQ(root_succeeds(at, by_new, &err), E_DENIED);
		if (key > 2)
			CHECK_EQ(root_succeeds(first, next, &err), E_DENIED);
		CHECK_STR(root_fleet(next), root_fleet(first));
		root_free(at);
		at = steal(next);
	}
	CHECK_EQ(root_version(at), 5);
	CHECK(!root_person_of(at, &keys[ALICE - 1].pub)); /* the first key is worth nothing any more */
}

/* What is revoked is revoked by the next root, not by a date: a fleet that was asleep for years can wake up. */
TEST(an_expired_root_still_hands_over)
{
	static const int alice[] = { ALICE, 0 };
	struct recipe r = one_person;
	_cleanup_(root_freep) struct root *first = NULL, *second = NULL;
	struct error err = { 0 };

	r.time = "2020-01-01T00:00:00Z";
	r.expires = "2020-01-02T00:00:00Z";
	first = must_make(&r);
	second = successor(first, &one_person, alice);
	CHECK_OK(root_accept_first(first, NULL, &err));
	CHECK_OK(root_succeeds(first, second, &err));
}

/* ---- what a root lets people sign ---- */

#define SOME_HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const char *shredded_by = "archive";

static void write_statement(struct buf *text, enum statement_type type, const char *fleet)
{
	static const char seal[] = "1 1000 " SOME_HASH, to[] = "age1s73k9tlmr5kg98lcccfpf89f9sjd45gal77ry8l5kh7xl8u2cagq4c7ukj";
	char pub[SIGN_PUB_TEXT_MAX];
	const struct {
		const char *key, *value;
	} lines[STATEMENT_TYPES][14] = {
		[STATEMENT_INVITE] = { { "invite", "abcdefghijklmnopqrstuvwxyz" },
				       { "device-name", "r1" },
				       { "time", "2026-01-01T00:00:00Z" },
				       { "expires", "2026-01-02T00:00:00Z" },
				       { "root", "1" },
				       { "secret", seal } },
		[STATEMENT_ENROL] = { { "device", "abcdefghijklmnopqrstuvwxyz" },
				      { "number", "1" },
				      { "invite", "abcdefghijklmnopqrstuvwxyz" },
				      { "key", pub },
				      { "box", to },
				      { "driver", "frr" },
				      { "time", "2026-01-01T00:00:00Z" },
				      { "mac", SOME_HASH } },
		[STATEMENT_ADMIT] = { { "device", "abcdefghijklmnopqrstuvwxyz" },
				      { "enrol", SOME_HASH },
				      { "device-name", "r1" },
				      { "time", "2026-01-01T00:00:00Z" },
				      { "root", "1" } },
		[STATEMENT_EPOCH] = { { "device", "abcdefghijklmnopqrstuvwxyz" },
				      { "number", "2" },
				      { "prev", SOME_HASH },
				      { "time", "2026-01-01T00:00:00Z" },
				      { "epoch", "1" },
				      { "root", "1" },
				      { "body", to },
				      { "secrets", to },
				      { "body-key", seal },
				      { "secrets-key", seal } },
		[STATEMENT_SNAPSHOT] = { { "device", "abcdefghijklmnopqrstuvwxyz" },
					 { "number", "3" },
					 { "prev", SOME_HASH },
					 { "time", "2026-01-01T00:00:00Z" },
					 { "epoch", "1" },
					 { "root", "1" },
					 { "reason", "change" },
					 { "saved", "no" },
					 { "mode", "observe" },
					 { "changed", "1 1" },
					 { "base", seal } },
		[STATEMENT_STATUS] = { { "device", "abcdefghijklmnopqrstuvwxyz" },
				       { "time", "2026-01-01T00:00:00Z" },
				       { "head", "1 " SOME_HASH },
				       { "root", "1" },
				       { "saved", "no" },
				       { "mode", "observe" },
				       { "wait", "1" } },
		[STATEMENT_CHECKPOINT] = { { "size", "1" }, { "tree", SOME_HASH }, { "root", "1" }, { "time", "2026-01-01T00:00:00Z" } },
		[STATEMENT_LOGIN] = { { "person", "alice" },
				      { "server", "https://localhost:8443" },
				      { "challenge", SOME_HASH },
				      { "time", "2026-01-01T00:00:00Z" } },
		[STATEMENT_SHREDDED] = { { "device", "abcdefghijklmnopqrstuvwxyz" },
					 { "by", shredded_by },
					 { "time", "2026-01-01T00:00:00Z" },
					 { "root", "1" },
					 { "batch", SOME_HASH },
					 { "leaf", SOME_HASH } },
		[STATEMENT_CERTIFICATE] = { { "device", "abcdefghijklmnopqrstuvwxyz" },
					    { "device-name", "r1" },
					    { "state", "lost" },
					    { "standard", "a standard" },
					    { "category", "none" },
					    { "evidence", "nothing" },
					    { "shred", SOME_HASH },
					    { "shredded", SOME_HASH },
					    { "log", "1 " SOME_HASH },
					    { "performed", "alice" },
					    { "limit", "all that was not seen" },
					    { "time", "2026-01-01T00:00:00Z" },
					    { "root", "1" } },
		[STATEMENT_JUDGEMENT] = { { "advisory", "CVE-2026-0001" },
					  { "document", SOME_HASH },
					  { "verdict", "not-affected" },
					  { "person", "carol" },
					  { "time", "2026-01-01T00:00:00Z" },
					  { "root", "1" },
					  { "reason", "it is not in use" } },
		[STATEMENT_WAIVER] = { { "policy", "weos" },
				       { "rule", "http" },
				       { "person", "carol" },
				       { "time", "2026-01-01T00:00:00Z" },
				       { "until", "2026-02-01T00:00:00Z" },
				       { "root", "1" },
				       { "reason", "the old panel needs it" } },
		[STATEMENT_FIRMWARE] = { { "driver", "weos" },
					 { "part", "system" },
					 { "version", "5.24.0" },
					 { "size", "1000" },
					 { "image", SOME_HASH },
					 { "person", "bob" },
					 { "time", "2026-01-01T00:00:00Z" },
					 { "root", "1" } },
	};

	sign_pub_text(pub, &keys[STRANGER - 1].pub);
	statement_begin(text, type);
	statement_add(text, "fleet", "%s", fleet);
	for (size_t i = 0; lines[type][i].key; i++)
		statement_add(text, lines[type][i].key, "%s", lines[type][i].value);
}

static int judge(const struct root *root, enum statement_type type, const char *fleet, const int *signers)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(buf_done) struct buf whole = { 0 };
	struct error err = { 0 };

	write_statement(&whole, type, fleet ? fleet : root_fleet(root));
	sign_by(&whole, type, signers);
	CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, NULL, &err));
	return root_verify(root, st, &err);
}

#define JUDGE(root, type, ...) judge(root, type, NULL, (const int[]){ __VA_ARGS__, 0 })

TEST(operators_sign_what_their_roles_allow)
{
	_cleanup_(root_freep) struct root *root = must_make(&two_people);

	CHECK_EQ(JUDGE(root, STATEMENT_INVITE, ALICE), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_INVITE, CAROL), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_INVITE, BOB), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_INVITE, STRANGER), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_INVITE, ARCHIVE), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_ADMIT, ALICE), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_ADMIT, BOB), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_ADMIT, ALICE, BOB), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_LOGIN, BOB), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_LOGIN, CAROL), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_LOGIN, STRANGER), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_LOGIN, ARCHIVE), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_JUDGEMENT, CAROL), 0); /* admin */
	CHECK_EQ(JUDGE(root, STATEMENT_JUDGEMENT, BOB), E_DENIED); /* deployer, but it says that it is by carol */
	CHECK_EQ(JUDGE(root, STATEMENT_WAIVER, CAROL), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_WAIVER, ALICE), E_DENIED); /* admin, but it says that it is by carol */
	CHECK_EQ(JUDGE(root, STATEMENT_WAIVER, BOB), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_FIRMWARE, BOB), 0); /* deployer */
	CHECK_EQ(JUDGE(root, STATEMENT_FIRMWARE, CAROL), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_JUDGEMENT, ARCHIVE), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_JUDGEMENT, STRANGER), E_DENIED);
}

TEST(an_order_takes_as_many_people_as_the_root_says)
{
	struct recipe r = two_people;
	_cleanup_(root_freep) struct root *root = NULL;

	r.thresholds[0] = "admit 2";
	root = must_make(&r);
	CHECK_EQ(JUDGE(root, STATEMENT_ADMIT, ALICE), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_ADMIT, ALICE, ALICE_2), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_ADMIT, ALICE, CAROL), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_INVITE, CAROL), 0);
}

TEST(no_operator_signs_for_a_device)
{
	static const enum statement_type types[] = { STATEMENT_ENROL, STATEMENT_EPOCH, STATEMENT_SNAPSHOT, STATEMENT_STATUS };
	_cleanup_(root_freep) struct root *root = must_make(&two_people);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		for (int key = 1; key <= STRANGER; key++)
			CHECK_EQ(JUDGE(root, types[i], key), E_DENIED);
}

TEST(statements_of_another_fleet_are_refused)
{
	_cleanup_(root_freep) struct root *root = must_make(&two_people), *other = must_make(&one_person);
	static const int alice[] = { ALICE, 0 }, archive[] = { ARCHIVE, 0 };

	CHECK_EQ(judge(root, STATEMENT_ADMIT, root_fleet(other), alice), E_DENIED);
	CHECK_EQ(judge(other, STATEMENT_ADMIT, root_fleet(root), alice), E_DENIED);
	CHECK_EQ(judge(root, STATEMENT_CHECKPOINT, root_fleet(other), archive), E_DENIED);
}

TEST(a_checkpoint_is_the_archives_and_its_witnesses)
{
	struct recipe r = two_people;
	_cleanup_(root_freep) struct root *root = NULL;

	r.archive[1] = ARCHIVE_2;
	root = must_make(&r);
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, ARCHIVE), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, ARCHIVE_2), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, ARCHIVE, WITNESS), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, WITNESS), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, WITNESS, ARCHIVE), E_DENIED); /* the archive signs first */
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, ALICE), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, STRANGER), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, ARCHIVE, STRANGER), E_DENIED); /* a vouching that nobody asked for */
	CHECK_EQ(JUDGE(root, STATEMENT_CHECKPOINT, ARCHIVE, ALICE), E_DENIED);
}

TEST(a_checkpoint_with_a_broken_cosignature_is_refused)
{
	_cleanup_(root_freep) struct root *root = must_make(&two_people);
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(buf_done) struct buf whole = { 0 };
	static const int archive[] = { ARCHIVE, 0 };
	struct error err = { 0 };

	write_statement(&whole, STATEMENT_CHECKPOINT, root_fleet(root));
	sign_by(&whole, STATEMENT_CHECKPOINT, archive);
	sshsig_sign(&whole, &keys[WITNESS - 1], "checkpoint@holdfast", bytes_str("another log"));
	CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, NULL, &err));
	CHECK_EQ(root_verify(root, st, &err), E_SEAL);
}

static int judge_shredded(const struct root *root, const char *by, int key)
{
	int r;

	shredded_by = by;
	r = JUDGE(root, STATEMENT_SHREDDED, key);
	shredded_by = "archive";
	return r;
}

TEST(what_is_shredded_is_said_by_whoever_kept_it_and_by_nobody_else)
{
	_cleanup_(root_freep) struct root *root = must_make(&two_people);

	CHECK_EQ(judge_shredded(root, "archive", ARCHIVE), 0);
	CHECK_EQ(judge_shredded(root, "alice", ALICE), 0);
	CHECK_EQ(judge_shredded(root, "carol", CAROL), 0);
	CHECK_EQ(judge_shredded(root, "alice", BOB), E_DENIED);
	CHECK_EQ(judge_shredded(root, "alice", ARCHIVE), E_DENIED); /* the server does not speak for people */
	CHECK_EQ(judge_shredded(root, "archive", ALICE), E_DENIED);
	CHECK_EQ(judge_shredded(root, "archive", WITNESS), E_DENIED);
	CHECK_EQ(judge_shredded(root, "tower", WITNESS), E_DENIED);
	CHECK_EQ(judge_shredded(root, "dave", STRANGER), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_SHREDDED, ARCHIVE, ALICE), E_DENIED); /* one statement, one who says it */
}

TEST(a_person_called_archive_does_not_speak_for_the_archive)
{
	struct recipe r = one_person;
	_cleanup_(root_freep) struct root *root = NULL;

	r.people[1] = "archive";
	r.keys[1] = (struct owned){ "archive", BOB };
	r.readers[0] = "alice";
	root = must_make(&r);
	CHECK_EQ(judge_shredded(root, "archive", BOB), E_DENIED);
	CHECK_EQ(judge_shredded(root, "archive", ARCHIVE), 0);
}

TEST(a_certificate_takes_as_many_people_as_shred_and_the_archive_is_none_of_them)
{
	struct recipe r = two_people;
	_cleanup_(root_freep) struct root *root = must_make(&two_people), *three = NULL, *lax = NULL;

	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ALICE, BOB), 0);
	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ALICE, BOB, ARCHIVE), 0);
	CHECK(JUDGE(root, STATEMENT_CERTIFICATE, ARCHIVE, BOB, ALICE) == 0);
	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ALICE), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ALICE, ALICE_2), E_DENIED); /* one person, two keys */
	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ALICE, ARCHIVE), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ARCHIVE), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ALICE, CAROL), E_DENIED); /* she does not retire */
	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ALICE, BOB, WITNESS), E_DENIED);
	CHECK_EQ(JUDGE(root, STATEMENT_CERTIFICATE, ALICE, BOB, STRANGER), E_DENIED);
	r.archive[1] = ARCHIVE_2;
	r.roles[5] = "retirer alice bob carol";
	r.thresholds[0] = "shred 3";
	three = must_make(&r);
	CHECK_EQ(JUDGE(three, STATEMENT_CERTIFICATE, ALICE, BOB, ARCHIVE, ARCHIVE_2), E_DENIED);
	CHECK_EQ(JUDGE(three, STATEMENT_CERTIFICATE, ALICE, BOB, CAROL, ARCHIVE, ARCHIVE_2), 0);
	r.thresholds[0] = "shred 1";
	lax = must_make(&r);
	CHECK_EQ(JUDGE(lax, STATEMENT_CERTIFICATE, ARCHIVE), E_DENIED); /* somebody must */
	CHECK_EQ(JUDGE(lax, STATEMENT_CERTIFICATE, ARCHIVE, CAROL), 0);
}

TEST(who_archived_a_certificate_is_told_from_its_people)
{
	_cleanup_(root_freep) struct root *root = must_make(&two_people);

	for (int with = 0; with < 2; with++) {
		_cleanup_(statement_freep) struct statement *st = NULL;
		_cleanup_(buf_done) struct buf whole = { 0 };
		struct error err = { 0 };
		const int signers[] = { ALICE, BOB, with ? ARCHIVE : 0, 0 };

		write_statement(&whole, STATEMENT_CERTIFICATE, root_fleet(root));
		sign_by(&whole, STATEMENT_CERTIFICATE, signers);
		CHECK_OK(statement_parse(&st, buf_bytes(&whole), false, NULL, &err));
		CHECK_EQ(root_is_archived(root, st), with);
	}
}

/* ---- allowed_signers, judged by ssh-keygen ---- */

struct stock {
	char *allowed, *sig;
};

static void stock_init(struct stock *s, struct bytes allowed)
{
	const char *dir = test_folder();
	struct error err = { 0 };

	s->allowed = mem_printf("%s/allowed_signers", dir);
	s->sig = mem_printf("%s/sig", dir);
	CHECK_OK(fs_write(s->allowed, allowed, 0600, &err));
}

static void stock_done(struct stock *s)
{
	free(s->allowed);
	free(s->sig);
}

static void stock_signature(const struct stock *s, int key, const char *space)
{
	_cleanup_(buf_done) struct buf sig = { 0 };
	struct error err = { 0 };

	sshsig_sign(&sig, &keys[key - 1], space, bytes_str("text"));
	CHECK_OK(fs_write(s->sig, buf_bytes(&sig), 0600, &err));
}

static bool stock_verifies(const struct stock *s, const char *principal, int key, const char *space)
{
	const char *const argv[] = { "ssh-keygen", "-Y", "verify", "-f", s->allowed, "-I", principal, "-n", space, "-s", s->sig, NULL };
	struct proc_result run = { 0 };
	struct error err = { 0 };
	int status;

	stock_signature(s, key, space);
	CHECK_OK(proc_run(&run, argv, bytes_str("text"), 10000, 4096, &err));
	status = run.status;
	proc_result_done(&run);
	return status == 0;
}

/* Whose key is it, does ssh-keygen say? */
static void stock_finds(const struct stock *s, int key, const char *want)
{
	const char *const argv[] = { "ssh-keygen", "-Y", "find-principals", "-f", s->allowed, "-s", s->sig, NULL };
	struct proc_result run = { 0 };
	struct error err = { 0 };

	stock_signature(s, key, "login@holdfast");
	CHECK_OK(proc_run(&run, argv, (struct bytes){ 0 }, 10000, 4096, &err));
	if (want) {
		CHECK_EQ(run.status, 0);
		CHECK_BYTES(buf_bytes(&run.out), want);
	} else {
		CHECK(run.status != 0);
	}
	proc_result_done(&run);
}

TEST(ssh_keygen_reads_the_exported_signers_as_we_do)
{
	static const enum statement_type types[] = { STATEMENT_ROOT,  STATEMENT_INVITE,     STATEMENT_ADMIT,
						     STATEMENT_LOGIN, STATEMENT_CHECKPOINT, STATEMENT_SNAPSHOT };
	static const struct owned who[] = { { "alice", ALICE }, { "alice", ALICE_2 },   { "bob", BOB },
					    { "carol", CAROL }, { "archive", ARCHIVE }, { "alice", STRANGER } };
	_cleanup_(root_freep) struct root *root = must_make(&two_people);
	_cleanup_(buf_done) struct buf allowed = { 0 };
	_cleanup_(stock_done) struct stock s;
	struct signers by = root_signers(root);

	root_allowed_signers(&allowed, root);
	stock_init(&s, buf_bytes(&allowed));
	for (size_t i = 0; i < ARRAY_SIZE(who); i++) {
		for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
			const char *ours = by.who(by.ctx, &keys[who[i].key - 1].pub, types[t]);
			bool may = who[i].key == ARCHIVE ? types[t] == STATEMENT_CHECKPOINT : ours && !strcmp(ours, who[i].who);

			if (stock_verifies(&s, who[i].who, who[i].key, statement_namespace(types[t])) != may)
				fail_msg("ssh-keygen and we do not agree whether %s may sign a %s", who[i].who,
					 statement_type_name(types[t]));
		}
	}
	CHECK(stock_verifies(&s, "archive", ARCHIVE, "git"));
	CHECK(!stock_verifies(&s, "alice", ALICE, "git"));
	CHECK(!stock_verifies(&s, "alice", ALICE, "file"));
	CHECK(!stock_verifies(&s, "bob", ALICE, "login@holdfast"));
	stock_finds(&s, ALICE_2, "alice\n");
	stock_finds(&s, CAROL, "carol\n");
	stock_finds(&s, ARCHIVE, "archive\n");
	stock_finds(&s, STRANGER, NULL);
}

TEST(ssh_keygen_reads_a_devices_line)
{
	_cleanup_(buf_done) struct buf allowed = { 0 };
	_cleanup_(stock_done) struct stock s;
	char id[ID_LEN + 1];

	sign_pub_id(id, &keys[0].pub);
	allowed_signers_device(&allowed, id, &keys[0].pub);
	stock_init(&s, buf_bytes(&allowed));
	CHECK(stock_verifies(&s, id, 1, "snapshot@holdfast"));
	CHECK(stock_verifies(&s, id, 1, "enrol@holdfast"));
	CHECK(stock_verifies(&s, id, 1, "epoch@holdfast"));
	CHECK(!stock_verifies(&s, id, 1, "admit@holdfast"));
	CHECK(!stock_verifies(&s, id, 1, "root@holdfast"));
	CHECK(!stock_verifies(&s, id, 2, "snapshot@holdfast"));
}
