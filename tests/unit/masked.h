/* tests/unit/masked.h -- what is left of a configuration when its secrets are out. */
#pragma once

#include "base/bytes.h"

typedef void (*secrets_fn)(struct bytes text, void (*found)(void *ctx, size_t at, size_t len), void *ctx);

/* What secrets finds is in order, without overlaps and inside of the text; with mark in place of each, the text is want. */
void check_masked_by(secrets_fn secrets, const char *mark, const char *text, const char *want);
