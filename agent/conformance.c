/* agent/conformance.c -- does a driver keep what agent/device.h promises, on this device? */
#include "agent/conformance.h"

#include "agent/snapshot.h"
#include "agent/trace.h"
#include "base/clock.h"
#include "base/fs.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EVIDENCE_MAX = 200, LOOK_MS = 60000, CHANGE_MS = 300000, NOISE_ROUNDS = 200, SECRET_SHORT = 8, ERASE_CUT_STEP = 20 };

enum result { HOLDS, FAILS, CANNOT, NOT_TRIED };

/* One moment, in canonical form. */
struct moment {
	struct device_look look;
	struct buf running, startup;
};

struct suite {
	const struct conformance *what;
	const struct settings_device *dev;
	const struct device_driver *driver;
	const char *trial;
	struct moment first; /* how it was found, and how it is left */
	bool has_first;
	unsigned counts[NOT_TRIED + 1];
};

struct row {
	enum result result;
	char evidence[EVIDENCE_MAX];
};

static void moment_done(struct moment *m)
{
	device_look_done(&m->look);
	buf_done(&m->running);
	buf_done(&m->startup);
}

static void say(struct row *row, enum result result, const char *fmt, ...) _printf_(3, 4);
static void say(struct row *row, enum result result, const char *fmt, ...)
{
	va_list ap;

	row->result = result;
	va_start(ap, fmt);
	vsnprintf(row->evidence, sizeof(row->evidence), fmt, ap);
	va_end(ap);
}

/* false: the row says why. */
static bool see(const struct suite *s, struct moment *out, struct row *row)
{
	struct error err = { 0 };

	*out = (struct moment){ 0 };
	if (s->driver->look(&out->look, s->dev, &err) < 0) {
		say(row, FAILS, "a look: %s", err.text);
		return false;
	}
	if (!out->look.is_whole) {
		say(row, FAILS, "the device is not whole, missing: %s", out->look.missing);
		return false;
	}
	s->driver->canonical(&out->running, buf_bytes(&out->look.running));
	s->driver->canonical(&out->startup, buf_bytes(&out->look.startup));
	return true;
}

static bool same(const struct buf *a, const struct buf *b)
{
	return bytes_equal(buf_bytes(a), buf_bytes(b));
}

static bool is_saved(const struct moment *m)
{
	return m->look.has_startup && same(&m->running, &m->startup);
}

/* Looks again: are running and startup these? */
static bool still(const struct suite *s, struct row *row, const struct buf *running, const struct buf *startup, const char *after)
{
	_cleanup_(moment_done) struct moment now;

	if (!see(s, &now, row))
		return false;
	if (!same(&now.running, running))
		say(row, FAILS, "%s, running is another", after);
	else if (!same(&now.startup, startup))
		say(row, FAILS, "%s, startup is another", after);
	else
		return true;
	return false;
}

/* ---- looking ---- */

static void check_facts(struct suite *s, struct row *row)
{
	struct device_facts facts = { 0 };
	struct error err = { 0 };

	if (s->driver->facts(&facts, s->dev, &err) < 0)
		say(row, FAILS, "%s", err.text);
	else if (!*facts.model || !*facts.firmware)
		say(row, FAILS, "no model, or no firmware");
	else
		say(row, HOLDS, "%s, firmware %s%s%s, serial number %s", facts.model, facts.firmware, *facts.images ? ", " : "", facts.images,
		    *facts.serial ? "known" : "unknown");
}

static void check_look(struct suite *s, struct row *row)
{
	s->has_first = see(s, &s->first, row);
	if (!s->has_first)
		return;
	if (!s->first.running.len)
		say(row, FAILS, "running is empty");
	else
		say(row, HOLDS, "running has %zu bytes, startup %zu", s->first.running.len, s->first.startup.len);
}

static void check_steady(struct suite *s, struct row *row)
{
	_cleanup_(moment_done) struct moment again;

	if (!see(s, &again, row))
		return;
	if (!same(&again.running, &s->first.running) || !same(&again.startup, &s->first.startup))
		say(row, FAILS, "two looks differ in %s", same(&again.running, &s->first.running) ? "startup" : "running");
	else if (strcmp(again.look.incarnation, s->first.look.incarnation) != 0)
		say(row, FAILS, "it says that it started anew between two looks");
	else
		say(row, HOLDS, "two looks are equal, and so is '%.60s'", again.look.incarnation);
}

static void check_glance(struct suite *s, struct row *row)
{
	uint8_t a[DEVICE_GLANCE_LEN], b[DEVICE_GLANCE_LEN];
	struct error err = { 0 };

	if (!s->driver->glance)
		say(row, CANNOT, "it always looks");
	else if (s->driver->glance(a, s->dev, &err) < 0 || s->driver->glance(b, s->dev, &err) < 0)
		say(row, FAILS, "%s", err.text);
	else if (memcmp(a, b, sizeof(a)) != 0)
		say(row, FAILS, "two glances differ");
	else
		say(row, HOLDS, "two glances are equal");
}

static void check_startup(struct suite *s, struct row *row)
{
	if (!s->first.look.has_startup)
		say(row, NOT_TRIED, "there is no startup configuration");
	else
		say(row, HOLDS, is_saved(&s->first) ? "equal to running" : "other than running");
}

/* ---- text ---- */

static bool rests(const struct suite *s, struct bytes text)
{
	_cleanup_(buf_done) struct buf once = { 0 }, twice = { 0 };

	s->driver->canonical(&once, text);
	s->driver->canonical(&twice, buf_bytes(&once));
	return same(&once, &twice);
}

static void check_canonical(struct suite *s, struct row *row)
{
	struct bytes running = buf_bytes(&s->first.look.running), startup = buf_bytes(&s->first.look.startup);

	if (!rests(s, running) || !rests(s, startup))
		say(row, FAILS, "the canonical form of a canonical form is another");
	else if (!s->first.running.len)
		say(row, FAILS, "nothing of running is left in it");
	else
		say(row, HOLDS, "%zu of %zu bytes are no noise", s->first.running.len, running.len);
}

/* What split off is put back; false for a token that the table does not have. */
static bool put_back(struct buf *out, struct bytes text, const struct secret_table *table)
{
	static const char head[] = "{{secret ";
	enum { HEAD = sizeof(head) - 1, DIGITS = 16 };
	const uint8_t *at;

	while (text.len && (at = memmem(text.ptr, text.len, head, HEAD))) {
		size_t i = 0, before = (size_t)(at - text.ptr);

		if (text.len - before < HEAD + DIGITS + 2)
			return false;
		while (i < table->count && memcmp(table->entries[i].token, at + HEAD, DIGITS) != 0)
			i++;
		if (i == table->count)
			return false;
		buf_add(out, text.ptr, before);
		buf_add_bytes(out, table->entries[i].value);
		text = bytes_from(text, before + HEAD + DIGITS + 2);
	}
	buf_add_bytes(out, text);
	return true;
}

/* A short one may be a word that stands elsewhere for something else. */
static bool holds_secret(struct bytes text, const struct secret_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->entries[i].value.len >= SECRET_SHORT && text.len &&
		    memmem(text.ptr, text.len, table->entries[i].value.ptr, table->entries[i].value.len))
			return true;
	return false;
}

static const char *split(const struct suite *s, struct bytes text, size_t *count)
{
	uint8_t key[SNAPSHOT_TOKEN_KEY_LEN];
	_cleanup_(secret_table_done) struct secret_table table = { 0 };
	_cleanup_(buf_done) struct buf tokens = { 0 }, back = { 0 };

	randombytes_buf(key, sizeof(key));
	secrets_split(&tokens, &table, s->driver, key, text);
	*count = table.count;
	if (!put_back(&back, buf_bytes(&tokens), &table) || !bytes_equal(buf_bytes(&back), text))
		return "put back, it is another text";
	return holds_secret(buf_bytes(&tokens), &table) ? "what is a secret in one place stays in another" : NULL;
}

static void check_secrets(struct suite *s, struct row *row)
{
	size_t count, startup_count;
	const char *why = split(s, buf_bytes(&s->first.running), &count);

	if (!why)
		why = split(s, buf_bytes(&s->first.startup), &startup_count);
	if (why)
		say(row, FAILS, "%s", why);
	else
		say(row, HOLDS, "%zu in running, split off and put back to the byte", count);
}

/* Damages a copy of running: bytes are changed, or it is cut short. */
static void damage(struct buf *out, struct bytes text)
{
	buf_add_bytes(out, text);
	buf_truncate(out, randombytes_uniform((uint32_t)text.len + 1));
	for (uint32_t i = randombytes_uniform(8); out->len && i; i--)
		out->ptr[randombytes_uniform((uint32_t)out->len)] = (uint8_t)randombytes_uniform(256);
}

static void check_noise(struct suite *s, struct row *row)
{
	for (unsigned i = 0; i < NOISE_ROUNDS; i++) {
		_cleanup_(buf_done) struct buf text = { 0 };
		const char *why;
		size_t count;

		damage(&text, buf_bytes(&s->first.look.running));
		why = split(s, buf_bytes(&text), &count);
		/* of a damaged text nobody can say what is a secret in it, only that it comes back */
		if (why && !strstr(why, "stays"))
			say(row, FAILS, "of a damaged text: %s", why);
		else if (!rests(s, buf_bytes(&text)))
			say(row, FAILS, "the canonical form of a damaged text has no rest");
		else
			continue;
		return;
	}
	say(row, HOLDS, "%d damaged texts", NOISE_ROUNDS);
}

/* ---- orders, judged ---- */

static const char garbage[] = "holdfast this-is-no-command-of-any-device 7f3c\n";

static bool refuses(const struct suite *s, struct row *row, struct bytes text, enum device_apply how, const char *what)
{
	struct error err = { 0 };
	int r = s->driver->check(s->dev, text, how, &err);

	if (r == E_FORMAT && !strstr(err.text, "7f3c"))
		return true;
	say(row, FAILS, "%s, %s: %s", what, how == DEVICE_WHOLE ? "whole" : "as lines", r == 0 ? "taken" : err.text);
	return false;
}

static void check_refused(struct suite *s, struct row *row)
{
	_cleanup_(buf_done) struct buf spoiled = { 0 };

	buf_add_bytes(&spoiled, buf_bytes(&s->first.running));
	buf_add_str(&spoiled, garbage);
	if (refuses(s, row, bytes_str(garbage), DEVICE_LINES, "nonsense") && refuses(s, row, bytes_str(garbage), DEVICE_WHOLE, "nonsense") &&
	    refuses(s, row, bytes_of("a\0b\n", 4), DEVICE_LINES, "a NUL") && refuses(s, row, (struct bytes){ 0 }, DEVICE_WHOLE, "nothing") &&
	    refuses(s, row, buf_bytes(&spoiled), DEVICE_WHOLE, "running and nonsense") &&
	    still(s, row, &s->first.running, &s->first.startup, "after checks"))
		say(row, HOLDS, "5 texts refused, with no effect, and not repeated");
}

static void check_taken(struct suite *s, struct row *row)
{
	struct error err = { 0 };

	if (s->driver->check(s->dev, buf_bytes(&s->first.running), DEVICE_WHOLE, &err) < 0)
		say(row, FAILS, "its own running: %s", err.text);
	else if (s->trial && s->driver->check(s->dev, bytes_str(s->trial), DEVICE_LINES, &err) < 0)
		say(row, FAILS, "the trial lines: %s", err.text);
	else if (still(s, row, &s->first.running, &s->first.startup, "after checks"))
		say(row, HOLDS, s->trial ? "its own running, and the trial lines, with no effect" : "its own running, with no effect");
}

/* ---- a device that hangs ---- */

static int run_look(void *ctx, struct error *err)
{
	const struct suite *s = ctx;
	_cleanup_(device_look_done) struct device_look look = { 0 };

	return s->driver->look(&look, s->dev, err);
}

static void check_hang(struct suite *s, struct row *row)
{
	struct trace_work work = { run_look, s };
	uint64_t begin = clock_mono_ms();
	struct error err = { 0 };
	unsigned held;
	int r = trace_held(&work, LOOK_MS, &held, &err);
	unsigned took = (unsigned)(clock_mono_ms() - begin);

	if (!held && r != E_SYS)
		say(row, NOT_TRIED, "it starts no program that could be stopped: stop the device, and look");
	else if (r == E_SYS)
		say(row, NOT_TRIED, "%s", err.text);
	else if (r != E_PEER)
		say(row, FAILS, "its programs were stopped, and after %u ms it said: %s", took, r == 0 ? "all is well" : err.text);
	else if (still(s, row, &s->first.running, &s->first.startup, "after it hung"))
		say(row, HOLDS, "an error after %u ms, and all is well behind it", took);
}

/* ---- changes, put back ---- */

static bool enter(const struct suite *s, struct row *row, struct bytes text, enum device_apply how)
{
	struct error err = { 0 };

	if (s->driver->apply(s->dev, text, how, &err) == 0)
		return true;
	say(row, FAILS, "apply %s: %s", how == DEVICE_WHOLE ? "whole" : "lines", err.text);
	return false;
}

static bool save(const struct suite *s, struct row *row, const struct moment *m)
{
	struct error err = { 0 };

	if (s->driver->save(s->dev, buf_bytes(&m->look.running), &err) == 0)
		return true;
	say(row, FAILS, "save: %s", err.text);
	return false;
}

/* Running becomes what was found (after a trial) or something else (before one). startup stays. */
static bool toggle(const struct suite *s, struct row *row, const struct moment *now)
{
	bool is_first = same(&now->running, &s->first.running);

	return enter(s, row, is_first ? bytes_str(s->trial) : buf_bytes(&s->first.running), is_first ? DEVICE_LINES : DEVICE_WHOLE);
}

static void check_lines(struct suite *s, struct row *row)
{
	_cleanup_(moment_done) struct moment now = { 0 };

	if (!enter(s, row, bytes_str(s->trial), DEVICE_LINES) || !see(s, &now, row))
		return;
	if (same(&now.running, &s->first.running))
		say(row, FAILS, "applied, and running is as before");
	else if (!same(&now.startup, &s->first.startup))
		say(row, FAILS, "applied, and startup is another: it saved itself");
	else
		say(row, HOLDS, "seen in running, startup as before");
}

static void check_revert(struct suite *s, struct row *row)
{
	struct error err = { 0 };

	if (s->driver->revert(s->dev, buf_bytes(&s->first.look.startup), &err) < 0)
		say(row, FAILS, "%s", err.text);
	else if (still(s, row, &s->first.running, &s->first.startup, "returned"))
		say(row, HOLDS, "running and startup are as they were");
}

static void check_save(struct suite *s, struct row *row)
{
	_cleanup_(moment_done) struct moment now = { 0 }, then = { 0 };

	if (!see(s, &now, row))
		return;
	if (s->trial && (s->driver->capabilities & DEVICE_APPLY)) {
		moment_done(&now);
		if (!enter(s, row, bytes_str(s->trial), DEVICE_LINES) || !see(s, &now, row))
			return;
	}
	if (!save(s, row, &now) || !see(s, &then, row))
		return;
	if (!same(&then.running, &now.running))
		say(row, FAILS, "saved, and running is another");
	else if (!is_saved(&then))
		say(row, FAILS, "saved, and read back startup is not running");
	else
		say(row, HOLDS, "read back, startup is running");
}

/* Behind a save of the trial: running and startup hold it. */
static void check_whole(struct suite *s, struct row *row)
{
	_cleanup_(moment_done) struct moment now = { 0 };

	if (!see(s, &now, row) || !enter(s, row, buf_bytes(&s->first.running), DEVICE_WHOLE))
		return;
	if (still(s, row, &s->first.running, &now.startup, "applied"))
		say(row, HOLDS, "running is the text, startup as before");
}

static bool fails_to_apply(const struct suite *s, struct row *row, struct bytes text, enum device_apply how)
{
	struct error err = { 0 };

	if (s->driver->apply(s->dev, text, how, &err) < 0)
		return true;
	say(row, FAILS, "%s with nonsense in it was applied", how == DEVICE_WHOLE ? "a whole text" : "lines");
	return false;
}

static void check_bad(struct suite *s, struct row *row)
{
	_cleanup_(buf_done) struct buf lines = { 0 }, text = { 0 };
	_cleanup_(moment_done) struct moment now = { 0 };

	buf_addf(&lines, "%s%s", s->trial, garbage);
	buf_add_bytes(&text, buf_bytes(&s->first.running));
	buf_add_str(&text, garbage);
	if (see(s, &now, row) && fails_to_apply(s, row, buf_bytes(&lines), DEVICE_LINES) &&
	    fails_to_apply(s, row, buf_bytes(&text), DEVICE_WHOLE) && still(s, row, &now.running, &now.startup, "after bad texts"))
		say(row, HOLDS, "a good line behind which nonsense stands had no effect either");
}

/* ---- a save that is cut off ---- */

struct saving {
	const struct suite *suite;
	struct bytes running;
};

static int run_save(void *ctx, struct error *err)
{
	const struct saving *w = ctx;

	return w->suite->driver->save(w->suite->dev, w->running, err);
}

/* A moment in which there is something to save. */
static bool see_unsaved(const struct suite *s, struct moment *out, struct row *row)
{
	if (!see(s, out, row))
		return false;
	if (!is_saved(out))
		return true;
	if (!toggle(s, row, out))
		return false;
	moment_done(out);
	return see(s, out, row);
}

/* false: the row says why. */
static bool count_steps(const struct suite *s, struct row *row, unsigned *steps)
{
	_cleanup_(moment_done) struct moment before = { 0 };
	struct saving w = { .suite = s };
	struct trace_work work = { run_save, &w };
	struct error err = { 0 };
	int r;

	if (!see_unsaved(s, &before, row))
		return false;
	w.running = buf_bytes(&before.look.running);
	r = trace_count(&work, CHANGE_MS, steps, &err);
	if (r < 0)
		say(row, r == E_SYS ? NOT_TRIED : FAILS, "%s", err.text);
	return r == 0;
}

/* 1: cut, and startup is old or new; 0: it went through; negative: the row says why. */
static int cut_at(const struct suite *s, struct row *row, unsigned n)
{
	_cleanup_(moment_done) struct moment before = { 0 }, after = { 0 };
	struct error err = { 0 };
	struct saving w = { .suite = s };
	struct trace_work work = { run_save, &w };
	int r;

	if (!see_unsaved(s, &before, row))
		return -1;
	w.running = buf_bytes(&before.look.running);
	r = trace_cut(&work, CHANGE_MS, n, &err);
	if (r < 0) {
		say(row, r == E_SYS ? NOT_TRIED : FAILS, "before step %u: %s", n, err.text);
		return -1;
	}
	if (!see(s, &after, row))
		return -1;
	if (!same(&after.running, &before.running) || (!same(&after.startup, &before.startup) && !is_saved(&after))) {
		say(row, FAILS, "cut off before step %u, %s", n, same(&after.running, &before.running) ? "startup is neither old nor new" : "running is another");
		return -1;
	}
	if (r == TRACE_CUT && !save(s, row, &before))
		return -1;
	return r;
}

static void check_cuts(struct suite *s, struct row *row)
{
	unsigned steps, distance, cuts = 0;
	int r = 1;

	if (!count_steps(s, row, &steps))
		return;
	distance = (steps + s->what->cuts - 1) / s->what->cuts;
	for (unsigned n = 1; r > 0 && n <= steps; n += distance, cuts += r > 0)
		r = cut_at(s, row, n);
	if (r < 0)
		return;
	if (cuts)
		say(row, HOLDS, "killed before %s%u of %u steps: startup was the old or the new", cuts == steps ? "each, " : "", cuts, steps);
	else
		say(row, NOT_TRIED, "it takes no step that could be seen");
}

/* ---- put back ---- */

static void check_put_back(struct suite *s, struct row *row)
{
	_cleanup_(moment_done) struct moment now = { 0 };

	if (!see(s, &now, row))
		return;
	if (!same(&now.running, &s->first.running) && !enter(s, row, buf_bytes(&s->first.running), DEVICE_WHOLE))
		return;
	moment_done(&now);
	if (!see(s, &now, row) || (!same(&now.startup, &s->first.startup) && !save(s, row, &now)))
		return;
	if (still(s, row, &s->first.running, &s->first.startup, "put back"))
		say(row, HOLDS, "running and startup are as they were found");
}

/* ---- erasing ---- */

struct erasing {
	const struct suite *suite;
	enum device_erase how;
	char dir[32];
	struct device_erased out;
};

static int run_erase(void *ctx, struct error *err)
{
	struct erasing *w = ctx;
	int r;

	do {
		w->out = (struct device_erased){ 0 };
		r = w->suite->driver->erase(&w->out, w->suite->dev, w->how, w->dir, err);
	} while (r == DEVICE_ERASE_MORE);
	return r;
}

/* Does a claim stand on something? The name of an area in which it does not, or NULL. */
static const char *unfounded(const struct device_erased *out, bool is_over)
{
	for (size_t i = 0; i < out->area_count; i++)
		if (out->areas[i].result == AREA_DONE ? out->areas[i].seen == AREA_NOTHING : is_over)
			return out->areas[i].name;
	return NULL;
}

static void areas_text(struct row *row, const char *before, const struct device_erased *out)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	for (size_t i = 0; i < out->area_count; i++)
		buf_addf(&text, "%s %s, seen %s%s", out->areas[i].name, area_claim_name(out->areas[i].claimed), area_seen_name(out->areas[i].seen),
			 i + 1 < out->area_count ? "; " : "");
	say(row, HOLDS, "%s%s", before, buf_text(&text));
}

/* Cut off after a few steps, then gone on with: it must come to an end, and to the same one when it is asked again. */
static void erase_rounds(struct erasing *w, struct row *row)
{
	struct trace_work work = { run_erase, w };
	struct error err = { 0 };
	const char *bad;
	int cut = trace_cut(&work, DEVICE_ERASE_MS, ERASE_CUT_STEP, &err);

	for (int round = 0; round < 2; round++) {
		err = (struct error){ 0 };
		if (run_erase(w, &err) < 0) {
			say(row, FAILS, "%s: %s", round ? "asked again" : "erasing", err.text);
			return;
		}
		bad = w->out.area_count ? unfounded(&w->out, true) : "all";
		if (bad) {
			say(row, FAILS, "it is said to be over, and area '%s' is not done, or nothing was seen of it", bad);
			return;
		}
	}
	areas_text(row, cut == TRACE_CUT ? "killed and gone on with; " : "", &w->out);
}

static void check_erase(const struct suite *s, struct row *row, enum device_erase how)
{
	struct erasing w = { .suite = s, .how = how, .dir = "/run/holdfast-erase-XXXXXX" };
	static const char *const journals[] = { "dialogue", "media" };

	if (!mkdtemp(w.dir)) {
		say(row, NOT_TRIED, "no folder can be made in /run for the driver's journal");
		return;
	}
	erase_rounds(&w, row);
	for (size_t i = 0; i < ARRAY_SIZE(journals); i++) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", w.dir, journals[i]);

		fs_sweep(path);
		(void)unlink(path);
	}
	(void)rmdir(w.dir);
}

static void check_reset(struct suite *s, struct row *row)
{
	check_erase(s, row, DEVICE_ERASE_CLEAR);
}

static void check_purge(struct suite *s, struct row *row)
{
	check_erase(s, row, DEVICE_ERASE_PURGE);
}

/* ---- the table ---- */

static const struct {
	const char *name;
	unsigned needs; /* capabilities; without them the driver cannot, and need not */
	bool is_destructive, wants_trial;
	void (*check)(struct suite *s, struct row *row);
} checks[] = {
	{ "facts", 0, false, false, check_facts },
	{ "look", 0, false, false, check_look },
	{ "look: twice the same", 0, false, false, check_steady },
	{ "glance", 0, false, false, check_glance },
	{ "startup", DEVICE_STARTUP, false, false, check_startup },
	{ "canonical form", 0, false, false, check_canonical },
	{ "secrets", 0, false, false, check_secrets },
	{ "damaged text", 0, false, false, check_noise },
	{ "check: nonsense is refused", DEVICE_APPLY, false, false, check_refused },
	{ "check: what is right is taken", DEVICE_APPLY, false, false, check_taken },
	{ "a device that hangs", 0, false, false, check_hang },
	{ "apply: lines, not saved", DEVICE_APPLY, true, true, check_lines },
	{ "revert", DEVICE_REVERT, true, false, check_revert },
	{ "save", DEVICE_SAVE, true, false, check_save },
	{ "apply: whole, not saved", DEVICE_APPLY, true, false, check_whole },
	{ "apply: nonsense has no effect", DEVICE_APPLY, true, true, check_bad },
	{ "save: cut off", DEVICE_SAVE | DEVICE_APPLY, true, true, check_cuts },
	{ "put back", DEVICE_SAVE | DEVICE_APPLY, true, false, check_put_back },
	/* with --erase only: nothing puts that back */
	{ "factory-reset", DEVICE_FACTORY_RESET, true, false, check_reset },
	{ "purge", DEVICE_PURGE, true, false, check_purge },
};

static bool erases(size_t i)
{
	return checks[i].check == check_reset || checks[i].check == check_purge;
}

/* What keeps a check from being made; false: nothing. */
static bool is_kept(const struct suite *s, size_t i, struct row *row)
{
	unsigned has = device_capabilities(s->driver, s->dev);

	if (checks[i].check != check_facts && checks[i].check != check_look && s->what->only &&
	    strcmp(checks[i].name, s->what->only) != 0)
		say(row, NOT_TRIED, "--only '%.40s'", s->what->only);
	else if ((has & checks[i].needs) != checks[i].needs)
		say(row, CANNOT, "driver %s does not declare it", s->driver->name);
	else if (checks[i].check != check_facts && checks[i].check != check_look && !s->has_first)
		say(row, NOT_TRIED, "without a look");
	else if (checks[i].is_destructive && !s->what->is_destructive)
		say(row, NOT_TRIED, "it changes the device: --destructive");
	else if (checks[i].is_destructive && !erases(i) && !is_saved(&s->first))
		say(row, NOT_TRIED, "running differs from startup: save, or return, first");
	else if (checks[i].wants_trial && !s->trial)
		say(row, NOT_TRIED, "driver %s has no trial lines: --change FILE", s->driver->name);
	else
		return false;
	return true;
}

static void print_row(const char *name, const struct row *row, unsigned ms)
{
	static const char *const results[] = { "holds", "FAILS", "cannot", "not tried" };

	printf("%-30s %-9s %7u ms  %s\n", name, results[row->result], ms, row->evidence);
	fflush(stdout);
}

static const char *capabilities_text(char out[static 80], unsigned has)
{
	static const char *const names[] = { "startup", "save", "revert", "apply", "reboot", "factory-reset", "purge", "upgrade" };

	out[0] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (has & (1U << i)) {
			strncat(out, " ", 2);
			strncat(out, names[i], 16);
		}
	return out;
}

int conformance_run(const struct conformance *what)
{
	struct suite s = { .what = what, .dev = what->dev, .driver = device_driver(what->dev->driver) };
	char text[80];

	s.trial = what->trial ? what->trial : s.driver->trial;
	printf("device %s, driver %s, which declares:%s\n\n", s.dev->name, s.driver->name, capabilities_text(text, device_capabilities(s.driver, s.dev)));
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		uint64_t begin = clock_mono_ms();
		struct row row = { 0 };

		if (erases(i) && !what->is_erasing)
			continue;
		if (!is_kept(&s, i, &row))
			checks[i].check(&s, &row);
		print_row(checks[i].name, &row, (unsigned)(clock_mono_ms() - begin));
		s.counts[row.result]++;
	}
	moment_done(&s.first);
	printf("\n%u hold, %u fail, %u cannot, %u not tried\n", s.counts[HOLDS], s.counts[FAILS], s.counts[CANNOT], s.counts[NOT_TRIED]);
	return s.counts[FAILS] ? CONFORMANCE_FAILS : 0;
}
