/* cli/cmd-rollout-again.c -- holdfast rollout retry: what failed, once more, from what the devices run now. holdfast rollout rollback: what
 * was done, undone: each device gets the whole configuration back that was its base. Both are new batches, shown and signed like any. */
#include "cli/commands.h"

#include "base/clock.h"
#include "cli/api.h"
#include "cli/carry.h"
#include "cli/firmware.h"
#include "cli/home.h"
#include "cli/plan.h"
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOG_PAGE = 1000 };

struct again {
	struct cli *cli;
	struct rollout old;
	struct open_source source;
	struct making orders;
	struct batch_terms terms;
	size_t left_out;
	char **groups; /* members of each group, as text; number g at g - 1 */
	size_t group_count;
	bool is_first; /* no order was read yet: terms are incomplete */
	bool is_rollback, with_rest;
};

static void again_done(struct again *a)
{
	for (size_t i = 0; i < a->group_count; i++)
		free(a->groups[i]);
	free(a->groups);
	making_done(&a->orders);
	rollout_done(&a->old);
}

/* ---- what is kept of the old orders ---- */

/* The atomic group that this order named; its members wait for each other again. */
static size_t group_of(struct again *a, const struct statement *order)
{
	_cleanup_(buf_done) struct buf members = { 0 };
	const char *member;

	for (size_t i = 0; (member = statement_at(order, "member", i)); i++)
		buf_addf(&members, "%s ", member);
	if (!members.len)
		return 0;
	for (size_t g = 0; g < a->group_count; g++)
		if (!strcmp(a->groups[g], buf_text(&members)))
			return g + 1;
	a->groups = mem_grow(a->groups, (a->group_count + 1) * sizeof(*a->groups));
	a->groups[a->group_count++] = buf_steal_text(&members);
	return a->group_count;
}

static void keep_terms(struct again *a, const struct statement *order)
{
	const char *mode = statement_get(order, "mode");

	if (!a->is_first)
		return;
	a->is_first = false;
	a->terms.is_whole = a->is_rollback || (mode && !strcmp(mode, "whole"));
	a->terms.until_s = statement_time(order, "until");
	if (statement_get(order, "confirm"))
		a->terms.confirm_s = (int64_t)statement_number(order, "confirm");
	if (statement_get(order, "settle"))
		a->terms.settle_s = (int64_t)statement_number(order, "settle");
}

static void keep_order(struct again *a, struct making_row *row, const struct statement *order)
{
	const char *probe;

	row->group = group_of(a, order);
	if (a->is_rollback)
		return; /* its probes look for the change that is to go */
	while (row->probe_count < ARRAY_SIZE(row->probes) && (probe = statement_at(order, "probe", row->probe_count)))
		row->probes[row->probe_count++] = mem_strdup(probe);
}

static int leave_out(struct again *a, const struct rollout_device *d, const char *why)
{
	output_note("Left out   %s: %s", *d->name ? d->name : d->id, why);
	a->left_out++;
	return 0;
}

/* ---- retry ---- */

static int open_payload(struct buf *out, struct again *a, const char *device, struct error *err)
{
	_cleanup_(container_done) struct container order = { 0 };
	_cleanup_(buf_done) struct buf bytes = { 0 };
	const struct age_identity *key;
	int r = rollout_order(&order, &bytes, &a->old, &a->source, device, err);

	if (r == 0)
		r = home_reading_key(&key, a->cli->home, err);
	if (r < 0)
		return r;
	r = seal_open_secret(out, key, container_seal(&order, "payload"), err);
	if (r == E_SEAL)
		return error_set(err, E_DENIED, "what '%s' was to get is not sealed to your reading key (role reader is needed)", device);
	return r;
}

static int retry_apply(struct again *a, const struct fleet_member *m, const struct rollout_device *d, const struct statement *order,
		       struct error *err)
{
	_cleanup_(opened_done) struct opened base = { 0 };
	_cleanup_(preview_done) struct preview change = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct preview_input in = { form_of(m->driver), &base, "", "again" };
	struct making_row *row;
	int r = open_payload(&text, a, d->id, err);

	if (r == 0)
		r = making_open(&base, &a->orders, m, 0, err);
	if (r == 0)
		r = a->terms.is_whole ? preview_whole(&change, &in, buf_bytes(&text), err)
				      : preview_lines(&change, &in, buf_bytes(&text), err);
	if (r < 0)
		return r;
	if (change.is_nothing)
		return leave_out(a, d, "it is so already");
	row = making_add(&a->orders, m, &base);
	keep_order(a, row, order);
	r = making_put_change(&a->orders, row, base.device, &change, err);
	return r < 0 ? r : show_diff(buf_bytes(&change.diff), STDERR_FILENO, err);
}

/* A set of policies would replace a newer one that somebody ordered since. */
static int is_superseded(bool *out, struct again *a, const char *device, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/devices/%s/policy", device);
	json_t *answer = NULL;
	const char *batch;
	int r = api_get_json(&answer, a->cli->api, path, err);

	if (r < 0)
		return r;
	batch = json_string_value(json_object_get(answer, "batch"));
	*out = !batch || strcmp(batch, a->old.id) != 0;
	json_decref(answer);
	return 0;
}

/* The statement that an upgrade brings. Why it is not brought again; NULL: it is. */
static const char *why_no_firmware(struct bytes payload, const struct again *a, const struct fleet_member *m)
{
	struct firmware f = { 0 };
	const char *why = NULL;
	struct error ignored;
	enum firmware_fit fit;

	if (statement_parse(&f.st, payload, false, NULL, &ignored) < 0)
		return "what it was to get is no firmware statement";
	fit = statement_type(f.st) == STATEMENT_FIRMWARE ? firmware_fits(&f, m) : FIRMWARE_OTHER_DRIVER;
	if (fit > FIRMWARE_GOES_BACK)
		why = fit == FIRMWARE_RUNS ? "it runs it already" : "the image is not for it, or not any more";
	else if (root_verify(a->cli->home->root, f.st, &ignored) < 0)
		why = "who said what the image is may not any more; import it anew";
	statement_free(f.st);
	return why;
}

/* What the device was to get, sealed anew: its readers may be others now. */
static int retry_payload(struct again *a, const struct fleet_member *m, const struct rollout_device *d, const struct statement *order,
			 struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const struct open_device *device;
	struct age_recipient box;
	struct making_row *row;
	bool is_old = false;
	const char *why = NULL;
	int r = open_payload(&text, a, d->id, err);

	if (r == 0 && a->orders.kind == ORDER_POLICY)
		r = is_superseded(&is_old, a, d->id, err);
	if (r < 0)
		return r;
	if (a->orders.kind == ORDER_UPGRADE)
		why = why_no_firmware(buf_bytes(&text), a, m);
	if (why || is_old)
		return leave_out(a, d, why ? why : "a newer set of policies was ordered for it since");
	r = fleet_identify(&device, a->orders.opener, m, err);
	if (r == 0)
		r = age_recipient_parse(&box, bytes_str(statement_get(device->enrol, "box")), err);
	if (r < 0)
		return r;
	row = making_add(&a->orders, m, NULL);
	keep_order(a, row, order);
	return batch_seal(&row->seal, a->cli->home->root, &box, buf_bytes(&text), err);
}

static int retry_other(struct again *a, const struct fleet_member *m, const struct rollout_device *d, struct error *err)
{
	_cleanup_(opened_done) struct opened base = { 0 };
	bool has_base = a->orders.kind == ORDER_SAVE || a->orders.kind == ORDER_REVERT;
	int r = has_base ? making_open(&base, &a->orders, m, 0, err) : 0;

	if (r < 0)
		return r;
	if (has_base && !strcmp(m->saved, "yes"))
		return leave_out(a, d, "running equals startup");
	making_add(&a->orders, m, has_base ? &base : NULL);
	return 0;
}

/* ---- rollback ---- */

/* The newest snapshot of a page that lies between two numbers; with_oldest: the oldest. 0: none. */
static uint64_t pick_snapshot(const json_t *answer, uint64_t above, uint64_t below, bool with_oldest)
{
	const json_t *list = json_object_get(answer, "entries");
	uint64_t found = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);
		const char *type = json_string_value(json_object_get(entry, "type"));
		json_int_t n = json_integer_value(json_object_get(entry, "number"));

		if (!type || strcmp(type, "snapshot") != 0 || n <= 0 || (uint64_t)n <= above || (uint64_t)n >= below)
			continue;
		if (!found || (with_oldest ? (uint64_t)n < found : (uint64_t)n > found))
			found = (uint64_t)n;
	}
	return found;
}

/* Which snapshot holds what the order left behind: the last one before the receipt that says so, else the first one behind it. The number
 * is the server's word; what is in it is verified, and a wrong one only looks like a conflict. */
static int find_left(uint64_t *out, struct again *a, const char *id, uint64_t base, uint64_t receipt, struct error *err)
{
	_cleanup_(mem_freep) char *before = mem_printf("/v1/devices/%s/log?below=%llu&limit=%d", id, (unsigned long long)receipt, LOG_PAGE);
	_cleanup_(mem_freep) char *behind = mem_printf("/v1/devices/%s/log?limit=%d", id, LOG_PAGE);
	json_t *answer = NULL;
	int r = api_get_json(&answer, a->cli->api, before, err);

	if (r < 0)
		return r;
	*out = pick_snapshot(answer, base, receipt, false);
	json_decref(answer);
	if (*out)
		return 0;
	r = api_get_json(&answer, a->cli->api, behind, err);
	if (r < 0)
		return r;
	*out = pick_snapshot(answer, receipt, UINT64_MAX, true);
	if (!*out)
		*out = base; /* nothing was recorded since: nothing changed */
	json_decref(answer);
	return 0;
}

/* What somebody did since, a rollback would undo as well. */
static int check_untouched(bool *moved, struct again *a, const struct fleet_member *m, uint64_t left, const struct opened *newest,
			   struct error *err)
{
	_cleanup_(opened_done) struct opened then = { 0 };
	_cleanup_(preview_done) struct preview c = { 0 };
	struct preview_input in = { .form = form_of(m->driver), .management = "" };
	int r;

	*moved = false;
	if (left == opened_number(newest))
		return 0;
	r = making_open(&then, &a->orders, m, left, err);
	if (r == 0)
		r = preview_between(&c, &in, &then, newest, err);
	if (r < 0)
		return r;
	*moved = preview_differs(&c);
	if (!*moved)
		return 0;
	output_note("holdfast: conflict: '%s' was changed since that rollout (revision %llu):", m->name,
		    (unsigned long long)opened_number(newest));
	return show_diff(buf_bytes(&c.diff), STDERR_FILENO, err);
}

static int plan_return(struct again *a, const struct fleet_member *m, const struct rollout_device *d, const struct statement *order,
		       const struct opened *was, const struct opened *newest, struct error *err)
{
	_cleanup_(preview_done) struct preview change = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct preview_input in = { form_of(m->driver), newest, "", NULL };
	struct making_row *row;
	char name[96];
	int r = preview_reveal(&text, was, &was->running, err);

	show_revision(name, was);
	in.name = name;
	if (r == 0)
		r = preview_whole(&change, &in, buf_bytes(&text), err);
	if (r < 0)
		return r;
	if (change.is_nothing)
		return leave_out(a, d, "it runs its base already");
	row = making_add(&a->orders, m, newest);
	keep_order(a, row, order);
	r = making_put_change(&a->orders, row, newest->device, &change, err);
	return r < 0 ? r : show_diff(buf_bytes(&change.diff), STDERR_FILENO, err);
}

static int roll_back(struct again *a, const struct fleet_member *m, const struct rollout_device *d, const struct statement *order,
		     struct error *err)
{
	_cleanup_(opened_done) struct opened was = { 0 }, newest = { 0 };
	uint8_t hash[HASH_LEN];
	uint64_t base, left = 0;
	bool moved = false;
	int r;

	if (!statement_get_point(&base, hash, order, "base"))
		return leave_out(a, d, "its order names no base to return to");
	r = making_open(&was, &a->orders, m, base, err);
	if (r == 0 && memcmp(statement_hash(was.st), hash, HASH_LEN) != 0)
		r = error_set(err, E_SEAL, "revision %llu of '%s' is another one than its order was made from", (unsigned long long)base,
			      m->name);
	if (r == 0)
		r = making_open(&newest, &a->orders, m, 0, err);
	if (r == 0)
		r = find_left(&left, a, m->id, base, d->receipt, err);
	if (r == 0)
		r = check_untouched(&moved, a, m, left, &newest, err);
	if (r < 0)
		return r;
	return moved ? leave_out(a, d, "changed since; plan that one by itself (holdfast restore)")
		     : plan_return(a, m, d, order, &was, &newest, err);
}

/* ---- both ---- */

static bool is_wanted(const struct again *a, const struct rollout_device *d)
{
	if (a->is_rollback)
		return !strcmp(d->outcome, "done");
	return order_outcome_is_failure(d->outcome) || (a->with_rest && !order_outcome_is_last(d->outcome));
}

static const struct fleet_member *member_of(const struct again *a, const char *id)
{
	for (size_t i = 0; i < a->orders.list.count; i++)
		if (!strcmp(a->orders.list.members[i].id, id))
			return &a->orders.list.members[i];
	return NULL;
}

static int plan_one(struct again *a, const struct rollout_device *d, const struct statement *order, struct error *err)
{
	const struct fleet_member *m = member_of(a, d->id);
	const char *why = !m ? "it is not in the fleet any more" : a->orders.kind == ORDER_APPLY ? plan_obstacle(m, clock_now_s()) : NULL;

	if (why)
		return leave_out(a, d, why);
	keep_terms(a, order);
	if (a->is_rollback)
		return roll_back(a, m, d, order, err);
	if (a->orders.kind == ORDER_APPLY)
		return retry_apply(a, m, d, order, err);
	return a->orders.kind == ORDER_POLICY || a->orders.kind == ORDER_UPGRADE ? retry_payload(a, m, d, order, err) :
										   retry_other(a, m, d, err);
}

static int take_order(void *ctx, const struct rollout_device *d, const struct statement *order, struct error *err)
{
	struct again *a = ctx;
	int r = is_wanted(a, d) ? plan_one(a, d, order, err) : 0;

	opener_forget(a->orders.opener);
	return r;
}

static int plan_all(struct again *a, const struct args *args, struct error *err)
{
	a->with_rest = args_has(args, "rest");
	if (a->with_rest && !rollout_is_over(&a->old))
		return error_set(err, CLI_CONFLICT,
				 "batch '%s' is %s: what has not had its turn yet may still get it; first:  holdfast rollout abort",
				 a->old.id, a->old.state);
	return rollout_orders(&a->old, &a->source, take_order, a, err);
}

/* One device first, or one group; then the rest. */
static void make_waves(struct again *a)
{
	const struct making *o = &a->orders;
	size_t first = 1;

	while (first < o->count && o->rows[0].group && o->rows[first].group == o->rows[0].group)
		first++;
	if (a->is_rollback || first >= o->count)
		return;
	a->terms.waves[0] = (uint32_t)first;
	a->terms.waves[1] = (uint32_t)o->count;
	a->terms.wave_count = 2;
}

static int begin(struct again *a, const char *text, struct error *err)
{
	char id[ID_LEN + 1];
	enum order_kind kind;
	int r = fleet_source(&a->source, a->cli, err);

	if (r == 0)
		r = rollout_find(id, &a->source, text, err);
	if (r == 0)
		r = rollout_get(&a->old, &a->source, id, err);
	if (r < 0)
		return r;
	order_kind_parse(&kind, statement_get(a->old.batch, "kind")); /* verified */
	if (a->is_rollback && kind != ORDER_APPLY)
		return error_set(err, CLI_USAGE, "batch '%s' is of kind '%s': there is no configuration to return to", a->old.id,
				 order_kind_name(kind));
	r = making_begin(&a->orders, a->cli, kind, err);
	return r == 0 ? rollout_receipts(&a->old, &a->source, a->orders.opener, err) : r;
}

static int finish(struct again *a, const struct args *args, const char *question, struct error *err)
{
	int r;

	if (!a->orders.count) {
		output_note("There is nothing to do%s.", a->left_out ? " for those that are not left out" : "");
		return a->left_out && a->is_rollback ? EXIT_CONFLICT : EXIT_DONE;
	}
	make_waves(a);
	r = carry_out(&a->orders, &a->terms, args, question, err);
	return r == EXIT_DONE && a->left_out && a->is_rollback ? EXIT_PARTIAL : r;
}

static int again(struct cli *cli, const struct args *args, bool is_rollback, const char *question, struct error *err)
{
	_cleanup_(again_done) struct again a = { .cli = cli, .is_rollback = is_rollback, .is_first = true };
	_cleanup_(mem_freep) char *or_else = NULL;
	const char *reason;
	int r = begin(&a, args->value[0], err);

	if (r < 0)
		return r;
	or_else = mem_printf("%s of %s: %.800s", is_rollback ? "rollback" : "retry", a.old.id, statement_get(a.old.batch, "reason"));
	r = carry_reason(&reason, args, or_else, err);
	if (r < 0)
		return r;
	making_terms(&a.terms, &a.orders, reason,
		     args_has(args, "ticket") ? args_get(args, "ticket") : statement_get(a.old.batch, "ticket"), clock_now_s());
	r = plan_all(&a, args, err);
	return r < 0 ? r : finish(&a, args, question, err);
}

int cmd_rollout_retry(struct cli *cli, const struct args *args, struct error *err)
{
	return again(cli, args, false, "Do it again?", err);
}

int cmd_rollout_rollback(struct cli *cli, const struct args *args, struct error *err)
{
	return again(cli, args, true, "Return them to what they ran before?", err);
}
