/* agent/console-prove.c -- is it a prompt? What only looks like one does not answer. */
#include "agent/console-parts.h"

#include <string.h>

enum {
	PROOFS = 2,
	PROOFS_BY_ENTER = 4, /* where letters cannot be taken back */
	STRIKES = 3,
	PROVE_MS = 2000, /* how long a prompt may take to answer Enter */
};

static bool shows(const struct console *c, struct bytes before, const char *text)
{
	struct bytes line = console_up_to_cursor(&c->screen);

	return screen_is_whole(&c->screen) && console_at_end(&c->screen) && !c->screen.is_placed && line.len == before.len + strlen(text) &&
	       bytes_equal(bytes_of(line.ptr, before.len), before) && bytes_is(bytes_from(line, before.len), text);
}

/* Is what came since `from` only the prompt line, entered with `typed` behind it, and the same prompt again? */
static bool is_same_again(const struct console *c, size_t from, struct bytes prompt, const char *typed)
{
	_cleanup_(buf_done) struct buf entered = { 0 };
	struct bytes rest = bytes_from(buf_bytes(&c->screen.text), from), line;
	struct console_seen logged;

	buf_add_bytes(&entered, prompt);
	buf_add_str(&entered, typed);
	if (!bytes_next_line(&rest, &line) || !bytes_equal(console_trimmed(line), console_trimmed(buf_bytes(&entered))))
		return false;
	while (bytes_next_line(&rest, &line))
		if (!console_match(c, &logged, line, 1u << CONSOLE_LOG))
			return false;
	return shows(c, prompt, "");
}

/* Waits until the line is `before` and `text`; 0: it is not, or other lines came. */
static int await_line(struct console *c, struct bytes before, const char *text, uint64_t until_ms, struct error *err)
{
	unsigned line_no = c->screen.line_no;

	while (!shows(c, before, text)) {
		if (console_now_ms(c) >= until_ms || c->screen.line_no != line_no)
			return 0;
		if (console_pump(c, until_ms, err) < 0)
			return err->code;
	}
	return 1;
}

static int send_keys(struct console *c, const char *keys, struct error *err)
{
	transcript_out(&c->transcript, bytes_str(keys));
	return console_put(c, bytes_str(keys), err);
}

/* Sends Enter and waits until the answer is there and at rest. 1: it is the same prompt. */
static int prove_by_enter(struct console *c, struct bytes prompt, const char *typed, unsigned quiet_ms, uint64_t until_ms,
			  struct error *err)
{
	size_t from = c->screen.text.len;
	int r = send_keys(c, c->grammar->enter, err);

	while (r >= 0 && console_now_ms(c) < until_ms) {
		bool is_there = is_same_again(c, from, prompt, typed);
		uint64_t rest_until_ms = is_there ? c->last_ms + quiet_ms : until_ms;

		r = console_pump(c, rest_until_ms < until_ms ? rest_until_ms : until_ms, err);
		if (is_there && r == LINE_QUIET)
			return 1;
		if (!is_there && c->screen.text.len > from + prompt.len + CONSOLE_LINE_MAX)
			return 0; /* this is output */
	}
	return r < 0 ? r : 0;
}

/* What was typed to prove something stays on no line. */
static int clear_typed(struct console *c, size_t len, struct error *err)
{
	_cleanup_(buf_done) struct buf keys = { 0 };

	if (c->grammar->take_back)
		buf_add_str(&keys, c->grammar->take_back);
	for (size_t i = 0; i < len; i++)
		buf_add_char(&keys, 0x7f);
	return console_put(c, buf_bytes(&keys), err) < 0 ? err->code : 0;
}

/* Letters that no text can know come back behind the prompt, and go again: somebody reads who echoes. A device whose editor does not know
 * DEL is found out the first time; it has to do without. */
static int prove_by_typing(struct console *c, struct bytes prompt, const char *letters, uint64_t until_ms, struct error *err)
{
	int r = send_keys(c, letters, err);

	if (r >= 0)
		r = await_line(c, prompt, letters, until_ms, err);
	if (r <= 0)
		return r < 0 ? r : clear_typed(c, strlen(letters), err);
	for (size_t i = 0; i < strlen(letters) && r >= 0; i++)
		r = console_put(c, bytes_str("\x7f"), err);
	if (r >= 0)
		r = await_line(c, prompt, "", console_now_ms(c) + PROVE_MS, err);
	if (r == 0 && !c->takes_back) {
		transcript_remark(&c->transcript, "the device does not take characters back");
		c->not_taken_back++;
		return send_keys(c, c->grammar->enter, err); /* no command begins so: it is refused */
	}
	c->takes_back |= r == 1;
	return r;
}

static int prove_once(struct console *c, struct bytes prompt, unsigned quiet_ms, uint64_t deadline_ms, struct error *err)
{
	uint64_t until_ms = console_now_ms(c) + PROVE_MS < deadline_ms ? console_now_ms(c) + PROVE_MS : deadline_ms;
	_cleanup_(mem_freep) char *typed = mem_printf("%szq%c", c->grammar->prove ? c->grammar->prove : "", 'a' + c->nonce++ % 26);
	int r = 1;

	if (c->grammar->prove) { /* it may stay on the line: a remark, for this device */
		r = send_keys(c, typed, err);
		r = r < 0 ? r : await_line(c, prompt, typed, until_ms, err);
		return r < 0 ? r : r ? prove_by_enter(c, prompt, typed, quiet_ms, until_ms, err) : clear_typed(c, strlen(typed), err);
	}
	if (c->not_taken_back < STRIKES)
		r = prove_by_typing(c, prompt, typed, until_ms, err);
	return r == 1 ? prove_by_enter(c, prompt, "", quiet_ms, until_ms, err) : r;
}

int console_prove(struct console *c, const struct console_seen *seen, uint64_t deadline_ms, struct error *err)
{
	_cleanup_(buf_done) struct buf prompt = { 0 };
	size_t from = c->screen.text.len;
	unsigned quiet_ms = c->grammar->quiet_ms ? c->grammar->quiet_ms : CONSOLE_QUIET_MS;

	buf_add_bytes(&prompt, console_up_to_cursor(&c->screen));
	for (unsigned i = 0; i < (c->not_taken_back < STRIKES ? PROOFS : PROOFS_BY_ENTER); i++) {
		int r = prove_once(c, buf_bytes(&prompt), quiet_ms, deadline_ms, err);

		if (r <= 0)
			return r;
	}
	transcript_remark(&c->transcript, "prompt '%s' answers", console_shape_of(c, seen)->name);
	buf_truncate(&c->screen.text, from);
	c->looked = from;
	return 1;
}
