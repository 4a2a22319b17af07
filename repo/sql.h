/* repo/sql.h -- what the parts of the index share: one connection, statements prepared once. Internal to repo/store*.c.
 *
 * sql_query() finds a prepared statement by its text's address, so a text is a literal; rows are read and then done with. */
#pragma once

#include "repo/store.h"

#include <sqlite3.h>

enum { PREPARED_MAX = 128, FOUND_LAST = 64 };

struct prepared {
	const char *sql;
	sqlite3_stmt *st;
};

struct store {
	sqlite3 *db;
	struct prepared prepared[PREPARED_MAX];
	size_t prepared_count;
	struct prepared *found[FOUND_LAST]; /* the last one of those whose address falls there */
	_Atomic unsigned wal_pages;
	_Atomic uint64_t signers_state;
	bool signers_change; /* in the transaction in hand */
	struct statement *batch; /* the one that was asked for last: its orders come one after another */
};

/* The error of the last call. */
int sql_fail(struct error *err, struct store *store);
int sql_exec(struct store *store, const char *sql, struct error *err) _must_check_;

/* Binds by a format: 's' text (NULL: null), 'i' int64_t, 'h' a hash of 32 bytes, 'b' struct bytes; what is pointed to is borrowed until
 * sql_done() or what calls it. NULL on failure, which the next call reports. */
sqlite3_stmt *sql_query(struct store *store, const char *sql, const char *fmt, ...);
/* Runs a statement that gives no rows. */
int sql_run(struct store *store, sqlite3_stmt *st, struct error *err) _must_check_;
/* 0: a row is in hand; REPO_ABSENT: none (st is done with). */
int sql_row(struct store *store, sqlite3_stmt *st, struct error *err) _must_check_;
/* The first column of the first row, if there is one. */
int sql_count(struct store *store, sqlite3_stmt *st, int64_t *out, struct error *err) _must_check_;
void sql_done(sqlite3_stmt *st);

/* To be called by who changes what store_signer() reads. */
void store_change_signers(struct store *store);

void sql_text(char *out, size_t size, sqlite3_stmt *st, int column);
void sql_blob(struct buf *out, sqlite3_stmt *st, int column);
void sql_hash(uint8_t out[static HASH_LEN], sqlite3_stmt *st, int column);
/* Is it the hash of this statement? */
bool sql_same_hash(sqlite3_stmt *st, int column, const struct statement *stmt);
