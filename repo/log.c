/* repo/log.c -- proofs of the log's growth, and the checkpoints that witnesses cosigned.
 *
 * A cosignature comes when the checkpoint is in the archive already. It gets a commit of its own, which brings no statement: the log stays
 * as it is, or each cosignature would make it grow and ask for the next one. */
#include "repo/parts.h"

#include "crypto/checkpoint.h"
#include "repo/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- growth ---- */

static int leaf_of(void *ctx, uint64_t i, struct merkle_hash *out, struct error *err)
{
	struct repo *repo = ctx;

	return store_log_leaf(out, repo->reading, i, err);
}

/* What was archived since somebody asked last is added now. */
static int extend_cache(struct repo *repo, uint64_t size, struct error *err)
{
	for (uint64_t i = merkle_cache_size(&repo->cache); i < size; i++) {
		struct merkle_hash leaf;

		if (leaf_of(repo, i, &leaf, err) < 0)
			return err->code;
		merkle_cache_add(&repo->cache, leaf);
	}
	return 0;
}

static int prove(struct merkle_growth *out, struct repo *repo, uint64_t from, uint64_t to, struct error *err)
{
	struct repo_head head;
	int r = repo_head(&head, repo, err);

	if (r == 0 && (!from || from > to || to > head.log_size))
		r = error_set(err, E_FORMAT, "the log has no such sizes");
	if (r < 0)
		return r;
	pthread_mutex_lock(&repo->reading_lock);
	r = extend_cache(repo, to, err);
	if (r == 0)
		r = merkle_prove_growth(out, from, to, leaf_of, &repo->cache, repo, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

int repo_consistency(struct merkle_hash *proof, int *len, struct repo *repo, uint64_t old_size, uint64_t new_size, struct error *err)
{
	struct merkle_growth growth;

	if (prove(&growth, repo, old_size, new_size, err) < 0)
		return err->code;
	memcpy(proof, growth.node, growth.len * sizeof(*proof));
	*len = (int)growth.len;
	return 0;
}

int repo_place(struct merkle_place *out, struct repo *repo, const struct merkle_hash *leaf, uint64_t size, struct error *err)
{
	struct repo_head head;
	uint64_t index;
	int r = repo_head(&head, repo, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&repo->reading_lock);
	r = store_log_find(&index, repo->reading, leaf, err);
	if (r == 0 && (size > head.log_size || index >= size))
		r = REPO_ABSENT;
	if (r == 0)
		r = extend_cache(repo, size, err);
	if (r == 0)
		r = merkle_prove_place(out, index, size, leaf_of, &repo->cache, repo, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

/* An index that was rebuilt meanwhile had something else at its places before: then what was computed of it is made anew. */
static int prove_to(struct merkle_growth *out, struct repo *repo, uint64_t from, const struct statement *checkpoint, struct error *err)
{
	uint64_t to = statement_number(checkpoint, "size");
	uint8_t tree[HASH_LEN];

	if (prove(out, repo, from, to, err) < 0)
		return err->code;
	statement_get_hash(tree, checkpoint, "tree");
	if (!memcmp(out->new_tree.b, tree, HASH_LEN))
		return 0;
	pthread_mutex_lock(&repo->reading_lock);
	merkle_cache_done(&repo->cache);
	pthread_mutex_unlock(&repo->reading_lock);
	return prove(out, repo, from, to, err);
}

int repo_checkpoint_since(struct buf *out, struct repo *repo, uint64_t from, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct merkle_growth growth;
	size_t begin = out->len;
	int r = repo_checkpoint(out, repo, err);

	if (r != 0 || !from)
		return r;
	if (statement_parse(&st, bytes_from(buf_bytes(out), begin), false, NULL, err) < 0)
		return error_add(err, "the newest checkpoint");
	if (from >= statement_number(st, "size"))
		return 0;
	if (prove_to(&growth, repo, from, st, err) < 0)
		return err->code;
	growth_text(out, &growth);
	return 0;
}

/* ---- witnesses ---- */

/* With the lock held. That of a witness whom the root does not name any more gives way. */
static struct cosigned *place_of(struct repo *repo, const struct root *root, const char *name)
{
	struct cosigned *free_one = NULL;

	for (size_t i = 0; i < ROOT_WITNESSES_MAX; i++) {
		struct cosigned *c = &repo->cosigned[i];
		bool is_named = false;

		if (c->st && !strcmp(c->name, name))
			return c;
		for (size_t k = 0; c->st && root_witness(root, k); k++)
			is_named |= !strcmp(root_witness(root, k), c->name);
		if (!is_named)
			free_one = c;
	}
	return free_one; /* there is one: the root names at most as many, and `name` is one of them */
}

static void put(struct repo *repo, struct cosigned *place, const char *name, struct statement *st, bool is_kept)
{
	statement_free(place->st);
	*place = (struct cosigned){ .st = st, .change = ++repo->cosigned_changes, .is_kept = is_kept };
	snprintf(place->name, sizeof(place->name), "%s", name);
}

/* 1: it is not a head that our log had. */
static int check_ours(struct repo *repo, const struct statement *checkpoint, struct error *err)
{
	uint64_t size = statement_number(checkpoint, "size");
	struct merkle_growth growth;
	struct repo_head head;
	uint8_t tree[HASH_LEN];

	if (repo_head(&head, repo, err) < 0)
		return err->code;
	if (!size || size > head.log_size)
		return 1;
	if (prove(&growth, repo, size, head.log_size, err) < 0)
		return err->code;
	statement_get_hash(tree, checkpoint, "tree");
	return memcmp(tree, growth.old_tree.b, HASH_LEN) != 0;
}

static bool is_newer(const struct statement *st, const struct cosigned *kept)
{
	uint64_t size = statement_number(st, "size"), before = kept->st ? statement_number(kept->st, "size") : 0;

	return size > before || (size == before && !bytes_equal(statement_whole(st), statement_whole(kept->st)));
}

int repo_cosign(struct repo *repo, const struct root *root, const struct statement *checkpoint, struct error *err)
{
	_cleanup_(statement_freep) struct statement *copy = NULL;
	const char *name = root_cosigner(root, checkpoint);
	struct cosigned *place;
	int r;

	if (!name)
		return error_set(err, E_DENIED, "the checkpoint is not signed by the archive and one witness");
	r = check_ours(repo, checkpoint, err);
	if (r != 0)
		return r < 0 ? r : REPO_FORK;
	if (statement_parse(&copy, statement_whole(checkpoint), false, NULL, err) < 0)
		return err->code;
	pthread_mutex_lock(&repo->lock);
	place = place_of(repo, root, name);
	r = is_newer(copy, place) ? 0 : REPO_SEEN;
	if (r == 0) {
		put(repo, place, name, steal(copy), false);
		pthread_cond_signal(&repo->pack_wanted);
	}
	pthread_mutex_unlock(&repo->lock);
	return r;
}

void repo_cosigned(struct buf *out, struct repo *repo)
{
	pthread_mutex_lock(&repo->lock);
	for (size_t i = 0; i < ROOT_WITNESSES_MAX; i++)
		if (repo->cosigned[i].st)
			buf_add_bytes(out, statement_whole(repo->cosigned[i].st));
	pthread_mutex_unlock(&repo->lock);
}

/* ---- the archive has them ---- */

static int load_witness(struct repo *repo, const struct root *root, const git_oid *tip, const char *name, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	char path[PATH_MAX_LEN];
	int r;

	layout_witness_path(path, name);
	r = git_read_file(&text, git_store_repository(repo->git), tip, path, STATEMENT_MAX, err);
	if (r != 0)
		return r < 0 ? r : 0;
	if (statement_parse(&st, buf_bytes(&text), false, NULL, err) < 0)
		return error_add(err, "'%s'", path);
	put(repo, place_of(repo, root, name), name, steal(st), true);
	return 0;
}

static void load_leaf(void *ctx, uint64_t position _unused_, const struct merkle_hash *leaf)
{
	merkle_cache_add(ctx, *leaf);
}

int log_open(struct repo *repo, struct error *err)
{
	const struct root *root = newest_root(repo);
	const char *name;
	git_oid tip;
	int r = store_log_each(repo->store, load_leaf, &repo->cache, err);

	if (r == 0)
		r = git_store_tip(&tip, repo->git, err);
	if (r != 0 || !root)
		return r < 0 ? r : 0;
	for (size_t i = 0; (name = root_witness(root, i)); i++)
		if (load_witness(repo, root, &tip, name, err) < 0)
			return err->code;
	return 0;
}

void log_close(struct repo *repo)
{
	for (size_t i = 0; i < ROOT_WITNESSES_MAX; i++)
		statement_free(repo->cosigned[i].st);
	merkle_cache_done(&repo->cache);
}

bool log_has_cosigned(const struct repo *repo)
{
	for (size_t i = 0; i < ROOT_WITNESSES_MAX; i++)
		if (repo->cosigned[i].st && !repo->cosigned[i].is_kept)
			return true;
	return false;
}

/* What one commit takes over, copied: another one may arrive while it is made. */
struct keeping {
	size_t count;
	uint64_t until; /* the newest of them */
	struct change changes[ROOT_WITNESSES_MAX];
	struct buf blobs[ROOT_WITNESSES_MAX];
};

static void keeping_done(struct keeping *k)
{
	for (size_t i = 0; i < ROOT_WITNESSES_MAX; i++)
		buf_done(&k->blobs[i]);
}

static int change_order(const void *a, const void *b)
{
	return strcmp(((const struct change *)a)->path, ((const struct change *)b)->path);
}

static void take_cosigned(struct keeping *k, struct repo *repo)
{
	pthread_mutex_lock(&repo->lock);
	k->until = repo->cosigned_changes;
	for (size_t i = 0; i < ROOT_WITNESSES_MAX; i++) {
		const struct cosigned *c = &repo->cosigned[i];

		if (!c->st || c->is_kept)
			continue;
		buf_add_bytes(&k->blobs[k->count], statement_whole(c->st));
		layout_witness_path(k->changes[k->count].path, c->name);
		k->changes[k->count].blob = buf_bytes(&k->blobs[k->count]);
		k->count++;
	}
	pthread_mutex_unlock(&repo->lock);
	qsort(k->changes, k->count, sizeof(*k->changes), change_order);
}

/* After a failure that left the branch moved, it is there: a second commit would bring nothing. */
static bool is_there(struct repo *repo, const struct change *change)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error ignored;
	git_oid tip;

	return git_store_tip(&tip, repo->git, &ignored) == 0 &&
	       git_read_file(&text, git_store_repository(repo->git), &tip, change->path, STATEMENT_MAX, &ignored) == 0 &&
	       bytes_equal(buf_bytes(&text), change->blob);
}

static void drop_known(struct keeping *k, struct repo *repo)
{
	size_t n = 0;

	for (size_t i = 0; i < k->count; i++)
		if (!is_there(repo, &k->changes[i]))
			k->changes[n++] = k->changes[i];
	k->count = n;
}

static void note_kept(struct repo *repo, const struct keeping *k)
{
	pthread_mutex_lock(&repo->lock);
	for (size_t i = 0; i < ROOT_WITNESSES_MAX; i++)
		if (repo->cosigned[i].change <= k->until)
			repo->cosigned[i].is_kept = true;
	pthread_mutex_unlock(&repo->lock);
}

static void round_freep(struct round **round)
{
	git_round_free(*round);
}

static int commit_cosigned(struct repo *repo, const struct keeping *k, struct error *err)
{
	_cleanup_(round_freep) struct round *round = NULL;
	_cleanup_(buf_done) struct buf message = { 0 };
	struct merkle_hash hash = merkle_root(&repo->log);
	char email[64], tree[2 * HASH_LEN + 1];
	git_oid id;
	int r;

	hex_encode(tree, hash.b, HASH_LEN);
	buf_addf(&message, "archive: %zu cosigned\n\nLog-Size: %llu\nLog-Root: %s\nHoldfast-Root: %llu\n", k->count,
		 (unsigned long long)repo->log.size, tree, (unsigned long long)repo->packed_root);
	snprintf(email, sizeof(email), "archive@%s", root_fleet(newest_root(repo)));
	r = git_round_begin(&round, repo->git, 0, err);
	if (r == 0)
		r = git_round_commit(&id, round, k->changes, k->count, buf_text(&message), email, repo->key, err);
	return r < 0 ? r : git_round_finish(round, err);
}

int log_pack_cosigned(struct repo *repo, struct error *err)
{
	_cleanup_(keeping_done) struct keeping k = { 0 };

	take_cosigned(&k, repo);
	drop_known(&k, repo);
	if (k.count && commit_cosigned(repo, &k, err) < 0)
		return error_add(err, "cosigned checkpoints");
	note_kept(repo, &k);
	return 0;
}
