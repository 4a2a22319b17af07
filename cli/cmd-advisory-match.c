/* cli/cmd-advisory-match.c -- holdfast advisory match: which devices are affected by which advisories.
 *
 * Advisories are read one after the other, so memory does not grow with their number (a second time, to look behind the fixes that they
 * name); devices of which the same is known are decided once. What is not affected is left out unless asked for; what is unknown never is.
 */
#include "cli/commands.h"

#include "base/clock.h"
#include "base/plural.h"
#include "cli/advisory-age.h"
#include "cli/advisory-behind.h"
#include "cli/advisory-facts.h"
#include "cli/advisory-judge.h"
#include "cli/advisory-look.h"
#include "cli/advisory-sync.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is effective behind what was computed and what somebody judged. */
enum state { STATE_AFFECTED, STATE_UNKNOWN, STATE_MITIGATED, STATE_ACCEPTED, STATE_NOT_AFFECTED };
enum { STATES = STATE_NOT_AFFECTED + 1 };
static const char *const state_names[STATES] = { "affected", "unknown", "mitigated", "accepted", "not-affected" };

struct row {
	const struct advisory_device *device;
	const struct advisory_entry *entry;
	enum state state;
	enum answer computed;
	double score;
	const struct judgement *judged; /* NULL: nobody did */
	bool is_stale;
	int64_t days, over;  /* since it was published, -1: nobody says; over: more than --max-age */
	size_t question;     /* about its fix, to behind_ids(); 0: none */
	const char *remedy;  /* static: the best kind of what may be done; NULL */
	char *severity, *reason, *fix;
	json_t *vulns; /* with --json */
};

struct report {
	struct cli *cli;
	bool shows_all;
	struct advisory_store store;
	struct advisory_devices devices;
	size_t *same; /* of each device: the first one of which the same is known */
	struct judgements judgements;
	size_t count, counts[STATES];
	size_t unplaced; /* devices without a vendor */
	size_t overdue;
	int64_t now_s;
	struct age_limits limits;
	struct behind *behind;
	struct row *rows;
};

static void report_done(struct report *r)
{
	for (size_t i = 0; i < r->count; i++) {
		free(r->rows[i].severity);
		free(r->rows[i].reason);
		free(r->rows[i].fix);
		json_decref(r->rows[i].vulns);
	}
	free(r->rows);
	free(r->same);
	behind_free(r->behind);
	judgements_done(&r->judgements);
	advisory_devices_done(&r->devices);
	advisory_store_done(&r->store);
}

/* ---- deciding ---- */

static enum state state_of(enum answer computed, const struct judgement *judged)
{
	const char *verdict = judged ? statement_get(judged->st, "verdict") : NULL;

	for (size_t i = 0; verdict && i < STATES; i++)
		if (!strcmp(verdict, state_names[i]))
			return (enum state)i;
	return computed == ANSWER_YES ? STATE_AFFECTED : computed == ANSWER_UNKNOWN ? STATE_UNKNOWN : STATE_NOT_AFFECTED;
}

static struct row *add_row(struct report *r)
{
	if (!(r->count & (r->count - 1)))
		r->rows = mem_grow(r->rows, (r->count ? 2 * r->count : 1) * sizeof(*r->rows));
	r->rows[r->count] = (struct row){ 0 };
	return &r->rows[r->count++];
}

/* ---- what may be done ---- */

/* The best first. */
static const char *const remedy_kinds[] = { "vendor_fix", "workaround", "mitigation", "no_fix_planned", "none_available" };

static size_t rank_of(const char *category)
{
	size_t rank = 0;

	while (rank < ARRAY_SIZE(remedy_kinds) && (!category || strcmp(category, remedy_kinds[rank]) != 0))
		rank++;
	return rank;
}

static const char *best_remedy(struct advisory_match *m, const struct advisory *a)
{
	size_t best = ARRAY_SIZE(remedy_kinds);

	for (size_t i = 0; i < a->vuln_count; i++) {
		const json_t *list = a->vulns[i].remediations;
		struct advisory_finding f;

		advisory_match_vuln(&f, m, i);
		for (size_t k = 0; f.affected != ANSWER_NO && k < json_array_size(list); k++) {
			const json_t *remedy = json_array_get(list, k);
			size_t rank = rank_of(advisory_text(remedy, "category"));

			if (rank < best && advisory_match_concerns(m, remedy))
				best = rank;
		}
	}
	return best < ARRAY_SIZE(remedy_kinds) ? remedy_kinds[best] : NULL;
}

/* Takes list over. What is empty is left out: there may be millions of rows. */
static void put_list(json_t *to, const char *key, json_t *list)
{
	if (json_array_size(list))
		json_object_set(to, key, list);
	json_decref(list);
}

static void put_if_text(json_t *to, const char *key, const json_t *from, const char *from_key)
{
	const char *text = advisory_text(from, from_key);

	if (text)
		json_object_set_new(to, key, show_text(bytes_str(text)));
}

static void put_remedies(json_t *to, struct advisory_match *m, const struct advisory_vuln *v)
{
	json_t *remedies = json_array(), *flags = json_array();

	for (size_t i = 0; i < json_array_size(v->remediations); i++) {
		const json_t *remedy = json_array_get(v->remediations, i);
		json_t *one;

		if (!advisory_match_concerns(m, remedy))
			continue;
		one = json_object();
		put_if_text(one, "category", remedy, "category");
		put_if_text(one, "details", remedy, "details");
		put_if_text(one, "url", remedy, "url");
		put_if_text(one, "restart", json_object_get(remedy, "restart_required"), "category");
		json_array_append_new(remedies, one);
	}
	for (size_t i = 0; i < json_array_size(v->flags); i++) {
		const char *label = advisory_text(json_array_get(v->flags, i), "label");

		if (label && advisory_match_concerns(m, json_array_get(v->flags, i)))
			json_array_append_new(flags, show_text(bytes_str(label)));
	}
	put_list(to, "remedies", remedies);
	put_list(to, "flags", flags);
}

static json_t *vulns_json(struct advisory_match *m, const struct advisory *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->vuln_count; i++) {
		struct advisory_finding f;
		json_t *one = json_object();

		advisory_match_vuln(&f, m, i);
		show_put_text(one, "id", a->vulns[i].name ? a->vulns[i].name : "");
		json_object_set_new(one, "computed", json_string(advisory_answer_name(f.affected)));
		json_object_set_new(one, "reason", show_text(bytes_str(f.reason)));
		json_object_set_new(one, "score", json_real(a->vulns[i].score));
		show_put_text(one, "fix", f.fix);
		put_remedies(one, m, &a->vulns[i]);
		json_array_append_new(list, one);
	}
	return list;
}

struct decision {
	struct advisory_finding finding;
	const char *remedy; /* static, or NULL */
	json_t *vulns;
};

/* Only what nobody answered can be overdue. */
static void put_age(struct report *r, struct row *row, const struct advisory *a)
{
	bool is_open = row->state == STATE_AFFECTED || row->state == STATE_UNKNOWN;

	row->days = age_days(a, r->now_s);
	row->over = is_open ? age_over(&r->limits, age_severity_of(a), row->days) : 0;
	r->overdue += row->over > 0;
}

static void put(struct report *r, const struct advisory *a, const struct advisory_entry *e, const struct advisory_device *d,
		const struct decision *decision)
{
	bool stale;
	const struct judgement *judged = judgements_for(&r->judgements, e, d->id, &stale);
	enum state state = state_of(decision->finding.affected, judged);
	struct row *row;

	r->counts[state]++;
	if (state == STATE_NOT_AFFECTED && !r->shows_all)
		return;
	row = add_row(r);
	*row = (struct row){ .device = d,
			     .entry = e,
			     .state = state,
			     .computed = decision->finding.affected,
			     .score = a->score,
			     .judged = judged,
			     .is_stale = stale && !judged,
			     .severity = mem_strdup(a->severity),
			     .reason = mem_strdup(decision->finding.reason),
			     .fix = mem_strdup(decision->finding.fix),
			     .remedy = decision->remedy,
			     .vulns = json_incref(decision->vulns) };
	put_age(r, row, a);
	if (*row->fix && state != STATE_NOT_AFFECTED)
		row->question = behind_ask(r->behind, &d->facts, row->fix, decision->finding.fix_is_loader);
}

/* One advisory, all devices. */
static void match_one(struct report *r, const struct advisory *a, const struct advisory_entry *e)
{
	struct decision *decisions = mem_alloc((r->devices.count + 1) * sizeof(*decisions));

	for (size_t i = 0; i < r->devices.count; i++) {
		struct decision *d = &decisions[r->same[i]];

		if (r->same[i] == i) {
			_cleanup_(advisory_match_freep) struct advisory_match *m = advisory_match_new(a, &r->devices.list[i].facts);

			advisory_match_all(&d->finding, m);
			if (d->finding.affected != ANSWER_NO && !*d->finding.fix)
				d->remedy = best_remedy(m, a);
			if (r->cli->json && (d->finding.affected != ANSWER_NO || r->shows_all))
				d->vulns = vulns_json(m, a);
		}
		put(r, a, e, &r->devices.list[i], d);
	}
	for (size_t i = 0; i < r->devices.count; i++)
		json_decref(decisions[i].vulns);
	free(decisions);
}

/* Devices are few kinds: by a hash of what is known. */
static void find_same(struct report *r)
{
	json_t *seen = json_object();

	r->same = mem_alloc((r->devices.count + 1) * sizeof(*r->same));
	for (size_t i = 0; i < r->devices.count; i++) {
		const struct advisory_facts *f = &r->devices.list[i].facts;
		char hash[2 * HASH_LEN + 1];
		const json_t *first;

		sha256_hex(hash, bytes_of(f, sizeof(*f)));
		first = json_object_get(seen, hash);
		r->same[i] = first ? (size_t)json_integer_value(first) : i;
		if (!first)
			json_object_set_new(seen, hash, json_integer((json_int_t)i));
		r->unplaced += !*f->vendor;
	}
	json_decref(seen);
}

static int match_all(struct report *r, const char *only, struct error *err)
{
	struct progress progress = { .what = "advisories" };
	size_t from = 0, to = r->store.count;
	int result = only ? advisory_store_find(&from, &r->store, only, err) : 0;

	if (only)
		to = from + 1;
	for (size_t i = from; i < to && result == 0; i++) {
		_cleanup_(advisory_freep) struct advisory *a = NULL;

		result = advisory_store_read(&a, &r->store, i, err);
		if (result < 0)
			break;
		judgements_refine(a, &r->judgements, &r->store.entries[i]);
		match_one(r, a, &r->store.entries[i]);
		progress_show(&progress, i - from + 1, to - from);
	}
	progress_end(&progress);
	return result;
}

/* ---- showing ---- */

/* The worst first, then the highest score, then by advisory and device. */
static int by_urgency(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int r;

	if (x->state != y->state)
		return x->state < y->state ? -1 : 1;
	if (x->score > y->score || x->score < y->score)
		return x->score > y->score ? -1 : 1;
	r = strcmp(x->entry->id, y->entry->id);
	return r ? r : strcmp(x->device->name, y->device->name);
}

static void put_reason(struct buf *out, const struct row *row)
{
	if (row->judged)
		buf_addf(out, "%s says: %s", statement_get(row->judged->st, "person"), statement_get(row->judged->st, "reason"));
	else
		buf_addf(out, "%s%s", row->is_stale ? "judged for another version, look again; " : "", row->reason);
}

/* WeOS 4 and 5 are two systems for different devices, with configurations of different form. */
static bool is_other_series(const struct row *row)
{
	struct version own, fix;

	return !strcmp(row->device->facts.system, "WeOS") && version_parse(&own, row->device->facts.firmware) &&
	       version_parse(&fix, row->fix) && own.number[0] != fix.number[0];
}

static void put_fix(struct buf *out, const struct report *r, const struct row *row)
{
	size_t open;
	const char *ids = behind_ids(r->behind, row->question, &open);

	if (!*row->fix && row->remedy)
		buf_addf(out, "(%s)", row->remedy);
	buf_add_str(out, row->fix);
	if (*ids)
		buf_addf(out, ", affected by %.*s%s", (int)strcspn(ids, "\n"), ids, strchr(ids, '\n') ? " and others" : "");
	if (*row->fix && is_other_series(row))
		buf_add_str(out, ", another series");
}

static void put_days(char out[static 48], const struct row *row)
{
	if (row->days < 0)
		snprintf(out, 48, "%s", row->over ? "?, overdue" : "");
	else if (row->over)
		snprintf(out, 48, "%lld, overdue by %lld", (long long)row->days, (long long)row->over);
	else
		snprintf(out, 48, "%lld", (long long)row->days);
}

static int print_rows(const struct report *r, struct error *err)
{
	static const char *const heads[] = { "DEVICE", "STATUS", "ADVISORY", "SEVERITY", "DAYS", "FIRMWARE", "FIX", "REASON" };
	_cleanup_(table_done) struct table table;

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < r->count; i++) {
		const struct row *row = &r->rows[i];
		_cleanup_(buf_done) struct buf reason = { 0 }, fix = { 0 };
		char days[48];

		put_days(days, row);
		put_fix(&fix, r, row);
		put_reason(&reason, row);
		table_add(&table, (const char *const[]){ row->device->name, state_names[row->state], row->entry->id, row->severity, days,
							 row->device->facts.firmware, buf_text(&fix), buf_text(&reason) });
	}
	return table_print(&table, err);
}

static json_t *judged_json(const struct row *row)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "verdict", statement_get(row->judged->st, "verdict"), "person",
			 statement_get(row->judged->st, "person"), "time", statement_get(row->judged->st, "time"), "reason",
			 statement_get(row->judged->st, "reason"));
}

/* What is known of the version that it should have. */
static void put_fix_json(json_t *json, const struct report *r, const struct row *row)
{
	_cleanup_(mem_freep) char *ids = NULL;
	json_t *list = json_array();
	char *save;
	size_t open;

	ids = mem_strdup(behind_ids(r->behind, row->question, &open));
	for (char *id = strtok_r(ids, "\n", &save); id; id = strtok_r(NULL, "\n", &save))
		json_array_append_new(list, json_string(id));
	put_list(json, "fix-affected-by", list);
	if (open)
		json_object_set_new(json, "fix-unknown", json_integer((json_int_t)open));
	if (is_other_series(row))
		json_object_set_new(json, "fix-other-series", json_true());
}

static json_t *row_json(const struct report *r, const struct row *row)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:f}", "advisory", row->entry->id, "publisher", row->entry->publisher,
				 "version", row->entry->version, "status", state_names[row->state], "computed",
				 advisory_answer_name(row->computed), "score", row->score);

	json_object_set_new(json, "name", show_text(bytes_str(row->device->name)));
	show_put_text(json, "device", row->device->id);
	show_put_text(json, "firmware", row->device->facts.firmware);
	json_object_set_new(json, "severity", show_text(bytes_str(row->severity)));
	json_object_set_new(json, "reason", show_text(bytes_str(row->reason)));
	show_put_text(json, "fix", row->fix);
	if (*row->fix)
		put_fix_json(json, r, row);
	if (row->remedy)
		show_put_text(json, "remedy", row->remedy);
	if (row->days >= 0)
		json_object_set_new(json, "days", json_integer(row->days));
	if (row->over)
		json_object_set_new(json, "overdue", json_integer(row->over));
	if (row->judged)
		json_object_set_new(json, "judged", judged_json(row));
	if (row->is_stale)
		json_object_set_new(json, "judged-before", json_true());
	if (row->vulns)
		json_object_set(json, "vulnerabilities", row->vulns);
	return json;
}

static int print_json(const struct report *r, struct error *err)
{
	json_t *list = json_array(), *counts = json_object();

	for (size_t i = 0; i < r->count; i++)
		json_array_append_new(list, row_json(r, &r->rows[i]));
	for (size_t i = 0; i < STATES; i++)
		json_object_set_new(counts, state_names[i], json_integer((json_int_t)r->counts[i]));
	return output_json("advisory-match",
			   json_pack("{s:I, s:I, s:I, s:I, s:o, s:o}", "advisories", (json_int_t)r->store.count, "devices",
				     (json_int_t)r->devices.count, "without-vendor", (json_int_t)r->unplaced, "overdue",
				     (json_int_t)r->overdue, "counts", counts, "matches", list),
			   err);
}

static void tell(const struct report *r)
{
	output_note("%zu %s, %zu %s: %zu affected, %zu unknown, %zu mitigated, %zu accepted, %zu not affected", r->devices.count,
		    plural(r->devices.count, "device", "devices"), r->store.count, plural(r->store.count, "advisory", "advisories"),
		    r->counts[STATE_AFFECTED], r->counts[STATE_UNKNOWN], r->counts[STATE_MITIGATED], r->counts[STATE_ACCEPTED],
		    r->counts[STATE_NOT_AFFECTED]);
	if (r->limits.are_there)
		output_note("%zu of them %s overdue", r->overdue, plural(r->overdue, "is", "are"));
	if (r->unplaced)
		output_note("Of %zu %s no vendor is known, so what could concern %s is unknown: give %s the label vendor:NAME.",
			    r->unplaced, plural(r->unplaced, "device", "devices"), plural(r->unplaced, "it", "them"),
			    plural(r->unplaced, "it", "them"));
}

/* ---- the command ---- */

static int look(struct report *r, const struct args *args, struct error *err)
{
	const char *packs[LOOK_PACKS_MAX + 1];
	size_t count = 0;

	while (count <= LOOK_PACKS_MAX && (packs[count] = args_at(args, "features", count)))
		count++;
	return advisory_look(&r->devices, r->cli, packs, count, err);
}

static int gather(struct report *r, const struct args *args, struct error *err)
{
	const char *file = args_get(args, "facts");
	size_t fetched = 0;
	int result = 0;

	if (file && args_has(args, "features"))
		return error_set(err, CLI_USAGE, "--features looks at devices of the fleet; a file of facts says itself what they use");
	if (file && args->count)
		return error_set(err, CLI_USAGE, "--facts names the devices by itself; selectors are for those of the fleet");
	if (!file || home_exists(r->cli->home_dir))
		result = cli_home(r->cli, err);
	if (result == 0)
		result = advisory_store_open(&r->store, r->cli->home_dir, false, err);
	if (result == 0 && !file)
		result = judgements_sync(&fetched, &r->store, r->cli, err);
	if (result == 0)
		result = judgements_load(&r->judgements, &r->store, r->cli->home ? r->cli->home->root : NULL, clock_now_s(), err);
	if (fetched)
		output_note("%zu %s of other operators came from the archive", fetched, plural(fetched, "judgement", "judgements"));
	if (fetched && judgements_elsewhere(&r->judgements, &r->store))
		output_note("%zu advisories were judged that are not here; to take one: holdfast advisory document ID | holdfast advisory "
			    "import -",
			    judgements_elsewhere(&r->judgements, &r->store));
	if (result == 0)
		result = file ? advisory_devices_file(&r->devices, file, err)
			      : advisory_devices_fleet(&r->devices, r->cli, args->value, args->count, err);
	return result == 0 && args_has(args, "features") ? look(r, args, err) : result;
}

int cmd_advisory_match(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(report_done) struct report r = { .cli = cli, .shows_all = args_has(args, "all"), .store = { .lock = -1 } };
	int result = age_limits_parse(&r.limits, args_get(args, "max-age"), err);

	r.now_s = clock_now_s();
	r.behind = behind_new();
	if (result == 0)
		result = gather(&r, args, err);
	if (result < 0)
		return result;
	find_same(&r);
	result = match_all(&r, args_get(args, "advisory"), err);
	if (result == 0)
		result = behind_answer(r.behind, &r.store, &r.judgements, err);
	if (result < 0)
		return result;
	if (r.count)
		qsort(r.rows, r.count, sizeof(*r.rows), by_urgency);
	result = cli->json ? print_json(&r, err) : print_rows(&r, err);
	tell(&r);
	if (result < 0)
		return result;
	if (r.overdue)
		return EXIT_FINDING;
	return args_has(args, "check") && r.counts[STATE_AFFECTED] + r.counts[STATE_UNKNOWN] ? EXIT_FINDING : EXIT_DONE;
}
