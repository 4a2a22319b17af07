/* cli/attest.c -- what a reader says about their own copies. */
#include "cli/attest.h"

#include "base/clock.h"
#include "cli/api.h"
#include "cli/home.h"
#include "cli/passphrase.h"
#include "cli/sign.h"

#include <string.h>

static int check(const struct ceremony *c, struct error *err)
{
	const struct retirement *r = &c->dossier.now;
	const char *person = c->cli->home->person;

	if (!r->shredded)
		return error_set(err, CLI_CONFLICT,
				 "the archive has not said yet that it shredded '%s' (%s); there is nothing to attest before",
				 c->member->name, retirement_state_name(r->state));
	if (!r->shred.of)
		return error_set(err, E_SEAL, "%s", r->is_contradicted ? r->contradiction : "the shredding names no order that is known");
	for (size_t i = 0; i < r->said_count; i++)
		if (!strcmp(r->said[i], person))
			return error_set(err, CLI_CONFLICT, "you have said so already");
	for (size_t i = 0; i < r->missing_count; i++)
		if (!strcmp(r->missing[i], person))
			return 0;
	return error_set(err, CLI_CONFLICT, "'%s' never had a key that opens anything of '%s': there is nothing to attest", person,
			 c->member->name);
}

static int make_text(struct buf *out, const struct ceremony *c, const struct args *args, struct error *err)
{
	const struct home *home = c->cli->home;
	const struct retirement_batch *b = c->dossier.now.shred.of;
	const char *copy;

	statement_begin(out, STATEMENT_SHREDDED);
	statement_add(out, "fleet", "%s", home->fleet);
	statement_add(out, "device", "%s", c->member->id);
	statement_add(out, "by", "%s", home->person);
	statement_add_time(out, "time", clock_now_s());
	statement_add(out, "root", "%llu", (unsigned long long)root_version(home->root));
	statement_add_hash(out, "batch", statement_hash(b->batch));
	statement_add_hash(out, "leaf", statement_hash(b->order));
	for (size_t i = 0; (copy = args_at(args, "copy", i)); i++)
		statement_add(out, "copy", "%s", copy);
	if (args_has(args, "note"))
		statement_add(out, "note", "%s", args_get(args, "note"));
	return statement_check(buf_bytes(out), err) < 0 ? error_set(err, CLI_USAGE, "%s", err->text) : 0;
}

int attest(struct ceremony *c, const struct args *args, struct error *err)
{
	_cleanup_(mem_freep) char *key = home_signing_key(c->cli->home);
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = check(c, err);

	if (r == 0)
		r = make_text(&text, c, args, err);
	if (r < 0)
		return r;
	output_note("You say that you kept nothing that opens '%s', or destroyed it: no exported keyring, no file with one of its "
		    "configurations or "
		    "secrets, no plan or report%s. (This program keeps none.)",
		    c->member->name, args_has(args, "copy") ? ", but for the copies that you name" : "");
	if (!args_has(args, "yes"))
		r = passphrase_confirm("Is that so?", err);
	if (r == 0)
		r = sign_statement(&text, key, err);
	if (r == 0)
		r = api_post_object(c->cli->api, buf_bytes(&text), err);
	return r < 0 ? r : 0;
}
