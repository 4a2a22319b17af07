/* tests/unit/upgrading.h -- one order that gives a device other firmware, and the way to each phase of carrying it out. */
#pragma once

#include "agent/upgrade.h"

enum { ALICE, STRANGER, ARCHIVE, KEYS };
enum { NUMBER = 7, CONFIRM_MS = 60000, SETTLE_MS = 5000 };

extern struct root *root; /* alice may all of it */
extern const struct error fine; /* what a device answers that did as it was asked */

/* The root, once. */
void begin_tests(void);

/* A firmware statement; what is left out: of version 5.24.0 and 1000 bytes, for every model of driver weos, signed by alice. */
struct about {
	const char *driver, *part, *model, *version, *minimum, *downgrade;
	unsigned long long size;
	int key;
};
void firmware_text(struct buf *out, const struct about *a);

/* The machine, its time, and what the device's configuration was. */
struct upgrading {
	struct upgrade u;
	struct upgrade_now now;
	struct apply_expect saved;
};
void begin_about(struct upgrading *t, const struct about *a);
enum upgrade_action next(struct upgrading *t);

/* What it does next, and what comes of it: it notes this phase, sees what runs, asks the device for this step. */
void stores(struct upgrading *t, const char *phase);
void see(struct upgrading *t, const char *version, const char *slot, const char *other);
void answers(struct upgrading *t, enum device_upgrade step, int code, const char *why);
/* A look at the device: as saved, and archived. */
void look(struct upgrading *t);
/* Up to the image that is on the disk; to the device that is saved, archived and seen; from the beginning to the proof of the new image;
 * rounds of a second until it has settled. */
void to_fetched(struct upgrading *t);
void to_installing(struct upgrading *t);
void to_proving(struct upgrading *t);
void prove(struct upgrading *t, const char *slot);
/* It ends so, with these words, and is closed. */
void ended(struct upgrading *t, const char *outcome, const char *words);
