/* base/proc.c -- run another program: bounded output, a deadline, no shell. */
#include "base/proc.h"

#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct pipes {
	int in[2], out[2], err[2];
};

static void pipes_done(struct pipes *p)
{
	for (int i = 0; i < 2; i++) {
		fd_closep(&p->in[i]);
		fd_closep(&p->out[i]);
		fd_closep(&p->err[i]);
	}
}

static _Noreturn void child(const struct pipes *p, const char *const argv[], pid_t parent)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127); /* gone before it could be tied to us */
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(p->in[0], 0) < 0 || dup2(p->out[1], 1) < 0 || dup2(p->err[1], 2) < 0)
		_exit(127);
	close_range(3, ~0U, 0);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

/* Moves what is ready; closes what is finished. */
static int pump_one(struct pollfd *pfd, struct buf *out, size_t max, struct error *err)
{
	uint8_t chunk[4096];
	ssize_t n = read(pfd->fd, chunk, sizeof(chunk));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : error_sys(err, "cannot read from it");
	if (n == 0) {
		pfd->fd = -1;
		return 0;
	}
	if (out->len + (size_t)n > max)
		return error_set(err, E_LIMIT, "it wrote more than %zu bytes", max);
	buf_add(out, chunk, (size_t)n);
	explicit_bzero(chunk, (size_t)n);
	return 0;
}

static int pump(struct pipes *p, struct proc_result *result, struct bytes in, uint64_t deadline, size_t max,
		struct error *err)
{
	struct pollfd pfd[3] = { { p->out[0], POLLIN, 0 }, { p->err[0], POLLIN, 0 }, { p->in[1], POLLOUT, 0 } };

	while (pfd[0].fd >= 0 || pfd[1].fd >= 0) {
		uint64_t now = clock_mono_ms();

		if (now >= deadline)
			return error_set(err, E_PEER, "it did not end in time");
		if (pfd[2].fd >= 0 && !in.len) {
			fd_closep(&p->in[1]);
			pfd[2].fd = -1;
		}
		if (poll(pfd, 3, (int)(deadline - now)) < 0 && errno != EINTR)
			return error_sys(err, "cannot wait for it");
		if (pfd[2].fd >= 0 && pfd[2].revents) {
			ssize_t n = write(p->in[1], in.ptr, in.len);

			if (n >= 0)
				in = bytes_from(in, (size_t)n);
			else if (errno != EAGAIN && errno != EINTR)
				in.len = 0; /* it reads no more: not our failure */
		}
		if (pfd[0].fd >= 0 && pfd[0].revents && pump_one(&pfd[0], &result->out, max, err) < 0)
			return err->code;
		if (pfd[1].fd >= 0 && pfd[1].revents && pump_one(&pfd[1], &result->err, max, err) < 0)
			return err->code;
	}
	return 0;
}

/* Waits for the end, until the deadline; then it is killed. */
static int reap(pid_t pid, uint64_t deadline, int *status)
{
	for (;;) {
		pid_t r = waitpid(pid, status, WNOHANG);

		if (r == pid || (r < 0 && errno != EINTR))
			return r == pid;
		if (clock_mono_ms() >= deadline)
			return 0;
		poll(NULL, 0, 2);
	}
}

int proc_run(struct proc_result *result, const char *const argv[], struct bytes in, unsigned timeout_ms, size_t max,
	     struct error *err)
{
	_cleanup_(pipes_done) struct pipes p = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	uint64_t deadline = clock_mono_ms() + timeout_ms;
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	pid_t pid, parent = getpid();
	int status = 0, r;

	*result = (struct proc_result){ 0 };
	if (pipe2(p.in, O_CLOEXEC) < 0 || pipe2(p.out, O_CLOEXEC) < 0 || pipe2(p.err, O_CLOEXEC) < 0)
		return error_sys(err, "cannot make a pipe for '%s'", argv[0]);
	fcntl(p.in[1], F_SETFL, O_NONBLOCK);
	pid = fork();
	if (pid < 0)
		return error_sys(err, "cannot start '%s'", argv[0]);
	if (!pid)
		child(&p, argv, parent);
	setpgid(pid, pid);
	fd_closep(&p.in[0]);
	fd_closep(&p.out[1]);
	fd_closep(&p.err[1]);
	sigaction(SIGPIPE, &ignore, &before);
	r = pump(&p, result, in, deadline, max, err);
	sigaction(SIGPIPE, &before, NULL);
	if (r < 0 || !reap(pid, deadline, &status)) {
		kill(-pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (r == 0)
			r = error_set(err, E_PEER, "it did not end in time");
		return error_add(err, "'%s'", argv[0]);
	}
	result->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (result->status == 127 && !result->out.len)
		return error_set(err, E_SYS, "cannot run '%s': is it installed?", argv[0]);
	return 0;
}

void proc_result_done(struct proc_result *result)
{
	buf_done(&result->out);
	buf_done(&result->err);
}
