/* agent/upgrade.c -- an order that gives the device other firmware, as a machine without I/O: what comes next. */
#include "agent/upgrade-parts.h"

#include <stdio.h>
#include <string.h>

enum { CONFIRM_S = 60, SETTLE_S = 5, KEEPS = 2 };

/* ---- going on ---- */

const char *upgrade_version(const struct upgrade *u)
{
	return statement_get(u->firmware, "version");
}

bool upgrade_is_boot(const struct upgrade *u)
{
	return !strcmp(statement_get(u->firmware, "part"), "boot");
}

bool upgrade_loses_configuration(const struct upgrade *u)
{
	const char *downgrade = statement_get(u->firmware, "downgrade");

	return downgrade && !strcmp(downgrade, "loses");
}

static uint64_t seconds(const struct upgrade *u, const char *key, uint64_t or_else)
{
	return statement_get(u->order, key) ? statement_number(u->order, key) : or_else;
}

bool upgrade_is_open(const struct upgrade *u)
{
	return u->phase != UPGRADE_NONE;
}

bool upgrade_is_under_way(const struct upgrade *u)
{
	return u->phase >= UPGRADE_INSTALLING;
}

bool upgrade_may_stop(const struct upgrade *u)
{
	return (u->phase == UPGRADE_FETCHING || u->phase == UPGRADE_RECORDING) && !u->stop.outcome;
}

uint64_t upgrade_deadline_ms(const struct upgrade *u)
{
	return u->began_ms + seconds(u, "confirm", CONFIRM_S) * 1000;
}

void upgrade_note_sick(struct upgrade *u, const char *why)
{
	snprintf(u->sick, sizeof(u->sick), "%.400s", why);
}

void upgrade_enter(struct upgrade *u, enum upgrade_phase phase)
{
	u->phase = phase;
	u->is_asked = u->is_resumed = u->is_fit = u->is_looked = u->is_healthy = false;
	u->tries = 0;
	u->due_ms = 0;
	u->sick[0] = 0;
}

void upgrade_begin_clock(struct upgrade *u, uint64_t now_ms)
{
	u->began_ms = now_ms;
	floor_boot(u->boot);
}

static void end(struct upgrade *u, const char *outcome, const char *check, const char *evidence, const char *note)
{
	upgrade_enter(u, UPGRADE_ENDED);
	u->end = (struct orders_end){ .outcome = outcome, .check = check, .evidence = evidence, .is_held = !strcmp(outcome, "failed") };
	snprintf(u->end.note, sizeof(u->end.note), "%s", note);
}

void upgrade_refuse(struct upgrade *u, enum orders_check check, const char *why)
{
	struct orders_judgement j = { 0 };

	orders_refuse(&j, check, "%.300s; nothing was given to the device", why);
	end(u, "refused", orders_check_name(check), NULL, j.note);
}

void upgrade_cancel(struct upgrade *u, const char *why)
{
	struct orders_judgement j = { 0 };

	orders_refuse(&j, CHECK_CANCELLED, "%.300s; nothing was given to the device", why);
	u->stop = (struct orders_end){ .outcome = "refused", .check = orders_check_name(CHECK_CANCELLED) };
	snprintf(u->stop.note, sizeof(u->stop.note), "%s", j.note);
}

void upgrade_supersede(struct upgrade *u, uint64_t by)
{
	u->stop = (struct orders_end){ .outcome = "superseded" };
	snprintf(u->stop.note, sizeof(u->stop.note), "order %llu takes its place; nothing was given to the device", (unsigned long long)by);
}

void upgrade_fail(struct upgrade *u, const char *why)
{
	char note[2 * UPGRADE_NOTE_MAX];

	snprintf(note, sizeof(note), "%.300s; it is held: see to it, then assign it again", why);
	end(u, "failed", NULL, NULL, note);
}

void upgrade_go_back(struct upgrade *u, const char *why, uint64_t now_ms)
{
	snprintf(u->why, sizeof(u->why), "%.300s", why);
	upgrade_enter(u, UPGRADE_RETURNING);
	upgrade_begin_clock(u, now_ms);
}

void upgrade_begin(struct upgrade *u, const struct orders_item *item, struct statement *firmware)
{
	struct error never;
	size_t used;

	*u = (struct upgrade){ .number = item->number, .firmware = firmware };
	if (statement_parse(&u->order, statement_text(item->st), true, NULL, &never) < 0 ||
	    statement_parse(&u->batch, statement_whole(item->batch->st), false, &used, &never) < 0)
		return; /* it was judged: it holds */
	memcpy(u->leaf, item->leaf, HASH_LEN);
	upgrade_begin_clock(u, 0);
	upgrade_enter(u, UPGRADE_FETCHING);
}

void upgrade_done(struct upgrade *u)
{
	statement_free(u->order);
	statement_free(u->batch);
	statement_free(u->firmware);
	*u = (struct upgrade){ 0 };
}

void upgrade_close(struct upgrade *u)
{
	upgrade_done(u);
}

/* ---- what comes next ---- */

static enum upgrade_action ask(struct upgrade *u, enum upgrade_action action, const struct upgrade_now *now)
{
	u->is_asked = true;
	u->asked_ms = now->ms;
	return action;
}

static bool refuse_expired(struct upgrade *u, const struct upgrade_now *now)
{
	char why[200];

	if (!now->is_expired)
		return false;
	snprintf(why, sizeof(why), "it expired at %s, before %s%s%.100s", statement_get(u->batch, "expires"),
		 u->phase == UPGRADE_FETCHING ? "the image was here" : "the device was saved and archived", *u->sick ? ": " : "", u->sick);
	upgrade_refuse(u, CHECK_EXPIRED, why);
	return true;
}

/* Before the device was given anything: is it over? */
static bool is_given_up(struct upgrade *u, const struct upgrade_now *now)
{
	if (!u->stop.outcome)
		return refuse_expired(u, now);
	upgrade_enter(u, UPGRADE_ENDED);
	u->end = u->stop;
	return true;
}

static enum upgrade_action next_fetching(struct upgrade *u, const struct upgrade_now *now)
{
	if (u->is_fetched) {
		upgrade_enter(u, UPGRADE_RECORDING);
		return upgrade_next(u, now);
	}
	if (now->is_closed)
		return u->is_asked ? UPGRADE_PAUSE : UPGRADE_REST;
	return u->is_asked ? UPGRADE_REST : ask(u, UPGRADE_FETCH, now);
}

/* What is here, and was not when it was assigned? */
static bool refuse_seen(struct upgrade *u)
{
	struct orders_judgement j = { .verdict = ORDERS_OBEY };

	if (!upgrade_is_boot(u))
		upgrade_judge_version(&j, u->firmware, u->seen.version);
	if (j.verdict == ORDERS_OBEY)
		return false;
	end(u, "refused", orders_check_name(j.check), NULL, j.note);
	return true;
}

static bool has_it_already(const struct upgrade *u)
{
	return !strcmp(u->seen.version, upgrade_version(u)) && (!*u->seen.other || !strcmp(u->seen.other, upgrade_version(u)));
}

static void begin_install(struct upgrade *u, const struct upgrade_now *now)
{
	char note[200];

	if (refuse_seen(u))
		return;
	if (has_it_already(u)) {
		snprintf(note, sizeof(note), "it had %.60s before, and was not touched", upgrade_version(u));
		end(u, "done", NULL, "read-back", note);
		return;
	}
	snprintf(u->slot, sizeof(u->slot), "%s", u->seen.slot);
	snprintf(u->version, sizeof(u->version), "%s", u->seen.version);
	upgrade_enter(u, UPGRADE_INSTALLING);
	upgrade_begin_clock(u, now->ms);
}

static enum upgrade_action next_recording(struct upgrade *u, const struct upgrade_now *now)
{
	bool is_ready = u->is_looked && !now->is_held && !now->is_closed && now->acked >= now->newest;

	if (now->is_held || now->is_closed)
		upgrade_note_sick(u, now->is_held ? "it is held" : "it waits for its window");
	if (now->ms < u->due_ms || !is_ready)
		return UPGRADE_REST;
	if (!u->is_fit)
		return ask(u, UPGRADE_SEE, now);
	begin_install(u, now);
	return upgrade_next(u, now);
}

static void not_proven(struct upgrade *u, const struct upgrade_now *now)
{
	char why[2 * UPGRADE_NOTE_MAX];

	snprintf(why, sizeof(why), "%.60s was not healthy for %llu s within %llu s%s%.200s", upgrade_version(u),
		 (unsigned long long)seconds(u, "settle", SETTLE_S), (unsigned long long)seconds(u, "confirm", CONFIRM_S),
		 *u->sick ? ": " : "", u->sick);
	if (u->phase == UPGRADE_PROVING)
		upgrade_go_back(u, why, now->ms);
	else
		upgrade_fail(u, why);
}

void upgrade_finish(struct upgrade *u)
{
	char note[UPGRADE_NOTE_MAX];

	snprintf(note, sizeof(note), "%.60s, before it %.60s%s", upgrade_version(u), u->version,
		 upgrade_loses_configuration(u) ? "; what became of its configuration was not judged" : "");
	end(u, "done", NULL, "seen-after-reboot", note);
}

/* It starts another image by itself than the one that runs: it is started as it starts by itself, and proved once more. */
static void proven(struct upgrade *u)
{
	if (u->phase == UPGRADE_PROVING) {
		upgrade_enter(u, UPGRADE_KEEPING);
	} else if (!u->seen.is_fallback) {
		upgrade_finish(u);
	} else if (++u->keeps < KEEPS) {
		upgrade_enter(u, UPGRADE_KEEPING);
	} else {
		upgrade_fail(u, "it runs the new version, but from the image that it falls back to: the other one does not start");
	}
}

static enum upgrade_action next_proving(struct upgrade *u, const struct upgrade_now *now)
{
	if (u->is_healthy && u->proved_ms - u->healthy_ms >= seconds(u, "settle", SETTLE_S) * 1000) {
		proven(u);
		return upgrade_next(u, now);
	}
	if (now->ms >= upgrade_deadline_ms(u)) {
		not_proven(u, now);
		return upgrade_next(u, now);
	}
	if (now->ms < u->due_ms)
		return UPGRADE_REST;
	if (!u->is_fit)
		return ask(u, UPGRADE_SEE, now);
	return u->is_looked ? ask(u, UPGRADE_PROVE, now) : UPGRADE_REST;
}

static void finish_return(struct upgrade *u)
{
	char note[2 * UPGRADE_NOTE_MAX];

	snprintf(note, sizeof(note), "%.300s; it runs %.60s as before", u->why, u->version);
	end(u, "returned", NULL, u->was_started ? "seen-after-reboot" : "read-back", note);
}

static void fail_return(struct upgrade *u)
{
	char why[3 * UPGRADE_NOTE_MAX];

	snprintf(why, sizeof(why), "%.200s; and it was not seen to be back%s%.150s", u->why, *u->sick ? ": " : "", u->sick);
	upgrade_fail(u, why);
}

/* First it is looked at: what was begun may have had no effect, or the device fell back by itself. */
static enum upgrade_action next_returning(struct upgrade *u, const struct upgrade_now *now)
{
	if (u->is_fit && u->is_looked) {
		finish_return(u);
		return upgrade_next(u, now);
	}
	if (u->tries >= UPGRADE_TRIES) {
		fail_return(u);
		return upgrade_next(u, now);
	}
	if (now->ms < u->due_ms)
		return UPGRADE_REST;
	if (!u->is_fit)
		return ask(u, u->is_resumed ? UPGRADE_STEP : UPGRADE_SEE, now);
	/* it runs what it ran, and its configuration is not what it was, or is not seen: a restart may bring it back */
	return now->ms >= upgrade_deadline_ms(u) ? ask(u, UPGRADE_STEP, now) : UPGRADE_REST;
}

/* STARTING that was cut off: the device may be up on the new image. */
static enum upgrade_action next_step(struct upgrade *u, const struct upgrade_now *now)
{
	if (now->ms < u->due_ms)
		return UPGRADE_REST;
	return ask(u, u->is_resumed ? UPGRADE_SEE : UPGRADE_STEP, now);
}

static bool is_stored_as(enum upgrade_phase phase, enum upgrade_phase stored)
{
	return phase == UPGRADE_NONE || phase == UPGRADE_ENDED || phase == stored ||
	       (phase == UPGRADE_RECORDING && stored == UPGRADE_FETCHING);
}

enum upgrade_action upgrade_next(struct upgrade *u, const struct upgrade_now *now)
{
	if (u->is_asked && u->phase != UPGRADE_FETCHING)
		return UPGRADE_REST;
	if ((u->phase == UPGRADE_FETCHING || u->phase == UPGRADE_RECORDING) && u->stored && is_given_up(u, now))
		return UPGRADE_END;
	if ((u->is_asked && u->phase != UPGRADE_FETCHING) || (!is_stored_as(u->phase, u->stored) && now->ms < u->due_ms))
		return UPGRADE_REST;
	if (!is_stored_as(u->phase, u->stored))
		return ask(u, UPGRADE_STORE, now);
	switch (u->phase) {
	case UPGRADE_NONE:
		return UPGRADE_REST;
	case UPGRADE_FETCHING:
		return next_fetching(u, now);
	case UPGRADE_RECORDING:
		return next_recording(u, now);
	case UPGRADE_INSTALLING:
	case UPGRADE_STARTING:
	case UPGRADE_KEEPING:
	case UPGRADE_RESTARTING:
		return next_step(u, now);
	case UPGRADE_PROVING:
	case UPGRADE_SETTLING:
		return next_proving(u, now);
	case UPGRADE_RETURNING:
		return next_returning(u, now);
	case UPGRADE_ENDED:
		return UPGRADE_END;
	}
	return UPGRADE_REST;
}

enum device_upgrade upgrade_step(const struct upgrade *u)
{
	switch (u->phase) {
	case UPGRADE_INSTALLING:
		return DEVICE_UPGRADE_INSTALL;
	case UPGRADE_STARTING:
		return DEVICE_UPGRADE_START;
	case UPGRADE_KEEPING:
		return DEVICE_UPGRADE_KEEP;
	case UPGRADE_RESTARTING:
		return DEVICE_UPGRADE_RESTART;
	case UPGRADE_RETURNING:
		return DEVICE_UPGRADE_RETURN;
	case UPGRADE_NONE:
	case UPGRADE_FETCHING:
	case UPGRADE_RECORDING:
	case UPGRADE_PROVING:
	case UPGRADE_SETTLING:
	case UPGRADE_ENDED:
		return DEVICE_UPGRADE_SEE;
	}
	return DEVICE_UPGRADE_SEE;
}

void upgrade_image(struct device_image *out, const struct upgrade *u)
{
	*out = (struct device_image){ .part = statement_get(u->firmware, "part"),
				      .version = upgrade_version(u),
				      .slot = u->slot,
				      .path = "",
				      .size = statement_number(u->firmware, "size") };
	(void)!statement_get_hash(out->hash, u->firmware, "image");
}
