/* cli/advisory-age.c -- how long something may stay affected and unanswered, by severity. */
#include "cli/advisory-age.h"

#include "base/clock.h"
#include "cli/args.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DAY_S = 86400 };

static const char *const names[AGE_SEVERITIES] = { "none", "low", "medium", "high", "critical" };

static bool find_severity(enum age_severity *out, const char *word)
{
	for (size_t i = 0; i < AGE_SEVERITIES; i++) {
		if (strcasecmp(word, names[i]) != 0)
			continue;
		*out = (enum age_severity)i;
		return true;
	}
	return false;
}

static int take_limit(struct age_limits *out, char *term, struct error *err)
{
	char *value = strchr(term, '=');
	enum age_severity severity = AGE_NONE;
	int64_t s;

	if (value)
		*value++ = 0;
	if (value && !find_severity(&severity, term))
		return error_set(err, CLI_USAGE, "'%s' is no severity: none, low, medium, high or critical", term);
	if (args_duration(&s, value ? value : term, err) < 0)
		return error_add(err, "--max-age");
	for (size_t i = 0; i < AGE_SEVERITIES; i++)
		if (!value || i == severity)
			out->days[i] = (s + DAY_S - 1) / DAY_S;
	return 0;
}

int age_limits_parse(struct age_limits *out, const char *text, struct error *err)
{
	_cleanup_(mem_freep) char *copy = text ? mem_strdup(text) : NULL;
	char *save;

	*out = (struct age_limits){ .are_there = text != NULL };
	if (text && !*text)
		return error_set(err, CLI_USAGE, "--max-age takes '30d', or 'critical=7d,high=30d'");
	for (char *term = copy ? strtok_r(copy, ",", &save) : NULL; term; term = strtok_r(NULL, ",", &save))
		if (take_limit(out, term, err) < 0)
			return err->code;
	return 0;
}

enum age_severity age_severity_of(const struct advisory *a)
{
	enum age_severity severity = AGE_NONE;

	if (a->score <= 0 && find_severity(&severity, a->severity))
		return severity;
	find_severity(&severity, advisory_score_word(a->score));
	return severity;
}

int64_t age_days(const struct advisory *a, int64_t now_s)
{
	char text[CLOCK_TEXT_LEN];
	int64_t published_s;

	snprintf(text, sizeof(text), "%.19sZ", a->published);
	if (!clock_parse(&published_s, bytes_str(text)))
		return -1;
	return published_s <= now_s ? (now_s - published_s) / DAY_S : 0;
}

int64_t age_over(const struct age_limits *limits, enum age_severity severity, int64_t days)
{
	int64_t most = limits->days[severity];

	if (!most)
		return 0;
	return days < 0 ? 1 : days > most ? days - most : 0;
}
