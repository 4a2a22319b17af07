/* cli/api-parts.h -- what the two halves of cli/api.h know of each other. */
#pragma once

#include "cli/api.h"

/* Takes over the newest checkpoint, once the log is proved to continue the one that the home has seen. E_SEAL when it does not: the message
 * says what to do, and proof is kept where the server gave some against itself. */
int api_check_history(struct api *api, struct home *home, struct error *err) _must_check_;
