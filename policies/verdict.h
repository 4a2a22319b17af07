/* policies/verdict.h -- what all packs of a device say of one configuration: counts, counts for each context, and the text that is sealed
 * to readers (docs/reference/formats.md section 10). Pure.
 *
 * findings   <pack> <rule> <verdict>
 *            TAB <line of the configuration> <path>: <what was found>
 *            TAB <why nobody can say> */
#pragma once

#include "policies/policy.h"

enum {
	VERDICT_SECTIONS_MAX = 64,
	VERDICT_SECTION_LEN = 400,
	VERDICT_FINDINGS_MAX = 1 << 20, /* bytes; CONFIG_MAX of crypto/seal.h */
	VERDICT_RULES_MAX = 1 << 16,    /* that a reader takes */
};

/* A rule that fails, or is unknown, and is waived counts as that. */
enum standing { STANDING_PASS, STANDING_FAIL, STANDING_UNKNOWN, STANDING_WAIVED, STANDING_NOT_APPLICABLE };
enum { STANDINGS = STANDING_NOT_APPLICABLE + 1 };
const char *standing_name(enum standing standing); /* as the keys of the statement */
bool standing_parse(enum standing *out, struct bytes name);

/* A waiver that holds: signed by who may, for this device, and not ended. */
struct waived {
	const char *pack, *rule;
};

struct judged {
	const struct policy *policy;
	const struct report *report; /* of this policy */
};

struct verdict_sum {
	uint64_t counts[STANDINGS];
	char sections[VERDICT_SECTIONS_MAX]
		     [VERDICT_SECTION_LEN]; /* printable; what is beyond the last but one is summed up in the last, "others" */
	size_t section_count;
	struct buf findings; /* what does not fit is counted */
};
void verdict_sum(struct verdict_sum *out, const struct judged *packs, size_t pack_count, const struct waived *waived, size_t waived_count);
void verdict_sum_done(struct verdict_sum *sum);
/* How long the line of a rule may be. */
size_t verdict_line_len(const char *pack, const char *rule);

/* ---- findings, read back; everything borrows from the text ---- */

struct finding_rule {
	struct bytes pack, rule;
	enum standing standing;
	struct bytes details; /* its lines, with their tabs */
};
struct findings {
	struct finding_rule *rules;
	size_t count;
};
int findings_read(struct findings *out, struct bytes text, struct error *err) _must_check_;
void findings_done(struct findings *findings);
/* Takes the next of its details. line: of the configuration, 0: it says none; text: "<path>: <what>", or why nobody can say. */
bool findings_next(struct bytes *details, unsigned *line, struct bytes *text);
