/* tests/unit/journaled.c -- one journal in a folder, for tests of repo/journal.h. */
#include "tests/unit/journaled.h"

#include "tests/test.h"

#include "base/fs.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int take(void *ctx, uint8_t kind, struct bytes content, struct error *err _unused_)
{
	struct replay *replay = ctx;

	CHECK_EQ(kind, 'S');
	buf_add_bytes(&replay->all, content);
	replay->count++;
	return 0;
}

struct journal *reopen(struct journal *journal, const char *dir, struct replay *replay, uint64_t *cut)
{
	struct error err = { 0 };

	journal_close(journal);
	buf_done(&replay->all);
	*replay = (struct replay){ 0 };
	CHECK_OK(journal_open(&journal, dir, take, replay, cut, &err));
	return journal;
}

void append(struct journal *journal, const char *const *texts, bool mark)
{
	_cleanup_(buf_done) struct buf batch = { 0 };
	struct error err = { 0 };

	for (; *texts; texts++)
		journal_add(&batch, 'S', bytes_str(*texts));
	CHECK_OK(journal_append(journal, buf_bytes(&batch), &err));
	if (mark)
		journal_mark(journal);
}

const char *const first[] = { "one ", "two ", NULL }, *const second[] = { "three ", NULL };

char *newest(const char *dir)
{
	char *path = NULL;
	struct stat st;

	for (unsigned n = 1; n < 100; n++) {
		char *next = mem_printf("%s/%010u", dir, n);

		if (stat(next, &st) == 0 && st.st_size) {
			mem_freep(&path);
			path = next;
		} else {
			mem_freep(&next);
		}
	}
	return path;
}

size_t seen(struct bytes in, size_t from, size_t to)
{
	while (to > from && !in.ptr[to - 1])
		to--;
	return to - from;
}

void put_file(const char *path, struct bytes in)
{
	struct error err = { 0 };

	CHECK_OK(fs_write(path, in, 0600, &err));
}

char *linked(struct journal *journal, const char *dir, bool holds_keys)
{
	char *path, *link_path = mem_printf("%s/seen-%d", dir, holds_keys);

	if (holds_keys)
		journal_holds_keys(journal);
	append(journal, first, true);
	path = newest(dir);
	CHECK_EQ(link(path, link_path), 0);
	mem_freep(&path);
	return link_path;
}

size_t count_not_zero(const char *path)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	size_t n = 0;

	CHECK_OK(fs_read(&text, path, 4 << 20, &err));
	CHECK(text.len > 0);
	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] != 0;
	return n;
}
