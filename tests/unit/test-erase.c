/* tests/unit/test-erase.c -- an order that erases: nothing begins without the people, the delay and the archived snapshot, and nothing is
 * reported as done that the driver is not sure of. */
#include "tests/test.h"
#include "tests/unit/erasing.h"

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
