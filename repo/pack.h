/* repo/pack.h -- a git pack (version 2) and its index, written by hand: no deltas, no search (gitformat-pack(5)). Internal to repo/.
 *
 * Several times faster than libgit2's packbuilder, because nothing is looked for: what is sealed does not delta. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include <git2.h>

struct pack;

struct pack *pack_new(void);
struct pack *pack_free(struct pack *pack);
/* About so many bytes will be added: takes the memory for them at once. Nothing is there yet. */
void pack_expect(struct pack *pack, size_t len);
/* git's name of a blob. E_FORMAT when it is made to collide with another one under SHA-1. */
int pack_name_blob(git_oid *out, struct bytes data, struct error *err) _must_check_;
/* Adds a blob of which the name is known. */
int pack_add_named(struct pack *pack, const git_oid *id, struct bytes blob, struct error *err) _must_check_;
/* Adds an object (once, however often it is given) and answers with its id. */
int pack_add(git_oid *out, struct pack *pack, git_object_t type, struct bytes data, struct error *err) _must_check_;
/* A tree that was added to this pack: its bytes. False when there is none. */
bool pack_tree(struct bytes *out, const struct pack *pack, const git_oid *id);
size_t pack_count(const struct pack *pack);
size_t pack_len(const struct pack *pack); /* bytes so far */
/* Writes pack-<sha1>.pack and .idx into folder (objects/pack); both and the folder are on disk when it returns 0. Once, and last. */
int pack_write(struct pack *pack, const char *folder, struct error *err) _must_check_;

/* An object in a pack that is written elsewhere (merge.c), for the index. */
struct pack_entry {
	git_oid id;
	uint32_t crc, offset;
};

/* Appends an index (version 2) to out. trailer: the pack's SHA-1. */
void pack_make_index(struct buf *out, const struct pack_entry *entries, size_t count, const uint8_t trailer[static 20]);
