/* cli/output.h -- what people and scripts read: tables, JSON, progress. Data on standard output, everything else on standard error. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include <jansson.h>

enum { TABLE_COLUMNS_MAX = 10 };

/* Text that others made (a device, a peer): control characters, bidirectional overrides and bytes that are no UTF-8 become '?', so
 * they cannot drive a terminal or turn a line around. Newlines and tabs stay only if lines_ok. */
void output_clean(struct buf *out, struct bytes text, bool lines_ok);

struct table {
	size_t columns, rows;
	char **cells; /* rows * columns, the heads first */
};
void table_init(struct table *table, size_t columns, const char *const heads[]);
void table_add(struct table *table, const char *const cells[]); /* cleans them; NULL shows as "-" */
/* Aligned with heads (for_people), or separated by tabs without heads. */
void table_text(struct buf *out, const struct table *table, bool for_people);
int table_print(const struct table *table, struct error *err) _must_check_;
void table_done(struct table *table);

bool output_is_terminal(void);
bool output_has_colour(void); /* a terminal, no NO_COLOR, TERM not dumb */
int output_raw(struct bytes text, struct error *err) _must_check_;
/* One document: {"kind": kind, "api-version": 1, ...fields}. Takes the reference to fields. */
int output_json(const char *kind, json_t *fields, struct error *err) _must_check_;
/* A line on standard error, cleaned. */
void output_note(const char *fmt, ...) _printf_(1, 2);

struct progress {
	const char *what;
	uint64_t began_ms, shown_ms;
};
/* Count, rate and time left on standard error: in place on a terminal, a line every 10 s elsewhere. */
void progress_show(struct progress *progress, uint64_t done, uint64_t total);
/* "123 of 1000", on a terminal only. */
void progress_count(struct progress *progress, uint64_t done, uint64_t total);
void progress_end(struct progress *progress);
