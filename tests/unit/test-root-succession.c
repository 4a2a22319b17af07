/* tests/unit/test-root-succession.c -- which root begins a fleet, and which one carries it on. */
#include "tests/test.h"
#include "tests/unit/recipe.h"

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
