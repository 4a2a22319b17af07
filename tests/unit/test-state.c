/* tests/unit/test-state.c -- what an agent keeps of a device: what is damaged is named, and a server is believed with proof only. */
#include "tests/test.h"
#include "tests/unit/joined.h"

#include "agent/state.h"
#include "base/clock.h"
#include "base/fs.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the folder ---- */

TEST(a_folder_without_a_chain_has_not_joined)
{
	_cleanup_(mem_freep) char *absent = mem_printf("%s/absent", test_folder());
	struct error err = { 0 };
	struct state s;

	CHECK_EQ(state_open(&s, absent, &err), STATE_NOT_JOINED);
	CHECK_EQ(state_open(&s, test_folder(), &err), STATE_NOT_JOINED);
}

TEST(a_folder_is_open_once)
{
	_cleanup_(world_done) struct world w;
	struct error err = { 0 };
	struct state s, other;

	world_init(&w);
	must(state_open(&s, w.dir, &err), &err);
	CHECK_EQ(state_open(&other, w.dir, &err), E_DENIED);
	state_done(&s);
	must(state_open(&other, w.dir, &err), &err);
	state_done(&other);
}

TEST(nobody_else_may_read_it_and_leftovers_go)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(mem_freep) char *leftover = NULL;
	struct error err = { 0 };
	const struct dirent *entry;
	struct state s;
	DIR *dir;

	world_init(&w);
	leftover = mem_printf("%s/device.seed.tmp-abcdef", w.dir);
	must(fs_write(leftover, bytes_str("half a key"), 0600, &err), &err);
	must(state_open(&s, w.dir, &err), &err);
	CHECK(access(leftover, F_OK) < 0);
	state_done(&s);
	dir = opendir(w.dir);
	while ((entry = readdir(dir))) {
		struct stat st;

		if (strcmp(entry->d_name, "..") != 0 && fstatat(dirfd(dir), entry->d_name, &st, 0) == 0)
			CHECK_EQ(st.st_mode & 077, 0);
	}
	closedir(dir);
}

/* What is put in place of a file. */
static void damage(struct buf *out, struct bytes whole, int how)
{
	buf_truncate(out, 0);
	switch (how) {
	case 0: /* empty */
		break;
	case 1: /* half */
		buf_add(out, whole.ptr, whole.len / 2);
		break;
	case 2: /* noise */
		for (size_t i = 0; i < whole.len; i++)
			buf_add_char(out, (char)(i * 37 + 11));
		break;
	default: /* too long */
		buf_add_bytes(out, whole);
		buf_add_str(out, "garbage");
		break;
	}
}

TEST(damaged_files_are_named)
{
	static const char *const names[] = { "chain", "device.seed", "fleet", "roots", "admit", "spool/acked" };
	_cleanup_(world_done) struct world w;
	struct error err = { 0 };
	struct statement *st;
	struct state s;
	size_t used;

	world_init(&w);
	must(state_open(&s, w.dir, &err), &err);
	must(statement_parse(&st, buf_bytes(&w.admit), false, &used, &err), &err);
	must(state_take_admit(&s, st, &err), &err);
	must(spool_acknowledged(&s.spool, 1, &err), &err);
	state_done(&s);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", w.dir, names[i]);
		_cleanup_(buf_done) struct buf whole = { 0 }, bad = { 0 };

		must(fs_read(&whole, path, 1 << 20, &err), &err);
		for (int how = 0; how < 4; how++) {
			int r;

			damage(&bad, buf_bytes(&whole), how);
			must(fs_write(path, buf_bytes(&bad), 0600, &err), &err);
			r = state_open(&s, w.dir, &err);
			if (r == 0 && how == 3 && i >= 2) { /* text behind the end may be harmless, but then it must not count */
				CHECK_EQ(s.chain.number, 1);
				state_done(&s);
				continue;
			}
			if (r >= 0)
				fail_msg("'%s' damaged in way %d was taken", names[i], how);
			if (!strstr(err.text, names[i]) && !strstr(err.text, "root"))
				fail_msg("'%s' damaged in way %d is not named: %s", names[i], how, err.text);
		}
		must(fs_write(path, buf_bytes(&whole), 0600, &err), &err);
		must(state_open(&s, w.dir, &err), &err);
		state_done(&s);
	}
}

TEST(a_missing_file_is_named)
{
	static const char *const names[] = { "device.seed", "fleet", "roots" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(world_done) struct world w;
		_cleanup_(mem_freep) char *path = NULL;
		struct error err = { 0 };
		struct state s;

		world_init(&w);
		path = mem_printf("%s/%s", w.dir, names[i]);
		must(fs_remove(path, &err), &err);
		CHECK(state_open(&s, w.dir, &err) < 0);
		CHECK(strstr(err.text, names[i]) != NULL);
	}
}

TEST(an_acknowledgement_of_what_was_never_said_removes_nothing)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(mem_freep) char *acked = NULL;
	struct error err = { 0 };
	struct state s;

	world_init(&w);
	must(state_open(&s, w.dir, &err), &err);
	acked = mem_printf("%s/acked", s.spool.dir);
	state_done(&s);
	must(fs_write(acked, bytes_str("92\n"), 0600, &err), &err);
	CHECK_EQ(state_open(&s, w.dir, &err), E_FORMAT);
	must(fs_remove(acked, &err), &err);
	must(state_open(&s, w.dir, &err), &err);
	CHECK(spool_has(&s.spool, 1));
	state_done(&s);
}

/* ---- what the server says ---- */

static struct statement *checkpoint_of(const struct world *w, const struct sign_key *key, uint64_t size, uint8_t tree)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	uint8_t hash[HASH_LEN];

	memset(hash, tree, sizeof(hash));
	fleet_checkpoint(&text, w->fleet.id, key, size, hash, clock_now_s() + 1000);
	return fleet_parsed(&text);
}

static int some_leaf(void *ctx _unused_, uint64_t i, struct merkle_hash *out, struct error *err _unused_)
{
	uint8_t data = (uint8_t)i;

	*out = merkle_leaf(bytes_of(&data, 1));
	return 0;
}

static struct statement *grown_checkpoint(const struct world *w, uint64_t size, struct merkle_hash tree)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	fleet_checkpoint(&text, w->fleet.id, &w->fleet.archive, size, tree.b, clock_now_s());
	return fleet_parsed(&text);
}

TEST(a_longer_log_is_taken_only_with_proof_that_it_grew_and_a_contradiction_is_kept)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(mem_freep) char *kept = NULL;
	struct merkle_growth growth, other;
	struct error err = { 0 };
	struct state s;

	world_init(&w);
	kept = mem_printf("%s/contradiction", w.dir);
	must(merkle_prove_growth(&growth, 5, 9, some_leaf, NULL, NULL, &err), &err);
	must(merkle_prove_growth(&other, 5, 12, some_leaf, NULL, NULL, &err), &err);
	must(state_open(&s, w.dir, &err), &err);
	must(state_take_checkpoint(&s, grown_checkpoint(&w, 5, growth.old_tree), NULL, &err), &err);
	CHECK_EQ(state_take_checkpoint(&s, grown_checkpoint(&w, 9, growth.new_tree), NULL, &err), E_DENIED);
	CHECK_EQ(state_take_checkpoint(&s, grown_checkpoint(&w, 9, growth.new_tree), &other, &err), E_DENIED);
	CHECK_EQ(access(kept, F_OK), -1); /* nothing of that proves a lie */
	must(state_take_checkpoint(&s, grown_checkpoint(&w, 9, growth.new_tree), &growth, &err), &err);
	CHECK_EQ(statement_number(s.checkpoint, "size"), 9);
	/* one that begins with other statements, and shows it */
	must(merkle_prove_growth(&other, 9, 12, some_leaf, NULL, NULL, &err), &err);
	statement_free(s.checkpoint);
	s.checkpoint = grown_checkpoint(&w, 9, growth.old_tree);
	CHECK_EQ(state_take_checkpoint(&s, grown_checkpoint(&w, 12, other.new_tree), &other, &err), E_DENIED);
	CHECK_EQ(statement_number(s.checkpoint, "size"), 9);
	CHECK_EQ(access(kept, F_OK), 0);
	state_done(&s);
}

TEST(a_log_that_shrinks_or_splits_is_refused_and_the_newest_outlives_a_restart)
{
	_cleanup_(world_done) struct world w;
	struct error err = { 0 };
	struct state s;

	world_init(&w);
	must(state_open(&s, w.dir, &err), &err);
	must(state_take_checkpoint(&s, checkpoint_of(&w, &w.fleet.archive, 10, 1), NULL, &err), &err);
	CHECK_EQ(state_take_checkpoint(&s, checkpoint_of(&w, &w.fleet.archive, 9, 1), NULL, &err), E_DENIED);
	CHECK_EQ(state_take_checkpoint(&s, checkpoint_of(&w, &w.fleet.archive, 10, 2), NULL, &err), E_DENIED);
	CHECK(state_take_checkpoint(&s, checkpoint_of(&w, &w.fleet.operator, 11, 1), NULL, &err) < 0); /* not the archive's */
	state_done(&s);
	must(state_open(&s, w.dir, &err), &err);
	CHECK_EQ(statement_number(s.checkpoint, "size"), 10);
	CHECK(state_now(&s) >= clock_now_s() + 900); /* its time is a floor */
	CHECK_EQ(state_take_checkpoint(&s, checkpoint_of(&w, &w.fleet.archive, 12, 3), NULL, &err), E_DENIED); /* nothing proves it */
	must(state_take_checkpoint(&s, checkpoint_of(&w, &w.fleet.archive, 10, 1), NULL, &err), &err);
	state_done(&s);
}

TEST(an_admission_of_another_device_or_by_another_is_refused)
{
	static const uint8_t secret[32] = { 8 };
	_cleanup_(world_done) struct world w;
	_cleanup_(buf_done) struct buf enrol = { 0 }, admit = { 0 };
	struct fleet_device other;
	struct error err = { 0 };
	struct statement *st;
	struct state s;
	size_t used;

	world_init(&w);
	fleet_device_init(&other, "r2");
	fleet_enrol(&enrol, &w.fleet, &other, secret);
	fleet_admit(&admit, &w.fleet, &other);
	must(state_open(&s, w.dir, &err), &err);
	must(statement_parse(&st, buf_bytes(&admit), false, &used, &err), &err);
	CHECK_EQ(state_take_admit(&s, st, &err), E_DENIED);
	CHECK(s.admit == NULL);
	must(statement_parse(&st, buf_bytes(&w.admit), false, &used, &err), &err);
	must(state_take_admit(&s, st, &err), &err);
	must(statement_parse(&st, buf_bytes(&w.admit), false, &used, &err), &err);
	CHECK_EQ(state_take_admit(&s, st, &err), STATE_OLD);
	state_done(&s);
	must(state_open(&s, w.dir, &err), &err);
	CHECK(s.admit != NULL);
	state_done(&s);
	fleet_device_done(&other);
}

TEST(roots_succeed_one_another_and_outlive_a_restart)
{
	_cleanup_(world_done) struct world w;
	struct error err = { 0 };
	struct statement *st;
	struct state s;
	size_t used;

	world_init(&w);
	must(state_open(&s, w.dir, &err), &err);
	must(statement_parse(&st, buf_bytes(&w.fleet.root), false, &used, &err), &err);
	CHECK_EQ(state_take_root(&s, st, &err), STATE_OLD);
	fleet_next_root(&w.fleet);
	must(statement_parse(&st, buf_bytes(&w.fleet.root), false, &used, &err), &err);
	must(state_take_root(&s, st, &err), &err);
	fleet_next_root(&w.fleet);
	fleet_next_root(&w.fleet); /* one is left out */
	must(statement_parse(&st, buf_bytes(&w.fleet.root), false, &used, &err), &err);
	CHECK(state_take_root(&s, st, &err) < 0);
	CHECK_EQ(root_version(s.root), 2);
	state_done(&s);
	must(state_open(&s, w.dir, &err), &err);
	CHECK_EQ(root_version(s.root), 2);
	state_done(&s);
}
