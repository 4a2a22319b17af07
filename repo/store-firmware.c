/* repo/store-firmware.c -- the index of firmware statements. */
#include "repo/store-firmware.h"

#include "repo/store-orders.h"

enum { FIRMWARES_MAX = 10000 };

const char store_firmware_schema[] = "CREATE TABLE firmware(hash BLOB PRIMARY KEY, image TEXT NOT NULL, size INTEGER NOT NULL, time_s "
				     "INTEGER NOT NULL, whole BLOB NOT NULL) WITHOUT ROWID;"
				     "CREATE INDEX firmware_by_image ON firmware(image, size);"
				     "CREATE INDEX firmware_by_time ON firmware(time_s, hash);";

int store_judge_firmware(struct store *store, const struct statement *st, const struct root *root, struct error *err)
{
	int64_t same = 0, all = 0;

	if (sql_count(store, sql_query(store, "SELECT count(*) FROM firmware WHERE hash = ?", "h", statement_hash(st)), &same, err) < 0)
		return err->code;
	if (same)
		return REPO_SEEN;
	if (store_check_root(st, root, err) < 0 || root_verify(root, st, err) < 0 ||
	    sql_count(store, sql_query(store, "SELECT count(*) FROM firmware", ""), &all, err) < 0)
		return err->code;
	return all < FIRMWARES_MAX ? 0 : error_set(err, E_LIMIT, "there are %d firmware statements: no more are taken", FIRMWARES_MAX);
}

int store_enter_firmware(struct store *store, const struct statement *st, struct error *err)
{
	return sql_run(store,
		       sql_query(store, "INSERT OR REPLACE INTO firmware(hash, image, size, time_s, whole) VALUES(?, ?, ?, ?, ?)", "hsiib",
				 statement_hash(st), statement_get(st, "image"), (int64_t)statement_number(st, "size"),
				 statement_time(st, "time"), statement_whole(st)),
		       err);
}

int store_firmware(struct buf *out, struct store *store, uint64_t from, size_t bytes_max, struct error *err)
{
	sqlite3_stmt *q = sql_query(store, "SELECT whole FROM firmware ORDER BY time_s, hash LIMIT -1 OFFSET ?", "i", (int64_t)from);
	size_t begin = out->len;
	int r;

	while ((r = sql_row(store, q, err)) == 0) {
		if (out->len > begin && out->len - begin + (size_t)sqlite3_column_bytes(q, 0) > bytes_max) {
			sql_done(q);
			return 0;
		}
		sql_blob(out, q, 0);
	}
	return r < 0 ? r : 0;
}

int store_has_image(bool *out, struct store *store, const char *image, uint64_t size, struct error *err)
{
	int64_t n = 0;

	if (sql_count(store, sql_query(store, "SELECT count(*) FROM firmware WHERE image = ? AND size = ?", "si", image, (int64_t)size), &n,
		      err) < 0)
		return err->code;
	*out = n > 0;
	return 0;
}
