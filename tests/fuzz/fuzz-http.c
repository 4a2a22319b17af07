/* tests/fuzz/fuzz-http.c -- what a server answers: in one piece and in many it is the same answer, or the same refusal, and within the
 * room. */
#include "tests/fuzz/fuzz.h"

#include "agent/http.h"

enum { ROOM = 512 };

struct result {
	struct http_reader rd;
	struct buf body;
	size_t used;
	int r;
};

static void read_all(struct result *out, struct bytes in, size_t step)
{
	struct error err = { 0 };

	*out = (struct result){ .r = HTTP_MORE };
	for (size_t at = 0; at < in.len && out->r == HTTP_MORE; at += step) {
		struct bytes piece = bytes_of(in.ptr + at, in.len - at < step ? in.len - at : step);
		size_t had = out->body.len, used;

		out->r = http_read(&out->rd, piece, &used, &out->body, ROOM - had, &err);
		MUST(used <= piece.len && out->body.len <= ROOM && out->rd.line.len <= HTTP_LINE_MAX &&
		     out->rd.head_len <= HTTP_HEAD_MAX + HTTP_LINE_MAX);
		MUST(out->r != HTTP_MORE || used == piece.len);
		out->used += used;
	}
	if (out->r == HTTP_MORE)
		out->r = http_read_end(&out->rd, &err);
	MUST(out->r == 0 || err.text[0]);
}

static void result_done(struct result *out)
{
	http_reader_done(&out->rd);
	buf_done(&out->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_from(bytes_of(data, size), 1);
	struct result whole, cut;

	if (!size || size > 64 << 10)
		return 0;
	read_all(&whole, in, in.len + 1);
	read_all(&cut, in, 1 + data[0] % 64);
	MUST((whole.r == 0) == (cut.r == 0));
	if (whole.r == 0) {
		MUST(whole.used == cut.used && bytes_equal(buf_bytes(&whole.body), buf_bytes(&cut.body)));
		MUST(whole.rd.status == cut.rd.status && whole.rd.status >= 200 && whole.rd.status <= 599 &&
		     whole.rd.is_kept == cut.rd.is_kept);
		MUST(whole.rd.window_s == cut.rd.window_s && whole.rd.window_s <= 3600);
		MUST(whole.rd.retry_s == cut.rd.retry_s && whole.rd.retry_s <= 3600);
	}
	result_done(&whole);
	result_done(&cut);
	return 0;
}
