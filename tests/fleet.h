/* tests/fleet.h -- a small fleet in memory for tests: a root with one operator (alice), an archive key, devices that sign real chains
 * with real seals. Everything is made by the library under test; the tests let stock tools judge it. */
#pragma once

#include "crypto/root.h"
#include "crypto/seal.h"

struct fleet {
	struct sign_key operator, archive;
	struct age_identity reader;
	char id[ID_LEN + 1];
	struct buf root; /* whole container, of the newest one */
	char archive_text[SIGN_PUB_TEXT_MAX], pin[48], address[264];
};

struct fleet_device {
	struct sign_key key;
	struct age_identity box, body, secrets; /* a real device forgets body and secrets */
	char id[ID_LEN + 1], name[64];
	uint64_t number, epoch, base_number;
	int64_t clock_s; /* what its clock says; 0: the time that it is */
	const char *firmware; /* what its snapshots say that runs; NULL: they do not say */
	uint8_t head[HASH_LEN];
	uint64_t snapshot_number; /* the newest one */
	uint8_t snapshot_hash[HASH_LEN];
	struct buf base, base_seal, secrets_line; /* plaintext of the base; its seal; its "secrets:" value and name */
	char base_line[128], secrets_ref[128];
	uint8_t seeds[4][32]; /* while it rests */
};

/* A server that exists: what its setup string says. */
struct fleet_server {
	struct sign_pub archive;
	const char *pin;     /* base64 of 32 bytes */
	const char *address; /* host:port */
};

/* server: NULL for none, then the fleet has an archive key of its own; else fleet->archive stays empty. */
void fleet_init_for(struct fleet *fleet, const struct fleet_server *server);
void fleet_init(struct fleet *fleet); /* for no server */
void fleet_done(struct fleet *fleet);
/* Containers, appended to out. */
void fleet_invite(struct buf *out, const struct fleet *fleet, const char *device_name, const uint8_t secret[static 32]);
void fleet_enrol(struct buf *out, const struct fleet *fleet, struct fleet_device *device, const uint8_t secret[static 32]);
void fleet_admit(struct buf *out, const struct fleet *fleet, const struct fleet_device *device);
void fleet_epoch(struct buf *out, const struct fleet *fleet, struct fleet_device *device);
/* The next snapshot with this running text: a base when there is none in this epoch, else a delta. */
void fleet_snapshot(struct buf *out, const struct fleet *fleet, struct fleet_device *device, const char *running, const char *secrets);
/* What it says of its newest snapshot by the policies of order 1. says: lines of counts and sections, or ""; findings: the text to be
 * sealed. */
void fleet_verdict(struct buf *out, const struct fleet *fleet, struct fleet_device *device, const char *says, const char *findings);
/* A firmware statement by the operator about this image, for every model of driver weos. */
void fleet_firmware(struct buf *out, const struct fleet *fleet, const char *version, struct bytes image);
/* Makes fleet->root the next root: as the one before, but for version and prev. */
void fleet_next_root(struct fleet *fleet);
/* A poll that waits, and alice's login to a server. order: the one that the device took note of; 0: none. */
void fleet_status(struct buf *out, const struct fleet *fleet, const struct fleet_device *device, uint64_t order, unsigned wait_s);
void fleet_login(struct buf *out, const struct fleet *fleet, const char *url, const char *challenge);

/* A checkpoint of any log, under root 1. */
void fleet_checkpoint(struct buf *out, const char *fleet, const struct sign_key *key, uint64_t size, const uint8_t tree[static HASH_LEN],
		      int64_t time_s);
/* What these bytes are, which must be one statement. */
struct statement *fleet_parsed(const struct buf *whole);

void fleet_device_init(struct fleet_device *device, const char *name);
void fleet_device_done(struct fleet_device *device);
/* Locked memory costs pages and mappings, too many for ten thousand devices: one that rests has its keys in plain memory (they are good for
 * nothing but this test) until it is woken. */
void fleet_device_rest(struct fleet_device *device);
void fleet_device_wake(struct fleet_device *device);
