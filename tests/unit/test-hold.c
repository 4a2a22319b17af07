/* tests/unit/test-hold.c -- holds of an engineer: how long, and what counts when one cannot be read. */
#include "tests/test.h"

#include "agent/hold.h"
#include "base/fs.h"

#include <sys/stat.h>
#include <unistd.h>

TEST(a_hold_is_kept_until_its_time_and_can_be_released)
{
	struct hold hold = { .until_s = 1800003600, .who = "alice", .why = "a trial\nuntil: 2020-01-01T00:00:00Z" }, read;
	const char *dir = test_folder();
	struct error err = { 0 };

	CHECK_EQ(hold_read(&read, dir, 1800000000, &err), HOLD_NONE);
	must(hold_write(&hold, dir, &err), &err);
	CHECK_EQ(hold_read(&read, dir, 1800000000, &err), 0);
	CHECK_EQ(read.until_s, 1800003600);
	CHECK_STR(read.who, "alice");
	CHECK_STR(read.why, "a trial?until: 2020-01-01T00:00:00Z"); /* one line, whatever it says */
	CHECK_EQ(hold_read(&read, dir, 1800003600, &err), HOLD_NONE);
	must(hold_release(dir, &err), &err);
	CHECK_EQ(hold_read(&read, dir, 1800000000, &err), HOLD_NONE);
	must(hold_release(dir, &err), &err);
}

TEST(a_hold_that_cannot_be_understood_holds)
{
	static const char *const texts[] = {
		"", "nonsense", "until: \n", "until: tomorrow\n", "until: 2026-13-01T00:00:00Z\n", "who: alice\n", "\xff\xfe\n"
	};
	const char *dir = test_folder();
	_cleanup_(mem_freep) char *path = mem_printf("%s/hold", dir);
	_cleanup_(buf_done) struct buf huge = { 0 };
	struct error err = { 0 };
	struct hold read;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		must(fs_write(path, bytes_str(texts[i]), 0600, &err), &err);
		CHECK_EQ(hold_read(&read, dir, 1800000000, &err), 0);
		CHECK(read.until_s > 1800000000);
	}
	buf_extend(&huge, 100000);
	must(fs_write(path, buf_bytes(&huge), 0600, &err), &err);
	CHECK_EQ(hold_read(&read, dir, 1800000000, &err), 0);
}

TEST(times_to_hold_have_one_unit_and_a_bound)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = {
		{ "90s", 90 }, { "30m", 1800 }, { "2h", 7200 }, { "30d", 2592000 }, { "31d", 0 }, { "2592001s", 0 },
		{ "0s", 0 },   { "5", 0 },      { "h", 0 },     { "", 0 },          { "-5m", 0 }, { "1.5h", 0 },
		{ "5 m", 0 },  { "05m", 0 },    { "5mm", 0 },   { "99999999s", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_EQ(hold_duration(cases[i].text), cases[i].seconds);
}
