/* agent/image.c -- a firmware image that comes to the disk byte by byte. */
#include "agent/image.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 64 << 10 };

static void restart(struct image *image)
{
	image->have = image->there = 0;
	crypto_hash_sha256_init(&image->hash);
}

int image_open(struct image *image, const char *path, uint64_t size, const uint8_t want[static HASH_LEN], struct error *err)
{
	struct stat st;

	*image = (struct image){ .fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), .size = size };
	memcpy(image->want, want, HASH_LEN);
	restart(image);
	if (image->fd < 0 || fstat(image->fd, &st) < 0)
		return error_sys(err, "cannot open '%s'", path);
	image->there = (uint64_t)st.st_size <= size ? (uint64_t)st.st_size : 0;
	return image->there < (uint64_t)st.st_size && ftruncate(image->fd, 0) < 0 ? error_sys(err, "cannot shorten '%s'", path) : 0;
}

void image_close(struct image *image)
{
	if (image->fd >= 0 && image->size)
		close(image->fd);
	*image = (struct image){ .fd = -1 };
}

/* Reads up to max bytes at `at`. 0: nothing more. */
static int hash_block(crypto_hash_sha256_state *hash, uint8_t *block, int fd, uint64_t at, size_t max, size_t *len, struct error *err)
{
	ssize_t n = pread(fd, block, max < BLOCK ? max : BLOCK, (off_t)at);

	if (n < 0)
		return errno == EINTR ? hash_block(hash, block, fd, at, max, len, err) : error_sys(err, "cannot read the image");
	crypto_hash_sha256_update(hash, block, (size_t)n);
	*len = (size_t)n;
	return 0;
}

int image_hash(struct image *image, struct error *err)
{
	_cleanup_(mem_freep) uint8_t *block = mem_alloc(BLOCK);

	for (uint64_t end = image->have + IMAGE_STEP; image->have < image->there && image->have < end;) {
		size_t len;

		if (hash_block(&image->hash, block, image->fd, image->have, image->there - image->have, &len, err) < 0)
			return err->code;
		if (!len)
			return error_set(err, E_SYS, "the image became shorter while it was read");
		image->have += len;
	}
	return image->have < image->there ? IMAGE_MORE : 0;
}

static int write_all(int fd, struct bytes in, uint64_t at, struct error *err)
{
	while (in.len) {
		ssize_t n = pwrite(fd, in.ptr, in.len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "cannot write the image");
		in = bytes_from(in, (size_t)n);
		at += (uint64_t)n;
	}
	return 0;
}

int image_add(struct image *image, uint64_t at, struct bytes in, struct error *err)
{
	if (at > image->have || in.len > image->size || at > image->size - in.len)
		return error_set(err, E_PEER, "the server sends bytes of the image that were not asked for");
	if (at + in.len <= image->have)
		return 0;
	in = bytes_from(in, (size_t)(image->have - at));
	if (write_all(image->fd, in, image->have, err) < 0)
		return err->code;
	crypto_hash_sha256_update(&image->hash, in.ptr, in.len);
	image->have += in.len;
	return 0;
}

int image_check(struct image *image, struct error *err)
{
	crypto_hash_sha256_state hash = image->hash;
	uint8_t is[HASH_LEN];

	if (image->have < image->size)
		return IMAGE_SHORT;
	crypto_hash_sha256_final(&hash, is);
	if (!memcmp(is, image->want, HASH_LEN))
		return fdatasync(image->fd) < 0 ? error_sys(err, "cannot write the image") : 0;
	restart(image);
	if (ftruncate(image->fd, 0) < 0)
		return error_sys(err, "cannot shorten the image");
	return error_set(err, E_SEAL, "the image that came is not the one that was signed");
}

int image_use(const char *path, uint64_t size, const uint8_t want[static HASH_LEN], struct error *err)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_(mem_freep) uint8_t *block = mem_alloc(BLOCK);
	crypto_hash_sha256_state hash;
	uint8_t is[HASH_LEN];
	uint64_t at = 0;
	size_t len = 1;

	if (fd < 0)
		return error_sys(err, "cannot open '%s'", path);
	crypto_hash_sha256_init(&hash);
	for (; len && at <= size; at += len)
		if (hash_block(&hash, block, fd, at, BLOCK, &len, err) < 0)
			return err->code;
	crypto_hash_sha256_final(&hash, is);
	if (at != size || memcmp(is, want, HASH_LEN) != 0)
		return error_set(err, E_SEAL, "'%s' is not the image that was signed", path);
	len = (size_t)fd;
	fd = -1;
	return (int)len;
}
