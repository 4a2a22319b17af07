/* server/api-device.c -- what devices call, and what anybody may: health, roots, the claim, objects, the poll that waits. */
#include "server/api.h"

#include "base/clock.h"
#include "base/fs.h"

#include <sodium.h>
#include <string.h>

enum {
	SMALL_BODY_MAX = 96 << 10,
	WAIT_SECONDS_MAX = 14400,
	/* half of the full handshakes that a core was measured to do; the window keeps a storm of reconnects below it */
	RECONNECTS_PER_S = 1500,
	WINDOW_MIN_S = 5,
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

struct root_in_force {
	struct repo *repo;
	const struct root *root;
};

static int answer_outcome(struct call *call)
{
	const struct submission *sub = &call->submission;
	char head_hash[2 * HASH_LEN + 1];

	ingest_note(sub);
	if (sub->result == E_LIMIT) /* not of this body: an invite used too often, for instance */
		return call_refuse(call, REFUSE_DENIED, "%s", sub->err.text);
	if (sub->result < 0)
		return call_refuse_error(call, &sub->err);
	switch (sub->result) {
	case 0:
	case REPO_SEEN:
		return call_json_text(call, "{\"id\":\"%s\",\"result\":\"%s\"}", sub->hash, sub->result ? "seen" : "stored");
	case REPO_FORK:
	case REPO_GAP:
		hex_encode(head_hash, sub->head_hash, HASH_LEN);
		return call_refuse_with(call, sub->result == REPO_FORK ? REFUSE_FORK : REFUSE_GAP,
					json_pack("{s:I, s:s}", "head", (json_int_t)sub->head_number, "head-hash", head_hash),
					sub->result == REPO_FORK ? "the chain has another statement with this number" :
								   "the number, the hash of the one before or a seal does not fit the chain");
	case REPO_ABSENT:
		return call_refuse(call, REFUSE_DENIED, "what it refers to is not archived here");
	default:
		return call_refuse(call, REFUSE_BUSY, "the queue of the archive is full");
	}
}

/* A certificate is archived with one more signature than it came with. */
static int countersign(struct call *call, struct container *c, struct error *err)
{
	buf_truncate(&call->body, 0); /* c has its own copy */
	ingest_countersign(&call->body, c->st, &call->server->key);
	container_done(c);
	return ingest_parse(c, buf_bytes(&call->body), err);
}

static int submit(struct call *call, struct container *c, struct error *err)
{
	int r = statement_type(c->st) == STATEMENT_CERTIFICATE ? countersign(call, c, err) : 0;

	if (r == 0)
		r = ingest_submit(&call->submission, call->server, call->conn, c, &call->body, err);
	if (r == REPO_BUSY)
		return call_refuse(call, REFUSE_BUSY, "the queue of the archive is full");
	if (r < 0)
		return r;
	call_drop_body(call);
	return call->submission.is_parked ? CALL_SUSPENDED : answer_outcome(call);
}

static void put_root(struct root_in_force *in_force)
{
	if (in_force->root)
		repo_root_put(in_force->repo, in_force->root);
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
		return call_refuse(call, REFUSE_FORK, "this archive never had that log of %llu statements", size);
	}
	statement_hash_hex(hash, st);
	log_info("cosigned witness=%s size=%llu", root_cosigner(in_force.root, st), size);
	return call_json(call, json_pack("{s:s, s:s}", "id", hash, "result", r ? "seen" : "stored"));
}

static int post_objects(struct call *call, struct error *err)
{
	_cleanup_(container_done) struct container c = { 0 };
	int r;

	if (call->is_resumed)
		return answer_outcome(call);
	r = ingest_parse(&c, buf_bytes(&call->body), err);
	if (r < 0)
		return r;
	if (statement_type(c.st) == STATEMENT_CHECKPOINT)
		return post_cosigned(call, c.st, err);
	r = ingest_check(call->server->repo, &call->server->key.pub, &c, clock_now_s(), err);
	if (r < 0)
		return r;
	return submit(call, &c, err);
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
	const struct submission *sub = &call->submission;
	struct error err = { 0 };

	end_claim(call->server);
	if (sub->result == 0 || sub->result == REPO_SEEN) {
		/* with a root in force the file opens nothing any more: failing to remove it is untidy, not dangerous */
		if (fs_remove(path, &err) < 0)
			log_failure(LOG_WARNING, "claim-file-stays", &err);
		log_notice("claimed root=%s", sub->hash);
	}
	return answer_outcome(call);
}

static int take_claim(struct call *call, struct error *err)
{
	_cleanup_(container_done) struct container c = { 0 };
	int r = ingest_parse(&c, buf_bytes(&call->body), err);

	if (r < 0)
		return r;
	r = ingest_check_claim(&call->server->key.pub, &c, err);
	if (r < 0)
		return r;
	r = ingest_submit(&call->submission, call->server, call->conn, &c, &call->body, err);
	if (r == REPO_BUSY) {
		end_claim(call->server);
		return call_refuse(call, REFUSE_BUSY, "the queue of the archive is full");
	}
	if (r < 0)
		return r;
	return call->submission.is_parked ? CALL_SUSPENDED : finish_claim(call);
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

/* ---- the poll ---- */

static bool is_fleet_ours(struct repo *repo, const struct statement *st)
{
	struct error ignored = { 0 };
	const struct root *root;
	bool ours;

	if (repo_root_get(&root, repo, &ignored) != 0)
		return false;
	ours = !strcmp(root_fleet(root), statement_get(st, "fleet"));
	repo_root_put(repo, root);
	return ours;
}

int api_status(struct statement **out, struct repo_signer *device, struct call *call, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	size_t used = 0;
	int r = statement_parse(&st, buf_bytes(&call->body), false, &used, err);

	if (r < 0)
		return r;
	if (used != call->body.len || statement_type(st) != STATEMENT_STATUS)
		return error_set(err, E_FORMAT, "this takes one status and nothing else");
	r = repo_signer_get(device, call->server->repo, statement_get(st, "device"), err);
	if (r < 0)
		return r;
	if (r == REPO_ABSENT)
		return error_set(err, E_DENIED, "device '%s' has not enrolled here", statement_get(st, "device"));
	r = statement_verify_by(st, &device->key, err);
	if (r < 0)
		return r;
	if (!is_fleet_ours(call->server->repo, st))
		return error_set(err, E_DENIED, "status is of another fleet");
	*out = steal(st);
	return 0;
}

/* Verifies a status and notes it: afterwards call->statement holds it. */
static int take_status(struct call *call, struct error *err)
{
	struct repo_signer device;
	int r = api_status(&call->statement, &device, call, err);

	if (r < 0)
		return r;
	repo_touch(call->server->repo, call->statement, clock_now_s());
	call_drop_body(call);
	return 0;
}

/* Appends what is new to a device with this status. Returns 1 when there was anything. */
static int find_news(struct buf *out, struct repo *repo, const struct statement *st, struct error *err)
{
	uint8_t hash[HASH_LEN];
	uint64_t head = 0;
	int r = repo_roots(out, repo, statement_number(st, "root") + 1, err);

	if (r < 0)
		return r;
	if (statement_get_point(&head, hash, st, "head") && head == 1) {
		r = repo_statement(out, repo, statement_get(st, "device"), STATEMENT_ADMIT, 0, err);
		if (r < 0)
			return r;
	}
	return out->len > 0;
}

/* What its orders bring. Sets *again_ms when the same was given a moment ago: it is given again then. Returns 1 when there is anything now. */
static int find_orders(struct delivery *out, uint64_t *again_ms, struct call *call, struct error *err)
{
	struct server *server = call->server;
	int r = deliver_look(out, server->repo, server->rollouts, call->statement, err);

	if (r < 0)
		return r;
	*again_ms = deliver_when_ms(server->deliveries, call->waiter.device, out, clock_mono_ms());
	return !delivery_is_empty(out) && !*again_ms;
}

/* An answer to a peer that is gone, or has asked again, is not read: its orders wait for one that is. */
static bool is_listening(const struct call *call)
{
	return !call->is_resumed || (call->waiter.why != WAIT_PEER && call->waiter.why != WAIT_REPLACED);
}

static int add_orders(struct buf *out, struct call *call, const struct delivery *orders, struct error *err)
{
	struct server *server = call->server;

	if (delivery_is_empty(orders) || !is_listening(call))
		return 0;
	return deliver(out, server->deliveries, orders, server->repo, server->rollouts, call->waiter.device, clock_mono_ms(), err);
}

/* What the device says that it has seen of the log: 0 when it has seen nothing. */
static uint64_t seen_by(const struct statement *status)
{
	uint8_t tree[HASH_LEN];
	uint64_t size;

	return statement_get_point(&size, tree, status, "checkpoint") ? size : 0;
}

/* Appends the newest checkpoint and how the log grew; nothing when the status names just that one: to wait for hours is to hear nothing new. */
static int add_checkpoint(struct buf *out, struct call *call, struct error *err)
{
	_cleanup_(statement_freep) struct statement *newest = NULL;
	uint8_t seen[HASH_LEN], tree[HASH_LEN];
	size_t begin = out->len, used;
	uint64_t size;
	int r = repo_checkpoint_since(out, call->server->repo, seen_by(call->statement), err);

	if (r < 0 || out->len == begin || !statement_get_point(&size, seen, call->statement, "checkpoint"))
		return r < 0 ? r : 0;
	r = statement_parse(&newest, bytes_from(buf_bytes(out), begin), false, &used, err);
	if (r < 0)
		return r;
	if (size == statement_number(newest, "size") && statement_get_hash(tree, newest, "tree") && memcmp(tree, seen, HASH_LEN) == 0)
		buf_truncate(out, begin);
	return 0;
}

static int answer_poll(struct call *call, struct buf *news, struct error *err)
{
	unsigned long long parked = wait_count(call->server->wait);
	unsigned long long window = parked / (RECONNECTS_PER_S * call->server->settings->threads);
	int r = add_checkpoint(news, call, err);

	if (r < 0)
		return r;
	call_header(call, "Holdfast-Window", "%llu", window < WINDOW_MIN_S ? WINDOW_MIN_S : window);
	return call_containers(call, news);
}

static int begin_poll(struct call *call, struct error *err)
{
	uint64_t wait_s;
	int r = take_status(call, err);

	if (r < 0)
		return r;
	wait_s = statement_number(call->statement, "wait");
	call->waiter.conn = call->conn;
	call->waiter.fd = call->fd;
	call->poll_due_ms = clock_mono_ms() + (wait_s < WAIT_SECONDS_MAX ? wait_s : WAIT_SECONDS_MAX) * 1000;
	memcpy(call->waiter.device, statement_get(call->statement, "device"), ID_LEN + 1);
	return 0;
}

static int post_poll(struct call *call, struct error *err)
{
	struct wait *wait = call->server->wait;
	int r = 0;

	if (!call->is_resumed)
		r = begin_poll(call, err);
	while (r >= 0) {
		_cleanup_(delivery_done) struct delivery orders = { 0 };
		_cleanup_(buf_done) struct buf news = { 0 };
		uint64_t mark = wait_mark(wait), again_ms = 0;
		bool over = call->is_resumed && call->waiter.why != WAIT_NEWS;
		int more;

		if (call->is_resumed && call->waiter.why == WAIT_STOP)
			return call_refuse(call, REFUSE_STOPPING, "the server is stopping");
		r = find_news(&news, call->server->repo, call->statement, err);
		if (r < 0)
			return r;
		/* a new root wakes all at once: what else there is comes with their next polls, which nothing woke */
		more = r && call->is_resumed ? 0 : find_orders(&orders, &again_ms, call, err);
		if (more < 0)
			return more;
		if (r || more || over || call->poll_due_ms <= clock_mono_ms()) {
			r = add_orders(&news, call, &orders, err);
			return r < 0 ? r : answer_poll(call, &news, err);
		}
		call->waiter.due_ms = again_ms && again_ms < call->poll_due_ms ? again_ms : call->poll_due_ms;
		r = wait_park(wait, &call->waiter, mark, err);
		if (r == 0)
			return CALL_SUSPENDED;
		if (r == WAIT_STOPPING)
			return call_refuse(call, REFUSE_STOPPING, "the server is stopping");
	}
	return r;
}

const struct route device_routes[] = {
	{ "GET", "/livez", 0, NEED_NOTHING, true, get_livez },
	{ "GET", "/readyz", 0, NEED_NOTHING, true, get_readyz },
	{ "GET", "/.well-known/security.txt", 0, NEED_NOTHING, false, get_security },
	{ "GET", "/v1/roots", 0, NEED_NOTHING, false, get_roots },
	{ "POST", "/v1/claim", SMALL_BODY_MAX, NEED_NOTHING, false, post_claim },
	{ "POST", "/v1/objects", CONTAINER_MAX, NEED_NOTHING, false, post_objects },
	{ "POST", "/v1/poll", SMALL_BODY_MAX, NEED_NOTHING, false, post_poll },
	{ 0 },
};
