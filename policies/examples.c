/* policies/examples.c -- configurations that a pack is tried on. */
#include "policies/examples.h"

#include "base/document.h"

#include <stdlib.h>
#include <string.h>

struct run {
	const struct document *doc;
	const struct policy *policy;
	struct examples_report *out;
	struct error *err;
	uint8_t *seen; /* per rule: bit 0 that it was to pass, bit 1 that it was to fail */
};

typedef const struct document_node *node_ptr;

static void add_fault(struct run *run, unsigned line, const char *rule, char *text)
{
	run->out->faults = mem_grow(run->out->faults, (run->out->count + 1) * sizeof(*run->out->faults));
	run->out->faults[run->out->count++] = (struct example_fault){ .line = line, .rule = rule, .text = text };
}

static int check_example(struct run *run, node_ptr node)
{
	static const char *const keys[] = { "rules", "verdict", "model", "firmware", "config" };

	if (node->kind != DOCUMENT_MAP)
		return document_error(run->err, run->doc, node, "an example is a map: rules, verdict, config");
	for (node_ptr n = document_first(run->doc, node); n; n = document_next(run->doc, n)) {
		size_t i = 0;

		while (i < ARRAY_SIZE(keys) && strcmp(keys[i], n->key) != 0)
			i++;
		if (i == ARRAY_SIZE(keys))
			return document_key_error(run->err, run->doc, n, "unknown key '%.60s'", n->key);
		if (i && n->kind != DOCUMENT_TEXT)
			return document_error(run->err, run->doc, n, "a text belongs here");
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (i != 2 && i != 3 && !document_get(run->doc, node, keys[i]))
			return document_error(run->err, run->doc, node, "'%s' is missing", keys[i]);
	return 0;
}

static int take_verdict(enum verdict *out, struct run *run, node_ptr node)
{
	for (unsigned i = 0; i < VERDICTS; i++)
		if (!strcmp(verdict_name((enum verdict)i), node->text)) {
			*out = (enum verdict)i;
			return 0;
		}
	return document_error(run->err, run->doc, node, "'%.60s' is no verdict; there is pass, fail, unknown and not-applicable",
			      node->text);
}

static void compare(struct run *run, const struct ruling *ruling, enum verdict wanted, unsigned line)
{
	size_t rule = (size_t)(ruling->rule - run->policy->rules);

	run->out->judged++;
	if (wanted == VERDICT_PASS || wanted == VERDICT_FAIL)
		run->seen[rule] |= (uint8_t)(1 << wanted);
	if (ruling->verdict == wanted)
		return;
	add_fault(run, line, ruling->rule->id,
		  mem_printf("it should be '%s' and is '%s'%s%s%s%s", verdict_name(wanted), verdict_name(ruling->verdict),
			     *ruling->why ? ": " : "", ruling->why, ruling->count ? ": " : "",
			     ruling->count ? ruling->findings[0].text : ""));
}

/* Of all rules, or of those that are named. */
static int judge(struct run *run, const struct report *report, node_ptr rules, enum verdict wanted)
{
	if (rules->kind == DOCUMENT_TEXT && !strcmp(rules->text, "all")) {
		for (size_t i = 0; i < report->count; i++)
			compare(run, &report->rulings[i], wanted, rules->line);
		return 0;
	}
	if (rules->kind != DOCUMENT_LIST)
		return document_error(run->err, run->doc, rules, "a list of rules belongs here, or 'all'");
	for (node_ptr n = document_first(run->doc, rules); n; n = document_next(run->doc, n)) {
		const struct rule *rule = n->kind == DOCUMENT_TEXT ? policy_rule(run->policy, n->text) : NULL;

		if (!rule)
			return document_error(run->err, run->doc, n, "the pack has no such rule");
		compare(run, &report->rulings[rule - run->policy->rules], wanted, n->line);
	}
	return 0;
}

static const char *text_of(struct run *run, node_ptr map, const char *key)
{
	node_ptr node = document_get(run->doc, map, key);

	return node ? node->text : NULL;
}

static int run_example(struct run *run, node_ptr node)
{
	_cleanup_(report_done) struct report report = { 0 };
	_cleanup_(tree_done) struct tree tree = { 0 };
	struct policy_facts facts = { .driver = run->policy->driver };
	struct error why = { 0 };
	enum verdict wanted = VERDICT_PASS;
	bool is_read;

	if (check_example(run, node) < 0 || take_verdict(&wanted, run, document_get(run->doc, node, "verdict")) < 0)
		return run->err->code;
	facts.model = text_of(run, node, "model");
	facts.firmware = text_of(run, node, "firmware");
	is_read = tree_read(&tree, run->policy->driver, bytes_str(text_of(run, node, "config")), &why) == 0;
	policy_evaluate(&report, run->policy, is_read ? &tree : NULL, why.text, &facts, &policy_limits_operator);
	run->out->examples++;
	return judge(run, &report, document_get(run->doc, node, "rules"), wanted);
}

static void find_untried(struct run *run)
{
	for (size_t i = 0; i < run->policy->count; i++) {
		const char *lack = !(run->seen[i] & 1 << VERDICT_PASS) ? "no example passes it" :
				   !(run->seen[i] & 1 << VERDICT_FAIL) ? "no example fails it" : NULL;

		if (lack)
			add_fault(run, 0, run->policy->rules[i].id, mem_strdup(lack));
	}
}

static int run_all(struct run *run)
{
	static const char *const keys[] = { "holdfast-policy-examples", "pack", "examples" };
	node_ptr top = document_top(run->doc), list;

	if (top->kind != DOCUMENT_MAP)
		return document_error(run->err, run->doc, top, "examples are a map: holdfast-policy-examples, pack, examples");
	for (node_ptr n = document_first(run->doc, top); n; n = document_next(run->doc, n))
		if (strcmp(n->key, keys[0]) != 0 && strcmp(n->key, keys[1]) != 0 && strcmp(n->key, keys[2]) != 0)
			return document_key_error(run->err, run->doc, n, "unknown key '%.60s'", n->key);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!document_get(run->doc, top, keys[i]))
			return document_error(run->err, run->doc, top, "'%s' is missing", keys[i]);
	if (!text_of(run, top, keys[0]) || strcmp(text_of(run, top, keys[0]), "1") != 0)
		return document_error(run->err, run->doc, document_get(run->doc, top, keys[0]), "this version is not known; there is 1");
	if (!text_of(run, top, keys[1]) || strcmp(text_of(run, top, keys[1]), run->policy->name) != 0)
		return document_error(run->err, run->doc, document_get(run->doc, top, keys[1]), "they are for another pack");
	list = document_get(run->doc, top, keys[2]);
	if (list->kind != DOCUMENT_LIST || list->count > EXAMPLES_MAX)
		return document_error(run->err, run->doc, list, "a list of at most %d examples belongs here", EXAMPLES_MAX);
	for (node_ptr n = document_first(run->doc, list); n; n = document_next(run->doc, n))
		if (run_example(run, n) < 0)
			return run->err->code;
	find_untried(run);
	return 0;
}

int examples_run(struct examples_report *out, const struct policy *policy, const char *name, struct bytes text, struct error *err)
{
	_cleanup_(document_done) struct document doc = { 0 };
	_cleanup_(examples_done) struct examples_report report = { 0 };
	_cleanup_(mem_freep) uint8_t *seen = mem_alloc(policy->count + 1);
	struct run run = { .doc = &doc, .policy = policy, .out = &report, .err = err, .seen = seen };
	int r = document_read(&doc, name, text, EXAMPLES_BYTES_MAX, err);

	if (r == 0)
		r = run_all(&run);
	if (r < 0)
		return r;
	*out = report;
	report = (struct examples_report){ 0 };
	return 0;
}

void examples_done(struct examples_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		free(report->faults[i].text);
	free(report->faults);
	*report = (struct examples_report){ 0 };
}
