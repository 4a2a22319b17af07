/* repo/payloads.h -- what orders bring: plain age files outside git, so that they can be destroyed. Internal to repo/.
 *
 * <batch>/<device>.age is the payload that the device's order in that batch names. There may be ten thousand of them in a second, so one is
 * not synced when it is written: until it is packed the journal has it, and before that journal is dropped payloads_sync() syncs all of
 * them at once. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

/* Writes one; not synced. Writing it again is fine. */
int payloads_put(const char *folder, const char *batch, const char *device, struct bytes seal, struct error *err) _must_check_;
/* All that were put are on disk when it returns. */
int payloads_sync(const char *folder, struct error *err) _must_check_;
/* Appends one. Positive (1) when it is gone. */
int payloads_get(struct buf *out, const char *folder, const char *batch, const char *device, struct error *err) _must_check_;
bool payloads_has(const char *folder, const char *batch, const char *device);

/* Is this one to be destroyed? Negative with err: ends the walk. written_s: when its file was written. */
typedef int (*payloads_fn)(void *ctx, const char *batch, const char *device, int64_t written_s, struct error *err);
/* Asks for each, and overwrites and removes those for which fn says so; they are gone from the disk when it returns. *count: how many. A
 * folder that is empty then goes, too. */
int payloads_destroy(size_t *count, const char *folder, payloads_fn fn, void *ctx, struct error *err) _must_check_;
