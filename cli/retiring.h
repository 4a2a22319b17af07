/* cli/retiring.h -- which devices are on their way out, as far as the server lists it: where to look, not what to believe. */
#pragma once

#include "cli/fleet.h"

struct retiring {
	size_t count;
	char (*ids)[ID_LEN + 1];
};

/* Devices that a batch of kind factory-reset, purge or shred is for, newest batches first, each once. At most RETIRING_MAX of them. */
enum { RETIRING_MAX = 1000 };
int retiring_find(struct retiring *out, struct cli *cli, struct error *err) _must_check_;
/* Only of batches that are not over, on which somebody waits, and devices that were erased in part. */
int retiring_find_open(struct retiring *out, struct cli *cli, struct error *err) _must_check_;
bool retiring_has(const struct retiring *r, const char *id);
void retiring_done(struct retiring *r);
