/* agent/line-child.c -- a program on a pseudo terminal: OpenSSH's ssh, in the first place. */
#include "agent/line-parts.h"

#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* SSH_ROWS: pagers hold the output back after so many lines; SSH_COLUMNS: no command of ours is broken. */
enum { SSH_ROWS = 200, SSH_COLUMNS = 500, END_MS = 500 };

struct child_line {
	struct fd_line fd; /* first */
	pid_t pid;
};

static _Noreturn void run(const char *const argv[], const char *terminal, pid_t parent)
{
	static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=vt100", "LC_ALL=C", "HOME=/", NULL };
	sigset_t none;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127); /* gone before it could be tied to us */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	fd = open(terminal, O_RDWR); /* becomes the controlling terminal, since the new session has none */
	if (fd < 0 || dup2(fd, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(127);
	close_range(3, ~0U, 0);
	execvpe(argv[0], (char *const *)argv, (char *const *)environment);
	_exit(127);
}

/* Ends it, and waits: first politely, since ssh closes its session then. */
static struct line *child_free(struct line *line)
{
	struct child_line *child = (struct child_line *)line;
	uint64_t until_ms = clock_mono_ms() + END_MS;
	pid_t r = 0;

	fd_closep(&child->fd.fd); /* it is hung up */
	while ((r = waitpid(child->pid, NULL, WNOHANG)) == 0 && clock_mono_ms() < until_ms)
		poll(NULL, 0, 5);
	if (r == 0) {
		kill(-child->pid, SIGKILL);
		kill(child->pid, SIGKILL);
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	free(child);
	return NULL;
}

static bool child_hides(const struct line *line)
{
	struct termios t;

	return tcgetattr(((const struct child_line *)line)->fd.fd, &t) == 0 && !(t.c_lflag & ECHO);
}

static const struct line_kind child_kind = { "program", fd_line_op_read, fd_line_op_write, fd_line_now_ms, child_free, child_hides };

static int open_terminal(char *name, size_t size, unsigned rows, unsigned columns, struct error *err)
{
	_cleanup_(fd_closep) int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	struct winsize window = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };
	int result;

	if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0 || ptsname_r(fd, name, size) || ioctl(fd, TIOCSWINSZ, &window) < 0)
		return error_sys(err, "cannot make a pseudo terminal");
	result = fd;
	fd = -1;
	return result;
}

int line_open_child(struct line **out, const char *const argv[], unsigned rows, unsigned columns, struct error *err)
{
	char terminal[64];
	_cleanup_(fd_closep) int fd = open_terminal(terminal, sizeof(terminal), rows, columns, err);
	struct child_line *line;
	pid_t pid, parent = getpid();

	if (fd < 0)
		return err->code;
	pid = fork();
	if (pid < 0)
		return error_sys(err, "cannot start '%s'", argv[0]);
	if (!pid)
		run(argv, terminal, parent);
	line = mem_alloc(sizeof(*line));
	line->fd.base.kind = &child_kind;
	line->fd.fd = fd;
	line->pid = pid;
	fd = -1;
	*out = &line->fd.base;
	return 0;
}

/* ---- ssh ---- */

/* What ssh must not do, whatever files this machine has. */
static const char *const ssh_options[] = {
	"UserKnownHostsFile=%s", /* filled in */
	"GlobalKnownHostsFile=/dev/null",
	"StrictHostKeyChecking=yes",
	"UpdateHostKeys=no",
	"CheckHostIP=no",
	"VerifyHostKeyDNS=no",
	"IdentitiesOnly=yes",
	"IdentityAgent=none",
	"ForwardAgent=no",
	"ForwardX11=no",
	"ClearAllForwardings=yes",
	"PermitLocalCommand=no",
	"ControlMaster=no",
	"ControlPath=none",
	"ProxyCommand=none",
	"EscapeChar=none",
	"NumberOfPasswordPrompts=1",
	"ServerAliveInterval=10",
	"ServerAliveCountMax=3",
	"LogLevel=ERROR",
};

static void free_options(char *(*options)[ARRAY_SIZE(ssh_options) + 4])
{
	for (size_t i = 0; i < ARRAY_SIZE(*options); i++)
		free((*options)[i]);
}

/* A path with blanks or % would be read otherwise than meant, in a list of options and in a known hosts file. */
static int check_word(const char *what, const char *word, struct error *err)
{
	if (!word || !word[0] || word[0] == '-' || strlen(word) > 1024 || strpbrk(word, " \t\r\n\"'\\%,"))
		return error_set(err, E_FORMAT, "%s '%.100s' is nothing that ssh can be given", what, word ? word : "");
	return 0;
}

static int check_ssh(const struct line_ssh *ssh, struct error *err)
{
	if (check_word("address", ssh->address, err) < 0 || check_word("user", ssh->user, err) < 0 ||
	    check_word("known hosts file", ssh->known_hosts, err) < 0)
		return err->code;
	if (ssh->host_alias && check_word("host key name", ssh->host_alias, err) < 0)
		return err->code;
	if (ssh->identity && check_word("private key file", ssh->identity, err) < 0)
		return err->code;
	if (access(ssh->known_hosts, R_OK) < 0) /* without it every key is unknown; say so before anybody is asked */
		return error_sys(err, "cannot read '%s', which pins the device's key", ssh->known_hosts);
	return ssh->port && ssh->port <= 65535 ? 0 : error_set(err, E_FORMAT, "%u is no port", ssh->port);
}

int line_open_ssh(struct line **out, const struct line_ssh *ssh, struct error *err)
{
	_cleanup_(free_options) char *options[ARRAY_SIZE(ssh_options) + 4] = { NULL };
	const char *argv[2 * ARRAY_SIZE(options) + 16];
	char port[16];
	size_t n = 0, count = 0;

	if (check_ssh(ssh, err) < 0)
		return err->code;
	options[count++] = mem_printf("UserKnownHostsFile=%s", ssh->known_hosts);
	for (size_t i = 1; i < ARRAY_SIZE(ssh_options); i++)
		options[count++] = mem_strdup(ssh_options[i]);
	options[count++] = mem_printf("ConnectTimeout=%u", (ssh->timeout_ms + 999) / 1000);
	options[count++] = mem_strdup(ssh->identity ? "PreferredAuthentications=publickey" :
						      "PreferredAuthentications=keyboard-interactive,password");
	options[count++] = ssh->identity ? mem_printf("IdentityFile=%s", ssh->identity) : mem_strdup("PubkeyAuthentication=no");
	if (ssh->host_alias)
		options[count++] = mem_printf("HostKeyAlias=%s", ssh->host_alias);
	snprintf(port, sizeof(port), "%u", ssh->port);
	argv[n++] = "ssh";
	argv[n++] = "-tt";
	argv[n++] = "-F";
	argv[n++] = "none";
	for (size_t i = 0; i < count; i++) {
		argv[n++] = "-o";
		argv[n++] = options[i];
	}
	argv[n++] = "-p";
	argv[n++] = port;
	argv[n++] = "-l";
	argv[n++] = ssh->user;
	argv[n++] = "--";
	argv[n++] = ssh->address;
	argv[n] = NULL;
	return line_open_child(out, argv, SSH_ROWS, SSH_COLUMNS, err);
}
