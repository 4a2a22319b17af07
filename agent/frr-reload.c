/* agent/frr-reload.c -- frr-reload.py, kept from writing anything to disk and from showing secrets to the machine.
 *
 * It hands lines to vtysh as arguments, which everybody on the machine can read, and as a file. Run through the script below, it hands
 * them over on standard input instead, from memory, and what should run comes from memory, too. That depends on nothing in there but the
 * names of its options: what is changed is Python's own open, unlink and Popen. And no vtysh outlives it: one that went on while the agent
 * returns already would leave a part of what was to be applied. */
#include "agent/frr-parts.h"

#include "base/fs.h"
#include "base/plural.h"

#include "policies/frr-text.h"
#include "policies/words.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define RELOAD_PATH "/usr/lib/frr/frr-reload.py"
#define RELOAD_FILE "frr.conf"

enum { ROUNDS = 3 };

/* Python's own `text` comes first: what the file is to hold, and what is put in its place is a link to it. */
static const char script[] =
	"import builtins, os, subprocess, sys\n"
	"\n"
	"real_open, real_unlink, real_popen = open, os.unlink, subprocess.Popen\n"
	"its_files = sys.argv[sys.argv.index('--rundir') + 1] + '/reload-'\n"
	"files = {}\n"
	"\n"
	"def in_memory(text):\n"
	"    fd = os.memfd_create('holdfast')\n"
	"    while text:\n"
	"        text = text[os.write(fd, text):]\n"
	"    return fd\n"
	"\n"
	"class MemoryFile:\n"
	"    def __init__(self, name):\n"
	"        self.fd = files[name] = os.memfd_create('reload')\n"
	"    def write(self, text):\n"
	"        os.write(self.fd, text.encode())\n"
	"    def __enter__(self):\n"
	"        return self\n"
	"    def __exit__(self, *why):\n"
	"        pass\n"
	"\n"
	"def quiet_open(name, mode='r', *more, **options):\n"
	"    if 'w' in mode and str(name).startswith(its_files):\n"
	"        return MemoryFile(name)\n"
	"    return real_open(name, mode, *more, **options)\n"
	"\n"
	"def quiet_unlink(name, **options):\n"
	"    if name in files:\n"
	"        os.close(files.pop(name))\n"
	"    else:\n"
	"        real_unlink(name, **options)\n"
	"\n"
	"def through_stdin(argv):\n"
	"    lines = [argv[i + 1] for i in range(len(argv) - 1) if argv[i] == '-c']\n"
	"    if argv[-2] == '-f' and argv[-1] in files:\n"
	"        return argv[:-1] + ['/dev/stdin'], os.dup(files[argv[-1]])\n"
	"    if len(lines) < 2:\n"
	"        return argv, None\n"
	"    if not lines[0].startswith('conf'):\n"
	"        sys.exit('frr-reload.py hands over a command that is not expected')\n"
	"    return argv[:argv.index('-c')] + ['-f', '/dev/stdin'], in_memory(('\\n'.join(lines[1:]) + '\\n').encode())\n"
	"\n"
	"class QuietPopen(real_popen):\n"
	"    def __init__(self, argv, **options):\n"
	"        argv, fd = through_stdin(argv)\n"
	"        argv = ['setpriv', '--pdeathsig', 'KILL'] + argv\n"
	"        if fd is not None:\n"
	"            options['stdin'] = fd\n"
	"        super().__init__(argv, **options)\n"
	"        if fd is not None:\n"
	"            os.close(fd)\n"
	"\n"
	"builtins.open, os.unlink, subprocess.Popen = quiet_open, quiet_unlink, QuietPopen\n"
	"sys.argv = sys.argv[1:]\n"
	"files[sys.argv[-1]] = in_memory(text)\n"
	"os.symlink('/proc/self/fd/%d' % files[sys.argv[-1]], sys.argv[-1])\n"
	"with real_open(sys.argv[0]) as program:\n"
	"    exec(compile(program.read(), sys.argv[0], 'exec'), {'__name__': '__main__'})\n";

/* The text travels inside the program that Python reads on standard input. */
static void write_program(struct buf *out, struct bytes text)
{
	buf_add_str(out, "import base64\ntext = base64.b64decode('");
	base64_encode(out, text);
	buf_add_str(out, "')\n");
	buf_add_str(out, script);
}

static int run(struct proc_result *res, const struct settings_frr *frr, const char *what, const char *dir, const char *file,
	       struct bytes text, struct error *err)
{
	const char *argv[FRR_ARGS_MAX] = { "python3", "-I", "-", RELOAD_PATH, what, "--stdout", "--log-level", "critical",
					   "--confdir", dir, "--rundir", dir };
	_cleanup_(buf_done) struct buf program = { 0 };

	argv[frr_name_instance(argv, 12, frr)] = file;
	write_program(&program, text);
	return proc_run(res, argv, buf_bytes(&program), FRR_APPLY_MS, 4 << 20, err);
}

/* One folder per FRR, held by a lock: one that a killed process left is taken over. Returns the lock, or an error. */
static int take_folder(const char *dir, struct error *err)
{
	for (;;) {
		_cleanup_(fd_closep) int fd = -1;
		struct stat st;
		int lock;

		if (mkdir(dir, 0700) < 0 && errno != EEXIST)
			return error_sys(err, "cannot make the folder '%s'", dir);
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0)
			return error_sys(err, "cannot lock the folder '%s'", dir);
		if (st.st_nlink == 0) /* whoever had it has removed it */
			continue;
		(void)unlinkat(fd, RELOAD_FILE, 0);
		lock = fd;
		fd = -1;
		return lock;
	}
}

/* It runs `write` unless its file is <confdir>/frr.conf, so it gets a private folder in which that name is a link into memory. It logs
 * nothing. */
int frr_reload(struct proc_result *res, const struct settings_frr *frr, enum frr_reload what, struct bytes text, struct error *err)
{
	_cleanup_(mem_freep) char *dir = mem_printf("/run/holdfast-reload-%s", frr->pathspace ? frr->pathspace : ""), *file = NULL;
	_cleanup_(fd_closep) int lock = -1;
	int r;

	if (access(RELOAD_PATH, R_OK) < 0)
		return error_sys(err, "cannot read '" RELOAD_PATH "' (Debian's package frr-pythontools)");
	lock = take_folder(dir, err);
	if (lock < 0)
		return lock;
	file = mem_printf("%s/" RELOAD_FILE, dir);
	r = run(res, frr, what == FRR_TEST ? "--test" : "--reload", dir, file, text, err);
	(void)unlink(file);
	(void)rmdir(dir);
	return r;
}

/* Does running say what the text says? */
static int runs_as(const struct settings_device *dev, struct bytes text, struct error *err)
{
	_cleanup_(device_look_done) struct device_look look = { 0 };
	_cleanup_(buf_done) struct buf is = { 0 }, should = { 0 };

	if (frr_look(&look, dev, err) < 0)
		return err->code;
	frr_canonical(&is, buf_bytes(&look.running));
	frr_canonical(&should, text);
	return bytes_equal(buf_bytes(&is), buf_bytes(&should));
}

/* One reload empties a block, and only the next one takes the block away. Its exit status is no judge (an interface that cannot be
 * removed is an "error"): running is. */
int frr_revert(const struct settings_device *dev, struct bytes startup, struct error *err)
{
	int r = 0;

	for (int round = 0; r == 0 && round < ROUNDS; round++) {
		_cleanup_(proc_result_done) struct proc_result res = { 0 };

		if (frr_reload(&res, dev->frr, FRR_RELOAD, startup, err) < 0)
			return err->code;
		r = runs_as(dev, startup, err);
	}
	if (r < 0)
		return r;
	return r ? 0 : error_set(err, E_PEER, "after %d rounds of frr-reload.py running still differs from startup", ROUNDS);
}

/* ---- a whole configuration ---- */

/* What is to run: the text, and the host names that the daemons show already, which no text changes. */
static void target(struct buf *out, struct bytes running, struct bytes text)
{
	struct bytes line;

	while (bytes_next_line(&running, &line))
		if (words_start(line, "hostname ")) {
			buf_add_bytes(out, line);
			buf_add_char(out, '\n');
		}
	frr_canonical(out, text);
}

/* What a test says is left to do, in lines; an interface without settings stays for ever, and asks for nothing. */
static unsigned count_left(struct bytes out)
{
	struct bytes line;
	unsigned left = 0;

	while (bytes_next_line(&out, &line))
		left += line.len && line.ptr[0] != '=' && line.ptr[0] != '%' && !words_start(line, "Lines To ") &&
			!words_start(line, "interface ") && !words_start(line, "no interface ");
	return left;
}

/* How many lines are not as they should be; 0: it runs. The text may be written in another way than FRR shows it. */
static int lines_left(const struct settings_device *dev, struct bytes text, struct bytes goal, struct error *err)
{
	_cleanup_(proc_result_done) struct proc_result res = { 0 };
	int r = runs_as(dev, text, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (frr_reload(&res, dev->frr, FRR_TEST, goal, err) < 0)
		return err->code;
	if (res.status) /* a text that it cannot read counts as an empty one there */
		return error_set(err, E_PEER, "frr-reload.py cannot compare: it ends with status %d", res.status);
	return (int)count_left(buf_bytes(&res.out));
}

static int apply_whole(const struct settings_device *dev, struct bytes text, struct error *err)
{
	_cleanup_(device_look_done) struct device_look look = { 0 };
	_cleanup_(buf_done) struct buf goal = { 0 };
	int left = 1;

	if (frr_look(&look, dev, err) < 0)
		return err->code;
	target(&goal, buf_bytes(&look.running), text);
	for (int round = 0; left > 0 && round < ROUNDS; round++) {
		_cleanup_(proc_result_done) struct proc_result res = { 0 };

		if (frr_reload(&res, dev->frr, FRR_RELOAD, buf_bytes(&goal), err) < 0)
			return err->code;
		left = lines_left(dev, text, buf_bytes(&goal), err);
	}
	if (left < 0)
		return left;
	return left ? error_set(err, E_PEER, "read back, %d %s not as ordered after %d rounds of frr-reload.py", left,
				plural((unsigned)left, "line is", "lines are"), ROUNDS) :
		      0;
}

/* vtysh enters the lines before and behind a bad one all the same: what the check refuses must not begin. */
int frr_apply(const struct settings_device *dev, struct bytes text, enum device_apply how, struct error *err)
{
	if (frr_check(dev, text, how, err) < 0)
		return err->code;
	return how == DEVICE_WHOLE ? apply_whole(dev, text, err) : frr_enter(dev, text, err);
}
