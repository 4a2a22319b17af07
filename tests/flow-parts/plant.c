/* tests/flow-parts/plant.c -- a fleet of any size with orders for all of it, and an audit: what is too slow or too long for a shell.
 *
 *   plant make SETUP SERVER OUT COUNT     puts a root and COUNT admitted devices into the archive of a server that is not running, and
 * writes into OUT: fleet, alice.key, batch, orders.<n> (lists of at most 8 MiB), and for the first 100 devices device.<n> (id), poll.<n> (a
 * status), wait.<n> (one that waits), receipt.<n> (done) plant fleet SETUP SERVER OUT COUNT    the same fleet, each device with a snapshot,
 * and no batch: for an operator to plan on. OUT has fleet, alice.key (the seed) and alice.age plant login OUT URL CHALLENGE        prints
 * alice's login plant audit GIT FLEET                prints what an audit finds; 1 when it found anything */
#include "base/fs.h"
#include "crypto/secret.h"
#include "repo/repo.h"
#include "tests/load/server.h"
#include "tests/orders.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WRITTEN = 100, NAME_MAX_LEN = 32, PAYLOAD_BYTES = 1500 };

static void must(int r, const struct error *err)
{
	if (r == 0)
		return;
	fprintf(stderr, "plant: %s\n", err->text);
	exit(2);
}

static void put(const char *folder, const char *name, struct bytes in)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", folder, name);
	struct error err = { 0 };

	must(fs_write(path, in, 0600, &err), &err);
}

static void put_numbered(const char *folder, const char *name, size_t n, struct bytes in)
{
	_cleanup_(mem_freep) char *numbered = mem_printf("%s.%zu", name, n);

	put(folder, numbered, in);
}

/* ---- submitting without waiting for each ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static size_t under_way;
static bool has_failed;

static void acknowledged(void *ctx _unused_, const struct repo_outcome *outcome)
{
	pthread_mutex_lock(&lock);
	has_failed = has_failed || outcome->result != 0;
	if (!--under_way)
		pthread_cond_signal(&idle);
	pthread_mutex_unlock(&lock);
}

static void submit(struct repo *repo, struct bytes container)
{
	struct error err = { 0 };
	int r;

	pthread_mutex_lock(&lock);
	under_way++;
	pthread_mutex_unlock(&lock);
	while ((r = repo_submit(repo, container, acknowledged, NULL, &err)) == REPO_BUSY)
		usleep(1000);
	must(r, &err);
}

static void wait_for_all(void)
{
	pthread_mutex_lock(&lock);
	while (under_way)
		pthread_cond_wait(&idle, &lock);
	if (has_failed) {
		fprintf(stderr, "plant: a submission was refused\n");
		exit(2);
	}
	pthread_mutex_unlock(&lock);
}

/* ---- the plant ---- */

static void record(struct repo *repo, const struct fleet *fleet, struct fleet_device *device)
{
	_cleanup_(buf_done) struct buf epoch = { 0 }, snapshot = { 0 };
	_cleanup_(mem_freep) char *running = mem_printf("hostname %s\nip route 192.0.2.0/24 Null0\n", device->name);

	fleet_epoch(&epoch, fleet, device);
	submit(repo, buf_bytes(&epoch));
	fleet_snapshot(&snapshot, fleet, device, running, "\n");
	submit(repo, buf_bytes(&snapshot));
}

static void join(struct repo *repo, const struct fleet *fleet, struct fleet_device *device, size_t i, bool is_recorded)
{
	_cleanup_(buf_done) struct buf invite = { 0 }, enrol = { 0 }, admit = { 0 }, epoch = { 0 };
	char name[NAME_MAX_LEN];
	uint8_t secret[32];

	randombytes_buf(secret, sizeof(secret));
	snprintf(name, sizeof(name), "n%05zu", i);
	fleet_device_init(device, name);
	fleet_invite(&invite, fleet, name, secret);
	fleet_enrol(&enrol, fleet, device, secret);
	fleet_admit(&admit, fleet, device);
	submit(repo, buf_bytes(&invite));
	submit(repo, buf_bytes(&enrol));
	submit(repo, buf_bytes(&admit));
	if (is_recorded)
		record(repo, fleet, device);
	if (is_recorded || i >= WRITTEN) {
		fleet_device_rest(device);
		return;
	}
	fleet_epoch(&epoch, fleet, device); /* one that has joined: its polls wait for more than its admission */
	submit(repo, buf_bytes(&epoch));
}

static void put_lists(const char *out, const struct orders_batch *batch)
{
	_cleanup_(buf_done) struct buf list = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < batch->count; i++) {
		if (list.len && list.len + batch->orders[i].len > CONTAINER_MAX) {
			put_numbered(out, "orders", ++n, buf_bytes(&list));
			buf_truncate(&list, 0);
		}
		buf_add_bytes(&list, buf_bytes(&batch->orders[i]));
	}
	put_numbered(out, "orders", ++n, buf_bytes(&list));
}

static void put_device(const char *out, const struct fleet *fleet, struct fleet_device *device, const struct orders_batch *batch, size_t i)
{
	_cleanup_(buf_done) struct buf poll = { 0 }, wait = { 0 }, receipt = { 0 };

	put_numbered(out, "device", i, bytes_str(device->id));
	fleet_status(&poll, fleet, device, 0, 0);
	put_numbered(out, "poll", i, buf_bytes(&poll));
	fleet_status(&wait, fleet, device, 0, 60);
	put_numbered(out, "wait", i, buf_bytes(&wait));
	orders_receipt(&receipt, fleet, device, batch, i, "done", NULL);
	put_numbered(out, "receipt", i, buf_bytes(&receipt));
}

static void put_all(const char *out, const struct fleet *fleet, struct fleet_device *const devices[], size_t count)
{
	uint32_t waves[] = { WRITTEN / 2, (uint32_t)count };
	struct orders_batch batch;

	orders_batch_make(&batch, fleet, devices, count,
			  &(struct orders_plan){ .waves = waves, .wave_count = 2, .payload_len = PAYLOAD_BYTES });
	put(out, "fleet", bytes_str(fleet->id));
	put(out, "batch.id", bytes_str(batch.id));
	put(out, "batch", buf_bytes(&batch.whole));
	put_lists(out, &batch);
	for (size_t i = 0; i < WRITTEN && i < count; i++)
		put_device(out, fleet, devices[i], &batch, i);
	orders_batch_done(&batch);
}

static void put_reader(const char *out, const struct fleet *fleet)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	age_identity_text(&text, &fleet->reader);
	buf_add_char(&text, '\n');
	put(out, "alice.age", buf_bytes(&text));
	put(out, "fleet", bytes_str(fleet->id));
}

static int cmd_make(const char *setup, const char *server_dir, const char *out, size_t count, bool is_recorded)
{
	_cleanup_(mem_freep) char *key_path = mem_printf("%s/archive.key", server_dir), *alice = mem_printf("%s/alice.key", out);
	struct fleet_device *devices = mem_alloc(count * sizeof(*devices)), **list = mem_alloc(count * sizeof(*list));
	struct server server;
	struct sign_key key;
	struct repo *repo;
	struct fleet fleet;
	struct error err = { 0 };

	must(server_from_setup(&server, setup, &err), &err);
	must(sign_key_load(&key, key_path, &err), &err);
	must(repo_open(&repo, server_dir, &key, 0, &err), &err);
	fleet_init_for(&fleet, &(struct fleet_server){ server.archive, server.pin, server.address });
	submit(repo, buf_bytes(&fleet.root));
	for (size_t i = 0; i < count; i++) {
		join(repo, &fleet, &devices[i], i, is_recorded);
		list[i] = &devices[i];
	}
	wait_for_all();
	repo_close(repo);
	must(sign_key_store(&fleet.operator, alice, &err), &err);
	if (is_recorded)
		put_reader(out, &fleet);
	else
		put_all(out, &fleet, list, count);
	for (size_t i = 0; i < count; i++)
		fleet_device_done(&devices[i]);
	fleet_done(&fleet);
	sign_key_done(&key);
	server_done(&server);
	free(list);
	free(devices);
	return 0;
}

/* ---- the rest ---- */

static int cmd_login(const char *out, const char *url, const char *challenge)
{
	_cleanup_(mem_freep) char *key_path = mem_printf("%s/alice.key", out), *fleet_path = mem_printf("%s/fleet", out);
	_cleanup_(buf_done) struct buf id = { 0 }, text = { 0 };
	struct fleet fleet = { 0 };
	struct error err = { 0 };

	must(sign_key_load(&fleet.operator, key_path, &err), &err);
	must(fs_read(&id, fleet_path, ID_LEN, &err), &err);
	memcpy(fleet.id, buf_text(&id), ID_LEN);
	fleet_login(&text, &fleet, url, challenge);
	fputs(buf_text(&text), stdout);
	sign_key_done(&fleet.operator);
	return 0;
}

static void print_finding(void *ctx _unused_, const char *kind, const char *where, const char *text)
{
	printf("%s %s %s\n", kind, where, text);
}

static int cmd_audit(const char *git, const char *fleet)
{
	struct repo_audit audit;
	struct error err = { 0 };

	must(repo_audit(&audit, git, fleet, NULL, print_finding, NULL, NULL, &err), &err);
	return audit.findings ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct error err = { 0 };

	must(crypto_start(&err), &err);
	if (argc == 6 && !strcmp(argv[1], "make"))
		return cmd_make(argv[2], argv[3], argv[4], strtoul(argv[5], NULL, 10), false);
	if (argc == 6 && !strcmp(argv[1], "fleet"))
		return cmd_make(argv[2], argv[3], argv[4], strtoul(argv[5], NULL, 10), true);
	if (argc == 5 && !strcmp(argv[1], "login"))
		return cmd_login(argv[2], argv[3], argv[4]);
	if (argc == 4 && !strcmp(argv[1], "audit"))
		return cmd_audit(argv[2], argv[3]);
	fprintf(stderr, "usage: plant make SETUP SERVER OUT COUNT | login OUT URL CHALLENGE | audit GIT FLEET\n");
	return 2;
}
