/* tests/unit/test-chain.c -- the file of a chain is read back, also an older one, and a damaged one is refused. */
#include "tests/test.h"
#include "tests/unit/recorded.h"

#include <stdio.h>

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
