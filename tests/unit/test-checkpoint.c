/* tests/unit/test-checkpoint.c -- growth of the log: what only grew follows, what did not contradicts, and nobody can make it look
 * otherwise. */
#include "tests/test.h"

#include "tests/fleet.h"

#include "crypto/checkpoint.h"

#include <stdio.h>

enum { SIZES = 24, LONG = 1100, NOW_S = 1800000000 };

/* Leaf i of a log: statements from `changed` on are other ones in another log. */
struct log {
	uint64_t changed;
};

static int leaf_of(void *ctx, uint64_t i, struct merkle_hash *out, struct error *err _unused_)
{
	const struct log *log = ctx;
	char text[40];

	snprintf(text, sizeof(text), "%llu %d", (unsigned long long)i, log->changed && i + 1 >= log->changed);
	*out = merkle_leaf(bytes_str(text));
	return 0;
}

static struct merkle_hash tree_of(struct log *log, uint64_t size)
{
	struct merkle tree = { 0 };
	struct error err = { 0 };

	for (uint64_t i = 0; i < size; i++) {
		struct merkle_hash leaf;

		CHECK_OK(leaf_of(log, i, &leaf, &err));
		merkle_add(&tree, leaf);
	}
	return merkle_root(&tree);
}

static struct statement *checkpoint(struct log *log, uint64_t size, int64_t time_s)
{
	static struct sign_key key;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct merkle_hash tree = tree_of(log, size);
	struct statement *st = NULL;
	struct error err = { 0 };

	if (!key.pair.len)
		sign_key_new(&key);
	statement_begin(&text, STATEMENT_CHECKPOINT);
	statement_add(&text, "fleet", "abcdefghijklmnopqrstuvwxyz");
	statement_add(&text, "size", "%llu", (unsigned long long)size);
	statement_add_hash(&text, "tree", tree.b);
	statement_add(&text, "root", "1");
	statement_add_time(&text, "time", time_s);
	CHECK_OK(statement_sign(&text, &key, &err));
	CHECK_OK(statement_parse(&st, buf_bytes(&text), false, NULL, &err));
	return st;
}

static struct merkle_growth growth_of(struct log *log, uint64_t from, uint64_t to)
{
	struct merkle_growth growth;
	struct error err = { 0 };

	CHECK_OK(merkle_prove_growth(&growth, from, to, leaf_of, NULL, log, &err));
	return growth;
}

TEST(a_proof_from_a_cache_is_the_one_made_of_leaves)
{
	static const uint64_t sizes[] = { 1, 15, 16, 17, 31, 32, 48, 255, 256, 257, 600, 768, 1023, 1024, LONG };
	struct log log = { 0 };
	struct error err = { 0 };

	/* a cache that lags behind serves as far as it goes */
	for (size_t filled = 0; filled < ARRAY_SIZE(sizes); filled++) {
		struct merkle_cache cache = { 0 };

		for (uint64_t i = 0; i < sizes[filled]; i++) {
			struct merkle_hash leaf;

			CHECK_OK(leaf_of(&log, i, &leaf, &err));
			merkle_cache_add(&cache, leaf);
		}
		CHECK_EQ(merkle_cache_size(&cache), sizes[filled]);
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			for (size_t k = i; k < ARRAY_SIZE(sizes); k++) {
				struct merkle_growth slow = growth_of(&log, sizes[i], sizes[k]), quick;

				CHECK_OK(merkle_prove_growth(&quick, sizes[i], sizes[k], leaf_of, &cache, &log, &err));
				CHECK(!memcmp(&slow, &quick, sizeof(slow)));
				CHECK(merkle_growth_holds(&quick));
			}
		}
		merkle_cache_done(&cache);
		CHECK_EQ(merkle_cache_size(&cache), 0);
	}
}

/* Counts what is read. */
static int counted_leaf(void *ctx, uint64_t i, struct merkle_hash *out, struct error *err)
{
	struct log log = { 0 };

	++*(unsigned *)ctx;
	return leaf_of(&log, i, out, err);
}

TEST(with_a_cache_a_proof_reads_few_leaves)
{
	struct merkle_cache cache = { 0 };
	struct error err = { 0 };
	struct merkle_growth growth;
	unsigned most = 0;

	for (uint64_t i = 0; i < LONG; i++) {
		struct merkle_hash leaf;
		struct log log = { 0 };

		CHECK_OK(leaf_of(&log, i, &leaf, &err));
		merkle_cache_add(&cache, leaf);
	}
	for (uint64_t from = 1; from <= LONG; from++) {
		unsigned count = 0;

		CHECK_OK(merkle_prove_growth(&growth, from, LONG, counted_leaf, &cache, &count, &err));
		most = count > most ? count : most;
	}
	CHECK(most < 6 * MERKLE_BLOCK);
	merkle_cache_done(&cache);
}

TEST(a_growth_is_read_as_it_was_written_and_cut_off_it_is_refused)
{
	struct log log = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct merkle_growth growth = growth_of(&log, 5, 21), read;
	struct error err = { 0 };
	size_t used, len;

	growth_text(&text, &growth);
	len = text.len;
	buf_add_str(&text, "holdfast-statement/1 root\n");
	CHECK(growth_begins(buf_bytes(&text)));
	CHECK_OK(growth_parse(&read, buf_bytes(&text), &used, &err));
	CHECK_EQ(used, len);
	CHECK(!memcmp(&growth, &read, sizeof(read)));
	/* cut within a line: refused, or what is left over is seen by whoever reads on */
	for (size_t cut = 0; cut < len; cut++)
		if (growth_parse(&read, bytes_of(text.ptr, cut), &used, &err) == 0)
			CHECK(used < cut || (read.len < growth.len && !merkle_growth_holds(&read)));
}

TEST(every_place_holds_for_its_leaf_alone_with_a_cache_or_without)
{
	static const uint64_t sizes[] = { 1, 2, 15, 16, 17, 33, 256, 257, 600, LONG };
	struct log log = { 0 };
	struct merkle_cache cache = { 0 };
	struct error err = { 0 };

	for (uint64_t i = 0; i < LONG; i++) {
		struct merkle_hash leaf;

		CHECK_OK(leaf_of(&log, i, &leaf, &err));
		merkle_cache_add(&cache, leaf);
	}
	for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
		for (uint64_t i = 0; i < sizes[k]; i += 1 + i / 7) {
			struct merkle_place slow, quick;
			struct merkle_hash leaf;

			CHECK_OK(leaf_of(&log, i, &leaf, &err));
			CHECK_OK(merkle_prove_place(&slow, i, sizes[k], leaf_of, NULL, &log, &err));
			CHECK_OK(merkle_prove_place(&quick, i, sizes[k], leaf_of, &cache, &log, &err));
			CHECK(!memcmp(&slow, &quick, sizeof(slow)));
			CHECK(merkle_place_holds(&quick, leaf));
			CHECK_OK(leaf_of(&log, i + 1, &leaf, &err));
			CHECK(!merkle_place_holds(&quick, leaf));
		}
		CHECK_EQ(merkle_prove_place(&(struct merkle_place){ 0 }, sizes[k], sizes[k], leaf_of, &cache, &log, &err), E_FORMAT);
	}
	merkle_cache_done(&cache);
}

TEST(a_place_is_read_as_it_was_written_and_cut_off_it_is_refused)
{
	struct log log = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct merkle_place place, read;
	struct merkle_hash leaf;
	struct error err = { 0 };
	size_t used, len;

	CHECK_OK(merkle_prove_place(&place, 5, 21, leaf_of, NULL, &log, &err));
	CHECK_OK(leaf_of(&log, 5, &leaf, &err));
	place_text(&text, &place);
	len = text.len;
	buf_add_str(&text, "holdfast-statement/1 root\n");
	CHECK(place_begins(buf_bytes(&text)) && !growth_begins(buf_bytes(&text)));
	CHECK_OK(place_parse(&read, buf_bytes(&text), &used, &err));
	CHECK_EQ(used, len);
	CHECK(!memcmp(&place, &read, sizeof(read)) && merkle_place_holds(&read, leaf));
	for (size_t cut = 0; cut < len; cut++)
		if (place_parse(&read, bytes_of(text.ptr, cut), &used, &err) == 0)
			CHECK(used < cut || (read.len < place.len && !merkle_place_holds(&read, leaf)));
	for (size_t i = 0; i < len; i++) { /* no byte may change */
		text.ptr[i] ^= 1;
		if (place_parse(&read, bytes_of(text.ptr, len), &used, &err) == 0)
			CHECK(used < len || read.size != place.size || memcmp(read.tree.b, place.tree.b, HASH_LEN) != 0 ||
			      !merkle_place_holds(&read, leaf));
		text.ptr[i] ^= 1;
	}
	for (int i = 0; i < MERKLE_PROOF_MAX; i++) {
		buf_truncate(&text, len);
		for (int k = 0; k <= i; k++)
			buf_addf(&text, "node: %064d\n", k);
	}
	CHECK_EQ(place_parse(&read, buf_bytes(&text), &used, &err), E_FORMAT);
}

TEST(more_nodes_than_any_proof_has_are_refused)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct log log = { 0 };
	struct merkle_growth growth = growth_of(&log, 1, 2), read;
	struct error err = { 0 };
	size_t used;

	growth.len = 0;
	growth_text(&text, &growth);
	for (int i = 0; i < MERKLE_PROOF_MAX; i++)
		buf_addf(&text, "node: %064d\n", i);
	CHECK_OK(growth_parse(&read, buf_bytes(&text), &used, &err));
	buf_addf(&text, "node: %064d\n", 1);
	CHECK_EQ(growth_parse(&read, buf_bytes(&text), &used, &err), E_FORMAT);
}

TEST(a_log_that_only_grew_follows_and_never_contradicts)
{
	struct log log = { 0 };
	struct error err = { 0 };

	for (uint64_t a = 1; a <= SIZES; a++) {
		for (uint64_t b = a; b <= SIZES; b++) {
			_cleanup_(statement_freep) struct statement *seen = checkpoint(&log, a, NOW_S),
								    *next = checkpoint(&log, b, NOW_S + 1);
			struct merkle_growth growth = growth_of(&log, a, b);

			CHECK_OK(checkpoint_follows(seen, next, &growth, &err));
			CHECK(!checkpoints_contradict(seen, next, &growth));
			CHECK(!checkpoints_contradict(next, seen, NULL));
			CHECK_EQ(checkpoint_follows(seen, next, NULL, &err), a == b ? 0 : E_SEAL);
			CHECK_EQ(checkpoint_follows(next, seen, &growth, &err), a == b ? 0 : E_SEAL);
		}
	}
}

TEST(whatever_was_changed_in_the_past_is_found_and_proved)
{
	struct error err = { 0 };

	for (uint64_t a = 1; a <= SIZES; a++) {
		for (uint64_t b = a; b <= SIZES; b++) {
			struct log log = { 0 }, other = { .changed = 1 + (a * 7 + b) % a }; /* one of the first a */
			_cleanup_(statement_freep) struct statement *seen = checkpoint(&log, a, NOW_S),
								    *next = checkpoint(&other, b, NOW_S + 1);
			struct merkle_growth theirs = growth_of(&other, a, b), ours = growth_of(&log, a, b);

			CHECK_EQ(checkpoint_follows(seen, next, &theirs, &err), E_SEAL);
			CHECK_EQ(checkpoint_follows(seen, next, &ours, &err), E_SEAL);
			CHECK_EQ(checkpoint_follows(seen, next, NULL, &err), E_SEAL);
			CHECK(checkpoints_contradict(seen, next, &theirs));
			CHECK(checkpoints_contradict(next, seen, &theirs));
			CHECK_EQ(!checkpoints_contradict(seen, next, &ours), a != b); /* a proof about another log proves nothing */
		}
	}
}

TEST(a_shorter_log_that_is_signed_later_proves_a_set_back)
{
	struct log log = { 0 };
	_cleanup_(statement_freep) struct statement *seen = checkpoint(&log, 9, NOW_S), *before = checkpoint(&log, 7, NOW_S - 5),
						    *at_once = checkpoint(&log, 7, NOW_S), *back = checkpoint(&log, 7, NOW_S + 1);

	CHECK(!checkpoints_contradict(seen, before, NULL)); /* an old one that is shown again */
	CHECK(!checkpoints_contradict(seen, at_once, NULL));
	CHECK(checkpoints_contradict(seen, back, NULL));
	CHECK(checkpoints_contradict(back, seen, NULL));
}

/* Nobody can accuse an archive that only grew: whichever bit of the growth is changed, it proves nothing. */
TEST(no_changed_growth_makes_a_contradiction_of_a_true_history)
{
	struct log log = { 0 };

	for (uint64_t a = 3; a <= 8; a++) {
		_cleanup_(statement_freep) struct statement *seen = checkpoint(&log, a, NOW_S), *next = checkpoint(&log, 13, NOW_S + 1);
		struct merkle_growth growth = growth_of(&log, a, 13);

		for (size_t bit = 0; bit < 8 * HASH_LEN * (2 + growth.len); bit++) {
			struct merkle_growth changed = growth;
			uint8_t *at = bit < 8 * HASH_LEN       ? changed.old_tree.b
				      : bit < 2 * 8 * HASH_LEN ? changed.new_tree.b
							       : changed.node[bit / (8 * HASH_LEN) - 2].b;

			at[bit / 8 % HASH_LEN] ^= (uint8_t)(1 << bit % 8);
			CHECK(!checkpoints_contradict(seen, next, &changed));
		}
	}
}
