/* repo/shred.c -- destroying what opens a device's archive.
 *
 * It must not stop half-way unnoticed, and nothing may come back: not from the journal, not by who posts it again, not from a backup. So
 * first comes a mark on the disk, shredding/<device>: "<batch> <payloads>\n". While it is there, and then because the archive's own word is
 * archived, nothing that opens is taken of this device. */
#include "repo/keyring.h"
#include "repo/parts.h"
#include "repo/payloads.h"

#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

enum { MARK_MAX = 128 };

static char *folder_of(const struct repo *repo)
{
	return mem_printf("%s/shredding", repo->dir);
}

static char *mark_of(const struct repo *repo, const char *device)
{
	return mem_printf("%s/shredding/%s", repo->dir, device);
}

/* ---- who it is about ---- */

static size_t find(const struct repo *repo, const char *device)
{
	size_t i = 0;

	while (i < repo->shredding_count && strcmp(repo->shredding[i], device) != 0)
		i++;
	return i;
}

/* With store_lock, once there is more than one thread. */
static void add(struct repo *repo, const char *device)
{
	if (find(repo, device) < repo->shredding_count)
		return;
	repo->shredding = mem_grow(repo->shredding, (repo->shredding_count + 1) * sizeof(*repo->shredding));
	memcpy(repo->shredding[repo->shredding_count++], device, ID_LEN + 1);
}

static int was_said(struct buf *out, struct store *store, const char *device, struct error *err)
{
	return store_said(out, store, device, STATEMENT_SHREDDED, err);
}

bool shred_has_begun(struct repo *repo, const char *device)
{
	_cleanup_(buf_done) struct buf said = { 0 };
	struct error ignored;

	/* an index that cannot tell: rather one payload too few */
	return find(repo, device) < repo->shredding_count || was_said(&said, repo->store, device, &ignored) < 0 || said.len;
}

/* ---- marks ---- */

struct mark {
	char batch[ID_LEN + 1];
	bool is_counted;
	uint64_t payloads;
};

static int parse_mark(struct mark *out, struct bytes text, struct error *err)
{
	struct bytes rest = text;

	*out = (struct mark){ 0 };
	if (text.len <= ID_LEN || text.ptr[text.len - 1] != '\n' || !id_is_valid(bytes_of(text.ptr, ID_LEN)))
		return error_set(err, E_FORMAT, "it is no mark of shredding");
	memcpy(out->batch, text.ptr, ID_LEN);
	rest = bytes_of(text.ptr + ID_LEN, text.len - ID_LEN - 1);
	if (!rest.len)
		return 0;
	out->is_counted = rest.ptr[0] == ' ' && number_parse(&out->payloads, bytes_from(rest, 1));
	return out->is_counted ? 0 : error_set(err, E_FORMAT, "it is no mark of shredding");
}

/* FS_ABSENT. */
static int read_mark(struct mark *out, const struct repo *repo, const char *device, struct error *err)
{
	_cleanup_(mem_freep) char *path = mark_of(repo, device);
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fs_read(&text, path, MARK_MAX, err);

	if (r == 0)
		r = parse_mark(out, buf_bytes(&text), err);
	return r < 0 ? error_add(err, "'%s'", path) : r;
}

static int write_mark(const struct repo *repo, const char *device, const struct mark *mark, struct error *err)
{
	_cleanup_(mem_freep) char *folder = folder_of(repo), *path = mark_of(repo, device);
	_cleanup_(buf_done) struct buf text = { 0 };

	buf_add_str(&text, mark->batch);
	if (mark->is_counted)
		buf_addf(&text, " %llu", (unsigned long long)mark->payloads);
	buf_add_char(&text, '\n');
	if (fs_mkdirs(folder, 0700, err) < 0 || fs_sync_dir(repo->dir, err) < 0)
		return err->code;
	fs_sweep(path);
	return fs_write(path, buf_bytes(&text), 0600, err);
}

/* The devices that have one; the caller frees. */
static int list_marks(char (**out)[ID_LEN + 1], size_t *count, const struct repo *repo, struct error *err)
{
	_cleanup_(mem_freep) char *folder = folder_of(repo);
	DIR *dir = opendir(folder);
	struct dirent *entry;

	*out = NULL;
	*count = 0;
	if (!dir)
		return errno == ENOENT ? 0 : error_sys(err, "cannot open folder '%s'", folder);
	while ((entry = readdir(dir))) {
		if (!id_is_valid(bytes_str(entry->d_name)))
			continue;
		*out = mem_grow(*out, (*count + 1) * sizeof(**out));
		memcpy((*out)[(*count)++], entry->d_name, ID_LEN + 1);
	}
	closedir(dir);
	return 0;
}

int shred_open(struct repo *repo, struct error *err)
{
	return list_marks(&repo->shredding, &repo->shredding_count, repo, err);
}

int repo_shreds_begun(struct repo *repo, repo_shred_fn fn, void *ctx, struct error *err)
{
	char(*devices)[ID_LEN + 1];
	size_t count;
	int r = list_marks(&devices, &count, repo, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct mark mark;

		r = read_mark(&mark, repo, devices[i], err);
		if (r == 0 && fn(ctx, devices[i], mark.batch))
			break;
		r = r == FS_ABSENT ? 0 : r;
	}
	free(devices);
	return r;
}

/* ---- destroying ---- */

static int destroy_keys(struct repo *repo, const char *device, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->keyring_lock);
	r = keyring_destroy(repo->keyring, device, err);
	pthread_mutex_unlock(&repo->keyring_lock);
	return r;
}

struct counting {
	const char *device;
	uint64_t count;
};

/* Counts, and lets it be. */
static int count_one(void *ctx, const char *batch _unused_, const char *device, int64_t written_s _unused_, struct error *err _unused_)
{
	struct counting *c = ctx;

	c->count += !strcmp(c->device, device);
	return 0;
}

static int count_payloads(struct mark *mark, struct repo *repo, const char *device, struct error *err)
{
	struct counting c = { .device = device };
	size_t none;
	int r;

	pthread_mutex_lock(&repo->destroy_lock);
	r = payloads_destroy(&none, repo->payloads, count_one, &c, err);
	pthread_mutex_unlock(&repo->destroy_lock);
	mark->payloads = c.count;
	mark->is_counted = true;
	return r;
}

/* From here on nothing of it is taken any more; what was taken before is in the journal or behind it. */
static int begin(struct mark *out, struct repo *repo, const char *device, const char *batch, struct error *err)
{
	int r = read_mark(out, repo, device, err);

	if (r == FS_ABSENT) {
		*out = (struct mark){ 0 };
		memcpy(out->batch, batch, ID_LEN + 1);
		r = write_mark(repo, device, out, err);
	}
	if (r < 0)
		return r;
	pthread_mutex_lock(&repo->store_lock);
	add(repo, device);
	pthread_mutex_unlock(&repo->store_lock);
	return 0;
}

static int count_once(struct mark *mark, struct repo *repo, const char *device, struct error *err)
{
	if (mark->is_counted)
		return 0;
	return count_payloads(mark, repo, device, err) < 0 ? err->code : write_mark(repo, device, mark, err);
}

int repo_shred(struct repo_span *out, struct repo *repo, const char *device, const char *batch, struct error *err)
{
	struct mark mark;
	size_t ignored;
	int r = begin(&mark, repo, device, batch, err);

	if (r == 0)
		r = flush_journal(repo, err);
	if (r == 0)
		r = count_once(&mark, repo, device, err);
	if (r == 0)
		r = repo_payloads_destroy(&ignored, repo, NULL, device, err);
	if (r == 0)
		r = destroy_keys(repo, device, err);
	if (r == 0)
		r = rows_show(repo, err); /* a device that is lost may have gone on posting */
	if (r < 0)
		return r;
	pthread_mutex_lock(&repo->reading_lock);
	r = store_span(out, repo->reading, device, err);
	pthread_mutex_unlock(&repo->reading_lock);
	out->payloads = (size_t)mark.payloads;
	return r;
}

int repo_shred_end(struct repo *repo, const char *device, struct error *err)
{
	_cleanup_(mem_freep) char *path = mark_of(repo, device);
	size_t i;

	fs_sweep(path);
	if (fs_remove(path, err) < 0)
		return err->code;
	pthread_mutex_lock(&repo->store_lock);
	i = find(repo, device);
	if (i < repo->shredding_count)
		memmove(repo->shredding[i], repo->shredding[--repo->shredding_count], ID_LEN + 1);
	pthread_mutex_unlock(&repo->store_lock);
	return 0;
}

/* ---- what a backup brought back ---- */

/* 1: the archive said that it shredded this device. */
static int is_shredded(struct repo *repo, const char *device, struct error *err)
{
	_cleanup_(buf_done) struct buf said = { 0 };
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = was_said(&said, repo->reading, device, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r < 0 ? r : said.len > 0;
}

static int came_back(void *ctx, const char *batch _unused_, const char *device, int64_t written_s _unused_, struct error *err)
{
	return is_shredded(ctx, device, err);
}

/* Counts devices, not files. */
static int keyring_again(size_t *count, struct repo *repo, struct error *err)
{
	DIR *dir = opendir(repo->keyring);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : error_sys(err, "cannot open folder '%s'", repo->keyring);
	while (r >= 0 && (entry = readdir(dir))) {
		if (!id_is_valid(bytes_str(entry->d_name)))
			continue;
		r = is_shredded(repo, entry->d_name, err);
		if (r > 0) {
			r = destroy_keys(repo, entry->d_name, err);
			++*count;
		}
	}
	closedir(dir);
	return r < 0 ? r : 0;
}

int repo_shred_again(size_t *count, struct repo *repo, struct error *err)
{
	size_t payloads = 0;
	int r;

	*count = 0;
	pthread_mutex_lock(&repo->destroy_lock);
	r = payloads_destroy(&payloads, repo->payloads, came_back, repo, err);
	pthread_mutex_unlock(&repo->destroy_lock);
	if (r == 0)
		r = keyring_again(count, repo, err);
	*count += payloads;
	return r;
}
