/* cli/batch.h -- a batch in the making: orders for many devices, and the one text over them that is signed; and the PLAN file that holds
 * both until then.
 *
 * A PLAN file is one line "holdfast-plan/1 <bytes of the batch>", and then what will be posted, one behind the other: the batch's
 * statement, unsigned until `rollout apply`, then each order's container (text, proof, payload) by index. So it holds no secret in
 * plaintext, and any change in it shows. */
#pragma once

#include "cli/cli.h"
#include "crypto/order.h"
#include "crypto/seal.h"

enum { BATCH_FILE_MAX = 0x40000000 }; /* 1 GiB: 10,000 devices with 100 KiB each */

/* What holds for all orders of a batch. Texts are borrowed. */
struct batch_terms {
	enum order_kind kind;
	const char *fleet, *person, *reason, *ticket; /* ticket: NULL for none */
	const struct root *root;
	int64_t time_s, not_before_s, expires_s, soak_s;
	unsigned fail_limit;
	const char *const *windows;
	size_t window_count;
	uint32_t waves[ORDER_WAVES_MAX];
	size_t wave_count; /* 0 or 1: one wave */
	bool is_whole;                /* apply */
	int64_t confirm_s, settle_s;  /* apply, upgrade; -1: the device's default */
	int64_t until_s;              /* hold */
};

struct batch_order {
	const char *device;
	uint64_t number;
	uint64_t base; /* 0: none */
	uint8_t base_hash[HASH_LEN];
	const char *const *probes;
	size_t probe_count;
	const char *const *members; /* ids of its atomic group, this one among them */
	size_t member_count;
	struct buf *seal; /* apply, policy, upgrade: from batch_seal(); taken over */
	const uint8_t *challenge; /* factory-reset, purge: HASH_LEN bytes */
	const uint8_t *after;     /* shred: hash of the batch that erases; NULL: the device is given up */
};

struct batch_draft {
	struct batch_terms terms;
	size_t count;
	struct batch_leaf {
		struct buf text, seal;
		struct merkle_hash leaf;
	} *leaves;
	struct buf batch; /* after batch_finish(): its text, unsigned */
};

/* Seals what a device is to get, to it and to the root's readers; appended to out. */
int batch_seal(struct buf *out, const struct root *root, const struct age_recipient *box, struct bytes payload, struct error *err)
	_must_check_;
/* The next order, in the order of the plan. */
int batch_add(struct batch_draft *draft, const struct batch_order *order, struct error *err) _must_check_;
/* The batch's text over all of them. */
int batch_finish(struct batch_draft *draft, struct error *err) _must_check_;
/* The container of one order, with its proof, appended to out; batch_finish() was called. */
void batch_put_order(struct buf *out, const struct batch_draft *draft, const uint8_t hash[static HASH_LEN],
		     const struct merkle_hash *levels, uint32_t index);
/* The whole PLAN file. */
void batch_put_file(struct buf *out, const struct batch_draft *draft);
void batch_draft_done(struct batch_draft *draft);

/* A PLAN file that was read and checked: every order is a leaf of the batch, at its place, with the payload that it names. */
struct batch_file {
	struct buf bytes;
	struct statement *batch; /* signed or not */
	size_t count;
	struct bytes *orders; /* containers, by index; into bytes */
};
/* E_SEAL when the file was changed after it was made: says which device. */
int batch_file_parse(struct batch_file *out, struct buf *bytes, struct error *err) _must_check_;
/* The same file with a batch that is signed now, appended to out. */
void batch_file_sign(struct buf *out, const struct batch_file *file, struct bytes signed_batch);
void batch_file_done(struct batch_file *file);

/* All levels of the RFC 6962 tree over count leaves, one behind the other, the leaves first; the caller frees. */
struct merkle_hash *batch_levels(const struct merkle_hash *leaves, uint32_t count) _must_check_;
