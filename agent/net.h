/* agent/net.h -- the process that speaks to the network: HTTPS to a pinned server, and nothing else.
 *
 * It holds no key and reaches no device; whatever it answers, core verifies. TLS 1.3, the server's public key pinned, no
 * certificate authorities, no redirects, no proxy from the environment. It can start no program and open no listening socket.
 *
 * It also makes the probes of orders that concern the network (agent/probe.h). */
#pragma once

#include "agent/ipc.h"

enum { NET_ADDRESS_MAX = 300, NET_PATH_MAX = 300, NET_PINS_MAX = 4, NET_REQUESTS_MAX = 1024 };

struct http_request {
	char address[NET_ADDRESS_MAX]; /* host:port */
	uint32_t pin_count;
	uint8_t pins[NET_PINS_MAX][32]; /* SHA-256 of the server's SPKI; at least one */
	char path[NET_PATH_MAX];        /* "/v1/..." */
	bool is_post;
	bool is_fresh;      /* over a connection that is made for it, and by a path that exists now */
	uint32_t keepalive_s; /* a connection this silent is probed; 0: after a minute */
	uint32_t timeout_s; /* for all of it; of a stream, without a byte; not 0 */
	bool is_stream;     /* a body of 200 or 206 comes in parts (agent/stream.h), and not in the answer */
	uint64_t from;      /* of a stream: the first byte that is wanted */
	struct bytes body;  /* POST only */
};

struct http_answer {
	bool is_answered;   /* false: no connection, or it broke; error says why */
	uint32_t status;
	uint32_t window_s;  /* Holdfast-Window, 0 when absent */
	uint32_t retry_s;   /* Retry-After, 0 when absent */
	char error[256];
	struct bytes body;
};

void http_request_put(struct buf *out, const struct http_request *req);
bool http_request_get(struct http_request *out, struct bytes in);
void http_answer_put(struct buf *out, const struct http_answer *ans);
bool http_answer_get(struct http_answer *out, struct bytes in);

/* The process: serves requests on fd until its other end closes. user: what to become when root. */
int net_main(int fd, int parent, const char *user);
