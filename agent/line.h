/* agent/line.h -- the bytes to and from a console: a serial port, a console server's TCP port, a program on a pseudo terminal.
 *
 * A line is a table of functions over whatever carries the bytes, so that the engine above it (agent/console.h) is the same for all, and a
 * test can be a line with a clock of its own. Reading and writing wait, and each wait has its end: `until_ms` on the line's clock. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum { LINE_QUIET = 1, LINE_CHUNK = 4096, LINE_ADDRESS_MAX = 256, LINE_HELD_MS = 3000 };

struct line;

struct line_kind {
	const char *name;
	/* Appends what has come. 0: at least one byte; LINE_QUIET: nothing until then; E_PEER: the line has ended. */
	int (*read)(struct line *line, struct buf *out, uint64_t until_ms, struct error *err);
	/* All of it, or a failure. */
	int (*write)(struct line *line, struct bytes in, uint64_t until_ms, struct error *err);
	uint64_t (*now_ms)(const struct line *line);
	struct line *(*free)(struct line *line);
	/* Is the other end a program on this machine that has switched echo off, as for a password? May be NULL: cannot be told. */
	bool (*hides)(const struct line *line);
};

struct line {
	const struct line_kind *kind;
};

enum line_parity { LINE_PARITY_NONE, LINE_PARITY_EVEN, LINE_PARITY_ODD };

struct line_serial {
	unsigned rate; /* bits a second: one of termios(3) */
	unsigned data_bits, stop_bits;
	enum line_parity parity;
	bool xonxoff; /* software flow control */
};

extern const struct line_serial line_serial_8n1; /* 115200 8N1, no flow control: what most switches ship with */

/* A serial port (or a pseudo terminal that stands for one): raw, locked against others for as long as it is open. E_DENIED: another
 * program holds it, and still did after LINE_HELD_MS. Closing does not drop DTR, which resets some devices. */
int line_open_tty(struct line **out, const char *path, const struct line_serial *serial, struct error *err) _must_check_;

/* A port of a console server that gives the bytes as they are. address: "host:port" or "[v6]:port". */
int line_open_tcp(struct line **out, const char *address, unsigned timeout_ms, struct error *err) _must_check_;

/* The same behind telnet (RFC 854), with the serial port set as RFC 2217 says. E_PEER when the server does not know that option. */
int line_open_rfc2217(struct line **out, const char *address, const struct line_serial *serial, unsigned timeout_ms, struct error *err)
	_must_check_;

/* A program on a pseudo terminal of its own, in a clean environment; killed with its process group when the line is freed, or when we die.
 * argv is visible to everybody on the machine: never a secret. */
int line_open_child(struct line **out, const char *const argv[], unsigned rows, unsigned columns, struct error *err) _must_check_;

struct line_ssh {
	const char *address;     /* host name or address, without a port */
	unsigned port;
	const char *user;
	const char *known_hosts; /* the file that pins the device's key; nothing else is believed, nothing is added to it */
	const char *host_alias;  /* name of the key in that file; NULL: by address and port */
	const char *identity;    /* private key file; NULL: password */
	unsigned timeout_ms;     /* for the connection */
};

/* OpenSSH's ssh to a device's command line, on a pseudo terminal. It reads no configuration of this machine or user, and forwards nothing.
 * A password is asked for on the terminal, so it appears in no argument, file or environment. */
int line_open_ssh(struct line **out, const struct line_ssh *ssh, struct error *err) _must_check_;

int line_read(struct line *line, struct buf *out, uint64_t until_ms, struct error *err) _must_check_;
int line_write(struct line *line, struct bytes in, uint64_t until_ms, struct error *err) _must_check_;
uint64_t line_now_ms(const struct line *line);
bool line_hides(const struct line *line); /* false also when it cannot be told */
struct line *line_free(struct line *line);
void line_freep(struct line **line);
