/* policies/check.h -- what one check of a rule says of a block of a configuration. Internal to policies/; policies/policy.h is the door.
 *
 * Logic has three values (Kleene's): what is unknown stays so until something else decides. Each part leaves what it found, with its own
 * truth; whatever contains it keeps what agrees with its own, so that in the end the reasons are those of the verdict. */
#pragma once

#include "policies/policy.h"

#define NOWHERE UINT32_MAX /* a block that is not there: an empty one; a reason without a line */

enum { REASONS_MAX = 64 };

enum reason_kind { FOUND, MISSING, UNCLEAR, NOT_IN_RANGE, TOO_MANY, TOO_FEW, DIFFERENT };

struct reason {
	enum truth truth;
	enum reason_kind kind;
	uint32_t block, node; /* node: NOWHERE when there is no line */
	const char *pattern;
	const char *context;  /* of the block, when there is none */
	uint64_t number;
};

/* Of one rule. */
struct evaluation {
	const struct tree *tree;
	const struct context *context; /* of the rule */
	struct purse *purse;
	struct reason reasons[REASONS_MAX];
	size_t count, more;
};

enum truth truth_not(enum truth truth);
enum truth truth_both(enum truth a, enum truth b);

enum truth check_holds(struct evaluation *ev, const struct check *check, uint32_t block);
/* In every block that the rule's context means; where there is none, in an empty one. */
enum truth check_rule(struct evaluation *ev, const struct rule *rule);
