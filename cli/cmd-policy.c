/* cli/cmd-policy.c -- holdfast policy lint, test, show: packs of rules, without a fleet. */
#include "cli/commands.h"

#include "base/plural.h"
#include "cli/output.h"
#include "cli/policing.h"
#include "cli/show.h"
#include "policies/examples.h"

#include <stdio.h>
#include <string.h>

/* ---- lint ---- */

/* What is wrong with a file is the answer, and no failure. */
static int lint_one(json_t *files, const char *path, bool json, bool *is_bad, struct error *err)
{
	_cleanup_(policy_freep) struct policy *policy = NULL;
	_cleanup_(mem_freep) char *file = NULL, *text = NULL;
	_cleanup_(buf_done) struct buf out = { 0 };
	_cleanup_(mem_freep) char *there = strchr(path, '/') ? mem_strdup(path) : mem_printf("./%s", path);
	json_t *one = json_pack("{s:s}", "file", path);
	int r = policing_read(&policy, &file, there, err);

	json_array_append_new(files, one);
	if (r < 0 && r != E_FORMAT && r != E_LIMIT)
		return r;
	*is_bad |= r < 0;
	json_object_set_new(one, "ok", json_boolean(r == 0));
	if (r == 0) {
		json_object_set_new(one, "pack", json_string(policy->name));
		json_object_set_new(one, "rules", json_integer((json_int_t)policy->count));
		buf_addf(&out, "%s: ok, %zu %s\n", path, policy->count, plural(policy->count, "rule", "rules"));
	} else {
		text = policing_text(err->text);
		json_object_set_new(one, "error", show_text(bytes_str(text)));
		buf_addf(&out, "%s\n", strncmp(text, "./", 2) || !strncmp(path, "./", 2) ? text : text + 2);
	}
	return json ? 0 : output_raw(buf_bytes(&out), err);
}

int cmd_policy_lint(struct cli *cli, const struct args *args, struct error *err)
{
	json_t *files = json_array();
	bool is_bad = false;
	int r = 0;

	for (size_t i = 0; i < args->count && r == 0; i++)
		r = lint_one(files, args->value[i], cli->json, &is_bad, err);
	if (r == 0 && cli->json)
		r = output_json("policy-lint", json_pack("{s:O}", "files", files), err);
	json_decref(files);
	return r < 0 ? r : is_bad ? EXIT_FINDING : EXIT_DONE;
}

/* ---- test ---- */

/* "packs/weos.yaml" has "packs/weos.examples.yaml" beside it. */
static char *examples_path(const char *path)
{
	size_t len = strlen(path);

	return len > 5 && !strcmp(path + len - 5, ".yaml") ? mem_printf("%.*s.examples.yaml", (int)(len - 5), path) :
							     mem_printf("%s.examples", path);
}

static json_t *faults_json(const struct examples_report *report)
{
	json_t *all = json_array();

	for (size_t i = 0; i < report->count; i++) {
		json_t *one = json_pack("{s:s, s:o}", "rule", report->faults[i].rule, "text", show_text(bytes_str(report->faults[i].text)));

		if (report->faults[i].line)
			json_object_set_new(one, "line", json_integer(report->faults[i].line));
		json_array_append_new(all, one);
	}
	return all;
}

static int print_faults(const struct examples_report *report, const char *path, struct error *err)
{
	_cleanup_(buf_done) struct buf out = { 0 };

	for (size_t i = 0; i < report->count; i++) {
		const struct example_fault *fault = &report->faults[i];
		_cleanup_(mem_freep) char *text = policing_text(fault->text);

		buf_add_str(&out, path);
		if (fault->line)
			buf_addf(&out, ":%u", fault->line);
		buf_addf(&out, ": '%s': %s\n", fault->rule, text);
	}
	if (!report->count)
		buf_addf(&out, "%s: %zu %s, %zu %s, all as they should be\n", path, report->examples,
			 plural(report->examples, "example", "examples"), report->judged, plural(report->judged, "verdict", "verdicts"));
	return output_raw(buf_bytes(&out), err);
}

int cmd_policy_test(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(policy_freep) struct policy *policy = NULL;
	_cleanup_(mem_freep) char *path = NULL, *beside = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(examples_done) struct examples_report report = { 0 };
	int r = policing_read(&policy, &path, args->value[0], err);

	if (r < 0)
		return r;
	beside = examples_path(path);
	r = policing_read_file(&text, beside, EXAMPLES_BYTES_MAX, err);
	if (r == 0)
		r = examples_run(&report, policy, beside, buf_bytes(&text), err);
	if (r == 0)
		r = cli->json ? output_json("policy-test",
					    json_pack("{s:s, s:I, s:I, s:o}", "pack", policy->name, "examples", (json_int_t)report.examples,
						      "verdicts", (json_int_t)report.judged, "faults", faults_json(&report)),
					    err) :
				print_faults(&report, beside, err);
	return r < 0 ? r : report.count ? EXIT_FINDING : EXIT_DONE;
}

/* ---- show ---- */

static json_t *texts_json(char *const *list, size_t count)
{
	json_t *all = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(all, json_string(list[i]));
	return all;
}

static json_t *remedy_json(const struct rule *rule)
{
	json_t *all = json_array();

	for (size_t i = 0; i < rule->remedy_count; i++)
		json_array_append_new(all, json_pack("{s:s, s:o}", "context", rule->remedy[i].context, "lines",
						     texts_json(rule->remedy[i].lines, rule->remedy[i].line_count)));
	return all;
}

static json_t *rule_json(const struct rule *rule)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "id", rule->id, "title", rule->title, "level",
				 policy_level_name(rule->level), "severity", policy_severity_name(rule->severity), "context",
				 rule->context.text, "requires", texts_json(rule->requires, rule->require_count), "reference",
				 texts_json(rule->references, rule->reference_count), "remedy", remedy_json(rule));

	show_put_text(json, "rationale", rule->rationale ? rule->rationale : "");
	return json;
}

static int show_rules_json(const struct policy *policy, const struct rule *only, struct error *err)
{
	json_t *rules = json_array();

	for (size_t i = 0; i < policy->count; i++)
		if (!only || only == &policy->rules[i])
			json_array_append_new(rules, rule_json(&policy->rules[i]));
	return output_json(
		"policy",
		json_pack("{s:s, s:s, s:s, s:o}", "pack", policy->name, "title", policy->title, "driver", policy->driver, "rules", rules),
		err);
}

static int show_table(const struct policy *policy, struct error *err)
{
	static const char *const heads[] = { "RULE", "LEVEL", "SEVERITY", "TITLE" };
	_cleanup_(table_done) struct table table;

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < policy->count; i++) {
		const struct rule *rule = &policy->rules[i];

		table_add(&table, (const char *const[]){ rule->id, policy_level_name(rule->level), policy_severity_name(rule->severity),
							 rule->title });
	}
	return table_print(&table, err);
}

static void add_list(struct buf *out, const char *name, char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_addf(out, "%s%s", i ? ", " : name, list[i]);
	if (count)
		buf_add_char(out, '\n');
}

static int show_rule(const struct rule *rule, struct error *err)
{
	_cleanup_(buf_done) struct buf out = { 0 }, clean = { 0 };

	buf_addf(&out, "%s: %s\n%s, %s\ncontext: %s\n", rule->id, rule->title, policy_level_name(rule->level),
		 policy_severity_name(rule->severity), rule->context.text);
	add_list(&out, "requires: ", rule->requires, rule->require_count);
	add_list(&out, "reference: ", rule->references, rule->reference_count);
	if (rule->rationale)
		buf_addf(&out, "\n%s\n", rule->rationale);
	for (size_t i = 0; i < rule->remedy_count; i++) {
		buf_addf(&out, "\nin %s:\n", rule->remedy[i].context);
		for (size_t k = 0; k < rule->remedy[i].line_count; k++)
			buf_addf(&out, "    %s\n", rule->remedy[i].lines[k]);
	}
	output_clean(&clean, buf_bytes(&out), true);
	return output_raw(buf_bytes(&clean), err);
}

int cmd_policy_show(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(policy_freep) struct policy *policy = NULL;
	_cleanup_(mem_freep) char *path = NULL;
	const struct rule *rule = NULL;
	int r = policing_read(&policy, &path, args->value[0], err);

	if (r < 0)
		return r;
	if (args->count > 1 && !(rule = policy_rule(policy, args->value[1])))
		return error_set(err, CLI_ABSENT, "'%s' has no rule '%.64s'", policy->name, args->value[1]);
	if (cli->json)
		return show_rules_json(policy, rule, err);
	return rule ? show_rule(rule, err) : show_table(policy, err);
}
