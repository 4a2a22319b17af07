/* tests/unit/test-advisory.c -- advisories: versions and ranges are compared without guessing, dirty documents give the answer that they
 * can give, and every device is affected, not affected, or unknown with a reason. */
#include "tests/test.h"

#include "base/fs.h"
#include "cli/advisory-age.h"
#include "cli/advisory-match.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>

#define NO ANSWER_NO
#define WHO_KNOWS ANSWER_UNKNOWN
#define YES ANSWER_YES

/* ---- versions and ranges ---- */

TEST(a_version_is_numbers_between_dots_and_nothing_else_is_one)
{
	static const char *const good[] = { "4.24.0", "v5.24.0", "V1", " 5.23.0 ", "5.*", "4.33.0-rc1", "2017.12.0-10", "0" };
	static const char *const bad[] = {
		"",     " ",   "4.24.", ".4",  "4..2", "L206-F2G1", "1.2.3.4.5.6.7", "5.*.1", "4.24.0 and later", "12345678901",
		"5.x.", "n/a", "*",     "vv4", "4,2", "2023_v4.8.0.5715"
	};
	struct version v;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!version_parse(&v, good[i]))
			fail_msg("'%s' is refused", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (version_parse(&v, bad[i]))
			fail_msg("'%s' is taken", bad[i]);
}

static enum answer has(const char *range, const char *version)
{
	struct range r;
	struct version v;

	range_parse(&r, range);
	CHECK(version_parse(&v, version));
	return range_has(&r, &v);
}

TEST(a_range_holds_what_it_says_and_leaves_open_what_it_does_not)
{
	static const struct {
		const char *range, *version;
		enum answer answer;
	} rows[] = {
		{ "vers:intdot/>=5.0.0|<5.24.0", "5.23.9", YES },
		{ "vers:intdot/>=5.0.0|<5.24.0", "5.24.0", NO },
		{ "vers:intdot/>=5.0.0|<5.24.0", "4.33.1", NO },
		{ "vers:intdot/<=4.24", "4.24.3", NO },
		{ "vers:intdot/<=4.24", "4.24.0", YES },
		{ "<= 4.24", "4.24.3", WHO_KNOWS },
		{ "<= 4.24", "4.24.0", YES },
		{ "<= 4.24", "4.24", YES },
		{ "<= 4.24", "4.25.0", NO },
		{ "<4.24", "4.24.3", NO },
		{ "> 4.24", "4.24.3", WHO_KNOWS },
		{ ">= 4.24", "4.24.3", YES },
		{ "<= 4.24.3", "4.24", WHO_KNOWS },
		{ ">=4.0|<4.3", "4.2.9", YES },
		{ ">=4.0, <4.3", "3.9", NO },
		{ ">= 4.0 < 4.3", "4.3", NO },
		{ "<4.3|>=4.0", "4.2", YES },
		{ "<4.0|>=4.3", "4.2", NO },
		{ "<4.0|>=4.3", "4.4", YES },
		{ "<4.0|>=4.3|<4.5", "4.5", NO },
		{ "<4.2|<5.1", "3.0", WHO_KNOWS },
		{ ">=5.24.0|<5.0.0", "5.10.0", WHO_KNOWS },
		{ "4.21.0", "4.21.0", YES },
		{ "4.21.0|4.23.0", "4.22.0", NO },
		{ "!=4.21.0", "4.21.0", NO },
		{ "!=4.21.0", "4.22.0", YES },
		{ ">=4.0|!=4.21.0", "4.21.0", NO },
		{ "5.*", "5.26.0", YES },
		{ "5.*", "4.26.0", NO },
		{ ">=5.24|<=5.*", "5.26.1", YES },
		{ ">=5.24|<=5.*", "5.23.0", NO },
		{ ">=5.24|<=5.*", "6.0.0", NO },
		{ "<5.24.0", "5.24.0-rc1", WHO_KNOWS },
		{ "<5.24.0", "5.23.0-rc1", YES },
		{ "<2017.12.0-10", "2017.12.0-6", WHO_KNOWS },
		{ "vers:all/*", "1", YES },
		{ "*", "1", YES },
		{ "All versions", "1", YES },
		{ "vers:none/*", "1", NO },
		{ "vers:all/1.0", "1", WHO_KNOWS },
		{ "vers:deb/<1.0", "0.1", WHO_KNOWS },
		{ "vers:generic/<=4.24", "4.24.3", WHO_KNOWS },
		{ "vers:intdot", "1", WHO_KNOWS },
		{ "All versions before V5.20 (excluding 5.18.2)", "5.1", WHO_KNOWS },
		{ "All versions < V2.16.5", "2.16.4", YES },
		{ "All versions < V2.16.5", "2.16.5", NO },
		{ "all versions >= 4.0 < 4.3", "4.3", NO },
		{ "All versions prior to v10.16.1", "10.16.0", YES },
		{ "Versions before 5.20", "5.20", NO },
		{ "Version 4.2 and earlier versions", "4.2.0", YES },
		{ "4.2 and prior", "4.3", NO },
		{ "4.2 or later", "4.1", NO },
		{ "up to and including 4.2", "4.2", YES },
		{ "up to 4.2", "4.2", WHO_KNOWS },
		{ "before 4.2 and later", "4.1", WHO_KNOWS },
		{ "All versions before 4.2, 5.1", "4.1", WHO_KNOWS },
		{ "All versions < V5.5 SP2", "5.4", WHO_KNOWS },
		{ "All versions of 4.2", "4.2", WHO_KNOWS },
		{ "All versions 4.2", "4.2", WHO_KNOWS },
		{ "5.x", "5.26.0", YES },
		{ "<5.x", "5.1", NO },
		{ "FortiOS/7.4 all versions", "7.4", WHO_KNOWS },
		{ "vers:all/<V4.5", "4.4", WHO_KNOWS },
		{ "4.0 - 4.3", "4.1", WHO_KNOWS },
		{ "<", "4.1", WHO_KNOWS },
		{ "<4.24.", "4.1", WHO_KNOWS },
		{ "", "4.1", WHO_KNOWS },
		{ "1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16|17", "1", WHO_KNOWS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (has(rows[i].range, rows[i].version) != rows[i].answer)
			fail_msg("%s in '%s': %d", rows[i].version, rows[i].range, has(rows[i].range, rows[i].version));
}

/* ---- documents ---- */

static struct advisory *load(const char *name)
{
	const char *source = getenv("HOLDFAST_SOURCE");
	_cleanup_(mem_freep) char *path =
		mem_printf("%s/%s%s.json", source ? source : ".", strchr(name, '/') ? "" : "tests/advisories/", name);
	_cleanup_(buf_done) struct buf bytes = { 0 };
	struct advisory *a = NULL;
	struct error err = { 0 };

	if (fs_read(&bytes, path, ADVISORY_MAX, &err) != 0 || advisory_read(&a, buf_bytes(&bytes), &err) < 0)
		fail_msg("%s: %s", path, err.text);
	return a;
}

static struct advisory_facts weos(const char *model, const char *family, const char *firmware)
{
	struct advisory_facts f = { 0 };

	advisory_facts_of_driver(&f, "weos");
	advisory_fact_put(f.model, model);
	advisory_fact_put(f.family, family);
	advisory_fact_put(f.firmware, firmware);
	return f;
}

static struct advisory_finding found(const struct advisory *a, const struct advisory_facts *f)
{
	_cleanup_(advisory_match_freep) struct advisory_match *m = advisory_match_new(a, f);
	struct advisory_finding out;

	advisory_match_all(&out, m);
	CHECK(*out.reason); /* always */
	return out;
}

static void expect_facts(const char *name, const struct advisory_facts *f, enum answer answer)
{
	_cleanup_(advisory_freep) struct advisory *a = load(name);
	struct advisory_finding is = found(a, f);

	if (is.affected != answer)
		fail_msg("%s, %s %s: %s: %s", name, f->model, f->firmware, advisory_answer_name(is.affected), is.reason);
}

static void expect(const char *name, const char *model, const char *family, const char *firmware, enum answer answer)
{
	struct advisory_facts f = weos(model, family, firmware);

	expect_facts(name, &f, answer);
}

/* Fixing the first lands in the second: no version of WeOS 5 from the table is free of both, and WeOS 4 is free of both. */
TEST(every_weos_from_4_33_to_5_26_gets_the_right_answer_for_the_pair_of_2025)
{
	static const struct {
		const char *version;
		enum answer esp, media;
	} rows[] = {
		{ "4.33.0", NO, NO },
		{ "4.33.1", NO, NO },
		{ "4.33.2", NO, NO },
		{ "4.34.0", NO, NO },
		{ "5.0.0", YES, NO },
		{ "5.1.0", YES, NO },
		{ "5.2.0", YES, NO },
		{ "5.3.0", YES, NO },
		{ "5.4.0", YES, NO },
		{ "5.5.0", YES, NO },
		{ "5.6.0", YES, NO },
		{ "5.7.0", YES, NO },
		{ "5.8.0", YES, NO },
		{ "5.9.0", YES, NO },
		{ "5.10.0", YES, NO },
		{ "5.11.0", YES, NO },
		{ "5.12.0", YES, NO },
		{ "5.13.0", YES, NO },
		{ "5.14.0", YES, NO },
		{ "5.15.0", YES, NO },
		{ "5.16.0", YES, NO },
		{ "5.17.0", YES, NO },
		{ "5.18.0", YES, NO },
		{ "5.19.0", YES, NO },
		{ "5.20.0", YES, NO },
		{ "5.21.0", YES, NO },
		{ "5.22.0", YES, NO },
		{ "5.23.0", YES, NO },
		{ "v5.23.1", YES, NO },
		{ "5.24.0", NO, YES },
		{ "5.24.1", NO, YES },
		{ "5.25.0", NO, YES },
		{ "5.26.0", NO, YES },
		{ "6.0.0", NO, NO },
		{ "5.24.0-rc1", WHO_KNOWS, WHO_KNOWS },
		{ "", WHO_KNOWS, WHO_KNOWS },
		{ "main", WHO_KNOWS, WHO_KNOWS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		expect("cve-2025-46419", "L210-F2G", "", rows[i].version, rows[i].esp);
		expect("cve-2025-46418", "L210-F2G", "", rows[i].version, rows[i].media);
	}
}

TEST(a_range_with_its_fix_says_what_to_install)
{
	_cleanup_(advisory_freep) struct advisory *a = load("range-and-fix");
	struct advisory_facts f = weos("L210-F2G", "", "5.23.0");
	struct advisory_finding is = found(a, &f);

	CHECK_EQ(is.affected, YES);
	CHECK_STR(is.fix, "5.24.0");
	CHECK_STR(a->severity, "medium");
	CHECK_EQ(a->note_count, 0);
	expect("range-and-fix", "L210-F2G", "", "5.24.0", NO);
	expect("range-and-fix", "L210-F2G", "", "5.25.0", NO);
	expect("range-and-fix", "L210-F2G", "", "4.33.0", NO);
}

static void expect_fix(const char *model, const char *firmware, const char *fix)
{
	_cleanup_(advisory_freep) struct advisory *a = load("groups");
	struct advisory_facts f = weos(model, "", firmware);
	struct advisory_finding is = found(a, &f);

	CHECK_EQ(is.affected, YES);
	CHECK_STR(is.fix, fix);
}

TEST(of_several_fixes_the_next_one_of_its_own_series_is_named)
{
	expect_fix("L210-F2G", "4.33.1", "4.34.0");
	expect_fix("L210-F2G", "5.23.0", "5.26.0");
}

/* Which of the three remedies concern a device, as bits. */
static unsigned concerned(const char *model, const char *firmware)
{
	_cleanup_(advisory_freep) struct advisory *a = load("groups");
	struct advisory_facts f = weos(model, "", firmware);
	_cleanup_(advisory_match_freep) struct advisory_match *m = advisory_match_new(a, &f);
	unsigned bits = 0;

	for (size_t i = 0; i < json_array_size(a->vulns[0].remediations); i++)
		bits |= (unsigned)advisory_match_concerns(m, json_array_get(a->vulns[0].remediations, i)) << i;
	return bits;
}

TEST(what_to_do_is_said_to_the_products_and_groups_that_it_names)
{
	CHECK_EQ(concerned("L210-F2G", "4.33.1"), 1 | 4);
	CHECK_EQ(concerned("L210-F2G", "5.23.0"), 1);
	CHECK_EQ(concerned("Viper-112", "5.23.0"), 1 | 2 | 4);
}

TEST(a_group_without_products_is_noted)
{
	_cleanup_(advisory_freep) struct advisory *a = load("groups");

	CHECK_EQ(a->note_count, 1);
	CHECK_STR(a->notes[0], "a product group has no id or no products");
}

static void check_frr(const char *vendor, const char *product)
{
	_cleanup_(mem_freep) char *text =
		mem_printf("{\"holdfast-advisory\": 1, \"id\": \"X\", \"publisher\": \"Y\", \"title\": \"Z\", \"version\": \"1\", "
			   "\"released\": \"2026-01-01T00:00:00Z\","
			   " \"affected\": [{\"vendor\": \"%s\", \"product\": \"%s\", \"versions\": \"vers:intdot/<8.5.0\"}]}",
			   vendor, product);
	_cleanup_(advisory_freep) struct advisory *a = NULL;
	struct advisory_facts f = { 0 };
	struct error err = { 0 };

	CHECK_OK(advisory_read(&a, bytes_str(text), &err));
	advisory_facts_of_driver(&f, "frr");
	advisory_fact_put(f.firmware, "8.4.4");
	CHECK_EQ(found(a, &f).affected, YES);
	advisory_fact_put(f.firmware, "8.5.1");
	CHECK_EQ(found(a, &f).affected, NO);
	advisory_facts_of_driver(&f, "weos");
	CHECK_EQ(found(a, &f).affected, NO);
}

TEST(a_system_that_is_called_as_its_vendor_is_that_system)
{
	check_frr("FRRouting", "FRRouting");
	check_frr("frrouting", "frr"); /* what everybody calls it */
	check_frr("FRR", "FRRouting");
	check_frr("FRR", "FRR");
}

/* ---- how old ---- */

TEST(age_counts_from_the_first_publication_and_limits_go_by_severity)
{
	_cleanup_(advisory_freep) struct advisory *a = load("groups");
	const int64_t jan_20_s = 1768867200;
	struct age_limits limits;
	struct error err = { 0 };

	CHECK_EQ(age_days(a, jan_20_s), 10);
	CHECK_EQ(age_days(a, jan_20_s - 11 * 86400), 0); /* of the future: new */
	CHECK_EQ(age_severity_of(a), AGE_HIGH);
	CHECK_OK(age_limits_parse(&limits, "critical=7d,high=9d", &err));
	CHECK_EQ(age_over(&limits, AGE_HIGH, 10), 1);
	CHECK_EQ(age_over(&limits, AGE_HIGH, 9), 0);
	CHECK_EQ(age_over(&limits, AGE_LOW, 1000), 0);
	CHECK_EQ(age_over(&limits, AGE_CRITICAL, -1), 1); /* nobody says when */
	CHECK_OK(age_limits_parse(&limits, "36h", &err));
	CHECK_EQ(age_over(&limits, AGE_NONE, 3), 1);
	CHECK_OK(age_limits_parse(&limits, NULL, &err));
	CHECK_EQ(age_over(&limits, AGE_CRITICAL, -1), 0);
	CHECK_EQ(age_limits_parse(&limits, "", &err), CLI_USAGE);
	CHECK_EQ(age_limits_parse(&limits, "30", &err), CLI_USAGE);
	CHECK_EQ(age_limits_parse(&limits, "urgent=3d", &err), CLI_USAGE);
	CHECK_EQ(age_limits_parse(&limits, "high=", &err), CLI_USAGE);
}

TEST(a_model_beside_a_range_narrows_it_and_other_models_are_unknown)
{
	expect("model-beside-range", "L206-F2G1", "", "4.24", YES);
	expect("model-beside-range", "L206-F2G1", "", "4.24.0", YES);
	expect("model-beside-range", "L206-F2G1", "Lynx", "4.20.0", YES);
	expect("model-beside-range", "L206-F2G1", "", "4.24.3", WHO_KNOWS);
	expect("model-beside-range", "L206-F2G1", "", "4.33.0", NO);
	expect("model-beside-range", "L110-F2G", "Lynx", "4.24.0", WHO_KNOWS);
	expect("model-beside-range", "L110-F2G", "", "4.24.0", WHO_KNOWS);
	expect("model-beside-range", "L110-F2G", "Lynx", "4.33.0", NO);
	expect("model-beside-range", "RFI-219", "RedFox", "4.20.0", NO);
}

TEST(a_version_that_ends_in_a_dot_decides_nothing)
{
	_cleanup_(advisory_freep) struct advisory *a = load("trailing-dot");

	CHECK_EQ(a->note_count, 1);
	CHECK(strstr(a->notes[0], "ends in a dot"));
	expect("trailing-dot", "L206-F2G1", "", "4.24.0", WHO_KNOWS);
	expect("trailing-dot", "L206-F2G1", "", "4.24.5", WHO_KNOWS);
	expect("trailing-dot", "L206-F2G1", "", "4.33.0", WHO_KNOWS); /* nothing is said of it */
	expect("trailing-dot", "RFI-219", "RedFox", "4.24.0", NO);
}

TEST(one_listed_version_says_nothing_of_others)
{
	expect("one-version", "L210-F2G", "", "4.21.0", YES);
	expect("one-version", "L210-F2G", "", "4.22.0", WHO_KNOWS);
	expect("one-version", "L210-F2G-12VDC", "", "4.21.0", WHO_KNOWS);
	expect("one-version", "L110-F2G", "", "4.21.0", NO);
	expect("one-version", "", "", "4.21.0", WHO_KNOWS);
}

TEST(a_range_that_contradicts_its_own_name_is_unknown)
{
	expect("inverted", "MRD-305-DIN", "", "1.7.4.0", WHO_KNOWS);
	expect("inverted", "MRD-305-DIN", "", "1.7.7.0", WHO_KNOWS);
	expect("inverted", "MRD-355", "", "1.7.7.0", WHO_KNOWS);
	expect("inverted", "L210-F2G", "", "1.7.7.0", NO);
}

TEST(all_versions_of_a_model_are_that_models)
{
	expect("all-versions", "EDW-100", "", "1.0", YES);
	expect("all-versions", "EDW-100", "", "", YES);
	expect("all-versions", "L210-F2G", "", "5.23.0", NO);
}

TEST(prose_is_unknown_and_listed)
{
	_cleanup_(advisory_freep) struct advisory *a = load("prose");

	CHECK_EQ(a->note_count, 2);
	CHECK(strstr(a->notes[0], "excluding") && strstr(a->notes[1], "where one version belongs"));
	expect("prose", "L210-F2G", "", "5.1.0", WHO_KNOWS);
	expect("prose", "L210-F2G", "", "4.1.0", YES); /* the second says so by itself */
}

TEST(firmware_on_a_model_takes_both)
{
	expect("installed-on", "L210-F2G", "", "5.19.0", YES);
	expect("installed-on", "L110-F2G", "", "5.19.0", YES);
	expect("installed-on", "L110-F2G", "", "5.20.0", NO);
	expect("installed-on", "L110-F2GX", "", "5.19.0", NO);
	expect("installed-on", "", "", "5.19.0", WHO_KNOWS);
}

TEST(circles_and_products_that_are_nowhere_explained_are_unknown)
{
	struct advisory_facts other = { 0 };

	expect("circle", "L210-F2G", "", "5.19.0", WHO_KNOWS);
	expect("dangling", "L210-F2G", "", "5.19.0", WHO_KNOWS);
	advisory_facts_of_driver(&other, "frr");
	expect_facts("dangling", &other, NO);
}

/* Forty products, each made of the next one twice: if nothing were remembered it would be 2^32 calls. */
TEST(a_circle_of_pairs_costs_no_more_than_its_length)
{
	_cleanup_(advisory_freep) struct advisory *a = NULL;
	struct advisory_facts f = weos("L210-F2G", "", "5.19.0");
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	buf_add_str(&text, "{\"document\": {\"csaf_version\": \"2.0\", \"publisher\": {\"namespace\": \"x\"}, \"tracking\": {\"id\": "
			   "\"X\", \"version\": "
			   "\"1\"}}, \"product_tree\": {\"relationships\": [");
	for (int i = 0; i < 40; i++)
		buf_addf(&text,
			 "%s{\"category\": \"installed_on\", \"product_reference\": \"P%d\", \"relates_to_product_reference\": \"P%d\", "
			 "\"full_product_name\": {\"name\": \"p\", \"product_id\": \"P%d\"}}",
			 i ? ", " : "", (i + 1) % 40, (i + 1) % 40, i);
	buf_add_str(&text, "]}, \"vulnerabilities\": [{\"product_status\": {\"known_affected\": [\"P0\"]}}]}");
	CHECK_OK(advisory_read(&a, buf_bytes(&text), &err));
	CHECK_EQ(found(a, &f).affected, WHO_KNOWS);
}

TEST(another_vendors_device_is_not_affected_and_one_of_no_vendor_is_unknown)
{
	struct advisory_facts f = { 0 };

	advisory_fact_put(f.firmware, "5.23.0");
	expect_facts("cve-2025-46419", &f, WHO_KNOWS);
	advisory_facts_of_driver(&f, "frr");
	expect_facts("cve-2025-46419", &f, NO);
}

TEST(a_feature_that_is_not_used_is_not_affected_and_one_that_nobody_knows_of_is_unknown)
{
	struct advisory_facts f = weos("L210-F2G", "", "5.23.0");

	expect_facts("hand-written", &f, WHO_KNOWS);
	advisory_facts_of_label(&f, "uses-ipsec:yes");
	expect_facts("hand-written", &f, YES);
	advisory_facts_of_label(&f, "uses-ipsec:no");
	expect_facts("hand-written", &f, NO);
	f = weos("L210-F2G", "", "5.24.0");
	expect_facts("hand-written", &f, NO);
}

TEST(the_template_for_our_own_advisories_is_read_whole)
{
	_cleanup_(advisory_freep) struct advisory *a = load("docs/templates/advisory.csaf");
	struct advisory_facts f = { .vendor = "Holdfast", .system = "holdfastd", .firmware = "0.1.0" };
	struct advisory_finding is = found(a, &f);

	CHECK_EQ(a->note_count, 1);
	CHECK_STR(a->notes[0], "it is a draft");
	CHECK_EQ(is.affected, YES);
	CHECK_STR(is.fix, "0.1.1");
	advisory_fact_put(f.firmware, "0.1.1");
	CHECK_EQ(found(a, &f).affected, NO);
}

/* ---- bad input: each with its error ---- */

static void refused(const char *text, int code, const char *says)
{
	struct advisory *a = NULL;
	struct error err = { 0 };
	int r = advisory_read(&a, bytes_str(text), &err);

	if (r != code || !strstr(err.text, says))
		fail_msg("%.200s: %d, %s", text, r, err.text);
	advisory_free(a);
}

#define HEAD "\"csaf_version\": \"2.0\", \"publisher\": {\"namespace\": \"x\"}, "
#define TRACKING "\"tracking\": {\"id\": \"X-1\", \"version\": \"1\"}"

static void expect_noted(const char *text, const char *firmware, enum answer answer)
{
	_cleanup_(advisory_freep) struct advisory *a = NULL;
	struct advisory_facts f = weos("L210-F2G", "Lynx", firmware);
	struct error err = { 0 };

	CHECK_OK(advisory_read(&a, bytes_str(text), &err));
	CHECK_EQ(found(a, &f).affected, answer);
	CHECK(a->note_count);
}

static void expect_inline(const char *text, const char *firmware, enum answer answer, const char *note)
{
	_cleanup_(advisory_freep) struct advisory *a = NULL;
	struct advisory_facts f = weos("L210-F2G", "Lynx", firmware);
	struct advisory_finding is;
	struct error err = { 0 };

	CHECK_OK(advisory_read(&a, bytes_str(text), &err));
	is = found(a, &f);
	if (is.affected != answer)
		fail_msg("%s: %s: %s", firmware, advisory_answer_name(is.affected), is.reason);
	CHECK(note ? a->note_count == 1 && strstr(a->notes[0], note) : !a->note_count);
}

#define TREE(leaf) "\"product_tree\": {\"branches\": [{\"category\": \"vendor\", \"name\": \"Westermo\", \"branches\": [{\"category\":" \
	" \"product_name\", \"name\": \"WeOS\", \"branches\": [" leaf "]}]}]}, "
#define PRODUCT "\"product\": {\"name\": \"x\", \"product_id\": \"P\"}}"
#define STATUS(status) "\"vulnerabilities\": [{\"cve\": \"CVE-2026-0001\", \"product_status\": {\"" status "\": [\"P\"]}}]}"

TEST(a_service_pack_of_a_version_says_nothing_of_the_version_without_it)
{
#define PACKED(status) \
	"{\"document\": {" HEAD TRACKING "}, " TREE("{\"category\": \"product_version\", \"name\": \"5.20.0\", \"branches\": [" \
						    "{\"category\": \"service_pack\", \"name\": \"SP 2\", " PRODUCT "]}") STATUS(status)
	expect_inline(PACKED("fixed"), "5.20.0", WHO_KNOWS, "service pack");
	expect_inline(PACKED("known_affected"), "5.20.0", WHO_KNOWS, "service pack");
	expect_inline(PACKED("known_affected"), "5.21.0", WHO_KNOWS, "service pack"); /* only that one was listed */
}

TEST(a_byte_order_mark_in_front_is_no_reason_to_refuse)
{
#define PLAIN \
	"{\"document\": {" HEAD TRACKING \
	"}, " TREE("{\"category\": \"product_version_range\", \"name\": \"All versions < V5.20\", " PRODUCT) STATUS("known_affected")
	expect_inline("\xef\xbb\xbf" PLAIN, "5.19.0", YES, NULL);
	expect_inline(PLAIN, "5.20.0", NO, NULL);
	refused("\xef\xbb\xbf", E_FORMAT, "line");
}

TEST(who_is_affected_is_unknown_where_only_what_is_fixed_is_listed_or_nothing_is)
{
#define LISTED(status) \
	"{\"document\": {" HEAD TRACKING "}, " TREE("{\"category\": \"product_version\", \"name\": \"5.24.0\", " PRODUCT) STATUS(status)
#define RECORD(vendor, product) \
	"{\"dataType\": \"CVE_RECORD\", \"dataVersion\": \"5.1\", \"cveMetadata\": {\"cveId\": \"CVE-2026-0003\"}, \"containers\":" \
	" {\"cna\": {\"affected\": [{\"vendor\": \"" vendor "\", \"product\": \"" product \
	"\", \"versions\": [{\"version\": \"n/a\", \"status\": \"affected\"}]}]}}}"
	expect_inline(LISTED("fixed"), "5.24.0", NO, NULL);
	expect_inline(LISTED("fixed"), "5.20.0", WHO_KNOWS, NULL);
	expect_inline(LISTED("known_not_affected"), "5.20.0", WHO_KNOWS, NULL);
	expect_inline(LISTED("recommended"), "5.20.0", WHO_KNOWS, NULL);
	expect_inline("{\"document\": {" HEAD TRACKING "}, " TREE("{\"category\": \"product_version\", \"name\": \"5.24.0\", " PRODUCT)
		      "\"vulnerabilities\": [{\"cve\": \"CVE-2026-0001\"}]}", "5.20.0", WHO_KNOWS, NULL);
	expect_noted(RECORD("n/a", "n/a"), "5.20.0", WHO_KNOWS);
	expect_noted(RECORD("Example", "Router"), "5.20.0", NO);
}

TEST(commits_of_git_are_no_versions)
{
	/* "1da177e" would read as 1, and every 4.x as later than it */
	expect_inline(
		"{\"dataType\": \"CVE_RECORD\", \"dataVersion\": \"5.1\", \"cveMetadata\": {\"cveId\": \"CVE-2026-0002\"}, \"containers\": "
		"{\"cna\":"
		" {\"affected\": [{\"vendor\": \"Westermo\", \"product\": \"WeOS\", \"defaultStatus\": \"unaffected\", \"versions\": ["
		"{\"version\": \"1da177e\", \"lessThan\": \"9c1f2ab\", \"versionType\": \"git\", \"status\": \"affected\"}]}]}}}",
		"5.19.0", WHO_KNOWS, "commits");
}

TEST(what_is_no_advisory_is_refused_with_its_reason)
{
	refused("", E_FORMAT, "line");
	refused("{", E_FORMAT, "line");
	refused("[]", E_FORMAT, "no JSON object");
	refused("{}", E_FORMAT, "no CSAF document");
	refused("{\"a\": 1, \"a\": 2}", E_FORMAT, "duplicate");
	refused("{\"document\": {" HEAD "\"title\": \"x\"}}", E_FORMAT, "tracking.id");
	refused("{\"document\": {\"csaf_version\": \"1.2\", " TRACKING "}}", E_FORMAT, "csaf_version");
	refused("{\"document\": {\"csaf_version\": \"2.0\", " TRACKING "}}", E_FORMAT, "publisher.namespace");
	refused("{\"document\": {" HEAD "\"tracking\": {\"id\": \"X\"}}}", E_FORMAT, "tracking.version");
	refused("{\"document\": {" HEAD "\"tracking\": {\"id\": \"a\\nb\", \"version\": \"1\"}}}", E_FORMAT, "its id");
	refused("{\"document\": {" HEAD "\"tracking\": {\"id\": \"\", \"version\": \"1\"}}}", E_FORMAT, "its id");
	refused("{\"dataType\": \"CVE_RECORD\", \"dataVersion\": \"4.0\"}", E_FORMAT, "another version");
	refused("{\"dataType\": \"CVE_RECORD\", \"dataVersion\": \"5.0\"}", E_FORMAT, "cveMetadata.cveId");
	refused("{\"dataType\": \"CVE_RECORD\", \"dataVersion\": \"5.0\", \"cveMetadata\": {\"cveId\": \"CVE-1\", \"state\": "
		"\"REJECTED\"}}",
		E_FORMAT, "rejected");
}

#define BY_HAND \
	"{\"holdfast-advisory\": 1, \"id\": \"X\", \"publisher\": \"x\", \"title\": \"x\", \"version\": \"1\", \"released\": " \
	"\"2026-01-01T00:00:00Z\""

TEST(a_hand_written_advisory_is_strict)
{
	refused(BY_HAND "}", E_FORMAT, "'affected' is missing");
	refused(BY_HAND ", \"affected\": [], \"fix\": \"1\"}", E_FORMAT, "unknown key 'fix'");
	refused(BY_HAND ", \"affected\": {}}", E_FORMAT, "'affected' is not");
	refused(BY_HAND ", \"affected\": [{\"vendor\": \"x\", \"versions\": \"<1\"}]}", E_FORMAT, "neither 'product'");
	refused(BY_HAND ", \"affected\": [{\"vendor\": \"x\", \"product\": \"y\", \"versions\": \"some before 1\"}]}", E_FORMAT, "entry 1");
	refused(BY_HAND ", \"affected\": [{\"vendor\": \"x\", \"product\": \"y\", \"versions\": \"<1\", \"of\": \"z\"}]}", E_FORMAT,
		"'of'");
	refused(BY_HAND ", \"affected\": [], \"score\": 11}", E_FORMAT, "'score'");
	refused("{\"holdfast-advisory\": 2}", E_FORMAT, "missing");
}

TEST(a_document_past_a_bound_is_refused_before_it_is_read)
{
	_cleanup_(buf_done) struct buf deep = { 0 }, many = { 0 };
	struct advisory *a = NULL;
	struct error err = { 0 };

	buf_extend(&many, ADVISORY_MAX + 1);
	CHECK_EQ(advisory_read(&a, buf_bytes(&many), &err), E_LIMIT);
	buf_add_str(&deep, "{\"document\": {" HEAD TRACKING "}, \"product_tree\": ");
	for (int i = 0; i <= ADVISORY_DEPTH_MAX; i++)
		buf_add_str(&deep, "{\"category\": \"vendor\", \"name\": \"x\", \"branches\": [");
	for (int i = 0; i <= ADVISORY_DEPTH_MAX; i++)
		buf_add_str(&deep, "]}");
	buf_add_str(&deep, "}");
	CHECK_EQ(advisory_read(&a, buf_bytes(&deep), &err), E_LIMIT);
	CHECK(strstr(err.text, "deeper"));
}
