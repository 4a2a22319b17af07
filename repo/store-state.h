/* repo/store-state.h -- the index of what devices say of themselves: snapshots, statuses, and verdicts. Internal to repo/. */
#pragma once

#include "repo/sql.h"

extern const char store_state_schema[];
#define STORE_STATE_TABLES "verdict"

/* A snapshot or verdict that fits the device's chain by number and hash: do its epoch, its seals, and what it judges? */
int store_judge_state(struct store *store, const struct repo_device *device, const struct container *c, struct error *err) _must_check_;

/* Those whose row of the chain is entered already. */
int store_enter_snapshot(struct store *store, const struct statement *st, struct error *err) _must_check_;
int store_enter_verdict(struct store *store, const struct statement *st, struct error *err) _must_check_;
