/* agent/ping.h -- ICMP echo (RFC 792, RFC 4443), for the process that speaks to the network.
 *
 * The sockets are opened before it gives up its privileges. An answer is known by 16 random bytes in it, so it does not matter whose other
 * answers a raw socket sees. A request is sent once a second until an answer comes or time is over. */
#pragma once

#include "base/bytes.h"

#include <netinet/in.h>

enum { PING_TOKEN_LEN = 16, PING_AGAIN_MS = 1000 };

struct ping_sockets {
	int fd[2];      /* IPv4, IPv6; -1: there is none */
	bool is_raw[2];
};

struct ping {
	struct ping *next;
	uint32_t id; /* whoever asked */
	struct sockaddr_storage to;
	socklen_t to_len;
	uint8_t token[PING_TOKEN_LEN];
	uint16_t count;
	uint64_t again_ms, deadline_ms;
	const char *why; /* what the newest sending ran into; NULL: nothing */
};

void ping_open(struct ping_sockets *out);
void ping_close(struct ping_sockets *s);
/* False when the target is no address. */
bool ping_begin(struct ping *p, const char *target, uint64_t now_ms, uint32_t timeout_ms);
/* Sends when it is time to. */
void ping_send(const struct ping_sockets *s, struct ping *p, uint64_t now_ms);
/* Takes one packet off a socket; false when there is none. token: of an echo reply, zero for anything else. */
bool ping_take(const struct ping_sockets *s, int which, uint8_t token[static PING_TOKEN_LEN]);
