/* agent/copies.c -- older versions of a configuration file that lie beside it. */
#include "agent/copies.h"

#include "base/wipe.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

/* Whole, or followed by a number, a date, or (with a last '-') anything. */
static const char *const words[] = { "sav",  "save", "saved", "bak",  "backup", "old", "orig", "copy", "tmp",
				     "prev", "swp",  "swo",   "dpkg-", "ucf-",  "rpmsave", "rpmnew", "rpmorig", "tmp-" };

static bool is_number(const char *text)
{
	return text[strspn(text, "0123456789.:_T+Z-")] == 0;
}

/* What stands behind the name and one of ". _ - ~". */
static bool is_tail(const char *tail)
{
	if (*tail && is_number(tail))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t len = strlen(words[i]);

		if (strncmp(tail, words[i], len) != 0)
			continue;
		if (words[i][len - 1] == '-' || !tail[len] || !strcmp(tail + len, "~") || is_number(tail + len))
			return true;
	}
	return !strcmp(tail, "~");
}

static bool is_in(const char *name, const char *before, const char *base, const char *behind)
{
	size_t head = strlen(before), len = strlen(base);

	return !strncmp(name, before, head) && !strncmp(name + head, base, len) && !strncmp(name + head + len, behind, strlen(behind));
}

bool copies_is_one(const char *name, const char *base)
{
	const char *tail = name + strlen(base);

	if (is_in(name, "#", base, "#") || is_in(name, ".", base, ".sw") || is_in(name, ".", base, ".un~") || is_in(name, ".#", base, ""))
		return true;
	if (strncmp(name, base, strlen(base)) != 0 || !*tail || !strchr("._-~", *tail))
		return false;
	if (!strcmp(tail, "~") || (*tail == '~' && tail[strlen(tail) - 1] == '~'))
		return true;
	return is_tail(tail + 1) || (tail[0] == '.' && tail[1] == '~'); /* file.~3~ */
}

static bool is_copy(const char *name, const char *const *bases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (copies_is_one(name, bases[i]))
			return true;
	return false;
}

bool copies_is_same(const char *a, const char *b)
{
	struct stat sa, sb;

	return a && b && stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

int copies_wipe(const char *folder, const char *const *bases, size_t count, const char *keep, struct error *err)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return error_sys(err, "cannot open folder '%s'", folder);
	while (r == 0 && (entry = readdir(dir))) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", folder, entry->d_name);
		struct stat st;

		if (is_copy(entry->d_name, bases, count) && lstat(path, &st) == 0 && S_ISREG(st.st_mode) && !copies_is_same(path, keep))
			r = wipe_file(path, err);
	}
	closedir(dir);
	return r;
}

int copies_wipe_beside(const char *path, const char *keep, struct error *err)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	_cleanup_(mem_freep) char *folder = mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));

	return copies_wipe(folder, &base, 1, keep, err);
}
