/* base/fs.c -- files: read whole and bounded, replaced whole or not at all. */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int fd_write_all(int fd, struct bytes in, struct error *err)
{
	while (in.len) {
		ssize_t n = write(fd, in.ptr, in.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "cannot write");
		in = bytes_from(in, (size_t)n);
	}
	return 0;
}

int fd_read_all(struct buf *out, int fd, size_t max, struct error *err)
{
	uint8_t chunk[4096];
	size_t total = 0;

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "cannot read");
		if (!n)
			break;
		total += (size_t)n;
		if (total > max)
			return error_set(err, E_LIMIT, "more than %zu bytes", max);
		buf_add(out, chunk, (size_t)n);
		explicit_bzero(chunk, (size_t)n);
	}
	return 0;
}

int fs_read(struct buf *out, const char *path, size_t max, struct error *err)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return FS_ABSENT;
	if (fd < 0)
		return error_sys(err, "cannot open '%s'", path);
	if (fstat(fd, &st) < 0)
		return error_sys(err, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, E_FORMAT, "'%s' is not a regular file", path);
	if (fd_read_all(out, fd, max, err) < 0)
		return error_add(err, "'%s'", path);
	return 0;
}

static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return mem_strdup(".");
	if (slash == path)
		return mem_strdup("/");
	return mem_strndup(path, (size_t)(slash - path));
}

int fs_sync_dir(const char *path, struct error *err)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_sys(err, "cannot open folder '%s'", path);
	if (fsync(fd) < 0)
		return error_sys(err, "cannot sync folder '%s'", path);
	return 0;
}

static int write_through(int fd, const char *tmp, struct bytes in, mode_t mode, const struct stat *owner,
			 struct error *err)
{
	if (fd_write_all(fd, in, err) < 0)
		return error_add(err, "'%s'", tmp);
	if (owner && fchown(fd, owner->st_uid, owner->st_gid) < 0)
		return error_sys(err, "cannot give '%s' its owner", tmp);
	if (fchmod(fd, mode) < 0)
		return error_sys(err, "cannot set the mode of '%s'", tmp);
	if (fsync(fd) < 0)
		return error_sys(err, "cannot sync '%s'", tmp);
	return 0;
}

static int put_file(const char *path, struct bytes in, mode_t mode, const struct stat *owner, struct error *err)
{
	_cleanup_(mem_freep) char *tmp = mem_printf("%s.tmp-XXXXXX", path);
	_cleanup_(mem_freep) char *dir = parent_of(path);
	_cleanup_(fd_closep) int fd = mkostemp(tmp, O_CLOEXEC);
	int r;

	if (fd < 0)
		return error_sys(err, "cannot make a file beside '%s'", path);
	r = write_through(fd, tmp, in, mode, owner, err);
	if (r == 0 && rename(tmp, path) < 0)
		r = error_sys(err, "cannot rename '%s' to '%s'", tmp, path);
	if (r < 0) {
		unlink(tmp);
		return r;
	}
	return fs_sync_dir(dir, err);
}

int fs_write(const char *path, struct bytes in, mode_t mode, struct error *err)
{
	return put_file(path, in, mode, NULL, err);
}

int fs_replace(const char *path, struct bytes in, mode_t mode_if_new, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno != ENOENT)
			return error_sys(err, "cannot look at '%s'", path);
		return put_file(path, in, mode_if_new, NULL, err);
	}
	return put_file(path, in, st.st_mode & 07777, &st, err);
}

int fs_remove(const char *path, struct error *err)
{
	_cleanup_(mem_freep) char *dir = parent_of(path);

	if (unlink(path) < 0) {
		if (errno == ENOENT)
			return 0;
		return error_sys(err, "cannot remove '%s'", path);
	}
	return fs_sync_dir(dir, err);
}

int fs_mkdirs(const char *path, mode_t mode, struct error *err)
{
	_cleanup_(mem_freep) char *copy = mem_strdup(path);

	for (char *at = copy + 1; *copy; at++) {
		char old = *at;

		if (old != '/' && old != 0)
			continue;
		*at = 0;
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return error_sys(err, "cannot make folder '%s'", copy);
		*at = old;
		if (!old)
			break;
	}
	return 0;
}

int fs_lock(const char *path, struct error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_sys(err, "cannot open '%s'", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int busy = errno == EWOULDBLOCK;

		close(fd);
		if (busy)
			return error_set(err, E_DENIED, "'%s' is locked: another process is at work here", path);
		return error_sys(err, "cannot lock '%s'", path);
	}
	return fd;
}
