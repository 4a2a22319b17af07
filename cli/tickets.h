/* cli/tickets.h -- what travels by file or pipe (docs/reference/formats.md section 6): the setup string that claims a server and the invite
 * that lets a device join hold a secret; the card that shows a person the fleet, and the request with which they answer, hold none. */
#pragma once

#include "crypto/age.h"
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

/* Which fleet, and where it is reached. Whoever changes it on its way names another fleet. */
struct card {
	char fleet[ID_LEN + 1];
	uint8_t pin[32];
	char address[TICKET_ADDRESS_MAX];
};
void card_text(struct buf *out, const struct card *card);
/* text: the line itself, a file, or "-" for standard input. */
int card_read(struct card *out, const char *text, struct error *err) _must_check_;

/* A person who wants to be in the root, and the public halves of their keys. */
struct request {
	char fleet[ID_LEN + 1], person[64];
	struct sign_pub key;
	struct age_recipient reader;
};
void request_text(struct buf *out, const struct request *request);
int request_read(struct request *out, const char *file, struct error *err) _must_check_;
/* What two people read to each other to be sure that they mean the same file: 26 characters, as an id. */
void request_print(char out[static ID_LEN + 1], const struct request *request);
