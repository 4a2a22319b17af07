/* repo/store.c -- the index in SQLite. */
#include "repo/paced.h"
#include "repo/store-firmware.h"
#include "repo/store-judge.h"
#include "repo/store-retire.h"
#include "repo/store-state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ENROLS_PER_INVITE = 8,
	FORKS_PER_DEVICE = 16,
	WAL_PAGES_MAX = 65536, /* 256 MiB */
	SCHEMA_VERSION = 8, /* raised with every change of the schema: an index of another version is made anew */
};

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, text TEXT, number INTEGER) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS root(version INTEGER PRIMARY KEY, whole BLOB NOT NULL);"
	"CREATE TABLE IF NOT EXISTS invite(id TEXT PRIMARY KEY, hash BLOB NOT NULL) WITHOUT ROWID;"
	/* what a device was when it joined, and what operators said of it */
	"CREATE TABLE IF NOT EXISTS device(id TEXT PRIMARY KEY, name TEXT NOT NULL DEFAULT '', labels TEXT NOT NULL DEFAULT '',"
	" driver TEXT, model TEXT, serial TEXT, firmware TEXT, invite TEXT, key TEXT, box TEXT, enrol BLOB, admit BLOB, enrolled_s INTEGER,"
	" shreds INTEGER NOT NULL DEFAULT 0);"
	"CREATE INDEX IF NOT EXISTS device_by_name ON device(name, id);"
	"CREATE INDEX IF NOT EXISTS device_by_invite ON device(invite);"
	/* in the order of arrival, so that new rows share pages; a row has no position while it is not packed */
	"CREATE TABLE IF NOT EXISTS chain(id INTEGER PRIMARY KEY, device TEXT NOT NULL, number INTEGER NOT NULL, type INTEGER, time_s "
	"INTEGER,"
	" position INTEGER, reason TEXT, saved TEXT, mode TEXT, note TEXT, epoch INTEGER, added INTEGER, removed INTEGER, hash BLOB,"
	/* of receipts */
	" order_number INTEGER, batch TEXT, leaf BLOB, outcome TEXT, refusal TEXT, evidence TEXT);"
	"CREATE UNIQUE INDEX IF NOT EXISTS chain_by_number ON chain(device, number);"
	"CREATE INDEX IF NOT EXISTS chain_by_epoch ON chain(device, epoch) WHERE type = 4;"
	"CREATE INDEX IF NOT EXISTS chain_by_leaf ON chain(device, leaf) WHERE type = 12;"
	"CREATE INDEX IF NOT EXISTS chain_unpacked ON chain(id) WHERE position IS NULL;"
	/* which commit holds the places of the log from here on */
	"CREATE TABLE IF NOT EXISTS commits(position INTEGER PRIMARY KEY, id TEXT NOT NULL, time_s INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS fork(device TEXT, hash BLOB, misuse INTEGER NOT NULL, PRIMARY KEY(device, hash)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS log(position INTEGER PRIMARY KEY, leaf BLOB NOT NULL);"
	/* what else is journaled and has no place in the log yet: few rows, and after a start exactly those of the journal */
	"CREATE TABLE IF NOT EXISTS unpacked(leaf BLOB PRIMARY KEY) WITHOUT ROWID;";

static const char *const tables[] = { "meta",
				      "root",
				      "invite",
				      "device",
				      "chain",
				      "commits",
				      "fork",
				      "log",
				      "unpacked",
				      STORE_ORDER_TABLES,
				      STORE_RETIRE_TABLES,
				      STORE_STATE_TABLES,
				      STORE_FIRMWARE_TABLES,
				      STORE_JUDGE_TABLES };

/* "DROP TABLE IF EXISTS meta;" or "DELETE FROM meta;" and so on for all. */
static int each_table(struct store *store, const char *what, struct error *err)
{
	_cleanup_(buf_done) struct buf sql = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		buf_addf(&sql, "%s %s;", what, tables[i]);
	return sql_exec(store, buf_text(&sql), err);
}

static int make_tables(struct store *store, struct error *err)
{
	int64_t version = 0;

	if (sql_count(store, sql_query(store, "PRAGMA user_version", ""), &version, err) < 0)
		return err->code;
	if (version == SCHEMA_VERSION)
		return 0;
	if (each_table(store, "DROP TABLE IF EXISTS", err) < 0 || sql_exec(store, schema, err) < 0 ||
	    sql_exec(store, store_order_schema, err) < 0 || sql_exec(store, store_retire_schema, err) < 0 ||
	    sql_exec(store, store_state_schema, err) < 0 || sql_exec(store, store_firmware_schema, err) < 0 ||
	    sql_exec(store, store_judge_schema, err) < 0)
		return err->code;
	static_assert(SCHEMA_VERSION == 8, "the number is part of a text");
	return sql_exec(store, "PRAGMA user_version = 8", err);
}

/* In place of SQLite's own checkpoint after each 1,000 pages, which keeps whoever commits waiting for the disk: store_checkpoint() is
 * called beside them, and this is for when it is not. */
static int note_wal(void *ctx, sqlite3 *db, const char *name, int pages)
{
	struct store *store = ctx;

	store->wal_pages = (unsigned)pages;
	if (pages >= WAL_PAGES_MAX)
		sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return SQLITE_OK;
}

int store_open(struct store **out, const char *path, struct error *err)
{
	struct store *store = mem_alloc(sizeof(*store));
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	int r = 0;

	/* it counts its memory behind a lock, for nobody; refused once the first index is open */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	if (sqlite3_open_v2(path, &store->db, flags, paced_vfs()) != SQLITE_OK)
		r = sql_fail(err, store);
	if (r == 0)
		sqlite3_busy_timeout(store->db, 10000);
	if (r == 0 &&
	    sql_exec(store, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON; PRAGMA cache_size=-16000;", err) <
		    0)
		r = err->code;
	if (r == 0)
		r = make_tables(store, err);
	if (r == 0)
		sqlite3_wal_hook(store->db, note_wal, store);
	if (r < 0) {
		store_close(store);
		return error_add(err, "'%s' (it can be deleted and made anew with 'holdfastd reindex')", path);
	}
	store->signers_state = 1;
	*out = store;
	return 0;
}

void store_writes(struct store *store)
{
	sqlite3_exec(store->db, "PRAGMA cache_size=-64000", NULL, NULL, NULL); /* without it, it is only slower */
}

struct store *store_close(struct store *store)
{
	if (!store)
		return NULL;
	for (size_t i = 0; i < store->prepared_count; i++)
		sqlite3_finalize(store->prepared[i].st);
	statement_free(store->batch);
	sqlite3_close(store->db);
	free(store);
	return NULL;
}

int store_begin(struct store *store, struct error *err)
{
	return sql_run(store, sql_query(store, "BEGIN IMMEDIATE", ""), err);
}

int store_commit(struct store *store, struct error *err)
{
	int r = sql_run(store, sql_query(store, "COMMIT", ""), err);

	if (r == 0 && store->signers_change) {
		store->signers_change = false;
		store->signers_state++;
	}
	return r;
}

void store_change_signers(struct store *store)
{
	store->signers_change = true;
}

uint64_t store_signers_state(const struct store *store)
{
	return store->signers_state;
}

void store_rollback(struct store *store)
{
	sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

int store_checkpoint(struct store *store, struct error *err)
{
	int r = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

	return r == SQLITE_OK || r == SQLITE_BUSY ? 0 : sql_fail(err, store);
}

unsigned store_wal_pages(const struct store *store)
{
	return store->wal_pages;
}

int store_clear(struct store *store, struct error *err)
{
	store->signers_state++;
	return each_table(store, "DELETE FROM", err);
}

/* ---- judging ---- */

static int judge_root(struct store *store, struct statement *const *st, const struct root *now, struct error *err)
{
	_cleanup_(buf_done) struct buf old = { 0 };
	_cleanup_(root_freep) struct root *next = NULL;
	struct statement *copy = NULL;
	int r = store_root(&old, store, statement_number(*st, "version"), err);

	if (r < 0)
		return r;
	if (r == 0 && old.len >= statement_text(*st).len &&
	    bytes_equal(bytes_of(old.ptr, statement_text(*st).len), statement_text(*st)))
		return REPO_SEEN;
	r = statement_parse(&copy, statement_whole(*st), false, NULL, err);
	if (r == 0)
		r = root_new(&next, copy, err);
	if (r < 0)
		return r;
	return now ? root_succeeds(now, next, err) : root_accept_first(next, NULL, err);
}

static int judge_enrol(struct store *store, const struct statement *st, struct error *err)
{
	const char *invite = statement_get(st, "invite");
	int64_t others = 0, invites = 0;

	if (statement_number(st, "number") != 1)
		return error_set(err, E_DENIED, "an enrolment has number 1, not %s", statement_get(st, "number"));
	if (sql_count(store, sql_query(store, "SELECT count(*) FROM invite WHERE id = ?", "s", invite), &invites, err) < 0 ||
	    sql_count(store, sql_query(store, "SELECT count(*) FROM device WHERE invite = ?", "s", invite), &others, err) < 0)
		return err->code;
	if (!invites)
		return error_set(err, E_DENIED, "there is no invite '%s': ask for a new one", invite);
	if (others >= ENROLS_PER_INVITE)
		return error_set(err, E_LIMIT, "invite '%s' was used %d times already", invite, ENROLS_PER_INVITE);
	return 0;
}

static int judge_admit(struct store *store, const struct statement *st, struct error *err)
{
	sqlite3_stmt *q =
		sql_query(store, "SELECT c.hash, d.admit FROM device d JOIN chain c ON c.device = d.id AND c.number = 1 WHERE d.id = ?",
			  "s", statement_get(st, "device"));
	uint8_t enrol[HASH_LEN], named[HASH_LEN];
	bool seen = false;
	int r = sql_row(store, q, err);

	if (r < 0)
		return r;
	if (r > 0)
		return error_set(err, E_DENIED, "there is no enrolment of device '%s'", statement_get(st, "device"));
	sql_hash(enrol, q, 0);
	if ((size_t)sqlite3_column_bytes(q, 1) >= statement_text(st).len)
		seen = !memcmp(sqlite3_column_blob(q, 1), statement_text(st).ptr, statement_text(st).len);
	sql_done(q);
	if (seen)
		return REPO_SEEN;
	if (!statement_get_hash(named, st, "enrol") || memcmp(enrol, named, HASH_LEN) != 0)
		return error_set(err, E_DENIED, "the admission names another enrolment than the one there is");
	return 0;
}

/* One with a number that is taken: the same, or evidence. */
static int judge_again(struct store *store, const struct statement *st, bool *keep_fork, struct error *err)
{
	sqlite3_stmt *q = sql_query(store, "SELECT hash FROM chain WHERE device = ? AND number = ?", "si", statement_get(st, "device"),
				    (int64_t)statement_number(st, "number"));
	int r = sql_row(store, q, err);

	if (r != 0)
		return r < 0 ? r : error_set(err, E_FORMAT, "number 0 is no number of a chain");
	*keep_fork = !sql_same_hash(q, 0, st);
	sql_done(q);
	return *keep_fork ? REPO_FORK : REPO_SEEN;
}

static int judge_chain(struct store *store, const struct container *c, bool *keep_fork, struct error *err)
{
	const char *id = statement_get(c->st, "device");
	uint64_t number = statement_number(c->st, "number");
	struct state state;
	uint8_t prev[HASH_LEN];
	int r = store_state(&state, store, id, err);

	if (r < 0)
		return r;
	if (r > 0 && statement_type(c->st) == STATEMENT_ENROL)
		return judge_enrol(store, c->st, err);
	if (r > 0)
		return error_set(err, E_DENIED, "device '%s' is not enrolled", id);
	if (state.is_retired && number > state.head) {
		*keep_fork = true; /* its key is gone, or was given up: somebody uses it all the same */
		return REPO_FORK;
	}
	if (number > state.head + 1)
		return REPO_GAP;
	if (number <= state.head)
		return judge_again(store, c->st, keep_fork, err);
	if (!statement_get_hash(prev, c->st, "prev") || memcmp(prev, state.head_hash, HASH_LEN) != 0)
		return REPO_GAP;
	/* whatever it answers: a device tells of forged orders, too, and its chain must go on */
	if (statement_type(c->st) == STATEMENT_RECEIPT)
		return 0;
	if (statement_type(c->st) == STATEMENT_EPOCH)
		return statement_number(c->st, "epoch") == state.epoch + 1 ?
			       0 :
			       error_set(err, E_DENIED, "epoch %s does not follow epoch %llu", statement_get(c->st, "epoch"),
					 (unsigned long long)state.epoch);
	return store_judge_state(store, &state, c, err);
}

int store_judge(struct store *store, const struct container *c, const struct root *root, bool *keep_fork, struct error *err)
{
	sqlite3_stmt *q;
	int64_t n = 0;
	int r;

	*keep_fork = false;
	switch (statement_type(c->st)) {
	case STATEMENT_ROOT:
		return judge_root(store, &c->st, root, err);
	case STATEMENT_INVITE:
		q = sql_query(store, "SELECT hash FROM invite WHERE id = ?", "s", statement_get(c->st, "invite"));
		r = sql_row(store, q, err);
		if (r != 0)
			return r < 0 ? r : 0;
		n = sql_same_hash(q, 0, c->st);
		sql_done(q);
		return n ? REPO_SEEN : error_set(err, E_DENIED, "there is another invite '%s' already", statement_get(c->st, "invite"));
	case STATEMENT_ADMIT:
		return judge_admit(store, c->st, err);
	case STATEMENT_ENROL:
	case STATEMENT_EPOCH:
	case STATEMENT_SNAPSHOT:
	case STATEMENT_RECEIPT:
	case STATEMENT_VERDICT:
		return judge_chain(store, c, keep_fork, err);
	case STATEMENT_BATCH:
		return store_judge_batch(store, c->st, root, err);
	case STATEMENT_ORDER:
		return store_judge_order(store, c, err);
	case STATEMENT_CONTROL:
		return store_judge_control(store, c->st, root, err);
	case STATEMENT_SHREDDED:
	case STATEMENT_CERTIFICATE:
		return store_judge_said(store, c->st, err);
	case STATEMENT_JUDGEMENT:
		return store_judge_judgement(store, c, err);
	case STATEMENT_FIRMWARE:
		return store_judge_firmware(store, c->st, root, err);
	case STATEMENT_STATUS:
	case STATEMENT_CHECKPOINT:
	case STATEMENT_LOGIN:
	case STATEMENT_WAIVER:
		break;
	}
	return error_set(err, E_DENIED, "a %s is not archived", statement_type_name(statement_type(c->st)));
}

/* ---- entering ---- */

static int enter_enrol(struct store *store, const struct statement *st, struct error *err)
{
	store_change_signers(store);
	if (sql_run(store,
		    sql_query(store, "INSERT OR REPLACE INTO state(device, head, head_hash) VALUES(?, 1, ?)", "sh",
			      statement_get(st, "device"), statement_hash(st)),
		    err) < 0)
		return err->code;
	return sql_run(store,
		       sql_query(store,
				 "INSERT OR REPLACE INTO device(id, driver, model, serial, firmware, invite, key, box, enrol, enrolled_s)"
				 " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
				 "ssssssssbi", statement_get(st, "device"), statement_get(st, "driver"), statement_get(st, "model"),
				 statement_get(st, "serial"), statement_get(st, "firmware"), statement_get(st, "invite"),
				 statement_get(st, "key"), statement_get(st, "box"), statement_whole(st), statement_time(st, "time")),
		       err);
}

static int enter_admit(struct store *store, const struct statement *st, struct error *err)
{
	_cleanup_(buf_done) struct buf labels = { 0 };
	const char *label;

	store_change_signers(store);
	for (size_t i = 0; (label = statement_at(st, "label", i)); i++)
		buf_addf(&labels, "%s%s", i ? " " : "", label);
	return sql_run(store,
		       sql_query(store, "UPDATE device SET name = ?, labels = ?, admit = ? WHERE id = ?", "ssbs",
				 statement_get(st, "device-name"), buf_text(&labels), statement_whole(st), statement_get(st, "device")),
		       err);
}

static int enter_receipt_row(struct store *store, const struct statement *st, struct error *err)
{
	uint8_t leaf[HASH_LEN] = { 0 }, about[HASH_LEN];
	char batch[ID_LEN + 1] = "";

	statement_get_hash(leaf, st, "leaf");
	if (statement_get_hash(about, st, "batch"))
		id_of_hash(batch, about);
	return sql_run(
		store,
		sql_query(
			store,
			"INSERT INTO chain(device, number, type, time_s, hash, order_number, batch, leaf, outcome, refusal, evidence, note)"
			" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			"siiihishssss", statement_get(st, "device"), (int64_t)statement_number(st, "number"), (int64_t)statement_type(st),
			statement_time(st, "time"), statement_hash(st), (int64_t)statement_number(st, "order"), batch, leaf,
			statement_get(st, "outcome"), statement_get(st, "check"), statement_get(st, "evidence"), statement_get(st, "note")),
		err);
}

/* "12 3": lines added and removed. */
static void take_changed(int64_t *added, int64_t *removed, const struct statement *st)
{
	const char *changed = statement_get(st, "changed"), *space = changed ? strchr(changed, ' ') : NULL;
	uint64_t a = 0, r = 0;

	if (space && (!number_parse(&a, bytes_of(changed, (size_t)(space - changed))) || !number_parse(&r, bytes_str(space + 1))))
		a = r = 0;
	*added = (int64_t)a;
	*removed = (int64_t)r;
}

static int enter_chain(struct store *store, const struct statement *st, struct error *err)
{
	int64_t added, removed;

	if (statement_type(st) == STATEMENT_RECEIPT)
		return enter_receipt_row(store, st, err);
	take_changed(&added, &removed, st);
	return sql_run(store,
		       sql_query(store,
				 "INSERT INTO chain(device, number, type, time_s, reason, saved, mode, note, epoch, added, removed, hash)"
				 " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
				 "siiissssiiih", statement_get(st, "device"), (int64_t)statement_number(st, "number"),
				 (int64_t)statement_type(st), statement_time(st, "time"), statement_get(st, "reason"),
				 statement_get(st, "saved"), statement_get(st, "mode"), statement_get(st, "note"),
				 (int64_t)statement_number(st, "epoch"), added, removed, statement_hash(st)),
		       err);
}

static int enter_head(struct store *store, const struct statement *st, struct error *err)
{
	const char *epoch = statement_get(st, "epoch"); /* a receipt has none */

	return sql_run(store,
		       sql_query(store, "UPDATE state SET head = ?, head_hash = ?, epoch = coalesce(?, epoch) WHERE device = ?", "ihss",
				 (int64_t)statement_number(st, "number"), statement_hash(st), epoch, statement_get(st, "device")),
		       err);
}

/* From here on the index knows a statement that only the journal holds. */
static int enter_unpacked(struct store *store, const struct statement *st, struct error *err)
{
	struct merkle_hash leaf = merkle_leaf(statement_text(st));

	return sql_run(store, sql_query(store, "INSERT OR IGNORE INTO unpacked(leaf) VALUES(?)", "h", leaf.b), err);
}

/* Is it a row of chain? That has no position while it is not packed. */
static bool is_of_chain(const struct statement *st)
{
	return statement_get(st, "number");
}

static int enter_snapshot(struct store *store, const struct statement *st, struct error *err)
{
	struct seal_ref refs[CONTAINER_SEALS_MAX];

	return store_enter_snapshot(store, st, refs, statement_seals(refs, st), err);
}

int store_enter(struct store *store, const struct statement *st, struct error *err)
{
	if (!is_of_chain(st) && enter_unpacked(store, st, err) < 0)
		return err->code;
	switch (statement_type(st)) {
	case STATEMENT_ROOT:
		return sql_run(store, sql_query(store, "INSERT OR REPLACE INTO root(version, whole) VALUES(?, ?)", "ib",
					(int64_t)statement_number(st, "version"), statement_whole(st)), err);
	case STATEMENT_INVITE:
		return sql_run(store,
			       sql_query(store, "INSERT OR REPLACE INTO invite(id, hash) VALUES(?, ?)", "sh", statement_get(st, "invite"),
					 statement_hash(st)),
			       err);
	case STATEMENT_ENROL:
		if (enter_enrol(store, st, err) < 0)
			return err->code;
		return enter_chain(store, st, err);
	case STATEMENT_ADMIT:
		return enter_admit(store, st, err);
	case STATEMENT_EPOCH:
		if (enter_chain(store, st, err) < 0)
			return err->code;
		return enter_head(store, st, err);
	case STATEMENT_SNAPSHOT:
		return enter_chain(store, st, err) < 0 ? err->code : enter_snapshot(store, st, err);
	case STATEMENT_RECEIPT:
		if (enter_chain(store, st, err) < 0 || enter_head(store, st, err) < 0)
			return err->code;
		return store_enter_receipt(store, st, err);
	case STATEMENT_VERDICT:
		if (enter_chain(store, st, err) < 0 || enter_head(store, st, err) < 0)
			return err->code;
		return store_enter_verdict(store, st, err);
	case STATEMENT_BATCH:
		return store_enter_batch(store, st, err);
	case STATEMENT_ORDER:
		return store_enter_order(store, st, err);
	case STATEMENT_CONTROL:
		return store_enter_control(store, st, err);
	case STATEMENT_SHREDDED:
	case STATEMENT_CERTIFICATE:
		return store_enter_said(store, st, err);
	case STATEMENT_JUDGEMENT:
		return store_enter_judgement(store, st, err);
	case STATEMENT_FIRMWARE:
		return store_enter_firmware(store, st, err);
	case STATEMENT_STATUS:
	case STATEMENT_CHECKPOINT:
	case STATEMENT_LOGIN:
	case STATEMENT_WAIVER:
		break;
	}
	return error_set(err, E_FORMAT, "a %s is not archived", statement_type_name(statement_type(st)));
}

int store_enter_fork(struct store *store, const struct statement *st, bool *is_new, struct error *err)
{
	const char *id = statement_get(st, "device");
	int64_t kept = 0, same = 0;

	if (sql_count(store, sql_query(store, "SELECT count(*) FROM fork WHERE device = ?", "s", id), &kept, err) < 0 ||
	    sql_count(store, sql_query(store, "SELECT count(*) FROM fork WHERE device = ? AND hash = ?", "sh", id, statement_hash(st)),
		      &same, err) < 0)
		return err->code;
	*is_new = !same && kept < FORKS_PER_DEVICE;
	if (!*is_new)
		return 0;
	if (enter_unpacked(store, st, err) < 0)
		return err->code;
	return sql_run(
		store,
		sql_query(store,
			  "INSERT INTO fork(device, hash, misuse) VALUES(?1, ?2, (SELECT retired != '' FROM state WHERE device = ?1))",
			  "sh", id, statement_hash(st)),
		err);
}

bool store_is_entered(struct store *store, const struct statement *st)
{
	struct error ignored;
	sqlite3_stmt *q;
	bool same;

	if (!statement_get(st, "number"))
		return false;
	q = sql_query(store, "SELECT hash FROM chain WHERE device = ? AND number = ?", "si", statement_get(st, "device"),
		  (int64_t)statement_number(st, "number"));
	if (sql_row(store, q, &ignored) != 0)
		return false;
	same = sql_same_hash(q, 0, st);
	sql_done(q);
	return same;
}

int store_add_commit(struct store *store, const char *commit, int64_t commit_s, uint64_t position, struct error *err)
{
	return sql_run(store,
		       sql_query(store, "INSERT OR REPLACE INTO commits(position, id, time_s) VALUES(?, ?, ?)", "isi", (int64_t)position,
				 commit, commit_s),
		       err);
}

static int enter_leaf(struct store *store, const struct merkle_hash *leaf, uint64_t position, struct error *err)
{
	return sql_run(store, sql_query(store, "INSERT OR REPLACE INTO log(position, leaf) VALUES(?, ?)", "ih", (int64_t)position, leaf->b),
		       err);
}

static int place_chain(struct store *store, const struct statement *st, int64_t commit_s, uint64_t position, struct error *err)
{
	if (sql_run(store,
		    sql_query(store, "UPDATE chain SET position = ? WHERE device = ? AND number = ? AND hash = ?", "isih",
			      (int64_t)position, statement_get(st, "device"), (int64_t)statement_number(st, "number"), statement_hash(st)),
		    err) < 0)
		return err->code;
	return statement_type(st) == STATEMENT_RECEIPT ? store_place_receipt(store, st, commit_s, err) : 0;
}

int store_place(struct store *store, const struct statement *st, const struct merkle_hash *leaf, bool is_fork, int64_t commit_s,
		uint64_t position, struct error *err)
{
	if (enter_leaf(store, leaf, position, err) < 0)
		return err->code;
	if (is_of_chain(st) && !is_fork)
		return place_chain(store, st, commit_s, position, err);
	if (sql_run(store, sql_query(store, "DELETE FROM unpacked WHERE leaf = ?", "h", leaf->b), err) < 0)
		return err->code;
	if (statement_type(st) == STATEMENT_JUDGEMENT)
		return store_place_judgement(store, st, position, err);
	return !is_fork && statement_type(st) == STATEMENT_SHREDDED ? store_place_shredded(store, st, commit_s, err) : 0;
}

int store_enter_packed(struct store *store, const struct container *c, const struct merkle_hash *leaf, uint64_t position,
		       struct error *err)
{
	const struct statement *st = c->st;
	int64_t added, removed;

	take_changed(&added, &removed, st);
	if (enter_leaf(store, leaf, position, err) < 0 ||
	    sql_run(store,
		    sql_query(store,
			      "INSERT INTO chain(device, number, type, time_s, position, reason, saved, mode, note, epoch, added, removed, "
			      "hash)"
			      " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			      "siiiissssiiih", statement_get(st, "device"), (int64_t)statement_number(st, "number"),
			      (int64_t)statement_type(st), statement_time(st, "time"), (int64_t)position, statement_get(st, "reason"),
			      statement_get(st, "saved"), statement_get(st, "mode"), statement_get(st, "note"),
			      (int64_t)statement_number(st, "epoch"), added, removed, statement_hash(st)),
		    err) < 0)
		return err->code;
	return store_enter_snapshot(store, st, c->refs, c->count, err);
}
