/* cli/bundle-make.h -- gathers from the server what proves a retirement (cli/bundle.h). What it brings is verified by bundle_verify(). */
#pragma once

#include "cli/bundle.h"
#include "cli/ceremony.h"

/* The statement of the newest snapshot, verified by the device's key; *out is NULL when there is none. */
int bundle_snapshot(struct statement **out, const struct ceremony *c, struct error *err) _must_check_;
/* Where a statement lies in a log of this size. CLI_ABSENT: it does not; E_SEAL when the server's proof does not hold. */
int bundle_place(struct merkle_place *out, const struct open_source *source, const struct statement *st, uint64_t size, struct error *err)
	_must_check_;
/* Of a device that is certified. */
int bundle_make(struct bundle *out, const struct ceremony *c, struct error *err) _must_check_;
