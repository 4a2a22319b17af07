/* tests/fuzz/fuzz-seal.c -- what is in a seal: the input is sealed as it is, as anybody could, and opened.
 *
 * The first byte says whether there is a base. What opens must be what libzstd itself unpacks; and any text must come back. */
#include "tests/fuzz/fuzz.h"

#include "crypto/seal.h"

#include <string.h>
#include <zstd.h>

enum { HEAD = 8 };

unsigned fuzz_cost = 4;

static const char base_text[] = "interface eth0\n ip address 10.0.0.1/24\n!\nrouter bgp 65001\n neighbor 10.0.0.2 remote-as 65002\n!\n";

static const struct age_identity *our_identity(void)
{
	static struct age_identity id;

	if (!id.key.ptr)
		age_identity_new(&id);
	return &id;
}

static bool is_skippable(struct bytes in)
{
	return in.len >= HEAD && (in.ptr[0] & 0xf0) == 0x50 && !memcmp(in.ptr + 1, "\x2a\x4d\x18", 3);
}

/* One data frame, padding, and nothing else: by libzstd's own eyes. */
static void check_against_zstd(struct bytes packed, struct bytes base, struct bytes text)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	size_t frame = ZSTD_findFrameCompressedSize(packed.ptr, packed.len), got;
	ZSTD_DCtx *ctx = ZSTD_createDCtx();

	MUST(!ZSTD_isError(frame) && !is_skippable(packed));
	if (base.len)
		ZSTD_DCtx_refPrefix(ctx, base.ptr, base.len);
	got = ZSTD_decompressDCtx(ctx, buf_extend(&out, text.len + 1), text.len + 1, packed.ptr, frame);
	ZSTD_freeDCtx(ctx);
	MUST(!ZSTD_isError(got) && bytes_equal(bytes_of(out.ptr, got), text));
	for (packed = bytes_from(packed, frame); packed.len; packed = bytes_from(packed, frame)) {
		MUST(is_skippable(packed));
		frame = ZSTD_findFrameCompressedSize(packed.ptr, packed.len);
		MUST(!ZSTD_isError(frame));
	}
}

static void check_packed(struct bytes packed, struct bytes base)
{
	_cleanup_(buf_done) struct buf sealed = { 0 }, out = { 0 };
	struct error err = { 0 };
	int r;

	MUST_OK(age_seal(&sealed, &our_identity()->pub, 1, packed, &err));
	r = seal_open_text(&out, our_identity(), buf_bytes(&sealed), base, &err);
	if (r < 0) {
		MUST(!out.len && (r == E_FORMAT || r == E_LIMIT));
		return;
	}
	MUST(out.len <= CONFIG_MAX);
	check_against_zstd(packed, base, buf_bytes(&out));
}

static void check_text(struct bytes text, struct bytes base)
{
	_cleanup_(buf_done) struct buf sealed = { 0 }, out = { 0 };
	struct error err = { 0 };

	MUST_OK(seal_text(&sealed, &our_identity()->pub, text, base, &err));
	MUST_OK(seal_open_text(&out, our_identity(), buf_bytes(&sealed), base, &err));
	MUST(bytes_equal(buf_bytes(&out), text));
}

/* A table of secrets comes back with one newline at its end. */
static void check_secret(struct bytes text)
{
	_cleanup_(buf_done) struct buf sealed = { 0 }, out = { 0 };
	struct error err = { 0 };

	MUST_OK(seal_secret(&sealed, &our_identity()->pub, 1, text, &err));
	MUST_OK(seal_open_secret(&out, our_identity(), buf_bytes(&sealed), &err));
	while (text.len && text.ptr[text.len - 1] == '\n')
		text.len--;
	if (text.len)
		MUST(out.len == text.len + 1 && out.ptr[text.len] == '\n' && !memcmp(out.ptr, text.ptr, text.len));
	else
		MUST(!out.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes base = { 0 }, in = bytes_from(bytes_of(data, size), 1);

	if (!size)
		return 0;
	if (data[0] & 1)
		base = bytes_str(base_text);
	check_packed(in, base);
	if (data[0] & 2)
		check_text(in, base);
	if (data[0] & 4)
		check_secret(in);
	return 0;
}
