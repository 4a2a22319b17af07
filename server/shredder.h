/* server/shredder.h -- destroys what must not stay: by orders to shred, which are for the archive, never for a device; and what orders
 * brought, 30 days after they have ended.
 *
 * An order to shred is due when enough people agreed, its time has come, and the device that it follows has said that it is erased (or was
 * given up). Then
 * what opens the device's archive is destroyed (repo_shred()), and only then the archive says so, in a statement of its own. What has begun
 * is finished, also after a stop, whatever was decided since: there is nothing left to keep. Nothing is said before all of it is done. */
#pragma once

#include "server/rollouts.h"

struct shredder;

/* key: the archive's. copies: what is known of other copies of the server's folder, for the statement; at most SHREDDER_COPIES_MAX. All is
 * borrowed. First destroys again what a restored backup brought back. Starts a thread. */
enum { SHREDDER_COPIES_MAX = 16 };
int shredder_new(struct shredder **out, struct repo *repo, struct rollouts *rollouts, const struct sign_key *key, char *const *copies,
		 size_t copy_count, struct error *err) _must_check_;
/* Stops the thread; before the repository is closed. */
void shredder_stop(struct shredder *s);
struct shredder *shredder_free(struct shredder *s);
