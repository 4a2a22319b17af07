/* tests/unit/test-cli-home.c -- the operator's folder: what it remembers of a fleet, and that it never goes back. */
#include "tests/test.h"

#include "base/clock.h"
#include "base/fs.h"
#include "cli/home.h"
#include "tests/fleet.h"

#include <sys/stat.h>

static const uint8_t pin[32] = { 7 };

static struct home *open_home(const char *dir)
{
	struct home *home = NULL;
	struct error err = { 0 };

	CHECK_OK(home_open(&home, dir, &err));
	return home;
}

static void make_home(const char *dir, const struct fleet *fleet)
{
	struct home_making m = { dir, fleet->id, "alice", "localhost:8443", pin, buf_bytes(&fleet->root) };
	struct error err = { 0 };

	CHECK_OK(home_create(&m, &err));
}

static struct statement *checkpoint(const struct fleet *fleet, const struct sign_key *key, unsigned size, uint8_t tree)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	uint8_t hash[HASH_LEN] = { tree };

	fleet_checkpoint(&text, fleet->id, key, size, hash, clock_now_s());
	return fleet_parsed(&text);
}

static char commit_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", commit_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

static void read_file(struct buf *out, const char *dir, const char *name)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, name);
	struct error err = { 0 };

	CHECK_OK(fs_read(out, path, 1 << 20, &err));
}

TEST(a_home_comes_back_as_it_was_made)
{
	const char *dir = test_folder();
	struct fleet fleet;
	struct home *home;

	fleet_init(&fleet);
	CHECK(!home_exists(dir));
	make_home(dir, &fleet);
	CHECK(home_exists(dir));
	home = open_home(dir);
	CHECK_STR(home->fleet, fleet.id);
	CHECK_STR(home->person, "alice");
	CHECK_STR(home->address, "localhost:8443");
	CHECK(!memcmp(home->pin, pin, sizeof(pin)));
	CHECK(root_version(home->root) == 1 && home->root_count == 1 && home->roots[0] == home->root);
	CHECK(!home->checkpoint && !home->commit[0]);
	home_free(home);
	fleet_done(&fleet);
}

TEST(a_folder_that_is_none_or_was_changed_is_refused)
{
	const char *dir = test_folder();
	_cleanup_(mem_freep) char *fleet_file = mem_printf("%s/fleet", dir), *roots = mem_printf("%s/roots", dir),
				  *seen = mem_printf("%s/seen", dir);
	struct error err = { 0 };
	struct home *home = NULL;
	struct fleet fleet, other;

	fleet_init(&fleet);
	fleet_init(&other);
	CHECK_EQ(home_open(&home, dir, &err), CLI_ABSENT);
	CHECK(strstr(err.text, "holdfast init") != NULL);
	make_home(dir, &fleet);
	CHECK_OK(fs_write(roots, buf_bytes(&other.root), 0600, &err));
	CHECK_EQ(home_open(&home, dir, &err), E_DENIED); /* another fleet's root */
	make_home(dir, &fleet);
	CHECK_OK(fs_write(seen, bytes_str("commit: -\nrubbish\n"), 0600, &err));
	CHECK_EQ(home_open(&home, dir, &err), E_FORMAT); /* not forgotten in silence */
	CHECK_OK(fs_write(fleet_file, bytes_str("holdfast-home/1\nfleet: x\n"), 0600, &err));
	CHECK_EQ(home_open(&home, dir, &err), E_FORMAT);
	CHECK(!home);
	fleet_done(&fleet);
	fleet_done(&other);
}

TEST(a_history_is_remembered_and_never_goes_back)
{
	_cleanup_(buf_done) struct buf before = { 0 }, after = { 0 };
	const char *dir = test_folder();
	struct error err = { 0 };
	struct home *home;
	struct fleet fleet;

	fleet_init(&fleet);
	make_home(dir, &fleet);
	home = open_home(dir);
	CHECK_OK(home_take_seen(home, checkpoint(&fleet, &fleet.archive, 10, 1), commit_a, &err));
	home_free(home);
	home = open_home(dir);
	CHECK_EQ(statement_number(home->checkpoint, "size"), 10);
	CHECK_STR(home->commit, commit_a);
	read_file(&before, dir, "seen");
	CHECK_EQ(home_take_seen(home, checkpoint(&fleet, &fleet.archive, 10, 1), commit_a, &err), 1);
	CHECK_EQ(home_take_seen(home, checkpoint(&fleet, &fleet.archive, 9, 1), commit_a, &err), E_SEAL);
	CHECK_EQ(home_take_seen(home, checkpoint(&fleet, &fleet.archive, 10, 2), commit_a, &err), E_SEAL);
	CHECK_EQ(home_take_seen(home, checkpoint(&fleet, &fleet.archive, 10, 1), commit_b, &err), E_SEAL);
	CHECK_EQ(home_take_seen(home, checkpoint(&fleet, &fleet.operator, 11, 1), commit_a, &err), E_DENIED);
	read_file(&after, dir, "seen");
	CHECK(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
	CHECK_OK(home_take_seen(home, checkpoint(&fleet, &fleet.archive, 11, 3), "", &err));
	CHECK_STR(home->commit, commit_a); /* the last one that is known for sure */
	CHECK_OK(home_take_seen(home, checkpoint(&fleet, &fleet.archive, 12, 4), commit_b, &err));
	CHECK_STR(home->commit, commit_b);
	home_free(home);
	fleet_done(&fleet);
}

TEST(two_commands_at_once_do_not_overwrite_what_the_other_saw)
{
	const char *dir = test_folder();
	struct home *one, *two;
	struct error err = { 0 };
	struct fleet fleet;

	fleet_init(&fleet);
	make_home(dir, &fleet);
	one = open_home(dir);
	two = open_home(dir);
	CHECK_OK(home_take_seen(one, checkpoint(&fleet, &fleet.archive, 20, 2), commit_b, &err));
	CHECK_EQ(home_take_seen(two, checkpoint(&fleet, &fleet.archive, 10, 1), commit_a, &err), HOME_MOVED);
	CHECK_EQ(statement_number(two->checkpoint, "size"), 20);
	CHECK_EQ(home_take_seen(two, checkpoint(&fleet, &fleet.archive, 10, 1), commit_a, &err), E_SEAL);
	home_free(one);
	home_free(two);
	one = open_home(dir);
	CHECK_EQ(statement_number(one->checkpoint, "size"), 20);
	home_free(one);
	fleet_done(&fleet);
}

TEST(only_the_next_root_is_taken_and_it_stays)
{
	const char *dir = test_folder();
	struct fleet fleet, other;
	struct error err = { 0 };
	struct home *home, *second;
	struct statement *first;

	fleet_init(&fleet);
	fleet_init(&other);
	make_home(dir, &fleet);
	home = open_home(dir);
	second = open_home(dir);
	first = fleet_parsed(&fleet.root);
	CHECK_EQ(home_take_root(home, first, &err), 1);
	CHECK_EQ(home_take_root(home, fleet_parsed(&other.root), &err), E_SEAL); /* another version 1 */
	fleet_next_root(&fleet);
	CHECK_OK(home_take_root(home, fleet_parsed(&fleet.root), &err));
	CHECK_EQ(home_take_root(second, fleet_parsed(&fleet.root), &err), 1); /* another command was first */
	CHECK_EQ(root_version(second->root), 2);
	fleet_next_root(&fleet);
	fleet_next_root(&fleet);
	CHECK_EQ(home_take_root(home, fleet_parsed(&fleet.root), &err), E_DENIED); /* one is left out */
	home_free(home);
	home_free(second);
	home = open_home(dir);
	CHECK(home->root_count == 2 && root_version(home->root) == 2);
	home_free(home);
	fleet_done(&fleet);
	fleet_done(&other);
}

TEST(the_reading_key_is_one_that_age_wrote_and_nobody_else_may_read_it)
{
	const char *dir = test_folder();
	_cleanup_(mem_freep) char *path = mem_printf("%s/reading.key", dir);
	_cleanup_(buf_done) struct buf text = { 0 };
	const struct age_identity *key = NULL, *again = NULL;
	struct error err = { 0 };
	struct fleet fleet;
	struct home *home;

	fleet_init(&fleet);
	make_home(dir, &fleet);
	home = open_home(dir);
	CHECK_EQ(home_reading_key(&key, home, &err), CLI_ABSENT);
	buf_add_str(&text, "# created: today\n");
	age_identity_text(&text, &fleet.reader);
	buf_add_char(&text, '\n');
	CHECK_OK(fs_write(path, buf_bytes(&text), 0644, &err));
	CHECK_EQ(home_reading_key(&key, home, &err), E_DENIED);
	CHECK_EQ(chmod(path, 0600), 0);
	CHECK_OK(home_reading_key(&key, home, &err));
	CHECK(!memcmp(key->pub.pub, fleet.reader.pub.pub, 32));
	CHECK_OK(home_reading_key(&again, home, &err));
	CHECK(key == again);
	home_free(home);
	fleet_done(&fleet);
}
