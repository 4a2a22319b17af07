/* repo/keyring.h -- sealed epoch identities: plain age files outside git, so that they can be destroyed. Internal to repo/. */
#pragma once

#include "crypto/statement.h"

/* Writes both seals of an epoch's container; on disk when it returns. Writing them again is fine. */
int keyring_put(const char *folder, const char *device, const struct container *epoch, struct error *err) _must_check_;
/* Appends body-key and secrets-key of an epoch. Positive (1) when they are gone. */
int keyring_get(struct buf *out, const char *folder, const char *device, uint64_t epoch, struct error *err) _must_check_;
