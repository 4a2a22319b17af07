/* agent/judge.h -- when the policies of a device are held against its configuration, as a machine without I/O.
 *
 *   what would be judged (configuration, set, waivers that hold, facts) is what the newest verdict was about: rest
 *   else, as soon as it is recorded and no order is carried out: ask, at most once a minute in the long run, JUDGE_BURST times in a row
 *   the process that does it died JUDGE_LOSSES times about the same: give up, and say that all of it is unknown */
#pragma once

#include "crypto/key.h"

enum { JUDGE_PERIOD_MS = 60000, JUDGE_BURST = 4, JUDGE_LOSSES = 3 };

enum judge_next { JUDGE_REST, JUDGE_ASK, JUDGE_GIVE_UP };

struct judge {
	uint64_t paid_ms; /* until when the asking so far is paid for, one period each */
	uint8_t asked[HASH_LEN];
	unsigned losses;
};

struct judge_view {
	bool has_set;
	bool is_recorded; /* what runs */
	bool is_busy;     /* an order is carried out */
	bool is_full;     /* the spool: nothing more is said that can wait */
	uint8_t of[HASH_LEN];     /* what would be judged */
	uint8_t judged[HASH_LEN]; /* by the newest verdict; zero: there is none */
};

enum judge_next judge_step(struct judge *j, const struct judge_view *view, uint64_t now_ms);
/* The process that was asked died. */
void judge_lost(struct judge *j);
