/* agent/screen.c -- what a console shows, as lines of text. ECMA-48 names the sequences. */
#include "agent/screen.h"

#include <string.h>

enum { BEL = 7, BS = 8, XON = 0x11, XOFF = 0x13, CAN = 0x18, SUB = 0x1a, ESC = 0x1b, DEL = 0x7f };

enum { FORWARD_MAX = 256 };

struct feed {
	struct screen *screen;
	screen_tap *tap;
	void *ctx;
};

static void tell(const struct feed *f, uint8_t c)
{
	if (f->tap)
		f->tap(f->ctx, c);
}

/* The line is finished. A move of the cursor finishes only a line that holds something. */
static void end_line(const struct feed *f, bool is_move)
{
	struct screen *s = f->screen;

	if (!is_move || s->line.len) {
		buf_add_bytes(&s->text, buf_bytes(&s->line));
		buf_add_char(&s->text, '\n');
		tell(f, '\n');
	}
	buf_truncate(&s->line, 0);
	s->cursor = 0;
	s->line_no++;
	s->is_placed = is_move;
}

static bool is_blank(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] != ' ')
			return false;
	return true;
}

/* A whole line that is written over was shown: it is kept, since a line break may have got lost. Blanks are what a pager wipes with. */
static void cut_at_cursor(const struct feed *f)
{
	struct screen *s = f->screen;

	if (s->cursor == 0 && !is_blank(buf_bytes(&s->line))) {
		bool was_placed = s->is_placed;

		end_line(f, true);
		s->is_placed = was_placed;
	} else {
		buf_truncate(&s->line, s->cursor);
		s->line_no += s->cursor == 0;
	}
}

static void print(const struct feed *f, uint8_t c)
{
	struct screen *s = f->screen;

	/* what is written over is gone to its end: two texts never join into one that nobody sent */
	if (s->cursor < s->line.len)
		cut_at_cursor(f);
	buf_add_char(&s->line, (char)c);
	s->cursor++;
	tell(f, c);
}

static void control(const struct feed *f, uint8_t c)
{
	struct screen *s = f->screen;

	switch (c) {
	case '\n':
		end_line(f, false);
		break;
	case '\r':
		s->cursor = 0;
		break;
	case BS:
		s->cursor -= s->cursor > 0;
		break;
	case '\t':
		print(f, c);
		break;
	case BEL:
		s->bell_count++;
		break;
	case ESC:
		s->state = SCREEN_ESC;
		break;
	case 0:
	case DEL: /* fill characters */
	case XON:
	case XOFF:
		break;
	default: /* noise, which must not vanish from the middle of a line */
		print(f, '?');
	}
}

/* ---- sequences ---- */

static void csi_param(struct screen *s, uint8_t c)
{
	unsigned *param = &s->params[s->param_count];

	if (c == ';' || c == ':')
		s->param_count += s->param_count + 1 < ARRAY_SIZE(s->params);
	else if (c >= '0' && c <= '9' && *param < 10000)
		*param = *param * 10 + (c - '0');
}

static void erase_in_line(const struct feed *f)
{
	struct screen *s = f->screen;

	if (s->params[0] == 0) { /* to its end */
		if (s->cursor < s->line.len)
			cut_at_cursor(f);
	} else { /* from its begin: the rest would not be at the begin of a line any more */
		buf_truncate(&s->line, 0);
		s->cursor = 0;
		s->is_placed = true;
	}
}

/* Beyond what is written there are blanks: what stands behind them does not join what stands before. */
static void forward(const struct feed *f, size_t count)
{
	struct screen *s = f->screen;

	if (count > FORWARD_MAX)
		count = FORWARD_MAX;
	for (; count && s->cursor < s->line.len; count--)
		s->cursor++;
	for (; count; count--)
		print(f, ' ');
}

static void csi_end(const struct feed *f, uint8_t c)
{
	struct screen *s = f->screen;
	size_t count = s->params[0] ? s->params[0] : 1;

	s->state = SCREEN_GROUND;
	switch (c) {
	case 'C':
		forward(f, count);
		break;
	case 'D':
		s->cursor = s->cursor < count ? 0 : s->cursor - count;
		break;
	case 'K':
		erase_in_line(f);
		break;
	case 'J':
		if (s->params[0] == 0)
			erase_in_line(f);
		else
			end_line(f, true);
		break;
	case 'm': /* colours */
	case 'h': /* modes, bracketed paste among them */
	case 'l':
	case 'n': /* reports */
	case 'c':
	case 'r':
	case 't':
	case 'q':
		break;
	default: /* the cursor goes elsewhere, or the screen changes in ways that are not followed */
		end_line(f, true);
	}
}

static void escape(const struct feed *f, uint8_t c)
{
	struct screen *s = f->screen;

	s->state = SCREEN_GROUND;
	if (c == '[') {
		s->state = SCREEN_CSI;
		memset(s->params, 0, sizeof(s->params));
		s->param_count = 0;
	} else if (strchr("]P^_X", c) && c) {
		s->state = SCREEN_STRING;
		s->string_len = 0;
	} else if (c >= 0x20 && c < 0x30) { /* a character set, say: one more follows */
		s->state = SCREEN_ESC_MORE;
	} else if (strchr("cDEM78", c) && c) { /* reset, moves, save and restore */
		end_line(f, true);
	}
}

/* A control string ends with BEL or ST. One whose end got lost ends with its line, so that it cannot swallow a whole session. */
static void in_string(const struct feed *f, uint8_t c)
{
	struct screen *s = f->screen;

	if (c == BEL || c == CAN || c == SUB) {
		s->state = SCREEN_GROUND;
	} else if (c == ESC) {
		s->state = SCREEN_STRING_ESC;
	} else if (c == '\n' || ++s->string_len > SCREEN_STRING_MAX) {
		s->state = SCREEN_GROUND;
		s->is_placed = true; /* what part of it was text is not known */
		if (c == '\n')
			end_line(f, false);
	}
}

static void sequence(const struct feed *f, uint8_t c)
{
	struct screen *s = f->screen;

	if (s->state != SCREEN_STRING && s->state != SCREEN_STRING_ESC) {
		if (c == CAN || c == SUB) {
			s->state = SCREEN_GROUND;
			return;
		}
		if (c < 0x20) { /* ECMA-48: acts in the middle of a sequence; a second ESC begins anew */
			control(f, c);
			return;
		}
	}
	switch (s->state) {
	case SCREEN_ESC:
		escape(f, c);
		break;
	case SCREEN_ESC_MORE:
		s->state = c >= 0x20 && c < 0x30 ? SCREEN_ESC_MORE : SCREEN_GROUND;
		break;
	case SCREEN_CSI:
		if (c >= 0x40 && c < DEL)
			csi_end(f, c);
		else if (c < 0x40)
			csi_param(s, c);
		else /* no sequence at all: noise */
			s->state = SCREEN_GROUND;
		break;
	case SCREEN_STRING:
		in_string(f, c);
		break;
	case SCREEN_STRING_ESC: /* "\" completes ST; anything else begins a sequence of its own */
		s->state = SCREEN_GROUND;
		if (c != '\\')
			escape(f, c);
		break;
	case SCREEN_GROUND:
		break;
	}
}

int screen_feed(struct screen *screen, struct bytes in, screen_tap *tap, void *ctx, struct error *err)
{
	struct feed f = { screen, tap, ctx };

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];

		if (screen->text.len >= SCREEN_TEXT_MAX || screen->line.len >= SCREEN_LINE_MAX)
			return error_set(err, E_LIMIT, "the console said more than is believed of it (%zu bytes)",
					 screen->text.len + screen->line.len);
		if (screen->state != SCREEN_GROUND)
			sequence(&f, c);
		else if (c < 0x20 || c == DEL)
			control(&f, c);
		else
			print(&f, c);
	}
	return 0;
}

bool screen_is_whole(const struct screen *screen)
{
	return screen->state == SCREEN_GROUND;
}

void screen_forget(struct screen *screen, size_t offset)
{
	struct buf rest = { 0 };

	if (offset < screen->text.len)
		buf_add_bytes(&rest, bytes_from(buf_bytes(&screen->text), offset));
	buf_done(&screen->text);
	screen->text = rest;
}

void screen_done(struct screen *screen)
{
	buf_done(&screen->text);
	buf_done(&screen->line);
	*screen = (struct screen){ 0 };
}
