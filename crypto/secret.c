/* crypto/secret.c -- memory for keys: locked, guarded, wiped, never printed. */
#include "crypto/secret.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int crypto_start(struct error *err)
{
	struct rlimit none = { 0, 0 };

	if (sodium_init() < 0)
		return error_set(err, E_SYS, "cannot start libsodium: no good source of randomness");
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return error_sys(err, "cannot forbid core dumps");
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return error_sys(err, "cannot forbid dumping");
	return 0;
}

void secret_init(struct secret *out, size_t len)
{
	/* again and again is fine: it does its work once */
	if (sodium_init() < 0)
		abort();
	out->ptr = sodium_malloc(len ? len : 1);
	if (!out->ptr)
		abort(); /* out of memory */
	out->len = len;
	memset(out->ptr, 0, len);
}

void secret_random(struct secret *out, size_t len)
{
	secret_init(out, len);
	randombytes_buf(out->ptr, len);
}

void secret_copy(struct secret *out, struct bytes in)
{
	secret_init(out, in.len);
	if (in.len)
		memcpy(out->ptr, in.ptr, in.len);
}

struct bytes secret_bytes(const struct secret *s)
{
	return bytes_of(s->ptr, s->len);
}

void secret_done(struct secret *s)
{
	if (s->ptr)
		sodium_free(s->ptr);
	*s = (struct secret){ 0 };
}

static int load_from(struct secret *out, int fd, const char *path, size_t max, struct error *err)
{
	struct stat st;
	size_t len = 0;

	if (fstat(fd, &st) < 0)
		return error_sys(err, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, E_FORMAT, "'%s' is not a regular file", path);
	if (st.st_mode & 077)
		return error_set(err, E_DENIED, "'%s' may be read by others than its owner; run: chmod 600 '%s'", path, path);
	if ((uint64_t)st.st_size > max)
		return error_set(err, E_LIMIT, "'%s' is larger than %zu bytes", path, max);
	secret_init(out, (size_t)st.st_size);
	while (len < out->len) {
		ssize_t n = read(fd, out->ptr + len, out->len - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			secret_done(out);
			return n < 0 ? error_sys(err, "cannot read '%s'", path) :
				       error_set(err, E_SYS, "'%s' changed while it was read", path);
		}
		len += (size_t)n;
	}
	return 0;
}

int secret_load(struct secret *out, const char *path, size_t max, struct error *err)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 && errno == ENOENT)
		return FS_ABSENT;
	if (fd < 0)
		return error_sys(err, "cannot open '%s'", path);
	return load_from(out, fd, path, max, err);
}
