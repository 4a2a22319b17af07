/* tests/bench/world.c -- many devices before one archive. */
#include "tests/bench/world.h"

#include <ftw.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static size_t under_way;
static int worst;

static _Noreturn void die(const char *what, const struct error *err)
{
	fprintf(stderr, "%s: %s\n", what, err ? err->text : "");
	exit(1);
}

double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void acknowledged(void *ctx _unused_, const struct repo_outcome *outcome)
{
	pthread_mutex_lock(&lock);
	if (outcome->result != 0)
		worst = outcome->result;
	if (!--under_way)
		pthread_cond_signal(&idle);
	pthread_mutex_unlock(&lock);
}

void world_submit(struct world *world, struct bytes container)
{
	struct error err = { 0 };
	int r;

	pthread_mutex_lock(&lock);
	under_way++;
	pthread_mutex_unlock(&lock);
	while ((r = repo_submit(world->repo, container, acknowledged, NULL, &err)) == REPO_BUSY)
		usleep(500);
	if (r != 0)
		die("submit", &err);
}

void world_wait(void)
{
	pthread_mutex_lock(&lock);
	while (under_way)
		pthread_cond_wait(&idle, &lock);
	pthread_mutex_unlock(&lock);
	if (worst) {
		fprintf(stderr, "a submission was answered with %d\n", worst);
		exit(1);
	}
}

void world_join(struct world *world, struct fleet_device *device, const uint8_t secret[static 32])
{
	_cleanup_(buf_done) struct buf invite = { 0 }, enrol = { 0 }, admit = { 0 }, epoch = { 0 };

	fleet_invite(&invite, &world->fleet, device->name, secret);
	world_submit(world, buf_bytes(&invite));
	fleet_enrol(&enrol, &world->fleet, device, secret);
	world_submit(world, buf_bytes(&enrol));
	fleet_admit(&admit, &world->fleet, device);
	world_submit(world, buf_bytes(&admit));
	fleet_epoch(&epoch, &world->fleet, device);
	world_submit(world, buf_bytes(&epoch));
}

void world_init(struct world *world, const char *dir, size_t count)
{
	struct error err = { 0 };

	*world = (struct world){ .count = count, .dir = mem_strdup(dir) };
	if (crypto_start(&err) < 0)
		die("libsodium", &err);
	fleet_init(&world->fleet);
	if (repo_open(&world->repo, dir, &world->fleet.archive, REPO_CREATE, &err) < 0)
		die("archive", &err);
	world_submit(world, buf_bytes(&world->fleet.root));
	world->devices = mem_alloc(count * sizeof(*world->devices));
	for (size_t i = 0; i < count; i++) {
		uint8_t secret[32];
		char name[32];

		randombytes_buf(secret, sizeof(secret));
		snprintf(name, sizeof(name), "r%zu", i);
		fleet_device_init(&world->devices[i], name);
		world_join(world, &world->devices[i], secret);
	}
	world_wait();
	if (repo_flush(world->repo, &err) < 0)
		die("flush", &err);
}

void world_done(struct world *world)
{
	repo_close(world->repo);
	for (size_t i = 0; i < world->count; i++)
		fleet_device_done(&world->devices[i]);
	free(world->devices);
	fleet_done(&world->fleet);
	free(world->dir);
}

void shell(const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (system(line) != 0) {
		fprintf(stderr, "failed: %s\n", line);
		exit(1);
	}
}

static double bytes_seen;

static int add_bytes(const char *path _unused_, const struct stat *st, int type, struct FTW *at _unused_)
{
	if (type == FTW_F)
		bytes_seen += (double)st->st_size;
	return 0;
}

static double folder_bytes(const char *folder)
{
	bytes_seen = 0;
	if (nftw(folder, add_bytes, 16, FTW_PHYS) != 0)
		die("cannot read a folder of the archive", NULL);
	return bytes_seen;
}

double objects_bytes(const char *git_dir)
{
	_cleanup_(mem_freep) char *folder = mem_printf("%s/objects", git_dir);

	return folder_bytes(folder);
}

void note_cost(const char *what, const char *dir, double begun_s)
{
	_cleanup_(mem_freep) char *git = mem_printf("%s/archive.git", dir);
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	fprintf(stderr, "%s: %.0f s, at most %ld MB of memory; %.0f MB on disk, %.0f of them objects\n", what, now_s() - begun_s,
		used.ru_maxrss / 1024, folder_bytes(dir) / 1e6, objects_bytes(git) / 1e6);
}
