/* crypto/secret.h -- memory for keys: locked, guarded, wiped, never printed. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct secret {
	uint8_t *ptr; /* from sodium_malloc(3); NULL when empty */
	size_t len;
};

/* Once per process, before any key is touched: starts libsodium, forbids core dumps (RLIMIT_CORE 0,
 * PR_SET_DUMPABLE 0). */
int crypto_start(struct error *err) _must_check_;

void secret_init(struct secret *out, size_t len);           /* zero bytes */
void secret_random(struct secret *out, size_t len);
void secret_copy(struct secret *out, struct bytes in);
struct bytes secret_bytes(const struct secret *s);
void secret_done(struct secret *s);

/* Reads a file of at most max bytes straight into locked memory. FS_ABSENT when there is none; E_DENIED when others than
 * its owner may read it. */
int secret_load(struct secret *out, const char *path, size_t max, struct error *err) _must_check_;
