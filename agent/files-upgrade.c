/* agent/files-upgrade.c -- firmware of a machine by a program of its settings, which is called for each step.
 *
 *   PROGRAM... see PART SLOT             prints what runs, as `key: value` lines: version (required), slot, other, fallback (yes, no),
 * failure PROGRAM... install PART SLOT FILE    into what does not run PROGRAM... start|keep|restart|return PART SLOT
 *
 * SLOT is what `see` called the slot that ran when it began, or "-". Status 0: done, or, of start, restart and return, this machine
 * restarts in a moment; 2: the image is refused, and always will be; anything else may be tried again. */
#include "agent/files-parts.h"

#include "agent/image.h"
#include "base/fs.h"

#include <stdio.h>
#include <string.h>

enum { SEE_MS = 30000, STEP_MS = DEVICE_UPGRADE_MS - 60000, REFUSES = 2, EXTRA = 4 };

static const char *const words[DEVICE_UPGRADES] = { "see", "install", "start", "keep", "restart", "return" };

/* The last line of what it complained of: programs say what they do first. */
static void complain(struct bytes said, enum device_upgrade step, int status, struct error *err)
{
	struct bytes line, last = { 0 };

	while (bytes_next_line(&said, &line))
		last = line.len ? line : last;
	error_set(err, status == REFUSES ? E_DENIED : E_PEER, "'upgrade %s' ends with %d%s%.*s", words[step], status, last.len ? ": " : "",
		  (int)(last.len < 200 ? last.len : 200), last.len ? (const char *)last.ptr : "");
}

static int run(struct proc_result *res, const struct settings_device *dev, enum device_upgrade step, const struct device_image *image,
	       struct error *err)
{
	const struct settings_files *files = dev->files;
	const char *args[FILES_ARGS_MAX] = { 0 };
	const char *const more[EXTRA] = { words[step], image->part, *image->slot ? image->slot : "-",
					  step == DEVICE_UPGRADE_INSTALL ? image->path : NULL };
	size_t n = 0;

	for (unsigned i = 0; i < files->upgrade_count && n + EXTRA + 1 < FILES_ARGS_MAX; i++)
		args[n++] = files->upgrade[i];
	for (size_t i = 0; i < EXTRA; i++)
		args[n++] = more[i];
	if (proc_run(res, args, (struct bytes){ 0 }, step == DEVICE_UPGRADE_SEE ? SEE_MS : STEP_MS, DEVICE_SHOW_MAX, err) < 0)
		return error_add(err, "'upgrade %s'", words[step]);
	if (res->status)
		complain(buf_bytes(&res->err), step, res->status, err);
	return err->code;
}

static void take(char *out, size_t size, struct bytes value)
{
	snprintf(out, size, "%.*s", (int)(value.len < size ? value.len : size - 1), (const char *)value.ptr);
	for (char *c = out; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

static void take_line(struct device_images *out, struct bytes line)
{
	const uint8_t *colon = line.len ? memchr(line.ptr, ':', line.len) : NULL;
	struct bytes key = bytes_of(line.ptr, colon ? (size_t)(colon - line.ptr) : 0);
	struct bytes value = colon ? bytes_from(line, key.len + 1) : (struct bytes){ 0 };

	while (value.len && value.ptr[0] == ' ')
		value = bytes_from(value, 1);
	if (!value.len)
		return;
	if (bytes_is(key, "slot"))
		take(out->slot, sizeof(out->slot), value);
	else if (bytes_is(key, "version"))
		take(out->version, sizeof(out->version), value);
	else if (bytes_is(key, "other"))
		take(out->other, sizeof(out->other), value);
	else if (bytes_is(key, "failure"))
		take(out->failure, sizeof(out->failure), value);
	else if (bytes_is(key, "fallback"))
		out->is_fallback = bytes_is(value, "yes");
}

int files_images_read(struct device_images *out, struct bytes said, struct error *err)
{
	struct bytes line;

	while (bytes_next_line(&said, &line))
		take_line(out, line);
	return *out->version ? 0 : error_set(err, E_FORMAT, "'upgrade see' prints no version");
}

static int see(struct device_images *out, const struct settings_device *dev, const struct device_image *image, struct error *err)
{
	_cleanup_(proc_result_done) struct proc_result res = { 0 };

	return run(&res, dev, DEVICE_UPGRADE_SEE, image, err) < 0 ? err->code : files_images_read(out, buf_bytes(&res.out), err);
}

bool files_version(char out[static DEVICE_WORD_MAX], const struct settings_device *dev)
{
	const struct device_image image = { .part = "system", .version = "", .slot = "", .path = "" };
	struct device_images seen = { 0 };
	struct error ignored = { 0 };

	if (!dev->files->upgrade || see(&seen, dev, &image, &ignored) < 0)
		return false;
	memcpy(out, seen.version, DEVICE_WORD_MAX);
	return true;
}

/* The file is the agent's own, in a folder that only root enters: between hash and use nobody else can change it. */
static int check_image(const struct device_image *image, struct error *err)
{
	_cleanup_(fd_closep) int fd = image_use(image->path, image->size, image->hash, err);

	return fd < 0 ? err->code : 0;
}

int files_upgrade(struct device_images *out, const struct settings_device *dev, enum device_upgrade step, const struct device_image *image,
		  struct error *err)
{
	_cleanup_(proc_result_done) struct proc_result res = { 0 };

	if (step == DEVICE_UPGRADE_SEE)
		return see(out, dev, image, err);
	if (step == DEVICE_UPGRADE_INSTALL && check_image(image, err) < 0)
		return err->code;
	return run(&res, dev, step, image, err);
}
