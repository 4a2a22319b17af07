/* cli/remedy-files.c -- what puts failed rules right in files: directives in the place of those that are there. */
#include "cli/remedy.h"

#include "policies/files-text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { STEPS_OF_A_MATCH = 1 << 20 };

/* ---- lines of one part ---- */

struct lines {
	char **at;
	size_t count;
};

/* A file may hold secrets. */
static void wipe(char *line)
{
	explicit_bzero(line, strlen(line));
	free(line);
}

static void lines_done(struct lines *l)
{
	for (size_t i = 0; i < l->count; i++)
		wipe(l->at[i]);
	free(l->at);
}

static void insert(struct lines *l, size_t where, const char *text)
{
	l->at = mem_grow(l->at, (l->count + 1) * sizeof(*l->at));
	memmove(&l->at[where + 1], &l->at[where], (l->count++ - where) * sizeof(*l->at));
	l->at[where] = mem_strdup(text);
}

static void drop(struct lines *l, size_t i)
{
	wipe(l->at[i]);
	memmove(&l->at[i], &l->at[i + 1], (--l->count - i) * sizeof(*l->at));
}

static struct lines lines_of(struct bytes content)
{
	struct lines l = { 0 };
	struct bytes line;

	while (bytes_next_line(&content, &line)) {
		_cleanup_(mem_freep) char *text = mem_strndup((const char *)line.ptr, line.len);

		insert(&l, l.count, text);
	}
	return l;
}

static void join(struct buf *out, const struct lines *l)
{
	for (size_t i = 0; i < l->count; i++)
		buf_addf(out, "%s\n", l->at[i]);
}

/* ---- what lines begin with ---- */

static const char *skip(const char *text)
{
	return text + strspn(text, " \t");
}

/* sshd takes "Keyword=value", too. */
static size_t word_len(const char *text)
{
	return strcspn(text, " \t=");
}

static bool same_word(const char *a, const char *b)
{
	size_t n = word_len(a);

	return n && n == word_len(b) && !strncasecmp(a, b, n);
}

/* Does a line begin with these words? */
static bool begins(const char *line, const char *words)
{
	line = skip(line);
	for (words = skip(words); *words; words = skip(words + word_len(words)), line = skip(line + word_len(line)))
		if (!same_word(line, words))
			return false;
	return true;
}

/* ---- blocks: all of a part, or what stands under one of sshd's `Match` ---- */

struct span {
	size_t from, to;
};

static bool is_match(const char *line)
{
	return same_word(skip(line), "match");
}

static size_t next_match(const struct lines *l, size_t from)
{
	while (from < l->count && !is_match(l->at[from]))
		from++;
	return from;
}

static struct span span_of(const struct lines *l, bool is_sshd)
{
	return (struct span){ 0, is_sshd ? next_match(l, 0) : l->count };
}

/* ---- one line of a remedy ---- */

static void take_away(struct lines *l, struct span *span, const char *words)
{
	for (size_t i = span->from; i < span->to;) {
		if (begins(l->at[i], words)) {
			drop(l, i);
			span->to--;
		} else {
			i++;
		}
	}
}

static bool is_there(const struct lines *l, const struct span *span, const char *line)
{
	for (size_t i = span->from; i < span->to; i++)
		if (!strcmp(skip(l->at[i]), line))
			return true;
	return false;
}

/* Rules of rsyslog begin with what they select, and many may select the same. */
static void add(struct lines *l, struct span *span, const char *line)
{
	if (!is_there(l, span, line))
		insert(l, span->to++, line);
}

static size_t first_of(const struct lines *l, const struct span *span, const char *line)
{
	size_t i = span->from;

	while (i < span->to && !same_word(skip(l->at[i]), line))
		i++;
	return i;
}

static size_t behind_last_of(const struct lines *l, const struct span *span, const char *line)
{
	size_t i = span->to;

	while (i > span->from && !same_word(skip(l->at[i - 1]), line))
		i--;
	return i;
}

/* is_first: no line of the remedy before it begins with the same word. */
static void replace(struct lines *l, struct span *span, const char *line, bool is_first)
{
	_cleanup_(mem_freep) char *word = mem_strndup(line, word_len(line));
	size_t where = is_first ? first_of(l, span, line) : behind_last_of(l, span, line);

	if (is_first)
		take_away(l, span, word); /* those before `where` have another one */
	insert(l, where < span->to ? where : span->to, line);
	span->to++;
}

static bool is_first_of_its_word(const struct lines *wanted, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (same_word(wanted->at[k], wanted->at[i]))
			return false;
	return true;
}

static void edit(struct lines *l, struct span span, struct bytes format, const struct lines *wanted)
{
	for (size_t i = 0; i < wanted->count; i++) {
		const char *line = wanted->at[i];

		if (!strncmp(line, "no ", 3))
			take_away(l, &span, line + 3);
		else if (bytes_is(format, "rsyslog") && *line != '$')
			add(l, &span, line);
		else
			replace(l, &span, line, is_first_of_its_word(wanted, i));
	}
}

/* Under every `Match` that the second step of the context means. Only what is taken away makes sense there, or what is in it already. */
static void edit_matches(struct lines *l, const struct pattern *match, struct bytes format, const struct lines *wanted)
{
	struct purse purse = { .left = STEPS_OF_A_MATCH };

	for (size_t at = next_match(l, 0); at < l->count; at = next_match(l, at + 1)) {
		_cleanup_(mem_freep) char *head = mem_printf("match%s", skip(l->at[at]) + 5);

		if (pattern_match(match, bytes_str(head), NULL, &purse) == MATCH_YES)
			edit(l, (struct span){ at + 1, next_match(l, at + 1) }, format, wanted);
	}
}

/* ---- the parts that a context means ---- */

struct editing {
	const struct remedy *remedy;
	struct pattern *part, *match; /* match: NULL for the part itself */
	struct lines wanted;
	size_t found;
};

static void editing_done(struct editing *e)
{
	pattern_free(e->part);
	pattern_free(e->match);
	lines_done(&e->wanted);
}

static int read_context(struct editing *e, struct error *err)
{
	_cleanup_(mem_freep) char *copy = mem_strdup(e->remedy->context);
	char *save, *step = strtok_r(copy, "/", &save);
	int r;

	step = step ? strtok_r(NULL, "/", &save) : NULL;
	if (!step)
		return error_set(err, E_FORMAT, "its remedy names no part");
	r = pattern_new_words(&e->part, step, err);
	step = strtok_r(NULL, "/", &save);
	return r == 0 && step ? pattern_new_words(&e->match, step, err) : r;
}

static int render(struct editing *e, const struct remedy_values *values, struct error *err)
{
	for (size_t i = 0; i < e->remedy->line_count; i++) {
		_cleanup_(buf_done) struct buf line = { 0 };
		int r = values->render(values->ctx, &line, bytes_str(e->remedy->lines[i]), err);

		if (r < 0)
			return r;
		insert(&e->wanted, e->wanted.count, buf_text(&line));
	}
	return 0;
}

static bool is_meant(const struct editing *e, struct bytes head)
{
	struct purse purse = { .left = STEPS_OF_A_MATCH };

	return pattern_match(e->part, head, NULL, &purse) == MATCH_YES;
}

/* Its line in the text. */
static struct bytes head_of(const struct files_part *part)
{
	const uint8_t *from = part->format.ptr - (sizeof("part ") - 1);

	return bytes_of(from, (size_t)(part->path.ptr + part->path.len - from));
}

static int edit_part(struct buf *out, struct editing *e, const struct files_part *part, struct error *err)
{
	_cleanup_(buf_done) struct buf content = { 0 }, made = { 0 };
	struct lines l;
	int r = files_content(&content, part, err);

	if (r < 0)
		return r;
	l = lines_of(buf_bytes(&content));
	if (e->match)
		edit_matches(&l, e->match, part->format, &e->wanted);
	else
		edit(&l, span_of(&l, bytes_is(part->format, "sshd")), part->format, &e->wanted);
	join(&made, &l);
	lines_done(&l);
	files_put(out, part, buf_bytes(&made));
	e->found++;
	return 0;
}

static int edit_parts(struct buf *out, struct editing *e, struct bytes text, struct error *err)
{
	struct files_text parsed;
	const uint8_t *rest = text.ptr;
	int r = files_parse(&parsed, text, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < parsed.count && r == 0; i++) {
		const struct files_part *part = &parsed.parts[i];
		struct bytes head = head_of(part);

		if (!is_meant(e, head) || (part->kind != FILES_TEXT && part->kind != FILES_TEXT_OPEN))
			continue;
		buf_add_bytes(out, bytes_of(rest, (size_t)(head.ptr - rest)));
		r = edit_part(out, e, part, err);
		rest = part->body.len ? part->body.ptr + part->body.len : head.ptr + head.len + 1;
	}
	buf_add_bytes(out, bytes_of(rest, (size_t)(text.ptr + text.len - rest)));
	files_text_done(&parsed);
	return r;
}

int remedy_edit(struct buf *out, const char **why, const struct rule *rule, struct bytes text, const struct remedy_values *values,
		struct error *err)
{
	_cleanup_(buf_done) struct buf now = { 0 };

	buf_add_bytes(&now, text);
	for (size_t i = 0; i < rule->remedy_count; i++) {
		_cleanup_(editing_done) struct editing e = { .remedy = &rule->remedy[i] };
		_cleanup_(buf_done) struct buf next = { 0 };

		if (read_context(&e, err) < 0 || render(&e, values, err) < 0 || edit_parts(&next, &e, buf_bytes(&now), err) < 0)
			return err->code;
		if (!e.found) {
			*why = "there is no file of this kind whose text is known";
			return REMEDY_BY_HAND;
		}
		buf_truncate(&now, 0);
		buf_add_bytes(&now, buf_bytes(&next));
	}
	buf_add_bytes(out, buf_bytes(&now));
	return 0;
}
