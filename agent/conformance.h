/* agent/conformance.h -- does a driver keep what agent/device.h promises, on this device? A table for people, and an answer for scripts.
 *
 * Without is_destructive nothing on the device changes. With it, running and startup are changed and put back: for a device in a
 * laboratory, or at night, and never while an agent serves it. */
#pragma once

#include "agent/device.h"

enum { CONFORMANCE_FAILS = 1 };

struct conformance_firmware {
	const char *path, *version;
	const char *part; /* "system" or "bundle" */
};

struct conformance {
	const struct settings_device *dev;
	bool is_destructive;
	bool is_erasing; /* resets and purges it at the end, as far as the driver can: nothing puts that back */
	const struct conformance_firmware *firmware; /* an image for this device, which stays on it; NULL: none is moved */
	const char *trial; /* lines that change running and harm nothing; NULL: the driver's own */
	unsigned cuts;     /* how often at most a save is cut off; more steps than that are tried at even distances */
	const char *only;  /* of the rows behind the look, only the one of this name, or those with it before their colon; NULL: all */
};

/* Prints a line per promise: what, the result, how long it took, the evidence. 0: whatever the driver declares holds. Waits for the device,
 * and for a device that is made to hang. */
int conformance_run(const struct conformance *what) _must_check_;
