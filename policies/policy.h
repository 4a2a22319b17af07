/* policies/policy.h -- packs of rules about configurations: what is written in YAML (docs/reference/policy-language.md), and what a rule
 * says of one configuration. Pure.
 *
 * A rule is true, false, or nobody can say; whatever cannot be evaluated is the third, and never passes. Every part of it has a bound, and
 * so has what it may cost (struct policy_limits): a rule that is out of steps is unknown, and so are those behind it when the whole pack
 * is. */
#pragma once

#include "policies/pattern.h"
#include "policies/tree.h"

enum {
	POLICY_BYTES_MAX = 4 << 20,     /* of a pack */
	POLICY_RULES_MAX = 10000,
	POLICY_ID_MAX = 64,
	POLICY_TEXT_MAX = 2000,         /* of a title, a rationale, a line of a remedy */
	POLICY_LIST_MAX = 64,           /* entries of one list in a rule */
	POLICY_STEPS_MAX = 8,           /* of a context */
	POLICY_COMPILED_MAX = 64 << 20, /* all regular expressions of a pack */
	POLICY_FINDINGS_MAX = 16,       /* of one rule; the rest is counted */
	POLICY_LINE_SHOWN = 200,        /* bytes of a line of the configuration in a finding, and in its path */
};

enum policy_level { POLICY_FUNDAMENTAL, POLICY_ENHANCED };
enum policy_severity { POLICY_LOW, POLICY_MEDIUM, POLICY_HIGH, POLICY_CRITICAL };

/* Blocks by the words of their lines, from the block that is looked at, or from the top. */
struct context {
	bool is_from_top;
	size_t count;
	struct pattern *step[POLICY_STEPS_MAX];
	char *text; /* "config/aaa/user *" */
};

enum check_kind {
	CHECK_ALL,
	CHECK_ANY,
	CHECK_NOT,
	CHECK_EACH,
	CHECK_SOME,
	CHECK_PRESENT,
	CHECK_ABSENT,
	CHECK_COUNT,
	CHECK_VALUE,
	CHECK_COMPARE
};
enum relation { RELATION_EQUAL, RELATION_DIFFERENT, RELATION_BELOW, RELATION_AT_MOST, RELATION_ABOVE, RELATION_AT_LEAST };
enum truth { TRUTH_NO, TRUTH_YES, TRUTH_UNKNOWN };

struct side_of {
	struct context context; /* no steps: the block that is looked at */
	struct pattern *line;
};

struct check {
	enum check_kind kind;
	struct check *part; /* of all, any, not, each, some */
	size_t part_count;
	struct context context; /* each, some */
	struct pattern *line;   /* present, absent, count, value */
	uint64_t least, most;   /* count, value */
	bool has_range;
	char **among, **not_among;
	size_t among_count, not_among_count;
	enum truth if_missing;  /* value, compare */
	struct side_of left, right;
	enum relation relation;
};

struct remedy {
	char *context; /* "config/system" */
	char **lines;
	size_t line_count;
};

struct rule {
	char *id, *title, *rationale; /* rationale may be NULL */
	enum policy_level level;
	enum policy_severity severity;
	char **requires, **references;
	size_t require_count, reference_count;
	char *model, *firmware_from, *firmware_below; /* NULL: any */
	struct context context;
	struct check *when, *doubt; /* NULL: always; never */
	struct check check;
	struct remedy *remedy;
	size_t remedy_count;
	unsigned line; /* of the pack */
};

struct policy {
	char *name, *title, *driver;
	struct rule *rules;
	size_t count;
};

/* name: of the file, for messages: E_FORMAT is "FILE:LINE:COLUMN: why", and so is E_LIMIT. */
int policy_read(struct policy **out, const char *name, struct bytes text, struct error *err) _must_check_;
struct policy *policy_free(struct policy *policy);
void policy_freep(struct policy **policy);
const struct rule *policy_rule(const struct policy *policy, const char *id); /* NULL */
const char *policy_level_name(enum policy_level level);
const char *policy_severity_name(enum policy_severity severity);

/* ---- verdicts ---- */

enum verdict { VERDICT_PASS, VERDICT_FAIL, VERDICT_UNKNOWN, VERDICT_NOT_APPLICABLE };
enum { VERDICTS = 4 };

/* What is known of the device; NULL or "": not known. */
struct policy_facts {
	const char *driver, *model, *firmware;
};

struct finding {
	char *path;    /* "config/aaa" */
	unsigned line; /* of the configuration; 0: of none */
	char *text;    /* "'user admin' is there" */
};

struct ruling {
	const struct rule *rule;
	enum verdict verdict;
	char why[160]; /* of unknown and not applicable; "" else */
	struct finding *findings;
	size_t count, more; /* more: that are not kept */
};

struct report {
	struct ruling *rulings; /* one per rule, in their order */
	size_t count;
	size_t counts[VERDICTS];
	uint64_t steps; /* that it took */
};

/* What one evaluation may cost, whatever pack and configuration are. Steps are those of policies/pattern.h. */
struct policy_limits {
	uint64_t rule_steps;  /* of one rule */
	uint64_t all_steps;   /* of all rules of a pack together */
	uint32_t regex_steps; /* PCRE2's match limit, at each place of a line where a match may begin */
	size_t findings;      /* of all rules together; the rest is counted */
};
extern const struct policy_limits policy_limits_agent;    /* beside a device that has other work */
extern const struct policy_limits policy_limits_operator; /* on the machine of somebody who waits for it */

/* tree: NULL when the configuration cannot be read, and why. The report borrows from the policy. */
void policy_evaluate(struct report *out, const struct policy *policy, const struct tree *tree, const char *why_not,
		     const struct policy_facts *facts, const struct policy_limits *limits);
void report_done(struct report *report);
const char *verdict_name(enum verdict verdict); /* "pass", "fail", "unknown", "not-applicable" */

/* The first two or more numbers with dots in a text, compared with another: negative, 0, positive. False: one of them has none. */
bool version_compare(int *out, const char *a, const char *b);
