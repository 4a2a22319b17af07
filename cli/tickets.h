/* cli/tickets.h -- the two strings that travel by file or pipe: the setup string that claims a server, the invite that lets a device join
 * (docs/reference/formats.md section 6). Both hold a secret. */
#pragma once

#include "crypto/key.h"

enum { TICKET_MAX = 2048, TICKET_ADDRESS_MAX = 300 };

struct setup {
	uint8_t pin[32];
	struct secret code; /* base64url as it stands, NUL-terminated: it is only passed on */
	struct sign_pub archive;
	char address[TICKET_ADDRESS_MAX]; /* host:port */
};
/* One line, with or without its newline. E_FORMAT says what is wrong, and never shows the code. */
int setup_parse(struct setup *out, struct bytes text, struct error *err) _must_check_;
/* Reads file (E_DENIED when others may read it), or standard input for "-". */
int setup_read(struct setup *out, const char *file, struct error *err) _must_check_;
void setup_done(struct setup *setup);

/* The line that a device is given. */
void invite_text(struct buf *out, const char *fleet, const uint8_t pin[static 32], struct bytes secret, const char *address);
