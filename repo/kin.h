/* repo/kin.h -- which objects of git are versions of one thing: of a device's statement or folder, of a folder with the same names, or the
 * commits. Internal to repo/.
 *
 * The first whole one of them in a merged pack is the base of the others; so chains grow by one at a merge, and an object goes through a
 * dozen. A wrong guess costs bytes and nothing else. */
#pragma once

#include "base/bytes.h"

#define KIN_NONE SIZE_MAX

/* Keys, and the first object that had each. */
struct kin {
	uint64_t *keys;
	uint32_t *first; /* its number + 1 */
	size_t slots;
};

void kin_init(struct kin *kin, size_t count); /* room for so many objects */
void kin_done(struct kin *kin);

/* The key of an object by its type (git_object_t) and content. False: it is nobody's next version. */
bool kin_key(uint64_t *out, unsigned type, struct bytes data);
/* The number of the first object with this key; KIN_NONE: there was none, and now it is this one. */
size_t kin_first(struct kin *kin, uint64_t key, size_t object);
