/* agent/weos-parts.h -- what the parts of the WeOS driver know of each other.
 *
 * A session is opened for one call of the driver and closed at its end, whatever happened: contexts are left without their changes, then it
 * logs out. A console may still be where somebody left it (or where an agent that was killed left it): nothing of that is applied. */
#pragma once

#include "agent/console.h"
#include "agent/device.h"
#include "crypto/secret.h"
#include "policies/weos-text.h"

enum {
	WEOS_EXEC,   /* example:/#> */
	WEOS_CONFIG, /* example:/config/system/#> */
	WEOS_BOOT,   /* example:/boot/#> */
	WEOS_SHELL,
	WEOS_LOGIN,
	WEOS_PASSWORD,
	WEOS_SURE, /* => Are you sure (y/N)? */
	WEOS_MENU, /* of the boot loader */
	WEOS_PAGER,
	WEOS_DENIED,  /* Login incorrect */
	WEOS_REFUSED, /* % Error: ... */
	WEOS_LOST,    /* secrets could not be decrypted */
	WEOS_NO_WAY,  /* ssh's own complaints */
	WEOS_BOOTING,
	WEOS_LOGGED,
};

struct weos {
	const struct settings_device *dev;
	struct console *console;
	struct console_seen seen;
	bool is_in;     /* logged in */
	bool is_denied; /* it did not take user and password */
	bool is_broken; /* nothing is known any more of where it is */
	bool saw_end;   /* of the startup file: its footer came with the last answer */
};

/* The account that it has when it is as the factory made it. WeOS 5 as documented; the sources differ about WeOS 4, so there, the
 * credential says it. way and dev are the caller's. */
void weos_factory_login(struct settings_weos *way, struct settings_device *factory, const struct settings_device *dev);
int weos_load_password(struct secret *out, const struct settings_weos *weos, struct error *err) _must_check_;
int weos_read_facts(struct weos *w, struct weos_facts *out, struct error *err) _must_check_;
bool weos_runs_backup(const struct weos_facts *facts);

/* The way to its console or command line. */
int weos_line(struct line **out, const struct settings_weos *weos, struct error *err) _must_check_;
int weos_open(struct weos *w, const struct settings_device *dev, struct error *err) _must_check_;
/* Leaves whatever context it is in, without its changes, and logs out. result: of what was done; of a failure the transcript is kept. */
void weos_close(struct weos *w, int result);

struct weos_ask {
	const char *command;
	console_set want;
	unsigned timeout_ms;
	bool is_private;
	bool only_shows; /* it may be asked again */
};

/* At a prompt. The answer, without what was logged into it, may be NULL. */
int weos_command(struct weos *w, struct buf *answer, const struct weos_ask *ask, struct error *err) _must_check_;
/* "show ...", at the exec prompt; the answer gets into no transcript. E_PEER for noise. */
int weos_show(struct weos *w, struct buf *out, const char *command, struct error *err) _must_check_;

/* The two texts that the device has; running without anything, startup without its footer. WEOS_NO_STARTUP when there is no startup,
 * or a broken file (then that is in out). */
enum { WEOS_NO_STARTUP = 1 };
int weos_running(struct weos *w, struct buf *out, struct error *err) _must_check_;
int weos_startup(struct weos *w, struct buf *out, struct error *err) _must_check_;
/* Read twice, or equal to startup: no noise is in it that could be taken for a configuration. */
int weos_running_surely(struct weos *w, struct buf *out, struct error *err) _must_check_;
bool weos_same(struct bytes a, struct bytes b); /* in canonical form */
/* Saves, and reads startup back. */
int weos_save_here(struct weos *w, struct error *err) _must_check_;

/* As in struct device_driver (agent/device.h). */
int weos_check(const struct settings_device *dev, struct bytes text, enum device_apply how, struct error *err);
int weos_apply(const struct settings_device *dev, struct bytes text, enum device_apply how, struct error *err);
unsigned weos_capable(const struct settings_device *dev);
const char *weos_lacks(const struct settings_device *dev, unsigned capabilities);
int weos_erase(struct device_erased *out, const struct settings_device *dev, enum device_erase how, const char *state_dir,
	       struct error *err);
int weos_upgrade(struct device_images *out, const struct settings_device *dev, enum device_upgrade step, const struct device_image *image,
		 struct error *err);
bool weos_saves(struct bytes text, enum device_apply how);

/* What it answered to `upgrade`. Fetched to the last byte and refused all the same, it is the image: E_DENIED; else E_PEER; 0: taken. */
int weos_upgrade_judge(struct bytes said, bool is_whole, const char *target, struct error *err) _must_check_;
