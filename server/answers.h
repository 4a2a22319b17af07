/* server/answers.h -- answers that many polls get alike: made once, given out by reference.
 *
 * A new root wakes ten thousand devices at once, and nearly all of them get the same bytes. What makes two answers the same is a key; the
 * newest answers are kept, a few of them, in places that the key chooses. */
#pragma once

#include "crypto/key.h"

struct MHD_Response;
struct answers;
struct answer;

/* Without padding: keys are compared as bytes. */
struct answer_key {
	uint64_t head;     /* repo_head_mark(): which checkpoint is the newest */
	uint64_t roots;    /* version of the root in force */
	uint64_t root;     /* the version that the device has */
	uint64_t seen;     /* size of the log that it has seen; 0: none */
	uint64_t window_s;
	uint8_t seen_tree[HASH_LEN];
};

struct answers *answers_new(void);
struct answers *answers_free(struct answers *answers);

/* The answer of this key; afterwards answer_put(). When nobody made it yet it has no response: the caller makes one and says so. */
struct answer *answers_get(struct answers *answers, const struct answer_key *key);
struct MHD_Response *answer_response(const struct answer *answer);
bool answer_has_body(const struct answer *answer);
/* response: taken over, and not changed any more. From now on others get it as well. */
void answers_keep(struct answers *answers, struct answer *answer, struct MHD_Response *response, bool has_body);
struct answer *answer_put(struct answer *answer);
