/* base/wipe.h -- files whose old content must not be found any more: overwritten where it lies, and read back, before anything is let go.
 *
 * What a file system or medium keeps by itself is beyond that: blocks of older versions that were freed long ago, snapshots, the journal of
 * a file system that keeps data in it, one that never writes in place, and what a flash medium copied. Whoever calls this says so. */
#pragma once

#include "base/fs.h"

/* Overwrites the file with zeros, reads that back from the disk, removes it and syncs its folder; one that is absent is fine. All names of
 * a file with several lose what was in it. A symbolic link is refused. Can be called again after it was cut off anywhere. */
int wipe_file(const char *path, struct error *err) _must_check_;

/* Puts another content in place of the old one, in the same blocks: owner, mode and attributes stay. Overwritten with zeros first, and both
 * are read back. FS_ABSENT when there is none. Cut off, it leaves zeros or a part of the new content: call it again. */
int wipe_replace(const char *path, struct bytes in, struct error *err) _must_check_;
