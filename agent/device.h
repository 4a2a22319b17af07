/* agent/device.h -- the one door to a kind of device: a table of functions.
 *
 * look, glance, save, revert, check, apply, show, erase, upgrade and facts touch the device and run in the apply process only; they may
 * wait (each has its deadline). canonical, secrets, capable and lacks are pure and run wherever text is compared or sealed. */
#pragma once

#include "agent/settings.h"
#include "base/bytes.h"
#include "crypto/order.h"

enum { DEVICE_TEXT_MAX = 1 << 20, DEVICE_WORD_MAX = 128, DEVICE_GLANCE_LEN = 32, DEVICE_SHOW_MAX = 256 << 10, DEVICE_NOTE_MAX = 256 };
enum { DEVICE_AREAS_MAX = 8, DEVICE_LEFTS_MAX = 8, DEVICE_LEFT_MAX = 256 };
enum { DEVICE_ERASE_MORE = 1, DEVICE_ERASE_MS = 600000, DEVICE_UPGRADE_MS = 3600000, DEVICE_SLOT_MAX = 32 };

enum device_capability {
	DEVICE_STARTUP = 1 << 0, /* what will boot can be read */
	DEVICE_SAVE = 1 << 1,
	DEVICE_REVERT = 1 << 2,
	DEVICE_APPLY = 1 << 3,
	DEVICE_REBOOT = 1 << 4, /* no driver of today */
	DEVICE_FACTORY_RESET = 1 << 5,
	DEVICE_PURGE = 1 << 6,
	DEVICE_UPGRADE = 1 << 7,
};

enum device_apply {
	DEVICE_WHOLE, /* running becomes the text */
	DEVICE_LINES, /* the text is entered as commands */
};

enum device_erase {
	DEVICE_ERASE_CLEAR, /* factory-reset: as the device's own users would */
	DEVICE_ERASE_PURGE, /* beyond what the device's own commands bring back */
};

/* What became of a device that was to be erased: for its last receipt. */
struct device_erased {
	struct area areas[DEVICE_AREAS_MAX]; /* every medium or part of the device that holds anything of it; at least one */
	size_t area_count;
	char left[DEVICE_LEFTS_MAX][DEVICE_LEFT_MAX]; /* what was not erased, printable ASCII */
	size_t left_count;
	bool has_transcript;
	uint8_t transcript[HASH_LEN]; /* of what the console said, without secrets */
};

/* What is done with a firmware image, step by step; each may be done again. */
enum device_upgrade {
	DEVICE_UPGRADE_SEE,     /* nothing: what runs? */
	DEVICE_UPGRADE_INSTALL, /* into the image that did not run when it began */
	DEVICE_UPGRADE_START,   /* restarts into that image; the one that ran stays what the device falls back to */
	DEVICE_UPGRADE_KEEP,    /* the new one was seen to work: it takes the place of the one that ran, too */
	DEVICE_UPGRADE_RESTART, /* as it starts by itself */
	DEVICE_UPGRADE_RETURN,  /* restarts into the image that ran when it began, unless that runs */
};
enum { DEVICE_UPGRADES = DEVICE_UPGRADE_RETURN + 1 };

struct device_image {
	const char *part;    /* "system", "boot" or "bundle" */
	const char *version; /* that it has */
	const char *slot;    /* the image that ran when it began, as the driver called it then; "" at the first SEE */
	const char *path;    /* the image, verified; INSTALL and KEEP only */
	uint64_t size;
	uint8_t hash[HASH_LEN];
};

/* What SEE saw. */
struct device_images {
	char slot[DEVICE_SLOT_MAX];     /* a name for the image that runs; "" when there is only one */
	char version[DEVICE_WORD_MAX];  /* of the part that was asked for: what runs */
	char other[DEVICE_WORD_MAX];    /* of the image that does not run; "" when nobody knows */
	char failure[DEVICE_NOTE_MAX];  /* why it counts as being in a failure mode; "" when it does not */
	bool is_fallback;               /* it runs an image that it does not start by itself */
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
	unsigned capabilities; /* of every device of this kind; ask device_capabilities() */
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
	/* Would the device take this text, as far as it can tell without an effect? E_FORMAT: no; the error names the line by its number
	 * and says nothing of what is in it, since it travels in the clear. E_PEER: it cannot tell. */
	int (*check)(const struct settings_device *dev, struct bytes text, enum device_apply how, struct error *err);
	/* Changes running, and only running. 0 when every line was accepted, and running, read back, is what a whole text says; a failure
	 * may leave a part of it. Errors as for check. */
	int (*apply)(const struct settings_device *dev, struct bytes text, enum device_apply how, struct error *err);
	/* Does this change, by its nature, have to be saved with the same breath? Then apply() saves it, and startup is another afterwards.
	 * May be NULL: none does. */
	bool (*saves)(struct bytes text, enum device_apply how);
	/* What the device answers to "show <command>"; at most DEVICE_SHOW_MAX bytes. */
	int (*show)(struct buf *out, const struct settings_device *dev, const char *command, struct error *err);
	/* What this device can do beside capabilities, by its settings; pure. May be NULL: nothing. */
	unsigned (*capable)(const struct settings_device *dev);
	/* Why it lacks one of these capabilities, which others of its kind have, and what would give it that: words behind a colon; pure.
	 * NULL: there is nothing to say. May be NULL. */
	const char *(*lacks)(const struct settings_device *dev, unsigned capabilities);
	/* Erases the device, or goes on with it: after any cut it is called again until it answers 0. NULL when no device of this kind can.
	 *
	 * state_dir   the device's folder, in which a driver may keep a journal of its own (public: it may outlive the device's keys)
	 * out         also filled by a failure: what is known so far. After a 0 its areas are what was seen in this very run, or what
	 *             the driver's journal says was seen since the order began
	 *
	 * Returns 0 when there is nothing more to do: an area that is not `done` then is one that cannot be. DEVICE_ERASE_MORE: it moved
	 * on, and is to be called again at once. A failure may mend itself: a few are tried again. At most DEVICE_ERASE_MS in one call. */
	int (*erase)(struct device_erased *out, const struct settings_device *dev, enum device_erase how, const char *state_dir,
		     struct error *err);
	/* One step of giving it other firmware. NULL when no device of this kind can. out is filled by SEE only. INSTALL and KEEP read back
	 * what they did; START, RESTART and RETURN return when the device answers again, or when it was told and restarts this machine.
	 * E_DENIED: it refuses this image, and will again; any other failure may mend itself. At most DEVICE_UPGRADE_MS in one call. */
	int (*upgrade)(struct device_images *out, const struct settings_device *dev, enum device_upgrade step,
		       const struct device_image *image, struct error *err);
	/* The folder and name of the startup file, for quick notice; NULL: it is on the device. */
	const char *(*startup_path)(const struct settings_device *dev);
	/* Lines that this device takes, that change running and harm nothing, for the conformance suite; pure. NULL: it takes none, or
	 * none are known. May be NULL: none are of any. */
	const char *(*trial)(const struct settings_device *dev);

	/* Appends text without what is noise in a comparison. canonical(canonical(x)) == canonical(x). */
	void (*canonical)(struct buf *out, struct bytes text);
	/* Calls found for every stretch of text that must be split off, in order, without overlaps. */
	void (*secrets)(struct bytes text, void (*found)(void *ctx, size_t at, size_t len), void *ctx);
};

extern const struct device_driver driver_frr;

const struct device_driver *device_driver(const char *name); /* NULL: there is none */
unsigned device_capabilities(const struct device_driver *driver, const struct settings_device *dev);
/* Is every area done, and is there one? */
bool device_is_erased(const struct device_erased *erased);
/* Adds an area with nothing done yet; at most DEVICE_AREAS_MAX. */
struct area *device_area(struct device_erased *out, const char *name, const char *method, enum area_claim claimed);
/* Adds what was not erased, in words; beyond DEVICE_LEFTS_MAX it is dropped. */
void device_left(struct device_erased *out, const char *text);
void device_look_done(struct device_look *look);
