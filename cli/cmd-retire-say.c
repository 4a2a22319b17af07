/* cli/cmd-retire-say.c -- holdfast retire approve, cancel, attest, witness: what people sign about a device that leaves. */
#include "cli/commands.h"

#include "base/clock.h"
#include "cli/api.h"
#include "cli/carry.h"
#include "cli/ceremony.h"
#include "cli/home.h"
#include "cli/passphrase.h"
#include "cli/show.h"
#include "cli/sign.h"

#include <string.h>

enum { STEPS = 2 };

static const struct retirement_step *step_at(const struct ceremony *c, int i)
{
	return i ? &c->dossier.now.shred : &c->dossier.now.erase;
}

/* The newest of one's own decisions; "" for none. */
static const char *said_by(const struct retirement_step *s, const char *person)
{
	const char *said = "";
	enum order_action action;

	for (size_t i = 0; i < s->of->control_count; i++)
		if (!strcmp(statement_get(s->of->controls[i], "person"), person) &&
		    order_action_parse(&action, statement_get(s->of->controls[i], "action")) && action <= ORDER_WITHDRAW)
			said = statement_get(s->of->controls[i], "action");
	return said;
}

static int decide(struct ceremony *c, const struct retirement_step *s, enum order_action action, const char *reason, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = rollout_control(&text, c->cli, &dossier_batch(&c->dossier, s)->rollout, action, reason, err);

	return r < 0 ? r : rollout_decide(c->cli, &text, err);
}

static json_t *decided_json(const struct ceremony *c, const char *action, const bool on[static STEPS])
{
	json_t *list = json_array();

	for (int i = 0; i < STEPS; i++)
		if (on[i])
			json_array_append_new(list, json_string(dossier_batch(&c->dossier, step_at(c, i))->rollout.id));
	return json_pack("{s:s, s:s, s:s, s:o}", "device", c->member->id, "name", c->member->name, "action", action, "batches", list);
}

/* ---- approve ---- */

/* Whether this operator's approval of it counts for something now. */
static bool waits_for(const struct retirement_step *s, const struct home *home)
{
	return s->of && s->phase == PHASE_WAITING && strcmp(said_by(s, home->person), "approve") != 0 &&
	       strcmp(statement_get(s->of->batch, "person"), home->person) != 0;
}

static int nothing_waits(const struct ceremony *c, struct error *err)
{
	const struct home *home = c->cli->home;

	for (int i = 0; i < STEPS; i++) {
		const struct retirement_step *s = step_at(c, i);

		if (!s->of || s->phase != PHASE_WAITING)
			continue;
		if (!strcmp(statement_get(s->of->batch, "person"), home->person))
			return error_set(err, root_separates(home->root, statement_get(s->of->batch, "kind")) ? E_DENIED : CLI_CONFLICT,
					 "it is yours: you are %s as its author; others have to agree",
					 root_separates(home->root, statement_get(s->of->batch, "kind")) ? "not counted" : "counted already");
		return error_set(err, CLI_CONFLICT, "you approved it already; others have to agree");
	}
	for (int i = 0; i < STEPS; i++)
		if (step_at(c, i)->of && step_at(c, i)->consent.is_rejected)
			return error_set(err, CLI_CONFLICT, "'%s' rejected it: no approval counts until that is withdrawn (holdfast approval withdraw %s)",
					 step_at(c, i)->consent.rejected_by, dossier_batch(&c->dossier, step_at(c, i))->rollout.id);
	return error_set(err, CLI_CONFLICT, "nothing about '%s' waits for approval: it is %s; see: holdfast retire status %s", c->member->name,
			 retirement_state_name(c->dossier.now.state), c->member->name);
}

static int may_approve(const struct ceremony *c, const bool on[static STEPS], struct error *err)
{
	const struct home *home = c->cli->home;

	if (!root_has_role(home->root, home->person, ROLE_RETIRER))
		return error_set(err, E_DENIED, "'%s' does not have the role 'retirer', which agreeing to this takes; see: holdfast root show",
				 home->person);
	if (root_is_expired(home->root, clock_now_s()))
		return error_set(err, E_DENIED, "root %llu has expired: no device would take it; its people sign the next root first",
				 (unsigned long long)root_version(home->root));
	if (c->dossier.now.is_contradicted)
		return error_set(err, E_SEAL, "what was said about '%s' contradicts itself: %s", c->member->name, c->dossier.now.contradiction);
	for (int i = 0; i < STEPS; i++)
		if (on[i] && dossier_batch(&c->dossier, step_at(c, i))->rollout.is_by_old_root)
			return error_set(err, E_DENIED, "its author, '%s', does not have the role any more: no device would take it",
					 statement_get(step_at(c, i)->of->batch, "person"));
	return on[0] || on[1] ? 0 : nothing_waits(c, err);
}

static void tell(const struct ceremony *c, const bool on[static STEPS])
{
	for (int i = 0; i < STEPS; i++) {
		const struct retirement_step *s = step_at(c, i);
		_cleanup_(buf_done) struct buf consent = { 0 };

		if (!on[i])
			continue;
		rollout_consent(&consent, &dossier_batch(&c->dossier, s)->rollout, c->cli->home->root);
		output_note("Batch      %s, %s, by %s at %s", dossier_batch(&c->dossier, s)->rollout.id, statement_get(s->of->batch, "kind"),
			    statement_get(s->of->batch, "person"), statement_get(s->of->batch, "time"));
		output_note("Reason     %s%s%s", statement_get(s->of->batch, "reason"), statement_get(s->of->batch, "ticket") ? "  " : "",
			    statement_get(s->of->batch, "ticket") ? statement_get(s->of->batch, "ticket") : "");
		output_note("Expires    %s", statement_get(s->of->batch, "expires"));
		ceremony_tell_order(c->cli, c->member, s->of->batch, s->of->order, c->dossier.challenge);
		output_note("Agreed     %s", buf_text(&consent));
	}
}

/* The one code that covers what is signed here. */
static int compare(const struct ceremony *c, const bool on[static STEPS], const struct args *args, struct error *err)
{
	const struct retirement_step *coded = ceremony_coded(&c->dossier.now);
	const char *said = args_get(args, "compare"), *id;
	char code[CEREMONY_CODE_LEN];

	if (!on[1] && on[0])
		coded = coded && coded->of == c->dossier.now.shred.of ? coded : &c->dossier.now.erase;
	id = dossier_batch(&c->dossier, coded)->rollout.id;
	ceremony_code(code, id);
	output_note("Ask whoever wants it, by voice, whether these are the characters:  %s", code);
	return said ? ceremony_compare(said, id, err) : 0;
}

int cmd_retire_approve(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(ceremony_done) struct ceremony c = { 0 };
	bool on[STEPS] = { false };
	const char *reason = NULL;
	int r = carry_reason(&reason, args, "agreed", err);

	if (r == 0)
		r = ceremony_begin(&c, cli, args->value[0], err);
	for (int i = 0; i < STEPS && r == 0; i++)
		on[i] = waits_for(step_at(&c, i), cli->home);
	if (r == 0)
		r = may_approve(&c, on, err);
	if (r < 0)
		return r;
	tell(&c, on);
	r = compare(&c, on, args, err);
	if (r == 0 && !args_has(args, "yes"))
		r = passphrase_confirm("Sign that you agree?", err);
	for (int i = 0; i < STEPS && r == 0; i++)
		if (on[i])
			r = decide(&c, step_at(&c, i), ORDER_APPROVE, args_has(args, "reason") ? reason : NULL, err);
	if (r < 0)
		return r;
	if (cli->json)
		return output_json("retire-control", decided_json(&c, "approve", on), err);
	output_note("Signed. See:  holdfast retire status %s", c.member->name);
	return EXIT_DONE;
}

/* ---- cancel ---- */

static bool can_be_stopped(const struct retirement_step *s)
{
	return s->of && !s->consent.is_aborted &&
	       (s->phase == PHASE_WAITING || s->phase == PHASE_GIVEN || s->phase == PHASE_ARMED || s->phase == PHASE_STOPPING ||
		(s->phase == PHASE_CANCELLED && s->consent.is_rejected));
}

static int check_cancel(const struct ceremony *c, const bool on[static STEPS], struct error *err)
{
	const struct home *home = c->cli->home;

	if (!root_has_role(home->root, home->person, ROLE_RETIRER))
		return error_set(err, E_DENIED, "'%s' does not have the role 'retirer', which stopping this takes; see: holdfast root show",
				 home->person);
	if (on[0] || on[1])
		return 0;
	return error_set(err, CLI_CONFLICT, "there is nothing of '%s' that could still be stopped: it is %s", c->member->name,
			 retirement_state_name(c->dossier.now.state));
}

static void tell_cancelled(const struct ceremony *c, const bool on[static STEPS])
{
	const struct retirement *r = &c->dossier.now;

	if (on[0] && r->erase.was_given)
		output_note("Signed. The device may have the order: whether it was in time, its receipt says (holdfast retire execute %s waits for it).",
			    c->member->name);
	else if (on[0])
		output_note("Stopped, for good: the device never got the order.");
	else
		output_note("Stopped: the archive is not shredded.");
	if (r->is_lost)
		output_note("The device stays given up: that its key is revoked cannot be undone.");
}

int cmd_retire_cancel(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(ceremony_done) struct ceremony c = { 0 };
	bool on[STEPS] = { false };
	const char *reason;
	int r = carry_reason(&reason, args, "cancelled", err);

	if (r == 0)
		r = ceremony_begin(&c, cli, args->value[0], err);
	for (int i = 0; i < STEPS && r == 0; i++)
		on[i] = can_be_stopped(step_at(&c, i));
	if (r == 0)
		r = check_cancel(&c, on, err);
	for (int i = 0; i < STEPS && r == 0; i++) /* the erasure first: it may be a matter of seconds */
		if (on[i])
			r = decide(&c, step_at(&c, i), ORDER_ABORT, reason, err);
	if (r < 0)
		return r;
	if (cli->json)
		return output_json("retire-control", decided_json(&c, "abort", on), err);
	tell_cancelled(&c, on);
	return EXIT_DONE;
}

/* ---- attest ---- */

static int check_attest(const struct ceremony *c, struct error *err)
{
	const struct retirement *r = &c->dossier.now;
	const char *person = c->cli->home->person;

	if (!r->shredded)
		return error_set(err, CLI_CONFLICT, "the archive has not said yet that it shredded '%s' (%s); there is nothing to attest before",
				 c->member->name, retirement_state_name(r->state));
	if (!r->shred.of)
		return error_set(err, E_SEAL, "%s", r->is_contradicted ? r->contradiction : "the shredding names no order that is known");
	for (size_t i = 0; i < r->said_count; i++)
		if (!strcmp(r->said[i], person))
			return error_set(err, CLI_CONFLICT, "you have said so already");
	for (size_t i = 0; i < r->missing_count; i++)
		if (!strcmp(r->missing[i], person))
			return 0;
	return error_set(err, CLI_CONFLICT, "'%s' never had a key that opens anything of '%s': there is nothing to attest", person, c->member->name);
}

static int attest_text(struct buf *out, const struct ceremony *c, const struct args *args, struct error *err)
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

static int attest(struct ceremony *c, const struct args *args, struct error *err)
{
	_cleanup_(mem_freep) char *key = home_signing_key(c->cli->home);
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = attest_text(&text, c, args, err);

	if (r < 0)
		return r;
	output_note("You say that you kept nothing that opens '%s', or destroyed it: no exported keyring, no file with one of its configurations or "
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

int cmd_retire_attest(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(ceremony_done) struct ceremony c = { 0 };
	int r = ceremony_begin(&c, cli, args->value[0], err);

	if (r == 0)
		r = check_attest(&c, err);
	if (r == 0)
		r = attest(&c, args, err);
	if (r < 0)
		return r;
	if (cli->json)
		return output_json("retire-attest", json_pack("{s:s, s:s, s:s}", "device", c.member->id, "name", c.member->name, "by",
							      cli->home->person),
				   err);
	output_note("Signed. See:  holdfast retire status %s", c.member->name);
	return EXIT_DONE;
}

/* ---- witness ---- */

int cmd_retire_witness(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(ceremony_done) struct ceremony c = { 0 };
	const struct retirement_step *s;
	const char *reason = NULL;
	bool on[STEPS];
	int r = args_has(args, "reason") ? carry_reason(&reason, args, NULL, err)
					 : error_set(err, CLI_USAGE, "say what was seen on site, with --reason TEXT");

	if (r == 0)
		r = ceremony_begin(&c, cli, args->value[0], err);
	if (r < 0)
		return r;
	s = c.dossier.now.erase.of ? &c.dossier.now.erase : &c.dossier.now.shred;
	if (!s->of)
		return error_set(err, CLI_CONFLICT, "nobody has asked to retire '%s': there is nothing to bear witness of", c.member->name);
	if (s->consent.is_aborted)
		return error_set(err, CLI_CONFLICT, "it was stopped for good: nothing more is written to batch '%s'",
				 dossier_batch(&c.dossier, s)->rollout.id);
	r = decide(&c, s, ORDER_WITNESS, reason, err);
	if (r < 0)
		return r;
	on[0] = s == &c.dossier.now.erase;
	on[1] = !on[0];
	if (cli->json)
		return output_json("retire-control", decided_json(&c, "witness", on), err);
	output_note("Signed: what you saw stays in the archive. It decides nothing by itself.");
	return EXIT_DONE;
}
