/* tests/unit/test-faults-waiting.c -- what a full disk and a disk that fails once leave while rows of the index wait, at each step. */
#include "tests/test.h"
#include "tests/unit/arrival.h"
#include "tests/unit/disk.h"

#include <errno.h>
#include <stdio.h>

enum { PAIRS = 3 };

static void join(struct world *w, struct fleet_device *device)
{
	struct buf posts[3] = { { 0 } };

	fleet_device_init(device, "r1");
	fleet_enrol(&posts[0], &w->fleet, device, w->secret);
	fleet_admit(&posts[1], &w->fleet, device);
	fleet_epoch(&posts[2], &w->fleet, device);
	CHECK_EQ(post_until_refused(w, posts, 3, 0, 0), 3);
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
		taken = post_until_refused(&w, posts, PAIRS, 0, refusal);
		if (repo_flush(w.repo, &err) < 0 && err.sys != refusal)
			fail_msg("step %ld: %s", n, err.text);
		check_head(&w, &w.device, before + (taken + 1) / 2);
		if (taken == PAIRS)
			taken = post_until_refused(&w, posts, 2 * PAIRS, taken, refusal);
		check_head(&w, &w.device, before + (taken + 1) / 2);
		if (repo_flush(w.repo, &err) < 0 && err.sys != refusal)
			fail_msg("step %ld: %s", n, err.text);
		steps = disk_ok();
		CHECK_OK(repo_flush(w.repo, &err));
		CHECK_EQ(post_until_refused(&w, posts, 2 * PAIRS, taken, refusal), 2 * PAIRS);
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
