/* repo/kin.c -- which objects of git are versions of one thing. */
#include "repo/kin.h"

#include <git2.h>
#include <stdlib.h>
#include <string.h>

enum { ID_BYTES = 20 }; /* of a SHA-1 in a tree */

void kin_init(struct kin *kin, size_t count)
{
	for (kin->slots = 1024; kin->slots < 2 * count; kin->slots *= 2)
		;
	kin->keys = mem_alloc(kin->slots * sizeof(*kin->keys));
	kin->first = mem_alloc(kin->slots * sizeof(*kin->first));
}

void kin_done(struct kin *kin)
{
	free(kin->keys);
	free(kin->first);
}

size_t kin_first(struct kin *kin, uint64_t key, size_t object)
{
	size_t at = key & (kin->slots - 1);

	while (kin->first[at] && kin->keys[at] != key)
		at = (at + 1) & (kin->slots - 1);
	if (kin->first[at])
		return kin->first[at] - 1;
	kin->keys[at] = key;
	kin->first[at] = (uint32_t)object + 1;
	return KIN_NONE;
}

static uint64_t key_of(const void *what, size_t len, unsigned salt)
{
	const uint8_t *in = what;
	uint64_t h = 0xcbf29ce484222325ULL + salt;

	for (size_t i = 0; i < len; i++)
		h = (h ^ in[i]) * 0x100000001b3ULL; /* FNV-1a: two kinds with one key only make a worse delta */
	return h ^ h >> 29;
}

/* Type and device; its other lines differ from one to the next. */
static bool statement_key(uint64_t *out, struct bytes text)
{
	struct bytes rest = text, line, device = { 0 };

	if (!bytes_next_line(&rest, &line) || line.len < 20 || memcmp(line.ptr, "holdfast-statement/1", 20) != 0)
		return false;
	*out = key_of(line.ptr, line.len, 1);
	for (int i = 0; i < 3 && bytes_next_line(&rest, &device); i++)
		if (device.len > 8 && !memcmp(device.ptr, "device: ", 8))
			*out = key_of(device.ptr, device.len, (unsigned)*out);
	return true;
}

/* A device's folder by its enrolment, which never changes; another by the names that are in it. */
static bool tree_key(uint64_t *out, struct bytes raw)
{
	uint64_t h = 0;

	while (raw.len) {
		const uint8_t *nul = memchr(raw.ptr, 0, raw.len);
		size_t len = nul ? (size_t)(nul - raw.ptr) : raw.len;

		if (len + 1 + ID_BYTES > raw.len)
			return false;
		if (len == 12 && !memcmp(raw.ptr, "100644 enrol", 12)) {
			*out = key_of(nul + 1, ID_BYTES, 2);
			return true;
		}
		h = key_of(raw.ptr, len, 3) + h * 0x9e3779b97f4a7c15ULL;
		raw = bytes_from(raw, len + 1 + ID_BYTES);
	}
	*out = h;
	return true;
}

bool kin_key(uint64_t *out, unsigned type, struct bytes data)
{
	if (type == GIT_OBJECT_BLOB)
		return statement_key(out, data);
	if (type == GIT_OBJECT_TREE)
		return tree_key(out, data);
	*out = type;
	return type == GIT_OBJECT_COMMIT;
}
