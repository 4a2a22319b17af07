/* tests/unit/test-trees.c -- folders kept in memory never change what is committed; libgit2's index makes the tree to compare with. */
#include "tests/test.h"

#include "base/fs.h"
#include "repo/trees.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 30, CHANGES = 40 };

struct side {
	git_repository *repo;
	git_odb *odb;
	char *packs;
	struct trees *trees;
	git_oid root;
	bool has_root;
};

static void side_init(struct side *side, const char *name, size_t bytes_max)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", test_folder(), name);

	*side = (struct side){ .packs = mem_printf("%s/objects/pack", path), .trees = trees_new(bytes_max) };
	CHECK_EQ(git_repository_init(&side->repo, path, 1), 0);
	CHECK_EQ(git_repository_odb(&side->odb, side->repo), 0);
}

static void side_done(struct side *side)
{
	trees_free(side->trees);
	git_odb_free(side->odb);
	git_repository_free(side->repo);
	free(side->packs);
}

/* is_lost: the pack never reaches the disk, and the tree stays as it was. */
static void apply(struct side *side, const struct change *changes, size_t count, bool is_lost)
{
	struct error err = { 0 };
	struct pack *pack = pack_new();
	git_oid next;

	CHECK_OK(trees_update(&next, side->trees, side->odb, pack, side->has_root ? &side->root : NULL, changes, count, &err));
	if (!is_lost) {
		side->root = next;
		side->has_root = true;
		CHECK_OK(pack_write(pack, side->packs, &err));
		git_odb_refresh(side->odb);
	}
	pack_free(pack);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct change *)a)->path, ((const struct change *)b)->path);
}

/* Some paths of a small fleet, each once, sorted; now and then one goes. */
static size_t some_changes(struct change *out, unsigned round, char blobs[CHANGES][32])
{
	static const char *const names[] = { "admit", "delta.age", "receipts/000000000001", "snapshot" };
	size_t n = 0;

	for (unsigned i = 0; i < CHANGES; i++) {
		unsigned pick = (round * 7919 + i * 104729) % 60;

		snprintf(blobs[n], 32, "%u of %u", i, round);
		out[n] = (struct change){ .blob = bytes_str(blobs[n]), .remove = (pick + round) % 5 == 0 };
		snprintf(out[n].path, sizeof(out[n].path), "devices/d%u/e%u/id%u/%s", pick % 3, pick % 5, pick / 4, names[pick % 4]);
		n++;
	}
	qsort(out, n, sizeof(*out), by_path);
	for (size_t i = 1; i < n;) {
		if (strcmp(out[i].path, out[i - 1].path) != 0)
			i++;
		else
			memmove(&out[i], &out[i + 1], (--n - i) * sizeof(*out));
	}
	return n;
}

static void judge(git_index *index, git_repository *repo, const struct change *changes, size_t count, const git_oid *root)
{
	git_oid id;

	for (size_t i = 0; i < count; i++) {
		git_index_entry entry = { .path = changes[i].path, .mode = GIT_FILEMODE_BLOB };

		if (changes[i].remove) {
			git_index_remove(index, changes[i].path, 0);
			continue;
		}
		CHECK_EQ(git_blob_create_from_buffer(&entry.id, repo, changes[i].blob.ptr, changes[i].blob.len), 0);
		CHECK_EQ(git_index_add(index, &entry), 0);
	}
	CHECK_EQ(git_index_write_tree_to(&id, index, repo), 0);
	CHECK(git_oid_equal(&id, root));
}

/* Memory for all, for a few, for none. */
TEST(a_tree_is_what_git_makes_of_it_however_much_is_kept_in_memory)
{
	static const size_t kept[] = { 1 << 20, 3000, 0 };
	char blobs[CHANGES][32], name[16];
	struct change changes[CHANGES];
	git_repository *judge_repo;
	git_index *index;
	struct side side[3];

	git_libgit2_init();
	CHECK_EQ(git_repository_init(&judge_repo, test_folder(), 1), 0);
	CHECK_EQ(git_index_new(&index), 0);
	for (size_t k = 0; k < 3; k++) {
		snprintf(name, sizeof(name), "side%zu", k);
		side_init(&side[k], name, kept[k]);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t count = some_changes(changes, round, blobs);

		for (size_t k = 0; k < 3; k++)
			apply(&side[k], changes, count, false);
		judge(index, judge_repo, changes, count, &side[0].root);
		for (size_t k = 1; k < 3; k++)
			CHECK(git_oid_equal(&side[k].root, &side[0].root));
	}
	for (size_t k = 0; k < 3; k++)
		side_done(&side[k]);
	git_index_free(index);
	git_repository_free(judge_repo);
	git_libgit2_shutdown();
}

TEST(a_commit_that_failed_leaves_nothing_in_memory_that_the_next_one_believes)
{
	char blobs[CHANGES][32];
	struct change changes[CHANGES];
	struct side side, plain;

	git_libgit2_init();
	side_init(&side, "side", 1 << 20);
	side_init(&plain, "plain", 1 << 20);
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t count = some_changes(changes, round, blobs);

		if (round % 3 == 1) {
			apply(&side, changes, count, true);
			continue;
		}
		apply(&side, changes, count, false);
		apply(&plain, changes, count, false);
		CHECK(git_oid_equal(&side.root, &plain.root));
	}
	side_done(&side);
	side_done(&plain);
	git_libgit2_shutdown();
}
