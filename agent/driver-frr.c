/* agent/driver-frr.c -- FRRouting with one integrated startup file (frr.conf).
 *
 * Running comes from vtysh, startup from the file. Saving is our own rename: FRR's `write` says "[OK]" on a full disk and
 * leaves an empty file, and it has a moment in which there is no file at all. A daemon that is down takes its part out of
 * `show running-config` without a word, so `show daemons` is asked in the same session, before and after. */
#include "agent/device.h"

#include "base/fs.h"
#include "base/proc.h"

#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { VTYSH_MS = 10000, RELOAD_MS = 120000, WORDS_MAX = 64, ARGS_MAX = 24 };

static struct bytes trim_end(struct bytes line)
{
	while (line.len && (isspace(line.ptr[line.len - 1]) || line.ptr[line.len - 1] == 0))
		line.len--;
	return line;
}

static struct bytes trim(struct bytes line)
{
	line = trim_end(line);
	while (line.len && isspace(line.ptr[0]))
		line = bytes_from(line, 1);
	return line;
}

static bool starts(struct bytes line, const char *with)
{
	size_t len = strlen(with);

	return line.len >= len && !memcmp(line.ptr, with, len);
}

static size_t split_words(struct bytes *words, size_t max, struct bytes line)
{
	size_t n = 0, i = 0;

	while (n < max) {
		size_t from;

		while (i < line.len && isspace(line.ptr[i]))
			i++;
		if (i == line.len)
			break;
		from = i;
		while (i < line.len && !isspace(line.ptr[i]))
			i++;
		words[n++] = bytes_of(line.ptr + from, i - from);
	}
	return n;
}

static bool is_noise(struct bytes line)
{
	struct bytes text = trim(line);

	return !text.len || text.ptr[0] == '!' || text.ptr[0] == '#' || bytes_is(line, "end") ||
	       starts(line, "Building configuration...") || starts(line, "Current configuration:") ||
	       starts(line, "frr version "); /* the package's, not the configuration's; it is a fact of its own */
}

/* Drops header, comments, blank lines, trailing blanks and `end`. Of several top-level host names only the first counts:
 * vtysh adds the name of the machine on which it runs itself. */
static void frr_canonical(struct buf *out, struct bytes text)
{
	bool has_name = false;
	struct bytes line;

	while (bytes_next_line(&text, &line)) {
		line = trim_end(line);
		if (is_noise(line))
			continue;
		if (starts(line, "hostname ")) {
			if (has_name)
				continue;
			has_name = true;
		}
		buf_add_bytes(out, line);
		buf_add_char(out, '\n');
	}
}

/* Words of a line in a row; the secret is what follows, to the end of the line, since several of these commands take
 * blanks. Startup files are also written by hand, and FRR takes any unambiguous beginning of a keyword: '~' ends the part
 * that must be there ("pas~sword" takes pas, pass, ...). "*" is any word. The first pattern that fits counts. */
static const char *const secret_patterns[] = {
	"area-p~assword clear", /* IS-IS */
	"area-p~assword md5",
	"area-p~assword",
	"domain-p~assword clear",
	"domain-p~assword md5",
	"domain-p~assword",
	"isis pas~sword clear",
	"isis pas~sword md5",
	"pas~sword", /* line and enable; neighbor ... password of BGP and LDP; MSDP */
	"message-d~igest-key * md5", /* OSPF interface, virtual link */
	"message-d~igest-key",
	"authentication-k~ey", /* OSPF */
	"key-id * hash-a~lgo * key", /* OSPFv3 */
	"key-id",
	"key-s~tring", /* key chains of RIP, EIGRP, OSPF */
	"authentication str~ing", /* RIP */
	"nhrp au~thentication",
	"tcp-md5-a~uth", /* PCEP */
	"tcp-a~uthentication",
	"snmp community",
	"snmp-server community",
	"snmp-server user",
	"snmp-server host",
	"rocommunity", /* net-snmp's words, if somebody keeps them in the same file */
	"rwcommunity",
	/* of no command we know, and never harmless */
	"passwd",
	"passp~hrase",
	"secr~et",
	"psk",
	"pre-s~hared-key",
	"shared-k~ey",
	"auth-k~ey",
	"auth-p~assword",
	"private-k~ey",
	"api-k~ey",
};

/* Does word match one pattern word of len bytes? */
static bool word_matches(struct bytes word, const char *pattern, size_t len)
{
	const char *tilde = memchr(pattern, '~', len);
	size_t least = tilde ? (size_t)(tilde - pattern) : len;
	size_t whole = tilde ? len - 1 : len;

	if (len == 1 && *pattern == '*')
		return true;
	if (word.len < least || word.len > whole || strncasecmp((const char *)word.ptr, pattern, least) != 0)
		return false;
	return !tilde || !strncasecmp((const char *)word.ptr + least, tilde + 1, word.len - least);
}

/* How many words the pattern took at words[at]; 0: it does not match here. */
static size_t pattern_at(const char *pattern, const struct bytes *words, size_t count, size_t at)
{
	size_t taken = 0;

	while (*pattern) {
		size_t len = strcspn(pattern, " ");

		if (at + taken >= count || !word_matches(words[at + taken], pattern, len))
			return 0;
		taken++;
		pattern += len + (pattern[len] == ' ');
	}
	return taken;
}

/* Where the secret of this line begins; line.len when there is none. */
static size_t secret_begin(struct bytes line)
{
	struct bytes words[WORDS_MAX];
	size_t count = split_words(words, WORDS_MAX, line);

	for (size_t at = 0; at < count; at++)
		for (size_t p = 0; p < ARRAY_SIZE(secret_patterns); p++) {
			size_t taken = pattern_at(secret_patterns[p], words, count, at);

			if (taken && at + taken < count)
				return (size_t)(words[at + taken].ptr - line.ptr);
		}
	/* More words than we look at: a line of this kind is nothing we know, so all of it is secret. */
	return count == WORDS_MAX ? (size_t)(words[0].ptr - line.ptr) : line.len;
}

/* "no password", "service password-encryption" and the like have nothing behind the keyword, or another word. */
static void frr_secrets(struct bytes text, void (*found)(void *ctx, size_t at, size_t len), void *ctx)
{
	const uint8_t *start = text.ptr;
	struct bytes line;

	while (bytes_next_line(&text, &line)) {
		struct bytes body = trim_end(line);
		size_t at = secret_begin(body);

		if (at < body.len)
			found(ctx, (size_t)(line.ptr - start) + at, body.len - at);
	}
}

/* Runs vtysh with these commands. Nothing secret is ever in its arguments. */
static int vtysh(struct proc_result *res, const struct settings_frr *frr, const char *const *commands, struct error *err)
{
	const char *argv[ARGS_MAX] = { "vtysh" };
	size_t n = 1;

	if (frr->pathspace) {
		argv[n++] = "-N";
		argv[n++] = frr->pathspace;
	}
	if (frr->vty_socket) {
		argv[n++] = "--vty_socket";
		argv[n++] = frr->vty_socket;
	}
	for (; *commands && n + 3 < ARGS_MAX; commands++) {
		argv[n++] = "-c";
		argv[n++] = *commands;
	}
	argv[n] = NULL;
	return proc_run(res, argv, (struct bytes){ 0 }, VTYSH_MS, DEVICE_TEXT_MAX + 4096, err);
}

static bool has_word(struct bytes line, const char *word)
{
	struct bytes words[WORDS_MAX];
	size_t count = split_words(words, WORDS_MAX, line);

	for (size_t i = 0; i < count; i++)
		if (bytes_is(words[i], word))
			return true;
	return false;
}

static void note_missing(struct device_look *out, const struct settings_frr *frr, struct bytes answering)
{
	for (unsigned i = 0; i < frr->daemons_count; i++) {
		size_t used = strlen(out->missing);

		if (has_word(answering, frr->daemons[i]))
			continue;
		out->is_whole = false;
		if (!strstr(out->missing, frr->daemons[i]))
			snprintf(out->missing + used, sizeof(out->missing) - used, "%s%s", used ? " " : "", frr->daemons[i]);
	}
}

/* Takes the last line off. */
static struct bytes take_last_line(struct bytes *text)
{
	struct bytes all = trim_end(*text);
	size_t at = all.len;

	while (at && all.ptr[at - 1] != '\n')
		at--;
	text->len = at;
	return bytes_from(all, at);
}

/* The answer is: the daemons, running-config, the daemons. Anything else is refused by its shape. */
static int take_running(struct device_look *out, const struct settings_frr *frr, struct bytes answer, struct error *err)
{
	struct bytes before = { 0 }, after = take_last_line(&answer), body;

	if (!bytes_next_line(&answer, &before))
		return error_set(err, E_FORMAT, "vtysh answered nothing");
	body = trim_end(answer);
	if (!starts(body, "Building configuration...") || !memmem(body.ptr, body.len, "\nCurrent configuration:", 23) ||
	    body.len < 4 || memcmp(body.ptr + body.len - 4, "\nend", 4) != 0)
		return error_set(err, E_FORMAT, "what vtysh answered is no whole configuration");
	if (memchr(body.ptr, 0, body.len))
		return error_set(err, E_FORMAT, "there is a NUL in the running configuration");
	if (body.len >= DEVICE_TEXT_MAX)
		return error_set(err, E_LIMIT, "the running configuration is longer than %d bytes", DEVICE_TEXT_MAX);
	out->is_whole = true;
	note_missing(out, frr, before);
	note_missing(out, frr, after);
	buf_add_bytes(&out->running, body);
	buf_add_char(&out->running, '\n');
	return 0;
}

static int look_running(struct device_look *out, const struct settings_frr *frr, struct error *err)
{
	static const char *const commands[] = { "show daemons", "show running-config", "show daemons", NULL };
	_cleanup_(proc_result_done) struct proc_result res = { 0 };
	int r = vtysh(&res, frr, commands, err);

	if (r < 0)
		return error_add(err, "the router does not answer");
	if (res.status && strstr(buf_text(&res.err), "failed to connect to any daemons")) {
		note_missing(out, frr, (struct bytes){ 0 });
		return 0;
	}
	if (res.status)
		return error_set(err, E_PEER, "vtysh ended with status %d", res.status);
	return take_running(out, frr, buf_bytes(&res.out), err);
}

/* Field 22 of /proc/PID/stat: when the process began. 0 when it is gone. */
static unsigned long long started_at(pid_t pid)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(mem_freep) char *path = mem_printf("/proc/%d/stat", (int)pid);
	struct bytes words[WORDS_MAX];
	const char *name_end;
	struct error err;
	size_t n;

	if (fs_read(&text, path, 4096, &err) != 0)
		return 0;
	name_end = strrchr(buf_text(&text), ')');
	if (!name_end)
		return 0;
	n = split_words(words, WORDS_MAX, bytes_str(name_end + 1)); /* begins with field 3 */
	return n > 19 ? strtoull((const char *)words[19].ptr, NULL, 10) : 0;
}

/* The process that listens behind a daemon's vty socket. -1 when nothing does. */
static pid_t listener_of(const struct settings_frr *frr, const char *daemon)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);
	int n;

	if (frr->vty_socket)
		n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s.vty", frr->vty_socket, daemon);
	else
		n = snprintf(addr.sun_path, sizeof(addr.sun_path), "/var/run/frr/%s%s%s.vty", frr->pathspace ? frr->pathspace : "",
			     frr->pathspace ? "/" : "", daemon);
	if (fd < 0 || n < 0 || (size_t)n >= sizeof(addr.sun_path) || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -1;
	return cred.pid;
}

static void look_incarnation(struct device_look *out, const struct settings_frr *frr)
{
	size_t used = 0;

	for (unsigned i = 0; i < frr->daemons_count && used < sizeof(out->incarnation) - 64; i++) {
		pid_t pid = listener_of(frr, frr->daemons[i]);

		used += (size_t)snprintf(out->incarnation + used, sizeof(out->incarnation) - used, "%d:%llu ", (int)pid,
					 pid > 0 ? started_at(pid) : 0ULL);
	}
}

static int frr_look(struct device_look *out, const struct settings_device *dev, struct error *err)
{
	int r;

	look_incarnation(out, dev->frr);
	if (look_running(out, dev->frr, err) < 0)
		return err->code;
	r = fs_read(&out->startup, dev->frr->config, DEVICE_TEXT_MAX - 1, err);
	if (r < 0)
		return error_add(err, "the startup configuration");
	out->has_startup = r != FS_ABSENT;
	return 0;
}

static int frr_facts(struct device_facts *out, const struct settings_device *dev, struct error *err)
{
	static const char *const commands[] = { "show version", NULL };
	_cleanup_(proc_result_done) struct proc_result res = { 0 };
	int r = vtysh(&res, dev->frr, commands, err);

	if (r < 0)
		return r;
	if (res.status || sscanf(buf_text(&res.out), "FRRouting %63[0-9A-Za-z.+~_-]", out->firmware) != 1)
		return error_set(err, E_FORMAT, "'show version' did not answer 'FRRouting ...'");
	snprintf(out->model, sizeof(out->model), "FRRouting");
	return 0;
}

/* What `write` would put into the file: running without its header, without `end`, without vtysh's own host name. */
static void file_text(struct buf *out, struct bytes running)
{
	bool in_header = true, has_name = false;
	struct bytes line;

	while (bytes_next_line(&running, &line)) {
		if (in_header) {
			in_header = !starts(line, "Current configuration:");
			continue;
		}
		if (bytes_is(line, "end"))
			continue;
		if (starts(line, "hostname ")) {
			if (has_name)
				continue;
			has_name = true;
		}
		if (!out->len && bytes_is(line, "!"))
			continue; /* the header's last line */
		buf_add_bytes(out, line);
		buf_add_char(out, '\n');
	}
}

static int frr_save(const struct settings_device *dev, struct bytes running, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	/* The file behind a symbolic link is replaced, not the link. */
	_cleanup_(mem_freep) char *real = realpath(dev->frr->config, NULL);
	const char *path = real ? real : dev->frr->config;
	const struct passwd *owner;

	file_text(&text, running);
	if (!text.len)
		return error_set(err, E_FORMAT, "an empty configuration is not saved");
	if (fs_replace(path, buf_bytes(&text), 0640, err) < 0)
		return err->code;
	owner = real ? NULL : getpwnam("frr");
	if (owner && lchown(path, owner->pw_uid, owner->pw_gid) < 0)
		return error_sys(err, "cannot give '%s' to frr", path);
	return 0;
}

static int run_reload(const struct settings_frr *frr, const char *dir, const char *link, struct error *err)
{
	const char *argv[ARGS_MAX] = { "/usr/lib/frr/frr-reload.py", "--reload", "--stdout", "--log-level", "critical",
				       "--confdir", dir, "--rundir", dir };
	_cleanup_(proc_result_done) struct proc_result res = { 0 };
	size_t n = 9;

	if (frr->pathspace) {
		argv[n++] = "-N";
		argv[n++] = frr->pathspace;
	}
	if (frr->vty_socket) {
		argv[n++] = "--vty_socket";
		argv[n++] = frr->vty_socket;
	}
	argv[n++] = link;
	/* Its exit status is no judge (an interface that cannot be removed is an "error"): the caller reads back. Its output may
	 * hold secrets and goes nowhere. */
	return proc_run(&res, argv, (struct bytes){ 0 }, RELOAD_MS, 4 << 20, err);
}

/* frr-reload.py runs `write` unless its file is <confdir>/frr.conf, so it gets a private folder in which that name is a
 * link to the startup file. Its temporary file goes there too, and it logs nothing: both would hold secrets. */
static int frr_revert(const struct settings_device *dev, struct bytes startup _unused_, struct error *err)
{
	char dir[] = "/run/holdfast-reload-XXXXXX";
	_cleanup_(mem_freep) char *link = NULL;
	struct error ignored;
	int r;

	if (!mkdtemp(dir))
		return error_sys(err, "cannot make a folder in /run");
	link = mem_printf("%s/frr.conf", dir);
	if (symlink(dev->frr->config, link) < 0)
		r = error_sys(err, "cannot link '%s'", link);
	else
		r = run_reload(dev->frr, dir, link, err);
	(void)unlink(link);
	if (rmdir(dir) < 0) { /* killed half-way it leaves its file */
		const char *argv[] = { "rm", "-rf", "--", dir, NULL };
		_cleanup_(proc_result_done) struct proc_result res = { 0 };

		(void)!proc_run(&res, argv, (struct bytes){ 0 }, VTYSH_MS, 4096, &ignored);
	}
	return r;
}

static const char *frr_startup_path(const struct settings_device *dev)
{
	return dev->frr->config;
}

const struct device_driver driver_frr = {
	.name = "frr",
	.capabilities = DEVICE_STARTUP | DEVICE_SAVE | DEVICE_REVERT,
	.facts = frr_facts,
	.look = frr_look,
	.save = frr_save,
	.revert = frr_revert,
	.startup_path = frr_startup_path,
	.canonical = frr_canonical,
	.secrets = frr_secrets,
};

const struct device_driver *device_driver(const char *name)
{
	return strcmp(name, driver_frr.name) ? NULL : &driver_frr;
}

void device_look_done(struct device_look *look)
{
	buf_done(&look->running);
	buf_done(&look->startup);
}
