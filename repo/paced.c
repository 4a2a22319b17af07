/* repo/paced.c -- SQLite's own VFS, but for a sync after each piece. */
#include "repo/paced.h"

#include <pthread.h>
#include <sqlite3.h>

enum { PIECE = 1 << 20 };

/* Stands behind the file of SQLite's own VFS, which is of its size. */
struct paced {
	sqlite3_io_methods methods;
	const sqlite3_io_methods *own;
	int written; /* since the last sync */
};

static sqlite3_vfs *own, paced;

static int own_size(void)
{
	return (own->szOsFile + 15) / 16 * 16;
}

static struct paced *behind(sqlite3_file *file)
{
	return (struct paced *)((char *)file + own_size());
}

static int sync_piece(sqlite3_file *file, int flags)
{
	struct paced *p = behind(file);

	p->written = 0;
	return p->own->xSync(file, flags);
}

static int write_piece(sqlite3_file *file, const void *from, int len, sqlite3_int64 at)
{
	struct paced *p = behind(file);
	int r = p->own->xWrite(file, from, len, at);

	if (r != SQLITE_OK)
		return r;
	p->written += len;
	return p->written < PIECE ? SQLITE_OK : sync_piece(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
}

static int open_file(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out_flags)
{
	int r = own->xOpen(own, name, file, flags, out_flags);
	struct paced *p = behind(file);

	(void)vfs;
	if (r != SQLITE_OK || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)))
		return r;
	*p = (struct paced){ .methods = *file->pMethods, .own = file->pMethods };
	p->methods.xWrite = write_piece;
	p->methods.xSync = sync_piece;
	file->pMethods = &p->methods;
	return SQLITE_OK;
}

static void make(void)
{
	own = sqlite3_vfs_find(NULL);
	if (!own)
		return;
	paced = *own;
	paced.zName = "holdfast-paced";
	paced.pNext = NULL;
	paced.szOsFile = own_size() + (int)sizeof(struct paced);
	paced.xOpen = open_file;
	if (sqlite3_vfs_register(&paced, 0) != SQLITE_OK)
		own = NULL;
}

const char *paced_vfs(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make);
	return own ? paced.zName : NULL;
}
