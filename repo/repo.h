/* repo/repo.h -- the archive: one bare git repository, a journal before it, an index beside it, the keyring outside it.
 *
 * This is the only door to storage: nothing outside repo/ touches libgit2 or SQL. The folder of a repository:
 *
 *   archive.git/      the truth: branch main, every commit signed by the archive key
 *   journal/          what is acknowledged and not yet packed
 *   index.db          SQLite; repo_reindex() makes it anew from archive.git
 *   keyring/<id>/     sealed epoch identities, plain age files; never in git
 *   payloads/<id>/    what the orders of a batch bring, sealed; never in git
 *   shredding/<id>    a device whose keys are being destroyed: what was begun is finished after a stop
 *   lock              one process writes
 *
 * Writing: repo_submit() queues; the journal thread appends all that has arrived, syncs once, and then answers each
 * sender; at most once a second (at once when idle) the packer thread turns the journal into one pack and one signed
 * commit and moves main. Reading is from the index and the trees, from any thread.
 *
 * The caller has verified signatures and roles (crypto/). The repository checks what needs history: chains, numbers, that a
 * seal that is referred to is there, one root after another. */
#pragma once

#include "crypto/merkle.h"
#include "crypto/order.h"
#include "crypto/root.h"
#include "crypto/statement.h"

struct repo;

enum { REPO_CREATE = 1, REPO_READ_ONLY = 2 };

enum {
	REPO_SEEN = 1,   /* exactly this statement is archived (or journaled) already: as good as done */
	REPO_FORK = 2,   /* another statement has this number: kept as evidence, an alarm is raised, not accepted */
	REPO_GAP = 3,    /* the number is not the next one, or prev does not match, or a seal referred to is not there */
	REPO_ABSENT = 4, /* no such device, snapshot, epoch, ... */
	REPO_BUSY = 5,   /* the queue is full: nothing was taken, try later */
};

/* Opens (REPO_CREATE: makes) the repository in folder dir. key: the archive key, borrowed until repo_close(); NULL with
 * REPO_READ_ONLY. Replays the journal, removes stale locks and temporary packs, brings the index up to the tip: so it
 * may take seconds. E_DENIED when another process has it open for writing. */
int repo_open(struct repo **out, const char *dir, const struct sign_key *key, unsigned flags, struct error *err) _must_check_;
/* Packs what is journaled, then closes. */
struct repo *repo_close(struct repo *repo);
void repo_closep(struct repo **repo);

/* Packs what is journaled, merges all packs as far as that goes, writes git's commit-graph where git is installed, and waits for it. Nobody
 * has to ask for it: it is done while serving, when there are many. */
int repo_consolidate(struct repo *repo, struct error *err) _must_check_;

/* Drops and rebuilds every table of the index from archive.git (with the repository closed by others). */
int repo_reindex(const char *dir, const struct sign_key *key, struct error *err) _must_check_;

/* ---- writing ------------------------------------------------------------------------------------------------ */

/* What became of a submission: result 0 or one of REPO_*, or a negative code with err. Called once, from the journal
 * thread, after the sync; must not block. head_number/head_hash: the device's chain head as it is now (for REPO_GAP answers). */
struct repo_outcome {
	int result;
	uint64_t head_number;
	uint8_t head_hash[HASH_LEN];
	const struct error *err;
};
typedef void (*repo_done_fn)(void *ctx, const struct repo_outcome *outcome);

/* Queues one container (its bytes are copied): root, invite, enrol, admit, epoch, snapshot, verdict, batch, order, control, receipt,
 * firmware, what is said of retirement. Bounded at 4,096 items or 64 MiB: REPO_BUSY beyond, and done is not called. Returns 0 when queued.
 */
int repo_submit(struct repo *repo, struct bytes container, repo_done_fn done, void *ctx, struct error *err) _must_check_;
/* One that was parsed out of bytes, and is all of them. */
struct repo_parsed {
	struct container c;
	struct buf bytes;
	void *ctx;
};
/* The same with some that are parsed already, all of them queued or none: when they are, they are taken over, and empty for the caller.
 * done is called for each with its own ctx, in their order. */
int repo_submit_parsed(struct repo *repo, struct repo_parsed *list, size_t count, repo_done_fn done, struct error *err) _must_check_;
/* The same with several, all of them queued or none; done is called for each, in their order. A list is taken while there is room for one
 * more item, however many it has. */
int repo_submit_list(struct repo *repo, const struct bytes *containers, size_t count, repo_done_fn done, void *ctx, struct error *err)
	_must_check_;
/* The same, waiting for the outcome. Returns outcome->result. */
int repo_submit_wait(struct repo *repo, struct bytes container, struct error *err) _must_check_;

/* Called (from the journal thread) for each statement that was taken, once it is on disk and shows in every answer, before its sender is
 * told. Must not block. */
typedef void (*repo_news_fn)(void *ctx, const struct statement *st);
void repo_on_news(struct repo *repo, repo_news_fn fn, void *ctx);

/* Waits until all that was acknowledged before the call is packed and committed. */
int repo_flush(struct repo *repo, struct error *err) _must_check_;

/* ---- reading ------------------------------------------------------------------------------------------------ */

/* The root in force as a parsed object, with a reference count behind it: release with repo_root_put(). REPO_ABSENT before
 * the first one. Sees journaled roots at once. */
int repo_root_get(const struct root **out, struct repo *repo, struct error *err) _must_check_;
void repo_root_put(struct repo *repo, const struct root *root);
/* Appends the whole statements of root versions from..newest. */
int repo_roots(struct buf *out, struct repo *repo, uint64_t from_version, struct error *err) _must_check_;

/* What a device said of its configuration by the policies in force, in the clear (docs/reference/formats.md section 10). */
struct repo_verdict {
	uint64_t number; /* 0: there is none */
	int64_t time_s;  /* as the device says */
	uint8_t hash[HASH_LEN];
	uint64_t snapshot; /* what was judged */
	uint8_t snapshot_hash[HASH_LEN];
	uint64_t policy; /* number and leaf of the order that brought the policies */
	uint8_t leaf[HASH_LEN];
	int64_t pass, fail, unknown, waived, not_applicable; /* rules; -1: not said */
};

struct repo_device {
	char id[ID_LEN + 1];
	char name[64];   /* from admit; "" before */
	char labels[1200]; /* "site:north role:ring", "" */
	char driver[64], model[128], serial[128], firmware[128];
	bool admitted;
	struct sign_pub key;
	struct age_recipient box;
	uint64_t head_number;      /* chain head, journaled ones included */
	uint8_t head_hash[HASH_LEN];
	uint64_t snapshot_number;  /* newest snapshot, 0: none */
	int64_t snapshot_s;        /* its time as the device says */
	uint64_t epoch;
	char saved[8];             /* yes, no, unknown, "" */
	int64_t unsaved_since_s;
	char mode[16];
	int64_t hold_s;
	unsigned forks;            /* alarms */
	int64_t enrolled_s, seen_s; /* seen: repo_touch(), not archived */
	char invite[ID_LEN + 1];
	uint64_t order;         /* the highest order number known for it, archived or said by itself */
	uint64_t status_order, status_head; /* what its last status said, not archived */
	char challenge[2 * HASH_LEN + 1]; /* of its last status, to which an order to erase it is bound; "" for none; not archived */
	char retired[8];     /* "", "wiped" (it said so), "lost" (it was given up, and its archive is shredded) */
	unsigned shreds;     /* orders to shred it, whatever became of them */
	unsigned misuses;    /* of the forks: statements by a key that is retired */
	bool certified;
	char hold_by[912];   /* who holds it, and why; "" */
	char drift[8];       /* against the baseline: yes, no, unknown, "" without one */
	int64_t drift_since_s;
	char changed_by[912]; /* by the device's own log, "" */
	struct repo_verdict verdict; /* the newest */
	int64_t ahead_since_s;  /* since when it says that its chain is longer than what is archived; 0: it is not */
};

/* What it takes to judge what a device says: asked for with each poll and receipt, so it is one short row. */
struct repo_signer {
	struct sign_pub key;
	bool admitted;
	char retired[8]; /* as in struct repo_device */
	unsigned shreds;
};
int repo_signer_get(struct repo_signer *out, struct repo *repo, const char *id, struct error *err) _must_check_; /* REPO_ABSENT */
/* REPO_ABSENT when unknown. Sees journaled statements at once (key, head). */
int repo_device_get(struct repo_device *out, struct repo *repo, const char *id, struct error *err) _must_check_;
/* All devices in order of name, then id; fn returns non-zero to stop. */
typedef int (*repo_device_fn)(void *ctx, const struct repo_device *device);
int repo_devices(struct repo *repo, repo_device_fn fn, void *ctx, struct error *err) _must_check_;
/* Notes a status: seen now, what it says of saved, unsaved-since, mode, hold, drift, changed-by, order, head, challenge. Not archived, not
 * durable. */
void repo_touch(struct repo *repo, const struct statement *status, int64_t now_s);
/* Statuses are written about once a second, for all devices together. Before a device is shown to people: what they said until now. */
void repo_touch_flush(struct repo *repo);

struct repo_entry {
	enum statement_type type;
	uint64_t number;
	int64_t time_s;     /* as the device says */
	uint64_t position;  /* in the log */
	char reason[64], saved[8], mode[16], note[912];
	uint64_t epoch, lines_added, lines_removed;
	uint8_t hash[HASH_LEN];
	char commit[41];
	/* of a receipt */
	uint64_t order;
	char batch[ID_LEN + 1], outcome[64], check[64], evidence[64];
};
/* A device's chain, newest first, at most limit, numbers below `below` (0: from the head). */
typedef int (*repo_entry_fn)(void *ctx, const struct repo_entry *entry);
int repo_log(struct repo *repo, const char *id, uint64_t below, unsigned limit, repo_entry_fn fn, void *ctx,
	     struct error *err) _must_check_;

/* What was in force on a device at some time: its newest snapshot that is not younger, by the device's word. */
struct repo_moment {
	char id[ID_LEN + 1];
	uint64_t number; /* 0: it had none yet */
	int64_t time_s;
};
/* Every device with an id behind `after` ("": all), by id, at most limit. */
typedef int (*repo_moment_fn)(void *ctx, const struct repo_moment *moment);
int repo_snapshots_at(struct repo *repo, const char *after, int64_t at_s, unsigned limit, repo_moment_fn fn, void *ctx, struct error *err)
	_must_check_;

/* Appends the full container (statement and every seal it lists) of snapshot `number` (0: newest). REPO_ABSENT. */
int repo_snapshot(struct buf *out, struct repo *repo, const char *id, uint64_t number, struct error *err) _must_check_;
/* The same of verdict `number` (0: newest), and its findings. */
int repo_verdict(struct buf *out, struct repo *repo, const char *id, uint64_t number, struct error *err) _must_check_;
/* A device's verdicts, newest first, at most limit, numbers below `below` (0: from the newest); fn returns non-zero to stop, and does not
 * call into repo/. REPO_ABSENT: there is no such device. */
typedef int (*repo_verdict_fn)(void *ctx, const struct repo_verdict *verdict);
int repo_verdicts(struct repo *repo, const char *id, uint64_t below, unsigned limit, repo_verdict_fn fn, void *ctx, struct error *err)
	_must_check_;
/* Appends the statement with signatures of one type: enrol, admit, or epoch (newest; number = epoch, 0 newest). No seals. */
int repo_statement(struct buf *out, struct repo *repo, const char *id, enum statement_type type, uint64_t number,
		   struct error *err) _must_check_;
/* Appends the epoch's full container: statement, body-key, secrets-key from the keyring. REPO_ABSENT when shredded. */
int repo_epoch(struct buf *out, struct repo *repo, const char *id, uint64_t epoch, struct error *err) _must_check_;
/* The epoch's identities as a reader sealed them anew, beside those of the statement; part: "body" or "secrets". Not in git, not in the
 * log: what is in it proves itself by the epoch's recipients. On disk when repo_rewrap_put() returns. REPO_ABSENT. */
int repo_rewrap_put(struct repo *repo, const char *id, uint64_t epoch, const char *part, struct bytes seal, struct error *err) _must_check_;
int repo_rewrap(struct buf *out, struct repo *repo, const char *id, uint64_t epoch, const char *part, struct error *err) _must_check_;
/* Appends, for every invite (id NULL) or one: the full invite container. */
int repo_invites(struct buf *out, struct repo *repo, const char *id, struct error *err) _must_check_;

/* ---- firmware ----------------------------------------------------------------------------------------------- */

/* Appends firmware statements by their time, leaving out the first `from`, at most 8 MiB: the rest is asked for with a larger `from`. */
int repo_firmware(struct buf *out, struct repo *repo, uint64_t from, struct error *err) _must_check_;
/* Does an archived firmware statement name the image with this SHA-256 (in hex) and size? REPO_ABSENT: none does. */
int repo_firmware_named(struct repo *repo, const char *image, uint64_t size, struct error *err) _must_check_;

/* ---- orders ------------------------------------------------------------------------------------------------- */

/* What is known of one wave of a batch. settled: with a last receipt; placed: those of them that are committed, and settled_s is the newest
 * of these commits' times. answered: with any receipt. */
struct repo_wave {
	uint32_t end;
	uint32_t orders, answered, settled, done, failed, placed;
	int64_t settled_s;
};

struct repo_batch {
	uint32_t orders; /* how many of them are archived */
	size_t wave_count;
	struct repo_wave waves[ORDER_WAVES_MAX];
};

/* All batches, or those with an order for this device, newest first by their own time; fn returns non-zero to stop, and does not call into
 * repo/. */
typedef int (*repo_batch_fn)(void *ctx, const char *id);
int repo_batches(struct repo *repo, const char *device, repo_batch_fn fn, void *ctx, struct error *err) _must_check_;
/* One batch. Appends its whole statement, and all controls about it in the order of the log; out, statement, controls may be NULL.
 * REPO_ABSENT. */
int repo_batch(struct repo_batch *out, struct buf *statement, struct buf *controls, struct repo *repo, const char *id, struct error *err)
	_must_check_;

struct repo_order {
	char batch[ID_LEN + 1], device[ID_LEN + 1], name[64]; /* name: as admitted, "" */
	uint32_t index, wave; /* wave: from 0 */
	uint64_t number;
	char outcome[64], check[64], note[912]; /* of the receipt that counts; "" */
	uint64_t receipt; /* its number; 0: none */
	int64_t time_s;   /* as the device says */
	bool is_settled, is_grouped;
	char kind[16];
	char after[ID_LEN + 1]; /* shred: the batch that must have erased the device; "": it was given up */
};
/* fn returns non-zero to stop, and does not call into repo/. */
typedef int (*repo_order_fn)(void *ctx, const struct repo_order *order);
/* A batch's orders by index, from..to-1. */
int repo_orders(struct repo *repo, const char *batch, uint32_t from, uint32_t to, repo_order_fn fn, void *ctx,
		struct error *err) _must_check_;
/* Orders without a last receipt: a device's by number, or everybody's (NULL). */
int repo_open_orders(struct repo *repo, const char *device, repo_order_fn fn, void *ctx, struct error *err) _must_check_;
/* The policies of a device: its newest order of kind policy; is_done: the newest of those that it carried out, which are in force.
 * REPO_ABSENT: there is none. */
int repo_policy(struct repo_order *out, struct repo *repo, const char *device, bool is_done, struct error *err) _must_check_;
/* Appends an order's container; without its payload, when with_payload is false. REPO_ABSENT also when it had one that is destroyed. */
int repo_order(struct buf *out, struct repo *repo, const char *batch, const char *device, bool with_payload,
	       struct error *err) _must_check_;
/* The receipts, healthy or last, of the others in the atomic group of a device's order: appended to out (may be NULL); then fn (may be
 * NULL) for each of these orders. */
int repo_group(struct buf *out, struct repo *repo, const char *batch, const char *device, repo_order_fn fn, void *ctx, struct error *err)
	_must_check_;
/* Appends one receipt of a device's chain; REPO_ABSENT. */
int repo_receipt(struct buf *out, struct repo *repo, const char *device, uint64_t number, struct error *err) _must_check_;
/* Appends, by index, the receipt that counts of every order of a batch that has one; REPO_ABSENT when there is no such batch. */
int repo_batch_receipts(struct buf *out, struct repo *repo, const char *batch, struct error *err) _must_check_;

/* Destroys payloads: of a batch, of a device, or of both; NULL means all. What is only journaled is packed first, so that nothing brings
 * them back. Returns 0 also when there are none; *count: how many there were. */
int repo_payloads_destroy(size_t *count, struct repo *repo, const char *batch, const char *device, struct error *err) _must_check_;
/* Destroys those whose order has had its last receipt, or has expired without one, before this time; and leaves their texts to git. What
 * repo_policy() finds stays. */
int repo_payloads_expire(size_t *count, struct repo *repo, int64_t before_s, struct error *err) _must_check_;

/* ---- advisories ---------------------------------------------------------------------------------------------- */

/* What people decided about advisories, by position in the log from this one on, at most limit; what is only journaled comes last and has
 * REPO_NO_POSITION. fn returns non-zero to stop, and does not call into repo/. */
#define REPO_NO_POSITION UINT64_MAX
typedef int (*repo_judgement_fn)(void *ctx, uint64_t position, struct bytes whole);
int repo_judgements(struct repo *repo, uint64_t from, unsigned limit, repo_judgement_fn fn, void *ctx, struct error *err) _must_check_;
/* Appends the document with this SHA-256 as a judgement brought it: one zstd frame. Packs first what is only journaled. REPO_ABSENT. */
int repo_judged_text(struct buf *out, struct repo *repo, const uint8_t document[static HASH_LEN], struct error *err) _must_check_;

/* ---- retirement ---------------------------------------------------------------------------------------------- */

/* Appends what was said of a device: of type shredded, the archive's first, then people's by name; or its certificate. */
int repo_said(struct buf *out, struct repo *repo, const char *device, enum statement_type type, struct error *err) _must_check_;
/* Orders to shred that the archive has not answered. */
int repo_open_shreds(struct repo *repo, repo_order_fn fn, void *ctx, struct error *err) _must_check_;
/* Where one order stands. REPO_ABSENT. */
int repo_order_look(struct repo_order *out, struct repo *repo, const char *batch, const char *device, struct error *err) _must_check_;

/* What of a device's archive opened: its epochs, and its snapshots. All 0: none. */
struct repo_span {
	uint64_t first_epoch, last_epoch, first_snapshot, last_snapshot;
	size_t payloads; /* that were there */
};
/* Destroys what opens a device's archive, for the order to shred it in this batch: packs what is journaled, so that nothing brings it back;
 * overwrites and removes the journal's files, the keyring's entries, and the payloads of its orders. A mark on the disk comes first: from
 * then on, also after a restart, the repository takes no epoch, rewrap or payload of the device, and repo_shreds_begun() names it. May be
 * called again, and goes on where it was cut off. Waits for the disk. */
int repo_shred(struct repo_span *out, struct repo *repo, const char *device, const char *batch, struct error *err) _must_check_;
/* The archive's own word is archived, and keeps the device's keys away from now on: the mark goes. */
int repo_shred_end(struct repo *repo, const char *device, struct error *err) _must_check_;
/* What has begun and not ended. fn returns non-zero to stop; it may call repo_shred(). */
typedef int (*repo_shred_fn)(void *ctx, const char *device, const char *batch);
int repo_shreds_begun(struct repo *repo, repo_shred_fn fn, void *ctx, struct error *err) _must_check_;
/* Destroys again what is there of devices that the archive said to have shredded: a backup of the keyring was put back, for instance.
 * *count: how many payloads, and folders of keys. */
int repo_shred_again(size_t *count, struct repo *repo, struct error *err) _must_check_;

struct repo_head {
	char commit[41];       /* "" when empty */
	uint64_t log_size;
};
int repo_head(struct repo_head *out, struct repo *repo, struct error *err) _must_check_;
/* While this stays the same, so do the head and the newest checkpoint. Without waiting for anything. */
uint64_t repo_head_mark(struct repo *repo);
/* Appends the newest checkpoint's whole statement; REPO_ABSENT before the first. */
int repo_checkpoint(struct buf *out, struct repo *repo, struct error *err) _must_check_;
/* The same for who has seen `from` statements of the log: when it has more now, the proof that it only grew follows (crypto/checkpoint.h).
 */
int repo_checkpoint_since(struct buf *out, struct repo *repo, uint64_t from, struct error *err) _must_check_;
/* Keeps a checkpoint that root_verify() accepted and a witness of this root cosigned: committed within about a second, below log/witness/.
 * It does not enter the log. REPO_SEEN: this or a newer one is kept already. REPO_FORK: our log is another one, or shorter. */
int repo_cosign(struct repo *repo, const struct root *root, const struct statement *checkpoint, struct error *err) _must_check_;
/* Appends the newest checkpoint that each witness of the root cosigned, in no order; nothing when there is none. */
void repo_cosigned(struct buf *out, struct repo *repo);
int repo_consistency(struct merkle_hash *proof, int *len, struct repo *repo, uint64_t old_size, uint64_t new_size,
		     struct error *err) _must_check_;
/* Where the statement with this leaf lies in the log when it had this size, and the proof. REPO_ABSENT: it does not. */
int repo_place(struct merkle_place *out, struct repo *repo, const struct merkle_hash *leaf, uint64_t size, struct error *err) _must_check_;

/* ---- looking at any archive, a mirror for instance: no index, no key, offline ------------------------------- */

/* What an audit found wrong; kind is a word ("commit-signature", "statement-signature", "chain", "order", "receipt", "log", "seal",
 * "layout",
 * ...). */
typedef void (*repo_finding_fn)(void *ctx, const char *kind, const char *where, const char *text);
struct repo_audit_witness {
	char name[64];
	bool is_named;  /* by the newest root */
	uint64_t size;  /* of the newest log that it cosigned; 0: none */
	int64_t time_s; /* of that checkpoint */
};
struct repo_audit {
	uint64_t commits, statements, devices, seals, findings;
	char tip[41];
	uint64_t log_size;
	uint8_t log_root[HASH_LEN];
	uint64_t seen_size; /* the log as of the commit must_contain; 0: it is not there */
	uint8_t seen_root[HASH_LEN];
	size_t witness_count; /* those that the newest root names, and others that left something */
	struct repo_audit_witness witnesses[2 * ROOT_WITNESSES_MAX];
	int64_t uncovered_s; /* when the first statement was committed that no witness of the newest root vouches for; 0: there is none */
};
/* Walks every commit of refs/heads/main of the bare repository at path, oldest first: commit signatures by an archive key
 * of the root then in force, every new statement verified, roots in succession from the one whose fleet id is given, chains
 * without gap, orders that are leaves of their batch and receipts that answer one, seals of the right hash, the log's
 * checkpoints, nothing that has no place there. must_contain: a commit that has to be an ancestor (or NULL). progress may be
 * NULL. */
int repo_audit(struct repo_audit *out, const char *path, const char *fleet, const char *must_contain, repo_finding_fn fn, void *ctx,
	       void (*progress)(void *ctx, uint64_t done, uint64_t total), struct error *err) _must_check_;

/* The newest checkpoint of a bare repository, appended to *checkpoint, and how its log grew from its first `from` statements. 1: it has
 * fewer (the checkpoint is appended all the same). Believes what lies there: repo_audit() judges it. */
int repo_mirror_growth(struct merkle_growth *out, struct buf *checkpoint, const char *path, uint64_t from, struct error *err) _must_check_;

/* As repo_snapshot() and friends, but from a bare repository alone, at a revision ("main" when NULL). */
int repo_mirror_devices(const char *path, repo_device_fn fn, void *ctx, struct error *err) _must_check_;
