/* cli/cmd-device-admit.c -- `holdfast device admit`: those who answered an invite, each checked against its secret, then admitted.
 *
 * The server is not asked who may join: it only hands over statements. An invite is for one device, so a second one that proves the
 * same secret means that the string got into other hands; then neither is admitted unless --device says which one is meant. */
#include "cli/admission.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/enrolment.h"
#include "cli/fleet.h"
#include "cli/output.h"
#include "cli/sign.h"

#include "base/clock.h"
#include "base/plural.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Shared by all devices that answered it. */
struct invite {
	char id[ID_LEN + 1];
	struct buf whole;
	struct container c; /* c.st NULL: it does not hold, why says so */
	struct secret secret;
	struct error why;
};

struct device {
	const struct fleet_member *member;
	const char *name; /* of who waits: that of its invite, or "" */
	char labels[1200];
	bool is_chosen, is_done;
	size_t invite;    /* in admission->invites */
	struct error why; /* code 0: fine */
};

struct admission {
	struct cli *cli;
	const char *only; /* --device */
	struct fleet_list list;
	struct device *devices; /* as many as list has */
	struct invite *invites;
	size_t invite_count;
};

static void admission_done(struct admission *a)
{
	for (size_t i = 0; i < a->invite_count; i++) {
		buf_done(&a->invites[i].whole);
		container_done(&a->invites[i].c);
		secret_done(&a->invites[i].secret);
	}
	free(a->devices);
	free(a->invites);
	fleet_list_done(&a->list);
}

/* ---- who is there ---- */

static size_t invite_index(struct admission *a, const char *id)
{
	struct invite *fresh;

	for (size_t i = 0; i < a->invite_count; i++)
		if (!strcmp(a->invites[i].id, id))
			return i;
	a->invites = mem_grow(a->invites, (a->invite_count + 1) * sizeof(*a->invites));
	fresh = &a->invites[a->invite_count];
	*fresh = (struct invite){ 0 };
	strcpy(fresh->id, id);
	return a->invite_count++;
}

static int list_devices(struct admission *a, struct error *err)
{
	int r = fleet_list_get(&a->list, a->cli, err);

	if (r < 0)
		return r;
	a->devices = mem_alloc((a->list.count + 1) * sizeof(*a->devices));
	for (size_t i = 0; i < a->list.count; i++) {
		const struct fleet_member *m = &a->list.members[i];

		if (!id_is_valid(bytes_str(m->invite)))
			return error_set(err, E_PEER, "the server does not say which invite device '%s' answered", m->id);
		a->devices[i].member = m;
		a->devices[i].name = m->name;
		memcpy(a->devices[i].labels, m->labels, sizeof(m->labels));
		a->devices[i].invite = invite_index(a, m->invite);
	}
	return 0;
}

/* A failure stays with the invite: it is told to whoever asks for one of its devices. */
static int load_invite(struct admission *a, struct invite *invite)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/invites/%s", invite->id);
	int r = 0;

	if (!invite->c.st && !invite->why.code) {
		r = api_get(&invite->whole, a->cli->api, path, CONTAINER_MAX, &invite->why);
		if (r == 0)
			r = enrolment_invite(&invite->c, buf_bytes(&invite->whole), a->cli->home->root, invite->id, &invite->why);
	}
	return r;
}

static void take_name(struct device *d, const struct statement *invite)
{
	size_t len = 0;
	const char *label;

	d->name = statement_get(invite, "device-name");
	for (size_t i = 0; (label = statement_at(invite, "label", i)) && len + strlen(label) + 2 < sizeof(d->labels); i++)
		len += (size_t)snprintf(d->labels + len, sizeof(d->labels) - len, "%s%s", i ? " " : "", label);
}

/* Who waits has no name of its own yet: that of its invite is what people know. */
static int name_waiting(struct admission *a, struct error *err)
{
	for (size_t i = 0; i < a->list.count; i++) {
		struct invite *invite = &a->invites[a->devices[i].invite];

		if (a->devices[i].member->is_admitted)
			continue;
		(void)load_invite(a, invite);
		if (invite->why.code == E_DENIED || invite->why.code == CLI_LOGIN || invite->why.code == CLI_UNREACHED) {
			*err = invite->why; /* of us, not of the invite */
			return err->code;
		}
		if (invite->c.st)
			take_name(&a->devices[i], invite->c.st);
	}
	return 0;
}

/* ---- who is meant ---- */

static bool is_meant(const struct device *d, const char *const terms[], size_t count)
{
	return select_matches(terms, count, d->member->id, d->name, d->labels);
}

/* A name that nobody has is more likely a slip than a wish. */
static int check_term(const struct admission *a, const char *term, struct error *err)
{
	if (*term == '!')
		return 0;
	for (size_t i = 0; i < a->list.count; i++)
		if (is_meant(&a->devices[i], &term, 1))
			return 0;
	return error_set(err, CLI_ABSENT, "no device '%.80s' has enrolled; it does so by: holdfast-agent join", term);
}

static int choose_one(struct admission *a, struct error *err)
{
	struct device *found = NULL;

	for (size_t i = 0; i < a->list.count; i++) {
		if (strncmp(a->devices[i].member->id, a->only, strlen(a->only)) != 0)
			continue;
		if (found)
			return error_set(err, CLI_USAGE, "more than one device's id begins with '%s'", a->only);
		found = &a->devices[i];
	}
	if (!found)
		return error_set(err, CLI_ABSENT, "no device '%.80s' has enrolled", a->only);
	found->is_chosen = true;
	a->only = found->member->id;
	return 0;
}

static int choose(struct admission *a, const struct args *args, struct error *err)
{
	bool all = args_has(args, "all");

	if (a->only)
		return choose_one(a, err);
	for (size_t i = 0; i < args->count; i++)
		if (check_term(a, args->value[i], err) < 0)
			return err->code;
	for (size_t i = 0; i < a->list.count; i++) {
		struct device *d = &a->devices[i];

		d->is_chosen = all ? !d->member->is_admitted : is_meant(d, args->value, args->count);
	}
	return 0;
}

/* ---- one device ---- */

static int load_enrol(struct statement **out, struct admission *a, const struct device *d, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/enrol", d->member->id);
	_cleanup_(buf_done) struct buf whole = { 0 };
	int r = api_get(&whole, a->cli->api, path, STATEMENT_MAX, err);

	if (r == 0)
		r = enrolment_open(out, buf_bytes(&whole), a->cli->home->fleet, d->member->id, err);
	return r;
}

static int open_secret(struct admission *a, struct invite *invite, struct error *err)
{
	const struct age_identity *reader;
	int r;

	if (invite->secret.ptr)
		return 0;
	r = home_reading_key(&reader, a->cli->home, err);
	return r < 0 ? r : enrolment_secret(&invite->secret, &invite->c, reader, err);
}

/* Another device that proves the same secret; NULL when there is none. */
static const struct device *find_rival(struct admission *a, const struct device *d)
{
	for (size_t i = 0; i < a->list.count; i++) {
		const struct device *other = &a->devices[i];
		_cleanup_(statement_freep) struct statement *enrol = NULL;
		struct error ignored;

		if (other == d || other->invite != d->invite || load_enrol(&enrol, a, other, &ignored) < 0)
			continue;
		if (enrolment_mac_holds(enrol, secret_bytes(&a->invites[d->invite].secret)))
			return other;
	}
	return NULL;
}

static int check_rivals(struct admission *a, const struct device *d, struct error *err)
{
	const struct device *rival = find_rival(a, d);

	if (!rival)
		return 0;
	if (a->only) {
		output_note("holdfast: warning: device '%s' proved the secret of the same invite%s; find out who has it", rival->member->id,
			    rival->member->is_admitted ? " and is admitted" : "");
		return 0;
	}
	return error_set(err, CLI_CONFLICT,
			 "ALARM: two devices proved the secret of invite '%s': '%s' and '%s'; the string got into other hands. "
			 "Compare the ids with what the device itself shows; then admit that one with: holdfast device admit --device ID",
			 a->invites[d->invite].id, d->member->id, rival->member->id);
}

static int check(struct admission *a, const struct device *d, const struct statement *enrol, struct error *err)
{
	struct invite *invite = &a->invites[d->invite];
	int r;

	if (strcmp(statement_get(enrol, "invite"), invite->id) != 0)
		return error_set(err, E_SEAL, "its enrolment answers invite '%s', not '%s' as the server says",
				 statement_get(enrol, "invite"), invite->id);
	r = open_secret(a, invite, err);
	if (r < 0)
		return r;
	if (!enrolment_mac_holds(enrol, secret_bytes(&invite->secret)))
		return error_set(err, E_SEAL, "its MAC is wrong: it was not given the secret of invite '%s', or its enrolment was changed",
				 invite->id);
	r = enrolment_in_time(enrol, invite->c.st, clock_now_s(), err);
	return r < 0 ? r : check_rivals(a, d, err);
}

/* labels: "site:north role:ring". */
static int sign_admit(struct buf *text, const struct home *home, const struct statement *enrol, const char *name, const char *labels,
		      struct error *err)
{
	_cleanup_(mem_freep) char *key = home_signing_key(home), *copy = mem_strdup(labels);
	char *rest = copy, *label;

	statement_begin(text, STATEMENT_ADMIT);
	statement_add(text, "fleet", "%s", home->fleet);
	statement_add(text, "device", "%s", statement_get(enrol, "device"));
	statement_add_hash(text, "enrol", statement_hash(enrol));
	statement_add(text, "device-name", "%s", name);
	while ((label = strsep(&rest, " ")))
		if (*label)
			statement_add(text, "label", "%s", label);
	statement_add_time(text, "time", clock_now_s());
	statement_add(text, "root", "%llu", (unsigned long long)root_version(home->root));
	return sign_statement(text, key, err);
}

/* name: NULL for what the invite says, with its labels. */
static int admit_as(struct admission *a, struct device *d, const char *name, const char *labels, struct error *err)
{
	_cleanup_(statement_freep) struct statement *enrol = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct invite *invite = &a->invites[d->invite];
	int r;

	if (invite->why.code) {
		*err = invite->why;
		return err->code;
	}
	r = load_enrol(&enrol, a, d, err);
	if (r == 0)
		r = check(a, d, enrol, err);
	if (r == 0)
		r = sign_admit(&text, a->cli->home, enrol, name ? name : d->name, name ? labels : d->labels, err);
	if (r == 0)
		r = api_post_object(a->cli->api, buf_bytes(&text), err);
	d->is_done = r >= 0;
	return r < 0 ? r : 0;
}

static int admit(struct admission *a, struct device *d, struct error *err)
{
	return admit_as(a, d, NULL, NULL, err);
}

/* What will fail for all the others as well ends it. */
static void admit_chosen(struct admission *a)
{
	for (size_t i = 0; i < a->list.count; i++) {
		struct device *d = &a->devices[i];

		if (!d->is_chosen || d->member->is_admitted)
			continue;
		if (admit(a, d, &d->why) < 0 && (d->why.code == CLI_UNREACHED || d->why.code == CLI_LOGIN))
			return;
	}
}

/* ---- under another name ---- */

int admission_waiting(struct cli *cli, const char *id, const char *name, const char *labels, struct error *err)
{
	_cleanup_(admission_done) struct admission a = { .cli = cli, .only = id };
	int r = cli_api(cli, err);

	if (r == 0)
		r = list_devices(&a, err);
	if (r == 0)
		r = name_waiting(&a, err);
	if (r == 0)
		r = choose_one(&a, err);
	for (size_t i = 0; r == 0 && i < a.list.count; i++)
		if (a.devices[i].is_chosen)
			r = admit_as(&a, &a.devices[i], name, labels, err);
	return r;
}

int admission_again(struct cli *cli, const struct open_device *device, const char *name, const char *labels, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = sign_admit(&text, cli->home, device->enrol, name, labels, err);

	if (r == 0)
		r = api_post_object(cli->api, buf_bytes(&text), err);
	return r < 0 ? r : 0;
}

/* ---- what became of them ---- */

static const char *result_of(const struct device *d)
{
	return d->member->is_admitted ? "already-admitted" : d->is_done ? "admitted" : d->why.code ? "refused" : "not-tried";
}

static int show_json(const struct admission *a, struct error *err)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->list.count; i++) {
		const struct device *d = &a->devices[i];
		json_t *one;

		if (!d->is_chosen)
			continue;
		one = json_pack("{s:s, s:s, s:s}", "id", d->member->id, "name", d->name, "result", result_of(d));
		if (d->why.code)
			json_object_set_new(one, "reason", json_string(d->why.text));
		json_array_append_new(list, one);
	}
	return output_json("device-admit", json_pack("{s:o}", "devices", list), err);
}

static int show_table(const struct admission *a, struct error *err)
{
	static const char *const heads[] = { "NAME", "ID", "RESULT" };
	struct table table;
	int r;

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < a->list.count; i++) {
		const struct device *d = &a->devices[i];

		if (d->is_chosen)
			table_add(&table, (const char *const[]){ d->name, d->member->id, result_of(d) });
	}
	if (table.rows == 1) /* the heads */
		output_note("Nobody waits to be admitted.");
	r = table.rows == 1 ? 0 : table_print(&table, err);
	table_done(&table);
	return r;
}

/* A reason that all share is the command's own; else the exit status says that the list has to be read. */
static int conclude(const struct admission *a, struct error *err)
{
	const struct device *first = NULL;
	size_t chosen = 0, failed = 0;
	bool is_shared = true;

	for (size_t i = 0; i < a->list.count; i++) {
		const struct device *d = &a->devices[i];

		if (!d->is_chosen)
			continue;
		chosen++;
		if (d->member->is_admitted || d->is_done)
			continue;
		failed++;
		first = first ? first : d;
		is_shared = is_shared && (!d->why.code || d->why.code == first->why.code);
	}
	if (!failed)
		return 0;
	*err = first->why;
	if (chosen == 1)
		return error_add(err, "device '%s' (%s) is not admitted", first->name[0] ? first->name : "?", first->member->id);
	for (size_t i = 0; i < a->list.count; i++)
		if (a->devices[i].why.code)
			output_note("holdfast: device '%s' (%s): %s", a->devices[i].name, a->devices[i].member->id, a->devices[i].why.text);
	return error_set(err, failed == chosen && is_shared ? first->why.code : CLI_PARTIAL, "%zu of %zu %s not admitted", failed, chosen,
			 plural(chosen, "device is", "devices are"));
}

int cmd_device_admit(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(admission_done) struct admission a = { .cli = cli, .only = args_get(args, "device") };
	int r;

	if ((args->count != 0) + args_has(args, "all") + (a.only != NULL) != 1)
		return error_set(err, CLI_USAGE, "'device admit' takes names or ids, or --all, or --device ID");
	if (a.only && strlen(a.only) < SELECT_ID_PREFIX_MIN)
		return error_set(err, CLI_USAGE, "'--device %s' is too short for an id; give at least %d characters", a.only,
				 SELECT_ID_PREFIX_MIN);
	r = cli_api(cli, err);
	if (r == 0)
		r = list_devices(&a, err);
	if (r == 0)
		r = name_waiting(&a, err);
	if (r == 0)
		r = choose(&a, args, err);
	if (r < 0)
		return r;
	admit_chosen(&a);
	r = cli->json ? show_json(&a, err) : show_table(&a, err);
	return r < 0 ? r : conclude(&a, err);
}
