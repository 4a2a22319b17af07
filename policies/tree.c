/* policies/tree.c -- a configuration as a tree of contexts. */
#include "policies/tree.h"

#include "policies/form.h"
#include "policies/pattern.h"
#include "policies/weos-text.h"

#include <stdlib.h>
#include <string.h>

static const char token_head[] = "{{secret ";

enum { TOKEN_LEN = 27, HEAD_LEN = sizeof(token_head) - 1 };

void tree_done(struct tree *tree)
{
	free(tree->nodes);
	buf_done(&tree->text);
	*tree = (struct tree){ 0 };
}

struct bytes tree_line(const struct tree *tree, uint32_t node)
{
	return bytes_of(tree->text.ptr + tree->nodes[node].at, tree->nodes[node].len);
}

void tree_path(struct buf *out, const struct tree *tree, uint32_t node, size_t line_max)
{
	uint32_t way[TREE_DEPTH_MAX + 1];
	size_t count = 0;

	for (; node && count < ARRAY_SIZE(way); node = tree->nodes[node].in)
		way[count++] = node;
	buf_add_str(out, "config");
	while (count--) {
		struct bytes line = tree_line(tree, way[count]);

		buf_add_char(out, '/');
		buf_add_bytes(out, line.len > line_max ? bytes_of(line.ptr, line_max) : line);
		buf_add_str(out, line.len > line_max ? "..." : "");
	}
}

/* ---- building ---- */

static struct tree_node *new_node(struct tree_builder *b, unsigned number)
{
	struct tree *tree = b->tree;
	struct tree_node *node;

	if (!(tree->count & (tree->count - 1)))
		tree->nodes = mem_grow(tree->nodes, (tree->count ? 2 * tree->count : 1) * sizeof(*tree->nodes));
	node = &tree->nodes[tree->count++];
	*node = (struct tree_node){ .at = tree->text.len, .line = number, .depth = b->depth, .in = b->open[b->depth],
				    .end = (uint32_t)tree->count };
	return node;
}

static void add_words(struct buf *out, struct bytes line)
{
	size_t from = out->len;

	for (size_t i = 0; i < line.len; i++) {
		bool is_blank = line.ptr[i] == ' ' || line.ptr[i] == '\t' || line.ptr[i] == '\r' || line.ptr[i] == '\n';

		if (!is_blank)
			buf_add_char(out, (char)line.ptr[i]);
		else if (out->len > from && out->ptr[out->len - 1] != ' ')
			buf_add_char(out, ' ');
	}
	if (out->len > from && out->ptr[out->len - 1] == ' ')
		buf_truncate(out, out->len - 1);
}

static uint32_t first_of(struct bytes line)
{
	const uint8_t *blank = memchr(line.ptr, ' ', line.len);
	struct bytes word = bytes_of(line.ptr, blank ? (size_t)(blank - line.ptr) : line.len);

	return memmem(word.ptr, word.len, TREE_SECRET, sizeof(TREE_SECRET) - 1) ? 0 : pattern_hash(word);
}

int tree_add(struct tree_builder *b, struct bytes line, unsigned number)
{
	struct tree *tree = b->tree;
	struct tree_node *node;
	size_t at = tree->text.len;

	if (line.len > TREE_LINE_MAX)
		return error_set(b->err, E_LIMIT, "line %u is longer than %d bytes", number, TREE_LINE_MAX);
	if (tree->count == TREE_NODES_MAX)
		return error_set(b->err, E_LIMIT, "line %u is beyond the first %d that a rule can look at", number, TREE_NODES_MAX);
	add_words(&tree->text, line);
	if (tree->text.len == at)
		return 0;
	node = new_node(b, number);
	node->at = at;
	node->len = tree->text.len - at;
	node->first = first_of(bytes_of(tree->text.ptr + at, node->len));
	for (unsigned i = 0; i <= b->depth; i++)
		tree->nodes[b->open[i]].end = (uint32_t)tree->count;
	return 1;
}

int tree_open(struct tree_builder *b, unsigned number)
{
	if (b->depth == TREE_DEPTH_MAX)
		return error_set(b->err, E_LIMIT, "line %u is nested deeper than %d blocks", number, TREE_DEPTH_MAX);
	b->open[++b->depth] = (uint32_t)b->tree->count - 1;
	return 0;
}

void tree_close(struct tree_builder *b)
{
	if (b->depth)
		b->depth--;
}

void tree_give_up(struct tree_builder *b, unsigned depth)
{
	struct tree_node *block = &b->tree->nodes[b->open[depth]];

	b->depth = depth;
	b->tree->count = b->open[depth] + 1;
	for (unsigned i = 0; i <= depth; i++)
		b->tree->nodes[b->open[i]].end = (uint32_t)b->tree->count;
	buf_truncate(&b->tree->text, block->at + block->len);
	block->is_unclear = true;
}

/* ---- secrets ---- */

struct masking {
	uint8_t *is_secret; /* per byte */
	size_t len;
};

static void mark(void *ctx, size_t at, size_t len)
{
	struct masking *m = ctx;

	if (at < m->len)
		memset(m->is_secret + at, 1, len < m->len - at ? len : m->len - at);
}

static bool is_token(struct bytes text)
{
	uint8_t raw[8];

	return text.len >= TOKEN_LEN && !memcmp(text.ptr, token_head, HEAD_LEN) && !memcmp(text.ptr + TOKEN_LEN - 2, "}}", 2) &&
	       hex_decode(raw, sizeof(raw), bytes_of(text.ptr + HEAD_LEN, 2 * sizeof(raw)));
}

static void mark_tokens(struct masking *m, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		const uint8_t *at = memmem(text.ptr + i, text.len - i, token_head, HEAD_LEN);

		if (!at)
			return;
		i = (size_t)(at - text.ptr);
		if (is_token(bytes_from(text, i)))
			mark(m, i, TOKEN_LEN);
	}
}

static void add_secret(struct buf *out, bool needs_quotes)
{
	buf_addf(out, "%s%s%s", needs_quotes ? "\"" : "", TREE_SECRET, needs_quotes ? "\"" : "");
}

/* Readers pass over them, and a driver that does not know a line takes all of it for a secret: a sign that they begin with must stay. */
static void unmark_comments(struct masking *m, struct bytes text)
{
	struct bytes rest = text, line;

	while (bytes_next_line(&rest, &line))
		if (line.len && line.ptr[0] == '#')
			memset(m->is_secret + (line.ptr - text.ptr), 0, line.len);
}

/* In JSON a secret may be a bare number: it becomes a text, so that it stays JSON. */
static void add_masked(struct buf *out, const struct masking *m, struct bytes text, bool is_json)
{
	bool is_quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		bool is_first = m->is_secret[i] && (!i || !m->is_secret[i - 1] || text.ptr[i - 1] == '\n');
		bool is_escape = is_quoted && text.ptr[i] == '\\' && !m->is_secret[i] && i + 1 < text.len && !m->is_secret[i + 1];

		if (!m->is_secret[i] || text.ptr[i] == '\n')
			buf_add_char(out, (char)text.ptr[i]);
		else if (is_first)
			add_secret(out, is_json && !is_quoted);
		if (is_escape)
			buf_add_char(out, (char)text.ptr[++i]);
		else if (!m->is_secret[i] && text.ptr[i] == '"')
			is_quoted = !is_quoted;
	}
}

static void mask(struct buf *out, const struct form *form, struct bytes text, bool is_json)
{
	_cleanup_(mem_freep) uint8_t *is_secret = mem_alloc(text.len + 1);
	struct masking m = { .is_secret = is_secret, .len = text.len };

	form->secrets(text, mark, &m);
	mark_tokens(&m, text);
	unmark_comments(&m, text);
	add_masked(out, &m, text, is_json);
}

/* ---- reading ---- */

static int read_dialect(struct tree_builder *b, const char *driver, struct bytes text, bool is_json)
{
	if (!strcmp(driver, "frr"))
		return tree_read_indented(b, text, true);
	if (!strcmp(driver, "files"))
		return tree_read_files(b, text);
	return is_json ? tree_read_weos_json(b, text) : tree_read_indented(b, text, false);
}

int tree_read(struct tree *out, const char *driver, struct bytes text, struct error *err)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(buf_done) struct buf masked = { 0 };
	struct tree_builder b = { .tree = &tree, .err = err };
	const struct form *form = form_of(driver);
	bool is_json;

	if (!form)
		return error_set(err, E_FORMAT, "no driver '%.60s' whose configurations could be looked at", driver);
	if (text.len > TREE_BYTES_MAX)
		return error_set(err, E_LIMIT, "the configuration has more than %d bytes", TREE_BYTES_MAX);
	is_json = !strcmp(driver, "weos") && weos_is_json(text);
	mask(&masked, form, text, is_json);
	new_node(&b, 0);
	if (read_dialect(&b, driver, buf_bytes(&masked), is_json) < 0)
		return err->code;
	*out = tree;
	tree = (struct tree){ 0 };
	return 0;
}
