/* policies/evaluate.c -- what the rules of a pack say of one configuration.
 *
 * Logic has three values (Kleene's): what is unknown stays so until something else decides. Each part leaves what it found, with its own
 * truth; whatever contains it keeps what agrees with its own, so that in the end the reasons are those of the verdict. */
#include "policies/policy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NOWHERE UINT32_MAX /* a block that is not there: an empty one */

enum {
	REASONS_MAX = 64,
	CHECK_STEPS = 16, /* a check costs this much even where there is no line to look at */
};

enum reason_kind { FOUND, MISSING, UNCLEAR, NOT_IN_RANGE, TOO_MANY, TOO_FEW, DIFFERENT };

struct reason {
	enum truth truth;
	enum reason_kind kind;
	uint32_t block, node; /* node: NOWHERE when there is no line */
	const char *pattern;
	const char *context;  /* of the block, when there is none */
	uint64_t number;
};

struct evaluation {
	const struct tree *tree;
	const struct context *context; /* of the rule */
	struct purse purse;
	struct reason reasons[REASONS_MAX];
	size_t count, more;
};

/* ---- reasons ---- */

static void add_reason(struct evaluation *ev, enum truth truth, enum reason_kind kind, uint32_t block, uint32_t node, const char *pattern)
{
	if (ev->count == REASONS_MAX) {
		ev->more++;
		return;
	}
	ev->reasons[ev->count++] = (struct reason){ .truth = truth, .kind = kind, .block = block, .node = node, .pattern = pattern,
						    .context = ev->context ? ev->context->text : "config" };
}

/* Keeps those behind `mark` that agree. */
static enum truth keep(struct evaluation *ev, size_t mark, enum truth truth)
{
	size_t n = mark;

	for (size_t i = mark; i < ev->count; i++)
		if (ev->reasons[i].truth == truth)
			ev->reasons[n++] = ev->reasons[i];
	ev->count = n;
	return truth;
}

static enum truth negated(enum truth truth)
{
	return truth == TRUTH_UNKNOWN ? truth : truth == TRUTH_YES ? TRUTH_NO : TRUTH_YES;
}

/* ---- blocks ---- */

/* Without anything left in the purse, looking on would cost and say nothing. */
static uint32_t next_in(const struct evaluation *ev, uint32_t block, uint32_t node)
{
	uint32_t next = node == block ? block + 1 : ev->tree->nodes[node].end;

	return next < ev->tree->nodes[block].end && !ev->purse.empty ? next : NOWHERE;
}

static bool is_unclear(const struct evaluation *ev, uint32_t block)
{
	return block != NOWHERE && ev->tree->nodes[block].is_unclear;
}

static enum match match_node(struct evaluation *ev, const struct pattern *p, uint32_t node, struct bytes *value)
{
	uint32_t want = pattern_first(p), has = ev->tree->nodes[node].first;

	if (want && has && want != has)
		return purse_pay(&ev->purse, 1) ? MATCH_NO : MATCH_MAYBE;
	return pattern_match(p, tree_line(ev->tree, node), value, &ev->purse);
}

/* Goes through the blocks that a context means. Each is given to a function, which returns false to end it. */
struct walk {
	struct evaluation *ev;
	const struct context *context;
	bool (*visit)(struct walk *w, uint32_t block);
	bool is_unsure; /* a block may be meant, or is hidden in one that cannot be read */
	size_t found;
	const struct check *check; /* for the visitors of checks */
	bool is_some;
	enum truth truth;
	struct values *values;
};

static bool walk_from(struct walk *w, uint32_t block, size_t step)
{
	struct evaluation *ev = w->ev;

	if (step == w->context->count) {
		w->found++;
		return w->visit(w, block);
	}
	if (is_unclear(ev, block)) {
		w->is_unsure = true;
		return true;
	}
	for (uint32_t n = next_in(ev, block, block); n != NOWHERE; n = next_in(ev, block, n)) {
		enum match m = match_node(ev, w->context->step[step], n, NULL);

		if (m == MATCH_MAYBE)
			w->is_unsure = true;
		if (m == MATCH_YES && !walk_from(w, n, step + 1))
			return false;
	}
	return true;
}

static void walk(struct walk *w, uint32_t block)
{
	uint32_t from = w->context->is_from_top ? 0 : block;

	if (from != NOWHERE)
		walk_from(w, from, 0);
}

/* ---- lines ---- */

/* How many lines of a block match, and how many may. */
struct lines {
	size_t yes, maybe;

};

static struct lines count_lines(struct evaluation *ev, const struct pattern *p, uint32_t block, enum truth found_is)
{
	struct lines lines = { 0 };

	if (block == NOWHERE)
		return lines;
	for (uint32_t n = next_in(ev, block, block); n != NOWHERE; n = next_in(ev, block, n)) {
		enum match m = match_node(ev, p, n, NULL);

		if (m == MATCH_NO)
			continue;
		add_reason(ev, m == MATCH_YES ? found_is : TRUTH_UNKNOWN, m == MATCH_YES ? FOUND : UNCLEAR, block, n, pattern_text(p));
		lines.yes += m == MATCH_YES;
		lines.maybe += m == MATCH_MAYBE;
	}
	return lines;
}

static enum truth check_present(struct evaluation *ev, const struct check *c, uint32_t block)
{
	struct lines lines = count_lines(ev, c->line, block, TRUTH_YES);

	if (lines.yes)
		return TRUTH_YES;
	if (lines.maybe)
		return TRUTH_UNKNOWN;
	add_reason(ev, TRUTH_NO, MISSING, block, NOWHERE, pattern_text(c->line));
	return TRUTH_NO;
}

static enum truth check_absent(struct evaluation *ev, const struct check *c, uint32_t block)
{
	struct lines lines = count_lines(ev, c->line, block, TRUTH_NO);

	if (lines.yes)
		return TRUTH_NO;
	if (lines.maybe)
		return TRUTH_UNKNOWN;
	add_reason(ev, TRUTH_YES, MISSING, block, NOWHERE, pattern_text(c->line));
	return TRUTH_YES;
}

static enum truth check_count(struct evaluation *ev, const struct check *c, uint32_t block)
{
	size_t mark = ev->count;
	struct lines lines = count_lines(ev, c->line, block, TRUTH_YES);
	bool least_ok = lines.yes >= c->least, most_ok = lines.yes + lines.maybe <= c->most;

	if (least_ok && most_ok)
		return keep(ev, mark, TRUTH_YES);
	if (lines.yes > c->most || lines.yes + lines.maybe < c->least) {
		for (size_t i = mark; i < ev->count; i++)
			ev->reasons[i].truth = TRUTH_NO;
		add_reason(ev, TRUTH_NO, lines.yes > c->most ? TOO_MANY : TOO_FEW, block, NOWHERE, pattern_text(c->line));
		if (ev->count)
			ev->reasons[ev->count - 1].number = lines.yes;
		return TRUTH_NO;
	}
	return keep(ev, mark, TRUTH_UNKNOWN);
}

/* ---- values ---- */

static bool is_in(struct bytes value, char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes_is(value, list[i]))
			return true;
	return false;
}

static bool holds_secret(struct bytes text)
{
	return text.len && memmem(text.ptr, text.len, TREE_SECRET, sizeof(TREE_SECRET) - 1);
}

static enum truth judge_value(const struct check *c, struct bytes value)
{
	uint64_t number;

	if (holds_secret(value) || !value.len)
		return TRUTH_UNKNOWN;
	if (c->among && !is_in(value, c->among, c->among_count))
		return TRUTH_NO;
	if (c->not_among && is_in(value, c->not_among, c->not_among_count))
		return TRUTH_NO;
	if (!c->has_range)
		return TRUTH_YES;
	if (!number_parse(&number, value))
		return TRUTH_UNKNOWN;
	return number >= c->least && number <= c->most ? TRUTH_YES : TRUTH_NO;
}

static enum truth both(enum truth a, enum truth b)
{
	return a == TRUTH_NO || b == TRUTH_NO ? TRUTH_NO : a == TRUTH_UNKNOWN || b == TRUTH_UNKNOWN ? TRUTH_UNKNOWN : TRUTH_YES;
}

static enum truth either(enum truth a, enum truth b)
{
	return negated(both(negated(a), negated(b)));
}

static enum truth check_value(struct evaluation *ev, const struct check *c, uint32_t block)
{
	enum truth all = TRUTH_YES;
	size_t found = 0, mark = ev->count;

	for (uint32_t n = block == NOWHERE ? NOWHERE : next_in(ev, block, block); n != NOWHERE; n = next_in(ev, block, n)) {
		struct bytes value = { 0 };
		enum match m = match_node(ev, c->line, n, &value);
		enum truth one = m == MATCH_YES ? judge_value(c, value) : TRUTH_UNKNOWN;

		if (m == MATCH_NO)
			continue;
		found++;
		add_reason(ev, one, one == TRUTH_YES ? FOUND : one == TRUTH_NO ? NOT_IN_RANGE : UNCLEAR, block, n, pattern_text(c->line));
		all = both(all, one);
	}
	if (found)
		return keep(ev, mark, all);
	add_reason(ev, c->if_missing, MISSING, block, NOWHERE, pattern_text(c->line));
	return c->if_missing;
}

/* ---- comparison between settings ---- */

enum { VALUES_MAX = 64 };

struct values {
	const struct pattern *line;
	struct bytes at[VALUES_MAX];
	uint32_t node[VALUES_MAX];
	size_t count;
	bool is_unsure; /* there may be more of them */
};

static bool visit_values(struct walk *w, uint32_t block)
{
	struct values *v = w->values;

	if (is_unclear(w->ev, block))
		v->is_unsure = true;
	for (uint32_t n = next_in(w->ev, block, block); n != NOWHERE; n = next_in(w->ev, block, n)) {
		struct bytes value = { 0 };
		enum match m = match_node(w->ev, v->line, n, &value);

		if (m == MATCH_NO)
			continue;
		if (m == MATCH_MAYBE || v->count == VALUES_MAX || !value.len || holds_secret(value)) {
			v->is_unsure = true;
			continue;
		}
		v->node[v->count] = n;
		v->at[v->count++] = value;
	}
	return true;
}

static void find_values(struct values *out, struct evaluation *ev, const struct side_of *side, uint32_t block)
{
	struct walk w = { .ev = ev, .context = &side->context, .visit = visit_values, .values = out };

	out->line = side->line;
	walk(&w, block);
	out->is_unsure |= w.is_unsure;
}

static enum truth relate_numbers(enum relation relation, uint64_t a, uint64_t b)
{
	bool holds = false;

	switch (relation) {
	case RELATION_EQUAL:
		holds = a == b;
		break;
	case RELATION_DIFFERENT:
		holds = a != b;
		break;
	case RELATION_BELOW:
		holds = a < b;
		break;
	case RELATION_AT_MOST:
		holds = a <= b;
		break;
	case RELATION_ABOVE:
		holds = a > b;
		break;
	case RELATION_AT_LEAST:
		holds = a >= b;
		break;
	}
	return holds ? TRUTH_YES : TRUTH_NO;
}

static enum truth relate(enum relation relation, struct bytes a, struct bytes b)
{
	uint64_t x, y;

	if (relation == RELATION_EQUAL || relation == RELATION_DIFFERENT)
		return bytes_equal(a, b) == (relation == RELATION_EQUAL) ? TRUTH_YES : TRUTH_NO;
	return number_parse(&x, a) && number_parse(&y, b) ? relate_numbers(relation, x, y) : TRUTH_UNKNOWN;
}

/* Every value on the left against every one on the right. */
static enum truth check_compare(struct evaluation *ev, const struct check *c, uint32_t block)
{
	struct values left = { 0 }, right = { 0 };
	size_t mark = ev->count;
	enum truth all = TRUTH_YES;

	find_values(&left, ev, &c->left, block);
	find_values(&right, ev, &c->right, block);
	for (size_t i = 0; i < left.count && purse_pay(&ev->purse, right.count); i++)
		for (size_t k = 0; k < right.count; k++) {
			enum truth one = relate(c->relation, left.at[i], right.at[k]);

			add_reason(ev, one, one == TRUTH_YES ? FOUND : DIFFERENT, block, left.node[i], pattern_text(c->left.line));
			all = both(all, one);
		}
	if (left.is_unsure || right.is_unsure) {
		add_reason(ev, TRUTH_UNKNOWN, UNCLEAR, block, NOWHERE, pattern_text(left.is_unsure ? c->left.line : c->right.line));
		return keep(ev, mark, both(all, TRUTH_UNKNOWN));
	}
	if (left.count && right.count)
		return keep(ev, mark, all);
	add_reason(ev, c->if_missing, MISSING, block, NOWHERE, pattern_text(left.count ? c->right.line : c->left.line));
	return keep(ev, mark, c->if_missing);
}

/* ---- logic ---- */

static enum truth evaluate(struct evaluation *ev, const struct check *c, uint32_t block);

static bool visit_check(struct walk *w, uint32_t block)
{
	enum truth one = evaluate(w->ev, w->check, block);

	w->truth = w->is_some ? either(w->truth, one) : both(w->truth, one);
	return w->truth != (w->is_some ? TRUTH_YES : TRUTH_NO) || !w->is_some; /* of what fails, all is shown */
}

static enum truth check_blocks(struct evaluation *ev, const struct check *c, uint32_t block)
{
	bool is_some = c->kind == CHECK_SOME;
	struct walk w = { .ev = ev, .context = &c->context, .visit = visit_check, .check = c->part, .is_some = is_some,
			  .truth = is_some ? TRUTH_NO : TRUTH_YES };
	size_t mark = ev->count;

	walk(&w, block);
	if (w.is_unsure)
		w.truth = is_some ? either(w.truth, TRUTH_UNKNOWN) : both(w.truth, TRUTH_UNKNOWN);
	if (w.is_unsure)
		add_reason(ev, TRUTH_UNKNOWN, UNCLEAR, block, NOWHERE, c->context.text);
	if (!w.found && !w.is_unsure)
		add_reason(ev, w.truth, MISSING, block, NOWHERE, c->context.text);
	return keep(ev, mark, w.truth);
}

static enum truth check_parts(struct evaluation *ev, const struct check *c, uint32_t block)
{
	bool is_any = c->kind == CHECK_ANY;
	enum truth truth = is_any ? TRUTH_NO : TRUTH_YES;
	size_t mark = ev->count;

	for (size_t i = 0; i < c->part_count; i++) {
		enum truth one = evaluate(ev, &c->part[i], block);

		truth = is_any ? either(truth, one) : both(truth, one);
	}
	return keep(ev, mark, truth);
}

static enum truth check_not(struct evaluation *ev, const struct check *c, uint32_t block)
{
	size_t mark = ev->count;
	enum truth truth = negated(evaluate(ev, c->part, block));

	for (size_t i = mark; i < ev->count; i++)
		ev->reasons[i].truth = negated(ev->reasons[i].truth);
	return keep(ev, mark, truth);
}

/* The lines of a block that cannot be read: nobody can say. */
static bool looks_at_lines(enum check_kind kind)
{
	return kind == CHECK_PRESENT || kind == CHECK_ABSENT || kind == CHECK_COUNT || kind == CHECK_VALUE;
}

static enum truth evaluate(struct evaluation *ev, const struct check *c, uint32_t block)
{
	size_t mark = ev->count;

	if (!purse_pay(&ev->purse, CHECK_STEPS))
		return TRUTH_UNKNOWN;
	if (looks_at_lines(c->kind) && is_unclear(ev, block)) {
		add_reason(ev, TRUTH_UNKNOWN, UNCLEAR, block, NOWHERE, pattern_text(c->line));
		return TRUTH_UNKNOWN;
	}
	switch (c->kind) {
	case CHECK_ALL:
	case CHECK_ANY:
		return check_parts(ev, c, block);
	case CHECK_NOT:
		return check_not(ev, c, block);
	case CHECK_EACH:
	case CHECK_SOME:
		return check_blocks(ev, c, block);
	case CHECK_PRESENT:
		return keep(ev, mark, check_present(ev, c, block));
	case CHECK_ABSENT:
		return keep(ev, mark, check_absent(ev, c, block));
	case CHECK_COUNT:
		return check_count(ev, c, block);
	case CHECK_VALUE:
		return check_value(ev, c, block);
	case CHECK_COMPARE:
		return check_compare(ev, c, block);
	}
	return TRUTH_UNKNOWN;
}

/* In every block that the rule's context means; where there is none, in an empty one. */
static enum truth evaluate_rule(struct evaluation *ev, const struct rule *rule)
{
	struct walk w = { .ev = ev, .context = &rule->context, .visit = visit_check, .check = &rule->check, .truth = TRUTH_YES };

	ev->context = &rule->context;
	walk(&w, 0);
	if (!w.found && !w.is_unsure)
		w.truth = evaluate(ev, &rule->check, NOWHERE);
	if (w.is_unsure) {
		w.truth = both(w.truth, TRUTH_UNKNOWN);
		add_reason(ev, TRUTH_UNKNOWN, UNCLEAR, 0, NOWHERE, rule->context.text);
	}
	return keep(ev, 0, w.truth);
}

/* ---- limits ---- */

/* Measured with tests/bench/policy-slow.c on a core of a common server: no pack takes more than 8 ns for a step, so an agent is done within about a
 * second there and a few on the core of a small gateway, and the operator's command within half a minute. 10,000 rules over 40 kB that
 * nobody made to be slow take 115 million steps. */
const struct policy_limits policy_limits_agent = {
	.rule_steps = UINT64_C(1) << 25, .all_steps = UINT64_C(1) << 27, .regex_steps = 5000, .findings = 2000,
};
const struct policy_limits policy_limits_operator = {
	.rule_steps = UINT64_C(1) << 28, .all_steps = UINT64_C(1) << 32, .regex_steps = PATTERN_STEPS_MAX, .findings = 20000,
};

/* ---- facts ---- */

static size_t take_version(uint64_t out[static 8], const char *text)
{
	size_t n = 0;

	while (*text) {
		const char *at = text + strcspn(text, "0123456789");
		char *end = (char *)at;

		for (n = 0; n < 8 && isdigit((unsigned char)*end) && end - at < 64;) {
			out[n++] = strtoull(end, &end, 10);
			if (*end != '.' || !isdigit((unsigned char)end[1]))
				break;
			end++;
		}
		if (n > 1 || !*end)
			return n;
		text = end;
	}
	return n;
}

bool version_compare(int *out, const char *a, const char *b)
{
	uint64_t x[8] = { 0 }, y[8] = { 0 };
	size_t n = take_version(x, a), m = take_version(y, b);

	*out = 0;
	for (size_t i = 0; i < 8 && !*out; i++)
		*out = (x[i] > y[i]) - (x[i] < y[i]);
	return n && m;
}

/* One `*` goes over anything, and case does not matter. */
static bool model_matches(const char *pattern, const char *model)
{
	const char *star = strchr(pattern, '*');
	size_t head = star ? (size_t)(star - pattern) : strlen(pattern), len = strlen(model), tail = star ? strlen(star + 1) : 0;

	if (!star)
		return !strcasecmp(pattern, model);
	return len >= head + tail && !strncasecmp(pattern, model, head) && !strcasecmp(star + 1, model + len - tail);
}

static enum truth applies(const struct rule *rule, const struct policy_facts *facts)
{
	bool has_model = facts->model && *facts->model, has_firmware = facts->firmware && *facts->firmware;
	enum truth truth = TRUTH_YES;
	int order;

	if (rule->model)
		truth = has_model ? (model_matches(rule->model, facts->model) ? TRUTH_YES : TRUTH_NO) : TRUTH_UNKNOWN;
	if (rule->firmware_from)
		truth = both(truth, has_firmware && version_compare(&order, facts->firmware, rule->firmware_from) ?
					    (order >= 0 ? TRUTH_YES : TRUTH_NO) : TRUTH_UNKNOWN);
	if (rule->firmware_below)
		truth = both(truth, has_firmware && version_compare(&order, facts->firmware, rule->firmware_below) ?
					    (order < 0 ? TRUTH_YES : TRUTH_NO) : TRUTH_UNKNOWN);
	return truth;
}

/* ---- verdicts ---- */

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
							.line = r->node != NOWHERE ? ev->tree->nodes[r->node].line : in == NOWHERE ? 0 : ev->tree->nodes[in].line,
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

static void say(struct ruling *out, enum verdict verdict, const char *why)
{
	out->verdict = verdict;
	snprintf(out->why, sizeof(out->why), "%s", why);
}

/* `when` and `doubt`, which are asked at the top. */
static bool asks_first(struct ruling *out, struct evaluation *ev, const struct rule *rule)
{
	enum truth when = rule->when ? evaluate(ev, rule->when, 0) : TRUTH_YES, doubt;

	if (when != TRUTH_YES) {
		say(out, when == TRUTH_NO ? VERDICT_NOT_APPLICABLE : VERDICT_UNKNOWN,
		    when == TRUTH_NO ? "the configuration has nothing that it is about" : "it cannot be told whether it applies");
		return true;
	}
	ev->count = ev->more = 0;
	doubt = rule->doubt ? evaluate(ev, rule->doubt, 0) : TRUTH_NO;
	if (doubt != TRUTH_NO)
		say(out, VERDICT_UNKNOWN, "the configuration may be changed by something that is not in it");
	return doubt != TRUTH_NO;
}

static void judge(struct ruling *out, struct evaluation *ev, const struct rule *rule)
{
	static const enum verdict verdicts[] = { [TRUTH_NO] = VERDICT_FAIL, [TRUTH_YES] = VERDICT_PASS, [TRUTH_UNKNOWN] = VERDICT_UNKNOWN };

	if (!asks_first(out, ev, rule)) {
		ev->count = ev->more = 0;
		say(out, verdicts[evaluate_rule(ev, rule)], "");
	}
	if (ev->purse.empty) /* whatever came out of it: not all was looked at */
		say(out, VERDICT_UNKNOWN, ev->purse.empty);
	else if (out->verdict == VERDICT_UNKNOWN && !*out->why)
		say(out, VERDICT_UNKNOWN, "it depends on what cannot be seen here");
}

/* What is left for the rules of a pack. */
struct budget {
	const struct policy_limits *limits;
	uint64_t steps;
	size_t findings;
};

static void rule_on(struct ruling *out, const struct rule *rule, const struct tree *tree, struct budget *budget)
{
	uint64_t steps = budget->steps < budget->limits->rule_steps ? budget->steps : budget->limits->rule_steps;
	struct evaluation ev = { .tree = tree, .purse = { .left = steps, .regex_steps = budget->limits->regex_steps } };

	if (!steps) {
		say(out, VERDICT_UNKNOWN, "the rules before it took all the steps that a pack may");
		return;
	}
	judge(out, &ev, rule);
	put_findings(out, &ev, budget->findings);
	budget->steps -= steps - ev.purse.left;
	budget->findings -= out->count;
}

static void rule_for(struct ruling *out, const struct rule *rule, const struct tree *tree, const char *why_not,
		     const struct policy_facts *facts, struct budget *budget)
{
	enum truth truth = applies(rule, facts);

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
	struct budget budget = { .limits = limits, .steps = limits->all_steps, .findings = limits->findings };

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
