/* cli/people.c -- what a person could read, and `holdfast key exposed`. */
#include "cli/people.h"

#include "base/plural.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/exposure.h"
#include "cli/fleet.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/show.h"

#include <string.h>

enum reading people_reading(const struct root *root, const char *person)
{
	size_t len = strlen(person);
	const char *value;
	bool has_key = false;

	for (size_t i = 0; (value = statement_at(root_statement(root), "reading-key", i)); i++)
		has_key |= !strncmp(value, person, len) && value[len] == ' ';
	if (has_key && root_has_role(root, person, ROLE_READER))
		return READS_ALL;
	return has_key && root_has_role(root, person, ROLE_AUDITOR) ? READS_BODIES : READS_NOTHING;
}

bool people_is_login(const struct root *root, const char *person)
{
	struct sign_pub key;
	const char *owner;

	for (size_t i = 0; root_key(root, i, &owner, &key); i++)
		if (!strcmp(owner, person))
			return true;
	return false;
}

/* One person's list. */
struct exposed {
	const char *person;
	const struct home *home;
	struct api *api;
	struct opener *opener;
	struct progress progress;
	struct table table;
	json_t *json;
	uint64_t epochs, devices, open; /* open: devices whose newest epoch they read */
	uint64_t unknown;               /* shredded epochs: who read them once, nobody can look up any more */
};

static void exposed_begin(struct exposed *x, const char *person, const struct cli *cli, struct opener *opener)
{
	static const char *const heads[] = { "DEVICE", "EPOCH", "SINCE", "READS", "STATE" };

	*x = (struct exposed){
		.person = person,
		.home = cli->home,
		.api = cli->api,
		.opener = opener,
		.progress = { .what = "epochs" },
		.json = json_array(),
	};
	table_init(&x->table, ARRAY_SIZE(heads), heads);
}

static void exposed_done(struct exposed *x)
{
	table_done(&x->table);
	json_decref(x->json);
}

/* A seal does not say to whom it is: where a reader rewrapped the epoch, whoever read later is taken for one of those. */
static int look_at_rewrap(enum reading *reading, const struct exposed *x, const char *id, uint64_t epoch, uint64_t version,
			  struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/epochs/%llu/body-key", id, (unsigned long long)epoch);
	_cleanup_(buf_done) struct buf seal = { 0 };
	enum reading later = READS_NOTHING;
	int r;

	for (uint64_t i = version; i < x->home->root_count; i++)
		if (people_reading(x->home->roots[i], x->person) > later)
			later = people_reading(x->home->roots[i], x->person);
	if (later <= *reading)
		return 0;
	r = api_get(&seal, x->api, path, SEAL_MAX, err);
	if (r == 0)
		*reading = later;
	return r == CLI_ABSENT ? 0 : r;
}

static void add_row(struct exposed *x, const struct fleet_member *m, const struct statement *epoch, enum reading reading)
{
	bool is_newest = statement_number(epoch, "epoch") == m->epoch;
	const char *what = reading == READS_ALL ? "all" : "without secrets", *state = is_newest ? "recording" : "ended";
	_cleanup_(mem_freep) char *number = mem_printf("%llu", (unsigned long long)statement_number(epoch, "epoch"));

	table_add(&x->table, (const char *const[]){ m->name, number, statement_get(epoch, "time"), what, state });
	json_array_append_new(x->json, json_pack("{s:s, s:s, s:I, s:s, s:s, s:b}", "device", m->id, "name", m->name, "epoch",
						 (json_int_t)statement_number(epoch, "epoch"), "since", statement_get(epoch, "time"),
						 "reads", reading == READS_ALL ? "all" : "bodies", "newest", is_newest));
	x->epochs++;
	x->open += is_newest;
}

static int look_at_epoch(struct exposed *x, const struct fleet_member *m, uint64_t number, bool *is_exposed, struct error *err)
{
	_cleanup_(buf_done) struct buf bytes = { 0 };
	_cleanup_(container_done) struct container c = { 0 };
	enum reading reading;
	uint64_t version;
	int r = opener_epoch(&c, &bytes, x->opener, m->id, number, err);

	if (r == CLI_ABSENT) {
		x->unknown++;
		return 0;
	}
	if (r < 0)
		return r;
	version = statement_number(c.st, "root");
	if (!version || version > x->home->root_count)
		return error_set(err, E_SEAL, "epoch %llu of '%s' is of root %llu, and the server shows no such one",
				 (unsigned long long)number, m->name, (unsigned long long)version);
	reading = people_reading(x->home->roots[version - 1], x->person);
	r = look_at_rewrap(&reading, x, m->id, number, version, err);
	if (r < 0 || reading == READS_NOTHING)
		return r;
	*is_exposed = true;
	add_row(x, m, c.st, reading);
	return 0;
}

static int look_at_all(struct exposed *x, const struct fleet_list *list, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < list->count && r == 0; i++) {
		const struct fleet_member *m = &list->members[i];
		bool is_exposed = false;

		for (uint64_t n = 1; m->is_admitted && n <= m->epoch && r == 0; n++)
			r = look_at_epoch(x, m, n, &is_exposed, err);
		x->devices += is_exposed;
		progress_show(&x->progress, i + 1, list->count);
	}
	progress_end(&x->progress);
	return r;
}

static void tell_sum(const struct exposed *x)
{
	bool still = people_reading(x->home->root, x->person) != READS_NOTHING;

	output_note("%s could read %llu %s of %llu %s: take every secret in %s for known, and change it on the %s.", x->person,
		    (unsigned long long)x->epochs, plural(x->epochs, "epoch", "epochs"), (unsigned long long)x->devices,
		    plural(x->devices, "device", "devices"), plural(x->epochs, "it", "them"), plural(x->devices, "device", "devices"));
	if (x->unknown)
		output_note("Of %llu more the keys are shredded: whether %s read them before, nobody can look up.",
			    (unsigned long long)x->unknown, x->person);
	if (!still && x->open)
		output_note("%llu %s under an epoch that %s reads: a new one begins with the next contact. Look again with: holdfast key "
			    "exposed %s",
			    (unsigned long long)x->open, plural(x->open, "device still records", "devices still record"), x->person,
			    x->person);
}

/* Appends the list of one person to standard output, or to json. */
static int list_one(struct cli *cli, struct opener *opener, const struct fleet_list *list, const char *person, uint64_t *open, json_t *json,
		    struct error *err)
{
	struct exposed x;
	int r;

	exposed_begin(&x, person, cli, opener);
	r = look_at_all(&x, list, err);
	if (r == 0) {
		tell_sum(&x);
		if (json)
			json_object_update_new(json, json_pack("{s:s, s:O, s:I, s:I}", "person", person, "epochs", x.json, "open",
							       (json_int_t)x.open, "shredded", (json_int_t)x.unknown));
		else
			r = table_print(&x.table, err);
	}
	*open = x.open;
	exposed_done(&x);
	return r;
}

static bool was_ever(const struct home *home, const char *person)
{
	for (size_t i = 0; i < home->root_count; i++)
		for (size_t k = 0; k < root_people(home->roots[i]); k++)
			if (!strcmp(root_person(home->roots[i], k), person))
				return true;
	return false;
}

/* ---- which secrets these are ---- */

/* The epochs of one device that were found to be open to the person, with their secrets. */
static size_t epochs_of(uint64_t *out, size_t max, const json_t *found, const char *device)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(found) && count < max; i++) {
		const json_t *one = json_array_get(found, i);

		if (!strcmp(json_string_value(json_object_get(one, "device")), device) &&
		    !strcmp(json_string_value(json_object_get(one, "reads")), "all"))
			out[count++] = (uint64_t)json_integer_value(json_object_get(one, "epoch"));
	}
	return count;
}

static int compare_all(struct exposure *e, const struct fleet_list *list, const json_t *found, struct error *err)
{
	_cleanup_(mem_freep) uint64_t *epochs = mem_alloc(EXPOSURE_EPOCHS_MAX * sizeof(*epochs));
	struct progress progress = { .what = "devices compared" };
	int r = 0;

	for (size_t i = 0; i < list->count && r == 0; i++) {
		size_t count = epochs_of(epochs, EXPOSURE_EPOCHS_MAX, found, list->members[i].id);

		r = exposure_add(e, &list->members[i], epochs, count, err);
		opener_forget(e->opener);
		progress_show(&progress, i + 1, list->count);
	}
	progress_end(&progress);
	return r;
}

static int print_secrets(struct exposure *e, const char *person, bool as_json, struct error *err)
{
	output_note("%s could read %llu %s with a secret that %s in force: change %s. %llu more %s changed since.", person,
		    (unsigned long long)e->to_change, plural(e->to_change, "line", "lines"), plural(e->to_change, "is", "are"),
		    plural(e->to_change, "it", "them"), (unsigned long long)e->changed, plural(e->changed, "was", "were"));
	if (e->closed)
		output_note("The secrets of %llu %s are not sealed to you: somebody with the role reader has to list them.",
			    (unsigned long long)e->closed, plural(e->closed, "device", "devices"));
	if (as_json)
		return output_json("key-exposed-secrets",
				   json_pack("{s:s, s:O, s:I}", "person", person, "lines", e->json, "closed", (json_int_t)e->closed), err);
	return table_print(&e->table, err);
}

static int list_secrets(struct cli *cli, struct opener *opener, const struct fleet_list *list, const char *person, struct error *err)
{
	_cleanup_(exposure_done) struct exposure e;
	struct exposed x;
	int r;

	exposed_begin(&x, person, cli, opener);
	exposure_begin(&e, cli, opener);
	r = look_at_all(&x, list, err);
	if (r == 0)
		tell_sum(&x);
	if (r == 0)
		r = compare_all(&e, list, x.json, err);
	exposed_done(&x);
	if (r == 0)
		r = print_secrets(&e, person, cli->json, err);
	return r < 0 ? r : e.to_change ? EXIT_FINDING : EXIT_DONE;
}

int cmd_key_exposed(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(opener_freep) struct opener *opener = NULL;
	const char *person = args->value[0];
	json_t *json = NULL;
	uint64_t open = 0;
	int r = fleet_list_get(&list, cli, err);

	if (r == 0 && !was_ever(cli->home, person))
		r = error_set(err, CLI_ABSENT, "no version of the root knows a person '%.60s'", person);
	if (r == 0)
		r = fleet_list_select(&list, &args->value[1], args->count - 1, err);
	if (r == 0)
		r = fleet_opener(&opener, cli, err);
	if (r < 0)
		return r;
	if (args_has(args, "secrets"))
		return list_secrets(cli, opener, &list, person, err);
	json = cli->json ? json_object() : NULL;
	r = list_one(cli, opener, &list, person, &open, json, err);
	if (r == 0 && json)
		r = output_json("key-exposed", json_incref(json), err);
	json_decref(json);
	if (r < 0)
		return r;
	return open && people_reading(cli->home->root, person) == READS_NOTHING ? EXIT_FINDING : EXIT_DONE;
}

/* ---- after a root is published ---- */

static int tell_lost(struct cli *cli, const char *person, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(opener_freep) struct opener *opener = NULL;
	uint64_t open = 0;
	int r = fleet_list_get(&list, cli, err);

	if (r == 0)
		r = fleet_opener(&opener, cli, err);
	return r < 0 ? r : list_one(cli, opener, &list, person, &open, NULL, err);
}

/* The root is published: what fails here is told, and fails nothing. */
static void tell_losses(const struct proposal *p, struct cli *cli)
{
	for (size_t i = 0; i < root_people(p->now); i++) {
		const char *person = root_person(p->now, i);
		struct error why = { 0 };

		if (!root_diff_loses_reading(p->now, p->next, person))
			continue;
		if (people_reading(cli->home->root, cli->home->person) == READS_NOTHING || tell_lost(cli, person, &why) < 0)
			output_note("%s could read what was recorded so far%s%s. The work list, from a reader:  holdfast key exposed %s",
				    person, why.code ? "; it could not be listed: " : "", why.code ? why.text : "", person);
	}
}

int people_tell(const struct proposal *p, struct cli *cli, const char *file, struct error *err)
{
	output_note("Root version %llu is in force. Devices take it over with their next contact.",
		    (unsigned long long)root_version(cli->home->root));
	if (cli->json)
		return proposal_json(p, "root-publish", file, err);
	tell_losses(p, cli);
	return 0;
}
