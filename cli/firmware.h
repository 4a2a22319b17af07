/* cli/firmware.h -- which images the fleet has, who says so, and for which devices they are.
 *
 * What an image is, a statement says that a person of role deployer signed; the server keeps both, and is believed in neither: a statement
 * is verified by the root in force, and a device takes no byte that does not have the statement's hash. */
#pragma once

#include "cli/fleet.h"

enum { FIRMWARE_LIST_MAX = 20000 };

struct firmware {
	struct statement *st;
	bool is_by_nobody;  /* whoever signed it may not, by the root in force: no device takes it */
	bool is_whole;      /* the server has all of the image */
	uint64_t received;  /* or so much of it */
};

struct firmware_list {
	size_t count;
	struct firmware *at; /* by time, the oldest first */
};

/* Connects if need be. E_SEAL for what is no firmware statement of this fleet. */
int firmware_list_get(struct firmware_list *out, struct cli *cli, struct error *err) _must_check_;
void firmware_list_done(struct firmware_list *list);
/* How much of an image the server has: by its hash. */
int firmware_received(bool *is_whole, uint64_t *received, struct cli *cli, const char *image, struct error *err) _must_check_;

/* Meant by its version, or by at least 8 first digits of the image's hash? */
bool firmware_is(const struct firmware *f, const char *text);
bool firmware_is_for_model(const struct firmware *f, const char *driver, const char *model);

enum firmware_fit {
	FIRMWARE_FITS,
	FIRMWARE_GOES_BACK,
	FIRMWARE_RUNS,
	FIRMWARE_OTHER_DRIVER,
	FIRMWARE_OTHER_MODEL,
	FIRMWARE_MINIMUM,
	FIRMWARE_OLDER
};
/* As the device itself will judge, by what the server lists of it; the device asks itself again. GOES_BACK: it is older than what runs, and
 * the statement says what that does to the configuration. */
enum firmware_fit firmware_fits(const struct firmware *f, const struct fleet_member *m);
