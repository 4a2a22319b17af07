/* cli/cmd-witness.c -- `holdfast witness`: vouches, from another machine than the server's, that the log only grew.
 *
 * Its folder is a home without a person's keys: "witness.key" is all it signs with, and only checkpoints. What it saw last is on disk
 * before it signs the next one, under the home's lock: two that share a folder, or one that is cut off, never sign two logs. */
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/contradiction.h"
#include "cli/output.h"
#include "cli/show.h"
#include "cli/tickets.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/plural.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRIES = 5, TRY_AGAIN_MS = 700, EVERY_DEFAULT_S = 60, EVERY_MAX_S = 86400 };
enum { WITNESS_AGAIN = 1 }; /* something moved while we looked */

static const char key_file[] = "witness.key", pub_file[] = "witness.key.pub";

/* ---- init ---- */

/* The roots are believed from version 1 on, whose hash is the fleet's id. */
static int ask_first_root(struct buf *out, const struct card *card, struct error *err)
{
	_cleanup_(buf_done) struct buf list = { 0 };
	_cleanup_(root_freep) struct root *root = NULL;
	struct statement *st;
	struct api *api = NULL;
	size_t used = 0;
	int r = api_open_bare(&api, card->address, card->pin, err);

	if (r == 0)
		r = api_get(&list, api, "/v1/roots?from=1", API_ROOTS_MAX, err);
	api_free(api);
	if (r == 0)
		r = statement_parse(&st, buf_bytes(&list), false, &used, err);
	if (r < 0)
		return r;
	r = root_new(&root, st, err);
	if (r == 0)
		r = root_accept_first(root, card->fleet, err);
	if (r < 0) {
		err->code = E_SEAL;
		return error_add(err, "what '%s' gives is not the fleet of the card", card->address);
	}
	buf_add(out, list.ptr, used);
	return 0;
}

static int make_key(char line[static SIGN_PUB_TEXT_MAX], const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, key_file), *pub = mem_printf("%s/%s", dir, pub_file);
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = sign_key_load(&key, path, err); /* of an init that was cut short: nobody has signed with it */

	if (r == FS_ABSENT) {
		sign_key_new(&key);
		r = sign_key_store(&key, path, err);
	}
	if (r < 0)
		return r;
	sign_pub_text(line, &key.pub);
	buf_addf(&text, "%s\n", line);
	return fs_write(pub, buf_bytes(&text), 0644, err);
}

static int report_init(const struct cli *cli, const char *name, const char *line, struct error *err)
{
	output_note("The witness's key is in '%s'. Never restore that folder from a copy: a witness that lost what it saw is replaced, not "
		    "restarted.",
		    cli->home_dir);
	output_note("Hand '%s/%s' to a person of role root. Next, at theirs:  holdfast root edit --witness %s=%s -o next", cli->home_dir,
		    pub_file, name, pub_file);
	output_note("Then here:  holdfast --home %s witness run", cli->home_dir);
	if (cli->json)
		return output_json("witness", json_pack("{s:s, s:s, s:s}", "name", name, "key", line, "home", cli->home_dir), err);
	return output_raw(bytes_str(line), err) < 0 ? err->code : output_raw(bytes_str("\n"), err);
}

int cmd_witness_init(struct cli *cli, const struct args *args, struct error *err)
{
	const char *name = args_get(args, "name");
	_cleanup_(buf_done) struct buf first = { 0 };
	char line[SIGN_PUB_TEXT_MAX];
	struct card card;
	struct home_making home = { .dir = cli->home_dir, .fleet = card.fleet, .person = name, .address = card.address, .pin = card.pin };
	int r;

	if (!name)
		return error_set(err, CLI_USAGE, "'witness init' needs --name: what the root calls this witness");
	if (args_no_literal(args->value[0], err) < 0 || args_check_name("name", name, err) < 0)
		return err->code;
	if (home_exists(cli->home_dir))
		return error_set(err, CLI_CONFLICT, "'%s' is somebody's folder already: nothing was changed; --home names another",
				 cli->home_dir);
	r = card_read(&card, args->value[0], err);
	if (r == 0)
		r = ask_first_root(&first, &card, err);
	if (r == 0)
		r = fs_mkdirs(cli->home_dir, 0700, err);
	if (r == 0)
		r = make_key(line, cli->home_dir, err);
	home.root = buf_bytes(&first);
	if (r == 0)
		r = home_create(&home, err);
	return r < 0 ? r : report_init(cli, name, line, err);
}

/* ---- one look ---- */

struct witness {
	struct cli *cli;
	struct home *home;
	struct sign_key key;
	struct api *api;
	bool is_stored; /* the server has the cosignature of what was seen */
	bool is_new;
};

static void witness_done(struct witness *w)
{
	sign_key_done(&w->key);
	api_free(w->api);
}

static int open_witness(struct witness *w, struct cli *cli, struct error *err)
{
	_cleanup_(mem_freep) char *path = NULL;
	int r = cli_home(cli, err);

	if (r < 0)
		return r;
	w->cli = cli;
	w->home = cli->home;
	path = home_path(w->home, key_file);
	r = sign_key_load(&w->key, path, err);
	if (r == FS_ABSENT)
		return error_set(err, CLI_ABSENT, "'%s' is no witness's folder; make one with: holdfast --home DIR witness init",
				 cli->home_dir);
	return r;
}

/* The roots first: who is no witness any more signs nothing more. */
static int connect_server(struct witness *w, struct error *err)
{
	w->api = api_free(w->api);
	if (api_open_roots(&w->api, w->home, err) < 0)
		return err->code;
	if (root_witness_of(w->home->root, &w->key.pub))
		return 0;
	return error_set(err, E_DENIED,
			 "root version %llu does not name this key as a witness's; its people add it with: holdfast root edit --witness",
			 (unsigned long long)root_version(w->home->root));
}

/* A root that is in force is given out a moment before the checkpoint that names it. */
static int judge_next(const struct witness *w, const struct contradiction *given, struct error *err)
{
	const struct statement *seen = w->home->checkpoint, *next = given->a;
	unsigned long long version = statement_number(next, "root"), newest = root_version(w->home->root);

	if (statement_sig_count(next) != 1)
		return error_set(err, E_PEER, "the server's newest checkpoint has %zu signatures", statement_sig_count(next));
	if (version != newest) {
		error_set(err, E_SEAL, "the newest checkpoint names root %llu, and %llu is in force", version, newest);
		return WITNESS_AGAIN;
	}
	if (root_verify(w->home->root, next, err) < 0)
		return WITNESS_AGAIN;
	return seen ? checkpoint_follows(seen, next, given->has_growth ? &given->growth : NULL, err) : 0;
}

static int refuse(const struct witness *w, const struct contradiction *given, struct error *err)
{
	_cleanup_(mem_freep) char *proof = contradiction_keep(w->home, given);
	char why[200];

	snprintf(why, sizeof(why), "%s", err->text);
	if (proof)
		return error_set(
			err, E_SEAL,
			"the server shows another history than before: %s. It was set back, or it lies, and gets no signature. The proof, "
			"for everybody who has the root, is in '%s'",
			why, proof);
	return error_set(err, E_SEAL,
			 "the server shows another history than before: %s. It was set back, or it lies, and gets no signature", why);
}

/* Verifies the newest checkpoint and remembers it. WITNESS_AGAIN: err says why, in case there is no next time. */
static int look(struct witness *w, struct error *err)
{
	uint64_t from = w->home->checkpoint ? statement_number(w->home->checkpoint, "size") : 0;
	struct contradiction given = { 0 };
	int r = contradiction_fetch(&given, w->api, from, err);

	if (r == CLI_ABSENT && from)
		r = error_set(err, E_SEAL, "the server has no checkpoint any more");
	if (r == 0)
		r = judge_next(w, &given, err);
	if (r == E_SEAL && given.a)
		r = refuse(w, &given, err);
	if (r == 0) {
		r = home_take_seen(w->home, steal(given.a), NULL, err);
		w->is_new |= r == 0;
		if (r == HOME_MOVED)
			error_set(err, CLI_CONFLICT, "another witness is at work in '%s'", w->home->dir);
		r = r < 0 ? r : r == HOME_MOVED ? WITNESS_AGAIN : 0;
	}
	contradiction_done(&given);
	return r;
}

static int look_until_settled(struct witness *w, struct error *err)
{
	int r = WITNESS_AGAIN;

	for (unsigned i = 0; i < TRIES && r > 0; i++) {
		if (i)
			poll(NULL, 0, TRY_AGAIN_MS);
		r = connect_server(w, err);
		if (r == 0)
			r = look(w, err);
	}
	return r > 0 ? err->code : r;
}

/* What is remembered is signed, and nothing else. The same text gives the same signature: it may be posted time and again. */
static int cosign(struct witness *w, struct error *err)
{
	const struct statement *seen = w->home->checkpoint;
	_cleanup_(buf_done) struct buf whole = { 0 };
	int r;

	buf_add_bytes(&whole, statement_whole(seen));
	sshsig_sign(&whole, &w->key, statement_namespace(STATEMENT_CHECKPOINT), statement_text(seen));
	r = api_post_object(w->api, buf_bytes(&whole), err);
	if (r == CLI_CONFLICT) {
		err->code = E_SEAL;
		return error_add(err, "the server does not know a log that it signed itself: it was set back, or it lies");
	}
	return r < 0 ? error_add(err, "the cosignature was not taken") : 0;
}

static int round_once(struct witness *w, struct error *err)
{
	int r;

	w->is_new = false;
	r = look_until_settled(w, err);
	if (r < 0 || !w->home->checkpoint || (w->is_stored && !w->is_new))
		return r < 0 ? r : 0;
	r = cosign(w, err);
	w->is_stored = r == 0;
	return r;
}

int cmd_witness_once(struct cli *cli, const struct args *args _unused_, struct error *err)
{
	_cleanup_(witness_done) struct witness w = { 0 };
	unsigned long long size;
	char since[24];
	int r = open_witness(&w, cli, err);

	if (r == 0)
		r = round_once(&w, err);
	if (r < 0)
		return r;
	if (!w.home->checkpoint)
		return error_set(err, CLI_ABSENT, "the server has no checkpoint yet");
	size = statement_number(w.home->checkpoint, "size");
	if (cli->json)
		return output_json("witness",
				   json_pack("{s:s, s:I, s:s, s:s, s:b}", "name", root_witness_of(w.home->root, &w.key.pub), "log-size",
					     (json_int_t)size, "log-tree", statement_get(w.home->checkpoint, "tree"), "time",
					     statement_get(w.home->checkpoint, "time"), "new", (int)w.is_new),
				   err);
	show_since(since, statement_time(w.home->checkpoint, "time"), clock_now_s());
	output_note("cosigned the log of %llu %s, signed by the archive %s", size, plural(size, "statement", "statements"), since);
	return 0;
}

/* What passes by itself does not end it; a server that contradicts itself, or a root that does not name it, does. */
static bool is_passing(int code)
{
	return code == CLI_UNREACHED || code == CLI_ABSENT || code == E_PEER || code == E_LIMIT || code == CLI_CONFLICT;
}

int cmd_witness_run(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(witness_done) struct witness w = { 0 };
	const char *every = args_get(args, "every");
	int64_t every_s = EVERY_DEFAULT_S;
	int r = every ? args_duration(&every_s, every, err) : 0;

	if (r == 0 && (every_s < 1 || every_s > EVERY_MAX_S))
		r = error_set(err, CLI_USAGE, "--every takes 1s to 1d");
	if (r == 0)
		r = open_witness(&w, cli, err);
	while (r == 0) {
		r = round_once(&w, err);
		if (r < 0 && !is_passing(r))
			return r;
		if (r < 0)
			output_note("holdfast: %s; trying again", err->text);
		else if (w.is_new)
			output_note("holdfast: cosigned the log of %llu %s",
				    (unsigned long long)statement_number(w.home->checkpoint, "size"),
				    plural(statement_number(w.home->checkpoint, "size"), "statement", "statements"));
		r = 0;
		poll(NULL, 0, (int)every_s * 1000);
	}
	return r;
}
