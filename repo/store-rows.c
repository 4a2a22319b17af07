/* repo/store-rows.c -- reading the index: roots, invites, a device's chain and what it was at a time, in which commit a statement lies. */
#include "repo/sql.h"

int store_root(struct buf *out, struct store *store, uint64_t version, struct error *err)
{
	sqlite3_stmt *q = version ? sql_query(store, "SELECT whole FROM root WHERE version = ?", "i", (int64_t)version) :
				    sql_query(store, "SELECT whole FROM root ORDER BY version DESC LIMIT 1", "");
	int r = sql_row(store, q, err);

	if (r != 0)
		return r;
	sql_blob(out, q, 0);
	sql_done(q);
	return 0;
}

/* Of a row of chain; none while it is not packed. */
#define COMMIT_OF "(SELECT m.id FROM commits m WHERE m.position <= c.position ORDER BY m.position DESC LIMIT 1)"

int store_log(struct store *store, const char *id, uint64_t below, unsigned limit, repo_entry_fn fn, void *ctx, struct error *err)
{
	sqlite3_stmt *q =
		sql_query(store,
			  "SELECT type, number, time_s, position, reason, saved, mode, note, epoch, added, removed, hash, " COMMIT_OF
			  ", order_number, batch, outcome,"
			  " refusal, evidence FROM chain c"
			  " WHERE device = ? AND number < ? ORDER BY number DESC LIMIT ?",
			  "sii", id, below ? (int64_t)below : INT64_MAX, (int64_t)limit);
	int r;

	while ((r = sql_row(store, q, err)) == 0) {
		struct repo_entry e = { .type = (enum statement_type)sqlite3_column_int(q, 0) };

		e.number = (uint64_t)sqlite3_column_int64(q, 1);
		e.time_s = sqlite3_column_int64(q, 2);
		e.position = (uint64_t)sqlite3_column_int64(q, 3);
		sql_text(e.reason, sizeof(e.reason), q, 4);
		sql_text(e.saved, sizeof(e.saved), q, 5);
		sql_text(e.mode, sizeof(e.mode), q, 6);
		sql_text(e.note, sizeof(e.note), q, 7);
		e.epoch = (uint64_t)sqlite3_column_int64(q, 8);
		e.lines_added = (uint64_t)sqlite3_column_int64(q, 9);
		e.lines_removed = (uint64_t)sqlite3_column_int64(q, 10);
		sql_hash(e.hash, q, 11);
		sql_text(e.commit, sizeof(e.commit), q, 12);
		e.order = (uint64_t)sqlite3_column_int64(q, 13);
		sql_text(e.batch, sizeof(e.batch), q, 14);
		sql_text(e.outcome, sizeof(e.outcome), q, 15);
		sql_text(e.check, sizeof(e.check), q, 16);
		sql_text(e.evidence, sizeof(e.evidence), q, 17);
		if (fn(ctx, &e)) {
			sql_done(q);
			return 0;
		}
	}
	return r < 0 ? r : 0;
}

/* The last number of a device until then. A device's clock never goes back and its numbers have no gap, so it is looked for by halves: an
 * index over time would cost every snapshot a page. */
static int number_until(int64_t *out, struct store *store, const char *id, int64_t at_s, struct error *err)
{
	int64_t low = 0, high = 0;
	int r = sql_count(store, sql_query(store, "SELECT coalesce(max(number), 0) FROM chain WHERE device = ?", "s", id), &high, err);

	high++;
	while (r == 0 && high - low > 1) {
		int64_t middle = low + (high - low) / 2, is_until = 0;

		r = sql_count(store,
			      sql_query(store, "SELECT time_s <= ? FROM chain WHERE device = ? AND number = ?", "isi", at_s, id, middle),
			      &is_until, err);
		*(is_until ? &low : &high) = middle;
	}
	*out = low;
	return r;
}

static int snapshot_until(struct repo_moment *out, struct store *store, int64_t at_s, struct error *err)
{
	int64_t number = 0;
	sqlite3_stmt *q;
	int r = number_until(&number, store, out->id, at_s, err);

	if (r < 0 || !number)
		return r;
	q = sql_query(store,
		      "SELECT number, time_s FROM chain WHERE device = ? AND number <= ? AND type = 5 AND time_s <= ? ORDER BY number DESC "
		      "LIMIT 1",
		      "sii", out->id, number, at_s);
	r = sql_row(store, q, err);
	if (r != 0)
		return r < 0 ? r : 0;
	out->number = (uint64_t)sqlite3_column_int64(q, 0);
	out->time_s = sqlite3_column_int64(q, 1);
	sql_done(q);
	return 0;
}

int store_snapshots_at(struct store *store, const char *after, int64_t at_s, unsigned limit, repo_moment_fn fn, void *ctx,
		       struct error *err)
{
	sqlite3_stmt *q = sql_query(store, "SELECT id FROM device WHERE id > ? ORDER BY id LIMIT ?", "si", after, (int64_t)limit);
	int r;

	while ((r = sql_row(store, q, err)) == 0) {
		struct repo_moment m = { .number = 0 };

		sql_text(m.id, sizeof(m.id), q, 0);
		r = snapshot_until(&m, store, at_s, err);
		if (r < 0 || fn(ctx, &m)) {
			sql_done(q);
			return r;
		}
	}
	return r < 0 ? r : 0;
}

int store_find(char commit[static 41], struct store *store, const char *id, enum statement_type type, uint64_t number, struct error *err)
{
	sqlite3_stmt *q;
	int r;

	if (!number)
		q = sql_query(store, "SELECT " COMMIT_OF " FROM chain c WHERE device = ? AND type = ? ORDER BY number DESC LIMIT 1", "si",
			      id, (int64_t)type);
	else if (type == STATEMENT_EPOCH)
		q = sql_query(store, "SELECT " COMMIT_OF " FROM chain c WHERE device = ? AND type = 4 AND epoch = ?", "si", id,
			      (int64_t)number);
	else
		q = sql_query(store, "SELECT " COMMIT_OF " FROM chain c WHERE device = ? AND number = ? AND type = ?", "sii", id,
			      (int64_t)number, (int64_t)type);
	r = sql_row(store, q, err);
	if (r != 0)
		return r;
	sql_text(commit, 41, q, 0);
	sql_done(q);
	return 0;
}

bool store_has_invite(struct store *store, const char *id)
{
	struct error ignored;
	int64_t n = 0;

	return sql_count(store, sql_query(store, "SELECT count(*) FROM invite WHERE id = ?", "s", id), &n, &ignored) == 0 && n;
}

int store_invites(struct store *store, int (*fn)(void *ctx, const char *id), void *ctx, struct error *err)
{
	sqlite3_stmt *q = sql_query(store, "SELECT id FROM invite ORDER BY id", "");
	int r;

	while ((r = sql_row(store, q, err)) == 0) {
		r = fn(ctx, (const char *)sqlite3_column_text(q, 0));
		if (r) {
			sql_done(q);
			return r;
		}
	}
	return r < 0 ? r : 0;
}

int store_newest(struct buf *out, struct store *store, const char *id, enum statement_type type, struct error *err)
{
	const char *sql = type == STATEMENT_ENROL ? "SELECT enrol FROM device WHERE id = ?" : "SELECT admit FROM device WHERE id = ?";
	sqlite3_stmt *q = sql_query(store, sql, "s", id);
	int r = sql_row(store, q, err);

	if (r != 0)
		return r;
	sql_blob(out, q, 0);
	sql_done(q);
	return out->len ? 0 : REPO_ABSENT;
}
