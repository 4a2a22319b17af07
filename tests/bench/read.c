/* tests/bench/read.c -- reading one device's past among many snapshots: from the index, and with stock git.
 *
 * read DIR [DEVICES [SNAPSHOTS]]. The archive is written as it is always written, and has consolidated itself. Beside the index stands what
 * an auditor would type in a clone: `git log -- path`, with the commit-graph that the server has git write, and without it. */
#include "tests/bench/crowd.h"
#include "tests/bench/world.h"

#include <stdio.h>
#include <stdlib.h>

enum { ASKED = 1000 };

/* Each is signed while those before it are archived. */
static void fill(struct crowd *crowd, size_t snapshots)
{
	struct world world = { .repo = crowd->repo };

	for (size_t i = 0; i < snapshots; i++) {
		struct sample sample;

		crowd_sample(&sample, crowd, crowd->next++ % crowd->count);
		world_submit(&world, buf_bytes(&sample.container));
		buf_done(&sample.container);
	}
	world_wait();
}

static int count_entry(void *ctx, const struct repo_entry *entry _unused_)
{
	++*(size_t *)ctx;
	return 0;
}

static const char *some_device(const struct crowd *crowd, size_t i)
{
	return crowd->devices[i * 7919 % crowd->count].id;
}

static int by_time(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The whole history of each of many devices; p50 and p99 in milliseconds. */
static void history(struct crowd *crowd, double *p50, double *p99, size_t *entries)
{
	double *took = mem_alloc(ASKED * sizeof(*took));
	struct error err = { 0 };

	*entries = 0;
	for (size_t i = 0; i < ASKED; i++) {
		double t0 = now_s();

		if (repo_log(crowd->repo, some_device(crowd, i), 0, 1000, count_entry, entries, &err) != 0)
			exit(1);
		took[i] = (now_s() - t0) * 1000;
	}
	qsort(took, ASKED, sizeof(*took), by_time);
	*p50 = took[ASKED / 2];
	*p99 = took[ASKED * 99 / 100];
	*entries /= ASKED;
	free(took);
}

static double newest(struct crowd *crowd)
{
	struct error err = { 0 };
	double t0 = now_s();

	for (size_t i = 0; i < ASKED; i++) {
		struct repo_device device;

		if (repo_device_get(&device, crowd->repo, some_device(crowd, i), &err) != 0)
			exit(1);
	}
	return (now_s() - t0) * 1000 / ASKED;
}

static double git_log(struct crowd *crowd, const char *option)
{
	const char *id = some_device(crowd, 1);
	double t0 = now_s();

	shell("git -C '%s/archive.git' %s log --format=%%H -- devices/%.2s/%.2s/%s/snapshot >/dev/null", crowd->dir, option, id, id + 2,
	      id);
	return now_s() - t0;
}

int main(int argc, char **argv)
{
	size_t devices = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000, snapshots = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000000,
	       entries;
	double p50, p99, one, with, without, begun;
	struct error err = { 0 };
	struct crowd crowd;
	char *path;

	if (argc < 2 || !devices) {
		fprintf(stderr, "usage: read DIR [DEVICES [SNAPSHOTS]]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	path = mem_printf("%s/read", argv[1]);
	begun = now_s();
	fprintf(stderr, "read: making an archive of %zu devices and %zu snapshots\n", devices, snapshots);
	crowd_init(&crowd, path, devices);
	fill(&crowd, snapshots);
	if (repo_consolidate(crowd.repo, &err) < 0)
		exit(1);
	note_cost("read: the archive is made", crowd.dir, begun);
	history(&crowd, &p50, &p99, &entries);
	one = newest(&crowd);
	with = git_log(&crowd, "");
	without = git_log(&crowd, "-c core.commitGraph=false");
	printf("| what | ours | beside it | ratio |\n|---|---|---|---|\n");
	printf("| ms, a device's whole history (%zu entries) among %zu snapshots of %zu devices, half within | %.3f | `git log -- path`: "
	       "%.0f | %.0f |\n",
	       entries, snapshots + devices, devices, p50, without * 1000, without * 1000 / p50);
	printf("| the same: 99 of 100 within | %.3f | | |\n", p99);
	printf("| ms, a device and its newest snapshot from the index | %.3f | | |\n", one);
	printf("| s, `git log -- path` with the commit-graph | %.2f | without it: %.2f | %.1f |\n", with, without, without / with);
	crowd_done(&crowd);
	shell("rm -rf '%s'", path);
	free(path);
	return 0;
}
