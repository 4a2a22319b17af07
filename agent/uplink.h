/* agent/uplink.h -- one device and the server: posts what is spooled in order, what piled up in rows, holds a poll, takes what it brings.
 *
 * One post and one poll are under way at a time. The server's word counts as far as it verifies (agent/state.h). Waiting times
 * double up to five minutes and are spread at random, so that a fleet does not come back all at once. */
#pragma once

#include "agent/net.h"
#include "base/loop.h"

struct duty;

struct uplink {
	uint32_t post_id, poll_id; /* 0: none under way */
	uint64_t post_first, post_last, poll_began_ms;
	uint64_t alone_to; /* up to this number one at a time: the server refused a row of them, or does not know rows */
	struct loop_timer post_retry, poll_retry;
	unsigned post_failures, poll_failures, attempt;
	bool is_post_lost, is_poll_lost; /* the last one was not answered at all */
	unsigned poll_idle; /* answers in a row that came at once and brought nothing */
	unsigned poll_refused; /* answers in a row that were not believed */
	uint32_t window_s;
	bool is_forked;       /* the server has another statement of one of our numbers: nothing more is sent */
	char trouble[200];    /* what the server refused, or how it lied; "" */
	char unreached[160];  /* why, when that was last said: another reason is news */
	char polled_as[640];  /* what the status under way says, to notice when it is out of date */
};

/* Does what is to be done and possible now: posts, polls. Call it whenever something changed. */
void uplink_kick(struct duty *d);
/* A poll that begins now, in place of one that is under way: what that one brings says too little. */
void uplink_repoll(struct duty *d);
/* An answer of net. False: it is not this device's. */
bool uplink_answer(struct duty *d, uint32_t id, const struct http_answer *answer);
/* net died: nothing that is under way will be answered. */
void uplink_lost(struct duty *d);
void uplink_stop(struct duty *d);
