/* repo/history.c -- walking commits with the statements that each one brings. */
#include "repo/history.h"

#include "repo/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gather {
	git_repository *repo;
	struct history_commit *commit;
	size_t cap;
	struct error *err;
};

static int read_statement(struct statement **out, git_repository *repo, const git_oid *id, const char *path, struct error *err)
{
	git_blob *blob = NULL;
	size_t used = 0;
	int r;

	if (git_blob_lookup(&blob, repo, id) < 0) {
		git_fail(err, "is a pack missing? run git fsck, restore it from a mirror");
		return error_add(err, "cannot read '%s'", path);
	}
	r = statement_parse(out, bytes_of(git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob)), false, &used, err);
	if (r == 0 && used != (size_t)git_blob_rawsize(blob)) {
		*out = statement_free(*out);
		r = error_set(err, E_FORMAT, "bytes behind the statement");
	}
	git_blob_free(blob);
	return r < 0 ? error_add(err, "'%s'", path) : 0;
}

static void add_oddity(struct history_commit *commit, const char *path, const char *text)
{
	struct history_oddity *odd;

	commit->oddities = mem_grow(commit->oddities, (commit->oddity_count + 1) * sizeof(*odd));
	odd = &commit->oddities[commit->oddity_count++];
	*odd = (struct history_oddity){ .text = text };
	strncat(odd->path, path, sizeof(odd->path) - 1);
}

static int add_item(struct gather *g, const git_oid *id, const char *path, bool is_fork)
{
	struct history_item *item;

	if (g->commit->count == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 64;
		g->commit->items = mem_grow(g->commit->items, g->cap * sizeof(*item));
	}
	item = &g->commit->items[g->commit->count];
	*item = (struct history_item){ .is_fork = is_fork };
	memcpy(item->path, path, strlen(path) + 1);
	if (read_statement(&item->st, g->repo, id, path, g->err) < 0)
		return -1;
	g->commit->count++;
	return 0;
}

static int take_cosigned(struct gather *g, const git_oid *id, const char *path)
{
	struct history_cosigned *c = &g->commit->cosigned[g->commit->cosigned_count];

	if (g->commit->cosigned_count == HISTORY_WITNESSES_MAX) {
		add_oddity(g->commit, path, "more witnesses at once than a root may name");
		return 0;
	}
	snprintf(c->name, sizeof(c->name), "%s", layout_witness_name(path));
	g->commit->cosigned_count++;
	return read_statement(&c->st, g->repo, id, path, g->err);
}

/* A document lies beside the judgement that brought it, and stays as it is. Paths come in order: its judgement was just before it. */
static void take_text(struct gather *g, const git_diff_delta *delta, const char *path)
{
	const struct history_item *last = g->commit->count ? &g->commit->items[g->commit->count - 1] : NULL;
	size_t stem = strlen(path) - strlen(".zst");

	if (delta->status != GIT_DELTA_ADDED)
		add_oddity(g->commit, path, "it replaces another, and what lies here is written once");
	else if (!last || strlen(last->path) != stem || strncmp(last->path, path, stem) != 0 || !statement_get(last->st, "text"))
		add_oddity(g->commit, path, "no judgement came with it that names it");
}

static int take_delta(const git_diff_delta *delta, float progress _unused_, void *payload)
{
	struct gather *g = payload;
	const char *path = delta->new_file.path;
	enum layout_kind kind = layout_kind(path);

	g->commit->has_seals |= kind == LAYOUT_SEAL;
	if (delta->status == GIT_DELTA_DELETED) {
		if (kind != LAYOUT_SEAL && kind != LAYOUT_UNKNOWN)
			add_oddity(g->commit, path, "it was removed, and statements stay");
		return 0;
	}
	switch (kind) {
	case LAYOUT_UNKNOWN:
		add_oddity(g->commit, path, "nothing of this name has a place here");
		return 0;
	case LAYOUT_SEAL:
		return 0;
	case LAYOUT_TEXT:
		take_text(g, delta, path);
		return 0;
	case LAYOUT_CHECKPOINT:
		return read_statement(&g->commit->checkpoint, g->repo, &delta->new_file.id, path, g->err);
	case LAYOUT_WITNESS:
		return take_cosigned(g, &delta->new_file.id, path);
	case LAYOUT_ONCE:
	case LAYOUT_FORK:
		if (delta->status != GIT_DELTA_ADDED)
			add_oddity(g->commit, path, "it replaces another, and what lies here is written once");
		return add_item(g, &delta->new_file.id, path, kind == LAYOUT_FORK);
	case LAYOUT_NEWEST:
		return add_item(g, &delta->new_file.id, path, false);
	}
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct history_item *)a)->path, ((const struct history_item *)b)->path);
}

static void commit_done(struct history_commit *commit)
{
	for (size_t i = 0; i < commit->count; i++)
		statement_free(commit->items[i].st);
	free(commit->items);
	free(commit->oddities);
	statement_free(commit->checkpoint);
	for (size_t i = 0; i < commit->cosigned_count; i++)
		statement_free(commit->cosigned[i].st);
}

static int visit(git_repository *repo, const git_oid *id, struct history_commit *out, struct error *err)
{
	struct gather g = { .repo = repo, .commit = out, .err = err };
	git_commit *commit = NULL, *parent = NULL;
	git_tree *tree = NULL, *old = NULL;
	git_diff *diff = NULL;
	int r = git_commit_lookup(&commit, repo, id);

	err->code = 0;
	out->id = *id;
	git_oid_fmt(out->hex, id);
	out->hex[40] = 0;
	if (r == 0 && git_commit_parentcount(commit) > 1)
		r = error_set(err, E_FORMAT, "commit %s has more than one parent: the history is one line", out->hex);
	if (r == 0)
		out->time_s = git_commit_time(commit);
	if (r == 0)
		r = git_commit_tree(&tree, commit);
	if (r == 0 && git_commit_parentcount(commit))
		r = git_commit_parent(&parent, commit, 0);
	if (r == 0 && parent)
		r = git_commit_tree(&old, parent);
	if (r == 0)
		r = git_diff_tree_to_tree(&diff, repo, old, tree, NULL);
	if (r == 0)
		r = git_diff_foreach(diff, take_delta, NULL, NULL, NULL, &g);
	if (r == 0 && out->count)
		qsort(out->items, out->count, sizeof(*out->items), by_path);
	git_diff_free(diff);
	git_tree_free(old);
	git_tree_free(tree);
	git_commit_free(parent);
	git_commit_free(commit);
	if (r < 0 && !err->code)
		git_fail(err, "is a pack missing? run git fsck, restore it from a mirror");
	return r < 0 ? error_add(err, "commit %s", out->hex) : 0;
}

static int list_commits(git_oid **out, size_t *count, git_repository *repo, const git_oid *tip, const git_oid *after, struct error *err)
{
	git_revwalk *walk = NULL;
	size_t cap = 0;
	git_oid id;
	int r = git_revwalk_new(&walk, repo);

	*out = NULL;
	*count = 0;
	if (r == 0)
		r = git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_REVERSE);
	if (r == 0)
		r = git_revwalk_push(walk, tip);
	if (r == 0 && after)
		r = git_revwalk_hide(walk, after);
	while (r == 0 && (r = git_revwalk_next(&id, walk)) == 0) {
		if (*count == cap) {
			cap = cap ? cap * 2 : 256;
			*out = mem_grow(*out, cap * sizeof(**out));
		}
		(*out)[(*count)++] = id;
	}
	git_revwalk_free(walk);
	return r == GIT_ITEROVER ? 0 : git_fail(err, "cannot walk the history: is a pack missing? run git fsck, restore it from a mirror");
}

int history_walk(git_repository *repo, const git_oid *tip, const git_oid *after, history_fn fn, void *ctx, struct error *err)
{
	git_oid *ids = NULL;
	size_t count = 0;
	int r = list_commits(&ids, &count, repo, tip, after, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct history_commit commit = { 0 };

		r = visit(repo, &ids[i], &commit, err);
		if (r == 0)
			r = fn(ctx, &commit, i, count, err);
		commit_done(&commit);
	}
	free(ids);
	return r;
}

enum { RANK_FORK = 10 };

static int rank(const struct history_item *item)
{
	if (item->is_fork)
		return RANK_FORK;
	switch (statement_type(item->st)) {
	case STATEMENT_ROOT:
		return 0;
	case STATEMENT_INVITE:
		return 1;
	case STATEMENT_ENROL:
		return 2;
	case STATEMENT_ADMIT:
		return 3;
	case STATEMENT_BATCH:
	case STATEMENT_FIRMWARE:
		return 4;
	case STATEMENT_ORDER:
	case STATEMENT_CONTROL:
	case STATEMENT_JUDGEMENT:
		return 5;
	case STATEMENT_EPOCH:
	case STATEMENT_SNAPSHOT:
	case STATEMENT_RECEIPT:
	case STATEMENT_VERDICT:
		return 6;
	case STATEMENT_SHREDDED: /* the archive first: "alice" is before "archive" by path */
		return strcmp(statement_get(item->st, "by"), "archive") != 0 ? 8 : 7;
	case STATEMENT_CERTIFICATE:
		return 9;
	case STATEMENT_STATUS:
	case STATEMENT_CHECKPOINT:
	case STATEMENT_LOGIN:
	case STATEMENT_WAIVER:
		break;
	}
	return RANK_FORK;
}

static int by_order(const void *a, const void *b)
{
	const struct history_item *x = *(struct history_item *const *)a, *y = *(struct history_item *const *)b;
	uint64_t m = statement_number(x->st, "number"), n = statement_number(y->st, "number");

	if (rank(x) != rank(y))
		return rank(x) - rank(y);
	return m != n ? m < n ? -1 : 1 : strcmp(x->path, y->path);
}

void history_in_order(struct history_item **out, const struct history_commit *commit)
{
	for (size_t i = 0; i < commit->count; i++)
		out[i] = &commit->items[i];
	if (commit->count)
		qsort(out, commit->count, sizeof(*out), by_order);
}
