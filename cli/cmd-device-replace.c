/* cli/cmd-device-replace.c -- `holdfast device replace`: a spare takes the place of a device: its name, its labels, and its last
 * configuration.
 *
 * The old one keeps its key and its archive under the name <name>-old, so that nothing that was recorded changes its owner. The
 * configuration goes to the new one as every change does: sealed to it, with confirmed commit. Cut short, the command goes on where it was,
 * with the names as they are then. */
#include "cli/commands.h"

#include "base/clock.h"
#include "cli/admission.h"
#include "cli/carry.h"
#include "cli/dossier.h"
#include "cli/home.h"
#include "cli/passphrase.h"
#include "cli/plan.h"
#include "cli/show.h"
#include "policies/weos-text.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_LEN_MAX = 63, OLD_NAMES = 9, FIRST_SNAPSHOT_S = 120, STEP_MS = 1000 };

struct pair {
	struct making o;
	const struct fleet_member *old, *new;
};

/* ---- who ---- */

static int find_pair(struct pair *p, const char *old, const char *new, struct error *err)
{
	int r = fleet_find(&p->old, &p->o.list, old, err);

	if (r == 0)
		r = fleet_find(&p->new, &p->o.list, new, err);
	if (r < 0)
		return r;
	if (p->old == p->new)
		return error_set(err, CLI_USAGE, "'%s' cannot replace itself", old);
	if (!p->old->is_admitted)
		return error_set(err, CLI_CONFLICT, "device '%s' was never admitted: there is nothing to replace", p->old->id);
	if (strcmp(p->old->driver, p->new->driver) != 0)
		return error_set(err, CLI_CONFLICT, "'%s' is of kind '%s', and '%s' of kind '%s': what one runs says nothing to the other",
				 p->old->name, p->old->driver, p->new->name[0] ? p->new->name : p->new->id, p->new->driver);
	return form_of(p->old->driver) ? 0 : error_set(err, CLI_CONFLICT, "the kind of device '%s' is not known here", p->old->driver);
}

static int begin(struct pair *p, struct cli *cli, const char *old, const char *new, struct error *err)
{
	int r = making_begin(&p->o, cli, ORDER_APPLY, err);

	if (r == 0 && !root_has_role(cli->home->root, cli->home->person, ROLE_ADMIN))
		r = error_set(err, E_DENIED, "'%s' does not have the role 'admin', which names devices; see: holdfast root show",
			      cli->home->person);
	return r < 0 ? r : find_pair(p, old, new, err);
}

static void pair_done(struct pair *p)
{
	making_done(&p->o);
}

/* Was the name handed over already, by a run that was cut short? */
static bool is_named(const struct pair *p)
{
	size_t len = strlen(p->new->name);

	return p->new->is_admitted && !strncmp(p->old->name, p->new->name, len) && !strncmp(p->old->name + len, "-old", 4);
}

static bool is_taken(const struct fleet_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->members[i].name, name))
			return true;
	return false;
}

/* "r1-old", or "r1-old-2" when an older one has that. */
static int old_name(char out[static NAME_LEN_MAX + 1], const struct pair *p, struct error *err)
{
	for (int i = 1; i <= OLD_NAMES; i++) {
		char end[8] = "-old";

		if (i > 1)
			snprintf(end, sizeof(end), "-old-%d", i);
		snprintf(out, NAME_LEN_MAX + 1, "%.*s%s", NAME_LEN_MAX - (int)strlen(end), p->old->name, end);
		if (!is_taken(&p->o.list, out))
			return 0;
	}
	return error_set(err, CLI_CONFLICT, "'%s' was replaced %d times already; give one of its predecessors another place first",
			 p->old->name, OLD_NAMES);
}

/* ---- what is to be known before ---- */

static int tell_old(struct pair *p, struct error *err)
{
	struct open_source source;
	struct dossier d = { 0 };
	enum retirement_state state;
	char seen[24];
	int r = fleet_source(&source, p->o.cli, err);

	if (r == 0)
		r = dossier_get(&d, &source, p->o.opener, p->old, err);
	if (r < 0)
		return r;
	state = d.now.state;
	dossier_done(&d);
	show_since(seen, p->old->seen_s, clock_now_s());
	if (state == RETIREMENT_ACTIVE || state == RETIREMENT_RETIRING || state == RETIREMENT_FAILED)
		output_note("holdfast: warning: '%s' is %s (last seen: %s): disconnect it before the other one has its addresses, and "
			    "retire it: "
			    "holdfast retire plan %s",
			    p->old->name, retirement_state_name(state), *seen ? seen : "never", p->old->name);
	else
		output_note("'%s' is %s.", p->old->name, retirement_state_name(state));
	return 0;
}

/* Which secrets would not work on another unit? */
static void tell_secrets(const struct pair *p, const struct opened *from)
{
	bool is_weos = !strcmp(p->old->driver, "weos");
	unsigned warnings = is_weos ? weos_warnings(buf_bytes(&from->running)) : 0;

	if (!from->has_secrets)
		output_note("holdfast: warning: the secrets are not sealed to you: what you cannot read cannot be moved");
	if (warnings & WEOS_KEY_HWUID)
		output_note("holdfast: warning: %s; enter its passwords and keys anew on the spare", weos_warning_text(WEOS_KEY_HWUID));
	if (warnings & WEOS_KEY_PORTABLE)
		output_note("holdfast: warning: %s; they move, and are to be changed", weos_warning_text(WEOS_KEY_PORTABLE));
	if (!warnings && from->has_secrets)
		output_note("Secrets: all that stand in the configuration move with it. What the device keeps elsewhere (host keys, "
			    "certificates "
			    "in its own store) does not.");
}

/* ---- the change ---- */

/* 1: it runs that already. Shows the difference. */
static int plan_change(struct pair *p, const struct opened *from, struct making_row **row, struct error *err)
{
	_cleanup_(opened_done) struct opened base = { 0 };
	_cleanup_(preview_done) struct preview change = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct preview_input in = { form_of(p->new->driver), &base, "", NULL };
	char name[96];
	int r = making_open(&base, &p->o, p->new, 0, err);

	if (r == 0)
		r = preview_reveal(&text, from, &from->running, err);
	if (r < 0)
		return r;
	show_revision(name, from);
	in.name = name;
	r = preview_whole(&change, &in, buf_bytes(&text), err);
	if (r < 0)
		return r;
	if (change.is_nothing)
		return 1;
	*row = making_add(&p->o, p->new, &base);
	r = making_put_change(&p->o, *row, base.device, &change, err);
	return r < 0 ? r : show_diff(buf_bytes(&change.diff), STDERR_FILENO, err);
}

/* ---- first half: names ---- */

static int name_new(struct pair *p, const char *name, const char *labels, struct error *err)
{
	const struct open_device *device;
	int r;

	if (!p->new->is_admitted)
		return admission_waiting(p->o.cli, p->new->id, name, labels, err);
	r = fleet_identify(&device, p->o.opener, p->new, err);
	return r < 0 ? r : admission_again(p->o.cli, device, name, labels, err);
}

/* The new one first: what may be wrong is wrong with it. Cut short behind that, both have the name, and are told apart by their ids. */
static int hand_over(struct pair *p, struct error *err)
{
	char aside[NAME_LEN_MAX + 1];
	const struct open_device *device;
	int r = old_name(aside, p, err);

	if (r == 0)
		r = fleet_identify(&device, p->o.opener, p->old, err);
	if (r == 0)
		r = name_new(p, p->old->name, p->old->labels, err);
	if (r == 0)
		r = admission_again(p->o.cli, device, aside, p->old->labels, err);
	if (r == 0)
		output_note("'%s' is called '%s' from now on, and %s is '%s'.", p->old->name, aside, p->new->id, p->old->name);
	return r;
}

static int ask(struct pair *p, const struct args *args, struct error *err)
{
	output_note("%s '%s' gets the name '%s' and its labels%s%s; the old one becomes '%s-old' and keeps its archive.",
		    p->new->is_admitted ? "Device" : "The device that waits,", p->new->name[0] ? p->new->name : p->new->id, p->old->name,
		    p->old->labels[0] ? ": " : "", p->old->labels, p->old->name);
	return args_has(args, "yes") ? 0 : passphrase_confirm("Replace it?", err);
}

static int first_half(struct cli *cli, const struct args *args, char ids[2][ID_LEN + 1], struct error *err)
{
	_cleanup_(pair_done) struct pair p = { 0 };
	_cleanup_(opened_done) struct opened from = { 0 };
	struct revision_ref ref;
	int r = select_revision(&ref, args->value[0], err) < 0 ? (err->code = CLI_USAGE) : 0;

	if (r == 0)
		r = begin(&p, cli, ref.device, args->value[1], err);
	if (r == 0)
		r = making_open(&from, &p.o, p.old, ref.is_given ? ref.number : 0, err);
	if (r < 0)
		return r;
	memcpy(ids[0], p.old->id, sizeof(ids[0]));
	memcpy(ids[1], p.new->id, sizeof(ids[1]));
	r = tell_old(&p, err);
	if (r < 0)
		return r;
	tell_secrets(&p, &from);
	if (is_named(&p))
		return 0;
	r = ask(&p, args, err);
	return r < 0 ? r : hand_over(&p, err);
}

/* ---- second half: the configuration ---- */

/* The list says so within a moment; a device that was just admitted records first. */
static int wait_for_snapshot(struct pair *p, struct cli *cli, char ids[2][ID_LEN + 1], struct error *err)
{
	uint64_t end_ms = clock_mono_ms() + FIRST_SNAPSHOT_S * 1000;
	int r = 0;

	for (bool is_told = false; r == 0; poll(NULL, 0, STEP_MS)) {
		pair_done(p);
		r = begin(p, cli, ids[0], ids[1], err);
		if (r < 0 || (p->new->snapshot && is_named(p)))
			return r;
		if (clock_mono_ms() > end_ms)
			return error_set(
				err, CLI_PARTIAL,
				"'%s' has recorded nothing yet, so nothing was ordered; when it has: holdfast device replace %s %s",
				p->new->name, p->old->name, p->new->name);
		if (!is_told)
			output_note("Waiting for the first snapshot of '%s'.", p->new->name[0] ? p->new->name : p->new->id);
		is_told = true;
	}
	return r;
}

static int second_half(struct cli *cli, const struct args *args, const char *reason, char ids[2][ID_LEN + 1], struct error *err)
{
	_cleanup_(pair_done) struct pair p = { 0 };
	_cleanup_(opened_done) struct opened from = { 0 };
	struct making_row *row = NULL;
	struct batch_terms terms;
	struct revision_ref ref;
	int r = wait_for_snapshot(&p, cli, ids, err);

	if (r == 0)
		r = select_revision(&ref, args->value[0], err);
	if (r == 0)
		r = making_open(&from, &p.o, p.old, ref.is_given ? ref.number : 0, err);
	if (r == 0 && plan_obstacle(p.new, clock_now_s()))
		r = error_set(err, CLI_CONFLICT, "'%s' would refuse the order: %s", p.new->name, plan_obstacle(p.new, clock_now_s()));
	if (r == 0)
		r = plan_change(&p, &from, &row, err);
	if (r < 0)
		return r;
	if (r == 1) {
		output_note("'%s' runs what the old one ran; there is nothing to do.", p.new->name);
		return EXIT_DONE;
	}
	making_terms(&terms, &p.o, reason, args_get(args, "ticket"), clock_now_s());
	terms.is_whole = true;
	return carry_out(&p.o, &terms, args, "Apply this? It returns by itself unless it proves healthy.", err);
}

int cmd_device_replace(struct cli *cli, const struct args *args, struct error *err)
{
	char ids[2][ID_LEN + 1];
	const char *reason;
	int r = carry_reason(&reason, args, "replaced", err);

	if (r == 0)
		r = first_half(cli, args, ids, err);
	return r < 0 ? r : second_half(cli, args, reason, ids, err);
}
