/* agent/frr-parts.h -- what the parts of the FRRouting driver know of each other. */
#pragma once

#include "agent/device.h"
#include "base/proc.h"

enum { FRR_VTYSH_MS = 10000, FRR_APPLY_MS = 120000, FRR_ARGS_MAX = 24 };

/* Puts the options that name the router behind the n words of argv, for vtysh and frr-reload.py alike. Returns how many words there are. */
size_t frr_name_instance(const char **argv, size_t n, const struct settings_frr *frr);
/* Runs vtysh with these arguments behind those that name the router. Nothing secret is ever among them. */
int frr_vtysh(struct proc_result *res, const struct settings_frr *frr, const char *const *args, struct bytes in, unsigned timeout_ms,
	      struct error *err) _must_check_;
int frr_look(struct device_look *out, const struct settings_device *dev, struct error *err) _must_check_;
/* Does the line have this word? */
bool frr_has_word(struct bytes line, const char *word);

enum frr_reload { FRR_RELOAD, FRR_TEST };
/* frr-reload.py with this text for its file, which is written nowhere: makes running what the text says, or (FRR_TEST) prints what that
 * would take. Its output may hold secrets. */
int frr_reload(struct proc_result *res, const struct settings_frr *frr, enum frr_reload what, struct bytes text,
	       struct error *err) _must_check_;

/* Enters lines as an engineer would type them. 0: each was accepted. */
int frr_enter(const struct settings_device *dev, struct bytes lines, struct error *err) _must_check_;

/* As in struct device_driver (agent/device.h). */
int frr_revert(const struct settings_device *dev, struct bytes startup, struct error *err);
int frr_check(const struct settings_device *dev, struct bytes text, enum device_apply how, struct error *err);
int frr_apply(const struct settings_device *dev, struct bytes text, enum device_apply how, struct error *err);
/* Running and startup become the factory's, older versions beside it go: the driver's erase() without media. */
int frr_factory_reset(struct device_erased *out, const struct settings_device *dev, struct error *err) _must_check_;
/* A file that FRR is to read belongs to it. */
int frr_give(const char *path, struct error *err) _must_check_;
int frr_show(struct buf *out, const struct settings_device *dev, const char *command, struct error *err);
