/* agent/files-parts.h -- what the parts of the files driver know of each other. */
#pragma once

#include "agent/device.h"
#include "base/proc.h"
#include "policies/files-text.h"

enum { FILES_COMMAND_MS = 10000, FILES_RELOAD_MS = 60000, FILES_ARGS_MAX = 33, FILES_ITEMS_MAX = FILES_PARTS_MAX };

/* One file: one that is there, or one that the settings name. */
struct files_item {
	const struct settings_part *part;
	char *path; /* without root */
	char *real; /* where it is read and written */
	bool is_there;
	unsigned mode;
	char owner[FILES_NAME_MAX + 1], group[FILES_NAME_MAX + 1];
	struct buf content;
};

/* All files of a device, in the order of their paths. */
struct files_view {
	struct files_item *items;
	size_t count;
};

int files_view_read(struct files_view *out, const struct settings_files *files, struct error *err) _must_check_;
void files_view_done(struct files_view *view);
/* Adds a file that was loaded and is on disk no more; sort when all are there. */
void files_view_add_gone(struct files_view *view, const struct settings_part *part, const char *path);
void files_view_sort(struct files_view *view);
const struct files_item *files_view_find(const struct files_view *view, struct bytes path);

/* Replaces a file by one with this content, as fs_replace(); 0644 where there was none. */
int files_write(const struct files_item *item, struct bytes content, struct error *err) _must_check_;

/* What the program that moves firmware prints for `see`. out is all zero before. E_FORMAT: no version in it. */
int files_images_read(struct device_images *out, struct bytes said, struct error *err) _must_check_;

/* ---- what services have loaded, where they cannot tell (agent/files-loaded.c) ---- */

/* Reload is the only way for what is on disk to become what runs. */
bool files_is_tracked(const struct settings_part *part);

struct files_loaded {
	char *path; /* of the record */
	struct loaded_part *parts;
	size_t count;
	bool is_changed;
};

/* Reads the record and brings it up to date: what was not recorded since the machine started, or was loaded anew, is what is on disk.
 * Parts whose `loaded` does not answer are named in missing. */
int files_loaded_read(struct files_loaded *out, const struct settings_device *dev, const struct files_view *view, struct device_look *look,
		      struct error *err) _must_check_;
void files_loaded_done(struct files_loaded *loaded);
/* The hash of what was loaded of this file; NULL: it was not there. */
const uint8_t *files_loaded_hash(const struct files_loaded *loaded, const struct settings_part *part, const char *path);
/* Adds the files of a part that were loaded and are on disk no more. */
void files_loaded_add_gone(const struct files_loaded *loaded, const struct settings_part *part, struct files_view *view);
/* Is what is on disk of this part what was loaded? */
bool files_loaded_is_disk(const struct files_loaded *loaded, const struct settings_part *part, const struct files_view *view);
/* The service was just reloaded. */
void files_loaded_take(struct files_loaded *loaded, const struct settings_part *part, const struct files_view *view);
int files_loaded_write(struct files_loaded *loaded, struct error *err) _must_check_;

/* ---- commands ---- */

/* Runs one of the commands of the settings. Its output may hold secrets. */
int files_run(struct proc_result *res, char *const *argv, unsigned count, struct bytes in, unsigned timeout_ms,
	      struct error *err) _must_check_;
void files_note_missing(struct device_look *look, const char *path);

/* A whole content to a command of the settings that judges or loads it; first: the number of its first line, for messages. */
int files_feed_whole(char *const *argv, unsigned count, const struct settings_part *part, struct bytes content, unsigned first,
		     struct error *err) _must_check_;
/* Does the service run this? 1, or 0. */
int files_runs_as(const struct files_item *item, struct bytes wanted, struct error *err) _must_check_;
/* Makes it run by `load`, and reads back. */
int files_load(const struct files_item *item, struct bytes wanted, unsigned first, struct error *err) _must_check_;
int files_reload(const struct settings_part *part, struct error *err) _must_check_;

/* ---- back to the factory (agent/files-erase.c) ---- */

unsigned files_capable(const struct settings_device *dev);
const char *files_lacks(const struct settings_device *dev, unsigned capabilities);
int files_factory_reset(struct device_erased *out, const struct settings_device *dev, struct error *err) _must_check_;

/* ---- firmware (agent/files-upgrade.c) ---- */

int files_upgrade(struct device_images *out, const struct settings_device *dev, enum device_upgrade step, const struct device_image *image,
		  struct error *err);
/* What its program says that runs. False: there is none, or it does not say. */
bool files_version(char out[static DEVICE_WORD_MAX], const struct settings_device *dev);

/* ---- nftables (agent/files-nft.c) ---- */

enum { FILES_NOT_LOADABLE = 1 };

bool files_is_nft(const struct settings_part *part);
/* Appends, in canonical form, what nft lists after it loaded the content, found out in a network namespace of its own; FILES_NOT_LOADABLE
 * when it loads nothing. E_PEER when that cannot be tried here. */
int files_nft_as_listed(struct buf *out, struct bytes content, struct error *err) _must_check_;
/* Appends what `load` and `check` read: the content in place of all that is there, and by one transaction. */
void files_nft_whole(struct buf *out, struct bytes content);
/* Appends the file that makes this run at boot. */
void files_nft_file(struct buf *out, struct bytes listing);
/* The number of the line that nft complains of; 0 when it names none. Its messages repeat what it read. */
unsigned files_nft_line(struct bytes messages);
