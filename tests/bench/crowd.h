/* tests/bench/crowd.h -- a fleet of any size before one archive, for the benchmarks.
 *
 * Every device has its own key (made from its place in the fleet), its chain and real signatures. Seals are random bytes of the usual size:
 * what is in them is nobody's business in the archive. A million devices take 160 MB. */
#pragma once

#include "tests/fleet.h"

#include "repo/repo.h"

enum { SEAL_BYTES = 472 };

struct crowd_device {
	char id[ID_LEN + 1];
	uint8_t head[HASH_LEN], base[HASH_LEN], pub[HASH_LEN];
	uint32_t number, base_number;
};

struct crowd {
	struct fleet fleet;
	struct crowd_device *devices;
	struct sign_key key; /* of the device in hand */
	size_t count, next; /* whose turn it is */
	size_t delta_bytes; /* of the seals to come: SEAL_BYTES */
	char *dir, *keyring; /* the keyring is in memory: its files are of no interest here, and a million of them take long */
	struct repo *repo;
};

/* One snapshot, ready to be submitted. */
struct sample {
	struct buf container;
	const char *id; /* borrowed from the crowd */
	size_t statement_len;
};

/* Makes the archive in dir with `count` devices, enrolled, admitted, each with its first snapshot. Ends the program on a failure. */
void crowd_init(struct crowd *crowd, const char *dir, size_t count);
void crowd_done(struct crowd *crowd);
/* The next snapshot of a device. */
void crowd_sample(struct sample *out, struct crowd *crowd, size_t device);
/* The next n snapshots, the devices in turn; the caller frees them with samples_free(). */
struct sample *crowd_samples(struct crowd *crowd, size_t n);
void samples_free(struct sample *samples, size_t n);
