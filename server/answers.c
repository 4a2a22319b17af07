/* server/answers.c -- answers that many polls get alike: made once, given out by reference. */
#include "server/answers.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 64 };

struct answer {
	struct answer_key key;
	struct MHD_Response *response;
	bool has_body;
	atomic_uint holders;
};

struct answers {
	pthread_mutex_t lock;
	struct answer *places[PLACES];
};

struct answers *answers_new(void)
{
	struct answers *a = mem_alloc(sizeof(*a));

	pthread_mutex_init(&a->lock, NULL);
	return a;
}

struct answers *answers_free(struct answers *a)
{
	if (!a)
		return NULL;
	for (size_t i = 0; i < PLACES; i++)
		answer_put(a->places[i]);
	pthread_mutex_destroy(&a->lock);
	free(a);
	return NULL;
}

/* By what differs between devices: what changes with time takes the place of what it was before. */
static struct answer **place_of(struct answers *a, const struct answer_key *key)
{
	return &a->places[(key->root * 7 + key->seen + key->seen_tree[0]) % PLACES];
}

static struct answer *hold(struct answer *answer)
{
	atomic_fetch_add(&answer->holders, 1);
	return answer;
}

struct answer *answers_get(struct answers *a, const struct answer_key *key)
{
	struct answer *found = NULL, *kept;

	pthread_mutex_lock(&a->lock);
	kept = *place_of(a, key);
	if (kept && !memcmp(&kept->key, key, sizeof(*key)))
		found = hold(kept);
	pthread_mutex_unlock(&a->lock);
	if (!found) {
		found = hold(mem_alloc(sizeof(*found)));
		found->key = *key;
	}
	return found;
}

struct MHD_Response *answer_response(const struct answer *answer)
{
	return answer->response;
}

bool answer_has_body(const struct answer *answer)
{
	return answer->has_body;
}

void answers_keep(struct answers *a, struct answer *answer, struct MHD_Response *response, bool has_body)
{
	struct answer **place, *before;

	answer->response = response;
	answer->has_body = has_body;
	pthread_mutex_lock(&a->lock);
	place = place_of(a, &answer->key);
	before = *place;
	*place = hold(answer);
	pthread_mutex_unlock(&a->lock);
	answer_put(before);
}

struct answer *answer_put(struct answer *answer)
{
	if (!answer || atomic_fetch_sub(&answer->holders, 1) != 1)
		return NULL;
	if (answer->response)
		MHD_destroy_response(answer->response);
	free(answer);
	return NULL;
}
