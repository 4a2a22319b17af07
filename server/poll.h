/* server/poll.h -- the call that a device waits in: what it says of itself, and what that brings it. */
#pragma once

#include "crypto/key.h"

struct call;
struct error;

/* What a waiting poll keeps of its status: parsed, that would take several times as much, ten thousand times. */
struct poll {
	uint64_t head, root, order; /* numbers */
	uint64_t seen;              /* size of the log that it has seen; 0: it names no checkpoint */
	uint8_t seen_tree[HASH_LEN];
	bool is_waiting; /* it asked to wait; else it is answered at once */
	uint64_t due_ms; /* clock_mono_ms() */
};

/* POST /v1/poll */
int poll_post(struct call *call, struct error *err);
