/* cli/fetch.h -- public documents over HTTPS: the system's certificate authorities judge, nothing of ours is sent, everything is bounded.
 *
 * Only https, redirects included. No proxy, no cookies, no passwords from anywhere, no compression (a small answer cannot become a large
 * one). What has come in all, how many requests that took and how long, is bounded for the whole of a command. */
#pragma once

#include "base/bytes.h"
#include "cli/cli.h"

#include <curl/curl.h>

enum {
	FETCH_URL_MAX = 2000,
	FETCH_REDIRECTS_MAX = 5,
	FETCH_REQUESTS_MAX = 400000,
	FETCH_TOTAL_MAX = 2047 << 20, /* bytes */
	FETCH_TOTAL_S = 4 * 3600,
};
enum { FETCH_ABSENT = 1 };

struct fetch {
	CURL *easy;
	const char *ca; /* certificates to trust instead of the system's; NULL */
	size_t requests;
	uint64_t bytes;
	int64_t end_s;
	bool is_spent; /* a bound of the whole is reached: nothing more can be asked for */
	char error[CURL_ERROR_SIZE];
};

/* ca: a PEM file, borrowed; NULL for the system's. fetch_done() also behind a failure. */
int fetch_init(struct fetch *f, const char *ca, struct error *err) _must_check_;
void fetch_done(struct fetch *f);
/* Appends what is there. FETCH_ABSENT: it is not (404, 410). E_LIMIT: more than max, or a bound of the whole; CLI_UNREACHED: no connection,
 * not trusted, too slow; E_DENIED: 401, 403; E_PEER: any other answer, or a redirect that is not followed. */
int fetch_get(struct buf *out, struct fetch *f, const char *url, size_t max, struct error *err) _must_check_;

/* Is it the address of something on an HTTPS server: no name and password, no fragment, printable ASCII, not too long? */
bool fetch_is_url(const char *url);
/* What a link in a document at base means. E_FORMAT when that is no address as above. The caller frees. */
int fetch_resolve(char **out, const char *base, const char *link, struct error *err) _must_check_;
