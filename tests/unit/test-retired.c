/* tests/unit/test-retired.c -- of a device that is retired nothing stays but what says so. */
#include "tests/test.h"

#include "agent/retired.h"
#include "base/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define ME "abcdefghijklmnopqrstuvwxyz"
#define OLD_ID "zyxwvutsrqponmlkjihgfedcba"

enum { NOW = 1800000000 };

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
	CHECK_EQ(bytes.len, strlen("SECRET SEED"));
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
