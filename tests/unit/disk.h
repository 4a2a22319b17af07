/* tests/unit/disk.h -- a disk that refuses, or a machine that stops, at its nth step.
 *
 * The functions by which a program changes a disk (write, sync, rename, make, cut, remove) are defined here in place of the C library's,
 * for everything in the test program: our own code, SQLite, libgit2. They count, and do as they were told. */
#pragma once

/* From the nth step on (0: the next one) each refuses with this errno, until disk_ok(). Steps that give space back are done. */
void disk_refuse_from(long n, int error);
/* Only the nth step refuses. */
void disk_refuse_once(long n, int error);
/* At the nth step the process is killed; when that is a write, half of it is done before. */
void disk_die_at(long n);
/* Before the nth step of this thread, fn is called, once: what others do meanwhile. The steps of other threads do not count, nor do those
 * that fn takes. */
void disk_call_at(long n, void (*fn)(void *ctx), void *ctx);
/* A disk like any other again. Returns how many steps there were since it was told to fail. */
long disk_ok(void);
