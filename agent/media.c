/* agent/media.c -- block devices of a Linux machine that are erased as a whole, in the order of the settings, with a journal. */
#include "agent/media.h"

#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define JOURNAL_HEAD "holdfast-media/1\n"

/* A step is what is written, or read back, between two entries of the journal. */
enum { CHUNK = 1 << 20, STEP = 16 << 20, BUDGET_MS = DEVICE_ERASE_MS / 2, JOURNAL_MAX = 1024, MTD_MAJOR = 90 };
enum phase { BEGIN, WRITE, READ, OVER };

/* Which medium it is at, and how far. The ones before are over. */
struct journal {
	char *path;
	unsigned index;
	unsigned phase;
	bool is_discarded; /* securely, and read back as one value */
	uint64_t at, size;
	uint8_t key[crypto_stream_chacha20_KEYBYTES];
	unsigned purged; /* a bit for each that was discarded so */
};

struct medium {
	const char *path;
	int fd;
	uint64_t size;
};

/* ---- the journal ---- */

static int journal_write(const struct journal *j, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char key[2 * sizeof(j->key) + 1];

	hex_encode(key, j->key, sizeof(j->key));
	buf_addf(&text, JOURNAL_HEAD "%u %u %d %llu %llu %u %s\n", j->index, j->phase, j->is_discarded, (unsigned long long)j->at,
		 (unsigned long long)j->size, j->purged, key);
	return fs_write(j->path, buf_bytes(&text), 0600, err);
}

static int journal_read(struct journal *j, const char *state_dir, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	unsigned long long at, size;
	char key[2 * sizeof(j->key) + 1];
	struct journal was = { 0 };
	int is_discarded, r;

	*j = (struct journal){ .path = mem_printf("%s/" MEDIA_JOURNAL, state_dir) };
	r = fs_read(&text, j->path, JOURNAL_MAX, err);
	if (r != 0)
		return r < 0 ? r : 0;
	if (sscanf(buf_text(&text), JOURNAL_HEAD "%u %u %d %llu %llu %u %64s", &was.index, &was.phase, &is_discarded, &at, &size,
		   &was.purged, key) != 7 ||
	    !hex_decode(was.key, sizeof(was.key), bytes_str(key)) || was.phase > OVER)
		return 0; /* none: everything is erased again */
	was.path = j->path;
	was.is_discarded = is_discarded != 0;
	was.at = at;
	was.size = size;
	*j = was;
	return 0;
}

static int enter(struct journal *j, enum phase phase, uint64_t at, struct error *err)
{
	j->phase = phase;
	j->at = at;
	return journal_write(j, err);
}

/* ---- what may be erased ---- */

/* Is it the device, or the whole one of a partition, that this folder lies on? What lies between (a volume group, an encryption) keeps the
 * device busy, so that it cannot be opened. */
static bool holds(dev_t device, const char *folder)
{
	_cleanup_(mem_freep) char *whole = NULL, *path = NULL;
	struct stat st;

	if (stat(folder, &st) < 0)
		return false;
	if (st.st_dev == device)
		return true;
	path = mem_printf("/sys/dev/block/%u:%u/../dev", major(st.st_dev), minor(st.st_dev));
	whole = mem_printf("%u:%u\n", major(device), minor(device));
	{
		_cleanup_(buf_done) struct buf text = { 0 };
		struct error ignored;

		return fs_read(&text, path, 64, &ignored) == 0 && !strcmp(buf_text(&text), whole);
	}
}

static int medium_open(struct medium *m, const char *path, const char *state_dir, struct error *err)
{
	struct stat st;
	int is_fixed = 0;

	*m = (struct medium){ .path = path, .fd = -1 };
	if (stat(path, &st) < 0)
		return error_sys(err, "cannot look at '%s'", path);
	if (S_ISCHR(st.st_mode) && major(st.st_rdev) == MTD_MAJOR)
		return error_set(err, E_FORMAT, "'%s' is a raw flash (MTD), which is not supported: erase it with flash_erase", path);
	if (!S_ISBLK(st.st_mode))
		return error_set(err, E_FORMAT, "'%s' is no block device", path);
	if (holds(st.st_rdev, state_dir))
		return error_set(err, E_DENIED, "'%s' holds the agent's state: from there it cannot be erased", path);
	m->fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC); /* the kernel refuses one that is mounted, or part of what is */
	if (m->fd < 0 && errno == EBUSY)
		return error_set(err, E_DENIED, "'%s' is in use: mounted, or part of something that is", path);
	if (m->fd < 0)
		return error_sys(err, "cannot open '%s'", path);
	if (ioctl(m->fd, BLKROGET, &is_fixed) < 0 || ioctl(m->fd, BLKGETSIZE64, &m->size) < 0)
		return error_sys(err, "cannot ask '%s' for its size", path);
	return is_fixed || !m->size ? error_set(err, E_FORMAT, "'%s' cannot be written, or is empty", path) : 0;
}

static void medium_done(struct medium *m)
{
	fd_closep(&m->fd);
}

/* ---- writing and reading ---- */

static void noise(uint8_t *out, size_t len, const struct journal *j, uint64_t at)
{
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];

	memset(out, 0, len);
	crypto_stream_chacha20_xor_ic(out, out, len, nonce, at / 64, j->key);
}

static int move(const struct medium *m, uint8_t *chunk, size_t len, uint64_t at, bool writes, struct error *err)
{
	while (len) {
		ssize_t n = writes ? pwrite(m->fd, chunk, len, (off_t)at) : pread(m->fd, chunk, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "cannot %s '%s' at %llu", writes ? "write" : "read", m->path, (unsigned long long)at);
		if (n == 0)
			return error_set(err, E_PEER, "'%s' ends before its size", m->path);
		chunk += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_step(const struct medium *m, const struct journal *j, uint64_t end, struct error *err)
{
	_cleanup_(mem_freep) char *chunk = mem_alloc(CHUNK);

	for (uint64_t at = j->at; at < end; at += CHUNK) {
		size_t len = end - at < CHUNK ? (size_t)(end - at) : CHUNK;

		noise((uint8_t *)chunk, len, j, at);
		if (move(m, (uint8_t *)chunk, len, at, true, err) < 0)
			return err->code;
	}
	return fsync(m->fd) < 0 ? error_sys(err, "cannot sync '%s'", m->path) : 0;
}

static int read_step(const struct medium *m, const struct journal *j, uint64_t end, struct error *err)
{
	_cleanup_(mem_freep) char *chunk = mem_alloc(CHUNK), *should = mem_alloc(CHUNK);

	for (uint64_t at = j->at; at < end; at += CHUNK) {
		size_t len = end - at < CHUNK ? (size_t)(end - at) : CHUNK;

		noise((uint8_t *)should, len, j, at);
		if (move(m, (uint8_t *)chunk, len, at, false, err) < 0)
			return err->code;
		if (memcmp(chunk, should, len) != 0)
			return error_set(err, E_PEER, "'%s' does not hold what was written at %llu", m->path, (unsigned long long)at);
	}
	return 0;
}

/* What the kernel has of it is forgotten, so that the medium is read. */
static void forget(const struct medium *m)
{
	(void)ioctl(m->fd, BLKFLSBUF, 0);
	(void)posix_fadvise(m->fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* 1: all of it is one value. */
static int is_blank(const struct medium *m, struct error *err)
{
	_cleanup_(mem_freep) char *chunk = mem_alloc(CHUNK);
	int value = -1;

	for (uint64_t at = 0; at < m->size; at += CHUNK) {
		size_t len = m->size - at < CHUNK ? (size_t)(m->size - at) : CHUNK;

		if (move(m, (uint8_t *)chunk, len, at, false, err) < 0)
			return err->code;
		if (value < 0)
			value = (uint8_t)chunk[0];
		if ((value != 0 && value != 0xff) || (uint8_t)chunk[0] != value || memcmp(chunk, chunk + 1, len - 1) != 0)
			return 0;
	}
	return 1;
}

/* ---- one medium ---- */

static int begin(const struct medium *m, struct journal *j, struct error *err)
{
	uint64_t range[2] = { 0, m->size };
	int blank = 0;

	randombytes_buf(j->key, sizeof(j->key));
	j->size = m->size;
	j->is_discarded = false;
	if (ioctl(m->fd, BLKSECDISCARD, range) == 0) {
		forget(m);
		blank = is_blank(m, err);
		if (blank < 0)
			return blank;
	}
	j->is_discarded = blank == 1;
	return enter(j, j->is_discarded ? OVER : WRITE, 0, err);
}

/* One step; phase and place move on. */
static int step(const struct medium *m, struct journal *j, struct error *err)
{
	uint64_t end = m->size - j->at < STEP ? m->size : j->at + STEP;
	int r = j->phase == WRITE ? write_step(m, j, end, err) : read_step(m, j, end, err);
	struct error second;

	if (r == E_PEER && j->phase == READ && enter(j, BEGIN, 0, &second) < 0)
		return error_add(err, "%s", second.text); /* what does not hold is erased anew */
	if (r < 0)
		return r;
	if (end < m->size)
		return enter(j, j->phase, end, err);
	if (j->phase == WRITE)
		forget(m);
	return enter(j, j->phase == WRITE ? READ : OVER, 0, err);
}

/* The medium may be another one than it was begun with. */
static int go_on(const struct medium *m, struct journal *j, uint64_t deadline_ms, struct error *err)
{
	if (j->phase > BEGIN && j->size != m->size)
		j->phase = BEGIN;
	if (j->phase == BEGIN && begin(m, j, err) < 0)
		return err->code;
	if (j->phase == READ)
		forget(m);
	while (j->phase != OVER) {
		if (clock_mono_ms() >= deadline_ms)
			return DEVICE_ERASE_MORE;
		if (step(m, j, err) < 0)
			return err->code;
	}
	return 0;
}

static int erase_one(struct journal *j, const char *path, const char *state_dir, uint64_t deadline_ms, struct error *err)
{
	_cleanup_(medium_done) struct medium m;
	int r = medium_open(&m, path, state_dir, err);

	if (r == 0)
		r = go_on(&m, j, deadline_ms, err);
	if (r != 0)
		return r;
	j->purged |= j->is_discarded ? 1U << j->index : 0;
	j->index++;
	j->is_discarded = false;
	return enter(j, BEGIN, 0, err);
}

static void tell(struct device_erased *out, const struct journal *j, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		_cleanup_(mem_freep) char *name = mem_printf("medium-%u", i + 1);
		bool is_purged = (j->purged & (1U << i)) != 0;
		struct area *area = device_area(out, name, is_purged ? "secure-discard" : "overwrite", is_purged ? AREA_PURGE : AREA_CLEAR);

		area->result = i < j->index ? AREA_DONE : i == j->index && j->phase != BEGIN ? AREA_PARTIAL : AREA_NOT_DONE;
		area->seen = i < j->index ? AREA_READ_BACK : AREA_NOTHING;
	}
}

int media_erase(struct device_erased *out, const struct settings_device *dev, const char *state_dir, struct error *err)
{
	uint64_t deadline_ms = clock_mono_ms() + BUDGET_MS;
	struct journal j = { 0 };
	int r = journal_read(&j, state_dir, err);

	while (r == 0 && j.index < dev->media_count)
		r = erase_one(&j, dev->media[j.index], state_dir, deadline_ms, err);
	tell(out, &j, dev->media_count);
	device_left(out, "what a medium keeps out of reach: blocks that it set aside, caches, areas hidden from the system");
	free(j.path);
	return r;
}
