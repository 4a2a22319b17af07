/* repo/mirror.c -- looking into any archive, without an index: its log, its devices. */
#include "repo/mirror.h"

#include "repo/history.h"
#include "repo/layout.h"
#include "repo/repo.h"

#include <stdlib.h>
#include <string.h>

int mirror_open(struct git_store **out, git_oid *tip, const char *path, struct error *err)
{
	int r = git_store_open(out, path, false, err);

	if (r < 0)
		return r;
	r = git_store_check(*out, err);
	if (r == 0)
		r = git_store_tip(tip, *out, err);
	if (r == 0)
		return 0;
	*out = git_store_close(*out);
	return r < 0 ? error_add(err, "'%s'", path) : error_set(err, E_FORMAT, "'%s' has no branch 'main'", path);
}

/* ---- the log of a mirror ---- */

struct leaves {
	struct merkle_hash *list;
	size_t count;
};

static int add_leaves(void *ctx, const struct history_commit *commit, uint64_t index _unused_, uint64_t total _unused_,
		      struct error *err _unused_)
{
	struct leaves *l = ctx;

	for (size_t i = 0; i < commit->count; i++) {
		if (!(l->count & (l->count - 1)))
			l->list = mem_grow(l->list, (l->count ? 2 * l->count : 1) * sizeof(*l->list));
		l->list[l->count++] = merkle_leaf(statement_text(commit->items[i].st));
	}
	return 0;
}

static int leaf_at(void *ctx, uint64_t i, struct merkle_hash *out, struct error *err _unused_)
{
	*out = ((const struct leaves *)ctx)->list[i];
	return 0;
}

int repo_mirror_growth(struct merkle_growth *out, struct buf *checkpoint, const char *path, uint64_t from, struct error *err)
{
	struct leaves leaves = { 0 };
	struct git_store *git = NULL;
	git_oid tip;
	int r = mirror_open(&git, &tip, path, err);

	if (r < 0)
		return r;
	r = git_read_file(checkpoint, git_store_repository(git), &tip, "log/checkpoint", STATEMENT_MAX, err);
	if (r > 0)
		r = error_set(err, E_FORMAT, "'%s' has no checkpoint", path);
	if (r == 0)
		r = history_walk(git_store_repository(git), &tip, NULL, add_leaves, &leaves, err);
	if (r == 0 && (!from || from > leaves.count))
		r = 1;
	else if (r == 0)
		r = merkle_prove_growth(out, from, leaves.count, leaf_at, NULL, &leaves, err);
	free(leaves.list);
	git_store_close(git);
	return r;
}

/* ---- devices of a mirror ---- */

struct mirror {
	bool is_stopped; /* by fn, which is no failure */
	git_repository *git;
	git_oid tip;
	repo_device_fn fn;
	void *ctx;
	struct error *err;
};

static int read_whole(struct statement **out, const struct mirror *m, const char *path)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = git_read_file(&text, m->git, &m->tip, path, STATEMENT_MAX, m->err);

	if (r != 0)
		return r;
	return statement_parse(out, buf_bytes(&text), false, NULL, m->err);
}

static int mirror_device(struct mirror *m, const char *enrol_path)
{
	_cleanup_(statement_freep) struct statement *enrol = NULL, *admit = NULL;
	struct repo_device device = { 0 };
	char path[PATH_MAX_LEN];
	int r = read_whole(&enrol, m, enrol_path);

	if (r == 0)
		r = sign_pub_parse(&device.key, bytes_str(statement_get(enrol, "key")), false, m->err);
	if (r == 0)
		r = age_recipient_parse(&device.box, bytes_str(statement_get(enrol, "box")), m->err);
	if (r != 0)
		return r;
	memcpy(device.id, statement_get(enrol, "device"), sizeof(device.id));
	layout_device_path(path, device.id, "admit");
	r = read_whole(&admit, m, path);
	if (r < 0)
		return r;
	if (r == 0) {
		const char *name = statement_get(admit, "device-name");

		device.admitted = true;
		memcpy(device.name, name, strlen(name) + 1);
	}
	m->is_stopped = m->fn(m->ctx, &device);
	return m->is_stopped;
}

static int visit_entry(const char *folder, const git_tree_entry *entry, void *payload)
{
	_cleanup_(mem_freep) char *path = NULL;

	if (strcmp(git_tree_entry_name(entry), "enrol") != 0 || strncmp(folder, "devices/", 8) != 0)
		return 0;
	path = mem_printf("%s%s", folder, git_tree_entry_name(entry));
	return mirror_device(payload, path) ? -1 : 0;
}

int repo_mirror_devices(const char *path, repo_device_fn fn, void *ctx, struct error *err)
{
	struct mirror m = { .fn = fn, .ctx = ctx, .err = err };
	struct git_store *git = NULL;
	git_commit *commit = NULL;
	git_tree *tree = NULL;
	int r = mirror_open(&git, &m.tip, path, err);

	if (r < 0)
		return r;
	err->code = 0;
	m.git = git_store_repository(git);
	if (git_commit_lookup(&commit, m.git, &m.tip) < 0 || git_commit_tree(&tree, commit) < 0)
		git_fail(err, "is a pack missing? run git fsck, restore it from a mirror");
	else if (git_tree_walk(tree, GIT_TREEWALK_PRE, visit_entry, &m) < 0 && !err->code && !m.is_stopped)
		git_fail(err, "cannot walk the tree");
	git_tree_free(tree);
	git_commit_free(commit);
	git_store_close(git);
	return err->code;
}
