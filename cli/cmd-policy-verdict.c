/* cli/cmd-policy-verdict.c -- holdfast policy status, findings, history: what devices say of the policies that they were given. What is
 * shown is from verdicts that they signed, verified here; the server's list serves to find them. */
#include "cli/commands.h"

#include "base/clock.h"
#include "cli/api.h"
#include "cli/device-set.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/policing.h"
#include "cli/preview.h"
#include "cli/rule-name.h"
#include "cli/show.h"
#include "crypto/order.h"
#include "policies/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORGET_EVERY = 64, HISTORY_DEFAULT = 100, HISTORY_MAX = 1000 };

struct looking {
	struct cli *cli;
	struct fleet_list list;
	struct opener *opener;
	struct open_source source;
	struct table table;
	json_t *all;
	size_t failing, unknown, stale, silent, waived;
};

static int begin(struct looking *l, struct cli *cli, struct error *err)
{
	int r = fleet_list_get(&l->list, cli, err);

	l->cli = cli;
	l->all = json_array();
	if (r == 0)
		r = fleet_source(&l->source, cli, err);
	if (r == 0)
		l->opener = opener_new(&l->source);
	return r;
}

static void looking_done(struct looking *l)
{
	fleet_list_done(&l->list);
	opener_free(l->opener);
	table_done(&l->table);
	json_decref(l->all);
}

static int get_verdict(struct opened *out, struct looking *l, const struct fleet_member *m, uint64_t number, bool with_findings,
		       struct error *err)
{
	struct open_wanted wanted = { .id = m->id, .number = number, .at_least = m->verdict };
	const struct open_device *device;
	int r = fleet_identify(&device, l->opener, m, err);

	return r == 0 ? opener_verdict(out, l->opener, &wanted, with_findings, err) : r;
}

/* ---- counts ---- */

struct counted {
	uint64_t counts[STANDINGS];
};

/* At metadata level `minimal` nothing is in the clear. */
static bool is_counted(const struct statement *st)
{
	return statement_get(st, standing_name(STANDING_PASS)) != NULL;
}

static int count(struct counted *out, const struct opened *v, struct error *err)
{
	struct findings findings;
	int r;

	for (size_t i = 0; i < STANDINGS; i++)
		out->counts[i] = statement_number(v->st, standing_name((enum standing)i));
	if (is_counted(v->st))
		return 0;
	r = findings_read(&findings, buf_bytes(&v->findings), err);
	for (size_t i = 0; r == 0 && i < findings.count; i++)
		out->counts[findings.rules[i].standing]++;
	if (r == 0)
		findings_done(&findings);
	return r;
}

/* ---- status ---- */

static uint64_t judged_of(const struct opened *v)
{
	uint8_t hash[HASH_LEN];
	uint64_t number = 0;

	return statement_get_point(&number, hash, v->st, "snapshot") ? number : 0;
}

static uint64_t policy_of(const struct opened *v)
{
	uint8_t hash[HASH_LEN];
	uint64_t number = 0;

	return statement_get_point(&number, hash, v->st, "policy") ? number : 0;
}

/* A newer snapshot that shows the same configuration (a save, a contact) brings no new verdict; and a verdict names the first snapshot that
 * showed what it is about. */
static int is_older(bool *older, struct looking *l, const struct fleet_member *m, uint64_t verdict, uint64_t judged, struct error *err)
{
	struct open_wanted then = { .id = m->id, .number = judged }, now = { .id = m->id, .at_least = m->snapshot };
	_cleanup_(opened_done) struct opened a = { 0 }, b = { 0 };
	_cleanup_(preview_done) struct preview between = { 0 };
	struct preview_input in = { .form = form_of(m->driver), .management = "" };
	int r;

	*older = verdict < m->snapshot;
	if (!*older || !in.form)
		return 0;
	r = opener_open(&a, l->opener, &then, err);
	if (r == 0)
		r = opener_open(&b, l->opener, &now, err);
	if (r == 0)
		r = preview_between(&between, &in, &a, &b, err);
	if (r == 0)
		*older = preview_differs(&between);
	return r == E_DENIED || r == CLI_ABSENT ? 0 : r; /* nobody knows: it is called older */
}

struct status_row {
	const struct fleet_member *m;
	uint64_t verdict, judged, policy;
	uint64_t given, refused; /* orders: the last one that was not refused; one behind it that was */
	int64_t time_s;
	struct counted counted;
	bool is_older;
};

static uint64_t order_in(const json_t *json)
{
	return (uint64_t)json_integer_value(json_object_get(json, "order"));
}

/* By the server's word. */
static int get_orders(struct status_row *row, struct looking *l, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/policy", row->m->id);
	json_t *json = NULL;
	const char *outcome;
	int r = api_get_json(&json, l->cli->api, path, err);

	outcome = json_string_value(json_object_get(json, "outcome"));
	if (r == 0 && outcome && order_outcome_is_failure(outcome)) {
		row->refused = order_in(json);
		row->given = order_in(json_object_get(json, "in-force"));
	} else if (r == 0) {
		row->given = order_in(json);
	}
	json_decref(json);
	return r == CLI_ABSENT ? 0 : r;
}

static bool is_stale(const struct status_row *row)
{
	return row->verdict && (row->policy < row->given || row->is_older);
}

static void note_of(char out[static 160], const struct status_row *row)
{
	out[0] = 0;
	if (row->verdict && row->policy < row->given)
		snprintf(out, 160, "stale: it judged by order %llu, and was given order %llu", (unsigned long long)row->policy,
			 (unsigned long long)row->given);
	else if (is_stale(row))
		snprintf(out, 160, "stale: about revision %llu, and %llu differs", (unsigned long long)row->judged,
			 (unsigned long long)row->m->snapshot);
	else if (row->refused)
		snprintf(out, 160, "it refused the policies of order %llu; see: holdfast log %s", (unsigned long long)row->refused,
			 row->m->name);
	else if (!row->verdict)
		snprintf(out, 160, "%s", row->given ? "it has not said anything yet" : "it has no policies");
}

static void put_status(struct looking *l, const struct status_row *row)
{
	char text[STANDINGS][24] = { "" }, revision[96] = "", when[24], note[160];
	json_t *json = json_pack("{s:s, s:s}", "device", row->m->id, "name", row->m->name);

	note_of(note, row);
	show_since(when, row->time_s, clock_now_s());
	if (row->verdict)
		snprintf(revision, sizeof(revision), "%s@%llu", row->m->name, (unsigned long long)row->judged);
	for (size_t i = 0; i < STANDINGS && row->verdict; i++) {
		snprintf(text[i], sizeof(text[i]), "%llu", (unsigned long long)row->counted.counts[i]);
		json_object_set_new(json, standing_name((enum standing)i), json_integer((json_int_t)row->counted.counts[i]));
	}
	table_add(&l->table, (const char *const[]){ row->m->name, text[STANDING_PASS], text[STANDING_FAIL], text[STANDING_UNKNOWN],
						   text[STANDING_WAIVED], text[STANDING_NOT_APPLICABLE], revision, when, note});
	if (row->verdict)
		json_object_update_new(json, json_pack("{s:I, s:I, s:I}", "verdict", (json_int_t)row->verdict, "snapshot",
						       (json_int_t)row->judged, "policy", (json_int_t)row->policy));
	show_put_time(json, "time", row->time_s);
	json_object_set_new(json, "stale", json_boolean(is_stale(row)));
	show_put_text(json, "note", note);
	json_array_append_new(l->all, json);
	l->failing += row->counted.counts[STANDING_FAIL] > 0;
	l->unknown += row->counted.counts[STANDING_UNKNOWN] > 0;
	l->stale += is_stale(row);
	l->silent += !row->verdict && row->given;
}

static int look_at(struct looking *l, const struct fleet_member *m, struct error *err)
{
	_cleanup_(opened_done) struct opened v = { 0 };
	struct status_row row = { .m = m };
	int r = get_orders(&row, l, err);

	if (r == 0 && m->verdict) {
		r = get_verdict(&v, l, m, 0, !m->has_counts, err);
		if (r == 0)
			r = count(&row.counted, &v, err);
		if (r < 0)
			return r;
		row.verdict = statement_number(v.st, "number");
		row.judged = judged_of(&v);
		row.policy = policy_of(&v);
		row.time_s = statement_time(v.st, "time");
		r = is_older(&row.is_older, l, m, row.verdict, row.judged, err);
	}
	if (r == 0)
		put_status(l, &row);
	return r;
}

static int look_at_all(struct looking *l, struct error *err)
{
	struct progress progress = { .what = "devices" };
	int r = 0;

	for (size_t i = 0; i < l->list.count && r == 0; i++) {
		if (l->list.members[i].is_admitted && !*l->list.members[i].retired)
			r = look_at(l, &l->list.members[i], err);
		if (i % FORGET_EVERY == FORGET_EVERY - 1)
			opener_forget(l->opener);
		progress_show(&progress, i + 1, l->list.count);
	}
	progress_end(&progress);
	return r;
}

int cmd_policy_status(struct cli *cli, const struct args *args, struct error *err)
{
	static const char *const heads[] = { "DEVICE", "PASS", "FAIL", "UNKNOWN", "WAIVED", "N/A", "ABOUT", "SAID", "NOTE" };
	_cleanup_(looking_done) struct looking l = { 0 };
	int r;

	table_init(&l.table, ARRAY_SIZE(heads), heads);
	r = begin(&l, cli, err);
	if (r == 0)
		r = fleet_list_select(&l.list, args->value, args->count, err);
	if (r == 0)
		r = look_at_all(&l, err);
	if (r == 0)
		r = cli->json ? output_json("policy-status", json_pack("{s:O}", "devices", l.all), err) : table_print(&l.table, err);
	if (r < 0)
		return r;
	output_note("%zu device%s: %zu with a rule that fails, %zu with one that is unknown, %zu stale, %zu that said nothing yet",
		    l.table.rows - 1, l.table.rows == 2 ? "" : "s", l.failing, l.unknown, l.stale, l.silent);
	return args_has(args, "check") && l.failing + l.unknown + l.stale + l.silent ? EXIT_FINDING : EXIT_DONE;
}

/* ---- findings ---- */

static char *text_of(struct bytes in)
{
	_cleanup_(mem_freep) char *copy = mem_strndup((const char *)in.ptr, in.len);

	return policing_text(copy);
}

static json_t *details_json(struct bytes details)
{
	json_t *list = json_array();
	struct bytes text;
	unsigned line;

	while (findings_next(&details, &line, &text)) {
		_cleanup_(mem_freep) char *shown = text_of(text);

		json_array_append_new(list, json_pack("{s:I, s:o}", "line", (json_int_t)line, "text", show_text(bytes_str(shown))));
	}
	return list;
}

static void put_finding(struct looking *l, const struct finding_rule *f, bool all)
{
	_cleanup_(mem_freep) char *pack = text_of(f->pack), *rule = text_of(f->rule), *what = NULL;
	struct bytes details = f->details, text;
	char where[24] = "";
	unsigned line;

	json_array_append_new(l->all, json_pack("{s:s, s:s, s:s, s:o}", "pack", pack, "rule", rule, "verdict", standing_name(f->standing),
						"findings", details_json(f->details)));
	if (!all && (f->standing == STANDING_PASS || f->standing == STANDING_NOT_APPLICABLE))
		return;
	if (findings_next(&details, &line, &text)) {
		what = text_of(text);
		if (line)
			snprintf(where, sizeof(where), "%u", line);
	}
	table_add(&l->table, (const char *const[]){ pack, rule, standing_name(f->standing), where, what ? what : "" });
}

static int print_findings(struct looking *l, const struct opened *v, const struct counted *c, struct error *err)
{
	char revision[96];
	json_t *json;

	snprintf(revision, sizeof(revision), "%s@%llu", v->device->name, (unsigned long long)judged_of(v));
	if (l->cli->json) {
		json = json_pack("{s:s, s:s, s:s, s:I, s:I, s:O}", "device", v->device->id, "name", v->device->name, "revision", revision,
				 "verdict", (json_int_t)statement_number(v->st, "number"), "policy", (json_int_t)policy_of(v), "rules",
				 l->all);
		show_put_time(json, "time", statement_time(v->st, "time"));
		return output_json("policy-findings", json, err);
	}
	if (l->table.rows > 1 && table_print(&l->table, err) < 0)
		return err->code;
	output_note("%s says of revision %s, by the policies of order %llu, signed %s: %llu pass, %llu fail, %llu unknown, %llu waived, "
		    "%llu not applicable",
		    v->device->name, revision, (unsigned long long)policy_of(v), statement_get(v->st, "time"),
		    (unsigned long long)c->counts[STANDING_PASS], (unsigned long long)c->counts[STANDING_FAIL],
		    (unsigned long long)c->counts[STANDING_UNKNOWN], (unsigned long long)c->counts[STANDING_WAIVED],
		    (unsigned long long)c->counts[STANDING_NOT_APPLICABLE]);
	return 0;
}

int cmd_policy_findings(struct cli *cli, const struct args *args, struct error *err)
{
	static const char *const heads[] = { "PACK", "RULE", "VERDICT", "LINE", "WHAT" };
	_cleanup_(looking_done) struct looking l = { 0 };
	_cleanup_(opened_done) struct opened v = { 0 };
	_cleanup_(findings_done) struct findings findings = { 0 };
	const struct fleet_member *m = NULL;
	struct counted c = { 0 };
	struct revision_ref ref;
	int r = select_revision(&ref, args->value[0], err);

	if (r < 0)
		return err->code = CLI_USAGE;
	table_init(&l.table, ARRAY_SIZE(heads), heads);
	r = begin(&l, cli, err);
	if (r == 0)
		r = fleet_find(&m, &l.list, ref.device, err);
	if (r == 0)
		r = get_verdict(&v, &l, m, ref.number, true, err);
	if (r == 0)
		r = findings_read(&findings, buf_bytes(&v.findings), err);
	if (r == 0)
		r = count(&c, &v, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < findings.count; i++)
		put_finding(&l, &findings.rules[i], args_has(args, "all"));
	r = print_findings(&l, &v, &c, err);
	return r < 0 ? r : c.counts[STANDING_FAIL] + c.counts[STANDING_UNKNOWN] ? EXIT_FINDING : EXIT_DONE;
}

/* ---- history ---- */

struct history {
	struct looking *l;
	const struct fleet_member *m;
	const struct rule_name *name;
	const char *newer;          /* what the verdict before in the list (a newer one) said; static */
	struct opened last; /* its statement */
};

static const char *standing_in(const struct opened *v, const struct rule_name *name, struct error *err)
{
	_cleanup_(findings_done) struct findings findings = { 0 };

	if (findings_read(&findings, buf_bytes(&v->findings), err) < 0)
		return NULL;
	for (size_t i = 0; i < findings.count; i++)
		if (bytes_is(findings.rules[i].pack, name->pack) && bytes_is(findings.rules[i].rule, name->rule))
			return standing_name(findings.rules[i].standing);
	return "no such rule";
}

/* A change is shown at the verdict that brought it: the oldest of those that say the same. */
static void put_change(struct history *h)
{
	char number[24], revision[96];

	if (!h->last.st)
		return;
	snprintf(number, sizeof(number), "%llu", (unsigned long long)statement_number(h->last.st, "number"));
	snprintf(revision, sizeof(revision), "%s@%llu", h->m->name, (unsigned long long)judged_of(&h->last));
	table_add(&h->l->table, (const char *const[]){ h->m->name, statement_get(h->last.st, "time"), h->newer, number, revision });
}

static int take_verdict(struct history *h, uint64_t number, struct error *err)
{
	struct opened v = { 0 };
	const char *standing;
	int r = get_verdict(&v, h->l, h->m, number, true, err);

	if (r < 0)
		return r;
	standing = standing_in(&v, h->name, err);
	if (!standing) {
		opened_done(&v);
		return err->code;
	}
	json_array_append_new(h->l->all, json_pack("{s:s, s:s, s:I, s:I, s:s, s:s}", "device", h->m->id, "name", h->m->name, "number",
						   (json_int_t)number, "snapshot", (json_int_t)judged_of(&v), "time",
						   statement_get(v.st, "time"), "verdict", standing));
	if (h->newer && strcmp(standing, h->newer) != 0)
		put_change(h);
	opened_done(&h->last);
	h->last = v;
	h->newer = standing;
	return 0;
}

static int history_of(struct looking *l, const struct fleet_member *m, const struct rule_name *name, uint64_t limit, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/verdicts?limit=%llu", m->id, (unsigned long long)limit);
	struct history h = { .l = l, .m = m, .name = name };
	json_t *json = NULL;
	const json_t *list;
	int r = api_get_json(&json, l->cli->api, path, err);

	list = json_object_get(json, "verdicts");
	if (r == 0 && !json_is_array(list))
		r = error_set(err, E_PEER, "the server's list of verdicts is none");
	for (size_t i = 0; i < json_array_size(list) && r == 0; i++)
		r = take_verdict(&h, (uint64_t)json_integer_value(json_object_get(json_array_get(list, i), "number")), err);
	if (r == 0)
		put_change(&h);
	opened_done(&h.last);
	json_decref(json);
	return r;
}

static int take_limit(uint64_t *out, const struct args *args, struct error *err)
{
	const char *limit = args_get(args, "limit");

	*out = HISTORY_DEFAULT;
	if (!limit || (number_parse(out, bytes_str(limit)) && *out && *out <= HISTORY_MAX))
		return 0;
	return error_set(err, CLI_USAGE, "'--limit %.20s' is not 1 to %d", limit, HISTORY_MAX);
}

int cmd_policy_history(struct cli *cli, const struct args *args, struct error *err)
{
	static const char *const heads[] = { "DEVICE", "SINCE", "VERDICT", "NUMBER", "REVISION" };
	_cleanup_(looking_done) struct looking l = { 0 };
	struct rule_name name;
	uint64_t limit;
	int r = rule_name_parse(&name, args->value[0], err);

	table_init(&l.table, ARRAY_SIZE(heads), heads);
	if (r == 0)
		r = take_limit(&limit, args, err);
	if (r == 0)
		r = begin(&l, cli, err);
	if (r == 0)
		r = fleet_list_select(&l.list, &args->value[1], args->count - 1, err);
	for (size_t i = 0; i < l.list.count && r == 0; i++) {
		if (l.list.members[i].verdict)
			r = history_of(&l, &l.list.members[i], &name, limit, err);
		opener_forget(l.opener);
	}
	if (r < 0)
		return r;
	return cli->json ? output_json("policy-history",
				       json_pack("{s:s, s:s, s:O}", "pack", name.pack, "rule", name.rule, "entries", l.all), err)
			 : table_print(&l.table, err);
}
