/* agent/fetch.h -- a firmware image fetched from the server into the file `image` of the device's folder, resumed wherever it was cut.
 *
 * net hands its bytes over as they come (agent/stream.h). Credit for more is given as the disk takes them, and no faster than the settings
 * say: a night window and this rate are what keeps a thin line usable. A request that fails is made again, from the byte that is missing,
 * after a while that doubles as long as nothing comes. */
#pragma once

#include "agent/image.h"
#include "agent/net.h"
#include "base/loop.h"

enum { FETCH_IDLE_S = 60, FETCH_AHEAD = 4 };

struct duty;

struct fetch {
	bool is_on;
	uint64_t size;
	uint8_t hash[HASH_LEN];
	char name[2 * HASH_LEN + 1]; /* as the server knows it */
	struct image image;
	uint32_t id; /* of the request under way; 0: none */
	unsigned attempt, failures;
	uint64_t began_at;  /* bytes that were here when the request began */
	uint64_t credit_ms; /* no further part before */
	struct loop_timer timer;
	char trouble[200]; /* why it does not move; "" */
};

/* Begins, or goes on with what is on the disk. obey_fetched() when it is there, or cannot be. */
void fetch_begin(struct duty *d, uint64_t size, const uint8_t hash[static HASH_LEN]);
void fetch_stop(struct duty *d);
/* Throws away what was fetched. */
void fetch_remove(const struct duty *d);
/* The same; but an agent of several devices keeps the newest whole image for a week, as `.agent/image.<sha256>`, for those of its devices
 * that are to get it later. It is hashed like any other before it is used. */
void fetch_keep(const struct duty *d, uint64_t size, const uint8_t hash[static HASH_LEN]);
/* Removes one that was kept for a week. */
void fetch_tidy(const struct duty *d);
/* Answers of net. False: not of this fetch. */
bool fetch_part(struct duty *d, uint32_t id, struct bytes body);
bool fetch_answer(struct duty *d, uint32_t id, const struct http_answer *answer);
/* net died. */
void fetch_lost(struct duty *d);
/* net is there again. */
void fetch_kick(struct duty *d);
char *fetch_path(const struct duty *d);
/* Bytes that the disk has for an image beside what must stay free. */
uint64_t fetch_room(const struct duty *d);
