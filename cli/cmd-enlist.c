/* cli/cmd-enlist.c -- `holdfast enlist`: a further person's keys and folder, and the request to be taken into the root.
 *
 * The card says which fleet; what it knows of the server only leads there. The roots that the server gives are believed from version 1 on,
 * whose hash is the fleet's id, and which each next one must continue. Nothing is told to the server. */
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/keys.h"
#include "cli/output.h"
#include "cli/passphrase.h"
#include "cli/tickets.h"

#include "base/fs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct enlisting {
	const char *dir, *own;
	char *stage; /* DIR/enlist */
	bool ask;
	int lock;
	struct card card;
	struct request request;
	struct buf first, others; /* root version 1, and those after it */
};

static void enlisting_done(struct enlisting *e)
{
	if (e->stage && e->lock >= 0)
		keys_sweep(e->stage, "request");
	fd_closep(&e->lock);
	free(e->stage);
	buf_done(&e->first);
	buf_done(&e->others);
}

static int take_arguments(struct enlisting *e, const struct cli *cli, const struct args *args, struct error *err)
{
	const char *person = args_get(args, "person");

	e->own = args_get(args, "key");
	e->ask = !args_has(args, "no-passphrase");
	if (!person)
		return error_set(err, CLI_USAGE, "'enlist' needs --person: who you are");
	if (args_no_literal(args->value[0], err) < 0 || args_check_name("person", person, err) < 0)
		return err->code;
	if (e->ask && !passphrase_can_ask())
		return error_set(err, CLI_USAGE, "there is no terminal to ask for passphrases on; say --no-passphrase to do without");
	if (home_exists(cli->home_dir))
		return error_set(err, CLI_CONFLICT, "'%s' is an operator's folder already: nothing was changed; --home names another",
				 cli->home_dir);
	e->dir = cli->home_dir;
	e->stage = mem_printf("%s/enlist", e->dir);
	strcpy(e->request.person, person);
	return card_read(&e->card, args->value[0], err);
}

/* The first one must be the fleet's; the others are judged by the home. */
static int take_first(struct enlisting *e, struct bytes roots, struct error *err)
{
	_cleanup_(root_freep) struct root *root = NULL;
	struct statement *st;
	size_t used = 0;
	int r;

	if (!roots.len)
		return error_set(err, E_DENIED, "'%s' has no fleet yet", e->card.address);
	r = statement_parse(&st, roots, false, &used, err);
	if (r == 0)
		r = root_new(&root, st, err);
	if (r == 0)
		r = root_accept_first(root, e->card.fleet, err);
	if (r < 0) {
		err->code = E_SEAL;
		return error_add(err, "what '%s' gives is not the fleet of the card", e->card.address);
	}
	buf_add(&e->first, roots.ptr, used);
	buf_add_bytes(&e->others, bytes_from(roots, used));
	return 0;
}

static int ask_roots(struct enlisting *e, struct error *err)
{
	_cleanup_(buf_done) struct buf roots = { 0 };
	struct api *api = NULL;
	int r = api_open_bare(&api, e->card.address, e->card.pin, err);

	if (r == 0)
		r = api_get(&roots, api, "/v1/roots?from=1", API_ROOTS_MAX, err);
	api_free(api);
	return r < 0 ? r : take_first(e, buf_bytes(&roots), err);
}

static int make_folder(struct enlisting *e, struct error *err)
{
	_cleanup_(mem_freep) char *lock = mem_printf("%s/lock", e->dir);
	int r = fs_mkdirs(e->dir, 0700, err);

	if (r < 0)
		return r;
	e->lock = fs_lock(lock, err);
	if (e->lock == E_DENIED)
		return error_set(err, CLI_CONFLICT, "another command is at work in '%s'", e->dir);
	if (e->lock < 0)
		return e->lock;
	r = keys_check_place(e->dir, err);
	if (r < 0)
		return r;
	keys_sweep(e->stage, "request"); /* of a run that was cut short */
	return fs_mkdirs(e->stage, 0700, err);
}

static int make_keys(struct enlisting *e, struct error *err)
{
	struct keys keys;
	int r = keys_make(&keys, e->stage, e->own, e->ask, err);

	if (r < 0)
		return r;
	memcpy(e->request.fleet, e->card.fleet, sizeof(e->request.fleet));
	e->request.key = keys.signer;
	e->request.reader = keys.reader;
	return keys_move(e->stage, e->dir, err);
}

/* The request is kept in the folder, too: it can be handed over again. */
static int make_home(struct enlisting *e, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/request", e->dir);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct home_making home = {
		.dir = e->dir,
		.fleet = e->card.fleet,
		.person = e->request.person,
		.address = e->card.address,
		.pin = e->card.pin,
		.root = buf_bytes(&e->first),
	};
	int r;

	request_text(&text, &e->request);
	r = fs_write(path, buf_bytes(&text), 0644, err);
	if (r == 0)
		r = home_create(&home, err);
	keys_sweep(e->stage, "request");
	fd_closep(&e->lock); /* the home takes it from here on */
	e->lock = -1;
	return r;
}

static int take_others(struct cli *cli, struct bytes rest, struct error *err)
{
	int r = cli_home(cli, err);

	while (r >= 0 && rest.len) {
		struct statement *st;
		size_t used = 0;

		r = statement_parse(&st, rest, false, &used, err);
		if (r == 0)
			r = home_take_root(cli->home, st, err);
		rest = bytes_from(rest, used);
	}
	return r < 0 ? error_add(err, "a root of the server does not hold") : 0;
}

static int give(const struct enlisting *e, const struct cli *cli, const char *file, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char print[ID_LEN + 1];
	int r = 0;

	request_text(&text, &e->request);
	request_print(print, &e->request);
	if (file)
		r = fs_write(file, buf_bytes(&text), 0644, err);
	if (r < 0)
		return error_add(err, "the request is in '%s/request'", e->dir);
	output_note("Your keys are in '%s'. Back that folder up.", e->dir);
	output_note("Hand the request to a person of role root, and let them read this to you, as their command shows it:  %s", print);
	output_note("Next, at theirs:  holdfast root edit --add-person %s --role ROLE -o next", file ? file : "REQUEST");
	if (cli->json)
		return output_json("enlist",
				   json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "fleet", e->card.fleet, "person", e->request.person, "home",
					     e->dir, "root", (json_int_t)root_version(cli->home->root), "check", print,
					     file ? "file" : "request", file ? file : buf_text(&text)),
				   err);
	return file ? 0 : output_raw(buf_bytes(&text), err);
}

int cmd_enlist(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(enlisting_done) struct enlisting e = { .lock = -1 };
	int r = take_arguments(&e, cli, args, err);

	if (r == 0)
		r = ask_roots(&e, err);
	if (r == 0)
		r = make_folder(&e, err);
	if (r == 0)
		r = make_keys(&e, err);
	if (r == 0)
		r = make_home(&e, err);
	if (r == 0)
		r = take_others(cli, buf_bytes(&e.others), err);
	return r < 0 ? r : give(&e, cli, args_get(args, "output"), err);
}

/* ---- the card ---- */

int cmd_root_card(struct cli *cli, const struct args *args, struct error *err)
{
	const char *file = args_get(args, "output"), *address;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct card card = { 0 };
	uint8_t pin[1][32];
	int r = cli_home(cli, err);

	if (r < 0)
		return r;
	address = statement_get(root_statement(cli->home->root), "server");
	if (strlen(address) >= sizeof(card.address) || !root_tls_pins(pin, 1, cli->home->root))
		return error_set(err, E_FORMAT, "the root names no server that a card could hold");
	memcpy(card.fleet, cli->home->fleet, sizeof(card.fleet));
	memcpy(card.pin, pin[0], sizeof(card.pin));
	strcpy(card.address, address);
	card_text(&text, &card);
	if (file)
		r = fs_write(file, buf_bytes(&text), 0644, err);
	if (r < 0)
		return r;
	if (cli->json) {
		buf_truncate(&text, text.len - 1);
		return output_json(
			"card", json_pack("{s:s, s:s}", "fleet", card.fleet, file ? "file" : "card", file ? file : buf_text(&text)), err);
	}
	output_note("It holds no secret, but it must arrive unchanged. Next, at the other person's:  holdfast enlist CARD --person NAME");
	return file ? 0 : output_raw(buf_bytes(&text), err);
}
