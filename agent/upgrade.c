/* agent/upgrade.c -- an order that gives the device other firmware, as a machine without I/O. */
#include "agent/upgrade.h"

#include "policies/policy.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { CONFIRM_S = 60, SETTLE_S = 5, ROUND_MS = 1000, RETRY_MS = 2000, DISK_MS = 5000, KEEPS = 2 };

/* ---- may it be ---- */

static bool is_part(const char *part)
{
	return !strcmp(part, "system") || !strcmp(part, "boot") || !strcmp(part, "bundle");
}

static bool has_model(const struct statement *firmware, const char *model)
{
	size_t count = statement_count(firmware, "model");

	for (size_t i = 0; i < count; i++)
		if (!strcasecmp(statement_at(firmware, "model", i), model))
			return true;
	return !count || !*model;
}

/* Is a below b? False also when one of them is no version: then nobody can say that it is. */
static bool is_below(const char *a, const char *b)
{
	int order;

	return version_compare(&order, a, b) && order < 0;
}

/* By what runs: minimum, and what may be older. */
static void judge_version(struct orders_judgement *out, const struct statement *firmware, const char *runs)
{
	const char *version = statement_get(firmware, "version"), *minimum = statement_get(firmware, "minimum");

	if (minimum && (!*runs || is_below(runs, minimum)))
		orders_refuse(out, CHECK_MINIMUM, "it runs '%.60s', and the image is for %.60s or newer", *runs ? runs : "nobody knows what", minimum);
	else if (is_below(version, runs) && !statement_get(firmware, "downgrade"))
		orders_refuse(out, CHECK_DOWNGRADE, "it runs %.60s, and %.60s is older", runs, version);
}

static void judge_device(struct orders_judgement *out, const struct statement *firmware, const struct upgrade_device *device)
{
	const struct device_facts *facts = device->facts;
	const char *part = statement_get(firmware, "part");

	if (strcmp(statement_get(firmware, "driver"), device->driver) != 0)
		orders_refuse(out, CHECK_MODEL, "the image is for driver '%.60s', and this device has '%s'", statement_get(firmware, "driver"),
			      device->driver);
	else if (!is_part(part))
		orders_refuse(out, CHECK_MODEL, "there is no part '%.60s'", part);
	else if (!has_model(firmware, facts->model))
		orders_refuse(out, CHECK_MODEL, "the image is for other models than '%.60s'", facts->model);
	else if (strcmp(part, "boot") != 0)
		judge_version(out, firmware, facts->firmware);
}

static void judge_size(struct orders_judgement *out, const struct statement *firmware, const struct upgrade_device *device)
{
	unsigned long long size = statement_number(firmware, "size");

	if (!size || size > device->most)
		orders_refuse(out, CHECK_SPACE, "the image has %llu bytes, and the agent takes %llu", size, (unsigned long long)device->most);
	else if (size > device->room)
		orders_refuse(out, CHECK_SPACE, "the image has %llu bytes, and the agent's disk has room for %llu", size,
			      (unsigned long long)device->room);
}

/* Empty lines may stand behind it, up to the seal's size. */
static int parse_firmware(struct statement **out, struct bytes payload, struct error *err)
{
	struct statement *st = NULL;
	size_t used;

	if (statement_parse(&st, payload, false, &used, err) < 0)
		return err->code;
	for (; used < payload.len && payload.ptr[used] == '\n'; used++)
		;
	if (used == payload.len && statement_type(st) == STATEMENT_FIRMWARE) {
		*out = st;
		return 0;
	}
	statement_free(st);
	return error_set(err, E_FORMAT, "it is no firmware statement");
}

void upgrade_judge(struct orders_judgement *out, struct statement **firmware, struct bytes payload, const struct upgrade_device *device)
{
	struct error err = { 0 };

	if (parse_firmware(firmware, payload, &err) < 0) {
		orders_refuse(out, CHECK_FIRMWARE, "%.300s", err.text);
		return;
	}
	if (root_verify(device->root, *firmware, &err) < 0)
		orders_refuse(out, CHECK_FIRMWARE, "%.300s (by root %llu)", err.text, (unsigned long long)root_version(device->root));
	if (out->verdict == ORDERS_OBEY)
		judge_device(out, *firmware, device);
	if (out->verdict == ORDERS_OBEY)
		judge_size(out, *firmware, device);
}

/* ---- going on ---- */

static const char *version_of(const struct upgrade *u)
{
	return statement_get(u->firmware, "version");
}

static bool is_boot(const struct upgrade *u)
{
	return !strcmp(statement_get(u->firmware, "part"), "boot");
}

static bool loses_configuration(const struct upgrade *u)
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

uint64_t upgrade_deadline_ms(const struct upgrade *u)
{
	return u->began_ms + seconds(u, "confirm", CONFIRM_S) * 1000;
}

static void note_sick(struct upgrade *u, const char *why)
{
	snprintf(u->sick, sizeof(u->sick), "%.400s", why);
}

static void enter(struct upgrade *u, enum upgrade_phase phase)
{
	u->phase = phase;
	u->is_asked = u->is_resumed = u->is_fit = u->is_looked = u->is_healthy = false;
	u->tries = 0;
	u->due_ms = 0;
	u->sick[0] = 0;
}

static void begin_clock(struct upgrade *u, uint64_t now_ms)
{
	u->began_ms = now_ms;
	floor_boot(u->boot);
}

static void end(struct upgrade *u, const char *outcome, const char *check, const char *evidence, const char *note)
{
	enter(u, UPGRADE_ENDED);
	u->end = (struct upgrade_end){ .outcome = outcome, .check = check, .evidence = evidence, .is_held = !strcmp(outcome, "failed") };
	snprintf(u->end.note, sizeof(u->end.note), "%s", note);
}

static void refuse(struct upgrade *u, enum orders_check check, const char *why)
{
	struct orders_judgement j = { 0 };

	orders_refuse(&j, check, "%.300s; nothing was given to the device", why);
	end(u, "refused", orders_check_name(check), NULL, j.note);
}

static void fail(struct upgrade *u, const char *why)
{
	char note[2 * UPGRADE_NOTE_MAX];

	snprintf(note, sizeof(note), "%.300s; it is held: see to it, then assign it again", why);
	end(u, "failed", NULL, NULL, note);
}

static void go_back(struct upgrade *u, const char *why, uint64_t now_ms)
{
	snprintf(u->why, sizeof(u->why), "%.300s", why);
	enter(u, UPGRADE_RETURNING);
	begin_clock(u, now_ms);
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
	begin_clock(u, 0);
	enter(u, UPGRADE_FETCHING);
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
	refuse(u, CHECK_EXPIRED, why);
	return true;
}

static enum upgrade_action next_fetching(struct upgrade *u, const struct upgrade_now *now)
{
	if (u->is_fetched) {
		enter(u, UPGRADE_RECORDING);
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

	if (!is_boot(u))
		judge_version(&j, u->firmware, u->seen.version);
	if (j.verdict == ORDERS_OBEY)
		return false;
	end(u, "refused", orders_check_name(j.check), NULL, j.note);
	return true;
}

static bool has_it_already(const struct upgrade *u)
{
	return !strcmp(u->seen.version, version_of(u)) && (!*u->seen.other || !strcmp(u->seen.other, version_of(u)));
}

static void begin_install(struct upgrade *u, const struct upgrade_now *now)
{
	char note[200];

	if (refuse_seen(u))
		return;
	if (has_it_already(u)) {
		snprintf(note, sizeof(note), "it had %.60s before, and was not touched", version_of(u));
		end(u, "done", NULL, "read-back", note);
		return;
	}
	snprintf(u->slot, sizeof(u->slot), "%s", u->seen.slot);
	snprintf(u->version, sizeof(u->version), "%s", u->seen.version);
	enter(u, UPGRADE_INSTALLING);
	begin_clock(u, now->ms);
}

static enum upgrade_action next_recording(struct upgrade *u, const struct upgrade_now *now)
{
	bool is_ready = u->is_looked && !now->is_held && !now->is_closed && now->acked >= now->newest;

	if (now->is_held || now->is_closed)
		note_sick(u, now->is_held ? "it is held" : "it waits for its window");
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

	snprintf(why, sizeof(why), "%.60s was not healthy for %llu s within %llu s%s%.200s", version_of(u),
		 (unsigned long long)seconds(u, "settle", SETTLE_S), (unsigned long long)seconds(u, "confirm", CONFIRM_S), *u->sick ? ": " : "", u->sick);
	if (u->phase == UPGRADE_PROVING)
		go_back(u, why, now->ms);
	else
		fail(u, why);
}

static void finish(struct upgrade *u)
{
	char note[UPGRADE_NOTE_MAX];

	snprintf(note, sizeof(note), "%.60s, before it %.60s%s", version_of(u), u->version,
		 loses_configuration(u) ? "; what became of its configuration was not judged" : "");
	end(u, "done", NULL, "seen-after-reboot", note);
}

/* It starts another image by itself than the one that runs: it is started as it starts by itself, and proved once more. */
static void proven(struct upgrade *u)
{
	if (u->phase == UPGRADE_PROVING) {
		enter(u, UPGRADE_KEEPING);
	} else if (!u->seen.is_fallback) {
		finish(u);
	} else if (++u->keeps < KEEPS) {
		enter(u, UPGRADE_KEEPING);
	} else {
		fail(u, "it runs the new version, but from the image that it falls back to: the other one does not start");
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
	fail(u, why);
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
	return phase == UPGRADE_NONE || phase == UPGRADE_ENDED || phase == stored || (phase == UPGRADE_RECORDING && stored == UPGRADE_FETCHING);
}

enum upgrade_action upgrade_next(struct upgrade *u, const struct upgrade_now *now)
{
	if (u->is_asked && u->phase != UPGRADE_FETCHING)
		return UPGRADE_REST;
	if ((u->phase == UPGRADE_FETCHING || u->phase == UPGRADE_RECORDING) && u->stored && refuse_expired(u, now))
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
				      .version = version_of(u),
				      .slot = u->slot,
				      .path = "",
				      .size = statement_number(u->firmware, "size") };
	(void)!statement_get_hash(out->hash, u->firmware, "image");
}

/* ---- events ---- */

void upgrade_stored(struct upgrade *u, bool is_stored, uint64_t now_ms)
{
	u->is_asked = false;
	if (is_stored)
		u->stored = u->phase == UPGRADE_RECORDING ? UPGRADE_FETCHING : u->phase;
	else if (!u->stored)
		upgrade_done(u);
	else
		u->due_ms = now_ms + DISK_MS; /* what cannot be noted does not begin */
}

void upgrade_paused(struct upgrade *u)
{
	if (u->phase == UPGRADE_FETCHING)
		u->is_asked = false;
}

void upgrade_fetched(struct upgrade *u, const struct error *result)
{
	if (u->phase != UPGRADE_FETCHING)
		return;
	u->is_asked = false;
	u->is_fetched = result->code == 0;
	if (result->code < 0 && ++u->wrong >= UPGRADE_WRONG)
		refuse(u, CHECK_IMAGE, result->text);
}

static void try_again(struct upgrade *u, const char *why, uint64_t now_ms)
{
	note_sick(u, why);
	u->due_ms = now_ms + (RETRY_MS << 2 * (u->tries < 4 ? u->tries : 4)); /* 2, 8, 32, 128 s: a device may be without power for a while */
	u->tries++;
}

static void install_failed(struct upgrade *u, const struct error *result, uint64_t now_ms)
{
	char why[2 * UPGRADE_NOTE_MAX];

	snprintf(why, sizeof(why), "the image could not be installed: %.300s", result->text);
	if (result->code == E_DENIED || result->code == E_SEAL || u->tries >= UPGRADE_TRIES)
		go_back(u, why, now_ms);
}

static void start_failed(struct upgrade *u, const struct error *result, uint64_t now_ms)
{
	char why[2 * UPGRADE_NOTE_MAX];

	snprintf(why, sizeof(why), "the new image does not start: %.300s", result->text);
	if (result->code == E_DENIED || u->starts >= UPGRADE_STARTS)
		go_back(u, why, now_ms);
}

static void keep_failed(struct upgrade *u, const struct error *result)
{
	char why[2 * UPGRADE_NOTE_MAX];

	snprintf(why, sizeof(why), "it runs %.60s, but %s: %.250s", version_of(u),
		 u->phase == UPGRADE_KEEPING ? "the other image could not be replaced" : "it was not seen to restart by itself", result->text);
	u->is_resumed = u->phase == UPGRADE_KEEPING; /* it may have lost its power, and run the old one again */
	if (result->code == E_DENIED || u->tries >= UPGRADE_TRIES)
		fail(u, why);
}

static void step_failed(struct upgrade *u, const struct error *result, uint64_t now_ms)
{
	try_again(u, result->text, now_ms);
	if (u->phase == UPGRADE_INSTALLING)
		install_failed(u, result, now_ms);
	else if (u->phase == UPGRADE_STARTING)
		start_failed(u, result, now_ms);
	else if (u->phase == UPGRADE_KEEPING || u->phase == UPGRADE_RESTARTING)
		keep_failed(u, result);
	else
		u->is_resumed = false; /* RETURNING counts its tries */
}

static void step_done(struct upgrade *u, uint64_t now_ms)
{
	if (u->phase == UPGRADE_INSTALLING) {
		enter(u, UPGRADE_STARTING);
	} else if (u->phase == UPGRADE_STARTING || u->phase == UPGRADE_RESTARTING) {
		enter(u, u->phase == UPGRADE_STARTING ? UPGRADE_PROVING : UPGRADE_SETTLING);
		begin_clock(u, now_ms);
	} else if (u->phase == UPGRADE_KEEPING && u->seen.is_fallback) {
		enter(u, UPGRADE_RESTARTING);
	} else if (u->phase == UPGRADE_KEEPING) {
		finish(u);
	} else { /* RETURNING: only what is seen counts */
		u->is_resumed = u->is_fit = u->is_looked = false;
		u->tries++;
		begin_clock(u, now_ms);
	}
}

void upgrade_answered(struct upgrade *u, const struct error *result, uint64_t now_ms)
{
	if (!u->is_asked || u->phase < UPGRADE_INSTALLING || u->phase == UPGRADE_ENDED)
		return;
	u->is_asked = false;
	if (u->phase == UPGRADE_STARTING) {
		u->was_started = true;
		u->starts++;
	}
	if (result->code < 0)
		step_failed(u, result, now_ms);
	else
		step_done(u, now_ms);
}

static bool runs(const struct upgrade *u, const char *version)
{
	return !strcmp(u->seen.version, version);
}

/* "" when what runs is the new version as it must be. */
static void judge_new(char *why, size_t size, const struct upgrade *u)
{
	*why = 0;
	if (*u->seen.failure)
		snprintf(why, size, "it is in a failure mode: %.200s", u->seen.failure);
	else if (!runs(u, version_of(u)))
		snprintf(why, size, "it runs %.60s", *u->seen.version ? u->seen.version : "nobody knows what");
}

static void saw_returned(struct upgrade *u, const char *failure, uint64_t now_ms)
{
	bool is_back = !*failure && !*u->seen.failure && runs(u, u->version) && (is_boot(u) || !strcmp(u->seen.slot, u->slot));

	/* a boot loader has no other to go back to */
	u->is_fit = is_back || (is_boot(u) && !*failure && !*u->seen.failure);
	if (u->is_fit) {
		u->is_looked = false;
		return;
	}
	note_sick(u, *failure ? failure : *u->seen.failure ? u->seen.failure : "another image runs");
	u->is_resumed = true; /* the step next */
	u->due_ms = now_ms + RETRY_MS;
}

/* Power was lost between the two images: the old one is whole, and runs. */
static void saw_keeping(struct upgrade *u, const char *failure, uint64_t now_ms)
{
	u->is_resumed = false;
	if (*failure || !runs(u, u->version) || strcmp(u->seen.slot, u->slot) != 0 || is_boot(u))
		return;
	if (u->starts <= UPGRADE_STARTS)
		enter(u, UPGRADE_STARTING);
	else
		go_back(u, "the new image does not keep running", now_ms);
}

/* STARTING was cut off: by the start itself, when the device is this machine. */
static void saw_starting(struct upgrade *u, const char *failure, uint64_t now_ms)
{
	bool is_new = !*failure && runs(u, version_of(u)) && (!*u->slot || strcmp(u->seen.slot, u->slot) != 0);

	u->is_resumed = false;
	if (is_new)
		step_done(u, now_ms);
	else if (u->starts >= UPGRADE_STARTS)
		go_back(u, "the new image does not start: what it ran before came up", now_ms);
}

static void saw_before(struct upgrade *u, const char *failure, uint64_t now_ms)
{
	u->is_fit = !*failure && *u->seen.version && !*u->seen.failure;
	u->due_ms = u->is_fit ? 0 : now_ms + ROUND_MS;
	if (!u->is_fit)
		note_sick(u, *failure ? failure : *u->seen.failure ? u->seen.failure : "it does not say what it runs");
}

static void saw_new(struct upgrade *u, const char *failure, uint64_t now_ms)
{
	char why[UPGRADE_NOTE_MAX];

	judge_new(why, sizeof(why), u);
	u->is_fit = !*failure && !*why;
	u->due_ms = u->is_fit ? 0 : now_ms + ROUND_MS;
	if (!u->is_fit)
		note_sick(u, *failure ? failure : why);
}

void upgrade_saw(struct upgrade *u, const struct error *result, const struct device_images *images, uint64_t now_ms)
{
	const char *failure = result->code < 0 ? result->text : "";

	if (!u->is_asked)
		return;
	u->is_asked = false;
	u->seen = images ? *images : (struct device_images){ .is_fallback = u->seen.is_fallback };
	if (u->phase == UPGRADE_RECORDING)
		saw_before(u, failure, now_ms);
	else if (u->phase == UPGRADE_PROVING || u->phase == UPGRADE_SETTLING)
		saw_new(u, failure, now_ms);
	else if (u->phase == UPGRADE_RETURNING)
		saw_returned(u, failure, now_ms);
	else if (u->phase == UPGRADE_KEEPING)
		saw_keeping(u, failure, now_ms);
	else
		saw_starting(u, failure, now_ms);
}

void upgrade_proved(struct upgrade *u, uint64_t began_ms, uint64_t now_ms, const char *why)
{
	if (u->phase != UPGRADE_PROVING && u->phase != UPGRADE_SETTLING)
		return;
	u->is_asked = false;
	u->due_ms = now_ms + ROUND_MS;
	if (*why)
		note_sick(u, why);
	if (!u->is_healthy)
		u->healthy_ms = began_ms;
	u->is_healthy = !*why && u->is_looked && u->is_fit;
	u->proved_ms = now_ms;
	u->is_fit = false; /* each round sees for itself what runs */
}

void upgrade_looked(struct upgrade *u, const struct apply_expect *seen, bool is_recorded)
{
	bool is_saved = !memcmp(seen->running, seen->startup, sizeof(seen->running));
	bool is_same = !memcmp(seen->running, u->before, sizeof(u->before)) && is_saved;

	if (u->phase == UPGRADE_RECORDING) {
		u->is_looked = is_saved && is_recorded;
		memcpy(u->before, seen->running, sizeof(u->before));
		if (!u->is_looked)
			note_sick(u, is_saved ? "it cannot be recorded" : "its configuration is not saved");
		return;
	}
	u->is_looked = is_recorded && (is_same || (loses_configuration(u) && u->phase != UPGRADE_RETURNING));
	if (!u->is_looked && upgrade_is_under_way(u)) {
		u->is_healthy = false;
		if (!u->is_fit)
			return; /* what runs is the worse news */
		note_sick(u, !is_recorded ? "what it looks like cannot be recorded" : is_saved ? "its configuration is another than before" :
											  "what runs is not what is saved");
	}
}

void upgrade_unseen(struct upgrade *u, const char *why)
{
	u->is_looked = u->is_healthy = false;
	if (u->phase != UPGRADE_FETCHING)
		note_sick(u, why);
}

void upgrade_lost(struct upgrade *u, uint64_t now_ms)
{
	if (!u->is_asked || u->phase == UPGRADE_FETCHING || u->phase == UPGRADE_ENDED || u->phase == UPGRADE_NONE)
		return;
	u->is_asked = u->is_looked = false;
	try_again(u, "the process that touches the device ended", now_ms);
	if (u->phase != UPGRADE_RETURNING && u->tries >= UPGRADE_TRIES) {
		if (u->phase == UPGRADE_KEEPING || u->phase == UPGRADE_RESTARTING || u->phase == UPGRADE_SETTLING)
			fail(u, u->sick);
		else if (upgrade_is_under_way(u))
			go_back(u, u->sick, now_ms);
	}
}
