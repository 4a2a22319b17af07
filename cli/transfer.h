/* cli/transfer.h -- one request after the other over HTTPS: TLS 1.3, the server's key pinned, everything bounded. Knows no session. */
#pragma once

#include "base/bytes.h"
#include "cli/cli.h"
#include "cli/output.h"

#include <curl/curl.h>

enum { TRANSFER_ADDRESS_MAX = 300 };

/* The way to a server; the connection is kept between requests. */
struct transfer {
	CURL *easy;
	char address[TRANSFER_ADDRESS_MAX]; /* host:port */
	struct buf pins;                    /* as libcurl wants them */
	char error[CURL_ERROR_SIZE];
};

/* transfer_done() also behind a failure. */
int transfer_init(struct transfer *t, struct error *err) _must_check_;
void transfer_done(struct transfer *t);
/* In place of those before: SHA-256 of the server's public key, one of them. */
void transfer_pin(struct transfer *t, uint8_t (*pins)[32], size_t count);

/* A file that is sent as it is read: its bytes from `from` on, of `size` in all. */
struct transfer_file {
	int fd;
	uint64_t from, size;
};

/* One request and what came back. */
struct exchange {
	const char *path;
	bool is_post;
	struct bytes body;
	const struct transfer_file *file; /* PUT of it, with Content-Range when `from` is not 0; shows its progress */
	const char *header; /* one more, "Name: value", or NULL */
	struct buf *out;    /* appended to, when the answer is 200 */
	size_t max;         /* how much that may be */
	/* filled in */
	size_t begin; /* where it starts in out */
	long status;
	unsigned retry_s;
	bool is_too_large;
	CURL *easy;
	struct buf problem;
	uint64_t at; /* of file */
	struct progress progress;
};

/* Waits while the server says that it is busy, a few times. Failures: CLI_UNREACHED (no connection, wrong pin, busy for long), E_LIMIT,
 * and by status CLI_LOGIN, E_DENIED, CLI_ABSENT, CLI_CONFLICT, E_PEER with the server's own words. */
int transfer_perform(struct transfer *t, struct exchange *x, struct error *err) _must_check_;
