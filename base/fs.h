/* base/fs.h -- files: read whole and bounded, replaced whole or not at all. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include <sys/types.h>

enum { FS_ABSENT = 1 };

/* Reads a whole file of at most max bytes, appended to out. Returns FS_ABSENT when there is none;
 * E_LIMIT when it is larger, E_SYS otherwise. Refuses what is not a regular file. */
int fs_read(struct buf *out, const char *path, size_t max, struct error *err) _must_check_;

/* Replaces (or makes) a file so that a power cut leaves the old content or the new, never a part: temporary file
 * in the same folder, fsync, rename, fsync of the folder. Waits for the disk. */
int fs_write(const char *path, struct bytes in, mode_t mode, struct error *err) _must_check_;

/* As fs_write(), but keeps owner, group, mode and extended attributes (access lists among them) of the file that is replaced, if there is
 * one. */
int fs_replace(const char *path, struct bytes in, mode_t mode_if_new, struct error *err) _must_check_;

/* Removes what a write of this file that was cut off has left beside it. */
void fs_sweep(const char *path);

/* Removes a file and syncs its folder; an absent one is fine. */
int fs_remove(const char *path, struct error *err) _must_check_;

/* Makes a folder and those above it; one that exists is fine (its mode stays). */
int fs_mkdirs(const char *path, mode_t mode, struct error *err) _must_check_;
int fs_sync_dir(const char *path, struct error *err) _must_check_;

/* Takes the lock file (made when missing) for this process's life: the descriptor, or E_DENIED when another holds it. */
int fs_lock(const char *path, struct error *err) _must_check_;

void fd_closep(int *fd); /* for _cleanup_; ignores -1 */
int fd_write_all(int fd, struct bytes in, struct error *err) _must_check_;
/* What is large, in pieces of 256 KiB, each but the last handed to the disk before the next one: whoever syncs something small meanwhile
 * does not wait for all of it. It is safe after an fsync(2), as ever. */
int fd_write_in_pieces(int fd, struct bytes in, struct error *err) _must_check_;
/* Reads to the end of fd, at most max bytes (E_LIMIT beyond). */
int fd_read_all(struct buf *out, int fd, size_t max, struct error *err) _must_check_;
