/* agent/weos-upgrade.c -- firmware of a switch with WeOS: into the image that does not run, then into the other.
 *
 * The boot loader tries the primary image first and takes the secondary one only when that does not load; to start a given one there is its
 * menu, on the console. So this is for devices that are reached by their console. The switch fetches the image itself: by TFTP, which is
 * what the vendor shows, from a server that is there for this one image and no longer (agent/tftp.h). Whether it takes it is for its own
 * check of the vendor's signature; `force`, which leaves that out, is never said. */
#include "agent/weos-parts.h"

#include "agent/image.h"
#include "agent/tftp.h"
#include "agent/weos-purge.h"
#include "base/fs.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { UPGRADE_MS = 3000000, SERVE_S = 3000 };

#define IN CONSOLE_SET
#define FIRST "primary"
#define SECOND "secondary"

static bool is_part(const struct device_image *image, const char *part)
{
	return !strcmp(image->part, part);
}

static bool is_first(const char *slot)
{
	return !strcmp(slot, FIRST);
}

static const char *other_of(const char *slot)
{
	return is_first(slot) ? SECOND : FIRST;
}

/* ---- what runs ---- */

static void fill(struct device_images *out, const struct weos_facts *facts, const struct device_image *image)
{
	bool is_backup = weos_runs_backup(facts);

	snprintf(out->slot, sizeof(out->slot), "%s", is_backup ? SECOND : FIRST);
	out->is_fallback = is_backup;
	if (is_part(image, "boot")) {
		snprintf(out->version, sizeof(out->version), "%s", facts->loader);
		return;
	}
	snprintf(out->version, sizeof(out->version), "%s", is_backup ? facts->backup : facts->main);
	snprintf(out->other, sizeof(out->other), "%s", is_backup ? facts->main : facts->backup);
}

/* What a device is called that came up without its configuration; its sister system does so, and what it is called is its prompt. */
static bool is_failed_name(const char *prompt)
{
	return !strncasecmp(prompt, "failed-", 7) || !strncasecmp(prompt, "failure-", 8);
}

static int see_by(struct device_images *out, bool *is_denied, const struct settings_device *dev, const struct device_image *image,
		  struct error *err)
{
	struct weos_facts facts = { 0 };
	struct weos w;
	int r = weos_open(&w, dev, err);

	*is_denied = w.is_denied;
	if (r == 0)
		r = weos_read_facts(&w, &facts, err);
	if (r == 0 && is_failed_name(w.seen.line))
		snprintf(out->failure, sizeof(out->failure), "it calls itself '%.60s'", w.seen.line);
	weos_close(&w, r);
	if (r < 0)
		return r;
	fill(out, &facts, image);
	return *out->version ? 0 : error_set(err, E_FORMAT, "'show system-information' tells no version");
}

/* That it takes the factory's login and not ours is how a device answers that lost its configuration. */
static int see(struct device_images *out, const struct settings_device *dev, const struct device_image *image, struct error *err)
{
	struct settings_weos way;
	struct settings_device factory;
	struct error second = { 0 };
	bool is_denied;
	int r = see_by(out, &is_denied, dev, image, err);

	if (r == 0 || !is_denied)
		return r;
	weos_factory_login(&way, &factory, dev);
	if (see_by(out, &is_denied, &factory, image, &second) < 0)
		return r;
	if (!*out->failure)
		snprintf(out->failure, sizeof(out->failure),
			 "it takes the factory's login and not its own: its configuration did not apply");
	return 0;
}

/* ---- into its flash ---- */

static const char *version_at(const struct weos_facts *facts, const char *target)
{
	return !strcmp(target, "boot") ? facts->loader : !strcmp(target, "pri") ? facts->main : facts->backup;
}

static int say_upgrade(struct weos *w, const char *target, const struct tftp *tftp, struct buf *said, struct error *err)
{
	_cleanup_(mem_freep) char *command = mem_printf("upgrade no-reboot %s tftp://%s/%s", target, tftp->address, tftp->name);
	const struct weos_ask ask = { .command = command, .want = IN(WEOS_EXEC), .timeout_ms = UPGRADE_MS };

	return weos_command(w, said, &ask, err);
}

int weos_upgrade_judge(struct bytes said, bool is_whole, const char *target, struct error *err)
{
	const uint8_t *at = said.len ? memmem(said.ptr, said.len, "% ", 2) : NULL;
	struct bytes rest = at ? bytes_from(said, (size_t)(at - said.ptr)) : (struct bytes){ 0 }, line = { 0 };
	bool is_signature = said.len && memmem(said.ptr, said.len, "Failed verifying signature", 26);

	if (!at && !is_signature)
		return 0;
	(void)bytes_next_line(&rest, &line);
	if (is_whole)
		return error_set(err, E_DENIED, "the device refuses it (%s): %.*s", target, (int)line.len,
				 line.len ? (const char *)line.ptr : "signature");
	return error_set(err, E_PEER, "the device did not fetch it (%s): %.*s", target, (int)line.len,
			 line.len ? (const char *)line.ptr : "");
}

/* Only what the device says of an image is for good: a console that somebody else holds, or a device that starts, is not. */
static int mends(int r, struct error *err)
{
	return r == E_DENIED ? (err->code = E_PEER) : r;
}

struct writing {
	const struct device_image *image;
	const char *target; /* "pri", "sec" or "boot" */
	const char *active; /* which image must run meanwhile; NULL: either */
	int fd;
};

static int write_here(struct weos *w, const struct writing *what, bool *is_refused, struct error *err)
{
	_cleanup_(buf_done) struct buf said = { 0 };
	struct weos_facts facts;
	struct tftp tftp;
	bool is_whole;
	int r;

	if (weos_read_facts(w, &facts, err) < 0)
		return err->code;
	if (what->active && is_first(what->active) == weos_runs_backup(&facts))
		return error_set(err, E_PEER, "its %s image does not run any more", what->active);
	r = tftp_begin(&tftp, what->fd, w->dev->weos->serve, SERVE_S, err);
	if (r == 0)
		r = say_upgrade(w, what->target, &tftp, &said, err);
	is_whole = tftp_end(&tftp);
	if (r == 0)
		r = weos_upgrade_judge(buf_bytes(&said), is_whole, what->target, err);
	*is_refused = r == E_DENIED;
	if (r < 0 || weos_read_facts(w, &facts, err) < 0)
		return err->code;
	return !strcmp(version_at(&facts, what->target), what->image->version) ?
		       0 :
		       error_set(err, E_PEER, "read back, its image '%s' is '%.60s'", what->target, version_at(&facts, what->target));
}

static int write_image(const struct settings_device *dev, const struct writing *what, struct error *err)
{
	bool is_refused = false;
	struct weos w;
	int r = weos_open(&w, dev, err);

	if (r == 0)
		r = write_here(&w, what, &is_refused, err);
	weos_close(&w, r);
	return is_refused ? r : mends(r, err);
}

static const char *target_of(const struct device_image *image, const char *slot)
{
	return is_part(image, "boot") ? "boot" : is_first(slot) ? "pri" : "sec";
}

/* A bundle holds the boot loader, too: it comes last, when the system was seen to work. */
static int write_all(const struct settings_device *dev, const struct device_image *image, bool is_last, struct error *err)
{
	_cleanup_(fd_closep) int fd = image_use(image->path, image->size, image->hash, err);
	const char *other = other_of(image->slot);
	struct writing what = { .image = image, .fd = fd, .target = target_of(image, is_last ? image->slot : other),
				.active = is_part(image, "boot") ? NULL : is_last ? other : image->slot };

	if (fd < 0 || (is_last && is_part(image, "boot")))
		return fd < 0 ? err->code : 0;
	if (write_image(dev, &what, err) < 0 || !is_last || !is_part(image, "bundle"))
		return err->code;
	what.target = "boot";
	what.active = NULL;
	return write_image(dev, &what, err);
}

/* ---- starting ---- */

static int no_journal(void *ctx _unused_, const char *state _unused_, struct error *err _unused_)
{
	return 0; /* whatever was begun, looking at what is there is the way on */
}

static int converse(const struct settings_device *dev, const struct dialogue *dialogue, const struct secret *own,
		    const struct secret *factory, struct error *err)
{
	_cleanup_(console_freep) struct console *console = NULL;
	struct dialogue_run run = { .dialogue = dialogue, .journal = no_journal };
	struct line *line = NULL;
	int r;

	if (weos_line(&line, dev->weos, err) < 0 || console_new(&console, line, &weos_purge_grammar, err) < 0)
		return err->code;
	if ((own->len && !console_hide(console, secret_bytes(own))) || !console_hide(console, secret_bytes(factory)))
		return error_set(err, E_LIMIT, "a password is too long to be kept out of the transcript");
	run.console = console;
	run.words[WEOS_PURGE_USER] = dev->weos->user;
	run.secrets[WEOS_PURGE_PASSWORD] = secret_bytes(own->len ? own : factory);
	run.secrets[WEOS_PURGE_FACTORY_PASSWORD] = secret_bytes(factory);
	r = dialogue_go(&run, err);
	return r <= DIALOGUE_DONE ? r : error_set(err, E_PEER, "%s", run.says);
}

static int start(const struct settings_device *dev, const struct dialogue *dialogue, struct error *err)
{
	struct secret own = { 0 }, factory = { 0 };
	struct settings_device as_made;
	struct settings_weos way;
	int r;

	weos_factory_login(&way, &as_made, dev);
	r = weos_load_password(&own, dev->weos, err);
	if (r == 0)
		r = weos_load_password(&factory, &way, err);
	if (r == 0)
		r = converse(dev, dialogue, &own, &factory, err);
	secret_done(&own);
	secret_done(&factory);
	return r;
}

/* Into one image, and seen to run there. */
static int start_slot(const struct settings_device *dev, const char *slot, const struct device_image *image, struct error *err)
{
	struct device_images seen = { 0 };

	if (start(dev, is_first(slot) ? &weos_start_first : &weos_start_second, err) < 0)
		return error_add(err, "its %s image", slot);
	if (see(&seen, dev, image, err) < 0)
		return err->code;
	return !strcmp(seen.slot, slot) ? 0 : error_set(err, E_PEER, "it came up from its %s image", seen.slot);
}

static int go_back(const struct settings_device *dev, const struct device_image *image, struct error *err)
{
	struct device_images seen = { 0 };
	struct error ignored = { 0 };

	if (see(&seen, dev, image, &ignored) == 0 && !strcmp(seen.slot, image->slot) && !*seen.failure)
		return 0;
	return start_slot(dev, image->slot, image, err);
}

/* ---- the door ---- */

static int step_boot(const struct settings_device *dev, enum device_upgrade step, struct error *err)
{
	/* there is no other to go back to: a restart is all that can be done */
	return step == DEVICE_UPGRADE_START || step == DEVICE_UPGRADE_RESTART || step == DEVICE_UPGRADE_RETURN ?
		       start(dev, &weos_restart, err) :
		       0;
}

int weos_upgrade(struct device_images *out, const struct settings_device *dev, enum device_upgrade step, const struct device_image *image,
		 struct error *err)
{
	bool is_boot = is_part(image, "boot");

	switch (step) {
	case DEVICE_UPGRADE_SEE:
		return see(out, dev, image, err);
	case DEVICE_UPGRADE_INSTALL:
	case DEVICE_UPGRADE_KEEP:
		return write_all(dev, image, step == DEVICE_UPGRADE_KEEP, err);
	case DEVICE_UPGRADE_START:
		return mends(is_boot ? step_boot(dev, step, err) : start_slot(dev, other_of(image->slot), image, err), err);
	case DEVICE_UPGRADE_RESTART:
		return mends(start(dev, &weos_restart, err), err);
	case DEVICE_UPGRADE_RETURN:
		return mends(is_boot ? step_boot(dev, step, err) : go_back(dev, image, err), err);
	}
	return 0;
}
