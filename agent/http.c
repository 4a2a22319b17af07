/* agent/http.c -- HTTP/1.1 as far as the agent speaks it. */
#include "agent/http.h"

#include <string.h>
#include <strings.h>

enum { SECONDS_MAX = 3600, CHUNK_DIGITS_MAX = 8 };

static bool is_one_word(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7f)
			return false;
	return true;
}

bool http_head_put(struct buf *out, const struct http_head *head)
{
	if (!*head->address || *head->path != '/' || !is_one_word(head->address) || !is_one_word(head->path))
		return false;
	buf_addf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n", head->is_post ? "POST" : "GET", head->path, head->address);
	if (head->is_post)
		buf_addf(out, "Content-Length: %zu\r\n",
			 head->body_len); /* a path takes one type: it is not said, for 40 bytes a request */
	if (head->from)
		buf_addf(out, "Range: bytes=%llu-\r\n", (unsigned long long)head->from);
	buf_add_str(out, "\r\n");
	return true;
}

static struct bytes trimmed(struct bytes in)
{
	while (in.len && (in.ptr[0] == ' ' || in.ptr[0] == '\t'))
		in = bytes_from(in, 1);
	while (in.len && (in.ptr[in.len - 1] == ' ' || in.ptr[in.len - 1] == '\t'))
		in.len--;
	return in;
}

static bool is_word(struct bytes in, const char *word)
{
	return in.len == strlen(word) && strncasecmp((const char *)in.ptr, word, in.len) == 0;
}

/* "a, b, c" */
static bool has_word(struct bytes list, const char *word)
{
	while (list.len) {
		const uint8_t *comma = memchr(list.ptr, ',', list.len);
		size_t len = comma ? (size_t)(comma - list.ptr) : list.len;

		if (is_word(trimmed(bytes_of(list.ptr, len)), word))
			return true;
		list = bytes_from(list, comma ? len + 1 : len);
	}
	return false;
}

/* HTTP/1.1 200 and a reason that nobody reads */
static int take_status(struct http_reader *rd, struct bytes line, struct error *err)
{
	const uint8_t *p = line.ptr;

	if (line.len < 12 || memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') || p[8] != ' ' || (line.len > 12 && p[12] != ' '))
		return error_set(err, E_PEER, "what answers does not speak HTTP/1.1");
	rd->status = 0;
	for (size_t i = 9; i < 12; i++) {
		if (p[i] < '0' || p[i] > '9')
			return error_set(err, E_PEER, "an answer without a status");
		rd->status = rd->status * 10 + (uint32_t)(p[i] - '0');
	}
	if (rd->status < 100 || rd->status > 599 || rd->status == 101)
		return error_set(err, E_PEER, "an answer of status %u", rd->status);
	rd->is_kept = p[7] == '1';
	rd->part = HTTP_HEADERS;
	return 0;
}

static uint32_t seconds_of(struct bytes value)
{
	uint64_t n;

	if (!number_parse(&n, value))
		return 0;
	return n > SECONDS_MAX ? SECONDS_MAX : (uint32_t)n;
}

static int take_length(struct http_reader *rd, struct bytes value, struct error *err)
{
	if (rd->has_length || !number_parse(&rd->left, value))
		return error_set(err, E_PEER, "an answer whose length is said twice, or is no number");
	rd->has_length = true;
	return 0;
}

static int take_header(struct http_reader *rd, struct bytes line, struct error *err)
{
	const uint8_t *colon = memchr(line.ptr, ':', line.len);
	struct bytes name = bytes_of(line.ptr, colon ? (size_t)(colon - line.ptr) : 0), value = trimmed(bytes_from(line, name.len + 1));

	if (++rd->header_count > HTTP_HEADERS_MAX)
		return error_set(err, E_LIMIT, "an answer of more than %d headers", HTTP_HEADERS_MAX);
	/* a folded line begins with a blank, and a blank before the colon is what smuggling is made of */
	if (!name.len || memchr(name.ptr, ' ', name.len) || memchr(name.ptr, '\t', name.len))
		return error_set(err, E_PEER, "an answer with a header of another form");
	if (rd->part == HTTP_TRAILERS)
		return 0;
	if (is_word(name, "Content-Length"))
		return take_length(rd, value, err);
	if (is_word(name, "Transfer-Encoding")) {
		if (rd->is_chunked || !is_word(value, "chunked"))
			return error_set(err, E_PEER, "an answer in an encoding that was not asked for");
		rd->is_chunked = true;
	} else if (is_word(name, "Connection")) {
		rd->is_kept = rd->is_kept && !has_word(value, "close");
	} else if (is_word(name, "Holdfast-Window")) {
		rd->window_s = seconds_of(value);
	} else if (is_word(name, "Retry-After")) {
		rd->retry_s = seconds_of(value);
	} else if (is_word(name, "Content-Range") && value.len && value.len < sizeof(rd->range)) {
		memcpy(rd->range, value.ptr, value.len);
		rd->range[value.len] = 0;
	}
	return 0;
}

static bool is_unbounded(const struct http_reader *rd)
{
	return rd->is_stream && (rd->status == 200 || rd->status == 206);
}

bool http_is_streaming(const struct http_reader *rd)
{
	return rd->part >= HTTP_BODY && is_unbounded(rd);
}

/* The empty line: what follows? */
static int end_head(struct http_reader *rd, size_t room, struct error *err)
{
	if (rd->is_chunked && rd->has_length)
		return error_set(err, E_PEER, "an answer that says its length in two ways");
	if (rd->status < 200) {
		if (++rd->interim_count > HTTP_INTERIM_MAX || rd->has_length || rd->is_chunked)
			return error_set(err, E_PEER, "an answer that does not come to its point");
		rd->part = HTTP_STATUS;
	} else if (rd->status == 204 || rd->status == 304) {
		rd->part = HTTP_WHOLE;
	} else if (rd->is_chunked) {
		rd->part = HTTP_CHUNK;
	} else if (rd->has_length) {
		if (rd->left > room && !is_unbounded(rd))
			return error_set(err, E_LIMIT, "an answer, or all of them, over the bound");
		rd->part = rd->left ? HTTP_BODY : HTTP_WHOLE;
	} else {
		rd->is_kept = false;
		rd->part = HTTP_UNTIL_END;
	}
	return 0;
}

/* Hexadecimal, and extensions that nobody asked for. */
static int take_chunk_size(struct http_reader *rd, struct bytes line, struct error *err)
{
	uint64_t size = 0;
	size_t n = 0;

	for (; n < line.len; n++) {
		uint8_t c = line.ptr[n];

		if (c >= '0' && c <= '9')
			size = size * 16 + (uint64_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			size = size * 16 + (uint64_t)((c | 0x20) - 'a' + 10);
		else
			break;
	}
	if (!n || n > CHUNK_DIGITS_MAX || (n < line.len && line.ptr[n] != ';' && line.ptr[n] != ' ' && line.ptr[n] != '\t'))
		return error_set(err, E_PEER, "a chunk whose size is no number");
	rd->left = size;
	rd->part = size ? HTTP_CHUNK_BODY : HTTP_TRAILERS;
	return 0;
}

static int take_line(struct http_reader *rd, struct bytes line, size_t room, struct error *err)
{
	if (memchr(line.ptr, '\r', line.len) || memchr(line.ptr, 0, line.len))
		return error_set(err, E_PEER, "an answer with a line of another form");
	switch (rd->part) {
	case HTTP_STATUS:
		return take_status(rd, line, err);
	case HTTP_HEADERS:
		return line.len ? take_header(rd, line, err) : end_head(rd, room, err);
	case HTTP_CHUNK:
		return take_chunk_size(rd, line, err);
	case HTTP_CHUNK_END:
		if (line.len)
			return error_set(err, E_PEER, "a chunk that is longer than its size");
		rd->part = HTTP_CHUNK;
		return 0;
	case HTTP_TRAILERS:
		if (line.len)
			return take_header(rd, line, err);
		rd->part = HTTP_WHOLE;
		return 0;
	case HTTP_BODY:
	case HTTP_CHUNK_BODY:
	case HTTP_UNTIL_END:
	case HTTP_WHOLE:
		break;
	}
	return 0;
}

/* Collects a line until its end has come. The bound on all of the head does not count chunk sizes: an answer may have many. */
static int read_line(struct http_reader *rd, struct bytes in, size_t *used, size_t room, struct error *err)
{
	const uint8_t *end = memchr(in.ptr, '\n', in.len);
	size_t len = end ? (size_t)(end - in.ptr) + 1 : in.len;
	int r;

	if (rd->part != HTTP_CHUNK && rd->part != HTTP_CHUNK_END)
		rd->head_len += len;
	if (rd->line.len + len > HTTP_LINE_MAX || rd->head_len > HTTP_HEAD_MAX)
		return error_set(err, E_LIMIT, "an answer whose head is too long");
	buf_add(&rd->line, in.ptr, len);
	*used = len;
	if (!end)
		return 0;
	if (rd->line.len < 2 || rd->line.ptr[rd->line.len - 2] != '\r')
		return error_set(err, E_PEER, "an answer with a line of another form");
	r = take_line(rd, bytes_of(rd->line.ptr, rd->line.len - 2), room, err);
	buf_truncate(&rd->line, 0);
	return r;
}

static int read_body(struct http_reader *rd, struct bytes in, size_t *used, struct buf *body, size_t room, struct error *err)
{
	bool is_open = rd->part == HTTP_UNTIL_END;
	size_t len = is_open || in.len < rd->left ? in.len : (size_t)rd->left;

	if (len > room)
		return error_set(err, E_LIMIT, "an answer, or all of them, over the bound");
	buf_add(body, in.ptr, len);
	*used = len;
	if (is_open)
		return 0;
	rd->left -= len;
	if (!rd->left)
		rd->part = rd->part == HTTP_BODY ? HTTP_WHOLE : HTTP_CHUNK_END;
	return 0;
}

int http_read(struct http_reader *rd, struct bytes in, size_t *used, struct buf *body, size_t room, struct error *err)
{
	size_t had = body->len;

	*used = 0;
	while (in.len && rd->part != HTTP_WHOLE) {
		bool is_body = rd->part == HTTP_BODY || rd->part == HTTP_CHUNK_BODY || rd->part == HTTP_UNTIL_END;
		size_t n = 0, left = room - (body->len - had);
		int r;

		rd->has_begun = true;
		r = is_body ? read_body(rd, in, &n, body, left, err) : read_line(rd, in, &n, left, err);
		if (r < 0)
			return r;
		*used += n;
		in = bytes_from(in, n);
	}
	return rd->part == HTTP_WHOLE ? 0 : HTTP_MORE;
}

int http_read_end(struct http_reader *rd, struct error *err)
{
	if (rd->part == HTTP_UNTIL_END)
		rd->part = HTTP_WHOLE;
	if (rd->part == HTTP_WHOLE)
		return 0;
	return error_set(err, E_PEER, rd->has_begun ? "the answer breaks off" : "the connection was closed without an answer");
}

void http_reader_done(struct http_reader *rd)
{
	buf_done(&rd->line);
}
