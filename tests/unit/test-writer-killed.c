/* tests/unit/test-writer-killed.c -- what a stop of the writer leaves, at each step: nothing acknowledged is lost. */
#include "tests/test.h"
#include "tests/unit/arrival.h"
#include "tests/unit/disk.h"

#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* It forks for each step: memory that the sanitizer keeps from use would be copied each time, and there are 256 MiB of it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=1";
}

/* A child opens the archive, posts the row and packs it; at the nth step it is killed. Returns how much was acknowledged; *dead: it was. */
static size_t killed_at(struct world *w, struct arrival *a, long n, bool *dead)
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
		for (i = 0; i < ARRIVAL; i++) {
			int r = repo_submit_wait(repo, buf_bytes(&a->posts[i]), &err);

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
		struct arrival a;
		size_t taken, more = 0;
		bool again;

		arrival_init(&a, &w, n);
		taken = killed_at(&w, &a, n, &dead);
		if (n % 3 == 0)
			more = killed_at(&w, &a, n / 3, &again); /* once more, while it recovers or soon afterwards */
		taken = more > taken ? more : taken;
		CHECK_OK(repo_open(&w.repo, w.dir, &w.fleet.archive, 0, &err));
		for (size_t i = 0; i < taken; i++)
			CHECK_EQ(repo_submit_wait(w.repo, buf_bytes(&a.posts[i]), &err), REPO_SEEN);
		CHECK_EQ(arrival_post(&w, &a, taken, 0), ARRIVAL); /* what was not acknowledged is seen, or taken now */
		CHECK_OK(repo_flush(w.repo, &err));
		arrival_check(&w, &a);
		if (n % 10 == 0)
			check_git(&w);
		w.repo = repo_close(w.repo);
		arrival_done(&a);
	}
	check_shell(w.dir, "! ls | grep tmp-"); /* nothing half written piles up beside the index */
	printf("figure: killed at %ld steps\n", n - 1);
	world_done(&w);
}
