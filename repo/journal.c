/* repo/journal.c -- what is acknowledged and not yet packed. */
#include "repo/journal.h"

#include "base/fs.h"
#include "crypto/statement.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_LEN = 4 + 1 + 4 + 8, FILE_MAX = 1 << 30 };

struct journal {
	char *folder;
	uint64_t number; /* of the file in hand */
	int fd;
	off_t len;
	bool is_broken; /* cut back failed: append no more */
};

static void checksum(uint8_t out[8], uint8_t kind, struct bytes content)
{
	_cleanup_(buf_done) struct buf all = { 0 };
	uint8_t hash[HASH_LEN];

	buf_add_char(&all, (char)kind);
	buf_add_bytes(&all, content);
	sha256(hash, buf_bytes(&all));
	memcpy(out, hash, 8);
}

void journal_add(struct buf *batch, uint8_t kind, struct bytes content)
{
	uint8_t sum[8];

	checksum(sum, kind, content);
	buf_add_str(batch, "HFJ1");
	buf_add_char(batch, (char)kind);
	buf_add_u32be(batch, (uint32_t)content.len);
	buf_add(batch, sum, sizeof(sum));
	buf_add_bytes(batch, content);
}

static char *path_of(const struct journal *journal, uint64_t number)
{
	return mem_printf("%s/%010llu", journal->folder, (unsigned long long)number);
}

/* 1: a record; 0: the end, or a torn one; negative: broken. */
static int next_record(struct bytes *rest, uint8_t *kind, struct bytes *content, struct error *err)
{
	struct reader rd = reader_over(*rest);
	struct bytes magic = read_bytes(&rd, 4), sum;
	uint8_t expected[8];
	uint32_t len;

	if (!rest->len)
		return 0;
	*kind = read_u8(&rd);
	len = read_u32(&rd);
	sum = read_bytes(&rd, 8);
	if (rd.short_read)
		return 0;
	if (!bytes_is(magic, "HFJ1") || len > CONTAINER_MAX)
		return error_set(err, E_FORMAT, "a record does not begin as one");
	*content = read_bytes(&rd, len);
	if (rd.short_read)
		return 0;
	checksum(expected, *kind, *content);
	if (memcmp(sum.ptr, expected, 8) != 0)
		/* written but not whole: only at the very end is that a power cut */
		return rd.rest.len ? error_set(err, E_FORMAT, "a record's checksum is wrong") : 0;
	*rest = rd.rest;
	return 1;
}

static int replay_file(const char *path, bool last, journal_fn fn, void *ctx, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct bytes rest, content;
	uint8_t kind;
	int r = fs_read(&text, path, FILE_MAX, err);

	if (r != 0)
		return r < 0 ? r : 0;
	rest = buf_bytes(&text);
	while ((r = next_record(&rest, &kind, &content, err)) > 0) {
		r = fn(ctx, kind, content, err);
		if (r < 0)
			return r;
	}
	if (r == 0 && rest.len && !last)
		r = error_set(err, E_FORMAT, "it ends in the middle of a record, and another file follows");
	if (r < 0)
		return error_add(err, "journal '%s' (byte %zu): move it away to go on without what is behind that place", path, text.len - rest.len);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The numbers of the files that are there, in order; the caller frees. */
static size_t list_files(uint64_t **out, const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	uint64_t *list = NULL;
	size_t n = 0;

	while (dir && (entry = readdir(dir))) {
		if (strlen(entry->d_name) != 10 || strspn(entry->d_name, "0123456789") != 10)
			continue;
		list = mem_grow(list, (n + 1) * sizeof(*list));
		list[n++] = strtoull(entry->d_name, NULL, 10);
	}
	if (dir)
		closedir(dir);
	if (n)
		qsort(list, n, sizeof(*list), by_number);
	*out = list;
	return n;
}

static int begin_file(struct journal *journal, uint64_t number, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_of(journal, number);
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
	journal->len = 0;
	journal->is_broken = false;
	return 0;
}

int journal_open(struct journal **out, const char *folder, journal_fn fn, void *ctx, struct error *err)
{
	struct journal *journal = mem_alloc(sizeof(*journal));
	_cleanup_(mem_freep) uint64_t *files = NULL;
	size_t n;
	int r = fs_mkdirs(folder, 0700, err);

	journal->folder = mem_strdup(folder);
	journal->fd = -1;
	n = list_files(&files, folder);
	for (size_t i = 0; r == 0 && i < n; i++) {
		_cleanup_(mem_freep) char *path = path_of(journal, files[i]);

		r = replay_file(path, i + 1 == n, fn, ctx, err);
	}
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

int journal_append(struct journal *journal, struct bytes batch, struct error *err)
{
	int r = 0;

	if (journal->is_broken)
		return error_set(err, E_SYS, "the journal could not be cut back after a failed write; restart the server");
	if (fd_write_all(journal->fd, batch, err) < 0)
		r = err->code;
	else if (fdatasync(journal->fd) < 0)
		r = error_sys(err, "cannot sync");
	if (r < 0) {
		if (ftruncate(journal->fd, journal->len) < 0 || lseek(journal->fd, journal->len, SEEK_SET) < 0 || fdatasync(journal->fd) < 0)
			journal->is_broken = true;
		return error_add(err, "journal");
	}
	journal->len += (off_t)batch.len;
	return 0;
}

int journal_rotate(uint64_t *before, struct journal *journal, struct error *err)
{
	int r = begin_file(journal, journal->number + 1, err);

	*before = journal->number;
	return r;
}

int journal_drop(struct journal *journal, uint64_t before, struct error *err)
{
	_cleanup_(mem_freep) uint64_t *files = NULL;
	size_t n = list_files(&files, journal->folder);

	for (size_t i = 0; i < n && files[i] < before; i++) {
		_cleanup_(mem_freep) char *path = path_of(journal, files[i]);

		if (unlink(path) < 0)
			return error_sys(err, "cannot remove '%s'", path);
	}
	return fs_sync_dir(journal->folder, err);
}
