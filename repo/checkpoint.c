/* repo/checkpoint.c -- the thread that copies the index's write-ahead log to its place, while others write: whoever commits or packs does
 * not wait for that disk. */
#include "repo/parts.h"
#include "repo/turns.h"

#include "base/log.h"

enum {
	WAL_PAGES = 8192,       /* 32 MiB: then they are copied to their places, each once, however often it was written */
	WAL_PAGES_LONG = 32768, /* then writing waits for a moment, so that the log begins anew */
};

void ask_checkpoint(struct repo *repo)
{
	if (store_wal_pages(repo->store) < WAL_PAGES)
		return;
	pthread_mutex_lock(&repo->lock);
	repo->checkpoint_due = true;
	pthread_cond_signal(&repo->checkpoint_wanted);
	pthread_mutex_unlock(&repo->lock);
}

/* Most of it is done while others write. */
static void copy_log(struct repo *repo)
{
	unsigned pages = store_wal_pages(repo->store);
	struct error err = { 0 };
	int r = store_checkpoint(repo->checkpointing, &err);

	if (r == 0 && pages >= WAL_PAGES_LONG) {
		pthread_mutex_lock(&repo->store_lock);
		r = store_checkpoint(repo->checkpointing, &err);
		pthread_mutex_unlock(&repo->store_lock);
	}
	if (r < 0)
		log_failure(LOG_WARNING, "cannot-checkpoint-index", &err);
}

void *checkpoint_main(void *arg)
{
	struct repo *repo = arg;

	pthread_setname_np(pthread_self(), "checkpointer");
	stand_back(BACK_BEHIND_ANSWERS);
	pthread_mutex_lock(&repo->lock);
	while (!repo->checkpoint_stop) {
		if (!repo->checkpoint_due) {
			pthread_cond_wait(&repo->checkpoint_wanted, &repo->lock);
			continue;
		}
		repo->checkpoint_due = false;
		pthread_mutex_unlock(&repo->lock);
		copy_log(repo);
		pthread_mutex_lock(&repo->lock);
	}
	pthread_mutex_unlock(&repo->lock);
	return NULL;
}

void stop_checkpoints(struct repo *repo)
{
	pthread_mutex_lock(&repo->lock);
	repo->checkpoint_stop = true;
	pthread_cond_signal(&repo->checkpoint_wanted);
	pthread_mutex_unlock(&repo->lock);
}
