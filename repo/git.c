/* repo/git.c -- the git side: trees, commits, the branch. */
#include "repo/git.h"

#include "base/clock.h"
#include "base/fs.h"
#include "crypto/sshsig.h"
#include "repo/merge.h"
#include "repo/pack.h"
#include "repo/trees.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <nettle/sha1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INDEX_MAX = 1 << 30, TREES_MAX = 512 << 20, TREES_SHARE = 16 /* of the memory, at most */ };

struct git_store {
	git_repository *repo;
	git_odb *odb;
	struct trees *trees;
	char *path, *packs;
};

struct round {
	struct git_store *git;
	struct pack *pack;
	git_oid tip, tree;
	bool has_tip;
	int64_t tip_s;
};

int git_fail(struct error *err, const char *what)
{
	const git_error *e = git_error_last();

	return error_set(err, E_SYS, "%s: %s", what, e ? e->message : "libgit2 failed");
}

/* What a killed writer leaves: temporary files and lock files. We hold the repository's own lock, so nobody else is at work. */
static void tidy(const char *folder, const char *infix)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", folder, entry->d_name);

		if (strstr(entry->d_name, infix))
			unlink(path);
	}
	closedir(dir);
}

static int sync_one(const char *path, const struct stat *st _unused_, int type, struct FTW *at _unused_)
{
	_cleanup_(fd_closep) int fd = type == FTW_F || type == FTW_DP ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	return fd < 0 ? 0 : fsync(fd);
}

/* libgit2 does not sync what it makes: after a power cut HEAD would be empty, and git would not know the repository any more. */
static int sync_all(const char *path, struct error *err)
{
	return nftw(path, sync_one, 16, FTW_DEPTH | FTW_PHYS) != 0 ? error_sys(err, "cannot sync '%s'", path) : 0;
}

static int create(const char *path, struct error *err)
{
	git_repository_init_options opts = GIT_REPOSITORY_INIT_OPTIONS_INIT;
	git_repository *repo = NULL;
	git_config *config = NULL;
	int r;

	opts.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH;
	opts.mode = 0700;
	opts.initial_head = "main";
	r = git_repository_init_ext(&repo, path, &opts);
	if (r == 0)
		r = git_repository_config(&config, repo);
	/* nobody but us packs, and a push from outside is refused */
	if (r == 0)
		r = git_config_set_int32(config, "gc.auto", 0);
	if (r == 0)
		r = git_config_set_bool(config, "receive.denyNonFastForwards", 1);
	git_config_free(config);
	git_repository_free(repo);
	return r < 0 ? git_fail(err, "cannot make the git repository") : sync_all(path, err);
}

static int open_store(struct git_store *git, struct error *err)
{
	if (git_repository_open_bare(&git->repo, git->path) < 0 || git_repository_odb(&git->odb, git->repo) < 0) {
		git_fail(err, "cannot open the git repository");
		return error_add(err, "'%s'", git->path);
	}
	return 0;
}

static void close_store(struct git_store *git)
{
	git_odb_free(git->odb);
	git_repository_free(git->repo);
	git->odb = NULL;
	git->repo = NULL;
}

static size_t trees_max(void)
{
	long long share = (long long)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / TREES_SHARE;

	return share > 0 && share < TREES_MAX ? (size_t)share : TREES_MAX;
}

int git_store_open(struct git_store **out, const char *path, bool make, struct error *err)
{
	struct git_store *git = mem_alloc(sizeof(*git));

	git_libgit2_init();
	git->path = mem_strdup(path);
	git->packs = mem_printf("%s/objects/pack", path);
	git->trees = trees_new(trees_max());
	if ((make && access(path, F_OK) < 0 && create(path, err) < 0) || open_store(git, err) < 0) {
		git_store_close(git);
		return err->code;
	}
	if (make) {
		_cleanup_(mem_freep) char *heads = mem_printf("%s/refs/heads", path);

		tidy(git->packs, ".tmp-");
		tidy(heads, ".tmp-");
		tidy(heads, ".lock");
		merged_sweep(git->packs, true);
	}
	*out = git;
	return 0;
}

int git_store_reopen(struct git_store *git, struct error *err)
{
	struct git_store fresh = { .path = git->path };

	/* what is open stays open until the new one is */
	if (open_store(&fresh, err) < 0) {
		close_store(&fresh);
		return err->code;
	}
	close_store(git);
	git->repo = fresh.repo;
	git->odb = fresh.odb;
	return 0;
}

const char *git_store_packs(const struct git_store *git)
{
	return git->packs;
}

struct git_store *git_store_close(struct git_store *git)
{
	if (!git)
		return NULL;
	close_store(git);
	trees_free(git->trees);
	free(git->path);
	free(git->packs);
	free(git);
	git_libgit2_shutdown();
	return NULL;
}

git_repository *git_store_repository(struct git_store *git)
{
	return git->repo;
}

int git_store_tip(git_oid *out, struct git_store *git, struct error *err)
{
	int r = git_reference_name_to_id(out, git->repo, "refs/heads/main");

	if (r == GIT_ENOTFOUND)
		return 1;
	if (r < 0) {
		git_fail(err, "cannot read branch 'main'");
		err->code = E_FORMAT;
		return err->code;
	}
	return 0;
}

bool git_store_has_packs(const struct git_store *git)
{
	DIR *dir = opendir(git->packs);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir)))
		found = strstr(entry->d_name, ".idx");
	if (dir)
		closedir(dir);
	return found;
}

/* Every index of git's ends in the SHA-1 of what is before it. */
static int check_index(const struct git_store *git, const char *name, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", git->packs, name);
	_cleanup_(buf_done) struct buf text = { 0 };
	uint8_t sum[SHA1_DIGEST_SIZE];
	struct sha1_ctx ctx;
	int r = fs_read(&text, path, INDEX_MAX, err);

	if (r != 0)
		return r < 0 ? r : 0; /* merged away meanwhile */
	sha1_init(&ctx);
	sha1_update(&ctx, text.len < sizeof(sum) ? 0 : text.len - sizeof(sum), text.ptr);
	sha1_digest(&ctx, sizeof(sum), sum);
	if (text.len < sizeof(sum) || memcmp(sum, text.ptr + text.len - sizeof(sum), sizeof(sum)) != 0)
		return error_set(err, E_FORMAT,
				 "'%s' is damaged: make it anew (git index-pack, for a pack's index), or restore it from a mirror", path);
	return 0;
}

int git_store_check(const struct git_store *git, struct error *err)
{
	DIR *dir = opendir(git->packs);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return error_sys(err, "cannot read folder '%s'", git->packs);
	while (r == 0 && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if ((len > 4 && !strcmp(entry->d_name + len - 4, ".idx")) || !strcmp(entry->d_name, "multi-pack-index"))
			r = check_index(git, entry->d_name, err);
	}
	closedir(dir);
	return r;
}

/* ---- commits ---- */

int git_round_begin(struct round **out, struct git_store *git, size_t len, struct error *err)
{
	struct round *round = mem_alloc(sizeof(*round));
	int r;

	round->git = git;
	round->pack = pack_new();
	pack_expect(round->pack, len + len / 2); /* and the folders */
	r = git_store_tip(&round->tip, git, err);
	if (r < 0) {
		git_round_free(round);
		return r;
	}
	round->has_tip = r == 0;
	if (round->has_tip) {
		git_commit *commit = NULL;

		if (git_commit_lookup(&commit, git->repo, &round->tip) < 0) {
			git_round_free(round);
			return git_fail(err, "cannot read the newest commit: is a pack missing? run git fsck; restore it from a mirror");
		}
		round->tree = *git_commit_tree_id(commit);
		round->tip_s = git_commit_time(commit);
		git_commit_free(commit);
	}
	*out = round;
	return 0;
}

void git_round_free(struct round *round)
{
	if (!round)
		return;
	pack_free(round->pack);
	free(round);
}

/* The signature as a header: every further line begins with a space, the last newline is dropped (git's own form). */
static void add_signature(struct buf *out, struct bytes armoured)
{
	buf_add_str(out, "gpgsig ");
	for (size_t i = 0; i + 1 < armoured.len; i++) {
		buf_add_char(out, (char)armoured.ptr[i]);
		if (armoured.ptr[i] == '\n')
			buf_add_char(out, ' ');
	}
	buf_add_char(out, '\n');
}

int git_round_commit(git_oid *out, struct round *round, const struct change *changes, size_t count, const char *message, const char *email,
		     const struct sign_key *key, struct error *err)
{
	_cleanup_(buf_done) struct buf head = { 0 }, text = { 0 }, sig = { 0 }, whole = { 0 };
	char hex[GIT_OID_HEXSZ + 1] = { 0 };
	int64_t now = clock_now_s();
	int r = trees_update(&round->tree, round->git->trees, round->git->odb, round->pack, round->has_tip ? &round->tree : NULL, changes,
			     count, err);

	if (r < 0)
		return r;
	if (now < round->tip_s)
		now = round->tip_s; /* never before its parent, whatever the clock says */
	git_oid_fmt(hex, &round->tree);
	buf_addf(&head, "tree %s\n", hex);
	if (round->has_tip) {
		git_oid_fmt(hex, &round->tip);
		buf_addf(&head, "parent %s\n", hex);
	}
	buf_addf(&head, "author holdfast <%s> %lld +0000\ncommitter holdfast <%s> %lld +0000\n", email, (long long)now, email,
		 (long long)now);
	buf_addf(&text, "%s\n%s", buf_text(&head), message);
	sshsig_sign(&sig, key, "git", buf_bytes(&text));
	buf_add_bytes(&whole, buf_bytes(&head));
	add_signature(&whole, buf_bytes(&sig));
	buf_addf(&whole, "\n%s", message);
	r = pack_add(&round->tip, round->pack, GIT_OBJECT_COMMIT, buf_bytes(&whole), err);
	if (r < 0)
		return r;
	round->has_tip = true;
	round->tip_s = now;
	*out = round->tip;
	return 0;
}

int64_t git_round_time(const struct round *round)
{
	return round->tip_s;
}

size_t git_round_len(const struct round *round)
{
	return pack_len(round->pack);
}

int git_round_finish(struct round *round, struct error *err)
{
	_cleanup_(mem_freep) char *branch = mem_printf("%s/refs/heads/main", round->git->path);
	char hex[GIT_OID_HEXSZ + 2] = { 0 };

	if (pack_write(round->pack, round->git->packs, err) < 0)
		return err->code;
	git_oid_fmt(hex, &round->tip);
	hex[GIT_OID_HEXSZ] = '\n';
	if (fs_write(branch, bytes_of(hex, GIT_OID_HEXSZ + 1), 0644, err) < 0)
		return err->code;
	git_odb_refresh(round->git->odb);
	return 0;
}

/* ---- reading ---- */

int git_read_file(struct buf *out, git_repository *repo, const git_oid *commit_id, const char *path, size_t max, struct error *err)
{
	git_commit *commit = NULL;
	git_tree *tree = NULL;
	git_tree_entry *entry = NULL;
	git_blob *blob = NULL;
	int r = git_commit_lookup(&commit, repo, commit_id);

	if (r == 0)
		r = git_commit_tree(&tree, commit);
	if (r == 0)
		r = git_tree_entry_bypath(&entry, tree, path);
	if (r == 0)
		r = git_blob_lookup(&blob, repo, git_tree_entry_id(entry));
	if (r == 0 && (uint64_t)git_blob_rawsize(blob) > max)
		r = error_set(err, E_LIMIT, "'%s' is over %zu bytes", path, max);
	else if (r == 0)
		buf_add(out, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
	else if (r == GIT_ENOTFOUND && tree && !entry)
		r = 1;
	else {
		git_fail(err, "is a pack missing? run git fsck, restore it from a mirror");
		r = error_add(err, "cannot read '%s'", path);
	}
	git_blob_free(blob);
	git_tree_entry_free(entry);
	git_tree_free(tree);
	git_commit_free(commit);
	return r;
}
