/* cli/keys.c -- an operator's keys. */
#include "cli/keys.h"

#include "base/clock.h"
#include "base/fs.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/passphrase.h"
#include "cli/sign.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCRYPT_WORK = 18 /* as age itself */ };

const char *const key_files[KEY_FILES] = { "signing.key", "signing.key.pub", "reading.key" };

static char *path_in(const char *dir, const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

char *keys_signing(const char *dir)
{
	char *path = path_in(dir, "signing.key");

	if (access(path, F_OK) == 0)
		return path;
	free(path);
	return path_in(dir, "signing.key.pub");
}

/* ---- making ---- */

static int borrow_key(const char *dir, const char *own, struct error *err)
{
	_cleanup_(mem_freep) char *key = path_in(dir, "signing.key"), *pub = path_in(dir, "signing.key.pub"), *real = realpath(own, NULL);
	char text[SIGN_PUB_TEXT_MAX + 2];
	struct sign_pub parsed;
	size_t len = strlen(own);
	int r;

	if (!real)
		return error_sys(err, "key '%s'", own);
	r = sign_public(&parsed, own, err);
	if (r < 0)
		return r;
	sign_pub_text(text, &parsed);
	strcat(text, "\n");
	r = fs_write(pub, bytes_str(text), 0600, err);
	if (r == 0 && (len < 4 || strcmp(own + len - 4, ".pub") != 0) && symlink(real, key) < 0)
		r = error_sys(err, "cannot make link '%s'", key);
	return r;
}

static int make_signing_key(const char *dir, const char *own, bool ask, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_in(dir, "signing.key");

	if (own)
		return borrow_key(dir, own, err);
	if (ask)
		output_note("Your signing key: ssh-keygen asks for a passphrase.");
	return sign_make_key(path, ask, err);
}

static int lock_reading_key(struct buf *out, struct bytes plain, struct error *err)
{
	_cleanup_(secret_done) struct secret passphrase = { 0 };
	int r = passphrase_choose(&passphrase, "your reading key", err);

	return r < 0 ? r : age_seal_passphrase(out, secret_bytes(&passphrase), SCRYPT_WORK, plain, err);
}

/* As age-keygen writes it, so that age reads it. */
static int make_reading_key(struct age_recipient *reader, const char *dir, bool ask, struct error *err)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	_cleanup_(buf_done) struct buf plain = { 0 }, locked = { 0 };
	_cleanup_(mem_freep) char *path = path_in(dir, "reading.key");
	char created[CLOCK_TEXT_LEN], recipient[AGE_RECIPIENT_LEN + 1];
	int r = 0;

	age_identity_new(&id);
	*reader = id.pub;
	clock_text(created, clock_now_s());
	age_recipient_text(recipient, &id.pub);
	buf_addf(&plain, "# created: %s\n# public key: %s\n", created, recipient);
	age_identity_text(&plain, &id);
	buf_add_char(&plain, '\n');
	if (ask)
		r = lock_reading_key(&locked, buf_bytes(&plain), err);
	return r < 0 ? r : fs_write(path, buf_bytes(ask ? &locked : &plain), 0600, err);
}

/* ssh-keygen leaves its files to the system's mercy; a fleet shall not rest on them. */
static int sync_keys(const char *dir, struct error *err)
{
	for (size_t i = 0; i < KEY_FILES; i++) {
		_cleanup_(mem_freep) char *path = path_in(dir, key_files[i]);
		_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

		if (fd >= 0 && fsync(fd) < 0)
			return error_sys(err, "cannot sync '%s'", path);
	}
	return fs_sync_dir(dir, err);
}

int keys_make(struct keys *out, const char *dir, const char *own, bool ask, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_in(dir, "signing.key");
	int r = make_signing_key(dir, own, ask, err);

	if (r == 0)
		r = make_reading_key(&out->reader, dir, ask, err);
	if (r == 0)
		r = sign_public(&out->signer, path, err);
	return r < 0 ? r : sync_keys(dir, err);
}

/* ---- places ---- */

int keys_check_place(const char *dir, struct error *err)
{
	for (size_t i = 0; i < KEY_FILES; i++) {
		_cleanup_(mem_freep) char *path = path_in(dir, key_files[i]);
		struct stat st;

		if (lstat(path, &st) == 0)
			return error_set(err, CLI_CONFLICT,
					 "there is '%s' already: nothing was changed; move it away, or name another folder with --home",
					 path);
	}
	return 0;
}

int keys_move(const char *from, const char *to, struct error *err)
{
	for (size_t i = 0; i < KEY_FILES; i++) {
		_cleanup_(mem_freep) char *old = path_in(from, key_files[i]), *new = path_in(to, key_files[i]);

		if (rename(old, new) < 0 && errno != ENOENT)
			return error_sys(err, "cannot move '%s' to '%s'", old, new);
	}
	return fs_sync_dir(to, err);
}

static bool is_ours(const char *name, const char *also)
{
	for (size_t i = 0; i < KEY_FILES; i++)
		if (!strncmp(name, key_files[i], strlen(key_files[i])))
			return true;
	return !strncmp(name, also, strlen(also));
}

void keys_sweep(const char *dir, const char *also)
{
	DIR *d = opendir(dir);
	const struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (is_ours(entry->d_name, also))
			unlinkat(dirfd(d), entry->d_name, 0);
	if (d)
		closedir(d);
	rmdir(dir); /* fails, and should, when anything else is in it */
}
