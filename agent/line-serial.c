/* agent/line-serial.c -- serial ports, as termios(3) has them. */
#include "agent/line-parts.h"

#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { NAP_MS = 50, PROGRAM_MAX = 32 };

const struct line_serial line_serial_8n1 = { .rate = 115200, .data_bits = 8, .stop_bits = 1 };

static bool speed_of(speed_t *out, unsigned rate)
{
	static const struct {
		unsigned rate;
		speed_t speed;
	} speeds[] = { { 1200, B1200 },	  { 2400, B2400 },   { 4800, B4800 },	{ 9600, B9600 },     { 19200, B19200 },
		       { 38400, B38400 }, { 57600, B57600 }, { 115200, B115200 }, { 230400, B230400 }, { 460800, B460800 } };

	for (size_t i = 0; i < ARRAY_SIZE(speeds); i++)
		if (speeds[i].rate == rate) {
			*out = speeds[i].speed;
			return true;
		}
	return false;
}

static void shape(struct termios *t, const struct line_serial *serial)
{
	cfmakeraw(t);
	t->c_cflag &= ~(tcflag_t)(CSIZE | PARENB | PARODD | CSTOPB | CRTSCTS | HUPCL);
	t->c_cflag |= CLOCAL | CREAD | (serial->data_bits == 7 ? CS7 : CS8);
	if (serial->parity != LINE_PARITY_NONE)
		t->c_cflag |= PARENB | (serial->parity == LINE_PARITY_ODD ? PARODD : 0);
	if (serial->stop_bits == 2)
		t->c_cflag |= CSTOPB;
	t->c_iflag &= ~(tcflag_t)(IXON | IXOFF | IXANY);
	if (serial->xonxoff)
		t->c_iflag |= IXON | IXOFF;
	t->c_cc[VMIN] = 0;
	t->c_cc[VTIME] = 0;
}

static int set_up(int fd, const char *path, const struct line_serial *serial, struct error *err)
{
	struct termios t;
	speed_t speed;

	if (!speed_of(&speed, serial->rate))
		return error_set(err, E_FORMAT, "%u is no rate of a serial port", serial->rate);
	if (tcgetattr(fd, &t) < 0)
		return error_sys(err, "'%s' is no serial port", path);
	shape(&t, serial);
	if (cfsetspeed(&t, speed) < 0 || tcsetattr(fd, TCSANOW, &t) < 0)
		return error_sys(err, "cannot set up '%s'", path);
	return 0;
}

static struct line *tty_free(struct line *line)
{
	/* of a pseudo terminal the mark stays for as long as its other end is open, and keeps out ourselves unless we are root */
	(void)ioctl(((struct fd_line *)line)->fd, TIOCNXCL);
	return fd_line_op_free(line);
}

static const struct line_kind tty_kind = { "serial port", fd_line_op_read, fd_line_op_write, fd_line_now_ms, tty_free, NULL };

/* ---- one at a time ---- */

/* A line of /proc/locks is "1: FLOCK  ADVISORY  WRITE 4711 00:1b:5 0 EOF": who holds the lock, and device and inode of the file. */
static bool is_lock_of(pid_t *pid, const char *line, const struct stat *st)
{
	unsigned major_no, minor_no;
	unsigned long long inode;
	int who;

	if (sscanf(line, "%*s FLOCK %*s %*s %d %x:%x:%llu", &who, &major_no, &minor_no, &inode) != 4)
		return false;
	*pid = who;
	return major_no == major(st->st_dev) && minor_no == minor(st->st_dev) && inode == st->st_ino;
}

static pid_t holder_of(int fd)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[256];
	struct stat st;
	pid_t pid = 0;
	bool is_found = false;

	while (locks && fstat(fd, &st) == 0 && !is_found && fgets(line, sizeof(line), locks))
		is_found = is_lock_of(&pid, line, &st);
	if (locks)
		fclose(locks);
	return is_found ? pid : 0;
}

/* A name is given by whoever runs the program. */
static void program_name(char out[static PROGRAM_MAX], pid_t pid)
{
	_cleanup_(mem_freep) char *path = mem_printf("/proc/%d/comm", (int)pid);
	_cleanup_(buf_done) struct buf name = { 0 };
	struct error ignored;
	size_t len = 0;

	if (fs_read(&name, path, PROGRAM_MAX, &ignored) == 0)
		for (; len < name.len && name.ptr[len] > ' ' && name.ptr[len] < 0x7f; len++)
			out[len] = (char)name.ptr[len];
	out[len < PROGRAM_MAX ? len : PROGRAM_MAX - 1] = 0;
}

static int held(const char *path, int fd, struct error *err)
{
	pid_t pid = fd >= 0 ? holder_of(fd) : 0;
	char name[PROGRAM_MAX];

	if (pid <= 0) /* 0: in another container */
		return error_set(err, E_DENIED, "another program holds '%s'", path);
	program_name(name, pid);
	return error_set(err, E_DENIED, "another program holds '%s': %s, process %d", path, *name ? name : "one without a name", (int)pid);
}

/* A process of ours that was killed a moment ago holds it until it is gone, which on a busy machine takes a while. 0: it is ours. */
static int claim(int *fd, const char *path, uint64_t until_ms, struct error *err)
{
	const struct timespec nap = { .tv_nsec = NAP_MS * 1000000L };

	for (;; nanosleep(&nap, NULL)) {
		bool is_over = clock_mono_ms() >= until_ms;

		fd_closep(fd);
		/* without O_NONBLOCK, opening waits for a carrier */
		*fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
		if (*fd < 0 && errno != EBUSY)
			return error_sys(err, "cannot open '%s'", path);
		if (*fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (*fd >= 0 && errno != EWOULDBLOCK)
			return error_sys(err, "cannot lock '%s'", path);
		if (is_over)
			return held(path, *fd, err);
	}
}

int line_open_tty(struct line **out, const char *path, const struct line_serial *serial, struct error *err)
{
	_cleanup_(fd_closep) int fd = -1;

	if (claim(&fd, path, clock_mono_ms() + LINE_HELD_MS, err) < 0 || set_up(fd, path, serial, err) < 0)
		return err->code;
	if (ioctl(fd, TIOCEXCL) < 0)
		return error_sys(err, "cannot keep '%s' for us", path);
	*out = fd_line_new(&tty_kind, fd);
	fd = -1;
	return 0;
}
