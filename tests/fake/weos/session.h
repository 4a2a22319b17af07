/* tests/fake/weos/session.h -- one person at the CLI: login, line editor, contexts, commands, pager. */
#pragma once

#include "tests/fake/weos/device.h"

struct upgrade;

enum session_state {
	SESSION_USER,
	SESSION_PASSWORD,
	SESSION_COMMAND,
	SESSION_PAGER,
	SESSION_QUESTION,
	SESSION_PASTE,
	SESSION_SHELL,
	SESSION_BUSY
};
enum session_place { PLACE_EXEC, PLACE_CONFIG, PLACE_BOOT, PLACE_LOADER };
enum { SESSION_LINE_MAX = CONFIG_LINE_MAX, SESSION_TYPED_MAX = 64 << 10, SESSION_STEPS_MAX = 24 };

struct session_step {
	unsigned wait_ms;
	char *text;
	size_t text_len;
	void (*act)(struct session *s);
};

struct session {
	struct session *next;
	struct device *dev;
	void (*write)(void *ctx, struct bytes out);
	void (*hang_up)(void *ctx);
	void *ctx;
	bool is_console, is_batch, is_over;
	bool has_run; /* a command, since the last prompt */
	char user[64];
	enum session_state state;
	enum session_place place;

	struct buf line, typed; /* typed: what arrived while a command was at work */
	uint64_t heard_ms;
	size_t to_lose, echo_count;
	unsigned escape;    /* bytes into a key that sends several: ESC [ A */
	struct buf last;    /* line, for the arrow up */

	struct node *candidate, *path[CONFIG_DEPTH_MAX + 1]; /* path[0] is the candidate itself */
	size_t depth, entry;                               /* entry: the depth that `configure ...` began at */
	struct boot_settings boot;

	struct buf answer, pages; /* of the command at work; what the pager has not shown yet */
	size_t page_count;
	void (*if_yes)(struct session *s);
	struct buf paste;
	char paste_to[128];

	struct upgrade *upgrade; /* in hand, or the last one */
	struct session_step steps[SESSION_STEPS_MAX];
	size_t step_count;
	struct loop_timer timer;
};

/* A session of the device; user NULL: it begins with a login. write and hang_up get ctx. It is freed by device_reap(). */
struct session *session_new(struct device *dev, const char *user, void (*write)(void *ctx, struct bytes out), void (*hang_up)(void *ctx),
			    void *ctx);
struct session *session_free(struct session *s);
void session_begin(struct session *s);
void session_input(struct session *s, struct bytes in);
/* The session ends: its other side is told, or was the one to say so. */
void session_end(struct session *s);
/* Somebody else was here: in this place, logged in. */
void session_leave_behind(struct session *s, bool in_config);

/* ---- for commands ---- */

void say(struct session *s, const char *fmt, ...) _printf_(2, 3);  /* into the answer */
void session_ask(struct session *s, const char *question, void (*if_yes)(struct session *s));
/* The answer so far goes out now, what follows it after a while. */
void session_wait(struct session *s, unsigned wait_ms, void (*act)(struct session *s));
void session_configure(struct session *s);
void session_drop_candidate(struct session *s);

/* What kept the session busy is over: the answer goes out, then the prompt. */
void session_go_on(struct session *s);

/* commands.c: runs one line and leaves what it says in s->answer */
void command_run(struct session *s, char *line);
/* show.c */
void show_run(struct session *s, char **word, size_t count);
/* copy.c */
void copy_run(struct session *s, char **word, size_t count);
void copy_pasted(struct session *s);
void dir_run(struct session *s, char **word, size_t count);
void erase_run(struct session *s, char **word, size_t count);
/* False: there is no such file. */
bool copy_source(struct session *s, struct buf *out, const char *name);
