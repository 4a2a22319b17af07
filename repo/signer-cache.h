/* repo/signer-cache.h -- who signs for a device, kept in memory: each post and each poll asks. Internal to repo/.
 *
 * A table of fixed size, at most 2.5 MiB, in which a device has one place and displaces who was there. Nothing is taken out of it: every
 * answer belongs to a state of the index, and counts only while that is still the newest one (store_signers_state()). */
#pragma once

#include "repo/repo.h"

struct signer_cache;

struct signer_cache *signer_cache_new(void);
struct signer_cache *signer_cache_free(struct signer_cache *cache);
/* From any thread. state: what store_signers_state() says now. */
bool signer_cache_get(struct repo_signer *out, struct signer_cache *cache, uint64_t state, const char *id);
/* state: what it said before the index was read. */
void signer_cache_put(struct signer_cache *cache, uint64_t state, const char *id, const struct repo_signer *signer);
