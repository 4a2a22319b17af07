/* cli/cmd-import.c -- `holdfast import`: posts what holdfast-agent export wrote, for devices that reach no server.
 *
 * A folder of a device holds files named by twelve digits, one container each; above it may stand folders of several devices. A file may
 * also be a list of containers, one after the other. Each folder and each file is one chain: what fails in it ends it, not the others. */
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/output.h"

#include "base/fs.h"
#include "base/plural.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_DIGITS = 12, DEPTH_MAX = 4, FILES_MAX = 1000000 };

struct chain {
	char *path;   /* the folder, or the one file */
	char **files; /* in order */
	size_t count;
};

struct import {
	struct cli *cli;
	struct chain *chains;
	size_t chain_count, file_count;
	size_t stored, seen, failed_chains, files_done;
	struct error first;
	struct progress progress;
	json_t *failures;
};

static void import_done(struct import *im)
{
	for (size_t i = 0; i < im->chain_count; i++) {
		for (size_t k = 0; k < im->chains[i].count; k++)
			free(im->chains[i].files[k]);
		free(im->chains[i].files);
		free(im->chains[i].path);
	}
	free(im->chains);
	json_decref(im->failures);
}

/* ---- what is there ---- */

static struct chain *add_chain(struct import *im, const char *path)
{
	struct chain *chain;

	im->chains = mem_grow(im->chains, (im->chain_count + 1) * sizeof(*im->chains));
	chain = &im->chains[im->chain_count++];
	*chain = (struct chain){ .path = mem_strdup(path) };
	return chain;
}

static int add_file(struct import *im, struct chain *chain, const char *path, struct error *err)
{
	if (im->file_count == FILES_MAX)
		return error_set(err, E_LIMIT, "more than %d files", FILES_MAX);
	chain->files = mem_grow(chain->files, (chain->count + 1) * sizeof(*chain->files));
	chain->files[chain->count++] = mem_strdup(path);
	im->file_count++;
	return 0;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool is_spooled(const char *name)
{
	return strlen(name) == NAME_DIGITS && strspn(name, "0123456789") == NAME_DIGITS;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_folder(struct import *im, const char *path, unsigned depth, struct error *err);

/* Digits of one length sort by bytes as by number. What is neither a container nor a folder is none of ours. */
static int add_entries(struct import *im, const char *path, struct dirent **entries, int count, unsigned depth, struct error *err)
{
	struct chain *chain = NULL;
	size_t at = 0;
	int r = 0;

	for (int i = 0; i < count && r == 0; i++) {
		_cleanup_(mem_freep) char *full = mem_printf("%s/%s", path, entries[i]->d_name);
		struct stat st;

		if (lstat(full, &st) < 0)
			return error_sys(err, "cannot look at '%s'", full);
		if (S_ISDIR(st.st_mode))
			r = add_folder(im, full, depth + 1, err);
		if (r < 0 || !S_ISREG(st.st_mode) || !is_spooled(entries[i]->d_name))
			continue;
		if (!chain) {
			add_chain(im, path);
			at = im->chain_count - 1;
		}
		chain = &im->chains[at]; /* it moves when folders below add theirs */
		r = add_file(im, chain, full, err);
	}
	return r;
}

static int add_folder(struct import *im, const char *path, unsigned depth, struct error *err)
{
	struct dirent **entries;
	int count, r;

	if (depth > DEPTH_MAX)
		return error_set(err, E_LIMIT, "'%s' lies deeper than %d folders", path, DEPTH_MAX);
	count = scandir(path, &entries, is_visible, by_bytes);
	if (count < 0)
		return error_sys(err, "cannot read folder '%s'", path);
	r = add_entries(im, path, entries, count, depth, err);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	return r;
}

static int add_path(struct import *im, const char *path, struct error *err)
{
	size_t before = im->file_count;
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return errno == ENOENT ? error_set(err, CLI_ABSENT, "there is no '%s'", path) : error_sys(err, "cannot look at '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return add_file(im, add_chain(im, path), path, err);
	r = add_folder(im, path, 1, err);
	if (r == 0 && im->file_count == before)
		return error_set(err, CLI_ABSENT, "'%s' holds no file that holdfast-agent export wrote (named by %d digits)", path,
				 NAME_DIGITS);
	return r;
}

/* ---- posting ---- */

struct feed {
	int fd;
	struct buf held;
	size_t used;     /* of held */
	uint64_t offset; /* in the file, for messages */
	bool is_at_end;
};

/* Enough for any one container, or all that is left. */
static int fill(struct feed *feed, struct error *err)
{
	if (feed->is_at_end || feed->held.len - feed->used >= CONTAINER_MAX)
		return 0;
	if (feed->used)
		memmove(feed->held.ptr, feed->held.ptr + feed->used, feed->held.len - feed->used);
	buf_truncate(&feed->held, feed->held.len - feed->used);
	feed->used = 0;
	while (feed->held.len < 2UL * CONTAINER_MAX) {
		size_t before = feed->held.len, room = 1 << 18;
		ssize_t n = read(feed->fd, buf_extend(&feed->held, room), room);

		buf_truncate(&feed->held, before + (n > 0 ? (size_t)n : 0));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "cannot read");
		if (!n) {
			feed->is_at_end = true;
			break;
		}
	}
	return 0;
}

static int post_next(struct import *im, struct feed *feed, struct error *err)
{
	struct bytes rest = bytes_from(buf_bytes(&feed->held), feed->used);
	_cleanup_(container_done) struct container c = { 0 };
	size_t used = 0;
	int r = container_parse(&c, rest, CONTAINER_ATTACHED, &used, err);

	if (r == 0)
		r = api_post_object(im->cli->api, bytes_of(rest.ptr, used), err);
	if (r < 0)
		return feed->offset ? error_add(err, "at byte %llu", (unsigned long long)feed->offset) : r;
	if (r)
		im->seen++;
	else
		im->stored++;
	feed->used += used;
	feed->offset += used;
	return 0;
}

static int post_file(struct import *im, const char *path, struct error *err)
{
	struct feed feed = { .fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) };
	int r;

	if (feed.fd < 0)
		return error_sys(err, "cannot open '%s'", path);
	r = fill(&feed, err);
	if (r == 0 && !feed.held.len)
		r = error_set(err, E_FORMAT, "it is empty");
	while (r == 0 && feed.used < feed.held.len) {
		r = post_next(im, &feed, err);
		if (r == 0)
			r = fill(&feed, err);
	}
	buf_done(&feed.held);
	fd_closep(&feed.fd);
	return r < 0 ? error_add(err, "'%s'", path) : 0;
}

static void note_failure(struct import *im, const struct chain *chain, const struct error *why)
{
	if (!im->failed_chains++)
		im->first = *why;
	json_array_append_new(im->failures, json_pack("{s:s, s:s}", "path", chain->path, "reason", why->text));
	if (im->chain_count > 1)
		output_note("holdfast: %s; the rest of '%s' is left out", why->text, chain->path);
}

/* 0 also when the chain failed; a failure only when nothing more can be done. */
static int post_chain(struct import *im, const struct chain *chain, struct error *err)
{
	for (size_t i = 0; i < chain->count; i++) {
		struct error why = { 0 };

		if (post_file(im, chain->files[i], &why) < 0) {
			note_failure(im, chain, &why);
			*err = why;
			return why.code == CLI_UNREACHED ? why.code : 0;
		}
		progress_show(&im->progress, ++im->files_done, im->file_count);
	}
	return 0;
}

static int report(const struct import *im, bool json, struct error *err)
{
	_cleanup_(mem_freep) char *line = NULL;

	if (json)
		return output_json("import",
				   json_pack("{s:I, s:I, s:I, s:O}", "files", (json_int_t)im->files_done, "stored", (json_int_t)im->stored,
					     "seen", (json_int_t)im->seen, "failures", im->failures),
				   err);
	line = mem_printf("stored %zu, seen before %zu\n", im->stored, im->seen);
	return output_raw(bytes_str(line), err);
}

static int conclude(const struct import *im, struct error *err)
{
	if (!im->failed_chains)
		return 0;
	*err = im->first;
	if (im->failed_chains == im->chain_count && !im->stored && !im->seen)
		return err->code;
	return error_set(err, CLI_PARTIAL, "%zu of %zu %s not taken whole; the first: %.300s", im->failed_chains, im->chain_count,
			 plural(im->chain_count, "chain was", "chains were"), im->first.text);
}

int cmd_import(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(import_done) struct import im = { .cli = cli, .progress = { .what = "posted files" }, .failures = json_array() };
	int r = 0;

	for (size_t i = 0; i < args->count && r == 0; i++)
		r = add_path(&im, args->value[i], err);
	if (r == 0)
		r = cli_api(cli, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < im.chain_count && r == 0; i++)
		r = post_chain(&im, &im.chains[i], err);
	progress_end(&im.progress);
	r = report(&im, cli->json, err);
	return r < 0 ? r : conclude(&im, err);
}
