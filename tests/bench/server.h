/* tests/bench/server.h -- one run of bench-server (server.c): the server, the agents that it plays, the phase in hand. */
#pragma once

#include "tests/bench/agents.h"
#include "tests/bench/cost.h"
#include "tests/bench/world.h"
#include "tests/orders.h"

enum {
	POSTERS = 50,
	SENDERS = 200, /* of snapshots */
	IN_ROW = 25,   /* of what piled up, in one post: about 32 kB */
	PATIENCE_MS = 120000,
};

struct bench {
	struct world world;
	const char *folder, *program;
	uint8_t *pairs; /* the devices' keys, in plain memory: locked memory costs too much for so many, and they are good for nothing else
			 */
	unsigned port, nginx_port;
	pid_t server, nginx;
	struct agents *agents;
	struct agent *messenger; /* an operator */
	uint64_t root;
	unsigned window_s;
	/* of the phase in hand */
	size_t heard, lost, posts;
	uint64_t begun_us, last_us;
	bool is_parking, is_wave, is_dripping, is_storm, is_checking_in, is_over;
	struct orders_batch *batch; /* that is rolled out */
	uint8_t *turns;             /* of each agent: what it did about it */
	size_t settled, given;
	uint64_t failed_us, given_us; /* when the failure was acknowledged, and an order was given last */
	bool is_failing;
	struct buf *posts_of; /* what each sender posts, one after the other, */
	size_t posts_each;    /* so many */
	size_t *next;         /* and how many of them it did */
	bool is_ingesting;
	size_t answer_bytes; /* of one that acknowledges */
	unsigned rtt_ms;
	double *latency_ms;
	size_t latencies, latencies_max;
	uint64_t post_ms[POSTERS]; /* when each of those that go on polling in a storm does so next */
};

void must(bool holds, const char *what);
void run_for(struct bench *b, uint64_t ms);

/* Snapshots over kept connections, so many in a post: one line, named what. */
void ingest(struct bench *b, size_t in_row, const char *what);
/* A sender's last one is acknowledged. */
void ingest_send_next(struct bench *b, struct agent *agent);
