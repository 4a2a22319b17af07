/* crypto/merkle.h -- RFC 6962 section 2.1 (RFC 9162) Merkle trees over SHA-256. */
#pragma once

#include "crypto/key.h"

enum { MERKLE_PROOF_MAX = 64, MERKLE_BLOCK = 16, MERKLE_LEVELS = 60 };

struct merkle_hash {
	uint8_t b[HASH_LEN];
};

/* A growing tree, kept as the roots of its full subtrees. */
struct merkle {
	uint64_t size;
	struct merkle_hash stack[64]; /* largest first; as many as size has bits set */
};

struct merkle_hash merkle_leaf(struct bytes data); /* SHA-256(0x00 | data) */
void merkle_add(struct merkle *tree, struct merkle_hash leaf);
struct merkle_hash merkle_root(const struct merkle *tree); /* of the empty tree: SHA-256 of nothing */

/* Proofs over leaf hashes that the caller fetches: leaf(ctx, i, out) for 0 <= i < size. Return the number of hashes written. */
typedef int (*merkle_leaf_fn)(void *ctx, uint64_t i, struct merkle_hash *out, struct error *err);
int merkle_prove_inclusion(struct merkle_hash proof[static MERKLE_PROOF_MAX], uint64_t index, uint64_t size, merkle_leaf_fn leaf,
			   void *ctx, struct error *err) _must_check_;
int merkle_prove_consistency(struct merkle_hash proof[static MERKLE_PROOF_MAX], uint64_t old_size, uint64_t new_size,
			     merkle_leaf_fn leaf, void *ctx, struct error *err) _must_check_;
bool merkle_verify_inclusion(struct merkle_hash leaf, uint64_t index, uint64_t size, struct merkle_hash root,
			     const struct merkle_hash *proof, size_t len);
bool merkle_verify_consistency(uint64_t old_size, struct merkle_hash old_root, uint64_t new_size, struct merkle_hash new_root,
			       const struct merkle_hash *proof, size_t len);

/* Two heads of one log, and the proof that the second continues the first. */
struct merkle_growth {
	uint64_t from, to;
	struct merkle_hash old_tree, new_tree;
	size_t len;
	struct merkle_hash node[MERKLE_PROOF_MAX];
};
/* The roots of a growing tree's full subtrees of MERKLE_BLOCK leaves and more: with them a proof reads a few leaves, however many there
 * are. Takes four bytes a leaf. */
struct merkle_cache {
	struct merkle block; /* what is behind the last full block */
	struct {
		struct merkle_hash *list;
		size_t count;
	} level[MERKLE_LEVELS]; /* of MERKLE_BLOCK << level leaves each */
};
void merkle_cache_add(struct merkle_cache *cache, struct merkle_hash leaf);
uint64_t merkle_cache_size(const struct merkle_cache *cache); /* how many were added */
void merkle_cache_done(struct merkle_cache *cache);           /* empty again */

/* cache: of the same leaves, or of fewer; NULL: none. */
int merkle_prove_growth(struct merkle_growth *out, uint64_t from, uint64_t to, merkle_leaf_fn leaf, const struct merkle_cache *cache,
			void *ctx, struct error *err) _must_check_;
bool merkle_growth_holds(const struct merkle_growth *growth);

/* Where a statement lies in a log, and the proof that it does. */
struct merkle_place {
	uint64_t index, size;
	struct merkle_hash tree;
	size_t len;
	struct merkle_hash node[MERKLE_PROOF_MAX];
};
/* index < size. cache: as for merkle_prove_growth(). */
int merkle_prove_place(struct merkle_place *out, uint64_t index, uint64_t size, merkle_leaf_fn leaf, const struct merkle_cache *cache,
		       void *ctx, struct error *err) _must_check_;
bool merkle_place_holds(const struct merkle_place *place, struct merkle_hash leaf);
