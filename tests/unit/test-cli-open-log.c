/* tests/unit/test-cli-open-log.c -- another history than the one that a device was shown is found out. */
#include "tests/test.h"
#include "tests/unit/liar.h"

#include "crypto/merkle.h"

TEST(a_device_that_knows_a_newer_root_gives_the_server_away)
{
	_cleanup_(world_freep) struct world *w = world_new();
	struct snapshot_by by = by_of(w, &w->r1);
	struct look look = { first_text, first_text, SAVED_YES };
	struct error err = { 0 };
	uint64_t number;

	make_root(w, 2);
	by.root = w->roots[1];
	number = snap_by(w, &w->r1, &look, &by);
	w->root_count = 1; /* the operator is shown root 1 only */
	new_opener(w);
	CHECK_EQ(try_open(w, &w->r1, number, 0, &err), E_SEAL);
	CHECK(strstr(err.text, "knows root 2"));
	w->root_count = 2;
	new_opener(w);
	CHECK_OK(try_open(w, &w->r1, number, 0, &err));
}

/* A checkpoint of a log that the operator is not shown, signed by the archive all the same. */
static void other_log(struct statement **out, const struct world *w, uint64_t size)
{
	sign_checkpoint(out, w, size, tree_of(w, size / 2)); /* no tree of this size */
}

static uint64_t snap_after(struct world *w, const struct statement *checkpoint)
{
	struct snapshot_by by = by_of(w, &w->r1);
	struct look look = { second_text, first_text, SAVED_NO };

	by.checkpoint = checkpoint;
	return snap_by(w, &w->r1, &look, &by);
}

TEST(a_device_that_was_shown_another_log_gives_the_server_away)
{
	_cleanup_(world_freep) struct world *w = world_new();

	for (int i = 0; i < 4; i++) {
		/* the snapshot itself is logged next: the last one is as long as ours then */
		uint64_t sizes[] = { 1, 3, w->log_size, w->log_size + 1 };
		_cleanup_(statement_freep) struct statement *other = NULL;
		struct error err = { 0 };
		uint64_t number;

		other_log(&other, w, sizes[i]);
		number = snap_after(w, other);
		new_opener(w);
		CHECK_EQ(try_open(w, &w->r1, number, 0, &err), E_SEAL);
		CHECK(strstr(err.text, "shown another log"));
		CHECK(!strstr(err.text, "two logs") == (i != 3));
		CHECK_OK(try_open(w, &w->r1, 4, 0, &err));
	}
}

TEST(another_log_is_not_taken_for_the_one_that_grew)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(statement_freep) struct statement *other = NULL;
	_cleanup_(buf_done) struct buf forged = { 0 };
	struct error err = { 0 };
	uint64_t number;

	other_log(&other, w, w->log_size + 9);
	number = snap_after(w, other);
	buf_add_bytes(lie_at(w, "/v1/checkpoint"), statement_whole(other)); /* server and device agree, and we hold another one */
	CHECK_EQ(try_open(w, &w->r1, number, 0, &err), E_SEAL);
	forget_lies(w);
	buf_add_bytes(&forged, statement_text(other));
	CHECK_OK(statement_sign(&forged, &w->r2.d.key, &err));
	buf_add_bytes(lie_at(w, "/v1/checkpoint"), buf_bytes(&forged));
	CHECK_EQ(try_open(w, &w->r1, number, 0, &err), E_SEAL);
	CHECK(strstr(err.text, "archive key"));
	forget_lies(w);
	statement_free(other);
	other = NULL;
	sign_checkpoint(&other, w, 2, tree_of(w, 2));
	buf_add_bytes(lie_at(w, "/v1/checkpoint"), statement_whole(other));
	CHECK_EQ(try_open(w, &w->r1, number, 0, &err), E_SEAL);
	CHECK(strstr(err.text, "the log has 2 statements, and had"));
}

TEST(a_log_that_is_kept_from_us_is_found_out_and_one_that_grew_is_not_feared)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(statement_freep) struct statement *old = NULL;
	uint64_t number;
	struct error err = { 0 };

	CHECK_OK(statement_parse(&old, statement_whole(w->checkpoint), false, &(size_t){ 0 }, &err));
	new_opener(w); /* holds the log as it is now */
	snap(w, &w->r2, second_text, second_text);
	number = snap(w, &w->r1, first_text, first_text); /* saw the one after */
	CHECK_OK(try_open(w, &w->r1, number, 0, &err));
	new_opener(w);
	statement_free(w->checkpoint);
	w->checkpoint = steal(old); /* and now the server goes back */
	new_opener(w);
	CHECK_EQ(try_open(w, &w->r1, number, 0, &err), E_SEAL);
	CHECK(strstr(err.text, "hides some from us"));
}

TEST(a_server_that_does_not_prove_the_log_is_not_believed)
{
	_cleanup_(world_freep) struct world *w = world_new();
	static const char *const answers[] = { "{\"proof\": []}", "{\"proof\": [\"00\"]}", "{\"proof\": 1}", "[]", "", "nonsense" };
	_cleanup_(opened_done) struct opened opened = { 0 };
	struct open_wanted wanted = { .id = w->r1.d.id, .number = 4 };
	struct error err = { 0 };
	uint64_t saw;
	uint8_t tree[HASH_LEN];

	CHECK_OK(opener_open(&opened, w->opener, &wanted, &err));
	CHECK(statement_get_point(&saw, tree, opened.st, "checkpoint"));
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		_cleanup_(mem_freep) char *path =
			mem_printf("/v1/consistency?from=%llu&to=%llu", (unsigned long long)saw, (unsigned long long)w->log_size);

		buf_add_str(lie_at(w, path), answers[i]);
		check_refused(w, &w->r1, 4, 0, E_SEAL, "the device was shown another log than we are");
	}
}
