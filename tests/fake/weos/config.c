/* tests/fake/weos/config.c -- a configuration as a tree of lines, its grammar as a table, and its two spellings. */
#include "tests/fake/weos/config.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the tree ---- */

struct node *node_new(void)
{
	return mem_alloc(sizeof(struct node));
}

struct node *node_free(struct node *node)
{
	while (node && node->first) {
		struct node *kid = node->first;

		node->first = kid->next;
		node_free(kid);
	}
	if (node) {
		mem_freep(&node->key);
		mem_freep(&node->value);
		free(node);
	}
	return NULL;
}

void node_freep(struct node **node)
{
	*node = node_free(*node);
}

struct node *node_copy(const struct node *node)
{
	struct node *copy = node_new(), **end = &copy->first;

	copy->rule = node->rule;
	copy->key = node->key ? mem_strdup(node->key) : NULL;
	copy->value = node->value ? mem_strdup(node->value) : NULL;
	for (const struct node *kid = node->first; kid; kid = kid->next, end = &(*end)->next)
		*end = node_copy(kid);
	return copy;
}

static size_t node_count(const struct node *node)
{
	size_t count = 1;

	for (const struct node *kid = node->first; kid; kid = kid->next)
		count += node_count(kid);
	return count;
}

/* In the order of the grammar, instances in the order of their numbers. */
static bool comes_before(const struct node *a, const struct rule *rule, const char *key)
{
	return a->rule != rule ? a->rule < rule : strverscmp(a->key, key) < 0;
}

static struct node **find_link(struct node *in, const char *key)
{
	struct node **link = &in->first;

	while (*link && strcmp((*link)->key, key) != 0)
		link = &(*link)->next;
	return link;
}

static void remove_node(struct node *in, const char *key)
{
	struct node **link = find_link(in, key), *node = *link;

	if (node) {
		*link = node->next;
		node_free(node);
	}
}

void config_drop(struct node *in, const struct node *kid)
{
	remove_node(in, kid->key);
}

static struct node *put_node(struct node *in, const struct rule *rule, const char *key, const char *value)
{
	struct node **link = find_link(in, key), *node = *link;

	if (!node) {
		for (link = &in->first; *link && comes_before(*link, rule, key);)
			link = &(*link)->next;
		node = node_new();
		*node = (struct node){ .rule = rule, .key = mem_strdup(key), .next = *link };
		*link = node;
	}
	mem_freep(&node->value);
	node->value = mem_strdup(value);
	return node;
}

const struct node *config_find(const struct node *root, const char *block, const char *key)
{
	const struct node *in = *find_link((struct node *)root, block), *kid = in ? in->first : NULL;

	while (kid && strcmp(kid->key, key) != 0)
		kid = kid->next;
	return kid;
}

/* ---- the grammar ---- */

extern const struct rule config_rules[];

const char *config_place(char out[static 64], const struct node *node)
{
	snprintf(out, 64, "%s%s%s", node->rule ? node->rule->parent : "", node->rule ? "/" : "", node->rule ? node->rule->word : "");
	return out;
}

static bool knows(const struct rule *rule, const char *place, unsigned weos)
{
	return strcmp(rule->parent, place) == 0 && rule->flags & (weos == 4 ? RULE_4 : RULE_5);
}

/* A whole word, or the beginning of one only. */
static const struct rule *find_rule(const char *place, unsigned weos, const char *word)
{
	const struct rule *found = NULL;
	size_t len = strlen(word);

	for (const struct rule *rule = config_rules; rule->parent; rule++) {
		if (!knows(rule, place, weos) || strncmp(rule->word, word, len) != 0)
			continue;
		if (!rule->word[len])
			return rule;
		if (found)
			return NULL;
		found = rule;
	}
	return len ? found : NULL;
}

void config_help(struct buf *out, const char *place, unsigned weos)
{
	for (const struct rule *rule = config_rules; rule->parent; rule++)
		if (knows(rule, place, weos))
			buf_addf(out, "  %s%s\n", rule->word, rule->flags & RULE_BLOCK ? " ..." : "");
}

size_t config_words(char **word, size_t max, char *line)
{
	size_t count = 0;

	while (count < max) {
		char *end, stop = ' ';

		line += strspn(line, " \t");
		if (!*line)
			break;
		if (*line == '"') {
			stop = '"';
			line++;
		}
		word[count++] = line;
		end = stop == '"' ? strchr(line, '"') : line + strcspn(line, " \t");
		if (!end || !*end)
			break;
		*end = 0;
		line = end + 1;
	}
	return count;
}

static void add_word(struct buf *out, const char *word)
{
	bool is_quoted = !*word || strpbrk(word, " \t");

	buf_addf(out, "%s%s%s%s", out->len ? " " : "", is_quoted ? "\"" : "", word, is_quoted ? "\"" : "");
}

static void join(struct buf *out, const char *first, char *const *word, size_t from, size_t to)
{
	if (first)
		buf_add_str(out, first);
	for (size_t i = from; i < to; i++)
		add_word(out, word[i]);
}

/* The value as RAM has it: an encrypted token is opened. False: it does not open. */
static bool read_value(struct buf *out, const struct rule *rule, char *const *word, size_t count, struct secrets *secrets)
{
	size_t from = 1u + rule->keys;

	if (!(rule->flags & RULE_SECRET) || count != from + 1 || word[from][0] != '$' || !secrets) {
		join(out, NULL, word, from, count);
		return true;
	}
	return secrets->open(secrets->ctx, out, word[from]);
}

static int set_no(struct node *in, const struct rule *rule, const char *key)
{
	_cleanup_(mem_freep) char *off = mem_printf("no %s", key);

	remove_node(in, key);
	if (rule->flags & RULE_NO)
		put_node(in, rule, off, "");
	return 0;
}

static int check_words(const struct rule *rule, size_t count, bool no, struct error *err)
{
	size_t least = 1u + rule->keys;

	if (no && rule->flags & RULE_BLOCK && count > least)
		return error_set(err, E_FORMAT, "too many words");
	if (count < least && !no)
		return error_set(err, E_FORMAT, "incomplete line");
	if (count > least && rule->flags & RULE_BLOCK)
		return error_set(err, E_FORMAT, "too many words");
	return 0;
}

int config_line(struct node **opened, bool *is_new, struct node *in, unsigned weos, char *const *word, size_t count, bool no,
		struct secrets *secrets, struct error *err)
{
	_cleanup_(buf_done) struct buf key = { 0 }, value = { 0 };
	_cleanup_(mem_freep) char *off = NULL;
	char place[64];
	const struct rule *rule = count ? find_rule(config_place(place, in), weos, word[0]) : NULL;
	size_t keys;
	int r;

	*opened = NULL;
	*is_new = false;
	if (!rule)
		return error_set(err, E_FORMAT, "invalid input");
	r = check_words(rule, count, no, err);
	if (r < 0)
		return r;
	keys = count < 1u + rule->keys ? count : 1u + rule->keys;
	join(&key, rule->word, word, 1, keys);
	if (no)
		return set_no(in, rule, buf_text(&key));
	off = mem_printf("no %s", buf_text(&key));
	remove_node(in, off);
	if (rule->flags & RULE_BLOCK) {
		*is_new = !*find_link(in, buf_text(&key));
		*opened = *is_new ? put_node(in, rule, buf_text(&key), "") : *find_link(in, buf_text(&key));
		return node_count(in) > CONFIG_NODES_MAX ? error_set(err, E_LIMIT, "too many lines") : 0;
	}
	if (!read_value(&value, rule, word, count, secrets)) {
		secrets->unreadable++;
		return 0;
	}
	put_node(in, rule, buf_text(&key), buf_text(&value));
	return node_count(in) > CONFIG_NODES_MAX ? error_set(err, E_LIMIT, "too many lines") : 0;
}

/* ---- lines ---- */

static void add_value(struct buf *out, const struct node *node, const struct secrets *secrets)
{
	if (node->rule->flags & RULE_SECRET && *node->value && secrets)
		secrets->hide(secrets->ctx, out, node->value);
	else
		buf_add_str(out, node->value);
}

static void indent(struct buf *out, unsigned depth)
{
	while (depth--)
		buf_add_char(out, '\t');
}

void config_print_lines(struct buf *out, const struct node *block, unsigned depth, const struct secrets *secrets)
{
	for (const struct node *node = block->first; node; node = node->next) {
		bool is_off = strncmp(node->key, "no ", 3) == 0;

		indent(out, depth);
		buf_add_str(out, node->key);
		if (*node->value)
			buf_add_char(out, ' ');
		add_value(out, node, secrets);
		buf_add_char(out, '\n');
		if (node->rule->flags & RULE_BLOCK && !is_off) {
			config_print_lines(out, node, depth + 1, secrets);
			indent(out, depth + 1);
			buf_add_str(out, "end\n");
		}
		if (depth == 0 && !block->rule)
			buf_add_char(out, '\n'); /* between sections */
	}
}

struct reading {
	struct node *stack[CONFIG_DEPTH_MAX];
	size_t depth;
	unsigned weos;
	struct secrets *secrets;
};

static int read_words(struct reading *rd, char **word, size_t count, struct error *err)
{
	struct node *opened;
	bool is_new, no = count && strcmp(word[0], "no") == 0;
	int r;

	if (count == 1 && strcmp(word[0], "end") == 0) {
		rd->depth -= rd->depth > 1;
		return 0;
	}
	r = config_line(&opened, &is_new, rd->stack[rd->depth - 1], rd->weos, word + no, count - no, no, rd->secrets, err);
	if (r < 0 || !opened)
		return r;
	if (rd->depth == CONFIG_DEPTH_MAX)
		return error_set(err, E_LIMIT, "too deep");
	rd->stack[rd->depth++] = opened;
	return 0;
}

static int read_lines(struct node *root, struct bytes text, unsigned weos, struct secrets *secrets, struct error *err)
{
	struct reading rd = { .stack = { root }, .depth = 1, .weos = weos, .secrets = secrets };
	struct bytes line;
	size_t number = 0;

	while (bytes_next_line(&text, &line)) {
		_cleanup_(mem_freep) char *copy = NULL;
		char *word[CONFIG_WORDS_MAX];
		size_t count;

		number++;
		if (line.len > CONFIG_LINE_MAX)
			return error_set(err, E_LIMIT, "line %zu is too long", number);
		copy = mem_strndup((const char *)line.ptr, line.len);
		copy[strcspn(copy, "\r")] = 0;
		count = config_words(word, CONFIG_WORDS_MAX, copy);
		if (count == 0 || word[0][0] == '#')
			continue;
		if (read_words(&rd, word, count, err) < 0)
			return error_add(err, "line %zu", number);
	}
	return rd.depth > 1 ? error_set(err, E_FORMAT, "line %zu: the last block is not closed", number) : 0;
}

/* ---- JSON ---- */

static json_t *json_of(const struct node *block, const struct secrets *secrets);

static json_t *json_value(const struct node *node, const struct secrets *secrets)
{
	_cleanup_(buf_done) struct buf value = { 0 };
	uint64_t number;

	add_value(&value, node, secrets);
	if (value.len == 0)
		return json_true();
	if (number_parse(&number, buf_bytes(&value)))
		return json_integer((json_int_t)number);
	return json_string(buf_text(&value));
}

/* "vlan 1" is {"vlan": {"1": ...}}. */
static void json_put(json_t *out, const struct node *node, const struct secrets *secrets)
{
	bool is_off = strncmp(node->key, "no ", 3) == 0;
	const char *rest = node->key + (is_off ? 3 : 0) + strlen(node->rule->word);
	json_t *value = is_off ? json_false() : node->rule->flags & RULE_BLOCK ? json_of(node, secrets) : json_value(node, secrets), *group;

	if (node->rule->keys == 0) {
		json_object_set_new(out, node->rule->word, value);
		return;
	}
	group = json_object_get(out, node->rule->word);
	if (!group) {
		group = json_object();
		json_object_set_new(out, node->rule->word, group);
	}
	json_object_set_new(group, *rest == ' ' ? rest + 1 : rest, value);
}

static json_t *json_of(const struct node *block, const struct secrets *secrets)
{
	json_t *out = json_object();

	for (const struct node *node = block->first; node; node = node->next)
		json_put(out, node, secrets);
	return out;
}

void config_print_json(struct buf *out, const struct node *root, const struct secrets *secrets)
{
	json_t *all = json_of(root, secrets);
	_cleanup_(mem_freep) char *text = json_dumps(all, JSON_INDENT(2));

	buf_addf(out, "%s\n", text);
	json_decref(all);
}

static int read_object(struct reading *rd, json_t *object, struct error *err);

/* One setting, spelled as the line that would make it. */
static int read_member(struct reading *rd, const char *key, json_t *value, struct error *err)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	char *word[CONFIG_WORDS_MAX];
	size_t depth = rd->depth;
	int r;

	buf_addf(&line, "%s%s", json_is_false(value) ? "no " : "", key);
	if (json_is_string(value))
		buf_addf(&line, " %s", json_string_value(value));
	else if (json_is_integer(value))
		buf_addf(&line, " %lld", (long long)json_integer_value(value));
	else if (!json_is_object(value) && !json_is_boolean(value))
		return error_set(err, E_FORMAT, "a value of a kind that is not known");
	if (line.len > CONFIG_LINE_MAX)
		return error_set(err, E_LIMIT, "a value is too long");
	r = read_words(rd, word, config_words(word, CONFIG_WORDS_MAX, (char *)line.ptr), err);
	if (r == 0 && json_is_object(value))
		r = rd->depth == depth ? error_set(err, E_FORMAT, "an object where a value belongs") : read_object(rd, value, err);
	rd->depth = depth;
	return r;
}

static int read_object(struct reading *rd, json_t *object, struct error *err)
{
	char place[64];
	const char *key, *instance;
	json_t *value, *inner;
	int r = 0;

	config_place(place, rd->stack[rd->depth - 1]);
	json_object_foreach(object, key, value) {
		const struct rule *rule = find_rule(place, rd->weos, key);

		if (!rule || strcmp(rule->word, key) != 0)
			return error_set(err, E_FORMAT, "invalid input");
		if (rule->keys == 0) {
			r = read_member(rd, key, value, err);
		} else {
			json_object_foreach(value, instance, inner) {
				_cleanup_(mem_freep) char *both = mem_printf("%s %s", key, instance);

				r = read_member(rd, both, inner, err);
				if (r < 0)
					return r;
			}
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_json(struct node *root, struct bytes text, unsigned weos, struct secrets *secrets, struct error *err)
{
	struct reading rd = { .stack = { root }, .depth = 1, .weos = weos, .secrets = secrets };
	json_error_t where;
	json_t *all = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &where);
	int r;

	if (!json_is_object(all)) {
		json_decref(all);
		return error_set(err, E_FORMAT, "line %d: not a JSON object", where.line);
	}
	r = read_object(&rd, all, err);
	json_decref(all);
	return r;
}

int config_read(struct node **out, struct bytes text, unsigned weos, struct secrets *secrets, struct error *err)
{
	_cleanup_(node_freep) struct node *root = node_new();
	size_t at = 0;
	int r;

	if (text.len > CONFIG_TEXT_MAX)
		return error_set(err, E_LIMIT, "the configuration is too long");
	while (at < text.len && isspace(text.ptr[at]))
		at++;
	if (at == text.len)
		return error_set(err, E_FORMAT, "the configuration is empty");
	r = text.ptr[at] == '{' ? read_json(root, text, weos, secrets, err) : read_lines(root, text, weos, secrets, err);
	if (r < 0)
		return r;
	*out = steal(root);
	return 0;
}
