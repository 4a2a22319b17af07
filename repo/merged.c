/* repo/merged.c -- what was merged is retired, and goes when nobody has it open. */
#include "repo/merge.h"

#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { IDLE_S = 60 }; /* how long what was merged stays, so that whoever began to read finds it */

static const char merged_suffix[] = ".merged"; /* in place of .idx */

int merged_retire(const struct merged *merged, const char *folder, struct error *err)
{
	_cleanup_(mem_freep) char *multi = mem_printf("%s/multi-pack-index", folder);

	unlink(multi); /* it names packs that go now; git makes it anew */
	for (size_t i = 0; i < merged->count; i++) {
		_cleanup_(mem_freep) char *index = mem_printf("%s/%s.idx", folder, merged->sources[i]);
		_cleanup_(mem_freep) char *old = mem_printf("%s/%s%s", folder, merged->sources[i], merged_suffix);

		if (rename(index, old) < 0)
			return error_sys(err, "cannot rename '%s'", index);
	}
	return fs_sync_dir(folder, err);
}

/* A lease for writing is given only for what nobody has open (fcntl(2)). */
static bool is_idle(const char *path, bool at_once)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return true;
	if (!at_once && time(NULL) - st.st_ctime < IDLE_S)
		return false;
	return fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
}

/* What is merged is named by its index's new name, so that goes last. */
static void sweep_one(const char *folder, const char *file, bool at_once)
{
	static const char *const suffixes[] = { ".rev", ".bitmap", ".pack", merged_suffix };
	size_t len = strlen(file) - (sizeof(merged_suffix) - 1);
	_cleanup_(mem_freep) char *marker = mem_printf("%s/%s", folder, file), *pack = mem_printf("%s/%.*s.pack", folder, (int)len, file);

	if (!is_idle(marker, at_once) || !is_idle(pack, true))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%.*s%s", folder, (int)len, file, suffixes[i]);

		if (unlink(path) < 0 && errno != ENOENT)
			return;
	}
}

void merged_sweep(const char *folder, bool at_once)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot && !strcmp(dot, merged_suffix))
			sweep_one(folder, entry->d_name, at_once);
	}
	if (dir)
		closedir(dir);
}
