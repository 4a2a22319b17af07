/* policies/words.h -- lines of a configuration as words, for every kind of device. What is pointed at is borrowed. */
#pragma once

#include "policies/form.h"

/* Without blanks, line ends and NULs at its end; or at both of its ends. */
struct bytes words_trim_end(struct bytes line);
struct bytes words_trim(struct bytes line);
bool words_start(struct bytes line, const char *with);
/* The words of a line, at most max; returns how many. */
size_t words_split(struct bytes *words, size_t max, struct bytes line);
/* form.h's value_refused for devices whose lines are a command and its words. negations: first words behind which the command stands,
 * up to NULL; byte_refused: why this byte may not be in a value, or NULL. */
const char *words_value_refused(struct bytes before, struct bytes value, enum form_place place, const char *const negations[],
				const char *(*byte_refused)(uint8_t c, enum form_place place));
