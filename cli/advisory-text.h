/* cli/advisory-text.h -- the documents that were judged: the first judgement of one brings it to the archive, where it stays
 * (docs/reference/formats.md section 12), so that others, and later ones, can read what was judged.
 *
 *   advisories/judgements/<sha256>.zst    what the judgement of that hash brings
 *
 * A document that its publisher did not clear for everybody (TLP, in CSAF) is never brought: the server reads what lies in the archive. */
#pragma once

#include "cli/advisory-judge.h"
#include "cli/cli.h"

/* Ends the text of a judgement about entry i with the line of what it brings, and appends that to frame. Neither, when another judgement
 * brought the document already, or it must not or cannot be given away, which is said in a note. */
int judgement_add_text(struct buf *text, struct buf *frame, const struct advisory_store *s, const struct judgements *j, size_t i,
		       struct error *err) _must_check_;
/* Keeps what stands behind a judgement; not durable before advisory_store_sync(). E_SEAL when it is not what the judgement names. */
int judgement_keep_text(const struct advisory_store *s, const struct statement *st, struct bytes frame, struct error *err) _must_check_;
/* Appends what a judgement brings: as it was kept, or made anew of the document if that is here. 1: it brings nothing, or that is not here.
 */
int judgement_read_text(struct buf *out, const struct advisory_store *s, const struct statement *st, struct error *err) _must_check_;
/* Appends the document that which names: an advisory that is here, or one that was judged, by its id or by 8 first digits of the SHA-256 of
 * the document; from the archive, where it is not here. CLI_ABSENT. */
int judgement_find_document(struct buf *out, const struct advisory_store *s, const struct judgements *j, struct cli *cli, const char *which,
			    struct error *err) _must_check_;
