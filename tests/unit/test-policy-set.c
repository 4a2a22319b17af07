/* tests/unit/test-policy-set.c -- the set of policies of a device, what is said of one configuration by all of its packs, and the text of
 * that. */
#include "tests/test.h"

#include "policies/policy-set.h"
#include "policies/verdict.h"

#include <stdlib.h>

static const char pack_a[] =
	"holdfast-policy: 1\npack: a\ntitle: T\ndriver: frr\nrules:\n"
	"- {id: is-there, title: T, level: fundamental, severity: low, context: config, check: {present: x}}\n"
	"- {id: is-not, title: T, level: fundamental, severity: low, context: config/line vty, check: {absent: y *}}\n";
static const char pack_b[] =
	"holdfast-policy: 1\npack: b\ntitle: T\ndriver: frr\nrules:\n"
	"- {id: doubtful, title: T, level: fundamental, severity: low, context: config, doubt: {present: x}, check: {present: x}}\n"
	"- {id: other, title: T, level: fundamental, severity: low, applies: {model: Z*}, context: config, check: {present: x}}\n";
static const char hash[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static int read_set(struct policy_set *out, const char *text, struct error *err)
{
	return policy_set_read(out, bytes_str(text), err);
}

static void refused(const char *text, int code, const char *why)
{
	struct policy_set set;
	struct error err = { 0 };

	CHECK_EQ(read_set(&set, text, &err), code);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
}

static struct policy_set a_set(void)
{
	struct policy_set set = { .person = "alice",
				  .commit = { "remind", 30, 600 },
				  .exempt = { "sat 22:00-04:00", "daily 01:00-02:00" },
				  .exempt_count = 2,
				  .has_baseline = true,
				  .baseline_number = 7,
				  .baseline = bytes_str("x\ny 1\n"),
				  .waivers = { bytes_str("one\n"), bytes_str("two\n") },
				  .waiver_count = 2,
				  .packs = { { .text = bytes_str(pack_a) }, { .text = bytes_str(pack_b) } },
				  .pack_count = 2 };

	hex_decode(set.baseline_hash, sizeof(set.baseline_hash), bytes_str(hash));
	return set;
}

TEST(a_set_is_read_as_it_was_written)
{
	struct policy_set set = a_set(), again;
	_cleanup_(buf_done) struct buf text = { 0 }, twice = { 0 };
	struct error err = { 0 };

	CHECK_OK(policy_set_write(&text, &set, &err));
	buf_add_str(&text, "\n\n\n"); /* what fills a seal up */
	CHECK_OK(policy_set_read(&again, buf_bytes(&text), &err));
	CHECK_STR(again.person, "alice");
	CHECK_STR(again.commit.mode, "remind");
	CHECK_EQ(again.commit.quiet_s, 30);
	CHECK_EQ(again.commit.remind_after_s, 600);
	CHECK_EQ(again.exempt_count, 2);
	CHECK_STR(again.exempt[0], "sat 22:00-04:00");
	CHECK(again.has_baseline && again.baseline_number == 7 && !memcmp(again.baseline_hash, set.baseline_hash, 32));
	CHECK_BYTES(again.baseline, "x\ny 1\n");
	CHECK_EQ(again.waiver_count, 2);
	CHECK_BYTES(again.waivers[1], "two\n");
	CHECK_EQ(again.pack_count, 2);
	CHECK_STR(again.packs[1].policy->name, "b");
	CHECK(policy_set_has_rule(&again, "a", "is-not") && !policy_set_has_rule(&again, "b", "is-not") &&
	      !policy_set_has_rule(&again, "c", "is-not"));
	CHECK_EQ(policy_set_check_driver(&again, "frr", &err), 0);
	CHECK_EQ(policy_set_check_driver(&again, "weos", &err), E_FORMAT);
	CHECK_OK(policy_set_write(&twice, &again, &err));
	buf_add_str(&twice, "\n\n\n");
	CHECK(bytes_equal(buf_bytes(&twice), buf_bytes(&text)));
	policy_set_done(&again);
}

TEST(a_set_that_is_empty_is_one)
{
	struct policy_set set;
	struct error err = { 0 };

	CHECK_OK(read_set(&set, "holdfast-policies/1\nperson: alice\n\n", &err));
	CHECK(!set.pack_count && !set.has_baseline && !*set.commit.mode);
	CHECK_OK(read_set(&set, "holdfast-policies/1\nperson: alice\n", &err)); /* a seal took the empty line off */
}

/* A part that ends in empty lines comes back from a seal without them, so they are never counted. */
TEST(what_a_seal_takes_off_the_end_is_never_part_of_a_set)
{
	_cleanup_(buf_done) struct buf pack = { 0 }, text = { 0 };
	struct policy_set set = { .person = "alice", .pack_count = 1 }, again;
	struct error err = { 0 };

	buf_add_str(&pack, pack_a);
	buf_add_str(&pack, "\n\n");
	set.packs[0].text = buf_bytes(&pack);
	CHECK_OK(policy_set_write(&text, &set, &err));
	CHECK(text.ptr[text.len - 1] == '\n' && text.ptr[text.len - 2] != '\n');
	CHECK_OK(policy_set_read(&again, buf_bytes(&text), &err));
	CHECK_BYTES(again.packs[0].text, pack_a);
	policy_set_done(&again);
}

TEST(a_head_that_does_not_hold_is_refused_with_its_line)
{
	refused("", E_FORMAT, "no set of policies");
	refused("holdfast-policies/2\nperson: a\n\n", E_FORMAT, "no set of policies");
	refused("holdfast-policies/1\n\n", E_FORMAT, "line 2 of the set: who put it together");
	refused("holdfast-policies/1\nperson: \n\n", E_FORMAT, "line 2");
	refused("holdfast-policies/1\nperson: Alice\n\n", E_FORMAT, "line 2");
	refused("holdfast-policies/1\nperson: a\nperson: b\n\n", E_FORMAT, "line 3 of the set: it comes twice");
	refused("holdfast-policies/1\nperson: a\ncolour: red\n\n", E_FORMAT, "line 3");
	refused("holdfast-policies/1\nperson: a\nexempt: daily 01:00-02:00\ncommit: mode=remind\n\n", E_FORMAT,
		"line 4 of the set: it is not in its place");
	refused("holdfast-policies/1\nperson: a\nperson: \x1b[31m\n\n", E_FORMAT, "line 3 of the set: it has a character");
	refused("holdfast-policies/1\nperson: a\ncommit: mode=save\n\n", E_FORMAT, "line 3 of the set: 'mode=save'");
	refused("holdfast-policies/1\nperson: a\ncommit: quiet=1 quiet=2\n\n", E_FORMAT, "'quiet=2'");
	refused("holdfast-policies/1\nperson: a\ncommit: quiet=0\n\n", E_FORMAT, "'quiet=0'");
	refused("holdfast-policies/1\nperson: a\ncommit: quiet=604801\n\n", E_FORMAT, "'quiet=604801'");
	refused("holdfast-policies/1\nperson: a\ncommit: quiet=010\n\n", E_FORMAT, "'quiet=010'");
	refused("holdfast-policies/1\nperson: a\ncommit: mode=remind \n\n", E_FORMAT, "mode=remind");
	refused("holdfast-policies/1\nperson: a\ncommit: \n\n", E_FORMAT, "commit");
	refused("holdfast-policies/1\nperson: a\nbaseline: 1 00 5\n\nabcde", E_FORMAT, "line 3");
	refused("holdfast-policies/1\nperson: a\nwaiver: -1\n\n", E_FORMAT, "line 3 of the set: a length");
	refused("holdfast-policies/1\nperson: a\nwaiver: 0\n\n", E_FORMAT, "line 3 of the set: a length");
	refused("holdfast-policies/1\nperson: a\nwaiver: 9007199254740992\n\n", E_FORMAT, "line 3 of the set: a length");
}

TEST(a_zero_byte_in_the_head_is_refused)
{
	static const char text[] = "holdfast-policies/1\nperson: a\0b\n\n";
	struct policy_set set;
	struct error err = { 0 };

	CHECK_EQ(policy_set_read(&set, bytes_of(text, sizeof(text) - 1), &err), E_FORMAT);
}

TEST(a_zero_byte_in_a_pack_is_refused)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct policy_set set;
	struct error err = { 0 };

	buf_addf(&text, "holdfast-policies/1\nperson: a\npolicy: %zu\n\n%s", strlen(pack_a), pack_a);
	text.ptr[text.len - 4] = 0;
	CHECK_EQ(policy_set_read(&set, buf_bytes(&text), &err), E_FORMAT);
	CHECK(strstr(err.text, "pack 1:"));
}

TEST(a_length_past_the_end_is_refused)
{
	refused("holdfast-policies/1\nperson: a\nwaiver: 5\n\nabcd", E_FORMAT, "waiver 1 has 5 bytes, and the set ends after 4");
	refused("holdfast-policies/1\nperson: a\nwaiver: 3\nwaiver: 2\n\nabcd", E_FORMAT, "waiver 2");
	refused("holdfast-policies/1\nperson: a\npolicy: 5\n\nabcd", E_FORMAT, "pack 1");
	refused("holdfast-policies/1\nperson: a\nwaiver: 4000000\n\nabcd", E_LIMIT, "line 3");
	refused("holdfast-policies/1\nperson: a\nwaiver: 2000000\npolicy: 2000000\n\nabcd", E_LIMIT, "line 4");
	refused("holdfast-policies/1\nperson: a\nwaiver: 4\n\nabcd\nmore", E_FORMAT, "behind the last part");
}

static void many(struct buf *text, const char *line, size_t count, const char *part)
{
	buf_add_str(text, "holdfast-policies/1\nperson: a\n");
	for (size_t i = 0; i < count; i++)
		buf_add_str(text, line);
	buf_add_char(text, '\n');
	for (size_t i = 0; i < count; i++)
		buf_add_str(text, part);
}

TEST(more_of_anything_than_there_may_be_is_refused)
{
	static const struct {
		const char *line, *part;
		size_t most;
	} cases[] = { { "policy: 1\n", "x", POLICY_SET_PACKS_MAX },
		      { "waiver: 1\n", "x", POLICY_SET_WAIVERS_MAX },
		      { "exempt: daily 01:00-02:00\n", "", POLICY_SET_EXEMPT_MAX } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf text = { 0 };

		many(&text, cases[i].line, cases[i].most + 1, cases[i].part);
		refused(buf_text(&text), E_LIMIT, "there are more than");
	}
}

TEST(two_packs_of_one_name_are_refused)
{
	struct policy_set set = { .person = "a",
				  .packs = { { .text = bytes_str(pack_a) }, { .text = bytes_str(pack_a) } },
				  .pack_count = 2 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	CHECK_EQ(policy_set_write(&text, &set, &err), E_FORMAT);
	CHECK(strstr(err.text, "pack 2: pack 1 has the same name"));
	CHECK_EQ(text.len, 0);
}

TEST(a_pack_that_does_not_parse_is_refused_with_line_and_column)
{
	struct policy_set set = { .person = "a", .packs = { { .text = bytes_str("holdfast-policy: 1\npack: 010\n") } }, .pack_count = 1 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	CHECK(policy_set_write(&text, &set, &err) < 0);
	CHECK(strstr(err.text, "pack 1:2:"));
}

/* ---- verdicts ---- */

struct round {
	struct policy *a, *b;
	struct report ra, rb;
	struct tree tree;
	struct verdict_sum sum;
};

static void go(struct round *r, const char *config, const struct waived *waived, size_t count)
{
	const struct policy_facts facts = { .driver = "frr", .model = "A1" };
	struct error err = { 0 };

	*r = (struct round){ 0 };
	CHECK_OK(policy_read(&r->a, "a", bytes_str(pack_a), &err));
	CHECK_OK(policy_read(&r->b, "b", bytes_str(pack_b), &err));
	if (config)
		CHECK_OK(tree_read(&r->tree, "frr", bytes_str(config), &err));
	policy_evaluate(&r->ra, r->a, config ? &r->tree : NULL, "it cannot be read", &facts, &policy_limits_agent);
	policy_evaluate(&r->rb, r->b, config ? &r->tree : NULL, "it cannot be read", &facts, &policy_limits_agent);
	verdict_sum(&r->sum, (struct judged[]){ { r->a, &r->ra }, { r->b, &r->rb } }, 2, waived, count);
}

static void over(struct round *r)
{
	verdict_sum_done(&r->sum);
	report_done(&r->ra);
	report_done(&r->rb);
	tree_done(&r->tree);
	policy_free(r->a);
	policy_free(r->b);
}

static void counts_are(const struct round *r, uint64_t pass, uint64_t fail, uint64_t unknown, uint64_t waived, uint64_t not_applicable)
{
	CHECK_EQ(r->sum.counts[STANDING_PASS], pass);
	CHECK_EQ(r->sum.counts[STANDING_FAIL], fail);
	CHECK_EQ(r->sum.counts[STANDING_UNKNOWN], unknown);
	CHECK_EQ(r->sum.counts[STANDING_WAIVED], waived);
	CHECK_EQ(r->sum.counts[STANDING_NOT_APPLICABLE], not_applicable);
}

TEST(a_verdict_counts_every_rule_once_by_context)
{
	struct round r;

	go(&r, "x\nline vty\n y 1\n y 2\n", NULL, 0);
	counts_are(&r, 1, 1, 1, 0, 1);
	CHECK_EQ(r.sum.section_count, 3);
	CHECK_STR(r.sum.sections[0], "a/config pass=1 fail=0 unknown=0 waived=0");
	CHECK_STR(r.sum.sections[1], "a/config/line vty pass=0 fail=1 unknown=0 waived=0");
	CHECK_STR(r.sum.sections[2], "b/config pass=0 fail=0 unknown=1 waived=0");
	CHECK_STR(buf_text(&r.sum.findings),
		  "a is-there pass\n\t1 config: 'x' is there\na is-not fail\n\t3 config/line vty: 'y 1' is there\n"
		  "\t4 config/line vty: 'y 2' is there\nb doubtful unknown\n\tthe configuration may be changed by something that "
		  "is not in it\n\t1 config: 'x' is there\nb other not-applicable\n\tit is for another model or firmware\n");
	over(&r);
}

TEST(what_is_waived_counts_as_that_and_what_passes_does_not)
{
	static const struct waived waived[] = {
		{ "a", "is-there" }, { "a", "is-not" }, { "b", "doubtful" }, { "b", "other" }, { "c", "is-not" }
	};
	struct round r;

	go(&r, "x\nline vty\n y 1\n", waived, ARRAY_SIZE(waived));
	counts_are(&r, 1, 0, 0, 2, 1);
	CHECK_STR(r.sum.sections[1], "a/config/line vty pass=0 fail=0 unknown=0 waived=1");
	CHECK(strstr(buf_text(&r.sum.findings), "a is-not waived\n\t3 config/line vty: 'y 1' is there\n"));
	over(&r);
}

TEST(what_cannot_be_read_is_unknown_and_passes_nothing)
{
	struct round r;

	go(&r, NULL, NULL, 0);
	counts_are(&r, 0, 0, 3, 0, 1);
	over(&r);
}

TEST(findings_come_back_as_they_were_said)
{
	_cleanup_(findings_done) struct findings findings = { 0 };
	struct error err = { 0 };
	struct bytes rest, text;
	struct round r;
	unsigned line;

	go(&r, "x\nline vty\n y 1\n y 2\n", NULL, 0);
	CHECK_OK(findings_read(&findings, buf_bytes(&r.sum.findings), &err));
	CHECK_EQ(findings.count, 4);
	CHECK_BYTES(findings.rules[1].rule, "is-not");
	CHECK_EQ(findings.rules[1].standing, STANDING_FAIL);
	rest = findings.rules[1].details;
	CHECK(findings_next(&rest, &line, &text) && line == 3);
	CHECK_BYTES(text, "config/line vty: 'y 1' is there");
	CHECK(findings_next(&rest, &line, &text) && line == 4);
	CHECK(!findings_next(&rest, &line, &text));
	rest = findings.rules[2].details;
	CHECK(findings_next(&rest, &line, &text) && line == 0);
	CHECK_BYTES(text, "the configuration may be changed by something that is not in it");
	over(&r);
}

TEST(findings_of_another_form_are_refused_with_their_line)
{
	static const char *const bad[] = { "\tno rule before it\n", "a b\n",        "a b maybe\n",   "a b pass \n", "a  pass\n",
					   " a b pass\n",           "a b pass\n\n", "a b pass\n\t\n" };
	struct findings findings;
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_EQ(findings_read(&findings, bytes_str(bad[i]), &err), E_FORMAT);
		CHECK(strstr(err.text, "of the findings is none"));
	}
}

/* Rules first: whatever is found, each has its line, and the text never outgrows its seal. */
TEST(findings_never_outgrow_their_seal)
{
	_cleanup_(buf_done) struct buf pack = { 0 }, config = { 0 };
	_cleanup_(policy_freep) struct policy *policy = NULL;
	_cleanup_(findings_done) struct findings findings = { 0 };
	const struct policy_facts facts = { .driver = "frr" };
	struct error err = { 0 };
	struct verdict_sum sum;
	struct report report;
	struct tree tree;

	buf_add_str(&pack, "holdfast-policy: 1\npack: p\ntitle: T\ndriver: frr\nrules:\n");
	for (unsigned i = 0; i < 4000; i++)
		buf_addf(&pack, "- {id: r%u, title: T, level: fundamental, severity: low, context: config, check: {absent: l%u *}}\n", i,
			 i % 20);
	for (unsigned i = 0; i < 320; i++)
		buf_addf(&config, "l%u %0150u\n", i % 20, i);
	CHECK_OK(policy_read(&policy, "p", buf_bytes(&pack), &err));
	CHECK_OK(tree_read(&tree, "frr", buf_bytes(&config), &err));
	policy_evaluate(&report, policy, &tree, NULL, &facts, &policy_limits_operator);
	verdict_sum(&sum, &(struct judged){ policy, &report }, 1, NULL, 0);
	CHECK(sum.findings.len <= VERDICT_FINDINGS_MAX && sum.findings.len > VERDICT_FINDINGS_MAX / 2);
	CHECK_OK(findings_read(&findings, buf_bytes(&sum.findings), &err));
	CHECK_EQ(findings.count, 4000);
	CHECK(strstr(buf_text(&sum.findings), "\tand 16 more\n"));
	verdict_sum_done(&sum);
	report_done(&report);
	tree_done(&tree);
}

TEST(more_contexts_than_a_statement_has_lines_are_summed_up)
{
	_cleanup_(buf_done) struct buf pack = { 0 };
	_cleanup_(policy_freep) struct policy *policy = NULL;
	const struct policy_facts facts = { .driver = "frr" };
	struct error err = { 0 };
	struct verdict_sum sum;
	struct report report;
	struct tree tree;

	buf_add_str(&pack, "holdfast-policy: 1\npack: p\ntitle: T\ndriver: frr\nrules:\n");
	for (unsigned i = 0; i < 100; i++)
		buf_addf(&pack,
			 "- {id: r%u, title: T, level: fundamental, severity: low, context: 'config/b%u \xc3\xa4', check: {absent: x}}\n",
			 i, i);
	CHECK_OK(policy_read(&policy, "p", buf_bytes(&pack), &err));
	CHECK_OK(tree_read(&tree, "frr", bytes_str("x\n"), &err));
	policy_evaluate(&report, policy, &tree, NULL, &facts, &policy_limits_agent);
	verdict_sum(&sum, &(struct judged){ policy, &report }, 1, NULL, 0);
	CHECK_EQ(sum.section_count, VERDICT_SECTIONS_MAX);
	CHECK_STR(sum.sections[0], "p/config/b0 ?? pass=1 fail=0 unknown=0 waived=0");
	CHECK_STR(sum.sections[VERDICT_SECTIONS_MAX - 1], "others pass=37 fail=0 unknown=0 waived=0");
	verdict_sum_done(&sum);
	report_done(&report);
	tree_done(&tree);
}
