/* tests/unit/test-orders-time.c -- when an order is due, and whether it fits the device as it is. */
#include "tests/test.h"
#include "tests/unit/judging.h"

#include "agent/device.h"
#include "agent/floor.h"
#include "base/clock.h"
#include "base/fs.h"

#include <sodium.h>
#include <stdio.h>

/* ---- when ---- */

TEST(a_number_rises_by_at_most_a_thousand_and_is_used_once)
{
	_cleanup_(orders_item_done) struct orders_item first = { 0 };
	struct orders_judgement j;

	begin_test("");
	refused(CHECK_NUMBER, "order 6 is not above 6", PLAN(.number = 6));
	refused(CHECK_NUMBER, "order 1 is not above 6", PLAN(.number = 1));
	refused(CHECK_NUMBER, "more than 1000 above 6", PLAN(.number = 1007));
	bring(&first, PLAN(.number = 7));
	orders_judge(&j, &first, &view);
	CHECK_EQ(j.verdict, ORDERS_OBEY);
	orders_note_taken(&seen, 7, first.leaf);
	orders_judge(&j, &first, &view);
	CHECK_EQ(j.verdict, ORDERS_KNOWN); /* replayed: its receipt exists */
	refused(CHECK_NUMBER, "order 7 is not above 7",
		PLAN(.number = 7, .more = "mode: lines\nconfirm: 61\n")); /* another with its number */
}

TEST(what_was_refused_is_known_and_forgeries_push_no_genuine_one_out)
{
	uint8_t leaf[HASH_LEN] = { 0 };

	begin_test("");
	orders_note_taken(&seen, 7, leaf);
	for (unsigned i = 1; i <= 1000; i++) {
		memcpy(leaf, &i, sizeof(i));
		orders_note_forged(&seen, 500, leaf);
		CHECK(orders_knows(&seen, leaf));
	}
	memset(leaf, 0, sizeof(leaf));
	CHECK(orders_knows(&seen, leaf));
	CHECK_EQ(seen.last, 7);
}

TEST(what_is_remembered_comes_back_from_bytes)
{
	_cleanup_(buf_done) struct buf bytes = { 0 };
	struct orders_seen back;
	struct reader rd;

	for (unsigned n = 0; n < 200; n += 7) {
		seen = (struct orders_seen){ .closed = n, .said = n + 1 };
		for (unsigned i = 0; i < n; i++) {
			uint8_t leaf[HASH_LEN];

			randombytes_buf(leaf, sizeof(leaf));
			orders_note_taken(&seen, i, leaf);
			orders_note_forged(&seen, i, leaf);
		}
		buf_truncate(&bytes, 0);
		orders_seen_write(&bytes, &seen);
		rd = reader_over(buf_bytes(&bytes));
		orders_seen_read(&back, &rd);
		CHECK(reader_done(&rd));
		assert_memory_equal(&back, &seen, sizeof(seen));
	}
}

TEST(an_order_is_obeyed_only_in_its_time)
{
	begin_test("");
	refused(CHECK_EXPIRED, "it expired at", PLAN(.begins = NOW - 100, .expires = NOW));
	refused(CHECK_NOT_YET, "it begins at", PLAN(.begins = NOW + 1000));
	waited(CHECK_NOT_YET, PLAN(.begins = NOW + 200)); /* clocks differ a little */
	waited(CHECK_WINDOW, PLAN(.window = "daily 20:00-21:00")); /* NOW is 08:00 */
	obeyed(PLAN(.window = "fri 07:00-09:00"));
	refused(CHECK_EXPIRED, "it expired", PLAN(.window = "daily 20:00-21:00", .begins = NOW - 100, .expires = NOW));
}

TEST(an_expired_root_is_good_for_no_order)
{
	int64_t expires;

	begin_test("");
	CHECK(clock_parse(&expires, bytes_str("2199-01-01T00:00:00Z")));
	view.floor_s = expires - 1;
	obeyed(PLAN(.expires = expires + 1000));
	view.clock_s = expires + TEN_YEARS; /* a clock does not expire it */
	obeyed(PLAN(.expires = expires + 1000));
	view.floor_s = expires;
	refused(CHECK_ROOT_EXPIRED, "root 1 expired at 2199-01-01T00:00:00Z", PLAN(.expires = expires + 1000));
	refused(CHECK_ROOT_EXPIRED, "put the next root in force", PLAN(.kind = "revert", .expires = expires + 1000));
	refused(CHECK_SIGNER, "stranger", PLAN(.key = STRANGER));
}

TEST(a_clock_moved_by_ten_years_neither_expires_nor_revives)
{
	begin_test("");
	view.clock_s = NOW + TEN_YEARS;
	obeyed(PLAN(.number = 7));
	waited(CHECK_NOT_YET, PLAN(.begins = NOW + 1000)); /* not before what is signed says so */
	view.clock_s = NOW - TEN_YEARS;
	obeyed(PLAN(.number = 7));
	waited(CHECK_NOT_YET, PLAN(.begins = NOW + 1000));
	refused(CHECK_EXPIRED, "it expired", PLAN(.begins = NOW - 100, .expires = NOW - 1));
}

TEST(the_floor_only_rises_and_outlives_a_restart)
{
	const char *dir = test_folder();
	_cleanup_(mem_freep) char *path = mem_printf("%s/floor", dir);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct floor f = { 0 }, again;
	struct error err = { 0 };

	CHECK_EQ(floor_now(&f), 0);
	CHECK_OK(floor_keep(&f, dir, &err)); /* nothing to keep */
	CHECK_EQ(fs_read(&text, path, 100, &err), FS_ABSENT);
	floor_raise(&f, NOW);
	floor_raise(&f, NOW - TEN_YEARS);
	CHECK(floor_now(&f) >= NOW && floor_now(&f) < NOW + 60);
	CHECK_OK(floor_keep(&f, dir, &err));
	floor_load(&again, dir);
	CHECK(floor_now(&again) >= NOW && floor_now(&again) < NOW + 60);
	/* this machine has run for an hour since: that counts; another start of it does not tell */
	again.at_ms -= 3600000;
	CHECK(floor_now(&again) >= NOW + 3600);
	CHECK_OK(floor_keep(&again, dir, &err));
	floor_load(&f, dir);
	CHECK(floor_now(&f) >= NOW + 3600);
	CHECK_OK(fs_write(path, bytes_str("time: 2027-01-15T08:00:00Z\nboot: another 5\n"), 0600, &err));
	floor_load(&f, dir);
	CHECK_EQ(floor_now(&f), NOW);
	CHECK_OK(fs_write(path, bytes_str("time: yesterday\n"), 0600, &err));
	floor_load(&f, dir);
	CHECK_EQ(floor_now(&f), 0);
}

/* ---- the device ---- */

TEST(what_the_driver_cannot_do_is_refused)
{
	begin_test("");
	refused(CHECK_CAPABILITY, "cannot carry out 'reboot'", PLAN(.kind = "reboot"));
	view.capabilities = DEVICE_STARTUP | DEVICE_SAVE;
	refused(CHECK_CAPABILITY, "cannot carry out 'apply'", PLAN(.number = 7));
	refused(CHECK_CAPABILITY, "cannot carry out 'revert'", PLAN(.kind = "revert"));
	obeyed(PLAN(.kind = "save"));
}

static void as_device(const struct settings_device *dev)
{
	view.driver = device_driver(dev->driver);
	view.dev = dev;
	view.capabilities = device_capabilities(view.driver, dev);
}

TEST(a_device_that_lacks_what_its_kind_can_do_says_what_would_let_it)
{
	char weos[] = "weos", gateway[] = "files", address[] = "192.0.2.1:22";
	struct settings_weos way = { .ssh = address };
	struct settings_files files = { 0 };
	struct settings_device sw = { .driver = weos, .weos = &way }, gw = { .driver = gateway, .files = &files };

	begin_test("");
	as_device(&sw);
	refused(CHECK_CAPABILITY, "reach it by its console ('serial', 'tcp' or 'rfc2217'), and set 'serve'; or do it at the device",
		PLAN(.kind = "upgrade"));
	way = (struct settings_weos){ .serial = address };
	as_device(&sw);
	refused(CHECK_CAPABILITY, "set 'serve'", PLAN(.kind = "upgrade", .number = 8));
	refused(CHECK_CAPABILITY, "the driver of this device cannot carry out 'reboot'", PLAN(.kind = "reboot", .number = 9));
	as_device(&gw);
	refused(CHECK_CAPABILITY, "set 'upgrade'", PLAN(.kind = "upgrade", .number = 10));
}

#define NAMES "challenge: " HASH_A "\n"

TEST(what_erases_names_the_challenge_that_the_device_said_last_and_no_hold_stops_it)
{
	static const uint8_t other[HASH_LEN] = { 1 };
	static const char *const approvals[] = { "bob", NULL };
	static const int by[] = { BOB };
	uint8_t said[HASH_LEN];

	begin_test("role: retirer alice bob\n");
	CHECK(hex_decode(said, sizeof(said), bytes_str(HASH_A)));
	view.capabilities |= DEVICE_PURGE;
	refused(CHECK_CHALLENGE, "none that is still in force",
		PLAN(.kind = "purge", .more = NAMES, .approvals = approvals, .approval_keys = by));
	view.challenge = other;
	refused(CHECK_CHALLENGE, "another one than the device said last",
		PLAN(.kind = "purge", .more = NAMES, .approvals = approvals, .approval_keys = by));
	view.challenge = said;
	place.is_held = place.is_unsaved = true;
	place.has_startup = false;
	obeyed(PLAN(.kind = "purge", .more = NAMES, .approvals = approvals, .approval_keys = by));
	refused(CHECK_CAPABILITY, "cannot carry out 'factory-reset'",
		PLAN(.kind = "factory-reset", .more = NAMES, .approvals = approvals, .approval_keys = by));
	refused(CHECK_THRESHOLD, "1 of 2 people", PLAN(.kind = "purge", .more = NAMES));
	refused(CHECK_SIGNER, "does not have the role 'retirer'", PLAN(.kind = "purge", .more = NAMES, .person = "carol", .key = CAROL));
}

TEST(nothing_is_overwritten)
{
	begin_test("");
	place.is_busy = true;
	refused(CHECK_BUSY, "another change", PLAN(.number = 7));
	place.is_busy = false;
	place.is_held = true;
	snprintf(place.held_by, sizeof(place.held_by), "anna");
	refused(CHECK_HELD, "held by anna", PLAN(.kind = "save"));
	obeyed(PLAN(.kind = "release"));
	place.is_held = false;
	place.is_unsaved = true;
	refused(CHECK_UNSAVED, "running differs from startup", PLAN(.number = 7));
	obeyed(PLAN(.kind = "save"));
	obeyed(PLAN(.kind = "revert"));
	place.has_startup = false;
	refused(CHECK_UNSAVED, "no startup configuration", PLAN(.kind = "revert"));
	obeyed(PLAN(.kind = "save"));
}

TEST(the_base_must_still_be_what_runs)
{
	static const char since[] = "base: 40 0100000000000000000000000000000000000000000000000000000000000000\n",
			  newest[] = "base: 42 0200000000000000000000000000000000000000000000000000000000000000\n",
			  other[] = "base: 40 " HASH_A "\n", between[] = "base: 41 " HASH_A "\n", older[] = "base: 39 " HASH_A "\n",
			  later[] = "base: 43 " HASH_A "\n", forked[] = "base: 42 " HASH_A "\n";

	begin_test("");
	obeyed(PLAN(.kind = "save", .more = since));
	obeyed(PLAN(.kind = "save", .more = newest));
	obeyed(PLAN(.kind = "save", .more = between));
	refused(CHECK_BASE, "planned for snapshot 39, and running changed since (snapshot 40)", PLAN(.kind = "save", .more = older));
	refused(CHECK_BASE, "planned for snapshot 43", PLAN(.kind = "revert", .more = later));
	refused(CHECK_BASE, "planned for snapshot 40", PLAN(.kind = "save", .more = other));
	refused(CHECK_BASE, "planned for snapshot 42", PLAN(.kind = "save", .more = forked));
}
