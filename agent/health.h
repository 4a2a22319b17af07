/* agent/health.h -- one round of proving a change: is the server reached afresh, does every probe of the order hold?
 *
 * The server and the probes of the network are asked of net, all at once; what the device is to say, of apply, one after the other. */
#pragma once

#include "agent/net.h"
#include "agent/probe.h"

enum { HEALTH_TIMEOUT_MS = 5000, HEALTH_WHY_MAX = 400 };

struct duty;

struct health {
	bool is_running;
	uint64_t began_ms;
	uint32_t livez_id, probe_ids[PROBES_MAX]; /* 0: not asked, or answered */
	unsigned attempt;                         /* which of the server's addresses */
	unsigned open;                            /* answers that are missing */
	size_t next;                              /* the first probe that may be a `show` not yet asked */
	char why[HEALTH_WHY_MAX];                 /* the first failure; "" while there is none */
};

/* Begins a round for the order in hand. False when nothing can be asked now: why says so. */
bool health_begin(struct duty *d);
/* Asks apply for what the device is to say next, if it is free. */
void health_step(struct duty *d);
/* Answers. False: not of this round. */
bool health_http(struct duty *d, uint32_t id, const struct http_answer *answer);
bool health_probe(struct duty *d, uint32_t id, struct bytes why);
void health_said(struct duty *d, const struct error *failure, struct bytes said);
/* A child died: the round has failed. */
void health_lost(struct duty *d, const char *why);
/* Forgets the round, and takes back what was asked. */
void health_cancel(struct duty *d);
