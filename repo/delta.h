/* repo/delta.h -- a git delta between two objects that are known to be alike (gitformat-pack(5), "Deltified representation").
 *
 * Nothing is searched for a base: whoever calls knows it. What is alike are versions of one tree, or of one device's statement. Internal to
 * repo/. */
#pragma once

#include "base/bytes.h"

/* Appends what makes target from base: the sizes of both, copies out of base, and what is new. */
void delta_make(struct buf *out, struct bytes base, struct bytes target);
