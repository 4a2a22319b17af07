/* tests/unit/test-state.c -- a device's folder: whenever the agent is killed or the disk is full, no statement is lost and no number gets
 * two contents; what is damaged is said by name. */
#include "tests/fleet.h"
#include "tests/test.h"

#include "agent/hold.h"
#include "agent/state.h"
#include "base/clock.h"
#include "base/fs.h"

#include <dirent.h>
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

/* A fleet, and a device that has joined it in dir. */
struct world {
	struct fleet fleet;
	struct fleet_device device;
	struct buf enrol, admit;
	char *dir, *log;
};

static void join_in(struct world *w, const char *dir)
{
	static const uint8_t pin[32] = { 1, 2, 3 };
	_cleanup_(buf_done) struct buf box = { 0 };
	struct chain chain = { .number = 1, .time_s = clock_now_s() };
	struct state_joining j = { .dir = dir, .key = &w->device.key, .fleet = w->fleet.id, .address = "localhost:8443", .pin = pin,
				   .chain = &chain };
	struct error err = { 0 };

	memcpy(chain.hash, w->device.head, HASH_LEN);
	buf_add_bytes(&chain.newest, buf_bytes(&w->enrol));
	age_identity_text(&box, &w->device.box);
	j.box = buf_bytes(&box);
	j.roots = buf_bytes(&w->fleet.root);
	must(state_create(&j, &err), &err);
	chain_done(&chain);
}

static void world_init(struct world *w)
{
	static const uint8_t secret[32] = { 9 };
	struct error err = { 0 };
	const char *folder = test_folder();

	*w = (struct world){ .dir = mem_printf("%s/state", folder), .log = mem_printf("%s/sent", folder) };
	must(crypto_start(&err), &err);
	fleet_init(&w->fleet);
	fleet_device_init(&w->device, "r1");
	fleet_enrol(&w->enrol, &w->fleet, &w->device, secret);
	fleet_admit(&w->admit, &w->fleet, &w->device);
	join_in(w, w->dir);
}

static void world_done(struct world *w)
{
	fleet_device_done(&w->device);
	fleet_done(&w->fleet);
	buf_done(&w->enrol);
	buf_done(&w->admit);
	free(w->dir);
	free(w->log);
}

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

/* ---- the spool ---- */

TEST(a_number_of_the_spool_never_gets_another_content)
{
	struct error err = { 0 };
	struct spool s;

	must(spool_open(&s, test_folder(), &err), &err);
	must(spool_put(&s, 5, bytes_str("five"), &err), &err);
	CHECK_EQ(spool_put(&s, 5, bytes_str("five"), &err), 0);
	CHECK_EQ(spool_put(&s, 5, bytes_str("other"), &err), E_DENIED);
	CHECK_EQ(s.count, 1);
	must(spool_acknowledged(&s, 5, &err), &err);
	CHECK_EQ(spool_put(&s, 5, bytes_str("five"), &err), E_DENIED);
	CHECK_EQ(spool_put(&s, 4, bytes_str("four"), &err), E_DENIED);
	spool_done(&s);
}

TEST(the_spool_is_sent_in_order_and_what_is_acknowledged_goes)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	const char *dir = test_folder();
	struct error err = { 0 };
	uint64_t number;
	struct spool s;

	must(spool_open(&s, dir, &err), &err);
	CHECK_EQ(spool_oldest(&s, &number, &out, &err), SPOOL_EMPTY);
	must(spool_put(&s, 11, bytes_str("eleven"), &err), &err);
	must(spool_put(&s, 9, bytes_str("nine"), &err), &err);
	must(spool_put(&s, 10, bytes_str("ten"), &err), &err);
	must(spool_oldest(&s, &number, &out, &err), &err);
	CHECK_EQ(number, 9);
	must(spool_acknowledged(&s, 10, &err), &err);
	CHECK(!spool_has(&s, 9) && !spool_has(&s, 10) && spool_has(&s, 11));
	spool_done(&s);
	must(spool_open(&s, dir, &err), &err);
	CHECK_EQ(s.oldest, 11);
	CHECK_EQ(s.newest, 11);
	CHECK_EQ(s.acked, 10);
	must(spool_acknowledged(&s, 3, &err), &err); /* an old answer takes nothing back */
	CHECK_EQ(s.acked, 10);
	spool_done(&s);
}

TEST(who_only_looks_at_a_spool_changes_nothing)
{
	_cleanup_(mem_freep) char *leftover = NULL, *absent = NULL;
	const char *dir = test_folder();
	struct error err = { 0 };
	struct spool s;

	leftover = mem_printf("%s/000000000007.tmp-abcdef", dir);
	absent = mem_printf("%s/absent", dir);
	must(fs_write(leftover, bytes_str("half"), 0600, &err), &err);
	must(spool_look(&s, dir, &err), &err);
	CHECK_EQ(s.count, 0);
	CHECK(access(leftover, F_OK) == 0);
	spool_done(&s);
	must(spool_look(&s, absent, &err), &err);
	CHECK_EQ(s.count, 0);
	CHECK(access(absent, F_OK) < 0);
	spool_done(&s);
	must(spool_open(&s, dir, &err), &err);
	CHECK(access(leftover, F_OK) < 0);
	spool_done(&s);
}

/* ---- holds ---- */

TEST(a_hold_is_kept_until_its_time_and_can_be_released)
{
	struct hold hold = { .until_s = 1800003600, .who = "alice", .why = "a trial\nuntil: 2020-01-01T00:00:00Z" }, read;
	const char *dir = test_folder();
	struct error err = { 0 };

	CHECK_EQ(hold_read(&read, dir, 1800000000, &err), HOLD_NONE);
	must(hold_write(&hold, dir, &err), &err);
	CHECK_EQ(hold_read(&read, dir, 1800000000, &err), 0);
	CHECK_EQ(read.until_s, 1800003600);
	CHECK_STR(read.who, "alice");
	CHECK_STR(read.why, "a trial?until: 2020-01-01T00:00:00Z"); /* one line, whatever it says */
	CHECK_EQ(hold_read(&read, dir, 1800003600, &err), HOLD_NONE);
	must(hold_release(dir, &err), &err);
	CHECK_EQ(hold_read(&read, dir, 1800000000, &err), HOLD_NONE);
	must(hold_release(dir, &err), &err);
}

TEST(a_hold_that_cannot_be_understood_holds)
{
	static const char *const texts[] = {
		"", "nonsense", "until: \n", "until: tomorrow\n", "until: 2026-13-01T00:00:00Z\n", "who: alice\n", "\xff\xfe\n"
	};
	const char *dir = test_folder();
	_cleanup_(mem_freep) char *path = mem_printf("%s/hold", dir);
	_cleanup_(buf_done) struct buf huge = { 0 };
	struct error err = { 0 };
	struct hold read;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		must(fs_write(path, bytes_str(texts[i]), 0600, &err), &err);
		CHECK_EQ(hold_read(&read, dir, 1800000000, &err), 0);
		CHECK(read.until_s > 1800000000);
	}
	buf_extend(&huge, 100000);
	must(fs_write(path, buf_bytes(&huge), 0600, &err), &err);
	CHECK_EQ(hold_read(&read, dir, 1800000000, &err), 0);
}

TEST(times_to_hold_have_one_unit_and_a_bound)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = {
		{ "90s", 90 }, { "30m", 1800 }, { "2h", 7200 }, { "30d", 2592000 }, { "31d", 0 }, { "2592001s", 0 },
		{ "0s", 0 },   { "5", 0 },      { "h", 0 },     { "", 0 },          { "-5m", 0 }, { "1.5h", 0 },
		{ "5 m", 0 },  { "05m", 0 },    { "5mm", 0 },   { "99999999s", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_EQ(hold_duration(cases[i].text), cases[i].seconds);
}
