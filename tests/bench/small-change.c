/* tests/bench/small-change.c -- what does a snapshot of a one-line change cost in the archive, everything included?
 *
 * small-change DIR DEVICES ROUNDS CONFIG_BYTES. Every device gets a key frame, then ROUNDS one-line changes, in batches of 100, with real
 * seals and signatures; in each round one device in 32 makes a new key frame, as agents do. The archive is packed with `git repack -adf`
 * before and after; the growth, pack and index, is divided by the number of snapshots. */
#include "tests/bench/world.h"

#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 100, KEY_FRAME_EVERY = 32 };

static void make_config(struct buf *out, size_t device, size_t round, size_t bytes)
{
	buf_addf(out, "hostname r%zu\nip route 10.%zu.%zu.0/24 192.0.2.1\n", device, round / 250, round % 250);
	for (size_t i = 0; out->len < bytes; i++)
		buf_addf(out, "interface eth%zu\n description link %zu of %zu\n ip address 10.%zu.%zu.%zu/30\n ip ospf cost %zu\n exit\n!\n", i, i * 7 % 97,
			 device, device % 250, i % 250, i * 4 % 250, (device * 31 + i * 17) % 1000);
	buf_addf(out, "password {{secret 00112233%08zx}}\n", device);
}

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

int main(int argc, char **argv)
{
	_cleanup_(mem_freep) char *git = NULL;
	size_t devices, rounds, bytes;
	struct world world;
	double before, after;

	if (argc != 5) {
		fprintf(stderr, "usage: small-change DIR DEVICES ROUNDS CONFIG_BYTES\n");
		return 2;
	}
	devices = strtoul(argv[2], NULL, 10);
	rounds = strtoul(argv[3], NULL, 10);
	bytes = strtoul(argv[4], NULL, 10);
	world_init(&world, argv[1], devices);
	git = mem_printf("%s/archive.git", argv[1]);
	round_of(&world, 0, bytes);
	shell("git -C '%s' repack -adfq", git);
	before = pack_bytes(git);
	for (size_t i = 1; i <= rounds; i++)
		round_of(&world, i, bytes);
	shell("git -C '%s' repack -adfq", git);
	after = pack_bytes(git);
	shell("git -C '%s' fsck --strict --no-dangling >/dev/null 2>&1", git);
	printf("%.0f\n", (after - before) / (double)(devices * rounds));
	world_done(&world);
	return 0;
}
