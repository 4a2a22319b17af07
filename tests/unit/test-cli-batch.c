/* tests/unit/test-cli-batch.c -- one signature over ten thousand orders, and a PLAN file in which every change shows. */
#include "tests/fleet.h"
#include "tests/test.h"

#include "base/clock.h"
#include "base/fs.h"
#include "cli/batch.h"
#include "cli/sign.h"

#include <stdio.h>
#include <stdlib.h>

static void terms_init(struct batch_terms *t, const struct fleet *fleet, const struct root *root)
{
	*t = (struct batch_terms){
		.kind = ORDER_APPLY,
		.fleet = fleet->id,
		.person = "alice",
		.reason = "a reason",
		.root = root,
		.time_s = clock_now_s(),
		.not_before_s = clock_now_s(),
		.expires_s = clock_now_s() + 3600,
		.is_whole = true,
		.confirm_s = -1,
		.settle_s = -1,
	};
}

static struct root *root_of(const struct fleet *fleet)
{
	struct statement *st = NULL;
	struct root *root = NULL;
	struct error err = { 0 };

	CHECK_OK(statement_parse(&st, buf_bytes(&fleet->root), false, NULL, &err));
	CHECK_OK(root_new(&root, st, &err));
	return root;
}

static void device_id(char out[static ID_LEN + 1], uint32_t i)
{
	uint8_t hash[HASH_LEN];

	sha256(hash, bytes_of(&i, sizeof(i)));
	id_of_hash(out, hash);
}

/* count orders, each with a payload of its own if payloads, else all with one: sealing is not what is tested here. */
static void draft_many(struct batch_draft *draft, const struct fleet *fleet, const struct root *root, uint32_t count)
{
	_cleanup_(age_identity_done) struct age_identity box = { 0 };
	struct error err = { 0 };

	age_identity_new(&box);
	terms_init(&draft->terms, fleet, root);
	for (uint32_t i = 0; i < count; i++) {
		_cleanup_(mem_freep) char *text = mem_printf("ip route 10.0.0.0/8 10.1.%u.%u\n", i >> 8, i & 255);
		struct batch_order order = { .number = 7, .base = 42 };
		struct buf seal = { 0 };
		char id[ID_LEN + 1];

		device_id(id, i);
		order.device = id;
		order.seal = &seal;
		CHECK_OK(batch_seal(&seal, root, &box.pub, bytes_str(text), &err));
		CHECK_OK(batch_add(draft, &order, &err));
	}
	CHECK_OK(batch_finish(draft, &err));
}

TEST(the_tree_and_its_proofs_are_those_of_the_rfc)
{
	struct merkle_hash leaves[70];
	struct error err = { 0 };

	for (uint32_t i = 0; i < 70; i++)
		leaves[i] = merkle_leaf(bytes_of(&i, sizeof(i)));
	for (uint32_t count = 1; count <= 70; count++) {
		_cleanup_(mem_freep) struct merkle_hash *levels = batch_levels(leaves, count);
		struct merkle_hash *at = levels;
		struct merkle tree = { 0 };
		struct merkle_hash root;

		for (uint32_t i = 0; i < count; i++)
			merkle_add(&tree, leaves[i]);
		root = merkle_root(&tree);
		for (uint32_t n = count; n > 1; n = (n + 1) / 2)
			at += n;
		assert_memory_equal(at, root.b, HASH_LEN);
	}
	(void)err;
}

TEST(every_change_of_a_plan_file_shows_and_names_the_device)
{
	_cleanup_(batch_draft_done) struct batch_draft draft = { 0 };
	_cleanup_(buf_done) struct buf file = { 0 };
	_cleanup_(root_freep) struct root *root = NULL;
	struct fleet fleet;
	struct error err = { 0 };
	char id[ID_LEN + 1];
	size_t missed = 0;

	fleet_init(&fleet);
	root = root_of(&fleet);
	draft_many(&draft, &fleet, root, 5);
	batch_put_file(&file, &draft);
	{
		_cleanup_(batch_file_done) struct batch_file read = { 0 };
		struct buf copy = { 0 };

		buf_add_bytes(&copy, buf_bytes(&file));
		CHECK_OK(batch_file_parse(&read, &copy, &err));
		CHECK_EQ(read.count, 5);
	}
	device_id(id, 3);
	for (size_t i = 0; i < file.len; i++) { /* one bit of every byte */
		_cleanup_(batch_file_done) struct batch_file read = { 0 };
		struct buf copy = { 0 };

		buf_add_bytes(&copy, buf_bytes(&file));
		copy.ptr[i] ^= 1;
		missed += batch_file_parse(&read, &copy, &err) >= 0;
	}
	CHECK_EQ(missed, 0);
	for (size_t cut = 1; cut < 3000; cut += 37) {
		_cleanup_(batch_file_done) struct batch_file read = { 0 };
		struct buf copy = { 0 };

		buf_add(&copy, file.ptr, file.len - cut);
		CHECK(batch_file_parse(&read, &copy, &err) < 0);
	}
	{
		_cleanup_(batch_file_done) struct batch_file read = { 0 };
		struct buf copy = { 0 };
		char *at;

		buf_add_bytes(&copy, buf_bytes(&file));
		at = memmem(copy.ptr, copy.len, id, ID_LEN);
		at = strstr(at, "order: 7");
		at[7] = '8';
		CHECK_EQ(batch_file_parse(&read, &copy, &err), E_SEAL);
		CHECK(strstr(err.text, id));
	}
	fleet_done(&fleet);
}

/* ssh-keygen is called by way of a script that counts. */
TEST(ten_thousand_orders_are_signed_with_one_signature)
{
	enum { MANY = 10000 };
	_cleanup_(batch_draft_done) struct batch_draft draft = { 0 };
	_cleanup_(root_freep) struct root *root = NULL;
	_cleanup_(statement_freep) struct statement *batch = NULL;
	_cleanup_(buf_done) struct buf calls = { 0 }, one = { 0 };
	const char *folder = test_folder();
	_cleanup_(mem_freep) char *key = mem_printf("%s/key", folder), *count = mem_printf("%s/count", folder),
				  *script = mem_printf("%s/ssh-keygen", folder),
				  *text = mem_printf("#!/bin/sh\necho call >>%s\nPATH=${PATH#*:} exec ssh-keygen \"$@\"\n", count),
				  *path = mem_printf("%s:%s", folder, getenv("PATH"));
	struct fleet fleet;
	struct error err = { 0 };
	uint64_t began, planned, signed_ms;

	fleet_init(&fleet);
	root = root_of(&fleet);
	CHECK_OK(sign_make_key(key, false, &err));
	began = clock_mono_ms();
	draft_many(&draft, &fleet, root, MANY);
	planned = clock_mono_ms();
	CHECK_OK(fs_write(script, bytes_str(text), 0755, &err));
	CHECK_EQ(setenv("PATH", path, 1), 0);
	CHECK_OK(sign_statement(&draft.batch, key, &err));
	CHECK_EQ(setenv("PATH", strchr(path, ':') + 1, 1), 0);
	signed_ms = clock_mono_ms();
	CHECK_OK(fs_read(&calls, count, 4096, &err));
	CHECK_STR(buf_text(&calls), "call\n");
	CHECK_OK(statement_parse(&batch, buf_bytes(&draft.batch), false, NULL, &err));
	CHECK_OK(batch_check(batch, &err));
	{
		_cleanup_(mem_freep) struct merkle_hash *leaves = mem_alloc(MANY * sizeof(*leaves)), *levels = NULL;
		size_t longest = 0;

		for (uint32_t i = 0; i < MANY; i++)
			leaves[i] = draft.leaves[i].leaf;
		levels = batch_levels(leaves, MANY);
		for (uint32_t i = 0; i < MANY; i++) {
			_cleanup_(statement_freep) struct statement *order = NULL;
			size_t used;

			buf_truncate(&one, 0);
			batch_put_order(&one, &draft, statement_hash(batch), levels, i);
			CHECK_OK(statement_parse(&order, buf_bytes(&one), false, &used, &err));
			CHECK_OK(order_verify(order, batch, &err));
			if (used - statement_text(order).len > longest)
				longest = used - statement_text(order).len;
		}
		CHECK(longest < 1024);
		printf("figure: 10000 orders planned in %llu ms, signed once in %llu ms, proved and verified in %llu ms, longest proof %zu "
		       "bytes\n",
		       (unsigned long long)(planned - began), (unsigned long long)(signed_ms - planned),
		       (unsigned long long)(clock_mono_ms() - signed_ms), longest);
	}
	fleet_done(&fleet);
}
