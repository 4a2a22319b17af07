/* repo/store-judge.c -- the index of what people decided about advisories. */
#include "repo/store-judge.h"

const char store_judge_schema[] =
	/* position: in the log; of what is only journaled, behind all others. document: that was judged. text_len: of what it brought of it
	 */
	"CREATE TABLE judgement(hash BLOB PRIMARY KEY, position INTEGER NOT NULL, document BLOB NOT NULL, text_len INTEGER NOT NULL,"
	" whole BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX judgement_by_position ON judgement(position);"
	"CREATE INDEX judgement_by_document ON judgement(document, position) WHERE text_len > 0;";

static int judge_text(struct store *store, const struct container *c, struct error *err)
{
	int64_t sum = 0;

	if (!statement_get(c->st, "text"))
		return 0;
	if (!container_seal(c, "text").ptr)
		return error_set(err, E_FORMAT, "a judgement names a text and does not bring it");
	if (sql_count(store, sql_query(store, "SELECT coalesce(sum(text_len), 0) FROM judgement WHERE text_len > 0", ""), &sum, err) < 0)
		return err->code;
	return sum + (int64_t)container_seal(c, "text").len <= JUDGEMENT_TEXTS_MAX
		       ? 0
		       : error_set(err, E_LIMIT, "judgements brought %lld MiB of documents already", JUDGEMENT_TEXTS_MAX >> 20);
}

int store_judge_judgement(struct store *store, const struct container *c, struct error *err)
{
	const struct statement *st = c->st;
	int64_t same = 0, all = 0;

	if (sql_count(store, sql_query(store, "SELECT count(*) FROM judgement WHERE hash = ?", "h", statement_hash(st)), &same, err) < 0)
		return err->code;
	if (same)
		return REPO_SEEN;
	if (sql_count(store, sql_query(store, "SELECT count(*) FROM judgement", ""), &all, err) < 0)
		return err->code;
	if (all >= JUDGEMENTS_MAX)
		return error_set(err, E_LIMIT, "there are %d judgements already", JUDGEMENTS_MAX);
	return judge_text(store, c, err);
}

int store_enter_judgement(struct store *store, const struct statement *st, struct error *err)
{
	uint8_t document[HASH_LEN] = { 0 };
	struct seal_ref text = { 0 };

	statement_get_hash(document, st, "document");
	(void)statement_seal(&text, st, "text");
	return sql_run(store,
		       sql_query(store, "INSERT OR IGNORE INTO judgement(hash, position, document, text_len, whole) VALUES(?, ?, ?, ?, ?)",
				 "hihib", statement_hash(st), INT64_MAX, document, (int64_t)text.len, statement_whole(st)),
		       err);
}

int store_place_judgement(struct store *store, const struct statement *st, uint64_t position, struct error *err)
{
	return sql_run(store,
		       sql_query(store, "UPDATE judgement SET position = ? WHERE hash = ?", "ih", (int64_t)position, statement_hash(st)),
		       err);
}

int store_judgements(struct store *store, uint64_t from, unsigned limit, repo_judgement_fn fn, void *ctx, struct error *err)
{
	sqlite3_stmt *q = sql_query(store, "SELECT position, whole FROM judgement WHERE position >= ? ORDER BY position, hash LIMIT ?",
				    "ii", (int64_t)from, (int64_t)limit);
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

int store_find_text(struct buf *whole, bool *is_placed, struct store *store, const uint8_t document[static HASH_LEN], struct error *err)
{
	sqlite3_stmt *q =
		sql_query(store, "SELECT position, whole FROM judgement WHERE document = ? AND text_len > 0 ORDER BY position LIMIT 1", "h",
			  document);
	int r = sql_row(store, q, err);

	if (r != 0)
		return r;
	*is_placed = sqlite3_column_int64(q, 0) != INT64_MAX;
	sql_blob(whole, q, 1);
	sql_done(q);
	return 0;
}
