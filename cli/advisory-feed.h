/* cli/advisory-feed.h -- how providers of CSAF say what they have (CSAF 2.0 sections 7.1.8 to 7.1.15): provider metadata names feeds and
 * folders, a ROLIE feed (RFC 8322, as JSON) or the files of a folder name the documents. Pure; what cannot be used is skipped and counted.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum {
	FEED_MAX = 64 << 20,      /* bytes of what names documents */
	FEED_ENTRIES_MAX = 100000, /* documents of one feed */
	FEED_SOURCES_MAX = 64,    /* feeds and folders of one provider */
	FEED_UPDATED_MAX = 64,
};

struct feed_entry {
	char *url;
	char *hashes[2], *signature; /* addresses; NULL: not said */
	char *updated;               /* as written; NULL: not said */
	bool is_said;                /* the feed says that hashes and signature are there; else they are looked for */
};

struct feed {
	size_t count, skipped;
	struct feed_entry *entries; /* the oldest first, each address once */
	char why[240];              /* of the first that was skipped */
};

struct feed_source {
	char *url;
	bool is_folder;
};

struct provider {
	size_t count, skipped;
	struct feed_source source[FEED_SOURCES_MAX];
};

enum feed_kind { FEED_DOCUMENT, FEED_PROVIDER, FEED_ROLIE, FEED_AGGREGATOR };
/* What JSON at an address is; FEED_DOCUMENT for all else. */
enum feed_kind feed_kind_of(struct bytes text);

/* url: where it was found, for relative links. E_FORMAT, E_LIMIT. */
int provider_read(struct provider *out, const char *url, struct bytes text, struct error *err) _must_check_;
void provider_done(struct provider *p);
int feed_read_rolie(struct feed *out, const char *url, struct bytes text, struct error *err) _must_check_;
/* changes.csv or index.txt of the folder at url, which ends in '/'. Names lead to what lies below it, or are skipped. */
int feed_read_changes(struct feed *out, const char *url, struct bytes text, struct error *err) _must_check_;
int feed_read_index(struct feed *out, const char *url, struct bytes text, struct error *err) _must_check_;
void feed_done(struct feed *f);
