/* agent/trace.c -- a piece of work in a child of its own, held or cut off from outside. */
#include "agent/trace.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HELD_MAX = 64, WAIT_MS = 2 };

/* Steps that change a file, or that another program sees. */
static const long steps[] = {
	SYS_write,     SYS_writev,   SYS_pwrite64, SYS_sendto,    SYS_sendmsg, SYS_fsync,    SYS_fdatasync, SYS_ftruncate, SYS_renameat,
	SYS_renameat2, SYS_unlinkat, SYS_linkat,   SYS_symlinkat, SYS_fchmod,  SYS_fchmodat, SYS_fchown,    SYS_fchownat,  SYS_fsetxattr,
#ifdef SYS_rename /* newer architectures have the *at calls only */
	SYS_rename,    SYS_unlink,   SYS_link,     SYS_symlink,   SYS_chmod,   SYS_chown,    SYS_lchown,
#endif
};

struct trace {
	pid_t pid;
	int go[2], answer[2];
	unsigned held, left; /* left: steps until the cut; 0: none is wanted */
	pid_t pids[HELD_MAX];
	bool is_over, is_cut;
};

static void close_all(struct trace *t)
{
	for (int i = 0; i < 2; i++) {
		fd_closep(&t->go[i]);
		fd_closep(&t->answer[i]);
	}
}

static _Noreturn void child(struct trace *t, const struct trace_work *work)
{
	struct error err = { 0 };
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd_closep(&t->go[1]);
	while (read(t->go[0], &c, 1) < 0 && errno == EINTR)
		;
	err.code = work->run(work->ctx, &err);
	(void)!write(t->answer[1], &err, sizeof(err)); /* below PIPE_BUF: whole, or not at all */
	_exit(0);
}

static int begin(struct trace *t, const struct trace_work *work, long options, struct error *err)
{
	if (pipe2(t->go, O_CLOEXEC) < 0 || pipe2(t->answer, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_sys(err, "cannot make a pipe");
	fflush(NULL);
	t->pid = fork();
	if (t->pid < 0)
		return error_sys(err, "cannot fork");
	if (!t->pid)
		child(t, work);
	if (ptrace(PTRACE_SEIZE, t->pid, NULL, options | PTRACE_O_EXITKILL) < 0) {
		error_sys(err, "cannot trace a process");
		kill(t->pid, SIGKILL);
		waitpid(t->pid, NULL, 0);
		return err->code;
	}
	if (t->left && ptrace(PTRACE_INTERRUPT, t->pid, NULL, NULL) < 0)
		return error_sys(err, "cannot trace a process");
	fd_closep(&t->go[0]);
	(void)!write(t->go[1], "", 1);
	return 0;
}

/* Is the call that it is about to make the one before which it ends? */
static bool is_last_step(struct trace *t)
{
	struct __ptrace_syscall_info info = { 0 };

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof(info), &info) <= 0 || info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if ((long)info.entry.nr == steps[i])
			return --t->left == 0;
	return false;
}

static void main_stopped(struct trace *t, int status)
{
	bool is_call = WSTOPSIG(status) == (SIGTRAP | 0x80), is_event = status >> 16;

	if (t->left && is_call && is_last_step(t)) {
		t->is_cut = true;
		kill(t->pid, SIGKILL);
		return;
	}
	(void)ptrace(t->left ? PTRACE_SYSCALL : PTRACE_CONT, t->pid, NULL, is_call || is_event ? 0 : (void *)(long)WSTOPSIG(status));
}

/* It was ended by whoever started it, and its number may be another's soon. */
static void forget(struct trace *t, pid_t pid)
{
	for (unsigned i = 0; i < t->held; i++)
		if (t->pids[i] == pid)
			t->pids[i] = 0;
}

static void take(struct trace *t, pid_t pid, int status)
{
	bool is_end = WIFEXITED(status) || WIFSIGNALED(status);

	if (pid == t->pid && is_end) {
		t->is_over = true;
	} else if (pid == t->pid) {
		main_stopped(t, status);
	} else if (is_end) {
		forget(t, pid);
	} else if (t->held < HELD_MAX) {
		t->pids[t->held++] = pid; /* stopped, and it stays so */
	}
}

/* What it started ends with it. */
static void end(struct trace *t)
{
	if (!t->is_over) {
		kill(t->pid, SIGKILL);
		while (waitpid(t->pid, NULL, __WALL) < 0 && errno == EINTR)
			;
	}
	for (unsigned i = 0; i < t->held; i++) {
		if (!t->pids[i])
			continue;
		kill(t->pids[i], SIGKILL);
		while (waitpid(t->pids[i], NULL, __WALL) < 0 && errno == EINTR)
			;
	}
}

static void follow(struct trace *t, uint64_t deadline)
{
	while (!t->is_over && clock_mono_ms() < deadline) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL | WNOHANG);

		if (pid > 0)
			take(t, pid, status);
		else
			poll(NULL, 0, WAIT_MS);
	}
}

static int answer(struct trace *t, struct error *err)
{
	struct error said;

	if (t->is_cut)
		return TRACE_CUT;
	if (read(t->answer[0], &said, sizeof(said)) != sizeof(said))
		return t->is_over ? error_set(err, E_PEER, "it ended without an answer") :
				    error_set(err, E_LIMIT, "it did not end in time");
	*err = said;
	return said.code;
}

static int run(struct trace *t, const struct trace_work *work, long options, unsigned timeout_ms, struct error *err)
{
	int r = begin(t, work, options, err);

	if (r == 0) {
		follow(t, clock_mono_ms() + timeout_ms);
		end(t);
		r = answer(t, err);
	}
	close_all(t);
	return r;
}

int trace_held(const struct trace_work *work, unsigned timeout_ms, unsigned *held, struct error *err)
{
	struct trace t = { .go = { -1, -1 }, .answer = { -1, -1 } };
	int r = run(&t, work, PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE, timeout_ms, err);

	*held = t.held;
	return r;
}

int trace_count(const struct trace_work *work, unsigned timeout_ms, unsigned *count, struct error *err)
{
	struct trace t = { .go = { -1, -1 }, .answer = { -1, -1 }, .left = UINT_MAX };
	int r = run(&t, work, PTRACE_O_TRACESYSGOOD, timeout_ms, err);

	*count = UINT_MAX - t.left;
	*count -= *count > 0; /* the last one gave its answer to us */
	return r;
}

int trace_cut(const struct trace_work *work, unsigned timeout_ms, unsigned n, struct error *err)
{
	struct trace t = { .go = { -1, -1 }, .answer = { -1, -1 }, .left = n };

	return run(&t, work, PTRACE_O_TRACESYSGOOD, timeout_ms, err);
}
