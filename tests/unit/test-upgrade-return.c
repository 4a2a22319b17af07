/* tests/unit/test-upgrade-return.c -- nothing takes the place of what works before it was proved; what is not proved goes back, or the
 * receipt says that it did not. */
#include "tests/test.h"
#include "tests/unit/upgrading.h"

TEST(an_image_that_the_device_refuses_is_not_tried_again)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	to_installing(&t);
	answers(&t, DEVICE_UPGRADE_INSTALL, E_DENIED, "Failed verifying signature!");
	stores(&t, "returning");
	see(&t, "5.23.0", "primary", "5.23.0");
	CHECK_EQ(next(&t), UPGRADE_REST);
	look(&t);
	CHECK_EQ(next(&t), UPGRADE_END);
	CHECK_STR(t.u.end.evidence, "read-back");
	ended(&t, "returned", "Failed verifying signature!; it runs 5.23.0 as before");
}

TEST(a_device_without_power_is_waited_for_before_it_is_given_up)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	to_installing(&t);
	for (int i = 1; i < UPGRADE_TRIES; i++) {
		answers(&t, DEVICE_UPGRADE_INSTALL, E_PEER, "the line has ended");
		CHECK_EQ(next(&t), UPGRADE_REST);
		t.now.ms += 600000;
	}
	answers(&t, DEVICE_UPGRADE_INSTALL, 0, "");
	stores(&t, "starting");
	upgrade_done(&t.u);
}

TEST(an_image_that_does_not_start_is_tried_twice)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	to_installing(&t);
	answers(&t, DEVICE_UPGRADE_INSTALL, 0, "");
	stores(&t, "starting");
	answers(&t, DEVICE_UPGRADE_START, E_PEER, "it restarted by itself");
	t.now.ms += 10000;
	answers(&t, DEVICE_UPGRADE_START, E_PEER, "it restarted by itself");
	stores(&t, "returning");
	see(&t, "5.23.0", "primary", "5.24.0");
	look(&t);
	CHECK_EQ(next(&t), UPGRADE_END);
	CHECK_STR(t.u.end.evidence, "seen-after-reboot");
	ended(&t, "returned", "it restarted by itself");
}

/* Each of these keeps it from being healthy until its time is over. */
static void not_proven(const struct device_images *seen, const struct apply_expect *is, const char *probe, const char *words)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	to_proving(&t);
	for (uint64_t end = t.now.ms + CONFIRM_MS; t.now.ms < end; t.now.ms += 2000) {
		enum upgrade_action action = next(&t);

		if (action == UPGRADE_SEE)
			upgrade_saw(&t.u, &fine, seen, t.now.ms);
		else if (action == UPGRADE_PROVE)
			upgrade_proved(&t.u, t.now.ms, t.now.ms, probe);
		upgrade_looked(&t.u, is, true);
		CHECK_STR(upgrade_phase_name(t.u.phase), "proving");
	}
	stores(&t, "returning");
	see(&t, "5.24.0", "secondary", "5.23.0"); /* that is not the one that worked */
	CHECK_EQ(next(&t), UPGRADE_REST);
	t.now.ms += 10000;
	answers(&t, DEVICE_UPGRADE_RETURN, 0, "");
	see(&t, "5.23.0", "primary", "5.24.0");
	look(&t);
	ended(&t, "returned", words);
}

TEST(nothing_but_all_of_it_is_healthy)
{
	static const struct device_images well = { .slot = "secondary", .version = "5.24.0", .is_fallback = true },
					  old = { .slot = "primary", .version = "5.23.0" },
					  failed = { .slot = "secondary",
						     .version = "5.24.0",
						     .failure = "it calls itself 'failed-1'",
						     .is_fallback = true };
	static const struct apply_expect saved = { { 1 }, { 1 } }, other = { { 2 }, { 2 } }, unsaved = { { 1 }, { 2 } };

	not_proven(&old, &saved, "", "it runs 5.23.0");
	not_proven(&failed, &saved, "", "it is in a failure mode: it calls itself 'failed-1'");
	not_proven(&well, &other, "", "its configuration is another than before");
	not_proven(&well, &unsaved, "", "what runs is not what is saved");
	not_proven(&well, &saved, "the server is not reached", "the server is not reached");
}

TEST(what_loses_the_configuration_by_its_own_word_is_not_judged_by_it)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ .version = "5.24.0", .downgrade = "loses" });
	to_proving(&t);
	t.saved.running[0] = t.saved.startup[0] = 9;
	prove(&t, "B");
	stores(&t, "keeping");
	answers(&t, DEVICE_UPGRADE_KEEP, 0, "");
	ended(&t, "done", "what became of its configuration was not judged");
}

TEST(power_lost_between_the_two_images_starts_the_new_one_once_more)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	to_proving(&t);
	for (int i = 0; i < UPGRADE_STARTS; i++) {
		prove(&t, "secondary");
		stores(&t, "keeping");
		answers(&t, DEVICE_UPGRADE_KEEP, E_PEER, "the line has ended");
		t.now.ms += 10000;
		see(&t, "5.23.0", "primary", "5.24.0");
		stores(&t, "starting");
		answers(&t, DEVICE_UPGRADE_START, 0, "");
		stores(&t, "proving");
	}
	prove(&t, "secondary");
	stores(&t, "keeping");
	answers(&t, DEVICE_UPGRADE_KEEP, E_PEER, "the line has ended");
	t.now.ms += 10000;
	see(&t, "5.23.0", "primary", "5.24.0");
	stores(&t, "returning");
	see(&t, "5.23.0", "primary", "5.24.0");
	look(&t);
	ended(&t, "returned", "the new image does not keep running");
}

TEST(behind_the_proof_there_is_no_way_back)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	to_proving(&t);
	prove(&t, "secondary");
	stores(&t, "keeping");
	answers(&t, DEVICE_UPGRADE_KEEP, E_DENIED, "no space");
	ended(&t, "failed", "it runs 5.24.0, but the other image could not be replaced: no space");
}

TEST(a_primary_image_that_does_not_start_is_written_once_more)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	to_proving(&t);
	prove(&t, "secondary");
	for (int i = 0; i < 2; i++) {
		stores(&t, "keeping");
		answers(&t, DEVICE_UPGRADE_KEEP, 0, "");
		stores(&t, "restarting");
		answers(&t, DEVICE_UPGRADE_RESTART, 0, "");
		stores(&t, "settling");
		prove(&t, "secondary");
	}
	ended(&t, "failed", "the image that it falls back to");
}

TEST(a_return_that_is_not_seen_is_a_failure)
{
	static const struct error gone = { .code = E_PEER, .text = "nobody answers" };
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	to_installing(&t);
	answers(&t, DEVICE_UPGRADE_INSTALL, E_DENIED, "no");
	stores(&t, "returning");
	for (int i = 0; t.u.phase == UPGRADE_RETURNING && i < 50; i++) {
		enum upgrade_action action = next(&t);

		if (action == UPGRADE_SEE)
			upgrade_saw(&t.u, &gone, NULL, t.now.ms);
		else if (action == UPGRADE_STEP)
			upgrade_answered(&t.u, &gone, t.now.ms);
		t.now.ms += 1000000;
	}
	ended(&t, "failed", "it was not seen to be back: nobody answers");
}
