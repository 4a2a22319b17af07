/* tests/bench/crowd.c -- a fleet of any size before one archive. */
#include "tests/bench/crowd.h"

#include "base/clock.h"
#include "tests/bench/world.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENROLS_PER_INVITE = 8, SWEEP_EVERY = 20000 };

/* What all devices have in common. */
struct common {
	char box[AGE_RECIPIENT_LEN + 1];
	struct buf secret, body_key, secrets_key; /* seals */
	char time[CLOCK_TEXT_LEN];
};

static _Noreturn void die(const char *what, const struct error *err)
{
	fprintf(stderr, "%s: %s\n", what, err ? err->text : "");
	exit(1);
}

static void sign(struct buf *text, const struct sign_key *key)
{
	struct error err = { 0 };

	if (statement_sign(text, key, &err) < 0)
		die("fixture", &err);
}

static void device_seed(uint8_t seed[static HASH_LEN], const struct crowd *crowd, size_t device)
{
	_cleanup_(buf_done) struct buf name = { 0 };

	buf_addf(&name, "%s %zu", crowd->fleet.id, device);
	sha256(seed, buf_bytes(&name));
}

static void make_key(struct crowd *crowd, size_t device)
{
	uint8_t seed[HASH_LEN];

	device_seed(seed, crowd, device);
	sign_key_done(&crowd->key);
	sign_key_from_seed(&crowd->key, seed);
	memcpy(crowd->devices[device].pub, crowd->key.pub.key, HASH_LEN);
}

/* Its public half is known: to make it anew would take as long as to sign. A pair is the seed, then the public half. */
static const struct sign_key *device_key(struct crowd *crowd, size_t device)
{
	device_seed(crowd->key.pair.ptr, crowd, device);
	memcpy(crowd->key.pair.ptr + HASH_LEN, crowd->devices[device].pub, HASH_LEN);
	memcpy(crowd->key.pub.key, crowd->devices[device].pub, HASH_LEN);
	return &crowd->key;
}

static void some_seal(struct buf *out, const struct crowd *crowd)
{
	struct error err = { 0 };

	if (seal_secret(out, &crowd->fleet.reader.pub, 1, bytes_str("AGE-SECRET-KEY-1\n"), &err) < 0)
		die("seal", &err);
}

static void begin(struct buf *text, enum statement_type type, const struct crowd *crowd, struct crowd_device *device)
{
	statement_begin(text, type);
	statement_add(text, "fleet", "%s", crowd->fleet.id);
	statement_add(text, "device", "%s", device->id);
	statement_add(text, "number", "%u", ++device->number);
}

/* Of a chain: signs it and remembers it as the head. */
static void finish(struct buf *text, struct crowd_device *device, const struct sign_key *key)
{
	sha256(device->head, buf_bytes(text));
	sign(text, key);
}

static void invite(struct world *world, const struct crowd *crowd, const struct common *c, const char *id)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	statement_begin(&text, STATEMENT_INVITE);
	statement_add(&text, "fleet", "%s", crowd->fleet.id);
	statement_add(&text, "invite", "%s", id);
	statement_add(&text, "device-name", "r");
	statement_add_time(&text, "time", clock_now_s());
	statement_add_time(&text, "expires", clock_now_s() + 86400);
	statement_add(&text, "root", "1");
	statement_add_seal(&text, "secret", 1, buf_bytes(&c->secret));
	sign(&text, &crowd->fleet.operator);
	buf_add_bytes(&text, buf_bytes(&c->secret));
	world_submit(world, buf_bytes(&text));
}

static void enrol(struct world *world, const struct crowd *crowd, const struct common *c, struct crowd_device *device,
		  const struct sign_key *key, const char *invite_id)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char pub[SIGN_PUB_TEXT_MAX];
	uint8_t mac[HASH_LEN] = { 0 };

	sign_pub_text(pub, &key->pub);
	begin(&text, STATEMENT_ENROL, crowd, device);
	statement_add(&text, "invite", "%s", invite_id);
	statement_add(&text, "key", "%s", pub);
	statement_add(&text, "box", "%s", c->box);
	statement_add(&text, "driver", "frr");
	statement_add(&text, "firmware", "FRRouting 8.4.4");
	statement_add(&text, "time", "%s", c->time);
	statement_add_hash(&text, "mac", mac);
	finish(&text, device, key);
	world_submit(world, buf_bytes(&text));
}

static void admit(struct world *world, const struct crowd *crowd, const struct common *c, const struct crowd_device *device, size_t number)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	statement_begin(&text, STATEMENT_ADMIT);
	statement_add(&text, "fleet", "%s", crowd->fleet.id);
	statement_add(&text, "device", "%s", device->id);
	statement_add_hash(&text, "enrol", device->head);
	statement_add(&text, "device-name", "r%zu", number);
	statement_add(&text, "label", "site:north");
	statement_add(&text, "time", "%s", c->time);
	statement_add(&text, "root", "1");
	sign(&text, &crowd->fleet.operator);
	world_submit(world, buf_bytes(&text));
}

static void epoch(struct world *world, const struct crowd *crowd, const struct common *c, struct crowd_device *device,
		  const struct sign_key *key)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	uint8_t prev[HASH_LEN];

	memcpy(prev, device->head, HASH_LEN);
	begin(&text, STATEMENT_EPOCH, crowd, device);
	statement_add_hash(&text, "prev", prev);
	statement_add(&text, "time", "%s", c->time);
	statement_add(&text, "epoch", "1");
	statement_add(&text, "root", "1");
	statement_add(&text, "body", "%s", c->box);
	statement_add(&text, "secrets", "%s", c->box);
	statement_add_seal(&text, "body-key", device->number, buf_bytes(&c->body_key));
	statement_add_seal(&text, "secrets-key", device->number, buf_bytes(&c->secrets_key));
	finish(&text, device, key);
	buf_add_bytes(&text, buf_bytes(&c->body_key));
	buf_add_bytes(&text, buf_bytes(&c->secrets_key));
	world_submit(world, buf_bytes(&text));
}

static void settle(struct crowd *crowd)
{
	struct error err = { 0 };

	world_wait();
	if (repo_flush(crowd->repo, &err) < 0)
		die("flush", &err);
	shell("find '%s' -mindepth 1 -delete", crowd->keyring);
}

static void first_snapshot(struct world *world, struct crowd *crowd, size_t i)
{
	struct sample sample;

	crowd_sample(&sample, crowd, i);
	world_submit(world, buf_bytes(&sample.container));
	buf_done(&sample.container);
}

static void join(struct crowd *crowd, const struct common *c)
{
	struct world world = { .repo = crowd->repo };
	char invite_id[ID_LEN + 1];
	uint8_t hash[HASH_LEN];

	for (size_t i = 0; i < crowd->count; i++) {
		struct crowd_device *device = &crowd->devices[i];

		if (i % ENROLS_PER_INVITE == 0) {
			sha256(hash, bytes_of(&i, sizeof(i)));
			id_of_hash(invite_id, hash);
			invite(&world, crowd, c, invite_id);
		}
		make_key(crowd, i);
		sign_pub_id(device->id, &crowd->key.pub);
		enrol(&world, crowd, c, device, &crowd->key, invite_id);
		admit(&world, crowd, c, device, i);
		epoch(&world, crowd, c, device, &crowd->key);
		first_snapshot(&world, crowd, i);
		if ((i + 1) % SWEEP_EVERY == 0)
			settle(crowd);
	}
	settle(crowd);
}

static void make_common(struct common *c, const struct crowd *crowd)
{
	struct age_identity box;

	age_identity_new(&box);
	age_recipient_text(c->box, &box.pub);
	age_identity_done(&box);
	some_seal(&c->secret, crowd);
	some_seal(&c->body_key, crowd);
	some_seal(&c->secrets_key, crowd);
	clock_text(c->time, clock_now_s());
}

void crowd_init(struct crowd *crowd, const char *dir, size_t count)
{
	_cleanup_(mem_freep) char *link = mem_printf("%s/keyring", dir);
	struct common c = { 0 };
	struct error err = { 0 };
	struct world world = { 0 };

	*crowd = (struct crowd){ .count = count,
				 .delta_bytes = SEAL_BYTES,
				 .dir = mem_strdup(dir),
				 .keyring = mem_strdup("/dev/shm/holdfast-bench.XXXXXX") };
	if (crypto_start(&err) < 0)
		die("libsodium", &err);
	shell("mkdir -p '%s'", dir);
	if (!mkdtemp(crowd->keyring) || symlink(crowd->keyring, link) < 0)
		die("cannot make the keyring in memory", NULL);
	fleet_init(&crowd->fleet);
	if (repo_open(&crowd->repo, dir, &crowd->fleet.archive, REPO_CREATE, &err) < 0)
		die("archive", &err);
	world.repo = crowd->repo;
	world_submit(&world, buf_bytes(&crowd->fleet.root));
	crowd->devices = mem_alloc(count * sizeof(*crowd->devices));
	make_common(&c, crowd);
	join(crowd, &c);
	buf_done(&c.secret);
	buf_done(&c.body_key);
	buf_done(&c.secrets_key);
}

void crowd_done(struct crowd *crowd)
{
	crowd->repo = repo_close(crowd->repo);
	fleet_done(&crowd->fleet);
	sign_key_done(&crowd->key);
	shell("rm -rf '%s'", crowd->keyring);
	free(crowd->devices);
	free(crowd->dir);
	free(crowd->keyring);
}

/* ---- snapshots ---- */

void crowd_sample(struct sample *out, struct crowd *crowd, size_t i)
{
	struct crowd_device *device = &crowd->devices[i];
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(buf_done) struct buf delta = { 0 };
	uint8_t base[SEAL_BYTES], prev[HASH_LEN];
	bool first = !device->base_number;
	char hash[2 * HASH_LEN + 1];

	randombytes_buf(base, sizeof(base));
	randombytes_buf(buf_extend(&delta, crowd->delta_bytes), crowd->delta_bytes);
	memcpy(prev, device->head, HASH_LEN);
	begin(&text, STATEMENT_SNAPSHOT, crowd, device);
	statement_add_hash(&text, "prev", prev);
	statement_add(&text, "time", "2026-01-01T00:00:00Z");
	statement_add(&text, "epoch", "1");
	statement_add(&text, "root", "1");
	statement_add(&text, "reason", "change");
	statement_add(&text, "saved", "yes");
	statement_add(&text, "mode", "commit");
	statement_add(&text, "changed", "1 1");
	if (first) {
		device->base_number = device->number;
		sha256(device->base, bytes_of(base, sizeof(base)));
	}
	hex_encode(hash, device->base, HASH_LEN);
	statement_add(&text, "base", "%u %d %s", device->base_number, SEAL_BYTES, hash);
	statement_add_seal(&text, "delta", device->number, buf_bytes(&delta));
	finish(&text, device, device_key(crowd, i));
	*out = (struct sample){ .id = device->id, .statement_len = text.len };
	buf_add_bytes(&out->container, buf_bytes(&text));
	if (first)
		buf_add(&out->container, base, sizeof(base));
	buf_add_bytes(&out->container, buf_bytes(&delta));
}

struct sample *crowd_samples(struct crowd *crowd, size_t n)
{
	struct sample *samples = mem_alloc((n + 1) * sizeof(*samples));

	for (size_t i = 0; i < n; i++)
		crowd_sample(&samples[i], crowd, crowd->next++ % crowd->count);
	return samples;
}

void samples_free(struct sample *samples, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_done(&samples[i].container);
	free(samples);
}
