/* agent/line-rfc2217.c -- a serial port behind telnet, set as RFC 2217 says. */
#include "agent/line-parts.h"

#include "agent/telnet.h"
#include "base/clock.h"
#include "base/fs.h"

#include <stdlib.h>

enum { SET_RATE = 1, SET_DATA_SIZE, SET_PARITY, SET_STOP_SIZE, SET_CONTROL }; /* RFC 2217, section 3 */
enum { NO_FLOW_CONTROL = 1, XON_XOFF = 2 };

struct telnet_line {
	struct fd_line fd; /* first */
	struct telnet telnet;
	struct buf early; /* came while something else was waited for */
};

static int send_replies(struct telnet_line *line, uint64_t until_ms, struct error *err)
{
	int r = fd_line_write(line->fd.fd, buf_bytes(&line->telnet.replies), until_ms, err);

	buf_truncate(&line->telnet.replies, 0);
	return r;
}

/* Reads once, appends data if there was any. LINE_QUIET: nothing came at all. */
static int take(struct telnet_line *line, struct buf *out, uint64_t until_ms, struct error *err)
{
	_cleanup_(buf_done) struct buf in = { 0 };
	int r = fd_line_read(line->fd.fd, &in, until_ms, err);

	if (r != 0)
		return r;
	telnet_take(&line->telnet, out, buf_bytes(&in));
	return send_replies(line, clock_mono_ms() + 1000, err);
}

static int telnet_read(struct line *base, struct buf *out, uint64_t until_ms, struct error *err)
{
	struct telnet_line *line = (struct telnet_line *)base;
	size_t before = out->len;
	int r = 0;

	if (line->early.len) {
		buf_add_bytes(out, buf_bytes(&line->early));
		buf_truncate(&line->early, 0);
		return 0;
	}
	while (r == 0 && out->len == before)
		r = take(line, out, until_ms, err);
	return r;
}

static int telnet_write(struct line *base, struct bytes in, uint64_t until_ms, struct error *err)
{
	struct telnet_line *line = (struct telnet_line *)base;
	_cleanup_(buf_done) struct buf out = { 0 };

	while (line->telnet.is_suspended) {
		int r = take(line, &line->early, until_ms, err);

		if (r < 0)
			return r;
		if (clock_mono_ms() >= until_ms || line->early.len > LINE_CHUNK)
			return error_set(err, E_PEER, "the console server takes nothing");
	}
	telnet_give(&line->telnet, &out, in);
	return fd_line_write(line->fd.fd, buf_bytes(&out), until_ms, err);
}

static struct line *telnet_free(struct line *base)
{
	struct telnet_line *line = (struct telnet_line *)base;

	telnet_done(&line->telnet);
	buf_done(&line->early);
	return fd_line_op_free(base);
}

static const struct line_kind telnet_kind = { "console server", telnet_read, telnet_write, fd_line_now_ms, telnet_free, NULL };

static int set_port(struct telnet_line *line, const struct line_serial *serial, uint64_t until_ms, struct error *err)
{
	static const uint8_t parity[] = { [LINE_PARITY_NONE] = 1, [LINE_PARITY_ODD] = 2, [LINE_PARITY_EVEN] = 3 };
	_cleanup_(buf_done) struct buf out = { 0 };

	telnet_port(&out, SET_DATA_SIZE, serial->data_bits, 1);
	telnet_port(&out, SET_PARITY, parity[serial->parity], 1);
	telnet_port(&out, SET_STOP_SIZE, serial->stop_bits, 1);
	telnet_port(&out, SET_CONTROL, serial->xonxoff ? XON_XOFF : NO_FLOW_CONTROL, 1);
	telnet_port(&out, SET_RATE, serial->rate, 4); /* last: its answer says that all were heard */
	return fd_line_write(line->fd.fd, buf_bytes(&out), until_ms, err);
}

/* Some servers say something and hang up: that another one is connected, say. */
static int not_set(struct telnet_line *line, const char *why, struct error *err)
{
	char said[80];
	size_t n = 0;

	for (size_t i = 0; i < line->early.len && n < sizeof(said) - 1; i++)
		if (line->early.ptr[i] >= 0x20 && line->early.ptr[i] < 0x7f)
			said[n++] = (char)line->early.ptr[i];
	said[n] = 0;
	return n ? error_set(err, E_PEER, "%s; it said '%s'", why, said) : error_set(err, E_PEER, "%s", why);
}

static int negotiate(struct telnet_line *line, const struct line_serial *serial, uint64_t until_ms, struct error *err)
{
	enum { COM_PORT = 44 };
	bool is_asked = false;
	int r;

	while (line->telnet.rate != serial->rate) {
		if (line->telnet.port_refused)
			return not_set(line, "the console server does not know RFC 2217", err);
		if (line->telnet.ours[COM_PORT] && !is_asked) {
			is_asked = true;
			if (set_port(line, serial, until_ms, err) < 0)
				return err->code;
		}
		r = take(line, &line->early, until_ms, err);
		if (r < 0)
			return not_set(line, "the console server has hung up", err);
		if (r == LINE_QUIET || line->early.len > LINE_CHUNK)
			return line->telnet.rate ? error_set(err, E_PEER, "the console server set %u bits a second, not %u",
							     line->telnet.rate, serial->rate) :
						   not_set(line, "the console server does not set its port", err);
	}
	return 0;
}

int line_open_rfc2217(struct line **out, const char *address, const struct line_serial *serial, unsigned timeout_ms, struct error *err)
{
	uint64_t until_ms = clock_mono_ms() + timeout_ms;
	_cleanup_(line_freep) struct line *made = NULL;
	struct telnet_line *line;
	int fd = line_dial(address, timeout_ms, err);

	if (fd < 0)
		return fd;
	line = mem_alloc(sizeof(*line));
	line->fd.base.kind = &telnet_kind;
	line->fd.fd = fd;
	made = &line->fd.base;
	telnet_begin(&line->telnet);
	if (send_replies(line, until_ms, err) < 0 || negotiate(line, serial, until_ms, err) < 0)
		return error_add(err, "'%.100s'", address);
	*out = steal(made);
	return 0;
}
