/* agent/retired.h -- what is left of a device that was erased: the file `retired` in its folder, and how everything else goes.
 *
 * The file is written first, and from then on says that the rest is to be destroyed: whatever is cut off, the next start goes on with it.
 * It is public: whose device it was, when, and its last receipt, whole. */
#pragma once

#include "agent/settings.h"
#include "base/bytes.h"
#include "base/error.h"
#include "crypto/key.h"

enum { RETIRED_ABSENT = 1, RETIRED_MORE = 1 };

struct retired {
	char fleet[ID_LEN + 1], device[ID_LEN + 1];
	int64_t time_s;
	bool is_acknowledged; /* the archive has the receipt */
	uint64_t number;      /* of the receipt in the device's chain */
	struct buf receipt;   /* its container */
};
void retired_done(struct retired *r);

int retired_write(const char *dir, const struct retired *r, struct error *err) _must_check_;
/* RETIRED_ABSENT when the device is none that was erased. */
int retired_read(struct retired *out, const char *dir, struct error *err) _must_check_;

/* Is anything left in the folder that has to go? RETIRED_MORE: yes. */
int retired_check(const char *dir, struct error *err) _must_check_;
/* Overwrites and removes all of the folder but what is said of retired devices, keys first. The caller holds the folder's lock, which goes
 * last. Can be called again after it was cut off anywhere. */
int retired_clear(const char *dir, struct error *err) _must_check_;

/* The same when there is something left, and the file says so, with what is kept elsewhere for this device alone: its passwords. Takes the
 * lock. */
int retired_finish(const struct settings *settings, const struct settings_device *dev, const char *dir, struct error *err) _must_check_;

/* Makes room for a device that joins under the same name: the file is kept beside, as `retired-<id>`. */
int retired_set_aside(const char *dir, struct error *err) _must_check_;
/* The id of the device that was retired last under this name, out of those that were set aside; "" when there is none. */
void retired_last(char id[static ID_LEN + 1], const char *dir);
