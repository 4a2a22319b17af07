/* repo/taken.c -- how many statements were ever taken: a number beside the index. */
#include "repo/taken.h"

#include "base/fs.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { MARK_LEN = STORE_MARK_LEN, TEXT_LEN = MARK_LEN + 1 + 20 + 1 };

struct taken {
	char mark[MARK_LEN + 1];
	int fd;
	_Atomic uint64_t count; /* that was noted last */
};

static void make_text(char out[static TEXT_LEN + 1], const char *mark, uint64_t count)
{
	snprintf(out, TEXT_LEN + 1, "%s %020llu\n", mark, (unsigned long long)count);
}

/* 0 when it is not the file of this index, or no such file. */
static uint64_t count_in(struct bytes text, const char *mark)
{
	struct bytes digits;
	uint64_t count = 0;

	if (strlen(mark) != MARK_LEN || text.len != TEXT_LEN || memcmp(text.ptr, mark, MARK_LEN) != 0)
		return 0;
	digits = bytes_of(text.ptr + MARK_LEN + 1, TEXT_LEN - MARK_LEN - 2);
	while (digits.len > 1 && *digits.ptr == '0')
		digits = bytes_from(digits, 1);
	return number_parse(&count, digits) ? count : 0;
}

int taken_read(uint64_t *out, const char *path, struct store *store, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char mark[MARK_LEN + 1];
	uint64_t noted;

	if (store_taken(out, mark, store, err) < 0 || fs_read(&text, path, 4096, err) < 0)
		return err->code;
	noted = count_in(buf_bytes(&text), mark);
	if (noted > *out)
		*out = noted;
	return 0;
}

static int enter_alone(struct taken *taken, struct store *store, struct error *err)
{
	int r = store_begin(store, err);

	if (r == 0)
		r = taken_enter(taken, store, taken->count, err);
	if (r == 0)
		r = store_commit(store, err);
	if (r < 0)
		store_rollback(store);
	return r;
}

int taken_open(struct taken **out, const char *path, struct store *store, uint64_t count, struct error *err)
{
	struct taken *taken = mem_alloc(sizeof(*taken));
	uint8_t random[MARK_LEN / 2];
	char text[TEXT_LEN + 1];
	int r;

	if (getentropy(random, sizeof(random)) < 0) {
		free(taken);
		return error_sys(err, "no random numbers");
	}
	hex_encode(taken->mark, random, sizeof(random));
	taken->count = count;
	make_text(text, taken->mark, count);
	fs_sweep(path); /* what a stop in the middle of this left */
	r = fs_write(path, bytes_of(text, TEXT_LEN), 0600, err);
	taken->fd = r == 0 ? open(path, O_WRONLY | O_CLOEXEC) : -1;
	if (r == 0 && taken->fd < 0)
		r = error_sys(err, "cannot open '%s'", path);
	if (r == 0)
		r = enter_alone(taken, store, err);
	if (r < 0) {
		taken_close(taken);
		return r;
	}
	*out = taken;
	return 0;
}

struct taken *taken_close(struct taken *taken)
{
	if (!taken)
		return NULL;
	fd_closep(&taken->fd);
	free(taken);
	return NULL;
}

int taken_note(struct taken *taken, uint64_t count, struct error *err)
{
	char text[TEXT_LEN + 1];

	make_text(text, taken->mark, count);
	if (pwrite(taken->fd, text, TEXT_LEN, 0) != TEXT_LEN)
		return error_sys(err, "cannot write how many statements were taken");
	taken->count = count;
	return 0;
}

uint64_t taken_count(const struct taken *taken)
{
	return taken->count;
}

int taken_enter(struct taken *taken, struct store *store, uint64_t count, struct error *err)
{
	return store_set_taken(store, taken->mark, count, err);
}
