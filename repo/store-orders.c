/* repo/store-orders.c -- the index of batches, orders, controls and receipts. */
#include "repo/store-orders.h"

#include <stdio.h>
#include <string.h>

enum { CONTROLS_PER_BATCH = 1000 };

/* Inside, a batch is known by its place in the row of batches (seq). */
const char store_order_schema[] =
	"CREATE TABLE batch(seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, hash BLOB NOT NULL, whole BLOB NOT NULL, time_s INTEGER NOT "
	"NULL,"
	" expires_s INTEGER NOT NULL, orders INTEGER NOT NULL DEFAULT 0);"
	"CREATE INDEX batch_by_time ON batch(time_s, id);"
	"CREATE TABLE wave(batch INTEGER, wave INTEGER, ends INTEGER NOT NULL, orders INTEGER NOT NULL DEFAULT 0, answered INTEGER NOT "
	"NULL DEFAULT 0,"
	" settled INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,"
	" placed INTEGER NOT NULL DEFAULT 0, settled_s INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(batch, wave)) WITHOUT ROWID;"
	"CREATE TABLE control(batch INTEGER, seq INTEGER, action TEXT NOT NULL, hash BLOB NOT NULL, whole BLOB NOT NULL, PRIMARY "
	"KEY(batch, seq));"
	"CREATE UNIQUE INDEX control_by_hash ON control(batch, hash);"
	"CREATE TABLE orders(id INTEGER PRIMARY KEY, batch INTEGER NOT NULL, idx INTEGER NOT NULL, wave INTEGER NOT NULL, device TEXT NOT "
	"NULL,"
	" number INTEGER NOT NULL, hash BLOB NOT NULL, grouped INTEGER NOT NULL, kind TEXT NOT NULL, after TEXT NOT NULL,"
	" outcome TEXT NOT NULL DEFAULT '', refusal TEXT, note TEXT,"
	" receipt INTEGER NOT NULL DEFAULT 0, time_s INTEGER NOT NULL DEFAULT 0, settled INTEGER NOT NULL DEFAULT 0,"
	" settled_s INTEGER NOT NULL DEFAULT 0, UNIQUE(batch, idx), UNIQUE(batch, device));"
	"CREATE INDEX orders_of_device ON orders(device, number);"
	"CREATE INDEX orders_open ON orders(device, number) WHERE settled = 0;"
	"CREATE INDEX orders_to_shred ON orders(id) WHERE settled = 0 AND kind = 'shred';"
	/* whole texts: of orders that may still be asked for often */
	"CREATE TABLE order_text(id INTEGER PRIMARY KEY, whole BLOB, receipt BLOB);";

/* ---- judging ---- */

/* The batch with this hash, parsed: the store's own, good until the next call. REPO_ABSENT. */
static int find_batch(const struct statement **out, int64_t *seq, struct store *store, const uint8_t hash[static HASH_LEN],
		      struct error *err)
{
	char id[ID_LEN + 1];
	sqlite3_stmt *q;
	int r;

	id_of_hash(id, hash);
	q = sql_query(store, "SELECT seq, whole FROM batch WHERE id = ? AND hash = ?", "sh", id, hash);
	r = sql_row(store, q, err);
	if (r != 0)
		return r;
	*seq = sqlite3_column_int64(q, 0);
	if (!store->batch || memcmp(statement_hash(store->batch), hash, HASH_LEN) != 0) {
		struct bytes whole = bytes_of(sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1));

		store->batch = statement_free(store->batch);
		r = statement_parse(&store->batch, whole, false, NULL, err);
	}
	sql_done(q);
	*out = store->batch;
	return r < 0 ? error_add(err, "batch '%s' in the index", id) : 0;
}

int store_check_root(const struct statement *st, const struct root *root, struct error *err)
{
	const char *type = statement_type_name(statement_type(st));

	if (!root)
		return error_set(err, E_DENIED, "there is no root yet");
	if (statement_number(st, "root") > root_version(root))
		return error_set(err, E_DENIED, "%s names root %s, and %llu is in force", type, statement_get(st, "root"),
				 (unsigned long long)root_version(root));
	return 0;
}

int store_judge_batch(struct store *store, const struct statement *st, const struct root *root, struct error *err)
{
	const struct statement *same;
	int64_t seq;
	int r = find_batch(&same, &seq, store, statement_hash(st), err);

	if (r <= 0)
		return r < 0 ? r : REPO_SEEN;
	r = store_check_root(st, root, err);
	return r < 0 ? r : batch_verify(st, root, err);
}

static int absent_batch(const struct statement *st, struct error *err)
{
	return error_set(err, E_DENIED, "%s is of a batch that is not archived here: post the batch first",
			 statement_type_name(statement_type(st)));
}

/* How many controls of a batch there are with this action; of any with NULL. */
static int count_controls(int64_t *out, struct store *store, int64_t seq, const char *action, struct error *err)
{
	*out = 0;
	return sql_count(
		store,
		sql_query(store, "SELECT count(*) FROM control WHERE batch = ?1 AND action = coalesce(?2, action)", "is", seq, action), out,
		err);
}

int store_judge_control(struct store *store, const struct statement *st, const struct root *root, struct error *err)
{
	const char *action = statement_get(st, "action");
	int64_t seq, same = 0, aborts, all;
	const struct statement *batch;
	uint8_t about[HASH_LEN];
	int r;

	statement_get_hash(about, st, "batch");
	r = find_batch(&batch, &seq, store, about, err);
	if (r != 0)
		return r < 0 ? r : absent_batch(st, err);
	if (sql_count(store, sql_query(store, "SELECT count(*) FROM control WHERE batch = ? AND hash = ?", "ih", seq, statement_hash(st)),
		      &same, err) < 0)
		return err->code;
	if (same)
		return REPO_SEEN;
	if (store_check_root(st, root, err) < 0 || control_verify(st, batch, root, err) < 0 ||
	    count_controls(&aborts, store, seq, "abort", err) < 0 || count_controls(&all, store, seq, NULL, err) < 0)
		return err->code;
	if (aborts)
		return error_set(err, E_DENIED, "the batch was aborted: nothing more can be decided about it");
	if (all >= CONTROLS_PER_BATCH && strcmp(action, "abort") != 0)
		return error_set(err, E_LIMIT, "there are %d decisions about the batch: it can only be aborted now", CONTROLS_PER_BATCH);
	return 0;
}

/* What the device's other orders say against it. */
static int judge_device(struct store *store, int64_t seq, const struct statement *st, struct error *err)
{
	const char *device = statement_get(st, "device");
	unsigned long long number = statement_number(st, "order");
	int64_t admitted = 0, retired = 0, here = 0, highest = 0;

	if (sql_count(store, sql_query(store, "SELECT admit IS NOT NULL FROM device WHERE id = ?", "s", device), &admitted, err) < 0 ||
	    sql_count(store, sql_query(store, "SELECT retired != '' FROM state WHERE device = ?", "s", device), &retired, err) < 0 ||
	    sql_count(store, sql_query(store, "SELECT count(*) FROM orders WHERE batch = ? AND device = ?", "is", seq, device), &here,
		      err) < 0 ||
	    sql_count(store, sql_query(store, "SELECT max(number) FROM orders WHERE device = ?", "s", device), &highest, err) < 0)
		return err->code;
	if (!admitted)
		return error_set(err, E_DENIED, "order is for device '%s', which is not admitted here", device);
	if (retired && strcmp(statement_get(st, "kind"), "shred") != 0)
		return error_set(err, E_DENIED, "device '%s' is retired: there is nobody to obey an order", device);
	if (here)
		return error_set(err, E_DENIED, "device '%s' has another order in this batch", device);
	if (number <= (uint64_t)highest)
		return error_set(err, E_DENIED,
				 "order %llu of device '%s' is not above %lld, its newest: another plan came first; plan again", number,
				 device, (long long)highest);
	return 0;
}

int store_judge_order(struct store *store, const struct container *c, struct error *err)
{
	const struct order_proof *proof = statement_proof(c->st);
	const struct statement *batch;
	sqlite3_stmt *q;
	bool is_same;
	int64_t seq;
	int r = find_batch(&batch, &seq, store, proof->batch, err);

	if (r != 0)
		return r < 0 ? r : absent_batch(c->st, err);
	r = order_verify(c->st, batch, err);
	if (r < 0)
		return r;
	if (statement_get(c->st, "payload") && !container_seal(c, "payload").ptr)
		return error_set(err, E_FORMAT, "the payload of an order has number 1");
	q = sql_query(store, "SELECT hash FROM orders WHERE batch = ? AND idx = ?", "ii", seq, (int64_t)proof->index);
	r = sql_row(store, q, err);
	if (r < 0)
		return r;
	if (r > 0)
		return judge_device(store, seq, c->st, err);
	is_same = sql_same_hash(q, 0, c->st);
	sql_done(q);
	return is_same ? REPO_SEEN : error_set(err, E_DENIED, "the batch has another order with index %u", proof->index);
}

/* ---- entering ---- */

static bool changed_anything(const struct store *store)
{
	return sqlite3_changes(store->db) > 0;
}

int store_enter_batch(struct store *store, const struct statement *st, struct error *err)
{
	char id[ID_LEN + 1];
	int64_t seq;

	batch_id(id, st);
	if (sql_run(store,
		    sql_query(store, "INSERT OR IGNORE INTO batch(id, hash, whole, time_s, expires_s) VALUES(?, ?, ?, ?, ?)", "shbii", id,
			      statement_hash(st), statement_whole(st), statement_time(st, "time"), statement_time(st, "expires")),
		    err) < 0)
		return err->code;
	if (!changed_anything(store))
		return 0;
	seq = sqlite3_last_insert_rowid(store->db);
	for (size_t i = 0; i < batch_waves(st); i++)
		if (sql_run(store, sql_query(store, "INSERT INTO wave(batch, wave, ends) VALUES(?, ?, ?)", "iii", seq, (int64_t)i,
					     (int64_t)batch_wave_end(st, i)), err) < 0)
			return err->code;
	return 0;
}

int store_enter_control(struct store *store, const struct statement *st, struct error *err)
{
	const struct statement *batch;
	uint8_t about[HASH_LEN];
	int64_t seq;
	int r;

	statement_get_hash(about, st, "batch");
	r = find_batch(&batch, &seq, store, about, err);
	if (r != 0)
		return r < 0 ? r : absent_batch(st, err);
	return sql_run(store,
		       sql_query(store,
				 "INSERT OR IGNORE INTO control(batch, seq, action, hash, whole) VALUES(?1, (SELECT count(*) FROM control "
				 "WHERE batch = ?1),"
				 " ?2, ?3, ?4)",
				 "ishb", seq, statement_get(st, "action"), statement_hash(st), statement_whole(st)),
		       err);
}

/* What a receipt says, as far as the index keeps it. */
struct answer {
	const char *device, *batch, *outcome, *refusal, *note;
	uint64_t order, number;
	const uint8_t *leaf;
	int64_t time_s, commit_s;
	struct bytes whole;
};

/* The first last receipt of an order is the one that counts. */
static int settle(struct store *store, int64_t id, const struct answer *a, bool is_first, struct error *err)
{
	bool is_last = order_outcome_is_last(a->outcome);

	/* a device that is erased has no key any more */
	if (!strcmp(a->outcome, "done")) {
		if (sql_run(store,
			    sql_query(store,
				      "UPDATE state SET retired = 'wiped' WHERE device = (SELECT device FROM orders WHERE id = ? AND"
				      " kind IN ('factory-reset', 'purge'))",
				      "i", id),
			    err) < 0)
			return err->code;
		if (changed_anything(store))
			store_change_signers(store);
	}
	if (sql_run(store,
		    sql_query(store,
			      "UPDATE orders SET outcome = ?, refusal = ?, note = ?, receipt = ?, time_s = ?, settled = ? WHERE id = ?",
			      "sssiiii", a->outcome, a->refusal, a->note, (int64_t)a->number, a->time_s, (int64_t)is_last, id),
		    err) < 0 ||
	    sql_run(store, sql_query(store, "UPDATE order_text SET receipt = ? WHERE id = ?", "bi", a->whole, id), err) < 0)
		return err->code;
	return sql_run(store,
		       sql_query(store,
				 "UPDATE wave SET answered = answered + ?, settled = settled + ?, done = done + ?, failed = failed + ?"
				 " WHERE (batch, wave) = (SELECT batch, wave FROM orders WHERE id = ?)",
				 "iiiii", (int64_t)is_first, (int64_t)is_last, (int64_t)!strcmp(a->outcome, "done"),
				 (int64_t)order_outcome_is_failure(a->outcome), id),
		       err);
}

static int place(struct store *store, const char *device, uint64_t order, uint64_t receipt, int64_t commit_s, struct error *err)
{
	sqlite3_stmt *q =
		sql_query(store, "SELECT id FROM orders WHERE device = ? AND number = ? AND receipt = ? AND settled = 1 AND settled_s = 0",
			  "sii", device, (int64_t)order, (int64_t)receipt);
	int64_t id;
	int r = sql_row(store, q, err);

	if (r != 0)
		return r < 0 ? r : 0;
	id = sqlite3_column_int64(q, 0);
	sql_done(q);
	if (sql_run(store, sql_query(store, "UPDATE orders SET settled_s = ? WHERE id = ?", "ii", commit_s, id), err) < 0)
		return err->code;
	return sql_run(store, sql_query(store,
					"UPDATE wave SET placed = placed + 1, settled_s = max(settled_s, ?)"
					" WHERE (batch, wave) = (SELECT batch, wave FROM orders WHERE id = ?)", "ii", commit_s, id), err);
}

/* Puts a receipt to the order that it names, if that is there. */
static int answer(struct store *store, const struct answer *a, struct error *err)
{
	sqlite3_stmt *q = sql_query(store,
				    "SELECT o.id, o.settled, o.outcome = '' FROM orders o JOIN batch b ON b.seq = o.batch"
				    " WHERE o.device = ? AND o.number = ? AND o.hash = ? AND b.id = ?",
				    "sihs", a->device, (int64_t)a->order, a->leaf, a->batch);
	bool is_settled, is_first;
	int64_t id;
	int r = sql_row(store, q, err);

	if (r != 0)
		return r < 0 ? r : 0;
	id = sqlite3_column_int64(q, 0);
	is_settled = sqlite3_column_int(q, 1);
	is_first = sqlite3_column_int(q, 2);
	sql_done(q);
	if (is_settled)
		return 0;
	r = settle(store, id, a, is_first, err);
	return r < 0 || !a->commit_s ? r : place(store, a->device, a->order, a->number, a->commit_s, err);
}

int store_enter_receipt(struct store *store, const struct statement *st, struct error *err)
{
	uint8_t leaf[HASH_LEN], about[HASH_LEN];
	struct answer a = { .device = statement_get(st, "device"),
			    .outcome = statement_get(st, "outcome"),
			    .refusal = statement_get(st, "check"),
			    .note = statement_get(st, "note"),
			    .order = statement_number(st, "order"),
			    .number = statement_number(st, "number"),
			    .leaf = leaf,
			    .time_s = statement_time(st, "time"),
			    .whole = statement_whole(st) };
	char batch[ID_LEN + 1];

	statement_get_hash(leaf, st, "leaf");
	statement_get_hash(about, st, "batch");
	id_of_hash(batch, about);
	a.batch = batch;
	return answer(store, &a, err);
}

/* Receipts that came before their order: after the server was set back to an older copy, for instance. */
static int answer_at_once(struct store *store, const char *batch, const struct statement *order, struct error *err)
{
	const char *device = statement_get(order, "device");
	sqlite3_stmt *q = sql_query(store,
				    "SELECT number, order_number, outcome, refusal, note, time_s,"
				    " coalesce((SELECT m.time_s FROM commits m WHERE m.position <= c.position ORDER BY m.position DESC "
				    "LIMIT 1), 0) FROM chain c"
				    " WHERE device = ? AND leaf = ? AND type = 12 AND batch = ? ORDER BY number",
				    "shs", device, statement_hash(order), batch);
	int r;

	while ((r = sql_row(store, q, err)) == 0) {
		char outcome[64], refusal[64], note[912];
		struct answer a = { .device = device,
				    .batch = batch,
				    .outcome = outcome,
				    .refusal = refusal,
				    .note = note,
				    .number = (uint64_t)sqlite3_column_int64(q, 0),
				    .order = (uint64_t)sqlite3_column_int64(q, 1),
				    .leaf = statement_hash(order),
				    .time_s = sqlite3_column_int64(q, 5),
				    .commit_s = sqlite3_column_int64(q, 6) };

		sql_text(outcome, sizeof(outcome), q, 2);
		sql_text(refusal, sizeof(refusal), q, 3);
		sql_text(note, sizeof(note), q, 4);
		if (answer(store, &a, err) < 0) {
			sql_done(q);
			return err->code;
		}
	}
	return r < 0 ? r : 0;
}

int store_enter_order(struct store *store, const struct statement *st, struct error *err)
{
	const struct order_proof *proof = statement_proof(st);
	const struct statement *batch;
	char id[ID_LEN + 1], after[ID_LEN + 1] = "";
	uint8_t erase[HASH_LEN];
	int64_t seq, wave;
	int r = find_batch(&batch, &seq, store, proof->batch, err);

	if (r != 0)
		return r < 0 ? r : absent_batch(st, err);
	wave = (int64_t)batch_wave_of(batch, proof->index);
	if (statement_get_hash(erase, st, "after"))
		id_of_hash(after, erase);
	if (sql_run(store,
		    sql_query(store,
			      "INSERT OR IGNORE INTO orders(batch, idx, wave, device, number, hash, grouped, kind, after)"
			      " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
			      "iiisihiss", seq, (int64_t)proof->index, wave, statement_get(st, "device"),
			      (int64_t)statement_number(st, "order"), statement_hash(st), (int64_t)(statement_get(st, "member") != NULL),
			      statement_get(st, "kind"), after),
		    err) < 0)
		return err->code;
	if (!changed_anything(store))
		return 0;
	if (sql_run(store,
		    sql_query(store, "INSERT OR REPLACE INTO order_text(id, whole) VALUES(?, ?)", "ib",
			      sqlite3_last_insert_rowid(store->db), statement_whole(st)),
		    err) < 0 ||
	    sql_run(store, sql_query(store, "UPDATE batch SET orders = orders + 1 WHERE seq = ?", "i", seq), err) < 0 ||
	    sql_run(store, sql_query(store, "UPDATE wave SET orders = orders + 1 WHERE batch = ? AND wave = ?", "ii", seq, wave), err) <
		    0 ||
	    sql_run(store,
		    sql_query(store, "UPDATE device SET shreds = shreds + (?1 = 'shred') WHERE id = ?2", "ss", statement_get(st, "kind"),
			      statement_get(st, "device")),
		    err) < 0)
		return err->code;
	if (!strcmp(statement_get(st, "kind"), "shred"))
		store_change_signers(store);
	id_of_hash(id, proof->batch);
	return answer_at_once(store, id, st, err);
}

int store_place_receipt(struct store *store, const struct statement *receipt, int64_t commit_s, struct error *err)
{
	return place(store, statement_get(receipt, "device"), statement_number(receipt, "order"), statement_number(receipt, "number"),
		     commit_s, err);
}

/* ---- orders to shred: the archive's own word answers them ---- */

/* The row that a shredded statement is about; REPO_ABSENT. */
static int find_shred(int64_t *id, struct store *store, const struct statement *st, struct error *err)
{
	uint8_t leaf[HASH_LEN];
	sqlite3_stmt *q;
	int r;

	statement_get_hash(leaf, st, "leaf");
	q = sql_query(store, "SELECT id FROM orders WHERE device = ? AND hash = ? AND kind = 'shred'", "sh", statement_get(st, "device"),
		      leaf);
	r = sql_row(store, q, err);
	if (r != 0)
		return r;
	*id = sqlite3_column_int64(q, 0);
	sql_done(q);
	return 0;
}

int store_settle_shred(struct store *store, const struct statement *st, struct error *err)
{
	struct answer a = { .outcome = "done", .time_s = statement_time(st, "time"), .whole = statement_whole(st) };
	int64_t id, settled = 0;
	int r = find_shred(&id, store, st, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (sql_count(store, sql_query(store, "SELECT settled FROM orders WHERE id = ?", "i", id), &settled, err) < 0)
		return err->code;
	return settled ? 0 : settle(store, id, &a, true, err);
}

int store_place_shredded(struct store *store, const struct statement *st, int64_t commit_s, struct error *err)
{
	int64_t id, number = 0;
	int r = strcmp(statement_get(st, "by"), "archive") != 0 ? REPO_ABSENT : find_shred(&id, store, st, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (sql_count(store, sql_query(store, "SELECT number FROM orders WHERE id = ?", "i", id), &number, err) < 0)
		return err->code;
	return place(store, statement_get(st, "device"), (uint64_t)number, 0, commit_s, err);
}

/* ---- rows ---- */

int store_batches(struct store *store, const char *device, repo_batch_fn fn, void *ctx, struct error *err)
{
	sqlite3_stmt *q =
		device ? sql_query(store,
				   "SELECT DISTINCT batch.id FROM orders JOIN batch ON batch.seq = orders.batch WHERE orders.device = ?"
				   " ORDER BY batch.time_s DESC, batch.id DESC",
				   "s", device) :
			 sql_query(store, "SELECT id FROM batch ORDER BY time_s DESC, id DESC", "");
	int r;

	while ((r = sql_row(store, q, err)) == 0) {
		if (fn(ctx, (const char *)sqlite3_column_text(q, 0))) {
			sql_done(q);
			return 0;
		}
	}
	return r < 0 ? r : 0;
}

static int read_waves(struct repo_batch *out, struct store *store, int64_t seq, struct error *err)
{
	sqlite3_stmt *q = sql_query(
		store, "SELECT ends, orders, answered, settled, done, failed, placed, settled_s FROM wave WHERE batch = ? ORDER BY wave",
		"i", seq);
	int r;

	while ((r = sql_row(store, q, err)) == 0 && out->wave_count < ORDER_WAVES_MAX) {
		uint32_t n[7];

		for (int i = 0; i < 7; i++)
			n[i] = (uint32_t)sqlite3_column_int64(q, i);
		out->waves[out->wave_count++] = (struct repo_wave){ n[0], n[1], n[2], n[3], n[4], n[5], n[6], sqlite3_column_int64(q, 7) };
	}
	if (r == 0)
		sql_done(q);
	return r < 0 ? r : 0;
}

static int read_controls(struct buf *out, struct store *store, int64_t seq, struct error *err)
{
	sqlite3_stmt *q = sql_query(store, "SELECT whole FROM control WHERE batch = ? ORDER BY seq", "i", seq);
	int r;

	while ((r = sql_row(store, q, err)) == 0)
		sql_blob(out, q, 0);
	return r < 0 ? r : 0;
}

int store_batch(struct repo_batch *out, struct buf *statement, struct buf *controls, struct store *store, const char *id, struct error *err)
{
	sqlite3_stmt *q = sql_query(store, "SELECT seq, orders, whole FROM batch WHERE id = ?", "s", id);
	uint32_t orders;
	int64_t seq;
	int r = sql_row(store, q, err);

	if (r != 0)
		return r;
	seq = sqlite3_column_int64(q, 0);
	orders = (uint32_t)sqlite3_column_int64(q, 1);
	if (statement)
		sql_blob(statement, q, 2);
	sql_done(q);
	if (out) {
		*out = (struct repo_batch){ .orders = orders };
		r = read_waves(out, store, seq, err);
	}
	return r == 0 && controls ? read_controls(controls, store, seq, err) : r;
}

/* Also where a query needs more: what follows the last column is the caller's. */
#define ORDER_COLUMNS                                                                                                               \
	"SELECT b.id, o.device, (SELECT name FROM device d WHERE d.id = o.device), o.idx, o.wave, o.number, o.outcome, o.refusal, o.note," \
	" o.receipt, o.time_s, o.settled, o.grouped, o.kind, o.after"
enum { ORDER_COLUMN_COUNT = 15 };

static void take_order(struct repo_order *out, sqlite3_stmt *q)
{
	*out = (struct repo_order){ .index = (uint32_t)sqlite3_column_int64(q, 3), .wave = (uint32_t)sqlite3_column_int64(q, 4),
				    .number = (uint64_t)sqlite3_column_int64(q, 5), .receipt = (uint64_t)sqlite3_column_int64(q, 9),
				    .time_s = sqlite3_column_int64(q, 10), .is_settled = sqlite3_column_int(q, 11),
				    .is_grouped = sqlite3_column_int(q, 12) };
	sql_text(out->batch, sizeof(out->batch), q, 0);
	sql_text(out->device, sizeof(out->device), q, 1);
	sql_text(out->name, sizeof(out->name), q, 2);
	sql_text(out->outcome, sizeof(out->outcome), q, 6);
	sql_text(out->check, sizeof(out->check), q, 7);
	sql_text(out->note, sizeof(out->note), q, 8);
	sql_text(out->kind, sizeof(out->kind), q, 13);
	sql_text(out->after, sizeof(out->after), q, 14);
}

static int each_order(struct store *store, sqlite3_stmt *q, repo_order_fn fn, void *ctx, struct error *err)
{
	struct repo_order order;
	int r;

	while ((r = sql_row(store, q, err)) == 0) {
		take_order(&order, q);
		if (fn(ctx, &order)) {
			sql_done(q);
			return 0;
		}
	}
	return r < 0 ? r : 0;
}

int store_orders(struct store *store, const char *batch, uint32_t from, uint32_t to, repo_order_fn fn, void *ctx, struct error *err)
{
	return each_order(store,
			  sql_query(store,
				    ORDER_COLUMNS " FROM batch b JOIN orders o ON o.batch = b.seq"
						  " WHERE b.id = ? AND o.idx >= ? AND o.idx < ? ORDER BY o.idx",
				    "sii", batch, (int64_t)from, (int64_t)to),
			  fn, ctx, err);
}

int store_open_orders(struct store *store, const char *device, repo_order_fn fn, void *ctx, struct error *err)
{
	sqlite3_stmt *q =
		device ? sql_query(store,
				   ORDER_COLUMNS " FROM orders o JOIN batch b ON b.seq = o.batch"
						 " WHERE o.device = ? AND o.settled = 0 ORDER BY o.number",
				   "s", device) :
			 sql_query(store,
				   ORDER_COLUMNS
				   " FROM orders o JOIN batch b ON b.seq = o.batch WHERE o.settled = 0 ORDER BY o.device, o.number",
				   "");

	return each_order(store, q, fn, ctx, err);
}

int store_open_shreds(struct store *store, repo_order_fn fn, void *ctx, struct error *err)
{
	return each_order(store,
			  sql_query(store,
				    ORDER_COLUMNS " FROM orders o JOIN batch b ON b.seq = o.batch WHERE o.settled = 0 AND o.kind = 'shred'"
						  " ORDER BY o.id",
				    ""),
			  fn, ctx, err);
}

int store_order(struct repo_order *out, struct buf *text, struct buf *receipt, struct store *store, const char *batch, const char *device,
		struct error *err)
{
	sqlite3_stmt *q = sql_query(store, ORDER_COLUMNS ", t.whole, t.receipt FROM batch b JOIN orders o ON o.batch = b.seq"
				    " LEFT JOIN order_text t ON t.id = o.id WHERE b.id = ? AND o.device = ?", "ss", batch, device);
	int r = sql_row(store, q, err);

	if (r != 0)
		return r;
	take_order(out, q);
	if (text)
		sql_blob(text, q, ORDER_COLUMN_COUNT);
	if (receipt)
		sql_blob(receipt, q, ORDER_COLUMN_COUNT + 1);
	sql_done(q);
	return 0;
}

int store_policy(struct repo_order *out, struct store *store, const char *device, bool is_done, struct error *err)
{
	sqlite3_stmt *q = sql_query(store,
				    ORDER_COLUMNS " FROM orders o JOIN batch b ON b.seq = o.batch WHERE o.device = ?1 AND o.kind = 'policy'"
						  " AND (NOT ?2 OR o.outcome = 'done') ORDER BY o.number DESC LIMIT 1",
				    "si", device, (int64_t)is_done);
	int r = sql_row(store, q, err);

	if (r != 0)
		return r;
	take_order(out, q);
	sql_done(q);
	return 0;
}

int store_is_policy_kept(bool *out, struct store *store, const char *batch, const char *device, struct error *err)
{
	struct repo_order order;
	int64_t retired = 0;
	int r = 0;

	*out = false;
	if (sql_count(store, sql_query(store, "SELECT retired != '' FROM state WHERE device = ?", "s", device), &retired, err) < 0)
		return err->code;
	for (int i = 0; i < 2 && r >= 0 && !*out && !retired; i++) {
		r = store_policy(&order, store, device, i, err);
		*out = r == 0 && !strcmp(order.batch, batch);
	}
	return r < 0 ? r : 0;
}

int store_receipts(struct store *store, const char *batch, store_receipt_fn fn, void *ctx, struct error *err)
{
	sqlite3_stmt *q = sql_query(
		store,
		"SELECT o.device, o.receipt, t.receipt FROM batch b JOIN orders o ON o.batch = b.seq LEFT JOIN order_text t ON t.id = o.id"
		" WHERE b.id = ? AND o.receipt > 0 ORDER BY o.idx",
		"s", batch);
	int r;

	while ((r = sql_row(store, q, err)) == 0) {
		struct bytes whole = bytes_of(sqlite3_column_blob(q, 2), (size_t)sqlite3_column_bytes(q, 2));

		if (fn(ctx, (const char *)sqlite3_column_text(q, 0), (uint64_t)sqlite3_column_int64(q, 1), whole)) {
			sql_done(q);
			return 0;
		}
	}
	return r < 0 ? r : 0;
}

int store_order_end(int64_t *out, struct store *store, const char *batch, const char *device, struct error *err)
{
	sqlite3_stmt *q =
		sql_query(store,
			  "SELECT CASE WHEN o.settled THEN o.settled_s ELSE b.expires_s END FROM batch b JOIN orders o ON o.batch = b.seq"
			  " WHERE b.id = ? AND o.device = ?",
			  "ss", batch, device);
	int r = sql_row(store, q, err);

	if (r != 0)
		return r;
	*out = sqlite3_column_int64(q, 0);
	sql_done(q);
	return 0;
}

int store_forget_texts(struct store *store, int64_t before_s, struct error *err)
{
	return sql_run(store,
		       sql_query(store,
				 "DELETE FROM order_text WHERE id IN (SELECT o.id FROM orders o JOIN batch b ON b.seq = o.batch WHERE"
				 " CASE WHEN o.settled THEN o.settled_s ELSE b.expires_s END BETWEEN 1 AND ?)",
				 "i", before_s - 1),
		       err);
}
