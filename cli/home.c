/* cli/home.c -- the operator's folder. */
#include "cli/home.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/plural.h"
#include "cli/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FLEET_FILE_MAX = 1024,
	ROOTS_FILE_MAX = ROOT_CHAIN_MAX * STATEMENT_MAX,
	SEEN_FILE_MAX = STATEMENT_MAX + 256,
	READING_FILE_MAX = 16 << 10,
	PASSPHRASE_TRIES = 3,
	LOCK_STEP_MS = 50,
	LOCK_WAIT_MS = 10000,
};

static const char fleet_head[] = "holdfast-home/1";

static char *path_in(const char *dir, const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

char *home_path(const struct home *home, const char *name)
{
	return path_in(home->dir, name);
}

bool home_exists(const char *dir)
{
	_cleanup_(mem_freep) char *path = path_in(dir, "fleet");

	return access(path, F_OK) == 0;
}

/* ---- making ---- */

static int write_file(const char *dir, const char *name, struct bytes in, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_in(dir, name);

	return fs_write(path, in, 0600, err);
}

int home_create(const struct home_making *m, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fs_mkdirs(m->dir, 0700, err);

	if (r == 0)
		r = write_file(m->dir, "roots", m->root, err);
	if (r < 0)
		return r;
	buf_addf(&text, "%s\nfleet: %s\nperson: %s\nserver: %s\npin: ", fleet_head, m->fleet, m->person, m->address);
	base64_encode(&text, bytes_of(m->pin, 32));
	buf_add_char(&text, '\n');
	return write_file(m->dir, "fleet", buf_bytes(&text), err);
}

/* ---- opening ---- */

/* The value of the next line, which must be "key: value" and fit. */
static bool take_value(char *out, size_t size, struct bytes *rest, const char *key)
{
	size_t len = strlen(key);
	struct bytes line;

	if (!bytes_next_line(rest, &line) || line.len <= len + 2 || memcmp(line.ptr, key, len) != 0 || memcmp(line.ptr + len, ": ", 2) != 0)
		return false;
	line = bytes_from(line, len + 2);
	if (line.len >= size || memchr(line.ptr, 0, line.len))
		return false;
	memcpy(out, line.ptr, line.len);
	out[line.len] = 0;
	return true;
}

static bool parse_fleet(struct home *home, struct bytes rest)
{
	_cleanup_(buf_done) struct buf pin = { 0 };
	char pin_text[64];
	struct bytes line;

	if (!bytes_next_line(&rest, &line) || !bytes_is(line, fleet_head) ||
	    !take_value(home->fleet, sizeof(home->fleet), &rest, "fleet") ||
	    !take_value(home->person, sizeof(home->person), &rest, "person") ||
	    !take_value(home->address, sizeof(home->address), &rest, "server") || !take_value(pin_text, sizeof(pin_text), &rest, "pin"))
		return false;
	if (rest.len || !id_is_valid(bytes_str(home->fleet)) || !base64_decode(&pin, bytes_str(pin_text)) || pin.len != sizeof(home->pin))
		return false;
	memcpy(home->pin, pin.ptr, pin.len);
	return true;
}

static int load_fleet(struct home *home, struct error *err)
{
	_cleanup_(mem_freep) char *path = home_path(home, "fleet");
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fs_read(&text, path, FLEET_FILE_MAX, err);

	if (r == FS_ABSENT)
		return error_set(err, CLI_ABSENT,
				 "'%s' is no operator's folder; make one with: holdfast init, or name another with --home or "
				 "$HOLDFAST_HOME",
				 home->dir);
	if (r < 0)
		return r;
	return parse_fleet(home, buf_bytes(&text)) ? 0 : error_set(err, E_FORMAT, "'%s' is damaged; restore it from a backup", path);
}

static int judge_root(const struct home *home, const struct root *next, struct error *err)
{
	return home->root ? root_succeeds(home->root, next, err) : root_accept_first(next, home->fleet, err);
}

/* Takes the root over. */
static void push_root(struct home *home, struct root *root)
{
	home->roots = mem_grow(home->roots, (home->root_count + 1) * sizeof(struct root *));
	home->roots[home->root_count++] = home->root = root;
}

static bool is_root_known(const struct home *home, const struct root *root)
{
	const struct root *ours = home->roots[root_version(root) - 1];

	return memcmp(statement_hash(root_statement(ours)), statement_hash(root_statement(root)), HASH_LEN) == 0;
}

/* Takes st over. 1: known already. Nothing is stored. */
static int add_root(struct home *home, struct statement *st, struct error *err)
{
	_cleanup_(root_freep) struct root *next = NULL;
	int r = root_new(&next, st, err);

	if (r < 0)
		return r;
	if (root_version(next) <= home->root_count)
		return is_root_known(home, next) ?
			       1 :
			       error_set(err, E_SEAL, "there are two roots of version %llu: somebody is shown another fleet",
					 (unsigned long long)root_version(next));
	if (home->root_count == ROOT_CHAIN_MAX)
		return error_set(err, E_LIMIT, "more than %d versions of the root", ROOT_CHAIN_MAX);
	r = judge_root(home, next, err);
	if (r == 0)
		push_root(home, steal(next));
	return r;
}

/* Also to learn what another command stored in the meantime. */
static int load_roots(struct home *home, struct error *err)
{
	_cleanup_(mem_freep) char *path = home_path(home, "roots");
	_cleanup_(buf_done) struct buf text = { 0 };
	struct bytes rest;
	int r = fs_read(&text, path, ROOTS_FILE_MAX, err);

	if (r < 0)
		return r;
	rest = buf_bytes(&text);
	while (rest.len) {
		struct statement *st;
		size_t used = 0;

		r = statement_parse(&st, rest, false, &used, err);
		if (r == 0)
			r = add_root(home, st, err);
		if (r < 0)
			return error_add(err, "'%s' is damaged; restore it from a backup", path);
		rest = bytes_from(rest, used);
	}
	return home->root ? 0 : error_set(err, E_FORMAT, "'%s' holds no root; restore it from a backup", path);
}

static int parse_seen(struct home *home, struct bytes rest, struct error *err)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	uint8_t raw[20];
	char commit[41];
	size_t used = 0;
	int r;

	if (!take_value(commit, sizeof(commit), &rest, "commit") ||
	    (strcmp(commit, "-") != 0 && !hex_decode(raw, sizeof(raw), bytes_str(commit))))
		return error_set(err, E_FORMAT, "it does not begin with 'commit: '");
	r = statement_parse(&st, rest, false, &used, err);
	if (r < 0)
		return r;
	if (used != rest.len || statement_type(st) != STATEMENT_CHECKPOINT)
		return error_set(err, E_FORMAT, "it does not hold one checkpoint");
	strcpy(home->commit, *commit == '-' ? "" : commit);
	statement_free(home->checkpoint);
	home->checkpoint = steal(st);
	return 0;
}

static int load_seen(struct home *home, struct error *err)
{
	_cleanup_(mem_freep) char *path = home_path(home, "seen");
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = fs_read(&text, path, SEEN_FILE_MAX, err);

	if (r == FS_ABSENT)
		return 0;
	if (r == 0)
		r = parse_seen(home, buf_bytes(&text), err);
	return r < 0 ? error_add(err, "'%s' is damaged; restore it from a backup", path) : 0;
}

int home_open(struct home **out, const char *dir, struct error *err)
{
	struct home *home = mem_alloc(sizeof(*home));
	int r;

	home->dir = mem_strdup(dir);
	r = load_fleet(home, err);
	if (r == 0)
		r = load_roots(home, err);
	if (r == 0)
		r = load_seen(home, err);
	if (r < 0) {
		home_free(home);
		return r;
	}
	*out = home;
	return 0;
}

struct home *home_free(struct home *home)
{
	if (!home)
		return NULL;
	for (size_t i = 0; i < home->root_count; i++)
		root_free(home->roots[i]);
	free(home->roots);
	statement_free(home->checkpoint);
	age_identity_done(&home->reading);
	free(home->dir);
	free(home);
	return NULL;
}

/* ---- keys ---- */

char *home_signing_key(const struct home *home)
{
	char *path = home_path(home, "signing.key");

	if (access(path, F_OK) == 0)
		return path;
	free(path);
	return home_path(home, "signing.key.pub");
}

static int open_with_passphrase(struct buf *out, const char *path, struct bytes sealed, struct error *err)
{
	_cleanup_(mem_freep) char *prompt = mem_printf("Passphrase of '%s': ", path);
	int r = E_SEAL;

	for (unsigned i = 0; i < PASSPHRASE_TRIES && r == E_SEAL; i++) {
		_cleanup_(secret_done) struct secret passphrase = { 0 };

		r = passphrase_ask(&passphrase, prompt, err);
		if (r == 0)
			r = age_open_passphrase(out, sealed, secret_bytes(&passphrase), READING_FILE_MAX, err);
	}
	return r == E_SEAL ? error_set(err, E_SEAL, "wrong passphrase, or the file is damaged") : r;
}

static int read_secret(struct secret *out, const char *path, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r;

	if (strcmp(path, "-") != 0)
		return secret_load(out, path, READING_FILE_MAX, err);
	if (isatty(STDIN_FILENO))
		return error_set(err, CLI_USAGE, "'-' reads the key from standard input, which is a terminal; pipe it in");
	r = fd_read_all(&text, STDIN_FILENO, READING_FILE_MAX, err);
	if (r == 0 && text.len)
		secret_copy(out, buf_bytes(&text));
	return r == 0 && !text.len ? error_set(err, E_FORMAT, "there is nothing on standard input") : r;
}

int home_read_identity(struct age_identity *out, const char *path, struct error *err)
{
	_cleanup_(secret_done) struct secret file = { 0 };
	_cleanup_(buf_done) struct buf plain = { 0 };
	struct bytes text;
	int r = read_secret(&file, path, err);

	if (r == FS_ABSENT)
		return error_set(err, CLI_ABSENT, "there is no such file; nothing sealed opens without it, restore it from a backup");
	if (r < 0)
		return r;
	text = secret_bytes(&file);
	if (age_is_passphrase_file(text)) {
		r = open_with_passphrase(&plain, path, text, err);
		if (r < 0)
			return r;
		text = buf_bytes(&plain);
	}
	return age_identity_from_file(out, text, err);
}

int home_reading_key(const struct age_identity **out, struct home *home, struct error *err)
{
	_cleanup_(mem_freep) char *path = home_path(home, "reading.key");

	if (!home->has_reading && home_read_identity(&home->reading, path, err) < 0)
		return error_add(err, "reading key '%s'", path);
	home->has_reading = true;
	*out = &home->reading;
	return 0;
}

/* ---- what is remembered ---- */

/* Another command holds it for as long as two small files take to write. */
static int lock(const struct home *home, struct error *err)
{
	_cleanup_(mem_freep) char *path = home_path(home, "lock");
	uint64_t until_ms = clock_mono_ms() + LOCK_WAIT_MS;
	int fd;

	while ((fd = fs_lock(path, err)) == E_DENIED && clock_mono_ms() < until_ms)
		poll(NULL, 0, LOCK_STEP_MS);
	return fd == E_DENIED ? error_set(err, CLI_CONFLICT, "'%s' is held by another command for over %d s", path, LOCK_WAIT_MS / 1000) :
				fd;
}

static int store_roots(const struct home *home, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	for (size_t i = 0; i < home->root_count; i++)
		buf_add_bytes(&text, statement_whole(root_statement(home->roots[i])));
	return write_file(home->dir, "roots", buf_bytes(&text), err);
}

static void drop_newest_root(struct home *home)
{
	root_free(home->roots[--home->root_count]);
	home->root = home->roots[home->root_count - 1];
}

int home_take_root(struct home *home, struct statement *st, struct error *err)
{
	_cleanup_(statement_freep) struct statement *held = st;
	_cleanup_(fd_closep) int fd = lock(home, err);
	int r = fd < 0 ? fd : load_roots(home, err);

	if (r < 0)
		return r;
	r = add_root(home, steal(held), err);
	if (r != 0)
		return r;
	r = store_roots(home, err);
	if (r < 0)
		drop_newest_root(home); /* what is not durable does not count */
	return r;
}

static bool is_same_point(const struct statement *a, const struct statement *b)
{
	return statement_number(a, "size") == statement_number(b, "size") && !strcmp(statement_get(a, "tree"), statement_get(b, "tree"));
}

/* 1: nothing new. */
static int judge_seen(const struct home *home, const struct statement *next, const char *commit, struct error *err)
{
	const struct statement *seen = home->checkpoint;
	int r = root_verify(home->root, next, err);

	if (r < 0)
		return r;
	if (!seen)
		return 0;
	if (statement_number(next, "size") < statement_number(seen, "size"))
		return error_set(err, E_SEAL, "the log has %llu %s, and had %llu", (unsigned long long)statement_number(next, "size"),
				 plural(statement_number(next, "size"), "statement", "statements"),
				 (unsigned long long)statement_number(seen, "size"));
	if (statement_number(next, "size") > statement_number(seen, "size"))
		return 0;
	if (!is_same_point(next, seen))
		return error_set(err, E_SEAL, "the log has as many statements as before (%llu), but other ones",
				 (unsigned long long)statement_number(next, "size"));
	if (*commit && home->commit[0] && strcmp(commit, home->commit) != 0)
		return error_set(err, E_SEAL, "the log is the same as before, but commit '%s' is now '%s'", home->commit, commit);
	return !*commit || home->commit[0];
}

static int store_seen(const struct home *home, const struct statement *checkpoint, const char *commit, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	buf_addf(&text, "commit: %s\n", *commit ? commit : home->commit[0] ? home->commit : "-");
	buf_add_bytes(&text, statement_whole(checkpoint));
	return write_file(home->dir, "seen", buf_bytes(&text), err);
}

/* 1: another command has moved on since we looked. */
static int reload_seen(struct home *home, struct error *err)
{
	char before[2 * HASH_LEN + 1] = "", after[2 * HASH_LEN + 1] = "";
	int r;

	if (home->checkpoint)
		statement_hash_hex(before, home->checkpoint);
	r = load_seen(home, err);
	if (r < 0)
		return r;
	if (home->checkpoint)
		statement_hash_hex(after, home->checkpoint);
	return strcmp(before, after) != 0;
}

int home_take_seen(struct home *home, struct statement *checkpoint, const char *commit, struct error *err)
{
	_cleanup_(statement_freep) struct statement *next = checkpoint;
	_cleanup_(fd_closep) int fd = -1;
	int r;

	commit = commit ? commit : "";
	r = judge_seen(home, next, commit, err);
	if (r != 0)
		return r; /* the common case takes no lock and writes nothing */
	fd = lock(home, err);
	r = fd < 0 ? fd : reload_seen(home, err);
	if (r != 0)
		return r < 0 ? r : HOME_MOVED;
	r = store_seen(home, next, commit, err);
	if (r < 0)
		return r;
	if (*commit)
		memcpy(home->commit, commit, sizeof(home->commit));
	statement_free(home->checkpoint);
	home->checkpoint = steal(next);
	return 0;
}
