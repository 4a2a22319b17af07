/* agent/console-wait.c -- waiting for what may come now; and stopping a boot, which is waiting and pressing a key. */
#include "agent/console-parts.h"

#include "base/plural.h"

#include <string.h>

enum {
	TRIES = 8, /* of a prompt that does not answer, in one wait */
	ENTERS = 2,
};

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
	return console_put(c, bytes_str(c->grammar->more), err) < 0 ? err->code : GO_ON;
}

/* The last line has been at rest for long enough: what of it? Answers as console_wait(), or GO_ON. */
static int believe(struct console *c, struct console_seen *seen, struct waiting *w, struct error *err)
{
	bool is_wanted = w->want & CONSOLE_SET(seen->shape);
	enum console_shape_kind kind = console_shape_of(c, seen)->kind;
	int r;

	if (kind == CONSOLE_PAGER && !is_wanted)
		return c->grammar->more ? ask_for_more(c, err) : CONSOLE_OTHER;
	if (kind == CONSOLE_BOOTING) {
		console_note_booting(c);
		return is_wanted ? 0 : GO_ON;
	}
	if (kind == CONSOLE_PROMPT) {
		if (w->tries++ == TRIES)
			return error_set(err, E_PEER, "what looks like prompt '%s' does not answer", console_shape_of(c, seen)->name);
		r = console_prove(c, seen, w->deadline_ms, err);
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

int console_too_late(struct console *c, const char *what, struct error *err)
{
	char said[120];

	console_quote(c, said, sizeof(said));
	return error_set(err, E_PEER, "%s did not come in time; the console shows '%s'", what, said);
}

int console_line_ended(struct console *c, struct error *err)
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

	if (console_next_finished(c, seen, w->want))
		return 0;
	if (console_last_fits(c, seen)) {
		rest_until_ms = c->last_ms + console_rest_ms(c, seen, w->want);
		if (console_now_ms(c) >= rest_until_ms) {
			r = believe(c, seen, w, err);
			if (r != GO_ON)
				return r;
			rest_until_ms = UINT64_MAX;
			if (console_shape_of(c, seen)->kind == CONSOLE_PROMPT)
				return GO_ON; /* whatever answered is to be looked at */
		}
	}
	r = console_pump(c, rest_until_ms < until_ms ? rest_until_ms : until_ms, err);
	return r < 0 ? console_line_ended(c, err) : GO_ON;
}

int console_wait(struct console *c, struct console_seen *seen, console_set want, unsigned timeout_ms, struct error *err)
{
	struct waiting w = { .want = want, .deadline_ms = console_now_ms(c) + timeout_ms };
	int r;

	*seen = (struct console_seen){ 0 };
	do {
		r = step(c, seen, &w, w.deadline_ms, err);
		if (r != GO_ON) {
			seen->is_disturbed = w.is_disturbed;
			return r;
		}
	} while (console_now_ms(c) < w.deadline_ms);
	return console_too_late(c, "the answer", err);
}

int console_attach(struct console *c, struct console_seen *seen, console_set want, unsigned listen_ms, unsigned timeout_ms,
		   struct error *err)
{
	struct waiting w = { .want = want, .deadline_ms = console_now_ms(c) + timeout_ms };
	unsigned enters = 0;
	int r;

	*seen = (struct console_seen){ 0 };
	c->last_ms = console_now_ms(c);
	while (console_now_ms(c) < w.deadline_ms) {
		struct console_seen fits;
		uint64_t silent_ms = c->is_booting || console_last_fits(c, &fits) ? w.deadline_ms : c->last_ms + listen_ms;

		r = step(c, seen, &w, silent_ms < w.deadline_ms ? silent_ms : w.deadline_ms, err);
		if (r != GO_ON)
			return r;
		if (console_now_ms(c) < c->last_ms + listen_ms || c->is_booting || console_last_fits(c, &fits))
			continue;
		if (enters++ == ENTERS)
			return console_too_late(c, "anything that is known", err);
		if (console_enter(c, err) < 0)
			return err->code;
		listen_ms = listen_ms < CONSOLE_OTHER_MS ? CONSOLE_OTHER_MS : listen_ms;
	}
	return console_too_late(c, "anything that is known", err);
}

/* ---- boot loaders ---- */

void console_expect_boot(struct console *c)
{
	console_note_booting(c);
	c->has_sent = true;
	c->sent_line_no = c->screen.line_no;
}

static int press(struct console *c, const char *key, uint64_t *last_ms, struct error *err)
{
	uint64_t shown_ms = c->last_ms;
	int r = console_put(c, bytes_str(key), err);

	*last_ms = console_now_ms(c);
	c->last_ms = shown_ms; /* rest is what the device does, not we */
	return r;
}

/* Presses until something wanted is there; then waits for it to rest. */
static int press_on(struct console *c, struct console_seen *seen, const struct console_stop *stop, struct waiting *w, unsigned *presses,
		    struct error *err)
{
	uint64_t pressed_ms = 0;
	int r;

	while (console_now_ms(c) < w->deadline_ms) {
		bool is_there = console_last_fits(c, seen) && (stop->want & CONSOLE_SET(seen->shape));

		if (!is_there && console_now_ms(c) >= pressed_ms + stop->every_ms) {
			if (press(c, stop->key, &pressed_ms, err) < 0)
				return err->code;
			++*presses;
		}
		r = step(c, seen, w, is_there ? w->deadline_ms : console_now_ms(c) + stop->every_ms, err);
		if (r != GO_ON)
			return r;
	}
	return console_too_late(c, "the boot loader", err);
}

int console_stop_boot(struct console *c, struct console_seen *seen, const struct console_stop *stop, struct error *err)
{
	struct waiting w = { .want = stop->want, .deadline_ms = console_now_ms(c) + stop->timeout_ms };
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
	transcript_remark(&c->transcript, "the key that stops the boot was sent %u %s", presses, plural(presses, "time", "times"));
	return r;
}
