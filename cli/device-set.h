/* cli/device-set.h -- the set of policies that a device was ordered to have: fetched, verified, opened with the reader's own key.
 *
 * The server names the order; that it is the newest one is held against what the device itself says: a verdict names the order it judged
 * by. */
#pragma once

#include "cli/fleet.h"
#include "policies/policy-set.h"

struct device_set {
	bool is_there;         /* false: nothing was ever published for it */
	struct policy_set set; /* borrows from text */
	struct buf text;
	uint64_t order; /* number of the order that brought it */
	uint8_t leaf[HASH_LEN];
	char batch[ID_LEN + 1];
};

/* E_SEAL when the order does not hold, or is older than the one that the server lists for the newest verdict; E_DENIED when it is not
 * sealed to us; CLI_ABSENT when what it brought is not there any more. */
int device_set_get(struct device_set *out, const struct open_source *source, const struct fleet_member *member,
		   struct error *err) _must_check_;
/* The one that was in force before this batch, by the server's word: for whoever approves the batch. */
int device_set_before(struct device_set *out, const struct open_source *source, const struct fleet_member *member, const char *batch,
		      struct error *err) _must_check_;
/* Until when a rule is waived on this device, by a waiver that holds; 0: it is not. */
int64_t device_set_waived_until(const struct device_set *set, const struct root *root, const char *device, const char *pack,
				const char *rule, int64_t now_s);
void device_set_done(struct device_set *set);
