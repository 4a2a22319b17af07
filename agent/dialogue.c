/* agent/dialogue.c -- a conversation that must not be lost half-way. */
#include "agent/dialogue.h"

#include <string.h>

enum { LISTEN_MS = 3000, STOP_EVERY_MS = 300, PICK_MS = 200 };

static const struct dialogue_state *state_of(const struct dialogue *d, const char *name)
{
	for (size_t i = 0; i < d->count; i++)
		if (!strcmp(d->states[i].name, name))
			return &d->states[i];
	return NULL;
}

static int check_name(const struct dialogue *d, const struct dialogue_state *from, const char *name, struct error *err)
{
	if (!name || state_of(d, name))
		return 0;
	return error_set(err, E_FORMAT, "state '%s' of '%s' leads to '%s', which is none", from->name, d->name, name);
}

static int check_state(const struct dialogue *d, const struct dialogue_state *s, struct error *err)
{
	if (state_of(d, s->name) != s)
		return error_set(err, E_FORMAT, "'%s' has two states '%s'", d->name, s->name);
	if (s->act == DIALOGUE_END ? s->answers[0].to != NULL || !s->says : !s->answers[0].to || !s->timeout_ms)
		return error_set(err, E_FORMAT, "state '%s' of '%s' has no way out, or an end has one", s->name, d->name);
	for (size_t i = 0; i < DIALOGUE_ANSWERS_MAX && s->answers[i].to; i++)
		if (check_name(d, s, s->answers[i].to, err) < 0)
			return err->code;
	if (s->late && state_of(d, s->late) && state_of(d, s->late)->act == DIALOGUE_END && state_of(d, s->late)->end == DIALOGUE_DONE)
		return error_set(err, E_FORMAT, "state '%s' of '%s' takes silence for success", s->name, d->name);
	return check_name(d, s, s->late, err) < 0 ? err->code : check_name(d, s, s->resume, err);
}

int dialogue_check(const struct dialogue *d, struct error *err)
{
	for (size_t i = 0; i < d->count; i++)
		if (check_state(d, &d->states[i], err) < 0)
			return err->code;
	return 0;
}

static console_set wanted(const struct dialogue_state *s)
{
	console_set want = 0;

	for (size_t i = 0; i < DIALOGUE_ANSWERS_MAX && s->answers[i].to; i++)
		want |= s->answers[i].seen;
	return want;
}

/* What the state says; the answer is waited for by the caller, unless it is had already (1). */
static int say(const struct dialogue_run *run, const struct dialogue_state *s, struct console_seen *seen, struct error *err)
{
	struct console *c = run->console;
	struct console_stop stop = { s->text, STOP_EVERY_MS, s->when, wanted(s), s->timeout_ms };
	int r = 0;

	switch (s->act) {
	case DIALOGUE_LISTEN:
	case DIALOGUE_END:
		return 0;
	case DIALOGUE_LOOK:
		r = console_attach(c, seen, wanted(s), LISTEN_MS, s->timeout_ms, err);
		return r < 0 ? r : r + 1;
	case DIALOGUE_STOP:
		r = console_stop_boot(c, seen, &stop, err);
		return r < 0 ? r : r + 1;
	case DIALOGUE_LINE:
	case DIALOGUE_WORD:
		r = console_type(c, s->act == DIALOGUE_LINE ? s->text : run->words[s->word % DIALOGUE_WORDS_MAX], false, err);
		return r < 0 ? r : console_enter(c, err);
	case DIALOGUE_PICK:
		r = console_pick(c, s->text, PICK_MS, err);
		return r < 0 ? r : console_enter(c, err);
	case DIALOGUE_SECRET:
		return console_secret(c, run->secrets[s->secret % DIALOGUE_SECRETS_MAX], err);
	case DIALOGUE_BOOT:
		console_expect_boot(c);
		return 0;
	}
	return 0;
}

/* One state. *next is where to go on. */
static int one(const struct dialogue_run *run, const struct dialogue_state *s, const char **next, struct error *err)
{
	struct console_seen seen = { 0 };
	int r = say(run, s, &seen, err);

	if (r == 0)
		r = console_wait(run->console, &seen, wanted(s), s->timeout_ms, err);
	else if (r > 0)
		r--;
	if (r == E_PEER && s->late) {
		*next = s->late;
		return 0;
	}
	if (r < 0)
		return error_add(err, "%s, in state '%s'", run->dialogue->name, s->name);
	for (size_t i = 0; r == 0 && i < DIALOGUE_ANSWERS_MAX && s->answers[i].to; i++)
		if (s->answers[i].seen & CONSOLE_SET(seen.shape)) {
			*next = s->answers[i].to;
			return 0;
		}
	return error_set(err, E_PEER, "%s, in state '%s': the console shows what was not expected there", run->dialogue->name, s->name);
}

static const struct dialogue_state *begin(const struct dialogue_run *run)
{
	const struct dialogue_state *s = run->from ? state_of(run->dialogue, run->from) : run->dialogue->states;

	return s && run->from && s->resume ? state_of(run->dialogue, s->resume) : s;
}

int dialogue_go(struct dialogue_run *run, struct error *err)
{
	const struct dialogue_state *s = begin(run);
	const char *next = NULL;

	if (!s)
		return error_set(err, E_FORMAT, "the journal of %s ends in '%.60s', which is no state of it", run->dialogue->name,
				 run->from);
	for (unsigned steps = 0; s && steps < DIALOGUE_STEPS_MAX; steps++, s = state_of(run->dialogue, next)) {
		run->state = s->name;
		if (run->journal(run->ctx, s->name, err) < 0)
			return err->code;
		transcript_remark(console_transcript(run->console), "state '%s'", s->name);
		if (s->act == DIALOGUE_END) {
			run->says = s->says;
			return s->end;
		}
		if (one(run, s, &next, err) < 0)
			return err->code;
	}
	return error_set(err, E_PEER, "%s does not come to an end", run->dialogue->name);
}
