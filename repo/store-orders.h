/* repo/store-orders.h -- the index of batches, orders, controls and receipts. Internal to repo/.
 *
 * What a batch has come to is counted as statements are entered, per wave, so that asking costs no walk over its orders. Entering is the
 * same in whatever order the statements come: a receipt may be there before its order is. */
#pragma once

#include "repo/sql.h"

extern const char store_order_schema[];
#define STORE_ORDER_TABLES "batch", "wave", "control", "orders", "order_text"

/* An author cannot know a root that is not in force yet: E_DENIED. root: the one in force; NULL: none. */
int store_check_root(const struct statement *st, const struct root *root, struct error *err) _must_check_;

/* As store_judge(): a batch and a control are verified by the root in force, an order by its batch. */
int store_judge_batch(struct store *store, const struct statement *st, const struct root *root, struct error *err) _must_check_;
int store_judge_control(struct store *store, const struct statement *st, const struct root *root, struct error *err) _must_check_;
int store_judge_order(struct store *store, const struct container *c, struct error *err) _must_check_;

int store_enter_batch(struct store *store, const struct statement *st, struct error *err) _must_check_;
int store_enter_control(struct store *store, const struct statement *st, struct error *err) _must_check_;
int store_enter_order(struct store *store, const struct statement *st, struct error *err) _must_check_;
/* One whose row of the chain is entered already. */
int store_enter_receipt(struct store *store, const struct statement *st, struct error *err) _must_check_;
int store_place_receipt(struct store *store, const struct statement *receipt, int64_t commit_s, struct error *err) _must_check_;
/* The archive's word that it shredded: answers the order, and says when. */
int store_settle_shred(struct store *store, const struct statement *shredded, struct error *err) _must_check_;
int store_place_shredded(struct store *store, const struct statement *shredded, int64_t commit_s, struct error *err) _must_check_;
