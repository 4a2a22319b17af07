/* cli/api.h -- the server's side as the operator's command sees it: HTTPS, pinned, TLS 1.3; sessions by signed login; answers verified.
 *
 * What comes back is believed only as far as it verifies: roots by succession, statements by their signers, the history by the
 * checkpoint and its proof of consistency. Failures: CLI_UNREACHED (no connection, wrong pin, busy for long), CLI_LOGIN, E_DENIED,
 * CLI_ABSENT, CLI_CONFLICT, E_LIMIT (more than a bound), E_PEER for the rest, with the server's own words. */
#pragma once

#include "cli/home.h"

#include <jansson.h>

enum {
	API_LIST_MAX = 64 << 20,                        /* JSON, and lists of containers */
	API_ROOTS_MAX = ROOT_CHAIN_MAX * STATEMENT_MAX, /* what GET /v1/roots may bring */
};

struct api;

/* For init, before there is a home: no session, only api_claim() and api_get() of open paths. Connects to nothing yet. */
int api_open_bare(struct api **out, const char *address, const uint8_t pin[static 32], struct error *err) _must_check_;
/* CLI_CONFLICT: somebody has claimed the server already. */
int api_claim(struct api *api, const char *code, struct bytes root, struct error *err) _must_check_;

/* With a home: takes over newer roots, opens (or goes on with) a session, checks that the server's log descends from the one seen last
 * and remembers the new one. E_SEAL when it does not: the message says what to do. */
int api_open(struct api **out, struct home *home, struct error *err) _must_check_;
/* Only takes over newer roots: for who is not in the root yet, or not any more. No session, no look at the history. */
int api_open_roots(struct api **out, struct home *home, struct error *err) _must_check_;
struct api *api_free(struct api *api);

/* Another connection on the same session, for a thread of its own: to be freed before the one that it comes from. It never logs in: when
 * the session ends, that is CLI_LOGIN. */
int api_open_again(struct api **out, const struct api *api, struct error *err) _must_check_;

/* GET path, appended to out, at most max bytes. Logs in anew once when the session ended. */
int api_get(struct buf *out, struct api *api, const char *path, size_t max, struct error *err) _must_check_;
/* The same of what is open to anybody: never logs in. */
int api_get_open(struct buf *out, struct api *api, const char *path, size_t max, struct error *err) _must_check_;
/* As api_get(), parsed; at most API_LIST_MAX. The caller json_decref()s. */
int api_get_json(json_t **out, struct api *api, const char *path, struct error *err) _must_check_;
/* POST of one attached container to /v1/objects. 0: stored, 1: seen already. */
int api_post_object(struct api *api, struct bytes container, struct error *err) _must_check_;
/* POST on the session, of what proves itself and is no statement. */
int api_post(struct api *api, const char *path, struct bytes body, struct error *err) _must_check_;
/* PUT of the rest of a file on the session; its progress shows. */
int api_put_file(struct api *api, const char *path, int fd, uint64_t from, uint64_t size, struct error *err) _must_check_;
/* POST of a list of orders to /v1/orders, at most CONTAINER_MAX bytes. */
int api_post_orders(struct api *api, struct bytes list, struct error *err) _must_check_;
