/* repo/touch.c -- what devices say in their polls, gathered. */
#include "repo/touch.h"

#include "base/clock.h"
#include "base/log.h"
#include "repo/parts.h"

#include <stdlib.h>

struct touch {
	char *text; /* of the status: a statement in parts takes several times as much */
	size_t len;
	int64_t at_s;
};

struct touches {
	pthread_mutex_t lock; /* taken before store_lock, so that they are written in the order in which they came */
	struct touch list[TOUCH_MAX];
	size_t count;
	uint64_t since_ms;
};

struct touches *touches_new(void)
{
	struct touches *t = mem_alloc(sizeof(*t));

	pthread_mutex_init(&t->lock, NULL);
	return t;
}

static void forget(struct touches *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->list[i].text);
	t->count = 0;
}

struct touches *touches_free(struct touches *t)
{
	if (!t)
		return NULL;
	forget(t);
	pthread_mutex_destroy(&t->lock);
	free(t);
	return NULL;
}

/* What a device posted before comes before it. */
static int write_one(struct repo *repo, const struct touch *touch, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	int r = statement_parse(&st, bytes_of(touch->text, touch->len), true, NULL, err);

	if (r == 0 && ahead_has(repo->ahead, statement_get(st, "device")))
		r = ahead_settle(repo->ahead, repo->store, err);
	return r < 0 ? r : store_touch(repo->store, st, touch->at_s, err);
}

static int write_all(struct repo *repo, const struct touches *t, struct error *err)
{
	int r = rows_begin(repo, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < t->count && r >= 0; i++)
		r = write_one(repo, &t->list[i], err);
	if (r >= 0)
		r = rows_commit(repo, err);
	if (r < 0)
		rows_rollback(repo);
	return r;
}

/* With t->lock. */
static void flush(struct repo *repo, struct touches *t)
{
	struct error err = { 0 };
	int r;

	if (!t->count)
		return;
	pthread_mutex_lock(&repo->store_lock);
	r = write_all(repo, t, &err);
	pthread_mutex_unlock(&repo->store_lock);
	if (r < 0)
		log_failure(LOG_WARNING, "cannot-note-contact", &err);
	forget(t);
}

void repo_touch(struct repo *repo, const struct statement *status, int64_t now_s)
{
	struct touches *t = repo->touches;
	struct bytes text = statement_text(status);
	uint64_t now_ms = clock_mono_ms();

	pthread_mutex_lock(&t->lock);
	t->since_ms = t->count ? t->since_ms : now_ms;
	t->list[t->count++] = (struct touch){ mem_strndup((const char *)text.ptr, text.len), text.len, now_s };
	if (t->count == TOUCH_MAX || now_ms >= t->since_ms + TOUCH_MS)
		flush(repo, t);
	pthread_mutex_unlock(&t->lock);
}

void repo_touch_flush(struct repo *repo)
{
	pthread_mutex_lock(&repo->touches->lock);
	flush(repo, repo->touches);
	pthread_mutex_unlock(&repo->touches->lock);
}
