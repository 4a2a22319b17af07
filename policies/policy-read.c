/* policies/policy-read.c -- a pack, from YAML. Whatever is refused is refused with its place. */
#include "policies/policy.h"

#include "base/document.h"
#include "policies/form.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct pack_reader {
	const struct document *doc;
	struct policy *policy;
	const struct form *form;
	size_t compiled;
	struct error *err;
};

typedef const struct document_node *node_ptr;

/* ---- what everything has ---- */

static int refuse(struct pack_reader *rd, node_ptr node, const char *why)
{
	return document_error(rd->err, rd->doc, node, "%s", why);
}

/* keys: of one text each, in front of a NULL */
static int check_keys(struct pack_reader *rd, node_ptr map, const char *const keys[])
{
	if (map->kind != DOCUMENT_MAP)
		return refuse(rd, map, "a map of keys and values belongs here");
	for (node_ptr n = document_first(rd->doc, map); n; n = document_next(rd->doc, n)) {
		size_t i = 0;

		while (keys[i] && strcmp(keys[i], n->key) != 0)
			i++;
		if (!keys[i])
			return document_key_error(rd->err, rd->doc, n, "unknown key '%.60s'", n->key);
	}
	return 0;
}

static int check_text(struct pack_reader *rd, node_ptr node)
{
	if (node->kind != DOCUMENT_TEXT)
		return refuse(rd, node, "a text belongs here");
	if (!*node->text)
		return refuse(rd, node, "a text is empty");
	if (strlen(node->text) > POLICY_TEXT_MAX)
		return refuse(rd, node, "a text of more than 2000 bytes");
	return 0;
}

static int need(node_ptr *out, struct pack_reader *rd, node_ptr map, const char *key)
{
	*out = document_get(rd->doc, map, key);
	return *out ? 0 : document_error(rd->err, rd->doc, map, "'%s' is missing", key);
}

static int take_text(char **out, struct pack_reader *rd, node_ptr map, const char *key, bool is_needed)
{
	node_ptr node = document_get(rd->doc, map, key);

	if (!node)
		return is_needed ? need(&node, rd, map, key) : 0;
	if (check_text(rd, node) < 0)
		return rd->err->code;
	*out = mem_strdup(node->text);
	return 0;
}

static int take_list(char ***out, size_t *count, struct pack_reader *rd, node_ptr list)
{
	if (list->kind != DOCUMENT_LIST || !list->count)
		return refuse(rd, list, "a list with something in it belongs here");
	if (list->count > POLICY_LIST_MAX)
		return refuse(rd, list, "a list of more than 64 entries");
	*out = mem_alloc(list->count * sizeof(**out));
	for (node_ptr n = document_first(rd->doc, list); n; n = document_next(rd->doc, n)) {
		if (check_text(rd, n) < 0)
			return rd->err->code;
		(*out)[(*count)++] = mem_strdup(n->text);
	}
	return 0;
}

static int take_list_of(char ***out, size_t *count, struct pack_reader *rd, node_ptr map, const char *key)
{
	node_ptr node = document_get(rd->doc, map, key);

	return node ? take_list(out, count, rd, node) : 0;
}

/* One of the names; out is its number. */
static int take_choice(unsigned *out, struct pack_reader *rd, node_ptr node, const char *const names[], size_t count)
{
	if (check_text(rd, node) < 0)
		return rd->err->code;
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], node->text)) {
			*out = (unsigned)i;
			return 0;
		}
	return document_error(rd->err, rd->doc, node, "'%.60s' is not known here; the first that is: '%s'", node->text, names[0]);
}

static int take_number(uint64_t *out, bool *has, struct pack_reader *rd, node_ptr map, const char *key)
{
	node_ptr node = document_get(rd->doc, map, key);

	if (!node)
		return 0;
	if (node->kind != DOCUMENT_TEXT || !number_parse(out, bytes_str(node->text)))
		return refuse(rd, node, "a whole number belongs here");
	*has = true;
	return 0;
}

/* ---- patterns and contexts ---- */

static int make_pattern(struct pattern **out, struct pack_reader *rd, node_ptr node, bool is_regex)
{
	struct error why = { 0 };
	int r;

	if (node->kind != DOCUMENT_TEXT)
		return refuse(rd, node, "a pattern is a text, or 'matches: EXPRESSION'");
	r = is_regex ? pattern_new_regex(out, node->text, &why) : pattern_new_words(out, node->text, &why);
	if (r < 0)
		return refuse(rd, node, why.text);
	rd->compiled += pattern_compiled_size(*out);
	return rd->compiled > POLICY_COMPILED_MAX ? refuse(rd, node, "all regular expressions together become larger than 64 MiB") : 0;
}

static int take_pattern(struct pattern **out, struct pack_reader *rd, node_ptr node)
{
	static const char *const keys[] = { "matches", NULL };
	node_ptr regex;

	if (node->kind != DOCUMENT_MAP)
		return make_pattern(out, rd, node, false);
	if (check_keys(rd, node, keys) < 0 || need(&regex, rd, node, "matches") < 0)
		return rd->err->code;
	return make_pattern(out, rd, regex, true);
}

static int take_value_pattern(struct pattern **out, struct pack_reader *rd, node_ptr node)
{
	if (take_pattern(out, rd, node) < 0)
		return rd->err->code;
	return pattern_takes_value(*out) ? 0 : refuse(rd, node, "the pattern takes no value: write <value>, <rest>, or one group");
}

static int add_step(struct context *out, struct pack_reader *rd, node_ptr node, const char *text, size_t len)
{
	_cleanup_(mem_freep) char *step = mem_strndup(text, len);
	struct error why = { 0 };

	if (!out->count && !out->is_from_top && !strcmp(step, "config")) {
		out->is_from_top = true;
		return 0;
	}
	if (out->count == POLICY_STEPS_MAX)
		return refuse(rd, node, "a context of more than 8 steps");
	if (pattern_new_words(&out->step[out->count], step, &why) < 0)
		return refuse(rd, node, why.text);
	if (pattern_takes_value(out->step[out->count++]))
		return refuse(rd, node, "a context takes no value");
	return 0;
}

static void add_context_text(struct buf *out, const char *step)
{
	buf_addf(out, "%s%s", out->len ? "/" : "", step);
}

static int take_context_list(struct context *out, struct pack_reader *rd, node_ptr list)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	for (node_ptr n = document_first(rd->doc, list); n; n = document_next(rd->doc, n)) {
		if (check_text(rd, n) < 0 || add_step(out, rd, n, n->text, strlen(n->text)) < 0)
			return rd->err->code;
		add_context_text(&text, n->text);
	}
	out->text = mem_strdup(buf_text(&text));
	return 0;
}

/* "config/aaa/user *", or a list of steps where one of them holds a slash. */
static int take_context(struct context *out, struct pack_reader *rd, node_ptr node)
{
	const char *at;

	if (node->kind == DOCUMENT_LIST && node->count)
		return take_context_list(out, rd, node);
	if (check_text(rd, node) < 0)
		return rd->err->code;
	out->text = mem_strdup(node->text);
	for (at = node->text;; at++) {
		size_t len = strcspn(at, "/");

		if (add_step(out, rd, node, at, len) < 0)
			return rd->err->code;
		at += len;
		if (!*at)
			return 0;
	}
}

static int take_top_context(struct context *out, struct pack_reader *rd, node_ptr map)
{
	node_ptr node;

	if (need(&node, rd, map, "context") < 0 || take_context(out, rd, node) < 0)
		return rd->err->code;
	return out->is_from_top ? 0 : refuse(rd, node, "the context of a rule begins with 'config'");
}

/* ---- checks ---- */

static int take_check(struct check *out, struct pack_reader *rd, node_ptr node);

static int take_parts(struct check *out, struct pack_reader *rd, node_ptr node)
{
	if (node->kind != DOCUMENT_LIST || !node->count)
		return refuse(rd, node, "a list of checks belongs here");
	if (node->count > POLICY_LIST_MAX)
		return refuse(rd, node, "a list of more than 64 checks");
	out->part = mem_alloc(node->count * sizeof(*out->part));
	for (node_ptr n = document_first(rd->doc, node); n; n = document_next(rd->doc, n))
		if (take_check(&out->part[out->part_count++], rd, n) < 0)
			return rd->err->code;
	return 0;
}

static int take_one_part(struct check *out, struct pack_reader *rd, node_ptr node)
{
	out->part = mem_alloc(sizeof(*out->part));
	out->part_count = 1;
	return take_check(out->part, rd, node);
}

static int take_blocks(struct check *out, struct pack_reader *rd, node_ptr node)
{
	static const char *const keys[] = { "context", "check", NULL };
	node_ptr context, check;

	if (check_keys(rd, node, keys) < 0 || need(&context, rd, node, "context") < 0 || need(&check, rd, node, "check") < 0)
		return rd->err->code;
	if (take_context(&out->context, rd, context) < 0)
		return rd->err->code;
	return take_one_part(out, rd, check);
}

static int take_line(struct check *out, struct pack_reader *rd, node_ptr node)
{
	return take_pattern(&out->line, rd, node);
}

static int take_range(struct check *out, struct pack_reader *rd, node_ptr node)
{
	bool has_least = false, has_most = false;

	out->most = UINT64_MAX;
	if (take_number(&out->least, &has_least, rd, node, "at-least") < 0 || take_number(&out->most, &has_most, rd, node, "at-most") < 0)
		return rd->err->code;
	out->has_range = has_least || has_most;
	return out->least > out->most ? refuse(rd, node, "'at-least' is more than 'at-most'") : 0;
}

static int take_count(struct check *out, struct pack_reader *rd, node_ptr node)
{
	static const char *const keys[] = { "of", "at-least", "at-most", NULL };
	node_ptr of;

	if (check_keys(rd, node, keys) < 0 || need(&of, rd, node, "of") < 0 || take_pattern(&out->line, rd, of) < 0 ||
	    take_range(out, rd, node) < 0)
		return rd->err->code;
	return out->has_range ? 0 : refuse(rd, node, "a count needs 'at-least' or 'at-most'");
}

static int take_missing(struct check *out, struct pack_reader *rd, node_ptr map)
{
	static const char *const names[] = { "fail", "pass", "unknown" }; /* in the order of enum truth */
	node_ptr node = document_get(rd->doc, map, "missing");
	unsigned choice = TRUTH_NO;

	if (node && take_choice(&choice, rd, node, names, ARRAY_SIZE(names)) < 0)
		return rd->err->code;
	out->if_missing = (enum truth)choice;
	return 0;
}

static int take_value(struct check *out, struct pack_reader *rd, node_ptr node)
{
	static const char *const keys[] = { "of", "among", "not-among", "at-least", "at-most", "missing", NULL };
	node_ptr of;

	if (check_keys(rd, node, keys) < 0 || need(&of, rd, node, "of") < 0 || take_value_pattern(&out->line, rd, of) < 0 ||
	    take_range(out, rd, node) < 0 || take_missing(out, rd, node) < 0 ||
	    take_list_of(&out->among, &out->among_count, rd, node, "among") < 0 ||
	    take_list_of(&out->not_among, &out->not_among_count, rd, node, "not-among") < 0)
		return rd->err->code;
	return out->has_range || out->among || out->not_among ?
		       0 :
		       refuse(rd, node, "a value needs 'among', 'not-among', 'at-least' or 'at-most'");
}

static int take_side(struct side_of *out, struct pack_reader *rd, node_ptr map, const char *name)
{
	static const char *const keys[] = { "context", "of", NULL };
	node_ptr side, of, context;

	if (need(&side, rd, map, name) < 0 || check_keys(rd, side, keys) < 0 || need(&of, rd, side, "of") < 0 ||
	    take_value_pattern(&out->line, rd, of) < 0)
		return rd->err->code;
	context = document_get(rd->doc, side, "context");
	return context ? take_context(&out->context, rd, context) : 0;
}

static int take_compare(struct check *out, struct pack_reader *rd, node_ptr node)
{
	static const char *const keys[] = { "left", "is", "right", "missing", NULL };
	static const char *const relations[] = { "equal", "different", "below", "at-most", "above", "at-least" };
	unsigned relation = 0;
	node_ptr is;

	if (check_keys(rd, node, keys) < 0 || take_side(&out->left, rd, node, "left") < 0 ||
	    take_side(&out->right, rd, node, "right") < 0 || need(&is, rd, node, "is") < 0 ||
	    take_choice(&relation, rd, is, relations, ARRAY_SIZE(relations)) < 0)
		return rd->err->code;
	out->relation = (enum relation)relation;
	return take_missing(out, rd, node);
}

static const struct {
	const char *key;
	enum check_kind kind;
	int (*take)(struct check *out, struct pack_reader *rd, node_ptr node);
} kinds[] = {
	{ "all", CHECK_ALL, take_parts },       { "any", CHECK_ANY, take_parts },     { "not", CHECK_NOT, take_one_part },
	{ "each", CHECK_EACH, take_blocks },    { "some", CHECK_SOME, take_blocks },  { "present", CHECK_PRESENT, take_line },
	{ "absent", CHECK_ABSENT, take_line },  { "count", CHECK_COUNT, take_count }, { "value", CHECK_VALUE, take_value },
	{ "compare", CHECK_COMPARE, take_compare },
};

static int take_check(struct check *out, struct pack_reader *rd, node_ptr node)
{
	node_ptr what;

	if (node->kind != DOCUMENT_MAP || node->count != 1)
		return refuse(rd, node, "a check is one of all, any, not, each, some, present, absent, count, value, compare");
	what = document_first(rd->doc, node);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].key, what->key) != 0)
			continue;
		out->kind = kinds[i].kind;
		return kinds[i].take(out, rd, what);
	}
	return document_key_error(rd->err, rd->doc, what, "unknown check '%.60s'", what->key);
}

static int take_check_of(struct check **out, struct pack_reader *rd, node_ptr map, const char *key)
{
	node_ptr node = document_get(rd->doc, map, key);

	if (!node)
		return 0;
	*out = mem_alloc(sizeof(**out));
	return take_check(*out, rd, node);
}

/* ---- rules ---- */

static bool id_ok(const char *id)
{
	size_t len = strlen(id);

	for (size_t i = 0; i < len; i++)
		if (!islower((unsigned char)id[i]) && !isdigit((unsigned char)id[i]) && (id[i] != '-' || !i))
			return false;
	return len && len <= POLICY_ID_MAX;
}

static int take_id(char **out, struct pack_reader *rd, node_ptr map, const char *key)
{
	node_ptr node;

	if (need(&node, rd, map, key) < 0 || check_text(rd, node) < 0)
		return rd->err->code;
	if (!id_ok(node->text))
		return refuse(rd, node, "a name has small letters, digits and '-', at most 64");
	*out = mem_strdup(node->text);
	return 0;
}

static int take_firmware(struct rule *out, struct pack_reader *rd, node_ptr map)
{
	static const char *const keys[] = { "from", "below", NULL };
	node_ptr node = document_get(rd->doc, map, "firmware");
	int order = -1;

	if (!node)
		return 0;
	if (check_keys(rd, node, keys) < 0 || take_text(&out->firmware_from, rd, node, "from", false) < 0 ||
	    take_text(&out->firmware_below, rd, node, "below", false) < 0)
		return rd->err->code;
	if ((out->firmware_from && !version_compare(&order, out->firmware_from, out->firmware_from)) ||
	    (out->firmware_below && !version_compare(&order, out->firmware_below, out->firmware_below)))
		return refuse(rd, node, "a version is numbers with dots between");
	order = -1;
	if (out->firmware_from && out->firmware_below && version_compare(&order, out->firmware_from, out->firmware_below) && order >= 0)
		return refuse(rd, node, "'from' is not below 'below'");
	return 0;
}

static int take_applies(struct rule *out, struct pack_reader *rd, node_ptr map)
{
	static const char *const keys[] = { "model", "firmware", NULL };
	node_ptr node = document_get(rd->doc, map, "applies");

	if (!node)
		return 0;
	if (check_keys(rd, node, keys) < 0 || take_text(&out->model, rd, node, "model", false) < 0)
		return rd->err->code;
	return take_firmware(out, rd, node);
}

static int take_remedy(struct remedy *out, struct pack_reader *rd, node_ptr node)
{
	static const char *const keys[] = { "context", "lines", NULL };
	node_ptr lines;

	if (check_keys(rd, node, keys) < 0 || take_text(&out->context, rd, node, "context", true) < 0 ||
	    need(&lines, rd, node, "lines") < 0 || take_list(&out->lines, &out->line_count, rd, lines) < 0)
		return rd->err->code;
	for (node_ptr n = document_first(rd->doc, lines); n; n = document_next(rd->doc, n)) {
		const char *why = rd->form->line_refused(bytes_str(n->text));

		if (why || strchr(n->text, '\n'))
			return document_error(rd->err, rd->doc, n, "this line cannot be entered: %s", why ? why : "it is several");
	}
	return 0;
}

static int take_remedies(struct rule *out, struct pack_reader *rd, node_ptr map)
{
	node_ptr list = document_get(rd->doc, map, "remedy");

	if (!list)
		return 0;
	if (list->kind != DOCUMENT_LIST || !list->count || list->count > POLICY_LIST_MAX)
		return refuse(rd, list, "a list of contexts and lines belongs here, of at most 64");
	out->remedy = mem_alloc(list->count * sizeof(*out->remedy));
	for (node_ptr n = document_first(rd->doc, list); n; n = document_next(rd->doc, n))
		if (take_remedy(&out->remedy[out->remedy_count++], rd, n) < 0)
			return rd->err->code;
	return 0;
}

static int take_grades(struct rule *out, struct pack_reader *rd, node_ptr map)
{
	static const char *const levels[] = { "fundamental", "enhanced" }, *const severities[] = { "low", "medium", "high", "critical" };
	unsigned level = 0, severity = 0;
	node_ptr node;

	if (need(&node, rd, map, "level") < 0 || take_choice(&level, rd, node, levels, ARRAY_SIZE(levels)) < 0 ||
	    need(&node, rd, map, "severity") < 0 || take_choice(&severity, rd, node, severities, ARRAY_SIZE(severities)) < 0)
		return rd->err->code;
	out->level = (enum policy_level)level;
	out->severity = (enum policy_severity)severity;
	if (out->level == POLICY_FUNDAMENTAL && document_get(rd->doc, map, "requires"))
		return document_key_error(rd->err, rd->doc, document_get(rd->doc, map, "requires"),
					  "what is fundamental requires nothing else");
	return 0;
}

static int take_rule(struct rule *out, struct pack_reader *rd, node_ptr map)
{
	static const char *const keys[] = { "id", "title", "level", "requires", "severity", "applies", "context", "when", "doubt", "check",
					    "remedy", "reference", "rationale", NULL };
	node_ptr check;

	out->line = map->line;
	if (check_keys(rd, map, keys) < 0 || take_id(&out->id, rd, map, "id") < 0 || take_text(&out->title, rd, map, "title", true) < 0 ||
	    take_grades(out, rd, map) < 0 || take_list_of(&out->requires, &out->require_count, rd, map, "requires") < 0 ||
	    take_list_of(&out->references, &out->reference_count, rd, map, "reference") < 0 ||
	    take_text(&out->rationale, rd, map, "rationale", false) < 0 || take_applies(out, rd, map) < 0 ||
	    take_top_context(&out->context, rd, map) < 0)
		return rd->err->code;
	if (take_check_of(&out->when, rd, map, "when") < 0 || take_check_of(&out->doubt, rd, map, "doubt") < 0 ||
	    need(&check, rd, map, "check") < 0 || take_check(&out->check, rd, check) < 0)
		return rd->err->code;
	return take_remedies(out, rd, map);
}

static int by_id(const void *a, const void *b)
{
	const struct rule *const *x = a, *const *y = b;
	int r = strcmp((*x)->id, (*y)->id);

	return r ? r : (*x > *y) - (*x < *y);
}

/* Names the later one. */
static int check_ids(struct pack_reader *rd, node_ptr list)
{
	_cleanup_(mem_freep) const struct rule **sorted = mem_alloc(rd->policy->count * sizeof(*sorted));
	size_t twice = SIZE_MAX;
	node_ptr n;

	for (size_t i = 0; i < rd->policy->count; i++)
		sorted[i] = &rd->policy->rules[i];
	qsort(sorted, rd->policy->count, sizeof(*sorted), by_id);
	for (size_t i = 1; i < rd->policy->count; i++)
		if (!strcmp(sorted[i]->id, sorted[i - 1]->id) && (size_t)(sorted[i] - rd->policy->rules) < twice)
			twice = (size_t)(sorted[i] - rd->policy->rules);
	if (twice == SIZE_MAX)
		return 0;
	n = document_first(rd->doc, list);
	for (size_t i = 0; i < twice; i++)
		n = document_next(rd->doc, n);
	return document_error(rd->err, rd->doc, document_get(rd->doc, n, "id"), "there is a rule '%s' already",
			      rd->policy->rules[twice].id);
}

static int take_rules(struct pack_reader *rd, node_ptr top)
{
	node_ptr list;

	if (need(&list, rd, top, "rules") < 0)
		return rd->err->code;
	if (list->kind != DOCUMENT_LIST || !list->count)
		return refuse(rd, list, "a list of rules belongs here");
	if (list->count > POLICY_RULES_MAX)
		return refuse(rd, list, "more than 10000 rules");
	rd->policy->rules = mem_alloc(list->count * sizeof(*rd->policy->rules));
	for (node_ptr n = document_first(rd->doc, list); n; n = document_next(rd->doc, n))
		if (take_rule(&rd->policy->rules[rd->policy->count++], rd, n) < 0)
			return rd->err->code;
	return check_ids(rd, list);
}

static int take_pack(struct pack_reader *rd)
{
	static const char *const keys[] = { "holdfast-policy", "pack", "title", "driver", "rules", NULL };
	node_ptr top = document_top(rd->doc), version, driver;

	if (check_keys(rd, top, keys) < 0 || need(&version, rd, top, "holdfast-policy") < 0)
		return rd->err->code;
	if (version->kind != DOCUMENT_TEXT || strcmp(version->text, "1") != 0)
		return refuse(rd, version, "this version of the language is not known; there is 1");
	if (take_id(&rd->policy->name, rd, top, "pack") < 0 || take_text(&rd->policy->title, rd, top, "title", true) < 0 ||
	    take_text(&rd->policy->driver, rd, top, "driver", true) < 0 || need(&driver, rd, top, "driver") < 0)
		return rd->err->code;
	rd->form = form_of(rd->policy->driver);
	if (!rd->form)
		return document_error(rd->err, rd->doc, driver, "no driver '%.60s'; there is frr, files and weos", rd->policy->driver);
	return take_rules(rd, top);
}

int policy_read(struct policy **out, const char *name, struct bytes text, struct error *err)
{
	_cleanup_(document_done) struct document doc = { 0 };
	_cleanup_(policy_freep) struct policy *policy = NULL;
	struct pack_reader rd = { .doc = &doc, .err = err };
	int r = document_read(&doc, name, text, POLICY_BYTES_MAX, err);

	if (r < 0)
		return r;
	rd.policy = policy = mem_alloc(sizeof(*policy));
	r = take_pack(&rd);
	if (r < 0)
		return r;
	*out = steal(policy);
	return 0;
}

/* ---- the end ---- */

static void list_done(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

static void context_done(struct context *c)
{
	for (size_t i = 0; i < POLICY_STEPS_MAX; i++)
		pattern_free(c->step[i]);
	free(c->text);
}

static void check_done(struct check *c)
{
	for (size_t i = 0; i < c->part_count; i++)
		check_done(&c->part[i]);
	free(c->part);
	context_done(&c->context);
	context_done(&c->left.context);
	context_done(&c->right.context);
	pattern_free(c->line);
	pattern_free(c->left.line);
	pattern_free(c->right.line);
	list_done(c->among, c->among_count);
	list_done(c->not_among, c->not_among_count);
}

static void check_free(struct check *c)
{
	if (c)
		check_done(c);
	free(c);
}

static void rule_done(struct rule *rule)
{
	char *const texts[] = { rule->id, rule->title, rule->rationale, rule->model, rule->firmware_from, rule->firmware_below };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(texts[i]);
	list_done(rule->requires, rule->require_count);
	list_done(rule->references, rule->reference_count);
	context_done(&rule->context);
	check_free(rule->when);
	check_free(rule->doubt);
	check_done(&rule->check);
	for (size_t i = 0; i < rule->remedy_count; i++) {
		free(rule->remedy[i].context);
		list_done(rule->remedy[i].lines, rule->remedy[i].line_count);
	}
	free(rule->remedy);
}

struct policy *policy_free(struct policy *policy)
{
	if (!policy)
		return NULL;
	for (size_t i = 0; i < policy->count; i++)
		rule_done(&policy->rules[i]);
	free(policy->rules);
	free(policy->name);
	free(policy->title);
	free(policy->driver);
	free(policy);
	return NULL;
}

void policy_freep(struct policy **policy)
{
	*policy = policy_free(*policy);
}

const struct rule *policy_rule(const struct policy *policy, const char *id)
{
	for (size_t i = 0; i < policy->count; i++)
		if (!strcmp(policy->rules[i].id, id))
			return &policy->rules[i];
	return NULL;
}
