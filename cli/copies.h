/* cli/copies.h -- a text that travels from person to person, each of whom adds a signature: one file, or copies of it. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

/* Reads them; what is signed in any of them is taken together, appended to whole. CLI_ABSENT when a file is not there, CLI_CONFLICT when
 * one is no copy of the others. Verifies nothing. */
int copies_read(struct buf *whole, const char *const files[], size_t count, struct error *err) _must_check_;
