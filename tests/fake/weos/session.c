/* tests/fake/weos/session.c -- one person at the CLI: login, line editor, pager, questions.
 *
 * What a command says is collected, put through the faults that are on, and written in steps; what is typed meanwhile waits. */
#include "tests/fake/weos/session.h"

#include "base/clock.h"
#include "tests/fake/weos/upgrade.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAGE_LINES = 22,
	PAGE_WIDTH = 80,
	QUIET_MS = 2000,
	LOST_CHARS = 3,
	LONG_ANSWER = 200,
	OVERRUN_LEN = 32,
	PASTE_MAX = CONFIG_TEXT_MAX
};

#define PAGER_BANNER "Press Ctrl-C or Q(uit) to quit viewer, Space for next page, <CR> for next line."

/* ---- output ---- */

/* Everything leaves with CR LF, as a terminal wants it. */
static void write_text(struct session *s, struct bytes text)
{
	_cleanup_(buf_done) struct buf out = { 0 };

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\n' && (i == 0 || text.ptr[i - 1] != '\r'))
			buf_add_char(&out, '\r');
		buf_add_char(&out, (char)text.ptr[i]);
	}
	if (!s->is_over)
		s->write(s->ctx, buf_bytes(&out));
}

static void write_str(struct session *s, const char *text)
{
	write_text(s, bytes_str(text));
}

void say(struct session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&s->answer, fmt, ap);
	va_end(ap);
}

static void add_step(struct session *s, unsigned wait_ms, struct bytes text, void (*act)(struct session *s))
{
	struct session_step *step = &s->steps[s->step_count];

	if (s->step_count == SESSION_STEPS_MAX)
		return;
	s->step_count++;
	*step = (struct session_step){ .wait_ms = wait_ms, .text_len = text.len, .act = act };
	step->text = mem_alloc(text.len + 1);
	if (text.len)
		memcpy(step->text, text.ptr, text.len);
}

static void take_typed(struct session *s);

/* Runs the steps that are due. */
static void run_steps(struct session *s)
{
	while (s->step_count && !s->is_over && s->steps[0].wait_ms == 0) {
		struct session_step step = s->steps[0];

		memmove(s->steps, s->steps + 1, --s->step_count * sizeof(*s->steps));
		write_text(s, bytes_of(step.text, step.text_len));
		mem_freep(&step.text);
		if (step.act)
			step.act(s);
	}
	if (s->step_count && !s->is_over)
		loop_arm(s->dev->loop, &s->timer, clock_mono_ms() + s->steps[0].wait_ms);
}

static void fire(struct loop_timer *timer)
{
	struct session *s = container_of(timer, struct session, timer);

	s->steps[0].wait_ms = 0;
	run_steps(s);
	take_typed(s);
}

/* ---- prompts ---- */

static const char *path_word(char out[static CONFIG_LINE_MAX], const struct node *node)
{
	snprintf(out, CONFIG_LINE_MAX, "%s", node->key);
	for (char *at = out; *at; at++)
		*at = *at == ' ' ? '-' : *at;
	return out;
}

static void add_prompt(struct session *s, struct buf *out)
{
	bool is_plain = !s->dev->fault[FAULT_ANSI];
	char word[CONFIG_LINE_MAX];

	if (s->state == SESSION_SHELL) {
		buf_addf(out, "%s@%s:/# ", s->user, device_host(s->dev));
		return;
	}
	buf_addf(out, "%s%s:%s/", is_plain ? "" : "\033[?2004h\033[1;32m", device_host(s->dev), is_plain ? "" : "\033[0m");
	if (s->place == PLACE_BOOT || s->place == PLACE_LOADER)
		buf_add_str(out, s->place == PLACE_LOADER ? "boot/loader/" : "boot/");
	if (s->place == PLACE_CONFIG)
		buf_add_str(out, "config/");
	for (size_t i = 1; s->place == PLACE_CONFIG && i <= s->depth; i++)
		buf_addf(out, "%s/", path_word(word, s->path[i]));
	if (s->dev->fault[FAULT_NO_SLASH] && s->place != PLACE_EXEC)
		buf_truncate(out, out->len - 1);
	buf_add_str(out, is_plain ? "#> " : "\033[1;36m#>\033[0m ");
}

static void prompt_now(struct session *s)
{
	_cleanup_(buf_done) struct buf prompt = { 0 };

	if (s->state != SESSION_COMMAND && s->state != SESSION_SHELL)
		return;
	if ((s->dev->fault[FAULT_LOG_LINES] && s->has_run) || s->dev->fault[FAULT_LOG_STORM]) {
		device_log(s->dev, "eth2: link is up");
		buf_addf(&prompt, "kernel: eth2: link is up, 100 Mbps full duplex\n");
	}
	s->has_run = false;
	add_prompt(s, &prompt);
	write_text(s, buf_bytes(&prompt));
}

/* ---- answers ---- */

/* On the console it is the wire that goes: the session knows nothing of it and stays as it is. */
static void cut_off(struct session *s)
{
	s->dev->fault[FAULT_DROP] = false;
	if (s->is_console)
		s->hang_up(s->ctx);
	else
		session_end(s);
}

static void restart(struct session *s)
{
	s->dev->fault[FAULT_REBOOT] = false;
	device_reboot(s->dev);
}

/* What the faults put into the middle of an answer. */
static void add_middle(struct session *s, struct buf *out)
{
	if (s->dev->fault[FAULT_NOISE])
		buf_add(out, "\xf0\x00\x7f\xff\x1b[", 6);
	if (s->dev->fault[FAULT_XONXOFF])
		buf_add_str(out, "\x13\x11");
	if (s->dev->fault[FAULT_LOG_LINES] && s->has_run)
		buf_add_str(out, "\nNov 25 12:00:01 dhcpd[412]: DHCPDISCOVER from 02:00:5e:10:00:07 via vlan1\n");
	if (s->dev->fault[FAULT_FAKE_PROMPT])
		buf_addf(out, "\n%s:/#> \nbackup-7:/config/system/#> ", device_host(s->dev));
}

/* Of long answers: the end, from the beginning of a line, so that nothing looks odd; or a piece. */
static void lose_output(struct session *s, struct bytes *all)
{
	size_t at;

	if (all->len < LONG_ANSWER)
		return;
	if (s->dev->fault[FAULT_CUT_SHORT]) {
		all->len = all->len / 3 + randombytes_uniform((uint32_t)all->len / 3);
		while (all->ptr[all->len - 1] != '\n' && all->len > 1)
			all->len--;
	}
	if (!s->dev->fault[FAULT_OVERRUN])
		return;
	at = randombytes_uniform((uint32_t)(all->len - OVERRUN_LEN));
	memmove(s->answer.ptr + at, s->answer.ptr + at + OVERRUN_LEN, all->len - at - OVERRUN_LEN);
	all->len -= OVERRUN_LEN;
}

static void send_answer(struct session *s)
{
	_cleanup_(buf_done) struct buf first = { 0 };
	struct bytes all = buf_bytes(&s->answer);
	size_t half;
	const bool *fault = s->dev->fault;

	if (fault[FAULT_HANG])
		return;
	lose_output(s, &all);
	half = all.len / 2;
	buf_add(&first, all.ptr, half);
	add_middle(s, &first);
	add_step(s, fault[FAULT_SLOW] ? 2000 : 0, buf_bytes(&first), fault[FAULT_DROP] ? cut_off : fault[FAULT_REBOOT] ? restart : NULL);
	add_step(s, fault[FAULT_SLOW] || fault[FAULT_FAKE_PROMPT] ? 600 : 0, bytes_from(all, half), NULL);
}

/* ---- pager ---- */

static size_t lines_in(struct bytes text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == '\n';
	return count;
}

/* Pages after the first are padded to the width of the screen, as on the real one. */
static void show_lines(struct session *s, size_t count)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct bytes rest = buf_bytes(&s->pages), line;

	while (count-- && bytes_next_line(&rest, &line)) {
		buf_add_bytes(&out, line);
		for (size_t at = line.len; s->page_count && at < PAGE_WIDTH; at++)
			buf_add_char(&out, ' ');
		buf_add_char(&out, '\n');
	}
	s->page_count++;
	if (rest.len)
		memmove(s->pages.ptr, rest.ptr, rest.len);
	buf_truncate(&s->pages, rest.len);
	if (rest.len)
		buf_add_str(&out, PAGER_BANNER);
	s->state = rest.len ? SESSION_PAGER : SESSION_COMMAND;
	write_text(s, buf_bytes(&out));
}

static void wipe_banner(struct session *s)
{
	char blank[sizeof(PAGER_BANNER) + 2];

	memset(blank, ' ', sizeof(blank));
	blank[0] = blank[sizeof(blank) - 2] = '\r';
	blank[sizeof(blank) - 1] = 0;
	write_str(s, blank);
}

static void pager_key(struct session *s, char c)
{
	if (c == 3 || c == 'q' || c == 'Q') {
		wipe_banner(s);
		buf_truncate(&s->pages, 0);
		s->state = SESSION_COMMAND;
	} else if (c == ' ' || c == '\r' || c == '\n') {
		wipe_banner(s);
		show_lines(s, c == ' ' ? PAGE_LINES : 1);
	}
	if (s->state == SESSION_COMMAND)
		prompt_now(s);
}

/* The command is done, or waits for more: what it has said goes out, then the prompt. */
static void finish(struct session *s)
{
	bool is_paged = (!s->is_batch || s->dev->fault[FAULT_PAGER]) && s->state == SESSION_COMMAND;

	if (is_paged && lines_in(buf_bytes(&s->answer)) > PAGE_LINES && !s->step_count) {
		s->page_count = 0;
		buf_add_bytes(&s->pages, buf_bytes(&s->answer));
		show_lines(s, PAGE_LINES);
	} else {
		send_answer(s);
		if (!s->dev->fault[FAULT_HANG])
			add_step(s, 0, bytes_str(""), prompt_now);
	}
	buf_truncate(&s->answer, 0);
	run_steps(s);
}

void session_go_on(struct session *s)
{
	if (s->is_over)
		return;
	s->state = SESSION_COMMAND;
	finish(s);
	take_typed(s);
}

void session_ask(struct session *s, const char *question, void (*if_yes)(struct session *s))
{
	say(s, "%s ", question);
	s->if_yes = if_yes;
	s->state = SESSION_QUESTION;
}

void session_wait(struct session *s, unsigned wait_ms, void (*act)(struct session *s))
{
	add_step(s, 0, buf_bytes(&s->answer), NULL);
	buf_truncate(&s->answer, 0);
	add_step(s, wait_ms, bytes_str(""), act);
}

/* ---- lines ---- */

static void login_line(struct session *s)
{
	if (s->state == SESSION_USER) {
		snprintf(s->user, sizeof(s->user), "%s", buf_text(&s->line));
		write_str(s, s->user[0] ? "Password: " : "");
		s->state = s->user[0] ? SESSION_PASSWORD : SESSION_USER;
		if (!s->user[0])
			session_begin(s);
		return;
	}
	if (!device_admits(s->dev, s->user, buf_text(&s->line))) {
		device_log(s->dev, "login[77]: invalid password for '%s' on the console", s->user);
		write_str(s, "\nLogin incorrect\n");
		s->user[0] = 0;
		s->state = SESSION_USER;
		session_begin(s);
		return;
	}
	device_log(s->dev, "login[77]: %s logged in on the console", s->user);
	s->state = SESSION_COMMAND;
	session_begin(s);
}

static void question_line(struct session *s)
{
	void (*if_yes)(struct session *) = s->if_yes;

	s->state = SESSION_COMMAND;
	s->if_yes = NULL;
	if (strcmp(buf_text(&s->line), "y") == 0)
		if_yes(s);
	finish(s);
}

static void paste_line(struct session *s)
{
	if (s->paste.len + s->line.len < PASTE_MAX)
		buf_addf(&s->paste, "%s\n", buf_text(&s->line));
}

static void paste_end(struct session *s)
{
	s->state = SESSION_COMMAND;
	write_str(s, "\n");
	copy_pasted(s);
	buf_truncate(&s->paste, 0);
	finish(s);
}

static void shell_line(struct session *s)
{
	if (strcmp(buf_text(&s->line), "exit") == 0)
		s->state = SESSION_COMMAND;
	else if (s->line.len)
		say(s, "sh: %.40s: not found\n", buf_text(&s->line));
	finish(s);
}

static void command_line(struct session *s)
{
	_cleanup_(mem_freep) char *copy = mem_strdup(buf_text(&s->line));

	s->has_run = s->line.len > 0;
	if (s->line.len) {
		buf_truncate(&s->last, 0);
		buf_add_bytes(&s->last, buf_bytes(&s->line));
	}
	if (s->dev->fault[FAULT_TIMED_OUT]) {
		s->dev->fault[FAULT_TIMED_OUT] = false;
		write_str(s, "Session timed out.\n");
		session_end(s);
		return;
	}
	command_run(s, copy);
	if (!s->is_over)
		finish(s);
}

static void take_line(struct session *s)
{
	s->dev->fault[FAULT_LOST_ECHO] = s->dev->fault[FAULT_LOST_ECHO] && s->echo_count < 4;
	s->echo_count = 0;
	write_str(s, "\n");
	switch (s->state) {
	case SESSION_USER:
	case SESSION_PASSWORD:
		login_line(s);
		break;
	case SESSION_QUESTION:
		question_line(s);
		break;
	case SESSION_PASTE:
		paste_line(s);
		break;
	case SESSION_SHELL:
		shell_line(s);
		break;
	case SESSION_COMMAND:
		command_line(s);
		break;
	case SESSION_PAGER:
	case SESSION_BUSY:
		break;
	}
	buf_truncate(&s->line, 0); /* wiped: it may have been a password */
}

/* ---- keys ---- */

static void echo(struct session *s, char c)
{
	if (s->state == SESSION_PASSWORD && !s->dev->fault[FAULT_PASSWORD_ECHO])
		return;
	s->echo_count++;
	if (s->dev->fault[FAULT_LOST_ECHO] && s->echo_count % 4 == 0)
		return;
	s->write(s->ctx, bytes_of(&c, 1));
}

static void rub_out(struct session *s, size_t count)
{
	while (count-- && s->line.len) {
		buf_truncate(&s->line, s->line.len - 1);
		if (s->state != SESSION_PASSWORD)
			write_str(s, "\b \b");
	}
}

static void break_key(struct session *s)
{
	buf_truncate(&s->line, 0);
	buf_truncate(&s->paste, 0);
	write_str(s, "^C\n");
	if (s->state == SESSION_USER || s->state == SESSION_PASSWORD) {
		s->state = SESSION_USER;
		session_begin(s);
		return;
	}
	if (s->state != SESSION_SHELL)
		s->state = SESSION_COMMAND;
	prompt_now(s);
}

static void end_key(struct session *s)
{
	if (s->state == SESSION_PASTE) {
		if (s->line.len)
			paste_line(s);
		buf_truncate(&s->line, 0);
		paste_end(s);
	} else if (s->state == SESSION_COMMAND && !s->line.len) {
		session_end(s);
	}
}

/* The line before comes back. */
static void recall(struct session *s)
{
	if (s->state != SESSION_COMMAND || !s->last.len)
		return;
	rub_out(s, s->line.len);
	buf_add_bytes(&s->line, buf_bytes(&s->last));
	write_text(s, buf_bytes(&s->line));
}

/* Keys that send several bytes, as arrows do: only the arrow up does anything. False: c is none of theirs. */
static bool take_escape(struct session *s, char c)
{
	if (c == 27)
		s->escape = 1;
	else if (s->escape == 1)
		s->escape = c == '[' || c == 'O' ? 2 : 0;
	else if (s->escape == 2 && c >= '@') {
		s->escape = 0;
		if (c == 'A')
			recall(s);
	} else
		return s->escape == 2;
	return true;
}

static void take_key(struct session *s, char c)
{
	if (take_escape(s, c))
		return;
	if (s->state == SESSION_PAGER)
		pager_key(s, c);
	else if (c == '\r' || c == '\n') /* each of them: CR LF is Enter twice */
		take_line(s);
	else if (c == 3)
		break_key(s);
	else if (c == 4)
		end_key(s);
	else if (c == 8 || c == 127)
		rub_out(s, 1);
	else if (c == 21)
		rub_out(s, s->line.len);
	else if ((unsigned char)c >= 32 && s->line.len < SESSION_LINE_MAX) {
		buf_add_char(&s->line, c);
		echo(s, c);
	}
}

static void lose_some(struct session *s)
{
	uint64_t now = clock_mono_ms();

	if (s->dev->fault[FAULT_LOST_INPUT] && now - s->heard_ms > QUIET_MS)
		s->to_lose = LOST_CHARS;
	s->heard_ms = now;
}

/* What was typed while a command was at work is read when it is done. */
static void take_typed(struct session *s)
{
	_cleanup_(buf_done) struct buf typed = s->typed;
	size_t at = 0;

	s->typed = (struct buf){ 0 };
	while (at < typed.len && !s->step_count && !s->is_over && s->state != SESSION_BUSY)
		take_key(s, (char)typed.ptr[at++]);
	if (at < typed.len && !s->is_over)
		buf_add_bytes(&s->typed, bytes_from(buf_bytes(&typed), at));
}

void session_input(struct session *s, struct bytes in)
{
	lose_some(s);
	for (size_t i = 0; i < in.len && s->typed.len < SESSION_TYPED_MAX; i++) {
		if (s->to_lose)
			s->to_lose--;
		else
			buf_add_char(&s->typed, (char)in.ptr[i]);
	}
	take_typed(s);
}

/* ---- from beginning to end ---- */

struct session *session_new(struct device *dev, const char *user, void (*write)(void *ctx, struct bytes out), void (*hang_up)(void *ctx),
			    void *ctx)
{
	struct session *s = mem_alloc(sizeof(*s));

	*s = (struct session){ .dev = dev, .write = write, .hang_up = hang_up, .ctx = ctx, .next = dev->sessions, .timer.fire = fire };
	s->state = user ? SESSION_COMMAND : SESSION_USER;
	snprintf(s->user, sizeof(s->user), "%s", user ? user : "");
	s->heard_ms = clock_mono_ms();
	dev->sessions = s;
	return s;
}

void session_begin(struct session *s)
{
	if (s->state == SESSION_USER) {
		_cleanup_(mem_freep) char *prompt = mem_printf("\n%s login: ", device_host(s->dev));

		write_str(s, prompt);
		return;
	}
	s->is_batch = false;
	say(s, "\nWestermo WeOS v%s -- simulated\nType: 'help' for help with commands, 'exit' to log out.\n\n", s->dev->version);
	if (s->dev->fault[FAULT_BANNER])
		say(s,
		    "Authorised use only.  Last login: Tue Nov 24 on console\nlogin: by card only\nexample:/#> is what a prompt looks "
		    "like\n"
		    "%s:/config/#>\n=> Are you sure (y/N)?\n",
		    device_host(s->dev));
	finish(s);
}

void session_drop_candidate(struct session *s)
{
	s->candidate = node_free(s->candidate);
	s->depth = s->entry = 0;
	s->place = PLACE_EXEC;
}

void session_configure(struct session *s)
{
	s->candidate = node_copy(s->dev->running);
	s->path[0] = s->candidate;
	s->depth = s->entry = 0;
	s->place = PLACE_CONFIG;
}

void session_leave_behind(struct session *s, bool in_config)
{
	char go[] = "configure system", edit[] = "location \"half done by alice\"";

	session_drop_candidate(s);
	buf_truncate(&s->line, 0);
	snprintf(s->user, sizeof(s->user), "alice");
	s->state = SESSION_COMMAND;
	if (in_config) {
		command_run(s, go);
		command_run(s, edit);
	}
	buf_truncate(&s->answer, 0);
	prompt_now(s);
}

static void drop_steps(struct session *s)
{
	loop_disarm(&s->timer);
	while (s->step_count)
		mem_freep(&s->steps[--s->step_count].text);
}

/* On the console a session that ends makes place for the next login. */
static void begin_anew(struct session *s)
{
	session_drop_candidate(s);
	drop_steps(s);
	buf_truncate(&s->line, 0);
	buf_truncate(&s->typed, 0);
	buf_truncate(&s->answer, 0);
	buf_truncate(&s->last, 0);
	s->user[0] = 0;
	s->state = SESSION_USER;
	write_str(s, "\n");
	session_begin(s);
}

void session_end(struct session *s)
{
	if (s->is_over)
		return;
	if (s->is_console && s->dev->phase == PHASE_UP) {
		begin_anew(s);
		return;
	}
	s->is_over = true;
	if (!s->is_console)
		s->hang_up(s->ctx);
	device_reap(s->dev);
}

struct session *session_free(struct session *s)
{
	drop_steps(s);
	upgrade_free(s->upgrade);
	node_free(s->candidate);
	buf_done(&s->line);
	buf_done(&s->last);
	buf_done(&s->typed);
	buf_done(&s->answer);
	buf_done(&s->pages);
	buf_done(&s->paste);
	free(s);
	return NULL;
}
