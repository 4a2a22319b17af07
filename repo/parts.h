/* repo/parts.h -- the inside of struct repo, shared by its parts: repo.c (opening), writer.c (queue and journal thread), packer.c
 * (packer thread), checkpoint.c, read.c and read-orders.c. Internal to repo/.
 *
 * Locks are taken in this order: journal_lock, store_turn, store_lock, judge_lock, lock. reading_lock and root_lock are taken alone. The
 * journal thread takes a round that memory can judge with journal_lock and judge_lock alone: it waits for nobody who is at work on the
 * index. */
#pragma once

#include "repo/ahead.h"
#include "repo/git.h"
#include "repo/item.h"
#include "repo/journal.h"
#include "repo/merge.h"
#include "repo/store.h"
#include "repo/taken.h"

#include <pthread.h>

/* The newest checkpoint that a witness cosigned. */
struct cosigned {
	char name[64];
	struct statement *st; /* NULL: an empty place */
	uint64_t change;      /* grows with each */
	bool is_kept;         /* in the archive */
};

struct repo {
	char *dir, *keyring, *payloads;
	const struct sign_key *key;
	int lock_fd;
	bool read_only;
	struct store *store, *reading; /* one for those who write, one for those who read */
	struct store *checkpointing;   /* of the thread that makes checkpoints */
	struct store *judging;         /* with judge_lock: shows what is committed */
	pthread_mutex_t store_lock, reading_lock;
	pthread_mutex_t store_turn;    /* whoever waits for store_lock in turn */
	struct git_store *git;         /* of the packer thread */
	struct git_store *reading_git; /* with reading_lock */
	struct journal *journal;       /* with journal_lock: written or rotated; the packer thread rotates, and prepares for it */
	pthread_mutex_t journal_lock;
	pthread_mutex_t keyring_lock; /* between a rewrap that looks for its epoch, and who destroys that; taken alone */
	pthread_mutex_t destroy_lock; /* one walk through the payloads at a time; taken first */
	char (*shredding)[ID_LEN + 1]; /* with store_lock: devices whose keys are being destroyed */
	size_t shredding_count;
	struct touches *touches; /* touch.c */
	struct signer_cache *signers;
	struct ahead *ahead;
	pthread_mutex_t judge_lock; /* during a round, or a change of how chains are judged */
	struct taken *taken;
	uint64_t taken_count;  /* of the journal thread: statements that were ever journaled */
	atomic_bool rows_are_missing; /* set with store_lock: of packed snapshots; until the index has caught up, nothing is judged, nor
					 shown */
	int missing_sys;       /* with store_lock: what the disk said then (errno) */
	pthread_t journal_thread, packer_thread, checkpoint_thread, merge_thread;
	atomic_bool merge_stop;
	repo_news_fn news;
	void *news_ctx;

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t queued, pack_wanted, packed, checkpoint_wanted, merge_wanted;
	struct list queue, pending;
	bool stopping, packer_stopping, threads_run;
	bool is_rotating;      /* the packer wants the journal: the journal thread lets it pass */
	uint64_t journaled;    /* statements acknowledged since the start, those of the replayed journal included */
	uint64_t archived;     /* of those, how many are packed and known to the index */
	uint64_t flush_target; /* somebody waits for this many to be archived: the packer makes haste */
	uint64_t dropped;      /* of journal files, those below this number are gone from the disk */
	bool drop_wanted;      /* somebody waits for that: the packer makes a turn, also when there is nothing to pack */
	bool checkpoint_due, checkpoint_stop;
	bool merge_due;        /* there are new packs */
	uint64_t merge_asked, merge_done; /* of repo_consolidate() */
	struct merged *merged; /* became one: to be exchanged by the packer */
	uint64_t turns, failed_turn; /* of the packer: how many began, and the last one that failed */
	struct error pack_err; /* of the last failure */
	struct cosigned cosigned[ROOT_WITNESSES_MAX];
	uint64_t cosigned_changes;

	pthread_mutex_t root_lock;
	struct root *roots[ROOT_CHAIN_MAX]; /* all that were in force, version 1 first: they live as long as we do */
	size_t root_count;

	atomic_ullong head_mark; /* how often the head changed */
	bool knows_head; /* with reading_lock: is what follows what the index says? */
	struct repo_head head;
	char checkpoint_at[41]; /* with reading_lock: the newest checkpoint that was read, and the tip in which it lies */
	struct buf checkpoint;
	struct merkle_cache cache; /* with reading_lock: of the log, so that a proof of growth reads few leaves */

	/* of the packer thread, once it runs */
	struct merkle log;       /* over all that is packed */
	uint64_t packed_root;    /* version of the root in the tree */
	int64_t checkpoint_s;    /* time of the newest checkpoint: none is dated before it */
	uint64_t unentered;      /* packed, but the index does not know yet */
	bool index_is_behind;    /* the index has to be brought up to the branch before anything else is packed */
	bool pending_is_doubtful; /* what is pending may be in the archive already */
};

/* ---- roots (repo.c) ---- */

int root_from(struct root **out, struct bytes whole, struct error *err) _must_check_;
void add_root(struct repo *repo, struct root *root); /* takes it over; there is room: whoever judged it has looked */
const struct root *newest_root(struct repo *repo);   /* NULL: none */
const struct root *root_of_version(struct repo *repo, uint64_t version);

/* ---- the index in transactions (repo.c) ---- */

/* Takes store_lock; of two that take it in turn, neither gets it twice while the other waits. */
void lock_store_in_turn(struct repo *repo);
/* With store_lock: as those of store.h, and what ahead.h keeps goes with them. */
int rows_begin(struct repo *repo, struct error *err) _must_check_;
int rows_commit(struct repo *repo, struct error *err) _must_check_;
void rows_rollback(struct repo *repo);
/* With store_lock: enters the rows of all that is there of ahead.h, also while others are missing. */
int rows_settle(struct repo *repo, struct error *err) _must_check_;
/* Before the index is asked of chains, or how they stand: the rows of all that is acknowledged are in it. */
int rows_show(struct repo *repo, struct error *err) _must_check_;

/* ---- the index and the branch (index.c) ---- */

/* Brings the index up to the branch, then loads the log from it and compares it with the newest checkpoint; an index that does not match is
 * rebuilt. E_FORMAT when branch and index contradict each other, or the archive itself does not match its checkpoint. */
int index_catch_up(struct repo *repo, struct error *err) _must_check_;
/* Frees the items of a list that have a place in the log, and what is in it twice. Returns how many were packed in *dropped. */
int index_drop_packed(uint64_t *dropped, struct repo *repo, struct list *list, struct error *err) _must_check_;

/* ---- the log and its witnesses (log.c) ---- */

/* Loads what was computed of the log before, and the cosigned checkpoints that lie in the archive. */
int log_open(struct repo *repo, struct error *err) _must_check_;
void log_close(struct repo *repo);
bool log_has_cosigned(const struct repo *repo); /* with the lock held: one that is not in the archive yet */
/* Of the packer thread: commits them. */
int log_pack_cosigned(struct repo *repo, struct error *err) _must_check_;

/* Like repo_flush(); and the journal files that held it are gone from the disk, too (packer.c). */
int flush_journal(struct repo *repo, struct error *err) _must_check_;

/* ---- reading (read.c) ---- */

/* Another tip is committed to the index. */
void head_has_changed(struct repo *repo);

/* ---- shredding (shred.c) ---- */

/* Reads what was begun before a stop. */
int shred_open(struct repo *repo, struct error *err) _must_check_;
/* With store_lock: have the keys of this device's archive been destroyed, or are they being destroyed? Then none are taken any more. */
bool shred_has_begun(struct repo *repo, const char *device);

/* ---- payloads (writer.c) ---- */

/* Puts an order's payload where it belongs; nothing to do for what has none. */
int put_payload(struct repo *repo, const struct container *c, struct error *err) _must_check_;

/* ---- threads ---- */

void *journal_main(void *repo); /* writer.c */
void *packer_main(void *repo);  /* packer.c */
void *checkpoint_main(void *repo); /* checkpoint.c */
/* Has the index's log copied to its place when it has become long. Does not wait for it. */
void ask_checkpoint(struct repo *repo);
void stop_checkpoints(struct repo *repo); /* does not wait for it */
void *merge_main(void *repo);   /* consolidate.c */
void stop_merging(struct repo *repo); /* does not wait for it */
/* Of the packer thread: takes the merged pack in place of those that it was made of. */
void exchange_packs(struct repo *repo);
