/* server/ingest.h -- what is posted: who must have signed it, and its way into the archive.
 *
 * Operators' statements (root, invite, admit, batch, control, firmware, shredded, certificate) are judged by the root in force, a device's
 * (enrol, epoch, snapshot, verdict, receipt) by the device's own key; all but its enrolment only once the device is admitted; an order by
 * its batch. What needs history (chains, numbers) the repository checks. */
#pragma once

#include "repo/repo.h"

#include <stdatomic.h>

struct MHD_Connection;
struct server;

/* The root in force, given back at the end of a scope. */
struct root_in_force {
	struct repo *repo;
	const struct root *root;
};

static inline void put_root(struct root_in_force *in_force)
{
	if (in_force->root)
		repo_root_put(in_force->repo, in_force->root);
}

enum { ROW_MAX = 64 };

/* What came in one body: one container; or a row of a device's chain, as it gathers while there is no server: some of its epochs,
 * snapshots, verdicts and receipts, at most ROW_MAX, in their order. */
struct row {
	struct repo_parsed *of;
	size_t count;
};

/* A body that is one container is taken over. */
int row_parse(struct row *out, struct buf *body, struct error *err) _must_check_;
void row_of(struct row *row, struct container *c, struct buf *bytes); /* of one, which was parsed out of these bytes; takes both over */
void row_done(struct row *row);

struct submission;

/* One container on its way. */
struct submitted {
	struct submission *all;
	int result; /* 0, REPO_* or negative */
	uint64_t number; /* its own, in the chain of a device */
	uint64_t head_number;
	uint8_t head_hash[HASH_LEN];
	enum statement_type type;
	char subject[ID_LEN + 1]; /* device, invite or batch, for the log; "" */
	char hash[2 * HASH_LEN + 1];
};

/* And all that came with it. */
struct submission {
	struct server *server;
	struct MHD_Connection *conn;
	atomic_size_t left; /* outcomes, and the thread that submits, which waits for them */
	bool is_parked;
	const struct submitted *failed; /* the first that was neither taken nor there already; NULL: none */
	struct error err; /* of it, when its result is negative */
	size_t count;
	struct submitted of[];
};

/* Is it what a device goes on sending once it has joined? */
bool ingest_is_of_chain(const struct submitted *one);
/* It is kept as evidence since the device was retired: no other has its number, and its key should be gone. */
bool ingest_is_misuse(const struct submitted *one);

/* Judges one container of objects. 0: may be archived, if the archive finds that it fits; E_FORMAT, E_SEAL, E_DENIED otherwise. */
int ingest_check(struct repo *repo, const struct sign_pub *archive, const struct container *c, int64_t now_s,
		 struct error *err) _must_check_;

/* Appends a judged certificate with the archive's signature behind those of people. */
void ingest_countersign(struct buf *out, const struct statement *certificate, const struct sign_key *archive);

/* Judges the first root, which claims this server. */
int ingest_check_claim(const struct sign_pub *archive, const struct container *c, struct error *err) _must_check_;

/* Takes exactly one attached container out of a body. */
int ingest_parse(struct container *out, struct bytes body, struct error *err) _must_check_;

/* Hands what was judged to the archive, which takes it over. Returns 0 when the outcome is known already or the connection is suspended
 * (submission->is_parked tells, only to the calling thread; the caller frees it); REPO_BUSY when the queue is full; negative when it could
 * not be taken. */
int ingest_submit(struct submission **out, struct server *server, struct MHD_Connection *conn, struct row *row,
		  struct error *err) _must_check_;
/* A list of orders on its way. The counts are guarded by server->lock; valid once left is 0. */
struct posted_list {
	struct server *server;
	struct MHD_Connection *conn;
	size_t count, left, stored, seen, failed;
	bool is_parked;
	int result; /* of the first that failed, with err */
	struct error err;
};
void posted_list_free(struct posted_list *list);

/* Judges every order of a list before any is taken, then hands all of them over. Returns as ingest_submit(). */
int ingest_submit_orders(struct posted_list **out, struct server *server, struct MHD_Connection *conn, struct bytes body, struct error *err)
	_must_check_;

/* To be called once for each by whoever answers: logs a change of state. */
void ingest_note(const struct submitted *one);
