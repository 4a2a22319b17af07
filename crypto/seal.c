/* crypto/seal.c -- a configuration in an age file: zstd, then padding, then age. */
#include "crypto/seal.h"

#include <sodium.h>
#include <string.h>
#include <zstd.h>

enum { LEVEL = 3, LEVEL_SMALL = 19, SMALL = 64 << 10, SKIP_HEAD = 8, WINDOW_LOG_MAX = 23 };

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

	ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, text.len <= SMALL ? LEVEL_SMALL : LEVEL);
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
		return error_set(err, E_LIMIT, "configuration of %zu bytes is over %d", text.len > base.len ? text.len : base.len, CONFIG_MAX);
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

static int decompress(struct buf *out, struct bytes packed, struct bytes base, struct error *err)
{
	unsigned long long size = ZSTD_getFrameContentSize(packed.ptr, packed.len);
	size_t frame = ZSTD_findFrameCompressedSize(packed.ptr, packed.len), begin = out->len, r;
	ZSTD_DCtx *ctx;

	/* all bounds before any memory */
	if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || ZSTD_isError(frame))
		return error_set(err, E_FORMAT, "not a zstd frame with its content size");
	if (size > CONFIG_MAX)
		return error_set(err, E_FORMAT, "zstd frame announces %llu bytes, over %d", size, CONFIG_MAX);
	if (!only_padding(bytes_from(packed, frame)))
		return error_set(err, E_FORMAT, "zstd frame has bytes behind it that are no padding");
	ctx = ZSTD_createDCtx();
	ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	if (base.len)
		ZSTD_DCtx_refPrefix(ctx, base.ptr, base.len);
	r = ZSTD_decompressDCtx(ctx, buf_extend(out, (size_t)size), (size_t)size, packed.ptr, frame);
	ZSTD_freeDCtx(ctx);
	if (ZSTD_isError(r) || r != size) {
		buf_truncate(out, begin);
		return error_set(err, E_FORMAT, "zstd frame does not open: %s", ZSTD_isError(r) ? ZSTD_getErrorName(r) : "short");
	}
	return 0;
}

int seal_open_text(struct buf *out, const struct age_identity *id, struct bytes sealed, struct bytes base, struct error *err)
{
	_cleanup_(buf_done) struct buf packed = { 0 };
	int r = age_open(&packed, sealed, id, SEAL_MAX, err);

	if (r < 0)
		return r;
	return decompress(out, buf_bytes(&packed), base, err);
}

int seal_secret(struct buf *out, const struct age_recipient *to, size_t n, struct bytes text, struct error *err)
{
	_cleanup_(buf_done) struct buf filled = { 0 };
	size_t want = seal_padded_len(text.len);

	if (text.len > SECRETS_MAX)
		return error_set(err, E_LIMIT, "secrets of %zu bytes are over %d", text.len, SECRETS_MAX);
	buf_add_bytes(&filled, text);
	memset(buf_extend(&filled, want - text.len), '\n', want - text.len);
	return age_seal(out, to, n, buf_bytes(&filled), err);
}

int seal_open_secret(struct buf *out, const struct age_identity *id, struct bytes sealed, struct error *err)
{
	size_t begin = out->len;
	int r = age_open(out, sealed, id, SEAL_MAX, err);

	if (r < 0)
		return r;
	/* the text's own last newline stays */
	while (out->len > begin + 1 && out->ptr[out->len - 1] == '\n' && out->ptr[out->len - 2] == '\n')
		buf_truncate(out, out->len - 1);
	return 0;
}
