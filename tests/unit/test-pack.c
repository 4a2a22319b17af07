/* tests/unit/test-pack.c -- a pack written by hand, as git reads it. */
#include "tests/test.h"

#include "base/fs.h"
#include "repo/pack.h"

#include <stdio.h>
#include <string.h>

enum { ALIKE = 100, BLOBS = 40, LARGE = 200000, TOO_LITTLE = 3 << 20, ENOUGH = 8 << 20, HEAD = 8 + 256 * 4, ID = 20 };

/* Somebody who makes names begin alike must not put them out of order, nor make sorting them slow. */
TEST(names_that_begin_alike_lie_in_an_index_in_their_order)
{
	_cleanup_(buf_done) struct buf index = { 0 };
	struct pack_entry entries[ALIKE + 10] = { 0 };
	const uint8_t trailer[20] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		entries[i].id.id[0] = i < ALIKE ? 7 : 9;
		entries[i].id.id[19] = (uint8_t)(i * 37 % 251);
		entries[i].offset = (uint32_t)(i * 37 % 251);
	}
	pack_make_index(&index, entries, ARRAY_SIZE(entries), trailer);
	CHECK_EQ(index.len, HEAD + ARRAY_SIZE(entries) * (ID + 4 + 4) + 2 * ID);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		const uint8_t *id = index.ptr + HEAD + i * ID;
		const uint8_t *offset = index.ptr + HEAD + ARRAY_SIZE(entries) * (ID + 4) + i * 4;

		CHECK(!i || memcmp(id - ID, id, ID) < 0);
		CHECK_EQ(offset[3], id[19]);
	}
}

static void make_blob(struct buf *out, size_t i)
{
	buf_truncate(out, 0);
	buf_addf(out, "%zu ", i);
	memset(buf_extend(out, i % 2 ? LARGE : i), 'x', i % 2 ? LARGE : i);
}

/* Through libgit2, by the index. */
static void check_blob(git_odb *odb, const git_oid *id, struct bytes expected)
{
	git_odb_object *object = NULL;

	CHECK_EQ(git_odb_read(&object, odb, id), 0);
	CHECK(bytes_equal(bytes_of(git_odb_object_data(object), git_odb_object_size(object)), expected));
	git_odb_object_free(object);
}

static void round_trip(size_t expected)
{
	_cleanup_(mem_freep) char *objects = mem_printf("%s/objects", test_folder()), *folder = mem_printf("%s/pack", objects);
	_cleanup_(buf_done) struct buf blob = { 0 };
	struct pack *pack = pack_new();
	struct error err = { 0 };
	git_oid ids[BLOBS], again;
	git_odb *odb = NULL;

	CHECK_OK(fs_mkdirs(folder, 0700, &err));
	pack_expect(pack, expected);
	for (size_t i = 0; i < BLOBS; i++) {
		make_blob(&blob, i);
		CHECK_OK(pack_add(&ids[i], pack, GIT_OBJECT_BLOB, buf_bytes(&blob), &err));
		CHECK_OK(pack_add(&again, pack, GIT_OBJECT_BLOB, buf_bytes(&blob), &err));
	}
	CHECK_EQ(pack_count(pack), BLOBS);
	CHECK_OK(pack_write(pack, folder, &err));
	pack_free(pack);
	CHECK_EQ(git_odb_open(&odb, objects), 0);
	for (size_t i = 0; i < BLOBS; i++) {
		make_blob(&blob, i);
		check_blob(odb, &ids[i], buf_bytes(&blob));
	}
	git_odb_free(odb);
}

TEST(whatever_was_expected_a_pack_holds_what_was_added)
{
	git_libgit2_init();
	round_trip(0);
	round_trip(1);
	round_trip(ENOUGH);
	git_libgit2_shutdown();
}

TEST(a_pack_that_outgrows_what_was_expected_holds_all_of_it)
{
	git_libgit2_init();
	round_trip(TOO_LITTLE);
	git_libgit2_shutdown();
}
