/* cli/passphrase.c -- asking for a passphrase on the terminal. */
#include "cli/passphrase.h"

#include "base/fs.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { PASSPHRASE_MAX = 1024, CHOICES = 3 };

static const int deadly[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };

static volatile sig_atomic_t caught; /* the one global: a handler has nothing else to write to */

static void note_signal(int signal)
{
	caught = signal;
}

bool passphrase_can_ask(void)
{
	_cleanup_(fd_closep) int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	return fd >= 0 && (isatty(STDIN_FILENO) || isatty(STDERR_FILENO));
}

/* One line, without its newline. A signal ends it. */
static int read_line(struct secret *line, size_t *len, int fd, struct error *err)
{
	for (*len = 0; *len < line->len; ++*len) {
		ssize_t n = read(fd, line->ptr + *len, 1);

		if (n < 0 && errno == EINTR && !caught) {
			--*len;
			continue;
		}
		if (n < 0)
			return caught ? error_set(err, E_DENIED, "interrupted") : error_sys(err, "cannot read from the terminal");
		if (!n || line->ptr[*len] == '\n')
			return 0;
	}
	return error_set(err, E_LIMIT, "passphrase is longer than %d bytes", PASSPHRASE_MAX);
}

/* Whatever ends it, the terminal shows again what is typed; then the signal takes its course. */
static int read_unseen(struct secret *line, size_t *len, int fd, struct error *err)
{
	struct sigaction old[ARRAY_SIZE(deadly)], note = { .sa_handler = note_signal };
	struct termios shown, hidden;
	int r;

	if (tcgetattr(fd, &shown) < 0)
		return error_sys(err, "cannot look at the terminal");
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	hidden.c_lflag |= ECHONL;
	caught = 0;
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++)
		sigaction(deadly[i], &note, &old[i]);
	tcsetattr(fd, TCSAFLUSH, &hidden);
	r = read_line(line, len, fd, err);
	tcsetattr(fd, TCSAFLUSH, &shown);
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++)
		sigaction(deadly[i], &old[i], NULL);
	if (caught)
		raise(caught);
	return r;
}

int passphrase_ask(struct secret *out, const char *prompt, struct error *err)
{
	_cleanup_(secret_done) struct secret line = { 0 };
	_cleanup_(fd_closep) int fd = -1;
	size_t len = 0;
	int r;

	if (!passphrase_can_ask())
		return error_set(err, E_DENIED, "a passphrase is needed and there is no terminal to ask on");
	fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return error_sys(err, "cannot open the terminal");
	secret_init(&line, PASSPHRASE_MAX);
	r = fd_write_all(fd, bytes_str(prompt), err);
	if (r == 0)
		r = read_unseen(&line, &len, fd, err);
	if (r == 0)
		secret_copy(out, bytes_of(line.ptr, len));
	return r;
}

int passphrase_choose(struct secret *out, const char *what, struct error *err)
{
	_cleanup_(mem_freep) char *first = mem_printf("Passphrase for %s: ", what), *again = mem_printf("The same again: ");

	for (unsigned i = 0; i < CHOICES; i++) {
		_cleanup_(secret_done) struct secret a = { 0 }, b = { 0 };
		int r = passphrase_ask(&a, first, err);

		if (r == 0)
			r = passphrase_ask(&b, again, err);
		if (r < 0)
			return r;
		if (a.len && a.len == b.len && sodium_memcmp(a.ptr, b.ptr, a.len) == 0) {
			secret_copy(out, secret_bytes(&a));
			return 0;
		}
		fputs(a.len ? "These two differ.\n" : "It is empty; for none say --no-passphrase.\n", stderr);
	}
	return error_set(err, E_DENIED, "no passphrase was chosen");
}

int passphrase_confirm(const char *question, struct error *err)
{
	_cleanup_(mem_freep) char *prompt = mem_printf("%s [y/N] ", question);
	_cleanup_(fd_closep) int fd = -1;
	char answer[16];
	ssize_t n;

	if (!passphrase_can_ask())
		return error_set(err, CLI_USAGE, "there is no terminal to ask on: %s Say --yes to answer beforehand", question);
	fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return error_sys(err, "cannot open the terminal");
	if (fd_write_all(fd, bytes_str(prompt), err) < 0)
		return err->code;
	n = read(fd, answer, sizeof(answer)); /* a terminal gives a line at a time */
	if (n > 0 && (answer[0] == 'y' || answer[0] == 'Y'))
		return 0;
	return error_set(err, E_DENIED, "not confirmed; nothing was done");
}
