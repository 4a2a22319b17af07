/* cli/people.h -- what a person could read, as a work list: every secret of these epochs counts as known to them from then on.
 *
 * An epoch's keys are sealed to the readers of the root that its statement names, so that root says who opens it. */
#pragma once

#include "cli/proposal.h"

enum reading { READS_NOTHING, READS_BODIES, READS_ALL }; /* bodies: configurations without secrets */

/* What a person's reading keys open of an epoch made under this root. */
enum reading people_reading(const struct root *root, const char *person);
/* Has the person a signing key? A key in escrow belongs to one who has none: they never fetched anything that could be kept, and nobody
 * could sign for them. */
bool people_is_login(const struct root *root, const char *person);

/* What is in force now, and what is to be done: the work list for each person who lost a reading key. */
int people_tell(const struct proposal *p, struct cli *cli, const char *file, struct error *err) _must_check_;
