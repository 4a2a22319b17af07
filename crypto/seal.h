/* crypto/seal.h -- a configuration in an age file: zstd, then padding, then age (docs/reference/formats.md section 4). */
#pragma once

#include "crypto/age.h"

enum {
	CONFIG_MAX = 1 << 20,       /* bytes of one configuration */
	SEAL_MAX = 4 << 20,         /* bytes of one seal */
	SEAL_PAD_MIN = 256,
	SECRETS_MAX = 1 << 20,      /* bytes of a table of secrets */
	SEAL_SECRET_MAX = 3 << 20,  /* bytes of any text that seal_secret() takes: the longest is a set of policies */
};

/* Padme (PETS 2019), at least SEAL_PAD_MIN. */
size_t seal_padded_len(size_t len);

/* Seals text. base: empty for a key frame, else the text that zstd --patch-from is given. */
int seal_text(struct buf *out, const struct age_recipient *to, struct bytes text, struct bytes base, struct error *err) _must_check_;
/* Opens what seal_text() made; at most CONFIG_MAX bytes (E_LIMIT). A frame without content size, with a window over 8 MiB + base, or
 * with anything but padding behind it is refused: E_FORMAT. */
int seal_open_text(struct buf *out, const struct age_identity *id, struct bytes sealed, struct bytes base, struct error *err) _must_check_;

/* How long would the compressed delta be? For "a delta over half its base makes a new base". */
size_t seal_compressed_len(struct bytes text, struct bytes base);

/* Secret texts (secrets table, epoch identities, payloads of orders): uncompressed, filled up with "\n". Opening takes the fill off: the
 * text comes back with exactly one "\n" at its end (none when it is empty). */
int seal_secret(struct buf *out, const struct age_recipient *to, size_t n, struct bytes text, struct error *err) _must_check_;
int seal_open_secret(struct buf *out, const struct age_identity *id, struct bytes sealed, struct error *err) _must_check_;

/* The same frame without the age file around it, of what is public anyway. Opening gives at most max bytes, as seal_open_text() does. */
int seal_pack(struct buf *out, struct bytes text, struct error *err) _must_check_;
int seal_unpack(struct buf *out, struct bytes packed, size_t max, struct error *err) _must_check_;
