/* agent/files-loaded.c -- what services have loaded, where they cannot tell.
 *
 * A service that reads its files when it is told to, and shows them to nobody, runs what was on disk at that moment. Of that the hashes are
 * kept, in /run, since a machine that starts loads what is on disk anyway. */
#include "agent/files-parts.h"

#include "base/fs.h"
#include "crypto/key.h"

#include <stdlib.h>
#include <string.h>

#define RECORD_FOLDER "/run/holdfast"

enum { RECORD_MAX = 2 << 20 };

struct loaded_file {
	char *path;
	uint8_t hash[HASH_LEN];
};

struct loaded_part {
	char *path; /* as in the settings */
	uint8_t stamp[HASH_LEN]; /* of what `loaded` printed */
	struct loaded_file *files;
	size_t count;
};

bool files_is_tracked(const struct settings_part *part)
{
	return !part->running && part->reload;
}

/* ---- the record ---- */

static struct loaded_part *find_part(const struct files_loaded *loaded, const char *path)
{
	for (size_t i = 0; i < loaded->count; i++)
		if (!strcmp(loaded->parts[i].path, path))
			return &loaded->parts[i];
	return NULL;
}

static struct loaded_part *add_part(struct files_loaded *loaded, struct bytes path)
{
	struct loaded_part *part;

	loaded->parts = mem_grow(loaded->parts, (loaded->count + 1) * sizeof(*loaded->parts));
	part = &loaded->parts[loaded->count++];
	*part = (struct loaded_part){ .path = mem_strndup((const char *)path.ptr, path.len) };
	return part;
}

static void add_file(struct loaded_part *part, struct bytes path, const uint8_t hash[static HASH_LEN])
{
	part->files = mem_grow(part->files, (part->count + 1) * sizeof(*part->files));
	part->files[part->count].path = mem_strndup((const char *)path.ptr, path.len);
	memcpy(part->files[part->count++].hash, hash, HASH_LEN);
}

static void drop_files(struct loaded_part *part)
{
	for (size_t i = 0; i < part->count; i++)
		free(part->files[i].path);
	free(part->files);
	part->files = NULL;
	part->count = 0;
}

/* "part <stamp> <path>", "file <hash> <path>". */
static bool take_line(struct files_loaded *loaded, struct bytes line)
{
	uint8_t hash[HASH_LEN];
	struct bytes path = bytes_from(line, 5 + 2 * HASH_LEN + 1);
	bool is_part = line.len > 5 && !memcmp(line.ptr, "part ", 5);

	if (!path.len || !hex_decode(hash, HASH_LEN, bytes_of(line.ptr + 5, 2 * HASH_LEN)))
		return false;
	if (is_part)
		memcpy(add_part(loaded, path)->stamp, hash, HASH_LEN);
	else if (loaded->count && !memcmp(line.ptr, "file ", 5))
		add_file(&loaded->parts[loaded->count - 1], path, hash);
	else
		return false;
	return true;
}

static char *record_path(const struct settings_device *dev)
{
	uint8_t hash[HASH_LEN];
	char digits[17];

	sha256(hash, bytes_str(dev->files->root));
	hex_encode(digits, hash, 8);
	return mem_printf(RECORD_FOLDER "/files-%s-%s", dev->name, digits);
}

static void drop_parts(struct files_loaded *loaded)
{
	for (size_t i = 0; i < loaded->count; i++) {
		free(loaded->parts[i].path);
		drop_files(&loaded->parts[i]);
	}
	free(loaded->parts);
	loaded->parts = NULL;
	loaded->count = 0;
}

void files_loaded_done(struct files_loaded *loaded)
{
	drop_parts(loaded);
	free(loaded->path);
	*loaded = (struct files_loaded){ 0 };
}

/* A record that is damaged is none. */
static int read_record(struct files_loaded *out, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct bytes rest, line;
	int r = fs_read(&text, out->path, RECORD_MAX, err);

	if (r < 0)
		return r;
	rest = buf_bytes(&text);
	while (bytes_next_line(&rest, &line))
		if (!take_line(out, line)) {
			drop_parts(out);
			break;
		}
	return 0;
}

int files_loaded_write(struct files_loaded *loaded, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char digits[2 * HASH_LEN + 1];

	if (!loaded->is_changed)
		return 0;
	for (size_t i = 0; i < loaded->count; i++) {
		const struct loaded_part *part = &loaded->parts[i];

		hex_encode(digits, part->stamp, HASH_LEN);
		buf_addf(&text, "part %s %s\n", digits, part->path);
		for (size_t k = 0; k < part->count; k++) {
			hex_encode(digits, part->files[k].hash, HASH_LEN);
			buf_addf(&text, "file %s %s\n", digits, part->files[k].path);
		}
	}
	if (fs_mkdirs(RECORD_FOLDER, 0700, err) < 0 || fs_write(loaded->path, buf_bytes(&text), 0600, err) < 0)
		return error_add(err, "noting what was loaded");
	loaded->is_changed = false;
	return 0;
}

/* ---- what it says ---- */

void files_loaded_take(struct files_loaded *loaded, const struct settings_part *part, const struct files_view *view)
{
	struct loaded_part *known = find_part(loaded, part->path);
	uint8_t hash[HASH_LEN];

	if (!known)
		known = add_part(loaded, bytes_str(part->path));
	drop_files(known);
	for (size_t i = 0; i < view->count; i++) {
		if (view->items[i].part != part || !view->items[i].is_there)
			continue;
		sha256(hash, buf_bytes(&view->items[i].content));
		add_file(known, bytes_str(view->items[i].path), hash);
	}
	loaded->is_changed = true;
}

const uint8_t *files_loaded_hash(const struct files_loaded *loaded, const struct settings_part *part, const char *path)
{
	const struct loaded_part *known = find_part(loaded, part->path);

	for (size_t i = 0; known && i < known->count; i++)
		if (!strcmp(known->files[i].path, path))
			return known->files[i].hash;
	return NULL;
}

static bool is_gone(const struct loaded_file *file, const struct settings_part *part, const struct files_view *view)
{
	const struct files_item *item = files_view_find(view, bytes_str(file->path));

	return !item || !item->is_there || item->part != part;
}

void files_loaded_add_gone(const struct files_loaded *loaded, const struct settings_part *part, struct files_view *view)
{
	const struct loaded_part *known = find_part(loaded, part->path);

	for (size_t i = 0; known && i < known->count; i++)
		if (is_gone(&known->files[i], part, view))
			files_view_add_gone(view, part, known->files[i].path);
}

static bool is_loaded(const struct files_loaded *loaded, const struct files_item *item)
{
	const uint8_t *known = files_loaded_hash(loaded, item->part, item->path);
	uint8_t hash[HASH_LEN];

	sha256(hash, buf_bytes(&item->content));
	return known && !memcmp(known, hash, HASH_LEN);
}

bool files_loaded_is_disk(const struct files_loaded *loaded, const struct settings_part *part, const struct files_view *view)
{
	const struct loaded_part *known = find_part(loaded, part->path);

	for (size_t i = 0; i < view->count; i++)
		if (view->items[i].part == part && view->items[i].is_there && !is_loaded(loaded, &view->items[i]))
			return false;
	for (size_t i = 0; known && i < known->count; i++)
		if (is_gone(&known->files[i], part, view))
			return false;
	return true;
}

/* false: it does not answer. */
static bool ask_stamp(uint8_t out[static HASH_LEN], const struct settings_part *part)
{
	_cleanup_(proc_result_done) struct proc_result res = { 0 };
	struct error ignored;

	memset(out, 0, HASH_LEN);
	if (!part->loaded)
		return true;
	if (files_run(&res, part->loaded, part->loaded_count, (struct bytes){ 0 }, FILES_COMMAND_MS, &ignored) < 0 || res.status)
		return false;
	sha256(out, buf_bytes(&res.out));
	return true;
}

static void bring_up_to_date(struct files_loaded *loaded, const struct settings_part *part, const struct files_view *view,
			     struct device_look *look)
{
	struct loaded_part *known = find_part(loaded, part->path);
	uint8_t stamp[HASH_LEN];

	if (!ask_stamp(stamp, part)) {
		if (look)
			files_note_missing(look, part->path);
		return;
	}
	if (known && !memcmp(known->stamp, stamp, HASH_LEN))
		return;
	files_loaded_take(loaded, part, view);
	memcpy(find_part(loaded, part->path)->stamp, stamp, HASH_LEN);
}

int files_loaded_read(struct files_loaded *out, const struct settings_device *dev, const struct files_view *view, struct device_look *look,
		      struct error *err)
{
	*out = (struct files_loaded){ .path = record_path(dev) };
	if (read_record(out, err) < 0)
		return err->code;
	for (unsigned i = 0; i < dev->files->parts_count; i++)
		if (files_is_tracked(&dev->files->parts[i]))
			bring_up_to_date(out, &dev->files->parts[i], view, look);
	return files_loaded_write(out, err);
}
