/* server/init.c -- `holdfastd init`: the folder of a new server, and the setup string for its first operator.
 *
 * The settings file is written last: a folder without one is an init that was cut short, and may be done again. */
#include "server/init.h"

#include "base/fs.h"
#include "server/server.h"
#include "server/tls.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CLAIM_LEN = 32 };

static int put_file(const char *dir, const char *name, struct bytes in, mode_t mode, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, name);

	return fs_write(path, in, mode, err);
}

static int make_folder(const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *settings = mem_printf("%s/%s", dir, SERVER_SETTINGS_FILE);

	if (access(settings, F_OK) == 0)
		return error_set(err, E_DENIED, "'%s' is a server's folder already: nothing was changed", dir);
	return fs_mkdirs(dir, 0700, err);
}

static int make_archive(struct sign_key *key, const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, SERVER_KEY_FILE);
	struct repo *repo = NULL;
	int r;

	sign_key_new(key);
	r = sign_key_store(key, path, err);
	if (r == 0)
		r = repo_open(&repo, dir, key, REPO_CREATE, err);
	repo_close(repo);
	return r;
}

static int make_tls(uint8_t pin[static HASH_LEN], const struct init_options *options, struct error *err)
{
	_cleanup_(buf_done) struct buf key = { 0 }, cert = { 0 };
	int r = tls_make(&key, &cert, options->addresses, options->address_count, err);

	if (r == 0)
		r = put_file(options->dir, SERVER_TLS_KEY_FILE, buf_bytes(&key), 0600, err);
	if (r == 0)
		r = put_file(options->dir, SERVER_TLS_CERT_FILE, buf_bytes(&cert), 0644, err);
	return r < 0 ? r : tls_pin(pin, buf_bytes(&cert), err);
}

/* Only the hash of the code stays here. */
static int make_claim(struct secret *code, const char *dir, struct error *err)
{
	char hash[2 * HASH_LEN + 2];

	secret_random(code, CLAIM_LEN);
	sha256_hex(hash, secret_bytes(code));
	strcat(hash, "\n");
	return put_file(dir, SERVER_CLAIM_FILE, bytes_str(hash), 0600, err);
}

static int make_settings(const struct init_options *options, struct error *err)
{
	_cleanup_(mem_freep) char *any = mem_printf("[::]%s", strrchr(options->addresses[0], ':'));
	_cleanup_(buf_done) struct buf text = { 0 };

	settings_text(&text, options->addresses, options->address_count, options->listen ? options->listen : any);
	return put_file(options->dir, SERVER_SETTINGS_FILE, buf_bytes(&text), 0644, err);
}

static int give_setup(const struct init_options *options, const uint8_t pin[static HASH_LEN], const struct secret *code,
		      const struct sign_pub *archive, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 }, blob = { 0 };

	sign_pub_blob(&blob, archive);
	buf_add_str(&text, "holdfast-setup:1:");
	base64url_encode(&text, bytes_of(pin, HASH_LEN));
	buf_add_char(&text, ':');
	base64url_encode(&text, secret_bytes(code));
	buf_add_char(&text, ':');
	base64url_encode(&text, buf_bytes(&blob));
	buf_addf(&text, ":%s\n", options->addresses[0]);
	if (options->setup_file)
		return fs_write(options->setup_file, buf_bytes(&text), 0600, err);
	return fd_write_all(STDOUT_FILENO, buf_bytes(&text), err);
}

static int check_addresses(const struct init_options *options, struct error *err)
{
	char host[SETTINGS_ADDRESS_MAX];
	unsigned port;

	for (size_t i = 0; i < options->address_count; i++)
		if (settings_split(host, &port, options->addresses[i], err) < 0)
			return err->code;
	return options->listen ? settings_split(host, &port, options->listen, err) : 0;
}

int init_server(const struct init_options *options, struct error *err)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	_cleanup_(secret_done) struct secret code = { 0 };
	uint8_t pin[HASH_LEN];
	int r;

	umask(077);
	r = check_addresses(options, err);
	if (r == 0)
		r = make_folder(options->dir, err);
	if (r == 0)
		r = make_archive(&key, options->dir, err);
	if (r == 0)
		r = make_tls(pin, options, err);
	if (r == 0)
		r = make_claim(&code, options->dir, err);
	if (r == 0)
		r = give_setup(options, pin, &code, &key.pub, err);
	return r < 0 ? r : make_settings(options, err);
}
