/* cli/cmd-policy-waive.c -- holdfast policy waive, unwaive: somebody answers for a rule that does not hold, until a day, with a reason. A
 * waiver is a statement of its own, signed by a person of role admin; the device that it is for gets it with its next set of policies. */
#include "cli/commands.h"

#include "base/clock.h"
#include "cli/home.h"
#include "cli/passphrase.h"
#include "cli/publishing.h"
#include "cli/rule-name.h"
#include "cli/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEVICES_OF_A_WAIVER = 64 };

struct waiving {
	struct rule_name name;
	const struct args *args;
	const struct home *home;
	struct buf *waivers; /* one for each 64 devices; unwaive has none */
	size_t waiver_count;
	bool *is_signed;
	struct fleet_list meant; /* in the order in which they stand in the waivers */
	size_t without;          /* devices that had no waiver to take away */
};

static void waiving_done(struct waiving *w)
{
	for (size_t i = 0; i < w->waiver_count; i++)
		buf_done(&w->waivers[i]);
	free(w->waivers);
	free(w->is_signed);
	fleet_list_done(&w->meant);
}

/* ---- waivers of a set ---- */

static bool is_about(struct bytes waiver, const struct rule_name *name)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct error ignored;
	size_t used;

	return statement_parse(&st, waiver, true, &used, &ignored) == 0 && statement_type(st) == STATEMENT_WAIVER &&
	       !strcmp(statement_get(st, "policy"), name->pack) && !strcmp(statement_get(st, "rule"), name->rule);
}

/* How many went. */
static size_t drop_waivers(struct policy_set *set, const struct rule_name *name)
{
	size_t kept = 0, had = set->waiver_count;

	for (size_t i = 0; i < had; i++)
		if (!is_about(set->waivers[i], name))
			set->waivers[kept++] = set->waivers[i];
	set->waiver_count = kept;
	return had - kept;
}

static size_t waiver_of(const struct waiving *w, const struct fleet_member *m)
{
	size_t i = 0;

	while (i < w->meant.count && strcmp(w->meant.members[i].id, m->id) != 0)
		i++;
	return i / DEVICES_OF_A_WAIVER;
}

/* Once it is known that there is something to waive. */
static int sign_waiver(struct waiving *w, size_t i, struct error *err)
{
	_cleanup_(mem_freep) char *key = home_signing_key(w->home);

	if (w->is_signed[i])
		return 0;
	fputs(buf_text(&w->waivers[i]), stderr);
	if (!args_has(w->args, "yes") && passphrase_confirm("Sign this waiver?", err) < 0)
		return err->code;
	w->is_signed[i] = true;
	return sign_statement(&w->waivers[i], key, err);
}

static int add_waiver(void *ctx, struct policy_set *set, const struct fleet_member *m, struct error *err)
{
	struct waiving *w = ctx;
	size_t i = waiver_of(w, m);

	if (!policy_set_has_rule(set, w->name.pack, w->name.rule))
		return error_set(err, CLI_ABSENT, "its policies have no rule '%s/%s'; publish the pack first", w->name.pack, w->name.rule);
	if (i == w->waiver_count)
		return error_set(err, CLI_CONFLICT, "it came just now; say it again");
	drop_waivers(set, &w->name);
	if (set->waiver_count == POLICY_SET_WAIVERS_MAX)
		return error_set(err, E_LIMIT, "it has %d waivers already", POLICY_SET_WAIVERS_MAX);
	if (sign_waiver(w, i, err) < 0)
		return err->code;
	set->waivers[set->waiver_count++] = buf_bytes(&w->waivers[i]);
	return 0;
}

static int take_away(void *ctx, struct policy_set *set, const struct fleet_member *m _unused_, struct error *err _unused_)
{
	struct waiving *w = ctx;

	if (drop_waivers(set, &w->name))
		return 0;
	w->without++;
	return PUBLISHING_NOT;
}

/* ---- the statement ---- */

static int write_waiver(struct buf *text, const struct waiving *w, const struct home *home, size_t from, int64_t until_s,
			const char *reason, struct error *err)
{
	statement_begin(text, STATEMENT_WAIVER);
	statement_add(text, "fleet", "%s", home->fleet);
	statement_add(text, "policy", "%s", w->name.pack);
	statement_add(text, "rule", "%s", w->name.rule);
	for (size_t i = from; i < w->meant.count && i < from + DEVICES_OF_A_WAIVER; i++)
		statement_add(text, "device", "%s", w->meant.members[i].id);
	statement_add(text, "person", "%s", home->person);
	statement_add_time(text, "time", clock_now_s());
	statement_add_time(text, "until", until_s);
	statement_add(text, "root", "%llu", (unsigned long long)root_version(home->root));
	statement_add(text, "reason", "%s", reason);
	if (args_get(w->args, "ticket"))
		statement_add(text, "ticket", "%s", args_get(w->args, "ticket"));
	return statement_check(buf_bytes(text), err);
}

static int write_waivers(struct waiving *w, const struct home *home, int64_t until_s, const char *reason, struct error *err)
{
	size_t count = (w->meant.count + DEVICES_OF_A_WAIVER - 1) / DEVICES_OF_A_WAIVER;

	w->home = home;
	w->waivers = mem_alloc((count + 1) * sizeof(*w->waivers));
	w->is_signed = mem_alloc((count + 1) * sizeof(*w->is_signed));
	for (; w->waiver_count < count; w->waiver_count++)
		if (write_waiver(&w->waivers[w->waiver_count], w, home, w->waiver_count * DEVICES_OF_A_WAIVER, until_s, reason, err) < 0)
			return err->code;
	return 0;
}

/* Who is meant, in a list of their own: the other one is worked through and borrowed. */
static int take_meant(struct waiving *w, struct cli *cli, struct error *err)
{
	size_t kept = 0;
	int r = fleet_list_get(&w->meant, cli, err);

	if (r == 0)
		r = fleet_list_select(&w->meant, &w->args->value[1], w->args->count - 1, err);
	for (size_t i = 0; i < w->meant.count; i++)
		if (w->meant.members[i].is_admitted && !*w->meant.members[i].retired)
			w->meant.members[kept++] = w->meant.members[i];
	w->meant.count = kept;
	return r < 0 || kept ? r : error_set(err, CLI_ABSENT, "no admitted device is meant; see: holdfast device list");
}

static int check_role(const struct home *home, struct error *err)
{
	return root_has_role(home->root, home->person, ROLE_ADMIN)
		       ? 0
		       : error_set(err, E_DENIED, "'%s' does not have the role 'admin', which a waiver takes; see: holdfast root show",
				   home->person);
}

int cmd_policy_waive(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(waiving_done) struct waiving w = { .args = args };
	_cleanup_(publishing_done) struct publishing p = { .change = add_waiver, .ctx = &w };
	const char *reason, *until = args_get(args, "until");
	int64_t until_s;
	int r = rule_name_parse(&w.name, args->value[0], err);

	if (r == 0 && !until)
		r = error_set(err, CLI_USAGE, "until when? say --until DAY|TIME|DURATION");
	if (r == 0)
		r = publishing_until(&until_s, until, clock_now_s(), err);
	if (r == 0)
		r = carry_reason(&reason, args, NULL, err);
	if (r == 0)
		r = publishing_begin(&p, cli, err);
	if (r == 0)
		r = check_role(cli->home, err);
	if (r == 0)
		r = take_meant(&w, cli, err);
	if (r == 0)
		r = fleet_list_select(&p.orders.list, &args->value[1], args->count - 1, err);
	if (r == 0)
		r = write_waivers(&w, cli->home, until_s, reason, err);
	/* the waiver's reason is sealed; that of the batch stands in the clear */
	return r < 0 ? r : publishing_run(&p, args, "a waiver", NULL, err);
}

int cmd_policy_unwaive(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(waiving_done) struct waiving w = { .args = args };
	_cleanup_(publishing_done) struct publishing p = { .change = take_away, .ctx = &w };
	const char *reason;
	int r = rule_name_parse(&w.name, args->value[0], err);

	if (r == 0)
		r = carry_reason(&reason, args, "a waiver is taken away", err);
	if (r == 0)
		r = publishing_begin(&p, cli, err);
	if (r == 0)
		r = fleet_list_select(&p.orders.list, &args->value[1], args->count - 1, err);
	if (r < 0)
		return r;
	r = publishing_run(&p, args, reason, "Take the waiver away? The rule counts again.", err);
	return r == CLI_ABSENT && w.without ? error_set(err, CLI_ABSENT, "none of these devices has a waiver of '%s'", args->value[0]) : r;
}
