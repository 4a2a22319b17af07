/* tests/unit/test-upgrade-journal.c -- whatever dies, an upgrade goes on or back from its journal. */
#include "tests/test.h"
#include "tests/unit/upgrading.h"

TEST(the_disk_that_refuses_the_journal_keeps_everything_from_beginning)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	CHECK_EQ(next(&t), UPGRADE_STORE);
	upgrade_stored(&t.u, false, t.now.ms);
	CHECK(!upgrade_is_open(&t.u));
	begin_about(&t, &(struct about){ 0 });
	to_fetched(&t);
	look(&t);
	see(&t, "5.23.0", "primary", "5.23.0");
	CHECK_EQ(next(&t), UPGRADE_STORE);
	upgrade_stored(&t.u, false, t.now.ms);
	CHECK_EQ(next(&t), UPGRADE_REST);
	t.now.ms += 6000;
	stores(&t, "installing");
	upgrade_done(&t.u);
}

/* As after a death of the agent. */
static void reborn(struct upgrading *t)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	upgrade_write(&text, &t->u);
	upgrade_done(&t->u);
	CHECK_OK(upgrade_read(&t->u, buf_bytes(&text), t->now.ms, &err));
}

TEST(an_agent_that_dies_goes_on_with_the_step_of_its_journal)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	stores(&t, "fetching");
	reborn(&t);
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	upgrade_fetched(&t.u, &fine);
	CHECK_EQ(next(&t), UPGRADE_REST);
	reborn(&t);
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	upgrade_fetched(&t.u, &fine);
	CHECK_EQ(next(&t), UPGRADE_REST);
	look(&t);
	see(&t, "5.23.0", "primary", "5.23.0");
	stores(&t, "installing");
	reborn(&t);
	CHECK_STR(t.u.slot, "primary");
	CHECK_STR(t.u.version, "5.23.0");
	CHECK_STR(statement_get(t.u.batch, "person"), "alice");
	answers(&t, DEVICE_UPGRADE_INSTALL, 0, "");
	stores(&t, "starting");
	reborn(&t);
	stores(&t, "starting"); /* that it may have begun is noted before anything else */
	see(&t, "5.24.0", "secondary", "5.23.0");
	stores(&t, "proving");
	reborn(&t);
	prove(&t, "secondary");
	stores(&t, "keeping");
	reborn(&t);
	answers(&t, DEVICE_UPGRADE_KEEP, 0, "");
	stores(&t, "restarting");
	reborn(&t);
	answers(&t, DEVICE_UPGRADE_RESTART, 0, "");
	stores(&t, "settling");
	reborn(&t);
	prove(&t, "primary");
	ended(&t, "done", "5.24.0, before it 5.23.0");
}

TEST(a_machine_that_restarts_into_the_old_one_each_time_goes_back)
{
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	to_installing(&t);
	answers(&t, DEVICE_UPGRADE_INSTALL, 0, "");
	stores(&t, "starting");
	reborn(&t);
	stores(&t, "starting");
	see(&t, "5.23.0", "primary", "5.24.0");
	CHECK_EQ(next(&t), UPGRADE_STEP);
	reborn(&t);
	stores(&t, "starting");
	see(&t, "5.23.0", "primary", "5.24.0");
	stores(&t, "returning");
	reborn(&t);
	see(&t, "5.23.0", "primary", "5.24.0");
	look(&t);
	ended(&t, "returned", "what it ran before came up");
}

TEST(a_journal_that_does_not_hold_is_an_error)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	struct upgrade other;
	struct upgrading t;

	begin_about(&t, &(struct about){ 0 });
	to_installing(&t);
	upgrade_write(&text, &t.u);
	for (size_t i = 0; i < text.len; i += 7) {
		text.ptr[i] ^= 1;
		CHECK_EQ(upgrade_read(&other, buf_bytes(&text), 0, &err), E_FORMAT);
		CHECK_EQ(upgrade_read(&other, bytes_of(text.ptr, i), 0, &err), E_FORMAT);
		text.ptr[i] ^= 1;
	}
	upgrade_done(&t.u);
}
