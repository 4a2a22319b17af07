/* server/rollouts.h -- all batches, where each stands now, and whom that wakes.
 *
 * What is taken into the archive is noted at once, so no answer is given by a state that an acknowledged statement has changed. A thread of
 * its own follows what statements and time change: it wakes the devices whose turn has come, and says in the log what happened. */
#pragma once

#include "server/release.h"

struct rollouts;

/* The archive has something for this device now. From the thread, which holds a lock: it calls nothing of this header. */
typedef void (*rollouts_wake_fn)(void *ctx, const char *device);

/* Reads what there is. */
int rollouts_new(struct rollouts **out, struct repo *repo, rollouts_wake_fn wake, void *ctx, struct error *err) _must_check_;
/* Stops the thread; notes are still taken. Before the repository is closed. */
void rollouts_stop(struct rollouts *r);
struct rollouts *rollouts_free(struct rollouts *r);

/* From the journal thread: a statement was taken. Does not block for longer than a moment. */
void rollouts_note(struct rollouts *r, const struct statement *st);

/* Where a batch stands now. False: there is none. */
bool rollouts_look(struct release *out, struct rollouts *r, const char *id);
/* Are this batch's orders of this wave (from 0) given out now? Then what belongs in front of them, the batch and its approvals, is
 * appended. */
bool rollouts_is_open(struct buf *head, struct rollouts *r, const char *id, uint32_t wave);
