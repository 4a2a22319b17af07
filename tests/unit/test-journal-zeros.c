/* tests/unit/test-journal-zeros.c -- the same of files that are made beforehand, of zeros, and written over. */
#include "tests/test.h"

#include "tests/unit/disk.h"
#include "tests/unit/journaled.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* What file 3 is made of when file 1 came to little more than 1 MiB: that and an eighth, in pieces of 256 KiB. */
enum { MIB = 1 << 20, FILL = MIB + MIB / 4 };

static void append_bytes(struct journal *journal, size_t len)
{
	_cleanup_(buf_done) struct buf batch = { 0 }, content = { 0 };
	struct error err = { 0 };

	memset(buf_extend(&content, len), 'x', len);
	journal_add(&batch, 'S', buf_bytes(&content));
	CHECK_OK(journal_append(journal, buf_bytes(&batch), &err));
	journal_mark(journal);
}

static char *path_in(const char *dir, unsigned n)
{
	return mem_printf("%s/%010u", dir, n);
}

/* -1: there is none. */
static off_t size_of(const char *dir, unsigned n)
{
	_cleanup_(mem_freep) char *path = path_in(dir, n);
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

static void rotate(struct journal *journal, uint64_t number)
{
	struct error err = { 0 };
	uint64_t before;

	CHECK_OK(journal_rotate(&before, journal, &err));
	CHECK_EQ(before, number);
}

/* In a fresh folder, file 1 came to len and is dropped, and file 3 is in hand, made beforehand. */
static struct journal *filled(const char *dir, struct replay *replay, size_t len)
{
	struct journal *journal;
	struct error err = { 0 };
	uint64_t cut;

	journal = reopen(NULL, dir, replay, &cut);
	append_bytes(journal, len);
	rotate(journal, 2);
	CHECK_OK(journal_prepare(journal, &err));
	append(journal, first, true);
	rotate(journal, 3);
	CHECK_OK(journal_drop(journal, 3, &err));
	return journal;
}

TEST(a_file_made_beforehand_keeps_its_length_and_what_is_written_over_its_zeros)
{
	struct replay replay = { 0 };
	struct journal *journal;
	uint64_t cut;
	const char *dir = test_folder();

	journal = filled(dir, &replay, MIB - 30); /* a record's head and a mark are counted, too */
	CHECK_EQ(size_of(dir, 3), FILL);
	CHECK_EQ(journal_end(journal), 3); /* zeros are nothing that was appended */
	rotate(journal, 3);
	append(journal, first, true);
	append(journal, second, false);
	CHECK_EQ(journal_end(journal), 4);
	CHECK_EQ(size_of(dir, 3), FILL);
	journal = reopen(journal, dir, &replay, &cut);
	CHECK_BYTES(buf_bytes(&replay.all), "one two three ");
	CHECK_EQ(cut, 0);
	append(journal, first, true);
	journal = reopen(journal, dir, &replay, &cut);
	CHECK_BYTES(buf_bytes(&replay.all), "one two three one two ");
	CHECK_EQ(cut, 0);
	journal_close(journal);
	buf_done(&replay.all);
}

TEST(the_next_file_is_made_beforehand_where_much_arrives_and_nowhere_else)
{
	struct replay replay = { 0 };
	struct journal *journal;
	struct error err = { 0 };
	uint64_t cut;
	const char *dir = test_folder();

	journal = reopen(NULL, dir, &replay, &cut);
	CHECK_OK(journal_prepare(journal, &err));
	append(journal, first, true);
	rotate(journal, 2);
	CHECK_OK(journal_prepare(journal, &err));
	CHECK_EQ(size_of(dir, 3), -1);
	for (size_t i = 0; i < 6; i++)
		append_bytes(journal, 6 * MIB);
	rotate(journal, 3);
	CHECK_EQ(size_of(dir, 3), 0); /* nobody knew */
	CHECK_OK(journal_prepare(journal, &err));
	CHECK_EQ(size_of(dir, 4), 32 * MIB);
	CHECK_OK(journal_prepare(journal, &err)); /* it is there: nothing to do */
	CHECK_EQ(size_of(dir, 5), -1);
	append(journal, second, true);
	rotate(journal, 4);
	CHECK_OK(journal_prepare(journal, &err));
	CHECK_EQ(size_of(dir, 5), -1); /* it is quiet again */
	append_bytes(journal, 2 * MIB);
	rotate(journal, 5);
	CHECK_OK(journal_prepare(journal, &err));
	CHECK(size_of(dir, 6) > 2 * MIB);
	CHECK_OK(journal_drop(journal, 5, &err)); /* what is to come is not dropped */
	CHECK(size_of(dir, 6) > 2 * MIB);
	journal = journal_close(journal);
	CHECK_EQ(size_of(dir, 6), -1); /* nobody needs it any more */
	buf_done(&replay.all);
}

TEST(a_file_that_comes_to_more_than_its_zeros_grows)
{
	struct replay replay = { 0 };
	struct journal *journal;
	uint64_t cut;
	off_t fill;
	const char *dir = test_folder();

	journal = filled(dir, &replay, MIB);
	fill = size_of(dir, 3);
	append_bytes(journal, (size_t)fill - 130);
	append(journal, first, true);
	append(journal, second, false); /* the zeros end in this one */
	CHECK(size_of(dir, 3) > fill);
	journal_undo(journal);
	CHECK_EQ(size_of(dir, 3), fill);
	append(journal, second, false);
	append(journal, first, false); /* and this one lies behind them */
	journal_undo(journal);
	append(journal, second, true);
	CHECK(size_of(dir, 3) > fill);
	journal = reopen(journal, dir, &replay, &cut);
	CHECK_EQ(cut, 0);
	CHECK_BYTES(bytes_from(buf_bytes(&replay.all), (size_t)fill - 130), "one two three three ");
	journal_close(journal);
	buf_done(&replay.all);
}

/* The bytes of file 3, and where what was acknowledged of it ends: behind that there is a batch that was not. */
static size_t filled_text(struct buf *out, const char *dir)
{
	_cleanup_(mem_freep) char *path = path_in(dir, 3);
	struct replay replay = { 0 };
	struct journal *journal;
	struct error err = { 0 };
	size_t good;

	journal = filled(dir, &replay, MIB);
	append(journal, first, true);
	CHECK_OK(fs_read(out, path, 4 * MIB, &err));
	good = seen(buf_bytes(out), 0, out->len);
	append(journal, second, false);
	buf_truncate(out, 0);
	CHECK_OK(fs_read(out, path, 4 * MIB, &err));
	journal_close(journal);
	buf_done(&replay.all);
	return good;
}

/* The folder holds file 3 with these bytes, and nothing else. */
static void only_file(const char *dir, struct bytes text)
{
	_cleanup_(mem_freep) char *path = path_in(dir, 3);

	for (unsigned n = 1; n < 20; n++) {
		_cleanup_(mem_freep) char *other = path_in(dir, n);

		unlink(other);
	}
	put_file(path, text);
}

/* It is opened, and once more with a newer file behind it: both times there is only what was acknowledged. */
static void check_cut(const char *dir, struct bytes text, size_t good, size_t cut_len)
{
	struct replay replay = { 0 };
	struct journal *journal;
	uint64_t cut;

	only_file(dir, text);
	journal = reopen(NULL, dir, &replay, &cut);
	CHECK_BYTES(buf_bytes(&replay.all), "one two ");
	CHECK_EQ(cut, cut_len);
	CHECK_EQ(size_of(dir, 3), cut_len ? (off_t)good : (off_t)text.len);
	append(journal, first, true);
	journal = reopen(journal, dir, &replay, &cut);
	CHECK_BYTES(buf_bytes(&replay.all), "one two one two ");
	CHECK_EQ(cut, 0);
	journal_close(journal);
	buf_done(&replay.all);
}

TEST(over_zeros_a_write_torn_anywhere_is_cut_off_and_stays_away)
{
	_cleanup_(buf_done) struct buf whole = { 0 }, torn = { 0 };
	const char *dir = test_folder();
	size_t good = filled_text(&whole, dir), end = seen(buf_bytes(&whole), 0, whole.len);

	buf_truncate(&whole, end + 300); /* the disk writes what it likes of it, and of the zeros behind it */
	for (size_t at = good; at < end; at++) {
		size_t left = seen(buf_bytes(&whole), good, at);

		buf_truncate(&torn, 0); /* its beginning is there */
		buf_add(&torn, whole.ptr, at);
		memset(buf_extend(&torn, whole.len - at), 0, whole.len - at);
		check_cut(dir, buf_bytes(&torn), good, left);
		if (at == good)
			continue;
		buf_truncate(&torn, 0); /* its end is there */
		buf_add(&torn, whole.ptr, good);
		memset(buf_extend(&torn, at - good), 0, at - good);
		buf_add(&torn, whole.ptr + at, whole.len - at);
		check_cut(dir, buf_bytes(&torn), good, seen(buf_bytes(&torn), good, torn.len));
	}
}

static void check_damaged(const char *dir, struct bytes text)
{
	struct replay replay = { 0 };
	struct journal *journal;
	struct error err = { 0 };
	uint64_t cut;

	only_file(dir, text);
	CHECK_EQ(journal_open(&journal, dir, take, &replay, &cut, &err), E_FORMAT);
	CHECK(strstr(err.text, "0000000003") && strstr(err.text, "is damaged at byte") && strstr(err.text, "restore it"));
	buf_done(&replay.all);
}

TEST(over_zeros_too_what_was_acknowledged_and_is_lost_is_an_error)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	const char *dir = test_folder();
	size_t good = filled_text(&whole, dir), acknowledged = good - 25; /* what a mark takes */

	for (size_t at = 0; at < acknowledged; at++) {
		whole.ptr[at] ^= 0x10;
		check_damaged(dir, buf_bytes(&whole));
		whole.ptr[at] ^= 0x10;
	}
	for (size_t from = 0; from < acknowledged; from++) { /* zeros, and something behind them */
		_cleanup_(buf_done) struct buf lost = { 0 };

		buf_add_bytes(&lost, buf_bytes(&whole));
		memset(lost.ptr + from, 0, acknowledged - from);
		check_damaged(dir, buf_bytes(&lost));
	}
}

TEST(only_the_newest_file_that_holds_anything_may_be_torn)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	_cleanup_(mem_freep) char *third = NULL, *fourth = NULL, *fifth = NULL;
	struct replay replay = { 0 };
	struct journal *journal;
	struct error err = { 0 };
	uint64_t cut;
	const char *dir = test_folder();
	size_t good = filled_text(&whole, dir), end = seen(buf_bytes(&whole), 0, whole.len);

	third = path_in(dir, 3);
	fourth = path_in(dir, 4);
	fifth = path_in(dir, 5);
	for (size_t len = 0; len <= 2 * MIB; len += MIB / 2) { /* a stop while the next one was made */
		_cleanup_(buf_done) struct buf zeros = { 0 };

		memset(buf_extend(&zeros, len), 0, len);
		only_file(dir, bytes_of(whole.ptr, end - 1));
		put_file(fourth, buf_bytes(&zeros));
		put_file(fifth, buf_bytes(&zeros));
		journal = reopen(NULL, dir, &replay, &cut);
		CHECK_BYTES(buf_bytes(&replay.all), "one two ");
		CHECK_EQ(cut, end - 1 - good);
		CHECK_EQ(size_of(dir, 3), good);
		rotate(journal, 6);
		CHECK_OK(journal_drop(journal, 6, &err)); /* nor does anything stay of them */
		CHECK_EQ(size_of(dir, 3), -1);
		CHECK_EQ(size_of(dir, 4), -1);
		CHECK_EQ(size_of(dir, 5), -1);
		journal = journal_close(journal);
	}
	/* with one byte in it, it is the newest */
	only_file(dir, bytes_of(whole.ptr, end - 1));
	put_file(fourth, bytes_of("\0\0\0H\0", 5));
	buf_truncate(&replay.all, 0);
	CHECK_EQ(journal_open(&journal, dir, take, &replay, &cut, &err), E_FORMAT);
	CHECK(strstr(err.text, "0000000003"));
	only_file(dir, bytes_of(whole.ptr, good));
	put_file(fourth, bytes_of("\0\0\0H\0", 5));
	journal = reopen(NULL, dir, &replay, &cut);
	CHECK_BYTES(buf_bytes(&replay.all), "one two ");
	CHECK_EQ(cut, 4);
	CHECK_EQ(size_of(dir, 4), 0);
	journal_close(journal);
	buf_done(&replay.all);
}

TEST(what_is_undone_over_zeros_is_zeros_again)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(mem_freep) char *path = NULL;
	struct replay replay = { 0 };
	struct journal *journal;
	struct error err = { 0 };
	uint64_t cut;
	size_t good;
	off_t fill;
	const char *dir = test_folder();

	path = path_in(dir, 3);
	journal = filled(dir, &replay, MIB);
	fill = size_of(dir, 3);
	append(journal, first, true);
	CHECK_OK(fs_read(&text, path, 4 * MIB, &err));
	good = seen(buf_bytes(&text), 0, text.len);
	append(journal, second, false);
	journal_undo(journal);
	buf_truncate(&text, 0);
	CHECK_OK(fs_read(&text, path, 4 * MIB, &err));
	CHECK_EQ(text.len, fill);
	CHECK_EQ(seen(buf_bytes(&text), 0, text.len), good);
	append(journal, second, true);
	journal = reopen(journal, dir, &replay, &cut);
	CHECK_BYTES(buf_bytes(&replay.all), "one two three ");
	CHECK_EQ(cut, 0);
	journal_close(journal);
	buf_done(&replay.all);
}

/* Appending fails, at each of its steps and from each on: nothing of it comes back, and once the disk is well again it goes on. */
static void fail_append(void (*tell)(long n, int error), int refusal, bool *was_cut)
{
	long steps = 1;

	for (long n = 0; n < steps; n++) {
		_cleanup_(buf_done) struct buf batch = { 0 };
		struct replay replay = { 0 };
		struct error err = { 0 };
		struct journal *journal;
		uint64_t cut;
		off_t fill;
		int r;
		const char *dir = test_folder();

		journal = filled(dir, &replay, MIB);
		fill = size_of(dir, 3);
		append(journal, first, true);
		journal_add(&batch, 'S', bytes_str("lost "));
		tell(n, refusal);
		r = journal_append(journal, buf_bytes(&batch), &err);
		CHECK(r == 0 || err.sys == refusal);
		if (r == 0)
			journal_undo(journal);
		steps = disk_ok() + 1;
		*was_cut |= size_of(dir, 3) < fill;
		append(journal, second, true);
		journal = reopen(journal, dir, &replay, &cut);
		CHECK_BYTES(buf_bytes(&replay.all), "one two three ");
		CHECK_EQ(cut, 0);
		journal_close(journal);
		buf_done(&replay.all);
		if (r == 0 && n + 1 == steps)
			break;
	}
	CHECK(steps > 4);
}

TEST(over_zeros_a_disk_that_refuses_leaves_nothing_that_comes_back)
{
	bool was_cut = false;

	fail_append(disk_refuse_once, EIO, &was_cut);
	CHECK(was_cut); /* where zeros are refused it is cut, as ever */
	was_cut = false;
	fail_append(disk_refuse_from, ENOSPC, &was_cut);
}

TEST(a_disk_that_has_no_room_for_the_next_file_keeps_nobody_from_going_on)
{
	long steps = 1;

	for (long n = 0; n < steps; n++) {
		struct replay replay = { 0 };
		struct error err = { 0 };
		struct journal *journal;
		uint64_t cut;
		const char *dir = test_folder();
		int r;

		journal = reopen(NULL, dir, &replay, &cut);
		append_bytes(journal, MIB);
		rotate(journal, 2);
		disk_refuse_from(n, ENOSPC);
		r = journal_prepare(journal, &err);
		steps = disk_ok() + 1;
		CHECK_EQ(r, n + 1 == steps ? 0 : E_SYS);
		CHECK_EQ(size_of(dir, 3), r == 0 ? FILL : -1);
		append(journal, first, true);
		rotate(journal, 3);
		append(journal, second, true);
		journal = reopen(journal, dir, &replay, &cut);
		CHECK_BYTES(bytes_from(buf_bytes(&replay.all), MIB), "one two three ");
		CHECK_EQ(cut, 0);
		journal_close(journal);
		buf_done(&replay.all);
		if (r == 0)
			break;
	}
	CHECK(steps > 4);
}

TEST(keys_in_a_file_made_beforehand_are_overwritten_too)
{
	_cleanup_(mem_freep) char *keys = NULL;
	struct replay replay = { 0 };
	struct journal *journal;
	struct error err = { 0 };
	struct stat st;
	off_t fill;
	const char *dir = test_folder();

	journal = filled(dir, &replay, MIB);
	fill = size_of(dir, 3);
	keys = linked(journal, dir, true);
	rotate(journal, 4);
	CHECK_OK(journal_drop(journal, 4, &err));
	CHECK_EQ(stat(keys, &st), 0);
	CHECK_EQ(st.st_size, fill);
	CHECK_EQ(count_not_zero(keys), 0);
	CHECK_EQ(size_of(dir, 3), -1);
	journal_close(journal);
	buf_done(&replay.all);
}
