/* cli/signers.h -- the fleet's keys as OpenSSH reads them: an allowed_signers file (ssh-keygen(1)) over all versions of the root.
 *
 * The newest root's lines come first. What an older root allowed and a later one does not is there, too, or its statements and commits
 * could not be judged any more: people's lines end at the time of the root that dropped them ("valid-before": pass the time of the
 * statement with -Overify-time), archive keys without an end, because git judges by the server's clock, which is nobody's witness. */
#pragma once

#include "crypto/root.h"

/* roots: version N at N - 1. */
void signers_text(struct buf *out, struct root *const *roots, size_t count);
