/* tests/unit/test-http.c -- answers in every cut, answers that are none, and requests that cannot break out of their line. */
#include "tests/test.h"

#include "agent/http.h"

enum { ROOM = 1000 };

struct read {
	struct http_reader rd;
	struct buf body;
	size_t used; /* of the bytes fed */
	struct error err;
	int r;
};

static void read_done(struct read *got)
{
	http_reader_done(&got->rd);
	buf_done(&got->body);
}

/* Feeds text in pieces, then its end. */
static void feed(struct read *got, struct bytes text, size_t step)
{
	*got = (struct read){ .r = HTTP_MORE };
	for (size_t at = 0; at < text.len && got->r == HTTP_MORE; at += step) {
		size_t n = text.len - at < step ? text.len - at : step, used;

		got->r = http_read(&got->rd, bytes_of(text.ptr + at, n), &used, &got->body, ROOM - got->body.len, &got->err);
		got->used += used;
	}
	if (got->r == HTTP_MORE)
		got->r = http_read_end(&got->rd, &got->err);
}

static void expect(const char *text, uint32_t status, const char *body, bool is_kept)
{
	for (size_t step = 1; step <= strlen(text); step += step < 4 ? 1 : 7) {
		_cleanup_(read_done) struct read got;

		feed(&got, bytes_str(text), step);
		if (got.r != 0)
			fail_msg("%s: %s", text, got.err.text);
		CHECK_EQ(got.rd.status, status);
		CHECK_BYTES(buf_bytes(&got.body), body);
		CHECK_EQ(got.rd.is_kept, is_kept);
		CHECK_EQ(got.used, strlen(text));
	}
}

static void refuse(struct bytes text, int code)
{
	for (size_t step = 1; step <= text.len; step += step < 4 ? 1 : text.len / 3 + 1) {
		_cleanup_(read_done) struct read got;

		feed(&got, text, step);
		if (got.r != code)
			fail_msg("%.*s: %d instead of %d", (int)text.len, (const char *)text.ptr, got.r, code);
	}
}

TEST(an_answer_is_the_same_however_it_is_cut)
{
	expect("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfine\n", 200, "fine\n", true);
	expect("HTTP/1.1 200\r\nContent-Length:5\r\nX:\r\n\r\nfine\n", 200, "fine\n", true);
	expect("HTTP/1.1 503 Busy\r\ncontent-length:\t 0 \r\nConnection: Keep-Alive, Close\r\n\r\n", 503, "", false);
	expect("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x", false);
	expect("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true);
	expect("HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end", false);
	expect("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x",
	       true);
}

TEST(chunks_become_one_body)
{
	expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\nA;why=not\r\n0123456789\r\n0\r\n\r\n", 200,
	       "fine0123456789", true);
	expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\nTrailer: x\r\n\r\n", 200, "", true);
}

TEST(what_stands_behind_an_answer_is_left)
{
	static const char two[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n";
	_cleanup_(read_done) struct read got;

	feed(&got, bytes_str(two), sizeof(two));
	CHECK_EQ(got.r, 0);
	CHECK_EQ(got.used, strlen(two) - strlen("HTTP/1.1 200 OK\r\n"));
}

TEST(seconds_in_headers_are_bounded_and_odd_ones_count_for_nothing)
{
	_cleanup_(read_done) struct read got;

	feed(&got, bytes_str("HTTP/1.1 503 Busy\r\nRetry-After: 999999\r\nHoldfast-Window: 120\r\nContent-Length: 0\r\n\r\n"), 9);
	CHECK_EQ(got.r, 0);
	CHECK_EQ(got.rd.retry_s, 3600);
	CHECK_EQ(got.rd.window_s, 120);
	read_done(&got);
	feed(&got,
	     bytes_str(
		     "HTTP/1.1 503 Busy\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\nHoldfast-Window: -5\r\nContent-Length: 0\r\n\r\n"),
	     9);
	CHECK_EQ(got.r, 0);
	CHECK_EQ(got.rd.retry_s, 0);
	CHECK_EQ(got.rd.window_s, 0);
}

TEST(a_stream_has_no_bound_but_what_its_reader_takes)
{
	struct read got = { .rd.is_stream = true };
	static const char head[] = "HTTP/1.1 206 Part\r\nContent-Length: 9007199254740991\r\nContent-Range: bytes 7-8/9\r\n\r\n";
	static const char busy[] = "HTTP/1.1 503 Busy\r\nContent-Length: 1001\r\n\r\n";
	char piece[ROOM] = { 0 };
	size_t used;

	CHECK(!http_is_streaming(&got.rd));
	CHECK_EQ(http_read(&got.rd, bytes_str(head), &used, &got.body, ROOM, &got.err), HTTP_MORE);
	CHECK(http_is_streaming(&got.rd));
	CHECK_STR(got.rd.range, "bytes 7-8/9");
	for (int i = 0; i < 100; i++, buf_truncate(&got.body, 0))
		CHECK_EQ(http_read(&got.rd, bytes_of(piece, sizeof(piece)), &used, &got.body, ROOM, &got.err), HTTP_MORE);
	CHECK_EQ(http_read_end(&got.rd, &got.err), E_PEER);
	read_done(&got);
	got = (struct read){ .rd.is_stream = true }; /* what is no body of that kind is bounded as ever */
	CHECK_EQ(http_read(&got.rd, bytes_str(busy), &used, &got.body, ROOM, &got.err), E_LIMIT);
	read_done(&got);
}

TEST(an_answer_of_another_form_is_refused)
{
	static const char *const bad[] = {
		"\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n",
		"HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1 2000\r\n\r\n",
		"HTTP/1.1 600 OK\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n X: folded\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
		"HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nfine\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nfine\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551621\r\n\r\nfine\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nfine\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n000000004\r\nfine\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfiner\r\n0\r\n\r\n",
		"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nfine\n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse(bytes_str(bad[i]), E_PEER);
	refuse(bytes_of("HTTP/1.1 200 O\0K\r\n\r\n", 20), E_PEER);
}

TEST(an_answer_that_breaks_off_is_none)
{
	static const char whole[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfine\n";
	static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n";

	for (size_t len = 1; len < strlen(whole); len++)
		refuse(bytes_of(whole, len), E_PEER);
	for (size_t len = 1; len < strlen(chunked); len++)
		refuse(bytes_of(chunked, len), E_PEER);
	refuse(bytes_str("HTTP/1.1 100 Continue\r\n\r\n"), E_PEER);
}

TEST(an_answer_over_a_bound_is_cut_off_before_memory_is_taken)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	refuse(bytes_str("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\nx"), E_LIMIT);
	refuse(bytes_str("HTTP/1.1 200 OK\r\nContent-Length: 9007199254740991\r\n\r\nx"), E_LIMIT);
	buf_add_str(&text, "HTTP/1.1 200 OK\r\n\r\n");
	buf_extend(&text, ROOM + 1);
	refuse(buf_bytes(&text), E_LIMIT);
	buf_truncate(&text, 0);
	buf_add_str(&text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n");
	buf_extend(&text, ROOM + 1);
	refuse(buf_bytes(&text), E_LIMIT);
	buf_truncate(&text, 0);
	buf_add_str(&text, "HTTP/1.1 200 OK\r\nX: ");
	for (int i = 0; i < HTTP_LINE_MAX; i++)
		buf_add_char(&text, 'y');
	refuse(buf_bytes(&text), E_LIMIT);
}

TEST(headers_without_end_are_cut_off)
{
	_cleanup_(buf_done) struct buf many = { 0 }, long_ones = { 0 }, interim = { 0 };

	buf_add_str(&many, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i <= HTTP_HEADERS_MAX; i++)
		buf_add_str(&many, "X: y\r\n");
	refuse(buf_bytes(&many), E_LIMIT);
	buf_add_str(&long_ones, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 5; i++)
		buf_addf(&long_ones, "X: %04000d\r\n", 0);
	refuse(buf_bytes(&long_ones), E_LIMIT);
	for (int i = 0; i <= HTTP_INTERIM_MAX; i++)
		buf_add_str(&interim, "HTTP/1.1 100 Continue\r\n\r\n");
	refuse(buf_bytes(&interim), E_PEER);
}

TEST(a_request_stays_in_its_lines)
{
	static const char *const odd[] = { "/a b", "/a\r\nX: y", "/a\n", "/\x7f", "/\xff", "a", "" };
	_cleanup_(buf_done) struct buf out = { 0 };

	CHECK(http_head_put(&out, &(struct http_head){ .address = "localhost:8443", .path = "/v1/poll", .is_post = true, .body_len = 12 }));
	CHECK_STR(buf_text(&out), "POST /v1/poll HTTP/1.1\r\nHost: localhost:8443\r\nContent-Length: 12\r\n\r\n");
	buf_truncate(&out, 0);
	CHECK(http_head_put(&out, &(struct http_head){ .address = "[2001:db8::1]:443", .path = "/livez?x", .from = 100 }));
	CHECK_STR(buf_text(&out), "GET /livez?x HTTP/1.1\r\nHost: [2001:db8::1]:443\r\nRange: bytes=100-\r\n\r\n");
	buf_truncate(&out, 0);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		CHECK(!http_head_put(&out, &(struct http_head){ .address = "localhost:1", .path = odd[i] }));
	CHECK(!http_head_put(&out, &(struct http_head){ .address = "local host", .path = "/" }));
	CHECK(!http_head_put(&out, &(struct http_head){ .address = "", .path = "/" }) && !out.len);
}
