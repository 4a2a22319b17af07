/* tests/unit/test-cli-open-verdict.c -- what policies said of a device opens to what it found, and no other verdict takes its place. */
#include "tests/test.h"
#include "tests/unit/liar.h"

#include "agent/verdict.h"
#include "cli/cli.h"

#include <stdio.h>

static uint64_t judge(struct world *w, struct device *d, const char *findings)
{
	static const uint8_t leaf[HASH_LEN] = { 7 };
	struct snapshot_by by = by_of(w, d);
	struct verdict_sum sum = { .counts = { [STANDING_PASS] = 2, [STANDING_FAIL] = 1 } };
	struct verdict_input in = { .order = 5, .leaf = leaf, .sum = &sum };
	struct error err = { 0 };

	buf_add_str(&sum.findings, findings);
	CHECK_OK(verdict_make(&d->chain, &in, &by, &err));
	verdict_sum_done(&sum);
	keep(w, d, d->chain.number, buf_bytes(&d->chain.newest));
	return d->chain.number;
}

static int try_verdict(struct world *w, const struct device *d, uint64_t number, uint64_t at_least, bool with_findings, struct error *err)
{
	_cleanup_(opened_done) struct opened v = { 0 };
	struct open_wanted wanted = { d->d.id, number, at_least };

	*err = (struct error){ 0 };
	return opener_verdict(&v, w->opener, &wanted, with_findings, err);
}

static void check_verdict_refused(struct world *w, const struct device *d, uint64_t number, uint64_t at_least, const char *says)
{
	struct error err = { 0 };

	CHECK_EQ(try_verdict(w, d, number, at_least, true, &err), E_SEAL);
	if (!strstr(err.text, says))
		fail_msg("'%s' does not say '%s'", err.text, says);
	forget_lies(w);
	CHECK_OK(try_verdict(w, d, number, 0, true, &err));
}

TEST(a_verdict_opens_to_what_the_device_found)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(opened_done) struct opened v = { 0 };
	struct open_wanted wanted = { .id = w->r1.d.id };
	struct error err = { 0 };
	uint64_t number;

	CHECK_EQ(try_verdict(w, &w->r1, 0, 0, true, &err), CLI_ABSENT);
	judge(w, &w->r1, "p one fail\n\t3 config: 'x' is there\n");
	number = judge(w, &w->r1, "p one pass\n");
	new_opener(w);
	CHECK_OK(opener_verdict(&v, w->opener, &wanted, true, &err));
	CHECK_EQ(statement_number(v.st, "number"), number);
	CHECK_EQ(statement_number(v.st, "fail"), 1);
	CHECK_BYTES(buf_bytes(&v.findings), "p one pass\n");
	CHECK_EQ(try_verdict(w, &w->r1, number + 1, 0, true, &err), CLI_ABSENT);
}

TEST(an_auditor_opens_findings_and_a_stranger_counts_only)
{
	_cleanup_(world_freep) struct world *w = world_new();
	struct error err = { 0 };

	judge(w, &w->r1, "p one pass\n");
	w->key = &w->auditor;
	new_opener(w);
	CHECK_OK(try_verdict(w, &w->r1, 0, 0, true, &err));
	w->key = &w->stranger;
	new_opener(w);
	CHECK_EQ(try_verdict(w, &w->r1, 0, 0, true, &err), E_DENIED);
	CHECK_OK(try_verdict(w, &w->r1, 0, 0, false, &err));
}

TEST(a_verdict_that_is_not_the_one_is_found_out)
{
	_cleanup_(world_freep) struct world *w = world_new();
	_cleanup_(buf_done) struct buf full = { 0 };
	char first[32];
	uint64_t old = judge(w, &w->r1, "p one fail\n"), newest = judge(w, &w->r1, "p one pass\n");

	judge(w, &w->r2, "p one pass\n");
	put_full(&full, &w->r1, old);
	snprintf(first, sizeof(first), "verdicts/%llu", (unsigned long long)old);
	put_full(lie(w, &w->r1, "verdict"), &w->r1, old);
	check_verdict_refused(w, &w->r1, 0, newest, "as the newest");
	put_full(lie(w, &w->r1, "verdict"), &w->r2, w->r2.chain.number);
	check_verdict_refused(w, &w->r1, 0, 0, "it is of device");
	put_full(lie(w, &w->r1, "verdict"), &w->r1, 3);
	check_verdict_refused(w, &w->r1, 0, 0, "not one verdict");
	put_full(lie(w, &w->r1, first), &w->r1, newest);
	check_verdict_refused(w, &w->r1, old, 0, "it is number");
	sign_again(lie(w, &w->r1, "verdict"), buf_bytes(&full), &w->r2.d.key);
	check_verdict_refused(w, &w->r1, 0, 0, "verdict");
	buf_add_bytes(lie(w, &w->r1, "verdict"), buf_bytes(&full));
	w->lies[0].answer.ptr[full.len - 1] ^= 1; /* in what is sealed */
	check_verdict_refused(w, &w->r1, 0, 0, "verdict");
}
