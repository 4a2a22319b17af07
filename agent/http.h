/* agent/http.h -- HTTP/1.1 (RFC 9112) as far as the agent speaks it: the head of a request, and a reader of answers. Pure.
 *
 * The reader takes what comes piece by piece, in any cut. It is strict, since the other end is a server of ours or somebody who pretends
 * to be one: lines end with CR LF, no folded headers, one length and only one way to say it. Bounds are met before memory is taken. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum { HTTP_LINE_MAX = 4096, HTTP_RANGE_MAX = 64, HTTP_HEAD_MAX = 16 << 10, HTTP_HEADERS_MAX = 64, HTTP_INTERIM_MAX = 8, HTTP_MORE = 1 };

enum http_part {
	HTTP_STATUS,
	HTTP_HEADERS,
	HTTP_BODY,
	HTTP_UNTIL_END,
	HTTP_CHUNK,
	HTTP_CHUNK_BODY,
	HTTP_CHUNK_END,
	HTTP_TRAILERS,
	HTTP_WHOLE
};

/* All zero before the first byte of an answer, but for is_stream. */
struct http_reader {
	bool is_stream;       /* a body of 200 or 206 may be of any length: whoever reads empties it */
	enum http_part part;
	struct buf line;      /* of the head, as far as it is there */
	size_t head_len;      /* of all lines of the head, trailers and chunk sizes included */
	unsigned header_count, interim_count;
	uint64_t left;        /* of the body, or of the chunk */
	bool has_begun, has_length, is_chunked;
	bool is_kept;         /* the connection may serve another request; valid at the end */
	uint32_t status;
	uint32_t window_s;    /* Holdfast-Window, at most an hour; 0 when absent or no number */
	uint32_t retry_s;     /* Retry-After, likewise */
	char range[HTTP_RANGE_MAX]; /* the value of Content-Range; "" when absent or too long */
};

struct http_head {
	const char *address, *path;
	bool is_post;
	size_t body_len; /* of a post */
	uint64_t from;   /* the first byte that is wanted; 0: no range is asked for */
};

/* Appends the head of a request. False: path or address hold what would break out of their line; nothing was appended. */
bool http_head_put(struct buf *out, const struct http_head *head) _must_check_;

/* Takes bytes of an answer and appends its body to body, at most room bytes. *used: how many belonged to it.
 *
 * Returns 0 when the answer is whole, HTTP_MORE when it is not; E_PEER for what is no answer, E_LIMIT for one over a bound. */
int http_read(struct http_reader *rd, struct bytes in, size_t *used, struct buf *body, size_t room, struct error *err) _must_check_;
/* The other end has nothing more to say: 0 when the answer is whole by that, else E_PEER. */
int http_read_end(struct http_reader *rd, struct error *err) _must_check_;
/* Is what comes now a body that is not collected? */
bool http_is_streaming(const struct http_reader *rd);
void http_reader_done(struct http_reader *rd);
