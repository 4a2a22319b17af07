/* policies/words.h -- lines of a configuration as words, for every kind of device. What is pointed at is borrowed. */
#pragma once

#include "base/bytes.h"

/* Without blanks, line ends and NULs at its end; or at both of its ends. */
struct bytes words_trim_end(struct bytes line);
struct bytes words_trim(struct bytes line);
bool words_start(struct bytes line, const char *with);
/* The words of a line, at most max; returns how many. */
size_t words_split(struct bytes *words, size_t max, struct bytes line);
