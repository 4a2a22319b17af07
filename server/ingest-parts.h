/* server/ingest-parts.h -- what the parts of server/ingest.h know of each other. */
#pragma once

#include "server/ingest.h"

#include "crypto/checkpoint.h"

/* shredded by a person, certificate: judged by the root in force, and by what is archived of the device. */
int ingest_check_said(struct repo *repo, const struct root *root, const struct statement *st, struct error *err) _must_check_;

/* Is it said by a device that was given up: did enough people, at any time, agree to an order to shred it that follows no erasure? Its key
 * is revoked from that moment, whatever was decided afterwards; only what it answers to an order to erase it is still taken. E_DENIED. */
int ingest_check_revoked(struct repo *repo, const struct repo_device *device, const struct statement *st, struct error *err) _must_check_;

/* batch: the one of the order before, for a list; the caller frees it. */
int ingest_check_order(struct statement **batch, struct repo *repo, const struct container *c, struct error *err) _must_check_;
