/* agent/verdict.h -- what the policies of a device say of its configuration, as a statement of its chain. */
#pragma once

#include "agent/snapshot.h"
#include "policies/verdict.h"

struct verdict_input {
	uint64_t order; /* of the set in force, and its leaf */
	const uint8_t *leaf;
	const struct verdict_sum *sum;
};

/* Makes a verdict about what runs since the snapshot that the chain names (running_since), with as much of it in the clear as the root
 * allows and the findings sealed to the epoch. The container is c->newest. E_FORMAT when nothing was recorded yet. */
int verdict_make(struct chain *c, const struct verdict_input *in, const struct snapshot_by *by, struct error *err) _must_check_;
