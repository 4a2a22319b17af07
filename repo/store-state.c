/* repo/store-state.c -- the index of what devices say of themselves: snapshots, statuses, and verdicts; and what is known of a device. */
#include "repo/store-state.h"

#include <assert.h>
#include <string.h>

const char store_state_schema[] =
	/* what every snapshot and every contact changes: short rows, since a page of them is written for each. seals: of the newest
	 * snapshot, findings: of the newest verdict, as of put_seal() */
	"CREATE TABLE state(device TEXT PRIMARY KEY, head INTEGER NOT NULL, head_hash BLOB NOT NULL,"
	" snapshot_number INTEGER NOT NULL DEFAULT 0, snapshot_s INTEGER NOT NULL DEFAULT 0, seals BLOB, findings BLOB,"
	" epoch INTEGER NOT NULL DEFAULT 0, saved TEXT NOT NULL DEFAULT '', unsaved_since_s INTEGER NOT NULL DEFAULT 0,"
	" mode TEXT NOT NULL DEFAULT '', hold_s INTEGER NOT NULL DEFAULT 0, hold_by TEXT NOT NULL DEFAULT '', drift TEXT NOT NULL DEFAULT "
	"'',"
	" drift_since_s INTEGER NOT NULL DEFAULT 0, changed_by TEXT NOT NULL DEFAULT '', verdict_number INTEGER NOT NULL DEFAULT 0,"
	" seen_s INTEGER NOT NULL DEFAULT 0, status_order INTEGER NOT NULL DEFAULT 0, status_head INTEGER NOT NULL DEFAULT 0,"
	" ahead_since_s INTEGER NOT NULL DEFAULT 0, challenge TEXT NOT NULL DEFAULT '', retired TEXT NOT NULL DEFAULT '') WITHOUT ROWID;"
	/* counts are NULL when they were not said */
	"CREATE TABLE verdict(device TEXT, number INTEGER, time_s INTEGER, hash BLOB, snapshot_number INTEGER, snapshot_hash BLOB, policy "
	"INTEGER,"
	" leaf BLOB, pass INTEGER, fail INTEGER, unsure INTEGER, waived INTEGER, not_applicable INTEGER, PRIMARY KEY(device, number)) "
	"WITHOUT ROWID;";

/* ---- judging ---- */

static const char *const snapshot_seals[STATE_SEALS] = { "base", "delta", "startup", "secrets" };

int store_state(struct state *out, struct store *store, const char *device, struct error *err)
{
	sqlite3_stmt *q =
		sql_query(store, "SELECT head, head_hash, epoch, retired != '', seals, findings FROM state WHERE device = ?", "s", device);
	int r = sql_row(store, q, err);

	*out = (struct state){ 0 };
	if (r != 0)
		return r;
	out->head = (uint64_t)sqlite3_column_int64(q, 0);
	sql_hash(out->head_hash, q, 1);
	out->epoch = (uint64_t)sqlite3_column_int64(q, 2);
	out->is_retired = sqlite3_column_int(q, 3);
	if (sqlite3_column_bytes(q, 4) == sizeof(out->seals))
		memcpy(out->seals, sqlite3_column_blob(q, 4), sizeof(out->seals));
	if (sqlite3_column_bytes(q, 5) == sizeof(out->findings))
		memcpy(out->findings, sqlite3_column_blob(q, 5), sizeof(out->findings));
	sql_done(q);
	return 0;
}

/* Its number and hash; zeros for one that is not there. */
static void put_seal(uint8_t out[static STATE_SEAL_LEN], const struct statement *st, const char *name)
{
	struct seal_ref ref;

	memset(out, 0, STATE_SEAL_LEN);
	if (!statement_seal(&ref, st, name))
		return;
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(ref.number >> (56 - 8 * i));
	memcpy(out + 8, ref.hash, HASH_LEN);
}

static const uint8_t *seal_of(const struct state *state, const char *name)
{
	for (size_t i = 0; i < STATE_SEALS; i++)
		if (!strcmp(snapshot_seals[i], name))
			return state->seals[i];
	return state->findings;
}

/* Every seal that is referred to must be the one that the newest statement of this type has. */
static int judge_seals(const struct state *state, const struct container *c)
{
	for (size_t i = 0; i < c->count; i++) {
		uint8_t wanted[STATE_SEAL_LEN];

		put_seal(wanted, c->st, c->refs[i].name);
		if (!c->seals[i].ptr && memcmp(seal_of(state, c->refs[i].name), wanted, sizeof(wanted)) != 0)
			return REPO_GAP;
	}
	return 0;
}

static bool put_ref(uint8_t seals[static STATE_SEALS][STATE_SEAL_LEN], const struct seal_ref *ref)
{
	for (size_t i = 0; i < STATE_SEALS; i++) {
		if (strcmp(snapshot_seals[i], ref->name) != 0)
			continue;
		for (int k = 0; k < 8; k++)
			seals[i][k] = (uint8_t)(ref->number >> (56 - 8 * k));
		memcpy(seals[i] + 8, ref->hash, HASH_LEN);
		return true;
	}
	return false;
}

static bool seals_fit(const struct state *then, const struct state *now, const struct container *c)
{
	for (size_t i = 0; i < c->count; i++) {
		size_t k = 0;

		while (strcmp(snapshot_seals[k], c->refs[i].name) != 0)
			k++;
		if (!c->seals[i].ptr && memcmp(then->seals[k], now->seals[k], STATE_SEAL_LEN) != 0)
			return false;
	}
	return true;
}

bool state_is_next(struct state *then, const struct state *now, const struct container *c)
{
	uint8_t prev[HASH_LEN];

	if (statement_type(c->st) != STATEMENT_SNAPSHOT || now->is_retired || statement_number(c->st, "number") != now->head + 1 ||
	    !statement_get_hash(prev, c->st, "prev") || memcmp(prev, now->head_hash, HASH_LEN) != 0 ||
	    statement_number(c->st, "epoch") != now->epoch)
		return false;
	*then = *now;
	then->head++;
	memcpy(then->head_hash, statement_hash(c->st), HASH_LEN);
	memset(then->seals, 0, sizeof(then->seals));
	for (size_t i = 0; i < c->count; i++)
		if (!put_ref(then->seals, &c->refs[i]))
			return false;
	return seals_fit(then, now, c);
}

/* It judges a snapshot of its own chain. */
static int judge_subject(struct store *store, const struct statement *st, struct error *err)
{
	uint8_t hash[HASH_LEN];
	uint64_t number = 0;
	int64_t n = 0;

	statement_get_point(&number, hash, st, "snapshot");
	if (sql_count(store, sql_query(store, "SELECT count(*) FROM chain WHERE device = ? AND number = ? AND hash = ? AND type = 5", "sih",
				       statement_get(st, "device"), (int64_t)number, hash), &n, err) < 0)
		return err->code;
	return n ? 0 :
		   error_set(err, E_DENIED, "the verdict is about snapshot %llu, and the device's chain has another one, or none",
			     (unsigned long long)number);
}

static_assert(STATEMENT_SNAPSHOT == 5, "the number is part of a text");

int store_judge_state(struct store *store, const struct state *state, const struct container *c, struct error *err)
{
	int r = judge_seals(state, c);

	if (r != 0)
		return r;
	if (statement_number(c->st, "epoch") != state->epoch)
		return error_set(err, E_DENIED, "%s names epoch %s, the device is in epoch %llu",
				 statement_type_name(statement_type(c->st)), statement_get(c->st, "epoch"),
				 (unsigned long long)state->epoch);
	return statement_type(c->st) == STATEMENT_VERDICT ? judge_subject(store, c->st, err) : 0;
}

/* ---- entering ---- */

/* Text that is not said is "". */
static const char *said(const struct statement *st, const char *key)
{
	const char *value = statement_get(st, key);

	return value ? value : "";
}

/* What a snapshot says of the device itself, if it does: it seldom changes. Of one whose row comes late, the newer ones count. */
static int enter_facts(struct store *store, const struct statement *st, struct error *err)
{
	const char *model = statement_get(st, "model"), *serial = statement_get(st, "serial"), *firmware = statement_get(st, "firmware");

	if (!model && !serial && !firmware)
		return 0;
	return sql_run(
		store,
		sql_query(store,
			  "UPDATE device SET model = coalesce(?1, model), serial = coalesce(?2, serial), firmware = coalesce(?3, firmware)"
			  " WHERE id = ?4 AND (model IS NOT coalesce(?1, model) OR serial IS NOT coalesce(?2, serial) OR"
			  " firmware IS NOT coalesce(?3, firmware)) AND ?5 = (SELECT snapshot_number FROM state WHERE device = ?4)",
			  "ssssi", model, serial, firmware, statement_get(st, "device"), (int64_t)statement_number(st, "number")),
		err);
}

int store_enter_snapshot(struct store *store, const struct statement *st, const struct seal_ref *refs, size_t count, struct error *err)
{
	uint8_t seals[STATE_SEALS][STATE_SEAL_LEN] = { 0 };

	for (size_t i = 0; i < count; i++)
		put_ref(seals, &refs[i]);
	if (sql_run(store,
		    sql_query(store,
			      "UPDATE state SET head = ?1, head_hash = ?2, snapshot_number = ?1, snapshot_s = ?3, seals = ?4, saved = ?5, "
			      "unsaved_since_s = ?6,"
			      " mode = ?7, hold_s = ?8, hold_by = ?9, drift = ?10, drift_since_s = ?11, changed_by = ?12 WHERE device = "
			      "?13 AND head < ?1",
			      "ihibsisississ", (int64_t)statement_number(st, "number"), statement_hash(st), statement_time(st, "time"),
			      bytes_of(seals, sizeof(seals)), statement_get(st, "saved"), statement_time(st, "unsaved-since"),
			      statement_get(st, "mode"), statement_time(st, "hold"), said(st, "hold-by"), said(st, "drift"),
			      statement_time(st, "drift-since"), said(st, "changed-by"), statement_get(st, "device")),
		    err) < 0)
		return err->code;
	return enter_facts(store, st, err);
}

int store_touch(struct store *store, const struct statement *status, int64_t now_s, struct error *err)
{
	uint8_t hash[HASH_LEN];
	uint64_t head = 0;

	statement_get_point(&head, hash, status, "head");
	return sql_run(store,
		       sql_query(store,
				 "UPDATE state SET seen_s = ?1, saved = ?2, unsaved_since_s = ?3, mode = ?4, hold_s = ?5, status_order = "
				 "?7, status_head = ?8,"
				 " challenge = ?9, hold_by = ?10, drift = ?11, drift_since_s = ?12, changed_by = ?13,"
				 " ahead_since_s = CASE WHEN ?8 <= head THEN 0 WHEN ahead_since_s AND status_head > head THEN "
				 "ahead_since_s ELSE ?1 END"
				 " WHERE device = ?6",
				 "isisisiisssis", now_s, statement_get(status, "saved"), statement_time(status, "unsaved-since"),
				 statement_get(status, "mode"), statement_time(status, "hold"), statement_get(status, "device"),
				 (int64_t)statement_number(status, "order"), (int64_t)head, said(status, "challenge"),
				 said(status, "hold-by"), said(status, "drift"), statement_time(status, "drift-since"),
				 said(status, "changed-by")),
		       err);
}

int store_enter_verdict(struct store *store, const struct statement *st, struct error *err)
{
	const char *id = statement_get(st, "device");
	uint64_t number = statement_number(st, "number"), snapshot = 0, policy = 0;
	uint8_t judged[HASH_LEN], leaf[HASH_LEN], findings[STATE_SEAL_LEN];

	statement_get_point(&snapshot, judged, st, "snapshot");
	statement_get_point(&policy, leaf, st, "policy");
	if (sql_run(store,
		    sql_query(store,
			      "INSERT OR REPLACE INTO verdict(device, number, time_s, hash, snapshot_number, snapshot_hash, policy, leaf, "
			      "pass, fail, unsure,"
			      " waived, not_applicable) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			      "siihihihsssss", id, (int64_t)number, statement_time(st, "time"), statement_hash(st), (int64_t)snapshot,
			      judged, (int64_t)policy, leaf, statement_get(st, "pass"), statement_get(st, "fail"),
			      statement_get(st, "unknown"), statement_get(st, "waived"), statement_get(st, "not-applicable")),
		    err) < 0)
		return err->code;
	put_seal(findings, st, "findings");
	return sql_run(store, sql_query(store, "UPDATE state SET findings = ?, verdict_number = ? WHERE device = ?", "bis",
					bytes_of(findings, sizeof(findings)), (int64_t)number, id), err);
}

/* ---- rows ---- */

#define VERDICT_COLUMNS \
	"v.number, v.time_s, v.hash, v.snapshot_number, v.snapshot_hash, v.policy, v.leaf, v.pass, v.fail, v.unsure, v.waived, " \
	"v.not_applicable"

static int64_t count_at(sqlite3_stmt *q, int column)
{
	return sqlite3_column_type(q, column) == SQLITE_NULL ? -1 : sqlite3_column_int64(q, column);
}

/* at: of the first of VERDICT_COLUMNS. */
static void take_verdict(struct repo_verdict *out, sqlite3_stmt *q, int at)
{
	*out = (struct repo_verdict){ .number = (uint64_t)sqlite3_column_int64(q, at) };
	if (!out->number)
		return;
	out->time_s = sqlite3_column_int64(q, at + 1);
	sql_hash(out->hash, q, at + 2);
	out->snapshot = (uint64_t)sqlite3_column_int64(q, at + 3);
	sql_hash(out->snapshot_hash, q, at + 4);
	out->policy = (uint64_t)sqlite3_column_int64(q, at + 5);
	sql_hash(out->leaf, q, at + 6);
	out->pass = count_at(q, at + 7);
	out->fail = count_at(q, at + 8);
	out->unknown = count_at(q, at + 9);
	out->waived = count_at(q, at + 10);
	out->not_applicable = count_at(q, at + 11);
}

int store_verdicts(struct store *store, const char *id, uint64_t below, unsigned limit, repo_verdict_fn fn, void *ctx, struct error *err)
{
	sqlite3_stmt *q = sql_query(
		store, "SELECT " VERDICT_COLUMNS " FROM verdict v WHERE v.device = ? AND v.number < ? ORDER BY v.number DESC LIMIT ?",
		"sii", id, below ? (int64_t)below : INT64_MAX, (int64_t)limit);
	struct repo_verdict verdict;
	int r;

	while ((r = sql_row(store, q, err)) == 0) {
		take_verdict(&verdict, q, 0);
		if (fn(ctx, &verdict)) {
			sql_done(q);
			return 0;
		}
	}
	return r < 0 ? r : 0;
}

#define DEVICE_COLUMNS \
	"SELECT id, name, labels, driver, model, serial, firmware, admit IS NOT NULL, key, box, head, head_hash, t.snapshot_number," \
	" snapshot_s, epoch, saved, unsaved_since_s, mode, hold_s, (SELECT count(*) FROM fork f WHERE f.device = d.id), enrolled_s," \
	" seen_s, invite, max(status_order, (SELECT coalesce(max(number), 0) FROM orders o WHERE o.device = d.id)), status_order," \
	" status_head, ahead_since_s, challenge, retired, shreds, (SELECT count(*) FROM fork f WHERE f.device = d.id AND misuse)," \
	" (SELECT count(*) FROM said s WHERE s.device = d.id AND s.type = 14), hold_by, drift, drift_since_s, " \
	"changed_by, " VERDICT_COLUMNS \
	" FROM device d JOIN state t ON t.device = d.id LEFT JOIN verdict v ON v.device = d.id AND v.number = t.verdict_number "

static_assert(STATEMENT_CERTIFICATE == 14, "the number is part of a text");

static int take_device(struct repo_device *out, sqlite3_stmt *q, struct error *err)
{
	struct bytes key = bytes_of(sqlite3_column_text(q, 8), (size_t)sqlite3_column_bytes(q, 8));
	struct bytes box = bytes_of(sqlite3_column_text(q, 9), (size_t)sqlite3_column_bytes(q, 9));

	*out = (struct repo_device){ 0 };
	sql_text(out->id, sizeof(out->id), q, 0);
	sql_text(out->name, sizeof(out->name), q, 1);
	sql_text(out->labels, sizeof(out->labels), q, 2);
	sql_text(out->driver, sizeof(out->driver), q, 3);
	sql_text(out->model, sizeof(out->model), q, 4);
	sql_text(out->serial, sizeof(out->serial), q, 5);
	sql_text(out->firmware, sizeof(out->firmware), q, 6);
	out->admitted = sqlite3_column_int(q, 7);
	if (sign_pub_parse(&out->key, key, false, err) < 0 || age_recipient_parse(&out->box, box, err) < 0)
		return error_add(err, "device '%s' in the index", out->id);
	out->head_number = (uint64_t)sqlite3_column_int64(q, 10);
	sql_hash(out->head_hash, q, 11);
	out->snapshot_number = (uint64_t)sqlite3_column_int64(q, 12);
	out->snapshot_s = sqlite3_column_int64(q, 13);
	out->epoch = (uint64_t)sqlite3_column_int64(q, 14);
	sql_text(out->saved, sizeof(out->saved), q, 15);
	out->unsaved_since_s = sqlite3_column_int64(q, 16);
	sql_text(out->mode, sizeof(out->mode), q, 17);
	out->hold_s = sqlite3_column_int64(q, 18);
	out->forks = (unsigned)sqlite3_column_int(q, 19);
	out->enrolled_s = sqlite3_column_int64(q, 20);
	out->seen_s = sqlite3_column_int64(q, 21);
	sql_text(out->invite, sizeof(out->invite), q, 22);
	out->order = (uint64_t)sqlite3_column_int64(q, 23);
	out->status_order = (uint64_t)sqlite3_column_int64(q, 24);
	out->status_head = (uint64_t)sqlite3_column_int64(q, 25);
	out->ahead_since_s = out->status_head > out->head_number ? sqlite3_column_int64(q, 26) : 0;
	sql_text(out->challenge, sizeof(out->challenge), q, 27);
	sql_text(out->retired, sizeof(out->retired), q, 28);
	out->shreds = (unsigned)sqlite3_column_int(q, 29);
	out->misuses = (unsigned)sqlite3_column_int(q, 30);
	out->certified = sqlite3_column_int(q, 31);
	sql_text(out->hold_by, sizeof(out->hold_by), q, 32);
	sql_text(out->drift, sizeof(out->drift), q, 33);
	out->drift_since_s = sqlite3_column_int64(q, 34);
	sql_text(out->changed_by, sizeof(out->changed_by), q, 35);
	take_verdict(&out->verdict, q, 36);
	return 0;
}

int store_device(struct repo_device *out, struct store *store, const char *id, struct error *err)
{
	sqlite3_stmt *q = sql_query(store, DEVICE_COLUMNS "WHERE d.id = ?", "s", id);
	int r = sql_row(store, q, err);

	if (r != 0)
		return r;
	r = take_device(out, q, err);
	sql_done(q);
	return r;
}

int store_signer(struct repo_signer *out, struct store *store, const char *id, struct error *err)
{
	sqlite3_stmt *q = sql_query(
		store, "SELECT key, admit IS NOT NULL, retired, shreds FROM device d JOIN state t ON t.device = d.id WHERE d.id = ?", "s",
		id);
	int r = sql_row(store, q, err);

	if (r != 0)
		return r;
	*out = (struct repo_signer){ .admitted = sqlite3_column_int(q, 1), .shreds = (unsigned)sqlite3_column_int(q, 3) };
	r = sign_pub_parse(&out->key, bytes_of(sqlite3_column_text(q, 0), (size_t)sqlite3_column_bytes(q, 0)), false, err);
	sql_text(out->retired, sizeof(out->retired), q, 2);
	sql_done(q);
	return r < 0 ? error_add(err, "device '%s' in the index", id) : 0;
}

int store_devices(struct store *store, repo_device_fn fn, void *ctx, struct error *err)
{
	sqlite3_stmt *q = sql_query(store, DEVICE_COLUMNS "ORDER BY name, id", "");
	int r;

	while ((r = sql_row(store, q, err)) == 0) {
		struct repo_device device;

		if (take_device(&device, q, err) < 0 || fn(ctx, &device)) {
			sql_done(q);
			return err->code;
		}
	}
	return r < 0 ? r : 0;
}
