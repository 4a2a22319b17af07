/* crypto/judgement.h -- what a person decided about an advisory (docs/reference/formats.md section 12). Pure. */
#pragma once

#include "crypto/root.h"

/* "affected", "not-affected", "mitigated", "accepted", "requires" */
bool judgement_word_is_known(const char *word);

/* Does it hold by this root: signed once, by the person that it names, who may judge; with a verdict that is one? E_SEAL, E_DENIED,
 * E_FORMAT. */
int judgement_verify(const struct statement *st, const struct root *root, struct error *err) _must_check_;

/* What it brings, where it brings the document that it judged: one zstd frame with it, byte by byte, since an advisory is public. E_LIMIT
 * for a document over JUDGEMENT_DOCUMENT_MAX, or a frame over JUDGEMENT_TEXT_MAX. */
enum { JUDGEMENT_DOCUMENT_MAX = 16 << 20, JUDGEMENT_TEXT_MAX = CONTAINER_MAX / 2 };
int judgement_pack_text(struct buf *out, struct bytes document, struct error *err) _must_check_;
/* Appends the document. E_SEAL when its SHA-256 is not the one that the judgement names; E_FORMAT, E_LIMIT for what is no such frame. */
int judgement_open_text(struct buf *out, const struct statement *st, struct bytes text, struct error *err) _must_check_;
/* Does a judgement bring its text, if it names one, and is that the document? E_FORMAT, E_LIMIT, E_SEAL. */
int judgement_check_text(const struct container *c, struct error *err) _must_check_;

/* The id of an advisory's own id, for folders: that of the SHA-256 of its small letters, since an id means the same in any case. */
void judgement_advisory_id(char out[static ID_LEN + 1], const char *advisory);
