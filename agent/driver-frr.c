/* agent/driver-frr.c -- FRRouting with one integrated startup file (frr.conf).
 *
 * Running comes from vtysh, startup from the file. Saving is our own rename: FRR's `write` says "[OK]" on a full disk and
 * leaves an empty file, and it has a moment in which there is no file at all. A daemon that is down takes its part out of
 * `show running-config` without a word, so `show daemons` is asked in the same session, before and after. */
#include "agent/frr-parts.h"

#include "agent/media.h"
#include "policies/frr-text.h"
#include "policies/words.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/proc.h"
#include "crypto/key.h"

#include <dirent.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { GLANCE_MS = 2000 };

size_t frr_name_instance(const char **argv, size_t n, const struct settings_frr *frr)
{
	if (frr->pathspace) {
		argv[n++] = "-N";
		argv[n++] = frr->pathspace;
	}
	if (frr->vty_socket) {
		argv[n++] = "--vty_socket";
		argv[n++] = frr->vty_socket;
	}
	return n;
}

int frr_vtysh(struct proc_result *res, const struct settings_frr *frr, const char *const *args, struct bytes in, unsigned timeout_ms,
	      struct error *err)
{
	const char *argv[FRR_ARGS_MAX] = { "vtysh" };
	size_t n = frr_name_instance(argv, 1, frr);

	while (*args && n + 1 < FRR_ARGS_MAX)
		argv[n++] = *args++;
	argv[n] = NULL;
	return proc_run(res, argv, in, timeout_ms, DEVICE_TEXT_MAX + 4096, err);
}

bool frr_has_word(struct bytes line, const char *word)
{
	struct bytes words[FRR_WORDS_MAX];
	size_t count = words_split(words, FRR_WORDS_MAX, line);

	for (size_t i = 0; i < count; i++)
		if (bytes_is(words[i], word))
			return true;
	return false;
}

static void note_missing(struct device_look *out, const struct settings_frr *frr, struct bytes answering)
{
	for (unsigned i = 0; i < frr->daemons_count; i++) {
		size_t used = strlen(out->missing);

		if (frr_has_word(answering, frr->daemons[i]))
			continue;
		out->is_whole = false;
		if (!strstr(out->missing, frr->daemons[i]))
			snprintf(out->missing + used, sizeof(out->missing) - used, "%s%s", used ? " " : "", frr->daemons[i]);
	}
}

/* Takes the last line off. */
static struct bytes take_last_line(struct bytes *text)
{
	struct bytes all = words_trim_end(*text);
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
	body = words_trim_end(answer);
	if (!words_start(body, "Building configuration...") || !memmem(body.ptr, body.len, "\nCurrent configuration:", 23) ||
	    body.len < 4 || memcmp(body.ptr + body.len - 4, "\nend", 4) != 0)
		return error_set(err, E_FORMAT, "what vtysh answered is no whole configuration");
	if (memchr(body.ptr, 0, body.len))
		return error_set(err, E_FORMAT, "there is a NUL in the running configuration");
	if (memmem(body.ptr, body.len, "\nno service integrated-vtysh-config\n", 36))
		return error_set(err, E_FORMAT, "each daemon keeps its own startup file here ('no service integrated-vtysh-config')");
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
	static const char *const args[] = { "-c", "show daemons", "-c", "show running-config", "-c", "show daemons", NULL };
	_cleanup_(proc_result_done) struct proc_result res = { 0 };
	int r = frr_vtysh(&res, frr, args, (struct bytes){ 0 }, FRR_VTYSH_MS, err);

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
	struct bytes words[FRR_WORDS_MAX];
	const char *name_end;
	struct error err;
	size_t n;

	if (fs_read(&text, path, 4096, &err) != 0)
		return 0;
	name_end = strrchr(buf_text(&text), ')');
	if (!name_end)
		return 0;
	n = words_split(words, FRR_WORDS_MAX, bytes_str(name_end + 1)); /* begins with field 3 */
	return n > 19 ? strtoull((const char *)words[19].ptr, NULL, 10) : 0;
}

/* The folder of the daemons' vty sockets. */
static char *socket_folder(const struct settings_frr *frr)
{
	if (frr->vty_socket)
		return mem_strdup(frr->vty_socket);
	return mem_printf("/var/run/frr%s%s", frr->pathspace ? "/" : "", frr->pathspace ? frr->pathspace : "");
}

/* Connects to a vty socket: the descriptor and who listens there, or -1 when nobody does. */
static int connect_vty(pid_t *pid, const char *folder, const char *socket_name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", folder, socket_name);
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);
	int connected = fd;

	if (fd < 0 || n < 0 || (size_t)n >= sizeof(addr.sun_path) || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -1;
	*pid = cred.pid;
	fd = -1;
	return connected;
}

/* Which processes answer, and since when: another text after any of them was started again. */
static void incarnation(char *out, size_t size, const struct settings_frr *frr)
{
	_cleanup_(mem_freep) char *folder = socket_folder(frr);
	size_t used = 0;

	*out = 0;
	for (unsigned i = 0; i < frr->daemons_count && used + 64 < size; i++) {
		_cleanup_(mem_freep) char *name = mem_printf("%s.vty", frr->daemons[i]);
		pid_t pid = 0;
		_cleanup_(fd_closep) int fd = connect_vty(&pid, folder, name);

		used += (size_t)snprintf(out + used, size - used, "%d:%llu ", (int)pid, fd >= 0 ? started_at(pid) : 0ULL);
	}
}

int frr_look(struct device_look *out, const struct settings_device *dev, struct error *err)
{
	char after[sizeof(out->incarnation)];
	int r;

	incarnation(out->incarnation, sizeof(out->incarnation), dev->frr);
	if (look_running(out, dev->frr, err) < 0)
		return err->code;
	/* One that was started in between came back empty, and would pass for an engineer who removed its part. */
	incarnation(after, sizeof(after), dev->frr);
	if (strcmp(after, out->incarnation) != 0)
		return error_set(err, E_PEER, "a daemon was started or ended while the router was looked at");
	r = fs_read(&out->startup, dev->frr->config, DEVICE_TEXT_MAX - 1, err);
	if (r < 0)
		return error_add(err, "the startup configuration");
	out->has_startup = r != FS_ABSENT;
	return 0;
}

/* Reads one answer of a vty socket into out: text, then three zero bytes and a status. */
static int read_answer(struct buf *out, int fd, uint64_t deadline, struct error *err)
{
	size_t from = out->len;

	for (;;) {
		uint64_t now = clock_mono_ms();
		struct pollfd pfd = { fd, POLLIN, 0 };
		uint8_t chunk[4096];
		ssize_t n;

		if (now >= deadline || poll(&pfd, 1, (int)(deadline - now)) <= 0)
			return error_set(err, E_PEER, "no answer in time");
		n = read(fd, chunk, sizeof(chunk));
		if (n <= 0 || out->len - from + (size_t)n > DEVICE_TEXT_MAX)
			return error_set(err, E_PEER, "no whole answer");
		buf_add(out, chunk, (size_t)n);
		if (out->len - from >= 4 && !memcmp(out->ptr + out->len - 4, "\0\0", 3))
			return 0;
	}
}

/* What one daemon says it runs. The protocol is vtysh's own: a command ends with a zero byte. */
static int ask_daemon(struct buf *out, const char *folder, const char *socket_name, uint64_t deadline, struct error *err)
{
	static const char enable[] = "enable", show[] = "show running-config";
	pid_t pid = 0;
	_cleanup_(fd_closep) int fd = connect_vty(&pid, folder, socket_name);

	buf_addf(out, "%s %d %llu\n", socket_name, (int)pid, fd >= 0 ? started_at(pid) : 0ULL);
	if (fd < 0)
		return 0; /* a socket that a dead daemon left */
	if (fd_write_all(fd, bytes_of(enable, sizeof(enable)), err) < 0 || read_answer(out, fd, deadline, err) < 0 ||
	    fd_write_all(fd, bytes_of(show, sizeof(show)), err) < 0)
		return err->code;
	return read_answer(out, fd, deadline, err);
}

static int is_vty(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 4 && !strcmp(entry->d_name + len - 4, ".vty");
}

/* All daemons that are there, not only those that must be: vtysh shows the configuration of any. */
static int frr_glance(uint8_t out[static DEVICE_GLANCE_LEN], const struct settings_device *dev, struct error *err)
{
	_cleanup_(mem_freep) char *folder = socket_folder(dev->frr);
	_cleanup_(buf_done) struct buf all = { 0 };
	uint64_t deadline = clock_mono_ms() + GLANCE_MS;
	struct dirent **sockets;
	int count = scandir(folder, &sockets, is_vty, alphasort), r = 0;

	if (count < 0)
		return error_sys(err, "cannot open folder '%s'", folder);
	for (int i = 0; i < count; i++) {
		if (r == 0)
			r = ask_daemon(&all, folder, sockets[i]->d_name, deadline, err);
		free(sockets[i]);
	}
	free(sockets);
	if (r == 0)
		r = fs_read(&all, dev->frr->config, DEVICE_TEXT_MAX, err);
	if (r < 0)
		return r;
	buf_addf(&all, "startup %d", r);
	sha256(out, buf_bytes(&all));
	return 0;
}

static int frr_facts(struct device_facts *out, const struct settings_device *dev, struct error *err)
{
	static const char *const args[] = { "-c", "show version", NULL };
	_cleanup_(proc_result_done) struct proc_result res = { 0 };
	int r = frr_vtysh(&res, dev->frr, args, (struct bytes){ 0 }, FRR_VTYSH_MS, err);

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
			in_header = !words_start(line, "Current configuration:");
			continue;
		}
		if (bytes_is(line, "end"))
			continue;
		if (words_start(line, "hostname ")) {
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

int frr_give(const char *path, struct error *err)
{
	const struct passwd *owner = getpwnam("frr");

	if (owner && lchown(path, owner->pw_uid, owner->pw_gid) < 0)
		return error_sys(err, "cannot give '%s' to frr", path);
	return 0;
}

static int frr_save(const struct settings_device *dev, struct bytes running, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	/* The file behind a symbolic link is replaced, not the link. */
	_cleanup_(mem_freep) char *real = realpath(dev->frr->config, NULL);
	const char *path = real ? real : dev->frr->config;
	struct stat st;

	file_text(&text, running);
	if (!text.len)
		return error_set(err, E_FORMAT, "an empty configuration is not saved");
	if (!real && lstat(path, &st) == 0)
		return error_set(err, E_SYS, "'%s' is a link that leads nowhere", path);
	fs_sweep(path);
	if (fs_replace(path, buf_bytes(&text), 0640, err) < 0)
		return err->code;
	return real ? 0 : frr_give(path, err);
}

static const char *frr_startup_path(const struct settings_device *dev)
{
	return dev->frr->config;
}

static unsigned frr_capable(const struct settings_device *dev)
{
	return dev->media ? DEVICE_PURGE : 0;
}

/* A purge is a reset, and the media besides; so of the whole no more is claimed than that its configuration was cleared. */
static int frr_erase(struct device_erased *out, const struct settings_device *dev, enum device_erase how, const char *state_dir,
		     struct error *err)
{
	if (frr_factory_reset(out, dev, err) < 0)
		return err->code;
	return how == DEVICE_ERASE_PURGE ? media_erase(out, dev, state_dir, err) : 0;
}

static const char *frr_trial(const struct settings_device *dev _unused_)
{
	return "ip prefix-list HOLDFAST-TRIAL seq 5 permit 192.0.2.0/24\n";
}

const struct device_driver driver_frr = {
	.name = "frr",
	.capabilities = DEVICE_STARTUP | DEVICE_SAVE | DEVICE_REVERT | DEVICE_APPLY | DEVICE_FACTORY_RESET,
	.facts = frr_facts,
	.look = frr_look,
	.glance = frr_glance,
	.save = frr_save,
	.revert = frr_revert,
	.check = frr_check,
	.apply = frr_apply,
	.show = frr_show,
	.capable = frr_capable,
	.erase = frr_erase,
	.startup_path = frr_startup_path,
	.trial = frr_trial,
	.canonical = frr_canonical,
	.secrets = frr_secrets,
};
