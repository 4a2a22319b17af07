/* tests/unit/upgrading.c -- an order that gives other firmware, by hand. */
#include "tests/unit/upgrading.h"

#include "tests/fleet.h"
#include "tests/test.h"

#include <stdio.h>

#define HASH_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct sign_key keys[KEYS];
struct root *root;
const struct error fine;

void begin_tests(void)
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
	CHECK_OK(root_new(&root, fleet_parsed(&text), &err));
}

__attribute__((destructor)) static void end_tests(void)
{
	root_free(root);
}

void firmware_text(struct buf *out, const struct about *a)
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

static struct orders_item make_item(void)
{
	struct orders_item item = { .number = NUMBER };
	_cleanup_(buf_done) struct buf order = { 0 }, batch = { 0 };
	struct error err = { 0 };

	statement_begin(&order, STATEMENT_ORDER);
	buf_addf(&order, "fleet: %s\ndevice: abcdefghijklmnopqrstuvwxyz\norder: %d\nkind: upgrade\nnonce: " HASH_A "\n",
		 root_fleet(root), NUMBER);
	CHECK_OK(statement_parse(&item.st, buf_bytes(&order), true, NULL, &err));
	statement_begin(&batch, STATEMENT_BATCH);
	buf_addf(&batch, "fleet: %s\nkind: upgrade\nperson: alice\ntime: 2026-01-01T00:00:00Z\nnot-before: 2026-01-01T00:00:00Z\n"
			 "expires: 2026-01-02T00:00:00Z\nroot: 1\nreason: CVE\ncount: 1\ntree: " HASH_A "\n", root_fleet(root));
	CHECK_OK(statement_sign(&batch, &keys[ALICE], &err));
	item.batch = orders_batch_new(fleet_parsed(&batch));
	return item;
}

void begin_about(struct upgrading *t, const struct about *a)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct orders_item item;

	begin_tests();
	*t = (struct upgrading){ .now = { .ms = 1000, .acked = 3, .newest = 3 }, .saved = { { 1 }, { 1 } } };
	item = make_item();
	firmware_text(&text, a);
	upgrade_begin(&t->u, &item, fleet_parsed(&text));
	orders_item_done(&item);
	orders_batch_drop(item.batch);
}

enum upgrade_action next(struct upgrading *t)
{
	return upgrade_next(&t->u, &t->now);
}

void stores(struct upgrading *t, const char *phase)
{
	CHECK_EQ(next(t), UPGRADE_STORE);
	CHECK_STR(upgrade_phase_name(t->u.phase), phase);
	upgrade_stored(&t->u, true, t->now.ms);
}

void see(struct upgrading *t, const char *version, const char *slot, const char *other)
{
	struct device_images seen = { .is_fallback = !strcmp(slot, "secondary") };

	snprintf(seen.version, sizeof(seen.version), "%s", version);
	snprintf(seen.slot, sizeof(seen.slot), "%s", slot);
	snprintf(seen.other, sizeof(seen.other), "%s", other);
	CHECK_EQ(next(t), UPGRADE_SEE);
	upgrade_saw(&t->u, &fine, &seen, t->now.ms);
}

void answers(struct upgrading *t, enum device_upgrade step, int code, const char *why)
{
	struct error result = { .code = code };

	snprintf(result.text, sizeof(result.text), "%s", why);
	CHECK_EQ(next(t), UPGRADE_STEP);
	CHECK_EQ(upgrade_step(&t->u), step);
	upgrade_answered(&t->u, &result, t->now.ms);
}

void look(struct upgrading *t)
{
	upgrade_looked(&t->u, &t->saved, true);
}

void to_fetched(struct upgrading *t)
{
	stores(t, "fetching");
	CHECK_EQ(next(t), UPGRADE_FETCH);
	upgrade_fetched(&t->u, &fine);
	CHECK_EQ(next(t), UPGRADE_REST);
}

void to_installing(struct upgrading *t)
{
	to_fetched(t);
	look(t);
	see(t, "5.23.0", "primary", "5.23.0");
	stores(t, "installing");
}

void to_proving(struct upgrading *t)
{
	to_installing(t);
	answers(t, DEVICE_UPGRADE_INSTALL, 0, "");
	stores(t, "starting");
	answers(t, DEVICE_UPGRADE_START, 0, "");
	stores(t, "proving");
}

void prove(struct upgrading *t, const char *slot)
{
	for (int i = 0; i <= SETTLE_MS / 1000; i++) {
		see(t, "5.24.0", slot, "5.24.0");
		look(t);
		CHECK_EQ(next(t), UPGRADE_PROVE);
		upgrade_proved(&t->u, t->now.ms, t->now.ms + 1, "");
		t->now.ms += 1001;
	}
}

void ended(struct upgrading *t, const char *outcome, const char *words)
{
	CHECK_EQ(next(t), UPGRADE_END);
	CHECK_STR(t->u.end.outcome, outcome);
	if (!strstr(t->u.end.note, words))
		fail_msg("no '%s' in '%s'", words, t->u.end.note);
	CHECK_EQ(t->u.end.is_held, !strcmp(outcome, "failed"));
	upgrade_close(&t->u);
	CHECK(!upgrade_is_open(&t->u));
}
