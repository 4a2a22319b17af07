/* repo/store-log.c -- the index of the log: its leaves, its tip, and how many statements were ever taken. */
#include "repo/sql.h"

int store_log_each(struct store *store, store_leaf_fn fn, void *ctx, struct error *err)
{
	sqlite3_stmt *q = sql_query(store, "SELECT position, leaf FROM log ORDER BY position", "");
	struct merkle_hash leaf;
	uint64_t next = 0;
	int r;

	while ((r = sql_row(store, q, err)) == 0) {
		sql_hash(leaf.b, q, 1);
		if ((uint64_t)sqlite3_column_int64(q, 0) != next) {
			sql_done(q);
			return error_set(err, E_FORMAT, "index has no log entry %llu: run 'holdfastd reindex'", (unsigned long long)next);
		}
		fn(ctx, next++, &leaf);
	}
	return r < 0 ? r : 0;
}

int store_unpacked(uint64_t *out, struct store *store, struct error *err)
{
	int64_t n = 0;

	if (sql_count(store,
		      sql_query(store, "SELECT (SELECT count(*) FROM unpacked) + (SELECT count(*) FROM chain WHERE position IS NULL)", ""),
		      &n, err) < 0)
		return err->code;
	*out = (uint64_t)n;
	return 0;
}

int store_set_taken(struct store *store, const char *mark, uint64_t count, struct error *err)
{
	return sql_run(store,
		       sql_query(store, "INSERT OR REPLACE INTO meta(key, text, number) VALUES('taken', ?, ?)", "si", mark, (int64_t)count),
		       err);
}

int store_taken(uint64_t *out, char mark[static STORE_MARK_LEN + 1], struct store *store, struct error *err)
{
	sqlite3_stmt *q = sql_query(store, "SELECT text, number FROM meta WHERE key = 'taken'", "");
	int r = sql_row(store, q, err);

	*out = 0;
	mark[0] = 0;
	if (r != 0)
		return r < 0 ? r : 0;
	sql_text(mark, STORE_MARK_LEN + 1, q, 0);
	*out = (uint64_t)sqlite3_column_int64(q, 1);
	sql_done(q);
	return 0;
}

int store_log_leaf(struct merkle_hash *out, struct store *store, uint64_t position, struct error *err)
{
	sqlite3_stmt *q = sql_query(store, "SELECT leaf FROM log WHERE position = ?", "i", (int64_t)position);
	int r = sql_row(store, q, err);

	if (r < 0)
		return r;
	if (r > 0)
		return error_set(err, E_SYS, "index has no log entry %llu: run 'holdfastd reindex'", (unsigned long long)position);
	sql_hash(out->b, q, 0);
	sql_done(q);
	return 0;
}

int store_log_find(uint64_t *position, struct store *store, const struct merkle_hash *leaf, struct error *err)
{
	sqlite3_stmt *q = sql_query(store, "SELECT position FROM log WHERE leaf = ? ORDER BY position LIMIT 1", "h", leaf->b);
	int r = sql_row(store, q, err);

	if (r != 0)
		return r < 0 ? r : REPO_ABSENT;
	*position = (uint64_t)sqlite3_column_int64(q, 0);
	sql_done(q);
	return 0;
}

int store_tip(char commit[static 41], uint64_t *log_size, struct store *store, struct error *err)
{
	sqlite3_stmt *q = sql_query(store, "SELECT text, number FROM meta WHERE key = 'tip'", "");
	int r = sql_row(store, q, err);

	commit[0] = 0;
	*log_size = 0;
	if (r != 0)
		return r < 0 ? r : 0;
	sql_text(commit, 41, q, 0);
	*log_size = (uint64_t)sqlite3_column_int64(q, 1);
	sql_done(q);
	return 0;
}

int store_set_tip(struct store *store, const char *commit, uint64_t log_size, struct error *err)
{
	return sql_run(
		store,
		sql_query(store, "INSERT OR REPLACE INTO meta(key, text, number) VALUES('tip', ?, ?)", "si", commit, (int64_t)log_size),
		err);
}
