/* repo/sql.c -- one connection to SQLite, statements prepared once. */
#include "repo/sql.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What the disk said, so that "no space" is told from a fault of ours. */
static int errno_of(struct store *store)
{
	switch (sqlite3_errcode(store->db)) {
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return sqlite3_system_errno(store->db) ? sqlite3_system_errno(store->db) : EIO;
	default:
		return 0;
	}
}

int sql_fail(struct error *err, struct store *store)
{
	int code = sqlite3_errcode(store->db);
	bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;

	error_set(err, E_SYS, "index: %s%s", sqlite3_errmsg(store->db),
		  damaged ? ": it is damaged; stop the server and run 'holdfastd reindex'" : "");
	err->sys = errno_of(store);
	return err->code;
}

int sql_exec(struct store *store, const char *sql, struct error *err)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sql_fail(err, store);
}

/* ---- statements of SQL: prepared once, found again by their text's address ---- */

static bool is_free(const struct prepared *p, const char *sql)
{
	return p->sql == sql && !sqlite3_stmt_busy(p->st);
}

static struct prepared *find_prepared(struct store *store, const char *sql)
{
	struct prepared *p = store->prepared, *end = p + store->prepared_count;

	while (p < end && !is_free(p, sql))
		p++;
	if (p < end)
		return p;
	assert(store->prepared_count < PREPARED_MAX); /* there are far fewer texts */
	if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &p->st, NULL) != SQLITE_OK)
		return NULL;
	p->sql = sql;
	store->prepared_count++;
	return p;
}

static sqlite3_stmt *prepare(struct store *store, const char *sql)
{
	struct prepared **found = &store->found[(uintptr_t)sql / 8 % FOUND_LAST];

	if (!*found || !is_free(*found, sql))
		*found = find_prepared(store, sql);
	return *found ? (*found)->st : NULL;
}

sqlite3_stmt *sql_query(struct store *store, const char *sql, const char *fmt, ...)
{
	sqlite3_stmt *st = prepare(store, sql);
	va_list ap;

	va_start(ap, fmt);
	for (int i = 1; st && *fmt; i++, fmt++) {
		if (*fmt == 's') {
			sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
		} else if (*fmt == 'i') {
			sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
		} else if (*fmt == 'h') {
			sqlite3_bind_blob(st, i, va_arg(ap, const uint8_t *), HASH_LEN, SQLITE_STATIC);
		} else {
			struct bytes in = va_arg(ap, struct bytes);

			sqlite3_bind_blob(st, i, in.ptr, (int)in.len, SQLITE_STATIC);
		}
	}
	va_end(ap);
	return st;
}

void sql_done(sqlite3_stmt *st)
{
	if (st) {
		sqlite3_reset(st);
		sqlite3_clear_bindings(st);
	}
}

int sql_run(struct store *store, sqlite3_stmt *st, struct error *err)
{
	int r = st ? sqlite3_step(st) : SQLITE_ERROR;

	if (r != SQLITE_DONE && r != SQLITE_ROW) {
		sql_fail(err, store);
		sql_done(st);
		return err->code;
	}
	sql_done(st);
	return 0;
}

int sql_row(struct store *store, sqlite3_stmt *st, struct error *err)
{
	int r = st ? sqlite3_step(st) : SQLITE_ERROR;

	if (r == SQLITE_ROW)
		return 0;
	if (r != SQLITE_DONE)
		sql_fail(err, store);
	sql_done(st);
	return r == SQLITE_DONE ? REPO_ABSENT : err->code;
}

void sql_text(char *out, size_t size, sqlite3_stmt *st, int column)
{
	const unsigned char *text = sqlite3_column_text(st, column);

	snprintf(out, size, "%s", text ? (const char *)text : "");
}

void sql_blob(struct buf *out, sqlite3_stmt *st, int column)
{
	buf_add(out, sqlite3_column_blob(st, column), (size_t)sqlite3_column_bytes(st, column));
}

void sql_hash(uint8_t out[static HASH_LEN], sqlite3_stmt *st, int column)
{
	memset(out, 0, HASH_LEN);
	if (sqlite3_column_bytes(st, column) == HASH_LEN)
		memcpy(out, sqlite3_column_blob(st, column), HASH_LEN);
}

int sql_count(struct store *store, sqlite3_stmt *st, int64_t *out, struct error *err)
{
	int r = sql_row(store, st, err);

	if (r != 0)
		return r < 0 ? r : 0;
	*out = sqlite3_column_int64(st, 0);
	sql_done(st);
	return 0;
}

bool sql_same_hash(sqlite3_stmt *st, int column, const struct statement *stmt)
{
	uint8_t hash[HASH_LEN];

	sql_hash(hash, st, column);
	return !memcmp(hash, statement_hash(stmt), HASH_LEN);
}
