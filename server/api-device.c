/* server/api-device.c -- what devices call, and what anybody may: health, roots, the claim, objects. The poll is in poll.c. */
#include "server/api.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/plural.h"
#include "server/poll.h"

#include <sodium.h>
#include <string.h>

enum {
	SMALL_BODY_MAX = 96 << 10,
	PROBE_BYTES = 1 << 20, /* room for a good many posts, not just for the next one */
};

/* ---- health ---- */

static int get_livez(struct call *call, struct error *err _unused_)
{
	return call_text(call, 200, "ok\n");
}

/* Whom to tell of a vulnerability (RFC 9116). */
static int get_security(struct call *call, struct error *err _unused_)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (!settings_security_text(&text, call->server->settings, clock_now_s()))
		return call_refuse(call, REFUSE_ABSENT, "no contact is set, or its time is over");
	return call_text(call, 200, buf_text(&text));
}

/* The last write failed: try one of our own, so that readiness comes back without anybody having to post. */
static bool disk_takes_writes(struct server *server)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/probe", server->dir);
	_cleanup_(buf_done) struct buf zeros = { 0 };
	struct error ignored;

	if (!server->disk_refuses)
		return true;
	buf_extend(&zeros, PROBE_BYTES);
	if (fs_write(path, buf_bytes(&zeros), 0600, &ignored) < 0 || fs_remove(path, &ignored) < 0)
		return false;
	server->disk_refuses = false;
	log_notice("storage-accepts");
	return true;
}

static int get_readyz(struct call *call, struct error *err _unused_)
{
	if (server_is_stopping(call->server))
		return call_refuse(call, REFUSE_STOPPING, "the server is stopping");
	if (!disk_takes_writes(call->server))
		return call_refuse(call, REFUSE_STORAGE, "the last write failed");
	return call_text(call, 200, "ok\n");
}

/* ---- roots ---- */

static int get_roots(struct call *call, struct error *err)
{
	_cleanup_(buf_done) struct buf list = { 0 };
	const char *from = call_argument(call, "from");
	uint64_t version = 1;
	int r;

	if (from && !number_parse(&version, bytes_str(from)))
		return call_refuse(call, REFUSE_MALFORMED, "'from' is not a number");
	r = repo_roots(&list, call->server->repo, version ? version : 1, err);
	return r < 0 ? r : call_containers(call, &list);
}

/* ---- objects ---- */

static int refuse_failed(struct call *call, const struct submission *sub)
{
	const struct submitted *one = sub->failed;
	char head_hash[2 * HASH_LEN + 1];

	if (one->result == E_LIMIT) /* not of this body: an invite used too often, for instance */
		return call_refuse(call, REFUSE_DENIED, "%s", sub->err.text);
	if (one->result < 0)
		return call_refuse_error(call, &sub->err);
	if (ingest_is_misuse(one))
		return call_refuse(call, REFUSE_DENIED,
				   "device '%s' was retired, and its key with it; this is kept as evidence that somebody uses it",
				   one->subject);
	switch (one->result) {
	case REPO_FORK:
	case REPO_GAP:
		hex_encode(head_hash, one->head_hash, HASH_LEN);
		return call_refuse_with(call, one->result == REPO_FORK ? REFUSE_FORK : REFUSE_GAP,
					json_pack("{s:I, s:s}", "head", (json_int_t)one->head_number, "head-hash", head_hash),
					one->result == REPO_FORK ?
						"the chain has another statement with this number" :
						"the number, the hash of the one before or a seal does not fit the chain");
	case REPO_ABSENT:
		return call_refuse(call, REFUSE_DENIED, "what it refers to is not archived here");
	default:
		return call_refuse(call, REFUSE_BUSY, "the queue of the archive is full");
	}
}

static int answer_outcome(struct call *call)
{
	const struct submission *sub = call->submission;
	size_t seen = 0;

	for (size_t i = 0; i < sub->count; i++) {
		ingest_note(&sub->of[i]);
		seen += sub->of[i].result == REPO_SEEN;
	}
	if (sub->failed)
		return refuse_failed(call, sub);
	if (!seen && ingest_is_of_chain(&sub->of[0]))
		return call_bare(call);
	if (sub->count > 1)
		return call_json_text(call, "{\"stored\":%zu,\"seen\":%zu}", sub->count - seen, seen);
	return call_json_text(call, "{\"id\":\"%s\",\"result\":\"%s\"}", sub->of[0].hash, seen ? "seen" : "stored");
}

/* A certificate is archived with one more signature than it came with. */
static int countersign(struct call *call, struct row *row, struct error *err)
{
	struct container c = { 0 };
	struct buf whole = { 0 };
	int r;

	ingest_countersign(&whole, row->of[0].c.st, &call->server->key);
	row_done(row);
	r = ingest_parse(&c, buf_bytes(&whole), err);
	if (r == 0)
		row_of(row, &c, &whole);
	buf_done(&whole);
	return r;
}

static int submit(struct call *call, struct row *row, struct error *err)
{
	int r = statement_type(row->of[0].c.st) == STATEMENT_CERTIFICATE ? countersign(call, row, err) : 0;

	if (r == 0)
		r = ingest_submit(&call->submission, call->server, call->conn, row, err);
	if (r == REPO_BUSY)
		return call_refuse(call, REFUSE_BUSY, "the queue of the archive is full");
	if (r < 0)
		return r;
	call_drop_body(call);
	return call->submission->is_parked ? CALL_SUSPENDED : answer_outcome(call);
}

/* What a witness cosigned is no statement of the log, but kept beside it. That it knows another log is an alarm: ours was set back, or
 * forked. */
static int post_cosigned(struct call *call, const struct statement *st, struct error *err)
{
	_cleanup_(put_root) struct root_in_force in_force = { .repo = call->server->repo };
	unsigned long long size = statement_number(st, "size");
	char hash[2 * HASH_LEN + 1];
	int r = repo_root_get(&in_force.root, in_force.repo, err);

	if (r == REPO_ABSENT)
		return error_set(err, E_DENIED, "nobody has claimed this server yet; an operator runs: holdfast init");
	if (r == 0)
		r = root_verify(in_force.root, st, err);
	if (r == 0)
		r = repo_cosign(in_force.repo, in_force.root, st, err);
	if (r < 0)
		return r;
	if (r == REPO_FORK) {
		log_error("witness-contradicts witness=%s size=%llu: it vouches for a log that this archive never had",
			  root_cosigner(in_force.root, st), size);
		return call_refuse(call, REFUSE_FORK, "this archive never had that log of %llu %s", size,
				   plural(size, "statement", "statements"));
	}
	statement_hash_hex(hash, st);
	log_info("cosigned witness=%s size=%llu", root_cosigner(in_force.root, st), size);
	return call_json(call, json_pack("{s:s, s:s}", "id", hash, "result", r ? "seen" : "stored"));
}

static int post_objects(struct call *call, struct error *err)
{
	_cleanup_(row_done) struct row row = { 0 };
	int r;

	if (call->is_resumed)
		return answer_outcome(call);
	r = row_parse(&row, &call->body, err);
	if (r < 0)
		return r;
	if (statement_type(row.of[0].c.st) == STATEMENT_CHECKPOINT)
		return post_cosigned(call, row.of[0].c.st, err);
	for (size_t i = 0; i < row.count; i++) {
		r = ingest_check(call->server->repo, &call->server->key.pub, &row.of[i].c, clock_now_s(), err);
		if (r < 0)
			return row.count > 1 ? error_add(err, "statement %zu of the row", i + 1) : r;
	}
	return submit(call, &row, err);
}

/* ---- the claim ---- */

static bool has_root(struct repo *repo)
{
	struct error ignored = { 0 };
	const struct root *root;

	if (repo_root_get(&root, repo, &ignored) != 0)
		return false;
	repo_root_put(repo, root);
	return true;
}

/* The code itself is stored nowhere: 256 random bits need no slow hash. */
static bool is_claim_code(const struct call *call)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", call->server->dir, SERVER_CLAIM_FILE);
	const char *code = call_request_header(call, "Holdfast-Claim");
	_cleanup_(buf_done) struct buf stored = { 0 }, raw = { 0 };
	char hash[2 * HASH_LEN + 1];
	struct error ignored;

	if (!code || strlen(code) > 64 || !base64url_decode(&raw, bytes_str(code)) || raw.len != 32)
		return false;
	if (fs_read(&stored, path, 256, &ignored) != 0 || stored.len != 2 * HASH_LEN + 1)
		return false;
	sha256_hex(hash, buf_bytes(&raw));
	return sodium_memcmp(hash, stored.ptr, 2 * HASH_LEN) == 0;
}

/* One at a time: two first roots at once would both be judged good. */
static bool begin_claim(struct server *server)
{
	bool ok;

	pthread_mutex_lock(&server->lock);
	ok = !server->claiming;
	server->claiming = true;
	pthread_mutex_unlock(&server->lock);
	return ok;
}

static void end_claim(struct server *server)
{
	pthread_mutex_lock(&server->lock);
	server->claiming = false;
	pthread_mutex_unlock(&server->lock);
}

static int finish_claim(struct call *call)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", call->server->dir, SERVER_CLAIM_FILE);
	const struct submission *sub = call->submission;
	struct error err = { 0 };

	end_claim(call->server);
	if (!sub->failed) {
		/* with a root in force the file opens nothing any more: failing to remove it is untidy, not dangerous */
		if (fs_remove(path, &err) < 0)
			log_failure(LOG_WARNING, "claim-file-stays", &err);
		log_notice("claimed root=%s", sub->of[0].hash);
	}
	return answer_outcome(call);
}

static int take_claim(struct call *call, struct error *err)
{
	_cleanup_(row_done) struct row row = { 0 };
	int r = row_parse(&row, &call->body, err);

	if (r < 0)
		return r;
	r = ingest_check_claim(&call->server->key.pub, &row.of[0].c, err);
	if (r < 0)
		return r;
	r = ingest_submit(&call->submission, call->server, call->conn, &row, err);
	if (r == REPO_BUSY) {
		end_claim(call->server);
		return call_refuse(call, REFUSE_BUSY, "the queue of the archive is full");
	}
	if (r < 0)
		return r;
	return call->submission->is_parked ? CALL_SUSPENDED : finish_claim(call);
}

static int post_claim(struct call *call, struct error *err)
{
	int r;

	if (call->is_resumed)
		return finish_claim(call);
	if (!begin_claim(call->server))
		return call_refuse(call, REFUSE_BUSY, "another claim is in hand");
	if (has_root(call->server->repo)) {
		end_claim(call->server);
		return call_refuse(call, REFUSE_CLAIMED, "this server has a root");
	}
	if (!is_claim_code(call)) {
		end_claim(call->server);
		log_warning("claim-refused: wrong code");
		return call_refuse(call, REFUSE_DENIED, "the claim code is wrong; it stands in the setup string of holdfastd init");
	}
	r = take_claim(call, err);
	if (r < 0)
		end_claim(call->server);
	return r;
}

const struct route device_routes[] = {
	{ "GET", "/livez", 0, NEED_NOTHING, true, get_livez },
	{ "GET", "/readyz", 0, NEED_NOTHING, true, get_readyz },
	{ "GET", "/.well-known/security.txt", 0, NEED_NOTHING, false, get_security },
	{ "GET", "/v1/roots", 0, NEED_NOTHING, false, get_roots },
	{ "POST", "/v1/claim", SMALL_BODY_MAX, NEED_NOTHING, false, post_claim },
	{ "POST", "/v1/objects", CONTAINER_MAX, NEED_NOTHING, false, post_objects },
	{ "POST", "/v1/poll", SMALL_BODY_MAX, NEED_NOTHING, false, poll_post },
	{ 0 },
};
