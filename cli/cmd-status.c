/* cli/cmd-status.c -- holdfast status: what needs the operator now, the most urgent first.
 *
 * It is made from what the server lists: a first look over many devices. What it says of one, holdfast diff verifies; what waits for an
 * approval is verified here. Lateness is measured on the server's clock, which stamped the contacts; the root's expiry on ours, since it
 * guards against the server. */
#include "cli/commands.h"

#include "base/clock.h"
#include "base/plural.h"
#include "cli/api.h"
#include "cli/ceremony.h"
#include "cli/fleet.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/retiring.h"
#include "cli/rollout.h"
#include "cli/show.h"
#include "cli/witnessed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LATE_DEFAULT_S = 6 * 3600 /* an agent may wait for four */,
	ROOT_SOON_S = 30 * 86400,
	NOTES_MAX = 50,
	BATCHES_MAX = 1000,
	FAILED_FOR_S = 86400
};

/* In the order of urgency. */
enum what {
	WHAT_FORK,
	WHAT_MISUSE,
	WHAT_HALF_ERASED,
	WHAT_AHEAD,
	WHAT_ROOT,
	WHAT_WITNESS,
	WHAT_STOPPED,
	WHAT_FAILED,
	WHAT_UNANSWERED,
	WHAT_APPROVAL,
	WHAT_RETIRE,
	WHAT_UNSAVED,
	WHAT_UNKNOWN,
	WHAT_DRIFT,
	WHAT_FAILING,
	WHAT_LATE,
	WHAT_WAITING,
	WHAT_HELD,
};
enum { WHATS = WHAT_HELD + 1 };
static const char *const what_names[WHATS] = { "fork",    "retired-key", "half-erased", "ahead",    "root",    "witness",
					       "stopped", "failed",      "unanswered",  "approval", "retire",  "unsaved",
					       "unknown", "drift",       "failing",     "late",     "waiting", "held" };

struct need {
	enum what what;
	const struct fleet_member *member; /* NULL for the root and batches */
	char batch[ID_LEN + 1];            /* "" for anything else */
	int64_t since_s;                   /* 0: not known */
	char detail[1100];
	char next[160]; /* what to do about it */
};

struct report {
	struct fleet_list list;
	char fleet[64];
	int64_t now_s, late_s;
	size_t count, counts[WHATS];
	struct need *needs;
};

static void report_done(struct report *r)
{
	fleet_list_done(&r->list);
	free(r->needs);
}

static struct need *add(struct report *r, enum what what, const struct fleet_member *m, int64_t since_s)
{
	struct need *need;

	r->needs = mem_grow(r->needs, (r->count + 1) * sizeof(*r->needs));
	need = &r->needs[r->count++];
	*need = (struct need){ .what = what, .member = m, .since_s = since_s };
	r->counts[what]++;
	return need;
}

/* ---- what a device needs ---- */

static bool is_held(const struct report *r, const struct fleet_member *m)
{
	return m->hold_s > r->now_s;
}

static void put_hold(char *out, size_t size, const struct report *r, const struct fleet_member *m)
{
	char until[CLOCK_TEXT_LEN];

	clock_text(until, m->hold_s);
	if (is_held(r, m))
		snprintf(out, size, "held until %s%s%.500s", until, *m->hold_by ? " by " : "", m->hold_by);
	else
		snprintf(out, size, "%.500s", m->hold_by); /* a window of its policies, say */
}

static void put_changer(struct need *need, const struct fleet_member *m)
{
	size_t used = strlen(need->detail);

	if (*m->changed_by)
		snprintf(need->detail + used, sizeof(need->detail) - used, "%schanged by %.400s", used ? "; " : "", m->changed_by);
}

static void judge_policies(struct report *r, const struct fleet_member *m)
{
	uint64_t failing = fleet_member_count(m, "fail"), unknown = fleet_member_count(m, "unknown");
	struct need *need;

	if (!strcmp(m->drift, "yes")) {
		need = add(r, WHAT_DRIFT, m, m->drift_since_s);
		snprintf(need->detail, sizeof(need->detail), "it runs something else than its baseline");
		put_changer(need, m);
		snprintf(need->next, sizeof(need->next), "holdfast baseline diff %s", m->name);
	}
	if (failing || unknown) {
		need = add(r, WHAT_FAILING, m, m->verdict_s);
		snprintf(need->detail, sizeof(need->detail), "of its rules %llu %s, %llu %s unknown", (unsigned long long)failing,
			 plural(failing, "fails", "fail"), (unsigned long long)unknown, plural(unknown, "is", "are"));
		snprintf(need->next, sizeof(need->next), "holdfast policy findings %s", m->name);
	}
}

static void judge_saved(struct report *r, const struct fleet_member *m)
{
	struct need *need;

	if (!strcmp(m->saved, "no")) {
		need = add(r, WHAT_UNSAVED, m, m->unsaved_since_s);
		put_hold(need->detail, sizeof(need->detail), r, m);
		put_changer(need, m);
		snprintf(need->next, sizeof(need->next), "holdfast diff %s", m->name);
	} else if (strcmp(m->saved, "yes") != 0) {
		need = add(r, WHAT_UNKNOWN, m, m->unsaved_since_s);
		snprintf(need->detail, sizeof(need->detail), "%s", m->snapshot ? "what will boot is not known" : "no snapshot yet");
		snprintf(need->next, sizeof(need->next), "holdfast %s %s", m->snapshot ? "log" : "device show", m->name);
	} else if (is_held(r, m)) {
		need = add(r, WHAT_HELD, m, 0);
		put_hold(need->detail, sizeof(need->detail), r, m);
	}
}

/* The server forgets contacts when it starts anew; until the next one, what it archived counts. */
static int64_t last_contact_s(const struct fleet_member *m)
{
	if (m->seen_s)
		return m->seen_s;
	return m->snapshot_s > m->enrolled_s ? m->snapshot_s : m->enrolled_s;
}

static void judge_member(struct report *r, const struct fleet_member *m)
{
	struct need *need;

	if (m->forks) {
		need = add(r, WHAT_FORK, m, 0);
		snprintf(need->detail, sizeof(need->detail), "contradicting statements (%llu): a clone, or a roll-back of its memory",
			 (unsigned long long)m->forks);
		snprintf(need->next, sizeof(need->next), "holdfast device show %s", m->name[0] ? m->name : m->id);
	}
	if (m->misuses) {
		need = add(r, WHAT_MISUSE, m, 0);
		snprintf(need->detail, sizeof(need->detail),
			 "retired key in use: %llu %s behind its last one; somebody has its key, or it was never erased",
			 (unsigned long long)m->misuses, plural(m->misuses, "statement", "statements"));
		snprintf(need->next, sizeof(need->next), "holdfast device show %s", m->name);
	}
	if (*m->retired) /* it neither saves nor comes in contact any more */
		return;
	if (m->is_ahead) {
		need = add(r, WHAT_AHEAD, m, 0);
		snprintf(need->detail, sizeof(need->detail),
			 "it has sent more than the archive holds: the server was restored from an older copy; restore a newer one, "
			 "or join it anew");
		snprintf(need->next, sizeof(need->next), "holdfast device show %s", m->name[0] ? m->name : m->id);
	}
	if (!m->is_admitted) {
		need = add(r, WHAT_WAITING, m, m->enrolled_s);
		snprintf(need->next, sizeof(need->next), "holdfast device admit %s", m->id);
		return;
	}
	judge_saved(r, m);
	judge_policies(r, m);
	if (last_contact_s(m) < r->now_s - r->late_s) {
		need = add(r, WHAT_LATE, m, last_contact_s(m));
		snprintf(need->next, sizeof(need->next), "holdfast device show %s", m->name);
	}
}

static void judge_root(struct report *r, const struct root *root)
{
	int64_t expires_s = statement_time(root_statement(root), "expires"), left_s = expires_s - clock_now_s();
	char when[CLOCK_TEXT_LEN];
	struct need *need;

	if (left_s > ROOT_SOON_S)
		return;
	need = add(r, WHAT_ROOT, NULL, 0);
	clock_text(when, expires_s);
	snprintf(need->detail, sizeof(need->detail), "root %llu %s %s", (unsigned long long)root_version(root),
		 left_s > 0 ? "expires" : "expired", when);
	snprintf(need->next, sizeof(need->next), "holdfast root show");
}

static void add_witness(void *ctx, const char *name, int64_t since_s)
{
	struct need *need = add(ctx, WHAT_WITNESS, NULL, since_s);

	snprintf(need->detail, sizeof(need->detail), "'%s' %s: it stands still, or the server keeps its signatures away", name,
		 since_s ? "vouches for nothing that was archived since" : "has not vouched for anything");
	snprintf(need->next, sizeof(need->next), "see to it on its machine: holdfast witness once");
}

/* ---- batches ---- */

static const char *text_of(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

static struct need *add_batch(struct report *r, enum what what, const json_t *batch, const char *command)
{
	struct need *need = add(r, what, NULL, 0);

	clock_parse(&need->since_s, bytes_str(text_of(batch, "time")));
	snprintf(need->batch, sizeof(need->batch), "%s", text_of(batch, "id"));
	snprintf(need->detail, sizeof(need->detail), "%s of %lld by %s: %.800s", text_of(batch, "kind"),
		 (long long)json_integer_value(json_object_get(batch, "count")), text_of(batch, "person"), text_of(batch, "reason"));
	snprintf(need->next, sizeof(need->next), "holdfast %s %s", command, need->batch);
	return need;
}

/* Whether somebody has to look at it now: the author's own, and what one has decided already, wait for others. */
static bool waits_for_me(const struct rollout *b, const struct home *home)
{
	const char *kind = statement_get(b->batch, "kind"), *said = "withdraw";

	if (consent_is_enough(&b->consent) || b->consent.is_rejected || b->consent.is_aborted ||
	    !root_has_role(home->root, home->person, root_role_for(kind)) || !strcmp(statement_get(b->batch, "person"), home->person))
		return false;
	for (size_t i = 0; i < b->control_count; i++) {
		const char *action = statement_get(b->controls[i], "action");

		if (!strcmp(statement_get(b->controls[i], "person"), home->person) && strcmp(action, "pause") != 0 &&
		    strcmp(action, "resume") != 0)
			said = action;
	}
	return !strcmp(said, "withdraw");
}

/* What people signed is verified, since only then it is theirs to answer. */
static int judge_waiting(struct report *r, struct cli *cli, const json_t *batch, struct error *err)
{
	_cleanup_(rollout_done) struct rollout signed_ = { 0 };
	struct open_source source;
	int result = fleet_source(&source, cli, err);

	if (result == 0)
		result = rollout_get_signed(&signed_, &source, text_of(batch, "id"), err);
	if (result == 0 && waits_for_me(&signed_, cli->home))
		add_batch(r, WHAT_APPROVAL, batch, "approval show");
	return result;
}

/* An order that was given out, and has no receipt when its time is over: was the device away, or did the server withhold it? */
static bool is_unanswered(const json_t *batch, int64_t now_s)
{
	int64_t end_s = 0;

	return !strcmp(text_of(batch, "state"), "expired") && clock_parse(&end_s, bytes_str(text_of(batch, "expires"))) &&
	       end_s > now_s - FAILED_FOR_S &&
	       json_integer_value(json_object_get(batch, "released")) > json_integer_value(json_object_get(batch, "settled"));
}

static int judge_batch(struct report *r, struct cli *cli, const json_t *batch, struct error *err)
{
	const char *state = text_of(batch, "state"), *kind_name = text_of(batch, "kind");
	enum order_kind kind;
	int64_t time_s = 0;

	if (!id_is_valid(bytes_str(text_of(batch, "id"))) || !clock_parse(&time_s, bytes_str(text_of(batch, "time"))))
		return error_set(err, E_PEER, "the server's list of batches is malformed");
	if (order_kind_parse(&kind, kind_name) && (order_kind_erases(kind) || kind == ORDER_SHRED))
		return 0; /* judge_leaving() */
	if (!strcmp(state, "waiting"))
		return judge_waiting(r, cli, batch, err);
	if (!strcmp(state, "stopped"))
		add_batch(r, WHAT_STOPPED, batch, "rollout show");
	else if (is_unanswered(batch, r->now_s))
		add_batch(r, WHAT_UNANSWERED, batch, "rollout show");
	else if (json_integer_value(json_object_get(batch, "failed")) > 0 &&
		 (!strcmp(state, "running") || !strcmp(state, "paused") || (!strcmp(state, "done") && time_s > r->now_s - FAILED_FOR_S)))
		add_batch(r, WHAT_FAILED, batch, "rollout show --failed");
	return 0;
}

static int judge_batches(struct report *r, struct cli *cli, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/batches?limit=%d", BATCHES_MAX);
	json_t *json = NULL;
	const json_t *list;
	int result = api_get_json(&json, cli->api, path, err);

	if (result == CLI_ABSENT)
		return 0; /* a server that knows no orders yet */
	list = json_object_get(json, "batches");
	if (result == 0 && !json_is_array(list))
		result = error_set(err, E_PEER, "the server's list of batches is none");
	for (size_t i = 0; i < json_array_size(list) && result == 0; i++)
		result = judge_batch(r, cli, json_array_get(list, i), err);
	json_decref(json);
	return result;
}

/* ---- devices on their way out: verified, each from what was signed about it ---- */

static void judge_ceremony(struct report *r, const struct ceremony *c)
{
	const struct retirement *now = &c->dossier.now;
	bool is_waiting = now->erase.phase == PHASE_WAITING || now->shred.phase == PHASE_WAITING;
	_cleanup_(buf_done) struct buf summary = { 0 };
	struct ceremony_next next;
	struct need *need;

	ceremony_next(&next, c);
	ceremony_summary(&summary, c);
	if (now->state == RETIREMENT_FAILED || now->is_contradicted)
		need = add(r, WHAT_HALF_ERASED, c->member, 0);
	else if (next.is_mine || now->state == RETIREMENT_RETIRING)
		need = add(r, is_waiting && next.is_mine ? WHAT_APPROVAL : WHAT_RETIRE, c->member, 0);
	else
		return;
	snprintf(need->detail, sizeof(need->detail), "%.400s: %s", buf_text(&summary), next.what);
	if (*next.command)
		snprintf(need->next, sizeof(need->next), "%s", next.command);
	else
		snprintf(need->next, sizeof(need->next), "holdfast retire status %s", c->member->name);
}

static int judge_leaving(struct report *r, struct cli *cli, struct error *err)
{
	_cleanup_(retiring_done) struct retiring open = { 0 };
	int result = retiring_find_open(&open, cli, err);

	for (size_t i = 0, n = 0; i < r->list.count && result == 0 && n < NOTES_MAX; i++) {
		_cleanup_(ceremony_done) struct ceremony c = { 0 };
		const struct fleet_member *m = &r->list.members[i];

		if (!m->is_admitted || !(retiring_has(&open, m->id) || (*m->retired && !m->is_certified)))
			continue;
		result = ceremony_look(&c, cli, m, err);
		if (result == 0)
			judge_ceremony(r, &c);
		n++;
	}
	return result;
}

/* Urgency, then the oldest, then by name. */
static int by_urgency(const void *a, const void *b)
{
	const struct need *x = a, *y = b;

	if (x->what != y->what)
		return x->what < y->what ? -1 : 1;
	if (x->since_s != y->since_s)
		return x->since_s < y->since_s ? -1 : 1;
	if (!x->member || !y->member)
		return 0;
	return strcmp(x->member->name, y->member->name) ? strcmp(x->member->name, y->member->name) : strcmp(x->member->id, y->member->id);
}

static void judge(struct report *r, const struct root *root)
{
	judge_root(r, root);
	for (size_t i = 0; i < r->list.count; i++)
		judge_member(r, &r->list.members[i]);
}

static void sort(struct report *r)
{
	if (r->count)
		qsort(r->needs, r->count, sizeof(*r->needs), by_urgency);
}

/* ---- what the devices say about it ---- */

/* The list has said so already, with the time. */
static bool is_hold_again(const char *note, const struct fleet_member *m)
{
	return m->hold_by[0] && !strncmp(note, "held by ", 8) && !strcmp(note + 8, m->hold_by);
}

/* "not saved: ...", "held by ...": it is in the newest statement, not in the list. */
static int add_note(struct need *need, struct cli *cli, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/log?limit=1", need->member->id);
	size_t used = strlen(need->detail);
	json_t *answer = NULL;
	const char *note;
	int r = api_get_json(&answer, cli->api, path, err);

	note = json_string_value(json_object_get(json_array_get(json_object_get(answer, "entries"), 0), "note"));
	if (r == 0 && note && !is_hold_again(note, need->member))
		snprintf(need->detail + used, sizeof(need->detail) - used, "%s%s", used ? "; " : "", note);
	json_decref(answer);
	return r;
}

/* A request for each, so the most urgent ones have to do. */
static int add_notes(struct report *r, struct cli *cli, struct error *err)
{
	for (size_t i = 0, n = 0; i < r->count && n < NOTES_MAX; i++) {
		struct need *need = &r->needs[i];

		if ((need->what != WHAT_UNSAVED && need->what != WHAT_UNKNOWN && need->what != WHAT_HELD) || !need->member->snapshot)
			continue;
		if (add_note(need, cli, err) < 0)
			return err->code;
		n++;
	}
	return 0;
}

/* ---- showing ---- */

static void add_row(struct table *table, const struct need *need, int64_t now_s)
{
	const struct fleet_member *m = need->member;
	const char *name = !m ? need->batch : m->name[0] ? m->name : m->id;
	char since[24];
	const char *cells[] = { what_names[need->what], name, since, m ? m->mode : "", need->detail, need->next };

	show_since(since, need->since_s, now_s);
	table_add(table, cells);
}

static void add_counts(struct buf *out, const struct report *r)
{
	buf_addf(out, "%s: %zu %s, ", r->fleet, r->list.count, plural(r->list.count, "device", "devices"));
	if (!r->count)
		buf_add_str(out, "all saved and in contact");
	for (size_t i = 0, n = 0; i < WHATS; i++)
		if (r->counts[i])
			buf_addf(out, "%s%zu %s", n++ ? ", " : "", r->counts[i], what_names[i]);
}

static int print_text(const struct report *r, struct error *err)
{
	static const char *const heads[] = { "WHAT", "DEVICE", "SINCE", "MODE", "DETAIL", "NEXT" };
	_cleanup_(table_done) struct table table;
	_cleanup_(buf_done) struct buf counts = { 0 };

	add_counts(&counts, r);
	if (!r->count) {
		_cleanup_(buf_done) struct buf line = { 0 };

		buf_addf(&line, "nothing needs you: %s\n", buf_text(&counts));
		return output_raw(buf_bytes(&line), err);
	}
	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < r->count; i++)
		add_row(&table, &r->needs[i], r->now_s);
	if (table_print(&table, err) < 0)
		return err->code;
	output_note("%s", buf_text(&counts));
	return 0;
}

static json_t *need_json(const struct need *need)
{
	json_t *json = json_pack("{s:s}", "what", what_names[need->what]);

	if (need->member) {
		show_put_text(json, "device", need->member->id);
		show_put_text(json, "name", need->member->name);
		show_put_text(json, "mode", need->member->mode);
		show_put_time(json, "hold", need->member->hold_s);
		show_put_text(json, "hold-by", need->member->hold_by);
		show_put_text(json, "changed-by", need->member->changed_by);
	}
	show_put_text(json, "batch", need->batch);
	show_put_time(json, "since", need->since_s);
	show_put_text(json, "detail", need->detail);
	show_put_text(json, "next", need->next);
	return json;
}

static int print_json(const struct report *r, struct error *err)
{
	json_t *needs = json_array(), *counts = json_object(), *json;

	for (size_t i = 0; i < r->count; i++)
		json_array_append_new(needs, need_json(&r->needs[i]));
	for (size_t i = 0; i < WHATS; i++)
		json_object_set_new(counts, what_names[i], json_integer((json_int_t)r->counts[i]));
	json = json_pack("{s:s, s:I, s:o, s:o}", "fleet", r->fleet, "devices", (json_int_t)r->list.count, "counts", counts, "needs", needs);
	show_put_time(json, "time", r->now_s);
	return output_json("status", json, err);
}

/* ---- the command ---- */

static int get_now(int64_t *now_s, struct cli *cli, struct error *err)
{
	json_t *answer = NULL;
	const char *text;
	int r = api_get_json(&answer, cli->api, "/v1/fleet", err);

	if (r < 0)
		return r;
	text = json_string_value(json_object_get(answer, "time"));
	if (!text || !clock_parse(now_s, bytes_str(text)))
		r = error_set(err, E_PEER, "the server does not tell its time");
	json_decref(answer);
	return r;
}

int cmd_status(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(report_done) struct report report = { .late_s = LATE_DEFAULT_S };
	int r = args_has(args, "late") ? args_duration(&report.late_s, args_get(args, "late"), err) : 0;

	if (r == 0)
		r = fleet_list_get(&report.list, cli, err);
	if (r == 0)
		r = fleet_list_select(&report.list, args->value, args->count, err);
	if (r == 0)
		r = get_now(&report.now_s, cli, err);
	if (r < 0)
		return r;
	snprintf(report.fleet, sizeof(report.fleet), "%s", root_name(cli->home->root));
	judge(&report, cli->home->root);
	if (!args->count && judge_batches(&report, cli, err) < 0)
		return err->code;
	if (!args->count && witnessed_late(cli->api, cli->home, add_witness, &report, err) < 0)
		return err->code;
	if (judge_leaving(&report, cli, err) < 0)
		return err->code;
	sort(&report);
	if (add_notes(&report, cli, err) < 0)
		return err->code;
	r = cli->json ? print_json(&report, err) : print_text(&report, err);
	if (r < 0)
		return r;
	return args_has(args, "check") && report.count ? EXIT_FINDING : EXIT_DONE;
}
