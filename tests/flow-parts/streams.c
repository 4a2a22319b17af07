/* tests/flow-parts/streams.c -- consoles that lie, stutter and break off: does the engine ever claim what was not there?
 *
 * streams COUNT [FIRST]: so many conversations, each of its own number. A device with a state of its own answers through a line that cuts
 * anywhere, colours, stalls, adds log lines, flips, loses and invents bytes in both directions, and ends early. Its text has prompts,
 * questions and successes in it that are none. What the engine claims is held against what the device knows:
 *
 * - a prompt: the device is at its prompt, with all of the answer sent, and, unless the answer says that it was disturbed, the last command
 * that it ran is the one that was asked;
 * - saved: the device has saved; erased: it has erased both parts; nothing erased: it has erased none;
 * - an answer that nothing disturbed, over a line without noise, is the answer, byte by byte;
 * - the password is not in the transcript. */
#include "agent/console.h"
#include "agent/weos-purge.h"
#include "crypto/secret.h"
#include "tests/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char password[] = "Gr3en-Bott1e";

/* ---- chance ---- */

static uint64_t chance_state;

static unsigned rnd(unsigned below)
{
	chance_state ^= chance_state << 13;
	chance_state ^= chance_state >> 7;
	chance_state ^= chance_state << 17;
	return below ? (unsigned)(chance_state >> 11) % below : 0;
}

static bool one_in(unsigned n)
{
	return n && rnd(n) == 0;
}

/* ---- the line's vices ---- */

struct vices {
	unsigned cut, colour, stall, log, noise; /* one in so many bytes; 0: never */
	unsigned send_noise;
	bool eats; /* the rest of it, from some moment on */
	unsigned eats_after;
};

static void draw(struct vices *v)
{
	*v = (struct vices){ .cut = 1 + rnd(40) };
	if (rnd(2))
		v->colour = 5 + rnd(60);
	if (rnd(2))
		v->stall = 20 + rnd(300);
	if (one_in(4))
		v->log = 60 + rnd(400);
	if (one_in(4))
		v->noise = 30 + rnd(2000);
	if (one_in(6))
		v->send_noise = 10 + rnd(300);
	if (one_in(5)) {
		v->eats = true;
		v->eats_after = rnd(3000);
	}
}

/* ---- the device ---- */

enum phase { BOOTING, HINT, MENU, CONFIRM, ERASING, LOGIN, PASSWORD, CLI, SURE };

struct device {
	enum phase phase;
	struct fake_line *line;
	struct vices vices;
	struct buf typed;
	const char *name;
	char last_command[256];
	bool stalls_next;
	size_t prompt_said;    /* of the line's pieces: the last prompt is complete with it */
	unsigned out_len;
	bool saved, save_fails, erased_env, erased_system, env_fails, system_fails, cut_between, no_success, takes_any, is_factory, cooked;
	struct buf answer; /* the true answer of the last command */
};

static const char *const colours[] = { "\x1b[0m", "\x1b[1;32m", "\x1b[?2004h", "\x1b]0;example:/#> \x07", "\x1b[m", "\x1b(B", "\x1b[?25l" };
static const char *const logs[] = { "Nov 25 12:00:01 example kernel: eth3 link up\r\n", "<30>example:/#> quoted by a log\r\n",
				    "audit[9]: Device was successfully factory reset. (last year)\r\n", "example:/#> \r\n" };
/* Lines that a device may well have in its texts. */
static const char *const lures[] = { "example:/#> ",
				     "example:/config/#> ",
				     "Host:/#>",
				     "example login: ",
				     "Password: ",
				     "=> Are you sure (y/N)? ",
				     "Device was successfully factory reset.",
				     "Erasing System configuration ........ [ OK ]",
				     "The device will now reboot.",
				     "  example:/#> ",
				     "description example:/#> ",
				     "Press Space for more",
				     "\x1b[3;1Hexample:/#> ",
				     "5: System Recovery" };

static void flip(struct buf *out, uint8_t c)
{
	switch (rnd(4)) {
	case 0:
		buf_add_char(out, (char)(c ^ (1 << rnd(8))));
		break;
	case 1: /* lost */
		break;
	case 2:
		buf_add_char(out, (char)c);
		buf_add_char(out, (char)rnd(256));
		break;
	default:
		buf_add_char(out, (char)rnd(256));
	}
}

static void piece_done(struct device *d, struct buf *piece)
{
	if (piece->len) {
		fake_line_say(d->line, d->stalls_next || one_in(d->vices.stall) ? 50 + rnd(2500) : rnd(8), buf_bytes(piece));
		d->stalls_next = false;
	}
	buf_truncate(piece, 0);
}

static void say(struct device *d, const char *text)
{
	struct vices *v = &d->vices;
	_cleanup_(buf_done) struct buf piece = { 0 };

	for (const char *begin = text; *text; text++) {
		bool ends_lure = *text == '>' || (*text == ' ' && text > begin && text[-1] == '>');

		if (v->eats && d->out_len++ > v->eats_after)
			return;
		if (one_in(v->colour))
			buf_add_str(&piece, colours[rnd(ARRAY_SIZE(colours))]);
		if (one_in(v->log)) {
			if (rnd(2))
				buf_add_str(&piece, "\r\n");
			buf_add_str(&piece, logs[rnd(ARRAY_SIZE(logs))]);
		}
		if (one_in(v->noise))
			flip(&piece, (uint8_t)*text);
		else
			buf_add_char(&piece, *text);
		if (one_in(v->cut) || (ends_lure && v->stall && rnd(2))) {
			piece_done(d, &piece);
			d->stalls_next = ends_lure && v->stall && rnd(2); /* a pause at its end is what a lure needs to work */
		}
	}
	piece_done(d, &piece);
}

static void prompt(struct device *d)
{
	_cleanup_(mem_freep) char *text = NULL;

	switch (d->phase) {
	case LOGIN:
		text = mem_printf("%s login: ", d->name);
		break;
	case PASSWORD:
		text = mem_strdup("Password: ");
		break;
	case CLI:
		text = mem_printf("%s:/#> ", d->name);
		break;
	case SURE:
		text = mem_strdup("=> Are you sure (y/N)? ");
		break;
	case CONFIRM:
		text = mem_strdup("This will erase all configuration data on this device.\r\nThe installed firmware will be kept.\r\n"
				  "Do you want to continue? y/[n] ");
		break;
	case MENU:
		text = mem_strdup(
			"Barebox Boot Menu\r\n1: Primary Partition\r\n2: Secondary Partition\r\n3: Network (BOOTP)\r\n4: Factory Reset\r\n"
			"5: System Recovery\r\n");
		break;
	case BOOTING:
	case HINT:
	case ERASING:
		return;
	}
	say(d, text);
	d->prompt_said = d->line->said_count;
}

static void add_line(struct device *d, const char *text)
{
	buf_add_str(&d->answer, text);
	buf_add_char(&d->answer, '\n');
}

static void show(struct device *d)
{
	static const char *const lines[] = {
		"vlan 1", "\tname vlan1", "\tuntagged ALL", "\tend", "iface vlan1 inet static", "no spanning-tree", ""
	};

	for (unsigned n = rnd(30); n; n--) {
		bool is_lure = one_in(5);
		const char *line = is_lure ? lures[rnd(ARRAY_SIZE(lures))] : lines[rnd(ARRAY_SIZE(lines))];

		if (strchr(line, 0x1b)) /* it has no bytes that could be compared */
			line = "\tend";
		for (unsigned twice = 1 + (is_lure && one_in(4)); twice; twice--) {
			add_line(d, line);
			say(d, line);
			if (is_lure && d->vices.stall && rnd(2))
				d->stalls_next = true;
			say(d, "\r\n");
		}
	}
}

static void boot(struct device *d)
{
	d->phase = HINT;
	say(d, "\r\n\r\nbarebox 2017.12.0-10 #1\r\n\r\nHit ctrl-c to stop autoboot:    3");
	fake_line_text(d->line, 900, "\b2");
	fake_line_text(d->line, 900, "\b1");
	d->prompt_said = d->line->said_count;
}

static void come_up(struct device *d)
{
	say(d, "\r\nLoading primary partition ...\r\nStarting WeOS v5.20.0 ...\r\n[    0.0] Booting Linux on physical CPU 0x0\r\n");
	fake_line_text(d->line, 4000, "Bootstrapping configuration ... [ OK ]\r\n\r\n");
	d->phase = LOGIN;
	d->is_factory = d->erased_env && d->erased_system;
	d->name = d->is_factory ? "weos" : "example";
	prompt(d);
}

static void erase(struct device *d)
{
	say(d, "\r\nErasing Barebox configuration ........ ");
	d->erased_env = !d->env_fails;
	say(d, d->env_fails ? "[ FAIL ]\r\n" : "[ OK ]\r\n");
	if (d->env_fails || d->cut_between) {
		come_up(d);
		return;
	}
	say(d, "Erasing System configuration ........ ");
	d->erased_system = !d->system_fails;
	say(d, d->system_fails ? "[ FAIL ]\r\n" : "[ OK ]\r\n");
	if (!d->system_fails && !d->no_success)
		say(d, "Device was successfully factory reset.\r\nThe device will now reboot.\r\n");
	boot(d);
	come_up(d);
}

static void run(struct device *d, const char *command)
{
	size_t len = strlen(command);

	while (len && (command[len - 1] == ' ' || command[len - 1] == '\t')) /* as command lines do */
		len--;
	snprintf(d->last_command, sizeof(d->last_command), "%.*s", (int)len, command);
	command = d->last_command;
	buf_truncate(&d->answer, 0);
	if (!strcmp(command, "show running-config")) {
		show(d);
	} else if (!strcmp(command, "copy running-config startup-config")) {
		d->saved = !d->save_fails;
		if (d->save_fails)
			add_line(d, "% Error: no space left on the flash"), say(d, "% Error: no space left on the flash\r\n");
	} else if (!strcmp(command, "reboot")) {
		d->phase = SURE;
	} else if (!strcmp(command, "logout")) {
		d->phase = LOGIN;
	} else {
		add_line(d, "% Error: invalid input"), say(d, "% Error: invalid input\r\n");
	}
}

static void enter_cli(struct device *d, const char *typed)
{
	static const char *const from = "admin";

	switch (d->phase) {
	case LOGIN:
		d->phase = !strcmp(typed, from) ? PASSWORD : LOGIN;
		break;
	case PASSWORD:
		d->phase = !strcmp(typed, d->is_factory ? "admin" : password) ? CLI : LOGIN;
		if (d->phase == LOGIN)
			say(d, "Login incorrect\r\n");
		break;
	case SURE:
		d->phase = CLI;
		if (!strcmp(typed, "y")) {
			boot(d);
			return;
		}
		break;
	case MENU:
		d->phase = !strcmp(typed, "4") ? CONFIRM : MENU;
		break;
	case CONFIRM:
		if (!strcmp(typed, "y") || (d->takes_any && typed[0])) {
			erase(d);
			return;
		}
		say(d, "Aborted.\r\n");
		d->phase = MENU;
		break;
	case CLI:
		if (typed[0])
			run(d, typed);
		break;
	case BOOTING:
	case HINT:
	case ERASING:
		return;
	}
	prompt(d);
}

static void take_key(struct device *d, char c)
{
	char echo[2] = { c, 0 };

	if (d->phase == HINT && c == 3) {
		d->phase = MENU;
		say(d, "\r\n\r\n");
		prompt(d);
	} else if (d->phase == BOOTING || d->phase == HINT || d->phase == ERASING || c == 3) {
		return;
	} else if (c == '\r') {
		_cleanup_(buf_done) struct buf typed = d->typed;

		d->typed = (struct buf){ 0 };
		if (d->cooked && !typed.len && d->line->said_done < d->line->said_count)
			fake_line_echo(d->line, "\r\n");
		else
			say(d, "\r\n");
		enter_cli(d, buf_text(&typed));
	} else if (c == 0x15 || c == 0x7f) {
		for (size_t n = c == 0x7f ? d->typed.len > 0 : d->typed.len; n; n--) {
			buf_truncate(&d->typed, d->typed.len - 1);
			say(d, "\b \b");
		}
	} else if (c && d->typed.len < 200) {
		buf_add_char(&d->typed, c);
		if (d->phase != PASSWORD)
			say(d, echo);
	}
}

static void hear(struct fake_line *line, struct bytes in)
{
	struct device *d = line->ctx;
	_cleanup_(buf_done) struct buf got = { 0 };

	for (size_t i = 0; i < in.len; i++)
		if (one_in(d->vices.send_noise))
			flip(&got, in.ptr[i]);
		else
			buf_add_char(&got, (char)in.ptr[i]);
	for (size_t i = 0; i < got.len; i++)
		take_key(d, (char)got.ptr[i]);
}

/* ---- claims ---- */

struct counts {
	unsigned streams, prompts, saved, answers, erased, nothing, none;
};

static unsigned stream;

static void wrong(const char *claim, struct console *c)
{
	struct bytes said = transcript_text(console_transcript(c));

	fprintf(stderr, "stream %u: %s, which was not so. The transcript:\n%.*s", stream, claim, (int)said.len, (const char *)said.ptr);
	exit(1);
}

/* Apart from what no echo can show: the noise may invent that, too. */
static bool is_command(const struct device *d, const char *command)
{
	for (const char *ran = d->last_command; *ran; ran++)
		if ((unsigned char)*ran >= ' ' && *ran != 0x7f && *ran != *command++)
			return false;
	return !*command;
}

static void check_prompt(const struct device *d, struct console *c, const char *command)
{
	if (d->phase != CLI || d->line->said_done < d->prompt_said)
		wrong("a prompt was claimed", c);
	if (command && !is_command(d, command))
		wrong("a command was claimed", c);
}

enum { P_EXEC, P_CONFIG, P_LOGIN, P_PASSWORD, P_SURE }; /* as in agent/weos-purge.c */

static int ask(struct console *c, struct buf *answer, bool *is_disturbed, const char *command, struct error *err)
{
	struct console_ask what = { .command = command, .want = CONSOLE_SET(P_EXEC), .timeout_ms = 60000, .repeats = 2 };
	struct console_seen seen;
	int r = console_command(c, answer, &seen, &what, err);

	*is_disturbed = seen.is_disturbed;
	return r;
}

static bool is_clean(const struct vices *v)
{
	return !v->noise && !v->send_noise && !v->log;
}

static void talk(struct device *d, struct console *c, struct counts *n)
{
	struct error err = { 0 };
	struct console_seen seen;
	_cleanup_(buf_done) struct buf shown = { 0 }, said = { 0 };
	bool is_disturbed;
	int r = console_attach(c, &seen, CONSOLE_SET(P_EXEC) | CONSOLE_SET(P_LOGIN), 500, 60000, &err);

	if (r == 0 && seen.shape == P_LOGIN) {
		r = console_type(c, "admin", false, &err);
		r = r < 0 ? r : console_enter(c, &err);
		r = r < 0 ? r : console_wait(c, &seen, CONSOLE_SET(P_PASSWORD), 20000, &err);
		r = r != 0 ? r : console_secret(c, bytes_str(password), &err);
		r = r != 0 ? r : console_wait(c, &seen, CONSOLE_SET(P_EXEC), 20000, &err);
	}
	if (r != 0) {
		n->none++;
		return;
	}
	check_prompt(d, c, NULL);
	n->prompts++;
	for (unsigned i = 0; i < 2; i++) {
		buf_truncate(&shown, 0);
		if (ask(c, &shown, &is_disturbed, "show running-config", &err) != 0)
			return;
		check_prompt(d, c, is_disturbed ? NULL : "show running-config");
		n->prompts++;
		if (!is_disturbed && is_clean(&d->vices)) {
			if (!bytes_equal(buf_bytes(&shown), buf_bytes(&d->answer)))
				wrong("an answer was given", c);
			n->answers++;
		}
	}
	d->saved = false;
	if (ask(c, &said, &is_disturbed, "copy running-config startup-config", &err) != 0)
		return;
	check_prompt(d, c, is_disturbed ? NULL : "copy running-config startup-config");
	n->prompts++;
	if (!said.len && !is_disturbed) { /* silence after this command means saved */
		if (!d->saved)
			wrong("'saved' was claimed", c);
		n->saved++;
	}
}

static int journal(void *ctx, const char *state, struct error *err _unused_)
{
	snprintf(ctx, 64, "%s", state);
	return 0;
}

static void purge(struct device *d, struct console *c, struct counts *n)
{
	char last[64] = "";
	struct dialogue_run go = { .dialogue = &weos_purge, .console = c, .words = { "admin" }, .journal = journal, .ctx = last };
	struct error err = { 0 };
	int r;

	go.secrets[WEOS_PURGE_PASSWORD] = bytes_str(password);
	go.secrets[WEOS_PURGE_FACTORY_PASSWORD] = bytes_str("admin");
	r = dialogue_go(&go, &err);
	if (r == DIALOGUE_DONE) {
		if (!d->erased_env || !d->erased_system || !d->is_factory)
			wrong("'erased' was claimed", c);
		n->erased++;
	} else if (r == DIALOGUE_NOTHING) {
		if (d->erased_env || d->erased_system)
			wrong("'nothing was erased' was claimed", c);
		n->nothing++;
	} else {
		n->none++;
	}
}

static void one(struct counts *n)
{
	struct device d = { .phase = rnd(3) ? CLI : LOGIN, .name = "example" };
	bool is_purge = one_in(3);
	struct console *c = NULL;
	struct error err = { 0 };

	draw(&d.vices);
	d.line = fake_line_new(hear, &d);
	d.cooked = rnd(2);
	d.save_fails = one_in(3);
	d.env_fails = one_in(6);
	d.system_fails = one_in(6);
	d.cut_between = one_in(6);
	d.no_success = one_in(8);
	d.takes_any = one_in(8);
	if (console_new(&c, &d.line->base, &weos_purge_grammar, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	if (one_in(10)) { /* nobody is there who could be at a prompt, and the line shows old text */
		d.phase = BOOTING;
		for (unsigned i = rnd(40); i; i--) {
			say(&d, lures[rnd(ARRAY_SIZE(lures))]);
			if (rnd(2))
				fake_line_text(d.line, rnd(2) ? 5 : 1500, "\r\n");
		}
	} else if (rnd(2)) {
		prompt(&d);
	}
	if (one_in(8))
		d.line->ends_ms = d.line->now_ms + rnd(20000);
	if (is_purge)
		purge(&d, c, n);
	else
		talk(&d, c, n);
	if (memmem(transcript_text(console_transcript(c)).ptr, transcript_text(console_transcript(c)).len, password, strlen(password)))
		wrong("no password in the transcript was claimed", c);
	n->streams++;
	console_free(c);
	buf_done(&d.typed);
	buf_done(&d.answer);
}

int main(int argc, char **argv)
{
	unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;
	unsigned first = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
	struct counts n = { 0 };
	struct error err = { 0 };

	if (crypto_start(&err) < 0)
		return 2;
	for (stream = first; stream < first + count; stream++) {
		chance_state = 0x9e3779b97f4a7c15u * (stream + 1);
		one(&n);
	}
	printf("%u streams: %u prompts, %u answers, %u saves, %u erasures and %u times nothing erased were claimed, and were so; "
	       "%u conversations came to nothing\n",
	       n.streams, n.prompts, n.answers, n.saved, n.erased, n.nothing, n.none);
	/* an engine that claims nothing would pass */
	if (n.prompts < n.streams / 2 || n.answers < n.streams / 8 || n.saved < n.streams / 20 || n.erased < n.streams / 100 ||
	    n.nothing < 1) {
		fprintf(stderr, "too little was claimed to mean anything\n");
		return 1;
	}
	return 0;
}
