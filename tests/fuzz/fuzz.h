/* tests/fuzz/fuzz.h -- what a fuzz target needs: bytes come in, claims must hold.
 *
 * A target does more than not crash: what a parser takes is written again and must be the same, what it refuses must leave nothing behind,
 * and where two ways lead to an answer both must give it. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How many times slower than others a target is, if it says so: by that it is given fewer mutations in a test run. */
extern unsigned fuzz_cost;

_Noreturn void fuzz_broken(const char *file, int line, const char *claim, const char *why);

#define MUST(claim) \
	do { \
		if (!(claim)) \
			fuzz_broken(__FILE__, __LINE__, #claim, ""); \
	} while (0)
/* 0, or shows the text of `err`. */
#define MUST_OK(call) \
	do { \
		if ((call) != 0) \
			fuzz_broken(__FILE__, __LINE__, #call, err.text); \
	} while (0)

/* A file in memory with these bytes, and its path, for readers that take a path. */
const char *fuzz_file(struct bytes in);

/* Puts others in the place of some bytes. */
void fuzz_replace(struct buf *buf, size_t at, size_t len, struct bytes by);

/* The answers of a server that lies: copies of the true ones, with the changes that `in` asks for, each in so many bytes: answer, kind,
 * where (16 bits), how much (16 bits), a byte, another answer. Fewer bytes change nothing. */
enum { FUZZ_CHANGE_LEN = 8 };
void fuzz_lie(struct buf *given, const struct buf *truth, size_t count, struct bytes in);
