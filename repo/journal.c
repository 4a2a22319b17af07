/* repo/journal.c -- what is acknowledged and not yet packed. */
#include "repo/journal.h"

#include "base/fs.h"
#include "base/wipe.h"
#include "crypto/statement.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	HEAD_LEN = 4 + 1 + 4 + 8,
	FILE_MAX = 1 << 30,
	KIND_MARK = 'A',
	MARK_LEN = HEAD_LEN + 8,
	FILL_FROM = 1 << 20, /* a file that came to less is followed by one that just grows */
	FILL_MAX = 32 << 20,
	FILL_PIECE = 256 << 10,
	FILL_SPARE = 8, /* so many times what the file before came to, once more: two are never quite as long */
};

static const char magic[] = "HFJ1";
static const char retired[] = ".packed"; /* behind the name of a file that is being overwritten */
static const char zeros[64 << 10];

struct journal {
	char *folder;
	uint64_t number; /* of the file in hand */
	uint64_t keys;   /* of the newest file that holds keys, or was there at the start */
	uint64_t dropped_keys; /* the same at the last rotation: dropping reads it while others append */
	int fd;
	off_t fill;    /* it was made beforehand, of so many zeros; 0: it just grows */
	off_t len;     /* of what is good */
	off_t last;    /* where its last batch begins */
	off_t reach;   /* nothing was ever written behind it */
	bool is_dirty; /* there are bytes behind len that could not be cut off yet */

	/* of whoever rotates */
	int next_fd; /* the file made beforehand, -1: none */
	off_t next_fill;
	off_t ended; /* what the file before came to */
};

static void checksum(uint8_t out[8], uint8_t kind, struct bytes content)
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, 1, &kind);
	sha256_update(&ctx, content.len, content.ptr);
	sha256_digest(&ctx, 8, out);
}

void journal_add(struct buf *batch, uint8_t kind, struct bytes content)
{
	uint8_t sum[8];

	checksum(sum, kind, content);
	buf_add_str(batch, magic);
	buf_add_char(batch, (char)kind);
	buf_add_u32be(batch, (uint32_t)content.len);
	buf_add(batch, sum, sizeof(sum));
	buf_add_bytes(batch, content);
}

static void add_mark(struct buf *out, uint64_t at)
{
	_cleanup_(buf_done) struct buf place = { 0 };

	buf_add_u32be(&place, (uint32_t)(at >> 32));
	buf_add_u32be(&place, (uint32_t)at);
	journal_add(out, KIND_MARK, buf_bytes(&place));
}

static char *path_of(const char *folder, uint64_t number)
{
	return mem_printf("%s/%010llu", folder, (unsigned long long)number);
}

/* ---- reading ---- */

/* Is there a whole record at the beginning of rest? Then it is taken off. */
static bool next_record(struct bytes *rest, uint8_t *kind, struct bytes *content)
{
	struct reader rd = reader_over(*rest);
	struct bytes begin = read_bytes(&rd, 4), sum;
	uint8_t expected[8];
	uint32_t len;

	*kind = read_u8(&rd);
	len = read_u32(&rd);
	sum = read_bytes(&rd, 8);
	if (rd.short_read || !bytes_is(begin, magic) || len > CONTAINER_MAX)
		return false;
	*content = read_bytes(&rd, len);
	if (rd.short_read)
		return false;
	checksum(expected, *kind, *content);
	if (memcmp(sum.ptr, expected, 8) != 0)
		return false;
	*rest = rd.rest;
	return true;
}

/* How far are the records whole? */
static size_t whole_len(struct bytes text)
{
	struct bytes rest = text, content;
	uint8_t kind;

	while (next_record(&rest, &kind, &content))
		;
	return text.len - rest.len;
}

static bool has_mark_behind(struct bytes text, size_t from)
{
	for (size_t at = from; at + MARK_LEN <= text.len; at++) {
		_cleanup_(buf_done) struct buf mark = { 0 };

		if (memcmp(text.ptr + at, magic, 4) != 0 || text.ptr[at + 4] != KIND_MARK)
			continue;
		add_mark(&mark, at);
		if (!memcmp(text.ptr + at, mark.ptr, mark.len))
			return true;
	}
	return false;
}

static int give_records(struct bytes rest, journal_fn fn, void *ctx, struct error *err)
{
	struct bytes content;
	uint8_t kind;

	while (next_record(&rest, &kind, &content))
		if (kind != KIND_MARK && fn(ctx, kind, content, err) < 0)
			return err->code;
	return 0;
}

static int put_zeros(int fd, off_t from, off_t to)
{
	while (from < to) {
		size_t n = to - from < (off_t)sizeof(zeros) ? (size_t)(to - from) : sizeof(zeros);
		ssize_t done = pwrite(fd, zeros, n, from);

		if (done < 0 && errno != EINTR)
			return -1;
		from += done > 0 ? done : 0;
	}
	return 0;
}

/* What is cut off, up to end, may be a part of an epoch's keys: the blocks that are let go do not keep it. Of a file that was made
 * beforehand, the zeros stay; unless the disk takes nothing more: that it is cut matters more, and what is behind it goes, too. */
static int cut(int fd, off_t len, off_t end, off_t *fill)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if (put_zeros(fd, len, end < st.st_size ? end : st.st_size) < 0)
		*fill = 0;
	if (fdatasync(fd) < 0)
		return -1;
	if (len < *fill)
		len = *fill;
	return len < st.st_size && (ftruncate(fd, len) < 0 || fdatasync(fd) < 0) ? -1 : 0;
}

static int cut_file(const char *path, size_t len, size_t end, struct error *err)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
	off_t fill = 0;

	if (fd < 0 || cut(fd, (off_t)len, (off_t)end, &fill) < 0)
		return error_sys(err, "cannot cut '%s' back to %zu bytes", path, len);
	return 0;
}

/* Without the zeros at its end. */
static size_t len_written(struct bytes text)
{
	while (text.len && !text.ptr[text.len - 1])
		text.len--;
	return text.len;
}

static int replay_file(const char *path, bool newest, journal_fn fn, void *ctx, uint64_t *cut, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	size_t good, end;
	int r = fs_read(&text, path, FILE_MAX, err);

	if (r != 0)
		return r < 0 ? r : 0;
	good = whole_len(buf_bytes(&text));
	end = len_written(buf_bytes(&text));
	if (good < end && (!newest || has_mark_behind(buf_bytes(&text), good)))
		return error_set(err, E_FORMAT,
				 "journal '%s' is damaged at byte %zu, in what was acknowledged: restore it from a copy, or move it "
				 "away to go on without what it holds",
				 path, good);
	if (give_records(bytes_of(text.ptr, good), fn, ctx, err) < 0)
		return error_add(err, "journal '%s'", path);
	if (good >= end) /* a record may end in zeros of its own */
		return 0;
	*cut += end - good;
	return cut_file(path, good, end, err);
}

/* Is there anything in it but zeros? */
static int holds_anything(bool *out, const char *path, struct error *err)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char chunk[sizeof(zeros)];
	ssize_t n;

	if (fd < 0)
		return error_sys(err, "cannot open '%s'", path);
	*out = false;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		if (memcmp(chunk, zeros, (size_t)n) != 0) {
			*out = true;
			return 0;
		}
	}
	return n < 0 ? error_sys(err, "cannot read '%s'", path) : 0;
}

/* How many files there are up to the newest that holds anything. What was made beforehand lies behind it. */
static int count_used(size_t *out, const char *folder, const uint64_t *files, size_t count, struct error *err)
{
	bool is_used = false;

	for (; count; count--) {
		_cleanup_(mem_freep) char *path = path_of(folder, files[count - 1]);

		if (holds_anything(&is_used, path, err) < 0)
			return err->code;
		if (is_used)
			break;
	}
	*out = count;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The numbers of the files that are there, in order; the caller frees. */
static int list_files(uint64_t **out, size_t *count, const char *folder, struct error *err)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	uint64_t *list = NULL;
	size_t n = 0;

	if (!dir)
		return error_sys(err, "cannot read folder '%s'", folder);
	while ((entry = readdir(dir))) {
		if (strlen(entry->d_name) != 10 || strspn(entry->d_name, "0123456789") != 10)
			continue;
		list = mem_grow(list, (n + 1) * sizeof(*list));
		list[n++] = strtoull(entry->d_name, NULL, 10);
	}
	closedir(dir);
	if (n)
		qsort(list, n, sizeof(*list), by_number);
	*out = list;
	*count = n;
	return 0;
}

static int wipe_retired(const char *folder, struct error *err)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return error_sys(err, "cannot read folder '%s'", folder);
	while (r == 0 && (entry = readdir(dir))) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", folder, entry->d_name);
		size_t len = strlen(entry->d_name);

		if (len == 10 + sizeof(retired) - 1 && !strcmp(entry->d_name + 10, retired))
			r = wipe_file(path, err);
	}
	closedir(dir);
	return r;
}

/* ---- writing ---- */

/* In small pieces, each on the disk before the next one, so that a sync of the file in hand meets little that waits. */
static int fill_file(int fd, off_t fill, struct error *err)
{
	for (off_t at = 0; at < fill; at += FILL_PIECE) {
		if (put_zeros(fd, at, at + FILL_PIECE) < 0)
			return error_sys(err, "cannot write");
		if (sync_file_range(fd, at, FILL_PIECE, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) < 0)
			return error_sys(err, "cannot sync");
	}
	return fill && fsync(fd) < 0 ? error_sys(err, "cannot sync") : 0;
}

/* A file of so many zeros, and its name, on the disk. */
static int make_file(int *out, const struct journal *journal, uint64_t number, off_t fill, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_of(journal->folder, number);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_sys(err, "cannot make '%s'", path);
	if (fill_file(fd, fill, err) < 0 || fs_sync_dir(journal->folder, err) < 0) {
		close(fd);
		unlink(path);
		return error_add(err, "'%s'", path);
	}
	*out = fd;
	return 0;
}

static int begin_file(struct journal *journal, uint64_t number, struct error *err)
{
	if (journal->next_fd < 0 && make_file(&journal->next_fd, journal, number, 0, err) < 0)
		return err->code;
	fd_closep(&journal->fd);
	journal->fd = journal->next_fd;
	journal->fill = journal->next_fill;
	journal->next_fd = -1;
	journal->next_fill = 0;
	journal->number = number;
	journal->len = journal->last = journal->reach = 0;
	return 0;
}

/* What was left there may not be on the disk yet, and is not the newest any more from now on. */
static int sync_old(const char *folder, uint64_t number, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_of(folder, number);
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 || fdatasync(fd) < 0 ? error_sys(err, "cannot sync '%s'", path) : 0;
}

int journal_open(struct journal **out, const char *folder, journal_fn fn, void *ctx, uint64_t *cut, struct error *err)
{
	struct journal *journal = mem_alloc(sizeof(*journal));
	_cleanup_(mem_freep) uint64_t *files = NULL;
	size_t n = 0, used = 0;
	int r = fs_mkdirs(folder, 0700, err);

	*cut = 0;
	journal->folder = mem_strdup(folder);
	journal->fd = journal->next_fd = -1;
	if (r == 0)
		r = wipe_retired(folder, err);
	if (r == 0)
		r = list_files(&files, &n, folder, err);
	if (r == 0)
		r = count_used(&used, folder, files, n, err);
	for (size_t i = 0; r == 0 && i < used; i++) {
		_cleanup_(mem_freep) char *path = path_of(folder, files[i]);

		r = replay_file(path, i + 1 == used, fn, ctx, cut, err);
	}
	journal->keys = n ? files[n - 1] : 0;
	if (r == 0 && used)
		r = sync_old(folder, files[used - 1], err);
	if (r == 0)
		r = begin_file(journal, n ? files[n - 1] + 1 : 1, err);
	if (r < 0) {
		journal_close(journal);
		return r;
	}
	*out = journal;
	return 0;
}

struct journal *journal_close(struct journal *journal)
{
	if (!journal)
		return NULL;
	if (journal->next_fd >= 0) {
		_cleanup_(mem_freep) char *path = path_of(journal->folder, journal->number + 1);

		(void)unlink(path); /* should it stay, it counts for nothing */
	}
	fd_closep(&journal->next_fd);
	fd_closep(&journal->fd);
	free(journal->folder);
	free(journal);
	return NULL;
}

/* Back to what is good. */
static int cut_back(struct journal *journal)
{
	journal->is_dirty = cut(journal->fd, journal->len, journal->reach, &journal->fill) < 0 ||
			    lseek(journal->fd, journal->len, SEEK_SET) < 0;
	if (!journal->is_dirty)
		journal->reach = journal->len;
	return journal->is_dirty ? -1 : 0;
}

static int write_on(struct journal *journal, struct bytes in, struct error *err)
{
	journal->reach = journal->len + (off_t)in.len;
	return fd_write_all(journal->fd, in, err);
}

static int be_clean(struct journal *journal, struct error *err)
{
	if (!journal->is_dirty || cut_back(journal) == 0)
		return 0;
	return error_sys(err, "the journal cannot be cut back after a failed write");
}

int journal_append(struct journal *journal, struct bytes batch, struct error *err)
{
	int r = be_clean(journal, err);

	if (r < 0)
		return r;
	if (write_on(journal, batch, err) < 0)
		r = err->code;
	else if (fdatasync(journal->fd) < 0)
		r = error_sys(err, "cannot sync");
	if (r < 0) {
		cut_back(journal); /* should that fail, the next append tries again */
		return error_add(err, "journal");
	}
	journal->last = journal->len;
	journal->len += (off_t)batch.len;
	return 0;
}

void journal_holds_keys(struct journal *journal)
{
	journal->keys = journal->number;
}

void journal_mark(struct journal *journal)
{
	_cleanup_(buf_done) struct buf mark = { 0 };
	struct error ignored;

	add_mark(&mark, (uint64_t)journal->len);
	/* without a mark the batch is replayed all the same; it only cannot be told from one that nobody was told of */
	if (write_on(journal, buf_bytes(&mark), &ignored) < 0)
		cut_back(journal);
	else
		journal->len += (off_t)mark.len;
	journal->last = journal->len;
}

void journal_undo(struct journal *journal)
{
	journal->len = journal->last;
	cut_back(journal);
}

/* The last mark is not synced yet. Only the newest file may end in what is not whole: with its length on the disk and the mark not, the old
 * one would pass for damaged. */
static int end_file(struct journal *journal, struct error *err)
{
	off_t len = journal->len;

	if (fdatasync(journal->fd) < 0)
		return error_sys(err, "cannot sync the journal");
	if (begin_file(journal, journal->number + 1, err) < 0)
		return err->code;
	journal->ended = len;
	return 0;
}

int journal_prepare(struct journal *journal, struct error *err)
{
	off_t fill = (journal->ended + journal->ended / FILL_SPARE + FILL_PIECE - 1) / FILL_PIECE * FILL_PIECE;

	if (journal->next_fd >= 0 || journal->ended < FILL_FROM)
		return 0;
	if (fill > FILL_MAX)
		fill = FILL_MAX;
	if (make_file(&journal->next_fd, journal, journal->number + 1, fill, err) < 0)
		return error_add(err, "the next file of the journal");
	journal->next_fill = fill;
	return 0;
}

int journal_rotate(uint64_t *before, struct journal *journal, struct error *err)
{
	if (be_clean(journal, err) < 0 || (journal->len && end_file(journal, err) < 0))
		return err->code;
	*before = journal->number;
	journal->dropped_keys = journal->keys;
	return 0;
}

uint64_t journal_end(const struct journal *journal)
{
	return journal->number + (journal->len > 0);
}

/* One that is being overwritten is no journal any more, wherever that is cut off: it has another name, and that is on the disk. */
static int retire_files(struct journal *journal, const uint64_t *files, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_(mem_freep) char *path = path_of(journal->folder, files[i]), *old = mem_printf("%s%s", path, retired);

		if (files[i] <= journal->dropped_keys ? rename(path, old) < 0 : unlink(path) < 0)
			return error_sys(err, "cannot remove '%s'", path);
	}
	return fs_sync_dir(journal->folder, err);
}

int journal_drop(struct journal *journal, uint64_t before, struct error *err)
{
	_cleanup_(mem_freep) uint64_t *files = NULL;
	size_t n = 0, old = 0;

	if (list_files(&files, &n, journal->folder, err) < 0)
		return err->code;
	while (old < n && files[old] < before)
		old++;
	if (old && retire_files(journal, files, old, err) < 0)
		return err->code;
	return wipe_retired(journal->folder, err);
}
