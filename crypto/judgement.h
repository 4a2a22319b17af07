/* crypto/judgement.h -- what a person decided about an advisory (docs/reference/formats.md section 12). Pure. */
#pragma once

#include "crypto/root.h"

/* "affected", "not-affected", "mitigated", "accepted", "requires" */
bool judgement_word_is_known(const char *word);

/* Does it hold by this root: signed once, by the person that it names, who may judge; with a verdict that is one? E_SEAL, E_DENIED, E_FORMAT. */
int judgement_verify(const struct statement *st, const struct root *root, struct error *err) _must_check_;

/* The id of an advisory's own id, for folders: that of the SHA-256 of its small letters, since an id means the same in any case. */
void judgement_advisory_id(char out[static ID_LEN + 1], const char *advisory);
