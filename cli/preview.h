/* cli/preview.h -- what an order makes of one device's configuration: what is sent, and what people are shown of it before they sign.
 *
 * A whole configuration is brought into canonical form and compared with running; lines are compared with the lines that are there. Both
 * are shown with secrets masked, found as the agent finds them (policies/form.h). No file, no server. */
#pragma once

#include "cli/open.h"
#include "policies/form.h"
#include "repo/textdiff.h"

struct preview {
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

struct preview_input {
	const struct form *form;
	const struct opened *base;
	const char *management; /* "" for none */
	const char *name;       /* head of the new side: "rollout", "r1@3" */
};

/* text: the configuration as somebody wrote it, secrets in it. E_FORMAT for a line that may not be entered, or for masked secrets. */
int preview_whole(struct preview *out, const struct preview_input *in, struct bytes text, struct error *err) _must_check_;
int preview_lines(struct preview *out, const struct preview_input *in, struct bytes text, struct error *err) _must_check_;
/* Of preview_between(): is there a difference, as far as one can tell? */
bool preview_differs(const struct preview *preview);
void preview_done(struct preview *preview);

/* The device's own text, secrets put back. E_DENIED when they are not sealed to us. */
int preview_reveal(struct buf *out, const struct opened *opened, const struct buf *text, struct error *err) _must_check_;
/* What a device's own save or return would change: startup's lines, or running's. The base's startup is known. No payload. */
int preview_save(struct preview *out, const struct preview_input *in, struct error *err) _must_check_;
int preview_revert(struct preview *out, const struct preview_input *in, struct error *err) _must_check_;
/* From one snapshot of a device to another (in->base and in->name are not used). is_nothing: equal, where secrets could be compared;
 * without that the counts tell. No payload. */
int preview_between(struct preview *out, const struct preview_input *in, const struct opened *from, const struct opened *to,
		    struct error *err) _must_check_;
