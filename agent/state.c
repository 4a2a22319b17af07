/* agent/state.c -- a device's folder: its keys, the roots it knows, its chain, its spool. */
#include "agent/state.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROOTS_MAX = ROOT_CHAIN_MAX * STATEMENT_MAX, FLEET_MAX = 1024, BOX_MAX = 1024 };

static char *path_in(const char *dir, const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

static int put_file(const char *dir, const char *name, struct bytes in, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_in(dir, name);

	return fs_write(path, in, 0600, err);
}

static int get_file(struct buf *out, const char *dir, const char *name, size_t max, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_in(dir, name);

	return fs_read(out, path, max, err);
}

/* One root after the other, each checked against the one before. */
static int take_next_root(struct root **at, struct bytes *list, const char *fleet, struct error *err)
{
	_cleanup_(root_freep) struct root *next = NULL;
	struct statement *st;
	size_t used;
	int r = statement_parse(&st, *list, false, &used, err);

	if (r < 0)
		return r;
	*list = bytes_from(*list, used);
	if (statement_type(st) != STATEMENT_ROOT) {
		statement_free(st);
		return error_set(err, E_FORMAT, "a statement among the roots that is none");
	}
	r = root_new(&next, st, err);
	if (r == 0)
		r = *at ? root_succeeds(*at, next, err) : root_accept_first(next, fleet, err);
	if (r < 0)
		return r;
	root_free(*at);
	*at = steal(next);
	return 0;
}

int roots_check(struct root **root, struct bytes list, const char *fleet, struct error *err)
{
	_cleanup_(root_freep) struct root *at = NULL;

	while (list.len)
		if (take_next_root(&at, &list, fleet, err) < 0)
			return error_add(err, "root %llu", at ? (unsigned long long)root_version(at) + 1 : 1ULL);
	if (!at)
		return error_set(err, E_FORMAT, "there is no root at all");
	*root = steal(at);
	return 0;
}

static void raise_floor(struct state *s, int64_t time_s)
{
	if (time_s > s->floor_s)
		s->floor_s = time_s;
}

/* The same by a statement that others signed. Kept on disk now and then; while that fails it only lags behind after a restart. */
static void raise_floors(struct state *s, const struct statement *st)
{
	struct error ignored;

	raise_floor(s, statement_time(st, "time"));
	floor_raise(&s->floor, statement_time(st, "time"));
	(void)!floor_keep(&s->floor, s->dir, &ignored);
}

static int load_roots(struct state *s, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = get_file(&text, s->dir, "roots", ROOTS_MAX, err);

	if (r == FS_ABSENT)
		return error_set(err, E_SYS, "no file '%s/roots'", s->dir);
	if (r < 0 || roots_check(&s->root, buf_bytes(&text), s->fleet, err) < 0)
		return err->code;
	raise_floors(s, root_statement(s->root));
	return 0;
}

static int load_fleet(struct state *s, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 }, pin = { 0 };
	char pin_text[64];
	int r = get_file(&text, s->dir, "fleet", FLEET_MAX, err);

	if (r == FS_ABSENT)
		return error_set(err, E_SYS, "no file '%s/fleet'", s->dir);
	if (r < 0)
		return r;
	if (sscanf(buf_text(&text), "fleet: %26s\nserver: %299s\npin: %63s\n", s->fleet, s->address, pin_text) != 3 ||
	    !id_is_valid(bytes_str(s->fleet)) || !base64_decode(&pin, bytes_str(pin_text)) || pin.len != sizeof(s->pin))
		return error_set(err, E_FORMAT, "'%s/fleet' is damaged", s->dir);
	memcpy(s->pin, pin.ptr, sizeof(s->pin));
	return 0;
}

/* A statement that was checked before it was stored. */
static int load_statement(struct statement **out, struct state *s, const char *name, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	size_t used;
	int r = get_file(&text, s->dir, name, STATEMENT_MAX, err);

	if (r == FS_ABSENT)
		return 0;
	if (r < 0)
		return r;
	if (statement_parse(out, buf_bytes(&text), false, &used, err) < 0)
		return error_add(err, "'%s/%s'", s->dir, name);
	raise_floors(s, *out);
	return 0;
}

/* Before anything that is said to be acknowledged is removed. */
static int check_spool(const struct state *s, const char *dir, struct error *err)
{
	struct spool spool;
	uint64_t acked;

	if (spool_look(&spool, dir, err) < 0)
		return err->code;
	acked = spool.acked;
	spool_done(&spool);
	if (acked > s->chain.number)
		return error_set(err, E_FORMAT, "'%s/acked' says %llu, and the chain ends with %llu", dir, (unsigned long long)acked,
				 (unsigned long long)s->chain.number);
	return 0;
}

static int load_chain(struct state *s, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(mem_freep) char *spool = path_in(s->dir, "spool");
	int r = get_file(&text, s->dir, "chain", CHAIN_FILE_MAX, err);

	if (r == FS_ABSENT)
		return STATE_NOT_JOINED;
	if (r < 0)
		return r;
	if (chain_read(&s->chain, buf_bytes(&text), err) < 0)
		return error_add(err, "'%s/chain'", s->dir);
	if (check_spool(s, spool, err) < 0 || spool_open(&s->spool, spool, err) < 0)
		return err->code;
	raise_floor(s, s->chain.time_s);
	return state_mend(s, err);
}

static int load_key(struct state *s, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_in(s->dir, "device.seed");
	int r = sign_key_load(&s->key, path, err);

	if (r == FS_ABSENT)
		return error_set(err, E_SYS, "no file '%s'", path);
	if (r < 0)
		return r;
	sign_pub_id(s->id, &s->key.pub);
	return 0;
}

static int load_box(struct state *s, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = get_file(&text, s->dir, "box.key", BOX_MAX, err);

	if (r == FS_ABSENT)
		return error_set(err, E_SYS, "no file '%s/box.key'", s->dir);
	if (r < 0 || age_identity_from_file(&s->box, buf_bytes(&text), err) < 0)
		return error_add(err, "'%s/box.key'", s->dir);
	return 0;
}

static int load_all(struct state *s, struct error *err)
{
	int r = load_chain(s, err);

	if (r != 0)
		return r;
	floor_load(&s->floor, s->dir);
	challenge_load(&s->challenge, s->dir);
	if (load_key(s, err) < 0 || load_box(s, err) < 0 || load_fleet(s, err) < 0 || load_roots(s, err) < 0 ||
	    load_statement(&s->admit, s, "admit", err) < 0 || load_statement(&s->checkpoint, s, "checkpoint", err) < 0)
		return err->code;
	return 0;
}

/* Half-written files that a cut left; a key may be in one. */
static void remove_leftovers(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strstr(entry->d_name, ".tmp-"))
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

int state_open(struct state *s, const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *lock = path_in(dir, "lock");
	int r;

	*s = (struct state){ .dir = mem_strdup(dir), .lock = -1 };
	if (access(dir, F_OK) != 0) {
		state_done(s);
		return STATE_NOT_JOINED;
	}
	s->lock = fs_lock(lock, err);
	if (s->lock >= 0)
		remove_leftovers(dir);
	r = s->lock < 0 ? s->lock : load_all(s, err);
	if (r != 0)
		state_done(s);
	return r;
}

void state_done(struct state *s)
{
	sign_key_done(&s->key);
	age_identity_done(&s->box);
	s->root = root_free(s->root);
	s->admit = statement_free(s->admit);
	s->checkpoint = statement_free(s->checkpoint);
	chain_done(&s->chain);
	spool_done(&s->spool);
	fd_closep(&s->lock);
	free(s->dir);
	s->dir = NULL;
}

int state_create(const struct state_joining *j, struct error *err)
{
	_cleanup_(mem_freep) char *seed = path_in(j->dir, "device.seed");
	_cleanup_(mem_freep) char *retired = path_in(j->dir, "retired");
	_cleanup_(buf_done) struct buf fleet = { 0 }, chain = { 0 };

	if (access(retired, F_OK) == 0)
		return error_set(err, E_DENIED, "'%s' is what is left of a device that was erased", j->dir); /* it says: destroy the rest */

	buf_addf(&fleet, "fleet: %s\nserver: %s\npin: ", j->fleet, j->address);
	base64_encode(&fleet, bytes_of(j->pin, 32));
	buf_add_char(&fleet, '\n');
	chain_write(&chain, j->chain);
	if (fs_mkdirs(j->dir, 0700, err) < 0 || sign_key_store(j->key, seed, err) < 0 || put_file(j->dir, "box.key", j->box, err) < 0 ||
	    put_file(j->dir, "fleet", buf_bytes(&fleet), err) < 0 || put_file(j->dir, "roots", j->roots, err) < 0)
		return err->code;
	return put_file(j->dir, "chain", buf_bytes(&chain), err);
}

int state_destroy(const char *dir, struct error *err)
{
	/* the chain first: without it there was no join */
	static const char *const names[] = { "chain",      "device.seed", "box.key",       "fleet", "roots",
					     "admit",      "checkpoint",  "contradiction", "floor", "challenge", "spool/000000000001",
					     "spool/acked" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(mem_freep) char *path = path_in(dir, names[i]);

		if (access(path, F_OK) == 0 && fs_remove(path, err) < 0)
			return err->code;
	}
	return 0;
}

int state_store_chain(struct state *s, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	chain_write(&text, &s->chain);
	return put_file(s->dir, "chain", buf_bytes(&text), err);
}

int state_mend(struct state *s, struct error *err)
{
	if (s->chain.number <= s->spool.acked || spool_has(&s->spool, s->chain.number))
		return 0;
	return spool_put(&s->spool, s->chain.number, buf_bytes(&s->chain.newest), err);
}

int state_commit(struct state *s, struct chain *next, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = state_mend(s, err);

	if (r < 0) {
		chain_done(next);
		return r;
	}
	chain_write(&text, next);
	r = put_file(s->dir, "chain", buf_bytes(&text), err);
	if (r < 0) {
		/* perhaps renamed all the same; but only what is in the spool is ever sent, and this is not */
		chain_done(next);
		return error_add(err, "the chain");
	}
	chain_done(&s->chain);
	s->chain = *next;
	memset(next, 0, sizeof(*next));
	return spool_put(&s->spool, s->chain.number, buf_bytes(&s->chain.newest), err);
}

int state_take_root(struct state *s, struct statement *st, struct error *err)
{
	_cleanup_(root_freep) struct root *next = NULL;
	_cleanup_(buf_done) struct buf all = { 0 };
	int r = root_new(&next, st, err);

	if (r < 0)
		return r;
	if (root_version(next) <= root_version(s->root))
		return STATE_OLD;
	if (root_succeeds(s->root, next, err) < 0)
		return error_add(err, "root %llu", (unsigned long long)root_version(next));
	r = get_file(&all, s->dir, "roots", ROOTS_MAX, err);
	if (r != 0)
		return r < 0 ? r : error_set(err, E_SYS, "no file '%s/roots'", s->dir);
	buf_add_bytes(&all, statement_whole(root_statement(next)));
	if (all.len > ROOTS_MAX)
		return error_set(err, E_LIMIT, "roots of %zu bytes are over %d", all.len, ROOTS_MAX);
	if (put_file(s->dir, "roots", buf_bytes(&all), err) < 0)
		return err->code;
	raise_floors(s, root_statement(next));
	root_free(s->root);
	s->root = steal(next);
	return 0;
}

static int check_admit(const struct state *s, const struct statement *st, struct error *err)
{
	uint8_t enrol[HASH_LEN];

	if (root_verify(s->root, st, err) < 0)
		return err->code;
	if (strcmp(statement_get(st, "fleet"), s->fleet) != 0 || strcmp(statement_get(st, "device"), s->id) != 0)
		return error_set(err, E_DENIED, "the admission is for another device or fleet");
	/* the enrolment is number 1; a chain that went on was admitted before */
	if (s->chain.number == 1 &&
	    (!statement_get_hash(enrol, st, "enrol") || memcmp(enrol, s->chain.hash, HASH_LEN) != 0))
		return error_set(err, E_DENIED, "the admission is for another enrolment");
	return 0;
}

int state_take_admit(struct state *s, struct statement *st, struct error *err)
{
	_cleanup_(statement_freep) struct statement *own = st;

	if (s->admit && !memcmp(statement_hash(s->admit), statement_hash(st), HASH_LEN))
		return STATE_OLD;
	if (check_admit(s, st, err) < 0 || put_file(s->dir, "admit", statement_whole(st), err) < 0)
		return err->code;
	raise_floors(s, st);
	statement_free(s->admit);
	s->admit = steal(own);
	return 0;
}

/* The first one stays. Nothing is said of a failure to keep it: the refusal itself is what counts. */
static void keep_contradiction(const struct state *s, const struct statement *st, const struct merkle_growth *growth)
{
	_cleanup_(mem_freep) char *path = path_in(s->dir, "contradiction");
	_cleanup_(buf_done) struct buf proof = { 0 };
	struct error ignored;

	if (!checkpoints_contradict(s->checkpoint, st, growth) || access(path, F_OK) == 0)
		return;
	buf_add_bytes(&proof, statement_whole(s->checkpoint));
	buf_add_bytes(&proof, statement_whole(st));
	if (growth)
		growth_text(&proof, growth);
	if (put_file(s->dir, "contradiction", buf_bytes(&proof), &ignored) == 0)
		log_error("contradiction device=%s file='%s/contradiction': the archive signed two histories; see 'holdfast audit'", s->id,
			  s->dir);
}

static int check_checkpoint(const struct state *s, const struct statement *st, const struct merkle_growth *growth, struct error *err)
{
	if (root_verify(s->root, st, err) < 0)
		return err->code;
	if (!s->checkpoint || checkpoint_follows(s->checkpoint, st, growth, err) == 0)
		return 0;
	keep_contradiction(s, st, growth);
	return err->code = E_DENIED;
}

int state_take_checkpoint(struct state *s, struct statement *st, const struct merkle_growth *growth, struct error *err)
{
	_cleanup_(statement_freep) struct statement *own = st;

	if (s->checkpoint && !memcmp(statement_hash(s->checkpoint), statement_hash(st), HASH_LEN))
		return STATE_OLD;
	if (check_checkpoint(s, st, growth, err) < 0)
		return error_add(err, "checkpoint");
	if (put_file(s->dir, "checkpoint", statement_whole(st), err) < 0)
		return err->code;
	raise_floors(s, st);
	statement_free(s->checkpoint);
	s->checkpoint = steal(own);
	return 0;
}

int64_t state_clock(const struct state *s)
{
	int64_t now = clock_now_s(), floor = floor_now(&s->floor);

	return now > floor ? now : floor;
}

int64_t state_now(const struct state *s)
{
	int64_t now = clock_now_s();

	return now > s->floor_s ? now : s->floor_s;
}

void state_server(const struct state *s, unsigned attempt, struct http_request *req)
{
	const struct statement *st = root_statement(s->root);
	size_t count = statement_count(st, "server");
	const char *address = count ? statement_at(st, "server", attempt % count) : s->address;

	if (!strncmp(address, "https://", 8))
		address += 8;
	snprintf(req->address, sizeof(req->address), "%s", address);
	req->pin_count = (uint32_t)root_tls_pins(req->pins, NET_PINS_MAX, s->root);
	if (!req->pin_count) {
		memcpy(req->pins[0], s->pin, sizeof(s->pin));
		req->pin_count = 1;
	}
}
