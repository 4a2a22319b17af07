/* base/bytes.h -- bytes that are borrowed, bytes that are built, and a reader that checks once.
 *
 * struct bytes borrows: it never owns what it points at. struct buf owns and grows; every byte it gives up, on
 * growth or at the end, is wiped first, so it may hold plaintext. Running out of memory ends the process. */
#pragma once

#include "base/attr.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

struct bytes {
	const uint8_t *ptr;
	size_t len;
};

struct buf {
	uint8_t *ptr; /* always NUL-terminated one past len once anything was added */
	size_t len;
	size_t cap;
};

/* Allocate or end the process. */
void *mem_alloc(size_t size) _must_check_; /* zeroed */
void *mem_grow(void *ptr, size_t size) _must_check_;
void *mem_large(size_t size) _must_check_; /* for megabytes: in large pages where the kernel has some; not zeroed */
char *mem_strdup(const char *text) _must_check_;
char *mem_strndup(const char *text, size_t len) _must_check_;
char *mem_printf(const char *fmt, ...) _must_check_ _printf_(1, 2);
void mem_freep(void *ptr_to_ptr); /* for _cleanup_ on any pointer from these */

struct bytes bytes_of(const void *ptr, size_t len);
struct bytes bytes_str(const char *text);
bool bytes_equal(struct bytes a, struct bytes b); /* not constant in time: for public values */
bool bytes_is(struct bytes a, const char *text);
struct bytes bytes_from(struct bytes in, size_t offset); /* the rest from offset; empty beyond the end */

/* Takes the next line, without its "\n", from *rest. False at the end. A last line without "\n" counts. */
bool bytes_next_line(struct bytes *rest, struct bytes *line);

void buf_reserve(struct buf *buf, size_t more); /* takes the memory for so many more at once, where they come in small pieces */
void buf_add(struct buf *buf, const void *ptr, size_t len);
void buf_add_bytes(struct buf *buf, struct bytes in);
void buf_add_str(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_addf(struct buf *buf, const char *fmt, ...) _printf_(2, 3);
void buf_vaddf(struct buf *buf, const char *fmt, va_list ap) _printf_(2, 0);
void buf_add_u32be(struct buf *buf, uint32_t value);
uint8_t *buf_extend(struct buf *buf, size_t len); /* len new zero bytes; returns where they begin */
void buf_truncate(struct buf *buf, size_t len);   /* wipes what falls away */
struct bytes buf_bytes(const struct buf *buf);
const char *buf_text(const struct buf *buf); /* NUL-terminated, never NULL */
void buf_done(struct buf *buf);              /* wipes and frees; accepts a zeroed one */
char *buf_steal_text(struct buf *buf);       /* the caller frees; the buf is empty afterwards */

/* A reader remembers that it ran short, so there is one check, at the end. Integers are big-endian. */
struct reader {
	struct bytes rest;
	bool short_read;
};

struct reader reader_over(struct bytes in);
uint8_t read_u8(struct reader *rd);
uint32_t read_u32(struct reader *rd);
uint64_t read_u64(struct reader *rd);
struct bytes read_bytes(struct reader *rd, size_t len);
bool reader_done(const struct reader *rd); /* nothing missing, nothing left */

/* Hexadecimal, lower case. hex_decode() takes exactly 2 * len digits; false otherwise. */
void hex_encode(char *out, const uint8_t *in, size_t len); /* writes 2 * len + 1 bytes */
bool hex_decode(uint8_t *out, size_t len, struct bytes text);

/* RFC 4648 base64 with padding, strict: canonical, no white space. */
void base64_encode(struct buf *out, struct bytes in);
bool base64_decode(struct buf *out, struct bytes text);
/* The URL-safe alphabet without padding. */
void base64url_encode(struct buf *out, struct bytes in);
bool base64url_decode(struct buf *out, struct bytes text);
/* RFC 4648 base32 in lower case, first `digits` digits (no padding); writes digits + 1 bytes. */
void base32_encode(char *out, size_t digits, struct bytes in);

/* Decimal without leading zero or sign, at most 2^53-1. */
bool number_parse(uint64_t *out, struct bytes text);
