/* repo/repo.c -- the archive: opening and closing. */
#include "repo/parts.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/plural.h"
#include "repo/signer-cache.h"
#include "repo/touch.h"

#include <assert.h>
#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- roots ---- */

int root_from(struct root **out, struct bytes whole, struct error *err)
{
	struct statement *st = NULL;

	return statement_parse(&st, whole, false, NULL, err) < 0 || root_new(out, st, err) < 0 ? err->code : 0;
}

void add_root(struct repo *repo, struct root *root)
{
	pthread_mutex_lock(&repo->root_lock);
	assert(repo->root_count < ROOT_CHAIN_MAX);
	repo->roots[repo->root_count++] = root;
	pthread_mutex_unlock(&repo->root_lock);
}

const struct root *root_of_version(struct repo *repo, uint64_t version)
{
	const struct root *root;

	pthread_mutex_lock(&repo->root_lock);
	root = version && version <= repo->root_count ? repo->roots[version - 1] : NULL;
	pthread_mutex_unlock(&repo->root_lock);
	return root;
}

const struct root *newest_root(struct repo *repo)
{
	const struct root *root;

	pthread_mutex_lock(&repo->root_lock);
	root = repo->root_count ? repo->roots[repo->root_count - 1] : NULL;
	pthread_mutex_unlock(&repo->root_lock);
	return root;
}

int repo_root_get(const struct root **out, struct repo *repo, struct error *err _unused_)
{
	*out = newest_root(repo);
	return *out ? 0 : REPO_ABSENT;
}

void repo_root_put(struct repo *repo _unused_, const struct root *root _unused_)
{
	/* roots live as long as the repository: there are few */
}

static int load_roots(struct repo *repo, struct error *err)
{
	for (uint64_t version = 1; version <= ROOT_CHAIN_MAX; version++) {
		_cleanup_(buf_done) struct buf whole = { 0 };
		struct root *root = NULL;
		int r = store_root(&whole, repo->store, version, err);

		if (r != 0)
			return r < 0 ? r : 0;
		if (root_from(&root, buf_bytes(&whole), err) < 0)
			return error_add(err, "root %llu in the index", (unsigned long long)version);
		add_root(repo, root);
	}
	return 0;
}

/* ---- the index in transactions ---- */

void lock_store_in_turn(struct repo *repo)
{
	pthread_mutex_lock(&repo->store_turn);
	pthread_mutex_lock(&repo->store_lock);
	pthread_mutex_unlock(&repo->store_turn);
}

static int check_rows(struct repo *repo, struct error *err)
{
	if (!repo->rows_are_missing)
		return 0;
	error_set(err, E_SYS, "the index is behind the archive: once it can be written again, it catches up");
	err->sys = repo->missing_sys;
	return err->code;
}

int rows_begin(struct repo *repo, struct error *err)
{
	return check_rows(repo, err) < 0 ? err->code : store_begin(repo->store, err);
}

int rows_commit(struct repo *repo, struct error *err)
{
	int r = store_commit(repo->store, err);

	if (r == 0)
		ahead_committed(repo->ahead);
	return r;
}

void rows_rollback(struct repo *repo)
{
	store_rollback(repo->store);
	ahead_rolled_back(repo->ahead);
}

int rows_settle(struct repo *repo, struct error *err)
{
	int r = store_begin(repo->store, err);

	if (r == 0)
		r = ahead_settle(repo->ahead, repo->store, err);
	if (r == 0)
		r = rows_commit(repo, err);
	if (r < 0)
		rows_rollback(repo);
	return r;
}

int rows_show(struct repo *repo, struct error *err)
{
	int r;

	if (!ahead_count(repo->ahead) && !repo->rows_are_missing)
		return 0;
	pthread_mutex_lock(&repo->store_lock);
	r = check_rows(repo, err) < 0 ? err->code : rows_settle(repo, err);
	pthread_mutex_unlock(&repo->store_lock);
	return r;
}

/* ---- the journal after a stop ---- */

static int collect(void *ctx, uint8_t kind, struct bytes content, struct error *err)
{
	struct list *list = ctx;
	struct item *item = NULL;

	if (item_new(&item, content, err) < 0)
		return err->code;
	item->kind = kind;
	list_add(list, item);
	return 0;
}

static int misfit(const struct statement *st, struct error *err)
{
	const char *subject = statement_get(st, "device"), *number = statement_get(st, "number");

	return error_set(err, E_FORMAT,
			 "the journal holds %s %s of '%s', which does not fit what is archived: is archive.git an older copy? restore the "
			 "newest; or move the folder 'journal' away to go on without what it holds",
			 statement_type_name(statement_type(st)), number ? number : "-", subject ? subject : "-");
}

/* What the index does not know is entered again: it may have lost what the journal kept. */
static int enter_again(struct repo *repo, struct item *item, struct error *err)
{
	const struct statement *st = item->c.st;
	struct root *root = NULL;
	bool ignored;
	int r;

	if (item->kind == KIND_FORK)
		return store_enter_fork(repo->store, st, &ignored, err);
	if (put_payload(repo, &item->c, err) < 0) /* of those that the journal holds none was synced for sure */
		return err->code;
	r = store_judge(repo->store, &item->c, newest_root(repo), &ignored, err);
	if (r == REPO_SEEN)
		return 0;
	if (r != 0)
		return r == E_SYS ? r : misfit(st, err);
	if (store_enter(repo->store, st, err) < 0)
		return err->code;
	if (statement_type(st) != STATEMENT_ROOT)
		return 0;
	if (root_from(&root, statement_whole(st), err) < 0)
		return err->code;
	add_root(repo, root);
	return 0;
}

static int enter_all(struct repo *repo, const struct list *list, struct error *err)
{
	int r = store_begin(repo->store, err);

	for (struct item *item = list->first; r == 0 && item; item = item->next)
		r = enter_again(repo, item, err);
	if (r == 0)
		r = store_commit(repo->store, err);
	if (r < 0)
		store_rollback(repo->store);
	return r;
}

/* Everything that the index knows is packed or journaled; if not, the disk lost what was acknowledged. */
static int find_lost(struct repo *repo, const char *path, struct error *err)
{
	uint64_t known = 0, taken = 0;
	const char *them;

	if (store_unpacked(&known, repo->store, err) < 0 || taken_read(&taken, path, repo->store, err) < 0)
		return err->code;
	if (taken > repo->log.size && known < taken - repo->log.size)
		known = taken - repo->log.size; /* of some, only the journal had more than their number */
	if (known <= repo->pending.count)
		return 0;
	them = plural(known - repo->pending.count, "it", "them");
	return error_set(err, E_FORMAT,
			 "%llu acknowledged %s neither in archive.git nor in the journal: restore '%s/journal' from a copy; or go on "
			 "without %s, devices that have %s post %s again: holdfastd reindex",
			 (unsigned long long)(known - repo->pending.count),
			 plural(known - repo->pending.count, "statement is", "statements are"), repo->dir, them, them, them);
}

/* With a branch lost and no index to tell, only the packs remember that there was anything. */
static int find_lost_branch(struct repo *repo, struct error *err)
{
	if (repo->log.size || newest_root(repo) || !git_store_has_packs(repo->git))
		return 0;
	return error_set(err, E_FORMAT,
			 "there are packs in '%s/archive.git', and no branch 'main': put it back (git fsck --lost-found names the newest "
			 "commit, git update-ref refs/heads/main COMMIT), or restore archive.git from a mirror",
			 repo->dir);
}

static int replay_journal(struct repo *repo, struct error *err)
{
	_cleanup_(mem_freep) char *folder = mem_printf("%s/journal", repo->dir), *taken = mem_printf("%s/index.db-taken", repo->dir);
	uint64_t cut = 0, packed = 0, before = 0;

	if (journal_open(&repo->journal, folder, collect, &repo->pending, &cut, err) < 0)
		return err->code;
	if (cut)
		log_warning("journal-cut bytes=%llu: a write was cut short by the stop; nobody had been told that it was taken",
			    (unsigned long long)cut);
	if (index_drop_packed(&packed, repo, &repo->pending, err) < 0 || enter_all(repo, &repo->pending, err) < 0)
		return err->code;
	if (find_lost(repo, taken, err) < 0 || find_lost_branch(repo, err) < 0)
		return err->code;
	repo->journaled = repo->pending.count;
	repo->taken_count = repo->log.size + repo->pending.count;
	if (taken_open(&repo->taken, taken, repo->store, repo->taken_count, err) < 0)
		return err->code;
	if (repo->pending.first)
		return 0;
	if (journal_rotate(&before, repo->journal, err) < 0 || journal_drop(repo->journal, before, err) < 0)
		return err->code;
	repo->dropped = before;
	return 0;
}

/* ---- opening ---- */

static void end_checkpoints(struct repo *repo)
{
	stop_checkpoints(repo);
	pthread_join(repo->checkpoint_thread, NULL);
}

/* The first failure ends those that run. */
static int start_threads(struct repo *repo, struct error *err)
{
	if (pthread_create(&repo->checkpoint_thread, NULL, checkpoint_main, repo) != 0)
		return error_set(err, E_SYS, "cannot start a thread");
	if (pthread_create(&repo->journal_thread, NULL, journal_main, repo) != 0) {
		end_checkpoints(repo);
		return error_set(err, E_SYS, "cannot start a thread");
	}
	if (pthread_create(&repo->packer_thread, NULL, packer_main, repo) != 0) {
		pthread_mutex_lock(&repo->lock);
		repo->stopping = true;
		pthread_cond_broadcast(&repo->queued);
		pthread_mutex_unlock(&repo->lock);
		pthread_join(repo->journal_thread, NULL);
		end_checkpoints(repo);
		return error_set(err, E_SYS, "cannot start a thread");
	}
	repo->threads_run = true;
	if (pthread_create(&repo->merge_thread, NULL, merge_main, repo) != 0) {
		repo->merge_stop = true;
		return error_set(err, E_SYS, "cannot start a thread");
	}
	return 0;
}

static int open_stores(struct repo *repo, bool create, struct error *err)
{
	_cleanup_(mem_freep) char *git = mem_printf("%s/archive.git", repo->dir), *index = mem_printf("%s/index.db", repo->dir);
	_cleanup_(mem_freep) char *lock = mem_printf("%s/lock", repo->dir);

	if (create && fs_mkdirs(repo->keyring, 0700, err) < 0)
		return err->code;
	if (!create && access(git, F_OK) < 0)
		return error_sys(err, "no archive at '%s': make one with 'holdfastd init'", repo->dir);
	if (!repo->read_only) {
		repo->lock_fd = fs_lock(lock, err);
		if (repo->lock_fd < 0)
			return repo->lock_fd;
	}
	if (git_store_open(&repo->git, git, !repo->read_only, err) < 0 || git_store_check(repo->git, err) < 0 ||
	    git_store_open(&repo->reading_git, git, false, err) < 0 || store_open(&repo->store, index, err) < 0 ||
	    store_open(&repo->reading, index, err) < 0)
		return err->code;
	if (repo->read_only)
		return 0;
	store_writes(repo->store);
	return store_open(&repo->checkpointing, index, err) < 0 || store_open(&repo->judging, index, err) < 0 ? err->code : 0;
}

static int open_parts(struct repo *repo, bool create, struct error *err)
{
	if (open_stores(repo, create, err) < 0)
		return err->code;
	if (!repo->read_only && index_catch_up(repo, err) < 0)
		return err->code;
	if (load_roots(repo, err) < 0)
		return err->code;
	if (repo->read_only)
		return 0;
	if (shred_open(repo, err) < 0)
		return err->code;
	if (log_open(repo, err) < 0)
		return err->code;
	return replay_journal(repo, err) < 0 || start_threads(repo, err) < 0 ? err->code : 0;
}

/* Deadlines that a set clock does not move. */
static void init_waiting(struct repo *repo)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&repo->queued, NULL);
	pthread_cond_init(&repo->checkpoint_wanted, NULL);
	pthread_cond_init(&repo->merge_wanted, NULL);
	pthread_cond_init(&repo->packed, NULL);
	pthread_cond_init(&repo->pack_wanted, &attr);
	pthread_condattr_destroy(&attr);
}

static void sha256_by_nettle(uint8_t out[static HASH_LEN], struct bytes a, struct bytes b)
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, a.len, a.ptr);
	sha256_update(&ctx, b.len, b.ptr);
	sha256_digest(&ctx, HASH_LEN, out);
}

int repo_open(struct repo **out, const char *dir, const struct sign_key *key, unsigned flags, struct error *err)
{
	struct repo *repo = mem_alloc(sizeof(*repo));

	sha256_lend(sha256_by_nettle);
	repo->dir = mem_strdup(dir);
	repo->keyring = mem_printf("%s/keyring", dir);
	repo->payloads = mem_printf("%s/payloads", dir);
	repo->key = key;
	repo->lock_fd = -1;
	repo->read_only = flags & REPO_READ_ONLY;
	list_init(&repo->queue);
	list_init(&repo->pending);
	pthread_mutex_init(&repo->store_lock, NULL);
	pthread_mutex_init(&repo->store_turn, NULL);
	pthread_mutex_init(&repo->judge_lock, NULL);
	pthread_mutex_init(&repo->reading_lock, NULL);
	pthread_mutex_init(&repo->lock, NULL);
	pthread_mutex_init(&repo->journal_lock, NULL);
	pthread_mutex_init(&repo->keyring_lock, NULL);
	pthread_mutex_init(&repo->destroy_lock, NULL);
	pthread_mutex_init(&repo->root_lock, NULL);
	init_waiting(repo);
	repo->touches = touches_new();
	repo->signers = signer_cache_new();
	repo->ahead = ahead_new();
	if (open_parts(repo, flags & REPO_CREATE, err) < 0) {
		repo_close(repo);
		return error_add(err, "archive '%s'", dir);
	}
	*out = repo;
	return 0;
}

/* ---- closing ---- */

static void stop_threads(struct repo *repo)
{
	bool merges = !repo->merge_stop;

	if (merges)
		stop_merging(repo);
	pthread_mutex_lock(&repo->lock);
	repo->stopping = true;
	pthread_cond_broadcast(&repo->queued);
	pthread_mutex_unlock(&repo->lock);
	pthread_join(repo->journal_thread, NULL);
	pthread_mutex_lock(&repo->lock);
	repo->packer_stopping = true;
	pthread_cond_broadcast(&repo->pack_wanted);
	pthread_mutex_unlock(&repo->lock);
	pthread_join(repo->packer_thread, NULL);
	end_checkpoints(repo);
	if (merges)
		pthread_join(repo->merge_thread,
			     NULL); /* last: it may wait for git, and nothing is lost if that takes too long for somebody */
	exchange_packs(repo);
	merged_sweep(git_store_packs(repo->git), true);
}

struct repo *repo_close(struct repo *repo)
{
	if (!repo)
		return NULL;
	if (repo->threads_run)
		stop_threads(repo);
	list_done(&repo->queue);
	if (repo->touches && repo->store)
		repo_touch_flush(repo);
	repo->ahead = ahead_free(repo->ahead);
	list_done(&repo->pending);
	journal_close(repo->journal);
	repo->touches = touches_free(repo->touches);
	repo->signers = signer_cache_free(repo->signers);
	store_close(repo->reading);
	store_close(repo->checkpointing);
	store_close(repo->judging);
	repo->taken = taken_close(repo->taken);
	store_close(repo->store);
	git_store_close(repo->reading_git);
	git_store_close(repo->git);
	log_close(repo);
	buf_done(&repo->checkpoint);
	for (size_t i = 0; i < repo->root_count; i++)
		root_free(repo->roots[i]);
	fd_closep(&repo->lock_fd);
	free(repo->dir);
	free(repo->keyring);
	free(repo->payloads);
	free(repo->shredding);
	free(repo);
	return NULL;
}

void repo_closep(struct repo **repo)
{
	*repo = repo_close(*repo);
}

/* ---- reindexing ---- */

static const char *const index_files[] = { "index.db", "index.db-wal", "index.db-shm", "index.db-taken" };

/* Puts the index aside (or back): a new one may turn out to be impossible, and the old one still serves. */
static int move_index(const char *dir, const char *from_suffix, const char *to_suffix, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(index_files); i++) {
		_cleanup_(mem_freep) char *from = mem_printf("%s/%s%s", dir, index_files[i], from_suffix);
		_cleanup_(mem_freep) char *to = mem_printf("%s/%s%s", dir, index_files[i], to_suffix);

		if (unlink(to) < 0 && errno != ENOENT)
			return error_sys(err, "cannot remove '%s'", to);
		if (rename(from, to) < 0 && errno != ENOENT)
			return error_sys(err, "cannot rename '%s'", from);
	}
	return fs_sync_dir(dir, err);
}

static int remove_index(const char *dir, const char *suffix, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(index_files); i++) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s%s", dir, index_files[i], suffix);

		if (fs_remove(path, err) < 0)
			return err->code;
	}
	return 0;
}

static int put_aside(const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *lock = mem_printf("%s/lock", dir);
	_cleanup_(fd_closep) int fd = fs_lock(lock, err);

	return fd < 0 ? fd : move_index(dir, "", ".before", err);
}

int repo_reindex(const char *dir, const struct sign_key *key, struct error *err)
{
	struct repo *repo = NULL;
	struct error ignored;

	if (put_aside(dir, err) < 0)
		return err->code;
	if (repo_open(&repo, dir, key, 0, err) < 0) {
		if (err->code != E_DENIED && move_index(dir, ".before", "", &ignored) < 0)
			return error_add(err, "the index before is in '%s/index.db.before'", dir);
		return err->code;
	}
	repo_close(repo);
	return remove_index(dir, ".before", err);
}
