/* agent/image.h -- a firmware image that comes to the disk byte by byte: what is there of it, and whether it is the one that was signed.
 *
 * The hash goes along with what is written, and is made again from the disk after a restart: what a cut left half written then shows in the
 * end. Memory does not grow with the image. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/key.h"

#include <sodium.h>

enum { IMAGE_STEP = 4 << 20, IMAGE_MORE = 1, IMAGE_SHORT = 1 };

struct image {
	int fd; /* -1: none is open */
	uint64_t size, have; /* have: bytes on the disk that are in the hash, once image_hash() answered 0 */
	uint64_t there;      /* bytes on the disk when it was opened */
	uint8_t want[HASH_LEN];
	crypto_hash_sha256_state hash;
};

/* Makes the file, or goes on with the one that is there. */
int image_open(struct image *image, const char *path, uint64_t size, const uint8_t want[static HASH_LEN], struct error *err) _must_check_;
void image_close(struct image *image);
/* Hashes IMAGE_STEP bytes more of what was there. IMAGE_MORE: call it again. */
int image_hash(struct image *image, struct error *err) _must_check_;
/* Bytes that belong at `at`: those that are there already are passed over. E_PEER when they leave a gap, or are more than all. */
int image_add(struct image *image, uint64_t at, struct bytes in, struct error *err) _must_check_;
/* Is it whole, on the disk, and the one that was signed? IMAGE_SHORT: not whole yet. E_SEAL: it is another, and was thrown away. */
int image_check(struct image *image, struct error *err) _must_check_;

/* Opens the file for reading, hashes it, and leaves the descriptor at its begin: whoever reads from it reads what was hashed. E_SEAL for
 * another one. Returns the descriptor. */
int image_use(const char *path, uint64_t size, const uint8_t want[static HASH_LEN], struct error *err) _must_check_;
