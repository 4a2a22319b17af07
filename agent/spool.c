/* agent/spool.c -- what is to be sent is on disk first, sent in order, removed once acknowledged. */
#include "agent/spool.h"

#include "base/fs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_DIGITS = 12 };

static char *path_of(const struct spool *s, uint64_t number)
{
	return mem_printf("%s/%0*llu", s->dir, NAME_DIGITS, (unsigned long long)number);
}

/* 0: not the name of a spooled statement. */
static uint64_t number_of(const char *name)
{
	if (strlen(name) != NAME_DIGITS || strspn(name, "0123456789") != NAME_DIGITS)
		return 0;
	return strtoull(name, NULL, 10);
}

static int scan(struct spool *s, struct error *err)
{
	DIR *dir = opendir(s->dir);
	const struct dirent *entry;

	if (!dir)
		return error_sys(err, "cannot open folder '%s'", s->dir);
	s->oldest = s->newest = s->count = 0;
	while ((entry = readdir(dir))) {
		uint64_t number = number_of(entry->d_name);
		bool is_stale = (number && number <= s->acked) || strstr(entry->d_name, ".tmp-");

		if (is_stale) {
			if (!s->is_borrowed)
				(void)unlinkat(dirfd(dir), entry->d_name, 0);
			continue;
		}
		if (!number)
			continue;
		s->count++;
		if (!s->oldest || number < s->oldest)
			s->oldest = number;
		if (number > s->newest)
			s->newest = number;
	}
	closedir(dir);
	return 0;
}

static int read_acked(struct spool *s, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/acked", s->dir);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct bytes rest, line = { 0 };
	int r = fs_read(&text, path, 64, err);

	if (r < 0)
		return r;
	if (r == FS_ABSENT)
		return 0;
	rest = buf_bytes(&text);
	if (!text.len || text.ptr[text.len - 1] != '\n' || !bytes_next_line(&rest, &line) || rest.len || !number_parse(&s->acked, line))
		return error_set(err, E_FORMAT, "'%s' is not a number", path);
	return 0;
}

int spool_open(struct spool *s, const char *dir, struct error *err)
{
	*s = (struct spool){ .dir = mem_strdup(dir) };
	if (fs_mkdirs(dir, 0700, err) < 0 || read_acked(s, err) < 0 || scan(s, err) < 0) {
		spool_done(s);
		return err->code;
	}
	return 0;
}

int spool_look(struct spool *s, const char *dir, struct error *err)
{
	*s = (struct spool){ .dir = mem_strdup(dir), .is_borrowed = true };
	if (access(dir, F_OK) != 0)
		return 0;
	if (read_acked(s, err) < 0 || scan(s, err) < 0) {
		spool_done(s);
		return err->code;
	}
	return 0;
}

void spool_done(struct spool *s)
{
	free(s->dir);
	*s = (struct spool){ 0 };
}

bool spool_has(const struct spool *s, uint64_t number)
{
	_cleanup_(mem_freep) char *path = path_of(s, number);

	return access(path, F_OK) == 0;
}

int spool_read(const struct spool *s, uint64_t number, struct buf *out, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_of(s, number);
	int r = fs_read(out, path, SPOOL_FILE_MAX, err);

	return r == FS_ABSENT ? error_set(err, E_SYS, "no file '%s'", path) : r;
}

int spool_put(struct spool *s, uint64_t number, struct bytes container, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_of(s, number);
	_cleanup_(buf_done) struct buf there = { 0 };
	int r;

	if (number <= s->acked)
		return error_set(err, E_DENIED, "statement %llu was acknowledged already", (unsigned long long)number);
	r = fs_read(&there, path, SPOOL_FILE_MAX, err);
	if (r < 0)
		return r;
	if (r == 0 && !bytes_equal(buf_bytes(&there), container))
		return error_set(err, E_DENIED, "'%s' holds another statement of this number", path);
	if (r == 0)
		return 0;
	if (fs_write(path, container, 0600, err) < 0)
		return err->code;
	s->count++;
	if (!s->oldest || number < s->oldest)
		s->oldest = number;
	if (number > s->newest)
		s->newest = number;
	return 0;
}

int spool_oldest(const struct spool *s, uint64_t *number, struct buf *out, struct error *err)
{
	if (!s->oldest)
		return SPOOL_EMPTY;
	*number = s->oldest;
	return spool_read(s, s->oldest, out, err);
}

int spool_row(const struct spool *s, uint64_t *first, uint64_t *last, struct buf *out, size_t most, struct error *err)
{
	int r = spool_oldest(s, first, out, err);

	if (r != 0)
		return r;
	for (*last = *first; *first > 1 && *last - *first + 1 < SPOOL_ROW_MAX && spool_has(s, *last + 1); (*last)++) {
		_cleanup_(buf_done) struct buf next = { 0 };

		if (spool_read(s, *last + 1, &next, err) < 0)
			return err->code;
		if (out->len + next.len > most)
			break;
		buf_add_bytes(out, buf_bytes(&next));
	}
	return 0;
}

int spool_acknowledged(struct spool *s, uint64_t number, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/acked", s->dir);
	char text[32];

	if (number <= s->acked)
		return 0;
	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)number);
	if (fs_write(path, bytes_str(text), 0600, err) < 0)
		return err->code;
	s->acked = number;
	return scan(s, err);
}
