/* policies/applies.c -- is a rule for this model and this firmware? */
#include "policies/applies.h"

#include "policies/check.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static size_t take_version(uint64_t out[static 8], const char *text)
{
	size_t n = 0;

	while (*text) {
		const char *at = text + strcspn(text, "0123456789");
		char *end = (char *)at;

		for (n = 0; n < 8 && isdigit((unsigned char)*end) && end - at < 64;) {
			out[n++] = strtoull(end, &end, 10);
			if (*end != '.' || !isdigit((unsigned char)end[1]))
				break;
			end++;
		}
		if (n > 1 || !*end)
			return n;
		text = end;
	}
	return n;
}

bool version_compare(int *out, const char *a, const char *b)
{
	uint64_t x[8] = { 0 }, y[8] = { 0 };
	size_t n = take_version(x, a), m = take_version(y, b);

	*out = 0;
	for (size_t i = 0; i < 8 && !*out; i++)
		*out = (x[i] > y[i]) - (x[i] < y[i]);
	return n && m;
}

/* One `*` goes over anything, and case does not matter. */
static bool model_matches(const char *pattern, const char *model)
{
	const char *star = strchr(pattern, '*');
	size_t head = star ? (size_t)(star - pattern) : strlen(pattern), len = strlen(model), tail = star ? strlen(star + 1) : 0;

	if (!star)
		return !strcasecmp(pattern, model);
	return len >= head + tail && !strncasecmp(pattern, model, head) && !strcasecmp(star + 1, model + len - tail);
}

enum truth policy_applies(const struct rule *rule, const struct policy_facts *facts)
{
	bool has_model = facts->model && *facts->model, has_firmware = facts->firmware && *facts->firmware;
	enum truth truth = TRUTH_YES;
	int order;

	if (rule->model)
		truth = has_model ? (model_matches(rule->model, facts->model) ? TRUTH_YES : TRUTH_NO) : TRUTH_UNKNOWN;
	if (rule->firmware_from)
		truth = truth_both(truth, has_firmware && version_compare(&order, facts->firmware, rule->firmware_from) ?
					    (order >= 0 ? TRUTH_YES : TRUTH_NO) : TRUTH_UNKNOWN);
	if (rule->firmware_below)
		truth = truth_both(truth, has_firmware && version_compare(&order, facts->firmware, rule->firmware_below) ?
					    (order < 0 ? TRUTH_YES : TRUTH_NO) : TRUTH_UNKNOWN);
	return truth;
}
