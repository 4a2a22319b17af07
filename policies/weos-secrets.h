/* policies/weos-secrets.h -- what the parts of the WeOS text know of each other. */
#pragma once

#include "policies/weos-text.h"

struct bytes weos_trim(struct bytes line);
bool weos_starts(struct bytes line, const char *with);
/* The words of a line, at most max; returns how many. */
size_t weos_words(struct bytes *words, size_t max, struct bytes line);
