/* base/bytes.c -- bytes that are borrowed, bytes that are built, and a reader that checks once. */
#include "base/bytes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGE_PAGE = 2 << 20 };

static void out_of_memory(void)
{
	static const char text[] = "error out-of-memory\n";

	fwrite(text, 1, sizeof(text) - 1, stderr);
	abort();
}

void *mem_alloc(size_t size)
{
	void *ptr = calloc(1, size ? size : 1);

	if (!ptr)
		out_of_memory();
	return ptr;
}

void *mem_grow(void *ptr, size_t size)
{
	ptr = realloc(ptr, size ? size : 1);
	if (!ptr)
		out_of_memory();
	return ptr;
}

/* Page by page, the kernel takes longer to give megabytes than it takes to fill them. */
void *mem_large(size_t size)
{
	uint8_t *ptr = mem_grow(NULL, size);
	size_t before = -(uintptr_t)ptr & (LARGE_PAGE - 1);

	if (size > before + LARGE_PAGE)
		madvise(ptr + before, (size - before) & ~(size_t)(LARGE_PAGE - 1), MADV_HUGEPAGE);
	return ptr;
}

char *mem_strndup(const char *text, size_t len)
{
	char *copy = mem_grow(NULL, len + 1);

	if (len)
		memcpy(copy, text, len);
	copy[len] = 0;
	return copy;
}

char *mem_strdup(const char *text)
{
	return mem_strndup(text, strlen(text));
}

char *mem_printf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		out_of_memory();
	va_end(ap);
	return text;
}

void mem_freep(void *ptr_to_ptr)
{
	void **ptr = ptr_to_ptr;

	free(*ptr);
	*ptr = NULL;
}

struct bytes bytes_of(const void *ptr, size_t len)
{
	return (struct bytes){ ptr, len };
}

struct bytes bytes_str(const char *text)
{
	return bytes_of(text, strlen(text));
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (!a.len || !memcmp(a.ptr, b.ptr, a.len));
}

bool bytes_is(struct bytes a, const char *text)
{
	return bytes_equal(a, bytes_str(text));
}

struct bytes bytes_from(struct bytes in, size_t offset)
{
	if (offset >= in.len)
		return (struct bytes){ 0 };
	return bytes_of(in.ptr + offset, in.len - offset);
}

bool bytes_next_line(struct bytes *rest, struct bytes *line)
{
	const uint8_t *end;

	if (!rest->len)
		return false;
	end = memchr(rest->ptr, '\n', rest->len);
	*line = bytes_of(rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len);
	*rest = bytes_from(*rest, line->len + 1);
	return true;
}

void buf_reserve(struct buf *buf, size_t more)
{
	size_t cap = buf->cap ? buf->cap : more < 64 ? 64 : more + 1; /* what is added in one piece is often all */
	uint8_t *ptr;

	assert(more < SIZE_MAX / 4 && buf->len < SIZE_MAX / 4);
	if (buf->len + more + 1 <= buf->cap)
		return;
	while (cap < buf->len + more + 1)
		cap *= 2;
	/* not realloc: what it leaves behind would not be wiped */
	ptr = mem_grow(NULL, cap);
	if (buf->len)
		memcpy(ptr, buf->ptr, buf->len);
	if (buf->ptr) {
		explicit_bzero(buf->ptr, buf->cap);
		free(buf->ptr);
	}
	buf->ptr = ptr;
	buf->cap = cap;
}

uint8_t *buf_extend(struct buf *buf, size_t len)
{
	uint8_t *begin;

	buf_reserve(buf, len);
	begin = buf->ptr + buf->len;
	memset(begin, 0, len + 1);
	buf->len += len;
	return begin;
}

void buf_add(struct buf *buf, const void *ptr, size_t len)
{
	buf_reserve(buf, len);
	if (len)
		memcpy(buf->ptr + buf->len, ptr, len);
	buf->len += len;
	buf->ptr[buf->len] = 0;
}

void buf_add_bytes(struct buf *buf, struct bytes in)
{
	buf_add(buf, in.ptr, in.len);
}

void buf_add_str(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_add_char(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

void buf_vaddf(struct buf *buf, const char *fmt, va_list ap)
{
	va_list again;
	int len;

	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	assert(len >= 0);
	buf_reserve(buf, (size_t)len);
	vsnprintf((char *)buf->ptr + buf->len, (size_t)len + 1, fmt, again);
	buf->len += (size_t)len;
	va_end(again);
}

void buf_addf(struct buf *buf, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(buf, fmt, ap);
	va_end(ap);
}

void buf_add_u32be(struct buf *buf, uint32_t value)
{
	uint8_t be[4] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value };

	buf_add(buf, be, sizeof(be));
}

void buf_truncate(struct buf *buf, size_t len)
{
	if (len >= buf->len)
		return;
	explicit_bzero(buf->ptr + len, buf->len - len);
	buf->len = len;
}

struct bytes buf_bytes(const struct buf *buf)
{
	return bytes_of(buf->ptr, buf->len);
}

const char *buf_text(const struct buf *buf)
{
	return buf->ptr ? (const char *)buf->ptr : "";
}

void buf_done(struct buf *buf)
{
	if (buf->ptr) {
		explicit_bzero(buf->ptr, buf->cap);
		free(buf->ptr);
	}
	*buf = (struct buf){ 0 };
}

char *buf_steal_text(struct buf *buf)
{
	char *text = buf->ptr ? (char *)buf->ptr : mem_strdup("");

	*buf = (struct buf){ 0 };
	return text;
}

struct reader reader_over(struct bytes in)
{
	return (struct reader){ .rest = in };
}

struct bytes read_bytes(struct reader *rd, size_t len)
{
	struct bytes out;

	if (rd->short_read || len > rd->rest.len) {
		rd->short_read = true;
		return (struct bytes){ 0 };
	}
	out = bytes_of(rd->rest.ptr, len);
	rd->rest = bytes_from(rd->rest, len);
	return out;
}

static uint64_t read_be(struct reader *rd, size_t len)
{
	struct bytes in = read_bytes(rd, len);
	uint64_t value = 0;

	for (size_t i = 0; i < in.len; i++)
		value = value << 8 | in.ptr[i];
	return value;
}

uint8_t read_u8(struct reader *rd)
{
	return (uint8_t)read_be(rd, 1);
}

uint32_t read_u32(struct reader *rd)
{
	return (uint32_t)read_be(rd, 4);
}

uint64_t read_u64(struct reader *rd)
{
	return read_be(rd, 8);
}

bool reader_done(const struct reader *rd)
{
	return !rd->short_read && !rd->rest.len;
}

void hex_encode(char *out, const uint8_t *in, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[in[i] >> 4];
		*out++ = digits[in[i] & 15];
	}
	*out = 0;
}

/* One more than the value of a digit; 0 for what is none. */
static const uint8_t hex_digits[256] = {
	['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,	['4'] = 5,  ['5'] = 6,	['6'] = 7,  ['7'] = 8,
	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

bool hex_decode(uint8_t *out, size_t len, struct bytes text)
{
	if (text.len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned hi = hex_digits[text.ptr[2 * i]], lo = hex_digits[text.ptr[2 * i + 1]];

		if (!hi || !lo)
			return false;
		out[i] = (uint8_t)((hi - 1) << 4 | (lo - 1));
	}
	return true;
}

static const char alphabet_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode64(struct buf *out, struct bytes in, const char *alphabet, bool pad)
{
	size_t whole = in.len / 3, left = in.len % 3;
	uint8_t *to = buf_extend(out, 4 * whole + (left ? pad ? 4 : left + 1 : 0));

	for (size_t i = 0; i < in.len; i += 3) {
		size_t n = in.len - i;
		uint32_t v = (uint32_t)in.ptr[i] << 16 | (n > 1 ? (uint32_t)in.ptr[i + 1] << 8 : 0) | (n > 2 ? in.ptr[i + 2] : 0);

		*to++ = (uint8_t)alphabet[v >> 18];
		*to++ = (uint8_t)alphabet[v >> 12 & 63];
		if (n > 1 || pad)
			*to++ = (uint8_t)(n > 1 ? alphabet[v >> 6 & 63] : '=');
		if (n > 2 || pad)
			*to++ = (uint8_t)(n > 2 ? alphabet[v & 63] : '=');
	}
}

/* One more than the value of a digit, in the alphabet with these last two; 0 for what is none. */
#define DIGITS64(c62, c63)                                                                                                              \
	{                                                                                                                               \
		['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,                  \
		['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,         \
		['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, [c62] = 63, [c63] = 64,                                                 \
	}
static const uint8_t digits_std[256] = DIGITS64('+', '/'), digits_url[256] = DIGITS64('-', '_');

/* As far as there are four digits at a time. Returns how many it took; three bytes for each four. */
static size_t decode_fours(uint8_t *to, struct bytes text, const uint8_t digits[static 256])
{
	size_t i;

	for (i = 0; i + 4 <= text.len; i += 4) {
		uint32_t a = digits[text.ptr[i]], b = digits[text.ptr[i + 1]], c = digits[text.ptr[i + 2]], d = digits[text.ptr[i + 3]], v;

		if (!a || !b || !c || !d)
			break;
		v = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
		*to++ = (uint8_t)(v >> 16);
		*to++ = (uint8_t)(v >> 8 & 255);
		*to++ = (uint8_t)(v & 255);
	}
	return i;
}

/* Appends what it could take, also of what is wrong further on. */
static bool decode64(struct buf *out, struct bytes text, const uint8_t digits[static 256], bool padded)
{
	uint32_t acc = 0;
	unsigned bits = 0;
	size_t begin = out->len, done, i;
	uint8_t *to;

	if (padded) {
		if (text.len % 4)
			return false;
		for (int pads = 0; pads < 2 && text.len && text.ptr[text.len - 1] == '='; pads++)
			text.len--;
	}
	if (text.len % 4 == 1)
		return false;
	to = buf_extend(out, text.len / 4 * 3 + text.len % 4 * 3 / 4);
	i = decode_fours(to, text, digits);
	for (done = i / 4 * 3; i < text.len; i++) {
		uint32_t digit = digits[text.ptr[i]];

		if (!digit) {
			buf_truncate(out, begin + done);
			return false;
		}
		acc = acc << 6 | (digit - 1);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			to[done++] = (uint8_t)(acc >> bits & 255);
		}
	}
	return !(acc & ((1u << bits) - 1)); /* canonical: the bits left over are zero */
}

void base64_encode(struct buf *out, struct bytes in)
{
	encode64(out, in, alphabet_std, true);
}

bool base64_decode(struct buf *out, struct bytes text)
{
	return decode64(out, text, digits_std, true);
}

void base64url_encode(struct buf *out, struct bytes in)
{
	encode64(out, in, alphabet_url, false);
}

bool base64url_decode(struct buf *out, struct bytes text)
{
	return decode64(out, text, digits_url, false);
}

void base32_encode(char *out, size_t digits, struct bytes in)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

	assert(digits * 5 <= in.len * 8 + 4);
	for (size_t i = 0; i < digits; i++) {
		size_t bit = i * 5, byte = bit / 8;
		uint32_t pair = (uint32_t)in.ptr[byte] << 8 | (byte + 1 < in.len ? in.ptr[byte + 1] : 0);

		out[i] = alphabet[pair >> (11 - bit % 8) & 31];
	}
	out[digits] = 0;
}

bool number_parse(uint64_t *out, struct bytes text)
{
	uint64_t value = 0;

	if (!text.len || text.len > 16 || (text.len > 1 && text.ptr[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		value = value * 10 + (text.ptr[i] - '0');
	}
	if (value > (1ULL << 53) - 1)
		return false;
	*out = value;
	return true;
}
