/* policies/applies.h -- is a rule for this model and this firmware? Internal to policies/. */
#pragma once

#include "policies/policy.h"

/* Unknown when the rule asks for what is not known of the device. */
enum truth policy_applies(const struct rule *rule, const struct policy_facts *facts);
