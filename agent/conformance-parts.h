/* agent/conformance-parts.h -- what the parts of the conformance suite share: a device under test, its moments, a row of the table.
 *
 * A part is a table of promises (conformance-look.c, -text.c, -change.c, -upgrade.c, -erase.c). Each of them stands alone: behind a row
 * that fails, the others are tried all the same. */
#pragma once

#include "agent/conformance.h"

enum { CONFORMANCE_EVIDENCE_MAX = 200, CONFORMANCE_CHANGE_MS = 300000 };

enum conformance_result { HOLDS, FAILS, CANNOT, NOT_TRIED };

/* One moment, in canonical form. */
struct moment {
	struct device_look look;
	struct buf running, startup;
};

struct suite {
	const struct conformance *what;
	const struct settings_device *dev;
	const struct device_driver *driver;
	const char *trial;
	struct moment first; /* how it was found, and how it is left */
	bool has_first;
	unsigned counts[NOT_TRIED + 1];
};

struct row {
	enum conformance_result result;
	char evidence[CONFORMANCE_EVIDENCE_MAX];
};

struct conformance_check {
	const char *name; /* NULL: the end of the table */
	unsigned needs;   /* capabilities; without them the driver cannot, and need not */
	void (*check)(struct suite *s, struct row *row);
	bool is_destructive, wants_trial;
	bool is_erasing;  /* with --erase only: nothing puts that back */
	bool is_firmware; /* with --firmware only */
	bool is_first;   /* the others need it */
};
extern const struct conformance_check conformance_look[], conformance_text[], conformance_change[], conformance_upgrade[],
	conformance_erase[];

void row_say(struct row *row, enum conformance_result result, const char *fmt, ...) _printf_(3, 4);

/* Looks. false: the row says why. */
bool moment_see(const struct suite *s, struct moment *out, struct row *row) _must_check_;
void moment_done(struct moment *m);
bool moment_is_saved(const struct moment *m);
/* Looks again: are running and startup these? false: the row says that they are not, `after`. */
bool moment_still(const struct suite *s, struct row *row, const struct buf *running, const struct buf *startup,
		  const char *after) _must_check_;
bool moment_same(const struct buf *a, const struct buf *b);

/* No device has such a command; what it says of the device in an error must not hold its last word. */
extern const char conformance_garbage[];
