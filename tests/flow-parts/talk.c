/* tests/flow-parts/talk.c -- the console engine by hand, for tests and for a look at a device.
 *
 * talk GRAMMAR LINE < SCRIPT
 *
 *   GRAMMAR  uboot, grub, weos
 *   LINE     tty PATH | tcp HOST:PORT | rfc2217 HOST:PORT [RATE] | child PROGRAM ARGUMENT...
 *
 * The script, one step a line; SHAPES are names of the grammar, with commas; a wait is in milliseconds:
 *
 *   attach SHAPES LISTEN WAIT   wait SHAPES WAIT       command SHAPES WAIT TEXT   stop SHAPES WHEN|- KEY WAIT
 *   type TEXT                   pick KEYS              enter                      secret TEXT
 *   boot                        purge JOURNAL          transcript                 hash
 *
 * Keys may have \e and \xNN in them. `purge` reads the last word of the file, appends to it, and takes the two next lines as its passwords.
 * Each step prints "SHAPE: line", "other SHAPE: line", lines "| answer", or "failed CODE: why"; a failure does not end the script. */
#include "agent/console.h"
#include "agent/weos-purge.h"
#include "base/fs.h"
#include "crypto/secret.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct console_shape uboot_shapes[] = {
	{ CONSOLE_PROMPT, "prompt", "=>" },
	{ CONSOLE_BOOTING, "autoboot", "Hit any key to stop autoboot:.*" },
	{ CONSOLE_BOOTING, "start", "U-Boot [0-9]+\\..*|Starting kernel.*" },
	{ CONSOLE_REMARK, "interrupted", "=> <INTERRUPT>" },
};

/* An empty line repeats the last command here: a prompt is proven by a comment. */
static const struct console_grammar uboot = {
	.name = "U-Boot", .shapes = uboot_shapes, .shape_count = ARRAY_SIZE(uboot_shapes), .enter = "\r", .prove = "#", .take_back = "\x15"
};

static const struct console_shape grub_shapes[] = {
	{ CONSOLE_PROMPT, "prompt", "grub>" },
	{ CONSOLE_MENU, "sure", ".*Factory reset, are you sure\\? \\(y/N\\):.*" },
	{ CONSOLE_REMARK, "done", ".*RESET-RC=0.*" },
	{ CONSOLE_REMARK, "failed", ".*RESET-RC=[1-9].*" },
	{ CONSOLE_REMARK, "aborted", ".*Aborted.*" },
	{ CONSOLE_REMARK, "menu", " *before booting or `c' for a command-line\\." },
	{ CONSOLE_REMARK, "entry-4", ".*\\*Factory reset.*" },
};

static const struct console_grammar grub = {
	.name = "GRUB", .shapes = grub_shapes, .shape_count = ARRAY_SIZE(grub_shapes), .enter = "\r"
};

static const struct console_grammar *const grammars[] = { &uboot, &grub, &weos_purge_grammar };
static const char *const grammar_names[] = { "uboot", "grub", "weos" };

struct talk {
	const struct console_grammar *grammar;
	struct console *console;
	struct console_seen seen;
};

static char *word(char **rest)
{
	static char none[1];
	char *w = *rest;

	if (!w)
		return none;
	*rest = strchr(w, ' ');
	if (*rest)
		*(*rest)++ = 0;
	return w;
}

static console_set set_of(const struct talk *t, char *names)
{
	console_set set = 0;
	bool found;

	if (!strcmp(names, "-"))
		return 0;
	for (char *name = strtok(names, ","); name; name = strtok(NULL, ",")) {
		found = false;
		for (size_t i = 0; i < t->grammar->shape_count; i++)
			if (!strcmp(t->grammar->shapes[i].name, name)) {
				set |= CONSOLE_SET(i);
				found = true;
			}
		if (!found) {
			fprintf(stderr, "talk: '%s' is no shape\n", name);
			exit(2);
		}
	}
	return set;
}

/* \e and \xNN. */
static char *unescape(char *text)
{
	char *to = text;

	for (char *at = text; *at; at++) {
		uint8_t byte;

		if (at[0] == '\\' && at[1] == 'e') {
			*to++ = 0x1b;
			at++;
		} else if (at[0] == '\\' && at[1] == 'x' && hex_decode(&byte, 1, bytes_of(at + 2, strnlen(at + 2, 2)))) {
			*to++ = (char)byte;
			at += 3;
		} else {
			*to++ = *at;
		}
	}
	*to = 0;
	return text;
}

static void tell(const struct talk *t, int r, const struct error *err, bool has_seen)
{
	if (r < 0)
		printf("failed %d: %s\n", r, err->text);
	else if (has_seen)
		printf("%s%s: %s%s\n", r ? "other " : "", t->grammar->shapes[t->seen.shape].name, t->seen.line,
		       t->seen.is_disturbed ? " (disturbed)" : "");
	else
		printf("ok\n");
}

static int command(struct talk *t, char *rest, struct error *err)
{
	_cleanup_(buf_done) struct buf answer = { 0 };
	struct console_ask ask = { .want = set_of(t, word(&rest)) };
	struct bytes lines, line;
	int r;

	ask.timeout_ms = (unsigned)atoi(word(&rest));
	ask.command = rest ? rest : "";
	r = console_command(t->console, &answer, &t->seen, &ask, err);
	lines = buf_bytes(&answer);
	while (r >= 0 && bytes_next_line(&lines, &line))
		printf("| %.*s\n", (int)line.len, (const char *)line.ptr);
	return r;
}

static int stop(struct talk *t, char *rest, struct error *err)
{
	struct console_stop how = { .every_ms = 50 };

	how.want = set_of(t, word(&rest));
	how.when = set_of(t, word(&rest));
	how.key = unescape(word(&rest));
	how.timeout_ms = (unsigned)atoi(word(&rest));
	return console_stop_boot(t->console, &t->seen, &how, err);
}

/* ---- purge ---- */

static int append(void *ctx, const char *state, struct error *err)
{
	_cleanup_(fd_closep) int fd = open(ctx, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || dprintf(fd, "%s\n", state) < 0 || fsync(fd) < 0)
		return error_sys(err, "cannot write '%s'", (const char *)ctx);
	return 0;
}

static char *last_line(const char *path)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };
	struct bytes rest, line = { 0 };

	if (fs_read(&text, path, 64 << 10, &err) != 0)
		return NULL;
	rest = buf_bytes(&text);
	while (bytes_next_line(&rest, &line))
		;
	return line.len ? mem_strndup((const char *)line.ptr, line.len) : NULL;
}

static int purge(struct talk *t, char *path, FILE *in, struct error *err)
{
	_cleanup_(mem_freep) char *from = last_line(path);
	struct dialogue_run run = { .dialogue = &weos_purge, .console = t->console, .from = from, .words = { "admin" }, .journal = append,
				    .ctx = path };
	static char passwords[2][128];
	int r;

	for (size_t i = 0; i < 2; i++) {
		if (!fgets(passwords[i], sizeof(passwords[i]), in))
			return error_set(err, E_FORMAT, "purge needs two passwords");
		passwords[i][strcspn(passwords[i], "\n")] = 0;
		run.secrets[i] = bytes_str(passwords[i]);
	}
	r = dialogue_go(&run, err);
	if (r >= 0)
		printf("end %d in '%s': %s\n", r, run.state, run.says);
	else
		printf("stopped in '%s'\n", run.state ? run.state : "");
	return r;
}

/* ---- script ---- */

static void step(struct talk *t, char *text, FILE *in)
{
	struct error err = { 0 };
	char *rest = text, *verb = word(&rest);
	bool has_seen = false;
	int r = 0;

	if (!strcmp(verb, "attach")) {
		console_set want = set_of(t, word(&rest));
		unsigned listen_ms = (unsigned)atoi(word(&rest));

		r = console_attach(t->console, &t->seen, want, listen_ms, (unsigned)atoi(word(&rest)), &err);
		has_seen = true;
	} else if (!strcmp(verb, "wait")) {
		console_set want = set_of(t, word(&rest));

		r = console_wait(t->console, &t->seen, want, (unsigned)atoi(word(&rest)), &err);
		has_seen = true;
	} else if (!strcmp(verb, "command")) {
		r = command(t, rest, &err);
		has_seen = true;
	} else if (!strcmp(verb, "stop")) {
		r = stop(t, rest, &err);
		has_seen = true;
	} else if (!strcmp(verb, "type")) {
		r = console_type(t->console, rest ? rest : "", false, &err);
	} else if (!strcmp(verb, "pick")) {
		r = console_pick(t->console, unescape(rest), 200, &err);
	} else if (!strcmp(verb, "enter")) {
		r = console_enter(t->console, &err);
	} else if (!strcmp(verb, "secret")) {
		r = console_secret(t->console, bytes_str(rest ? rest : ""), &err);
	} else if (!strcmp(verb, "boot")) {
		console_expect_boot(t->console);
	} else if (!strcmp(verb, "purge")) {
		r = purge(t, rest, in, &err);
	} else if (!strcmp(verb, "transcript")) {
		struct bytes said = transcript_text(console_transcript(t->console));

		printf("%.*s", (int)said.len, (const char *)said.ptr);
	} else if (!strcmp(verb, "hash")) {
		char hash[TRANSCRIPT_HASH_LEN];

		transcript_hash(hash, console_transcript(t->console));
		printf("hash %s\n", hash);
	} else if (verb[0]) {
		fprintf(stderr, "talk: no step '%s'\n", verb);
		exit(2);
	}
	tell(t, r, &err, has_seen);
	fflush(stdout);
}

static int open_line(struct line **out, char **args, struct error *err)
{
	struct line_serial serial = line_serial_8n1;

	if (!strcmp(args[0], "tty"))
		return line_open_tty(out, args[1], &serial, err);
	if (!strcmp(args[0], "tcp"))
		return line_open_tcp(out, args[1], 5000, err);
	if (!strcmp(args[0], "rfc2217")) {
		if (args[2])
			serial.rate = (unsigned)atoi(args[2]);
		return line_open_rfc2217(out, args[1], &serial, 5000, err);
	}
	if (!strcmp(args[0], "child"))
		return line_open_child(out, (const char *const *)args + 1, 25, 80, err);
	return error_set(err, E_FORMAT, "'%s' is no kind of line", args[0]);
}

int main(int argc, char **argv)
{
	struct talk t = { 0 };
	struct line *line = NULL;
	struct error err = { 0 };
	char text[2048];

	for (size_t i = 0; argc > 3 && i < ARRAY_SIZE(grammars); i++)
		if (!strcmp(argv[1], grammar_names[i]))
			t.grammar = grammars[i];
	if (!t.grammar) {
		fprintf(stderr, "usage: talk GRAMMAR LINE ARGUMENT... < SCRIPT\n");
		return 2;
	}
	if (crypto_start(&err) < 0 || open_line(&line, argv + 2, &err) < 0 || console_new(&t.console, line, t.grammar, &err) < 0) {
		printf("failed %d: %s\n", err.code, err.text);
		return 1;
	}
	while (fgets(text, sizeof(text), stdin)) {
		text[strcspn(text, "\n")] = 0;
		if (text[0] && text[0] != '#')
			step(&t, text, stdin);
	}
	console_free(t.console);
	return 0;
}
