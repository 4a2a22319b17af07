/* agent/apply.h -- the process that alone touches one device. No network, no keys; a handful of requests.
 *
 * One such process per device, so that a device that hangs holds up nobody else. It judges for itself before it acts:
 * it looks again, and refuses when the device is not what core saw. */
#pragma once

#include "agent/device.h"
#include "agent/ipc.h"

enum { APPLY_DIGEST_LEN = 32 };

/* Answers begin with a result: 0, or a code of base/error.h and a text. */

/* IPC_LOOK: asks with the digest of the look before (or nothing); an equal one is answered without the texts. */
struct apply_look {
	bool is_same; /* nothing below but digest */
	uint8_t digest[APPLY_DIGEST_LEN];
	bool is_whole, has_startup;
	char missing[256];
	char incarnation[512];
	char doubt[DEVICE_NOTE_MAX], remark[DEVICE_NOTE_MAX];
	char changed_by[DEVICE_NOTE_MAX]; /* "": nothing says so */
	struct bytes running, startup; /* as the device gave them */
};

/* The digests of both canonical texts as core saw them. */
struct apply_expect {
	uint8_t running[APPLY_DIGEST_LEN];
	uint8_t startup[APPLY_DIGEST_LEN];
};

/* IPC_SAVE, IPC_REVERT: answered with 0 when the device was looked at afterwards and startup equals running.
 * IPC_CHECK: would the device take the text? Errors as of the driver's check.
 * IPC_APPLY: the text becomes, or changes, running; answered with the digest of what runs afterwards. E_DENIED: nothing was done.
 *
 * Except for a check, E_DENIED when the device is not as it was seen, or is held. */
struct apply_ask {
	struct apply_expect seen;
	bool is_ordered; /* by an order that began before a hold did: it binds no more */
	enum device_apply how;
	struct bytes text; /* CHECK and APPLY */
};

/* IPC_SHOW: a command; answered with what the device says to it. */

/* IPC_ERASE: one number, an enum device_erase; answered with a result and, also behind a failure, this. The device need not be what it was:
 * it may be half erased already. No hold binds it: an order that destroys what is held took the people that it takes. */
struct apply_erased {
	bool is_more; /* the same again, at once */
	struct device_erased erased;
};
void apply_erased_put(struct buf *out, const struct apply_erased *answer);
/* False for one of another form, too: an area or a text that a receipt could not carry. */
bool apply_erased_get(struct apply_erased *out, struct reader *rd);

/* IPC_UPGRADE: a step and its image, whose file is the one in the device's folder (agent/fetch.h); it is hashed once more before a byte of
 * it is given to the device. Answered with a result and, for SEE, what was seen. Nothing is looked at before: what may be done, and when,
 * core's journal knows (agent/upgrade.h). */
void apply_upgrade_put(struct buf *out, enum device_upgrade step, const struct device_image *image);
struct apply_upgrade {
	enum device_upgrade step;
	struct device_image image; /* texts are the struct's own: */
	char part[DEVICE_WORD_MAX], version[DEVICE_WORD_MAX], slot[DEVICE_SLOT_MAX];
};
bool apply_upgrade_get(struct apply_upgrade *out, struct bytes in);
void apply_images_put(struct buf *out, const struct device_images *images);
bool apply_images_get(struct device_images *out, struct reader *rd);

void apply_ask_put(struct buf *out, const struct apply_ask *ask);
bool apply_ask_get(struct apply_ask *out, struct bytes in);
void apply_look_put(struct buf *out, const struct apply_look *look);
bool apply_look_get(struct apply_look *out, struct reader *rd);
void apply_result_put(struct buf *out, int code, const char *text);
/* Returns false when it is no result at all; otherwise the code in err->code (0: done) and its text. */
bool apply_result_get(struct reader *rd, struct error *err);
/* Of a canonical text; absent: another than of the empty text. */
void apply_digest(uint8_t out[static APPLY_DIGEST_LEN], struct bytes text, bool is_there);

/* Asks the program of the settings who changed the configuration last: the first line that it prints, cut and made printable. "" when it
 * fails. */
void apply_changed_by(char out[static DEVICE_NOTE_MAX], const struct settings_device *dev);

/* Drops the environment that was inherited, and sets what the programs that a driver runs need. */
void apply_environment(void);
/* The process for one device. state_dir: the device's folder, for its hold. */
int apply_main(int fd, int parent, const struct settings_device *dev, const char *state_dir);
