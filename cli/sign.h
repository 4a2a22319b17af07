/* cli/sign.h -- operators sign by running ssh-keygen -Y sign, so that agents, passphrases and FIDO tokens work as they are used to.
 * What is signed goes through a pipe; ssh-keygen keeps the terminal for its own questions. */
#pragma once

#include "crypto/statement.h"

/* Checks the finished text, then appends the signature. key_path: a private key, or a public one whose other half an agent has. */
int sign_statement(struct buf *text, const char *key_path, struct error *err) _must_check_;
/* Makes an ed25519 key at path and path.pub; ask: ssh-keygen asks for a passphrase. */
int sign_make_key(const char *path, bool ask, struct error *err) _must_check_;
/* The public half: of path.pub, or of path itself. */
int sign_public(struct sign_pub *out, const char *path, struct error *err) _must_check_;
