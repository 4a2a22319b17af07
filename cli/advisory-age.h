/* cli/advisory-age.h -- how long something may stay affected and unanswered, by severity. Pure. */
#pragma once

#include "cli/advisory.h"

enum age_severity { AGE_NONE, AGE_LOW, AGE_MEDIUM, AGE_HIGH, AGE_CRITICAL };
enum { AGE_SEVERITIES = AGE_CRITICAL + 1 };

struct age_limits {
	bool are_there;
	int64_t days[AGE_SEVERITIES]; /* 0: no limit */
};

/* "30d" for all, or "critical=7d,high=30d"; CLI_USAGE. text NULL: no limits. */
int age_limits_parse(struct age_limits *out, const char *text, struct error *err) _must_check_;
/* By its score; by the publisher's word where it has none. */
enum age_severity age_severity_of(const struct advisory *a);
/* Days since it was published first; -1: nobody says when that was. */
int64_t age_days(const struct advisory *a, int64_t now_s);
/* How many days it is too old: 0 while it is not. What nobody dated is, by one day, where there is a limit. */
int64_t age_over(const struct age_limits *limits, enum age_severity severity, int64_t days);
