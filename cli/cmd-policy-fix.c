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
static int worst_of(const char **out, const struct waiting *w, const struct fix_device *d, const struct opened *v,
		    struct error *err)
{
	static const enum standing worst_first[] = { STANDING_FAIL, STANDING_UNKNOWN, STANDING_WAIVED, STANDING_NOT_APPLICABLE };
	_cleanup_(findings_done) struct findings findings = { 0 };
	bool seen[STANDINGS] = { false };
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
	_cleanup_(opened_done) struct opened v = { 0 };
	struct open_wanted wanted = { .id = m->id, .at_least = m->verdict };
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
	struct progress progress = { .what = "verdicts" };
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

/* Of all batches of one command. */
struct outcome {
	struct table table;
	json_t *devices, *batches;
	size_t count, done;
};

static void outcome_init(struct outcome *o)
{
	static const char *const heads[] = { "DEVICE", "VERDICT", "NUMBER", "ABOUT", "SAVED", "RULES" };

	*o = (struct outcome){ .devices = json_array(), .batches = json_array() };
	table_init(&o->table, ARRAY_SIZE(heads), heads);
}

static void outcome_done(struct outcome *o)
{
	table_done(&o->table);
	json_decref(o->devices);
	json_decref(o->batches);
}

static void add_outcome(struct outcome *o, const struct fix_device *d, const struct standing_now *now)
{
	_cleanup_(buf_done) struct buf rules = { 0 };
	bool is_done = now->said && !strcmp(now->said, "pass") && now->is_saved;
	char verdict[24] = "", revision[96] = "";
	json_t *list = json_array();

	add_rules(&rules, d);
	if (now->said) {
		snprintf(verdict, sizeof(verdict), "%llu", (unsigned long long)now->verdict);
		snprintf(revision, sizeof(revision), "%s@%llu", d->name, (unsigned long long)now->judged);
	}
	table_add(&o->table, (const char *const[]){ d->name, now->said ? now->said : "not said yet", verdict, revision,
						   now->is_saved ? "yes" : "no", buf_text(&rules)});
	for (size_t i = 0; i < d->rule_count; i++)
		json_array_append_new(list, json_string(d->rules[i]));
	json_array_append_new(o->devices, json_pack("{s:s, s:s, s:s, s:I, s:I, s:b, s:o}", "device", d->id, "name", d->name, "verdict",
						now->said ? now->said : "", "number", (json_int_t)(now->said ? now->verdict : 0),
						"snapshot", (json_int_t)now->judged, "saved", (int)now->is_saved, "rules", list));
	o->count++;
	o->done += is_done;
}

static int print_outcome(const struct outcome *o, const struct cli *cli, struct error *err)
{
	int r = cli->json ? output_json("policy-fix", json_pack("{s:O, s:O}", "batches", o->batches, "devices", o->devices), err) :
		o->count  ? table_print(&o->table, err) :
			    0;

	if (r == 0 && o->done < o->count)
		output_note("%zu of %zu have not said that it passes, and is saved; see: holdfast policy status", o->count - o->done,
			    o->count);
	return r < 0 ? r : o->done == o->count ? EXIT_DONE : EXIT_FINDING;
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
	_cleanup_(rollout_done) struct rollout rollout = { 0 };
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

/* One run of the command: perhaps by lines, and then files as a whole. */
struct fix_run {
	struct cli *cli;
	const struct args *args;
	const struct fix_wish *wish;
	const char *reason;
	int64_t timeout_s;
	size_t left; /* rules that the other way is for */
	size_t planned, by_hand;
	struct outcome outcome;
};

/* Returns the exit status of the batch. */
static int carry_through(struct fix_run *run, struct fixing *f, struct error *err)
{
	_cleanup_(waiting_done) struct waiting w = { .cli = run->cli, .f = f };
	struct batch_terms terms;
	char id[ID_LEN + 1];
	int r = make_terms(&terms, f, run->args, run->reason, err);

	if (r < 0)
		return r;
	take_probes(f, run->args);
	r = carry_post(id, &f->orders, &terms, run->args, "Put it right so? A device returns by itself unless it proves healthy.", err);
	if (r < 0)
		return r;
	json_array_append_new(run->outcome.batches, json_string(id));
	r = follow_batch(run->cli, id, run->args, err);
	if (r != EXIT_DONE || args_has(run->args, "no-wait"))
		return r;
	output_note("Done; now the devices' own verdicts");
	w.end_s = clock_now_s() + run->timeout_s;
	r = wait_for_verdicts(&w, err);
	for (size_t i = 0; i < f->count && r == 0; i++)
		add_outcome(&run->outcome, &f->devices[i], &w.now[i]);
	return r;
}

static int fix(struct fix_run *run, bool is_whole, struct error *err)
{
	_cleanup_(fixing_done) struct fixing f = { .wish = run->wish, .is_whole = is_whole };
	int r = fixing_plan(&f, run->cli, &run->args->value[1], run->args->count - 1, err);

	if (r == 0 && !f.looked_at)
		r = error_set(err, CLI_ABSENT, "none of these devices can be put right by '%s': why, stands above", run->args->value[0]);
	if (r < 0)
		return r;
	run->left = f.left;
	run->by_hand += f.by_hand;
	run->planned += f.count;
	return f.count ? carry_through(run, &f, err) : EXIT_DONE;
}

/* The second order is planned from what the first one made, so it has to be over. */
static int fix_both_ways(struct fix_run *run, struct error *err)
{
	int r = fix(run, false, err);

	if (r != EXIT_DONE || !run->left || run->outcome.done < run->outcome.count)
		return r;
	if (!args_has(run->args, "no-wait") || !run->planned)
		return fix(run, true, err);
	output_note("Files are changed by an order behind this one: say it again when it is done.");
	return r;
}

static int finish(struct fix_run *run, int status, struct error *err)
{
	bool is_left_alone = args_has(run->args, "no-wait") && run->planned; /* its id was printed */
	int r = is_left_alone ? EXIT_DONE : print_outcome(&run->outcome, run->cli, err);

	if (r < 0)
		return r;
	if (!run->planned)
		output_note("There is nothing that a remedy could put right.");
	return status != EXIT_DONE ? status : r != EXIT_DONE || run->by_hand ? EXIT_FINDING : EXIT_DONE;
}

int cmd_policy_fix(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(fix_wish_done) struct fix_wish wish = { .management = "" };
	struct fix_run run = { .cli = cli, .args = args, .wish = &wish, .timeout_s = WAIT_DEFAULT_S };
	int r = fix_wish_take(&wish, args->value[0], args, err);

	outcome_init(&run.outcome);
	if (r == 0)
		r = carry_reason(&run.reason, args, "what policies find wrong", err); /* in the clear: which rule is not said */
	if (r == 0 && args_has(args, "timeout"))
		r = args_duration(&run.timeout_s, args_get(args, "timeout"), err);
	if (r == 0)
		r = fix_both_ways(&run, err);
	if (r >= 0)
		r = finish(&run, r, err);
	outcome_done(&run.outcome);
	return r;
}
