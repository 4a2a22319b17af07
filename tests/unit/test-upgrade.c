/* tests/unit/test-upgrade.c -- an order that gives other firmware: nothing is given to the device before the statement, the image, the
 * saved configuration and the archive; then every place of it gets the new one. */
#include "tests/test.h"
#include "tests/unit/upgrading.h"

static const struct device_facts facts = { .model = "Lynx-3510", .firmware = "5.23.0" };

/* The check that refuses it; CHECK_NONE: it may be. */
static enum orders_check judged(const struct about *a, const struct device_facts *of)
{
	const struct upgrade_device device = { .root = root, .driver = "weos", .facts = of, .most = 5000, .room = 4000 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct orders_judgement j = { .verdict = ORDERS_OBEY };
	struct statement *firmware = NULL;

	firmware_text(&text, a);
	buf_add_str(&text, "\n\n\n"); /* up to the size of the seal */
	upgrade_judge(&j, &firmware, buf_bytes(&text), &device);
	statement_free(firmware);
	CHECK((j.verdict == ORDERS_OBEY) == (j.check == CHECK_NONE));
	return j.check;
}

TEST(an_image_is_only_for_whom_it_is_signed_for)
{
	static const struct device_facts nameless = { .firmware = "5.23.0" }, unknown = { .model = "Lynx-3510" };

	begin_tests();
	CHECK_EQ(judged(&(struct about){ 0 }, &facts), CHECK_NONE);
	CHECK_EQ(judged(&(struct about){ .model = "lynx-3510" }, &facts), CHECK_NONE);
	CHECK_EQ(judged(&(struct about){ .model = "Lynx-3510" }, &nameless), CHECK_NONE);
	CHECK_EQ(judged(&(struct about){ .model = "Viper-12" }, &facts), CHECK_MODEL);
	CHECK_EQ(judged(&(struct about){ .driver = "files" }, &facts), CHECK_MODEL);
	CHECK_EQ(judged(&(struct about){ .part = "half" }, &facts), CHECK_MODEL);
	CHECK_EQ(judged(&(struct about){ .key = STRANGER }, &facts), CHECK_FIRMWARE);
	CHECK_EQ(judged(&(struct about){ .minimum = "5.23.0" }, &facts), CHECK_NONE);
	CHECK_EQ(judged(&(struct about){ .minimum = "5.23.1" }, &facts), CHECK_MINIMUM);
	CHECK_EQ(judged(&(struct about){ .minimum = "5.20.0" }, &unknown), CHECK_MINIMUM);
	CHECK_EQ(judged(&(struct about){ .version = "5.22.9" }, &facts), CHECK_DOWNGRADE);
	CHECK_EQ(judged(&(struct about){ .version = "5.22.9", .downgrade = "loses" }, &facts), CHECK_NONE);
	CHECK_EQ(judged(&(struct about){ .version = "2017.12.0", .part = "boot", .minimum = "9999.1" }, &facts), CHECK_NONE);
	CHECK_EQ(judged(&(struct about){ .size = 5001 }, &facts), CHECK_SPACE);
	CHECK_EQ(judged(&(struct about){ .size = 4001 }, &facts), CHECK_SPACE);
}

TEST(what_is_no_firmware_statement_is_refused)
{
	static const char *const payloads[] = { "", "\n\n", "holdfast-statement/1 firmware\n", "system\n\thostname x\n\tend\n" };

	begin_tests();
	for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
		const struct upgrade_device device = { .root = root, .driver = "weos", .facts = &facts, .most = 5000, .room = 4000 };
		struct orders_judgement j = { .verdict = ORDERS_OBEY };
		struct statement *firmware = NULL;

		upgrade_judge(&j, &firmware, bytes_str(payloads[i]), &device);
		statement_free(firmware);
		CHECK_EQ(j.check, CHECK_FIRMWARE);
	}
}

/* ---- the way through, and what keeps it from beginning ---- */

TEST(both_images_are_new_after_two_restarts_and_two_proofs)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	to_proving(&t);
	prove(&t, "secondary");
	stores(&t, "keeping");
	answers(&t, DEVICE_UPGRADE_KEEP, 0, "");
	stores(&t, "restarting");
	answers(&t, DEVICE_UPGRADE_RESTART, 0, "");
	stores(&t, "settling");
	prove(&t, "primary");
	CHECK_EQ(next(&t), UPGRADE_END);
	CHECK_STR(t.u.end.evidence, "seen-after-reboot");
	ended(&t, "done", "5.24.0, before it 5.23.0");
}

TEST(a_device_with_one_place_needs_no_second_restart)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	to_proving(&t);
	prove(&t, "B");
	stores(&t, "keeping");
	answers(&t, DEVICE_UPGRADE_KEEP, 0, "");
	ended(&t, "done", "5.24.0");
}

TEST(nothing_is_given_to_a_device_that_is_not_saved_held_or_not_archived)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	stores(&t, "fetching");
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	CHECK_EQ(next(&t), UPGRADE_REST);
	CHECK(!upgrade_is_under_way(&t.u));
	upgrade_fetched(&t.u, &fine);
	t.saved.running[0] = 2;
	look(&t);
	CHECK_EQ(next(&t), UPGRADE_REST);
	t.saved.running[0] = 1;
	upgrade_looked(&t.u, &t.saved, false);
	CHECK_EQ(next(&t), UPGRADE_REST);
	look(&t);
	t.now.is_held = true;
	CHECK_EQ(next(&t), UPGRADE_REST);
	t.now.is_held = false;
	t.now.newest = 4;
	CHECK_EQ(next(&t), UPGRADE_REST);
	t.now.is_expired = true;
	ended(&t, "refused", "before the device was saved and archived");
}

TEST(an_order_expires_while_its_image_does_not_come)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	stores(&t, "fetching");
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	t.now.is_expired = true;
	CHECK_EQ(next(&t), UPGRADE_END);
	CHECK_STR(t.u.end.check, "expired");
	ended(&t, "refused", "before the image was here; nothing was given to the device");
}

TEST(people_stop_it_as_long_as_the_device_was_given_nothing)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	stores(&t, "fetching");
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	CHECK(upgrade_may_stop(&t.u));
	upgrade_cancel(&t.u, "it was aborted");
	CHECK(!upgrade_may_stop(&t.u));
	CHECK_EQ(next(&t), UPGRADE_END);
	CHECK_STR(t.u.end.check, "cancelled");
	ended(&t, "refused", "it was aborted; nothing was given to the device");

	begin_about(&t, &(struct about){ 0 });
	to_installing(&t);
	CHECK(!upgrade_may_stop(&t.u));
	answers(&t, DEVICE_UPGRADE_INSTALL, 0, "");
	CHECK(!upgrade_may_stop(&t.u));
	upgrade_done(&t.u);
	CHECK(!upgrade_may_stop(&t.u));
}

TEST(a_newer_order_takes_its_place_when_the_device_has_answered_what_it_was_asked)
{
	struct device_images seen = { .version = "5.23.0", .slot = "primary", .other = "5.23.0" };
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	to_fetched(&t);
	look(&t);
	CHECK_EQ(next(&t), UPGRADE_SEE);
	CHECK(upgrade_may_stop(&t.u));
	upgrade_supersede(&t.u, 9);
	CHECK_EQ(next(&t), UPGRADE_REST);
	upgrade_saw(&t.u, &fine, &seen, t.now.ms);
	ended(&t, "superseded", "order 9 takes its place");
}

TEST(out_of_its_window_nothing_is_fetched_and_nothing_begins)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	stores(&t, "fetching");
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	t.now.is_closed = true;
	CHECK_EQ(next(&t), UPGRADE_PAUSE);
	upgrade_paused(&t.u);
	CHECK_EQ(next(&t), UPGRADE_REST);
	t.now.is_closed = false;
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	upgrade_fetched(&t.u, &fine);
	t.now.is_closed = true;
	look(&t);
	CHECK_EQ(next(&t), UPGRADE_REST);
	CHECK_STR(t.u.sick, "it waits for its window");
	t.now.is_closed = false;
	look(&t);
	see(&t, "5.23.0", "primary", "5.23.0");
	stores(&t, "installing");
	t.now.is_closed = true; /* what was begun is brought to its end */
	answers(&t, DEVICE_UPGRADE_INSTALL, 0, "");
	stores(&t, "starting");
	upgrade_done(&t.u);
}

TEST(an_image_that_was_not_signed_is_fetched_once_more_and_then_refused)
{
	const struct error other = { .code = E_SEAL, .text = "the image that came is not the one that was signed" };
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	stores(&t, "fetching");
	for (int i = 0; i < UPGRADE_WRONG; i++) {
		CHECK_EQ(next(&t), UPGRADE_FETCH);
		upgrade_fetched(&t.u, &other);
	}
	CHECK_EQ(next(&t), UPGRADE_END);
	CHECK_STR(t.u.end.check, "image");
	ended(&t, "refused", "not the one that was signed");
}

TEST(what_runs_is_judged_by_what_is_seen_and_not_by_what_was_known)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ .minimum = "5.23.0" });
	stores(&t, "fetching");
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	upgrade_fetched(&t.u, &fine);
	look(&t);
	CHECK_EQ(next(&t), UPGRADE_REST);
	look(&t);
	see(&t, "5.20.0", "primary", "5.20.0");
	CHECK_EQ(next(&t), UPGRADE_END);
	CHECK_STR(t.u.end.check, "minimum");
	ended(&t, "refused", "it runs '5.20.0'");
}

TEST(a_device_that_has_it_in_both_places_is_not_touched)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	to_fetched(&t);
	look(&t);
	see(&t, "5.24.0", "primary", "5.24.0");
	ended(&t, "done", "it had 5.24.0 before, and was not touched");
}
