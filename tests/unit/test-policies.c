/* tests/unit/test-policies.c -- policies on a device: which sets hold, what they change, when they are judged, and the statement about it.
 */
#include "tests/test.h"

#include "agent/apply-judge.h"
#include "agent/judge.h"
#include "agent/policy.h"
#include "agent/verdict.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { START_S = 1800000000, DAY_S = 86400 };

static const char pack[] = "holdfast-policy: 1\npack: plant\ntitle: T\ndriver: frr\nrules:\n"
			   "- {id: vty, title: T, level: fundamental, severity: low, context: config, check: {present: line vty}}\n"
			   "- {id: no-x, title: T, level: fundamental, severity: low, context: config/line vty, check: {absent: x}}\n";
static const char weos_pack[] = "holdfast-policy: 1\npack: other\ntitle: T\ndriver: weos\nrules:\n"
				"- {id: r, title: T, level: fundamental, severity: low, context: config, check: {present: x}}\n";

struct world {
	struct sign_key alice, bob, server, device;
	struct age_identity reader;
	struct root *root, *next; /* next: alice is no admin any more */
	char id[ID_LEN + 1];
};

static struct root *make_root(const struct world *w, const struct root *before, const char *admin, const char *metadata)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char key[SIGN_PUB_TEXT_MAX], recipient[AGE_RECIPIENT_LEN + 1];
	struct statement *st;
	struct root *root;
	struct error err = { 0 };
	size_t used;

	statement_begin(&text, STATEMENT_ROOT);
	if (before)
		statement_add(&text, "fleet", "%s", root_fleet(before));
	statement_add(&text, "version", "%llu", before ? (unsigned long long)root_version(before) + 1 : 1ULL);
	if (before)
		statement_add_hash(&text, "prev", statement_hash(root_statement(before)));
	statement_add_time(&text, "time", START_S);
	statement_add_time(&text, "expires", START_S + 365 * DAY_S);
	statement_add(&text, "name", "plant-a");
	statement_add(&text, "person", "alice");
	statement_add(&text, "person", "bob");
	sign_pub_text(key, &w->alice.pub);
	statement_add(&text, "key", "alice %s", key);
	sign_pub_text(key, &w->bob.pub);
	statement_add(&text, "key", "bob %s", key);
	age_recipient_text(recipient, &w->reader.pub);
	statement_add(&text, "reading-key", "alice %s", recipient);
	statement_add(&text, "role", "root alice");
	statement_add(&text, "role", "admin %s", admin);
	statement_add(&text, "role", "reader alice");
	statement_add(&text, "role", "deployer bob");
	if (metadata)
		statement_add(&text, "metadata", "%s", metadata);
	sign_pub_text(key, &w->server.pub);
	statement_add(&text, "archive", "%s", key);
	statement_add(&text, "tls-pin", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	statement_add(&text, "server", "localhost:8443");
	CHECK_OK(statement_sign(&text, &w->alice, &err));
	CHECK_OK(statement_parse(&st, buf_bytes(&text), false, &used, &err));
	CHECK_OK(root_new(&root, st, &err));
	return root;
}

static void begin(struct world *w)
{
	*w = (struct world){ 0 };
	sign_key_new(&w->alice);
	sign_key_new(&w->bob);
	sign_key_new(&w->server);
	sign_key_new(&w->device);
	age_identity_new(&w->reader);
	sign_pub_id(w->id, &w->device.pub);
	w->root = make_root(w, NULL, "alice", NULL);
	w->next = make_root(w, w->root, "bob", NULL);
}

static void end(struct world *w)
{
	sign_key_done(&w->alice);
	sign_key_done(&w->bob);
	sign_key_done(&w->server);
	sign_key_done(&w->device);
	age_identity_done(&w->reader);
	root_free(w->root);
	root_free(w->next);
}

struct waiver_plan {
	const char *fleet, *pack, *rule, *device, *person;
	const struct sign_key *key;
	int64_t until_s;
};

static void make_waiver(struct buf *out, const struct world *w, struct waiver_plan plan)
{
	struct error err = { 0 };

	statement_begin(out, STATEMENT_WAIVER);
	statement_add(out, "fleet", "%s", plan.fleet ? plan.fleet : root_fleet(w->root));
	statement_add(out, "policy", "%s", plan.pack ? plan.pack : "plant");
	statement_add(out, "rule", "%s", plan.rule ? plan.rule : "no-x");
	if (plan.device)
		statement_add(out, "device", "%s", plan.device);
	statement_add(out, "person", "%s", plan.person ? plan.person : "alice");
	statement_add_time(out, "time", START_S);
	statement_add_time(out, "until", plan.until_s ? plan.until_s : START_S + DAY_S);
	statement_add(out, "root", "1");
	statement_add(out, "reason", "the old switches need it");
	CHECK_OK(statement_sign(out, plan.key ? plan.key : &w->alice, &err));
}

static int check(struct policies *out, const struct world *w, const struct policy_set *set, const struct root *root, bool is_new,
		 struct error *err)
{
	const struct policies_owner owner = { w->id, "frr", root, device_driver("frr")->canonical };
	_cleanup_(buf_done) struct buf text = { 0 };

	CHECK_EQ(policy_set_write(&text, set, err), 0);
	return policies_check(out, buf_bytes(&text), &owner, is_new, err);
}

static struct policy_set set_of(const char *text)
{
	return (struct policy_set){ .person = "alice", .packs = { { .text = bytes_str(text) } }, .pack_count = 1 };
}

static void refused_waiver(const struct world *w, struct waiver_plan plan, const char *why)
{
	_cleanup_(buf_done) struct buf waiver = { 0 };
	struct policy_set set = set_of(pack);
	struct policies p;
	struct error err = { 0 };

	make_waiver(&waiver, w, plan);
	set.waivers[set.waiver_count++] = buf_bytes(&waiver);
	CHECK(check(&p, w, &set, w->root, true, &err) < 0);
	if (!strstr(err.text, "waiver 1") || !strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
}

/* ---- sets ---- */

TEST(a_set_that_holds_is_taken_whole)
{
	struct world w;
	struct policy_set set = set_of(pack);
	_cleanup_(policies_done) struct policies p = { 0 };
	struct settings_commit settings = { .mode = MODE_COMMIT, .quiet = 30, .remind = 900, .watch = 7 }, commit;
	_cleanup_(buf_done) struct buf canonical = { 0 };
	uint8_t same[APPLY_DIGEST_LEN];
	struct error err = { 0 };

	begin(&w);
	set.commit = (struct policy_commit){ "remind", 0, 60 };
	strcpy(set.exempt[set.exempt_count++], "sat 22:00-04:00");
	set.has_baseline = true;
	set.baseline_number = 7;
	set.baseline = bytes_str("Building configuration...\n!\nhostname r1\n!\nrouter ospf\n network 10.0.0.0/8 area 0\n");
	device_driver("frr")->canonical(&canonical, bytes_str("hostname r1\nrouter ospf\n network 10.0.0.0/8 area 0\n"));
	CHECK_OK(check(&p, &w, &set, w.root, true, &err));
	CHECK(p.is_there && p.has_baseline && p.baseline_number == 7 && p.pack_count == 1);
	CHECK_STR(p.packs[0], "plant");
	apply_digest(same, buf_bytes(&canonical), true);
	CHECK(!memcmp(same, p.baseline, sizeof(same)));
	commit = policies_commit(&p, &settings);
	CHECK(commit.mode == MODE_REMIND && commit.quiet == 30 && commit.remind == 60 && commit.watch == 7);
	end(&w);
}

TEST(a_pack_for_another_driver_is_refused)
{
	struct world w;
	struct policy_set set = set_of(weos_pack);
	struct policies p;
	struct error err = { 0 };

	begin(&w);
	CHECK_EQ(check(&p, &w, &set, w.root, true, &err), E_FORMAT);
	CHECK(strstr(err.text, "driver 'weos'"));
	end(&w);
}

TEST(a_window_that_is_none_is_refused)
{
	static const char *const bad[] = { "sat 22:00", "funday 22:00-23:00", "daily 24:00-25:00", "daily 01:00-01:00", "daily" };
	struct world w;
	struct policies p;
	struct error err = { 0 };

	begin(&w);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct policy_set set = set_of(pack);

		strcpy(set.exempt[set.exempt_count++], bad[i]);
		CHECK_EQ(check(&p, &w, &set, w.root, true, &err), E_FORMAT);
		CHECK(strstr(err.text, "window 1 is none"));
	}
	end(&w);
}

TEST(what_is_said_of_a_fault_in_the_clear_is_its_place_alone)
{
	static const char *const errors[][2] = {
		{ "pack 12:3:4: unknown key 'secret-plan'", "pack 12:3:4 does not hold: 'holdfast policy lint' says why" },
		{ "line 3 of the set: 'mode=x' says nothing", "line 3 of the set does not hold" },
		{ "waiver 1: it is of another fleet", "waiver 1: it is of another fleet" },
		{ "pack 1 is for devices with the driver 'weos', and this one has 'frr'",
		  "pack 1 is for devices with the driver 'weos', and this one has 'frr'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct error err = { 0 };

		error_set(&err, E_FORMAT, "%s", errors[i][0]);
		policies_only_place(&err);
		CHECK_STR(err.text, errors[i][1]);
	}
}

TEST(a_waiver_that_nobody_may_give_is_refused)
{
	struct world w;

	begin(&w);
	refused_waiver(&w, (struct waiver_plan){ .rule = "none" }, "no pack of the set has the rule");
	refused_waiver(&w, (struct waiver_plan){ .pack = "other" }, "no pack of the set has the rule");
	refused_waiver(&w, (struct waiver_plan){ .fleet = "aaaaaaaaaaaaaaaaaaaaaaaaaa" }, "another fleet");
	refused_waiver(&w, (struct waiver_plan){ .person = "bob", .key = &w.bob }, ""); /* who is no admin */
	refused_waiver(&w, (struct waiver_plan){ .person = "bob" }, "");                /* and whom alice says to be */
	refused_waiver(&w, (struct waiver_plan){ .key = &w.device }, "");
	end(&w);
}

TEST(what_is_no_waiver_is_refused)
{
	struct world w;
	struct policy_set set = set_of(pack);
	_cleanup_(buf_done) struct buf waiver = { 0 };
	struct policies p;
	struct error err = { 0 };

	begin(&w);
	set.waivers[0] = statement_whole(root_statement(w.root));
	set.waiver_count = 1;
	CHECK_EQ(check(&p, &w, &set, w.root, true, &err), E_FORMAT);
	make_waiver(&waiver, &w, (struct waiver_plan){ .until_s = 0 });
	buf_add_str(&waiver, "more\n");
	set.waivers[0] = buf_bytes(&waiver);
	CHECK_EQ(check(&p, &w, &set, w.root, true, &err), E_FORMAT);
	CHECK(strstr(err.text, "waiver 1"));
	end(&w);
}

TEST(a_waiver_waives_until_it_ends_and_only_what_it_names)
{
	struct world w;
	struct policy_set set = set_of(pack);
	_cleanup_(buf_done) struct buf all = { 0 }, other = { 0 };
	_cleanup_(policies_done) struct policies p = { 0 };
	struct waived waived[POLICY_SET_WAIVERS_MAX];
	struct error err = { 0 };

	begin(&w);
	make_waiver(&all, &w, (struct waiver_plan){ .device = w.id, .until_s = START_S + 100 });
	make_waiver(&other, &w, (struct waiver_plan){ .rule = "vty", .device = "aaaaaaaaaaaaaaaaaaaaaaaaaa" });
	set.waivers[0] = buf_bytes(&all);
	set.waivers[1] = buf_bytes(&other);
	set.waiver_count = 2;
	CHECK_OK(check(&p, &w, &set, w.root, true, &err));
	CHECK_EQ(policies_waived(waived, &p, START_S + 99), 1);
	CHECK_STR(waived[0].pack, "plant");
	CHECK_STR(waived[0].rule, "no-x");
	CHECK_EQ(policies_waived(waived, &p, START_S + 100), 0);
	end(&w);
}

/* It was in order when it came, so the set stays; but by the root in force nobody may give it any more. */
TEST(a_waiver_whose_signer_lost_the_role_waives_nothing_any_more)
{
	struct world w;
	struct policy_set set = set_of(pack);
	_cleanup_(buf_done) struct buf waiver = { 0 };
	_cleanup_(policies_done) struct policies p = { 0 };
	struct waived waived[POLICY_SET_WAIVERS_MAX];
	struct error err = { 0 };

	begin(&w);
	make_waiver(&waiver, &w, (struct waiver_plan){ .until_s = 0 });
	set.waivers[set.waiver_count++] = buf_bytes(&waiver);
	CHECK(check(&p, &w, &set, w.next, true, &err) < 0);
	CHECK_OK(check(&p, &w, &set, w.next, false, &err));
	CHECK_EQ(policies_waived(waived, &p, START_S), 0);
	end(&w);
}

TEST(a_window_is_exempt_while_it_holds)
{
	struct policies p = { .exempt = { "mon 01:00-02:00", "sat 22:00-04:00" }, .exempt_count = 2 };

	CHECK(!policies_exempt(&p, START_S)); /* a Friday, 08:00 */
	CHECK_STR(policies_exempt(&p, START_S + DAY_S + 15 * 3600), "sat 22:00-04:00");
	CHECK_STR(policies_exempt(&p, START_S + DAY_S + 19 * 3600), "sat 22:00-04:00");
	CHECK(!policies_exempt(&p, START_S + DAY_S + 20 * 3600));
}

/* ---- when ---- */

static struct judge_view due(uint8_t of)
{
	return (struct judge_view){ .has_set = true, .is_recorded = true, .of = { of } };
}

TEST(policies_are_judged_when_anything_they_depend_on_is_another_and_then_rest)
{
	struct judge j = { 0 };
	struct judge_view v = due(1);

	CHECK_EQ(judge_step(&j, &v, 5), JUDGE_ASK);
	v.judged[0] = 1;
	CHECK_EQ(judge_step(&j, &v, 6), JUDGE_REST);
	v.of[0] = 2;
	CHECK_EQ(judge_step(&j, &v, 7), JUDGE_ASK);
}

TEST(nothing_is_judged_without_a_set_before_it_is_recorded_during_an_order_or_into_a_full_spool)
{
	struct judge j = { 0 };
	struct judge_view v = due(1);

	v.has_set = false;
	CHECK_EQ(judge_step(&j, &v, 5), JUDGE_REST);
	v = due(1);
	v.is_recorded = false;
	CHECK_EQ(judge_step(&j, &v, 5), JUDGE_REST);
	v = due(1);
	v.is_busy = true;
	CHECK_EQ(judge_step(&j, &v, 5), JUDGE_REST);
	v = due(1);
	v.is_full = true;
	CHECK_EQ(judge_step(&j, &v, 5), JUDGE_REST);
	v = due(1);
	CHECK_EQ(judge_step(&j, &v, 5), JUDGE_ASK);
}

/* A device that changes all the time fills no archive. */
TEST(judging_is_rare_in_the_long_run_and_quick_at_first)
{
	struct judge j = { 0 };
	struct judge_view v = due(0);
	unsigned asked = 0;

	for (uint64_t now_ms = 1000000; now_ms < 1000000 + 60 * (uint64_t)JUDGE_PERIOD_MS; now_ms += 1000) {
		v.of[0]++;
		v.of[1] = 1;
		asked += judge_step(&j, &v, now_ms) == JUDGE_ASK;
		if (now_ms == 1000000 + (JUDGE_BURST - 1) * 1000)
			CHECK_EQ(asked, JUDGE_BURST);
	}
	CHECK(asked >= 60 && asked <= 60 + JUDGE_BURST);
}

TEST(a_set_that_kills_whoever_judges_it_is_given_up)
{
	struct judge j = { 0 };
	struct judge_view v = due(1);
	uint64_t now_ms = 1000000;

	for (unsigned i = 0; i < JUDGE_LOSSES; i++, now_ms += JUDGE_PERIOD_MS) {
		CHECK_EQ(judge_step(&j, &v, now_ms), JUDGE_ASK);
		judge_lost(&j);
	}
	CHECK_EQ(judge_step(&j, &v, now_ms), JUDGE_GIVE_UP);
	v.of[0] = 2; /* another configuration, or another set */
	CHECK_EQ(judge_step(&j, &v, now_ms + JUDGE_PERIOD_MS), JUDGE_ASK);
}

/* ---- what apply is asked, and says ---- */

TEST(what_is_judged_crosses_to_the_other_process_and_back)
{
	struct apply_judge ask = { .running = { 7 },
				   .model = "M",
				   .firmware = "1.2.3",
				   .waived = { { "plant", "no-x" } },
				   .waived_count = 1,
				   .packs = { bytes_str(pack) },
				   .pack_count = 1 };
	struct apply_judge *got = mem_alloc(sizeof(*got));
	_cleanup_(buf_done) struct buf body = { 0 }, answer = { 0 };
	struct verdict_sum sum, again;
	struct reader rd;
	struct error err = { 0 };

	apply_judge_put(&body, &ask);
	CHECK(apply_judge_get(got, buf_bytes(&body)));
	CHECK(got->running[0] == 7 && got->waived_count == 1 && got->pack_count == 1);
	CHECK_STR(got->firmware, "1.2.3");
	CHECK_OK(apply_judge(&sum, got, "frr", bytes_str("line vty\n x\n"), &err));
	CHECK(sum.counts[STANDING_PASS] == 1 && sum.counts[STANDING_WAIVED] == 1);
	apply_sum_put(&answer, &sum);
	rd = reader_over(buf_bytes(&answer));
	CHECK(apply_sum_get(&again, &rd));
	CHECK(!memcmp(again.counts, sum.counts, sizeof(sum.counts)) && again.section_count == 2);
	CHECK(bytes_equal(buf_bytes(&again.findings), buf_bytes(&sum.findings)));
	buf_truncate(&body, body.len - 1);
	CHECK(!apply_judge_get(got, buf_bytes(&body)));
	rd = reader_over(bytes_of(answer.ptr, answer.len - 1));
	verdict_sum_done(&again);
	CHECK(!apply_sum_get(&again, &rd));
	verdict_sum_done(&sum);
	free(got);
}

/* The process that touches the device is not believed: what it says goes into a signed statement. */
TEST(an_answer_that_no_statement_could_carry_is_refused)
{
	static const char *const bad[] = { "", " x", "x ", "a\nfail: 0", "\x1b[31m" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct verdict_sum sum = { .section_count = 1 }, again;
		_cleanup_(buf_done) struct buf answer = { 0 };
		struct reader rd;

		strcpy(sum.sections[0], bad[i]);
		apply_sum_put(&answer, &sum);
		rd = reader_over(buf_bytes(&answer));
		CHECK(!apply_sum_get(&again, &rd));
	}
}

/* ---- the statement ---- */

static void make_chain(struct chain *c, const struct world *w, struct snapshot_by *by, const struct root *root)
{
	static const struct device_facts facts;
	struct snapshot_input in = { .reason = "contact",
				     .driver = device_driver("frr"),
				     .running = bytes_str("hostname r1\n"),
				     .mode = "observe",
				     .note = "",
				     .facts = &facts };
	struct error err = { 0 };

	*by = (struct snapshot_by){ &w->device, w->id, root, NULL, START_S };
	*c = (struct chain){ .number = 1, .time_s = START_S };
	CHECK_OK(epoch_make(c, by, &err));
	CHECK_OK(snapshot_make(c, &in, by, &err));
}

static void judge(struct verdict_sum *sum)
{
	const struct policy_facts facts = { .driver = "frr" };
	struct policy_set set = set_of(pack), read;
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	CHECK_OK(policy_set_write(&text, &set, &err));
	CHECK_OK(policy_set_read(&read, buf_bytes(&text), &err));
	policy_set_judge(sum, &read, bytes_str("line vty\n x\n"), &facts, NULL, 0, &policy_limits_agent);
	policy_set_done(&read);
}

static struct statement *say(struct chain *c, const struct world *w, const struct root *root)
{
	static const uint8_t leaf[HASH_LEN] = { 9 };
	struct snapshot_by by;
	struct verdict_sum sum;
	struct verdict_input in = { 17, leaf, &sum };
	struct container container;
	struct error err = { 0 };
	size_t used;

	make_chain(c, w, &by, root);
	judge(&sum);
	CHECK_OK(verdict_make(c, &in, &by, &err));
	verdict_sum_done(&sum);
	CHECK_OK(container_parse(&container, buf_bytes(&c->newest), CONTAINER_ATTACHED, &used, &err));
	CHECK_OK(statement_verify_by(container.st, &w->device.pub, &err));
	CHECK(container_seal(&container, "findings").len > 0);
	return container.st;
}

static void level_is(const char *metadata, bool has_counts, size_t sections)
{
	struct world w;
	struct chain c;
	struct root *root;
	struct statement *st;
	uint8_t hash[HASH_LEN];
	uint64_t number;

	begin(&w);
	root = make_root(&w, NULL, "alice", metadata);
	st = say(&c, &w, root);
	CHECK_EQ(statement_type(st), STATEMENT_VERDICT);
	CHECK_EQ(statement_number(st, "number"), 4);
	CHECK(statement_get_point(&number, hash, st, "snapshot") && number == 3 && !memcmp(hash, c.running_hash, HASH_LEN));
	CHECK(statement_get_point(&number, hash, st, "policy") && number == 17 && hash[0] == 9);
	CHECK_EQ(statement_get(st, "fail") != NULL, has_counts);
	CHECK(!has_counts ||
	      (statement_number(st, "pass") == 1 && statement_number(st, "fail") == 1 && statement_number(st, "unknown") == 0));
	CHECK_EQ(statement_count(st, "section"), sections);
	CHECK(!memmem(c.newest.ptr, c.newest.len, "no-x", 4));
	CHECK(!memmem(c.newest.ptr, c.newest.len, "vty", 3) || sections);
	statement_free(st);
	root_free(root);
	chain_done(&c);
	end(&w);
}

TEST(a_verdict_says_in_the_clear_what_the_root_allows)
{
	level_is("minimal", false, 0);
	level_is(NULL, true, 0);
	level_is("counts", true, 0);
	level_is("sections", true, 2);
}

TEST(nothing_is_judged_before_it_was_recorded)
{
	struct world w;
	struct chain c = { .number = 1, .time_s = START_S };
	struct verdict_sum sum;
	struct verdict_input in = { 17, (const uint8_t[HASH_LEN]){ 9 }, &sum };
	struct snapshot_by by;
	struct error err = { 0 };

	begin(&w);
	by = (struct snapshot_by){ &w.device, w.id, w.root, NULL, START_S };
	judge(&sum);
	CHECK_EQ(verdict_make(&c, &in, &by, &err), E_FORMAT);
	CHECK_EQ(c.number, 1);
	verdict_sum_done(&sum);
	end(&w);
}
