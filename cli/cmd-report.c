/* cli/cmd-report.c -- holdfast report: what a vendor needs to know of one device to look into a fault or a vulnerability, and no secret.
 *
 * Everything is opened and masked on this machine, shown before it is written, and goes nowhere by itself. */
#include "cli/commands.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/plural.h"
#include "cli/api.h"
#include "cli/casefile.h"
#include "cli/fleet.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/passphrase.h"
#include "cli/receipts.h"
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOG_MAX = 200, RECEIPTS_MAX = 40, RECIPIENTS_MAX = 16 };

static const char *const parts[] = { "configuration", "log", "receipts", "name" };

struct reporting {
	struct cli *cli;
	const struct args *args;
	struct casefile file;
	struct opened opened;
	const struct open_device *device;
	const struct fleet_member *member;
	int64_t now_s;
	size_t removed; /* receipts in which a secret stood */
	size_t recipient_count;
	struct age_recipient recipients[RECIPIENTS_MAX];
};

static void reporting_done(struct reporting *r)
{
	casefile_done(&r->file);
	opened_done(&r->opened);
}

static bool is_left_out(const struct reporting *r, const char *part)
{
	const char *value;

	for (size_t i = 0; (value = args_at(r->args, "without", i)); i++)
		if (!strcmp(value, part))
			return true;
	return false;
}

/* ---- what it holds ---- */

static int add_readme(struct reporting *r, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char now[CLOCK_TEXT_LEN];

	clock_text(now, r->now_s);
	buf_addf(&text,
		 "A report about one network device, made with holdfast %s at %s.\n\n"
		 "facts.json         model, firmware and state, as the device signed and the server lists them\n"
		 "configuration.txt  what runs; startup.txt: what will boot, where that is something else\n"
		 "log.txt            what the device recorded, the newest first\n"
		 "receipts/          what it said of orders, with its signature (ssh-keygen -Y verify)\n\n"
		 "Secrets are not in it: <masked> stands where there was one. Parts may have been left out by whoever made it.\n",
		 HOLDFAST_VERSION, now);
	return casefile_add(&r->file, "README.txt", buf_bytes(&text), err);
}

static json_t *facts_json(const struct reporting *r)
{
	const struct fleet_member *m = r->member;
	json_t *json = json_pack("{s:s, s:s, s:I}", "device", m->id, "driver", m->driver, "statements", (json_int_t)m->head);

	show_put_text(json, "model", m->model);
	show_put_text(json, "firmware", m->firmware);
	show_put_text(json, "mode", m->mode);
	show_put_text(json, "saved", m->saved);
	show_put_time(json, "enrolled", m->enrolled_s);
	show_put_time(json, "unsaved-since", m->unsaved_since_s);
	show_put_time(json, "seen", m->seen_s);
	json_object_set_new(json, "statements-with-one-number-twice", json_integer((json_int_t)m->forks));
	if (!is_left_out(r, "name")) {
		show_put_text(json, "name", m->name);
		show_put_text(json, "serial", m->serial);
	}
	if (r->opened.st) {
		json_object_set_new(json, "snapshot", json_integer((json_int_t)opened_number(&r->opened)));
		show_put_time(json, "snapshot-time", statement_time(r->opened.st, "time"));
	}
	return json;
}

static int add_facts(struct reporting *r, struct error *err)
{
	json_t *json = facts_json(r);
	char *text = json_dumps(json, JSON_INDENT(1));
	int result = text ? casefile_add(&r->file, "facts.json", bytes_str(text), err) : error_set(err, E_FORMAT, "the facts are no UTF-8");

	json_decref(json);
	free(text);
	return result;
}

static int add_configuration(struct reporting *r, struct error *err)
{
	const struct form *form = form_of(r->member->driver);

	if (!form)
		return error_set(
			err, E_FORMAT,
			"what is secret in a configuration of the kind '%s' is not known here; leave it out: --without configuration",
			r->member->driver);
	if (casefile_add_configuration(&r->file, "configuration.txt", form, buf_bytes(&r->opened.running), err) < 0)
		return err->code;
	return r->opened.startup_is == STARTUP_OTHER ?
		       casefile_add_configuration(&r->file, "startup.txt", form, buf_bytes(&r->opened.startup), err) :
		       0;
}

static void add_field(struct buf *out, const json_t *entry, const char *key)
{
	const char *text = json_string_value(json_object_get(entry, key));

	if (text)
		buf_addf(out, " %s=\"%s\"", key, text);
}

static void add_line(struct buf *out, const json_t *entry)
{
	static const char *const keys[] = { "reason", "saved", "mode", "outcome", "check", "evidence", "note" };
	const char *time = json_string_value(json_object_get(entry, "time")), *type = json_string_value(json_object_get(entry, "type"));

	buf_addf(out, "%lld %s %s", json_integer_value(json_object_get(entry, "number")), time ? time : "-", type ? type : "-");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		add_field(out, entry, keys[i]);
	buf_add_char(out, '\n');
}

static int add_receipt(struct reporting *r, uint64_t number, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/receipts/%llu", r->member->id, (unsigned long long)number);
	_cleanup_(mem_freep) char *name = mem_printf("receipts/%llu.txt", (unsigned long long)number);
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(buf_done) struct buf whole = { 0 };
	size_t used = 0;
	int result = api_get(&whole, r->cli->api, path, STATEMENT_MAX, err);

	if (result == 0)
		result = statement_parse(&st, buf_bytes(&whole), false, &used, err);
	if (result == 0)
		result = receipt_verify(st, r->cli->home->fleet, r->device->id, &r->device->key, err);
	return result < 0 ? error_add(err, "receipt %llu", (unsigned long long)number) :
			    casefile_add(&r->file, name, buf_bytes(&whole), err);
}

static int add_entries(struct reporting *r, const json_t *entries, struct error *err)
{
	_cleanup_(buf_done) struct buf log = { 0 };
	size_t receipts = 0;

	for (size_t i = 0; i < json_array_size(entries) && i < LOG_MAX; i++) {
		const json_t *entry = json_array_get(entries, i);
		const char *type = json_string_value(json_object_get(entry, "type"));
		json_int_t number = json_integer_value(json_object_get(entry, "number"));

		add_line(&log, entry);
		if (is_left_out(r, "receipts") || !type || strcmp(type, "receipt") != 0 || number <= 0 || receipts++ >= RECEIPTS_MAX)
			continue;
		if (add_receipt(r, (uint64_t)number, err) < 0)
			return err->code;
	}
	return is_left_out(r, "log") ? 0 : casefile_add(&r->file, "log.txt", buf_bytes(&log), err);
}

static int add_log(struct reporting *r, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/log?limit=%d", r->member->id, LOG_MAX);
	json_t *answer = NULL;
	int result;

	if (is_left_out(r, "log") && is_left_out(r, "receipts"))
		return 0;
	result = api_get_json(&answer, r->cli->api, path, err);
	if (result == 0)
		result = add_entries(r, json_object_get(answer, "entries"), err);
	json_decref(answer);
	return result;
}

/* Names and serials are no secrets, but may be nobody's business. */
static void hide_name(struct reporting *r)
{
	_cleanup_(buf_done) struct buf lines = { 0 };
	const char *const values[] = { r->member->name, r->member->serial };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		if (!*values[i])
			continue;
		buf_add_str(&lines, "- ");
		base64_encode(&lines, bytes_str(values[i]));
		buf_add_char(&lines, '\n');
	}
	casefile_mask(&r->file, buf_bytes(&lines), "receipts/");
}

static int gather(struct reporting *r, struct opener *opener, const struct fleet_list *list, const struct revision_ref *ref,
		  struct error *err)
{
	bool has_configuration = !is_left_out(r, "configuration");

	if (fleet_find(&r->member, list, ref->device, err) < 0 || fleet_identify(&r->device, opener, r->member, err) < 0)
		return err->code;
	if (has_configuration && fleet_open(&r->opened, opener, list, ref, err) < 0)
		return error_add(err, "its configuration can be left out (--without configuration)");
	if (add_readme(r, err) < 0 || add_facts(r, err) < 0 || (has_configuration && add_configuration(r, err) < 0) || add_log(r, err) < 0)
		return err->code;
	r->removed = casefile_mask(&r->file, buf_bytes(&r->opened.secrets), "receipts/");
	if (is_left_out(r, "name"))
		hide_name(r);
	return 0;
}

/* ---- showing, and writing ---- */

static size_t lines_of(const struct buf *text)
{
	size_t n = 0;

	for (size_t i = 0; i < text->len; i++)
		n += text->ptr[i] == '\n';
	return n;
}

static void show_list(const struct reporting *r)
{
	for (size_t i = 0; i < r->file.count; i++) {
		const struct casefile_part *part = &r->file.part[i];

		output_note("%-24s %8zu bytes %6zu lines %4zu masked", part->name, part->text.len, lines_of(&part->text), part->masked);
	}
	if (r->removed)
		output_note("%zu %s left out: a secret stands in %s, and without it %s would not hold", r->removed,
			    plural(r->removed, "receipt is", "receipts are"), plural(r->removed, "it", "them"),
			    plural(r->removed, "its signature", "their signatures"));
	if (r->opened.st && !r->opened.has_secrets)
		output_note("holdfast: warning: the secrets of this device are not sealed to you, so their values could not be looked for "
			    "in the rest");
}

static int show_all(const struct reporting *r, struct error *err)
{
	_cleanup_(buf_done) struct buf all = { 0 };

	for (size_t i = 0; i < r->file.count; i++) {
		buf_addf(&all, "==== %s\n", r->file.part[i].name);
		output_clean(&all, buf_bytes(&r->file.part[i].text), true);
		buf_add_char(&all, '\n');
	}
	return output_raw(buf_bytes(&all), err);
}

static int write_file(const struct reporting *r, const char *path, struct error *err)
{
	_cleanup_(buf_done) struct buf packed = { 0 }, sealed = { 0 };
	_cleanup_(mem_freep) char *folder = mem_printf("report-%.8s", r->member->id);

	if (access(path, F_OK) == 0)
		return error_set(err, CLI_CONFLICT, "'%s' is there already", path);
	if (casefile_pack(&packed, &r->file, folder, r->now_s, err) < 0)
		return err->code;
	if (r->recipient_count && age_seal(&sealed, r->recipients, r->recipient_count, buf_bytes(&packed), err) < 0)
		return err->code;
	return fs_write(path, buf_bytes(r->recipient_count ? &sealed : &packed), 0600, err);
}

static int confirm_and_write(const struct reporting *r, const char *path, struct error *err)
{
	_cleanup_(mem_freep) char *question = NULL;

	question = mem_printf("Write this to '%s'%s?", path,
			      r->recipient_count ? ", sealed to the keys that you named" : ", open to whoever reads that file");
	if (!args_has(r->args, "yes") && passphrase_confirm(question, err) < 0)
		return err->code;
	return write_file(r, path, err);
}

/* ---- the command ---- */

static int read_options(struct reporting *r, struct error *err)
{
	const char *value;

	for (size_t i = 0; (value = args_at(r->args, "without", i)); i++) {
		size_t k = 0;

		while (k < ARRAY_SIZE(parts) && strcmp(parts[k], value) != 0)
			k++;
		if (k == ARRAY_SIZE(parts))
			return error_set(err, CLI_USAGE, "--without is configuration, log, receipts or name");
	}
	for (size_t i = 0; (value = args_at(r->args, "to", i)); i++) {
		if (r->recipient_count == RECIPIENTS_MAX)
			return error_set(err, CLI_USAGE, "at most %d keys", RECIPIENTS_MAX);
		if (age_recipient_parse(&r->recipients[r->recipient_count++], bytes_str(value), err) < 0)
			return error_add(err, "--to takes an age recipient (age1...)");
	}
	if (!args_has(r->args, "output") && !args_has(r->args, "show"))
		return error_set(err, CLI_USAGE, "-o FILE says where to write it; --show prints all of it, and writes nothing");
	return 0;
}

int cmd_report(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(reporting_done) struct reporting r = { .cli = cli, .args = args, .now_s = clock_now_s() };
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(opener_freep) struct opener *opener = NULL;
	struct revision_ref ref;
	int result = read_options(&r, err);

	if (result == 0 && select_revision(&ref, args->value[0], err) < 0)
		result = err->code = CLI_USAGE;
	if (result == 0)
		result = fleet_list_get(&list, cli, err);
	if (result == 0)
		result = fleet_opener(&opener, cli, err);
	if (result == 0)
		result = gather(&r, opener, &list, &ref, err);
	if (result < 0)
		return result;
	show_list(&r);
	if (args_has(args, "show") && show_all(&r, err) < 0)
		return err->code;
	return args_has(args, "output") ? confirm_and_write(&r, args_get(args, "output"), err) : EXIT_DONE;
}
