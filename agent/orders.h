/* agent/orders.h -- whether an order is to be obeyed: every check before any effect (docs/explanation/orders.md).
 *
 * An order comes as a poll brought it: the batch that the operator signed, the controls that approve it, the order's text with the proof of
 * its place, its payload. Whoever brought them is not believed. The checks run in one sequence, and the first that fails is named in a
 * signed receipt. Nothing here touches a file or a device: what is remembered is part of the chain (agent/snapshot.h), so it changes
 * together with the receipts. */
#pragma once

#include "agent/device.h"
#include "crypto/age.h"
#include "crypto/order.h"

enum {
	ORDERS_LEAVES = 64,        /* remembered, of each sort */
	ORDERS_CONTROLS_MAX = 256, /* of one batch */
	ORDERS_FORGED_HOURLY = 10, /* receipts for what nobody with a right to it ordered; beyond that a line in the log */
	ORDERS_REPLAYED_HOURLY = 100, /* the same for what is signed, and not approved or of a number that is used up */
	ORDERS_NOTE_MAX = 480,
	ORDERS_SKEW_S = 300,       /* by which an operator's clock may be ahead */
};

/* In their sequence. */
enum orders_check {
	CHECK_NONE,
	CHECK_SIZE,
	CHECK_GRAMMAR,
	CHECK_TYPE,
	CHECK_FLEET,
	CHECK_DEVICE,
	CHECK_ROOT,
	CHECK_SIGNER,
	CHECK_PROOF,
	CHECK_KIND,
	CHECK_THRESHOLD,
	CHECK_NUMBER,
	CHECK_ROOT_EXPIRED,
	CHECK_NOT_YET,
	CHECK_EXPIRED,
	CHECK_WINDOW,
	CHECK_CAPABILITY,
	CHECK_CHALLENGE,
	CHECK_DRIVER,
	CHECK_BUSY,
	CHECK_HELD,
	CHECK_UNSAVED,
	CHECK_BASE,
	CHECK_PAYLOAD,
	CHECK_OPEN,
	CHECK_SYNTAX,
	CHECK_CANCELLED,
	CHECK_FIRMWARE,
	CHECK_MODEL,
	CHECK_MINIMUM,
	CHECK_DOWNGRADE,
	CHECK_SPACE,
	CHECK_IMAGE,
	CHECK_POLICY,
};
enum { CHECKS = CHECK_POLICY + 1 };
const char *orders_check_name(enum orders_check check);

/* ---- what is remembered ---- */

struct orders_leaf {
	uint64_t number;
	uint8_t leaf[HASH_LEN]; /* SHA-256 of the order's text */
};

struct orders_seen {
	uint64_t last;    /* the highest number of a genuine order that was obeyed or refused */
	uint64_t closed;  /* the newest order that was obeyed and has its last receipt */
	uint64_t said;    /* the newest that said `healthy` to its group, or `armed`: what is not its last word */
	uint32_t taken_count, forged_count; /* ever; the newest ORDERS_LEAVES of each are kept */
	struct orders_leaf taken[ORDERS_LEAVES];
	struct orders_leaf forged[ORDERS_LEAVES];
};

bool orders_knows(const struct orders_seen *seen, const uint8_t leaf[static HASH_LEN]);
/* A genuine order was obeyed or refused; its number is used up. */
void orders_note_taken(struct orders_seen *seen, uint64_t number, const uint8_t leaf[static HASH_LEN]);
/* One that was not genuine was refused; its number means nothing. */
void orders_note_forged(struct orders_seen *seen, uint64_t number, const uint8_t leaf[static HASH_LEN]);
void orders_seen_write(struct buf *out, const struct orders_seen *seen);
void orders_seen_read(struct orders_seen *out, struct reader *rd);

/* How one that was obeyed ended: for its last receipt. */
struct orders_end {
	const char *outcome, *check, *evidence; /* static; check and evidence may be NULL */
	char note[ORDERS_NOTE_MAX];
	bool is_held; /* a hold belongs to it */
};

/* ---- what was brought ---- */

/* A batch and its controls, shared by the orders behind it. */
struct orders_batch {
	unsigned users;
	struct statement *st;
	struct statement *controls[ORDERS_CONTROLS_MAX];
	size_t control_count;
};
struct orders_batch *orders_batch_new(struct statement *st);                       /* takes st over */
bool orders_batch_control(struct orders_batch *batch, struct statement *control); /* takes it over; false: there are too many */
void orders_batch_drop(struct orders_batch *batch);

struct orders_item {
	struct orders_batch *batch; /* NULL: none came before it */
	struct statement *st;       /* NULL when its text is no order at all */
	uint64_t number;
	uint8_t leaf[HASH_LEN];
	struct buf payload;
	bool has_payload;
	enum orders_check broken; /* it could not be read: the check that says so, and why */
	char why[ORDERS_NOTE_MAX];
};
bool orders_is_order(struct bytes list); /* does an order begin here? */
/* Takes one order with what belongs to it off the list, however broken it is. */
void orders_item_read(struct orders_item *out, struct bytes *list, struct orders_batch *batch);
void orders_item_done(struct orders_item *item);

/* ---- judging ---- */

enum orders_verdict { ORDERS_OBEY, ORDERS_WAIT, ORDERS_KNOWN, ORDERS_REFUSE };

struct orders_judgement {
	enum orders_verdict verdict;
	enum orders_check check;    /* refused: by which; waiting: for which */
	bool is_genuine;            /* it comes from whom it must come: its number counts */
	char note[ORDERS_NOTE_MAX]; /* what failed, and what to do; for the receipt */
};

/* Who judges, and when. */
struct orders_view {
	const char *device, *fleet;
	const struct root *root;
	const struct orders_seen *seen;
	int64_t floor_s; /* agent/floor.h */
	int64_t clock_s; /* what the machine's clock says: believed only to be patient */
	unsigned capabilities;
	const uint8_t *challenge; /* in force; NULL: none is */
	/* of the device, for the words why it lacks a capability; NULL: there are none */
	const struct device_driver *driver;
	const struct settings_device *dev;
};
/* Does the batch hold, and do enough people stand behind it? False says why not. */
bool orders_is_agreed(char why[static ORDERS_NOTE_MAX], const struct orders_batch *batch, const struct root *root);
/* Is a batch that was agreed to stopped by what people decided since: an abort, a rejection, a word that was taken back so that too few are
 * left? True says why. Only what somebody with the role signed stops it, and not that less was brought than there is. */
bool orders_is_stopped(char why[static ORDERS_NOTE_MAX], const struct orders_batch *batch, const struct root *root);
/* All that can be said without the device: size to challenge. */
void orders_judge(struct orders_judgement *out, const struct orders_item *item, const struct orders_view *view);

/* The device as it was seen, all of it recorded. */
struct orders_device {
	bool is_busy, is_held, is_unsaved, has_startup;
	char held_by[64];
	uint64_t running_since, newest; /* numbers of snapshots: since when running is what it is; the newest statement */
	const uint8_t *running_hash, *newest_hash;
};
/* Busy, held, unsaved, base. */
void orders_judge_device(struct orders_judgement *out, const struct orders_item *item, const struct orders_device *device);
/* Payload and open; text: the payload opened. Obeys at once what has none. */
void orders_open(struct orders_judgement *out, struct buf *text, const struct orders_item *item, const struct age_identity *box);
/* For checks that are made elsewhere. */
void orders_refuse(struct orders_judgement *out, enum orders_check check, const char *fmt, ...) _printf_(3, 4);
/* Does the order make running something new as a whole, so that one before it need not be carried out any more? */
bool orders_is_whole(const struct orders_item *item);
