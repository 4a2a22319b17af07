/* agent/retired.c -- what is left of a device that was erased, and how everything else goes. */
#include "agent/retired.h"

#include "agent/journal.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/wipe.h"
#include "crypto/statement.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 4096 + STATEMENT_MAX };

static const char first_line[] = "holdfast-retired/1";

void retired_done(struct retired *r)
{
	buf_done(&r->receipt);
}

static char *path_in(const char *dir, const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

/* ---- the file ---- */

int retired_write(const char *dir, const struct retired *r, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_in(dir, "retired");
	_cleanup_(buf_done) struct buf text = { 0 };
	char when[CLOCK_TEXT_LEN];

	clock_text(when, r->time_s);
	buf_addf(&text, "%s\nfleet: %s\ndevice: %s\ntime: %s\nacknowledged: %s\nreceipt: %llu\n", first_line, r->fleet, r->device, when,
		 r->is_acknowledged ? "yes" : "no", (unsigned long long)r->number);
	buf_add_bytes(&text, buf_bytes(&r->receipt));
	return fs_write(path, buf_bytes(&text), 0600, err);
}

static bool take_id(struct bytes *rest, const char *key, char out[static ID_LEN + 1])
{
	return journal_take_text(rest, key, out, ID_LEN + 1) && id_is_valid(bytes_str(out));
}

static bool take_all(struct retired *out, struct bytes in)
{
	struct bytes line, when, word;

	if (!bytes_next_line(&in, &line) || !bytes_is(line, first_line) || !take_id(&in, "fleet", out->fleet) ||
	    !take_id(&in, "device", out->device) || !journal_take(&in, "time", &when) || !clock_parse(&out->time_s, when) ||
	    !journal_take(&in, "acknowledged", &word) || !journal_take_number(&in, "receipt", &out->number))
		return false;
	out->is_acknowledged = bytes_is(word, "yes");
	buf_add_bytes(&out->receipt, in);
	return true;
}

static int read_file(struct retired *out, const char *path, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fs_read(&text, path, FILE_MAX, err);

	*out = (struct retired){ 0 };
	if (r != 0)
		return r < 0 ? r : RETIRED_ABSENT;
	if (take_all(out, buf_bytes(&text)))
		return 0;
	retired_done(out);
	return error_set(err, E_FORMAT, "'%s' is damaged", path);
}

int retired_read(struct retired *out, const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_in(dir, "retired");

	return read_file(out, path, err);
}

/* ---- the rest ---- */

static bool is_aside(const char *name)
{
	return !strncmp(name, "retired-", 8) && id_is_valid(bytes_str(name + 8));
}

static bool stays(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "retired") || is_aside(name);
}

/* A link is only let go: what it leads to is not this folder's. */
static int destroy_file(const char *path, struct error *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : error_sys(err, "cannot look at '%s'", path);
	return S_ISREG(st.st_mode) ? wipe_file(path, err) : fs_remove(path, err);
}

static bool is_folder(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int destroy_in(const char *dir, bool (*is_spared)(const char *name), struct error *err);

static bool spares_none(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static int destroy(const char *path, struct error *err)
{
	if (!is_folder(path))
		return destroy_file(path, err);
	if (destroy_in(path, spares_none, err) < 0)
		return err->code;
	return rmdir(path) == 0 || errno == ENOENT ? 0 : error_sys(err, "cannot remove the folder '%s'", path);
}

static int destroy_in(const char *dir, bool (*is_spared)(const char *name), struct error *err)
{
	DIR *list = opendir(dir);
	const struct dirent *entry;
	int r = 0;

	if (!list)
		return error_sys(err, "cannot read the folder '%s'", dir);
	while (r == 0 && (entry = readdir(list))) {
		_cleanup_(mem_freep) char *path = path_in(dir, entry->d_name);

		if (!is_spared(entry->d_name))
			r = destroy(path, err);
	}
	closedir(list);
	return r;
}

/* The lock is let go when nothing else is left to be kept from others. */
static bool goes_later(const char *name)
{
	return stays(name) || !strcmp(name, "lock");
}

int retired_clear(const char *dir, struct error *err)
{
	static const char *const keys[] = { "device.seed", "box.key" };
	_cleanup_(mem_freep) char *lock = path_in(dir, "lock");

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		_cleanup_(mem_freep) char *path = path_in(dir, keys[i]);

		if (destroy_file(path, err) < 0)
			return err->code;
	}
	if (destroy_in(dir, goes_later, err) < 0 || destroy_file(lock, err) < 0)
		return err->code;
	return fs_sync_dir(dir, err);
}

int retired_check(const char *dir, struct error *err)
{
	DIR *list = opendir(dir);
	const struct dirent *entry;
	bool has_more = false;

	if (!list)
		return error_sys(err, "cannot read the folder '%s'", dir);
	while (!has_more && (entry = readdir(list)))
		has_more = !goes_later(entry->d_name); /* whoever tries to join takes the lock first; there is nothing in it */
	closedir(list);
	return has_more ? RETIRED_MORE : 0;
}

static bool is_same(const char *a, const char *b)
{
	return a && !strcmp(a, b);
}

/* Does another device log in with the same password file? */
static bool is_shared(const struct settings *settings, const struct settings_device *dev, const char *path)
{
	for (unsigned i = 0; i < settings->devices_count; i++) {
		const struct settings_device *other = &settings->devices[i];

		if (other != dev && other->weos &&
		    (is_same(other->weos->credential, path) || is_same(other->weos->factory_credential, path)))
			return true;
	}
	return false;
}

/* And what tells of the device beside them: when it started, and what was said in the last session that failed. */
static int destroy_passwords(const struct settings *settings, const struct settings_device *dev, struct error *err)
{
	const struct settings_weos *weos = dev->weos;
	const char *const paths[] = { weos ? weos->credential : NULL, weos ? weos->factory_credential : NULL, weos ? weos->boot : NULL,
				      weos ? weos->transcript : NULL };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (paths[i] && !is_shared(settings, dev, paths[i]) && destroy_file(paths[i], err) < 0)
			return err->code;
	return 0;
}

int retired_finish(const struct settings *settings, const struct settings_device *dev, const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *lock = path_in(dir, "lock"), *mark = path_in(dir, "retired");
	_cleanup_(fd_closep) int fd = -1;
	int r = retired_check(dir, err);

	if (r != RETIRED_MORE)
		return r;
	fd = fs_lock(lock, err);
	if (fd < 0)
		return fd;
	if (access(mark, F_OK) != 0)
		return 0; /* somebody joined meanwhile: what is there now is another's */
	return destroy_passwords(settings, dev, err) < 0 ? err->code : retired_clear(dir, err);
}

/* ---- joining again ---- */

int retired_set_aside(const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *from = path_in(dir, "retired"), *to = NULL;
	struct retired old;
	int r = read_file(&old, from, err);

	if (r != 0)
		return r < 0 ? r : 0;
	to = mem_printf("%s/retired-%s", dir, old.device);
	retired_done(&old);
	if (rename(from, to) < 0)
		return error_sys(err, "cannot rename '%s'", from);
	return fs_sync_dir(dir, err);
}

void retired_last(char id[static ID_LEN + 1], const char *dir)
{
	DIR *list = opendir(dir);
	const struct dirent *entry;
	int64_t newest_s = 0;

	id[0] = 0;
	while (list && (entry = readdir(list))) {
		_cleanup_(mem_freep) char *path = path_in(dir, entry->d_name);
		struct error ignored;
		struct retired old;

		if (!is_aside(entry->d_name) || read_file(&old, path, &ignored) != 0)
			continue;
		if (old.time_s >= newest_s) {
			newest_s = old.time_s;
			memcpy(id, old.device, sizeof(old.device));
		}
		retired_done(&old);
	}
	if (list)
		closedir(list);
}
