/* tests/unit/joined.h -- a fleet, and a device that has joined it in a folder of its own. */
#pragma once

#include "tests/fleet.h"

#include "agent/state.h"

/* A fleet, and a device that has joined it in dir. */
struct world {
	struct fleet fleet;
	struct fleet_device device;
	struct buf enrol, admit;
	char *dir, *log;
};

void world_init(struct world *w);
void world_done(struct world *w);
/* Once more, in another folder. */
void join_in(struct world *w, const char *dir);
