/* tests/unit/test-faults.c -- what a full disk, a disk that fails once, and a stop leave, at each step: nothing acknowledged is lost. */
#include "tests/orders.h"
#include "tests/unit/archive.h"

#include "tests/test.h"
#include "tests/unit/disk.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUND = 11 };

/* It forks for each step: memory that the sanitizer keeps from use would be copied each time, and there are 256 MiB of it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=16";
}

/* ---- a device's whole way in, as a row of containers ---- */

struct row {
	struct fleet_device device;
	struct buf posts[ROUND];
	struct orders_batch batch; /* one order, for this device */
};

static void row_init(struct row *row, struct world *w, long n)
{
	uint8_t secret[32];
	char name[32];

	*row = (struct row){ 0 };
	snprintf(name, sizeof(name), "n%ld", n);
	randombytes_buf(secret, sizeof(secret));
	fleet_device_init(&row->device, name);
	if (n < ROOT_CHAIN_MAX - 2)
		fleet_next_root(&w->fleet);
	buf_add_bytes(&row->posts[0], buf_bytes(&w->fleet.root));
	fleet_invite(&row->posts[1], &w->fleet, name, secret);
	fleet_enrol(&row->posts[2], &w->fleet, &row->device, secret);
	fleet_admit(&row->posts[3], &w->fleet, &row->device);
	fleet_epoch(&row->posts[4], &w->fleet, &row->device);
	fleet_snapshot(&row->posts[5], &w->fleet, &row->device, "hostname n\n", "x\n");
	fleet_snapshot(&row->posts[6], &w->fleet, &row->device, "hostname m\n", "x\n");
	orders_batch_make(&row->batch, &w->fleet, (struct fleet_device *[]){ &row->device }, 1, &(struct orders_plan){ 0 });
	buf_add_bytes(&row->posts[7], buf_bytes(&row->batch.whole));
	buf_add_bytes(&row->posts[8], buf_bytes(&row->batch.orders[0]));
	orders_control(&row->posts[9], &w->fleet, &row->batch, "approve", "alice", &w->fleet.operator, NULL);
	orders_receipt(&row->posts[10], &w->fleet, &row->device, &row->batch, 0, "healthy", NULL);
}

static void row_done(struct row *row)
{
	for (size_t i = 0; i < ROUND; i++)
		buf_done(&row->posts[i]);
	orders_batch_done(&row->batch);
	fleet_device_done(&row->device);
}

static void check_row(struct world *w, struct row *row)
{
	_cleanup_(buf_done) struct buf controls = { 0 }, order = { 0 };
	struct repo_batch counts;
	struct repo_device device;
	struct error err = { 0 };

	CHECK_OK(repo_device_get(&device, w->repo, row->device.id, &err));
	CHECK_EQ(device.head_number, row->device.number);
	CHECK(device.admitted);
	CHECK_EQ(device.forks, 0);
	CHECK_OK(repo_batch(&counts, NULL, &controls, w->repo, row->batch.id, &err));
	CHECK_EQ(counts.orders, 1);
	CHECK_EQ(counts.waves[0].answered, 1);
	CHECK_STR(buf_text(&controls), buf_text(&row->posts[9]));
	CHECK_OK(repo_order(&order, w->repo, row->batch.id, row->device.id, true, &err)); /* with what it brings */
	CHECK(bytes_equal(buf_bytes(&order), buf_bytes(&row->posts[8])));
}

/* ---- a disk that refuses ---- */

/* Posts until something is refused: how many were taken. A refusal must say that it was the disk's. */
static size_t post_all(struct world *w, const struct buf *posts, size_t count, size_t from, int refusal)
{
	for (size_t i = from; i < count; i++) {
		struct error err = { 0 };
		int r = repo_submit_wait(w->repo, buf_bytes(&posts[i]), &err);

		if (r < 0) {
			if (err.sys != refusal)
				fail_msg("post %zu: %s", i, err.text);
			return i;
		}
		CHECK(r == 0 || r == REPO_SEEN);
	}
	return count;
}

static size_t post_row(struct world *w, struct row *row, size_t from, int refusal)
{
	return post_all(w, row->posts, ROUND, from, refusal);
}

/* With the disk refusing as told: whatever is answered, all is well once it takes writes again, without a restart, and after one. */
static void survive(void (*tell)(long n, int error), int refusal)
{
	struct world w;
	long steps = 1;

	disk_ok();
	world_init(&w);
	for (long n = 0; n < steps; n++) {
		struct error err = { 0 };
		struct row row;
		size_t taken;

		CHECK_OK(repo_flush(w.repo, &err));
		row_init(&row, &w, n);
		tell(n, refusal);
		taken = post_row(&w, &row, 0, refusal);
		if (repo_flush(w.repo, &err) < 0 && err.sys != refusal)
			fail_msg("step %ld: %s", n, err.text);
		steps = disk_ok();
		CHECK_OK(repo_flush(w.repo,
				    &err)); /* an index that is behind takes nothing until it has caught up, 5 s later or when asked */
		CHECK_EQ(post_row(&w, &row, taken, refusal), ROUND);
		CHECK_OK(repo_flush(w.repo, &err));
		check_row(&w, &row);
		if (n % 10 == 0)
			check_git(&w);
		if (n % 5 == 0)
			world_reopen(&w);
		check_row(&w, &row);
		row_done(&row);
	}
	printf("figure: %ld steps refused\n", steps - 1);
	check_git(&w);
	world_done(&w);
}

TEST(a_disk_that_is_full_from_any_step_on_loses_nothing)
{
	survive(disk_refuse_from, ENOSPC);
}

TEST(a_disk_that_fails_once_at_any_step_loses_nothing)
{
	survive(disk_refuse_once, EIO);
}

/* ---- a disk that refuses while rows wait ---- */

enum { PAIRS = 3 };

static void join(struct world *w, struct fleet_device *device)
{
	struct buf posts[3] = { { 0 } };

	fleet_device_init(device, "r1");
	fleet_enrol(&posts[0], &w->fleet, device, w->secret);
	fleet_admit(&posts[1], &w->fleet, device);
	fleet_epoch(&posts[2], &w->fleet, device);
	CHECK_EQ(post_all(w, posts, 3, 0, 0), 3);
	for (int i = 0; i < 3; i++)
		buf_done(&posts[i]);
}

/* Who asks is told of all that was acknowledged, or nothing. */
static void check_head(struct world *w, const struct fleet_device *device, uint64_t head)
{
	struct repo_device said;
	struct error err = { 0 };

	if (repo_device_get(&said, w->repo, device->id, &err) == 0)
		CHECK_EQ(said.head_number, head);
	else
		CHECK_EQ(err.code, E_SYS);
}

static void survive_waiting(void (*tell)(long n, int error), int refusal)
{
	struct fleet_device other;
	struct world w;
	long steps = 1;

	disk_ok();
	world_init(&w);
	join(&w, &other);
	for (long n = 0; n < steps; n++) {
		struct buf posts[2 * PAIRS] = { { 0 } };
		struct error err = { 0 };
		uint64_t before = w.device.number;
		size_t taken;

		CHECK_OK(repo_flush(w.repo, &err));
		for (size_t i = 0; i < PAIRS; i++) {
			make_snapshot(&w, &posts[2 * i]);
			fleet_snapshot(&posts[2 * i + 1], &w.fleet, &other, "hostname z\n", "x\n");
		}
		tell(n, refusal);
		taken = post_all(&w, posts, PAIRS, 0, refusal);
		if (repo_flush(w.repo, &err) < 0 && err.sys != refusal)
			fail_msg("step %ld: %s", n, err.text);
		check_head(&w, &w.device, before + (taken + 1) / 2);
		if (taken == PAIRS)
			taken = post_all(&w, posts, 2 * PAIRS, taken, refusal);
		check_head(&w, &w.device, before + (taken + 1) / 2);
		if (repo_flush(w.repo, &err) < 0 && err.sys != refusal)
			fail_msg("step %ld: %s", n, err.text);
		steps = disk_ok();
		CHECK_OK(repo_flush(w.repo, &err));
		CHECK_EQ(post_all(&w, posts, 2 * PAIRS, taken, refusal), 2 * PAIRS);
		CHECK_OK(repo_flush(w.repo, &err));
		check_log(&w, w.device.number);
		if (n % 10 == 0)
			check_git(&w);
		if (n % 5 == 0)
			world_reopen(&w);
		check_head(&w, &w.device, w.device.number);
		check_head(&w, &other, other.number);
		for (size_t i = 0; i < 2 * PAIRS; i++)
			buf_done(&posts[i]);
	}
	printf("figure: %ld steps refused\n", steps - 1);
	check_git(&w);
	fleet_device_done(&other);
	world_done(&w);
}

TEST(a_disk_that_is_full_while_rows_wait_loses_nothing_and_hides_nothing)
{
	survive_waiting(disk_refuse_from, ENOSPC);
}

TEST(a_disk_that_fails_once_while_rows_wait_loses_nothing_and_hides_nothing)
{
	survive_waiting(disk_refuse_once, EIO);
}

/* ---- a stop ---- */

/* A child opens the archive, posts the row and packs it; at the nth step it is killed. Returns how much was acknowledged; *dead: it was. */
static size_t killed_at(struct world *w, struct row *row, long n, bool *dead)
{
	size_t taken = 0, i;
	int fds[2], status;
	pid_t pid;

	CHECK_EQ(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		struct error err = { 0 };
		struct repo *repo;

		disk_die_at(n);
		if (repo_open(&repo, w->dir, &w->fleet.archive, 0, &err) < 0)
			_exit(1);
		for (i = 0; i < ROUND; i++) {
			int r = repo_submit_wait(repo, buf_bytes(&row->posts[i]), &err);

			if (r < 0 || (r > 0 && r != REPO_SEEN))
				_exit(2);
			/* the pipe is no disk, so not by write() */
			if (syscall(SYS_write, fds[1], &i, sizeof(i)) != sizeof(i))
				_exit(3);
		}
		repo_close(repo);
		_exit(0);
	}
	close(fds[1]);
	while (read(fds[0], &i, sizeof(i)) == sizeof(i))
		taken = i + 1;
	close(fds[0]);
	waitpid(pid, &status, 0);
	*dead = WIFSIGNALED(status);
	CHECK(*dead || (WIFEXITED(status) && !WEXITSTATUS(status)));
	return taken;
}

TEST(a_writer_killed_at_any_step_loses_nothing)
{
	bool dead = true;
	struct world w;
	long n;

	world_init(&w);
	w.repo = repo_close(w.repo);
	for (n = 0; dead; n++) {
		struct error err = { 0 };
		struct row row;
		size_t taken, more = 0;
		bool again;

		row_init(&row, &w, n);
		taken = killed_at(&w, &row, n, &dead);
		if (n % 3 == 0)
			more = killed_at(&w, &row, n / 3, &again); /* once more, while it recovers or soon afterwards */
		taken = more > taken ? more : taken;
		CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
		for (size_t i = 0; i < taken; i++)
			CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&row.posts[i]), &err), REPO_SEEN);
		CHECK_EQ(post_row(&w, &row, taken, 0), ROUND); /* what was not acknowledged is seen, or taken now */
		CHECK_OK(repo_flush(w.repo, &err));
		check_row(&w, &row);
		if (n % 10 == 0)
			check_git(&w);
		w.repo = repo_close(w.repo);
		row_done(&row);
	}
	printf("figure: killed at %ld steps\n", n - 1);
	world_done(&w);
}
