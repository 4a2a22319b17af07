/* cli/cmd-baseline.c -- holdfast baseline: what a device should look like. Set, it travels with the device's policies; whatever runs is
 * held against it there, and the difference is called drift. */
#include "cli/commands.h"

#include "base/clock.h"
#include "cli/home.h"
#include "cli/preview.h"
#include "cli/publishing.h"
#include "cli/show.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- set, clear ---- */

struct setting {
	const struct args *args;
	struct opener *opener;
	struct buf text; /* of the device in hand */
	size_t without;
};

static void setting_done(struct setting *s)
{
	opener_free(s->opener);
	buf_done(&s->text);
}

/* Which of the arguments means this device. */
static int find_revision(struct revision_ref *out, const struct args *args, const struct fleet_member *m, struct error *err)
{
	for (size_t i = 0; i < args->count; i++) {
		if (select_revision(out, args->value[i], err) < 0)
			return err->code = CLI_USAGE;
		if (!strcmp(out->device, m->name) || !strncmp(out->device, m->id, strlen(out->device)))
			return 0;
	}
	return error_set(err, CLI_ABSENT, "it was not named");
}

static int put_baseline(void *ctx, struct policy_set *set, const struct fleet_member *m, struct error *err)
{
	struct setting *s = ctx;
	_cleanup_(opened_done) struct opened opened = { 0 };
	struct open_wanted wanted = { .id = m->id, .at_least = m->snapshot };
	struct revision_ref ref;
	int r = find_revision(&ref, s->args, m, err);

	wanted.number = r == 0 ? ref.number : 0;
	if (r == 0)
		r = opener_open(&opened, s->opener, &wanted, err);
	buf_truncate(&s->text, 0);
	if (r == 0)
		r = preview_reveal(&s->text, &opened, &opened.running, err);
	if (r < 0)
		return r;
	set->has_baseline = true;
	set->baseline_number = opened_number(&opened);
	memcpy(set->baseline_hash, statement_hash(opened.st), HASH_LEN);
	set->baseline = buf_bytes(&s->text);
	return 0;
}

static int drop_baseline(void *ctx, struct policy_set *set, const struct fleet_member *m _unused_, struct error *err _unused_)
{
	struct setting *s = ctx;

	if (!set->has_baseline) {
		s->without++;
		return PUBLISHING_NOT;
	}
	set->has_baseline = false;
	set->baseline = (struct bytes){ 0 };
	return 0;
}

/* Keeps the devices that revisions name, each once. */
static int select_named(struct fleet_list *list, const struct args *args, struct error *err)
{
	_cleanup_(mem_freep) bool *is_named = mem_alloc((list->count + 1) * sizeof(*is_named));
	size_t kept = 0;

	for (size_t i = 0; i < args->count; i++) {
		const struct fleet_member *m;
		struct revision_ref ref;

		if (select_revision(&ref, args->value[i], err) < 0)
			return err->code = CLI_USAGE;
		if (fleet_find(&m, list, ref.device, err) < 0)
			return err->code;
		if (is_named[m - list->members])
			return error_set(err, CLI_USAGE, "'%s' is named twice", m->name);
		is_named[m - list->members] = true;
	}
	for (size_t i = 0; i < list->count; i++)
		if (is_named[i])
			list->members[kept++] = list->members[i];
	list->count = kept;
	return 0;
}

int cmd_baseline_set(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(setting_done) struct setting s = { .args = args };
	_cleanup_(publishing_done) struct publishing p = { .change = put_baseline, .ctx = &s };
	const char *reason;
	int r = carry_reason(&reason, args, "a baseline", err);

	if (r == 0)
		r = publishing_begin(&p, cli, err);
	if (r == 0)
		r = select_named(&p.orders.list, args, err);
	if (r == 0)
		r = fleet_opener(&s.opener, cli, err);
	return r < 0 ? r : publishing_run(&p, args, reason, "Call this the baseline? What differs from it is drift from then on.", err);
}

int cmd_baseline_clear(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(setting_done) struct setting s = { .args = args };
	_cleanup_(publishing_done) struct publishing p = { .change = drop_baseline, .ctx = &s };
	const char *reason;
	int r = carry_reason(&reason, args, "no baseline any more", err);

	if (r == 0)
		r = publishing_begin(&p, cli, err);
	if (r == 0)
		r = fleet_list_select(&p.orders.list, args->value, args->count, err);
	if (r < 0)
		return r;
	r = publishing_run(&p, args, reason, "Forget the baseline?", err);
	return r == CLI_ABSENT && s.without ? error_set(err, CLI_ABSENT, "none of these devices has a baseline") : r;
}

/* ---- show ---- */

struct showing {
	struct open_source source;
	struct table table;
	json_t *all;
};

static int show_one(struct showing *s, const struct fleet_member *m, struct error *err)
{
	_cleanup_(device_set_done) struct device_set set = { 0 };
	char revision[96] = "", since[24];
	json_t *json;
	int r = device_set_get(&set, &s->source, m, err);

	if (r < 0)
		return r;
	if (set.is_there && set.set.has_baseline)
		snprintf(revision, sizeof(revision), "%s@%llu", m->name, (unsigned long long)set.set.baseline_number);
	show_since(since, m->drift_since_s, clock_now_s());
	table_add(&s->table, (const char *const[]){ m->name, revision, m->drift, since, m->changed_by });
	json = json_pack("{s:s, s:s}", "device", m->id, "name", m->name);
	if (*revision)
		json_object_set_new(json, "baseline", json_integer((json_int_t)set.set.baseline_number));
	show_put_text(json, "drift", m->drift);
	show_put_time(json, "drift-since", m->drift_since_s);
	show_put_text(json, "changed-by", m->changed_by);
	json_array_append_new(s->all, json);
	return 0;
}

int cmd_baseline_show(struct cli *cli, const struct args *args, struct error *err)
{
	static const char *const heads[] = { "DEVICE", "BASELINE", "DRIFT", "SINCE", "CHANGED BY" };
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	struct showing s = { .all = json_array() };
	int r = fleet_list_get(&list, cli, err);

	table_init(&s.table, ARRAY_SIZE(heads), heads);
	if (r == 0)
		r = fleet_list_select(&list, args->value, args->count, err);
	if (r == 0)
		r = fleet_source(&s.source, cli, err);
	for (size_t i = 0; i < list.count && r == 0; i++)
		if (list.members[i].is_admitted && !*list.members[i].retired)
			r = show_one(&s, &list.members[i], err);
	if (r == 0)
		r = cli->json ? output_json("baseline", json_pack("{s:O}", "devices", s.all), err) : table_print(&s.table, err);
	table_done(&s.table);
	json_decref(s.all);
	return r;
}

/* ---- diff ---- */

/* The snapshot that the set names, and no other. */
static int open_baseline(struct opened *out, struct opener *opener, const struct fleet_member *m, const struct policy_set *set,
			 struct error *err)
{
	struct open_wanted wanted = { .id = m->id, .number = set->baseline_number };
	int r = opener_open(out, opener, &wanted, err);

	if (r == 0 && memcmp(statement_hash(out->st), set->baseline_hash, HASH_LEN) != 0)
		return error_set(err, E_SEAL, "revision %llu of '%s' is another one than its baseline was made from",
				 (unsigned long long)set->baseline_number, m->name);
	return r;
}

static int diff(struct cli *cli, const struct fleet_member *m, struct opener *opener, const struct device_set *set, struct error *err)
{
	_cleanup_(opened_done) struct opened was = { 0 }, now = { 0 };
	_cleanup_(preview_done) struct preview c = { 0 };
	struct preview_input in = { .form = form_of(m->driver), .management = "" };
	struct open_wanted newest = { .id = m->id, .at_least = m->snapshot };
	int r = open_baseline(&was, opener, m, &set->set, err);

	if (r == 0)
		r = opener_open(&now, opener, &newest, err);
	if (r == 0 && !in.form)
		r = error_set(err, CLI_ABSENT, "the kind of '%s' is not known here", m->name);
	if (r == 0)
		r = preview_between(&c, &in, &was, &now, err);
	if (r == 0)
		r = cli->json ? output_json("baseline-diff",
					    json_pack("{s:s, s:I, s:I, s:b, s:o}", "device", m->id, "baseline",
						      (json_int_t)set->set.baseline_number, "revision", (json_int_t)opened_number(&now),
						      "drift", (int)preview_differs(&c), "diff", show_text(buf_bytes(&c.diff))),
					    err)
			      : show_diff(buf_bytes(&c.diff), STDOUT_FILENO, err);
	return r < 0 ? r : preview_differs(&c) ? EXIT_FINDING : EXIT_DONE;
}

int cmd_baseline_diff(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(opener_freep) struct opener *opener = NULL;
	_cleanup_(device_set_done) struct device_set set = { 0 };
	const struct fleet_member *m = NULL;
	struct open_source source;
	int r = fleet_list_get(&list, cli, err);

	if (r == 0)
		r = fleet_find(&m, &list, args->value[0], err);
	if (r == 0)
		r = fleet_source(&source, cli, err);
	if (r < 0)
		return r;
	opener = opener_new(&source);
	r = device_set_get(&set, &source, m, err);
	if (r == 0 && (!set.is_there || !set.set.has_baseline))
		return error_set(err, CLI_ABSENT, "'%s' has no baseline; see: holdfast help baseline", m->name);
	return r < 0 ? r : diff(cli, m, opener, &set, err);
}
