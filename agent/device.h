/* agent/device.h -- the one door to a kind of device: a table of functions.
 *
 * look, glance, save, revert, check, apply, show and facts touch the device and run in the apply process only; they may wait (each has
 * its deadline).
 * canonical and secrets are pure and run wherever text is compared or sealed. */
#pragma once

#include "agent/settings.h"
#include "base/bytes.h"

enum { DEVICE_TEXT_MAX = 1 << 20, DEVICE_WORD_MAX = 128, DEVICE_GLANCE_LEN = 32, DEVICE_SHOW_MAX = 256 << 10, DEVICE_NOTE_MAX = 256 };

enum device_capability {
	DEVICE_STARTUP = 1 << 0, /* what will boot can be read */
	DEVICE_SAVE = 1 << 1,
	DEVICE_REVERT = 1 << 2,
	DEVICE_APPLY = 1 << 3,
	DEVICE_REBOOT = 1 << 4, /* no driver of today */
	DEVICE_FACTORY_RESET = 1 << 5,
	DEVICE_PURGE = 1 << 6,
};

enum device_apply {
	DEVICE_WHOLE, /* running becomes the text */
	DEVICE_LINES, /* the text is entered as commands */
};

struct device_facts {
	char model[DEVICE_WORD_MAX]; /* "" when unknown */
	char serial[DEVICE_WORD_MAX];
	char firmware[DEVICE_WORD_MAX]; /* what runs */
	char images[DEVICE_WORD_MAX];   /* what else there is to boot: "backup 4.32.1, boot loader 2017.12.0" */
};

/* One moment of a device. */
struct device_look {
	bool is_whole;         /* everything that holds a part of the configuration answered */
	bool has_startup;
	char missing[256];     /* what did not, when not whole */
	char incarnation[512]; /* another text after a restart of any part; equal otherwise */
	char doubt[DEVICE_NOTE_MAX];  /* why something else than startup may boot; "" when nothing says so. Then nothing counts as saved */
	char remark[DEVICE_NOTE_MAX]; /* what an operator should know, and what is no difference */
	struct buf running, startup;
};

struct device_driver {
	const char *name;
	unsigned capabilities;
	bool uses_network; /* the device is reached over the machine's network, or is that network */

	int (*facts)(struct device_facts *out, const struct settings_device *dev, struct error *err);
	/* E_PEER: no answer in time; E_FORMAT: not an answer of this kind of device; not whole is no failure. */
	int (*look)(struct device_look *out, const struct settings_device *dev, struct error *err);
	/* A digest of all that a look depends on, had at a fraction of its cost: while it stays the same, so does the look. May be
	 * NULL; after a failure only a look can tell. */
	int (*glance)(uint8_t out[static DEVICE_GLANCE_LEN], const struct settings_device *dev, struct error *err);
	/* Makes running (as looked at) the startup configuration, durably: the old or the new after a power cut. */
	int (*save)(const struct settings_device *dev, struct bytes running, struct error *err);
	/* Makes running what startup says, without writing startup. */
	int (*revert)(const struct settings_device *dev, struct bytes startup, struct error *err);
	/* Would the device take this text, as far as it can tell without an effect? E_FORMAT: no; the error names the line by its number and
	 * says nothing of what is in it, since it travels in the clear. E_PEER: it cannot tell. */
	int (*check)(const struct settings_device *dev, struct bytes text, enum device_apply how, struct error *err);
	/* Changes running, and only running. 0 when every line was accepted, and running, read back, is what a whole text says; a failure may
	 * leave a part of it. Errors as for check. */
	int (*apply)(const struct settings_device *dev, struct bytes text, enum device_apply how, struct error *err);
	/* Does this change, by its nature, have to be saved with the same breath? Then apply() saves it, and startup is another afterwards. May
	 * be NULL: none does. */
	bool (*saves)(struct bytes text, enum device_apply how);
	/* What the device answers to "show <command>"; at most DEVICE_SHOW_MAX bytes. */
	int (*show)(struct buf *out, const struct settings_device *dev, const char *command, struct error *err);
	/* The folder and name of the startup file, for quick notice; NULL: it is on the device. */
	const char *(*startup_path)(const struct settings_device *dev);
	/* Lines that change running and harm nothing, for the conformance suite; NULL: there are none. */
	const char *trial;

	/* Appends text without what is noise in a comparison. canonical(canonical(x)) == canonical(x). */
	void (*canonical)(struct buf *out, struct bytes text);
	/* Calls found for every stretch of text that must be split off, in order, without overlaps. */
	void (*secrets)(struct bytes text, void (*found)(void *ctx, size_t at, size_t len), void *ctx);
};

extern const struct device_driver driver_frr;

const struct device_driver *device_driver(const char *name); /* NULL: there is none */
void device_look_done(struct device_look *look);
