/* cli/advisory-sync.c -- judgements go to the archive, and those of other operators come from it. */
#include "cli/advisory-sync.h"

#include "base/fs.h"
#include "cli/advisory-text.h"
#include "cli/api.h"
#include "cli/output.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { PLACE_FILE_MAX = 32 };

int judgement_queue(const struct advisory_store *s, const char *hash, struct error *err)
{
	_cleanup_(mem_freep) char *folder = mem_printf("%s/unsent", s->dir), *path = mem_printf("%s/%s", folder, hash);

	if (fs_mkdirs(folder, 0700, err) < 0)
		return err->code;
	return fs_write(path, bytes_str(""), 0600, err);
}

/* ---- there ---- */

static bool is_hash_name(const char *name)
{
	return strlen(name) == 2 * HASH_LEN && strspn(name, "0123456789abcdef") == 2 * HASH_LEN;
}

/* With what it brings. 1: that is not here any more, or the judgement is not. */
static int load(struct buf *out, const struct advisory_store *s, const char *hash, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/judgements/%s", s->dir, hash);
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fs_read(out, path, STATEMENT_MAX, err);

	if (r == 0)
		r = statement_parse(&st, buf_bytes(out), false, NULL, err);
	if (r == 0 && statement_get(st, "text"))
		r = judgement_read_text(&text, s, st, err);
	buf_add_bytes(out, buf_bytes(&text));
	return r;
}

/* One that the server will never take is not offered again; it stays here, and does not count here either. */
static int post_one(const struct advisory_store *s, struct api *api, const char *hash, struct error *err)
{
	_cleanup_(mem_freep) char *mark = mem_printf("%s/unsent/%s", s->dir, hash);
	_cleanup_(buf_done) struct buf whole = { 0 };
	int r = load(&whole, s, hash, err);

	if (r == 0)
		r = api_post_object(api, buf_bytes(&whole), err);
	else if (r > 0)
		output_note("holdfast: judgement %.16s is not sent: the document that it brings is not here; whoever signed it sends it",
			    hash);
	if (r == E_DENIED)
		output_note("holdfast: judgement %.16s is not taken: %s", hash, err->text);
	else if (r < 0)
		return error_add(err, "judgement %.16s", hash);
	return fs_remove(mark, err);
}

static int post_unsent(const struct advisory_store *s, struct api *api, struct error *err)
{
	_cleanup_(mem_freep) char *folder = mem_printf("%s/unsent", s->dir);
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int r = 0;

	while (dir && r >= 0 && (entry = readdir(dir)))
		if (is_hash_name(entry->d_name))
			r = post_one(s, api, entry->d_name, err);
	if (dir)
		closedir(dir);
	return r < 0 ? r : 0;
}

/* ---- and back ---- */

static int load_place(uint64_t *out, const struct advisory_store *s, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/archived", s->dir);
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fs_read(&text, path, PLACE_FILE_MAX, err);

	*out = 0;
	if (r < 0)
		return r;
	if (r == 0 && (!text.len || !number_parse(out, bytes_of(text.ptr, text.len - 1))))
		*out = 0; /* fetched again from the first on: what is here is known by its name */
	return 0;
}

static int store_place(const struct advisory_store *s, uint64_t place, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/archived", s->dir), *text = mem_printf("%llu\n", (unsigned long long)place);

	return fs_write(path, bytes_str(text), 0600, err);
}

static int take_page(size_t *fetched, const struct advisory_store *s, const struct root *root, const json_t *list, struct error *err)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *text = json_object_get(json_array_get(list, i), "statement");
		int r;

		if (!json_is_string(text))
			return error_set(err, E_PEER, "the server's list of judgements holds something else");
		r = judgement_keep(s, root, bytes_of(json_string_value(text), json_string_length(text)), err);
		if (r < 0 && err->code == E_SYS)
			return r;
		if (r < 0)
			output_note("holdfast: warning: the server gives out a judgement that is not believed: %s", err->text);
		*fetched += r == 0;
	}
	return 0;
}

/* 1: there is more. */
static int fetch_page(uint64_t *place, size_t *fetched, const struct advisory_store *s, struct cli *cli, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/judgements?from=%llu", (unsigned long long)*place);
	const json_t *next, *list;
	json_t *page = NULL;
	uint64_t before = *place;
	int r = api_get_json(&page, cli->api, path, err);

	if (r < 0)
		return r;
	next = json_object_get(page, "next");
	list = json_object_get(page, "judgements");
	if (!json_is_array(list) || !json_is_integer(next) || (uint64_t)json_integer_value(next) < before)
		r = error_set(err, E_PEER, "the server's answer to '%s' is no list of judgements", path);
	if (r == 0)
		r = take_page(fetched, s, cli->home->root, list, err);
	if (r == 0) {
		*place = (uint64_t)json_integer_value(next);
		r = json_is_true(json_object_get(page, "more")) && *place > before;
	}
	json_decref(page);
	return r;
}

static int fetch(size_t *fetched, const struct advisory_store *s, struct cli *cli, struct error *err)
{
	uint64_t place, before;
	int r = load_place(&place, s, err);

	before = place;
	if (r == 0)
		while ((r = fetch_page(&place, fetched, s, cli, err)) > 0 && *fetched <= JUDGEMENTS_MAX)
			;
	if (r < 0)
		return r;
	if (place == before)
		return 0;
	return advisory_store_sync(s, err) < 0 ? err->code : store_place(s, place, err);
}

int judgements_sync(size_t *fetched, const struct advisory_store *s, struct cli *cli, struct error *err)
{
	int r = cli_api(cli, err);

	*fetched = 0;
	if (r == 0)
		r = fs_mkdirs(s->dir, 0700, err);
	if (r == 0)
		r = post_unsent(s, cli->api, err);
	return r < 0 ? r : fetch(fetched, s, cli, err);
}
