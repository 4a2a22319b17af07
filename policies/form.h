/* policies/form.h -- what configurations of each kind of device look like, for whoever compares, masks or writes one without the device
 * at hand. Pure; one row per driver. */
#pragma once

#include "base/bytes.h"

enum { FORM_VALUE_MAX = 1000 };

/* Where in a line a value is to stand. */
enum form_place {
	FORM_WORD, /* one word among others */
	FORM_REST, /* all that is left of the line: blanks may be in it */
};

struct form {
	const char *driver; /* as an enrolment says */

	/* As in struct device_driver (agent/device.h). */
	void (*canonical)(struct buf *out, struct bytes text);
	void (*secrets)(struct bytes text, void (*found)(void *ctx, size_t at, size_t len), void *ctx);

	/* May a value from outside stand behind `before`, the line so far? NULL when it may, else why not: whatever the value is, it must
	 * neither end the line nor choose the command. */
	const char *(*value_refused)(struct bytes before, struct bytes value, enum form_place place);
	/* May this line be entered as configuration? NULL, or why not: it would leave configuration, or write startup by itself. */
	const char *(*line_refused)(struct bytes line);

	/* The line that opens a block: what is inside follows it. */
	bool (*is_inside)(struct bytes line);
	/* Does a line inside this block (head empty: on the top level) give or take an address or a way to reach the device? */
	bool (*is_address)(struct bytes head, struct bytes line);
	/* Is it for people only, and changes nothing? NULL: nothing is known to be. */
	bool (*is_remark)(struct bytes line);
};

const struct form *form_of(const char *driver); /* NULL: none of that name */

/* Appends text with every secret replaced by {{secret <16 hex digits>}}, and "<digits> <base64>" lines for them to table, as in the
 * archive's `secrets` seal. Digits count up: they compare within this one call only. Text that looks like a token is a secret, too. */
void form_split(struct buf *out, struct buf *table, const struct form *form, struct bytes text);
