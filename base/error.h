/* base/error.h -- the one idiom for failures.
 *
 * A function that can fail returns int: negative for a failure (one of the codes below, err filled), 0 for
 * done, positive for an answer that its header names. A failure travels up unchanged; whoever stands between
 * adds context with error_add(). The struct lives on the caller's stack and is never NULL. */
#pragma once

#include "base/attr.h"

enum {
	E_SYS = -1,    /* the system refused; sys is the errno */
	E_FORMAT = -2, /* bytes from outside are not what they should be */
	E_SEAL = -3,   /* a signature, MAC or seal does not hold */
	E_DENIED = -4, /* well formed and genuine, but not allowed */
	E_LIMIT = -5,  /* a named bound was met */
	E_PEER = -6,   /* the other side (server, device, child) failed or refused */
};

struct error {
	int code;
	int sys;
	char text[480];
};

/* Fills err and returns code. Messages follow git's: no capital, no full stop, what failed first, its subject in
 * single quotes. */
int error_set(struct error *err, int code, const char *fmt, ...) _printf_(3, 4);

/* As error_set() with E_SYS: appends what errno says, and keeps errno in err->sys. */
int error_sys(struct error *err, const char *fmt, ...) _printf_(2, 3);

/* Puts "context: " in front of the text and returns err->code. */
int error_add(struct error *err, const char *fmt, ...) _printf_(2, 3);
