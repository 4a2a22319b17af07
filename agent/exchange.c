/* agent/exchange.c -- requests and their answers over HTTPS, and the connections under them. */
#include "agent/exchange.h"

#include "base/clock.h"
#include "base/fs.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { PIECES_AT_ONCE = 64, KEEPALIVE_S = 60, KEEPALIVE_LEAST_S = 10, PROBES = 4, PROBE_EVERY_S = 10, UNHEARD_MS = 60000, BACK_MS = 60000 };

struct conn {
	struct conn *next;
	struct exchanges *all;
	char address[EXCHANGE_ADDRESS_MAX];
	uint8_t pins[EXCHANGE_PINS_MAX][TLS_PIN_LEN];
	size_t pin_count;
	struct dial dial;
	struct loop_fd io; /* fd -1: not connected yet */
	struct loop_timer idle, unheard;
	unsigned keepalive_s;
	struct tls_session *tls;
	struct exchange *exchange; /* NULL: it is kept for the next one */
	size_t sent;
	bool is_ready, was_used;
};

struct exchanges {
	struct loop *loop;
	struct names *names;
	struct tls *tls;
	unsigned keepalive_most_s; /* what was learned; 0: nothing */
	uint64_t lost_ms;          /* when a silent connection was found to be lost; 0: when that says nothing any more */
	struct conn *conns;
	size_t kept;
	size_t held; /* bytes of answers that are not whole yet */
};

struct exchanges *exchanges_new(struct loop *loop, struct names *names, struct tls *tls)
{
	struct exchanges *all = mem_alloc(sizeof(*all));

	*all = (struct exchanges){ .loop = loop, .names = names, .tls = tls };
	return all;
}

static void conn_free(struct conn *c)
{
	for (struct conn **at = &c->all->conns; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	c->all->kept -= !c->exchange;
	dial_stop(&c->dial);
	loop_disarm(&c->idle);
	loop_disarm(&c->unheard);
	loop_remove_fd(&c->io);
	tls_end(c->tls);
	fd_closep(&c->io.fd);
	free(c);
}

struct exchanges *exchanges_free(struct exchanges *all)
{
	while (all && all->conns)
		conn_free(all->conns);
	free(all);
	return NULL;
}

/* ---- how an exchange ends ---- */

static void let_go(struct exchange *x)
{
	loop_disarm(&x->timer);
	if (x->all)
		x->all->held -= x->held;
	x->held = 0;
}

void exchange_done(struct exchange *x)
{
	let_go(x);
	if (x->conn)
		conn_free(x->conn);
	x->conn = NULL;
	http_reader_done(&x->reader);
	buf_done(&x->request);
	buf_done(&x->answer);
}

/* ---- silence ---- */

/* Nothing was confirmed since longer than the connection may be silent: not even a probe. A server that hangs up, or is started anew, says
 * so. */
static void note_lost(struct conn *c)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (c->is_ready && getsockopt(c->io.fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	    info.tcpi_last_ack_recv >= c->keepalive_s * 1000) {
		c->all->lost_ms = clock_mono_ms();
		c->all->keepalive_most_s = c->keepalive_s; /* until it is known whether the server is there */
	}
}

/* A new connection: was it only the old one that was lost? */
static void note_back(struct exchanges *all)
{
	if (all->lost_ms && clock_mono_ms() - all->lost_ms <= BACK_MS && all->keepalive_most_s / 2 >= KEEPALIVE_LEAST_S)
		all->keepalive_most_s /= 2;
	all->lost_ms = 0;
}

static void probe_when_silent(struct conn *c, unsigned seconds)
{
	int on = 1, every = PROBE_EVERY_S, probes = PROBES, idle;

	c->keepalive_s = seconds ? seconds : KEEPALIVE_S;
	if (c->all->keepalive_most_s && c->all->keepalive_most_s < c->keepalive_s)
		c->keepalive_s = c->all->keepalive_most_s;
	idle = (int)c->keepalive_s;
	setsockopt(c->io.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(c->io.fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(c->io.fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
	setsockopt(c->io.fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static void start(struct exchange *x);

static void fail(struct exchange *x, const char *why)
{
	struct conn *c = x->conn;
	bool is_stale = c && c->was_used && !x->reader.has_begun && !x->is_again;

	x->conn = NULL;
	if (is_stale) {
		x->is_again = true;
		conn_free(c);
		start(x);
		return;
	}
	let_go(x);
	/* the words may be the connection's */
	x->done(x, why);
	if (c)
		conn_free(c);
}

static void idle_over(struct loop_timer *timer)
{
	struct conn *c = container_of(timer, struct conn, idle);

	tls_close(c->tls);
	conn_free(c);
}

/* The answer is whole. is_clean: nothing came behind it. */
static void succeed(struct conn *c, bool is_clean)
{
	struct exchange *x = c->exchange;
	bool is_kept = x->reader.is_kept && is_clean && !x->is_fresh && c->sent == x->request.len && c->all->kept < EXCHANGE_KEPT_MAX;

	x->conn = NULL;
	let_go(x);
	if (is_kept) {
		c->exchange = NULL;
		loop_disarm(&c->unheard);
		c->all->kept++;
		c->was_used = true;
		loop_change_fd(&c->io, EPOLLIN);
		loop_arm(c->all->loop, &c->idle, clock_mono_ms() + EXCHANGE_KEPT_MS);
	} else {
		tls_close(c->tls);
		conn_free(c);
	}
	x->done(x, NULL);
}

static void is_late(struct loop_timer *timer)
{
	struct exchange *x = container_of(timer, struct exchange, timer);

	if (x->is_sinking && clock_mono_ms() < x->until_ms) { /* something came meanwhile */
		loop_arm(x->all->loop, timer, x->until_ms);
		return;
	}
	x->is_again = true; /* there is no time for another try */
	fail(x, x->conn && x->conn->is_ready ? "no answer in time" : "no connection in time");
}

/* ---- a connection at work ---- */

/* A request that nobody confirms for so long went nowhere, however long its answer may take. */
static void is_unheard(struct loop_timer *timer)
{
	struct conn *c = container_of(timer, struct conn, unheard);
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(c->io.fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_unacked && info.tcpi_last_ack_recv >= UNHEARD_MS) {
		c->exchange->is_again = true;
		fail(c->exchange, "nothing that is sent is confirmed");
	}
}

static int send_more(struct conn *c, struct error *err)
{
	while (c->sent < c->exchange->request.len) {
		ssize_t n = tls_send(c->tls, bytes_from(buf_bytes(&c->exchange->request), c->sent), err);

		if (n <= 0)
			return (int)n;
		c->sent += (size_t)n;
	}
	return 0;
}

static size_t room_of(const struct exchange *x)
{
	size_t own = EXCHANGE_ANSWER_MAX - x->answer.len, all = EXCHANGE_HELD_MAX - x->all->held;

	return own < all ? own : all;
}

enum { ANSWER_WHOLE, ANSWER_MORE, ANSWER_TRAILED, ANSWER_PAUSED };

/* Hands on what came of a body that is not collected. */
static int pour(struct exchange *x, struct error *err)
{
	if (!x->is_sinking && !x->sink->begin(x))
		return error_set(err, E_PEER, "a part of an answer, and not which");
	x->is_sinking = true;
	if (x->answer.len && !x->sink->take(x, buf_bytes(&x->answer)))
		return error_set(err, E_LIMIT, "more than was asked for");
	buf_truncate(&x->answer, 0);
	x->until_ms = clock_mono_ms() + x->timeout_ms;
	return 0;
}

static int take_piece(struct exchange *x, struct bytes piece, struct error *err)
{
	size_t had = x->answer.len, used = 0;
	int r;

	if (!piece.len)
		return http_read_end(&x->reader, err) < 0 ? err->code : ANSWER_WHOLE;
	r = http_read(&x->reader, piece, &used, &x->answer, room_of(x), err);
	if (r >= 0 && http_is_streaming(&x->reader) && pour(x, err) < 0)
		return err->code;
	x->held += x->answer.len - had;
	x->all->held += x->answer.len - had;
	if (r < 0)
		return r;
	return r == HTTP_MORE ? ANSWER_MORE : used == piece.len ? ANSWER_WHOLE : ANSWER_TRAILED;
}

/* At most so much at a time: one server that never ends does not keep the others waiting. But nothing is left in the library, since no
 * event of the descriptor would tell of it. */
static int receive_more(struct conn *c, struct error *err)
{
	uint8_t piece[EXCHANGE_PIECE];

	for (int i = 0; i < PIECES_AT_ONCE || tls_is_pending(c->tls); i++) {
		size_t len = 0;
		int r;

		if (c->exchange->is_sinking && !c->exchange->sink->has_room(c->exchange))
			return ANSWER_PAUSED;
		r = tls_receive(c->tls, piece, sizeof(piece), &len, err);

		if (r == 0)
			r = take_piece(c->exchange, bytes_of(piece, len), err);
		else if (r == TLS_READ)
			return ANSWER_MORE;
		if (r != ANSWER_MORE)
			return r;
	}
	return ANSWER_MORE;
}

/* Not watched at all: an end of the connection that cannot be read yet would be told again and again. */
static void pause(struct conn *c)
{
	c->exchange->is_paused = true;
	loop_disarm(&c->exchange->timer);
	loop_remove_fd(&c->io);
}

static void work(struct conn *c)
{
	struct exchange *x = c->exchange;
	struct error err = { 0 }, unsent = { 0 };
	/* a server that says no before it has read everything hangs up: what it said is worth more than that */
	int s = send_more(c, &unsent), r = receive_more(c, &err);

	if (r == ANSWER_WHOLE || r == ANSWER_TRAILED) {
		succeed(c, r == ANSWER_WHOLE);
	} else if (r < 0 || s < 0) {
		note_lost(c);
		fail(x, r < 0 ? err.text : unsent.text);
	} else if (r == ANSWER_PAUSED) {
		pause(c);
	} else {
		loop_change_fd(&c->io, c->sent < x->request.len ? EPOLLIN | EPOLLOUT : EPOLLIN);
	}
}

/* Nothing comes unasked but the end, or a message of TLS that is none of ours. */
static void rest(struct conn *c)
{
	struct error ignored;
	uint8_t piece[1];
	size_t len;

	if (tls_receive(c->tls, piece, sizeof(piece), &len, &ignored) != TLS_READ)
		conn_free(c);
}

static void arm(struct exchange *x, bool is_connecting)
{
	uint64_t until = clock_mono_ms() + EXCHANGE_CONNECT_MS;

	x->timer.fire = is_late;
	loop_arm(x->all->loop, &x->timer, is_connecting && until < x->until_ms ? until : x->until_ms);
}

static void ready(struct loop_fd *io, uint32_t events _unused_)
{
	struct conn *c = container_of(io, struct conn, io);
	struct error err = { 0 };
	int r = c->is_ready ? 0 : tls_handshake(c->tls, &err);

	if (r < 0) {
		fail(c->exchange, err.text);
		return;
	}
	if (r > 0) {
		loop_change_fd(io, r == TLS_WRITE ? EPOLLOUT : EPOLLIN);
		return;
	}
	if (!c->is_ready) {
		loop_arm(c->all->loop, &c->unheard, clock_mono_ms() + UNHEARD_MS);
		arm(c->exchange, false);
	}
	c->is_ready = true;
	if (!c->exchange)
		rest(c);
	else
		work(c);
}

void exchange_resume(struct exchange *x)
{
	struct error err = { 0 };

	if (!x->is_paused || !x->sink->has_room(x))
		return;
	x->is_paused = false;
	x->until_ms = clock_mono_ms() + x->timeout_ms;
	arm(x, false);
	/* writable as it is, it is worked on at once: what the library holds already makes no event */
	if (loop_add_fd(x->all->loop, &x->conn->io, EPOLLIN | EPOLLOUT, &err) < 0)
		fail(x, err.text);
}

/* ---- and how it comes about ---- */

static void connected(struct dial *dial, int fd, const char *why)
{
	struct conn *c = container_of(dial, struct conn, dial);
	struct error err = { 0 };

	if (fd < 0) {
		fail(c->exchange, why);
		return;
	}
	c->io.fd = fd;
	c->io.ready = ready;
	note_back(c->all);
	probe_when_silent(c, c->exchange->keepalive_s);
	c->tls = tls_begin(c->all->tls, fd, dial->host, (const uint8_t(*)[TLS_PIN_LEN])c->pins, c->pin_count);
	if (loop_add_fd(c->all->loop, &c->io, EPOLLOUT, &err) < 0)
		fail(c->exchange, err.text);
}

static struct conn *kept_for(const struct exchange *x)
{
	for (struct conn *c = x->all->conns; c; c = c->next)
		if (!c->exchange && !strcmp(c->address, x->address) && c->pin_count == x->pin_count &&
		    memcmp(c->pins, x->pins, x->pin_count * TLS_PIN_LEN) == 0)
			return c;
	return NULL;
}

static struct conn *conn_new(struct exchange *x)
{
	struct conn *c = mem_alloc(sizeof(*c));

	c->all = x->all;
	c->io.fd = -1;
	memcpy(c->address, x->address, sizeof(c->address));
	memcpy(c->pins, x->pins, sizeof(c->pins));
	c->pin_count = x->pin_count;
	c->idle.fire = idle_over;
	c->dial.done = connected;
	c->next = c->all->conns;
	c->all->conns = c;
	return c;
}

static void start(struct exchange *x)
{
	struct conn *c = x->is_fresh || x->is_again ? NULL : kept_for(x);

	if (c) {
		c->all->kept--;
		loop_disarm(&c->idle);
		loop_change_fd(&c->io, EPOLLIN | EPOLLOUT);
		probe_when_silent(c, x->keepalive_s);
	} else {
		c = conn_new(x);
	}
	c->exchange = x;
	c->sent = 0;
	x->conn = c;
	c->unheard.fire = is_unheard;
	if (c->is_ready)
		loop_arm(c->all->loop, &c->unheard, clock_mono_ms() + UNHEARD_MS);
	arm(x, !c->is_ready);
	if (!c->is_ready)
		dial_begin(&c->dial, c->all->loop, c->all->names, c->address, x->timer.due_ms);
}

void exchange_begin(struct exchange *x, struct exchanges *all, uint64_t timeout_ms)
{
	x->all = all;
	x->timeout_ms = timeout_ms;
	x->until_ms = clock_mono_ms() + timeout_ms;
	x->reader.is_stream = x->sink != NULL;
	start(x);
}
