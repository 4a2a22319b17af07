/* agent/net.c -- the process that speaks to the network: exchanges and probes on one side, one socketpair on the other. */
#include "agent/net.h"

#include "agent/confine.h"
#include "agent/exchange.h"
#include "agent/ping.h"
#include "agent/probe.h"
#include "agent/stream.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { REST_MS = 2000 };

_Static_assert((int)NET_ADDRESS_MAX == (int)EXCHANGE_ADDRESS_MAX && (int)NET_PINS_MAX == (int)EXCHANGE_PINS_MAX,
	       "a request fits into an exchange");

void http_request_put(struct buf *out, const struct http_request *req)
{
	put_field(out, bytes_str(req->address));
	put_field(out, bytes_of(req->pins, req->pin_count * 32UL));
	put_field(out, bytes_str(req->path));
	buf_add_u32be(out, req->is_post);
	buf_add_u32be(out, req->is_fresh);
	buf_add_u32be(out, req->keepalive_s);
	buf_add_u32be(out, req->timeout_s);
	buf_add_u32be(out, req->is_stream);
	buf_add_u32be(out, (uint32_t)(req->from >> 32));
	buf_add_u32be(out, (uint32_t)req->from);
	put_field(out, req->body);
}

bool http_request_get(struct http_request *out, struct bytes in)
{
	struct reader rd = reader_over(in);
	struct bytes pins;

	*out = (struct http_request){ 0 };
	if (!get_text_field(&rd, out->address, sizeof(out->address)))
		return false;
	pins = get_field(&rd);
	if (!pins.len || pins.len > sizeof(out->pins) || pins.len % 32)
		return false;
	memcpy(out->pins, pins.ptr, pins.len);
	out->pin_count = (uint32_t)(pins.len / 32);
	if (!get_text_field(&rd, out->path, sizeof(out->path)))
		return false;
	out->is_post = read_u32(&rd) != 0;
	out->is_fresh = read_u32(&rd) != 0;
	out->keepalive_s = read_u32(&rd);
	out->timeout_s = read_u32(&rd);
	out->is_stream = read_u32(&rd) != 0;
	out->from = (uint64_t)read_u32(&rd) << 32;
	out->from |= read_u32(&rd);
	out->body = get_field(&rd);
	return reader_done(&rd) && out->address[0] && out->path[0] == '/' && out->timeout_s;
}

void http_answer_put(struct buf *out, const struct http_answer *ans)
{
	buf_add_u32be(out, ans->is_answered);
	buf_add_u32be(out, ans->status);
	buf_add_u32be(out, ans->window_s);
	buf_add_u32be(out, ans->retry_s);
	put_field(out, bytes_str(ans->error));
	put_field(out, ans->body);
}

bool http_answer_get(struct http_answer *out, struct bytes in)
{
	struct reader rd = reader_over(in);

	*out = (struct http_answer){ 0 };
	out->is_answered = read_u32(&rd) != 0;
	out->status = read_u32(&rd);
	out->window_s = read_u32(&rd);
	out->retry_s = read_u32(&rd);
	if (!get_text_field(&rd, out->error, sizeof(out->error)))
		return false;
	out->body = get_field(&rd);
	return reader_done(&rd);
}

struct net {
	struct loop *loop;
	struct names *names;
	struct tls *tls;
	struct exchanges *exchanges;
	struct ipc ipc;
	struct loop_fd io, echo_io[2];
	struct loop_timer ping_timer, rest;
	struct error why; /* what ended it */
	struct transfer *transfers;
	struct knock *knocks;
	struct ping *pings;
	size_t count; /* of all three */
	struct ping_sockets sockets;
};

struct transfer {
	struct transfer *next;
	struct net *net;
	uint32_t id;
	struct exchange exchange;
	struct stream stream;
};

/* A TCP probe: nothing but a connection. */
struct knock {
	struct knock *next;
	struct net *net;
	uint32_t id;
	struct dial dial;
};

/* ---- answers ---- */

static void end(struct net *net, const struct error *why)
{
	net->why = *why;
	loop_stop(net->loop);
}

static void flush(struct net *net)
{
	struct error err = { 0 };
	int r = ipc_flush(&net->ipc, &err);

	if (r < 0)
		end(net, &err);
	else
		loop_change_fd(&net->io, r == IPC_MORE ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void send_ipc(struct net *net, enum ipc_kind kind, uint32_t id, struct bytes body)
{
	struct error err = { 0 };

	if (ipc_send(&net->ipc, kind, id, body, &err) < 0)
		end(net, &err);
	else
		flush(net);
}

static void answer(struct net *net, uint32_t id, const struct http_answer *ans)
{
	_cleanup_(buf_done) struct buf body = { 0 };

	http_answer_put(&body, ans);
	send_ipc(net, IPC_HTTP_DONE, id, buf_bytes(&body));
}

static void answer_probe(struct net *net, uint32_t id, const char *why)
{
	send_ipc(net, IPC_PROBE_DONE, id, bytes_str(why));
}

/* ---- requests ---- */

static void transfer_end(struct transfer *t)
{
	for (struct transfer **at = &t->net->transfers; *at; at = &(*at)->next)
		if (*at == t) {
			*at = t->next;
			t->net->count--;
			break;
		}
	loop_arm(t->net->loop, &t->net->rest, clock_mono_ms() + REST_MS);
	exchange_done(&t->exchange);
	stream_done(&t->stream);
	free(t);
}

static bool stream_begins(struct exchange *x)
{
	struct transfer *t = container_of(x, struct transfer, exchange);

	return stream_begin(&t->stream, x->reader.status, x->reader.range);
}

static bool stream_may(struct exchange *x)
{
	return stream_has_room(&container_of(x, struct transfer, exchange)->stream, EXCHANGE_PIECE);
}

static bool stream_takes(struct exchange *x, struct bytes piece)
{
	struct transfer *t = container_of(x, struct transfer, exchange);
	struct error ignored;
	size_t taken;

	if (stream_take(&taken, &t->stream, &t->net->ipc, t->id, piece, &ignored) < 0 || taken != piece.len)
		return false;
	flush(t->net);
	return true;
}

static const struct exchange_sink stream_sink = { .begin = stream_begins, .has_room = stream_may, .take = stream_takes };

static void transferred(struct exchange *x, const char *why)
{
	struct transfer *t = container_of(x, struct transfer, exchange);
	const struct http_reader *rd = &x->reader;
	struct http_answer ans = { .is_answered = !why, .status = rd->status, .window_s = rd->window_s, .retry_s = rd->retry_s };
	struct error err = { 0 };

	if (stream_flush(&t->stream, &t->net->ipc, t->id, &err) < 0)
		end(t->net, &err);
	if (why)
		snprintf(ans.error, sizeof(ans.error), "%s", why);
	else
		ans.body = buf_bytes(&x->answer);
	answer(t->net, t->id, &ans);
	transfer_end(t);
}

static int start_transfer(struct net *net, uint32_t id, struct bytes body, struct error *err)
{
	struct http_answer no = { .error = "too many requests at once" };
	struct http_request req;
	struct transfer *t;

	if (!http_request_get(&req, body))
		return error_set(err, E_PEER, "a request of another form");
	if (net->count >= NET_REQUESTS_MAX) {
		answer(net, id, &no);
		return 0;
	}
	t = mem_alloc(sizeof(*t));
	*t = (struct transfer){ .next = net->transfers, .net = net, .id = id };
	net->transfers = t;
	net->count++;
	memcpy(t->exchange.address, req.address, sizeof(t->exchange.address));
	memcpy(t->exchange.pins, req.pins, sizeof(t->exchange.pins));
	t->exchange.pin_count = req.pin_count;
	t->exchange.is_fresh = req.is_fresh;
	t->exchange.keepalive_s = req.keepalive_s;
	t->exchange.done = transferred;
	t->stream.is_wanted = req.is_stream;
	if (req.is_stream)
		t->exchange.sink = &stream_sink;
	if (!http_head_put(&t->exchange.request, &(struct http_head){ .address = req.address,
								      .path = req.path,
								      .is_post = req.is_post,
								      .body_len = req.body.len,
								      .from = req.from })) {
		transferred(&t->exchange, "an address or a path with blanks or control characters in it");
		return 0;
	}
	buf_add_bytes(&t->exchange.request, req.body);
	exchange_begin(&t->exchange, net->exchanges, req.timeout_s * 1000ULL);
	return 0;
}

/* More of a stream is wanted. */
static void give_credit(struct net *net, uint32_t id, struct bytes body)
{
	struct reader rd = reader_over(body);
	uint32_t credit = read_u32(&rd);

	for (struct transfer *t = net->transfers; t; t = t->next)
		if (t->id == id && t->exchange.sink && reader_done(&rd)) {
			stream_more(&t->stream, credit);
			exchange_resume(&t->exchange);
			return;
		}
}

static bool cancel_transfer(struct net *net, uint32_t id)
{
	for (struct transfer *t = net->transfers; t; t = t->next)
		if (t->id == id) {
			transfer_end(t);
			return true;
		}
	return false;
}

/* ---- probes by TCP ---- */

static void knock_end(struct knock *k)
{
	for (struct knock **at = &k->net->knocks; *at; at = &(*at)->next)
		if (*at == k) {
			*at = k->next;
			k->net->count--;
			break;
		}
	dial_stop(&k->dial);
	free(k);
}

static void knocked(struct dial *dial, int fd, const char *why)
{
	struct knock *k = container_of(dial, struct knock, dial);

	if (fd >= 0)
		close(fd);
	answer_probe(k->net, k->id, fd >= 0 ? "" : why);
	knock_end(k);
}

static void start_tcp(struct net *net, uint32_t id, const struct probe_ask *ask)
{
	struct knock *k = mem_alloc(sizeof(*k));

	*k = (struct knock){ .next = net->knocks, .net = net, .id = id, .dial.done = knocked };
	net->knocks = k;
	net->count++;
	dial_begin(&k->dial, net->loop, net->names, ask->target, clock_mono_ms() + ask->timeout_ms);
}

static bool cancel_knock(struct net *net, uint32_t id)
{
	for (struct knock *k = net->knocks; k; k = k->next)
		if (k->id == id) {
			knock_end(k);
			return true;
		}
	return false;
}

/* ---- probes by ICMP ---- */

/* Takes a ping out of the list and answers, unless why is NULL. */
static void end_ping(struct net *net, struct ping **at, const char *why)
{
	struct ping *p = *at;

	*at = p->next;
	net->count--;
	if (why)
		answer_probe(net, p->id, why);
	free(p);
}

/* Sends what is due and gives up what is over. */
static void drive_pings(struct loop_timer *timer)
{
	struct net *net = container_of(timer, struct net, ping_timer);
	uint64_t now = clock_mono_ms(), next = UINT64_MAX;

	for (struct ping **at = &net->pings; *at;) {
		struct ping *p = *at;

		ping_send(&net->sockets, p, now);
		if (now >= p->deadline_ms) {
			end_ping(net, at, p->why ? p->why : "no answer in time");
			continue;
		}
		if (p->again_ms < next)
			next = p->again_ms;
		if (p->deadline_ms < next)
			next = p->deadline_ms;
		at = &p->next;
	}
	if (net->pings)
		loop_arm(net->loop, timer, next);
}

static void take_echoes(struct net *net, int which)
{
	uint8_t token[PING_TOKEN_LEN];

	while (ping_take(&net->sockets, which, token))
		for (struct ping **at = &net->pings; *at;)
			if (memcmp((*at)->token, token, sizeof(token)) == 0)
				end_ping(net, at, "");
			else
				at = &(*at)->next;
}

static void echo_4(struct loop_fd *io, uint32_t events _unused_)
{
	take_echoes(container_of(io, struct net, echo_io[0]), 0);
}

static void echo_6(struct loop_fd *io, uint32_t events _unused_)
{
	take_echoes(container_of(io, struct net, echo_io[1]), 1);
}

static void start_ping(struct net *net, uint32_t id, const struct probe_ask *ask)
{
	struct ping *p = mem_alloc(sizeof(*p));

	p->id = id;
	if (!ping_begin(p, ask->target, clock_mono_ms(), ask->timeout_ms)) {
		free(p);
		answer_probe(net, id, "no address");
		return;
	}
	p->next = net->pings;
	net->pings = p;
	net->count++;
	loop_arm(net->loop, &net->ping_timer, clock_mono_ms());
}

static bool cancel_ping(struct net *net, uint32_t id)
{
	for (struct ping **at = &net->pings; *at; at = &(*at)->next)
		if ((*at)->id == id) {
			end_ping(net, at, NULL);
			return true;
		}
	return false;
}

/* ---- core ---- */

static int start_probe(struct net *net, uint32_t id, struct bytes body, struct error *err)
{
	struct probe_ask ask;

	if (!probe_ask_get(&ask, body))
		return error_set(err, E_PEER, "a probe of another form");
	if (net->count >= NET_REQUESTS_MAX)
		answer_probe(net, id, "too many requests at once");
	else if (ask.kind == PROBE_TCP)
		start_tcp(net, id, &ask);
	else
		start_ping(net, id, &ask);
	return 0;
}

static int take_message(struct net *net, const struct ipc_msg *msg, struct error *err)
{
	if (msg->kind == IPC_HTTP)
		return start_transfer(net, msg->id, msg->body, err);
	if (msg->kind == IPC_HTTP_MORE) {
		give_credit(net, msg->id, msg->body);
		return 0;
	}
	if (msg->kind == IPC_PROBE)
		return start_probe(net, msg->id, msg->body, err);
	if (msg->kind != IPC_HTTP_CANCEL)
		return error_set(err, E_PEER, "message of kind %d", (int)msg->kind);
	if (!cancel_transfer(net, msg->id) && !cancel_knock(net, msg->id))
		(void)!cancel_ping(net, msg->id);
	return 0;
}

static void core_ready(struct loop_fd *io, uint32_t events)
{
	struct net *net = container_of(io, struct net, io);
	struct error err = { 0 };
	struct ipc_msg msg;
	int r = 0;

	/* without room for it nothing is changed: what waits to be sent is still waited for */
	if (events & EPOLLOUT) {
		r = ipc_flush(&net->ipc, &err);
		if (r >= 0)
			loop_change_fd(io, r == IPC_MORE ? EPOLLIN | EPOLLOUT : EPOLLIN);
	}
	if (r >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		r = ipc_fill(&net->ipc, &err);
		while (r == 0 && !net->why.code && (r = ipc_next(&net->ipc, &msg, &err)) == 0)
			r = take_message(net, &msg, &err);
	}
	if (r < 0)
		end(net, &err);
}

/* The handshake is over, or whatever it was: what follows is waiting, for an hour perhaps. */
static void rest_now(struct loop_timer *timer _unused_)
{
	rest();
}

static int watch(struct net *net, struct error *err)
{
	net->io = (struct loop_fd){ .fd = net->ipc.fd, .ready = core_ready };
	net->ping_timer.fire = drive_pings;
	net->rest.fire = rest_now;
	loop_arm(net->loop, &net->rest, clock_mono_ms() + REST_MS);
	for (int i = 0; i < 2; i++) {
		net->echo_io[i] = (struct loop_fd){ .fd = net->sockets.fd[i], .ready = i ? echo_6 : echo_4 };
		if (net->sockets.fd[i] >= 0 && loop_add_fd(net->loop, &net->echo_io[i], EPOLLIN, err) < 0)
			return err->code;
	}
	return loop_add_fd(net->loop, &net->io, EPOLLIN, err);
}

static int serve(struct net *net, int fd, struct error *err)
{
	if (loop_new(&net->loop, err) < 0)
		return err->code;
	net->names = names_new(net->loop);
	net->exchanges = exchanges_new(net->loop, net->names, net->tls);
	ipc_init(&net->ipc, fd);
	if (watch(net, err) < 0 || loop_run(net->loop, err) < 0)
		return err->code;
	*err = net->why;
	return err->code;
}

static void net_done(struct net *net)
{
	while (net->transfers)
		transfer_end(net->transfers);
	while (net->knocks)
		knock_end(net->knocks);
	while (net->pings)
		end_ping(net, &net->pings, NULL);
	net->exchanges = exchanges_free(net->exchanges);
	net->names = names_free(net->names);
	net->tls = tls_free(net->tls);
	net->loop = loop_free(net->loop);
	ping_close(&net->sockets);
	ipc_done(&net->ipc);
}

int net_main(int fd, int parent, const char *user)
{
	struct error err = { 0 };
	struct net net = { 0 };

	signal(SIGPIPE, SIG_IGN);
	ping_open(&net.sockets);
	/* the library is read as whoever may read it, and before anything may not be done any more */
	if (tls_new(&net.tls, &err) < 0) {
		log_failure(LOG_ERROR, "net-without-tls", &err);
		return 1;
	}
	if (confine_child(parent, &err) < 0 || confine_user(user, &err) < 0 || confine_net(&err) < 0) {
		log_failure(LOG_ERROR, "net-unconfined", &err);
		return 1;
	}
	if (serve(&net, fd, &err) < 0)
		log_debug("net-ends why=\"%s\"", err.text);
	net_done(&net);
	return 0;
}
