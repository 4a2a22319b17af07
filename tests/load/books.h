/* tests/load/books.h -- what a run writes down (load.h), and one statement as the books know it. */
#pragma once

#include "tests/load/load.h"

struct record {
	enum statement_type type;
	char subject[ID_LEN + 1]; /* device, invite, or "-" */
	uint64_t number;
	char hash[2 * HASH_LEN + 1], whole[2 * HASH_LEN + 1];
};

/* Of the statement that in begins with. */
int record_of(struct record *out, struct bytes in, struct error *err) _must_check_;

/* Opens FOLDER/acked for appending: a descriptor. */
int books_open(const char *folder, struct error *err) _must_check_;
int books_add(int fd, const struct record *record, struct error *err) _must_check_;
/* Reads them all; the caller frees. */
int books_read(struct record **out, size_t *count, const char *folder, struct error *err) _must_check_;

/* The fleet that a run made, for later: alice's key, the root. */
int books_keep(const char *folder, const struct fleet *fleet, struct error *err) _must_check_;
int books_fleet(struct fleet *out, const char *folder, struct error *err) _must_check_;
