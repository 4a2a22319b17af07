/* agent/credential.h -- passwords for devices that have no key to log in with: at rest as age files, sealed to a key of the agent's own.
 *
 * The key (an age identity, mode 0600, made when it is first needed) lies beside them in the state folder: whoever reads that folder as
 * root reads them. A copy of one credential alone, or of the settings, says nothing. `age -d -i KEY FILE` opens one. */
#pragma once

#include "crypto/secret.h"

enum { CREDENTIAL_MAX = 256, CREDENTIAL_ABSENT = 1 };

/* Seals a password to the key file, which is made when it is missing, and replaces the credential. E_FORMAT: empty, longer than
 * CREDENTIAL_MAX, or not printable ASCII. */
int credential_store(const char *path, const char *key_path, struct bytes password, struct error *err) _must_check_;
/* CREDENTIAL_ABSENT when there is none. */
int credential_load(struct secret *out, const char *path, const char *key_path, struct error *err) _must_check_;
/* Asks for a password on the terminal, twice and without echo, or takes one line from standard input when that is none. */
int credential_ask(struct secret *out, const char *device, struct error *err) _must_check_;
