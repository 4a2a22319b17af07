/* cli/rule-name.h -- how people name a rule: PACK/RULE, or all rules of a pack. */
#pragma once

#include "base/error.h"

struct rule_name {
	char pack[64], rule[64]; /* rule: "" for all of the pack */
};
/* "weos/default-admin". CLI_USAGE. */
int rule_name_parse(struct rule_name *out, const char *text, struct error *err) _must_check_;
/* The same, or "weos" for all of its rules. */
int rule_name_parse_any(struct rule_name *out, const char *text, struct error *err) _must_check_;
