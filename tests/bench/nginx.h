/* tests/bench/nginx.h -- what nginx needs for what the server was asked to do: idle connections, and handshakes with a post. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct nginx {
	pid_t master;
	unsigned port;
	size_t count, at_once; /* connections that idle; check-ins at a time */
	unsigned rtt_ms;       /* agents.h */
	uint64_t check_in_ms, patience_ms;
};

/* Prints its lines of the table; that of check-ins only when ours are more than 0. */
void nginx_compare(const struct nginx *nginx, double ours_per_s);
