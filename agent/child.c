/* agent/child.c -- core's children: started, watched, started again. */
#include "agent/child.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHILD_FD = 3, ARGS_MAX = 12, RESTART_MS = 500, RESTART_MAX_MS = 60000, STEADY_MS = 60000 };

static _Noreturn void become(int fd, pid_t parent, const char *const *argv)
{
	char parent_text[24];
	const char *args[ARGS_MAX] = { "holdfast-agent" };
	size_t n = 1;
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(parent_text, sizeof(parent_text), "%d", (int)parent);
	while (*argv && n + 2 < ARGS_MAX)
		args[n++] = *argv++;
	args[n++] = parent_text;
	args[n] = NULL;
	/* dup2() of a descriptor to itself would leave it close-on-exec */
	if (fd == CHILD_FD ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, CHILD_FD) < 0)
		_exit(127);
	close_range(CHILD_FD + 1, ~0U, 0);
	execv("/proc/self/exe", (char *const *)args);
	_exit(127);
}

int child_spawn(pid_t *pid, const char *const *argv, struct error *err)
{
	pid_t parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_sys(err, "cannot make a socketpair");
	*pid = fork();
	if (*pid == 0)
		become(pair[1], parent, argv);
	close(pair[1]);
	if (*pid < 0) {
		close(pair[0]);
		return error_sys(err, "cannot fork");
	}
	return pair[0];
}

void child_dismiss(struct child *child)
{
	if (!child->pid || child->ipc.fd < 0)
		return;
	loop_remove_fd(&child->io);
	ipc_done(&child->ipc);
}

/* True when it has ended by itself. */
static bool has_ended(struct child *child, uint64_t until_ms)
{
	const struct timespec nap = { .tv_nsec = 10 * 1000 * 1000 };

	for (;;) {
		if (waitpid(child->pid, NULL, WNOHANG) == child->pid)
			return true;
		if (clock_mono_ms() >= until_ms)
			return false;
		nanosleep(&nap, NULL);
	}
}

static void reap(struct child *child, uint64_t until_ms)
{
	if (!child->pid)
		return;
	child_dismiss(child);
	if (!has_ended(child, until_ms)) {
		kill(child->pid, SIGKILL);
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	child->pid = 0;
}

void child_stop(struct child *child, uint64_t until_ms)
{
	if (!child->loop)
		return;
	reap(child, until_ms);
	loop_disarm(&child->restart);
}

void child_fail(struct child *child, const char *why)
{
	uint64_t wait = RESTART_MS;

	if (!child->pid)
		return;
	if (clock_mono_ms() - child->started_ms > STEADY_MS)
		child->failures = 0;
	for (unsigned i = 0; i < child->failures && wait < RESTART_MAX_MS; i++)
		wait *= 2;
	child->failures++;
	log_warning("child-lost name=%s pid=%d why=\"%s\" again_ms=%llu", child->name, (int)child->pid, why, (unsigned long long)wait);
	reap(child, 0);
	loop_arm(child->loop, &child->restart, clock_mono_ms() + wait);
	child->lost(child);
}

static void flush(struct child *child)
{
	struct error err = { 0 };
	int r = ipc_flush(&child->ipc, &err);

	if (r < 0)
		child_fail(child, err.text);
	else
		loop_change_fd(&child->io, r == IPC_MORE ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void ready(struct loop_fd *io, uint32_t events)
{
	struct child *child = container_of(io, struct child, io);
	struct error err = { 0 };
	struct ipc_msg msg;
	int r = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		r = ipc_fill(&child->ipc, &err);
		while (r == 0 && child->pid && (r = ipc_next(&child->ipc, &msg, &err)) == 0)
			r = child->took(child, &msg, &err);
	}
	if (!child->pid)
		return; /* what it said made us end it */
	if (r < 0)
		child_fail(child, err.text);
	else if (events & EPOLLOUT)
		flush(child);
}

static void restart(struct loop_timer *timer)
{
	struct child *child = container_of(timer, struct child, restart);
	struct error err = { 0 };

	if (child_start(child, &err) < 0) {
		log_failure(LOG_ERROR, "child-start", &err);
		loop_arm(child->loop, &child->restart, clock_mono_ms() + RESTART_MAX_MS);
	}
}

int child_start(struct child *child, struct error *err)
{
	int fd = child_spawn(&child->pid, child->argv, err);

	if (fd < 0) {
		child->pid = 0;
		return fd;
	}
	ipc_init(&child->ipc, fd);
	child->io.fd = fd;
	child->io.ready = ready;
	child->restart.fire = restart;
	child->started_ms = clock_mono_ms();
	if (loop_add_fd(child->loop, &child->io, EPOLLIN, err) < 0) {
		reap(child, 0);
		return err->code;
	}
	log_info("child-started name=%s pid=%d", child->name, (int)child->pid);
	child->began(child);
	return 0;
}

bool child_send(struct child *child, enum ipc_kind kind, uint32_t id, struct bytes body)
{
	struct error err = { 0 };

	if (!child->pid || child->ipc.fd < 0)
		return false;
	if (ipc_send(&child->ipc, kind, id, body, &err) < 0) {
		child_fail(child, err.text);
		return false;
	}
	flush(child);
	return child->pid != 0;
}
