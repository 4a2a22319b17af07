/* cli/advisory-behind.h -- looking behind a fix: is the version that repairs one thing affected by another? */
#pragma once

#include "cli/advisory-facts.h"
#include "cli/advisory-judge.h"

enum { BEHIND_MAX = 2000 }; /* kinds of devices with one fix */

struct behind;
struct behind *behind_new(void);
struct behind *behind_free(struct behind *b);
/* Asks what device would be affected by with its fix; answers by a number, the same for the same question. 0: too many are asked for. */
size_t behind_ask(struct behind *b, const struct advisory_facts *facts, const char *fix, bool is_loader);
/* Reads all advisories once more; nothing when nothing was asked. */
int behind_answer(struct behind *b, const struct advisory_store *s, const struct judgements *j, struct error *err) _must_check_;
/* Ids of advisories, one a line (an id may hold blanks); "" for none. *open: how many more nobody can decide. */
const char *behind_ids(const struct behind *b, size_t question, size_t *open);
