/* cli/advisory-fetch.h -- advisories of a provider on the network into the store.
 *
 *   advisories/feeds/<32 hex of the SHA-256 of the feed's address>   what was taken from it, and when that was updated
 *
 * So a run that was cut off goes on where it stopped, and the next one asks only for what is new. What is fetched is checked and taken as
 * files are (cli/advisory-import.h); one document that cannot be had or taken does not stop the others. */
#pragma once

#include "cli/advisory-import.h"
#include "cli/fetch.h"

/* url: of provider metadata, of a ROLIE feed, of a folder (ends in '/', or in changes.csv or index.txt), or of one document; of a host
 * alone: its well-known provider metadata. CLI_ABSENT, CLI_UNREACHED (what came before is kept), or as the first document names it. */
int advisory_import_url(struct advisory_import *im, struct fetch *fetch, const char *url, struct error *err) _must_check_;
