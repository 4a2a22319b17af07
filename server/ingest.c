/* server/ingest.c -- what is posted: who must have signed it, and its way into the archive. */
#include "server/ingest.h"

#include "base/clock.h"
#include "base/log.h"
#include "server/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <string.h>

/* The root in force, given back at the end of a scope. */
struct root_in_force {
	struct repo *repo;
	const struct root *root;
};

static void put_root(struct root_in_force *in_force)
{
	if (in_force->root)
		repo_root_put(in_force->repo, in_force->root);
}

static bool names_archive(const struct root *root, const struct sign_pub *archive)
{
	struct sign_pub keys[4];
	size_t n = root_archive_keys(keys, ARRAY_SIZE(keys), root);

	for (size_t i = 0; i < n && i < ARRAY_SIZE(keys); i++)
		if (sign_pub_equal(&keys[i], archive))
			return true;
	return false;
}

/* root_new() takes a statement over, and the container keeps its own. */
static int root_of(struct root **out, const struct statement *st, struct error *err)
{
	struct statement *copy;
	int r = statement_parse(&copy, statement_whole(st), false, NULL, err);

	return r < 0 ? r : root_new(out, copy, err);
}

/* An old root: the archive tells the one it has, which is harmless to post again, from another. Who signs it was checked in its time. */
static int check_blocks(const struct statement *st, struct error *err)
{
	for (size_t i = 0; i < statement_sig_count(st); i++) {
		int r = sshsig_verify(statement_sig(st, i), statement_namespace(statement_type(st)), statement_text(st), err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int check_root(const struct root *now, const struct sign_pub *archive, const struct statement *st, struct error *err)
{
	_cleanup_(root_freep) struct root *next = NULL;
	int r = root_of(&next, st, err);

	if (r < 0)
		return r;
	if (root_version(next) <= root_version(now))
		return check_blocks(st, err);
	r = root_succeeds(now, next, err);
	if (r < 0)
		return r;
	if (!names_archive(next, archive))
		return error_set(err, E_DENIED, "the root does not name this server's archive key");
	return 0;
}

int ingest_check_claim(const struct sign_pub *archive, const struct container *c, struct error *err)
{
	_cleanup_(root_freep) struct root *root = NULL;
	int r = root_of(&root, c->st, err);

	if (r < 0)
		return r;
	r = root_accept_first(root, NULL, err);
	if (r < 0)
		return r;
	if (!names_archive(root, archive))
		return error_set(err, E_DENIED, "the root does not name this server's archive key; make it from this server's setup string");
	return 0;
}

static int check_fleet(const struct root *root, const struct statement *st, struct error *err)
{
	const char *fleet = statement_get(st, "fleet");

	if (!fleet || strcmp(fleet, root_fleet(root)) != 0)
		return error_set(err, E_DENIED, "%s is of another fleet", statement_type_name(statement_type(st)));
	return 0;
}

static int check_invite(struct repo *repo, const char *id, int64_t now_s, struct error *err)
{
	_cleanup_(statement_freep) struct statement *invite = NULL;
	_cleanup_(buf_done) struct buf found = { 0 };
	int r = repo_invites(&found, repo, id, err);

	if (r < 0)
		return r;
	if (r == REPO_ABSENT || !found.len)
		return error_set(err, E_DENIED, "invite '%s' is not known here", id);
	r = statement_parse(&invite, buf_bytes(&found), false, NULL, err);
	if (r < 0)
		return error_add(err, "archived invite '%s'", id);
	if (statement_time(invite, "expires") < now_s)
		return error_set(err, E_DENIED, "invite '%s' has expired", id);
	return 0;
}

/* An enrolment signs itself: so the key is the one that the id is made from, and is at hand. Whether it may join, the invite's MAC and the
 * operators say. */
static int check_enrol(struct repo *repo, const struct statement *st, int64_t now_s, struct error *err)
{
	const char *device = statement_get(st, "device");
	struct repo_device known;
	struct sign_pub key;
	char id[ID_LEN + 1];
	int r = sign_pub_parse(&key, bytes_str(statement_get(st, "key")), false, err);

	if (r < 0)
		return r;
	sign_pub_id(id, &key);
	if (strcmp(id, device) != 0)
		return error_set(err, E_DENIED, "enrol names device '%s', but its key is that of '%s'", device, id);
	if (statement_number(st, "number") != 1)
		return error_set(err, E_FORMAT, "enrol has number %llu, not 1", (unsigned long long)statement_number(st, "number"));
	r = statement_verify_by(st, &key, err);
	if (r < 0)
		return r;
	/* posted again after the invite expired, it is still the enrolment that we have */
	r = repo_device_get(&known, repo, device, err);
	return r == REPO_ABSENT ? check_invite(repo, statement_get(st, "invite"), now_s, err) : r;
}

static int check_device(struct repo *repo, const struct statement *st, struct error *err)
{
	const char *id = statement_get(st, "device");
	struct repo_device device;
	int r = repo_device_get(&device, repo, id, err);

	if (r < 0)
		return r;
	if (r == REPO_ABSENT)
		return error_set(err, E_DENIED, "device '%s' has not enrolled here", id);
	r = statement_verify_by(st, &device.key, err);
	if (r < 0)
		return r;
	if (!device.admitted)
		return error_set(err, E_DENIED, "device '%s' is not admitted yet; an operator runs: holdfast device admit", id);
	return 0;
}

int ingest_check(struct repo *repo, const struct sign_pub *archive, const struct container *c, int64_t now_s, struct error *err)
{
	_cleanup_(put_root) struct root_in_force in_force = { .repo = repo };
	enum statement_type type = statement_type(c->st);
	int r = repo_root_get(&in_force.root, repo, err);

	if (r < 0)
		return r;
	if (r == REPO_ABSENT)
		return error_set(err, E_DENIED, "nobody has claimed this server yet; an operator runs: holdfast init");
	if (type == STATEMENT_ROOT)
		return check_root(in_force.root, archive, c->st, err);
	r = check_fleet(in_force.root, c->st, err);
	if (r < 0)
		return r;
	switch (type) {
	case STATEMENT_INVITE:
	case STATEMENT_ADMIT:
		return root_verify(in_force.root, c->st, err);
	case STATEMENT_ENROL:
		return check_enrol(repo, c->st, now_s, err);
	case STATEMENT_EPOCH:
	case STATEMENT_SNAPSHOT:
		return check_device(repo, c->st, err);
	case STATEMENT_ROOT:
	case STATEMENT_STATUS:
	case STATEMENT_CHECKPOINT:
	case STATEMENT_LOGIN:
	case STATEMENT_BATCH:
	case STATEMENT_ORDER:
	case STATEMENT_CONTROL:
	case STATEMENT_RECEIPT:
		break;
	}
	return error_set(err, E_DENIED, "a %s is not archived", statement_type_name(type));
}

int ingest_parse(struct container *out, struct bytes body, struct error *err)
{
	struct container c = { 0 };
	size_t used = 0;
	int r = container_parse(&c, body, CONTAINER_ATTACHED, &used, err);

	if (r < 0)
		return r;
	if (used != body.len) {
		container_done(&c);
		return error_set(err, E_FORMAT, "%zu bytes behind the container", body.len - used);
	}
	*out = c;
	return 0;
}

/* ---- the way into the archive ---- */

static bool is_storage_failure(const struct error *err)
{
	return err->code == E_SYS && (err->sys == ENOSPC || err->sys == EDQUOT || err->sys == EROFS || err->sys == EIO);
}

/* From the journal thread. */
static void on_outcome(void *ctx, const struct repo_outcome *outcome)
{
	struct submission *sub = ctx;
	struct server *server = sub->server;

	pthread_mutex_lock(&server->lock);
	sub->result = outcome->result;
	if (outcome->result < 0 && outcome->err)
		sub->err = *outcome->err;
	sub->head_number = outcome->head_number;
	memcpy(sub->head_hash, outcome->head_hash, HASH_LEN);
	sub->is_done = true;
	if (outcome->result == 0)
		server->disk_refuses = false;
	else if (outcome->result < 0 && is_storage_failure(&sub->err) && !atomic_exchange(&server->disk_refuses, true))
		log_failure(LOG_ERROR, "storage-refuses", &sub->err);
	if (sub->is_parked)
		MHD_resume_connection(sub->conn); /* sub may be gone from here on */
	if (!--server->submitting)
		pthread_cond_broadcast(&server->idle);
	pthread_mutex_unlock(&server->lock);
}

static bool begin(struct server *server)
{
	bool ok;

	pthread_mutex_lock(&server->lock);
	ok = !server->stopping;
	if (ok)
		server->submitting++;
	pthread_mutex_unlock(&server->lock);
	return ok;
}

static void undo(struct server *server)
{
	pthread_mutex_lock(&server->lock);
	if (!--server->submitting)
		pthread_cond_broadcast(&server->idle);
	pthread_mutex_unlock(&server->lock);
}

static void describe(struct submission *sub, const struct container *c)
{
	const char *subject = statement_get(c->st, "device");

	if (!subject)
		subject = statement_get(c->st, "invite");
	sub->type = statement_type(c->st);
	if (subject)
		memcpy(sub->subject, subject, ID_LEN + 1);
	statement_hash_hex(sub->hash, c->st);
}

int ingest_submit(struct submission *sub, struct server *server, struct MHD_Connection *conn, const struct container *c,
		  struct bytes body, struct error *err)
{
	int r;

	sub->server = server;
	sub->conn = conn;
	describe(sub, c);
	if (!begin(server))
		return REPO_BUSY;
	sub->is_begun = true;
	r = repo_submit(server->repo, body, on_outcome, sub, err);
	if (r != 0) {
		undo(server);
		sub->is_begun = false;
		return r;
	}
	pthread_mutex_lock(&server->lock);
	if (!sub->is_done) {
		sub->is_parked = true;
		MHD_suspend_connection(conn);
	}
	pthread_mutex_unlock(&server->lock);
	return 0;
}

void ingest_note(const struct submission *sub)
{
	const char *type = statement_type_name(sub->type);

	if (sub->result == REPO_FORK) {
		log_error("fork device=%s type=%s hash=%s: two statements have one number; the second is kept as evidence", sub->subject, type,
			  sub->hash);
		return;
	}
	if (sub->result != 0)
		return;
	if (sub->type == STATEMENT_ROOT || sub->type == STATEMENT_INVITE || sub->type == STATEMENT_ENROL || sub->type == STATEMENT_ADMIT)
		log_notice("archived type=%s subject=%s hash=%s", type, sub->subject[0] ? sub->subject : "-", sub->hash);
	else
		log_info("archived type=%s device=%s hash=%s", type, sub->subject, sub->hash);
}
