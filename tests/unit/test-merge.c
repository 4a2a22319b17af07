/* tests/unit/test-merge.c -- which packs become one. */
#include "tests/test.h"

#include "repo/merge.h"
#include "repo/pack.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void make_pack(const char *folder, unsigned number, size_t bytes)
{
	_cleanup_(buf_done) struct buf blob = { 0 };
	struct pack *pack = pack_new();
	struct error err = { 0 };
	git_oid id;

	buf_addf(&blob, "%u ", number);
	memset(buf_extend(&blob, bytes), 'x', bytes);
	CHECK_OK(pack_add(&id, pack, GIT_OBJECT_BLOB, buf_bytes(&blob), &err));
	CHECK_OK(pack_write(pack, folder, &err));
	pack_free(pack);
}

/* What a merge makes of them: how many became one. */
static int merge(const char *folder)
{
	struct error err = { 0 }, damage = { 0 };
	struct merged *merged = NULL;
	atomic_bool stop = false;
	int n = merge_packs(&merged, folder, false, &stop, &damage, &err);

	CHECK(n >= 0);
	if (merged)
		CHECK_OK(merged_retire(merged, folder, &err));
	free(merged);
	return n;
}

TEST(a_few_packs_stay_as_they_are_and_many_become_one)
{
	const char *folder = test_folder();

	git_libgit2_init();
	for (unsigned i = 0; i < 31; i++)
		make_pack(folder, i, 3000);
	CHECK_EQ(merge(folder), 0);
	make_pack(folder, 31, 3000);
	CHECK_EQ(merge(folder), 32);
	CHECK_EQ(merge(folder), 0);
	git_libgit2_shutdown();
}

/* A fleet that sends much at one time of the day, and little at another. */
TEST(a_few_tiny_packs_do_not_keep_larger_ones_from_becoming_one)
{
	const char *folder = test_folder();

	git_libgit2_init();
	for (unsigned i = 0; i < 3; i++)
		make_pack(folder, i, 10 + 100 * i);
	for (unsigned i = 3; i < 43; i++)
		make_pack(folder, i, 100000);
	CHECK_EQ(merge(folder), 43);
	git_libgit2_shutdown();
}

/* The large one would be copied each time. */
TEST(tiny_packs_become_one_without_a_large_one)
{
	const char *folder = test_folder();

	git_libgit2_init();
	make_pack(folder, 0, 1000000);
	for (unsigned i = 1; i < 41; i++)
		make_pack(folder, i, 100);
	CHECK_EQ(merge(folder), 40);
	git_libgit2_shutdown();
}
