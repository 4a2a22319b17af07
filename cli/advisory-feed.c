/* cli/advisory-feed.c -- how providers of CSAF say what they have. */
#include "cli/advisory-feed.h"

#include "cli/advisory.h"
#include "cli/fetch.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A feed while it is read. */
struct reading {
	struct feed *feed;
	const char *url;
	json_t *places; /* address -> index */
};

static void skip(struct feed *f, const char *why)
{
	if (!f->skipped++)
		snprintf(f->why, sizeof(f->why), "%s", why);
}

static void entry_done(struct feed_entry *e)
{
	free(e->url);
	free(e->hashes[0]);
	free(e->hashes[1]);
	free(e->signature);
	free(e->updated);
	*e = (struct feed_entry){ 0 };
}

void feed_done(struct feed *f)
{
	for (size_t i = 0; i < f->count; i++)
		entry_done(&f->entries[i]);
	free(f->entries);
	*f = (struct feed){ 0 };
}

/* Takes e over. What is named twice is the one that was updated last. */
static int add(struct reading *r, struct feed_entry *e, struct error *err)
{
	struct feed *f = r->feed;
	const json_t *place = json_object_get(r->places, e->url);

	if (place) {
		struct feed_entry *known = &f->entries[json_integer_value(place)];
		bool is_later = e->updated && (!known->updated || strcmp(e->updated, known->updated) > 0);
		struct feed_entry old = is_later ? *known : *e;

		if (is_later)
			*known = *e;
		entry_done(&old);
		return 0;
	}
	if (f->count == FEED_ENTRIES_MAX) {
		entry_done(e);
		return error_set(err, E_LIMIT, "it names more than %d documents", FEED_ENTRIES_MAX);
	}
	if (!(f->count & (f->count - 1)))
		f->entries = mem_grow(f->entries, (f->count ? 2 * f->count : 1) * sizeof(*f->entries));
	json_object_set_new(r->places, e->url, json_integer((json_int_t)f->count));
	f->entries[f->count++] = *e;
	return 0;
}

/* Those without a time last; else by time, then by address. */
static int by_updated(const void *a, const void *b)
{
	const struct feed_entry *x = a, *y = b;
	int r;

	if (!x->updated != !y->updated)
		return x->updated ? -1 : 1;
	r = x->updated ? strcmp(x->updated, y->updated) : 0;
	return r ? r : strcmp(x->url, y->url);
}

static int finish(struct reading *r, int result)
{
	json_decref(r->places);
	if (result < 0)
		feed_done(r->feed);
	else if (r->feed->count)
		qsort(r->feed->entries, r->feed->count, sizeof(*r->feed->entries), by_updated);
	return result;
}

static char *updated_of(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	for (size_t i = 0; i < len; i++)
		if (!isprint((unsigned char)text[i]))
			return NULL;
	return len && len <= FEED_UPDATED_MAX ? mem_strdup(text) : NULL;
}

/* ---- JSON ---- */

static int parse(json_t **out, struct bytes text, struct error *err)
{
	json_error_t why;

	if (text.len > FEED_MAX)
		return error_set(err, E_LIMIT, "it has more than %d MiB", FEED_MAX >> 20);
	*out = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
	return *out ? 0 : error_set(err, E_FORMAT, "line %d: %s", why.line, why.text);
}

enum feed_kind feed_kind_of(struct bytes text)
{
	struct error ignored;
	json_t *json = NULL;
	enum feed_kind kind = FEED_DOCUMENT;

	if (parse(&json, text, &ignored) < 0)
		return FEED_DOCUMENT;
	if (json_object_get(json, "feed"))
		kind = FEED_ROLIE;
	else if (json_object_get(json, "aggregator"))
		kind = FEED_AGGREGATOR;
	else if (json_object_get(json, "distributions") || json_object_get(json, "metadata_version"))
		kind = FEED_PROVIDER;
	json_decref(json);
	return kind;
}

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n > m && !strcmp(text + n - m, end);
}

/* A link of an entry, where it leads. */
static void take_link(struct feed_entry *e, const struct reading *r, const json_t *link)
{
	const char *rel = advisory_text(link, "rel"), *href = advisory_text(link, "href");
	struct error ignored;
	char *url = NULL, **at = NULL;

	if (!rel || !href || fetch_resolve(&url, r->url, href, &ignored) < 0)
		return;
	if (!strcmp(rel, "self"))
		at = &e->url;
	else if (!strcmp(rel, "signature"))
		at = &e->signature;
	else if (!strcmp(rel, "hash"))
		at = &e->hashes[ends_in(url, ".sha512")];
	if (at && !*at)
		*at = url;
	else
		free(url);
}

static int take_entry(struct reading *r, const json_t *json, struct error *err)
{
	const json_t *links = json_object_get(json, "link");
	const char *source = advisory_text(json_object_get(json, "content"), "src");
	struct feed_entry e = { .is_said = true };
	struct error ignored;

	for (size_t i = 0; i < json_array_size(links); i++)
		take_link(&e, r, json_array_get(links, i));
	if (!e.url && (!source || fetch_resolve(&e.url, r->url, source, &ignored) < 0)) {
		skip(r->feed, "an entry has no https address");
		entry_done(&e);
		return 0;
	}
	e.updated = updated_of(advisory_text(json, "updated"));
	return add(r, &e, err);
}

int feed_read_rolie(struct feed *out, const char *url, struct bytes text, struct error *err)
{
	struct reading r = { out, url, json_object() };
	const json_t *list;
	json_t *json = NULL;
	int result;

	*out = (struct feed){ 0 };
	result = parse(&json, text, err);
	list = json_object_get(json_object_get(json, "feed"), "entry");
	if (result == 0 && !json_object_get(json, "feed"))
		result = error_set(err, E_FORMAT, "it is no ROLIE feed");
	for (size_t i = 0; i < json_array_size(list) && result == 0; i++)
		result = take_entry(&r, json_array_get(list, i), err);
	json_decref(json);
	return finish(&r, result);
}

/* ---- provider metadata ---- */

static void add_source(struct provider *p, const char *base, const char *link, bool is_folder)
{
	struct error ignored;
	char *url = NULL;

	if (!link || p->count == FEED_SOURCES_MAX || (is_folder && strchr(link, '?')) || fetch_resolve(&url, base, link, &ignored) < 0) {
		p->skipped++;
		return;
	}
	if (is_folder && !ends_in(url, "/")) {
		char *with = mem_printf("%s/", url);

		free(url);
		url = with;
	}
	for (size_t i = 0; i < p->count; i++) {
		if (strcmp(p->source[i].url, url) != 0)
			continue;
		free(url);
		return;
	}
	p->source[p->count++] = (struct feed_source){ url, is_folder };
}

/* Where there are feeds, they name all that the folders do. */
static void take_distribution(struct provider *p, const char *url, const json_t *json)
{
	const json_t *feeds = json_object_get(json_object_get(json, "rolie"), "feeds");
	const char *folder = advisory_text(json, "directory_url");

	for (size_t i = 0; i < json_array_size(feeds); i++)
		add_source(p, url, advisory_text(json_array_get(feeds, i), "url"), false);
	if (!json_array_size(feeds) && folder)
		add_source(p, url, folder, true);
}

int provider_read(struct provider *out, const char *url, struct bytes text, struct error *err)
{
	const json_t *list;
	json_t *json = NULL;

	*out = (struct provider){ 0 };
	if (parse(&json, text, err) < 0)
		return err->code;
	list = json_object_get(json, "distributions");
	for (size_t i = 0; i < json_array_size(list); i++)
		take_distribution(out, url, json_array_get(list, i));
	json_decref(json);
	return out->count ? 0 : error_set(err, E_FORMAT, "it names no feed and no folder that can be used");
}

void provider_done(struct provider *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->source[i].url);
	*p = (struct provider){ 0 };
}

/* ---- folders ---- */

/* "2026/a-1.json": words of what file names are made of; nothing that leads elsewhere, whoever decodes it. */
static bool is_path(struct bytes name)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_./";
	uint8_t before = '/';

	if (!name.len || name.len > 400 || name.ptr[name.len - 1] == '/')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (!name.ptr[i] || !strchr(chars, name.ptr[i]) || (before == '/' && strchr("./", name.ptr[i])))
			return false;
		before = name.ptr[i];
	}
	return true;
}

static struct bytes without_blanks(struct bytes in)
{
	while (in.len && strchr(" \t\r", in.ptr[0]))
		in = bytes_from(in, 1);
	while (in.len && strchr(" \t\r", in.ptr[in.len - 1]))
		in.len--;
	return in;
}

static struct bytes unquoted(struct bytes in)
{
	in = without_blanks(in);
	if (in.len >= 2 && in.ptr[0] == '"' && in.ptr[in.len - 1] == '"')
		return bytes_of(in.ptr + 1, in.len - 2);
	return in;
}

/* Hashes and a signature lie beside it. */
static int take_name(struct reading *r, struct bytes name, struct bytes updated, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_strndup((const char *)name.ptr, name.len),
				  *when = mem_strndup((const char *)updated.ptr, updated.len);
	struct feed_entry e = { 0 };

	if (!is_path(name)) {
		skip(r->feed, "a name leads out of the folder, or is none");
		return 0;
	}
	if (!ends_in(path, ".json")) {
		skip(r->feed, "a name does not end in .json");
		return 0;
	}
	e.url = mem_printf("%s%s", r->url, path);
	e.hashes[0] = mem_printf("%s.sha256", e.url);
	e.hashes[1] = mem_printf("%s.sha512", e.url);
	e.signature = mem_printf("%s.asc", e.url);
	e.updated = updated_of(when);
	return add(r, &e, err);
}

static int read_lines(struct feed *out, const char *url, struct bytes text, bool has_times, struct error *err)
{
	struct reading r = { out, url, json_object() };
	struct bytes line;
	int result = 0;

	*out = (struct feed){ 0 };
	if (text.len > FEED_MAX)
		result = error_set(err, E_LIMIT, "it has more than %d MiB", FEED_MAX >> 20);
	while (result == 0 && bytes_next_line(&text, &line)) {
		const uint8_t *comma = has_times ? memrchr(line.ptr, ',', line.len) : NULL;
		struct bytes name = comma ? bytes_of(line.ptr, (size_t)(comma - line.ptr)) : line, updated = { 0 };

		if (comma)
			updated = unquoted(bytes_from(line, (size_t)(comma - line.ptr) + 1));
		name = unquoted(name);
		if (!name.len)
			continue;
		if (has_times && !comma)
			skip(out, "a line has no time");
		else
			result = take_name(&r, name, updated, err);
	}
	return finish(&r, result);
}

int feed_read_changes(struct feed *out, const char *url, struct bytes text, struct error *err)
{
	return read_lines(out, url, text, true, err);
}

int feed_read_index(struct feed *out, const char *url, struct bytes text, struct error *err)
{
	return read_lines(out, url, text, false, err);
}
