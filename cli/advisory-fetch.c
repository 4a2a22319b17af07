/* cli/advisory-fetch.c -- advisories of a provider on the network into the store. */
#include "cli/advisory-fetch.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/plural.h"
#include "cli/advisory-feed.h"
#include "cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BESIDE_MAX = 65536,      /* bytes of a hash or a signature */
	UNREACHED_MAX = 3,       /* in a row: then the network is away, and nothing more is asked for */
	STATE_MAX = 64 << 20,
	SAVE_S = 10,             /* what was taken is made durable so often */
	STATE_VERSION = 1,
};

static const char well_known[] = "/.well-known/csaf/provider-metadata.json";

/* One feed while it is fetched. */
struct fetching {
	struct advisory_import *im;
	struct fetch *fetch;
	char *folder;       /* where hashes and a signature lie while a document is checked */
	char *state_path;
	json_t *done;       /* address -> updated */
	unsigned unreached; /* in a row */
	int64_t saved_s;
};

/* ---- what was taken before ---- */

static int load_state(struct fetching *g, const char *url, struct error *err)
{
	_cleanup_(mem_freep) char *folder = mem_printf("%s/feeds", g->im->store->dir);
	_cleanup_(buf_done) struct buf text = { 0 };
	char hash[2 * HASH_LEN + 1];
	json_t *json;
	int r = fs_mkdirs(folder, 0700, err);

	sha256_hex(hash, bytes_str(url));
	g->state_path = mem_printf("%s/%.32s", folder, hash);
	if (r == 0)
		r = fs_read(&text, g->state_path, STATE_MAX, err);
	if (r < 0)
		return r;
	json = json_loadb((const char *)text.ptr, text.len, 0, NULL);
	g->done = json_incref(json_object_get(json, "done"));
	json_decref(json);
	if (!json_is_object(g->done)) { /* none yet, or damaged: all is asked for again, which harms nothing */
		json_decref(g->done);
		g->done = json_object();
	}
	return 0;
}

/* The documents first: what is said to be done is there. */
static int save(struct fetching *g, const char *url, struct error *err)
{
	_cleanup_(mem_freep) char *text = NULL;
	json_t *json;

	if (advisory_store_save(g->im->store, err) < 0)
		return err->code;
	json = json_pack("{s:i, s:s, s:O}", "holdfast-feed", STATE_VERSION, "url", url, "done", g->done);
	text = json_dumps(json, JSON_INDENT(1));
	json_decref(json);
	g->saved_s = clock_now_s();
	return fs_write(g->state_path, bytes_str(text ? text : "{}"), 0600, err);
}

static bool is_done(const struct fetching *g, const struct feed_entry *e)
{
	const char *updated = json_string_value(json_object_get(g->done, e->url));

	return !g->im->is_again && e->updated && updated && !strcmp(updated, e->updated);
}

/* ---- one document ---- */

static char *beside(const struct fetching *g, const char *suffix)
{
	return mem_printf("%s/document%s", g->folder, suffix);
}

static void clear_folder(const struct fetching *g)
{
	static const char *const suffixes[] = { ".sha256", ".sha512", ".asc" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		_cleanup_(mem_freep) char *path = beside(g, suffixes[i]);

		unlink(path);
	}
}

/* is_said: the feed says that it is there. */
static int fetch_beside(struct fetching *g, const char *url, const char *suffix, bool is_said, struct error *err)
{
	_cleanup_(mem_freep) char *path = beside(g, suffix);
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fetch_get(&text, g->fetch, url, BESIDE_MAX, err);

	if (r == FETCH_ABSENT)
		return is_said ? error_set(err, E_SEAL, "its feed names a '%s', which is not there", suffix) : 0;
	if (r < 0)
		return error_add(err, "its %s", suffix);
	return fs_write(path, buf_bytes(&text), 0600, err);
}

static int fetch_all_beside(struct fetching *g, const struct feed_entry *e, struct error *err)
{
	static const char *const suffixes[] = { ".sha256", ".sha512" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (e->hashes[i] && fetch_beside(g, e->hashes[i], suffixes[i], e->is_said, err) < 0)
			return err->code;
	return g->im->keyring && e->signature ? fetch_beside(g, e->signature, ".asc", e->is_said, err) : 0;
}

/* document: it has come already; else it is fetched. */
static int take_document(struct fetching *g, const struct feed_entry *e, const struct buf *document, struct error *err)
{
	_cleanup_(mem_freep) char *path = beside(g, "");
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = 0;

	if (document)
		buf_add_bytes(&text, buf_bytes(document));
	else
		r = fetch_get(&text, g->fetch, e->url, ADVISORY_MAX, err);
	if (r == FETCH_ABSENT)
		r = error_set(err, E_PEER, "it is not there, although its feed names it");
	if (r == 0)
		r = fetch_all_beside(g, e, err);
	if (r < 0)
		return r;
	return advisory_import_bytes(g->im, e->url, path, buf_bytes(&text), err);
}

/* Refused is what can be tried again next time; only the network, the disk and the bounds of the whole stop the rest. */
static int take_entry(struct fetching *g, const struct feed_entry *e, const struct buf *document, struct error *err)
{
	size_t refused = g->im->refused;
	int r = take_document(g, e, document, err);

	clear_folder(g);
	g->unreached = r == CLI_UNREACHED ? g->unreached + 1 : 0;
	if (r < 0 && (err->code == E_SYS || g->fetch->is_spent || g->unreached == UNREACHED_MAX))
		return error_add(err, "'%s'", e->url);
	if (r < 0)
		advisory_import_refuse(g->im, e->url, err->text);
	else if (g->im->refused == refused && e->updated)
		json_object_set_new(g->done, e->url, json_string(e->updated));
	return 0;
}

/* ---- feeds ---- */

static int take_entries(struct fetching *g, const char *url, const struct feed *feed, struct error *err)
{
	struct progress progress = { .what = "documents" };
	int r = 0;

	for (size_t i = 0; i < feed->count && r == 0; i++) {
		progress_show(&progress, i + 1, feed->count);
		if (is_done(g, &feed->entries[i]))
			g->im->unchanged++;
		else
			r = take_entry(g, &feed->entries[i], NULL, err);
		if (r == 0 && clock_now_s() >= g->saved_s + SAVE_S)
			r = save(g, url, err);
	}
	progress_end(&progress);
	return r;
}

static int fetching_init(struct fetching *g, struct advisory_import *im, struct fetch *fetch, struct error *err)
{
	*g = (struct fetching){ .im = im, .fetch = fetch, .saved_s = clock_now_s() };
	g->folder = mem_printf("%s/unpacked-XXXXXX", im->store->dir);
	return mkdtemp(g->folder) ? 0 : error_sys(err, "cannot make '%s'", g->folder);
}

static void fetching_done(struct fetching *g)
{
	if (g->folder)
		clear_folder(g);
	if (g->folder)
		rmdir(g->folder);
	json_decref(g->done);
	free(g->folder);
	free(g->state_path);
}

static int take_feed(struct advisory_import *im, struct fetch *fetch, const char *url, const struct feed *feed, struct error *err)
{
	_cleanup_(fetching_done) struct fetching g = { 0 };
	struct error saving = { 0 };
	int r = fetching_init(&g, im, fetch, err);

	if (r == 0)
		r = load_state(&g, url, err);
	if (r < 0)
		return r;
	if (feed->skipped)
		output_note("holdfast: '%s': %zu %s skipped; of the first: %s", url, feed->skipped,
			    plural(feed->skipped, "entry is", "entries are"), feed->why);
	im->skipped += feed->skipped;
	r = take_entries(&g, url, feed, err);
	if (save(&g, url, &saving) < 0 && r == 0) {
		*err = saving;
		r = err->code;
	}
	return r;
}

static int take_rolie(struct advisory_import *im, struct fetch *fetch, const char *url, struct bytes text, struct error *err)
{
	_cleanup_(feed_done) struct feed feed = { 0 };
	int r = feed_read_rolie(&feed, url, text, err);

	return r < 0 ? r : take_feed(im, fetch, url, &feed, err);
}

/* changes.csv says when each was updated; without it, all are asked for each time. */
static int take_folder(struct advisory_import *im, struct fetch *fetch, const char *url, struct error *err)
{
	_cleanup_(mem_freep) char *changes = mem_printf("%schanges.csv", url), *index = mem_printf("%sindex.txt", url);
	_cleanup_(feed_done) struct feed feed = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	int r;

	if (strchr(url, '?'))
		return error_set(err, E_FORMAT, "a folder's address has no '?'");
	r = fetch_get(&text, fetch, changes, FEED_MAX, err);
	if (r == 0)
		r = feed_read_changes(&feed, url, buf_bytes(&text), err);
	else if (r == FETCH_ABSENT && (r = fetch_get(&text, fetch, index, FEED_MAX, err)) == 0)
		r = feed_read_index(&feed, url, buf_bytes(&text), err);
	if (r == FETCH_ABSENT)
		return error_set(err, CLI_ABSENT, "there is no changes.csv and no index.txt");
	return r < 0 ? r : take_feed(im, fetch, url, &feed, err);
}

static int take_source(struct advisory_import *im, struct fetch *fetch, const struct feed_source *source, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r;

	if (source->is_folder)
		return take_folder(im, fetch, source->url, err);
	r = fetch_get(&text, fetch, source->url, FEED_MAX, err);
	if (r == FETCH_ABSENT)
		return error_set(err, CLI_ABSENT, "it is not there");
	return r < 0 ? r : take_rolie(im, fetch, source->url, buf_bytes(&text), err);
}

/* A provider has feeds that not everybody may see: one that does not open is named, and the others are read. */
static int take_provider(struct advisory_import *im, struct fetch *fetch, const char *url, struct bytes text, struct error *err)
{
	_cleanup_(provider_done) struct provider provider = { 0 };
	int r = provider_read(&provider, url, text, err);

	for (size_t i = 0; i < provider.count && r == 0; i++) {
		r = take_source(im, fetch, &provider.source[i], err);
		if (r < 0 && err->code != E_SYS && err->code != CLI_UNREACHED && !fetch->is_spent) {
			advisory_import_refuse(im, provider.source[i].url, err->text);
			r = 0;
		}
	}
	return r;
}

/* ---- what an address is ---- */

static int take_single(struct advisory_import *im, struct fetch *fetch, const char *url, const struct buf *text, struct error *err)
{
	_cleanup_(mem_freep) char *a = mem_printf("%s.sha256", url), *b = mem_printf("%s.sha512", url),
				  *signature = mem_printf("%s.asc", url);
	struct feed_entry e = { .url = (char *)(uintptr_t)url, .hashes = { a, b }, .signature = signature };
	_cleanup_(fetching_done) struct fetching g = { 0 };
	int r = fetching_init(&g, im, fetch, err);

	if (r < 0)
		return r;
	g.unreached = UNREACHED_MAX - 1; /* there is only this one */
	return take_entry(&g, &e, text, err);
}

static bool is_host_alone(const char *url)
{
	const char *path = strchr(url + strlen("https://"), '/');

	return !path || !path[1];
}

/* "https://host/dir/changes.csv" -> "https://host/dir/"; NULL when it names no folder. */
static char *folder_of(const char *url)
{
	static const char *const ends[] = { "/", "/changes.csv", "/index.txt" };
	size_t len = strlen(url);

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		size_t n = strlen(ends[i]);

		if (len > n && !strcmp(url + len - n, ends[i]))
			return mem_strndup(url, len - n + 1);
	}
	return NULL;
}

static int take_url(struct advisory_import *im, struct fetch *fetch, const char *url, struct error *err)
{
	_cleanup_(mem_freep) char *folder = folder_of(url);
	_cleanup_(buf_done) struct buf text = { 0 };
	int r;

	if (folder)
		return take_folder(im, fetch, folder, err);
	r = fetch_get(&text, fetch, url, FEED_MAX, err);
	if (r == FETCH_ABSENT)
		return error_set(err, CLI_ABSENT, "there is nothing");
	if (r < 0)
		return r;
	switch (feed_kind_of(buf_bytes(&text))) {
	case FEED_PROVIDER:
		return take_provider(im, fetch, url, buf_bytes(&text), err);
	case FEED_ROLIE:
		return take_rolie(im, fetch, url, buf_bytes(&text), err);
	case FEED_AGGREGATOR:
		return error_set(err, E_FORMAT, "it lists other providers; name the provider that you want");
	case FEED_DOCUMENT:
		break;
	}
	return take_single(im, fetch, url, &text, err);
}

/* "CSAF: https://..." in security.txt (CSAF 2.0 section 7.1.8). CLI_ABSENT when no line says where. */
static int find_provider(char **out, struct fetch *fetch, const char *host, struct error *err)
{
	_cleanup_(mem_freep) char *url = mem_printf("%s/.well-known/security.txt", host);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct bytes rest, line;
	int r = fetch_get(&text, fetch, url, BESIDE_MAX, err);

	rest = buf_bytes(&text);
	while (r == 0 && bytes_next_line(&rest, &line)) {
		_cleanup_(mem_freep) char *one = mem_strndup((const char *)line.ptr, line.len);
		char *value = one + strlen("CSAF:");

		if (strncasecmp(one, "CSAF:", strlen("CSAF:")) != 0)
			continue;
		value += strspn(value, " \t");
		value[strcspn(value, " \t\r")] = 0;
		return fetch_resolve(out, url, value, err);
	}
	return r < 0 ? r : error_set(err, CLI_ABSENT, "there is no provider metadata, and no security.txt that says where it is");
}

static int take_host(struct advisory_import *im, struct fetch *fetch, const char *host, struct error *err)
{
	_cleanup_(mem_freep) char *url = mem_printf("%s%s", host, well_known), *other = NULL;
	int r = take_url(im, fetch, url, err);

	if (r == CLI_ABSENT)
		r = find_provider(&other, fetch, host, err);
	else
		return r;
	return r < 0 ? r : take_url(im, fetch, other, err);
}

int advisory_import_url(struct advisory_import *im, struct fetch *fetch, const char *url, struct error *err)
{
	_cleanup_(mem_freep) char *whole = NULL;
	int r;

	if (fetch_resolve(&whole, NULL, url, err) < 0)
		return err->code = CLI_USAGE;
	if (is_host_alone(whole)) {
		whole[strlen("https://") + strcspn(whole + strlen("https://"), "/")] = 0;
		r = take_host(im, fetch, whole, err);
	} else {
		r = take_url(im, fetch, whole, err);
	}
	return r < 0 ? error_add(err, "'%s'", whole) : 0;
}
