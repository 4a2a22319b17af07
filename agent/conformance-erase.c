/* agent/conformance-erase.c -- is a device that is said to be erased erased, and does an erase that was cut off come to its end? */
#include "agent/conformance-parts.h"

#include "agent/trace.h"
#include "base/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ERASE_CUT_STEP = 20 };

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
		buf_addf(&text, "%s %s, seen %s%s", out->areas[i].name, area_claim_name(out->areas[i].claimed),
			 area_seen_name(out->areas[i].seen), i + 1 < out->area_count ? "; " : "");
	row_say(row, HOLDS, "%s%s", before, buf_text(&text));
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
			row_say(row, FAILS, "%s: %s", round ? "asked again" : "erasing", err.text);
			return;
		}
		bad = w->out.area_count ? unfounded(&w->out, true) : "all";
		if (bad) {
			row_say(row, FAILS, "it is said to be over, and area '%s' is not done, or nothing was seen of it", bad);
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
		row_say(row, NOT_TRIED, "no folder can be made in /run for the driver's journal");
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

const struct conformance_check conformance_erase[] = {
	{ .name = "factory-reset", .needs = DEVICE_FACTORY_RESET, .check = check_reset, .is_destructive = true, .is_erasing = true },
	{ .name = "purge", .needs = DEVICE_PURGE, .check = check_purge, .is_destructive = true, .is_erasing = true },
	{ 0 },
};
