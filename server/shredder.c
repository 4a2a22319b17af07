/* server/shredder.c -- obeys orders to shred. */
#include "server/shredder.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	LOOK_EVERY_S = 1,
	RETRY_S = 30, /* after a failure: the disk is full, for instance */
	PAYLOAD_KEPT_S = 30 * 86400, /* after an order has ended */
	EXPIRE_EVERY_S = 3600,
};

struct task {
	char batch[ID_LEN + 1], device[ID_LEN + 1], after[ID_LEN + 1];
};

struct shredder {
	struct repo *repo;
	struct rollouts *rollouts;
	const struct sign_key *key;
	char *const *copies;
	size_t copy_count;
	struct error told; /* of the last failure: said once */
	int64_t expire_s;  /* when payloads are looked through next */

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t stopped;
	bool stopping;
	pthread_t thread;
	bool thread_runs;
};

struct tasks {
	struct task *list;
	size_t count;
};

static void tasks_done(struct tasks *tasks)
{
	free(tasks->list);
}

/* ---- is it due? ---- */

/* Every area of it, by the device's own signature: not less than what a certificate asks for. */
static bool is_whole(const struct statement *receipt)
{
	const char *text;
	struct area area;

	for (size_t i = 0; (text = statement_at(receipt, "area", i)); i++)
		if (!area_parse(&area, text) || area.result != AREA_DONE)
			return false;
	return statement_count(receipt, "area") && !strcmp(statement_get(receipt, "outcome"), "done");
}

/* 1: the device said that this order erased it. */
static int is_erased(struct shredder *s, const struct task *task, struct error *err)
{
	_cleanup_(statement_freep) struct statement *receipt = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct repo_order order;
	enum order_kind kind;
	int r = repo_order_look(&order, s->repo, task->after, task->device, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!order_kind_parse(&kind, order.kind) || !order_kind_erases(kind) || !order.is_settled || strcmp(order.outcome, "done") != 0)
		return 0;
	r = repo_receipt(&text, s->repo, task->device, order.receipt, err);
	if (r == 0)
		r = statement_parse(&receipt, buf_bytes(&text), false, NULL, err);
	return r < 0 ? r : r == 0 && is_whole(receipt);
}

static int is_due(struct shredder *s, const struct task *task, struct error *err)
{
	struct release now;

	if (!rollouts_look(&now, s->rollouts, task->batch) || !now.is_open)
		return 0;
	return task->after[0] ? is_erased(s, task, err) : 1;
}

/* What could not be said afterwards is not done: 1, or an error that tells what is missing. */
static int may_say(struct shredder *s, const struct root *root, struct error *err)
{
	struct sign_pub keys[4];
	size_t count = root_archive_keys(keys, ARRAY_SIZE(keys), root);

	if (root_is_expired(root, clock_now_s()))
		return error_set(err, E_DENIED, "root %llu has expired: nothing is shredded under it",
				 (unsigned long long)root_version(root));
	for (size_t i = 0; i < count; i++)
		if (sign_pub_equal(&keys[i], &s->key->pub))
			return 1;
	return error_set(err, E_DENIED, "root %llu does not name this server's archive key: nobody would believe that it shredded",
			 (unsigned long long)root_version(root));
}

/* ---- the archive's word ---- */

static int hashes(uint8_t batch[static HASH_LEN], uint8_t leaf[static HASH_LEN], struct shredder *s, const struct task *task,
		  struct error *err)
{
	_cleanup_(statement_freep) struct statement *order = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = repo_order(&text, s->repo, task->batch, task->device, false, err);

	if (r == 0)
		r = statement_parse(&order, buf_bytes(&text), false, NULL, err);
	if (r != 0)
		return r < 0 ? r : error_set(err, E_SYS, "order to shred '%s' is not in the archive any more", task->device);
	memcpy(batch, statement_proof(order)->batch, HASH_LEN);
	memcpy(leaf, statement_hash(order), HASH_LEN);
	return 0;
}

static void add_span(struct buf *out, const struct repo_span *span)
{
	if (span->last_epoch)
		statement_add(out, "epochs", "%llu %llu", (unsigned long long)span->first_epoch, (unsigned long long)span->last_epoch);
	if (span->last_snapshot)
		statement_add(out, "snapshots", "%llu %llu", (unsigned long long)span->first_snapshot,
			      (unsigned long long)span->last_snapshot);
	statement_add(out, "payloads", "%zu", span->payloads);
}

static int make_word(struct buf *out, struct shredder *s, const struct task *task, const struct repo_span *span, struct error *err)
{
	uint8_t batch[HASH_LEN], leaf[HASH_LEN];
	const struct root *root;
	int r = hashes(batch, leaf, s, task, err);

	if (r < 0)
		return r;
	if (repo_root_get(&root, s->repo, err) != 0)
		return error_set(err, E_DENIED, "there is no root");
	statement_begin(out, STATEMENT_SHREDDED);
	statement_add(out, "fleet", "%s", root_fleet(root));
	statement_add(out, "device", "%s", task->device);
	statement_add(out, "by", "archive");
	statement_add_time(out, "time", clock_now_s());
	statement_add(out, "root", "%llu", (unsigned long long)root_version(root));
	repo_root_put(s->repo, root);
	statement_add_hash(out, "batch", batch);
	statement_add_hash(out, "leaf", leaf);
	add_span(out, span);
	for (size_t i = 0; i < s->copy_count; i++)
		statement_add(out, "copy", "%s", s->copies[i]);
	return statement_sign(out, s->key, err);
}

static bool has_said(struct shredder *s, const char *device)
{
	_cleanup_(buf_done) struct buf said = { 0 };
	struct error ignored;

	return repo_said(&said, s->repo, device, STATEMENT_SHREDDED, &ignored) == 0 && said.len;
}

/* ---- one order ---- */

static int shred(struct shredder *s, const struct task *task, struct error *err)
{
	_cleanup_(buf_done) struct buf word = { 0 };
	struct repo_span span = { 0 };
	int r = repo_shred(&span, s->repo, task->device, task->batch, err);

	if (r == 0 && !has_said(s, task->device)) {
		r = make_word(&word, s, task, &span, err);
		if (r == 0)
			r = repo_submit_wait(s->repo, buf_bytes(&word), err);
		if (r > 0 && r != REPO_SEEN)
			r = error_set(err, E_SYS, "the archive is busy");
	}
	if (r < 0)
		return error_add(err, "device '%s' in batch '%s'", task->device, task->batch);
	log_notice("shredded device=%s batch=%s epochs=%llu..%llu payloads=%zu", task->device, task->batch,
		   (unsigned long long)span.first_epoch, (unsigned long long)span.last_epoch, span.payloads);
	return repo_shred_end(s->repo, task->device, err);
}

static void add_task(struct tasks *tasks, const struct task *task)
{
	tasks->list = mem_grow(tasks->list, (tasks->count + 1) * sizeof(*task));
	tasks->list[tasks->count++] = *task;
}

static int add_begun(void *ctx, const char *device, const char *batch)
{
	struct task task = { 0 };

	memcpy(task.batch, batch, ID_LEN + 1);
	memcpy(task.device, device, ID_LEN + 1);
	add_task(ctx, &task);
	return 0;
}

static int add_open(void *ctx, const struct repo_order *order)
{
	struct task task = { 0 };

	memcpy(task.batch, order->batch, ID_LEN + 1);
	memcpy(task.device, order->device, ID_LEN + 1);
	memcpy(task.after, order->after, ID_LEN + 1);
	add_task(ctx, &task);
	return 0;
}

/* One that fails keeps nobody else waiting; the first failure is told. */
static int each(struct shredder *s, const struct tasks *tasks, int (*fn)(struct shredder *s, const struct task *task, struct error *err),
		struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < tasks->count; i++) {
		struct error own = { 0 };

		if (fn(s, &tasks->list[i], &own) >= 0 || r < 0)
			continue;
		*err = own;
		r = own.code;
	}
	return r;
}

/* What was begun is finished, whatever has been decided since: its keys are gone. */
static int finish(struct shredder *s, struct error *err)
{
	_cleanup_(tasks_done) struct tasks tasks = { 0 };
	int r = repo_shreds_begun(s->repo, add_begun, &tasks, err);

	return r < 0 ? r : each(s, &tasks, shred, err);
}

/* 0 also when it is not due. */
static int obey(struct shredder *s, const struct task *task, struct error *err)
{
	const struct root *root;
	int r;

	if (has_said(s, task->device)) /* there was another order: one is enough */
		return 0;
	r = is_due(s, task, err);
	if (r <= 0 || repo_root_get(&root, s->repo, err) != 0)
		return r < 0 ? r : 0;
	r = may_say(s, root, err);
	repo_root_put(s->repo, root);
	return r < 0 ? error_add(err, "device '%s' is not shredded yet", task->device) : shred(s, task, err);
}

static int look(struct shredder *s, struct error *err)
{
	_cleanup_(tasks_done) struct tasks tasks = { 0 };
	int r = finish(s, err);

	if (r < 0 || repo_open_shreds(s->repo, add_open, &tasks, err) < 0)
		return err->code;
	return each(s, &tasks, obey, err);
}

static void tell(struct shredder *s, const struct error *err)
{
	if (strcmp(s->told.text, err->text) != 0)
		log_failure(LOG_ERROR, "cannot-shred", err);
	s->told = *err;
}

/* ---- what orders bring ---- */

static void expire_payloads(struct shredder *s)
{
	int64_t now_s = clock_now_s();
	struct error err = { 0 };
	size_t count = 0;

	if (now_s < s->expire_s)
		return;
	s->expire_s = now_s + EXPIRE_EVERY_S;
	if (repo_payloads_expire(&count, s->repo, now_s - PAYLOAD_KEPT_S, &err) < 0)
		log_failure(LOG_WARNING, "cannot-destroy-payloads", &err);
	if (count)
		log_notice("payloads-destroyed count=%zu: their orders ended %d days ago", count, PAYLOAD_KEPT_S / 86400);
}

/* ---- the thread ---- */

/* Time and people make an order due, and neither is in a hurry. False: it is time to stop. */
static bool wait_a_while(struct shredder *s, int seconds)
{
	struct timespec ts;
	bool go_on;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += seconds;
	pthread_mutex_lock(&s->lock);
	while (!s->stopping)
		if (pthread_cond_timedwait(&s->stopped, &s->lock, &ts) == ETIMEDOUT)
			break;
	go_on = !s->stopping;
	pthread_mutex_unlock(&s->lock);
	return go_on;
}

static void *shredder_main(void *ctx)
{
	struct shredder *s = ctx;
	int seconds;

	do {
		struct error err = { 0 };

		seconds = LOOK_EVERY_S;
		if (look(s, &err) < 0) {
			tell(s, &err);
			seconds = RETRY_S;
		} else {
			s->told = (struct error){ 0 };
		}
		expire_payloads(s);
	} while (wait_a_while(s, seconds));
	return NULL;
}

/* ---- start and stop ---- */

static int shred_again(struct repo *repo, struct error *err)
{
	size_t count = 0;

	if (repo_shred_again(&count, repo, err) < 0)
		return error_add(err, "keys that were shredded before");
	if (count)
		log_warning("shredded-again count=%zu: keys of devices that are shredded were there again, from a backup for instance",
			    count);
	return 0;
}

static int start(struct shredder *s, struct error *err)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->stopped, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&s->lock, NULL);
	if (pthread_create(&s->thread, NULL, shredder_main, s) != 0)
		return error_set(err, E_SYS, "cannot start a thread");
	s->thread_runs = true;
	return 0;
}

int shredder_new(struct shredder **out, struct repo *repo, struct rollouts *rollouts, const struct sign_key *key, char *const *copies,
		 size_t copy_count, struct error *err)
{
	struct shredder *s;

	if (shred_again(repo, err) < 0)
		return err->code;
	s = mem_alloc(sizeof(*s));
	*s = (struct shredder){ .repo = repo, .rollouts = rollouts, .key = key, .copies = copies, .copy_count = copy_count };
	if (start(s, err) < 0) {
		shredder_free(s);
		return err->code;
	}
	*out = s;
	return 0;
}

void shredder_stop(struct shredder *s)
{
	if (!s || !s->thread_runs)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_signal(&s->stopped);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	s->thread_runs = false;
}

struct shredder *shredder_free(struct shredder *s)
{
	if (!s)
		return NULL;
	shredder_stop(s);
	pthread_cond_destroy(&s->stopped);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return NULL;
}
