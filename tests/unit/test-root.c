/* tests/unit/test-root.c -- the fleet root: what it may say, and what it says of thresholds, roles and keys. */
#include "tests/test.h"
#include "tests/unit/recipe.h"

#include <stdio.h>

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
	CHECK_EQ(SAYS(two_people, "takes 2 people, and 1 has one", r.pins[0] = "purge", r.tokens[0] = (struct owned){ "alice", DAVE }),
		 E_FORMAT);
	CHECK_EQ(SAYS(two_people, "and 1 has one", r.pins[0] = "purge", r.tokens[0] = (struct owned){ "alice", DAVE },
		      r.tokens[1] = (struct owned){ "alice", STRANGER }), E_FORMAT); /* people, not tokens */
	CHECK_EQ(SAYS(two_people, "and 1 has one", r.pins[0] = "purge", r.tokens[0] = (struct owned){ "alice", DAVE },
		      r.tokens[1] = (struct owned){ "carol", STRANGER }), E_FORMAT); /* she does not retire */
	CHECK_EQ(SAYS(two_people, "takes 1 person, and 0 have one", r.pins[0] = "apply"), E_FORMAT);
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
