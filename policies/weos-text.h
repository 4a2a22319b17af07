/* policies/weos-text.h -- the configuration of Westermo's WeOS as text: pure functions.
 *
 * Two dialects, told apart by the first line that is neither blank nor a comment: WeOS 4 writes indented commands, whose blocks end with
 * `end`; a file of WeOS 5 is one JSON document, which begins with '{'. */
#pragma once

#include "base/error.h"
#include "policies/form.h"

enum { WEOS_WORDS_MAX = 64, WEOS_DEPTH_MAX = 16 };

bool weos_is_json(struct bytes text);

/* What `show startup-config` prints, without the footer: blank lines, a rule, and the name and time of the file. */
struct bytes weos_without_footer(struct bytes shown);
/* Is it a line that the device logged, as it may stand in the middle of anything on a console? */
bool weos_is_log(struct bytes line);

/* A command, or the end of a block. */
struct weos_item {
	struct bytes text; /* without indentation; borrowed */
	unsigned number;   /* of its line, from 1; of an end that is not written, that of the line before */
	unsigned depth;    /* blocks around it; of an end: around the block that it closes */
	bool is_end;
};

struct weos_items {
	struct weos_item *at;
	size_t count;
};

/* Takes indented commands apart. Blank lines and comments are passed over, and so is an `end` that closes nothing; one that is missing is
 * made up for. Blocks inside each other beyond WEOS_DEPTH_MAX are taken for as deep as that. */
void weos_items_read(struct weos_items *out, struct bytes text);
void weos_items_done(struct weos_items *items);

enum weos_warning {
	WEOS_KEY_PORTABLE = 1 << 0, /* secrets are encrypted with the key that every device has */
	WEOS_KEY_HWUID = 1 << 1,    /* with a key that a spare device does not have */
};

unsigned weos_warnings(struct bytes text);
const char *weos_warning_text(enum weos_warning warning);

/* Is a command of a change set the one that changes the password for the encryption of secrets? Startup cannot be read any more by the device
 * until it is saved anew. */
bool weos_is_encryption(struct bytes line);

/* As in struct device_driver (agent/device.h). Indentation becomes one tab for each block, and every block gets its `end`. */
void weos_canonical(struct buf *out, struct bytes text);
void weos_secrets(struct bytes text, void (*found)(void *ctx, size_t at, size_t len), void *ctx);

/* As in struct form (policies/form.h). */
const char *weos_value_refused(struct bytes before, struct bytes value, enum form_place place);
const char *weos_line_refused(struct bytes line);
bool weos_is_inside(struct bytes line);
bool weos_is_address(struct bytes head, struct bytes line);
bool weos_is_remark(struct bytes line);
