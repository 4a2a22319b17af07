/* repo/writer.c -- the queue and the journal thread.
 *
 * The journal thread takes all that has arrived, judges it, appends it to the journal, syncs once, and then answers every sender. A round
 * of snapshots that plainly fit is judged by memory; its rows are entered later, together, but before anybody looks (ahead.h). Any other
 * round is judged by the index and entered inside one transaction, which is committed when the round is on disk. So the index always shows
 * what is acknowledged, and what is acknowledged is always on disk. */
#include "repo/parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "repo/keyring.h"
#include "repo/payloads.h"
#include "repo/turns.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	QUEUE_ITEMS_MAX = 4096,
	QUEUE_BYTES_MAX = 64 << 20,
	ROUND_ITEMS_MAX = 1024, /* of one sync */
	PENDING_BYTES_MAX = 128 << 20,
	GATHER_FROM = 4, /* items of a round: then the next one is waited for a little, */
	GATHER_US = 1000,
	RECORD_HEAD = 32,   /* of the journal, at most */
	GATHER_ITEMS = 128, /* unless that many are there already */
};

/* ---- one item, by the index ---- */

static bool is_root(const struct item *item)
{
	return statement_type(item->c.st) == STATEMENT_ROOT;
}

int put_payload(struct repo *repo, const struct container *c, struct error *err)
{
	char batch[ID_LEN + 1];
	struct bytes payload;

	if (statement_type(c->st) != STATEMENT_ORDER)
		return 0;
	payload = container_seal(c, "payload");
	id_of_hash(batch, statement_proof(c->st)->batch);
	return payload.ptr ? payloads_put(repo->payloads, batch, statement_get(c->st, "device"), payload, err) : 0;
}

static int enter_item(struct repo *repo, struct item *item, struct error *err)
{
	const struct statement *st = item->c.st;

	if (is_root(item) && statement_number(st, "version") > ROOT_CHAIN_MAX)
		return error_set(err, E_LIMIT, "more than %d roots", ROOT_CHAIN_MAX);
	/* before anybody is told: without its keys an epoch opens nothing */
	if (statement_type(st) == STATEMENT_EPOCH && keyring_put(repo->keyring, statement_get(st, "device"), &item->c, err) < 0)
		return err->code;
	if (put_payload(repo, &item->c, err) < 0)
		return err->code;
	return store_enter(repo->store, st, err);
}

/* An order that is there, and whose payload was lost: somebody who still has it brings it back. Of an order that has ended it stays gone,
 * unless it is kept for good. */
static int mend_payload(struct repo *repo, const struct item *item, bool *mended, struct error *err)
{
	const char *device = statement_get(item->c.st, "device");
	struct repo_order order;
	char batch[ID_LEN + 1];
	int64_t end_s = 0;
	bool is_kept;

	if (statement_type(item->c.st) != STATEMENT_ORDER)
		return 0;
	id_of_hash(batch, statement_proof(item->c.st)->batch);
	if (payloads_has(repo->payloads, batch, device) || shred_has_begun(repo, device))
		return 0;
	if (store_order(&order, NULL, NULL, repo->store, batch, device, err) < 0 ||
	    store_order_end(&end_s, repo->store, batch, device, err) < 0 ||
	    store_is_policy_kept(&is_kept, repo->store, batch, device, err) < 0)
		return err->code;
	if (!is_kept && (order.is_settled || end_s <= clock_now_s()))
		return 0;
	*mended = true;
	return put_payload(repo, &item->c, err);
}

/* Where the device's chain stands, for the sender of what does not fit. */
static int note_head(struct repo *repo, struct item *item, struct error *err)
{
	const char *id = statement_get(item->c.st, "device");
	struct repo_device device;
	int r = id ? store_device(&device, repo->store, id, err) : REPO_ABSENT;

	if (r != 0)
		return r < 0 ? r : 0;
	item->outcome.head_number = device.head_number;
	memcpy(item->outcome.head_hash, device.head_hash, HASH_LEN);
	return 0;
}

static bool brings_keys(const struct item *item)
{
	return statement_type(item->c.st) == STATEMENT_EPOCH || container_seal(&item->c, "payload").ptr;
}

/* By the index, which knows all that came before. */
static int judge_item(struct repo *repo, struct item *item, struct buf *batch, bool *mended, struct error *err)
{
	bool keep_fork = false, is_new = false;
	int r = store_judge(repo->store, &item->c, newest_root(repo), &keep_fork, err);

	if (r == REPO_FORK && keep_fork && store_enter_fork(repo->store, item->c.st, &is_new, err) < 0)
		return err->code;
	if (r == 0 && brings_keys(item) && shred_has_begun(repo, statement_get(item->c.st, "device")))
		r = error_set(err, E_DENIED, "the archive of device '%s' is being shredded: nothing that opens any of it is taken",
			      statement_get(item->c.st, "device"));
	if (r == 0)
		r = enter_item(repo, item, err);
	if (r == REPO_SEEN && mend_payload(repo, item, mended, err) < 0)
		return err->code;
	if ((r == REPO_FORK || r == REPO_GAP) && note_head(repo, item, err) < 0)
		return err->code;
	item->kind = r == 0 ? KIND_STATEMENT : is_new ? KIND_FORK : 0;
	if (item->kind)
		journal_add(batch, item->kind, buf_bytes(&item->bytes));
	return r;
}

static void note_error(struct item *item, const struct error *err)
{
	if (!item->err)
		item->err = mem_alloc(sizeof(*item->err));
	*item->err = *err;
}

/* The system's refusal is everybody's: SQLite may have given the transaction up, and what follows would be entered without one. A root
 * is the last of its round, since the next is judged by it; it comes into force when the round is on disk. */
static int take_items(struct repo *repo, struct list *round, struct buf *batch, struct root **next, struct error *err)
{
	bool mended = false;

	for (struct item *item = round->first; item; item = item->next) {
		item->outcome.result = judge_item(repo, item, batch, &mended, err);
		if (item->outcome.result == E_SYS)
			return E_SYS;
		if (item->outcome.result < 0)
			note_error(item, err);
		if (item->outcome.result == 0 && is_root(item))
			return root_from(next, statement_whole(item->c.st), err);
	}
	return mended ? payloads_sync(repo->payloads, err) : 0;
}

static bool has_keys(const struct list *round)
{
	for (const struct item *item = round->first; item; item = item->next)
		if (brings_keys(item))
			return true;
	return false;
}

static uint64_t journaled_of(const struct list *round)
{
	uint64_t n = 0;

	for (const struct item *item = round->first; item; item = item->next)
		n += item->kind != 0;
	return n;
}

/* ---- by memory ---- */

/* AHEAD_ASK: the index has to judge them. */
static int take_by_memory(struct repo *repo, struct list *round, struct buf *batch)
{
	ahead_tidy(repo->ahead);
	if (repo->rows_are_missing) /* looked at after that: what is known of a chain is not forgotten while its rows are missing */
		return AHEAD_ASK;
	for (struct item *item = round->first; item; item = item->next) {
		if (ahead_take(repo->ahead, repo->judging, item) != 0)
			return AHEAD_ASK;
		journal_add(batch, KIND_STATEMENT, buf_bytes(&item->bytes));
	}
	return 0;
}

static int journal_by_memory(struct repo *repo, struct list *round, struct bytes batch, struct error *err)
{
	if (journal_append(repo->journal, batch, err) < 0)
		return err->code;
	if (taken_note(repo->taken, repo->taken_count + round->count, err) < 0) {
		journal_undo(repo->journal);
		return err->code;
	}
	repo->taken_count += round->count;
	for (struct item *item = round->first; item; item = item->next) {
		item->kind = KIND_STATEMENT;
		item->outcome.result = 0;
	}
	journal_mark(repo->journal);
	return 0;
}

/* With judge_lock, without anybody's transaction. AHEAD_ASK: nothing is taken, the index has to judge them. */
static int try_memory(struct repo *repo, struct list *round, struct error *err)
{
	_cleanup_(buf_done) struct buf batch = { 0 };
	int r;

	buf_reserve(&batch, round->bytes + round->count * RECORD_HEAD); /* or it is copied and wiped each time that it grows */
	r = take_by_memory(repo, round, &batch);
	if (r == 0)
		r = journal_by_memory(repo, round, buf_bytes(&batch), err);
	if (r == 0)
		ahead_publish(repo->ahead);
	else
		ahead_drop(repo->ahead);
	return r;
}

/* ---- by the index ---- */

static int take_by_index(struct repo *repo, struct list *round, struct buf *batch, struct root **next, struct error *err)
{
	int r = rows_begin(repo, err);

	if (r == 0)
		r = ahead_settle(repo->ahead, repo->store, err);
	return r < 0 ? r : take_items(repo, round, batch, next, err);
}

static int journal_by_index(struct repo *repo, struct list *round, struct bytes batch, struct error *err)
{
	uint64_t taken = repo->taken_count + journaled_of(round);
	struct error ignored;

	if (has_keys(round))
		journal_holds_keys(repo->journal);
	if (journal_append(repo->journal, batch, err) < 0)
		return err->code;
	if (taken_enter(repo->taken, repo->store, taken, err) < 0 || rows_commit(repo, err) < 0) {
		journal_undo(repo->journal);
		return err->code;
	}
	repo->taken_count = taken;
	if (taken_note(repo->taken, taken, &ignored) < 0)
		log_failure(LOG_WARNING, "cannot-note-taken", &ignored); /* the index has it */
	journal_mark(repo->journal);
	return 0;
}

/* With store_lock and judge_lock. */
static int try_index(struct repo *repo, struct list *round, struct error *err)
{
	_cleanup_(buf_done) struct buf batch = { 0 };
	_cleanup_(root_freep) struct root *next = NULL;
	int r = take_by_index(repo, round, &batch, &next, err);

	if (r == 0)
		r = batch.len ? journal_by_index(repo, round, buf_bytes(&batch), err) : rows_commit(repo, err);
	if (r < 0) {
		rows_rollback(repo);
		return r;
	}
	ahead_forget(repo->ahead);
	if (next)
		add_root(repo, steal(next));
	return 0;
}

/* ---- a round ---- */

static int try_round(struct repo *repo, struct list *round, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->judge_lock);
	r = try_memory(repo, round, err);
	pthread_mutex_unlock(&repo->judge_lock);
	if (r != AHEAD_ASK)
		return r;
	lock_store_in_turn(repo);
	pthread_mutex_lock(&repo->judge_lock);
	r = try_index(repo, round, err);
	pthread_mutex_unlock(&repo->judge_lock);
	pthread_mutex_unlock(&repo->store_lock);
	return r;
}

/* One sync for a list of items; fills their outcomes. A failure of the disk fails them all. */
static void take_round(struct repo *repo, struct list *round)
{
	struct error err = { 0 };
	int r = try_round(repo, round, &err);

	if (r == 0)
		return;
	log_failure(LOG_ERROR, "cannot-archive", &err);
	for (struct item *item = round->first; item; item = item->next) {
		item->outcome.result = r;
		note_error(item, &err);
		item->kind = 0;
	}
}

/* ---- answers ---- */

/* Before anybody is told: who waits for all that was acknowledged to be archived waits for this, too. */
static void count_round(struct repo *repo, const struct list *round)
{
	uint64_t n = journaled_of(round);

	pthread_mutex_lock(&repo->lock);
	repo->journaled += n;
	pthread_mutex_unlock(&repo->lock);
}

static void answer(struct repo *repo, struct list *round)
{
	struct item *item;
	struct list keep;

	list_init(&keep);
	count_round(repo, round);
	while ((item = list_take(round))) {
		item->outcome.err = item->err;
		if (item->outcome.result == 0 && repo->news)
			repo->news(repo->news_ctx, item->c.st);
		if (item->done)
			item->done(item->ctx, &item->outcome);
		if (item->kind)
			list_add(&keep, item);
		else
			item_free(item);
	}
	pthread_mutex_lock(&repo->lock);
	while ((item = list_take(&keep)))
		list_add(&repo->pending, item);
	pthread_cond_broadcast(&repo->pack_wanted);
	pthread_mutex_unlock(&repo->lock);
}

/* ---- the thread ---- */

/* With the lock held. */
static void wait_for_work(struct repo *repo)
{
	while (!repo->stopping && (repo->is_rotating || !repo->queue.first || repo->pending.bytes > PENDING_BYTES_MAX))
		pthread_cond_wait(&repo->queued, &repo->lock);
}

/* With the lock held. Where several came together just before, more are on their way, and one sync costs the same for all of them. Who
 * comes alone is not kept waiting. */
static void gather(struct repo *repo, size_t before)
{
	static const struct timespec moment = { .tv_nsec = GATHER_US * 1000 };

	if (before < GATHER_FROM || repo->stopping || repo->queue.count >= GATHER_ITEMS)
		return;
	pthread_mutex_unlock(&repo->lock);
	nanosleep(&moment, NULL);
	pthread_mutex_lock(&repo->lock);
	wait_for_work(repo);
}

/* Waits for work and takes it; false: there is none left and the end has come. before: how many the round before had. */
static bool next_round(struct list *round, struct repo *repo, size_t before)
{
	struct item *item;

	list_init(round);
	pthread_mutex_lock(&repo->lock);
	wait_for_work(repo);
	gather(repo, before);
	while (round->count < ROUND_ITEMS_MAX && (item = list_take(&repo->queue))) {
		list_add(round, item);
		if (is_root(item))
			break;
	}
	pthread_mutex_unlock(&repo->lock);
	return round->first;
}

void *journal_main(void *arg)
{
	struct repo *repo = arg;
	struct list round;
	size_t count = 0;

	pthread_setname_np(pthread_self(), "journal"); /* for those who look with top -H */
	come_first();

	while (next_round(&round, repo, count)) {
		count = round.count;
		/* until what was journaled is also pending, the packer must not drop that journal file */
		pthread_mutex_lock(&repo->journal_lock);
		take_round(repo, &round);
		answer(repo, &round);
		pthread_mutex_unlock(&repo->journal_lock);
	}
	return NULL;
}

/* ---- submitting ---- */

static int make_item(struct list *out, struct bytes container, repo_done_fn done, void *ctx, struct error *err)
{
	struct item *item = NULL;

	if (container.len > CONTAINER_MAX)
		return error_set(err, E_LIMIT, "container of %zu bytes is over %d", container.len, CONTAINER_MAX);
	if (item_new(&item, container, err) < 0)
		return err->code;
	item->done = done;
	item->ctx = ctx;
	list_add(out, item);
	return 0;
}

/* With the lock held: is there no room for so many bytes more? */
static bool has_no_room(const struct repo *repo, size_t bytes)
{
	return repo->stopping || repo->queue.count >= QUEUE_ITEMS_MAX || repo->queue.bytes + bytes > QUEUE_BYTES_MAX;
}

/* Looked at before anything is parsed or hashed, which would be done anew at each attempt. */
static bool is_full(struct repo *repo, size_t bytes)
{
	bool full;

	pthread_mutex_lock(&repo->lock);
	full = has_no_room(repo, bytes);
	pthread_mutex_unlock(&repo->lock);
	return full;
}

/* Empties the list when there is room. */
static int enqueue(struct repo *repo, struct list *list)
{
	struct item *item;
	int r = 0;

	pthread_mutex_lock(&repo->lock);
	if (has_no_room(repo, list->bytes))
		r = REPO_BUSY;
	while (r == 0 && (item = list_take(list)))
		list_add(&repo->queue, item);
	pthread_cond_signal(&repo->queued);
	pthread_mutex_unlock(&repo->lock);
	return r;
}

int repo_submit_list(struct repo *repo, const struct bytes *containers, size_t count, repo_done_fn done, void *ctx, struct error *err)
{
	struct list list;
	int r = 0;

	if (repo->read_only)
		return error_set(err, E_DENIED, "the repository is open for reading only");
	list_init(&list);
	if (is_full(repo, 0))
		return REPO_BUSY;
	for (size_t i = 0; i < count && r == 0; i++)
		r = make_item(&list, containers[i], done, ctx, err);
	if (r == 0)
		r = enqueue(repo, &list);
	list_done(&list);
	return r;
}

static void give_back(struct repo_parsed *out, struct item *item)
{
	out->bytes = item->bytes;
	out->c = item->c;
	free(item);
}

int repo_submit_parsed(struct repo *repo, struct repo_parsed *list, size_t count, repo_done_fn done, struct error *err)
{
	struct item *item;
	struct list items;
	size_t bytes = 0;
	int r = 0;

	if (repo->read_only)
		return error_set(err, E_DENIED, "the repository is open for reading only");
	for (size_t i = 0; i < count; i++)
		bytes += list[i].bytes.len;
	if (bytes > CONTAINER_MAX)
		return error_set(err, E_LIMIT, "containers of %zu bytes are over %d", bytes, CONTAINER_MAX);
	if (is_full(repo, bytes))
		return REPO_BUSY;
	list_init(&items);
	for (size_t i = 0; i < count && (r = item_of(&item, &list[i].c, &list[i].bytes, err)) == 0; i++) {
		item->done = done;
		item->ctx = list[i].ctx;
		list_add(&items, item);
	}
	if (r == 0)
		r = enqueue(repo, &items);
	for (size_t i = 0; (item = list_take(&items)); i++)
		give_back(&list[i], item);
	return r;
}

int repo_submit(struct repo *repo, struct bytes container, repo_done_fn done, void *ctx, struct error *err)
{
	return repo_submit_list(repo, &container, 1, done, ctx, err);
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
