/* cli/cmd-policy-check.c -- holdfast policy check: the rules of a pack against archived configurations, opened on this machine. */
#include "cli/commands.h"

#include "cli/fleet.h"
#include "cli/output.h"
#include "cli/policing.h"
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORGET_EVERY = 64 }; /* devices: each epoch that is open costs locked memory */

struct checking {
	struct policy *policy;
	struct policed *devices;
	size_t count;
	size_t counts[VERDICTS];
	int worst; /* a failure of one device, when others could be looked at; 0 */
};

static void checking_done(struct checking *c)
{
	for (size_t i = 0; i < c->count; i++)
		policed_done(&c->devices[i]);
	free(c->devices);
	c->policy = policy_free(c->policy);
}

/* ---- looking ---- */

/* What says that somebody lies, or that the server is away, ends the command; what concerns one device does not. */
static bool is_fatal(int code)
{
	return code == E_SEAL || code == CLI_UNREACHED || code == CLI_LOGIN;
}

static int check_one(struct checking *c, struct opener *opener, const struct fleet_list *list, const struct revision_ref *ref,
		     const char *driver, struct error *err)
{
	_cleanup_(opened_done) struct opened opened = { 0 };
	struct policed *device = &c->devices[c->count];
	int r = fleet_open(&opened, opener, list, ref, err);

	if (r < 0 && is_fatal(r))
		return r;
	if (r < 0) {
		policing_give_up(device, c->policy, ref->device, driver, err);
		c->worst = r;
	} else {
		policing_judge(device, c->policy, &opened);
	}
	c->count++;
	for (size_t i = 0; i < VERDICTS; i++)
		c->counts[i] += device->report.counts[i];
	return 0;
}

static int check_selected(struct checking *c, struct opener *opener, struct fleet_list *list, const struct args *args, struct error *err)
{
	struct progress progress = { .what = "devices" };
	int r = fleet_list_select(list, &args->value[1], args->count - 1, err);

	if (r < 0)
		return r;
	c->devices = mem_alloc((list->count + 1) * sizeof(*c->devices));
	for (size_t i = 0; i < list->count && r == 0; i++) {
		struct revision_ref ref = { .number = SELECT_NEWEST };

		snprintf(ref.device, sizeof(ref.device), "%s", *list->members[i].name ? list->members[i].name : list->members[i].id);
		r = check_one(c, opener, list, &ref, list->members[i].driver, err);
		if (i % FORGET_EVERY == FORGET_EVERY - 1)
			opener_forget(opener);
		progress_show(&progress, i + 1, list->count);
	}
	progress_end(&progress);
	return r;
}

static int check_revisions(struct checking *c, struct opener *opener, const struct fleet_list *list, const struct args *args, struct error *err)
{
	c->devices = mem_alloc(args->count * sizeof(*c->devices));
	for (size_t i = 1; i < args->count; i++) {
		struct revision_ref ref;

		if (select_revision(&ref, args->value[i], err) < 0)
			return err->code = CLI_USAGE;
		if (check_one(c, opener, list, &ref, NULL, err) < 0)
			return err->code;
		if (c->devices[c->count - 1].failed)
			return error_set(err, c->devices[c->count - 1].code, "%s", c->devices[c->count - 1].failed);
	}
	return 0;
}

static int check_all(struct checking *c, struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(opener_freep) struct opener *opener = NULL;
	size_t revisions = 0;

	for (size_t i = 1; i < args->count; i++)
		revisions += strchr(args->value[i], '@') != NULL;
	if (revisions && revisions != args->count - 1)
		return error_set(err, CLI_USAGE, "selectors, or revisions as DEVICE@NUMBER, and not both");
	if (fleet_list_get(&list, cli, err) < 0 || fleet_opener(&opener, cli, err) < 0)
		return err->code;
	return revisions ? check_revisions(c, opener, &list, args, err) : check_selected(c, opener, &list, args, err);
}

/* ---- showing ---- */

static void add_rows(struct table *table, const struct policed *device)
{
	for (size_t i = 0; i < device->report.count; i++) {
		const struct ruling *r = &device->report.rulings[i];
		const struct finding *f = r->count ? &r->findings[0] : NULL;
		_cleanup_(mem_freep) char *path = f ? policing_text(f->path) : NULL, *text = policing_text(f ? f->text : r->why), *where = NULL;

		if (r->verdict == VERDICT_PASS || r->verdict == VERDICT_NOT_APPLICABLE)
			continue;
		where = !path ? mem_strdup("") : f->line ? mem_printf("%s:%u", path, f->line) : mem_strdup(path);
		table_add(table, (const char *const[]){ device->revision, r->rule->id, policy_level_name(r->rule->level),
							policy_severity_name(r->rule->severity), verdict_name(r->verdict), where, text });
	}
}

static int print_table(const struct checking *c, struct error *err)
{
	static const char *const heads[] = { "REVISION", "RULE", "LEVEL", "SEVERITY", "VERDICT", "WHERE", "WHAT" };
	_cleanup_(table_done) struct table table;

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < c->count; i++)
		add_rows(&table, &c->devices[i]);
	return table.rows > 1 ? table_print(&table, err) : 0;
}

static void note_counts(const struct checking *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->devices[i].failed)
			output_note("holdfast: warning: '%s' could not be looked at: %s", c->devices[i].device, c->devices[i].failed);
	output_note("%zu device%s, %zu rules: %zu pass, %zu fail, %zu unknown, %zu not applicable", c->count, c->count == 1 ? "" : "s",
		    c->policy->count, c->counts[VERDICT_PASS], c->counts[VERDICT_FAIL], c->counts[VERDICT_UNKNOWN],
		    c->counts[VERDICT_NOT_APPLICABLE]);
}

static json_t *masked(const char *text)
{
	_cleanup_(mem_freep) char *shown = policing_text(text);

	return show_text(bytes_str(shown));
}

static json_t *ruling_json(const struct ruling *r)
{
	json_t *found = json_array(), *json = json_pack("{s:s, s:s, s:s, s:s, s:o}", "rule", r->rule->id, "level", policy_level_name(r->rule->level),
							"severity", policy_severity_name(r->rule->severity), "verdict", verdict_name(r->verdict),
							"findings", found);

	show_put_text(json, "why", r->why);
	for (size_t i = 0; i < r->count; i++)
		json_array_append_new(found, json_pack("{s:o, s:I, s:o}", "path", masked(r->findings[i].path), "line",
						       (json_int_t)r->findings[i].line, "text", masked(r->findings[i].text)));
	if (r->more)
		json_object_set_new(json, "more", json_integer((json_int_t)r->more));
	return json;
}

static json_t *counts_json(const size_t counts[static VERDICTS])
{
	json_t *json = json_object();

	for (size_t i = 0; i < VERDICTS; i++)
		json_object_set_new(json, verdict_name((enum verdict)i), json_integer((json_int_t)counts[i]));
	return json;
}

static int print_json(const struct checking *c, struct error *err)
{
	json_t *all = json_array();

	for (size_t i = 0; i < c->count; i++) {
		const struct policed *device = &c->devices[i];
		json_t *rulings = json_array(), *one = json_pack("{s:s, s:s, s:o, s:o}", "device", device->device, "revision", device->revision,
								 "counts", counts_json(device->report.counts), "rules", rulings);

		if (device->failed)
			json_object_set_new(one, "error", masked(device->failed));
		for (size_t k = 0; k < device->report.count; k++)
			json_array_append_new(rulings, ruling_json(&device->report.rulings[k]));
		json_array_append_new(all, one);
	}
	return output_json("policy-check", json_pack("{s:s, s:o, s:o}", "pack", c->policy->name, "counts", counts_json(c->counts), "devices", all),
			   err);
}

static int print_plan(const struct checking *c, struct error *err)
{
	_cleanup_(buf_done) struct buf plan = { 0 };
	size_t by_hand, count = policing_plan(&plan, &by_hand, c->policy, c->devices, c->count);

	if (by_hand)
		output_note("holdfast: note: %zu rule%s that fail%s cannot be put right by a plan; see: holdfast policy show", by_hand,
			    by_hand == 1 ? "" : "s", by_hand == 1 ? "s" : "");
	return count ? output_raw(buf_bytes(&plan), err) : 0;
}

static int print(struct cli *cli, const struct checking *c, bool is_plan, struct error *err)
{
	int r = is_plan ? print_plan(c, err) : cli->json ? print_json(c, err) : print_table(c, err);

	if (r < 0)
		return r;
	note_counts(c);
	if (c->worst)
		return EXIT_PARTIAL;
	return c->counts[VERDICT_FAIL] || c->counts[VERDICT_UNKNOWN] ? EXIT_FINDING : EXIT_DONE;
}

int cmd_policy_check(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(checking_done) struct checking c = { 0 };
	_cleanup_(mem_freep) char *path = NULL;
	bool is_plan = args_has(args, "fix-plan");
	int r = policing_read(&c.policy, &path, args->value[0], err);

	if (r == 0 && is_plan && !strcmp(c.policy->driver, "files"))
		return error_set(err, CLI_USAGE, "files are changed whole, and not by lines: see the remedies with holdfast policy show");
	if (r == 0)
		r = check_all(&c, cli, args, err);
	return r < 0 ? r : print(cli, &c, is_plan, err);
}
