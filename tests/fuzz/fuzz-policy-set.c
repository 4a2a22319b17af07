/* tests/fuzz/fuzz-policy-set.c -- a set of policies, and findings: what is read is within its bounds, and comes back when it is written
 * again. */
#include "tests/fuzz/fuzz.h"

#include "policies/policy-set.h"
#include "policies/verdict.h"

#include <string.h>

static bool lies_in(struct bytes part, struct bytes whole)
{
	return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

static void check_set(struct bytes in)
{
	_cleanup_(policy_set_done) struct policy_set set = { .person = "" }, again = { .person = "" };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	if (policy_set_read(&set, in, &err) < 0) {
		MUST(err.text[0] && !set.pack_count);
		return;
	}
	for (size_t i = 0; i < set.pack_count; i++)
		MUST(lies_in(set.packs[i].text, in) && policy_set_pack(&set, set.packs[i].policy->name) == set.packs[i].policy);
	for (size_t i = 0; i < set.waiver_count; i++)
		MUST(lies_in(set.waivers[i], in));
	if (policy_set_write(&text, &set, &err) < 0)
		return; /* a part of empty lines only has become longer */
	MUST(policy_set_read(&again, buf_bytes(&text), &err) == 0 && again.pack_count == set.pack_count &&
	     again.waiver_count == set.waiver_count);
	MUST(!strcmp(again.person, set.person) && again.exempt_count == set.exempt_count && again.has_baseline == set.has_baseline);
}

static void check_findings(struct bytes in)
{
	_cleanup_(findings_done) struct findings findings = { 0 };
	struct error err = { 0 };
	unsigned line;
	struct bytes text;

	if (findings_read(&findings, in, &err) < 0)
		return;
	for (size_t i = 0; i < findings.count; i++) {
		struct bytes details = findings.rules[i].details;

		MUST(lies_in(findings.rules[i].pack, in) && findings.rules[i].pack.len && findings.rules[i].rule.len);
		while (findings_next(&details, &line, &text))
			MUST(lies_in(text, in) && text.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_set(bytes_of(data, size));
	check_findings(bytes_of(data, size));
	return 0;
}
