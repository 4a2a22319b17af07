/* agent/erase.h -- an order that erases the device, as a machine without I/O, and its journal.
 *
 *   armed --> recording --> erasing --> saying --> sending --> destroying          done
 *     |           |                       '--> (over: failed)
 *     '-----------'--> refused
 *
 *   armed       the root's delay, in which one person can stop it
 *   recording   what the device looks like is archived, and a poll that began behind all that brought nobody's objection
 *   erasing     nothing is judged any more: whatever is cut off goes on until the driver says that it is over, or failed too often
 *   saying      what came of it is in the journal, and goes into the last receipt
 *   sending     until the archive has that receipt; or for ERASE_SAY_MS, then it stays where it can be exported from
 *   destroying  the device's keys and folder go (agent/retired.h)
 *
 * Events go in, the next action comes out (erase_next). What must be on disk before an effect is an action, too: ERASE_STORE.
 * docs/explanation/retirement.md says what each power cut leaves. */
#pragma once

#include "agent/apply.h"
#include "agent/floor.h"
#include "agent/orders.h"

enum {
	ERASE_TRIES = 5,             /* failures in a row */
	ERASE_SAY_MS = 600000,       /* for a server that is away, before the key goes all the same */
	ERASE_PATIENCE_MS = 300000,  /* for a device that does not answer: then what was recorded before is its last snapshot */
	ERASE_NOTE_MAX = 480,
	ERASE_FILE_MAX = 2 << 20,
	ERASE_ABSENT = 1,
};

enum erase_phase {
	ERASE_NONE,
	ERASE_ARMED,
	ERASE_RECORDING, /* in the journal still `armed` */
	ERASE_ERASING,
	ERASE_SAYING,
	ERASE_SENDING,   /* in the journal still `saying`: the chain tells */
	ERASE_DESTROYING,
	ERASE_REFUSED,   /* in the journal still `armed`, with the decisions that led to it */
};
enum { ERASE_PHASES = ERASE_REFUSED + 1 };
const char *erase_phase_name(enum erase_phase phase);

enum erase_action {
	ERASE_REST,      /* nothing until the next event, or erase_due_ms() */
	ERASE_STORE,     /* the journal; then erase_stored() */
	ERASE_SAY_ARMED, /* a receipt; then erase_said() */
	ERASE_POLL,      /* then erase_heard(), behind the answer to a poll that began now or later */
	ERASE_JUDGE,     /* count once more who stands behind it; then erase_judged() */
	ERASE_ERASE,     /* then erase_answered() */
	ERASE_SAY_LAST,  /* the last receipt, by erase_outcome(); then erase_said_last() */
	ERASE_DESTROY,
};

struct erase {
	/* what the journal holds */
	enum erase_phase phase;
	struct statement *order; /* its text alone */
	struct orders_batch *batch; /* its own copy, with the decisions that count */
	enum order_kind kind;
	uint64_t number;
	uint8_t leaf[HASH_LEN];
	uint64_t began_ms; /* clock_mono_ms() of this start of the machine: */
	char boot[FLOOR_BOOT_LEN];
	struct device_erased erased; /* from saying on: */
	bool was_unseen;             /* the device did not answer, so its last snapshot is what was recorded before */
	bool is_sure;                /* the driver said that it is over, and every area is done */
	char note[ERASE_NOTE_MAX];

	/* what it knows */
	enum erase_phase stored;
	bool is_dirty; /* the journal lacks a decision, or when it began */
	bool is_asked; /* the action before is not answered yet */
	bool is_said, is_recorded, is_polling, is_heard, is_missed;
	uint64_t unseen_ms; /* since when the device does not answer; 0: it does, or was not looked at */
	uint64_t due_ms;    /* nothing before */
	uint64_t sending_ms, receipt; /* since when, and the number of the last receipt */
	unsigned tries;
	enum orders_check check; /* why it is refused */
	char sick[ERASE_NOTE_MAX];
};

/* What is so at this moment. */
struct erase_now {
	uint64_t ms;
	unsigned delay_s;       /* by the root in force */
	bool is_expired;
	uint64_t acked, newest; /* statements of the chain */
};

/* A new order, which was judged. Copies what it needs; controls that do not hold by this root are left out. */
void erase_begin(struct erase *e, const struct orders_item *item, const struct root *root, uint64_t now_ms);
void erase_done(struct erase *e);
bool erase_is_open(const struct erase *e);
/* Did it begin to erase, so that the device is not what it was? */
bool erase_is_under_way(const struct erase *e);
/* Is its last receipt made, so that nothing may follow it in the chain? */
bool erase_is_over(const struct erase *e);
uint64_t erase_deadline_ms(const struct erase *e, unsigned delay_s);

enum erase_action erase_next(struct erase *e, const struct erase_now *now);
/* When erase_next() has to be asked again though nothing happens; 0: never. */
uint64_t erase_due_ms(const struct erase *e, const struct erase_now *now);

/* is_stored false: the disk refused. Before the first effect that ends it as if it had never begun: it is closed then. */
void erase_stored(struct erase *e, bool is_stored, uint64_t now_ms);
void erase_said(struct erase *e, bool is_said, uint64_t now_ms);
/* Newest decisions about a batch, in the order of the log. Returns true when some of them were new. */
bool erase_control(struct erase *e, const struct orders_batch *brought, const struct root *root);
/* why: who objects; NULL: enough people stand behind it. Before the erasing begins, an objection ends it at any time. */
void erase_judged(struct erase *e, const char *why);
/* A look that is whole, all of it recorded or not; or one that is not. */
void erase_looked(struct erase *e, bool is_recorded);
void erase_unseen(struct erase *e, uint64_t now_ms);
void erase_heard(struct erase *e);
/* answer: NULL when the process that touches the device died. */
void erase_answered(struct erase *e, const struct error *result, const struct apply_erased *answer, uint64_t now_ms);
/* receipt: its number; 0: it could not be made. Not sure of all areas, or refused, the order is over: it is closed. */
void erase_said_last(struct erase *e, uint64_t receipt, uint64_t now_ms);

/* What is left of it could not be written. */
void erase_undestroyed(struct erase *e, uint64_t now_ms);

/* For the last receipt. */
const char *erase_outcome(const struct erase *e);
const char *erase_evidence(const struct erase *e); /* of the weakest area; NULL for none */

/* ---- the journal: the file `erase` in the device's folder ---- */

int erase_store(const struct erase *e, const char *dir, struct error *err) _must_check_;
/* ERASE_ABSENT when there is none. Otherwise it goes on as after a restart. seen: of the chain; newest: its last number. One whose last
 * receipt was made, and that erased nothing for sure, is over: the phase is ERASE_NONE then. */
int erase_load(struct erase *e, const char *dir, const struct orders_seen *seen, uint64_t newest, uint64_t now_ms,
	       struct error *err) _must_check_;
int erase_remove(const char *dir, struct error *err) _must_check_;
void erase_write(struct buf *out, const struct erase *e);
int erase_read(struct erase *out, struct bytes in, const struct orders_seen *seen, uint64_t newest, uint64_t now_ms,
	       struct error *err) _must_check_;
