/* cli/advisory-look.h -- which features a device uses, read off its newest archived configuration, opened on this machine.
 *
 * A pack of policies says how: each of its rules is a feature, and passes where that is in use (docs/reference/advisories.md). */
#pragma once

#include "cli/advisory-facts.h"

enum { LOOK_PACKS_MAX = 16 };

/* For each device of a pack's driver. What a label says counts before what is seen; a rule that is unknown or not applicable says nothing.
 * A device that cannot be opened is named, and nothing is known of it; E_SEAL, CLI_UNREACHED, CLI_LOGIN end it. Needs a reading key. */
int advisory_look(struct advisory_devices *devices, struct cli *cli, const char *const packs[], size_t count,
		  struct error *err) _must_check_;
