/* agent/policy.h -- the policies in force on a device: the set that the newest order of kind `policy` brought, checked and remembered.
 *
 *   policies.next   the set of an order that has no receipt yet, as it came: sealed to the device's box
 *   policies.age    the set in force, likewise
 *
 * Which of the two is in force, if any, the chain says (struct chain_policy, agent/snapshot.h): it names the payload by its hash, and
 * changes together with the receipt. So whatever dies, and whenever, the old set or the new one is in force, as the archive was told.
 *
 * The text of a set is opened whenever it is needed and not kept: it has secrets in it. */
#pragma once

#include "agent/snapshot.h"
#include "policies/policy-set.h"

struct policies_waiver {
	char pack[64], rule[64];
	int64_t until_s;
	bool holds; /* by the root it was verified with, for this device */
};

struct policies {
	bool is_there;
	struct policy_commit commit;
	char exempt[POLICY_SET_EXEMPT_MAX][64];
	size_t exempt_count;
	bool has_baseline;
	uint64_t baseline_number;
	uint8_t baseline[COMMIT_DIGEST_LEN]; /* digest of its canonical text, as of running (apply_digest()) */
	struct policies_waiver *waivers;
	size_t waiver_count;
	char packs[POLICY_SET_PACKS_MAX][64];
	size_t pack_count;
	char person[64];
	uint64_t root; /* version that waivers were verified with */
};

/* Whose policies they are. */
struct policies_owner {
	const char *device, *driver;
	const struct root *root;
	void (*canonical)(struct buf *out, struct bytes text);
};

/* Reads a set, and checks all of it that can be wrong for this device: packs, windows, waivers. Errors of packs and of the head begin with
 * the place, as policy_set_read() says it; what stands behind it may quote them. One that just came must hold whole. In one that is in
 * force already, a waiver whose signer lost the role since waives nothing, and is no error. */
int policies_check(struct policies *out, struct bytes text, const struct policies_owner *owner, bool is_new,
		   struct error *err) _must_check_;
/* Receipts and statuses travel in the clear, and packs do not: leaves the place of such an error, and nothing of what stands there. */
void policies_only_place(struct error *err);
void policies_done(struct policies *p);

/* ---- on disk, in the device's folder ---- */

/* What an order brought, durably, until it has its receipt. */
int policies_store(const char *dir, struct bytes sealed, struct error *err) _must_check_;
/* Is what was stored the payload with this hash? */
bool policies_stored(const char *dir, const uint8_t payload[static HASH_LEN]);
/* Makes the one with this hash the set in force, if it is not that already. E_FORMAT when neither file is it. */
int policies_adopt(const char *dir, const uint8_t payload[static HASH_LEN], struct error *err) _must_check_;
/* Opens the set in force. */
int policies_open(struct buf *text, const char *dir, const uint8_t payload[static HASH_LEN], const struct age_identity *box,
		  struct error *err) _must_check_;

/* ---- asking ---- */

/* The waivers that hold at this time; borrowed. Returns how many, at most POLICY_SET_WAIVERS_MAX. */
size_t policies_waived(struct waived *out, const struct policies *p, int64_t now_s);
/* The window in which nothing is saved or returned now; NULL: none. */
const char *policies_exempt(const struct policies *p, int64_t now_s);
/* Commit-to-startup as the set says it, or else the settings. */
struct settings_commit policies_commit(const struct policies *p, const struct settings_commit *settings);
