/* agent/floor.h -- the least that the time can be: by what was signed, and by how long this machine has run since.
 *
 * Whoever sets a clock wrong, by NTP or by hand, neither lets an order expire nor brings one back. The file keeps the floor over a
 * restart; it lags behind by the time that the machine was off, until the next checkpoint comes. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum { FLOOR_BOOT_LEN = 37 };

struct floor {
	int64_t time_s;  /* at at_ms of clock_mono_ms(); 0: nothing is known */
	uint64_t at_ms;
	int64_t stored_s; /* what the file says */
};

/* An absent or damaged file is none: the floor is then what is raised next. */
void floor_load(struct floor *f, const char *dir);
/* Something signed says that it was this time already. */
void floor_raise(struct floor *f, int64_t time_s);
int64_t floor_now(const struct floor *f);
/* Writes the file when it says an hour less, or nothing. */
int floor_keep(struct floor *f, const char *dir, struct error *err) _must_check_;
/* Which start of this machine it is: clock_mono_ms() counts from there. "" when the kernel does not say. */
void floor_boot(char out[static FLOOR_BOOT_LEN]);
