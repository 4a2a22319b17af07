/* cli/making.c -- from devices to a batch that is signed and posted. */
#include "cli/making.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/plural.h"
#include "cli/api.h"
#include "cli/show.h"
#include "cli/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POST_MAX = 6 << 20 }; /* of the 8 MiB that a list may have: an order is at most 4 MiB and a little, and goes alone then */

/* ---- who, and their bases ---- */

int making_begin(struct making *o, struct cli *cli, enum order_kind kind, struct error *err)
{
	enum role role = root_role_for(order_kind_name(kind));
	int r = fleet_list_get(&o->list, cli, err);

	o->cli = cli;
	o->kind = kind;
	if (r == 0)
		r = fleet_opener(&o->opener, cli, err);
	if (r < 0)
		return r;
	if (root_is_expired(cli->home->root, clock_now_s()))
		return error_set(err, E_DENIED,
				 "root %llu expired at %s: no device takes an order under it; its people sign the next one first "
				 "(holdfast root edit --expires 365d)",
				 (unsigned long long)root_version(cli->home->root),
				 statement_get(root_statement(cli->home->root), "expires"));
	if (!root_has_role(cli->home->root, cli->home->person, role))
		return error_set(err, E_DENIED,
				 "'%s' does not have the role '%s', which an order of kind '%s' takes; see: holdfast root show",
				 cli->home->person, role_name(role), order_kind_name(kind));
	return 0;
}

static void row_done(struct making_row *row)
{
	buf_done(&row->seal);
	for (size_t i = 0; i < row->probe_count; i++)
		free(row->probes[i]);
}

void making_done(struct making *o)
{
	for (size_t i = 0; i < o->count; i++)
		row_done(&o->rows[i]);
	free(o->rows);
	opener_free(o->opener);
	fleet_list_done(&o->list);
	*o = (struct making){ 0 };
}

int making_open(struct opened *out, struct making *o, const struct fleet_member *member, uint64_t number, struct error *err)
{
	struct open_wanted wanted = { .id = member->id, .number = number, .at_least = member->snapshot };
	const struct open_device *device;
	int r = fleet_identify(&device, o->opener, member, err);

	if (r < 0)
		return r;
	if (!member->snapshot)
		return error_set(err, CLI_ABSENT, "'%s' has sent no snapshot yet", member->name);
	return opener_open(out, o->opener, &wanted, err);
}

struct making_row *making_add(struct making *o, const struct fleet_member *member, const struct opened *base)
{
	struct making_row *row;

	if (!(o->count & (o->count - 1)))
		o->rows = mem_grow(o->rows, (o->count ? 2 * o->count : 1) * sizeof(*o->rows));
	row = &o->rows[o->count++];
	*row = (struct making_row){ .member = member };
	if (base) {
		row->base = opened_number(base);
		memcpy(row->base_hash, statement_hash(base->st), HASH_LEN);
	}
	return row;
}

int making_put_change(struct making *o, struct making_row *row, const struct open_device *device, const struct preview *change,
		      struct error *err)
{
	struct age_recipient box;
	int r = age_recipient_parse(&box, bytes_str(statement_get(device->enrol, "box")), err);

	row->counts = change->counts;
	row->is_whole = change->is_whole;
	row->touches_address = change->touches_address;
	snprintf(row->touched, sizeof(row->touched), "%s", change->touched);
	if (r == 0 && o->kind == ORDER_APPLY)
		r = batch_seal(&row->seal, o->cli->home->root, &box, buf_bytes(&change->payload), err);
	return r;
}

/* ---- the batch ---- */

void making_terms(struct batch_terms *out, const struct making *o, const char *reason, const char *ticket, int64_t now_s)
{
	*out = (struct batch_terms){
		.kind = o->kind,
		.fleet = o->cli->home->fleet,
		.person = o->cli->home->person,
		.reason = reason,
		.ticket = ticket,
		.root = o->cli->home->root,
		.time_s = now_s,
		.not_before_s = now_s,
		.expires_s = now_s + MAKING_EXPIRES_S,
		.confirm_s = -1,
		.settle_s = -1,
	};
}

static int add_row(struct batch_draft *draft, const struct making *o, struct making_row *row, struct error *err)
{
	const char *members[ORDER_MEMBERS_MAX];
	struct batch_order order = { .device = row->member->id, .number = row->member->order + 1, .base = row->base, .members = members };

	for (size_t i = 0; row->group && i < o->count; i++)
		if (o->rows[i].group == row->group && order.member_count < ORDER_MEMBERS_MAX)
			members[order.member_count++] = o->rows[i].member->id;
	if (order.member_count == 1) /* alone, it need not wait for anybody */
		order.member_count = 0;
	memcpy(order.base_hash, row->base_hash, HASH_LEN);
	order.probes = (const char *const *)row->probes;
	order.probe_count = row->probe_count;
	order.challenge = row->challenge;
	order.after = row->after;
	if (row->number)
		order.number = row->number;
	order.seal = &row->seal;
	return batch_add(draft, &order, err) < 0 ? error_add(err, "'%s'", row->member->name) : 0;
}

int making_draft(struct buf *file, const struct making *o, const struct batch_terms *terms, struct error *err)
{
	_cleanup_(batch_draft_done) struct batch_draft draft = { .terms = *terms };
	int r = 0;

	for (size_t i = 0; i < o->count && r == 0; i++)
		r = add_row(&draft, o, &o->rows[i], err);
	if (r == 0)
		r = batch_finish(&draft, err);
	if (r == 0)
		batch_put_file(file, &draft);
	return r;
}

/* ---- may it be posted? ---- */

int making_is_posted(struct cli *cli, const char *id, struct error *err)
{
	_cleanup_(mem_freep) char *path = mem_printf("/v1/batches/%s/statement", id);
	_cleanup_(buf_done) struct buf bytes = { 0 };
	int r = api_get(&bytes, cli->api, path, API_LIST_MAX, err);

	return r == CLI_ABSENT ? 1 : r;
}

static int check_batch(const struct home *home, const struct statement *batch, struct error *err)
{
	if (strcmp(statement_get(batch, "fleet"), home->fleet) != 0)
		return error_set(err, CLI_CONFLICT, "the plan is for fleet '%s', not for '%s'", statement_get(batch, "fleet"), home->fleet);
	if (strcmp(statement_get(batch, "person"), home->person) != 0)
		return error_set(err, E_DENIED, "the plan is by '%s', who has to sign it; you are '%s'", statement_get(batch, "person"),
				 home->person);
	if (statement_number(batch, "root") != root_version(home->root))
		return error_set(err, CLI_CONFLICT,
				 "root %llu is in force, and the plan was made under %llu: others may read now; plan again",
				 (unsigned long long)root_version(home->root), (unsigned long long)statement_number(batch, "root"));
	if (statement_time(batch, "expires") <= clock_now_s())
		return error_set(err, CLI_CONFLICT, "the plan expired at %s; plan again", statement_get(batch, "expires"));
	return 0;
}

static int show_moved(const struct fleet_member *m, const struct opened *base, const struct opened *newest, bool *moved, struct error *err)
{
	_cleanup_(preview_done) struct preview c = { 0 };
	struct preview_input in = { .form = form_of(m->driver), .management = "" };
	int r = preview_between(&c, &in, base, newest, err);

	*moved = r == 0 && preview_differs(&c);
	if (!*moved)
		return r;
	output_note("holdfast: conflict: '%s' was changed since the plan was made (revision %llu):", m->name,
		    (unsigned long long)opened_number(newest));
	return show_diff(buf_bytes(&c.diff), STDERR_FILENO, err);
}

/* Newer snapshots that say the same (a save, a contact) are no conflict. */
static int check_base(struct making *o, const struct fleet_member *m, const struct statement *order, bool *moved, struct error *err)
{
	_cleanup_(opened_done) struct opened base = { 0 }, newest = { 0 };
	uint8_t hash[HASH_LEN];
	uint64_t number;
	int r;

	*moved = false;
	if (!statement_get_point(&number, hash, order, "base") || m->snapshot == number)
		return 0;
	if (m->snapshot < number)
		return error_set(err, E_SEAL,
				 "the server lists revision %llu of '%s' as the newest, and the plan was made from %llu: it was set back",
				 (unsigned long long)m->snapshot, m->name, (unsigned long long)number);
	r = making_open(&base, o, m, number, err);
	if (r == 0 && memcmp(statement_hash(base.st), hash, HASH_LEN) != 0)
		r = error_set(err, E_SEAL, "revision %llu of '%s' is another one than the plan was made from", (unsigned long long)number,
			      m->name);
	if (r == 0)
		r = making_open(&newest, o, m, 0, err);
	return r == 0 ? show_moved(m, &base, &newest, moved, err) : r;
}

static const struct fleet_member *member_of(const struct fleet_list *list, const char *id)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->members[i].id, id))
			return &list->members[i];
	return NULL;
}

/* 1: something stands in the way, and was told. */
static int check_order(struct making *o, struct bytes container, struct error *err)
{
	_cleanup_(statement_freep) struct statement *order = NULL;
	const struct fleet_member *m;
	bool moved = false;
	int r = statement_parse(&order, container, false, NULL, err);

	if (r < 0)
		return r;
	m = member_of(&o->list, statement_get(order, "device"));
	if (!m || !m->is_admitted) {
		output_note("holdfast: conflict: device '%s' is not in the fleet", statement_get(order, "device"));
		return 1;
	}
	if (m->order >= statement_number(order, "order")) {
		output_note("holdfast: conflict: order %llu was made for '%s' since the plan (holdfast log %s)",
			    (unsigned long long)m->order, m->name, m->name);
		return 1;
	}
	r = check_base(o, m, order, &moved, err);
	return r < 0 ? r : moved;
}

int making_check(struct making *o, const struct batch_file *file, struct error *err)
{
	struct progress progress = { .what = "checked" };
	size_t conflicts = 0;
	int r = check_batch(o->cli->home, file->batch, err);

	for (size_t i = 0; i < file->count && r >= 0; i++) {
		r = check_order(o, file->orders[i], err);
		opener_forget(o->opener);
		conflicts += r > 0;
		progress_show(&progress, i + 1, file->count);
	}
	progress_end(&progress);
	if (r < 0)
		return r;
	if (!conflicts)
		return 0;
	return error_set(err, CLI_CONFLICT, "%zu of %zu %s when the plan was made; nothing was posted. Plan again", conflicts, file->count,
			 plural(file->count, "device is not as it was", "devices are not as they were"));
}

/* ---- posting ---- */

static int sign(struct cli *cli, struct batch_file *file, const char *path, struct error *err)
{
	_cleanup_(mem_freep) char *key = home_signing_key(cli->home);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct buf whole = { 0 };
	int r;

	if (statement_sig_count(file->batch))
		return batch_verify(file->batch, cli->home->root, err);
	buf_add_bytes(&text, statement_text(file->batch));
	r = sign_statement(&text, key, err);
	if (r < 0)
		return r;
	batch_file_sign(&whole, file, buf_bytes(&text));
	r = path ? fs_write(path, buf_bytes(&whole), 0600, err) : 0;
	if (r < 0) {
		buf_done(&whole);
		return r;
	}
	batch_file_done(file);
	r = batch_file_parse(file, &whole, err);
	return r == 0 ? batch_verify(file->batch, cli->home->root, err) : r;
}

/* Orders lie one behind the other in the file: a list is a piece of it. */
static int post_orders(struct cli *cli, const struct batch_file *file, struct error *err)
{
	struct progress progress = { .what = "posted" };
	int r = 0;

	for (size_t i = 0, k; i < file->count && r == 0; i = k) {
		size_t len = file->orders[i].len;

		for (k = i + 1; k < file->count && len + file->orders[k].len <= POST_MAX; k++)
			len += file->orders[k].len;
		r = api_post_orders(cli->api, bytes_of(file->orders[i].ptr, len), err);
		progress_show(&progress, k, file->count);
	}
	progress_end(&progress);
	return r;
}

int making_submit(char id[static ID_LEN + 1], struct cli *cli, struct batch_file *file, const char *path, struct error *err)
{
	int r = sign(cli, file, path, err);

	if (r == 0)
		r = api_post_object(cli->api, statement_whole(file->batch), err);
	if (r >= 0)
		r = post_orders(cli, file, err);
	batch_id(id, file->batch);
	return r < 0 ? r : 0;
}

/* ---- showing ---- */

static void add_row_text(struct table *table, const struct making_row *row)
{
	char base[24] = "", lines[48] = "";
	const char *cells[] = { row->member->name, base, lines, row->touches_address ? row->touched : "" };

	if (row->base)
		snprintf(base, sizeof(base), "%llu", (unsigned long long)row->base);
	if (row->is_whole)
		snprintf(lines, sizeof(lines), "+%zu -%zu", row->counts.added, row->counts.removed);
	else if (row->counts.added)
		snprintf(lines, sizeof(lines), "%zu entered", row->counts.added);
	table_add(table, cells);
}

void making_show(const struct making *o)
{
	static const char *const heads[] = { "DEVICE", "BASE", "LINES", "TOUCHES ADDRESS" };
	_cleanup_(table_done) struct table table;
	_cleanup_(buf_done) struct buf text = { 0 };

	table_init(&table, o->rows[0].base ? ARRAY_SIZE(heads) : 1, heads); /* without a base there is nothing more to say */
	for (size_t i = 0; i < o->count; i++)
		add_row_text(&table, &o->rows[i]);
	table_text(&text, &table, true);
	fputs(buf_text(&text), stderr);
}
