/* tests/unit/test-snapshot-statement.c -- what a device says: of its snapshots, of itself, and of the orders that it was given. */
#include "tests/test.h"
#include "tests/unit/recorded.h"

#include <stdio.h>

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
