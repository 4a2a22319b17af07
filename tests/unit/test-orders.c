/* tests/unit/test-orders.c -- an order is obeyed only when every check holds, and the first that fails is named with what to do. */
#include "tests/fleet.h"
#include "tests/test.h"

#include "agent/device.h"
#include "agent/floor.h"
#include "agent/orders.h"
#include "agent/probe.h"
#include "base/clock.h"
#include "base/fs.h"
#include "crypto/seal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define HASH_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER "zyxwvutsrqponmlkjihgfedcba"

enum { ALICE, BOB, CAROL, DAVE, ARCHIVE, STRANGER, KEYS };
enum { NOW = 1800000000, TEN_YEARS = 3650 * 86400, ORDERS = 5, AT = 2 };

static struct sign_key keys[KEYS];
static struct root *root; /* alice and bob deploy, carol audits; dave is not in it */
static struct age_identity box, reader;
static char device[ID_LEN + 1];
static struct orders_seen seen;
static struct orders_view view;
static struct orders_device place;
static uint8_t running_hash[HASH_LEN] = { 1 }, newest_hash[HASH_LEN] = { 2 };

static void make_root(const char *more)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct statement *st = NULL;
	struct error err = { 0 };
	char pub[KEYS][SIGN_PUB_TEXT_MAX], to[AGE_RECIPIENT_LEN + 1];

	for (size_t i = 0; i < KEYS; i++)
		sign_pub_text(pub[i], &keys[i].pub);
	age_recipient_text(to, &reader.pub);
	statement_begin(&text, STATEMENT_ROOT);
	buf_addf(&text,
		 "version: 1\ntime: 2026-01-01T00:00:00Z\nexpires: 2199-01-01T00:00:00Z\nname: plant\nperson: alice\nperson: bob\nperson: "
		 "carol\n"
		 "key: alice %s\nkey: bob %s\nkey: carol %s\nreading-key: alice %s\nrole: root alice\nrole: admin alice\nrole: reader "
		 "alice\n"
		 "role: deployer alice bob\nrole: auditor carol\n%sarchive: %s\ntls-pin: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
		 "server: localhost:8443\n",
		 pub[ALICE], pub[BOB], pub[CAROL], to, more, pub[ARCHIVE]);
	CHECK_OK(statement_sign(&text, &keys[ALICE], &err));
	CHECK_OK(statement_parse(&st, buf_bytes(&text), false, NULL, &err));
	root_free(root);
	root = NULL;
	CHECK_OK(root_new(&root, st, &err));
}

static void begin_test(const char *more_of_root)
{
	struct error err = { 0 };

	CHECK_OK(crypto_start(&err));
	if (!keys[0].pair.ptr) {
		for (size_t i = 0; i < KEYS; i++)
			sign_key_new(&keys[i]);
		age_identity_new(&box);
		age_identity_new(&reader);
		sign_pub_id(device, &keys[STRANGER].pub);
	}
	make_root(more_of_root);
	seen = (struct orders_seen){ .last = 6 };
	view = (struct orders_view){
		device, root_fleet(root), root, &seen, NOW, NOW, DEVICE_APPLY | DEVICE_SAVE | DEVICE_REVERT | DEVICE_STARTUP
	};
	place = (struct orders_device){
		.has_startup = true, .running_since = 40, .newest = 42, .running_hash = running_hash, .newest_hash = newest_hash
	};
}

__attribute__((destructor)) static void end_tests(void)
{
	for (size_t i = 0; i < KEYS; i++)
		sign_key_done(&keys[i]);
	age_identity_done(&box);
	age_identity_done(&reader);
	root_free(root);
}

/* What an operator plans; zero means: as it should be. */
struct plan {
	const char *kind, *fleet, *device, *person, *batch_kind, *more; /* more: lines behind the order's nonce */
	uint64_t number, root;
	int64_t begins, expires;
	const char *window, *payload_text;
	const struct age_identity *to;
	int key;
	bool no_batch, no_proof, no_payload;
	const char *const *approvals; /* "bob", "bob reject", ...; ends with NULL */
	const int *approval_keys;
	void (*twist)(struct buf *list); /* what a server does to the order and its payload */
};

static const char *or_else(const char *value, const char *normal)
{
	return value ? value : normal;
}

static void seal_payload(struct buf *out, const struct plan *p)
{
	struct age_recipient to[2] = { p->to ? p->to->pub : box.pub, reader.pub };
	struct error err = { 0 };

	CHECK_OK(seal_secret(out, to, 2, bytes_str(or_else(p->payload_text, "ip route 10.0.0.0/8 Null0\n")), &err));
}

static void order_text(struct buf *text, const struct plan *p, const struct buf *payload, unsigned i)
{
	const char *kind = or_else(p->kind, "apply");

	statement_begin(text, STATEMENT_ORDER);
	buf_addf(text, "fleet: %s\ndevice: %s\norder: %llu\nkind: %s\nnonce: %064x\n", or_else(p->fleet, root_fleet(root)),
		 i == AT ? or_else(p->device, device) : OTHER, (unsigned long long)(p->number ? p->number : 7), kind, i);
	buf_add_str(text, or_else(p->more, strcmp(kind, "apply") ? "" : "mode: lines\n"));
	if (payload->len)
		statement_add_seal(text, "payload", 1, buf_bytes(payload));
}

static void batch_text(struct buf *text, const struct plan *p, const struct merkle *tree)
{
	struct merkle_hash top = merkle_root(tree);
	struct error err = { 0 };

	statement_begin(text, STATEMENT_BATCH);
	buf_addf(text, "fleet: %s\nkind: %s\nperson: %s\n", or_else(p->fleet, root_fleet(root)),
		 or_else(p->batch_kind, or_else(p->kind, "apply")), or_else(p->person, "alice"));
	statement_add_time(text, "time", NOW - 60);
	statement_add_time(text, "not-before", p->begins ? p->begins : NOW - 60);
	statement_add_time(text, "expires", p->expires ? p->expires : NOW + 3600);
	buf_addf(text, "root: %llu\nreason: a test\ncount: %d\n", (unsigned long long)(p->root ? p->root : 1), ORDERS);
	statement_add_hash(text, "tree", top.b);
	if (p->window)
		buf_addf(text, "window: %s\n", p->window);
	CHECK_OK(statement_sign(text, &keys[p->key], &err));
}

static void add_control(struct orders_batch *batch, const char *words, int key)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *space = strchr(words, ' ');
	struct error err = { 0 };

	statement_begin(&text, STATEMENT_CONTROL);
	statement_add(&text, "fleet", "%s", root_fleet(root));
	statement_add_hash(&text, "batch", statement_hash(batch->st));
	statement_add(&text, "action", "%s", space ? space + 1 : "approve");
	statement_add(&text, "person", "%.*s", (int)(space ? (size_t)(space - words) : strlen(words)), words);
	statement_add_time(&text, "time", NOW);
	statement_add(&text, "root", "1");
	CHECK_OK(statement_sign(&text, &keys[key], &err));
	CHECK(orders_batch_control(batch, fleet_parsed(&text)));
}

/* The order with this plan, as a device would get it. */
static void bring(struct orders_item *item, const struct plan *p)
{
	_cleanup_(buf_done) struct buf payload = { 0 }, batch = { 0 }, list = { 0 };
	struct buf texts[ORDERS] = { 0 };
	struct merkle_hash leaves[ORDERS];
	struct merkle tree = { 0 };
	struct orders_batch *shared;
	struct bytes rest;

	if (!strcmp(or_else(p->kind, "apply"), "apply") || !strcmp(p->kind, "upgrade"))
		seal_payload(&payload, p);
	for (unsigned i = 0; i < ORDERS; i++) {
		order_text(&texts[i], p, &payload, i);
		leaves[i] = merkle_leaf(buf_bytes(&texts[i]));
		merkle_add(&tree, leaves[i]);
	}
	batch_text(&batch, p, &tree);
	shared = orders_batch_new(fleet_parsed(&batch));
	for (size_t i = 0; p->approvals && p->approvals[i]; i++)
		add_control(shared, p->approvals[i], p->approval_keys[i]);
	buf_add_bytes(&list, buf_bytes(&texts[AT]));
	if (!p->no_proof)
		order_prove(&list, statement_hash(shared->st), leaves, ORDERS, AT);
	if (!p->no_payload)
		buf_add_bytes(&list, buf_bytes(&payload));
	if (p->twist)
		p->twist(&list);
	rest = buf_bytes(&list);
	CHECK(orders_is_order(rest));
	orders_item_read(item, &rest, p->no_batch ? NULL : shared);
	CHECK_EQ(rest.len, 0);
	orders_batch_drop(shared);
	for (unsigned i = 0; i < ORDERS; i++)
		buf_done(&texts[i]);
}

/* All checks up to the payload's. */
static void judge_item(struct orders_judgement *out, const struct orders_item *item, struct buf *text)
{
	orders_judge(out, item, &view);
	if (out->verdict == ORDERS_OBEY)
		orders_judge_device(out, item, &place);
	if (out->verdict == ORDERS_OBEY)
		orders_open(out, text, item, &box);
}

static struct orders_judgement judge(const struct plan *p)
{
	_cleanup_(orders_item_done) struct orders_item item = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct orders_judgement j;

	bring(&item, p);
	judge_item(&j, &item, &text);
	if (j.verdict == ORDERS_OBEY && statement_get(item.st, "payload"))
		CHECK_BYTES(buf_bytes(&text), or_else(p->payload_text, "ip route 10.0.0.0/8 Null0\n"));
	return j;
}

static void obeyed(const struct plan *p)
{
	struct orders_judgement j = judge(p);

	if (j.verdict != ORDERS_OBEY)
		fail_msg("not obeyed: %s: %s", orders_check_name(j.check), j.note);
	CHECK(j.is_genuine);
}

/* Refused by this check, with these words, and a word on what to do behind them. */
static void refused(enum orders_check check, const char *words, const struct plan *p)
{
	struct orders_judgement j = judge(p);

	CHECK_EQ(j.verdict, ORDERS_REFUSE);
	CHECK_STR(orders_check_name(j.check), orders_check_name(check));
	if (!strstr(j.note, words))
		fail_msg("'%s' is not in '%s'", words, j.note);
	CHECK(strchr(j.note, ';') && strlen(strrchr(j.note, ';')) > 10);
	CHECK_EQ(j.is_genuine, check > CHECK_NUMBER);
}

static void waited(enum orders_check check, const struct plan *p)
{
	struct orders_judgement j = judge(p);

	CHECK_EQ(j.verdict, ORDERS_WAIT);
	CHECK_EQ(j.check, check);
}

#define PLAN(...) (&(struct plan){ __VA_ARGS__ })

TEST(an_order_that_is_right_is_obeyed)
{
	static const char *const kinds[] = { "apply", "save", "revert", "snapshot", "release" };

	begin_test("");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		obeyed(PLAN(.kind = kinds[i]));
	obeyed(PLAN(.kind = "hold", .more = "until: 2027-01-16T00:00:00Z\n"));
	obeyed(PLAN(.more = "mode: whole\nconfirm: 60\nsettle: 5\nprobe: ping 10.0.0.1\nprobe: tcp h:22\nprobe: show ip route =~ ^S\n"));
	obeyed(PLAN(.number = 1006));
}

/* ---- from whom it comes ---- */

static void long_text(struct buf *list)
{
	_cleanup_(buf_done) struct buf old = { 0 };
	size_t at = (size_t)((uint8_t *)memmem(list->ptr, list->len, "mode: lines\n", 12) - list->ptr);

	buf_add_bytes(&old, buf_bytes(list));
	buf_truncate(list, at);
	for (int i = 0; i < 700; i++)
		buf_addf(list, "probe: show %090d =~ x\n", i);
	buf_add_bytes(list, bytes_from(buf_bytes(&old), at));
}

static void unknown_key(struct buf *list)
{
	memcpy(memmem(list->ptr, list->len, "mode: ", 6), "mood: ", 6);
}

TEST(what_cannot_be_read_is_refused_with_the_number_that_it_claims)
{
	_cleanup_(orders_item_done) struct orders_item item = { 0 };

	begin_test("");
	refused(CHECK_SIZE, "is over 65536", PLAN(.twist = long_text));
	refused(CHECK_GRAMMAR, "mood", PLAN(.twist = unknown_key));
	refused(CHECK_GRAMMAR, "unknown mode 'half'", PLAN(.more = "mode: half\n"));
	refused(CHECK_GRAMMAR, "names no address", PLAN(.more = "mode: lines\nprobe: ping some.host\n"));
	refused(CHECK_GRAMMAR, "does not compile", PLAN(.more = "mode: lines\nprobe: show version =~ (\n"));
	bring(&item, PLAN(.twist = unknown_key, .number = 9));
	CHECK_EQ(item.number, 9);
}

TEST(what_is_no_order_of_a_batch_is_refused)
{
	_cleanup_(orders_item_done) struct orders_item item = { 0 };
	struct orders_judgement j;
	struct statement *st;

	begin_test("");
	bring(&item, PLAN(.number = 7));
	st = item.st;
	item.st = item.batch->st; /* a batch where an order belongs */
	orders_judge(&j, &item, &view);
	CHECK_EQ(j.check, CHECK_TYPE);
	item.st = st;
}

TEST(another_fleet_or_device_is_refused)
{
	begin_test("");
	refused(CHECK_FLEET, "another fleet", PLAN(.fleet = OTHER));
	refused(CHECK_DEVICE, "another device", PLAN(.device = OTHER));
}

TEST(a_newer_root_is_waited_for_whoever_signed)
{
	begin_test("");
	waited(CHECK_ROOT, PLAN(.root = 2));
	waited(CHECK_ROOT, PLAN(.root = 2, .key = STRANGER));
}

TEST(only_somebody_with_the_role_orders)
{
	begin_test("");
	refused(CHECK_SIGNER, "no batch came with it", PLAN(.no_batch = true));
	refused(CHECK_SIGNER, "signed by a stranger", PLAN(.key = STRANGER));
	refused(CHECK_SIGNER, "signed by a stranger", PLAN(.person = "dave", .key = DAVE)); /* dismissed: root 1 does not name him */
	refused(CHECK_SIGNER, "says it is by 'bob', and is signed by 'alice'", PLAN(.person = "bob"));
	refused(CHECK_SIGNER, "does not have the role 'deployer'", PLAN(.person = "carol", .key = CAROL));
	refused(CHECK_GRAMMAR, "expires before it begins", PLAN(.begins = NOW, .expires = NOW - 1));
}

static void swap_batch(struct buf *list)
{
	uint8_t *proof = memmem(list->ptr, list->len, "PROOF-----\n", 11);

	proof[12] = proof[12] == 'A' ? 'B' : 'A'; /* in the hash of the batch */
}

static void another_leaf(struct buf *list)
{
	uint8_t *nonce = memmem(list->ptr, list->len, "nonce: ", 7);

	nonce[7] = '9';
}

/* 21 hashes where at most 20 can be. */
static void long_proof(struct buf *list)
{
	_cleanup_(buf_done) struct buf raw = { 0 }, text = { 0 }, behind = { 0 };
	static const char head[] = "-----BEGIN HOLDFAST PROOF-----\n", tail[] = "-----END HOLDFAST PROOF-----\n";
	uint8_t *at = memmem(list->ptr, list->len, head, sizeof(head) - 1), *end = memmem(list->ptr, list->len, tail, sizeof(tail) - 1);

	buf_add_bytes(&behind, bytes_from(buf_bytes(list), (size_t)(end - list->ptr)));
	buf_extend(&raw, 40 + 21 * HASH_LEN);
	base64_encode(&text, buf_bytes(&raw));
	buf_truncate(list, (size_t)(at - list->ptr) + sizeof(head) - 1);
	for (size_t i = 0; i < text.len; i += 70) {
		buf_add(list, text.ptr + i, text.len - i < 70 ? text.len - i : 70);
		buf_add_char(list, '\n');
	}
	buf_add_bytes(list, buf_bytes(&behind));
}

static void endless_proof(struct buf *list)
{
	uint8_t *end = memmem(list->ptr, list->len, "-----END HOLDFAST PROOF", 23);

	memcpy(end, "-----AND", 8);
}

TEST(a_leaf_is_proven_to_be_of_this_batch)
{
	begin_test("");
	refused(CHECK_PROOF, "no proof", PLAN(.kind = "save", .no_proof = true));
	refused(CHECK_PROOF, "no leaf of the batch", PLAN(.twist = swap_batch));
	refused(CHECK_PROOF, "no leaf of the batch", PLAN(.twist = another_leaf));
	refused(CHECK_PROOF, "proof", PLAN(.twist = long_proof));
	refused(CHECK_PROOF, "proof", PLAN(.kind = "save", .twist = endless_proof));
	refused(CHECK_KIND, "of kind 'apply', its batch of 'save'", PLAN(.batch_kind = "save"));
}

TEST(people_are_counted_by_the_root_of_the_device)
{
	static const char *const bob[] = { "bob", NULL }, *const alice_again[] = { "alice", NULL }, *const carol[] = { "carol", NULL },
				 *const dave[] = { "dave", NULL }, *const no[] = { "bob", "bob reject", NULL },
				 *const back[] = { "bob", "bob withdraw", NULL }, *const twice[] = { "bob", "bob", NULL },
				 *const end[] = { "bob", "alice abort", NULL };
	static const int key_bob[] = { BOB, BOB }, key_alice[] = { ALICE }, key_carol[] = { CAROL }, key_dave[] = { DAVE },
			 both[] = { BOB, ALICE };

	begin_test("threshold: apply 2\n");
	refused(CHECK_THRESHOLD, "1 of 2 people", PLAN(.number = 7));
	obeyed(PLAN(.approvals = bob, .approval_keys = key_bob));
	refused(CHECK_THRESHOLD, "1 of 2 people", PLAN(.approvals = alice_again, .approval_keys = key_alice));
	refused(CHECK_THRESHOLD, "1 of 2 people", PLAN(.approvals = carol, .approval_keys = key_carol)); /* without the role */
	refused(CHECK_THRESHOLD, "1 of 2 people", PLAN(.approvals = dave, .approval_keys = key_dave));   /* dismissed */
	refused(CHECK_THRESHOLD, "1 of 2 people", PLAN(.approvals = bob, .approval_keys = key_alice));   /* not signed by whom it names */
	refused(CHECK_THRESHOLD, "1 of 2 people", PLAN(.approvals = back, .approval_keys = key_bob));
	refused(CHECK_THRESHOLD, "'bob' rejects it", PLAN(.approvals = no, .approval_keys = key_bob));
	refused(CHECK_THRESHOLD, "aborted", PLAN(.approvals = end, .approval_keys = both));
	obeyed(PLAN(.kind = "save")); /* takes one */
	begin_test("threshold: apply 2\nseparate: apply\n");
	refused(CHECK_THRESHOLD, "1 of 2 people",
		PLAN(.approvals = twice, .approval_keys = key_bob)); /* the author is not counted, bob once */
}

/* What was agreed to by alice and bob, and what was brought of it since. */
static bool is_stopped(const char *const *brought, const int *keys_of)
{
	_cleanup_(orders_item_done) struct orders_item item = { 0 };
	char why[ORDERS_NOTE_MAX];

	bring(&item, &(struct plan){ .approvals = brought, .approval_keys = keys_of });
	return orders_is_stopped(why, item.batch, root);
}

TEST(only_who_may_order_stops_what_was_agreed_to)
{
	static const char *const nothing[] = { NULL }, *const agreed[] = { "bob", NULL }, *const end[] = { "bob", "alice abort", NULL },
				 *const no[] = { "bob reject", NULL }, *const back[] = { "bob withdraw", NULL },
				 *const rest[] = { "bob", "bob pause", NULL }, *const carol[] = { "bob", "carol abort", NULL },
				 *const dave[] = { "bob", "dave abort", NULL };
	static const int by_bob[] = { BOB, BOB }, both[] = { BOB, ALICE }, with_carol[] = { BOB, CAROL }, with_dave[] = { BOB, DAVE };

	begin_test("threshold: apply 2\n");
	CHECK(is_stopped(end, both));
	CHECK(is_stopped(no, by_bob));
	CHECK(is_stopped(back, by_bob));
	CHECK(!is_stopped(agreed, by_bob));
	CHECK(!is_stopped(nothing, by_bob)); /* a server that brings less than there is stops nothing */
	CHECK(!is_stopped(rest, by_bob));
	CHECK(!is_stopped(carol, with_carol)); /* without the role */
	CHECK(!is_stopped(dave, with_dave));   /* dismissed */
	CHECK(!is_stopped(end, by_bob));       /* not signed by whom it names */
	begin_test("");
	CHECK(!is_stopped(back, by_bob)); /* enough are left */
}

/* ---- when ---- */

TEST(a_number_rises_by_at_most_a_thousand_and_is_used_once)
{
	_cleanup_(orders_item_done) struct orders_item first = { 0 };
	struct orders_judgement j;

	begin_test("");
	refused(CHECK_NUMBER, "order 6 is not above 6", PLAN(.number = 6));
	refused(CHECK_NUMBER, "order 1 is not above 6", PLAN(.number = 1));
	refused(CHECK_NUMBER, "more than 1000 above 6", PLAN(.number = 1007));
	bring(&first, PLAN(.number = 7));
	orders_judge(&j, &first, &view);
	CHECK_EQ(j.verdict, ORDERS_OBEY);
	orders_note_taken(&seen, 7, first.leaf);
	orders_judge(&j, &first, &view);
	CHECK_EQ(j.verdict, ORDERS_KNOWN); /* replayed: its receipt exists */
	refused(CHECK_NUMBER, "order 7 is not above 7",
		PLAN(.number = 7, .more = "mode: lines\nconfirm: 61\n")); /* another with its number */
}

TEST(what_was_refused_is_known_and_forgeries_push_no_genuine_one_out)
{
	uint8_t leaf[HASH_LEN] = { 0 };

	begin_test("");
	orders_note_taken(&seen, 7, leaf);
	for (unsigned i = 1; i <= 1000; i++) {
		memcpy(leaf, &i, sizeof(i));
		orders_note_forged(&seen, 500, leaf);
		CHECK(orders_knows(&seen, leaf));
	}
	memset(leaf, 0, sizeof(leaf));
	CHECK(orders_knows(&seen, leaf));
	CHECK_EQ(seen.last, 7);
}

TEST(what_is_remembered_comes_back_from_bytes)
{
	_cleanup_(buf_done) struct buf bytes = { 0 };
	struct orders_seen back;
	struct reader rd;

	for (unsigned n = 0; n < 200; n += 7) {
		seen = (struct orders_seen){ .closed = n, .said = n + 1 };
		for (unsigned i = 0; i < n; i++) {
			uint8_t leaf[HASH_LEN];

			randombytes_buf(leaf, sizeof(leaf));
			orders_note_taken(&seen, i, leaf);
			orders_note_forged(&seen, i, leaf);
		}
		buf_truncate(&bytes, 0);
		orders_seen_write(&bytes, &seen);
		rd = reader_over(buf_bytes(&bytes));
		orders_seen_read(&back, &rd);
		CHECK(reader_done(&rd));
		assert_memory_equal(&back, &seen, sizeof(seen));
	}
}

TEST(an_order_is_obeyed_only_in_its_time)
{
	begin_test("");
	refused(CHECK_EXPIRED, "it expired at", PLAN(.begins = NOW - 100, .expires = NOW));
	refused(CHECK_NOT_YET, "it begins at", PLAN(.begins = NOW + 1000));
	waited(CHECK_NOT_YET, PLAN(.begins = NOW + 200)); /* clocks differ a little */
	waited(CHECK_WINDOW, PLAN(.window = "daily 20:00-21:00")); /* NOW is 08:00 */
	obeyed(PLAN(.window = "fri 07:00-09:00"));
	refused(CHECK_EXPIRED, "it expired", PLAN(.window = "daily 20:00-21:00", .begins = NOW - 100, .expires = NOW));
}

TEST(an_expired_root_is_good_for_no_order)
{
	int64_t expires;

	begin_test("");
	CHECK(clock_parse(&expires, bytes_str("2199-01-01T00:00:00Z")));
	view.floor_s = expires - 1;
	obeyed(PLAN(.expires = expires + 1000));
	view.clock_s = expires + TEN_YEARS; /* a clock does not expire it */
	obeyed(PLAN(.expires = expires + 1000));
	view.floor_s = expires;
	refused(CHECK_ROOT_EXPIRED, "root 1 expired at 2199-01-01T00:00:00Z", PLAN(.expires = expires + 1000));
	refused(CHECK_ROOT_EXPIRED, "put the next root in force", PLAN(.kind = "revert", .expires = expires + 1000));
	refused(CHECK_SIGNER, "stranger", PLAN(.key = STRANGER));
}

TEST(a_clock_moved_by_ten_years_neither_expires_nor_revives)
{
	begin_test("");
	view.clock_s = NOW + TEN_YEARS;
	obeyed(PLAN(.number = 7));
	waited(CHECK_NOT_YET, PLAN(.begins = NOW + 1000)); /* not before what is signed says so */
	view.clock_s = NOW - TEN_YEARS;
	obeyed(PLAN(.number = 7));
	waited(CHECK_NOT_YET, PLAN(.begins = NOW + 1000));
	refused(CHECK_EXPIRED, "it expired", PLAN(.begins = NOW - 100, .expires = NOW - 1));
}

TEST(the_floor_only_rises_and_outlives_a_restart)
{
	const char *dir = test_folder();
	_cleanup_(mem_freep) char *path = mem_printf("%s/floor", dir);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct floor f = { 0 }, again;
	struct error err = { 0 };

	CHECK_EQ(floor_now(&f), 0);
	CHECK_OK(floor_keep(&f, dir, &err)); /* nothing to keep */
	CHECK_EQ(fs_read(&text, path, 100, &err), FS_ABSENT);
	floor_raise(&f, NOW);
	floor_raise(&f, NOW - TEN_YEARS);
	CHECK(floor_now(&f) >= NOW && floor_now(&f) < NOW + 60);
	CHECK_OK(floor_keep(&f, dir, &err));
	floor_load(&again, dir);
	CHECK(floor_now(&again) >= NOW && floor_now(&again) < NOW + 60);
	/* this machine has run for an hour since: that counts; another start of it does not tell */
	again.at_ms -= 3600000;
	CHECK(floor_now(&again) >= NOW + 3600);
	CHECK_OK(floor_keep(&again, dir, &err));
	floor_load(&f, dir);
	CHECK(floor_now(&f) >= NOW + 3600);
	CHECK_OK(fs_write(path, bytes_str("time: 2027-01-15T08:00:00Z\nboot: another 5\n"), 0600, &err));
	floor_load(&f, dir);
	CHECK_EQ(floor_now(&f), NOW);
	CHECK_OK(fs_write(path, bytes_str("time: yesterday\n"), 0600, &err));
	floor_load(&f, dir);
	CHECK_EQ(floor_now(&f), 0);
}

/* ---- the device ---- */

TEST(what_the_driver_cannot_do_is_refused)
{
	begin_test("");
	refused(CHECK_CAPABILITY, "cannot carry out 'reboot'", PLAN(.kind = "reboot"));
	view.capabilities = DEVICE_STARTUP | DEVICE_SAVE;
	refused(CHECK_CAPABILITY, "cannot carry out 'apply'", PLAN(.number = 7));
	refused(CHECK_CAPABILITY, "cannot carry out 'revert'", PLAN(.kind = "revert"));
	obeyed(PLAN(.kind = "save"));
}

static void as_device(const struct settings_device *dev)
{
	view.driver = device_driver(dev->driver);
	view.dev = dev;
	view.capabilities = device_capabilities(view.driver, dev);
}

TEST(a_device_that_lacks_what_its_kind_can_do_says_what_would_let_it)
{
	char weos[] = "weos", gateway[] = "files", address[] = "192.0.2.1:22";
	struct settings_weos way = { .ssh = address };
	struct settings_files files = { 0 };
	struct settings_device sw = { .driver = weos, .weos = &way }, gw = { .driver = gateway, .files = &files };

	begin_test("");
	as_device(&sw);
	refused(CHECK_CAPABILITY, "reach it by its console ('serial', 'tcp' or 'rfc2217'), and set 'serve'; or do it at the device",
		PLAN(.kind = "upgrade"));
	way = (struct settings_weos){ .serial = address };
	as_device(&sw);
	refused(CHECK_CAPABILITY, "set 'serve'", PLAN(.kind = "upgrade", .number = 8));
	refused(CHECK_CAPABILITY, "the driver of this device cannot carry out 'reboot'", PLAN(.kind = "reboot", .number = 9));
	as_device(&gw);
	refused(CHECK_CAPABILITY, "set 'upgrade'", PLAN(.kind = "upgrade", .number = 10));
}

#define NAMES "challenge: " HASH_A "\n"

TEST(what_erases_names_the_challenge_that_the_device_said_last_and_no_hold_stops_it)
{
	static const uint8_t other[HASH_LEN] = { 1 };
	static const char *const approvals[] = { "bob", NULL };
	static const int by[] = { BOB };
	uint8_t said[HASH_LEN];

	begin_test("role: retirer alice bob\n");
	CHECK(hex_decode(said, sizeof(said), bytes_str(HASH_A)));
	view.capabilities |= DEVICE_PURGE;
	refused(CHECK_CHALLENGE, "none that is still in force",
		PLAN(.kind = "purge", .more = NAMES, .approvals = approvals, .approval_keys = by));
	view.challenge = other;
	refused(CHECK_CHALLENGE, "another one than the device said last",
		PLAN(.kind = "purge", .more = NAMES, .approvals = approvals, .approval_keys = by));
	view.challenge = said;
	place.is_held = place.is_unsaved = true;
	place.has_startup = false;
	obeyed(PLAN(.kind = "purge", .more = NAMES, .approvals = approvals, .approval_keys = by));
	refused(CHECK_CAPABILITY, "cannot carry out 'factory-reset'",
		PLAN(.kind = "factory-reset", .more = NAMES, .approvals = approvals, .approval_keys = by));
	refused(CHECK_THRESHOLD, "1 of 2 people", PLAN(.kind = "purge", .more = NAMES));
	refused(CHECK_SIGNER, "does not have the role 'retirer'", PLAN(.kind = "purge", .more = NAMES, .person = "carol", .key = CAROL));
}

TEST(nothing_is_overwritten)
{
	begin_test("");
	place.is_busy = true;
	refused(CHECK_BUSY, "another change", PLAN(.number = 7));
	place.is_busy = false;
	place.is_held = true;
	snprintf(place.held_by, sizeof(place.held_by), "anna");
	refused(CHECK_HELD, "held by anna", PLAN(.kind = "save"));
	obeyed(PLAN(.kind = "release"));
	place.is_held = false;
	place.is_unsaved = true;
	refused(CHECK_UNSAVED, "running differs from startup", PLAN(.number = 7));
	obeyed(PLAN(.kind = "save"));
	obeyed(PLAN(.kind = "revert"));
	place.has_startup = false;
	refused(CHECK_UNSAVED, "no startup configuration", PLAN(.kind = "revert"));
	obeyed(PLAN(.kind = "save"));
}

TEST(the_base_must_still_be_what_runs)
{
	static const char since[] = "base: 40 0100000000000000000000000000000000000000000000000000000000000000\n",
			  newest[] = "base: 42 0200000000000000000000000000000000000000000000000000000000000000\n",
			  other[] = "base: 40 " HASH_A "\n", between[] = "base: 41 " HASH_A "\n", older[] = "base: 39 " HASH_A "\n",
			  later[] = "base: 43 " HASH_A "\n", forked[] = "base: 42 " HASH_A "\n";

	begin_test("");
	obeyed(PLAN(.kind = "save", .more = since));
	obeyed(PLAN(.kind = "save", .more = newest));
	obeyed(PLAN(.kind = "save", .more = between));
	refused(CHECK_BASE, "planned for snapshot 39, and running changed since (snapshot 40)", PLAN(.kind = "save", .more = older));
	refused(CHECK_BASE, "planned for snapshot 43", PLAN(.kind = "revert", .more = later));
	refused(CHECK_BASE, "planned for snapshot 40", PLAN(.kind = "save", .more = other));
	refused(CHECK_BASE, "planned for snapshot 42", PLAN(.kind = "save", .more = forked));
}

/* ---- the payload ---- */

static void swap_payload(struct buf *list)
{
	list->ptr[list->len - 1] ^= 1;
}

static void short_payload(struct buf *list)
{
	buf_truncate(list, list->len - 1);
}

TEST(the_payload_is_the_one_that_was_signed_and_opens)
{
	begin_test("");
	refused(CHECK_PAYLOAD, "not the one that was signed", PLAN(.twist = swap_payload));
	refused(CHECK_PAYLOAD, "not the one that was signed", PLAN(.twist = short_payload));
	refused(CHECK_PAYLOAD, "did not come with it", PLAN(.no_payload = true));
	refused(CHECK_OPEN, "does not open", PLAN(.to = &reader));
}

/* ---- what a list may do to an order ---- */

TEST(an_order_leaves_what_is_behind_it_to_the_next_reader)
{
	static const char behind[] = "holdfast-statement/1 checkpoint\nfleet: x\n";
	_cleanup_(buf_done) struct buf list = { 0 };

	for (int i = 0; i < 4; i++) {
		_cleanup_(orders_item_done) struct orders_item item = { 0 };
		struct bytes rest;

		buf_truncate(&list, 0);
		buf_add_str(&list, "holdfast-statement/1 order\nnonsense\n");
		if (i > 0)
			buf_add_str(&list, "-----BEGIN HOLDFAST PROOF-----\nAAAA\n");
		if (i > 1)
			buf_add_str(&list, "-----END HOLDFAST PROOF-----\n");
		if (i > 2)
			buf_add_str(&list, "age-encryption.org/v1\n-> X25519 something\nand more\n");
		buf_add_str(&list, behind);
		rest = buf_bytes(&list);
		orders_item_read(&item, &rest, NULL);
		CHECK_EQ(item.broken, CHECK_GRAMMAR);
		CHECK_BYTES(rest, behind);
	}
}

TEST(an_order_cut_anywhere_is_never_obeyed)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	_cleanup_(orders_item_done) struct orders_item item = { 0 };

	begin_test("");
	bring(&item, PLAN(.number = 7));
	buf_add_bytes(&whole, statement_whole(item.st));
	buf_add_bytes(&whole, buf_bytes(&item.payload));
	for (size_t len = 27; len < whole.len; len++) {
		_cleanup_(orders_item_done) struct orders_item part = { 0 };
		_cleanup_(buf_done) struct buf text = { 0 };
		struct bytes rest = bytes_of(whole.ptr, len);
		struct orders_judgement j;

		orders_item_read(&part, &rest, item.batch);
		judge_item(&j, &part, &text);
		CHECK_EQ(j.verdict, ORDERS_REFUSE);
	}
}

TEST(every_check_has_a_name_of_its_own)
{
	for (int i = 1; i < CHECKS; i++) {
		CHECK(*orders_check_name((enum orders_check)i));
		for (int k = 0; k < i; k++)
			CHECK(strcmp(orders_check_name((enum orders_check)i), orders_check_name((enum orders_check)k)) != 0);
	}
}

TEST(a_pattern_matches_bounded)
{
	static const char slow[] = "show x =~ (a+)+$";
	char said[64];
	struct error err = { 0 };
	struct probe probe;
	bool matches;

	memset(said, 'a', sizeof(said));
	said[sizeof(said) - 1] = 'b';
	CHECK_OK(probe_parse(&probe, slow, &err));
	CHECK_EQ(probe_matches(&probe, bytes_of(said, sizeof(said)), &matches, &err), E_LIMIT);
	CHECK_OK(probe_parse(&probe, "show ip ospf neighbor =~ ^10\\.0\\.0\\.2 .*Full", &err));
	CHECK_STR(probe.target, "ip ospf neighbor");
	CHECK_OK(probe_matches(&probe, bytes_str("Neighbor\n10.0.0.2  1 Full/DR\n"), &matches, &err));
	CHECK(matches);
	CHECK_OK(probe_matches(&probe, (struct bytes){ 0 }, &matches, &err));
	CHECK(!matches);
	CHECK_EQ(probe_parse(&probe, "tcp host", &err), E_FORMAT);
	CHECK_EQ(probe_parse(&probe, "tcp host:0", &err), E_FORMAT);
	CHECK_EQ(probe_parse(&probe, "ping 10.0.0.300", &err), E_FORMAT);
	CHECK_OK(probe_parse(&probe, "ping 2001:db8::1", &err));
}
