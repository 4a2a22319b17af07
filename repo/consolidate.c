/* repo/consolidate.c -- the merger thread: merges packs while the archive serves, and writes git's commit-graph.
 *
 * It has the lowest priority, since whoever sends or reads comes first. What it has merged, the packer thread exchanges between two of its
 * turns, when nobody of us reads. */
#include "repo/parts.h"
#include "repo/turns.h"

#include "base/log.h"
#include "base/proc.h"

#include <stdlib.h>
#include <unistd.h>

enum { GRAPH_TIMEOUT_MS = 3600000, GRAPH_OUTPUT_MAX = 64 << 10 };

/* For those who look at the history with stock git: "git log -- path" among a million commits takes seconds with the filters of changed
 * paths, and half a minute without. git writes it itself: it has the format, adds only what is new, and is there where such people are. */
static void write_graph(struct repo *repo, bool *has_git)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/archive.git", repo->dir);
	const char *const argv[] = { "git",           "-C", path, "commit-graph", "write", "--reachable", "--changed-paths", "--split",
				     "--no-progress", NULL };
	struct proc_result result = { 0 };
	struct error err = { 0 };
	int r = *has_git ? proc_run(&result, argv, (struct bytes){ 0 }, GRAPH_TIMEOUT_MS, GRAPH_OUTPUT_MAX, &err) : 0;

	if (r == E_SYS || result.status == 127) {
		*has_git = false;
		log_info("no-commit-graph: git is not installed here; 'git log -- path' in a clone is slow without one");
	} else if (r < 0) {
		log_failure(LOG_WARNING, "cannot-write-commit-graph", &err);
	} else if (result.status) {
		log_warning("cannot-write-commit-graph status=%d", result.status);
	}
	proc_result_done(&result);
}

/* Of the packer thread. Nobody of us reads meanwhile. */
void exchange_packs(struct repo *repo)
{
	struct error err = { 0 };
	struct merged *merged;
	int r;

	pthread_mutex_lock(&repo->lock);
	merged = repo->merged;
	pthread_mutex_unlock(&repo->lock);
	if (!merged)
		return;
	pthread_mutex_lock(&repo->reading_lock);
	r = merged_retire(merged, git_store_packs(repo->git), &err);
	if (git_store_reopen(repo->reading_git, &err) < 0 || git_store_reopen(repo->git, &err) < 0)
		r = err.code;
	pthread_mutex_unlock(&repo->reading_lock);
	if (r < 0)
		log_failure(LOG_WARNING, "cannot-exchange-packs", &err);
	free(merged);
	pthread_mutex_lock(&repo->lock);
	repo->merged = NULL;
	pthread_cond_broadcast(&repo->merge_wanted);
	pthread_mutex_unlock(&repo->lock);
}

/* Merges once. Whatever fails here costs time, nothing else. Returns how many became one. */
static int merge_once(struct repo *repo, bool all)
{
	struct error err = { 0 }, damage = { 0 };
	struct merged *merged = NULL;
	int r = merge_packs(&merged, git_store_packs(repo->git), all, &repo->merge_stop, &damage, &err);

	if (damage.code)
		log_failure(LOG_ERROR, "archive-damaged", &damage);
	if (r < 0)
		log_failure(LOG_WARNING, "cannot-merge-packs", &err);
	pthread_mutex_lock(&repo->lock);
	repo->merged = merged;
	if (merged)
		pthread_cond_broadcast(&repo->pack_wanted);
	while (repo->merged && !repo->merge_stop)
		pthread_cond_wait(&repo->merge_wanted, &repo->lock);
	pthread_mutex_unlock(&repo->lock);
	return r;
}

static void consolidate(struct repo *repo, bool all, bool *has_git)
{
	bool any = false;

	while (merge_once(repo, all) > 0 && !repo->merge_stop)
		any = true;
	if ((any || all) && !repo->merge_stop)
		write_graph(repo, has_git);
	merged_sweep(git_store_packs(repo->git), all);
}

void *merge_main(void *arg)
{
	struct repo *repo = arg;
	bool has_git = true;

	pthread_setname_np(pthread_self(), "merger");
	stand_back(BACK_BEHIND_ALL);
	pthread_mutex_lock(&repo->lock);
	while (!repo->merge_stop) {
		bool all = repo->merge_asked > repo->merge_done;
		uint64_t asked = repo->merge_asked;

		if (!all && !repo->merge_due) {
			pthread_cond_wait(&repo->merge_wanted, &repo->lock);
			continue;
		}
		repo->merge_due = false;
		pthread_mutex_unlock(&repo->lock);
		consolidate(repo, all, &has_git);
		pthread_mutex_lock(&repo->lock);
		if (all)
			repo->merge_done = asked;
		pthread_cond_broadcast(&repo->packed);
	}
	pthread_cond_broadcast(&repo->packed);
	pthread_mutex_unlock(&repo->lock);
	return NULL;
}

void stop_merging(struct repo *repo)
{
	pthread_mutex_lock(&repo->lock);
	repo->merge_stop = true;
	pthread_cond_broadcast(&repo->merge_wanted);
	pthread_mutex_unlock(&repo->lock);
}

int repo_consolidate(struct repo *repo, struct error *err)
{
	uint64_t asked;

	if (repo_flush(repo, err) < 0)
		return err->code;
	pthread_mutex_lock(&repo->lock);
	asked = ++repo->merge_asked;
	pthread_cond_broadcast(&repo->merge_wanted);
	while (repo->threads_run && !repo->merge_stop && repo->merge_done < asked)
		pthread_cond_wait(&repo->packed, &repo->lock);
	pthread_mutex_unlock(&repo->lock);
	return 0;
}
