/* tests/unit/test-faults.c -- what a full disk and a disk that fails once leave, at each step: nothing acknowledged is lost. */
#include "tests/test.h"
#include "tests/unit/arrival.h"
#include "tests/unit/disk.h"

#include <errno.h>
#include <stdio.h>

/* With the disk refusing as told: whatever is answered, all is well once it takes writes again, without a restart, and after one. */
static void survive(void (*tell)(long n, int error), int refusal)
{
	struct world w;
	long steps = 1;

	disk_ok();
	world_init(&w);
	for (long n = 0; n < steps; n++) {
		struct error err = { 0 };
		struct arrival a;
		size_t taken;

		CHECK_OK(repo_flush(w.repo, &err));
		arrival_init(&a, &w, n);
		tell(n, refusal);
		taken = arrival_post(&w, &a, 0, refusal);
		if (repo_flush(w.repo, &err) < 0 && err.sys != refusal)
			fail_msg("step %ld: %s", n, err.text);
		steps = disk_ok();
		CHECK_OK(repo_flush(w.repo,
				    &err)); /* an index that is behind takes nothing until it has caught up, 5 s later or when asked */
		CHECK_EQ(arrival_post(&w, &a, taken, refusal), ARRIVAL);
		CHECK_OK(repo_flush(w.repo, &err));
		arrival_check(&w, &a);
		if (n % 10 == 0)
			check_git(&w);
		if (n % 5 == 0)
			world_reopen(&w);
		arrival_check(&w, &a);
		arrival_done(&a);
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
