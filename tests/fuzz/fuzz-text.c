/* tests/fuzz/fuzz-text.c -- small forms of text: what is read is written again as it was. */
#include "tests/fuzz/fuzz.h"

#include "base/clock.h"
#include "crypto/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_number(struct bytes in)
{
	char text[24];
	uint64_t n;

	if (!number_parse(&n, in))
		return;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	MUST(bytes_is(in, text) && n <= (1ULL << 53) - 1);
}

static void check_time(struct bytes in)
{
	char text[CLOCK_TEXT_LEN];
	int64_t t;

	if (!clock_parse(&t, in))
		return;
	clock_text(text, t);
	MUST(bytes_is(in, text));
}

static void check_hex(struct bytes in)
{
	_cleanup_(mem_freep) uint8_t *raw = mem_alloc(in.len);
	_cleanup_(mem_freep) char *text = mem_alloc(2 * in.len + 1);

	if (in.len % 2 == 0 && hex_decode(raw, in.len / 2, in)) {
		hex_encode(text, raw, in.len / 2);
		MUST(bytes_is(in, text));
	}
	MUST(!hex_decode(raw, in.len / 2 + 1, in));
	hex_encode(text, in.ptr, in.len);
	MUST(hex_decode(raw, in.len, bytes_str(text)) && bytes_equal(bytes_of(raw, in.len), in));
}

static void check_base64(struct bytes in, void (*encode)(struct buf *, struct bytes), bool (*decode)(struct buf *, struct bytes))
{
	_cleanup_(buf_done) struct buf raw = { 0 }, text = { 0 }, back = { 0 };

	if (decode(&raw, in)) {
		encode(&text, buf_bytes(&raw));
		MUST(bytes_equal(buf_bytes(&text), in));
	}
	buf_truncate(&text, 0);
	encode(&text, in);
	MUST(decode(&back, buf_bytes(&text)) && bytes_equal(buf_bytes(&back), in));
}

/* Digit by digit, by another way than the encoder's. */
static void check_base32(struct bytes in)
{
	size_t digits = (in.len * 8 + 4) / 5;
	_cleanup_(mem_freep) char *text = mem_alloc(digits + 1);

	if (!in.len)
		return;
	base32_encode(text, digits, in);
	MUST(strlen(text) == digits);
	for (size_t i = 0; i < digits; i++) {
		unsigned value = 0;

		for (size_t bit = 5 * i; bit < 5 * i + 5; bit++)
			value = value << 1 | (bit < 8 * in.len ? in.ptr[bit / 8] >> (7 - bit % 8) & 1u : 0);
		MUST(text[i] == "abcdefghijklmnopqrstuvwxyz234567"[value]);
	}
	MUST(!id_is_valid(in) || (in.len == ID_LEN && !memchr(in.ptr, '1', in.len)));
}

static void check_lines(struct bytes in)
{
	_cleanup_(buf_done) struct buf all = { 0 };
	struct bytes rest = in, line;

	while (bytes_next_line(&rest, &line)) {
		MUST(!line.len || !memchr(line.ptr, '\n', line.len));
		buf_add_bytes(&all, line);
		if (all.len < in.len)
			buf_add_char(&all, '\n');
	}
	MUST(bytes_equal(buf_bytes(&all), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);

	check_number(in);
	check_time(in);
	check_hex(in);
	check_base64(in, base64_encode, base64_decode);
	check_base64(in, base64url_encode, base64url_decode);
	check_base32(in);
	check_lines(in);
	return 0;
}
