/* tests/unit/test-change.c -- confirmed commit: nothing is saved that was not healthy, every way ends in one last receipt, and whatever
 * dies, the device ends wholly old or wholly new. */
#include "tests/test.h"

#include "agent/change.h"
#include "base/clock.h"
#include "base/fs.h"

#include <stdio.h>
#include <stdlib.h>

#define HASH_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HASH_B "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define ME "abcdefghijklmnopqrstuvwxyz"
#define YOU "zyxwvutsrqponmlkjihgfedcba"
#define APPLY "mode: lines\nconfirm: 60\nsettle: 5\n"
#define PAYLOAD "payload: 1 400 " HASH_A "\n"

enum state { OLD = 1, NEW, HALF, HAND };
enum { NUMBER = 7, CONFIRM_MS = 60000, SETTLE_MS = 5000 };

static void parse(struct statement **out, const struct buf *text)
{
	struct error err = { 0 };

	CHECK_OK(statement_parse(out, buf_bytes(text), true, NULL, &err));
}

static struct apply_expect expect_of(enum state running, enum state startup)
{
	struct apply_expect e = { { 0 }, { 0 } };

	e.running[0] = (uint8_t)running;
	e.startup[0] = (uint8_t)startup;
	return e;
}

/* Begins an order of this kind, with the lines that belong to it. */
static void begin(struct change *c, const char *kind, const char *more, enum state running, uint64_t now_ms)
{
	_cleanup_(buf_done) struct buf text = { 0 }, batch = { 0 };
	struct statement *order = NULL, *of = NULL;
	struct apply_expect seen = expect_of(running, OLD);
	struct error err = { 0 };
	uint8_t leaf[HASH_LEN];

	CHECK_OK(crypto_start(&err));
	statement_begin(&text, STATEMENT_ORDER);
	buf_addf(&text, "fleet: " ME "\ndevice: " ME "\norder: %d\nkind: %s\nnonce: " HASH_A "\n%s", NUMBER, kind, more);
	parse(&order, &text);
	statement_begin(&batch, STATEMENT_BATCH);
	buf_addf(&batch, "fleet: " ME "\nkind: %s\nperson: alice\ntime: 2027-01-15T08:00:00Z\nnot-before: 2027-01-15T08:00:00Z\n"
			 "expires: 2027-01-16T08:00:00Z\nroot: 1\nreason: a test\ncount: 1\ntree: " HASH_B "\n", kind);
	parse(&of, &batch);
	memcpy(leaf, statement_hash(order), HASH_LEN);
	change_begin(c, &(struct change_order){ order, of, leaf }, &seen, now_ms, 1800000000);
	statement_free(order);
	statement_free(of);
}

static const struct error fine, denied = { .code = E_DENIED, .text = "the configuration changed" },
				broken = { .code = E_PEER, .text = "it is broken" },
				full = { .code = E_SYS, .text = "no space left on device" };
static const uint8_t new_digest[APPLY_DIGEST_LEN] = { NEW };

static void look(struct change *c, enum state running, enum state startup)
{
	struct apply_expect seen = expect_of(running, startup);

	change_looked(c, &seen);
}

static void store(struct change *c, uint64_t now)
{
	CHECK_EQ(change_next(c, now), CHANGE_STORE);
	change_stored(c, true, NULL);
}

static void ends(struct change *c, uint64_t now, const char *outcome, const char *words)
{
	CHECK_EQ(change_next(c, now), CHANGE_END);
	CHECK_STR(c->end.outcome, outcome);
	if (!strstr(c->end.note, words))
		fail_msg("'%s' is not in '%s'", words, c->end.note);
	change_close(c);
	CHECK_EQ(change_next(c, now), CHANGE_REST);
}

/* Up to the first look at what was applied. */
static void applied(struct change *c, const char *more)
{
	begin(c, "apply", more, OLD, 0);
	store(c, 0);
	CHECK_EQ(change_next(c, 0), CHANGE_APPLY);
	CHECK_EQ(change_next(c, 0), CHANGE_REST);
	change_applied(c, &fine, new_digest);
	CHECK_EQ(change_next(c, 0), CHANGE_REST); /* it was not looked at */
	look(c, NEW, OLD);
}

/* Good rounds, one a second, until something else comes next. */
static uint64_t prove(struct change *c, uint64_t now)
{
	enum change_action next;

	while ((next = change_next(c, now)) == CHANGE_PROVE || next == CHANGE_REST) {
		if (next == CHANGE_PROVE)
			change_proved(c, now, now + 10, "");
		now += 500;
	}
	c->is_asked = false; /* ask again: the caller wants to see it */
	return now;
}

/* ---- the way through ---- */

TEST(what_is_healthy_long_enough_is_saved_and_read_back)
{
	struct change c;
	uint64_t now;

	applied(&c, APPLY PAYLOAD);
	now = prove(&c, 0);
	CHECK(now >= SETTLE_MS && now < SETTLE_MS + 3000);
	store(&c, now);
	CHECK_EQ(change_next(&c, now), CHANGE_SAVE);
	change_saved(&c, &fine, now);
	CHECK_EQ(change_next(&c, now), CHANGE_REST); /* nothing is believed that was not looked at */
	look(&c, NEW, NEW);
	ends(&c, now, "done", "saved");
}

TEST(a_bad_round_begins_the_time_anew)
{
	struct change c;
	uint64_t now = 0;

	applied(&c, APPLY PAYLOAD);
	for (; now < 50000; now += 1000) {
		CHECK_EQ(change_next(&c, now), CHANGE_PROVE);
		change_proved(&c, now, now, now % 5000 ? "" : "tcp h:22: refused");
		look(&c, NEW, OLD);
	}
	CHECK_EQ(c.phase, CHANGE_PROVING);
	now = prove(&c, now);
	CHECK_EQ(c.phase, CHANGE_SAVING);
	change_done(&c);
}

TEST(what_is_not_healthy_in_time_returns_and_says_why)
{
	struct change c;
	uint64_t now = 0;

	applied(&c, APPLY PAYLOAD);
	for (; now < CONFIRM_MS; now += 1000) {
		CHECK_EQ(change_next(&c, now), CHANGE_PROVE);
		change_proved(&c, now, now, "the server is not reached");
	}
	store(&c, now);
	CHECK_EQ(change_next(&c, now), CHANGE_RETURN);
	change_returned(&c, &fine, now);
	look(&c, OLD, OLD);
	ends(&c, now, "returned", "not healthy for 5 s within 60 s: the server is not reached");
}

TEST(without_a_wish_it_is_five_seconds_within_a_minute)
{
	struct change c;
	uint64_t now;

	applied(&c, "mode: lines\n" PAYLOAD);
	CHECK_EQ(change_deadline_ms(&c), 60000);
	now = prove(&c, 0);
	CHECK(now >= 5000 && now < 8000);
	change_done(&c);
	applied(&c, "mode: lines\nsettle: 0\n" PAYLOAD);
	CHECK(prove(&c, 0) <= 1000);
	change_done(&c);
}

TEST(an_apply_that_did_nothing_is_refused_and_one_that_did_something_returns)
{
	struct change c;

	begin(&c, "apply", APPLY PAYLOAD, OLD, 0);
	store(&c, 0);
	CHECK_EQ(change_next(&c, 0), CHANGE_APPLY);
	change_applied(&c, &denied, new_digest);
	CHECK_EQ(change_next(&c, 0), CHANGE_END);
	CHECK_STR(c.end.check, "base");
	ends(&c, 0, "refused", "the configuration changed");
	begin(&c, "apply", APPLY PAYLOAD, OLD, 0);
	store(&c, 0);
	CHECK_EQ(change_next(&c, 0), CHANGE_APPLY);
	change_applied(&c, &broken, new_digest);
	store(&c, 0);
	look(&c, HALF, OLD);
	CHECK_EQ(change_next(&c, 0), CHANGE_RETURN);
	change_returned(&c, &fine, 0);
	look(&c, OLD, OLD);
	ends(&c, 0, "returned", "not applied whole: it is broken; running is again what it was");
}

TEST(whoever_else_changes_the_device_meanwhile_ends_it)
{
	struct change c;

	applied(&c, APPLY PAYLOAD);
	look(&c, HAND, OLD);
	store(&c, 0);
	CHECK_EQ(change_next(&c, 0), CHANGE_RETURN);
	change_done(&c);
	applied(&c, APPLY PAYLOAD);
	look(&c, NEW, HAND); /* startup is no way back any more */
	store(&c, 0);
	ends(&c, 0, "failed", "there is no way back");
	applied(&c, APPLY PAYLOAD);
	change_restarted(&c);
	store(&c, 0);
	look(&c, OLD, OLD);
	ends(&c, 0, "returned", "was started again");
}

TEST(a_save_that_fails_returns)
{
	struct change c;
	uint64_t now;

	applied(&c, APPLY PAYLOAD);
	now = prove(&c, 0);
	store(&c, now);
	CHECK_EQ(change_next(&c, now), CHANGE_SAVE);
	change_saved(&c, &full, now);
	look(&c, NEW, OLD);
	store(&c, now);
	CHECK_EQ(change_next(&c, now), CHANGE_RETURN);
	change_returned(&c, &fine, now);
	look(&c, OLD, OLD);
	ends(&c, now, "returned", "no space left");
	/* said to have failed, and read back it is there */
	applied(&c, APPLY PAYLOAD);
	now = prove(&c, 0);
	store(&c, now);
	CHECK_EQ(change_next(&c, now), CHANGE_SAVE);
	change_saved(&c, &broken, now);
	look(&c, NEW, NEW);
	ends(&c, now, "done", "saved");
}

TEST(a_return_that_fails_is_tried_again_and_then_an_operator_must_act)
{
	struct change c;
	uint64_t now = 0;
	int tries = 0;

	applied(&c, APPLY PAYLOAD);
	change_restarted(&c);
	store(&c, now);
	look(&c, HALF, OLD);
	for (; change_next(&c, now) != CHANGE_END; now += 100)
		if (c.is_asked) {
			tries++;
			change_returned(&c, &broken, now);
			look(&c, HALF, OLD);
		}
	CHECK_EQ(tries, CHANGE_TRIES);
	CHECK(now > 10000);
	CHECK(c.end.is_held);
	ends(&c, now, "failed", "it is broken");
}

TEST(a_device_that_does_not_answer_is_waited_for_and_then_given_up)
{
	struct change c;
	uint64_t now = 0;

	applied(&c, APPLY PAYLOAD);
	change_lost(&c, 0);
	change_unseen(&c, 0, "missing: ospfd");
	for (; change_next(&c, now) != CHANGE_END; now += 1000) {
		if (c.is_asked)
			change_stored(&c, true, NULL);
		change_unseen(&c, now, "missing: ospfd");
	}
	CHECK(now >= CONFIRM_MS && now >= CHANGE_PATIENCE_MS);
	ends(&c, now, "failed", "missing: ospfd");
}

/* ---- a full disk ---- */

TEST(without_a_journal_nothing_begins)
{
	static const struct {
		const char *kind, *more;
	} kinds[] = { { "apply", APPLY PAYLOAD }, { "save", "" }, { "revert", "" }, { "snapshot", "" } };
	struct change c;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		begin(&c, kinds[i].kind, kinds[i].more, OLD, 0);
		CHECK_EQ(change_next(&c, 0), CHANGE_STORE);
		change_stored(&c, false, &full);
		CHECK(!change_is_open(&c));
		CHECK_EQ(change_next(&c, 0), CHANGE_REST);
	}
}

TEST(without_a_journal_nothing_is_saved_but_it_returns)
{
	struct change c;
	uint64_t now;

	applied(&c, APPLY PAYLOAD);
	now = prove(&c, 0);
	CHECK_EQ(change_next(&c, now), CHANGE_STORE);
	change_stored(&c, false, &full);
	CHECK_EQ(change_next(&c, now), CHANGE_STORE);
	change_stored(&c, false, &full);
	CHECK_EQ(change_next(&c, now), CHANGE_RETURN);
	change_returned(&c, &fine, now);
	look(&c, OLD, OLD);
	ends(&c, now, "returned", "could not be noted before it went on: no space left");
}

/* ---- other kinds ---- */

TEST(a_save_is_done_when_it_is_read_back)
{
	struct change c;
	int tries = 0;

	begin(&c, "save", "", HAND, 0);
	store(&c, 0);
	CHECK_EQ(change_next(&c, 0), CHANGE_SAVE);
	change_saved(&c, &fine, 0);
	look(&c, HAND, HAND);
	ends(&c, 0, "done", "saved");
	begin(&c, "save", "", HAND, 0); /* somebody was faster */
	store(&c, 0);
	look(&c, NEW, OLD);
	CHECK_EQ(change_next(&c, 0), CHANGE_END);
	CHECK_STR(c.end.check, "base");
	ends(&c, 0, "refused", "running changed");
	begin(&c, "save", "", HAND, 0);
	store(&c, 0);
	for (uint64_t now = 0; change_next(&c, now) != CHANGE_END; now += 1000)
		if (c.is_asked) {
			tries++;
			change_saved(&c, &full, now);
			look(&c, HAND, OLD);
		}
	CHECK_EQ(tries, CHANGE_TRIES);
	CHECK(!c.end.is_held); /* nothing was changed */
	ends(&c, 1000000, "failed", "no space left");
}

TEST(a_revert_is_done_when_running_is_startup)
{
	struct change c;

	begin(&c, "revert", "", HAND, 0);
	store(&c, 0);
	CHECK_EQ(change_next(&c, 0), CHANGE_RETURN);
	change_returned(&c, &denied, 0); /* somebody types: it is looked at again */
	look(&c, HALF, OLD);
	CHECK_EQ(change_next(&c, 0), CHANGE_RETURN);
	change_returned(&c, &fine, 0);
	look(&c, OLD, OLD);
	ends(&c, 0, "done", "running is what startup says");
}

TEST(what_needs_no_device_is_done_or_tried_again)
{
	struct change c;
	uint64_t now = 0;

	begin(&c, "release", "", OLD, 0);
	store(&c, 0);
	CHECK_EQ(change_next(&c, 0), CHANGE_DO);
	change_did(&c, &full, 0);
	CHECK_EQ(change_next(&c, 0), CHANGE_REST);
	for (; change_next(&c, now) == CHANGE_REST; now += 100)
		;
	change_did(&c, &fine, now);
	ends(&c, now, "done", "");
}

/* ---- a group ---- */

#define GROUP "mode: lines\nconfirm: 60\nsettle: 5\nmember: " ME "\nmember: " YOU "\n" PAYLOAD

static uint64_t waiting(struct change *c)
{
	uint64_t now;

	applied(c, GROUP);
	now = prove(c, 0);
	store(c, now);
	CHECK_EQ(change_next(c, now), CHANGE_SAY_HEALTHY);
	change_said(c, true);
	CHECK_EQ(change_next(c, now), CHANGE_REST);
	return now;
}

TEST(a_group_is_saved_together_or_returns)
{
	struct change c;
	uint64_t now = waiting(&c);

	change_group(&c, true, "");
	store(&c, now);
	CHECK_EQ(change_next(&c, now), CHANGE_SAVE);
	change_done(&c);
	now = waiting(&c);
	change_group(&c, false, "'" YOU "' says: returned");
	store(&c, now);
	CHECK_EQ(change_next(&c, now), CHANGE_RETURN);
	change_returned(&c, &fine, now);
	look(&c, OLD, OLD);
	ends(&c, now, "returned", "says: returned");
	now = waiting(&c);
	CHECK_EQ(change_next(&c, CONFIRM_MS - 1), CHANGE_REST);
	CHECK_EQ(change_next(&c, CONFIRM_MS), CHANGE_STORE);
	CHECK_EQ(c.phase, CHANGE_RETURNING);
	change_done(&c);
	now = waiting(&c);
	change_restarted(&c);
	CHECK_EQ(c.phase, CHANGE_RETURNING);
	change_done(&c);
}

/* ---- the journal ---- */

static void reload(struct change *c, uint64_t healthy, uint64_t now)
{
	_cleanup_(buf_done) struct buf file = { 0 };
	struct error err = { 0 };

	change_write(&file, c);
	change_done(c);
	CHECK_OK(change_read(c, buf_bytes(&file), healthy, now, &err));
}

TEST(after_a_restart_of_the_agent_only_what_was_proven_goes_on)
{
	struct change c;
	uint64_t now;

	begin(&c, "apply", APPLY PAYLOAD, OLD, 0);
	store(&c, 0);
	reload(&c, 0, 0);
	CHECK_EQ(c.phase, CHANGE_RETURNING);
	CHECK_EQ(c.number, NUMBER);
	store(&c, 0);
	CHECK_EQ(change_next(&c, 0), CHANGE_REST); /* looks first */
	look(&c, HALF, OLD);
	CHECK_EQ(change_next(&c, 0), CHANGE_RETURN);
	change_done(&c);

	applied(&c, APPLY PAYLOAD);
	now = prove(&c, 0);
	store(&c, now);
	reload(&c, 0, now);
	CHECK_EQ(c.phase, CHANGE_SAVING);
	CHECK_EQ(change_next(&c, now), CHANGE_REST);
	look(&c, NEW, OLD);
	CHECK_EQ(change_next(&c, now), CHANGE_SAVE);
	reload(&c, 0, now);
	look(&c, NEW, NEW); /* it was saved before the agent died */
	ends(&c, now, "done", "saved");

	applied(&c, APPLY PAYLOAD);
	now = prove(&c, 0);
	store(&c, now);
	reload(&c, 0, now);
	look(&c, OLD, OLD); /* the device was started again, too */
	store(&c, now);
	ends(&c, now, "returned", "");
}

TEST(a_member_keeps_its_word_while_the_machine_runs)
{
	struct change c;
	uint64_t now = waiting(&c);

	reload(&c, NUMBER, now);
	CHECK_EQ(c.phase, CHANGE_WAITING);
	look(&c, NEW, OLD);
	CHECK_EQ(change_next(&c, now), CHANGE_REST); /* it is said already */
	change_group(&c, true, "");
	store(&c, now);
	CHECK_EQ(change_next(&c, now), CHANGE_SAVE);
	change_done(&c);
	now = waiting(&c);
	reload(&c, 0, now); /* noted, and not yet said */
	CHECK_EQ(change_next(&c, now), CHANGE_SAY_HEALTHY);
	change_done(&c);
	now = waiting(&c);
	snprintf(c.boot, sizeof(c.boot), "another");
	reload(&c, NUMBER, now);
	CHECK_EQ(c.phase, CHANGE_RETURNING);
	change_done(&c);
}

TEST(a_journal_that_is_damaged_is_no_journal)
{
	_cleanup_(buf_done) struct buf file = { 0 };
	struct error err = { 0 };
	struct change c, back;
	const char *dir = test_folder();

	begin(&c, "apply", APPLY PAYLOAD, OLD, 0);
	snprintf(c.why, sizeof(c.why), "two\nlines");
	change_write(&file, &c);
	for (size_t len = 0; len < file.len; len++)
		CHECK_EQ(change_read(&back, bytes_of(file.ptr, len), 0, 0, &err), E_FORMAT);
	CHECK_OK(change_store(&c, dir, &err));
	CHECK_OK(change_load(&back, dir, 0, 0, &err));
	CHECK_EQ(back.number, NUMBER);
	CHECK_STR(back.person, "alice");
	CHECK(!memcmp(back.leaf, c.leaf, HASH_LEN));
	change_done(&back);
	CHECK_OK(change_remove(dir, &err));
	CHECK_EQ(change_load(&back, dir, 0, 0, &err), CHANGE_ABSENT);
	change_done(&c);
}

/* ---- whatever happens ---- */

/* A device, its agent and a disk, all of which fail at random. */
struct world {
	unsigned seed;
	enum state running, startup;
	bool touched_by_hand, startup_by_hand, return_broken;
	uint64_t now, good_since; /* 0: something is not well */
	struct buf journal;
	bool has_journal, was_proven;
	uint64_t closed, healthy;
	int receipts, deaths, return_failures;
	const char *outcome;
	struct change c;
};

static unsigned dice(struct world *w, unsigned sides)
{
	w->seed = w->seed * 1103515245 + 12345;
	return (w->seed >> 16) % sides;
}

static void die(struct world *w)
{
	struct error err = { 0 };

	w->deaths++;
	change_done(&w->c);
	if (!w->has_journal)
		return;
	CHECK_OK(change_read(&w->c, buf_bytes(&w->journal), w->healthy, w->now, &err));
	if (w->c.number > w->closed)
		return;
	w->has_journal = false; /* its receipt exists: the journal is only a leftover */
	change_done(&w->c);
}

static void world_store(struct world *w)
{
	if (dice(w, 40) == 0) {
		change_stored(&w->c, false, &full);
		return;
	}
	buf_truncate(&w->journal, 0);
	change_write(&w->journal, &w->c);
	w->has_journal = true;
	change_stored(&w->c, true, NULL);
}

static const struct error *world_apply(struct world *w)
{
	unsigned n = dice(w, 10);

	if (w->running != OLD || n == 0)
		return &denied;
	w->running = n == 1 ? HALF : NEW;
	return n < 3 ? &broken : &fine;
}

static const struct error *world_save(struct world *w)
{
	if (w->running != w->c.running[0])
		return &denied;
	if (w->c.kind == ORDER_APPLY)
		CHECK(w->was_proven);
	if (dice(w, 6) == 0)
		return &full;
	w->startup = w->running;
	return dice(w, 6) ? &fine : &broken;
}

static const struct error *world_return(struct world *w)
{
	if (w->running != w->c.running[0])
		return &denied;
	if (w->return_broken || (w->return_failures < CHANGE_TRIES - 1 && dice(w, 4) == 0)) {
		w->return_failures++;
		w->running = HALF;
		return &broken;
	}
	w->running = w->startup;
	return &fine;
}

static void world_prove(struct world *w)
{
	bool is_good = dice(w, 5) != 0;

	if (!is_good)
		w->good_since = 0;
	else if (!w->good_since)
		w->good_since = w->now;
	change_proved(&w->c, w->now, w->now, is_good ? "" : "no answer");
}

static void world_end(struct world *w)
{
	if (dice(w, 10) == 0)
		return; /* the disk is full: it is tried again */
	w->receipts++;
	w->closed = NUMBER;
	w->outcome = w->c.end.outcome;
	if (!strcmp(w->outcome, "failed") && w->c.kind == ORDER_APPLY)
		CHECK(w->c.end.is_held);
	if (dice(w, 10) == 0) {
		die(w);
		return;
	}
	w->has_journal = false;
	change_close(&w->c);
}

/* One action; the agent may die right before it, or right after. */
static void world_act(struct world *w, enum change_action action)
{
	bool dies_after = dice(w, 25) == 0;
	const struct error *result = &fine;

	if (dice(w, 25) == 0) {
		die(w);
		return;
	}
	if ((w->c.phase == CHANGE_SAVING || w->c.phase == CHANGE_WAITING) && !w->was_proven) {
		CHECK(w->good_since && w->now - w->good_since >= SETTLE_MS - 1000);
		w->was_proven = true;
	}
	switch (action) {
	case CHANGE_STORE:
		world_store(w);
		break;
	case CHANGE_APPLY:
		result = world_apply(w);
		break;
	case CHANGE_PROVE:
		world_prove(w);
		break;
	case CHANGE_SAY_HEALTHY:
		w->healthy = NUMBER;
		change_said(&w->c, true);
		break;
	case CHANGE_SAVE:
		result = world_save(w);
		break;
	case CHANGE_RETURN:
		result = world_return(w);
		break;
	case CHANGE_END:
		world_end(w);
		return;
	case CHANGE_DO:
	case CHANGE_REST:
		break;
	}
	if (dies_after)
		die(w);
	else if (action == CHANGE_APPLY)
		change_applied(&w->c, result, (const uint8_t[APPLY_DIGEST_LEN]){ (uint8_t)w->running });
	else if (action == CHANGE_SAVE)
		change_saved(&w->c, result, w->now);
	else if (action == CHANGE_RETURN)
		change_returned(&w->c, result, w->now);
}

/* Others act, too: an engineer, the power, the group. */
static void world_happens(struct world *w, bool by_hand)
{
	unsigned n = dice(w, 400);

	w->now += 200 + dice(w, 800);
	if (n == 0) { /* the device boots */
		w->running = w->startup;
		change_restarted(&w->c);
	} else if (n == 1 && by_hand) {
		w->running = HAND;
		w->touched_by_hand = true;
	} else if (n == 2 && by_hand) {
		w->startup = w->running;
		w->startup_by_hand = true;
	} else if (n == 3) {
		change_group(&w->c, false, "another one returned");
	} else if (n < 20) {
		change_group(&w->c, true, "");
	} else if (n < 24) {
		change_lost(&w->c, w->now);
	}
	if (n > 360) {
		change_unseen(&w->c, w->now, "missing: ospfd");
		w->good_since = 0;
	} else {
		look(&w->c, w->running, w->startup);
	}
}

/* Until it has its last receipt, or is as if it had never come. */
static void world_run(struct world *w, bool by_hand)
{
	for (int steps = 0; change_is_open(&w->c); steps++) {
		enum change_action action = change_next(&w->c, w->now);

		CHECK(steps < 20000);
		if (action != CHANGE_REST)
			world_act(w, action);
		if (action == CHANGE_REST || dice(w, 4) == 0)
			world_happens(w, by_hand);
	}
}

static void check_end(const struct world *w, bool by_hand)
{
	CHECK(w->receipts <= 1);
	if (!w->receipts) { /* never begun */
		CHECK(by_hand || (w->running == OLD && w->startup == OLD));
		return;
	}
	if (by_hand)
		return;
	if (!strcmp(w->outcome, "done"))
		CHECK(w->running == NEW && w->startup == NEW && w->was_proven);
	else if (!strcmp(w->outcome, "returned") || !strcmp(w->outcome, "refused"))
		CHECK(w->running == OLD && w->startup == OLD);
	else
		CHECK(w->return_broken && w->startup == OLD);
}

TEST(whatever_fails_it_ends_wholly_old_or_wholly_new_with_one_receipt)
{
	int done = 0, returned = 0, failed = 0, none = 0, deaths = 0;

	for (unsigned seed = 1; seed <= 30000; seed++) {
		struct world w = { .seed = seed * 2654435761U, .running = OLD, .startup = OLD, .now = 1000 };
		bool by_hand = seed % 3 == 0;

		w.return_broken = seed % 50 == 0;
		begin(&w.c, "apply", seed % 2 ? APPLY PAYLOAD : GROUP, OLD, w.now);
		world_run(&w, by_hand);
		check_end(&w, by_hand);
		deaths += w.deaths;
		done += w.receipts && !strcmp(w.outcome, "done");
		returned += w.receipts && !strcmp(w.outcome, "returned");
		failed += w.receipts && !strcmp(w.outcome, "failed");
		none += !w.receipts;
		buf_done(&w.journal);
		change_done(&w.c);
	}
	CHECK(done > 1000 && returned > 1000 && failed > 100 && none > 10);
	print_message("figure: 30000 changes with %d deaths of the agent: %d done, %d returned, %d failed, %d never begun\n", deaths, done,
		      returned, failed, none);
}
