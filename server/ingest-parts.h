/* server/ingest-parts.h -- what the parts of server/ingest.h know of each other. */
#pragma once

#include "server/ingest.h"

#include "crypto/checkpoint.h"

/* shredded by a person, certificate: judged by the root in force, and by what is archived of the device. */
int ingest_check_said(struct repo *repo, const struct root *root, const struct statement *st, struct error *err) _must_check_;
