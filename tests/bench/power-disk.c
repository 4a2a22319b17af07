/* tests/bench/power-disk.c -- a disk with a cache that a power cut empties, for a loop device to stand on.
 *
 * power-disk FOLDER MIB MOUNTPOINT. Shows two files: "disk", and "cut". What is written to disk is kept in the order in which it came, and
 * is safe only after a flush (fsync, which a loop device makes of its flushes). Whoever writes a file's name into "cut" gets there what a
 * power cut at this moment would leave: all that was flushed, and of the rest each write or not, by chance, the last ones torn between
 * sectors. */
#define FUSE_USE_VERSION 31
#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { SECTOR = 512, COPY = 1 << 20 };

struct pending {
	off_t at;
	struct buf data;
};

static struct {
	int now, safe; /* what a reader sees; what is on the platters */
	off_t size;
	struct pending *list;
	size_t count, cap;
} disk;

static bool chance(void)
{
	uint8_t c = 0;

	return getrandom(&c, 1, 0) == 1 && (c & 1);
}

static int put(int fd, struct bytes data, off_t at)
{
	return pwrite(fd, data.ptr, data.len, at) == (ssize_t)data.len ? 0 : -EIO;
}

static int disk_flush(void)
{
	int r = 0;

	for (size_t i = 0; i < disk.count; i++) {
		if (put(disk.safe, buf_bytes(&disk.list[i].data), disk.list[i].at) < 0)
			r = -EIO;
		buf_done(&disk.list[i].data);
	}
	disk.count = 0;
	return r;
}

static int disk_write(struct bytes data, off_t at)
{
	struct pending *p;

	if (disk.count == disk.cap) {
		disk.cap = disk.cap ? disk.cap * 2 : 256;
		disk.list = mem_grow(disk.list, disk.cap * sizeof(*disk.list));
	}
	p = &disk.list[disk.count++];
	*p = (struct pending){ .at = at };
	buf_add_bytes(&p->data, data);
	return put(disk.now, data, at);
}

/* Holes stay holes. */
static int copy_safe(int to)
{
	static char block[COPY];
	off_t at = 0, end;

	if (ftruncate(to, disk.size) < 0)
		return -EIO;
	while ((at = lseek(disk.safe, at, SEEK_DATA)) >= 0) {
		end = lseek(disk.safe, at, SEEK_HOLE);
		while (at < end) {
			ssize_t n = pread(disk.safe, block, end - at < COPY ? (size_t)(end - at) : COPY, at);

			if (n <= 0 || pwrite(to, block, (size_t)n, at) != n)
				return -EIO;
			at += n;
		}
	}
	return errno == ENXIO ? 0 : -EIO;
}

static int cut(const char *name)
{
	int to = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), r;

	if (to < 0)
		return -errno;
	r = copy_safe(to);
	for (size_t i = 0; r == 0 && i < disk.count; i++) {
		struct bytes data = buf_bytes(&disk.list[i].data);

		for (size_t from = 0; r == 0 && chance() && from < data.len; from += SECTOR)
			r = put(to, bytes_of(data.ptr + from, data.len - from < SECTOR ? data.len - from : SECTOR),
				disk.list[i].at + (off_t)from);
		/* most cuts tear a write or leave it out; half of those that are left are whole */
		if (r == 0 && chance())
			r = put(to, data, disk.list[i].at);
	}
	close(to);
	return r;
}

/* ---- as a file system ---- */

static bool is_disk(const char *path)
{
	return !strcmp(path, "/disk");
}

static int on_getattr(const char *path, struct stat *st, struct fuse_file_info *fi _unused_)
{
	*st = (struct stat){ .st_mode = S_IFREG | 0600, .st_nlink = 1, .st_size = is_disk(path) ? disk.size : 0 };
	if (!strcmp(path, "/"))
		st->st_mode = S_IFDIR | 0700;
	else if (!is_disk(path) && strcmp(path, "/cut") != 0)
		return -ENOENT;
	return 0;
}

static int on_open(const char *path _unused_, struct fuse_file_info *fi)
{
	fi->direct_io = 1;
	return 0;
}

static int on_truncate(const char *path _unused_, off_t size _unused_, struct fuse_file_info *fi _unused_)
{
	return 0; /* a shell's ">" */
}

static int on_read(const char *path, char *out, size_t len, off_t at, struct fuse_file_info *fi _unused_)
{
	ssize_t n = is_disk(path) ? pread(disk.now, out, len, at) : 0;

	return n < 0 ? -errno : (int)n;
}

static int on_write(const char *path, const char *in, size_t len, off_t at, struct fuse_file_info *fi _unused_)
{
	int r;

	if (is_disk(path)) {
		r = disk_write(bytes_of(in, len), at);
	} else {
		_cleanup_(mem_freep) char *name = mem_strndup(in, strcspn(in, "\n") < len ? strcspn(in, "\n") : len);

		r = cut(name);
	}
	return r < 0 ? r : (int)len;
}

static int on_fsync(const char *path, int data_only _unused_, struct fuse_file_info *fi _unused_)
{
	return is_disk(path) ? disk_flush() : 0;
}

static const struct fuse_operations operations = {
	.getattr = on_getattr, .open = on_open, .truncate = on_truncate, .read = on_read, .write = on_write, .fsync = on_fsync,
};

static int open_image(const char *folder, const char *name)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", folder, name);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	return fd < 0 || ftruncate(fd, disk.size) < 0 ? -1 : fd;
}

int main(int argc, char **argv)
{
	char *args[] = { argv[0], "-f", "-s", argc == 4 ? argv[3] : NULL, NULL };

	if (argc != 4) {
		fprintf(stderr, "usage: power-disk FOLDER MIB MOUNTPOINT\n");
		return 2;
	}
	disk.size = (off_t)strtoul(argv[2], NULL, 10) << 20;
	disk.now = open_image(argv[1], "now");
	disk.safe = open_image(argv[1], "safe");
	if (disk.now < 0 || disk.safe < 0) {
		perror(argv[1]);
		return 1;
	}
	return fuse_main(4, args, &operations, NULL);
}
