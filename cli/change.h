/* cli/change.h -- what an order makes of one device's configuration: what is sent, and what people are shown of it before they sign.
 *
 * A whole configuration is brought into canonical form and compared with running; lines are compared with the lines that are there. Both
 * are shown with secrets masked, found as the agent finds them (policies/form.h). No file, no server. */
#pragma once

#include "cli/open.h"
#include "policies/form.h"
#include "repo/textdiff.h"

struct change {
	bool is_whole;
	struct buf payload;       /* what the device gets, in plaintext */
	struct textdiff counts;   /* whole: against running; lines: that are entered and not there yet, none removed */
	bool is_nothing;          /* it is so already */
	struct buf diff;          /* masked; "" when is_nothing */
	bool has_management;      /* an address to look out for was named */
	bool touches_address;     /* ... or the way to it, or any address if none was named */
	char touched[200];        /* the first such line, masked */
	bool secrets_compared;
};

struct change_input {
	const struct form *form;
	const struct opened *base;
	const char *management; /* "" for none */
	const char *name;       /* head of the new side: "rollout", "r1@3" */
};

/* text: the configuration as somebody wrote it, secrets in it. E_FORMAT for a line that may not be entered, or for masked secrets. */
int change_whole(struct change *out, const struct change_input *in, struct bytes text, struct error *err) _must_check_;
int change_lines(struct change *out, const struct change_input *in, struct bytes text, struct error *err) _must_check_;
void change_done(struct change *change);

/* The device's own text, secrets put back. E_DENIED when they are not sealed to us. */
int change_reveal(struct buf *out, const struct opened *opened, const struct buf *text, struct error *err) _must_check_;
/* Do two snapshots of one device hold the same running configuration? Without secrets to compare, those of two epochs count as equal
 * where only secrets stand. */
int change_is_same(bool *same, const struct opened *a, const struct opened *b, struct error *err) _must_check_;
/* A diff between two snapshots of one device, masked, appended to out. */
int change_between(struct buf *out, struct textdiff *counts, const struct opened *from, const struct opened *to, struct error *err)
	_must_check_;
