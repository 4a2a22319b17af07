/* tests/unit/forging.h -- keys and signatures, right and wrong ones, made piece by piece; and ssh-keygen, which judges them. */
#pragma once

#include "base/proc.h"
#include "crypto/sshsig.h"

static const char space[] = "snapshot@holdfast";
static const char begin_line[] = "-----BEGIN SSH SIGNATURE-----\n", end_line[] = "-----END SSH SIGNATURE-----\n";

void make_key(struct sign_key *key, uint8_t fill);
void add_string(struct buf *out, struct bytes in);
void wrap(struct buf *out, const char *head, struct bytes in, size_t columns, const char *newline, const char *tail);

int stock(struct proc_result *run, struct bytes in, const char *const argv[]);
int stock_quiet(struct bytes in, const char *const argv[]);
/* Does `ssh-keygen -Y verify` accept sig over msg by alice, whose only key is this? */
bool stock_accepts(const struct sign_pub *pub, const char *for_space, struct bytes sig, struct bytes msg);

/* A signature that holds for what it says of itself, so that only its form can be the reason for a refusal. */
struct forged {
	const char *magic, *space, *reserved, *hash, *inner_name, *key_name;
	uint32_t version;
	size_t space_len, key_len, sig_len; /* other than usual */
	const char *behind, *inner_behind, *key_behind;
};
extern const struct forged honest;
void forged_data(struct buf *out, const struct forged *f, struct bytes msg);
void forge_blob(struct buf *blob, const struct forged *f, const struct sign_key *key, struct bytes msg);

int parse_text(const char *text);
/* text with the first `from` replaced by `to`. */
char *replaced(const char *text, const char *from, const char *to);
void token_pub(struct sign_pub *pub, const struct sign_key *key, const char *application);
