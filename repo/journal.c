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

enum { HEAD_LEN = 4 + 1 + 4 + 8, FILE_MAX = 1 << 30, KIND_MARK = 'A', MARK_LEN = HEAD_LEN + 8 };

static const char magic[] = "HFJ1";
static const char retired[] = ".packed"; /* behind the name of a file that is being overwritten */

struct journal {
	char *folder;
	uint64_t number; /* of the file in hand */
	uint64_t keys;   /* of the newest file that holds keys, or was there at the start */
	uint64_t dropped_keys; /* the same at the last rotation: dropping reads it while others append */
	int fd;
	off_t len;     /* of what is good */
	off_t last;    /* where its last batch begins */
	bool is_dirty; /* there are bytes behind len that could not be cut off yet */
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

/* What is cut off may be a part of an epoch's keys: the blocks that are let go do not keep it. */
static int cut(int fd, off_t len)
{
	static const char zeros[4096];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	for (off_t at = len; at < st.st_size;) {
		size_t n = st.st_size - at < (off_t)sizeof(zeros) ? (size_t)(st.st_size - at) : sizeof(zeros);
		ssize_t done = pwrite(fd, zeros, n, at);

		if (done < 0 && errno != EINTR)
			break; /* a disk that takes nothing more: that it is cut matters more */
		at += done > 0 ? done : 0;
	}
	return fdatasync(fd) < 0 || ftruncate(fd, len) < 0 || fdatasync(fd) < 0 ? -1 : 0;
}

static int cut_file(const char *path, size_t len, struct error *err)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || cut(fd, (off_t)len) < 0)
		return error_sys(err, "cannot cut '%s' back to %zu bytes", path, len);
	return 0;
}

static int replay_file(const char *path, bool newest, journal_fn fn, void *ctx, uint64_t *cut, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	size_t good;
	int r = fs_read(&text, path, FILE_MAX, err);

	if (r != 0)
		return r < 0 ? r : 0;
	good = whole_len(buf_bytes(&text));
	if (good < text.len && (!newest || has_mark_behind(buf_bytes(&text), good)))
		return error_set(err, E_FORMAT,
				 "journal '%s' is damaged at byte %zu, in what was acknowledged: restore it from a copy, or move it "
				 "away to go on without what it holds",
				 path, good);
	if (give_records(bytes_of(text.ptr, good), fn, ctx, err) < 0)
		return error_add(err, "journal '%s'", path);
	if (good == text.len)
		return 0;
	*cut += text.len - good;
	return cut_file(path, good, err);
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

static int begin_file(struct journal *journal, uint64_t number, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_of(journal->folder, number);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_sys(err, "cannot make '%s'", path);
	if (fs_sync_dir(journal->folder, err) < 0) {
		close(fd);
		unlink(path);
		return err->code;
	}
	fd_closep(&journal->fd);
	journal->fd = fd;
	journal->number = number;
	journal->len = journal->last = 0;
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
	size_t n = 0;
	int r = fs_mkdirs(folder, 0700, err);

	*cut = 0;
	journal->folder = mem_strdup(folder);
	journal->fd = -1;
	if (r == 0)
		r = wipe_retired(folder, err);
	if (r == 0)
		r = list_files(&files, &n, folder, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		_cleanup_(mem_freep) char *path = path_of(folder, files[i]);

		r = replay_file(path, i + 1 == n, fn, ctx, cut, err);
	}
	journal->keys = n ? files[n - 1] : 0;
	if (r == 0 && n)
		r = sync_old(folder, files[n - 1], err);
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
	fd_closep(&journal->fd);
	free(journal->folder);
	free(journal);
	return NULL;
}

/* Back to what is good. */
static int cut_back(struct journal *journal)
{
	journal->is_dirty = cut(journal->fd, journal->len) < 0 || lseek(journal->fd, journal->len, SEEK_SET) < 0;
	return journal->is_dirty ? -1 : 0;
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
	if (fd_write_all(journal->fd, batch, err) < 0)
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
	if (fd_write_all(journal->fd, buf_bytes(&mark), &ignored) < 0)
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
	return fdatasync(journal->fd) < 0 ? error_sys(err, "cannot sync the journal") : begin_file(journal, journal->number + 1, err);
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
