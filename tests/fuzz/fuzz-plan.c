/* tests/fuzz/fuzz-plan.c -- a plan that somebody wrote: what is taken makes waves that end where they must and tear no group, and renders.
 */
#include "tests/fuzz/fuzz.h"

#include "cli/plan.h"

#include <stdio.h>
#include <string.h>

enum { MEMBERS = 9 };

static void make_members(struct fleet_list *list)
{
	list->count = MEMBERS;
	list->members = mem_alloc(MEMBERS * sizeof(*list->members));
	for (size_t i = 0; i < MEMBERS; i++) {
		struct fleet_member *m = &list->members[i];

		m->is_admitted = true;
		m->snapshot = 3;
		snprintf(m->id, sizeof(m->id), "%026zu", i);
		snprintf(m->name, sizeof(m->name), "r%zu", i);
		snprintf(m->labels, sizeof(m->labels), "site:%s ring:%zu", i % 2 ? "north" : "south", i / 3);
		strcpy(m->driver, "frr");
		strcpy(m->saved, i == 4 ? "no" : "yes");
	}
}

static void check_waves(const struct plan *plan, const struct plan_targets *t)
{
	uint32_t ends[ORDER_WAVES_MAX], before = 0;
	struct error err = { 0 };
	size_t count;

	if (!t->active || plan_waves(ends, &count, plan, t, &err) < 0)
		return;
	MUST(count >= 1 && count <= ORDER_WAVES_MAX && ends[count - 1] == t->active);
	for (size_t i = 0; i < count; i++) {
		MUST(ends[i] > before);
		before = ends[i];
		MUST(before == t->active || !t->targets[before].group || t->targets[before].group != t->targets[before - 1].group);
	}
}

static void check_targets(const struct plan *plan, const struct fleet_list *list)
{
	_cleanup_(plan_targets_done) struct plan_targets t = { 0 };
	struct error err = { 0 };

	if (plan_targets(&t, plan, list, 1800000000, &err) < 0)
		return;
	MUST(t.count >= 1 && t.count <= list->count && t.active <= t.count);
	for (size_t i = 0; i < t.count; i++) {
		MUST((i < t.active) == !t.targets[i].why_not);
		for (size_t k = 0; k < i; k++)
			MUST(t.targets[i].member != t.targets[k].member);
	}
	check_waves(plan, &t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(plan_freep) struct plan *plan = NULL;
	struct error err = { 0 };

	/* what it names is read: not from here */
	if (size > 20000 || (size && data && (memmem(data, size, "template", 8) || memmem(data, size, "file", 4))))
		return 0;
	if (plan_load(&plan, fuzz_file(bytes_of(data, size)), 1800000000, &err) < 0)
		return 0;
	MUST(plan->expires_s > plan->not_before_s && plan->text.len);
	make_members(&list);
	check_targets(plan, &list);
	for (size_t i = 0; i < list.count; i++) {
		_cleanup_(buf_done) struct buf text = { 0 }, management = { 0 };

		if (plan_render(&text, plan, &list.members[i], form_of("frr"), &err) < 0 ||
		    plan_management(&management, plan, &list.members[i], form_of("frr"), &err) < 0)
			MUST(err.code == E_FORMAT || err.code == E_LIMIT);
	}
	return 0;
}
