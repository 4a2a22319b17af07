/* cli/advisory-facts.h -- what is known of devices, from the fleet or from a file, for matching advisories. */
#pragma once

#include "cli/advisory-match.h"
#include "cli/cli.h"
#include "crypto/key.h"

struct advisory_device {
	char name[64], id[ID_LEN + 1]; /* id: "" when it is not of the fleet */
	struct advisory_facts facts;
};

struct advisory_devices {
	size_t count;
	struct advisory_device *list;
};

/* Those of the fleet that the selectors mean, with their labels; retired ones and ones that were not admitted are left out. */
int advisory_devices_fleet(struct advisory_devices *out, struct cli *cli, const char *const terms[], size_t count,
			   struct error *err) _must_check_;
/* A file of facts (docs/reference/advisories.md); no server is asked. E_FORMAT says what is wrong. */
int advisory_devices_file(struct advisory_devices *out, const char *path, struct error *err) _must_check_;
int advisory_devices_parse(struct advisory_devices *out, struct bytes text, struct error *err) _must_check_;
void advisory_devices_done(struct advisory_devices *d);
