/* cli/sign.c -- operators sign by running ssh-keygen. */
#include "cli/sign.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PUB_FILE_MAX = 16 << 10, SIGNATURE_MAX = 8 << 10 };

/* Not proc_run(): that one takes the child away from the terminal, where a passphrase or a touch is asked for. */
static pid_t start(const char *const argv[], int in, int out, struct error *err)
{
	pid_t pid = fork();

	if (pid < 0)
		return error_sys(err, "cannot start '%s'", argv[0]);
	if (pid)
		return pid;
	signal(SIGPIPE, SIG_DFL);
	if ((in >= 0 && dup2(in, STDIN_FILENO) < 0) || (out >= 0 && dup2(out, STDOUT_FILENO) < 0))
		_exit(127);
	close_range(3, ~0U, 0);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static int wait_for(pid_t pid, const char *program, struct error *err)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_sys(err, "cannot wait for '%s'", program);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return error_set(err, E_SYS, "cannot run '%s'; install the package openssh-client", program);
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : error_set(err, E_PEER, "'%s' failed; it says why above", program);
}

static int run_signer(struct buf *signature, const char *const argv[], struct bytes text, struct error *err)
{
	int in[2], out[2], r;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) < 0)
		return error_sys(err, "cannot make a pipe");
	if (pipe2(out, O_CLOEXEC) < 0) {
		fd_closep(&in[0]);
		fd_closep(&in[1]);
		return error_sys(err, "cannot make a pipe");
	}
	pid = start(argv, in[0], out[1], err);
	fd_closep(&in[0]);
	fd_closep(&out[1]);
	r = pid < 0 ? (int)pid : fd_write_all(in[1], text, err);
	fd_closep(&in[1]);
	if (r == 0)
		r = fd_read_all(signature, out[0], SIGNATURE_MAX, err);
	fd_closep(&out[0]);
	if (pid > 0 && wait_for(pid, argv[0], err) < 0)
		return err->code;
	return r;
}

int sign_statement(struct buf *text, const char *key_path, struct error *err)
{
	_cleanup_(buf_done) struct buf signature = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL;
	const char *argv[] = { "ssh-keygen", "-q", "-Y", "sign", "-n", NULL, "-f", key_path, NULL };
	size_t used = 0;
	int r = statement_check(buf_bytes(text), err);

	if (r == 0)
		r = statement_parse(&st, buf_bytes(text), true, &used, err);
	if (r < 0)
		return r;
	argv[5] = statement_namespace(statement_type(st));
	signal(SIGPIPE, SIG_IGN); /* it may end before it has read all */
	if (run_signer(&signature, argv, buf_bytes(text), err) < 0)
		return error_add(err, "cannot sign with '%s'", key_path);
	buf_add_bytes(text, buf_bytes(&signature));
	return 0;
}

int sign_make_key(const char *path, bool ask, struct error *err)
{
	const char *const quiet[] = { "ssh-keygen", "-q", "-t", "ed25519", "-C", "holdfast", "-f", path, "-N", "", NULL };
	const char *const asking[] = { "ssh-keygen", "-q", "-t", "ed25519", "-C", "holdfast", "-f", path, NULL };
	pid_t pid = start(ask ? asking : quiet, -1, -1, err);

	return pid < 0 ? (int)pid : wait_for(pid, "ssh-keygen", err);
}

int sign_public(struct sign_pub *out, const char *path, struct error *err)
{
	_cleanup_(mem_freep) char *pub = mem_printf("%s.pub", path);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct bytes rest, line;
	int r = fs_read(&text, pub, PUB_FILE_MAX, err);

	if (r == FS_ABSENT)
		r = fs_read(&text, path, PUB_FILE_MAX, err);
	if (r == FS_ABSENT)
		return error_set(err, E_FORMAT, "there is neither '%s' nor '%s'", pub, path);
	rest = buf_bytes(&text);
	if (r < 0)
		return r;
	if (!bytes_next_line(&rest, &line) || sign_pub_parse(out, line, true, err) < 0)
		return error_set(err, E_FORMAT, "no ed25519 public key in '%s.pub' or '%s'; give a key of type ed25519 or ed25519-sk", path,
				 path);
	return 0;
}
