/* tests/unit/test-journal.c -- what is acknowledged comes back whole, and what is damaged is told from what was cut short. */
#include "tests/test.h"

#include "tests/unit/journaled.h"

#include "base/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(what_was_appended_is_replayed_in_order)
{
	struct replay replay = { 0 };
	struct journal *journal;
	uint64_t cut;
	const char *dir = test_folder();

	journal = reopen(NULL, dir, &replay, &cut);
	append(journal, first, true);
	append(journal, second, false); /* its sender was not told: it may come back, and does */
	journal = reopen(journal, dir, &replay, &cut);
	CHECK_BYTES(buf_bytes(&replay.all), "one two three ");
	CHECK_EQ(cut, 0);
	append(journal, first, true);
	journal = reopen(journal, dir, &replay, &cut);
	CHECK_BYTES(buf_bytes(&replay.all), "one two three one two ");
	journal_close(journal);
	buf_done(&replay.all);
}

TEST(a_batch_that_is_undone_does_not_come_back)
{
	struct replay replay = { 0 };
	struct journal *journal;
	uint64_t cut;
	const char *dir = test_folder();

	journal = reopen(NULL, dir, &replay, &cut);
	append(journal, first, true);
	append(journal, second, false);
	journal_undo(journal);
	append(journal, second, true);
	journal = reopen(journal, dir, &replay, &cut);
	CHECK_BYTES(buf_bytes(&replay.all), "one two three ");
	journal_close(journal);
	buf_done(&replay.all);
}

TEST(a_write_cut_short_at_any_byte_is_cut_off_and_stays_away)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	_cleanup_(mem_freep) char *path = NULL;
	struct replay replay = { 0 };
	struct error err = { 0 };
	struct journal *journal;
	size_t good;
	uint64_t cut;
	const char *dir = test_folder();

	journal = reopen(NULL, dir, &replay, &cut);
	append(journal, first, true);
	path = newest(dir);
	CHECK_OK(fs_read(&whole, path, 1 << 20, &err));
	good = whole.len;
	append(journal, second, false);
	buf_truncate(&whole, 0);
	CHECK_OK(fs_read(&whole, path, 1 << 20, &err));
	for (size_t len = good; len < whole.len; len++) {
		struct stat st;

		put_file(path, bytes_of(whole.ptr, len));
		journal = reopen(journal, dir, &replay, &cut);
		CHECK_BYTES(buf_bytes(&replay.all), "one two ");
		CHECK_EQ(cut, seen(buf_bytes(&whole), good, len));
		/* and it is gone for good: a second stop, with a newer file behind it, finds it whole */
		CHECK_EQ(stat(path, &st), 0);
		CHECK_EQ(st.st_size, good);
		journal = reopen(journal, dir, &replay, &cut);
		CHECK_BYTES(buf_bytes(&replay.all), "one two ");
		/* as if it were the newest again */
		for (unsigned n = 2; n < 1000; n++) {
			_cleanup_(mem_freep) char *newer = mem_printf("%s/%010u", dir, n);

			unlink(newer);
		}
	}
	journal_close(journal);
	buf_done(&replay.all);
}

TEST(a_byte_changed_in_what_was_acknowledged_is_an_error_wherever_it_is)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	_cleanup_(mem_freep) char *path = NULL;
	struct replay replay = { 0 };
	struct journal *journal;
	struct error err = { 0 };
	size_t acknowledged;
	uint64_t cut;
	const char *dir = test_folder();

	journal = reopen(NULL, dir, &replay, &cut);
	append(journal, first, false);
	path = newest(dir);
	CHECK_OK(fs_read(&whole, path, 1 << 20, &err));
	acknowledged = whole.len;
	journal_mark(journal);
	journal = journal_close(journal);
	buf_truncate(&whole, 0);
	CHECK_OK(fs_read(&whole, path, 1 << 20, &err));
	for (size_t at = 0; at < acknowledged; at++) {
		whole.ptr[at] ^= 0x10;
		put_file(path, buf_bytes(&whole));
		whole.ptr[at] ^= 0x10;
		buf_done(&replay.all);
		CHECK_EQ(journal_open(&journal, dir, take, &replay, &cut, &err), E_FORMAT);
		CHECK(strstr(err.text, path) && strstr(err.text, "is damaged at byte") && strstr(err.text, "restore it"));
	}
	buf_done(&replay.all);
}

TEST(a_file_that_is_not_the_newest_must_be_whole)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	_cleanup_(mem_freep) char *path = NULL;
	struct replay replay = { 0 };
	struct journal *journal;
	struct error err = { 0 };
	uint64_t cut, before;
	const char *dir = test_folder();

	journal = reopen(NULL, dir, &replay, &cut);
	append(journal, first, true);
	path = newest(dir);
	CHECK_OK(journal_rotate(&before, journal, &err));
	append(journal, second, true);
	journal = journal_close(journal);
	CHECK_OK(fs_read(&whole, path, 1 << 20, &err));
	put_file(path, bytes_of(whole.ptr, 10));
	CHECK_EQ(journal_open(&journal, dir, take, &replay, &cut, &err), E_FORMAT);
	put_file(path, buf_bytes(&whole));
	journal = reopen(NULL, dir, &replay, &cut);
	CHECK_BYTES(buf_bytes(&replay.all), "one two three ");
	CHECK_OK(journal_rotate(&before, journal, &err));
	CHECK_OK(journal_drop(journal, before, &err));
	journal = reopen(journal, dir, &replay, &cut);
	CHECK_EQ(replay.count, 0);
	journal_close(journal);
	buf_done(&replay.all);
}

/* ---- what held keys ---- */

TEST(a_file_that_held_keys_is_overwritten_before_it_goes)
{
	_cleanup_(mem_freep) char *keys = NULL, *plain = NULL;
	struct replay replay = { 0 };
	struct journal *journal;
	struct error err = { 0 };
	uint64_t cut, before, end;
	const char *dir = test_folder();

	journal = reopen(NULL, dir, &replay, &cut);
	keys = linked(journal, dir, true);
	end = journal_end(journal);
	CHECK_OK(journal_rotate(&before, journal, &err));
	CHECK(before >= end);
	plain = linked(journal, dir, false);
	CHECK(journal_end(journal) > before);
	CHECK_OK(journal_rotate(&before, journal, &err));
	CHECK_EQ(journal_end(journal), before);
	CHECK_OK(journal_drop(journal, before, &err));
	CHECK_EQ(count_not_zero(keys), 0);
	CHECK(count_not_zero(plain) > 0); /* it costs time, so only where it must be */
	journal = reopen(journal, dir, &replay, &cut);
	CHECK_EQ(replay.count, 0);
	journal_close(journal);
	buf_done(&replay.all);
}

TEST(a_stop_while_a_file_is_overwritten_leaves_no_damaged_journal)
{
	_cleanup_(mem_freep) char *half = NULL, *seen = NULL;
	struct replay replay = { 0 };
	struct journal *journal;
	uint64_t cut;
	const char *dir = test_folder();

	half = mem_printf("%s/0000000001.packed", dir);
	seen = mem_printf("%s/seen", dir);
	put_file(half, bytes_str("a sealed key, of which the beginning is zeros already"));
	CHECK_EQ(link(half, seen), 0);
	journal = reopen(NULL, dir, &replay, &cut);
	CHECK_EQ(replay.count, 0);
	CHECK(access(half, F_OK) < 0);
	CHECK_EQ(count_not_zero(seen), 0);
	journal_close(journal);
	buf_done(&replay.all);
}
