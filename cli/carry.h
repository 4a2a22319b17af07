/* cli/carry.h -- carries a batch out: shows it, asks, signs, posts, and waits for what becomes of it. The end of every command that gives
 * orders. */
#pragma once

#include "cli/args.h"
#include "cli/making.h"
#include "cli/rollout.h"

/* Options that all of them have: --reason, --ticket, --yes, --no-wait, --timeout. */
#define CARRY_OPTIONS                                                                                              \
	{ "reason", 0, "TEXT", "why: it stays in the archive", false },                                            \
	{ "ticket", 0, "TEXT", "the ticket that it belongs to", false },                                           \
	{ "yes", 'y', NULL, "do not ask", false },                                                                 \
	{ "no-wait", 0, NULL, "do not wait for what becomes of it", false },                                       \
	{ "timeout", 0, "DURATION", "how long to wait at most", false }

/* --reason, or or_else when it is not given; CLI_USAGE when there is neither. */
int carry_reason(const char **out, const struct args *args, const char *or_else, struct error *err) _must_check_;
/* Shows the rows, asks, signs and posts; id: of the batch. question: as below. */
int carry_post(char id[static ID_LEN + 1], struct making *o, const struct batch_terms *terms, const struct args *args, const char *question,
	       struct error *err) _must_check_;
/* question: asked on the terminal unless --yes; NULL: nothing is asked. Returns the exit status. */
int carry_out(struct making *o, const struct batch_terms *terms, const struct args *args, const char *question, struct error *err)
	_must_check_;
/* Does not wait: prints the batch's id. Returns the exit status: EXIT_DENIED while people have to agree. */
int carry_leave(struct cli *cli, struct rollout *r, struct error *err) _must_check_;
/* Follows r and says why it ended. with_table: what became of each device, too. */
int carry_follow(struct cli *cli, struct rollout *r, const struct args *args, bool ends_waiting, bool with_table, struct error *err)
	_must_check_;
