/* agent/console-say.c -- saying something: what is typed must come back before it is entered. */
#include "agent/console-parts.h"

#include "base/plural.h"

#include <string.h>

enum {
	ECHO_MS = 3000,
	TYPE_TRIES = 3,
	WRAP_COLUMNS = 70, /* beyond, an editor may have broken the line */
	PASTE_CHUNK = 64,
	PASTE_PAUSE_MS = 2,
	BROKEN_LINES = 4,
};

#define SET_ALL (~(console_set)0)

/* ---- keys, texts and secrets ---- */

static int check_text(struct bytes text, const char *what, struct error *err)
{
	if (text.len > CONSOLE_TYPED_MAX)
		return error_set(err, E_LIMIT, "%s has more than %d characters", what, CONSOLE_TYPED_MAX);
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
			return error_set(err, E_FORMAT, "%s has a control character in it", what);
	return 0;
}

static void squeeze(struct buf *out, const char *text)
{
	for (; *text; text++)
		if (*text != ' ')
			buf_add_char(out, *text);
}

/* Is the line what it was, and the text behind it? Where it may have been broken, blanks do not count. */
static bool is_echoed(const struct console *c, struct bytes before, const char *text)
{
	_cleanup_(buf_done) struct buf whole = { 0 }, dense = { 0 };

	buf_add_bytes(&whole, before);
	buf_add_str(&whole, text);
	if (bytes_equal(console_up_to_cursor(&c->screen), buf_bytes(&whole)) && console_at_end(&c->screen))
		return true;
	squeeze(&dense, text);
	return whole.len > WRAP_COLUMNS && bytes_equal(buf_bytes(&c->echo), buf_bytes(&dense));
}

static int await_echo(struct console *c, struct bytes before, const char *text, struct error *err)
{
	uint64_t until_ms = console_now_ms(c) + ECHO_MS;
	int r = 0;

	while (r >= 0 && console_now_ms(c) < until_ms) {
		if (is_echoed(c, before, text))
			return 0;
		r = console_pump(c, until_ms, err);
	}
	if (r >= 0 && is_echoed(c, before, text))
		return 0;
	return r < 0 ? console_line_ended(c, err) : error_set(err, E_PEER, "what was typed did not come back as it was");
}

int console_type(struct console *c, const char *text, bool is_private, struct error *err)
{
	_cleanup_(buf_done) struct buf before = { 0 };
	int r;

	if (console_deny_booting(c, err) < 0 || check_text(bytes_str(text), "what is to be typed", err) < 0 || console_drain(c, err) < 0)
		return err->code;
	buf_add_bytes(&before, console_up_to_cursor(&c->screen));
	buf_truncate(&c->echo, 0);
	c->is_collecting = true;
	if (is_private)
		transcript_remark(&c->transcript, "%zu %s typed, withheld", strlen(text),
				  plural(strlen(text), "character is", "characters are"));
	else
		transcript_out(&c->transcript, bytes_str(text));
	r = console_put(c, bytes_str(text), err);
	if (r >= 0)
		r = await_echo(c, buf_bytes(&before), text, err);
	c->is_collecting = false;
	buf_truncate(&c->echo, 0);
	return r;
}

int console_key(struct console *c, const char *keys, struct error *err)
{
	if (console_deny_booting(c, err) < 0)
		return err->code;
	if (strchr(keys, 3))
		return error_set(err, E_DENIED, "Ctrl-C is sent to stop a boot only");
	transcript_out(&c->transcript, bytes_str(keys));
	return console_put(c, bytes_str(keys), err);
}

int console_pick(struct console *c, const char *keys, unsigned rest_ms, struct error *err)
{
	uint64_t until_ms = console_now_ms(c) + ECHO_MS;
	int r = console_key(c, keys, err);

	while (r == 0 && console_now_ms(c) < until_ms)
		r = console_pump(c, console_now_ms(c) + rest_ms, err);
	return r < 0 ? r : 0;
}

int console_enter(struct console *c, struct error *err)
{
	if (console_deny_booting(c, err) < 0 || console_drain(c, err) < 0)
		return err->code;
	console_enter_was_sent(c);
	transcript_out(&c->transcript, bytes_str(c->grammar->enter));
	return console_put(c, bytes_str(c->grammar->enter), err);
}

int console_secret(struct console *c, struct bytes secret, struct error *err)
{
	_cleanup_(buf_done) struct buf keys = { 0 };

	if (console_deny_booting(c, err) < 0 || check_text(secret, "a secret", err) < 0 || console_drain(c, err) < 0)
		return err->code;
	if (!transcript_hide(&c->transcript, secret))
		return error_set(err, E_LIMIT, "a secret is too long for a console, or there are too many");
	console_enter_was_sent(c);
	transcript_remark(&c->transcript, "a secret is typed");
	buf_add_bytes(&keys, secret);
	buf_add_str(&keys, c->grammar->enter);
	return console_put(c, buf_bytes(&keys), err);
}

int console_paste(struct console *c, struct bytes text, unsigned timeout_ms, struct error *err)
{
	uint64_t deadline_ms = console_now_ms(c) + timeout_ms;
	int r;

	if (console_deny_booting(c, err) < 0)
		return err->code;
	if (text.len && memchr(text.ptr, 3, text.len))
		return error_set(err, E_DENIED, "Ctrl-C is sent to stop a boot only");
	transcript_remark(&c->transcript, "%zu %s sent, withheld", text.len, plural(text.len, "byte is", "bytes are"));
	transcript_withhold(&c->transcript, true);
	for (r = 0; r >= 0 && text.len; text = bytes_from(text, PASTE_CHUNK)) {
		if (console_now_ms(c) >= deadline_ms) {
			r = console_too_late(c, "the end of what is sent", err);
			break;
		}
		r = console_put(c, bytes_of(text.ptr, text.len < PASTE_CHUNK ? text.len : PASTE_CHUNK), err);
		for (int got = 0; r >= 0 && got == 0; r = got)
			got = console_pump(c, console_now_ms(c) + PASTE_PAUSE_MS, err);
	}
	transcript_withhold(&c->transcript, false);
	return r < 0 ? r : 0;
}

/* ---- commands ---- */

/* What was typed and not seen is taken back, and the prompt must be there again. */
static int take_back(struct console *c, const char *text, struct error *err)
{
	_cleanup_(buf_done) struct buf keys = { 0 };
	struct console_seen seen;
	int r;

	transcript_remark(&c->transcript, "it did not come back: it is taken back");
	if (c->grammar->take_back)
		buf_add_str(&keys, c->grammar->take_back);
	for (size_t i = 0; i < strlen(text); i++)
		buf_add_char(&keys, 0x7f);
	if (console_put(c, buf_bytes(&keys), err) < 0)
		return err->code;
	r = console_pump(c, console_now_ms(c) + CONSOLE_QUIET_MS, err);
	if (r < 0 || console_enter(c, err) < 0)
		return err->code;
	r = console_wait(c, &seen, SET_ALL, ECHO_MS, err);
	if (r < 0)
		return r;
	return console_shape_of(c, &seen)->kind == CONSOLE_PROMPT ? 0 : error_set(err, E_PEER, "the prompt is gone");
}

/* A remark of the device's log may have come behind the prompt. */
static int have_prompt(struct console *c, struct error *err)
{
	struct console_seen seen;
	int r;

	if (console_drain(c, err) < 0)
		return err->code;
	if (console_last_fits(c, &seen) && console_shape_of(c, &seen)->kind == CONSOLE_PROMPT)
		return 0;
	if (console_enter(c, err) < 0)
		return err->code;
	r = console_wait(c, &seen, SET_ALL, ECHO_MS, err);
	while (r == 0 && console_shape_of(c, &seen)->kind == CONSOLE_REMARK)
		r = console_wait(c, &seen, SET_ALL, ECHO_MS, err);
	if (r < 0)
		return error_add(err, "no prompt for a command");
	return console_shape_of(c, &seen)->kind == CONSOLE_PROMPT ? 0 : error_set(err, E_PEER, "there is no prompt for a command");
}

static int type_command(struct console *c, const struct console_ask *ask, struct error *err)
{
	int r = 0;

	for (unsigned i = 0; i < TYPE_TRIES; i++) {
		if (have_prompt(c, err) < 0)
			return err->code;
		r = console_type(c, ask->command, ask->is_private, err);
		if (r != E_PEER)
			return r;
		if (take_back(c, ask->command, err) < 0)
			return err->code;
	}
	return error_set(err, E_PEER, "what was typed did not come back as it was, %d times", TYPE_TRIES);
}

/* An editor that breaks or repaints a long line shows it in pieces, the last of which ends as what was entered ends. */
static bool skip_broken_echo(const struct screen *s, struct bytes *rest, struct bytes entered)
{
	struct bytes ahead = buf_bytes(&s->text), line;
	size_t tail = entered.len % WRAP_COLUMNS < 8 ? 8 : entered.len % WRAP_COLUMNS;

	for (unsigned i = 0; i < BROKEN_LINES && bytes_next_line(&ahead, &line); i++) {
		line = console_trimmed(line);
		if (line.len >= 8 && line.len <= entered.len) {
			tail = line.len < tail ? line.len : tail;
			if (bytes_equal(bytes_from(line, line.len - tail), bytes_from(entered, entered.len - tail))) {
				*rest = ahead;
				return true;
			}
		}
	}
	return false;
}

/* The first line is the echo; a pager's line that was not wiped is no output either. False: that first line is not what was entered, so
 * something came between, on one way or the other. */
static bool take_answer(const struct console *c, struct buf *answer, struct bytes entered)
{
	struct bytes rest = buf_bytes(&c->screen.text), line = { 0 };
	struct console_seen seen;
	bool is_same = bytes_next_line(&rest, &line) && bytes_equal(console_trimmed(line), console_trimmed(entered));

	if (!is_same && entered.len > WRAP_COLUMNS)
		is_same = skip_broken_echo(&c->screen, &rest, entered);
	while (bytes_next_line(&rest, &line)) {
		if (console_match(c, &seen, line, 1u << CONSOLE_PAGER))
			continue;
		buf_add_bytes(answer, line);
		buf_add_char(answer, '\n');
	}
	return is_same;
}

static int command_once(struct console *c, struct buf *answer, struct console_seen *seen, const struct console_ask *ask, struct error *err)
{
	_cleanup_(buf_done) struct buf entered = { 0 };
	size_t before = answer->len;
	int r;

	if (ask->is_private)
		transcript_withhold(&c->transcript, true);
	r = type_command(c, ask, err);
	screen_forget(&c->screen, c->screen.text.len);
	c->looked = 0;
	buf_add_bytes(&entered, console_up_to_cursor(&c->screen));
	if (r == 0)
		r = console_enter(c, err);
	if (r == 0)
		r = console_wait(c, seen, ask->want, ask->timeout_ms, err);
	transcript_withhold(&c->transcript, false);
	if (r < 0)
		return r;
	if (!take_answer(c, answer, buf_bytes(&entered)))
		seen->is_disturbed = true;
	if (answer->len - before > CONSOLE_ANSWER_MAX)
		return error_set(err, E_LIMIT, "the answer has more than %d bytes", CONSOLE_ANSWER_MAX);
	return r;
}

int console_command(struct console *c, struct buf *answer, struct console_seen *seen, const struct console_ask *ask, struct error *err)
{
	_cleanup_(buf_done) struct buf said = { 0 };
	int r;

	for (unsigned i = 0;; i++) {
		buf_truncate(&said, 0);
		r = command_once(c, &said, seen, ask, err);
		if (r < 0)
			return ask->is_private ? r : error_add(err, "'%.60s'", ask->command);
		if (r != 0 || !seen->is_disturbed || i == ask->repeats)
			break;
		transcript_remark(&c->transcript, "the answer was disturbed: asked again");
	}
	if (answer)
		buf_add_bytes(answer, buf_bytes(&said));
	return r;
}
