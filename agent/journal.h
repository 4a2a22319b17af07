/* agent/journal.h -- what the journals of orders in hand are made of: lines that an engineer can read, under a digest of them all. */
#pragma once

#include "agent/floor.h"
#include "base/bytes.h"
#include "base/error.h"
#include "crypto/key.h"

/* The whole file: its first line, the digest, the body. */
void journal_seal(struct buf *out, const char *first_line, struct bytes body);
/* *body: what stands behind the digest. E_FORMAT when it does not hold. */
int journal_open(struct bytes *body, struct bytes in, const char *first_line, struct error *err) _must_check_;

/* Keys are words; text becomes one line of printable characters, whatever it is. */
void journal_put_text(struct buf *out, const char *key, const char *text);
void journal_put_flag(struct buf *out, const char *key, bool is);
void journal_put_hash(struct buf *out, const char *key, const uint8_t hash[static HASH_LEN]);
void journal_put_began(struct buf *out, uint64_t ms, const char *boot);

/* The next line, if it has this key; false otherwise. */
bool journal_take(struct bytes *rest, const char *key, struct bytes *value);
bool journal_take_text(struct bytes *rest, const char *key, char *out, size_t size);
bool journal_take_flag(struct bytes *rest, const char *key, bool *out);
bool journal_take_hash(struct bytes *rest, const char *key, uint8_t out[static HASH_LEN]);
bool journal_take_number(struct bytes *rest, const char *key, uint64_t *out);
bool journal_take_began(struct bytes *rest, uint64_t *ms, char boot[static FLOOR_BOOT_LEN]);
/* One of some names, by their indexes in names; false for any other. */
bool journal_take_name(struct bytes *rest, const char *key, const char *const names[], const unsigned *allowed, size_t count,
		       unsigned *out);
