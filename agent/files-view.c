/* agent/files-view.c -- the files of a device as they are on disk, and the commands of its settings. */
#include "agent/files-parts.h"

#include "base/fs.h"

#include <errno.h>
#include <glob.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int files_run(struct proc_result *res, char *const *argv, unsigned count, struct bytes in, unsigned timeout_ms, struct error *err)
{
	const char *args[FILES_ARGS_MAX] = { 0 };

	for (unsigned i = 0; i < count && i + 1 < FILES_ARGS_MAX; i++)
		args[i] = argv[i];
	return proc_run(res, args, in, timeout_ms, DEVICE_TEXT_MAX, err);
}

void files_note_missing(struct device_look *look, const char *path)
{
	size_t used = strlen(look->missing);

	look->is_whole = false;
	snprintf(look->missing + used, sizeof(look->missing) - used, "%s%s", used ? " " : "", path);
}

/* ---- the view ---- */

static void item_done(struct files_item *item)
{
	free(item->path);
	free(item->real);
	buf_done(&item->content);
}

void files_view_done(struct files_view *view)
{
	for (size_t i = 0; i < view->count; i++)
		item_done(&view->items[i]);
	free(view->items);
	*view = (struct files_view){ 0 };
}

const struct files_item *files_view_find(const struct files_view *view, struct bytes path)
{
	for (size_t i = 0; i < view->count; i++)
		if (bytes_is(path, view->items[i].path))
			return &view->items[i];
	return NULL;
}

static bool is_root(const struct settings_files *files)
{
	return !files->root[1];
}

static void owner_name(char out[static FILES_NAME_MAX + 1], const char *name, unsigned id)
{
	/* a name that the text would not take is told as a number */
	if (name && files_name_ok(bytes_str(name)))
		snprintf(out, FILES_NAME_MAX + 1, "%s", name);
	else
		snprintf(out, FILES_NAME_MAX + 1, "%u", id);
}

static void take_owner(struct files_item *item, const struct stat *st)
{
	const struct passwd *pw = getpwuid(st->st_uid);
	const struct group *gr = getgrgid(st->st_gid);

	item->mode = st->st_mode & 07777;
	owner_name(item->owner, pw ? pw->pw_name : NULL, st->st_uid);
	owner_name(item->group, gr ? gr->gr_name : NULL, st->st_gid);
}

/* A link may lead elsewhere below the root, and not out of it. */
static int resolve(struct files_item *item, const struct settings_files *files, const char *path, struct error *err)
{
	_cleanup_(mem_freep) char *root = realpath(files->root, NULL);
	size_t len = root ? strlen(root) : 0;
	struct stat st;

	item->real = realpath(path, NULL);
	if (!item->real && errno == ENOENT && lstat(path, &st) < 0) {
		item->real = mem_strdup(path);
		return FS_ABSENT;
	}
	if (!item->real || !root)
		return error_sys(err, "cannot follow '%s'", path);
	if (len > 1 && (strncmp(item->real, root, len) != 0 || item->real[len] != '/'))
		return error_set(err, E_DENIED, "'%s' leads out of '%s'", path, files->root);
	return 0;
}

static int read_item(struct files_item *item, const struct settings_files *files, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s%s", is_root(files) ? "" : files->root, item->path);
	struct stat st;
	int r = resolve(item, files, path, err);

	snprintf(item->owner, sizeof(item->owner), "root");
	snprintf(item->group, sizeof(item->group), "root");
	item->mode = 0644;
	if (r != 0)
		return r < 0 ? r : 0;
	if (stat(item->real, &st) < 0)
		return error_sys(err, "cannot look at '%s'", item->real);
	take_owner(item, &st);
	r = fs_read(&item->content, item->real, DEVICE_TEXT_MAX, err);
	item->is_there = r == 0;
	return r < 0 ? r : 0;
}

/* Takes text over. The part that names a file first has it. */
static int add_item(struct files_view *view, const struct settings_files *files, const struct settings_part *part, const char *path,
		    struct error *err)
{
	struct files_item *item;

	if (files_view_find(view, bytes_str(path)))
		return 0;
	if (!files_path_ok(bytes_str(path)))
		return error_set(err, E_FORMAT, "'%s' names a file whose path is too long or holds control characters", part->path);
	if (view->count == FILES_ITEMS_MAX)
		return error_set(err, E_LIMIT, "more than %d files", FILES_ITEMS_MAX);
	view->items = mem_grow(view->items, (view->count + 1) * sizeof(*view->items));
	item = &view->items[view->count++];
	*item = (struct files_item){ .part = part, .path = mem_strdup(path) };
	return read_item(item, files, err);
}

void files_view_add_gone(struct files_view *view, const struct settings_part *part, const char *path)
{
	struct files_item *item;

	if (files_view_find(view, bytes_str(path)) || view->count == FILES_ITEMS_MAX)
		return;
	view->items = mem_grow(view->items, (view->count + 1) * sizeof(*view->items));
	item = &view->items[view->count++];
	*item = (struct files_item){ .part = part, .path = mem_strdup(path), .mode = 0644, .owner = "root", .group = "root" };
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int add_pattern(struct files_view *view, const struct settings_files *files, const struct settings_part *part, struct error *err)
{
	const char *root = is_root(files) ? "" : files->root;
	_cleanup_(mem_freep) char *pattern = mem_printf("%s%s", root, part->path);
	glob_t found = { 0 };
	int r = glob(pattern, GLOB_ERR | GLOB_NOSORT, NULL, &found);

	if (r != 0 && r != GLOB_NOMATCH) {
		globfree(&found);
		return error_sys(err, "cannot look for '%s'", pattern);
	}
	r = 0;
	for (size_t i = 0; r == 0 && i < found.gl_pathc; i++)
		if (is_file(found.gl_pathv[i]))
			r = add_item(view, files, part, found.gl_pathv[i] + strlen(root), err);
	globfree(&found);
	return r;
}

static int by_path(const void *pa, const void *pb)
{
	const struct files_item *a = pa, *b = pb;

	return strcmp(a->path, b->path);
}

void files_view_sort(struct files_view *view)
{
	if (view->count)
		qsort(view->items, view->count, sizeof(*view->items), by_path);
}

int files_view_read(struct files_view *out, const struct settings_files *files, struct error *err)
{
	int r = 0;

	*out = (struct files_view){ 0 };
	for (unsigned i = 0; r == 0 && i < files->parts_count; i++) {
		const struct settings_part *part = &files->parts[i];

		r = strpbrk(part->path, "*?[") ? add_pattern(out, files, part, err) : add_item(out, files, part, part->path, err);
	}
	files_view_sort(out);
	return r;
}

int files_write(const struct files_item *item, struct bytes content, struct error *err)
{
	fs_sweep(item->real);
	return fs_replace(item->real, content, 0644, err);
}
