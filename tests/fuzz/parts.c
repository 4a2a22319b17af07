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
