/* agent/weos-purge.h -- both ways of a WeOS device back to how the factory made it, by console, as tables of states over agent/dialogue.h.
 *
 * weos_purge is the factory reset of the boot loader, what the vendor calls purge: it erases the boot loader's settings and the
 * configuration partition, with all secrets in them, and keeps the firmware. It looks at what is there, restarts the device when it must,
 * stops the boot, picks entry 4, says the lower-case y, and has then to see both erased parts, the success, the restart, and a login as the
 * factory made it.
 *
 * weos_reset is `factory-reset` of the command line, which removes the configuration; what is freed by that, the flash may keep. It has to
 * see the question, the restart, and such a login. */
#pragma once

#include "agent/dialogue.h"

/* Secrets and words of a run: the account that may restart the device and its password, and the password of the factory's account "admin".
 */
enum { WEOS_PURGE_PASSWORD, WEOS_PURGE_FACTORY_PASSWORD };
enum { WEOS_PURGE_USER };

/* The states in which the word is said behind which nothing is as it was. */
#define WEOS_PURGE_POINT "confirm"
#define WEOS_RESET_POINT "reset-sure"

extern const struct console_grammar weos_purge_grammar;
extern const struct dialogue weos_purge, weos_reset;

/* Ways into one of its two images, by the boot loader's menu, and a restart as it starts by itself: each ends at a login. Only entry and
 * order of the menu are the vendor's word. DIALOGUE_NOTHING: the boot loader does not start it; DIALOGUE_UNKNOWN: it restarted while it
 * came up. */
extern const struct dialogue weos_start_first, weos_start_second, weos_restart;
