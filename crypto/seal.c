/* crypto/seal.c -- a configuration in an age file: zstd, then padding, then age.
 *
 * Unpacking meets its bounds before it takes memory: a seal is not authenticated by its sender, so the frame in it may be
 * anybody's. One data frame that tells its content size, then padding, and nothing else. */
#include "crypto/seal.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum {
	LEVEL = 3,
	LEVEL_SMALL = 19, /* a sixth smaller; up to SMALL it takes at most 30 ms, and key frames are rare */
	SMALL = 64 << 10,
	SKIP_HEAD = 8,
	WINDOW_MAX = 8 << 20, /* what RFC 8878 section 3.1.1.1.2 asks every decoder to support */
};

size_t seal_padded_len(size_t len)
{
	unsigned e = 0, s = 0;
	size_t mask;

	if (len <= SEAL_PAD_MIN)
		return SEAL_PAD_MIN;
	while (len >> (e + 1))
		e++;
	while (e >> s)
		s++;
	mask = ((size_t)1 << (e - s)) - 1;
	return (len + mask) & ~mask;
}

/* A skippable frame (RFC 8878 section 3.1.2) of `len` bytes in all, at least its head. */
static void add_skippable(struct buf *out, size_t len)
{
	uint8_t *to = buf_extend(out, len);
	size_t body = len - SKIP_HEAD;
	static const uint8_t magic[4] = { 0x50, 0x2a, 0x4d, 0x18 };

	memcpy(to, magic, sizeof(magic));
	for (int i = 0; i < 4; i++)
		to[4 + i] = (uint8_t)(body >> (8 * i));
}

static void pad(struct buf *out)
{
	size_t want = seal_padded_len(out->len);

	if (want == out->len)
		return;
	if (want - out->len < SKIP_HEAD) /* no room for a frame's head: the next size that has it */
		want = seal_padded_len(out->len + SKIP_HEAD);
	add_skippable(out, want - out->len);
}

static int compress(struct buf *out, struct bytes text, struct bytes base, struct error *err)
{
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	size_t bound = ZSTD_compressBound(text.len), r, begin = out->len;

	if (!ctx)
		abort(); /* out of memory */
	/* on a delta level 19 gains nothing over level 3 with long distance matching */
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, !base.len && text.len <= SMALL ? LEVEL_SMALL : LEVEL);
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, 1);
	if (base.len) {
		/* all of base and text must lie in the window: both are at most CONFIG_MAX, 2^20 */
		ZSTD_CCtx_setParameter(ctx, ZSTD_c_windowLog, 22);
		ZSTD_CCtx_setParameter(ctx, ZSTD_c_enableLongDistanceMatching, 1);
		ZSTD_CCtx_refPrefix(ctx, base.ptr, base.len);
	}
	r = ZSTD_compress2(ctx, buf_extend(out, bound), bound, text.ptr, text.len);
	ZSTD_freeCCtx(ctx);
	if (ZSTD_isError(r)) {
		buf_truncate(out, begin);
		return error_set(err, E_SYS, "cannot compress: %s", ZSTD_getErrorName(r));
	}
	buf_truncate(out, begin + r);
	return 0;
}

size_t seal_compressed_len(struct bytes text, struct bytes base)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct error ignored;

	if (compress(&out, text, base, &ignored) < 0)
		return text.len;
	return out.len;
}

int seal_text(struct buf *out, const struct age_recipient *to, struct bytes text, struct bytes base, struct error *err)
{
	_cleanup_(buf_done) struct buf packed = { 0 };
	int r;

	if (text.len > CONFIG_MAX || base.len > CONFIG_MAX)
		return error_set(err, E_LIMIT, "configuration of %zu bytes is over %d", text.len > base.len ? text.len : base.len,
				 CONFIG_MAX);
	r = compress(&packed, text, base, err);
	if (r < 0)
		return r;
	pad(&packed);
	return age_seal(out, to, 1, buf_bytes(&packed), err);
}

/* What is behind the data frame: skippable frames and nothing else. */
static bool only_padding(struct bytes in)
{
	while (in.len) {
		size_t body;

		if (in.len < SKIP_HEAD || (in.ptr[0] & 0xf0) != 0x50 || in.ptr[1] != 0x2a || in.ptr[2] != 0x4d || in.ptr[3] != 0x18)
			return false;
		body = (size_t)in.ptr[4] | (size_t)in.ptr[5] << 8 | (size_t)in.ptr[6] << 16 | (size_t)in.ptr[7] << 24;
		if (body > in.len - SKIP_HEAD)
			return false;
		in = bytes_from(in, SKIP_HEAD + body);
	}
	return true;
}

/* The window that the frame's head asks for (RFC 8878 section 3.1.1.1); 0 in a single segment, where the content size bounds it. */
static uint64_t frame_window(struct bytes frame)
{
	unsigned exponent, mantissa;

	if (frame.len < 6 || frame.ptr[4] & 0x20)
		return 0;
	exponent = frame.ptr[5] >> 3;
	mantissa = frame.ptr[5] & 7;
	return (1ULL << (10 + exponent)) / 8 * (8 + mantissa);
}

/* Everything that can be known before a byte is unpacked. */
static int check_packed(size_t *frame_len, size_t *text_len, struct bytes packed, size_t base_len, size_t max, struct error *err)
{
	static const uint8_t magic[4] = { 0x28, 0xb5, 0x2f, 0xfd };
	unsigned long long size;

	/* libzstd would also take a skippable frame (as an empty text) and the formats before 1.0 */
	if (packed.len < 5 || memcmp(packed.ptr, magic, sizeof(magic)) != 0)
		return error_set(err, E_FORMAT, "seal does not begin with a zstd frame");
	size = ZSTD_getFrameContentSize(packed.ptr, packed.len);
	if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN)
		return error_set(err, E_FORMAT, "zstd frame does not tell its content size");
	if (size > max)
		return error_set(err, E_LIMIT, "zstd frame announces %llu bytes, over %zu", size, max);
	if (frame_window(packed) > WINDOW_MAX + base_len)
		return error_set(err, E_FORMAT, "zstd frame asks for a window over %d bytes", WINDOW_MAX);
	if (ZSTD_getDictID_fromFrame(packed.ptr, packed.len))
		return error_set(err, E_FORMAT, "zstd frame asks for a dictionary");
	*frame_len = ZSTD_findFrameCompressedSize(packed.ptr, packed.len);
	if (ZSTD_isError(*frame_len))
		return error_set(err, E_FORMAT, "zstd frame is cut short");
	if (!only_padding(bytes_from(packed, *frame_len)))
		return error_set(err, E_FORMAT, "zstd frame has bytes behind it that are no padding");
	*text_len = (size_t)size;
	return 0;
}

static int decompress(struct buf *out, struct bytes packed, struct bytes base, size_t max, struct error *err)
{
	size_t frame_len = 0, text_len = 0, begin = out->len, got;
	ZSTD_DCtx *ctx;
	int r = check_packed(&frame_len, &text_len, packed, base.len, max, err);

	if (r < 0)
		return r;
	ctx = ZSTD_createDCtx();
	if (!ctx)
		abort(); /* out of memory */
	if (base.len)
		ZSTD_DCtx_refPrefix(ctx, base.ptr, base.len);
	got = ZSTD_decompressDCtx(ctx, buf_extend(out, text_len), text_len, packed.ptr, frame_len);
	ZSTD_freeDCtx(ctx);
	if (ZSTD_isError(got) || got != text_len) {
		buf_truncate(out, begin);
		return error_set(err, E_FORMAT, "zstd frame does not open: %s", ZSTD_isError(got) ? ZSTD_getErrorName(got) : "short");
	}
	return 0;
}

static int open_sealed(struct buf *out, const struct age_identity *id, struct bytes sealed, struct error *err)
{
	if (sealed.len > SEAL_MAX)
		return error_set(err, E_LIMIT, "seal of %zu bytes is over %d", sealed.len, SEAL_MAX);
	return age_open(out, sealed, id, SEAL_MAX, err);
}

int seal_open_text(struct buf *out, const struct age_identity *id, struct bytes sealed, struct bytes base, struct error *err)
{
	_cleanup_(buf_done) struct buf packed = { 0 };
	int r;

	if (base.len > CONFIG_MAX)
		return error_set(err, E_LIMIT, "base of %zu bytes is over %d", base.len, CONFIG_MAX);
	r = open_sealed(&packed, id, sealed, err);
	if (r < 0)
		return r;
	return decompress(out, buf_bytes(&packed), base, CONFIG_MAX, err);
}

int seal_secret(struct buf *out, const struct age_recipient *to, size_t n, struct bytes text, struct error *err)
{
	_cleanup_(buf_done) struct buf filled = { 0 };
	size_t want = seal_padded_len(text.len + 1); /* its last line ends in any case */

	if (text.len > SEAL_SECRET_MAX)
		return error_set(err, E_LIMIT, "secrets of %zu bytes are over %d", text.len, SEAL_SECRET_MAX);
	buf_add_bytes(&filled, text);
	memset(buf_extend(&filled, want - text.len), '\n', want - text.len);
	return age_seal(out, to, n, buf_bytes(&filled), err);
}

int seal_open_secret(struct buf *out, const struct age_identity *id, struct bytes sealed, struct error *err)
{
	size_t begin = out->len;
	int r = open_sealed(out, id, sealed, err);

	if (r < 0)
		return r;
	while (out->len > begin && out->ptr[out->len - 1] == '\n')
		buf_truncate(out, out->len - 1);
	if (out->len > begin)
		buf_add_char(out, '\n');
	if (out->len - begin > SEAL_SECRET_MAX + 1) {
		buf_truncate(out, begin);
		return error_set(err, E_LIMIT, "secrets are over %d bytes", SEAL_SECRET_MAX);
	}
	return 0;
}

int seal_pack(struct buf *out, struct bytes text, struct error *err)
{
	return compress(out, text, (struct bytes){ 0 }, err);
}

int seal_unpack(struct buf *out, struct bytes packed, size_t max, struct error *err)
{
	return decompress(out, packed, (struct bytes){ 0 }, max, err);
}
