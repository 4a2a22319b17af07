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

/* One container on its way. */
struct submission {
	struct server *server;
	struct MHD_Connection *conn;
	atomic_bool is_one_there; /* the outcome, or the thread that submitted, which waits for it */
	bool is_parked;
	int result; /* 0, REPO_* or negative with err */
	struct error err;
	uint64_t number; /* its own, in the chain of a device */
	uint64_t head_number;
	uint8_t head_hash[HASH_LEN];
	enum statement_type type;
	char subject[ID_LEN + 1]; /* device, invite or batch, for the log; "" */
	char hash[2 * HASH_LEN + 1];
};

/* Is it what a device goes on sending once it has joined? */
bool ingest_is_of_chain(const struct submission *sub);
/* It is kept as evidence since the device was retired: no other has its number, and its key should be gone. */
bool ingest_is_misuse(const struct submission *sub);

/* Judges one container of objects. 0: may be archived, if the archive finds that it fits; E_FORMAT, E_SEAL, E_DENIED otherwise. */
int ingest_check(struct repo *repo, const struct sign_pub *archive, const struct container *c, int64_t now_s,
		 struct error *err) _must_check_;

/* Appends a judged certificate with the archive's signature behind those of people. */
void ingest_countersign(struct buf *out, const struct statement *certificate, const struct sign_key *archive);

/* Judges the first root, which claims this server. */
int ingest_check_claim(const struct sign_pub *archive, const struct container *c, struct error *err) _must_check_;

/* Takes exactly one attached container out of a body. */
int ingest_parse(struct container *out, struct bytes body, struct error *err) _must_check_;

/* Hands a judged container to the archive, which takes it and the body that it was parsed from over. Returns 0 when the outcome is known
 * already or the connection is suspended (submission->is_parked tells, only to the calling thread); REPO_BUSY when the queue is full;
 * negative when it could not be taken. */
int ingest_submit(struct submission *sub, struct server *server, struct MHD_Connection *conn, struct container *c, struct buf *body,
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

/* To be called once by whoever answers: logs a change of state. */
void ingest_note(const struct submission *sub);
