/* tests/unit/test-change.c -- confirmed commit: nothing is saved that was not healthy, and every way ends in one last receipt. */
#include "tests/test.h"
#include "tests/unit/changing.h"

#include <stdio.h>

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
