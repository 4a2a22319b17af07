/* cli/cmd-policy-fix.c -- holdfast policy fix: what a rule finds wrong is put right by its remedy, through an order like any other; it is
 * done when the device itself says, signed, that the rule passes. */
#include "cli/commands.h"

#include "base/clock.h"
#include "cli/carry.h"
#include "cli/fixing.h"
#include "cli/home.h"
#include "policies/verdict.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { WAIT_DEFAULT_S = 300, POLL_MS = 1000, SETTLED_S = 10 };

/* ---- waiting for the device's own word ---- */

/* How one device stands: the last verdict about a configuration behind the change. */
struct standing_now {
	uint64_t verdict, judged;
	const char *said; /* static: "pass", or the worst of the rules; NULL: nothing yet */
	bool is_saved;
	int64_t since_s; /* when we first saw that */
};

struct waiting {
	struct cli *cli;
	const struct fixing *f;
	struct fleet_list list;
	struct standing_now *now; /* as f->devices */
	int64_t end_s;
};

static void waiting_done(struct waiting *w)
{
	fleet_list_done(&w->list);
	free(w->now);
}

/* Of the rules that were to be put right; a rule that it does not name is unknown. */
static int worst_of(const char **out, const struct waiting *w, const struct fix_device *d, const struct opened_verdict *v,
		    struct error *err)
{
	static const enum standing worst_first[] = {STANDING_FAIL, STANDING_UNKNOWN, STANDING_WAIVED, STANDING_NOT_APPLICABLE};
	_cleanup_(findings_done) struct findings findings = {0};
	bool seen[STANDINGS] = {false};
	int r = findings_read(&findings, buf_bytes(&v->findings), err);

	for (size_t i = 0; i < d->rule_count && r == 0; i++) {
		enum standing standing = STANDING_UNKNOWN;

		for (size_t k = 0; k < findings.count; k++)
			if (bytes_is(findings.rules[k].pack, w->f->wish->name.pack) && bytes_is(findings.rules[k].rule, d->rules[i]))
				standing = findings.rules[k].standing;
		seen[standing] = true;
	}
	*out = standing_name(STANDING_PASS);
	for (size_t i = ARRAY_SIZE(worst_first); i--;)
		if (seen[worst_first[i]])
			*out = standing_name(worst_first[i]);
	return r;
}

static int read_verdict(struct waiting *w, size_t i, const struct fleet_member *m, struct error *err)
{
	_cleanup_(opener_freep) struct opener *opener = NULL;
	_cleanup_(opened_verdict_done) struct opened_verdict v = {0};
	struct open_wanted wanted = {.id = m->id, .at_least = m->verdict};
	struct standing_now *now = &w->now[i];
	uint8_t hash[HASH_LEN];
	uint64_t judged = 0;
	int r = fleet_opener(&opener, w->cli, err);

	if (r == 0)
		r = opener_verdict(&v, opener, &wanted, true, err);
	if (r < 0)
		return r;
	statement_get_point(&judged, hash, v.st, "snapshot");
	now->verdict = statement_number(v.st, "number");
	if (judged <= w->f->devices[i].base) /* about what was before */
		return 0;
	now->judged = judged;
	now->since_s = clock_now_s();
	return worst_of(&now->said, w, &w->f->devices[i], &v, err);
}

/* True: there is nothing more to wait for. What does not pass may still be about an early moment of the change. */
static bool is_over(const struct standing_now *now, const struct fleet_member *m)
{
	if (!now->said || !now->is_saved)
		return false;
	return !strcmp(now->said, "pass") || (now->verdict > m->snapshot && clock_now_s() - now->since_s > SETTLED_S);
}

static const struct fleet_member *member_of(const struct waiting *w, const char *id)
{
	for (size_t i = 0; i < w->list.count; i++)
		if (!strcmp(w->list.members[i].id, id))
			return &w->list.members[i];
	return NULL;
}

static int look(struct waiting *w, size_t *open, struct error *err)
{
	fleet_list_done(&w->list);
	if (fleet_list_get(&w->list, w->cli, err) < 0)
		return err->code;
	*open = 0;
	for (size_t i = 0; i < w->f->count; i++) {
		const struct fleet_member *m = member_of(w, w->f->devices[i].id);
		struct standing_now *now = &w->now[i];

		if (!m)
			continue;
		now->is_saved = !strcmp(m->saved, "yes");
		if (m->verdict > now->verdict && read_verdict(w, i, m, err) < 0)
			return err->code;
		*open += !is_over(now, m);
	}
	return 0;
}

static int wait_for_verdicts(struct waiting *w, struct error *err)
{
	struct progress progress = {.what = "verdicts"};
	size_t open = w->f->count;
	int r;

	w->now = mem_alloc((w->f->count + 1) * sizeof(*w->now));
	while ((r = look(w, &open, err)) == 0 && open && clock_now_s() < w->end_s) {
		progress_show(&progress, w->f->count - open, w->f->count);
		poll(NULL, 0, POLL_MS);
	}
	progress_end(&progress);
	return r;
}

/* ---- what came of it ---- */

static void add_rules(struct buf *out, const struct fix_device *d)
{
	for (size_t i = 0; i < d->rule_count; i++)
		buf_addf(out, "%s%s", i ? " " : "", d->rules[i]);
}

struct outcome {
	struct table table;
	json_t *all;
	size_t done;
};

static void add_outcome(struct outcome *o, const struct fix_device *d, const struct standing_now *now)
{
	_cleanup_(buf_done) struct buf rules = {0};
	bool is_done = now->said && !strcmp(now->said, "pass") && now->is_saved;
	char verdict[24] = "", revision[96] = "";
	json_t *list = json_array();

	add_rules(&rules, d);
	if (now->said) {
		snprintf(verdict, sizeof(verdict), "%llu", (unsigned long long)now->verdict);
		snprintf(revision, sizeof(revision), "%s@%llu", d->name, (unsigned long long)now->judged);
	}
	table_add(&o->table, (const char *const[]){d->name, now->said ? now->said : "not said yet", verdict, revision,
						   now->is_saved ? "yes" : "no", buf_text(&rules)});
	for (size_t i = 0; i < d->rule_count; i++)
		json_array_append_new(list, json_string(d->rules[i]));
	json_array_append_new(o->all, json_pack("{s:s, s:s, s:s, s:I, s:I, s:b, s:o}", "device", d->id, "name", d->name, "verdict",
						now->said ? now->said : "", "number", (json_int_t)(now->said ? now->verdict : 0),
						"snapshot", (json_int_t)now->judged, "saved", (int)now->is_saved, "rules", list));
	o->done += is_done;
}

static int print_outcome(const struct waiting *w, const char *batch, struct error *err)
{
	static const char *const heads[] = {"DEVICE", "VERDICT", "NUMBER", "ABOUT", "SAVED", "RULES"};
	struct outcome o = {.all = json_array()};
	int r;

	table_init(&o.table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < w->f->count; i++)
		add_outcome(&o, &w->f->devices[i], &w->now[i]);
	r = w->cli->json ? output_json("policy-fix", json_pack("{s:s, s:O}", "batch", batch, "devices", o.all), err)
			 : table_print(&o.table, err);
	table_done(&o.table);
	json_decref(o.all);
	if (r == 0 && o.done < w->f->count)
		output_note("%zu of %zu devices have not said that it passes, and is saved; see: holdfast policy status",
			    w->f->count - o.done, w->f->count);
	return r < 0 ? r : o.done == w->f->count ? EXIT_DONE : EXIT_FINDING;
}

/* ---- the command ---- */

static int make_terms(struct batch_terms *terms, const struct fixing *f, const struct args *args, const char *reason, struct error *err)
{
	making_terms(terms, &f->orders, reason, args_get(args, "ticket"), clock_now_s());
	terms->is_whole = f->is_whole;
	if (!args_has(args, "confirm"))
		return 0;
	if (args_duration(&terms->confirm_s, args_get(args, "confirm"), err) < 0)
		return err->code;
	return terms->confirm_s >= 10 && terms->confirm_s <= 3600 ? 0 : error_set(err, CLI_USAGE, "--confirm is 10s to 1h");
}

static void take_probes(struct fixing *f, const struct args *args)
{
	const char *probe;

	for (size_t i = 0; i < f->orders.count; i++) {
		struct making_row *row = &f->orders.rows[i];

		while (row->probe_count < ARRAY_SIZE(row->probes) && (probe = args_at(args, "probe", row->probe_count)))
			row->probes[row->probe_count++] = mem_strdup(probe);
	}
}

/* Follows the batch to its receipts; with --json its own document is left out, since the verdicts are the answer. */
static int follow_batch(struct cli *cli, const char *id, const struct args *args, struct error *err)
{
	_cleanup_(rollout_done) struct rollout rollout = {0};
	struct open_source source;
	bool json = cli->json;
	int r = fleet_source(&source, cli, err);

	if (r == 0)
		r = rollout_get(&rollout, &source, id, err);
	if (r < 0)
		return r;
	if (args_has(args, "no-wait"))
		return carry_leave(cli, &rollout, err);
	cli->json = false;
	r = carry_follow(cli, &rollout, args, true, !json, err);
	cli->json = json;
	return r;
}

static int carry_through(struct fixing *f, const struct args *args, const char *reason, struct error *err)
{
	_cleanup_(waiting_done) struct waiting w = {.cli = f->orders.cli, .f = f};
	struct batch_terms terms;
	char id[ID_LEN + 1];
	int64_t timeout_s = WAIT_DEFAULT_S;
	int r = args_has(args, "timeout") ? args_duration(&timeout_s, args_get(args, "timeout"), err) : 0;

	if (r == 0)
		r = make_terms(&terms, f, args, reason, err);
	if (r < 0)
		return r;
	take_probes(f, args);
	r = carry_post(id, &f->orders, &terms, args, "Put it right so? A device returns by itself unless it proves healthy.", err);
	if (r == 0)
		r = follow_batch(f->orders.cli, id, args, err);
	if (r != EXIT_DONE || args_has(args, "no-wait"))
		return r;
	output_note("Done; now the devices' own verdicts, of which there is at most one a minute");
	w.end_s = clock_now_s() + timeout_s;
	r = wait_for_verdicts(&w, err);
	return r < 0 ? r : print_outcome(&w, id, err);
}

/* One way of changing: by lines, or files as a whole. *left: rules that the other way is for. */
static int fix(size_t *done, size_t *left, size_t *by_hand, struct cli *cli, const struct args *args, const struct fix_wish *wish,
	       bool is_whole, const char *reason, struct error *err)
{
	_cleanup_(fixing_done) struct fixing f = {.wish = wish, .is_whole = is_whole};
	int r = fixing_plan(&f, cli, &args->value[1], args->count - 1, err);

	if (r == 0 && !f.looked_at)
		r = error_set(err, CLI_ABSENT, "none of these devices has '%s' among its policies; see: holdfast policy publish",
			      args->value[0]);
	if (r < 0)
		return r;
	*left = f.left;
	*by_hand += f.by_hand;
	*done += f.count;
	return f.count ? carry_through(&f, args, reason, err) : EXIT_DONE;
}

int cmd_policy_fix(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(fix_wish_done) struct fix_wish wish = {.management = ""};
	size_t done = 0, left = 0, by_hand = 0;
	const char *reason;
	int r = fix_wish_take(&wish, args->value[0], args, err);

	if (r == 0)
		r = carry_reason(&reason, args, "what policies find wrong", err); /* in the clear: which rule is not said */
	if (r == 0)
		r = fix(&done, &left, &by_hand, cli, args, &wish, false, reason, err);
	if (r == EXIT_DONE && left && args_has(args, "no-wait") && done) {
		output_note("Files are changed by an order behind this one: say it again when it is done.");
		return r;
	}
	if (r == EXIT_DONE && left)
		r = fix(&done, &left, &by_hand, cli, args, &wish, true, reason, err);
	if (r < 0)
		return r;
	if (!done)
		output_note("There is nothing that a remedy could put right.");
	return r == EXIT_DONE && by_hand ? EXIT_FINDING : r;
}
