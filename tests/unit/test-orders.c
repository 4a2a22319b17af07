/* tests/unit/test-orders.c -- an order is obeyed only when every check holds, and the first that fails is named with what to do. */
#include "tests/test.h"
#include "tests/unit/judging.h"

#include "agent/device.h"
#include "agent/probe.h"
#include "crypto/seal.h"

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
