/* cli/cmd-policy-check.c -- holdfast policy check: the rules of a pack against archived configurations, opened on this machine. */
#include "cli/commands.h"

#include "base/clock.h"
#include "base/plural.h"
#include "cli/output.h"
#include "cli/policed-show.h"
#include "cli/sweep.h"

#include <stdlib.h>
#include <string.h>

enum check_as { AS_LINES, AS_SUMMARY, AS_JSON, AS_PLAN };

struct checking {
	const struct policy *policy;
	enum check_as as;
	struct sweep_item *items;
	size_t count;
	struct policed *devices;  /* of a plan only */
	struct policed_lines lines;
	size_t *by_rule; /* VERDICTS for each */
	size_t counts[VERDICTS];
	size_t none;           /* that had no snapshot then */
	struct buf not_looked; /* a line for each that could not be looked at, said when no progress is in the way */
};

static void checking_done(struct checking *c)
{
	for (size_t i = 0; c->devices && i < c->count; i++)
		policed_done(&c->devices[i]);
	free(c->devices);
	free(c->items);
	free(c->by_rule);
	buf_done(&c->not_looked);
	policed_lines_done(&c->lines);
}

/* ---- what is asked for ---- */

/* The terms without what stands behind an '@'. */
struct asked {
	char *copies[ARGS_MAX];
	const char *terms[ARGS_MAX];
	size_t count, revisions;
	int64_t at_s; /* 0: now */
};

static void asked_done(struct asked *a)
{
	for (size_t i = 0; i < a->count; i++)
		free(a->copies[i]);
}

/* A day is meant with all of it: what was in force at its end. */
static bool parse_moment(int64_t *out, const char *text)
{
	_cleanup_(mem_freep) char *whole = mem_printf("%.20sT23:59:59Z", text);

	return clock_parse(out, bytes_str(text)) || (strlen(text) == 10 && clock_parse(out, bytes_str(whole)));
}

static int take_term(struct asked *a, const char *text, struct error *err)
{
	const char *at = strchr(text, '@');
	int64_t at_s = 0;

	if (at && (!strcmp(at + 1, "newest") || strspn(at + 1, "0123456789") == strlen(at + 1))) {
		a->revisions++;
		at = NULL;
	} else if (at && !parse_moment(&at_s, at + 1)) {
		return error_set(err, CLI_USAGE, "'%.40s' is no revision and no time; write @7, @2026-03-01 or @2026-03-01T08:00:00Z",
				 at + 1);
	}
	if (at && a->at_s && a->at_s != at_s)
		return error_set(err, CLI_USAGE, "one time at once: the selectors have several");
	a->at_s = at ? at_s : a->at_s;
	a->terms[a->count] = a->copies[a->count] = at ? mem_printf("%.*s", (int)(at - text), text) : mem_strdup(text);
	a->count++;
	if (at && at == text)
		return error_set(err, CLI_USAGE, "'%.40s' means no device; for all write '*%.40s'", text, text);
	return 0;
}

static int take_terms(struct asked *a, const struct args *args, struct error *err)
{
	for (size_t i = 1; i < args->count; i++)
		if (take_term(a, args->value[i], err) < 0)
			return err->code;
	if (a->revisions && a->revisions != a->count)
		return error_set(err, CLI_USAGE, "selectors, or revisions as DEVICE@NUMBER, and not both");
	return 0;
}

static int find_revisions(struct checking *c, const struct fleet_list *list, const struct asked *a, struct error *err)
{
	for (size_t i = 0; i < a->count; i++) {
		struct sweep_item *item = &c->items[c->count];
		struct revision_ref ref;

		if (select_revision(&ref, a->terms[i], err) < 0)
			return err->code = CLI_USAGE;
		if (fleet_find(&item->member, list, ref.device, err) < 0)
			return err->code;
		item->number = ref.number;
		c->count++;
	}
	return 0;
}

static int find_selected(struct checking *c, struct cli *cli, struct fleet_list *list, const struct asked *a, struct error *err)
{
	_cleanup_(mem_freep) uint64_t *numbers = NULL;
	int r = fleet_list_select(list, a->terms, a->count, err);

	if (r < 0)
		return r;
	numbers = mem_alloc((list->count + 1) * sizeof(*numbers));
	if (a->at_s && fleet_at(numbers, cli, list, a->at_s, err) < 0)
		return err->code;
	for (; c->count < list->count; c->count++)
		c->items[c->count] = (struct sweep_item){ .member = &list->members[c->count], .number = numbers[c->count],
							  .is_none = a->at_s && !numbers[c->count], .not_after_s = a->at_s };
	return 0;
}

/* ---- a worker ---- */

struct made {
	struct policed device;
	struct policed_lines lines;
	struct buf json;
};

static void made_free(void *ptr)
{
	struct made *made = ptr;

	policed_done(&made->device);
	policed_lines_done(&made->lines);
	buf_done(&made->json);
	free(made);
}

static void *make(void *ctx, const struct sweep_item *item, const struct opened *opened, const struct error *why)
{
	const struct checking *c = ctx;
	const struct fleet_member *m = item->member;
	_cleanup_(report_done) struct report report = { 0 };
	struct made *made = mem_alloc(sizeof(*made));

	if (opened)
		policing_judge(&made->device, &report, c->policy, opened);
	else
		policing_give_up(&made->device, &report, c->policy, *m->name ? m->name : m->id, m->driver,
				 why ? "it could not be opened" : "no snapshot then");
	if (why) {
		made->device.failed = mem_strdup(why->text);
		made->device.code = why->code;
	}
	if (c->as == AS_LINES)
		policed_lines_of(&made->lines, &made->device, &report);
	if (c->as == AS_JSON)
		policed_json(&made->json, &made->device, &report);
	return made;
}

/* ---- what comes of it ---- */

static void count(struct checking *c, const struct policed *device)
{
	for (size_t i = 0; i < VERDICTS; i++)
		c->counts[i] += device->counts[i];
	for (size_t i = 0; i < device->rules; i++)
		c->by_rule[i * VERDICTS + device->verdicts[i]]++;
}

static int take(void *ctx, size_t i, void *ptr, struct error *err)
{
	struct checking *c = ctx;
	struct made *made = ptr;
	int r = c->as == AS_JSON ? output_raw(buf_bytes(&made->json), err) : 0;

	count(c, &made->device);
	c->none += c->items[i].is_none;
	if (made->device.failed)
		buf_addf(&c->not_looked, "holdfast: warning: '%s' could not be looked at: %s\n", made->device.device, made->device.failed);
	policed_lines_move(&c->lines, &made->lines, (uint32_t)i);
	if (c->as == AS_PLAN) {
		c->devices[i] = made->device;
		made->device = (struct policed){ 0 };
	}
	made_free(made);
	return r;
}

/* A revision that was named must be there. */
static int take_revision(void *ctx, size_t i, void *ptr, struct error *err)
{
	struct made *made = ptr;
	int r = made->device.failed ? error_set(err, made->device.code, "%s", made->device.failed) : 0;

	if (r == 0)
		return take(ctx, i, ptr, err);
	made_free(made);
	return r;
}

static int check_all(struct checking *c, struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(asked_done) struct asked asked = { 0 };
	struct sweep sweep = { .cli = cli, .ctx = c, .make = make, .take = take, .drop = made_free };
	int r = take_terms(&asked, args, err);

	if (r == 0)
		r = fleet_list_get(&list, cli, err);
	if (r < 0)
		return r;
	c->items = mem_alloc((list.count + asked.count + 1) * sizeof(*c->items));
	r = asked.revisions ? find_revisions(c, &list, &asked, err) : find_selected(c, cli, &list, &asked, err);
	if (r < 0)
		return r;
	sweep.take = asked.revisions ? take_revision : take;
	sweep.items = c->items;
	sweep.count = c->count;
	if (c->as == AS_PLAN)
		c->devices = mem_alloc((c->count + 1) * sizeof(*c->devices));
	return sweep_run(&sweep, err);
}

/* ---- showing ---- */

static void note_counts(const struct checking *c)
{
	struct bytes rest = buf_bytes(&c->not_looked), line;

	while (bytes_next_line(&rest, &line))
		output_note("%.*s", (int)line.len, (const char *)line.ptr);
	output_note("%zu %s, %zu %s: %zu pass, %zu fail, %zu unknown, %zu not applicable", c->count, plural(c->count, "device", "devices"),
		    c->policy->count, plural(c->policy->count, "rule", "rules"), c->counts[VERDICT_PASS], c->counts[VERDICT_FAIL],
		    c->counts[VERDICT_UNKNOWN], c->counts[VERDICT_NOT_APPLICABLE]);
	if (c->none)
		output_note("holdfast: note: of %zu of them the archive has no snapshot until then", c->none);
}

static int print_plan(const struct checking *c, struct error *err)
{
	_cleanup_(buf_done) struct buf plan = { 0 };
	size_t by_hand, in_it = policing_plan(&plan, &by_hand, c->policy, c->devices, c->count);

	if (by_hand)
		output_note("holdfast: note: %zu %s cannot be put right by a plan; see: holdfast policy show", by_hand,
			    plural(by_hand, "rule that fails", "rules that fail"));
	return in_it ? output_raw(buf_bytes(&plan), err) : 0;
}

static int print_summary(const struct checking *c, bool json, struct error *err)
{
	return json ? policed_summary_json(c->policy, c->by_rule, c->counts, c->count, err) :
		      policed_summary_print(c->policy, c->by_rule, err);
}

static int print(struct checking *c, bool json, struct error *err)
{
	int r = 0;

	switch (c->as) {
	case AS_LINES:
		r = policed_lines_print(&c->lines, c->policy, err);
		break;
	case AS_SUMMARY:
		r = print_summary(c, json, err);
		break;
	case AS_JSON: /* was printed as it came */
		break;
	case AS_PLAN:
		r = print_plan(c, err);
		break;
	}
	if (r < 0)
		return r;
	note_counts(c);
	if (c->not_looked.len)
		return EXIT_PARTIAL;
	return c->counts[VERDICT_FAIL] || c->counts[VERDICT_UNKNOWN] ? EXIT_FINDING : EXIT_DONE;
}

int cmd_policy_check(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(checking_done) struct checking c = { 0 };
	_cleanup_(policy_freep) struct policy *policy = NULL;
	_cleanup_(mem_freep) char *path = NULL;
	int r = policing_read(&policy, &path, args->value[0], err);

	c.as = args_has(args, "fix-plan") ? AS_PLAN : args_has(args, "summary") ? AS_SUMMARY : cli->json ? AS_JSON : AS_LINES;
	if (r == 0 && c.as == AS_PLAN && !strcmp(policy->driver, "files"))
		return error_set(err, CLI_USAGE, "files are changed whole, and not by lines: see the remedies with holdfast policy show");
	if (r < 0)
		return r;
	c.policy = policy;
	c.by_rule = mem_alloc((policy->count + 1) * VERDICTS * sizeof(*c.by_rule));
	r = check_all(&c, cli, args, err);
	return r < 0 ? r : print(&c, cli->json, err);
}
