/* tests/unit/archive.h -- one fleet and one device before one archive, for tests of repo/. */
#pragma once

#include "tests/fleet.h"

#include "repo/repo.h"

struct world {
	struct fleet fleet;
	struct fleet_device device;
	char dir[128];
	struct repo *repo;
	uint8_t secret[32];
};

/* An archive in a fresh folder, with a root; the device is enrolled, admitted and in its first epoch. */
void world_init(struct world *w);
void world_done(struct world *w);
void world_reopen(struct world *w);

typedef void (*make_fn)(struct world *w, struct buf *out);
void make_root(struct world *w, struct buf *out);
void make_invite(struct world *w, struct buf *out);
void make_enrol(struct world *w, struct buf *out);
void make_admit(struct world *w, struct buf *out);
void make_epoch(struct world *w, struct buf *out);
void make_snapshot(struct world *w, struct buf *out);

/* Makes a container and submits it: the outcome. */
int world_post(struct world *w, make_fn make);

/* The log of the device has exactly the numbers 1 to head. */
void check_log(struct world *w, uint64_t head);
/* An audit of the archive as it lies on the disk finds nothing. */
void check_audit(struct world *w);
/* Stock git finds nothing either. The archive is at rest meanwhile, for git fsck does not like to see packs merged while it looks. */
void check_git(struct world *w);
/* Runs a shell command in a folder: it must succeed. */
void check_shell(const char *dir, const char *command);
