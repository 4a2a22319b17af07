/* repo/store-retire.c -- the index of how devices leave: who shredded what, certificates, and whose key counts no more. */
#include "repo/store-retire.h"

#include <string.h>

const char store_retire_schema[] =
	/* `who`: "archive" or a person, of shredded; "" of a certificate */
	"CREATE TABLE said(device TEXT, type INTEGER, who TEXT, hash BLOB NOT NULL, whole BLOB NOT NULL, PRIMARY KEY(device, type, who)) "
	"WITHOUT ROWID;";

static const char *who_of(const struct statement *st)
{
	return statement_type(st) == STATEMENT_SHREDDED ? statement_get(st, "by") : "";
}

static bool is_of_archive(const struct statement *st)
{
	return statement_type(st) == STATEMENT_SHREDDED && !strcmp(statement_get(st, "by"), "archive");
}

/* REPO_ABSENT: they have not said anything of this type. */
static int find_said(bool *is_same, struct store *store, const struct statement *st, const char *who, struct error *err)
{
	sqlite3_stmt *q = sql_query(store, "SELECT hash FROM said WHERE device = ? AND type = ? AND who = ?", "sis",
				    statement_get(st, "device"), (int64_t)statement_type(st), who);
	int r = sql_row(store, q, err);

	if (r != 0)
		return r;
	*is_same = sql_same_hash(q, 0, st);
	sql_done(q);
	return 0;
}

static int has_said(int64_t *out, struct store *store, const char *device, const uint8_t hash[static HASH_LEN], struct error *err)
{
	*out = 0;
	return sql_count(store, sql_query(store, "SELECT count(*) FROM said WHERE device = ? AND type = ? AND hash = ?", "sih", device,
					  (int64_t)STATEMENT_SHREDDED, hash), out, err);
}

static int has_archives(int64_t *out, struct store *store, const char *device, struct error *err)
{
	*out = 0;
	return sql_count(store,
			 sql_query(store, "SELECT count(*) FROM said WHERE device = ? AND type = ? AND who = 'archive'", "si", device,
				   (int64_t)STATEMENT_SHREDDED),
			 out, err);
}

/* Is it about an order to shred that is there? */
static int find_order(struct store *store, const struct statement *st, struct error *err)
{
	uint8_t batch[HASH_LEN], leaf[HASH_LEN];
	char id[ID_LEN + 1];
	int64_t n = 0;

	statement_get_hash(batch, st, "batch");
	statement_get_hash(leaf, st, "leaf");
	id_of_hash(id, batch);
	if (sql_count(
		    store,
		    sql_query(store,
			      "SELECT count(*) FROM orders o JOIN batch b ON b.seq = o.batch WHERE b.id = ? AND o.device = ? AND o.hash = ?"
			      " AND o.kind = 'shred'",
			      "ssh", id, statement_get(st, "device"), leaf),
		    &n, err) < 0)
		return err->code;
	return n ? 0 :
		   error_set(err, E_DENIED, "shredded names no order to shred device '%s' that is archived here",
			     statement_get(st, "device"));
}

static int judge_shredded(struct store *store, const struct statement *st, struct error *err)
{
	int64_t archives;

	if (find_order(store, st, err) < 0 || has_archives(&archives, store, statement_get(st, "device"), err) < 0)
		return err->code;
	if (!archives && !is_of_archive(st))
		return error_set(err, E_DENIED, "the archive has not shredded device '%s' yet", statement_get(st, "device"));
	return 0;
}

static int judge_certificate(struct store *store, const struct statement *st, struct error *err)
{
	const char *device = statement_get(st, "device"), *value;
	int64_t n;

	for (size_t i = 0; (value = statement_at(st, "shredded", i)); i++) {
		uint8_t hash[HASH_LEN];

		hex_decode(hash, sizeof(hash), bytes_str(value)); /* the grammar: it is one */
		if (has_said(&n, store, device, hash, err) < 0)
			return err->code;
		if (!n)
			return error_set(err, E_DENIED, "certificate names a statement %.16s... about shredding that is not archived here",
					 value);
	}
	if (has_archives(&n, store, device, err) < 0)
		return err->code;
	return n ? 0 : error_set(err, E_DENIED, "the archive has not shredded device '%s' yet", device);
}

int store_judge_said(struct store *store, const struct statement *st, struct error *err)
{
	bool is_same;
	int r = find_said(&is_same, store, st, who_of(st), err);

	if (r < 0)
		return r;
	if (r == 0 && is_same)
		return REPO_SEEN;
	if (r == 0)
		return error_set(err, E_DENIED, "there is another %s of device '%s'%s%s already", statement_type_name(statement_type(st)),
				 statement_get(st, "device"), *who_of(st) ? " by " : "", who_of(st));
	return statement_type(st) == STATEMENT_SHREDDED ? judge_shredded(store, st, err) : judge_certificate(store, st, err);
}

int store_enter_said(struct store *store, const struct statement *st, struct error *err)
{
	const char *device = statement_get(st, "device");

	if (sql_run(store,
		    sql_query(store, "INSERT OR REPLACE INTO said(device, type, who, hash, whole) VALUES(?, ?, ?, ?, ?)", "sishb", device,
			      (int64_t)statement_type(st), who_of(st), statement_hash(st), statement_whole(st)),
		    err) < 0)
		return err->code;
	if (!is_of_archive(st))
		return 0;
	if (sql_run(store, sql_query(store, "UPDATE state SET retired = 'lost' WHERE device = ? AND retired = ''", "s", device), err) < 0)
		return err->code;
	store_change_signers(store);
	return store_settle_shred(store, st, err);
}

int store_said(struct buf *out, struct store *store, const char *device, enum statement_type type, struct error *err)
{
	sqlite3_stmt *q = sql_query(store, "SELECT whole FROM said WHERE device = ? AND type = ? ORDER BY who != 'archive', who", "si",
				    device, (int64_t)type);
	int r;

	while ((r = sql_row(store, q, err)) == 0)
		sql_blob(out, q, 0);
	return r < 0 ? r : 0;
}

int store_span(struct repo_span *out, struct store *store, const char *device, struct error *err)
{
	sqlite3_stmt *q =
		sql_query(store, "SELECT coalesce(min(epoch), 0), coalesce(max(epoch), 0) FROM chain WHERE device = ? AND type = ?", "si",
			  device, (int64_t)STATEMENT_EPOCH);
	int r = sql_row(store, q, err);

	if (r != 0)
		return r;
	*out = (struct repo_span){ .first_epoch = (uint64_t)sqlite3_column_int64(q, 0),
				   .last_epoch = (uint64_t)sqlite3_column_int64(q, 1) };
	sql_done(q);
	q = sql_query(store, "SELECT coalesce(min(number), 0), coalesce(max(number), 0) FROM chain WHERE device = ? AND type = ?", "si",
		      device, (int64_t)STATEMENT_SNAPSHOT);
	r = sql_row(store, q, err);
	if (r != 0)
		return r;
	out->first_snapshot = (uint64_t)sqlite3_column_int64(q, 0);
	out->last_snapshot = (uint64_t)sqlite3_column_int64(q, 1);
	sql_done(q);
	return 0;
}
