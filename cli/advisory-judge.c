/* cli/advisory-judge.c -- what people decided about advisories. */
#include "cli/advisory-judge.h"

#include "base/fs.h"
#include "cli/advisory-sync.h"
#include "cli/advisory-text.h"
#include "cli/cli.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* ---- loading ---- */

/* text: what it brings, if that stands behind it; NULL: nothing may. */
static int parse(struct statement **out, struct bytes *text, struct bytes whole, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	size_t used = 0;

	if (statement_parse(&st, whole, false, &used, err) < 0)
		return err->code;
	if (statement_type(st) != STATEMENT_JUDGEMENT || (used != whole.len && !text))
		return error_set(err, E_FORMAT, "it is no judgement, or more than one");
	if (text)
		*text = bytes_from(whole, used);
	*out = steal(st);
	return 0;
}

static int verify(const struct statement *st, const struct root *root, struct error *err)
{
	if (!root)
		return error_set(err, E_DENIED, "without a fleet nobody knows who may judge");
	if (strcmp(statement_get(st, "fleet"), root_fleet(root)) != 0)
		return error_set(err, E_SEAL, "it is of another fleet");
	return judgement_verify(st, root, err);
}

static const char *why_not(const struct statement *st, const struct root *root, int64_t now_s)
{
	int64_t until_s = statement_time(st, "until");
	struct error ignored;

	if (!root)
		return "no fleet";
	if (verify(st, root, &ignored) < 0)
		return ignored.code == E_DENIED ? "its signer may not judge any more" :
						  "its signature does not hold, or it contradicts itself";
	return until_s && now_s >= until_s ? "its time is over" : NULL;
}

static int by_time(const void *a, const void *b)
{
	const struct judgement *x = a, *y = b;

	if (x->time_s != y->time_s)
		return x->time_s < y->time_s ? -1 : 1;
	return memcmp(statement_hash(x->st), statement_hash(y->st), HASH_LEN);
}

static int load_one(struct judgements *out, const char *path, const struct root *root, int64_t now_s, struct error *err)
{
	_cleanup_(buf_done) struct buf whole = { 0 };
	struct statement *st = NULL;
	int r = fs_read(&whole, path, STATEMENT_MAX, err);

	if (r == 0)
		r = parse(&st, NULL, buf_bytes(&whole), err);
	if (r != 0)
		return r < 0 ? error_add(err, "'%s'", path) : 0;
	if (out->count == JUDGEMENTS_MAX) {
		statement_free(st);
		return error_set(err, E_LIMIT, "there are more than %d judgements", JUDGEMENTS_MAX);
	}
	if (!(out->count & (out->count - 1)))
		out->list = mem_grow(out->list, (out->count ? 2 * out->count : 1) * sizeof(*out->list));
	out->list[out->count++] = (struct judgement){ st, statement_time(st, "time"), why_not(st, root, now_s) };
	return 0;
}

int judgements_load(struct judgements *out, const struct advisory_store *s, const struct root *root, int64_t now_s, struct error *err)
{
	_cleanup_(mem_freep) char *folder = mem_printf("%s/judgements", s->dir);
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int r = 0;

	*out = (struct judgements){ 0 };
	while (dir && r == 0 && (entry = readdir(dir))) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", folder, entry->d_name);

		if (strlen(entry->d_name) == 2 * HASH_LEN)
			r = load_one(out, path, root, now_s, err);
	}
	if (dir)
		closedir(dir);
	if (out->count)
		qsort(out->list, out->count, sizeof(*out->list), by_time);
	if (r < 0)
		judgements_done(out);
	return r;
}

void judgements_done(struct judgements *j)
{
	for (size_t i = 0; i < j->count; i++)
		statement_free(j->list[i].st);
	free(j->list);
	*j = (struct judgements){ 0 };
}

/* ---- which one counts ---- */

static bool is_about(const struct judgement *g, const struct advisory_entry *e, bool *same_document)
{
	if (strcasecmp(statement_get(g->st, "advisory"), e->id) != 0)
		return false;
	*same_document = !strcmp(statement_get(g->st, "document"), e->sha256);
	return true;
}

static bool names_device(const struct statement *st, const char *device)
{
	for (size_t i = 0; i < statement_count(st, "device"); i++)
		if (!strcmp(statement_at(st, "device", i), device))
			return true;
	return false;
}

const struct judgement *judgements_for(const struct judgements *j, const struct advisory_entry *e, const char *device, bool *stale)
{
	const struct judgement *own = NULL, *general = NULL;

	*stale = false;
	for (size_t i = 0; i < j->count; i++) {
		const struct judgement *g = &j->list[i];
		bool is_general = !statement_count(g->st, "device"), same;

		if (g->why_not || !is_about(g, e, &same) || statement_get(g->st, "feature") ||
		    (!is_general && !names_device(g->st, device)))
			continue;
		*stale = !same;
		if (same && is_general)
			general = g;
		else if (same)
			own = g;
	}
	return own ? own : general;
}

static void add_feature(struct advisory *a, const char *feature)
{
	for (size_t i = 0; i < a->vuln_count; i++) {
		struct advisory_vuln *v = &a->vulns[i];

		if (v->feature_count < ADVISORY_FEATURES_MAX)
			v->feature[v->feature_count++] = feature;
	}
}

void judgements_refine(struct advisory *a, const struct judgements *j, const struct advisory_entry *e)
{
	bool same;

	for (size_t i = 0; i < j->count; i++) {
		const struct judgement *g = &j->list[i];

		if (!g->why_not && is_about(g, e, &same) && same && statement_get(g->st, "feature") && !statement_count(g->st, "device"))
			add_feature(a, statement_get(g->st, "feature"));
	}
}

static void put_small(json_t *set, const char *id)
{
	_cleanup_(mem_freep) char *small = mem_strdup(id);

	for (char *c = small; *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
	json_object_set_new(set, small, json_true());
}

size_t judgements_elsewhere(const struct judgements *j, const struct advisory_store *s)
{
	json_t *ids = json_object();
	size_t here, all;

	for (size_t i = 0; i < s->count; i++)
		put_small(ids, s->entries[i].id);
	here = json_object_size(ids);
	for (size_t i = 0; i < j->count; i++)
		put_small(ids, statement_get(j->list[i].st, "advisory"));
	all = json_object_size(ids);
	json_decref(ids);
	return all - here;
}

/* Is this very file there? A text that somebody else signed has the same name. */
static bool is_kept(const char *path, const struct statement *st)
{
	_cleanup_(buf_done) struct buf before = { 0 };
	struct error ignored;

	return fs_read(&before, path, STATEMENT_MAX, &ignored) == 0 && bytes_equal(buf_bytes(&before), statement_whole(st));
}

/* is_good: its signer may judge, so it takes the place of what has its name. 1: it was here. */
static int keep(char hash[static 2 * HASH_LEN + 1], const struct advisory_store *s, const struct statement *st, bool is_good,
		struct error *err)
{
	_cleanup_(mem_freep) char *folder = mem_printf("%s/judgements", s->dir), *path = NULL;

	statement_hash_hex(hash, st);
	path = mem_printf("%s/%s", folder, hash);
	if (is_good ? is_kept(path, st) : access(path, F_OK) == 0)
		return 1;
	if (fs_mkdirs(folder, 0700, err) < 0)
		return err->code;
	return advisory_store_write(path, statement_whole(st), err);
}

int judgement_take(const struct advisory_store *s, const struct root *root, struct bytes whole, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	char hash[2 * HASH_LEN + 1];
	struct bytes text;
	int r;

	if (parse(&st, &text, whole, err) < 0 || verify(st, root, err) < 0)
		return err->code;
	if (text.len && judgement_keep_text(s, st, text, err) < 0)
		return err->code;
	r = keep(hash, s, st, true, err);
	if (r == 0)
		r = judgement_queue(s, hash, err);
	if (r == 0)
		r = advisory_store_sync(s, err);
	return r < 0 ? r : 0;
}

int judgement_keep(const struct advisory_store *s, const struct root *root, struct bytes whole, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	char hash[2 * HASH_LEN + 1];
	bool is_good;
	int r = parse(&st, NULL, whole, err);

	if (r == 0)
		r = verify(st, root, err);
	is_good = r == 0;
	if (r == E_DENIED && sshsig_verify(statement_sig(st, 0), statement_namespace(STATEMENT_JUDGEMENT), statement_text(st), err) == 0)
		r = 0;
	return r < 0 ? r : keep(hash, s, st, is_good, err);
}
