/* tests/unit/test-repair.c -- what is lost or damaged is said, and made whole where it can be: nothing is lost silently. */
#include "tests/unit/archive.h"

#include "tests/test.h"

#include "base/clock.h"
#include "base/fs.h"

#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LARGE = 1000000 };

/* ---- the branch ---- */

static int open_fails(struct world *w, struct error *err)
{
	int r;

	*err = (struct error){ 0 };
	r = repo_open(&w->repo, w->dir, &w->fleet.archive, 0, err);
	if (r == 0)
		w->repo = repo_close(w->repo);
	return r;
}

static void with_branch(struct world *w, const char *command, const char *message)
{
	struct error err;

	check_shell(w->dir, "cp archive.git/refs/heads/main saved");
	check_shell(w->dir, command);
	CHECK(open_fails(w, &err) < 0);
	if (!strstr(err.text, message) || !strstr(err.text, "update-ref"))
		fail_msg("%s: %s", command, err.text);
	check_shell(w->dir, "cp saved archive.git/refs/heads/main");
}

TEST(a_branch_that_is_lost_damaged_or_set_back_is_said_and_nothing_is_begun_anew)
{
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	CHECK_OK(repo_flush(w.repo, &err));
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	w.repo = repo_close(w.repo);
	with_branch(&w, "rm archive.git/refs/heads/main", "is missing");
	with_branch(&w, "echo garbage >archive.git/refs/heads/main", "damaged");
	with_branch(&w, ": >archive.git/refs/heads/main", "damaged");
	with_branch(&w, "git -C archive.git update-ref refs/heads/main main~1", "does not contain");
	with_branch(&w, "mv index.db index.hidden; rm archive.git/refs/heads/main", "no branch 'main'");
	check_shell(w.dir, "mv index.hidden index.db");
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	check_log(&w, w.device.number);
	check_git(&w);
	/* an operator may accept an archive that was set back */
	w.repo = repo_close(w.repo);
	check_shell(w.dir, "git -C archive.git update-ref refs/heads/main main~1");
	CHECK_OK(repo_reindex(w.dir, &w.fleet.archive, &err));
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	check_log(&w, w.device.number - 1);
	world_done(&w);
}

/* ---- journal and index ---- */

static bool is_packed(const struct world *w, uint64_t number)
{
	_cleanup_(mem_freep) char *command =
		mem_printf("cd %s && git -C archive.git grep -qa '^number: %llu$' main", w->dir, (unsigned long long)number);

	return system(command) == 0;
}

static bool is_journaled(const struct world *w, uint64_t number)
{
	_cleanup_(mem_freep) char *command = mem_printf("grep -rqa '^number: %llu$' journal", (unsigned long long)number);
	_cleanup_(mem_freep) char *whole = mem_printf("cd %s && %s", w->dir, command);

	return system(whole) == 0;
}

/* A child posts a snapshot and packs it, posts another, and is killed once that is acknowledged. */
static void post_and_die(struct world *w, const struct buf posts[static 2])
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct error err = { 0 };

		if (repo_open(&w->repo, w->dir, &w->fleet.archive, 0, &err) < 0 ||
		    repo_submit_wait(w->repo, buf_bytes(&posts[0]), &err) != 0 || repo_flush(w->repo, &err) < 0 ||
		    repo_submit_wait(w->repo, buf_bytes(&posts[1]), &err) != 0) {
			dprintf(STDERR_FILENO, "the child that posts: %s\n", err.text);
			_exit(1);
		}
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, &status, 0);
	CHECK(WIFSIGNALED(status));
}

/* Leaves the newest snapshot, and only that, in the journal. The packer waits a second after each commit; on a busy machine it may all the
 * same be quicker than the kill, and then this goes on with the next two. */
static void leave_journaled(struct world *w)
{
	bool left = false;

	w->repo = repo_close(w->repo);
	for (int round = 0; !left && round < 20; round++) {
		struct buf posts[2] = { 0 };

		make_snapshot(w, &posts[0]);
		make_snapshot(w, &posts[1]);
		post_and_die(w, posts);
		buf_done(&posts[0]);
		buf_done(&posts[1]);
		left = is_journaled(w, w->device.number) && !is_journaled(w, w->device.number - 1) && !is_packed(w, w->device.number);
	}
	CHECK(left);
}

static void check_lost(struct world *w, const char *break_it, const char *message, const char *mend_it)
{
	struct error err;

	check_shell(w->dir, break_it);
	if (open_fails(w, &err) == 0)
		fail_msg("%s: it opens all the same", break_it);
	if (!strstr(err.text, message))
		fail_msg("%s: %s", break_it, err.text);
	check_shell(w->dir, mend_it);
}

TEST(a_journal_that_is_lost_or_damaged_is_said_and_a_new_index_goes_on_without_it)
{
	_cleanup_(mem_freep) char *damage = NULL;
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	leave_journaled(&w);
	check_lost(&w, "mv journal hidden", "neither in archive.git nor in the journal", "rm -r journal; mv hidden journal");
	check_lost(&w, "cp -r journal hidden; for f in journal/*; do truncate -s 0 $f; done", "neither in archive.git nor in the journal",
		   "rm -r journal; mv hidden journal");
	damage = mem_printf("cp -r journal hidden; f=$(grep -la '^number: %llu$' journal/*); printf '\\377' | dd of=$f bs=1 seek=100 "
			    "conv=notrunc status=none",
			    (unsigned long long)w.device.number); /* a file whose statements are all packed may be there still */
	check_lost(&w, damage, "is damaged at byte 0", "rm -r journal; mv hidden journal");
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	check_log(&w, w.device.number);
	CHECK_OK(repo_flush(w.repo, &err));
	check_git(&w);
	world_done(&w);

	world_init(&w);
	leave_journaled(&w);
	check_shell(w.dir, "rm -r journal");
	CHECK_OK(repo_reindex(w.dir, &w.fleet.archive, &err));
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	check_log(&w, w.device.number - 1);
	world_done(&w);
}

/* Random letters, which nothing makes much smaller. */
static void make_large(struct world *w, struct buf *out)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	randombytes_buf(buf_extend(&text, LARGE), LARGE);
	for (size_t i = 0; i < LARGE; i++)
		text.ptr[i] = i % 80 ? ' ' + text.ptr[i] % 64 : '\n';
	fleet_snapshot(out, &w->fleet, &w->device, buf_text(&text), "\n");
}

/* Is there a file of the journal that was made beforehand? */
static bool is_prepared(const struct world *w)
{
	_cleanup_(mem_freep) char *command = mem_printf(
		"cd %s/journal && for f in $(find . -size +1000k); do cmp -s -n 1 $f /dev/zero && exit; done; exit 1", w->dir);

	return system(command) == 0;
}

/* As post_and_die(), and the last is written over zeros: the first two come into one file, and are large. */
static void post_over_zeros_and_die(struct world *w, const struct buf posts[static 4])
{
	const struct bytes two[] = { buf_bytes(&posts[0]), buf_bytes(&posts[1]) };
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct error err = { 0 };

		if (repo_open(&w->repo, w->dir, &w->fleet.archive, 0, &err) < 0 || repo_submit_list(w->repo, two, 2, NULL, NULL, &err) != 0)
			_exit(1);
		for (int i = 0; !is_prepared(w); i++, usleep(10000))
			if (i == 1000)
				_exit(2);
		if (repo_submit_wait(w->repo, buf_bytes(&posts[2]), &err) != 0 || repo_flush(w->repo, &err) < 0 ||
		    repo_submit_wait(w->repo, buf_bytes(&posts[3]), &err) != 0)
			_exit(3);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, &status, 0);
	CHECK(WIFSIGNALED(status));
}

TEST(a_kill_while_a_file_made_beforehand_is_in_hand_loses_nothing)
{
	_cleanup_(mem_freep) char *large = NULL;
	struct error err = { 0 };
	struct world w;
	bool left = false;

	world_init(&w);
	w.repo = repo_close(w.repo);
	for (int round = 0; !left && round < 20; round++) {
		struct buf posts[4] = { 0 };

		make_large(&w, &posts[0]);
		make_large(&w, &posts[1]);
		make_snapshot(&w, &posts[2]);
		make_snapshot(&w, &posts[3]);
		post_over_zeros_and_die(&w, posts);
		for (size_t i = 0; i < ARRAY_SIZE(posts); i++)
			buf_done(&posts[i]);
		left = is_journaled(&w, w.device.number) && !is_packed(&w, w.device.number);
	}
	CHECK(left);
	large = mem_printf("test $(stat -c %%s $(grep -la '^number: %llu$' journal/*)) -gt 1048576", (unsigned long long)w.device.number);
	check_shell(w.dir, large);
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	check_log(&w, w.device.number);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	CHECK_OK(repo_flush(w.repo, &err));
	world_reopen(&w);
	check_log(&w, w.device.number);
	check_git(&w);
	check_shell(w.dir, "test -z \"$(find journal -type f -size +0)\""); /* at rest there is nothing of it any more */
	world_done(&w);
}

TEST(an_archive_that_is_older_than_its_journal_is_said)
{
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	w.repo = repo_close(w.repo);
	check_shell(w.dir, "cp -r archive.git older; cp -r index.db older.db");
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	leave_journaled(&w);
	check_lost(&w, "mv archive.git newer; cp -r older archive.git; mkdir aside; mv index.db* aside", "does not fit what is archived",
		   "rm -r archive.git; mv newer archive.git; rm -f index.db*; mv aside/* .");
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	check_log(&w, w.device.number);
	world_done(&w);
}

TEST(an_index_that_is_garbage_is_said_and_one_that_is_wrong_is_made_anew)
{
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(world_post(&w, make_snapshot), 0);
	w.repo = repo_close(w.repo);
	check_lost(&w, "cp index.db good; head -c 20000 /dev/urandom >index.db", "holdfastd reindex", "mv good index.db");
	check_lost(&w, "cp index.db good; head -c 4096 good >index.db; head -c 40000 /dev/urandom >>index.db", "holdfastd reindex", "true");
	CHECK_OK(repo_reindex(w.dir, &w.fleet.archive, &err));
	check_shell(w.dir, "test ! -e index.db.before");
	check_shell(w.dir, "sqlite3 index.db \"update log set leaf = zeroblob(32) where position = 2\"");
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	w.repo = repo_close(w.repo);
	check_shell(w.dir, "sqlite3 index.db \"delete from log where position = 2\"");
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	CHECK_OK(repo_flush(w.repo, &err));
	check_log(&w, w.device.number);
	check_git(&w);
	world_done(&w);
}

TEST(a_reindex_that_fails_leaves_the_index_as_it_was)
{
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	w.repo = repo_close(w.repo);
	check_shell(w.dir, "cp index.db good; mkdir packs; mv archive.git/objects/pack/* packs");
	CHECK(repo_reindex(w.dir, &w.fleet.archive, &err) < 0);
	CHECK(strstr(err.text, "is a pack missing"));
	check_shell(w.dir, "cmp good index.db && mv packs/* archive.git/objects/pack");
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	check_log(&w, w.device.number);
	world_done(&w);
}

/* ---- packs ---- */

/* The archive with one byte of a file changed: every read either gives what was archived, or fails and says what to look at. */
static size_t read_damaged(struct world *w, struct buf *good, uint64_t count)
{
	struct error err = { 0 };
	size_t failures = 0;
	int r = repo_open(&w->repo, w->dir, &w->fleet.archive, 0, &err);

	if (r < 0) {
		CHECK(strstr(err.text, "run git fsck") || strstr(err.text, "mirror") || strstr(err.text, "reindex"));
		return 1;
	}
	for (uint64_t n = 0; n < count; n++) {
		_cleanup_(buf_done) struct buf got = { 0 };

		err = (struct error){ 0 };
		r = repo_snapshot(&got, w->repo, w->device.id, w->device.number - n, &err);
		if (r == 0)
			CHECK(bytes_equal(buf_bytes(&got), buf_bytes(&good[n])));
		else if (r != E_SYS || !err.text[0])
			fail_msg("%d %s", r, err.text);
		failures += r < 0;
	}
	w->repo = repo_close(w->repo);
	return failures;
}

static void damage_files(struct world *w, const char *pattern, size_t steps, struct buf *good, uint64_t count)
{
	_cleanup_(mem_freep) char *all = mem_printf("%s/archive.git/objects/pack/%s", w->dir, pattern);
	size_t noticed = 0, flips = 0;
	glob_t found;

	CHECK_EQ(glob(all, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		_cleanup_(buf_done) struct buf text = { 0 };
		struct error err = { 0 };

		CHECK_OK(fs_read(&text, found.gl_pathv[i], 64 << 20, &err));
		for (size_t at = i; at < text.len; at += text.len / steps + 1) {
			text.ptr[at] ^= 0x40;
			CHECK_OK(fs_write(found.gl_pathv[i], buf_bytes(&text), 0444, &err));
			noticed += read_damaged(w, good, count) > 0;
			flips++;
			text.ptr[at] ^= 0x40;
			CHECK_OK(fs_write(found.gl_pathv[i], buf_bytes(&text), 0444, &err));
		}
	}
	globfree(&found);
	printf("figure: %s: %zu of %zu changed bytes noticed while reading, the others not needed\n", pattern, noticed, flips);
	CHECK(noticed > flips / 10);
}

TEST(a_changed_byte_in_a_pack_or_its_index_never_gives_a_wrong_answer)
{
	struct buf good[4] = { 0 };
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	for (size_t n = ARRAY_SIZE(good); n--;) {
		CHECK_EQ(world_post(&w, make_snapshot), 0);
		CHECK_OK(repo_snapshot(&good[n], w.repo, w.device.id, 0, &err));
	}
	w.repo = repo_close(w.repo);
	damage_files(&w, "*.pack", 40, good, ARRAY_SIZE(good));
	damage_files(&w, "*.idx", 20, good, ARRAY_SIZE(good));
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	check_git(&w);
	for (size_t n = 0; n < ARRAY_SIZE(good); n++)
		buf_done(&good[n]);
	world_done(&w);
}

static size_t count_files(struct world *w, const char *pattern)
{
	_cleanup_(mem_freep) char *all = mem_printf("%s/archive.git/objects/pack/%s", w->dir, pattern);
	glob_t found;
	size_t n;

	n = glob(all, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
	globfree(&found);
	return n;
}

/* The merger comes after everybody else, and on a busy machine that takes a while. */
static void await_merge(struct world *w, size_t below)
{
	for (int i = 0; i < 600 && count_files(w, "*.pack") >= below; i++)
		usleep(100000);
	CHECK(count_files(w, "*.pack") < below);
}

TEST(small_packs_become_one_while_everything_is_read_and_written)
{
	_cleanup_(buf_done) struct buf first = { 0 }, again = { 0 };
	struct error err = { 0 };
	uint64_t number;
	struct world w;

	world_init(&w);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	number = w.device.number;
	CHECK_OK(repo_snapshot(&first, w.repo, w.device.id, number, &err));
	for (int i = 0; i < 150; i++) {
		CHECK_EQ(world_post(&w, make_snapshot), 0);
		CHECK_OK(repo_flush(w.repo, &err));
		buf_truncate(&again, 0);
		CHECK_OK(repo_snapshot(&again, w.repo, w.device.id, number, &err));
		CHECK(bytes_equal(buf_bytes(&again), buf_bytes(&first)));
	}
	CHECK_OK(repo_consolidate(w.repo, &err));
	await_merge(&w, 64);
	w.repo = repo_close(w.repo);
	CHECK_EQ(count_files(&w, "*.pack"), count_files(&w, "*.idx"));
	CHECK_EQ(count_files(&w, "*tmp*"), 0);
	check_git(&w);
	/* somebody packs with git's own means: deltas are left alone, and it goes on */
	check_shell(w.dir, "git -C archive.git repack -adq && chmod 600 archive.git/objects/pack/*");
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	for (int i = 0; i < 40; i++) {
		CHECK_EQ(world_post(&w, make_snapshot), 0);
		CHECK_OK(repo_flush(w.repo, &err));
	}
	check_log(&w, w.device.number);
	check_git(&w);
	world_done(&w);
}

TEST(a_damaged_pack_is_left_as_it_is_when_packs_are_merged)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	struct world w;
	glob_t found;
	char *all;

	world_init(&w);
	CHECK_OK(repo_flush(w.repo, &err));
	all = mem_printf("%s/archive.git/objects/pack/*.pack", w.dir);
	CHECK_EQ(glob(all, 0, NULL, &found), 0);
	CHECK_OK(fs_read(&text, found.gl_pathv[0], 64 << 20, &err));
	text.ptr[text.len / 2] ^= 1;
	CHECK_OK(fs_write(found.gl_pathv[0], buf_bytes(&text), 0444, &err));
	for (int i = 0; i < 40; i++) {
		CHECK_EQ(world_post(&w, make_snapshot), 0);
		CHECK_OK(repo_flush(w.repo, &err));
	}
	CHECK_EQ(access(found.gl_pathv[0], F_OK), 0);
	CHECK_OK(repo_consolidate(w.repo, &err));
	await_merge(&w, 20);
	text.ptr[text.len / 2] ^= 1;
	CHECK_OK(fs_write(found.gl_pathv[0], buf_bytes(&text), 0444, &err));
	w.repo = repo_close(w.repo); /* libgit2 shares what is open in one process */
	check_git(&w);
	globfree(&found);
	mem_freep(&all);
	world_done(&w);
}

/* ---- under load ---- */

struct crowd {
	struct world *w;
	_Atomic bool ends;
	atomic_size_t posted;
};

static void *post_on(void *arg)
{
	struct crowd *crowd = arg;

	while (!crowd->ends) {
		CHECK_EQ(world_post(crowd->w, make_snapshot), 0);
		crowd->posted++;
		usleep(300); /* each of one device's takes a commit of its own */
	}
	return NULL;
}

TEST(waiting_for_the_archive_ends_though_others_go_on_posting)
{
	struct error err = { 0 };
	struct crowd crowd;
	pthread_t thread;
	struct world w;
	uint64_t worst = 0;

	world_init(&w);
	crowd = (struct crowd){ .w = &w };
	CHECK_EQ(pthread_create(&thread, NULL, post_on, &crowd), 0);
	for (int i = 0; i < 20; i++) {
		uint64_t begin;

		usleep(20000);
		begin = clock_mono_ms();
		CHECK_OK(repo_flush(w.repo, &err));
		worst = clock_mono_ms() - begin > worst ? clock_mono_ms() - begin : worst;
	}
	crowd.ends = true;
	pthread_join(thread, NULL);
	printf("figure: at most %llu ms to flush while %zu were posted\n", (unsigned long long)worst, crowd.posted);
	CHECK(worst < 2000);
	world_done(&w);
}

TEST(what_was_acknowledged_can_be_read_at_once)
{
	struct world w;

	world_init(&w);
	for (int i = 0; i < 50; i++) {
		_cleanup_(buf_done) struct buf got = { 0 };
		struct error err = { 0 };

		CHECK_EQ(world_post(&w, make_snapshot), 0);
		CHECK_OK(repo_snapshot(&got, w.repo, w.device.id, w.device.number, &err));
	}
	world_done(&w);
}

TEST(looking_for_an_invite_makes_no_commit)
{
	_cleanup_(buf_done) struct buf invite = { 0 };
	struct repo_head before, after;
	struct error err = { 0 };
	struct repo_device device;
	struct world w;

	world_init(&w);
	CHECK_OK(repo_device_get(&device, w.repo, w.device.id, &err));
	CHECK_EQ(repo_invites(&invite, w.repo, "aaaaaaaaaaaaaaaaaaaaaaaaaa", &err), REPO_ABSENT);
	CHECK_OK(repo_invites(&invite, w.repo, device.invite, &err));
	CHECK_OK(repo_flush(w.repo, &err));
	CHECK_OK(repo_head(&before, w.repo, &err));
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	for (int i = 0; i < 10; i++) {
		CHECK_OK(repo_invites(&invite, w.repo, device.invite, &err));
		CHECK_OK(repo_invites(&invite, w.repo, NULL, &err));
		CHECK_EQ(repo_invites(&invite, w.repo, "aaaaaaaaaaaaaaaaaaaaaaaaaa", &err), REPO_ABSENT);
	}
	CHECK_OK(repo_head(&after, w.repo, &err));
	CHECK_STR(before.commit, after.commit);
	world_done(&w);
}

/* ---- overload ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_size_t answered;

static void pass_gate(void *ctx, const struct repo_outcome *outcome)
{
	size_t *results = ctx;

	pthread_mutex_lock(&gate);
	*results = outcome->result == 0 ? 1 : 99;
	pthread_mutex_unlock(&gate);
	answered++;
}

TEST(a_full_queue_refuses_at_once_and_everything_it_took_is_answered_once)
{
	enum { POSTS = 5000 };
	_cleanup_(mem_freep) size_t *results = mem_alloc(POSTS * sizeof(*results));
	struct error err = { 0 };
	size_t taken = 0, busy = 0;
	struct world w;

	world_init(&w);
	answered = 0;
	pthread_mutex_lock(&gate); /* the journal thread stops at its first answer: a disk that takes its time */
	for (size_t i = 0; i < POSTS && !busy; i++) {
		_cleanup_(buf_done) struct buf c = { 0 };
		struct fleet_device before = w.device;
		int r;

		make_snapshot(&w, &c);
		r = repo_submit(w.repo, buf_bytes(&c), pass_gate, &results[i], &err);
		CHECK(r == 0 || r == REPO_BUSY);
		taken += r == 0;
		busy += r != 0;
		if (r)
			w.device = before;
	}
	CHECK_EQ(busy, 1);
	CHECK(taken >= 4096);
	pthread_mutex_unlock(&gate);
	while (answered < taken)
		usleep(1000);
	for (size_t i = 0; i < POSTS; i++)
		CHECK_EQ(results[i], i < taken);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	check_log(&w, w.device.number);
	CHECK_OK(repo_flush(w.repo, &err));
	check_audit(&w);
	world_done(&w);
}
