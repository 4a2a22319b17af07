/* repo/audit.c -- judges any archive from the git folder alone: no index, no key, no network.
 *
 * It walks the one line of commits from the first and believes nothing that it has not verified: each root by the root before it (the
 * first by the fleet id that the caller knows), each commit by an archive key of the root in force, each statement by whoever may sign
 * it, each order by its batch, each device's chain by its numbers and hashes, each seal by its hash, each checkpoint by the log rebuilt on
 * the way; and so is every checkpoint that a device says it saw, or a witness cosigned: a log that was another one when they looked is
 * found out. */
#include "repo/audit-orders.h"
#include "repo/git.h"
#include "repo/history.h"
#include "repo/layout.h"
#include "repo/mirror.h"
#include "repo/repo.h"

#include "crypto/judgement.h"
#include "crypto/sshsig.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A statement of a chain. */
struct moment {
	uint64_t number;
	uint8_t hash[HASH_LEN];
};

struct chain {
	char id[ID_LEN + 1];
	struct sign_pub key;
	uint64_t number;
	uint8_t head[HASH_LEN], enrol[HASH_LEN];
	struct moment *snapshots; /* what a verdict may be about */
	size_t snapshot_count;
	bool admitted;
	bool is_retired;  /* its key was destroyed, or given up */
	bool is_shredded; /* the archive said so, in: */
	uint8_t shredded[HASH_LEN], shred[HASH_LEN]; /* and the batch that told it to */
};

/* What the log was after a commit. */
struct point {
	uint64_t size;
	struct merkle_hash tree;
	int64_t time_s; /* of the commit */
};

struct audit {
	struct repo_audit *out;
	const char *fleet, *must_contain;
	repo_finding_fn fn;
	void *ctx;
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	git_repository *git;
	struct root *root;
	uint8_t levels[ROOT_CHAIN_MAX + 1]; /* by version of the root: 1 and its enum metadata; 0: it has not come yet */
	struct merkle log;
	void *chains; /* tsearch(3) tree of struct chain by id */
	struct order_book *orders;
	struct point *points; /* by size */
	size_t point_count;
	int64_t checkpoint_s;
};

static void found(struct audit *a, const char *kind, const char *where, const char *text)
{
	a->out->findings++;
	a->fn(a->ctx, kind, where, text);
}

static int chain_cmp(const void *a, const void *b)
{
	return strcmp(((const struct chain *)a)->id, ((const struct chain *)b)->id);
}

static void chain_free(void *ptr)
{
	free(((struct chain *)ptr)->snapshots);
	free(ptr);
}

static struct chain *chain_of(struct audit *a, const char *id)
{
	struct chain probe, **at;

	memcpy(probe.id, id, ID_LEN + 1);
	at = tfind(&probe, &a->chains, chain_cmp);
	return at ? *at : NULL;
}

/* ---- the log as others saw it ---- */

static void add_point(struct audit *a, int64_t time_s)
{
	size_t n = a->point_count;

	if (n && a->points[n - 1].size == a->log.size)
		return;
	if (!(n & (n - 1)))
		a->points = mem_grow(a->points, (n ? 2 * n : 1) * sizeof(*a->points));
	a->points[a->point_count++] = (struct point){ a->log.size, merkle_root(&a->log), time_s };
}

static int by_size(const void *a, const void *b)
{
	const struct point *x = a, *y = b;

	return x->size < y->size ? -1 : x->size > y->size;
}

/* Did a commit so far end the log like this? */
static bool had_point(const struct audit *a, uint64_t size, const uint8_t *tree)
{
	struct point probe = { .size = size }, *found = NULL;

	if (a->point_count)
		found = bsearch(&probe, a->points, a->point_count, sizeof(probe), by_size);
	return found && !memcmp(found->tree.b, tree, HASH_LEN);
}

static void audit_echo(struct audit *a, const struct history_item *item)
{
	uint8_t tree[HASH_LEN];
	uint64_t size;

	if (statement_get_point(&size, tree, item->st, "checkpoint") && !had_point(a, size, tree))
		found(a, "seen", item->path,
		      "the device was shown another log than this one when it signed: the history was rewritten, cut or forked");
}

static struct repo_audit_witness *witness_of(struct audit *a, const char *name)
{
	struct repo_audit *out = a->out;

	for (size_t i = 0; i < out->witness_count; i++)
		if (!strcmp(out->witnesses[i].name, name))
			return &out->witnesses[i];
	if (out->witness_count == ARRAY_SIZE(out->witnesses))
		return NULL;
	snprintf(out->witnesses[out->witness_count].name, sizeof(out->witnesses[0].name), "%s", name);
	return &out->witnesses[out->witness_count++];
}

static void audit_cosigned(struct audit *a, const struct history_cosigned *c)
{
	_cleanup_(mem_freep) char *path = mem_printf("log/witness/%s", c->name);
	struct repo_audit_witness *w = witness_of(a, c->name);
	const char *name = a->root ? root_cosigner(a->root, c->st) : NULL;
	uint64_t size = statement_number(c->st, "size");
	struct error err = { 0 };
	uint8_t tree[HASH_LEN];

	if (!name || strcmp(name, c->name) != 0) {
		found(a, "witness", path, "it is not cosigned by the witness whose name it bears");
	} else if (root_verify(a->root, c->st, &err) < 0) {
		found(a, "witness", path, err.text);
	} else if (!statement_get_hash(tree, c->st, "tree") || !had_point(a, size, tree)) {
		found(a, "witness", path, "the witness vouches for another log than this one: the history was rewritten, cut or forked");
	} else if (w && size >= w->size) {
		w->size = size;
		w->time_s = statement_time(c->st, "time");
	}
}

/* Once all is walked: whose word counts, and how far it reaches. */
static void sum_up_witnesses(struct audit *a)
{
	struct repo_audit *out = a->out;
	uint64_t covered = 0;
	const char *name;

	for (size_t i = 0; a->root && (name = root_witness(a->root, i)); i++) {
		struct repo_audit_witness *w = witness_of(a, name);

		if (!w)
			continue;
		w->is_named = true;
		covered = w->size > covered ? w->size : covered;
	}
	for (size_t i = 0; i < a->point_count && !out->uncovered_s; i++)
		if (a->points[i].size > covered)
			out->uncovered_s = a->points[i].time_s;
}

/* ---- statements ---- */

static void audit_root(struct audit *a, const struct history_item *item)
{
	struct error err = { 0 };
	struct statement *copy = NULL;
	struct root *next = NULL;
	int r = statement_parse(&copy, statement_whole(item->st), false, NULL, &err);

	if (r == 0)
		r = root_new(&next, copy, &err);
	if (r == 0)
		r = a->root ? root_succeeds(a->root, next, &err) : root_accept_first(next, a->fleet, &err);
	if (r < 0) {
		found(a, "root", item->path, err.text);
		root_free(next);
		return;
	}
	root_free(a->root);
	a->root = next;
	if (root_version(next) <= ROOT_CHAIN_MAX)
		a->levels[root_version(next)] = (uint8_t)(1 + root_metadata(next));
}

static void audit_enrol(struct audit *a, const struct history_item *item)
{
	const char *id = statement_get(item->st, "device");
	struct chain *chain = mem_alloc(sizeof(*chain));
	struct error err = { 0 };
	char made[ID_LEN + 1];

	memcpy(chain->id, id, ID_LEN + 1);
	chain->number = 1;
	memcpy(chain->head, statement_hash(item->st), HASH_LEN);
	memcpy(chain->enrol, statement_hash(item->st), HASH_LEN);
	if (sign_pub_parse(&chain->key, bytes_str(statement_get(item->st, "key")), false, &err) < 0 ||
	    statement_verify_by(item->st, &chain->key, &err) < 0)
		found(a, "statement-signature", item->path, err.text);
	sign_pub_id(made, &chain->key);
	if (strcmp(made, id) != 0)
		found(a, "statement-signature", item->path, "the device's id is not made from its key");
	if (chain_of(a, id)) {
		found(a, "chain", item->path, "the device is enrolled a second time");
		free(chain);
		return;
	}
	if (!tsearch(chain, &a->chains, chain_cmp))
		abort(); /* out of memory */
	a->out->devices++;
}

static void audit_admit(struct audit *a, const struct history_item *item)
{
	struct chain *chain = chain_of(a, statement_get(item->st, "device"));
	struct error err = { 0 };
	uint8_t enrol[HASH_LEN];

	if (!a->root || root_verify(a->root, item->st, &err) < 0)
		found(a, "statement-signature", item->path, a->root ? err.text : "there is no root yet");
	if (!chain || !statement_get_hash(enrol, item->st, "enrol") || memcmp(enrol, chain->enrol, HASH_LEN) != 0)
		found(a, "chain", item->path, "it admits an enrolment that is not there");
	else
		chain->admitted = true;
}

/* False when it is not the one, which is a finding. */
static bool read_seal(struct buf *out, struct audit *a, const git_oid *commit, const char *path, const struct seal_ref *ref)
{
	struct error err = { 0 };
	uint8_t hash[HASH_LEN];

	if (git_read_file(out, a->git, commit, path, CONTAINER_MAX, &err) != 0) {
		found(a, "seal", path, err.code ? err.text : "it is named by a statement and not there");
		return false;
	}
	a->out->seals++;
	sha256(hash, buf_bytes(out));
	if (out->len == ref->len && !memcmp(hash, ref->hash, HASH_LEN))
		return true;
	found(a, "seal", path, "it is not the one that the statement names");
	return false;
}

static void audit_seals(struct audit *a, const struct history_item *item, const git_oid *commit)
{
	struct seal_ref refs[CONTAINER_SEALS_MAX];
	enum statement_type type = statement_type(item->st);
	size_t n =
		type == STATEMENT_SNAPSHOT || type == STATEMENT_VERDICT ? statement_seals(refs, item->st) : 0; /* the rest is not in git */

	for (size_t i = 0; i < n; i++) {
		_cleanup_(mem_freep) char *name = mem_printf("%s.age", refs[i].name);
		_cleanup_(buf_done) struct buf seal = { 0 };
		char path[PATH_MAX_LEN];

		layout_device_path(path, statement_get(item->st, "device"), name);
		(void)read_seal(&seal, a, commit, path, &refs[i]);
	}
}

/* The document that a judgement brought. */
static void audit_text(struct audit *a, const struct history_item *item, const git_oid *commit)
{
	_cleanup_(buf_done) struct buf text = { 0 }, document = { 0 };
	char path[PATH_MAX_LEN];
	struct error err = { 0 };
	struct seal_ref ref;

	if (!statement_seal(&ref, item->st, "text"))
		return;
	layout_text_path(path, item->st);
	if (!read_seal(&text, a, commit, path, &ref))
		return;
	if (judgement_open_text(&document, item->st, buf_bytes(&text), &err) < 0)
		found(a, "seal", path, err.text);
}

static void audit_chain(struct audit *a, const struct history_item *item, const git_oid *commit)
{
	struct chain *chain = chain_of(a, statement_get(item->st, "device"));
	struct error err = { 0 };
	uint8_t prev[HASH_LEN];

	if (!chain) {
		found(a, "chain", item->path, "its device was never enrolled");
		return;
	}
	if (statement_verify_by(item->st, &chain->key, &err) < 0)
		found(a, "statement-signature", item->path, err.text);
	if (!chain->admitted)
		found(a, "chain", item->path, "its device is not admitted");
	if (chain->is_retired)
		found(a, "retired", item->path, "its device was retired before: its key is used all the same");
	if (statement_number(item->st, "number") != chain->number + 1 || !statement_get_hash(prev, item->st, "prev") ||
	    memcmp(prev, chain->head, HASH_LEN) != 0)
		found(a, "chain", item->path, "it does not follow the statement before it: one is missing or was replaced");
	chain->number = statement_number(item->st, "number");
	memcpy(chain->head, statement_hash(item->st), HASH_LEN);
	audit_echo(a, item);
	audit_seals(a, item, commit);
}

/* ---- verdicts ---- */

static void note_snapshot(struct audit *a, const struct statement *st)
{
	struct chain *chain = chain_of(a, statement_get(st, "device"));
	size_t n;

	if (!chain)
		return;
	n = chain->snapshot_count++;
	if (!(n & (n - 1)))
		chain->snapshots = mem_grow(chain->snapshots, (n ? 2 * n : 1) * sizeof(*chain->snapshots));
	chain->snapshots[n].number = statement_number(st, "number");
	memcpy(chain->snapshots[n].hash, statement_hash(st), HASH_LEN);
}

static bool has_snapshot(const struct chain *chain, uint64_t number, const uint8_t hash[static HASH_LEN])
{
	for (size_t i = chain->snapshot_count; i--;) /* mostly it is the newest */
		if (chain->snapshots[i].number == number)
			return !memcmp(chain->snapshots[i].hash, hash, HASH_LEN);
	return false;
}

/* What a verdict says in the clear must be no more than the root allows that the device knew. */
static bool says_too_much(struct audit *a, const struct statement *st)
{
	static const char *const counts[] = { "pass", "fail", "unknown", "waived", "not-applicable" };
	uint64_t version = statement_number(st, "root");
	unsigned level = version <= ROOT_CHAIN_MAX ? a->levels[version] : 0;
	bool has_counts = false;

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		has_counts |= statement_get(st, counts[i]) != NULL;
	return level &&
	       ((has_counts && level <= METADATA_MINIMAL + 1U) || (statement_count(st, "section") && level <= METADATA_COUNTS + 1U));
}

static void audit_verdict(struct audit *a, const struct history_item *item)
{
	struct chain *chain = chain_of(a, statement_get(item->st, "device"));
	uint8_t judged[HASH_LEN];
	uint64_t number = 0;

	statement_get_point(&number, judged, item->st, "snapshot");
	if (chain && !has_snapshot(chain, number, judged))
		found(a, "verdict", item->path, "it judges a snapshot that is not in the device's chain");
	if (says_too_much(a, item->st))
		found(a, "verdict", item->path, "it says more in the clear than the root's 'metadata' allows");
}

/* Evidence: a statement that the device did sign and that does not fit. It is no fault of the archive, but somebody must know. */
static void audit_fork(struct audit *a, const struct history_item *item)
{
	struct chain *chain = chain_of(a, statement_get(item->st, "device"));
	struct error err = { 0 };

	if (chain && statement_verify_by(item->st, &chain->key, &err) == 0)
		found(a, chain->is_retired ? "retired" : "fork", item->path,
		      chain->is_retired ? "the key of a retired device was used" :
					  "the device signed two statements with one number: a clone, or a roll-back of its memory");
}

/* ---- orders ---- */

static void audit_order(struct audit *a, const struct history_item *item)
{
	struct chain *chain = chain_of(a, statement_get(item->st, "device"));
	struct error err = { 0 };

	if (order_book_order(a->orders, item->st, &err) < 0)
		found(a, "order", item->path, err.text);
	if (!chain || !chain->admitted)
		found(a, "order", item->path, "its device is not admitted");
}

/* ORDER_KINDS: there is no such batch. */
static enum order_kind kind_of(struct audit *a, const uint8_t batch[static HASH_LEN])
{
	const struct statement *st = order_book_find(a->orders, batch);
	enum order_kind kind;

	return st && order_kind_parse(&kind, statement_get(st, "kind")) ? kind : (enum order_kind)ORDER_KINDS;
}

/* With its last word a device that was erased destroys its key. */
static void note_erased(struct audit *a, const struct statement *receipt)
{
	struct chain *chain = chain_of(a, statement_get(receipt, "device"));
	uint8_t batch[HASH_LEN];

	statement_get_hash(batch, receipt, "batch");
	if (chain && !strcmp(statement_get(receipt, "outcome"), "done") && order_kind_erases(kind_of(a, batch)))
		chain->is_retired = true;
}

static void audit_receipt(struct audit *a, const struct history_item *item)
{
	struct error err = { 0 };

	if (order_book_receipt(a->orders, item->st, item->path, &err) < 0)
		found(a, "receipt", item->path, err.text);
	note_erased(a, item->st);
}

/* ---- retirement ---- */

static void audit_shredded(struct audit *a, const struct history_item *item)
{
	struct chain *chain = chain_of(a, statement_get(item->st, "device"));
	struct error err = { 0 };
	uint8_t hash[HASH_LEN];

	if (!a->root || root_verify(a->root, item->st, &err) < 0)
		found(a, "statement-signature", item->path, a->root ? err.text : "there is no root yet");
	statement_get_hash(hash, item->st, "batch");
	if (kind_of(a, hash) != ORDER_SHRED)
		found(a, "shredded", item->path, "nobody here ordered it");
	if (!chain) {
		found(a, "shredded", item->path, "its device was never enrolled");
	} else if (!strcmp(statement_get(item->st, "by"), "archive")) {
		chain->is_retired = chain->is_shredded = true;
		memcpy(chain->shredded, statement_hash(item->st), HASH_LEN);
		memcpy(chain->shred, hash, HASH_LEN);
	} else if (!chain->is_shredded) {
		found(a, "shredded", item->path, "a person said so before the archive did");
	}
}

static void audit_certificate(struct audit *a, const struct history_item *item)
{
	struct chain *chain = chain_of(a, statement_get(item->st, "device"));
	struct error err = { 0 };
	uint8_t shred[HASH_LEN], first[HASH_LEN];

	if (!a->root || root_verify(a->root, item->st, &err) < 0)
		found(a, "statement-signature", item->path, a->root ? err.text : "there is no root yet");
	else if (!root_is_archived(a->root, item->st))
		found(a, "statement-signature", item->path, "the certificate is not signed by the archive");
	statement_get_hash(shred, item->st, "shred");
	hex_decode(first, sizeof(first), bytes_str(statement_at(item->st, "shredded", 0)));
	if (!chain || !chain->is_shredded || memcmp(first, chain->shredded, HASH_LEN) != 0 || memcmp(shred, chain->shred, HASH_LEN) != 0)
		found(a, "certificate", item->path, "it names another shredding than the archive's");
}

static void found_stray(void *ctx, const char *path)
{
	found(ctx, "stray", path, "the device was given an order that is not in this archive: somebody forged one, or it was lost");
}

/* What a person signs, and the root in force decides about it. */
static void audit_signed(struct audit *a, const struct history_item *item,
			 int (*verify)(const struct statement *st, const struct root *root, struct error *err))
{
	struct error err = { 0 };

	if (!a->root || verify(item->st, a->root, &err) < 0)
		found(a, "statement-signature", item->path, a->root ? err.text : "there is no root yet");
}

static int verify_by_root(const struct statement *st, const struct root *root, struct error *err)
{
	return root_verify(root, st, err);
}

static void audit_decision(struct audit *a, const struct history_item *item)
{
	struct error err = { 0 };
	int r = statement_type(item->st) == STATEMENT_BATCH ? order_book_batch(a->orders, item->st, a->root, &err) :
							      order_book_control(a->orders, item->st, a->root, &err);

	if (r < 0)
		found(a, "statement-signature", item->path, err.text);
}

/* A part of a device's chain, and what it is besides. */
static void audit_link(struct audit *a, const struct history_item *item, const git_oid *commit)
{
	enum statement_type type = statement_type(item->st);

	audit_chain(a, item, commit);
	if (type == STATEMENT_SNAPSHOT)
		note_snapshot(a, item->st);
	else if (type == STATEMENT_VERDICT)
		audit_verdict(a, item);
	else if (type == STATEMENT_RECEIPT)
		audit_receipt(a, item);
}

static void audit_statement(struct audit *a, const struct history_item *item, const git_oid *commit)
{
	switch (statement_type(item->st)) {
	case STATEMENT_ROOT:
		audit_root(a, item);
		return;
	case STATEMENT_INVITE:
	case STATEMENT_FIRMWARE:
		audit_signed(a, item, verify_by_root);
		return;
	case STATEMENT_JUDGEMENT:
		audit_signed(a, item, judgement_verify);
		audit_text(a, item, commit);
		return;
	case STATEMENT_ENROL:
		audit_enrol(a, item);
		return;
	case STATEMENT_ADMIT:
		audit_admit(a, item);
		return;
	case STATEMENT_EPOCH:
	case STATEMENT_SNAPSHOT:
	case STATEMENT_VERDICT:
	case STATEMENT_RECEIPT:
		audit_link(a, item, commit);
		return;
	case STATEMENT_BATCH:
	case STATEMENT_CONTROL:
		audit_decision(a, item);
		return;
	case STATEMENT_ORDER:
		audit_order(a, item);
		return;
	case STATEMENT_SHREDDED:
		audit_shredded(a, item);
		return;
	case STATEMENT_CERTIFICATE:
		audit_certificate(a, item);
		return;
	case STATEMENT_STATUS:
	case STATEMENT_CHECKPOINT:
	case STATEMENT_LOGIN:
	case STATEMENT_WAIVER:
		found(a, "layout", item->path, "a statement of this type has no place here");
		return;
	}
}

static void audit_item(struct audit *a, const struct history_item *item, const git_oid *commit)
{
	char path[PATH_MAX_LEN];

	layout_path(path, item->st, item->is_fork);
	if (strcmp(path, item->path) != 0)
		found(a, "layout", item->path, "a statement lies here whose place is elsewhere");
	if (item->is_fork)
		audit_fork(a, item);
	else
		audit_statement(a, item, commit);
}

/* ---- commits ---- */

static void audit_signature(struct audit *a, const struct history_commit *commit)
{
	git_buf sig = { 0 }, data = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct sign_pub keys[4];
	struct sshsig parsed;
	struct error err = { 0 };
	git_oid id = commit->id;
	bool known = false;
	size_t used, n;

	if (!a->root) {
		found(a, "commit-signature", commit->hex, "the first commit brings no root that could say whose signature counts");
		return;
	}
	if (git_commit_extract_signature(&sig, &data, a->git, &id, "gpgsig") < 0) {
		found(a, "commit-signature", commit->hex, "it is not signed");
		return;
	}
	buf_add(&text, sig.ptr, sig.size);
	if (!text.len || text.ptr[text.len - 1] != '\n')
		buf_add_char(&text, '\n');
	n = root_archive_keys(keys, ARRAY_SIZE(keys), a->root);
	if (sshsig_parse(&parsed, buf_bytes(&text), &used, &err) < 0 ||
	    sshsig_verify(&parsed, "git", bytes_of(data.ptr, data.size), &err) < 0) {
		found(a, "commit-signature", commit->hex, err.text);
	} else {
		for (size_t i = 0; i < n; i++)
			known = known || sign_pub_equal(&keys[i], &parsed.key);
		if (!known)
			found(a, "commit-signature", commit->hex, "it is signed by a key that is not the archive's");
	}
	git_buf_dispose(&sig);
	git_buf_dispose(&data);
}

static void audit_log(struct audit *a, const struct history_commit *commit)
{
	struct merkle_hash root, said;
	struct error err = { 0 };

	for (size_t i = 0; i < commit->count; i++)
		merkle_add(&a->log, merkle_leaf(statement_text(commit->items[i].st)));
	add_point(a, commit->time_s);
	if (!commit->checkpoint) {
		if (commit->count || commit->has_seals || !commit->cosigned_count)
			found(a, "log", commit->hex, "it brings no checkpoint");
		return;
	}
	if (statement_time(commit->checkpoint, "time") < a->checkpoint_s)
		found(a, "log", commit->hex, "its checkpoint is dated before the one before it: it was dated back");
	a->checkpoint_s = statement_time(commit->checkpoint, "time");
	if (!a->root || root_verify(a->root, commit->checkpoint, &err) < 0)
		found(a, "log", commit->hex, a->root ? err.text : "there is no root yet");
	root = merkle_root(&a->log);
	if (statement_number(commit->checkpoint, "size") != a->log.size || !statement_get_hash(said.b, commit->checkpoint, "tree") ||
	    memcmp(said.b, root.b, HASH_LEN) != 0)
		found(a, "log", commit->hex,
		      "its checkpoint does not match the statements that lie there: something was dropped, added or moved");
}

static int audit_commit(void *ctx, const struct history_commit *commit, uint64_t index, uint64_t total, struct error *err _unused_)
{
	struct audit *a = ctx;
	_cleanup_(mem_freep) struct history_item **order = mem_alloc((commit->count + 1) * sizeof(*order));

	history_in_order(order, commit);
	for (size_t i = 0; i < commit->oddity_count; i++)
		found(a, "layout", commit->oddities[i].path, commit->oddities[i].text);
	for (size_t i = 0; i < commit->count; i++)
		audit_item(a, order[i], &commit->id);
	audit_signature(a, commit);
	audit_log(a, commit);
	for (size_t i = 0; i < commit->cosigned_count; i++)
		audit_cosigned(a, &commit->cosigned[i]);
	a->out->commits++;
	a->out->statements += commit->count;
	memcpy(a->out->tip, commit->hex, sizeof(commit->hex));
	if (a->must_contain && !strcmp(a->must_contain, commit->hex)) {
		struct merkle_hash root = merkle_root(&a->log);

		a->out->seen_size = a->log.size;
		memcpy(a->out->seen_root, root.b, HASH_LEN);
	}
	if (a->progress)
		a->progress(a->ctx, index + 1, total);
	return 0;
}

int repo_audit(struct repo_audit *out, const char *path, const char *fleet, const char *must_contain, repo_finding_fn fn, void *ctx,
	       void (*progress)(void *ctx, uint64_t done, uint64_t total), struct error *err)
{
	struct audit a = { .out = out, .fleet = fleet, .must_contain = must_contain, .fn = fn, .ctx = ctx, .progress = progress };
	struct git_store *git = NULL;
	struct merkle_hash root;
	git_oid tip;
	int r = mirror_open(&git, &tip, path, err);

	*out = (struct repo_audit){ 0 };
	if (r < 0)
		return r;
	a.git = git_store_repository(git);
	a.orders = order_book_new();
	r = history_walk(a.git, &tip, NULL, audit_commit, &a, err);
	if (r == 0 && must_contain && !out->seen_size)
		found(&a, "history", out->tip,
		      "the commit that was seen before is not part of this history: it was rewritten, or another one is shown");
	order_book_strays(a.orders, found_stray, &a);
	sum_up_witnesses(&a);
	out->log_size = a.log.size;
	root = merkle_root(&a.log);
	memcpy(out->log_root, root.b, HASH_LEN);
	free(a.points);
	tdestroy(a.chains, chain_free);
	order_book_free(a.orders);
	root_free(a.root);
	git_store_close(git);
	return r;
}
