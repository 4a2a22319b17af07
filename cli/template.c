/* cli/template.c -- a configuration with places for values. */
#include "cli/template.h"

#include "crypto/seal.h"

#include <string.h>

enum tag_kind { TAG_WORD, TAG_REST, TAG_EACH, TAG_NONE_OF, TAG_END, TAG_REMARK };

struct tag {
	enum tag_kind kind;
	size_t begin, end; /* in the template, the whole line when the tag is alone on it */
	char name[TEMPLATE_NAME_MAX + 1];
};

struct rendering {
	const struct template_job *job;
	struct buf *out;
	size_t begin; /* where our part of out begins */
	unsigned depth;
	const char *item; /* of the innermost list; NULL outside */
};

static size_t line_at(const struct rendering *r, size_t at)
{
	size_t line = 1;

	for (size_t i = 0; i < at; i++)
		line += r->job->text.ptr[i] == '\n';
	return line;
}

static int refuse(const struct rendering *r, size_t at, struct error *err)
{
	error_add(err, "template '%.200s' line %zu, device '%s'", r->job->name, line_at(r, at), r->job->device);
	return err->code = err->code == E_LIMIT ? E_LIMIT : E_FORMAT;
}

/* ---- tags ---- */

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* A tag that prints nothing and is alone on its line would leave an empty one. */
static void take_line(struct tag *tag, struct bytes text)
{
	size_t begin = tag->begin, end = tag->end;

	while (begin && is_blank(text.ptr[begin - 1]))
		begin--;
	while (end < text.len && is_blank(text.ptr[end]))
		end++;
	if ((begin && text.ptr[begin - 1] != '\n') || (end < text.len && text.ptr[end] != '\n'))
		return;
	tag->begin = begin;
	tag->end = end < text.len ? end + 1 : end;
}

static bool take_name(char out[static TEMPLATE_NAME_MAX + 1], struct bytes in)
{
	while (in.len && is_blank(in.ptr[0]))
		in = bytes_from(in, 1);
	while (in.len && is_blank(in.ptr[in.len - 1]))
		in.len--;
	if (!in.len || in.len > TEMPLATE_NAME_MAX)
		return false;
	for (size_t i = 0; i < in.len; i++)
		if (!in.ptr[i] || !strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", in.ptr[i]))
			return false;
	memcpy(out, in.ptr, in.len);
	out[in.len] = 0;
	return true;
}

static int bad_tag(struct bytes tag, struct error *err)
{
	size_t len = tag.len > 40 ? 40 : tag.len;
	const uint8_t *newline = memchr(tag.ptr, '\n', len);

	return error_set(err, E_FORMAT, "'%.*s' is no tag; write {{NAME}}, {{{NAME}}}, {{#NAME}}, {{^NAME}}, {{/NAME}} or {{! REMARK }}",
			 (int)(newline ? (size_t)(newline - tag.ptr) : len), (const char *)tag.ptr);
}

static int read_tag(struct tag *out, struct bytes text, size_t at, struct error *err)
{
	static const char marks[] = "#^/!";
	static const enum tag_kind kinds[] = { TAG_EACH, TAG_NONE_OF, TAG_END, TAG_REMARK };
	bool is_rest = at + 2 < text.len && text.ptr[at + 2] == '{';
	const char *close = is_rest ? "}}}" : "}}";
	size_t open = strlen(close);
	const uint8_t *end = memmem(text.ptr + at + open, text.len - at - open, close, open);
	struct bytes inside;
	const char *mark;

	if (!end)
		return bad_tag(bytes_from(text, at), err);
	inside = bytes_of(text.ptr + at + open, (size_t)(end - text.ptr) - at - open);
	*out = (struct tag){ .kind = is_rest ? TAG_REST : TAG_WORD, .begin = at, .end = (size_t)(end - text.ptr) + open };
	mark = !is_rest && inside.len && inside.ptr[0] ? strchr(marks, inside.ptr[0]) : NULL;
	if (mark) {
		out->kind = kinds[mark - marks];
		inside = bytes_from(inside, 1);
		take_line(out, text);
	}
	return out->kind == TAG_REMARK || take_name(out->name, inside) ? 0 : bad_tag(bytes_from(text, at), err);
}

/* The next tag that begins at or behind from and before to. 1: there is none. */
static int next_tag(struct tag *out, const struct rendering *r, size_t from, size_t to, struct error *err)
{
	struct bytes text = r->job->text;
	const uint8_t *at = memmem(text.ptr + from, to - from, "{{", 2);

	if (!at)
		return 1;
	if (read_tag(out, bytes_of(text.ptr, to), (size_t)(at - text.ptr), err) < 0)
		return refuse(r, (size_t)(at - text.ptr), err);
	if (out->begin < from) /* its line began with a tag that was taken already */
		out->begin = from;
	return 0;
}

/* ---- rendering ---- */

static int add(const struct rendering *r, const void *ptr, size_t len, size_t at, struct error *err)
{
	if (len > CONFIG_MAX - (r->out->len - r->begin)) {
		error_set(err, E_LIMIT, "it makes more than %d bytes", CONFIG_MAX);
		return refuse(r, at, err);
	}
	buf_add(r->out, ptr, len);
	return 0;
}

static int find(struct template_value *out, const struct rendering *r, const struct tag *tag, struct error *err)
{
	if (!strcmp(tag->name, ".")) {
		*out = (struct template_value){ .count = 1, .values = &r->item };
		if (r->item)
			return 0;
		error_set(err, E_FORMAT, "'.' stands outside of a list");
	} else if (r->job->find(r->job->ctx, tag->name, out)) {
		return 0;
	} else {
		error_set(err, E_FORMAT, "variable '%s' is not defined", tag->name);
	}
	return refuse(r, tag->begin, err);
}

/* The line as it stands so far. */
static struct bytes line_of(const struct rendering *r)
{
	size_t from = r->out->len;

	while (from > r->begin && r->out->ptr[from - 1] != '\n')
		from--;
	return bytes_of(r->out->ptr + from, r->out->len - from);
}

static int put_value(const struct rendering *r, const struct tag *tag, struct error *err)
{
	enum form_place place = tag->kind == TAG_REST ? FORM_REST : FORM_WORD;
	struct bytes text = r->job->text, value;
	struct template_value v;
	const char *why;

	if (find(&v, r, tag, err) < 0)
		return err->code;
	if (v.is_list) {
		error_set(err, E_FORMAT, "variable '%s' is a list; write {{#%s}}{{.}}{{/%s}}", tag->name, tag->name, tag->name);
		return refuse(r, tag->begin, err);
	}
	if (place == FORM_REST && tag->end < text.len && text.ptr[tag->end] != '\n') {
		error_set(err, E_FORMAT, "something stands behind {{{%s}}}, which takes the rest of its line", tag->name);
		return refuse(r, tag->begin, err);
	}
	value = bytes_str(v.values[0]);
	why = r->job->form->value_refused(line_of(r), value, place);
	if (!why)
		return add(r, value.ptr, value.len, tag->begin, err);
	error_set(err, E_FORMAT, "the value of '%s' cannot stand there: %s", tag->name, why);
	return refuse(r, tag->begin, err);
}

/* The tag that ends a section which began with `open`. */
static int find_end(struct tag *out, const struct rendering *r, const struct tag *open, size_t to, struct error *err)
{
	size_t from = open->end;
	unsigned inner = 0;
	int found;

	while ((found = next_tag(out, r, from, to, err)) == 0) {
		from = out->end;
		if (strcmp(out->name, open->name) != 0)
			continue;
		if (out->kind == TAG_END && !inner--)
			return 0;
		inner += out->kind == TAG_EACH || out->kind == TAG_NONE_OF;
	}
	if (found < 0)
		return found;
	error_set(err, E_FORMAT, "'%s' begins and has no {{/%s}}", open->name, open->name);
	return refuse(r, open->begin, err);
}

static int render(struct rendering *r, size_t from, size_t to, struct error *err);

/* *end: where the template goes on. */
static int render_section(struct rendering *r, const struct tag *open, size_t to, size_t *end, struct error *err)
{
	struct template_value v = { 0 };
	const char *item = r->item;
	struct tag close;
	int result = find_end(&close, r, open, to, err);

	if (result == 0)
		result = find(&v, r, open, err);
	if (result == 0 && (!v.is_list || r->depth == TEMPLATE_DEPTH_MAX)) {
		if (v.is_list)
			error_set(err, E_LIMIT, "more than %d lists inside each other", TEMPLATE_DEPTH_MAX);
		else
			error_set(err, E_FORMAT, "variable '%s' is one value, not a list; write {{%s}}", open->name, open->name);
		result = refuse(r, open->begin, err);
	}
	if (result < 0)
		return result;
	r->depth++;
	if (open->kind == TAG_NONE_OF && !v.count)
		result = render(r, open->end, close.begin, err);
	for (size_t i = 0; i < v.count && open->kind == TAG_EACH && result == 0; i++) {
		r->item = v.values[i];
		result = render(r, open->end, close.begin, err);
	}
	r->depth--;
	r->item = item;
	*end = close.end;
	return result;
}

static int render(struct rendering *r, size_t from, size_t to, struct error *err)
{
	struct tag tag;
	int result;

	while ((result = next_tag(&tag, r, from, to, err)) == 0) {
		result = add(r, r->job->text.ptr + from, tag.begin - from, from, err);
		from = tag.end;
		if (result == 0 && (tag.kind == TAG_WORD || tag.kind == TAG_REST)) {
			result = put_value(r, &tag, err);
		} else if (result == 0 && (tag.kind == TAG_EACH || tag.kind == TAG_NONE_OF)) {
			result = render_section(r, &tag, to, &from, err);
		} else if (result == 0 && tag.kind == TAG_END) {
			error_set(err, E_FORMAT, "{{/%s}} ends what did not begin", tag.name);
			result = refuse(r, tag.begin, err);
		}
		if (result < 0)
			return result;
	}
	return result < 0 ? result : add(r, r->job->text.ptr + from, to - from, from, err);
}

int template_render(struct buf *out, const struct template_job *job, struct error *err)
{
	struct rendering r = { .job = job, .out = out, .begin = out->len };

	return job->text.len ? render(&r, 0, job->text.len, err) : 0;
}
