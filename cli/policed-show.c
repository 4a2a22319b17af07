/* cli/policed-show.c -- how the verdicts about many devices are shown. */
#include "cli/policed-show.h"

#include "base/plural.h"
#include "cli/output.h"
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- lines ---- */

static char *cell(const char *text)
{
	_cleanup_(mem_freep) char *cut =
		strnlen(text, POLICED_CELL_MAX + 1) > POLICED_CELL_MAX ? mem_printf("%.*s...", POLICED_CELL_MAX, text) : NULL;

	return policing_text(cut ? cut : text);
}

static char *where_of(const struct finding *finding)
{
	_cleanup_(mem_freep) char *path = finding ? cell(finding->path) : NULL;

	if (!path)
		return mem_strdup("");
	return finding->line ? mem_printf("%s:%u", path, finding->line) : mem_strdup(path);
}

/* What was found first; of what cannot be told also why. */
static char *what_of(const struct ruling *r)
{
	_cleanup_(mem_freep) char *both = r->count && *r->why ? mem_printf("%s: %s", r->why, r->findings[0].text) : NULL;

	return cell(both ? both : r->count ? r->findings[0].text : r->why);
}

void policed_lines_of(struct policed_lines *out, const struct policed *device, const struct report *report)
{
	*out = (struct policed_lines){ .at = mem_alloc((report->counts[VERDICT_FAIL] + report->counts[VERDICT_UNKNOWN] + 1) *
						       sizeof(*out->at)) };
	for (size_t i = 0; i < report->count; i++) {
		const struct ruling *r = &report->rulings[i];

		if (r->verdict == VERDICT_FAIL || r->verdict == VERDICT_UNKNOWN)
			out->at[out->count++] = (struct policed_line){ .rule = (uint32_t)i,
								       .verdict = r->verdict,
								       .revision = mem_strdup(device->revision),
								       .where = where_of(r->count ? &r->findings[0] : NULL),
								       .what = what_of(r) };
	}
}

static void line_done(struct policed_line *line)
{
	free(line->revision);
	free(line->where);
	free(line->what);
}

void policed_lines_move(struct policed_lines *to, struct policed_lines *from, uint32_t device)
{
	size_t room = POLICED_LINES_MAX - to->count, count = from->count < room ? from->count : room;

	if (count)
		to->at = mem_grow(to->at, (to->count + count) * sizeof(*to->at));
	for (size_t i = 0; i < from->count; i++) {
		from->at[i].device = device;
		if (i < count)
			to->at[to->count++] = from->at[i];
		else
			line_done(&from->at[i]);
	}
	to->left_out += from->count - count;
	free(from->at);
	*from = (struct policed_lines){ 0 };
}

void policed_lines_done(struct policed_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		line_done(&lines->at[i]);
	free(lines->at);
	*lines = (struct policed_lines){ 0 };
}

static int by_rule(const void *a, const void *b)
{
	const struct policed_line *x = a, *y = b;

	return x->rule != y->rule ? (x->rule > y->rule) - (x->rule < y->rule) : (x->device > y->device) - (x->device < y->device);
}

int policed_lines_print(struct policed_lines *lines, const struct policy *policy, struct error *err)
{
	static const char *const heads[] = { "RULE", "LEVEL", "SEVERITY", "VERDICT", "REVISION", "WHERE", "WHAT" };
	_cleanup_(table_done) struct table table;
	int r;

	if (!lines->count)
		return 0;
	qsort(lines->at, lines->count, sizeof(*lines->at), by_rule);
	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < lines->count; i++) {
		const struct policed_line *l = &lines->at[i];
		const struct rule *rule = &policy->rules[l->rule];

		table_add(&table, (const char *const[]){ rule->id, policy_level_name(rule->level), policy_severity_name(rule->severity),
							verdict_name(l->verdict), l->revision, l->where, l->what });
	}
	r = table_print(&table, err);
	if (lines->left_out)
		output_note("holdfast: note: %zu more %s not shown; see --summary, or --json", lines->left_out,
			    plural(lines->left_out, "line is", "lines are"));
	return r;
}

/* ---- JSON ---- */

static json_t *masked(const char *text)
{
	_cleanup_(mem_freep) char *shown = policing_text(text);

	return show_text(bytes_str(shown));
}

static json_t *ruling_json(const struct policed *device, const struct ruling *r)
{
	json_t *found = json_array(),
	       *json = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "kind", "policy-check", "api-version", 1, "device",
				 device->device, "revision", device->revision, "rule", r->rule->id, "level",
				 policy_level_name(r->rule->level), "severity", policy_severity_name(r->rule->severity), "verdict",
				 verdict_name(r->verdict), "findings", found);

	show_put_text(json, "why", r->why);
	if (device->failed)
		json_object_set_new(json, "error", masked(device->failed));
	for (size_t i = 0; i < r->count; i++)
		json_array_append_new(found, json_pack("{s:o, s:I, s:o}", "path", masked(r->findings[i].path), "line",
						       (json_int_t)r->findings[i].line, "text", masked(r->findings[i].text)));
	if (r->more)
		json_object_set_new(json, "more", json_integer((json_int_t)r->more));
	return json;
}

void policed_json(struct buf *out, const struct policed *device, const struct report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		json_t *json = ruling_json(device, &report->rulings[i]);
		char *text = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);

		buf_add_str(out, text);
		buf_add_char(out, '\n');
		free(text);
		json_decref(json);
	}
}

/* ---- the summary ---- */

int policed_summary_print(const struct policy *policy, const size_t *counts, struct error *err)
{
	static const char *const heads[] = { "RULE", "LEVEL", "SEVERITY", "PASS", "FAIL", "UNKNOWN", "NOT-APPLICABLE" };
	_cleanup_(table_done) struct table table;

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < policy->count; i++) {
		const struct rule *rule = &policy->rules[i];
		char number[VERDICTS][24];

		for (size_t k = 0; k < VERDICTS; k++)
			snprintf(number[k], sizeof(number[k]), "%zu", counts[i * VERDICTS + k]);
		table_add(&table, (const char *const[]){ rule->id, policy_level_name(rule->level), policy_severity_name(rule->severity),
							number[VERDICT_PASS], number[VERDICT_FAIL], number[VERDICT_UNKNOWN],
							number[VERDICT_NOT_APPLICABLE] });
	}
	return table_print(&table, err);
}

static json_t *counts_json(const size_t counts[static VERDICTS])
{
	json_t *json = json_object();

	for (size_t i = 0; i < VERDICTS; i++)
		json_object_set_new(json, verdict_name((enum verdict)i), json_integer((json_int_t)counts[i]));
	return json;
}

int policed_summary_json(const struct policy *policy, const size_t *counts, const size_t all[static VERDICTS], size_t devices,
			 struct error *err)
{
	json_t *rules = json_array();

	for (size_t i = 0; i < policy->count; i++) {
		const struct rule *rule = &policy->rules[i];

		json_array_append_new(rules, json_pack("{s:s, s:s, s:s, s:o}", "rule", rule->id, "level", policy_level_name(rule->level),
						       "severity", policy_severity_name(rule->severity), "counts",
						       counts_json(&counts[i * VERDICTS])));
	}
	return output_json("policy-summary",
			   json_pack("{s:s, s:I, s:o, s:o}", "pack", policy->name, "devices", (json_int_t)devices, "counts",
				     counts_json(all), "rules", rules),
			   err);
}
