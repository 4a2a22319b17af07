/* cli/cmd-policy-publish.c -- holdfast policy publish: packs of rules, and what devices do about unsaved changes, as a signed order. */
#include "cli/commands.h"

#include "cli/policing.h"
#include "cli/publishing.h"

#include <stdlib.h>
#include <string.h>

struct given_pack {
	struct buf text;
	struct policy *policy;
};

struct publish {
	const struct args *args;
	struct given_pack packs[POLICY_SET_PACKS_MAX];
	size_t pack_count;
	struct policy_commit commit;
	bool has_commit;
};

static void publish_done(struct publish *w)
{
	for (size_t i = 0; i < w->pack_count; i++) {
		buf_done(&w->packs[i].text);
		policy_free(w->packs[i].policy);
	}
}

/* ---- what is asked for ---- */

static int take_pack(struct publish *w, const char *name, struct error *err)
{
	struct given_pack *pack = &w->packs[w->pack_count];
	_cleanup_(mem_freep) char *path = NULL;

	if (w->pack_count == POLICY_SET_PACKS_MAX)
		return error_set(err, CLI_USAGE, "a device has at most %d packs", POLICY_SET_PACKS_MAX);
	if (policing_read(&pack->policy, &path, name, err) < 0)
		return err->code;
	w->pack_count++;
	for (size_t i = 0; i + 1 < w->pack_count; i++)
		if (!strcmp(w->packs[i].policy->name, pack->policy->name))
			return error_set(err, CLI_USAGE, "--pack: '%s' is named twice", pack->policy->name);
	return policing_read_file(&pack->text, path, POLICY_BYTES_MAX, err);
}

/* "mode=commit,quiet=60": commas, since an argument with blanks is easily torn. */
static int take_commit(struct publish *w, const char *text, struct error *err)
{
	_cleanup_(mem_freep) char *spaced = mem_strdup(text);

	for (char *c = spaced; *c; c++)
		*c = *c == ',' ? ' ' : *c;
	w->has_commit = strcmp(text, "default") != 0;
	if (w->has_commit && policy_commit_parse(&w->commit, bytes_str(spaced), err) < 0) {
		err->code = CLI_USAGE;
		return error_add(err, "--commit");
	}
	return 0;
}

static int check_windows(const struct args *args, struct error *err)
{
	const char *window;
	size_t i;

	for (i = 0; (window = args_at(args, "exempt", i)); i++)
		if (strcmp(window, "none") != 0 && (!window_parse_ok(window) || i == POLICY_SET_EXEMPT_MAX))
			return error_set(err, CLI_USAGE,
					 "'--exempt %.60s': write at most %d windows as 'daily 08:00-17:00' or 'mon,tue 08:00-17:00' "
					 "(UTC), or none",
					 window, POLICY_SET_EXEMPT_MAX);
	return 0;
}

static int take_wishes(struct publish *w, struct error *err)
{
	static const char *const wishes[] = { "pack", "without", "commit", "exempt", "clear" };
	const char *pack, *commit = args_get(w->args, "commit");
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++)
		any |= args_has(w->args, wishes[i]);
	if (!any)
		return error_set(err, CLI_USAGE, "publish what? say --pack, --without, --commit, --exempt or --clear");
	for (size_t i = 0; (pack = args_at(w->args, "pack", i)); i++)
		if (take_pack(w, pack, err) < 0)
			return err->code;
	if (commit && take_commit(w, commit, err) < 0)
		return err->code;
	return check_windows(w->args, err);
}

/* ---- one device ---- */

static void drop_pack(struct policy_set *set, size_t i)
{
	memmove(&set->packs[i], &set->packs[i + 1], (--set->pack_count - i) * sizeof(set->packs[i]));
}

static size_t find_pack(const struct policy_set *set, const char *name)
{
	for (size_t i = 0; i < set->pack_count; i++)
		if (!strcmp(set->packs[i].policy->name, name))
			return i;
	return SIZE_MAX;
}

/* 1: it is for other devices. */
static int put_pack(struct policy_set *set, const struct given_pack *pack, const struct fleet_member *m, struct error *err)
{
	size_t i = find_pack(set, pack->policy->name);

	if (strcmp(pack->policy->driver, m->driver) != 0)
		return 1;
	if (i == SIZE_MAX && set->pack_count == POLICY_SET_PACKS_MAX)
		return error_set(err, E_LIMIT, "it would have more than %d packs", POLICY_SET_PACKS_MAX);
	set->packs[i == SIZE_MAX ? set->pack_count++ : i] = (struct policy_pack){ buf_bytes(&pack->text), pack->policy };
	return 0;
}

static void put_commit(struct policy_set *set, const struct publish *w)
{
	const char *window;

	if (args_has(w->args, "commit"))
		set->commit = w->commit;
	if (!args_has(w->args, "exempt"))
		return;
	set->exempt_count = 0;
	for (size_t i = 0; (window = args_at(w->args, "exempt", i)); i++)
		if (strcmp(window, "none") != 0)
			snprintf(set->exempt[set->exempt_count++], sizeof(set->exempt[0]), "%s", window);
}

static int change(void *ctx, struct policy_set *set, const struct fleet_member *m, struct error *err)
{
	struct publish *w = ctx;
	const char *name;
	size_t fit = 0;

	for (size_t i = 0; (name = args_at(w->args, "without", i)); i++)
		if (find_pack(set, name) != SIZE_MAX)
			drop_pack(set, find_pack(set, name));
	for (size_t i = 0; i < w->pack_count; i++) {
		int r = put_pack(set, &w->packs[i], m, err);

		if (r < 0)
			return r;
		fit += r == 0;
	}
	if (w->pack_count && !fit) {
		output_note("holdfast: '%s' is left out: its driver is '%s', and '%s' is for '%s'", m->name, m->driver,
			    w->packs[0].policy->name, w->packs[0].policy->driver);
		return PUBLISHING_NOT;
	}
	put_commit(set, w);
	return 0;
}

int cmd_policy_publish(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(publish_done) struct publish w = { .args = args };
	_cleanup_(publishing_done) struct publishing p = { .change = change, .ctx = &w, .is_anew = args_has(args, "clear") };
	const char *reason;
	int r = take_wishes(&w, err);

	if (r == 0)
		r = carry_reason(&reason, args, "policies", err);
	if (r == 0)
		r = publishing_begin(&p, cli, err);
	if (r == 0)
		r = fleet_list_select(&p.orders.list, args->value, args->count, err);
	return r < 0 ? r : publishing_run(&p, args, reason, "Publish these policies? They replace what the devices had.", err);
}
