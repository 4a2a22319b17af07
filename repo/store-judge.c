/* repo/store-judge.c -- the index of what people decided about advisories. */
#include "repo/store-judge.h"

const char store_judge_schema[] =
	/* position: in the log; of what is only journaled, behind all others */
	"CREATE TABLE judgement(hash BLOB PRIMARY KEY, position INTEGER NOT NULL, whole BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX judgement_by_position ON judgement(position);";

int store_judge_judgement(struct store *store, const struct statement *st, struct error *err)
{
	int64_t same = 0, all = 0;

	if (sql_count(store, sql_query(store, "SELECT count(*) FROM judgement WHERE hash = ?", "h", statement_hash(st)), &same, err) < 0)
		return err->code;
	if (same)
		return REPO_SEEN;
	if (sql_count(store, sql_query(store, "SELECT count(*) FROM judgement", ""), &all, err) < 0)
		return err->code;
	return all < JUDGEMENTS_MAX ? 0 : error_set(err, E_LIMIT, "there are %d judgements already", JUDGEMENTS_MAX);
}

int store_enter_judgement(struct store *store, const struct statement *st, struct error *err)
{
	return sql_run(store, sql_query(store, "INSERT OR IGNORE INTO judgement(hash, position, whole) VALUES(?, ?, ?)", "hib", statement_hash(st),
					INT64_MAX, statement_whole(st)), err);
}

int store_place_judgement(struct store *store, const struct statement *st, uint64_t position, struct error *err)
{
	return sql_run(store, sql_query(store, "UPDATE judgement SET position = ? WHERE hash = ?", "ih", (int64_t)position, statement_hash(st)), err);
}

int store_judgements(struct store *store, uint64_t from, unsigned limit, repo_judgement_fn fn, void *ctx, struct error *err)
{
	sqlite3_stmt *q = sql_query(store, "SELECT position, whole FROM judgement WHERE position >= ? ORDER BY position, hash LIMIT ?", "ii",
				    (int64_t)from, (int64_t)limit);
	int r;

	while ((r = sql_row(store, q, err)) == 0) {
		_cleanup_(buf_done) struct buf whole = { 0 };
		int64_t position = sqlite3_column_int64(q, 0);

		sql_blob(&whole, q, 1);
		if (!fn(ctx, position == INT64_MAX ? REPO_NO_POSITION : (uint64_t)position, buf_bytes(&whole)))
			continue;
		sql_done(q);
		return 0;
	}
	return r < 0 ? r : 0;
}
