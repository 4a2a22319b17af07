/* repo/store.h -- the index: what git says, in tables (SQLite). Internal to repo/; another store can take its place behind these functions.
 *
 * Everything in it can be made anew from git and the journal, so it is never the truth, and its transactions need no sync of their own.
 * A row of chain exists from the moment that its statement is journaled (a snapshot's, which ahead.h keeps, a little later); it gets its
 * position in the log when it is packed. One thread at a time uses a store: whoever has one has a lock for it. */
#pragma once

#include "repo/repo.h"

struct store;

int store_open(struct store **out, const char *path, struct error *err) _must_check_;
struct store *store_close(struct store *store);
/* It is the one that writes: with many devices its pages are many, and up to 64 MB of them stay in memory. */
void store_writes(struct store *store);

int store_begin(struct store *store, struct error *err) _must_check_;
int store_commit(struct store *store, struct error *err) _must_check_;
void store_rollback(struct store *store);
/* Copies what has been committed from SQLite's write-ahead log to its place. For a store of its own, so that others go on meanwhile; the
 * log begins anew when nobody writes between the end of this and the next commit. */
int store_checkpoint(struct store *store, struct error *err) _must_check_;
/* How long that log was after this store's last commit, from any thread. */
unsigned store_wal_pages(const struct store *store);
/* Empties every table. */
int store_clear(struct store *store, struct error *err) _must_check_;

/* What judging a submission needs: the same answers as repo_submit(); REPO_FORK with *keep_fork when it is new evidence. */
int store_judge(struct store *store, const struct container *c, const struct root *root, bool *keep_fork, struct error *err) _must_check_;
/* Enters a judged statement. */
int store_enter(struct store *store, const struct statement *st, struct error *err) _must_check_;
int store_enter_fork(struct store *store, const struct statement *st, bool *is_new, struct error *err) _must_check_;
/* Is this very statement of a chain entered already? False for other types: entering them again changes nothing. */
bool store_is_entered(struct store *store, const struct statement *st);
/* This commit brings what lies in the log from position on, until another is added. */
int store_add_commit(struct store *store, const char *commit, int64_t commit_s, uint64_t position, struct error *err) _must_check_;
/* Enters the place in the log of a packed statement, and what follows from its being packed at commit_s. */
int store_place(struct store *store, const struct statement *st, const struct merkle_hash *leaf, bool is_fork, int64_t commit_s,
		uint64_t position, struct error *err) _must_check_;
/* Enters a judged snapshot with its place. */
int store_enter_packed(struct store *store, const struct container *c, const struct merkle_hash *leaf, uint64_t position,
		       struct error *err) _must_check_;
/* Every leaf in order; E_FORMAT when one is missing. */
typedef void (*store_leaf_fn)(void *ctx, uint64_t position, const struct merkle_hash *leaf);
int store_log_each(struct store *store, store_leaf_fn fn, void *ctx, struct error *err) _must_check_;
/* How many statements were ever taken, and the mark of the file that knows it better (taken.h). 0 and "": never said. */
enum { STORE_MARK_LEN = 16 };
int store_set_taken(struct store *store, const char *mark, uint64_t count, struct error *err) _must_check_;
int store_taken(uint64_t *out, char mark[static STORE_MARK_LEN + 1], struct store *store, struct error *err) _must_check_;
/* How many statements are entered that have no place in the log yet. */
int store_unpacked(uint64_t *out, struct store *store, struct error *err) _must_check_;
int store_log_leaf(struct merkle_hash *out, struct store *store, uint64_t position, struct error *err) _must_check_;
/* The first place of a leaf. REPO_ABSENT. Reads through the log, 0.1 s for a million: it is asked for when a device was retired, and an
 * index would cost every statement 40 bytes. */
int store_log_find(uint64_t *position, struct store *store, const struct merkle_hash *leaf, struct error *err) _must_check_;
/* The packed tip ("" when none) and the log's size. */
int store_tip(char commit[static 41], uint64_t *log_size, struct store *store, struct error *err) _must_check_;
int store_set_tip(struct store *store, const char *commit, uint64_t log_size, struct error *err) _must_check_;

/* Rows. Positive REPO_ABSENT when there is none. */
int store_root(struct buf *out, struct store *store, uint64_t version, struct error *err) _must_check_; /* whole statement; 0: newest */
int store_device(struct repo_device *out, struct store *store, const char *id, struct error *err) _must_check_;
/* A number that grows when a transaction is committed after which store_signer() may answer differently; from any thread. */
uint64_t store_signers_state(const struct store *store);
int store_signer(struct repo_signer *out, struct store *store, const char *id, struct error *err) _must_check_;
int store_devices(struct store *store, repo_device_fn fn, void *ctx, struct error *err) _must_check_;
int store_log(struct store *store, const char *id, uint64_t below, unsigned limit, repo_entry_fn fn, void *ctx,
	      struct error *err) _must_check_;
int store_snapshots_at(struct store *store, const char *after, int64_t at_s, unsigned limit, repo_moment_fn fn, void *ctx,
		       struct error *err) _must_check_;
/* Where a chain statement lies. number 0: the newest of this type. epoch (type EPOCH): by epoch number, 0: the newest. commit is "" while
 * unpacked. */
int store_find(char commit[static 41], struct store *store, const char *id, enum statement_type type, uint64_t number,
	       struct error *err) _must_check_;
bool store_has_invite(struct store *store, const char *id);
/* Ids of invites. */
int store_invites(struct store *store, int (*fn)(void *ctx, const char *id), void *ctx, struct error *err) _must_check_;
int store_touch(struct store *store, const struct statement *status, int64_t now_s, struct error *err) _must_check_;
/* Whole statement of a device's enrolment or admission. */
int store_newest(struct buf *out, struct store *store, const char *id, enum statement_type type, struct error *err) _must_check_;

/* A device's verdicts, newest first, at most limit, numbers below `below` (0: from the newest). */
int store_verdicts(struct store *store, const char *id, uint64_t below, unsigned limit, repo_verdict_fn fn, void *ctx,
		   struct error *err) _must_check_;

/* ---- firmware (store-firmware.c) ---- */

/* Appends whole statements by time, leaving out the first `from`: as many as fit, at least one when there is one. */
int store_firmware(struct buf *out, struct store *store, uint64_t from, size_t bytes_max, struct error *err) _must_check_;
/* Does a statement name this image with this size? */
int store_has_image(bool *out, struct store *store, const char *image, uint64_t size, struct error *err) _must_check_;

/* ---- orders (store-orders.c): as the functions of repo.h ---- */

int store_batches(struct store *store, const char *device, repo_batch_fn fn, void *ctx, struct error *err) _must_check_;
int store_batch(struct repo_batch *out, struct buf *statement, struct buf *controls, struct store *store, const char *id, struct error *err)
	_must_check_;
int store_orders(struct store *store, const char *batch, uint32_t from, uint32_t to, repo_order_fn fn, void *ctx,
		 struct error *err) _must_check_;
int store_open_orders(struct store *store, const char *device, repo_order_fn fn, void *ctx, struct error *err) _must_check_;
/* Of kind shred, not answered, of all devices. */
int store_open_shreds(struct store *store, repo_order_fn fn, void *ctx, struct error *err) _must_check_;
/* One order; its text and the receipt that counts are appended (NULL: not asked for) when the index still has them. */
int store_order(struct repo_order *out, struct buf *text, struct buf *receipt, struct store *store, const char *batch, const char *device,
		struct error *err) _must_check_;
/* A device's newest order of kind policy; or the newest of those that were done. REPO_ABSENT. */
int store_policy(struct repo_order *out, struct store *store, const char *device, bool is_done, struct error *err) _must_check_;
/* Is the device's order in this batch one of these two, and is the device in the fleet? Then what it brought is kept. */
int store_is_policy_kept(bool *out, struct store *store, const char *batch, const char *device, struct error *err) _must_check_;
/* The receipts that count of a whole batch, by index: whole, or empty when only git has it. */
typedef int (*store_receipt_fn)(void *ctx, const char *device, uint64_t number, struct bytes whole);
int store_receipts(struct store *store, const char *batch, store_receipt_fn fn, void *ctx, struct error *err) _must_check_;
/* When an order was settled, or will have expired; 0 while that is not known. */
int store_order_end(int64_t *out, struct store *store, const char *batch, const char *device, struct error *err) _must_check_;
/* Leaves the texts of what ended before this time to git. */
int store_forget_texts(struct store *store, int64_t before_s, struct error *err) _must_check_;

/* ---- retirement (store-retire.c) ---- */

/* Appends what was said of a device: shredded, the archive's first, or certificate. */
int store_said(struct buf *out, struct store *store, const char *device, enum statement_type type, struct error *err) _must_check_;
/* What people decided about advisories, from this position of the log on, what is only journaled last. */
int store_judgements(struct store *store, uint64_t from, unsigned limit, repo_judgement_fn fn, void *ctx, struct error *err) _must_check_;
/* The first judgement that brought this document; is_placed: it is in git. REPO_ABSENT. */
int store_find_text(struct buf *whole, bool *is_placed, struct store *store, const uint8_t document[static HASH_LEN],
		    struct error *err) _must_check_;
int store_span(struct repo_span *out, struct store *store, const char *device, struct error *err) _must_check_;
