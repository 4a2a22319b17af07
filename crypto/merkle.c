/* crypto/merkle.c -- RFC 6962 section 2.1 Merkle trees over SHA-256. */
#include "crypto/merkle.h"

#include <stdlib.h>
#include <string.h>

struct merkle_hash merkle_leaf(struct bytes data)
{
	struct merkle_hash out;
	const uint8_t zero = 0;

	sha256_of_two(out.b, bytes_of(&zero, 1), data);
	return out;
}

static struct merkle_hash node(struct merkle_hash left, struct merkle_hash right)
{
	uint8_t in[1 + 2 * HASH_LEN] = { 1 };
	struct merkle_hash out;

	memcpy(in + 1, left.b, HASH_LEN);
	memcpy(in + 1 + HASH_LEN, right.b, HASH_LEN);
	sha256(out.b, bytes_of(in, sizeof(in)));
	return out;
}

/* A full subtree of `leaves` leaves, a power of two that divides the size so far. */
static void add_subtree(struct merkle *tree, struct merkle_hash root, uint64_t leaves)
{
	unsigned depth = (unsigned)__builtin_popcountll(tree->size);

	/* as many subtrees of one size merge as the size has ones at its end */
	for (uint64_t size = tree->size / leaves; size & 1; size >>= 1)
		root = node(tree->stack[--depth], root);
	tree->stack[depth] = root;
	tree->size += leaves;
}

void merkle_add(struct merkle *tree, struct merkle_hash leaf)
{
	add_subtree(tree, leaf, 1);
}

struct merkle_hash merkle_root(const struct merkle *tree)
{
	unsigned depth = (unsigned)__builtin_popcountll(tree->size);
	struct merkle_hash root;

	if (!depth) {
		sha256(root.b, (struct bytes){ 0 });
		return root;
	}
	root = tree->stack[--depth];
	while (depth)
		root = node(tree->stack[--depth], root);
	return root;
}

/* Two subtrees of one level make one of the next. */
static void cache_subtree(struct merkle_cache *cache, unsigned level, struct merkle_hash root)
{
	size_t *count = &cache->level[level].count;
	struct merkle_hash **list = &cache->level[level].list;

	if (!(*count & (*count - 1)))
		*list = mem_grow(*list, (*count ? 2 * *count : 1) * sizeof(**list));
	(*list)[(*count)++] = root;
	if (!(*count & 1))
		cache_subtree(cache, level + 1, node((*list)[*count - 2], (*list)[*count - 1]));
}

void merkle_cache_add(struct merkle_cache *cache, struct merkle_hash leaf)
{
	merkle_add(&cache->block, leaf);
	if (cache->block.size < MERKLE_BLOCK)
		return;
	cache_subtree(cache, 0, merkle_root(&cache->block));
	cache->block = (struct merkle){ 0 };
}

uint64_t merkle_cache_size(const struct merkle_cache *cache)
{
	return cache->level[0].count * (uint64_t)MERKLE_BLOCK + cache->block.size;
}

void merkle_cache_done(struct merkle_cache *cache)
{
	for (unsigned i = 0; i < MERKLE_LEVELS; i++)
		free(cache->level[i].list);
	*cache = (struct merkle_cache){ 0 };
}

/* The largest power of two below n (n >= 2). */
static uint64_t split(uint64_t n)
{
	uint64_t k = 1;

	while (k << 1 < n)
		k <<= 1;
	return k;
}

/* Where leaves come from; cache may be NULL. */
struct source {
	merkle_leaf_fn leaf;
	const struct merkle_cache *cache;
	void *ctx;
};

/* The largest subtree in the cache that begins at this leaf and has at most `most` leaves. Returns how many it has; 0: there is none. */
static uint64_t find_subtree(struct merkle_hash *out, const struct merkle_cache *cache, uint64_t at, uint64_t most)
{
	uint64_t found = 0;

	for (unsigned i = 0; cache && i < MERKLE_LEVELS; i++) {
		uint64_t leaves = (uint64_t)MERKLE_BLOCK << i;

		if (leaves > most || at % leaves || at / leaves >= cache->level[i].count)
			break;
		*out = cache->level[i].list[at / leaves];
		found = leaves;
	}
	return found;
}

/* Every range of a proof begins at a multiple of a power of two that is not below its length, so whole subtrees lie in it. */
static int range_root(struct merkle_hash *out, uint64_t from, uint64_t count, const struct source *source, struct error *err)
{
	struct merkle tree = { 0 };

	while (tree.size < count) {
		struct merkle_hash h;
		uint64_t leaves = find_subtree(&h, source->cache, from + tree.size, count - tree.size);
		int r = leaves ? 0 : source->leaf(source->ctx, from + tree.size, &h, err);

		if (r < 0)
			return r;
		add_subtree(&tree, h, leaves ? leaves : 1);
	}
	*out = merkle_root(&tree);
	return 0;
}

static int prove_inclusion(struct merkle_hash proof[static MERKLE_PROOF_MAX], uint64_t index, uint64_t size, const struct source *source,
			   struct error *err)
{
	uint64_t from = 0;
	int n = 0;

	if (index >= size)
		return error_set(err, E_FORMAT, "leaf %llu is not in a tree of %llu", (unsigned long long)index, (unsigned long long)size);
	while (size > 1) {
		uint64_t k = split(size);
		bool left = index - from < k;
		int r = left ? range_root(&proof[n], from + k, size - k, source, err) : range_root(&proof[n], from, k, source, err);

		if (r < 0)
			return r;
		n++;
		from += left ? 0 : k;
		size = left ? k : size - k;
	}
	/* found from the root down; a proof is written from the leaf up */
	for (int i = 0; i < n / 2; i++) {
		struct merkle_hash swap = proof[i];

		proof[i] = proof[n - 1 - i];
		proof[n - 1 - i] = swap;
	}
	return n;
}

int merkle_prove_inclusion(struct merkle_hash proof[static MERKLE_PROOF_MAX], uint64_t index, uint64_t size, merkle_leaf_fn leaf, void *ctx,
			   struct error *err)
{
	return prove_inclusion(proof, index, size, &(struct source){ leaf, NULL, ctx }, err);
}

static int prove_consistency(struct merkle_hash proof[static MERKLE_PROOF_MAX], uint64_t old_size, uint64_t new_size,
			     const struct source *source, struct error *err)
{
	struct merkle_hash down[MERKLE_PROOF_MAX];
	uint64_t from = 0, m = old_size, size = new_size;
	bool whole = true; /* the old tree is exactly what is left of the range */
	int n = 0, r;

	if (!old_size || old_size > new_size)
		return error_set(err, E_FORMAT, "no consistency proof from %llu to %llu", (unsigned long long)old_size,
				 (unsigned long long)new_size);
	while (m != size) {
		uint64_t k = split(size);

		if (m <= k) {
			r = range_root(&down[n], from + k, size - k, source, err);
			size = k;
		} else {
			r = range_root(&down[n], from, k, source, err);
			from += k;
			m -= k;
			size -= k;
			whole = false;
		}
		if (r < 0)
			return r;
		n++;
	}
	if (!whole) {
		r = range_root(&down[n], from, size, source, err);
		if (r < 0)
			return r;
		n++;
	}
	for (int i = 0; i < n; i++)
		proof[i] = down[n - 1 - i];
	return n;
}

int merkle_prove_consistency(struct merkle_hash proof[static MERKLE_PROOF_MAX], uint64_t old_size, uint64_t new_size, merkle_leaf_fn leaf,
			     void *ctx, struct error *err)
{
	struct source source = { leaf, NULL, ctx };

	return prove_consistency(proof, old_size, new_size, &source, err);
}

int merkle_prove_growth(struct merkle_growth *out, uint64_t from, uint64_t to, merkle_leaf_fn leaf, const struct merkle_cache *cache,
			void *ctx, struct error *err)
{
	struct source source = { leaf, cache, ctx };
	int n;

	*out = (struct merkle_growth){ .from = from, .to = to };
	n = prove_consistency(out->node, from, to, &source, err);
	if (n < 0 || range_root(&out->old_tree, 0, from, &source, err) < 0 || range_root(&out->new_tree, 0, to, &source, err) < 0)
		return err->code;
	out->len = (size_t)n;
	return 0;
}

int merkle_prove_place(struct merkle_place *out, uint64_t index, uint64_t size, merkle_leaf_fn leaf, const struct merkle_cache *cache,
		       void *ctx, struct error *err)
{
	struct source source = { leaf, cache, ctx };
	int n;

	*out = (struct merkle_place){ .index = index, .size = size };
	n = prove_inclusion(out->node, index, size, &source, err);
	if (n < 0 || range_root(&out->tree, 0, size, &source, err) < 0)
		return err->code;
	out->len = (size_t)n;
	return 0;
}

static bool equal(struct merkle_hash a, struct merkle_hash b)
{
	return !memcmp(a.b, b.b, HASH_LEN);
}

/* RFC 9162 section 2.1.3.2. */
bool merkle_verify_inclusion(struct merkle_hash leaf, uint64_t index, uint64_t size, struct merkle_hash root,
			     const struct merkle_hash *proof, size_t len)
{
	uint64_t fn = index, sn = size - 1;

	if (index >= size)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!sn)
			return false;
		if (fn & 1 || fn == sn) {
			leaf = node(proof[i], leaf);
			while (!(fn & 1) && fn) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			leaf = node(leaf, proof[i]);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return !sn && equal(leaf, root);
}

/* RFC 9162 section 2.1.4.2. */
bool merkle_verify_consistency(uint64_t old_size, struct merkle_hash old_root, uint64_t new_size, struct merkle_hash new_root,
			       const struct merkle_hash *proof, size_t len)
{
	uint64_t fn = old_size - 1, sn = new_size - 1;
	struct merkle_hash fr, sr;
	size_t i = 0;

	if (!old_size || old_size > new_size)
		return false;
	if (old_size == new_size)
		return !len && equal(old_root, new_root);
	if (!(old_size & (old_size - 1))) {
		fr = old_root; /* a power of two: the old root itself begins the proof */
	} else {
		if (!len)
			return false;
		fr = proof[i++];
	}
	sr = fr;
	while (fn & 1) {
		fn >>= 1;
		sn >>= 1;
	}
	for (; i < len; i++) {
		if (!sn)
			return false;
		if (fn & 1 || fn == sn) {
			fr = node(proof[i], fr);
			sr = node(proof[i], sr);
			while (!(fn & 1) && fn) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			sr = node(sr, proof[i]);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return !sn && equal(fr, old_root) && equal(sr, new_root);
}

bool merkle_place_holds(const struct merkle_place *place, struct merkle_hash leaf)
{
	return merkle_verify_inclusion(leaf, place->index, place->size, place->tree, place->node, place->len);
}

bool merkle_growth_holds(const struct merkle_growth *growth)
{
	return merkle_verify_consistency(growth->from, growth->old_tree, growth->to, growth->new_tree, growth->node, growth->len);
}
