/* tests/unit/test-release.c -- where a batch stands follows from statements and time alone: waves, limits, soak, windows, people. */
#include "tests/fleet.h"
#include "tests/test.h"

#include "base/clock.h"
#include "server/release.h"

#include <stdio.h>
#include <stdlib.h>

#define HASH_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define AGE_A "age1s73k9tlmr5kg98lcccfpf89f9sjd45gal77ry8l5kh7xl8u2cagq4c7ukj"

enum { ALICE, BOB, CAROL, ARCHIVE, NEW_BOB, KEYS };

static const int64_t t0 = 1800000000; /* Friday 2027-01-15 08:00:00 UTC */
static struct sign_key keys[KEYS];
static const char *const people[] = { "alice", "bob", "carol" };

/* ---- what the script is about ---- */

/* One batch of twelve orders, what was decided about it, and what its devices answered. */
struct script {
	struct root *root;
	struct statement *batch;
	struct repo_batch counts;
	struct buf controls;
	int64_t now_s;
};

static void make_keys(void)
{
	uint8_t seed[32];

	for (uint8_t i = 0; i < KEYS && !keys[i].pair.ptr; i++) {
		memset(seed, i + 1, sizeof(seed));
		sign_key_from_seed(&keys[i], seed);
	}
}

__attribute__((destructor)) static void end_tests(void)
{
	for (size_t i = 0; i < KEYS; i++)
		sign_key_done(&keys[i]);
}

/* The fleet's first root, or a later one of a fleet; bob_key: his key now. */
static struct root *make_root(const char *fleet, const char *deployers, const char *more, int bob_key)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct root *root = NULL;
	struct error err = { 0 };
	char pub[SIGN_PUB_TEXT_MAX];

	statement_begin(&text, STATEMENT_ROOT);
	if (fleet)
		buf_addf(&text, "fleet: %s\nversion: 2\nprev: " HASH_A "\n", fleet);
	else
		buf_add_str(&text, "version: 1\n");
	buf_add_str(&text,
		    "time: 2026-01-01T00:00:00Z\nexpires: 2199-01-01T00:00:00Z\nname: plant\nperson: alice\nperson: bob\nperson: carol\n");
	for (int i = ALICE; i <= CAROL; i++) {
		sign_pub_text(pub, &keys[i == BOB ? bob_key : i].pub);
		buf_addf(&text, "key: %s %s\n", people[i], pub);
	}
	sign_pub_text(pub, &keys[ARCHIVE].pub);
	buf_addf(&text,
		 "reading-key: alice " AGE_A "\nrole: root alice\nrole: admin alice\nrole: reader alice\nrole: deployer %s\n%sarchive: %s\n"
		 "tls-pin: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nserver: localhost:8443\n",
		 deployers, more, pub);
	CHECK_OK(statement_sign(&text, &keys[ALICE], &err));
	CHECK_OK(root_new(&root, fleet_parsed(&text), &err));
	return root;
}

static void script_root(struct script *s, const char *deployers, const char *more, int bob_key)
{
	struct root *next = make_root(root_fleet(s->root), deployers, more, bob_key);

	root_free(s->root);
	s->root = next;
}

/* Waves end at 1, 4 and 12. */
static void script_begin(struct script *s, const char *more_of_root, const char *more_of_batch)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	make_keys();
	*s = (struct script){ .now_s = t0 };
	s->root = make_root(NULL, "alice bob carol", more_of_root, BOB);
	statement_begin(&text, STATEMENT_BATCH);
	statement_add(&text, "fleet", "%s", root_fleet(s->root));
	buf_add_str(&text, "kind: apply\nperson: alice\n");
	statement_add_time(&text, "time", t0);
	statement_add_time(&text, "not-before", t0);
	statement_add_time(&text, "expires", t0 + 7 * 86400);
	buf_addf(&text, "root: 1\nreason: a test\ncount: 12\ntree: " HASH_A "\nwave: 1\nwave: 4\nwave: 12\n%s", more_of_batch);
	CHECK_OK(statement_sign(&text, &keys[ALICE], &err));
	s->batch = fleet_parsed(&text);
	s->counts = (struct repo_batch){ .orders = 12, .wave_count = 3,
					 .waves = { { .end = 1, .orders = 1 }, { .end = 4, .orders = 3 }, { .end = 12, .orders = 8 } } };
}

static void script_done(struct script *s)
{
	root_free(s->root);
	statement_free(s->batch);
	buf_done(&s->controls);
}

static void decide(struct script *s, int who, const char *action)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	statement_begin(&text, STATEMENT_CONTROL);
	statement_add(&text, "fleet", "%s", root_fleet(s->root));
	statement_add_hash(&text, "batch", statement_hash(s->batch));
	statement_add(&text, "action", "%s", action);
	statement_add(&text, "person", "%s", people[who]);
	statement_add_time(&text, "time", s->now_s);
	statement_add(&text, "root", "1");
	CHECK_OK(statement_sign(&text, &keys[who], &err));
	buf_add_bytes(&s->controls, buf_bytes(&text));
}

/* A device of this wave had its last word now. */
static void answered(struct script *s, size_t wave, const char *outcome)
{
	struct repo_wave *w = &s->counts.waves[wave];

	w->answered++;
	w->settled++;
	w->placed++;
	w->done += !strcmp(outcome, "done");
	w->failed += order_outcome_is_failure(outcome);
	w->settled_s = s->now_s;
}

static struct release judge(const struct script *s)
{
	_cleanup_(release_controls_done) struct release_controls controls = { 0 };
	struct release_consent consent;
	struct release now;
	struct error err = { 0 };

	CHECK_OK(release_controls_parse(&controls, buf_bytes(&s->controls), &err));
	release_count(&consent, s->batch, &controls, s->root);
	release_judge(&now, s->batch, &s->counts, &consent, s->now_s);
	return now;
}

static void stands(const struct script *s, const char *state, size_t waves, bool open, const char *waits_for)
{
	struct release now = judge(s);

	CHECK_STR(release_state_name(now.state), state);
	CHECK_EQ(now.waves, waves);
	CHECK_EQ(now.is_open, open);
	CHECK_STR(now.waits_for, waits_for);
	CHECK_EQ(now.released, waves ? s->counts.waves[waves - 1].end : 0);
}

/* ---- waves ---- */

TEST(a_wave_is_released_when_every_order_before_it_is_settled)
{
	struct script s;

	script_begin(&s, "", "");
	s.counts.orders = 11;
	stands(&s, "collecting", 0, false, "");
	s.counts.orders = 12;
	stands(&s, "running", 1, true, "");
	answered(&s, 0, "done");
	stands(&s, "running", 2, true, "");
	answered(&s, 1, "done");
	answered(&s, 1, "superseded");
	s.counts.waves[1].answered++; /* healthy: waits for its group */
	stands(&s, "running", 2, true, "");
	s.counts.waves[1].answered--;
	answered(&s, 1, "done");
	stands(&s, "running", 3, true, "");
	for (int i = 0; i < 8; i++) {
		stands(&s, "running", 3, true, "");
		answered(&s, 2, "done");
	}
	stands(&s, "done", 3, false, "");
	CHECK_EQ(judge(&s).done, 11);
	CHECK_EQ(judge(&s).due_s, 0);
	decide(&s, BOB, "reject"); /* too late to change what was */
	stands(&s, "done", 3, false, "");
	script_done(&s);
}

TEST(one_failure_more_than_the_limit_stops_what_was_not_given_out)
{
	struct script s;

	script_begin(&s, "", "");
	answered(&s, 0, "returned"); /* the limit is 0 */
	stands(&s, "stopped", 1, false, "");
	CHECK_EQ(judge(&s).failed, 1);
	script_done(&s);

	script_begin(&s, "", "fail-limit: 2\n");
	answered(&s, 0, "refused");
	stands(&s, "running", 2, true, "");
	answered(&s, 1, "failed");
	answered(&s, 1, "done");
	stands(&s, "running", 2, true, "");
	answered(&s, 1, "done");
	stands(&s, "running", 3, true, "");
	answered(&s, 2, "returned");
	stands(&s, "stopped", 3, false, "");
	for (int i = 0; i < 7; i++) /* they had been given out before it stopped */
		answered(&s, 2, "done");
	stands(&s, "done", 3, false, "");
	script_done(&s);
}

TEST(the_next_wave_waits_for_the_soak_since_the_last_receipt_was_committed)
{
	struct script s;

	script_begin(&s, "", "soak: 600\n");
	stands(&s, "running", 1, true, "");
	s.now_s = t0 + 100;
	answered(&s, 0, "done");
	s.counts.waves[0].placed = 0; /* journaled, and not committed yet */
	s.counts.waves[0].settled_s = 0;
	stands(&s, "running", 1, true, "soak");
	CHECK_EQ(judge(&s).due_s, t0 + 101); /* looks again in a second */
	s.counts.waves[0].placed = 1;
	s.counts.waves[0].settled_s = t0 + 102;
	s.now_s = t0 + 103;
	stands(&s, "running", 1, true, "soak");
	CHECK_EQ(judge(&s).due_s, t0 + 702);
	s.now_s = t0 + 701;
	stands(&s, "running", 1, true, "soak");
	s.now_s = t0 + 702;
	stands(&s, "running", 2, true, "");
	/* of the second wave, the last receipt counts */
	answered(&s, 1, "done");
	s.now_s = t0 + 5000;
	answered(&s, 1, "done");
	answered(&s, 1, "done");
	s.now_s = t0 + 5599;
	stands(&s, "running", 2, true, "soak");
	s.now_s = t0 + 5600;
	stands(&s, "running", 3, true, "");
	script_done(&s);
}

TEST(what_is_over_releases_nothing_by_time)
{
	struct script s;

	script_begin(&s, "", "soak: 600\n");
	answered(&s, 0, "done");
	decide(&s, BOB, "abort");
	s.now_s = t0 + 10000;
	stands(&s, "aborted", 1, false, "");
	script_done(&s);

	script_begin(&s, "", "soak: 600\n");
	s.now_s = t0 + 7 * 86400 - 100;
	answered(&s, 0, "done");
	s.now_s = t0 + 7 * 86400 - 1;
	stands(&s, "running", 1, true, "soak");
	CHECK_EQ(judge(&s).due_s, t0 + 7 * 86400);
	s.now_s = t0 + 7 * 86400;
	stands(&s, "expired", 1, false, "");
	s.now_s = t0 + 8 * 86400;
	stands(&s, "expired", 1, false, "");
	script_done(&s);
}

/* ---- time ---- */

TEST(nothing_is_given_out_before_its_time_or_outside_of_its_windows)
{
	struct script s;

	script_begin(&s, "", "window: sat,sun 22:00-04:00\nwindow: mon 12:00-12:01\n");
	s.now_s = t0 - 10;
	stands(&s, "running", 0, false, "not-before");
	CHECK_EQ(judge(&s).due_s, t0);
	s.now_s = t0; /* Friday 08:00 */
	stands(&s, "running", 1, false, "window");
	CHECK_EQ(judge(&s).due_s, t0 + 60);
	s.now_s = t0 + 38 * 3600 - 1; /* Saturday 21:59:59 */
	stands(&s, "running", 1, false, "window");
	s.now_s++;
	stands(&s, "running", 1, true, "");
	answered(&s, 0, "done");
	stands(&s, "running", 2, true, "");
	s.now_s = t0 + 44 * 3600 - 1; /* Sunday 03:59:59 */
	stands(&s, "running", 2, true, "");
	s.now_s++;
	stands(&s, "running", 2, false, "window");
	s.now_s = t0 + 76 * 3600 + 59; /* Monday 12:00:59 */
	stands(&s, "running", 2, true, "");
	s.now_s++;
	stands(&s, "running", 2, false, "window");
	script_done(&s);
}

/* ---- people ---- */

TEST(people_are_counted_not_statements_and_the_newest_of_their_decisions_counts)
{
	struct script s;

	script_begin(&s, "threshold: apply 3\n", "");
	stands(&s, "waiting", 0, false, ""); /* alice, its author, is one */
	decide(&s, ALICE, "approve");
	decide(&s, BOB, "approve");
	decide(&s, BOB, "approve");
	stands(&s, "waiting", 0, false, "");
	decide(&s, CAROL, "approve");
	stands(&s, "running", 1, true, "");
	decide(&s, BOB, "withdraw");
	stands(&s, "waiting", 0, false, "");
	decide(&s, BOB, "approve");
	stands(&s, "running", 1, true, "");
	decide(&s, CAROL, "reject");
	stands(&s, "waiting", 0, false, "");
	decide(&s, CAROL, "withdraw");
	stands(&s, "waiting", 0, false, "");
	decide(&s, CAROL, "approve");
	stands(&s, "running", 1, true, "");
	script_done(&s);
}

TEST(where_the_root_separates_them_the_author_is_not_counted)
{
	struct script s;

	script_begin(&s, "threshold: apply 2\nseparate: apply\n", "");
	decide(&s, ALICE, "approve");
	decide(&s, BOB, "approve");
	stands(&s, "waiting", 0, false, "");
	decide(&s, CAROL, "approve");
	stands(&s, "running", 1, true, "");
	script_done(&s);
}

TEST(pause_and_resume_are_anybodys_and_abort_is_final)
{
	struct script s;

	script_begin(&s, "", "");
	answered(&s, 0, "done");
	decide(&s, BOB, "pause");
	stands(&s, "paused", 2, false, "");
	decide(&s, CAROL, "resume");
	stands(&s, "running", 2, true, "");
	decide(&s, CAROL, "pause");
	decide(&s, ALICE, "pause");
	decide(&s, BOB, "resume");
	stands(&s, "running", 2, true, "");
	decide(&s, BOB, "abort");
	stands(&s, "aborted", 1, false, "");
	decide(&s, ALICE, "resume");
	decide(&s, ALICE, "approve");
	stands(&s, "aborted", 1, false, "");
	script_done(&s);
}

TEST(the_root_in_force_decides_whose_word_counts)
{
	struct script s;

	script_begin(&s, "threshold: apply 2\n", "");
	decide(&s, BOB, "approve");
	stands(&s, "running", 1, true, "");
	script_root(&s, "alice bob carol", "threshold: apply 2\n", BOB);
	stands(&s, "running", 1, true, "");
	script_root(&s, "alice carol", "threshold: apply 2\n", BOB); /* bob is a deployer no more */
	stands(&s, "waiting", 0, false, "");
	script_root(&s, "alice bob carol", "threshold: apply 2\n", NEW_BOB); /* he has another key: devices do not know the old one */
	stands(&s, "waiting", 0, false, "");
	script_root(&s, "alice bob carol", "threshold: apply 2\n", BOB);
	stands(&s, "running", 1, true, "");
	script_root(&s, "bob carol", "", BOB); /* its author may not order it any more: no device would obey */
	stands(&s, "waiting", 0, false, "");
	decide(&s, CAROL, "approve");
	stands(&s, "waiting", 0, false, "");
	script_done(&s);
}

TEST(a_pause_or_an_abort_holds_though_its_person_has_left)
{
	struct script s;

	script_begin(&s, "", "");
	decide(&s, BOB, "pause");
	script_root(&s, "alice carol", "", NEW_BOB);
	stands(&s, "paused", 1, false, "");
	script_root(&s, "alice bob carol", "", BOB);
	decide(&s, BOB, "resume");
	decide(&s, BOB, "abort");
	script_root(&s, "alice carol", "", NEW_BOB);
	stands(&s, "aborted", 1, false, "");
	script_done(&s);
}

/* What a device is given: it must not learn of a decision that would make it refuse what people agreed to since, nor miss one. */
TEST(a_device_is_given_the_newest_approval_of_each_person_who_is_counted)
{
	_cleanup_(release_controls_done) struct release_controls all = { 0 }, given = { 0 };
	_cleanup_(buf_done) struct buf out = { 0 };
	struct error err = { 0 };
	struct script s;

	script_begin(&s, "threshold: apply 2\n", "");
	decide(&s, BOB, "approve");
	decide(&s, BOB, "reject");
	s.now_s++;
	decide(&s, BOB, "approve");
	decide(&s, CAROL, "approve");
	decide(&s, CAROL, "withdraw");
	decide(&s, ALICE, "pause");
	decide(&s, ALICE, "resume");
	CHECK_OK(release_controls_parse(&all, buf_bytes(&s.controls), &err));
	release_approvals(&out, s.batch, &all, s.root);
	CHECK_OK(release_controls_parse(&given, buf_bytes(&out), &err));
	CHECK_EQ(given.count, 1);
	CHECK_STR(statement_get(given.list[0], "person"), "bob");
	CHECK_EQ(statement_time(given.list[0], "time"), s.now_s);
	buf_truncate(&out, 0);
	script_root(&s, "alice bob carol", "threshold: apply 2\n", NEW_BOB);
	release_approvals(&out, s.batch, &all, s.root);
	CHECK_EQ(out.len, 0);
	script_done(&s);
}
