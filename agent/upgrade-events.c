/* agent/upgrade-events.c -- what happens to an order that gives the device other firmware: what disk, network and device answer. */
#include "agent/upgrade-parts.h"

#include <stdio.h>
#include <string.h>

enum { ROUND_MS = 1000, RETRY_MS = 2000, DISK_MS = 5000 };

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
		upgrade_refuse(u, CHECK_IMAGE, result->text);
}

static void try_again(struct upgrade *u, const char *why, uint64_t now_ms)
{
	upgrade_note_sick(u, why);
	u->due_ms =
		now_ms + (RETRY_MS << 2 * (u->tries < 4 ? u->tries : 4)); /* 2, 8, 32, 128 s: a device may be without power for a while */
	u->tries++;
}

static void install_failed(struct upgrade *u, const struct error *result, uint64_t now_ms)
{
	char why[2 * UPGRADE_NOTE_MAX];

	snprintf(why, sizeof(why), "the image could not be installed: %.300s", result->text);
	if (result->code == E_DENIED || result->code == E_SEAL || u->tries >= UPGRADE_TRIES)
		upgrade_go_back(u, why, now_ms);
}

static void start_failed(struct upgrade *u, const struct error *result, uint64_t now_ms)
{
	char why[2 * UPGRADE_NOTE_MAX];

	snprintf(why, sizeof(why), "the new image does not start: %.300s", result->text);
	if (result->code == E_DENIED || u->starts >= UPGRADE_STARTS)
		upgrade_go_back(u, why, now_ms);
}

static void keep_failed(struct upgrade *u, const struct error *result)
{
	char why[2 * UPGRADE_NOTE_MAX];

	snprintf(why, sizeof(why), "it runs %.60s, but %s: %.250s", upgrade_version(u),
		 u->phase == UPGRADE_KEEPING ? "the other image could not be replaced" : "it was not seen to restart by itself",
		 result->text);
	u->is_resumed = u->phase == UPGRADE_KEEPING; /* it may have lost its power, and run the old one again */
	if (result->code == E_DENIED || u->tries >= UPGRADE_TRIES)
		upgrade_fail(u, why);
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
		upgrade_enter(u, UPGRADE_STARTING);
	} else if (u->phase == UPGRADE_STARTING || u->phase == UPGRADE_RESTARTING) {
		upgrade_enter(u, u->phase == UPGRADE_STARTING ? UPGRADE_PROVING : UPGRADE_SETTLING);
		upgrade_begin_clock(u, now_ms);
	} else if (u->phase == UPGRADE_KEEPING && u->seen.is_fallback) {
		upgrade_enter(u, UPGRADE_RESTARTING);
	} else if (u->phase == UPGRADE_KEEPING) {
		upgrade_finish(u);
	} else { /* RETURNING: only what is seen counts */
		u->is_resumed = u->is_fit = u->is_looked = false;
		u->tries++;
		upgrade_begin_clock(u, now_ms);
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
	else if (!runs(u, upgrade_version(u)))
		snprintf(why, size, "it runs %.60s", *u->seen.version ? u->seen.version : "nobody knows what");
}

static void saw_returned(struct upgrade *u, const char *failure, uint64_t now_ms)
{
	bool is_back = !*failure && !*u->seen.failure && runs(u, u->version) && (upgrade_is_boot(u) || !strcmp(u->seen.slot, u->slot));

	/* a boot loader has no other to go back to */
	u->is_fit = is_back || (upgrade_is_boot(u) && !*failure && !*u->seen.failure);
	if (u->is_fit) {
		u->is_looked = false;
		return;
	}
	upgrade_note_sick(u, *failure ? failure : *u->seen.failure ? u->seen.failure : "another image runs");
	u->is_resumed = true; /* the step next */
	u->due_ms = now_ms + RETRY_MS;
}

/* Power was lost between the two images: the old one is whole, and runs. */
static void saw_keeping(struct upgrade *u, const char *failure, uint64_t now_ms)
{
	u->is_resumed = false;
	if (*failure || !runs(u, u->version) || strcmp(u->seen.slot, u->slot) != 0 || upgrade_is_boot(u))
		return;
	if (u->starts <= UPGRADE_STARTS)
		upgrade_enter(u, UPGRADE_STARTING);
	else
		upgrade_go_back(u, "the new image does not keep running", now_ms);
}

/* STARTING was cut off: by the start itself, when the device is this machine. */
static void saw_starting(struct upgrade *u, const char *failure, uint64_t now_ms)
{
	bool is_new = !*failure && runs(u, upgrade_version(u)) && (!*u->slot || strcmp(u->seen.slot, u->slot) != 0);

	u->is_resumed = false;
	if (is_new)
		step_done(u, now_ms);
	else if (u->starts >= UPGRADE_STARTS)
		upgrade_go_back(u, "the new image does not start: what it ran before came up", now_ms);
}

static void saw_before(struct upgrade *u, const char *failure, uint64_t now_ms)
{
	u->is_fit = !*failure && *u->seen.version && !*u->seen.failure;
	u->due_ms = u->is_fit ? 0 : now_ms + ROUND_MS;
	if (!u->is_fit)
		upgrade_note_sick(u, *failure ? failure : *u->seen.failure ? u->seen.failure : "it does not say what it runs");
}

static void saw_new(struct upgrade *u, const char *failure, uint64_t now_ms)
{
	char why[UPGRADE_NOTE_MAX];

	judge_new(why, sizeof(why), u);
	u->is_fit = !*failure && !*why;
	u->due_ms = u->is_fit ? 0 : now_ms + ROUND_MS;
	if (!u->is_fit)
		upgrade_note_sick(u, *failure ? failure : why);
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
		upgrade_note_sick(u, why);
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
			upgrade_note_sick(u, is_saved ? "it cannot be recorded" : "its configuration is not saved");
		return;
	}
	u->is_looked = is_recorded && (is_same || (upgrade_loses_configuration(u) && u->phase != UPGRADE_RETURNING));
	if (!u->is_looked && upgrade_is_under_way(u)) {
		u->is_healthy = false;
		if (!u->is_fit)
			return; /* what runs is the worse news */
		upgrade_note_sick(u, !is_recorded ? "what it looks like cannot be recorded" :
				     is_saved     ? "its configuration is another than before" :
						    "what runs is not what is saved");
	}
}

void upgrade_unseen(struct upgrade *u, const char *why)
{
	u->is_looked = u->is_healthy = false;
	if (u->phase != UPGRADE_FETCHING)
		upgrade_note_sick(u, why);
}

void upgrade_lost(struct upgrade *u, uint64_t now_ms)
{
	if (!u->is_asked || u->phase == UPGRADE_FETCHING || u->phase == UPGRADE_ENDED || u->phase == UPGRADE_NONE)
		return;
	u->is_asked = u->is_looked = false;
	try_again(u, "the process that touches the device ended", now_ms);
	if (u->phase != UPGRADE_RETURNING && u->tries >= UPGRADE_TRIES) {
		if (u->phase == UPGRADE_KEEPING || u->phase == UPGRADE_RESTARTING || u->phase == UPGRADE_SETTLING)
			upgrade_fail(u, u->sick);
		else if (upgrade_is_under_way(u))
			upgrade_go_back(u, u->sick, now_ms);
	}
}
