/* tests/unit/liar.h -- two devices whose snapshots the agent's own parts make, and a server in memory that gives them out to an
 * opener, true or altered. */
#pragma once

#include "agent/snapshot.h"
#include "cli/open.h"
#include "tests/fleet.h"

enum { RECORDS_MAX = 96, LEAVES_MAX = 256, LIES_MAX = 4, TEXT_PATH_MAX = 200 };

struct device {
	struct fleet_device d;
	struct chain chain;
	struct buf enrol, admit;
	struct buf records[RECORDS_MAX]; /* attached containers, number N at N */
};

/* An answer that takes the place of the true one. */
struct lie {
	char path[TEXT_PATH_MAX];
	bool is_absent;
	struct buf answer;
};

struct world {
	struct fleet fleet;
	struct age_identity auditor, stranger;
	const struct age_identity *key; /* whose home it is */
	struct root *roots[2];
	size_t root_count;
	struct device r1, r2;
	struct merkle_hash leaves[LEAVES_MAX];
	uint64_t log_size;
	struct statement *checkpoint; /* the server's newest */
	struct lie lies[LIES_MAX];
	size_t lie_count;
	struct opener *opener;
};

extern const char first_text[], second_text[];

/* r1: enrol, epoch, snapshots 3 (first_text) and 4 (second_text, not saved); r2: enrol, epoch, snapshot 3. Under root 1: alice with all
 * roles and a reading key, bob as auditor. */
struct world *world_new(void);
void world_freep(struct world **at);
/* A new command begins: it sees the roots and the checkpoint of now, and has seen nothing yet. */
void new_opener(struct world *w);
/* Root 2 follows root 1; in it carol is admin, and alice is none any more. */
void make_root(struct world *w, uint64_t version);

struct merkle_hash tree_of(const struct world *w, uint64_t size);
/* Signed by the archive, whatever the tree is; *out is freed before. */
void sign_checkpoint(struct statement **out, const struct world *w, uint64_t size, struct merkle_hash tree);

/* ---- what a device says ---- */

struct look {
	const char *running, *startup; /* startup NULL: there is none */
	enum commit_saved saved;
};

/* Who signs and what they know, as it is at the moment. */
struct snapshot_by by_of(const struct world *w, const struct device *d);
/* The server keeps and logs what a device said. */
void keep(struct world *w, struct device *d, uint64_t number, struct bytes container);
void new_epoch(struct world *w, struct device *d);
/* Snapshots; they return their number. by: NULL for how it is at the moment. */
uint64_t snap_by(struct world *w, struct device *d, const struct look *look, const struct snapshot_by *by);
uint64_t snap(struct world *w, struct device *d, const char *running, const char *startup);

/* ---- what the server says ---- */

/* Appends a statement and all the seals that it lists, put together from the containers that brought them. */
void put_full(struct buf *out, const struct device *d, uint64_t number);
/* The number of the newest statement of this type, with this epoch if it is not 0; 0: there is none. */
uint64_t find_record(const struct device *d, enum statement_type type, uint64_t epoch);
/* The container with its signature replaced by one of this key; NULL: none at all. */
void sign_again(struct buf *out, struct bytes full, const struct sign_key *signer);
/* The server answers for this path (of a device) with what is put into the buffer that comes back; a new command begins. */
struct buf *lie_at(struct world *w, const char *path);
struct buf *lie(struct world *w, const struct device *d, const char *what);
void forget_lies(struct world *w);

/* ---- what the operator makes of it ---- */

int try_open(struct world *w, const struct device *d, uint64_t number, uint64_t at_least, struct error *err);
/* It is refused with this code and these words, and opens when the lies are forgotten. */
void check_refused(struct world *w, const struct device *d, uint64_t number, uint64_t at_least, int code, const char *says);
