/* repo/store-state.h -- the index of what devices say of themselves: snapshots, statuses, and verdicts. Internal to repo/. */
#pragma once

#include "repo/sql.h"

extern const char store_state_schema[];
#define STORE_STATE_TABLES "verdict", "state"

enum { STATE_SEALS = 4, STATE_SEAL_LEN = 8 + HASH_LEN };

/* What judging needs of a device. */
struct state {
	uint64_t head, epoch;
	uint8_t head_hash[HASH_LEN];
	bool is_retired;
	uint8_t seals[STATE_SEALS][STATE_SEAL_LEN], findings[STATE_SEAL_LEN]; /* that the newest snapshot and the newest verdict list */
};

/* REPO_ABSENT: it is not enrolled. */
int store_state(struct state *out, struct store *store, const char *device, struct error *err) _must_check_;

/* Is it the snapshot that comes next in a chain that stands so, by its number, the hash of the one before, its epoch and its seals? Then
 * `then` is how the chain stands behind it. When it is not, or is no snapshot, the others tell what it is. */
bool state_is_next(struct state *then, const struct state *now, const struct container *c);

/* A snapshot or verdict that fits the device's chain by number and hash: do its epoch, its seals, and what it judges? */
int store_judge_state(struct store *store, const struct state *state, const struct container *c, struct error *err) _must_check_;

/* Those whose row of the chain is entered already. refs: the seals that it lists. */
int store_enter_snapshot(struct store *store, const struct statement *st, const struct seal_ref *refs, size_t count,
			 struct error *err) _must_check_;
int store_enter_verdict(struct store *store, const struct statement *st, struct error *err) _must_check_;
