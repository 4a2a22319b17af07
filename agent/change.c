/* agent/change.c -- confirmed commit as a machine without I/O. */
#include "agent/change.h"

#include <stdio.h>
#include <string.h>

enum { CONFIRM_S = 60, SETTLE_S = 5, RETRY_MS = 1000, DENIALS_MAX = 3 };

static bool is_same(const uint8_t *a, const uint8_t *b)
{
	return !memcmp(a, b, APPLY_DIGEST_LEN);
}

static uint64_t seconds(const struct change *c, const char *key, uint64_t or_else)
{
	return statement_get(c->order, key) ? statement_number(c->order, key) : or_else;
}

static bool has_group(const struct change *c)
{
	return statement_count(c->order, "member") > 0;
}

bool change_is_open(const struct change *c)
{
	return c->phase != CHANGE_NONE;
}

uint64_t change_deadline_ms(const struct change *c)
{
	return c->began_ms + seconds(c, "confirm", CONFIRM_S) * 1000;
}

/* ---- going on ---- */

static void enter(struct change *c, enum change_phase phase)
{
	c->phase = phase;
	c->is_asked = false;
	c->tries = c->denials = 0;
	c->due_ms = 0;
}

static void end(struct change *c, const char *outcome, const char *check, const char *evidence, const char *note)
{
	enter(c, CHANGE_ENDED);
	c->end = (struct orders_end){ .outcome = outcome, .check = check, .evidence = evidence };
	snprintf(c->end.note, sizeof(c->end.note), "%s", note);
}

/* Neither the one nor the other: nobody may save that by himself. */
static void end_failed(struct change *c, const char *state)
{
	char note[2 * CHANGE_NOTE_MAX];

	snprintf(note, sizeof(note), "%s%s%s; it is held, so that nothing saves this by itself: look at the device, then release it", state,
		 *c->why ? ": " : "", c->why);
	end(c, "failed", NULL, NULL, note);
	c->end.is_held = true;
}

static void go_back(struct change *c, const char *why)
{
	if (c->phase == CHANGE_RETURNING || c->phase == CHANGE_ENDED)
		return;
	snprintf(c->why, sizeof(c->why), "%s", why);
	enter(c, CHANGE_RETURNING);
}

void change_begin(struct change *c, const struct change_order *from, const struct apply_expect *seen, uint64_t now_ms, int64_t now_s)
{
	static const enum change_phase first[ORDER_KINDS] = {
		[ORDER_APPLY] = CHANGE_APPLYING, [ORDER_SAVE] = CHANGE_SAVING,  [ORDER_REVERT] = CHANGE_RETURNING,
		[ORDER_SNAPSHOT] = CHANGE_DOING, [ORDER_HOLD] = CHANGE_DOING,   [ORDER_RELEASE] = CHANGE_DOING,
		[ORDER_REBOOT] = CHANGE_DOING,   [ORDER_POLICY] = CHANGE_DOING,
	};
	struct error never;

	*c = (struct change){ .number = statement_number(from->order, "order"), .began_ms = now_ms };
	if (statement_parse(&c->order, statement_text(from->order), true, NULL, &never) < 0 ||
	    !order_kind_parse(&c->kind, statement_get(from->order, "kind")))
		return; /* it was judged: both hold */
	memcpy(c->batch, statement_hash(from->batch), HASH_LEN);
	memcpy(c->leaf, from->leaf, HASH_LEN);
	snprintf(c->person, sizeof(c->person), "%s", statement_get(from->batch, "person"));
	snprintf(c->reason, sizeof(c->reason), "%s", statement_get(from->batch, "reason"));
	memcpy(c->before, seen->startup, sizeof(c->before));
	memcpy(c->after, seen->running, sizeof(c->after));
	floor_boot(c->boot);
	c->deadline_s = now_s + (int64_t)seconds(c, "confirm", CONFIRM_S);
	change_looked(c, seen);
	enter(c, first[c->kind]);
}

void change_done(struct change *c)
{
	statement_free(c->order);
	*c = (struct change){ 0 };
}

void change_close(struct change *c)
{
	change_done(c);
}

/* ---- what comes next ---- */

static enum change_action ask(struct change *c, enum change_action action)
{
	c->is_asked = true;
	return action;
}

static enum change_action next_proving(struct change *c, uint64_t now_ms)
{
	char why[2 * CHANGE_NOTE_MAX];
	uint64_t settle_ms = seconds(c, "settle", SETTLE_S) * 1000;

	if (now_ms >= change_deadline_ms(c)) {
		snprintf(why, sizeof(why), "not healthy for %llu s within %llu s%s%s", (unsigned long long)seconds(c, "settle", SETTLE_S),
			 (unsigned long long)seconds(c, "confirm", CONFIRM_S), *c->sick ? ": " : "", c->sick);
		go_back(c, why);
		return change_next(c, now_ms);
	}
	if (c->is_healthy && c->proved_ms - c->healthy_ms >= settle_ms) {
		enter(c, has_group(c) ? CHANGE_WAITING : CHANGE_SAVING);
		return change_next(c, now_ms);
	}
	return c->is_seen && now_ms >= c->due_ms ? ask(c, CHANGE_PROVE) : CHANGE_REST;
}

static enum change_action next_waiting(struct change *c, uint64_t now_ms)
{
	if (!c->is_said)
		return ask(c, CHANGE_SAY_HEALTHY);
	if (c->is_complete) {
		enter(c, CHANGE_SAVING);
		return change_next(c, now_ms);
	}
	if (now_ms < change_deadline_ms(c))
		return CHANGE_REST;
	go_back(c, "not all of the group said in time that they are healthy");
	return change_next(c, now_ms);
}

/* Nothing of what an order to save wants was done. */
static void end_unsaved(struct change *c)
{
	if (is_same(c->startup, c->before))
		end(c, "refused", "base", NULL,
		    "running changed before it was saved; startup is what it was; look at what changed, then plan it again");
	else
		end_failed(c, "startup is neither what it was nor what was to be saved");
}

static bool is_missed(const struct change *c, uint64_t now_ms)
{
	return c->unseen_ms && now_ms - c->unseen_ms >= CHANGE_PATIENCE_MS;
}

static enum change_action next_saving(struct change *c, uint64_t now_ms)
{
	bool is_order = c->kind == ORDER_SAVE;

	if (!c->is_seen) {
		if (!is_missed(c, now_ms))
			return CHANGE_REST;
		end_failed(c, "the device does not answer, and whether it was saved is not known");
	} else if (is_same(c->startup, c->after) && (is_order || is_same(c->running, c->after))) {
		end(c, "done", NULL, "read-back", is_order ? "saved" : "applied, healthy, and saved");
	} else if (!is_order && (!is_same(c->running, c->after) || !is_same(c->startup, c->before))) {
		go_back(c, "somebody changed the configuration before it was saved");
	} else if (is_order && (!is_same(c->running, c->after) || !is_same(c->startup, c->before))) {
		end_unsaved(c);
	} else if (!is_order && c->tries) {
		go_back(c, c->sick);
	} else if (c->tries >= CHANGE_TRIES) {
		snprintf(c->why, sizeof(c->why), "%s", c->sick);
		end(c, "failed", NULL, NULL, c->why);
	} else {
		return now_ms >= c->due_ms ? ask(c, CHANGE_SAVE) : CHANGE_REST;
	}
	return change_next(c, now_ms);
}

static void end_returned(struct change *c)
{
	char note[2 * CHANGE_NOTE_MAX];

	if (c->kind == ORDER_REVERT) {
		end(c, "done", NULL, "read-back", "running is what startup says");
		return;
	}
	snprintf(note, sizeof(note), "%s; running is again what it was", c->why);
	end(c, "returned", NULL, "read-back", note);
}

static enum change_action next_returning(struct change *c, uint64_t now_ms)
{
	if (!c->is_seen) {
		if (!is_missed(c, now_ms))
			return CHANGE_REST;
		if (*c->sick)
			snprintf(c->why, sizeof(c->why), "%s", c->sick);
		end_failed(c, "the device does not answer, and could not return");
	} else if (!is_same(c->startup, c->before)) {
		end_failed(c, "startup was written by somebody else, so there is no way back");
	} else if (is_same(c->running, c->before)) {
		end_returned(c);
	} else if (c->tries >= CHANGE_TRIES) {
		if (*c->sick)
			snprintf(c->why, sizeof(c->why), "%s", c->sick);
		end_failed(c, "running could not be made what startup says");
	} else {
		return now_ms >= c->due_ms ? ask(c, CHANGE_RETURN) : CHANGE_REST;
	}
	return change_next(c, now_ms);
}

static enum change_action next_doing(struct change *c, uint64_t now_ms)
{
	if (c->is_done)
		end(c, "done", NULL, "accepted", "");
	else if (c->tries >= CHANGE_TRIES)
		end(c, "failed", NULL, NULL, c->sick);
	else
		return now_ms >= c->due_ms ? ask(c, CHANGE_DO) : CHANGE_REST;
	return change_next(c, now_ms);
}

static bool needs_journal(enum change_phase phase)
{
	return phase == CHANGE_APPLYING || phase == CHANGE_WAITING || phase == CHANGE_SAVING || phase == CHANGE_RETURNING ||
	       phase == CHANGE_DOING;
}

enum change_action change_next(struct change *c, uint64_t now_ms)
{
	if (c->is_asked)
		return CHANGE_REST;
	if (needs_journal(c->phase) && c->stored != c->phase)
		return ask(c, CHANGE_STORE);
	switch (c->phase) {
	case CHANGE_NONE:
		return CHANGE_REST;
	case CHANGE_APPLYING:
		return ask(c, CHANGE_APPLY);
	case CHANGE_PROVING:
		return next_proving(c, now_ms);
	case CHANGE_WAITING:
		return next_waiting(c, now_ms);
	case CHANGE_SAVING:
		return next_saving(c, now_ms);
	case CHANGE_RETURNING:
		return next_returning(c, now_ms);
	case CHANGE_DOING:
		return next_doing(c, now_ms);
	case CHANGE_ENDED:
		return CHANGE_END;
	}
	return CHANGE_REST;
}

/* ---- events ---- */

void change_stored(struct change *c, bool is_stored, const struct error *why)
{
	char text[CHANGE_NOTE_MAX];

	c->is_asked = false;
	if (is_stored || (c->phase == CHANGE_RETURNING && c->stored)) {
		/* that a return is not noted does no harm: what the journal says instead leads to one, or to what was healthy */
		c->stored = c->phase;
	} else if (!c->stored) {
		change_close(c);
	} else {
		snprintf(text, sizeof(text), "the change could not be noted before it went on: %.300s", why->text);
		go_back(c, text);
	}
}

void change_applied(struct change *c, const struct error *result, const uint8_t running[static APPLY_DIGEST_LEN])
{
	char why[CHANGE_NOTE_MAX];

	if (c->phase != CHANGE_APPLYING)
		return;
	c->is_seen = false;
	if (result->code == E_DENIED) {
		snprintf(why, sizeof(why), "%.300s; look at what changed, then plan it again", result->text);
		end(c, "refused", "base", NULL, why);
	} else if (result->code < 0) {
		snprintf(why, sizeof(why), "not applied whole: %.400s", result->text);
		go_back(c, why);
	} else {
		memcpy(c->after, running, sizeof(c->after));
		enter(c, CHANGE_PROVING);
	}
}

void change_proved(struct change *c, uint64_t began_ms, uint64_t now_ms, const char *why)
{
	if (c->phase != CHANGE_PROVING)
		return;
	c->is_asked = false;
	c->due_ms = now_ms + CHANGE_ROUND_MS;
	if (*why)
		snprintf(c->sick, sizeof(c->sick), "%s", why);
	if (!c->is_healthy)
		c->healthy_ms = began_ms;
	c->is_healthy = !*why && c->is_seen;
	c->proved_ms = now_ms;
}

void change_said(struct change *c, bool is_said)
{
	if (c->phase != CHANGE_WAITING)
		return;
	c->is_asked = false;
	c->is_said = is_said;
	if (!is_said)
		go_back(c, "that it is healthy could not be recorded");
}

/* A failure is counted, and waited for longer each time; that the device was not as it was looked at is none, unless it goes on. */
static void failed(struct change *c, const struct error *result, uint64_t now_ms)
{
	if (result->code == E_DENIED && ++c->denials <= DENIALS_MAX)
		return;
	snprintf(c->sick, sizeof(c->sick), "%.400s", result->text);
	c->due_ms = now_ms + (RETRY_MS << c->tries);
	c->tries++;
}

void change_saved(struct change *c, const struct error *result, uint64_t now_ms)
{
	if (c->phase != CHANGE_SAVING)
		return;
	c->is_asked = c->is_seen = false;
	if (result->code < 0)
		failed(c, result, now_ms);
}

void change_returned(struct change *c, const struct error *result, uint64_t now_ms)
{
	if (c->phase != CHANGE_RETURNING)
		return;
	c->is_asked = c->is_seen = false;
	if (result->code < 0)
		failed(c, result, now_ms);
}

void change_did(struct change *c, const struct error *result, uint64_t now_ms)
{
	if (c->phase != CHANGE_DOING)
		return;
	c->is_asked = false;
	c->is_done = result->code == 0;
	if (!c->is_done)
		failed(c, result, now_ms);
}

void change_lost(struct change *c, uint64_t now_ms)
{
	struct error gone = { .code = E_PEER, .text = "the process that touches the device ended" };
	static const uint8_t none[APPLY_DIGEST_LEN];
	bool was_asked = c->is_asked;

	c->is_seen = false;
	if (was_asked && c->phase == CHANGE_APPLYING)
		change_applied(c, &gone, none);
	else if (was_asked && c->phase == CHANGE_SAVING)
		change_saved(c, &gone, now_ms);
	else if (was_asked && c->phase == CHANGE_RETURNING)
		change_returned(c, &gone, now_ms);
	else if (was_asked && c->phase == CHANGE_PROVING)
		change_proved(c, now_ms, now_ms, gone.text);
}

void change_looked(struct change *c, const struct apply_expect *seen)
{
	memcpy(c->running, seen->running, sizeof(c->running));
	memcpy(c->startup, seen->startup, sizeof(c->startup));
	c->is_seen = true;
	c->unseen_ms = 0;
	if (c->phase != CHANGE_PROVING && c->phase != CHANGE_WAITING)
		return;
	if (!is_same(c->running, c->after))
		go_back(c, "somebody changed the configuration while the change was being proven");
	else if (!is_same(c->startup, c->before) && !is_same(c->startup, c->after))
		go_back(c, "somebody wrote another startup configuration meanwhile");
}

void change_unseen(struct change *c, uint64_t now_ms, const char *why)
{
	c->is_seen = c->is_healthy = false;
	if (!c->unseen_ms)
		c->unseen_ms = now_ms;
	if (change_is_open(c))
		snprintf(c->sick, sizeof(c->sick), "%s", why);
}

void change_restarted(struct change *c)
{
	if (c->phase == CHANGE_APPLYING || c->phase == CHANGE_PROVING || c->phase == CHANGE_WAITING)
		go_back(c, "a part of the device was started again before the change was confirmed");
}

void change_group(struct change *c, bool is_healthy, const char *why)
{
	if (c->phase != CHANGE_WAITING)
		return;
	if (is_healthy)
		c->is_complete = true;
	else
		go_back(c, why);
}
