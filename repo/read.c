/* repo/read.c -- reading: from the index and the trees, from any thread. */
#include "repo/parts.h"

#include "base/log.h"
#include "repo/keyring.h"
#include "repo/layout.h"
#include "repo/signer-cache.h"

#include <string.h>

int repo_roots(struct buf *out, struct repo *repo, uint64_t from_version, struct error *err _unused_)
{
	pthread_mutex_lock(&repo->root_lock);
	for (size_t i = 0; i < repo->root_count; i++)
		if (root_version(repo->roots[i]) >= from_version)
			buf_add_bytes(out, statement_whole(root_statement(repo->roots[i])));
	pthread_mutex_unlock(&repo->root_lock);
	return 0;
}

int repo_signer_get(struct repo_signer *out, struct repo *repo, const char *id, struct error *err)
{
	uint64_t state = store_signers_state(repo->store);
	int r;

	if (signer_cache_get(out, repo->signers, state, id))
		return 0;
	pthread_mutex_lock(&repo->reading_lock);
	r = store_signer(out, repo->reading, id, err);
	pthread_mutex_unlock(&repo->reading_lock);
	if (r == 0)
		signer_cache_put(repo->signers, state, id, out);
	return r;
}

int repo_device_get(struct repo_device *out, struct repo *repo, const char *id, struct error *err)
{
	int r;

	if (rows_show(repo, err) < 0)
		return err->code;
	pthread_mutex_lock(&repo->reading_lock);
	r = store_device(out, repo->reading, id, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

int repo_devices(struct repo *repo, repo_device_fn fn, void *ctx, struct error *err)
{
	int r;

	if (rows_show(repo, err) < 0)
		return err->code;
	pthread_mutex_lock(&repo->reading_lock);
	r = store_devices(repo->reading, fn, ctx, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

int repo_log(struct repo *repo, const char *id, uint64_t below, unsigned limit, repo_entry_fn fn, void *ctx, struct error *err)
{
	struct repo_device device;
	int r;

	if (rows_show(repo, err) < 0)
		return err->code;
	pthread_mutex_lock(&repo->reading_lock);
	r = store_device(&device, repo->reading, id, err);
	if (r == 0)
		r = store_log(repo->reading, id, below, limit, fn, ctx, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

int repo_snapshots_at(struct repo *repo, const char *after, int64_t at_s, unsigned limit, repo_moment_fn fn, void *ctx, struct error *err)
{
	int r;

	if (rows_show(repo, err) < 0)
		return err->code;
	pthread_mutex_lock(&repo->reading_lock);
	r = store_snapshots_at(repo->reading, after, at_s, limit, fn, ctx, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

/* Where a statement lies, packing first what is only journaled. */
static int find_packed(git_oid *out, struct repo *repo, const char *id, enum statement_type type, uint64_t number, struct error *err)
{
	char hex[41] = "";
	int r = 0;

	if (rows_show(repo, err) < 0)
		return err->code;
	for (int attempt = 0; attempt < 2; attempt++) {
		pthread_mutex_lock(&repo->reading_lock);
		r = store_find(hex, repo->reading, id, type, number, err);
		pthread_mutex_unlock(&repo->reading_lock);
		if (r != 0)
			return r;
		if (hex[0])
			return git_oid_fromstr(out, hex) < 0 ? git_fail(err, "index holds no commit id") : 0;
		r = repo_flush(repo, err);
		if (r < 0)
			return r;
	}
	return error_set(err, E_SYS, "statement is not packed yet: try again");
}

static int read_file(struct buf *out, struct repo *repo, const git_oid *commit, const char *path, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = git_read_file(out, git_store_repository(repo->reading_git), commit, path, CONTAINER_MAX, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

/* A statement of a device at a commit, and every seal it lists when `seals`. */
static int read_container(struct buf *out, struct repo *repo, const git_oid *commit, const char *id, const char *name, bool seals,
			  struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct seal_ref refs[CONTAINER_SEALS_MAX];
	char path[PATH_MAX_LEN];
	size_t begin = out->len, count;
	int r;

	layout_device_path(path, id, name);
	r = read_file(out, repo, commit, path, err);
	if (r == 0)
		r = statement_parse(&st, bytes_from(buf_bytes(out), begin), false, NULL, err);
	if (r != 0)
		return r < 0 ? r : error_set(err, E_SYS, "'%s' is not where the index says: run 'holdfastd reindex'", path);
	count = seals ? statement_seals(refs, st) : 0;
	for (size_t i = 0; i < count; i++) {
		_cleanup_(mem_freep) char *file = mem_printf("%s.age", refs[i].name);

		layout_device_path(path, id, file);
		r = read_file(out, repo, commit, path, err);
		if (r != 0)
			return r < 0 ? r : error_set(err, E_SYS, "seal '%s' is missing from the archive", path);
	}
	return 0;
}

int repo_snapshot(struct buf *out, struct repo *repo, const char *id, uint64_t number, struct error *err)
{
	git_oid commit;
	int r = find_packed(&commit, repo, id, STATEMENT_SNAPSHOT, number, err);

	return r ? r == 1 ? REPO_ABSENT : r : read_container(out, repo, &commit, id, "snapshot", true, err);
}

int repo_verdict(struct buf *out, struct repo *repo, const char *id, uint64_t number, struct error *err)
{
	git_oid commit;
	int r = find_packed(&commit, repo, id, STATEMENT_VERDICT, number, err);

	return r ? r == 1 ? REPO_ABSENT : r : read_container(out, repo, &commit, id, "verdict", true, err);
}

int repo_verdicts(struct repo *repo, const char *id, uint64_t below, unsigned limit, repo_verdict_fn fn, void *ctx, struct error *err)
{
	struct repo_device device;
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_device(&device, repo->reading, id, err);
	if (r == 0)
		r = store_verdicts(repo->reading, id, below, limit, fn, ctx, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

int repo_firmware(struct buf *out, struct repo *repo, uint64_t from, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_firmware(out, repo->reading, from, CONTAINER_MAX, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

int repo_firmware_named(struct repo *repo, const char *image, uint64_t size, struct error *err)
{
	bool is_named = false;
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = store_has_image(&is_named, repo->reading, image, size, err);
	pthread_mutex_unlock(&repo->reading_lock);
	return r < 0 ? r : is_named ? 0 : REPO_ABSENT;
}

int repo_statement(struct buf *out, struct repo *repo, const char *id, enum statement_type type, uint64_t number, struct error *err)
{
	git_oid commit;
	int r;

	if (type == STATEMENT_ENROL || type == STATEMENT_ADMIT) {
		pthread_mutex_lock(&repo->reading_lock);
		r = store_newest(out, repo->reading, id, type, err);
		pthread_mutex_unlock(&repo->reading_lock);
		return r;
	}
	r = find_packed(&commit, repo, id, type, number, err);
	return r ? r : read_container(out, repo, &commit, id, statement_type_name(type), false, err);
}

int repo_epoch(struct buf *out, struct repo *repo, const char *id, uint64_t epoch, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	size_t begin = out->len;
	int r = repo_statement(out, repo, id, STATEMENT_EPOCH, epoch, err);

	if (r == 0)
		r = statement_parse(&st, bytes_from(buf_bytes(out), begin), false, NULL, err);
	if (r == 0)
		r = keyring_get(out, repo->keyring, id, statement_number(st, "epoch"), err);
	return r > 0 ? REPO_ABSENT : r;
}

int repo_rewrap_put(struct repo *repo, const char *id, uint64_t epoch, const char *part, struct bytes seal, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->keyring_lock);
	r = keyring_put_rewrap(repo->keyring, id, epoch, part, seal, err);
	pthread_mutex_unlock(&repo->keyring_lock);
	return r > 0 ? REPO_ABSENT : r;
}

int repo_rewrap(struct buf *out, struct repo *repo, const char *id, uint64_t epoch, const char *part, struct error *err)
{
	int r = keyring_get_rewrap(out, repo->keyring, id, epoch, part, err);

	return r > 0 ? REPO_ABSENT : r;
}

struct invites {
	struct repo *repo;
	struct buf *out;
	git_oid tip;
	struct error *err;
};

/* REPO_ABSENT: it is only journaled so far. */
static int read_invite(void *ctx, const char *id)
{
	static const char *const names[] = { "invite", "secret.age" };
	struct invites *in = ctx;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(mem_freep) char *path = mem_printf("invites/%s/%s", id, names[i]);
		int r = git_read_file(in->out, git_store_repository(in->repo->reading_git), &in->tip, path, CONTAINER_MAX, in->err);

		if (r != 0)
			return r < 0 ? r : REPO_ABSENT;
	}
	return 0;
}

static int read_invites(struct invites *in, const char *id)
{
	int r = git_store_tip(&in->tip, in->repo->reading_git, in->err);

	if (id && !store_has_invite(in->repo->reading, id))
		return 0; /* nothing is appended: there is none */
	if (r != 0)
		return r < 0 ? r : REPO_ABSENT;
	return id ? read_invite(in, id) : store_invites(in->repo->reading, read_invite, in, in->err);
}

int repo_invites(struct buf *out, struct repo *repo, const char *id, struct error *err)
{
	struct invites in = { .repo = repo, .out = out, .err = err };
	size_t begin = out->len;

	for (int attempt = 0;; attempt++) {
		int r;

		pthread_mutex_lock(&repo->reading_lock);
		r = read_invites(&in, id);
		pthread_mutex_unlock(&repo->reading_lock);
		if (r == 0 && id && out->len == begin)
			return REPO_ABSENT;
		if (r != REPO_ABSENT)
			return r;
		buf_truncate(out, begin);
		if (attempt)
			return error_set(err, E_SYS, "an invite is not where the index says: run 'holdfastd reindex'");
		if (repo_flush(repo, err) < 0)
			return err->code;
	}
}

/* With reading_lock: what the index says, which is asked anew after each commit. */
static int know_head(struct repo *repo, struct error *err)
{
	int r = repo->knows_head ? 0 : store_tip(repo->head.commit, &repo->head.log_size, repo->reading, err);

	repo->knows_head = r == 0;
	return r;
}

void head_has_changed(struct repo *repo)
{
	pthread_mutex_lock(&repo->reading_lock);
	repo->knows_head = false;
	repo->head_mark++;
	pthread_mutex_unlock(&repo->reading_lock);
}

uint64_t repo_head_mark(struct repo *repo)
{
	return repo->head_mark;
}

int repo_head(struct repo_head *out, struct repo *repo, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = know_head(repo, err);
	if (r == 0)
		*out = repo->head;
	pthread_mutex_unlock(&repo->reading_lock);
	return r;
}

/* Every poll's answer ends with it: it is read once for each commit. With reading_lock. */
static int load_checkpoint(struct repo *repo, const char *tip, struct error *err)
{
	git_oid commit;
	int r;

	if (!strcmp(repo->checkpoint_at, tip))
		return 0;
	buf_truncate(&repo->checkpoint, 0);
	repo->checkpoint_at[0] = 0;
	if (git_oid_fromstr(&commit, tip) < 0)
		return git_fail(err, "index holds no commit id");
	r = git_read_file(&repo->checkpoint, git_store_repository(repo->reading_git), &commit, "log/checkpoint", CONTAINER_MAX, err);
	if (r == 0)
		memcpy(repo->checkpoint_at, tip, sizeof(repo->checkpoint_at));
	return r;
}

int repo_checkpoint(struct buf *out, struct repo *repo, struct error *err)
{
	int r;

	pthread_mutex_lock(&repo->reading_lock);
	r = know_head(repo, err);
	if (r == 0)
		r = repo->head.commit[0] ? load_checkpoint(repo, repo->head.commit, err) : REPO_ABSENT;
	if (r == 0)
		buf_add_bytes(out, buf_bytes(&repo->checkpoint));
	pthread_mutex_unlock(&repo->reading_lock);
	return r > 0 ? REPO_ABSENT : r;
}
