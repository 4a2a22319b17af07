/* cli/cmd-firmware-assign.c -- holdfast firmware assign: which image each device is to run, shown, signed once, rolled out in waves. */
#include "cli/commands.h"

#include "base/clock.h"
#include "cli/carry.h"
#include "cli/firmware.h"
#include "cli/home.h"
#include "cli/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_BEFORE_MAX_S = 90 * 86400 };

struct assigning {
	struct making orders;
	struct firmware_list images;
	struct table table; /* what is shown */
	const char *meant, *part;
	size_t already, back;
	const char *back_does; /* to the configuration: "keeps" or "loses" */
};

static void assigning_done(struct assigning *a)
{
	making_done(&a->orders);
	firmware_list_done(&a->images);
	table_done(&a->table);
}

/* ---- which image ---- */

static bool is_meant(const struct assigning *a, const struct firmware *f)
{
	return !f->is_by_nobody && firmware_is(f, a->meant) && (!a->part || !strcmp(a->part, statement_get(f->st, "part")));
}

/* There is one, and all of it is on the server. */
static int check_meant(const struct assigning *a, struct error *err)
{
	const struct firmware *lacking = NULL;
	bool is_there = false;

	for (size_t i = 0; i < a->images.count; i++)
		if (is_meant(a, &a->images.at[i])) {
			is_there |= a->images.at[i].is_whole;
			lacking = &a->images.at[i];
		}
	if (is_there)
		return 0;
	if (lacking)
		return error_set(err, CLI_CONFLICT, "image %.12s is not all on the server; import it once more, it goes on",
				 statement_get(lacking->st, "image"));
	return error_set(err, CLI_ABSENT, "there is no firmware '%.60s'%s%s; see: holdfast firmware list", a->meant,
			 a->part ? " of part " : "", a->part ? a->part : "");
}

/* The newest statement that fits, or why none does. */
static const struct firmware *choose(enum firmware_fit *fit, const struct assigning *a, const struct fleet_member *m)
{
	const struct firmware *best = NULL;

	*fit = FIRMWARE_OTHER_DRIVER;
	for (size_t i = a->images.count; i--;) {
		const struct firmware *f = &a->images.at[i];
		enum firmware_fit one = is_meant(a, f) && f->is_whole ? firmware_fits(f, m) : FIRMWARE_OTHER_DRIVER;

		if (one <= FIRMWARE_GOES_BACK) {
			*fit = one;
			return f;
		}
		if (one != FIRMWARE_OTHER_DRIVER && !best) {
			best = f;
			*fit = one;
		}
	}
	return best;
}

static void say_why_not(const struct assigning *a, const struct fleet_member *m, const struct firmware *f, enum firmware_fit fit)
{
	const char *runs = *m->firmware ? m->firmware : "nobody knows what";

	switch (fit) {
	case FIRMWARE_FITS:
	case FIRMWARE_GOES_BACK:
	case FIRMWARE_RUNS: /* is counted */
		break;
	case FIRMWARE_OTHER_DRIVER:
		output_note("Left out   %s: '%s' is for another driver than '%s'", m->name, a->meant, m->driver);
		break;
	case FIRMWARE_OTHER_MODEL:
		output_note("Left out   %s: '%s' is for other models than '%s'", m->name, a->meant, m->model);
		break;
	case FIRMWARE_MINIMUM:
		output_note("Left out   %s: it runs %s, and the image is for %s or newer", m->name, runs, statement_get(f->st, "minimum"));
		break;
	case FIRMWARE_OLDER:
		output_note("Left out   %s: it runs %s, and nobody signed that one may go back to %s (--downgrade)", m->name, runs,
			    statement_get(f->st, "version"));
		break;
	}
}

/* ---- one device ---- */

static int put_order(struct assigning *a, const struct fleet_member *m, const struct firmware *f, const struct args *args,
		     struct error *err)
{
	const struct open_device *device;
	struct age_recipient box;
	struct making_row *row;
	const char *probe;
	int r = fleet_identify(&device, a->orders.opener, m, err);

	if (r == 0)
		r = age_recipient_parse(&box, bytes_str(statement_get(device->enrol, "box")), err);
	if (r < 0)
		return r;
	row = making_add(&a->orders, m, NULL);
	while (row->probe_count < ARRAY_SIZE(row->probes) && (probe = args_at(args, "probe", row->probe_count)))
		row->probes[row->probe_count++] = mem_strdup(probe);
	return batch_seal(&row->seal, a->orders.cli->home->root, &box, statement_whole(f->st), err);
}

static int assign_one(struct assigning *a, const struct fleet_member *m, const struct args *args, struct error *err)
{
	enum firmware_fit fit;
	const struct firmware *f = choose(&fit, a, m);
	const char *way;

	if (!m->is_admitted || *m->retired) {
		output_note("Left out   %s: %s", *m->name ? m->name : m->id, m->is_admitted ? "retired" : "not admitted");
		return 0;
	}
	a->already += fit == FIRMWARE_RUNS;
	if (fit > FIRMWARE_GOES_BACK) {
		say_why_not(a, m, f, fit);
		return 0;
	}
	way = fit == FIRMWARE_GOES_BACK ? statement_get(f->st, "downgrade") : NULL;
	if (way) {
		a->back++;
		a->back_does = a->back_does && !strcmp(a->back_does, "loses") ? a->back_does : way;
	}
	table_add(
		&a->table,
		(const char *const[]){
			m->name, m->model, m->firmware, statement_get(f->st, "version"), statement_get(f->st, "part"),
			way ? (!strcmp(way, "keeps") ? "goes back, keeps its configuration" : "goes back, loses its configuration") : "" });
	return put_order(a, m, f, args, err);
}

static int assign_all(struct assigning *a, const struct args *args, struct error *err)
{
	struct progress progress = { .what = "prepared" };
	const struct fleet_list *list = &a->orders.list;
	int r = 0;

	for (size_t i = 0; i < list->count && r == 0; i++) {
		r = assign_one(a, &list->members[i], args, err);
		opener_forget(a->orders.opener);
		progress_show(&progress, i + 1, list->count);
	}
	progress_end(&progress);
	return r;
}

/* ---- how ---- */

/* "1,10%,rest" as a plan's list of waves. */
static int take_waves(struct batch_terms *terms, size_t devices, const char *text, struct error *err)
{
	_cleanup_(mem_freep) char *copy = mem_strdup(text);
	char *list[ORDER_WAVES_MAX], *rest = copy;
	struct plan_file file = { .waves = list };
	const struct plan plan = { .file = &file };
	struct plan_targets targets = { .count = devices, .active = devices };
	int r;

	for (char *one; (one = strsep(&rest, ",")); list[file.waves_count++] = one)
		if (file.waves_count == ORDER_WAVES_MAX)
			return error_set(err, CLI_USAGE, "'--waves': at most %d", ORDER_WAVES_MAX);
	targets.targets = mem_alloc((devices + 1) * sizeof(*targets.targets));
	r = plan_waves(terms->waves, &terms->wave_count, &plan, &targets, err);
	free(targets.targets);
	return r < 0 ? (err->code = CLI_USAGE) : 0;
}

static int take_duration(int64_t *out, const struct args *args, const char *name, int64_t least, int64_t most, struct error *err)
{
	const char *text = args_get(args, name);

	if (!text)
		return 0;
	if (args_duration(out, text, err) < 0)
		return err->code;
	return *out >= least && *out <= most ? 0 : error_set(err, CLI_USAGE, "'--%s %.20s' is out of its range", name, text);
}

static int take_number(unsigned *out, const struct args *args, const char *name, struct error *err)
{
	const char *text = args_get(args, name);
	uint64_t n = 0;

	if (text && (!number_parse(&n, bytes_str(text)) || n > ORDER_COUNT_MAX))
		return error_set(err, CLI_USAGE, "'--%s %.20s' is no number", name, text);
	*out = (unsigned)n;
	return 0;
}

static int take_windows(struct batch_terms *terms, const char *windows[static PLAN_WINDOWS_MAX], const struct args *args, struct error *err)
{
	const char *window;

	for (; (window = args_at(args, "window", terms->window_count)); terms->window_count++) {
		if (terms->window_count == PLAN_WINDOWS_MAX || !window_parse_ok(window))
			return error_set(err, CLI_USAGE, "'--window %.60s': write at most %d, as 'sat,sun 22:00-04:00' (UTC)", window,
					 PLAN_WINDOWS_MAX);
		windows[terms->window_count] = window;
	}
	terms->windows = windows;
	return 0;
}

static int take_terms(struct batch_terms *terms, const char *windows[static PLAN_WINDOWS_MAX], struct assigning *a, const struct args *args,
		      const char *reason, struct error *err)
{
	const char *waves = args_get(args, "waves");
	int64_t later = 0, life = 7 * 86400, now_s = clock_now_s();

	making_terms(terms, &a->orders, reason, args_get(args, "ticket"), now_s);
	if (take_windows(terms, windows, args, err) < 0 || take_number(&terms->fail_limit, args, "fail-limit", err) < 0 ||
	    take_duration(&terms->soak_s, args, "soak", 0, 30 * 86400, err) < 0 ||
	    take_duration(&terms->confirm_s, args, "confirm", 10, 3600, err) < 0 ||
	    take_duration(&terms->settle_s, args, "settle", 0, 3600, err) < 0 ||
	    take_duration(&later, args, "begin", 0, NOT_BEFORE_MAX_S, err) < 0 ||
	    take_duration(&life, args, "expires", 60, 90 * 86400, err) < 0)
		return err->code;
	terms->not_before_s = now_s + later;
	terms->expires_s = now_s + later + life;
	return take_waves(terms, a->orders.count, waves ? waves : "1,rest", err);
}

/* ---- what is said before it is signed ---- */

static void show(const struct assigning *a, const struct batch_terms *terms)
{
	_cleanup_(buf_done) struct buf text = { 0 }, waves = { 0 };

	table_text(&text, &a->table, true);
	fputs(buf_text(&text), stderr);
	if (a->already)
		output_note("Already    %zu of %zu run it", a->already, a->orders.list.count);
	if (a->back)
		output_note("Back       %zu of %zu go back to something older; %s", a->back, a->orders.count,
			    !strcmp(a->back_does, "keeps") ? "they keep their configuration, as the image's signer says" :
							     "their configuration is lost, as the image's signer says");
	for (size_t i = 0; i < terms->wave_count; i++)
		buf_addf(&waves, "%s%u", i ? " -> " : "", terms->waves[i] - (i ? terms->waves[i - 1] : 0));
	output_note("Waves      %s; it stops when more than %u failed", terms->wave_count ? buf_text(&waves) : "one", terms->fail_limit);
	output_note("Each device is restarted, and goes back to what it runs unless it proves well.");
}

int cmd_firmware_assign(struct cli *cli, const struct args *args, struct error *err)
{
	static const char *const heads[] = { "DEVICE", "MODEL", "RUNS", "GETS", "PART", "NOTE" };
	_cleanup_(assigning_done) struct assigning a = { .meant = args->value[0], .part = args_get(args, "part") };
	_cleanup_(mem_freep) char *by_itself = mem_printf("firmware %.60s", args->value[0]);
	const char *windows[PLAN_WINDOWS_MAX], *reason;
	struct batch_terms terms;
	int r = carry_reason(&reason, args, by_itself, err);

	table_init(&a.table, ARRAY_SIZE(heads), heads);
	if (r == 0)
		r = making_begin(&a.orders, cli, ORDER_UPGRADE, err);
	if (r == 0)
		r = firmware_list_get(&a.images, cli, err);
	if (r == 0)
		r = check_meant(&a, err);
	if (r == 0)
		r = fleet_list_select(&a.orders.list, &args->value[1], args->count - 1, err);
	if (r == 0)
		r = assign_all(&a, args, err);
	if (r < 0)
		return r;
	if (!a.orders.count && a.already) {
		output_note("Already    %zu of %zu run it", a.already, a.orders.list.count);
		return EXIT_DONE;
	}
	if (!a.orders.count)
		return error_set(err, CLI_ABSENT, "no device is left that '%.60s' is for", a.meant);
	r = take_terms(&terms, windows, &a, args, reason, err);
	if (r < 0)
		return r;
	show(&a, &terms);
	return carry_out(&a.orders, &terms, args, "Give these devices this firmware?", err);
}
