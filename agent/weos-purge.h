/* agent/weos-purge.h -- the factory reset of WeOS's boot loader, by console: what the vendor calls purge.
 *
 * It erases the boot loader's settings and the configuration partition, with all secrets in them, and keeps the firmware. The dialogue is a
 * state machine over agent/dialogue.h: it looks at what is there, restarts the device when it must, stops the boot, picks entry 4, says the
 * lower-case y, and has then to see both erased parts, the success, the restart, and a login as the factory made it. */
#pragma once

#include "agent/dialogue.h"

/* Secrets of a run: the password of the account that may restart the device ("admin" logs in), and the factory's. */
enum { WEOS_PURGE_PASSWORD, WEOS_PURGE_FACTORY_PASSWORD };

extern const struct console_grammar weos_purge_grammar;
extern const struct dialogue weos_purge;
