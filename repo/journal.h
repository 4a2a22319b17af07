/* repo/journal.h -- what is acknowledged and not yet packed: append-only files, one fdatasync for all that has arrived. Internal to repo/.
 *
 * A file journal/<10 digits> is a row of records: "HFJ1", kind (1 byte), length (u32), the first 8 bytes of the SHA-256 over kind and
 * content, content. Kind 'A' is the journal's own mark, written after the sync and before anybody is told: all before it was acknowledged.
 * Its content is where it lies in the file (u64), so that bytes that somebody sent cannot pass for one.
 *
 * So what is wrong in a file can be judged. With a mark behind it, it was acknowledged: the disk lost it, and that is an error. At the end
 * of the newest file with no mark behind it, it is what a stop in the middle of a write leaves, and is cut off.
 *
 * A sync that only changes what lies in a file waits for less than one that also makes it longer. So where much arrives the next file is
 * made beforehand, of zeros, and records are written over them; one that comes to more than its zeros just grows. Zeros up to the end of
 * a file are nothing: nothing was written there. A file of nothing else is none, and the newest file is the newest that holds anything. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct journal;

typedef int (*journal_fn)(void *ctx, uint8_t kind, struct bytes content, struct error *err);

/* Opens folder (made when missing) and gives every record, in order, to fn; a failure of fn ends it. cut: how many bytes of a write that
 * was never acknowledged were cut off. E_FORMAT for damage, naming file and byte. */
int journal_open(struct journal **out, const char *folder, journal_fn fn, void *ctx, uint64_t *cut, struct error *err) _must_check_;
struct journal *journal_close(struct journal *journal);

void journal_add(struct buf *batch, uint8_t kind, struct bytes content);
/* Appends the batch and waits until it is on disk. On failure it is cut back (the zeros are put back, where the file was made beforehand):
 * nothing of the batch will be replayed. */
int journal_append(struct journal *journal, struct bytes batch, struct error *err) _must_check_;
/* The batch of the next append brings keys: the file is overwritten before it is removed. */
void journal_holds_keys(struct journal *journal);
/* Marks the last batch as acknowledged; before its senders are told. Does not wait for the disk. */
void journal_mark(struct journal *journal);
/* Cuts the last batch back, which must not be marked. When that fails, appending fails until it can be done. */
void journal_undo(struct journal *journal);

/* Makes the file that journal_rotate() begins next, when the one before the one in hand came to 1 MiB or more: as long as that was and an
 * eighth more, at most 32 MiB. Waits for the disk, and may be called while others append; by who rotates. On failure there is none, and
 * rotating makes it. */
int journal_prepare(struct journal *journal, struct error *err) _must_check_;
/* Begins a new file, unless nothing is in the one in hand; everything before it may be dropped once it is packed. */
int journal_rotate(uint64_t *before, struct journal *journal, struct error *err) _must_check_;
/* Files that held keys are overwritten first. */
int journal_drop(struct journal *journal, uint64_t before, struct error *err) _must_check_;
/* Dropped up to here, nothing is left of all that was appended so far. */
uint64_t journal_end(const struct journal *journal);
