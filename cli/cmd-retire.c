/* cli/cmd-retire.c -- holdfast retire plan, holdfast retire request: a device that is to leave, before anything is done to it.
 *
 * A request is two batches of one order each: what erases the device, and what shreds the archive behind that. The second names the first
 * by its hash, so whoever agrees to it knows what it follows. A device that is given up has only the second. */
#include "cli/commands.h"

#include "base/clock.h"
#include "cli/carry.h"
#include "cli/ceremony.h"
#include "cli/home.h"
#include "cli/making.h"
#include "cli/passphrase.h"
#include "cli/people.h"
#include "cli/show.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DAY_S = 86400, HOLD_DEFAULT_S = 30 * DAY_S, EXPIRES_DEFAULT_S = 3 * DAY_S, EXPIRES_MAX_S = 7 * DAY_S, SHRED_WITHIN_S = 30 * DAY_S };

struct wish {
	const char *method; /* as given; NULL: not */
	enum order_kind kind;
	bool gives_up;
	int64_t now_s, hold_until_s, expires_s;
	const char *reason, *ticket;
	/* by the state of the device */
	bool has_erase, has_after;
	uint8_t after[HASH_LEN], challenge[HASH_LEN];
};

/* ---- what is wished ---- */

static int take_method(struct wish *w, const struct args *args, struct error *err)
{
	w->method = args_get(args, "method");
	if (!w->method)
		return 0;
	if (!strcmp(w->method, "lost")) {
		w->gives_up = true;
		return 0;
	}
	if (!order_kind_parse(&w->kind, w->method) || !order_kind_erases(w->kind))
		return error_set(err, CLI_USAGE,
				 "'%.40s' is no method; write --method factory-reset, purge, or lost for a device that is gone", w->method);
	return 0;
}

/* "2027-01-01T00:00:00Z", or a day: then its beginning. */
static bool take_time(int64_t *out, const char *text)
{
	char whole[32];

	snprintf(whole, sizeof(whole), "%.10sT00:00:00Z", text);
	return clock_parse(out, bytes_str(text)) || (strlen(text) == 10 && clock_parse(out, bytes_str(whole)));
}

static int take_hold(struct wish *w, const struct args *args, struct error *err)
{
	const char *until = args_get(args, "hold-until"), *how_long = args_get(args, "hold");
	int64_t s = HOLD_DEFAULT_S;

	if (until && how_long)
		return error_set(err, CLI_USAGE, "--hold and --hold-until say the same thing twice; give one of them");
	if (how_long && strcmp(how_long, "0") != 0 && args_duration(&s, how_long, err) < 0)
		return error_add(err, "--hold");
	w->hold_until_s = w->now_s + (how_long && !strcmp(how_long, "0") ? 0 : s);
	if (!until)
		return 0;
	if (!take_time(&w->hold_until_s, until))
		return error_set(err, CLI_USAGE, "'%.40s' is no time; write 2027-01-31 or 2027-01-31T12:00:00Z (UTC)", until);
	if (w->hold_until_s <= w->now_s)
		return error_set(err, CLI_USAGE, "'%.40s' is over already; to shred as soon as it is erased: --hold 0", until);
	return 0;
}

static int take_wish(struct wish *w, const struct args *args, struct error *err)
{
	int64_t s = EXPIRES_DEFAULT_S;
	int r;

	*w = (struct wish){ .kind = ORDER_FACTORY_RESET, .now_s = clock_now_s(), .ticket = args_get(args, "ticket") };
	r = take_method(w, args, err);
	if (r == 0)
		r = take_hold(w, args, err);
	if (r == 0 && args_has(args, "expires"))
		r = args_duration(&s, args_get(args, "expires"), err);
	if (r == 0 && s > EXPIRES_MAX_S)
		r = error_set(err, CLI_USAGE, "--expires is at most 7d: the device's challenge is not good for longer");
	w->expires_s = w->now_s + s;
	return r;
}

/* ---- what the device's state allows ---- */

static int in_hand(const struct ceremony *c, const struct retirement_step *s, struct error *err)
{
	const struct dossier_batch *b = dossier_batch(&c->dossier, s);

	return error_set(err, CLI_CONFLICT,
			 "an order of kind '%s' for '%s' is in hand already (batch %s, %s); see: holdfast retire status %s; "
			 "holdfast retire cancel %s ends it",
			 statement_get(s->of->batch, "kind"), c->member->name, b->rollout.id, retirement_phase_name(s->phase),
			 c->member->name, c->member->name);
}

static bool is_open(const struct retirement_step *s)
{
	return s->of && (s->phase == PHASE_WAITING || s->phase == PHASE_GIVEN);
}

static bool is_lost_order(const struct retirement_step *s)
{
	return is_open(s) && !statement_get(s->of->order, "after");
}

static void follow_erasure(struct wish *w, const struct retirement_step *erase)
{
	w->has_after = true;
	memcpy(w->after, statement_hash(erase->of->batch), HASH_LEN);
}

static int fit_retiring(struct wish *w, const struct ceremony *c, struct error *err)
{
	const struct retirement *r = &c->dossier.now;

	if (is_lost_order(&r->shred))
		return in_hand(c, &r->shred, err);
	if (w->gives_up)
		return 0; /* it never answered */
	if (is_open(&r->shred))
		return in_hand(c, &r->erase, err);
	if (w->method && strcmp(w->method, statement_get(r->erase.of->batch, "kind")) != 0)
		return in_hand(c, &r->erase, err);
	follow_erasure(w, &r->erase); /* the request was cut off in the middle: its other half */
	return 0;
}

static int fit_shred_only(struct wish *w, const struct ceremony *c, struct error *err)
{
	const struct retirement *r = &c->dossier.now;

	if (is_open(&r->shred))
		return in_hand(c, &r->shred, err);
	if (w->method && w->gives_up != r->is_lost)
		return error_set(err, CLI_CONFLICT, "'%s' is %s already; what is missing is the shredding: leave --method out",
				 c->member->name, r->is_lost ? "given up" : "wiped");
	w->gives_up = r->is_lost;
	if (r->is_wiped)
		follow_erasure(w, &r->erase);
	return 0;
}

/* What of the two is still to be ordered. */
static int fit(struct wish *w, const struct ceremony *c, struct error *err)
{
	switch (c->dossier.now.state) {
	case RETIREMENT_ACTIVE:
	case RETIREMENT_FAILED:
		if (!w->method)
			return error_set(err, CLI_USAGE, "say how: --method factory-reset, purge, or lost for a device that is gone");
		w->has_erase = !w->gives_up;
		return 0;
	case RETIREMENT_RETIRING:
		return fit_retiring(w, c, err);
	case RETIREMENT_WIPED:
	case RETIREMENT_LOST:
		return fit_shred_only(w, c, err);
	case RETIREMENT_HELD:
		return in_hand(c, &c->dossier.now.shred, err);
	case RETIREMENT_SHREDDING:
	case RETIREMENT_SHREDDED:
	case RETIREMENT_CERTIFIED:
		break;
	}
	return error_set(err, CLI_CONFLICT, "'%s' is %s: nothing of it is left to be ordered; see: holdfast retire status %s",
			 c->member->name, retirement_state_name(c->dossier.now.state), c->member->name);
}

static int take_challenge(struct wish *w, const struct ceremony *c, struct error *err)
{
	if (!w->has_erase)
		return 0;
	if (!*c->dossier.challenge)
		return error_set(
			err, CLI_CONFLICT,
			"'%s' has never said a challenge, so no order to erase can be bound to it: it was not in contact since the server "
			"started, its agent is too old, or its driver ('%s') cannot erase it as it is set up. If it is gone: --method lost",
			c->member->name, c->member->driver);
	return hex_decode(w->challenge, HASH_LEN, bytes_str(c->dossier.challenge))
		       ? 0
		       : error_set(err, E_PEER, "the server's challenge of '%s' is malformed", c->member->name);
}

static int check_people(const struct wish *w, const struct cli *cli, struct error *err)
{
	const struct root *root = cli->home->root;
	int r = w->has_erase ? ceremony_check_people(root, order_kind_name(w->kind), err) : 0;

	return r < 0 ? r : ceremony_check_people(root, "shred", err);
}

/* ---- request ---- */

/* One batch with the one order, in the making. */
struct draft {
	struct making orders;
	struct batch_file file;
	struct statement *order;
};

static void draft_done(struct draft *d)
{
	statement_free(d->order);
	batch_file_done(&d->file);
	making_done(&d->orders);
}

static const struct fleet_member *find_id(const struct fleet_list *list, const char *id)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->members[i].id, id))
			return &list->members[i];
	return NULL;
}

/* row: what is particular about the order; number is above those that are known. */
static int draft_one(struct draft *d, const struct ceremony *c, enum order_kind kind, const struct making_row *row, uint64_t above,
		     struct batch_terms *terms, struct error *err)
{
	struct buf bytes = { 0 };
	struct making_row *own;
	const struct fleet_member *m;
	int r = making_begin(&d->orders, c->cli, kind, err);

	if (r < 0)
		return r;
	m = find_id(&d->orders.list, c->member->id);
	if (!m)
		return error_set(err, CLI_ABSENT, "device '%s' is not in the fleet any more", c->member->name);
	own = making_add(&d->orders, m, NULL);
	own->number = m->order + above;
	own->challenge = row->challenge;
	own->after = row->after;
	terms->kind = kind;
	r = making_draft(&bytes, &d->orders, terms, err);
	if (r == 0)
		r = batch_file_parse(&d->file, &bytes, err);
	buf_done(&bytes);
	return r < 0 ? r : statement_parse(&d->order, d->file.orders[0], false, NULL, err);
}

static void terms_of(struct batch_terms *out, const struct wish *w, const struct ceremony *c)
{
	struct making o = { .cli = c->cli };

	making_terms(out, &o, w->reason, w->ticket, w->now_s);
}

static int draft_erase(struct draft *d, const struct wish *w, const struct ceremony *c, struct error *err)
{
	const struct making_row row = { .challenge = w->challenge };
	struct batch_terms terms;

	terms_of(&terms, w, c);
	terms.expires_s = w->expires_s;
	return draft_one(d, c, w->kind, &row, 1, &terms, err);
}

static int draft_shred(struct draft *d, const struct wish *w, const struct ceremony *c, const struct draft *erase, struct error *err)
{
	struct making_row row = { .after = w->has_after ? w->after : NULL };
	struct batch_terms terms;

	if (w->has_erase)
		row.after = statement_hash(erase->file.batch);
	terms_of(&terms, w, c);
	terms.not_before_s = w->hold_until_s;
	terms.expires_s = (w->hold_until_s > w->expires_s ? w->hold_until_s : w->expires_s) + SHRED_WITHIN_S;
	return draft_one(d, c, ORDER_SHRED, &row, w->has_erase ? 2 : 1, &terms, err);
}

static void tell(const struct wish *w, const struct ceremony *c, const struct draft *erase, const struct draft *shred)
{
	_cleanup_(buf_done) struct buf people = { 0 };

	if (w->has_erase)
		ceremony_tell_order(c->cli, c->member, erase->file.batch, erase->order, c->dossier.challenge);
	ceremony_tell_order(c->cli, c->member, shred->file.batch, shred->order, c->dossier.challenge);
	ceremony_people(&people, c->cli->home->root, w->has_erase ? order_kind_name(w->kind) : "shred");
	output_note("People     %s", buf_text(&people));
}

static int submit(char erase_id[static ID_LEN + 1], char shred_id[static ID_LEN + 1], const struct wish *w, const struct ceremony *c,
		  struct draft *erase, struct draft *shred, struct error *err)
{
	int r = w->has_erase ? making_submit(erase_id, c->cli, &erase->file, NULL, err) : 0;

	if (r < 0)
		return r;
	r = making_submit(shred_id, c->cli, &shred->file, NULL, err);
	if (r < 0 && w->has_erase)
		return error_add(err, "the order to erase is posted (batch %s), the one to shred is not; run the same again", erase_id);
	return r;
}

static int tell_posted(const struct ceremony *c, const char *erase_id, const char *shred_id, struct error *err)
{
	char code[CEREMONY_CODE_LEN];

	ceremony_code(code, shred_id);
	if (c->cli->json) {
		json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "device", c->member->id, "name", c->member->name, "shred", shred_id,
					 "compare", code);

		show_put_text(json, "erase", erase_id);
		return output_json("retire-request", json, err);
	}
	output_note("Signed and posted. Approvers compare by voice:  %s", code);
	output_note("Next:  holdfast retire approve %s   (whoever agrees);  holdfast retire execute %s   follows it", c->member->name,
		    c->member->name);
	return EXIT_DONE;
}

static int request(const struct wish *w, const struct ceremony *c, const struct args *args, struct error *err)
{
	_cleanup_(draft_done) struct draft erase = { 0 }, shred = { 0 };
	char erase_id[ID_LEN + 1] = "", shred_id[ID_LEN + 1] = "";
	int r = w->has_erase ? draft_erase(&erase, w, c, err) : 0;

	if (r == 0)
		r = draft_shred(&shred, w, c, &erase, err);
	if (r < 0)
		return r;
	tell(w, c, &erase, &shred);
	if (!args_has(args, "yes"))
		r = passphrase_confirm(w->gives_up ? "Give this device up, and shred its archive, when enough people agree?"
						   : "Ask for this?",
				       err);
	if (r == 0)
		r = submit(erase_id, shred_id, w, c, &erase, &shred, err);
	return r < 0 ? r : tell_posted(c, erase_id, shred_id, err);
}

int cmd_retire_request(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(ceremony_done) struct ceremony c = { 0 };
	struct wish w;
	int r = take_wish(&w, args, err);

	if (r == 0)
		r = carry_reason(&w.reason, args, NULL, err);
	if (r == 0)
		r = ceremony_begin(&c, cli, args->value[0], err);
	if (r == 0)
		r = fit(&w, &c, err);
	if (r == 0)
		r = check_people(&w, cli, err);
	if (r == 0)
		r = take_challenge(&w, &c, err);
	return r < 0 ? r : request(&w, &c, args, err);
}

/* ---- plan ---- */

struct plan_row {
	const char *step, *undo;
	char what[600];
};

enum { PLAN_ROWS = 9 };

static void put_agree(struct plan_row *row, const struct wish *w, const struct ceremony *c)
{
	const char *kind = w->gives_up ? "shred" : order_kind_name(w->kind);
	_cleanup_(buf_done) struct buf people = { 0 };

	ceremony_people(&people, c->cli->home->root, kind);
	if (!w->gives_up && root_threshold(c->cli->home->root, "shred") != root_threshold(c->cli->home->root, kind)) {
		buf_add_str(&people, "; to the shredding ");
		ceremony_people(&people, c->cli->home->root, "shred");
	}
	snprintf(row->what, sizeof(row->what), "%s", buf_text(&people));
}

static void put_readers(struct plan_row *row, const struct root *root)
{
	size_t used = 0;

	for (size_t i = 0; i < root_people(root); i++)
		if (people_reading(root, root_person(root, i)) != READS_NOTHING && people_is_login(root, root_person(root, i)) &&
		    used < sizeof(row->what) - 80)
			used += (size_t)snprintf(row->what + used, sizeof(row->what) - used, "%s%s", used ? ", " : "",
						 root_person(root, i));
	snprintf(row->what + used, sizeof(row->what) - used, ": each says that they kept nothing");
}

_printf_(4, 5) static void put_row(struct plan_row **row, const char *step, const char *undo, const char *fmt, ...)
{
	va_list args;

	**row = (struct plan_row){ .step = step, .undo = undo };
	va_start(args, fmt);
	vsnprintf((*row)->what, sizeof((*row)->what), fmt, args);
	va_end(args);
	++*row;
}

static void put_device_rows(struct plan_row **row, const struct wish *w, const struct ceremony *c)
{
	struct ceremony_erasing words = ceremony_erasing(c->member->driver, w->kind);

	put_row(row, "delay", "yes, by one person: holdfast retire cancel",
		"%u s from when the device took it, and checked all of it itself",
		root_delay(c->cli->home->root, order_kind_name(w->kind)));
	put_row(row, "record", "yes, until the delay is over", "its last snapshot is archived");
	put_row(row, "erase", "NO, from here on", "%s. Keeps: %s. Claims at most: %s", words.erases, words.keeps, words.claim);
	put_row(row, "answer", "NO", "its last receipt says area by area what was seen; then it destroys its own key");
}

static size_t plan_rows(struct plan_row rows[static PLAN_ROWS], const struct wish *w, const struct ceremony *c)
{
	struct plan_row *row = rows;
	char hold[CLOCK_TEXT_LEN];

	clock_text(hold, w->hold_until_s);
	put_row(&row, "request", "yes: holdfast retire cancel", "%s",
		w->gives_up ? "one order, to shred; the device is given up" : "two orders: one erases, one shreds");
	put_row(&row, "agree", w->gives_up ? "no: its key is revoked for good" : "yes: holdfast retire cancel", "%s", "");
	put_agree(row - 1, w, c);
	if (!w->gives_up)
		put_device_rows(&row, w, c);
	put_row(&row, "hold", "the shredding, yes: holdfast retire cancel", "the archive keeps all until %s", hold);
	put_row(&row, "shred", "NO", "the archive destroys the device's keys and payloads: nobody opens anything of it again");
	put_row(&row, "attest", "-", "%s", "");
	put_readers(row - 1, c->cli->home->root);
	return (size_t)(row - rows);
}

/* One line for each thing that would make a request fail. */
static size_t put_obstacles(json_t *list, struct wish *w, const struct ceremony *c)
{
	const struct cli *cli = c->cli;
	struct error why = { 0 };

	if (fit(w, c, &why) < 0)
		json_array_append_new(list, json_string(why.text));
	if (!root_has_role(cli->home->root, cli->home->person, ROLE_RETIRER)) {
		error_set(&why, E_DENIED, "you ('%s') do not have the role 'retirer': somebody else has to ask for it (holdfast root show)",
			  cli->home->person);
		json_array_append_new(list, json_string(why.text));
	}
	if (root_is_expired(cli->home->root, clock_now_s()))
		json_array_append_new(list, json_string("the fleet's root has expired (holdfast root edit --expires 365d)"));
	if (check_people(w, cli, &why) < 0)
		json_array_append_new(list, json_string(why.text));
	if (take_challenge(w, c, &why) < 0)
		json_array_append_new(list, json_string(why.text));
	return json_array_size(list);
}

static int print_plan(const struct plan_row *rows, size_t count, const json_t *obstacles, struct error *err)
{
	static const char *const heads[] = { "N", "STEP", "WHAT", "CAN IT BE UNDONE" };
	_cleanup_(table_done) struct table table;
	char n[24];

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < count; i++) {
		snprintf(n, sizeof(n), "%zu", i + 1);
		table_add(&table, (const char *const[]){ n, rows[i].step, rows[i].what, rows[i].undo });
	}
	if (table_print(&table, err) < 0)
		return err->code;
	for (size_t i = 0; i < json_array_size(obstacles); i++)
		output_note("In the way: %s", json_string_value(json_array_get(obstacles, i)));
	return 0;
}

static json_t *rows_json(const struct plan_row *rows, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "step", rows[i].step, "what", rows[i].what, "undo", rows[i].undo));
	return list;
}

static int show_plan(struct wish *w, const struct ceremony *c, struct error *err)
{
	struct plan_row rows[PLAN_ROWS];
	size_t count = plan_rows(rows, w, c);
	json_t *obstacles = json_array();
	bool is_blocked = put_obstacles(obstacles, w, c) > 0;
	int r;

	if (c->cli->json)
		r = output_json("retire-plan",
				json_pack("{s:s, s:s, s:s, s:o, s:O}", "device", c->member->id, "name", c->member->name, "method",
					  w->gives_up ? "lost" : order_kind_name(w->kind), "steps", rows_json(rows, count), "in-the-way",
					  obstacles),
				err);
	else
		r = print_plan(rows, count, obstacles, err);
	if (r == 0 && !w->gives_up && ceremony_erasing(c->member->driver, w->kind).is_for_some)
		output_note("Not every device of kind '%s' can do this: one that cannot refuses, and nothing is erased.",
			    c->member->driver);
	if (r == 0 && !is_blocked)
		output_note("Next:  holdfast retire request %s --method %s --reason TEXT", c->member->name,
			    w->gives_up ? "lost" : order_kind_name(w->kind));
	json_decref(obstacles);
	return r < 0 ? r : is_blocked ? EXIT_FINDING : EXIT_DONE;
}

int cmd_retire_plan(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(ceremony_done) struct ceremony c = { 0 };
	struct wish w;
	int r = take_wish(&w, args, err);

	if (r == 0 && !w.method)
		w.method = order_kind_name(w.kind);
	if (r == 0)
		r = ceremony_begin(&c, cli, args->value[0], err);
	return r < 0 ? r : show_plan(&w, &c, err);
}
