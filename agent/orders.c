/* agent/orders.c -- whether an order is to be obeyed: every check before any effect. */
#include "agent/orders.h"

#include "agent/probe.h"
#include "base/clock.h"
#include "base/plural.h"
#include "crypto/seal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The word of a receipt, and what whoever reads it can do. */
static const struct {
	const char *name, *advice;
} checks[CHECKS] = {
	[CHECK_NONE] = { "", "" },
	[CHECK_SIZE] = { "size", "plan it again" },
	[CHECK_GRAMMAR] = { "grammar", "plan it again with a command of the same version" },
	[CHECK_TYPE] = { "type", "plan it again with a command of the same version" },
	[CHECK_FLEET] = { "fleet", "an operator of this fleet plans it" },
	[CHECK_DEVICE] = { "device", "the server delivered it to the wrong device: look at the server" },
	[CHECK_ROOT] = { "root", "the device waits for that root" },
	[CHECK_SIGNER] = { "signer", "somebody whom the root in force allows signs it again" },
	[CHECK_PROOF] = { "proof", "the server delivered it without its place in a batch: look at the server" },
	[CHECK_KIND] = { "kind", "plan it again with a command of the same version" },
	[CHECK_THRESHOLD] = { "threshold", "collect the approvals and plan it again" },
	[CHECK_NUMBER] = { "number", "plan it again: the next plan takes a fresh number" },
	[CHECK_ROOT_EXPIRED] = { "root-expired", "put the next root in force (holdfast root edit), then plan it again" },
	[CHECK_NOT_YET] = { "not-yet", "the server delivered it too early: look at the server, and plan it again" },
	[CHECK_EXPIRED] = { "expired", "plan it again" },
	[CHECK_WINDOW] = { "window", "the device waits for the window" },
	[CHECK_CAPABILITY] = { "capability", "do it at the device" },
	[CHECK_CHALLENGE] = { "challenge", "the device says a new one with each status: plan it again" },
	[CHECK_DRIVER] = { "driver", "see to the device, then plan it again" },
	[CHECK_BUSY] = { "busy", "wait for the order that is being carried out, then plan it again" },
	[CHECK_HELD] = { "held", "ask who holds it, release it, then plan it again" },
	[CHECK_UNSAVED] = { "unsaved", "save it (holdfast commit) or return (holdfast revert), then plan it again" },
	[CHECK_BASE] = { "base", "look at what changed (holdfast diff), then plan it again" },
	[CHECK_PAYLOAD] = { "payload", "the server delivered another payload: look at the server, and plan it again" },
	[CHECK_OPEN] = { "open", "it was sealed for another key: fetch the device's enrolment anew, and plan it again" },
	[CHECK_SYNTAX] = { "syntax", "mend the configuration and plan it again; nothing was changed" },
	[CHECK_POLICY] = { "policy", "mend the set of policies and publish it again; what was in force still is" },
	[CHECK_CANCELLED] = { "cancelled", "ask who stopped it; if it is still wanted, plan it again" },
	[CHECK_FIRMWARE] = { "firmware", "sign a statement about the image (holdfast firmware import), then assign it again" },
	[CHECK_MODEL] = { "model", "assign it to the devices that it is for" },
	[CHECK_MINIMUM] = { "minimum", "bring the device to that version first, then assign this one again" },
	[CHECK_DOWNGRADE] = { "downgrade",
			      "if it is wanted, sign a statement that says what it does to the configuration, then assign that" },
	[CHECK_SPACE] = { "space", "make room on the agent's disk or raise its bound, then assign it again" },
	[CHECK_IMAGE] = { "image", "look at the server: it delivered another image than the one that was signed" },
};

const char *orders_check_name(enum orders_check check)
{
	return checks[check].name;
}

void orders_refuse(struct orders_judgement *out, enum orders_check check, const char *fmt, ...)
{
	size_t used;
	va_list ap;

	out->verdict = ORDERS_REFUSE;
	out->check = check;
	va_start(ap, fmt);
	vsnprintf(out->note, sizeof(out->note) - 128, fmt, ap);
	va_end(ap);
	used = strlen(out->note);
	snprintf(out->note + used, sizeof(out->note) - used, "; %s", checks[check].advice);
}

static void wait_for(struct orders_judgement *out, enum orders_check check)
{
	out->verdict = ORDERS_WAIT;
	out->check = check;
	snprintf(out->note, sizeof(out->note), "%s", checks[check].advice);
}

static bool goes_on(const struct orders_judgement *out)
{
	return out->verdict == ORDERS_OBEY;
}

/* ---- from whom it comes ---- */

static void judge_form(struct orders_judgement *out, const struct orders_item *item)
{
	struct error err = { 0 };

	if (item->broken == CHECK_SIZE || item->broken == CHECK_GRAMMAR)
		orders_refuse(out, item->broken, "%s", item->why);
	else if (statement_type(item->st) != STATEMENT_ORDER || (item->batch && statement_type(item->batch->st) != STATEMENT_BATCH))
		orders_refuse(out, CHECK_TYPE, "it is no order of a batch");
	else if (order_check(item->st, &err) < 0 || probes_check(item->st, &err) < 0)
		orders_refuse(out, CHECK_GRAMMAR, "%s", err.text);
}

static void judge_target(struct orders_judgement *out, const struct orders_item *item, const struct orders_view *view)
{
	const struct statement *batch = item->batch ? item->batch->st : NULL;

	if (strcmp(statement_get(item->st, "fleet"), view->fleet) != 0 ||
	    (batch && strcmp(statement_get(batch, "fleet"), view->fleet) != 0))
		orders_refuse(out, CHECK_FLEET, "it is of another fleet");
	else if (strcmp(statement_get(item->st, "device"), view->device) != 0)
		orders_refuse(out, CHECK_DEVICE, "it is for another device");
	else if (batch && statement_number(batch, "root") > root_version(view->root))
		wait_for(out, CHECK_ROOT);
}

static void judge_signer(struct orders_judgement *out, const struct orders_item *item, const struct orders_view *view)
{
	struct error err = { 0 };

	if (!item->batch)
		orders_refuse(out, CHECK_SIGNER, "no batch came with it, so nobody signed it");
	else if (batch_verify(item->batch->st, view->root, &err) < 0)
		orders_refuse(out, err.code == E_FORMAT ? CHECK_GRAMMAR : CHECK_SIGNER, "%s (by root %llu)", err.text,
			      (unsigned long long)root_version(view->root));
}

static void judge_place(struct orders_judgement *out, const struct orders_item *item)
{
	struct error err = { 0 };

	if (item->broken == CHECK_PROOF)
		orders_refuse(out, CHECK_PROOF, "%s", item->why);
	else if (order_verify(item->st, item->batch->st, &err) < 0)
		orders_refuse(out, err.code == E_SEAL ? CHECK_PROOF : CHECK_KIND, "%s", err.text);
}

/* Controls that do not hold are left out, whoever brought them: a person who was dismissed approves nothing any more. */
static void count(struct consent *out, const struct orders_batch *batch, const struct root *root)
{
	const struct statement *good[ORDERS_CONTROLS_MAX];
	struct error ignored;
	size_t count = 0;

	for (size_t i = 0; i < batch->control_count; i++)
		if (control_verify(batch->controls[i], batch->st, root, &ignored) == 0)
			good[count++] = batch->controls[i];
	consent_count(out, batch->st, good, count, root);
}

bool orders_is_agreed(char why[static ORDERS_NOTE_MAX], const struct orders_batch *batch, const struct root *root)
{
	struct consent consent;
	struct error err = { 0 };

	if (batch_verify(batch->st, root, &err) < 0) {
		snprintf(why, ORDERS_NOTE_MAX, "%.300s (by root %llu)", err.text, (unsigned long long)root_version(root));
		return false;
	}
	count(&consent, batch, root);
	if (consent.is_rejected)
		snprintf(why, ORDERS_NOTE_MAX, "'%s' rejects it", consent.rejected_by);
	else if (consent.is_aborted)
		snprintf(why, ORDERS_NOTE_MAX, "it was aborted");
	else if (!consent_is_enough(&consent))
		snprintf(why, ORDERS_NOTE_MAX, "%u of %u %s behind it (by root %llu)", consent.people, consent.need,
			 plural(consent.need, "person stands", "people stand"), (unsigned long long)root_version(root));
	return consent_is_enough(&consent) && !consent.is_aborted;
}

static bool stops(const struct statement *control)
{
	const char *action = statement_get(control, "action");

	return !strcmp(action, "abort") || !strcmp(action, "reject") || !strcmp(action, "withdraw");
}

bool orders_is_stopped(char why[static ORDERS_NOTE_MAX], const struct orders_batch *batch, const struct root *root)
{
	struct error ignored;

	for (size_t i = 0; i < batch->control_count; i++)
		if (stops(batch->controls[i]) && control_verify(batch->controls[i], batch->st, root, &ignored) == 0)
			return !orders_is_agreed(why, batch, root);
	return false;
}

static void judge_consent(struct orders_judgement *out, const struct orders_item *item, const struct orders_view *view)
{
	char why[ORDERS_NOTE_MAX];

	if (!orders_is_agreed(why, item->batch, view->root))
		orders_refuse(out, CHECK_THRESHOLD, "%s", why);
}

/* ---- when, and whether at all ---- */

static void judge_number(struct orders_judgement *out, const struct orders_item *item, const struct orders_view *view)
{
	unsigned long long number = statement_number(item->st, "order"), last = view->seen->last;

	if (number <= last)
		orders_refuse(out, CHECK_NUMBER, "order %llu is not above %llu, the last that this device took note of", number, last);
	else if (number > last + ORDER_JUMP_MAX)
		orders_refuse(out, CHECK_NUMBER, "order %llu is more than %d above %llu, the last that this device took note of", number,
			      ORDER_JUMP_MAX, last);
}

/* An expired root still lets the next one in; it is good for no order any more. */
static void judge_root(struct orders_judgement *out, const struct orders_view *view)
{
	const struct statement *root = root_statement(view->root);
	char now[CLOCK_TEXT_LEN];

	if (!root_is_expired(view->root, view->floor_s))
		return;
	clock_text(now, view->floor_s);
	orders_refuse(out, CHECK_ROOT_EXPIRED, "root %llu expired at %s, and it is %s at least",
		      (unsigned long long)root_version(view->root), statement_get(root, "expires"), now);
}

/* By the floor it expires. That it is too early may also mean that the floor lags behind: a clock that is not behind the floor itself, and
 * says so too, decides; else it is waited for, since waiting has no effect. */
static void judge_time(struct orders_judgement *out, const struct orders_item *item, const struct orders_view *view)
{
	const struct statement *batch = item->batch->st;
	int64_t begins = statement_time(batch, "not-before");
	char now[CLOCK_TEXT_LEN];

	clock_text(now, view->floor_s);
	switch (batch_time(batch, view->floor_s)) {
	case BATCH_EXPIRED:
		orders_refuse(out, CHECK_EXPIRED, "it expired at %s, and it is %s at least", statement_get(batch, "expires"), now);
		break;
	case BATCH_NOT_YET:
		if (view->clock_s >= view->floor_s && view->clock_s + ORDERS_SKEW_S < begins)
			orders_refuse(out, CHECK_NOT_YET, "it begins at %s", statement_get(batch, "not-before"));
		else
			wait_for(out, CHECK_NOT_YET);
		break;
	case BATCH_OUT_OF_WINDOW:
		wait_for(out, CHECK_WINDOW);
		break;
	case BATCH_IN_TIME:
		break;
	}
}

static void judge_capability(struct orders_judgement *out, const struct orders_item *item, const struct orders_view *view)
{
	static const unsigned needs[ORDER_KINDS] = {
		[ORDER_APPLY] = DEVICE_APPLY | DEVICE_SAVE | DEVICE_REVERT | DEVICE_STARTUP,
		[ORDER_SAVE] = DEVICE_SAVE,
		[ORDER_REVERT] = DEVICE_REVERT,
		[ORDER_REBOOT] = DEVICE_REBOOT,
		[ORDER_FACTORY_RESET] = DEVICE_FACTORY_RESET,
		[ORDER_PURGE] = DEVICE_PURGE,
		[ORDER_SHRED] = ~0U, /* the archive's, never a device's */
		[ORDER_UPGRADE] = DEVICE_UPGRADE | DEVICE_STARTUP,
	};
	const char *name = statement_get(item->st, "kind"), *why = NULL;
	enum order_kind kind = ORDER_APPLY;
	bool is_known = order_kind_parse(&kind, name);

	if (is_known && (view->capabilities & needs[kind]) == needs[kind])
		return;
	orders_refuse(out, CHECK_CAPABILITY, "the driver of this device cannot carry out '%s'", name);
	if (is_known && view->driver && view->driver->lacks)
		why = view->driver->lacks(view->dev, needs[kind] & ~view->capabilities);
	if (why)
		snprintf(out->note, sizeof(out->note), "this device cannot carry out '%s': %s; or do it at the device", name, why);
}

/* Made by the device a while ago at most: what erases it cannot have been prepared for later, nor come twice. */
static void judge_challenge(struct orders_judgement *out, const struct orders_item *item, const struct orders_view *view)
{
	uint8_t named[HASH_LEN];

	if (!statement_get_hash(named, item->st, "challenge"))
		return; /* order_check() asked for one where it is needed */
	if (!view->challenge)
		orders_refuse(out, CHECK_CHALLENGE, "this device has said none that is still in force");
	else if (memcmp(named, view->challenge, HASH_LEN) != 0)
		orders_refuse(out, CHECK_CHALLENGE, "it names another one than the device said last");
}

void orders_judge(struct orders_judgement *out, const struct orders_item *item, const struct orders_view *view)
{
	*out = (struct orders_judgement){ .verdict = ORDERS_OBEY };
	if (orders_knows(view->seen, item->leaf)) {
		out->verdict = ORDERS_KNOWN;
		return;
	}
	judge_form(out, item);
	if (goes_on(out))
		judge_target(out, item, view);
	if (goes_on(out))
		judge_signer(out, item, view);
	if (goes_on(out))
		judge_place(out, item);
	if (goes_on(out))
		judge_consent(out, item, view);
	if (!goes_on(out))
		return;
	judge_number(out, item, view);
	if (!goes_on(out))
		return; /* one that was used already, or is out of reach, counts no more than a forged one */
	out->is_genuine = true;
	judge_root(out, view);
	if (goes_on(out))
		judge_time(out, item, view);
	if (goes_on(out))
		judge_capability(out, item, view);
	if (goes_on(out))
		judge_challenge(out, item, view);
}

/* ---- the device ---- */

static bool is_same_point(uint64_t number, const uint8_t *hash, uint64_t as_number, const uint8_t *as_hash)
{
	return number != as_number || !memcmp(hash, as_hash, HASH_LEN);
}

/* Is running what it was in that snapshot? What lies between has a hash that we do not keep; an operator signed it. */
static bool is_base(const struct orders_device *device, uint64_t number, const uint8_t hash[static HASH_LEN])
{
	return number >= device->running_since && number <= device->newest &&
	       is_same_point(number, hash, device->running_since, device->running_hash) &&
	       is_same_point(number, hash, device->newest, device->newest_hash);
}

void orders_judge_device(struct orders_judgement *out, const struct orders_item *item, const struct orders_device *device)
{
	enum order_kind kind = ORDER_APPLY;
	uint8_t hash[HASH_LEN];
	uint64_t number;

	if (!order_kind_parse(&kind, statement_get(item->st, "kind")) || kind == ORDER_SNAPSHOT || kind == ORDER_HOLD ||
	    kind == ORDER_RELEASE)
		return;
	if (order_kind_erases(kind))
		return; /* what is held or unsaved goes with everything else: for that it took the people that it takes */
	if (device->is_busy)
		orders_refuse(out, CHECK_BUSY, "another change is being carried out");
	else if (device->is_held)
		orders_refuse(out, CHECK_HELD, "it is held by %s", device->held_by);
	else if (kind != ORDER_SAVE && !device->has_startup)
		orders_refuse(out, CHECK_UNSAVED, "the device has no startup configuration to return to");
	else if ((kind == ORDER_APPLY || kind == ORDER_UPGRADE) && device->is_unsaved)
		orders_refuse(out, CHECK_UNSAVED, "running differs from startup, and what somebody changed would be lost");
	else if (statement_get_point(&number, hash, item->st, "base") && !is_base(device, number, hash))
		orders_refuse(out, CHECK_BASE, "it was planned for snapshot %llu, and running changed since (snapshot %llu)",
			      (unsigned long long)number, (unsigned long long)device->running_since);
}

static unsigned payload_max(const struct orders_item *item)
{
	return (strcmp(statement_get(item->st, "kind"), "policy") != 0 ? DEVICE_TEXT_MAX : SEAL_SECRET_MAX) +
	       1; /* its last line ends in any case */
}

void orders_open(struct orders_judgement *out, struct buf *text, const struct orders_item *item, const struct age_identity *box)
{
	struct seal_ref ref;
	uint8_t hash[HASH_LEN];
	struct error err = { 0 };

	if (!statement_seal(&ref, item->st, "payload"))
		return;
	sha256(hash, buf_bytes(&item->payload));
	if (!item->has_payload)
		orders_refuse(out, CHECK_PAYLOAD, "its payload did not come with it");
	else if (item->payload.len != ref.len || memcmp(hash, ref.hash, HASH_LEN) != 0)
		orders_refuse(out, CHECK_PAYLOAD, "its payload is not the one that was signed");
	else if (seal_open_secret(text, box, buf_bytes(&item->payload), &err) < 0)
		orders_refuse(out, CHECK_OPEN, "its payload does not open: %s", err.text);
	else if (text->len > payload_max(item))
		orders_refuse(out, CHECK_PAYLOAD, "its payload has %zu bytes, and %u may be", text->len, payload_max(item));
}

bool orders_is_whole(const struct orders_item *item)
{
	const char *mode = item->st ? statement_get(item->st, "mode") : NULL;

	return mode && !strcmp(mode, "whole") && !strcmp(statement_get(item->st, "kind"), "apply");
}
