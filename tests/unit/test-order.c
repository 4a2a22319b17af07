/* tests/unit/test-order.c -- batches and orders: a place in a batch is proven, people are counted, times and windows hold. */
#include "tests/test.h"

#include "base/clock.h"
#include "crypto/order.h"
#include "tests/token.h"

#include <sodium.h>
#include <stdlib.h>

#define DEVICE "abcdefghijklmnopqrstuvwxyz"
#define HASH_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define AGE_A "age1s73k9tlmr5kg98lcccfpf89f9sjd45gal77ry8l5kh7xl8u2cagq4c7ukj"
#define PAYLOAD "payload: 1 400 " HASH_A "\n"

enum { ALICE, BOB, CAROL, DAVE, ARCHIVE, STRANGER, TOKEN, KEYS }; /* the token is dave's, where the root asks for one */

static struct sign_key keys[KEYS];
static struct root *root; /* alice, bob, carol deploy; dave retires; apply takes 2 people */
static int64_t now = 1800000000; /* Friday 2027-01-15 08:00:00 UTC */

static void parse(struct statement **out, const struct buf *text, bool unsigned_ok)
{
	struct error err = { 0 };
	size_t used;

	CHECK_OK(statement_parse(out, buf_bytes(text), unsigned_ok, &used, &err));
	CHECK_EQ(used, text->len);
}

static void make_root(const char *more)
{
	static const char *const people[] = { "alice", "bob", "carol", "dave" };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct statement *st = NULL;
	struct error err = { 0 };
	char pub[SIGN_PUB_TEXT_MAX];

	statement_begin(&text, STATEMENT_ROOT);
	buf_add_str(&text, "version: 1\ntime: 2026-01-01T00:00:00Z\nexpires: 2199-01-01T00:00:00Z\nname: plant\n"
			   "person: alice\nperson: bob\nperson: carol\nperson: dave\n");
	for (int i = ALICE; i <= DAVE; i++) {
		sign_pub_text(pub, &keys[i].pub);
		buf_addf(&text, "key: %s %s\n", people[i], pub);
	}
	if (strstr(more, "pin: ")) {
		struct sign_pub token = token_pub(&keys[TOKEN]);

		sign_pub_text(pub, &token);
		buf_addf(&text, "key: dave %s\n", pub);
	}
	sign_pub_text(pub, &keys[ARCHIVE].pub);
	buf_addf(&text,
		 "reading-key: alice " AGE_A "\nrole: root alice\nrole: admin alice\nrole: reader alice\nrole: deployer alice bob carol\n"
		 "role: retirer dave\nthreshold: apply 2\n%sarchive: %s\ntls-pin: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
		 "server: localhost:8443\n",
		 more, pub);
	CHECK_OK(statement_sign(&text, &keys[ALICE], &err));
	parse(&st, &text, false);
	root_free(root);
	root = NULL;
	CHECK_OK(root_new(&root, st, &err));
}

static void begin_test(void)
{
	uint8_t seed[32];

	for (uint8_t i = 0; i < KEYS && !keys[i].pair.ptr; i++) {
		memset(seed, i + 1, sizeof(seed));
		sign_key_from_seed(&keys[i], seed);
	}
	make_root("");
}

__attribute__((destructor)) static void end_tests(void)
{
	for (size_t i = 0; i < KEYS; i++)
		sign_key_done(&keys[i]);
	root_free(root);
}

/* An order for device number n, with these lines behind its nonce. */
static void order_text(struct buf *text, unsigned n, const char *kind, const char *more)
{
	char id[ID_LEN + 1] = DEVICE;

	for (size_t i = 0; i < 5; i++, n /= 26)
		id[i] = (char)('a' + n % 26);
	statement_begin(text, STATEMENT_ORDER);
	buf_addf(text, "fleet: %s\ndevice: %s\norder: 7\nkind: %s\nnonce: " HASH_A "\n%s", root_fleet(root), id, kind, more);
}

struct batch {
	struct buf *orders; /* texts */
	struct merkle_hash *leaves;
	uint32_t count;
	struct statement *st;
};

static void batch_done(struct batch *b)
{
	for (uint32_t i = 0; i < b->count; i++)
		buf_done(&b->orders[i]);
	free(b->orders);
	free(b->leaves);
	statement_free(b->st);
}

/* kind, person and what follows `tree` may be wrong on purpose. */
static void make_batch(struct batch *b, uint32_t count, const char *kind, const char *more_of_order, const char *person, int key,
		       const char *more)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct merkle tree = { 0 };
	struct merkle_hash top;
	struct error err = { 0 };

	*b = (struct batch){ .orders = mem_alloc(count * sizeof(*b->orders)),
			     .leaves = mem_alloc(count * sizeof(*b->leaves)),
			     .count = count };
	for (uint32_t i = 0; i < count; i++) {
		order_text(&b->orders[i], i, kind, more_of_order);
		b->leaves[i] = merkle_leaf(buf_bytes(&b->orders[i]));
		merkle_add(&tree, b->leaves[i]);
	}
	top = merkle_root(&tree);
	statement_begin(&text, STATEMENT_BATCH);
	buf_addf(&text, "fleet: %s\nkind: %s\nperson: %s\n", root_fleet(root), kind, person);
	statement_add_time(&text, "time", now);
	statement_add_time(&text, "not-before", now);
	statement_add_time(&text, "expires", now + 3600);
	buf_addf(&text, "root: 1\nreason: a test\ncount: %u\n", count);
	statement_add_hash(&text, "tree", top.b);
	buf_add_str(&text, more);
	CHECK_OK(statement_sign(&text, &keys[key], &err));
	parse(&b->st, &text, false);
}

static void proven(struct statement **out, const struct batch *b, uint32_t i)
{
	_cleanup_(buf_done) struct buf whole = { 0 };

	buf_add_bytes(&whole, buf_bytes(&b->orders[i]));
	order_prove(&whole, statement_hash(b->st), b->leaves, b->count, i);
	parse(out, &whole, false);
}

TEST(every_order_of_a_batch_is_proven_and_no_other)
{
	begin_test();
	for (uint32_t count = 1; count <= 33; count++) {
		_cleanup_(batch_done) struct batch b = { 0 }, other = { 0 };
		struct error err = { 0 };

		make_batch(&b, count, "save", "", "alice", ALICE, "");
		make_batch(&other, count, "save", "base: 3 " HASH_A "\n", "alice", ALICE, "");
		CHECK_OK(batch_verify(b.st, root, &err));
		for (uint32_t i = 0; i < count; i++) {
			_cleanup_(statement_freep) struct statement *order = NULL, *foreign = NULL;

			proven(&order, &b, i);
			proven(&foreign, &other, i);
			CHECK_OK(order_verify(order, b.st, &err));
			CHECK_EQ(order_verify(foreign, b.st, &err), E_SEAL);
			CHECK_EQ(order_verify(order, other.st, &err), E_SEAL);
		}
	}
}

TEST(a_proof_with_one_bit_changed_proves_nothing)
{
	_cleanup_(batch_done) struct batch b = { 0 };
	_cleanup_(statement_freep) struct statement *good = NULL;
	struct order_proof proof;
	struct error err = { 0 };

	begin_test();
	make_batch(&b, 13, "save", "", "alice", ALICE, "");
	proven(&good, &b, 5);
	for (size_t bit = 0; bit < 8 * (HASH_LEN + 8 + 4 * HASH_LEN); bit += 3) {
		_cleanup_(buf_done) struct buf whole = { 0 };
		_cleanup_(statement_freep) struct statement *bad = NULL;
		uint8_t *at;

		proof = *statement_proof(good);
		if (bit < 8 * HASH_LEN)
			at = &proof.batch[bit / 8];
		else if (bit < 8 * (HASH_LEN + 4))
			at = (uint8_t *)&proof.index + bit / 8 - HASH_LEN;
		else if (bit < 8 * (HASH_LEN + 8))
			at = (uint8_t *)&proof.count + bit / 8 - HASH_LEN - 4;
		else
			at = (uint8_t *)proof.path + bit / 8 - HASH_LEN - 8;
		*at ^= (uint8_t)(1 << bit % 8);
		buf_add_bytes(&whole, buf_bytes(&b.orders[5]));
		statement_add_proof(&whole, &proof);
		if (statement_parse(&bad, buf_bytes(&whole), false, NULL, &err) == 0)
			CHECK_EQ(order_verify(bad, b.st, &err), E_SEAL);
	}
}

TEST(a_proof_has_one_form)
{
	static const char *const spoiled[][2] = { { "PROOF-----\n", "PROOF-----\r\n" }, { "\n-----END HOLDFAST", "\n\n-----END HOLDFAST" },
						  { "-----END HOLDFAST PROOF-----\n", "-----END HOLDFAST PROOF-----" },
						  { "-----END HOLDFAST PROOF-----\n", "" } };
	_cleanup_(batch_done) struct batch b = { 0 };
	_cleanup_(statement_freep) struct statement *good = NULL, *bare = NULL;
	struct error err = { 0 };

	begin_test();
	make_batch(&b, 40, "save", "", "alice", ALICE, "");
	proven(&good, &b, 7);
	CHECK_EQ(statement_parse(&bare, buf_bytes(&b.orders[7]), false, NULL, &err), E_FORMAT);
	for (size_t i = 0; i < ARRAY_SIZE(spoiled); i++) {
		_cleanup_(mem_freep) char *whole = mem_strndup((const char *)statement_whole(good).ptr, statement_whole(good).len);
		_cleanup_(mem_freep) char *bad = NULL;
		_cleanup_(statement_freep) struct statement *st = NULL;
		char *at = strstr(whole, spoiled[i][0]);

		CHECK(at);
		bad = mem_printf("%.*s%s%s", (int)(at - whole), whole, spoiled[i][1], at + strlen(spoiled[i][0]));
		CHECK_EQ(statement_parse(&st, bytes_str(bad), false, NULL, &err), E_FORMAT);
	}
	{
		_cleanup_(buf_done) struct buf signed_too = { 0 };

		buf_add_bytes(&signed_too, buf_bytes(&b.orders[7]));
		CHECK_EQ(statement_sign(&signed_too, &keys[ALICE], &err), E_DENIED);
	}
}

TEST(a_proof_among_ten_thousand_is_under_a_kilobyte)
{
	_cleanup_(batch_done) struct batch b = { 0 };
	_cleanup_(statement_freep) struct statement *order = NULL;
	struct error err = { 0 };

	begin_test();
	make_batch(&b, 10000, "save", "", "alice", ALICE, "wave: 1\nwave: 2501\nwave: 10000\n");
	proven(&order, &b, 9999);
	CHECK_OK(order_verify(order, b.st, &err));
	CHECK(statement_whole(order).len - statement_text(order).len < 1024);
	CHECK_EQ(batch_wave_of(b.st, 0), 0);
	CHECK_EQ(batch_wave_of(b.st, 1), 1);
	CHECK_EQ(batch_wave_of(b.st, 2500), 1);
	CHECK_EQ(batch_wave_of(b.st, 2501), 2);
	CHECK_EQ(batch_wave_of(b.st, 9999), 2);
}

static int judge(const char *kind, const char *person, int key, const char *more)
{
	_cleanup_(batch_done) struct batch b = { 0 };
	struct error err = { 0 };

	make_batch(&b, 4, kind, strcmp(kind, "apply") ? "" : "mode: lines\n" PAYLOAD, person, key, more);
	return batch_verify(b.st, root, &err);
}

TEST(a_batch_is_signed_by_its_author_with_the_role)
{
	begin_test();
	CHECK_EQ(judge("save", "alice", ALICE, ""), 0);
	CHECK_EQ(judge("save", "bob", BOB, ""), 0);
	CHECK_EQ(judge("save", "alice", BOB, ""), E_DENIED);      /* in another's name */
	CHECK_EQ(judge("save", "dave", DAVE, ""), E_DENIED);      /* without the role */
	CHECK_EQ(judge("save", "erin", STRANGER, ""), E_DENIED);
	CHECK_EQ(judge("save", "alice", STRANGER, ""), E_DENIED);
	CHECK_EQ(judge("dance", "alice", ALICE, ""), E_FORMAT);
}

TEST(waves_rise_and_end_at_the_count)
{
	begin_test();
	CHECK_EQ(judge("save", "alice", ALICE, "wave: 1\nwave: 4\n"), 0);
	CHECK_EQ(judge("save", "alice", ALICE, "wave: 4\n"), 0);
	CHECK_EQ(judge("save", "alice", ALICE, "wave: 1\nwave: 3\n"), E_FORMAT);
	CHECK_EQ(judge("save", "alice", ALICE, "wave: 2\nwave: 2\nwave: 4\n"), E_FORMAT);
	CHECK_EQ(judge("save", "alice", ALICE, "wave: 3\nwave: 1\nwave: 4\n"), E_FORMAT);
	CHECK_EQ(judge("save", "alice", ALICE, "wave: 0\nwave: 4\n"), E_FORMAT);
	CHECK_EQ(judge("save", "alice", ALICE, "wave: 5\n"), E_FORMAT);
	CHECK_EQ(judge("save", "alice", ALICE, "window: sat 22:00-04:00\n"), 0);
	CHECK_EQ(judge("save", "alice", ALICE, "window: sat 25:00-04:00\n"), E_FORMAT);
}

/* ---- a token that asked for its PIN ---- */

enum { BY_FILE, BY_TOUCH, BY_PIN, BY_PIN_ALONE };

/* Signed by dave again, with the key in a file or with his token. */
static void sign_again(struct statement **st, int how)
{
	static const uint8_t flags[] = { 0, TOKEN_TOUCHED, TOKEN_TOUCHED | TOKEN_PIN, TOKEN_PIN };
	_cleanup_(buf_done) struct buf whole = { 0 };
	const char *space = statement_namespace(statement_type(*st));

	buf_add_bytes(&whole, statement_text(*st));
	if (how == BY_FILE)
		sshsig_sign(&whole, &keys[DAVE], space, statement_text(*st));
	else
		token_sign(&whole, &keys[TOKEN], flags[how], space, statement_text(*st));
	statement_free(*st);
	*st = NULL;
	parse(st, &whole, false);
}

static int judge_pin(const char *kind, int how)
{
	static const char *const more[] = { "challenge: " HASH_A "\n", "" };
	_cleanup_(batch_done) struct batch b = { 0 };
	struct error err = { 0 };

	make_batch(&b, 1, kind, more[!strcmp(kind, "shred")], "dave", DAVE, "");
	sign_again(&b.st, how);
	return batch_verify(b.st, root, &err);
}

TEST(a_batch_takes_a_token_with_a_pin_where_the_root_asks_for_one)
{
	begin_test();
	make_root("threshold: purge 1\nthreshold: factory-reset 1\npin: purge\n");
	CHECK_EQ(judge_pin("purge", BY_PIN), 0);
	CHECK_EQ(judge_pin("purge", BY_TOUCH), E_DENIED);
	CHECK_EQ(judge_pin("purge", BY_FILE), E_DENIED);
	CHECK_EQ(judge_pin("purge", BY_PIN_ALONE), E_SEAL); /* nobody touched it: no signature at all */
	CHECK_EQ(judge_pin("factory-reset", BY_TOUCH), 0); /* another kind */
	CHECK_EQ(judge_pin("factory-reset", BY_FILE), 0);
	CHECK_EQ(judge_pin("shred", BY_FILE), 0);
}

static int judge_control(const struct batch *b, const char *action, const char *reason, int how)
{
	_cleanup_(statement_freep) struct statement *control = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	statement_begin(&text, STATEMENT_CONTROL);
	statement_add(&text, "fleet", "%s", root_fleet(root));
	statement_add_hash(&text, "batch", statement_hash(b->st));
	buf_addf(&text, "action: %s\nperson: dave\ntime: 2027-01-15T08:00:00Z\nroot: 1\n%s", action, reason);
	parse(&control, &text, true);
	sign_again(&control, how);
	return control_verify(control, b->st, root, &err);
}

TEST(what_only_stops_takes_no_token)
{
	_cleanup_(batch_done) struct batch b = { 0 };
	static const char *const stopping[] = { "reject", "withdraw", "pause", "abort" }, *const going[] = { "approve", "resume" };

	begin_test();
	make_root("threshold: purge 1\npin: purge\n");
	make_batch(&b, 1, "purge", "challenge: " HASH_A "\n", "dave", DAVE, "");
	for (size_t i = 0; i < ARRAY_SIZE(stopping); i++)
		for (int how = BY_FILE; how <= BY_PIN; how++)
			CHECK_EQ(judge_control(&b, stopping[i], "", how), 0);
	for (size_t i = 0; i < ARRAY_SIZE(going); i++) {
		CHECK_EQ(judge_control(&b, going[i], "", BY_FILE), E_DENIED);
		CHECK_EQ(judge_control(&b, going[i], "", BY_TOUCH), E_DENIED);
		CHECK_EQ(judge_control(&b, going[i], "", BY_PIN), 0);
	}
}

TEST(a_witness_says_what_was_seen_and_decides_nothing)
{
	_cleanup_(batch_done) struct batch b = { 0 };
	struct consent c;

	begin_test();
	make_batch(&b, 1, "purge", "challenge: " HASH_A "\n", "dave", DAVE, "");
	CHECK_EQ(judge_control(&b, "witness", "", BY_FILE), E_FORMAT);
	CHECK_EQ(judge_control(&b, "witness", "reason: the console showed the factory login\n", BY_FILE), 0);
	consent_count(&c, b.st, NULL, 0, root);
	CHECK(c.people == 1 && c.need == 2 && !consent_is_enough(&c));
}

TEST(kinds_that_take_a_device_out_are_the_retirers)
{
	begin_test();
	CHECK_EQ(judge("shred", "dave", DAVE, ""), 0);
	CHECK_EQ(judge("shred", "alice", ALICE, ""), E_DENIED);
	CHECK_EQ(judge("purge", "alice", ALICE, ""), E_DENIED);
	CHECK_EQ(judge("factory-reset", "dave", DAVE, ""), 0);
}

/* ---- what became of an area ---- */

TEST(an_area_is_read_as_it_was_written)
{
	for (unsigned i = 0; i < AREA_CLAIMS * AREA_SEENS * AREA_RESULTS; i++) {
		_cleanup_(buf_done) struct buf text = { 0 }, again = { 0 };
		struct area area = { .name = "ubi0.flash_1", .method = "boot-menu-2", .claimed = i % AREA_CLAIMS,
				     .seen = i / AREA_CLAIMS % AREA_SEENS, .result = i / AREA_CLAIMS / AREA_SEENS }, back;

		area_text(&text, &area);
		CHECK(area_parse(&back, buf_text(&text)));
		CHECK_STR(back.name, area.name);
		CHECK_STR(back.method, area.method);
		CHECK(back.claimed == area.claimed && back.seen == area.seen && back.result == area.result);
		area_text(&again, &back);
		CHECK_STR(buf_text(&again), buf_text(&text));
	}
}

TEST(an_area_has_one_form)
{
	static const char good[] = "flash method=menu claimed=purge seen=accepted result=done";
	static const char *const bad[] = {
		"",
		"flash",
		" flash method=menu claimed=purge seen=accepted result=done",
		"method=menu claimed=purge seen=accepted result=done",
		"flash claimed=purge seen=accepted result=done",
		"flash method=menu claimed=purge seen=accepted",
		"flash method=menu seen=accepted claimed=purge result=done",
		"flash method=menu claimed=purge seen=accepted result=done ",
		"flash method=menu claimed=purge seen=accepted result=done more=1",
		"flash method=menu  claimed=purge seen=accepted result=done",
		"flash method= claimed=purge seen=accepted result=done",
		"flash method=a=b claimed=purge seen=accepted result=done",
		"flash method=menu claimed=destroy seen=accepted result=done",
		"flash method=menu claimed=purge seen=seen result=done",
		"flash method=menu claimed=purge seen=accepted result=Done",
		"flash method=menu claimed=purge seen=accepted result=",
		"flash method=menu claimed=purges seen=accepted result=done",
		"flash method=menu claimed=purge seen=accepted result=done\n",
		"fl<b>ash method=menu claimed=purge seen=accepted result=done",
		"Flash method=menu claimed=purge seen=accepted result=done",
		"-flash method=menu claimed=purge seen=accepted result=done",
		".flash method=menu claimed=purge seen=accepted result=done",
		"flash method=me_nu claimed=purge seen=accepted result=done",
		"flash method=me.nu claimed=purge seen=accepted result=done",
		"flash\tmethod=menu claimed=purge seen=accepted result=done",
	};
	_cleanup_(buf_done) struct buf text = { 0 };
	struct area area;

	CHECK(area_parse(&area, good));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (area_parse(&area, bad[i]))
			fail_msg("'%s' is taken", bad[i]);
	for (int longer = 0; longer < 2; longer++) { /* a name has 63 characters at most */
		buf_truncate(&text, 0);
		for (int i = 0; i < 63 + longer; i++)
			buf_add_char(&text, 'a');
		buf_add_str(&text, good + strlen("flash"));
		CHECK_EQ(area_parse(&area, buf_text(&text)), !longer);
	}
}

static int judge_order(const char *kind, const char *more)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct error err = { 0 };

	order_text(&text, 0, kind, more);
	parse(&st, &text, true);
	return order_check(st, &err);
}

TEST(an_order_has_what_its_kind_takes_and_nothing_else)
{
	begin_test();
	CHECK_EQ(judge_order("save", ""), 0);
	CHECK_EQ(judge_order("save", "base: 3 " HASH_A "\n"), 0);
	CHECK_EQ(judge_order("save", "mode: whole\n"), E_FORMAT);
	CHECK_EQ(judge_order("save", PAYLOAD), E_FORMAT);
	CHECK_EQ(judge_order("apply", "mode: whole\n" PAYLOAD), 0);
	CHECK_EQ(judge_order("apply", "mode: whole\nconfirm: 60\nsettle: 0\nprobe: ping 10.0.0.1\nprobe: tcp host:22\nprobe: show ip route "
				      "=~ 0\\.0\n" PAYLOAD),
		 0);
	CHECK_EQ(judge_order("apply", "mode: half\n" PAYLOAD), E_FORMAT);
	CHECK_EQ(judge_order("apply", PAYLOAD), E_FORMAT);
	CHECK_EQ(judge_order("apply", "mode: lines\n"), E_FORMAT);
	CHECK_EQ(judge_order("apply", "mode: lines\nconfirm: 9\n" PAYLOAD), E_FORMAT);
	CHECK_EQ(judge_order("apply", "mode: lines\nconfirm: 3601\n" PAYLOAD), E_FORMAT);
	CHECK_EQ(judge_order("apply", "mode: lines\nprobe: ping -f;reboot\n" PAYLOAD), E_FORMAT);
	CHECK_EQ(judge_order("apply", "mode: lines\nprobe: curl host\n" PAYLOAD), E_FORMAT);
	CHECK_EQ(judge_order("apply", "mode: lines\nprobe: show x\n" PAYLOAD), E_FORMAT);
	CHECK_EQ(judge_order("apply", "mode: lines\nmember: " DEVICE "\n" PAYLOAD), E_FORMAT); /* not among them */
	CHECK_EQ(judge_order("apply", "mode: lines\nmember: aaaaafghijklmnopqrstuvwxyz\nmember: " DEVICE "\n" PAYLOAD), 0);
	CHECK_EQ(judge_order("apply", "mode: lines\nmember: aaaaafghijklmnopqrstuvwxyz\nmember: aaaaafghijklmnopqrstuvwxyz\n" PAYLOAD),
		 E_FORMAT);
	CHECK_EQ(judge_order("hold", ""), E_FORMAT);
	CHECK_EQ(judge_order("hold", "until: 2027-01-16T00:00:00Z\n"), 0);
	CHECK_EQ(judge_order("explode", ""), E_FORMAT);
}

TEST(a_kind_of_another_than_the_batch_is_refused)
{
	_cleanup_(batch_done) struct batch b = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 }, whole = { 0 };
	_cleanup_(statement_freep) struct statement *order = NULL, *st = NULL;
	struct merkle_hash leaf;
	struct error err = { 0 };

	begin_test();
	order_text(&text, 0, "release", "");
	leaf = merkle_leaf(buf_bytes(&text));
	make_batch(&b, 1, "save", "", "alice", ALICE, "");
	statement_begin(&whole, STATEMENT_BATCH);
	buf_addf(&whole, "fleet: %s\nkind: save\nperson: alice\ntime: 2027-01-15T08:00:00Z\nnot-before: 2027-01-15T08:00:00Z\n"
			 "expires: 2027-01-15T09:00:00Z\nroot: 1\nreason: x\ncount: 1\n", root_fleet(root));
	statement_add_hash(&whole, "tree", leaf.b);
	CHECK_OK(statement_sign(&whole, &keys[ALICE], &err));
	parse(&st, &whole, false);
	order_prove(&text, statement_hash(st), &leaf, 1, 0);
	parse(&order, &text, false);
	CHECK_OK(batch_verify(st, root, &err));
	CHECK_EQ(order_verify(order, st, &err), E_DENIED);
}

TEST(windows_hold_in_utc_and_over_midnight)
{
	static const struct {
		const char *window, *time;
		bool holds;
	} cases[] = {
		{ "daily 01:00-05:00", "2027-01-15T00:59:59Z", false }, { "daily 01:00-05:00", "2027-01-15T01:00:00Z", true },
		{ "daily 01:00-05:00", "2027-01-15T04:59:59Z", true },  { "daily 01:00-05:00", "2027-01-15T05:00:00Z", false },
		{ "sat,sun 22:00-04:00", "2027-01-15T23:00:00Z", false }, /* Friday */
		{ "sat,sun 22:00-04:00", "2027-01-16T03:00:00Z", false }, /* the night from Friday */
		{ "sat,sun 22:00-04:00", "2027-01-16T22:00:00Z", true },  { "sat,sun 22:00-04:00", "2027-01-17T03:59:00Z", true },
		{ "sat,sun 22:00-04:00", "2027-01-18T03:59:00Z", true }, /* the night from Sunday */
		{ "sat,sun 22:00-04:00", "2027-01-18T22:30:00Z", false },
	};
	static const char *const bad[] = { "daily",
					   "daily 1:00-5:00",
					   "daily 01:00-01:00",
					   "daily 01:00 - 05:00",
					   "sat, 01:00-02:00",
					   "sat,sat 01:00-02:00",
					   "never 01:00-02:00",
					   " 01:00-02:00",
					   "daily 01:60-02:00",
					   "daily 24:00-02:00",
					   "daily 01:00-02:00 ",
					   "" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t t;

		CHECK(clock_parse(&t, bytes_str(cases[i].time)));
		CHECK_EQ(window_holds(cases[i].window, t), cases[i].holds);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(!window_parse_ok(bad[i]));
}

TEST(a_batch_runs_between_its_times)
{
	_cleanup_(batch_done) struct batch b = { 0 };

	begin_test();
	make_batch(&b, 1, "save", "", "alice", ALICE, "window: daily 08:00-08:30\n");
	CHECK_EQ(batch_time(b.st, now - 1), BATCH_NOT_YET);
	CHECK_EQ(batch_time(b.st, now), BATCH_IN_TIME);
	CHECK_EQ(batch_time(b.st, now + 1799), BATCH_IN_TIME);
	CHECK_EQ(batch_time(b.st, now + 1800), BATCH_OUT_OF_WINDOW);
	CHECK_EQ(batch_time(b.st, now + 3600), BATCH_EXPIRED);
}

/* "alice approve bob reject ...": each is signed and verified, then all are counted. */
static struct consent count_of(const struct batch *b, const char *said)
{
	static const char *const people[] = { "alice", "bob", "carol", "dave" };
	_cleanup_(mem_freep) char *copy = mem_strdup(said);
	struct statement *controls[16];
	struct consent consent;
	struct error err = { 0 };
	char *save, *who, *action;
	size_t n = 0;

	for (who = strtok_r(copy, " ", &save); who; who = strtok_r(NULL, " ", &save)) {
		_cleanup_(buf_done) struct buf text = { 0 };
		int key = 0;

		while (strcmp(people[key], who) != 0)
			key++;
		action = strtok_r(NULL, " ", &save);
		statement_begin(&text, STATEMENT_CONTROL);
		statement_add(&text, "fleet", "%s", root_fleet(root));
		statement_add_hash(&text, "batch", statement_hash(b->st));
		statement_add(&text, "action", "%s", action);
		statement_add(&text, "person", "%s", who);
		statement_add_time(&text, "time", now);
		statement_add(&text, "root", "1");
		CHECK_OK(statement_sign(&text, &keys[key], &err));
		parse(&controls[n], &text, false);
		if (control_verify(controls[n], b->st, root, &err) < 0) {
			CHECK_EQ(err.code, E_DENIED);
			CHECK_STR(who, "dave");
			statement_free(controls[n]);
			continue;
		}
		n++;
	}
	consent_count(&consent, b->st, (const struct statement *const *)controls, n, root);
	while (n)
		statement_free(controls[--n]);
	return consent;
}

static unsigned people(const struct batch *b, const char *said)
{
	struct consent c = count_of(b, said);

	CHECK_EQ(c.need, 2);
	return c.people;
}

TEST(people_are_counted_and_the_newest_word_of_each)
{
	_cleanup_(batch_done) struct batch b = { 0 };

	begin_test();
	make_batch(&b, 1, "apply", "mode: lines\n" PAYLOAD, "alice", ALICE, "");
	CHECK_EQ(people(&b, ""), 1); /* the author */
	CHECK_EQ(people(&b, "alice approve"), 1);
	CHECK_EQ(people(&b, "bob approve"), 2);
	CHECK_EQ(people(&b, "bob approve bob approve"), 2);
	CHECK_EQ(people(&b, "bob approve bob withdraw"), 1);
	CHECK_EQ(people(&b, "bob approve carol approve"), 3);
	CHECK_EQ(people(&b, "dave approve"), 1); /* without the role */
	CHECK(consent_is_enough(&(struct consent){ .people = 2, .need = 2 }));
	CHECK(!consent_is_enough(&(struct consent){ .people = 3, .need = 2, .is_rejected = true }));
	CHECK(count_of(&b, "bob approve carol reject").is_rejected);
	CHECK(!count_of(&b, "bob approve carol reject carol withdraw").is_rejected);
	CHECK(!count_of(&b, "carol reject carol approve").is_rejected);
	CHECK(count_of(&b, "alice reject").is_rejected); /* one's own, too */

	make_root("separate: apply\n");
	{
		_cleanup_(batch_done) struct batch own = { 0 };

		make_batch(&own, 1, "apply", "mode: lines\n" PAYLOAD, "alice", ALICE, "");
		CHECK_EQ(people(&own, "alice approve bob approve"), 1);
		CHECK_EQ(people(&own, "carol approve bob approve"), 2);
	}
}

TEST(pause_resume_and_abort)
{
	_cleanup_(batch_done) struct batch b = { 0 };

	begin_test();
	make_batch(&b, 1, "save", "", "alice", ALICE, "");
	CHECK(!count_of(&b, "").is_paused);
	CHECK(count_of(&b, "bob pause").is_paused);
	CHECK(!count_of(&b, "bob pause alice resume").is_paused);
	CHECK(count_of(&b, "bob pause alice resume carol pause bob approve").is_paused);
	CHECK(count_of(&b, "bob abort alice resume").is_aborted);
	CHECK_EQ(count_of(&b, "bob pause").people, 1);
}

TEST(a_control_about_another_batch_or_in_anothers_name_is_refused)
{
	_cleanup_(batch_done) struct batch b = { 0 }, other = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(statement_freep) struct statement *control = NULL;
	struct error err = { 0 };

	begin_test();
	make_batch(&b, 1, "save", "", "alice", ALICE, "");
	make_batch(&other, 1, "save", "", "bob", BOB, "");
	statement_begin(&text, STATEMENT_CONTROL);
	statement_add(&text, "fleet", "%s", root_fleet(root));
	statement_add_hash(&text, "batch", statement_hash(b.st));
	buf_add_str(&text, "action: approve\nperson: alice\ntime: 2027-01-15T08:00:00Z\nroot: 1\n");
	CHECK_OK(statement_sign(&text, &keys[BOB], &err));
	parse(&control, &text, false);
	CHECK_EQ(control_verify(control, b.st, root, &err), E_DENIED);
	CHECK_EQ(control_verify(control, other.st, root, &err), E_DENIED);
}
