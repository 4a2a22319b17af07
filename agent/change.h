/* agent/change.h -- confirmed commit: an order that is being carried out, as a machine without I/O, and its journal.
 *
 *   applying --> proving --> [waiting] --> saving --> done          apply
 *       |           |            |           |
 *       '-----------'------------'-----------'--> returning --> returned, failed
 *
 *   saving --> done, refused, failed                                save
 *   returning --> done, failed                                      revert
 *   doing --> done, failed                                          snapshot, hold, release, policy
 *
 * Events go in, the next action comes out (change_next). What must be on disk before an effect is an action, too: CHANGE_STORE. The way
 * back is the startup configuration, which was equal to running when the order began, so the journal needs no text of the device. After a
 * restart of the agent a change that was proven goes on, a member that said `healthy` keeps its word until its deadline, and
 * everything else returns. docs/explanation/orders.md draws the states. */
#pragma once

#include "agent/apply.h"
#include "agent/floor.h"
#include "agent/orders.h"

enum {
	CHANGE_NOTE_MAX = 480,
	CHANGE_TRIES = 5,
	CHANGE_PATIENCE_MS = 300000,
	CHANGE_ROUND_MS = 1000,
	CHANGE_FILE_MAX = 128 << 10,
	CHANGE_ABSENT = 1
};

enum change_phase {
	CHANGE_NONE,
	CHANGE_APPLYING,
	CHANGE_PROVING, /* in the journal still `applying`: nothing is done in it that a restart would have to know */
	CHANGE_WAITING,
	CHANGE_SAVING,
	CHANGE_RETURNING,
	CHANGE_DOING,
	CHANGE_ENDED,
};
enum { CHANGE_PHASES = CHANGE_ENDED + 1 };
const char *change_phase_name(enum change_phase phase);

enum change_action {
	CHANGE_REST,        /* nothing until the next event */
	CHANGE_STORE,       /* the journal; then change_stored() */
	CHANGE_APPLY,       /* the payload; then change_applied() */
	CHANGE_PROVE,       /* a round of server and probes; then change_proved() */
	CHANGE_SAY_HEALTHY, /* a receipt; then change_said() */
	CHANGE_SAVE,        /* then change_saved() */
	CHANGE_RETURN,      /* then change_returned() */
	CHANGE_DO,          /* what the kind says; then change_did() */
	CHANGE_END,         /* the last receipt, out of `end`; then change_close() */
};

struct change {
	/* what the journal holds */
	enum change_phase phase;
	struct statement *order; /* its text alone */
	enum order_kind kind;
	uint64_t number;
	uint8_t batch[HASH_LEN], leaf[HASH_LEN];
	char person[64], reason[256]; /* of the batch */
	uint8_t before[APPLY_DIGEST_LEN]; /* of startup when it began: the way back */
	uint8_t after[APPLY_DIGEST_LEN];  /* of running once it was applied; save: when it began */
	uint64_t began_ms;                /* clock_mono_ms() of this start of the machine: */
	char boot[FLOOR_BOOT_LEN];
	int64_t deadline_s; /* as a clock would show it, for people */
	char why[CHANGE_NOTE_MAX]; /* why it returns */

	/* what it knows */
	enum change_phase stored;
	bool is_asked; /* the action before is not answered yet */
	bool is_seen;  /* the device, since the last action that may have changed it; whole, and recorded */
	uint8_t running[APPLY_DIGEST_LEN], startup[APPLY_DIGEST_LEN];
	uint64_t unseen_ms; /* since when it is not; 0: it was never missed */
	bool is_healthy;                /* the newest round was good: */
	uint64_t healthy_ms, proved_ms; /* when the first good one without a bad one since began, and the newest ended */
	uint64_t due_ms;                /* nothing before */
	bool is_said, is_complete, is_done;
	unsigned tries, denials;
	char sick[CHANGE_NOTE_MAX]; /* what the newest bad round said */
	struct orders_end end;
};

/* A new order. order: copied; seen: the device as it was looked at and recorded, running equal startup for an apply. */
struct change_order {
	const struct statement *order, *batch;
	const uint8_t *leaf;
};
void change_begin(struct change *c, const struct change_order *from, const struct apply_expect *seen, uint64_t now_ms, int64_t now_s);
void change_done(struct change *c);
bool change_is_open(const struct change *c);
uint64_t change_deadline_ms(const struct change *c);

enum change_action change_next(struct change *c, uint64_t now_ms);

/* is_stored false: the disk refused. Before the first effect that ends the change as if it had never begun: it is closed then. */
void change_stored(struct change *c, bool is_stored, const struct error *why);
/* code as of IPC_APPLY; running: the digest that came with a 0. */
void change_applied(struct change *c, const struct error *result, const uint8_t running[static APPLY_DIGEST_LEN]);
/* A round that began at began_ms, looks included, ended now. why: "" when all was well. */
void change_proved(struct change *c, uint64_t began_ms, uint64_t now_ms, const char *why);
void change_said(struct change *c, bool is_said);
void change_saved(struct change *c, const struct error *result, uint64_t now_ms);
void change_returned(struct change *c, const struct error *result, uint64_t now_ms);
void change_did(struct change *c, const struct error *result, uint64_t now_ms);
/* The process that touches the device died: what was asked of it may have been done, or not, or half. */
void change_lost(struct change *c, uint64_t now_ms);
/* A look that is whole and recorded; or one that is not. */
void change_looked(struct change *c, const struct apply_expect *seen);
void change_unseen(struct change *c, uint64_t now_ms, const char *why);
/* A part of the device was started again. */
void change_restarted(struct change *c);
/* The others of the group: all healthy, or one that is not and will not be. */
void change_group(struct change *c, bool is_healthy, const char *why);
void change_close(struct change *c);

/* ---- the journal: the file `change` in the device's folder ---- */

int change_store(const struct change *c, const char *dir, struct error *err) _must_check_;
/* CHANGE_ABSENT when there is none. Otherwise the change goes on as after a restart. healthy: the newest order that said so. */
int change_load(struct change *c, const char *dir, uint64_t healthy, uint64_t now_ms, struct error *err) _must_check_;
int change_remove(const char *dir, struct error *err) _must_check_;
void change_write(struct buf *out, const struct change *c);
int change_read(struct change *out, struct bytes in, uint64_t healthy, uint64_t now_ms, struct error *err) _must_check_;
