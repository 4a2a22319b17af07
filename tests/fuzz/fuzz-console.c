/* tests/fuzz/fuzz-console.c -- what a device may say: cut anywhere, it shows the same; nothing is claimed that was not said; no secret is
 * kept.
 *
 * The first byte is how the rest is cut. Byte 0xfe is a pause. Nobody hears what the engine says, so no prompt can answer it. */
#include "tests/fuzz/fuzz.h"

#include "agent/console.h"
#include "agent/screen.h"
#include "agent/telnet.h"
#include "agent/weos-purge.h"
#include "tests/line.h"

#include <string.h>

enum { PAUSE = 0xfe, IN_MAX = 16 << 10 };

unsigned fuzz_cost = 2;

static const char secret[] = "hunter2";

static bool was_said(struct bytes in, const char *word)
{
	return in.len && memmem(in.ptr, in.len, word, strlen(word)) != NULL;
}

static void keep(void *ctx, uint8_t c)
{
	transcript_in(ctx, c);
}

static void check_screen(struct bytes in, size_t step)
{
	struct screen whole = { 0 }, cut = { 0 };
	_cleanup_(transcript_done) struct transcript t;
	struct error err = { 0 };

	transcript_init(&t, 0);
	MUST(transcript_hide(&t, bytes_str(secret)));
	MUST_OK(screen_feed(&whole, in, keep, &t, &err));
	for (size_t at = 0; at < in.len; at += step)
		MUST_OK(screen_feed(&cut, bytes_of(in.ptr + at, in.len - at < step ? in.len - at : step), NULL, NULL, &err));
	MUST(bytes_equal(buf_bytes(&whole.text), buf_bytes(&cut.text)) && bytes_equal(buf_bytes(&whole.line), buf_bytes(&cut.line)));
	MUST(whole.cursor == cut.cursor && whole.is_placed == cut.is_placed && whole.cursor <= whole.line.len);
	for (size_t i = 0; i < whole.text.len; i++)
		MUST(whole.text.ptr[i] >= ' ' || whole.text.ptr[i] == '\n' || whole.text.ptr[i] == '\t');
	MUST(!was_said(transcript_text(&t), secret));
	screen_done(&whole);
	screen_done(&cut);
}

static void check_telnet(struct bytes in, size_t step)
{
	struct telnet whole = { 0 }, cut = { 0 };
	_cleanup_(buf_done) struct buf a = { 0 }, b = { 0 }, sent = { 0 };

	telnet_take(&whole, &a, in);
	for (size_t at = 0; at < in.len; at += step)
		telnet_take(&cut, &b, bytes_of(in.ptr + at, in.len - at < step ? in.len - at : step));
	MUST(bytes_equal(buf_bytes(&a), buf_bytes(&b)) && bytes_equal(buf_bytes(&whole.replies), buf_bytes(&cut.replies)));
	MUST(whole.replies.len <= TELNET_REPLIES_MAX && whole.sub.len <= TELNET_SUB_MAX);
	telnet_done(&cut);
	cut = (struct telnet){ 0 };
	telnet_give(&cut, &sent, in); /* and what is given is what is taken */
	buf_truncate(&b, 0);
	telnet_take(&cut, &b, buf_bytes(&sent));
	MUST(bytes_equal(buf_bytes(&b), in));
	telnet_done(&whole);
	telnet_done(&cut);
}

static void check_claims(struct bytes in, size_t step)
{
	struct fake_line *line = fake_line_new(NULL, NULL);
	_cleanup_(console_freep) struct console *c = NULL;
	struct error err = { 0 };
	struct console_seen seen;

	MUST_OK(console_new(&c, &line->base, &weos_purge_grammar, &err));
	MUST(console_hide(c, bytes_str(secret)));
	for (size_t at = 0; at < in.len;) {
		size_t len = 0;

		while (at + len < in.len && len < step && in.ptr[at + len] != PAUSE)
			len++;
		fake_line_say(line, at && in.ptr[at - 1] == PAUSE ? 400 : 1, bytes_of(in.ptr + at, len));
		at += len ? len : 1;
	}
	for (unsigned i = 0; i < 20; i++) {
		int r = console_wait(c, &seen, ~(console_set)0, 20000, &err);

		if (r < 0)
			break;
		MUST(strlen(seen.line) < CONSOLE_LINE_MAX);
		for (size_t j = 0; seen.line[j]; j++) {
			char one[2] = { seen.line[j], 0 };

			MUST(seen.line[j] == ' ' || seen.line[j] == '?' || was_said(in, one));
		}
		/* only somebody who echoes can prove a prompt: here, the stream must have guessed the letters */
		MUST(weos_purge_grammar.shapes[seen.shape].kind != CONSOLE_PROMPT || was_said(in, "zq"));
		if (weos_purge_grammar.shapes[seen.shape].kind != CONSOLE_REMARK && console_enter(c, &err) < 0)
			break;
	}
	MUST(!was_said(transcript_text(console_transcript(c)), secret));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_from(bytes_of(data, size), 1);
	size_t step = size ? 1 + data[0] % 64 : 1;

	if (!size || size > IN_MAX)
		return 0;
	check_screen(in, step);
	check_telnet(in, step);
	check_claims(in, step);
	return 0;
}
