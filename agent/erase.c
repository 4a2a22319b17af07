/* agent/erase.c -- an order that erases the device, as a machine without I/O. */
#include "agent/erase.h"

#include <stdio.h>
#include <string.h>

enum { AGAIN_MS = 2000, RETRY_MS = 3000, DISK_MS = 5000 };

bool erase_is_open(const struct erase *e)
{
	return e->phase != ERASE_NONE;
}

bool erase_is_under_way(const struct erase *e)
{
	return e->phase == ERASE_ERASING || e->phase == ERASE_SAYING || erase_is_over(e);
}

bool erase_is_over(const struct erase *e)
{
	return e->phase == ERASE_SENDING || e->phase == ERASE_DESTROYING;
}

uint64_t erase_deadline_ms(const struct erase *e, unsigned delay_s)
{
	return e->began_ms + delay_s * 1000ULL;
}

/* ---- who stands behind it ---- */

static struct statement *copy_of(const struct statement *st)
{
	struct statement *copy = NULL;
	struct error never;
	size_t used;

	(void)!statement_parse(&copy, statement_whole(st), false, &used, &never); /* it was parsed from these bytes */
	return copy;
}

static bool is_one_of(const struct statement *control, const struct orders_batch *batch)
{
	for (size_t i = 0; i < batch->control_count; i++)
		if (!memcmp(statement_hash(control), statement_hash(batch->controls[i]), HASH_LEN))
			return true;
	return false;
}

static bool is_abort(const struct statement *control)
{
	return !strcmp(statement_get(control, "action"), "abort");
}

/* Only what consent_count() goes by for an order that is given out: decisions, and an abort. */
static bool decides(const struct statement *control)
{
	const char *action = statement_get(control, "action");

	return !strcmp(action, "approve") || !strcmp(action, "reject") || !strcmp(action, "withdraw") || is_abort(control);
}

/* Does one of those that were brought take the place of this one? */
static bool is_replaced(const struct statement *control, const struct orders_batch *by)
{
	for (size_t i = 0; !is_abort(control) && i < by->control_count; i++)
		if (!is_abort(by->controls[i]) && !strcmp(statement_get(by->controls[i], "person"), statement_get(control, "person")))
			return true;
	return is_one_of(control, by);
}

/* The newest decision of each person, of those that hold by this root; who has no right to decide takes no place. */
static struct orders_batch *holding(const struct orders_batch *brought, const struct statement *batch, const struct root *root)
{
	struct orders_batch *out = orders_batch_new(copy_of(batch));
	struct error ignored;

	for (size_t i = brought->control_count; i-- > 0;) {
		const struct statement *control = brought->controls[i];

		if (statement_type(control) == STATEMENT_CONTROL && decides(control) &&
		    control_verify(control, batch, root, &ignored) == 0 && !is_replaced(control, out))
			(void)orders_batch_control(out, copy_of(control));
	}
	return out;
}

bool erase_control(struct erase *e, const struct orders_batch *brought, const struct root *root)
{
	struct orders_batch *fresh;
	bool is_new = false;

	if ((e->phase != ERASE_ARMED && e->phase != ERASE_RECORDING) || statement_type(brought->st) != STATEMENT_BATCH ||
	    memcmp(statement_hash(brought->st), statement_hash(e->batch->st), HASH_LEN) != 0)
		return false;
	fresh = holding(brought, e->batch->st, root);
	for (size_t i = 0; i < fresh->control_count; i++)
		is_new = is_new || !is_one_of(fresh->controls[i], e->batch);
	for (size_t i = 0; i < e->batch->control_count; i++)
		if (!is_replaced(e->batch->controls[i], fresh))
			(void)orders_batch_control(fresh, copy_of(e->batch->controls[i]));
	orders_batch_drop(e->batch);
	e->batch = fresh;
	e->is_dirty = e->is_dirty || is_new;
	return is_new;
}

/* ---- going on ---- */

static void enter(struct erase *e, enum erase_phase phase)
{
	e->phase = phase;
	e->is_asked = e->is_polling = e->is_heard = e->is_recorded = e->is_missed = false;
	e->tries = 0;
	e->due_ms = e->unseen_ms = 0;
}

static void refuse(struct erase *e, enum orders_check check, const char *why)
{
	struct orders_judgement j = { 0 };

	orders_refuse(&j, check, "%s", why);
	enter(e, ERASE_REFUSED);
	e->check = check;
	snprintf(e->note, sizeof(e->note), "%s", j.note);
}

static void refuse_expired(struct erase *e)
{
	char why[200];

	snprintf(why, sizeof(why), "it expired at %s, before %s; nothing was erased", statement_get(e->batch->st, "expires"),
		 e->phase == ERASE_ARMED ? "its delay was over" : "its last snapshot was archived and the server was heard");
	refuse(e, CHECK_EXPIRED, why);
}

void erase_begin(struct erase *e, const struct orders_item *item, const struct root *root, uint64_t now_ms)
{
	struct error never;

	*e = (struct erase){ .number = item->number, .began_ms = now_ms };
	if (statement_parse(&e->order, statement_text(item->st), true, NULL, &never) < 0 ||
	    !order_kind_parse(&e->kind, statement_get(item->st, "kind")))
		return; /* it was judged: both hold */
	memcpy(e->leaf, item->leaf, HASH_LEN);
	e->batch = holding(item->batch, item->batch->st, root);
	floor_boot(e->boot);
	enter(e, ERASE_ARMED);
}

void erase_done(struct erase *e)
{
	statement_free(e->order);
	orders_batch_drop(e->batch);
	*e = (struct erase){ 0 };
}

/* ---- what comes next ---- */

static enum erase_action ask(struct erase *e, enum erase_action action)
{
	e->is_asked = true;
	return action;
}

static enum erase_action next_armed(struct erase *e, const struct erase_now *now)
{
	if (now->is_expired) {
		refuse_expired(e);
		return erase_next(e, now);
	}
	if (now->ms < e->due_ms)
		return ERASE_REST;
	if (!e->is_said)
		return ask(e, ERASE_SAY_ARMED);
	if (now->ms < erase_deadline_ms(e, now->delay_s))
		return ERASE_REST;
	enter(e, ERASE_RECORDING);
	return erase_next(e, now);
}

/* The poll comes last: whoever objected before this device was ready is heard. */
static enum erase_action next_recording(struct erase *e, const struct erase_now *now)
{
	if (now->is_expired) {
		refuse_expired(e);
		return erase_next(e, now);
	}
	e->is_missed = e->unseen_ms && now->ms - e->unseen_ms >= ERASE_PATIENCE_MS;
	if (now->ms < e->due_ms || (!e->is_recorded && !e->is_missed) || now->acked < now->newest)
		return ERASE_REST;
	if (e->is_heard)
		return ask(e, ERASE_JUDGE);
	if (e->is_polling)
		return ERASE_REST;
	e->is_polling = true;
	return ERASE_POLL;
}

static enum erase_action next_sending(struct erase *e, const struct erase_now *now)
{
	if (now->acked < e->receipt && now->ms - e->sending_ms < ERASE_SAY_MS)
		return ERASE_REST;
	enter(e, ERASE_DESTROYING);
	return erase_next(e, now);
}

static bool needs_journal(enum erase_phase phase)
{
	return phase == ERASE_ARMED || phase == ERASE_ERASING || phase == ERASE_SAYING;
}

enum erase_action erase_next(struct erase *e, const struct erase_now *now)
{
	if (e->is_asked)
		return ERASE_REST;
	if (e->phase == ERASE_SAYING && now->ms < e->due_ms)
		return ERASE_REST;
	if ((needs_journal(e->phase) && e->stored != e->phase) || (e->is_dirty && !erase_is_under_way(e)))
		return ask(e, ERASE_STORE);
	switch (e->phase) {
	case ERASE_NONE:
		return ERASE_REST;
	case ERASE_ARMED:
		return next_armed(e, now);
	case ERASE_RECORDING:
		return next_recording(e, now);
	case ERASE_ERASING:
		return now->ms >= e->due_ms ? ask(e, ERASE_ERASE) : ERASE_REST;
	case ERASE_SAYING:
	case ERASE_REFUSED:
		return now->ms >= e->due_ms ? ask(e, ERASE_SAY_LAST) : ERASE_REST;
	case ERASE_SENDING:
		return next_sending(e, now);
	case ERASE_DESTROYING:
		return now->ms >= e->due_ms ? ask(e, ERASE_DESTROY) : ERASE_REST;
	}
	return ERASE_REST;
}

uint64_t erase_due_ms(const struct erase *e, const struct erase_now *now)
{
	if (e->due_ms > now->ms)
		return e->due_ms;
	switch (e->phase) {
	case ERASE_ARMED:
		return erase_deadline_ms(e, now->delay_s);
	case ERASE_RECORDING:
		return now->ms + AGAIN_MS; /* expiry, and how long the device was not seen */
	case ERASE_SENDING:
		return e->sending_ms + ERASE_SAY_MS;
	case ERASE_NONE:
	case ERASE_ERASING:
	case ERASE_SAYING:
	case ERASE_DESTROYING:
	case ERASE_REFUSED:
		return 0;
	}
	return 0;
}

/* ---- events ---- */

void erase_stored(struct erase *e, bool is_stored, uint64_t now_ms)
{
	e->is_asked = false;
	if (is_stored) {
		e->stored = needs_journal(e->phase) ? e->phase : e->stored;
		e->is_dirty = false;
	} else if (!e->stored) {
		erase_done(e);
	} else if (e->phase == ERASE_ERASING) {
		/* what cannot be noted does not begin; and who objects meanwhile is heard again */
		enter(e, ERASE_RECORDING);
		e->due_ms = now_ms + DISK_MS;
	} else {
		e->is_dirty = false; /* that a decision is not noted does no harm: a poll brings it again */
		e->due_ms = now_ms + DISK_MS;
	}
}

void erase_said(struct erase *e, bool is_said, uint64_t now_ms)
{
	if (e->phase != ERASE_ARMED)
		return;
	e->is_asked = false;
	e->is_said = is_said;
	if (!is_said)
		e->due_ms = now_ms + DISK_MS;
}

void erase_judged(struct erase *e, const char *why)
{
	char text[ERASE_NOTE_MAX];

	if (e->phase != ERASE_ARMED && e->phase != ERASE_RECORDING)
		return;
	if (why) {
		snprintf(text, sizeof(text), "%.300s; nothing was erased", why);
		refuse(e, CHECK_CANCELLED, text);
	} else if (e->phase == ERASE_RECORDING && e->is_asked) {
		e->was_unseen = e->is_missed && !e->is_recorded;
		enter(e, ERASE_ERASING);
	}
}

void erase_looked(struct erase *e, bool is_recorded)
{
	e->unseen_ms = 0;
	e->is_recorded = e->phase == ERASE_RECORDING && is_recorded;
}

void erase_unseen(struct erase *e, uint64_t now_ms)
{
	e->is_recorded = false;
	if (!e->unseen_ms)
		e->unseen_ms = now_ms;
}

void erase_heard(struct erase *e)
{
	e->is_heard = e->phase == ERASE_RECORDING && e->is_polling;
}

/* Whatever its areas say, a driver that is not sure of the whole is sure of none. */
static void say(struct erase *e, bool is_sure, const char *note)
{
	struct device_erased *d = &e->erased;

	e->is_sure = is_sure && device_is_erased(d);
	if (!is_sure && device_is_erased(d))
		for (size_t i = 0; i < d->area_count; i++)
			d->areas[i].result = AREA_PARTIAL;
	enter(e, ERASE_SAYING);
	snprintf(e->note, sizeof(e->note), "%s%s%s", note, *note && e->was_unseen ? "; " : "",
		 e->was_unseen ? "it did not answer before it was erased: its last snapshot is older" : "");
}

static void try_again(struct erase *e, const struct error *result, uint64_t now_ms)
{
	char note[ERASE_NOTE_MAX];

	snprintf(e->sick, sizeof(e->sick), "%.400s", result->text);
	e->due_ms = now_ms + (RETRY_MS << 2 * e->tries); /* 3, 12, 48, 192 s: a device may be starting, or without power for a while */
	if (++e->tries < ERASE_TRIES)
		return;
	snprintf(note, sizeof(note), "%d times in a row: %.250s; it is held, and keeps its keys: see to it, then order it anew",
		 ERASE_TRIES, e->sick);
	say(e, false, note);
}

void erase_answered(struct erase *e, const struct error *result, const struct apply_erased *answer, uint64_t now_ms)
{
	if (e->phase != ERASE_ERASING)
		return;
	e->is_asked = false;
	if (answer && answer->erased.area_count)
		e->erased = answer->erased;
	else if (result->code == 0)
		e->erased = (struct device_erased){ 0 };
	if (result->code < 0) {
		try_again(e, result, now_ms);
	} else if (answer && answer->is_more) {
		e->tries = 0;
	} else if (device_is_erased(&e->erased)) {
		say(e, true, "");
	} else {
		say(e, false, "a part of it cannot be erased; it is held, and keeps its keys: see to it, then order it anew");
	}
}

void erase_said_last(struct erase *e, uint64_t receipt, uint64_t now_ms)
{
	if (e->phase != ERASE_SAYING && e->phase != ERASE_REFUSED)
		return;
	e->is_asked = false;
	if (!receipt) {
		e->due_ms = now_ms + DISK_MS;
	} else if (e->phase == ERASE_SAYING && e->is_sure) {
		enter(e, ERASE_SENDING);
		e->receipt = receipt;
		e->sending_ms = now_ms;
	} else {
		erase_done(e);
	}
}

void erase_undestroyed(struct erase *e, uint64_t now_ms)
{
	e->is_asked = false;
	e->due_ms = now_ms + DISK_MS;
}

/* ---- the last receipt ---- */

const char *erase_outcome(const struct erase *e)
{
	if (e->phase == ERASE_REFUSED)
		return "refused";
	return e->is_sure && device_is_erased(&e->erased) ? "done" : "failed";
}

const char *erase_evidence(const struct erase *e)
{
	enum area_seen weakest = AREA_AFTER_REBOOT;

	for (size_t i = 0; i < e->erased.area_count; i++)
		if (e->erased.areas[i].seen < weakest)
			weakest = e->erased.areas[i].seen;
	return e->erased.area_count && weakest != AREA_NOTHING ? area_seen_name(weakest) : NULL;
}
