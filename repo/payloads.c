/* repo/payloads.c -- what orders bring: plain age files outside git. */
#include "repo/payloads.h"

#include "base/fs.h"
#include "base/wipe.h"
#include "crypto/statement.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char suffix[] = ".age";

static char *path_of(const char *folder, const char *batch, const char *device)
{
	return mem_printf("%s/%s/%s%s", folder, batch, device, suffix);
}

/* ---- writing ---- */

static int open_file(const char *folder, const char *batch, const char *path, struct error *err)
{
	_cleanup_(mem_freep) char *dir = mem_printf("%s/%s", folder, batch);
	int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, fd = open(path, flags, 0600);

	if (fd < 0 && errno == ENOENT) {
		if (fs_mkdirs(dir, 0700, err) < 0)
			return err->code;
		fd = open(path, flags, 0600);
	}
	return fd < 0 ? error_sys(err, "cannot make '%s'", path) : fd;
}

int payloads_put(const char *folder, const char *batch, const char *device, struct bytes seal, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_of(folder, batch, device);
	_cleanup_(fd_closep) int fd = open_file(folder, batch, path, err);

	if (fd < 0)
		return fd;
	/* written again, it lies where it lay: no old copy is left behind */
	if (fd_write_all(fd, seal, err) < 0)
		return error_add(err, "'%s'", path);
	return ftruncate(fd, (off_t)seal.len) < 0 ? error_sys(err, "cannot cut '%s'", path) : 0;
}

int payloads_sync(const char *folder, struct error *err)
{
	_cleanup_(fd_closep) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_sys(err, "cannot open folder '%s'", folder);
	/* the whole file system at once: ten thousand times fsync(2) takes minutes */
	return syncfs(fd) < 0 ? error_sys(err, "cannot sync '%s'", folder) : 0;
}

/* ---- reading ---- */

int payloads_get(struct buf *out, const char *folder, const char *batch, const char *device, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_of(folder, batch, device);
	int r = fs_read(out, path, CONTAINER_MAX, err);

	return r > 0 ? 1 : r;
}

bool payloads_has(const char *folder, const char *batch, const char *device)
{
	_cleanup_(mem_freep) char *path = path_of(folder, batch, device);

	return access(path, F_OK) == 0;
}

/* ---- destroying ---- */

struct walk {
	const char *folder;
	payloads_fn fn;
	void *ctx;
	size_t count;
};

/* "<id>.age" */
static bool take_name(char device[static ID_LEN + 1], const char *name)
{
	if (strlen(name) != ID_LEN + sizeof(suffix) - 1 || strcmp(name + ID_LEN, suffix) != 0 || !id_is_valid(bytes_of(name, ID_LEN)))
		return false;
	memcpy(device, name, ID_LEN);
	device[ID_LEN] = 0;
	return true;
}

static int visit_file(struct walk *w, const char *batch, const char *name, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s/%s", w->folder, batch, name);
	char device[ID_LEN + 1];
	struct stat st;
	int r;

	if (!take_name(device, name) || lstat(path, &st) < 0)
		return 0;
	r = w->fn(w->ctx, batch, device, st.st_mtime, err);
	if (r <= 0)
		return r;
	if (wipe_file(path, err) < 0)
		return err->code;
	w->count++;
	return 0;
}

static int visit_batch(struct walk *w, const char *batch, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", w->folder, batch);
	size_t before = w->count;
	DIR *dir = id_is_valid(bytes_str(batch)) ? opendir(path) : NULL;
	struct dirent *entry;
	int r = 0;

	while (dir && r == 0 && (entry = readdir(dir)))
		r = visit_file(w, batch, entry->d_name, err);
	if (dir)
		closedir(dir);
	if (r < 0 || w->count == before)
		return r;
	return fs_sync_dir(path, err) < 0            ? err->code :
	       rmdir(path) < 0 && errno != ENOTEMPTY ? error_sys(err, "cannot remove '%s'", path) :
						       0;
}

int payloads_destroy(size_t *count, const char *folder, payloads_fn fn, void *ctx, struct error *err)
{
	struct walk w = { .folder = folder, .fn = fn, .ctx = ctx };
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int r = 0;

	*count = 0;
	if (!dir)
		return errno == ENOENT ? 0 : error_sys(err, "cannot open folder '%s'", folder);
	while (r == 0 && (entry = readdir(dir)))
		r = visit_batch(&w, entry->d_name, err);
	closedir(dir);
	*count = w.count;
	if (r < 0 || !w.count)
		return r;
	return fs_sync_dir(folder, err);
}
