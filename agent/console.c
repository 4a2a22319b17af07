/* agent/console.c -- a conversation with a command line or a boot loader. */
#include "agent/console.h"

#include "agent/screen.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum {
	MATCH_LIMIT = 100000, /* a pattern is ours, but what it is held against is not */
	PROOFS = 2,
	PROOFS_BY_ENTER = 4, /* where letters cannot be taken back */
	STRIKES = 3,
	PROVE_MS = 2000,      /* how long a prompt may take to answer Enter */
	TRIES = 8,            /* of a prompt that does not, in one wait */
	OTHER_MS = 1000,      /* at rest this long, something that is not wanted is believed to stay */
	ECHO_MS = 3000,
	WRITE_MS = 10000,
	TYPE_TRIES = 3,
	WRAP_COLUMNS = 70, /* beyond, an editor may have broken the line */
	PASTE_CHUNK = 64,
	PASTE_PAUSE_MS = 2,
	ENTERS = 2,
	BROKEN_LINES = 4,
};

#define SET_ALL (~(console_set)0)

struct console {
	struct line *line;
	const struct console_grammar *grammar;
	pcre2_code *patterns[CONSOLE_SHAPES_MAX];
	pcre2_match_data *match;
	pcre2_match_context *limits;
	struct screen screen;
	struct transcript transcript;
	size_t looked;         /* of screen.text: finished lines that were looked at */
	uint64_t last_ms;      /* when something came or was sent */
	unsigned sent_line_no; /* the line on which Enter was sent: what stands on it is no answer */
	bool has_sent, is_booting, is_collecting;
	bool is_stopping; /* that it starts is known, and to be ended */
	bool takes_back;      /* DEL is known to work */
	unsigned not_taken_back; /* how often it did not, as long as it never has */
	unsigned nonce;
	struct buf echo; /* what was shown since something was typed */
};

/* ---- begin and end ---- */

static int compile(struct console *c, size_t i, struct error *err)
{
	const struct console_shape *shape = &c->grammar->shapes[i];
	PCRE2_SIZE at;
	int code;

	c->patterns[i] = pcre2_compile((PCRE2_SPTR)shape->pattern, PCRE2_ZERO_TERMINATED,
				       PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
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

static uint64_t now_of(const struct console *c)
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

/* Reads what comes until then: 0 when there was something, LINE_QUIET otherwise. */
static int pump(struct console *c, uint64_t until_ms, struct error *err)
{
	_cleanup_(buf_done) struct buf in = { 0 };
	int r = line_read(c->line, &in, until_ms, err);

	transcript_time(&c->transcript, now_of(c));
	if (r != 0)
		return r;
	c->last_ms = now_of(c);
	return screen_feed(&c->screen, buf_bytes(&in), tap, c, err);
}

/* Takes what is there already. */
static int drain(struct console *c, struct error *err)
{
	int r;

	do
		r = pump(c, now_of(c), err);
	while (r == 0);
	return r < 0 ? r : 0;
}

static int put(struct console *c, struct bytes in, struct error *err)
{
	int r = line_write(c->line, in, now_of(c) + WRITE_MS, err);

	c->last_ms = now_of(c);
	transcript_time(&c->transcript, c->last_ms);
	return r;
}

static int deny_booting(const struct console *c, struct error *err)
{
	return c->is_booting ? error_set(err, E_DENIED, "the device is starting: nothing is sent to it") : 0;
}

/* What is on this line is what was answered, not an answer. */
static void enter_was_sent(struct console *c)
{
	c->has_sent = true;
	c->sent_line_no = c->screen.line_no;
	c->looked = c->screen.text.len;
}

/* ---- shapes ---- */

static struct bytes trimmed(struct bytes line)
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

/* The first shape of these kinds that the whole line has. */
static bool match(const struct console *c, struct console_seen *seen, struct bytes line, unsigned kinds)
{
	line = trimmed(line);
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

static const struct console_shape *shape_of(const struct console *c, const struct console_seen *seen)
{
	return &c->grammar->shapes[seen->shape];
}

enum {
	KINDS_OF_FINISHED = 1u << CONSOLE_REMARK | 1u << CONSOLE_BOOTING,
	KINDS_OF_PLACED = 1u << CONSOLE_MENU | 1u << CONSOLE_PAGER | 1u << CONSOLE_BOOTING,
	KINDS_OF_LAST = KINDS_OF_PLACED | 1u << CONSOLE_PROMPT | 1u << CONSOLE_QUESTION,
};

static void note_booting(struct console *c)
{
	if (c->is_stopping)
		return;
	if (!c->is_booting)
		transcript_remark(&c->transcript, "the device is starting");
	c->is_booting = true;
}

/* Looks at finished lines, each once, up to one that is wanted. */
static bool next_finished(struct console *c, struct console_seen *seen, console_set want)
{
	struct bytes rest = bytes_from(buf_bytes(&c->screen.text), c->looked), line;

	while (bytes_next_line(&rest, &line)) {
		c->looked = c->screen.text.len - rest.len;
		if (!match(c, seen, line, KINDS_OF_FINISHED))
			continue;
		if (shape_of(c, seen)->kind == CONSOLE_BOOTING)
			note_booting(c);
		if (want & CONSOLE_SET(seen->shape))
			return true;
	}
	return false;
}

/* Nothing but blanks stands behind the cursor: they are what a character that was taken back leaves. */
static bool at_end(const struct screen *s)
{
	for (size_t i = s->cursor; i < s->line.len; i++)
		if (s->line.ptr[i] != ' ')
			return false;
	return true;
}

static struct bytes up_to_cursor(const struct screen *s)
{
	return bytes_of(s->line.ptr, s->cursor);
}

/* Does the last line have a shape, as far as it is there? */
static bool last_fits(const struct console *c, struct console_seen *seen)
{
	const struct screen *s = &c->screen;

	if (!screen_is_whole(s) || !at_end(s) || (c->has_sent && s->line_no == c->sent_line_no))
		return false;
	return match(c, seen, buf_bytes(&s->line), s->is_placed ? KINDS_OF_PLACED : KINDS_OF_LAST);
}

/* How long it must stay as it is before it is believed. */
static unsigned rest_ms(const struct console *c, const struct console_seen *seen, console_set want)
{
	unsigned quiet_ms = c->grammar->quiet_ms ? c->grammar->quiet_ms : CONSOLE_QUIET_MS;
	enum console_shape_kind kind = shape_of(c, seen)->kind;

	if (kind == CONSOLE_BOOTING && (want & CONSOLE_SET(seen->shape)))
		return 0; /* a countdown never rests */
	if (kind != CONSOLE_BOOTING && kind != CONSOLE_PAGER && (c->is_booting || !(want & CONSOLE_SET(seen->shape))))
		return OTHER_MS > 2 * quiet_ms ? OTHER_MS : 2 * quiet_ms;
	return kind == CONSOLE_PROMPT ? quiet_ms : 2 * quiet_ms;
}

/* ---- prompts ---- */

static bool shows(const struct console *c, struct bytes before, const char *text)
{
	struct bytes line = up_to_cursor(&c->screen);

	return screen_is_whole(&c->screen) && at_end(&c->screen) && !c->screen.is_placed && line.len == before.len + strlen(text) &&
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
	if (!bytes_next_line(&rest, &line) || !bytes_equal(trimmed(line), trimmed(buf_bytes(&entered))))
		return false;
	while (bytes_next_line(&rest, &line))
		if (!match(c, &logged, line, 1u << CONSOLE_LOG))
			return false;
	return shows(c, prompt, "");
}

/* Waits until the line is `before` and `text`; 0: it is not, or other lines came. */
static int await_line(struct console *c, struct bytes before, const char *text, uint64_t until_ms, struct error *err)
{
	unsigned line_no = c->screen.line_no;

	while (!shows(c, before, text)) {
		if (now_of(c) >= until_ms || c->screen.line_no != line_no)
			return 0;
		if (pump(c, until_ms, err) < 0)
			return err->code;
	}
	return 1;
}

static int send_keys(struct console *c, const char *keys, struct error *err)
{
	transcript_out(&c->transcript, bytes_str(keys));
	return put(c, bytes_str(keys), err);
}

/* Sends Enter and waits until the answer is there and at rest. 1: it is the same prompt. */
static int prove_by_enter(struct console *c, struct bytes prompt, const char *typed, unsigned quiet_ms, uint64_t until_ms, struct error *err)
{
	size_t from = c->screen.text.len;
	int r = send_keys(c, c->grammar->enter, err);

	while (r >= 0 && now_of(c) < until_ms) {
		bool is_there = is_same_again(c, from, prompt, typed);
		uint64_t rest_until_ms = is_there ? c->last_ms + quiet_ms : until_ms;

		r = pump(c, rest_until_ms < until_ms ? rest_until_ms : until_ms, err);
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
	return put(c, buf_bytes(&keys), err) < 0 ? err->code : 0;
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
		r = put(c, bytes_str("\x7f"), err);
	if (r >= 0)
		r = await_line(c, prompt, "", now_of(c) + PROVE_MS, err);
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
	uint64_t until_ms = now_of(c) + PROVE_MS < deadline_ms ? now_of(c) + PROVE_MS : deadline_ms;
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

/* 1: proven, and the proof is gone from the text; 0: it is none, or not provable now. */
static int prove(struct console *c, const struct console_seen *seen, uint64_t deadline_ms, struct error *err)
{
	_cleanup_(buf_done) struct buf prompt = { 0 };
	size_t from = c->screen.text.len;
	unsigned quiet_ms = c->grammar->quiet_ms ? c->grammar->quiet_ms : CONSOLE_QUIET_MS;

	buf_add_bytes(&prompt, up_to_cursor(&c->screen));
	for (unsigned i = 0; i < (c->not_taken_back < STRIKES ? PROOFS : PROOFS_BY_ENTER); i++) {
		int r = prove_once(c, buf_bytes(&prompt), quiet_ms, deadline_ms, err);

		if (r <= 0)
			return r;
	}
	transcript_remark(&c->transcript, "prompt '%s' answers", shape_of(c, seen)->name);
	buf_truncate(&c->screen.text, from);
	c->looked = from;
	return 1;
}

/* ---- waiting ---- */

struct waiting {
	console_set want;
	uint64_t deadline_ms;
	unsigned tries;
	bool is_disturbed;
};

enum { GO_ON = 2 };

static int ask_for_more(struct console *c, struct error *err)
{
	transcript_remark(&c->transcript, "the pager is asked for more");
	buf_truncate(&c->screen.line, 0);
	c->screen.cursor = 0;
	return put(c, bytes_str(c->grammar->more), err) < 0 ? err->code : GO_ON;
}

/* The last line has been at rest for long enough: what of it? Answers as console_wait(), or GO_ON. */
static int believe(struct console *c, struct console_seen *seen, struct waiting *w, struct error *err)
{
	bool is_wanted = w->want & CONSOLE_SET(seen->shape);
	enum console_shape_kind kind = shape_of(c, seen)->kind;
	int r;

	if (kind == CONSOLE_PAGER && !is_wanted)
		return c->grammar->more ? ask_for_more(c, err) : CONSOLE_OTHER;
	if (kind == CONSOLE_BOOTING) {
		note_booting(c);
		return is_wanted ? 0 : GO_ON;
	}
	if (kind == CONSOLE_PROMPT) {
		if (w->tries++ == TRIES)
			return error_set(err, E_PEER, "what looks like prompt '%s' does not answer", shape_of(c, seen)->name);
		r = prove(c, seen, w->deadline_ms, err);
		if (r < 0)
			return r;
		if (!r) {
			w->is_disturbed = true;
			return GO_ON;
		}
	}
	c->is_booting = false;
	return is_wanted ? 0 : CONSOLE_OTHER;
}

static int too_late(struct console *c, const char *what, struct error *err)
{
	char said[120];

	console_quote(c, said, sizeof(said));
	return error_set(err, E_PEER, "%s did not come in time; the console shows '%s'", what, said);
}

static int line_ended(struct console *c, struct error *err)
{
	char said[120];

	console_quote(c, said, sizeof(said));
	if (err->code == E_PEER && said[0])
		return error_set(err, E_PEER, "the line has ended; last it said '%s'", said);
	return err->code;
}

/* One look, and one wait for more: answers as console_wait(), or GO_ON. */
static int step(struct console *c, struct console_seen *seen, struct waiting *w, uint64_t until_ms, struct error *err)
{
	uint64_t rest_until_ms = UINT64_MAX;
	int r;

	if (next_finished(c, seen, w->want))
		return 0;
	if (last_fits(c, seen)) {
		rest_until_ms = c->last_ms + rest_ms(c, seen, w->want);
		if (now_of(c) >= rest_until_ms) {
			r = believe(c, seen, w, err);
			if (r != GO_ON)
				return r;
			rest_until_ms = UINT64_MAX;
			if (shape_of(c, seen)->kind == CONSOLE_PROMPT)
				return GO_ON; /* whatever answered is to be looked at */
		}
	}
	r = pump(c, rest_until_ms < until_ms ? rest_until_ms : until_ms, err);
	return r < 0 ? line_ended(c, err) : GO_ON;
}

int console_wait(struct console *c, struct console_seen *seen, console_set want, unsigned timeout_ms, struct error *err)
{
	struct waiting w = { .want = want, .deadline_ms = now_of(c) + timeout_ms };
	int r;

	*seen = (struct console_seen){ 0 };
	do {
		r = step(c, seen, &w, w.deadline_ms, err);
		if (r != GO_ON) {
			seen->is_disturbed = w.is_disturbed;
			return r;
		}
	} while (now_of(c) < w.deadline_ms);
	return too_late(c, "the answer", err);
}

int console_attach(struct console *c, struct console_seen *seen, console_set want, unsigned listen_ms, unsigned timeout_ms,
		   struct error *err)
{
	struct waiting w = { .want = want, .deadline_ms = now_of(c) + timeout_ms };
	unsigned enters = 0;
	int r;

	*seen = (struct console_seen){ 0 };
	c->last_ms = now_of(c);
	while (now_of(c) < w.deadline_ms) {
		struct console_seen fits;
		uint64_t silent_ms = c->is_booting || last_fits(c, &fits) ? w.deadline_ms : c->last_ms + listen_ms;

		r = step(c, seen, &w, silent_ms < w.deadline_ms ? silent_ms : w.deadline_ms, err);
		if (r != GO_ON)
			return r;
		if (now_of(c) < c->last_ms + listen_ms || c->is_booting || last_fits(c, &fits))
			continue;
		if (enters++ == ENTERS)
			return too_late(c, "anything that is known", err);
		if (console_enter(c, err) < 0)
			return err->code;
		listen_ms = listen_ms < OTHER_MS ? OTHER_MS : listen_ms;
	}
	return too_late(c, "anything that is known", err);
}

/* ---- saying something ---- */

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
	if (bytes_equal(up_to_cursor(&c->screen), buf_bytes(&whole)) && at_end(&c->screen))
		return true;
	squeeze(&dense, text);
	return whole.len > WRAP_COLUMNS && bytes_equal(buf_bytes(&c->echo), buf_bytes(&dense));
}

static int await_echo(struct console *c, struct bytes before, const char *text, struct error *err)
{
	uint64_t until_ms = now_of(c) + ECHO_MS;
	int r = 0;

	while (r >= 0 && now_of(c) < until_ms) {
		if (is_echoed(c, before, text))
			return 0;
		r = pump(c, until_ms, err);
	}
	if (r >= 0 && is_echoed(c, before, text))
		return 0;
	return r < 0 ? line_ended(c, err) : error_set(err, E_PEER, "what was typed did not come back as it was");
}

int console_type(struct console *c, const char *text, bool is_private, struct error *err)
{
	_cleanup_(buf_done) struct buf before = { 0 };
	int r;

	if (deny_booting(c, err) < 0 || check_text(bytes_str(text), "what is to be typed", err) < 0 || drain(c, err) < 0)
		return err->code;
	buf_add_bytes(&before, up_to_cursor(&c->screen));
	buf_truncate(&c->echo, 0);
	c->is_collecting = true;
	if (is_private)
		transcript_remark(&c->transcript, "%zu characters are typed, withheld", strlen(text));
	else
		transcript_out(&c->transcript, bytes_str(text));
	r = put(c, bytes_str(text), err);
	if (r >= 0)
		r = await_echo(c, buf_bytes(&before), text, err);
	c->is_collecting = false;
	buf_truncate(&c->echo, 0);
	return r;
}

int console_key(struct console *c, const char *keys, struct error *err)
{
	if (deny_booting(c, err) < 0)
		return err->code;
	if (strchr(keys, 3))
		return error_set(err, E_DENIED, "Ctrl-C is sent to stop a boot only");
	transcript_out(&c->transcript, bytes_str(keys));
	return put(c, bytes_str(keys), err);
}

int console_pick(struct console *c, const char *keys, unsigned rest_ms, struct error *err)
{
	uint64_t until_ms = now_of(c) + ECHO_MS;
	int r = console_key(c, keys, err);

	while (r == 0 && now_of(c) < until_ms)
		r = pump(c, now_of(c) + rest_ms, err);
	return r < 0 ? r : 0;
}

int console_enter(struct console *c, struct error *err)
{
	if (deny_booting(c, err) < 0 || drain(c, err) < 0)
		return err->code;
	enter_was_sent(c);
	transcript_out(&c->transcript, bytes_str(c->grammar->enter));
	return put(c, bytes_str(c->grammar->enter), err);
}

int console_secret(struct console *c, struct bytes secret, struct error *err)
{
	_cleanup_(buf_done) struct buf keys = { 0 };

	if (deny_booting(c, err) < 0 || check_text(secret, "a secret", err) < 0 || drain(c, err) < 0)
		return err->code;
	if (!transcript_hide(&c->transcript, secret))
		return error_set(err, E_LIMIT, "a secret is too long for a console, or there are too many");
	enter_was_sent(c);
	transcript_remark(&c->transcript, "a secret is typed");
	buf_add_bytes(&keys, secret);
	buf_add_str(&keys, c->grammar->enter);
	return put(c, buf_bytes(&keys), err);
}

int console_paste(struct console *c, struct bytes text, unsigned timeout_ms, struct error *err)
{
	uint64_t deadline_ms = now_of(c) + timeout_ms;
	int r;

	if (deny_booting(c, err) < 0)
		return err->code;
	if (text.len && memchr(text.ptr, 3, text.len))
		return error_set(err, E_DENIED, "Ctrl-C is sent to stop a boot only");
	transcript_remark(&c->transcript, "%zu bytes are sent, withheld", text.len);
	transcript_withhold(&c->transcript, true);
	for (r = 0; r >= 0 && text.len; text = bytes_from(text, PASTE_CHUNK)) {
		if (now_of(c) >= deadline_ms) {
			r = too_late(c, "the end of what is sent", err);
			break;
		}
		r = put(c, bytes_of(text.ptr, text.len < PASTE_CHUNK ? text.len : PASTE_CHUNK), err);
		for (int got = 0; r >= 0 && got == 0; r = got)
			got = pump(c, now_of(c) + PASTE_PAUSE_MS, err);
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
	if (put(c, buf_bytes(&keys), err) < 0)
		return err->code;
	r = pump(c, now_of(c) + CONSOLE_QUIET_MS, err);
	if (r < 0 || console_enter(c, err) < 0)
		return err->code;
	r = console_wait(c, &seen, SET_ALL, ECHO_MS, err);
	if (r < 0)
		return r;
	return shape_of(c, &seen)->kind == CONSOLE_PROMPT ? 0 : error_set(err, E_PEER, "the prompt is gone");
}

/* A remark of the device's log may have come behind the prompt. */
static int have_prompt(struct console *c, struct error *err)
{
	struct console_seen seen;
	int r;

	if (drain(c, err) < 0)
		return err->code;
	if (last_fits(c, &seen) && shape_of(c, &seen)->kind == CONSOLE_PROMPT)
		return 0;
	if (console_enter(c, err) < 0)
		return err->code;
	r = console_wait(c, &seen, SET_ALL, ECHO_MS, err);
	while (r == 0 && shape_of(c, &seen)->kind == CONSOLE_REMARK)
		r = console_wait(c, &seen, SET_ALL, ECHO_MS, err);
	if (r < 0)
		return error_add(err, "no prompt for a command");
	return shape_of(c, &seen)->kind == CONSOLE_PROMPT ? 0 : error_set(err, E_PEER, "there is no prompt for a command");
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
		line = trimmed(line);
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
	bool is_same = bytes_next_line(&rest, &line) && bytes_equal(trimmed(line), trimmed(entered));

	if (!is_same && entered.len > WRAP_COLUMNS)
		is_same = skip_broken_echo(&c->screen, &rest, entered);
	while (bytes_next_line(&rest, &line)) {
		if (match(c, &seen, line, 1u << CONSOLE_PAGER))
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
	buf_add_bytes(&entered, up_to_cursor(&c->screen));
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

/* ---- boot loaders ---- */

void console_expect_boot(struct console *c)
{
	note_booting(c);
	c->has_sent = true;
	c->sent_line_no = c->screen.line_no;
}

static int press(struct console *c, const char *key, uint64_t *last_ms, struct error *err)
{
	uint64_t shown_ms = c->last_ms;
	int r = put(c, bytes_str(key), err);

	*last_ms = now_of(c);
	c->last_ms = shown_ms; /* rest is what the device does, not we */
	return r;
}

/* Presses until something wanted is there; then waits for it to rest. */
static int press_on(struct console *c, struct console_seen *seen, const struct console_stop *stop, struct waiting *w, unsigned *presses,
		    struct error *err)
{
	uint64_t pressed_ms = 0;
	int r;

	while (now_of(c) < w->deadline_ms) {
		bool is_there = last_fits(c, seen) && (stop->want & CONSOLE_SET(seen->shape));

		if (!is_there && now_of(c) >= pressed_ms + stop->every_ms) {
			if (press(c, stop->key, &pressed_ms, err) < 0)
				return err->code;
			++*presses;
		}
		r = step(c, seen, w, is_there ? w->deadline_ms : now_of(c) + stop->every_ms, err);
		if (r != GO_ON)
			return r;
	}
	return too_late(c, "the boot loader", err);
}

int console_stop_boot(struct console *c, struct console_seen *seen, const struct console_stop *stop, struct error *err)
{
	struct waiting w = { .want = stop->want, .deadline_ms = now_of(c) + stop->timeout_ms };
	unsigned presses = 0;
	int r = 0;

	if (stop->when)
		r = console_wait(c, seen, stop->when | stop->want, stop->timeout_ms, err);
	if (r != 0 || (stop->when && (stop->want & CONSOLE_SET(seen->shape))))
		return r;
	transcript_remark(&c->transcript, "the boot is stopped on purpose");
	c->is_booting = false;
	c->is_stopping = true;
	r = press_on(c, seen, stop, &w, &presses, err);
	c->is_stopping = false;
	c->is_booting = r < 0;
	transcript_remark(&c->transcript, "the key that stops the boot was sent %u times", presses);
	return r;
}
