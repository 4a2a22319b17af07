/* cli/passphrase.h -- asking on the terminal: for a passphrase, unseen, into locked memory; and for a yes. */
#pragma once

#include "crypto/secret.h"

/* May somebody be asked? There is a terminal, and standard input or error is one: a script with both redirected is not asked. */
bool passphrase_can_ask(void);
/* E_DENIED without a terminal; E_LIMIT when it is too long. An empty one is an answer, too. */
int passphrase_ask(struct secret *out, const char *prompt, struct error *err) _must_check_;
/* Twice, until both are the same; not empty. */
int passphrase_choose(struct secret *out, const char *what, struct error *err) _must_check_;
/* 0: yes. E_DENIED: anything else. CLI_USAGE without a terminal: the question is then answered by an option, --yes. */
int passphrase_confirm(const char *question, struct error *err) _must_check_;
