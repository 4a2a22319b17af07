/* cli/advisory-version.c -- versions and ranges as vendors write them. */
#include "cli/advisory-version.h"

#include "base/attr.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { TEXT_MAX = 400, DIGITS_MAX = 9 };

enum answer answer_and(enum answer a, enum answer b)
{
	return a < b ? a : b;
}

enum answer answer_or(enum answer a, enum answer b)
{
	return a > b ? a : b;
}

/* ---- versions ---- */

/* The text without blanks around it, in out; false when it is empty or long. */
static bool trim(char *out, size_t size, const char *text)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	if (!len || len >= size)
		return false;
	memcpy(out, text, len);
	out[len] = 0;
	return true;
}

static bool take_number(uint32_t *out, const char **text)
{
	const char *at = *text;
	uint32_t n = 0;

	while (isdigit((unsigned char)*at) && at - *text < DIGITS_MAX)
		n = n * 10 + (uint32_t)(*at++ - '0');
	if (at == *text || isdigit((unsigned char)*at))
		return false;
	*out = n;
	*text = at;
	return true;
}

/* "2023_v4.8.0": two versions, of which nobody says which one a device tells. */
static bool is_second(const char *text)
{
	return (*text == 'v' || *text == 'V') && isdigit((unsigned char)text[1]) && strchr(text, '.');
}

static bool take_suffix(struct version *out, const char *text)
{
	if (!*text)
		return true;
	if (strlen(text) >= sizeof(out->suffix) || *text == '.' || out->is_series)
		return false;
	for (const char *c = text; *c; c++)
		if ((!isalnum((unsigned char)*c) && !strchr("-+._~", *c)) || is_second(c))
			return false;
	strcpy(out->suffix, text);
	return true;
}

bool version_parse(struct version *out, const char *text)
{
	char copy[TEXT_MAX];
	const char *at = copy;

	*out = (struct version){ 0 };
	if (!trim(copy, sizeof(copy), text))
		return false;
	if ((*at == 'v' || *at == 'V') && isdigit((unsigned char)at[1]))
		at++;
	for (;;) {
		if (out->count == VERSION_NUMBERS_MAX || !take_number(&out->number[out->count], &at))
			return false;
		out->count++;
		if (*at != '.')
			return take_suffix(out, at);
		at++;
		if (*at == '*' || ((*at == 'x' || *at == 'X') && !at[1])) {
			out->is_series = true;
			return take_suffix(out, at + 1);
		}
	}
}

static bool rest_is_zero(const struct version *v, unsigned from)
{
	for (unsigned i = from; i < v->count; i++)
		if (v->number[i])
			return false;
	return true;
}

unsigned version_places(const struct version *version, const struct version *bound, bool is_exact)
{
	unsigned common = version->count < bound->count ? version->count : bound->count;

	for (unsigned i = 0; i < common; i++)
		if (version->number[i] != bound->number[i])
			return version->number[i] < bound->number[i] ? VERSION_BELOW : VERSION_ABOVE;
	if (bound->is_series && version->count >= bound->count)
		return VERSION_EQUAL;
	if (bound->is_series || version->is_series)
		return VERSION_BELOW | VERSION_EQUAL | VERSION_ABOVE;
	if (*version->suffix || *bound->suffix) {
		if (version->count == bound->count && !strcasecmp(version->suffix, bound->suffix))
			return VERSION_EQUAL;
		return VERSION_BELOW | VERSION_EQUAL | VERSION_ABOVE;
	}
	if (!rest_is_zero(version, common)) /* 4.24.3 against 4.24 */
		return is_exact ? VERSION_ABOVE : VERSION_EQUAL | VERSION_ABOVE;
	if (!rest_is_zero(bound, common)) /* 4.24 against 4.24.3 */
		return is_exact ? VERSION_BELOW : VERSION_BELOW | VERSION_EQUAL | VERSION_ABOVE;
	return VERSION_EQUAL;
}

static enum answer holds(const struct range_part *part, const struct version *version, bool is_exact)
{
	unsigned places = version_places(version, &part->bound, is_exact);

	if (!(places & ~part->places))
		return ANSWER_YES;
	return places & part->places ? ANSWER_UNKNOWN : ANSWER_NO;
}

/* ---- ranges ---- */

static const struct {
	const char *text;
	unsigned places;
} operators[] = {
	{ "<=", VERSION_BELOW | VERSION_EQUAL },
	{ ">=", VERSION_ABOVE | VERSION_EQUAL },
	{ "\xe2\x89\xa4", VERSION_BELOW | VERSION_EQUAL },
	{ "\xe2\x89\xa5", VERSION_ABOVE | VERSION_EQUAL },
	{ "!=", VERSION_BELOW | VERSION_ABOVE },
	{ "==", VERSION_EQUAL },
	{ "<", VERSION_BELOW },
	{ ">", VERSION_ABOVE },
	{ "=", VERSION_EQUAL },
};
enum { OPERATORS = sizeof(operators) / sizeof(*operators) };

static size_t operator_at(const char *text, unsigned *places)
{
	for (size_t i = 0; i < OPERATORS; i++) {
		if (!strncmp(text, operators[i].text, strlen(operators[i].text))) {
			*places = operators[i].places;
			return strlen(operators[i].text);
		}
	}
	return 0;
}

static bool is_lower(const struct range_part *part)
{
	return part->places & VERSION_ABOVE && !(part->places & VERSION_BELOW);
}

static bool is_upper(const struct range_part *part)
{
	return part->places & VERSION_BELOW && !(part->places & VERSION_ABOVE);
}

static bool is_bound(const struct range_part *part)
{
	return is_lower(part) || is_upper(part);
}

static const char why_prose[] = "it is no range that a program can compare";

static void take_part(struct range *out, const char *text)
{
	struct range_part part = { .places = VERSION_EQUAL };
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = operator_at(text, &part.places);
	if (out->count == RANGE_PARTS_MAX)
		out->why = "it has more than 16 parts";
	else if (!version_parse(&part.bound, text + len))
		out->why = why_prose;
	else
		out->part[out->count++] = part;
}

/* Parts end at '|', at ',', and before an operator that stands behind a blank: ">= 4.0, < 4.3", ">=4.0 <4.3". */
static void split(struct range *out, char *text)
{
	char *begin = text;
	unsigned places;

	for (char *at = text; *at && !out->why; at++) {
		size_t len = operator_at(at, &places);
		bool is_next = len && at != begin && isspace((unsigned char)at[-1]) && strspn(begin, " \t") != (size_t)(at - begin);

		if (*at == '|' || *at == ',') {
			*at = 0;
			take_part(out, begin);
			begin = at + 1;
		} else if (is_next) {
			at[-1] = 0;
			take_part(out, begin);
			begin = at;
		}
		at += len ? len - 1 : 0;
	}
	if (!out->why)
		take_part(out, begin);
}

/* Keeps the order of equal ones: what "5.24" is to "5.*" only the text says. */
static void sort_bounds(struct range *out)
{
	for (size_t i = 1; i < out->count; i++) {
		struct range_part part = out->part[i];
		size_t k = i;

		for (; k && version_places(&part.bound, &out->part[k - 1].bound, true) == VERSION_BELOW; k--)
			out->part[k] = out->part[k - 1];
		out->part[k] = part;
	}
}

/* Bounds form intervals only if they alternate, once in order: "< 4.2 | < 5.1" may mean two series of which nobody gave the beginnings. */
static void check_bounds(struct range *out)
{
	const struct range_part *before = NULL;
	size_t bounds = 0, lowers = 0;

	if (out->count == 2 && is_lower(&out->part[0]) && is_upper(&out->part[1]) &&
	    version_places(&out->part[0].bound, &out->part[1].bound, true) == VERSION_ABOVE) {
		out->why = "its bounds exclude each other";
		return;
	}
	for (size_t i = 0; i < out->count; i++)
		if (out->count > 1 && (*out->part[i].bound.suffix || (out->part[i].bound.is_series && out->count > 2)))
			out->why = "its parts have no order that a program knows";
	sort_bounds(out);
	for (size_t i = 0; i < out->count; i++) {
		if (!is_bound(&out->part[i]))
			continue;
		if (before && is_lower(before) == is_lower(&out->part[i]))
			out->why = "its bounds do not alternate";
		before = &out->part[i];
		bounds++;
		lowers += is_lower(before);
	}
	out->is_lower_only = bounds == 1 && lowers == 1;
	out->is_one = out->count == 1 && out->part[0].places == VERSION_EQUAL && !out->part[0].bound.is_series;
}

static bool is_word(const char *text, const char *const words[])
{
	for (size_t i = 0; words[i]; i++)
		if (!strcasecmp(text, words[i]))
			return true;
	return false;
}

/* What stands before or behind the one version of a sentence that can mean one thing only. "Up to" is not here: with it, or without? */
static const struct phrase {
	const char *text;
	unsigned places;
} before_phrases[] = {
	{ "prior to ", VERSION_BELOW },
	{ "before ", VERSION_BELOW },
	{ "earlier than ", VERSION_BELOW },
	{ "older than ", VERSION_BELOW },
	{ "lower than ", VERSION_BELOW },
	{ "up to and including ", VERSION_BELOW | VERSION_EQUAL },
}, behind_phrases[] = {
	{ " and prior", VERSION_BELOW | VERSION_EQUAL },
	{ " and earlier", VERSION_BELOW | VERSION_EQUAL },
	{ " and older", VERSION_BELOW | VERSION_EQUAL },
	{ " and below", VERSION_BELOW | VERSION_EQUAL },
	{ " or earlier", VERSION_BELOW | VERSION_EQUAL },
	{ " or older", VERSION_BELOW | VERSION_EQUAL },
	{ " and later", VERSION_ABOVE | VERSION_EQUAL },
	{ " and newer", VERSION_ABOVE | VERSION_EQUAL },
	{ " or later", VERSION_ABOVE | VERSION_EQUAL },
	{ " or newer", VERSION_ABOVE | VERSION_EQUAL },
};

static bool begins(const char *text, const char *with)
{
	return !strncasecmp(text, with, strlen(with));
}

static bool cut_end(char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	if (len <= end_len || strcasecmp(text + len - end_len, end) != 0)
		return false;
	text[len - end_len] = 0;
	return true;
}

static const struct phrase *find_before(char **text)
{
	for (size_t i = 0; i < ARRAY_SIZE(before_phrases); i++) {
		if (!begins(*text, before_phrases[i].text))
			continue;
		*text += strlen(before_phrases[i].text);
		return &before_phrases[i];
	}
	return NULL;
}

static const struct phrase *find_behind(char *text)
{
	(void)cut_end(text, " versions");
	for (size_t i = 0; i < ARRAY_SIZE(behind_phrases); i++)
		if (cut_end(text, behind_phrases[i].text))
			return &behind_phrases[i];
	return NULL;
}

/* "prior to 4.2", "4.2 and earlier". */
static bool take_sentence(struct range *out, const char *text)
{
	char copy[TEXT_MAX], *at = copy;
	const struct phrase *phrase;
	struct range_part part;

	strcpy(copy, text); /* which has at most TEXT_MAX, by trim() */
	phrase = find_before(&at);
	if (!phrase)
		phrase = find_behind(at);
	if (!phrase || !version_parse(&part.bound, at))
		return false;
	part.places = phrase->places;
	out->part[out->count++] = part;
	return true;
}

/* "All versions" in front of an operator or of such a sentence says nothing more. */
static char *past_lead(char *text)
{
	static const char *const leads[] = { "all versions ", "versions ", "version " };

	for (size_t i = 0; i < ARRAY_SIZE(leads); i++)
		if (begins(text, leads[i]))
			return text + strlen(leads[i]);
	return text;
}

static bool take_scheme(struct range *out, char **text)
{
	static const char *const ordered[] = { "intdot", "semver", NULL };
	char *slash = strchr(*text, '/');

	if (strncmp(*text, "vers:", 5) != 0)
		return true;
	if (!slash) {
		out->why = "it is no 'vers:TYPE/...'";
		return false;
	}
	*slash = 0;
	if (!strcmp(*text, "vers:all") || !strcmp(*text, "vers:none")) {
		if (strcmp(slash + 1, "*") != 0)
			out->why = "'vers:all/' and 'vers:none/' take '*' and nothing else";
		out->is_all = !out->why && (*text)[5] == 'a';
		out->is_none = !out->why && !out->is_all;
		return false;
	}
	out->is_exact = is_word(*text + 5, ordered);
	if (!out->is_exact && strcmp(*text, "vers:generic") != 0) {
		out->why = "its type of 'vers:' is not compared here";
		return false;
	}
	*text = slash + 1;
	return true;
}

void range_parse(struct range *out, const char *text)
{
	static const char *const all[] = { "*", "all", "all versions", NULL };
	char copy[TEXT_MAX], *at = copy, *behind;
	unsigned places;

	*out = (struct range){ 0 };
	if (!trim(copy, sizeof(copy), text)) {
		out->why = *text ? why_prose : "it is empty";
		return;
	}
	if (!take_scheme(out, &at))
		return;
	if (is_word(at, all)) {
		out->is_all = true;
		return;
	}
	behind = past_lead(at);
	if (!take_sentence(out, behind))
		split(out, operator_at(behind, &places) ? behind : at);
	if (!out->why)
		check_bounds(out);
	if (out->why)
		out->count = 0;
}

void range_parse_one(struct range *out, const char *text)
{
	struct version version;

	*out = (struct range){ 0 };
	if (!version_parse(&version, text)) {
		out->why = "it is no version";
		return;
	}
	out->count = 1;
	out->part[0] = (struct range_part){ VERSION_EQUAL, version };
	out->is_one = !version.is_series;
}

static void add_bound(struct range *out, const char *text, unsigned places)
{
	struct range_part *part = &out->part[out->count];

	if (!text || out->why)
		return;
	part->places = places;
	if (!version_parse(&part->bound, text))
		out->why = why_prose;
	else
		out->count++;
}

void range_between(struct range *out, const char *from, const char *below, const char *up_to)
{
	*out = (struct range){ 0 };
	add_bound(out, from, VERSION_EQUAL | VERSION_ABOVE);
	add_bound(out, below, VERSION_BELOW);
	add_bound(out, up_to, VERSION_BELOW | VERSION_EQUAL);
	out->is_all = !out->count && !out->why;
	if (!out->why)
		check_bounds(out);
	if (out->why)
		out->count = 0;
}

/* Between the bounds that stand around it: an upper one closes what a lower one before it opened. */
static enum answer in_intervals(const struct range *range, const struct version *version, bool *has_bounds)
{
	enum answer result = ANSWER_NO, open = ANSWER_YES;

	*has_bounds = false;
	for (size_t i = 0; i < range->count; i++) {
		const struct range_part *part = &range->part[i];

		if (!is_bound(part))
			continue;
		*has_bounds = true;
		if (is_lower(part)) {
			open = holds(part, version, range->is_exact);
			continue;
		}
		result = answer_or(result, answer_and(open, holds(part, version, range->is_exact)));
		open = ANSWER_NO;
	}
	return *has_bounds ? answer_or(result, open) : ANSWER_NO;
}

enum answer range_has(const struct range *range, const struct version *version)
{
	enum answer result;
	bool has_bounds, has_equals = false;

	if (range->why)
		return ANSWER_UNKNOWN;
	if (range->is_all || range->is_none)
		return range->is_all ? ANSWER_YES : ANSWER_NO;
	result = in_intervals(range, version, &has_bounds);
	for (size_t i = 0; i < range->count; i++) {
		if (range->part[i].places != VERSION_EQUAL)
			continue;
		has_equals = true;
		result = answer_or(result, holds(&range->part[i], version, range->is_exact));
	}
	if (!has_bounds && !has_equals)
		result = ANSWER_YES; /* only what is left out is named */
	for (size_t i = 0; i < range->count; i++)
		if (range->part[i].places == (VERSION_BELOW | VERSION_ABOVE))
			result = answer_and(result, holds(&range->part[i], version, range->is_exact));
	return result;
}
