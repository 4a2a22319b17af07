/* repo/keyring.h -- sealed epoch identities: plain age files outside git, so that they can be destroyed. Internal to repo/.
 *
 * <id>/<epoch>.body.age and .secrets.age are the seals that the epoch's statement lists. <epoch>.body.rewrap.age and
 * .secrets.rewrap.age hold the same identities, sealed anew by a reader for people who came later. Whoever shreds an epoch removes all
 * four. */
#pragma once

#include "crypto/statement.h"

/* Writes both seals of an epoch's container; on disk when it returns. Writing them again is fine. */
int keyring_put(const char *folder, const char *device, const struct container *epoch, struct error *err) _must_check_;
/* Appends body-key and secrets-key of an epoch. Positive (1) when they are gone. */
int keyring_get(struct buf *out, const char *folder, const char *device, uint64_t epoch, struct error *err) _must_check_;

/* part: "body" or "secrets". 1 when the epoch's own seal of that part is gone: there is nothing to be added to. */
int keyring_put_rewrap(const char *folder, const char *device, uint64_t epoch, const char *part, struct bytes seal, struct error *err)
	_must_check_;
/* Appends it. 1 when there is none, or the epoch's own seal is gone. */
int keyring_get_rewrap(struct buf *out, const char *folder, const char *device, uint64_t epoch, const char *part, struct error *err)
	_must_check_;

/* Overwrites and removes all entries of a device, rewraps among them; they are gone from the disk when it returns. Also when there is none.
 */
int keyring_destroy(const char *folder, const char *device, struct error *err) _must_check_;
