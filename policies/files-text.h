/* policies/files-text.h -- a device whose configuration is files, as one text: pure functions.
 *
 *   holdfast-files/1
 *   part nftables text 0644 root root /etc/nftables.conf
 *    table inet filter {
 *    }
 *   part secret base64 0600 root root /etc/machine.key
 *    c2VjcmV0Cg==
 *
 * A line per part: format, how the content is written, mode, owner, group, and to the end of the line the path. Content follows, each
 * line behind one blank:
 *   text        its lines
 *   text-open   the same, and no newline at its end
 *   base64      one line: what is no text, or of a format that nobody knows; all of it is secret
 *   sha256      one line: the content is not known, only its hash (a service has something else loaded than what is on disk); secret,
 *               since it would confirm a guess
 * Paths are absolute, rise, and none comes twice. Text that does not begin like this is taken for commands of nft(8). */
#pragma once

#include "base/error.h"
#include "policies/form.h"

enum { FILES_PARTS_MAX = 1000, FILES_PATH_MAX = 1024, FILES_NAME_MAX = 64, FILES_HASH_DIGITS = 64 };

enum files_kind { FILES_TEXT, FILES_TEXT_OPEN, FILES_BASE64, FILES_SHA256 };

struct files_part {
	struct bytes format, owner, group, path;
	unsigned mode;
	enum files_kind kind;
	struct bytes body;  /* its lines as they stand in the text */
	unsigned line;      /* of its first line of content, from 1 */
};

struct files_text {
	struct files_part *parts; /* borrow from the text */
	size_t count;
};

/* E_FORMAT names the line, and nothing of what is in it. */
int files_parse(struct files_text *out, struct bytes text, struct error *err) _must_check_;
void files_text_done(struct files_text *text);
const struct files_part *files_find(const struct files_text *text, struct bytes path); /* NULL: not there */

/* Appends the first line of every text. */
void files_begin(struct buf *out);
/* Appends a part with this content; what cannot be text, or is of a format whose content is all secret, becomes base64. The body of `part`
 * is not used. */
void files_put(struct buf *out, const struct files_part *part, struct bytes content);
/* Appends a part of which only the hash is known. */
void files_put_hash(struct buf *out, const struct files_part *part, const uint8_t hash[static 32]);
/* Appends the content of a part. E_FORMAT when it is not base64, or not known. */
int files_content(struct buf *out, const struct files_part *part, struct error *err) _must_check_;

bool files_format_known(const char *name);
bool files_path_ok(struct bytes path);
bool files_name_ok(struct bytes word); /* of an owner or group */

/* nft's own listing without what is noise in it: comments, blank lines, what the packet path put into sets. */
void files_nft_canonical(struct buf *out, struct bytes content);

/* As in struct device_driver (agent/device.h). */
void files_canonical(struct buf *out, struct bytes text);
void files_secrets(struct bytes text, void (*found)(void *ctx, size_t at, size_t len), void *ctx);

/* As in struct form (policies/form.h). */
const char *files_value_refused(struct bytes before, struct bytes value, enum form_place place);
const char *files_line_refused(struct bytes line);
bool files_is_inside(struct bytes line);
bool files_is_address(struct bytes head, struct bytes line);
