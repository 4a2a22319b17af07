/* cli/cmd-key-drill.c -- `holdfast key drill`: does a reading key that lies in a safe, or in shares of several people, open what it is for?
 *
 * It opens the newest epoch of every device, as somebody would have to on the day when it is needed, and shows nothing of what is in it.
 * The key comes from a file or a pipe, lives in locked memory, and is gone at the end. The session is the operator's own. */
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/fleet.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/show.h"

#include "base/plural.h"

#include <string.h>

/* With the operator's session, and another key. */
struct drill {
	struct cli *cli;
	struct age_identity key;
	struct opener *opener;
	struct table table;
	json_t *json;
	struct progress progress;
	uint64_t opened, closed, empty; /* devices */
	bool needs_secrets;
};

static int get_bytes(void *ctx, struct buf *out, const char *path, size_t max, struct error *err)
{
	struct drill *d = ctx;

	return api_get(out, d->cli->api, path, max, err);
}

static int get_key(void *ctx, const struct age_identity **out, struct error *err _unused_)
{
	struct drill *d = ctx;

	*out = &d->key;
	return 0;
}

static void drill_done(struct drill *d)
{
	opener_free(d->opener);
	age_identity_done(&d->key);
	table_done(&d->table);
	json_decref(d->json);
}

/* Whose key is it, by the root in force? NULL: nobody's, so nothing is sealed to it any more. */
static const char *whose(const struct root *root, const struct age_identity *key)
{
	char text[AGE_RECIPIENT_LEN + 1];
	const char *value;

	age_recipient_text(text, &key->pub);
	for (size_t i = 0; (value = statement_at(root_statement(root), "reading-key", i)); i++) {
		const char *space = strchr(value, ' ');

		for (size_t k = 0; space && !strcmp(space + 1, text) && k < root_people(root); k++)
			if (strlen(root_person(root, k)) == (size_t)(space - value) &&
			    !strncmp(root_person(root, k), value, (size_t)(space - value)))
				return root_person(root, k);
	}
	return NULL;
}

static void add_failure(struct drill *d, const struct fleet_member *m, const char *why)
{
	_cleanup_(mem_freep) char *epoch = mem_printf("%llu", (unsigned long long)m->epoch);

	table_add(&d->table, (const char *const[]){ m->name, epoch, why });
	json_array_append_new(d->json, json_pack("{s:s, s:s, s:I, s:o}", "device", m->id, "name", m->name, "epoch", (json_int_t)m->epoch,
						 "why", show_text(bytes_str(why))));
	d->closed++;
}

/* One device that does not open is no reason not to try the others; a server that is away is. */
static int try_device(struct drill *d, const struct fleet_member *m, struct error *err)
{
	const struct age_identity *body, *secrets;
	struct error why = { 0 };
	int r;

	if (!m->is_admitted || !m->epoch) {
		d->empty++;
		return 0;
	}
	r = opener_epoch_keys(&body, &secrets, d->opener, m->id, m->epoch, &why);
	if (r == E_DENIED)
		add_failure(d, m, "it is not sealed to this key");
	else if (r == CLI_ABSENT || r == E_SEAL || r == E_FORMAT)
		add_failure(d, m, why.text);
	else if (r < 0)
		return error_set(err, r, "%s", why.text);
	else if (!secrets && d->needs_secrets)
		add_failure(d, m, "the configuration opens, its secrets do not");
	else
		d->opened++;
	opener_forget(d->opener);
	return 0;
}

static int try_all(struct drill *d, const struct fleet_list *list, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < list->count && r == 0; i++) {
		r = try_device(d, &list->members[i], err);
		progress_show(&d->progress, i + 1, list->count);
	}
	progress_end(&d->progress);
	return r;
}

static int print(struct drill *d, const char *person, struct error *err)
{
	if (d->cli->json)
		return output_json("key-drill",
				   json_pack("{s:s, s:I, s:O, s:I}", "person", person, "opened", (json_int_t)d->opened, "failed", d->json,
					     "empty", (json_int_t)d->empty),
				   err);
	output_note("The key of %s opens the newest epoch of %llu of %llu %s%s.", person, (unsigned long long)d->opened,
		    (unsigned long long)(d->opened + d->closed), plural(d->opened + d->closed, "device", "devices"),
		    d->needs_secrets ? ", secrets among it" : ", without their secrets");
	if (d->empty)
		output_note("%llu more %s recorded nothing yet.", (unsigned long long)d->empty, plural(d->empty, "has", "have"));
	return d->closed ? table_print(&d->table, err) : 0;
}

static int begin(struct drill *d, struct cli *cli, const char *file, const char **person, struct error *err)
{
	static const char *const heads[] = { "DEVICE", "EPOCH", "WHY" };
	struct open_source source;
	int r = args_no_literal(file, err);

	table_init(&d->table, ARRAY_SIZE(heads), heads);
	d->json = json_array();
	d->progress.what = "devices";
	if (r == 0)
		r = home_read_identity(&d->key, file, err);
	if (r == 0)
		r = fleet_source(&source, cli, err);
	if (r < 0)
		return r;
	*person = whose(cli->home->root, &d->key);
	if (!*person)
		return error_set(err, E_DENIED,
				 "it is nobody's reading key in root %llu: devices seal nothing to it, and what they sealed to it before "
				 "opens only as long as it is kept",
				 (unsigned long long)root_version(cli->home->root));
	d->needs_secrets = root_has_role(cli->home->root, *person, ROLE_READER);
	d->cli = cli;
	source.get = get_bytes;
	source.key = get_key;
	source.ctx = d;
	d->opener = opener_new(&source);
	return 0;
}

int cmd_key_drill(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(drill_done) struct drill d = { 0 };
	const char *person;
	int r = begin(&d, cli, args->value[0], &person, err);

	if (r == 0)
		r = fleet_list_get(&list, cli, err);
	if (r == 0)
		r = fleet_list_select(&list, &args->value[1], args->count - 1, err);
	if (r == 0)
		r = try_all(&d, &list, err);
	if (r == 0)
		r = print(&d, person, err);
	if (r < 0)
		return r;
	return d.closed ? error_set(err, CLI_PARTIAL, "%llu %s did not open; a reader gives it the past with: holdfast key rewrap",
				    (unsigned long long)d.closed, plural(d.closed, "device", "devices")) :
			  EXIT_DONE;
}
