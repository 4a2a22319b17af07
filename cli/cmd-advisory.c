/* cli/cmd-advisory.c -- holdfast advisory import, list, show, ack, document, export. */
#include "cli/commands.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/plural.h"
#include "cli/advisory-facts.h"
#include "cli/advisory-fetch.h"
#include "cli/advisory-import.h"
#include "cli/advisory-judge.h"
#include "cli/advisory-sync.h"
#include "cli/advisory-text.h"
#include "cli/fleet.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/passphrase.h"
#include "cli/show.h"
#include "cli/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Advisories can be read without a fleet; only judgements need one. */
static int home_if_there(struct cli *cli, struct error *err)
{
	return home_exists(cli->home_dir) ? cli_home(cli, err) : 0;
}

static const struct root *root_of(const struct cli *cli)
{
	return cli->home ? cli->home->root : NULL;
}

/* For reading: what is kept here, and what was judged of it. */
static int open_judged(struct advisory_store *store, struct judgements *j, struct cli *cli, struct error *err)
{
	int r = home_if_there(cli, err);

	if (r == 0)
		r = advisory_store_open(store, cli->home_dir, false, err);
	return r == 0 ? judgements_load(j, store, root_of(cli), clock_now_s(), err) : r;
}

/* ---- import ---- */

static json_t *import_json(const struct advisory_import *im)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O, s:O}", "files", (json_int_t)im->files, "unchanged",
			 (json_int_t)im->unchanged, "skipped", (json_int_t)im->skipped, "new",
			 (json_int_t)im->taken[TAKEN_NEW], "newer", (json_int_t)im->taken[TAKEN_NEWER], "known",
			 (json_int_t)im->taken[TAKEN_KNOWN], "older", (json_int_t)im->taken[TAKEN_OLDER], "judgements",
			 (json_int_t)im->judgements, "refused", (json_int_t)im->refused, "unclear", (json_int_t)im->unclear, "notes",
			 (json_int_t)im->notes, "problems", im->problems, "unclear-list", im->unclear_list);
}

static void tell_import(const struct advisory_import *im)
{
	const json_t *line;
	size_t i;

	json_array_foreach(im->problems, i, line)
		output_note("holdfast: '%s' is refused: %s", advisory_text(line, "file"), advisory_text(line, "problem"));
	if (im->refused > json_array_size(im->problems))
		output_note("holdfast: and %zu more", im->refused - json_array_size(im->problems));
	output_note("%zu %s: %zu new, %zu newer, %zu known, %zu older than what is there, %zu %s, %zu refused", im->files,
		    plural(im->files, "file", "files"), im->taken[TAKEN_NEW], im->taken[TAKEN_NEWER], im->taken[TAKEN_KNOWN],
		    im->taken[TAKEN_OLDER], im->judgements, plural(im->judgements, "judgement", "judgements"), im->refused);
	if (im->unchanged || im->skipped)
		output_note("%zu %s taken before and not updated since; %zu %s skipped", im->unchanged,
			    plural(im->unchanged, "was", "were"), im->skipped, plural(im->skipped, "entry is", "entries are"));
	if (im->unclear)
		output_note("%zu of them %s %zu %s not understood; see: holdfast advisory list --unclear", im->unclear,
			    plural(im->unclear, "says", "say"), im->notes, plural(im->notes, "thing that was", "things that were"));
}

static bool is_address(const char *source)
{
	return strstr(source, "://") != NULL;
}

static int check_import(const struct args *args, struct error *err)
{
	if (args_has(args, "signature") && (!args_has(args, "keyring") || args->count != 1))
		return error_set(err, CLI_USAGE, "--signature takes --keyring, and one file");
	for (size_t i = 0; i < args->count; i++)
		if (is_address(args->value[i]) && args_has(args, "signature"))
			return error_set(err, CLI_USAGE, "--signature is for a file; of an address the signature lies beside it");
	return 0;
}

/* The network is not touched, nor libcurl, while nobody names an address. */
static int import_all(struct advisory_import *im, const struct args *args, struct error *err)
{
	_cleanup_(fetch_done) struct fetch fetch = { 0 };
	int r = 0;

	for (size_t i = 0; i < args->count && r == 0; i++) {
		if (!is_address(args->value[i])) {
			r = advisory_import_source(im, args->value[i], err);
			continue;
		}
		if (!fetch.easy)
			r = fetch_init(&fetch, args_get(args, "ca"), err);
		if (r == 0)
			r = advisory_import_url(im, &fetch, args->value[i], err);
	}
	return r;
}

static int import_and_save(struct advisory_import *im, const struct args *args, struct error *err)
{
	struct error saving = { 0 };
	int r = import_all(im, args, err);

	if (r < 0 && !im->files)
		return r;
	if (advisory_store_save(im->store, &saving) < 0 && r == 0) {
		*err = saving;
		r = err->code;
	}
	return r;
}

int cmd_advisory_import(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(advisory_store_done) struct advisory_store store = { .lock = -1 };
	_cleanup_(advisory_import_done) struct advisory_import im = { 0 };
	int r = check_import(args, err);

	if (r == 0)
		r = home_if_there(cli, err);
	if (r == 0)
		r = advisory_store_open(&store, cli->home_dir, true, err);
	if (r < 0)
		return r;
	advisory_import_init(&im, &store);
	im.root = root_of(cli);
	im.keyring = args_get(args, "keyring");
	im.signature = args_get(args, "signature");
	im.needs_checksum = args_has(args, "checksum");
	im.is_again = args_has(args, "again");
	r = import_and_save(&im, args, err);
	if (r == 0 || im.files)
		tell_import(&im);
	if (r < 0)
		return r;
	if (cli->json && output_json("advisory-import", import_json(&im), err) < 0)
		return err->code;
	return !im.refused ? EXIT_DONE : im.refused == im.files ? EXIT_FAILED : EXIT_PARTIAL;
}

/* ---- list ---- */

static json_t *entry_json(const struct advisory *a, const struct advisory_entry *e)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "id", e->id, "publisher", e->publisher, "version", e->version,
				 "released", e->released, "imported", e->imported, "checked", e->checked, "sha256", e->sha256, "unclear",
				 (json_int_t)a->note_count);

	json_object_set_new(json, "title", show_text(bytes_str(a->title)));
	json_object_set_new(json, "severity", show_text(bytes_str(a->severity)));
	json_object_set_new(json, "score", json_real(a->score));
	json_object_set_new(json, "form", json_string(advisory_form_name(a->form)));
	return json;
}

static void add_row(struct table *table, const struct advisory *a, const struct advisory_entry *e)
{
	char score[16], unclear[24] = "", day[11];
	const char *cells[] = { e->id, a->severity, score, day, e->version, e->checked, unclear, a->title };

	snprintf(score, sizeof(score), "%.1f", a->score);
	snprintf(day, sizeof(day), "%.10s", e->released);
	if (a->note_count)
		snprintf(unclear, sizeof(unclear), "%zu unclear", a->note_count);
	table_add(table, cells);
}

int cmd_advisory_list(struct cli *cli, const struct args *args, struct error *err)
{
	static const char *const heads[] = { "ADVISORY", "SEVERITY", "SCORE", "RELEASED", "VERSION", "CHECKED", "UNCLEAR", "TITLE" };
	_cleanup_(advisory_store_done) struct advisory_store store = { .lock = -1 };
	_cleanup_(table_done) struct table table;
	json_t *all = json_array();
	int r = advisory_store_open(&store, cli->home_dir, false, err);

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < store.count && r == 0; i++) {
		_cleanup_(advisory_freep) struct advisory *a = NULL;

		r = advisory_store_read(&a, &store, i, err);
		if (r < 0 || (args_has(args, "unclear") && !a->note_count))
			continue;
		add_row(&table, a, &store.entries[i]);
		json_array_append_new(all, entry_json(a, &store.entries[i]));
	}
	if (r == 0 && !store.count)
		output_note("holdfast: there are no advisories yet; see: holdfast help advisory import");
	if (r == 0)
		r = cli->json ? output_json("advisory-list", json_pack("{s:O}", "advisories", all), err) : table_print(&table, err);
	json_decref(all);
	return r;
}

/* ---- show ---- */

static void add_products(struct buf *out, const struct advisory *a, const struct advisory_items *items, const char *what)
{
	for (size_t i = 0; i < items->count; i++) {
		const struct advisory_product *p = &a->products[items->product[i]];

		buf_addf(out, "  %s: %s%s%s\n", what,
			 p->full   ? p->full
			 : p->name ? p->name
			 : p->id   ? p->id
				   : "?",
			 p->version ? "  " : "", p->version ? p->version : "");
	}
}

static void add_vuln(struct buf *out, const struct advisory *a, const struct advisory_vuln *v)
{
	static const char *const whats[] = { "affected", "not affected", "fixed", "under investigation", "recommended" };
	const json_t *remedy;
	size_t i;

	buf_addf(out, "\n%s  %.1f %s%s%s\n", v->name ? v->name : "(no id)", v->score, advisory_score_word(v->score), v->title ? "  " : "",
		 v->title ? v->title : "");
	for (size_t k = 0; k < v->feature_count; k++)
		buf_addf(out, "  only where '%s' is in use\n", v->feature[k]);
	for (size_t s = 0; s < ADVISORY_STATUSES; s++)
		add_products(out, a, &v->items[s], whats[s]);
	for (i = 0; i < json_array_size(v->flags); i++) {
		const char *label = advisory_text(json_array_get(v->flags, i), "label");

		buf_addf(out, "  flag: %s\n", label ? label : "?");
	}
	json_array_foreach((json_t *)(uintptr_t)v->remediations, i, remedy)
	{
		const char *category = advisory_text(remedy, "category"), *details = advisory_text(remedy, "details"),
			   *restart = advisory_text(json_object_get(remedy, "restart_required"), "category");

		buf_addf(out, "  %s: %s%s%s%s\n", category ? category : "remedy", details ? details : "", restart ? " (restarts: " : "",
			 restart ? restart : "", restart ? ")" : "");
	}
}

static void add_judgement(struct buf *out, const struct judgement *g, const struct advisory_entry *e)
{
	const char *why = g->why_not                                            ? g->why_not
			  : strcmp(statement_get(g->st, "document"), e->sha256) ? "it is about another version"
										: NULL;

	buf_addf(out, "judged %s by %s at %s%s%s%s: %s%s%s\n", statement_get(g->st, "verdict"), statement_get(g->st, "person"),
		 statement_get(g->st, "time"), statement_get(g->st, "feature") ? " " : "",
		 statement_get(g->st, "feature") ? statement_get(g->st, "feature") : "",
		 statement_count(g->st, "device") ? ", of some devices" : "", statement_get(g->st, "reason"),
		 why ? "; does not count: " : "", why ? why : "");
	if (strcmp(statement_get(g->st, "document"), e->sha256) != 0)
		buf_addf(out, "  that version: holdfast advisory document %.16s\n", statement_get(g->st, "document"));
}

static void add_all(struct buf *out, const struct advisory *a, const struct advisory_entry *e, const struct judgements *j)
{
	const char *remedy = a->form == ADVISORY_HAND ? advisory_text(a->json, "remedy") : NULL;

	buf_addf(out, "%s  %s\npublisher  %s\nversion    %s, released %s\nseverity   %s (%.1f)\nimported   %s, checked: %s\n", e->id,
		 a->title, e->publisher, e->version, e->released, a->severity, a->score, e->imported, e->checked);
	for (size_t i = 0; i < a->vuln_count; i++)
		add_vuln(out, a, &a->vulns[i]);
	if (remedy)
		buf_addf(out, "  remedy: %s\n", remedy);
	if (a->note_count)
		buf_addf(out, "\nnot understood:\n");
	for (size_t i = 0; i < a->note_count && i < ADVISORY_NOTES_MAX; i++)
		buf_addf(out, "  %s\n", a->notes[i]);
	for (size_t i = 0, n = 0; i < j->count; i++)
		if (!strcasecmp(statement_get(j->list[i].st, "advisory"), e->id)) {
			buf_add_str(out, n++ ? "" : "\n");
			add_judgement(out, &j->list[i], e);
		}
}

static int print_shown(const struct advisory *a, const struct advisory_entry *e, const struct judgements *j, bool json, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 }, clean = { 0 };
	json_t *fields;

	if (json) {
		fields = entry_json(a, e);
		json_object_set(fields, "document", a->json);
		return output_json("advisory-show", fields, err);
	}
	add_all(&text, a, e, j);
	output_clean(&clean, buf_bytes(&text), true);
	return output_raw(buf_bytes(&clean), err);
}

int cmd_advisory_show(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(advisory_store_done) struct advisory_store store = { .lock = -1 };
	_cleanup_(judgements_done) struct judgements j = { 0 };
	_cleanup_(advisory_freep) struct advisory *a = NULL;
	size_t i;
	int r = open_judged(&store, &j, cli, err);

	if (r == 0)
		r = advisory_store_find(&i, &store, args->value[0], err);
	if (r == 0)
		r = advisory_store_read(&a, &store, i, err);
	if (r < 0)
		return r;
	judgements_refine(a, &j, &store.entries[i]);
	return print_shown(a, &store.entries[i], &j, cli->json, err);
}

/* ---- ack: what somebody decided ---- */

static int check_ack(const struct cli *cli, const struct args *args, struct error *err)
{
	const char *verdict = args_get(args, "verdict"), *feature = args_get(args, "feature");

	if (!verdict || !judgement_word_is_known(verdict))
		return error_set(err, CLI_USAGE, "--verdict is affected, not-affected, mitigated, accepted or requires");
	if (!args_get(args, "reason"))
		return error_set(err, CLI_USAGE, "say why: --reason TEXT");
	if (!strcmp(verdict, "requires") != (feature != NULL) || (feature && args->count > 1))
		return error_set(err, CLI_USAGE, "'requires' takes --feature and no devices; no other verdict takes a feature");
	if (!root_has_role(cli->home->root, cli->home->person, ROLE_ADMIN) &&
	    !root_has_role(cli->home->root, cli->home->person, ROLE_DEPLOYER))
		return error_set(err, E_DENIED, "'%s' has neither the role 'admin' nor 'deployer', one of which judging takes",
				 cli->home->person);
	return 0;
}

static int add_devices(struct buf *text, struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	int r = fleet_list_get(&list, cli, err);

	if (r == 0)
		r = fleet_list_select(&list, &args->value[1], args->count - 1, err);
	for (size_t i = 0; i < list.count && r == 0; i++)
		if (list.members[i].is_admitted)
			statement_add(text, "device", "%s", list.members[i].id);
	return r;
}

static int add_until(struct buf *text, const char *until, struct error *err)
{
	_cleanup_(mem_freep) char *whole = until ? mem_printf("%sT00:00:00Z", until) : NULL;
	int64_t s, now_s = clock_now_s();

	if (!until)
		return 0;
	if (!clock_parse(&s, bytes_str(until)) && !clock_parse(&s, bytes_str(whole))) {
		if (args_duration(&s, until, err) < 0)
			return error_add(err, "--until");
		s += now_s;
	}
	if (s <= now_s)
		return error_set(err, CLI_USAGE, "--until lies in the past");
	statement_add_time(text, "until", s);
	return 0;
}

/* brought: what the archive gets with it. */
static int write_judgement(struct buf *text, struct buf *brought, struct cli *cli, const struct args *args, const struct advisory_store *s,
			   size_t i, struct error *err)
{
	_cleanup_(judgements_done) struct judgements j = { 0 };
	const struct advisory_entry *e = &s->entries[i];

	statement_begin(text, STATEMENT_JUDGEMENT);
	statement_add(text, "fleet", "%s", cli->home->fleet);
	statement_add(text, "advisory", "%s", e->id);
	statement_add(text, "document", "%s", e->sha256);
	statement_add(text, "verdict", "%s", args_get(args, "verdict"));
	if (args->count > 1 && add_devices(text, cli, args, err) < 0)
		return err->code;
	if (args_get(args, "feature"))
		statement_add(text, "feature", "%s", args_get(args, "feature"));
	statement_add(text, "person", "%s", cli->home->person);
	statement_add_time(text, "time", clock_now_s());
	if (add_until(text, args_get(args, "until"), err) < 0)
		return err->code;
	statement_add(text, "root", "%llu", (unsigned long long)root_version(cli->home->root));
	statement_add(text, "reason", "%s", args_get(args, "reason"));
	if (args_get(args, "ticket"))
		statement_add(text, "ticket", "%s", args_get(args, "ticket"));
	if (judgements_load(&j, s, cli->home->root, clock_now_s(), err) < 0 ||
	    (!args_has(args, "no-document") && judgement_add_text(text, brought, s, &j, i, err) < 0))
		return err->code;
	return statement_check(buf_bytes(text), err);
}

/* What was signed is kept, whether or not a server can be asked. */
static int send_judgement(struct cli *cli, const struct advisory_store *store, struct error *err)
{
	size_t fetched;
	int r = judgements_sync(&fetched, store, cli, err);

	if (r != CLI_UNREACHED)
		return r;
	output_note("holdfast: warning: %s. The judgement is kept here, counts here, and is sent with the next: holdfast advisory match",
		    err->text);
	return EXIT_DONE;
}

int cmd_advisory_ack(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(advisory_store_done) struct advisory_store store = { .lock = -1 };
	_cleanup_(mem_freep) char *key = NULL;
	_cleanup_(buf_done) struct buf text = { 0 }, brought = { 0 };
	size_t i;
	int r = cli_home(cli, err);

	if (r == 0)
		r = check_ack(cli, args, err);
	if (r == 0)
		r = advisory_store_open(&store, cli->home_dir, true, err);
	if (r == 0)
		r = advisory_store_find(&i, &store, args->value[0], err);
	if (r == 0)
		r = write_judgement(&text, &brought, cli, args, &store, i, err);
	if (r < 0)
		return r;
	output_note("%s", buf_text(&text));
	if (!args_has(args, "yes") && passphrase_confirm("Sign this judgement?", err) < 0)
		return err->code;
	key = home_signing_key(cli->home);
	r = sign_statement(&text, key, err);
	buf_add_bytes(&text, buf_bytes(&brought));
	if (r == 0)
		r = judgement_take(&store, cli->home->root, buf_bytes(&text), err);
	return r < 0 ? r : send_judgement(cli, &store, err);
}

/* ---- document: what was judged, byte by byte ---- */

int cmd_advisory_document(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(advisory_store_done) struct advisory_store store = { .lock = -1 };
	_cleanup_(judgements_done) struct judgements j = { 0 };
	_cleanup_(buf_done) struct buf document = { 0 };
	const char *file = args_get(args, "output");
	int r = open_judged(&store, &j, cli, err);

	if (r == 0)
		r = judgement_find_document(&document, &store, &j, cli, args->value[0], err);
	if (r < 0)
		return r;
	return file ? fs_write(file, buf_bytes(&document), 0644, err) : output_raw(buf_bytes(&document), err);
}

/* ---- export: a folder for others ---- */

static void file_name(char out[static ADVISORY_ID_MAX + 16], const struct advisory_entry *e)
{
	size_t n = 0;

	for (const char *c = e->id; *c && n < ADVISORY_ID_MAX; c++) {
		bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '+' || *c == '-';
		bool is_upper = *c >= 'A' && *c <= 'Z';

		if (is_plain || is_upper)
			out[n++] = is_upper ? (char)(*c + 32) : *c;
		else if (!n || out[n - 1] != '_')
			out[n++] = '_';
	}
	snprintf(out + n, 16, ".%.8s", e->sha256);
}

/* Its hash, and the signature that it came with: so whoever takes it in can check it as if it came from its author. */
static int export_proofs(const struct advisory_store *s, size_t i, const char *path, const char *name, struct error *err)
{
	_cleanup_(mem_freep) char *sum = mem_printf("%s.sha256", path), *beside = mem_printf("%s.asc", path);
	_cleanup_(mem_freep) char *line = mem_printf("%s  %s.json\n", s->entries[i].sha256, name);
	_cleanup_(buf_done) struct buf signature = { 0 };
	int r = advisory_store_signature(&signature, s, i, err);

	if (r < 0 || fs_write(sum, bytes_str(line), 0644, err) < 0)
		return err->code;
	return r == 0 ? fs_write(beside, buf_bytes(&signature), 0644, err) : 0;
}

static int export_documents(const struct advisory_store *s, const char *dir, struct error *err)
{
	for (size_t i = 0; i < s->count; i++) {
		_cleanup_(buf_done) struct buf document = { 0 };
		_cleanup_(mem_freep) char *path = NULL;
		char name[ADVISORY_ID_MAX + 16];

		file_name(name, &s->entries[i]);
		path = mem_printf("%s/%s.json", dir, name);
		if (advisory_store_document(&document, s, i, err) < 0 || fs_write(path, buf_bytes(&document), 0644, err) < 0 ||
		    export_proofs(s, i, path, name, err) < 0)
			return err->code;
	}
	return 0;
}

/* Each with what it brings, if that is here. */
static int export_judgements(const struct advisory_store *s, const struct judgements *j, const char *dir, size_t *count, struct error *err)
{
	for (size_t i = 0; i < j->count; i++) {
		_cleanup_(buf_done) struct buf whole = { 0 };
		_cleanup_(mem_freep) char *path = NULL;
		char hash[2 * HASH_LEN + 1];

		if (j->list[i].why_not)
			continue;
		statement_hash_hex(hash, j->list[i].st);
		path = mem_printf("%s/%.16s.judgement", dir, hash);
		buf_add_bytes(&whole, statement_whole(j->list[i].st));
		if (judgement_read_text(&whole, s, j->list[i].st, err) < 0 || fs_write(path, buf_bytes(&whole), 0644, err) < 0)
			return err->code;
		++*count;
	}
	return 0;
}

int cmd_advisory_export(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(advisory_store_done) struct advisory_store store = { .lock = -1 };
	_cleanup_(judgements_done) struct judgements j = { 0 };
	size_t judgements = 0;
	int r = open_judged(&store, &j, cli, err);

	if (r == 0)
		r = fs_mkdirs(args->value[0], 0755, err);
	if (r == 0)
		r = export_documents(&store, args->value[0], err);
	if (r == 0)
		r = export_judgements(&store, &j, args->value[0], &judgements, err);
	if (r < 0)
		return r;
	output_note("%zu %s and %zu %s are in '%s'; another operator takes them with: holdfast advisory import", store.count,
		    plural(store.count, "advisory", "advisories"), judgements, plural(judgements, "judgement", "judgements"),
		    args->value[0]);
	return cli->json ? output_json("advisory-export",
				       json_pack("{s:I, s:I}", "advisories", (json_int_t)store.count, "judgements", (json_int_t)judgements),
				       err)
			 : EXIT_DONE;
}
