/* tests/unit/test-upgrade.c -- an order that gives other firmware: nothing is given to the device before the statement, the image, the
 * saved configuration and the archive; nothing takes the place of what works before it was proved; whatever dies, it goes on or back. */
#include "tests/test.h"

#include "agent/image.h"
#include "agent/stream.h"
#include "agent/upgrade.h"
#include "base/clock.h"
#include "base/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ME "abcdefghijklmnopqrstuvwxyz"

enum { ALICE, STRANGER, ARCHIVE, KEYS };
enum { NUMBER = 7, CONFIRM_MS = 60000, SETTLE_MS = 5000 };

static struct sign_key keys[KEYS];
static struct root *root;
static const struct device_facts facts = { .model = "Lynx-3510", .firmware = "5.23.0" };

static struct statement *parsed(const struct buf *text)
{
	struct statement *st = NULL;
	struct error err = { 0 };

	CHECK_OK(statement_parse(&st, buf_bytes(text), false, NULL, &err));
	return st;
}

static void begin_tests(void)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(age_identity_done) struct age_identity reader = { 0 };
	struct error err = { 0 };
	char pub[KEYS][SIGN_PUB_TEXT_MAX], to[AGE_RECIPIENT_LEN + 1];

	CHECK_OK(crypto_start(&err));
	if (root)
		return;
	age_identity_new(&reader);
	age_recipient_text(to, &reader.pub);
	for (size_t i = 0; i < KEYS; i++) {
		sign_key_new(&keys[i]);
		sign_pub_text(pub[i], &keys[i].pub);
	}
	statement_begin(&text, STATEMENT_ROOT);
	buf_addf(&text, "version: 1\ntime: 2026-01-01T00:00:00Z\nexpires: 2199-01-01T00:00:00Z\nname: plant\nperson: alice\nkey: alice %s\n"
			"reading-key: alice %s\nrole: root alice\nrole: reader alice\nrole: deployer alice\narchive: %s\n"
			"tls-pin: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nserver: localhost:8443\n", pub[ALICE], to, pub[ARCHIVE]);
	CHECK_OK(statement_sign(&text, &keys[ALICE], &err));
	CHECK_OK(root_new(&root, parsed(&text), &err));
}

__attribute__((destructor)) static void end_tests(void)
{
	root_free(root);
}

struct about {
	const char *driver, *part, *model, *version, *minimum, *downgrade;
	unsigned long long size;
	int key;
};

static void firmware_text(struct buf *out, const struct about *a)
{
	struct error err = { 0 };

	statement_begin(out, STATEMENT_FIRMWARE);
	buf_addf(out, "fleet: %s\ndriver: %s\npart: %s\n", root_fleet(root), a->driver ? a->driver : "weos", a->part ? a->part : "system");
	if (a->model)
		buf_addf(out, "model: %s\n", a->model);
	buf_addf(out, "version: %s\n", a->version ? a->version : "5.24.0");
	if (a->minimum)
		buf_addf(out, "minimum: %s\n", a->minimum);
	if (a->downgrade)
		buf_addf(out, "downgrade: %s\n", a->downgrade);
	buf_addf(out, "size: %llu\nimage: " HASH_A "\nperson: alice\ntime: 2026-01-01T00:00:00Z\nroot: 1\n", a->size ? a->size : 1000);
	CHECK_OK(statement_sign(out, &keys[a->key], &err));
}

/* The check that refuses it; CHECK_NONE: it may be. */
static enum orders_check judged(const struct about *a, const struct device_facts *of)
{
	const struct upgrade_device device = { .root = root, .driver = "weos", .facts = of, .most = 5000, .room = 4000 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct orders_judgement j = { .verdict = ORDERS_OBEY };
	struct statement *firmware = NULL;

	firmware_text(&text, a);
	buf_add_str(&text, "\n\n\n"); /* up to the size of the seal */
	upgrade_judge(&j, &firmware, buf_bytes(&text), &device);
	statement_free(firmware);
	CHECK((j.verdict == ORDERS_OBEY) == (j.check == CHECK_NONE));
	return j.check;
}

TEST(an_image_is_only_for_whom_it_is_signed_for)
{
	static const struct device_facts nameless = { .firmware = "5.23.0" }, unknown = { .model = "Lynx-3510" };

	begin_tests();
	CHECK_EQ(judged(&(struct about){ 0 }, &facts), CHECK_NONE);
	CHECK_EQ(judged(&(struct about){ .model = "lynx-3510" }, &facts), CHECK_NONE);
	CHECK_EQ(judged(&(struct about){ .model = "Lynx-3510" }, &nameless), CHECK_NONE);
	CHECK_EQ(judged(&(struct about){ .model = "Viper-12" }, &facts), CHECK_MODEL);
	CHECK_EQ(judged(&(struct about){ .driver = "files" }, &facts), CHECK_MODEL);
	CHECK_EQ(judged(&(struct about){ .part = "half" }, &facts), CHECK_MODEL);
	CHECK_EQ(judged(&(struct about){ .key = STRANGER }, &facts), CHECK_FIRMWARE);
	CHECK_EQ(judged(&(struct about){ .minimum = "5.23.0" }, &facts), CHECK_NONE);
	CHECK_EQ(judged(&(struct about){ .minimum = "5.23.1" }, &facts), CHECK_MINIMUM);
	CHECK_EQ(judged(&(struct about){ .minimum = "5.20.0" }, &unknown), CHECK_MINIMUM);
	CHECK_EQ(judged(&(struct about){ .version = "5.22.9" }, &facts), CHECK_DOWNGRADE);
	CHECK_EQ(judged(&(struct about){ .version = "5.22.9", .downgrade = "loses" }, &facts), CHECK_NONE);
	CHECK_EQ(judged(&(struct about){ .version = "2017.12.0", .part = "boot", .minimum = "9999.1" }, &facts), CHECK_NONE);
	CHECK_EQ(judged(&(struct about){ .size = 5001 }, &facts), CHECK_SPACE);
	CHECK_EQ(judged(&(struct about){ .size = 4001 }, &facts), CHECK_SPACE);
}

TEST(what_is_no_firmware_statement_is_refused)
{
	static const char *const payloads[] = { "", "\n\n", "holdfast-statement/1 firmware\n", "system\n\thostname x\n\tend\n" };
	const struct upgrade_device device = { .root = root, .driver = "weos", .facts = &facts, .most = 5000, .room = 4000 };

	begin_tests();
	for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
		struct orders_judgement j = { .verdict = ORDERS_OBEY };
		struct statement *firmware = NULL;

		upgrade_judge(&j, &firmware, bytes_str(payloads[i]), &device);
		statement_free(firmware);
		CHECK_EQ(j.check, CHECK_FIRMWARE);
	}
}

/* ---- the machine ---- */

struct t {
	struct upgrade u;
	struct upgrade_now now;
	struct apply_expect saved;
};

static struct orders_item make_item(void)
{
	struct orders_item item = { .number = NUMBER };
	_cleanup_(buf_done) struct buf order = { 0 }, batch = { 0 };
	struct error err = { 0 };

	statement_begin(&order, STATEMENT_ORDER);
	buf_addf(&order, "fleet: %s\ndevice: " ME "\norder: %d\nkind: upgrade\nnonce: " HASH_A "\n", root_fleet(root), NUMBER);
	CHECK_OK(statement_parse(&item.st, buf_bytes(&order), true, NULL, &err));
	statement_begin(&batch, STATEMENT_BATCH);
	buf_addf(&batch, "fleet: %s\nkind: upgrade\nperson: alice\ntime: 2026-01-01T00:00:00Z\nnot-before: 2026-01-01T00:00:00Z\n"
			 "expires: 2026-01-02T00:00:00Z\nroot: 1\nreason: CVE\ncount: 1\ntree: " HASH_A "\n", root_fleet(root));
	CHECK_OK(statement_sign(&batch, &keys[ALICE], &err));
	item.batch = orders_batch_new(parsed(&batch));
	return item;
}

static void begin_about(struct t *t, const struct about *a)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct orders_item item;

	begin_tests();
	*t = (struct t){ .now = { .ms = 1000, .acked = 3, .newest = 3 }, .saved = { { 1 }, { 1 } } };
	item = make_item();
	firmware_text(&text, a);
	upgrade_begin(&t->u, &item, parsed(&text));
	orders_item_done(&item);
	orders_batch_drop(item.batch);
}

static enum upgrade_action next(struct t *t)
{
	return upgrade_next(&t->u, &t->now);
}

static void stores(struct t *t, const char *phase)
{
	CHECK_EQ(next(t), UPGRADE_STORE);
	CHECK_STR(upgrade_phase_name(t->u.phase), phase);
	upgrade_stored(&t->u, true, t->now.ms);
}

static const struct error fine;

static void see(struct t *t, const char *version, const char *slot, const char *other)
{
	struct device_images seen = { .is_fallback = !strcmp(slot, "secondary") };

	snprintf(seen.version, sizeof(seen.version), "%s", version);
	snprintf(seen.slot, sizeof(seen.slot), "%s", slot);
	snprintf(seen.other, sizeof(seen.other), "%s", other);
	CHECK_EQ(next(t), UPGRADE_SEE);
	upgrade_saw(&t->u, &fine, &seen, t->now.ms);
}

static void answers(struct t *t, enum device_upgrade step, int code, const char *why)
{
	struct error result = { .code = code };

	snprintf(result.text, sizeof(result.text), "%s", why);
	CHECK_EQ(next(t), UPGRADE_STEP);
	CHECK_EQ(upgrade_step(&t->u), step);
	upgrade_answered(&t->u, &result, t->now.ms);
}

static void look(struct t *t)
{
	upgrade_looked(&t->u, &t->saved, true);
}

/* Up to the device that is saved, archived and seen. */
static void to_installing(struct t *t)
{
	stores(t, "fetching");
	CHECK_EQ(next(t), UPGRADE_FETCH);
	upgrade_fetched(&t->u, &fine);
	CHECK_EQ(next(t), UPGRADE_REST);
	look(t);
	see(t, "5.23.0", "primary", "5.23.0");
	stores(t, "installing");
}

static void to_proving(struct t *t)
{
	to_installing(t);
	answers(t, DEVICE_UPGRADE_INSTALL, 0, "");
	stores(t, "starting");
	answers(t, DEVICE_UPGRADE_START, 0, "");
	stores(t, "proving");
}

/* Rounds of a second until it has settled. */
static void prove(struct t *t, const char *slot)
{
	for (int i = 0; i <= SETTLE_MS / 1000; i++) {
		see(t, "5.24.0", slot, "5.24.0");
		look(t);
		CHECK_EQ(next(t), UPGRADE_PROVE);
		upgrade_proved(&t->u, t->now.ms, t->now.ms + 1, "");
		t->now.ms += 1001;
	}
}

static void ended(struct t *t, const char *outcome, const char *words)
{
	CHECK_EQ(next(t), UPGRADE_END);
	CHECK_STR(t->u.end.outcome, outcome);
	if (!strstr(t->u.end.note, words))
		fail_msg("no '%s' in '%s'", words, t->u.end.note);
	CHECK_EQ(t->u.end.is_held, !strcmp(outcome, "failed"));
	upgrade_close(&t->u);
	CHECK(!upgrade_is_open(&t->u));
}

TEST(both_images_are_new_after_two_restarts_and_two_proofs)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	to_proving(&t);
	prove(&t, "secondary");
	stores(&t, "keeping");
	answers(&t, DEVICE_UPGRADE_KEEP, 0, "");
	stores(&t, "restarting");
	answers(&t, DEVICE_UPGRADE_RESTART, 0, "");
	stores(&t, "settling");
	prove(&t, "primary");
	CHECK_EQ(next(&t), UPGRADE_END);
	CHECK_STR(t.u.end.evidence, "seen-after-reboot");
	ended(&t, "done", "5.24.0, before it 5.23.0");
}

TEST(a_device_with_one_place_needs_no_second_restart)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	to_proving(&t);
	prove(&t, "B");
	stores(&t, "keeping");
	answers(&t, DEVICE_UPGRADE_KEEP, 0, "");
	ended(&t, "done", "5.24.0");
}

TEST(nothing_is_given_to_a_device_that_is_not_saved_held_or_not_archived)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	stores(&t, "fetching");
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	CHECK_EQ(next(&t), UPGRADE_REST);
	CHECK(!upgrade_is_under_way(&t.u));
	upgrade_fetched(&t.u, &fine);
	t.saved.running[0] = 2;
	look(&t);
	CHECK_EQ(next(&t), UPGRADE_REST);
	t.saved.running[0] = 1;
	upgrade_looked(&t.u, &t.saved, false);
	CHECK_EQ(next(&t), UPGRADE_REST);
	look(&t);
	t.now.is_held = true;
	CHECK_EQ(next(&t), UPGRADE_REST);
	t.now.is_held = false;
	t.now.newest = 4;
	CHECK_EQ(next(&t), UPGRADE_REST);
	t.now.is_expired = true;
	ended(&t, "refused", "before the device was saved and archived");
}

TEST(an_order_expires_while_its_image_does_not_come)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	stores(&t, "fetching");
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	t.now.is_expired = true;
	CHECK_EQ(next(&t), UPGRADE_END);
	CHECK_STR(t.u.end.check, "expired");
	ended(&t, "refused", "before the image was here; nothing was given to the device");
}

TEST(people_stop_it_as_long_as_the_device_was_given_nothing)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	stores(&t, "fetching");
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	CHECK(upgrade_may_stop(&t.u));
	upgrade_cancel(&t.u, "it was aborted");
	CHECK(!upgrade_may_stop(&t.u));
	CHECK_EQ(next(&t), UPGRADE_END);
	CHECK_STR(t.u.end.check, "cancelled");
	ended(&t, "refused", "it was aborted; nothing was given to the device");

	begin_about(&t, &(struct about){ 0 });
	to_installing(&t);
	CHECK(!upgrade_may_stop(&t.u));
	answers(&t, DEVICE_UPGRADE_INSTALL, 0, "");
	CHECK(!upgrade_may_stop(&t.u));
	upgrade_done(&t.u);
	CHECK(!upgrade_may_stop(&t.u));
}

TEST(a_newer_order_takes_its_place_when_the_device_has_answered_what_it_was_asked)
{
	struct device_images seen = { .version = "5.23.0", .slot = "primary", .other = "5.23.0" };
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	stores(&t, "fetching");
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	upgrade_fetched(&t.u, &fine);
	CHECK_EQ(next(&t), UPGRADE_REST);
	look(&t);
	CHECK_EQ(next(&t), UPGRADE_SEE);
	CHECK(upgrade_may_stop(&t.u));
	upgrade_supersede(&t.u, 9);
	CHECK_EQ(next(&t), UPGRADE_REST);
	upgrade_saw(&t.u, &fine, &seen, t.now.ms);
	ended(&t, "superseded", "order 9 takes its place");
}

TEST(out_of_its_window_nothing_is_fetched_and_nothing_begins)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	stores(&t, "fetching");
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	t.now.is_closed = true;
	CHECK_EQ(next(&t), UPGRADE_PAUSE);
	upgrade_paused(&t.u);
	CHECK_EQ(next(&t), UPGRADE_REST);
	t.now.is_closed = false;
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	upgrade_fetched(&t.u, &fine);
	t.now.is_closed = true;
	look(&t);
	CHECK_EQ(next(&t), UPGRADE_REST);
	CHECK_STR(t.u.sick, "it waits for its window");
	t.now.is_closed = false;
	look(&t);
	see(&t, "5.23.0", "primary", "5.23.0");
	stores(&t, "installing");
	t.now.is_closed = true; /* what was begun is brought to its end */
	answers(&t, DEVICE_UPGRADE_INSTALL, 0, "");
	stores(&t, "starting");
	upgrade_done(&t.u);
}

TEST(an_image_that_was_not_signed_is_fetched_once_more_and_then_refused)
{
	const struct error other = { .code = E_SEAL, .text = "the image that came is not the one that was signed" };
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	stores(&t, "fetching");
	for (int i = 0; i < UPGRADE_WRONG; i++) {
		CHECK_EQ(next(&t), UPGRADE_FETCH);
		upgrade_fetched(&t.u, &other);
	}
	CHECK_EQ(next(&t), UPGRADE_END);
	CHECK_STR(t.u.end.check, "image");
	ended(&t, "refused", "not the one that was signed");
}

TEST(what_runs_is_judged_by_what_is_seen_and_not_by_what_was_known)
{
	struct t t;

	begin_about(&t, &(struct about){ .minimum = "5.23.0" });
	stores(&t, "fetching");
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	upgrade_fetched(&t.u, &fine);
	look(&t);
	CHECK_EQ(next(&t), UPGRADE_REST);
	look(&t);
	see(&t, "5.20.0", "primary", "5.20.0");
	CHECK_EQ(next(&t), UPGRADE_END);
	CHECK_STR(t.u.end.check, "minimum");
	ended(&t, "refused", "it runs '5.20.0'");
}

TEST(a_device_that_has_it_in_both_places_is_not_touched)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	stores(&t, "fetching");
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	upgrade_fetched(&t.u, &fine);
	CHECK_EQ(next(&t), UPGRADE_REST);
	look(&t);
	see(&t, "5.24.0", "primary", "5.24.0");
	ended(&t, "done", "it had 5.24.0 before, and was not touched");
}

TEST(an_image_that_the_device_refuses_is_not_tried_again)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	to_installing(&t);
	answers(&t, DEVICE_UPGRADE_INSTALL, E_DENIED, "Failed verifying signature!");
	stores(&t, "returning");
	see(&t, "5.23.0", "primary", "5.23.0");
	CHECK_EQ(next(&t), UPGRADE_REST);
	look(&t);
	CHECK_EQ(next(&t), UPGRADE_END);
	CHECK_STR(t.u.end.evidence, "read-back");
	ended(&t, "returned", "Failed verifying signature!; it runs 5.23.0 as before");
}

TEST(a_device_without_power_is_waited_for_before_it_is_given_up)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	to_installing(&t);
	for (int i = 1; i < UPGRADE_TRIES; i++) {
		answers(&t, DEVICE_UPGRADE_INSTALL, E_PEER, "the line has ended");
		CHECK_EQ(next(&t), UPGRADE_REST);
		t.now.ms += 600000;
	}
	answers(&t, DEVICE_UPGRADE_INSTALL, 0, "");
	stores(&t, "starting");
	upgrade_done(&t.u);
}

TEST(an_image_that_does_not_start_is_tried_twice)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	to_installing(&t);
	answers(&t, DEVICE_UPGRADE_INSTALL, 0, "");
	stores(&t, "starting");
	answers(&t, DEVICE_UPGRADE_START, E_PEER, "it restarted by itself");
	t.now.ms += 10000;
	answers(&t, DEVICE_UPGRADE_START, E_PEER, "it restarted by itself");
	stores(&t, "returning");
	see(&t, "5.23.0", "primary", "5.24.0");
	look(&t);
	CHECK_EQ(next(&t), UPGRADE_END);
	CHECK_STR(t.u.end.evidence, "seen-after-reboot");
	ended(&t, "returned", "it restarted by itself");
}

/* Each of these keeps it from being healthy until its time is over. */
static void not_proven(const struct device_images *seen, const struct apply_expect *is, const char *probe, const char *words)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	to_proving(&t);
	for (uint64_t end = t.now.ms + CONFIRM_MS; t.now.ms < end; t.now.ms += 2000) {
		enum upgrade_action action = next(&t);

		if (action == UPGRADE_SEE)
			upgrade_saw(&t.u, &fine, seen, t.now.ms);
		else if (action == UPGRADE_PROVE)
			upgrade_proved(&t.u, t.now.ms, t.now.ms, probe);
		upgrade_looked(&t.u, is, true);
		CHECK_STR(upgrade_phase_name(t.u.phase), "proving");
	}
	stores(&t, "returning");
	see(&t, "5.24.0", "secondary", "5.23.0"); /* that is not the one that worked */
	CHECK_EQ(next(&t), UPGRADE_REST);
	t.now.ms += 10000;
	answers(&t, DEVICE_UPGRADE_RETURN, 0, "");
	see(&t, "5.23.0", "primary", "5.24.0");
	look(&t);
	ended(&t, "returned", words);
}

TEST(nothing_but_all_of_it_is_healthy)
{
	static const struct device_images well = { .slot = "secondary", .version = "5.24.0", .is_fallback = true },
					  old = { .slot = "primary", .version = "5.23.0" },
					  failed = { .slot = "secondary",
						     .version = "5.24.0",
						     .failure = "it calls itself 'failed-1'",
						     .is_fallback = true };
	static const struct apply_expect saved = { { 1 }, { 1 } }, other = { { 2 }, { 2 } }, unsaved = { { 1 }, { 2 } };

	not_proven(&old, &saved, "", "it runs 5.23.0");
	not_proven(&failed, &saved, "", "it is in a failure mode: it calls itself 'failed-1'");
	not_proven(&well, &other, "", "its configuration is another than before");
	not_proven(&well, &unsaved, "", "what runs is not what is saved");
	not_proven(&well, &saved, "the server is not reached", "the server is not reached");
}

TEST(what_loses_the_configuration_by_its_own_word_is_not_judged_by_it)
{
	struct t t;

	begin_about(&t, &(struct about){ .version = "5.24.0", .downgrade = "loses" });
	to_proving(&t);
	t.saved.running[0] = t.saved.startup[0] = 9;
	prove(&t, "B");
	stores(&t, "keeping");
	answers(&t, DEVICE_UPGRADE_KEEP, 0, "");
	ended(&t, "done", "what became of its configuration was not judged");
}

TEST(power_lost_between_the_two_images_starts_the_new_one_once_more)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	to_proving(&t);
	for (int i = 0; i < UPGRADE_STARTS; i++) {
		prove(&t, "secondary");
		stores(&t, "keeping");
		answers(&t, DEVICE_UPGRADE_KEEP, E_PEER, "the line has ended");
		t.now.ms += 10000;
		see(&t, "5.23.0", "primary", "5.24.0");
		stores(&t, "starting");
		answers(&t, DEVICE_UPGRADE_START, 0, "");
		stores(&t, "proving");
	}
	prove(&t, "secondary");
	stores(&t, "keeping");
	answers(&t, DEVICE_UPGRADE_KEEP, E_PEER, "the line has ended");
	t.now.ms += 10000;
	see(&t, "5.23.0", "primary", "5.24.0");
	stores(&t, "returning");
	see(&t, "5.23.0", "primary", "5.24.0");
	look(&t);
	ended(&t, "returned", "the new image does not keep running");
}

TEST(behind_the_proof_there_is_no_way_back)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	to_proving(&t);
	prove(&t, "secondary");
	stores(&t, "keeping");
	answers(&t, DEVICE_UPGRADE_KEEP, E_DENIED, "no space");
	ended(&t, "failed", "it runs 5.24.0, but the other image could not be replaced: no space");
}

TEST(a_primary_image_that_does_not_start_is_written_once_more)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	to_proving(&t);
	prove(&t, "secondary");
	for (int i = 0; i < 2; i++) {
		stores(&t, "keeping");
		answers(&t, DEVICE_UPGRADE_KEEP, 0, "");
		stores(&t, "restarting");
		answers(&t, DEVICE_UPGRADE_RESTART, 0, "");
		stores(&t, "settling");
		prove(&t, "secondary");
	}
	ended(&t, "failed", "the image that it falls back to");
}

TEST(a_return_that_is_not_seen_is_a_failure)
{
	static const struct error gone = { .code = E_PEER, .text = "nobody answers" };
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	to_installing(&t);
	answers(&t, DEVICE_UPGRADE_INSTALL, E_DENIED, "no");
	stores(&t, "returning");
	for (int i = 0; t.u.phase == UPGRADE_RETURNING && i < 50; i++) {
		enum upgrade_action action = next(&t);

		if (action == UPGRADE_SEE)
			upgrade_saw(&t.u, &gone, NULL, t.now.ms);
		else if (action == UPGRADE_STEP)
			upgrade_answered(&t.u, &gone, t.now.ms);
		t.now.ms += 1000000;
	}
	ended(&t, "failed", "it was not seen to be back: nobody answers");
}

TEST(the_disk_that_refuses_the_journal_keeps_everything_from_beginning)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	CHECK_EQ(next(&t), UPGRADE_STORE);
	upgrade_stored(&t.u, false, t.now.ms);
	CHECK(!upgrade_is_open(&t.u));
	begin_about(&t, &(struct about){ 0 });
	stores(&t, "fetching");
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	upgrade_fetched(&t.u, &fine);
	CHECK_EQ(next(&t), UPGRADE_REST);
	look(&t);
	see(&t, "5.23.0", "primary", "5.23.0");
	CHECK_EQ(next(&t), UPGRADE_STORE);
	upgrade_stored(&t.u, false, t.now.ms);
	CHECK_EQ(next(&t), UPGRADE_REST);
	t.now.ms += 6000;
	stores(&t, "installing");
	upgrade_done(&t.u);
}

/* ---- the journal ---- */

/* As after a death of the agent. */
static void reborn(struct t *t)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	upgrade_write(&text, &t->u);
	upgrade_done(&t->u);
	CHECK_OK(upgrade_read(&t->u, buf_bytes(&text), t->now.ms, &err));
}

TEST(an_agent_that_dies_goes_on_with_the_step_of_its_journal)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	stores(&t, "fetching");
	reborn(&t);
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	upgrade_fetched(&t.u, &fine);
	CHECK_EQ(next(&t), UPGRADE_REST);
	reborn(&t);
	CHECK_EQ(next(&t), UPGRADE_FETCH);
	upgrade_fetched(&t.u, &fine);
	CHECK_EQ(next(&t), UPGRADE_REST);
	look(&t);
	see(&t, "5.23.0", "primary", "5.23.0");
	stores(&t, "installing");
	reborn(&t);
	CHECK_STR(t.u.slot, "primary");
	CHECK_STR(t.u.version, "5.23.0");
	CHECK_STR(statement_get(t.u.batch, "person"), "alice");
	answers(&t, DEVICE_UPGRADE_INSTALL, 0, "");
	stores(&t, "starting");
	reborn(&t);
	stores(&t, "starting"); /* that it may have begun is noted before anything else */
	see(&t, "5.24.0", "secondary", "5.23.0");
	stores(&t, "proving");
	reborn(&t);
	prove(&t, "secondary");
	stores(&t, "keeping");
	reborn(&t);
	answers(&t, DEVICE_UPGRADE_KEEP, 0, "");
	stores(&t, "restarting");
	reborn(&t);
	answers(&t, DEVICE_UPGRADE_RESTART, 0, "");
	stores(&t, "settling");
	reborn(&t);
	prove(&t, "primary");
	ended(&t, "done", "5.24.0, before it 5.23.0");
}

TEST(a_machine_that_restarts_into_the_old_one_each_time_goes_back)
{
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	to_installing(&t);
	answers(&t, DEVICE_UPGRADE_INSTALL, 0, "");
	stores(&t, "starting");
	reborn(&t);
	stores(&t, "starting");
	see(&t, "5.23.0", "primary", "5.24.0");
	CHECK_EQ(next(&t), UPGRADE_STEP);
	reborn(&t);
	stores(&t, "starting");
	see(&t, "5.23.0", "primary", "5.24.0");
	stores(&t, "returning");
	reborn(&t);
	see(&t, "5.23.0", "primary", "5.24.0");
	look(&t);
	ended(&t, "returned", "what it ran before came up");
}

TEST(a_journal_that_does_not_hold_is_an_error)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	struct upgrade other;
	struct t t;

	begin_about(&t, &(struct about){ 0 });
	to_installing(&t);
	upgrade_write(&text, &t.u);
	for (size_t i = 0; i < text.len; i += 7) {
		text.ptr[i] ^= 1;
		CHECK_EQ(upgrade_read(&other, buf_bytes(&text), 0, &err), E_FORMAT);
		CHECK_EQ(upgrade_read(&other, bytes_of(text.ptr, i), 0, &err), E_FORMAT);
		text.ptr[i] ^= 1;
	}
	upgrade_done(&t.u);
}

/* ---- the image on the disk ---- */

enum { SIZE = 9 << 20 };

static void make_image(uint8_t *out, uint8_t hash[static HASH_LEN])
{
	for (size_t i = 0; i < SIZE; i++)
		out[i] = (uint8_t)(i * 31 + i / 251);
	sha256(hash, bytes_of(out, SIZE));
}

TEST(an_image_goes_on_where_it_was_cut_and_is_another_when_the_disk_lost_some_of_it)
{
	_cleanup_(mem_freep) uint8_t *all = mem_alloc(SIZE);
	_cleanup_(mem_freep) char *path = mem_printf("%s/image", test_folder());
	struct error err = { 0 };
	struct image image;
	uint8_t want[HASH_LEN];
	int fd, rounds = 0;

	make_image(all, want);
	CHECK_OK(image_open(&image, path, SIZE, want, &err));
	CHECK_OK(image_hash(&image, &err));
	CHECK_OK(image_add(&image, 0, bytes_of(all, SIZE / 2), &err));
	CHECK_EQ(image_check(&image, &err), IMAGE_SHORT);
	image_close(&image);

	CHECK_OK(image_open(&image, path, SIZE, want, &err));
	while (image_hash(&image, &err) == IMAGE_MORE)
		rounds++;
	CHECK(rounds > 0); /* a large one is hashed in pieces */
	CHECK_EQ(image.have, SIZE / 2);
	CHECK_EQ(image_add(&image, SIZE / 2 + 1, bytes_of(all, 10), &err), E_PEER);
	CHECK_EQ(image_add(&image, SIZE / 2, bytes_of(all, SIZE / 2 + 1), &err), E_PEER);
	CHECK_OK(image_add(&image, SIZE / 2 - 100, bytes_of(all + SIZE / 2 - 100, 200), &err)); /* what is there is passed over */
	CHECK_EQ(image.have, SIZE / 2 + 100);
	CHECK_OK(image_add(&image, 0, bytes_of(all, SIZE), &err));
	CHECK_OK(image_check(&image, &err));
	image_close(&image);

	fd = image_use(path, SIZE, want, &err);
	CHECK(fd >= 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
	CHECK_EQ(image_use(path, SIZE - 1, want, &err), E_SEAL);
	fd = open(path, O_WRONLY);
	CHECK_EQ(pwrite(fd, "x", 1, SIZE / 3), 1);
	close(fd);
	CHECK_EQ(image_use(path, SIZE, want, &err), E_SEAL);
	CHECK_OK(image_open(&image, path, SIZE, want, &err));
	while (image_hash(&image, &err) == IMAGE_MORE)
		;
	CHECK_EQ(image_check(&image, &err), E_SEAL);
	CHECK_EQ(image.have, 0); /* thrown away */
	image_close(&image);
}

TEST(a_file_that_is_longer_than_the_image_is_begun_anew)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/long", test_folder());
	struct error err = { 0 };
	uint8_t want[HASH_LEN];
	struct image image;

	sha256(want, bytes_str("image"));
	CHECK_OK(fs_write(path, bytes_str("another image"), 0600, &err));
	CHECK_OK(image_open(&image, path, 5, want, &err));
	CHECK_OK(image_hash(&image, &err));
	CHECK_OK(image_add(&image, 0, bytes_str("image"), &err));
	CHECK_OK(image_check(&image, &err));
	image_close(&image);
}

/* ---- its way from net to core ---- */

TEST(a_stream_waits_for_credit_and_says_where_its_bytes_belong)
{
	_cleanup_(mem_freep) uint8_t *all = mem_alloc(SIZE);
	struct stream s = { .is_wanted = true };
	struct error err = { 0 };
	uint8_t hash[HASH_LEN];
	struct stream_part part;
	struct ipc_msg msg;
	struct ipc from, to;
	size_t taken;
	int pair[2];

	make_image(all, hash);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ipc_init(&from, pair[0]);
	ipc_init(&to, pair[1]);
	CHECK(!stream_begin(&s, 206, ""));
	CHECK(!stream_begin(&s, 206, "lines 5-9/10"));
	CHECK(stream_begin(&s, 404, "") && !s.is_open);
	CHECK(stream_begin(&s, 206, "bytes 5000000000-5000000999/6000000000") && s.is_open);
	CHECK_OK(stream_take(&taken, &s, &from, 9, bytes_of(all, SIZE), &err));
	CHECK_EQ(taken, STREAM_PART_MAX); /* one part is held, none is sent */
	CHECK(!stream_has_room(&s, 1));
	CHECK_EQ(from.out.len, 0);
	stream_more(&s, 1);
	CHECK_OK(stream_take(&taken, &s, &from, 9, bytes_of(all + STREAM_PART_MAX, 100), &err));
	CHECK_EQ(taken, 100);
	CHECK_OK(stream_flush(&s, &from, 9, &err));
	for (uint64_t at = 5000000000; at < 5000000000 + STREAM_PART_MAX + 1; at += STREAM_PART_MAX) {
		while (ipc_next(&to, &msg, &err) == IPC_NONE) {
			CHECK(ipc_flush(&from, &err) >= 0);
			CHECK_OK(ipc_fill(&to, &err));
		}
		CHECK_EQ(msg.kind, IPC_HTTP_PART);
		CHECK(stream_part_get(&part, msg.body));
		CHECK_EQ(part.at, at);
	}
	CHECK_EQ(part.bytes.len, 100);
	stream_more(&s, 1000000);
	CHECK_EQ(s.credit, STREAM_CREDIT_MAX);
	stream_done(&s);
	ipc_done(&from);
	ipc_done(&to);
}
