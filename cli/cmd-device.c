/* cli/cmd-device.c -- holdfast device list, holdfast device show. */
#include "cli/commands.h"

#include "base/clock.h"
#include "cli/fleet.h"
#include "cli/output.h"
#include "cli/show.h"

#include <stdio.h>
#include <string.h>

static const char *state_of(const struct fleet_member *m)
{
	if (!m->is_admitted)
		return "waiting";
	if (!strcmp(m->saved, "yes"))
		return "saved";
	return !strcmp(m->saved, "no") ? "unsaved" : "unknown";
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
	show_put_time(json, "snapshot-time", m->snapshot_s);
	show_put_time(json, "unsaved-since", m->unsaved_since_s);
	show_put_time(json, "hold", m->hold_s);
	show_put_time(json, "enrolled", m->enrolled_s);
	show_put_time(json, "seen", m->seen_s);
	return json;
}

static void add_row(struct table *table, const struct fleet_member *m, int64_t now_s)
{
	char revision[24] = "", seen[24];
	const char *cells[] = { m->name, m->id, state_of(m), m->mode, revision, seen, m->firmware, m->labels };

	if (m->snapshot)
		snprintf(revision, sizeof(revision), "%llu", (unsigned long long)m->snapshot);
	show_since(seen, m->seen_s, now_s);
	table_add(table, cells);
}

static int print_list(const struct fleet_list *list, struct error *err)
{
	static const char *const heads[] = { "NAME", "ID", "STATE", "MODE", "REV", "SEEN", "FIRMWARE", "LABELS" };
	_cleanup_(table_done) struct table table;

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < list->count; i++)
		add_row(&table, &list->members[i], clock_now_s());
	return table_print(&table, err);
}

static int print_list_json(const struct fleet_list *list, struct error *err)
{
	json_t *all = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(all, member_json(&list->members[i]));
	return output_json("device-list", json_pack("{s:o}", "devices", all), err);
}

int cmd_device_list(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	int r = fleet_list_get(&list, cli, err);

	if (r == 0)
		r = fleet_list_select(&list, args->value, args->count, err);
	if (r < 0)
		return r;
	if (!list.count)
		output_note("holdfast: there are no devices yet; see: holdfast help invite");
	return cli->json ? print_list_json(&list, err) : print_list(&list, err);
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

static int print_one(const struct fleet_member *m, const struct open_device *d, struct error *err)
{
	static const char *const heads[] = { "WHAT", "VALUE" };
	_cleanup_(table_done) struct table table;

	table_init(&table, ARRAY_SIZE(heads), heads);
	add_line(&table, "name", m->name);
	add_line(&table, "id", m->id);
	add_line(&table, "labels", m->labels);
	if (d)
		add_identity(&table, d);
	add_line(&table, "state", state_of(m));
	add_time(&table, "unsaved-since", m->unsaved_since_s);
	add_line(&table, "mode", m->mode);
	add_time(&table, "hold", m->hold_s);
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

static int print_one_json(const struct fleet_member *m, const struct open_device *d, struct error *err)
{
	json_t *json = member_json(m);
	char fingerprint[52];

	if (d) {
		sign_pub_fingerprint(fingerprint, &d->key);
		show_put_text(json, "key", fingerprint);
		show_put_text(json, "admitted-by", d->admitted_by);
		show_put_time(json, "admitted-time", statement_time(d->admit, "time"));
	}
	return output_json("device", json, err);
}

int cmd_device_show(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(opener_freep) struct opener *opener = NULL;
	const struct open_device *device = NULL;
	const struct fleet_member *member;
	int r = fleet_list_get(&list, cli, err);

	if (r == 0)
		r = fleet_find(&member, &list, args->value[0], err);
	if (r == 0)
		r = fleet_opener(&opener, cli, err);
	if (r == 0 && member->is_admitted)
		r = fleet_identify(&device, opener, member, err);
	if (r < 0)
		return r;
	return cli->json ? print_one_json(member, device, err) : print_one(member, device, err);
}
