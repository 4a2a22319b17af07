/* agent/news.h -- what a poll brings: roots, the admission, checkpoints; batches with their controls and orders; receipts of a group.
 *
 * What says what time it is and who may do what counts first, wherever it stands in the list; orders come last. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum { NEWS_ORDERS_MAX = 16, NEWS_RECEIPTS_MAX = 64 };

struct duty;

/* Takes the list. Returns 1 when something in it was new, 0 when all was known; E_FORMAT, E_SEAL or E_DENIED for what does not hold: what
 * stands before it counts all the same. *has_root: a root or an admission was new. */
int news_take(struct duty *d, struct bytes list, bool *has_root, struct error *err) _must_check_;
