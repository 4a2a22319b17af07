/* policies/weos-text.c -- the configuration of Westermo's WeOS as text: what is noise in it, what is structure, what a device must be
 * given. */
#include "policies/weos-text.h"

#include "policies/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TAB_WIDTH = 8, RULE_LEAST = 8 };

/* The header names release, format, model and serial number: facts of their own, and others after an upgrade or on a spare. */
static bool is_noise(struct bytes body)
{
	return !body.len || body.ptr[0] == '#';
}

bool weos_is_json(struct bytes text)
{
	struct bytes line;

	while (bytes_next_line(&text, &line)) {
		struct bytes body = words_trim(line);

		if (!is_noise(body))
			return body.ptr[0] == '{';
	}
	return false;
}

/* ---- what a console shows around it ---- */

static struct bytes last_line(struct bytes text)
{
	size_t at = text.len;

	while (at && text.ptr[at - 1] != '\n')
		at--;
	return bytes_from(text, at);
}

static bool is_rule(struct bytes line)
{
	size_t n = 0;

	while (n < line.len && line.ptr[n] == '_')
		n++;
	return n == line.len && n >= RULE_LEAST;
}

struct bytes weos_without_footer(struct bytes shown)
{
	struct bytes text = words_trim_end(shown), file = last_line(text);

	if (!words_start(words_trim(file), "cfg://"))
		return shown;
	text.len -= file.len;
	text = words_trim_end(text);
	file = last_line(text);
	if (!is_rule(words_trim(file)))
		return shown;
	text.len -= file.len;
	for (text = words_trim_end(text); text.len && text.ptr[text.len - 1] != '\n';)
		text.len++; /* its last line, whole */
	return text;
}

/* Does the line have this shape? 9: a digit, a: a lower-case letter, A: an upper-case one, anything else: itself. */
static bool has_shape(struct bytes line, const char *shape)
{
	for (size_t i = 0; shape[i]; i++) {
		if (i == line.len)
			return false;
		if (shape[i] == '9' ? !isdigit(line.ptr[i]) : shape[i] == 'a' ? !islower(line.ptr[i]) :
		    shape[i] == 'A' ? !isupper(line.ptr[i]) : line.ptr[i] != shape[i])
			return false;
	}
	return true;
}

/* "kernel: ...", "dhcpd[412]: ..." */
static bool is_tagged(struct bytes line)
{
	size_t n = 0;

	while (n < line.len && (islower(line.ptr[n]) || isdigit(line.ptr[n]) || (n && strchr("_-", line.ptr[n]) && line.ptr[n])))
		n++;
	if (!n || n == line.len)
		return false;
	if (line.ptr[n] == '[')
		for (n++; n < line.len && (isdigit(line.ptr[n]) || line.ptr[n] == ']');)
			n++;
	return n + 1 < line.len && line.ptr[n] == ':' && line.ptr[n + 1] == ' ';
}

bool weos_is_log(struct bytes line)
{
	static const char *const shapes[] = { "Aaa 99 99:99:99 ", "Aaa  9 99:99:99 ", "9999-99-99T99:99:99", "<9>", "<99>", "<999>" };

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		if (has_shape(line, shapes[i]))
			return true;
	if (is_tagged(line))
		return true;
	if (!line.len || line.ptr[0] != '[') /* the kernel's: "[   12.345678] " */
		return false;
	for (size_t i = 1; i < line.len && line.ptr[i] != ']'; i++)
		if (line.ptr[i] != ' ' && line.ptr[i] != '.' && !isdigit(line.ptr[i]))
			return false;
	return memchr(line.ptr, ']', line.len) != NULL;
}

/* Would this be one line that a log line broke in two? Lines of a configuration have no wide gaps but at their begin. */
static bool fits_together(struct bytes before, struct bytes after)
{
	size_t indent = 0, first = 0;

	while (indent < after.len && (after.ptr[indent] == ' ' || after.ptr[indent] == '\t'))
		indent++;
	while (first < before.len && (before.ptr[first] == ' ' || before.ptr[first] == '\t'))
		first++;
	if (first == before.len || !before.len)
		return true;
	if (indent < after.len && (after.ptr[indent] == '}' || after.ptr[indent] == ']'))
		return false;
	return !indent || (indent == 1 && after.ptr[0] == ' ' && before.ptr[before.len - 1] != ' ');
}

/* Lines that stand alone: nothing was broken. */
static bool is_line_end(struct bytes before)
{
	struct bytes body = words_trim(before);

	return !body.len || bytes_is(body, "end");
}

size_t weos_without_logs(struct buf *out, struct bytes shown)
{
	struct bytes line, before = { 0 };
	bool was_log = false;
	size_t count = 0;

	while (bytes_next_line(&shown, &line)) {
		if (weos_is_log(line)) {
			was_log = true;
			count++;
			continue;
		}
		if (was_log && out->len && !is_line_end(before) && fits_together(before, line))
			buf_truncate(out, out->len - 1);
		buf_add_bytes(out, line);
		buf_add_char(out, '\n');
		before = line;
		was_log = false;
	}
	return count;
}

static size_t utf8_len(const uint8_t *at, size_t left)
{
	size_t len = *at < 0x80 ? 1 : (*at & 0xe0) == 0xc0 ? 2 : (*at & 0xf0) == 0xe0 ? 3 : (*at & 0xf8) == 0xf0 ? 4 : 0;

	if (!len || len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool weos_is_clean(struct bytes text)
{
	for (size_t i = 0, len; i < text.len; i += len) {
		uint8_t c = text.ptr[i];

		len = utf8_len(text.ptr + i, text.len - i);
		if (!len || c == 0x7f || (c < 0x20 && c != '\n' && c != '\t'))
			return false;
	}
	return true;
}

bool weos_is_refusal(struct bytes answer)
{
	static const char *const signs[] = { "% Error",   "%Error",   "nvalid", "not found", "not allowed", "not supported",   "not exist",
					     "timed out", "No space", "ailed",  "ncomplete", "mbiguous",    "ermission denied" };
	struct bytes line;

	while (bytes_next_line(&answer, &line)) {
		if (words_start(words_trim(line), "%"))
			return true;
		for (size_t i = 0; line.len && i < ARRAY_SIZE(signs); i++)
			if (memmem(line.ptr, line.len, signs[i], strlen(signs[i])))
				return true;
	}
	return false;
}

/* ---- structure ---- */

struct parser {
	struct weos_items *out;
	unsigned number, depth;
	unsigned columns[WEOS_DEPTH_MAX]; /* of the lines that opened the blocks around us */
	unsigned last_column;             /* of the line before, which may prove to open a block */
	bool has_last;
};

static void add_item(struct parser *p, struct bytes text, bool is_end)
{
	if (!(p->out->count & (p->out->count - 1)))
		p->out->at = mem_grow(p->out->at, (p->out->count ? 2 * p->out->count : 1) * sizeof(*p->out->at));
	p->out->at[p->out->count++] = (struct weos_item){ .text = text, .number = p->number, .depth = p->depth, .is_end = is_end };
}

static void close_block(struct parser *p)
{
	p->depth--;
	add_item(p, bytes_str("end"), true);
}

static void close_down_to(struct parser *p, unsigned column)
{
	while (p->depth && p->columns[p->depth - 1] >= column)
		close_block(p);
}

/* It stands as deep as the lines of the block that it closes. */
static void take_end(struct parser *p, unsigned column, struct bytes body)
{
	bool is_of_last = p->has_last && p->last_column < column;

	p->has_last = false;
	if (is_of_last) {
		add_item(p, body, true);
		return;
	}
	close_down_to(p, column);
	if (p->depth)
		close_block(p);
}

static void take_line(struct parser *p, unsigned column, struct bytes body)
{
	if (p->has_last && p->last_column < column && p->depth < WEOS_DEPTH_MAX)
		p->columns[p->depth++] = p->last_column;
	else
		close_down_to(p, column);
	add_item(p, body, false);
	p->last_column = column;
	p->has_last = true;
}

static unsigned column_of(struct bytes line)
{
	unsigned column = 0;

	for (size_t i = 0; i < line.len && isspace(line.ptr[i]); i++)
		column = line.ptr[i] == '\t' ? (column / TAB_WIDTH + 1) * TAB_WIDTH : column + 1;
	return column;
}

void weos_items_read(struct weos_items *out, struct bytes text)
{
	struct parser p = { .out = out };
	struct bytes line;

	*out = (struct weos_items){ 0 };
	while (bytes_next_line(&text, &line)) {
		struct bytes body = words_trim(line);

		p.number++;
		if (is_noise(body))
			continue;
		if (bytes_is(body, "end"))
			take_end(&p, column_of(line), body);
		else
			take_line(&p, column_of(line), body);
	}
	out->open = p.depth;
	close_down_to(&p, 0);
}

void weos_items_done(struct weos_items *items)
{
	free(items->at);
	*items = (struct weos_items){ 0 };
}

/* ---- canonical form ---- */

static void json_canonical(struct buf *out, struct bytes text)
{
	struct bytes line;

	while (bytes_next_line(&text, &line)) {
		if (is_noise(words_trim(line)))
			continue;
		buf_add_bytes(out, words_trim_end(line));
		buf_add_char(out, '\n');
	}
}

void weos_canonical(struct buf *out, struct bytes text)
{
	struct weos_items items;

	if (weos_is_json(text)) {
		json_canonical(out, text);
		return;
	}
	weos_items_read(&items, text);
	for (size_t i = 0; i < items.count; i++) {
		for (unsigned n = items.at[i].depth + items.at[i].is_end; n; n--)
			buf_add_char(out, '\t');
		buf_add_bytes(out, items.at[i].text);
		buf_add_char(out, '\n');
	}
	weos_items_done(&items);
}

/* ---- warnings ---- */

/* The word behind `encrypt-secrets`, or the value of that name in JSON. */
static struct bytes source_of(struct bytes line)
{
	static const char name[] = "encrypt-secrets";
	const uint8_t *at = line.len ? memmem(line.ptr, line.len, name, sizeof(name) - 1) : NULL;
	struct bytes rest = at ? bytes_from(line, (size_t)(at - line.ptr) + sizeof(name) - 1) : (struct bytes){ 0 };
	size_t n = 0;

	while (rest.len && strchr(" \t\":", rest.ptr[0]) && rest.ptr[0])
		rest = bytes_from(rest, 1);
	while (n < rest.len && islower(rest.ptr[n]))
		n++;
	return bytes_of(rest.ptr, n);
}

unsigned weos_warnings(struct bytes text)
{
	unsigned warnings = 0;
	struct bytes line;

	while (bytes_next_line(&text, &line)) {
		struct bytes source = source_of(line);

		if (words_start(words_trim(line), "no ") || is_noise(words_trim(line)))
			continue;
		if (bytes_is(source, "portable"))
			warnings |= WEOS_KEY_PORTABLE;
		if (bytes_is(source, "hwuid"))
			warnings |= WEOS_KEY_HWUID;
	}
	return warnings;
}

const char *weos_warning_text(enum weos_warning warning)
{
	switch (warning) {
	case WEOS_KEY_PORTABLE:
		return "'encrypt-secrets portable': one key for all devices, so its secrets are open to whoever has another";
	case WEOS_KEY_HWUID:
		return "'encrypt-secrets hwuid': this configuration cannot be restored to a spare device";
	}
	return "";
}

/* ---- what is written for a device ---- */

static const char blank_in_word[] = "it holds a blank where one word belongs (write {{{NAME}}} at the end of a line for a text)";

/* The device edits what it reads: '?' asks for help, a tab completes, and how it would take a quote or a backslash is not documented. */
static const char *byte_refused(uint8_t c, enum form_place place)
{
	if (c == '\n' || c == '\r')
		return "it holds a line break";
	if (c < 0x20 || c == 0x7f)
		return "it holds a control character";
	if (c >= 0x80)
		return "it holds a character that is not ASCII";
	if (c == '?' || c == '"' || c == '\'' || c == '\\')
		return "it holds one of ? \" ' \\";
	return c == ' ' && place == FORM_WORD ? blank_in_word : NULL;
}

const char *weos_value_refused(struct bytes before, struct bytes value, enum form_place place)
{
	static const char *const negations[] = { "no", "do", NULL };

	return words_value_refused(before, value, place, negations, byte_refused);
}

/* They leave configuration, or reach what is none. WeOS takes any beginning of a command that is not ambiguous, and no line of a
 * configuration is as short as that. `encrypt-password` is one that a change may hold: the driver pairs it with a save. */
static bool is_command(struct bytes word)
{
	static const char *const commands[] = { "leave",      "abort",       "exit",          "do",      "copy",      "cp",     "shell",
						"reboot",     "reload",      "factory-reset", "upgrade", "configure", "logout", "quit",
						"batch",      "interactive", "boot",          "show",    "erase",     "dir",    "ping",
						"traceroute", "telnet",      "follow",        "repeat",  "uptime",    "help" };

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (word.len <= strlen(commands[i]) && !strncasecmp((const char *)word.ptr, commands[i], word.len))
			return true;
	return false;
}

const char *weos_line_refused(struct bytes line)
{
	struct bytes body = words_trim(line), word;

	if (words_split(&word, 1, body) && word.ptr[0] != '#' && is_command(word))
		return "it is a command of the device's, not configuration";
	for (size_t i = 0; i < body.len; i++) {
		if (body.ptr[i] < 0x20 || body.ptr[i] == 0x7f)
			return "it holds a control character";
		if (body.ptr[i] == '?')
			return "it holds a '?', which asks the device for help";
	}
	return NULL;
}

bool weos_is_encryption(struct bytes line)
{
	struct bytes words[2];
	size_t count = words_split(words, 2, line);

	for (size_t i = 0; i < count; i++)
		if (bytes_is(words[i], "encrypt-password"))
			return true;
	return false;
}

bool weos_is_inside(struct bytes line)
{
	return (line.len && (line.ptr[0] == ' ' || line.ptr[0] == '\t')) || bytes_is(words_trim(line), "end");
}

static bool is_among(struct bytes word, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes_is(word, names[i]))
			return true;
	return false;
}

/* Sections by which one reaches the device, or logs in to it. */
static bool is_way_in(struct bytes section)
{
	static const char *const names[] = { "iface", "vlan", "aaa", "web", "ssh", "ip" };

	return is_among(section, names, ARRAY_SIZE(names));
}

static struct bytes section_of(struct bytes line)
{
	struct bytes words[2];
	size_t count = words_split(words, 2, line);

	if (count > 1 && bytes_is(words[0], "no"))
		return words[1];
	return count ? words[0] : (struct bytes){ 0 };
}

bool weos_is_address(struct bytes head, struct bytes line)
{
	struct bytes section = section_of(head.len ? head : line);

	return is_way_in(section) || (bytes_is(section, "port") && head.len && bytes_is(section_of(line), "shutdown"));
}

bool weos_is_remark(struct bytes line)
{
	static const char *const names[] = { "description", "end", "location", "contact" };

	return is_among(section_of(words_trim(line)), names, ARRAY_SIZE(names));
}
