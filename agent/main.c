/* agent/main.c -- holdfast-agent: the daemon, and what is said to it at the device. */
#include "agent/apply.h"
#include "agent/conformance.h"
#include "agent/core.h"
#include "agent/credential.h"
#include "agent/hold.h"
#include "agent/join.h"
#include "agent/retired.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/plural.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_DEFAULT "/etc/holdfast/agent.yaml"
#define VERSION "0.1.0"

enum { CHILD_FD = 3, OPTIONS_MAX = 8, EXIT_USAGE = 2, EXIT_FAILED = 3, EXIT_ABSENT = 6, CUTS_DEFAULT = 64, CUTS_MOST = 1000 };
enum { E_USAGE = -20, E_ABSENT = -21 };

static const char usage[] = "usage: holdfast-agent [-c FILE] [-v] COMMAND\n"
			    "\n"
			    "  run                                       watch the devices, until SIGTERM\n"
			    "  join [-d DEVICE] FILE|-                   answer an invite that 'holdfast invite' made\n"
			    "  status [DEVICE]                           what is saved, held, sent and not sent\n"
			    "  hold DEVICE TIME --who NAME --why TEXT    leave an unsaved change alone for 30m, 2h, 3d\n"
			    "  release DEVICE                            end a hold\n"
			    "  export DIR                                copy what was not sent yet, for 'holdfast import'\n"
			    "  check                                     read the settings and nothing else\n"
			    "  credential DEVICE [--factory]             keep the password of a device, sealed; it is asked for\n"
			    "  test-driver DEVICE [--destructive]        what its driver can do, tried on the device\n"
			    "          [--firmware FILE --version V [--part bundle]] [--erase] [--change FILE] [--only ROW] [--cuts N]\n"
			    "  version                                   print the version\n"
			    "  help                                      print this\n"
			    "\n"
			    "  -c FILE   settings (default " CONFIG_DEFAULT ")\n"
			    "  -v        log more\n"
			    "\n"
			    "More: holdfast-agent(8).\n";

struct line {
	const char *config, *device, *who, *why, *change, *only, *cuts, *firmware, *version, *part;
	bool is_verbose, is_destructive, is_factory, is_erasing;
	const char *arg[OPTIONS_MAX];
	size_t count;
};

static int parse_line(struct line *out, int argc, char **argv, struct error *err)
{
	const struct {
		const char *name;
		const char **value;
	} options[] = { { "-c", &out->config },   { "-d", &out->device },           { "--who", &out->who },
			{ "--why", &out->why },   { "--change", &out->change },     { "--only", &out->only },
			{ "--cuts", &out->cuts }, { "--firmware", &out->firmware }, { "--version", &out->version },
			{ "--part", &out->part } };

	const struct {
		const char *name;
		bool *is_set;
	} flags[] = { { "-v", &out->is_verbose }, { "--destructive", &out->is_destructive }, { "--factory", &out->is_factory },
		      { "--erase", &out->is_erasing } };

	for (int i = 1; i < argc; i++) {
		size_t k = 0, f = 0;

		while (k < ARRAY_SIZE(options) && strcmp(argv[i], options[k].name) != 0)
			k++;
		while (f < ARRAY_SIZE(flags) && strcmp(argv[i], flags[f].name) != 0)
			f++;
		if (f < ARRAY_SIZE(flags)) {
			*flags[f].is_set = true;
		} else if (k < ARRAY_SIZE(options)) {
			if (++i == argc)
				return error_set(err, E_USAGE, "option '%s' needs a value", options[k].name);
			*options[k].value = argv[i];
		} else if (argv[i][0] == '-' && argv[i][1]) {
			return error_set(err, E_USAGE, "unknown option '%s'", argv[i]);
		} else if (out->count == OPTIONS_MAX) {
			return error_set(err, E_USAGE, "too many arguments");
		} else {
			out->arg[out->count++] = argv[i];
		}
	}
	return 0;
}

/* The device named, or the only one there is. */
static int find_device(const struct settings_device **out, const struct settings *settings, const char *name, struct error *err)
{
	if (!name && settings->devices_count > 1)
		return error_set(err, E_USAGE, "the settings name %u devices: say which one", settings->devices_count);
	*out = name ? settings_device(settings, name) : &settings->devices[0];
	return *out ? 0 : error_set(err, E_ABSENT, "no device '%s' in the settings", name);
}

static char *folder_of(const struct settings *settings, const struct settings_device *dev)
{
	return mem_printf("%s/%s", settings->state, dev->name);
}

/* ---- commands: line->arg[0] is the command itself ---- */

static int cmd_run(const struct line *line, struct settings *settings, struct error *err)
{
	return core_run(line->config, settings, err);
}

static int cmd_join(const struct line *line, struct settings *settings, struct error *err)
{
	const struct settings_device *dev;

	return find_device(&dev, settings, line->device, err) < 0 ? err->code : join(line->config, settings, dev, line->arg[1], err);
}

/* RETIRED_ABSENT when it is none that was erased. */
static int print_retired(const char *dir, struct error *err)
{
	struct retired left;
	char when[CLOCK_TEXT_LEN];
	int r = retired_read(&left, dir, err), more;

	if (r != 0)
		return r;
	clock_text(when, left.time_s);
	more = retired_check(dir, err);
	printf("joined: no\nretired: %s\ndevice: %s\nfleet: %s\nlast-receipt: %llu\nacknowledged: %s\n", when, left.device, left.fleet,
	       (unsigned long long)left.number, left.is_acknowledged ? "yes" : "no");
	if (more == RETIRED_MORE)
		printf("note: its keys are not destroyed yet: run the daemon\n");
	else if (!left.is_acknowledged)
		printf("note: the archive may lack its last receipt: holdfast-agent export\n");
	retired_done(&left);
	return more < 0 ? more : 0;
}

/* What the daemon last wrote, and what the spool holds. */
static int print_status(const struct settings *settings, const struct settings_device *dev, struct error *err)
{
	_cleanup_(mem_freep) char *dir = folder_of(settings, dev), *path = mem_printf("%s/status", dir),
				  *chain = mem_printf("%s/chain", dir), *spool_dir = mem_printf("%s/spool", dir);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct spool spool;
	struct hold hold;
	char until[CLOCK_TEXT_LEN];
	int r;

	printf("name: %s\n", dev->name);
	r = print_retired(dir, err);
	if (r != RETIRED_ABSENT)
		return r;
	if (access(chain, F_OK) != 0) {
		printf("joined: no\n");
		return 0;
	}
	r = fs_read(&text, path, 4096, err);
	if (r < 0)
		return r;
	printf("joined: yes\n%s", r == FS_ABSENT ? "note: the daemon has not looked at it yet\n" : buf_text(&text));
	if (hold_read(&hold, dir, clock_now_s(), err) == 0) {
		clock_text(until, hold.until_s);
		printf("held: until %s by %s: %s\n", until, hold.who, hold.why);
	}
	if (spool_look(&spool, spool_dir, err) < 0)
		return err->code;
	printf("unsent: %llu\n", (unsigned long long)spool.count);
	spool_done(&spool);
	return 0;
}

static int cmd_status(const struct line *line, struct settings *settings, struct error *err)
{
	const struct settings_device *dev;

	if (line->count > 1)
		return find_device(&dev, settings, line->arg[1], err) < 0 ? err->code : print_status(settings, dev, err);
	for (unsigned i = 0; i < settings->devices_count; i++) {
		if (i)
			putchar('\n');
		if (print_status(settings, &settings->devices[i], err) < 0)
			return err->code;
	}
	return 0;
}

static int cmd_hold(const struct line *line, struct settings *settings, struct error *err)
{
	const struct settings_device *dev;
	struct hold hold = { 0 };
	_cleanup_(mem_freep) char *dir = NULL;
	int64_t seconds = hold_duration(line->arg[2]);

	if (!seconds)
		return error_set(err, E_USAGE, "'%s' is no time to hold: write 30m, 2h or 3d, at most 30d", line->arg[2]);
	if (!line->who || !*line->who || !line->why || !*line->why)
		return error_set(err, E_USAGE, "a hold says who and why: --who NAME --why TEXT");
	if (strlen(line->who) >= sizeof(hold.who) || strlen(line->why) >= sizeof(hold.why) || strpbrk(line->who, "\n\r") ||
	    strpbrk(line->why, "\n\r"))
		return error_set(err, E_USAGE, "--who takes %zu characters, --why %zu, on one line", sizeof(hold.who) - 1,
				 sizeof(hold.why) - 1);
	if (find_device(&dev, settings, line->arg[1], err) < 0)
		return err->code;
	dir = folder_of(settings, dev);
	hold.until_s = clock_now_s() + seconds;
	snprintf(hold.who, sizeof(hold.who), "%s", line->who);
	snprintf(hold.why, sizeof(hold.why), "%s", line->why);
	return hold_write(&hold, dir, err);
}

static int cmd_release(const struct line *line, struct settings *settings, struct error *err)
{
	const struct settings_device *dev;
	_cleanup_(mem_freep) char *dir = NULL;

	if (find_device(&dev, settings, line->arg[1], err) < 0)
		return err->code;
	dir = folder_of(settings, dev);
	return hold_release(dir, err);
}

/* RETIRED_ABSENT when it was not erased. Else its last receipt: there is no key any more, and none is needed to carry it. */
static int export_retired(uint64_t *count, const char *to, const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *folder = NULL, *path = NULL;
	struct retired left;
	int r = retired_read(&left, dir, err);

	if (r != 0)
		return r;
	folder = mem_printf("%s/%s", to, left.device);
	path = mem_printf("%s/%012llu", folder, (unsigned long long)left.number);
	r = fs_mkdirs(folder, 0700, err);
	if (r == 0)
		r = fs_write(path, buf_bytes(&left.receipt), 0600, err);
	*count += r == 0;
	retired_done(&left);
	return r;
}

static int export_device(uint64_t *count, const char *to, const char *dir, struct error *err)
{
	_cleanup_(mem_freep) char *seed = mem_printf("%s/device.seed", dir), *spool_dir = mem_printf("%s/spool", dir);
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	struct spool spool;
	char id[ID_LEN + 1];
	int r = export_retired(count, to, dir, err);

	if (r != RETIRED_ABSENT)
		return r;
	r = sign_key_load(&key, seed, err);
	if (r != 0)
		return r == FS_ABSENT ? 0 : r;
	sign_pub_id(id, &key.pub);
	if (spool_look(&spool, spool_dir, err) < 0)
		return err->code;
	for (uint64_t n = spool.oldest; r == 0 && n && n <= spool.newest; n++) {
		_cleanup_(mem_freep) char *folder = mem_printf("%s/%s", to, id),
					  *path = mem_printf("%s/%012llu", folder, (unsigned long long)n);
		_cleanup_(buf_done) struct buf container = { 0 };

		if (!spool_has(&spool, n))
			continue; /* acknowledged meanwhile */
		r = spool_read(&spool, n, &container, err);
		if (r == 0)
			r = fs_mkdirs(folder, 0700, err);
		if (r == 0)
			r = fs_write(path, buf_bytes(&container), 0600, err);
		*count += r == 0;
	}
	spool_done(&spool);
	return r;
}

static int cmd_export(const struct line *line, struct settings *settings, struct error *err)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < settings->devices_count; i++) {
		_cleanup_(mem_freep) char *dir = folder_of(settings, &settings->devices[i]);

		if (export_device(&count, line->arg[1], dir, err) < 0)
			return error_add(err, "device '%s'", settings->devices[i].name);
	}
	printf("%llu %s in '%s'; at a machine that reaches the server: holdfast import %s\n", (unsigned long long)count,
	       plural(count, "statement", "statements"), line->arg[1], line->arg[1]);
	return 0;
}

static int cmd_check(const struct line *line, struct settings *settings, struct error *err _unused_)
{
	printf("%s is fine: %u %s\n", line->config, settings->devices_count, plural(settings->devices_count, "device", "devices"));
	return 0;
}

/* What changes a device is for one process at a time. */
static int lock_device(int *lock, const struct settings *settings, const struct settings_device *dev, struct error *err)
{
	_cleanup_(mem_freep) char *dir = folder_of(settings, dev), *path = mem_printf("%s/lock", dir);

	if (access(dir, F_OK) != 0)
		return 0; /* no agent ever served it */
	*lock = fs_lock(path, err);
	return *lock < 0 ? error_add(err, "stop the agent first") : 0;
}

/* An image that is moved, with all that the suite must know of it, or none. */
static int take_firmware(struct conformance_firmware *out, struct conformance *what, const struct line *line, struct error *err)
{
	*out = (struct conformance_firmware){ .path = line->firmware,
					      .version = line->version,
					      .part = line->part ? line->part : "system" };
	if (!line->firmware != !line->version || (line->part && !line->firmware))
		return error_set(err, E_USAGE, "'--firmware' and '--version' go together, and '--part' with them");
	if (strcmp(out->part, "system") != 0 && strcmp(out->part, "bundle") != 0)
		return error_set(err, E_USAGE, "'--part' is 'system' or 'bundle': of a boot loader there is only one, and no way back");
	what->firmware = line->firmware ? out : NULL;
	return 0;
}

static int cmd_test_driver(const struct line *line, struct settings *settings, struct error *err)
{
	_cleanup_(buf_done) struct buf change = { 0 };
	_cleanup_(fd_closep) int lock = -1;
	struct conformance what = {
		.is_destructive = line->is_destructive, .is_erasing = line->is_erasing, .only = line->only, .cuts = CUTS_DEFAULT
	};
	struct conformance_firmware firmware;
	uint64_t cuts;

	if (find_device(&what.dev, settings, line->arg[1], err) < 0)
		return err->code;
	if (line->is_erasing && !line->is_destructive)
		return error_set(err, E_USAGE, "'--erase' destroys what is on the device: it goes with '--destructive' only");
	if (take_firmware(&firmware, &what, line, err) < 0)
		return err->code;
	if (line->cuts) {
		if (!number_parse(&cuts, bytes_str(line->cuts)) || !cuts || cuts > CUTS_MOST)
			return error_set(err, E_USAGE, "'%s' is no number of cuts: 1 to %d", line->cuts, CUTS_MOST);
		what.cuts = (unsigned)cuts;
	}
	if (line->is_destructive && lock_device(&lock, settings, what.dev, err) < 0)
		return err->code;
	if (line->change) {
		int r = fs_read(&change, line->change, DEVICE_TEXT_MAX, err);

		if (r != 0)
			return r < 0 ? r : error_set(err, E_FORMAT, "there is no file '%s'", line->change);
		what.trial = buf_text(&change);
	}
	apply_environment();
	signal(SIGPIPE, SIG_IGN); /* a device may hang up in the middle of what it is told: an error, and not the end of us */
	if (conformance_run(&what) == CONFORMANCE_FAILS)
		return error_set(err, E_PEER, "the driver does not keep what it declares, or the device is not well");
	return 0;
}

/* An argument is visible to everybody on the machine, so there is none. */
static int cmd_credential(const struct line *line, struct settings *settings, struct error *err)
{
	const struct settings_device *dev;
	struct secret password = { 0 };
	const char *path;
	int r;

	if (find_device(&dev, settings, line->arg[1], err) < 0)
		return err->code;
	if (!dev->weos)
		return error_set(err, E_USAGE, "driver '%s' logs in nowhere", dev->driver);
	if (dev->weos->identity && !line->is_factory)
		return error_set(err, E_USAGE, "'%s' logs in with the key '%s'", dev->name, dev->weos->identity);
	path = line->is_factory ? dev->weos->factory_credential : dev->weos->credential;
	r = credential_ask(&password, dev->name, err);
	if (r == 0)
		r = credential_store(path, dev->weos->key, secret_bytes(&password), err);
	secret_done(&password);
	if (r == 0)
		printf("%s\n", path);
	return r;
}

static const struct {
	const char *name;
	size_t min, max; /* arguments behind the command */
	int (*run)(const struct line *line, struct settings *settings, struct error *err);
} commands[] = {
	{ "run", 0, 0, cmd_run },         { "join", 1, 1, cmd_join },     { "status", 0, 1, cmd_status }, { "hold", 2, 2, cmd_hold },
	{ "release", 1, 1, cmd_release }, { "export", 1, 1, cmd_export }, { "check", 0, 0, cmd_check },
	{ "test-driver", 1, 1, cmd_test_driver }, { "credential", 1, 1, cmd_credential },
};

static int run_command(const struct line *line, struct error *err)
{
	_cleanup_(settings_freep) struct settings *settings = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(line->arg[0], commands[i].name) != 0)
			continue;
		if (line->count - 1 < commands[i].min || line->count - 1 > commands[i].max)
			return error_set(err, E_USAGE, "'%s' takes other arguments; see: holdfast-agent help", line->arg[0]);
		if (settings_load(&settings, line->config, err) < 0)
			return err->code;
		return commands[i].run(line, settings, err);
	}
	return error_set(err, E_USAGE, "unknown command '%s'; see: holdfast-agent help", line->arg[0]);
}

/* ---- the two children: "net USER PARENT", "apply CONFIG DEVICE PARENT", a socket on descriptor 3 ---- */

static bool is_child(int argc, char **argv)
{
	struct stat st;

	return ((argc == 4 && !strcmp(argv[1], "net")) || (argc == 5 && !strcmp(argv[1], "apply"))) && fstat(CHILD_FD, &st) == 0 &&
	       S_ISSOCK(st.st_mode);
}

static int child_main(int argc, char **argv)
{
	_cleanup_(settings_freep) struct settings *settings = NULL;
	_cleanup_(mem_freep) char *dir = NULL;
	const struct settings_device *dev;
	struct error err = { 0 };
	int parent = atoi(argv[argc - 1]);

	if (argc == 4)
		return net_main(CHILD_FD, parent, argv[2]);
	if (settings_load(&settings, argv[2], &err) < 0) {
		log_failure(LOG_ERROR, "settings", &err);
		return EXIT_FAILED;
	}
	dev = settings_device(settings, argv[3]);
	if (!dev) {
		log_error("no device '%s' in the settings any more", argv[3]);
		return EXIT_FAILED;
	}
	dir = folder_of(settings, dev);
	return apply_main(CHILD_FD, parent, dev, dir);
}

/* What people try first; alone, since '--version' is an option of test-driver too. */
static bool asks(int argc, char **argv, const char *option)
{
	return argc == 2 && !strcmp(argv[1], option);
}

int main(int argc, char **argv)
{
	struct line line = { .config = CONFIG_DEFAULT };
	struct error err = { 0 };

	umask(077);
	log_setup("holdfast-agent", LOG_INFO);
	if (crypto_start(&err) < 0) {
		log_failure(LOG_ERROR, "start", &err);
		return EXIT_FAILED;
	}
	if (is_child(argc, argv))
		return child_main(argc, argv);
	if (asks(argc, argv, "--help") || asks(argc, argv, "-h"))
		argv[1] = "help";
	else if (asks(argc, argv, "--version"))
		argv[1] = "version";
	if (parse_line(&line, argc, argv, &err) == 0) {
		log_setup("holdfast-agent", line.is_verbose ? LOG_DEBUG : LOG_INFO);
		if (!line.count || !strcmp(line.arg[0], "help")) {
			fputs(usage, line.count ? stdout : stderr);
			return line.count ? 0 : EXIT_USAGE;
		}
		if (!strcmp(line.arg[0], "version")) {
			puts("holdfast-agent " VERSION);
			return 0;
		}
		if (run_command(&line, &err) == 0)
			return 0;
	}
	fprintf(stderr, "holdfast-agent: %s\n", err.text);
	return err.code == E_USAGE ? EXIT_USAGE : err.code == E_ABSENT ? EXIT_ABSENT : EXIT_FAILED;
}
