/* policies/tree-files.c -- the parts of a device of files, each by its format. */
#include "policies/files-text.h"
#include "policies/tree.h"
#include "policies/words.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { PART_DEPTH = 1 }; /* the block of a part */

/* Where we are in the content of one part: lines without the blank in front. */
struct content {
	struct tree_builder *b;
	struct bytes rest;
	unsigned number; /* of the line that was taken last */
};

static bool next_line(struct content *c, struct bytes *line)
{
	if (!bytes_next_line(&c->rest, line))
		return false;
	if (line->len && line->ptr[0] == ' ')
		*line = bytes_from(*line, 1);
	c->number++;
	return true;
}

static bool is_comment(struct bytes body, const char *signs)
{
	return !body.len || (body.ptr[0] && strchr(signs, body.ptr[0]));
}

/* ---- lines ---- */

/* chrony takes four signs for a comment. */
static int read_lines(struct content *c, const char *signs)
{
	struct bytes line;

	while (next_line(c, &line))
		if (!is_comment(words_trim(line), signs) && tree_add(c->b, line, c->number) < 0)
			return c->b->err->code;
	return 0;
}

/* ---- rsyslog ---- */

static int balance_of(struct bytes line)
{
	bool is_quoted = false;
	int open = 0;

	for (size_t i = 0; i < line.len; i++) {
		if (line.ptr[i] == '"' && (!i || line.ptr[i - 1] != '\\'))
			is_quoted = !is_quoted;
		if (!is_quoted && (line.ptr[i] == '(' || line.ptr[i] == ')'))
			open += line.ptr[i] == '(' ? 1 : -1;
	}
	return open;
}

static int read_rsyslog(struct content *c)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	struct bytes line;
	unsigned began = 0;
	int open = 0;

	while (next_line(c, &line)) {
		if (is_comment(words_trim(line), "#"))
			continue;
		if (!whole.len)
			began = c->number;
		buf_add_bytes(&whole, line);
		buf_add_char(&whole, ' ');
		open += balance_of(line);
		if (open > 0 && whole.len <= TREE_LINE_MAX)
			continue;
		if (open > 0 || tree_add(c->b, buf_bytes(&whole), began) < 0)
			return E_FORMAT;
		buf_truncate(&whole, 0);
		open = 0;
	}
	return open > 0 ? E_FORMAT : 0;
}

/* ---- sshd ---- */

/* "PermitRootLogin=no", "Port 22": a keyword, then a blank or an equals sign. Keywords are alike in any case. */
static void add_sshd_words(struct buf *out, struct bytes body)
{
	size_t n = 0;

	while (n < body.len && isalnum(body.ptr[n]))
		buf_add_char(out, (char)tolower(body.ptr[n++]));
	while (n < body.len && isspace(body.ptr[n]))
		n++;
	if (n < body.len && body.ptr[n] == '=')
		n++;
	buf_add_char(out, ' ');
	buf_add_bytes(out, bytes_from(body, n));
}

static int read_sshd(struct content *c)
{
	struct bytes line;

	while (next_line(c, &line)) {
		_cleanup_(buf_done) struct buf words = { 0 };
		bool is_match;

		line = words_trim(line);
		if (is_comment(line, "#"))
			continue;
		add_sshd_words(&words, line);
		is_match = words.len >= 6 && !memcmp(words.ptr, "match ", 6);
		if (is_match && c->b->depth > PART_DEPTH)
			tree_close(c->b);
		if (tree_add(c->b, buf_bytes(&words), c->number) < 0 || (is_match && tree_open(c->b, c->number) < 0))
			return c->b->err->code;
	}
	return 0;
}

/* ---- nftables ---- */

struct nft {
	struct content *c;
	struct buf statement;
	unsigned began;
	unsigned sets;    /* braces that are open in a statement */
	unsigned blocks;
	bool is_quoted, is_comment;
};

static bool begins_block(struct bytes statement)
{
	static const char *const words[] = { "table", "chain",    "set",     "map",       "flowtable",  "counter",       "quota",
					     "limit", "synproxy", "secmark", "ct helper", "ct timeout", "ct expectation" };

	statement = words_trim(statement);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t len = strlen(words[i]);

		if (statement.len > len && !memcmp(statement.ptr, words[i], len) && isspace(statement.ptr[len]))
			return true;
	}
	return (statement.len > 4 && !memcmp(statement.ptr, "add ", 4) && begins_block(bytes_from(statement, 4))) ||
	       (statement.len > 7 && !memcmp(statement.ptr, "create ", 7) && begins_block(bytes_from(statement, 7)));
}

static int end_statement(struct nft *n)
{
	int r = tree_add(n->c->b, buf_bytes(&n->statement), n->began ? n->began : n->c->number);

	buf_truncate(&n->statement, 0);
	n->began = 0;
	return r;
}

static int take_open(struct nft *n)
{
	if (n->sets || !begins_block(buf_bytes(&n->statement))) {
		buf_add_char(&n->statement, '{');
		n->sets++;
		return 0;
	}
	n->blocks++;
	return end_statement(n) < 0 || tree_open(n->c->b, n->c->number) < 0 ? E_FORMAT : 0;
}

static int take_close(struct nft *n)
{
	if (n->sets) {
		buf_add_char(&n->statement, '}');
		n->sets--;
		return 0;
	}
	if (!n->blocks || end_statement(n) < 0)
		return E_FORMAT;
	n->blocks--;
	tree_close(n->c->b);
	return 0;
}

static int take_char(struct nft *n, char ch)
{
	if (n->is_comment)
		return 0;
	if (ch == '"')
		n->is_quoted = !n->is_quoted;
	if (!n->is_quoted && ch == '#') {
		n->is_comment = true;
		return 0;
	}
	if (!n->is_quoted && ch == '{')
		return take_open(n);
	if (!n->is_quoted && ch == '}')
		return take_close(n);
	if (!n->is_quoted && ch == ';' && !n->sets)
		return end_statement(n) < 0 ? E_FORMAT : 0;
	if (!n->began && !isspace((unsigned char)ch))
		n->began = n->c->number;
	buf_add_char(&n->statement, ch);
	return n->statement.len > TREE_LINE_MAX ? E_LIMIT : 0;
}

static int take_line(struct nft *n, struct bytes line)
{
	bool goes_on = line.len && line.ptr[line.len - 1] == '\\';

	n->is_comment = n->is_quoted = false;
	for (size_t i = 0; i < line.len - goes_on; i++)
		if (take_char(n, (char)line.ptr[i]) < 0)
			return E_FORMAT;
	if (n->sets || goes_on) {
		buf_add_char(&n->statement, ' ');
		return 0;
	}
	return end_statement(n) < 0 ? E_FORMAT : 0;
}

/* Secrets are no braces: TREE_SECRET would be taken for some. */
static bool holds_secret(struct bytes text)
{
	return text.len && memmem(text.ptr, text.len, "{{secret}}", 10);
}

static int read_nft(struct content *c)
{
	struct nft n = { .c = c };
	struct bytes line;
	int r = holds_secret(c->rest) ? E_FORMAT : 0;

	while (r == 0 && next_line(c, &line))
		r = take_line(&n, line);
	if (n.sets || n.blocks)
		r = E_FORMAT;
	buf_done(&n.statement);
	return r;
}

/* ---- parts ---- */

static int read_content(struct content *c, const struct files_part *part)
{
	if (part->kind == FILES_BASE64 || part->kind == FILES_SHA256)
		return E_FORMAT;
	if (bytes_is(part->format, "nftables"))
		return read_nft(c);
	if (bytes_is(part->format, "sshd"))
		return read_sshd(c);
	if (bytes_is(part->format, "rsyslog"))
		return read_rsyslog(c);
	return read_lines(c, bytes_is(part->format, "chrony") ? "#!;%" : "#");
}

static void add_head(struct buf *out, const struct files_part *part)
{
	static const char *const kinds[] = { "text", "text", "base64", "sha256" };

	buf_add_str(out, "part ");
	buf_add_bytes(out, part->format);
	buf_addf(out, " %s %04o ", kinds[part->kind], part->mode);
	buf_add_bytes(out, part->owner);
	buf_add_char(out, ' ');
	buf_add_bytes(out, part->group);
	buf_add_char(out, ' ');
	buf_add_bytes(out, part->path);
}

static int read_part(struct tree_builder *b, const struct files_part *part)
{
	struct content c = { .b = b, .rest = part->body, .number = part->line - 1 };
	_cleanup_(buf_done) struct buf head = { 0 };

	add_head(&head, part);
	if (tree_add(b, buf_bytes(&head), part->line - 1) < 0 || tree_open(b, part->line - 1) < 0)
		return b->err->code;
	if (read_content(&c, part) < 0)
		tree_give_up(b, PART_DEPTH);
	b->depth = 0;
	return 0;
}

int tree_read_files(struct tree_builder *b, struct bytes text)
{
	_cleanup_(files_text_done) struct files_text files = { 0 };

	if (files_parse(&files, text, b->err) < 0)
		return b->err->code;
	for (size_t i = 0; i < files.count; i++)
		if (read_part(b, &files.parts[i]) < 0)
			return b->err->code;
	return 0;
}
