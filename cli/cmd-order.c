/* cli/cmd-order.c -- restore, commit, revert, hold, release, snapshot, reboot: one order for each device that is meant, planned and shown
 * first, signed once, and followed to its receipt. */
#include "cli/commands.h"

#include "base/clock.h"
#include "cli/carry.h"
#include "cli/plan.h"
#include "cli/show.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HOLD_MAX_S = 30 * 86400 };

/* ---- restore ---- */

static int restore_terms(struct batch_terms *terms, const struct args *args, struct error *err)
{
	terms->is_whole = true;
	if (!args_has(args, "confirm"))
		return 0;
	if (args_duration(&terms->confirm_s, args_get(args, "confirm"), err) < 0)
		return err->code;
	return terms->confirm_s >= 10 && terms->confirm_s <= 3600 ? 0 : error_set(err, CLI_USAGE, "--confirm is 10s to 1h");
}

static void take_probes(struct making_row *row, const struct args *args)
{
	const char *probe;

	while (row->probe_count < ARRAY_SIZE(row->probes) && (probe = args_at(args, "probe", row->probe_count)))
		row->probes[row->probe_count++] = mem_strdup(probe);
}

/* 1: it is so already. */
static int plan_restore(struct making *o, const struct fleet_member *m, uint64_t number, const struct args *args, struct error *err)
{
	_cleanup_(opened_done) struct opened base = { 0 }, wanted = { 0 };
	_cleanup_(preview_done) struct preview change = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *management = args_get(args, "management");
	struct preview_input in = { form_of(m->driver), &base, management ? management : "", NULL };
	char name[96];
	struct making_row *row;
	int r = making_open(&base, o, m, 0, err);

	if (r == 0)
		r = making_open(&wanted, o, m, number, err);
	if (r == 0)
		r = preview_reveal(&text, &wanted, &wanted.running, err);
	if (r < 0)
		return r;
	show_revision(name, &wanted);
	in.name = name;
	r = preview_whole(&change, &in, buf_bytes(&text), err);
	if (r < 0)
		return r;
	if (change.is_nothing)
		return 1;
	row = making_add(o, m, &base);
	take_probes(row, args);
	r = making_put_change(o, row, base.device, &change, err);
	return r < 0 ? r : show_diff(buf_bytes(&change.diff), STDERR_FILENO, err);
}

static int check_obstacle(const struct fleet_member *m, struct error *err)
{
	const char *why = plan_obstacle(m, clock_now_s());

	return why ? error_set(err, CLI_CONFLICT, "'%s' would refuse the order: %s", m->name[0] ? m->name : m->id, why) : 0;
}

int cmd_restore(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(making_done) struct making o = { 0 };
	const struct fleet_member *m = NULL;
	struct batch_terms terms;
	struct revision_ref ref;
	const char *reason;
	int r = select_revision(&ref, args->value[0], err) < 0 ? (err->code = CLI_USAGE) : carry_reason(&reason, args, NULL, err);

	if (r == 0 && (!ref.is_given || !ref.number))
		r = error_set(err, CLI_USAGE, "restore what? write DEVICE@REVISION; see: holdfast log %s", ref.device);
	if (r == 0)
		r = making_begin(&o, cli, ORDER_APPLY, err);
	if (r == 0)
		r = fleet_find(&m, &o.list, ref.device, err);
	if (r == 0)
		r = check_obstacle(m, err);
	if (r == 0)
		r = plan_restore(&o, m, ref.number, args, err);
	if (r < 0)
		return r;
	if (r == 1) {
		output_note("'%s' runs what revision %llu holds already; there is nothing to do.", m->name, (unsigned long long)ref.number);
		return EXIT_DONE;
	}
	making_terms(&terms, &o, reason, args_get(args, "ticket"), clock_now_s());
	r = restore_terms(&terms, args, err);
	return r < 0 ? r : carry_out(&o, &terms, args, "Apply this? It returns by itself unless it proves healthy.", err);
}

/* ---- commit and revert ---- */

/* 1: there is nothing unsaved. */
static int plan_saving(struct making *o, const struct fleet_member *m, struct error *err)
{
	_cleanup_(opened_done) struct opened base = { 0 };
	_cleanup_(preview_done) struct preview change = { 0 };
	struct preview_input in = { form_of(m->driver), &base, "", NULL };
	int r = making_open(&base, o, m, 0, err);

	if (r < 0)
		return r;
	if (base.startup_is == STARTUP_UNKNOWN)
		return error_set(err, CLI_CONFLICT, "not all of '%s' answers: what would be saved is not whole", m->name);
	if (base.startup_is == STARTUP_NONE && o->kind == ORDER_REVERT)
		return error_set(err, CLI_CONFLICT, "'%s' has no startup configuration to return to", m->name);
	r = o->kind == ORDER_SAVE ? preview_save(&change, &in, err) : preview_revert(&change, &in, err);
	if (r < 0)
		return r;
	if (change.is_nothing)
		return 1;
	r = making_put_change(o, making_add(o, m, &base), base.device, &change, err);
	return r < 0 ? r : show_diff(buf_bytes(&change.diff), STDERR_FILENO, err);
}

static const char *obstacle_to_saving(const struct fleet_member *m, enum order_kind kind)
{
	if (!m->is_admitted)
		return "not admitted";
	if (m->hold_s > clock_now_s() && kind == ORDER_REVERT)
		return "held";
	return form_of(m->driver) ? NULL : "its kind of device is not known here";
}

static int plan_all_saving(struct making *o, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < o->list.count && r >= 0; i++) {
		const struct fleet_member *m = &o->list.members[i];
		const char *why = obstacle_to_saving(m, o->kind);

		if (why && o->list.count == 1)
			return error_set(err, CLI_CONFLICT, "'%s' would refuse the order: %s", m->name[0] ? m->name : m->id, why);
		if (why) {
			output_note("holdfast: '%s' is left out: %s", m->name[0] ? m->name : m->id, why);
			continue;
		}
		if (!strcmp(m->saved, "yes"))
			continue;
		r = plan_saving(o, m, err);
		opener_forget(o->opener);
	}
	return r < 0 ? r : 0;
}

static int save_or_revert(struct cli *cli, const struct args *args, enum order_kind kind, const char *question, struct error *err)
{
	_cleanup_(making_done) struct making o = { 0 };
	struct batch_terms terms;
	const char *reason;
	int r = carry_reason(&reason, args, NULL, err);

	if (r == 0)
		r = making_begin(&o, cli, kind, err);
	if (r == 0)
		r = fleet_list_select(&o.list, args->value, args->count, err);
	if (r == 0)
		r = plan_all_saving(&o, err);
	if (r < 0)
		return r;
	if (!o.count) {
		output_note("Running equals startup on %s; there is nothing to do.", o.list.count == 1 ? "it" : "all of them");
		return EXIT_DONE;
	}
	making_terms(&terms, &o, reason, args_get(args, "ticket"), clock_now_s());
	return carry_out(&o, &terms, args, question, err);
}

int cmd_commit(struct cli *cli, const struct args *args, struct error *err)
{
	return save_or_revert(cli, args, ORDER_SAVE, "Save this as what will boot?", err);
}

int cmd_revert(struct cli *cli, const struct args *args, struct error *err)
{
	return save_or_revert(cli, args, ORDER_REVERT,
			      "Return to what was saved? What is shown with + comes back, what is shown with - goes.", err);
}

/* ---- what changes no configuration ---- */

static void add_all(struct making *o)
{
	for (size_t i = 0; i < o->list.count; i++) {
		const struct fleet_member *m = &o->list.members[i];

		if (m->is_admitted)
			making_add(o, m, NULL);
		else
			output_note("holdfast: '%s' is left out: not admitted", m->name[0] ? m->name : m->id);
	}
}

struct simple {
	enum order_kind kind;
	const char *reason;   /* when none is given; NULL: one must be */
	const char *question; /* NULL: nothing is asked */
	size_t selectors;     /* how many of the arguments name devices */
	int64_t until_s;
};

static int simple_order(struct cli *cli, const struct args *args, const struct simple *s, struct error *err)
{
	_cleanup_(making_done) struct making o = { 0 };
	struct batch_terms terms;
	const char *reason;
	int r = carry_reason(&reason, args, s->reason, err);

	if (r == 0)
		r = making_begin(&o, cli, s->kind, err);
	if (r == 0)
		r = fleet_list_select(&o.list, args->value, s->selectors, err);
	if (r < 0)
		return r;
	add_all(&o);
	if (!o.count)
		return error_set(err, CLI_ABSENT, "no admitted device is meant; see: holdfast device list");
	making_terms(&terms, &o, reason, args_get(args, "ticket"), clock_now_s());
	terms.until_s = s->until_s;
	return carry_out(&o, &terms, args, s->question, err);
}

int cmd_hold(struct cli *cli, const struct args *args, struct error *err)
{
	struct simple s = { .kind = ORDER_HOLD, .selectors = args->count - 1 };
	int64_t long_s;
	int r = args_duration(&long_s, args->value[args->count - 1], err);

	if (r < 0)
		return error_add(err, "hold for how long? The last argument says it");
	if (long_s > HOLD_MAX_S)
		return error_set(err, CLI_USAGE, "a hold lasts at most 30 days");
	s.until_s = clock_now_s() + long_s;
	return simple_order(cli, args, &s, err);
}

int cmd_release(struct cli *cli, const struct args *args, struct error *err)
{
	struct simple s = { .kind = ORDER_RELEASE, .reason = "released", .selectors = args->count };

	return simple_order(cli, args, &s, err);
}

int cmd_snapshot(struct cli *cli, const struct args *args, struct error *err)
{
	struct simple s = { .kind = ORDER_SNAPSHOT, .reason = "a snapshot was asked for", .selectors = args->count };

	return simple_order(cli, args, &s, err);
}

int cmd_reboot(struct cli *cli, const struct args *args, struct error *err)
{
	struct simple s = { .kind = ORDER_REBOOT, .question = "Reboot them?", .selectors = args->count };

	return simple_order(cli, args, &s, err);
}
