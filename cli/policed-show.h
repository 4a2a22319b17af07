/* cli/policed-show.h -- how the verdicts about many devices are shown: lines by rule, how many of each by rule, or a stream of JSON
 * objects. */
#pragma once

#include "cli/policing.h"

enum {
	POLICED_LINES_MAX = 100000, /* that are kept for the table; the rest is counted */
	POLICED_CELL_MAX = 300,     /* bytes of a place, and of what was found there */
};

/* A rule that did not pass on a device. */
struct policed_line {
	uint32_t rule;
	uint32_t device; /* by the order in which they were asked for */
	enum verdict verdict;
	char *revision, *where, *what;
};

struct policed_lines {
	struct policed_line *at;
	size_t count, left_out;
};
/* Of one device, for a worker; device is filled in by policed_lines_move(). */
void policed_lines_of(struct policed_lines *out, const struct policed *device, const struct report *report);
/* Moves from's lines behind those of to, as far as they fit. */
void policed_lines_move(struct policed_lines *to, struct policed_lines *from, uint32_t device);
void policed_lines_done(struct policed_lines *lines);
/* Sorted by rule, then by device. */
int policed_lines_print(struct policed_lines *lines, const struct policy *policy, struct error *err) _must_check_;

/* Appends one line of JSON for each rule. */
void policed_json(struct buf *out, const struct policed *device, const struct report *report);

/* counts: VERDICTS for each rule. */
int policed_summary_print(const struct policy *policy, const size_t *counts, struct error *err) _must_check_;
int policed_summary_json(const struct policy *policy, const size_t *counts, const size_t all[static VERDICTS], size_t devices,
			 struct error *err) _must_check_;
