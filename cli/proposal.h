/* cli/proposal.h -- a next root on its way: a file that goes from one person of role root to the next, each of whom signs it. */
#pragma once

#include "cli/root-diff.h"
#include "cli/cli.h"

struct proposal {
	const struct root *now; /* the home's */
	struct root *next;
	struct root_diff diff;
	struct standing standing;
};
void proposal_done(struct proposal *p);

/* The home, with the newest root that the server has; without one that answers, a note is all, if offline_ok. */
int proposal_freshen(struct cli *cli, bool offline_ok, struct error *err) _must_check_;
/* Judges a text, signed or not, against the root in force. CLI_CONFLICT: it was made for another one; E_SEAL, E_DENIED: a signature. */
int proposal_judge(struct proposal *out, struct bytes whole, const struct home *home, struct error *err) _must_check_;
/* The same from files, copies of one text: what is signed in any of them is taken together. */
int proposal_read(struct proposal *out, const char *const files[], size_t count, const struct home *home, struct error *err) _must_check_;

/* To standard error. */
void proposal_show(const struct proposal *p);
int proposal_json(const struct proposal *p, const char *kind, const char *file, struct error *err) _must_check_;

/* Signs with the home's key, and judges again. E_DENIED when the person has no say in it, CLI_CONFLICT when they have signed. */
int proposal_sign(struct proposal *p, const struct home *home, struct error *err) _must_check_;
/* Gives it to the server, and takes it over. E_DENIED while somebody's signature is missing. */
int proposal_publish(const struct proposal *p, struct cli *cli, struct error *err) _must_check_;
