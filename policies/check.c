/* policies/check.c -- does a check hold in a block? */
#include "policies/check.h"

#include <string.h>

enum { CHECK_STEPS = 16 }; /* a check costs this much even where there is no line to look at */

/* ---- truth ---- */

enum truth truth_not(enum truth truth)
{
	return truth == TRUTH_UNKNOWN ? truth : truth == TRUTH_YES ? TRUTH_NO : TRUTH_YES;
}

enum truth truth_both(enum truth a, enum truth b)
{
	return a == TRUTH_NO || b == TRUTH_NO ? TRUTH_NO : a == TRUTH_UNKNOWN || b == TRUTH_UNKNOWN ? TRUTH_UNKNOWN : TRUTH_YES;
}

static enum truth either(enum truth a, enum truth b)
{
	return truth_not(truth_both(truth_not(a), truth_not(b)));
}

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

/* ---- blocks ---- */

/* Without anything left in the purse, looking on would cost and say nothing. */
static uint32_t next_in(const struct evaluation *ev, uint32_t block, uint32_t node)
{
	uint32_t next = node == block ? block + 1 : ev->tree->nodes[node].end;

	return next < ev->tree->nodes[block].end && !ev->purse->empty ? next : NOWHERE;
}

static bool is_unclear(const struct evaluation *ev, uint32_t block)
{
	return block != NOWHERE && ev->tree->nodes[block].is_unclear;
}

static enum match match_node(struct evaluation *ev, const struct pattern *p, uint32_t node, struct bytes *value)
{
	uint32_t want = pattern_first(p), has = ev->tree->nodes[node].first;

	if (want && has && want != has)
		return purse_pay(ev->purse, 1) ? MATCH_NO : MATCH_MAYBE;
	return pattern_match(p, tree_line(ev->tree, node), value, ev->purse);
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

/* Present, or absent: what one line decides, and what none. */
static enum truth check_line(struct evaluation *ev, const struct check *c, uint32_t block)
{
	enum truth found_is = c->kind == CHECK_PRESENT ? TRUTH_YES : TRUTH_NO;
	struct lines lines = count_lines(ev, c->line, block, found_is);

	if (lines.yes)
		return found_is;
	if (lines.maybe)
		return TRUTH_UNKNOWN;
	add_reason(ev, truth_not(found_is), MISSING, block, NOWHERE, pattern_text(c->line));
	return truth_not(found_is);
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
		all = truth_both(all, one);
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
	for (size_t i = 0; i < left.count && purse_pay(ev->purse, right.count); i++)
		for (size_t k = 0; k < right.count; k++) {
			enum truth one = relate(c->relation, left.at[i], right.at[k]);

			add_reason(ev, one, one == TRUTH_YES ? FOUND : DIFFERENT, block, left.node[i], pattern_text(c->left.line));
			all = truth_both(all, one);
		}
	if (left.is_unsure || right.is_unsure) {
		add_reason(ev, TRUTH_UNKNOWN, UNCLEAR, block, NOWHERE, pattern_text(left.is_unsure ? c->left.line : c->right.line));
		return keep(ev, mark, truth_both(all, TRUTH_UNKNOWN));
	}
	if (left.count && right.count)
		return keep(ev, mark, all);
	add_reason(ev, c->if_missing, MISSING, block, NOWHERE, pattern_text(left.count ? c->right.line : c->left.line));
	return keep(ev, mark, c->if_missing);
}

/* ---- logic ---- */

static bool visit_check(struct walk *w, uint32_t block)
{
	enum truth one = check_holds(w->ev, w->check, block);

	w->truth = w->is_some ? either(w->truth, one) : truth_both(w->truth, one);
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
		w.truth = is_some ? either(w.truth, TRUTH_UNKNOWN) : truth_both(w.truth, TRUTH_UNKNOWN);
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
		enum truth one = check_holds(ev, &c->part[i], block);

		truth = is_any ? either(truth, one) : truth_both(truth, one);
	}
	return keep(ev, mark, truth);
}

static enum truth check_not(struct evaluation *ev, const struct check *c, uint32_t block)
{
	size_t mark = ev->count;
	enum truth truth = truth_not(check_holds(ev, c->part, block));

	for (size_t i = mark; i < ev->count; i++)
		ev->reasons[i].truth = truth_not(ev->reasons[i].truth);
	return keep(ev, mark, truth);
}

/* The lines of a block that cannot be read: nobody can say. */
static bool looks_at_lines(enum check_kind kind)
{
	return kind == CHECK_PRESENT || kind == CHECK_ABSENT || kind == CHECK_COUNT || kind == CHECK_VALUE;
}

enum truth check_holds(struct evaluation *ev, const struct check *c, uint32_t block)
{
	size_t mark = ev->count;

	if (!purse_pay(ev->purse, CHECK_STEPS))
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
	case CHECK_ABSENT:
		return keep(ev, mark, check_line(ev, c, block));
	case CHECK_COUNT:
		return check_count(ev, c, block);
	case CHECK_VALUE:
		return check_value(ev, c, block);
	case CHECK_COMPARE:
		return check_compare(ev, c, block);
	}
	return TRUTH_UNKNOWN;
}

enum truth check_rule(struct evaluation *ev, const struct rule *rule)
{
	struct walk w = { .ev = ev, .context = &rule->context, .visit = visit_check, .check = &rule->check, .truth = TRUTH_YES };

	ev->context = &rule->context;
	walk(&w, 0);
	if (!w.found && !w.is_unsure)
		w.truth = check_holds(ev, &rule->check, NOWHERE);
	if (w.is_unsure) {
		w.truth = truth_both(w.truth, TRUTH_UNKNOWN);
		add_reason(ev, TRUTH_UNKNOWN, UNCLEAR, 0, NOWHERE, rule->context.text);
	}
	return keep(ev, 0, w.truth);
}
