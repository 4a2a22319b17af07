/* cli/receipts.h -- what a device's receipt says, in words, and what to do about it (docs/reference/formats.md section 7). */
#pragma once

#include "crypto/order.h"

struct receipt_words {
	const char *says; /* a clause, without full stop */
	const char *todo; /* "" when there is nothing to do */
	bool is_conflict; /* somebody or something was in the way: look, and plan again */
};

/* outcome and check as they stand in a receipt; check may be "" or NULL. What is unknown here is said to be so. */
struct receipt_words receipt_words(const char *outcome, const char *check);

/* The device's own word: signed by key, of this fleet and device. E_SEAL otherwise. */
int receipt_verify(const struct statement *receipt, const char *fleet, const char *device, const struct sign_pub *key, struct error *err)
	_must_check_;
