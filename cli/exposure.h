/* cli/exposure.h -- which secrets that are in force now could somebody read? Line by line, masked: what has to be changed on a device, and
 * what was changed since they read last. */
#pragma once

#include "cli/fleet.h"
#include "cli/output.h"

enum { EXPOSURE_EPOCHS_MAX = 4096 };

struct exposure {
	struct cli *cli;
	struct opener *opener;
	struct table table; /* DEVICE LINE STATE */
	json_t *json;
	uint64_t to_change, changed, closed; /* lines; devices whose secrets are not sealed to us */
};
void exposure_begin(struct exposure *x, struct cli *cli, struct opener *opener);
void exposure_done(struct exposure *x);
/* epochs: of this device, rising, whose secrets the person opens; known by the newest revision of each. */
int exposure_add(struct exposure *x, const struct fleet_member *m, const uint64_t *epochs, size_t count, struct error *err) _must_check_;
