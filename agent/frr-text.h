/* agent/frr-text.h -- FRRouting's configuration as text: pure functions, for the driver. */
#pragma once

#include "base/bytes.h"

enum { FRR_WORDS_MAX = 64 };

/* As in struct device_driver (agent/device.h). */
void frr_canonical(struct buf *out, struct bytes text);
void frr_secrets(struct bytes text, void (*found)(void *ctx, size_t at, size_t len), void *ctx);

struct bytes frr_trim_end(struct bytes line);
bool frr_starts(struct bytes line, const char *with);
/* The words of a line, at most max; returns how many. */
size_t frr_words(struct bytes *words, size_t max, struct bytes line);
