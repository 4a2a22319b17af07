/* agent/obey-erase.c -- an order that erases the device: what its machine wants is done to device, disk and network, and told back. */
#include "agent/obey-parts.h"

#include "agent/media.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum { ERASE_DEADLINE_MS = DEVICE_ERASE_MS + 60000 };

static struct erase *erase_of(struct duty *d)
{
	return &d->obey.erase;
}

static unsigned long long number_of(const struct duty *d)
{
	return (unsigned long long)d->obey.erase.number;
}

static struct erase_now now_of(const struct duty *d)
{
	const struct erase *e = &d->obey.erase;
	struct erase_now now = { .ms = clock_mono_ms(), .acked = d->state.spool.acked, .newest = d->state.chain.number };

	if (!erase_is_open(e))
		return now;
	now.delay_s = root_delay(d->state.root, order_kind_name(e->kind));
	now.is_expired = batch_time(e->batch->st, floor_now(&d->state.floor)) == BATCH_EXPIRED;
	return now;
}

/* ---- beginning ---- */

static void use_challenge(struct duty *d)
{
	uint8_t named[HASH_LEN];

	if (statement_get_hash(named, d->obey.erase.order, "challenge"))
		challenge_use(&d->state.challenge, d->dir, named);
}

static void judge(struct duty *d)
{
	struct erase *e = erase_of(d);
	char why[ORDERS_NOTE_MAX];

	erase_judged(e, orders_is_agreed(why, e->batch, d->state.root) ? NULL : why);
}

int obey_start_erase(struct duty *d, struct error *err)
{
	struct erase *e = erase_of(d);
	struct orders_seen *seen = &d->state.chain.orders;
	int r = erase_load(e, d->dir, seen, d->state.chain.number, clock_mono_ms(), err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!erase_is_open(e))
		return erase_remove(d->dir, err); /* its last receipt was made: only the journal had not gone yet */
	orders_note_taken(seen, e->number, e->leaf);
	use_challenge(d);
	log_notice("order-resumes device=%s order=%llu kind=%s phase=%s", d->dev->name, number_of(d), order_kind_name(e->kind),
		   erase_phase_name(e->phase));
	if (e->phase == ERASE_ARMED)
		judge(d); /* an objection whose receipt could not be written */
	return 0;
}

static bool store(struct duty *d, struct error *err)
{
	struct erase *e = erase_of(d);
	enum erase_phase phase = e->phase;
	int r = erase_store(e, d->dir, err);

	if (r < 0)
		log_failure(LOG_ERROR, "journal", err);
	else if (e->stored != phase)
		log_notice("order-phase device=%s order=%llu phase=%s", d->dev->name, number_of(d), erase_phase_name(phase));
	erase_stored(e, r == 0, clock_mono_ms());
	obey_trouble(d, "an order that erases waits, since it cannot be noted", r < 0 ? err : NULL);
	return r == 0;
}

/* What was noted of media holds for one order: they may have been in use since. */
static int forget_media(const struct duty *d, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/" MEDIA_JOURNAL, d->dir);

	return fs_remove(path, err);
}

bool obey_begin_erase(struct duty *d, const struct orders_item *item)
{
	struct erase *e = erase_of(d);
	struct error err = { 0 };
	struct erase_now now;

	if (forget_media(d, &err) < 0) {
		log_failure(LOG_ERROR, "journal", &err);
		return false;
	}
	erase_begin(e, item, d->state.root, clock_mono_ms());
	now = now_of(d);
	if (erase_next(e, &now) != ERASE_STORE || !store(d, &err))
		return false;
	orders_note_taken(&d->state.chain.orders, e->number, e->leaf);
	use_challenge(d);
	log_notice("order-begins device=%s order=%llu kind=%s by=%s reason=\"%s\" delay_s=%u", d->dev->name, number_of(d),
		   order_kind_name(e->kind), statement_get(e->batch->st, "person"), statement_get(e->batch->st, "reason"),
		   now_of(d).delay_s);
	return true;
}

/* ---- receipts ---- */

static void say_armed(struct duty *d)
{
	const struct erase *e = erase_of(d);
	char note[200], until[CLOCK_TEXT_LEN];
	struct erase_now now = now_of(d);
	uint64_t deadline = erase_deadline_ms(e, now.delay_s);
	struct receipt_input in = {
		.order = e->number, .batch = statement_hash(e->batch->st), .leaf = e->leaf, .outcome = "armed", .note = note
	};
	struct error err = { 0 };
	int r;

	clock_text(until, state_now(&d->state) + (int64_t)(deadline > now.ms ? deadline - now.ms : 0) / 1000);
	snprintf(note, sizeof(note), "it erases itself (%s) at %s or later, unless somebody rejects or aborts the order before",
		 order_kind_name(e->kind), until);
	r = obey_receipt(d, &in, OBEY_NOTE_SAID, &err);
	if (r < 0)
		log_failure(LOG_ERROR, "receipt", &err);
	erase_said(erase_of(d), r == 0, clock_mono_ms());
	uplink_kick(d);
}

static int make_last(struct duty *d, struct error *err)
{
	const struct erase *e = erase_of(d);
	bool is_refused = e->phase == ERASE_REFUSED;
	struct receipt_input in = { .order = e->number,
				    .batch = statement_hash(e->batch->st),
				    .leaf = e->leaf,
				    .outcome = erase_outcome(e),
				    .check = is_refused ? orders_check_name(e->check) : NULL,
				    .evidence = is_refused ? NULL : erase_evidence(e),
				    .note = e->note,
				    .erased = is_refused ? NULL : &e->erased };

	if (!strcmp(in.outcome, "failed") && obey_hold(d, e->number, err) < 0)
		return error_add(err, "hold");
	return obey_receipt(d, &in, OBEY_NOTE_CLOSED, err);
}

static void say_last(struct duty *d)
{
	struct erase *e = erase_of(d);
	struct error err = { 0 };
	int r = make_last(d, &err);

	obey_trouble(d, "what became of an order cannot be written", r < 0 ? &err : NULL);
	erase_said_last(e, r < 0 ? 0 : d->state.chain.number, clock_mono_ms());
	if (r == 0 && !erase_is_open(e)) {
		if (erase_remove(d->dir, &err) < 0)
			log_failure(LOG_WARNING, "journal-stays", &err); /* it is known to be over */
		d->wants_texts = true;
		if (!d->asked)
			duty_look_in(d, 0);
	}
	uplink_kick(d);
}

/* ---- what the machine wants ---- */

static bool is_free(const struct duty *d)
{
	return !d->asked && d->apply.pid;
}

static void ask_erase(struct duty *d)
{
	_cleanup_(buf_done) struct buf body = { 0 };

	buf_add_u32be(&body, erase_of(d)->kind == ORDER_PURGE ? DEVICE_ERASE_PURGE : DEVICE_ERASE_CLEAR);
	log_notice("erasing device=%s order=%llu", d->dev->name, number_of(d));
	loop_disarm(&d->look);
	duty_ask(d, IPC_ERASE, buf_bytes(&body), ERASE_DEADLINE_MS);
}

static void poll_now(struct duty *d)
{
	d->obey.polled_ms = clock_mono_ms();
	uplink_repoll(d);
}

/* False: nothing more can be done now. */
static bool perform(struct duty *d, enum erase_action action)
{
	struct error err = { 0 };

	switch (action) {
	case ERASE_REST:
		return false;
	case ERASE_STORE:
		(void)!store(d, &err);
		return true;
	case ERASE_SAY_ARMED:
		say_armed(d);
		return true;
	case ERASE_POLL:
		poll_now(d);
		return true;
	case ERASE_JUDGE:
		judge(d);
		return true;
	case ERASE_ERASE:
		ask_erase(d);
		return true;
	case ERASE_SAY_LAST:
		say_last(d);
		return true;
	case ERASE_DESTROY:
		duty_retire(d);
		return false;
	}
	return false;
}

static void tick(struct loop_timer *timer)
{
	struct duty *d = container_of(timer, struct duty, obey.tick);

	obey_drive_erase(d);
	duty_finish_step(d);
}

static void wait_for_next(struct duty *d)
{
	struct erase_now now = now_of(d);
	uint64_t due = erase_due_ms(erase_of(d), &now);

	d->obey.tick.fire = tick;
	if (erase_is_open(erase_of(d)) && due)
		loop_arm(d->core->loop, &d->obey.tick, due > now.ms ? due : now.ms + OBEY_LOOK_MS);
	else
		loop_disarm(&d->obey.tick);
	if (erase_of(d)->phase == ERASE_RECORDING && is_free(d))
		duty_look_in(d, OBEY_LOOK_MS);
}

/* Between the last look and the first effect nothing else is asked of the device. */
static bool must_wait(const struct duty *d)
{
	enum erase_phase phase = d->obey.erase.phase;

	return (phase == ERASE_RECORDING || phase == ERASE_ERASING) && !is_free(d);
}

void obey_drive_erase(struct duty *d)
{
	struct erase *e = erase_of(d);
	struct erase_now now = now_of(d);

	while (erase_is_open(e) && !must_wait(d) && perform(d, erase_next(e, &now)))
		now = now_of(d);
	if (d->is_joined)
		wait_for_next(d);
}

/* ---- events ---- */

bool obey_control_erase(struct duty *d, const struct orders_batch *brought)
{
	struct erase *e = erase_of(d);

	if (!erase_is_open(e) || !erase_control(e, brought, d->state.root))
		return false;
	judge(d);
	log_notice("order-controls device=%s order=%llu phase=%s", d->dev->name, number_of(d), erase_phase_name(e->phase));
	obey_drive_erase(d);
	return true;
}

void obey_polled(struct duty *d, uint64_t began_ms)
{
	struct erase *e = erase_of(d);

	if (!e->is_polling || began_ms < d->obey.polled_ms)
		return;
	erase_heard(e);
	obey_drive_erase(d);
}

void obey_acknowledged(struct duty *d)
{
	if (erase_is_open(erase_of(d)))
		obey_drive_erase(d);
	else if (upgrade_is_open(&d->obey.upgrade))
		obey_drive_upgrade(d);
}

void obey_erased(struct duty *d, const struct error *failure, const struct apply_erased *answer)
{
	log_notice("erase-answer device=%s order=%llu more=%s why=\"%s\"", d->dev->name, number_of(d),
		   answer && answer->is_more ? "yes" : "no", failure->text);
	erase_answered(erase_of(d), failure, answer, clock_mono_ms());
	if (d->apply.pid)
		obey_drive_erase(d);
	else
		wait_for_next(d);
}

void obey_unretired(struct duty *d, const struct error *err)
{
	obey_trouble(d, "it is erased, and keeps its keys until that can be written", err);
	erase_undestroyed(erase_of(d), clock_mono_ms());
}

/* ---- what is said ---- */

bool obey_is_erasing(const struct duty *d)
{
	return erase_is_under_way(&d->obey.erase);
}

bool obey_is_over(const struct duty *d)
{
	return erase_is_over(&d->obey.erase);
}

bool obey_wants_poll(const struct duty *d)
{
	return d->obey.erase.is_polling && !d->obey.erase.is_heard;
}

void obey_say_erase(char *out, size_t size, const struct duty *d)
{
	const struct erase *e = &d->obey.erase;
	struct erase_now now = now_of(d);
	uint64_t deadline = erase_deadline_ms(e, now.delay_s);
	const char *trouble = *d->obey.trouble ? d->obey.trouble : e->sick;
	char until[CLOCK_TEXT_LEN];
	size_t used;

	snprintf(out, size, "order %llu (%s) is %s", number_of(d), order_kind_name(e->kind), erase_phase_name(e->phase));
	used = strlen(out);
	if (e->phase == ERASE_ARMED) {
		clock_text(until, state_clock(&d->state) + (int64_t)(deadline > now.ms ? deadline - now.ms : 0) / 1000);
		snprintf(out + used, size - used, " until %s", until);
		used = strlen(out);
	}
	if (*trouble)
		snprintf(out + used, size - used, ": %.200s", trouble);
}
