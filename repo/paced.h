/* repo/paced.h -- files of SQLite that are brought to the disk as they are written, piece by piece.
 *
 * SQLite leaves what it writes in memory until a checkpoint, and syncs it then at once: tens of MiB, behind which the journal's sync waits,
 * and with it whoever waits to be told that his statement is safe. Measured: 80 to 160 ms each time, which was the slowest hundredth of all
 * answers.
 */
#pragma once

/* The name of the VFS (https://sqlite.org/vfs.html) to open with; NULL for SQLite's own where it can't be had: it is only slower. */
const char *paced_vfs(void);
