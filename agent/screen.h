/* agent/screen.h -- what a console shows, as lines of text: the bytes of a terminal without what only moves and colours them.
 *
 * This is no terminal emulator. It keeps what is needed to tell a prompt from what merely looks like one: which text stands on which line,
 * and whether that line began where lines begin. Whatever is doubtful makes text that matches less, and loses none: a line that is written
 * over from its begin is kept as a line, what is written over further on is dropped to its end, a move of the cursor ends the line, and
 * what follows it is marked as placed. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

/* Of finished lines that nobody has taken; of one line; of one control string (a window title, say). */
enum { SCREEN_TEXT_MAX = 4 << 20, SCREEN_LINE_MAX = 64 << 10, SCREEN_STRING_MAX = 1024 };

enum screen_state { SCREEN_GROUND, SCREEN_ESC, SCREEN_ESC_MORE, SCREEN_CSI, SCREEN_STRING, SCREEN_STRING_ESC };

struct screen {
	struct buf text; /* finished lines, each with its "\n"; "\r" and sequences are gone */
	struct buf line; /* the line that the cursor is on */
	size_t cursor;   /* in line */
	unsigned line_no; /* another one for each line that is begun */
	bool is_placed;  /* that line began where the cursor was sent, not after the line before */
	enum screen_state state;
	unsigned params[4], param_count;
	size_t string_len;
	unsigned bell_count; /* what U-Boot answers to a line that is too long */
};

/* What it takes for good, in order: characters to keep in a record, "\n" for the end of a line. NULL: nobody is told. */
typedef void screen_tap(void *ctx, uint8_t c);

/* E_LIMIT when a bound is met; what came before is kept. */
int screen_feed(struct screen *screen, struct bytes in, screen_tap *tap, void *ctx, struct error *err) _must_check_;
/* False in the middle of a sequence: what follows may change what is there. */
bool screen_is_whole(const struct screen *screen);
/* Forgets finished lines up to offset. */
void screen_forget(struct screen *screen, size_t offset);
void screen_done(struct screen *screen);
