/* tests/fake/weos/flash.h -- the simulated flash: partitions that keep what was written, freed space included.
 *
 * Each partition is a file in the flash folder that is a log of records, closed by a CRC each: a record that a power cut tore is as
 * if it had never been begun, and the one before it counts. A file that is removed, or written anew, stays in the log as freed space
 * until the log is full and is packed, or until the partition is erased: as on real flash, only an erase overwrites. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum flash_part { FLASH_LOADER, FLASH_ENV, FLASH_CONFIG, FLASH_MAIN, FLASH_BACKUP, FLASH_PARTS };
enum { FLASH_FILE_MAX = 1 << 20, FLASH_NAME_MAX = 100, FLASH_FULL = 1, FLASH_ERASE_BLOCK = 128 << 10 };

struct flash {
	char folder[400];
};

/* Makes the folder, and each partition that is missing, erased. */
int flash_open(struct flash *flash, const char *folder, struct error *err) _must_check_;
const char *flash_part_name(enum flash_part part); /* as the flash's map says: "BareboxEnv" */

/* False: there is none, or what is there does not hold its CRC. mtime may be NULL. */
bool flash_get(struct buf *out, int64_t *mtime, const struct flash *flash, enum flash_part part, const char *name);
/* On the disk when it returns 0; FLASH_FULL when it does not fit. */
int flash_put(const struct flash *flash, enum flash_part part, const char *name, struct bytes in, struct error *err) _must_check_;
int flash_drop(const struct flash *flash, enum flash_part part, const char *name, struct error *err) _must_check_;
/* Calls fn for each file, in the order of names. */
void flash_list(const struct flash *flash, enum flash_part part, void (*fn)(void *ctx, const char *name, size_t size, int64_t mtime),
		void *ctx);
/* Overwrites the whole partition, block by block. */
int flash_erase(const struct flash *flash, enum flash_part part, struct error *err) _must_check_;
/* Turns bits of the first file's data over; a second time turns them back. */
int flash_damage(const struct flash *flash, enum flash_part part, struct error *err) _must_check_;
/* How often the text stands in the raw bytes of all partitions. */
size_t flash_count(const struct flash *flash, const char *text);
