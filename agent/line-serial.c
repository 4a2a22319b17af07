/* agent/line-serial.c -- serial ports, as termios(3) has them. */
#include "agent/line-parts.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

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

static const struct line_kind tty_kind = { "serial port", fd_line_op_read, fd_line_op_write, fd_line_now_ms, fd_line_op_free, NULL };

int line_open_tty(struct line **out, const char *path, const struct line_serial *serial, struct error *err)
{
	/* without O_NONBLOCK, opening waits for a carrier */
	_cleanup_(fd_closep) int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	int r;

	if (fd < 0)
		return errno == EBUSY ? error_set(err, E_DENIED, "another program holds '%s'", path) :
					error_sys(err, "cannot open '%s'", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? error_set(err, E_DENIED, "another program holds '%s'", path) :
					      error_sys(err, "cannot lock '%s'", path);
	r = set_up(fd, path, serial, err);
	if (r < 0)
		return r;
	if (ioctl(fd, TIOCEXCL) < 0)
		return error_sys(err, "cannot keep '%s' for us", path);
	*out = fd_line_new(&tty_kind, fd);
	fd = -1;
	return 0;
}
