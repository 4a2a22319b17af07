/* tests/fuzz/parts.c -- what targets have in common. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void fuzz_broken(const char *file, int line, const char *claim, const char *why)
{
	fprintf(stderr, "%s:%d: '%s' does not hold%s%s\n", file, line, claim, *why ? ": " : "", why);
	abort();
}

const char *fuzz_file(struct bytes in)
{
	static char path[64];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	MUST(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, in.ptr, in.len, 0) == (ssize_t)in.len);
	return path;
}

void fuzz_replace(struct buf *buf, size_t at, size_t len, struct bytes by)
{
	struct buf out = { 0 };

	buf_add(&out, buf->ptr, at);
	buf_add_bytes(&out, by);
	buf_add_bytes(&out, bytes_from(buf_bytes(buf), at + len));
	buf_done(buf);
	*buf = out;
}

static void change(struct buf *given, const struct buf *truth, size_t count, const uint8_t *op)
{
	struct buf *buf = &given[op[0] % count];
	size_t at = (size_t)(op[2] << 8 | op[3]) % (buf->len + 1), len = (size_t)(op[4] << 8 | op[5]) % (buf->len - at + 1);
	struct bytes from = buf_bytes(&truth[op[7] % count]);

	switch (op[1] % 6) {
	case 0:
		if (at < buf->len)
			buf->ptr[at] ^= op[6];
		break;
	case 1:
		fuzz_replace(buf, at, len, (struct bytes){ 0 });
		break;
	case 2:
		fuzz_replace(buf, at, 0, bytes_of(&op[6], 1));
		break;
	case 3: /* all of another answer */
		fuzz_replace(buf, 0, buf->len, from);
		break;
	case 4: /* the same place of another answer */
		if (at + len <= from.len)
			fuzz_replace(buf, at, len, bytes_of(from.ptr + at, len));
		break;
	default: /* another answer behind it */
		fuzz_replace(buf, buf->len, 0, from);
		break;
	}
}

void fuzz_lie(struct buf *given, const struct buf *truth, size_t count, struct bytes in)
{
	enum { CHANGES_MAX = 16 };

	for (size_t i = 0; i < count; i++)
		buf_add_bytes(&given[i], buf_bytes(&truth[i]));
	for (size_t at = 0; at + FUZZ_CHANGE_LEN <= in.len && at < CHANGES_MAX * FUZZ_CHANGE_LEN; at += FUZZ_CHANGE_LEN)
		change(given, truth, count, in.ptr + at);
}
