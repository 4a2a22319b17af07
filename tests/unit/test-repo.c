/* tests/unit/test-repo.c -- the archive: what is acknowledged is there once, and stock git accepts it. */
#include "tests/unit/archive.h"

#include "tests/test.h"

#include "base/fs.h"
#include "repo/textdiff.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(stock_git_accepts_what_we_write_and_verifies_every_commit)
{
	_cleanup_(buf_done) struct buf signers = { 0 };
	_cleanup_(mem_freep) char *path = NULL;
	struct error err = { 0 };
	const struct root *root;
	struct world w;

	world_init(&w);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(world_post(&w, make_snapshot), 0);
	CHECK_OK(repo_flush(w.repo, &err));
	CHECK_OK(repo_root_get(&root, w.repo, &err));
	root_allowed_signers(&signers, root);
	path = mem_printf("%s/signers", w.dir);
	CHECK_OK(fs_write(path, buf_bytes(&signers), 0600, &err));
	check_shell(w.dir, "git -C archive.git fsck --strict --no-dangling && test -z \"$(find archive.git/objects -type f ! -path "
			   "'*/pack/*' ! -path '*/info/*')\"");
	check_shell(w.dir, "for c in $(git -C archive.git rev-list main); do git -C archive.git -c gpg.ssh.allowedSignersFile=../signers "
			   "verify-commit $c || exit 1; done");
	/* each of the five snapshots stands in the history of its path */
	check_shell(w.dir, "test $(git -C archive.git log --format=%H main -- $(git -C archive.git ls-tree -r --name-only main | grep "
			   "/snapshot$) | wc -l) = 5");
	world_done(&w);
}

TEST(the_same_again_is_seen_another_with_its_number_is_a_fork_and_a_jump_is_a_gap)
{
	_cleanup_(buf_done) struct buf first = { 0 }, other = { 0 }, later = { 0 };
	struct fleet_device before;
	struct repo_device device;
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	before = w.device;
	make_snapshot(&w, &first);
	CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&first), &err), 0);
	CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&first), &err), REPO_SEEN);
	w.device.number = before.number;
	memcpy(w.device.head, before.head, HASH_LEN);
	fleet_snapshot(&other, &w.fleet, &w.device, "hostname evil\n", "x");
	CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&other), &err), REPO_FORK);
	CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&other), &err), REPO_FORK);
	w.device.number += 5;
	make_snapshot(&w, &later);
	CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&later), &err), REPO_GAP);
	CHECK_OK(repo_device_get(&device, w.repo, w.device.id, &err));
	CHECK_EQ(device.forks, 1);
	CHECK_EQ(device.head_number, before.number + 1);
	CHECK_OK(repo_flush(w.repo, &err));
	check_shell(w.dir, "test $(git -C archive.git ls-tree -r --name-only main | grep -c /forks/) = 1");
	world_reopen(&w);
	CHECK_OK(repo_device_get(&device, w.repo, w.device.id, &err));
	CHECK_EQ(device.forks, 1);
	world_done(&w);
}

static void take_outcome(void *ctx, const struct repo_outcome *outcome)
{
	int **at = ctx;

	**at = outcome->result;
	++*at;
}

/* Those before a misfit are judged by memory, it and those behind it by the index, all in one round. */
TEST(what_arrives_together_is_judged_as_if_it_came_one_by_one)
{
	static const int expected[] = { 0, 0, REPO_FORK, REPO_SEEN, 0, REPO_GAP };
	struct buf posts[6] = { 0 };
	struct bytes list[6];
	int results[6], *at = results;
	struct repo_device device;
	struct error err = { 0 };
	struct fleet_device fork;
	struct world w;

	world_init(&w);
	make_snapshot(&w, &posts[0]);
	fork = w.device;
	make_snapshot(&w, &posts[1]);
	fleet_snapshot(&posts[2], &w.fleet, &fork, "hostname evil\n", "x");
	buf_add_bytes(&posts[3], buf_bytes(&posts[0]));
	make_snapshot(&w, &posts[4]);
	w.device.number++;
	make_snapshot(&w, &posts[5]);
	for (size_t i = 0; i < 6; i++)
		list[i] = buf_bytes(&posts[i]);
	CHECK_OK(repo_submit_list(w.repo, list, 6, take_outcome, &at, &err));
	CHECK_EQ(repo_submit_wait(w.repo, list[0], &err), REPO_SEEN); /* comes behind them */
	CHECK_OK(repo_flush(w.repo, &err));
	CHECK_EQ(at - results, 6);
	for (size_t i = 0; i < 6; i++) {
		CHECK_EQ(results[i], expected[i]);
		buf_done(&posts[i]);
	}
	CHECK_OK(repo_device_get(&device, w.repo, w.device.id, &err));
	CHECK_EQ(device.forks, 1);
	CHECK_EQ(device.head_number, fork.number + 1);
	check_log(&w, device.head_number);
	w.repo = repo_close(w.repo);
	check_shell(w.dir, "git -C archive.git fsck --strict --no-dangling && test $(git -C archive.git ls-tree -r --name-only main | grep "
			   "-c /forks/) = 1");
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	check_log(&w, device.head_number);
	world_done(&w);
}

TEST(any_snapshot_opens_from_its_own_tree)
{
	_cleanup_(buf_done) struct buf full = { 0 }, base = { 0 }, running = { 0 };
	struct container c;
	struct error err = { 0 };
	size_t used;
	struct world w;

	world_init(&w);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(world_post(&w, make_snapshot), 0);
	CHECK_OK(repo_snapshot(&full, w.repo, w.device.id, 0, &err)); /* waits for the packer */
	CHECK_OK(container_parse(&c, buf_bytes(&full), CONTAINER_FULL, &used, &err));
	CHECK_EQ(used, full.len);
	CHECK_OK(seal_open_text(&base, &w.device.body, container_seal(&c, "base"), (struct bytes){ 0 }, &err));
	CHECK_OK(seal_open_text(&running, &w.device.body, container_seal(&c, "delta"), buf_bytes(&base), &err));
	CHECK(strstr(buf_text(&running), "10.0.4.0/24"));
	container_done(&c);
	CHECK_EQ(repo_snapshot(&full, w.repo, w.device.id, 99, &err), REPO_ABSENT);
	world_done(&w);
}

TEST(a_rebuilt_index_gives_the_same_answers)
{
	struct repo_device before, after;
	struct repo_head h1, h2;
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(world_post(&w, make_snapshot), 0);
	CHECK_OK(repo_flush(w.repo, &err));
	CHECK_OK(repo_device_get(&before, w.repo, w.device.id, &err));
	CHECK_OK(repo_head(&h1, w.repo, &err));
	w.repo = repo_close(w.repo);
	CHECK_OK(repo_reindex(w.dir, &w.fleet.archive, &err));
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	CHECK_OK(repo_device_get(&after, w.repo, w.device.id, &err));
	CHECK_OK(repo_head(&h2, w.repo, &err));
	CHECK(!memcmp(&before, &after, sizeof(before)));
	CHECK(!memcmp(&h1, &h2, sizeof(h1)));
	check_log(&w, before.head_number);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	world_done(&w);
}

static void touch_from(struct world *w, const char *saved, int64_t at_s)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	statement_begin(&text, STATEMENT_STATUS);
	statement_add(&text, "fleet", "%s", w->fleet.id);
	statement_add(&text, "device", "%s", w->device.id);
	statement_add_time(&text, "time", at_s);
	statement_add_point(&text, "head", w->device.number, w->device.head);
	statement_add(&text, "root", "1");
	statement_add(&text, "saved", "%s", saved);
	statement_add(&text, "mode", "observe");
	statement_add(&text, "wait", "60");
	CHECK_OK(statement_parse(&st, buf_bytes(&text), true, NULL, &err));
	repo_touch(w->repo, st, at_s);
}

TEST(what_devices_say_in_polls_is_written_together_and_the_last_word_counts)
{
	struct repo_device device;
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	touch_from(&w, "yes", 1800000000);
	touch_from(&w, "no", 1800000001);
	repo_touch_flush(w.repo);
	CHECK_OK(repo_device_get(&device, w.repo, w.device.id, &err));
	CHECK_STR(device.saved, "no");
	CHECK_EQ(device.seen_s, 1800000001);
	for (int i = 0; i < 3000; i++) /* more than are kept */
		touch_from(&w, i % 2 ? "yes" : "unknown", 1800000002 + i);
	w.repo = repo_close(w.repo); /* writes what is left */
	CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
	CHECK_OK(repo_device_get(&device, w.repo, w.device.id, &err));
	CHECK_STR(device.saved, "yes");
	CHECK_EQ(device.seen_s, 1800003001);
	world_done(&w);
}

static int keep_moment(void *ctx, const struct repo_moment *moment)
{
	*(struct repo_moment *)ctx = *moment;
	return 0;
}

static void check_moment(struct world *w, int64_t at_s, uint64_t number, int64_t time_s)
{
	struct repo_moment found = { .number = 999 };
	struct error err = { 0 };

	CHECK_OK(repo_snapshots_at(w->repo, "", at_s, 10, keep_moment, &found, &err));
	CHECK_STR(found.id, w->device.id);
	CHECK_EQ(found.number, number);
	CHECK_EQ(found.time_s, time_s);
}

TEST(what_was_in_force_at_a_time_is_the_newest_snapshot_until_then)
{
	static const int64_t times[] = { 2000000000, 2000000100, 2000000100, 2000000500 };
	struct repo_moment found = { .number = 999 };
	struct error err = { 0 };
	struct world w;
	uint64_t first;

	world_init(&w);
	first = w.device.number + 1;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		w.device.clock_s = times[i];
		CHECK_EQ(world_post(&w, make_snapshot), 0);
	}
	check_moment(&w, times[0] - 1, 0, 0);
	check_moment(&w, times[0], first, times[0]);
	check_moment(&w, times[1] - 1, first, times[0]);
	check_moment(&w, times[1], first + 2, times[2]); /* of one second, the later one */
	check_moment(&w, times[3] + 1000000, first + 3, times[3]);
	for (int64_t i = 1; i <= 20; i++) { /* every place in a longer chain, with other statements between */
		w.device.clock_s = times[3] + 10 * i;
		CHECK_EQ(world_post(&w, i % 6 ? make_snapshot : make_epoch), 0);
	}
	for (int64_t i = 1; i <= 20; i++) {
		int64_t was = i % 6 ? i : i - 1; /* the snapshot before the epoch */

		check_moment(&w, times[3] + 10 * i, first + 3 + (uint64_t)was, times[3] + 10 * was);
		check_moment(&w, times[3] + 10 * i + 9, first + 3 + (uint64_t)was, times[3] + 10 * was);
	}
	CHECK_OK(repo_snapshots_at(w.repo, w.device.id, times[3], 10, keep_moment, &found, &err));
	CHECK_EQ(found.number, 999); /* nobody is behind it */
	world_done(&w);
}

TEST(the_log_grows_consistently)
{
	_cleanup_(buf_done) struct buf cp = { 0 };
	struct merkle_hash proof[MERKLE_PROOF_MAX], old_root, new_root;
	struct statement *st = NULL;
	struct repo_head h1, h2;
	struct error err = { 0 };
	int len;
	struct world w;

	world_init(&w);
	CHECK_OK(repo_flush(w.repo, &err));
	CHECK_OK(repo_head(&h1, w.repo, &err));
	CHECK_OK(repo_checkpoint(&cp, w.repo, &err));
	CHECK_OK(statement_parse(&st, buf_bytes(&cp), false, NULL, &err));
	CHECK_OK(statement_verify_by(st, &w.fleet.archive.pub, &err));
	CHECK(statement_get_hash(old_root.b, st, "tree"));
	CHECK_EQ(statement_number(st, "size"), h1.log_size);
	st = statement_free(st);
	for (int i = 0; i < 7; i++)
		CHECK_EQ(world_post(&w, make_snapshot), 0);
	CHECK_OK(repo_flush(w.repo, &err));
	CHECK_OK(repo_head(&h2, w.repo, &err));
	CHECK_EQ(h2.log_size, h1.log_size + 7);
	buf_truncate(&cp, 0);
	CHECK_OK(repo_checkpoint(&cp, w.repo, &err));
	CHECK_OK(statement_parse(&st, buf_bytes(&cp), false, NULL, &err));
	CHECK(statement_get_hash(new_root.b, st, "tree"));
	statement_free(st);
	CHECK_OK(repo_consistency(proof, &len, w.repo, h1.log_size, h2.log_size, &err));
	CHECK(merkle_verify_consistency(h1.log_size, old_root, h2.log_size, new_root, proof, (size_t)len));
	world_done(&w);
}

/* A child archives snapshots and says through a pipe what was acknowledged; it is killed at a random moment. */
static uint64_t killed_writer(struct world *w, unsigned delay_us)
{
	uint64_t acked = w->device.number, n;
	int fds[2];
	pid_t pid;

	CHECK_EQ(pipe(fds), 0);
	w->repo = repo_close(w->repo);
	pid = fork();
	if (!pid) {
		struct error err = { 0 };

		if (repo_open(&w->repo, w->dir, &w->fleet.archive, 0, &err) < 0)
			_exit(1);
		for (;;) {
			_cleanup_(buf_done) struct buf c = { 0 };

			make_snapshot(w, &c);
			if (repo_submit_wait(w->repo, buf_bytes(&c), &err) != 0)
				_exit(2);
			if (write(fds[1], &w->device.number, 8) != 8)
				_exit(3);
		}
	}
	close(fds[1]);
	usleep(delay_us);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	while (read(fds[0], &n, 8) == 8)
		acked = n;
	close(fds[0]);
	return acked;
}

TEST(nothing_acknowledged_is_lost_when_the_writer_is_killed)
{
	struct error err = { 0 };
	struct world w;

	world_init(&w);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	for (int i = 0; i < 12; i++) {
		struct fleet_device lost = w.device;
		uint64_t acked = killed_writer(&w, (unsigned)(rand() % 400000) + 20000);
		struct repo_device device;

		CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
		CHECK_OK(repo_device_get(&device, w.repo, w.device.id, &err));
		/* at most the one that was under way when it was killed */
		CHECK(device.head_number >= acked && device.head_number <= acked + 1);
		check_log(&w, device.head_number);
		w.device.number = device.head_number;
		memcpy(w.device.head, device.head_hash, HASH_LEN);
		w.device.base_number = lost.base_number;
	}
	CHECK_OK(repo_flush(w.repo, &err));
	check_shell(w.dir, "git -C archive.git fsck --strict --no-dangling");
	check_shell(w.dir, "test $(git -C archive.git log --format=%H main -- $(git -C archive.git ls-tree -r --name-only main | grep "
			   "/snapshot$) | wc -l)"
			   " = $(sqlite3 index.db 'select count(*) from chain where type = 5' 2>/dev/null || git -C archive.git log "
			   "--format=%H main -- "
			   "$(git -C archive.git ls-tree -r --name-only main | grep /snapshot$) | wc -l)");
	world_done(&w);
}

TEST(a_missing_pack_is_said_clearly)
{
	struct error err = { 0 };
	struct world w;
	int r;

	world_init(&w);
	CHECK_EQ(world_post(&w, make_snapshot), 0);
	w.repo = repo_close(w.repo);
	check_shell(w.dir, "rm archive.git/objects/pack/*");
	r = repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err);
	if (r == 0)
		r = repo_reindex(w.dir, &w.fleet.archive, &err);
	if (r == E_DENIED) { /* it opened, with its index: then reading says so */
		_cleanup_(buf_done) struct buf out = { 0 };

		r = repo_snapshot(&out, w.repo, w.device.id, 0, &err);
	}
	CHECK(r < 0);
	CHECK(strstr(err.text, "is a pack missing"));
	world_done(&w);
}

struct findings {
	uint64_t n;
	char kinds[400];
};

static void note(void *ctx, const char *kind, const char *where _unused_, const char *text _unused_)
{
	struct findings *f = ctx;
	size_t len = strlen(f->kinds);

	f->n++;
	snprintf(f->kinds + len, sizeof(f->kinds) - len, "%s ", kind);
}

static struct findings audit(struct world *w, const char *fleet, const char *seen)
{
	_cleanup_(mem_freep) char *git = mem_printf("%s/archive.git", w->dir);
	struct findings f = { 0 };
	struct repo_audit out;
	struct error err = { 0 };

	CHECK_OK(repo_audit(&out, git, fleet, seen, note, &f, NULL, &err));
	CHECK_EQ(out.findings, f.n);
	return f;
}

static int count_device(void *ctx, const struct repo_device *device)
{
	CHECK(device->admitted);
	CHECK_STR(device->name, "r1");
	++*(int *)ctx;
	return 0;
}

TEST(an_audit_of_a_sound_archive_finds_nothing_and_of_a_forged_one_what_was_forged)
{
	_cleanup_(mem_freep) char *git = NULL;
	struct repo_head head;
	struct error err = { 0 };
	struct findings f;
	int devices = 0;
	struct world w;

	world_init(&w);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(world_post(&w, make_snapshot), 0);
	CHECK_OK(repo_flush(w.repo, &err));
	CHECK_OK(repo_head(&head, w.repo, &err));
	f = audit(&w, w.fleet.id, head.commit);
	if (f.n)
		fail_msg("%s", f.kinds);
	git = mem_printf("%s/archive.git", w.dir);
	CHECK_OK(repo_mirror_devices(git, count_device, &devices, &err));
	CHECK_EQ(devices, 1);
	f = audit(&w, "aaaaaaaaaaaaaaaaaaaaaaaaaa", NULL); /* another fleet's archive */
	CHECK(strstr(f.kinds, "root"));
	f = audit(&w, w.fleet.id, "0123456789012345678901234567890123456789");
	CHECK_STR(f.kinds, "history ");
	/* a commit by somebody else, putting an old snapshot back */
	check_shell(w.dir,
		    "git clone -q archive.git work && cd work && f=$(git ls-files | grep /snapshot$) && git checkout -q HEAD~2 -- $f && "
		    "git -c user.name=x -c user.email=x@localhost commit -qm forged && git push -q origin HEAD:main");
	f = audit(&w, w.fleet.id, NULL);
	CHECK(strstr(f.kinds, "commit-signature") && strstr(f.kinds, "chain") && strstr(f.kinds, "log"));
	/* the newest commit cut off: what was seen before is gone */
	check_shell(w.dir, "git -C archive.git update-ref refs/heads/main main~2");
	f = audit(&w, w.fleet.id, head.commit);
	CHECK_STR(f.kinds, "history ");
	world_done(&w);
}

TEST(texts_are_compared_in_memory)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct textdiff d;
	struct error err = { 0 };

	CHECK_OK(textdiff(&d, &out, bytes_str("a\nb\nc\n"), "old", bytes_str("a\nx\nc\n"), "new", &err));
	CHECK_EQ(d.added, 1);
	CHECK_EQ(d.removed, 1);
	CHECK_BYTES(buf_bytes(&out), "--- old\n+++ new\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
	buf_truncate(&out, 0);
	CHECK_OK(textdiff(&d, &out, bytes_str("a\n"), "old", bytes_str("a\n"), "new", &err));
	CHECK_EQ(out.len, 0);
	CHECK_EQ(d.added + d.removed, 0);
}
