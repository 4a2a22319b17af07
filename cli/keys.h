/* cli/keys.h -- an operator's keys, made in a folder aside and moved into their place when all else is done.
 *
 * signing.key (or a link to the person's own), signing.key.pub, reading.key: see cli/home.h. */
#pragma once

#include "crypto/age.h"
#include "crypto/key.h"

enum { KEY_FILES = 3 };
extern const char *const key_files[KEY_FILES];

struct keys {
	struct sign_pub signer;
	struct age_recipient reader;
};

/* Makes them in folder dir, on disk when it returns. own: the person's own SSH key (or its .pub, when an agent or a token has the
 * other half), NULL to make one. ask: for passphrases, on the terminal. What a failure leaves in dir, keys_sweep() removes. */
int keys_make(struct keys *out, const char *dir, const char *own, bool ask, struct error *err) _must_check_;
/* What ssh-keygen -f is given: signing.key of dir, or signing.key.pub when that is all there is. The caller frees. */
char *keys_signing(const char *dir) _must_check_;
/* CLI_CONFLICT when dir has one of them already. */
int keys_check_place(const char *dir, struct error *err) _must_check_;
int keys_move(const char *from, const char *to, struct error *err) _must_check_;
/* Removes them, what a write of them left when it was cut short, and files that begin with `also`; then dir, if nothing else is in it. */
void keys_sweep(const char *dir, const char *also);
