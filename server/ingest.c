/* server/ingest.c -- what is posted: who must have signed it. */
#include "server/ingest-parts.h"

#include "base/clock.h"
#include "base/plural.h"
#include "crypto/judgement.h"
#include "crypto/seal.h"
#include "server/server.h"

#include <string.h>

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
		return error_set(err, E_DENIED,
				 "the root does not name this server's archive key; make it from this server's setup string");
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
	struct repo_signer signer;
	struct repo_device device;
	int r = repo_signer_get(&signer, repo, id, err);

	if (r < 0)
		return r;
	if (r == REPO_ABSENT)
		return error_set(err, E_DENIED, "device '%s' has not enrolled here", id);
	r = statement_verify_by(st, &signer.key, err);
	if (r < 0)
		return r;
	if (!signer.admitted)
		return error_set(err, E_DENIED, "device '%s' is not admitted yet; an operator runs: holdfast device admit", id);
	r = signer.shreds ? repo_device_get(&device, repo, id, err) : REPO_ABSENT;
	return r == 0 ? ingest_check_revoked(repo, &device, st, err) : r < 0 ? r : 0;
}

/* ---- orders ---- */

/* The archived batch with this hash, unless it is in *batch already. */
static int get_batch(struct statement **batch, struct repo *repo, const uint8_t hash[static HASH_LEN], struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char id[ID_LEN + 1];
	int r;

	if (*batch && !memcmp(statement_hash(*batch), hash, HASH_LEN))
		return 0;
	*batch = statement_free(*batch);
	id_of_hash(id, hash);
	r = repo_batch(NULL, &text, NULL, repo, id, err);
	if (r == 0)
		r = statement_parse(batch, buf_bytes(&text), false, NULL, err);
	if (r == 0 && memcmp(statement_hash(*batch), hash, HASH_LEN) != 0)
		r = REPO_ABSENT;
	return r > 0 ? error_set(err, E_DENIED, "batch '%s' is not archived here: post it first", id) : r;
}

/* One that is archived is harmless to post again, also when it has expired since, or its author has left. */
static int check_batch(struct repo *repo, const struct root *root, const struct statement *st, int64_t now_s, struct error *err)
{
	_cleanup_(statement_freep) struct statement *known = NULL;
	struct error ignored;
	int r;

	if (get_batch(&known, repo, statement_hash(st), &ignored) == 0)
		return 0;
	r = batch_verify(st, root, err);
	if (r == 0 && root_is_expired(root, now_s))
		r = error_set(err, E_DENIED, "root %llu expired at %s: put the next one in force first",
			      (unsigned long long)root_version(root), statement_get(root_statement(root), "expires"));
	if (r == 0 && batch_time(st, now_s) == BATCH_EXPIRED)
		r = error_set(err, E_DENIED, "the batch expired at %s: plan again", statement_get(st, "expires"));
	return r;
}

static int check_control(struct repo *repo, const struct root *root, const struct statement *st, struct error *err)
{
	_cleanup_(statement_freep) struct statement *batch = NULL;
	uint8_t about[HASH_LEN];
	int r;

	statement_get_hash(about, st, "batch");
	r = get_batch(&batch, repo, about, err);
	return r < 0 ? r : control_verify(st, batch, root, err);
}

/* Nobody signs an order: that it is a leaf of what was signed is all that is asked. */
int ingest_check_order(struct statement **batch, struct repo *repo, const struct container *c, struct error *err)
{
	struct bytes payload = container_seal(c, "payload");
	int r = get_batch(batch, repo, statement_proof(c->st)->batch, err);

	if (r == 0)
		r = order_verify(c->st, *batch, err);
	if (r == 0 && payload.len > SEAL_MAX)
		r = error_set(err, E_LIMIT, "its payload of %zu bytes is over %d", payload.len, SEAL_MAX);
	if (r == 0 && payload.ptr && (!age_is_file(payload) || age_is_passphrase_file(payload)))
		r = error_set(err, E_FORMAT, "its payload is no age file to recipients");
	return r < 0 ? error_add(err, "order of device '%s'", statement_get(c->st, "device")) : 0;
}

int ingest_check(struct repo *repo, const struct sign_pub *archive, const struct container *c, int64_t now_s, struct error *err)
{
	_cleanup_(put_root) struct root_in_force in_force = { .repo = repo };
	_cleanup_(statement_freep) struct statement *batch = NULL;
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
	case STATEMENT_FIRMWARE:
		return root_verify(in_force.root, c->st, err);
	case STATEMENT_ENROL:
		return check_enrol(repo, c->st, now_s, err);
	case STATEMENT_EPOCH:
	case STATEMENT_SNAPSHOT:
	case STATEMENT_VERDICT:
	case STATEMENT_RECEIPT:
		return check_device(repo, c->st, err);
	case STATEMENT_BATCH:
		return check_batch(repo, in_force.root, c->st, now_s, err);
	case STATEMENT_CONTROL:
		return check_control(repo, in_force.root, c->st, err);
	case STATEMENT_ORDER:
		return ingest_check_order(&batch, repo, c, err);
	case STATEMENT_SHREDDED:
	case STATEMENT_CERTIFICATE:
		return ingest_check_said(repo, in_force.root, c->st, err);
	case STATEMENT_JUDGEMENT:
		return judgement_verify(c->st, in_force.root, err) < 0 ? err->code : judgement_check_text(c, err);
	case STATEMENT_ROOT:
	case STATEMENT_STATUS:
	case STATEMENT_CHECKPOINT:
	case STATEMENT_LOGIN:
	case STATEMENT_WAIVER:
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
		return error_set(err, E_FORMAT, "%zu %s behind the container", body.len - used, plural(body.len - used, "byte", "bytes"));
	}
	*out = c;
	return 0;
}
