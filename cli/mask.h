/* cli/mask.h -- tokens that stand for secrets: hidden, compared, or put back.
 *
 * A token is {{secret 0123456789abcdef}}. Its digits are keyed per device and epoch, so two texts of one epoch are compared by
 * tokens, others by the values if they may be opened, else not at all. Before a comparison each token becomes {{secret <number>}},
 * the same number for the same secret; afterwards the numbers become dots, or the values. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum { MASK_TOKEN_LEN = 27, MASK_SECRETS_MAX = 16384 };

enum mask_by { MASK_BY_TOKEN, MASK_BY_VALUE, MASK_NOT_COMPARED };

struct mask_secret {
	char token[17]; /* "" after comparison by value */
	char *value;    /* base64; NULL when it may not be opened */
	bool on[2];     /* which side has it */
};

/* Secrets by number. */
struct mask {
	enum mask_by by;
	size_t count;
	struct mask_secret *secrets;
};
void mask_done(struct mask *mask);

/* Appends text to out with its tokens numbered. secrets: lines "<token> <base64>", or empty. side: 0 or 1. */
int mask_number(struct buf *out, struct mask *mask, struct bytes text, struct bytes secrets, int side, struct error *err) _must_check_;
/* Appends text with its numbers replaced: dots ("(changed)" behind a secret that only one side has, if both were compared), or with
 * reveal the value (if clean, without control characters). E_DENIED when one is to be revealed and cannot be opened. */
int mask_show(struct buf *out, const struct mask *mask, struct bytes text, bool reveal, bool compared, bool clean,
	      struct error *err) _must_check_;
