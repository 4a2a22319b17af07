/* cli/remedy.h -- what puts failed rules right on one device: the remedies of a pack as the text that an order brings. Pure.
 *
 * A remedy names a context and lines. Where the context is one place, the lines are entered there, whether the block is there already or
 * not. Where it is a pattern ("config/iface ..."), they are entered in each block that it means and that the rule found wanting.
 *
 * Files are the exception: rules of nftables are commands and entered as they stand; in any other part a line takes the place of those in
 * its block that begin with the same word, or is added; "no WORDS" takes away the lines that begin so. rsyslog's rules are added, since
 * many of them begin alike; its `$directives` are not. */
#pragma once

#include "base/error.h"
#include "policies/policy.h"

enum { REMEDY_BY_HAND = 1 };

/* Blocks that go with the remedies of one order ("no user admin" in config/aaa): nothing is entered in them, or they would be there again.
 */
struct remedy_gone {
	size_t count;
	char **paths; /* "config/aaa/user admin" */
};
void remedy_gone_add(struct remedy_gone *gone, const struct rule *rule);
void remedy_gone_done(struct remedy_gone *gone);

/* The lines of a rule that failed, appended to out as a template (cli/template.h): values for its places come later. REMEDY_BY_HAND: there
 * is no text for it; *why (static) says why. */
int remedy_lines(struct buf *out, const char **why, const struct rule *rule, const struct ruling *ruling, const struct tree *tree,
		 const struct remedy_gone *gone, const char *driver);

/* Does the rule concern files that are changed as a whole? */
bool remedy_is_whole(const struct rule *rule, const char *driver);

/* Puts values into one line of a remedy. */
struct remedy_values {
	int (*render)(void *ctx, struct buf *out, struct bytes line, struct error *err);
	void *ctx;
};
/* The device's text (policies/files-text.h, secrets in it) with the lines of one rule in it, appended to out. REMEDY_BY_HAND as above. */
int remedy_edit(struct buf *out, const char **why, const struct rule *rule, struct bytes text, const struct remedy_values *values,
		struct error *err) _must_check_;

/* One remedy by itself, for any device: appended to out where its context is one place; false, and nothing, where it is a pattern. */
bool remedy_put(struct buf *out, const struct remedy *remedy, const char *driver);
