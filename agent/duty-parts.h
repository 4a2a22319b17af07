/* agent/duty-parts.h -- what the parts of agent/duty.h know of each other. */
#pragma once

#include "agent/duty.h"

/* Records what the texts show, if it differs from what was recorded last. *is_recorded: nothing is left to record. */
int duty_record(struct duty *d, struct snapshot_input *in, const char *incarnation, bool *is_recorded, struct error *err) _must_check_;
/* Puts on disk what must survive a restart of the agent, and is in no snapshot yet. */
int duty_remember(struct duty *d, const char *incarnation, struct error *err) _must_check_;
/* The next look, in its turn. */
void duty_look_later(struct duty *d);
