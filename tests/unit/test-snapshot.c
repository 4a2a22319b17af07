/* tests/unit/test-snapshot.c -- what a snapshot brings, and when an epoch is due. */
#include "tests/test.h"
#include "tests/unit/recorded.h"

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
