/* cli/cmd-firmware-import.c -- holdfast firmware import: somebody says with a signature what an image is, and it goes to the server. */
#include "cli/commands.h"

#include "base/clock.h"
#include "base/fs.h"
#include "cli/api.h"
#include "cli/firmware.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/passphrase.h"
#include "cli/sign.h"
#include "policies/form.h"
#include "policies/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 20, UPLOAD_TRIES = 5, UPLOAD_WAIT_MS = 2000, NAME_BYTES = 200 };

struct image {
	int fd;
	uint64_t size;
	char hash[2 * HASH_LEN + 1];
	const char *name; /* without its folder; NULL: it cannot stand in a statement */
};

/* ---- the file ---- */

static int hash_image(struct image *image, const char *path, struct error *err)
{
	_cleanup_(mem_freep) uint8_t *part = mem_alloc(READ_BYTES);
	struct progress progress = { .what = "MiB read" };
	crypto_hash_sha256_state state;
	uint8_t hash[HASH_LEN];
	uint64_t at = 0;
	ssize_t n;

	crypto_hash_sha256_init(&state);
	while ((n = pread(image->fd, part, READ_BYTES, (off_t)at)) > 0) {
		crypto_hash_sha256_update(&state, part, (size_t)n);
		at += (uint64_t)n;
		progress_show(&progress, at >> 20, image->size >> 20);
	}
	progress_end(&progress);
	if (n < 0)
		return error_sys(err, "cannot read '%s'", path);
	if (at != image->size)
		return error_set(err, CLI_CONFLICT, "'%s' changes while it is read", path);
	crypto_hash_sha256_final(&state, hash);
	hex_encode(image->hash, hash, HASH_LEN);
	return 0;
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (const char *c = name; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			return NULL;
	return *name && strlen(name) <= NAME_BYTES ? name : NULL;
}

static int open_image(struct image *image, const char *path, struct error *err)
{
	struct stat st;

	image->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (image->fd < 0 && errno == ENOENT)
		return error_set(err, CLI_ABSENT, "no file '%s'", path);
	if (image->fd < 0 || fstat(image->fd, &st) < 0)
		return error_sys(err, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return error_set(err, CLI_USAGE, "'%s' is no image: it is empty, or no file", path);
	image->size = (uint64_t)st.st_size;
	image->name = name_of(path);
	return hash_image(image, path, err);
}

/* ---- what is said of it ---- */

static bool is_one_of(const char *text, const char *const words[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(text, words[i]))
			return true;
	return false;
}

static int check_version(const char *option, const char *text, struct error *err)
{
	int order;

	if (!text || version_compare(&order, text, text))
		return 0;
	return error_set(err, CLI_USAGE, "'--%s %.60s': a version has numbers, as 5.24.0; devices compare them", option, text);
}

static int check_options(const struct args *args, struct error *err)
{
	static const char *const parts[] = { "system", "boot", "bundle" }, *const ways[] = { "keeps", "loses" };
	const char *driver = args_get(args, "driver"), *part = args_get(args, "part"), *way = args_get(args, "downgrade");

	if (!driver || !args_get(args, "version"))
		return error_set(err, CLI_USAGE, "say what it is for: --driver DRIVER --version VERSION");
	if (!form_of(driver))
		return error_set(err, CLI_USAGE, "there is no driver '%.60s'", driver);
	if (part && !is_one_of(part, parts, ARRAY_SIZE(parts)))
		return error_set(err, CLI_USAGE, "'--part %.40s': there are system, boot and bundle", part);
	if (way && !is_one_of(way, ways, ARRAY_SIZE(ways)))
		return error_set(err, CLI_USAGE, "'--downgrade %.40s': write keeps or loses: what it does to the configuration", way);
	return check_version("version", args_get(args, "version"), err) < 0 ? err->code :
									      check_version("minimum", args_get(args, "minimum"), err);
}

static void add_if(struct buf *text, const char *key, const char *value)
{
	if (value)
		statement_add(text, key, "%s", value);
}

static int write_statement(struct buf *text, const struct image *image, const struct home *home, const struct args *args, struct error *err)
{
	const char *model;

	statement_begin(text, STATEMENT_FIRMWARE);
	statement_add(text, "fleet", "%s", home->fleet);
	statement_add(text, "driver", "%s", args_get(args, "driver"));
	statement_add(text, "part", "%s", args_get(args, "part") ? args_get(args, "part") : "system");
	for (size_t i = 0; (model = args_at(args, "model", i)); i++)
		statement_add(text, "model", "%s", model);
	statement_add(text, "version", "%s", args_get(args, "version"));
	add_if(text, "minimum", args_get(args, "minimum"));
	add_if(text, "downgrade", args_get(args, "downgrade"));
	statement_add(text, "size", "%llu", (unsigned long long)image->size);
	statement_add(text, "image", "%s", image->hash);
	add_if(text, "name", image->name);
	statement_add(text, "person", "%s", home->person);
	statement_add_time(text, "time", clock_now_s());
	statement_add(text, "root", "%llu", (unsigned long long)root_version(home->root));
	add_if(text, "note", args_get(args, "note"));
	return statement_check(buf_bytes(text), err) < 0 ? (err->code = CLI_USAGE) : 0;
}

/* The same thing said by whoever: when and by whom is no difference. */
static bool says_the_same(const struct statement *a, const struct statement *b)
{
	static const char *const keys[] = { "driver", "part", "version", "minimum", "downgrade", "size", "image", "note" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *x = statement_get(a, keys[i]), *y = statement_get(b, keys[i]);

		if (!x != !y || (x && strcmp(x, y) != 0))
			return false;
	}
	if (statement_count(a, "model") != statement_count(b, "model"))
		return false;
	for (size_t i = 0; i < statement_count(a, "model"); i++)
		if (strcmp(statement_at(a, "model", i), statement_at(b, "model", i)) != 0)
			return false;
	return true;
}

static int is_said(bool *out, const struct buf *text, struct cli *cli, struct error *err)
{
	_cleanup_(firmware_list_done) struct firmware_list list = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL;
	int r = statement_parse(&st, buf_bytes(text), true, NULL, err);

	if (r == 0)
		r = firmware_list_get(&list, cli, err);
	*out = false;
	for (size_t i = 0; i < list.count && r == 0; i++)
		*out |= !list.at[i].is_by_nobody && says_the_same(list.at[i].st, st);
	return r;
}

static int say(struct cli *cli, struct buf *text, const struct args *args, struct error *err)
{
	_cleanup_(mem_freep) char *key = home_signing_key(cli->home);
	int r;

	fputs(buf_text(text), stderr);
	r = args_has(args, "yes") ? 0 : passphrase_confirm("Sign this? Devices that fit will take the image by it.", err);
	if (r == 0)
		r = sign_statement(text, key, err);
	if (r == 0)
		r = api_post_object(cli->api, buf_bytes(text), err);
	return r < 0 ? r : 0;
}

/* ---- to the server ---- */

/* Goes on where it was cut off, as long as something arrives each time. */
static int upload(struct cli *cli, const struct image *image, bool *was_there, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/firmware/%s", image->hash);
	uint64_t received = 0, before = 0;
	bool is_whole = false;
	int r = CLI_UNREACHED;

	for (unsigned tries = 0; r == CLI_UNREACHED && tries < UPLOAD_TRIES; tries++) {
		if (tries) {
			output_note("holdfast: %s; it goes on in a moment", err->text);
			poll(NULL, 0, UPLOAD_WAIT_MS);
		}
		r = firmware_received(&is_whole, &received, cli, image->hash, err);
		if (r < 0)
			continue;
		if (is_whole) {
			*was_there = !tries;
			return 0;
		}
		received = received < image->size ? received : 0;
		tries = received > before ? 0 : tries;
		before = received;
		r = api_put_file(cli->api, path, image->fd, received, image->size, err);
	}
	return r;
}

static int tell(const struct cli *cli, const struct image *image, const struct args *args, bool was_said, bool was_there, struct error *err)
{
	if (cli->json)
		return output_json("firmware-import",
				   json_pack("{s:s, s:I, s:s, s:b, s:b}", "image", image->hash, "size", (json_int_t)image->size, "version",
					     args_get(args, "version"), "signed", !was_said, "uploaded", !was_there),
				   err);
	output_note("%s: image %.12s, %llu bytes, %s", args_get(args, "version"), image->hash, (unsigned long long)image->size,
		    was_there ? "was on the server already" : "is on the server");
	output_note("Next:  holdfast firmware assign %s SELECTOR", args_get(args, "version"));
	return 0;
}

static void image_done(struct image *image)
{
	fd_closep(&image->fd);
}

int cmd_firmware_import(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(image_done) struct image image = { .fd = -1 };
	_cleanup_(buf_done) struct buf text = { 0 };
	bool was_said = false, was_there = false;
	int r = check_options(args, err);

	if (r == 0)
		r = cli_api(cli, err);
	if (r == 0 && !root_has_role(cli->home->root, cli->home->person, ROLE_DEPLOYER))
		return error_set(err, E_DENIED, "'%s' does not have the role deployer; see: holdfast root show", cli->home->person);
	if (r == 0)
		r = open_image(&image, args->value[0], err);
	if (r == 0)
		r = write_statement(&text, &image, cli->home, args, err);
	if (r == 0)
		r = is_said(&was_said, &text, cli, err);
	if (r == 0 && !was_said)
		r = say(cli, &text, args, err);
	if (r == 0)
		r = upload(cli, &image, &was_there, err);
	return r < 0 ? r : tell(cli, &image, args, was_said, was_there, err);
}
