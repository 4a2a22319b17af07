/* policies/frr-text.h -- FRRouting's configuration as text: pure functions. */
#pragma once

#include "policies/form.h"

enum { FRR_WORDS_MAX = 64 };

/* As in struct device_driver (agent/device.h). */
void frr_canonical(struct buf *out, struct bytes text);
void frr_secrets(struct bytes text, void (*found)(void *ctx, size_t at, size_t len), void *ctx);

/* As in struct form (policies/form.h). */
const char *frr_value_refused(struct bytes before, struct bytes value, enum form_place place);
const char *frr_line_refused(struct bytes line);
bool frr_is_inside(struct bytes line);
bool frr_is_address(struct bytes head, struct bytes line);
bool frr_is_remark(struct bytes line);
