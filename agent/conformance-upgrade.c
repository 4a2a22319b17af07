/* agent/conformance-upgrade.c -- does a driver move firmware as it must: what runs stays until the new image was seen to work, and what is
 * not the image, or not for this device, changes nothing?
 *
 * The power is not cut here. A device that lost it between its two images starts as it does by itself, so it is restarted that way. */
#include "agent/conformance-parts.h"

#include "agent/trace.h"
#include "agent/upgrade.h"
#include "base/fs.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 64 << 10, SETTLE_TRIES = 30 };

/* ---- the image ---- */

struct moved {
	const struct suite *suite;
	struct device_image image;
	struct device_images before; /* what ran when the row began */
};

/* false: the row says why. */
static bool describe(struct device_image *out, const char *path, struct row *row)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_(mem_freep) uint8_t *block = mem_alloc(BLOCK);
	crypto_hash_sha256_state hash;
	ssize_t n = -1;

	crypto_hash_sha256_init(&hash);
	out->path = path;
	for (out->size = 0; fd >= 0 && (n = read(fd, block, BLOCK)) > 0; out->size += (uint64_t)n)
		crypto_hash_sha256_update(&hash, block, (size_t)n);
	crypto_hash_sha256_final(&hash, out->hash);
	if (fd < 0 || n < 0 || !out->size)
		row_say(row, NOT_TRIED, "'%.100s' cannot be read, or is empty", path);
	return fd >= 0 && n == 0 && out->size;
}

static bool see_images(const struct moved *m, struct device_images *out, struct row *row)
{
	struct error err = { 0 };

	*out = (struct device_images){ 0 };
	if (m->suite->driver->upgrade(out, m->suite->dev, DEVICE_UPGRADE_SEE, &m->image, &err) == 0)
		return true;
	row_say(row, FAILS, "what runs: %s", err.text);
	return false;
}

/* false: the row says why. */
static bool begin(struct moved *m, const struct suite *s, struct row *row)
{
	const struct conformance_firmware *firmware = s->what->firmware;

	*m = (struct moved){ .suite = s, .image = { .part = firmware->part, .version = firmware->version, .slot = "" } };
	if (!describe(&m->image, firmware->path, row) || !see_images(m, &m->before, row))
		return false;
	m->image.slot = m->before.slot;
	return true;
}

static bool step(const struct moved *m, enum device_upgrade what, const char *name, struct row *row)
{
	struct device_images none = { 0 };
	struct error err = { 0 };

	if (m->suite->driver->upgrade(&none, m->suite->dev, what, &m->image, &err) == 0)
		return true;
	row_say(row, FAILS, "%s: %s", name, err.text);
	return false;
}

/* Running and startup are what they were. A device that has just started may need a while for all of itself. */
static bool keeps_configuration(const struct moved *m, struct row *row, const char *after)
{
	const struct timespec nap = { .tv_sec = 1 };
	const struct suite *s = m->suite;

	for (unsigned i = 0; i < SETTLE_TRIES; i++, nanosleep(&nap, NULL))
		if (moment_still(s, row, &s->first.running, &s->first.startup, after))
			return true;
	return false;
}

/* Does it run this version, from the image that ran before or from another one, and is it well? */
static bool runs(const struct moved *m, struct row *row, const char *version, bool is_other, const char *after)
{
	struct device_images now;

	if (!see_images(m, &now, row))
		return false;
	if (*now.failure)
		row_say(row, FAILS, "%s, it is in a failure mode: %.100s", after, now.failure);
	else if (strcmp(now.version, version) != 0)
		row_say(row, FAILS, "%s, it runs %.60s", after, now.version);
	else if (*now.slot && (strcmp(now.slot, m->before.slot) != 0) != is_other)
		row_say(row, FAILS, "%s, it runs from '%s'", after, now.slot);
	else
		return true;
	return false;
}

static bool is_untouched(const struct moved *m, struct row *row, const char *after)
{
	return runs(m, row, m->before.version, false, after) && keeps_configuration(m, row, after);
}

/* ---- what changes nothing ---- */

static void check_runs(struct suite *s, struct row *row)
{
	struct device_facts facts = { 0 };
	struct device_images again;
	struct error err = { 0 };
	struct moved m;

	if (!begin(&m, s, row) || !see_images(&m, &again, row))
		return;
	if (s->driver->facts(&facts, s->dev, &err) < 0)
		row_say(row, FAILS, "%s", err.text);
	else if (strcmp(again.version, m.before.version) != 0 || strcmp(again.slot, m.before.slot) != 0)
		row_say(row, FAILS, "seen twice, it runs %.40s and %.40s", m.before.version, again.version);
	else if (strcmp(facts.firmware, again.version) != 0)
		row_say(row, FAILS, "it runs %.40s, and its facts say %.40s", again.version, facts.firmware);
	else if (*again.failure)
		row_say(row, FAILS, "it is in a failure mode: %.100s", again.failure);
	else
		row_say(row, HOLDS, "%.40s%s%s, other image %.40s", again.version, *again.slot ? " from " : "", again.slot,
			*again.other ? again.other : "unknown");
}

struct claim {
	const char *driver, *model, *version, *minimum; /* NULL: as it is right */
	unsigned long long size;                        /* 0: likewise */
	enum orders_check check;
};

static enum orders_check judged(const struct moved *m, const struct device_facts *facts, const struct claim *claim)
{
	const struct upgrade_device device = {
		.driver = m->suite->driver->name, .facts = facts, .most = m->image.size, .room = m->image.size
	};
	struct orders_judgement j = { .verdict = ORDERS_OBEY };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct statement *st = NULL;
	char hash[2 * HASH_LEN + 1];
	struct error err = { 0 };

	hex_encode(hash, m->image.hash, HASH_LEN);
	statement_begin(&text, STATEMENT_FIRMWARE);
	buf_addf(&text, "fleet: %.26s\ndriver: %s\npart: %s\n", "aaaaaaaaaaaaaaaaaaaaaaaaaa", claim->driver ? claim->driver : device.driver,
		 m->image.part);
	if (claim->model || *facts->model)
		buf_addf(&text, "model: %s\n", claim->model ? claim->model : facts->model);
	buf_addf(&text, "version: %s\n", claim->version ? claim->version : m->image.version);
	if (claim->minimum)
		buf_addf(&text, "minimum: %s\n", claim->minimum);
	buf_addf(&text, "size: %llu\nimage: %s\nperson: nobody\ntime: 2026-01-01T00:00:00Z\nroot: 1\n",
		 claim->size ? claim->size : (unsigned long long)m->image.size, hash);
	if (statement_parse(&st, buf_bytes(&text), true, NULL, &err) < 0)
		return CHECK_GRAMMAR;
	upgrade_judge_fit(&j, st, &device);
	statement_free(st);
	return j.check;
}

/* By what the device itself says of itself: an order for another is refused before anything is fetched. */
static void check_fit(struct suite *s, struct row *row)
{
	struct device_facts facts = { 0 };
	struct error err = { 0 };
	struct moved m;

	if (!begin(&m, s, row))
		return;
	if (s->driver->facts(&facts, s->dev, &err) < 0) {
		row_say(row, FAILS, "%s", err.text);
		return;
	}
	const struct claim claims[] = {
		{ .check = CHECK_NONE },
		{ .driver = "another", .check = CHECK_MODEL },
		{ .model = "Another-9999", .check = *facts.model ? CHECK_MODEL : CHECK_NONE },
		{ .minimum = "9999.0", .check = CHECK_MINIMUM },
		{ .version = "0.0.1", .check = CHECK_DOWNGRADE },
		{ .size = m.image.size + 1, .check = CHECK_SPACE },
	};
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
		enum orders_check check = judged(&m, &facts, &claims[i]);

		if (check == claims[i].check)
			continue;
		row_say(row, FAILS, "%s %s", i ? "an order that must be refused as" : "the image is refused as",
			orders_check_name(i ? claims[i].check : check));
		return;
	}
	row_say(row, HOLDS, "refused for another driver%s, below its minimum, older than what runs, too large",
		*facts.model ? ", another model" : "");
}

static int install(const struct moved *m, struct error *err)
{
	struct device_images none = { 0 };

	return m->suite->driver->upgrade(&none, m->suite->dev, DEVICE_UPGRADE_INSTALL, &m->image, err);
}

static void check_hash(struct suite *s, struct row *row)
{
	struct error err = { 0 };
	struct moved m;
	int r;

	if (!begin(&m, s, row))
		return;
	m.image.hash[0] ^= 1;
	r = install(&m, &err);
	if (r != E_SEAL)
		row_say(row, FAILS, "an image with another hash: %s", r == 0 ? "installed" : err.text);
	else if (is_untouched(&m, row, "behind an image with another hash"))
		row_say(row, HOLDS, "refused before the device was given anything");
}

/* A copy with 16 other bytes in its middle. NULL: the row says why. */
static char *damaged_copy(const struct moved *m, struct row *row)
{
	_cleanup_(mem_freep) char *path = mem_strdup("/var/tmp/holdfast-image-XXXXXX");
	_cleanup_(fd_closep) int out = mkstemp(path), in = open(m->image.path, O_RDONLY | O_CLOEXEC);
	_cleanup_(mem_freep) uint8_t *block = mem_alloc(BLOCK);
	struct error err = { 0 };
	bool is_whole = in >= 0;
	uint8_t noise[16];
	ssize_t n;

	if (out < 0) {
		row_say(row, NOT_TRIED, "no copy of the image can be made in /var/tmp");
		return NULL;
	}
	while (is_whole && (n = read(in, block, BLOCK)) != 0)
		is_whole = n > 0 && fd_write_all(out, bytes_of(block, (size_t)n), &err) == 0;
	randombytes_buf(noise, sizeof(noise));
	if (is_whole && pwrite(out, noise, sizeof(noise), (off_t)(m->image.size / 2)) == sizeof(noise))
		return steal(path);
	row_say(row, NOT_TRIED, "no copy of the image can be made in /var/tmp");
	(void)unlink(path);
	return NULL;
}

/* Somebody signed for an image that is not the vendor's: only the device can tell. */
static void check_damaged(struct suite *s, struct row *row)
{
	_cleanup_(mem_freep) char *path = NULL;
	struct error err = { 0 };
	struct moved m;
	int r;

	if (!begin(&m, s, row))
		return;
	path = damaged_copy(&m, row);
	if (!path || !describe(&m.image, path, row))
		return;
	r = install(&m, &err);
	(void)unlink(path);
	if (r != 0 && r != E_DENIED)
		row_say(row, FAILS, "a refusal that looks as if it could be tried again: %s", err.text);
	else if (!is_untouched(&m, row, "behind a damaged image"))
		return;
	else if (r == 0)
		row_say(row, CANNOT, "it takes an image that was changed: nothing here checks whose it is");
	else
		row_say(row, HOLDS, "%s", err.text);
}

/* ---- moved, and back ---- */

static int run_install(void *ctx, struct error *err)
{
	return install(ctx, err);
}

static void check_install(struct suite *s, struct row *row)
{
	struct error err = { 0 };
	struct device_images now;
	struct moved m;
	struct trace_work work = { run_install, &m };
	unsigned steps = 0;
	int cut = 0;

	if (!begin(&m, s, row))
		return;
	if (trace_count(&work, DEVICE_UPGRADE_MS, &steps, &err) == 0 && steps > 1)
		cut = trace_cut(&work, DEVICE_UPGRADE_MS, steps / 2 + 1, &err);
	if (!step(&m, DEVICE_UPGRADE_INSTALL, "installing", row) || !see_images(&m, &now, row) || !is_untouched(&m, row, "installed"))
		return;
	if (*now.other && strcmp(now.other, m.image.version) != 0)
		row_say(row, FAILS, "installed, and its other image is %.60s", now.other);
	else
		row_say(row, HOLDS, "into the image that does not run%s", cut == TRACE_CUT ? "; killed half-way, and done again" : "");
}

/* The new image runs, installed by a row before or now; if not, what ran before is started again. false: the row says why. */
static bool start(const struct moved *m, struct row *row)
{
	struct row ignored;

	if (strcmp(m->before.other, m->image.version) != 0 && !step(m, DEVICE_UPGRADE_INSTALL, "installing", row))
		return false;
	if (step(m, DEVICE_UPGRADE_START, "starting the new image", row) && runs(m, row, m->image.version, true, "started") &&
	    keeps_configuration(m, row, "started"))
		return true;
	(void)step(m, DEVICE_UPGRADE_RETURN, "returning", &ignored);
	return false;
}

static void check_between(struct suite *s, struct row *row)
{
	struct moved m;

	if (!begin(&m, s, row))
		return;
	if (m.before.is_fallback)
		row_say(row, NOT_TRIED, "it runs the image that it falls back to");
	else if (start(&m, row) && step(&m, DEVICE_UPGRADE_RESTART, "a restart", row) &&
		 is_untouched(&m, row, "restarted between the two images"))
		row_say(row, HOLDS, "%.40s ran, and a restart brought %.40s back", m.image.version, m.before.version);
}

static void check_return(struct suite *s, struct row *row)
{
	struct moved m;

	if (begin(&m, s, row) && start(&m, row) && step(&m, DEVICE_UPGRADE_RETURN, "returning", row) && is_untouched(&m, row, "returned"))
		row_say(row, HOLDS, "%.40s ran, and was left for %.40s", m.image.version, m.before.version);
}

static void check_moved(struct suite *s, struct row *row)
{
	struct device_images now;
	struct moved m;

	if (!begin(&m, s, row) || !start(&m, row) || !step(&m, DEVICE_UPGRADE_KEEP, "keeping it", row) ||
	    !step(&m, DEVICE_UPGRADE_RESTART, "a restart", row) || !see_images(&m, &now, row))
		return;
	if (*now.failure || strcmp(now.version, m.image.version) != 0 || now.is_fallback)
		row_say(row, FAILS, "kept and restarted, it runs %.60s%s", now.version,
			*now.failure    ? ", in a failure mode" :
			now.is_fallback ? ", which it falls back to" :
					  "");
	else if (keeps_configuration(&m, row, "kept and restarted"))
		row_say(row, HOLDS, "it starts %.40s by itself, before it %.40s", now.version, m.before.version);
}

const struct conformance_check conformance_upgrade[] = {
	{ .name = "firmware: what runs", .needs = DEVICE_UPGRADE, .check = check_runs, .is_firmware = true },
	{ .name = "firmware: for this device only", .needs = DEVICE_UPGRADE, .check = check_fit, .is_firmware = true },
	{ .name = "firmware: another hash", .needs = DEVICE_UPGRADE, .check = check_hash, .is_destructive = true, .is_firmware = true },
	{ .name = "firmware: a damaged image",
	  .needs = DEVICE_UPGRADE,
	  .check = check_damaged,
	  .is_destructive = true,
	  .is_firmware = true },
	{ .name = "firmware: installed", .needs = DEVICE_UPGRADE, .check = check_install, .is_destructive = true, .is_firmware = true },
	{ .name = "firmware: between the images",
	  .needs = DEVICE_UPGRADE,
	  .check = check_between,
	  .is_destructive = true,
	  .is_firmware = true },
	{ .name = "firmware: returned", .needs = DEVICE_UPGRADE, .check = check_return, .is_destructive = true, .is_firmware = true },
	{ .name = "firmware: moved", .needs = DEVICE_UPGRADE, .check = check_moved, .is_destructive = true, .is_firmware = true },
	{ 0 },
};
