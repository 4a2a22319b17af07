/* cli/advisory-version.h -- versions and ranges as vendors write them, compared without guessing.
 *
 * A version is numbers between dots, at most six, with or without a "v" in front, and perhaps something behind them ("-rc1") that no rule
 * orders. A range is what CSAF 2.0 calls `vers:` or "vls", or what a CVE record says; whatever else stands there is prose. An answer that
 * depends on how a text is meant is ANSWER_UNKNOWN: is 4.24.3 "<= 4.24"? With `vers:intdot/` it is not, elsewhere nobody knows. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum answer { ANSWER_NO, ANSWER_UNKNOWN, ANSWER_YES };

enum answer answer_and(enum answer a, enum answer b);
enum answer answer_or(enum answer a, enum answer b);

enum { VERSION_NUMBERS_MAX = 6, VERSION_SUFFIX_MAX = 32, RANGE_PARTS_MAX = 16 };

struct version {
	unsigned count;
	uint32_t number[VERSION_NUMBERS_MAX];
	bool is_series;                  /* "5.*" */
	char suffix[VERSION_SUFFIX_MAX]; /* "-rc1"; "" for none */
};

/* False for what is none: "4.24.", "L206-F2G1", "". Blanks around it are fine. */
bool version_parse(struct version *out, const char *text);

/* Where a version may stand, seen from a bound: a set, because that can be open. */
enum { VERSION_BELOW = 1, VERSION_EQUAL = 2, VERSION_ABOVE = 4 };
/* is_exact: 4.24 means 4.24.0 and nothing else. */
unsigned version_places(const struct version *version, const struct version *bound, bool is_exact);

struct range {
	bool is_all, is_none;
	bool is_exact;      /* `vers:` of a type with an order of its own */
	bool is_one;        /* one plain version: nothing is said of others */
	bool is_lower_only; /* "> 1.7.5.0": often meant the other way round */
	const char *why;    /* static: why it cannot be used; NULL when it can */
	size_t count;
	struct range_part {
		unsigned places; /* which of VERSION_* hold */
		struct version bound;
	} part[RANGE_PARTS_MAX];
};

/* Always fills out; out->why says what is wrong. */
void range_parse(struct range *out, const char *text);
/* One version, as under product_version: never a range. */
void range_parse_one(struct range *out, const char *text);
/* ">= from and < below" (or <= with up_to); NULL for none of it. */
void range_between(struct range *out, const char *from, const char *below, const char *up_to);
enum answer range_has(const struct range *range, const struct version *version);
