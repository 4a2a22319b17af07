/* cli/advisory-match.h -- is a device affected by an advisory? Affected, not affected, or unknown, each with its reason. Pure.
 *
 * Unknown is an answer, and never hidden: it means that what the advisory says, or what is known of the device, does not decide it. Nothing
 * is guessed: a family that nobody told is not read off a model, a version that was not listed is not taken for a good one. */
#pragma once

#include "cli/advisory.h"

enum { FACT_MAX = 128, FACT_USES_MAX = 32 };

/* What is known of a device; "" for what is not. */
struct advisory_facts {
	char vendor[FACT_MAX], system[FACT_MAX] /* "WeOS" */, family[FACT_MAX], model[FACT_MAX], article[FACT_MAX], firmware[FACT_MAX],
		loader[FACT_MAX];
	size_t use_count;
	struct advisory_use {
		char feature[64];
		bool is_used;
	} uses[FACT_USES_MAX];
};
/* What the kind of driver says: vendor and system. */
void advisory_facts_of_driver(struct advisory_facts *facts, const char *driver);
/* A label "vendor:westermo", "family:lynx", "article:3641-0205", "uses-ipsec:no"; others are ignored. */
void advisory_facts_of_label(struct advisory_facts *facts, const char *label);
/* Cut at FACT_MAX. */
void advisory_fact_put(char out[static FACT_MAX], const char *text);
void advisory_facts_use(struct advisory_facts *facts, const char *feature, bool is_used);
enum answer advisory_facts_uses(const struct advisory_facts *facts, const char *feature);

enum { ADVISORY_REASON_MAX = 400 };

struct advisory_finding {
	enum answer affected;
	char reason[ADVISORY_REASON_MAX];
	char fix[64]; /* first version that is not affected any more, as the advisory says it; "" */
	bool fix_is_loader; /* of the boot loader, not of the firmware */
};

/* Remembers for one device what was decided of each product. */
struct advisory_match;
struct advisory_match *advisory_match_new(const struct advisory *a, const struct advisory_facts *facts);
void advisory_match_freep(struct advisory_match **m);
/* vuln: index into a->vulns. */
void advisory_match_vuln(struct advisory_finding *out, struct advisory_match *m, size_t vuln);
/* The worst of all: affected by one is affected. */
void advisory_match_all(struct advisory_finding *out, struct advisory_match *m);

/* A remediation or a flag: does it name a product, or a group with one, that is (or may be) this device? Also true when it names none. */
bool advisory_match_concerns(struct advisory_match *m, const json_t *item);

const char *advisory_answer_name(enum answer affected); /* "affected", "not-affected", "unknown" */
