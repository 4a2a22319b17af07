/* cli/advisory-store.c -- the advisories of an operator: a folder that can be copied. */
#include "cli/advisory-store.h"

#include "base/clock.h"
#include "base/fs.h"
#include "cli/cli.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { INDEX_MAX = 64 << 20, INDEX_VERSION = 1 };

static char *path_of(const struct advisory_store *s, const char *name)
{
	return mem_printf("%s/%s", s->dir, name);
}

static char *document_path(const struct advisory_store *s, const char *sha256)
{
	return mem_printf("%s/%s.json", s->dir, sha256);
}

static char *signature_path(const struct advisory_store *s, const char *sha256)
{
	return mem_printf("%s/%s.asc", s->dir, sha256);
}

/* ---- the index ---- */

static void put_place(struct advisory_store *s, const char *publisher, const char *id, size_t place)
{
	_cleanup_(mem_freep) char *key = mem_printf("%s\n%s", publisher, id);

	json_object_set_new(s->places, key, json_integer((json_int_t)place));
}

static struct advisory_entry *entry_of(const struct advisory_store *s, const struct advisory *a)
{
	_cleanup_(mem_freep) char *key = mem_printf("%s\n%s", a->publisher, a->id);
	const json_t *place = json_object_get(s->places, key);

	return place ? &s->entries[json_integer_value(place)] : NULL;
}

static struct advisory_entry *add_entry(struct advisory_store *s)
{
	if (!(s->count & (s->count - 1)))
		s->entries = mem_grow(s->entries, (s->count ? 2 * s->count : 1) * sizeof(*s->entries));
	s->entries[s->count] = (struct advisory_entry){ 0 };
	return &s->entries[s->count++];
}

static bool is_hash(const char *text)
{
	uint8_t hash[HASH_LEN];

	return text && hex_decode(hash, sizeof(hash), bytes_str(text));
}

/* The texts stay the line's. */
static void read_line(struct advisory_entry *e, const json_t *line)
{
	e->publisher = advisory_text(line, "publisher");
	e->id = advisory_text(line, "id");
	e->version = advisory_text(line, "version");
	e->released = advisory_text(line, "released");
	e->imported = advisory_text(line, "imported");
	e->checked = advisory_text(line, "checked");
}

static int take_line(struct advisory_store *s, const json_t *line, struct error *err)
{
	struct advisory_entry *e = add_entry(s);
	const char *sha256 = advisory_text(line, "sha256");

	read_line(e, line);
	if (!is_hash(sha256) || !e->publisher || !e->id || !e->version || !e->released || !e->imported || !e->checked)
		return error_set(err, E_FORMAT, "entry %zu is damaged", s->count);
	memcpy(e->sha256, sha256, sizeof(e->sha256));
	put_place(s, e->publisher, e->id, s->count - 1);
	return 0;
}

static int take_index(struct advisory_store *s, struct bytes text, struct error *err)
{
	const json_t *list;
	json_error_t why;

	s->index = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
	list = json_object_get(s->index, "advisories");
	if (json_integer_value(json_object_get(s->index, "holdfast-advisories")) != INDEX_VERSION || !json_is_array(list))
		return error_set(err, E_FORMAT, "it is no index of advisories, or one of a later version");
	if (json_array_size(list) > ADVISORIES_MAX)
		return error_set(err, E_LIMIT, "it names more than %d advisories", ADVISORIES_MAX);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (take_line(s, json_array_get(list, i), err) < 0)
			return err->code;
	return 0;
}

static int load_index(struct advisory_store *s, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_of(s, "index");
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fs_read(&text, path, INDEX_MAX, err);

	if (r == 0)
		r = take_index(s, buf_bytes(&text), err);
	return r < 0 ? error_add(err, "'%s'", path) : 0;
}

/* What a command left that was killed while it unpacked or fetched. With the lock held nobody uses it. */
static void sweep_folder(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		unlinkat(fd, entry->d_name, 0);
	if (dir)
		closedir(dir);
	unlinkat(dir_fd, name, AT_REMOVEDIR);
}

static void sweep(const struct advisory_store *s)
{
	DIR *dir = opendir(s->dir);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "unpacked-", 9))
			sweep_folder(dirfd(dir), entry->d_name);
	if (dir)
		closedir(dir);
}

int advisory_store_open(struct advisory_store *out, const char *home_dir, bool for_change, struct error *err)
{
	_cleanup_(mem_freep) char *lock = NULL;
	int r = 0;

	*out = (struct advisory_store){ .dir = mem_printf("%s/advisories", home_dir), .lock = -1, .places = json_object() };
	if (for_change) {
		lock = path_of(out, "lock");
		r = fs_mkdirs(out->dir, 0700, err);
		if (r == 0)
			r = out->lock = fs_lock(lock, err);
		if (r >= 0)
			sweep(out);
	}
	if (r >= 0)
		r = load_index(out, err);
	if (r < 0)
		advisory_store_done(out);
	return r < 0 ? r : 0;
}

void advisory_store_done(struct advisory_store *s)
{
	json_decref(s->index);
	json_decref(s->places);
	free(s->entries);
	free(s->gone);
	free(s->dir);
	if (s->dir)
		fd_closep(&s->lock);
	*s = (struct advisory_store){ .lock = -1 };
}

/* ---- taking ---- */

int advisory_store_write(const char *path, struct bytes document, struct error *err)
{
	_cleanup_(mem_freep) char *other = mem_printf("%s.new", path);
	_cleanup_(fd_closep) int fd = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return error_sys(err, "cannot make '%s'", other);
	if (fd_write_all(fd, document, err) < 0)
		return error_add(err, "'%s'", other);
	return rename(other, path) < 0 ? error_sys(err, "cannot rename '%s'", other) : 0;
}

static int write_document(const struct advisory_store *s, const char *sha256, struct bytes document, struct error *err)
{
	_cleanup_(mem_freep) char *path = document_path(s, sha256);

	return advisory_store_write(path, document, err);
}

int advisory_store_put_signature(const struct advisory_store *s, struct bytes document, struct bytes signature, struct error *err)
{
	_cleanup_(mem_freep) char *path = NULL;
	char sha256[2 * HASH_LEN + 1];

	sha256_hex(sha256, document);
	path = signature_path(s, sha256);
	return advisory_store_write(path, signature, err);
}

/* Is a newer than what is there? Positive: it is; 0: the same version; negative: it is older. Versions of CSAF are numbers; those of a CVE
 * record are times. */
static int compare(const struct advisory *a, const struct advisory_entry *e)
{
	struct version x, y;
	int r;

	if (a->form != ADVISORY_CVE && version_parse(&x, a->version) && version_parse(&y, e->version)) {
		unsigned places = version_places(&x, &y, true);

		if (places == VERSION_ABOVE || places == VERSION_BELOW)
			return places == VERSION_ABOVE ? 1 : -1;
		if (places == VERSION_EQUAL)
			return 0;
	}
	r = strcmp(a->version, e->version);
	return r && strcmp(a->released, e->released) ? strcmp(a->released, e->released) : r;
}

static void set_gone(struct advisory_store *s, const char *sha256)
{
	s->gone = mem_grow(s->gone, (s->gone_count + 1) * sizeof(*s->gone));
	memcpy(s->gone[s->gone_count++], sha256, sizeof(*s->gone));
}

static void fill_entry(struct advisory_store *s, struct advisory_entry *e, const struct advisory *a, const char *sha256,
		       const char *checked)
{
	char now[CLOCK_TEXT_LEN];
	json_t *line;

	clock_text(now, clock_now_s());
	line = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "sha256", sha256, "publisher", a->publisher, "id", a->id, "version",
			 a->version, "released", a->released, "imported", now, "checked", checked);
	if (!s->index)
		s->index = json_pack("{s:i, s:[]}", "holdfast-advisories", INDEX_VERSION, "advisories");
	json_array_append_new(json_object_get(s->index, "advisories"), line); /* keeps the strings; the old line goes when it is saved */
	read_line(e, line);
	memcpy(e->sha256, sha256, sizeof(e->sha256));
	s->is_changed = true;
}

int advisory_store_take(enum advisory_taken *how, struct advisory_store *s, const struct advisory *a, struct bytes document,
			const char *checked, struct error *err)
{
	struct advisory_entry *e = entry_of(s, a);
	char sha256[2 * HASH_LEN + 1];
	int newer = e ? compare(a, e) : 1;

	sha256_hex(sha256, document);
	*how = !e ? TAKEN_NEW : !strcmp(e->sha256, sha256) ? TAKEN_KNOWN : newer > 0 ? TAKEN_NEWER : TAKEN_OLDER;
	if (*how == TAKEN_OLDER && !newer)
		return error_set(err, CLI_CONFLICT, "version %.60s of '%s' is there already, with another text", e->version, a->id);
	if (*how == TAKEN_OLDER || (*how == TAKEN_KNOWN && (!strcmp(checked, e->checked) || !strcmp(checked, "nothing"))))
		return 0;
	if (!e && s->count == ADVISORIES_MAX)
		return error_set(err, E_LIMIT, "there are %d advisories already", ADVISORIES_MAX);
	if (write_document(s, sha256, document, err) < 0)
		return err->code;
	if (e && *how == TAKEN_NEWER)
		set_gone(s, e->sha256);
	if (!e) {
		e = add_entry(s);
		put_place(s, a->publisher, a->id, s->count - 1);
	}
	fill_entry(s, e, a, sha256, checked);
	return 0;
}

int advisory_store_sync(const struct advisory_store *s, struct error *err)
{
	_cleanup_(fd_closep) int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd) < 0)
		return error_sys(err, "cannot sync '%s'", s->dir);
	return 0;
}

int advisory_store_save(struct advisory_store *s, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_of(s, "index"), *text = NULL;
	json_t *list = json_array(), *whole = json_pack("{s:i, s:o}", "holdfast-advisories", INDEX_VERSION, "advisories", list);
	int r = s->is_changed ? advisory_store_sync(s, err) : 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct advisory_entry *e = &s->entries[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "sha256", e->sha256, "publisher", e->publisher,
						      "id", e->id, "version", e->version, "released", e->released, "imported", e->imported,
						      "checked", e->checked));
	}
	text = json_dumps(whole, JSON_INDENT(1));
	json_decref(whole);
	if (r == 0 && s->is_changed)
		r = fs_write(path, bytes_str(text), 0600, err);
	for (size_t i = 0; i < s->gone_count && r == 0; i++) {
		_cleanup_(mem_freep) char *old = document_path(s, s->gone[i]), *signature = signature_path(s, s->gone[i]);

		unlink(old); /* what stays is not in the index, and harms nothing */
		unlink(signature);
	}
	if (r == 0)
		s->gone_count = 0;
	return r;
}

/* ---- reading ---- */

int advisory_store_document(struct buf *out, const struct advisory_store *s, size_t i, struct error *err)
{
	_cleanup_(mem_freep) char *path = document_path(s, s->entries[i].sha256);
	char sha256[2 * HASH_LEN + 1];
	size_t before = out->len;
	int r = fs_read(out, path, ADVISORY_MAX, err);

	if (r == FS_ABSENT)
		return error_set(err, CLI_ABSENT, "'%s' is gone; import '%s' again", path, s->entries[i].id);
	if (r < 0)
		return r;
	sha256_hex(sha256, bytes_from(buf_bytes(out), before));
	if (strcmp(sha256, s->entries[i].sha256) != 0)
		return error_set(err, E_SEAL, "'%s' is not what was imported; import '%s' again", path, s->entries[i].id);
	return 0;
}

int advisory_store_signature(struct buf *out, const struct advisory_store *s, size_t i, struct error *err)
{
	_cleanup_(mem_freep) char *path = signature_path(s, s->entries[i].sha256);

	return fs_read(out, path, ADVISORY_SIGNATURE_MAX, err);
}

int advisory_store_read(struct advisory **out, const struct advisory_store *s, size_t i, struct error *err)
{
	_cleanup_(buf_done) struct buf document = { 0 };
	int r = advisory_store_document(&document, s, i, err);

	if (r == 0)
		r = advisory_read(out, buf_bytes(&document), err);
	return r < 0 ? error_add(err, "'%s'", s->entries[i].id) : 0;
}

int advisory_store_find(size_t *out, const struct advisory_store *s, const char *id, struct error *err)
{
	size_t found = 0;

	for (size_t i = 0; i < s->count; i++) {
		if (strcasecmp(s->entries[i].id, id) != 0)
			continue;
		*out = i;
		found++;
	}
	if (found > 1)
		return error_set(err, CLI_USAGE,
				 "%zu publishers have an advisory '%.80s'; name it by the first characters of its SHA-256, as advisory "
				 "list --json shows it",
				 found, id);
	for (size_t i = 0; i < s->count && !found && strlen(id) >= 8; i++) {
		if (strncmp(s->entries[i].sha256, id, strlen(id)) != 0)
			continue;
		*out = i;
		return 0;
	}
	return found ? 0 : error_set(err, CLI_ABSENT, "there is no advisory '%.80s'; see: holdfast advisory list", id);
}
