/* agent/obey-change.c -- the order in hand: what its machine wants is done to device, disk and network, and told back. */
#include "agent/obey-parts.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum { SAVE_DEADLINE_MS = 300000, APPLY_LEAST_MS = 10000 };

static struct change *change_of(struct duty *d)
{
	return &d->obey.change;
}

void obey_trouble(struct duty *d, const char *what, const struct error *err)
{
	struct obey *o = &d->obey;

	if (!err) {
		o->trouble[0] = 0;
		return;
	}
	snprintf(o->trouble, sizeof(o->trouble), "%s: %.120s", what, err->text);
	log_failure(LOG_ERROR, what, err);
}

/* ---- beginning and ending ---- */

static int start_change(struct duty *d, struct error *err)
{
	struct change *c = change_of(d);
	struct orders_seen *seen = &d->state.chain.orders;
	int r = change_load(c, d->dir, seen->said, clock_mono_ms(), err);

	if (r < 0)
		return r;
	if (r == CHANGE_ABSENT)
		return 0;
	if (c->number <= seen->closed) {
		/* its last receipt was made: only the journal had not gone yet */
		change_done(c);
		return change_remove(d->dir, err);
	}
	orders_note_taken(seen, c->number, c->leaf);
	log_notice("order-resumes device=%s order=%llu phase=%s", d->dev->name, (unsigned long long)c->number, change_phase_name(c->phase));
	return 0;
}

int obey_start(struct duty *d, struct error *err)
{
	if (start_change(d, err) < 0 || obey_start_erase(d, err) < 0)
		return err->code;
	return obey_start_upgrade(d, err);
}

void obey_stop(struct duty *d)
{
	struct obey *o = &d->obey;

	health_cancel(d);
	fetch_stop(d);
	while (o->count)
		obey_drop(o, o->count - 1);
	change_done(&o->change);
	erase_done(&o->erase);
	upgrade_done(&o->upgrade);
	loop_disarm(&o->tick);
	buf_done(&o->text);
}

static bool begin_change(struct duty *d, const struct orders_item *item)
{
	struct change_order from = { item->st, item->batch->st, item->leaf };
	struct change *c = change_of(d);
	struct apply_expect seen;
	struct error err = { 0 };

	memcpy(seen.running, d->view.running, sizeof(seen.running));
	memcpy(seen.startup, d->view.startup, sizeof(seen.startup));
	change_begin(c, &from, &seen, clock_mono_ms(), state_now(&d->state));
	if (change_next(c, clock_mono_ms()) != CHANGE_STORE || change_store(c, d->dir, &err) < 0) {
		change_stored(c, false, &err);
		obey_trouble(d, "an order waits, since it cannot be noted", &err);
		return false;
	}
	change_stored(c, true, NULL);
	obey_trouble(d, NULL, NULL);
	orders_note_taken(&d->state.chain.orders, c->number, c->leaf);
	memset(d->obey.members, 0, sizeof(d->obey.members));
	log_notice("order-begins device=%s order=%llu kind=%s by=%s reason=\"%s\"", d->dev->name, (unsigned long long)c->number,
		   order_kind_name(c->kind), c->person, c->reason);
	return true;
}

bool obey_begin(struct duty *d, const struct orders_item *item)
{
	enum order_kind kind = ORDER_APPLY;

	if (order_kind_parse(&kind, statement_get(item->st, "kind")) && order_kind_erases(kind))
		return obey_begin_erase(d, item);
	if (kind == ORDER_UPGRADE)
		return obey_begin_upgrade(d, item);
	return begin_change(d, item);
}

static int hold_for(const struct duty *d, int64_t until_s, const char *who, const char *why, struct error *err)
{
	struct hold hold = { .until_s = until_s };

	snprintf(hold.who, sizeof(hold.who), "%s", who);
	snprintf(hold.why, sizeof(hold.why), "%s", why);
	return hold_write(&hold, d->dir, err);
}

int obey_hold(struct duty *d, uint64_t order, struct error *err)
{
	char why[128];

	snprintf(why, sizeof(why), "order %llu failed: see its receipt", (unsigned long long)order);
	return hold_for(d, state_clock(&d->state) + HOLD_SECONDS_MAX, "holdfast", why, err);
}

static int say_end(struct duty *d, struct error *err)
{
	const struct change *c = change_of(d);
	struct receipt_input in = { .order = c->number,
				    .batch = c->batch,
				    .leaf = c->leaf,
				    .outcome = c->end.outcome,
				    .check = c->end.check,
				    .evidence = c->end.evidence,
				    .note = c->end.note };

	if (c->end.is_held && obey_hold(d, c->number, err) < 0)
		return error_add(err, "hold");
	return obey_receipt(d, &in, OBEY_NOTE_CLOSED, err);
}

/* Without a receipt there is no end; it is tried until the disk takes it. */
static bool end_change(struct duty *d)
{
	struct change *c = change_of(d);
	struct error err = { 0 };

	if (say_end(d, &err) < 0) {
		obey_trouble(d, "what became of an order cannot be written", &err);
		duty_look_in(d, OBEY_AGAIN_MS);
		return false;
	}
	obey_trouble(d, NULL, NULL);
	if (change_remove(d->dir, &err) < 0)
		log_failure(LOG_WARNING, "journal-stays", &err); /* it is known to be over */
	if (c->kind == ORDER_POLICY)
		duty_policies_load(d);
	change_close(c);
	buf_done(&d->obey.text);
	d->obey.wants_snapshot = false;
	duty_look_in(d, 0);
	return false;
}

/* ---- what the machine wants ---- */

static void ask_apply(struct duty *d, enum ipc_kind kind, uint64_t deadline_ms)
{
	const struct change *c = change_of(d);
	struct apply_ask ask = { .is_ordered = true };
	_cleanup_(buf_done) struct buf body = { 0 };
	const char *mode = statement_get(c->order, "mode");

	memcpy(ask.seen.running, c->running, sizeof(ask.seen.running));
	memcpy(ask.seen.startup, c->startup, sizeof(ask.seen.startup));
	if (kind == IPC_APPLY) {
		ask.how = mode && !strcmp(mode, "whole") ? DEVICE_WHOLE : DEVICE_LINES;
		ask.text = buf_bytes(&d->obey.text);
	}
	apply_ask_put(&body, &ask);
	duty_ask(d, kind, buf_bytes(&body), deadline_ms);
}

static void apply_payload(struct duty *d)
{
	uint64_t now = clock_mono_ms(), end = change_deadline_ms(change_of(d));

	ask_apply(d, IPC_APPLY, end > now + APPLY_LEAST_MS ? end - now : APPLY_LEAST_MS);
	buf_done(&d->obey.text); /* it is not needed twice: after any trouble there is only the way back */
}

static void store(struct duty *d)
{
	struct error err = { 0 };
	int r = change_store(change_of(d), d->dir, &err);

	if (r < 0)
		log_failure(LOG_ERROR, "journal", &err);
	change_stored(change_of(d), r == 0, &err);
	log_notice("order-phase device=%s order=%llu phase=%s why=\"%s\"", d->dev->name, (unsigned long long)change_of(d)->number,
		   change_phase_name(change_of(d)->phase), change_of(d)->why);
}

static void say_healthy(struct duty *d)
{
	const struct change *c = change_of(d);
	struct receipt_input in = { .order = c->number, .batch = c->batch, .leaf = c->leaf, .outcome = "healthy", .evidence = "read-back",
				    .note = "it waits for the others of its group" };
	struct error err = { 0 };
	int r = obey_receipt(d, &in, OBEY_NOTE_SAID, &err);

	if (r < 0)
		log_failure(LOG_ERROR, "receipt", &err);
	change_said(change_of(d), r == 0);
	uplink_kick(d);
}

static void do_kind(struct duty *d)
{
	struct change *c = change_of(d);
	struct error err = { 0 };

	if (c->kind == ORDER_SNAPSHOT) {
		d->obey.wants_snapshot = d->wants_texts = true; /* change_did() when it is made */
		return;
	}
	if (c->kind == ORDER_HOLD)
		(void)!hold_for(d, statement_time(c->order, "until"), c->person, c->reason, &err);
	else if (c->kind == ORDER_RELEASE)
		(void)!hold_release(d->dir, &err);
	else if (c->kind == ORDER_POLICY)
		(void)!obey_do_policies(d, &err);
	else
		error_set(&err, E_DENIED, "'%s' is not for this device", order_kind_name(c->kind));
	change_did(c, &err, clock_mono_ms());
}

static void prove(struct duty *d)
{
	uint64_t now = clock_mono_ms();

	if (!health_begin(d))
		change_proved(change_of(d), now, now, d->obey.health.why);
}

/* False: nothing more can be done now. */
static bool perform(struct duty *d, enum change_action action)
{
	switch (action) {
	case CHANGE_REST:
		return false;
	case CHANGE_STORE:
		store(d);
		return true;
	case CHANGE_APPLY:
		apply_payload(d);
		return true;
	case CHANGE_PROVE:
		prove(d);
		return true;
	case CHANGE_SAY_HEALTHY:
		say_healthy(d);
		return true;
	case CHANGE_SAVE:
		ask_apply(d, IPC_SAVE, SAVE_DEADLINE_MS);
		return true;
	case CHANGE_RETURN:
		ask_apply(d, IPC_REVERT, SAVE_DEADLINE_MS);
		return true;
	case CHANGE_DO:
		do_kind(d);
		return true;
	case CHANGE_END:
		return end_change(d);
	}
	return false;
}

/* ---- the group ---- */

static bool is_me(const struct duty *d, const char *member)
{
	return !strcmp(member, d->state.id);
}

static void judge_group(struct duty *d)
{
	struct change *c = change_of(d);
	const char *member;
	char why[128];
	bool is_complete = true;

	for (size_t i = 0; i < ORDER_MEMBERS_MAX && (member = statement_at(c->order, "member", i)); i++) {
		const struct obey_member *m = &d->obey.members[i];

		if (is_me(d, member))
			continue;
		is_complete = is_complete && m->is_healthy;
		if (m->number && !m->is_healthy) {
			snprintf(why, sizeof(why), "member '%s' of the group says: %s", member, m->outcome);
			change_group(c, false, why);
			return;
		}
	}
	if (is_complete)
		change_group(c, true, "");
}

/* By the member itself: an id is made from the key. */
static bool is_by(const struct statement *receipt, const char *member)
{
	char id[ID_LEN + 1];
	struct error ignored;

	if (statement_sig_count(receipt) != 1 || statement_verify_by(receipt, &statement_sig(receipt, 0)->key, &ignored) < 0)
		return false;
	sign_pub_id(id, &statement_sig(receipt, 0)->key);
	return !strcmp(id, member) && !strcmp(statement_get(receipt, "device"), member);
}

bool obey_heard(struct duty *d, const struct statement *receipt)
{
	struct change *c = change_of(d);
	const char *member, *outcome = statement_get(receipt, "outcome");
	uint8_t batch[HASH_LEN];

	if (!change_is_open(c) || !statement_get_hash(batch, receipt, "batch") || memcmp(batch, c->batch, HASH_LEN) != 0)
		return false;
	for (size_t i = 0; i < ORDER_MEMBERS_MAX && (member = statement_at(c->order, "member", i)); i++) {
		struct obey_member *m = &d->obey.members[i];

		if (is_me(d, member) || statement_number(receipt, "number") <= m->number || !is_by(receipt, member))
			continue;
		m->number = statement_number(receipt, "number");
		m->is_healthy = !strcmp(outcome, "healthy") || !strcmp(outcome, "done");
		snprintf(m->outcome, sizeof(m->outcome), "%s", outcome);
		log_info("group device=%s order=%llu member=%s outcome=%s", d->dev->name, (unsigned long long)c->number, member, outcome);
		obey_drive(d);
		return true;
	}
	return false;
}

/* ---- events ---- */

void obey_drive(struct duty *d)
{
	struct change *c = change_of(d);

	if (erase_is_open(&d->obey.erase)) {
		obey_drive_erase(d);
		return;
	}
	if (upgrade_is_open(&d->obey.upgrade)) {
		obey_drive_upgrade(d);
		return;
	}
	while (change_is_open(c) && !d->asked && d->apply.pid) {
		if (c->phase != CHANGE_PROVING)
			health_cancel(d);
		if (c->phase == CHANGE_WAITING)
			judge_group(d);
		health_step(d);
		if (d->asked || !d->apply.pid || !perform(d, change_next(c, clock_mono_ms())))
			break;
	}
	if (change_is_open(c) && !d->asked && d->apply.pid && c->phase != CHANGE_ENDED)
		duty_look_in(d, OBEY_LOOK_MS);
}

/* Until its time to be erased has come, or its image is here, the device is a member of the fleet as before: what is to be saved is saved.
 */
static bool is_concern(const struct duty *d)
{
	return d->asked || obey_is_changing(d) || upgrade_is_under_way(&d->obey.upgrade) ||
	       (erase_is_open(&d->obey.erase) && d->obey.erase.phase != ERASE_ARMED);
}

bool obey_act(struct duty *d, bool is_recorded, const char *why)
{
	struct change *c = change_of(d);
	struct apply_expect seen;
	char text[200];

	if (!obey_is_busy(d)) {
		if (is_recorded)
			obey_next(d, NULL);
		return is_concern(d);
	}
	if (erase_is_open(&d->obey.erase)) {
		erase_looked(&d->obey.erase, is_recorded);
		obey_drive(d);
		return is_concern(d);
	}
	memcpy(seen.running, d->view.running, sizeof(seen.running));
	memcpy(seen.startup, d->view.startup, sizeof(seen.startup));
	if (upgrade_is_open(&d->obey.upgrade)) {
		upgrade_looked(&d->obey.upgrade, &seen, is_recorded);
		obey_stop_upgrade(d);
		obey_drive(d);
		return is_concern(d);
	}
	change_looked(c, &seen);
	if (c->phase == CHANGE_PROVING && !is_recorded) {
		/* what is not recorded is not saved */
		snprintf(text, sizeof(text), "it cannot be recorded: %.150s", why);
		change_unseen(c, clock_mono_ms(), text);
	}
	obey_drive(d);
	return true;
}

void obey_unseen(struct duty *d, const char *why)
{
	if (!obey_is_busy(d)) {
		obey_next(d, why);
		return;
	}
	if (erase_is_open(&d->obey.erase))
		erase_unseen(&d->obey.erase, clock_mono_ms());
	else if (upgrade_is_open(&d->obey.upgrade))
		upgrade_unseen(&d->obey.upgrade, why);
	else
		change_unseen(change_of(d), clock_mono_ms(), why);
	obey_drive(d);
}

void obey_restarted(struct duty *d)
{
	change_restarted(change_of(d));
}

void obey_applied(struct duty *d, const struct error *failure, const uint8_t running[static APPLY_DIGEST_LEN])
{
	log_info("order-applied device=%s order=%llu why=\"%s\"", d->dev->name, (unsigned long long)change_of(d)->number, failure->text);
	change_applied(change_of(d), failure, running);
}

void obey_showed(struct duty *d, const struct error *failure, struct bytes said)
{
	health_said(d, failure, said);
	obey_drive(d);
	if (!d->asked)
		duty_look_in(d, OBEY_LOOK_MS);
}

void obey_changed(struct duty *d, enum ipc_kind kind, const struct error *failure)
{
	if (kind == IPC_SAVE)
		change_saved(change_of(d), failure, clock_mono_ms());
	else
		change_returned(change_of(d), failure, clock_mono_ms());
}

void obey_lost(struct duty *d, enum ipc_kind asked)
{
	static const struct error gone = { .code = E_PEER, .text = "the process that touches the device ended" };

	if (asked == IPC_CHECK)
		obey_check_lost(d);
	if (asked == IPC_ERASE)
		obey_erased(d, &gone, NULL);
	health_cancel(d);
	change_lost(change_of(d), clock_mono_ms());
	upgrade_lost(&d->obey.upgrade, clock_mono_ms());
}

void obey_proved(struct duty *d, uint64_t began_ms, const char *why)
{
	change_proved(change_of(d), began_ms, clock_mono_ms(), why);
	upgrade_proved(&d->obey.upgrade, began_ms, clock_mono_ms(), why);
	obey_drive(d);
	duty_finish_step(d);
}

/* ---- what is said ---- */

bool obey_is_changing(const struct duty *d)
{
	return change_is_open(&d->obey.change);
}

bool obey_is_busy(const struct duty *d)
{
	return change_is_open(&d->obey.change) || erase_is_open(&d->obey.erase) || upgrade_is_open(&d->obey.upgrade);
}

uint64_t obey_number(const struct duty *d)
{
	const struct obey *o = &d->obey;

	return erase_is_open(&o->erase) ? o->erase.number : upgrade_is_open(&o->upgrade) ? o->upgrade.number : o->change.number;
}

bool obey_is_waiting(const struct duty *d)
{
	return d->obey.change.phase == CHANGE_WAITING;
}

const char *obey_reason(const struct duty *d, bool running_differs)
{
	const struct change *c = &d->obey.change;
	bool is_applied = c->phase == CHANGE_PROVING || c->phase == CHANGE_WAITING || c->phase == CHANGE_SAVING;

	return d->obey.wants_snapshot || (running_differs && c->kind == ORDER_APPLY && is_applied) ? "order" : NULL;
}

void obey_recorded(struct duty *d)
{
	static const struct error fine;

	if (!d->obey.wants_snapshot)
		return;
	d->obey.wants_snapshot = false;
	change_did(change_of(d), &fine, clock_mono_ms());
}

void obey_say(char *out, size_t size, const struct duty *d)
{
	const struct obey *o = &d->obey;
	const struct change *c = &o->change;
	char until[CLOCK_TEXT_LEN];

	if (erase_is_open(&o->erase)) {
		obey_say_erase(out, size, d);
		return;
	}
	if (upgrade_is_open(&o->upgrade)) {
		obey_say_upgrade(out, size, d);
		return;
	}
	clock_text(until, c->deadline_s);
	if (c->phase == CHANGE_NONE)
		snprintf(out, size, "%s", o->trouble);
	else if (c->phase == CHANGE_APPLYING || c->phase == CHANGE_PROVING || c->phase == CHANGE_WAITING)
		snprintf(out, size, "order %llu (%s) is %s until %s%s%.200s", (unsigned long long)c->number, order_kind_name(c->kind),
			 change_phase_name(c->phase), until, *c->sick ? ": " : "", c->sick);
	else
		snprintf(out, size, "order %llu (%s) is %s%s%.200s", (unsigned long long)c->number, order_kind_name(c->kind),
			 change_phase_name(c->phase), *o->trouble ? ": " : "", o->trouble);
}
