/* cli/cmd-rollout-plan.c -- holdfast rollout plan: renders, compares and shows what a plan would do, and writes it down as it will be
 * signed. holdfast rollout apply: refuses what is not so any more, signs once, posts. */
#include "cli/commands.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/plural.h"
#include "cli/api.h"
#include "cli/carry.h"
#include "cli/home.h"
#include "cli/plan.h"
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- plan ---- */

struct planning {
	struct cli *cli;
	struct plan *plan;
	struct making orders;
	struct plan_targets targets;
	struct batch_terms terms;
	struct buf file;
	json_t *devices; /* with --json */
};

static void planning_done(struct planning *p)
{
	json_decref(p->devices);
	buf_done(&p->file);
	plan_targets_done(&p->targets);
	making_done(&p->orders);
	plan_free(p->plan);
}

static int put_probes(struct planning *p, struct making_row *row, const struct form *form, struct error *err)
{
	for (size_t i = 0; i < p->plan->file->probes_count; i++) {
		struct buf text = { 0 };
		int r = plan_probe(&text, p->plan, i, row->member, form, err);

		if (r < 0) {
			buf_done(&text);
			return r;
		}
		row->probes[row->probe_count++] = buf_steal_text(&text);
	}
	return 0;
}

static void note_json(struct planning *p, const struct making_row *row, const struct preview *c)
{
	json_t *json = json_pack("{s:s, s:s, s:I, s:I, s:I, s:b, s:o}", "device", row->member->id, "name", row->member->name, "base",
				 (json_int_t)row->base, "added", (json_int_t)c->counts.added, "removed", (json_int_t)c->counts.removed,
				 "touches-address", (int)c->touches_address, "diff", show_text(buf_bytes(&c->diff)));

	show_put_text(json, "touched", c->touched);
	json_array_append_new(p->devices, json);
}

static int keep_change(struct planning *p, const struct fleet_member *m, const struct opened *base, const struct preview *c,
		       struct error *err)
{
	struct making_row *row = making_add(&p->orders, m, base);
	int r = making_put_change(&p->orders, row, base->device, c, err);

	if (r == 0)
		r = put_probes(p, row, form_of(m->driver), err);
	if (r < 0)
		return r;
	if (!p->cli->json)
		return show_diff(buf_bytes(&c->diff), STDOUT_FILENO, err);
	note_json(p, row, c);
	return 0;
}

/* 1: it is so already. */
static int plan_device(struct planning *p, const struct fleet_member *m, struct error *err)
{
	_cleanup_(opened_done) struct opened base = { 0 };
	_cleanup_(preview_done) struct preview change = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 }, management = { 0 };
	struct preview_input in = { .form = form_of(m->driver), .base = &base, .name = p->plan->text_name };
	int r = making_open(&base, &p->orders, m, 0, err);

	if (r == 0)
		r = plan_render(&text, p->plan, m, in.form, err);
	if (r == 0)
		r = plan_management(&management, p->plan, m, in.form, err);
	if (r < 0)
		return r;
	in.management = buf_text(&management);
	r = p->plan->is_whole ? preview_whole(&change, &in, buf_bytes(&text), err) : preview_lines(&change, &in, buf_bytes(&text), err);
	if (r < 0)
		return error_add(err, "'%s' for '%s'", p->plan->text_name, m->name);
	return change.is_nothing ? 1 : keep_change(p, m, &base, &change, err);
}

static int plan_devices(struct planning *p, struct error *err)
{
	struct progress progress = { .what = "planned" };
	size_t count = p->targets.active;
	int r = 0;

	for (size_t i = 0; i < count && r >= 0; i++) {
		r = plan_device(p, p->targets.targets[i].member, err);
		if (r == 1)
			plan_leave_out(&p->targets, i, "it is so already", false);
		opener_forget(p->orders.opener);
		progress_show(&progress, i + 1, count);
	}
	progress_end(&progress);
	if (r < 0)
		return r;
	plan_settle(&p->targets);
	for (size_t i = 0; i < p->targets.active; i++) /* the rows are in the same order */
		p->orders.rows[i].group = p->targets.targets[i].group;
	return 0;
}

static int make_terms(struct planning *p, int64_t now_s, struct error *err)
{
	const struct plan *plan = p->plan;
	struct batch_terms *t = &p->terms;

	making_terms(t, &p->orders, plan->file->reason, plan->file->ticket, now_s);
	t->not_before_s = plan->not_before_s;
	t->expires_s = plan->expires_s;
	t->soak_s = plan->soak_s;
	t->fail_limit = plan->file->fail_limit ? *plan->file->fail_limit : 0;
	t->windows = (const char *const *)plan->file->windows;
	t->window_count = plan->file->windows_count;
	t->is_whole = plan->is_whole;
	t->confirm_s = plan->confirm_s;
	t->settle_s = plan->settle_s;
	return plan_waves(t->waves, &t->wave_count, plan, &p->targets, err);
}

/* ---- what is said of it ---- */

static void add_waves(struct buf *out, const struct batch_terms *t)
{
	for (size_t i = 0; i < t->wave_count; i++)
		buf_addf(out, "%s%u", i ? " -> " : "", t->waves[i] - (i ? t->waves[i - 1] : 0));
}

static void add_needs(struct buf *out, const struct cli *cli)
{
	const struct root *root = cli->home->root;
	bool is_separate = root_separates(root, "apply");

	buf_addf(out, "%u %s with role %s%s", root_threshold(root, "apply"), plural(root_threshold(root, "apply"), "person", "people"),
		 role_name(root_role_for("apply")), is_separate ? ", its author not counted" : ", its author among them");
}

static void tell_left_out(const struct planning *p)
{
	size_t as_wanted = 0;

	for (size_t i = p->targets.active; i < p->targets.count; i++) {
		const struct plan_target *t = &p->targets.targets[i];

		if (!strcmp(t->why_not, "it is so already"))
			as_wanted++;
		else
			output_note("Left out   %s: %s", t->member->name[0] ? t->member->name : t->member->id, t->why_not);
	}
	if (as_wanted)
		output_note("Already    %zu of %zu are so already", as_wanted, p->targets.count);
}

static void tell_touched(const struct planning *p)
{
	size_t touched = 0, first = 0;

	for (size_t i = p->orders.count; i--;)
		if (p->orders.rows[i].touches_address) {
			touched++;
			first = i;
		}
	if (touched)
		output_note("Addresses  %zu of %zu: %s is touched, on '%s': %s", touched, p->orders.count,
			    p->plan->file->management ? "the way to the management address" : "an address of an interface",
			    p->orders.rows[first].member->name, p->orders.rows[first].touched);
	else
		output_note("Addresses  %s is touched",
			    p->plan->file->management ? "no way to a management address" : "no address of an interface");
}

static void tell(const struct planning *p, const char *path)
{
	_cleanup_(buf_done) struct buf waves = { 0 }, needs = { 0 };
	char expires[CLOCK_TEXT_LEN];

	add_waves(&waves, &p->terms);
	add_needs(&needs, p->cli);
	clock_text(expires, p->terms.expires_s);
	output_note("Targets    %zu of %zu", p->targets.active, p->targets.count);
	tell_left_out(p);
	output_note("Waves      %s%s%s, stops after %u failure%s", buf_text(&waves), p->plan->file->soak ? ", soak " : "",
		    p->plan->file->soak ? p->plan->file->soak : "", p->terms.fail_limit + 1, p->terms.fail_limit ? "s" : "");
	tell_touched(p);
	output_note("Needs      %s", buf_text(&needs));
	output_note("Expires    %s", expires);
	if (path)
		output_note("Plan       %s (not signed yet). Next:  holdfast rollout apply %s", path, path);
	else
		output_note("Plan       not written; say -o PLAN to keep it");
}

static int print_json(struct planning *p, const char *path, struct error *err)
{
	json_t *waves = json_array(), *left_out = json_array(), *json;

	for (size_t i = 0; i < p->terms.wave_count; i++)
		json_array_append_new(waves, json_integer(p->terms.waves[i]));
	for (size_t i = p->targets.active; i < p->targets.count; i++)
		json_array_append_new(left_out, json_pack("{s:s, s:s, s:s}", "device", p->targets.targets[i].member->id, "name",
							  p->targets.targets[i].member->name, "why", p->targets.targets[i].why_not));
	json = json_pack("{s:s, s:I, s:o, s:o, s:O, s:I}", "reason", p->plan->file->reason, "targets", (json_int_t)p->targets.active,
			 "waves", waves, "left-out", left_out, "devices", p->devices, "need",
			 (json_int_t)root_threshold(p->cli->home->root, "apply"));
	if (path)
		show_put_text(json, "plan", path);
	show_put_time(json, "expires", p->terms.expires_s);
	return output_json("rollout-plan", json, err);
}

static int write_plan(struct planning *p, const char *path, struct error *err)
{
	int r = making_draft(&p->file, &p->orders, &p->terms, err);

	return r == 0 && path ? fs_write(path, buf_bytes(&p->file), 0600, err) : r;
}

int cmd_rollout_plan(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(planning_done) struct planning p = { .cli = cli, .devices = json_array() };
	const char *path = args_get(args, "output");
	int64_t now_s = clock_now_s();
	int r = plan_load(&p.plan, args->value[0], now_s, err);

	if (r == 0)
		r = making_begin(&p.orders, cli, ORDER_APPLY, err);
	if (r == 0)
		r = plan_targets(&p.targets, p.plan, &p.orders.list, now_s, err);
	if (r == 0)
		r = plan_devices(&p, err);
	if (r == 0 && p.targets.active)
		r = make_terms(&p, now_s, err);
	if (r == 0 && p.targets.active)
		r = write_plan(&p, path, err);
	if (r < 0)
		return r;
	if (cli->json && print_json(&p, p.targets.active ? path : NULL, err) < 0)
		return err->code;
	if (p.targets.active)
		tell(&p, path);
	else
		tell_left_out(&p);
	if (!p.targets.active)
		output_note("Nothing is to be changed%s", path ? "; no plan was written" : "");
	return p.targets.active ? EXIT_FINDING : EXIT_DONE;
}

/* ---- apply ---- */

static int read_plan(struct batch_file *out, const char *path, struct error *err)
{
	struct buf bytes = { 0 };
	int r = fs_read(&bytes, path, BATCH_FILE_MAX, err);

	if (r == 0)
		r = batch_file_parse(out, &bytes, err);
	buf_done(&bytes);
	if (r == FS_ABSENT)
		return error_set(err, CLI_ABSENT, "there is no '%s'", path);
	return r < 0 ? error_add(err, "plan '%s'", path) : 0;
}

/* Once it is on the server it is what was signed, and only what is missing is posted: nothing is checked a second time. */
static int apply(struct cli *cli, struct batch_file *file, const char *path, struct error *err)
{
	_cleanup_(making_done) struct making o = { 0 };
	char id[ID_LEN + 1];
	enum order_kind kind;
	int r;

	order_kind_parse(&kind, statement_get(file->batch, "kind")); /* batch_check() did, too */
	batch_id(id, file->batch);
	r = making_begin(&o, cli, kind, err);
	if (r == 0)
		r = making_is_posted(cli, id, err);
	if (r == 1)
		r = making_check(&o, file, err);
	return r == 0 ? making_submit(id, cli, file, path, err) : r;
}

static int tell_applied(struct cli *cli, const char *id, const struct args *args, struct error *err)
{
	_cleanup_(rollout_done) struct rollout r = { 0 };
	_cleanup_(buf_done) struct buf consent = { 0 };
	struct open_source source;
	int result = fleet_source(&source, cli, err);

	if (result == 0)
		result = rollout_get(&r, &source, id, err);
	if (result < 0)
		return result;
	rollout_consent(&consent, &r, cli->home->root);
	output_note("Signed and posted: batch %s, %llu %s, one signature; agreed: %s", id,
		    (unsigned long long)statement_number(r.batch, "count"), plural(statement_number(r.batch, "count"), "order", "orders"),
		    buf_text(&consent));
	if (args_has(args, "watch"))
		return carry_follow(cli, &r, args, true, false, err);
	if (rollout_is_over(&r))
		output_note("It is over: %s. See:  holdfast rollout show %s", r.state, id);
	else if (consent_is_enough(&r.consent))
		output_note("Next:  holdfast rollout watch %s", id);
	return carry_leave(cli, &r, err);
}

int cmd_rollout_apply(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(batch_file_done) struct batch_file file = { 0 };
	char id[ID_LEN + 1];
	int r = read_plan(&file, args->value[0], err);

	if (r == 0)
		r = apply(cli, &file, args->value[0], err);
	if (r < 0)
		return r;
	batch_id(id, file.batch);
	return tell_applied(cli, id, args, err);
}
