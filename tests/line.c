/* tests/line.c -- a console line without a device. */
#include "tests/line.h"

#include <stdlib.h>
#include <string.h>

static int fake_read(struct line *base, struct buf *out, uint64_t until_ms, struct error *err)
{
	struct fake_line *line = (struct fake_line *)base;
	struct said *next = line->said_done < line->said_count ? &line->said[line->said_done] : NULL;

	if (until_ms < line->now_ms)
		until_ms = line->now_ms;
	if (line->ends_ms && line->ends_ms <= until_ms && (!next || next->at_ms > line->ends_ms)) {
		line->now_ms = line->ends_ms > line->now_ms ? line->ends_ms : line->now_ms;
		return error_set(err, E_PEER, "the line has ended");
	}
	if (!next || next->at_ms > until_ms) {
		line->now_ms = until_ms;
		return LINE_QUIET;
	}
	if (next->at_ms > line->now_ms)
		line->now_ms = next->at_ms;
	buf_add_bytes(out, buf_bytes(&next->text));
	line->said_done++;
	return 0;
}

static int fake_write(struct line *base, struct bytes in, uint64_t until_ms _unused_, struct error *err)
{
	struct fake_line *line = (struct fake_line *)base;

	if (line->ends_ms && line->ends_ms <= line->now_ms)
		return error_set(err, E_PEER, "the line has ended");
	buf_add_bytes(&line->sent, in);
	if (line->heard)
		line->heard(line, in);
	return 0;
}

static uint64_t fake_now_ms(const struct line *base)
{
	return ((const struct fake_line *)base)->now_ms;
}

static struct line *fake_free(struct line *base)
{
	struct fake_line *line = (struct fake_line *)base;

	for (size_t i = 0; i < line->said_count; i++)
		buf_done(&line->said[i].text);
	free(line->said);
	buf_done(&line->sent);
	free(line);
	return NULL;
}

static const struct line_kind fake_kind = { "fake line", fake_read, fake_write, fake_now_ms, fake_free, NULL };

struct fake_line *fake_line_new(void (*heard)(struct fake_line *line, struct bytes in), void *ctx)
{
	struct fake_line *line = mem_alloc(sizeof(*line));

	line->base.kind = &fake_kind;
	line->now_ms = 1000;
	line->heard = heard;
	line->ctx = ctx;
	return line;
}

void fake_line_say(struct fake_line *line, unsigned after_ms, struct bytes text)
{
	uint64_t from_ms = line->now_ms;

	if (!text.len)
		return;
	if (line->said_done < line->said_count && line->said[line->said_count - 1].at_ms > from_ms)
		from_ms = line->said[line->said_count - 1].at_ms;
	line->said = mem_grow(line->said, (line->said_count + 1) * sizeof(*line->said));
	line->said[line->said_count] = (struct said){ .at_ms = from_ms + after_ms };
	buf_add_bytes(&line->said[line->said_count++].text, text);
}

void fake_line_text(struct fake_line *line, unsigned after_ms, const char *text)
{
	fake_line_say(line, after_ms, bytes_str(text));
}

void fake_line_echo(struct fake_line *line, const char *text)
{
	struct said *at;

	line->said = mem_grow(line->said, (line->said_count + 1) * sizeof(*line->said));
	at = &line->said[line->said_done];
	memmove(at + 1, at, (line->said_count - line->said_done) * sizeof(*at));
	*at = (struct said){ .at_ms = line->now_ms };
	buf_add_str(&at->text, text);
	line->said_count++;
}
