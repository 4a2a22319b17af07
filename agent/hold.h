/* agent/hold.h -- an engineer's word that a device's unsaved change is to be left alone for a while.
 *
 * A small text file in the device's state folder: core honours and reports it, apply looks again right before it acts. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum { HOLD_NONE = 1, HOLD_SECONDS_MAX = 30 * 86400 };

struct hold {
	int64_t until_s;
	char who[64];
	char why[300];
};

/* Returns HOLD_NONE when there is none, or it has expired. A file that cannot be understood holds too (for the hour to come). */
int hold_read(struct hold *out, const char *dir, int64_t now_s, struct error *err) _must_check_;
int hold_write(const struct hold *hold, const char *dir, struct error *err) _must_check_;
int hold_release(const char *dir, struct error *err) _must_check_;
/* "90s", "30m", "2h", "3d": seconds; 0 when it is none of these, or over 30 days. */
int64_t hold_duration(const char *text);
