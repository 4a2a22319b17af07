/* tests/unit/recorded.h -- a device that records, the people who read it, and what the archive opens of it. */
#pragma once

#include "agent/snapshot.h"

enum { START_S = 1800000000, DAY_S = 86400, SEALS_MAX = 4 };

/* A device, the people who read it, and what the archive has of it. */
struct world {
	struct sign_key operator, server, device;
	struct age_identity alice, bob; /* readers */
	struct root *root;
	char id[ID_LEN + 1];
	struct chain chain;
	int64_t now_s;
	struct age_identity body, secrets; /* of the epoch, as alice opened them */
	struct buf seals[SEALS_MAX];       /* the newest of each name */
	struct statement *newest;
	struct device_facts facts;
};

void world_init(struct world *w);
void world_done(struct world *w);
/* The next root, signed by alice; is_bob: he reads, too. Without has_reader nobody with the role has a key to read with. */
struct root *make_root(const struct world *w, const struct root *before, bool has_reader, bool is_bob);
struct snapshot_by by(const struct world *w);

/* Takes the newest container in, as the archive would: each number once, each named after the one before. */
void archive(struct world *w, uint64_t number, const uint8_t prev[static HASH_LEN]);
void make_epoch(struct world *w);
struct snapshot_input input_of(const struct world *w, const char *running, const char *startup);
void take(struct world *w, const char *running, const char *startup);

bool lists(const struct world *w, const char *name);
/* Which statement brought the seal that the newest one names; 0: it names none. */
uint64_t brought_by(const struct world *w, const char *name);
/* The texts that the newest snapshot stands for are these. */
void check_opens(const struct world *w, const char *running, const char *startup);
/* A configuration of n lines whose line `changed` is another in each round. */
char *config(int lines, int changed, int round);
