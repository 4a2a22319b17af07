/* tests/unit/test-merkle.c -- Merkle trees against the published examples, the RFC's own definition, and every changed bit. */
#include "tests/test.h"

#include "crypto/merkle.h"

#include <sodium.h>
#include <stdio.h>

enum { SIZE_MAX_TRIED = 70 };

/* The eight leaves, roots and proofs that the Certificate Transparency project tests with. */
static const char *const inputs[8] = { "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f" };

#define ROOT_1 "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
#define ROOT_2 "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
#define ROOT_4 "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"

static const char *const roots[8] = {
	ROOT_1,
	ROOT_2,
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	ROOT_4,
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

#define LEAF_2 "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
#define NODE_3_4 "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
#define NODE_5_8 "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
#define LEAF_5 "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
#define NODE_7_8 "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
#define NODE_5_6 "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"

struct example {
	uint64_t a, size; /* index of the leaf, or the old size */
	size_t len;
	const char *proof[3];
};

static const struct example inclusions[] = {
	{ 0, 1, 0, { NULL } },
	{ 0, 8, 3, { LEAF_2, NODE_3_4, NODE_5_8 } },
	{ 5, 8, 3, { LEAF_5, NODE_7_8, ROOT_4 } },
	{ 2, 3, 1, { ROOT_2 } },
	{ 1, 5, 3, { ROOT_1, NODE_3_4, LEAF_5 } },
};

static const struct example consistencies[] = {
	{ 1, 1, 0, { NULL } },
	{ 1, 8, 3, { LEAF_2, NODE_3_4, NODE_5_8 } },
	{ 6, 8, 3, { NODE_5_6, NODE_7_8, ROOT_4 } },
	{ 2, 5, 2, { NODE_3_4, LEAF_5 } },
};

static int example_leaf(void *ctx _unused_, uint64_t i, struct merkle_hash *out, struct error *err _unused_)
{
	uint8_t data[16];
	size_t len = strlen(inputs[i]) / 2;

	CHECK(hex_decode(data, len, bytes_str(inputs[i])));
	*out = merkle_leaf(bytes_of(data, len));
	return 0;
}

static int numbered_leaf(void *ctx _unused_, uint64_t i, struct merkle_hash *out, struct error *err _unused_)
{
	uint8_t data = (uint8_t)i;

	*out = merkle_leaf(bytes_of(&data, 1));
	return 0;
}

static struct merkle_hash root_of(uint64_t size, merkle_leaf_fn leaf)
{
	struct merkle tree = { 0 };
	struct error err = { 0 };

	for (uint64_t i = 0; i < size; i++) {
		struct merkle_hash h;

		CHECK_OK(leaf(NULL, i, &h, &err));
		merkle_add(&tree, h);
	}
	CHECK_EQ(tree.size, size);
	return merkle_root(&tree);
}

static void check_hash(struct merkle_hash got, const char *want)
{
	char hex[2 * HASH_LEN + 1];

	hex_encode(hex, got.b, HASH_LEN);
	CHECK_STR(hex, want);
}

TEST(roots_are_the_published_ones)
{
	check_hash(root_of(0, example_leaf), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	for (uint64_t size = 1; size <= 8; size++)
		check_hash(root_of(size, example_leaf), roots[size - 1]);
}

TEST(proofs_are_the_published_ones)
{
	struct merkle_hash proof[MERKLE_PROOF_MAX];
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(inclusions); i++) {
		const struct example *e = &inclusions[i];

		CHECK_EQ(merkle_prove_inclusion(proof, e->a, e->size, example_leaf, NULL, &err), e->len);
		for (size_t j = 0; j < e->len; j++)
			check_hash(proof[j], e->proof[j]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(consistencies); i++) {
		const struct example *e = &consistencies[i];

		CHECK_EQ(merkle_prove_consistency(proof, e->a, e->size, example_leaf, NULL, &err), e->len);
		for (size_t j = 0; j < e->len; j++)
			check_hash(proof[j], e->proof[j]);
	}
}

/* RFC 6962 section 2.1, word by word. */
static struct merkle_hash defined_root(uint64_t from, uint64_t size)
{
	struct merkle_hash out, left, right;
	uint8_t in[1 + 2 * HASH_LEN] = { 1 };
	struct error err = { 0 };
	uint64_t k = 1;

	if (size == 1) {
		CHECK_OK(numbered_leaf(NULL, from, &out, &err));
		return out;
	}
	while (k * 2 < size)
		k *= 2;
	left = defined_root(from, k);
	right = defined_root(from + k, size - k);
	memcpy(in + 1, left.b, HASH_LEN);
	memcpy(in + 1 + HASH_LEN, right.b, HASH_LEN);
	crypto_hash_sha256(out.b, in, sizeof(in));
	return out;
}

TEST(roots_are_those_of_the_definition)
{
	for (uint64_t size = 1; size <= SIZE_MAX_TRIED; size++) {
		struct merkle_hash root = root_of(size, numbered_leaf), want = defined_root(0, size);

		assert_memory_equal(root.b, want.b, HASH_LEN);
	}
}

static void flip(struct merkle_hash *h, size_t bit)
{
	h->b[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

struct inclusion {
	struct merkle_hash leaf, root, proof[MERKLE_PROOF_MAX];
	uint64_t index, size;
	size_t len;
};

static bool included(const struct inclusion *in)
{
	return merkle_verify_inclusion(in->leaf, in->index, in->size, in->root, in->proof, in->len);
}

static struct inclusion inclusion_of(uint64_t index, uint64_t size)
{
	struct inclusion in = { .index = index, .size = size, .root = root_of(size, numbered_leaf) };
	struct error err = { 0 };
	int n = merkle_prove_inclusion(in.proof, index, size, numbered_leaf, NULL, &err);

	CHECK(n >= 0 && n < MERKLE_PROOF_MAX);
	in.len = (size_t)n;
	CHECK_OK(numbered_leaf(NULL, index, &in.leaf, &err));
	return in;
}

/* Numbers that lie about the place of the leaf. Where two trees have the same path, the other size is right too: sizes are told by
 * the checkpoint that holds the root, so only the index is tried everywhere. */
static void wrong_places_are_refused(struct inclusion in)
{
	uint64_t index = in.index;

	for (in.index = 0; in.index < in.size + 2; in.index++)
		CHECK_EQ(included(&in), in.index == index);
	in.index = index;
	in.size = 0;
	CHECK(!included(&in));
	in.size = index;
	CHECK(!included(&in));
}

static void inclusion_changes_are_refused(struct inclusion in)
{
	for (size_t bit = 0; bit < HASH_LEN * 8; bit++) {
		flip(&in.leaf, bit);
		CHECK(!included(&in));
		flip(&in.leaf, bit);
		flip(&in.root, bit);
		CHECK(!included(&in));
		flip(&in.root, bit);
		for (size_t i = 0; i < in.len; i++) {
			flip(&in.proof[i], bit);
			CHECK(!included(&in));
			flip(&in.proof[i], bit);
		}
	}
	in.len++;
	CHECK(!included(&in));
	in.len--;
	if (in.len) {
		in.len--;
		CHECK(!included(&in));
	}
}

TEST(every_inclusion_proof_verifies_and_no_changed_one)
{
	int n = 0;

	for (uint64_t size = 1; size <= SIZE_MAX_TRIED; size++) {
		for (uint64_t index = 0; index < size; index++) {
			struct inclusion in = inclusion_of(index, size);

			CHECK(included(&in));
			wrong_places_are_refused(in);
			inclusion_changes_are_refused(in);
			n++;
		}
	}
	printf("figure: %d inclusion proofs\n", n);
}

struct growth {
	struct merkle_hash old_root, new_root, proof[MERKLE_PROOF_MAX];
	uint64_t old_size, new_size;
	size_t len;
};

static bool has_grown(const struct growth *g)
{
	return merkle_verify_consistency(g->old_size, g->old_root, g->new_size, g->new_root, g->proof, g->len);
}

static void growth_changes_are_refused(struct growth g)
{
	for (size_t bit = 0; bit < HASH_LEN * 8; bit++) {
		flip(&g.old_root, bit);
		CHECK(!has_grown(&g));
		flip(&g.old_root, bit);
		flip(&g.new_root, bit);
		CHECK(!has_grown(&g));
		flip(&g.new_root, bit);
		for (size_t i = 0; i < g.len; i++) {
			flip(&g.proof[i], bit);
			CHECK(!has_grown(&g));
			flip(&g.proof[i], bit);
		}
	}
	g.len++;
	CHECK(!has_grown(&g));
	g.len--;
	if (g.len) {
		g.len--;
		CHECK(!has_grown(&g));
		g.len++;
	}
	g.old_size = 0;
	CHECK(!has_grown(&g));
	g.old_size = g.new_size + 1;
	CHECK(!has_grown(&g));
}

TEST(every_consistency_proof_verifies_and_no_changed_one)
{
	struct error err = { 0 };
	int n = 0;

	for (uint64_t size = 1; size <= SIZE_MAX_TRIED; size++) {
		for (uint64_t old = 1; old <= size; old++) {
			struct growth g = { .old_size = old, .new_size = size };
			int len = merkle_prove_consistency(g.proof, old, size, numbered_leaf, NULL, &err);

			CHECK(len >= 0 && len < MERKLE_PROOF_MAX);
			g.len = (size_t)len;
			g.old_root = root_of(old, numbered_leaf);
			g.new_root = root_of(size, numbered_leaf);
			CHECK(has_grown(&g));
			growth_changes_are_refused(g);
			n++;
		}
	}
	printf("figure: %d consistency proofs\n", n);
}

TEST(a_rewritten_history_has_no_proof)
{
	struct merkle_hash proof[MERKLE_PROOF_MAX], other;
	struct merkle tree = { 0 };
	struct error err = { 0 };
	int len = merkle_prove_consistency(proof, 20, 50, numbered_leaf, NULL, &err);

	CHECK(len > 0);
	for (uint64_t i = 0; i < 20; i++) {
		uint8_t data = i == 7 ? 200 : (uint8_t)i;

		merkle_add(&tree, merkle_leaf(bytes_of(&data, 1)));
	}
	other = merkle_root(&tree);
	CHECK(!merkle_verify_consistency(20, other, 50, root_of(50, numbered_leaf), proof, (size_t)len));
}

TEST(what_cannot_be_proved_is_refused)
{
	struct merkle_hash proof[MERKLE_PROOF_MAX];
	struct error err = { 0 };

	CHECK_EQ(merkle_prove_inclusion(proof, 5, 5, numbered_leaf, NULL, &err), E_FORMAT);
	CHECK_EQ(merkle_prove_inclusion(proof, 0, 0, numbered_leaf, NULL, &err), E_FORMAT);
	CHECK_EQ(merkle_prove_consistency(proof, 0, 5, numbered_leaf, NULL, &err), E_FORMAT);
	CHECK_EQ(merkle_prove_consistency(proof, 6, 5, numbered_leaf, NULL, &err), E_FORMAT);
}

static int failing_leaf(void *ctx _unused_, uint64_t i, struct merkle_hash *out _unused_, struct error *err)
{
	return error_set(err, E_PEER, "leaf %llu is gone", (unsigned long long)i);
}

TEST(a_leaf_that_cannot_be_had_is_passed_on)
{
	struct merkle_hash proof[MERKLE_PROOF_MAX];
	struct error err = { 0 };

	CHECK_EQ(merkle_prove_inclusion(proof, 1, 5, failing_leaf, NULL, &err), E_PEER);
	CHECK_EQ(merkle_prove_consistency(proof, 3, 5, failing_leaf, NULL, &err), E_PEER);
}
