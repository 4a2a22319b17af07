/* agent/duty-parts.h -- what the parts of agent/duty.h know of each other. */
#pragma once

#include "agent/duty.h"

/* Records what the texts show, if it differs from what was recorded last. *is_recorded: nothing is left to record. */
int duty_record(struct duty *d, struct snapshot_input *in, const char *incarnation, bool *is_recorded, struct error *err) _must_check_;
/* Does the device say that it is another than the newest snapshot of this process has it? */
bool duty_facts_differ(const struct duty *d);
/* Puts on disk what must survive a restart of the agent, and is in no snapshot yet. */
int duty_remember(struct duty *d, const char *incarnation, struct error *err) _must_check_;
/* What the policies change in how this look is judged; before and behind commit_step(). */
void duty_policies_before(struct duty *d);
void duty_policies_behind(struct duty *d);
/* What runs is recorded, and nothing is asked: are the policies to be held against it? */
void duty_judge(struct duty *d);
int duty_judged(struct duty *d, struct reader *rd, struct error *err) _must_check_;
void duty_judge_lost(struct duty *d);
/* "yes", "no", "unknown"; NULL: there is no baseline. */
const char *duty_drift(const struct duty *d);
/* The next look, in its turn. */
void duty_look_later(struct duty *d);
