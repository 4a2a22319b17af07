/* cli/publishing.c -- the set of policies of each device, changed and ordered. */
#include "cli/publishing.h"

#include "base/clock.h"
#include "base/plural.h"
#include "cli/home.h"
#include "cli/show.h"

#include <stdio.h>
#include <string.h>

int publishing_begin(struct publishing *p, struct cli *cli, struct error *err)
{
	int r = making_begin(&p->orders, cli, ORDER_POLICY, err);

	return r == 0 ? fleet_source(&p->source, cli, err) : r;
}

void publishing_done(struct publishing *p)
{
	making_done(&p->orders);
}

void publishing_text(struct buf *out, const struct policy_set *set)
{
	_cleanup_(buf_done) struct buf commit = { 0 };

	for (size_t i = 0; i < set->pack_count; i++)
		buf_addf(out, "%s%s (%zu %s)", i ? ", " : "", set->packs[i].policy->name, set->packs[i].policy->count,
			 plural(set->packs[i].policy->count, "rule", "rules"));
	if (!set->pack_count)
		buf_add_str(out, "no packs");
	if (set->waiver_count)
		buf_addf(out, "; %zu %s", set->waiver_count, plural(set->waiver_count, "waiver", "waivers"));
	policy_commit_text(&commit, &set->commit);
	if (commit.len)
		buf_addf(out, "; %s", buf_text(&commit));
	for (size_t i = 0; i < set->exempt_count; i++)
		buf_addf(out, "; not in %s", set->exempt[i]);
	if (set->has_baseline)
		buf_addf(out, "; baseline %llu", (unsigned long long)set->baseline_number);
}

static void add_waiver(struct buf *out, struct bytes waiver)
{
	_cleanup_(statement_freep) struct statement *st = NULL;
	struct error ignored;
	size_t used;

	if (statement_parse(&st, waiver, true, &used, &ignored) == 0)
		buf_add_bytes(out, statement_text(st));
	else
		buf_add_str(out, "a waiver that cannot be read\n");
}

void publishing_whole(struct buf *out, const struct policy_set *set)
{
	_cleanup_(buf_done) struct buf commit = { 0 };

	policy_commit_text(&commit, &set->commit);
	buf_addf(out, "person: %s\n", set->person);
	if (commit.len)
		buf_addf(out, "commit: %s\n", buf_text(&commit));
	for (size_t i = 0; i < set->exempt_count; i++)
		buf_addf(out, "exempt: %s\n", set->exempt[i]);
	if (set->has_baseline)
		buf_addf(out, "baseline: revision %llu, %zu bytes\n", (unsigned long long)set->baseline_number, set->baseline.len);
	for (size_t i = 0; i < set->waiver_count; i++)
		add_waiver(out, set->waivers[i]);
	for (size_t i = 0; i < set->pack_count; i++)
		buf_add_bytes(out, set->packs[i].text);
}

int publishing_until(int64_t *out_s, const char *text, int64_t now_s, struct error *err)
{
	_cleanup_(mem_freep) char *whole = mem_printf("%sT00:00:00Z", text);

	if (!clock_parse(out_s, bytes_str(text)) && !clock_parse(out_s, bytes_str(whole))) {
		if (args_duration(out_s, text, err) < 0)
			return error_set(err, CLI_USAGE,
					 "'--until %.40s': write a day as 2026-12-31, a time as 2026-12-31T06:00:00Z, or a duration", text);
		*out_s += now_s;
	}
	return *out_s > now_s ? 0 : error_set(err, CLI_USAGE, "'--until %.40s' lies in the past", text);
}

/* ---- one device ---- */

/* Waivers that wave nothing any more go: their time is over, who signed them lost the role, or the rule is gone. */
static void drop_ended(struct policy_set *set, const struct root *root, int64_t now_s)
{
	size_t kept = 0;

	for (size_t i = 0; i < set->waiver_count; i++) {
		_cleanup_(statement_freep) struct statement *st = NULL;
		struct error ignored;
		size_t used;
		bool holds = statement_parse(&st, set->waivers[i], true, &used, &ignored) == 0 && statement_type(st) == STATEMENT_WAIVER &&
			     root_verify(root, st, &ignored) == 0 && statement_time(st, "until") > now_s &&
			     policy_set_has_rule(set, statement_get(st, "policy"), statement_get(st, "rule"));

		if (holds)
			set->waivers[kept++] = set->waivers[i];
	}
	set->waiver_count = kept;
}

/* Who put it together, and the order of its parts, are no difference. */
static int is_same(bool *same, const struct device_set *old, struct bytes made, struct error *err)
{
	_cleanup_(buf_done) struct buf before = { 0 };
	_cleanup_(policy_set_done) struct policy_set now = { 0 };
	char person[sizeof(now.person)];
	int r = policy_set_read(&now, made, err);

	*same = false;
	if (r < 0 || !old->is_there)
		return r;
	memcpy(person, old->set.person, sizeof(person));
	memcpy(now.person, person, sizeof(person));
	r = policy_set_write(&before, &now, err);
	*same = r == 0 && bytes_equal(buf_bytes(&before), buf_bytes(&old->text));
	return r;
}

static int put_order(struct publishing *p, const struct fleet_member *m, struct bytes set, struct error *err)
{
	const struct open_device *device;
	struct age_recipient box;
	struct making_row *row;
	int r = fleet_identify(&device, p->orders.opener, m, err);

	if (r == 0)
		r = age_recipient_parse(&box, bytes_str(statement_get(device->enrol, "box")), err);
	if (r < 0)
		return r;
	if (set.len > SEAL_SECRET_MAX)
		return error_set(err, E_LIMIT, "the set of '%s' has %zu bytes, and an order brings at most %d", m->name, set.len,
				 SEAL_SECRET_MAX);
	row = making_add(&p->orders, m, NULL);
	return batch_seal(&row->seal, p->orders.cli->home->root, &box, set, err);
}

static void tell(const struct publishing *p, const struct fleet_member *m, const struct policy_set *set)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (p->orders.cli->json)
		return;
	publishing_text(&text, set);
	output_note("%s: %s", m->name, buf_text(&text));
}

static int publish_one(struct publishing *p, const struct fleet_member *m, struct error *err)
{
	_cleanup_(device_set_done) struct device_set old = { 0 };
	_cleanup_(buf_done) struct buf made = { 0 };
	struct policy_set set;
	bool same = false;
	int r = p->is_anew ? 0 : device_set_get(&old, &p->source, m, err);

	if (r < 0)
		return r;
	set = old.set;
	r = p->change(p->ctx, &set, m, err);
	if (r != 0)
		return r < 0 ? error_add(err, "'%s'", m->name) : 0;
	snprintf(set.person, sizeof(set.person), "%s", p->orders.cli->home->person);
	drop_ended(&set, p->orders.cli->home->root, clock_now_s());
	r = policy_set_write(&made, &set, err);
	if (r == 0)
		r = is_same(&same, &old, buf_bytes(&made), err);
	if (r < 0)
		return error_add(err, "the set of '%s'", m->name);
	if (same) {
		p->as_wanted++;
		return 0;
	}
	tell(p, m, &set);
	return put_order(p, m, buf_bytes(&made), err);
}

/* ---- all of them ---- */

static const char *obstacle(const struct fleet_member *m)
{
	if (!m->is_admitted)
		return "not admitted";
	return *m->retired ? "retired" : NULL;
}

static int publish_all(struct publishing *p, struct error *err)
{
	struct progress progress = { .what = "prepared" };
	const struct fleet_list *list = &p->orders.list;
	int r = 0;

	for (size_t i = 0; i < list->count && r == 0; i++) {
		const struct fleet_member *m = &list->members[i];
		const char *why = obstacle(m);

		if (why)
			output_note("holdfast: '%s' is left out: %s", m->name[0] ? m->name : m->id, why);
		else
			r = publish_one(p, m, err);
		opener_forget(p->orders.opener);
		progress_show(&progress, i + 1, list->count);
	}
	progress_end(&progress);
	return r;
}

int publishing_run(struct publishing *p, const struct args *args, const char *reason, const char *question, struct error *err)
{
	struct batch_terms terms;
	int r = publish_all(p, err);

	if (r < 0)
		return r;
	if (p->as_wanted)
		output_note("Already    %zu of %zu have it so", p->as_wanted, p->orders.list.count);
	if (!p->orders.count)
		return p->as_wanted ? EXIT_DONE : error_set(err, CLI_ABSENT, "no device is left that this concerns");
	making_terms(&terms, &p->orders, reason, args_get(args, "ticket"), clock_now_s());
	return carry_out(&p->orders, &terms, args, question, err);
}
