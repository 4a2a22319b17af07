/* tests/fake/weos/main.c -- weos-sim: a simulated WeOS device, for tests and by hand.
 *
 *   weos-sim on --state DIR [...]     the device with power, in the foreground: SIGTERM and SIGKILL are the plug
 *   weos-sim login --state DIR        a CLI session on standard input and output, for an SSH server's ForceCommand
 *   weos-sim fault --state DIR NAME [on|off]
 *   weos-sim power --state DIR on|off|cut
 *   weos-sim state --state DIR        phase, sessions, faults that are on
 *   weos-sim flash --state DIR [--count TEXT]
 *   weos-sim pkg --version X.Y.Z [--weos 4|5] [--bytes N]   a firmware package, for `upgrade`
 *   weos-sim faults | facts           what can go wrong; what is confirmed and what invented
 *
 * What a real WeOS prints is known from its vendor's pages and from files of people who drive it; the rest is invented, and "facts" says
 * which is which. RAM lives in the process, flash in DIR/flash. */
#include "base/clock.h"
#include "base/fs.h"
#include "tests/fake/weos/control.h"
#include "tests/fake/weos/facts.h"
#include "tests/fake/weos/line.h"
#include "tests/fake/weos/scp.h"
#include "tests/fake/weos/upgrade.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { LINES_MAX = 4, PACKAGE_MAX = 512 << 20, READ_MAX = 4096 };

struct options {
	const char *state, *name, *serial, *version, *user, *count;
	unsigned weos, boot_ms, program_ms;
	size_t bytes;
	bool fault[FAULT_COUNT];
	struct {
		enum line_kind kind;
		const char *where;
	} line[LINES_MAX];
	size_t line_count;
};

static int usage(void)
{
	fprintf(stderr,
		"usage: weos-sim on --state DIR [--weos 4|5] [--name HOST] [--serial TEXT] [--version X.Y.Z] [--boot-seconds N]\n"
		"                   [--program-seconds N] [--fault NAME]... [--pty LINK] [--tcp ADDR:PORT] [--rfc2217 ADDR:PORT]\n"
		"       weos-sim login --state DIR [--user NAME]\n"
		"       weos-sim fault --state DIR NAME [on|off]\n"
		"       weos-sim power --state DIR on|off|cut\n"
		"       weos-sim state --state DIR\n"
		"       weos-sim flash --state DIR [--count TEXT]\n"
		"       weos-sim pkg --version X.Y.Z [--weos 4|5] [--bytes N]\n"
		"       weos-sim faults | facts\n");
	return 2;
}

static int failed(const struct error *err)
{
	fprintf(stderr, "weos-sim: %s\n", err->text);
	return 1;
}

/* ---- on ---- */

static void end(void *ctx, int signal _unused_)
{
	loop_stop(ctx);
}

static int run_device(struct device *dev, const struct options *opt, struct loop *loop, struct error *err)
{
	static const int signals[] = { SIGTERM, SIGINT };
	struct control *control = NULL;
	int r = device_open(dev, loop, opt->state, opt->weos, opt->name, opt->serial, opt->version, err);

	if (r < 0)
		return r;
	dev->boot_ms = opt->boot_ms;
	dev->program_ms = opt->program_ms;
	for (size_t i = 0; i < opt->line_count && r >= 0; i++)
		r = line_new(dev, opt->line[i].kind, opt->line[i].where, err);
	if (r >= 0)
		r = control_new(&control, dev, err);
	if (r >= 0)
		r = loop_signals(loop, signals, ARRAY_SIZE(signals), end, loop, err);
	for (size_t i = 0; i < FAULT_COUNT && r >= 0; i++)
		if (opt->fault[i])
			device_fault(dev, (enum fault)i, true);
	if (r >= 0) {
		device_power_on(dev);
		printf("weos-sim: power is on, serial number %s\n", dev->unit.serial);
		fflush(stdout);
		r = loop_run(loop, err);
	}
	control_free(control);
	device_done(dev);
	return r;
}

static int run_on(const struct options *opt)
{
	struct device dev;
	struct error err = { 0 };
	struct loop *loop;
	int r = fs_mkdirs(opt->state, 0700, &err);

	signal(SIGPIPE, SIG_IGN); /* whoever talks to a port may be gone at any moment */
	if (r >= 0)
		r = loop_new(&loop, &err);
	if (r >= 0) {
		r = run_device(&dev, opt, loop, &err);
		loop_free(loop);
	}
	return r < 0 ? failed(&err) : 0;
}

/* ---- login ---- */

/* Pours from one descriptor into another; false at the end. */
static bool pour(int from, int to)
{
	uint8_t text[READ_MAX];
	struct error err = { 0 };
	ssize_t n = read(from, text, sizeof(text));

	if (n < 0 && errno == EINTR)
		return true;
	return n > 0 && fd_write_all(to, bytes_of(text, (size_t)n), &err) == 0;
}

static void relay(int fd)
{
	struct pollfd at[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = fd, .events = POLLIN } };

	while (poll(at, 2, -1) >= 0 || errno == EINTR) {
		if (at[1].revents && !pour(fd, STDOUT_FILENO))
			return;
		if (at[0].revents && !pour(STDIN_FILENO, fd)) {
			shutdown(fd, SHUT_WR);
			at[0].fd = -1;
		}
	}
}

static int run_login(const struct options *opt)
{
	_cleanup_(mem_freep) char *request = mem_printf("login %s", opt->user ? opt->user : "admin");
	const char *command = getenv("SSH_ORIGINAL_COMMAND");
	struct termios old, raw;
	struct error err = { 0 };
	bool is_tty = tcgetattr(STDIN_FILENO, &old) == 0;
	_cleanup_(fd_closep) int fd = -1;

	if (command && strncmp(command, "scp ", 4) == 0)
		return scp_serve(opt->state, command);
	fd = control_connect(opt->state, request, &err);
	if (fd < 0)
		return failed(&err);
	signal(SIGPIPE, SIG_IGN);
	raw = old;
	if (is_tty) {
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	relay(fd);
	if (is_tty)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &old);
	return 0;
}

/* ---- the others ---- */

static int run_request(const struct options *opt, const char *request)
{
	struct error err = { 0 };
	_cleanup_(fd_closep) int fd = control_connect(opt->state, request, &err);
	_cleanup_(buf_done) struct buf answer = { 0 };

	if (fd < 0 || fd_read_all(&answer, fd, READ_MAX, &err) < 0)
		return failed(&err);
	if (strcmp(buf_text(&answer), "ok\n") != 0)
		fputs(buf_text(&answer), strncmp(buf_text(&answer), "error", 5) == 0 ? stderr : stdout);
	return strncmp(buf_text(&answer), "error", 5) == 0;
}

static int run_fault(const struct options *opt, char **arg, int count)
{
	_cleanup_(mem_freep) char *request = NULL;

	if (count < 1 || count > 2)
		return usage();
	request = mem_printf("fault %s %s", arg[0], count > 1 ? arg[1] : "on");
	return run_request(opt, request);
}

static int run_power(const struct options *opt, char **arg, int count)
{
	_cleanup_(mem_freep) char *request = NULL;

	if (count != 1)
		return usage();
	request = mem_printf("power %s", arg[0]);
	return run_request(opt, request);
}

static int run_state(const struct options *opt, char **arg _unused_, int count)
{
	return count ? usage() : run_request(opt, "state");
}

static void print_file(void *ctx, const char *name, size_t size, int64_t mtime)
{
	char when[CLOCK_TEXT_LEN];

	clock_text(when, mtime);
	printf("%-14s %8zu %s %s\n", (const char *)ctx, size, when, name);
}

static int run_flash(const struct options *opt, char **arg _unused_, int count)
{
	_cleanup_(mem_freep) char *folder = mem_printf("%s/flash", opt->state);
	struct flash flash;
	struct error err = { 0 };

	if (count)
		return usage();
	if (flash_open(&flash, folder, &err) < 0)
		return failed(&err);
	if (opt->count) {
		printf("%zu\n", flash_count(&flash, opt->count));
		return 0;
	}
	for (int part = 0; part < FLASH_PARTS; part++)
		flash_list(&flash, (enum flash_part)part, print_file, (void *)flash_part_name((enum flash_part)part));
	return 0;
}

static int run_faults(void)
{
	for (size_t i = 0; i < FAULT_COUNT; i++)
		printf("%-26s %s%s\n", faults[i].name, faults[i].what, faults[i].is_once ? " (once)" : "");
	return 0;
}

/* ---- the command line ---- */

static bool add_fault(struct options *opt, const char *name)
{
	enum fault fault = fault_find(name);

	if (fault == FAULT_COUNT) {
		fprintf(stderr, "weos-sim: there is no fault '%s'\n", name);
		return false;
	}
	return opt->fault[fault] = true;
}

static bool add_line(struct options *opt, enum line_kind kind, const char *where)
{
	if (opt->line_count == LINES_MAX)
		return false;
	opt->line[opt->line_count].kind = kind;
	opt->line[opt->line_count++].where = where;
	return true;
}

static bool take_option(struct options *opt, int c)
{
	switch (c) {
	case 's':
		opt->state = optarg;
		return true;
	case 'w':
		opt->weos = (unsigned)atoi(optarg);
		return opt->weos == 4 || opt->weos == 5;
	case 'n':
		opt->name = optarg;
		return true;
	case 'S':
		opt->serial = optarg;
		return true;
	case 'V':
		opt->version = optarg;
		return true;
	case 'b':
		opt->boot_ms = (unsigned)(atof(optarg) * 1000);
		return opt->boot_ms >= 60;
	case 'P':
		opt->program_ms = (unsigned)(atof(optarg) * 1000);
		return opt->program_ms > 0;
	case 'f':
		return add_fault(opt, optarg);
	case 'p':
		return add_line(opt, LINE_PTY, optarg);
	case 't':
		return add_line(opt, LINE_TCP, optarg);
	case 'r':
		return add_line(opt, LINE_RFC2217, optarg);
	case 'u':
		opt->user = optarg;
		return true;
	case 'B':
		opt->bytes = (size_t)strtoul(optarg, NULL, 10);
		return opt->bytes <= PACKAGE_MAX;
	case 'c':
		opt->count = optarg;
		return true;
	default:
		return false;
	}
}

static const struct option long_options[] = {
	{ "state", required_argument, NULL, 's' },
	{ "weos", required_argument, NULL, 'w' },
	{ "name", required_argument, NULL, 'n' },
	{ "serial", required_argument, NULL, 'S' },
	{ "version", required_argument, NULL, 'V' },
	{ "boot-seconds", required_argument, NULL, 'b' },
	{ "fault", required_argument, NULL, 'f' },
	{ "pty", required_argument, NULL, 'p' },
	{ "tcp", required_argument, NULL, 't' },
	{ "rfc2217", required_argument, NULL, 'r' },
	{ "user", required_argument, NULL, 'u' },
	{ "count", required_argument, NULL, 'c' },
	{ "bytes", required_argument, NULL, 'B' },
	{ "program-seconds", required_argument, NULL, 'P' },
	{ 0 },
};

static const struct {
	const char *name;
	int (*run)(const struct options *opt, char **arg, int count);
} requests[] = { { "fault", run_fault }, { "power", run_power }, { "state", run_state }, { "flash", run_flash } };

int main(int argc, char **argv)
{
	struct options opt = { .boot_ms = 2000, .program_ms = 300, .bytes = 100000 };
	const char *verb = argc > 1 ? argv[1] : "";
	int c;

	if (sodium_init() < 0)
		return 1;
	optind = 2;
	while (argc > 2 && (c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (!take_option(&opt, c))
			return usage();
	if (strcmp(verb, "faults") == 0)
		return run_faults();
	if (strcmp(verb, "facts") == 0)
		return facts_print();
	if (strcmp(verb, "pkg") == 0 && opt.version)
		return upgrade_make(opt.version, opt.weos ? opt.weos : 5, opt.bytes);
	if (!opt.state)
		return usage();
	if (strcmp(verb, "on") == 0)
		return run_on(&opt);
	if (strcmp(verb, "login") == 0)
		return run_login(&opt);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (strcmp(verb, requests[i].name) == 0)
			return requests[i].run(&opt, argv + optind, argc - optind);
	return usage();
}
