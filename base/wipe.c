/* base/wipe.c -- files whose old content must not be found any more. */
#include "base/wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 64 << 10 };

static int open_it(int *fd, uint64_t *len, const char *path, struct error *err)
{
	struct stat st;

	*fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0)
		return errno == ENOENT ? FS_ABSENT : error_sys(err, "cannot open '%s'", path);
	if (fstat(*fd, &st) < 0)
		return error_sys(err, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, E_FORMAT, "'%s' is not a regular file", path);
	*len = (uint64_t)st.st_size;
	return 0;
}

/* What is not in content any more is zeros. */
static void expected(uint8_t *out, size_t len, struct bytes in, uint64_t at)
{
	memset(out, 0, len);
	if (at < in.len)
		memcpy(out, in.ptr + at, in.len - at < len ? in.len - (size_t)at : len);
}

static int write_over(int fd, uint64_t len, struct bytes in, struct error *err)
{
	_cleanup_(mem_freep) char *chunk = mem_alloc(CHUNK);

	for (uint64_t at = 0; at < len;) {
		size_t n = len - at < CHUNK ? (size_t)(len - at) : CHUNK;
		ssize_t done;

		expected((uint8_t *)chunk, n, in, at);
		done = pwrite(fd, chunk, n, (off_t)at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return error_sys(err, "cannot overwrite");
		at += (uint64_t)done;
	}
	return fsync(fd) < 0 ? error_sys(err, "cannot sync") : 0;
}

/* From the disk, as far as the kernel can be asked to forget what it has. */
static int read_back(int fd, uint64_t len, struct bytes in, struct error *err)
{
	_cleanup_(mem_freep) char *chunk = mem_alloc(CHUNK), *should = mem_alloc(CHUNK);

	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	for (uint64_t at = 0; at < len;) {
		ssize_t n = pread(fd, chunk, len - at < CHUNK ? (size_t)(len - at) : CHUNK, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "cannot read back");
		expected((uint8_t *)should, (size_t)n, in, at);
		if (n == 0 || memcmp(chunk, should, (size_t)n) != 0)
			return error_set(err, E_PEER, "read back, what was overwritten is not");
		at += (uint64_t)n;
	}
	return 0;
}

static int sync_folder(const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/');
	_cleanup_(mem_freep) char *folder = slash ? mem_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : mem_strdup(".");

	return fs_sync_dir(folder, err);
}

int wipe_file(const char *path, struct error *err)
{
	_cleanup_(fd_closep) int fd = -1;
	uint64_t len = 0;
	int r = open_it(&fd, &len, path, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (write_over(fd, len, (struct bytes){ 0 }, err) < 0 || read_back(fd, len, (struct bytes){ 0 }, err) < 0)
		return error_add(err, "'%s'", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return error_sys(err, "cannot remove '%s'", path);
	return sync_folder(path, err);
}

int wipe_replace(const char *path, struct bytes in, struct error *err)
{
	_cleanup_(fd_closep) int fd = -1;
	uint64_t len = 0;
	int r = open_it(&fd, &len, path, err);

	if (r != 0)
		return r;
	if (write_over(fd, len, (struct bytes){ 0 }, err) < 0 || read_back(fd, len, (struct bytes){ 0 }, err) < 0 ||
	    write_over(fd, in.len > len ? in.len : len, in, err) < 0)
		return error_add(err, "'%s'", path);
	if (ftruncate(fd, (off_t)in.len) < 0 || fsync(fd) < 0)
		return error_sys(err, "cannot cut '%s' to its length", path);
	return read_back(fd, in.len, in, err) < 0 ? error_add(err, "'%s'", path) : 0;
}
