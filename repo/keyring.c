/* repo/keyring.c -- sealed epoch identities: plain age files outside git. */
#include "repo/keyring.h"

#include "base/fs.h"
#include "base/wipe.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const parts[] = { "body", "secrets" };

static char *path_of(const char *folder, const char *device, uint64_t epoch, const char *part)
{
	return mem_printf("%s/%s/%llu.%s.age", folder, device, (unsigned long long)epoch, part);
}

/* What a killed writer left: a copy that whoever destroys the keys would miss. The device posts that epoch again. */
static void tidy(const char *dir)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;

	while (stream && (entry = readdir(stream))) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, entry->d_name);

		struct error ignored;

		if (strstr(entry->d_name, ".tmp-") && wipe_file(path, &ignored) < 0)
			continue;
	}
	if (stream)
		closedir(stream);
}

/* Another file in its place would leave the old one's blocks behind. */
static bool is_there(const char *path, struct bytes seal)
{
	_cleanup_(buf_done) struct buf old = { 0 };
	struct error ignored;

	return fs_read(&old, path, CONTAINER_MAX, &ignored) == 0 && bytes_equal(buf_bytes(&old), seal);
}

int keyring_put(const char *folder, const char *device, const struct container *epoch, struct error *err)
{
	_cleanup_(mem_freep) char *dir = mem_printf("%s/%s", folder, device);
	uint64_t number = statement_number(epoch->st, "epoch");

	if (fs_mkdirs(dir, 0700, err) < 0 || fs_sync_dir(folder, err) < 0)
		return err->code;
	tidy(dir);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		_cleanup_(mem_freep) char *path = path_of(folder, device, number, parts[i]), *name = mem_printf("%s-key", parts[i]);
		struct bytes seal = container_seal(epoch, name);

		if (!seal.ptr)
			return error_set(err, E_FORMAT, "epoch does not bring its seal '%s'", name);
		if (!is_there(path, seal) && fs_write(path, seal, 0600, err) < 0)
			return err->code;
	}
	return 0;
}

int keyring_get(struct buf *out, const char *folder, const char *device, uint64_t epoch, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		_cleanup_(mem_freep) char *path = path_of(folder, device, epoch, parts[i]);
		int r = fs_read(out, path, CONTAINER_MAX, err);

		if (r != 0)
			return r < 0 ? r : 1;
	}
	return 0;
}

/* ---- for people who came later ---- */

static bool has_seal(const char *folder, const char *device, uint64_t epoch, const char *part)
{
	_cleanup_(mem_freep) char *path = path_of(folder, device, epoch, part);

	return access(path, F_OK) == 0;
}

static char *rewrap_path(const char *folder, const char *device, uint64_t epoch, const char *part)
{
	_cleanup_(mem_freep) char *name = mem_printf("%s.rewrap", part);

	return path_of(folder, device, epoch, name);
}

int keyring_put_rewrap(const char *folder, const char *device, uint64_t epoch, const char *part, struct bytes seal, struct error *err)
{
	_cleanup_(mem_freep) char *path = rewrap_path(folder, device, epoch, part), *old = mem_printf("%s.tmp-old", path);

	if (!has_seal(folder, device, epoch, part))
		return 1;
	/* cut off here, it is not there, and is made again: better than an old one that nobody finds */
	if ((rename(path, old) < 0 && errno != ENOENT) || wipe_file(old, err) < 0)
		return err->code ? err->code : error_sys(err, "cannot rename '%s'", path);
	return fs_write(path, seal, 0600, err);
}

int keyring_get_rewrap(struct buf *out, const char *folder, const char *device, uint64_t epoch, const char *part, struct error *err)
{
	_cleanup_(mem_freep) char *path = rewrap_path(folder, device, epoch, part);
	int r = has_seal(folder, device, epoch, part) ? fs_read(out, path, CONTAINER_MAX, err) : 1;

	return r > 0 ? 1 : r;
}

/* ---- destroying ---- */

int keyring_destroy(const char *folder, const char *device, struct error *err)
{
	_cleanup_(mem_freep) char *dir = mem_printf("%s/%s", folder, device);
	DIR *stream = opendir(dir);
	struct dirent *entry;
	int r = 0;

	if (!stream)
		return errno == ENOENT ? 0 : error_sys(err, "cannot open folder '%s'", dir);
	while (r == 0 && (entry = readdir(stream))) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, entry->d_name);

		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = wipe_file(path, err);
	}
	closedir(stream);
	if (r < 0)
		return r;
	if (rmdir(dir) < 0)
		return error_sys(err, "cannot remove '%s'", dir);
	return fs_sync_dir(folder, err);
}
