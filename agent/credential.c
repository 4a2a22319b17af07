/* agent/credential.c -- passwords for devices that have no key to log in with: at rest as age files, sealed to a key of the agent's own. */
#include "agent/credential.h"

#include "base/fs.h"
#include "crypto/age.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

enum { KEY_MAX = 4096, SEALED_MAX = 8192 };

static int load_key(struct age_identity *out, const char *path, struct error *err)
{
	struct secret text = { 0 };
	int r = secret_load(&text, path, KEY_MAX, err);

	if (r == 0)
		r = age_identity_from_file(out, secret_bytes(&text), err);
	secret_done(&text);
	return r < 0 ? error_add(err, "the agent's key '%s'", path) : r;
}

/* The folder of a file, made when it is missing. */
static int make_folder(const char *path, struct error *err)
{
	_cleanup_(mem_freep) char *folder = mem_strdup(path);
	char *slash = strrchr(folder, '/');

	if (!slash || slash == folder)
		return 0;
	*slash = 0;
	return fs_mkdirs(folder, 0700, err);
}

static int make_key(struct age_identity *out, const char *path, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	age_identity_new(out);
	age_identity_text(&text, out);
	buf_add_char(&text, '\n');
	if (make_folder(path, err) < 0)
		return err->code;
	return fs_write(path, buf_bytes(&text), 0600, err);
}

static int check_password(struct bytes password, struct error *err)
{
	if (!password.len || password.len > CREDENTIAL_MAX)
		return error_set(err, E_FORMAT, "a password has 1 to %d characters", CREDENTIAL_MAX);
	for (size_t i = 0; i < password.len; i++)
		if (password.ptr[i] < 0x20 || password.ptr[i] >= 0x7f)
			return error_set(err, E_FORMAT, "a password for a console is printable ASCII");
	return 0;
}

int credential_store(const char *path, const char *key_path, struct bytes password, struct error *err)
{
	_cleanup_(age_identity_done) struct age_identity key = { 0 };
	_cleanup_(buf_done) struct buf sealed = { 0 };
	int r = check_password(password, err);

	if (r == 0)
		r = load_key(&key, key_path, err);
	if (r == FS_ABSENT)
		r = make_key(&key, key_path, err);
	if (r == 0)
		r = age_seal(&sealed, &key.pub, 1, password, err);
	if (r == 0)
		r = make_folder(path, err);
	return r < 0 ? r : fs_write(path, buf_bytes(&sealed), 0600, err);
}

int credential_load(struct secret *out, const char *path, const char *key_path, struct error *err)
{
	_cleanup_(age_identity_done) struct age_identity key = { 0 };
	_cleanup_(buf_done) struct buf sealed = { 0 }, password = { 0 };
	int r = fs_read(&sealed, path, SEALED_MAX, err);

	if (r < 0)
		return r;
	if (r == FS_ABSENT)
		return CREDENTIAL_ABSENT;
	r = load_key(&key, key_path, err);
	if (r == FS_ABSENT)
		return error_set(err, E_SEAL, "'%s' is sealed to a key that is not there: '%s'", path, key_path);
	if (r == 0)
		r = age_open(&password, buf_bytes(&sealed), &key, CREDENTIAL_MAX, err);
	if (r < 0)
		return error_add(err, "the credential '%s'", path);
	secret_copy(out, buf_bytes(&password));
	return 0;
}

/* ---- asking ---- */

/* One line, byte by byte into a buffer that is wiped, so that no stdio buffer keeps it. */
static int read_line(struct buf *out, int fd, struct error *err)
{
	for (;;) {
		char c;
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "cannot read the password");
		if (n == 0 || c == '\n')
			return 0;
		if (out->len > CREDENTIAL_MAX)
			return error_set(err, E_FORMAT, "a password has 1 to %d characters", CREDENTIAL_MAX);
		buf_add_char(out, c);
	}
}

static int ask_once(struct buf *out, int tty, const char *prompt, const char *device, struct error *err)
{
	struct termios before, silent;
	int r;

	if (tcgetattr(tty, &before) < 0)
		return error_sys(err, "cannot switch the echo off");
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	dprintf(tty, "%s '%s': ", prompt, device);
	if (tcsetattr(tty, TCSAFLUSH, &silent) < 0)
		return error_sys(err, "cannot switch the echo off");
	r = read_line(out, tty, err);
	(void)tcsetattr(tty, TCSAFLUSH, &before);
	dprintf(tty, "\n");
	return r;
}

static int ask_twice(struct buf *out, const char *device, struct error *err)
{
	_cleanup_(fd_closep) int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	_cleanup_(buf_done) struct buf again = { 0 };

	if (tty < 0)
		return error_sys(err, "there is no terminal to ask on");
	if (ask_once(out, tty, "Password for", device, err) < 0 || ask_once(&again, tty, "The same again for", device, err) < 0)
		return err->code;
	return bytes_equal(buf_bytes(out), buf_bytes(&again)) ? 0 : error_set(err, E_FORMAT, "the two differ, nothing was stored");
}

int credential_ask(struct secret *out, const char *device, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = isatty(STDIN_FILENO) ? ask_twice(&text, device, err) : read_line(&text, STDIN_FILENO, err);

	if (r < 0)
		return r;
	if (text.len && text.ptr[text.len - 1] == '\r')
		buf_truncate(&text, text.len - 1);
	secret_copy(out, buf_bytes(&text));
	return 0;
}
