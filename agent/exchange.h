/* agent/exchange.h -- requests and their answers over HTTPS: connections that are kept, shared and given up.
 *
 * A connection serves one request after the other, to one address and the same pins. When a kept one turns out to be dead before a byte of
 * an answer came, the request goes once over a new one: what the agent posts may arrive twice.
 *
 * A waiting connection is silent, and what lies on the way (NAT, a firewall) may forget it without a word. So it is probed, as seldom as is
 * asked for, since each probe costs 104 bytes. When one is found to be lost while the server can be reached as ever, the way forgets sooner
 * than that: from then on it is probed twice as often. */
#pragma once

#include "agent/dial.h"
#include "agent/http.h"
#include "agent/tls.h"

enum {
	EXCHANGE_ADDRESS_MAX = 300,
	EXCHANGE_PINS_MAX = 4,
	EXCHANGE_ANSWER_MAX = 8 << 20,
	EXCHANGE_HELD_MAX = 64 << 20, /* of all answers that are not whole yet */
	EXCHANGE_CONNECT_MS = 15000,  /* until a connection is ready */
	EXCHANGE_PIECE = 4096,
	EXCHANGE_KEPT_MAX = 16,
	EXCHANGE_KEPT_MS = 20000,     /* a server of ours hangs up after 15 s */
};

struct conn;
struct exchanges;
struct exchange;

/* For the body of an answer of 200 or 206 that no memory should hold. */
struct exchange_sink {
	/* The head is there. False: nothing of the body can be used. */
	bool (*begin)(struct exchange *x);
	/* Will EXCHANGE_PIECE bytes be taken? False: the connection is not read until exchange_resume(). */
	bool (*has_room)(struct exchange *x);
	/* Takes all of it. False ends the exchange. */
	bool (*take)(struct exchange *x, struct bytes piece);
};

struct exchange {
	/* ---- set by whoever asks ---- */
	char address[EXCHANGE_ADDRESS_MAX]; /* host:port */
	uint8_t pins[EXCHANGE_PINS_MAX][TLS_PIN_LEN];
	size_t pin_count;
	bool is_fresh;      /* over a connection that is made for it */
	unsigned keepalive_s; /* a connection that is silent for so long is probed (TCP keep-alive); 0: after a minute */
	struct buf request; /* head and body; owned */
	const struct exchange_sink
		*sink; /* NULL: the body is collected. Else the time counts from the last byte, or from exchange_resume() */
	/* Once. why: NULL when there is a whole answer. The exchange may be freed in it. */
	void (*done)(struct exchange *x, const char *why);
	/* ---- the answer, as far as it is there ---- */
	struct http_reader reader;
	struct buf answer;
	/* ---- of this module ---- */
	struct exchanges *all;
	struct conn *conn;
	struct loop_timer timer;
	uint64_t timeout_ms, until_ms;
	size_t held;
	bool is_again, is_sinking, is_paused;
};

struct exchanges *exchanges_new(struct loop *loop, struct names *names, struct tls *tls);
struct exchanges *exchanges_free(struct exchanges *all); /* after its exchanges */

/* done() may be called before this returns. timeout_ms: for all of it. */
void exchange_begin(struct exchange *x, struct exchanges *all, uint64_t timeout_ms);
/* There is room again. Fine at any time. */
void exchange_resume(struct exchange *x);
/* Ends it, in whatever state, and frees what it owns; done() is not called any more. */
void exchange_done(struct exchange *x);
