/* agent/challenge.h -- what an order that erases the device must name: random bytes that the device says in its status.
 *
 * So such an order cannot be prepared for later, and does nothing twice. The file `challenge` keeps it over a restart. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/key.h"

enum { CHALLENGE_S = 7 * 86400 };

struct challenge {
	bool is_there;
	uint8_t value[HASH_LEN];
	int64_t made_s;
};

/* An absent or damaged file is none. */
void challenge_load(struct challenge *c, const char *dir);
/* The one in force; NULL: there is none. */
const uint8_t *challenge_now(const struct challenge *c, int64_t now_s);
/* Makes another when none is in force. It counts only once it is on disk. */
int challenge_keep(struct challenge *c, const char *dir, int64_t now_s, struct error *err) _must_check_;
/* It is used up, if it is this one. */
void challenge_use(struct challenge *c, const char *dir, const uint8_t used[static HASH_LEN]);
