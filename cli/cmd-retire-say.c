/* cli/cmd-retire-say.c -- holdfast retire approve, cancel, attest, witness: what people sign about a device that leaves. */
#include "cli/commands.h"

#include "base/clock.h"
#include "cli/attest.h"
#include "cli/carry.h"
#include "cli/ceremony.h"
#include "cli/home.h"
#include "cli/passphrase.h"
#include "cli/show.h"

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
					 root_separates(home->root, statement_get(s->of->batch, "kind")) ? "not counted" :
													   "counted already");
		return error_set(err, CLI_CONFLICT, "you approved it already; others have to agree");
	}
	for (int i = 0; i < STEPS; i++)
		if (step_at(c, i)->of && step_at(c, i)->consent.is_rejected)
			return error_set(err, CLI_CONFLICT,
					 "'%s' rejected it: no approval counts until that is withdrawn (holdfast approval withdraw %s)",
					 step_at(c, i)->consent.rejected_by, dossier_batch(&c->dossier, step_at(c, i))->rollout.id);
	return error_set(err, CLI_CONFLICT, "nothing about '%s' waits for approval: it is %s; see: holdfast retire status %s",
			 c->member->name, retirement_state_name(c->dossier.now.state), c->member->name);
}

static int may_approve(const struct ceremony *c, const bool on[static STEPS], struct error *err)
{
	const struct home *home = c->cli->home;

	if (!root_has_role(home->root, home->person, ROLE_RETIRER))
		return error_set(err, E_DENIED,
				 "'%s' does not have the role 'retirer', which agreeing to this takes; see: holdfast root show",
				 home->person);
	if (root_is_expired(home->root, clock_now_s()))
		return error_set(err, E_DENIED, "root %llu has expired: no device would take it; its people sign the next root first",
				 (unsigned long long)root_version(home->root));
	if (c->dossier.now.is_contradicted)
		return error_set(err, E_SEAL, "what was said about '%s' contradicts itself: %s", c->member->name,
				 c->dossier.now.contradiction);
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
		output_note("Batch      %s, %s, by %s at %s", dossier_batch(&c->dossier, s)->rollout.id,
			    statement_get(s->of->batch, "kind"), statement_get(s->of->batch, "person"),
			    statement_get(s->of->batch, "time"));
		output_note("Reason     %s%s%s", statement_get(s->of->batch, "reason"), statement_get(s->of->batch, "ticket") ? "  " : "",
			    statement_get(s->of->batch, "ticket") ? statement_get(s->of->batch, "ticket") : "");
		output_note("Expires    %s", statement_get(s->of->batch, "expires"));
		ceremony_tell_order(c->cli, c->member, s->of->batch, s->of->order, c->dossier.challenge);
		output_note("Agreed     %s", buf_text(&consent));
	}
}

/* One code covers all that is signed here: the order to shred names the one to erase. */
static int compare(const struct ceremony *c, const bool on[static STEPS], const struct args *args, struct error *err)
{
	const struct retirement *r = &c->dossier.now;
	const char *id = dossier_batch(&c->dossier, on[1] || retirement_shred_covers_erase(r) ? &r->shred : &r->erase)->rollout.id;
	char code[CEREMONY_CODE_LEN];

	ceremony_code(code, id);
	output_note("Ask whoever wants it, by voice, whether these are the characters:  %s", code);
	return args_has(args, "compare") ? ceremony_compare(args_get(args, "compare"), id, err) : 0;
}

/* Which of the two wait for this operator. Whoever gives a device up does not agree to erase it, too: that order waits for nobody any more.
 */
static void choose(bool on[static STEPS], const struct ceremony *c)
{
	for (int i = 0; i < STEPS; i++)
		on[i] = waits_for(step_at(c, i), c->cli->home);
	if (on[0] && on[1] && !retirement_shred_covers_erase(&c->dossier.now)) {
		output_note("holdfast: note: an order to erase it waits, too; it is left alone, since the device is to be given up");
		on[0] = false;
	}
}

int cmd_retire_approve(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(ceremony_done) struct ceremony c = { 0 };
	bool on[STEPS] = { false };
	const char *reason = NULL;
	int r = carry_reason(&reason, args, "agreed", err);

	if (r == 0)
		r = ceremony_begin(&c, cli, args->value[0], err);
	if (r == 0)
		choose(on, &c);
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

/* All batches about the device that may still do something, also those that another one overtook. */
struct stopping {
	size_t count;
	const struct dossier_batch *batches[DOSSIER_BATCHES_MAX];
	bool may_be_late, is_erase; /* a device may have it; one of them erases */
};

static bool is_aborted(const struct dossier_batch *b)
{
	return b->rollout.consent.is_aborted;
}

static void find_open(struct stopping *out, const struct ceremony *c)
{
	const struct dossier *d = &c->dossier;
	struct retirement_facts facts;

	dossier_facts(&facts, d, &c->source);
	for (size_t i = 0; i < d->batch_count; i++) {
		enum retirement_phase phase = retirement_phase_of(&d->steps[i], &facts);
		bool is_rejected = phase == PHASE_CANCELLED && d->batches[i].rollout.consent.is_rejected;

		if (is_aborted(&d->batches[i]) || !(phase == PHASE_WAITING || phase == PHASE_GIVEN || phase == PHASE_ARMED ||
						      phase == PHASE_STOPPING || is_rejected))
			continue;
		out->batches[out->count++] = &d->batches[i];
		if (strcmp(statement_get(d->batches[i].rollout.batch, "kind"), "shred") != 0) {
			out->is_erase = true;
			out->may_be_late = out->may_be_late || phase == PHASE_GIVEN || phase == PHASE_ARMED || phase == PHASE_STOPPING;
		}
	}
}

static int check_cancel(const struct ceremony *c, const struct stopping *s, struct error *err)
{
	const struct home *home = c->cli->home;

	if (!root_has_role(home->root, home->person, ROLE_RETIRER))
		return error_set(err, E_DENIED, "'%s' does not have the role 'retirer', which stopping this takes; see: holdfast root show",
				 home->person);
	if (s->count)
		return 0;
	return error_set(err, CLI_CONFLICT, "there is nothing of '%s' that could still be stopped: it is %s", c->member->name,
			 retirement_state_name(c->dossier.now.state));
}

/* The erasures first: it may be a matter of seconds. */
static int stop(const struct ceremony *c, const struct stopping *s, const char *reason, struct error *err)
{
	int r = 0;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < s->count && r == 0; i++) {
			const struct rollout *rollout = &s->batches[i]->rollout;
			_cleanup_(buf_done) struct buf text = { 0 };

			if ((strcmp(statement_get(rollout->batch, "kind"), "shred") == 0) != pass)
				continue;
			r = rollout_control(&text, c->cli, rollout, ORDER_ABORT, reason, err);
			if (r == 0)
				r = rollout_decide(c->cli, &text, err);
		}
	return r;
}

static void tell_cancelled(const struct ceremony *c, const struct stopping *s)
{
	if (s->may_be_late)
		output_note("Signed. The device may have the order: whether it was in time, its receipt says (holdfast retire execute %s "
			    "waits for it).",
			    c->member->name);
	else if (s->is_erase)
		output_note("Stopped, for good: the device never got the order.");
	else
		output_note("Stopped: that order shreds nothing any more.");
	if (c->dossier.now.is_lost)
		output_note("The device stays given up: that its key is revoked cannot be undone.");
}

static json_t *stopped_json(const struct ceremony *c, const struct stopping *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->count; i++)
		json_array_append_new(list, json_string(s->batches[i]->rollout.id));
	return json_pack("{s:s, s:s, s:s, s:o}", "device", c->member->id, "name", c->member->name, "action", "abort", "batches", list);
}

int cmd_retire_cancel(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(ceremony_done) struct ceremony c = { 0 };
	struct stopping s = { 0 };
	const char *reason;
	int r = carry_reason(&reason, args, "cancelled", err);

	if (r == 0)
		r = ceremony_begin(&c, cli, args->value[0], err);
	if (r == 0)
		find_open(&s, &c);
	if (r == 0)
		r = check_cancel(&c, &s, err);
	if (r == 0)
		r = stop(&c, &s, reason, err);
	if (r < 0)
		return r;
	if (cli->json)
		return output_json("retire-control", stopped_json(&c, &s), err);
	tell_cancelled(&c, &s);
	return EXIT_DONE;
}

/* ---- attest ---- */

int cmd_retire_attest(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(ceremony_done) struct ceremony c = { 0 };
	int r = ceremony_begin(&c, cli, args->value[0], err);

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
