/* policies/weos-json.c -- is a text one JSON document? (RFC 8259, its grammar alone.) */
#include "policies/weos-text.h"

#include "policies/words.h"

#include <ctype.h>
#include <string.h>

enum { DEPTH_MAX = 64 };

struct reader_json {
	struct bytes text;
	size_t at;
	unsigned line;
};

static int peek(struct reader_json *rd)
{
	while (rd->at < rd->text.len && strchr(" \t\r\n", rd->text.ptr[rd->at]) && rd->text.ptr[rd->at]) {
		rd->line += rd->text.ptr[rd->at] == '\n';
		rd->at++;
	}
	return rd->at < rd->text.len ? rd->text.ptr[rd->at] : -1;
}

static bool take(struct reader_json *rd, int c)
{
	bool is_there = peek(rd) == c;

	rd->at += is_there;
	return is_there;
}

static bool take_escape(struct reader_json *rd)
{
	const uint8_t *at = rd->text.ptr + rd->at;
	size_t left = rd->text.len - rd->at, digits = 0;

	if (!left || !at[0] || !strchr("\"\\/bfnrtu", at[0]))
		return false;
	rd->at++;
	if (at[0] != 'u')
		return true;
	while (digits < 4 && digits + 1 < left && isxdigit(at[digits + 1]))
		digits++;
	rd->at += digits;
	return digits == 4;
}

static bool take_text(struct reader_json *rd)
{
	if (!take(rd, '"'))
		return false;
	while (rd->at < rd->text.len) {
		uint8_t c = rd->text.ptr[rd->at++];

		if (c == '"')
			return true;
		if (c < 0x20 || (c == '\\' && !take_escape(rd)))
			return false;
	}
	return false;
}

static size_t take_digits(struct reader_json *rd)
{
	size_t n = 0;

	while (rd->at < rd->text.len && isdigit(rd->text.ptr[rd->at])) {
		rd->at++;
		n++;
	}
	return n;
}

static bool is_at(const struct reader_json *rd, const char *any)
{
	return rd->at < rd->text.len && rd->text.ptr[rd->at] && strchr(any, rd->text.ptr[rd->at]);
}

static bool take_bare(struct reader_json *rd)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words_start(bytes_from(rd->text, rd->at), words[i])) {
			rd->at += strlen(words[i]);
			return true;
		}
	rd->at += is_at(rd, "-");
	if (!take_digits(rd))
		return false;
	if (is_at(rd, ".")) {
		rd->at++;
		if (!take_digits(rd))
			return false;
	}
	if (!is_at(rd, "eE"))
		return true;
	rd->at++;
	rd->at += is_at(rd, "+-");
	return take_digits(rd);
}

static bool take_value(struct reader_json *rd, unsigned depth);

/* What stands between two brackets, with commas. */
static bool take_members(struct reader_json *rd, int end, unsigned depth)
{
	if (take(rd, end))
		return true;
	do {
		if (end == '}' && !(take_text(rd) && take(rd, ':')))
			return false;
		if (!take_value(rd, depth))
			return false;
	} while (take(rd, ','));
	return take(rd, end);
}

static bool take_value(struct reader_json *rd, unsigned depth)
{
	if (depth == DEPTH_MAX)
		return false;
	switch (peek(rd)) {
	case '{':
		rd->at++;
		return take_members(rd, '}', depth + 1);
	case '[':
		rd->at++;
		return take_members(rd, ']', depth + 1);
	case '"':
		return take_text(rd);
	default:
		return take_bare(rd);
	}
}

int weos_json_check(struct bytes text, struct error *err)
{
	struct reader_json rd = { .text = text, .line = 1 };

	if (peek(&rd) != '{' || !take_value(&rd, 0) || peek(&rd) >= 0)
		return error_set(err, E_FORMAT, "line %u: it is no JSON", rd.line);
	return 0;
}
