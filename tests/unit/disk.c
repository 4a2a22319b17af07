/* tests/unit/disk.c -- a disk that refuses, or a machine that stops, at its nth step. */
/* or the headers would give these functions other names */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE
#include "tests/unit/disk.h"

#include "base/attr.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum mode { OK, REFUSE_FROM, REFUSE_ONCE, DIE, CALL };

static _Atomic int mode;
static atomic_long steps, at;
static _Atomic int refusal;
static _Thread_local bool is_calling; /* the thread of which steps count, between them */
static void (*call)(void *ctx);
static void *call_ctx;

static void tell(enum mode what, long n, int error)
{
	steps = 0;
	at = n;
	refusal = error;
	mode = what;
}

void disk_refuse_from(long n, int error)
{
	tell(REFUSE_FROM, n, error);
}

void disk_refuse_once(long n, int error)
{
	tell(REFUSE_ONCE, n, error);
}

void disk_die_at(long n)
{
	tell(DIE, n, 0);
}

void disk_call_at(long n, void (*fn)(void *ctx), void *ctx)
{
	call = fn;
	call_ctx = ctx;
	is_calling = true;
	tell(CALL, n, 0);
}

long disk_ok(void)
{
	mode = OK;
	is_calling = false;
	return steps;
}

static void die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static void call_once(void)
{
	is_calling = false;
	call(call_ctx);
	is_calling = true;
}

/* Counts a step; -1 while nothing is to happen. */
static long take_step(void)
{
	long n;

	if (mode == OK || (mode == CALL && !is_calling))
		return -1;
	n = atomic_fetch_add(&steps, 1);
	if (mode == CALL && n == at)
		call_once();
	return n;
}

static bool step_is_refused(long n, bool frees_space)
{
	if ((mode == REFUSE_FROM && n >= at && !frees_space) || (mode == REFUSE_ONCE && n == at)) {
		errno = refusal;
		return true;
	}
	return false;
}

static bool step_is_last(long n)
{
	return mode == DIE && n == at;
}

static bool is_refused(bool frees_space)
{
	long n = take_step();

	if (step_is_last(n))
		die();
	return step_is_refused(n, frees_space);
}

static int made_mode(int flags, va_list ap)
{
	return flags & O_CREAT ? va_arg(ap, int) : 0;
}

/* ---- the functions themselves; opening counts only when it may make a file ---- */

int open64(const char *path, int flags, ...);
ssize_t pwrite64(int fd, const void *from, size_t len, off_t offset);
int ftruncate64(int fd, off_t len);
int mkostemp64(char *template, int flags);

static int open_at(int folder, const char *path, int flags, int made)
{
	if (flags & O_CREAT && is_refused(false))
		return -1;
	return (int)syscall(SYS_openat, folder, path, flags, made);
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	int made;

	va_start(ap, flags);
	made = made_mode(flags, ap);
	va_end(ap);
	return open_at(AT_FDCWD, path, flags, made);
}

int open64(const char *path, int flags, ...)
{
	va_list ap;
	int made;

	va_start(ap, flags);
	made = made_mode(flags, ap);
	va_end(ap);
	return open_at(AT_FDCWD, path, flags, made);
}

ssize_t write(int fd, const void *from, size_t len)
{
	long n = take_step();

	if (step_is_last(n)) { /* a write that the process does not survive leaves half of it */
		syscall(SYS_write, fd, from, len / 2);
		die();
	}
	if (step_is_refused(n, false))
		return -1;
	return syscall(SYS_write, fd, from, len);
}

ssize_t pwrite64(int fd, const void *from, size_t len, off_t offset)
{
	long n = take_step();

	if (step_is_last(n)) {
		syscall(SYS_pwrite64, fd, from, len / 2, offset);
		die();
	}
	if (step_is_refused(n, false))
		return -1;
	return syscall(SYS_pwrite64, fd, from, len, offset);
}

int ftruncate64(int fd, off_t len)
{
	return is_refused(true) ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}

/* A killed process loses nothing that it wrote: whether the kernel syncs is not what is tested here, and it takes long. */
int fsync(int fd _unused_)
{
	return is_refused(false) ? -1 : 0;
}

int fdatasync(int fd _unused_)
{
	return is_refused(false) ? -1 : 0;
}

int sync_file_range(int fd _unused_, off64_t from _unused_, off64_t len _unused_, unsigned how _unused_)
{
	return is_refused(false) ? -1 : 0;
}

int syncfs(int fd _unused_)
{
	return is_refused(false) ? -1 : 0;
}

int rename(const char *from, const char *to)
{
	return is_refused(false) ? -1 : (int)syscall(SYS_rename, from, to);
}

int mkdir(const char *path, mode_t made)
{
	if (access(path, F_OK) < 0 && is_refused(false))
		return -1;
	return (int)syscall(SYS_mkdir, path, made);
}

int unlink(const char *path)
{
	return is_refused(true) ? -1 : (int)syscall(SYS_unlink, path);
}

int mkostemp64(char *template, int flags)
{
	static atomic_uint next;
	char *end = template;

	while (*end)
		end++;
	for (int tries = 0; tries < 1000; tries++) {
		int fd;

		snprintf(end - 6, 7, "%06x", (unsigned)(atomic_fetch_add(&next, 1) * 7919U + (unsigned)getpid()) & 0xffffff);
		fd = open_at(AT_FDCWD, template, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}
