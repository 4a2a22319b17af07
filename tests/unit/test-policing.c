/* tests/unit/test-policing.c -- packs on the operator's machine: what is shown of findings, and the plan that comes out of them. */
#include "tests/test.h"

#include "cli/cli.h"
#include "cli/policing.h"
#include "cli/rule-name.h"

#include <stdlib.h>
#include <string.h>

static const char pack[] =
	"holdfast-policy: 1\npack: p\ntitle: T\ndriver: weos\nrules:\n"
	"- {id: in-a-block, title: T, level: fundamental, severity: low, context: config/system, check: {present: location *},"
	" remedy: [{context: config/system, lines: ['location {{place}}']}, {context: config, lines: [no spanning-tree]}]}\n"
	"- {id: by-hand, title: T, level: fundamental, severity: low, context: config/iface ..., check: {present: primary},"
	" remedy: [{context: config/iface ..., lines: [primary]}]}\n"
	"- {id: without, title: T, level: fundamental, severity: low, context: config, check: {present: x}}\n"
	"- {id: passes, title: T, level: fundamental, severity: low, context: config, check: {present: system},"
	" remedy: [{context: config, lines: [system]}]}\n";

static void judge(struct policed *out, const struct policy *policy, const char *name, const char *text)
{
	const struct policy_facts facts = { .driver = "weos" };
	struct report report;
	struct tree tree;
	struct error err = { 0 };

	CHECK_OK(tree_read(&tree, "weos", bytes_str(text), &err));
	policy_evaluate(&report, policy, &tree, NULL, &facts, &policy_limits_operator);
	policed_take(out, name, name, &report);
	report_done(&report);
	tree_done(&tree);
}

TEST(a_plan_has_the_remedies_of_what_fails_where_it_fails)
{
	_cleanup_(policy_freep) struct policy *policy = NULL;
	_cleanup_(buf_done) struct buf plan = { 0 };
	struct policed devices[3];
	struct error err = { 0 };
	size_t by_hand;

	CHECK_OK(policy_read(&policy, "p", bytes_str(pack), &err));
	judge(&devices[0], policy, "sw1", "system\n\thostname a\n\tend\niface vlan1\n\tend\n");
	judge(&devices[1], policy, "sw2", "system\n\tlocation here\n\tend\n");
	judge(&devices[2], policy, "sw3", "system\n\thostname c\n\tend\n");
	CHECK_EQ(policing_plan(&plan, &by_hand, policy, devices, 3), 1);
	CHECK_EQ(by_hand, 2);
	CHECK_STR(buf_text(&plan), "reason: what fails of the policy p\ntargets: [\"sw1\", \"sw3\"]\nmode: lines\nvariables:\n"
				   "  - {name: in-a-block}\n  - {name: in-a-block, values: [\"yes\"], for: \"sw1 sw3\"}\ninline: |2\n"
				   "  {{#in-a-block}}\n  system\n   location {{place}}\n   end\n  no spanning-tree\n  {{/in-a-block}}\n");
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		policed_done(&devices[i]);
}

TEST(a_device_of_which_nothing_is_opened_passes_nothing)
{
	static const char *const drivers[] = { "weos", "" }; /* "": nobody knows what it is */
	_cleanup_(policy_freep) struct policy *policy = NULL;
	struct error err = { 0 };

	CHECK_OK(policy_read(&policy, "p", bytes_str(pack), &err));
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		_cleanup_(policed_done) struct policed device = { 0 };
		_cleanup_(report_done) struct report report = { 0 };

		policing_give_up(&device, &report, policy, "sw1", drivers[i], "no snapshot then");
		CHECK_EQ(device.counts[VERDICT_UNKNOWN], policy->count);
		CHECK_EQ(device.verdicts[0], VERDICT_UNKNOWN);
		CHECK_STR(report.rulings[0].why, "no snapshot then");
	}
}

TEST(findings_show_no_secret_and_drive_no_terminal)
{
	_cleanup_(mem_freep) char *shown = policing_text("'password {{secret}} x{{secret}}' \033[31m\xe2\x80\xaeturned\xff");

	CHECK(!strstr(shown, "{{") && !strchr(shown, '\033') && !strstr(shown, "\xe2\x80\xae") && !strchr(shown, '\xff'));
	CHECK(strstr(shown, "'password •••••••• x••••••••'"));
}

TEST(a_pack_that_is_not_there_is_absent)
{
	_cleanup_(mem_freep) char *path = NULL;
	struct policy *policy = NULL;
	struct error err = { 0 };

	CHECK_EQ(policing_read(&policy, &path, "no-such-pack", &err), CLI_ABSENT);
	CHECK_EQ(policing_read(&policy, &path, "/nowhere/p.yaml", &err), CLI_ABSENT);
}

TEST(a_rule_is_named_by_its_pack_and_its_id)
{
	static const char *const none[] = { "", "/", "weos/", "/x", "weos/a/b", "Weos/x", "weos/x y", "./weos.yaml/x", "weos/..",
					    "weos/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct rule_name name;
	struct error err = { 0 };

	CHECK_OK(rule_name_parse(&name, "weos/default-admin-4", &err));
	CHECK_STR(name.pack, "weos");
	CHECK_STR(name.rule, "default-admin-4");
	CHECK_OK(rule_name_parse_any(&name, "linux-gateway", &err));
	CHECK_STR(name.rule, "");
	CHECK_EQ(rule_name_parse(&name, "linux-gateway", &err), CLI_USAGE);
	CHECK(strstr(err.text, "which rule of 'linux-gateway'"));
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		CHECK_EQ(rule_name_parse_any(&name, none[i], &err), CLI_USAGE);
}
