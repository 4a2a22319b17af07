/* policies/evaluate.c -- what the rules of a pack say of one configuration: verdicts, and what was found. */
#include "policies/policy.h"

#include "policies/applies.h"
#include "policies/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- limits ---- */

/* Measured with tests/bench/policy-slow.c on a core of a common server: no pack takes more than 8 ns for a step, so an agent is done within
 * about a second there and a few on the core of a small gateway, and the operator's command within a quarter of a minute. 10,000 rules over
 * 40 kB that nobody made to be slow take 115 million steps. */
const struct policy_limits policy_limits_agent = {
	.rule_steps = UINT64_C(1) << 25, .all_steps = UINT64_C(1) << 27, .regex_steps = 5000, .findings = 2000,
};
const struct policy_limits policy_limits_operator = {
	.rule_steps = UINT64_C(1) << 28, .all_steps = UINT64_C(1) << 31, .regex_steps = PATTERN_STEPS_MAX, .findings = 20000,
};

/* ---- findings ---- */

static void add_quoted(struct buf *out, struct bytes text)
{
	bool is_long = text.len > POLICY_LINE_SHOWN;

	buf_add_char(out, '\'');
	buf_add_bytes(out, is_long ? bytes_of(text.ptr, POLICY_LINE_SHOWN) : text);
	buf_addf(out, "%s'", is_long ? "..." : "");
}

static char *reason_text(const struct evaluation *ev, const struct reason *r)
{
	static const char *const words[] = {
		[FOUND] = "is there", [MISSING] = "is not there", [UNCLEAR] = "cannot be told", [NOT_IN_RANGE] = "is not what it may be",
		[TOO_MANY] = "is there too often", [TOO_FEW] = "is not there often enough", [DIFFERENT] = "does not fit the other setting",
	};
	struct buf out = { 0 };

	add_quoted(&out, r->node != NOWHERE ? tree_line(ev->tree, r->node) : bytes_str(r->pattern));
	buf_addf(&out, " %s", words[r->kind]);
	if (r->kind == TOO_MANY || r->kind == TOO_FEW)
		buf_addf(&out, " (%llu)", (unsigned long long)r->number);
	if (r->kind == UNCLEAR && r->node != NOWHERE) {
		buf_add_str(&out, ", for ");
		add_quoted(&out, bytes_str(r->pattern));
	}
	return buf_steal_text(&out);
}

static void put_finding(struct ruling *out, const struct evaluation *ev, const struct reason *r)
{
	struct buf path = { 0 };
	uint32_t in = r->node != NOWHERE ? ev->tree->nodes[r->node].in : r->block;

	if (in == NOWHERE)
		buf_add_str(&path, r->context);
	else
		tree_path(&path, ev->tree, in, POLICY_LINE_SHOWN);
	out->findings[out->count++] = (struct finding){ .path = buf_steal_text(&path),
							.line = r->node != NOWHERE ? ev->tree->nodes[r->node].line :
								in == NOWHERE      ? 0 :
										     ev->tree->nodes[in].line,
							.text = reason_text(ev, r) };
}

static void put_findings(struct ruling *out, const struct evaluation *ev, size_t most)
{
	size_t count = ev->count < POLICY_FINDINGS_MAX ? ev->count : POLICY_FINDINGS_MAX;

	count = count < most ? count : most;
	if (count)
		out->findings = mem_alloc(count * sizeof(*out->findings));
	for (size_t i = 0; i < count; i++)
		put_finding(out, ev, &ev->reasons[i]);
	out->more = ev->more + ev->count - count;
}

/* ---- verdicts ---- */

static void say(struct ruling *out, enum verdict verdict, const char *why)
{
	out->verdict = verdict;
	snprintf(out->why, sizeof(out->why), "%s", why);
}

/* `when` and `doubt`, which are asked at the top. */
static bool asks_first(struct ruling *out, struct evaluation *ev, const struct rule *rule)
{
	enum truth when = rule->when ? check_holds(ev, rule->when, 0) : TRUTH_YES, doubt;

	if (when != TRUTH_YES) {
		say(out, when == TRUTH_NO ? VERDICT_NOT_APPLICABLE : VERDICT_UNKNOWN,
		    when == TRUTH_NO ? "the configuration has nothing that it is about" : "it cannot be told whether it applies");
		return true;
	}
	ev->count = ev->more = 0;
	doubt = rule->doubt ? check_holds(ev, rule->doubt, 0) : TRUTH_NO;
	if (doubt != TRUTH_NO)
		say(out, VERDICT_UNKNOWN, "the configuration may be changed by something that is not in it");
	return doubt != TRUTH_NO;
}

static void judge(struct ruling *out, struct evaluation *ev, const struct rule *rule)
{
	static const enum verdict verdicts[] = { [TRUTH_NO] = VERDICT_FAIL, [TRUTH_YES] = VERDICT_PASS, [TRUTH_UNKNOWN] = VERDICT_UNKNOWN };

	if (!asks_first(out, ev, rule)) {
		ev->count = ev->more = 0;
		say(out, verdicts[check_rule(ev, rule)], "");
	}
	if (ev->purse->empty) /* whatever came out of it: not all was looked at */
		say(out, VERDICT_UNKNOWN, ev->purse->empty);
	else if (out->verdict == VERDICT_UNKNOWN && !*out->why)
		say(out, VERDICT_UNKNOWN, "it depends on what cannot be seen here");
}

/* What is left for the rules of a pack. */
struct budget {
	const struct policy_limits *limits;
	struct purse purse; /* of the rule that is looked at */
	uint64_t steps;
	size_t findings;
};

static void rule_on(struct ruling *out, const struct rule *rule, const struct tree *tree, struct budget *budget)
{
	uint64_t steps = budget->steps < budget->limits->rule_steps ? budget->steps : budget->limits->rule_steps;
	struct evaluation ev = { .tree = tree, .purse = &budget->purse };

	if (!steps) {
		say(out, VERDICT_UNKNOWN, "the rules before it took all the steps that a pack may");
		return;
	}
	budget->purse.left = steps;
	budget->purse.empty = NULL;
	judge(out, &ev, rule);
	put_findings(out, &ev, budget->findings);
	budget->steps -= steps - budget->purse.left;
	budget->findings -= out->count;
}

static void rule_for(struct ruling *out, const struct rule *rule, const struct tree *tree, const char *why_not,
		     const struct policy_facts *facts, struct budget *budget)
{
	enum truth truth = policy_applies(rule, facts);

	if (truth == TRUTH_NO)
		say(out, VERDICT_NOT_APPLICABLE, "it is for another model or firmware");
	else if (truth == TRUTH_UNKNOWN)
		say(out, VERDICT_UNKNOWN, "model or firmware of the device is not known");
	else if (!tree)
		say(out, VERDICT_UNKNOWN, why_not ? why_not : "the configuration cannot be read");
	else
		rule_on(out, rule, tree, budget);
}

void policy_evaluate(struct report *out, const struct policy *policy, const struct tree *tree, const char *why_not,
		     const struct policy_facts *facts, const struct policy_limits *limits)
{
	bool is_other = facts->driver && strcmp(facts->driver, policy->driver) != 0;
	struct budget budget = { .limits = limits, .purse = { .regex_steps = limits->regex_steps }, .steps = limits->all_steps,
				 .findings = limits->findings };

	*out = (struct report){ .rulings = mem_alloc(policy->count * sizeof(*out->rulings)), .count = policy->count };
	for (size_t i = 0; i < policy->count; i++) {
		struct ruling *ruling = &out->rulings[i];

		ruling->rule = &policy->rules[i];
		if (is_other)
			say(ruling, VERDICT_NOT_APPLICABLE, "the pack is for another driver");
		else
			rule_for(ruling, ruling->rule, tree, why_not, facts, &budget);
		out->counts[ruling->verdict]++;
	}
	out->steps = limits->all_steps - budget.steps;
	purse_done(&budget.purse);
}

void report_done(struct report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		for (size_t k = 0; k < report->rulings[i].count; k++) {
			free(report->rulings[i].findings[k].path);
			free(report->rulings[i].findings[k].text);
		}
		free(report->rulings[i].findings);
	}
	free(report->rulings);
	*report = (struct report){ 0 };
}

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = { "pass", "fail", "unknown", "not-applicable" };

	return names[verdict];
}

const char *policy_level_name(enum policy_level level)
{
	return level == POLICY_FUNDAMENTAL ? "fundamental" : "enhanced";
}

const char *policy_severity_name(enum policy_severity severity)
{
	static const char *const names[] = { "low", "medium", "high", "critical" };

	return names[severity];
}
