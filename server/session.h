/* server/session.h -- operators' logins: challenges that cost nothing to give out, and a bounded table of sessions.
 *
 * A challenge is not stored: it holds its time and a MAC by a key that lives as long as the process, so asking for a million of them
 * pushes nobody's out. Only used ones are remembered, until they are too old anyway. A session is kept as the SHA-256 of its token.
 * All functions may be called from any thread. */
#pragma once

#include "crypto/root.h"

enum {
	SESSION_MAX = 1024, /* the one idle longest is dropped for a new one */
	SESSION_IDLE_S = 15 * 60,
	SESSION_LIFE_S = 8 * 3600,
	CHALLENGE_LIFE_S = 60,
	LOGIN_SKEW_S = 600, /* how far a login's time may be from ours */
	TOKEN_TEXT_LEN = 44, /* base64url of 256 bits, with its NUL */
};

struct sessions *sessions_new(void);
struct sessions *sessions_free(struct sessions *sessions);

/* A fresh challenge: 64 hexadecimal digits. */
void sessions_challenge(char out[static 2 * HASH_LEN + 1], struct sessions *sessions, int64_t now_s);

/* Takes a challenge back: E_DENIED when it is not ours, older than CHALLENGE_LIFE_S, or was used; E_LIMIT when more logins came
 * within its life than are remembered. */
int sessions_use_challenge(struct sessions *sessions, const uint8_t challenge[static HASH_LEN], int64_t now_s,
			   struct error *err) _must_check_;

/* Opens a session for the person with this key and writes its token: the only time that it is in memory as such. */
void sessions_open(char token[static TOKEN_TEXT_LEN], struct sessions *sessions, const struct sign_pub *key, int64_t now_s);

/* Whose session is it? False when there is none or it ended. Counts as use. */
bool sessions_find(struct sign_pub *key, struct sessions *sessions, const char *token, int64_t now_s);
void sessions_close(struct sessions *sessions, const char *token);
