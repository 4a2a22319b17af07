/* cli/sweep.c -- opens many revisions with all cores. */
#include "cli/sweep.h"

#include "base/clock.h"
#include "cli/api.h"
#include "cli/output.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct worker {
	struct running *run;
	pthread_t thread;
	struct api *api;
	struct opener *opener;
};

struct running {
	const struct sweep *sweep;
	const struct age_identity *key;
	struct worker workers[SWEEP_WORKERS_MAX];
	size_t worker_count, started;
	pthread_mutex_t lock;
	pthread_cond_t moved; /* something was made, taken, or went wrong */
	void **made;          /* SWEEP_AHEAD of them, by number */
	size_t next, taken;
	bool is_over;
	struct error failure;
	int failed; /* its code, or 0 */
};

/* ---- a worker ---- */

static bool ends_all(int code)
{
	return code == E_SEAL || code == CLI_UNREACHED || code == CLI_LOGIN;
}

static int get_bytes(void *ctx, struct buf *out, const char *path, size_t max, struct error *err)
{
	const struct worker *w = ctx;

	return api_get(out, w->api, path, max, err);
}

/* It was loaded before anything was started: a passphrase is asked for once. */
static int get_key(void *ctx, const struct age_identity **out, struct error *err _unused_)
{
	const struct worker *w = ctx;

	*out = w->run->key;
	return 0;
}

static int open_item(struct opened *out, struct worker *w, const struct sweep_item *item, struct error *err)
{
	char at[CLOCK_TEXT_LEN];
	int r = fleet_open_member(out, w->opener, item->member, item->number, err);

	if (r < 0 || !item->not_after_s || statement_time(out->st, "time") <= item->not_after_s)
		return r;
	clock_text(at, item->not_after_s);
	return error_set(err, E_SEAL, "the server gives out '%s' revision %llu as in force at %s, and the device says %s",
			 item->member->name, (unsigned long long)item->number, at, statement_get(out->st, "time"));
}

static int work_on(void **made, struct worker *w, const struct sweep_item *item, struct error *err)
{
	const struct sweep *sweep = w->run->sweep;
	_cleanup_(opened_done) struct opened opened = { 0 };
	int r = item->is_none ? 0 : open_item(&opened, w, item, err);

	if (r < 0 && ends_all(r))
		return r;
	*made = sweep->make(sweep->ctx, item, r < 0 || item->is_none ? NULL : &opened, r < 0 ? err : NULL);
	opener_forget(w->opener);
	return 0;
}

/* False: there is nothing more to do. */
static bool take_turn(size_t *out, struct running *run)
{
	bool goes_on;

	pthread_mutex_lock(&run->lock);
	while (!run->is_over && run->next < run->sweep->count && run->next >= run->taken + SWEEP_AHEAD)
		pthread_cond_wait(&run->moved, &run->lock);
	goes_on = !run->is_over && run->next < run->sweep->count;
	if (goes_on)
		*out = run->next++;
	pthread_mutex_unlock(&run->lock);
	return goes_on;
}

static void *work(void *ctx)
{
	struct worker *w = ctx;
	struct running *run = w->run;
	size_t i;

	while (take_turn(&i, run)) {
		struct error err = { 0 };
		void *made = NULL;
		int r = work_on(&made, w, &run->sweep->items[i], &err);

		pthread_mutex_lock(&run->lock);
		run->made[i % SWEEP_AHEAD] = made;
		if (r < 0 && !run->failed) {
			run->failed = r;
			run->failure = err;
		}
		run->is_over |= r < 0;
		pthread_cond_broadcast(&run->moved);
		pthread_mutex_unlock(&run->lock);
	}
	return NULL;
}

/* ---- the caller's thread ---- */

static int start_one(struct running *run, struct error *err)
{
	struct worker *w = &run->workers[run->worker_count];
	struct open_source source;

	*w = (struct worker){ .run = run };
	if (fleet_source(&source, run->sweep->cli, err) < 0 || api_open_again(&w->api, run->sweep->cli->api, err) < 0)
		return err->code;
	run->worker_count++;
	source.get = get_bytes;
	source.key = get_key;
	source.ctx = w;
	w->opener = opener_new(&source);
	return 0;
}

static int start(struct running *run, struct error *err)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	size_t want = (size_t)(cores > 1 ? cores : 1) * SWEEP_WORKERS_PER_CORE;

	want = want < SWEEP_WORKERS_MAX ? want : SWEEP_WORKERS_MAX;
	want = want < run->sweep->count ? want : run->sweep->count;
	while (run->worker_count < want)
		if (start_one(run, err) < 0)
			return err->code;
	for (; run->started < want; run->started++) {
		errno = pthread_create(&run->workers[run->started].thread, NULL, work, &run->workers[run->started]);
		if (errno && !run->started)
			return error_sys(err, "cannot start a thread");
		if (errno)
			break;
	}
	return 0;
}

/* The next one in order; NULL: the end, or a failure. */
static void *await(struct running *run)
{
	void **slot = &run->made[run->taken % SWEEP_AHEAD], *made;

	pthread_mutex_lock(&run->lock);
	while (!*slot && !run->is_over)
		pthread_cond_wait(&run->moved, &run->lock);
	made = *slot;
	*slot = NULL;
	if (made)
		run->taken++;
	pthread_cond_broadcast(&run->moved);
	pthread_mutex_unlock(&run->lock);
	return made;
}

static int take_all(struct running *run, struct error *err)
{
	const struct sweep *sweep = run->sweep;
	struct progress progress = { 0 };
	int r = 0;

	for (size_t i = 0; i < sweep->count && r == 0; i++) {
		void *made = await(run);

		if (!made)
			break;
		r = sweep->take(sweep->ctx, i, made, err);
		progress_count(&progress, i + 1, sweep->count);
	}
	progress_end(&progress);
	return r;
}

static void stop(struct running *run)
{
	pthread_mutex_lock(&run->lock);
	run->is_over = true;
	pthread_cond_broadcast(&run->moved);
	pthread_mutex_unlock(&run->lock);
	for (size_t i = 0; i < run->started; i++)
		pthread_join(run->workers[i].thread, NULL);
	for (size_t i = 0; i < run->worker_count; i++) {
		opener_free(run->workers[i].opener);
		api_free(run->workers[i].api);
	}
	for (size_t i = 0; i < SWEEP_AHEAD; i++)
		if (run->made[i])
			run->sweep->drop(run->made[i]);
	free(run->made);
}

static bool opens_any(const struct sweep *sweep)
{
	for (size_t i = 0; i < sweep->count; i++)
		if (!sweep->items[i].is_none)
			return true;
	return false;
}

int sweep_run(const struct sweep *sweep, struct error *err)
{
	struct running run = { .sweep = sweep, .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };
	int r = opens_any(sweep) ? home_reading_key(&run.key, sweep->cli->home, err) : 0;

	if (r < 0)
		return r;
	run.made = mem_alloc(SWEEP_AHEAD * sizeof(*run.made));
	r = start(&run, err);
	if (r == 0)
		r = take_all(&run, err);
	stop(&run);
	if (r == 0 && run.failed) {
		*err = run.failure;
		r = run.failed;
	}
	return r;
}
