/* policies/policy-set.h -- the set of policies of a device: all that an order of kind `policy` puts in force, replacing what was
 * (docs/reference/formats.md section 10). Pure.
 *
 *   holdfast-policies/1
 *   person: alice
 *   commit: mode=remind quiet=30
 *   exempt: sat 22:00-04:00
 *   baseline: 7 <hash> <length>
 *   waiver: <length>
 *   policy: <length>
 *
 *   ... then baseline, waivers and packs, one behind the other, and empty lines
 *
 * Waivers are statements, and windows are those of a batch: both are crypto/'s, which this folder does not know, so whoever reads a set
 * looks at them (root_verify(), policy_set_has_rule(), window_parse_ok()). */
#pragma once

#include "policies/verdict.h"

enum {
	POLICY_SET_BYTES_MAX = 3 << 20,
	POLICY_SET_PACKS_MAX = 16,
	POLICY_SET_WAIVERS_MAX = 256,
	POLICY_SET_EXEMPT_MAX = 8,
	POLICY_SET_HASH_LEN = 32,
	POLICY_SET_SECONDS_MAX = 604800,
	POLICY_SET_RULES_MAX = 512 << 10, /* bytes of what is said of all rules when nothing is found (policies/verdict.h) */
};

/* What counts instead of the agent's settings; "" and 0: the settings do. */
struct policy_commit {
	char mode[16]; /* observe, remind, commit, revert */
	unsigned quiet_s, remind_after_s;
};

struct policy_pack {
	struct bytes text;
	struct policy *policy; /* as policy_set_read() read it; policy_set_write() does not look at it */
};

/* What bytes point at is borrowed from what was read, or from whoever filled it in. */
struct policy_set {
	char person[64];
	struct policy_commit commit;
	char exempt[POLICY_SET_EXEMPT_MAX][64];
	size_t exempt_count;
	bool has_baseline;
	uint64_t baseline_number;
	uint8_t baseline_hash[POLICY_SET_HASH_LEN]; /* of the snapshot */
	struct bytes baseline;                      /* its text, secrets included */
	struct bytes waivers[POLICY_SET_WAIVERS_MAX];
	size_t waiver_count;
	struct policy_pack packs[POLICY_SET_PACKS_MAX];
	size_t pack_count;
};

/* Reads a set with all of its packs, which may be for several drivers. E_FORMAT, E_LIMIT: "line 3 of the set: why", or "pack 2:14:3: why"
 * for line and column of a pack. */
int policy_set_read(struct policy_set *out, struct bytes text, struct error *err) _must_check_;
/* The same without reading the packs: `policy` is NULL in each. */
int policy_set_parts(struct policy_set *out, struct bytes text, struct error *err) _must_check_;
void policy_set_done(struct policy_set *set);
/* Appends the set. Lines that are empty at the end of a part go: the seal takes them off too. E_FORMAT, E_LIMIT for what could not be read
 * back; each pack is read for that. */
int policy_set_write(struct buf *out, const struct policy_set *set, struct error *err) _must_check_;

/* NULL: it has no pack of this name. */
const struct policy *policy_set_pack(const struct policy_set *set, const char *name);
/* Is there the rule that a waiver names? */
bool policy_set_has_rule(const struct policy_set *set, const char *pack, const char *rule);
/* E_FORMAT when a pack is for another driver. */
int policy_set_check_driver(const struct policy_set *set, const char *driver, struct error *err) _must_check_;
/* What all packs say of one configuration. text.ptr NULL: it is not known, and everything is unknown. limits: of all packs together. */
void policy_set_judge(struct verdict_sum *out, const struct policy_set *set, struct bytes text, const struct policy_facts *facts,
		      const struct waived *waived, size_t waived_count, const struct policy_limits *limits);
/* "mode=remind quiet=30", as in the line `commit`; E_FORMAT says what is wrong. Appending: nothing for one that says nothing. */
int policy_commit_parse(struct policy_commit *out, struct bytes text, struct error *err) _must_check_;
void policy_commit_text(struct buf *out, const struct policy_commit *commit);
