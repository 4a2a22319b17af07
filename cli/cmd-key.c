/* cli/cmd-key.c -- `holdfast key rewrap`: gives the people who read today what was recorded before they came.
 *
 * An epoch's seals are named by the device's statement, so they stay; beside them the server keeps one further seal of the same identity.
 * Nobody has to vouch for it: it counts only where it holds the identity whose public half the device signed. History is not touched. */
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/fleet.h"
#include "cli/home.h"
#include "cli/output.h"

#include "base/plural.h"

#include <string.h>

struct rewrapping {
	struct cli *cli;
	struct opener *opener;
	struct progress progress;
	uint64_t total, done;
	uint64_t sealed, fine, closed, gone; /* epochs */
};

static bool is_among(const struct age_recipient *one, const struct age_recipient *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!memcmp(one->pub, all[i].pub, sizeof(one->pub)))
			return true;
	return false;
}

/* Does somebody read this part today to whom an epoch of that root was not sealed? */
static bool lacks_somebody(const struct root *then, const struct root *now, enum role also)
{
	struct age_recipient old[AGE_RECIPIENTS_MAX], new[AGE_RECIPIENTS_MAX];
	size_t old_count = root_recipients(old, NULL, then, ROLE_READER, also), count = root_recipients(new, NULL, now, ROLE_READER, also);

	for (size_t i = 0; i < count; i++)
		if (!is_among(&new[i], old, old_count))
			return true;
	return false;
}

static int post_part(struct rewrapping *w, const char *id, uint64_t epoch, const char *part, const struct age_identity *identity,
		     enum role also, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/epochs/%llu/%s-key", id, (unsigned long long)epoch, part);
	struct age_recipient to[AGE_RECIPIENTS_MAX];
	size_t count = root_recipients(to, NULL, w->cli->home->root, ROLE_READER, also);
	_cleanup_(buf_done) struct buf text = { 0 }, seal = { 0 };
	int r;

	age_identity_text(&text, identity);
	buf_add_char(&text, '\n');
	r = seal_secret(&seal, to, count, buf_bytes(&text), err);
	return r < 0 ? r : api_post(w->cli->api, path, buf_bytes(&seal), err);
}

static int seal_anew(struct rewrapping *w, const char *id, uint64_t epoch, struct error *err)
{
	const struct age_identity *body, *secrets;
	int r = opener_epoch_keys(&body, &secrets, w->opener, id, epoch, err);

	if (r == E_DENIED || (r == 0 && !secrets)) {
		w->closed++; /* we came later ourselves */
		return 0;
	}
	if (r == 0)
		r = post_part(w, id, epoch, "body", body, ROLE_AUDITOR, err);
	if (r >= 0)
		r = post_part(w, id, epoch, "secrets", secrets, ROLE_READER, err);
	if (r < 0)
		return r;
	w->sealed++;
	return 0;
}

static int rewrap_epoch(struct rewrapping *w, const char *id, uint64_t epoch, struct error *err)
{
	_cleanup_(buf_done) struct buf bytes = { 0 };
	_cleanup_(container_done) struct container c = { 0 };
	const struct home *home = w->cli->home;
	const struct root *then;
	uint64_t version;
	int r = opener_epoch(&c, &bytes, w->opener, id, epoch, err);

	if (r == CLI_ABSENT) {
		w->gone++;
		return 0;
	}
	if (r < 0)
		return r;
	version = statement_number(c.st, "root");
	if (!version || version > home->root_count)
		return error_set(err, E_SEAL, "it is of root %llu, and the server shows no such one", (unsigned long long)version);
	then = home->roots[version - 1];
	if (lacks_somebody(then, home->root, ROLE_AUDITOR) || lacks_somebody(then, home->root, ROLE_READER))
		return seal_anew(w, id, epoch, err);
	w->fine++;
	return 0;
}

static int rewrap_all(struct rewrapping *w, const struct fleet_list *list, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < list->count; i++)
		w->total += list->members[i].is_admitted ? list->members[i].epoch : 0;
	for (size_t i = 0; i < list->count && r == 0; i++) {
		const struct fleet_member *m = &list->members[i];

		for (uint64_t epoch = 1; m->is_admitted && epoch <= m->epoch && r == 0; epoch++) {
			r = rewrap_epoch(w, m->id, epoch, err);
			if (r < 0)
				error_add(err, "epoch %llu of '%s'", (unsigned long long)epoch, m->name);
			progress_show(&w->progress, ++w->done, w->total);
		}
	}
	progress_end(&w->progress);
	return r;
}

static int print(const struct rewrapping *w, struct error *err)
{
	_cleanup_(buf_done) struct buf line = { 0 };

	if (w->cli->json)
		return output_json("key-rewrap",
				   json_pack("{s:I, s:I, s:I, s:I}", "rewrapped", (json_int_t)w->sealed, "fine", (json_int_t)w->fine,
					     "closed", (json_int_t)w->closed, "absent", (json_int_t)w->gone),
				   err);
	buf_addf(&line, "epochs: %llu rewrapped, %llu sealed to all who read already, %llu closed to you, %llu not on the server\n",
		 (unsigned long long)w->sealed, (unsigned long long)w->fine, (unsigned long long)w->closed, (unsigned long long)w->gone);
	return output_raw(buf_bytes(&line), err);
}

int cmd_key_rewrap(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(opener_freep) struct opener *opener = NULL;
	struct rewrapping w = { .cli = cli, .progress = { .what = "epochs" } };
	int r = fleet_list_get(&list, cli, err);

	if (r == 0 && !root_has_role(cli->home->root, cli->home->person, ROLE_READER))
		r = error_set(err, E_DENIED, "only who has role reader can give to others what they read");
	if (r == 0)
		r = fleet_list_select(&list, args->value, args->count, err);
	if (r == 0)
		r = fleet_opener(&opener, cli, err);
	if (r < 0)
		return r;
	w.opener = opener;
	r = rewrap_all(&w, &list, err);
	if (r == 0)
		r = print(&w, err);
	if (r == 0 && w.closed)
		r = error_set(err, CLI_PARTIAL, "%llu %s closed to you, too: a reader who was there before has to rewrap %s",
			      (unsigned long long)w.closed, plural(w.closed, "epoch is", "epochs are"), plural(w.closed, "it", "them"));
	return r;
}
