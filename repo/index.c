/* repo/index.c -- the index follows the branch: git is the truth, and the index is made from it. */
#include "repo/parts.h"

#include "base/log.h"
#include "repo/history.h"

#include <stdlib.h>
#include <string.h>

struct catch_up {
	struct repo *repo;
	uint64_t position;
};

static int enter_commit(struct catch_up *c, const struct history_commit *commit, struct history_item **order, struct error *err)
{
	struct store *store = c->repo->store;

	for (size_t i = 0; i < commit->count; i++) {
		const struct statement *st = order[i]->st;
		bool is_new;
		int r = 0;

		if (order[i]->is_fork)
			r = store_enter_fork(store, st, &is_new, err);
		else if (!store_is_entered(store, st))
			r = store_enter(store, st, err);
		if (r < 0)
			return error_add(err, "'%s'", order[i]->path);
	}
	if (commit->count && store_add_commit(store, commit->hex, commit->time_s, c->position, err) < 0)
		return err->code;
	for (size_t i = 0; i < commit->count; i++) {
		struct merkle_hash leaf = merkle_leaf(statement_text(commit->items[i].st));

		if (store_place(store, commit->items[i].st, &leaf, commit->items[i].is_fork, commit->time_s, c->position++, err) < 0)
			return err->code;
	}
	/* what only brings cosignatures leaves the log, and the commit that operators remember with it, as they are */
	return commit->count ? store_set_tip(store, commit->hex, c->position, err) : 0;
}

static int catch_up_commit(void *ctx, const struct history_commit *commit, uint64_t index _unused_, uint64_t total _unused_,
			   struct error *err)
{
	struct catch_up *c = ctx;
	_cleanup_(mem_freep) struct history_item **order = mem_alloc((commit->count + 1) * sizeof(*order));
	int r = store_begin(c->repo->store, err);

	history_in_order(order, commit);
	if (r == 0)
		r = enter_commit(c, commit, order, err);
	if (r == 0)
		r = store_commit(c->repo->store, err);
	if (r < 0)
		store_rollback(c->repo->store);
	head_has_changed(c->repo);
	return r;
}

/* Is commit part of tip's history? */
static bool contains(git_repository *git, const git_oid *tip, const git_oid *commit)
{
	return git_oid_equal(commit, tip) || git_graph_descendant_of(git, tip, commit) == 1;
}

/* A branch that has lost commits is no reason to forget what they held: it takes an operator's word. */
static int contradiction(struct repo *repo, const char *what, const char *known, struct error *err)
{
	return error_set(err, E_FORMAT,
			 "branch 'main' of '%s/archive.git' %s commit %s, the newest that the index knows. If it is there (git cat-file "
			 "commit %.10s), put the branch back: git update-ref refs/heads/main %.10s. Else restore archive.git from a mirror "
			 "that has it; or "
			 "accept the archive as it is: holdfastd reindex",
			 repo->dir, what, known, known, known);
}

static int find_branch(git_oid *tip, bool *has_tip, struct repo *repo, const char *known, struct error *err)
{
	git_oid id;
	int r = git_store_tip(tip, repo->git, err);

	if (r < 0)
		return error_add(
			err, "branch 'main' is damaged; put it back (git update-ref refs/heads/main COMMIT), the index knows commit '%s'",
			known);
	*has_tip = r == 0;
	if (!known[0])
		return 0;
	if (!*has_tip)
		return contradiction(repo, "is missing, and was at", known, err);
	if (git_oid_fromstr(&id, known) < 0)
		return error_set(err, E_FORMAT, "the index holds no commit id: stop the server and run 'holdfastd reindex'");
	return contains(git_store_repository(repo->git), tip, &id) ? 0 : contradiction(repo, "does not contain", known, err);
}

static int walk_to(struct repo *repo, const git_oid *tip, const char *known, uint64_t position, struct error *err)
{
	struct catch_up c = { .repo = repo, .position = position };
	git_oid after;
	bool has_after = known[0] && git_oid_fromstr(&after, known) == 0;
	int r = history_walk(git_store_repository(repo->git), tip, has_after ? &after : NULL, catch_up_commit, &c, err);

	return r < 0 ? error_add(err, "cannot bring the index up to date") : 0;
}

/* ---- the log ---- */

static void add_leaf(void *ctx, uint64_t position _unused_, const struct merkle_hash *leaf)
{
	merkle_add(ctx, *leaf);
}

static int load_log(struct merkle *log, struct repo *repo, struct error *err)
{
	*log = (struct merkle){ 0 };
	return store_log_each(repo->store, add_leaf, log, err);
}

/* Does the log match the checkpoint at the tip? 1: no. */
static int check_log(struct repo *repo, const git_oid *tip, const struct merkle *log, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct merkle_hash said, root = merkle_root(log);
	int r = git_read_file(&text, git_store_repository(repo->git), tip, "log/checkpoint", STATEMENT_MAX, err);

	if (r == 0)
		r = statement_parse(&st, buf_bytes(&text), false, NULL, err);
	if (r != 0)
		return r < 0 ? error_add(err, "the archive's newest checkpoint") : 1;
	repo->checkpoint_s = statement_time(st, "time");
	return statement_type(st) != STATEMENT_CHECKPOINT || statement_number(st, "size") != log->size ||
	       !statement_get_hash(said.b, st, "tree") || memcmp(said.b, root.b, HASH_LEN) != 0;
}

static int rebuild(struct repo *repo, const git_oid *tip, struct error *err)
{
	int r;

	log_warning("index-rebuilt: what it says of the log does not match the archive's newest checkpoint");
	if (store_clear(repo->store, err) < 0 || walk_to(repo, tip, "", 0, err) < 0 || load_log(&repo->log, repo, err) < 0)
		return err->code;
	r = check_log(repo, tip, &repo->log, err);
	if (r > 0)
		return error_set(
			err, E_FORMAT,
			"the archive's newest checkpoint does not match the statements that lie there: something was dropped, added "
			"or moved; audit it (holdfast audit), and restore it from a mirror that passes");
	return r;
}

static int load_packed_root(struct repo *repo, const git_oid *tip, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = git_read_file(&text, git_store_repository(repo->git), tip, "root", STATEMENT_MAX, err);

	if (r == 0)
		r = statement_parse(&st, buf_bytes(&text), false, NULL, err);
	if (r != 0)
		return r < 0 ? r : error_set(err, E_FORMAT, "the archive holds no root");
	repo->packed_root = statement_number(st, "version");
	return 0;
}

static int catch_up_log(struct repo *repo, const git_oid *tip, struct error *err)
{
	int r = load_log(&repo->log, repo, err);

	if (r == 0)
		r = check_log(repo, tip, &repo->log, err);
	else if (r == E_FORMAT)
		r = 1; /* an entry is missing */
	return r > 0 ? rebuild(repo, tip, err) : r;
}

int index_catch_up(struct repo *repo, struct error *err)
{
	bool has_tip = false;
	uint64_t position;
	char known[41];
	git_oid tip;
	int r = store_tip(known, &position, repo->store, err);

	if (r == 0)
		r = find_branch(&tip, &has_tip, repo, known, err);
	if (r < 0 || !has_tip)
		return r;
	r = walk_to(repo, &tip, known, position, err);
	if (r == 0)
		r = catch_up_log(repo, &tip, err);
	return r < 0 ? r : load_packed_root(repo, &tip, err);
}

/* ---- what is packed already ---- */

struct leaf {
	struct merkle_hash hash;
	struct item *item;
};

struct leaves {
	struct leaf *list;
	size_t count;
};

static int leaf_cmp(const void *a, const void *b)
{
	return memcmp(((const struct leaf *)a)->hash.b, ((const struct leaf *)b)->hash.b, HASH_LEN);
}

static void mark_packed(void *ctx, uint64_t position _unused_, const struct merkle_hash *hash)
{
	struct leaves *leaves = ctx;
	struct leaf probe = { .hash = *hash }, *found = bsearch(&probe, leaves->list, leaves->count, sizeof(probe), leaf_cmp);

	if (found)
		found->item->is_packed = true;
}

/* Sorts the leaves of a list; of those that are the same, only one stays. */
static void sort_leaves(struct leaves *leaves, const struct list *list)
{
	size_t n = 0;

	leaves->list = mem_alloc((list->count + 1) * sizeof(*leaves->list));
	for (struct item *item = list->first; item; item = item->next)
		leaves->list[leaves->count++] = (struct leaf){ item->leaf, item };
	if (leaves->count)
		qsort(leaves->list, leaves->count, sizeof(*leaves->list), leaf_cmp);
	for (size_t i = 0; i < leaves->count; i++) {
		if (n && !leaf_cmp(&leaves->list[i], &leaves->list[n - 1]))
			leaves->list[i].item->is_packed = true; /* there twice */
		else
			leaves->list[n++] = leaves->list[i];
	}
	leaves->count = n;
}

int index_drop_packed(uint64_t *dropped, struct repo *repo, struct list *list, struct error *err)
{
	struct leaves leaves = { 0 };
	struct list keep;
	struct item *item;
	int r;

	*dropped = 0;
	if (!list->first)
		return 0;
	sort_leaves(&leaves, list);
	r = store_log_each(repo->store, mark_packed, &leaves, err);
	free(leaves.list);
	if (r < 0)
		return r;
	list_init(&keep);
	while ((item = list_take(list))) {
		if (!item->is_packed) {
			list_add(&keep, item);
			continue;
		}
		++*dropped;
		item_free(item);
	}
	list_prepend(list, &keep);
	return 0;
}
