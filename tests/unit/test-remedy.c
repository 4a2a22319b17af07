/* tests/unit/test-remedy.c -- remedies as the text that an order brings: entered where a rule found something wanting, and in files in the
 * place of what is there. */
#include "tests/test.h"

#include "base/fs.h"
#include "cli/remedy.h"

#include <stdlib.h>
#include <string.h>

static const char head[] = "holdfast-policy: 1\npack: p\ntitle: T\ndriver: %s\nrules:\n"
			   "- {id: a, title: T, level: fundamental, severity: low, %s}\n";

struct bench {
	struct policy *policy;
	struct tree tree;
	struct report report;
};

/* One rule over one configuration. */
static void bench_init(struct bench *b, const char *driver, const char *rule, const char *text)
{
	_cleanup_(mem_freep) char *pack = mem_printf(head, driver, rule);
	const struct policy_facts facts = { .driver = driver };
	struct error err = { 0 };

	*b = (struct bench){ 0 };
	CHECK_OK(policy_read(&b->policy, "p", bytes_str(pack), &err));
	CHECK_OK(tree_read(&b->tree, driver, bytes_str(text), &err));
	policy_evaluate(&b->report, b->policy, &b->tree, NULL, &facts, &policy_limits_operator);
}

static void bench_done(struct bench *b)
{
	report_done(&b->report);
	tree_done(&b->tree);
	policy_free(b->policy);
}

static void check_lines_but(const struct remedy_gone *gone, const char *driver, const char *rule, const char *text, const char *wanted)
{
	_cleanup_(bench_done) struct bench b;
	_cleanup_(buf_done) struct buf out = { 0 };
	const char *why = NULL;

	bench_init(&b, driver, rule, text);
	CHECK_EQ(b.report.rulings[0].verdict, VERDICT_FAIL);
	CHECK_EQ(remedy_lines(&out, &why, &b.policy->rules[0], &b.report.rulings[0], &b.tree, gone, driver), wanted ? 0 : REMEDY_BY_HAND);
	CHECK_STR(buf_text(&out), wanted ? wanted : "");
}

static void check_lines(const char *driver, const char *rule, const char *text, const char *wanted)
{
	const struct remedy_gone none = { 0 };

	check_lines_but(&none, driver, rule, text, wanted);
}

TEST(a_remedy_is_entered_in_each_block_that_fails_and_in_no_other)
{
	static const char rule[] = "context: config/iface ..., check: {absent: {matches: '^management (.* )?http( |$)'}},"
				   " remedy: [{context: config/iface ..., lines: [no management, management ssh https]}]";

	check_lines("weos", rule,
		    "iface vlan1 inet static\n\tmanagement ssh http\n\tend\niface vlan2 inet dhcp\n\tmanagement ssh\n\tend\n"
		    "iface vlan3 inet dhcp\n\tmanagement http\n\tend\n",
		    "iface vlan1 inet static\n no management\n management ssh https\n end\n"
		    "iface vlan3 inet dhcp\n no management\n management ssh https\n end\n");
}

TEST(a_remedy_for_one_place_is_entered_there_whether_it_is_there_or_not)
{
	static const char rule[] =
		"context: config/line vty, check: {present: exec-timeout 10 0},"
		" remedy: [{context: config/line vty, lines: [exec-timeout 10 0] }, { context: config, lines: ['log syslog {{level}}']}]";

	check_lines("frr", rule, "hostname r1\n", "line vty\n exec-timeout 10 0\nlog syslog {{level}}\n");
	check_lines("weos",
		    "context: config/aaa, check: {present: user bob},"
		    " remedy: [{context: 'config/aaa/user {{name}}', lines: [role administrator]}]",
		    "aaa\n\tuser admin\n\t\trole administrator\n\t\tend\n\tend\n",
		    "aaa\n user {{name}}\n  role administrator\n  end\n end\n");
}

TEST(nothing_is_entered_in_a_block_that_goes)
{
	static const char keys[] =
		"context: config/aaa/user *, check: {present: ssh-key ...}, remedy: [{context: config/aaa/user *, lines: [ssh-key a b]}]";
	static const char text[] =
		"aaa\n\tuser admin\n\t\trole administrator\n\t\tend\n\tuser administrator\n\t\trole guest\n\t\tend\n\tend\n";
	_cleanup_(remedy_gone_done) struct remedy_gone gone = { 0 };
	_cleanup_(bench_done) struct bench b;

	bench_init(&b, "weos", "context: config/aaa, check: {absent: user admin}, remedy: [{context: config/aaa, lines: [no user admin]}]",
		   text);
	remedy_gone_add(&gone, &b.policy->rules[0]);
	check_lines_but(&gone, "weos", keys, text, "aaa\n user administrator\n  ssh-key a b\n  end\n end\n");
	/* it alone had none: there is nothing to enter, and nothing left to people */
	check_lines_but(&gone, "weos", keys, "aaa\n\tuser admin\n\t\trole administrator\n\t\tend\n\tend\n", "");
}

TEST(a_remedy_goes_into_nested_blocks)
{
	check_lines("frr",
		    "context: config/router bgp .../address-family ..., check: {present: neighbor * maximum-prefix ...},"
		    " remedy: [{context: config/router bgp .../address-family ..., lines: [neighbor PEERS maximum-prefix 100]}]",
		    "router bgp 65001\n address-family ipv4 unicast\n  redistribute static\n exit-address-family\nexit\n",
		    "router bgp 65001\n address-family ipv4 unicast\n  neighbor PEERS maximum-prefix 100\n");
}

TEST(what_no_text_could_put_right_is_left_to_people)
{
	static const char pattern[] =
		"context: config/iface ..., check: {present: primary}, remedy: [{context: config/iface ..., lines: [primary]}]";

	check_lines("weos", "context: config, check: {present: x}", "system\n\tend\n", NULL);
	check_lines("weos", pattern, "system\n\thostname a\n\tend\n", NULL); /* there is no such block */
	check_lines("weos", "context: config/aaa/username *, check: {present: x}, remedy: [{context: config/aaa/username *, lines: [x]}]",
		    "aaa\n\tusername alice hash $1$abcdefgh$ijklmnopqrstuvwxyz0123\n\tend\n", NULL);
}

/* ---- files ---- */

static const char sshd_rule[] = "context: [config, part sshd ...], check: {value: {of: permitrootlogin <value>, among: ['no']}}, remedy: ";

static int render_as_is(void *ctx _unused_, struct buf *out, struct bytes line, struct error *err _unused_)
{
	buf_add_bytes(out, line);
	return 0;
}

static void check_edit(const char *remedy, const char *part, const char *wanted)
{
	_cleanup_(mem_freep) char *rule = mem_printf("%s[%s]", sshd_rule, remedy), *text = mem_printf("holdfast-files/1\n%s", part),
				  *whole = wanted ? mem_printf("holdfast-files/1\n%s", wanted) : NULL;
	_cleanup_(bench_done) struct bench b;
	_cleanup_(buf_done) struct buf out = { 0 };
	const struct remedy_values values = { render_as_is, NULL };
	struct error err = { 0 };
	const char *why = NULL;

	bench_init(&b, "files", rule, text);
	CHECK(remedy_is_whole(&b.policy->rules[0], "files"));
	CHECK_EQ(remedy_edit(&out, &why, &b.policy->rules[0], bytes_str(text), &values, &err), wanted ? 0 : REMEDY_BY_HAND);
	CHECK_STR(buf_text(&out), wanted ? whole : "");
}

#define SSHD "part sshd text 0644 root root /etc/ssh/sshd_config\n"

TEST(a_directive_takes_the_place_of_those_of_its_name)
{
	static const char remedy[] = "{context: config/part sshd ..., lines: [PermitRootLogin no]}";

	check_edit(remedy,
		   SSHD " Port 22\n permitrootlogin=yes\n # PermitRootLogin is above\n PermitRootLogin without-password\n UsePAM yes\n",
		   SSHD " Port 22\n PermitRootLogin no\n # PermitRootLogin is above\n UsePAM yes\n");
	/* a keyword that only begins so is another one */
	check_edit(remedy, SSHD " PermitRootLoginX yes\n", SSHD " PermitRootLoginX yes\n PermitRootLogin no\n");
}

TEST(a_directive_that_is_not_there_stands_before_the_first_match)
{
	check_edit("{context: config/part sshd ..., lines: [PermitRootLogin no, MaxAuthTries 4]}",
		   SSHD " Port 22\n Match User bob\n  PermitRootLogin yes\n",
		   SSHD " Port 22\n PermitRootLogin no\n MaxAuthTries 4\n Match User bob\n  PermitRootLogin yes\n");
}

TEST(what_is_taken_away_under_a_match_is_not_taken_away_above)
{
	check_edit("{context: config/part sshd .../match ..., lines: [no PermitRootLogin]}",
		   SSHD
		   " PermitRootLogin yes\n Match User bob\n  PermitRootLogin yes\n  X11Forwarding no\n Match all\n  PermitRootLogin yes\n",
		   SSHD " PermitRootLogin yes\n Match User bob\n  X11Forwarding no\n Match all\n");
}

TEST(several_lines_of_one_name_all_stay)
{
	check_edit("{context: config/part chrony ..., lines: [no pool, server a nts, server b nts]}",
		   "part chrony text 0644 root root /etc/chrony.conf\n pool p iburst\n server x\n driftfile /d\n server y\n",
		   "part chrony text 0644 root root /etc/chrony.conf\n server a nts\n server b nts\n driftfile /d\n");
}

TEST(rules_of_rsyslog_are_added_and_its_directives_replaced)
{
	check_edit("{context: config/part rsyslog ..., lines: [$FileCreateMode 0640, '*.* action(x)', '*.* action(x)']}",
		   "part rsyslog text 0644 root root /etc/rsyslog.conf\n $FileCreateMode 0644\n *.* /var/log/all\n",
		   "part rsyslog text 0644 root root /etc/rsyslog.conf\n $FileCreateMode 0640\n *.* /var/log/all\n *.* action(x)\n");
}

TEST(other_parts_stay_byte_for_byte)
{
	check_edit("{context: config/part sshd ..., lines: [PermitRootLogin no]}",
		   "part secret base64 0600 root root /etc/key\n c2VjcmV0Cg==\npart nftables text 0644 root root /etc/nftables.conf\n "
		   "table ip t {\n }\n" SSHD " PermitRootLogin yes\npart plain text-open 0644 root root /etc/zzz\n last\n",
		   "part secret base64 0600 root root /etc/key\n c2VjcmV0Cg==\npart nftables text 0644 root root /etc/nftables.conf\n "
		   "table ip t {\n }\n" SSHD " PermitRootLogin no\npart plain text-open 0644 root root /etc/zzz\n last\n");
}

TEST(a_file_whose_text_is_not_known_is_left_to_people)
{
	check_edit("{context: config/part sshd ..., lines: [PermitRootLogin no]}", "part plain text 0644 root root /etc/a\n x\n", NULL);
	check_edit(
		"{context: config/part sshd ..., lines: [PermitRootLogin no]}",
		"part sshd sha256 0644 root root /etc/ssh/sshd_config\n e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
		NULL);
}

TEST(rules_of_nftables_are_commands)
{
	check_lines("files",
		    "context: [config, part nftables ...], check: {present: x},"
		    " remedy: [{context: config/part nftables ..., lines: ['add table inet filter']}]",
		    "holdfast-files/1\npart nftables text 0644 root root /etc/nftables.conf\n table ip t {\n }\n",
		    "add table inet filter\n");
}

/* ---- the pack that is installed ---- */

static const char bad_gateway[] =
	"holdfast-files/1\n"
	"part chrony text 0644 root root /etc/chrony/chrony.conf\n pool p iburst\n cmdallow 192.0.2.0/24\n bindcmdaddress 0.0.0.0\n"
	"part rsyslog text 0644 root root /etc/rsyslog.conf\n $FileCreateMode 0644\n *.* /var/log/all\n"
	"part sshd text 0644 root root /etc/ssh/sshd_config\n PermitRootLogin yes\n PasswordAuthentication yes\n PermitEmptyPasswords yes\n"
	" X11Forwarding yes\n LogLevel QUIET\n Match User bob\n  PermitRootLogin yes\n  PasswordAuthentication yes\n  PermitEmptyPasswords "
	"yes\n";

/* Every place for a value gets one. */
static int render_values(void *ctx _unused_, struct buf *out, struct bytes line, struct error *err _unused_)
{
	for (size_t i = 0; i < line.len; i++) {
		bool is_place = line.len - i > 2 && !memcmp(line.ptr + i, "{{", 2);
		const uint8_t *end = is_place ? memmem(line.ptr + i, line.len - i, "}}", 2) : NULL;

		if (end) {
			buf_add_str(out, "value");
			i = (size_t)(end - line.ptr) + 1;
		} else {
			buf_add_char(out, (char)line.ptr[i]);
		}
	}
	return 0;
}

static enum verdict judged(const struct policy *policy, size_t rule, struct bytes text)
{
	const struct policy_facts facts = { .driver = "files" };
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(report_done) struct report report = { 0 };
	struct error err = { 0 };

	CHECK_OK(tree_read(&tree, "files", text, &err));
	policy_evaluate(&report, policy, &tree, NULL, &facts, &policy_limits_operator);
	return report.rulings[rule].verdict;
}

TEST(every_remedy_for_a_file_of_a_gateway_makes_its_rule_pass)
{
	const char *source = getenv("HOLDFAST_SOURCE");
	_cleanup_(mem_freep) char *path = mem_printf("%s/policies/packs/linux-gateway.yaml", source ? source : ".");
	_cleanup_(policy_freep) struct policy *policy = NULL;
	_cleanup_(buf_done) struct buf pack = { 0 };
	const struct remedy_values values = { render_values, NULL };
	struct error err = { 0 };
	size_t tried = 0;

	CHECK_EQ(fs_read(&pack, path, POLICY_BYTES_MAX, &err), 0);
	CHECK_OK(policy_read(&policy, "linux-gateway", buf_bytes(&pack), &err));
	for (size_t i = 0; i < policy->count; i++) {
		_cleanup_(buf_done) struct buf made = { 0 };
		const struct rule *rule = &policy->rules[i];
		const char *why = NULL;

		if (!remedy_is_whole(rule, "files") || judged(policy, i, bytes_str(bad_gateway)) != VERDICT_FAIL)
			continue;
		CHECK_EQ(remedy_edit(&made, &why, rule, bytes_str(bad_gateway), &values, &err), 0);
		if (judged(policy, i, buf_bytes(&made)) != VERDICT_PASS)
			fail_msg("'%s' does not pass: %s", rule->id, buf_text(&made));
		tried++;
	}
	CHECK_EQ(tried, 12); /* all that have a remedy, but chrony-source: there is a source */
}

