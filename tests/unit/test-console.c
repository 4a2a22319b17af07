/* tests/unit/test-console.c -- what the console engine claims, says, and keeps to itself. */
#include "tests/test.h"

#include "agent/console.h"
#include "agent/line.h"
#include "agent/screen.h"
#include "agent/telnet.h"
#include "agent/weos-purge.h"
#include "crypto/secret.h"
#include "tests/line.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXEC, CONFIG, LOGIN, PASSWORD, SURE, PAGER, STARTING, DONE, LOGGED };

static const struct console_shape shapes[] = {
	[EXEC] = { CONSOLE_PROMPT, "exec", "([\\w.-]+):/#>" },
	[CONFIG] = { CONSOLE_PROMPT, "config", "([\\w.-]+):(/config[^ #]*?)/?#>" },
	[LOGIN] = { CONSOLE_QUESTION, "login", "\\S+ login:" },
	[PASSWORD] = { CONSOLE_QUESTION, "password", "Password:" },
	[SURE] = { CONSOLE_QUESTION, "sure", "=> Are you sure \\(y/N\\)\\?" },
	[PAGER] = { CONSOLE_PAGER, "pager", "Press Q to quit, Space for more\\." },
	[STARTING] = { CONSOLE_BOOTING, "starting", "Starting kernel.*" },
	[DONE] = { CONSOLE_REMARK, "done", "Done\\." },
	[LOGGED] = { CONSOLE_LOG, "logged", "kernel: .*" },
};

static const struct console_grammar grammar = {
	.name = "test", .shapes = shapes, .shape_count = ARRAY_SIZE(shapes), .enter = "\r", .more = " ", .take_back = "\x15"
};

/* A command line: echoes, edits, answers. */
struct cli {
	const char *prompt;
	struct buf typed;
	const char *answer, *rest; /* rest: behind the pager */
	bool in_pager, eats_first, is_dead;
	const char *noise; /* comes once, in the middle of what is typed */
	unsigned enters;
	const char *logs; /* in front of every prompt */
};

static void answer_line(struct fake_line *line, struct cli *cli)
{
	cli->enters++;
	fake_line_text(line, 1, "\r\n");
	if (cli->typed.len && cli->answer)
		fake_line_text(line, 5, cli->answer);
	cli->in_pager = cli->typed.len && cli->rest;
	buf_truncate(&cli->typed, 0);
	if (cli->logs)
		fake_line_text(line, 1, cli->logs);
	fake_line_text(line, 1, cli->in_pager ? "Press Q to quit, Space for more." : cli->prompt);
}

static void hear_char(struct fake_line *line, struct cli *cli, char c)
{
	char echo[2] = { c, 0 };

	if (cli->in_pager) {
		cli->in_pager = false;
		fake_line_text(line, 1, "\r                                \r");
		fake_line_text(line, 1, cli->rest);
		fake_line_text(line, 1, cli->prompt);
	} else if (cli->eats_first) {
		cli->eats_first = false;
	} else if (c == '\r') {
		answer_line(line, cli);
	} else if (c == 0x15 || c == 0x7f) {
		for (size_t n = c == 0x7f ? cli->typed.len > 0 : cli->typed.len; n; n--) {
			buf_truncate(&cli->typed, cli->typed.len - 1);
			fake_line_text(line, 0, "\b \b");
		}
	} else {
		buf_add_char(&cli->typed, c);
		fake_line_text(line, 0, echo);
		if (cli->typed.len == 3 && cli->noise) {
			fake_line_text(line, 0, steal(cli->noise));
		}
	}
}

static void hear(struct fake_line *line, struct bytes in)
{
	struct cli *cli = line->ctx;

	for (size_t i = 0; i < in.len && !cli->is_dead; i++)
		hear_char(line, cli, (char)in.ptr[i]);
}

struct talk {
	struct cli cli;
	struct fake_line *line;
	struct console *console;
	struct console_seen seen;
	struct buf answer;
	struct error err;
};

static void talk_done(struct talk *t)
{
	console_free(t->console);
	buf_done(&t->cli.typed);
	buf_done(&t->answer);
}

static void begin(struct talk *t)
{
	struct error err = { 0 };

	*t = (struct talk){ .cli.prompt = "example:/#> " };
	CHECK_OK(crypto_start(&err));
	t->line = fake_line_new(hear, &t->cli);
	CHECK_OK(console_new(&t->console, &t->line->base, &grammar, &err));
}

static int ask(struct talk *t, const char *command, console_set want)
{
	struct console_ask what = { .command = command, .want = want, .timeout_ms = 20000 };

	buf_truncate(&t->answer, 0);
	return console_command(t->console, &t->answer, &t->seen, &what, &t->err);
}

static const char *transcript(struct talk *t)
{
	return (const char *)transcript_text(console_transcript(t->console)).ptr;
}

/* ---- screen ---- */

static void shown(struct screen *s, const char *text)
{
	struct error err = { 0 };

	CHECK_OK(screen_feed(s, bytes_str(text), NULL, NULL, &err));
}

TEST(colours_modes_and_titles_are_no_text)
{
	_cleanup_(screen_done) struct screen s = { 0 };

	shown(&s, "\x1b]0;title\x07\x1b[?2004h\x1b[1;32mexample\x1b[0m:/#> \x1b[K");
	CHECK_STR(buf_text(&s.line), "example:/#> ");
	CHECK(screen_is_whole(&s) && !s.is_placed);
	shown(&s, "\x1b[3");
	CHECK(!screen_is_whole(&s));
}

TEST(what_is_written_over_never_joins_what_was_there)
{
	_cleanup_(screen_done) struct screen s = { 0 };

	shown(&s, "xxxxxxx:/#> \rexample");
	CHECK_STR(buf_text(&s.line), "example");
	CHECK_STR(buf_text(&s.text), "xxxxxxx:/#> \n");
	shown(&s, "\r\nHit a key: 3\b2\b1\r\n");
	CHECK_STR(buf_text(&s.text), "xxxxxxx:/#> \nexample\nHit a key: 1\n");
	shown(&s, "        \rx");
	CHECK_STR(buf_text(&s.line), "x");
}

TEST(text_at_a_place_of_the_screen_is_marked_as_placed)
{
	_cleanup_(screen_done) struct screen s = { 0 };

	shown(&s, "abc\x1b[2;1Hexample:/#> ");
	CHECK(s.is_placed);
	CHECK_STR(buf_text(&s.text), "abc\n");
	shown(&s, "\r\nexample:/#> ");
	CHECK(!s.is_placed);
	shown(&s, "\r\n\x1b]0;no end of this title\r\nx");
	CHECK_STR(buf_text(&s.line), "x");
}

/* ---- transcript ---- */

static void came(struct transcript *t, const char *text)
{
	for (; *text; text++)
		transcript_in(t, (uint8_t)*text);
}

TEST(a_secret_is_replaced_however_it_comes)
{
	_cleanup_(transcript_done) struct transcript t;
	char hash[TRANSCRIPT_HASH_LEN];

	transcript_init(&t, 1000);
	CHECK(transcript_hide(&t, bytes_str("hunter2")) && transcript_hide(&t, bytes_str("hunter2-and-more")));
	came(&t, "a hunter2 b\nhunt\ner2 c\nhunter2-and-more d\nhhunter2\nhunter, hunter1\nat the end hun");
	transcript_out(&t, bytes_str("hunter2\r"));
	CHECK_BYTES(transcript_text(&t), "+0.000 < a [secret] b\n+0.000 < [secret] c\n+0.000 < [secret] d\n+0.000 < h[secret]\n"
					 "+0.000 < hunter, hunter1\n+0.000 < at the end [withheld]\n+0.000 > [secret]\\x0d\n");
	transcript_hash(hash, &t);
	CHECK_EQ(strlen(hash), 64);
}

TEST(a_long_record_keeps_its_end_and_the_hash_of_its_begin)
{
	_cleanup_(transcript_done) struct transcript t;

	transcript_init(&t, 0);
	for (int i = 0; i < 40000; i++) {
		char line[64];

		snprintf(line, sizeof(line), "line number %d of many\n", i);
		came(&t, line);
	}
	CHECK(transcript_text(&t).len <= TRANSCRIPT_MAX);
	CHECK(strncmp(buf_text(&t.text), "before this: ", 13) == 0);
	CHECK(strstr(buf_text(&t.text), "line number 39999 of many\n"));
}

/* ---- prompts ---- */

TEST(a_command_gets_its_answer_without_echo_and_prompt)
{
	_cleanup_(talk_done) struct talk t;
	struct error err = { 0 };

	begin(&t);
	CHECK_OK(console_attach(t.console, &t.seen, CONSOLE_SET(EXEC), 500, 10000, &err));
	CHECK_EQ(t.seen.shape, EXEC);
	CHECK_STR(t.seen.part[0], "example");
	t.cli.answer = "vlan 1\r\n\tname \x1b[1mvlan1\x1b[0m  \r\n";
	CHECK_EQ(ask(&t, "show run", CONSOLE_SET(EXEC)), 0);
	CHECK_STR(buf_text(&t.answer), "vlan 1\n\tname vlan1  \n");
	CHECK(!t.seen.is_disturbed);
	t.cli.answer = NULL;
	CHECK_EQ(ask(&t, "copy run start", CONSOLE_SET(EXEC)), 0);
	CHECK_STR(buf_text(&t.answer), "");
}

TEST(a_prompt_is_matched_by_shape_when_the_name_changes)
{
	_cleanup_(talk_done) struct talk t;
	struct error err = { 0 };

	begin(&t);
	CHECK_OK(console_attach(t.console, &t.seen, CONSOLE_SET(EXEC), 500, 10000, &err));
	t.cli.prompt = "viper-65-f7-e0:/config/system/#> ";
	CHECK_EQ(ask(&t, "configure system", CONSOLE_SET(CONFIG)), 0);
	CHECK_STR(t.seen.part[0], "viper-65-f7-e0");
	CHECK_STR(t.seen.part[1], "/config/system");
	t.cli.prompt = "Host:/#> ";
	CHECK_EQ(ask(&t, "leave", CONSOLE_SET(CONFIG)), CONSOLE_OTHER);
	CHECK_EQ(t.seen.shape, EXEC);
	CHECK_STR(t.seen.part[0], "Host");
}

TEST(text_that_looks_like_a_prompt_is_none_even_where_the_output_stalls)
{
	_cleanup_(talk_done) struct talk t;
	struct error err = { 0 };

	begin(&t);
	CHECK_OK(console_attach(t.console, &t.seen, CONSOLE_SET(EXEC), 500, 10000, &err));
	t.cli.is_dead = true; /* the test answers */
	fake_line_text(t.line, 0, "show run");
	fake_line_text(t.line, 30, "\r\nlogin banner\r\nexample:/#> ");
	fake_line_text(t.line, 900, "\r\nexample:/#> ");
	fake_line_text(t.line, 4000, "is what the prompt looks like\r\n");
	CHECK_EQ(ask(&t, "show run", CONSOLE_SET(EXEC)), E_PEER);
}

TEST(a_truncated_prompt_is_none)
{
	static const char *const pieces[] = { "example:/#", "example:/#> x", "\x1b[7mexample:/#>\x1b[", " example:/#> ", "example: /#> ",
					      "\x1b[5;1Hexample:/#> ", "example:/#> \r", "junk example:/#> ", "example:/#>  \x1b]0;" };

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		_cleanup_(talk_done) struct talk t;

		begin(&t);
		t.cli.is_dead = true;
		fake_line_text(t.line, 10, pieces[i]);
		CHECK_EQ(console_attach(t.console, &t.seen, CONSOLE_SET(EXEC), 500, 10000, &t.err), E_PEER);
	}
}

TEST(a_remark_between_prompt_and_command_costs_a_prompt_only)
{
	_cleanup_(talk_done) struct talk t;
	struct error err = { 0 };

	begin(&t);
	CHECK_OK(console_attach(t.console, &t.seen, CONSOLE_SET(EXEC), 500, 10000, &err));
	fake_line_text(t.line, 0, "Nov 25 12:00:00 link down\r\n");
	t.cli.answer = "ok\r\n";
	CHECK_EQ(ask(&t, "show x", CONSOLE_SET(EXEC)), 0);
	CHECK_STR(buf_text(&t.answer), "ok\n");
}

TEST(what_is_typed_is_seen_before_it_is_entered)
{
	_cleanup_(talk_done) struct talk t;
	struct error err = { 0 };
	unsigned enters;

	begin(&t);
	CHECK_OK(console_attach(t.console, &t.seen, CONSOLE_SET(EXEC), 500, 10000, &err));
	t.cli.eats_first = true; /* the first character is lost: typed again */
	t.cli.answer = "ok\r\n";
	CHECK_EQ(ask(&t, "reboot", CONSOLE_SET(EXEC)), 0);
	CHECK_STR(buf_text(&t.answer), "ok\n");
	t.cli.noise = "\r\nNov 25 12:00:01 link up\r\n"; /* so is what the log tears apart */
	CHECK_EQ(ask(&t, "show run", CONSOLE_SET(EXEC)), 0);
	CHECK_STR(buf_text(&t.answer), "ok\n");
	t.cli.is_dead = true; /* and what never comes back is never entered */
	enters = t.cli.enters;
	buf_truncate(&t.line->sent, 0);
	CHECK_EQ(ask(&t, "factory-reset", CONSOLE_SET(EXEC)), E_PEER);
	CHECK_EQ(t.cli.enters, enters);
}

TEST(what_is_logged_in_front_of_a_prompt_does_not_hide_it_and_other_lines_do)
{
	const struct console_ask ask = { .command = "show version", .want = CONSOLE_SET(EXEC), .timeout_ms = 5000 };
	_cleanup_(talk_done) struct talk t, other;

	begin(&t);
	t.cli.answer = "WeOS\r\n";
	t.cli.logs = "kernel: eth2: link is up\r\n";
	fake_line_text(t.line, 1, t.cli.prompt);
	CHECK_EQ(console_wait(t.console, &t.seen, CONSOLE_SET(EXEC), 5000, &t.err), 0);
	CHECK_EQ(console_command(t.console, &t.answer, &t.seen, &ask, &t.err), 0);
	CHECK_STR(buf_text(&t.answer), "WeOS\nkernel: eth2: link is up\n");
	begin(&other);
	other.cli.logs = "anything else\r\n";
	fake_line_text(other.line, 1, other.cli.prompt);
	CHECK_EQ(console_wait(other.console, &other.seen, CONSOLE_SET(EXEC), 5000, &other.err), E_PEER);
}

TEST(a_pager_is_asked_for_more_and_leaves_no_trace)
{
	_cleanup_(talk_done) struct talk t;
	struct error err = { 0 };

	begin(&t);
	CHECK_OK(console_attach(t.console, &t.seen, CONSOLE_SET(EXEC), 500, 10000, &err));
	t.cli.answer = "one\r\ntwo\r\n";
	t.cli.rest = "three\r\n";
	CHECK_EQ(ask(&t, "show log", CONSOLE_SET(EXEC)), 0);
	CHECK_STR(buf_text(&t.answer), "one\ntwo\nthree\n");
}

TEST(a_question_that_is_not_expected_is_never_answered)
{
	_cleanup_(talk_done) struct talk t;
	struct error err = { 0 };
	size_t sent;

	begin(&t);
	CHECK_OK(console_attach(t.console, &t.seen, CONSOLE_SET(EXEC), 500, 10000, &err));
	t.cli.prompt = "=> Are you sure (y/N)? ";
	sent = t.line->sent.len;
	CHECK_EQ(ask(&t, "factory-reset", CONSOLE_SET(EXEC)), CONSOLE_OTHER);
	CHECK_EQ(t.seen.shape, SURE);
	CHECK_EQ(t.line->sent.len, sent + strlen("factory-reset\r"));
}

TEST(login_asks_once_and_the_password_is_nowhere)
{
	_cleanup_(talk_done) struct talk t;
	struct error err = { 0 };

	begin(&t);
	t.cli.prompt = "example login: ";
	CHECK_OK(console_attach(t.console, &t.seen, CONSOLE_SET(LOGIN), 500, 10000, &err));
	t.cli.prompt = "Password: ";
	CHECK_OK(console_type(t.console, "admin", false, &err));
	CHECK_OK(console_enter(t.console, &err));
	CHECK_OK(console_wait(t.console, &t.seen, CONSOLE_SET(PASSWORD), 10000, &err));
	t.cli.prompt = "example:/#> ";
	CHECK_OK(console_secret(t.console, bytes_str("Corr3ct-Horse"), &err)); /* and this device shows it */
	CHECK_OK(console_wait(t.console, &t.seen, CONSOLE_SET(PASSWORD) | CONSOLE_SET(EXEC), 10000, &err));
	CHECK_EQ(t.seen.shape, EXEC);
	CHECK(!strstr(transcript(&t), "Corr3ct"));
	CHECK(strstr(transcript(&t), "[secret]"));
	CHECK(strstr(buf_text(&t.line->sent), "Corr3ct-Horse\r"));
}

TEST(a_private_answer_leaves_its_length_only)
{
	_cleanup_(talk_done) struct talk t;
	struct console_ask what = {
		.command = "snmp rocommunity s3cr3t", .want = CONSOLE_SET(EXEC), .timeout_ms = 5000, .is_private = true
	};
	struct error err = { 0 };

	begin(&t);
	CHECK_OK(console_attach(t.console, &t.seen, CONSOLE_SET(EXEC), 500, 10000, &err));
	t.cli.answer = "community t0ken\r\n";
	CHECK_OK(console_command(t.console, &t.answer, &t.seen, &what, &err));
	CHECK_STR(buf_text(&t.answer), "community t0ken\n");
	CHECK(!strstr(transcript(&t), "s3cr3t") && !strstr(transcript(&t), "t0ken"));
}

/* ---- booting ---- */

TEST(nothing_is_sent_while_the_device_starts)
{
	_cleanup_(talk_done) struct talk t;
	struct error err = { 0 };

	begin(&t);
	t.cli.prompt = "example login: ";
	t.cli.is_dead = true;
	fake_line_text(t.line, 100, "Starting kernel 5.10\r\n");
	for (int i = 0; i < 10; i++)
		fake_line_text(t.line, 3000, "[    0.1] something came up\r\n");
	fake_line_text(t.line, 3000, "example login: ");
	CHECK_OK(console_attach(t.console, &t.seen, CONSOLE_SET(LOGIN), 500, 60000, &err));
	CHECK_EQ(t.line->sent.len, 0);
	console_expect_boot(t.console);
	CHECK_EQ(console_enter(t.console, &t.err), E_DENIED);
	CHECK_EQ(console_key(t.console, "4", &t.err), E_DENIED);
	CHECK_EQ(console_secret(t.console, bytes_str("x"), &t.err), E_DENIED);
	CHECK_EQ(t.line->sent.len, 0);
}

TEST(ctrl_c_leaves_only_to_stop_a_boot)
{
	_cleanup_(talk_done) struct talk t;
	struct console_stop stop = { .key = "\x03", .every_ms = 50, .want = CONSOLE_SET(SURE), .timeout_ms = 5000 };
	struct error err = { 0 };

	begin(&t);
	CHECK_EQ(console_key(t.console, "q\x03", &t.err), E_DENIED);
	CHECK_EQ(console_type(t.console, "\x03", false, &t.err), E_FORMAT);
	CHECK_EQ(console_paste(t.console, bytes_str("a\x03"), 1000, &t.err), E_DENIED);
	CHECK_EQ(t.line->sent.len, 0);
	t.cli.is_dead = true;
	fake_line_text(t.line, 500, "Starting kernel\r\n=> Are you sure (y/N)? ");
	CHECK_OK(console_stop_boot(t.console, &t.seen, &stop, &err));
	CHECK(t.line->sent.len >= 5 && t.line->sent.len < 20);
	CHECK_EQ(t.line->sent.ptr[0], 3);
	CHECK(!console_is_booting(t.console));
}

TEST(an_ended_line_and_an_endless_one_are_failures)
{
	_cleanup_(talk_done) struct talk t, u;
	_cleanup_(buf_done) struct buf much = { 0 };

	begin(&t);
	t.cli.is_dead = true;
	fake_line_text(t.line, 10, "ssh: connect to host x: Connection refused\r\n");
	t.line->ends_ms = t.line->now_ms + 20;
	CHECK_EQ(console_wait(t.console, &t.seen, CONSOLE_SET(EXEC), 5000, &t.err), E_PEER);
	CHECK(strstr(t.err.text, "Connection refused"));
	begin(&u);
	u.cli.is_dead = true;
	memset(buf_extend(&much, 1 << 20), 'x', 1 << 20);
	fake_line_say(u.line, 1, buf_bytes(&much));
	CHECK_EQ(console_wait(u.console, &u.seen, CONSOLE_SET(EXEC), 5000, &u.err), E_LIMIT);
}

/* ---- a serial port, which one at a time has ---- */

/* The other end, for as long as it is open. */
static int port(char path[static 64])
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(grantpt(fd) + unlockpt(fd) + ptsname_r(fd, path, 64), 0);
	return fd;
}

/* A process that holds it for so long, from now on. */
static pid_t hold_port(const char *path, int ms)
{
	char c;
	int told[2];
	pid_t pid;

	CHECK_EQ(pipe(told), 0);
	pid = fork();
	if (!pid) {
		int fd = open(path, O_RDWR | O_NOCTTY);

		if (fd < 0 || flock(fd, LOCK_EX) < 0 || write(told[1], "", 1) != 1)
			_exit(1);
		poll(NULL, 0, ms);
		_exit(0);
	}
	close(told[1]);
	CHECK_EQ(read(told[0], &c, 1), 1);
	close(told[0]);
	return pid;
}

static int take_port(const char *path, struct error *err)
{
	_cleanup_(line_freep) struct line *line = NULL;

	return line_open_tty(&line, path, &line_serial_8n1, err);
}

TEST(a_port_is_waited_for_while_a_process_that_ends_still_holds_it)
{
	char path[64];
	int other = port(path);
	struct error err = { 0 };
	pid_t pid = hold_port(path, 700);

	CHECK_OK(take_port(path, &err));
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	close(other);
}

TEST(who_keeps_a_port_is_named)
{
	char path[64], want[160];
	int other = port(path);
	struct error err = { 0 };
	pid_t pid = hold_port(path, 60000);

	CHECK_EQ(take_port(path, &err), E_DENIED);
	snprintf(want, sizeof(want), "another program holds '%.20s': test-console, process %d", path, (int)pid);
	CHECK_STR(err.text, want);
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	close(other);
}

/* In a process that may not pass over TIOCEXCL, which root may. */
static void take_twice_as_nobody(const char *path)
{
	struct error err = { 0 };

	if (geteuid() == 0 && (chown(path, 65534, 65534) < 0 || setgid(65534) < 0 || setuid(65534) < 0))
		_exit(1);
	_exit(take_port(path, &err) < 0 || take_port(path, &err) < 0);
}

TEST(a_pseudo_terminal_that_was_given_back_can_be_taken_again_without_being_root)
{
	char path[64];
	int other = port(path), status = -1;
	pid_t pid = fork();

	if (!pid)
		take_twice_as_nobody(path);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	close(other);
}

/* ---- telnet ---- */

TEST(telnet_agrees_once_and_hands_over_the_bytes)
{
	struct telnet t = { 0 };
	_cleanup_(buf_done) struct buf out = { 0 };
	static const uint8_t in[] = { 255, 253, 44, 255, 251, 0, 255, 253, 0, 'a', 255, 255, '\r', '\n', 255, 251, 1, 255, 251, 24,
				      255, 250, 44, 101, 0, 1, 194, 0, 255, 240, 'b' };
	static const uint8_t replies[] = { 255, 253, 1, 255, 254, 24 };

	telnet_begin(&t);
	buf_truncate(&t.replies, 0);
	for (size_t i = 0; i < sizeof(in); i++)
		telnet_take(&t, &out, bytes_of(in + i, 1));
	CHECK(bytes_equal(buf_bytes(&out), bytes_of("a\xff\r\nb", 5)));
	CHECK(bytes_equal(buf_bytes(&t.replies), bytes_of(replies, sizeof(replies))));
	CHECK(t.rate == 115200 && t.ours[44] && !t.port_refused);
	telnet_done(&t);
}

/* ---- dialogues ---- */

struct journal {
	struct buf text;
	const char *die_in; /* the state that is written, and then the agent is gone */
};

static int write_journal(void *ctx, const char *state, struct error *err)
{
	struct journal *j = ctx;

	buf_addf(&j->text, "%s ", state);
	return j->die_in && !strcmp(state, j->die_in) ? error_set(err, E_SYS, "killed") : 0;
}

TEST(the_tables_of_dialogues_lead_somewhere)
{
	static const struct dialogue_state wrong[] = {
		{ "a", DIALOGUE_LISTEN, .timeout_ms = 1, .answers = { { 1, "b" } } },
		{ "c", DIALOGUE_END, .says = "x" },
	}, silence[] = {
		{ "a", DIALOGUE_LISTEN, .timeout_ms = 1, .answers = { { 1, "c" } }, .late = "c" },
		{ "c", DIALOGUE_END, .end = DIALOGUE_DONE, .says = "x" },
	};
	struct dialogue d = { "wrong", wrong, 2 };
	struct error err = { 0 };

	CHECK_OK(dialogue_check(&weos_purge, &err));
	CHECK_OK(dialogue_check(&weos_reset, &err));
	CHECK_OK(dialogue_check(&weos_start_first, &err));
	CHECK_OK(dialogue_check(&weos_start_second, &err));
	CHECK_OK(dialogue_check(&weos_restart, &err));
	CHECK_EQ(dialogue_check(&d, &err), E_FORMAT);
	d.states = silence;
	CHECK_EQ(dialogue_check(&d, &err), E_FORMAT);
}

TEST(a_state_is_in_the_journal_before_anything_is_said_in_it)
{
	_cleanup_(talk_done) struct talk t;
	struct journal j = { .die_in = "confirm" };
	struct dialogue_run run = { .dialogue = &weos_purge, .journal = write_journal, .ctx = &j };

	begin(&t);
	t.cli.is_dead = true;
	console_free(t.console);
	t.line = fake_line_new(NULL, NULL);
	CHECK_EQ(console_new(&t.console, &t.line->base, &weos_purge_grammar, &t.err), 0);
	run.console = t.console;
	fake_line_text(t.line, 10, "\r\nDo you want to continue? y/[n] ");
	CHECK_EQ(dialogue_go(&run, &t.err), E_SYS);
	CHECK_STR(buf_text(&j.text), "look confirm ");
	CHECK_EQ(t.line->sent.len, 0);
	buf_done(&j.text);
}

TEST(a_journal_of_something_else_is_refused)
{
	_cleanup_(talk_done) struct talk t;
	struct journal j = { 0 };
	struct dialogue_run run = { .dialogue = &weos_purge, .journal = write_journal, .ctx = &j, .from = "format-disk" };

	begin(&t);
	run.console = t.console;
	CHECK_EQ(dialogue_go(&run, &t.err), E_FORMAT);
	CHECK_EQ(t.line->sent.len + j.text.len, 0);
}
