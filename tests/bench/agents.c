/* tests/bench/agents.c -- thousands of agents in one process. */
#include "tests/bench/agents.h"

#include "agent/tls-offer.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PER_ADDRESS = 500, EVENTS = 256, PART = 16 << 10, CONNECTS_AT_ONCE = 500, CONNECTS_PER_RTT_MS = 20 };

struct agents {
	struct agent *agents;
	size_t count, in[AGENT_WAITING + 1];
	unsigned port;
	int epoll;
	unsigned rtt_ms;
	struct agent *first, **last; /* those that notice something, in the order of their times */
	struct agents_calls calls;
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
};

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void enter(struct agents *a, struct agent *agent, enum agent_state state)
{
	a->in[agent->state]--;
	agent->state = state;
	a->in[state]++;
}

struct agents *agents_new(size_t count, unsigned port, const struct agents_calls *calls)
{
	struct agents *a = mem_alloc(sizeof(*a));

	*a = (struct agents){ .agents = mem_alloc(count * sizeof(*a->agents)), .count = count, .port = port, .calls = *calls };
	a->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (a->epoll < 0)
		die("epoll_create1");
	gnutls_certificate_allocate_credentials(&a->credentials);
	if (gnutls_priority_init(&a->priority, TLS_OFFER, NULL) < 0)
		die("priorities");
	for (size_t i = 0; i < count; i++)
		a->agents[i] = (struct agent){ .index = i, .fd = -1 };
	a->in[AGENT_AWAY] = count;
	a->last = &a->first;
	return a;
}

void agents_set_rtt(struct agents *a, unsigned rtt_ms)
{
	a->rtt_ms = rtt_ms;
}

/* ---- what an agent notices later ---- */

static void put_off(struct agents *a, struct agent *agent, uint32_t events)
{
	agent->noticed = agent->at ? agent->noticed | events : events;
	if (agent->at)
		return;
	agent->notice_ms = clock_mono_ms() + a->rtt_ms;
	agent->next = NULL;
	agent->at = a->last;
	*a->last = agent;
	a->last = &agent->next;
}

static void take_off(struct agents *a, struct agent *agent)
{
	if (!agent->at)
		return;
	*agent->at = agent->next;
	if (agent->next)
		agent->next->at = agent->at;
	else
		a->last = agent->at;
	agent->at = NULL;
}

/* ---- connections ---- */

static void drop(struct agents *a, struct agent *agent)
{
	take_off(a, agent);
	if (agent->tls)
		gnutls_deinit(agent->tls);
	if (agent->fd >= 0)
		close(agent->fd);
	agent->tls = NULL;
	agent->fd = -1;
	agent->sent = 0;
	agent->due_ms = 0;
	buf_done(&agent->out);
	buf_done(&agent->in);
	enter(a, agent, AGENT_AWAY);
}

void agents_free(struct agents *a)
{
	for (size_t i = 0; i < a->count; i++)
		drop(a, &a->agents[i]);
	gnutls_certificate_free_credentials(a->credentials);
	gnutls_priority_deinit(a->priority);
	close(a->epoll);
	free(a->agents);
	free(a);
}

struct agent *agents_at(struct agents *a, size_t i)
{
	return &a->agents[i];
}

size_t agents_in(const struct agents *a, enum agent_state state)
{
	return a->in[state];
}

static void lose(struct agents *a, struct agent *agent)
{
	drop(a, agent);
	a->calls.lost(a->calls.ctx, agent);
}

static void watch(struct agents *a, struct agent *agent, uint32_t events, int how)
{
	/* what it will notice later must not be told time and again until then */
	struct epoll_event event = { .events = events | (a->rtt_ms ? EPOLLONESHOT : 0), .data.ptr = agent };

	agent->events = events;
	if (epoll_ctl(a->epoll, how, agent->fd, &event) < 0)
		die("epoll_ctl");
}

void agent_connect_at(struct agents *a _unused_, struct agent *agent, uint64_t at_ms)
{
	agent->due_ms = at_ms ? at_ms : 1;
}

void agent_connect(struct agents *a, struct agent *agent)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)a->port) };
	int one = 1;

	agent->due_ms = 0;
	agent->tries++;
	agent->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (agent->fd < 0)
		die("socket");
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + (uint32_t)(agent->index / PER_ADDRESS));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(agent->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	setsockopt(agent->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(agent->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		die("bind");
	enter(a, agent, AGENT_CONNECTING);
	if (connect(agent->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS) {
		lose(a, agent);
		return;
	}
	watch(a, agent, EPOLLOUT, EPOLL_CTL_ADD);
}

void agent_vanish(struct agents *a, struct agent *agent)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (agent->fd >= 0)
		setsockopt(agent->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	drop(a, agent);
}

/* What has come is taken in one call, and not a record's head and body in one each: all the machines that are played here share two cores
 * with the server. Whoever reads goes on until nothing is left, so one place serves all. */
static struct {
	uint8_t bytes[PART];
	size_t at, len;
	bool is_open; /* only while an answer is read */
	bool is_dry;  /* the last call took all there was */
} ahead;

static ssize_t pull(gnutls_transport_ptr_t fd, void *out, size_t size)
{
	size_t n;

	if (!ahead.is_open)
		return recv((int)(intptr_t)fd, out, size, 0);
	if (ahead.at == ahead.len) {
		ssize_t got = ahead.is_dry ? -1 : recv((int)(intptr_t)fd, ahead.bytes, sizeof(ahead.bytes), 0);

		if (ahead.is_dry)
			errno = EAGAIN;
		if (got <= 0)
			return got;
		ahead.at = 0;
		ahead.len = (size_t)got;
		ahead.is_dry = ahead.len < sizeof(ahead.bytes);
	}
	n = size < ahead.len - ahead.at ? size : ahead.len - ahead.at;
	memcpy(out, ahead.bytes + ahead.at, n);
	ahead.at += n;
	return (ssize_t)n;
}

static void read_ahead(bool on)
{
	ahead.at = ahead.len = 0;
	ahead.is_dry = false;
	ahead.is_open = on;
}

static void begin_handshake(struct agents *a, struct agent *agent)
{
	gnutls_init(&agent->tls, TLS_OFFER_FLAGS);
	gnutls_priority_set(agent->tls, a->priority);
	gnutls_credentials_set(agent->tls, GNUTLS_CRD_CERTIFICATE, a->credentials);
	gnutls_transport_set_int(agent->tls, agent->fd);
	gnutls_transport_set_pull_function(agent->tls, pull);
	enter(a, agent, AGENT_HANDSHAKING);
}

static bool is_later(int r)
{
	return r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED;
}

static void go_on_handshaking(struct agents *a, struct agent *agent)
{
	int r = gnutls_handshake(agent->tls);

	if (r == 0) {
		enter(a, agent, AGENT_IDLE);
		agent->tries = 0;
		watch(a, agent, EPOLLIN, EPOLL_CTL_MOD);
		a->calls.here(a->calls.ctx, agent);
	} else if (is_later(r)) {
		watch(a, agent, gnutls_record_get_direction(agent->tls) ? EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
	} else {
		lose(a, agent);
	}
}

static void go_on_sending(struct agents *a, struct agent *agent)
{
	while (agent->sent < agent->out.len) {
		ssize_t n = gnutls_record_send(agent->tls, agent->out.ptr + agent->sent, agent->out.len - agent->sent);

		if (is_later((int)n)) {
			watch(a, agent, EPOLLOUT | EPOLLIN, EPOLL_CTL_MOD);
			return;
		}
		if (n < 0) {
			lose(a, agent);
			return;
		}
		agent->sent += (size_t)n;
	}
	buf_done(&agent->out);
	agent->sent = 0;
	enter(a, agent, AGENT_WAITING);
	watch(a, agent, EPOLLIN, EPOLL_CTL_MOD);
}

void agent_ask(struct agents *a, struct agent *agent, const char *method, const char *more, struct bytes body)
{
	buf_addf(&agent->out, "%s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n", method, more, body.len);
	buf_add_bytes(&agent->out, body);
	agent->asked_us = now_us();
	enter(a, agent, AGENT_SENDING);
	go_on_sending(a, agent);
}

void agent_drip(struct agents *a, struct agent *agent, char byte)
{
	ssize_t n = agent->state == AGENT_IDLE ? gnutls_record_send(agent->tls, &byte, 1) : 1;

	if (n < 0 && !is_later((int)n))
		lose(a, agent);
}

/* Is the answer whole? *body_at, *len: where its body is. */
static bool is_whole(struct agent *agent, size_t *body_at, size_t *len)
{
	const char *text = buf_text(&agent->in), *end, *field;

	end = agent->in.len ? strstr(text, "\r\n\r\n") : NULL;
	field = end ? strcasestr(text, "\r\nContent-Length:") : NULL;
	if (!field || field > end)
		return false;
	*body_at = (size_t)(end - text) + 4;
	*len = strtoull(field + 17, NULL, 10);
	return agent->in.len >= *body_at + *len;
}

static void take_answer(struct agents *a, struct agent *agent)
{
	struct buf in;
	size_t body_at, len;

	if (agent->state != AGENT_WAITING || !is_whole(agent, &body_at, &len))
		return;
	in = agent->in;
	agent->in = (struct buf){ 0 };
	agent->answered_us = now_us();
	enter(a, agent, AGENT_IDLE);
	a->calls.answered(a->calls.ctx, agent, (unsigned)strtoul((const char *)in.ptr + 9, NULL, 10), bytes_of(in.ptr, body_at),
			  bytes_of(in.ptr + body_at, len));
	buf_done(&in);
}

static void go_on_reading(struct agents *a, struct agent *agent)
{
	static uint8_t part[PART];
	ssize_t n = 0;

	read_ahead(true);
	do { /* behind a message of the handshake, as a ticket is, it says "later" while there is more */
		n = gnutls_record_recv(agent->tls, part, sizeof(part));
		if (n > 0)
			buf_add(&agent->in, part, (size_t)n);
	} while (n > 0 || (is_later((int)n) && ahead.at < ahead.len));
	read_ahead(false);
	if (is_later((int)n))
		take_answer(a, agent);
	else
		lose(a, agent);
}

static void go_on(struct agents *a, struct agent *agent, uint32_t events)
{
	if (agent->state == AGENT_CONNECTING) {
		if (events & (EPOLLERR | EPOLLHUP)) {
			lose(a, agent);
			return;
		}
		begin_handshake(a, agent);
	}
	if (agent->state == AGENT_HANDSHAKING)
		go_on_handshaking(a, agent);
	else if (agent->state == AGENT_SENDING)
		go_on_sending(a, agent);
	else if (agent->state != AGENT_AWAY)
		go_on_reading(a, agent);
}

static void connect_due(struct agents *a)
{
	uint64_t now = clock_mono_ms();
	size_t most = CONNECTS_AT_ONCE + (size_t)a->rtt_ms * CONNECTS_PER_RTT_MS;

	for (size_t i = 0; i < a->count; i++)
		if (a->agents[i].due_ms && a->agents[i].due_ms <= now && a->in[AGENT_CONNECTING] + a->in[AGENT_HANDSHAKING] < most)
			agent_connect(a, &a->agents[i]);
}

static void notice(struct agents *a, struct agent *agent)
{
	take_off(a, agent);
	go_on(a, agent, agent->noticed);
	if (agent->fd >= 0 && !agent->at)
		watch(a, agent, agent->events, EPOLL_CTL_MOD);
}

static int until_notice_ms(const struct agents *a, int timeout_ms)
{
	uint64_t now = clock_mono_ms(), due = a->first ? a->first->notice_ms : now + (uint64_t)timeout_ms;

	return due <= now ? 0 : due - now < (uint64_t)timeout_ms ? (int)(due - now) : timeout_ms;
}

void agents_step(struct agents *a, int timeout_ms)
{
	struct epoll_event events[EVENTS];
	int n;

	connect_due(a);
	n = epoll_wait(a->epoll, events, EVENTS, until_notice_ms(a, timeout_ms));
	for (int i = 0; i < n; i++) {
		if (a->rtt_ms)
			put_off(a, events[i].data.ptr, events[i].events);
		else
			go_on(a, events[i].data.ptr, events[i].events);
	}
	while (a->first && a->first->notice_ms <= clock_mono_ms())
		notice(a, a->first);
}

/* ---- what TLS costs ---- */

static void must_do(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "agents: %s\n", what);
	exit(1);
}

#define ANONYMOUS(suite) "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:" suite ":-KX-ALL:+ECDHE-PSK:+DHE-PSK:+PSK"

static gnutls_session_t anonymous(unsigned flags, void *credentials, int fd)
{
	gnutls_session_t tls;

	gnutls_init(&tls, flags);
	must_do(gnutls_priority_set_direct(
			tls,
			cpu_has_aes() ? ANONYMOUS("+AES-128-GCM") : ANONYMOUS("+CHACHA20-POLY1305"),
			NULL) == 0,
		"priorities");
	gnutls_credentials_set(tls, GNUTLS_CRD_PSK, credentials);
	gnutls_transport_set_int(tls, fd);
	return tls;
}

static int give_key(gnutls_session_t tls _unused_, const char *name _unused_, gnutls_datum_t *key)
{
	key->size = 32;
	key->data = gnutls_malloc(key->size);
	memset(key->data, 7, key->size);
	return 0;
}

static void shake(gnutls_session_t a, gnutls_session_t b)
{
	int done_a = -1, done_b = -1;

	for (int i = 0; i < 100 && (done_a || done_b); i++) {
		done_a = done_a ? gnutls_handshake(a) : 0;
		done_b = done_b ? gnutls_handshake(b) : 0;
	}
	must_do(!done_a && !done_b, "no handshake");
}

static void pass(gnutls_session_t from, gnutls_session_t to, const uint8_t *bytes, size_t len)
{
	static uint8_t in[64 << 10];
	size_t got = 0;

	must_do(gnutls_record_send(from, bytes, len) == (ssize_t)len, "send");
	while (got < len) {
		ssize_t n = gnutls_record_recv(to, in, sizeof(in));

		must_do(n > 0 || is_later((int)n), "receive");
		got += n > 0 ? (size_t)n : 0;
	}
}

uint64_t own_cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Two ends of one connection, as a server and an agent have them. */
static void connect_both(int fd[static 2])
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	must_do(listener >= 0 && bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(listener, 1) == 0 &&
			getsockname(listener, (struct sockaddr *)&at, &len) == 0,
		"listen");
	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must_do(fd[0] >= 0 && connect(fd[0], (struct sockaddr *)&at, sizeof(at)) == 0, "connect");
	fd[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	must_do(fd[1] >= 0, "accept");
	close(listener);
	for (int i = 0; i < 2; i++) {
		setsockopt(fd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		must_do(fcntl(fd[i], F_SETFL, O_NONBLOCK) == 0, "fcntl");
	}
}

double agents_tls_us(size_t request, size_t answer, size_t rounds)
{
	static const uint8_t zeros[32 << 10];
	static const gnutls_datum_t key = { (unsigned char *)(uintptr_t) "0707070707070707070707070707070707070707070707070707070707070707",
					    64 };
	gnutls_psk_client_credentials_t client;
	gnutls_psk_server_credentials_t server;
	gnutls_session_t a, b;
	uint64_t begun;
	int fd[2];

	must_do(request <= sizeof(zeros) && answer <= sizeof(zeros), "too large");
	connect_both(fd);
	gnutls_psk_allocate_client_credentials(&client);
	gnutls_psk_set_client_credentials(client, "a", &key, GNUTLS_PSK_KEY_HEX);
	gnutls_psk_allocate_server_credentials(&server);
	gnutls_psk_set_server_credentials_function(server, give_key);
	a = anonymous(GNUTLS_CLIENT | GNUTLS_NONBLOCK, client, fd[0]);
	b = anonymous(GNUTLS_SERVER | GNUTLS_NONBLOCK, server, fd[1]);
	shake(a, b);
	begun = own_cpu_us();
	for (size_t i = 0; i < rounds; i++) {
		pass(a, b, zeros, request);
		pass(b, a, zeros, answer);
	}
	begun = own_cpu_us() - begun;
	gnutls_deinit(a);
	gnutls_deinit(b);
	gnutls_psk_free_client_credentials(client);
	gnutls_psk_free_server_credentials(server);
	close(fd[0]);
	close(fd[1]);
	return (double)begun / (double)rounds / 2;
}
