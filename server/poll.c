/* server/poll.c -- the call that a device waits in: what it says of itself, and what that brings it.
 *
 * Ten thousand wait at once, so what is kept of each is small, and what all get alike is made once (answers.h). */
#include "server/poll.h"

#include "base/clock.h"
#include "server/api.h"

#include <string.h>

enum {
	WAIT_SECONDS_MAX = 14400,
	/* half of the full handshakes that a core was measured to do; the window keeps a storm of reconnects below it */
	RECONNECTS_PER_S = 1500,
	WINDOW_MIN_S = 5,
};

/* ---- what a device says ---- */

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

static void take_saying(struct poll *poll, const struct statement *st)
{
	uint64_t wait_s = statement_number(st, "wait");
	uint8_t hash[HASH_LEN];

	statement_get_point(&poll->head, hash, st, "head");
	if (!statement_get_point(&poll->seen, poll->seen_tree, st, "checkpoint"))
		poll->seen = 0;
	poll->root = statement_number(st, "root");
	poll->order = statement_number(st, "order");
	poll->is_waiting = wait_s > 0;
	poll->due_ms = clock_mono_ms() + (wait_s < WAIT_SECONDS_MAX ? wait_s : WAIT_SECONDS_MAX) * 1000;
}

static int begin_poll(struct call *call, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct repo_signer device;
	int r = api_status(&st, &device, call, err);

	if (r < 0)
		return r;
	call->wire->is_proven = true;
	repo_touch(call->server->repo, st, clock_now_s());
	call_drop_body(call);
	take_saying(&call->poll, st);
	memcpy(call->waiter.device, statement_get(st, "device"), ID_LEN + 1);
	return 0;
}

/* A stranger's poll is judged at once: nothing of a peer that proved nothing is kept. */
static int take_turn(struct call *call)
{
	call->waiter.conn = call->conn;
	call->waiter.fd = call->fd;
	return call->wire->is_proven ? wait_turn(call->server->wait, &call->waiter) : 1;
}

/* ---- what there is for it ---- */

struct findings {
	struct buf admit;
	struct delivery orders;
	uint64_t again_ms; /* the same orders were given a moment ago: they are given again then */
	bool is_root_new;
};

static void findings_done(struct findings *found)
{
	buf_done(&found->admit);
	delivery_done(&found->orders);
}

static uint64_t root_in_force(struct repo *repo)
{
	struct error ignored = { 0 };
	const struct root *root;
	uint64_t version = 0;

	if (repo_root_get(&root, repo, &ignored) == 0) {
		version = root_version(root);
		repo_root_put(repo, root);
	}
	return version;
}

static int find_admit(struct findings *found, struct call *call, struct error *err)
{
	int r = call->poll.head == 1 ? repo_statement(&found->admit, call->server->repo, call->waiter.device, STATEMENT_ADMIT, 0, err) : 0;

	return r < 0 ? r : 0;
}

static int find_orders(struct findings *found, struct call *call, struct error *err)
{
	struct server *server = call->server;
	const struct poll *poll = &call->poll;
	int r = deliver_look(&found->orders, server->deliveries, server->repo, server->rollouts, call->waiter.device, poll->order,
			     poll->is_waiting, err);

	if (r < 0)
		return r;
	found->again_ms = deliver_when_ms(server->deliveries, call->waiter.device, &found->orders, clock_mono_ms());
	return 0;
}

static bool is_news(const struct findings *found)
{
	return found->is_root_new || found->admit.len;
}

/* Returns 1 when there is anything for the device now. */
static int find(struct findings *found, struct call *call, struct error *err)
{
	int r;

	found->is_root_new = root_in_force(call->server->repo) > call->poll.root;
	r = find_admit(found, call, err);
	if (r < 0)
		return r;
	/* a new root wakes all at once: what else there is comes with their next polls, which nothing woke */
	if (is_news(found) && call->is_resumed)
		return 1;
	r = find_orders(found, call, err);
	if (r < 0)
		return r;
	return is_news(found) || (!delivery_is_empty(&found->orders) && !found->again_ms);
}

/* ---- the answer ---- */

/* An answer to a peer that is gone, or has asked again, is not read: its orders wait for one that is. */
static bool is_listening(const struct call *call)
{
	return !call->is_resumed || (call->waiter.why != WAIT_PEER && call->waiter.why != WAIT_REPLACED);
}

/* Appends the newest checkpoint and how the log grew; nothing when the status names just that one: to wait for hours is to hear nothing
 * new. */
static int add_checkpoint(struct buf *out, struct call *call, struct error *err)
{
	_cleanup_(statement_freep) struct statement *newest = NULL;
	const struct poll *poll = &call->poll;
	size_t begin = out->len, used;
	uint8_t tree[HASH_LEN];
	int r = repo_checkpoint_since(out, call->server->repo, poll->seen, err);

	if (r < 0 || out->len == begin || !poll->seen)
		return r < 0 ? r : 0;
	r = statement_parse(&newest, bytes_from(buf_bytes(out), begin), false, &used, err);
	if (r < 0)
		return r;
	if (poll->seen == statement_number(newest, "size") && statement_get_hash(tree, newest, "tree") &&
	    memcmp(tree, poll->seen_tree, HASH_LEN) == 0)
		buf_truncate(out, begin);
	return 0;
}

static uint64_t window_s(struct server *server)
{
	uint64_t window = wait_count(server->wait) / (RECONNECTS_PER_S * server->settings->threads);

	return window < WINDOW_MIN_S ? WINDOW_MIN_S : window;
}

static int make_answer(struct call *call, const struct findings *found, const struct delivery *orders, uint64_t window, struct error *err)
{
	_cleanup_(buf_done) struct buf body = { 0 };
	struct server *server = call->server;
	int r = repo_roots(&body, server->repo, call->poll.root + 1, err);

	buf_add_bytes(&body, buf_bytes(&found->admit));
	if (r >= 0 && orders)
		r = deliver(&body, server->deliveries, orders, server->repo, server->rollouts, call->waiter.device, clock_mono_ms(), err);
	if (r >= 0)
		r = add_checkpoint(&body, call, err);
	if (r < 0)
		return r;
	call_header(call, "Holdfast-Window", "%llu", (unsigned long long)window);
	return call_containers(call, &body);
}

/* What is for this device alone is made for it; the rest is likely to be there already. */
static int answer_poll(struct call *call, const struct findings *found, struct error *err)
{
	struct server *server = call->server;
	const struct poll *poll = &call->poll;
	const struct delivery *orders = !delivery_is_empty(&found->orders) && is_listening(call) ? &found->orders : NULL;
	struct answer_key key = {
		repo_head_mark(server->repo), root_in_force(server->repo), poll->root, poll->seen, window_s(server), { 0 }
	};
	int r;

	if (orders || found->admit.len || server_is_stopping(server))
		return make_answer(call, found, orders, key.window_s, err);
	if (poll->seen)
		memcpy(key.seen_tree, poll->seen_tree, HASH_LEN);
	call->reply.shared = answers_get(server->answers, &key);
	call->reply.status = 200;
	r = answer_response(call->reply.shared) ? 0 : make_answer(call, found, NULL, key.window_s, err);
	if (r < 0)
		call->reply.shared = answer_put(call->reply.shared);
	return r;
}

int poll_post(struct call *call, struct error *err)
{
	struct wait *wait = call->server->wait;
	int r = 0;

	if (!call->is_resumed && !take_turn(call))
		return CALL_SUSPENDED;
	if (call->is_resumed && call->waiter.why == WAIT_TURN)
		call->is_resumed = false; /* it has not waited for news yet */
	if (!call->is_resumed)
		r = begin_poll(call, err);
	while (r >= 0) {
		_cleanup_(findings_done) struct findings found = { 0 };
		bool over = call->is_resumed && call->waiter.why != WAIT_NEWS;
		uint64_t mark = wait_mark(wait), due_ms = call->poll.due_ms;

		if (call->is_resumed && call->waiter.why == WAIT_STOP)
			return call_refuse(call, REFUSE_STOPPING, "the server is stopping");
		r = find(&found, call, err);
		if (r < 0)
			return r;
		if (r || over || due_ms <= clock_mono_ms())
			return answer_poll(call, &found, err);
		call->waiter.due_ms = found.again_ms && found.again_ms < due_ms ? found.again_ms : due_ms;
		r = wait_park(wait, &call->waiter, mark, err);
		if (r == 0)
			return CALL_SUSPENDED;
		if (r == WAIT_STOPPING)
			return call_refuse(call, REFUSE_STOPPING, "the server is stopping");
	}
	return r;
}
