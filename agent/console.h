/* agent/console.h -- a conversation with a command line or a boot loader: what is shown, what it means, what may be said.
 *
 * The engine knows no device. A grammar (data, one per kind of device) names the shapes that lines may have: prompts, questions, pagers,
 * remarks. A caller says which of them may come now, and the engine waits for one. What it claims, it has seen:
 *
 * - A prompt or question is a whole last line of that shape, begun at the begin of a line, at rest. A prompt must also show letters that
 *   are typed behind it and take them back, and answer Enter with the same prompt; and this twice. A line in some output that only looks
 *   like one does not, however long the output stalls there. No host name is remembered, since `leave` may change it.
 * - A remark is a whole finished line of that shape, after what was sent.
 * - What is typed must come back before Enter is sent; otherwise it is taken back and typed again.
 * - Nothing is sent to a console that is booting. Ctrl-C leaves by console_stop_boot() only.
 *
 * Everything waits with a deadline on the line's clock. Text is bounded (E_LIMIT). What was said is kept as a transcript. */
#pragma once

#include "agent/line.h"
#include "agent/transcript.h"

enum {
	CONSOLE_SHAPES_MAX = 64,
	CONSOLE_LINE_MAX = 512, /* a longer line is no prompt */
	CONSOLE_PART_MAX = 192,
	CONSOLE_TYPED_MAX = 2048,
	CONSOLE_ANSWER_MAX = 2 << 20,
	CONSOLE_QUIET_MS = 120,
	CONSOLE_OTHER = 1,
};

enum console_shape_kind {
	CONSOLE_PROMPT,   /* takes commands, and answers Enter with itself */
	CONSOLE_QUESTION, /* asks for one thing: a name, a password, yes or no. Never answered by the engine itself */
	CONSOLE_MENU,     /* as a question, but may have been placed by cursor movements */
	CONSOLE_PAGER,    /* holds the output back; the engine asks for more */
	CONSOLE_REMARK,   /* a whole finished line */
	CONSOLE_BOOTING,  /* a finished line, or the last one at rest, that says that the device is starting: nothing is sent any more */
	CONSOLE_LOG,      /* a finished line that the device logs when it likes: it may stand between a prompt and the same prompt again */
};

struct console_shape {
	enum console_shape_kind kind;
	const char *name;    /* for messages and the transcript: "login" */
	const char *pattern; /* PCRE2 over the whole line without trailing blanks; groups 1 and 2 are given out as parts */
};

/* One bit per shape, by its index in the grammar. */
typedef uint64_t console_set;
#define CONSOLE_SET(index) ((console_set)1 << (index))

struct console_grammar {
	const char *name;
	const struct console_shape *shapes; /* the first that fits counts */
	size_t shape_count;
	const char *enter;     /* "\r" */
	const char *prove;     /* begins a comment, for those who repeat the last command at an empty line; NULL: that is harmless */
	const char *more;      /* to a pager; NULL: none is known */
	const char *take_back; /* before one DEL per character typed: "\x15"; NULL: nothing */
	unsigned quiet_ms;     /* how long at rest; 0: CONSOLE_QUIET_MS. Twice as long for what Enter cannot prove */
};

struct console_seen {
	unsigned shape; /* index in the grammar */
	char line[CONSOLE_LINE_MAX];
	char part[2][CONSOLE_PART_MAX]; /* "" when the pattern has no such group */
	/* Something was typed to prove a prompt that then was none, so that it may stand in the text before; or, of a command, the line
	 * that was entered is not the one that was typed. Nothing may be claimed by such an answer. */
	bool is_disturbed;
};

struct console;

/* Takes the line over, also on failure. */
int console_new(struct console **out, struct line *line, const struct console_grammar *grammar, struct error *err) _must_check_;
struct console *console_free(struct console *console);
void console_freep(struct console **console);

/* Finds out what is there. Listens for listen_ms without a word first, and as long as something comes; then sends Enter, at most twice and
 * never after signs of booting. seen is one of `want`, or with CONSOLE_OTHER something else that the grammar knows. E_PEER: silence, or
 * nothing that is known. */
int console_attach(struct console *console, struct console_seen *seen, console_set want, unsigned listen_ms, unsigned timeout_ms,
		   struct error *err) _must_check_;

/* Waits for one of `want`. Finished lines are looked at once and in order, so remarks that follow each other are waited for one by one.
 * CONSOLE_OTHER: a prompt or question is there, at rest, that is not wanted. E_PEER past the deadline, or when the line ends. */
int console_wait(struct console *console, struct console_seen *seen, console_set want, unsigned timeout_ms, struct error *err) _must_check_;

struct console_ask {
	const char *command; /* one line, printable */
	console_set want;    /* what may come after the answer */
	unsigned timeout_ms; /* for the answer */
	bool is_private;     /* neither command nor answer get into the transcript, only their lengths */
	unsigned repeats;    /* it may be asked again this often, if the answer was disturbed: for commands that only show */
};

/* At a prompt: types the command, sees its echo, enters it, and gives the text of the answer, lines ended by "\n", without echo, pager
 * and prompt; trailing blanks are kept. Results as console_wait(); with CONSOLE_OTHER the answer holds what came before. answer may be
 * NULL. */
int console_command(struct console *console, struct buf *answer, struct console_seen *seen, const struct console_ask *ask,
		    struct error *err) _must_check_;

/* Types text without Enter, and sees its echo. E_PEER when it does not come back. */
int console_type(struct console *console, const char *text, bool is_private, struct error *err) _must_check_;
/* Types without waiting for an echo: a digit or an arrow in a menu. Refuses Ctrl-C (E_DENIED), and anything while the device is booting. */
int console_key(struct console *console, const char *keys, struct error *err) _must_check_;
/* console_key(), and then reads until nothing has come for rest_ms: what it moved on the screen is painted. */
int console_pick(struct console *console, const char *keys, unsigned rest_ms, struct error *err) _must_check_;
int console_enter(struct console *console, struct error *err) _must_check_;
/* Types a secret and Enter. It is not echoed, and redacted if it is. */
int console_secret(struct console *console, struct bytes secret, struct error *err) _must_check_;
/* What a device must be sent in one piece and without an echo check: a configuration into `copy console`. Bytes are sent in chunks that the
 * line takes; what comes back meanwhile is read. The transcript gets the length. */
int console_paste(struct console *console, struct bytes text, unsigned timeout_ms, struct error *err) _must_check_;

struct console_stop {
	const char *key;     /* "\x03" for Ctrl-C; the only way that it is ever sent */
	unsigned every_ms;   /* it is repeated until something wanted shows */
	console_set when;    /* begins when one of these was seen; 0: at once */
	console_set want;    /* the menu or prompt of the boot loader */
	unsigned timeout_ms;
};

/* Stops a boot on purpose. */
int console_stop_boot(struct console *console, struct console_seen *seen, const struct console_stop *stop, struct error *err) _must_check_;

/* The device is about to restart because we said so: nothing is sent until something at rest is seen. */
void console_expect_boot(struct console *console);
bool console_is_booting(const struct console *console);

/* A secret that may appear in what the device says: redacted from now on. False: too long, or too many. */
bool console_hide(struct console *console, struct bytes secret) _must_check_;
/* What came since the last wait began, for messages: at most max characters, redacted, in one line. */
void console_quote(struct console *console, char *out, size_t max);

struct line *console_line(struct console *console);
struct transcript *console_transcript(struct console *console);
