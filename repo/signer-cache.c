/* repo/signer-cache.c -- who signs for a device, kept in memory. */
#include "repo/signer-cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 1 << 14 };

struct place {
	uint64_t state; /* 0: empty */
	char id[ID_LEN + 1];
	struct repo_signer signer;
};

struct signer_cache {
	pthread_mutex_t lock;
	struct place places[PLACES];
};

struct signer_cache *signer_cache_new(void)
{
	struct signer_cache *cache = mem_alloc(sizeof(*cache));

	pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

struct signer_cache *signer_cache_free(struct signer_cache *cache)
{
	if (!cache)
		return NULL;
	pthread_mutex_destroy(&cache->lock);
	free(cache);
	return NULL;
}

/* An id is a hash in base32: its letters are random enough as they are. */
static struct place *place_of(struct signer_cache *cache, const char *id)
{
	uint32_t n = 0;

	for (size_t i = 0; i < 4 && id[i]; i++)
		n = n << 4 ^ (uint8_t)id[i];
	return &cache->places[n % PLACES];
}

bool signer_cache_get(struct repo_signer *out, struct signer_cache *cache, uint64_t state, const char *id)
{
	struct place *place = place_of(cache, id);
	bool found;

	pthread_mutex_lock(&cache->lock);
	found = place->state == state && !strcmp(place->id, id);
	if (found)
		*out = place->signer;
	pthread_mutex_unlock(&cache->lock);
	return found;
}

void signer_cache_put(struct signer_cache *cache, uint64_t state, const char *id, const struct repo_signer *signer)
{
	struct place *place = place_of(cache, id);

	if (strlen(id) != ID_LEN)
		return;
	pthread_mutex_lock(&cache->lock);
	place->state = state;
	memcpy(place->id, id, ID_LEN + 1);
	place->signer = *signer;
	pthread_mutex_unlock(&cache->lock);
}
