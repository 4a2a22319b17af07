/* repo/store-retire.h -- the index of how devices leave: what archive and people said of shredding, and certificates. Internal to repo/. */
#pragma once

#include "repo/store-orders.h"

extern const char store_retire_schema[];
#define STORE_RETIRE_TABLES "said"

/* shredded and certificate, as store_judge(); each party says one thing of a device. */
int store_judge_said(struct store *store, const struct statement *st, struct error *err) _must_check_;
/* What the archive says settles the order to shred, and ends what its key was good for. */
int store_enter_said(struct store *store, const struct statement *st, struct error *err) _must_check_;
