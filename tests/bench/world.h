/* tests/bench/world.h -- many devices with real keys and signatures before one archive, for the benchmarks. */
#pragma once

#include "tests/fleet.h"

#include "repo/repo.h"

struct world {
	struct fleet fleet;
	struct fleet_device *devices;
	size_t count;
	char *dir;
	struct repo *repo;
};

/* Makes the archive in dir with `count` devices, enrolled, admitted, each in its first epoch. Ends the program on a failure. */
void world_init(struct world *world, const char *dir, size_t count);
void world_done(struct world *world);
/* Invites, enrols and admits a device, and begins its first epoch. */
void world_join(struct world *world, struct fleet_device *device, const uint8_t secret[static 32]);
/* Submits, waiting for room; what becomes of it is counted by world_wait(). */
void world_submit(struct world *world, struct bytes container);
/* Waits until everything submitted is acknowledged; ends the program if anything was refused. */
void world_wait(void);
double now_s(void);
/* Says on standard error how long something took, the most memory that the program had, and what lies in the archive's folder. */
void note_cost(const char *what, const char *dir, double begun_s);
/* Runs a shell command line; ends the program when it fails. */
void shell(const char *fmt, ...) _printf_(1, 2);
/* The bytes of everything below dir/objects: packs, their indexes, the commit-graph. */
double objects_bytes(const char *git_dir);
