/* cli/cmd-root.c -- `holdfast root show` and `holdfast root export`: who may do what, for people and for stock tools. */
#include "cli/commands.h"
#include "cli/fleet.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/signers.h"

#include "base/fs.h"
#include "base/plural.h"
#include "repo/repo.h"

#include <stdlib.h>
#include <string.h>

enum { ARCHIVE_KEYS_MAX = 4, PINS_MAX = 4 };

/* ---- show ---- */

static void roles_text(struct buf *out, const struct root *root, const char *person)
{
	for (int i = 0; i < ROLES; i++)
		if (root_has_role(root, person, (enum role)i))
			buf_addf(out, "%s%s", out->len ? "," : "", role_name((enum role)i));
}

static size_t count_role(const struct root *root, enum role role)
{
	size_t n = 0;

	for (size_t i = 0; i < root_people(root); i++)
		n += root_has_role(root, root_person(root, i), role);
	return n;
}

/* What people decide together. The first four are always told; of the others those that take more than one, or not their author. */
static const char *const counted[] = { "root",	   "factory-reset", "purge", "shred", "apply", "save",
				       "revert", "snapshot",	    "hold",  "release", "reboot", "policy", "upgrade" };
enum { COUNTED_ALWAYS = 4 };

static json_t *people_json(const struct root *root)
{
	json_t *people = json_array();

	for (size_t i = 0; i < root_people(root); i++) {
		const char *name = root_person(root, i), *who;
		json_t *roles = json_array(), *keys = json_array();
		struct sign_pub key;
		char text[SIGN_PUB_TEXT_MAX];

		for (int k = 0; k < ROLES; k++)
			if (root_has_role(root, name, (enum role)k))
				json_array_append_new(roles, json_string(role_name((enum role)k)));
		for (size_t k = 0; root_key(root, k, &who, &key); k++) {
			if (strcmp(who, name) != 0)
				continue;
			sign_pub_text(text, &key);
			json_array_append_new(keys, json_string(text));
		}
		json_array_append_new(people, json_pack("{s:s, s:o, s:o}", "name", name, "roles", roles, "keys", keys));
	}
	return people;
}

static json_t *values_json(const struct statement *st, const char *key)
{
	json_t *list = json_array();
	const char *value;

	for (size_t i = 0; (value = statement_at(st, key, i)); i++)
		json_array_append_new(list, json_string(value));
	return list;
}

static json_t *thresholds_json(const struct root *root)
{
	json_t *all = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(counted); i++)
		json_object_set_new(all, counted[i], json_integer(root_threshold(root, counted[i])));
	return all;
}

static const char *metadata_name(const struct root *root)
{
	const char *word = statement_get(root_statement(root), "metadata");

	return word ? word : "counts";
}

static int show_json(const struct root *root, struct error *err)
{
	const struct statement *st = root_statement(root);
	char hash[2 * HASH_LEN + 1];

	statement_hash_hex(hash, st);
	return output_json("root",
			   json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "fleet",
				     root_fleet(root), "name", root_name(root), "version", (json_int_t)root_version(root), "hash", hash,
				     "time", statement_get(st, "time"), "expires", statement_get(st, "expires"), "people",
				     people_json(root), "reading-keys", values_json(st, "reading-key"), "thresholds", thresholds_json(root),
				     "separate", values_json(st, "separate"), "metadata", metadata_name(root), "delays",
				     values_json(st, "delay"), "pins", values_json(st, "pin"), "archive", values_json(st, "archive"),
				     "witnesses", values_json(st, "witness"), "tls-pins", values_json(st, "tls-pin"), "servers",
				     values_json(st, "server")),
			   err);
}

static void add_row(struct table *table, const char *what, const char *value)
{
	table_add(table, (const char *const[]){ what, value });
}

static void add_thresholds(struct table *table, const struct root *root)
{
	for (size_t i = 0; i < ARRAY_SIZE(counted); i++) {
		const char *kind = counted[i];
		bool is_separate = root_separates(root, kind), waits = !strcmp(kind, "factory-reset") || !strcmp(kind, "purge");
		_cleanup_(mem_freep) char *wait =
			waits ? mem_printf(", one of them can stop it for %u s", root_delay(root, kind)) : mem_strdup("");
		_cleanup_(mem_freep) char *line = mem_printf(
			"%s takes %u of %zu %s with role %s%s%s%s", kind, root_threshold(root, kind), count_role(root, root_role_for(kind)),
			plural(count_role(root, root_role_for(kind)), "person", "people"), role_name(root_role_for(kind)),
			is_separate ? ", its author not counted" : "", root_asks_pin(root, kind) ? ", by tokens with a PIN" : "", wait);

		if (i < COUNTED_ALWAYS || root_threshold(root, kind) > 1 || is_separate || root_asks_pin(root, kind))
			add_row(table, "threshold", line);
	}
}

static void add_facts(struct table *table, const struct root *root)
{
	const struct statement *st = root_statement(root);
	_cleanup_(mem_freep) char *version = mem_printf("%llu of %s, expires %s", (unsigned long long)root_version(root),
							statement_get(st, "time"), statement_get(st, "expires"));

	add_row(table, "fleet", root_name(root));
	add_row(table, "id", root_fleet(root));
	add_row(table, "version", version);
	add_thresholds(table, root);
	add_row(table, "metadata", metadata_name(root));
}

static void add_people(struct table *table, const struct root *root)
{
	const char *who, *value;
	struct sign_pub key;

	for (size_t i = 0; i < root_people(root); i++) {
		_cleanup_(buf_done) struct buf text = { 0 };

		roles_text(&text, root, root_person(root, i));
		if (!text.len)
			buf_add_str(&text, "no role");
		{
			_cleanup_(mem_freep) char *line = mem_printf("%s: %s", root_person(root, i), buf_text(&text));

			add_row(table, "person", line);
		}
	}
	for (size_t i = 0; root_key(root, i, &who, &key); i++) {
		_cleanup_(mem_freep) char *line = NULL;
		char print[52];

		sign_pub_fingerprint(print, &key);
		line = mem_printf("%s %s%s", who, print, key.kind == SIGN_SK_ED25519 ? " (token)" : "");
		add_row(table, "key", line);
	}
	for (size_t i = 0; (value = statement_at(root_statement(root), "reading-key", i)); i++)
		add_row(table, "reading-key", value);
}

static void add_servers(struct table *table, const struct root *root)
{
	const struct statement *st = root_statement(root);
	struct sign_pub keys[ARCHIVE_KEYS_MAX];
	size_t n = root_archive_keys(keys, ARRAY_SIZE(keys), root);
	const char *value;

	for (size_t i = 0; i < n; i++) {
		char print[52];

		sign_pub_fingerprint(print, &keys[i]);
		add_row(table, "archive", print);
	}
	for (size_t i = 0; (value = statement_at(st, "witness", i)); i++)
		add_row(table, "witness", value);
	for (size_t i = 0; (value = statement_at(st, "tls-pin", i)); i++)
		add_row(table, "tls-pin", value);
	for (size_t i = 0; (value = statement_at(st, "server", i)); i++)
		add_row(table, "server", value);
}

int cmd_root_show(struct cli *cli, const struct args *args _unused_, struct error *err)
{
	static const char *const heads[] = { "WHAT", "VALUE" };
	struct table table;
	int r = cli_home(cli, err);

	if (r < 0)
		return r;
	if (cli->json)
		return show_json(cli->home->root, err);
	table_init(&table, ARRAY_SIZE(heads), heads);
	add_facts(&table, cli->home->root);
	add_people(&table, cli->home->root);
	add_servers(&table, cli->home->root);
	r = table_print(&table, err);
	table_done(&table);
	return r;
}

/* ---- export ---- */

struct exported {
	char id[ID_LEN + 1];
	struct sign_pub key;
};

struct export_list {
	struct exported *devices;
	size_t count;
};

static void add_exported(struct export_list *out, const char *id, const struct sign_pub *key)
{
	struct exported *device;

	out->devices = mem_grow(out->devices, (out->count + 1) * sizeof(*out->devices));
	device = &out->devices[out->count++];
	memcpy(device->id, id, sizeof(device->id));
	device->key = *key;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct exported *)a)->id, ((const struct exported *)b)->id);
}

/* The same from the server and from a mirror. */
static void export_text(struct buf *out, struct export_list *export, const struct home *home)
{
	signers_text(out, home->roots, home->root_count);
	if (export->count)
		qsort(export->devices, export->count, sizeof(*export->devices), by_id);
	for (size_t i = 0; i < export->count; i++)
		allowed_signers_device(out, export->devices[i].id, &export->devices[i].key);
}

/* Each is verified as everywhere else: the server's word is not asked. An opener keeps what it learnt, so each device has its own. */
static int add_device(struct export_list *out, struct cli *cli, const char *id, struct error *err)
{
	_cleanup_(opener_freep) struct opener *opener = NULL;
	const struct open_device *device;
	int r = fleet_opener(&opener, cli, err);

	if (r == 0)
		r = opener_device(&device, opener, id, err);
	if (r == 0)
		add_exported(out, id, &device->key);
	return r;
}

static int add_devices(struct export_list *out, struct cli *cli, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	struct progress progress = { .what = "verified" };
	int r = fleet_list_get(&list, cli, err);

	for (size_t i = 0; i < list.count && r == 0; i++) {
		if (list.members[i].is_admitted)
			r = add_device(out, cli, list.members[i].id, err);
		progress_show(&progress, i + 1, list.count);
	}
	progress_end(&progress);
	return r;
}

struct judged {
	size_t findings;
	char first[200];
	struct progress progress;
};

/* Two statements with one number say something of a device, not of the archive: its key is still its key. */
static void note_finding(void *ctx, const char *kind, const char *where, const char *text)
{
	struct judged *judged = ctx;
	_cleanup_(mem_freep) char *line = mem_printf("%s: %s", where, text);

	if (!strcmp(kind, "fork") || judged->findings++)
		return;
	strncat(judged->first, line, sizeof(judged->first) - 1);
}

static void show_audited(void *ctx, uint64_t done, uint64_t total)
{
	struct judged *judged = ctx;

	progress_show(&judged->progress, done, total);
}

static int add_mirrored(void *ctx, const struct repo_device *device)
{
	if (device->admitted)
		add_exported(ctx, device->id, &device->key);
	return 0;
}

/* Nobody vouches for a mirror: it is judged as a whole before its devices count. */
static int add_from_mirror(struct export_list *out, const struct home *home, const char *path, struct error *err)
{
	struct judged judged = { .progress = { .what = "audited commits" } };
	struct repo_audit audit;
	int r = repo_audit(&audit, path, home->fleet, NULL, note_finding, &judged, show_audited, err);

	progress_end(&judged.progress);
	if (r < 0)
		return error_add(err, "mirror '%s'", path);
	if (judged.findings)
		return error_set(err, E_SEAL, "mirror '%s' does not hold (%zu %s, see: holdfast audit): %s", path, judged.findings,
				 plural(judged.findings, "finding", "findings"), judged.first);
	return repo_mirror_devices(path, add_mirrored, out, err);
}

static int give(struct bytes text, size_t devices, const struct cli *cli, const char *file, struct error *err)
{
	const struct home *home = cli->home;
	int r = file ? fs_write(file, text, 0644, err) : 0;

	if (r < 0)
		return r;
	if (cli->json)
		return output_json("allowed-signers",
				   json_pack("{s:s, s:I, s:I, s:s}", "fleet", home->fleet, "root", (json_int_t)root_version(home->root),
					     "devices", (json_int_t)devices, file ? "file" : "text", file ? file : (const char *)text.ptr),
				   err);
	if (!file)
		return output_raw(text, err);
	output_note("Wrote '%s' (%zu %s). Use it:  git -c gpg.ssh.allowedSignersFile=%s verify-commit main", file, devices,
		    plural(devices, "device", "devices"), file);
	return 0;
}

/* As they are: whoever has them can follow every later one. */
static int export_succession(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = cli_home(cli, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < cli->home->root_count; i++)
		buf_add_bytes(&text, statement_whole(root_statement(cli->home->roots[i])));
	if (cli->json)
		return output_json("root-succession", json_pack("{s:s, s:I, s:s}", "fleet", cli->home->fleet, "root",
								(json_int_t)cli->home->root_count, "text", buf_text(&text)), err);
	return args_has(args, "output") ? fs_write(args_get(args, "output"), buf_bytes(&text), 0644, err) :
					  output_raw(buf_bytes(&text), err);
}

int cmd_root_export(struct cli *cli, const struct args *args, struct error *err)
{
	const char *mirror = args_get(args, "mirror");
	bool devices = args_has(args, "devices");
	_cleanup_(buf_done) struct buf text = { 0 };
	struct export_list out = { 0 };
	int r;

	if (devices && mirror)
		return error_set(err, CLI_USAGE, "--devices asks the server and --mirror a clone; give one of them");
	if (args_has(args, "succession"))
		return devices || mirror ? error_set(err, CLI_USAGE, "--succession goes with no list of devices") :
					   export_succession(cli, args, err);
	r = cli_home(cli, err);
	if (r == 0 && devices)
		r = add_devices(&out, cli, err);
	if (r == 0 && mirror)
		r = add_from_mirror(&out, cli->home, mirror, err);
	if (r == 0) {
		export_text(&text, &out, cli->home);
		r = give(buf_bytes(&text), out.count, cli, args_get(args, "output"), err);
	}
	free(out.devices);
	return r;
}
