/* cli/cmd-rollout.c -- holdfast rollout list, show, watch, pause, resume, abort: how batches stand, verified, and what one may do about it.
 */
#include "cli/commands.h"

#include "base/clock.h"
#include "base/plural.h"
#include "cli/api.h"
#include "cli/carry.h"
#include "cli/fleet.h"
#include "cli/follow.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/show.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 1000 };

/* ---- list: the server's word ---- */

static const char *text_of(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

static unsigned long long number_of(const json_t *json, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(json, key));

	return n > 0 ? (unsigned long long)n : 0;
}

static void add_batch(struct table *table, const json_t *b)
{
	char numbers[48];
	const char *cells[] = { text_of(b, "id"),     text_of(b, "kind"), text_of(b, "state"), numbers,
				text_of(b, "person"), text_of(b, "time"), text_of(b, "reason") };

	snprintf(numbers, sizeof(numbers), "%llu/%llu done, %llu failed", number_of(b, "done"), number_of(b, "count"),
		 number_of(b, "failed"));
	table_add(table, cells);
}

static int print_list(const json_t *list, struct error *err)
{
	static const char *const heads[] = { "ID", "KIND", "STATE", "DEVICES", "PERSON", "TIME", "REASON" };
	_cleanup_(table_done) struct table table;

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < json_array_size(list); i++)
		add_batch(&table, json_array_get(list, i));
	return table_print(&table, err);
}

static int print_list_json(const json_t *list, struct error *err)
{
	static const char *const texts[] = { "id", "hash", "kind", "state", "person", "time", "expires", "reason", "ticket" };
	static const char *const numbers[] = { "count", "orders", "released", "done", "failed", "people", "need" };
	json_t *all = json_array();

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *one = json_object();

		for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
			show_put_text(one, texts[k], text_of(json_array_get(list, i), texts[k]));
		for (size_t k = 0; k < ARRAY_SIZE(numbers); k++)
			json_object_set_new(one, numbers[k], json_integer((json_int_t)number_of(json_array_get(list, i), numbers[k])));
		json_array_append_new(all, one);
	}
	return output_json("rollout-list", json_pack("{s:o}", "batches", all), err);
}

int cmd_rollout_list(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(mem_freep) char *path = NULL;
	const char *state = args_get(args, "state"), *limit = args_get(args, "limit");
	uint64_t n = LIMIT_DEFAULT;
	json_t *json = NULL;
	const json_t *list;
	int r;

	if (limit && (!number_parse(&n, bytes_str(limit)) || !n || n > LIMIT_MAX))
		return error_set(err, CLI_USAGE, "'%.40s' is no limit; write a number from 1 to %d", limit, LIMIT_MAX);
	if (state && strspn(state, "abcdefghijklmnopqrstuvwxyz") != strlen(state))
		return error_set(err, CLI_USAGE, "'%.40s' is no state", state);
	path = mem_printf("/v1/batches?limit=%llu%s%s", (unsigned long long)n, state ? "&state=" : "", state ? state : "");
	r = cli_api(cli, err);
	if (r == 0)
		r = api_get_json(&json, cli->api, path, err);
	list = json_object_get(json, "batches");
	if (r == 0 && !json_is_array(list))
		r = error_set(err, E_PEER, "the server's list of batches is none");
	if (r == 0)
		r = cli->json ? print_list_json(list, err) : print_list(list, err);
	json_decref(json);
	return r;
}

/* ---- show ---- */

static int find(struct rollout *out, struct open_source *source, struct cli *cli, const char *text, struct error *err)
{
	char id[ID_LEN + 1];
	int r = fleet_source(source, cli, err);

	if (r == 0)
		r = rollout_find(id, source, text, err);
	return r == 0 ? rollout_get(out, source, id, err) : r;
}

static void add_line(struct table *table, const char *what, const char *value)
{
	if (value && *value)
		table_add(table, (const char *const[]){ what, value });
}

static void add_waves(struct table *table, const struct rollout *r)
{
	for (size_t i = 0; i < batch_waves(r->batch); i++) {
		struct rollout_counts c = rollout_count(r, i);
		uint32_t begin = i ? batch_wave_end(r->batch, i - 1) : 0;
		_cleanup_(mem_freep) char *text =
			mem_printf("%zu of %zu: %u %s, %zu released, %zu done, %zu failed", i + 1, batch_waves(r->batch),
				   batch_wave_end(r->batch, i) - begin, plural(batch_wave_end(r->batch, i) - begin, "device", "devices"),
				   c.released, c.done, c.failed);

		add_line(table, "wave", text);
	}
}

static void add_controls(struct table *table, const struct rollout *r)
{
	for (size_t i = 0; i < r->control_count; i++) {
		const struct statement *st = r->controls[i];
		const char *reason = statement_get(st, "reason");
		_cleanup_(mem_freep) char *text = mem_printf("%s by %s at %s%s%s", statement_get(st, "action"), statement_get(st, "person"),
							     statement_get(st, "time"), reason ? ": " : "", reason ? reason : "");

		add_line(table, "decided", text);
	}
}

static int print_facts(const struct rollout *r, const struct root *root, struct error *err)
{
	static const char *const heads[] = { "WHAT", "VALUE" };
	_cleanup_(table_done) struct table table;
	_cleanup_(buf_done) struct buf consent = { 0 };
	const char *soak = statement_get(r->batch, "soak"), *limit = statement_get(r->batch, "fail-limit"), *window;

	rollout_consent(&consent, r, root);
	table_init(&table, ARRAY_SIZE(heads), heads);
	add_line(&table, "id", r->id);
	add_line(&table, "kind", statement_get(r->batch, "kind"));
	add_line(&table, "state", r->state);
	add_line(&table, "person", statement_get(r->batch, "person"));
	add_line(&table, "reason", statement_get(r->batch, "reason"));
	add_line(&table, "ticket", statement_get(r->batch, "ticket"));
	add_line(&table, "time", statement_get(r->batch, "time"));
	add_line(&table, "not-before", statement_get(r->batch, "not-before"));
	add_line(&table, "expires", statement_get(r->batch, "expires"));
	for (size_t i = 0; (window = statement_at(r->batch, "window", i)); i++)
		add_line(&table, "window", window);
	add_line(&table, "soak", soak);
	add_line(&table, "fail-limit", limit ? limit : "0");
	add_line(&table, "agreed", buf_text(&consent));
	add_controls(&table, r);
	add_waves(&table, r);
	return table_print(&table, err);
}

int cmd_rollout_show(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(rollout_done) struct rollout r = { 0 };
	_cleanup_(opener_freep) struct opener *opener = NULL;
	struct open_source source;
	int result = find(&r, &source, cli, args->value[0], err);

	if (result < 0)
		return result;
	opener = opener_new(&source);
	result = rollout_receipts(&r, &source, opener, err);
	if (result < 0)
		return result;
	if (r.is_by_old_root)
		output_note("holdfast: note: its author, '%s', does not have the role any more: no device takes it",
			    statement_get(r.batch, "person"));
	if (cli->json)
		return follow_print_json(&r, cli->home->root, "rollout", err);
	if (!args_has(args, "failed") && print_facts(&r, cli->home->root, err) < 0)
		return err->code;
	if (!args_has(args, "failed") && output_raw(bytes_str("\n"), err) < 0)
		return err->code;
	return follow_print(&r, args_has(args, "failed"), err);
}

int cmd_rollout_watch(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(rollout_done) struct rollout r = { 0 };
	struct open_source source;
	int result = find(&r, &source, cli, args->value[0], err);

	return result < 0 ? result : carry_follow(cli, &r, args, false, false, err);
}

/* ---- pause, resume, abort ---- */

static int decide(struct cli *cli, const struct args *args, enum order_action action, const char *said, struct error *err)
{
	_cleanup_(rollout_done) struct rollout r = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct open_source source;
	const char *reason;
	int result = carry_reason(&reason, args, action == ORDER_RESUME ? NULL : "not given", err);

	if (result == 0)
		result = find(&r, &source, cli, args->value[0], err);
	if (result < 0)
		return result;
	if (rollout_is_over(&r) && !(action == ORDER_ABORT && !strcmp(r.state, "stopped")))
		return error_set(err, CLI_CONFLICT, "batch '%s' is over: %s", r.id, r.state);
	result = rollout_control(&text, cli, &r, action, args_has(args, "reason") ? reason : NULL, err);
	if (result == 0)
		result = rollout_decide(cli, &text, err);
	if (result < 0)
		return result;
	if (cli->json)
		return output_json("rollout-control", json_pack("{s:s, s:s}", "id", r.id, "action", order_action_name(action)), err);
	output_note("%s", said);
	return EXIT_DONE;
}

int cmd_rollout_pause(struct cli *cli, const struct args *args, struct error *err)
{
	return decide(cli, args, ORDER_PAUSE,
		      "Paused: no more orders are released; what a device has begun it ends. Next:  holdfast rollout resume", err);
}

int cmd_rollout_resume(struct cli *cli, const struct args *args, struct error *err)
{
	return decide(cli, args, ORDER_RESUME, "It goes on.", err);
}

int cmd_rollout_abort(struct cli *cli, const struct args *args, struct error *err)
{
	return decide(cli, args, ORDER_ABORT,
		      "Aborted, for good: no more orders are released; what is done stays done. To undo that:  holdfast rollout rollback",
		      err);
}
