/* cli/admission.h -- admitting a device: as its invite says, or under another name. */
#pragma once

#include "cli/open.h"

struct cli;

/* One that waits, by its whole id, checked as `device admit` does: the invite's secret, its time, and that nobody else proved it. labels:
 * "site:north role:ring". */
int admission_waiting(struct cli *cli, const char *id, const char *name, const char *labels, struct error *err) _must_check_;
/* One that is admitted already, from now on under this name and with these labels. */
int admission_again(struct cli *cli, const struct open_device *device, const char *name, const char *labels,
		    struct error *err) _must_check_;
