/* cli/advisory-sync.h -- judgements go to the archive, and those of other operators come from it.
 *
 *   advisories/unsent/<sha256>    names of judgements that no server has confirmed yet
 *   advisories/archived           up to which place of the log all were fetched
 *
 * What the server gives out is verified as if it came from a file; that it holds one back, only an audit of the whole log shows. */
#pragma once

#include "cli/advisory-store.h"
#include "cli/cli.h"

/* To be sent with the next sync. */
int judgement_queue(const struct advisory_store *s, const char *hash, struct error *err) _must_check_;
/* Posts what is unsent, fetches what is new. Connects if need be. *fetched: how many were not here before. */
int judgements_sync(size_t *fetched, const struct advisory_store *s, struct cli *cli, struct error *err) _must_check_;
