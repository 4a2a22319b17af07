/* crypto/order.h -- batches and the orders that are their leaves: who may sign, what proves a place, who counts, when it may run
 * (docs/reference/formats.md section 7). Pure: used alike by those who plan, keep and obey. */
#pragma once

#include "crypto/merkle.h"
#include "crypto/root.h"

enum { ORDER_COUNT_MAX = 1 << 20, ORDER_WAVES_MAX = 16, ORDER_JUMP_MAX = 1000, ORDER_MEMBERS_MAX = 16 };

enum order_kind {
	ORDER_APPLY,
	ORDER_SAVE,
	ORDER_REVERT,
	ORDER_SNAPSHOT,
	ORDER_HOLD,
	ORDER_RELEASE,
	ORDER_REBOOT,
	ORDER_FACTORY_RESET,
	ORDER_PURGE,
	ORDER_SHRED, /* for the archive: a device never gets one */
	ORDER_POLICY,
	ORDER_UPGRADE,
};
enum { ORDER_KINDS = ORDER_UPGRADE + 1 };
const char *order_kind_name(enum order_kind kind);
bool order_kind_parse(enum order_kind *out, const char *name);
/* Is it one after which the device is no member of the fleet any more: bound to a challenge of the device, and delayed? */
bool order_kind_erases(enum order_kind kind);

enum order_action { ORDER_APPROVE, ORDER_REJECT, ORDER_WITHDRAW, ORDER_PAUSE, ORDER_RESUME, ORDER_ABORT, ORDER_WITNESS };
enum { ORDER_ACTIONS = ORDER_WITNESS + 1 };
const char *order_action_name(enum order_action action);
bool order_action_parse(enum order_action *out, const char *name);

/* Outcomes that are the last word of an order; of these the failures count against the batch's fail-limit. */
bool order_outcome_is_last(const char *outcome);
bool order_outcome_is_failure(const char *outcome);

/* What one area of a device, a medium or a part of it, came to: an `area` line of a receipt, docs/reference/formats.md section 9. */
enum area_claim { AREA_NONE, AREA_CLEAR, AREA_VENDOR_PURGE, AREA_PURGE };
enum area_seen { AREA_NOTHING, AREA_ACCEPTED, AREA_READ_BACK, AREA_AFTER_REBOOT };
enum area_result { AREA_NOT_DONE, AREA_PARTIAL, AREA_DONE };
enum { AREA_CLAIMS = AREA_PURGE + 1, AREA_SEENS = AREA_AFTER_REBOOT + 1, AREA_RESULTS = AREA_DONE + 1 };
struct area {
	char name[64], method[64]; /* as `name` and `word` of a statement */
	enum area_claim claimed;   /* what the method is said to do */
	enum area_seen seen;       /* what was seen of it */
	enum area_result result;
};
void area_text(struct buf *out, const struct area *area);
bool area_parse(struct area *out, const char *text);
/* What a receipt may be called by its areas: purge or clear as the weakest of them, of which it was seen, not only accepted; else none.
 * A vendor's purge is a clear. */
enum area_claim area_category(const struct statement *receipt);
const char *area_claim_name(enum area_claim claim);
const char *area_seen_name(enum area_seen seen);
const char *area_result_name(enum area_result result);

/* ---- the batch ---- */

/* Does a batch make sense in itself: kind, times, count, waves, windows? E_FORMAT names what does not. */
int batch_check(const struct statement *batch, struct error *err) _must_check_;
/* batch_check(), and one signature by a key of the person it names, who has the role. E_SEAL, E_DENIED. */
int batch_verify(const struct statement *batch, const struct root *root, struct error *err) _must_check_;
void batch_id(char out[static ID_LEN + 1], const struct statement *batch);
size_t batch_waves(const struct statement *batch);
/* The wave, from 0, of the order with this index. */
size_t batch_wave_of(const struct statement *batch, uint32_t index);
uint32_t batch_wave_end(const struct statement *batch, size_t wave);
/* May it run at this time, as far as not-before, expires and windows go? */
enum batch_time { BATCH_IN_TIME, BATCH_NOT_YET, BATCH_EXPIRED, BATCH_OUT_OF_WINDOW };
enum batch_time batch_time(const struct statement *batch, int64_t now_s);
/* Is "<days> <HH:MM>-<HH:MM>" well formed, and does it hold? */
bool window_parse_ok(const char *text);
bool window_holds(const char *text, int64_t now_s);

/* ---- the order ---- */

struct merkle_hash order_leaf(const struct statement *order);
/* Appends the proof to an order's text. leaves: all of the batch, in order; batch: its hash. */
void order_prove(struct buf *text, const uint8_t batch[static HASH_LEN], const struct merkle_hash *leaves, uint32_t count, uint32_t index);
/* Does the order's own text make sense: kind, what the kind needs and what it must not have, ranges, probes? */
int order_check(const struct statement *order, struct error *err) _must_check_;
/* order_check(), and that it is a leaf of this batch, of its kind and fleet. E_SEAL when the proof does not lead to the batch's tree. */
int order_verify(const struct statement *order, const struct statement *batch, struct error *err) _must_check_;

/* ---- who agreed ---- */

/* One signature by a key of the person it names, who has the role that the batch's kind takes; about this batch. */
int control_verify(const struct statement *control, const struct statement *batch, const struct root *root, struct error *err) _must_check_;

struct consent {
	unsigned people, need;
	bool is_rejected, is_paused, is_aborted;
	char rejected_by[64];
};
/* Counts over controls[0..count), oldest first, each of which control_verify() accepted: whose role went away with a newer root is
 * not counted, so give the root in force. */
void consent_count(struct consent *out, const struct statement *batch, const struct statement *const controls[], size_t count,
		   const struct root *root);
bool consent_is_enough(const struct consent *consent);
