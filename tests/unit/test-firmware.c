/* tests/unit/test-firmware.c -- images on the server: whole and right, or not there; and the parts of them that clients ask for. */
#include "tests/test.h"

#include "base/fs.h"
#include "server/byte-range.h"
#include "server/firmware.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIZE = 700000, DAY_MS = 24 * 3600 * 1000 }; /* more than is gathered at a time */

struct depot {
	char dir[200], name[FIRMWARE_NAME_LEN + 1];
	struct firmware *firmware;
	struct buf image;
};

static void depot_init(struct depot *d, unsigned downloads)
{
	struct error err = { 0 };

	*d = (struct depot){ 0 };
	snprintf(d->dir, sizeof(d->dir), "%s", test_folder());
	for (unsigned i = 0; d->image.len < SIZE; i++)
		buf_addf(&d->image, "%u ", i * 2654435761U);
	buf_truncate(&d->image, SIZE);
	sha256_hex(d->name, buf_bytes(&d->image));
	CHECK_OK(firmware_new(&d->firmware, d->dir, downloads, &err));
}

static void depot_done(struct depot *d)
{
	firmware_free(d->firmware);
	buf_done(&d->image);
}

static int begin(struct upload **out, struct depot *d, uint64_t from, uint64_t size, uint64_t *received)
{
	struct error err = { 0 };
	int r = upload_begin(out, received, d->firmware, d->name, from, size, 1, &err);

	CHECK(r >= 0);
	return r;
}

static void add(struct upload *u, struct depot *d, size_t from, size_t to)
{
	struct error err = { 0 };

	for (size_t at = from; at < to; at += 5000)
		CHECK_OK(upload_add(u, bytes_of(d->image.ptr + at, to - at < 5000 ? to - at : 5000), &err));
}

struct seen {
	size_t whole, parts;
	uint64_t size;
};

static int see(void *ctx, const char *name, uint64_t size, bool is_whole)
{
	struct seen *seen = ctx;

	CHECK(firmware_name_is_valid(name));
	seen->whole += is_whole;
	seen->parts += !is_whole;
	seen->size = size;
	return 0;
}

static struct seen look(struct depot *d)
{
	struct seen seen = { 0 };
	struct error err = { 0 };

	CHECK_OK(firmware_each(d->firmware, see, &seen, &err));
	return seen;
}

static int open_it(struct depot *d, struct buf *out)
{
	struct error err = { 0 };
	uint64_t size = 0;
	int fd = -1, r = firmware_open(&fd, &size, d->firmware, d->name, &err);

	if (r == 0) {
		CHECK_OK(fd_read_all(out, fd, 2 * SIZE, &err));
		CHECK_EQ(out->len, size);
		close(fd);
	}
	return r;
}

TEST(an_image_is_there_once_it_is_whole_and_not_before)
{
	_cleanup_(buf_done) struct buf got = { 0 };
	struct upload *u, *other;
	struct error err = { 0 };
	uint64_t received;
	struct depot d;

	depot_init(&d, 4);
	CHECK_EQ(begin(&u, &d, 0, SIZE, &received), 0);
	add(u, &d, 0, SIZE);
	CHECK_EQ(open_it(&d, &got), FIRMWARE_ABSENT);
	CHECK_EQ(look(&d).whole, 0);
	CHECK_EQ(begin(&other, &d, 0, SIZE, &received), FIRMWARE_BUSY);
	CHECK_OK(upload_end(u, &err));
	CHECK_EQ(open_it(&d, &got), 0);
	CHECK(bytes_equal(buf_bytes(&got), buf_bytes(&d.image)));
	CHECK_EQ(look(&d).whole, 1);
	CHECK_EQ(look(&d).parts, 0);
	CHECK_EQ(begin(&u, &d, 0, SIZE, &received), FIRMWARE_THERE);
	depot_done(&d);
}

TEST(what_was_cut_off_goes_on_only_where_it_was)
{
	_cleanup_(buf_done) struct buf got = { 0 };
	struct upload *u;
	struct error err = { 0 };
	uint64_t received;
	struct depot d;

	depot_init(&d, 4);
	CHECK_EQ(begin(&u, &d, 0, SIZE, &received), 0);
	add(u, &d, 0, 400001);
	upload_rest(u, 2);
	CHECK_EQ(look(&d).size, 400001);
	CHECK_EQ(begin(&u, &d, 400000, SIZE, &received), FIRMWARE_ELSEWHERE);
	CHECK_EQ(received, 400001);
	CHECK_EQ(begin(&u, &d, 400001, SIZE, &received), 0);
	add(u, &d, 400001, SIZE);
	CHECK_OK(upload_end(u, &err));
	CHECK_EQ(open_it(&d, &got), 0);
	CHECK(bytes_equal(buf_bytes(&got), buf_bytes(&d.image)));
	depot_done(&d);
}

TEST(another_content_or_size_leaves_nothing)
{
	static const uint8_t more[] = { 1 };
	struct upload *u;
	struct error err = { 0 };
	uint64_t received;
	struct depot d;

	depot_init(&d, 4);
	CHECK_EQ(begin(&u, &d, 0, SIZE, &received), 0);
	add(u, &d, 0, SIZE - 1);
	CHECK_OK(upload_add(u, bytes_of(more, 1), &err)); /* text has no such byte */
	CHECK_EQ(upload_end(u, &err), E_FORMAT);
	CHECK(strstr(err.text, "SHA-256"));
	CHECK_EQ(begin(&u, &d, 0, SIZE, &received), 0);
	add(u, &d, 0, SIZE - 1);
	CHECK_EQ(upload_end(u, &err), E_FORMAT); /* one byte short */
	CHECK_EQ(begin(&u, &d, 0, SIZE - 1, &received), 0);
	add(u, &d, 0, SIZE - 1);
	CHECK_EQ(upload_add(u, bytes_of(more, 1), &err), E_LIMIT);
	CHECK_EQ(upload_end(u, &err), E_FORMAT);
	CHECK_EQ(look(&d).whole + look(&d).parts, 0);
	CHECK_EQ(begin(&u, &d, 5, SIZE, &received), FIRMWARE_ELSEWHERE);
	CHECK_EQ(received, 0);
	depot_done(&d);
}

static char *part_of(const struct depot *d, const char *suffix)
{
	return mem_printf("%s/firmware/%.2s/%s%s", d->dir, d->name, d->name, suffix);
}

TEST(parts_go_at_a_start_and_after_a_day_and_images_stay)
{
	_cleanup_(mem_freep) char *part = NULL, *image = NULL;
	struct upload *u;
	struct error err = { 0 };
	uint64_t received;
	struct depot d;

	depot_init(&d, 4);
	part = part_of(&d, ".part");
	image = part_of(&d, "");
	CHECK_EQ(begin(&u, &d, 0, SIZE, &received), 0);
	firmware_tidy(d.firmware, 3ULL * DAY_MS); /* somebody is at it */
	add(u, &d, 0, 100);
	upload_rest(u, 1000);
	firmware_tidy(d.firmware, 1000 + DAY_MS - 1);
	CHECK_EQ(look(&d).parts, 1);
	firmware_tidy(d.firmware, 1000 + DAY_MS);
	CHECK_EQ(look(&d).parts, 0);
	CHECK(access(part, F_OK) < 0);
	CHECK_EQ(begin(&u, &d, 0, SIZE, &received), 0);
	add(u, &d, 0, SIZE);
	CHECK_OK(upload_end(u, &err));
	CHECK_OK(fs_write(part, bytes_str("what a kill left"), 0600, &err));
	firmware_free(d.firmware);
	CHECK_OK(firmware_new(&d.firmware, d.dir, 4, &err));
	CHECK(access(part, F_OK) < 0 && access(image, F_OK) == 0);
	CHECK_EQ(look(&d).whole, 1);
	depot_done(&d);
}

TEST(the_part_that_rested_longest_gives_way_and_nobody_else)
{
	struct upload *u[FIRMWARE_UPLOADS_MAX], *more;
	struct error err = { 0 };
	char name[FIRMWARE_NAME_LEN + 1];
	uint64_t received;
	struct depot d;

	depot_init(&d, 4);
	for (unsigned i = 0; i < FIRMWARE_UPLOADS_MAX; i++) {
		snprintf(name, sizeof(name), "%064u", i);
		CHECK_OK(upload_begin(&u[i], &received, d.firmware, name, 0, SIZE, 1, &err));
		add(u[i], &d, 0, 10);
	}
	CHECK_EQ(begin(&more, &d, 0, SIZE, &received), FIRMWARE_BUSY);
	upload_rest(u[3], 20);
	upload_rest(u[5], 10);
	CHECK_EQ(begin(&more, &d, 0, SIZE, &received), 0);
	snprintf(name, sizeof(name), "%064u", 5);
	CHECK_EQ(upload_begin(&more, &received, d.firmware, name, 10, SIZE, 1, &err), FIRMWARE_ELSEWHERE); /* it is gone */
	snprintf(name, sizeof(name), "%064u", 3);
	CHECK_EQ(upload_begin(&more, &received, d.firmware, name, 10, SIZE, 1, &err), 0);
	depot_done(&d);
}

TEST(a_device_has_one_place_and_its_connection_before_is_cut)
{
	struct sweeper *sweeper = sweeper_new(1024);
	int first[2], second[2], third[2];
	struct depot d;
	char c;

	depot_init(&d, 2);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, first), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, second), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, third), 0);
	CHECK(firmware_enter(d.firmware, sweeper, "aaaaaaaaaaaaaaaaaaaaaaaaaa", first[0]));
	CHECK(firmware_enter(d.firmware, sweeper, "aaaaaaaaaaaaaaaaaaaaaaaaaa", second[0]));
	CHECK_EQ(sweeper_run(sweeper, 2), 1);
	CHECK_EQ(read(first[1], &c, 1), 0); /* cut */
	firmware_leave(d.firmware, first[0]);
	CHECK(firmware_enter(d.firmware, sweeper, "", third[0]));
	CHECK(!firmware_enter(d.firmware, sweeper, "", first[0])); /* two places, both in use */
	firmware_leave(d.firmware, second[0]);
	CHECK(firmware_enter(d.firmware, sweeper, "", first[0]));
	for (int i = 0; i < 2; i++) {
		close(first[i]);
		close(second[i]);
		close(third[i]);
	}
	sweeper_free(sweeper);
	depot_done(&d);
}

TEST(a_range_is_understood_or_the_whole_is_given)
{
	static const struct {
		const char *text;
		enum byte_range what;
		uint64_t from, len;
	} cases[] = {
		{ NULL, RANGE_WHOLE, 0, 100 },
		{ "bytes=0-", RANGE_PART, 0, 100 },
		{ "bytes=99-", RANGE_PART, 99, 1 },
		{ "bytes=10-19", RANGE_PART, 10, 10 },
		{ "bytes=10-10", RANGE_PART, 10, 1 },
		{ "bytes=10-500", RANGE_PART, 10, 90 },
		{ "bytes=100-", RANGE_BEYOND, 0, 0 },
		{ "bytes=9007199254740991-", RANGE_BEYOND, 0, 0 },
		{ "bytes=9007199254740992-", RANGE_WHOLE, 0, 100 },
		{ "bytes=19-10", RANGE_WHOLE, 0, 100 },
		{ "bytes=-5", RANGE_WHOLE, 0, 100 },
		{ "bytes=0-1,5-6", RANGE_WHOLE, 0, 100 },
		{ "bytes=010-", RANGE_WHOLE, 0, 100 },
		{ "bytes= 1-", RANGE_WHOLE, 0, 100 },
		{ "bytes=1-x", RANGE_WHOLE, 0, 100 },
		{ "bits=1-", RANGE_WHOLE, 0, 100 },
		{ "", RANGE_WHOLE, 0, 100 },
	};
	uint64_t from, len;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (byte_range_of(&from, &len, cases[i].text, 100) != cases[i].what)
			fail_msg("'%s' is something else", cases[i].text);
		if (cases[i].what != RANGE_BEYOND) {
			CHECK_EQ(from, cases[i].from);
			CHECK_EQ(len, cases[i].len);
		}
	}
	CHECK_EQ(byte_range_of(&from, &len, "bytes=0-", 0), RANGE_BEYOND);
}

TEST(a_body_goes_on_to_the_end_or_is_not_taken)
{
	static const char *const bad[] = { "bytes 40-98/100",
					   "bytes 40-99/101",
					   "bytes 41-99/100",
					   "bytes 40-99/*",
					   "bytes */100",
					   "40-99/100",
					   "bytes 40-99/100 ",
					   "bytes 040-99/100",
					   "bytes 100-99/100",
					   "bytes 0-0/0",
					   "" };
	uint64_t from, size;

	CHECK(byte_range_of_body(&from, &size, NULL, 60));
	CHECK(from == 0 && size == 60);
	CHECK(byte_range_of_body(&from, &size, "bytes 40-99/100", 60));
	CHECK(from == 40 && size == 100);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (byte_range_of_body(&from, &size, bad[i], 60))
			fail_msg("'%s' is taken", bad[i]);
}
