/* cli/fixing.c -- policy fix, up to the order. */
#include "cli/fixing.h"

#include "base/clock.h"
#include "cli/args.h"
#include "cli/home.h"
#include "cli/preview.h"
#include "cli/remedy.h"
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what is wished for ---- */

static int take_value(struct fix_wish *w, const char *option, const char *text, bool is_file, struct error *err)
{
	const char *equal = strchr(text, '=');
	struct plan_variable *v = &w->file.variables[w->file.variables_count];

	if (!equal || equal == text || !equal[1] || strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-") != (size_t)(equal - text))
		return error_set(err, CLI_USAGE, "'--%s': write NAME=%s", option, is_file ? "FILE" : "VALUE");
	if (args_no_literal(equal + 1, err) < 0)
		return err->code;
	v->name = mem_strndup(text, (size_t)(equal - text));
	w->file.variables_count++;
	if (is_file)
		return plan_read_value(&v->value, v->name, equal + 1, err);
	v->value = mem_strdup(equal + 1);
	return 0;
}

static int take_values(struct fix_wish *w, const struct args *args, struct error *err)
{
	static const char *const options[] = { "set", "set-file" };
	const char *text;

	w->file.variables = mem_alloc(ARGS_MAX * sizeof(*w->file.variables));
	for (size_t k = 0; k < ARRAY_SIZE(options); k++)
		for (size_t i = 0; (text = args_at(args, options[k], i)); i++)
			if (take_value(w, options[k], text, k == 1, err) < 0)
				return err->code;
	return 0;
}

int fix_wish_take(struct fix_wish *out, const char *name, const struct args *args, struct error *err)
{
	const char *level = args_get(args, "level"), *except, *management = args_get(args, "management");
	int r = rule_name_parse_any(&out->name, name, err);

	if (r == 0 && level && strcmp(level, "fundamental") != 0 && strcmp(level, "all") != 0)
		r = error_set(err, CLI_USAGE, "'--level %.40s': there is fundamental and all", level);
	out->only_fundamental = level && !strcmp(level, "fundamental");
	for (size_t i = 0; r == 0 && (except = args_at(args, "except", i)); i++) {
		if (i == FIXING_VALUES_MAX)
			return error_set(err, CLI_USAGE, "--except: at most %d", FIXING_VALUES_MAX);
		out->except[out->except_count++] = except;
	}
	out->management = management ? management : "";
	out->plan.file = &out->file;
	return r == 0 ? take_values(out, args, err) : r;
}

void fix_wish_done(struct fix_wish *w)
{
	for (unsigned i = 0; i < w->file.variables_count; i++) {
		struct plan_variable *v = &w->file.variables[i];

		if (v->value)
			explicit_bzero(v->value, strlen(v->value));
		free(v->value);
		free(v->name);
	}
	free(w->file.variables);
	*w = (struct fix_wish){ 0 };
}

static bool is_wished(const struct fix_wish *w, const struct rule *rule)
{
	for (size_t i = 0; i < w->except_count; i++)
		if (!strcmp(w->except[i], rule->id))
			return false;
	if (*w->name.rule)
		return !strcmp(w->name.rule, rule->id);
	return !w->only_fundamental || rule->level == POLICY_FUNDAMENTAL;
}

/* ---- one device ---- */

struct repair {
	struct fixing *f;
	const struct fleet_member *m;
	struct device_set set;
	const struct policy *policy; /* of the set */
	struct opened base;
	struct tree tree;
	struct report report;
	struct remedy_gone gone;
	struct buf text; /* lines, or all of the configuration with them in it */
	struct fix_device *device;
	struct plan_variables variables;
	const char *rule; /* in hand: what errors call the template */
};

static void repair_done(struct repair *r)
{
	report_done(&r->report);
	remedy_gone_done(&r->gone);
	tree_done(&r->tree);
	opened_done(&r->base);
	device_set_done(&r->set);
	buf_done(&r->text);
}

static int render(void *ctx, struct buf *out, struct bytes text, struct error *err)
{
	struct repair *r = ctx;
	const struct template_job job = { .name = r->rule,
					 .text = text,
					 .device = r->m->name,
					 .form = form_of(r->m->driver),
					 .find = plan_find_variable,
					 .ctx = &r->variables};

	return template_render(out, &job, err) < 0 ? error_add(err, "the remedy needs a value that fits; see --set and --set-file") : 0;
}

static void leave_to_people(const struct repair *r, const char *rule, const char *why)
{
	r->f->by_hand++;
	output_note("holdfast: note: '%s' on '%s' has to be put right by hand: %s; see: holdfast policy show %s %s", rule, r->m->name, why,
		    r->policy->name, rule);
}

static void facts_of(struct policy_facts *out, const struct opened *base)
{
	const char *model = statement_get(base->st, "model"), *firmware = statement_get(base->st, "firmware");
	const struct statement *enrol = base->device->enrol;

	*out = (struct policy_facts){ .driver = statement_get(enrol, "driver"),
				     .model = model ? model : statement_get(enrol, "model"),
				     .firmware = firmware ? firmware : statement_get(enrol, "firmware")};
}

static int judge(struct repair *r, struct error *err)
{
	struct policy_facts facts;

	facts_of(&facts, &r->base);
	if (tree_read(&r->tree, facts.driver, buf_bytes(&r->base.running), err) < 0)
		return error_add(err, "the configuration of '%s' cannot be looked at", r->m->name);
	policy_evaluate(&r->report, r->policy, &r->tree, NULL, &facts, &policy_limits_operator);
	return 0;
}

/* Would the rule pass? Only what is sent as a whole can be asked. */
static bool would_pass(const struct repair *r, const struct rule *rule, struct bytes text)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(report_done) struct report report = { 0 };
	struct policy_facts facts;
	struct error ignored;

	facts_of(&facts, &r->base);
	if (tree_read(&tree, facts.driver, text, &ignored) < 0)
		return false;
	policy_evaluate(&report, r->policy, &tree, NULL, &facts, &policy_limits_operator);
	return report.rulings[rule - r->policy->rules].verdict == VERDICT_PASS;
}

static int put_whole(struct repair *r, const struct rule *rule, const char **why, struct error *err)
{
	const struct remedy_values values = { render, r };
	_cleanup_(buf_done) struct buf next = { 0 };
	int result;

	if (!r->text.len && preview_reveal(&r->text, &r->base, &r->base.running, err) < 0)
		return err->code;
	result = remedy_edit(&next, why, rule, buf_bytes(&r->text), &values, err);
	if (result != 0)
		return result;
	if (!would_pass(r, rule, buf_bytes(&next))) {
		*why = "its remedy does not make it pass there";
		return REMEDY_BY_HAND;
	}
	buf_truncate(&r->text, 0);
	buf_add_bytes(&r->text, buf_bytes(&next));
	return 0;
}

static int put_lines(struct repair *r, const struct rule *rule, const struct ruling *ruling, const char **why, struct error *err)
{
	_cleanup_(buf_done) struct buf lines = { 0 };
	int result = remedy_lines(&lines, why, rule, ruling, &r->tree, &r->gone, r->m->driver);

	return result == 0 ? render(r, &r->text, buf_bytes(&lines), err) : result;
}

static void add_rule(struct fix_device *d, const char *id)
{
	d->rules = mem_grow(d->rules, (d->rule_count + 1) * sizeof(*d->rules));
	d->rules[d->rule_count++] = mem_strdup(id);
}

static void drop_rules(struct fix_device *d)
{
	for (size_t k = 0; k < d->rule_count; k++)
		free(d->rules[k]);
	free(d->rules);
	d->rules = NULL;
	d->rule_count = 0;
}

static int put_rule(struct repair *r, const struct ruling *ruling, struct error *err)
{
	const struct rule *rule = ruling->rule;
	const char *why = "the rule has no remedy";
	int result = REMEDY_BY_HAND;

	r->rule = rule->id;
	if (rule->remedy_count)
		result = r->f->is_whole ? put_whole(r, rule, &why, err) : put_lines(r, rule, ruling, &why, err);
	if (result < 0)
		return result;
	if (result == REMEDY_BY_HAND)
		leave_to_people(r, rule->id, why);
	else
		add_rule(r->device, rule->id);
	return 0;
}

static bool is_waived(const struct repair *r, const char *rule)
{
	return device_set_waived_until(&r->set, r->f->orders.cli->home->root, r->m->id, r->policy->name, rule, clock_now_s()) > 0;
}

/* What is not done is told once, in the first of two ways. */
static bool is_due(const struct repair *r, const struct ruling *ruling, bool tell)
{
	if (!is_wished(r->f->wish, ruling->rule) || ruling->verdict == VERDICT_PASS || ruling->verdict == VERDICT_NOT_APPLICABLE)
		return false;
	if (is_waived(r, ruling->rule->id)) {
		if (tell)
			output_note("holdfast: note: '%s' on '%s' is waived, and left as it is", ruling->rule->id, r->m->name);
		return false;
	}
	if (ruling->verdict == VERDICT_UNKNOWN && tell)
		output_note("holdfast: note: '%s' on '%s' is unknown, and left as it is: %s", ruling->rule->id, r->m->name, ruling->why);
	return ruling->verdict == VERDICT_FAIL;
}

static int put_rules(struct repair *r, struct error *err)
{
	bool is_first = !r->f->is_whole;

	for (size_t i = 0; i < r->report.count && is_first; i++)
		if (is_due(r, &r->report.rulings[i], false))
			remedy_gone_add(&r->gone, r->report.rulings[i].rule);
	for (size_t i = 0; i < r->report.count; i++) {
		const struct ruling *ruling = &r->report.rulings[i];
		const struct rule *rule = ruling->rule;

		if (!is_due(r, ruling, is_first))
			continue;
		if (rule->remedy_count && remedy_is_whole(rule, r->m->driver) != r->f->is_whole)
			r->f->left++;
		else if ((rule->remedy_count || is_first) && put_rule(r, ruling, err) < 0)
			return err->code;
	}
	return 0;
}

static int put_order(struct repair *r, struct error *err)
{
	_cleanup_(preview_done) struct preview change = { 0 };
	struct preview_input in = { form_of(r->m->driver), &r->base, r->f->wish->management, "fixed" };
	struct fixing *f = r->f;
	int result;

	if (!r->device->rule_count)
		return 0;
	result =
		f->is_whole ? preview_whole(&change, &in, buf_bytes(&r->text), err) : preview_lines(&change, &in, buf_bytes(&r->text), err);
	if (result < 0)
		return error_add(err, "the remedies for '%s'", r->m->name);
	if (change.is_nothing) { /* what a rule looks for and what its remedy makes are not the same */
		output_note("holdfast: note: what the remedies would enter on '%s' is there already; see: holdfast policy findings %s",
			    r->m->name, r->m->name);
		f->by_hand += r->device->rule_count;
		drop_rules(r->device);
		return 0;
	}
	result = making_put_change(&f->orders, making_add(&f->orders, r->m, &r->base), r->base.device, &change, err);
	if (result < 0)
		return result;
	f->count++;
	return show_diff(buf_bytes(&change.diff), STDERR_FILENO, err);
}

/* Why nothing can be done about a device; NULL: something can. */
static const char *take_policy(struct repair *r)
{
	if (!r->set.is_there)
		return "no policies were published for it";
	r->policy = policy_set_pack(&r->set.set, r->f->wish->name.pack);
	if (!r->policy)
		return "the pack is not among its policies";
	return *r->f->wish->name.rule && !policy_rule(r->policy, r->f->wish->name.rule) ? "its pack has no such rule" : NULL;
}

static int fix_one(struct fixing *f, const struct fleet_member *m, struct error *err)
{
	_cleanup_(repair_done) struct repair r = {
		.f = f, .m = m, .device = &f->devices[f->count], .variables = { .plan = &f->wish->plan, .member = m} };
	const char *why = plan_obstacle(m, clock_now_s());
	int result = why ? 0 : device_set_get(&r.set, &f->source, m, err);

	if (result < 0)
		return result;
	why = why ? why : take_policy(&r);
	if (why) {
		output_note("holdfast: '%s' is left out: %s", m->name[0] ? m->name : m->id, why);
		return 0;
	}
	f->looked_at++;
	result = making_open(&r.base, &f->orders, m, 0, err);
	if (result == 0)
		result = judge(&r, err);
	if (result < 0)
		return result;
	r.device->base = opened_number(&r.base);
	r.device->policy = r.set.order;
	memcpy(r.device->id, m->id, sizeof(r.device->id));
	memcpy(r.device->name, m->name, sizeof(r.device->name));
	result = put_rules(&r, err);
	return result == 0 ? put_order(&r, err) : result;
}

/* ---- all of them ---- */

int fixing_plan(struct fixing *f, struct cli *cli, const char *const selectors[], size_t count, struct error *err)
{
	struct progress progress = { .what = "planned" };
	struct fleet_list *list = &f->orders.list;
	int r = making_begin(&f->orders, cli, ORDER_APPLY, err);

	if (r == 0)
		r = fleet_list_select(list, selectors, count, err);
	if (r == 0)
		r = fleet_source(&f->source, cli, err);
	if (r == 0)
		f->devices = mem_alloc((list->count + 1) * sizeof(*f->devices));
	for (size_t i = 0; i < list->count && r == 0; i++) {
		r = fix_one(f, &list->members[i], err);
		opener_forget(f->orders.opener);
		progress_show(&progress, i + 1, list->count);
	}
	progress_end(&progress);
	return r;
}

void fixing_done(struct fixing *f)
{
	making_done(&f->orders);
	for (size_t i = 0; f->devices && i <= f->count; i++) /* one more, which came to nothing */
		drop_rules(&f->devices[i]);
	free(f->devices);
	*f = (struct fixing){ 0 };
}
