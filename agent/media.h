/* agent/media.h -- block devices of a Linux machine that are erased as a whole, in the order of the settings, with a journal.
 *
 * A device that can discard securely (eMMC) is told to, and is read back; only one that then holds nothing but one value is called purged.
 * Every other one is overwritten with noise, whose key the journal keeps until all of it was read back: what wraps around, or drops what it
 * is told to write, is found out. That clears; what a flash medium keeps out of reach stays. */
#pragma once

#include "agent/device.h"

/* In the device's folder; whoever begins a new order removes it. */
#define MEDIA_JOURNAL "media"

enum { MEDIA_MAX = DEVICE_AREAS_MAX - 2 };

/* An area for each medium. state_dir: for the journal `media`, and never on one of them.
 *
 * Returns 0 when all are erased; DEVICE_ERASE_MORE when time is up and it moved on; E_DENIED for a medium that is in use (mounted, or part
 * of what is) or holds state_dir; E_FORMAT for what is no block device; E_PEER when one read back is not as it was written. */
int media_erase(struct device_erased *out, const struct settings_device *dev, const char *state_dir, struct error *err) _must_check_;
