/* agent/driver-weos.c -- switches of Westermo with WeOS 4 or 5: what runs, what will boot, and saving.
 *
 * The device has neither a difference nor a dry run nor a rollback of its own, and a save says nothing when it worked: all that is said of
 * it here was read back. It may boot another configuration than its startup file, so its boot settings are part of every look. */
#include "agent/driver-weos.h"

#include "agent/weos-parts.h"
#include "base/clock.h"
#include "base/fs.h"

#include <stdio.h>
#include <string.h>

enum { SAVE_MS = 60000, BOOT_BLUR_S = 2 };

#define IN CONSOLE_SET

/* ---- the two texts ---- */

static bool is_missing(struct bytes answer)
{
	return answer.ptr && answer.len && weos_is_refusal(answer) &&
	       (memmem(answer.ptr, answer.len, "not found", 9) || memmem(answer.ptr, answer.len, "not exist", 9));
}

static bool begins_with_error(struct bytes text)
{
	size_t i = 0;

	while (i < text.len && (text.ptr[i] == '\n' || text.ptr[i] == ' '))
		i++;
	return i == text.len || text.ptr[i] == '%';
}

static int check_whole(struct bytes text, const char *what, struct error *err)
{
	struct weos_items items;
	bool is_open;

	if (text.len >= DEVICE_TEXT_MAX)
		return error_set(err, E_LIMIT, "%s is longer than %d bytes", what, DEVICE_TEXT_MAX);
	if (begins_with_error(text))
		return error_set(err, E_FORMAT, "%s is not what the device answered", what);
	if (weos_is_json(text))
		return weos_json_check(text, err) < 0 ? error_add(err, "%s", what) : 0;
	weos_items_read(&items, text);
	is_open = items.open;
	weos_items_done(&items);
	return is_open ? error_set(err, E_FORMAT, "%s is cut short: a block has no end", what) : 0;
}

int weos_running(struct weos *w, struct buf *out, struct error *err)
{
	_cleanup_(buf_done) struct buf shown = { 0 };

	if (weos_show(w, &shown, "show running-config", err) < 0 || check_whole(buf_bytes(&shown), "running-config", err) < 0)
		return err->code;
	buf_add_bytes(out, buf_bytes(&shown));
	return 0;
}

/* WEOS_NO_STARTUP leaves in out what the file holds, if there is one: the answer came to its end, as the footer shows, and the file is no
 * configuration. Such a device boots factory settings. */
int weos_startup(struct weos *w, struct buf *out, struct error *err)
{
	_cleanup_(buf_done) struct buf shown = { 0 };
	struct bytes text;
	int r;

	if (weos_show(w, &shown, "show startup-config", err) < 0)
		return err->code;
	if (begins_with_error(buf_bytes(&shown)) && is_missing(buf_bytes(&shown)))
		return WEOS_NO_STARTUP;
	text = weos_without_footer(buf_bytes(&shown));
	w->saw_end = text.len < shown.len;
	r = check_whole(text, "startup-config", err);
	if (r < 0 && (r != E_FORMAT || !w->saw_end || begins_with_error(text)))
		return r;
	buf_add_bytes(out, text);
	return r < 0 ? WEOS_NO_STARTUP : 0;
}

bool weos_same(struct bytes a, struct bytes b)
{
	_cleanup_(buf_done) struct buf ca = { 0 }, cb = { 0 };

	weos_canonical(&ca, a);
	weos_canonical(&cb, b);
	return bytes_equal(buf_bytes(&ca), buf_bytes(&cb));
}

static void add_remark(struct device_look *out, const char *text)
{
	size_t used = strlen(out->remark);

	snprintf(out->remark + used, sizeof(out->remark) - used, "%s%s", used ? "; " : "", text);
}

static int read_both(struct weos *w, struct device_look *out, struct error *err)
{
	int r;

	if (weos_running(w, &out->running, err) < 0)
		return err->code;
	r = weos_startup(w, &out->startup, err);
	out->has_startup = r == 0;
	return r < 0 ? r : 0;
}

/* What differs may differ because something of the console got into it, so it must differ twice in the same way. What is equal is: nothing
 * falls into two texts at the same place with the same bytes. Two beginnings may be equal, though, so without startup's footer it is read
 * twice, too. */
static int read_surely(struct weos *w, struct device_look *out, struct error *err)
{
	_cleanup_(device_look_done) struct device_look again = { 0 };

	if (read_both(w, out, err) < 0)
		return err->code;
	if (out->has_startup && w->saw_end && weos_same(buf_bytes(&out->running), buf_bytes(&out->startup)))
		return 0;
	if (read_both(w, &again, err) < 0)
		return err->code;
	if (again.has_startup != out->has_startup || !weos_same(buf_bytes(&again.running), buf_bytes(&out->running)) ||
	    !weos_same(buf_bytes(&again.startup), buf_bytes(&out->startup)))
		return error_set(err, E_PEER, "read twice, it was not the same: somebody is at work, or there is noise on the line");
	if (!out->has_startup && out->startup.len) {
		add_remark(out, "its startup file is no whole configuration");
		buf_truncate(&out->startup, 0);
	}
	return 0;
}

int weos_running_surely(struct weos *w, struct buf *out, struct error *err)
{
	_cleanup_(device_look_done) struct device_look now = { 0 };

	if (read_surely(w, &now, err) < 0)
		return err->code;
	buf_add_bytes(out, buf_bytes(&now.running));
	return 0;
}

/* ---- what will boot, and what it is ---- */

static int read_boot(struct weos *w, struct weos_boot *out, struct error *err)
{
	const struct weos_ask steps[] = {
		{ .command = "boot", .want = IN(WEOS_BOOT) | IN(WEOS_EXEC) },
		{ .command = "show", .want = IN(WEOS_BOOT), .only_shows = true },
		{ .command = "abort", .want = IN(WEOS_EXEC) },
	};
	_cleanup_(buf_done) struct buf shown = { 0 };

	if (weos_show(w, &shown, "show boot", err) < 0)
		return err->code;
	for (size_t i = 0; weos_is_refusal(buf_bytes(&shown)) && i < ARRAY_SIZE(steps); i++) {
		struct buf *into = i == 1 ? &shown : NULL;

		if (into)
			buf_truncate(into, 0);
		if (weos_command(w, into, &steps[i], err) < 0)
			return err->code;
		if (i == 0 && w->seen.shape == WEOS_EXEC)
			break; /* it has no such context */
		if (i == 1 && weos_command(w, NULL, &steps[2], err) < 0)
			return err->code;
	}
	weos_boot_read(out, buf_bytes(&shown));
	return 0;
}

static void take_remarks(struct device_look *out, const struct weos_facts *facts, const struct weos_boot *boot)
{
	unsigned warnings = weos_warnings(buf_bytes(&out->running));

	if (weos_runs_backup(facts))
		add_remark(out, "it runs from its backup image");
	if (!*boot->order)
		add_remark(out, "it does not say what it boots");
	for (unsigned bit = WEOS_KEY_PORTABLE; bit <= WEOS_KEY_HWUID; bit <<= 1)
		if (warnings & bit)
			add_remark(out, weos_warning_text((enum weos_warning)bit));
}

bool weos_runs_backup(const struct weos_facts *facts)
{
	return !strncmp(facts->active, "Backup", 6) || !strncmp(facts->active, "Secondary", 9);
}

int weos_read_facts(struct weos *w, struct weos_facts *out, struct error *err)
{
	_cleanup_(buf_done) struct buf shown = { 0 };

	if (weos_show(w, &shown, "show system-information", err) < 0)
		return err->code;
	weos_facts_read(out, buf_bytes(&shown));
	return 0;
}

/* ---- since when it has been up ---- */

/* Between which two moments it started. Kept on disk, so that the same start is told in the same words although each look knows it with
 * another blur. */
struct start {
	int64_t least_s, most_s;
};

static bool load_start(struct start *out, const char *path)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	long long least, most;
	struct error ignored;

	if (fs_read(&text, path, 100, &ignored) != 0 || sscanf(buf_text(&text), "%lld %lld", &least, &most) != 2)
		return false;
	*out = (struct start){ least, most };
	return true;
}

/* Without it the next look knows no better than this one: it tells a start that may be none, and nothing is saved by itself. */
static void store_start(const struct start *start, const char *path)
{
	_cleanup_(mem_freep) char *folder = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error ignored;

	buf_addf(&text, "%lld %lld\n", (long long)start->least_s, (long long)start->most_s);
	if (fs_mkdirs(folder, 0700, &ignored) == 0)
		(void)!fs_write(path, buf_bytes(&text), 0600, &ignored);
}

static int take_incarnation(struct weos *w, struct device_look *out, struct error *err)
{
	_cleanup_(buf_done) struct buf shown = { 0 };
	const char *path = w->dev->weos->boot;
	char since[CLOCK_TEXT_LEN];
	uint64_t least, most;
	int64_t before_s = clock_now_s();
	struct start now, known;

	if (weos_show(w, &shown, "uptime", err) < 0)
		return err->code;
	if (!weos_uptime_read(&least, &most, buf_bytes(&shown)))
		return 0; /* this release does not tell */
	now = (struct start){ before_s - (int64_t)most - BOOT_BLUR_S, clock_now_s() - (int64_t)least + BOOT_BLUR_S };
	if (!load_start(&known, path) || known.least_s > now.most_s || known.most_s < now.least_s) {
		known = now;
		store_start(&known, path);
	}
	clock_text(since, known.least_s);
	snprintf(out->incarnation, sizeof(out->incarnation), "up since %s", since);
	return 0;
}

/* ---- the table's functions ---- */

static int look_here(struct weos *w, struct device_look *out, struct error *err)
{
	struct weos_facts facts;
	struct weos_boot boot;

	if (take_incarnation(w, out, err) < 0 || read_surely(w, out, err) < 0 || read_boot(w, &boot, err) < 0 ||
	    weos_read_facts(w, &facts, err) < 0)
		return err->code;
	out->is_whole = true;
	weos_boot_doubt(out->doubt, sizeof(out->doubt), &boot);
	take_remarks(out, &facts, &boot);
	return 0;
}

/* Opens, does, closes. */
static int with_session(const struct settings_device *dev, int (*what)(struct weos *w, void *ctx, struct error *err), void *ctx,
			struct error *err)
{
	struct weos w;
	int r = weos_open(&w, dev, err);

	if (r == 0)
		r = what(&w, ctx, err);
	weos_close(&w, r);
	return r;
}

static int do_look(struct weos *w, void *ctx, struct error *err)
{
	return look_here(w, ctx, err);
}

static int weos_look(struct device_look *out, const struct settings_device *dev, struct error *err)
{
	return with_session(dev, do_look, out, err);
}

static int do_facts(struct weos *w, void *ctx, struct error *err)
{
	return weos_read_facts(w, ctx, err);
}

static int weos_facts(struct device_facts *out, const struct settings_device *dev, struct error *err)
{
	struct weos_facts facts = { 0 };
	bool is_backup;

	if (with_session(dev, do_facts, &facts, err) < 0)
		return err->code;
	if (!*facts.model || !*facts.main)
		return error_set(err, E_FORMAT, "'show system-information' tells no model, or no firmware");
	is_backup = weos_runs_backup(&facts);
	snprintf(out->model, sizeof(out->model), "%s", facts.model);
	snprintf(out->serial, sizeof(out->serial), "%s", facts.serial);
	snprintf(out->firmware, sizeof(out->firmware), "%s", is_backup ? facts.backup : facts.main);
	snprintf(out->images, sizeof(out->images), "%s %.40s, boot loader %.40s", is_backup ? "main" : "backup",
		 is_backup ? facts.main : facts.backup, facts.loader);
	return 0;
}

int weos_save_here(struct weos *w, struct error *err)
{
	const struct weos_ask ask = { .command = "copy running-config startup-config", .want = IN(WEOS_EXEC), .timeout_ms = SAVE_MS };
	_cleanup_(buf_done) struct buf said = { 0 };
	_cleanup_(device_look_done) struct device_look now = { 0 };
	struct bytes text;

	if (weos_command(w, &said, &ask, err) < 0)
		return err->code;
	text = buf_bytes(&said);
	if (text.ptr && memmem(text.ptr, text.len, "No space", 8))
		return error_set(err, E_PEER, "the device did not save: its flash is full");
	if (weos_is_refusal(text))
		return error_set(err, E_PEER, "the device did not save");
	if (read_surely(w, &now, err) < 0)
		return error_add(err, "reading back");
	if (!now.has_startup || !weos_same(buf_bytes(&now.running), buf_bytes(&now.startup)))
		return error_set(err, E_PEER, "the device said that it saved, and read back, startup is not what runs");
	return 0;
}

static int do_save(struct weos *w, void *ctx, struct error *err)
{
	_cleanup_(buf_done) struct buf now = { 0 };
	const struct bytes *seen = ctx;

	if (weos_running(w, &now, err) < 0)
		return err->code;
	if (!weos_same(buf_bytes(&now), *seen))
		return error_set(err, E_DENIED, "what runs is not what was looked at");
	return weos_save_here(w, err);
}

static int weos_save(const struct settings_device *dev, struct bytes running, struct error *err)
{
	return with_session(dev, do_save, &running, err);
}

static int do_revert(struct weos *w, void *ctx, struct error *err)
{
	const struct weos_ask ask = { .command = "copy startup-config running-config", .want = IN(WEOS_EXEC), .timeout_ms = SAVE_MS };
	_cleanup_(buf_done) struct buf said = { 0 }, now = { 0 };
	const struct bytes *startup = ctx;

	if (weos_command(w, &said, &ask, err) < 0)
		return err->code;
	if (weos_is_refusal(buf_bytes(&said)))
		return error_set(err, E_PEER, "the device does not return to its startup configuration");
	if (weos_running(w, &now, err) < 0)
		return error_add(err, "reading back");
	return weos_same(buf_bytes(&now), *startup) ? 0 : error_set(err, E_PEER, "returned, and what runs is not what startup says");
}

static int weos_revert(const struct settings_device *dev, struct bytes startup, struct error *err)
{
	return with_session(dev, do_revert, &startup, err);
}

struct showing {
	struct buf *out;
	const char *command;
};

static int do_show(struct weos *w, void *ctx, struct error *err)
{
	const struct showing *what = ctx;

	return weos_show(w, what->out, what->command, err);
}

static int weos_show_command(struct buf *out, const struct settings_device *dev, const char *command, struct error *err)
{
	_cleanup_(mem_freep) char *whole = mem_printf("show %s", command);
	struct showing what = { out, whole };

	for (const char *at = command; *at; at++)
		if (*at < 0x20 || *at == '?' || *at >= 0x7f)
			return error_set(err, E_FORMAT, "it is no command: it holds a character that the device would not read as text");
	if (with_session(dev, do_show, &what, err) < 0)
		return err->code;
	if (out->len > DEVICE_SHOW_MAX)
		return error_set(err, E_LIMIT, "the answer is longer than %d bytes", DEVICE_SHOW_MAX);
	return weos_is_refusal(buf_bytes(out)) ? error_set(err, E_PEER, "the device does not show this") : 0;
}

static const char *weos_trial(const struct settings_device *dev _unused_)
{
	return "system\n\tlocation holdfast-trial\n\tend\n";
}

const struct device_driver driver_weos = {
	.name = "weos",
	.capabilities = DEVICE_STARTUP | DEVICE_SAVE | DEVICE_REVERT | DEVICE_APPLY,
	.uses_network = true, /* ssh, and the ports of console servers */
	.facts = weos_facts,
	.look = weos_look,
	.save = weos_save,
	.revert = weos_revert,
	.check = weos_check,
	.apply = weos_apply,
	.saves = weos_saves,
	.capable = weos_capable,
	.lacks = weos_lacks,
	.erase = weos_erase,
	.upgrade = weos_upgrade,
	.show = weos_show_command,
	.trial = weos_trial,
	.canonical = weos_canonical,
	.secrets = weos_secrets,
};
