/* cli/cmd-device.c -- holdfast device list, holdfast device show. */
#include "cli/commands.h"

#include "base/clock.h"
#include "cli/ceremony.h"
#include "cli/output.h"
#include "cli/retiring.h"
#include "cli/show.h"
#include "policies/verdict.h"

#include <stdio.h>
#include <string.h>

enum { CEREMONIES_MAX = 50 }; /* a few requests each */

static const char *state_of(const struct fleet_member *m)
{
	if (!m->is_admitted)
		return "waiting";
	if (*m->retired)
		return m->is_certified ? "certified" : m->retired;
	if (!strcmp(m->saved, "yes"))
		return "saved";
	return !strcmp(m->saved, "no") ? "unsaved" : "unknown";
}

static json_t *verdict_json(const struct fleet_member *m)
{
	json_t *json = json_pack("{s:I, s:I, s:I}", "number", (json_int_t)m->verdict, "snapshot", (json_int_t)m->judged, "policy",
				 (json_int_t)m->policy);

	show_put_time(json, "time", m->verdict_s);
	for (size_t i = 0; i < STANDINGS && m->has_counts; i++)
		json_object_set_new(json, standing_name((enum standing)i), json_integer((json_int_t)m->counts[i]));
	return json;
}

/* The names are those of http-api.md. */
static json_t *member_json(const struct fleet_member *m)
{
	json_t *json = json_pack("{s:s, s:o, s:b, s:s, s:I, s:I, s:I, s:I}", "id", m->id, "labels", show_labels(m->labels), "admitted",
				 (int)m->is_admitted, "state", state_of(m), "head", (json_int_t)m->head, "snapshot",
				 (json_int_t)m->snapshot, "epoch", (json_int_t)m->epoch, "forks", (json_int_t)m->forks);

	json_object_set_new(json, "order", json_integer((json_int_t)m->order));
	json_object_set_new(json, "pending", json_integer((json_int_t)m->pending));
	json_object_set_new(json, "ahead", json_boolean(m->is_ahead));
	show_put_text(json, "name", m->name);
	show_put_text(json, "driver", m->driver);
	show_put_text(json, "model", m->model);
	show_put_text(json, "serial", m->serial);
	show_put_text(json, "firmware", m->firmware);
	show_put_text(json, "saved", m->saved);
	show_put_text(json, "mode", m->mode);
	show_put_text(json, "invite", m->invite);
	show_put_text(json, "challenge", m->challenge);
	show_put_text(json, "retired", m->retired);
	json_object_set_new(json, "misuses", json_integer((json_int_t)m->misuses));
	show_put_time(json, "snapshot-time", m->snapshot_s);
	show_put_time(json, "unsaved-since", m->unsaved_since_s);
	show_put_time(json, "hold", m->hold_s);
	show_put_text(json, "hold-by", m->hold_by);
	show_put_text(json, "changed-by", m->changed_by);
	show_put_text(json, "drift", m->drift);
	show_put_time(json, "drift-since", m->drift_since_s);
	if (m->verdict)
		json_object_set_new(json, "verdict", verdict_json(m));
	show_put_time(json, "enrolled", m->enrolled_s);
	show_put_time(json, "seen", m->seen_s);
	return json;
}

/* What is under way out of the fleet is shown by its verified state, as long as there are few of them. */
struct leaving {
	struct retiring open;
	size_t count;
	const struct fleet_member *members[CEREMONIES_MAX];
	enum retirement_state states[CEREMONIES_MAX];
};

static void leaving_done(struct leaving *l)
{
	retiring_done(&l->open);
}

static int find_leaving(struct leaving *l, struct cli *cli, const struct fleet_list *list, struct error *err)
{
	int r = retiring_find_open(&l->open, cli, err);

	for (size_t i = 0; i < list->count && r == 0 && l->count < CEREMONIES_MAX; i++) {
		_cleanup_(ceremony_done) struct ceremony c = { 0 };

		if (!list->members[i].is_admitted || !retiring_has(&l->open, list->members[i].id))
			continue;
		r = ceremony_look(&c, cli, &list->members[i], err);
		l->members[l->count] = &list->members[i];
		if (r == 0)
			l->states[l->count++] = c.dossier.now.state;
	}
	return r;
}

static const char *state_in(const struct leaving *l, const struct fleet_member *m)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->members[i] == m && l->states[i] != RETIREMENT_ACTIVE)
			return retirement_state_name(l->states[i]);
	return state_of(m);
}

static void add_row(struct table *table, const struct fleet_member *m, const struct leaving *leaving, int64_t now_s)
{
	char revision[24] = "", seen[24];
	const char *cells[] = { m->name, m->id, state_in(leaving, m), m->mode, revision, seen, m->firmware, m->labels };

	if (m->snapshot)
		snprintf(revision, sizeof(revision), "%llu", (unsigned long long)m->snapshot);
	show_since(seen, m->seen_s, now_s);
	table_add(table, cells);
}

static int print_list(const struct fleet_list *list, const struct leaving *leaving, struct error *err)
{
	static const char *const heads[] = { "NAME", "ID", "STATE", "MODE", "REV", "SEEN", "FIRMWARE", "LABELS" };
	_cleanup_(table_done) struct table table;

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < list->count; i++)
		add_row(&table, &list->members[i], leaving, clock_now_s());
	return table_print(&table, err);
}

static int print_list_json(const struct fleet_list *list, const struct leaving *leaving, struct error *err)
{
	json_t *all = json_array();

	for (size_t i = 0; i < list->count; i++) {
		json_t *one = member_json(&list->members[i]);

		json_object_set_new(one, "state", json_string(state_in(leaving, &list->members[i])));
		json_array_append_new(all, one);
	}
	return output_json("device-list", json_pack("{s:o}", "devices", all), err);
}

int cmd_device_list(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(leaving_done) struct leaving leaving = { 0 };
	int r = fleet_list_get(&list, cli, err);

	if (r == 0)
		r = fleet_list_select(&list, args->value, args->count, err);
	if (r == 0)
		r = find_leaving(&leaving, cli, &list, err);
	if (r < 0)
		return r;
	if (!list.count)
		output_note("holdfast: there are no devices yet; see: holdfast help invite");
	return cli->json ? print_list_json(&list, &leaving, err) : print_list(&list, &leaving, err);
}

/* ---- one ---- */

static void add_line(struct table *table, const char *what, const char *value)
{
	const char *cells[] = { what, value };

	if (*value)
		table_add(table, cells);
}

static void add_number(struct table *table, const char *what, uint64_t n)
{
	char text[24] = "";

	if (n)
		snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	add_line(table, what, text);
}

static void add_time(struct table *table, const char *what, int64_t time_s)
{
	char text[CLOCK_TEXT_LEN] = "";

	if (time_s)
		clock_text(text, time_s);
	add_line(table, what, text);
}

/* What is verified: the key, and who admitted it. */
static void add_identity(struct table *table, const struct open_device *d)
{
	char fingerprint[52], text[160], when[CLOCK_TEXT_LEN];

	sign_pub_fingerprint(fingerprint, &d->key);
	clock_text(when, statement_time(d->admit, "time"));
	snprintf(text, sizeof(text), "by %s, %s, root %llu", d->admitted_by, when, (unsigned long long)statement_number(d->admit, "root"));
	add_line(table, "key", fingerprint);
	add_line(table, "admitted", text);
}

/* Verified: what was signed about its way out. */
static void add_retirement(struct table *table, const struct ceremony *c)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct ceremony_next next;

	if (!c->dossier.batch_count)
		return;
	ceremony_summary(&text, c);
	ceremony_next(&next, c);
	add_line(table, "retirement", buf_text(&text));
	add_line(table, "comes next", next.what);
}

/* The server's word: what the device signed, policy status shows. */
static void add_verdict(struct table *table, const struct fleet_member *m)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (!m->verdict)
		return;
	for (size_t i = 0; i < STANDINGS && m->has_counts; i++)
		buf_addf(&text, "%s%llu %s", i ? ", " : "", (unsigned long long)m->counts[i], standing_name((enum standing)i));
	buf_addf(&text, "%s (verdict %llu)", m->has_counts ? "" : "not in the clear", (unsigned long long)m->verdict);
	add_line(table, "policies", buf_text(&text));
}

static const char *state_of_one(const struct fleet_member *m, const struct ceremony *c)
{
	return c && c->dossier.now.state != RETIREMENT_ACTIVE ? retirement_state_name(c->dossier.now.state) : state_of(m);
}

static int print_one(const struct fleet_member *m, const struct open_device *d, const struct ceremony *c, struct error *err)
{
	static const char *const heads[] = { "WHAT", "VALUE" };
	_cleanup_(table_done) struct table table;

	table_init(&table, ARRAY_SIZE(heads), heads);
	add_line(&table, "name", m->name);
	add_line(&table, "id", m->id);
	add_line(&table, "labels", m->labels);
	if (d)
		add_identity(&table, d);
	add_line(&table, "state", state_of_one(m, c));
	if (c)
		add_retirement(&table, c);
	add_line(&table, "alarm", m->misuses ? "retired key in use" : "");
	add_time(&table, "unsaved-since", m->unsaved_since_s);
	add_line(&table, "mode", m->mode);
	add_time(&table, "hold", m->hold_s);
	add_line(&table, "hold-by", m->hold_by);
	add_line(&table, "changed-by", m->changed_by);
	add_line(&table, "drift", m->drift);
	add_time(&table, "drift-since", m->drift_since_s);
	add_verdict(&table, m);
	add_number(&table, "snapshot", m->snapshot);
	add_time(&table, "snapshot-time", m->snapshot_s);
	add_number(&table, "epoch", m->epoch);
	add_line(&table, "driver", m->driver);
	add_line(&table, "model", m->model);
	add_line(&table, "serial", m->serial);
	add_line(&table, "firmware", m->firmware);
	add_time(&table, "enrolled", m->enrolled_s);
	add_line(&table, "invite", m->invite);
	add_time(&table, "seen", m->seen_s);
	add_number(&table, "forks", m->forks);
	add_number(&table, "order", m->order);
	add_number(&table, "pending", m->pending);
	add_line(&table, "ahead", m->is_ahead ? "of the archive: the server was restored from an older copy" : "");
	return table_print(&table, err);
}

static int print_one_json(const struct fleet_member *m, const struct open_device *d, const struct ceremony *c, struct error *err)
{
	json_t *json = member_json(m);
	char fingerprint[52];

	if (d) {
		sign_pub_fingerprint(fingerprint, &d->key);
		show_put_text(json, "key", fingerprint);
		show_put_text(json, "admitted-by", d->admitted_by);
		show_put_time(json, "admitted-time", statement_time(d->admit, "time"));
	}
	json_object_set_new(json, "state", json_string(state_of_one(m, c)));
	if (c && c->dossier.batch_count)
		json_object_set_new(json, "retirement", ceremony_json(c));
	return output_json("device", json, err);
}

int cmd_device_show(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(opener_freep) struct opener *opener = NULL;
	_cleanup_(ceremony_done) struct ceremony ceremony = { 0 };
	const struct open_device *device = NULL;
	const struct fleet_member *member;
	int r = fleet_list_get(&list, cli, err);

	if (r == 0)
		r = fleet_find(&member, &list, args->value[0], err);
	if (r == 0)
		r = fleet_opener(&opener, cli, err);
	if (r == 0 && member->is_admitted)
		r = fleet_identify(&device, opener, member, err);
	if (r == 0 && member->is_admitted)
		r = ceremony_look(&ceremony, cli, member, err);
	if (r < 0)
		return r;
	return cli->json ? print_one_json(member, device, device ? &ceremony : NULL, err)
			 : print_one(member, device, device ? &ceremony : NULL, err);
}
