/* repo/journal.h -- what is acknowledged and not yet packed: append-only files, one fdatasync for all that has arrived. Internal to repo/.
 *
 * A file journal/<10 digits> is a row of records: "HFJ1", kind (1 byte), length (u32), the first 8 bytes of the SHA-256 over kind and
 * content, content. A torn record at the very end is what a power cut leaves, and is dropped; anything else wrong is an error. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct journal;

typedef int (*journal_fn)(void *ctx, uint8_t kind, struct bytes content, struct error *err);

/* Opens folder (made when missing) and replays every file in order through fn; a failure of fn ends it. */
int journal_open(struct journal **out, const char *folder, journal_fn fn, void *ctx, struct error *err) _must_check_;
struct journal *journal_close(struct journal *journal);

void journal_add(struct buf *batch, uint8_t kind, struct bytes content);
/* Appends the batch and waits until it is on disk. On failure the file is cut back: nothing of the batch will be replayed. */
int journal_append(struct journal *journal, struct bytes batch, struct error *err) _must_check_;

/* Begins a new file; everything before it may be dropped once it is packed. */
int journal_rotate(uint64_t *before, struct journal *journal, struct error *err) _must_check_;
int journal_drop(struct journal *journal, uint64_t before, struct error *err) _must_check_;
