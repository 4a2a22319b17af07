/* agent/dial.h -- a TCP connection to "host:port": its name becomes addresses, which are tried one after the other. */
#pragma once

#include "agent/names.h"

struct dial {
	/* Once: with a connected descriptor, which is the receiver's then, or with -1 and why not. The dial is over. */
	void (*done)(struct dial *dial, int fd, const char *why);
	struct names *names;
	struct loop *loop;
	char host[NAMES_HOST_MAX], port[NAMES_PORT_MAX];
	struct name_ask ask;
	struct address addresses[NAMES_ADDRESSES_MAX];
	size_t count, at;
	uint64_t until_ms;
	struct loop_fd io;
	struct loop_timer turn; /* an address that does not answer leaves time for the others */
	char why[NAMES_HOST_MAX + 150]; /* what the newest try ran into */
};

/* done() may be called before this returns. until_ms: on clock_mono_ms(), shared out among the addresses. */
void dial_begin(struct dial *dial, struct loop *loop, struct names *names, const char *address, uint64_t until_ms);
/* done() is not called any more. Fine when it is over, or was never begun. */
void dial_stop(struct dial *dial);
