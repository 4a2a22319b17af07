/* server/session.c -- operators' logins: challenges that cost nothing to give out, and a bounded table of sessions. */
#include "server/session.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN_LEN = 32, USED_MAX = 4096, TIME_LEN = 8, NONCE_LEN = 8, MAC_LEN = 16 };

_Static_assert(TIME_LEN + NONCE_LEN + MAC_LEN == HASH_LEN, "a challenge has the form of a hash");

struct session {
	uint8_t token_hash[HASH_LEN];
	struct sign_pub key;
	int64_t opened_s, used_s; /* used_s 0: a free place */
};

struct used {
	uint8_t challenge[HASH_LEN];
	int64_t until_s;
};

struct sessions {
	pthread_mutex_t lock;
	struct secret mac_key;
	struct session table[SESSION_MAX];
	struct used used[USED_MAX];
};

struct sessions *sessions_new(void)
{
	struct sessions *s = mem_alloc(sizeof(*s));

	pthread_mutex_init(&s->lock, NULL);
	secret_random(&s->mac_key, crypto_generichash_KEYBYTES);
	return s;
}

struct sessions *sessions_free(struct sessions *s)
{
	if (!s)
		return NULL;
	secret_done(&s->mac_key);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return NULL;
}

/* ---- challenges ---- */

static void mac_of(uint8_t mac[static MAC_LEN], const struct sessions *s, const uint8_t *head)
{
	crypto_generichash(mac, MAC_LEN, head, TIME_LEN + NONCE_LEN, s->mac_key.ptr, s->mac_key.len);
}

void sessions_challenge(char out[static 2 * HASH_LEN + 1], struct sessions *s, int64_t now_s)
{
	uint8_t challenge[HASH_LEN];

	for (unsigned i = 0; i < TIME_LEN; i++)
		challenge[i] = (uint8_t)((uint64_t)now_s >> (56 - 8 * i));
	randombytes_buf(challenge + TIME_LEN, NONCE_LEN);
	mac_of(challenge + TIME_LEN + NONCE_LEN, s, challenge);
	hex_encode(out, challenge, sizeof(challenge));
}

/* Remembers a challenge as used: -1 when it is there already, 0 when there is no place, 1 when done. */
static int remember(struct sessions *s, const uint8_t *challenge, int64_t now_s)
{
	struct used *place = NULL;

	for (size_t i = 0; i < USED_MAX; i++) {
		struct used *u = &s->used[i];

		if (u->until_s < now_s)
			place = place ? place : u;
		else if (!memcmp(u->challenge, challenge, HASH_LEN))
			return -1;
	}
	if (!place)
		return 0;
	memcpy(place->challenge, challenge, HASH_LEN);
	place->until_s = now_s + CHALLENGE_LIFE_S;
	return 1;
}

int sessions_use_challenge(struct sessions *s, const uint8_t challenge[static HASH_LEN], int64_t now_s, struct error *err)
{
	struct reader rd = reader_over(bytes_of(challenge, TIME_LEN));
	int64_t made_s = (int64_t)read_u64(&rd);
	uint8_t mac[MAC_LEN];
	int r;

	mac_of(mac, s, challenge);
	if (sodium_memcmp(mac, challenge + TIME_LEN + NONCE_LEN, MAC_LEN) != 0)
		return error_set(err, E_DENIED, "the challenge is not one that this server gave out since it started; ask for a new one");
	if (now_s < made_s || now_s - made_s > CHALLENGE_LIFE_S)
		return error_set(err, E_DENIED, "the challenge is older than %d seconds; ask for a new one", CHALLENGE_LIFE_S);
	pthread_mutex_lock(&s->lock);
	r = remember(s, challenge, now_s);
	pthread_mutex_unlock(&s->lock);
	if (r < 0)
		return error_set(err, E_DENIED, "the challenge was used before; ask for a new one");
	return r ? 0 : error_set(err, E_LIMIT, "more than %d logins within %d seconds", USED_MAX, CHALLENGE_LIFE_S);
}

/* ---- sessions ---- */

static bool is_over(const struct session *e, int64_t now_s)
{
	return now_s - e->used_s > SESSION_IDLE_S || now_s - e->opened_s > SESSION_LIFE_S;
}

void sessions_open(char token[static TOKEN_TEXT_LEN], struct sessions *s, const struct sign_pub *key, int64_t now_s)
{
	uint8_t raw[TOKEN_LEN];
	struct session *place = &s->table[0];

	randombytes_buf(raw, sizeof(raw));
	sodium_bin2base64(token, TOKEN_TEXT_LEN, raw, sizeof(raw), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	explicit_bzero(raw, sizeof(raw));
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < SESSION_MAX; i++) {
		struct session *e = &s->table[i];

		if (e->used_s && is_over(e, now_s))
			*e = (struct session){ 0 };
		if (e->used_s < place->used_s) /* a free place has 0, so it wins over the one idle longest */
			place = e;
	}
	*place = (struct session){ .key = *key, .opened_s = now_s, .used_s = now_s };
	sha256(place->token_hash, bytes_str(token));
	pthread_mutex_unlock(&s->lock);
}

/* With the lock held. Tokens are compared by their hashes, so the time it takes tells nothing of use. */
static struct session *find(struct sessions *s, const char *token)
{
	uint8_t hash[HASH_LEN];

	sha256(hash, bytes_str(token));
	for (size_t i = 0; i < SESSION_MAX; i++)
		if (s->table[i].used_s && !memcmp(s->table[i].token_hash, hash, HASH_LEN))
			return &s->table[i];
	return NULL;
}

bool sessions_find(struct sign_pub *key, struct sessions *s, const char *token, int64_t now_s)
{
	struct session *e;
	bool found = false;

	pthread_mutex_lock(&s->lock);
	e = find(s, token);
	if (e && is_over(e, now_s)) {
		*e = (struct session){ 0 };
	} else if (e) {
		e->used_s = now_s;
		*key = e->key;
		found = true;
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

void sessions_close(struct sessions *s, const char *token)
{
	struct session *e;

	pthread_mutex_lock(&s->lock);
	e = find(s, token);
	if (e)
		*e = (struct session){ 0 };
	pthread_mutex_unlock(&s->lock);
}
