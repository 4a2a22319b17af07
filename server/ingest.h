/* server/ingest.h -- what is posted: who must have signed it, and its way into the archive.
 *
 * Operators' statements (root, invite, admit) are judged by the root in force, a device's (enrol, epoch, snapshot) by the device's own
 * key; epoch and snapshot only once the device is admitted. What needs history (chains, numbers) the repository checks. */
#pragma once

#include "repo/repo.h"

struct MHD_Connection;
struct server;

/* One container on its way, embedded in a call. The flags are guarded by server->lock. */
struct submission {
	struct server *server;
	struct MHD_Connection *conn;
	bool is_begun, is_done, is_parked;
	int result; /* 0, REPO_* or negative with err */
	struct error err;
	uint64_t head_number;
	uint8_t head_hash[HASH_LEN];
	enum statement_type type;
	char subject[ID_LEN + 1]; /* device or invite, for the log; "" */
	char hash[2 * HASH_LEN + 1];
};

/* Judges one container of objects. 0: may be archived, if the archive finds that it fits; E_FORMAT, E_SEAL, E_DENIED otherwise. */
int ingest_check(struct repo *repo, const struct sign_pub *archive, const struct container *c, int64_t now_s, struct error *err) _must_check_;

/* Judges the first root, which claims this server. */
int ingest_check_claim(const struct sign_pub *archive, const struct container *c, struct error *err) _must_check_;

/* Takes exactly one attached container out of a body. */
int ingest_parse(struct container *out, struct bytes body, struct error *err) _must_check_;

/* Hands a judged container to the archive. Returns 0 when the outcome is known already or the connection is suspended
 * (submission->is_parked tells, only to the calling thread); REPO_BUSY when the queue is full; negative when it could not be taken. */
int ingest_submit(struct submission *sub, struct server *server, struct MHD_Connection *conn, const struct container *c,
		  struct bytes body, struct error *err) _must_check_;
/* To be called once by whoever answers: logs a change of state. */
void ingest_note(const struct submission *sub);
