/* base/fs.c -- files: read whole and bounded, replaced whole or not at all. */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

void fd_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

enum {
	SYNC_BYTES = 256 << 10,
	WRITE_BYTES = 64 << 10, /* a core is not taken from a thread in the middle of one write() by every kernel */
};

int fd_write_all(int fd, struct bytes in, struct error *err)
{
	while (in.len) {
		ssize_t n = write(fd, in.ptr, in.len < WRITE_BYTES ? in.len : WRITE_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "cannot write");
		in = bytes_from(in, (size_t)n);
	}
	return 0;
}

int fd_write_in_pieces(int fd, struct bytes in, struct error *err)
{
	while (in.len) {
		struct bytes piece = bytes_of(in.ptr, in.len < SYNC_BYTES ? in.len : SYNC_BYTES);

		if (fd_write_all(fd, piece, err) < 0)
			return err->code;
		in = bytes_from(in, piece.len);
		if (in.len && sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) < 0 && fdatasync(fd) < 0)
			return error_sys(err, "cannot sync");
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

enum { XATTRS_MAX = 65536 }; /* XATTR_LIST_MAX and XATTR_SIZE_MAX of Linux */

/* What the kernel keeps for itself may be refused; the new file then has its own. */
static int copy_xattr(int to, const char *from, const char *name, uint8_t *value, struct error *err)
{
	ssize_t len = getxattr(from, name, value, XATTRS_MAX);

	if (len >= 0 && fsetxattr(to, name, value, (size_t)len, 0) == 0)
		return 0;
	if (errno == ENODATA || errno == EOPNOTSUPP || (errno == EPERM && !strncmp(name, "security.", 9)))
		return 0;
	return error_sys(err, "cannot keep the attribute '%s' of '%s'", name, from);
}

static int copy_xattrs(int to, const char *from, struct error *err)
{
	_cleanup_(mem_freep) char *names = mem_alloc(XATTRS_MAX), *value = mem_alloc(XATTRS_MAX);
	ssize_t len = listxattr(from, names, XATTRS_MAX);

	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : error_sys(err, "cannot read the attributes of '%s'", from);
	for (const char *name = names; name < names + len; name += strlen(name) + 1)
		if (copy_xattr(to, from, name, (uint8_t *)value, err) < 0)
			return err->code;
	return 0;
}

/* like: the file whose owner and attributes it gets, NULL for none. */
static int write_through(int fd, const char *tmp, struct bytes in, mode_t mode, const struct stat *owner, const char *like,
			 struct error *err)
{
	if (fd_write_in_pieces(fd, in, err) < 0)
		return error_add(err, "'%s'", tmp);
	if (owner && fchown(fd, owner->st_uid, owner->st_gid) < 0)
		return error_sys(err, "cannot give '%s' its owner", tmp);
	if (owner && copy_xattrs(fd, like, err) < 0)
		return err->code;
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
	r = write_through(fd, tmp, in, mode, owner, path, err);
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

void fs_sweep(const char *path)
{
	_cleanup_(mem_freep) char *folder = parent_of(path), *prefix = NULL;
	const char *slash = strrchr(path, '/');
	const struct dirent *entry;
	DIR *dir = opendir(folder);

	prefix = mem_printf("%s.tmp-", slash ? slash + 1 : path);
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, prefix, strlen(prefix)) && strlen(entry->d_name) == strlen(prefix) + 6)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
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
