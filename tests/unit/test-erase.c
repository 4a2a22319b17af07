/* tests/unit/test-erase.c -- an order that erases: nothing begins without the journal, the people, the delay and the archived snapshot;
 * nothing is reported as done that the driver is not sure of; whatever dies, it goes on; and of what is retired nothing stays but what may.
 */
#include "tests/test.h"

#include "agent/challenge.h"
#include "agent/erase.h"
#include "agent/retired.h"
#include "base/clock.h"
#include "base/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ME "abcdefghijklmnopqrstuvwxyz"
#define OLD_ID "zyxwvutsrqponmlkjihgfedcba"

enum { ALICE, BOB, CAROL, STRANGER, ARCHIVE, KEYS };
enum { NOW = 1800000000, NUMBER = 7, DELAY_S = 600, DELAY_MS = DELAY_S * 1000 };

static struct sign_key keys[KEYS];
static struct root *root; /* alice, bob and carol retire, and two of them are needed */
static struct orders_item item;
static struct orders_seen seen;

static struct statement *parsed(const struct buf *text)
{
	struct statement *st = NULL;
	struct error err = { 0 };

	CHECK_OK(statement_parse(&st, buf_bytes(text), false, NULL, &err));
	return st;
}

static void make_root(void)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(age_identity_done) struct age_identity reader = { 0 };
	struct error err = { 0 };
	char pub[KEYS][SIGN_PUB_TEXT_MAX], to[AGE_RECIPIENT_LEN + 1];

	age_identity_new(&reader);
	age_recipient_text(to, &reader.pub);
	for (size_t i = 0; i < KEYS; i++) {
		sign_key_new(&keys[i]);
		sign_pub_text(pub[i], &keys[i].pub);
	}
	statement_begin(&text, STATEMENT_ROOT);
	buf_addf(&text,
		 "version: 1\ntime: 2026-01-01T00:00:00Z\nexpires: 2199-01-01T00:00:00Z\nname: plant\nperson: alice\nperson: bob\nperson: "
		 "carol\n"
		 "key: alice %s\nkey: bob %s\nkey: carol %s\nreading-key: alice %s\nrole: root alice\nrole: reader alice\nrole: retirer "
		 "alice bob carol\nthreshold: purge 2\narchive: %s\n"
		 "tls-pin: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nserver: localhost:8443\n",
		 pub[ALICE], pub[BOB], pub[CAROL], to, pub[ARCHIVE]);
	CHECK_OK(statement_sign(&text, &keys[ALICE], &err));
	CHECK_OK(root_new(&root, parsed(&text), &err));
}

static struct statement *control(const char *person, const char *action, int key, int64_t time_s)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	statement_begin(&text, STATEMENT_CONTROL);
	statement_add(&text, "fleet", "%s", root_fleet(root));
	statement_add_hash(&text, "batch", statement_hash(item.batch->st));
	statement_add(&text, "action", "%s", action);
	statement_add(&text, "person", "%s", person);
	statement_add_time(&text, "time", time_s);
	statement_add(&text, "root", "1");
	CHECK_OK(statement_sign(&text, &keys[key], &err));
	return parsed(&text);
}

static void make_item(void)
{
	_cleanup_(buf_done) struct buf order = { 0 }, batch = { 0 };
	struct merkle_hash leaf, top;
	struct merkle tree = { 0 };
	struct error err = { 0 };
	struct bytes rest;

	statement_begin(&order, STATEMENT_ORDER);
	buf_addf(&order, "fleet: %s\ndevice: " ME "\norder: %d\nkind: purge\nnonce: " HASH_A "\nchallenge: " HASH_A "\n", root_fleet(root),
		 NUMBER);
	leaf = merkle_leaf(buf_bytes(&order));
	merkle_add(&tree, leaf);
	top = merkle_root(&tree);
	statement_begin(&batch, STATEMENT_BATCH);
	buf_addf(&batch, "fleet: %s\nkind: purge\nperson: alice\n", root_fleet(root));
	statement_add_time(&batch, "time", NOW);
	statement_add_time(&batch, "not-before", NOW);
	statement_add_time(&batch, "expires", NOW + 86400);
	buf_addf(&batch, "root: 1\nreason: sold\ncount: 1\n");
	statement_add_hash(&batch, "tree", top.b);
	CHECK_OK(statement_sign(&batch, &keys[ALICE], &err));
	item.batch = orders_batch_new(parsed(&batch));
	order_prove(&order, statement_hash(item.batch->st), &leaf, 1, 0);
	rest = buf_bytes(&order);
	orders_item_read(&item, &rest, item.batch);
	CHECK(!item.broken);
	CHECK(orders_batch_control(item.batch, control("bob", "approve", BOB, NOW)));
}

static void begin_tests(void)
{
	struct error err = { 0 };

	CHECK_OK(crypto_start(&err));
	seen = (struct orders_seen){ .last = NUMBER - 1 };
	if (root)
		return;
	make_root();
	make_item();
}

__attribute__((destructor)) static void end_tests(void)
{
	if (item.batch)
		item.batch->users = 1;
	orders_item_done(&item);
	root_free(root);
	for (size_t i = 0; i < KEYS; i++)
		sign_key_done(&keys[i]);
}

static const struct error fine, broken = { .code = E_PEER, .text = "the console does not answer" };

static struct erase_now at(uint64_t ms)
{
	return (struct erase_now){ .ms = ms, .delay_s = DELAY_S, .acked = 5, .newest = 5 };
}

static enum erase_action next(struct erase *e, struct erase_now now)
{
	return erase_next(e, &now);
}

static const char *objection(struct erase *e)
{
	static char why[ORDERS_NOTE_MAX];

	return orders_is_agreed(why, e->batch, root) ? NULL : why;
}

static struct orders_batch *brought(struct statement *control)
{
	struct orders_batch *batch = orders_batch_new(NULL);
	struct error err = { 0 };
	size_t used;

	CHECK_OK(statement_parse(&batch->st, statement_whole(item.batch->st), false, &used, &err));
	if (control)
		CHECK(orders_batch_control(batch, control));
	return batch;
}

/* A poll brings this decision. */
static bool hears(struct erase *e, struct statement *control)
{
	struct orders_batch *batch = brought(control);
	bool is_new = erase_control(e, batch, root);

	orders_batch_drop(batch);
	if (is_new)
		erase_judged(e, objection(e));
	return is_new;
}

static void arm(struct erase *e)
{
	begin_tests();
	erase_begin(e, &item, root, 0);
	CHECK_EQ(next(e, at(0)), ERASE_STORE);
	erase_stored(e, true, 0);
	CHECK_EQ(next(e, at(0)), ERASE_SAY_ARMED);
	erase_said(e, true, 0);
	CHECK_EQ(next(e, at(0)), ERASE_REST);
}

/* Up to where only the people are asked once more. */
static void record(struct erase *e)
{
	CHECK_EQ(next(e, at(DELAY_MS)), ERASE_REST);
	CHECK_EQ(e->phase, ERASE_RECORDING);
	erase_looked(e, true);
	CHECK_EQ(next(e, at(DELAY_MS)), ERASE_POLL);
	CHECK_EQ(next(e, at(DELAY_MS)), ERASE_REST);
	erase_heard(e);
	CHECK_EQ(next(e, at(DELAY_MS)), ERASE_JUDGE);
}

static void start_erasing(struct erase *e)
{
	arm(e);
	record(e);
	erase_judged(e, objection(e));
	CHECK_EQ(next(e, at(DELAY_MS)), ERASE_STORE);
	erase_stored(e, true, DELAY_MS);
	CHECK_EQ(next(e, at(DELAY_MS)), ERASE_ERASE);
}

static struct apply_erased areas(enum area_result first, enum area_result second)
{
	struct apply_erased answer = { .erased = { .area_count = 2 } };

	answer.erased.areas[0] = (struct area){ "config", "reset", AREA_CLEAR, AREA_READ_BACK, first };
	answer.erased.areas[1] = (struct area){ "flash", "erase", AREA_PURGE, AREA_AFTER_REBOOT, second };
	return answer;
}

static void refused(struct erase *e, enum orders_check check, const char *words)
{
	if (e->is_dirty) {
		CHECK_EQ(next(e, at(DELAY_MS)), ERASE_STORE);
		erase_stored(e, true, DELAY_MS);
	}
	CHECK_EQ(next(e, at(DELAY_MS)), ERASE_SAY_LAST);
	CHECK_STR(erase_outcome(e), "refused");
	CHECK_EQ(e->check, check);
	if (!strstr(e->note, words))
		fail_msg("'%s' is not in '%s'", words, e->note);
	erase_said_last(e, 6, DELAY_MS);
	CHECK(!erase_is_open(e));
}

/* ---- the way through ---- */

TEST(it_waits_its_delay_records_is_heard_once_more_and_ends_with_all_areas_done)
{
	struct erase e;
	struct apply_erased all = { 0 };

	start_erasing(&e);
	CHECK(erase_is_under_way(&e) && !erase_is_over(&e));
	all = areas(AREA_DONE, AREA_DONE);
	all.is_more = true;
	erase_answered(&e, &fine, &all, DELAY_MS);
	CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_ERASE);
	all.is_more = false;
	erase_answered(&e, &fine, &all, DELAY_MS);
	CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_STORE);
	erase_stored(&e, true, DELAY_MS);
	CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_SAY_LAST);
	CHECK_STR(erase_outcome(&e), "done");
	CHECK_STR(erase_evidence(&e), "read-back");
	erase_said_last(&e, 6, DELAY_MS);
	CHECK(erase_is_over(&e));
	CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_REST);
	CHECK_EQ(next(&e, (struct erase_now){ .ms = DELAY_MS + 1, .acked = 6, .newest = 6 }), ERASE_DESTROY);
	erase_done(&e);
}

TEST(the_delay_is_the_one_of_the_root_in_force_and_not_a_moment_shorter)
{
	struct erase e;

	arm(&e);
	erase_looked(&e, true);
	CHECK_EQ(next(&e, at(DELAY_MS - 1)), ERASE_REST);
	CHECK_EQ(e.phase, ERASE_ARMED);
	CHECK_EQ(next(&e, (struct erase_now){ .ms = DELAY_MS, .delay_s = 2 * DELAY_S }), ERASE_REST);
	CHECK_EQ(e.phase, ERASE_ARMED);
	CHECK_EQ(erase_due_ms(&e, &(struct erase_now){ .ms = 1, .delay_s = DELAY_S }), DELAY_MS);
	erase_done(&e);
}

TEST(nothing_is_erased_before_the_last_snapshot_is_archived_and_the_server_was_heard_after_that)
{
	struct erase e;
	struct erase_now unsent = at(DELAY_MS);

	arm(&e);
	CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_REST); /* it was not looked at */
	erase_looked(&e, false);
	CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_REST); /* something is to be recorded */
	erase_looked(&e, true);
	unsent.newest = 6;
	erase_heard(&e); /* of a poll that nobody asked for */
	CHECK_EQ(next(&e, unsent), ERASE_REST);
	CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_POLL);
	CHECK_EQ(next(&e, unsent), ERASE_REST);
	erase_heard(&e);
	CHECK_EQ(next(&e, unsent), ERASE_REST); /* it changed meanwhile */
	erase_looked(&e, false);
	CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_REST);
	erase_looked(&e, true);
	CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_JUDGE);
	erase_done(&e);
}

TEST(a_device_that_does_not_answer_is_waited_for_and_its_receipt_says_that_its_last_snapshot_is_older)
{
	struct apply_erased all = areas(AREA_DONE, AREA_DONE);
	struct erase e;

	arm(&e);
	CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_REST);
	erase_unseen(&e, DELAY_MS);
	CHECK_EQ(next(&e, at(DELAY_MS + ERASE_PATIENCE_MS - 1)), ERASE_REST);
	CHECK_EQ(next(&e, at(DELAY_MS + ERASE_PATIENCE_MS)), ERASE_POLL);
	erase_heard(&e);
	CHECK_EQ(next(&e, at(DELAY_MS + ERASE_PATIENCE_MS)), ERASE_JUDGE);
	erase_judged(&e, NULL);
	CHECK_EQ(next(&e, at(DELAY_MS + ERASE_PATIENCE_MS)), ERASE_STORE);
	erase_stored(&e, true, 0);
	CHECK_EQ(next(&e, at(DELAY_MS + ERASE_PATIENCE_MS)), ERASE_ERASE);
	erase_answered(&e, &fine, &all, 0);
	CHECK(strstr(e.note, "its last snapshot is older"));
	erase_done(&e);
}

/* ---- who can stop it ---- */

TEST(one_person_with_the_role_stops_it_until_the_erasing_begins_and_nobody_else_does)
{
	struct erase e;

	arm(&e);
	CHECK(!hears(&e, control("bob", "reject", STRANGER, NOW + 1)));
	CHECK(!hears(&e, control("mallory", "abort", STRANGER, NOW + 1)));
	CHECK_EQ(e.phase, ERASE_ARMED);
	CHECK(hears(&e, control("carol", "reject", CAROL, NOW + 1)));
	refused(&e, CHECK_CANCELLED, "'carol' rejects it; nothing was erased");

	arm(&e);
	record(&e);
	CHECK(hears(&e, control("carol", "abort", CAROL, NOW + 2)));
	refused(&e, CHECK_CANCELLED, "it was aborted");

	start_erasing(&e);
	CHECK(!hears(&e, control("carol", "reject", CAROL, NOW + 3)));
	erase_judged(&e, "too late");
	CHECK_EQ(e.phase, ERASE_ERASING);
	erase_done(&e);
}

TEST(who_withdraws_is_not_counted_and_another_takes_the_place)
{
	struct erase e;

	arm(&e);
	CHECK(hears(&e, control("carol", "approve", CAROL, NOW + 1)));
	CHECK_EQ(next(&e, at(0)), ERASE_STORE); /* so that it is remembered */
	erase_stored(&e, false, 0);
	CHECK_EQ(next(&e, at(1)), ERASE_REST);
	CHECK(hears(&e, control("bob", "withdraw", BOB, NOW + 2)));
	CHECK_EQ(e.phase, ERASE_ARMED);
	CHECK(hears(&e, control("carol", "withdraw", CAROL, NOW + 3)));
	refused(&e, CHECK_CANCELLED, "1 of 2 people stand behind it");
}

TEST(a_decision_that_is_known_already_is_no_news)
{
	struct erase e;

	arm(&e);
	CHECK(!hears(&e, control("bob", "approve", BOB, NOW)));
	CHECK(!hears(&e, NULL));
	CHECK(objection(&e) == NULL);
	erase_done(&e);
}

TEST(what_expires_before_it_begins_is_refused_and_what_has_begun_expires_no_more)
{
	struct erase e;
	struct erase_now late = at(1);

	late.is_expired = true;
	arm(&e);
	CHECK_EQ(next(&e, late), ERASE_SAY_LAST);
	CHECK_EQ(e.check, CHECK_EXPIRED);
	erase_done(&e);
	arm(&e);
	CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_REST);
	CHECK_EQ(next(&e, late), ERASE_SAY_LAST);
	CHECK_EQ(e.check, CHECK_EXPIRED);
	erase_done(&e);
	start_erasing(&e);
	erase_answered(&e, &broken, NULL, 1);
	late.ms = DELAY_MS;
	CHECK_EQ(next(&e, late), ERASE_ERASE);
	erase_done(&e);
}

/* ---- what goes wrong ---- */

TEST(what_cannot_be_noted_does_not_begin)
{
	struct erase e;

	begin_tests();
	erase_begin(&e, &item, root, 0);
	CHECK_EQ(next(&e, at(0)), ERASE_STORE);
	erase_stored(&e, false, 0);
	CHECK(!erase_is_open(&e));

	arm(&e);
	record(&e);
	erase_judged(&e, NULL);
	CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_STORE);
	erase_stored(&e, false, DELAY_MS);
	CHECK_EQ(e.phase, ERASE_RECORDING);
	erase_looked(&e, true);
	CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_REST);
	CHECK_EQ(next(&e, at(DELAY_MS + 60000)), ERASE_POLL); /* and who objects meanwhile is heard */
	erase_done(&e);
}

TEST(five_failures_in_a_row_end_it_as_failed_and_a_driver_that_is_not_sure_is_never_done)
{
	struct apply_erased half = areas(AREA_DONE, AREA_PARTIAL), all = areas(AREA_DONE, AREA_DONE);
	uint64_t now = DELAY_MS;
	struct erase e;

	start_erasing(&e);
	for (int i = 1; i < ERASE_TRIES; i++) {
		erase_answered(&e, &broken, i == 2 ? &all : &half, now);
		CHECK_EQ(next(&e, at(now)), ERASE_REST);
		now += 200000;
		CHECK_EQ(next(&e, at(now)), ERASE_ERASE);
	}
	erase_answered(&e, &broken, &all, now); /* all areas, and yet a failure */
	CHECK_EQ(next(&e, at(now)), ERASE_STORE);
	erase_stored(&e, true, now);
	CHECK_EQ(next(&e, at(now)), ERASE_SAY_LAST);
	CHECK_STR(erase_outcome(&e), "failed");
	CHECK(!device_is_erased(&e.erased));
	CHECK(strstr(e.note, "the console does not answer"));
	erase_said_last(&e, 6, now);
	CHECK(!erase_is_open(&e));

	start_erasing(&e);
	erase_answered(&e, &fine, &half, now);
	CHECK_EQ(next(&e, at(now)), ERASE_STORE);
	CHECK_STR(erase_outcome(&e), "failed");
	erase_done(&e);

	start_erasing(&e);
	erase_answered(&e, &fine, &(struct apply_erased){ 0 }, now); /* no area at all */
	CHECK_STR(erase_outcome(&e), "failed");
	erase_done(&e);
}

TEST(a_key_outlives_a_server_that_is_away_by_the_stated_time_only)
{
	struct apply_erased all = areas(AREA_DONE, AREA_DONE);
	struct erase_now now = at(DELAY_MS);
	struct erase e;

	start_erasing(&e);
	erase_answered(&e, &fine, &all, DELAY_MS);
	CHECK_EQ(next(&e, now), ERASE_STORE);
	erase_stored(&e, true, DELAY_MS);
	CHECK_EQ(next(&e, now), ERASE_SAY_LAST);
	erase_said_last(&e, 0, DELAY_MS); /* a full disk */
	CHECK_EQ(next(&e, now), ERASE_REST);
	now.ms += 60000;
	CHECK_EQ(next(&e, now), ERASE_SAY_LAST);
	erase_said_last(&e, 6, now.ms);
	CHECK_EQ(erase_due_ms(&e, &now), now.ms + ERASE_SAY_MS);
	now.ms += ERASE_SAY_MS - 1;
	CHECK_EQ(next(&e, now), ERASE_REST);
	now.ms++;
	CHECK_EQ(next(&e, now), ERASE_DESTROY);
	erase_undestroyed(&e, now.ms); /* what is left could not be written */
	CHECK_EQ(next(&e, now), ERASE_REST);
	now.ms += 60000;
	CHECK_EQ(next(&e, now), ERASE_DESTROY);
	erase_done(&e);
}

/* ---- the journal ---- */

static void reload(struct erase *e, uint64_t newest, uint64_t now_ms)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	erase_write(&text, e);
	erase_done(e);
	CHECK_OK(erase_read(e, buf_bytes(&text), &seen, newest, now_ms, &err));
}

TEST(a_restart_of_the_agent_keeps_the_delay_and_one_of_the_machine_begins_it_anew)
{
	struct erase e;

	arm(&e);
	seen.said = NUMBER;
	reload(&e, 5, 1000);
	CHECK_EQ(e.began_ms, 0);
	CHECK_EQ(next(&e, at(1000)), ERASE_REST); /* no second receipt */
	snprintf(e.boot, sizeof(e.boot), "another");
	reload(&e, 5, 1000);
	CHECK_EQ(e.began_ms, 1000);
	CHECK_EQ(next(&e, at(1000)), ERASE_STORE);
	erase_stored(&e, true, 1000);
	CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_REST);
	CHECK_EQ(e.phase, ERASE_ARMED);
	CHECK(objection(&e) == NULL);
	seen.said = 0;
	reload(&e, 5, 2000);
	CHECK_EQ(next(&e, at(2000)), ERASE_SAY_ARMED);
	erase_done(&e);
}

TEST(a_journal_comes_back_whole_and_damaged_it_is_refused)
{
	_cleanup_(buf_done) struct buf text = { 0 }, again = { 0 };
	struct apply_erased all = areas(AREA_DONE, AREA_DONE);
	struct error err = { 0 };
	struct erase e, back;

	start_erasing(&e);
	snprintf(all.erased.left[0], sizeof(all.erased.left[0]), "a USB stick");
	all.erased.left_count = 1;
	all.erased.has_transcript = true;
	all.erased.transcript[0] = 9;
	erase_answered(&e, &fine, &all, 0);
	CHECK_EQ(next(&e, at(0)), ERASE_STORE);
	erase_write(&text, &e);
	CHECK_OK(erase_read(&back, buf_bytes(&text), &seen, 5, 0, &err));
	CHECK(back.is_sure && back.erased.area_count == 2 && back.erased.has_transcript && back.erased.transcript[0] == 9);
	CHECK_STR(back.erased.left[0], "a USB stick");
	erase_write(&again, &back);
	CHECK(bytes_equal(buf_bytes(&text), buf_bytes(&again)));
	erase_done(&back);
	for (size_t i = 0; i < text.len; i += 7) {
		text.ptr[i] ^= 1;
		CHECK(erase_read(&back, buf_bytes(&text), &seen, 5, 0, &err) < 0);
		text.ptr[i] ^= 1;
		CHECK(erase_read(&back, bytes_of(text.ptr, i), &seen, 5, 0, &err) < 0);
	}
	erase_done(&e);
}

TEST(a_receipt_that_was_made_is_not_made_again)
{
	struct apply_erased all = areas(AREA_DONE, AREA_DONE), half = areas(AREA_DONE, AREA_PARTIAL);
	struct erase e;

	start_erasing(&e);
	erase_answered(&e, &fine, &all, 0);
	reload(&e, 5, 0);
	CHECK_EQ(next(&e, at(0)), ERASE_SAY_LAST);
	seen.closed = NUMBER;
	reload(&e, 6, 0);
	CHECK_EQ(e.phase, ERASE_SENDING);
	CHECK_EQ(e.receipt, 6);
	erase_done(&e);
	start_erasing(&e);
	erase_answered(&e, &fine, &half, 0);
	seen.closed = NUMBER;
	reload(&e, 6, 0);
	CHECK(!erase_is_open(&e)); /* it failed, and that was said */
}

TEST(an_objection_that_was_noted_outlives_a_kill)
{
	struct erase e;

	for (int is_recording = 0; is_recording < 2; is_recording++) {
		arm(&e);
		if (is_recording)
			record(&e);
		CHECK(hears(&e, control("carol", "reject", CAROL, NOW + 1)));
		CHECK_EQ(next(&e, at(DELAY_MS)), ERASE_STORE);
		reload(&e, 5, DELAY_MS);
		CHECK_EQ(e.phase, ERASE_ARMED);
		CHECK(objection(&e));
		erase_judged(&e, objection(&e));
		refused(&e, CHECK_CANCELLED, "'carol' rejects it");
	}
	arm(&e);
	CHECK(hears(&e, control("carol", "reject", CAROL, NOW + 1)));
	CHECK_EQ(next(&e, at(0)), ERASE_STORE);
	erase_stored(&e, false, 0); /* a full disk stops no objection */
	CHECK_EQ(e.phase, ERASE_REFUSED);
	refused(&e, CHECK_CANCELLED, "'carol' rejects it");
}

/* ---- dying at every step ---- */

struct world {
	struct erase e;
	struct buf journal;
	struct orders_seen seen;
	uint64_t now, newest, acked, boots;
	unsigned seed, parts, armed, last, deaths; /* parts: of three that the device really is rid of */
	bool has_journal, began, was_heard_after_delay, is_retired, is_key_there, is_failed, is_refused, is_rejected;
	uint64_t armed_since;
};

static unsigned dice(struct world *w, unsigned sides)
{
	w->seed = w->seed * 1103515245 + 12345;
	return (w->seed >> 16) % sides;
}

/* The machine was started again: the journal is of another boot. */
static void boot(struct world *w)
{
	struct error err = { 0 };

	snprintf(w->e.boot, sizeof(w->e.boot), "another");
	if (!erase_is_open(&w->e) || w->e.phase == ERASE_SENDING)
		return;
	buf_truncate(&w->journal, 0);
	erase_write(&w->journal, &w->e);
	erase_done(&w->e);
	CHECK_OK(erase_read(&w->e, buf_bytes(&w->journal), &w->seen, w->newest, w->now, &err));
	if (w->e.phase == ERASE_ARMED)
		w->armed_since = w->now;
}

/* The agent is started again; now and then the whole machine. */
static void die(struct world *w)
{
	struct error err = { 0 };

	w->deaths++;
	erase_done(&w->e);
	w->now += 1000 * dice(w, 20);
	if (!w->has_journal)
		return;
	CHECK_OK(erase_read(&w->e, buf_bytes(&w->journal), &w->seen, w->newest, w->now, &err));
	if (dice(w, 8) == 0)
		boot(w);
	if (!erase_is_open(&w->e))
		w->has_journal = false;
	else if (w->e.phase == ERASE_ARMED && w->is_rejected && dice(w, 2))
		hears(&w->e, control("carol", "reject", CAROL, NOW + 5));
}

static void world_store(struct world *w)
{
	bool is_full = dice(w, 10) == 0;

	if (!is_full) {
		buf_truncate(&w->journal, 0);
		erase_write(&w->journal, &w->e);
		w->has_journal = true;
	}
	erase_stored(&w->e, !is_full, w->now);
}

/* Three parts; each call may do some of them, and die in between; it looks at all of them before it is sure. */
static void world_erase(struct world *w)
{
	struct apply_erased answer;
	unsigned luck = dice(w, 10);

	CHECK(w->has_journal && w->is_key_there && w->was_heard_after_delay);
	CHECK(w->now >= w->armed_since + DELAY_MS);
	w->began = true;
	w->parts += w->parts < 3 && luck;
	answer = areas(w->parts ? AREA_DONE : AREA_NOT_DONE, w->parts == 3 ? AREA_DONE : AREA_PARTIAL);
	answer.is_more = w->parts < 3;
	if (luck == 1)
		erase_answered(&w->e, &broken, NULL, w->now);
	else if (luck == 0)
		erase_answered(&w->e, &broken, &answer, w->now);
	else
		erase_answered(&w->e, &fine, &answer, w->now);
}

static void world_say_last(struct world *w)
{
	const char *outcome = erase_outcome(&w->e);

	if (dice(w, 10) == 0) {
		erase_said_last(&w->e, 0, w->now);
		return;
	}
	CHECK_EQ(w->last, 0);
	w->last++;
	w->seen.closed = NUMBER;
	w->newest++;
	if (!strcmp(outcome, "done"))
		CHECK_EQ(w->parts, 3);
	if (!strcmp(outcome, "refused"))
		CHECK(!w->began);
	w->is_failed = !strcmp(outcome, "failed");
	w->is_refused = !strcmp(outcome, "refused");
	if (dice(w, 6) == 0) {
		die(w); /* the receipt counts: nothing but the journal knows less */
		return;
	}
	erase_said_last(&w->e, w->newest, w->now);
	if (!erase_is_open(&w->e))
		w->has_journal = false;
}

static void world_act(struct world *w, enum erase_action action)
{
	switch (action) {
	case ERASE_REST:
		w->now += 1000 * (1 + dice(w, 30));
		if (dice(w, 3))
			w->acked = w->newest;
		if (w->e.phase == ERASE_RECORDING) {
			erase_looked(&w->e, dice(w, 3) > 0);
			if (w->e.is_polling && dice(w, 2)) {
				erase_heard(&w->e);
				w->was_heard_after_delay = true;
			}
		}
		return;
	case ERASE_STORE:
		world_store(w);
		return;
	case ERASE_SAY_ARMED:
		CHECK_EQ(w->seen.said, 0);
		w->armed++;
		w->newest++;
		w->seen.said = NUMBER;
		erase_said(&w->e, true, w->now);
		return;
	case ERASE_POLL:
		return;
	case ERASE_JUDGE:
		CHECK(w->acked == w->newest);
		if (dice(w, 6) == 0)
			w->is_rejected = true;
		erase_judged(&w->e, w->is_rejected ? "'carol' rejects it" : NULL);
		return;
	case ERASE_ERASE:
		world_erase(w);
		return;
	case ERASE_SAY_LAST:
		world_say_last(w);
		return;
	case ERASE_DESTROY:
		CHECK(w->last == 1 && w->parts == 3 && !w->is_failed);
		w->is_key_there = false;
		w->is_retired = true;
		erase_done(&w->e);
		return;
	}
}

static bool world_is_over(const struct world *w)
{
	return w->is_retired || (!erase_is_open(&w->e) && !w->has_journal);
}

static void live(struct world *w)
{
	for (unsigned steps = 0; !world_is_over(w) && steps < 5000; steps++) {
		struct erase_now now = { .ms = w->now, .delay_s = DELAY_S, .acked = w->acked, .newest = w->newest };

		if (dice(w, 12) == 0)
			die(w);
		if (erase_is_open(&w->e))
			world_act(w, erase_next(&w->e, &now));
	}
	CHECK(world_is_over(w));
}

TEST(killed_anywhere_it_goes_on_and_is_never_done_by_half)
{
	unsigned done = 0, failed = 0, refusals = 0, never = 0, deaths = 0;

	begin_tests();
	for (unsigned i = 0; i < 3000; i++) {
		struct world w = { .seed = i * 7919 + 1, .newest = 5, .acked = 5, .is_key_there = true };

		erase_begin(&w.e, &item, root, 0);
		live(&w);
		deaths += w.deaths;
		done += w.is_retired;
		failed += w.is_failed;
		refusals += w.is_refused;
		never += !w.last;
		CHECK(w.armed <= 1);
		CHECK(!w.began || w.is_retired || w.is_failed); /* what has begun comes to its end */
		CHECK(w.is_key_there == !w.is_retired);
		buf_done(&w.journal);
		erase_done(&w.e);
	}
	CHECK(done > 1000 && refusals > 100 && never > 10);
	print_message("figure: 3000 orders to erase with %u deaths of the agent: %u retired, %u failed, %u refused, %u never begun\n",
		      deaths, done, failed, refusals, never);
}

/* ---- the challenge ---- */

TEST(a_challenge_holds_for_seven_days_over_restarts_and_until_it_is_used)
{
	_cleanup_(mem_freep) char *dir = mem_printf("%s/challenge", test_folder());
	struct challenge c = { 0 }, again;
	uint8_t first[HASH_LEN], other[HASH_LEN] = { 1 };
	struct error err = { 0 };

	begin_tests();
	CHECK_OK(fs_mkdirs(dir, 0700, &err));
	CHECK(!challenge_now(&c, NOW));
	CHECK_OK(challenge_keep(&c, dir, NOW, &err));
	memcpy(first, challenge_now(&c, NOW), sizeof(first));
	CHECK_OK(challenge_keep(&c, dir, NOW + CHALLENGE_S - 1, &err));
	challenge_load(&again, dir);
	CHECK(!memcmp(challenge_now(&again, NOW + CHALLENGE_S - 1), first, sizeof(first)));
	CHECK(!challenge_now(&again, NOW + CHALLENGE_S));
	CHECK(!challenge_now(&again, NOW - 1));
	challenge_use(&c, dir, other);
	CHECK(challenge_now(&c, NOW));
	challenge_use(&c, dir, first);
	CHECK(!challenge_now(&c, NOW));
	challenge_load(&again, dir);
	CHECK(!challenge_now(&again, NOW));
	CHECK_OK(challenge_keep(&c, dir, NOW, &err));
	CHECK(memcmp(challenge_now(&c, NOW), first, sizeof(first)) != 0);
}

TEST(a_challenge_that_cannot_be_kept_is_not_in_force)
{
	struct challenge c = { 0 };
	struct error err = { 0 };

	begin_tests();
	CHECK(challenge_keep(&c, "/nonexistent/folder", NOW, &err) < 0);
	CHECK(!challenge_now(&c, NOW));
}

/* ---- what is left ---- */

static void put(const char *dir, const char *name, const char *text)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, name);
	struct error err = { 0 };

	CHECK_OK(fs_write(path, bytes_str(text), 0600, &err));
}

static bool is_there(const char *dir, const char *name)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, name);

	return access(path, F_OK) == 0;
}

/* A device's folder with a link out of it, and a second name of its seed to see what became of the bytes. */
static char *full_folder(const char *name)
{
	char *dir = mem_printf("%s/%s", test_folder(), name);
	_cleanup_(mem_freep) char *spool = mem_printf("%s/spool", dir), *seed = mem_printf("%s/device.seed", dir),
				  *second = mem_printf("%s.seed", dir), *link = mem_printf("%s/link", dir);
	static const char *const names[] = {
		"device.seed",        "box.key",        "chain", "roots", "fleet", "erase", "floor", "media", "lock", "spool/acked",
		"spool/000000000009", "retired.tmp-123"
	};
	struct error err = { 0 };

	CHECK_OK(fs_mkdirs(spool, 0700, &err));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		put(dir, names[i], "SECRET SEED");
	CHECK_EQ(linkat(AT_FDCWD, seed, AT_FDCWD, second, 0), 0);
	CHECK_EQ(symlink("/etc/passwd", link), 0);
	return dir;
}

static void write_left(const char *dir, const char *id, int64_t time_s)
{
	struct retired left = { .time_s = time_s, .number = 9, .is_acknowledged = true };
	struct error err = { 0 };

	snprintf(left.fleet, sizeof(left.fleet), ME);
	snprintf(left.device, sizeof(left.device), "%s", id);
	buf_add_str(&left.receipt, "holdfast-statement/1 receipt\n");
	CHECK_OK(retired_write(dir, &left, &err));
	retired_done(&left);
}

TEST(nothing_of_the_folder_stays_but_what_says_that_the_device_is_retired)
{
	_cleanup_(mem_freep) char *dir = full_folder("whole"), *second = mem_printf("%s.seed", dir);
	_cleanup_(buf_done) struct buf bytes = { 0 };
	struct settings settings = { .state = (char *)test_folder() };
	struct settings_device dev = { .name = (char *)"whole" };
	struct error err = { 0 };
	struct retired left;

	CHECK_EQ(retired_read(&left, dir, &err), RETIRED_ABSENT);
	write_left(dir, ME, NOW);
	CHECK_EQ(retired_check(dir, &err), RETIRED_MORE);
	CHECK_OK(retired_finish(&settings, &dev, dir, &err));
	CHECK_EQ(retired_check(dir, &err), 0);
	CHECK_OK(retired_read(&left, dir, &err));
	CHECK(left.is_acknowledged && left.number == 9 && left.time_s == NOW);
	CHECK_STR(left.device, ME);
	CHECK_BYTES(buf_bytes(&left.receipt), "holdfast-statement/1 receipt\n");
	retired_done(&left);
	CHECK_OK(fs_read(&bytes, second, 100, &err));
	for (size_t i = 0; i < bytes.len; i++)
		CHECK_EQ(bytes.ptr[i], 0); /* overwritten where it lay */
	CHECK(access("/etc/passwd", F_OK) == 0);
	CHECK_OK(retired_finish(&settings, &dev, dir, &err)); /* again, with nothing left to do */
}

TEST(destroying_that_was_cut_off_after_any_file_is_finished)
{
	static const char *const gone[] = {
		"device.seed", "box.key", "chain", "roots", "erase", "spool/acked", "spool/000000000009", "lock"
	};
	struct settings settings = { .state = (char *)test_folder() };
	struct settings_device dev = { .name = (char *)"cut" };
	struct error err = { 0 };

	for (size_t n = 0; n <= ARRAY_SIZE(gone); n++) {
		_cleanup_(mem_freep) char *name = mem_printf("cut%zu", n), *dir = full_folder(name);

		write_left(dir, ME, NOW);
		for (size_t i = 0; i < n; i++) {
			_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, gone[i]);

			CHECK_EQ(unlink(path), 0);
		}
		CHECK_OK(retired_finish(&settings, &dev, dir, &err));
		CHECK_EQ(retired_check(dir, &err), 0);
		CHECK(is_there(dir, "retired"));
	}
}

TEST(who_joined_meanwhile_loses_nothing)
{
	_cleanup_(mem_freep) char *dir = full_folder("joined");
	struct settings settings = { .state = (char *)test_folder() };
	struct settings_device dev = { .name = (char *)"joined" };
	struct error err = { 0 };

	CHECK_OK(retired_finish(&settings, &dev, dir, &err)); /* nothing says that a device was erased */
	CHECK(is_there(dir, "device.seed") && is_there(dir, "chain"));
}

TEST(the_password_of_a_retired_device_goes_unless_another_device_has_the_same)
{
	const char *top = test_folder();
	_cleanup_(mem_freep) char *dir = full_folder("sw1"), *own = mem_printf("%s/own.credential", top),
				  *shared = mem_printf("%s/shared.credential", top), *factory = mem_printf("%s/factory.credential", top);
	struct settings_weos first = { .credential = own }, second = { .credential = shared };
	struct settings_device devices[] = { { .name = (char *)"sw1", .weos = &first }, { .name = (char *)"sw2", .weos = &second } };
	struct settings settings = { .state = (char *)top, .devices = devices, .devices_count = 2 };
	struct error err = { 0 };

	put(top, "own.credential", "sealed");
	put(top, "factory.credential", "sealed");
	first.factory_credential = factory;
	put(top, "shared.credential", "sealed");
	write_left(dir, ME, NOW);
	CHECK_OK(retired_finish(&settings, &devices[0], dir, &err));
	CHECK(!is_there(top, "own.credential") && !is_there(top, "factory.credential"));
	first.credential = shared;
	put(dir, "device.seed", "again");
	CHECK_OK(retired_finish(&settings, &devices[0], dir, &err));
	CHECK(is_there(top, "shared.credential"));
	put(top, "own.credential", "a new one, before the device joins again");
	first.credential = own;
	CHECK_OK(retired_finish(&settings, &devices[0], dir, &err));
	CHECK(is_there(top, "own.credential"));
}

TEST(who_joins_under_the_same_name_finds_the_folder_free_and_knows_whom_it_replaces)
{
	_cleanup_(mem_freep) char *dir = mem_printf("%s/again", test_folder());
	char id[ID_LEN + 1];
	struct error err = { 0 };
	struct retired left;

	CHECK_OK(fs_mkdirs(dir, 0700, &err));
	retired_last(id, dir);
	CHECK_STR(id, "");
	write_left(dir, OLD_ID, NOW - 10);
	CHECK_OK(retired_set_aside(dir, &err));
	write_left(dir, ME, NOW);
	CHECK_OK(retired_set_aside(dir, &err));
	CHECK_OK(retired_set_aside(dir, &err));
	CHECK_EQ(retired_read(&left, dir, &err), RETIRED_ABSENT);
	retired_last(id, dir);
	CHECK_STR(id, ME);
	CHECK_EQ(retired_check(dir, &err), 0); /* both stay */
}
