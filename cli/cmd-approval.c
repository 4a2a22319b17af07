/* cli/cmd-approval.c -- holdfast approval list, show, approve, reject, withdraw: what waits for people, seen with the approver's own eyes.
 *
 * Nothing is taken from whoever planned it, nor from the server: the batch's signature is verified, every order fetched and the tree built
 * again, what each device would get is opened with the approver's own key, and compared with the archive as the approver opens it. */
#include "cli/commands.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/plural.h"
#include "cli/api.h"
#include "cli/carry.h"
#include "cli/ceremony.h"
#include "cli/fleet.h"
#include "cli/home.h"
#include "cli/making.h"
#include "cli/passphrase.h"
#include "cli/plan.h"
#include "cli/publishing.h"
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- list ---- */

/* What one may still say about it. */
static const char *say_of(const struct rollout *r, const struct home *home)
{
	const char *kind = statement_get(r->batch, "kind"), *said = NULL;

	if (!root_has_role(home->root, home->person, root_role_for(kind)))
		return "no say";
	for (size_t i = 0; i < r->control_count; i++) {
		const char *action = statement_get(r->controls[i], "action");

		if (!strcmp(statement_get(r->controls[i], "person"), home->person) && strcmp(action, "pause") != 0 &&
		    strcmp(action, "resume") != 0)
			said = action;
	}
	if (said && strcmp(said, "withdraw") != 0)
		return !strcmp(said, "approve") ? "approved" : "rejected";
	if (strcmp(statement_get(r->batch, "person"), home->person) != 0)
		return "waits for you";
	return root_separates(home->root, kind) ? "yours, not counted" : "yours";
}

struct waiting {
	struct table table;
	json_t *list;
	size_t count;
};

static int add_waiting(struct waiting *w, struct cli *cli, const struct open_source *source, const char *id, struct error *err)
{
	_cleanup_(rollout_done) struct rollout r = { 0 };
	_cleanup_(buf_done) struct buf consent = { 0 };
	int result = rollout_get_signed(&r, source, id, err);
	const char *say;

	if (result < 0)
		return result;
	if (consent_is_enough(&r.consent) || r.consent.is_aborted || statement_time(r.batch, "expires") <= clock_now_s())
		return 0;
	say = say_of(&r, cli->home);
	rollout_consent(&consent, &r, cli->home->root);
	w->count++;
	table_add(&w->table, (const char *const[]){ r.id, statement_get(r.batch, "kind"), statement_get(r.batch, "count"),
						    statement_get(r.batch, "person"), statement_get(r.batch, "expires"), buf_text(&consent),
						    say, statement_get(r.batch, "reason") });
	json_array_append_new(w->list, json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:I, s:I, s:s}", "id", r.id, "kind",
						 statement_get(r.batch, "kind"), "count", (json_int_t)statement_number(r.batch, "count"),
						 "person", statement_get(r.batch, "person"), "expires", statement_get(r.batch, "expires"),
						 "say", say, "consent", buf_text(&consent), "people", (json_int_t)r.consent.people, "need",
						 (json_int_t)r.consent.need, "reason", statement_get(r.batch, "reason")));
	return 0;
}

static int gather(struct waiting *w, struct cli *cli, const struct open_source *source, struct error *err)
{
	json_t *json = NULL;
	const json_t *list;
	int r = api_get_json(&json, cli->api, "/v1/batches?limit=1000&state=waiting", err);

	list = json_object_get(json, "batches");
	if (r == 0 && !json_is_array(list))
		r = error_set(err, E_PEER, "the server's list of batches is none");
	for (size_t i = 0; i < json_array_size(list) && r == 0; i++) {
		const char *id = json_string_value(json_object_get(json_array_get(list, i), "id"));

		r = id && id_is_valid(bytes_str(id)) ? add_waiting(w, cli, source, id, err)
						     : error_set(err, E_PEER, "the server's list of batches is malformed");
	}
	json_decref(json);
	return r;
}

int cmd_approval_list(struct cli *cli, const struct args *args _unused_, struct error *err)
{
	static const char *const heads[] = { "ID", "KIND", "DEVICES", "AUTHOR", "EXPIRES", "AGREED", "YOU", "REASON" };
	struct waiting w = { .list = json_array() };
	struct open_source source;
	int r = fleet_source(&source, cli, err);

	table_init(&w.table, ARRAY_SIZE(heads), heads);
	if (r == 0)
		r = gather(&w, cli, &source, err);
	if (r == 0 && cli->json)
		r = output_json("approval-list", json_pack("{s:O}", "batches", w.list), err);
	else if (r == 0 && w.count)
		r = table_print(&w.table, err);
	else if (r == 0)
		output_note("Nothing waits for approval.");
	table_done(&w.table);
	json_decref(w.list);
	return r;
}

/* ---- looking at what would be done ---- */

struct review {
	struct cli *cli;
	struct rollout rollout;
	struct open_source source;
	struct making orders; /* list and opener, for the archive */
	const char *only;     /* id of the one device whose difference is shown; NULL: of all */
	bool is_quiet;        /* only the checks, no differences */
	size_t seen, unread, moved, touched;
	char why[300]; /* the first reason for something unread; "" when it is not sealed to us */
	json_t *devices;
	char challenge[2 * HASH_LEN + 1]; /* of the device in hand, for a batch that erases: the server's word, "" for none */
};

static void review_done(struct review *v)
{
	json_decref(v->devices);
	making_done(&v->orders);
	rollout_done(&v->rollout);
}

static const struct fleet_member *member_of(const struct review *v, const char *id)
{
	for (size_t i = 0; i < v->orders.list.count; i++)
		if (!strcmp(v->orders.list.members[i].id, id))
			return &v->orders.list.members[i];
	return NULL;
}

/* The snapshot that the order names, and no other. */
static int open_base(struct opened *out, struct review *v, const struct fleet_member *m, const struct statement *order, struct error *err)
{
	uint8_t hash[HASH_LEN];
	uint64_t number = 0;
	bool has_base = statement_get_point(&number, hash, order, "base");
	int r = making_open(out, &v->orders, m, number, err);

	if (r == 0 && has_base && memcmp(statement_hash(out->st), hash, HASH_LEN) != 0)
		r = error_set(err, E_SEAL, "revision %llu of '%s' is another one than the order names", (unsigned long long)number,
			      m->name);
	return r;
}

/* 1: it is not sealed to the approver. */
static int open_payload(struct buf *out, struct review *v, const char *device, struct error *err)
{
	_cleanup_(container_done) struct container order = { 0 };
	_cleanup_(buf_done) struct buf bytes = { 0 };
	const struct age_identity *key;
	int r = rollout_order(&order, &bytes, &v->rollout, &v->source, device, err);

	if (r == 0)
		r = home_reading_key(&key, v->cli->home, err);
	if (r < 0)
		return r;
	r = seal_open_secret(out, key, container_seal(&order, "payload"), err);
	return r == E_SEAL ? 1 : r;
}

static int work_out(struct preview *out, struct review *v, const struct preview_input *in, const struct statement *order, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	enum order_kind kind = ORDER_SNAPSHOT;
	int r;

	order_kind_parse(&kind, statement_get(order, "kind"));
	if (kind == ORDER_SAVE)
		return preview_save(out, in, err);
	if (kind == ORDER_REVERT)
		return preview_revert(out, in, err);
	r = open_payload(&text, v, statement_get(order, "device"), err);
	if (r != 0)
		return r;
	return !strcmp(statement_get(order, "mode"), "whole") ? preview_whole(out, in, buf_bytes(&text), err)
							      : preview_lines(out, in, buf_bytes(&text), err);
}

/* Has it changed since the order was planned? Then the device will refuse, and the difference is not what would happen. */
static int look_at_newest(bool *moved, struct review *v, const struct fleet_member *m, const struct opened *base, struct error *err)
{
	_cleanup_(opened_done) struct opened newest = { 0 };
	_cleanup_(preview_done) struct preview c = { 0 };
	struct preview_input in = { .form = form_of(m->driver), .management = "" };
	int r;

	*moved = false;
	if (m->snapshot <= opened_number(base))
		return 0;
	r = making_open(&newest, &v->orders, m, 0, err);
	if (r == 0)
		r = preview_between(&c, &in, base, &newest, err);
	*moved = r == 0 && preview_differs(&c);
	return r;
}

/* Is it about a device that leaves? Then there is nothing to compare, and all the more to know. */
static bool retires(const struct review *v)
{
	enum order_kind kind;

	return order_kind_parse(&kind, statement_get(v->rollout.batch, "kind")) && (order_kind_erases(kind) || kind == ORDER_SHRED);
}

static void put_device(struct review *v, const struct fleet_member *m, const struct statement *order, const struct preview *c, bool moved,
		       bool is_unread)
{
	const char *base = statement_get(order, "base"), *probe;
	json_t *probes = json_array();
	json_t *json =
		json_pack("{s:s, s:s, s:I, s:b, s:b, s:b, s:I, s:I}", "device", m->id, "name", m->name, "order",
			  (json_int_t)statement_number(order, "order"), "unread", (int)is_unread, "moved", (int)moved, "touches-address",
			  (int)c->touches_address, "added", (json_int_t)c->counts.added, "removed", (json_int_t)c->counts.removed);

	for (size_t i = 0; (probe = statement_at(order, "probe", i)); i++)
		json_array_append_new(probes, json_string(probe));
	json_object_set_new(json, "probes", probes);
	if (retires(v))
		ceremony_put_order(json, v->cli, m, v->rollout.batch, order, v->challenge);
	show_put_text(json, "base", base ? base : "");
	show_put_text(json, "touched", c->touched);
	if (c->diff.len)
		json_object_set_new(json, "diff", show_text(buf_bytes(&c->diff)));
	json_array_append_new(v->devices, json);
}

static int show_device(struct review *v, const struct fleet_member *m, const struct statement *order, const struct preview *c, bool moved,
		       bool is_unread, struct error *err)
{
	const char *probe;

	if (v->cli->json) {
		put_device(v, m, order, c, moved, is_unread);
		return 0;
	}
	if (moved)
		output_note("holdfast: note: '%s' changed since it was planned: it will refuse", m->name);
	if (is_unread)
		output_note("holdfast: note: you cannot see what '%s' would get", m->name);
	if (c->touches_address)
		output_note("holdfast: note: on '%s' an address is touched: %s", m->name, c->touched);
	for (size_t i = 0; v->only && (probe = statement_at(order, "probe", i)); i++)
		output_note("holdfast: note: '%s' keeps it only if this holds: %s", m->name, probe);
	return show_diff(buf_bytes(&c->diff), STDOUT_FILENO, err);
}

/* What the order would do. 1: it cannot be seen, for want of a role or a key; v->why says it. */
static int see(struct preview *out, bool *moved, struct review *v, const struct fleet_member *m, const struct statement *order,
	       struct error *err)
{
	_cleanup_(opened_done) struct opened base = { 0 };
	struct preview_input in = { form_of(m->driver), &base, "", "order" };
	int r = open_base(&base, v, m, order, err);

	if (r == 0)
		r = look_at_newest(moved, v, m, &base, err);
	if (r == 0)
		r = work_out(out, v, &in, order, err);
	if (r != E_DENIED)
		return r;
	if (!v->why[0])
		snprintf(v->why, sizeof(v->why), "%s", err->text);
	return 1;
}

static int compare_sets(struct preview *out, struct review *v, const struct fleet_member *m, struct bytes payload, struct error *err)
{
	_cleanup_(device_set_done) struct device_set old = { 0 };
	_cleanup_(policy_set_done) struct policy_set set = { 0 };
	_cleanup_(buf_done) struct buf before = { 0 }, after = { 0 }, diff = { 0 };
	int r = policy_set_read(&set, payload, err);

	if (r == 0)
		r = policy_set_check_driver(&set, m->driver, err);
	if (r == 0)
		r = device_set_before(&old, &v->source, m, v->rollout.id, err);
	if (r < 0)
		return r;
	if (old.is_there)
		publishing_whole(&before, &old.set);
	publishing_whole(&after, &set);
	r = textdiff(&out->counts, &diff, buf_bytes(&before), "policies now", buf_bytes(&after), "policies", err);
	if (r == 0)
		output_clean(&out->diff, buf_bytes(&diff), true);
	return r;
}

/* The whole set of policies, against the one that the device has. 1: it cannot be seen. */
static int see_policies(struct preview *out, struct review *v, const struct fleet_member *m, const struct statement *order,
			struct error *err)
{
	_cleanup_(buf_done) struct buf payload = { 0 };
	int r = open_payload(&payload, v, statement_get(order, "device"), err);

	if (r == 0)
		r = compare_sets(out, v, m, buf_bytes(&payload), err);
	if (r != E_DENIED)
		return r;
	if (!v->why[0])
		snprintf(v->why, sizeof(v->why), "%s", err->text);
	return 1;
}

static int review_order(void *ctx, const struct rollout_device *device, const struct statement *order, struct error *err)
{
	struct review *v = ctx;
	_cleanup_(preview_done) struct preview change = { 0 };
	const struct fleet_member *m = member_of(v, device->id);
	enum order_kind kind = ORDER_SNAPSHOT;
	bool moved = false;
	int r = 0;

	v->seen++;
	if (v->only && strcmp(v->only, device->id) != 0)
		return 0;
	if (!m || (!form_of(m->driver) && !retires(v)))
		return error_set(err, CLI_ABSENT, "device '%s' is not in the fleet, or its kind is not known here", device->id);
	order_kind_parse(&kind, statement_get(order, "kind"));
	if (kind == ORDER_APPLY || kind == ORDER_SAVE || kind == ORDER_REVERT)
		r = see(&change, &moved, v, m, order, err);
	if (kind == ORDER_POLICY)
		r = see_policies(&change, v, m, order, err);
	opener_forget(v->orders.opener);
	if (r == 0 && order_kind_erases(kind))
		r = dossier_challenge(v->challenge, &v->source, m->id, err);
	if (r < 0)
		return error_add(err, "order for '%s'", m->name);
	if (retires(v) && !v->cli->json) /* also before one agrees: there is no difference to look at */
		ceremony_tell_order(v->cli, m, v->rollout.batch, order, v->challenge);
	v->unread += r == 1;
	v->moved += moved;
	v->touched += change.touches_address;
	return v->is_quiet ? 0 : show_device(v, m, order, &change, moved, r == 1, err);
}

static int begin(struct review *v, struct cli *cli, const char *text, struct error *err)
{
	char id[ID_LEN + 1];
	int r = fleet_source(&v->source, cli, err);

	v->cli = cli;
	v->devices = json_array();
	if (r == 0)
		r = rollout_find(id, &v->source, text, err);
	if (r == 0)
		r = rollout_get(&v->rollout, &v->source, id, err);
	if (r == 0)
		r = fleet_list_get(&v->orders.list, cli, err);
	if (r == 0)
		r = fleet_opener(&v->orders.opener, cli, err);
	v->orders.cli = cli;
	return r;
}

static int look(struct review *v, struct error *err)
{
	int r = rollout_orders(&v->rollout, &v->source, review_order, v, err);

	if (r < 0)
		return error_add(err, "batch '%s'", v->rollout.id);
	return 0;
}

/* ---- what is signed ---- */

static void tell(const struct review *v)
{
	const struct rollout *r = &v->rollout;
	const struct statement *b = r->batch;
	_cleanup_(buf_done) struct buf consent = { 0 };
	char hash[2 * HASH_LEN + 1];
	const char *window;

	statement_hash_hex(hash, b);
	rollout_consent(&consent, r, v->cli->home->root);
	output_note("Batch      %s, %s", r->id, r->state);
	output_note("Hash       %s", hash);
	output_note("Orders     %s of kind '%s': all fetched, the tree is the one that was signed", statement_get(b, "count"),
		    statement_get(b, "kind"));
	output_note("Author     %s, %s, under root %s: signature good%s", statement_get(b, "person"), statement_get(b, "time"),
		    statement_get(b, "root"), r->is_by_old_root ? ", but the role is gone: no device takes it" : "");
	output_note("Reason     %s%s%s", statement_get(b, "reason"), statement_get(b, "ticket") ? "  " : "",
		    statement_get(b, "ticket") ? statement_get(b, "ticket") : "");
	output_note("Time       from %s to %s", statement_get(b, "not-before"), statement_get(b, "expires"));
	for (size_t i = 0; (window = statement_at(b, "window", i)); i++)
		output_note("Window     %s UTC", window);
	output_note("Waves      %zu, fail-limit %s", batch_waves(b), statement_get(b, "fail-limit") ? statement_get(b, "fail-limit") : "0");
	output_note("Agreed     %s", buf_text(&consent));
	if (v->touched)
		output_note("Addresses  touched on %zu of %zu %s", v->touched, v->seen, plural(v->seen, "device", "devices"));
	if (v->moved)
		output_note("Moved      %zu of %zu %s changed since it was planned: %s will refuse", v->moved, v->seen,
			    plural(v->seen, "device", "devices"), plural(v->moved, "it", "they"));
	if (v->unread)
		output_note("Unread     you cannot see what %zu of %zu %s would get: %s", v->unread, v->seen,
			    plural(v->seen, "device", "devices"), v->why[0] ? v->why : "it is not sealed to your reading key");
}

static int print_json(struct review *v, struct error *err)
{
	const struct statement *b = v->rollout.batch;
	_cleanup_(buf_done) struct buf consent = { 0 };
	char hash[2 * HASH_LEN + 1];

	statement_hash_hex(hash, b);
	rollout_consent(&consent, &v->rollout, v->cli->home->root);
	return output_json("approval",
			   json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:b, s:I, s:I, s:I, s:O}", "id",
				     v->rollout.id, "hash", hash, "batch-kind", statement_get(b, "kind"), "state", v->rollout.state,
				     "person", statement_get(b, "person"), "time", statement_get(b, "time"), "expires",
				     statement_get(b, "expires"), "reason", statement_get(b, "reason"), "count",
				     (json_int_t)statement_number(b, "count"), "people", (json_int_t)v->rollout.consent.people, "need",
				     (json_int_t)v->rollout.consent.need, "consent", buf_text(&consent), "separate",
				     (int)root_separates(v->cli->home->root, statement_get(b, "kind")), "unread", (json_int_t)v->unread,
				     "moved", (json_int_t)v->moved, "touched", (json_int_t)v->touched, "devices", v->devices),
			   err);
}

int cmd_approval_show(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(review_done) struct review v = { 0 };
	const struct fleet_member *m;
	int r = begin(&v, cli, args->value[0], err);

	if (r == 0 && args_has(args, "device")) {
		r = fleet_find(&m, &v.orders.list, args_get(args, "device"), err);
		v.only = r == 0 ? m->id : NULL;
	}
	if (r == 0)
		r = look(&v, err);
	if (r < 0)
		return r;
	if (cli->json)
		return print_json(&v, err);
	tell(&v);
	if (!consent_is_enough(&v.rollout.consent))
		output_note("Next:  holdfast approval approve %s  or:  holdfast approval reject %s", v.rollout.id, v.rollout.id);
	return EXIT_DONE;
}

/* ---- deciding ---- */

static int may_decide(const struct review *v, enum order_action action, struct error *err)
{
	const struct rollout *r = &v->rollout;

	if (r->consent.is_aborted || statement_time(r->batch, "expires") <= clock_now_s())
		return error_set(err, CLI_CONFLICT, "batch '%s' %s", r->id, r->consent.is_aborted ? "was aborted" : "has expired");
	if (action == ORDER_APPROVE && !strcmp(statement_get(r->batch, "person"), v->cli->home->person) &&
	    root_separates(v->cli->home->root, statement_get(r->batch, "kind")))
		return error_set(err, E_DENIED, "it is yours, and the root does not count the author of a batch of kind '%s'",
				 statement_get(r->batch, "kind"));
	if (action == ORDER_APPROVE && root_is_expired(v->cli->home->root, clock_now_s()))
		return error_set(err, E_DENIED, "root %llu has expired: no device would take it; its people sign the next root first",
				 (unsigned long long)root_version(v->cli->home->root));
	if (action == ORDER_APPROVE && r->is_by_old_root)
		return error_set(err, E_DENIED, "its author, '%s', does not have the role any more: no device would take it",
				 statement_get(r->batch, "person"));
	return 0;
}

static int ask(const struct buf *text, enum order_action action, struct error *err)
{
	_cleanup_(mem_freep) char *question = mem_printf("Sign this (%s)?", order_action_name(action));

	output_note("What you sign:");
	if (fd_write_all(STDERR_FILENO, buf_bytes(text), err) < 0)
		return err->code;
	return passphrase_confirm(question, err);
}

static int decide(struct review *v, const struct args *args, enum order_action action, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = may_decide(v, action, err);

	if (r == 0)
		r = rollout_control(&text, v->cli, &v->rollout, action, args_get(args, "reason"), err);
	if (r == 0 && !args_has(args, "yes"))
		r = ask(&text, action, err);
	if (r == 0)
		r = rollout_decide(v->cli, &text, err);
	if (r < 0)
		return r;
	if (v->cli->json)
		return output_json("approval-control", json_pack("{s:s, s:s}", "id", v->rollout.id, "action", order_action_name(action)),
				   err);
	output_note("Signed: %s of batch %s. See:  holdfast rollout show %s", order_action_name(action), v->rollout.id, v->rollout.id);
	return EXIT_DONE;
}

int cmd_approval_approve(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(review_done) struct review v = { .is_quiet = true };
	const char *reason = "";
	int r = carry_reason(&reason, args, "agreed", err);

	if (r == 0)
		r = begin(&v, cli, args->value[0], err);
	if (r == 0)
		r = may_decide(&v, ORDER_APPROVE, err);
	if (r == 0)
		r = look(&v, err);
	if (r < 0)
		return r;
	tell(&v);
	if (v.unread && !args_has(args, "unread"))
		return error_set(
			err, E_DENIED,
			"you cannot see what %zu %s would get (role reader, and a reading key to which it is sealed, are needed); to "
			"sign all the same say --unread",
			v.unread, plural(v.unread, "device", "devices"));
	return decide(&v, args, ORDER_APPROVE, err);
}

static int decide_simply(struct cli *cli, const struct args *args, enum order_action action, const char *or_else, struct error *err)
{
	_cleanup_(review_done) struct review v = { 0 };
	const char *reason;
	int r = carry_reason(&reason, args, or_else, err);

	if (r == 0)
		r = begin(&v, cli, args->value[0], err);
	return r < 0 ? r : decide(&v, args, action, err);
}

int cmd_approval_reject(struct cli *cli, const struct args *args, struct error *err)
{
	return decide_simply(cli, args, ORDER_REJECT, NULL, err);
}

int cmd_approval_withdraw(struct cli *cli, const struct args *args, struct error *err)
{
	return decide_simply(cli, args, ORDER_WITHDRAW, "withdrawn", err);
}
