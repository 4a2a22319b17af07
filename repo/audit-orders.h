/* repo/audit-orders.h -- what an audit remembers of batches, orders and receipts. Internal to repo/. */
#pragma once

#include "crypto/order.h"

struct order_book;

struct order_book *order_book_new(void);
struct order_book *order_book_free(struct order_book *book);

/* Each takes a statement note of; negative with err: what is wrong with it. root: the one in force then; NULL: none. */
int order_book_batch(struct order_book *book, const struct statement *st, const struct root *root, struct error *err) _must_check_;
int order_book_order(struct order_book *book, const struct statement *st, struct error *err) _must_check_;
int order_book_control(struct order_book *book, const struct statement *st, const struct root *root, struct error *err) _must_check_;
/* A receipt may come before its order; path: where it lies. */
int order_book_receipt(struct order_book *book, const struct statement *st, const char *path, struct error *err) _must_check_;

/* The batch with this hash; NULL: it has not come. */
const struct statement *order_book_find(struct order_book *book, const uint8_t hash[static HASH_LEN]);

/* At the end: every receipt to which no order came. */
void order_book_strays(struct order_book *book, void (*fn)(void *ctx, const char *path), void *ctx);
