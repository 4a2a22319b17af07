/* agent/spool.h -- what is to be sent is on disk first, sent in order, removed once acknowledged.
 *
 * One file per statement, named by its number in twelve digits, holding its container; `acked` holds the number of the
 * newest that the server acknowledged. Any cut between two steps leaves at worst a statement that is sent twice, which the
 * server answers with "seen". */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum { SPOOL_EMPTY = 1, SPOOL_FILE_MAX = 9 << 20, SPOOL_ROW_MAX = 64 };

struct spool {
	char *dir;
	uint64_t acked;
	uint64_t oldest; /* 0: empty */
	uint64_t newest;
	uint64_t count;
	bool is_borrowed; /* somebody else's: nothing is removed */
};

/* Opens (or makes) the folder; removes what was acknowledged and what a cut left half-written. */
int spool_open(struct spool *s, const char *dir, struct error *err) _must_check_;
/* For others than the daemon: changes nothing; an absent folder is an empty spool. */
int spool_look(struct spool *s, const char *dir, struct error *err) _must_check_;
void spool_done(struct spool *s);

/* Durable when it returns. The same number again: the same content, or E_DENIED; a number is never given another. */
int spool_put(struct spool *s, uint64_t number, struct bytes container, struct error *err) _must_check_;
bool spool_has(const struct spool *s, uint64_t number);
/* The oldest not acknowledged. SPOOL_EMPTY when there is none. */
int spool_oldest(const struct spool *s, uint64_t *number, struct buf *out, struct error *err) _must_check_;
/* The same with those that follow it, one behind the other in out: as many as come to most bytes, and SPOOL_ROW_MAX, but always the oldest.
 * The first of all statements, by which the device joins, goes alone. */
int spool_row(const struct spool *s, uint64_t *first, uint64_t *last, struct buf *out, size_t most, struct error *err) _must_check_;
int spool_read(const struct spool *s, uint64_t number, struct buf *out, struct error *err) _must_check_;
/* All up to number are the server's now. */
int spool_acknowledged(struct spool *s, uint64_t number, struct error *err) _must_check_;
