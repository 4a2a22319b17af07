/* tests/unit/test-state-killed.c -- an agent that is killed, or has no room left on its disk, loses nothing and says nothing twice. */
#include "tests/test.h"
#include "tests/unit/joined.h"

#include "agent/state.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 2, NUMBERS_MAX = 64, FULL_AT_MAX = 16 };

/* ---- a life of the agent ---- */

static int make_next(struct state *s, struct error *err)
{
	struct snapshot_by by = { &s->key, s->id, s->root, s->checkpoint, state_now(s) };
	_cleanup_(mem_freep) char *text =
		mem_printf("ip route 10.0.0.%llu/32 Null0\npassword hunter2\n", (unsigned long long)s->chain.number);
	struct device_facts facts = { 0 };
	struct snapshot_input in = { .reason = "change", .driver = &driver_frr, .running = bytes_str(text), .startup = bytes_str(text),
				     .has_startup = true, .saved = SAVED_YES, .mode = "commit", .note = "", .facts = &facts };
	struct chain next;
	int r;

	chain_copy(&next, &s->chain);
	r = next.epoch ? snapshot_make(&next, &in, &by, err) : epoch_make(&next, &by, err);
	if (r < 0) {
		chain_done(&next);
		return r;
	}
	return state_commit(s, &next, err);
}

/* The server takes whatever comes, and we note what it was. */
static int send_one(struct state *s, int log, struct error *err)
{
	_cleanup_(buf_done) struct buf container = { 0 };
	char hex[2 * HASH_LEN + 1];
	uint64_t number;
	off_t end;
	int r = spool_oldest(&s->spool, &number, &container, err);

	if (r != 0)
		return r;
	sha256_hex(hex, buf_bytes(&container));
	end = lseek(log, 0, SEEK_END);
	if (dprintf(log, "%llu %s\n", (unsigned long long)number, hex) < 0) {
		/* the limit of a test hits this log, too: half a line must not stay in it */
		int failure = errno;

		if (ftruncate(log, end) < 0)
			abort();
		errno = failure;
		return error_sys(err, "the log of this test");
	}
	return spool_acknowledged(&s->spool, number, err);
}

static int live(const char *dir, const char *log_path, struct error *err)
{
	_cleanup_(fd_closep) int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct state s;
	int r = state_open(&s, dir, err);

	if (r != 0)
		return r < 0 ? r : error_set(err, E_SYS, "not joined");
	for (int i = 0; r == 0 && i < ROUNDS; i++) {
		r = make_next(&s, err);
		while (r == 0 && (r = send_one(&s, log, err)) == 0)
			;
		r = r == SPOOL_EMPTY ? 0 : r;
	}
	state_done(&s);
	return r;
}

/* Everything from number 1 on arrived, in order, and each number with one content only. */
static void check_log(const char *log_path, uint64_t newest)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char hashes[NUMBERS_MAX][2 * HASH_LEN + 1] = { 0 };
	struct bytes rest, line;
	struct error err = { 0 };
	uint64_t last = 0;

	must(fs_read(&text, log_path, 1 << 20, &err), &err);
	rest = buf_bytes(&text);
	while (bytes_next_line(&rest, &line)) {
		char hash[2 * HASH_LEN + 1];
		unsigned long long number;

		CHECK_EQ(sscanf((const char *)line.ptr, "%llu %64s", &number, hash), 2);
		CHECK(number < NUMBERS_MAX && (number == last || number == last + 1));
		if (*hashes[number])
			CHECK_STR(hashes[number], hash);
		memcpy(hashes[number], hash, sizeof(hash));
		last = number;
	}
	CHECK_EQ(last, newest);
}

/* After whatever happened: the agent starts again, goes on, and all is well. */
static void check_goes_on(const struct world *w)
{
	struct error err = { 0 };
	struct state s;

	must(live(w->dir, w->log, &err), &err);
	must(state_open(&s, w->dir, &err), &err);
	CHECK_EQ(s.spool.count, 0);
	check_log(w->log, s.chain.number);
	state_done(&s);
}

TEST(what_a_device_says_is_spooled_sent_and_acknowledged)
{
	_cleanup_(world_done) struct world w;

	world_init(&w);
	check_goes_on(&w);
	check_goes_on(&w);
}

/* ---- killed at each change of its state ---- */

static bool changes_state(uint64_t nr, const uint64_t *args)
{
	switch (nr) {
	case SYS_write:
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_ftruncate:
	case SYS_fchmod:
	case SYS_rename:
	case SYS_renameat:
	case SYS_renameat2:
	case SYS_unlink:
	case SYS_unlinkat:
	case SYS_mkdir:
		return true;
	case SYS_openat:
		return (args[2] & O_CREAT) != 0;
	default:
		return false;
	}
}

/* Follows pid and kills it when it is about to make its n-th change. True if it came to its end before that. */
static bool kill_at(pid_t pid, int n)
{
	struct __ptrace_syscall_info info;
	int status, count = 0;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	for (;;) {
		CHECK_EQ(ptrace(PTRACE_SYSCALL, pid, 0, 0), 0);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			CHECK_EQ(WEXITSTATUS(status), 0);
			return true;
		}
		CHECK(WIFSTOPPED(status));
		if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0 || info.op != PTRACE_SYSCALL_INFO_ENTRY ||
		    !changes_state(info.entry.nr, (const uint64_t *)info.entry.args) || ++count < n)
			continue;
		kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		return false;
	}
}

static void live_traced(const struct world *w)
{
	struct error err = { 0 };

	if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
		_exit(99);
	raise(SIGSTOP);
	_exit(live(w->dir, w->log, &err) < 0);
}

TEST(killed_at_any_change_of_its_state_nothing_is_lost_and_no_number_is_given_twice)
{
	int kills = 0;

	for (;;) {
		_cleanup_(world_done) struct world w;
		bool is_at_end;
		pid_t pid;

		world_init(&w);
		check_goes_on(&w); /* so that there is something to lose */
		pid = fork();
		if (!pid)
			live_traced(&w);
		is_at_end = kill_at(pid, kills + 1);
		check_goes_on(&w);
		if (is_at_end)
			break;
		kills++;
	}
	CHECK(kills > 30);
	print_message("figure: killed at %d changes of a device's state\n", kills);
}

TEST(killed_twice_in_a_row_it_still_goes_on)
{
	for (int n = 3; n < 40; n += 7) {
		_cleanup_(world_done) struct world w;

		world_init(&w);
		for (int i = 0; i < 2; i++) {
			pid_t pid = fork();

			if (!pid)
				live_traced(&w);
			(void)kill_at(pid, n + i);
		}
		check_goes_on(&w);
	}
}

/* ---- full disks ---- */

/* The largest file that may be written is `most`; then the disk is fine again. */
TEST(a_write_that_fails_leaves_the_old_state)
{
	_cleanup_(world_done) struct world w;

	world_init(&w);
	check_goes_on(&w);
	for (rlim_t most = 0; most < 4000; most += 200) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			struct rlimit limit = { most, RLIM_INFINITY };
			struct error err = { 0 };

			signal(SIGXFSZ, SIG_IGN);
			setrlimit(RLIMIT_FSIZE, &limit);
			_exit(live(w.dir, w.log, &err) < 0 ? 1 : 0);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFEXITED(status));
		check_goes_on(&w);
	}
}

/* A small file system in place of the device's folder; false when none can be mounted here. In a namespace of this process, so it goes
 * with it. */
static bool mount_small(const char *dir)
{
	return (mkdir(dir, 0700) == 0 || errno == EEXIST) && unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount("none", dir, "tmpfs", 0, "size=256k") == 0;
}

/* Takes all the room there is but for so many pages. */
static void fill(const char *path, int pages)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	uint8_t page[4096] = { 0 };
	off_t end;

	while (write(fd, page, sizeof(page)) == (ssize_t)sizeof(page))
		;
	end = lseek(fd, 0, SEEK_END) - pages * (off_t)sizeof(page);
	CHECK_EQ(ftruncate(fd, end), 0);
}

TEST(on_a_full_disk_nothing_is_lost_and_once_there_is_room_it_goes_on)
{
	int failures = 0;

	for (int pages = 0; pages < FULL_AT_MAX; pages++) {
		_cleanup_(world_done) struct world w;
		_cleanup_(mem_freep) char *small = NULL, *filler = NULL;
		struct error err = { 0 };

		world_init(&w);
		small = mem_printf("%s.small", w.dir);
		filler = mem_printf("%s/filler", small);
		if (!mount_small(small))
			skip(); /* not root */
		free(w.dir);
		w.dir = mem_printf("%s/state", small);
		join_in(&w, w.dir);
		must(live(w.dir, w.log, &err), &err);
		fill(filler, pages);
		for (int i = 0; i < 3; i++)
			failures += live(w.dir, w.log, &err) < 0;
		must(fs_remove(filler, &err), &err);
		check_goes_on(&w);
		CHECK_EQ(umount(small), 0);
	}
	CHECK(failures > 3);
	CHECK(failures < 3 * FULL_AT_MAX); /* with enough room it went through */
}

TEST(a_statement_that_did_not_fit_into_the_spool_is_put_there_later)
{
	_cleanup_(world_done) struct world w;
	_cleanup_(mem_freep) char *away = NULL;
	struct state s;
	struct error err = { 0 };

	world_init(&w);
	must(state_open(&s, w.dir, &err), &err);
	away = mem_printf("%s.away", s.spool.dir);
	must(spool_acknowledged(&s.spool, 1, &err), &err);
	CHECK_EQ(rename(s.spool.dir, away), 0);
	CHECK_EQ(make_next(&s, &err), E_SYS);
	CHECK_EQ(s.chain.number, 2); /* it counts: it is in the chain's file */
	CHECK_EQ(make_next(&s, &err), E_SYS);
	CHECK_EQ(s.chain.number, 2); /* and nothing comes after it before it is spooled */
	CHECK_EQ(rename(away, s.spool.dir), 0);
	must(state_mend(&s, &err), &err);
	CHECK(spool_has(&s.spool, 2));
	must(make_next(&s, &err), &err);
	CHECK_EQ(s.spool.count, 2);
	state_done(&s);
	must(live(w.dir, w.log, &err), &err);
}
