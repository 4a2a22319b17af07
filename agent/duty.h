/* agent/duty.h -- one device's duty: look, record what differs, see to it that it is saved, send it.
 *
 * The order never changes: what a look shows is recorded in a signed snapshot (on disk, in the spool) before anything is done
 * about it, and what was done is believed when the next look shows it. So whatever dies, and whenever, the next look goes on
 * from what is true.
 *
 *   look -> [epoch] -> [snapshot] -> decide (agent/commit.h) -> save or return -> look -> snapshot
 *                                 '-> an order in hand, or the next one (agent/obey.h)
 */
#pragma once

#include "agent/child.h"
#include "agent/commit.h"
#include "agent/hold.h"
#include "agent/judge.h"
#include "agent/obey.h"
#include "agent/policy.h"
#include "agent/state.h"
#include "agent/uplink.h"

enum { DUTY_NOTE_MAX = 400 };

struct core;

struct duty {
	struct core *core;
	const struct settings_device *dev;
	const struct device_driver *driver;
	char *dir;
	struct state state;
	bool is_joined;
	bool is_cleared; /* of what is retired */
	bool is_retired; /* it was erased, and nothing of it is left but what is said of that (agent/retired.h) */

	/* the device side */
	struct child apply;
	const char *apply_argv[4];
	enum ipc_kind asked; /* 0: nothing is being asked */
	uint32_t asked_id;
	struct loop_timer deadline, look;
	struct device_facts facts;
	bool has_facts;       /* of this start of the device: */
	bool is_facts_asked;  /* since the last look that was due */
	struct device_facts recorded; /* as the newest snapshot of this process has them; */
	bool has_recorded;            /* there is one */
	struct commit commit;
	struct commit_view view; /* of the look before */
	uint8_t digest[32];      /* of the look before, as apply gave it */
	bool has_digest;
	bool wants_texts;        /* an unchanged look must bring them again: something is to be recorded */
	const char *done;        /* "save" or "return": what was just done, for the reason of the next snapshot */
	uint64_t change_due_ms;  /* no further snapshot of a mere change before this */

	/* what is said of it */
	struct commit_decision decision;
	struct hold hold;
	bool is_held;
	char trouble[DUTY_NOTE_MAX]; /* what keeps us from the duty; "" when nothing does */
	char doubt[DEVICE_NOTE_MAX], remark[DEVICE_NOTE_MAX]; /* of the last look */
	char changed_by[DEVICE_NOTE_MAX]; /* of the last look that brought texts */
	char status_text[3600];      /* as last written to the file `status` */

	/* policies */
	struct policies policies;
	struct judge judge;
	char hold_by[DUTY_NOTE_MAX];        /* who keeps it from being saved, and why; "" when nobody does */
	uint64_t policy_retry_ms;           /* when one that could not be read is tried again */
	char policy_trouble[DUTY_NOTE_MAX]; /* why the set in force does not count; "" when it does */
	int64_t drift_since_s;              /* 0: running is the baseline, or there is none, or nobody knows */

	struct uplink uplink;
	struct obey obey;
};

/* Starts the duty; a device that has not joined is looked for again every few seconds. */
int duty_start(struct duty *d, struct core *core, const struct settings_device *dev, struct error *err) _must_check_;
/* What touches the device has until then, on clock_mono_ms(), to leave it in order. */
void duty_stop(struct duty *d, uint64_t until_ms);
/* The uplink brought an admission or a root. */
void duty_news(struct duty *d);
/* What a status says now; borrowed texts are d's. */
void duty_input(struct snapshot_input *in, char note[static DUTY_NOTE_MAX * 2], const struct duty *d);
/* Can its driver erase it? Then its status says a challenge. */
bool duty_erases(const struct duty *d);
void duty_by(struct snapshot_by *by, const struct duty *d);
void duty_write_status(struct duty *d);

/* For orders. Asks the apply process, which is free (d->asked is 0). */
void duty_ask(struct duty *d, enum ipc_kind kind, struct bytes body, uint64_t deadline_ms);
/* The next look, in place of any that was to come. */
void duty_look_in(struct duty *d, uint64_t ms);
/* The last receipt of an order that erased it is archived, or waited long enough: its keys and its folder go. */
void duty_retire(struct duty *d);
/* A set that an order brought: checked, and stored durably. E_FORMAT and others say why it is not taken; E_SYS: the disk. */
int duty_policies_check(const struct duty *d, struct bytes text, struct error *err) _must_check_;
/* Reads the set that the chain names, and counts by it from now on. */
void duty_policies_load(struct duty *d);
/* Says what is so now. */
void duty_finish_step(struct duty *d);
