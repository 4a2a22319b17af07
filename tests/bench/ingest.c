/* tests/bench/ingest.c -- snapshots per second, durable: the archive writer, `git fast-import`, and one loose commit per snapshot.
 *
 * ingest DIR [DEVICES [ROUNDS]]. All three are given the same statements and seals in one run. fast-import gets a checkpoint after each
 * 100 snapshots and syncs what it writes; "loose" is the way of most archivers: a blob, a flat tree, a commit, a branch, each snapshot
 * for itself, synced, through libgit2. Rates vary between machines and minutes: the ratios are what counts. */
#include "tests/bench/world.h"

#include <git2.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEAL_BYTES = 472, CHECKPOINT_EVERY = 100, LOOSE_MAX = 400 };

struct sample {
	struct buf container;
	char id[ID_LEN + 1];
	size_t statement_len;
};

/* A snapshot with seals of the usual size; what is in them is nobody's business here. */
static void make_sample(struct sample *out, struct world *world, size_t i)
{
	struct fleet_device *device = &world->devices[i];
	_cleanup_(buf_done) struct buf text = { 0 };
	uint8_t base[SEAL_BYTES], delta[SEAL_BYTES];
	struct error err = { 0 };
	bool first = !device->base_number;
	char hash[2 * HASH_LEN + 1];

	randombytes_buf(base, sizeof(base));
	randombytes_buf(delta, sizeof(delta));
	statement_begin(&text, STATEMENT_SNAPSHOT);
	statement_add(&text, "fleet", "%s", world->fleet.id);
	statement_add(&text, "device", "%s", device->id);
	statement_add(&text, "number", "%llu", (unsigned long long)++device->number);
	statement_add_hash(&text, "prev", device->head);
	statement_add(&text, "time", "2026-01-01T00:00:00Z");
	statement_add(&text, "epoch", "%llu", (unsigned long long)device->epoch);
	statement_add(&text, "root", "1");
	statement_add(&text, "reason", "change");
	statement_add(&text, "saved", "yes");
	statement_add(&text, "mode", "commit");
	statement_add(&text, "changed", "1 1");
	if (first) {
		device->base_number = device->number;
		sha256_hex(hash, bytes_of(base, sizeof(base)));
		snprintf(device->base_line, sizeof(device->base_line), "%llu %d %s", (unsigned long long)device->number, SEAL_BYTES, hash);
	}
	statement_add(&text, "base", "%s", device->base_line);
	statement_add_seal(&text, "delta", device->number, bytes_of(delta, sizeof(delta)));
	sha256(device->head, buf_bytes(&text));
	if (statement_sign(&text, &device->key, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	memcpy(out->id, device->id, sizeof(out->id));
	out->statement_len = text.len;
	buf_add_bytes(&out->container, buf_bytes(&text));
	if (first)
		buf_add(&out->container, base, sizeof(base));
	buf_add(&out->container, delta, sizeof(delta));
}

static double ours(struct world *world, const struct sample *samples, size_t n, double *packed)
{
	struct error err = { 0 };
	double t0 = now_s(), acked;

	for (size_t i = 0; i < n; i++)
		world_submit(world, buf_bytes(&samples[i].container));
	world_wait();
	acked = now_s() - t0;
	if (repo_flush(world->repo, &err) < 0)
		exit(1);
	printf("  archive writer: %zu snapshots acknowledged in %.2f s, all packed after %.2f s\n", n, acked, now_s() - t0);
	*packed = (double)n / (now_s() - t0);
	return (double)n / acked; /* durable is durable: the journal is synced before it is acknowledged */
}

static double fast_import(const char *dir, const struct sample *samples, size_t n)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/stream", dir);
	FILE *f = fopen(path, "w");
	double t0;

	if (!f)
		exit(1);
	for (size_t i = 0; i < n; i++) {
		const struct sample *s = &samples[i];
		size_t rest = s->container.len - s->statement_len;

		if (i % CHECKPOINT_EVERY == 0)
			fprintf(f, "%scommit refs/heads/main\ncommitter a <a@localhost> %zu +0000\ndata 1\nx\n", i ? "checkpoint\n\n" : "", 1700000000 + i);
		fprintf(f, "M 100644 inline devices/%.2s/%.2s/%s/snapshot\ndata %zu\n", s->id, s->id + 2, s->id, s->statement_len);
		fwrite(s->container.ptr, 1, s->statement_len, f);
		fprintf(f, "\nM 100644 inline devices/%.2s/%.2s/%s/delta.age\ndata %zu\n", s->id, s->id + 2, s->id, rest);
		fwrite(s->container.ptr + s->statement_len, 1, rest, f);
		fputc('\n', f);
	}
	fprintf(f, "checkpoint\n\n");
	if (fclose(f) != 0)
		exit(1);
	shell("git init -q --bare '%s/fast.git'", dir);
	t0 = now_s();
	shell("git -C '%s/fast.git' -c core.fsync=all -c core.fsyncMethod=fsync fast-import --quiet --depth=0 <'%s'", dir, path);
	return (double)n / (now_s() - t0);
}

static void check(int r)
{
	if (r < 0) {
		fprintf(stderr, "libgit2: %s\n", git_error_last() ? git_error_last()->message : "?");
		exit(1);
	}
}

static double loose(const char *dir, const struct sample *samples, size_t n, size_t devices)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/loose.git", dir);
	git_repository *repo = NULL;
	git_signature *who = NULL;
	git_commit *parent = NULL;
	git_tree *tree = NULL;
	git_oid blob, id;
	double t0;

	if (n > LOOSE_MAX)
		n = LOOSE_MAX;
	check(git_libgit2_init());
	check(git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1));
	check(git_repository_init(&repo, path, 1));
	check(git_signature_new(&who, "a", "a@localhost", 1700000000, 0));
	/* a flat tree with every device in it, as it is after the first round */
	{
		git_treebuilder *tb = NULL;

		check(git_blob_create_from_buffer(&blob, repo, "x", 1));
		check(git_treebuilder_new(&tb, repo, NULL));
		for (size_t i = 0; i < devices; i++)
			check(git_treebuilder_insert(NULL, tb, samples[i].id, &blob, GIT_FILEMODE_BLOB));
		check(git_treebuilder_write(&id, tb));
		git_treebuilder_free(tb);
		check(git_tree_lookup(&tree, repo, &id));
	}
	t0 = now_s();
	for (size_t i = 0; i < n; i++) {
		git_treebuilder *tb = NULL;
		const git_commit *parents[1] = { parent };
		git_commit *next = NULL;
		git_tree *new_tree = NULL;

		check(git_blob_create_from_buffer(&blob, repo, samples[i].container.ptr, samples[i].container.len));
		check(git_treebuilder_new(&tb, repo, tree));
		check(git_treebuilder_insert(NULL, tb, samples[i].id, &blob, GIT_FILEMODE_BLOB));
		check(git_treebuilder_write(&id, tb));
		git_treebuilder_free(tb);
		check(git_tree_lookup(&new_tree, repo, &id));
		check(git_commit_create(&id, repo, "refs/heads/main", who, who, NULL, "x", new_tree, parent ? 1 : 0, parents));
		check(git_commit_lookup(&next, repo, &id));
		git_commit_free(parent);
		git_tree_free(tree);
		parent = next;
		tree = new_tree;
	}
	t0 = now_s() - t0;
	git_commit_free(parent);
	git_tree_free(tree);
	git_signature_free(who);
	git_repository_free(repo);
	git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 0);
	git_libgit2_shutdown();
	return (double)n / t0;
}

int main(int argc, char **argv)
{
	_cleanup_(mem_freep) char *dir = NULL;
	size_t devices = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000, rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 10, n = 0;
	struct sample *samples;
	struct world world;
	double a, b, c, packed;

	if (argc < 2 || !devices || !rounds) {
		fprintf(stderr, "usage: ingest DIR [DEVICES [ROUNDS]]\n");
		return 2;
	}
	dir = mem_printf("%s/ours", argv[1]);
	world_init(&world, dir, devices);
	samples = mem_alloc(devices * rounds * sizeof(*samples));
	for (size_t r = 0; r < rounds; r++)
		for (size_t i = 0; i < devices; i++)
			make_sample(&samples[n++], &world, i);
	a = ours(&world, samples, n, &packed);
	b = fast_import(argv[1], samples, n);
	c = loose(argv[1], samples, n, devices);
	printf("  durable snapshots/s, %zu devices, %zu snapshots: archive writer %.0f, git fast-import (checkpoint per %d) %.0f, "
	       "one loose commit each %.0f\n", devices, n, a, CHECKPOINT_EVERY, b, c);
	printf("figure: archive writer = %.1f x git fast-import = %.0f x one loose commit per snapshot (counted until packed and committed: "
	       "%.1f x, %.0f x)\n", a / b, a / c, packed / b, packed / c);
	for (size_t i = 0; i < n; i++)
		buf_done(&samples[i].container);
	free(samples);
	world_done(&world);
	return 0;
}
