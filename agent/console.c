/* agent/console.c -- a conversation with a command line or a boot loader: its begin and end, its bytes, and the shapes of what is shown. */
#include "agent/console-parts.h"

#include <stdlib.h>
#include <string.h>

enum {
	MATCH_LIMIT = 100000, /* a pattern is ours, but what it is held against is not */
	WRITE_MS = 10000,
};

/* ---- begin and end ---- */

static int compile(struct console *c, size_t i, struct error *err)
{
	const struct console_shape *shape = &c->grammar->shapes[i];
	PCRE2_SIZE at;
	int code;

	c->patterns[i] = pcre2_compile((PCRE2_SPTR)shape->pattern, PCRE2_ZERO_TERMINATED,
				       PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C, &code,
				       &at, NULL);
	if (!c->patterns[i])
		return error_set(err, E_FORMAT, "pattern of '%s' does not compile at %zu", shape->name, (size_t)at);
	return 0;
}

int console_new(struct console **out, struct line *line, const struct console_grammar *grammar, struct error *err)
{
	_cleanup_(console_freep) struct console *c = mem_alloc(sizeof(*c));

	c->line = line;
	c->grammar = grammar;
	transcript_init(&c->transcript, line_now_ms(line));
	if (grammar->shape_count > CONSOLE_SHAPES_MAX)
		return error_set(err, E_LIMIT, "grammar '%s' has more than %d shapes", grammar->name, CONSOLE_SHAPES_MAX);
	c->match = pcre2_match_data_create(3, NULL);
	c->limits = pcre2_match_context_create(NULL);
	pcre2_set_match_limit(c->limits, MATCH_LIMIT);
	for (size_t i = 0; i < grammar->shape_count; i++)
		if (compile(c, i, err) < 0)
			return err->code;
	c->last_ms = line_now_ms(line);
	transcript_remark(&c->transcript, "attached to a %s, as %s", line->kind->name, grammar->name);
	*out = steal(c);
	return 0;
}

struct console *console_free(struct console *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->grammar->shape_count && i < CONSOLE_SHAPES_MAX; i++)
		pcre2_code_free(c->patterns[i]);
	pcre2_match_data_free(c->match);
	pcre2_match_context_free(c->limits);
	screen_done(&c->screen);
	transcript_done(&c->transcript);
	buf_done(&c->echo);
	line_free(c->line);
	free(c);
	return NULL;
}

void console_freep(struct console **console)
{
	*console = console_free(*console);
}

struct line *console_line(struct console *console)
{
	return console->line;
}

struct transcript *console_transcript(struct console *console)
{
	return &console->transcript;
}

bool console_is_booting(const struct console *console)
{
	return console->is_booting;
}

bool console_hide(struct console *console, struct bytes secret)
{
	return transcript_hide(&console->transcript, secret);
}

void console_quote(struct console *c, char *out, size_t max)
{
	_cleanup_(buf_done) struct buf text = { 0 }, shown = { 0 };
	struct bytes done = buf_bytes(&c->screen.text);
	size_t keep = max / 2;

	buf_add_bytes(&text, bytes_from(done, done.len > keep ? done.len - keep : 0));
	buf_add_bytes(&text, bytes_of(c->screen.line.ptr, c->screen.line.len < keep ? c->screen.line.len : keep));
	transcript_clean(&shown, &c->transcript, buf_bytes(&text));
	buf_truncate(&shown, max - 1);
	strcpy(out, buf_text(&shown));
}

/* ---- bytes ---- */

uint64_t console_now_ms(const struct console *c)
{
	return line_now_ms(c->line);
}

static void tap(void *ctx, uint8_t ch)
{
	struct console *c = ctx;

	transcript_in(&c->transcript, ch);
	if (c->is_collecting && ch > ' ' && c->echo.len < 4 * CONSOLE_TYPED_MAX)
		buf_add_char(&c->echo, (char)ch);
}

int console_pump(struct console *c, uint64_t until_ms, struct error *err)
{
	_cleanup_(buf_done) struct buf in = { 0 };
	int r = line_read(c->line, &in, until_ms, err);

	transcript_time(&c->transcript, console_now_ms(c));
	if (r != 0)
		return r;
	c->last_ms = console_now_ms(c);
	return screen_feed(&c->screen, buf_bytes(&in), tap, c, err);
}

int console_drain(struct console *c, struct error *err)
{
	int r;

	do
		r = console_pump(c, console_now_ms(c), err);
	while (r == 0);
	return r < 0 ? r : 0;
}

int console_put(struct console *c, struct bytes in, struct error *err)
{
	int r = line_write(c->line, in, console_now_ms(c) + WRITE_MS, err);

	c->last_ms = console_now_ms(c);
	transcript_time(&c->transcript, c->last_ms);
	return r;
}

int console_deny_booting(const struct console *c, struct error *err)
{
	return c->is_booting ? error_set(err, E_DENIED, "the device is starting: nothing is sent to it") : 0;
}

void console_enter_was_sent(struct console *c)
{
	c->has_sent = true;
	c->sent_line_no = c->screen.line_no;
	c->looked = c->screen.text.len;
}

/* ---- shapes ---- */

struct bytes console_trimmed(struct bytes line)
{
	while (line.len && (line.ptr[line.len - 1] == ' ' || line.ptr[line.len - 1] == '\t'))
		line.len--;
	return line;
}

static void take_part(const struct console *c, struct console_seen *seen, int count, unsigned group, struct bytes line)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(c->match);
	size_t len;

	seen->part[group - 1][0] = 0;
	if ((int)group >= count || at[2 * group] == PCRE2_UNSET)
		return;
	len = at[2 * group + 1] - at[2 * group];
	if (len >= CONSOLE_PART_MAX)
		len = CONSOLE_PART_MAX - 1;
	memcpy(seen->part[group - 1], line.ptr + at[2 * group], len);
	seen->part[group - 1][len] = 0;
}

bool console_match(const struct console *c, struct console_seen *seen, struct bytes line, unsigned kinds)
{
	line = console_trimmed(line);
	if (!line.len || line.len >= CONSOLE_LINE_MAX)
		return false;
	for (unsigned i = 0; i < c->grammar->shape_count; i++) {
		int count;

		if (!(kinds & (1u << c->grammar->shapes[i].kind)))
			continue;
		count = pcre2_match(c->patterns[i], line.ptr, line.len, 0, 0, c->match, c->limits);
		if (count <= 0)
			continue;
		seen->shape = i;
		memcpy(seen->line, line.ptr, line.len);
		seen->line[line.len] = 0;
		take_part(c, seen, count, 1, line);
		take_part(c, seen, count, 2, line);
		return true;
	}
	return false;
}

const struct console_shape *console_shape_of(const struct console *c, const struct console_seen *seen)
{
	return &c->grammar->shapes[seen->shape];
}

enum {
	KINDS_OF_FINISHED = 1u << CONSOLE_REMARK | 1u << CONSOLE_BOOTING,
	KINDS_OF_PLACED = 1u << CONSOLE_MENU | 1u << CONSOLE_PAGER | 1u << CONSOLE_BOOTING,
	KINDS_OF_LAST = KINDS_OF_PLACED | 1u << CONSOLE_PROMPT | 1u << CONSOLE_QUESTION,
};

void console_note_booting(struct console *c)
{
	if (c->is_stopping)
		return;
	if (!c->is_booting)
		transcript_remark(&c->transcript, "the device is starting");
	c->is_booting = true;
}

bool console_next_finished(struct console *c, struct console_seen *seen, console_set want)
{
	struct bytes rest = bytes_from(buf_bytes(&c->screen.text), c->looked), line;

	while (bytes_next_line(&rest, &line)) {
		c->looked = c->screen.text.len - rest.len;
		if (!console_match(c, seen, line, KINDS_OF_FINISHED))
			continue;
		if (console_shape_of(c, seen)->kind == CONSOLE_BOOTING)
			console_note_booting(c);
		if (want & CONSOLE_SET(seen->shape))
			return true;
	}
	return false;
}

bool console_at_end(const struct screen *s)
{
	for (size_t i = s->cursor; i < s->line.len; i++)
		if (s->line.ptr[i] != ' ')
			return false;
	return true;
}

struct bytes console_up_to_cursor(const struct screen *s)
{
	return bytes_of(s->line.ptr, s->cursor);
}

bool console_last_fits(const struct console *c, struct console_seen *seen)
{
	const struct screen *s = &c->screen;

	if (!screen_is_whole(s) || !console_at_end(s) || (c->has_sent && s->line_no == c->sent_line_no))
		return false;
	return console_match(c, seen, buf_bytes(&s->line), s->is_placed ? KINDS_OF_PLACED : KINDS_OF_LAST);
}

unsigned console_rest_ms(const struct console *c, const struct console_seen *seen, console_set want)
{
	unsigned quiet_ms = c->grammar->quiet_ms ? c->grammar->quiet_ms : CONSOLE_QUIET_MS;
	enum console_shape_kind kind = console_shape_of(c, seen)->kind;

	if (kind == CONSOLE_BOOTING && (want & CONSOLE_SET(seen->shape)))
		return 0; /* a countdown never rests */
	if (kind != CONSOLE_BOOTING && kind != CONSOLE_PAGER && (c->is_booting || !(want & CONSOLE_SET(seen->shape))))
		return CONSOLE_OTHER_MS > 2 * quiet_ms ? CONSOLE_OTHER_MS : 2 * quiet_ms;
	return kind == CONSOLE_PROMPT ? quiet_ms : 2 * quiet_ms;
}
