/* cli/advisory-look.c -- which features a device uses, read off its newest archived configuration. */
#include "cli/advisory-look.h"

#include "cli/fleet.h"
#include "cli/output.h"
#include "cli/policing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORGET_EVERY = 64 }; /* devices: each epoch that is open costs locked memory */

struct looking {
	size_t count;
	struct policy *packs[LOOK_PACKS_MAX];
	struct opener *opener;
	struct fleet_list list;
};

static void looking_done(struct looking *l)
{
	for (size_t i = 0; i < l->count; i++)
		policy_free(l->packs[i]);
	opener_free(l->opener);
	fleet_list_done(&l->list);
}

static int read_packs(struct looking *l, const char *const packs[], size_t count, struct error *err)
{
	if (count > LOOK_PACKS_MAX)
		return error_set(err, CLI_USAGE, "at most %d packs", LOOK_PACKS_MAX);
	for (size_t i = 0; i < count; i++) {
		_cleanup_(mem_freep) char *path = NULL;

		if (policing_read(&l->packs[l->count], &path, packs[i], err) < 0)
			return err->code;
		l->count++;
	}
	return 0;
}

static void take_report(struct advisory_facts *facts, const struct report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct ruling *r = &report->rulings[i];

		if ((r->verdict == VERDICT_PASS || r->verdict == VERDICT_FAIL) && advisory_facts_uses(facts, r->rule->id) == ANSWER_UNKNOWN)
			advisory_facts_use(facts, r->rule->id, r->verdict == VERDICT_PASS);
	}
}

/* A tree that cannot be read leaves every rule unknown. */
static void judge(struct advisory_facts *facts, const struct looking *l, const struct opened *opened)
{
	const struct policy_facts known = { .driver = statement_get(opened->device->enrol, "driver"),
					    .model = statement_get(opened->st, "model"),
					    .firmware = statement_get(opened->st, "firmware") };
	_cleanup_(tree_done) struct tree tree = { 0 };
	struct error why = { 0 };
	bool is_read = tree_read(&tree, known.driver, buf_bytes(&opened->running), &why) == 0;

	for (size_t i = 0; i < l->count; i++) {
		struct report report;

		if (strcmp(l->packs[i]->driver, known.driver) != 0)
			continue;
		policy_evaluate(&report, l->packs[i], is_read ? &tree : NULL, why.text, &known, &policy_limits_operator);
		take_report(facts, &report);
		report_done(&report);
	}
}

static bool has_pack(const struct looking *l, const char *driver)
{
	for (size_t i = 0; i < l->count; i++)
		if (!strcmp(l->packs[i]->driver, driver))
			return true;
	return false;
}

static bool is_fatal(int code)
{
	return code == E_SEAL || code == CLI_UNREACHED || code == CLI_LOGIN;
}

static int look_at(struct advisory_device *d, struct looking *l, struct error *err)
{
	_cleanup_(opened_done) struct opened opened = { 0 };
	struct revision_ref ref = { .number = SELECT_NEWEST };
	const struct fleet_member *m;
	int r = fleet_find(&m, &l->list, d->id, err);

	if (r < 0 || !has_pack(l, m->driver) || !m->snapshot)
		return r;
	snprintf(ref.device, sizeof(ref.device), "%s", d->id);
	r = fleet_open(&opened, l->opener, &l->list, &ref, err);
	if (r == 0) {
		judge(&d->facts, l, &opened);
	} else if (!is_fatal(r)) {
		output_note("holdfast: warning: '%s' could not be looked at: %s", d->name, err->text);
		r = 0;
	}
	return r;
}

int advisory_look(struct advisory_devices *devices, struct cli *cli, const char *const packs[], size_t count, struct error *err)
{
	_cleanup_(looking_done) struct looking l = { 0 };
	struct progress progress = { .what = "configurations" };
	int r = read_packs(&l, packs, count, err);

	if (r == 0)
		r = fleet_list_get(&l.list, cli, err);
	if (r == 0)
		r = fleet_opener(&l.opener, cli, err);
	for (size_t i = 0; i < devices->count && r == 0; i++) {
		r = look_at(&devices->list[i], &l, err);
		if (i % FORGET_EVERY == FORGET_EVERY - 1)
			opener_forget(l.opener);
		progress_show(&progress, i + 1, devices->count);
	}
	progress_end(&progress);
	return r;
}
