/* agent/obey.c -- a device's orders: brought, judged, queued, begun. What becomes of the one in hand is agent/obey-change.c's. */
#include "agent/obey-parts.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum { HOUR_MS = 3600000 };

/* ---- receipts ---- */

static void note(struct orders_seen *seen, enum obey_note how, const struct receipt_input *in)
{
	switch (how) {
	case OBEY_NOTE_FORGED:
		orders_note_forged(seen, in->order, in->leaf);
		return;
	case OBEY_NOTE_SAID:
		seen->said = in->order;
		return;
	case OBEY_NOTE_CLOSED:
		seen->closed = in->order;
		orders_note_taken(seen, in->order, in->leaf);
		return;
	case OBEY_NOTE_TAKEN:
		orders_note_taken(seen, in->order, in->leaf);
		return;
	}
}

/* One file is replaced, so what is remembered and what is said cannot differ. */
int obey_receipt(struct duty *d, const struct receipt_input *in, enum obey_note how, struct error *err)
{
	uint64_t number = d->state.chain.number + 1;
	struct chain next;
	struct snapshot_by by;

	duty_by(&by, d);
	chain_copy(&next, &d->state.chain);
	note(&next.orders, how, in);
	if (how == OBEY_NOTE_CLOSED)
		obey_note_policies(&next.policy, d, in);
	if (receipt_make(&next, in, &by, err) < 0) {
		chain_done(&next);
		return error_add(err, "receipt");
	}
	if (state_commit(&d->state, &next, err) < 0) {
		if (d->state.chain.number < number)
			return error_add(err, "receipt");
		log_failure(LOG_WARNING, "spool", err); /* it counts: the spool is mended from the chain */
	}
	log_notice("receipt device=%s number=%llu order=%llu outcome=%s check=%s note=\"%s\"", d->dev->name,
		   (unsigned long long)d->state.chain.number, (unsigned long long)in->order, in->outcome, in->check ? in->check : "-",
		   in->note);
	return 0;
}

static const uint8_t *batch_of(const struct orders_item *item)
{
	static const uint8_t none[HASH_LEN];
	const struct order_proof *proof = item->st ? statement_proof(item->st) : NULL;

	return item->batch ? statement_hash(item->batch->st) : proof ? proof->batch : none;
}

/* Whoever can make us sign can fill our spool: a server that forges, or one that brings old orders again and again. */
static bool may_answer(struct obey *o, enum orders_check check)
{
	unsigned which = check >= CHECK_THRESHOLD, most = which ? ORDERS_REPLAYED_HOURLY : ORDERS_FORGED_HOURLY;
	uint64_t now = clock_mono_ms();

	if (!o->answered[which] || now - o->answered_since_ms[which] >= HOUR_MS) {
		o->answered_since_ms[which] = now;
		o->answered[which] = 0;
	}
	return o->answered[which]++ < most;
}

/* That the receipt cannot be written leaves the order as if it had not come: the server brings it again. */
void obey_refuse(struct duty *d, const struct orders_item *item, const struct orders_judgement *j)
{
	struct receipt_input in = { .order = item->number, .batch = batch_of(item), .leaf = item->leaf, .outcome = "refused",
				    .check = orders_check_name(j->check), .note = j->note };
	uint8_t challenge[HASH_LEN];
	struct error err = { 0 };

	if (!j->is_genuine && !may_answer(&d->obey, j->check)) {
		log_warning("order-refused device=%s order=%llu check=%s note=\"%s\": no receipt, there were too many this hour",
			    d->dev->name, (unsigned long long)item->number, in.check, j->note);
		return;
	}
	if (obey_receipt(d, &in, j->is_genuine ? OBEY_NOTE_TAKEN : OBEY_NOTE_FORGED, &err) < 0)
		log_failure(LOG_ERROR, "order-refused", &err);
	else if (j->is_genuine && statement_get_hash(challenge, item->st, "challenge"))
		challenge_use(&d->state.challenge, d->dir, challenge);
}

static void refuse_by(struct duty *d, const struct orders_item *item, enum orders_check check, const char *why)
{
	struct orders_judgement j = { .is_genuine = true };

	orders_refuse(&j, check, "%s", why);
	obey_refuse(d, item, &j);
}

static void supersede(struct duty *d, const struct orders_item *item, uint64_t by)
{
	char text[128];
	struct receipt_input in = {
		.order = item->number, .batch = batch_of(item), .leaf = item->leaf, .outcome = "superseded", .note = text
	};
	struct error err = { 0 };

	snprintf(text, sizeof(text), "order %llu makes the whole configuration anew", (unsigned long long)by);
	if (obey_receipt(d, &in, OBEY_NOTE_TAKEN, &err) < 0)
		log_failure(LOG_ERROR, "order-superseded", &err);
}

/* ---- the queue ---- */

static struct orders_item *item_at(struct obey *o, size_t i)
{
	return &o->queue[i].item;
}

void obey_drop(struct obey *o, size_t i)
{
	orders_item_done(item_at(o, i));
	o->count--;
	memmove(&o->queue[i], &o->queue[i + 1], (o->count - i) * sizeof(o->queue[0]));
	memset(&o->queue[o->count], 0, sizeof(o->queue[0]));
}

static size_t find_leaf(struct obey *o, const uint8_t leaf[static HASH_LEN])
{
	size_t i = 0;

	while (i < o->count && memcmp(item_at(o, i)->leaf, leaf, HASH_LEN) != 0)
		i++;
	return i;
}

/* Takes the item over. */
static bool insert(struct obey *o, struct orders_item *item)
{
	size_t at = o->count;

	if (o->count == OBEY_QUEUE_MAX) {
		orders_item_done(item); /* the server brings it again */
		return false;
	}
	while (at && item_at(o, at - 1)->number > item->number)
		at--;
	memmove(&o->queue[at + 1], &o->queue[at], (o->count - at) * sizeof(o->queue[0]));
	memset(&o->queue[at], 0, sizeof(o->queue[0]));
	o->queue[at].item = *item;
	o->queue[at].since_ms = clock_mono_ms();
	o->count++;
	*item = (struct orders_item){ 0 };
	return true;
}

static void judge(struct orders_judgement *out, const struct duty *d, const struct orders_item *item)
{
	struct orders_view view = { d->state.id,
				    d->state.fleet,
				    d->state.root,
				    &d->state.chain.orders,
				    floor_now(&d->state.floor),
				    clock_now_s(),
				    device_capabilities(d->driver, d->dev),
				    challenge_now(&d->state.challenge, state_clock(&d->state)),
				    d->driver,
				    d->dev };

	orders_judge(out, item, &view);
}

/* A group must not wait for one that is busy: the others hold their confirmation. */
static bool is_busy_for(struct duty *d, const struct orders_item *item)
{
	return obey_is_busy(d) && !d->obey.count && statement_count(item->st, "member");
}

bool obey_brought(struct duty *d, struct orders_item *item)
{
	struct obey *o = &d->obey;
	struct orders_judgement j;
	bool has_turn = !o->count && !obey_is_busy(d);

	if (obey_is_erasing(d)) {
		orders_item_done(item); /* it is too late for anything else */
		return false;
	}
	judge(&j, d, item);
	if (!d->state.admit || j.verdict == ORDERS_KNOWN || find_leaf(o, item->leaf) < o->count) {
		orders_item_done(item);
		return false;
	}
	if (j.verdict == ORDERS_OBEY && is_busy_for(d, item))
		orders_refuse(&j, CHECK_BUSY, "order %llu is being carried out, and a group cannot wait for it",
			      (unsigned long long)obey_number(d));
	/* what is refused uses its number up, so one that is genuine has to wait for those before it */
	if (j.verdict == ORDERS_REFUSE && (!j.is_genuine || has_turn || j.check == CHECK_BUSY)) {
		obey_refuse(d, item, &j);
		orders_item_done(item);
		return true;
	}
	log_info("order device=%s order=%llu kind=%s verdict=%s", d->dev->name, (unsigned long long)item->number,
		 statement_get(item->st, "kind"), j.verdict == ORDERS_OBEY ? "good" : orders_check_name(j.check));
	if (!insert(o, item))
		return false;
	if (has_turn || !obey_is_busy(d)) {
		duty_look_in(d, 0);
	} else if (upgrade_is_open(&o->upgrade)) {
		obey_stop_upgrade(d);
		obey_drive_upgrade(d);
	}
	return true;
}

/* ---- beginning ---- */

static struct orders_device device_of(const struct duty *d)
{
	const struct chain *c = &d->state.chain;
	struct orders_device device = {
		.is_held = d->is_held,
		.is_unsaved = memcmp(d->view.running, d->view.startup, sizeof(d->view.running)) != 0,
		.has_startup = d->view.has_startup,
		.running_since = c->running_since,
		.newest = c->number,
		.running_hash = c->running_hash,
		.newest_hash = c->hash,
	};

	snprintf(device.held_by, sizeof(device.held_by), "%s", d->hold.who);
	return device;
}

/* A whole configuration behind this one, as good as it is: then this one need not be carried out. 0: there is none. */
static uint64_t superseded_by(struct duty *d, size_t i)
{
	struct orders_judgement j;

	for (size_t k = i + 1; orders_is_whole(item_at(&d->obey, i)) && k < d->obey.count; k++) {
		if (!orders_is_whole(item_at(&d->obey, k)))
			continue;
		judge(&j, d, item_at(&d->obey, k));
		if (j.verdict == ORDERS_OBEY)
			return item_at(&d->obey, k)->number;
	}
	return 0;
}

/* From here on the order is in hand, if the journal can be written; else it waits. Those before it that still waited for their time have
 * lost it: their numbers are passed. */
static void take(struct duty *d, size_t i)
{
	struct obey *o = &d->obey;
	struct orders_item *item = item_at(o, i);
	char passed[128];

	if (!obey_begin(d, item))
		return;
	snprintf(passed, sizeof(passed), "order %llu was due before it", (unsigned long long)item->number);
	obey_drop(o, i);
	while (i--) {
		refuse_by(d, item_at(o, i), CHECK_NUMBER, passed);
		obey_drop(o, i);
	}
	obey_drive(d);
}

static void ask_check(struct duty *d, size_t i)
{
	struct obey *o = &d->obey;
	struct apply_ask ask = { .text = buf_bytes(&o->text) };
	_cleanup_(buf_done) struct buf body = { 0 };

	ask.how = orders_is_whole(item_at(o, i)) ? DEVICE_WHOLE : DEVICE_LINES;
	apply_ask_put(&body, &ask);
	o->is_checking = true;
	memcpy(o->checking, item_at(o, i)->leaf, HASH_LEN);
	duty_ask(d, IPC_CHECK, buf_bytes(&body), OBEY_CHECK_DEADLINE_MS);
}

static bool is_upgrade(const struct orders_item *item)
{
	return !strcmp(statement_get(item->st, "kind"), "upgrade");
}

/* Of what the payload says, which nobody could see before it was opened. */
static void judge_payload(struct orders_judgement *j, struct duty *d, const struct orders_item *item)
{
	struct statement *firmware = NULL;

	if (!is_upgrade(item) || j->verdict != ORDERS_OBEY)
		return;
	(void)obey_judge_upgrade(d, j, &firmware);
	statement_free(firmware);
}

/* The device is as it was seen, and all of it is recorded. False: the order was refused. */
static bool begin_at_device(struct duty *d, size_t i)
{
	struct obey *o = &d->obey;
	struct orders_item *item = item_at(o, i);
	struct orders_judgement j = { .verdict = ORDERS_OBEY, .is_genuine = true };
	struct orders_device device = device_of(d);

	buf_done(&o->text);
	orders_judge_device(&j, item, &device);
	if (j.verdict == ORDERS_OBEY)
		orders_open(&j, &o->text, item, &d->state.box);
	judge_payload(&j, d, item);
	if (j.verdict != ORDERS_OBEY) {
		obey_refuse(d, item, &j);
		obey_drop(o, i);
		return false;
	}
	if (!strcmp(statement_get(item->st, "kind"), "apply"))
		ask_check(d, i);
	else
		take(d, i);
	return true;
}

static bool needs_device(const struct orders_item *item)
{
	const char *kind = statement_get(item->st, "kind");

	return strcmp(kind, "hold") != 0 && strcmp(kind, "release") != 0 && strcmp(kind, "policy") != 0;
}

static bool is_erasing(const struct orders_item *item)
{
	enum order_kind kind = ORDER_APPLY;

	return order_kind_parse(&kind, statement_get(item->st, "kind")) && order_kind_erases(kind);
}

/* why: NULL when the device was seen whole. False: the order is gone. *waits: it stays, and another may begin. */
static bool begin(struct duty *d, size_t i, const char *why, bool *waits)
{
	struct obey *o = &d->obey;
	struct orders_item *item = item_at(o, i);

	if (!why || !needs_device(item)) {
		if (needs_device(item))
			return begin_at_device(d, i);
		if (!strcmp(statement_get(item->st, "kind"), "policy") && !obey_take_policies(d, i, waits))
			return false;
		if (!*waits)
			take(d, i);
		return true;
	}
	if (clock_mono_ms() - o->queue[i].since_ms < OBEY_PATIENCE_MS) {
		*waits = true;
		return true;
	}
	if (is_erasing(item)) {
		take(d, i); /* it may be half erased already; agent/erase.h is patient once more */
		return true;
	}
	refuse_by(d, item, CHECK_DRIVER, why);
	obey_drop(o, i);
	return false;
}

/* Begins the lowest that may begin. */
void obey_next(struct duty *d, const char *why)
{
	struct obey *o = &d->obey;
	bool waits = false;

	for (size_t i = 0; i < o->count && !d->asked && !obey_is_busy(d);) {
		struct orders_judgement j;
		uint64_t by;

		judge(&j, d, item_at(o, i));
		if (j.verdict == ORDERS_WAIT) {
			i++;
		} else if (j.verdict == ORDERS_KNOWN) {
			obey_drop(o, i);
		} else if (j.verdict == ORDERS_REFUSE) {
			obey_refuse(d, item_at(o, i), &j);
			obey_drop(o, i);
		} else if ((by = superseded_by(d, i))) {
			supersede(d, item_at(o, i), by);
			obey_drop(o, i);
		} else if (begin(d, i, why, &waits)) {
			return; /* it is in hand, is checked, or waits for the device or the disk, and those behind it with it */
		}
	}
}

bool obey_controls(struct duty *d, const struct orders_batch *brought)
{
	return obey_control_erase(d, brought) || obey_control_upgrade(d, brought);
}

/* Another image for the same part, which would be taken. */
static bool is_upgrade_instead(struct duty *d, const struct orders_item *item)
{
	struct orders_judgement j = { .verdict = ORDERS_OBEY };
	struct orders_device device = device_of(d);
	struct statement *firmware = NULL;
	bool is_one = false;

	orders_judge_device(&j, item, &device);
	buf_done(&d->obey.text);
	if (j.verdict == ORDERS_OBEY)
		orders_open(&j, &d->obey.text, item, &d->state.box);
	if (j.verdict == ORDERS_OBEY && obey_judge_upgrade(d, &j, &firmware))
		is_one = !strcmp(statement_get(firmware, "part"), statement_get(d->obey.upgrade.firmware, "part"));
	statement_free(firmware);
	return is_one;
}

void obey_stop_upgrade(struct duty *d)
{
	struct obey *o = &d->obey;

	for (size_t i = 0; i < o->count && upgrade_may_stop(&o->upgrade); i++) {
		const struct orders_item *item = item_at(o, i);
		struct orders_judgement j;

		judge(&j, d, item);
		if (j.verdict == ORDERS_OBEY && (is_erasing(item) || (is_upgrade(item) && is_upgrade_instead(d, item))))
			upgrade_supersede(&o->upgrade, item->number);
	}
}

void obey_checked(struct duty *d, const struct error *failure)
{
	struct obey *o = &d->obey;
	size_t i = find_leaf(o, o->checking);

	if (!o->is_checking || i == o->count)
		return;
	o->is_checking = false;
	if (failure->code == 0) {
		take(d, i);
		if (!obey_is_busy(d)) /* the disk: later */
			duty_look_in(d, OBEY_AGAIN_MS);
		return;
	}
	refuse_by(d, item_at(o, i), failure->code == E_FORMAT ? CHECK_SYNTAX : CHECK_DRIVER, failure->text);
	obey_drop(o, i);
	duty_look_in(d, 0);
}

/* A check that kills the process that makes it is not made for ever. */
void obey_check_lost(struct duty *d)
{
	struct obey *o = &d->obey;
	size_t i = find_leaf(o, o->checking);

	if (!o->is_checking)
		return;
	o->is_checking = false;
	if (i == o->count || ++o->queue[i].checks < OBEY_CHECKS)
		return;
	refuse_by(d, item_at(o, i), CHECK_DRIVER, "the process that touches the device ended while it was checked");
	obey_drop(o, i);
}
