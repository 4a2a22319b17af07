/* tests/bench/agents.h -- thousands of agents in one process: a TLS 1.3 client each, over one epoll set, in one thread.
 *
 * It does not look at the server's certificate, which would cost the machine more than the server's own work: it measures, and proves
 * nothing. One call is under way per agent. What is to be posted next, the caller says when an answer came.
 *
 * A round-trip time is played where the kernel has no tc-netem(8): an agent notices whatever its socket has to say (connected, bytes,
 * closed) that much later. So between what the server sends and what it gets for it lies a round trip, as on a long line. Windows and
 * losses of TCP are not played. */
#pragma once

#include "base/bytes.h"

#include <gnutls/gnutls.h>

enum agent_state { AGENT_AWAY, AGENT_CONNECTING, AGENT_HANDSHAKING, AGENT_IDLE, AGENT_SENDING, AGENT_WAITING };

struct agent {
	size_t index;
	enum agent_state state;
	int fd;
	gnutls_session_t tls;
	struct buf out, in;
	size_t sent;
	uint64_t due_ms;  /* away: when it tries to connect; 0: not at all */
	uint64_t asked_us, answered_us;
	unsigned tries;   /* since it was last there */
	uint32_t events;  /* of its socket: what it asks for, */
	uint32_t noticed; /* and what it will have noticed at notice_ms, when it is on the list of those */
	uint64_t notice_ms;
	struct agent *next, **at;
};

struct agents;
struct agents_calls {
	/* The handshake is done; or the agent has been lost: closed or refused by the server. */
	void (*here)(void *ctx, struct agent *agent);
	void (*lost)(void *ctx, struct agent *agent);
	void (*answered)(void *ctx, struct agent *agent, unsigned status, struct bytes head, struct bytes body);
	void *ctx;
};

/* port on 127.0.0.1; the agents come from many addresses of 127.0.0.0/8, 500 from each. Ends the program when it cannot. */
struct agents *agents_new(size_t count, unsigned port, const struct agents_calls *calls);
void agents_free(struct agents *agents);
void agents_set_rtt(struct agents *agents, unsigned rtt_ms); /* before any connects; 0, as at first: as fast as the machine is */
struct agent *agents_at(struct agents *agents, size_t i);

void agent_connect(struct agents *agents, struct agent *agent); /* at once */
void agent_connect_at(struct agents *agents, struct agent *agent, uint64_t at_ms); /* clock_mono_ms() */
/* Posts; the agent must be idle. method and path: "POST /v1/poll". more: further header lines, each with its line end. */
void agent_ask(struct agents *agents, struct agent *agent, const char *method, const char *more, struct bytes body);
/* Sends one byte and asks nothing. */
void agent_drip(struct agents *agents, struct agent *agent, char byte);
/* Closes without a word, as a machine does that loses its power. */
void agent_vanish(struct agents *agents, struct agent *agent);

void agents_step(struct agents *agents, int timeout_ms);
size_t agents_in(const struct agents *agents, enum agent_state state);
uint64_t now_us(void);
uint64_t own_cpu_us(void); /* of this thread: what other work takes from the machine is not in it */
/* What one side of a session over TCP pays to take a record of so many bytes and to answer with one, the socket included; in microseconds.
 */
double agents_tls_us(size_t request, size_t answer, size_t rounds);
