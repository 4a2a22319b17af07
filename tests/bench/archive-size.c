/* tests/bench/archive-size.c -- what does a snapshot of a one-line change cost in the archive, everything included?
 *
 * archive-size DIR [DEVICES [ROUNDS [CONFIG_BYTES...]]]. Every device gets a key frame, then ROUNDS one-line changes, in batches of 100,
 * with real seals and signatures; in each round one device in 256 makes a new key frame, as agents do. The archive consolidates its packs
 * itself, before and after; the growth of packs, indexes and commit-graph is divided by the number of snapshots. Beside it, the same
 * configurations in the same batches: in clear text under `git gc`, and each sealed as a whole. */
#include "tests/bench/world.h"

#include "agent/snapshot.h"
#include "crypto/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 100, KEY_FRAME_EVERY = SNAPSHOT_DELTAS_MAX };

static void make_config(struct buf *out, size_t device, size_t round, size_t bytes)
{
	buf_addf(out, "hostname r%zu\nip route 10.%zu.%zu.0/24 192.0.2.1\n", device, round / 250, round % 250);
	for (size_t i = 0; out->len < bytes; i++)
		buf_addf(out,
			 "interface eth%zu\n description link %zu of %zu\n ip address 10.%zu.%zu.%zu/30\n ip ospf cost %zu\n exit\n!\n", i,
			 i * 7 % 97, device, device % 250, i % 250, i * 4 % 250, (device * 31 + i * 17) % 1000);
	buf_addf(out, "password {{secret 00112233%08zx}}\n", device);
}

/* ---- ours ---- */

static void round_of(struct world *world, size_t round, size_t bytes)
{
	struct error err = { 0 };

	for (size_t i = 0; i < world->count; i++) {
		_cleanup_(buf_done) struct buf config = { 0 }, container = { 0 };

		make_config(&config, i, round, bytes);
		if (round && (i + round) % KEY_FRAME_EVERY == 0)
			world->devices[i].base_number = 0;
		fleet_snapshot(&container, &world->fleet, &world->devices[i], buf_text(&config), "0011223300000000 aHVudGVyMg==\n");
		world_submit(world, buf_bytes(&container));
		if ((i + 1) % BATCH == 0 || i + 1 == world->count) {
			world_wait();
			if (repo_flush(world->repo, &err) < 0)
				exit(1);
		}
	}
}

static double consolidated(struct world *world, const char *git)
{
	struct error err = { 0 };

	if (repo_consolidate(world->repo, &err) < 0)
		exit(1);
	return objects_bytes(git);
}

static double ours(const char *dir, size_t devices, size_t rounds, size_t bytes)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/ours", dir), *git = mem_printf("%s/archive.git", path);
	struct world world;
	double before, after;

	world_init(&world, path, devices);
	round_of(&world, 0, bytes);
	before = consolidated(&world, git);
	for (size_t i = 1; i <= rounds; i++)
		round_of(&world, i, bytes);
	after = consolidated(&world, git);
	world_done(&world);
	shell("git -C '%s' fsck --strict --no-dangling >/dev/null 2>&1", git);
	shell("rm -rf '%s'", path);
	return (after - before) / (double)(devices * rounds);
}

/* ---- the others ---- */

static void import_round(FILE *f, size_t devices, size_t round, size_t bytes, const struct age_recipient *to, bool goes_on)
{
	struct error err = { 0 };

	for (size_t i = 0; i < devices; i++) {
		_cleanup_(buf_done) struct buf config = { 0 }, sealed = { 0 };
		struct bytes data;

		make_config(&config, i, round, bytes);
		if (to && seal_text(&sealed, to, buf_bytes(&config), (struct bytes){ 0 }, &err) < 0)
			exit(1);
		data = to ? buf_bytes(&sealed) : buf_bytes(&config);
		if (i % BATCH == 0)
			fprintf(f, "commit refs/heads/main\ncommitter a <a@localhost> %zu +0000\ndata 1\nx\n%s",
				1700000000 + round * devices + i, i || !goes_on ? "" : "from refs/heads/main^0\n");
		fprintf(f, "M 100644 inline devices/%02zx/%zu/config\ndata %zu\n", i % 256, i, data.len);
		fwrite(data.ptr, 1, data.len, f);
		fputc('\n', f);
	}
}

/* Imports rounds and packs as people do. */
static double imported(const char *git, size_t devices, size_t from, size_t to_round, size_t bytes, const struct age_recipient *to)
{
	_cleanup_(mem_freep) char *stream = mem_printf("%s.stream", git);
	FILE *f = fopen(stream, "w");

	if (!f)
		exit(1);
	for (size_t i = from; i <= to_round; i++)
		import_round(f, devices, i, bytes, to, i == from && i);
	if (fclose(f) != 0)
		exit(1);
	shell("git -C '%s' fast-import --quiet <'%s' && rm '%s' && git -C '%s' gc -q --prune=now", git, stream, stream, git);
	return objects_bytes(git);
}

static double others(const char *dir, size_t devices, size_t rounds, size_t bytes, const struct age_recipient *to)
{
	_cleanup_(mem_freep) char *git = mem_printf("%s/other.git", dir);
	double before, after;

	shell("git init -q --bare '%s'", git);
	before = imported(git, devices, 0, 0, bytes, to);
	after = imported(git, devices, 1, rounds, bytes, to);
	shell("rm -rf '%s'", git);
	return (after - before) / (double)(devices * rounds);
}

static void compare(const char *dir, size_t devices, size_t rounds, size_t bytes)
{
	double cost = ours(dir, devices, rounds, bytes), clear = others(dir, devices, rounds, bytes, NULL), whole;
	struct age_identity box;

	age_identity_new(&box);
	whole = others(dir, devices, rounds, bytes, &box.pub);
	age_identity_done(&box);
	printf("| bytes per one-line change, everything included, configurations of %zu bytes, %zu devices | %.0f | clear text, `git gc`: "
	       "%.0f | %.2f |\n",
	       bytes, devices, cost, clear, cost / clear);
	printf("| the same | %.0f | sealed whole, one file each: %.0f | %.2f |\n", cost, whole, cost / whole);
}

int main(int argc, char **argv)
{
	size_t devices = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000, rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 8;
	struct error err = { 0 };

	if (argc < 2 || !devices || !rounds || crypto_start(&err) < 0) {
		fprintf(stderr, "usage: archive-size DIR [DEVICES [ROUNDS [CONFIG_BYTES...]]]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("| what | ours | beside it | ratio |\n|---|---|---|---|\n");
	for (int i = 4; i < argc; i++)
		compare(argv[1], devices, rounds, strtoul(argv[i], NULL, 10));
	if (argc <= 4) {
		compare(argv[1], devices, rounds, 4096);
		compare(argv[1], devices, rounds, 65536);
	}
	return 0;
}
