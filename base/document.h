/* base/document.h -- a YAML document as nodes that know where they stand, for texts whose meaning is checked by hand.
 *
 * The same strict subset as base/yaml.h, and besides: keys come once, and no text holds a control character but newline and tab. Whoever
 * refuses a node says so with document_error(): "FILE:LINE:COLUMN: why". */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum { DOCUMENT_NODES_MAX = 1 << 20, DOCUMENT_BYTES_MAX = 8 << 20, DOCUMENT_NAME_MAX = 256 };

enum document_kind { DOCUMENT_TEXT, DOCUMENT_LIST, DOCUMENT_MAP };

struct document_node {
	enum document_kind kind;
	unsigned line, column; /* from 1 */
	char *text;            /* of a text; never NULL for one */
	char *key;             /* of what is in a map; NULL elsewhere */
	unsigned key_line, key_column;
	unsigned count;        /* of what is in a list or map */
	unsigned first, next;  /* by index; 0: none, since the top is in nothing */
};

/* The top is nodes[0]. */
struct document {
	char name[DOCUMENT_NAME_MAX];
	struct document_node *nodes;
	size_t count;
};

/* name: for messages. max: bytes, at most DOCUMENT_BYTES_MAX. E_FORMAT names the place; E_LIMIT for the size and the number of nodes. */
int document_read(struct document *out, const char *name, struct bytes in, size_t max, struct error *err) _must_check_;
void document_done(struct document *doc);

const struct document_node *document_top(const struct document *doc);
/* NULL at the end. */
const struct document_node *document_first(const struct document *doc, const struct document_node *in);
const struct document_node *document_next(const struct document *doc, const struct document_node *node);
/* What a map has under this key; NULL. */
const struct document_node *document_get(const struct document *doc, const struct document_node *map, const char *key);

/* Always E_FORMAT. The second names where the node's key stands. */
int document_error(struct error *err, const struct document *doc, const struct document_node *node, const char *fmt, ...) _printf_(4, 5);
int document_key_error(struct error *err, const struct document *doc, const struct document_node *node, const char *fmt, ...)
	_printf_(4, 5);
