/* agent/snapshot-parts.h -- what every statement of a chain begins and ends with. */
#pragma once

#include "agent/snapshot.h"

/* fleet, device, number, prev, time */
void chain_add_head(struct buf *text, const struct chain *c, const struct snapshot_by *by);
/* The newest checkpoint that was seen, if any was. */
void chain_add_checkpoint(struct buf *text, const struct snapshot_by *by);
/* Signs, puts the seals behind, moves the chain on: the container is c->newest. */
int chain_finish(struct chain *c, struct buf *text, struct bytes seals, const struct snapshot_by *by, struct error *err) _must_check_;
