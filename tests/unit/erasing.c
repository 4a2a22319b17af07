/* tests/unit/erasing.c -- an order that erases, by hand. */
#include "tests/unit/erasing.h"

#include "tests/fleet.h"
#include "tests/test.h"

#define HASH_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct sign_key keys[KEYS];
struct root *root;
struct orders_item item;
struct orders_seen seen;
const struct error fine, broken = { .code = E_PEER, .text = "the console does not answer" };

static void make_root(void)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(age_identity_done) struct age_identity reader = { 0 };
	struct error err = { 0 };
	char pub[KEYS][SIGN_PUB_TEXT_MAX], to[AGE_RECIPIENT_LEN + 1];

	age_identity_new(&reader);
	age_recipient_text(to, &reader.pub);
	for (size_t i = 0; i < KEYS; i++) {
		sign_key_new(&keys[i]);
		sign_pub_text(pub[i], &keys[i].pub);
	}
	statement_begin(&text, STATEMENT_ROOT);
	buf_addf(&text,
		 "version: 1\ntime: 2026-01-01T00:00:00Z\nexpires: 2199-01-01T00:00:00Z\nname: plant\nperson: alice\nperson: bob\nperson: "
		 "carol\n"
		 "key: alice %s\nkey: bob %s\nkey: carol %s\nreading-key: alice %s\nrole: root alice\nrole: reader alice\nrole: retirer "
		 "alice bob carol\nthreshold: purge 2\narchive: %s\n"
		 "tls-pin: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nserver: localhost:8443\n",
		 pub[ALICE], pub[BOB], pub[CAROL], to, pub[ARCHIVE]);
	CHECK_OK(statement_sign(&text, &keys[ALICE], &err));
	CHECK_OK(root_new(&root, fleet_parsed(&text), &err));
}

struct statement *control(const char *person, const char *action, int key, int64_t time_s)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	statement_begin(&text, STATEMENT_CONTROL);
	statement_add(&text, "fleet", "%s", root_fleet(root));
	statement_add_hash(&text, "batch", statement_hash(item.batch->st));
	statement_add(&text, "action", "%s", action);
	statement_add(&text, "person", "%s", person);
	statement_add_time(&text, "time", time_s);
	statement_add(&text, "root", "1");
	CHECK_OK(statement_sign(&text, &keys[key], &err));
	return fleet_parsed(&text);
}

static void make_item(void)
{
	_cleanup_(buf_done) struct buf order = { 0 }, batch = { 0 };
	struct merkle_hash leaf, top;
	struct merkle tree = { 0 };
	struct error err = { 0 };
	struct bytes rest;

	statement_begin(&order, STATEMENT_ORDER);
	buf_addf(&order, "fleet: %s\ndevice: abcdefghijklmnopqrstuvwxyz\norder: %d\nkind: purge\n", root_fleet(root), NUMBER);
	buf_addf(&order, "nonce: " HASH_A "\nchallenge: " HASH_A "\n");
	leaf = merkle_leaf(buf_bytes(&order));
	merkle_add(&tree, leaf);
	top = merkle_root(&tree);
	statement_begin(&batch, STATEMENT_BATCH);
	buf_addf(&batch, "fleet: %s\nkind: purge\nperson: alice\n", root_fleet(root));
	statement_add_time(&batch, "time", NOW);
	statement_add_time(&batch, "not-before", NOW);
	statement_add_time(&batch, "expires", NOW + 86400);
	buf_addf(&batch, "root: 1\nreason: sold\ncount: 1\n");
	statement_add_hash(&batch, "tree", top.b);
	CHECK_OK(statement_sign(&batch, &keys[ALICE], &err));
	item.batch = orders_batch_new(fleet_parsed(&batch));
	order_prove(&order, statement_hash(item.batch->st), &leaf, 1, 0);
	rest = buf_bytes(&order);
	orders_item_read(&item, &rest, item.batch);
	CHECK(!item.broken);
	CHECK(orders_batch_control(item.batch, control("bob", "approve", BOB, NOW)));
}

void begin_tests(void)
{
	struct error err = { 0 };

	CHECK_OK(crypto_start(&err));
	seen = (struct orders_seen){ .last = NUMBER - 1 };
	if (root)
		return;
	make_root();
	make_item();
}

__attribute__((destructor)) static void end_tests(void)
{
	if (item.batch)
		item.batch->users = 1;
	orders_item_done(&item);
	root_free(root);
	for (size_t i = 0; i < KEYS; i++)
		sign_key_done(&keys[i]);
}

struct erase_now at(uint64_t ms)
{
	return (struct erase_now){ .ms = ms, .delay_s = DELAY_S, .acked = 5, .newest = 5 };
}

enum erase_action next(struct erase *e, struct erase_now now)
{
	return erase_next(e, &now);
}

const char *objection(struct erase *e)
{
	static char why[ORDERS_NOTE_MAX];

	return orders_is_agreed(why, e->batch, root) ? NULL : why;
}

static struct orders_batch *brought(struct statement *control)
{
	struct orders_batch *batch = orders_batch_new(NULL);
	struct error err = { 0 };
	size_t used;

	CHECK_OK(statement_parse(&batch->st, statement_whole(item.batch->st), false, &used, &err));
	if (control)
		CHECK(orders_batch_control(batch, control));
	return batch;
}

bool hears(struct erase *e, struct statement *control)
{
	struct orders_batch *batch = brought(control);
	bool is_new = erase_control(e, batch, root);

	orders_batch_drop(batch);
	if (is_new)
		erase_judged(e, objection(e));
	return is_new;
}

void arm(struct erase *e)
{
	begin_tests();
	erase_begin(e, &item, root, 0);
	CHECK_EQ(next(e, at(0)), ERASE_STORE);
	erase_stored(e, true, 0);
	CHECK_EQ(next(e, at(0)), ERASE_SAY_ARMED);
	erase_said(e, true, 0);
	CHECK_EQ(next(e, at(0)), ERASE_REST);
}

void record(struct erase *e)
{
	CHECK_EQ(next(e, at(DELAY_MS)), ERASE_REST);
	CHECK_EQ(e->phase, ERASE_RECORDING);
	erase_looked(e, true);
	CHECK_EQ(next(e, at(DELAY_MS)), ERASE_POLL);
	CHECK_EQ(next(e, at(DELAY_MS)), ERASE_REST);
	erase_heard(e);
	CHECK_EQ(next(e, at(DELAY_MS)), ERASE_JUDGE);
}

void start_erasing(struct erase *e)
{
	arm(e);
	record(e);
	erase_judged(e, objection(e));
	CHECK_EQ(next(e, at(DELAY_MS)), ERASE_STORE);
	erase_stored(e, true, DELAY_MS);
	CHECK_EQ(next(e, at(DELAY_MS)), ERASE_ERASE);
}

struct apply_erased areas(enum area_result first, enum area_result second)
{
	struct apply_erased answer = { .erased = { .area_count = 2 } };

	answer.erased.areas[0] = (struct area){ "config", "reset", AREA_CLEAR, AREA_READ_BACK, first };
	answer.erased.areas[1] = (struct area){ "flash", "erase", AREA_PURGE, AREA_AFTER_REBOOT, second };
	return answer;
}

void refused(struct erase *e, enum orders_check check, const char *words)
{
	if (e->is_dirty) {
		CHECK_EQ(next(e, at(DELAY_MS)), ERASE_STORE);
		erase_stored(e, true, DELAY_MS);
	}
	CHECK_EQ(next(e, at(DELAY_MS)), ERASE_SAY_LAST);
	CHECK_STR(erase_outcome(e), "refused");
	CHECK_EQ(e->check, check);
	if (!strstr(e->note, words))
		fail_msg("'%s' is not in '%s'", words, e->note);
	erase_said_last(e, 6, DELAY_MS);
	CHECK(!erase_is_open(e));
}
