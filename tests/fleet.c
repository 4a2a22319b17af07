/* tests/fleet.c -- a small fleet in memory for tests. */
#include "tests/fleet.h"

#include "base/clock.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static void must(int r, const struct error *err)
{
	if (r != 0) {
		fprintf(stderr, "fixture: %s\n", err->text);
		assert(r == 0);
	}
}

void fleet_checkpoint(struct buf *out, const char *fleet, const struct sign_key *key, uint64_t size, const uint8_t tree[static HASH_LEN],
		      int64_t time_s)
{
	struct error err = { 0 };

	statement_begin(out, STATEMENT_CHECKPOINT);
	statement_add(out, "fleet", "%s", fleet);
	statement_add(out, "size", "%llu", (unsigned long long)size);
	statement_add_hash(out, "tree", tree);
	statement_add(out, "root", "1");
	statement_add_time(out, "time", time_s);
	must(statement_sign(out, key, &err), &err);
}

struct statement *fleet_parsed(const struct buf *whole)
{
	struct statement *st = NULL;
	struct error err = { 0 };

	must(statement_parse(&st, buf_bytes(whole), false, NULL, &err), &err);
	return st;
}

static int64_t device_now(const struct fleet_device *device)
{
	return device->clock_s ? device->clock_s : clock_now_s();
}

/* Root 1, or the one behind fleet->root. */
static void make_root(struct buf *out, const struct fleet *fleet, const struct statement *before)
{
	unsigned long long version = before ? statement_number(before, "version") + 1 : 1;
	char key[SIGN_PUB_TEXT_MAX], reader[AGE_RECIPIENT_LEN + 1];
	struct error err = { 0 };

	sign_pub_text(key, &fleet->operator.pub);
	age_recipient_text(reader, &fleet->reader.pub);
	statement_begin(out, STATEMENT_ROOT);
	if (before)
		statement_add(out, "fleet", "%s", fleet->id);
	statement_add(out, "version", "%llu", version);
	if (before)
		statement_add_hash(out, "prev", statement_hash(before));
	statement_add_time(out, "time", clock_now_s());
	statement_add_time(out, "expires", clock_now_s() + 86400);
	statement_add(out, "name", "plant-a");
	statement_add(out, "person", "alice");
	statement_add(out, "key", "alice %s", key);
	statement_add(out, "reading-key", "alice %s", reader);
	for (int i = 0; i < ROLES; i++)
		statement_add(out, "role", "%s alice", role_name((enum role)i));
	statement_add(out, "archive", "%s", fleet->archive_text);
	statement_add(out, "tls-pin", "%s", fleet->pin);
	statement_add(out, "server", "%s", fleet->address);
	must(statement_sign(out, &fleet->operator, &err), &err);
}

void fleet_init_for(struct fleet *fleet, const struct fleet_server *server)
{
	struct statement *st = NULL;
	struct error err = { 0 };

	*fleet = (struct fleet){ 0 };
	sign_key_new(&fleet->operator);
	if (!server)
		sign_key_new(&fleet->archive);
	age_identity_new(&fleet->reader);
	sign_pub_text(fleet->archive_text, server ? &server->archive : &fleet->archive.pub);
	snprintf(fleet->pin, sizeof(fleet->pin), "%s", server ? server->pin : "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	snprintf(fleet->address, sizeof(fleet->address), "%s", server ? server->address : "localhost:8443");
	make_root(&fleet->root, fleet, NULL);
	must(statement_parse(&st, buf_bytes(&fleet->root), false, NULL, &err), &err);
	id_of_hash(fleet->id, statement_hash(st));
	statement_free(st);
}

void fleet_init(struct fleet *fleet)
{
	fleet_init_for(fleet, NULL);
}

void fleet_next_root(struct fleet *fleet)
{
	_cleanup_(statement_freep) struct statement *before = NULL;
	struct error err = { 0 };

	must(statement_parse(&before, buf_bytes(&fleet->root), false, NULL, &err), &err);
	buf_truncate(&fleet->root, 0);
	make_root(&fleet->root, fleet, before);
}

void fleet_done(struct fleet *fleet)
{
	sign_key_done(&fleet->operator);
	sign_key_done(&fleet->archive);
	age_identity_done(&fleet->reader);
	buf_done(&fleet->root);
}

void fleet_device_init(struct fleet_device *device, const char *name)
{
	*device = (struct fleet_device){ 0 };
	sign_key_new(&device->key);
	age_identity_new(&device->box);
	sign_pub_id(device->id, &device->key.pub);
	snprintf(device->name, sizeof(device->name), "%s", name);
}

void fleet_device_done(struct fleet_device *device)
{
	sign_key_done(&device->key);
	age_identity_done(&device->box);
	age_identity_done(&device->body);
	age_identity_done(&device->secrets);
	buf_done(&device->base);
	buf_done(&device->base_seal);
	buf_done(&device->secrets_line);
}

static void rest(uint8_t seed[static 32], struct age_identity *id)
{
	if (id->key.ptr)
		memcpy(seed, id->key.ptr, 32);
	secret_done(&id->key);
}

static void wake(struct age_identity *id, const uint8_t seed[static 32])
{
	secret_copy(&id->key, bytes_of(seed, 32));
}

void fleet_device_rest(struct fleet_device *device)
{
	memcpy(device->seeds[0], device->key.pair.ptr, 32); /* the pair begins with the seed */
	sign_key_done(&device->key);
	rest(device->seeds[1], &device->box);
	rest(device->seeds[2], &device->body);
	rest(device->seeds[3], &device->secrets);
}

void fleet_device_wake(struct fleet_device *device)
{
	sign_key_from_seed(&device->key, device->seeds[0]);
	wake(&device->box, device->seeds[1]);
	wake(&device->body, device->seeds[2]);
	wake(&device->secrets, device->seeds[3]);
}

static void invite_id(char out[static ID_LEN + 1], const uint8_t secret[static 32])
{
	uint8_t hash[HASH_LEN];

	sha256(hash, bytes_of(secret, 32));
	id_of_hash(out, hash);
}

void fleet_invite(struct buf *out, const struct fleet *fleet, const char *device_name, const uint8_t secret[static 32])
{
	_cleanup_(buf_done) struct buf text = { 0 }, seal = { 0 }, line = { 0 };
	struct error err = { 0 };
	char id[ID_LEN + 1];

	invite_id(id, secret);
	base64_encode(&line, bytes_of(secret, 32));
	buf_add_char(&line, '\n');
	must(seal_secret(&seal, &fleet->reader.pub, 1, buf_bytes(&line), &err), &err);
	statement_begin(&text, STATEMENT_INVITE);
	statement_add(&text, "fleet", "%s", fleet->id);
	statement_add(&text, "invite", "%s", id);
	statement_add(&text, "device-name", "%s", device_name);
	statement_add(&text, "label", "site:north");
	statement_add_time(&text, "time", clock_now_s());
	statement_add_time(&text, "expires", clock_now_s() + 86400);
	statement_add(&text, "root", "1");
	statement_add_seal(&text, "secret", 1, buf_bytes(&seal));
	must(statement_sign(&text, &fleet->operator, &err), &err);
	buf_add_bytes(out, buf_bytes(&text));
	buf_add_bytes(out, buf_bytes(&seal));
}

/* Signs the text as the device's next statement and appends it. */
static void finish(struct buf *out, struct fleet_device *device, struct buf *text)
{
	struct error err = { 0 };

	sha256(device->head, buf_bytes(text));
	must(statement_sign(text, &device->key, &err), &err);
	buf_add_bytes(out, buf_bytes(text));
}

void fleet_enrol(struct buf *out, const struct fleet *fleet, struct fleet_device *device, const uint8_t secret[static 32])
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char id[ID_LEN + 1], key[SIGN_PUB_TEXT_MAX], box[AGE_RECIPIENT_LEN + 1];
	uint8_t mac[32];

	invite_id(id, secret);
	sign_pub_text(key, &device->key.pub);
	age_recipient_text(box, &device->box.pub);
	device->number = 1;
	statement_begin(&text, STATEMENT_ENROL);
	statement_add(&text, "fleet", "%s", fleet->id);
	statement_add(&text, "device", "%s", device->id);
	statement_add(&text, "number", "1");
	statement_add(&text, "invite", "%s", id);
	statement_add(&text, "key", "%s", key);
	statement_add(&text, "box", "%s", box);
	statement_add(&text, "driver", "frr");
	statement_add(&text, "firmware", "FRRouting 8.4.4");
	statement_add_time(&text, "time", device_now(device));
	crypto_auth_hmacsha256(mac, text.ptr, text.len, secret);
	statement_add_hash(&text, "mac", mac);
	finish(out, device, &text);
}

void fleet_admit(struct buf *out, const struct fleet *fleet, const struct fleet_device *device)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	assert(device->number == 1); /* the head is still the enrolment */
	statement_begin(&text, STATEMENT_ADMIT);
	statement_add(&text, "fleet", "%s", fleet->id);
	statement_add(&text, "device", "%s", device->id);
	statement_add_hash(&text, "enrol", device->head);
	statement_add(&text, "device-name", "%s", device->name);
	statement_add(&text, "label", "site:north");
	statement_add_time(&text, "time", clock_now_s());
	statement_add(&text, "root", "1");
	must(statement_sign(&text, &fleet->operator, &err), &err);
	buf_add_bytes(out, buf_bytes(&text));
}

static void chain_head(struct buf *text, enum statement_type type, const struct fleet *fleet, struct fleet_device *device)
{
	statement_begin(text, type);
	statement_add(text, "fleet", "%s", fleet->id);
	statement_add(text, "device", "%s", device->id);
	statement_add(text, "number", "%llu", (unsigned long long)++device->number);
	statement_add_hash(text, "prev", device->head);
	statement_add_time(text, "time", device_now(device));
	statement_add(text, "epoch", "%llu", (unsigned long long)device->epoch);
	statement_add(text, "root", "1");
}

static void seal_identity(struct buf *out, const struct fleet *fleet, const struct age_identity *id)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	age_identity_text(&text, id);
	buf_add_char(&text, '\n');
	must(seal_secret(out, &fleet->reader.pub, 1, buf_bytes(&text), &err), &err);
}

void fleet_epoch(struct buf *out, const struct fleet *fleet, struct fleet_device *device)
{
	_cleanup_(buf_done) struct buf text = { 0 }, body = { 0 }, secrets = { 0 };
	char to[AGE_RECIPIENT_LEN + 1];

	age_identity_done(&device->body);
	age_identity_done(&device->secrets);
	age_identity_new(&device->body);
	age_identity_new(&device->secrets);
	seal_identity(&body, fleet, &device->body);
	seal_identity(&secrets, fleet, &device->secrets);
	device->epoch++;
	device->base_number = 0;
	chain_head(&text, STATEMENT_EPOCH, fleet, device);
	age_recipient_text(to, &device->body.pub);
	statement_add(&text, "body", "%s", to);
	age_recipient_text(to, &device->secrets.pub);
	statement_add(&text, "secrets", "%s", to);
	statement_add_seal(&text, "body-key", device->number, buf_bytes(&body));
	statement_add_seal(&text, "secrets-key", device->number, buf_bytes(&secrets));
	finish(out, device, &text);
	buf_add_bytes(out, buf_bytes(&body));
	buf_add_bytes(out, buf_bytes(&secrets));
}

/* "number length hash" of a seal, to be named again by later snapshots. */
static void seal_line(char out[static 128], uint64_t number, struct bytes seal)
{
	char hash[2 * HASH_LEN + 1];

	sha256_hex(hash, seal);
	snprintf(out, 128, "%llu %zu %s", (unsigned long long)number, seal.len, hash);
}

void fleet_snapshot(struct buf *out, const struct fleet *fleet, struct fleet_device *device, const char *running, const char *secrets)
{
	_cleanup_(buf_done) struct buf text = { 0 }, base = { 0 }, delta = { 0 }, sealed = { 0 };
	struct error err = { 0 };
	bool key_frame = !device->base_number;

	chain_head(&text, STATEMENT_SNAPSHOT, fleet, device);
	statement_add(&text, "reason", "change");
	statement_add(&text, "saved", "yes");
	statement_add(&text, "mode", "observe");
	statement_add(&text, "changed", "1 1");
	if (device->firmware)
		statement_add(&text, "firmware", "%s", device->firmware);
	if (key_frame) {
		device->base_number = device->number;
		buf_done(&device->base);
		buf_add_str(&device->base, running);
		must(seal_text(&base, &device->body.pub, bytes_str(running), (struct bytes){ 0 }, &err), &err);
		must(seal_secret(&sealed, &device->secrets.pub, 1, bytes_str(secrets), &err), &err);
		seal_line(device->base_line, device->number, buf_bytes(&base));
		seal_line(device->secrets_ref, device->number, buf_bytes(&sealed));
	}
	statement_add(&text, "base", "%s", device->base_line);
	if (!key_frame && !bytes_is(buf_bytes(&device->base), running)) {
		must(seal_text(&delta, &device->body.pub, bytes_str(running), buf_bytes(&device->base), &err), &err);
		statement_add_seal(&text, "delta", device->number, buf_bytes(&delta));
	}
	statement_add(&text, "secrets", "%s", device->secrets_ref);
	finish(out, device, &text);
	device->snapshot_number = device->number;
	memcpy(device->snapshot_hash, device->head, HASH_LEN);
	buf_add_bytes(out, buf_bytes(&base));
	buf_add_bytes(out, buf_bytes(&delta));
	buf_add_bytes(out, buf_bytes(&sealed));
}

void fleet_verdict(struct buf *out, const struct fleet *fleet, struct fleet_device *device, const char *says, const char *findings)
{
	static const uint8_t leaf[HASH_LEN] = { 1 };
	_cleanup_(buf_done) struct buf text = { 0 }, sealed = { 0 };
	struct error err = { 0 };

	chain_head(&text, STATEMENT_VERDICT, fleet, device);
	statement_add_point(&text, "snapshot", device->snapshot_number, device->snapshot_hash);
	statement_add_point(&text, "policy", 1, leaf);
	buf_add_str(&text, says);
	must(seal_text(&sealed, &device->body.pub, bytes_str(findings), (struct bytes){ 0 }, &err), &err);
	statement_add_seal(&text, "findings", device->number, buf_bytes(&sealed));
	finish(out, device, &text);
	buf_add_bytes(out, buf_bytes(&sealed));
}

void fleet_firmware(struct buf *out, const struct fleet *fleet, const char *version, struct bytes image)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	uint8_t hash[HASH_LEN];

	sha256(hash, image);
	statement_begin(&text, STATEMENT_FIRMWARE);
	statement_add(&text, "fleet", "%s", fleet->id);
	statement_add(&text, "driver", "weos");
	statement_add(&text, "part", "system");
	statement_add(&text, "version", "%s", version);
	statement_add(&text, "size", "%zu", image.len);
	statement_add_hash(&text, "image", hash);
	statement_add(&text, "person", "alice");
	statement_add_time(&text, "time", clock_now_s());
	statement_add(&text, "root", "1");
	must(statement_sign(&text, &fleet->operator, &err), &err);
	buf_add_bytes(out, buf_bytes(&text));
}

void fleet_status(struct buf *out, const struct fleet *fleet, const struct fleet_device *device, uint64_t order, unsigned wait_s)
{
	_cleanup_(statement_freep) struct statement *root = NULL;
	struct error err = { 0 };

	must(statement_parse(&root, buf_bytes(&fleet->root), false, NULL, &err), &err);
	statement_begin(out, STATEMENT_STATUS);
	statement_add(out, "fleet", "%s", fleet->id);
	statement_add(out, "device", "%s", device->id);
	statement_add_time(out, "time", clock_now_s());
	statement_add_point(out, "head", device->number, device->head);
	if (order)
		statement_add(out, "order", "%llu", (unsigned long long)order);
	statement_add(out, "root", "%s", statement_get(root, "version"));
	statement_add(out, "saved", "yes");
	statement_add(out, "mode", "observe");
	statement_add(out, "wait", "%u", wait_s);
	must(statement_sign(out, &device->key, &err), &err);
}

void fleet_login(struct buf *out, const struct fleet *fleet, const char *url, const char *challenge)
{
	struct error err = { 0 };

	statement_begin(out, STATEMENT_LOGIN);
	statement_add(out, "fleet", "%s", fleet->id);
	statement_add(out, "person", "alice");
	statement_add(out, "server", "%s", url);
	statement_add(out, "challenge", "%s", challenge);
	statement_add_time(out, "time", clock_now_s());
	must(statement_sign(out, &fleet->operator, &err), &err);
}
