/* tests/unit/test-cli-plan.c -- a rollout before it is posted: a plan is read strictly, and who takes part, and when. */
#include "tests/test.h"

#include "base/fs.h"
#include "cli/plan.h"

#include <stdio.h>
#include <sys/stat.h>

/* ---- the plan ---- */

static char *plan_path(const char *text)
{
	char *path = mem_printf("%s/plan.yaml", test_folder());
	struct error err = { 0 };

	CHECK_OK(fs_write(path, bytes_str(text), 0600, &err));
	return path;
}

static int load(struct plan **out, const char *text, struct error *err)
{
	_cleanup_(mem_freep) char *path = plan_path(text);

	*err = (struct error){ 0 };
	return plan_load(out, path, 1800000000, err);
}

static struct plan *must_load(const char *text)
{
	struct plan *plan = NULL;
	struct error err;

	CHECK_OK(load(&plan, text, &err));
	return plan;
}

static void bad_plan(const char *text, const char *says)
{
	_cleanup_(plan_freep) struct plan *plan = NULL;
	struct error err;

	CHECK(load(&plan, text, &err) < 0);
	if (!strstr(err.text, says))
		fail_msg("'%s' does not say '%s'", err.text, says);
}

#define HEAD "reason: x\ntargets: ['*']\n"

TEST(a_plan_is_read_strictly)
{
	_cleanup_(plan_freep) struct plan *plan =
		must_load(HEAD "lines: |\n  ip route 10.0.0.0/8 Null0\nsoak: 10m\nconfirm: 30s\nexpires: 2h\n");

	CHECK_EQ(plan->soak_s, 600);
	CHECK_EQ(plan->confirm_s, 30);
	CHECK_EQ(plan->settle_s, -1);
	CHECK_EQ(plan->not_before_s, 1800000000);
	CHECK_EQ(plan->expires_s, 1800007200);
	CHECK(!plan->is_whole);
	bad_plan(HEAD, "exactly one of");
	bad_plan(HEAD "lines: x\ninline: y\n", "exactly one of");
	bad_plan("targets: ['*']\nlines: x\n", "reason");
	bad_plan("reason: x\nlines: x\n", "targets");
	bad_plan(HEAD "lines: x\nsurprise: 1\n", "surprise");
	bad_plan(HEAD "lines: x\nsoak: soon\n", "'soak'");
	bad_plan(HEAD "lines: x\nconfirm: 5s\n", "less than 10");
	bad_plan(HEAD "lines: x\nwindows: [nightly]\n", "window 'nightly'");
	bad_plan(HEAD "lines: x\nexpires: 1h\nnot-before: 2h\n", "expires before it begins");
	bad_plan(HEAD "lines: x\nmode: whole\n", "does not fit");
	bad_plan(HEAD "inline: x\nmode: merge\n", "neither");
	bad_plan(HEAD "lines: x\nvariables:\n  - {name: device.name, value: x}\n", "given by the device");
	bad_plan(HEAD "lines: x\nvariables:\n  - {name: a, value: x, values: [y]}\n", "more than one");
	bad_plan(HEAD "lines: x\nvariables:\n  - {name: a, value: 010}\n", "leading zero");
	bad_plan(HEAD "template: no-such-file\n", "no-such-file");
}

TEST(a_secret_of_a_plan_comes_from_a_file_that_others_cannot_read)
{
	const char *folder = test_folder();
	_cleanup_(mem_freep) char *path = mem_printf("%s/key", folder);
	_cleanup_(mem_freep) char *text = mem_printf(HEAD "lines: password {{{p}}}\nvariables:\n  - {name: p, file: %s}\n", path);
	_cleanup_(plan_freep) struct plan *plan = NULL;
	struct fleet_member r1 = { .name = "r1" };
	_cleanup_(buf_done) struct buf out = { 0 };
	struct error err = { 0 };

	bad_plan(text, "there is no");
	CHECK_OK(fs_write(path, bytes_str("correct horse\n"), 0600, &err));
	plan = must_load(text);
	CHECK_OK(plan_render(&out, plan, &r1, form_of("frr"), &err));
	CHECK_STR(buf_text(&out), "password correct horse");
	CHECK_EQ(chmod(path, 0644), 0);
	bad_plan(text, "others");
	CHECK_OK(fs_write(path, bytes_str("two\nlines\n"), 0600, &err));
	bad_plan(text, "not one line");
}

/* ---- who, and when ---- */

static void add_member(struct fleet_list *list, const char *name, const char *labels)
{
	struct fleet_member *m;

	list->members = mem_grow(list->members, (list->count + 1) * sizeof(*m));
	m = &list->members[list->count];
	*m = (struct fleet_member){ .is_admitted = true, .snapshot = 3 };
	snprintf(m->id, sizeof(m->id), "%026zu", list->count++);
	snprintf(m->name, sizeof(m->name), "%s", name);
	snprintf(m->labels, sizeof(m->labels), "%s", labels);
	strcpy(m->driver, "frr");
	strcpy(m->saved, "yes");
}

static void numbered(struct fleet_list *list, unsigned count)
{
	char name[32], labels[64];

	for (unsigned i = 1; i <= count; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		snprintf(labels, sizeof(labels), "site:%s ring:%u", i % 2 ? "north" : "south", (i - 1) / 4);
		add_member(list, name, labels);
	}
}

static void names_of(struct buf *out, const struct plan_targets *t)
{
	for (size_t i = 0; i < t->count; i++)
		buf_addf(out, "%s%s%s", i ? " " : "", t->targets[i].why_not ? "-" : "", t->targets[i].member->name);
}

static void check_targets(const char *text, const struct fleet_list *list, const char *want, const char *want_waves)
{
	_cleanup_(plan_targets_done) struct plan_targets t = { 0 };
	_cleanup_(plan_freep) struct plan *plan = must_load(text);
	_cleanup_(buf_done) struct buf names = { 0 }, waves = { 0 };
	uint32_t ends[ORDER_WAVES_MAX];
	struct error err = { 0 };
	size_t count;

	CHECK_OK(plan_targets(&t, plan, list, 1800000000, &err));
	names_of(&names, &t);
	CHECK_STR(buf_text(&names), want);
	CHECK_OK(plan_waves(ends, &count, plan, &t, &err));
	for (size_t i = 0; i < count; i++)
		buf_addf(&waves, "%s%u", i ? " " : "", ends[i]);
	CHECK_STR(buf_text(&waves), want_waves);
}

#define LINES "reason: x\nlines: x\n"

TEST(targets_are_frozen_in_order_and_who_cannot_take_part_is_left_out)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };

	numbered(&list, 8);
	strcpy(list.members[2].saved, "no");
	list.members[4].hold_s = 1800000001;
	list.members[6].is_admitted = false;
	check_targets(LINES "targets: ['site:north']\n", &list, "r1 -r3 -r5 -r7", "1");
	check_targets(LINES "targets: ['*', '!r2']\nfirst: r8 r4\n", &list, "r4 r8 r1 r6 -r3 -r5 -r7", "4");
	{
		_cleanup_(plan_targets_done) struct plan_targets t = { 0 };
		_cleanup_(plan_freep) struct plan *plan = must_load(LINES "targets: ['site:west']\n");
		struct error err;

		CHECK_EQ(plan_targets(&t, plan, &list, 1800000000, &err), CLI_ABSENT);
	}
}

TEST(waves_are_counts_percentages_and_the_rest)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	static const char all[] = "r1 r2 r3 r4 r5 r6 r7 r8 r9 r10 r11 r12";

	numbered(&list, 12);
	check_targets(LINES "targets: ['*']\n", &list, all, "12");
	check_targets(LINES "targets: ['*']\nwaves: ['1', 25%, rest]\n", &list, all, "1 4 12");
	check_targets(LINES "targets: ['*']\nwaves: ['1', 10%]\n", &list, all, "1 3 12");
	check_targets(LINES "targets: ['*']\nwaves: [50%, 50%, 50%, rest]\n", &list, all, "6 12");
	check_targets(LINES "targets: ['*']\nwaves: ['100', rest]\n", &list, all, "12");
	check_targets(LINES "targets: ['*']\nwaves: ['1','1','1','1','1','1','1','1','1','1','1','1']\n", &list, all,
		      "1 2 3 4 5 6 7 8 9 10 11 12");
	for (size_t i = 0; i < 4; i++) {
		static const char *const bad[] = { "0", "101%", "many", "-1" };
		_cleanup_(mem_freep) char *text = mem_printf(LINES "targets: ['*']\nwaves: ['%s']\n", bad[i]);
		_cleanup_(plan_targets_done) struct plan_targets t = { 0 };
		_cleanup_(plan_freep) struct plan *plan = must_load(text);
		uint32_t ends[ORDER_WAVES_MAX];
		struct error err = { 0 };
		size_t count;

		CHECK_OK(plan_targets(&t, plan, &list, 1800000000, &err));
		CHECK_EQ(plan_waves(ends, &count, plan, &t, &err), E_FORMAT);
	}
}

TEST(an_atomic_group_stays_together_and_is_not_torn_by_a_wave)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };

	numbered(&list, 12);
	check_targets(LINES "targets: ['*']\natomic-by: ring\nwaves: ['1', rest]\n", &list, "r1 r2 r3 r4 r5 r6 r7 r8 r9 r10 r11 r12",
		      "4 12");
	check_targets(LINES "targets: ['*']\natomic: [r1 r9 r12, r2 r3]\nwaves: ['1', '1', rest]\n", &list,
		      "r1 r9 r12 r2 r3 r4 r5 r6 r7 r8 r10 r11", "3 5 12");
	list.members[8].hold_s = 1800000001; /* r9 */
	check_targets(LINES "targets: ['*']\natomic: [r1 r9 r12]\n", &list, "r2 r3 r4 r5 r6 r7 r8 r10 r11 -r1 -r9 -r12", "9");
	{
		static const char *const bad[] = { "atomic: [r1 r2, r2 r3]\n", "atomic: ['site:*']\n",
						   "atomic: [r1 r2]\natomic-by: ring\n" };

		add_member(&list, "r13", "site:north");
		for (size_t i = 13; i < 18; i++)
			add_member(&list, "r99", "site:north");
		for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
			_cleanup_(mem_freep) char *text = mem_printf(LINES "targets: ['*']\n%s", bad[i]);
			_cleanup_(plan_targets_done) struct plan_targets t = { 0 };
			_cleanup_(plan_freep) struct plan *plan = must_load(text);
			struct error err;

			CHECK_EQ(plan_targets(&t, plan, &list, 1800000000, &err), E_FORMAT);
		}
	}
}

static void check_variable(const struct plan *plan, const struct fleet_member *m, const char *name, const char *want)
{
	struct plan_variables v = { .plan = plan, .member = m };
	struct template_value value;

	if (!want) {
		CHECK(!plan_find_variable(&v, name, &value));
		return;
	}
	CHECK(plan_find_variable(&v, name, &value));
	CHECK_STR(value.values[0], want);
}

TEST(a_variable_is_what_the_last_entry_for_the_device_says)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(plan_freep) struct plan *plan = must_load(HEAD "lines: x\nvariables:\n"
								 "  - {name: ntp, value: fleet}\n"
								 "  - {name: ntp, value: site, for: 'site:north'}\n"
								 "  - {name: ntp, value: group, for: 'site:north ring:0'}\n"
								 "  - {name: ntp, value: device, for: r3}\n"
								 "  - {name: servers, values: [a, b], for: r1}\n"
								 "  - {name: servers, values: [], for: r3}\n");
	struct plan_variables v = { .plan = plan };
	struct template_value value;

	numbered(&list, 8);
	check_variable(plan, &list.members[1], "ntp", "fleet");
	check_variable(plan, &list.members[6], "ntp", "site");
	check_variable(plan, &list.members[0], "ntp", "group");
	check_variable(plan, &list.members[2], "ntp", "device");
	check_variable(plan, &list.members[2], "device.name", "r3");
	check_variable(plan, &list.members[6], "label.site", "north");
	check_variable(plan, &list.members[6], "label.ring", "1");
	check_variable(plan, &list.members[6], "label.role", NULL);
	check_variable(plan, &list.members[6], "ntq", NULL);
	v.member = &list.members[0];
	CHECK(plan_find_variable(&v, "servers", &value) && value.is_list && value.count == 2);
	v.member = &list.members[2];
	CHECK(plan_find_variable(&v, "servers", &value) && value.is_list && value.count == 0);
	v.member = &list.members[1];
	CHECK(!plan_find_variable(&v, "servers", &value));
}
