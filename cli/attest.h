/* cli/attest.h -- a reader says that they kept nothing that opens a shredded device, or what: a statement `shredded` by one person.
 *
 * The home folder holds no epoch keys and no configurations (cli/home.h), so there is nothing of this program's own to drop. */
#pragma once

#include "cli/args.h"
#include "cli/ceremony.h"

/* Options that it takes: --copy, --note, --yes. */
#define ATTEST_OPTIONS                                                                                     \
	{ "copy", 0, "TEXT", "another copy that you know of, and until when it lasts", true },             \
	{ "note", 0, "TEXT", "what else is to be said", false },                                           \
	{ "yes", 'y', NULL, "do not ask", false }

/* Asks, signs, posts. CLI_CONFLICT when the archive did not shred yet, or this person has nothing to say, or said it. */
int attest(struct ceremony *c, const struct args *args, struct error *err) _must_check_;
