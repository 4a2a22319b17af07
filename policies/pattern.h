/* policies/pattern.h -- what a rule looks for in one line: words, or a regular expression.
 *
 * Words   "user * role ...": each word as it stands; in a word `*` stands for any run of characters, `a|b` for one of two; `<value>` takes
 *         one word, `<rest>` at the end takes what is left of the line, and `...` at the end lets anything follow, or nothing
 * Regular expressions are PCRE2's, on bytes, without JIT, callouts and options at the begin.
 *
 * A line may hold TREE_SECRET where a secret is. What would depend on the secret is MATCH_MAYBE.
 *
 * A match is paid for from a purse: a step for each word and each few bytes that are compared, and before a regular expression is tried,
 * all steps that PCRE2 may take at most. So no pattern costs more than there is; without any left, nothing matches and nothing does not:
 * MATCH_MAYBE, with the reason in the purse. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum {
	PATTERN_LEN_MAX = 512,         /* bytes */
	PATTERN_WORDS_MAX = 32,
	PATTERN_SUBJECT_MAX = 4096,    /* bytes of a line that a regular expression is tried on */
	PATTERN_COMPILED_MAX = 1 << 16,
	PATTERN_NESTING_MAX = 16,      /* parentheses */
	PATTERN_STEPS_FIRST = 4,       /* PCRE2's match limit of a first try, so that what is easy costs little */
	PATTERN_STEPS_SECOND = 64,
	PATTERN_STEPS_THIRD = 1000,
	PATTERN_STEPS_MAX = 20000,     /* at each place where a match may begin */
	PATTERN_BYTES_PER_STEP = 4,    /* that are compared with words */
	PATTERN_DEPTH_MAX = 2000,      /* PCRE2's depth limit */
	PATTERN_HEAP_MAX = 1024,       /* KiB */
};

#define TREE_SECRET "{{secret}}"

enum match { MATCH_NO, MATCH_YES, MATCH_MAYBE };

struct purse {
	uint64_t left;
	uint32_t regex_steps; /* PCRE2's match limit of a last try; 0: PATTERN_STEPS_MAX */
	const char *empty;    /* why it is; NULL while it is not */
	struct pattern_room *room; /* memory that PCRE2 needs for a match, made when it is needed, for the next one too */
};
void purse_done(struct purse *purse);

/* False: there was less; it is empty now. */
bool purse_pay(struct purse *purse, uint64_t steps);

/* Many threads may match with one, each with a purse of its own. */
struct pattern;
/* E_FORMAT says what is wrong, without a place. */
int pattern_new_words(struct pattern **out, const char *text, struct error *err) _must_check_;
int pattern_new_regex(struct pattern **out, const char *text, struct error *err) _must_check_;
struct pattern *pattern_free(struct pattern *p);
const char *pattern_text(const struct pattern *p); /* as it was written */
bool pattern_takes_value(const struct pattern *p);  /* <value>, <rest>, or exactly one group */
size_t pattern_compiled_size(const struct pattern *p);
/* Of the first word, if every line that matches begins with it; 0 when not. As pattern_hash() of that word. */
uint32_t pattern_first(const struct pattern *p);
uint32_t pattern_hash(struct bytes word); /* never 0 */

/* line: words with one blank between. value: what it took, borrowed from line, on MATCH_YES; may be NULL. */
enum match pattern_match(const struct pattern *p, struct bytes line, struct bytes *value, struct purse *purse);
