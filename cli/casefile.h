/* cli/casefile.h -- what is handed to a vendor about one device: texts in which no secret stands, packed as one file.
 *
 * Three things keep secrets out. What the device split off is not there, only its tokens. What the opener's own knowledge of this kind of
 * configuration calls a secret is replaced as well, in case the device's agent was older and missed it. And where the secrets can be
 * opened, their values are looked for in every part, wherever they stand. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include "policies/form.h"

enum {
	CASEFILE_PARTS_MAX = 64,
	CASEFILE_VALUE_MIN = 4, /* bytes: shorter values would be found everywhere */
};

struct casefile_part {
	char name[64]; /* "configuration.txt", "receipts/12.txt" */
	struct buf text;
	size_t masked; /* places */
};

struct casefile {
	size_t count;
	struct casefile_part part[CASEFILE_PARTS_MAX];
};

void casefile_done(struct casefile *c);
/* E_LIMIT past CASEFILE_PARTS_MAX. */
int casefile_add(struct casefile *c, const char *name, struct bytes text, struct error *err) _must_check_;
/* A configuration, as it was opened: tokens and what the form knows to be secret become "<masked>". */
int casefile_add_configuration(struct casefile *c, const char *name, const struct form *form, struct bytes text,
			       struct error *err) _must_check_;
/* Replaces every value in every part. secrets: lines "<token> <base64>". A part of which the name begins with keep is removed instead,
 * since it is signed and would not verify any more; returns how many were. */
size_t casefile_mask(struct casefile *c, struct bytes secrets, const char *keep);
/* Appends a .tar.gz of all parts, below a folder of this name. */
int casefile_pack(struct buf *out, const struct casefile *c, const char *folder, int64_t time_s, struct error *err) _must_check_;
