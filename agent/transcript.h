/* agent/transcript.h -- what was said on a console, as evidence: both directions, with times, without secrets, bounded, with its hash.
 *
 *   +0.000 = attached to a serial port
 *   +1.204 < example login:
 *   +1.310 > admin
 *   +1.711 > [secret]
 *
 * "<" is what came (text as it stood on the line; what only moves or colours it is gone), ">" what was sent, "=" a remark of ours. Bytes
 * outside printable ASCII are \xNN. A secret is replaced before anything is stored, also when it came in pieces or with line breaks in
 * it. */
#pragma once

#include "base/bytes.h"

enum { TRANSCRIPT_MAX = 256 << 10, TRANSCRIPT_SECRETS_MAX = 8, TRANSCRIPT_SECRET_LEN_MAX = 512, TRANSCRIPT_HASH_LEN = 65 };

struct transcript_stream {
	char mark;       /* '<' or '>' */
	struct buf held; /* may be the begin of a secret */
	struct buf line; /* of the record that is being written */
	uint64_t line_ms;
};

struct transcript {
	struct buf text;
	uint64_t begin_ms, now_ms;
	struct buf secrets[TRANSCRIPT_SECRETS_MAX];
	size_t secret_count;
	struct transcript_stream in, out;
	bool is_withheld; /* what comes is counted, not kept */
	size_t withheld_len;
};

void transcript_init(struct transcript *t, uint64_t now_ms);
void transcript_done(struct transcript *t); /* wipes */
void transcript_time(struct transcript *t, uint64_t now_ms);

/* From now on it is replaced wherever it is seen. The oldest one is kept for as long as there is room, so callers name few. False: too
 * long, or one too many; then it must not be used. */
bool transcript_hide(struct transcript *t, struct bytes secret) _must_check_;
/* What comes from now on is a configuration, say: only its length is recorded. */
void transcript_withhold(struct transcript *t, bool withhold);

void transcript_in(struct transcript *t, uint8_t c); /* "\n" ends a line */
void transcript_out(struct transcript *t, struct bytes in);
void transcript_remark(struct transcript *t, const char *fmt, ...) _printf_(2, 3);
/* Appends text as the record would show it: for messages that quote a device. */
void transcript_clean(struct buf *out, const struct transcript *t, struct bytes text);

/* Ends what is open and gives the record. When it was longer than TRANSCRIPT_MAX, its first line is the length and SHA-256 of what is left
 * out. */
struct bytes transcript_text(struct transcript *t);
void transcript_hash(char out[static TRANSCRIPT_HASH_LEN], struct transcript *t); /* SHA-256 of that text, in hex */
