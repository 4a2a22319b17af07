/* repo/keyring.c -- sealed epoch identities: plain age files outside git. */
#include "repo/keyring.h"

#include "base/fs.h"

#include <dirent.h>
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

		if (strstr(entry->d_name, ".tmp-"))
			unlink(path);
	}
	if (stream)
		closedir(stream);
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
		if (fs_write(path, seal, 0600, err) < 0)
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
	_cleanup_(mem_freep) char *path = rewrap_path(folder, device, epoch, part);

	return has_seal(folder, device, epoch, part) ? fs_write(path, seal, 0600, err) : 1;
}

int keyring_get_rewrap(struct buf *out, const char *folder, const char *device, uint64_t epoch, const char *part, struct error *err)
{
	_cleanup_(mem_freep) char *path = rewrap_path(folder, device, epoch, part);
	int r = has_seal(folder, device, epoch, part) ? fs_read(out, path, CONTAINER_MAX, err) : 1;

	return r > 0 ? 1 : r;
}
