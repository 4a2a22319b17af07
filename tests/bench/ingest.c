/* tests/bench/ingest.c -- snapshots per second, durable: the archive writer, `git fast-import`, and one loose commit per snapshot.
 *
 * ingest DIR [DEVICES [SNAPSHOTS [MANY]]]. All are given the same statements and seals in one run, each into a history in which every
 * device has its folder already. fast-import gets a checkpoint after each 1,000 snapshots and syncs what it writes; "loose" is the way of
 * most archivers: a blob, a flat tree, a commit, a branch, each snapshot for itself, synced, through libgit2; once with the calls of
 * Oxidized, once with the fewest that do it. MANY (0: none) is a second, larger fleet, to see what size costs. Rates vary between machines
 * and minutes: the ratios are what counts. */
#include "tests/bench/crowd.h"
#include "tests/bench/world.h"

#include <git2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHECKPOINT_EVERY = 1000, LOOSE_DEVICES = 10000, LOOSE_S = 10, OFFERED = 10000, OFFERED_S = 20 };

struct rates {
	double acknowledged, packed; /* per second */
};

static struct rates ours(struct crowd *crowd, const struct sample *samples, size_t n)
{
	struct world world = { .repo = crowd->repo };
	struct error err = { 0 };
	struct rates rates;
	double t0 = now_s();

	for (size_t i = 0; i < n; i++)
		world_submit(&world, buf_bytes(&samples[i].container));
	world_wait();
	rates.acknowledged = (double)n / (now_s() - t0);
	if (repo_flush(crowd->repo, &err) < 0)
		exit(1);
	rates.packed = (double)n / (now_s() - t0);
	return rates;
}

/* ---- offered at a rate ---- */

struct offer {
	double sent_s;
	double took_ms;
};

static pthread_mutex_t offer_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t offer_done = PTHREAD_COND_INITIALIZER;
static size_t offers_open;

static void offer_answered(void *ctx, const struct repo_outcome *outcome)
{
	struct offer *offer = ctx;

	if (outcome->result != 0)
		exit(1);
	offer->took_ms = (now_s() - offer->sent_s) * 1000;
	pthread_mutex_lock(&offer_lock);
	if (!--offers_open)
		pthread_cond_signal(&offer_done);
	pthread_mutex_unlock(&offer_lock);
}

static int by_time(const void *a, const void *b)
{
	double x = ((const struct offer *)a)->took_ms, y = ((const struct offer *)b)->took_ms;

	return x < y ? -1 : x > y;
}

/* Sends what is due each half millisecond. What comes late is counted from when it was due, so a stall of the writer is not hidden by one
 * of the sender. */
static void offer_all(struct crowd *crowd, const struct sample *samples, struct offer *offers, size_t n, double rate)
{
	struct timespec nap = { .tv_nsec = 500000 };
	struct error err = { 0 };
	double t0 = now_s();

	offers_open = n;
	for (size_t i = 0; i < n;) {
		size_t due = (size_t)((now_s() - t0) * rate);

		for (; i < n && i < due; i++) {
			int r;

			offers[i].sent_s = t0 + (double)i / rate;
			while ((r = repo_submit(crowd->repo, buf_bytes(&samples[i].container), offer_answered, &offers[i], &err)) ==
			       REPO_BUSY)
				nanosleep(&nap, NULL);
			if (r != 0)
				exit(1);
		}
		nanosleep(&nap, NULL);
	}
	pthread_mutex_lock(&offer_lock);
	while (offers_open)
		pthread_cond_wait(&offer_done, &offer_lock);
	pthread_mutex_unlock(&offer_lock);
}

static void offered(struct crowd *crowd, double *p50, double *p99)
{
	size_t n = (size_t)OFFERED * OFFERED_S;
	struct sample *samples = crowd_samples(crowd, n);
	struct offer *offers = mem_alloc(n * sizeof(*offers));
	struct error err = { 0 };

	offer_all(crowd, samples, offers, n, OFFERED);
	qsort(offers, n, sizeof(*offers), by_time);
	*p50 = offers[n / 2].took_ms;
	*p99 = offers[n * 99 / 100].took_ms;
	if (repo_flush(crowd->repo, &err) < 0)
		exit(1);
	free(offers);
	samples_free(samples, n);
}

/* ---- git fast-import ---- */

static void import_file(FILE *f, const char *id, const char *name, struct bytes data)
{
	fprintf(f, "M 100644 inline devices/%.2s/%.2s/%s/%s\ndata %zu\n", id, id + 2, id, name, data.len);
	fwrite(data.ptr, 1, data.len, f);
	fputc('\n', f);
}

static void import_commit(FILE *f, size_t i, const char *from)
{
	fprintf(f, "commit refs/heads/main\ncommitter a <a@localhost> %zu +0000\ndata 1\nx\n%s", 1700000000 + i, from);
}

/* Every device has in its folder what it has in ours. */
static void import_fleet(const struct crowd *crowd, const char *path, const char *git)
{
	static const char *const files[] = { "admit", "base.age", "enrol", "epoch", "snapshot" };
	FILE *f = fopen(path, "w");

	if (!f)
		exit(1);
	import_commit(f, 0, "");
	for (size_t i = 0; i < crowd->count; i++)
		for (size_t k = 0; k < ARRAY_SIZE(files); k++)
			import_file(f, crowd->devices[i].id, files[k], bytes_str(crowd->devices[i].id));
	if (fclose(f) != 0)
		exit(1);
	shell("git init -q --bare '%s' && git -C '%s' fast-import --quiet --depth=0 <'%s'", git, git, path);
}

static double fast_import(const struct crowd *crowd, const struct sample *samples, size_t n)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s.stream", crowd->dir), *git = mem_printf("%s.fast.git", crowd->dir);
	FILE *f;
	double t0;

	import_fleet(crowd, path, git);
	f = fopen(path, "w");
	if (!f)
		exit(1);
	for (size_t i = 0; i < n; i++) {
		const struct sample *s = &samples[i];

		if (i % CHECKPOINT_EVERY == 0) {
			fputs(i ? "checkpoint\n\n" : "", f);
			import_commit(f, i, i ? "" : "from refs/heads/main^0\n");
		}
		import_file(f, s->id, "snapshot", bytes_of(s->container.ptr, s->statement_len));
		import_file(f, s->id, "delta.age", bytes_from(buf_bytes(&s->container), s->statement_len));
	}
	fprintf(f, "checkpoint\n\n");
	if (fclose(f) != 0)
		exit(1);
	t0 = now_s();
	shell("git -C '%s' -c core.fsync=all -c core.fsyncMethod=fsync fast-import --quiet --depth=0 <'%s'", git, path);
	t0 = now_s() - t0;
	shell("rm -rf '%s' '%s'", git, path);
	return (double)n / t0;
}

/* ---- one loose commit per snapshot ---- */

static void check(int r)
{
	if (r < 0) {
		fprintf(stderr, "libgit2: %s\n", git_error_last() ? git_error_last()->message : "?");
		exit(1);
	}
}

/* A history of one commit, whose flat tree has every device in it. */
static void begin_flat(git_repository *repo, const struct crowd *crowd, const git_signature *who)
{
	git_treebuilder *tb = NULL;
	git_index *index = NULL;
	git_tree *tree = NULL;
	git_oid blob, id;

	check(git_blob_create_from_buffer(&blob, repo, "x", 1));
	check(git_treebuilder_new(&tb, repo, NULL));
	for (size_t i = 0; i < crowd->count; i++)
		check(git_treebuilder_insert(NULL, tb, crowd->devices[i].id, &blob, GIT_FILEMODE_BLOB));
	check(git_treebuilder_write(&id, tb));
	git_treebuilder_free(tb);
	check(git_tree_lookup(&tree, repo, &id));
	check(git_commit_create(&id, repo, "HEAD", who, who, NULL, "x", tree, 0, NULL));
	check(git_repository_index(&index, repo));
	check(git_index_read_tree(index, tree));
	check(git_index_write(index));
	git_index_free(index);
	git_tree_free(tree);
}

static git_commit *head_of(git_repository *repo)
{
	git_commit *commit = NULL;
	git_oid id;

	check(git_reference_name_to_id(&id, repo, "HEAD"));
	check(git_commit_lookup(&commit, repo, &id));
	return commit;
}

static void commit_tree(git_repository *repo, const git_oid *id, const git_signature *who)
{
	const git_commit *parents[1];
	git_commit *parent = head_of(repo);
	git_tree *tree = NULL;
	git_oid commit;

	parents[0] = parent;
	check(git_tree_lookup(&tree, repo, id));
	check(git_commit_create(&commit, repo, "HEAD", who, who, NULL, "x", tree, 1, parents));
	git_tree_free(tree);
	git_commit_free(parent);
}

/* The least that one commit per snapshot takes: the tree before, with one entry replaced. */
static void commit_by_tree(const char *path _unused_, git_repository *repo, const struct sample *sample, const git_signature *who)
{
	git_commit *parent = head_of(repo);
	git_treebuilder *tb = NULL;
	git_tree *tree = NULL;
	git_oid blob, id;

	check(git_commit_tree(&tree, parent));
	check(git_blob_create_from_buffer(&blob, repo, sample->container.ptr, sample->container.len));
	check(git_treebuilder_new(&tb, repo, tree));
	check(git_treebuilder_insert(NULL, tb, sample->id, &blob, GIT_FILEMODE_BLOB));
	check(git_treebuilder_write(&id, tb));
	git_treebuilder_free(tb);
	git_tree_free(tree);
	git_commit_free(parent);
	commit_tree(repo, &id, who);
}

static bool is_unchanged(git_repository *repo, const struct sample *sample)
{
	git_commit *parent = head_of(repo);
	git_tree_entry *entry = NULL;
	git_blob *blob = NULL;
	git_tree *tree = NULL;
	bool same;

	check(git_commit_tree(&tree, parent));
	check(git_tree_entry_bypath(&entry, tree, sample->id));
	check(git_blob_lookup(&blob, repo, git_tree_entry_id(entry)));
	same = (size_t)git_blob_rawsize(blob) == sample->container.len &&
	       !memcmp(git_blob_rawcontent(blob), sample->container.ptr, sample->container.len);
	git_blob_free(blob);
	git_tree_entry_free(entry);
	git_tree_free(tree);
	git_commit_free(parent);
	return same;
}

/* The calls of Oxidized (its git output): opens the repository, compares with what it has, adds a blob to the index, makes
 * a tree and a commit of it, writes the index. */
static void commit_by_index(const char *path, git_repository *kept _unused_, const struct sample *sample, const git_signature *who)
{
	git_index_entry entry = { .mode = GIT_FILEMODE_BLOB, .path = sample->id };
	git_repository *repo = NULL;
	git_index *index = NULL;
	git_oid id;

	check(git_repository_open(&repo, path));
	if (!is_unchanged(repo, sample)) {
		check(git_blob_create_from_buffer(&entry.id, repo, sample->container.ptr, sample->container.len));
		check(git_repository_index(&index, repo));
		check(git_index_add(index, &entry));
		check(git_index_write_tree_to(&id, index, repo));
		commit_tree(repo, &id, who);
		check(git_index_write(index));
		git_index_free(index);
	}
	git_repository_free(repo);
}

typedef void commit_fn(const char *path, git_repository *repo, const struct sample *sample, const git_signature *who);

static double loose(const struct crowd *crowd, const struct sample *samples, size_t count, commit_fn *commit)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s.loose.git", crowd->dir);
	git_repository *repo = NULL;
	git_signature *who = NULL;
	size_t n = 0;
	double t0;

	check(git_libgit2_init());
	check(git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1));
	check(git_repository_init(&repo, path, 1));
	check(git_signature_new(&who, "a", "a@localhost", 1700000000, 0));
	begin_flat(repo, crowd, who);
	t0 = now_s();
	while (n < count && now_s() - t0 < LOOSE_S)
		commit(path, repo, &samples[n++], who);
	t0 = now_s() - t0;
	git_signature_free(who);
	git_repository_free(repo);
	git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 0);
	git_libgit2_shutdown();
	shell("rm -rf '%s'", path);
	return (double)n / t0;
}

/* ---- the table ---- */

static void fleet(struct crowd *crowd, const char *dir, const char *name, size_t devices)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, name);
	double begun = now_s();

	fprintf(stderr, "ingest: making an archive of %zu devices\n", devices);
	crowd_init(crowd, path, devices);
	note_cost("ingest: it is made", path, begun);
}

static void end(struct crowd *crowd)
{
	_cleanup_(mem_freep) char *dir = mem_strdup(crowd->dir);

	crowd_done(crowd);
	shell("rm -rf '%s'", dir);
}

static void compare_import(struct crowd *crowd, size_t n)
{
	struct sample *samples = crowd_samples(crowd, n);
	struct rates rates = ours(crowd, samples, n);
	double import = fast_import(crowd, samples, n);

	samples_free(samples, n);
	printf("| snapshots/s, %zu devices, durable, packed and committed | %.0f | `git fast-import`, checkpoint per %d, synced: %.0f | "
	       "%.1f |\n",
	       crowd->count, rates.packed, CHECKPOINT_EVERY, import, rates.packed / import);
	printf("| the same, durable and acknowledged | %.0f | %.0f | %.1f |\n", rates.acknowledged, import, rates.acknowledged / import);
}

static void compare_loose(const char *dir, size_t n)
{
	struct crowd crowd;
	struct sample *samples;
	struct rates rates;
	double by_index, by_tree;

	fleet(&crowd, dir, "small", LOOSE_DEVICES);
	samples = crowd_samples(&crowd, n);
	rates = ours(&crowd, samples, n);
	by_index = loose(&crowd, samples, n, commit_by_index);
	by_tree = loose(&crowd, samples, n, commit_by_tree);
	samples_free(samples, n);
	printf("| snapshots/s, %zu devices, durable, packed and committed | %.0f | a loose commit each through the index, as Oxidized, "
	       "synced: %.1f | %.0f |\n",
	       crowd.count, rates.packed, by_index, rates.packed / by_index);
	printf("| the same | %.0f | a loose commit each, tree from tree without an index, synced: %.1f | %.0f |\n", rates.packed, by_tree,
	       rates.packed / by_tree);
	end(&crowd);
}

static void compare_sizes(struct crowd *crowd, const char *dir, size_t many, size_t n)
{
	struct crowd large;
	struct sample *first, *second;
	struct rates a, b;

	fleet(&large, dir, "many", many);
	first = crowd_samples(&large, n);
	second = crowd_samples(crowd, n);
	b = ours(&large, first, n);
	a = ours(crowd, second, n);
	samples_free(first, n);
	samples_free(second, n);
	printf("| snapshots/s, %zu devices, durable, packed and committed | %.0f | ours at %zu devices: %.0f | %.2f |\n", many, b.packed,
	       crowd->count, a.packed, b.packed / a.packed);
	end(&large);
}

static size_t argument(int argc, char **argv, int i, size_t otherwise)
{
	return argc > i ? strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	size_t devices = argument(argc, argv, 2, 100000), n = argument(argc, argv, 3, 200000), many = argument(argc, argv, 4, 1000000);
	struct crowd crowd;
	double p50, p99;

	if (argc < 2 || !devices || !n) {
		fprintf(stderr, "usage: ingest DIR [DEVICES [SNAPSHOTS [MANY]]]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("| what | ours | beside it | ratio |\n|---|---|---|---|\n");
	fleet(&crowd, argv[1], "fleet", devices);
	compare_import(&crowd, n);
	compare_loose(argv[1], n);
	offered(&crowd, &p50, &p99);
	printf("| acknowledged, ms, %zu devices, %d snapshots/s offered: half within | %.2f | | |\n", devices, OFFERED, p50);
	printf("| the same: 99 of 100 within | %.2f | | |\n", p99);
	if (many)
		compare_sizes(&crowd, argv[1], many, n);
	end(&crowd);
	return 0;
}
