/* repo/repo.c -- the archive's facade: the queue, the journal thread, the packer thread, and reading.
 *
 * The journal thread takes all that has arrived, judges and enters it into the index inside one transaction, appends it to the journal,
 * syncs once, commits the transaction, and then answers every sender. So the index always shows what is acknowledged, and what is
 * acknowledged is always on disk. The packer thread turns whole journal files into one pack each. */
#include "repo/repo.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "repo/git.h"
#include "repo/history.h"
#include "repo/journal.h"
#include "repo/keyring.h"
#include "repo/layout.h"
#include "repo/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	QUEUE_ITEMS_MAX = 4096,
	QUEUE_BYTES_MAX = 64 << 20,
	ROUND_ITEMS_MAX = 1024, /* of one sync */
	PENDING_BYTES_MAX = 128 << 20,
	PACK_EVERY_MS = 1000,
	PACK_RETRY_MS = 5000,
};

enum { KIND_STATEMENT = 'S', KIND_FORK = 'F' };

struct item {
	struct item *next;
	struct buf bytes;
	struct container c; /* borrows from bytes */
	uint8_t kind;
	repo_done_fn done;
	void *ctx;
	struct repo_outcome outcome;
	struct error err;
};

struct list {
	struct item *first, **last;
	size_t count, bytes;
};

struct repo {
	char *dir, *keyring;
	const struct sign_key *key;
	int lock_fd;
	bool read_only;
	struct git_store *git;
	struct git_store *reading_git;
	struct store *store, *reading; /* one for those who write, one for those who read */
	struct journal *journal;
	pthread_mutex_t store_lock, reading_lock;

	pthread_mutex_t lock; /* what follows */
	pthread_cond_t queued, pack_wanted, packed;
	struct list queue, pending;
	bool stopping, packer_stopping, packing;
	unsigned flush_waiters;
	pthread_mutex_t journal_lock; /* held while the journal is written or rotated */
	pthread_t journal_thread, packer_thread;
	bool threads_run;
	repo_news_fn news;
	void *news_ctx;

	pthread_mutex_t root_lock;
	struct root *roots[ROOT_CHAIN_MAX]; /* all that were in force: they live as long as we do */
	size_t root_count;

	uint64_t log_size;
	struct merkle log;
};

static void list_init(struct list *list)
{
	*list = (struct list){ .last = &list->first };
}

static void list_add(struct list *list, struct item *item)
{
	item->next = NULL;
	*list->last = item;
	list->last = &item->next;
	list->count++;
	list->bytes += item->bytes.len;
}

static struct item *list_take(struct list *list)
{
	struct item *item = list->first;

	if (!item)
		return NULL;
	list->first = item->next;
	if (!list->first)
		list->last = &list->first;
	list->count--;
	list->bytes -= item->bytes.len;
	return item;
}

/* Puts a whole list in front of another. */
static void list_prepend(struct list *list, struct list *front)
{
	if (!front->first)
		return;
	*front->last = list->first;
	if (!list->first)
		list->last = front->last;
	list->first = front->first;
	list->count += front->count;
	list->bytes += front->bytes;
	list_init(front);
}

static void item_free(struct item *item)
{
	container_done(&item->c);
	buf_done(&item->bytes);
	free(item);
}

static void list_done(struct list *list)
{
	struct item *item;

	while ((item = list_take(list)))
		item_free(item);
}

/* ---- the root in force ---- */

static const struct root *newest_root(struct repo *repo)
{
	const struct root *root;

	pthread_mutex_lock(&repo->root_lock);
	root = repo->root_count ? repo->roots[repo->root_count - 1] : NULL;
	pthread_mutex_unlock(&repo->root_lock);
	return root;
}

static int take_root(struct repo *repo, struct bytes whole, struct error *err)
{
	struct statement *st = NULL;
	struct root *root = NULL;

	if (statement_parse(&st, whole, false, NULL, err) < 0 || root_new(&root, st, err) < 0)
		return err->code;
	pthread_mutex_lock(&repo->root_lock);
	if (repo->root_count == ROOT_CHAIN_MAX) {
		pthread_mutex_unlock(&repo->root_lock);
		root_free(root);
		return error_set(err, E_LIMIT, "more than %d roots", ROOT_CHAIN_MAX);
	}
	repo->roots[repo->root_count++] = root;
	pthread_mutex_unlock(&repo->root_lock);
	return 0;
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

/* ---- journal thread ---- */

static int parse_item(struct item *item, struct error *err)
{
	size_t used = 0;
	int r = container_parse(&item->c, buf_bytes(&item->bytes), CONTAINER_ATTACHED, &used, err);

	if (r == 0 && used != item->bytes.len)
		r = error_set(err, E_FORMAT, "%zu bytes behind the container", item->bytes.len - used);
	return r;
}

/* Judges one item and enters it; what is to be journaled goes into batch. */
static int take_item(struct repo *repo, struct item *item, struct buf *batch, struct error *err)
{
	enum statement_type type = statement_type(item->c.st);
	bool keep_fork = false, is_new = false;
	int r = store_judge(repo->store, &item->c, newest_root(repo), &keep_fork, err);

	if (r == REPO_FORK && keep_fork) {
		if (store_enter_fork(repo->store, item->c.st, &is_new, err) < 0)
			return err->code;
		item->kind = KIND_FORK;
	} else if (r == 0) {
		/* before anybody is told: without its keys an epoch opens nothing */
		if (type == STATEMENT_EPOCH && keyring_put(repo->keyring, statement_get(item->c.st, "device"), &item->c, err) < 0)
			return err->code;
		if (store_enter(repo->store, item->c.st, err) < 0)
			return err->code;
		item->kind = KIND_STATEMENT;
	}
	if (r == 0 || is_new)
		journal_add(batch, item->kind, buf_bytes(&item->bytes));
	else
		item->kind = 0;
	return r;
}

static void note_head(struct repo *repo, struct item *item)
{
	const char *id = statement_get(item->c.st, "device");
	struct repo_device device;
	struct error ignored;

	if (!id || store_device(&device, repo->store, id, &ignored) != 0)
		return;
	item->outcome.head_number = device.head_number;
	memcpy(item->outcome.head_hash, device.head_hash, HASH_LEN);
}

/* One transaction, one sync, for a list of items; fills their outcomes. A failure of the disk fails them all. */
static void take_round(struct repo *repo, struct list *round)
{
	_cleanup_(buf_done) struct buf batch = { 0 };
	struct error err = { 0 };
	int r;

	pthread_mutex_lock(&repo->store_lock);
	r = store_begin(repo->store, &err);
	for (struct item *item = round->first; r == 0 && item; item = item->next) {
		item->outcome.result = take_item(repo, item, &batch, &item->err);
		note_head(repo, item);
		/* one round holds at most one root: the next is judged by it */
		if (item->outcome.result == 0 && statement_type(item->c.st) == STATEMENT_ROOT)
			r = take_root(repo, statement_whole(item->c.st), &err);
	}
	if (r == 0 && batch.len)
		r = journal_append(repo->journal, buf_bytes(&batch), &err);
	if (r == 0)
		r = store_commit(repo->store, &err);
	if (r < 0) {
		store_rollback(repo->store);
		log_failure(LOG_ERROR, "cannot-archive", &err);
		for (struct item *item = round->first; item; item = item->next) {
			item->outcome.result = r;
			item->err = err;
			item->kind = 0;
		}
	}
	pthread_mutex_unlock(&repo->store_lock);
}

static void answer(struct repo *repo, struct list *round)
{
	struct item *item;
	struct list keep;

	list_init(&keep);
	while ((item = list_take(round))) {
		enum statement_type type = statement_type(item->c.st);
		const char *device = statement_get(item->c.st, "device");

		item->outcome.err = &item->err;
		if (item->done)
			item->done(item->ctx, &item->outcome);
		if (item->outcome.result == 0 && repo->news)
			repo->news(repo->news_ctx, device, type);
		if (item->kind)
			list_add(&keep, item);
		else
			item_free(item);
	}
	pthread_mutex_lock(&repo->lock);
	while ((item = list_take(&keep)))
		list_add(&repo->pending, item);
	pthread_cond_signal(&repo->pack_wanted);
	pthread_mutex_unlock(&repo->lock);
}

static void *journal_main(void *arg)
{
	struct repo *repo = arg;

	for (;;) {
		struct list round;
		struct item *item;

		list_init(&round);
		pthread_mutex_lock(&repo->lock);
		while (!repo->stopping && (!repo->queue.first || repo->pending.bytes > PENDING_BYTES_MAX))
			pthread_cond_wait(&repo->queued, &repo->lock);
		while (round.count < ROUND_ITEMS_MAX && (item = list_take(&repo->queue))) {
			bool is_root = statement_type(item->c.st) == STATEMENT_ROOT;

			list_add(&round, item);
			if (is_root)
				break;
		}
		if (!round.first && repo->stopping) {
			pthread_mutex_unlock(&repo->lock);
			return NULL;
		}
		pthread_mutex_unlock(&repo->lock);
		/* until what was journaled is also pending, the packer must not drop that journal file */
		pthread_mutex_lock(&repo->journal_lock);
		take_round(repo, &round);
		answer(repo, &round);
		pthread_mutex_unlock(&repo->journal_lock);
	}
}

int repo_submit(struct repo *repo, struct bytes container, repo_done_fn done, void *ctx, struct error *err)
{
	struct item *item;
	int r;

	if (repo->read_only)
		return error_set(err, E_DENIED, "the repository is open for reading only");
	if (container.len > CONTAINER_MAX)
		return error_set(err, E_LIMIT, "container of %zu bytes is over %d", container.len, CONTAINER_MAX);
	item = mem_alloc(sizeof(*item));
	item->done = done;
	item->ctx = ctx;
	buf_add_bytes(&item->bytes, container);
	r = parse_item(item, err);
	if (r == 0) {
		pthread_mutex_lock(&repo->lock);
		if (repo->stopping || repo->queue.count >= QUEUE_ITEMS_MAX || repo->queue.bytes + container.len > QUEUE_BYTES_MAX) {
			r = REPO_BUSY;
		} else {
			list_add(&repo->queue, item);
			pthread_cond_signal(&repo->queued);
			item = NULL;
		}
		pthread_mutex_unlock(&repo->lock);
	}
	if (item)
		item_free(item);
	return r;
}

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool is_done;
	int result;
	struct error *err;
};

static void wake_waiter(void *ctx, const struct repo_outcome *outcome)
{
	struct waiter *w = ctx;

	pthread_mutex_lock(&w->lock);
	w->is_done = true;
	w->result = outcome->result;
	if (outcome->result < 0)
		*w->err = *outcome->err;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->lock);
}

int repo_submit_wait(struct repo *repo, struct bytes container, struct error *err)
{
	struct waiter w = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER, .err = err };
	int r = repo_submit(repo, container, wake_waiter, &w, err);

	if (r != 0)
		return r;
	pthread_mutex_lock(&w.lock);
	while (!w.is_done)
		pthread_cond_wait(&w.cond, &w.lock);
	pthread_mutex_unlock(&w.lock);
	return w.result;
}

void repo_on_news(struct repo *repo, repo_news_fn fn, void *ctx)
{
	repo->news_ctx = ctx;
	repo->news = fn;
}

/* ---- packer thread ---- */

/* One commit: its items, their changes, sorted. */
struct bundle {
	struct item **items;
	size_t item_count;
	struct change *changes;
	size_t change_count;
	char commit[41];
};

static int change_order(const void *a, const void *b)
{
	return strcmp(((const struct change *)a)->path, ((const struct change *)b)->path);
}

static int item_order(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;
	char p[PATH_MAX_LEN], q[PATH_MAX_LEN];

	layout_path(p, x->c.st, x->kind == KIND_FORK);
	layout_path(q, y->c.st, y->kind == KIND_FORK);
	return strcmp(p, q);
}

/* Where an item goes: which of the round's commits. */
struct slot {
	struct item *item;
	size_t arrived, commit;
	char who[PATH_MAX_LEN]; /* the device, or for what has none, its path */
	char path[PATH_MAX_LEN];
};

static int slot_order(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;
	int r = strcmp(x->who, y->who);

	return r ? r : x->arrived < y->arrived ? -1 : 1;
}

/* A path takes one statement per commit, and a device's statements stay in their order: so each goes into the first commit that is not
 * before the device's last one and does not have its path yet. Returns how many commits that takes. */
static size_t assign_commits(struct slot *slots, size_t count)
{
	size_t commits = 0;

	qsort(slots, count, sizeof(*slots), slot_order);
	for (size_t i = 0, first = 0; i < count; i++) {
		if (strcmp(slots[i].who, slots[first].who) != 0)
			first = i;
		slots[i].commit = i > first ? slots[i - 1].commit : 0;
		for (size_t k = i; k-- > first && slots[k].commit == slots[i].commit;) {
			if (!strcmp(slots[k].path, slots[i].path)) {
				slots[i].commit++;
				break;
			}
		}
		if (slots[i].commit >= commits)
			commits = slots[i].commit + 1;
	}
	return commits;
}

/* What arrived before a root was judged by the one before it; in one commit with it, it would lie behind it, and be judged by that. So a
 * root begins a commit. */
static size_t assign_all(struct slot *slots, size_t count)
{
	size_t commits = 0;

	for (size_t begin = 0, end; begin < count; begin = end) {
		size_t more;

		for (end = begin + 1; end < count && statement_type(slots[end].item->c.st) != STATEMENT_ROOT; end++)
			;
		more = assign_commits(slots + begin, end - begin);
		for (size_t i = begin; i < end; i++)
			slots[i].commit += commits;
		commits += more;
	}
	return commits;
}

/* Empties the list into as many bundles as it takes. */
static size_t make_bundles(struct bundle **out, struct list *list)
{
	struct slot *slots = mem_alloc((list->count + 1) * sizeof(*slots));
	size_t count = 0, commits;
	struct bundle *bundles;
	struct item *item;

	while ((item = list_take(list))) {
		const char *device = statement_get(item->c.st, "device");

		slots[count] = (struct slot){ .item = item, .arrived = count };
		layout_path(slots[count].path, item->c.st, item->kind == KIND_FORK);
		snprintf(slots[count].who, sizeof(slots[count].who), "%s", device ? device : slots[count].path);
		count++;
	}
	commits = assign_all(slots, count);
	bundles = mem_alloc((commits + 1) * sizeof(*bundles));
	for (size_t i = 0; i < count; i++)
		bundles[slots[i].commit].item_count++;
	for (size_t i = 0; i < commits; i++) {
		bundles[i].items = mem_alloc(bundles[i].item_count * sizeof(*bundles[i].items));
		bundles[i].changes = mem_alloc((bundles[i].item_count * CHANGES_MAX + 1) * sizeof(*bundles[i].changes));
		bundles[i].item_count = 0;
	}
	for (size_t i = 0; i < count; i++) {
		struct bundle *b = &bundles[slots[i].commit];

		b->items[b->item_count++] = slots[i].item;
		b->change_count += layout_changes(b->changes + b->change_count, &slots[i].item->c, slots[i].item->kind == KIND_FORK);
	}
	for (size_t i = 0; i < commits; i++)
		qsort(bundles[i].items, bundles[i].item_count, sizeof(*bundles[i].items), item_order);
	free(slots);
	*out = bundles;
	return commits;
}

static void bundle_done(struct bundle *b)
{
	free(b->items);
	free(b->changes);
}

static int make_checkpoint(struct buf *out, const struct root *root, const struct merkle *log, const struct sign_key *key, struct error *err)
{
	struct merkle_hash tree = merkle_root(log);

	statement_begin(out, STATEMENT_CHECKPOINT);
	statement_add(out, "fleet", "%s", root_fleet(root));
	statement_add(out, "size", "%llu", (unsigned long long)log->size);
	statement_add_hash(out, "tree", tree.b);
	statement_add(out, "root", "%llu", (unsigned long long)root_version(root));
	statement_add_time(out, "time", clock_now_s());
	return statement_sign(out, key, err);
}

static int commit_bundle(struct repo *repo, struct round *round, struct bundle *b, struct merkle *log, struct error *err)
{
	_cleanup_(buf_done) struct buf checkpoint = { 0 }, message = { 0 };
	const struct root *root = newest_root(repo);
	char email[64], tree[2 * HASH_LEN + 1];
	struct merkle_hash hash;
	git_oid id;

	if (!root)
		return error_set(err, E_DENIED, "there is no root yet");
	for (size_t i = 0; i < b->item_count; i++)
		merkle_add(log, merkle_leaf(statement_text(b->items[i]->c.st)));
	if (make_checkpoint(&checkpoint, root, log, repo->key, err) < 0)
		return err->code;
	b->changes[b->change_count] = (struct change){ .blob = buf_bytes(&checkpoint) };
	snprintf(b->changes[b->change_count++].path, PATH_MAX_LEN, "log/checkpoint");
	qsort(b->changes, b->change_count, sizeof(*b->changes), change_order);
	hash = merkle_root(log);
	hex_encode(tree, hash.b, HASH_LEN);
	buf_addf(&message, "archive: %zu statement%s\n\nLog-Size: %llu\nLog-Root: %s\nHoldfast-Root: %llu\n", b->item_count, b->item_count == 1 ? "" : "s",
		 (unsigned long long)log->size, tree, (unsigned long long)root_version(root));
	snprintf(email, sizeof(email), "archive@%s", root_fleet(root));
	if (git_round_commit(&id, round, b->changes, b->change_count, buf_text(&message), email, repo->key, err) < 0)
		return err->code;
	git_oid_fmt(b->commit, &id);
	b->commit[40] = 0;
	return 0;
}

static int place_bundle(struct repo *repo, const struct bundle *b, uint64_t *position, struct error *err)
{
	for (size_t i = 0; i < b->item_count; i++) {
		const struct statement *st = b->items[i]->c.st;
		struct merkle_hash leaf = merkle_leaf(statement_text(st));

		if (store_log_add(repo->store, *position, &leaf, err) < 0)
			return err->code;
		if (b->items[i]->kind == KIND_STATEMENT && store_place(repo->store, st, b->commit, *position, err) < 0)
			return err->code;
		++*position;
	}
	return 0;
}

/* The index learns where everything lies. Should it fail, the next start walks the new commits and learns it then. */
static int place_all(struct repo *repo, const struct bundle *bundles, size_t count, struct error *err)
{
	uint64_t position = repo->log_size;
	int r = store_begin(repo->store, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = place_bundle(repo, &bundles[i], &position, err);
	if (r == 0)
		r = store_set_tip(repo->store, bundles[count - 1].commit, position, err);
	if (r == 0)
		r = store_commit(repo->store, err);
	if (r < 0)
		store_rollback(repo->store);
	return r;
}

static int pack_list(struct repo *repo, struct list *list, struct error *err)
{
	struct bundle *bundles = NULL;
	struct merkle log = repo->log;
	struct round *round = NULL;
	size_t count = 0;
	int r = git_round_begin(&round, repo->git, err);

	if (r == 0)
		count = make_bundles(&bundles, list);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = commit_bundle(repo, round, &bundles[i], &log, err);
	if (r == 0 && count)
		r = git_round_finish(round, err);
	if (r == 0 && count) {
		pthread_mutex_lock(&repo->store_lock);
		r = place_all(repo, bundles, count, err);
		pthread_mutex_unlock(&repo->store_lock);
		if (r < 0)
			log_failure(LOG_ERROR, "index-behind", err);
		r = 0; /* packed it is */
		repo->log = log;
		repo->log_size = log.size;
	}
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < bundles[i].item_count; k++) {
			if (r < 0)
				list_add(list, bundles[i].items[k]);
			else
				item_free(bundles[i].items[k]);
		}
		bundle_done(&bundles[i]);
	}
	free(bundles);
	git_round_free(round);
	return r;
}

/* Takes what is pending together with the journal files that hold it. */
static int take_pending(struct repo *repo, struct list *out, uint64_t *before, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->journal_lock);
	r = journal_rotate(before, repo->journal, err);
	if (r == 0) {
		pthread_mutex_lock(&repo->lock);
		list_prepend(out, &repo->pending);
		list_init(&repo->pending);
		pthread_mutex_unlock(&repo->lock);
	}
	pthread_mutex_unlock(&repo->journal_lock);
	return r;
}

static int pack_once(struct repo *repo, struct error *err)
{
	struct list list;
	uint64_t before = 0;
	int r;

	list_init(&list);
	r = take_pending(repo, &list, &before, err);
	if (r == 0 && list.first)
		r = pack_list(repo, &list, err);
	if (r < 0) {
		pthread_mutex_lock(&repo->lock);
		list_prepend(&repo->pending, &list);
		pthread_mutex_unlock(&repo->lock);
		return r;
	}
	pthread_mutex_lock(&repo->lock);
	pthread_cond_signal(&repo->queued); /* room again */
	pthread_mutex_unlock(&repo->lock);
	return journal_drop(repo->journal, before, err);
}

static void wait_until(struct repo *repo, uint64_t due_ms)
{
	while (!repo->packer_stopping && !repo->flush_waiters) {
		uint64_t now = clock_mono_ms();
		struct timespec ts;

		if (now >= due_ms)
			return;
		clock_gettime(CLOCK_REALTIME, &ts);
		ts.tv_nsec += (long)((due_ms - now) % 1000) * 1000000;
		ts.tv_sec += (time_t)((due_ms - now) / 1000) + ts.tv_nsec / 1000000000;
		ts.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&repo->pack_wanted, &repo->lock, &ts);
	}
}

static void *packer_main(void *arg)
{
	struct repo *repo = arg;
	uint64_t next_ms = 0;
	struct error err;
	int r;

	pthread_mutex_lock(&repo->lock);
	for (;;) {
		while (!repo->packer_stopping && !repo->pending.first)
			pthread_cond_wait(&repo->pack_wanted, &repo->lock);
		if (!repo->pending.first)
			break; /* stopping, and nothing is left */
		wait_until(repo, next_ms);
		repo->packing = true;
		pthread_mutex_unlock(&repo->lock);
		err = (struct error){ 0 };
		r = pack_once(repo, &err);
		if (r < 0)
			log_failure(LOG_ERROR, "cannot-pack", &err);
		pthread_mutex_lock(&repo->lock);
		repo->packing = false;
		next_ms = clock_mono_ms() + (r < 0 ? PACK_RETRY_MS : PACK_EVERY_MS);
		pthread_cond_broadcast(&repo->packed);
		if (r < 0 && repo->packer_stopping)
			break; /* the journal keeps it */
		if (r < 0)
			repo->flush_waiters = 0;
	}
	pthread_mutex_unlock(&repo->lock);
	return NULL;
}

int repo_flush(struct repo *repo, struct error *err)
{
	int r = 0;

	pthread_mutex_lock(&repo->lock);
	repo->flush_waiters++;
	pthread_cond_broadcast(&repo->pack_wanted);
	while (repo->threads_run && (repo->pending.first || repo->packing)) {
		pthread_cond_wait(&repo->packed, &repo->lock);
		if (!repo->flush_waiters && repo->pending.first) {
			r = error_set(err, E_SYS, "what is journaled could not be packed: see the log; it is not lost");
			break;
		}
	}
	if (repo->flush_waiters)
		repo->flush_waiters--;
	pthread_mutex_unlock(&repo->lock);
	return r;
}

/* ---- opening ---- */

struct catch_up {
	struct repo *repo;
	uint64_t position;
};

static int catch_up_commit(void *ctx, const struct history_commit *commit, uint64_t index _unused_, uint64_t total _unused_, struct error *err)
{
	struct catch_up *c = ctx;
	struct store *store = c->repo->store;
	_cleanup_(mem_freep) struct history_item **order = mem_alloc((commit->count + 1) * sizeof(*order));
	int r = store_begin(store, err);

	history_in_order(order, commit);
	for (size_t i = 0; r == 0 && i < commit->count; i++) {
		const struct statement *st = order[i]->st;
		bool is_new;

		if (order[i]->is_fork)
			r = store_enter_fork(store, st, &is_new, err);
		else if (!store_is_entered(store, st))
			r = store_enter(store, st, err);
	}
	for (size_t i = 0; r == 0 && i < commit->count; i++) {
		const struct statement *st = commit->items[i].st;
		struct merkle_hash leaf = merkle_leaf(statement_text(st));

		r = store_log_add(store, c->position, &leaf, err);
		if (r == 0 && !commit->items[i].is_fork)
			r = store_place(store, st, commit->hex, c->position, err);
		c->position++;
	}
	if (r == 0)
		r = store_set_tip(store, commit->hex, c->position, err);
	if (r == 0)
		r = store_commit(store, err);
	if (r < 0)
		store_rollback(store);
	return r;
}

/* Brings the index up to the branch: from where it stands, or, when it knows another history, from the beginning. */
static int catch_up(struct repo *repo, struct error *err)
{
	struct catch_up c = { .repo = repo };
	git_repository *git = git_store_repository(repo->git);
	git_oid tip, known;
	char hex[41];
	bool has_known;
	int r = store_tip(hex, &c.position, repo->store, err);

	if (r < 0 || !git_store_tip(&tip, repo->git))
		return r;
	has_known = hex[0] && git_oid_fromstr(&known, hex) == 0 &&
		    (git_oid_equal(&known, &tip) || git_graph_descendant_of(git, &tip, &known) == 1);
	if (!has_known) {
		c.position = 0;
		if (store_clear(repo->store, err) < 0)
			return err->code;
	}
	r = history_walk(git, &tip, has_known ? &known : NULL, catch_up_commit, &c, err);
	return r < 0 ? error_add(err, "cannot bring the index up to date") : 0;
}

static int load_roots(struct repo *repo, struct error *err)
{
	for (uint64_t version = 1;; version++) {
		_cleanup_(buf_done) struct buf whole = { 0 };
		int r = store_root(&whole, repo->store, version, err);

		if (r != 0)
			return r < 0 ? r : 0;
		r = take_root(repo, buf_bytes(&whole), err);
		if (r < 0)
			return r;
	}
}

static int load_log(struct repo *repo, struct error *err)
{
	char tip[41];

	if (store_tip(tip, &repo->log_size, repo->store, err) < 0)
		return err->code;
	for (uint64_t i = 0; i < repo->log_size; i++) {
		struct merkle_hash leaf;

		if (store_log_leaf(&leaf, repo->store, i, err) < 0)
			return err->code;
		merkle_add(&repo->log, leaf);
	}
	return 0;
}

/* One record of the journal after a stop: packed already, or entered already, or neither. */
static int replay(void *ctx, uint8_t kind, struct bytes content, struct error *err)
{
	struct repo *repo = ctx;
	struct item *item = mem_alloc(sizeof(*item));
	bool keep_fork = false, is_new;
	int r, packed = 0;

	item->kind = kind;
	buf_add_bytes(&item->bytes, content);
	r = parse_item(item, err);
	if (r == 0)
		r = packed = store_is_packed(repo->store, item->c.st, kind == KIND_FORK, err);
	if (r == 0 && kind == KIND_FORK)
		r = store_enter_fork(repo->store, item->c.st, &is_new, err);
	else if (r == 0)
		r = store_judge(repo->store, &item->c, newest_root(repo), &keep_fork, err);
	if (r == 0 && kind == KIND_STATEMENT) {
		r = store_enter(repo->store, item->c.st, err);
		if (r == 0 && statement_type(item->c.st) == STATEMENT_ROOT)
			r = take_root(repo, statement_whole(item->c.st), err);
	}
	if (r >= 0 && !packed && r != REPO_GAP && r != REPO_FORK) {
		list_add(&repo->pending, item);
		return 0;
	}
	item_free(item);
	if (r == REPO_GAP || (r == REPO_FORK && !packed))
		return error_set(err, E_FORMAT, "a journaled statement does not fit what is archived");
	return r < 0 ? r : 0;
}

static int start_threads(struct repo *repo, struct error *err)
{
	if (pthread_create(&repo->journal_thread, NULL, journal_main, repo) != 0)
		return error_set(err, E_SYS, "cannot start a thread");
	if (pthread_create(&repo->packer_thread, NULL, packer_main, repo) != 0) {
		pthread_mutex_lock(&repo->lock);
		repo->stopping = true;
		pthread_cond_broadcast(&repo->queued);
		pthread_mutex_unlock(&repo->lock);
		pthread_join(repo->journal_thread, NULL);
		return error_set(err, E_SYS, "cannot start a thread");
	}
	repo->threads_run = true;
	return 0;
}

static int open_parts(struct repo *repo, bool create, struct error *err)
{
	_cleanup_(mem_freep) char *git = mem_printf("%s/archive.git", repo->dir), *index = mem_printf("%s/index.db", repo->dir);
	_cleanup_(mem_freep) char *lock = mem_printf("%s/lock", repo->dir), *journal = mem_printf("%s/journal", repo->dir);

	if (create && fs_mkdirs(repo->keyring, 0700, err) < 0)
		return err->code;
	if (!create && access(git, F_OK) < 0)
		return error_sys(err, "no archive at '%s': make one with 'holdfastd init'", repo->dir);
	if (!repo->read_only) {
		repo->lock_fd = fs_lock(lock, err);
		if (repo->lock_fd < 0)
			return repo->lock_fd;
	}
	if (git_store_open(&repo->git, git, !repo->read_only, err) < 0 || git_store_open(&repo->reading_git, git, false, err) < 0 ||
	    store_open(&repo->store, index, err) < 0 || store_open(&repo->reading, index, err) < 0)
		return err->code;
	if (!repo->read_only && catch_up(repo, err) < 0)
		return err->code;
	if (load_roots(repo, err) < 0)
		return err->code;
	if (repo->read_only)
		return 0;
	if (load_log(repo, err) < 0 || journal_open(&repo->journal, journal, replay, repo, err) < 0)
		return err->code;
	return start_threads(repo, err);
}

int repo_open(struct repo **out, const char *dir, const struct sign_key *key, unsigned flags, struct error *err)
{
	struct repo *repo = mem_alloc(sizeof(*repo));

	repo->dir = mem_strdup(dir);
	repo->keyring = mem_printf("%s/keyring", dir);
	repo->key = key;
	repo->lock_fd = -1;
	repo->read_only = flags & REPO_READ_ONLY;
	list_init(&repo->queue);
	list_init(&repo->pending);
	pthread_mutex_init(&repo->store_lock, NULL);
	pthread_mutex_init(&repo->reading_lock, NULL);
	pthread_mutex_init(&repo->lock, NULL);
	pthread_mutex_init(&repo->journal_lock, NULL);
	pthread_mutex_init(&repo->root_lock, NULL);
	pthread_cond_init(&repo->queued, NULL);
	pthread_cond_init(&repo->pack_wanted, NULL);
	pthread_cond_init(&repo->packed, NULL);
	if (open_parts(repo, flags & REPO_CREATE, err) < 0) {
		repo_close(repo);
		return error_add(err, "archive '%s'", dir);
	}
	*out = repo;
	return 0;
}

static void stop_threads(struct repo *repo)
{
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
}

struct repo *repo_close(struct repo *repo)
{
	if (!repo)
		return NULL;
	if (repo->threads_run)
		stop_threads(repo);
	list_done(&repo->queue);
	list_done(&repo->pending);
	journal_close(repo->journal);
	store_close(repo->reading);
	store_close(repo->store);
	git_store_close(repo->reading_git);
	git_store_close(repo->git);
	for (size_t i = 0; i < repo->root_count; i++)
		root_free(repo->roots[i]);
	fd_closep(&repo->lock_fd);
	free(repo->dir);
	free(repo->keyring);
	free(repo);
	return NULL;
}

void repo_closep(struct repo **repo)
{
	*repo = repo_close(*repo);
}

int repo_reindex(const char *dir, const struct sign_key *key, struct error *err)
{
	static const char *const names[] = { "index.db", "index.db-wal", "index.db-shm" };
	_cleanup_(mem_freep) char *lock = mem_printf("%s/lock", dir);
	struct repo *repo = NULL;
	int fd = fs_lock(lock, err);

	if (fd < 0)
		return fd;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, names[i]);

		if (fs_remove(path, err) < 0) {
			fd_closep(&fd);
			return err->code;
		}
	}
	fd_closep(&fd);
	if (repo_open(&repo, dir, key, 0, err) < 0)
		return err->code;
	repo_close(repo);
	return 0;
}

/* ---- reading ---- */

int repo_roots(struct buf *out, struct repo *repo, uint64_t from_version, struct error *err _unused_)
{
	pthread_mutex_lock(&repo->root_lock);
	for (size_t i = 0; i < repo->root_count; i++)
		if (root_version(repo->roots[i]) >= from_version)
			buf_add_bytes(out, statement_whole(root_statement(repo->roots[i])));
	pthread_mutex_unlock(&repo->root_lock);
	return 0;
}

int repo_device_get(struct repo_device *out, struct repo *repo, const char *id, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_device(out, repo->reading, id, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

int repo_devices(struct repo *repo, repo_device_fn fn, void *ctx, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_devices(repo->reading, fn, ctx, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

void repo_touch(struct repo *repo, const struct statement *status, int64_t now_s)
{
	struct error err = { 0 };
	int r;

	pthread_mutex_lock(&repo->store_lock);
	r = store_touch(repo->store, status, now_s, &err);
	pthread_mutex_unlock(&repo->store_lock);
	if (r < 0)
		log_failure(LOG_WARNING, "cannot-note-contact", &err);
}

int repo_log(struct repo *repo, const char *id, uint64_t below, unsigned limit, repo_entry_fn fn, void *ctx, struct error *err)
{
	struct repo_device device;
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_device(&device, repo->reading, id, err);
	if (r == 0)
		r = store_log(repo->reading, id, below, limit, fn, ctx, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

/* Where a statement lies, packing first what is only journaled. */
static int find_packed(git_oid *out, struct repo *repo, const char *id, enum statement_type type, uint64_t number, struct error *err)
{
	char hex[41] = "";
	int r = 0;

	for (int attempt = 0; attempt < 2; attempt++) {
		pthread_mutex_lock(&repo->reading_lock);
		r = store_find(hex, repo->reading, id, type, number, err);
		pthread_mutex_unlock(&repo->reading_lock);
		if (r != 0)
			return r;
		if (hex[0])
			return git_oid_fromstr(out, hex) < 0 ? git_fail(err, "index holds no commit id") : 0;
		r = repo_flush(repo, err);
		if (r < 0)
			return r;
	}
	return error_set(err, E_SYS, "statement is not packed yet: try again");
}

static int read_file(struct buf *out, struct repo *repo, const git_oid *commit, const char *path, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = git_read_file(out, git_store_repository(repo->reading_git), commit, path, CONTAINER_MAX, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

/* A statement of a device at a commit, and every seal it lists when `seals`. */
static int read_container(struct buf *out, struct repo *repo, const git_oid *commit, const char *id, const char *name, bool seals, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct seal_ref refs[CONTAINER_SEALS_MAX];
	char path[PATH_MAX_LEN];
	size_t begin = out->len, count;
	int r;

	layout_device_path(path, id, name);
	r = read_file(out, repo, commit, path, err);
	if (r == 0)
		r = statement_parse(&st, bytes_from(buf_bytes(out), begin), false, NULL, err);
	if (r != 0)
		return r < 0 ? r : error_set(err, E_SYS, "'%s' is not where the index says: run 'holdfastd reindex'", path);
	count = seals ? statement_seals(refs, st) : 0;
	for (size_t i = 0; i < count; i++) {
		_cleanup_(mem_freep) char *file = mem_printf("%s.age", refs[i].name);

		layout_device_path(path, id, file);
		r = read_file(out, repo, commit, path, err);
		if (r != 0)
			return r < 0 ? r : error_set(err, E_SYS, "seal '%s' is missing from the archive", path);
	}
	return 0;
}

int repo_snapshot(struct buf *out, struct repo *repo, const char *id, uint64_t number, struct error *err)
{
	git_oid commit;
	int r = find_packed(&commit, repo, id, STATEMENT_SNAPSHOT, number, err);

	return r ? r == 1 ? REPO_ABSENT : r : read_container(out, repo, &commit, id, "snapshot", true, err);
}

int repo_statement(struct buf *out, struct repo *repo, const char *id, enum statement_type type, uint64_t number, struct error *err)
{
	git_oid commit;
	int r;

	if (type != STATEMENT_EPOCH) {
		pthread_mutex_lock(&repo->reading_lock);
		r = store_newest(out, repo->reading, id, type, err);
		pthread_mutex_unlock(&repo->reading_lock);
		return r;
	}
	r = find_packed(&commit, repo, id, type, number, err);
	return r ? r : read_container(out, repo, &commit, id, "epoch", false, err);
}

int repo_epoch(struct buf *out, struct repo *repo, const char *id, uint64_t epoch, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	size_t begin = out->len;
	int r = repo_statement(out, repo, id, STATEMENT_EPOCH, epoch, err);

	if (r == 0)
		r = statement_parse(&st, bytes_from(buf_bytes(out), begin), false, NULL, err);
	if (r == 0)
		r = keyring_get(out, repo->keyring, id, statement_number(st, "epoch"), err);
	return r > 0 ? REPO_ABSENT : r;
}

int repo_rewrap_put(struct repo *repo, const char *id, uint64_t epoch, const char *part, struct bytes seal, struct error *err)
{
	int r = keyring_put_rewrap(repo->keyring, id, epoch, part, seal, err);

	return r > 0 ? REPO_ABSENT : r;
}

int repo_rewrap(struct buf *out, struct repo *repo, const char *id, uint64_t epoch, const char *part, struct error *err)
{
	int r = keyring_get_rewrap(out, repo->keyring, id, epoch, part, err);

	return r > 0 ? REPO_ABSENT : r;
}

struct invites {
	struct repo *repo;
	struct buf *out;
	git_oid tip;
	struct error *err;
};

static int read_invite(void *ctx, const char *id)
{
	static const char *const names[] = { "invite", "secret.age" };
	struct invites *in = ctx;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(mem_freep) char *path = mem_printf("invites/%s/%s", id, names[i]);
		int r = git_read_file(in->out, git_store_repository(in->repo->reading_git), &in->tip, path, CONTAINER_MAX, in->err);

		if (r != 0)
			return r < 0 ? r : REPO_ABSENT;
	}
	return 0;
}

int repo_invites(struct buf *out, struct repo *repo, const char *id, struct error *err)
{
	struct invites in = { .repo = repo, .out = out, .err = err };
	int r = repo_flush(repo, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&repo->reading_lock);
	if (!git_store_tip(&in.tip, repo->reading_git))
		r = id ? REPO_ABSENT : 0;
	else if (id)
		r = read_invite(&in, id);
	else
		r = store_invites(repo->reading, read_invite, &in, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

int repo_head(struct repo_head *out, struct repo *repo, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_tip(out->commit, &out->log_size, repo->reading, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

int repo_checkpoint(struct buf *out, struct repo *repo, struct error *err)
{
	struct repo_head head;
	git_oid commit;
	int r = repo_head(&head, repo, err);

	if (r < 0)
		return r;
	if (!head.commit[0])
		return REPO_ABSENT;
	if (git_oid_fromstr(&commit, head.commit) < 0)
		return git_fail(err, "index holds no commit id");
	r = read_file(out, repo, &commit, "log/checkpoint", err);
	return r > 0 ? REPO_ABSENT : r;
}

static int leaf_of(void *ctx, uint64_t i, struct merkle_hash *out, struct error *err)
{
	struct repo *repo = ctx;

	return store_log_leaf(out, repo->reading, i, err);
}

int repo_consistency(struct merkle_hash *proof, int *len, struct repo *repo, uint64_t old_size, uint64_t new_size, struct error *err)
{
	int n;

	pthread_mutex_lock(&repo->reading_lock);
	n = merkle_prove_consistency(proof, old_size, new_size, leaf_of, repo, err);
	pthread_mutex_unlock(&repo->reading_lock);
	if (n < 0)
		return n;
	*len = n;
	return 0;
}
