/* cli/cmd-log.c -- holdfast log: the revisions of one device, newest first, and what became of its orders.
 *
 * What is listed is the server's word about statements that the device signed; of the numbers at least none may be missing, and the
 * first must not be older than the newest that the server lists elsewhere. Receipts are fetched and verified, since somebody is going to
 * act on them; for the rest cat, diff and audit verify. */
#include "cli/commands.h"

#include "base/clock.h"
#include "base/plural.h"
#include "cli/api.h"
#include "cli/fleet.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/receipts.h"
#include "cli/show.h"

#include <stdio.h>
#include <string.h>

enum { PAGE_MAX = 1000, LIMIT_DEFAULT = 20, LIMIT_MAX = 1000000 };

/* One listing while it is gathered. */
struct listing {
	struct cli *cli;
	const struct fleet_member *member;
	uint64_t below; /* the next page ends before this number; 0: begins with the newest */
	uint64_t left;
	json_t *entries; /* as the server gave them */
};

static void listing_done(struct listing *l)
{
	json_decref(l->entries);
}

static uint64_t number_of(const json_t *entry)
{
	json_int_t n = json_integer_value(json_object_get(entry, "number"));

	return n > 0 ? (uint64_t)n : 0;
}

static const char *text_of(const json_t *entry, const char *key)
{
	const char *text = json_string_value(json_object_get(entry, key));

	return text ? text : "";
}

static int take_entry(struct listing *l, json_t *entry, struct error *err)
{
	uint64_t number = number_of(entry), head = l->member->head;

	if (!json_is_object(entry) || !number)
		return error_set(err, E_PEER, "the server's log of '%s' is malformed", l->member->id);
	if (l->below ? number != l->below - 1 : number < head)
		return error_set(err, E_SEAL, "the server's log of '%s' goes on with number %llu where %llu belongs: it hides a part",
				 l->member->id, (unsigned long long)number, (unsigned long long)(l->below ? l->below - 1 : head));
	l->below = number;
	json_array_append(l->entries, entry);
	return 0;
}

static int take_page(struct listing *l, const json_t *answer, struct error *err)
{
	const json_t *list = json_object_get(answer, "entries");
	size_t count = json_array_size(list);

	if (!count && (l->below ? l->below > 1 : l->member->head > 0))
		return error_set(err, E_SEAL, "the server's log of '%s' ends before its beginning: it hides a part", l->member->id);
	for (size_t i = 0; i < count && l->left; i++, l->left--)
		if (take_entry(l, json_array_get(list, i), err) < 0)
			return err->code;
	return 0;
}

static int get_page(struct listing *l, struct error *err)
{
	_cleanup_(mem_freep) char *path = NULL;
	json_t *answer = NULL;
	int r;

	path = mem_printf("/v1/devices/%s/log?below=%llu&limit=%llu", l->member->id, (unsigned long long)l->below,
			  (unsigned long long)(l->left < PAGE_MAX ? l->left : PAGE_MAX));
	r = api_get_json(&answer, l->cli->api, path, err);
	if (r == 0)
		r = take_page(l, answer, err);
	json_decref(answer);
	return r;
}

static int gather(struct listing *l, struct error *err)
{
	l->entries = json_array();
	do {
		if (get_page(l, err) < 0)
			return err->code;
	} while (l->left && l->below > 1);
	return 0;
}

/* ---- receipts ---- */

static bool is_receipt(const json_t *entry)
{
	return !strcmp(text_of(entry, "type"), "receipt");
}

static bool has_receipt(const struct listing *l)
{
	for (size_t i = 0; i < json_array_size(l->entries); i++)
		if (is_receipt(json_array_get(l->entries, i)))
			return true;
	return false;
}

/* What it says takes the place of what the server says of it. */
static void put_receipt(json_t *entry, const struct statement *st)
{
	static const char *const keys[] = { "outcome", "check", "evidence", "note", "time" };
	uint8_t hash[HASH_LEN];
	char batch[ID_LEN + 1];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *value = statement_get(st, keys[i]);

		if (value)
			json_object_set_new(entry, keys[i], json_string(value));
		else
			json_object_del(entry, keys[i]);
	}
	statement_get_hash(hash, st, "batch");
	id_of_hash(batch, hash);
	json_object_set_new(entry, "batch", json_string(batch));
	json_object_set_new(entry, "order", json_integer((json_int_t)statement_number(st, "order")));
}

static int verify_receipt(const struct listing *l, json_t *entry, const struct open_device *d, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/receipts/%llu", d->id, (unsigned long long)number_of(entry));
	_cleanup_(statement_freep) struct statement *st = NULL;
	_cleanup_(buf_done) struct buf whole = { 0 };
	size_t used = 0;
	int r = api_get(&whole, l->cli->api, path, STATEMENT_MAX, err);

	if (r < 0)
		return r;
	r = statement_parse(&st, buf_bytes(&whole), false, &used, err);
	if (r == 0)
		r = receipt_verify(st, l->cli->home->fleet, d->id, &d->key, err);
	if (r == 0 && (used != whole.len || statement_number(st, "number") != number_of(entry)))
		r = error_set(err, E_SEAL, "it is not the receipt with this number and nothing else");
	if (r < 0) {
		error_add(err, "what the server gives for '%s' does not hold", path);
		return err->code = E_SEAL;
	}
	put_receipt(entry, st);
	return 0;
}

static int verify_receipts(const struct listing *l, const struct open_device *d, struct error *err)
{
	for (size_t i = 0; i < json_array_size(l->entries); i++) {
		json_t *entry = json_array_get(l->entries, i);

		if (is_receipt(entry) && verify_receipt(l, entry, d, err) < 0)
			return err->code;
	}
	return 0;
}

/* "order 7 of k3v7qz..."; what nobody can read has no number. */
static char *order_text(const json_t *entry)
{
	json_int_t number = json_integer_value(json_object_get(entry, "order"));

	return number ? mem_printf("order %lld of %s", (long long)number, text_of(entry, "batch")) : mem_strdup("what should be an order");
}

/* "order 7 of k3v7qz...: it is held; it says: ...; see ..." */
static char *receipt_text(const json_t *entry)
{
	_cleanup_(mem_freep) char *order = order_text(entry);
	const char *outcome = text_of(entry, "outcome"), *note = text_of(entry, "note");
	struct receipt_words words = receipt_words(outcome, text_of(entry, "check"));
	bool is_done = !strcmp(outcome, "done");

	return mem_printf("%s%s%s%s%s%s%s", order, is_done ? "" : ": ", is_done ? "" : words.says, *note ? "; it says: " : "", note,
			  *words.todo ? ". What to do: " : "", words.todo);
}

/* ---- showing ---- */

static void add_receipt(struct table *table, const json_t *entry)
{
	_cleanup_(mem_freep) char *text = receipt_text(entry), *outcome = NULL;
	const char *check = text_of(entry, "check");
	char number[24];

	outcome = mem_printf("%s%s%s", text_of(entry, "outcome"), *check ? ": " : "", check);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)number_of(entry));
	table_add(table, (const char *const[]){ number, text_of(entry, "time"), "receipt", outcome, "", "", "", text });
}

static void add_row(struct table *table, const json_t *entry)
{
	json_int_t added = json_integer_value(json_object_get(entry, "added"));
	json_int_t removed = json_integer_value(json_object_get(entry, "removed"));
	char number[24], lines[48] = "";
	const char *type = text_of(entry, "type"), *when = text_of(entry, "time"), *reason = text_of(entry, "reason");
	const char *cells[] = {
		number, when, type, reason, text_of(entry, "saved"), text_of(entry, "mode"), lines, text_of(entry, "note")
	};

	snprintf(number, sizeof(number), "%llu", (unsigned long long)number_of(entry));
	if (!strcmp(type, "snapshot"))
		snprintf(lines, sizeof(lines), "+%lld -%lld", (long long)added, (long long)removed);
	table_add(table, cells);
}

/* The chain has no place for it, since an operator signed it: it stands behind the enrolment that it admits. */
static void add_admit(struct table *table, const struct open_device *d)
{
	_cleanup_(mem_freep) char *note = mem_printf("by %s", d->admitted_by);
	const char *cells[] = { "", statement_get(d->admit, "time"), "admit", "", "", "", "", note };

	table_add(table, cells);
}

static int print_table(const struct listing *l, const struct open_device *d, struct error *err)
{
	static const char *const heads[] = { "REV", "TIME", "TYPE", "REASON", "SAVED", "MODE", "LINES", "NOTE" };
	_cleanup_(table_done) struct table table;

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < json_array_size(l->entries); i++) {
		const json_t *entry = json_array_get(l->entries, i);

		if (d && number_of(entry) == 1)
			add_admit(&table, d);
		if (is_receipt(entry))
			add_receipt(&table, entry);
		else
			add_row(&table, entry);
	}
	return table_print(&table, err);
}

static json_t *entry_json(const json_t *entry)
{
	static const char *const texts[] = { "type",  "time",	"reason", "saved", "mode",   "note",
					     "hash", "commit", "batch",  "outcome", "check", "evidence" };
	static const char *const numbers[] = { "added", "removed", "epoch", "position" };
	struct receipt_words words = receipt_words(text_of(entry, "outcome"), text_of(entry, "check"));
	json_t *json = json_pack("{s:I}", "number", (json_int_t)number_of(entry));

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		show_put_text(json, texts[i], text_of(entry, texts[i]));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		json_object_set_new(json, numbers[i], json_integer(json_integer_value(json_object_get(entry, numbers[i]))));
	if (is_receipt(entry)) {
		json_object_set_new(json, "order", json_integer(json_integer_value(json_object_get(entry, "order"))));
		show_put_text(json, "says", words.says);
		show_put_text(json, "todo", words.todo);
	}
	return json;
}

static json_t *admit_json(const struct open_device *d)
{
	return json_pack("{s:s, s:s}", "time", statement_get(d->admit, "time"), "by", d->admitted_by);
}

static int print_json(const struct listing *l, const struct open_device *d, struct error *err)
{
	json_t *all = json_array(), *json = json_pack("{s:s, s:o}", "device", l->member->id, "entries", all);

	show_put_text(json, "name", l->member->name);
	for (size_t i = 0; i < json_array_size(l->entries); i++)
		json_array_append_new(all, entry_json(json_array_get(l->entries, i)));
	if (d)
		json_object_set_new(json, "admit", admit_json(d));
	return output_json("log", json, err);
}

static int read_limit(uint64_t *out, const struct args *args, struct error *err)
{
	const char *text = args_get(args, "limit");

	*out = LIMIT_DEFAULT;
	if (text && (!number_parse(out, bytes_str(text)) || !*out || *out > LIMIT_MAX))
		return error_set(err, CLI_USAGE, "'%.40s' is no limit; write a number from 1 to %d", text, LIMIT_MAX);
	return 0;
}

int cmd_log(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(opener_freep) struct opener *opener = NULL;
	_cleanup_(listing_done) struct listing l = { .cli = cli };
	const struct open_device *device = NULL;
	int r = read_limit(&l.left, args, err);

	if (r == 0)
		r = fleet_list_get(&list, cli, err);
	if (r == 0)
		r = fleet_find(&l.member, &list, args->value[0], err);
	if (r == 0)
		r = gather(&l, err);
	if (r == 0)
		r = fleet_opener(&opener, cli, err);
	if (r == 0 && l.member->is_admitted && (l.below == 1 || has_receipt(&l)))
		r = fleet_identify(&device, opener, l.member, err);
	if (r == 0 && device)
		r = verify_receipts(&l, device, err);
	if (r < 0)
		return r;
	if (l.member->pending)
		output_note("holdfast: note: %llu %s for '%s' %s not answered yet; see: holdfast rollout list",
			    (unsigned long long)l.member->pending, plural(l.member->pending, "order", "orders"), l.member->name,
			    plural(l.member->pending, "is", "are"));
	if (l.below != 1)
		device = NULL; /* its admission stands behind the first statement */
	return cli->json ? print_json(&l, device, err) : print_table(&l, device, err);
}
