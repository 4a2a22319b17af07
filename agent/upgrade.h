/* agent/upgrade.h -- an order that gives the device other firmware, as a machine without I/O, and its journal.
 *
 *   fetching --> recording --> installing --> starting --> proving --> keeping --> [restarting --> settling] --> done
 *      |             |             |             |            |           '----------------'------'--> failed
 *      |             |             '-------------'------------'--> returning --> returned, failed
 *      '-------------'--> refused, superseded
 *
 *   fetching    the image comes to the disk, in the batch's windows; the device is a member of the fleet as before
 *   recording   it is time, the device is saved and not held, what it looks like is archived, and it runs what the statement allows
 *   installing  into the image that does not run; what runs is not touched before the new one was seen to work
 *   starting    the device is restarted into it, once
 *   proving     it answers, runs the version, is in no failure mode, has its configuration, and what the order probes holds, for `settle`
 * seconds keeping     the other image; from here on there is no way back, unless power is lost before: then the old one runs, and it is
 * started again restarting  as it will start from now on; settling: proved once more returning   whatever was begun, the image that worked
 * is started, and seen
 *
 * Events go in, the next action comes out (upgrade_next). What must be on disk before an effect is an action, too: UPGRADE_STORE. Every
 * step can be done twice, so after a crash or a power cut anywhere it goes on with the step that the journal names.
 * docs/explanation/firmware.md says why. */
#pragma once

#include "agent/apply.h"
#include "agent/floor.h"
#include "agent/orders.h"
#include "base/clock.h"

enum {
	UPGRADE_TRIES = 5,    /* of one step, failures in a row */
	UPGRADE_STARTS = 2,   /* of the new image: power may be cut once while it starts */
	UPGRADE_WRONG = 2,    /* images that did not have the hash that was signed */
	UPGRADE_NOTE_MAX = 480,
	UPGRADE_FILE_MAX = 3 * STATEMENT_MAX,
	UPGRADE_ABSENT = 1,
};

enum upgrade_phase {
	UPGRADE_NONE,
	UPGRADE_FETCHING,
	UPGRADE_RECORDING, /* in the journal still `fetching` */
	UPGRADE_INSTALLING,
	UPGRADE_STARTING,
	UPGRADE_PROVING,
	UPGRADE_KEEPING,
	UPGRADE_RESTARTING,
	UPGRADE_SETTLING,
	UPGRADE_RETURNING,
	UPGRADE_ENDED,
};
enum { UPGRADE_PHASES = UPGRADE_ENDED + 1 };
const char *upgrade_phase_name(enum upgrade_phase phase);

enum upgrade_action {
	UPGRADE_REST,  /* nothing until the next event */
	UPGRADE_STORE, /* the journal; then upgrade_stored() */
	UPGRADE_FETCH, /* begin, or go on; then upgrade_fetched() */
	UPGRADE_PAUSE, /* no more of it for now; then upgrade_paused() */
	UPGRADE_STEP,  /* upgrade_step() at the device; then upgrade_answered() */
	UPGRADE_SEE,   /* what runs; then upgrade_saw() */
	UPGRADE_PROVE, /* a round of server and probes; then upgrade_proved() */
	UPGRADE_END,   /* the last receipt, out of `end`; then upgrade_close() */
};

struct upgrade {
	/* what the journal holds */
	enum upgrade_phase phase;
	struct statement *order;    /* its text alone */
	struct statement *batch, *firmware; /* whole */
	uint64_t number;
	uint8_t leaf[HASH_LEN];
	uint8_t before[APPLY_DIGEST_LEN]; /* of running, and of startup, when it began to be installed */
	char slot[DEVICE_SLOT_MAX];       /* which image ran then, */
	char version[DEVICE_WORD_MAX];    /* and its version */
	bool was_started;                 /* the new one was, or may have been, */
	unsigned starts;                  /* so often */
	uint64_t began_ms;                /* of this start, or return: clock_mono_ms() of this start of the machine: */
	char boot[FLOOR_BOOT_LEN];
	char why[UPGRADE_NOTE_MAX];       /* why it returns */

	/* what it knows */
	enum upgrade_phase stored;
	bool is_asked;                  /* the action before is not answered yet */
	bool is_fetched;
	bool is_resumed;                /* what the journal names may have been done */
	bool is_fit, is_looked;         /* what runs is as it must be; and its configuration, by a look after that */
	struct device_images seen;      /* the newest */
	uint64_t asked_ms;              /* when the newest question of that kind began */
	bool is_healthy;                /* the newest round was good: */
	uint64_t healthy_ms, proved_ms; /* when the first good one without a bad one since began, and the newest ended */
	uint64_t due_ms;                /* nothing before */
	unsigned tries, keeps, wrong;
	char sick[UPGRADE_NOTE_MAX];    /* what keeps it from going on */
	struct orders_end end, stop;    /* stop: how it ends as soon as nobody is asked anything; without an outcome: nobody stops it */
};

/* What is so at this moment. */
struct upgrade_now {
	uint64_t ms;
	bool is_expired;        /* the batch, by the floor: */
	bool is_closed;         /* out of its windows: nothing is fetched, and nothing begins at the device */
	bool is_held;
	uint64_t acked, newest; /* statements of the chain */
};

/* The payload of an order, opened: a firmware statement that the root in force lets its person sign, for such a device. *firmware is the
 * caller's. */
struct upgrade_device {
	const struct root *root;
	const char *driver;
	const struct device_facts *facts;
	uint64_t most, room; /* bytes that an image may have by the settings, and that the disk has for it */
};
void upgrade_judge(struct orders_judgement *out, struct statement **firmware, struct bytes payload, const struct upgrade_device *device);
/* Is what the statement describes for such a device, whoever signed it? Needs no root. */
void upgrade_judge_fit(struct orders_judgement *out, const struct statement *firmware, const struct upgrade_device *device);

/* A new order, which was judged. firmware is taken over. */
void upgrade_begin(struct upgrade *u, const struct orders_item *item, struct statement *firmware);
void upgrade_done(struct upgrade *u);
bool upgrade_is_open(const struct upgrade *u);
/* Was the device given anything, so that nobody else may save or change it? */
bool upgrade_is_under_way(const struct upgrade *u);
uint64_t upgrade_deadline_ms(const struct upgrade *u);

/* May it be given up? Only as long as the device was given nothing. */
bool upgrade_may_stop(const struct upgrade *u);
/* People took back what they ordered, or a newer order takes its place. For one that may be stopped. */
void upgrade_cancel(struct upgrade *u, const char *why);
void upgrade_supersede(struct upgrade *u, uint64_t by);

enum upgrade_action upgrade_next(struct upgrade *u, const struct upgrade_now *now);
enum device_upgrade upgrade_step(const struct upgrade *u);
/* What the steps are about; borrows from u. path is the caller's to fill in. */
void upgrade_image(struct device_image *out, const struct upgrade *u);

/* is_stored false: the disk refused. Before the first effect that ends it as if it had never begun: it is closed then. */
void upgrade_stored(struct upgrade *u, bool is_stored, uint64_t now_ms);
void upgrade_paused(struct upgrade *u);
/* result: 0, or E_SEAL for one that is not what was signed. */
void upgrade_fetched(struct upgrade *u, const struct error *result);
/* result->code: 0; E_DENIED: the device refuses the image, and always will; else it may be tried again. */
void upgrade_answered(struct upgrade *u, const struct error *result, uint64_t now_ms);
void upgrade_saw(struct upgrade *u, const struct error *result, const struct device_images *images, uint64_t now_ms);
void upgrade_proved(struct upgrade *u, uint64_t began_ms, uint64_t now_ms, const char *why);
/* A look that is whole, all of it recorded or not; or one that is not. */
void upgrade_looked(struct upgrade *u, const struct apply_expect *seen, bool is_recorded);
void upgrade_unseen(struct upgrade *u, const char *why);
/* The process that touches the device died: what was asked of it may have been done, or not, or half. */
void upgrade_lost(struct upgrade *u, uint64_t now_ms);
void upgrade_close(struct upgrade *u);

/* ---- the journal: the file `upgrade` in the device's folder ---- */

int upgrade_store(const struct upgrade *u, const char *dir, struct error *err) _must_check_;
/* UPGRADE_ABSENT when there is none. Otherwise it goes on as after a restart. */
int upgrade_load(struct upgrade *u, const char *dir, uint64_t now_ms, struct error *err) _must_check_;
int upgrade_remove(const char *dir, struct error *err) _must_check_;
void upgrade_write(struct buf *out, const struct upgrade *u);
int upgrade_read(struct upgrade *out, struct bytes in, uint64_t now_ms, struct error *err) _must_check_;
