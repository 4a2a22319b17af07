/* tests/token.h -- a FIDO token in software: signs as sk-ssh-ed25519@openssh.com does (PROTOCOL.u2f of OpenSSH), with the flags that a
 * test asks for. ssh-keygen itself with such a token is in tests/flow/cli-tokens. */
#pragma once

#include "crypto/sshsig.h"

enum { TOKEN_TOUCHED = 0x01, TOKEN_PIN = 0x04 };

/* The key that it shows: of the same pair, application "ssh:". */
struct sign_pub token_pub(const struct sign_key *key);
void token_sign(struct buf *out, const struct sign_key *key, uint8_t flags, const char *space, struct bytes msg);
