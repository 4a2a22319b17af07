/* agent/conformance-change.c -- does a device become what it is told, and no more, and is what is saved saved, however a save is cut off?
 */
#include "agent/conformance-parts.h"

#include "agent/trace.h"
#include "base/plural.h"

/* ---- changes, put back ---- */

static bool enter(const struct suite *s, struct row *row, struct bytes text, enum device_apply how)
{
	struct error err = { 0 };

	if (s->driver->apply(s->dev, text, how, &err) == 0)
		return true;
	row_say(row, FAILS, "apply %s: %s", how == DEVICE_WHOLE ? "whole" : "lines", err.text);
	return false;
}

static bool save(const struct suite *s, struct row *row, const struct moment *m)
{
	struct error err = { 0 };

	if (s->driver->save(s->dev, buf_bytes(&m->look.running), &err) == 0)
		return true;
	row_say(row, FAILS, "save: %s", err.text);
	return false;
}

/* Running becomes what was found (after a trial) or something else (before one). startup stays. */
static bool toggle(const struct suite *s, struct row *row, const struct moment *now)
{
	bool is_first = moment_same(&now->running, &s->first.running);

	return enter(s, row, is_first ? bytes_str(s->trial) : buf_bytes(&s->first.running), is_first ? DEVICE_LINES : DEVICE_WHOLE);
}

static void check_lines(struct suite *s, struct row *row)
{
	_cleanup_(moment_done) struct moment now = { 0 };

	if (!enter(s, row, bytes_str(s->trial), DEVICE_LINES) || !moment_see(s, &now, row))
		return;
	if (moment_same(&now.running, &s->first.running))
		row_say(row, FAILS, "applied, and running is as before");
	else if (!moment_same(&now.startup, &s->first.startup))
		row_say(row, FAILS, "applied, and startup is another: it saved itself");
	else
		row_say(row, HOLDS, "seen in running, startup as before");
}

static void check_revert(struct suite *s, struct row *row)
{
	struct error err = { 0 };

	if (s->driver->revert(s->dev, buf_bytes(&s->first.look.startup), &err) < 0)
		row_say(row, FAILS, "%s", err.text);
	else if (moment_still(s, row, &s->first.running, &s->first.startup, "returned"))
		row_say(row, HOLDS, "running and startup are as they were");
}

static void check_save(struct suite *s, struct row *row)
{
	_cleanup_(moment_done) struct moment now = { 0 }, then = { 0 };

	if (!moment_see(s, &now, row))
		return;
	if (s->trial && (s->driver->capabilities & DEVICE_APPLY)) {
		moment_done(&now);
		if (!enter(s, row, bytes_str(s->trial), DEVICE_LINES) || !moment_see(s, &now, row))
			return;
	}
	if (!save(s, row, &now) || !moment_see(s, &then, row))
		return;
	if (!moment_same(&then.running, &now.running))
		row_say(row, FAILS, "saved, and running is another");
	else if (!moment_is_saved(&then))
		row_say(row, FAILS, "saved, and read back startup is not running");
	else
		row_say(row, HOLDS, "read back, startup is running");
}

/* Behind a save of the trial: running and startup hold it. */
static void check_whole(struct suite *s, struct row *row)
{
	_cleanup_(moment_done) struct moment now = { 0 };

	if (!moment_see(s, &now, row) || !enter(s, row, buf_bytes(&s->first.running), DEVICE_WHOLE))
		return;
	if (moment_still(s, row, &s->first.running, &now.startup, "applied"))
		row_say(row, HOLDS, "running is the text, startup as before");
}

static bool fails_to_apply(const struct suite *s, struct row *row, struct bytes text, enum device_apply how)
{
	struct error err = { 0 };

	if (s->driver->apply(s->dev, text, how, &err) < 0)
		return true;
	row_say(row, FAILS, "%s with nonsense in it was applied", how == DEVICE_WHOLE ? "a whole text" : "lines");
	return false;
}

static void check_bad(struct suite *s, struct row *row)
{
	_cleanup_(buf_done) struct buf lines = { 0 }, text = { 0 };
	_cleanup_(moment_done) struct moment now = { 0 };

	buf_addf(&lines, "%s%s", s->trial, conformance_garbage);
	buf_add_bytes(&text, buf_bytes(&s->first.running));
	buf_add_str(&text, conformance_garbage);
	if (moment_see(s, &now, row) && fails_to_apply(s, row, buf_bytes(&lines), DEVICE_LINES) &&
	    fails_to_apply(s, row, buf_bytes(&text), DEVICE_WHOLE) && moment_still(s, row, &now.running, &now.startup, "after bad texts"))
		row_say(row, HOLDS, "a good line behind which nonsense stands had no effect either");
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
	if (!moment_see(s, out, row))
		return false;
	if (!moment_is_saved(out))
		return true;
	if (!toggle(s, row, out))
		return false;
	moment_done(out);
	return moment_see(s, out, row);
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
	r = trace_count(&work, CONFORMANCE_CHANGE_MS, steps, &err);
	if (r < 0)
		row_say(row, r == E_SYS ? NOT_TRIED : FAILS, "%s", err.text);
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
	r = trace_cut(&work, CONFORMANCE_CHANGE_MS, n, &err);
	if (r < 0) {
		row_say(row, r == E_SYS ? NOT_TRIED : FAILS, "before step %u: %s", n, err.text);
		return -1;
	}
	if (!moment_see(s, &after, row))
		return -1;
	if (!moment_same(&after.running, &before.running) || (!moment_same(&after.startup, &before.startup) && !moment_is_saved(&after))) {
		row_say(row, FAILS, "cut off before step %u, %s", n,
			moment_same(&after.running, &before.running) ? "startup is neither old nor new" : "running is another");
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
		row_say(row, HOLDS, "killed before %s%u of %u %s: startup was the old or the new", cuts == steps ? "each, " : "", cuts,
			steps, plural(steps, "step", "steps"));
	else
		row_say(row, NOT_TRIED, "it takes no step that could be seen");
}

/* ---- put back ---- */

static void check_put_back(struct suite *s, struct row *row)
{
	_cleanup_(moment_done) struct moment now = { 0 };

	if (!moment_see(s, &now, row))
		return;
	if (!moment_same(&now.running, &s->first.running) && !enter(s, row, buf_bytes(&s->first.running), DEVICE_WHOLE))
		return;
	moment_done(&now);
	if (!moment_see(s, &now, row) || (!moment_same(&now.startup, &s->first.startup) && !save(s, row, &now)))
		return;
	if (moment_still(s, row, &s->first.running, &s->first.startup, "put back"))
		row_say(row, HOLDS, "running and startup are as they were found");
}

const struct conformance_check conformance_change[] = {
	{ .name = "apply: lines, not saved", .needs = DEVICE_APPLY, .check = check_lines, .is_destructive = true, .wants_trial = true },
	{ .name = "revert", .needs = DEVICE_REVERT, .check = check_revert, .is_destructive = true },
	{ .name = "save", .needs = DEVICE_SAVE, .check = check_save, .is_destructive = true },
	{ .name = "apply: whole, not saved", .needs = DEVICE_APPLY, .check = check_whole, .is_destructive = true },
	{ .name = "apply: nonsense has no effect", .needs = DEVICE_APPLY, .check = check_bad, .is_destructive = true, .wants_trial = true },
	{ .name = "save: cut off", .needs = DEVICE_SAVE | DEVICE_APPLY, .check = check_cuts, .is_destructive = true, .wants_trial = true },
	{ .name = "put back", .needs = DEVICE_SAVE | DEVICE_APPLY, .check = check_put_back, .is_destructive = true },
	{ 0 },
};
