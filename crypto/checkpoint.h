/* crypto/checkpoint.h -- does one signed head of the log continue another, or do the two contradict each other? Is a statement in it?
 *
 * A growth stands behind a checkpoint where somebody said which one they saw before (docs/reference/formats.md section 8). It is not
 * signed: it proves itself. Two checkpoints that contradict each other, with the growth that shows it, prove to everybody who knows the
 * roots that the archive's key signed two histories. */
#pragma once

#include "crypto/merkle.h"
#include "crypto/statement.h"

void growth_text(struct buf *out, const struct merkle_growth *growth);
/* Does one stand at the start of in? */
bool growth_begins(struct bytes in);
/* Parses it; *used: how far it went. E_FORMAT. Whether it holds is not looked at. */
int growth_parse(struct merkle_growth *out, struct bytes in, size_t *used, struct error *err) _must_check_;

/* A statement's place in the log stands behind it where it has to be shown without the log. It proves itself, too. */
void place_text(struct buf *out, const struct merkle_place *place);
bool place_begins(struct bytes in);
/* As growth_parse(). */
int place_parse(struct merkle_place *out, struct bytes in, size_t *used, struct error *err) _must_check_;

/* Is next the log of seen, or proved to continue it? growth: NULL when none was given. Signatures are the caller's affair. E_SEAL says what
 * is wrong. */
int checkpoint_follows(const struct statement *seen, const struct statement *next, const struct merkle_growth *growth,
		       struct error *err) _must_check_;

/* Can no log that only grows have both? Says how in words, or returns NULL: two that go together, or for which it takes a growth to tell.
 */
const char *checkpoints_contradict(const struct statement *a, const struct statement *b, const struct merkle_growth *growth);
