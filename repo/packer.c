/* repo/packer.c -- the packer thread: turns what is journaled into packs and signed commits, whole journal files at a time, at most once a
 * second; keeps the index at the branch. */
#include "repo/parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/plural.h"
#include "repo/bundles.h"
#include "repo/payloads.h"
#include "repo/turns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PACK_EVERY_MS = 1000,
	PACK_RETRY_MS = 5000,
	PACK_BYTES_MAX = 256 << 20, /* then another one is begun */
	PLACE_ROWS = 256,           /* entered into the index at a time: some milliseconds */
};

/* ---- commits ---- */

/* Never dated before the one before it, whatever the clock does: a shorter log that is signed later proves a set-back. */
static int make_checkpoint(struct buf *out, struct repo *repo, const struct root *root, const struct merkle *log, struct error *err)
{
	struct merkle_hash tree = merkle_root(log);
	int64_t now_s = clock_now_s();

	if (repo->checkpoint_s < now_s)
		repo->checkpoint_s = now_s;

	statement_begin(out, STATEMENT_CHECKPOINT);
	statement_add(out, "fleet", "%s", root_fleet(root));
	statement_add(out, "size", "%llu", (unsigned long long)log->size);
	statement_add_hash(out, "tree", tree.b);
	statement_add(out, "root", "%llu", (unsigned long long)root_version(root));
	statement_add_time(out, "time", repo->checkpoint_s);
	return statement_sign(out, repo->key, err);
}

/* The root in this commit's tree: a newer one may be in force already, and lie in a later commit. */
static const struct root *root_of_bundle(struct repo *repo, const struct bundle *b, uint64_t *version)
{
	if (b->root_version)
		*version = b->root_version;
	return root_of_version(repo, *version);
}

static int commit_bundle(struct repo *repo, struct round *round, struct bundle *b, struct merkle *log, uint64_t *version, struct error *err)
{
	_cleanup_(buf_done) struct buf checkpoint = { 0 }, message = { 0 };
	const struct root *root = root_of_bundle(repo, b, version);
	char email[64], tree[2 * HASH_LEN + 1];
	struct merkle_hash hash;
	git_oid id;

	if (!root)
		return error_set(err, E_DENIED, "there is no root yet");
	for (size_t i = 0; i < b->item_count; i++)
		merkle_add(log, b->items[i]->leaf);
	if (make_checkpoint(&checkpoint, repo, root, log, err) < 0)
		return err->code;
	hash = merkle_root(log);
	hex_encode(tree, hash.b, HASH_LEN);
	buf_addf(&message, "archive: %zu %s\n\nLog-Size: %llu\nLog-Root: %s\nHoldfast-Root: %llu\n", b->item_count,
		 plural(b->item_count, "statement", "statements"), (unsigned long long)log->size, tree, (unsigned long long)*version);
	snprintf(email, sizeof(email), "archive@%s", root_fleet(root));
	bundle_sort(b);
	bundle_add(b, "log/checkpoint", buf_bytes(&checkpoint));
	if (git_round_commit(&id, round, b->changes, b->change_count, buf_text(&message), email, repo->key, err) < 0)
		return err->code;
	git_oid_fmt(b->commit, &id);
	b->commit[40] = 0;
	b->time_s = git_round_time(round);
	return 0;
}

/* ---- the index learns where everything lies ---- */

/* In parts, between which others get the store: who waits to be acknowledged does not wait for all of them. What a stop between two of them
 * leaves is entered once more by index_catch_up(), since the tip is set by the last one. */
struct placing {
	struct repo *repo;
	uint64_t position;
	bool in_parts;
	size_t count;
	struct item *items[PLACE_ROWS]; /* of the part in hand */
};

/* Whatever else is placed may change how a device's chain is judged: then it is one transaction, nothing is ahead of it, and no round is
 * judged by memory meanwhile. */
static bool is_snapshot(const struct item *item)
{
	return item->is_ahead || (statement_type(item->c.st) == STATEMENT_SNAPSHOT && item->kind != KIND_FORK);
}

static bool are_snapshots(const struct bundle *bundles, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < bundles[i].item_count; k++)
			if (!is_snapshot(bundles[i].items[k]))
				return false;
	return true;
}

static int begin_part(struct placing *p, struct error *err)
{
	int r = rows_begin(p->repo, err);

	p->count = 0;
	if (r == 0 && !p->in_parts)
		r = ahead_settle(p->repo->ahead, p->repo->store, err);
	return r;
}

static int end_part(struct placing *p, struct error *err)
{
	int r = rows_commit(p->repo, err);

	if (r == 0)
		ahead_remove_all(p->repo->ahead, p->items, p->count);
	return r;
}

static int next_part(struct placing *p, struct error *err)
{
	if (end_part(p, err) < 0)
		return err->code;
	pthread_mutex_unlock(&p->repo->store_lock);
	lock_store_in_turn(p->repo);
	return begin_part(p, err);
}

static int place_item(struct placing *p, struct item *item, int64_t commit_s, struct error *err)
{
	if (p->in_parts && p->count == PLACE_ROWS && next_part(p, err) < 0)
		return err->code;
	if (!p->in_parts || !item->is_ahead)
		return store_place(p->repo->store, item->c.st, &item->leaf, item->kind == KIND_FORK, commit_s, p->position++, err);
	p->items[p->count++] = item;
	return store_enter_packed(p->repo->store, &item->c, &item->leaf, p->position++, err);
}

static int place_bundle(struct placing *p, const struct bundle *b, struct error *err)
{
	if (store_add_commit(p->repo->store, b->commit, b->time_s, p->position, err) < 0)
		return err->code;
	for (size_t i = 0; i < b->item_count; i++)
		if (place_item(p, b->items[i], b->time_s, err) < 0)
			return err->code;
	return 0;
}

static int place_all(struct placing *p, const struct bundle *bundles, size_t count, struct error *err)
{
	struct repo *repo = p->repo;
	int r = begin_part(p, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = place_bundle(p, &bundles[i], err);
	if (r == 0)
		r = store_set_tip(repo->store, bundles[count - 1].commit, p->position, err);
	if (r == 0)
		r = taken_enter(repo->taken, repo->store, taken_count(repo->taken), err);
	if (r == 0)
		r = end_part(p, err);
	if (r < 0)
		rows_rollback(repo);
	head_has_changed(repo);
	return r;
}

/* With store_lock, which is let go in between. */
static int place_bundles(struct repo *repo, const struct bundle *bundles, size_t count, struct error *err)
{
	struct placing p = { .repo = repo, .position = repo->log.size, .in_parts = are_snapshots(bundles, count) };
	int r;

	if (p.in_parts)
		return place_all(&p, bundles, count, err);
	pthread_mutex_lock(&repo->judge_lock);
	r = place_all(&p, bundles, count, err);
	ahead_forget(repo->ahead);
	pthread_mutex_unlock(&repo->judge_lock);
	return r;
}

/* They are packed, and go: from the archive the index learns of them. */
static void lose_rows(struct repo *repo, const struct bundle *bundles, size_t count, const struct error *why)
{
	repo->missing_sys = why->sys;
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < bundles[i].item_count; k++) {
			if (bundles[i].items[k]->is_ahead)
				repo->rows_are_missing = true;
			ahead_remove(repo->ahead, bundles[i].items[k]);
		}
	}
}

/* ---- packs ---- */

static void round_freep(struct round **round)
{
	git_round_free(*round);
}

static size_t bytes_expected(const struct bundle *bundles, size_t count)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count && bytes < PACK_BYTES_MAX; i++)
		bytes += bundles[i].bytes;
	return bytes;
}

/* Packs as many bundles as one pack takes: *packed of them are in the archive afterwards, also when the index refuses (then it is behind).
 */
static int pack_some(size_t *packed, struct repo *repo, struct bundle *bundles, size_t count, struct error *err)
{
	_cleanup_(round_freep) struct round *round = NULL;
	struct merkle log = repo->log;
	uint64_t version = repo->packed_root;
	size_t n = 0;
	int r = git_round_begin(&round, repo->git, bytes_expected(bundles, count), err);

	while (r == 0 && n < count && (!n || git_round_len(round) < PACK_BYTES_MAX))
		r = commit_bundle(repo, round, &bundles[n++], &log, &version, err);
	if (r < 0)
		return r;
	r = git_round_finish(round, err);
	if (r < 0) {
		/* the branch may have moved all the same: before anything is packed a second time, somebody looks */
		repo->index_is_behind = repo->pending_is_doubtful = true;
		return r;
	}
	lock_store_in_turn(repo);
	r = place_bundles(repo, bundles, n, err);
	if (r < 0)
		lose_rows(repo, bundles, n, err);
	pthread_mutex_unlock(&repo->store_lock);
	repo->log = log;
	repo->packed_root = version;
	repo->index_is_behind = r < 0;
	*packed = n;
	return r < 0 ? error_add(err, "packed, but not entered") : 0;
}

static int arrival_order(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;

	return x->arrived < y->arrived ? -1 : 1;
}

/* What is packed is freed, the rest goes back in the order in which it came. */
static void release(struct repo *repo, struct bundle *bundles, size_t count, size_t packed, struct list *back)
{
	struct item **left = NULL;
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (i >= packed) {
			left = mem_grow(left, (n + bundles[i].item_count) * sizeof(*left));
			memcpy(left + n, bundles[i].items, bundles[i].item_count * sizeof(*left));
			n += bundles[i].item_count;
		}
		for (size_t k = 0; i < packed && k < bundles[i].item_count; k++) {
			repo->unentered++;
			item_free(bundles[i].items[k]);
		}
		free(bundles[i].items);
		free(bundles[i].changes);
	}
	if (n)
		qsort(left, n, sizeof(*left), arrival_order);
	for (size_t i = 0; i < n; i++)
		list_add(back, left[i]);
	free(left);
	free(bundles);
}

/* Those who wait for it may look. */
static void note_archived(struct repo *repo)
{
	if (repo->index_is_behind)
		return;
	pthread_mutex_lock(&repo->lock);
	repo->archived += repo->unentered;
	pthread_cond_broadcast(&repo->packed);
	pthread_mutex_unlock(&repo->lock);
	repo->unentered = 0;
}

static int pack_list(struct repo *repo, struct list *list, struct error *err)
{
	struct bundle *bundles = NULL;
	size_t count = bundles_make(&bundles, list), done = 0;
	int r = 0;

	while (r == 0 && done < count) {
		size_t packed = 0;

		r = pack_some(&packed, repo, bundles + done, count - done, err);
		done += packed;
	}
	release(repo, bundles, count, done, list);
	note_archived(repo);
	return r;
}

/* ---- one turn ---- */

static int catch_up(struct repo *repo, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->store_lock);
	r = rows_settle(repo, err); /* what is packed may be among them: the index must not learn of it twice */
	if (r == 0)
		r = index_catch_up(repo, err);
	if (r >= 0)
		repo->rows_are_missing = false;
	pthread_mutex_unlock(&repo->store_lock);
	if (r < 0)
		return r;
	log_notice("index-caught-up");
	repo->index_is_behind = false;
	note_archived(repo);
	return 0;
}

/* Takes what is pending together with the journal files that hold it. */
static int take_pending(struct repo *repo, struct list *out, uint64_t *before, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->lock);
	repo->is_rotating = true;
	pthread_mutex_unlock(&repo->lock);
	pthread_mutex_lock(&repo->journal_lock);
	r = journal_rotate(before, repo->journal, err);
	pthread_mutex_lock(&repo->lock);
	if (r == 0)
		list_prepend(out, &repo->pending);
	repo->is_rotating = false;
	pthread_cond_signal(&repo->queued); /* room again */
	pthread_mutex_unlock(&repo->lock);
	pthread_mutex_unlock(&repo->journal_lock);
	return r;
}

static int drop_packed(struct repo *repo, struct list *list, struct error *err)
{
	uint64_t dropped = 0;
	int r;

	pthread_mutex_lock(&repo->store_lock);
	r = index_drop_packed(&dropped, repo, list, err);
	pthread_mutex_unlock(&repo->store_lock);
	if (r < 0)
		return r;
	repo->pending_is_doubtful = false;
	repo->unentered += dropped;
	note_archived(repo);
	return 0;
}

/* Until now the journal had them. */
static int sync_payloads(struct repo *repo, const struct list *list, struct error *err)
{
	for (const struct item *item = list->first; item; item = item->next)
		if (container_seal(&item->c, "payload").ptr)
			return payloads_sync(repo->payloads, err);
	return 0;
}

static void put_back(struct repo *repo, struct list *list)
{
	pthread_mutex_lock(&repo->lock);
	list_prepend(&repo->pending, list);
	pthread_mutex_unlock(&repo->lock);
}

static void note_dropped(struct repo *repo, uint64_t before)
{
	pthread_mutex_lock(&repo->lock);
	repo->dropped = before;
	repo->drop_wanted = false;
	pthread_cond_broadcast(&repo->packed);
	pthread_mutex_unlock(&repo->lock);
}

static int pack_once(struct repo *repo, struct error *err)
{
	struct list list;
	uint64_t before = 0;
	int r = repo->index_is_behind ? catch_up(repo, err) : 0;

	list_init(&list);
	if (r == 0)
		r = take_pending(repo, &list, &before, err);
	if (r == 0 && repo->pending_is_doubtful)
		r = drop_packed(repo, &list, err);
	if (r == 0)
		r = sync_payloads(repo, &list, err);
	if (r == 0 && list.first)
		r = pack_list(repo, &list, err);
	put_back(repo, &list);
	if (r == 0)
		r = log_pack_cosigned(repo, err);
	if (r == 0)
		r = journal_drop(repo->journal, before, err);
	if (r == 0)
		note_dropped(repo, before);
	return r;
}

/* ---- the thread ---- */

/* With the lock held: until it is time, or somebody is in a hurry. */
static void wait_until(struct repo *repo, uint64_t due_ms)
{
	while (!repo->packer_stopping && repo->flush_target <= repo->archived && !repo->drop_wanted && !repo->merged) {
		uint64_t now = clock_mono_ms();
		struct timespec ts;

		if (now >= due_ms)
			return;
		clock_gettime(CLOCK_MONOTONIC, &ts);
		ts.tv_nsec += (long)((due_ms - now) % 1000) * 1000000;
		ts.tv_sec += (time_t)((due_ms - now) / 1000) + ts.tv_nsec / 1000000000;
		ts.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&repo->pack_wanted, &repo->lock, &ts);
	}
}

/* With the lock held: those who wait for the archive are told that it does not come now. */
static void note_failure(struct repo *repo, const struct error *err)
{
	repo->failed_turn = repo->turns;
	repo->pack_err = *err;
	repo->flush_target = 0;
	repo->drop_wanted = false;
	pthread_cond_broadcast(&repo->packed);
}

static int turn(struct repo *repo)
{
	struct error err = { 0 };
	int r;

	repo->turns++;
	pthread_mutex_unlock(&repo->lock);
	r = pack_once(repo, &err);
	if (r < 0)
		log_failure(LOG_ERROR, "cannot-pack", &err);
	exchange_packs(repo);
	ask_checkpoint(repo);
	pthread_mutex_lock(&repo->lock);
	repo->merge_due = true;
	pthread_cond_broadcast(&repo->merge_wanted);
	if (r < 0)
		note_failure(repo, &err);
	return r;
}

/* With the lock held, which is let go: while there is time. */
static void prepare_journal(struct repo *repo)
{
	struct error err = { 0 };

	if (repo->packer_stopping)
		return;
	pthread_mutex_unlock(&repo->lock);
	if (journal_prepare(repo->journal, &err) < 0)
		log_failure(LOG_WARNING, "cannot-prepare-journal", &err);
	pthread_mutex_lock(&repo->lock);
}

/* With the lock held. */
static bool has_work(const struct repo *repo)
{
	return repo->pending.first || repo->index_is_behind || repo->drop_wanted || repo->merged || log_has_cosigned(repo);
}

void *packer_main(void *arg)
{
	struct repo *repo = arg;
	uint64_t next_ms = 0;
	int r = 0;

	pthread_setname_np(pthread_self(), "packer"); /* for those who look with top -H */
	stand_back(BACK_BEHIND_ANSWERS);
	pthread_mutex_lock(&repo->lock);
	for (;;) {
		while (!repo->packer_stopping && !has_work(repo))
			pthread_cond_wait(&repo->pack_wanted, &repo->lock);
		if (!has_work(repo))
			break; /* stopping, and nothing is left */
		if (r < 0 && repo->packer_stopping)
			break; /* the journal keeps it */
		wait_until(repo, next_ms);
		r = turn(repo);
		next_ms = clock_mono_ms() + (r < 0 ? PACK_RETRY_MS : PACK_EVERY_MS);
		if (r == 0)
			prepare_journal(repo);
	}
	pthread_mutex_unlock(&repo->lock);
	return NULL;
}

/* With the lock held; each time again, since a turn that failed forgets who is in a hurry. */
static void hurry(struct repo *repo, uint64_t target)
{
	if (repo->flush_target < target)
		repo->flush_target = target;
	pthread_cond_broadcast(&repo->pack_wanted);
	pthread_cond_wait(&repo->packed, &repo->lock);
}

/* A failure counts when the turn began after one asked: the one before may fail over what is mended since. */
int repo_flush(struct repo *repo, struct error *err)
{
	uint64_t target, turns;
	int r = 0;

	pthread_mutex_lock(&repo->lock);
	target = repo->journaled;
	turns = repo->turns;
	while (r == 0 && repo->threads_run && repo->archived < target) {
		hurry(repo, target);
		if (repo->failed_turn > turns && repo->archived < target) {
			*err = repo->pack_err;
			r = error_add(err, "what is journaled could not be packed (it is not lost)");
		}
	}
	pthread_mutex_unlock(&repo->lock);
	return r;
}

/* The one that packs also drops; between the two it may be asked, and in a failure it has done the one and not the other. */
static int wait_dropped(struct repo *repo, uint64_t before, struct error *err)
{
	uint64_t turns;
	int r = 0;

	pthread_mutex_lock(&repo->lock);
	turns = repo->turns;
	while (r == 0 && repo->threads_run && repo->dropped < before) {
		repo->drop_wanted = true;
		pthread_cond_broadcast(&repo->pack_wanted);
		pthread_cond_wait(&repo->packed, &repo->lock);
		if (repo->failed_turn > turns && repo->dropped < before) {
			*err = repo->pack_err;
			r = error_add(err, "what was journaled is still on the disk");
		}
	}
	pthread_mutex_unlock(&repo->lock);
	return r;
}

int flush_journal(struct repo *repo, struct error *err)
{
	uint64_t end;

	pthread_mutex_lock(&repo->journal_lock);
	end = journal_end(repo->journal);
	pthread_mutex_unlock(&repo->journal_lock);
	return repo_flush(repo, err) < 0 ? err->code : wait_dropped(repo, end, err);
}
