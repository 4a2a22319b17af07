/* agent/obey-upgrade.c -- an order that gives the device other firmware: what its machine wants is done to device, disk and network, and
 * told back. */
#include "agent/obey-parts.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum { STEP_DEADLINE_MS = DEVICE_UPGRADE_MS + 60000, SEE_DEADLINE_MS = 120000 };

static struct upgrade *upgrade_of(struct duty *d)
{
	return &d->obey.upgrade;
}

static unsigned long long number_of(const struct duty *d)
{
	return (unsigned long long)d->obey.upgrade.number;
}

static struct upgrade_now now_of(const struct duty *d)
{
	const struct upgrade *u = &d->obey.upgrade;
	struct upgrade_now now = {
		.ms = clock_mono_ms(), .is_held = d->is_held, .acked = d->state.spool.acked, .newest = d->state.chain.number
	};
	enum batch_time time = upgrade_is_open(u) ? batch_time(u->batch, floor_now(&d->state.floor)) : BATCH_IN_TIME;

	now.is_expired = time == BATCH_EXPIRED;
	now.is_closed = time == BATCH_OUT_OF_WINDOW;
	return now;
}

/* ---- beginning and ending ---- */

bool obey_judge_upgrade(struct duty *d, struct orders_judgement *j, struct statement **firmware)
{
	struct upgrade_device device = { .root = d->state.root, .driver = d->driver->name, .facts = &d->facts, .room = fetch_room(d),
					 .most = d->core->settings->firmware_most * 1000000ULL };

	upgrade_judge(j, firmware, buf_bytes(&d->obey.text), &device);
	return j->verdict == ORDERS_OBEY;
}

static bool store(struct duty *d)
{
	struct upgrade *u = upgrade_of(d);
	enum upgrade_phase phase = u->phase;
	struct error err = { 0 };
	int r = upgrade_store(u, d->dir, &err);

	if (r < 0)
		log_failure(LOG_ERROR, "journal", &err);
	else
		log_notice("order-phase device=%s order=%llu phase=%s why=\"%s\"", d->dev->name, number_of(d), upgrade_phase_name(phase),
			   u->why);
	upgrade_stored(u, r == 0, clock_mono_ms());
	obey_trouble(d, "an upgrade waits, since it cannot be noted", r < 0 ? &err : NULL);
	return r == 0;
}

bool obey_begin_upgrade(struct duty *d, const struct orders_item *item)
{
	struct orders_judgement j = { .verdict = ORDERS_OBEY };
	struct statement *firmware = NULL;
	struct upgrade *u = upgrade_of(d);
	struct upgrade_now now;

	if (!obey_judge_upgrade(d, &j, &firmware)) { /* it was judged a moment ago */
		statement_free(firmware);
		return false;
	}
	fetch_remove(d); /* of another order */
	upgrade_begin(u, item, firmware);
	now = now_of(d);
	if (upgrade_next(u, &now) != UPGRADE_STORE || !store(d))
		return false;
	orders_note_taken(&d->state.chain.orders, u->number, u->leaf);
	log_notice("order-begins device=%s order=%llu kind=upgrade by=%s reason=\"%s\" version=%s", d->dev->name, number_of(d),
		   statement_get(u->batch, "person"), statement_get(u->batch, "reason"),
		   statement_get(u->firmware, "version"));
	return true;
}

int obey_start_upgrade(struct duty *d, struct error *err)
{
	struct upgrade *u = upgrade_of(d);
	struct orders_seen *seen = &d->state.chain.orders;
	int r = upgrade_load(u, d->dir, clock_mono_ms(), err);

	fetch_tidy(d);
	if (r != 0)
		return r < 0 ? r : 0;
	if (u->number <= seen->closed) {
		/* its last receipt was made: only the journal had not gone yet */
		upgrade_done(u);
		fetch_remove(d);
		return upgrade_remove(d->dir, err);
	}
	orders_note_taken(seen, u->number, u->leaf);
	log_notice("order-resumes device=%s order=%llu kind=upgrade phase=%s", d->dev->name, number_of(d), upgrade_phase_name(u->phase));
	return 0;
}

static int say_end(struct duty *d, struct error *err)
{
	const struct upgrade *u = upgrade_of(d);
	struct receipt_input in = { .order = u->number,
				    .batch = statement_hash(u->batch),
				    .leaf = u->leaf,
				    .outcome = u->end.outcome,
				    .check = u->end.check,
				    .evidence = u->end.evidence,
				    .note = u->end.note };

	if (u->end.is_held && obey_hold(d, u->number, err) < 0)
		return error_add(err, "hold");
	return obey_receipt(d, &in, OBEY_NOTE_CLOSED, err);
}

/* Without a receipt there is no end; it is tried until the disk takes it. */
static bool end_upgrade(struct duty *d)
{
	struct device_image image;
	struct error err = { 0 };

	fetch_stop(d);
	if (say_end(d, &err) < 0) {
		obey_trouble(d, "what became of an order cannot be written", &err);
		duty_look_in(d, OBEY_AGAIN_MS);
		return false;
	}
	obey_trouble(d, NULL, NULL);
	upgrade_image(&image, upgrade_of(d));
	fetch_keep(d, image.size, image.hash);
	if (upgrade_remove(d->dir, &err) < 0)
		log_failure(LOG_WARNING, "journal-stays", &err); /* it is known to be over */
	upgrade_close(upgrade_of(d));
	d->wants_texts = true;
	duty_look_in(d, 0);
	uplink_kick(d);
	return false;
}

/* ---- what the machine wants ---- */

static void ask_step(struct duty *d, enum device_upgrade step, uint64_t deadline_ms)
{
	_cleanup_(buf_done) struct buf body = { 0 };
	struct device_image image;

	upgrade_image(&image, upgrade_of(d));
	apply_upgrade_put(&body, step, &image);
	d->obey.is_seeing = step == DEVICE_UPGRADE_SEE;
	if (!d->obey.is_seeing)
		loop_disarm(&d->look);
	duty_ask(d, IPC_UPGRADE, buf_bytes(&body), deadline_ms);
}

static void begin_fetch(struct duty *d)
{
	struct device_image image;

	upgrade_image(&image, upgrade_of(d));
	fetch_begin(d, image.size, image.hash);
}

static void prove(struct duty *d)
{
	uint64_t now = clock_mono_ms();

	if (!health_begin(d))
		upgrade_proved(upgrade_of(d), now, now, d->obey.health.why);
}

static bool is_free(const struct duty *d)
{
	return !d->asked && d->apply.pid;
}

static bool needs_device(enum upgrade_phase phase)
{
	return phase != UPGRADE_FETCHING && phase != UPGRADE_ENDED;
}

/* False: nothing more can be done now. */
static bool perform(struct duty *d, enum upgrade_action action)
{
	switch (action) {
	case UPGRADE_REST:
		return false;
	case UPGRADE_STORE:
		(void)!store(d);
		return true;
	case UPGRADE_FETCH:
		begin_fetch(d);
		return true;
	case UPGRADE_PAUSE:
		fetch_stop(d);
		upgrade_paused(upgrade_of(d));
		return true;
	case UPGRADE_STEP:
		log_info("upgrade device=%s order=%llu phase=%s", d->dev->name, number_of(d), upgrade_phase_name(upgrade_of(d)->phase));
		ask_step(d, upgrade_step(upgrade_of(d)), STEP_DEADLINE_MS);
		return true;
	case UPGRADE_SEE:
		ask_step(d, DEVICE_UPGRADE_SEE, SEE_DEADLINE_MS);
		return true;
	case UPGRADE_PROVE:
		prove(d);
		return true;
	case UPGRADE_END:
		return end_upgrade(d);
	}
	return false;
}

static bool is_proving(const struct upgrade *u)
{
	return u->phase == UPGRADE_PROVING || u->phase == UPGRADE_SETTLING;
}

void obey_drive_upgrade(struct duty *d)
{
	struct upgrade *u = upgrade_of(d);

	while (upgrade_is_open(u) && (is_free(d) || !needs_device(u->phase))) {
		struct upgrade_now now = now_of(d);

		if (!is_proving(u))
			health_cancel(d);
		health_step(d);
		if (needs_device(u->phase) && !is_free(d))
			break;
		if (!perform(d, upgrade_next(u, &now)))
			break;
	}
	if (upgrade_is_open(u) && is_free(d) && u->phase != UPGRADE_ENDED && u->phase != UPGRADE_FETCHING)
		duty_look_in(d, OBEY_LOOK_MS);
}

/* ---- events ---- */

bool obey_control_upgrade(struct duty *d, const struct orders_batch *brought)
{
	struct upgrade *u = upgrade_of(d);
	char why[ORDERS_NOTE_MAX];

	if (!upgrade_may_stop(u) || statement_type(brought->st) != STATEMENT_BATCH ||
	    memcmp(statement_hash(brought->st), statement_hash(u->batch), HASH_LEN) != 0 || !orders_is_stopped(why, brought, d->state.root))
		return false;
	log_notice("order-controls device=%s order=%llu phase=%s why=\"%s\"", d->dev->name, number_of(d), upgrade_phase_name(u->phase),
		   why);
	upgrade_cancel(u, why);
	obey_drive_upgrade(d);
	return true;
}

void obey_fetched(struct duty *d, const struct error *result)
{
	log_notice("image device=%s order=%llu is=%s why=\"%s\"", d->dev->name, number_of(d), result->code == 0 ? "here" : "refused",
		   result->text);
	upgrade_fetched(upgrade_of(d), result);
	obey_drive_upgrade(d);
	if (is_free(d))
		duty_look_in(d, 0);
	duty_finish_step(d);
}

void obey_upgraded(struct duty *d, const struct error *failure, const struct device_images *seen)
{
	struct upgrade *u = upgrade_of(d);
	uint64_t now = clock_mono_ms();

	log_info("upgrade-answer device=%s order=%llu phase=%s runs=\"%s\" slot=%s why=\"%s\"", d->dev->name, number_of(d),
		 upgrade_phase_name(u->phase), seen ? seen->version : "", seen ? seen->slot : "", failure->text);
	if (seen && failure->code == 0 && *seen->version && strcmp(statement_get(u->firmware, "part"), "boot") != 0)
		snprintf(d->facts.firmware, sizeof(d->facts.firmware), "%s", seen->version);
	if (d->obey.is_seeing)
		upgrade_saw(u, failure, failure->code == 0 ? seen : NULL, now);
	else
		upgrade_answered(u, failure, now);
	d->wants_texts = true;
	if (is_free(d))
		duty_look_in(d, 0);
	obey_drive_upgrade(d);
}

const struct statement *obey_order(const struct duty *d)
{
	return upgrade_is_open(&d->obey.upgrade) ? d->obey.upgrade.order : d->obey.change.order;
}

/* ---- what is said ---- */

void obey_say_upgrade(char *out, size_t size, const struct duty *d)
{
	const struct upgrade *u = &d->obey.upgrade;
	const struct fetch *f = &d->obey.fetch;
	const char *trouble = *d->obey.trouble ? d->obey.trouble : u->phase == UPGRADE_FETCHING ? f->trouble : u->sick;
	char progress[64] = "";

	if (u->phase == UPGRADE_FETCHING && f->is_on && f->size)
		snprintf(progress, sizeof(progress), " (%llu of %llu kB)", (unsigned long long)(f->image.have / 1000),
			 (unsigned long long)(f->size / 1000));
	snprintf(out, size, "order %llu (upgrade to %.60s) is %s%s%s%.200s", number_of(d), statement_get(u->firmware, "version"),
		 upgrade_phase_name(u->phase), progress, *trouble ? ": " : "", trouble);
}
