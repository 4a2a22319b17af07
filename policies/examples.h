/* policies/examples.h -- configurations that a pack is tried on, and what its rules must say of them (docs/reference/policy-language.md).
 * Pure.
 *
 * Each rule needs one that it passes and one that it fails: a rule that nothing fails may be looking for nothing. */
#pragma once

#include "policies/policy.h"

enum { EXAMPLES_BYTES_MAX = 4 << 20, EXAMPLES_MAX = 4096 };

/* What is not as it should be. */
struct example_fault {
	unsigned line; /* of the examples; 0: of none */
	const char *rule;
	char *text;
};

struct examples_report {
	size_t examples, judged; /* judged: rules, counted once for each example */
	struct example_fault *faults;
	size_t count;
};

/* Reads examples, evaluates each, and compares. E_FORMAT, E_LIMIT as policy_read(): the examples cannot be read. The report borrows from
 * the policy. */
int examples_run(struct examples_report *out, const struct policy *policy, const char *name, struct bytes text,
		 struct error *err) _must_check_;
void examples_done(struct examples_report *report);
