/* policies/pattern.c -- what a rule looks for in one line. */
#include "policies/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

static const char out_of_steps[] = "the rule takes more steps than it may";
static const char too_many_steps[] = "a regular expression takes more steps on one line than it may";

enum { WORD_COST = 16 }; /* of looking at a word, however short, in bytes */

enum word_kind { WORD_PLAIN, WORD_GLOB, WORD_ANY, WORD_VALUE, WORD_REST, WORD_TAIL };

struct word {
	enum word_kind kind;
	struct bytes text;
};

struct pattern {
	char *text;
	uint32_t first;
	bool takes_value;
	struct word *words; /* borrow from text */
	size_t count;
	pcre2_code *code; /* NULL: words */
	size_t compiled;
	bool is_anchored;
};

struct pattern_room {
	pcre2_match_data *data;
	pcre2_match_context *context;
};

const char *pattern_text(const struct pattern *p)
{
	return p->text;
}

bool pattern_takes_value(const struct pattern *p)
{
	return p->takes_value;
}

size_t pattern_compiled_size(const struct pattern *p)
{
	return p->compiled;
}

uint32_t pattern_first(const struct pattern *p)
{
	return p->first;
}

/* FNV-1a */
uint32_t pattern_hash(struct bytes word)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < word.len; i++)
		hash = (hash ^ word.ptr[i]) * 16777619u;
	return hash ? hash : 1;
}

struct pattern *pattern_free(struct pattern *p)
{
	if (!p)
		return NULL;
	pcre2_code_free(p->code);
	free(p->words);
	free(p->text);
	free(p);
	return NULL;
}

static void pattern_freep(struct pattern **p)
{
	*p = pattern_free(*p);
}

/* ---- making ---- */

static enum word_kind kind_of(struct bytes word)
{
	if (bytes_is(word, "..."))
		return WORD_TAIL;
	if (bytes_is(word, "<value>"))
		return WORD_VALUE;
	if (bytes_is(word, "<rest>"))
		return WORD_REST;
	if (bytes_is(word, "*"))
		return WORD_ANY;
	return memchr(word.ptr, '*', word.len) || memchr(word.ptr, '|', word.len) ? WORD_GLOB : WORD_PLAIN;
}

static struct bytes next_word(struct bytes *rest)
{
	struct bytes word;
	size_t n = 0;

	while (rest->len && rest->ptr[0] == ' ')
		*rest = bytes_from(*rest, 1);
	while (n < rest->len && rest->ptr[n] != ' ')
		n++;
	word = bytes_of(rest->ptr, n);
	*rest = bytes_from(*rest, n);
	return word;
}

static int check_text(const char *text, struct error *err)
{
	size_t len = strlen(text);

	if (!len)
		return error_set(err, E_FORMAT, "an empty pattern");
	if (len > PATTERN_LEN_MAX)
		return error_set(err, E_FORMAT, "a pattern of more than %d bytes", PATTERN_LEN_MAX);
	if (strpbrk(text, "\n\t"))
		return error_set(err, E_FORMAT, "a pattern with a line break or a tab");
	return 0;
}

static int add_word(struct pattern *p, struct bytes word, struct error *err)
{
	enum word_kind kind = kind_of(word);
	bool takes = kind == WORD_VALUE || kind == WORD_REST;

	if (p->count == PATTERN_WORDS_MAX)
		return error_set(err, E_FORMAT, "a pattern of more than %d words", PATTERN_WORDS_MAX);
	if (p->count && (p->words[p->count - 1].kind == WORD_TAIL || p->words[p->count - 1].kind == WORD_REST))
		return error_set(err, E_FORMAT, "'...' and '<rest>' stand at the end of a pattern only");
	if (takes && p->takes_value)
		return error_set(err, E_FORMAT, "a pattern takes one value only");
	p->takes_value |= takes;
	p->words[p->count++] = (struct word){ .kind = kind, .text = word };
	return 0;
}

int pattern_new_words(struct pattern **out, const char *text, struct error *err)
{
	_cleanup_(pattern_freep) struct pattern *p = NULL;
	struct bytes rest, word;

	if (check_text(text, err) < 0)
		return err->code;
	p = mem_alloc(sizeof(*p));
	p->text = mem_strdup(text);
	p->words = mem_alloc(PATTERN_WORDS_MAX * sizeof(*p->words));
	rest = bytes_str(p->text);
	while ((word = next_word(&rest)).len)
		if (add_word(p, word, err) < 0)
			return err->code;
	if (!p->count)
		return error_set(err, E_FORMAT, "an empty pattern");
	p->words = mem_grow(p->words, p->count * sizeof(*p->words));
	if (p->words[0].kind == WORD_PLAIN)
		p->first = pattern_hash(p->words[0].text);
	*out = steal(p);
	return 0;
}

static int compile(struct pattern *p, struct error *err)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	PCRE2_SIZE at = 0;
	PCRE2_UCHAR why[160];
	int code = 0;

	if (!context)
		return error_set(err, E_LIMIT, "no memory for a regular expression");
	pcre2_set_parens_nest_limit(context, PATTERN_NESTING_MAX);
	pcre2_set_max_pattern_length(context, PATTERN_LEN_MAX);
	p->code = pcre2_compile((PCRE2_SPTR)p->text, PCRE2_ZERO_TERMINATED, PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, context);
	pcre2_compile_context_free(context);
	if (p->code)
		return 0;
	pcre2_get_error_message(code, why, sizeof(why));
	return error_set(err, E_FORMAT, "a regular expression is wrong at its character %zu: %s", at + 1, (const char *)why);
}

int pattern_new_regex(struct pattern **out, const char *text, struct error *err)
{
	_cleanup_(pattern_freep) struct pattern *p = NULL;
	uint32_t groups = 0, options = 0;

	if (check_text(text, err) < 0)
		return err->code;
	if (strstr(text, "(*") || strstr(text, "(?C"))
		return error_set(err, E_FORMAT, "a regular expression with '(*' or '(?C'");
	p = mem_alloc(sizeof(*p));
	p->text = mem_strdup(text);
	if (compile(p, err) < 0)
		return err->code;
	pcre2_pattern_info(p->code, PCRE2_INFO_SIZE, &p->compiled);
	pcre2_pattern_info(p->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	pcre2_pattern_info(p->code, PCRE2_INFO_ALLOPTIONS, &options);
	if (p->compiled > PATTERN_COMPILED_MAX)
		return error_set(err, E_FORMAT, "a regular expression that becomes larger than %d bytes", PATTERN_COMPILED_MAX);
	p->is_anchored = options & PCRE2_ANCHORED;
	p->takes_value = groups == 1;
	*out = steal(p);
	return 0;
}

/* ---- the purse ---- */

bool purse_pay(struct purse *purse, uint64_t steps)
{
	if (purse->left < steps) {
		purse->left = 0;
		if (!purse->empty)
			purse->empty = out_of_steps;
		return false;
	}
	purse->left -= steps;
	return true;
}

void purse_done(struct purse *purse)
{
	if (purse->room) {
		pcre2_match_data_free(purse->room->data);
		pcre2_match_context_free(purse->room->context);
	}
	free(purse->room);
	purse->room = NULL;
}

/* One for all patterns: each would keep up to PATTERN_HEAP_MAX of its own. NULL: there is no memory. */
static struct pattern_room *room_of(struct purse *purse)
{
	struct pattern_room *room = purse->room;

	if (room)
		return room;
	room = purse->room = mem_alloc(sizeof(*room));
	room->data = pcre2_match_data_create(2, NULL); /* the whole, and one group */
	room->context = pcre2_match_context_create(NULL);
	if (!room->data || !room->context) {
		purse->empty = "there is no memory for a regular expression";
		purse_done(purse);
		return NULL;
	}
	pcre2_set_depth_limit(room->context, PATTERN_DEPTH_MAX);
	pcre2_set_heap_limit(room->context, PATTERN_HEAP_MAX);
	return room;
}

/* ---- words ---- */

/* A star goes back to the last one only, so the time is the product of the lengths at most, and is added to *cost in bytes. */
static bool glob_one(struct bytes pattern, struct bytes text, uint64_t *cost)
{
	size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;

	while (t < text.len) {
		++*cost;
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = p++;
			resume = t;
		} else if (p < pattern.len && pattern.ptr[p] == text.ptr[t]) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++resume;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

static bool glob_any(struct bytes pattern, struct bytes text, uint64_t *cost)
{
	while (pattern.ptr) {
		const uint8_t *bar = memchr(pattern.ptr, '|', pattern.len);
		size_t len = bar ? (size_t)(bar - pattern.ptr) : pattern.len;

		*cost += WORD_COST;
		if (glob_one(bytes_of(pattern.ptr, len), text, cost))
			return true;
		if (!bar)
			break;
		pattern = bytes_from(pattern, len + 1);
	}
	return false;
}

static bool holds_secret(struct bytes text)
{
	return text.len >= sizeof(TREE_SECRET) - 1 && memmem(text.ptr, text.len, TREE_SECRET, sizeof(TREE_SECRET) - 1);
}

static enum match match_word(const struct word *w, struct bytes text, uint64_t *cost)
{
	bool is_same;

	if (w->kind == WORD_ANY || w->kind == WORD_VALUE)
		return MATCH_YES;
	is_same = w->kind == WORD_PLAIN ? bytes_equal(w->text, text) : glob_any(w->text, text, cost);
	if (holds_secret(text))
		return MATCH_MAYBE;
	return is_same ? MATCH_YES : MATCH_NO;
}

/* A secret is one word to us, and may have been several: behind one, the number of words says nothing. */
static enum match match_words(const struct pattern *p, struct bytes line, struct bytes *value, uint64_t *cost)
{
	enum match all = MATCH_YES;
	bool was_secret = false;

	for (size_t i = 0; i < p->count; i++) {
		const struct word *w = &p->words[i];
		struct bytes word;
		enum match one;

		if (w->kind == WORD_TAIL)
			return all;
		while (line.len && line.ptr[0] == ' ')
			line = bytes_from(line, 1);
		if (!line.len)
			return was_secret ? MATCH_MAYBE : MATCH_NO;
		if (w->kind == WORD_REST) {
			*value = line;
			return all;
		}
		word = next_word(&line);
		*cost += word.len + WORD_COST;
		was_secret |= holds_secret(word);
		one = match_word(w, word, cost);
		if (one == MATCH_NO && !was_secret)
			return MATCH_NO;
		if (one != MATCH_YES)
			all = MATCH_MAYBE;
		if (w->kind == WORD_VALUE)
			*value = word;
	}
	if (!line.len)
		return all;
	return was_secret ? MATCH_MAYBE : MATCH_NO;
}

static enum match match_words_for(const struct pattern *p, struct bytes line, struct bytes *value, struct purse *purse)
{
	uint64_t cost = 0;
	enum match m = match_words(p, line, value, &cost);

	return purse_pay(purse, cost / PATTERN_BYTES_PER_STEP) ? m : MATCH_MAYBE;
}

/* ---- regular expressions ---- */

struct attempt {
	struct bytes subject;
	uint32_t options;
};

/* PCRE2 counts anew from each place in the line where a match may begin, and one of its steps may run along the line. */
static int try(const struct pattern *p, const struct attempt *a, uint32_t steps, struct purse *purse)
{
	uint64_t begins = p->is_anchored ? 1 : a->subject.len + 1;

	if (!purse_pay(purse, steps * begins * (1 + a->subject.len / 256)) || !room_of(purse))
		return PCRE2_ERROR_MATCHLIMIT;
	pcre2_set_match_limit(purse->room->context, steps);
	return pcre2_match(p->code, a->subject.ptr, a->subject.len, 0, a->options, purse->room->data, purse->room->context);
}

static int try_on(const struct pattern *p, const struct attempt *a, struct purse *purse)
{
	const uint32_t steps[] = { PATTERN_STEPS_FIRST, PATTERN_STEPS_SECOND, PATTERN_STEPS_THIRD,
				   purse->regex_steps ? purse->regex_steps : PATTERN_STEPS_MAX };
	int r = PCRE2_ERROR_MATCHLIMIT;

	for (size_t i = 0; i < ARRAY_SIZE(steps) && r == PCRE2_ERROR_MATCHLIMIT && !purse->empty; i++)
		r = try(p, a, steps[i], purse);
	return r;
}

static enum match judge(int r, const struct pattern *p, bool is_cut, struct purse *purse)
{
	if (r >= 0)
		return MATCH_YES;
	if (r == PCRE2_ERROR_NOMATCH)
		return is_cut && !p->is_anchored ? MATCH_MAYBE : MATCH_NO;
	if (r == PCRE2_ERROR_PARTIAL)
		return MATCH_MAYBE;
	if (!purse->empty)
		purse->empty = too_many_steps;
	return MATCH_MAYBE;
}

/* The line up to its first secret is all that can be said something about: where the expression wants to see more, nobody knows. */
static enum match match_regex(const struct pattern *p, struct bytes line, struct bytes *value, struct purse *purse)
{
	const uint8_t *secret = line.len ? memmem(line.ptr, line.len, TREE_SECRET, sizeof(TREE_SECRET) - 1) : NULL;
	struct attempt a = { .subject = line };
	enum match m;

	if (line.len > PATTERN_SUBJECT_MAX)
		return MATCH_MAYBE;
	if (secret) {
		a.subject.len = (size_t)(secret - line.ptr);
		a.options = PCRE2_PARTIAL_HARD;
	}
	m = judge(try_on(p, &a, purse), p, secret != NULL, purse);
	if (m == MATCH_YES && p->takes_value) {
		const PCRE2_SIZE *at = pcre2_get_ovector_pointer(purse->room->data);

		if (at[2] != PCRE2_UNSET)
			*value = bytes_of(line.ptr + at[2], at[3] - at[2]);
	}
	return m;
}

enum match pattern_match(const struct pattern *p, struct bytes line, struct bytes *value, struct purse *purse)
{
	struct bytes unused = { 0 };

	if (purse->empty || !purse_pay(purse, 1 + line.len / 64))
		return MATCH_MAYBE;
	if (value)
		*value = unused;
	return p->code ? match_regex(p, line, value ? value : &unused, purse) : match_words_for(p, line, value ? value : &unused, purse);
}
