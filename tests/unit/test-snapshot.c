/* tests/unit/test-snapshot.c -- a device's chain: what each snapshot brings and what it names again, opened by the readers' keys alone. */
#include "tests/test.h"

#include "agent/device.h"
#include "agent/snapshot.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { START_S = 1800000000, DAY_S = 86400, SEALS_MAX = 4 };

/* A device, the people who read it, and what the archive has of it. */
struct world {
	struct sign_key operator, server, device;
	struct age_identity alice, bob; /* readers */
	struct root *root;
	char id[ID_LEN + 1];
	struct chain chain;
	int64_t now_s;
	struct age_identity body, secrets; /* of the epoch, as alice opened them */
	struct buf seals[SEALS_MAX];       /* the newest of each name */
	struct statement *newest;
	struct device_facts facts;
};

static const char *const seal_names[SEALS_MAX] = { "base", "delta", "startup", "secrets" };

static struct bytes first_line(struct bytes text)
{
	struct bytes line = { 0 };

	CHECK(bytes_next_line(&text, &line));
	return line;
}

/* The next root, signed by alice; is_bob: he reads, too. Without has_reader nobody with the role has a key to read with. */
static struct root *make_root(const struct world *w, const struct root *before, bool has_reader, bool is_bob)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char key[SIGN_PUB_TEXT_MAX], recipient[AGE_RECIPIENT_LEN + 1];
	struct statement *st;
	struct root *root;
	struct error err = { 0 };
	size_t used;

	sign_pub_text(key, &w->operator.pub);
	statement_begin(&text, STATEMENT_ROOT);
	if (before)
		statement_add(&text, "fleet", "%s", root_fleet(before));
	statement_add(&text, "version", "%llu", before ? (unsigned long long)root_version(before) + 1 : 1ULL);
	if (before)
		statement_add_hash(&text, "prev", statement_hash(root_statement(before)));
	statement_add_time(&text, "time", START_S);
	statement_add_time(&text, "expires", START_S + 365 * DAY_S);
	statement_add(&text, "name", "plant-a");
	statement_add(&text, "person", "alice");
	statement_add(&text, "person", "bob");
	statement_add(&text, "key", "alice %s", key);
	age_recipient_text(recipient, &w->alice.pub);
	if (has_reader)
		statement_add(&text, "reading-key", "alice %s", recipient);
	age_recipient_text(recipient, &w->bob.pub);
	if (is_bob || !has_reader)
		statement_add(&text, "reading-key", "bob %s", recipient);
	statement_add(&text, "role", "root alice");
	statement_add(&text, "role", "admin alice");
	statement_add(&text, "role", "reader alice%s", is_bob ? " bob" : "");
	sign_pub_text(key, &w->server.pub);
	statement_add(&text, "archive", "%s", key);
	statement_add(&text, "tls-pin", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	statement_add(&text, "server", "localhost:8443");
	CHECK_OK(statement_sign(&text, &w->operator, &err));
	CHECK_OK(statement_parse(&st, buf_bytes(&text), false, &used, &err));
	CHECK_OK(root_new(&root, st, &err));
	return root;
}

static void world_init(struct world *w)
{
	struct error err = { 0 };

	*w = (struct world){ .now_s = START_S, .facts = { .model = "FRRouting", .firmware = "8.4.4" } };
	CHECK_OK(crypto_start(&err));
	sign_key_new(&w->operator);
	sign_key_new(&w->server);
	sign_key_new(&w->device);
	age_identity_new(&w->alice);
	age_identity_new(&w->bob);
	sign_pub_id(w->id, &w->device.pub);
	w->root = make_root(w, NULL, true, false);
	w->chain.number = 1; /* the enrolment */
	w->chain.time_s = START_S;
	memset(w->chain.hash, 7, HASH_LEN);
}

static void world_done(struct world *w)
{
	sign_key_done(&w->operator);
	sign_key_done(&w->server);
	sign_key_done(&w->device);
	age_identity_done(&w->alice);
	age_identity_done(&w->bob);
	age_identity_done(&w->body);
	age_identity_done(&w->secrets);
	root_free(w->root);
	chain_done(&w->chain);
	statement_free(w->newest);
	for (size_t i = 0; i < SEALS_MAX; i++)
		buf_done(&w->seals[i]);
}

static struct snapshot_by by(const struct world *w)
{
	return (struct snapshot_by){ &w->device, w->id, w->root, NULL, w->now_s };
}

/* ---- the archive's side ---- */

static void open_epoch_key(struct age_identity *out, const struct world *w, struct bytes sealed)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	age_identity_done(out);
	CHECK_OK(seal_open_secret(&text, &w->alice, sealed, &err));
	CHECK_OK(age_identity_parse(out, first_line(buf_bytes(&text)), &err));
}

/* Takes the newest container in, as the archive would: each number once, each named after the one before. */
static void archive(struct world *w, uint64_t number, const uint8_t prev[static HASH_LEN])
{
	uint8_t named[HASH_LEN];
	struct container c;
	struct error err = { 0 };
	size_t used;

	CHECK_OK(container_parse(&c, buf_bytes(&w->chain.newest), CONTAINER_ATTACHED, &used, &err));
	CHECK_EQ(used, w->chain.newest.len);
	CHECK_OK(statement_verify_by(c.st, &w->device.pub, &err));
	CHECK_EQ(statement_number(c.st, "number"), number);
	CHECK(statement_get_hash(named, c.st, "prev"));
	assert_memory_equal(named, prev, HASH_LEN);
	assert_memory_equal(statement_hash(c.st), w->chain.hash, HASH_LEN);
	if (statement_type(c.st) == STATEMENT_EPOCH) {
		open_epoch_key(&w->body, w, container_seal(&c, "body-key"));
		open_epoch_key(&w->secrets, w, container_seal(&c, "secrets-key"));
	}
	for (size_t i = 0; i < SEALS_MAX; i++) {
		struct bytes seal = container_seal(&c, seal_names[i]);

		if (!seal.ptr)
			continue;
		buf_done(&w->seals[i]);
		buf_add_bytes(&w->seals[i], seal);
	}
	statement_free(w->newest);
	w->newest = steal(c.st);
	container_done(&c);
}

static void make_epoch(struct world *w)
{
	uint64_t number = w->chain.number + 1;
	uint8_t prev[HASH_LEN];
	struct snapshot_by signer = by(w);
	struct error err = { 0 };

	memcpy(prev, w->chain.hash, HASH_LEN);
	CHECK_OK(epoch_make(&w->chain, &signer, &err));
	archive(w, number, prev);
}

static struct snapshot_input input_of(const struct world *w, const char *running, const char *startup)
{
	return (struct snapshot_input){
		.reason = "change",
		.driver = &driver_frr,
		.running = bytes_str(running),
		.startup = bytes_str(startup ? startup : ""),
		.has_startup = startup != NULL,
		.saved = startup && !strcmp(running, startup) ? SAVED_YES : SAVED_NO,
		.mode = "commit",
		.note = "",
		.facts = &w->facts,
	};
}

static void take(struct world *w, const char *running, const char *startup)
{
	struct snapshot_input in = input_of(w, running, startup);
	uint64_t number = w->chain.number + 1;
	uint8_t prev[HASH_LEN];
	struct snapshot_by signer = by(w);
	struct error err = { 0 };

	memcpy(prev, w->chain.hash, HASH_LEN);
	CHECK_OK(snapshot_make(&w->chain, &in, &signer, &err));
	archive(w, number, prev);
}

static bool lists(const struct world *w, const char *name)
{
	struct seal_ref ref;

	return statement_seal(&ref, w->newest, name);
}

/* Which statement brought the seal that the newest one names; 0: it names none. */
static uint64_t brought_by(const struct world *w, const char *name)
{
	struct seal_ref ref;

	return statement_seal(&ref, w->newest, name) ? ref.number : 0;
}

static struct bytes seal_of(const struct world *w, const char *name)
{
	size_t i = 0;
	struct seal_ref ref;
	uint8_t hash[HASH_LEN];

	while (strcmp(seal_names[i], name) != 0)
		i++;
	CHECK(statement_seal(&ref, w->newest, name));
	sha256(hash, buf_bytes(&w->seals[i]));
	assert_memory_equal(hash, ref.hash, HASH_LEN); /* what it names is what the archive has */
	return buf_bytes(&w->seals[i]);
}

/* Puts secrets where their tokens stand. */
static void reveal(struct buf *out, struct bytes text, struct bytes table)
{
	while (text.len) {
		const uint8_t *at = memmem(text.ptr, text.len, "{{secret ", 9), *row;

		buf_add(out, text.ptr, at ? (size_t)(at - text.ptr) : text.len);
		if (!at)
			return;
		row = memmem(table.ptr, table.len, at + 9, 16);
		CHECK(row != NULL);
		CHECK(base64_decode(out, first_line(bytes_of(row + 17, table.len - (size_t)(row + 17 - table.ptr)))));
		text = bytes_from(text, (size_t)(at - text.ptr) + 27);
	}
}

/* The texts that the newest snapshot stands for are these. */
static void check_opens(const struct world *w, const char *running, const char *startup)
{
	_cleanup_(buf_done) struct buf base = { 0 }, now = { 0 }, boot = { 0 }, table = { 0 }, shown = { 0 }, shown_boot = { 0 };
	struct bytes none = { 0 };
	struct error err = { 0 };

	CHECK_OK(seal_open_text(&base, &w->body, seal_of(w, "base"), none, &err));
	if (lists(w, "delta"))
		CHECK_OK(seal_open_text(&now, &w->body, seal_of(w, "delta"), buf_bytes(&base), &err));
	else
		buf_add_bytes(&now, buf_bytes(&base));
	if (lists(w, "startup"))
		CHECK_OK(seal_open_text(&boot, &w->body, seal_of(w, "startup"), buf_bytes(&base), &err));
	if (lists(w, "secrets"))
		CHECK_OK(seal_open_secret(&table, &w->secrets, seal_of(w, "secrets"), &err));
	reveal(&shown, buf_bytes(&now), buf_bytes(&table));
	CHECK_STR(buf_text(&shown), running);
	CHECK_EQ(lists(w, "startup"), startup && strcmp(running, startup) != 0);
	if (lists(w, "startup")) {
		reveal(&shown_boot, buf_bytes(&boot), buf_bytes(&table));
		CHECK_STR(buf_text(&shown_boot), startup);
	}
}

/* A configuration of n lines whose line `changed` is another in each round. */
static char *config(int lines, int changed, int round)
{
	struct buf text = { 0 };

	for (int i = 0; i < lines; i++)
		buf_addf(&text, "ip route 10.%d.%d.0/24 10.0.0.%d\n", (i * 7919) % 251, i % 256, i == changed ? 100 + round : i % 50);
	buf_addf(&text, "password hunter-%d\n", 2);
	return buf_steal_text(&text);
}

/* ---- what a snapshot brings ---- */

TEST(the_first_snapshot_is_a_base_and_the_same_again_brings_nothing)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(mem_freep) char *text = config(50, 0, 0);

	world_init(&w);
	make_epoch(&w);
	take(&w, text, text);
	check_opens(&w, text, text);
	CHECK_EQ(brought_by(&w, "base"), 3);
	CHECK_EQ(brought_by(&w, "secrets"), 3);
	CHECK(!lists(&w, "delta"));
	CHECK_STR(statement_get(w.newest, "changed"), "51 0");
	take(&w, text, text);
	check_opens(&w, text, text);
	CHECK_EQ(brought_by(&w, "base"), 3);
	CHECK_EQ(brought_by(&w, "secrets"), 3);
	CHECK_STR(statement_get(w.newest, "changed"), "0 0");
}

TEST(a_change_is_one_delta_against_the_base_and_undone_it_is_none)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(mem_freep) char *text = config(50, 0, 0), *changed = config(50, 0, 1);

	world_init(&w);
	make_epoch(&w);
	take(&w, text, text);
	take(&w, changed, text);
	check_opens(&w, changed, text);
	CHECK_EQ(brought_by(&w, "base"), 3);
	CHECK_EQ(brought_by(&w, "delta"), 4);
	CHECK_EQ(brought_by(&w, "startup"), 4); /* the base's text, but no seal says so */
	CHECK_STR(statement_get(w.newest, "changed"), "1 1");
	CHECK_STR(statement_get(w.newest, "saved"), "no");
	take(&w, changed, changed); /* saved */
	check_opens(&w, changed, changed);
	CHECK_EQ(brought_by(&w, "delta"), 4);
	CHECK_STR(statement_get(w.newest, "changed"), "0 0");
	CHECK_STR(statement_get(w.newest, "saved"), "yes");
	take(&w, text, changed);
	check_opens(&w, text, changed);
	CHECK(!lists(&w, "delta"));
	take(&w, text, NULL); /* no startup at all */
	check_opens(&w, text, NULL);
}

TEST(after_256_deltas_a_new_base_is_made)
{
	_cleanup_(world_done) struct world w;
	uint64_t base = 3;

	world_init(&w);
	make_epoch(&w);
	for (int round = 0; round < 520; round++) {
		_cleanup_(mem_freep) char *text = config(200, 17, round);

		take(&w, text, text);
		check_opens(&w, text, text);
		if (round == 257 || round == 514)
			base = w.chain.number;
		CHECK_EQ(brought_by(&w, "base"), base);
		CHECK_EQ(lists(&w, "delta"), base != w.chain.number);
	}
}

TEST(a_delta_over_half_its_base_makes_a_new_base)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(mem_freep) char *text = config(200, 0, 0), *longer = config(600, 0, 0);

	world_init(&w);
	make_epoch(&w);
	take(&w, text, text);
	take(&w, longer, text);
	check_opens(&w, longer, text);
	CHECK_EQ(brought_by(&w, "base"), 4);
	CHECK(!lists(&w, "delta"));
	CHECK_EQ(brought_by(&w, "startup"), 4);
}

TEST(the_secrets_travel_again_only_when_one_changed)
{
	_cleanup_(world_done) struct world w;

	world_init(&w);
	make_epoch(&w);
	take(&w, "password one\nline a\n", "password one\n");
	CHECK_EQ(brought_by(&w, "secrets"), 3);
	take(&w, "line b\npassword one\nenable password one\n", "password one\n"); /* the same secret at more places */
	check_opens(&w, "line b\npassword one\nenable password one\n", "password one\n");
	CHECK_EQ(brought_by(&w, "secrets"), 3);
	take(&w, "password two\n", "password one\n"); /* both are needed */
	check_opens(&w, "password two\n", "password one\n");
	CHECK_EQ(brought_by(&w, "secrets"), 5);
	take(&w, "password two\n", "password two\n");
	check_opens(&w, "password two\n", "password two\n");
	CHECK_EQ(brought_by(&w, "secrets"), 6);
	take(&w, "line\n", "line\n");
	check_opens(&w, "line\n", "line\n");
	CHECK(!lists(&w, "secrets"));
	take(&w, "password two\n", "password two\n");
	check_opens(&w, "password two\n", "password two\n");
	CHECK_EQ(brought_by(&w, "secrets"), 8);
}

TEST(text_that_looks_like_a_token_comes_back_as_it_was)
{
	static const char text[] = "description {{secret 0123456789abcdef}} and {{secret 01\npassword {{secret 0123456789abcdef}}\n";
	_cleanup_(world_done) struct world w;

	world_init(&w);
	make_epoch(&w);
	take(&w, text, text);
	check_opens(&w, text, text);
}

TEST(no_secret_is_in_what_the_device_keeps)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(buf_done) struct buf file = { 0 };

	world_init(&w);
	make_epoch(&w);
	take(&w, "password hunter2-running\n", "password hunter2-startup\n");
	chain_write(&file, &w.chain);
	CHECK(memmem(file.ptr, file.len, "hunter2", 7) == NULL);
	CHECK(memmem(file.ptr, file.len, "aHVudGVyMi", 10) == NULL); /* nor in base64 */
}

/* ---- epochs ---- */

TEST(an_epoch_is_due_at_first_after_30_days_and_when_the_readers_change)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(root_freep) struct root *same = NULL, *more = NULL;

	world_init(&w);
	CHECK(epoch_is_due(&w.chain, w.root, w.now_s));
	make_epoch(&w);
	CHECK(!epoch_is_due(&w.chain, w.root, w.now_s));
	CHECK(!epoch_is_due(&w.chain, w.root, w.now_s + 30 * DAY_S - 1));
	CHECK(epoch_is_due(&w.chain, w.root, w.now_s + 30 * DAY_S));
	same = make_root(&w, w.root, true, false);
	CHECK(!epoch_is_due(&w.chain, same, w.now_s));
	more = make_root(&w, w.root, true, true);
	CHECK(epoch_is_due(&w.chain, more, w.now_s));
}

TEST(a_new_epoch_has_new_keys_new_tokens_and_a_new_base)
{
	static const char text[] = "line\npassword one\n";
	_cleanup_(world_done) struct world w;
	_cleanup_(buf_done) struct buf before = { 0 };
	struct age_recipient body;

	world_init(&w);
	make_epoch(&w);
	take(&w, text, text);
	buf_add_bytes(&before, buf_bytes(&w.chain.running_text));
	body = w.body.pub;
	w.now_s += 31 * DAY_S;
	make_epoch(&w);
	CHECK(memcmp(&body, &w.body.pub, sizeof(body)) != 0);
	take(&w, text, text);
	check_opens(&w, text, text);
	CHECK_EQ(statement_number(w.newest, "epoch"), 2);
	CHECK_EQ(brought_by(&w, "base"), 5);
	CHECK_EQ(brought_by(&w, "secrets"), 5);
	CHECK(!bytes_equal(buf_bytes(&before), buf_bytes(&w.chain.running_text)));
	CHECK_STR(statement_get(w.newest, "changed"), "0 0"); /* other tokens are no change */
}

TEST(the_keys_of_an_epoch_open_for_every_reader_and_nobody_else)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct container c;
	struct error err = { 0 };
	size_t used;

	world_init(&w);
	root_free(w.root);
	w.root = make_root(&w, NULL, true, true);
	make_epoch(&w);
	CHECK_OK(container_parse(&c, buf_bytes(&w.chain.newest), CONTAINER_ATTACHED, &used, &err));
	CHECK_OK(seal_open_secret(&text, &w.bob, container_seal(&c, "secrets-key"), &err));
	age_identity_done(&w.bob);
	age_identity_new(&w.bob);
	CHECK_EQ(seal_open_secret(&text, &w.bob, container_seal(&c, "secrets-key"), &err), E_SEAL);
	container_done(&c);
}

TEST(a_root_whose_readers_have_no_keys_makes_no_epoch)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(root_freep) struct root *mute = NULL;
	struct snapshot_by signer;
	struct error err = { 0 };

	world_init(&w);
	mute = make_root(&w, NULL, false, false);
	signer = by(&w);
	signer.root = mute;
	CHECK_EQ(epoch_make(&w.chain, &signer, &err), E_DENIED);
	CHECK_EQ(w.chain.number, 1);
}

/* ---- statements ---- */

TEST(time_never_goes_back)
{
	_cleanup_(world_done) struct world w;

	world_init(&w);
	make_epoch(&w);
	take(&w, "a\n", "a\n");
	CHECK_EQ(statement_time(w.newest, "time"), START_S);
	w.now_s = START_S - 100000; /* a clock that was set back */
	take(&w, "b\n", "b\n");
	CHECK_EQ(statement_time(w.newest, "time"), START_S);
	w.now_s = START_S + 5;
	take(&w, "c\n", "c\n");
	CHECK_EQ(statement_time(w.newest, "time"), START_S + 5);
}

TEST(what_a_snapshot_says_of_the_moment_is_there_and_printable)
{
	_cleanup_(world_done) struct world w;
	struct snapshot_input in;
	struct snapshot_by signer;
	struct error err = { 0 };
	uint8_t prev[HASH_LEN];

	world_init(&w);
	make_epoch(&w);
	in = input_of(&w, "a\n", "b\n");
	in.unsaved_since_s = START_S - 60;
	in.hold_s = START_S + 3600;
	in.note = "  held\nby \x1b[31m alice: \xc3\xa9 ";
	signer = by(&w);
	memcpy(prev, w.chain.hash, HASH_LEN);
	CHECK_OK(snapshot_make(&w.chain, &in, &signer, &err));
	archive(&w, 3, prev);
	CHECK_STR(statement_get(w.newest, "note"), "held?by ?[31m alice: ??");
	CHECK_EQ(statement_time(w.newest, "unsaved-since"), START_S - 60);
	CHECK_EQ(statement_time(w.newest, "hold"), START_S + 3600);
	CHECK_STR(statement_get(w.newest, "model"), "FRRouting");
	CHECK(statement_get(w.newest, "serial") == NULL);
}

TEST(too_long_a_configuration_or_too_many_secrets_are_refused)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(chain_done) struct chain copy = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct snapshot_input in;
	struct snapshot_by signer;
	struct error err = { 0 };

	world_init(&w);
	make_epoch(&w);
	signer = by(&w);
	in = input_of(&w, "a\n", NULL);
	buf_add_str(&text, "password ");
	while (text.len < CONFIG_MAX)
		buf_add_str(&text, "0123456789abcdef");
	chain_copy(&copy, &w.chain);
	in.running = buf_bytes(&text);
	CHECK_EQ(snapshot_make(&copy, &in, &signer, &err), E_LIMIT);
	chain_done(&copy);
	while (text.len <= CONFIG_MAX)
		buf_add_str(&text, "\nline without a secret");
	chain_copy(&copy, &w.chain);
	memset(text.ptr, 'x', 9);
	in.running = buf_bytes(&text);
	CHECK_EQ(snapshot_make(&copy, &in, &signer, &err), E_LIMIT);
}

TEST(a_status_names_the_head_and_is_signed)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(buf_done) struct buf out = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct snapshot_input in;
	struct snapshot_by signer;
	struct error err = { 0 };
	uint8_t hash[HASH_LEN], said[HASH_LEN];
	uint64_t number;
	size_t used;

	world_init(&w);
	make_epoch(&w);
	take(&w, "a\n", "a\n");
	in = input_of(&w, "a\n", "a\n");
	signer = by(&w);
	CHECK_OK(status_make(&out, &w.chain, &in, 600, &signer, &err));
	CHECK_OK(statement_parse(&st, buf_bytes(&out), false, &used, &err));
	CHECK_OK(statement_verify_by(st, &w.device.pub, &err));
	CHECK(statement_get_point(&number, hash, st, "head"));
	CHECK_EQ(number, 3);
	assert_memory_equal(hash, w.chain.hash, HASH_LEN);
	CHECK_EQ(statement_number(st, "wait"), 600);
	CHECK(!statement_get(st, "order"));
	in.order = 12;
	buf_truncate(&out, 0);
	statement_freep(&st);
	CHECK_OK(status_make(&out, &w.chain, &in, 600, &signer, &err));
	CHECK_OK(statement_parse(&st, buf_bytes(&out), false, &used, &err));
	CHECK_EQ(statement_number(st, "order"), 12);
	CHECK(!statement_get(st, "challenge"));
	in.challenge = hash;
	buf_truncate(&out, 0);
	statement_freep(&st);
	CHECK_OK(status_make(&out, &w.chain, &in, 600, &signer, &err));
	CHECK_OK(statement_parse(&st, buf_bytes(&out), false, &used, &err));
	CHECK(statement_get_hash(said, st, "challenge"));
	assert_memory_equal(said, hash, HASH_LEN);
}

TEST(a_receipt_is_a_statement_of_the_chain)
{
	static const uint8_t batch[HASH_LEN] = { 1 }, leaf[HASH_LEN] = { 2 };
	_cleanup_(world_done) struct world w;
	struct receipt_input in = { 7, batch, leaf, "refused", "syntax", NULL, " line 7: unknown\ncommand " };
	struct snapshot_by signer;
	uint8_t prev[HASH_LEN];
	struct error err = { 0 };

	world_init(&w);
	make_epoch(&w);
	take(&w, "a\n", "a\n");
	memcpy(prev, w.chain.hash, HASH_LEN);
	signer = by(&w);
	CHECK_OK(receipt_make(&w.chain, &in, &signer, &err));
	archive(&w, 4, prev);
	CHECK_EQ(statement_type(w.newest), STATEMENT_RECEIPT);
	CHECK_EQ(statement_number(w.newest, "order"), 7);
	CHECK_STR(statement_get(w.newest, "outcome"), "refused");
	CHECK_STR(statement_get(w.newest, "check"), "syntax");
	CHECK(!statement_get(w.newest, "evidence"));
	CHECK_STR(statement_get(w.newest, "note"), "line 7: unknown?command");
	take(&w, "b\n", "a\n"); /* and the chain goes on */
	check_opens(&w, "b\n", "a\n");
}

TEST(the_last_receipt_says_area_for_area_what_was_erased_and_what_was_left)
{
	static const uint8_t batch[HASH_LEN] = { 1 }, leaf[HASH_LEN] = { 2 };
	_cleanup_(world_done) struct world w;
	struct device_erased erased = { .area_count = 2, .left_count = 1, .has_transcript = true, .transcript = { 3 } };
	struct receipt_input in = {
		.order = 7, .batch = batch, .leaf = leaf, .outcome = "failed", .evidence = "read-back", .note = "", .erased = &erased
	};
	struct snapshot_by signer;
	uint8_t prev[HASH_LEN], hash[HASH_LEN];
	struct error err = { 0 };

	world_init(&w);
	make_epoch(&w);
	memcpy(prev, w.chain.hash, HASH_LEN);
	signer = by(&w);
	erased.areas[0] = (struct area){ "config", "reset", AREA_CLEAR, AREA_READ_BACK, AREA_DONE };
	erased.areas[1] = (struct area){ "flash", "erase", AREA_PURGE, AREA_NOTHING, AREA_NOT_DONE };
	snprintf(erased.left[0], sizeof(erased.left[0]), "a USB stick");
	CHECK_OK(receipt_make(&w.chain, &in, &signer, &err));
	archive(&w, 3, prev);
	CHECK_STR(statement_at(w.newest, "area", 0), "config method=reset claimed=clear seen=read-back result=done");
	CHECK_STR(statement_at(w.newest, "area", 1), "flash method=erase claimed=purge seen=nothing result=not-done");
	CHECK_EQ(statement_count(w.newest, "area"), 2);
	CHECK_STR(statement_get(w.newest, "left"), "a USB stick");
	CHECK(statement_get_hash(hash, w.newest, "transcript") && hash[0] == 3);
	CHECK(!statement_get(w.newest, "note"));
}

TEST(since_when_running_is_what_it_is_outlives_epochs_and_files)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(buf_done) struct buf file = { 0 };
	uint8_t hash[HASH_LEN];
	struct chain again;
	struct error err = { 0 };

	world_init(&w);
	make_epoch(&w);
	take(&w, "password a\n", "password a\n");
	CHECK_EQ(w.chain.running_since, 3);
	memcpy(hash, w.chain.hash, HASH_LEN);
	take(&w, "password a\n", NULL); /* startup alone */
	make_epoch(&w);                 /* other tokens for the same secret */
	take(&w, "password a\n", "password a\n");
	chain_write(&file, &w.chain);
	CHECK_OK(chain_read(&again, buf_bytes(&file), &err));
	chain_done(&w.chain);
	w.chain = again;
	take(&w, "password a\n", "password a\n");
	CHECK_EQ(w.chain.running_since, 3);
	assert_memory_equal(w.chain.running_hash, hash, HASH_LEN);
	take(&w, "password b\n", "password a\n");
	CHECK_EQ(w.chain.running_since, 8);
	assert_memory_equal(w.chain.running_hash, w.chain.hash, HASH_LEN);
}

TEST(what_differs_from_the_newest_snapshot_is_told)
{
	_cleanup_(world_done) struct world w;
	struct snapshot_input in;

	world_init(&w);
	make_epoch(&w);
	take(&w, "password a\n", "password a\n");
	in = input_of(&w, "password a\n", "password a\n");
	CHECK(!snapshot_running_differs(&w.chain, &in) && !snapshot_startup_differs(&w.chain, &in));
	in = input_of(&w, "password b\n", "password a\n");
	CHECK(snapshot_running_differs(&w.chain, &in) && !snapshot_startup_differs(&w.chain, &in));
	in = input_of(&w, "password a\n", "password b\n");
	CHECK(!snapshot_running_differs(&w.chain, &in) && snapshot_startup_differs(&w.chain, &in));
	in = input_of(&w, "password a\n", NULL);
	CHECK(snapshot_startup_differs(&w.chain, &in));
}

/* ---- the chain's file ---- */

static void check_same_chain(const struct chain *a, const struct chain *b)
{
	_cleanup_(buf_done) struct buf one = { 0 }, other = { 0 };

	chain_write(&one, a);
	chain_write(&other, b);
	CHECK(bytes_equal(buf_bytes(&one), buf_bytes(&other)));
}

TEST(a_chain_file_is_read_back_and_goes_on_where_it_was)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(mem_freep) char *text = config(100, 3, 0), *changed = config(100, 3, 1);
	_cleanup_(buf_done) struct buf file = { 0 };
	struct chain again, copy;
	struct error err = { 0 };

	world_init(&w);
	make_epoch(&w);
	take(&w, text, text);
	take(&w, changed, text);
	w.chain.is_blocked = true;
	snprintf(w.chain.incarnation, sizeof(w.chain.incarnation), "17:4711 18:4712 ");
	chain_write(&file, &w.chain);
	CHECK_OK(chain_read(&again, buf_bytes(&file), &err));
	check_same_chain(&w.chain, &again);
	chain_copy(&copy, &again);
	check_same_chain(&w.chain, &copy);
	chain_done(&copy);
	CHECK(again.is_blocked);
	CHECK_STR(again.incarnation, "17:4711 18:4712 ");
	chain_done(&w.chain);
	w.chain = again;
	take(&w, text, text);
	check_opens(&w, text, text);
	CHECK_EQ(brought_by(&w, "base"), 3);
	CHECK_EQ(brought_by(&w, "secrets"), 3);
}

enum { POLICY_LEN = 8 + 2 * HASH_LEN + 8 + HASH_LEN + STANDINGS * 8 + 8 };

/* The file as an agent of before wrote it: that much less, with another magic. */
static void older(struct buf *file, const struct chain *c, char version, size_t less)
{
	uint8_t digest[HASH_LEN];

	chain_write(file, c);
	buf_truncate(file, file->len - HASH_LEN - less);
	file->ptr[strlen("holdfast-agent-chain/")] = (uint8_t)version;
	sha256(digest, buf_bytes(file));
	buf_add(file, digest, sizeof(digest));
}

TEST(a_chain_remembers_its_policies_their_verdict_and_since_when_it_drifts)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(buf_done) struct buf file = { 0 };
	struct chain again;
	struct error err = { 0 };

	world_init(&w);
	make_epoch(&w);
	w.chain.policy = (struct chain_policy){ 17, { 1 }, { 2 } };
	w.chain.verdict = (struct chain_verdict){ 9, { 3 }, { 1, 2, 3, 4, 5 } };
	w.chain.drift_since_s = START_S;
	chain_write(&file, &w.chain);
	CHECK_OK(chain_read(&again, buf_bytes(&file), &err));
	CHECK(!memcmp(&again.policy, &w.chain.policy, sizeof(again.policy)));
	CHECK(!memcmp(&again.verdict, &w.chain.verdict, sizeof(again.verdict)));
	CHECK_EQ(again.drift_since_s, START_S);
	chain_done(&again);
}

TEST(a_chain_file_of_an_agent_that_knew_no_policies_is_read)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(buf_done) struct buf file = { 0 };
	struct chain again;
	struct error err = { 0 };

	world_init(&w);
	make_epoch(&w);
	take(&w, "a\n", "a\n");
	w.chain.orders.last = 4;
	older(&file, &w.chain, '2', POLICY_LEN);
	CHECK_OK(chain_read(&again, buf_bytes(&file), &err));
	CHECK_EQ(again.policy.order, 0);
	CHECK_EQ(again.orders.last, 4);
	CHECK_EQ(again.running_since, w.chain.running_since);
	chain_done(&again);
}

TEST(a_chain_file_of_an_agent_that_knew_no_orders_is_read)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(buf_done) struct buf file = { 0 };
	size_t more = POLICY_LEN + 8 + HASH_LEN + SNAPSHOT_TOKEN_KEY_LEN + HASH_LEN + 3 * 8 + 2 * 4;
	struct chain again;
	struct error err = { 0 };

	world_init(&w);
	make_epoch(&w);
	take(&w, "a\n", "a\n");
	older(&file, &w.chain, '1', more);
	CHECK_OK(chain_read(&again, buf_bytes(&file), &err));
	CHECK_EQ(again.running_since, 0);
	CHECK_EQ(again.orders.last, 0);
	chain_done(&w.chain);
	w.chain = again;
	take(&w, "a\n", "a\n");
	CHECK_EQ(w.chain.running_since, 4);
}

TEST(a_chain_file_that_is_cut_short_longer_or_turned_in_one_bit_is_refused)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(buf_done) struct buf file = { 0 };
	struct chain out = { 0 };
	struct error err = { 0 };
	size_t whole;

	world_init(&w);
	make_epoch(&w);
	take(&w, "password a\n", NULL);
	chain_write(&file, &w.chain);
	whole = file.len;
	for (size_t len = 0; len < whole; len++)
		CHECK_EQ(chain_read(&out, bytes_of(file.ptr, len), &err), E_FORMAT);
	for (size_t i = 0; i < whole; i++) {
		file.ptr[i] ^= (uint8_t)(1 << i % 8);
		CHECK_EQ(chain_read(&out, buf_bytes(&file), &err), E_FORMAT);
		file.ptr[i] ^= (uint8_t)(1 << i % 8);
	}
	buf_add_char(&file, 'x');
	CHECK_EQ(chain_read(&out, buf_bytes(&file), &err), E_FORMAT);
	buf_truncate(&file, whole);
	CHECK_OK(chain_read(&out, buf_bytes(&file), &err));
	chain_done(&out);
}
