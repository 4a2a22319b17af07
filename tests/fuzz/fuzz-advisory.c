/* tests/fuzz/fuzz-advisory.c -- an advisory that somebody wrote: whatever is taken has an answer with a reason for every device. */
#include "tests/fuzz/fuzz.h"

#include "cli/advisory-match.h"

#include <string.h>

static void check(const struct advisory *a, const struct advisory_facts *facts)
{
	_cleanup_(advisory_match_freep) struct advisory_match *m = advisory_match_new(a, facts);
	struct advisory_finding all, one;
	enum answer worst = ANSWER_NO;

	advisory_match_all(&all, m);
	MUST(*all.reason && all.affected <= ANSWER_YES);
	for (size_t i = 0; i < a->vuln_count; i++) {
		advisory_match_vuln(&one, m, i);
		MUST(*one.reason && (one.affected != ANSWER_NO || !*one.fix));
		worst = one.affected > worst ? one.affected : worst;
	}
	MUST(!a->vuln_count || all.affected == worst);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(advisory_freep) struct advisory *a = NULL;
	struct advisory_facts facts = { 0 };
	struct error err = { 0 };

	if (advisory_read(&a, bytes_of(data, size), &err) < 0) {
		MUST(err.code == E_FORMAT || err.code == E_LIMIT);
		MUST(*err.text);
		return 0;
	}
	MUST(*a->id && strlen(a->id) <= ADVISORY_ID_MAX && *a->severity);
	MUST(a->note_count <= ADVISORY_NOTES_MAX || a->notes[ADVISORY_NOTES_MAX - 1]);
	check(a, &facts);
	advisory_facts_of_driver(&facts, "weos");
	check(a, &facts);
	advisory_fact_put(facts.model, "L206-F2G1");
	advisory_fact_put(facts.firmware, "5.23.0");
	check(a, &facts);
	advisory_facts_of_label(&facts, "family:lynx");
	advisory_facts_of_label(&facts, "uses-ipsec:yes");
	check(a, &facts);
	return 0;
}
