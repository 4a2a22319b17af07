/* agent/apply-judge.h -- IPC_JUDGE: the packs of a set are held against what runs, by the process that touches the device.
 *
 * It has the text, and a pack that is slow, or worse, harms only this process. Which waivers hold, core knows. */
#pragma once

#include "agent/apply.h"
#include "policies/policy-set.h"

struct apply_judge {
	uint8_t running[APPLY_DIGEST_LEN]; /* as core saw it, and recorded it */
	char model[DEVICE_WORD_MAX], firmware[DEVICE_WORD_MAX];
	struct waived waived[POLICY_SET_WAIVERS_MAX]; /* of what was read: borrow from `names` */
	size_t waived_count;
	struct bytes packs[POLICY_SET_PACKS_MAX]; /* borrowed */
	size_t pack_count;
	char names[2 * POLICY_SET_WAIVERS_MAX][64];
};
void apply_judge_put(struct buf *out, const struct apply_judge *ask);
bool apply_judge_get(struct apply_judge *out, struct bytes in);
/* Judges the canonical text. E_FORMAT, E_LIMIT when a pack does not read: core has read it before. */
int apply_judge(struct verdict_sum *out, const struct apply_judge *ask, const char *driver, struct bytes running,
		struct error *err) _must_check_;

/* The answer, behind its result. False for one that no statement could carry. */
void apply_sum_put(struct buf *out, const struct verdict_sum *sum);
bool apply_sum_get(struct verdict_sum *out, struct reader *rd);
