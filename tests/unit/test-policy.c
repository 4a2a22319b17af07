/* tests/unit/test-policy.c -- the policy language: trees of contexts, patterns, packs, verdicts, and that nothing in them can be slow. */
#include "tests/test.h"

#include "base/clock.h"
#include "policies/policy.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- trees ---- */

/* A line per node: tabs for its depth, text, number of its line; '?' behind a block that is unclear. */
static void tree_show(struct buf *out, const struct tree *tree)
{
	for (uint32_t i = 1; i < tree->count; i++) {
		unsigned depth = 0;

		for (uint32_t in = tree->nodes[i].in; in; in = tree->nodes[in].in)
			depth++;
		while (depth--)
			buf_add_char(out, '>');
		buf_add_bytes(out, tree_line(tree, i));
		buf_addf(out, " @%u%s\n", tree->nodes[i].line, tree->nodes[i].is_unclear ? "?" : "");
	}
}

static void check_tree(const char *driver, const char *text, const char *wanted)
{
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(buf_done) struct buf shown = { 0 };
	struct error err = { 0 };

	CHECK_OK(tree_read(&tree, driver, bytes_str(text), &err));
	tree_show(&shown, &tree);
	CHECK_STR(buf_text(&shown), wanted);
}

TEST(weos_4_is_blocks_by_indentation)
{
	check_tree("weos",
		   "# WeOS\naaa\n\tuser  admin\n\t\trole administrator\n\t\tend\n\tend\nno spanning-tree\niface vlan1 inet "
		   "dhcp\n\tprimary\n\tend\n",
		   "aaa @2\n>user admin @3\n>>role administrator @4\nno spanning-tree @7\niface vlan1 inet dhcp @8\n>primary @9\n");
}

TEST(weos_5_is_the_lines_that_would_make_it)
{
	check_tree("weos",
		   "{\n \"aaa\": {\n  \"user\": {\n   \"admin\": {\n    \"role\": \"a\\u0041 b\"\n   }\n  }\n },\n \"web\": {\"port\": "
		   "80},\n \"snmp-server\": false,\n"
		   " \"ntp\": {\"peer\": {\"a\": {}, \"b\": {}}}, \"vlan\": {\"1\": {\"x\": [1, \"two\"], \"y\": true, \"z\": null}}}\n",
		   "aaa @2\n>user admin @4\n>>role aA b @5\nweb @9\n>port 80 @9\nno snmp-server @10\nntp @11\n>peer a @11\n>peer b "
		   "@11\nvlan 1 @11\n>x 1 @11\n>x two @11\n>y @11\n");
}

TEST(frr_is_blocks_without_their_ends)
{
	check_tree("frr",
		   "hostname r1\n!\nrouter bgp 65000\n neighbor 10.0.0.1 remote-as 65001\n !\n address-family ipv4 unicast\n  network "
		   "10.0.0.0/8\n"
		   " exit-address-family\nexit\n!\nline vty\n exec-timeout 5 0\n!\nend\n",
		   "hostname r1 @1\nrouter bgp 65000 @3\n>neighbor 10.0.0.1 remote-as 65001 @4\n>address-family ipv4 unicast @6\n>>network "
		   "10.0.0.0/8 @7\n"
		   "line vty @11\n>exec-timeout 5 0 @12\n");
}

TEST(parts_are_read_by_their_format)
{
	check_tree("files",
		   "holdfast-files/1\n"
		   "part nftables text 0644 root root /etc/a\n #!/usr/sbin/nft -f\n table inet f { # all\n  chain input { type filter hook "
		   "input priority 0; policy drop;\n"
		   "   tcp dport { 22,\n    80 } accept # ;}\n  }\n }\n"
		   "part rsyslog text 0644 root root /etc/b\n action(type=\"omfwd\"\n   target=\"a\")\n *.* @@b:514\n"
		   "part sshd text 0644 root root /etc/c\n PERMITRootLogin=no\n Match User x\n  Banner none\n Match all\n Port 22\n",
		   "part nftables text 0644 root root /etc/a @2\n>table inet f @4\n>>chain input @5\n>>>type filter hook input priority 0 "
		   "@5\n>>>policy drop @5\n"
		   ">>>tcp dport { 22, 80 } accept @6\n"
		   "part rsyslog text 0644 root root /etc/b @10\n>action(type=\"omfwd\" target=\"a\") @11\n>*.* @@b:514 @13\n"
		   "part sshd text 0644 root root /etc/c @14\n>permitrootlogin no @15\n>match User x @16\n>>banner none @17\n>match all "
		   "@18\n>>port 22 @19\n");
}

TEST(a_part_that_cannot_be_read_is_unclear_and_the_others_are_not)
{
	check_tree("files",
		   "holdfast-files/1\npart key base64 0600 root root /etc/a\n AAAA\npart nftables text 0644 root root /etc/b\n table inet "
		   "f {\n  chain x {\n }\n"
		   "part sshd text 0644 root root /etc/c\n Port 22\n",
		   "part key base64 0600 root root /etc/a @2?\npart nftables text 0644 root root /etc/b @4?\npart sshd text 0644 root root "
		   "/etc/c @8\n>port 22 @9\n");
}

TEST(a_secret_is_in_no_tree)
{
	check_tree("frr", "password hunter2\nline vty\n", "password {{secret}} @1\nline vty @2\n");
	check_tree("frr", "password {{secret 0123456789abcdef}}\n", "password {{secret}} @1\n");
	check_tree("weos", "{\"aaa\": {\"radius-secret\": {\"a\": 17, \"b\": \"x\\\"y\"}, \"n\": 1}}\n",
		   "aaa @1\n>radius-secret @1\n>>a {{secret}} @1\n>>b {{secret}} @1\n>n 1 @1\n");
}

TEST(what_is_cut_off_or_too_large_is_no_tree)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct tree tree;
	struct error err = { 0 };

	CHECK_EQ(tree_read(&tree, "weos", bytes_str("aaa\n\tuser admin\n"), &err), E_FORMAT);
	CHECK_EQ(tree_read(&tree, "weos", bytes_str("{\"aaa\": {"), &err), E_FORMAT);
	CHECK_EQ(tree_read(&tree, "other", bytes_str("x\n"), &err), E_FORMAT);
	buf_add_str(&text, "x\nhostname ");
	memset(buf_extend(&text, 1 << 20), 'a', 1 << 20);
	CHECK_EQ(tree_read(&tree, "frr", buf_bytes(&text), &err), E_LIMIT);
	CHECK_STR(err.text, "line 2 is longer than 4096 bytes");
	buf_truncate(&text, 0);
	for (unsigned i = 0; i < 20; i++)
		buf_addf(&text, "%*sx\n", (int)i, "");
	CHECK_EQ(tree_read(&tree, "frr", buf_bytes(&text), &err), E_LIMIT);
	CHECK_STR(err.text, "line 18 is nested deeper than 16 blocks");
	buf_truncate(&text, 0);
	for (unsigned i = 0; i <= TREE_NODES_MAX; i++)
		buf_add_str(&text, "x\n");
	CHECK_EQ(tree_read(&tree, "frr", buf_bytes(&text), &err), E_LIMIT);
}

/* ---- patterns ---- */

static enum match words_on(const char *pattern, const char *line)
{
	struct purse purse = { .left = 1000000 };
	struct pattern *p = NULL;
	struct error err = { 0 };
	enum match m;

	CHECK_OK(pattern_new_words(&p, pattern, &err));
	m = pattern_match(p, bytes_str(line), NULL, &purse);
	pattern_free(p);
	return m;
}

static enum match regex_on(const char *pattern, const char *line, struct purse *purse)
{
	struct pattern *p = NULL;
	struct error err = { 0 };
	enum match m;

	CHECK_OK(pattern_new_regex(&p, pattern, &err));
	m = pattern_match(p, bytes_str(line), NULL, purse);
	pattern_free(p);
	purse_done(purse);
	return m;
}

TEST(words_match_as_they_stand_or_by_their_signs)
{
	CHECK_EQ(words_on("user admin", "user admin"), MATCH_YES);
	CHECK_EQ(words_on("user admin", "user admin x"), MATCH_NO);
	CHECK_EQ(words_on("user admin ...", "user admin"), MATCH_YES);
	CHECK_EQ(words_on("user admin ...", "user admin x y"), MATCH_YES);
	CHECK_EQ(words_on("user|username a*n", "username admin"), MATCH_YES);
	CHECK_EQ(words_on("user *", "user"), MATCH_NO);
	CHECK_EQ(words_on("*a*b*c*", "xaybzc"), MATCH_YES);
	CHECK_EQ(words_on("*a*b*c*", "xaybz"), MATCH_NO);
}

TEST(what_depends_on_a_secret_is_maybe)
{
	struct purse purse = { .left = 1000000 };

	CHECK_EQ(words_on("password *", "password {{secret}}"), MATCH_YES);
	CHECK_EQ(words_on("password x", "password {{secret}}"), MATCH_MAYBE);
	CHECK_EQ(words_on("password 8 x", "password {{secret}}"), MATCH_MAYBE);
	CHECK_EQ(words_on("password", "password {{secret}}"), MATCH_NO);
	CHECK_EQ(words_on("hostname x", "password {{secret}}"), MATCH_NO);
	CHECK_EQ(regex_on("^password ", "password {{secret}}", &purse), MATCH_YES);
	CHECK_EQ(regex_on("^password (a|b)$", "password {{secret}}", &purse), MATCH_MAYBE);
	CHECK_EQ(regex_on("^hostname", "password {{secret}}", &purse), MATCH_NO);
	CHECK_EQ(regex_on("public$", "community {{secret}}", &purse), MATCH_MAYBE);
	CHECK_EQ(regex_on("^community $", "community {{secret}}", &purse), MATCH_MAYBE);
}

TEST(a_catastrophic_expression_ends_and_says_so)
{
	struct purse purse = { .left = UINT64_C(1) << 27 };
	uint64_t began = clock_mono_ms();

	CHECK_EQ(regex_on("^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", &purse), MATCH_MAYBE);
	CHECK(purse.empty && strstr(purse.empty, "more steps"));
	CHECK(clock_mono_ms() - began < 2000);
}

TEST(expressions_that_become_large_or_change_the_rules_are_refused)
{
	static const char *const bad[] = {
		"(((a{1000}){1000}){1000})", "(*LIMIT_MATCH=4000000000)a", "a(?C1)b", "[", "a{60000}{9}", "(abcdefgh{3}){5000}", ""
	};
	_cleanup_(buf_done) struct buf deep = { 0 };
	struct pattern *p = NULL;
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(pattern_new_regex(&p, bad[i], &err), E_FORMAT);
	for (int i = 0; i < 100; i++)
		buf_add_char(&deep, '(');
	for (int i = 0; i < 100; i++)
		buf_add_char(&deep, ')');
	CHECK_EQ(pattern_new_regex(&p, buf_text(&deep), &err), E_FORMAT);
	CHECK_EQ(pattern_new_words(&p, "... a", &err), E_FORMAT);
	CHECK_EQ(pattern_new_words(&p, "<value> <value>", &err), E_FORMAT);
}

/* ---- packs ---- */

static const char head[] = "holdfast-policy: 1\npack: p\ntitle: T\ndriver: frr\nrules:\n";

static void check_refused_text(const char *text, const char *why)
{
	struct policy *policy = NULL;
	struct error err = { 0 };

	CHECK(policy_read(&policy, "p.yaml", bytes_str(text), &err) < 0);
	if (strncmp(err.text, why, strlen(why)) != 0)
		fail_msg("'%s' instead of '%s'", err.text, why);
}

/* rule: what stands in the list of rules. */
static void check_refused(const char *rules, const char *why)
{
	_cleanup_(mem_freep) char *text = mem_printf("%s%s", head, rules);

	check_refused_text(text, why);
}

#define RULE "- {id: a, title: T, level: fundamental, severity: low, context: config, check: {present: x}"

TEST(a_refusal_names_file_line_and_column)
{
	check_refused(RULE ", colour: red}\n", "p.yaml:6:94: unknown key 'colour'");
	check_refused(RULE "}\n" RULE "}\n", "p.yaml:7:8: there is a rule 'a' already");
	check_refused("- {id: a, id: b}\n", "p.yaml:6:11: 'id' is there twice");
	check_refused("- {id: a, title: 010}\n", "p.yaml:6:18: a number with a leading zero");
	check_refused("- &a {id: a}\n- *a\n", "p.yaml:6:3: an anchor");
	check_refused("- *a\n", "p.yaml:6:3: an alias");
	check_refused("- !x {id: a}\n", "p.yaml:6:3: an anchor or a tag");
	check_refused("- {id: a, title: \"a\\e[31m\"}\n", "p.yaml:6:18: a control character");
	check_refused("- {id: a, title: \"a\u202eb\"}\n", "p.yaml:6:18: a character that hides or turns around");
	check_refused("- {id: a, title: \"a\\u2066b\"}\n", "p.yaml:6:18: a character that hides or turns around");
	check_refused("- {id: A}\n", "p.yaml:6:8: a name has small letters");
	check_refused("- {id: a, title: T, level: basic}\n", "p.yaml:6:28: 'basic' is not known here");
	check_refused("- {id: a, title: T, level: fundamental, severity: low, context: aaa}\n",
		      "p.yaml:6:65: the context of a rule begins with 'config'");
	check_refused("- {id: a, title: T, level: fundamental, severity: low, requires: [radius]}\n",
		      "p.yaml:6:56: what is fundamental requires nothing else");
	check_refused("- {id: a, title: T, level: enhanced, severity: low, context: config, check: {absent: {matches: '(a'}}}\n",
		      "p.yaml:6:96: a regular expression is wrong at its character 3");
	check_refused("- {id: a, title: T, level: enhanced, severity: low, context: config, check: {exists: x}}\n",
		      "p.yaml:6:78: unknown check 'exists'");
	check_refused("- {id: a, title: T, level: enhanced, severity: low, context: config, check: {value: {of: x, at-least: 1}}}\n",
		      "p.yaml:6:90: the pattern takes no value");
	check_refused(RULE ", remedy: [{context: config, lines: [write memory]}]}\n", "p.yaml:6:129: this line cannot be entered");
	check_refused_text("holdfast-policy: 1\npack: p\ntitle: T\ndriver: ios\nrules: []\n", "p.yaml:4:9: no driver 'ios'");
	check_refused_text("holdfast-policy: 2\n", "p.yaml:1:18: this version");
	check_refused_text("holdfast-policy: 1\n---\na: b\n", "p.yaml:2:1: more than one document");
	check_refused_text("a: [\n", "p.yaml:2:1:");
	check_refused_text("", "p.yaml:1:1: there is nothing");
}

TEST(an_anchor_bomb_and_deep_nesting_are_refused_at_once)
{
	_cleanup_(buf_done) struct buf deep = { 0 };
	uint64_t began = clock_mono_ms();

	check_refused_text("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", "p.yaml:1:4: an anchor");
	for (int i = 0; i < 100000; i++)
		buf_add_char(&deep, '[');
	check_refused_text(buf_text(&deep), "p.yaml:1:17: nesting deeper than 16");
	CHECK(clock_mono_ms() - began < 2000);
}

TEST(ten_thousand_rules_are_taken_and_one_more_is_not)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(policy_freep) struct policy *policy = NULL;
	struct error err = { 0 };

	buf_add_str(&text, head);
	for (unsigned i = 0; i < POLICY_RULES_MAX; i++)
		buf_addf(&text, "- {id: r%u, title: T, level: fundamental, severity: low, context: config, check: {present: x%u}}\n", i, i);
	CHECK_OK(policy_read(&policy, "p.yaml", buf_bytes(&text), &err));
	CHECK_EQ(policy->count, POLICY_RULES_MAX);
	buf_addf(&text, "- {id: q, title: T, level: fundamental, severity: low, context: config, check: {present: x}}\n");
	check_refused_text(buf_text(&text), "p.yaml:6:1: more than 10000 rules");
}

/* ---- verdicts ---- */

static const char config[] =
	"hostname r1\nlog syslog informational\nrouter bgp 65000\n neighbor 10.0.0.1 remote-as 65001\n neighbor 10.0.0.1 password hunter2\n"
	" timers bgp 10 30\nexit\ninterface eth0\n shutdown\nexit\ninterface eth1\n mtu 9000\nexit\nline vty\n exec-timeout 5 0\n";

/* "verdict", or "verdict: first finding". fields: of the rule besides the usual ones. */
static void check_verdict_on(const char *driver, const char *text, const char *fields, const struct policy_facts *facts, const char *wanted)
{
	_cleanup_(mem_freep) char *pack = mem_printf("holdfast-policy: 1\npack: p\ntitle: T\ndriver: %s\nrules:\n"
						     "- {id: a, title: T, level: enhanced, severity: low, %s}\n", driver, fields);
	_cleanup_(policy_freep) struct policy *policy = NULL;
	_cleanup_(tree_done) struct tree tree = { 0 };
	_cleanup_(report_done) struct report report = { 0 };
	_cleanup_(buf_done) struct buf got = { 0 };
	struct error err = { 0 };

	CHECK_OK(policy_read(&policy, "p.yaml", bytes_str(pack), &err));
	CHECK_OK(tree_read(&tree, driver, bytes_str(text), &err));
	policy_evaluate(&report, policy, &tree, NULL, facts, &policy_limits_operator);
	buf_add_str(&got, verdict_name(report.rulings[0].verdict));
	if (strchr(wanted, ':') && report.rulings[0].count)
		buf_addf(&got, ": %s:%u %s", report.rulings[0].findings[0].path, report.rulings[0].findings[0].line,
			 report.rulings[0].findings[0].text);
	if (strcmp(buf_text(&got), wanted) != 0)
		fail_msg("%s: '%s' instead of '%s' (%s)", fields, buf_text(&got), wanted, report.rulings[0].why);
	CHECK_EQ(report.counts[report.rulings[0].verdict], 1);
}

static void check_verdict(const char *fields, const char *wanted)
{
	const struct policy_facts facts = { .driver = "frr", .model = "FRR Router", .firmware = "FRRouting 8.4.4" };

	check_verdict_on("frr", config, fields, &facts, wanted);
}

TEST(lines_and_blocks_are_present_or_absent)
{
	check_verdict("context: config, check: {present: hostname *}", "pass: config:1 'hostname r1' is there");
	check_verdict("context: config, check: {present: banner ...}", "fail: config:0 'banner ...' is not there");
	check_verdict("context: config, check: {absent: router bgp *}", "fail: config:3 'router bgp 65000' is there");
	check_verdict("context: config/line vty, check: {present: {matches: '^exec-timeout \\d+'}}",
		      "pass: config/line vty:15 'exec-timeout 5 0' is there");
	check_verdict("context: config/router ospf, check: {absent: x}", "pass");
	check_verdict("context: config/router ospf, check: {present: x}", "fail: config/router ospf:0 'x' is not there");
}

TEST(every_block_of_a_context_must_hold)
{
	check_verdict("context: config/interface *, check: {present: shutdown}", "fail: config/interface eth1:11 'shutdown' is not there");
	check_verdict("context: config, check: {each: {context: interface *, check: {present: shutdown}}}", "fail");
	check_verdict("context: config, check: {some: {context: interface *, check: {present: shutdown}}}",
		      "pass: config/interface eth0:9 'shutdown' is there");
	check_verdict("context: config, check: {some: {context: vrf *, check: {present: shutdown}}}",
		      "fail: config:0 'vrf *' is not there");
	check_verdict("context: config, check: {each: {context: vrf *, check: {present: shutdown}}}", "pass");
}

TEST(values_are_in_sets_and_ranges)
{
	check_verdict("context: config/line vty, check: {value: {of: exec-timeout <value> *, at-least: 1, at-most: 10}}", "pass");
	check_verdict("context: config/line vty, check: {value: {of: exec-timeout <value> *, at-most: 4}}",
		      "fail: config/line vty:15 'exec-timeout 5 0' is not what it may be");
	check_verdict("context: config, check: {value: {of: log syslog <value>, among: [informational, notifications]}}", "pass");
	check_verdict("context: config, check: {value: {of: log syslog <value>, not-among: [informational]}}", "fail");
	check_verdict("context: config, check: {value: {of: hostname <value>, at-least: 1}}", "unknown");
	check_verdict("context: config, check: {value: {of: banner <rest>, among: [a], missing: pass}}", "pass");
	check_verdict("context: config, check: {value: {of: {matches: '^log syslog (.*)'}, among: [informational]}}", "pass");
	check_verdict("context: config/router bgp *, check: {value: {of: neighbor * password <value>, among: [hunter2]}}", "unknown");
}

TEST(lines_are_counted_and_settings_compared)
{
	check_verdict("context: config, check: {count: {of: interface *, at-least: 2, at-most: 2}}", "pass");
	check_verdict("context: config, check: {count: {of: interface *, at-most: 1}}", "fail");
	check_verdict("context: config/router bgp *, check: {compare: {left: {of: timers bgp <value> *}, is: below, right: {of: timers bgp "
		      "* <value>}}}",
		      "pass");
	check_verdict("context: config, check: {compare: {left: {context: config/router bgp *, of: timers bgp <value> *}, is: at-least,"
		      " right: {context: config/line vty, of: exec-timeout <value> *}}}", "pass");
	check_verdict("context: config, check: {compare: {left: {of: hostname <value>}, is: equal, right: {of: banner <value>}, missing: "
		      "unknown}}",
		      "unknown");
	check_verdict("context: config, check: {compare: {left: {of: hostname <value>}, is: above, right: {of: log syslog <value>}}}",
		      "unknown");
}

TEST(logic_has_three_values)
{
	static const char maybe[] = "{each: {context: router bgp *, check: {present: neighbor 10.0.0.1 password x}}}";
	_cleanup_(mem_freep) char *any = mem_printf("context: config, check: {any: [%s, {present: hostname *}]}", maybe);
	_cleanup_(mem_freep) char *all = mem_printf("context: config, check: {all: [%s, {present: banner}]}", maybe);
	_cleanup_(mem_freep) char *all2 = mem_printf("context: config, check: {all: [%s, {present: hostname *}]}", maybe);
	_cleanup_(mem_freep) char *not = mem_printf("context: config, check: {not: %s}", maybe);

	check_verdict(any, "pass");
	check_verdict(all, "fail");
	check_verdict(all2, "unknown");
	check_verdict(not, "unknown");
	check_verdict("context: config, check: {not: {present: router bgp *}}", "fail: config:3 'router bgp 65000' is there");
}

TEST(a_rule_asks_first_whether_it_applies)
{
	const struct policy_facts none = { .driver = "frr" }, other = { .driver = "weos" };

	check_verdict("context: config, when: {present: router ospf}, check: {present: x}", "not-applicable");
	check_verdict("context: config, doubt: {present: router bgp *}, check: {present: hostname *}", "unknown");
	check_verdict("context: config, applies: {firmware: {from: '8.4', below: '9.0'}}, check: {present: hostname *}", "pass");
	check_verdict("context: config, applies: {firmware: {from: '8.5'}}, check: {present: hostname *}", "not-applicable");
	check_verdict("context: config, applies: {firmware: {below: '8.4.4'}}, check: {present: hostname *}", "not-applicable");
	check_verdict("context: config, applies: {model: 'frr*'}, check: {present: hostname *}", "pass");
	check_verdict("context: config, applies: {model: Lynx*}, check: {present: hostname *}", "not-applicable");
	check_verdict_on("frr", config, "context: config, applies: {model: Lynx*}, check: {present: hostname *}", &none, "unknown");
	check_verdict_on("frr", config, "context: config, check: {present: hostname *}", &other, "not-applicable");
}

TEST(what_cannot_be_read_is_unknown_and_never_passes)
{
	static const char files[] = "holdfast-files/1\npart sshd base64 0600 root root /etc/a\n AAAA\n";
	const struct policy_facts facts = { .driver = "files" };
	_cleanup_(policy_freep) struct policy *policy = NULL;
	_cleanup_(report_done) struct report report = { 0 };
	_cleanup_(mem_freep) char *pack = mem_printf("%s" RULE "}\n", head);
	struct error err = { 0 };

	check_verdict_on("files", files, "context: [config, part sshd ...], check: {absent: port *}", &facts, "unknown");
	check_verdict_on("files", files, "context: [config, part sshd ..., match *], check: {absent: port *}", &facts, "unknown");
	check_verdict_on("files", files, "context: config, check: {not: {some: {context: [part sshd ...], check: {present: port *}}}}",
			 &facts, "unknown");
	CHECK_OK(policy_read(&policy, "p.yaml", bytes_str(pack), &err));
	policy_evaluate(&report, policy, NULL, "line 2 is too long", &(struct policy_facts){ .driver = "frr" }, &policy_limits_agent);
	CHECK_EQ(report.rulings[0].verdict, VERDICT_UNKNOWN);
	CHECK_STR(report.rulings[0].why, "line 2 is too long");
}

TEST(a_rule_that_takes_too_much_is_unknown)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const struct policy_facts facts = { .driver = "frr" };
	uint64_t began = clock_mono_ms();

	for (int i = 0; i < 40000; i++)
		buf_add_str(&text, "description aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\n");
	check_verdict_on("frr", buf_text(&text), "context: config, check: {absent: {matches: '^description (a|aa)+$'}}", &facts, "unknown");
	check_verdict_on("frr", buf_text(&text), "context: config, check: {absent: {matches: '(a|aa){1,6}[bc]'}}", &facts, "unknown");
	CHECK(clock_mono_ms() - began < 60000);
}

/* A pack of so many rules with this check, over a text of so many lines, in the limits of an agent. */
static void evaluate_for_agent(struct report *out, struct policy **policy, size_t rules, const char *check, size_t lines, const char *line)
{
	_cleanup_(buf_done) struct buf pack = { 0 }, text = { 0 };
	_cleanup_(tree_done) struct tree tree = { 0 };
	struct error err = { 0 };

	buf_add_str(&pack, head);
	for (size_t i = 0; i < rules; i++)
		buf_addf(&pack, "- {id: r%zu, title: T, level: fundamental, severity: low, context: config, check: %s}\n", i, check);
	for (size_t i = 0; i < lines; i++)
		buf_addf(&text, "%s\n", line);
	CHECK_OK(policy_read(policy, "p.yaml", buf_bytes(&pack), &err));
	CHECK_OK(tree_read(&tree, "frr", buf_bytes(&text), &err));
	policy_evaluate(out, *policy, &tree, NULL, &(struct policy_facts){ .driver = "frr" }, &policy_limits_agent);
}

TEST(a_pack_that_was_made_to_be_slow_is_unknown_before_an_agent_is_late)
{
	static const char many_a[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const struct { const char *check, *line; } slow[] = {
		{ "{absent: {matches: '(a|aa){1,6}[bc]'}}", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!" },
		{ "{absent: '*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'}", many_a },
		{ "{absent: a a a a a a a a a a a a a a a a a a a a a b}", "a a a a a a a a a a a a a a a a a a a a a a" },
		{ "{each: {context: '*', check: {all: [{present: x}, {present: x}, {present: x}, {present: x}]}}}", "a" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(slow); i++) {
		_cleanup_(report_done) struct report report = { 0 };
		_cleanup_(policy_freep) struct policy *policy = NULL;
		uint64_t began = clock_mono_ms();

		evaluate_for_agent(&report, &policy, 1000, slow[i].check, 30000, slow[i].line);
		CHECK_EQ(report.steps, policy_limits_agent.all_steps);
		CHECK_EQ(report.rulings[999].verdict, VERDICT_UNKNOWN);
		CHECK_STR(report.rulings[999].why, "the rules before it took all the steps that a pack may");
		CHECK(clock_mono_ms() - began < 30000);
	}
}

TEST(the_findings_of_a_pack_are_kept_up_to_a_bound_and_counted_beyond)
{
	_cleanup_(report_done) struct report report = { 0 };
	_cleanup_(policy_freep) struct policy *policy = NULL;
	size_t kept = 0;

	evaluate_for_agent(&report, &policy, 200, "{absent: a*}", 40, "a1");
	for (size_t i = 0; i < report.count; i++)
		kept += report.rulings[i].count;
	CHECK_EQ(kept, policy_limits_agent.findings);
	CHECK_EQ(report.rulings[199].verdict, VERDICT_FAIL);
	CHECK_EQ(report.rulings[199].count, 0);
	CHECK_EQ(report.rulings[199].more, 40);
}

TEST(versions_are_compared_by_their_numbers)
{
	int order;

	CHECK(version_compare(&order, "FRRouting 8.4.4", "8.10") && order < 0);
	CHECK(version_compare(&order, "WeOS v5.24.0", "5.24") && order == 0);
	CHECK(version_compare(&order, "4.32.3", "4.32") && order > 0);
	CHECK(!version_compare(&order, "unknown", "5"));
}
