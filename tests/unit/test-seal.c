/* tests/unit/test-seal.c -- seals: the real age and zstd open them; what must not be unpacked is not. */
#include "tests/test.h"

#include "base/fs.h"
#include "base/proc.h"
#include "crypto/seal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

static const size_t sizes[] = { 0, 1, 10, 255, 4 << 10, 64 << 10, 64 << 10 | 1, CONFIG_MAX };

/* Text like a configuration, always the same for one seed. */
static void make_text(struct buf *out, size_t len, uint32_t seed)
{
	while (out->len < len) {
		uint32_t r = seed = seed * 1664525 + 1013904223;

		buf_addf(out, "interface eth%u\n ip address 10.%u.%u.1/24\n description port %u\n!\n", r >> 26, r >> 8 & 255, r >> 16 & 255,
			 r);
	}
	buf_truncate(out, len);
}

/* The same with a line changed in the middle and one added at the end. */
static void change_text(struct buf *out, struct bytes text)
{
	size_t half = text.len / 2;

	buf_add(out, text.ptr, half);
	buf_add_str(out, "\nip route 172.16.9.0/24 10.0.0.9\n");
	buf_add_bytes(out, bytes_from(text, half));
	buf_truncate(out, text.len > 64 ? text.len - 10 : text.len + 20);
}

struct tools {
	struct age_identity id;
	char *folder, *key, *sealed, *base, *frame, *text;
};

static void tools_init(struct tools *t)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	t->folder = mem_strdup(test_folder());
	t->key = mem_printf("%s/key", t->folder);
	t->sealed = mem_printf("%s/seal.age", t->folder);
	t->base = mem_printf("%s/base", t->folder);
	t->frame = mem_printf("%s/frame.zst", t->folder);
	t->text = mem_printf("%s/text", t->folder);
	age_identity_new(&t->id);
	age_identity_text(&text, &t->id);
	buf_add_char(&text, '\n');
	CHECK_OK(fs_write(t->key, buf_bytes(&text), 0600, &err));
}

static void tools_done(struct tools *t)
{
	age_identity_done(&t->id);
	free(t->folder);
	free(t->key);
	free(t->sealed);
	free(t->base);
	free(t->frame);
	free(t->text);
}

static void run(const char *const argv[])
{
	struct proc_result result = { 0 };
	struct error err = { 0 };

	CHECK_OK(proc_run(&result, argv, (struct bytes){ 0 }, 20000, 4 << 20, &err));
	if (result.status)
		fail_msg("%s: %s", argv[0], buf_text(&result.err));
	proc_result_done(&result);
}

/* age -d | zstd -d, and with a base zstd -d --patch-from. */
static void stock_tools_open(struct buf *out, const struct tools *t, struct bytes sealed, struct bytes base)
{
	_cleanup_(mem_freep) char *patch = mem_printf("--patch-from=%s", t->base);
	const char *const age[] = { "age", "-d", "-i", t->key, "-o", t->frame, t->sealed, NULL };
	const char *const plain[] = { "zstd", "-q", "-f", "-d", t->frame, "-o", t->text, NULL };
	const char *const patched[] = { "zstd", "-q", "-f", "-d", patch, t->frame, "-o", t->text, NULL };
	struct error err = { 0 };

	CHECK_OK(fs_write(t->sealed, sealed, 0600, &err));
	CHECK_OK(fs_write(t->base, base, 0600, &err));
	run(age);
	run(base.len ? patched : plain);
	CHECK_EQ(fs_read(out, t->text, 2 * CONFIG_MAX, &err), 0);
}

static void both_open(const struct tools *t, struct bytes text, struct bytes base)
{
	_cleanup_(buf_done) struct buf sealed = { 0 }, ours = { 0 }, stock = { 0 };
	struct error err = { 0 };

	CHECK_OK(seal_text(&sealed, &t->id.pub, text, base, &err));
	CHECK_OK(seal_open_text(&ours, &t->id, buf_bytes(&sealed), base, &err));
	CHECK(bytes_equal(buf_bytes(&ours), text));
	stock_tools_open(&stock, t, buf_bytes(&sealed), base);
	CHECK(bytes_equal(buf_bytes(&stock), text));
}

TEST(age_and_zstd_open_every_key_frame)
{
	_cleanup_(tools_done) struct tools t = { 0 };

	tools_init(&t);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_(buf_done) struct buf text = { 0 };

		make_text(&text, sizes[i], 1);
		both_open(&t, buf_bytes(&text), (struct bytes){ 0 });
	}
}

TEST(age_and_zstd_patch_from_open_every_delta)
{
	_cleanup_(tools_done) struct tools t = { 0 };

	tools_init(&t);
	for (size_t i = 1; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_(buf_done) struct buf base = { 0 }, text = { 0 }, other = { 0 };

		make_text(&base, sizes[i], 1);
		change_text(&text, buf_bytes(&base));
		make_text(&other, 1000, 2);
		both_open(&t, buf_bytes(&text), buf_bytes(&base));
		both_open(&t, buf_bytes(&base), buf_bytes(&base));
		both_open(&t, (struct bytes){ 0 }, buf_bytes(&base));
		both_open(&t, buf_bytes(&other), buf_bytes(&base));
	}
}

/* Random text compresses by nothing: the longest frames, with every length of padding on the way. */
TEST(every_length_of_padding_opens)
{
	_cleanup_(tools_done) struct tools t = { 0 };
	_cleanup_(buf_done) struct buf noise = { 0 };
	struct error err = { 0 };

	tools_init(&t);
	randombytes_buf(buf_extend(&noise, CONFIG_MAX), CONFIG_MAX);
	for (size_t len = 200; len < 700; len++) {
		_cleanup_(buf_done) struct buf sealed = { 0 }, back = { 0 };

		CHECK_OK(seal_text(&sealed, &t.id.pub, bytes_of(noise.ptr, len), (struct bytes){ 0 }, &err));
		CHECK_OK(seal_open_text(&back, &t.id, buf_bytes(&sealed), (struct bytes){ 0 }, &err));
		CHECK(bytes_equal(buf_bytes(&back), bytes_of(noise.ptr, len)));
	}
	for (size_t len = 235; len < 260; len++)
		both_open(&t, bytes_of(noise.ptr, len), (struct bytes){ 0 });
	both_open(&t, buf_bytes(&noise), (struct bytes){ 0 });
}

TEST(padded_lengths_are_padme_and_no_less_than_the_floor)
{
	CHECK_EQ(seal_padded_len(0), 256);
	CHECK_EQ(seal_padded_len(1), 256);
	CHECK_EQ(seal_padded_len(256), 256);
	CHECK_EQ(seal_padded_len(257), 272); /* 2^8: 4 bits kept, 4 rounded up */
	CHECK_EQ(seal_padded_len(272), 272);
	CHECK_EQ(seal_padded_len(1417), 1472);
	CHECK_EQ(seal_padded_len(9269), 9728);
	for (size_t len = 1; len < 200000; len += 37) {
		size_t padded = seal_padded_len(len);

		CHECK(padded >= len && padded >= 256);
		CHECK_EQ(seal_padded_len(padded), padded);
		CHECK(len < 256 || padded - len <= len / 8); /* at most 12 % */
	}
}

TEST(near_equal_texts_have_one_length)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	_cleanup_(buf_done) struct buf base = { 0 };
	struct error err = { 0 };
	size_t first = 0;

	age_identity_new(&id);
	make_text(&base, 4000, 1);
	for (int i = 0; i < 50; i++) {
		_cleanup_(buf_done) struct buf text = { 0 }, delta = { 0 }, tiny = { 0 }, secret = { 0 };

		buf_addf(&text, "hostname router-%d\n", i * i);
		CHECK_OK(seal_text(&tiny, &id.pub, buf_bytes(&text), (struct bytes){ 0 }, &err));
		CHECK_OK(seal_secret(&secret, &id.pub, 1, buf_bytes(&text), &err));
		buf_add_bytes(&text, buf_bytes(&base));
		CHECK_OK(seal_text(&delta, &id.pub, buf_bytes(&text), buf_bytes(&base), &err));
		first = first ? first : tiny.len;
		CHECK_EQ(tiny.len, first);
		CHECK_EQ(delta.len, first); /* a small delta looks like a small text */
		CHECK_EQ(secret.len, first);
	}
}

TEST(a_delta_is_small_also_in_the_largest_configuration)
{
	_cleanup_(buf_done) struct buf base = { 0 }, text = { 0 };

	make_text(&base, CONFIG_MAX - 100, 1);
	change_text(&text, buf_bytes(&base));
	CHECK(seal_compressed_len(buf_bytes(&text), buf_bytes(&base)) < 400);
	CHECK(seal_compressed_len(buf_bytes(&text), (struct bytes){ 0 }) > 10000);
}

/* What must be refused: contents that no honest sealer makes, sealed properly. */

static int open_content(struct bytes content, struct bytes base)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	_cleanup_(buf_done) struct buf sealed = { 0 }, out = { 0 };
	struct error err = { 0 };
	int r;

	age_identity_new(&id);
	CHECK_OK(age_seal(&sealed, &id.pub, 1, content, &err));
	buf_add_str(&out, "before");
	r = seal_open_text(&out, &id, buf_bytes(&sealed), base, &err);
	if (r < 0)
		CHECK_BYTES(buf_bytes(&out), "before"); /* nothing is added by a failure */
	return r;
}

struct frame_options {
	int window_log;
	bool no_size;
};

static void add_frame(struct buf *out, struct bytes text, struct frame_options options)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	size_t bound = ZSTD_compressBound(text.len) + 64, before = out->len;
	ZSTD_outBuffer to = { buf_extend(out, bound), bound, 0 };
	ZSTD_inBuffer from = { text.ptr, text.len, 0 };
	size_t left = 1;

	if (options.window_log)
		CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, options.window_log)));
	if (options.no_size)
		ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, 0);
	else
		ZSTD_CCtx_setPledgedSrcSize(z, text.len);
	while (left && !ZSTD_isError(left))
		left = ZSTD_compressStream2(z, &to, &from, ZSTD_e_end);
	CHECK(!ZSTD_isError(left));
	ZSTD_freeCCtx(z);
	buf_truncate(out, before + to.pos);
}

TEST(a_bomb_is_refused_before_it_is_unpacked)
{
	_cleanup_(buf_done) struct buf zeros = { 0 }, bomb = { 0 };

	buf_extend(&zeros, 64 << 20);
	add_frame(&bomb, buf_bytes(&zeros), (struct frame_options){ 0 });
	CHECK(bomb.len < 20000);
	CHECK_EQ(open_content(buf_bytes(&bomb), (struct bytes){ 0 }), E_LIMIT);

	buf_truncate(&bomb, 0);
	add_frame(&bomb, bytes_of(zeros.ptr, CONFIG_MAX + 1), (struct frame_options){ 0 });
	CHECK_EQ(open_content(buf_bytes(&bomb), (struct bytes){ 0 }), E_LIMIT);
	buf_truncate(&bomb, 0);
	add_frame(&bomb, bytes_of(zeros.ptr, CONFIG_MAX), (struct frame_options){ 0 });
	CHECK_EQ(open_content(buf_bytes(&bomb), (struct bytes){ 0 }), 0);
}

/* Its head announces little, its blocks hold much. */
TEST(a_frame_that_lies_about_its_size_is_refused)
{
	_cleanup_(buf_done) struct buf text = { 0 }, frame = { 0 };

	make_text(&text, 100000, 1);
	add_frame(&frame, buf_bytes(&text), (struct frame_options){ 0 });
	CHECK_EQ(frame.ptr[4] & 0xc0, 0x80); /* four bytes of content size, behind a byte of window unless single segment */
	frame.ptr[frame.ptr[4] & 0x20 ? 7 : 8] = 0; /* 100,000 becomes 34,464 */
	CHECK_EQ(open_content(buf_bytes(&frame), (struct bytes){ 0 }), E_FORMAT);
}

TEST(a_frame_without_size_or_with_a_huge_window_is_refused)
{
	_cleanup_(buf_done) struct buf text = { 0 }, sizeless = { 0 }, wide = { 0 }, fine = { 0 };

	make_text(&text, 1000, 1);
	add_frame(&sizeless, buf_bytes(&text), (struct frame_options){ .no_size = true });
	CHECK_EQ(open_content(buf_bytes(&sizeless), (struct bytes){ 0 }), E_FORMAT);

	/* by hand: content size of one byte and a window, one raw block "abc" */
	buf_add(&wide, "\x28\xb5\x2f\xfd\x80\x70\x03\x00\x00\x00\x19\x00\x00" "abc", 16);
	CHECK_EQ(open_content(buf_bytes(&wide), (struct bytes){ 0 }), E_FORMAT); /* 2^(10+14): 16 MiB */
	buf_add_bytes(&fine, buf_bytes(&wide));
	fine.ptr[5] = 0x68; /* 2^(10+13): 8 MiB */
	CHECK_EQ(open_content(buf_bytes(&fine), (struct bytes){ 0 }), 0);
	fine.ptr[5] = 0x69;
	CHECK_EQ(open_content(buf_bytes(&fine), (struct bytes){ 0 }), E_FORMAT);
	fine.ptr[5] = 0xff;
	CHECK_EQ(open_content(buf_bytes(&fine), (struct bytes){ 0 }), E_FORMAT);

	/* the same with a dictionary id of one byte */
	buf_truncate(&fine, 0);
	buf_add(&fine, "\x28\xb5\x2f\xfd\x81\x68\x07\x03\x00\x00\x00\x19\x00\x00" "abc", 17);
	CHECK_EQ(open_content(buf_bytes(&fine), (struct bytes){ 0 }), E_FORMAT);
}

TEST(only_padding_may_follow_and_nothing_may_lead)
{
	static const uint8_t skip[] = { 0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c' };
	_cleanup_(buf_done) struct buf frame = { 0 }, content = { 0 };

	add_frame(&frame, bytes_str("text"), (struct frame_options){ 0 });
	buf_add_bytes(&content, buf_bytes(&frame));
	CHECK_EQ(open_content(buf_bytes(&content), (struct bytes){ 0 }), 0);
	buf_add(&content, skip, sizeof(skip));
	buf_add(&content, skip, sizeof(skip));
	CHECK_EQ(open_content(buf_bytes(&content), (struct bytes){ 0 }), 0);
	for (size_t cut = 1; cut < sizeof(skip); cut++)
		CHECK_EQ(open_content(bytes_of(content.ptr, content.len - cut), (struct bytes){ 0 }), E_FORMAT);
	buf_add_char(&content, 0);
	CHECK_EQ(open_content(buf_bytes(&content), (struct bytes){ 0 }), E_FORMAT);
	buf_truncate(&content, content.len - 1);
	buf_add_bytes(&content, buf_bytes(&frame)); /* a second text */
	CHECK_EQ(open_content(buf_bytes(&content), (struct bytes){ 0 }), E_FORMAT);

	buf_truncate(&content, 0);
	CHECK_EQ(open_content(buf_bytes(&content), (struct bytes){ 0 }), E_FORMAT);
	buf_add(&content, skip, sizeof(skip));
	CHECK_EQ(open_content(buf_bytes(&content), (struct bytes){ 0 }), E_FORMAT);
	buf_add_bytes(&content, buf_bytes(&frame));
	CHECK_EQ(open_content(buf_bytes(&content), (struct bytes){ 0 }), E_FORMAT);
	for (size_t cut = 1; cut < frame.len; cut++)
		CHECK_EQ(open_content(bytes_of(frame.ptr, frame.len - cut), (struct bytes){ 0 }), E_FORMAT);
}

TEST(a_seal_that_was_changed_or_is_somebody_elses_gives_nothing)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 }, other = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 }, sealed = { 0 }, out = { 0 };
	struct error err = { 0 };

	age_identity_new(&id);
	age_identity_new(&other);
	randombytes_buf(buf_extend(&text, 200000), 200000); /* four chunks */
	CHECK_OK(seal_text(&sealed, &id.pub, buf_bytes(&text), (struct bytes){ 0 }, &err));
	CHECK_EQ(seal_open_text(&out, &other, buf_bytes(&sealed), (struct bytes){ 0 }, &err), E_SEAL);
	for (size_t cut = 1; cut < sealed.len; cut += 4001)
		CHECK(seal_open_text(&out, &id, bytes_of(sealed.ptr, sealed.len - cut), (struct bytes){ 0 }, &err) < 0);
	for (size_t at = 0; at < sealed.len; at += 1999) {
		sealed.ptr[at] ^= 1;
		CHECK(seal_open_text(&out, &id, buf_bytes(&sealed), (struct bytes){ 0 }, &err) < 0);
		sealed.ptr[at] ^= 1;
	}
	buf_add_char(&sealed, 0);
	CHECK_EQ(seal_open_text(&out, &id, buf_bytes(&sealed), (struct bytes){ 0 }, &err), E_SEAL);
	CHECK_EQ(out.len, 0);
}

TEST(texts_bases_and_seals_meet_their_bounds)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	_cleanup_(buf_done) struct buf large = { 0 }, out = { 0 };
	struct bytes none = { 0 }, over;
	struct error err = { 0 };

	age_identity_new(&id);
	buf_extend(&large, SEAL_MAX + 1);
	over = bytes_of(large.ptr, CONFIG_MAX + 1);
	CHECK_EQ(seal_text(&out, &id.pub, over, none, &err), E_LIMIT);
	CHECK_EQ(seal_text(&out, &id.pub, none, over, &err), E_LIMIT);
	CHECK_EQ(seal_secret(&out, &id.pub, 1, bytes_of(large.ptr, SEAL_SECRET_MAX + 1), &err), E_LIMIT);
	CHECK_EQ(seal_open_text(&out, &id, buf_bytes(&large), none, &err), E_LIMIT);
	CHECK_EQ(seal_open_text(&out, &id, none, over, &err), E_LIMIT);
	CHECK_EQ(seal_open_secret(&out, &id, buf_bytes(&large), &err), E_LIMIT);
	CHECK_EQ(out.len, 0);
}

TEST(a_delta_does_not_open_with_another_base)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	_cleanup_(buf_done) struct buf base = { 0 }, text = { 0 }, sealed = { 0 }, out = { 0 };
	struct error err = { 0 };

	age_identity_new(&id);
	make_text(&base, 5000, 1);
	change_text(&text, buf_bytes(&base));
	CHECK_OK(seal_text(&sealed, &id.pub, buf_bytes(&text), buf_bytes(&base), &err));
	CHECK_EQ(seal_open_text(&out, &id, buf_bytes(&sealed), (struct bytes){ 0 }, &err), E_FORMAT);
	CHECK_EQ(seal_open_text(&out, &id, buf_bytes(&sealed), bytes_of(base.ptr, 100), &err), E_FORMAT);
	CHECK_EQ(out.len, 0);
}

TEST(secrets_come_back_with_one_newline)
{
	static const struct {
		const char *in, *out;
	} cases[] = { { "", "" }, { "a", "a\n" }, { "a\n", "a\n" }, { "a\nb\n", "a\nb\n" }, { "a\n\n", "a\n" }, { "\n", "" } };
	_cleanup_(tools_done) struct tools t = { 0 };
	struct error err = { 0 };

	tools_init(&t);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf sealed = { 0 }, out = { 0 };

		CHECK_OK(seal_secret(&sealed, &t.id.pub, 1, bytes_str(cases[i].in), &err));
		CHECK_OK(seal_open_secret(&out, &t.id, buf_bytes(&sealed), &err));
		CHECK_STR(buf_text(&out), cases[i].out);
	}
	for (size_t len = 250; len < 300; len++) {
		_cleanup_(buf_done) struct buf text = { 0 }, sealed = { 0 }, out = { 0 };

		memset(buf_extend(&text, len), 'x', len);
		CHECK_OK(seal_secret(&sealed, &t.id.pub, 1, buf_bytes(&text), &err));
		CHECK_OK(seal_open_secret(&out, &t.id, buf_bytes(&sealed), &err));
		CHECK_EQ(out.len, len + 1);
	}
}

TEST(a_sealed_identity_works_as_the_real_ages_identity_file)
{
	_cleanup_(tools_done) struct tools t = { 0 };
	_cleanup_(age_identity_done) struct age_identity epoch = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 }, sealed = { 0 }, message = { 0 };
	struct proc_result result = { 0 };
	struct error err = { 0 };

	tools_init(&t);
	age_identity_new(&epoch);
	age_identity_text(&text, &epoch);
	CHECK_OK(seal_secret(&sealed, &t.id.pub, 1, buf_bytes(&text), &err));
	CHECK_OK(fs_write(t.sealed, buf_bytes(&sealed), 0600, &err));
	run((const char *const[]){ "age", "-d", "-i", t.key, "-o", t.text, t.sealed, NULL });
	CHECK_OK(age_seal(&message, &epoch.pub, 1, bytes_str("hello"), &err));
	CHECK_OK(proc_run(&result, (const char *const[]){ "age", "-d", "-i", t.text, NULL }, buf_bytes(&message), 10000, 4096, &err));
	CHECK_BYTES(buf_bytes(&result.out), "hello");
	proc_result_done(&result);
}
