/* agent/weos-session.c -- one session at WeOS's command line: how it is reached, how it begins, and that it ends. */
#include "agent/weos-parts.h"

#include "agent/credential.h"
#include "base/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	QUIET_MS = 60, /* a prompt must answer twice besides */
	LISTEN_MS = 200,
	CONNECT_MS = 10000,
	ATTACH_MS = 12000,
	LOGIN_MS = 20000,
	ANSWER_MS = 20000,
	CLOSE_MS = 4000,
	STEPS_MAX = 8, /* to come out of whatever somebody left behind */
	REPEATS = 2,
};

#define IN CONSOLE_SET
#define HOST "[A-Za-z0-9_.+:\\[\\]-]+"

/* A slash in front of "#>" is there or not, by release. */
static const struct console_shape shapes[] = {
	[WEOS_EXEC] = { CONSOLE_PROMPT, "prompt", "^" HOST ":/#>$" },
	[WEOS_CONFIG] = { CONSOLE_PROMPT, "config", "^" HOST ":(/config(?:/[^#\\s]*)?)#>$" },
	[WEOS_BOOT] = { CONSOLE_PROMPT, "boot", "^" HOST ":(/boot(?:/[^#\\s]*)?)#>$" },
	[WEOS_SHELL] = { CONSOLE_PROMPT, "shell", "^(?:[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+:[^\\s]*|[~/][^\\s]*) ?#$" },
	[WEOS_LOGIN] = { CONSOLE_QUESTION, "login", "^(?:[A-Za-z0-9_.-]+ )?login:$" },
	[WEOS_PASSWORD] = { CONSOLE_QUESTION, "password", "^(?:\\(?[^\\s]+\\)? |[^\\s]+'s )?[Pp]assword:$" },
	[WEOS_SURE] = { CONSOLE_QUESTION, "sure", "^.*are you sure \\([yY]/[nN]\\)\\?$|^=> Are you sure \\([yY]/[nN]\\)\\?$" },
	[WEOS_MENU] = { CONSOLE_MENU, "boot-menu", "^ *Barebox Boot Menu$" },
	[WEOS_PAGER] = { CONSOLE_PAGER, "pager",
			 "^Press Ctrl-C or Q\\(uit\\) to quit viewer, Space for next page, <CR> for next line\\.$" },
	[WEOS_DENIED] = { CONSOLE_REMARK, "denied", "^Login incorrect$" },
	[WEOS_REFUSED] = { CONSOLE_REMARK, "refused", "^% ?Error.*$" },
	[WEOS_LOST] = { CONSOLE_REMARK, "lost", "^.*could not be decrypted.*$" },
	[WEOS_NO_WAY] = { CONSOLE_REMARK, "no-way",
			  "^(?:ssh: .*|.*Permission denied.*|Host key verification failed\\.|Connection (?:closed|reset|timed).*|"
			  "kex_exchange.*|.*No ED25519 host key is known.*)$" },
	[WEOS_BOOTING] = { CONSOLE_BOOTING, "booting",
			   "^(?:barebox .*|Hit .* to stop autoboot.*|Loading (?:primary|secondary) partition.*|Starting WeOS .*|"
			   ".*Booting Linux on .*|Starting system services.*|Bootstrapping configuration.*)$" },
	[WEOS_LOGGED] = { CONSOLE_LOG, "logged",
			  "^(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} .*|[a-z0-9_-]+(?:\\[[0-9]+\\])?: .*|\\[ *[0-9.]+\\] .*|"
			  "<[0-9]{1,3}>.*)$" },
};

static const struct console_grammar grammar = {
	.name = "weos",
	.shapes = shapes,
	.shape_count = ARRAY_SIZE(shapes),
	.enter = "\r",
	.more = " ",
	.take_back = "\x15",
	.quiet_ms = QUIET_MS,
};

static const console_set prompts = IN(WEOS_EXEC) | IN(WEOS_CONFIG) | IN(WEOS_BOOT) | IN(WEOS_SHELL);

/* ---- commands ---- */

int weos_command(struct weos *w, struct buf *answer, const struct weos_ask *ask, struct error *err)
{
	const struct console_ask what = {
		.command = ask->command,
		.want = ask->want,
		.timeout_ms = ask->timeout_ms ? ask->timeout_ms : ANSWER_MS,
		.is_private = ask->is_private,
		.repeats = ask->only_shows ? REPEATS : 0,
	};
	_cleanup_(buf_done) struct buf said = { 0 };
	int r = console_command(w->console, &said, &w->seen, &what, err);

	if (r < 0) {
		w->is_broken = true;
		return ask->is_private ? error_add(err, "a command with a secret") : error_add(err, "'%.40s'", ask->command);
	}
	if (answer && w->seen.is_disturbed)
		return error_set(err, E_PEER, "the answer to '%.40s' was disturbed, so it proves nothing",
				 ask->is_private ? "a command" : ask->command);
	if (answer)
		weos_without_logs(answer, buf_bytes(&said));
	if (r == CONSOLE_OTHER)
		return error_set(err, E_PEER, "'%.40s' leads elsewhere: '%s'", ask->is_private ? "a command" : ask->command,
				 shapes[w->seen.shape].name);
	return 0;
}

int weos_show(struct weos *w, struct buf *out, const char *command, struct error *err)
{
	const struct weos_ask ask = {
		.command = command, .want = IN(WEOS_EXEC), .timeout_ms = 60000, .is_private = true, .only_shows = true
	};

	if (weos_command(w, out, &ask, err) < 0)
		return err->code;
	return weos_is_clean(buf_bytes(out)) ? 0 : error_set(err, E_PEER, "'%s': noise on the line, bytes came that are no text", command);
}

/* ---- beginning ---- */

static int denied(struct weos *w, struct error *err)
{
	const struct settings_weos *weos = w->dev->weos;

	w->is_denied = true;
	return error_set(err, E_PEER, "the device does not let user '%s' in", weos->user);
}

static int send_password(struct weos *w, console_set want, struct error *err)
{
	const struct settings_weos *weos = w->dev->weos;
	struct secret password = { 0 };
	int r = credential_load(&password, weos->credential, weos->key, err);

	if (r == CREDENTIAL_ABSENT && weos->default_password) {
		secret_copy(&password, bytes_str(weos->default_password));
		r = 0;
	}
	if (r == CREDENTIAL_ABSENT)
		return error_set(err, E_DENIED, "the device asks for a password: 'holdfast-agent credential %s' keeps one", w->dev->name);
	if (r == 0)
		r = console_secret(w->console, secret_bytes(&password), err);
	secret_done(&password);
	if (r == 0)
		r = console_wait(w->console, &w->seen, want, LOGIN_MS, err);
	return r < 0 ? error_add(err, "logging in") : 0;
}

static int log_in(struct weos *w, struct error *err)
{
	int r = console_type(w->console, w->dev->weos->user, false, err);

	if (r == 0)
		r = console_enter(w->console, err);
	if (r == 0)
		r = console_wait(w->console, &w->seen, IN(WEOS_PASSWORD) | IN(WEOS_LOGIN), LOGIN_MS, err);
	if (r < 0)
		return error_add(err, "logging in");
	if (w->seen.shape != WEOS_PASSWORD)
		return error_set(err, E_PEER, "logging in: no password was asked for");
	if (send_password(w, IN(WEOS_EXEC) | IN(WEOS_DENIED) | IN(WEOS_LOGIN), err) < 0)
		return err->code;
	return w->seen.shape == WEOS_EXEC ? 0 : denied(w, err);
}

/* One step out of what somebody left behind. Nothing that he began is applied, and nobody acts in his name. */
static int step_out(struct weos *w, unsigned timeout_ms, struct error *err)
{
	const console_set any = prompts | IN(WEOS_LOGIN) | IN(WEOS_SURE);
	struct weos_ask ask = { .want = any, .timeout_ms = timeout_ms };

	switch (w->seen.shape) {
	case WEOS_CONFIG:
	case WEOS_BOOT:
		ask.command = "abort";
		break;
	case WEOS_SHELL:
		ask.command = "exit";
		break;
	case WEOS_EXEC:
		ask.command = "logout";
		break;
	case WEOS_SURE: /* the default is No */
	case WEOS_PASSWORD:
		if (console_enter(w->console, err) < 0 || console_wait(w->console, &w->seen, any, timeout_ms, err) < 0)
			return err->code;
		return 0;
	default:
		return error_set(err, E_PEER, "the console shows '%s'", shapes[w->seen.shape].name);
	}
	return weos_command(w, NULL, &ask, err);
}

/* A line editor without a prompt: somebody's `copy console ...` waits for the rest of its text, as an agent leaves it that was killed.
 * It echoes what is typed, which nothing does that is booting, so here Ctrl-C can stop no boot; Ctrl-D would apply half a text. */
static int drop_paste(struct weos *w, struct error *err)
{
	const struct console_stop stop = { .key = "\x03", .every_ms = 1000, .want = prompts | IN(WEOS_LOGIN), .timeout_ms = 4000 };
	struct error second = { 0 };

	if (console_is_booting(w->console) || console_type(w->console, "#", false, &second) < 0)
		return err->code;
	return console_stop_boot(w->console, &w->seen, &stop, &second) < 0 ? err->code : 0;
}

static int begin_console(struct weos *w, struct error *err)
{
	const console_set any = prompts | IN(WEOS_LOGIN) | IN(WEOS_PASSWORD) | IN(WEOS_SURE) | IN(WEOS_MENU);
	int r = console_attach(w->console, &w->seen, any, LISTEN_MS, ATTACH_MS, err);

	if (r == E_PEER)
		r = drop_paste(w, err);
	if (r < 0)
		return error_add(err, "the console");
	w->is_broken = false;
	for (unsigned i = 0; i < STEPS_MAX && w->seen.shape != WEOS_LOGIN; i++)
		if (step_out(w, ANSWER_MS, err) < 0)
			return error_add(err, "leaving what somebody left on the console");
	return w->seen.shape == WEOS_LOGIN ? log_in(w, err) : error_set(err, E_PEER, "the console does not come to a login");
}

static int begin_ssh(struct weos *w, struct error *err)
{
	const console_set want = prompts | IN(WEOS_PASSWORD) | IN(WEOS_NO_WAY);

	if (console_wait(w->console, &w->seen, want, LOGIN_MS, err) < 0)
		return error_add(err, "ssh");
	if (w->seen.shape == WEOS_PASSWORD && send_password(w, want, err) < 0)
		return err->code;
	if (w->seen.shape == WEOS_PASSWORD || (w->seen.shape == WEOS_NO_WAY && strstr(w->seen.line, "Permission denied")))
		return denied(w, err);
	if (w->seen.shape == WEOS_NO_WAY)
		return error_set(err, E_PEER, "ssh: %.200s", w->seen.line);
	return w->seen.shape == WEOS_EXEC ? 0 : error_set(err, E_PEER, "ssh leads to '%s'", shapes[w->seen.shape].name);
}

/* "host:port" apart; brackets of an address off. */
static char *split_port(unsigned *port, const char *address)
{
	const char *colon = strrchr(address, ':');
	bool has_brackets = address[0] == '[';

	*port = (unsigned)atoi(colon + 1);
	return mem_strndup(address + has_brackets, (size_t)(colon - address) - 2 * has_brackets);
}

static int open_ssh(struct line **out, const struct settings_weos *weos, struct error *err)
{
	unsigned port;
	_cleanup_(mem_freep) char *host = split_port(&port, weos->ssh);
	const struct line_ssh ssh = { .address = host, .port = port, .user = weos->user, .known_hosts = weos->known_hosts,
				      .identity = weos->identity, .timeout_ms = CONNECT_MS };

	return line_open_ssh(out, &ssh, err);
}

int weos_line(struct line **out, const struct settings_weos *weos, struct error *err)
{
	struct line_serial serial = line_serial_8n1;

	serial.rate = weos->speed;
	if (weos->ssh)
		return open_ssh(out, weos, err);
	if (weos->tcp)
		return line_open_tcp(out, weos->tcp, CONNECT_MS, err);
	if (weos->rfc2217)
		return line_open_rfc2217(out, weos->rfc2217, &serial, CONNECT_MS, err);
	return line_open_tty(out, weos->serial, &serial, err);
}

int weos_open(struct weos *w, const struct settings_device *dev, struct error *err)
{
	const struct weos_ask batch = { .command = "batch", .want = IN(WEOS_EXEC), .only_shows = true };
	struct line *line = NULL;

	*w = (struct weos){ .dev = dev };
	if (weos_line(&line, dev->weos, err) < 0 || console_new(&w->console, line, &grammar, err) < 0)
		return err->code;
	w->is_in = true; /* as soon as somebody may be */
	if ((dev->weos->ssh ? begin_ssh(w, err) : begin_console(w, err)) < 0 || weos_command(w, NULL, &batch, err) < 0)
		return err->code;
	return 0;
}

/* ---- ending ---- */

static int find_itself(struct weos *w, struct error *err)
{
	const console_set any = prompts | IN(WEOS_LOGIN) | IN(WEOS_PASSWORD) | IN(WEOS_SURE);
	int r = console_attach(w->console, &w->seen, any, LISTEN_MS, CLOSE_MS, err);

	if (r == E_PEER && !w->dev->weos->ssh)
		r = drop_paste(w, err);
	w->is_broken = r < 0;
	return r < 0 ? r : 0;
}

/* For whoever wants to know what was said. Best effort: the failure itself is told anyway. */
static void keep_transcript(const struct weos *w)
{
	const char *path = w->dev->weos->transcript;
	_cleanup_(mem_freep) char *folder = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
	struct error ignored;

	if (fs_mkdirs(folder, 0700, &ignored) == 0)
		(void)!fs_write(path, transcript_text(console_transcript(w->console)), 0600, &ignored);
}

void weos_close(struct weos *w, int result)
{
	struct error err = { 0 };

	if (w->console && w->is_in && !console_is_booting(w->console)) {
		int r = w->is_broken ? find_itself(w, &err) : 0;

		for (unsigned i = 0; r == 0 && i < STEPS_MAX && w->seen.shape != WEOS_LOGIN; i++)
			r = step_out(w, CLOSE_MS, &err); /* of ssh the last one fails: nobody answers any more */
	}
	if (w->console && result < 0)
		keep_transcript(w);
	console_freep(&w->console);
	w->is_in = false;
}
