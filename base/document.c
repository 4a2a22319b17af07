/* base/document.c -- a YAML document as nodes that know where they stand. */
#include "base/document.h"

#include "base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_MAX = 16 };

void document_done(struct document *doc)
{
	for (size_t i = 0; i < doc->count; i++) {
		free(doc->nodes[i].text);
		free(doc->nodes[i].key);
	}
	free(doc->nodes);
	*doc = (struct document){ 0 };
}

const struct document_node *document_top(const struct document *doc)
{
	return &doc->nodes[0];
}

const struct document_node *document_first(const struct document *doc, const struct document_node *in)
{
	return in->first ? &doc->nodes[in->first] : NULL;
}

const struct document_node *document_next(const struct document *doc, const struct document_node *node)
{
	return node->next ? &doc->nodes[node->next] : NULL;
}

const struct document_node *document_get(const struct document *doc, const struct document_node *map, const char *key)
{
	for (const struct document_node *n = document_first(doc, map); n; n = document_next(doc, n))
		if (n->key && !strcmp(n->key, key))
			return n;
	return NULL;
}

static int _printf_(5, 0)
	place_error(struct error *err, const struct document *doc, unsigned line, unsigned column, const char *fmt, va_list ap)
{
	char text[320];

	vsnprintf(text, sizeof(text), fmt, ap);
	return error_set(err, E_FORMAT, "%s:%u:%u: %s", doc->name, line, column, text);
}

int document_error(struct error *err, const struct document *doc, const struct document_node *node, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	place_error(err, doc, node->line, node->column, fmt, ap);
	va_end(ap);
	return err->code;
}

int document_key_error(struct error *err, const struct document *doc, const struct document_node *node, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	place_error(err, doc, node->key ? node->key_line : node->line, node->key ? node->key_column : node->column, fmt, ap);
	va_end(ap);
	return err->code;
}

/* ---- reading ---- */

struct reading {
	struct document *doc;
	struct error *err;
	unsigned open[DEPTH_MAX], last[DEPTH_MAX]; /* the lists and maps around us, and what was put into each of them last */
	int depth;
	char *key; /* of the map that we are in, until its value comes */
	unsigned key_line, key_column;
};

static unsigned line_of(const yaml_event_t *ev)
{
	return (unsigned)ev->start_mark.line + 1;
}

static unsigned column_of(const yaml_event_t *ev)
{
	return (unsigned)ev->start_mark.column + 1;
}

static int refuse(struct reading *rd, const yaml_event_t *ev, const char *why)
{
	return error_set(rd->err, E_FORMAT, "%s:%u:%u: %s", rd->doc->name, line_of(ev), column_of(ev), why);
}

static bool has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\n' && text[i] != '\t') || text[i] == 0x7f)
			return true;
	return false;
}

/* What makes people read something else than is there: marks, embeddings and isolates of bidirectional text, zero width, C1 controls.
 * libyaml takes well-formed UTF-8 only, so bytes are enough. */
static bool has_trick(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;

	for (size_t i = 0; i + 1 < len; i++) {
		unsigned third = i + 2 < len ? p[i + 2] : 0;

		if ((p[i] == 0xc2 && p[i + 1] < 0xa0) || (p[i] == 0xd8 && p[i + 1] == 0x9c))
			return true;
		if (p[i] == 0xe2 && p[i + 1] == 0x80 && ((third >= 0x8b && third <= 0x8f) || (third >= 0xa8 && third <= 0xae)))
			return true;
		if ((p[i] == 0xe2 && p[i + 1] == 0x81 && third >= 0xa0 && third <= 0xaf) ||
		    (p[i] == 0xef && p[i + 1] == 0xbb && third == 0xbf))
			return true;
	}
	return false;
}

static int check_scalar(struct reading *rd, const yaml_event_t *ev)
{
	const char *text = (const char *)ev->data.scalar.value;

	if (has_control(text, ev->data.scalar.length))
		return refuse(rd, ev, "a control character");
	return has_trick(text, ev->data.scalar.length) ? refuse(rd, ev, "a character that hides or turns around what is read") : 0;
}

static bool is_in_map(const struct reading *rd)
{
	return rd->depth && rd->doc->nodes[rd->open[rd->depth - 1]].kind == DOCUMENT_MAP;
}

/* Keys of a map are few but for a map that is meant to be slow; so they are counted before they are compared. */
enum { KEYS_MAX = 64 };

static int take_key(struct reading *rd, const yaml_event_t *ev)
{
	const struct document_node *map = &rd->doc->nodes[rd->open[rd->depth - 1]];

	if (ev->type != YAML_SCALAR_EVENT)
		return refuse(rd, ev, "a key must be a text");
	if (check_scalar(rd, ev) < 0)
		return rd->err->code;
	if (map->count == KEYS_MAX)
		return refuse(rd, ev, "more than 64 keys in one place");
	if (document_get(rd->doc, map, (const char *)ev->data.scalar.value))
		return error_set(rd->err, E_FORMAT, "%s:%u:%u: '%.60s' is there twice", rd->doc->name, line_of(ev), column_of(ev),
				 ev->data.scalar.value);
	rd->key = mem_strndup((const char *)ev->data.scalar.value, ev->data.scalar.length);
	rd->key_line = line_of(ev);
	rd->key_column = column_of(ev);
	return 0;
}

static struct document_node *add_node(struct reading *rd, const yaml_event_t *ev, enum document_kind kind)
{
	struct document *doc = rd->doc;
	unsigned at = (unsigned)doc->count;

	if (!(doc->count & (doc->count - 1)))
		doc->nodes = mem_grow(doc->nodes, (doc->count ? 2 * doc->count : 1) * sizeof(*doc->nodes));
	doc->nodes[doc->count++] = (struct document_node){ .kind = kind, .line = line_of(ev), .column = column_of(ev), .key = rd->key,
							   .key_line = rd->key_line, .key_column = rd->key_column };
	rd->key = NULL;
	if (rd->depth) {
		struct document_node *in = &doc->nodes[rd->open[rd->depth - 1]];
		unsigned *last = &rd->last[rd->depth - 1];

		*(in->count++ ? &doc->nodes[*last].next : &in->first) = at;
		*last = at;
	}
	return &doc->nodes[at];
}

static int take_node(struct reading *rd, const yaml_event_t *ev)
{
	struct document_node *node;

	if (is_in_map(rd) && !rd->key)
		return take_key(rd, ev);
	if (rd->doc->count == DOCUMENT_NODES_MAX)
		return refuse(rd, ev, "more than 1048576 values");
	if (ev->type == YAML_SCALAR_EVENT) {
		if (check_scalar(rd, ev) < 0)
			return rd->err->code;
		node = add_node(rd, ev, DOCUMENT_TEXT);
		node->text = mem_strndup((const char *)ev->data.scalar.value, ev->data.scalar.length);
		return 0;
	}
	if (rd->depth == DEPTH_MAX)
		return refuse(rd, ev, "nesting deeper than 16");
	node = add_node(rd, ev, ev->type == YAML_MAPPING_START_EVENT ? DOCUMENT_MAP : DOCUMENT_LIST);
	rd->open[rd->depth++] = (unsigned)(node - rd->doc->nodes);
	return 0;
}

static int take_event(struct reading *rd, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return take_node(rd, ev);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		rd->depth--;
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_ALIAS_EVENT:
		return 0;
	}
	return 0;
}

/* yaml_check() has gone through it: there is one document, and it is well formed. */
static int take_events(struct reading *rd, struct bytes in)
{
	yaml_parser_t parser;
	bool is_end = false;
	int r = 0;

	if (!yaml_parser_initialize(&parser))
		return error_set(rd->err, E_LIMIT, "no memory for a YAML parser");
	yaml_parser_set_input_string(&parser, in.ptr, in.len);
	while (!is_end && r == 0) {
		yaml_event_t ev;

		if (!yaml_parser_parse(&parser, &ev)) {
			r = error_set(rd->err, E_FORMAT, "%s:%zu:%zu: not YAML", rd->doc->name, parser.problem_mark.line + 1,
				      parser.problem_mark.column + 1);
			break;
		}
		r = take_event(rd, &ev);
		is_end = ev.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&parser);
	return r;
}

int document_read(struct document *out, const char *name, struct bytes in, size_t max, struct error *err)
{
	_cleanup_(document_done) struct document doc = { 0 };
	struct reading rd = { .doc = &doc, .err = err };
	int r;

	snprintf(doc.name, sizeof(doc.name), "%s", name);
	if (in.len > max || in.len > DOCUMENT_BYTES_MAX)
		return error_set(err, E_LIMIT, "%s:1:1: more than %zu bytes", doc.name, max);
	r = yaml_check(doc.name, in, err);
	if (r == 0)
		r = take_events(&rd, in);
	free(rd.key);
	if (r < 0)
		return r;
	*out = doc;
	doc = (struct document){ 0 };
	return 0;
}
