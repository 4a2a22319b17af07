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
/* Appends an answer without the lines that were logged in the middle of it, the pieces of a line that one of them broke put together again.
 * Returns how many there were. */
size_t weos_without_logs(struct buf *out, struct bytes shown);
/* Is all of it printable text, in lines? Otherwise there is noise in it. */
bool weos_is_clean(struct bytes text);
/* Does an answer say that a command was not carried out? */
bool weos_is_refusal(struct bytes answer);

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
	unsigned open; /* blocks that the text leaves open at its end: it may be cut short */
};

/* Takes indented commands apart. Blank lines and comments are passed over, and so is an `end` that closes nothing; one that is missing is
 * made up for. Blocks inside each other beyond WEOS_DEPTH_MAX are taken for as deep as that. */
void weos_items_read(struct weos_items *out, struct bytes text);
void weos_items_done(struct weos_items *items);

/* Is it one JSON document and nothing else? E_FORMAT names the line. What its names mean is not looked at. */
int weos_json_check(struct bytes text, struct error *err) _must_check_;

enum { WEOS_FACT_MAX = 128 };

/* What a device says of itself, and of what it will boot; "" for what it does not say. */
struct weos_facts {
	char model[WEOS_FACT_MAX], serial[WEOS_FACT_MAX], main[WEOS_FACT_MAX], backup[WEOS_FACT_MAX], loader[WEOS_FACT_MAX],
		active[WEOS_FACT_MAX];
};
struct weos_boot {
	char order[WEOS_FACT_MAX], fallback[WEOS_FACT_MAX], sync[WEOS_FACT_MAX], integrity[WEOS_FACT_MAX];
};

/* `show system-information`: two fields may share a line. */
void weos_facts_read(struct weos_facts *out, struct bytes shown);
/* `show boot`, or `show` in the boot context: "Config order : x" and "config-order x". */
void weos_boot_read(struct weos_boot *out, struct bytes shown);
/* Writes why what boots may be something else than startup-config; "" when nothing says so. */
void weos_boot_doubt(char *out, size_t size, const struct weos_boot *boot);
/* `uptime`: "up 3 d 04 h", "up 1 day, 2:03" and the like. False when it is none. least and most: how long it may be, in seconds. */
bool weos_uptime_read(uint64_t *least, uint64_t *most, struct bytes shown);

enum weos_warning {
	WEOS_KEY_PORTABLE = 1 << 0, /* secrets are encrypted with the key that every device has */
	WEOS_KEY_HWUID = 1 << 1,    /* with a key that a spare device does not have */
};

unsigned weos_warnings(struct bytes text);
const char *weos_warning_text(enum weos_warning warning);

/* How many settings of `before` are missing in `after`, although lines that were entered neither name them nor their section nor take
 * anything away with `no`: a `leave` that lost them. Another value is none that is lost. */
size_t weos_lost(struct bytes before, struct bytes after, const struct weos_items *change);

/* Is a command of a change set the one that changes the password for the encryption of secrets? Startup cannot be read any more by the
 * device until it is saved anew. */
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
