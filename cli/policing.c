/* cli/policing.c -- packs of rules on the operator's machine. */
#include "cli/policing.h"

#include "base/fs.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/remedy.h"
#include "cli/show.h"

#include <stdlib.h>
#include <string.h>

static bool is_path(const char *pack)
{
	size_t len = strlen(pack);

	return strchr(pack, '/') || (len > 5 && !strcmp(pack + len - 5, ".yaml"));
}

int policing_read_file(struct buf *out, const char *path, size_t max, struct error *err)
{
	int r = fs_read(out, path, max, err);

	if (r == FS_ABSENT)
		return error_set(err, CLI_ABSENT, "no file '%s'", path);
	return r == E_LIMIT ? error_set(err, E_LIMIT, "%s:1:1: more than %zu bytes", path, max) : r;
}

int policing_read(struct policy **out, char **path, const char *pack, struct error *err)
{
	_cleanup_(mem_freep) char *file = is_path(pack) ? mem_strdup(pack) : mem_printf("%s/%s.yaml", HOLDFAST_PACKS, pack);
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = policing_read_file(&text, file, POLICY_BYTES_MAX, err);

	if (r == 0)
		r = policy_read(out, file, buf_bytes(&text), err);
	if (r == 0)
		*path = steal(file);
	return r;
}

/* ---- verdicts ---- */

void policed_done(struct policed *p)
{
	free(p->revision);
	free(p->device);
	free(p->failed);
	free(p->verdicts);
	*p = (struct policed){ 0 };
}

void policed_take(struct policed *out, const char *device, const char *revision, const struct report *report)
{
	*out = (struct policed){ .device = mem_strdup(device), .revision = mem_strdup(revision), .rules = report->count,
				 .verdicts = mem_alloc(report->count + 1) };
	for (size_t i = 0; i < report->count; i++)
		out->verdicts[i] = (uint8_t)report->rulings[i].verdict;
	memcpy(out->counts, report->counts, sizeof(out->counts));
}

static const char *fact(const struct opened *opened, const char *key)
{
	const char *text = statement_get(opened->st, key);

	return text ? text : statement_get(opened->device->enrol, key);
}

void policing_judge(struct policed *out, struct report *report, const struct policy *policy, const struct opened *opened)
{
	const struct policy_facts facts = { .driver = statement_get(opened->device->enrol, "driver"), .model = fact(opened, "model"),
					    .firmware = fact(opened, "firmware") };
	_cleanup_(tree_done) struct tree tree = { 0 };
	struct error why = { 0 };
	char revision[96];
	bool is_read = tree_read(&tree, facts.driver, buf_bytes(&opened->running), &why) == 0;

	show_revision(revision, opened);
	policy_evaluate(report, policy, is_read ? &tree : NULL, why.text, &facts, &policy_limits_operator);
	policed_take(out, opened->device->name, revision, report);
}

void policing_give_up(struct policed *out, struct report *report, const struct policy *policy, const char *device, const char *driver,
		      const char *why_not)
{
	const struct policy_facts facts = { .driver = driver && *driver ? driver : NULL };

	policy_evaluate(report, policy, NULL, why_not, &facts, &policy_limits_operator);
	policed_take(out, device, device, report);
}

char *policing_text(const char *text)
{
	static const char dots[] = "••••••••";
	_cleanup_(buf_done) struct buf clean = { 0 };
	struct buf out = { 0 };
	const char *at, *next;

	output_clean(&clean, bytes_str(text), false);
	for (at = buf_text(&clean); (next = strstr(at, TREE_SECRET)); at = next + strlen(TREE_SECRET)) {
		buf_add(&out, at, (size_t)(next - at));
		buf_add_str(&out, dots);
	}
	buf_add_str(&out, at);
	return buf_steal_text(&out);
}

/* ---- the plan ---- */

static bool can_plan(const struct rule *rule, const char *driver)
{
	_cleanup_(buf_done) struct buf ignored = { 0 };

	for (size_t i = 0; i < rule->remedy_count; i++)
		if (!remedy_put(&ignored, &rule->remedy[i], driver))
			return false;
	return rule->remedy_count > 0;
}

/* As YAML wants a block of text. */
static void add_remedy(struct buf *out, const struct remedy *remedy, const char *driver)
{
	_cleanup_(buf_done) struct buf lines = { 0 };
	struct bytes rest, line;

	if (!remedy_put(&lines, remedy, driver))
		return;
	for (rest = buf_bytes(&lines); bytes_next_line(&rest, &line);)
		buf_addf(out, "  %.*s\n", (int)line.len, (const char *)line.ptr);
}

static bool fails(const struct policed *device, size_t rule)
{
	return device->verdicts[rule] == VERDICT_FAIL;
}

static bool anybody_fails(const struct policed *devices, size_t count, size_t rule)
{
	for (size_t i = 0; i < count; i++)
		if (fails(&devices[i], rule))
			return true;
	return false;
}

static void add_devices(struct buf *out, const struct policed *devices, size_t count, size_t rule)
{
	bool is_first = true;

	for (size_t i = 0; i < count; i++) {
		if (!fails(&devices[i], rule))
			continue;
		buf_addf(out, "%s%s", is_first ? "" : " ", devices[i].device);
		is_first = false;
	}
}

static bool is_target(const struct policy *policy, const struct policed *device)
{
	for (size_t i = 0; i < policy->count; i++)
		if (fails(device, i) && can_plan(&policy->rules[i], policy->driver))
			return true;
	return false;
}

static void add_head(struct buf *out, const struct policy *policy, const struct policed *devices, size_t count)
{
	bool is_first = true;

	buf_addf(out, "reason: what fails of the policy %s\ntargets: [", policy->name);
	for (size_t i = 0; i < count; i++) {
		if (!is_target(policy, &devices[i]))
			continue;
		buf_addf(out, "%s\"%s\"", is_first ? "" : ", ", devices[i].device);
		is_first = false;
	}
	buf_add_str(out, "]\nmode: lines\nvariables:\n");
}

size_t policing_plan(struct buf *out, size_t *by_hand, const struct policy *policy, const struct policed *devices, size_t count)
{
	_cleanup_(buf_done) struct buf lines = { 0 }, variables = { 0 };
	size_t in_it = 0;

	*by_hand = 0;
	for (size_t i = 0; i < policy->count; i++) {
		const struct rule *rule = &policy->rules[i];

		if (!anybody_fails(devices, count, i))
			continue;
		if (!can_plan(rule, policy->driver)) {
			++*by_hand;
			continue;
		}
		in_it++;
		buf_addf(&variables, "  - {name: %s}\n  - {name: %s, values: [\"yes\"], for: \"", rule->id, rule->id);
		add_devices(&variables, devices, count, i);
		buf_add_str(&variables, "\"}\n");
		buf_addf(&lines, "  {{#%s}}\n", rule->id);
		for (size_t k = 0; k < rule->remedy_count; k++)
			add_remedy(&lines, &rule->remedy[k], policy->driver);
		buf_addf(&lines, "  {{/%s}}\n", rule->id);
	}
	if (!in_it)
		return 0;
	add_head(out, policy, devices, count);
	buf_add_bytes(out, buf_bytes(&variables));
	buf_add_str(out, "inline: |2\n");
	buf_add_bytes(out, buf_bytes(&lines));
	return in_it;
}
