/* tests/unit/test-paced.c -- what SQLite writes is brought to the disk as it is written, and a sync that fails fails what was written. */
#include "tests/test.h"

#include "repo/paced.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ROWS = 8 };

static int syncs, fails_at;

/* In place of the C library's, for SQLite, too. */
int fdatasync(int fd)
{
	if (++syncs == fails_at) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static sqlite3 *open_db(const char *dir, const char *vfs)
{
	static const char setup[] =
		"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(x BLOB)";
	char path[200];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/%s.db", dir, vfs ? "paced" : "own");
	CHECK_EQ(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs), SQLITE_OK);
	CHECK_EQ(sqlite3_exec(db, setup, NULL, NULL, NULL), SQLITE_OK);
	syncs = fails_at = 0;
	return db;
}

/* The outcome of a transaction of 8 MiB. */
static int fill(sqlite3 *db)
{
	int r = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);

	for (int i = 0; i < ROWS && r == SQLITE_OK; i++)
		r = sqlite3_exec(db, "INSERT INTO t VALUES(zeroblob(1048576))", NULL, NULL, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	if (r != SQLITE_OK)
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int rows(sqlite3 *db)
{
	sqlite3_stmt *st;
	int n;

	CHECK_EQ(sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &st, NULL), SQLITE_OK);
	CHECK_EQ(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return n;
}

static int checkpoint(sqlite3 *db)
{
	return sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

TEST(a_mib_that_was_written_is_synced_before_the_next_one)
{
	const char *dir = test_folder();
	sqlite3 *db;

	CHECK(paced_vfs());
	for (int is_paced = 0; is_paced < 2; is_paced++) {
		db = open_db(dir, is_paced ? paced_vfs() : NULL);
		CHECK_EQ(fill(db), SQLITE_OK);
		CHECK(is_paced ? syncs >= ROWS && syncs <= ROWS + 3 : syncs <= 1);
		syncs = 0;
		CHECK_EQ(checkpoint(db), SQLITE_OK);
		CHECK(is_paced ? syncs >= ROWS && syncs <= ROWS + 3 : syncs <= 2);
		CHECK_EQ(rows(db), ROWS);
		sqlite3_close(db);
	}
}

TEST(a_piece_that_is_not_on_the_disk_fails_what_it_is_a_part_of)
{
	const char *dir = test_folder();
	sqlite3 *db = open_db(dir, paced_vfs());

	fails_at = ROWS / 2;
	CHECK(fill(db) != SQLITE_OK);
	CHECK_EQ(rows(db), 0);
	CHECK_EQ(fill(db), SQLITE_OK);
	CHECK_EQ(rows(db), ROWS);
	syncs = 0;
	CHECK(checkpoint(db) != SQLITE_OK);
	CHECK_EQ(checkpoint(db), SQLITE_OK);
	CHECK_EQ(rows(db), ROWS);
	sqlite3_close(db);
}
