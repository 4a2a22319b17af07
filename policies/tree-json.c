/* policies/tree-json.c -- a WeOS 5 file as the lines that would make it.
 *
 * Its form has been checked by weos_json_check(), so what is read here is JSON. */
#include "policies/tree.h"

#include "policies/weos-text.h"

#include <stdlib.h>
#include <string.h>

/* What there can be several of: their members are named by the word and a name of their own. */
static const char *const keyed[] = { "user",  "username", "remote-server", "trigger", "action",  "port",  "frnt",
				     "vlan",  "iface",    "inet",          "address", "option",  "route", "name-server",
				     "ipsec", "host",     "server",        "peer",    "ssh-key", "app" };

struct json_reader {
	struct tree_builder *b;
	struct bytes text;
	size_t at;
	unsigned line;
};

static int peek(struct json_reader *rd)
{
	while (rd->at < rd->text.len && strchr(" \t\r\n", rd->text.ptr[rd->at]) && rd->text.ptr[rd->at]) {
		rd->line += rd->text.ptr[rd->at] == '\n';
		rd->at++;
	}
	return rd->at < rd->text.len ? rd->text.ptr[rd->at] : -1;
}

static bool take(struct json_reader *rd, int c)
{
	bool is_there = peek(rd) == c;

	rd->at += is_there;
	return is_there;
}

static void add_utf8(struct buf *out, unsigned c)
{
	if (c < 0x80) {
		buf_add_char(out, (char)(c ? c : ' '));
	} else if (c < 0x800) {
		buf_add_char(out, (char)(0xc0 | c >> 6));
		buf_add_char(out, (char)(0x80 | (c & 0x3f)));
	} else { /* of a pair each half by itself: it is compared, and shown as '?' */
		buf_add_char(out, (char)(0xe0 | c >> 12));
		buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_add_char(out, (char)(0x80 | (c & 0x3f)));
	}
}

static void add_escape(struct buf *out, struct json_reader *rd)
{
	static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
	char c = (char)rd->text.ptr[rd->at++], digits[5] = "";
	const char *name = strchr(names, c);

	if (c == 'u') {
		memcpy(digits, rd->text.ptr + rd->at, 4);
		rd->at += 4;
		add_utf8(out, (unsigned)strtoul(digits, NULL, 16));
	} else {
		buf_add_char(out, name && c ? values[name - names] : c);
	}
}

static void take_text(struct buf *out, struct json_reader *rd)
{
	rd->at++; /* the quote */
	while (rd->text.ptr[rd->at] != '"') {
		char c = (char)rd->text.ptr[rd->at++];

		if (c == '\\')
			add_escape(out, rd);
		else
			buf_add_char(out, c);
	}
	rd->at++;
}

static void take_bare(struct buf *out, struct json_reader *rd)
{
	while (rd->at < rd->text.len && rd->text.ptr[rd->at] && !strchr(" \t\r\n,]}", rd->text.ptr[rd->at]))
		buf_add_char(out, (char)rd->text.ptr[rd->at++]);
}

static bool is_keyed(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(keyed); i++)
		if (!strcmp(keyed[i], word))
			return true;
	return false;
}

static int read_value(struct json_reader *rd, const char *word);

/* prefix: what stands before each name, or "" */
static int read_members(struct json_reader *rd, const char *prefix)
{
	rd->at++; /* the brace */
	if (take(rd, '}'))
		return 0;
	do {
		_cleanup_(buf_done) struct buf name = { 0 };

		buf_addf(&name, "%s%s", prefix, *prefix ? " " : "");
		peek(rd);
		take_text(&name, rd);
		take(rd, ':');
		if (read_value(rd, buf_text(&name)) < 0)
			return rd->b->err->code;
	} while (take(rd, ','));
	take(rd, '}');
	return 0;
}

static int read_object(struct json_reader *rd, const char *word)
{
	unsigned line = rd->line;
	int r;

	if (is_keyed(word))
		return read_members(rd, word);
	r = tree_add(rd->b, bytes_str(word), line);
	if (r == 0)
		return error_set(rd->b->err, E_FORMAT, "line %u: a name is empty", line);
	if (r < 0 || tree_open(rd->b, line) < 0)
		return rd->b->err->code;
	r = read_members(rd, "");
	tree_close(rd->b);
	return r;
}

static int read_list(struct json_reader *rd, const char *word)
{
	rd->at++; /* the bracket */
	if (take(rd, ']'))
		return 0;
	do {
		peek(rd);
		if (read_value(rd, word) < 0)
			return rd->b->err->code;
	} while (take(rd, ','));
	take(rd, ']');
	return 0;
}

static int add_setting(struct json_reader *rd, const char *word, struct buf *value, bool is_text)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	bool is_plain = !is_text;

	if (is_plain && bytes_is(buf_bytes(value), "null"))
		return 0;
	if (is_plain && bytes_is(buf_bytes(value), "true"))
		buf_add_str(&line, word);
	else if (is_plain && bytes_is(buf_bytes(value), "false"))
		buf_addf(&line, "no %s", word);
	else {
		buf_addf(&line, "%s ", word);
		buf_add_bytes(&line, buf_bytes(value));
	}
	return tree_add(rd->b, buf_bytes(&line), rd->line) < 0 ? rd->b->err->code : 0;
}

static int read_value(struct json_reader *rd, const char *word)
{
	_cleanup_(buf_done) struct buf value = { 0 };
	int c = peek(rd);

	if (c == '{')
		return read_object(rd, word);
	if (c == '[')
		return read_list(rd, word);
	if (c == '"')
		take_text(&value, rd);
	else
		take_bare(&value, rd);
	return add_setting(rd, word, &value, c == '"');
}

static void skip_comments(struct json_reader *rd)
{
	while (peek(rd) == '#') {
		while (rd->at < rd->text.len && rd->text.ptr[rd->at] != '\n')
			rd->at++;
	}
}

int tree_read_weos_json(struct tree_builder *b, struct bytes text)
{
	struct json_reader rd = { .b = b, .text = text, .line = 1 };

	skip_comments(&rd);
	if (weos_json_check(bytes_from(text, rd.at), b->err) < 0)
		return b->err->code;
	return read_members(&rd, "");
}
