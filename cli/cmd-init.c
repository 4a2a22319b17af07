/* cli/cmd-init.c -- `holdfast init`: keys, the first root, and the claim of a server with it.
 *
 * Everything is made in DIR/init/ and moved into its place once the server has the root. Cut short before the claim, the next run
 * throws it away and begins anew; cut short after it, the next run finds its root at the server and only moves: keys that a fleet
 * rests on are never thrown away, nor is any file that stood in DIR before. */
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/keys.h"
#include "cli/output.h"
#include "cli/passphrase.h"
#include "cli/sign.h"
#include "cli/tickets.h"

#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOT_LIFE_S = 365 * 86400 };

/* auditor is left out: whoever is a reader reads all that an auditor may. */
static const enum role first_roles[] = { ROLE_ROOT, ROLE_ADMIN, ROLE_READER, ROLE_DEPLOYER, ROLE_RETIRER };

struct making {
	const char *dir, *name, *person, *key;
	bool ask;
	char *stage; /* DIR/init */
	bool is_new_dir;
	int lock;
	struct setup setup;
	struct api *api;
	struct keys keys;
	struct buf root; /* whole */
	struct statement *root_st;
};

static char *staged(const struct making *m, const char *name)
{
	return mem_printf("%s/%s", m->stage, name);
}

static char *placed(const struct making *m, const char *name)
{
	return mem_printf("%s/%s", m->dir, name);
}

static void sweep(const struct making *m)
{
	keys_sweep(m->stage, "root");
}

/* Leaves nothing behind that nobody needs: a folder with a root in it waits for the next run. */
static void making_done(struct making *m)
{
	if (m->stage && !home_exists(m->dir) && (rmdir(m->stage) == 0 || errno == ENOENT) && m->is_new_dir) {
		_cleanup_(mem_freep) char *lock = placed(m, "lock");

		unlink(lock);
		rmdir(m->dir);
	}
	fd_closep(&m->lock);
	setup_done(&m->setup);
	api_free(m->api);
	statement_free(m->root_st);
	buf_done(&m->root);
	free(m->stage);
}

/* ---- what is asked for ---- */

static int take_arguments(struct making *m, const struct cli *cli, const struct args *args, struct error *err)
{
	const char *setup = args_get(args, "setup");

	m->name = args_get(args, "name");
	m->person = args_get(args, "person");
	m->key = args_get(args, "key");
	m->ask = !args_has(args, "no-passphrase");
	if (!setup || !m->name || !m->person)
		return error_set(err, CLI_USAGE, "'init' needs --setup, --name and --person; see: holdfast help init");
	if (args_no_literal(setup, err) < 0 || args_check_name("name", m->name, err) < 0 || args_check_name("person", m->person, err) < 0)
		return err->code;
	if (m->ask && !passphrase_can_ask())
		return error_set(err, CLI_USAGE, "there is no terminal to ask for passphrases on; say --no-passphrase to do without");
	if (home_exists(cli->home_dir))
		return error_set(err, CLI_CONFLICT, "'%s' is an operator's folder already: nothing was changed; --home names another",
				 cli->home_dir);
	m->dir = cli->home_dir;
	m->stage = placed(m, "init");
	return setup_read(&m->setup, setup, err);
}

static int make_folder(struct making *m, struct error *err)
{
	_cleanup_(mem_freep) char *lock = placed(m, "lock");
	int r;

	m->is_new_dir = access(m->dir, F_OK) < 0;
	r = fs_mkdirs(m->dir, 0700, err);
	if (r < 0)
		return r;
	m->lock = fs_lock(lock, err);
	if (m->lock == E_DENIED)
		return error_set(err, CLI_CONFLICT, "another 'holdfast init' is at work in '%s'", m->dir);
	return m->lock < 0 ? m->lock : fs_mkdirs(m->stage, 0700, err);
}

/* ---- the root ---- */

static int write_root(struct making *m, struct error *err)
{
	char key_text[SIGN_PUB_TEXT_MAX], archive[SIGN_PUB_TEXT_MAX], reader[AGE_RECIPIENT_LEN + 1];
	_cleanup_(buf_done) struct buf pin = { 0 };
	int64_t now_s = clock_now_s();

	sign_pub_text(key_text, &m->keys.signer);
	sign_pub_text(archive, &m->setup.archive);
	age_recipient_text(reader, &m->keys.reader);
	base64_encode(&pin, bytes_of(m->setup.pin, sizeof(m->setup.pin)));
	statement_begin(&m->root, STATEMENT_ROOT);
	statement_add(&m->root, "version", "1");
	statement_add_time(&m->root, "time", now_s);
	statement_add_time(&m->root, "expires", now_s + ROOT_LIFE_S);
	statement_add(&m->root, "name", "%s", m->name);
	statement_add(&m->root, "person", "%s", m->person);
	statement_add(&m->root, "key", "%s %s", m->person, key_text);
	statement_add(&m->root, "reading-key", "%s %s", m->person, reader);
	for (size_t i = 0; i < ARRAY_SIZE(first_roles); i++)
		statement_add(&m->root, "role", "%s %s", role_name(first_roles[i]), m->person);
	statement_add(&m->root, "archive", "%s", archive);
	statement_add(&m->root, "tls-pin", "%s", buf_text(&pin));
	statement_add(&m->root, "server", "%s", m->setup.address);
	return statement_check(buf_bytes(&m->root), err);
}

/* Judges it as everybody else will: ssh-keygen may have signed with another key than the .pub beside it. */
static int judge_root(struct statement **out, struct bytes whole, struct error *err)
{
	_cleanup_(root_freep) struct root *root = NULL;
	struct statement *st;
	int r = statement_parse(&st, whole, false, NULL, err);

	if (r == 0)
		r = root_new(&root, st, err);
	if (r == 0)
		r = root_accept_first(root, NULL, err);
	return r < 0 ? r : statement_parse(out, whole, false, NULL, err);
}

static int make_root(struct making *m, struct error *err)
{
	_cleanup_(mem_freep) char *path = staged(m, "root"), *key = keys_signing(m->stage);
	int r = write_root(m, err);

	if (r == 0)
		r = sign_statement(&m->root, key, err);
	if (r == 0 && judge_root(&m->root_st, buf_bytes(&m->root), err) < 0)
		r = error_add(err, "the root that '%s' signed does not hold; does its .pub belong to it?", m->key ? m->key : key);
	return r < 0 ? r : fs_write(path, buf_bytes(&m->root), 0600, err);
}

static int make_all(struct making *m, struct error *err)
{
	int r = keys_check_place(m->dir, err);

	if (r == 0)
		r = keys_make(&m->keys, m->stage, m->key, m->ask, err);
	if (r == 0)
		r = fs_sync_dir(m->dir, err);
	if (r == 0)
		r = make_root(m, err);
	if (r < 0)
		sweep(m);
	return r;
}

/* ---- the claim ---- */

/* Of the root that the server has. 1: none. */
static int ask_root(uint8_t hash[static HASH_LEN], struct making *m, struct error *err)
{
	_cleanup_(buf_done) struct buf list = { 0 };
	_cleanup_(statement_freep) struct statement *st = NULL;
	int r = api_open_bare(&m->api, m->setup.address, m->setup.pin, err);

	if (r == 0)
		r = api_get(&list, m->api, "/v1/roots?from=1", API_ROOTS_MAX, err);
	if (r < 0)
		return r;
	if (!list.len)
		return 1;
	if (statement_parse(&st, buf_bytes(&list), false, NULL, err) < 0)
		return error_set(err, E_PEER, "'%s' answers with what is no root", m->setup.address);
	memcpy(hash, statement_hash(st), HASH_LEN);
	return 0;
}

/* What a run before this one left. 1: nothing of use. */
static int load_staged(struct making *m, struct error *err)
{
	_cleanup_(mem_freep) char *path = staged(m, "root");
	int r = fs_read(&m->root, path, STATEMENT_MAX, err);

	if (r != 0)
		return r == FS_ABSENT ? 1 : r;
	return judge_root(&m->root_st, buf_bytes(&m->root), err) < 0 ? 1 : 0;
}

/* 1: the claim was made by a run before this one, only the rest is to be done. 0: begin. */
static int look(struct making *m, struct error *err)
{
	uint8_t theirs[HASH_LEN];
	int at_server = ask_root(theirs, m, err), here;

	if (at_server < 0)
		return at_server;
	here = load_staged(m, err);
	if (here < 0)
		return here;
	if (here == 0 && at_server == 0 && !memcmp(theirs, statement_hash(m->root_st), HASH_LEN))
		return 1;
	sweep(m);
	buf_truncate(&m->root, 0);
	m->root_st = statement_free(m->root_st);
	if (at_server == 0)
		return error_set(err, CLI_CONFLICT,
				 "the server '%s' was claimed by somebody else already; only the people of its root let you in",
				 m->setup.address);
	return fs_mkdirs(m->stage, 0700, err);
}

static int claim(struct making *m, struct error *err)
{
	int r = api_claim(m->api, (const char *)m->setup.code.ptr, buf_bytes(&m->root), err);

	if (r == E_DENIED || r == CLI_CONFLICT || r == E_LIMIT) {
		sweep(m); /* a plain no */
		return error_add(err, "the claim was refused");
	}
	return r < 0 ? error_add(err, "whether the claim was taken is not known; run the same command again, it goes on from here") : 0;
}

static int finish(struct making *m, struct error *err)
{
	char fleet[ID_LEN + 1];
	struct home_making home = {
		.dir = m->dir,
		.fleet = fleet,
		.person = statement_get(m->root_st, "person"),
		.address = m->setup.address,
		.pin = m->setup.pin,
		.root = buf_bytes(&m->root),
	};
	int r = keys_move(m->stage, m->dir, err);

	id_of_hash(fleet, statement_hash(m->root_st));
	if (r == 0)
		r = home_create(&home, err);
	if (r == 0)
		sweep(m);
	return r;
}

static int report(const struct making *m, bool json, struct error *err)
{
	const char *name = statement_get(m->root_st, "name"), *person = statement_get(m->root_st, "person");
	char line[ID_LEN + 2];

	id_of_hash(line, statement_hash(m->root_st));
	output_note("Fleet '%s' is claimed; '%s' has all roles. Keys are in '%s'.", name, person, m->dir);
	output_note("Back that folder up: without reading.key nothing of the archive opens, without signing.key nobody changes the root.");
	output_note("Next:  holdfast invite --name r1 -o r1.invite");
	output_note("       holdfast device admit --all");
	output_note("       holdfast status");
	if (json)
		return output_json("init",
				   json_pack("{s:s, s:s, s:s, s:s, s:s}", "fleet", line, "name", name, "person", person, "server",
					     m->setup.address, "home", m->dir),
				   err);
	strcat(line, "\n");
	return output_raw(bytes_str(line), err);
}

int cmd_init(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(making_done) struct making m = { .lock = -1 };
	int r = take_arguments(&m, cli, args, err);

	if (r == 0)
		r = make_folder(&m, err);
	if (r < 0)
		return r;
	r = look(&m, err);
	if (r > 0)
		output_note("Going on with the claim that was begun before.");
	if (r == 0) {
		r = make_all(&m, err);
		r = r < 0 ? r : claim(&m, err);
	}
	if (r >= 0)
		r = finish(&m, err);
	return r < 0 ? r : report(&m, cli->json, err);
}
