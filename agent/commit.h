/* agent/commit.h -- running against startup: what is unsaved, and what to do about it.
 *
 * A pure state machine: looks at the device and times go in, decisions come out. docs/howto/hold-a-change.md tells
 * operators what it does. Digests stand for texts in canonical form.
 *
 *           differs              quiet for `quiet` s
 *   saved ----------> unsaved ----------------------> act (save, return, remind) ---> saved
 *                       ^  further change: the clock starts anew
 *                       '-- hold, exempt time, restart, part missing: wait and say so
 *
 * After a restart nothing is saved until running equalled startup once (a boot does that, and so does saving by
 * hand): a daemon that came back empty looks exactly like an engineer who removed its configuration.
 *
 * A device that may boot something else than startup is never called saved, whatever is equal. */
#pragma once

#include "agent/settings.h"

#include <stdint.h>

enum { COMMIT_DIGEST_LEN = 32 };

enum commit_saved { SAVED_UNKNOWN, SAVED_NO, SAVED_YES };
enum commit_action { COMMIT_NOTHING, COMMIT_REMIND, COMMIT_SAVE, COMMIT_RETURN };
enum commit_why { WHY_NONE, WHY_MODE, WHY_QUIET, WHY_HELD, WHY_RESTARTED, WHY_NOT_WHOLE, WHY_FAILED, WHY_DOUBTFUL, WHY_EXEMPT };

/* What was seen of the device at one moment. */
struct commit_view {
	bool is_known;     /* false: the device did not answer; nothing below counts */
	bool is_whole;     /* false: a part of running is missing */
	bool is_restarted; /* since the view before */
	bool has_startup;
	bool is_held;
	bool is_exempt;   /* by policy nothing is saved or returned at this time */
	bool is_doubtful; /* something else than startup may boot */
	uint8_t running[COMMIT_DIGEST_LEN];
	uint8_t startup[COMMIT_DIGEST_LEN];
};

struct commit {
	enum settings_mode mode;
	uint64_t quiet_ms, remind_ms;
	/* state */
	bool is_seen; /* the digests are of something */
	bool is_blocked;
	uint8_t running[COMMIT_DIGEST_LEN];
	uint8_t startup[COMMIT_DIGEST_LEN];
	int64_t unsaved_since_s; /* 0: saved, or not known */
	uint64_t changed_ms;
	uint64_t remind_due_ms;
	uint64_t retry_due_ms;
	unsigned failures;
};

struct commit_decision {
	enum commit_action action;
	enum commit_saved saved;
	enum commit_why why;     /* why nothing is done about what is unsaved */
	int64_t unsaved_since_s; /* 0: not unsaved */
};

/* unsaved_since_s and is_blocked: as remembered from before a restart of the agent (0, false: nothing). */
void commit_init(struct commit *c, const struct settings_commit *settings, int64_t unsaved_since_s, bool is_blocked);
/* Other settings from now on; what was seen stays. */
void commit_set(struct commit *c, const struct settings_commit *settings);
struct commit_decision commit_step(struct commit *c, const struct commit_view *view, uint64_t mono_ms, int64_t now_s);
/* The save or return that was decided did not succeed: wait longer each time, an hour at most. */
void commit_failed(struct commit *c, uint64_t mono_ms);
const char *commit_saved_name(enum commit_saved saved);
