/* tests/fuzz/fuzz-merkle.c -- Merkle proofs from outside, against the definition's own recursion and against true trees.
 *
 * Input: kind and numbers (8 bytes each), then hashes of 32 bytes. */
#include "tests/fuzz/fuzz.h"

#include "crypto/merkle.h"

#include <string.h>

enum { TREE_MAX = 300 };

unsigned fuzz_cost = 4;

static struct merkle_hash node(struct merkle_hash left, struct merkle_hash right)
{
	uint8_t in[1 + 2 * HASH_LEN] = { 1 };
	struct merkle_hash out;

	memcpy(in + 1, left.b, HASH_LEN);
	memcpy(in + 1 + HASH_LEN, right.b, HASH_LEN);
	sha256(out.b, bytes_of(in, sizeof(in)));
	return out;
}

/* The largest power of two below n. */
static uint64_t split(uint64_t n)
{
	uint64_t k = 1;

	while (k < n - k)
		k *= 2;
	return k;
}

struct proof {
	struct merkle_hash hash[MERKLE_PROOF_MAX];
	size_t len, used; /* used from the end, where the root is */
};

static struct merkle_hash take_last(struct proof *p)
{
	MUST(p->used < MERKLE_PROOF_MAX);
	p->used++;
	return p->hash[p->len - p->used];
}

/* How long is the path (RFC 6962 section 2.1.1) of a leaf? */
static size_t path_len(uint64_t index, uint64_t size)
{
	size_t n = 0;

	for (; size > 1; n++) {
		uint64_t k = split(size);

		size = index < k ? k : size - k;
		index -= index < k ? 0 : k;
	}
	return n;
}

/* The root that a path leads to, by the definition's recursion: the verifier has a loop. */
static struct merkle_hash root_by_path(struct merkle_hash leaf, uint64_t index, uint64_t size, struct proof *p)
{
	struct merkle_hash last;
	uint64_t k;

	if (size == 1)
		return leaf;
	k = split(size);
	last = take_last(p);
	return index < k ? node(root_by_path(leaf, index, k, p), last) : node(last, root_by_path(leaf, index - k, size - k, p));
}

/* The length of SUBPROOF(m, D[n], whole), and both roots that such a proof leads to (section 2.1.2). */
static size_t subproof_len(uint64_t m, uint64_t n, bool whole)
{
	uint64_t k;

	if (m == n)
		return whole ? 0 : 1;
	k = split(n);
	return 1 + (m <= k ? subproof_len(m, k, whole) : subproof_len(m - k, n - k, false));
}

struct two_roots {
	struct merkle_hash old, new;
};

static struct two_roots roots_by_proof(struct merkle_hash old_root, uint64_t m, uint64_t n, bool whole, struct proof *p)
{
	struct merkle_hash last = old_root;
	struct two_roots r;
	uint64_t k;

	if (m != n || !whole)
		last = take_last(p);
	if (m == n)
		return (struct two_roots){ last, last };
	k = split(n);
	if (m <= k) {
		r = roots_by_proof(old_root, m, k, whole, p);
		return (struct two_roots){ r.old, node(r.new, last) };
	}
	r = roots_by_proof(old_root, m - k, n - k, false, p);
	return (struct two_roots){ node(last, r.old), node(last, r.new) };
}

static int leaf_of(void *ctx _unused_, uint64_t i, struct merkle_hash *out, struct error *err _unused_)
{
	uint8_t be[8];

	for (int k = 0; k < 8; k++)
		be[k] = (uint8_t)(i >> (8 * k));
	*out = merkle_leaf(bytes_of(be, 8));
	return 0;
}

static struct merkle_hash root_of(uint64_t size)
{
	struct merkle tree = { 0 };
	struct merkle_hash leaf;
	struct error err = { 0 };

	for (uint64_t i = 0; i < size; i++) {
		MUST_OK(leaf_of(NULL, i, &leaf, &err));
		merkle_add(&tree, leaf);
	}
	return merkle_root(&tree);
}

/* Sizes come from statements, so they have at most 53 bits. */
static uint64_t read_size(struct reader *rd)
{
	return read_u64(rd) & ((1ULL << 53) - 1);
}

static struct merkle_hash take_hash(struct reader *rd)
{
	struct merkle_hash hash = { { 0 } };
	struct bytes in = read_bytes(rd, HASH_LEN);

	if (in.len)
		memcpy(hash.b, in.ptr, HASH_LEN);
	return hash;
}

static void take_proof(struct proof *p, size_t len, struct reader *rd)
{
	*p = (struct proof){ .len = len };
	MUST(len <= MERKLE_PROOF_MAX);
	for (size_t i = 0; i < len; i++)
		p->hash[i] = take_hash(rd);
}

static void check_inclusion(struct reader *rd)
{
	uint64_t index = read_size(rd), size = read_size(rd);
	struct merkle_hash leaf = take_hash(rd), root;
	struct proof p;

	if (index >= size) {
		take_proof(&p, 3, rd);
		MUST(!merkle_verify_inclusion(leaf, index, size, leaf, p.hash, 0) &&
		     !merkle_verify_inclusion(leaf, index, size, leaf, p.hash, 3));
		return;
	}
	take_proof(&p, path_len(index, size), rd);
	root = root_by_path(leaf, index, size, &p);
	MUST(p.used == p.len && merkle_verify_inclusion(leaf, index, size, root, p.hash, p.len));
	for (size_t len = 0; len < p.len; len++)
		MUST(!merkle_verify_inclusion(leaf, index, size, root, p.hash, len));
	root.b[index % HASH_LEN] ^= 1;
	MUST(!merkle_verify_inclusion(leaf, index, size, root, p.hash, p.len));
}

static void check_consistency(struct reader *rd)
{
	uint64_t m = read_size(rd), n = read_size(rd);
	struct merkle_hash old_root = take_hash(rd);
	struct two_roots r;
	struct proof p;

	if (!m || m > n) {
		take_proof(&p, 3, rd);
		MUST(!merkle_verify_consistency(m, old_root, n, old_root, p.hash, 0) &&
		     !merkle_verify_consistency(m, old_root, n, old_root, p.hash, 3));
		return;
	}
	take_proof(&p, subproof_len(m, n, true), rd);
	r = roots_by_proof(old_root, m, n, true, &p);
	MUST(p.used == p.len && merkle_verify_consistency(m, r.old, n, r.new, p.hash, p.len));
	for (size_t len = 0; len < p.len; len++)
		MUST(!merkle_verify_consistency(m, r.old, n, r.new, p.hash, len));
	r.new.b[m % HASH_LEN] ^= 1;
	MUST(!merkle_verify_consistency(m, r.old, n, r.new, p.hash, p.len));
}

/* A true tree: its proofs hold, and with the input's bytes put somewhere into them they do not. */
static void check_true(struct reader *rd)
{
	struct merkle_hash proof[MERKLE_PROOF_MAX], leaf, root, old_root;
	uint64_t size = read_u64(rd) % TREE_MAX + 1, at = read_u64(rd) % size;
	uint8_t change = read_u8(rd), place = read_u8(rd);
	struct error err = { 0 };
	int len;

	root = root_of(size);
	old_root = root_of(at + 1);
	MUST_OK(leaf_of(NULL, at, &leaf, &err));
	len = merkle_prove_inclusion(proof, at, size, leaf_of, NULL, &err);
	MUST(len >= 0 && merkle_verify_inclusion(leaf, at, size, root, proof, (size_t)len));
	if (len && change) {
		proof[place % len].b[place % HASH_LEN] ^= change;
		MUST(!merkle_verify_inclusion(leaf, at, size, root, proof, (size_t)len));
	}
	len = merkle_prove_consistency(proof, at + 1, size, leaf_of, NULL, &err);
	MUST(len >= 0 && merkle_verify_consistency(at + 1, old_root, size, root, proof, (size_t)len));
	if (len && change) {
		proof[place % len].b[place % HASH_LEN] ^= change;
		MUST(!merkle_verify_consistency(at + 1, old_root, size, root, proof, (size_t)len));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader rd = reader_over(bytes_of(data, size));

	switch (read_u8(&rd) % 3) {
	case 0:
		check_inclusion(&rd);
		break;
	case 1:
		check_consistency(&rd);
		break;
	default:
		check_true(&rd);
		break;
	}
	return 0;
}
