/* tests/unit/test-cli-root.c -- the next root: what is drafted, what no draft may be, what is shown of it, who stands behind it; cards and
 * requests. */
#include "tests/test.h"

#include "base/fs.h"
#include "cli/cli.h"
#include "cli/draft.h"
#include "cli/people.h"
#include "cli/root-diff.h"
#include "tests/fleet.h"
#include "tests/token.h"

#include <stdio.h>
#include <stdlib.h>

enum { NOW_S = 1790000000, YEAR_S = 365 * 86400 };

/* Alice's fleet, and bob and carol who want to be in it. */
struct plant {
	struct fleet fleet;
	struct root *root;
	struct sign_key bob, carol;
	struct request bobs, carols;
};

static struct root *root_from(struct bytes whole)
{
	struct error err = { 0 };
	struct statement *st;
	struct root *root;
	size_t used = 0;

	CHECK_OK(statement_parse(&st, whole, true, &used, &err));
	CHECK_OK(root_new(&root, st, &err));
	return root;
}

static void ask_in(struct request *out, const struct plant *p, const char *name, const struct sign_key *key)
{
	_cleanup_(age_identity_done) struct age_identity reader = { 0 };

	age_identity_new(&reader);
	*out = (struct request){ .key = key->pub, .reader = reader.pub };
	strcpy(out->fleet, p->fleet.id);
	strcpy(out->person, name);
}

static void plant_init(struct plant *p)
{
	*p = (struct plant){ 0 };
	fleet_init(&p->fleet);
	p->root = root_from(buf_bytes(&p->fleet.root));
	sign_key_new(&p->bob);
	sign_key_new(&p->carol);
	ask_in(&p->bobs, p, "bob", &p->bob);
	ask_in(&p->carols, p, "carol", &p->carol);
}

static void plant_done(struct plant *p)
{
	root_free(p->root);
	sign_key_done(&p->bob);
	sign_key_done(&p->carol);
	fleet_done(&p->fleet);
}

static void grant(struct draft *d, const char *name, const char *role)
{
	struct error err = { 0 };

	CHECK_OK(draft_grant(d, name, role, &err));
}

static struct draft *with_bob_and_carol(const struct plant *p)
{
	struct draft *d = draft_new(p->root);
	struct error err = { 0 };

	CHECK_OK(draft_add_person(d, &p->bobs, &err));
	CHECK_OK(draft_add_person(d, &p->carols, &err));
	grant(d, "bob", "root");
	grant(d, "bob", "reader");
	grant(d, "carol", "root");
	grant(d, "carol", "auditor");
	return d;
}

static struct root *drafted(const struct draft *d)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	CHECK_OK(draft_text(&text, d, NOW_S, NOW_S + YEAR_S, &err));
	return root_from(buf_bytes(&text));
}

/* The draft is refused, and the reason holds these words. */
static void check_refused(const struct draft *d, int code, const char *words)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	CHECK_EQ(draft_text(&text, d, NOW_S, NOW_S + YEAR_S, &err), code);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not say '%s'", err.text, words);
	CHECK_EQ(text.len, 0);
}

static bool has_line(char *const lines[], size_t count, const char *words)
{
	for (size_t i = 0; i < count; i++)
		if (strstr(lines[i], words))
			return true;
	return false;
}

/* ---- drafts ---- */

TEST(a_draft_is_the_root_in_force_but_for_what_was_changed)
{
	_cleanup_(plant_done) struct plant p;
	_cleanup_(draft_freep) struct draft *d = NULL;
	_cleanup_(root_freep) struct root *next = NULL;
	struct sign_pub key;
	const char *who;

	plant_init(&p);
	d = with_bob_and_carol(&p);
	next = drafted(d);
	CHECK_EQ(root_version(next), 2);
	CHECK_STR(root_fleet(next), p.fleet.id);
	CHECK_EQ(root_people(next), 3);
	CHECK(root_key(next, 1, &who, &key) && !strcmp(who, "bob") && sign_pub_equal(&key, &p.bob.pub));
	CHECK(root_has_role(next, "alice", ROLE_ADMIN) && root_has_role(next, "carol", ROLE_AUDITOR) &&
	      !root_has_role(next, "carol", ROLE_READER));
	CHECK_EQ(root_threshold(next, "root"), 2);
	for (const char *const *key_of = (const char *const[]){ "archive", "tls-pin", "server", "name", NULL }; *key_of; key_of++)
		CHECK_STR(statement_get(root_statement(next), *key_of), statement_get(root_statement(p.root), *key_of));
}

TEST(a_person_who_leaves_leaves_nothing_behind)
{
	_cleanup_(plant_done) struct plant p;
	_cleanup_(draft_freep) struct draft *d = NULL;
	_cleanup_(root_freep) struct root *next = NULL;
	struct error err = { 0 };

	plant_init(&p);
	d = with_bob_and_carol(&p);
	CHECK_OK(draft_remove_person(d, "bob", &err));
	next = drafted(d);
	CHECK_EQ(root_people(next), 2);
	CHECK(!memmem(statement_text(root_statement(next)).ptr, statement_text(root_statement(next)).len, "bob", 3));
	CHECK(!root_person_of(next, &p.bob.pub));
	CHECK_EQ(draft_remove_person(d, "bob", &err), CLI_USAGE);
}

TEST(names_that_are_alike_or_like_a_role_are_told_apart)
{
	_cleanup_(plant_done) struct plant p;
	_cleanup_(draft_freep) struct draft *d = NULL;
	_cleanup_(root_freep) struct root *next = NULL;
	struct error err = { 0 };

	plant_init(&p);
	strcpy(p.bobs.person, "root");
	strcpy(p.carols.person, "root-2");
	d = draft_new(p.root);
	CHECK_OK(draft_add_person(d, &p.carols, &err));
	grant(d, "root-2", "root");
	CHECK_OK(draft_add_person(d, &p.bobs, &err));
	grant(d, "root", "root");
	CHECK_EQ(draft_grant(d, "root", "root", &err), CLI_CONFLICT);
	CHECK_OK(draft_revoke(d, "root", "root", &err));
	CHECK_EQ(draft_revoke(d, "root", "root", &err), CLI_USAGE);
	next = drafted(d);
	CHECK(root_has_role(next, "root-2", ROLE_ROOT) && root_has_role(next, "alice", ROLE_ROOT) &&
	      !root_has_role(next, "root", ROLE_ROOT));
}

TEST(what_no_root_may_say_is_no_draft)
{
	_cleanup_(plant_done) struct plant p;
	static const struct {
		const char *kind, *count, *words;
	} thresholds[] = {
		{ "root", "0", "threshold 0" },
		{ "root", "4", "asks 4 people for 'root', but only 3 may" },
		{ "apply", "2", "asks 2 people for 'apply', but only 1 may" },
		{ "root", "17", "a statement carries 16 signatures" },
		{ "login", "2", "which is one person's" },
	};
	struct error err = { 0 };

	plant_init(&p);
	for (size_t i = 0; i < ARRAY_SIZE(thresholds); i++) {
		_cleanup_(draft_freep) struct draft *d = with_bob_and_carol(&p);

		CHECK_OK(draft_threshold(d, thresholds[i].kind, thresholds[i].count, &err));
		check_refused(d, E_FORMAT, thresholds[i].words);
	}
}

TEST(one_key_does_not_stand_twice_in_a_draft)
{
	_cleanup_(plant_done) struct plant p;
	_cleanup_(draft_freep) struct draft *d = NULL;
	char reader[AGE_RECIPIENT_LEN + 1];
	struct error err = { 0 };

	plant_init(&p);
	d = with_bob_and_carol(&p);
	age_recipient_text(reader, &p.bobs.reader);
	CHECK_EQ(draft_add_reading_key(d, "carol", reader, &err), E_FORMAT);
	CHECK_OK(draft_add_key(d, "carol", &p.bob.pub, &err));
	check_refused(d, E_FORMAT, "one key twice (for 'bob' and 'carol')");
}

TEST(nobody_is_locked_out_by_a_draft)
{
	_cleanup_(plant_done) struct plant p;
	char print[52];
	struct error err = { 0 };

	plant_init(&p);
	for (int i = 0; i < 3; i++) {
		_cleanup_(draft_freep) struct draft *d = draft_new(p.root);

		sign_pub_fingerprint(print, &p.fleet.operator.pub);
		CHECK_OK(i == 0 ? draft_revoke(d, "alice", "root", &err) :
			 i == 1 ? draft_revoke(d, "alice", "reader", &err) :
				  draft_add_person(d, &p.bobs, &err));
		if (i == 2) {
			grant(d, "bob", "reader");
			CHECK_OK(draft_remove_key(d, "alice", print, &err));
		}
		check_refused(d, E_FORMAT,
			      i == 0 ? "nobody in role 'root'" :
			      i == 1 ? "nobody of role reader would have a reading key" :
				       "a role that signs to 'alice', who has no key");
	}
}

TEST(what_cannot_be_meant_is_refused_at_once)
{
	_cleanup_(plant_done) struct plant p;
	_cleanup_(draft_freep) struct draft *d = NULL;
	struct error err = { 0 };

	plant_init(&p);
	d = draft_new(p.root);
	CHECK_EQ(draft_grant(d, "mallory", "reader", &err), CLI_USAGE);
	CHECK_EQ(draft_grant(d, "alice", "emperor", &err), CLI_USAGE);
	CHECK_EQ(draft_grant(d, "alice", "root", &err), CLI_CONFLICT);
	CHECK_EQ(draft_revoke(d, "bob", "auditor", &err), CLI_USAGE);
	CHECK_EQ(draft_remove_key(d, "alice", "SHA256:none", &err), CLI_USAGE);
	CHECK_EQ(draft_add_key(d, "mallory", &p.bob.pub, &err), CLI_USAGE);
	CHECK_EQ(draft_add_reading_key(d, "alice", "age1none", &err), CLI_USAGE);
	CHECK_EQ(draft_remove_reading_key(d, "alice", "age1none", &err), CLI_USAGE);
	CHECK_EQ(draft_threshold(d, "root", "two", &err), CLI_USAGE);
	CHECK_EQ(draft_separate(d, "apply", false, &err), CLI_CONFLICT);
	strcpy(p.bobs.fleet, "aaaaaaaaaaaaaaaaaaaaaaaaaa");
	CHECK_EQ(draft_add_person(d, &p.bobs, &err), E_DENIED);
	strcpy(p.carols.person, "alice");
	CHECK_EQ(draft_add_person(d, &p.carols, &err), CLI_CONFLICT);
}

TEST(a_root_is_not_made_anew_for_nothing_nor_dated_back)
{
	_cleanup_(plant_done) struct plant p;
	_cleanup_(draft_freep) struct draft *d = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(root_freep) struct root *next = NULL;
	struct error err = { 0 };
	int64_t began_s, ends_s;

	plant_init(&p);
	began_s = statement_time(root_statement(p.root), "time");
	ends_s = statement_time(root_statement(p.root), "expires");
	d = draft_new(p.root);
	CHECK_EQ(draft_text(&text, d, began_s, ends_s, &err), CLI_CONFLICT);
	CHECK_OK(draft_text(&text, d, began_s - 86400, ends_s + 1, &err));
	next = root_from(buf_bytes(&text));
	CHECK_EQ(statement_time(root_statement(next), "time"), began_s);
}

TEST(a_list_that_is_given_replaces_the_one_in_force)
{
	_cleanup_(plant_done) struct plant p;
	_cleanup_(draft_freep) struct draft *d = NULL;
	_cleanup_(root_freep) struct root *next = NULL;

	plant_init(&p);
	d = draft_new(p.root);
	draft_list(d, "server", "one.example:7443");
	draft_list(d, "server", "two.example:7443");
	next = drafted(d);
	CHECK_EQ(statement_count(root_statement(next), "server"), 2);
	CHECK_STR(statement_at(root_statement(next), "server", 0), "one.example:7443");
	draft_list(d, "server", "no line\nof its own");
	check_refused(d, E_FORMAT, "");
}

/* ---- what is shown ---- */

TEST(every_line_that_differs_is_told)
{
	_cleanup_(plant_done) struct plant p;
	_cleanup_(draft_freep) struct draft *d = NULL;
	_cleanup_(root_freep) struct root *next = NULL;
	_cleanup_(root_diff_done) struct root_diff forth = { 0 }, back = { 0 };
	static const char *const told[] = { "bob joins; roles: root, reader",
					    "carol joins; roles: root, auditor",
					    "alice loses role retirer",
					    "bob gets signing key SHA256:",
					    "carol gets reading key age1",
					    "root takes 3 of 3 people, and took 1 of 1",
					    "archive key ssh-ed25519",
					    "witness tower ssh-ed25519",
					    "server new.example:1 is added",
					    "TLS pin BAAA",
					    "the author of apply is not counted any more",
					    "it expires 20" };
	static const char *const untold[] = { "bob leaves; roles were: root, reader", "alice gets role retirer", "bob loses signing key",
					      "carol loses reading key", "root takes 1 of 1 person, and took 3 of 3",
					      "server new.example:1 is dropped", "the author of apply is counted from now on" };
	char text[SIGN_PUB_TEXT_MAX];
	_cleanup_(mem_freep) char *tower = NULL;
	struct error err = { 0 };

	plant_init(&p);
	d = with_bob_and_carol(&p);
	CHECK_OK(draft_revoke(d, "alice", "retirer", &err));
	CHECK_OK(draft_threshold(d, "root", "3", &err));
	CHECK_OK(draft_separate(d, "apply", true, &err));
	sign_pub_text(text, &(struct sign_pub){ .kind = SIGN_ED25519, .key = { 7 } });
	draft_list(d, "archive", text);
	sign_pub_text(text, &(struct sign_pub){ .kind = SIGN_ED25519, .key = { 8 } });
	tower = mem_printf("tower %s", text);
	draft_list(d, "witness", tower);
	draft_list(d, "tls-pin", "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	draft_list(d, "server", "new.example:1");
	next = drafted(d);
	root_diff_of(&forth, p.root, next);
	root_diff_of(&back, next, p.root);
	for (size_t i = 0; i < ARRAY_SIZE(told); i++)
		if (!has_line(forth.lines, forth.count, told[i]))
			fail_msg("'%s' is not told", told[i]);
	for (size_t i = 0; i < ARRAY_SIZE(untold); i++)
		if (!has_line(back.lines, back.count, untold[i]))
			fail_msg("'%s' is not told", untold[i]);
	CHECK(has_line(forth.notes, forth.note_count, "bob can read what devices record from now on"));
	CHECK(has_line(forth.notes, forth.note_count, "nobody has role retirer any more"));
	CHECK(has_line(forth.notes, forth.note_count, "takes all 3 of its people"));
	CHECK(has_line(back.notes, back.note_count, "carol could read what was recorded so far"));
}

TEST(delays_and_pins_are_drafted_told_and_taken_back)
{
	_cleanup_(plant_done) struct plant p;
	_cleanup_(draft_freep) struct draft *d = NULL, *back = NULL;
	_cleanup_(root_freep) struct root *next = NULL, *last = NULL;
	_cleanup_(root_diff_done) struct root_diff forth = { 0 }, again = { 0 };
	struct sign_pub token;
	struct error err = { 0 };

	plant_init(&p);
	token = token_pub(&p.bob);
	d = draft_new(p.root);
	CHECK_OK(draft_add_key(d, "alice", &token, &err));
	CHECK_OK(draft_threshold(d, "shred", "1", &err));
	CHECK_OK(draft_delay(d, "purge", "3600", &err));
	CHECK_OK(draft_delay(d, "purge", "7200", &err)); /* in place of the one before */
	CHECK_OK(draft_pin(d, "shred", true, &err));
	CHECK_EQ(draft_pin(d, "shred", true, &err), CLI_CONFLICT);
	CHECK_EQ(draft_pin(d, "purge", false, &err), CLI_CONFLICT);
	CHECK_EQ(draft_delay(d, "purge", "1h", &err), CLI_USAGE);
	next = drafted(d);
	CHECK(root_delay(next, "purge") == 7200 && root_delay(next, "factory-reset") == ROOT_DELAY_DEFAULT_S);
	CHECK(root_asks_pin(next, "shred") && !root_asks_pin(next, "purge"));
	root_diff_of(&forth, p.root, next);
	CHECK(has_line(forth.lines, forth.count, "one person can stop a purge for 7200 s, and could for 600"));
	CHECK(has_line(forth.lines, forth.count, "for shred only tokens that ask for a PIN count from now on"));
	CHECK(!has_line(forth.lines, forth.count, "stop a factory-reset"));
	back = draft_new(next);
	CHECK_OK(draft_delay(back, "purge", "default", &err));
	CHECK_OK(draft_pin(back, "shred", false, &err));
	last = drafted(back);
	CHECK(root_delay(last, "purge") == ROOT_DELAY_DEFAULT_S && !root_asks_pin(last, "shred"));
	root_diff_of(&again, next, last);
	CHECK(has_line(again.lines, again.count, "one person can stop a purge for 600 s, and could for 7200"));
	CHECK(has_line(again.lines, again.count, "for shred tokens without a PIN, and files, count again"));
}

TEST(the_level_of_metadata_is_drafted_told_kept_and_taken_back)
{
	_cleanup_(plant_done) struct plant p;
	_cleanup_(draft_freep) struct draft *d = NULL, *back = NULL;
	_cleanup_(root_freep) struct root *next = NULL, *kept = NULL, *last = NULL;
	_cleanup_(root_diff_done) struct root_diff forth = { 0 }, again = { 0 };
	struct error err = { 0 };

	plant_init(&p);
	d = draft_new(p.root);
	CHECK_EQ(draft_metadata(d, "everything", &err), CLI_USAGE);
	CHECK_OK(draft_metadata(d, "minimal", &err));
	CHECK_OK(draft_metadata(d, "sections", &err)); /* in place of the one before */
	next = drafted(d);
	CHECK_EQ(root_metadata(next), METADATA_SECTIONS);
	root_diff_of(&forth, p.root, next);
	CHECK(has_line(forth.lines, forth.count, "devices say in the clear of what policies found: for each context"));
	back = draft_new(next);
	CHECK_OK(draft_threshold(back, "apply", "1", &err)); /* another change keeps it */
	kept = drafted(back);
	CHECK_EQ(root_metadata(kept), METADATA_SECTIONS);
	CHECK_OK(draft_metadata(back, "default", &err));
	last = drafted(back);
	CHECK(root_metadata(last) == METADATA_COUNTS && !statement_get(root_statement(last), "metadata"));
	root_diff_of(&again, next, last);
	CHECK(has_line(again.lines, again.count, "devices say in the clear of what policies found: how many rules pass and fail"));
}

TEST(a_delay_or_pin_that_no_root_may_have_is_no_draft)
{
	_cleanup_(plant_done) struct plant p;
	struct error err = { 0 };

	plant_init(&p);
	for (int i = 0; i < 3; i++) {
		_cleanup_(draft_freep) struct draft *d = with_bob_and_carol(&p);

		CHECK_OK(i == 0 ? draft_delay(d, "apply", "60", &err) :
			 i == 1 ? draft_delay(d, "purge", "604801", &err) :
				  draft_pin(d, "apply", true, &err));
		check_refused(d, E_FORMAT,
			      i == 0 ? "a delay for 'apply'" :
			      i == 1 ? "a delay of 604801 s" :
				       "takes 1 person, and 0 have one");
	}
}

TEST(a_kind_that_nobody_can_order_any_more_is_told)
{
	_cleanup_(plant_done) struct plant p;
	_cleanup_(draft_freep) struct draft *d = NULL;
	struct error err = { 0 };

	plant_init(&p);
	d = with_bob_and_carol(&p);
	CHECK_OK(draft_separate(d, "apply", true, &err));
	for (unsigned deployers = 1; deployers <= 2; deployers++) {
		_cleanup_(root_freep) struct root *next = NULL;
		_cleanup_(root_diff_done) struct root_diff told = { 0 };

		if (deployers == 2)
			grant(d, "bob", "deployer");
		next = drafted(d);
		root_diff_of(&told, p.root, next);
		CHECK_EQ(has_line(told.notes, told.note_count, "nobody can order apply any more: it takes 1 person with role deployer"),
			 deployers == 1);
	}
}

TEST(a_reader_who_becomes_an_auditor_loses_the_secrets)
{
	_cleanup_(plant_done) struct plant p;
	_cleanup_(draft_freep) struct draft *d = NULL, *then = NULL;
	_cleanup_(root_freep) struct root *before = NULL, *after = NULL;
	struct error err = { 0 };

	plant_init(&p);
	d = with_bob_and_carol(&p);
	before = drafted(d);
	then = draft_new(before);
	CHECK_OK(draft_revoke(then, "bob", "reader", &err));
	grant(then, "bob", "auditor");
	grant(then, "carol", "reader");
	after = drafted(then);
	CHECK(root_diff_loses_reading(before, after, "bob"));
	CHECK(!root_diff_loses_reading(before, after, "carol"));
	CHECK(root_diff_loses_reading(after, before, "carol")); /* the other way round: she gets something new */
	CHECK(!root_diff_loses_reading(before, after, "alice"));
	CHECK_EQ(people_reading(before, "bob"), READS_ALL);
	CHECK_EQ(people_reading(after, "bob"), READS_BODIES);
	CHECK_EQ(people_reading(p.root, "bob"), READS_NOTHING);
}

/* ---- who stands behind it ---- */

/* The draft's text with a signature by each of these keys. */
static struct root *signed_by(const struct draft *d, const struct sign_key *const keys[], size_t count)
{
	_cleanup_(root_freep) struct root *plain = drafted(d);
	struct bytes text = statement_text(root_statement(plain));
	_cleanup_(buf_done) struct buf whole = { 0 };

	buf_add_bytes(&whole, text);
	for (size_t i = 0; i < count; i++)
		sshsig_sign(&whole, keys[i], "root@holdfast", text);
	return root_from(buf_bytes(&whole));
}

TEST(people_are_counted_by_both_roots_and_each_once)
{
	_cleanup_(plant_done) struct plant p;
	_cleanup_(draft_freep) struct draft *d = NULL;
	struct standing s;
	struct error err = { 0 };

	plant_init(&p);
	d = with_bob_and_carol(&p);
	{
		const struct sign_key *const keys[] = { &p.fleet.operator, &p.fleet.operator };
		_cleanup_(root_freep) struct root *next = signed_by(d, keys, 2);
		_cleanup_(buf_done) struct buf text = { 0 };

		CHECK_OK(standing_of(&s, p.root, next, &err));
		CHECK_EQ(s.have_now, 1);
		CHECK_EQ(s.have_next, 1);
		CHECK_EQ(s.need_next, 2);
		CHECK(!standing_is_enough(&s) && standing_has(&s, "alice") && !standing_has(&s, "bob"));
		CHECK_EQ(root_succeeds(p.root, next, &err), E_DENIED);
		standing_text(&text, &s, p.root, next);
		CHECK(strstr(buf_text(&text), "1 more of bob, carol"));
	}
	{
		const struct sign_key *const keys[] = { &p.carol, &p.bob };
		_cleanup_(root_freep) struct root *next = signed_by(d, keys, 2);

		CHECK_OK(standing_of(&s, p.root, next, &err));
		CHECK_EQ(s.have_now, 0); /* new keys alone */
		CHECK_EQ(s.have_next, 2);
		CHECK(!standing_is_enough(&s));
	}
	{
		const struct sign_key *const keys[] = { &p.fleet.operator, &p.carol };
		_cleanup_(root_freep) struct root *next = signed_by(d, keys, 2);

		CHECK_OK(standing_of(&s, p.root, next, &err));
		CHECK(standing_is_enough(&s));
		CHECK_OK(root_succeeds(p.root, next, &err));
	}
}

TEST(whose_key_is_replaced_signs_with_the_old_one_and_with_the_new_one)
{
	_cleanup_(plant_done) struct plant p;
	_cleanup_(draft_freep) struct draft *d = NULL;
	struct standing s;
	struct error err = { 0 };
	char print[52];

	plant_init(&p);
	d = draft_new(p.root);
	sign_pub_fingerprint(print, &p.fleet.operator.pub);
	CHECK_OK(draft_add_key(d, "alice", &p.bob.pub, &err));
	CHECK_OK(draft_remove_key(d, "alice", print, &err));
	{
		const struct sign_key *const keys[] = { &p.fleet.operator };
		_cleanup_(root_freep) struct root *next = signed_by(d, keys, 1);
		_cleanup_(buf_done) struct buf text = { 0 };

		CHECK_OK(standing_of(&s, p.root, next, &err));
		CHECK(s.have_now == 1 && s.have_next == 0 && !standing_is_enough(&s));
		standing_text(&text, &s, p.root, next);
		CHECK(strstr(buf_text(&text), "1 more of alice (with another key than before)"));
	}
	{
		const struct sign_key *const keys[] = { &p.fleet.operator, &p.bob };
		_cleanup_(root_freep) struct root *next = signed_by(d, keys, 2);

		CHECK_OK(standing_of(&s, p.root, next, &err));
		CHECK(standing_is_enough(&s));
	}
}

TEST(a_signature_that_does_not_hold_or_of_a_stranger_refuses_the_whole)
{
	_cleanup_(plant_done) struct plant p;
	_cleanup_(draft_freep) struct draft *d = NULL;
	_cleanup_(root_freep) struct root *strange = NULL, *plain = NULL, *broken = NULL;
	_cleanup_(buf_done) struct buf whole = { 0 };
	struct standing s;
	struct error err = { 0 };

	plant_init(&p);
	d = draft_new(p.root);
	draft_list(d, "server", "new.example:1");
	strange = signed_by(d, (const struct sign_key *const[]){ &p.fleet.operator, &p.bob }, 2);
	CHECK_EQ(standing_of(&s, p.root, strange, &err), E_DENIED);
	plain = drafted(d);
	buf_add_bytes(&whole, statement_text(root_statement(plain)));
	sshsig_sign(&whole, &p.fleet.operator, "root@holdfast", bytes_str("another text"));
	broken = root_from(buf_bytes(&whole));
	CHECK_EQ(standing_of(&s, p.root, broken, &err), E_SEAL);
}

/* ---- what travels ---- */

TEST(a_card_comes_back_as_it_was_given)
{
	struct card card = { .fleet = "abcdefghijklmnopqrstuvwx27", .pin = { 1, 2, 3 }, .address = "[::1]:7443" }, back;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	card_text(&text, &card);
	CHECK_OK(card_read(&back, buf_text(&text), &err));
	CHECK_STR(back.fleet, card.fleet);
	CHECK_STR(back.address, card.address);
	assert_memory_equal(back.pin, card.pin, sizeof(card.pin));
	for (size_t i = 0; i + 1 < text.len; i++) { /* cut short anywhere, it is none */
		_cleanup_(mem_freep) char *cut = mem_strndup(buf_text(&text), i);

		if (i != text.len - 2 && i != text.len - 3 && i != text.len - 4) /* fewer digits of the port are a port, too */
			CHECK(card_read(&back, cut, &err) < 0);
	}
}

TEST(a_request_that_was_changed_is_refused_or_shows_it)
{
	_cleanup_(plant_done) struct plant p;
	_cleanup_(mem_freep) char *path = mem_printf("%s/request", test_folder());
	_cleanup_(buf_done) struct buf text = { 0 };
	char print[ID_LEN + 1], other[ID_LEN + 1];
	struct request back;
	struct error err = { 0 };
	size_t shown = 0;

	plant_init(&p);
	request_text(&text, &p.bobs);
	request_print(print, &p.bobs);
	CHECK_OK(fs_write(path, buf_bytes(&text), 0600, &err));
	CHECK_OK(request_read(&back, path, &err));
	request_print(other, &back);
	CHECK_STR(print, other);
	for (size_t i = 0; i < text.len; i++) {
		text.ptr[i] ^= 1;
		CHECK_OK(fs_write(path, buf_bytes(&text), 0600, &err));
		if (request_read(&back, path, &err) == 0) {
			request_print(other, &back);
			CHECK(strcmp(print, other) != 0);
			shown++;
		}
		text.ptr[i] ^= 1;
	}
	CHECK(shown > 20); /* the id, the name, the key */
}
